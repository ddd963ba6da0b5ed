/*
 * cli_test.h - what the unit tests of cli share.
 *
 * cmocka with the headers it wants before it, command lines written as literals, and slices
 * compared with a text.
 */
#ifndef NONET_TESTS_CLI_TEST_H
#define NONET_TESTS_CLI_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/cli.h"

#include <errno.h>

#define assert_slice(got, text)                                                                    \
    do {                                                                                           \
        slice got_slice_ = (got);                                                                  \
        assert_int_equal(got_slice_.len, strlen(text));                                            \
        if (got_slice_.len > 0)                                                                    \
            assert_memory_equal(got_slice_.ptr, text, got_slice_.len);                             \
    } while (0)

/* Reads "nonet WORDS..." by TABLE into CALL. */
#define parse(table, call, ...)                                                                    \
    parse_words(table, call, (const char *[]){"nonet", __VA_ARGS__, NULL})

static inline int parse_words(const struct cli_table *table, struct cli_call *call,
                              const char **words) {
    int count = 0;
    while (words[count])
        count++;
    return cli_parse(table, count, (char **)(uintptr_t)words, call);
}

#endif
