#include "bus_kit.h"

#include "base/random.h"
#include "wire/nats_subject.h"

/* Publishing and subscribing over 1, 2 and 4 shards: who gets what, in which order, and when what
   was asked for holds. */

static const unsigned shard_counts[] = {1, 2, 4};

static void settle(struct house *house) {
    house_run(house, 20 * SIM_MILLISECOND);
}

static void test_a_message_reaches_every_subscription_that_matches_once(void **state) {
    (void)state;
    for (unsigned n = 0; n < array_count(shard_counts); n++) {
        struct house *house = house_open(1, shard_counts[n]);
        unsigned last = house->shards - 1;
        struct catcher literal, star, rest, other, again;
        catcher_open(&literal, house->bus[last], "a.b", NULL);
        catcher_open(&again, house->bus[last], "a.b", NULL);
        catcher_open(&star, house->bus[0], "a.*", NULL);
        catcher_open(&rest, house->bus[last / 2], ">", NULL);
        catcher_open(&other, house->bus[0], "a.c", NULL);
        settle(house);
        struct bus_message m = {.subject = slice_lit("a.b"),
                                .reply = slice_lit("r"),
                                .headers = slice_lit("NATS/1.0\r\nA: b\r\n\r\n"),
                                .payload = slice_lit("p")};
        assert_true(bus_publish(house->bus[0], &m, NULL, NULL) > 0);
        settle(house);
        struct catcher *all[] = {&literal, &again, &star, &rest};
        for (unsigned i = 0; i < array_count(all); i++) {
            assert_int_equal(all[i]->count, 1);
            assert_slice(catcher_at(all[i], 0)->subject, "a.b");
            assert_slice(catcher_at(all[i], 0)->reply, "r");
            assert_slice(catcher_at(all[i], 0)->headers, "NATS/1.0\r\nA: b\r\n\r\n");
            assert_slice(catcher_at(all[i], 0)->payload, "p");
            assert_int_equal(catcher_at(all[i], 0)->route.len, 0);
        }
        assert_int_equal(other.count, 0);
        catcher_close(&literal);
        catcher_close(&again);
        catcher_close(&star);
        catcher_close(&rest);
        catcher_close(&other);
        house_close(house);
    }
}

static void test_nobody_interested_is_known_at_once(void **state) {
    (void)state;
    for (unsigned n = 0; n < array_count(shard_counts); n++) {
        struct house *house = house_open(2, shard_counts[n]);
        struct bus *first = house->bus[0], *last = house_last(house);
        struct catcher c;
        assert_int_equal(say(first, "a", ""), 0);
        assert_false(bus_has_interest(first, slice_lit("a")));
        catcher_open(&c, last, "a", NULL);
        settle(house);
        assert_int_equal(say(first, "a", ""), 1);
        assert_true(bus_has_interest(first, slice_lit("a")));
        settle(house);
        catcher_close(&c);
        settle(house);
        assert_int_equal(say(first, "a", ""), 0);
        assert_false(bus_has_interest(first, slice_lit("a")));
        house_close(house);
    }
}

static void test_one_publishers_order_holds_at_every_subscription(void **state) {
    (void)state;
    for (unsigned n = 0; n < array_count(shard_counts); n++) {
        struct house *house = house_open(3, shard_counts[n]);
        struct catcher all, some;
        catcher_open(&all, house_last(house), "o.>", NULL);
        catcher_open(&some, house->bus[0], "o.b", NULL);
        settle(house);
        for (unsigned i = 0; i < 500; i++) {
            char number[16];
            snprintf(number, sizeof number, "%u", i);
            say(house->bus[0], i % 3 ? "o.a" : "o.b", number);
            if (i % 50 == 0)
                house_run(house, SIM_MILLISECOND);
        }
        settle(house);
        assert_int_equal(all.count, 500);
        for (unsigned i = 0; i < 500; i++) {
            char number[16];
            snprintf(number, sizeof number, "%u", i);
            assert_slice(catcher_at(&all, i)->payload, number);
        }
        assert_int_equal(some.count, 167);
        catcher_close(&all);
        catcher_close(&some);
        house_close(house);
    }
}

