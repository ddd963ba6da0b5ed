/*
 * test_buckets.c - token buckets at given moments.
 */
#include "rooms/gateway/buckets.h"

#include "base/mem.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)
#define MS UINT64_C(1000000)
#define START (5 * SECOND)

static const struct hash_key hash_key = {1, 2};
static struct buckets *buckets;

static void open_with(unsigned max) {
    assert_int_equal(buckets_create(hash_key, max, START, &buckets), 0);
}

static int start(void **state) {
    (void)state;
    open_with(1000);
    return 0;
}

static int end(void **state) {
    (void)state;
    buckets = buckets_free(buckets);
    return 0;
}

static struct bucket_ask ask(uint64_t limit, uint64_t who, uint64_t count, uint64_t period_ns,
                             uint64_t burst) {
    return (struct bucket_ask){
        .key = {limit, {who, 0}}, .rate = {count, period_ns}, .burst = burst};
}

/* Takes one; is it let in? */
static bool take(struct bucket_ask one, uint64_t now_ns, struct bucket_state *ret_state) {
    struct bucket_state state;
    int refused = buckets_take(buckets, &one, 1, now_ns, ret_state ? ret_state : &state);
    assert_true(refused == 0 || refused == -EAGAIN);
    return refused == 0;
}

/* How many of TRIES at NOW_NS are let in. */
static unsigned let_in(struct bucket_ask one, unsigned tries, uint64_t now_ns) {
    unsigned count = 0;
    for (unsigned i = 0; i < tries; i++)
        count += take(one, now_ns, NULL);
    return count;
}

static void a_full_bucket_lets_its_burst_in_at_once(void **state) {
    (void)state;
    assert_int_equal(let_in(ask(1, 1, 100, SECOND, 200), 1000, START), 200);
}

static void looking_takes_nothing(void **state) {
    (void)state;
    struct bucket_ask one = ask(1, 1, 1, SECOND, 2);
    assert_int_equal(buckets_look(buckets, &one, START).left, 2);
    assert_int_equal(buckets_stats(buckets).count, 0);
    assert_int_equal(let_in(one, 2, START), 2);
    for (unsigned i = 0; i < 3; i++) {
        struct bucket_state empty = buckets_look(buckets, &one, START);
        assert_true(empty.empty);
        assert_int_equal(empty.left, 0);
    }
    assert_false(buckets_look(buckets, &one, START + SECOND).empty);
    assert_int_equal(let_in(one, 2, START + SECOND), 1);
}

static void tokens_come_back_at_the_rate(void **state) {
    (void)state;
    struct bucket_ask one = ask(1, 1, 100, SECOND, 200);
    assert_int_equal(let_in(one, 1000, START), 200);
    assert_int_equal(let_in(one, 1000, START + 10 * MS - 1), 0);
    assert_int_equal(let_in(one, 1000, START + 10 * MS), 1);
    assert_int_equal(let_in(one, 1000, START + 10 * MS + SECOND), 100);
}

static void an_idle_bucket_holds_no_more_than_its_burst(void **state) {
    (void)state;
    struct bucket_ask one = ask(1, 1, 100, SECOND, 5);
    assert_int_equal(let_in(one, 3, START), 3);
    assert_int_equal(let_in(one, 100, START + 3600 * SECOND), 5);
}

static void a_rate_that_divides_no_second_is_kept_exactly(void **state) {
    (void)state;
    struct bucket_ask one = ask(1, 1, 3, SECOND, 10); /* a token each 333,333,333.3 ns */
    assert_int_equal(let_in(one, 100, START), 10);
    for (uint64_t second = 1; second < 86400; second++)
        assert_int_equal(let_in(one, 4, START + second * SECOND), 3);
    assert_int_equal(let_in(one, 4, START + 86400 * SECOND - 1), 2);
    assert_int_equal(let_in(one, 4, START + 86400 * SECOND), 1);
}

