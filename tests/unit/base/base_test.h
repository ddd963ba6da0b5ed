/*
 * base_test.h - what every test of base/ needs.
 *
 * cmocka with the headers it wants before it, slices compared with readable failures, and the loop
 * that fails each allocation in turn.
 */
#ifndef NONET_TESTS_UNIT_BASE_TEST_H
#define NONET_TESTS_UNIT_BASE_TEST_H

#include "base/mem.h"
#include "base/slice.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define assert_slice(actual, expected_literal)                                                     \
    do {                                                                                           \
        slice actual_ = (actual);                                                                  \
        assert_int_equal(actual_.len, sizeof(expected_literal) - 1);                               \
        if (actual_.len)                                                                           \
            assert_memory_equal(actual_.ptr, expected_literal, actual_.len);                       \
    } while (0)

/* Runs ATTEMPT() with its 1st, 2nd, ... allocation failing until it makes it without reaching the
   failing one. ATTEMPT returns true where it succeeded and checks its own invariants; it must have
   failed at least once. Gives the number of failures. */
static inline unsigned long fail_each_allocation(bool (*attempt)(void)) {
    for (unsigned long at = 1; at < 10000; at++) {
        unsigned long before = mem_attempts();
        mem_fail_at(at, false);
        bool succeeded = attempt();
        mem_fail_at(0, false);
        if (mem_attempts() - before < at) {
            assert_true(succeeded);
            assert_true(at > 1);
            return at - 1;
        }
        assert_false(succeeded);
    }
    fail_msg("the attempt never ends allocating");
    return 0;
}

#endif
