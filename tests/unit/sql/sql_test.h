/*
 * sql_test.h - what the unit tests of sql/ share.
 *
 * cmocka with the headers it wants before it, and a slice compared as text, so that a test that
 * fails prints both.
 */
#ifndef NONET_TESTS_SQL_TEST_H
#define NONET_TESTS_SQL_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/slice.h"

#define assert_slice(slice_, text_)                                                                \
    do {                                                                                           \
        slice s_ = (slice_);                                                                       \
        char copy_[4096];                                                                          \
        assert_int_equal(slice_to_string(s_, copy_, sizeof copy_), 0);                             \
        assert_string_equal(copy_, text_);                                                         \
    } while (0)

#endif
