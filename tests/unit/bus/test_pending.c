#include "bus_kit.h"

#include "base/random.h"
#include "bus/pending.h"

/* The ring of messages in flight against a plain array that does the same. */

#define SEQUENCES 400u

struct model {
    bool there[SEQUENCES], due[SEQUENCES];
    uint32_t deliveries[SEQUENCES];
};

static size_t count_of(const struct model *m) {
    size_t count = 0;
    for (unsigned i = 0; i < SEQUENCES; i++)
        count += m->there[i];
    return count;
}

static void compare(const struct pending *p, const struct model *m) {
    size_t redelivered = 0, due = 0;
    uint64_t from = 0;
    assert_int_equal(p->count, count_of(m));
    for (unsigned i = 1; i < SEQUENCES; i++) {
        const struct pending_entry *entry = pending_find(p, i);
        assert_int_equal(entry != NULL, m->there[i]);
        if (!entry)
            continue;
        assert_int_equal(entry->deliveries, m->deliveries[i]);
        assert_int_equal(entry->due, m->due[i]);
        redelivered += entry->deliveries > 1;
        due += entry->due;
        const struct pending_entry *next = pending_from(p, from);
        assert_ptr_equal(next, entry);
        from = i + 1;
    }
    assert_null(pending_from(p, from));
    assert_int_equal(p->redelivered, redelivered);
    assert_int_equal(p->due_count, due);
}

static void play(uint64_t seed) {
    static struct model m;
    memset(&m, 0, sizeof m);
    struct pending p = {0};
    struct random random = random_make(seed);
    uint64_t last = 0;
    for (unsigned step = 0; step < 4000; step++) {
        unsigned at = 1 + (unsigned)random_below(&random, SEQUENCES - 1);
        struct pending_entry *entry = pending_find(&p, at);
        switch (random_below(&random, 6)) {
        case 0:
            last += 1 + random_below(&random, 3);
            if (last >= SEQUENCES)
                break;
            assert_int_equal(pending_reserve(&p), 0);
            pending_add(&p, &(struct pending_entry){.stream_sequence = last, .deliveries = 1});
            m.there[last] = true;
            m.deliveries[last] = 1;
            m.due[last] = false;
            break;
        case 1:
            if (entry) {
                pending_remove(&p, entry);
                m.there[at] = m.due[at] = false;
            }
            break;
        case 2:
            if (entry) {
                pending_delivered_again(&p, entry, entry->deliveries + 1);
                m.deliveries[at]++;
            }
            break;
        case 3:
            if (entry && !entry->due) {
                assert_int_equal(pending_make_due(&p, entry), 0);
                m.due[at] = true;
            }
            break;
        case 4:
            if (entry) {
                pending_not_due(&p, entry);
                m.due[at] = false;
            }
            break;
        default:
            break;
        }
        if (step % 16 == 0)
            compare(&p, &m);
    }
    compare(&p, &m);
    pending_free(&p);
}

static void test_it_does_what_a_plain_array_does(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 30; seed++)
        play(seed);
}

static void add(struct pending *p, uint64_t sequence) {
    assert_int_equal(pending_reserve(p), 0);
    pending_add(p, &(struct pending_entry){.stream_sequence = sequence, .deliveries = 1});
}

static void test_due_ones_come_in_the_order_they_became_due(void **state) {
    (void)state;
    struct pending p = {0};
    for (unsigned i = 1; i <= 40; i++)
        add(&p, i);
    static const unsigned order[] = {7, 3, 39, 1, 20};
    for (unsigned i = 0; i < array_count(order); i++)
        assert_int_equal(pending_make_due(&p, pending_find(&p, order[i])), 0);
    pending_remove(&p, pending_find(&p, 39));
    for (unsigned i = 0; i < array_count(order); i++) {
        if (order[i] == 39)
            continue;
        struct pending_entry *entry = pending_next_due(&p);
        assert_int_equal(entry->stream_sequence, order[i]);
        pending_not_due(&p, entry);
    }
    assert_null(pending_next_due(&p));
    pending_free(&p);
}

static void test_becoming_due_again_and_again_takes_no_more_room(void **state) {
    (void)state;
    struct pending p = {0};
    for (unsigned i = 1; i <= 10; i++)
        add(&p, i);
    assert_int_equal(pending_make_due(&p, pending_find(&p, 10)), 0); /* stays at the front */
    for (unsigned i = 0; i < 100000; i++) {
        struct pending_entry *entry = pending_find(&p, 1 + i % 9);
        assert_int_equal(pending_make_due(&p, entry), 0);
        pending_not_due(&p, entry);
    }
    assert_true(p.due_room <= 64);
    assert_int_equal(pending_next_due(&p)->stream_sequence, 10);
    pending_free(&p);
}

