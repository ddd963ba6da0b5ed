/*
 * Windows of time: where the first begins that holds a moment, and how many do.
 */
#include "sql/time/windows.h"

#include "sql/time/datetime.h"

#include "../sql_test.h"

static int64_t at(const char *text) {
    int64_t timestamp = 0;
    struct sql_error error;
    assert_int_equal(sql_timestamp_in(slice_str(text), -1, false, NULL, &timestamp, &error), 0);
    return timestamp;
}

static void windows_are_aligned_to_1970(void **state) {
    static const struct {
        const char *time;
        int64_t size_s, slide_s, offset_s;
        int64_t count;
        const char *first;
    } cases[] = {
        {"2024-01-02 03:04:05", 10, 10, 0, 1, "2024-01-02 03:04:00"},
        {"2024-01-02 03:04:00", 10, 10, 0, 1, "2024-01-02 03:04:00"},
        {"2024-01-02 03:04:09.999999", 10, 10, 0, 1, "2024-01-02 03:04:00"},
        {"2024-01-02 03:04:05", 10, 2, 0, 5, "2024-01-02 03:03:56"},
        {"2024-01-02 03:04:04", 10, 2, 0, 5, "2024-01-02 03:03:56"},
        {"2024-01-02 03:04:05", 10, 3, 0, 3, "2024-01-02 03:03:57"},
        {"2024-01-02 03:04:05", 10, 10, 7, 1, "2024-01-02 03:03:57"},
        {"2024-01-02 03:04:05", 10, 10, -3, 1, "2024-01-02 03:03:57"},
        {"2024-01-02 03:04:05", 604800, 604800, 0, 1, "2023-12-28 00:00:00"}, /* a Thursday */
        {"1969-12-31 23:59:59", 86400, 86400, 0, 1, "1969-12-31 00:00:00"},
        {"1969-12-31 23:59:59", 86400, 43200, 0, 2, "1969-12-31 00:00:00"},
        {"2024-01-02 03:04:05", 5, 60, 0, 0, ""}, /* between two */
        {"2024-01-02 03:04:04", 5, 60, 0, 1, "2024-01-02 03:04:00"},
        {"infinity", 10, 10, 0, 0, ""},
        {"-infinity", 10, 10, 0, 0, ""},
        {"4714-11-24 00:00:00 BC", 10, 5, 0, 0, ""}, /* the earlier one would begin too early */
        {"294276-12-31 23:59:59", 7, 7, 0, 0, ""},
    };
    (void)state;
    for (size_t i = 0; i < array_count(cases); i++) {
        int64_t first = 0;
        int64_t count = sql_windows_of(at(cases[i].time), cases[i].size_s * SQL_US_PER_SECOND,
                                       cases[i].slide_s * SQL_US_PER_SECOND,
                                       cases[i].offset_s * SQL_US_PER_SECOND, &first);
        if (count != cases[i].count || (count > 0 && first != at(cases[i].first)))
            fail_msg("case %zu: %lld windows from %lld", i, (long long)count, (long long)first);
    }
}

static void each_window_that_is_told_holds_the_moment_and_no_other_does(void **state) {
    (void)state;
    for (int64_t time = -50; time < 50; time++)
        for (int64_t size = 1; size < 12; size++)
            for (int64_t slide = 1; slide < 14; slide++)
                for (int64_t offset = -3; offset < 4; offset++) {
                    int64_t first = 0, told, count = 0, earliest = 0;
                    int64_t base = SQL_UNIX_EPOCH_US;
                    told = sql_windows_of(base + time, size, slide, offset, &first);
                    for (int64_t n = 200; n >= -200; n--) {
                        int64_t begin = offset + n * slide;
                        if (begin <= time && time < begin + size) {
                            count++;
                            earliest = begin;
                        }
                    }
                    assert_int_equal(told, count);
                    if (count)
                        assert_int_equal(first - base, earliest);
                }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_are_aligned_to_1970),
        cmocka_unit_test(each_window_that_is_told_holds_the_moment_and_no_other_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
