/*
 * numeric: every operation gives PostgreSQL's digits and PostgreSQL's shown scale.
 */
#include "numeric_cases.h"
#include "sql/numeric.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct arena memory;

static int setup(void **state) {
    (void)state;
    memory = arena_make(0, (size_t)64 << 20);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    arena_free(&memory);
    return 0;
}

static struct sql_numeric number(const char *text) {
    struct sql_numeric n;
    assert_int_equal(sql_numeric_parse(slice_str(text), &memory, &n), 0);
    return n;
}

static void assert_prints(struct sql_numeric n, const char *expected) {
    struct buf out = buf_make((size_t)1 << 20);
    assert_int_equal(sql_numeric_print(n, &out), 0);
    assert_string_equal(buf_text(&out), expected);
    buf_free(&out);
}

static int apply(const char *operation, struct sql_numeric a, struct sql_numeric b,
                 struct sql_numeric *ret) {
    int64_t places = 0;
    slice name = slice_str(operation);
    if (b.kind == SQL_NUMERIC_SMALL)
        assert_int_equal(sql_numeric_to_int(b, &places), 0);
    if (slice_equal(name, slice_lit("+")))
        return sql_numeric_add(a, b, &memory, ret);
    if (slice_equal(name, slice_lit("-")))
        return sql_numeric_subtract(a, b, &memory, ret);
    if (slice_equal(name, slice_lit("*")))
        return sql_numeric_multiply(a, b, &memory, ret);
    if (slice_equal(name, slice_lit("/")))
        return sql_numeric_divide(a, b, &memory, ret);
    if (slice_equal(name, slice_lit("%")))
        return sql_numeric_modulo(a, b, &memory, ret);
    if (slice_equal(name, slice_lit("div")))
        return sql_numeric_quotient(a, b, &memory, ret);
    if (slice_equal(name, slice_lit("^")))
        return sql_numeric_power(a, b, &memory, ret);
    if (slice_equal(name, slice_lit("log")))
        return sql_numeric_log(a, b, &memory, ret);
    if (slice_equal(name, slice_lit("round")))
        return sql_numeric_round(a, (int)places, &memory, ret);
    if (slice_equal(name, slice_lit("trunc")))
        return sql_numeric_truncate(a, (int)places, &memory, ret);
    if (slice_equal(name, slice_lit("ceil")))
        return sql_numeric_floor(a, true, &memory, ret);
    if (slice_equal(name, slice_lit("floor")))
        return sql_numeric_floor(a, false, &memory, ret);
    if (slice_equal(name, slice_lit("sqrt")))
        return sql_numeric_sqrt(a, &memory, ret);
    if (slice_equal(name, slice_lit("exp")))
        return sql_numeric_exp(a, &memory, ret);
    assert_true(slice_equal(name, slice_lit("ln")));
    return sql_numeric_ln(a, &memory, ret);
}

static void operations_agree_with_postgresql(void **state) {
    (void)state;
    unsigned wrong = 0;
    for (size_t i = 0; i < numeric_case_count; i++) {
        const struct numeric_case *c = &numeric_cases[i];
        struct sql_numeric result;
        int rc = apply(c->operation, number(c->a), number(c->b), &result);
        struct buf out = buf_make((size_t)1 << 20);
        if (rc == 0)
            rc = sql_numeric_print(result, &out);
        if (rc != 0 || !slice_equal(buf_slice(&out), slice_str(c->expected))) {
            print_error("%s %s %s: %d %.*s, not %s\n", c->a, c->operation, c->b, rc,
                        slice_fmt(buf_slice(&out)), c->expected);
            wrong++;
        }
        buf_free(&out);
    }
    assert_int_equal(wrong, 0);
}

static void text_is_read_and_written(void **state) {
    (void)state;
    static const struct {
        const char *text, *expected; /* NULL: not a number */
    } cases[] = {
        {" -1.5e3  ", "-1500"},
        {"0e-5", "0.00000"},
        {".5", "0.5"},
        {"5.", "5"},
        {"+inf", "Infinity"},
        {"nan", "NaN"},
        {"1.50e1", "15.0"},
        {"-0", "0"},
        {"000000000000000000000000001", "1"},
        {"0.000000000000000000000000", "0.000000000000000000000000"},
        {"1e25", "10000000000000000000000000"},
        {"-123456789012345678901.5", "-123456789012345678901.5"},
        {"", NULL},
        {".", NULL},
        {"1e5.5", NULL},
        {"1e", NULL},
        {"x", NULL},
        {"1 2", NULL},
        {"-nan", NULL},
    };
    for (size_t i = 0; i < array_count(cases); i++) {
        struct sql_numeric n;
        int rc = sql_numeric_parse(slice_str(cases[i].text), &memory, &n);
        assert_int_equal(rc, cases[i].expected ? 0 : -EINVAL);
        if (cases[i].expected)
            assert_prints(n, cases[i].expected);
    }
    struct sql_numeric n;
    assert_int_equal(sql_numeric_parse(slice_lit("1e131072"), &memory, &n), -ERANGE);
    assert_int_equal(sql_numeric_parse(slice_lit("1e-16384"), &memory, &n), -ERANGE);
    assert_int_equal(sql_numeric_parse(slice_lit("1e131071"), &memory, &n), 0);
    assert_int_equal(sql_numeric_parse(slice_lit("1e-16383"), &memory, &n), 0);
}