static void test_a_long_walk_keeps_the_ring_small(void **state) {
    (void)state;
    struct pending p = {0};
    add(&p, 1); /* the first one stays */
    for (uint64_t i = 2; i < 200000; i++) {
        add(&p, i);
        if (i > 100)
            pending_remove(&p, pending_find(&p, i - 50));
    }
    assert_true(p.room <= 1024);
    assert_int_equal(pending_first(&p)->stream_sequence, 1);
    pending_free(&p);
}

static void test_without_memory_it_stays_as_it_was(void **state) {
    (void)state;
    struct pending p = {0};
    unsigned refused = 0;
    for (unsigned i = 1; i < 100; i++) {
        mem_fail_at(1, false);
        int failed = pending_reserve(&p);
        mem_fail_at(0, false);
        refused += failed != 0;
        assert_int_equal(p.count, i - 1);
        add(&p, i);
        mem_fail_at(1, false);
        failed = pending_make_due(&p, pending_find(&p, i));
        mem_fail_at(0, false);
        refused += failed != 0;
        assert_int_equal(pending_find(&p, i)->due, failed == 0);
    }
    assert_true(refused > 4);
    pending_free(&p);
}

static void test_a_parked_one_keeps_its_place_and_is_not_in_flight(void **state) {
    (void)state;
    struct pending p = {0};
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(pending_reserve(&p), 0);
        add(&p, i);
    }
    assert_int_equal(pending_make_due(&p, pending_find(&p, 2)), 0);
    pending_park(&p, pending_find(&p, 2));
    assert_int_equal(p.parked, 1);
    assert_int_equal(p.count, 3);
    assert_int_equal(p.due_count, 0);
    assert_null(pending_next_due(&p));
    pending_remove(&p, pending_find(&p, 1));
    assert_int_equal(pending_first(&p)->stream_sequence, 2);
    pending_unpark(&p, pending_find(&p, 2));
    assert_int_equal(p.parked, 0);
    assert_int_equal(pending_make_due(&p, pending_find(&p, 2)), 0);
    assert_int_equal(pending_next_due(&p)->stream_sequence, 2);
    pending_park(&p, pending_find(&p, 2));
    pending_remove(&p, pending_find(&p, 2));
    assert_int_equal(p.parked, 0);
    assert_int_equal(p.count, 1);
    pending_free(&p);
}

static void test_keys_stay_with_their_entries(void **state) {
    (void)state;
    struct pending p = {.keyed = true};
    for (uint64_t i = 1; i <= 1000; i++) {
        assert_int_equal(pending_reserve(&p), 0);
        struct pending_entry *entry =
            pending_add(&p, &(struct pending_entry){.stream_sequence = i, .deliveries = 1});
        assert_int_equal(pending_key(&p, entry), 0);
        pending_set_key(&p, entry, i * 7);
        if (i % 3 == 0)
            pending_wait(&p, entry);
        if (i > 10 && i % 5)
            pending_remove(&p, pending_find(&p, i - 10)); /* squeezed out, in time */
    }
    size_t waiting = 0;
    for (struct pending_entry *e = pending_first(&p); e; e = pending_after(&p, e)) {
        assert_int_equal(pending_key(&p, e), e->stream_sequence * 7);
        assert_int_equal(e->waits, e->stream_sequence % 3 == 0);
        waiting += e->waits;
    }
    assert_int_equal(p.waiting, waiting);
    assert_int_equal(pending_in_flight(&p), p.count - waiting);
    struct pending_entry *first = pending_first(&p);
    for (; !first->waits; first = pending_first(&p))
        pending_remove(&p, first);
    pending_park(&p, first); /* which waits no more */
    assert_int_equal(p.waiting, waiting - 1);
    pending_unpark(&p, first);
    assert_false(first->waits);
    pending_free(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_does_what_a_plain_array_does),
        cmocka_unit_test(test_due_ones_come_in_the_order_they_became_due),
        cmocka_unit_test(test_becoming_due_again_and_again_takes_no_more_room),
        cmocka_unit_test(test_a_long_walk_keeps_the_ring_small),
        cmocka_unit_test(test_without_memory_it_stays_as_it_was),
        cmocka_unit_test(test_a_parked_one_keeps_its_place_and_is_not_in_flight),
        cmocka_unit_test(test_keys_stay_with_their_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
