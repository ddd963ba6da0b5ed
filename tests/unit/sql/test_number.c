/*
 * Functions and operators of numbers and the comparisons of every type: each call gives what
 * PostgreSQL 15 printed, alone and as a vector.
 */
#include "function_cases.h"
#include "value_kit.h"

#include <errno.h>
#include <stdio.h>

static struct value_kit kit;

static int setup(void **state) {
    (void)state;
    kit = kit_make();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    arena_free(&kit.memory);
    return 0;
}

static unsigned count_of(const struct function_case *c) {
    unsigned count = 0;
    while (count < 4 && c->types[count])
        count++;
    return count;
}

static const struct sql_function *find(const struct function_case *c) {
    unsigned cursor = 0;
    const struct sql_function *f;
    while ((f = sql_function_next(slice_str(c->name), &cursor)))
        if (f->count == count_of(c) &&
            memcmp(f->arguments, c->types, f->count * sizeof c->types[0]) == 0)
            return f;
    return NULL;
}

static struct sql_call call_of(const struct sql_function *f, const struct sql_type *types) {
    return (struct sql_call){.memory = &kit.memory,
                             .error = &kit.error,
                             .types = types,
                             .count = f->count,
                             .result = sql_type_of(f->result)};
}

/* The result's text, "NULL", or the error, in OUT. */
static void tell(const struct sql_call *call, int failed, const union sql_cell *cell, char *out,
                 size_t size) {
    if (failed < 0)
        snprintf(out, size, "%s %s", kit.error.state, kit.error.message);
    else if (call->null)
        snprintf(out, size, "%s", "");
    else
        snprintf(out, size, "%s", kit_text(&kit, call->result, cell));
}

static void assert_cases(const struct function_case *cases, size_t count) {
    unsigned wrong = 0;
    for (size_t i = 0; i < count; i++) {
        const struct function_case *c = &cases[i];
        const struct sql_function *f = find(c);
        if (!f) {
            print_error("no row for %s\n", c->name);
            wrong++;
            continue;
        }
        struct sql_type types[4];
        union sql_cell arguments[4];
        struct sql_column columns[4];
        for (unsigned a = 0; a < f->count; a++) {
            types[a] = sql_type_of(c->types[a]);
            arguments[a] = kit_value(&kit, types[a], c->arguments[a]);
            columns[a] = (struct sql_column){&arguments[a], NULL, 0};
        }
        struct sql_call call = call_of(f, types);
        union sql_cell cell;
        char text[5000];
        tell(&call, f->scalar(&call, arguments, &cell), &cell, text, sizeof text);
        if (strcmp(text, c->expected) != 0) {
            print_error("%s(%s, %s): %s, not %s\n", c->name, c->arguments[0],
                        c->arguments[1] ? c->arguments[1] : "", text, c->expected);
            wrong++;
        }
        if (!f->vector)
            continue;
        union sql_cell cells[3];
        uint8_t nulls[3] = {0, 1, 0};
        call = call_of(f, types);
        tell(&call, f->vector(&call, columns, 3, cells, nulls), &cells[2], text, sizeof text);
        assert_string_equal(text, c->expected);
        assert_int_equal(nulls[1], 1);
    }
    assert_int_equal(wrong, 0);
}

static void calls_agree_with_postgresql(void **state) {
    (void)state;
    assert_cases(function_cases, function_case_count);
}

static void patterns_agree_with_postgresql(void **state) {
    (void)state;
    assert_cases(format_cases, format_case_count);
}

/* A row that is NULL may hold anything, also what would overflow or divide by zero. */
static void null_rows_do_not_fail(void **state) {
    (void)state;
    static const char *const names[] = {"+", "-", "*", "%"};
    union sql_cell most = {.i = INT64_MAX};
    union sql_cell zero = {.i = 0};
    const struct sql_column columns[2] = {{&most, NULL, 0}, {&most, NULL, 0}};
    const struct sql_column by_zero[2] = {{&most, NULL, 0}, {&zero, NULL, 0}};
    for (size_t i = 0; i < array_count(names); i++) {
        const struct function_case c = {.name = names[i], .types = {SQL_INT8, SQL_INT8}};
        const struct sql_function *f = find(&c);
        const struct sql_type types[2] = {sql_type_of(SQL_INT8), sql_type_of(SQL_INT8)};
        struct sql_call call = call_of(f, types);
        union sql_cell cells[2];
        uint8_t nulls[2] = {1, 1};
        assert_int_equal(f->vector(&call, i == 3 ? by_zero : columns, 2, cells, nulls), 0);
    }
}

