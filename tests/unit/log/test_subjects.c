#include "log_kit.h"

#include "log/subjects.h"

/* The table of subjects against a naive one. */

#define NAMES 3000u
#define KEPT 8u

struct naive {
    uint64_t sequences[KEPT];
    unsigned count;
};

static struct naive naive[NAMES];

static slice name_of(unsigned i, char out[64]) {
    int len = snprintf(out, 64, "subject.%u.%.*s", i, (int)(i % 17), "abcdefghijklmnopqrs");
    return slice_make(out, (size_t)len);
}

static uint32_t size_of(uint64_t sequence) {
    return (uint32_t)(sequence * 8 % 5000);
}

static void add(struct subjects *s, unsigned i, uint64_t sequence) {
    char text[64];
    slice name = name_of(i, text);
    assert_int_equal(subjects_reserve(s, 1, name.len), 0);
    subjects_add(s, name, subjects_hash(s, name), sequence, size_of(sequence));
    naive[i].sequences[naive[i].count++] = sequence;
}

static struct subject *find(const struct subjects *s, unsigned i) {
    char text[64];
    slice name = name_of(i, text);
    return subjects_find(s, name, subjects_hash(s, name));
}

static void take(struct subjects *s, unsigned i, unsigned nth) {
    uint64_t sequence = naive[i].sequences[nth];
    naive[i].count--;
    memmove(naive[i].sequences + nth, naive[i].sequences + nth + 1,
            (naive[i].count - nth) * sizeof(uint64_t));
    subjects_remove(s, find(s, i), sequence);
    assert_int_equal(subjects_reserve(s, 0, 0), 0);
}

static void compare(const struct subjects *s) {
    unsigned count = 0;
    for (unsigned i = 0; i < NAMES; i++) {
        const struct subject *e = find(s, i);
        assert_int_equal(e != NULL, naive[i].count > 0);
        if (!e)
            continue;
        count++;
        uint64_t first = naive[i].sequences[0], last = naive[i].sequences[naive[i].count - 1];
        assert_int_equal(subject_messages(e), naive[i].count);
        assert_true(e->first <= first && e->last >= last);
        if (!(e->flags & SUBJECT_FIRST_BOUND))
            assert_int_equal(e->first, first);
        if (!(e->flags & SUBJECT_LAST_BOUND)) {
            assert_int_equal(e->last, last);
            assert_int_equal(e->last_size, size_of(last));
        }
        if (!s->history)
            continue;
        uint64_t oldest;
        uint32_t size;
        assert_int_equal(e->flags, 0);
        subjects_oldest(s, e, &oldest, &size);
        assert_int_equal(oldest, first);
        assert_int_equal(size, size_of(first));
    }
    assert_int_equal(s->count, count);
}

static void run_random(unsigned history, uint64_t seed) {
    memset(naive, 0, sizeof naive);
    struct subjects s;
    subjects_init(&s, (struct hash_key){seed, 5}, history);
    struct random r = random_make(seed);
    uint64_t sequence = 0;
    for (unsigned step = 0; step < 60000; step++) {
        /* Waves: the table fills, empties, fills. */
        bool fill = random_below(&r, 10) < (step / 10000 % 2 ? 3 : 7);
        unsigned i = (unsigned)random_below(&r, NAMES);
        if (fill && naive[i].count < (history ? history : KEPT))
            add(&s, i, ++sequence);
        else if (naive[i].count)
            take(&s, i, (unsigned)random_below(&r, naive[i].count));
        if (step % 7919 == 0)
            compare(&s);
    }
    compare(&s);
    subjects_free(&s);
    assert_int_equal(s.count, 0);
}

static void test_random_adds_and_removes_agree_with_a_naive_table(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++)
        run_random(0, seed);
}

static void test_the_same_with_history(void **state) {
    (void)state;
    run_random(2, 1);
    run_random(5, 2);
    run_random(8, 3);
}

static void test_messages_may_be_counted_in_any_order(void **state) {
    (void)state;
    static const uint64_t order[] = {40, 10, 30, 20, 50};
    for (unsigned history = 0; history <= 5; history += 5) {
        memset(naive, 0, sizeof naive);
        struct subjects s;
        subjects_init(&s, (struct hash_key){1, 2}, history);
        for (unsigned i = 0; i < array_count(order); i++)
            add(&s, 0, order[i]);
        const struct subject *e = find(&s, 0);
        assert_int_equal(e->first, 10);
        assert_int_equal(e->last, 50);
        assert_int_equal(e->last_size, size_of(50));
        if (history) {
            uint64_t oldest;
            uint32_t size;
            subjects_oldest(&s, e, &oldest, &size);
            assert_int_equal(oldest, 10);
            assert_int_equal(size, size_of(10));
        }
        subjects_free(&s);
    }
}

static void test_dead_entries_are_collected(void **state) {
    (void)state;
    memset(naive, 0, sizeof naive);
    struct subjects s;
    subjects_init(&s, (struct hash_key){1, 2}, 0);
    char text[64];
    uint64_t sequence = 0;
    /* A hundred subjects alive at any time, a million in all. */
    for (unsigned i = 0; i < 200000; i++) {
        int len = snprintf(text, sizeof text, "order.%u", i);
        slice name = slice_make(text, (size_t)len);
        assert_int_equal(subjects_reserve(&s, 1, name.len), 0);
        subjects_add(&s, name, subjects_hash(&s, name), ++sequence, 8);
        if (i < 100)
            continue;
        len = snprintf(text, sizeof text, "order.%u", i - 100);
        name = slice_make(text, (size_t)len);
        subjects_remove(&s, subjects_find(&s, name, subjects_hash(&s, name)), sequence - 100);
    }
    assert_int_equal(s.count, 100);
    assert_true(subjects_memory(&s) < 512u << 10);
    subjects_free(&s);
}