static void test_a_message_sent_by_a_route_keeps_its_subject(void **state) {
    (void)state;
    for (unsigned n = 0; n < array_count(shard_counts); n++) {
        struct house *house = house_open(4, shard_counts[n]);
        struct catcher inbox, subject;
        catcher_open(&inbox, house_last(house), "_INBOX.*", NULL);
        catcher_open(&subject, house_last(house), "a.b", NULL);
        settle(house);
        struct bus_message m = {.subject = slice_lit("a.b"), .payload = slice_lit("p")};
        assert_int_equal(bus_publish_to(house->bus[0], slice_lit("_INBOX.x"), &m, NULL), 1);
        assert_int_equal(bus_publish_to(house->bus[0], slice_lit("_OTHER.x"), &m, NULL), 0);
        settle(house);
        assert_int_equal(subject.count, 0);
        assert_int_equal(inbox.count, 1);
        assert_slice(catcher_at(&inbox, 0)->subject, "a.b");
        assert_slice(catcher_at(&inbox, 0)->route, "_INBOX.x");
        /* Sent on as it came, it goes by its own subject. */
        assert_int_equal(bus_publish(house->bus[0], catcher_at(&inbox, 0), NULL, NULL), 1);
        settle(house);
        assert_int_equal(subject.count, 1);
        assert_int_equal(catcher_at(&subject, 0)->route.len, 0);
        assert_int_equal(inbox.count, 1);
        catcher_close(&inbox);
        catcher_close(&subject);
        house_close(house);
    }
}

static void on_ignored(void *owner, struct bus_subscription *s, const struct bus_message *m) {
    (void)s;
    (void)m;
    ++*(unsigned *)owner;
}

static const struct bus_receiver counter = {on_ignored};

static void test_a_publisher_does_not_hear_its_own_origin(void **state) {
    (void)state;
    struct house *house = house_open(5, 1);
    unsigned mine = 0, others = 0, grouped = 0;
    int me;
    struct bus_subscription *s[3];
    assert_int_equal(
        bus_subscribe(house->bus[0], slice_lit("a"), (slice){0}, &counter, &mine, &me, &s[0]), 0);
    assert_int_equal(
        bus_subscribe(house->bus[0], slice_lit("a"), (slice){0}, &counter, &others, NULL, &s[1]),
        0);
    assert_int_equal(bus_subscribe(house->bus[0], slice_lit("a"), slice_lit("q"), &counter,
                                   &grouped, &me, &s[2]),
                     0);
    struct bus_message m = {.subject = slice_lit("a")};
    assert_int_equal(bus_publish(house->bus[0], &m, &me, NULL), 1);
    assert_int_equal(mine, 0);
    assert_int_equal(others, 1);
    assert_int_equal(grouped, 0);
    assert_int_equal(bus_publish(house->bus[0], &m, NULL, NULL), 3);
    for (unsigned i = 0; i < 3; i++)
        s[i] = bus_unsubscribe(house->bus[0], s[i]);
    house_close(house);
}

static void test_bad_subjects_cannot_be_subscribed_to(void **state) {
    (void)state;
    struct house *house = house_open(6, 1);
    static const char *const bad[] = {"", ".", "a.", ".a", "a..b", "a b", "a.>.b", "\t"};
    struct bus_subscription *s;
    for (unsigned i = 0; i < array_count(bad); i++)
        assert_int_equal(
            bus_subscribe(house->bus[0], slice_str(bad[i]), (slice){0}, &counter, NULL, NULL, &s),
            -EINVAL);
    char *large = mem_zalloc(1, BUS_SUBJECT_MAX + 2);
    memset(large, 'a', BUS_SUBJECT_MAX + 1);
    assert_int_equal(
        bus_subscribe(house->bus[0], slice_str(large), (slice){0}, &counter, NULL, NULL, &s),
        -EINVAL);
    large[BUS_SUBJECT_MAX] = 0;
    unsigned count = 0;
    assert_int_equal(
        bus_subscribe(house->bus[0], slice_str(large), (slice){0}, &counter, &count, NULL, &s), 0);
    assert_int_equal(say(house->bus[0], large, ""), 1);
    s = bus_unsubscribe(house->bus[0], s);
    mem_free(large);
    house_close(house);
}

/* --- changes from inside a delivery --------------------------------------------------------------
 */

struct actor {
    struct bus *bus;
    struct bus_subscription *own, *victim, *child;
    unsigned heard, child_heard;
};

