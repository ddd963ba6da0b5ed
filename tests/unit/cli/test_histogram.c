/* A histogram tells percentiles within 3 %, whatever the values. */
#include "cli_test.h"

#include "cli/histogram.h"

static void an_empty_one_says_zero(void **state) {
    (void)state;
    struct histogram h = {0};
    assert_int_equal(histogram_at(&h, 0.5), 0);
    assert_int_equal(histogram_at(&h, 1), 0);
}

static void small_values_are_exact(void **state) {
    (void)state;
    struct histogram h = {0};
    for (uint64_t i = 1; i <= 20; i++)
        histogram_add(&h, i);
    assert_int_equal(histogram_at(&h, 0.5), 10);
    assert_int_equal(histogram_at(&h, 0.05), 1);
    assert_int_equal(histogram_at(&h, 1), 20);
}

static void large_values_are_within_three_percent(void **state) {
    (void)state;
    for (uint64_t value = 32; value < UINT64_MAX / 3; value = value * 3 + 1) {
        struct histogram h = {0};
        histogram_add(&h, value);
        histogram_add(&h, UINT64_MAX);
        uint64_t told = histogram_at(&h, 0.5);
        assert_true(told >= value);
        assert_true((double)told <= (double)value * 1.032);
        assert_true(histogram_at(&h, 1) == UINT64_MAX);
    }
}

static void the_largest_is_never_overstated(void **state) {
    (void)state;
    struct histogram h = {0};
    histogram_add(&h, 1000001);
    assert_int_equal(histogram_at(&h, 0.99), 1000001);
}

static void parts_are_added_together(void **state) {
    (void)state;
    struct histogram a = {0}, b = {0};
    for (int i = 0; i < 90; i++)
        histogram_add(&a, 5);
    for (int i = 0; i < 10; i++)
        histogram_add(&b, 30);
    histogram_merge(&a, &b);
    assert_int_equal(a.count, 100);
    assert_int_equal(a.max, 30);
    assert_int_equal(histogram_at(&a, 0.9), 5);
    assert_int_equal(histogram_at(&a, 0.91), 30);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_one_says_zero),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(large_values_are_within_three_percent),
        cmocka_unit_test(the_largest_is_never_overstated),
        cmocka_unit_test(parts_are_added_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