static void test_a_table_that_empties_gives_its_slots_back(void **state) {
    (void)state;
    memset(naive, 0, sizeof naive);
    struct subjects s;
    subjects_init(&s, (struct hash_key){1, 2}, 0);
    for (unsigned i = 0; i < NAMES; i++)
        add(&s, i, i + 1);
    unsigned before = s.bits;
    for (unsigned i = 0; i < NAMES - 3; i++)
        take(&s, i, 0);
    compare(&s);
    subjects_free(&s);
    assert_true(before >= 12);
}

static void test_under_a_hundred_bytes_a_subject(void **state) {
    (void)state;
    struct subjects s;
    subjects_init(&s, (struct hash_key){1, 2}, 0);
    char text[32];
    for (unsigned i = 1; i <= 1000000; i++) {
        snprintf(text, sizeof text, "es.order.%011u", i);
        slice name = slice_make(text, 20);
        assert_int_equal(subjects_reserve(&s, 1, name.len), 0);
        subjects_add(&s, name, subjects_hash(&s, name), i, 100);
        if (i > 100000 && i % 50000 == 0)
            assert_true(subjects_memory(&s) < (uint64_t)i * 100);
    }
    subjects_free(&s);
}

static void test_what_is_reserved_can_be_added_without_memory(void **state) {
    (void)state;
    memset(naive, 0, sizeof naive);
    struct subjects s;
    subjects_init(&s, (struct hash_key){1, 2}, 0);
    char text[64];
    uint64_t bytes = 0;
    for (unsigned i = 0; i < NAMES; i++)
        bytes += name_of(i, text).len;
    assert_int_equal(subjects_reserve(&s, NAMES, bytes), 0);
    mem_fail_at(1, true);
    for (unsigned i = 0; i < NAMES; i++) {
        slice name = name_of(i, text);
        subjects_add(&s, name, subjects_hash(&s, name), i + 1, size_of(i + 1));
        naive[i].sequences[naive[i].count++] = i + 1;
    }
    mem_fail_at(0, false);
    compare(&s);
    subjects_free(&s);
}

static void test_clearing_keeps_what_is_reserved(void **state) {
    (void)state;
    memset(naive, 0, sizeof naive);
    struct subjects s;
    subjects_init(&s, (struct hash_key){1, 2}, 0);
    for (unsigned i = 0; i < NAMES; i++)
        add(&s, i, i + 1);
    assert_int_equal(subjects_reserve(&s, 5, 5 * 40), 0);
    mem_fail_at(1, true);
    subjects_clear(&s);
    memset(naive, 0, sizeof naive);
    char text[64];
    for (unsigned i = 0; i < 5; i++) {
        slice name = name_of(i, text);
        subjects_add(&s, name, subjects_hash(&s, name), i + 1, size_of(i + 1));
        naive[i].sequences[naive[i].count++] = i + 1;
    }
    mem_fail_at(0, false);
    compare(&s);
    subjects_free(&s);
}

static void test_no_memory_leaves_the_table_as_it_was(void **state) {
    (void)state;
    memset(naive, 0, sizeof naive);
    struct subjects s;
    subjects_init(&s, (struct hash_key){1, 2}, 3);
    unsigned refused = 0;
    char text[64];
    for (unsigned i = 0; i < NAMES; i++) {
        slice name = name_of(i, text);
        mem_fail_at(1, true);
        int failed = subjects_reserve(&s, 1, name.len);
        mem_fail_at(0, false);
        refused += failed == -ENOMEM;
        if (failed)
            compare(&s);
        add(&s, i, i + 1);
    }
    compare(&s);
    assert_true(refused > 5);
    subjects_free(&s);
}

static int count_each(void *self, struct subject *e) {
    (void)e;
    return ++*(unsigned *)self == 10 ? 77 : 0;
}

static void test_each_stops_where_it_is_told(void **state) {
    (void)state;
    memset(naive, 0, sizeof naive);
    struct subjects s;
    subjects_init(&s, (struct hash_key){1, 2}, 0);
    unsigned seen = 0;
    assert_int_equal(subjects_each(&s, count_each, &seen), 0);
    for (unsigned i = 0; i < 50; i++)
        add(&s, i, i + 1);
    assert_int_equal(subjects_each(&s, count_each, &seen), 77);
    assert_int_equal(seen, 10);
    assert_int_equal(subjects_each(&s, count_each, &seen), 0);
    assert_int_equal(seen, 60);
    subjects_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_adds_and_removes_agree_with_a_naive_table),
        cmocka_unit_test(test_the_same_with_history),
        cmocka_unit_test(test_messages_may_be_counted_in_any_order),
        cmocka_unit_test(test_dead_entries_are_collected),
        cmocka_unit_test(test_a_table_that_empties_gives_its_slots_back),
        cmocka_unit_test(test_under_a_hundred_bytes_a_subject),
        cmocka_unit_test(test_what_is_reserved_can_be_added_without_memory),
        cmocka_unit_test(test_clearing_keeps_what_is_reserved),
        cmocka_unit_test(test_no_memory_leaves_the_table_as_it_was),
        cmocka_unit_test(test_each_stops_where_it_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