static void what_is_left_and_how_long_the_next_takes_is_told(void **state) {
    (void)state;
    struct bucket_ask one = ask(1, 1, 1, 10 * SECOND, 2);
    struct bucket_state told;
    assert_true(take(one, START, &told));
    assert_int_equal(told.left, 1);
    assert_int_equal(told.wait_ns, 10 * SECOND);
    assert_false(told.empty);
    assert_true(take(one, START + SECOND, &told));
    assert_int_equal(told.left, 0);
    assert_int_equal(told.wait_ns, 9 * SECOND);
    assert_false(take(one, START + 2 * SECOND, &told));
    assert_int_equal(told.left, 0);
    assert_int_equal(told.wait_ns, 8 * SECOND);
    assert_true(told.empty);
}

static void asking_an_empty_bucket_does_not_make_it_emptier(void **state) {
    (void)state;
    struct bucket_ask one = ask(1, 1, 1, SECOND, 1);
    assert_true(take(one, START, NULL));
    assert_int_equal(let_in(one, 1000, START + SECOND - 1), 0);
    assert_true(take(one, START + SECOND, NULL));
}

static void each_limit_and_each_client_has_its_own(void **state) {
    (void)state;
    assert_int_equal(let_in(ask(1, 1, 1, SECOND, 3), 10, START), 3);
    assert_int_equal(let_in(ask(1, 2, 1, SECOND, 3), 10, START), 3);
    assert_int_equal(let_in(ask(2, 1, 1, SECOND, 3), 10, START), 3);
}

static void a_limit_that_refuses_costs_the_others_nothing(void **state) {
    (void)state;
    struct bucket_ask both[2] = {ask(1, 1, 1, SECOND, 10), ask(2, 1, 1, SECOND, 2)};
    struct bucket_state told[2];
    assert_int_equal(buckets_take(buckets, both, 2, START, told), 0);
    assert_int_equal(buckets_take(buckets, both, 2, START, told), 0);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(buckets_take(buckets, both, 2, START, told), -EAGAIN);
        assert_int_equal(told[0].left, 8);
        assert_false(told[0].empty);
        assert_int_equal(told[1].left, 0);
        assert_true(told[1].empty);
    }
    assert_int_equal(let_in(both[0], 100, START), 8);
}

static void full_buckets_are_forgotten(void **state) {
    (void)state;
    for (uint64_t who = 0; who < 100; who++)
        assert_true(take(ask(1, who, 1, SECOND, 10), START, NULL));
    assert_true(take(ask(1, 0, 1, SECOND, 10), START, NULL)); /* the first lacks two */
    assert_int_equal(buckets_stats(buckets).count, 100);
    buckets_sweep(buckets, START + SECOND - MS);
    assert_int_equal(buckets_stats(buckets).count, 100);
    buckets_sweep(buckets, START + SECOND + MS);
    assert_int_equal(buckets_stats(buckets).count, 1);
    buckets_sweep(buckets, START + 2 * SECOND + MS);
    assert_int_equal(buckets_stats(buckets).count, 0);
    assert_int_equal(buckets_stats(buckets).evicted, 0);
}

static void at_the_bound_full_ones_go_first(void **state) {
    (void)state;
    buckets_free(buckets);
    open_with(10);
    assert_true(take(ask(1, 0, 1, 3600 * SECOND, 1), START, NULL)); /* the oldest, empty for long */
    for (uint64_t who = 1; who < 10; who++)
        assert_true(take(ask(2, who, 1, SECOND, 1), START, NULL));
    for (uint64_t who = 100; who < 109; who++)
        assert_true(take(ask(2, who, 1, SECOND, 1), START + 2 * SECOND, NULL));
    assert_int_equal(buckets_stats(buckets).evicted, 0);
    assert_false(take(ask(1, 0, 1, 3600 * SECOND, 1), START + 2 * SECOND, NULL));
}

