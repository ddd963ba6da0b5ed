#include "bus_kit.h"

/* Queue groups over 1, 2 and 4 shards: every message to exactly one member, the choice spread over
   all members wherever they are, none lost while members come and go. */

static const unsigned shard_counts[] = {1, 2, 4};

static void settle(struct house *house) {
    house_run(house, 20 * SIM_MILLISECOND);
}

static void test_each_message_goes_to_one_member_and_all_members_get_some(void **state) {
    (void)state;
    for (unsigned n = 0; n < array_count(shard_counts); n++) {
        struct house *house = house_open(1, shard_counts[n]);
        struct catcher members[8], other, plain;
        for (unsigned i = 0; i < 8; i++)
            catcher_open(&members[i], house->bus[i % house->shards], i < 4 ? "w" : "*", "workers");
        catcher_open(&other, house_last(house), "w", "others");
        catcher_open(&plain, house_last(house), "w", NULL);
        settle(house);
        for (unsigned i = 0; i < 1600; i++)
            assert_int_equal(say(house->bus[i % house->shards], "w", "x") > 0, true);
        settle(house);
        unsigned total = 0;
        for (unsigned i = 0; i < 8; i++) {
            total += members[i].count;
            assert_true(members[i].count > 120 && members[i].count < 290);
        }
        assert_int_equal(total, 1600);
        assert_int_equal(other.count, 1600);
        assert_int_equal(plain.count, 1600);
        for (unsigned i = 0; i < 8; i++)
            catcher_close(&members[i]);
        catcher_close(&other);
        catcher_close(&plain);
        house_close(house);
    }
}

static void test_the_choice_is_weighted_by_members_not_by_shards(void **state) {
    (void)state;
    struct house *house = house_open(2, 2);
    struct catcher members[5];
    catcher_open(&members[0], house->bus[0], "w", "q");
    for (unsigned i = 1; i < 5; i++)
        catcher_open(&members[i], house->bus[1], "w", "q");
    settle(house);
    for (unsigned i = 0; i < 1000; i++)
        say(house->bus[0], "w", "x");
    settle(house);
    assert_true(members[0].count > 140 && members[0].count < 260);
    for (unsigned i = 0; i < 5; i++)
        catcher_close(&members[i]);
    house_close(house);
}

static void test_a_message_whose_member_has_just_gone_is_passed_on(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 30; seed++) {
        struct house *house = house_open(seed, 4);
        struct catcher members[4];
        for (unsigned i = 0; i < 4; i++)
            catcher_open(&members[i], house->bus[i], "w", "q");
        settle(house);
        for (unsigned i = 0; i < 40; i++)
            say(house->bus[0], "w", "x");
        /* Those on their way to shard 2 find nobody there and go on to another one. */
        unsigned gone = members[2].count;
        catcher_close(&members[2]);
        settle(house);
        assert_int_equal(members[0].count + members[1].count + members[3].count + gone, 40);
        for (unsigned i = 0; i < 4; i++)
            if (i != 2)
                catcher_close(&members[i]);
        house_close(house);
    }
}

static void test_a_group_without_members_is_nobody(void **state) {
    (void)state;
    for (unsigned n = 0; n < array_count(shard_counts); n++) {
        struct house *house = house_open(3, shard_counts[n]);
        struct catcher c;
        catcher_open(&c, house_last(house), "w", "q");
        settle(house);
        assert_int_equal(say(house->bus[0], "w", ""), 1);
        assert_true(bus_has_interest(house->bus[0], slice_lit("w")));
        settle(house);
        catcher_close(&c);
        settle(house);
        assert_int_equal(say(house->bus[0], "w", ""), 0);
        assert_false(bus_has_interest(house->bus[0], slice_lit("w")));
        house_close(house);
    }
}

static void on_ignored(void *owner, struct bus_subscription *s, const struct bus_message *m) {
    (void)s;
    (void)m;
    ++*(unsigned *)owner;
}

