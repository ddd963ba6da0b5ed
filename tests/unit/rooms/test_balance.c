/* Which service is asked: shares, who is left out, how few keys move. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "rooms/gateway/balance.h"

#define MEMBERS 4u

struct crowd {
    struct balance_load loads[BALANCE_MEMBERS_MAX];
    struct balance_member members[BALANCE_MEMBERS_MAX];
    struct balance balance;
    struct random random;
    unsigned picked[BALANCE_MEMBERS_MAX];
};

static void crowd_make(struct crowd *crowd, enum balance_kind kind, const unsigned *weights,
                       unsigned count) {
    *crowd = (struct crowd){.random = random_make(7)};
    crowd->balance = (struct balance){kind, count, crowd->members};
    for (unsigned i = 0; i < count; i++) {
        char name[32];
        int len = snprintf(name, sizeof name, "http://10.0.0.%u:80", i);
        crowd->members[i] =
            (struct balance_member){.load = &crowd->loads[i],
                                    .seed = balance_seed(slice_make(name, (size_t)len)),
                                    .weight = weights[i]};
    }
}

static int pick(struct crowd *crowd, uint64_t key, uint64_t tried) {
    return balance_pick(&crowd->balance, &crowd->random, key, tried);
}

static void pick_many(struct crowd *crowd, unsigned times) {
    memset(crowd->picked, 0, sizeof crowd->picked);
    for (unsigned i = 0; i < times; i++)
        crowd->picked[pick(crowd, balance_key(slice_make(&i, sizeof i)), 0)]++;
}

static void assert_near(unsigned got, unsigned wanted, unsigned off) {
    assert_in_range(got, wanted - off, wanted + off);
}

/* --- shares ------------------------------------------------------------------------------------
 */

static void idle_services_share_by_weight_in_every_way(void **state) {
    (void)state;
    static const unsigned weights[] = {6, 3, 1, 0};
    for (unsigned kind = BALANCE_LEAST_REQUESTS; kind <= BALANCE_HASH; kind++) {
        struct crowd crowd;
        crowd_make(&crowd, (enum balance_kind)kind, weights, MEMBERS);
        pick_many(&crowd, 20000);
        assert_near(crowd.picked[0], 12000, 400);
        assert_near(crowd.picked[1], 6000, 400);
        assert_near(crowd.picked[2], 2000, 400);
        assert_int_equal(crowd.picked[3], 0);
    }
}

static void round_robin_is_smooth(void **state) {
    (void)state;
    static const unsigned weights[] = {2, 1, 1};
    static const int order[] = {0, 1, 2, 0, 0, 1, 2, 0};
    struct crowd crowd;
    crowd_make(&crowd, BALANCE_ROUND_ROBIN, weights, 3);
    for (size_t i = 0; i < array_count(order); i++)
        assert_int_equal(pick(&crowd, 0, 0), order[i]);
}

static void a_busy_service_gets_less(void **state) {
    (void)state;
    static const unsigned weights[] = {1, 1, 1, 1};
    struct crowd crowd;
    crowd_make(&crowd, BALANCE_LEAST_REQUESTS, weights, MEMBERS);
    crowd.loads[2].under_way = 10;
    pick_many(&crowd, 12000);
    assert_int_equal(crowd.picked[2], 0); /* of any two the other one is less busy */
    assert_near(crowd.picked[0], 4000, 300);
}

static void under_load_requests_are_spread_by_weight(void **state) {
    (void)state;
    static const unsigned weights[] = {9, 1};
    struct crowd crowd;
    crowd_make(&crowd, BALANCE_LEAST_REQUESTS, weights, 2);
    for (unsigned i = 0; i < 1000; i++)
        crowd.loads[pick(&crowd, 0, 0)].under_way++;
    assert_near(crowd.loads[1].under_way, 100, 10);
}

/* --- hash --------------------------------------------------------------------------------------
 */