static void act(void *owner, struct bus_subscription *s, const struct bus_message *m) {
    (void)s;
    (void)m;
    struct actor *actor = owner;
    actor->heard++;
    if (actor->heard > 1)
        return;
    actor->victim = bus_unsubscribe(actor->bus, actor->victim);
    assert_int_equal(bus_subscribe(actor->bus, slice_lit("a"), (slice){0}, &counter,
                                   &actor->child_heard, NULL, &actor->child),
                     0);
    say(actor->bus, "b", "nested");
    actor->own = bus_unsubscribe(actor->bus, actor->own);
}

static void test_subscriptions_may_come_and_go_during_a_publish(void **state) {
    (void)state;
    static const struct bus_receiver receiver = {act};
    struct house *house = house_open(7, 2);
    struct actor actor = {.bus = house->bus[0]};
    unsigned victim = 0, nested = 0;
    struct bus_subscription *b;
    assert_int_equal(
        bus_subscribe(actor.bus, slice_lit("a"), (slice){0}, &receiver, &actor, NULL, &actor.own),
        0);
    assert_int_equal(bus_subscribe(actor.bus, slice_lit("a"), (slice){0}, &counter, &victim, NULL,
                                   &actor.victim),
                     0);
    assert_int_equal(
        bus_subscribe(actor.bus, slice_lit("b"), (slice){0}, &counter, &nested, NULL, &b), 0);
    say(actor.bus, "a", "");
    assert_int_equal(actor.heard, 1);
    assert_int_equal(victim, 0); /* ended before its turn */
    assert_int_equal(actor.child_heard, 0);
    assert_int_equal(nested, 1);
    say(actor.bus, "a", "");
    assert_int_equal(actor.heard, 1);
    assert_int_equal(actor.child_heard, 1);
    actor.child = bus_unsubscribe(actor.bus, actor.child);
    b = bus_unsubscribe(actor.bus, b);
    assert_int_equal(bus_stats(actor.bus).subscriptions, 0);
    settle(house);
    assert_false(bus_has_interest(house->bus[1], slice_lit("a")));
    house_close(house);
}

/* --- fences -------------------------------------------------------------------------------------
 */

struct fence {
    struct house *house;
    struct bus *other;
    unsigned done;
    bool seen; /* the other shard's interest when the fence was done */
};

static void on_fence(void *self, uint64_t id) {
    struct fence *fence = self;
    assert_int_equal(id, 77);
    fence->done++;
    fence->seen = bus_has_interest(fence->other, slice_lit("f"));
}

static void test_a_fence_ends_when_every_shard_knows(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        for (unsigned n = 0; n < array_count(shard_counts); n++) {
            struct house *house = house_open(seed, shard_counts[n]);
            struct catcher c;
            for (unsigned other = 0; other < house->shards; other++) {
                struct fence fence = {.house = house, .other = house->bus[other]};
                catcher_open(&c, house->bus[0], "f", NULL);
                assert_int_equal(bus_fence(house->bus[0], on_fence, &fence, 77), 0);
                if (house->shards > 1)
                    assert_int_equal(fence.done, 0);
                house_until(house, &fence.done);
                assert_true(fence.seen);
                assert_int_equal(bus_fence(house->bus[0], on_fence, &fence, 77), 0);
                assert_int_equal(fence.done, 2); /* nothing new: at once */
                catcher_close(&c);
                fence.done = 0;
                assert_int_equal(bus_fence(house->bus[0], on_fence, &fence, 77), 0);
                house_until(house, &fence.done);
                assert_false(fence.seen);
            }
            house_close(house);
        }
    }
}

static void test_fences_end_in_the_order_they_were_asked_for(void **state) {
    (void)state;
    struct house *house = house_open(8, 4);
    struct catcher c[10];
    struct fence fences[10];
    for (unsigned i = 0; i < 10; i++) {
        char subject[16];
        snprintf(subject, sizeof subject, "f%u", i);
        catcher_open(&c[i], house->bus[1], subject, NULL);
        fences[i] = (struct fence){.house = house, .other = house->bus[2]};
        assert_int_equal(bus_fence(house->bus[1], on_fence, &fences[i], 77), 0);
    }
    for (unsigned i = 0; i < 10; i++) {
        house_until(house, &fences[9 - i].done);
        for (unsigned before = 0; before < 9 - i; before++)
            assert_int_equal(fences[before].done, 1);
    }
    for (unsigned i = 0; i < 10; i++)
        catcher_close(&c[i]);
    house_close(house);
}

