#include "base/clocktext.h"

#include "base/random.h"
#include "base_test.h"

#define NS 1000000000ll

static void assert_formats(int64_t unix_ns, const char *expected) {
    char out[CLOCKTEXT_SIZE];
    int64_t back = 1;
    assert_int_equal(clocktext_format(unix_ns, out), strlen(expected));
    assert_string_equal(out, expected);
    assert_int_equal(clocktext_parse(slice_str(expected), &back), 0);
    assert_true(back == unix_ns);
}

static void moments_are_written_as_go_writes_them(void **state) {
    (void)state;
    assert_formats(0, "1970-01-01T00:00:00Z");
    assert_formats(1767323045123456789, "2026-01-02T03:04:05.123456789Z");
    assert_formats(1767323045 * NS, "2026-01-02T03:04:05Z");
    assert_formats(1767323045 * NS + 120000000, "2026-01-02T03:04:05.12Z");
    assert_formats(1767323045 * NS + 10, "2026-01-02T03:04:05.00000001Z");
    assert_formats(951782400 * NS, "2000-02-29T00:00:00Z");
    assert_formats(-1, "1969-12-31T23:59:59.999999999Z");
}

static void the_ends_of_the_span(void **state) {
    (void)state;
    assert_formats(INT64_MIN, "1677-09-21T00:12:43.145224192Z");
    assert_formats(INT64_MAX, "2262-04-11T23:47:16.854775807Z");
    int64_t ns = 5;
    assert_int_equal(clocktext_parse(slice_lit("2262-04-11T23:47:16.854775808Z"), &ns), -ERANGE);
    assert_int_equal(clocktext_parse(slice_lit("1677-09-21T00:12:43.145224191Z"), &ns), -ERANGE);
    assert_int_equal(clocktext_parse(slice_lit("0000-01-01T00:00:00Z"), &ns), -ERANGE);
    assert_int_equal(clocktext_parse(slice_lit("9999-12-31T23:59:59Z"), &ns), -ERANGE);
    assert_int_equal(ns, 5);
}

static void offsets_are_taken_off(void **state) {
    (void)state;
    int64_t ns = 0;
    assert_int_equal(clocktext_parse(slice_lit("2026-01-02T05:34:05.5+02:30"), &ns), 0);
    assert_true(ns == 1767323045 * NS + 500000000);
    assert_int_equal(clocktext_parse(slice_lit("2026-01-01T19:04:05-08:00"), &ns), 0);
    assert_true(ns == 1767323045 * NS);
    assert_int_equal(clocktext_parse(slice_lit("1970-01-01t00:00:00z"), &ns), 0);
    assert_true(ns == 0);
}

static void leap_second_is_the_next_minute(void **state) {
    (void)state;
    int64_t ns = 0;
    assert_int_equal(clocktext_parse(slice_lit("2016-12-31T23:59:60.7Z"), &ns), 0);
    assert_true(ns == 1483228800 * NS);
}

static void garbage_is_refused(void **state) {
    (void)state;
    static const char *const garbage[] = {
        "",
        "2026-01-02",
        "2026-01-02T03:04:05",
        "2026-01-02 03:04:05Z",
        "2026-1-02T03:04:05Z",
        "26-01-02T03:04:05Z",
        "2026-01-02T03:04Z",
        "2026-01-02T03:04:05.Z",
        "2026-01-02T03:04:05.1234567891Z",
        "2026-01-02T03:04:05,5Z",
        "2026-01-02T03:04:05ZZ",
        "2026-01-02T03:04:05+0200",
        "2026-01-02T03:04:05+24:00",
        "2026-01-02T03:04:05+02:60",
        "2026-01-02T03:04:05+02",
        "2026-00-02T03:04:05Z",
        "2026-13-02T03:04:05Z",
        "2026-02-29T03:04:05Z",
        "2100-02-29T03:04:05Z",
        "2026-04-31T03:04:05Z",
        "2026-01-00T03:04:05Z",
        "2026-01-02T24:00:00Z",
        "2026-01-02T03:60:05Z",
        "2026-01-02T03:04:61Z",
        "+026-01-02T03:04:05Z",
        " 2026-01-02T03:04:05Z",
        "2026-01-02T03:04:05Z ",
    };
    int64_t ns = 5;
    for (size_t i = 0; i < array_count(garbage); i++)
        assert_int_equal(clocktext_parse(slice_str(garbage[i]), &ns), -EINVAL);
    assert_int_equal(ns, 5);
}

static void days_run_through_a_whole_era(void **state) {
    (void)state;
    int64_t expected = clocktext_days(1600, 1, 1);
    for (int64_t year = 1600; year <= 2400; year++) {
        for (unsigned month = 1; month <= 12; month++) {
            for (unsigned day = 1; day <= clocktext_month_days(year, month); day++)
                assert_true(clocktext_days(year, month, day) == expected++);
        }
    }
    assert_int_equal(clocktext_days(1970, 1, 1), 0);
    assert_int_equal(clocktext_days(2000, 3, 1), 11017);
}

static void weekdays(void **state) {
    (void)state;
    assert_int_equal(clocktext_weekday(0), 4);
    assert_int_equal(clocktext_weekday(3), 0);
    assert_int_equal(clocktext_weekday(-4), 0);
    assert_int_equal(clocktext_weekday(-5), 6);
    assert_int_equal(clocktext_weekday(clocktext_days(2026, 1, 2)), 5);
}

static void civil_gives_the_parts(void **state) {
    (void)state;
    struct clocktext_civil c = clocktext_civil(1767323045123456789);
    assert_int_equal(c.year, 2026);
    assert_int_equal(c.month, 1);
    assert_int_equal(c.day, 2);
    assert_int_equal(c.hour, 3);
    assert_int_equal(c.minute, 4);
    assert_int_equal(c.second, 5);
    assert_int_equal(c.nanosecond, 123456789);
}

static void random_moments_read_back(void **state) {
    (void)state;
    struct random r = random_make(1);
    for (int i = 0; i < 20000; i++) {
        int64_t ns = (int64_t)random_u64(&r);
        char out[CLOCKTEXT_SIZE];
        size_t len = clocktext_format(ns, out);
        int64_t back = 0;
        assert_true(len < sizeof out);
        assert_int_equal(clocktext_parse(slice_make(out, len), &back), 0);
        assert_true(back == ns);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_are_written_as_go_writes_them),
        cmocka_unit_test(the_ends_of_the_span),
        cmocka_unit_test(offsets_are_taken_off),
        cmocka_unit_test(leap_second_is_the_next_minute),
        cmocka_unit_test(garbage_is_refused),
        cmocka_unit_test(days_run_through_a_whole_era),
        cmocka_unit_test(weekdays),
        cmocka_unit_test(civil_gives_the_parts),
        cmocka_unit_test(random_moments_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