static void casts_agree_with_postgresql(void **state) {
    (void)state;
    static const struct {
        uint32_t from;
        struct sql_type to;
        const char *in, *out;
        bool written; /* by the user */
    } cases[] = {
        {SQL_INT8, {SQL_INT4, -1}, "2147483648", "22003 integer out of range", false},
        {SQL_INT4, {SQL_INT2, -1}, "-32769", "22003 smallint out of range", false},
        {SQL_INT8, {SQL_FLOAT4, -1}, "16777217", "1.6777216e+07", false},
        {SQL_INT4,
         {SQL_NUMERIC, (4 << 16 | 1) + 4},
         "12345",
         "22003 numeric field overflow",
         false},
        {SQL_FLOAT8, {SQL_INT4, -1}, "2.5", "2", false},
        {SQL_FLOAT8, {SQL_INT4, -1}, "3.5", "4", false},
        {SQL_FLOAT8, {SQL_INT4, -1}, "1e10", "22003 integer out of range", false},
        {SQL_FLOAT8, {SQL_INT8, -1}, "NaN", "22003 bigint out of range", false},
        {SQL_FLOAT8, {SQL_INT8, -1}, "9223372036854775807", "22003 bigint out of range", false},
        {SQL_FLOAT8, {SQL_FLOAT4, -1}, "1e300", "22003 value out of range: overflow", false},
        {SQL_FLOAT8, {SQL_FLOAT4, -1}, "1e-300", "22003 value out of range: underflow", false},
        {SQL_FLOAT4, {SQL_NUMERIC, -1}, "1.1", "1.1", false},
        {SQL_FLOAT8, {SQL_NUMERIC, -1}, "1.123456789012345678", "1.12345678901235", false},
        {SQL_NUMERIC, {SQL_INT4, -1}, "2.5", "3", false},
        {SQL_NUMERIC, {SQL_INT8, -1}, "NaN", "0A000 cannot convert NaN to bigint", false},
        {SQL_NUMERIC, {SQL_INT4, -1}, "inf", "0A000 cannot convert infinity to integer", false},
        {SQL_NUMERIC, {SQL_INT4, -1}, "1e30", "22003 integer out of range", false},
        {SQL_NUMERIC, {SQL_FLOAT8, -1}, "0.1", "0.1", false},
        {SQL_NUMERIC, {SQL_NUMERIC, (9 << 16 | 2) + 4}, "1.005", "1.01", false},
        {SQL_INT4, {SQL_BOOL, -1}, "5", "t", true},
        {SQL_BOOL, {SQL_INT4, -1}, "t", "1", true},
        {SQL_BOOL, {SQL_TEXT, -1}, "t", "true", true},
        {SQL_BOOL, {SQL_VARCHAR, 6}, "t", "tr", true},
        {SQL_INT8, {SQL_OID, -1}, "5000000000", "22003 OID out of range", false},
        {SQL_OID, {SQL_INT4, -1}, "3000000000", "-1294967296", false},
        {SQL_TEXT, {SQL_VARCHAR, 7}, "abcdef", "abc", true},
        {SQL_TEXT,
         {SQL_VARCHAR, 7},
         "abcdef",
         "22001 value too long for type character varying(3)",
         false},
        {SQL_TEXT, {SQL_BPCHAR, 7}, "a", "a  ", false},
        {SQL_BPCHAR, {SQL_TEXT, -1}, "a  ", "a", false},
        {SQL_INT4, {SQL_CHAR, -1}, "65", "A", true},
        {SQL_CHAR, {SQL_INT4, -1}, "a", "97", true},
        {SQL_TEXT, {SQL_CHAR, -1}, "ab", "a", true},
    };
    for (size_t i = 0; i < array_count(cases); i++) {
        const struct sql_cast *cast = sql_cast_find(cases[i].from, cases[i].to.oid);
        assert_non_null(cast);
        struct sql_type from = sql_type_of(cases[i].from);
        union sql_cell argument = kit_value(&kit, from, cases[i].in);
        union sql_cell cell = argument;
        struct sql_call call = {.memory = &kit.memory,
                                .error = &kit.error,
                                .types = &from,
                                .count = 1,
                                .result = cases[i].to,
                                .explicit_cast = cases[i].written};
        char text[256];
        int rc = cast->scalar ? cast->scalar(&call, &argument, &cell) : 0;
        tell(&call, rc, &cell, text, sizeof text);
        assert_string_equal(text, cases[i].out);
    }
}

static uint64_t all_ones(void *self) {
    (void)self;
    return UINT64_MAX;
}

static void random_is_below_one(void **state) {
    (void)state;
    const struct function_case c = {.name = "random"};
    const struct sql_function *f = find(&c);
    const struct sql_settings settings = {.random = all_ones};
    struct sql_call call = call_of(f, NULL);
    call.settings = &settings;
    union sql_cell cell;
    assert_int_equal(f->scalar(&call, NULL, &cell), 0);
    assert_true(cell.f < 1 && cell.f > 0.999999);
    assert_true(f->flags & SQL_VOLATILE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(calls_agree_with_postgresql, setup, teardown),
        cmocka_unit_test_setup_teardown(patterns_agree_with_postgresql, setup, teardown),
        cmocka_unit_test_setup_teardown(null_rows_do_not_fail, setup, teardown),
        cmocka_unit_test_setup_teardown(casts_agree_with_postgresql, setup, teardown),
        cmocka_unit_test_setup_teardown(random_is_below_one, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