static void a_key_stays_where_it_is(void **state) {
    (void)state;
    static const unsigned weights[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    struct crowd crowd;
    unsigned moved = 0, gone = 0;
    crowd_make(&crowd, BALANCE_HASH, weights, 10);
    for (unsigned i = 0; i < 10000; i++) {
        uint64_t key = balance_key(slice_make(&i, sizeof i));
        crowd.loads[3].ejected = false;
        int before = pick(&crowd, key, 0);
        assert_int_equal(pick(&crowd, key, 0), before);
        crowd.loads[3].ejected = true;
        int after = pick(&crowd, key, 0);
        assert_int_not_equal(after, 3);
        gone += before == 3;
        moved += before != 3 && after != before;
    }
    assert_near(gone, 1000, 150);
    assert_int_equal(moved, 0);
}

static void a_key_goes_to_the_same_service_everywhere(void **state) {
    (void)state;
    static const unsigned weights[] = {1, 1, 1, 1};
    struct crowd crowd;
    crowd_make(&crowd, BALANCE_HASH, weights, MEMBERS);
    /* A change of these moves every user's session at an upgrade. */
    assert_int_equal(pick(&crowd, balance_key(slice_lit("ann")), 0), 3);
    assert_int_equal(pick(&crowd, balance_key(slice_lit("bob")), 0), 0);
    assert_int_equal(pick(&crowd, balance_key(slice_lit("cat")), 0), 0);
}

/* --- who is left out ---------------------------------------------------------------------------
 */

static void another_attempt_goes_to_another_service(void **state) {
    (void)state;
    static const unsigned weights[] = {1, 1, 1, 1};
    for (unsigned kind = BALANCE_LEAST_REQUESTS; kind <= BALANCE_HASH; kind++) {
        struct crowd crowd;
        uint64_t tried = 0;
        crowd_make(&crowd, (enum balance_kind)kind, weights, MEMBERS);
        for (unsigned i = 0; i < MEMBERS; i++) {
            int index = pick(&crowd, 1, tried);
            assert_false(tried >> index & 1);
            tried |= UINT64_C(1) << index;
        }
        assert_in_range(pick(&crowd, 1, tried), 0, MEMBERS - 1); /* all tried: any */
    }
}

static void what_is_out_is_left_out(void **state) {
    (void)state;
    static const unsigned weights[] = {1, 1, 1, 0};
    struct crowd crowd;
    crowd_make(&crowd, BALANCE_ROUND_ROBIN, weights, MEMBERS);
    crowd.loads[0].unwell = true;
    crowd.loads[1].ejected = true;
    pick_many(&crowd, 100);
    assert_int_equal(crowd.picked[2], 100);
    assert_int_equal(pick(&crowd, 0, 1 << 2), 2); /* tried, and still better than one that is out */
}

static void where_all_are_ejected_all_are_asked_but_no_unwell_one(void **state) {
    (void)state;
    static const unsigned weights[] = {1, 1, 1, 0};
    struct crowd crowd;
    crowd_make(&crowd, BALANCE_ROUND_ROBIN, weights, MEMBERS);
    crowd.loads[0].unwell = crowd.loads[0].ejected = true;
    crowd.loads[1].ejected = crowd.loads[2].ejected = true;
    pick_many(&crowd, 100);
    assert_int_equal(crowd.picked[1], 50);
    assert_int_equal(crowd.picked[2], 50);
    crowd.loads[1].unwell = crowd.loads[2].unwell = true;
    assert_int_equal(pick(&crowd, 0, 0), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idle_services_share_by_weight_in_every_way),
        cmocka_unit_test(round_robin_is_smooth),
        cmocka_unit_test(a_busy_service_gets_less),
        cmocka_unit_test(under_load_requests_are_spread_by_weight),
        cmocka_unit_test(a_key_stays_where_it_is),
        cmocka_unit_test(a_key_goes_to_the_same_service_everywhere),
        cmocka_unit_test(another_attempt_goes_to_another_service),
        cmocka_unit_test(what_is_out_is_left_out),
        cmocka_unit_test(where_all_are_ejected_all_are_asked_but_no_unwell_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
