/*
 * value_kit.h - values from and to text for the tests of values, rows, functions and aggregates.
 *
 * One arena and one error per test program; a text that is not a value of its type fails the test
 * with PostgreSQL's words.
 */
#ifndef NONET_TESTS_SQL_VALUE_KIT_H
#define NONET_TESTS_SQL_VALUE_KIT_H

#include "sql/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct value_kit {
    struct arena memory;
    struct sql_error error;
    char text[4096]; /* of the last kit_text */
};

static inline struct value_kit kit_make(void) {
    return (struct value_kit){.memory = arena_make(0, (size_t)64 << 20)};
}

static inline union sql_cell kit_value(struct value_kit *k, struct sql_type type,
                                       const char *text) {
    union sql_cell cell = {.i = 0};
    if (sql_value_in(type, slice_str(text), NULL, &k->memory, &cell, &k->error) < 0)
        fail_msg("'%s': %s %s", text, k->error.state, k->error.message);
    return cell;
}

static inline const char *kit_text(struct value_kit *k, struct sql_type type,
                                   const union sql_cell *cell) {
    struct buf out = buf_make(sizeof k->text - 1);
    assert_int_equal(sql_value_out(type, cell, NULL, &out), 0);
    assert_int_equal(slice_to_string(buf_slice(&out), k->text, sizeof k->text), 0);
    buf_free(&out);
    return k->text;
}

#endif