static void test_fences_taken_back_are_not_called(void **state) {
    (void)state;
    struct house *house = house_open(9, 3);
    struct catcher c;
    struct fence gone = {.house = house, .other = house->bus[1]}, stays = gone;
    catcher_open(&c, house->bus[0], "f", NULL);
    assert_int_equal(bus_fence(house->bus[0], on_fence, &gone, 77), 0);
    assert_int_equal(bus_fence(house->bus[0], on_fence, &stays, 77), 0);
    assert_int_equal(bus_fence(house->bus[0], on_fence, &gone, 77), 0);
    bus_fence_cancel(house->bus[0], &gone);
    house_until(house, &stays.done);
    settle(house);
    assert_int_equal(gone.done, 0);
    assert_int_equal(stays.done, 1);
    catcher_close(&c);
    house_close(house);
}

/* --- without memory ------------------------------------------------------------------------------
 */

/* Whatever fails, in the end all shards agree again. */
static void test_interest_lost_for_lack_of_memory_is_told_again(void **state) {
    (void)state;
    for (unsigned long nth = 1; nth < 60; nth++) {
        struct house *house = house_open(nth, 2);
        struct bus_subscription *s[12] = {0};
        unsigned heard = 0, fenced = 0;
        char subject[16];
        mem_fail_at(nth, false);
        for (unsigned i = 0; i < array_count(s); i++) {
            snprintf(subject, sizeof subject, "t.%u", i);
            if (bus_subscribe(house->bus[1], slice_str(subject), slice_str(i % 3 ? NULL : "q"),
                              &counter, &heard, NULL, &s[i]))
                s[i] = NULL;
        }
        struct fence fence = {.house = house, .other = house->bus[0]};
        fenced = bus_fence(house->bus[1], on_fence, &fence, 77) == 0;
        house_run(house, 100 * SIM_MILLISECOND);
        mem_fail_at(0, false);
        assert_int_equal(fence.done, fenced);
        for (unsigned i = 0; i < array_count(s); i++) {
            snprintf(subject, sizeof subject, "t.%u", i);
            assert_int_equal(bus_has_interest(house->bus[0], slice_str(subject)), s[i] != NULL);
            assert_int_equal(say(house->bus[0], subject, ""), s[i] != NULL);
        }
        house_run(house, 20 * SIM_MILLISECOND);
        for (unsigned i = 0; i < array_count(s); i++) {
            heard -= s[i] != NULL;
            s[i] = bus_unsubscribe(house->bus[1], s[i]);
        }
        assert_int_equal(heard, 0);
        house_run(house, 20 * SIM_MILLISECOND);
        for (unsigned i = 0; i < array_count(s); i++) {
            snprintf(subject, sizeof subject, "t.%u", i);
            assert_false(bus_has_interest(house->bus[0], slice_str(subject)));
        }
        house_close(house);
    }
}

/* --- push-back ----------------------------------------------------------------------------------
 */

struct waiting {
    struct bus_waiter waiter;
    unsigned woken;
};

static void on_bus_room(struct bus_waiter *waiter) {
    container_of(waiter, struct waiting, waiter)->woken++;
}

static void test_a_full_channel_asks_publishers_to_wait(void **state) {
    (void)state;
    struct house *house = house_open(9, 2);
    struct catcher c;
    catcher_open(&c, house->bus[1], "big", NULL);
    settle(house);
    size_t size = 1u << 20;
    char *payload = mem_zalloc(1, size);
    struct bus_message m = {.subject = slice_lit("big"), .payload = slice_make(payload, size)};
    struct waiting waiting = {0}, cancelled = {0};
    waiting.waiter.on_room = cancelled.waiter.on_room = on_bus_room;
    unsigned sent = 0;
    for (; !bus_full(house->bus[0]) && sent < 1000; sent++)
        assert_int_equal(bus_publish(house->bus[0], &m, NULL, NULL), 1);
    assert_true(sent >= IO_CHANNEL_HIGH_BYTES / size && sent < 20);
    assert_true(bus_channels_full(house->bus[0]));
    bus_wait(house->bus[0], &waiting.waiter);
    bus_wait(house->bus[0], &cancelled.waiter);
    bus_wait_cancel(&cancelled.waiter);
    assert_int_equal(bus_publish(house->bus[0], &m, NULL, NULL), 1); /* a turn begun goes on */
    house_until(house, &waiting.woken);
    assert_false(bus_full(house->bus[0]));
    catcher_wait(house, &c, sent + 1);
    assert_int_equal(waiting.woken, 1);
    assert_int_equal(cancelled.woken, 0);
    mem_free(payload);
    catcher_close(&c);
    house_close(house);
}

