/* cmocka wants these four first */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rooms/gateway/jwks_policy.h"

/* When a set of keys is fetched again. Time is a number here. */

#define SECOND UINT64_C(1000000000)
#define MINUTE (60 * SECOND)
#define START (1000 * SECOND)

static struct jwks_policy policy;

static int set_up(void **state) {
    (void)state;
    jwks_policy_init(&policy, &(struct jwks_policy_options){.burst = 1}, START);
    return 0;
}

/* A fetch that begins at AT and takes a second. */
static void fetch(uint64_t at, slice cache_control) {
    jwks_policy_started(&policy, at);
    jwks_policy_fetched(&policy, at + SECOND, cache_control);
}

static void lose(uint64_t at) {
    jwks_policy_started(&policy, at);
    jwks_policy_failed(&policy, at);
}

static void test_the_first_fetch_is_due_at_once(void **state) {
    (void)state;
    assert_int_equal(jwks_policy_due(&policy), START);
    assert_true(jwks_policy_unknown(&policy, START));
    jwks_policy_started(&policy, START);
    assert_true(jwks_policy_due(&policy) == JWKS_POLICY_NEVER);
}

static void test_a_set_is_fetched_again_when_it_is_old(void **state) {
    (void)state;
    static const struct {
        const char *cache_control;
        uint64_t age_ns;
    } cases[] = {
        {"", 10 * MINUTE},
        {"public", 10 * MINUTE},
        {"max-age=300", 300 * SECOND},
        {"public, max-age=21600, must-revalidate", 21600 * SECOND},
        {"Max-Age = 60", MINUTE},
        {"s-maxage=5, max-age=60", MINUTE},
        {"max-age=abc", 10 * MINUTE},
        {"max-age=\"60\"", 10 * MINUTE},
        {"max-age", 10 * MINUTE},
        {"max-age=-1", 10 * MINUTE},
        {"x=\"max-age=1, y\"", 10 * MINUTE},
        /* Never more often than unknown kids may ask, never less than once a day. */
        {"max-age=0", 10 * SECOND},
        {"no-store", 10 * SECOND},
        {"max-age=600, no-cache", 10 * SECOND},
        {"max-age=31536000", 86400 * SECOND},
        {"max-age=18446744073709551615", 86400 * SECOND},
        {"max-age=18446744073709551616", 10 * MINUTE},
    };
    uint64_t at = START;
    for (unsigned i = 0; i < array_count(cases); i++) {
        fetch(at, slice_str(cases[i].cache_control));
        if (jwks_policy_due(&policy) != at + SECOND + cases[i].age_ns)
            fail_msg("%s", cases[i].cache_control);
        at = jwks_policy_due(&policy);
    }
}

static void test_an_unknown_kid_is_fetched_for_at_once(void **state) {
    (void)state;
    fetch(START, slice_lit(""));
    uint64_t later = START + 5 * MINUTE;
    assert_true(jwks_policy_unknown(&policy, later));
    assert_int_equal(jwks_policy_due(&policy), later);
    jwks_policy_started(&policy, later);
    assert_true(jwks_policy_unknown(&policy, later)); /* waits for the same one */
    assert_true(jwks_policy_due(&policy) == JWKS_POLICY_NEVER);
}

static void test_strangers_cause_one_fetch_in_an_interval(void **state) {
    (void)state;
    unsigned fetches = 0;
    fetch(START, slice_lit(""));
    for (uint64_t at = START + SECOND; at < START + SECOND + 10 * MINUTE; at += SECOND / 10) {
        bool waits = jwks_policy_unknown(&policy, at);
        assert_true(waits == (jwks_policy_due(&policy) <= at));
        if (waits) {
            jwks_policy_started(&policy, at);
            jwks_policy_fetched(&policy, at, slice_lit(""));
            fetches++;
        }
    }
    assert_in_range(fetches, 59, 60);
}

static void test_a_kid_that_comes_too_soon_has_its_fetch_later(void **state) {
    (void)state;
    fetch(START, slice_lit(""));
    assert_false(jwks_policy_unknown(&policy, START + 3 * SECOND));
    assert_int_equal(jwks_policy_due(&policy), START + 10 * SECOND);
    /* Others of that kid do not put it off. */
    assert_false(jwks_policy_unknown(&policy, START + 9 * SECOND));
    assert_int_equal(jwks_policy_due(&policy), START + 10 * SECOND);
    assert_true(jwks_policy_unknown(&policy, START + 10 * SECOND));
}

/* A key that is rotated right after a start, or twice in a row, must not wait. */
static void test_a_few_fetches_may_come_in_a_row(void **state) {
    (void)state;
    jwks_policy_init(&policy, &(struct jwks_policy_options){.burst = 3}, START);
    fetch(START, slice_lit(""));
    assert_true(jwks_policy_unknown(&policy, START + 2 * SECOND));
    fetch(START + 2 * SECOND, slice_lit(""));
    assert_true(jwks_policy_unknown(&policy, START + 4 * SECOND));
    fetch(START + 4 * SECOND, slice_lit(""));
    assert_false(jwks_policy_unknown(&policy, START + 6 * SECOND));
    assert_int_equal(jwks_policy_due(&policy), START + 10 * SECOND);
    fetch(START + 10 * SECOND, slice_lit(""));
    assert_false(jwks_policy_unknown(&policy, START + 12 * SECOND));
    assert_int_equal(jwks_policy_due(&policy), START + 20 * SECOND);
    /* Quiet times bring all of them back, and no more. */
    uint64_t at = START + 5 * MINUTE;
    for (unsigned i = 0; i < 3; i++, at += 2 * SECOND) {
        assert_true(jwks_policy_unknown(&policy, at));
        fetch(at, slice_lit(""));
    }
    assert_false(jwks_policy_unknown(&policy, at));
}