static void test_a_member_that_will_not_hear_its_own_leaves_it_to_another(void **state) {
    (void)state;
    static const struct bus_receiver counter = {on_ignored};
    struct house *house = house_open(4, 2);
    struct bus_subscription *mine;
    struct catcher there;
    unsigned heard = 0;
    int me;
    assert_int_equal(
        bus_subscribe(house->bus[0], slice_lit("w"), slice_lit("q"), &counter, &heard, &me, &mine),
        0);
    catcher_open(&there, house->bus[1], "w", "q");
    settle(house);
    struct bus_message m = {.subject = slice_lit("w")};
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(bus_publish(house->bus[0], &m, &me, NULL), 1);
    settle(house);
    assert_int_equal(heard, 0);
    assert_int_equal(there.count, 100);
    mine = bus_unsubscribe(house->bus[0], mine);
    catcher_close(&there);
    house_close(house);
}

struct picky {
    unsigned heard, declined;
    bool willing;
};

static void on_picky(void *owner, struct bus_subscription *s, const struct bus_message *m) {
    struct picky *picky = owner;
    (void)m;
    if (picky->willing) {
        picky->heard++;
    } else {
        picky->declined++;
        bus_decline(s);
    }
}

static void test_a_member_that_declines_leaves_it_to_another_wherever_it_is(void **state) {
    (void)state;
    static const struct bus_receiver receiver = {on_picky};
    for (unsigned n = 0; n < array_count(shard_counts); n++) {
        struct house *house = house_open(5, shard_counts[n]);
        struct picky members[6] = {{.willing = false}};
        struct bus_subscription *subscriptions[6];
        for (unsigned i = 0; i < 6; i++)
            assert_int_equal(bus_subscribe(house->bus[i % house->shards], slice_lit("w"),
                                           slice_lit("q"), &receiver, &members[i], NULL,
                                           &subscriptions[i]),
                             0);
        members[5].willing = true;
        settle(house);
        for (unsigned i = 0; i < 300; i++)
            assert_true(say(house->bus[5 % house->shards], "w", "x") > 0);
        settle(house);
        assert_int_equal(members[5].heard, 300);
        unsigned declined = 0;
        for (unsigned i = 0; i < 5; i++)
            declined += members[i].declined;
        assert_true(declined > 0);
        for (unsigned i = 0; i < 6; i++)
            bus_unsubscribe(house->bus[i % house->shards], subscriptions[i]);
        house_close(house);
    }
}

static void test_nobody_but_decliners_is_nobody(void **state) {
    (void)state;
    static const struct bus_receiver receiver = {on_picky};
    struct house *house = house_open(6, 1);
    struct picky plain = {.willing = false}, member = {.willing = false};
    struct bus_subscription *a, *b;
    assert_int_equal(
        bus_subscribe(house->bus[0], slice_lit("w"), (slice){0}, &receiver, &plain, NULL, &a), 0);
    assert_int_equal(
        bus_subscribe(house->bus[0], slice_lit("w"), slice_lit("q"), &receiver, &member, NULL, &b),
        0);
    assert_int_equal(say(house->bus[0], "w", "x"), 0);
    assert_int_equal(plain.declined + member.declined, 2);
    assert_int_equal(bus_stats(house->bus[0]).delivered, 0);
    bus_unsubscribe(house->bus[0], a);
    bus_unsubscribe(house->bus[0], b);
    house_close(house);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_message_goes_to_one_member_and_all_members_get_some),
        cmocka_unit_test(test_the_choice_is_weighted_by_members_not_by_shards),
        cmocka_unit_test(test_a_message_whose_member_has_just_gone_is_passed_on),
        cmocka_unit_test(test_a_group_without_members_is_nobody),
        cmocka_unit_test(test_a_member_that_will_not_hear_its_own_leaves_it_to_another),
        cmocka_unit_test(test_a_member_that_declines_leaves_it_to_another_wherever_it_is),
        cmocka_unit_test(test_nobody_but_decliners_is_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