static void test_the_streams_word_that_they_are_full_reaches_every_shard(void **state) {
    (void)state;
    struct house *house = house_open(10, 4);
    struct waiting waiting = {.waiter.on_room = on_bus_room};
    bus_set_stream_full(house_last(house), true);
    settle(house);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(bus_full(house->bus[i]));
        assert_false(bus_channels_full(house->bus[i]));
    }
    bus_wait(house->bus[0], &waiting.waiter);
    bus_set_stream_full(house_last(house), false);
    house_until(house, &waiting.woken);
    settle(house);
    for (unsigned i = 0; i < 4; i++)
        assert_false(bus_full(house->bus[i]));
    house_close(house);
}

/* --- everything at once -------------------------------------------------------------------------
 */

#define CATCHERS 24u

struct throng {
    struct house *house;
    struct random random;
    struct catcher catchers[CATCHERS];
    const char *patterns[CATCHERS];
    unsigned expected[CATCHERS];
};

static void fence_all(struct throng *t) {
    house_run(t->house, 50 * SIM_MILLISECOND);
}

static void toggle(struct throng *t) {
    static const char *const patterns[] = {"a", "a.b", "a.*", "*", ">", "a.>", "b.c", "*.c"};
    unsigned at = (unsigned)random_below(&t->random, CATCHERS);
    struct catcher *c = &t->catchers[at];
    if (c->subscription) {
        assert_int_equal(c->count, t->expected[at]);
        catcher_close(c);
        return;
    }
    t->patterns[at] = patterns[random_below(&t->random, array_count(patterns))];
    t->expected[at] = 0;
    catcher_open(c, t->house->bus[random_below(&t->random, t->house->shards)], t->patterns[at],
                 NULL);
}

static void publish_random(struct throng *t) {
    static const char *const subjects[] = {"a", "a.b", "a.c", "b", "b.c", "a.b.c", "c.c"};
    const char *subject = subjects[random_below(&t->random, array_count(subjects))];
    bool anybody = false;
    for (unsigned i = 0; i < CATCHERS; i++)
        if (t->catchers[i].subscription &&
            nats_subject_match(slice_str(subject), slice_str(t->patterns[i]))) {
            t->expected[i]++;
            anybody = true;
        }
    unsigned receivers =
        say(t->house->bus[random_below(&t->random, t->house->shards)], subject, "x");
    assert_int_equal(receivers > 0, anybody);
}

static void test_a_throng_on_all_shards_gets_exactly_its_messages(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 12; seed++) {
        struct throng t = {.house = house_open(seed, shard_counts[seed % 3]),
                           .random = random_make(seed)};
        for (unsigned round = 0; round < 60; round++) {
            for (unsigned i = 0; i < 4; i++)
                toggle(&t);
            fence_all(&t);
            for (unsigned i = 0; i < 20; i++)
                publish_random(&t);
            fence_all(&t);
        }
        for (unsigned i = 0; i < CATCHERS; i++)
            if (t.catchers[i].subscription) {
                assert_int_equal(t.catchers[i].count, t.expected[i]);
                catcher_close(&t.catchers[i]);
            }
        house_close(t.house);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_message_reaches_every_subscription_that_matches_once),
        cmocka_unit_test(test_nobody_interested_is_known_at_once),
        cmocka_unit_test(test_one_publishers_order_holds_at_every_subscription),
        cmocka_unit_test(test_a_message_sent_by_a_route_keeps_its_subject),
        cmocka_unit_test(test_a_publisher_does_not_hear_its_own_origin),
        cmocka_unit_test(test_bad_subjects_cannot_be_subscribed_to),
        cmocka_unit_test(test_subscriptions_may_come_and_go_during_a_publish),
        cmocka_unit_test(test_a_fence_ends_when_every_shard_knows),
        cmocka_unit_test(test_fences_end_in_the_order_they_were_asked_for),
        cmocka_unit_test(test_fences_taken_back_are_not_called),
        cmocka_unit_test(test_interest_lost_for_lack_of_memory_is_told_again),
        cmocka_unit_test(test_a_full_channel_asks_publishers_to_wait),
        cmocka_unit_test(test_the_streams_word_that_they_are_full_reaches_every_shard),
        cmocka_unit_test(test_a_throng_on_all_shards_gets_exactly_its_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
