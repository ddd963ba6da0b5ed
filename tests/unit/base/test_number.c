#include "base/number.h"

#include "base/random.h"
#include "base_test.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define NS_PER_SECOND 1000000000ull

static void u64_reads_the_whole_range(void **state) {
    (void)state;
    uint64_t n;
    assert_int_equal(number_parse_u64(slice_lit("0"), &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(number_parse_u64(slice_lit("0007"), &n), 0);
    assert_int_equal(n, 7);
    assert_int_equal(number_parse_u64(slice_lit("18446744073709551615"), &n), 0);
    assert_int_equal(n, UINT64_MAX);
}

static void u64_tells_garbage_from_overflow(void **state) {
    (void)state;
    static const char *const garbage[] = {"",    " 1",  "1 ", "+1", "-1",
                                          "1.0", "0x1", "a",  "1a", "99999999999999999999999x"};
    uint64_t n = 5;
    for (size_t i = 0; i < array_count(garbage); i++)
        assert_int_equal(number_parse_u64(slice_str(garbage[i]), &n), -EINVAL);
    assert_int_equal(number_parse_u64(slice_lit("18446744073709551616"), &n), -ERANGE);
    assert_int_equal(number_parse_u64(slice_lit("99999999999999999999999"), &n), -ERANGE);
    assert_int_equal(number_parse_u64(slice_lit("1\0"), &n), -EINVAL);
    assert_int_equal(n, 5);
}

/* 1 to 16 digits are read all at once. */
static void u64_reads_every_length(void **state) {
    (void)state;
    static const char digits[] = "98765432109876543210";
    for (size_t len = 1; len <= 19; len++) {
        char *text = malloc(len); /* exactly as long as it is, for ASan */
        uint64_t expected = 0, number = 0;
        assert_non_null(text);
        memcpy(text, digits + 1, len);
        for (size_t i = 0; i < len; i++)
            expected = expected * 10 + (uint64_t)(text[i] - '0');
        assert_int_equal(number_parse_u64(slice_make(text, len), &number), 0);
        assert_true(number == expected);
        for (size_t i = 0; i < len; i++) {
            static const char others[] = "/:\x80\xb0\xff +";
            for (const char *other = others; *other; other++) {
                text[i] = *other;
                assert_int_equal(number_parse_u64(slice_make(text, len), &number), -EINVAL);
            }
            text[i] = digits[1 + i];
        }
        free(text);
    }
}

static void i64_reads_within_its_range(void **state) {
    (void)state;
    int64_t n = 5;
    assert_int_equal(number_parse_i64(slice_lit("-9223372036854775808"), INT64_MIN, INT64_MAX, &n),
                     0);
    assert_true(n == INT64_MIN);
    assert_int_equal(number_parse_i64(slice_lit("9223372036854775807"), INT64_MIN, INT64_MAX, &n),
                     0);
    assert_true(n == INT64_MAX);
    n = 5;
    assert_int_equal(number_parse_i64(slice_lit("9223372036854775808"), INT64_MIN, INT64_MAX, &n),
                     -ERANGE);
    assert_int_equal(number_parse_i64(slice_lit("-9223372036854775809"), INT64_MIN, INT64_MAX, &n),
                     -ERANGE);
    assert_int_equal(number_parse_i64(slice_lit("11"), -10, 10, &n), -ERANGE);
    assert_int_equal(number_parse_i64(slice_lit("-11"), -10, 10, &n), -ERANGE);
    assert_int_equal(number_parse_i64(slice_lit("--1"), -10, 10, &n), -EINVAL);
    assert_int_equal(number_parse_i64(slice_lit("-"), -10, 10, &n), -EINVAL);
    assert_int_equal(number_parse_i64(slice_lit(""), -10, 10, &n), -EINVAL);
    assert_int_equal(n, 5);
    assert_int_equal(number_parse_i64(slice_lit("-0"), -10, 10, &n), 0);
    assert_int_equal(n, 0);
}

static void double_reads_the_form_of_json(void **state) {
    (void)state;
    double n;
    assert_int_equal(number_parse_double(slice_lit("-0.5e+3"), &n), 0);
    assert_true(n == -500.0);
    assert_int_equal(number_parse_double(slice_lit("0"), &n), 0);
    assert_true(n == 0);
    assert_int_equal(number_parse_double(slice_lit("0.1"), &n), 0);
    assert_true(n == 0.1);
    assert_int_equal(number_parse_double(slice_lit("1E-400"), &n), 0);
    assert_true(n == 0);
    static const char *const garbage[] = {"",    "+1", ".5",  "5.", "01",    "0x10", "nan",
                                          "inf", "1e", "1e+", "1 ", "1.2.3", "-",    "1,5"};
    for (size_t i = 0; i < array_count(garbage); i++)
        assert_int_equal(number_parse_double(slice_str(garbage[i]), &n), -EINVAL);
    assert_int_equal(number_parse_double(slice_lit("1e309"), &n), -ERANGE);
    char digits[NUMBER_DOUBLE_TEXT_MAX + 1];
    memset(digits, '1', sizeof digits);
    assert_int_equal(number_parse_double(slice_make(digits, sizeof digits), &n), -ERANGE);
    assert_int_equal(number_parse_double(slice_make(digits, sizeof digits - 1), &n), 0);
}

static void bool_reads_the_words_of_yaml(void **state) {
    (void)state;
    bool b = false;
    assert_int_equal(number_parse_bool(slice_lit("true"), &b), 0);
    assert_true(b);
    assert_int_equal(number_parse_bool(slice_lit("off"), &b), 0);
    assert_false(b);
    assert_int_equal(number_parse_bool(slice_lit("yes"), &b), 0);
    assert_true(b);
    assert_int_equal(number_parse_bool(slice_lit("no"), &b), 0);
    assert_false(b);
    assert_int_equal(number_parse_bool(slice_lit("on"), &b), 0);
    assert_true(b);
    assert_int_equal(number_parse_bool(slice_lit("false"), &b), 0);
    assert_false(b);
    assert_int_equal(number_parse_bool(slice_lit("TRUE"), &b), -EINVAL);
    assert_int_equal(number_parse_bool(slice_lit("1"), &b), -EINVAL);
    assert_int_equal(number_parse_bool(slice_lit(""), &b), -EINVAL);
}

static void durations_are_read_in_nanoseconds(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t ns;
    } good[] = {
        {"0", 0},
        {"0s", 0},
        {"250ms", 250000000},
        {"2s", 2 * NS_PER_SECOND},
        {"5m", 300 * NS_PER_SECOND},
        {"1h", 3600 * NS_PER_SECOND},
        {"7d", 7 * 86400 * NS_PER_SECOND},
        {"2w", 14 * 86400 * NS_PER_SECOND},
        {"1h30m", 5400 * NS_PER_SECOND},
        {"1d2h3m4s5ms6us7ns", 93784 * NS_PER_SECOND + 5006007},
        {"1.5h", 5400 * NS_PER_SECOND},
        {"0.000000001s", 1},
        {"9223372036854775807ns", INT64_MAX},
    };
    for (size_t i = 0; i < array_count(good); i++) {
        uint64_t ns = 1;
        assert_int_equal(number_parse_duration(slice_str(good[i].text), &ns), 0);
        assert_int_equal(ns, good[i].ns);
    }
}

static void durations_tell_garbage_from_overflow(void **state) {
    (void)state;
    static const char *const garbage[] = {"",
                                          "5",
                                          "s",
                                          "5 s",
                                          "-5s",
                                          "5S",
                                          "5sec",
                                          "1s1s",
                                          "1m1h",
                                          "1.s",
                                          ".5s",
                                          "1..5s",
                                          "1.5",
                                          "1h5",
                                          "0.5ns",
                                          "1h 5m",
                                          "1.0000000000000000000s"};
    static const char *const too_large[] = {"9223372036854775808ns", "300000d",
                                            "99999999999999999999s", "15000w200000h"};
    uint64_t ns = 5;
    for (size_t i = 0; i < array_count(garbage); i++)
        assert_int_equal(number_parse_duration(slice_str(garbage[i]), &ns), -EINVAL);
    for (size_t i = 0; i < array_count(too_large); i++)
        assert_int_equal(number_parse_duration(slice_str(too_large[i]), &ns), -ERANGE);
    assert_int_equal(number_parse_duration(slice_lit("99999999999999999999s1x"), &ns), -EINVAL);
    assert_int_equal(ns, 5);
}

static void sizes_count_in_powers_of_1024(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {
        {"0", 0},           {"4096", 4096},       {"512B", 512},
        {"64KB", 65536},    {"64k", 65536},       {"64KiB", 65536},
        {"1MiB", 1 << 20},  {"2G", 2ull << 30},   {"1.5GB", 3ull << 29},
        {"1T", 1ull << 40}, {"15E", 15ull << 60}, {"18446744073709551615", UINT64_MAX},
        {"3p", 3ull << 50},
    };
    for (size_t i = 0; i < array_count(good); i++) {
        uint64_t bytes = 1;
        assert_int_equal(number_parse_size(slice_str(good[i].text), &bytes), 0);
        assert_int_equal(bytes, good[i].bytes);
    }
}

static void sizes_tell_garbage_from_overflow(void **state) {
    (void)state;
    static const char *const garbage[] = {"",      "K",   "1 KB", "-1",  "1KK",
                                          "1KiBB", "1.5", "1x",   "1bi", "0.0001K"};
    uint64_t bytes = 5;
    for (size_t i = 0; i < array_count(garbage); i++)
        assert_int_equal(number_parse_size(slice_str(garbage[i]), &bytes), -EINVAL);
    assert_int_equal(number_parse_size(slice_lit("16E"), &bytes), -ERANGE);
    assert_int_equal(number_parse_size(slice_lit("18446744073709551616"), &bytes), -ERANGE);
    assert_int_equal(bytes, 5);
}

static void rates_have_a_count_and_a_period(void **state) {
    (void)state;
    struct number_rate rate;
    assert_int_equal(number_parse_rate(slice_lit("100/s"), &rate), 0);
    assert_int_equal(rate.count, 100);
    assert_int_equal(rate.period_ns, NS_PER_SECOND);
    assert_true(number_rate_per_second(rate) == 100.0);
    assert_int_equal(number_parse_rate(slice_lit("6000/m"), &rate), 0);
    assert_true(number_rate_per_second(rate) == 100.0);
    assert_int_equal(number_parse_rate(slice_lit("1/10s"), &rate), 0);
    assert_true(number_rate_per_second(rate) == 0.1);
    static const char *const garbage[] = {"",      "100",   "100/",  "/s",
                                          "100/x", "1.5/s", "1/s/s", "1/10"};
    for (size_t i = 0; i < array_count(garbage); i++)
        assert_int_equal(number_parse_rate(slice_str(garbage[i]), &rate), -EINVAL);
    assert_int_equal(number_parse_rate(slice_lit("0/s"), &rate), -ERANGE);
    assert_int_equal(number_parse_rate(slice_lit("1/0s"), &rate), -ERANGE);
    assert_int_equal(number_parse_rate(slice_lit("18446744073709551616/s"), &rate), -ERANGE);
}

static void formatted_integers_are_what_printf_prints(void **state) {
    (void)state;
    struct random r = random_make(1);
    for (int i = 0; i < 20000; i++) {
        uint64_t n = random_u64(&r) >> random_below(&r, 64);
        char out[NUMBER_TEXT_MAX];
        char expected[NUMBER_TEXT_MAX];
        size_t len = number_format_u64(n, out);
        assert_int_equal(len, snprintf(expected, sizeof expected, "%" PRIu64, n));
        assert_memory_equal(out, expected, len);
        len = number_format_i64((int64_t)n, out);
        assert_int_equal(len, snprintf(expected, sizeof expected, "%" PRId64, (int64_t)n));
        assert_memory_equal(out, expected, len);
    }
}

static void formatted_integers_at_every_length(void **state) {
    (void)state;
    uint64_t power = 1;
    for (size_t digits = 1; digits <= 20; digits++) {
        char out[NUMBER_TEXT_MAX];
        assert_int_equal(number_format_u64(power, out), digits);
        if (power > 1)
            assert_int_equal(number_format_u64(power - 1, out), digits - 1);
        power *= digits < 20 ? 10 : 1;
    }
    char out[NUMBER_TEXT_MAX];
    assert_int_equal(number_format_u64(0, out), 1);
    assert_int_equal(out[0], '0');
    assert_slice(slice_make(out, number_format_u64(UINT64_MAX, out)), "18446744073709551615");
    assert_slice(slice_make(out, number_format_i64(INT64_MIN, out)), "-9223372036854775808");
}

static void durations_as_go_writes_them(void **state) {
    (void)state;
    static const struct {
        uint64_t ns;
        const char *text;
    } cases[] = {
        {0, "0s"},
        {300000000, "300ms"},
        {1, "1ns"},
        {1500, "1.5\u00b5s"},
        {1500000, "1.5ms"},
        {NS_PER_SECOND, "1s"},
        {2500000000, "2.5s"},
        {NS_PER_SECOND + 1, "1.000000001s"},
        {60 * NS_PER_SECOND, "1m0s"},
        {90 * NS_PER_SECOND, "1m30s"},
        {5400 * NS_PER_SECOND, "1h30m0s"},
        {36000 * NS_PER_SECOND + 500000000, "10h0m0.5s"},
        {86400 * 7 * NS_PER_SECOND, "168h0m0s"},
    };
    char out[2 * NUMBER_TEXT_MAX];
    for (size_t i = 0; i < array_count(cases); i++) {
        assert_int_equal(number_format_go_duration(cases[i].ns, out), strlen(cases[i].text));
        assert_string_equal(out, cases[i].text);
    }
    assert_true(number_format_go_duration(UINT64_MAX, out) < sizeof out);
}

static void formatted_durations_read_back(void **state) {
    (void)state;
    char out[2 * NUMBER_TEXT_MAX];
    number_format_duration(5400 * NS_PER_SECOND, out);
    assert_string_equal(out, "1h30m");
    number_format_duration(250000000, out);
    assert_string_equal(out, "250ms");
    number_format_duration(7 * 86400 * NS_PER_SECOND, out);
    assert_string_equal(out, "7d");
    assert_int_equal(number_format_duration(0, out), 2);
    assert_string_equal(out, "0s");
    struct random r = random_make(2);
    for (int i = 0; i < 10000; i++) {
        uint64_t ns = random_u64(&r) >> (1 + random_below(&r, 63));
        uint64_t back = 0;
        size_t len = number_format_duration(ns, out);
        assert_true(len < sizeof out);
        assert_int_equal(number_parse_duration(slice_make(out, len), &back), 0);
        assert_int_equal(back, ns);
    }
}

static void formatted_sizes_suit_people(void **state) {
    (void)state;
    char out[NUMBER_TEXT_MAX];
    assert_int_equal(number_format_size(512, out), 4);
    assert_string_equal(out, "512B");
    number_format_size(1536, out);
    assert_string_equal(out, "1.5KiB");
    number_format_size((1 << 20) - 1, out);
    assert_string_equal(out, "1.0MiB");
    number_format_size(3435973837u, out);
    assert_string_equal(out, "3.2GiB");
    number_format_size(UINT64_MAX, out);
    assert_string_equal(out, "16.0EiB");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(u64_reads_the_whole_range),
        cmocka_unit_test(u64_tells_garbage_from_overflow),
        cmocka_unit_test(u64_reads_every_length),
        cmocka_unit_test(i64_reads_within_its_range),
        cmocka_unit_test(double_reads_the_form_of_json),
        cmocka_unit_test(bool_reads_the_words_of_yaml),
        cmocka_unit_test(durations_are_read_in_nanoseconds),
        cmocka_unit_test(durations_tell_garbage_from_overflow),
        cmocka_unit_test(sizes_count_in_powers_of_1024),
        cmocka_unit_test(sizes_tell_garbage_from_overflow),
        cmocka_unit_test(rates_have_a_count_and_a_period),
        cmocka_unit_test(formatted_integers_are_what_printf_prints),
        cmocka_unit_test(formatted_integers_at_every_length),
        cmocka_unit_test(durations_as_go_writes_them),
        cmocka_unit_test(formatted_durations_read_back),
        cmocka_unit_test(formatted_sizes_suit_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
