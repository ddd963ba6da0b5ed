/*
 * wire_test.h - what the unit tests of wire share.
 *
 * cmocka with the headers it wants before it, and slices compared with a literal, length first,
 * so that a wrong length is told as such.
 */
#ifndef NONET_TESTS_WIRE_TEST_H
#define NONET_TESTS_WIRE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/slice.h"

#include <errno.h>

#define assert_slice(got, text)                                                                    \
    do {                                                                                           \
        slice got_slice_ = (got);                                                                  \
        assert_int_equal(got_slice_.len, sizeof(text) - 1);                                        \
        if (got_slice_.len > 0)                                                                    \
            assert_memory_equal(got_slice_.ptr, text, sizeof(text) - 1);                           \
    } while (0)

static const slice none = {NULL, 0};

#endif