static void scale_does_not_count_for_order_and_hash(void **state) {
    (void)state;
    static const char *const ascending[] = {
        "-Infinity", "-1e30", "-100", "-99.5",    "-1e-20",
        "0",         "1e-20", "0.5",  "1",        "1.000000000000000000000000000001",
        "7",         "1e18",  "1e30", "Infinity", "NaN"};
    for (size_t i = 0; i < array_count(ascending); i++)
        for (size_t j = 0; j < array_count(ascending); j++) {
            int order = sql_numeric_compare(number(ascending[i]), number(ascending[j]));
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
    struct sql_numeric a = number("1.50");
    struct sql_numeric b = number("1.500000000000000000000000");
    assert_int_equal(sql_numeric_compare(a, b), 0);
    assert_true(sql_numeric_hash(a) == sql_numeric_hash(b));
}

static void the_binary_form_reads_back(void **state) {
    (void)state;
    static const char *const texts[] = {"0",
                                        "0.00",
                                        "1",
                                        "-1",
                                        "10000",
                                        "12345678.9",
                                        "0.001",
                                        "1e-20",
                                        "1.500000",
                                        "1e30",
                                        "NaN",
                                        "Infinity",
                                        "-99999999999999999999.000000001",
                                        "-Infinity"};
    for (size_t i = 0; i < array_count(texts); i++) {
        struct sql_numeric n = number(texts[i]);
        struct sql_numeric again;
        struct buf out = buf_make((size_t)1 << 20);
        assert_int_equal(sql_numeric_send(n, &out), 0);
        assert_int_equal(sql_numeric_receive(buf_slice(&out), &memory, &again), 0);
        assert_int_equal(again.scale, n.scale);
        assert_int_equal(sql_numeric_compare(n, again), 0);
        buf_free(&out);
    }
    struct buf out = buf_make(64);
    assert_int_equal(sql_numeric_send(number("12345.678"), &out), 0); /* as numeric_send() has it */
    assert_memory_equal(out.ptr, "\0\3\0\1\0\0\0\3\0\1\x09\x29\x1a\x7c", 14);
    buf_free(&out);
}

static void numeric_p_s_rounds_or_fails(void **state) {
    (void)state;
    struct sql_error error;
    struct sql_numeric n;
    int32_t typmod = (4 << 16 | 1) + 4;
    assert_int_equal(sql_numeric_fit(number("123.45"), typmod, &memory, &n, &error), 0);
    assert_prints(n, "123.5");
    assert_true(sql_numeric_fit(number("999.95"), typmod, &memory, &n, &error) < 0);
    assert_string_equal(error.state, "22003");
    assert_string_equal(error.detail, "A field with precision 4, scale 1 must round to an absolute "
                                      "value less than 10^3.");
}

/* 2147483647.49999999994: one digit more or less of the root would round it up. */
static void a_root_near_a_half_rounds_to_its_side(void **state) {
    (void)state;
    struct sql_numeric n;
    assert_int_equal(sql_numeric_root(number("4611686016279904256"), 0, &memory, &n), 0);
    assert_prints(n, "2147483647");
    assert_int_equal(sql_numeric_root(number("4611686016279904256.25"), 0, &memory, &n), 0);
    assert_prints(n, "2147483648");
}

static void integers_and_doubles_convert(void **state) {
    (void)state;
    int64_t i;
    assert_int_equal(sql_numeric_to_int(number("-2.5"), &i), 0);
    assert_int_equal(i, -3);
    assert_int_equal(sql_numeric_to_int(number("-9223372036854775808"), &i), 0);
    assert_true(i == INT64_MIN);
    assert_int_equal(sql_numeric_to_int(number("9223372036854775807.5"), &i), -ERANGE);
    assert_int_equal(sql_numeric_to_int(number("NaN"), &i), -EDOM);
    double d;
    assert_int_equal(sql_numeric_to_double(number("0.1"), &d), 0);
    assert_true(d == 0.1);
    assert_int_equal(sql_numeric_to_double(number("1e400"), &d), -ERANGE);
    struct sql_numeric n;
    assert_int_equal(sql_numeric_from_double(1e25 / 3, 15, &memory, &n), 0);
    assert_prints(n, "3333333333333330000000000");
    assert_int_equal(sql_numeric_from_int((__int128)INT64_MAX * 1000, &memory, &n), 0);
    assert_prints(n, "9223372036854775807000");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(operations_agree_with_postgresql, setup, teardown),
        cmocka_unit_test_setup_teardown(text_is_read_and_written, setup, teardown),
        cmocka_unit_test_setup_teardown(scale_does_not_count_for_order_and_hash, setup, teardown),
        cmocka_unit_test_setup_teardown(the_binary_form_reads_back, setup, teardown),
        cmocka_unit_test_setup_teardown(numeric_p_s_rounds_or_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(a_root_near_a_half_rounds_to_its_side, setup, teardown),
        cmocka_unit_test_setup_teardown(integers_and_doubles_convert, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