static void where_none_is_full_the_longest_unused_one_goes(void **state) {
    (void)state;
    buckets_free(buckets);
    open_with(10);
    for (uint64_t who = 0; who < 10; who++)
        assert_true(take(ask(1, who, 1, 3600 * SECOND, 1), START + who, NULL));
    assert_false(
        take(ask(1, 0, 1, 3600 * SECOND, 1), START + 20, NULL)); /* used again: 1 is oldest */
    assert_true(take(ask(1, 50, 1, 3600 * SECOND, 1), START + 30, NULL));
    assert_int_equal(buckets_stats(buckets).count, 10);
    assert_int_equal(buckets_stats(buckets).evicted, 1);
    assert_false(take(ask(1, 0, 1, 3600 * SECOND, 1), START + 40, NULL));
    assert_true(take(ask(1, 1, 1, 3600 * SECOND, 1), START + 40, NULL));
}

/* All but the first are full and overdue when the last of them asks beside a new one: the sweep
   that makes room must not pull the one at hand away. */
static void making_room_spares_the_buckets_at_hand(void **state) {
    (void)state;
    buckets_free(buckets);
    open_with(4);
    struct bucket_state told[4];
    for (uint64_t who = 0; who < 4; who++)
        assert_true(take(ask(1, who, 1, SECOND, 1), START, NULL));
    struct bucket_ask four[4] = {ask(1, 3, 1, SECOND, 1), ask(9, 0, 1, SECOND, 1),
                                 ask(9, 1, 1, SECOND, 1), ask(9, 2, 1, SECOND, 1)};
    assert_int_equal(buckets_take(buckets, four, 4, START + 5 * SECOND, told), 0);
    assert_int_equal(buckets_take(buckets, four, 4, START + 5 * SECOND, told), -EAGAIN);
    struct bucket_ask mixed[4] = {ask(9, 0, 1, SECOND, 1), ask(8, 0, 1, SECOND, 1),
                                  ask(8, 1, 1, SECOND, 1), ask(8, 2, 1, SECOND, 1)};
    assert_int_equal(buckets_take(buckets, mixed, 4, START + 5 * SECOND, told), -EAGAIN);
    assert_true(told[0].empty);
    assert_int_equal(buckets_stats(buckets).count, 4);
}

static void the_largest_numbers_are_counted_right(void **state) {
    (void)state;
    struct bucket_ask one = ask(1, 1, UINT64_MAX, INT64_MAX, 1000000000);
    struct bucket_state told;
    assert_true(take(one, INT64_MAX, &told));
    assert_int_equal(told.left, 999999999);
    one = ask(2, 1, 1, INT64_MAX, 1000000000);
    assert_true(take(one, INT64_MAX, &told));
    assert_int_equal(told.left, 999999999);
    assert_int_equal(told.wait_ns, INT64_MAX);
}

static void without_memory_nothing_is_taken(void **state) {
    (void)state;
    struct bucket_ask both[2] = {ask(1, 1, 1, SECOND, 1), ask(1, 2, 1, SECOND, 1)};
    struct bucket_state told[2];
    for (unsigned long at = 1;; at++) {
        unsigned long before = mem_attempts();
        mem_fail_at(at, false);
        int failed = buckets_take(buckets, both, 2, START, told);
        mem_fail_at(0, false);
        if (mem_attempts() - before < at) {
            assert_int_equal(failed, 0);
            break;
        }
        assert_int_equal(failed, -ENOMEM);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)
        TEST(a_full_bucket_lets_its_burst_in_at_once),
        TEST(looking_takes_nothing),
        TEST(tokens_come_back_at_the_rate),
        TEST(an_idle_bucket_holds_no_more_than_its_burst),
        TEST(a_rate_that_divides_no_second_is_kept_exactly),
        TEST(what_is_left_and_how_long_the_next_takes_is_told),
        TEST(asking_an_empty_bucket_does_not_make_it_emptier),
        TEST(each_limit_and_each_client_has_its_own),
        TEST(a_limit_that_refuses_costs_the_others_nothing),
        TEST(full_buckets_are_forgotten),
        TEST(at_the_bound_full_ones_go_first),
        TEST(where_none_is_full_the_longest_unused_one_goes),
        TEST(making_room_spares_the_buckets_at_hand),
        TEST(the_largest_numbers_are_counted_right),
        TEST(without_memory_nothing_is_taken),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