static void test_it_tells_from_when_on_a_kid_may_wait(void **state) {
    (void)state;
    assert_true(jwks_policy_unknown_from(&policy) <= START);
    fetch(START, slice_lit(""));
    assert_int_equal(jwks_policy_unknown_from(&policy), START + 10 * SECOND);
    jwks_policy_started(&policy, START + 20 * SECOND);
    assert_int_equal(jwks_policy_unknown_from(&policy), 0);
    jwks_policy_failed(&policy, START + 20 * SECOND);
    assert_int_equal(jwks_policy_unknown_from(&policy), START + 21 * SECOND);
    jwks_policy_init(&policy, &(struct jwks_policy_options){.burst = 3}, START);
    fetch(START, slice_lit(""));
    assert_true(jwks_policy_unknown_from(&policy) <= START);
}

static void test_failures_are_waited_out_longer_and_longer(void **state) {
    (void)state;
    static const unsigned delays[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
    uint64_t at = START;
    for (unsigned i = 0; i < array_count(delays); i++) {
        lose(at);
        assert_int_equal(jwks_policy_due(&policy), at + delays[i] * SECOND);
        assert_false(jwks_policy_unknown(&policy, at + SECOND / 2));
        assert_int_equal(jwks_policy_due(&policy), at + delays[i] * SECOND);
        at = jwks_policy_due(&policy);
        assert_true(jwks_policy_unknown(&policy, at)); /* it is due anyway */
    }
    fetch(at, slice_lit(""));
    lose(at + 10 * MINUTE);
    assert_int_equal(jwks_policy_due(&policy), at + 10 * MINUTE + SECOND);
}

static void test_times_may_be_configured(void **state) {
    (void)state;
    static const struct jwks_policy_options options = {
        .min_interval_ns = 2 * SECOND,
        .burst = 1,
        .max_age_ns = 30 * SECOND,
        .age_limit_ns = 40 * SECOND,
        .backoff_min_ns = 3 * SECOND,
        .backoff_max_ns = 5 * SECOND,
    };
    jwks_policy_init(&policy, &options, START);
    fetch(START, slice_lit(""));
    assert_int_equal(jwks_policy_due(&policy), START + 31 * SECOND);
    assert_false(jwks_policy_unknown(&policy, START + SECOND));
    assert_int_equal(jwks_policy_due(&policy), START + 2 * SECOND);
    fetch(START + 2 * SECOND, slice_lit("max-age=50"));
    assert_int_equal(jwks_policy_due(&policy), START + 43 * SECOND);
    lose(START + 43 * SECOND);
    assert_int_equal(jwks_policy_due(&policy), START + 46 * SECOND);
    lose(START + 46 * SECOND);
    assert_int_equal(jwks_policy_due(&policy), START + 51 * SECOND);
}

static void test_the_end_of_time_is_no_fetch_now(void **state) {
    (void)state;
    static const struct jwks_policy_options options = {.burst = 1,
                                                       .min_interval_ns = UINT64_MAX,
                                                       .max_age_ns = UINT64_MAX,
                                                       .age_limit_ns = UINT64_MAX,
                                                       .backoff_min_ns = UINT64_MAX,
                                                       .backoff_max_ns = UINT64_MAX};
    jwks_policy_init(&policy, &options, START);
    fetch(START, slice_lit(""));
    assert_true(jwks_policy_due(&policy) >= UINT64_MAX - 1);
    assert_false(jwks_policy_unknown(&policy, START + MINUTE));
    lose(START + MINUTE);
    lose(START + MINUTE);
    assert_true(jwks_policy_due(&policy) >= UINT64_MAX - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_the_first_fetch_is_due_at_once, set_up),
        cmocka_unit_test_setup(test_a_set_is_fetched_again_when_it_is_old, set_up),
        cmocka_unit_test_setup(test_an_unknown_kid_is_fetched_for_at_once, set_up),
        cmocka_unit_test_setup(test_strangers_cause_one_fetch_in_an_interval, set_up),
        cmocka_unit_test_setup(test_a_kid_that_comes_too_soon_has_its_fetch_later, set_up),
        cmocka_unit_test_setup(test_a_few_fetches_may_come_in_a_row, set_up),
        cmocka_unit_test_setup(test_it_tells_from_when_on_a_kid_may_wait, set_up),
        cmocka_unit_test_setup(test_failures_are_waited_out_longer_and_longer, set_up),
        cmocka_unit_test_setup(test_times_may_be_configured, set_up),
        cmocka_unit_test_setup(test_the_end_of_time_is_no_fetch_now, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
