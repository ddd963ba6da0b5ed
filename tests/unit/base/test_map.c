#include "base/map.h"

#include "base/random.h"
#include "base_test.h"

#include <stdio.h>

static const struct hash_key test_key = {1, 2};

static void added_keys_are_found(void **state) {
    (void)state;
    _cleanup_map_ struct map m = map_make(test_key, 100);
    int one = 1, two = 2;
    assert_null(map_find(&m, slice_lit("a")));
    assert_int_equal(map_add(&m, slice_lit("a"), &one), 0);
    assert_int_equal(map_add(&m, slice_lit(""), &two), 0);
    assert_ptr_equal(map_find(&m, slice_lit("a")), &one);
    assert_ptr_equal(map_find(&m, slice_make(NULL, 0)), &two);
    assert_ptr_equal(map_find_hashed(&m, slice_lit("a"), hash_slice(&m.key, slice_lit("a"))), &one);
    assert_null(map_find(&m, slice_lit("b")));
    assert_int_equal(map_count(&m), 2);
}

static void add_refuses_what_is_there(void **state) {
    (void)state;
    _cleanup_map_ struct map m = map_make(test_key, 100);
    int one = 1, two = 2;
    assert_int_equal(map_add(&m, slice_lit("a"), &one), 0);
    assert_int_equal(map_add(&m, slice_lit("a"), &two), -EEXIST);
    assert_ptr_equal(map_find(&m, slice_lit("a")), &one);
    assert_int_equal(map_count(&m), 1);
}

static void set_replaces_key_and_value(void **state) {
    (void)state;
    _cleanup_map_ struct map m = map_make(test_key, 1);
    int one = 1, two = 2;
    char old_key[] = "a";
    void *old = &two;
    assert_int_equal(map_set(&m, slice_str(old_key), &one, &old), 0);
    assert_null(old);
    assert_int_equal(map_set(&m, slice_lit("a"), &two, &old), 0);
    assert_ptr_equal(old, &one);
    old_key[0] = 'z'; /* the map must not look at it any more */
    assert_ptr_equal(map_find(&m, slice_lit("a")), &two);
    assert_int_equal(map_set(&m, slice_lit("b"), &one, NULL), -ENOBUFS);
}

static void removed_keys_are_gone(void **state) {
    (void)state;
    _cleanup_map_ struct map m = map_make(test_key, 100);
    int one = 1, two = 2;
    assert_null(map_remove(&m, slice_lit("a")));
    assert_int_equal(map_add(&m, slice_lit("a"), &one), 0);
    assert_int_equal(map_add(&m, slice_lit("b"), &two), 0);
    assert_ptr_equal(map_remove(&m, slice_lit("a")), &one);
    assert_null(map_find(&m, slice_lit("a")));
    assert_null(map_remove(&m, slice_lit("a")));
    assert_ptr_equal(map_find(&m, slice_lit("b")), &two);
    assert_int_equal(map_count(&m), 1);
}

static void entries_are_bounded(void **state) {
    (void)state;
    _cleanup_map_ struct map m = map_make(test_key, 2);
    int v;
    assert_int_equal(map_add(&m, slice_lit("a"), &v), 0);
    assert_int_equal(map_add(&m, slice_lit("b"), &v), 0);
    assert_int_equal(map_add(&m, slice_lit("c"), &v), -ENOBUFS);
    assert_int_equal(map_add(&m, slice_lit("b"), &v), -EEXIST);
    map_remove(&m, slice_lit("a"));
    assert_int_equal(map_add(&m, slice_lit("c"), &v), 0);
}

static void iteration_is_in_insertion_order_whatever_the_hash(void **state) {
    (void)state;
    static char names[200][8];
    for (uint64_t key = 0; key < 3; key++) {
        _cleanup_map_ struct map m = map_make((struct hash_key){key, 7}, 1000);
        for (int i = 0; i < 200; i++) {
            snprintf(names[i], sizeof names[i], "n%d", i);
            assert_int_equal(map_add(&m, slice_str(names[i]), names[i]), 0);
        }
        map_remove(&m, slice_lit("n100"));
        const struct map_entry *entry;
        int expected = 0;
        for (size_t at = 0; (entry = map_next(&m, &at));) {
            assert_ptr_equal(entry->value, names[expected]);
            expected += expected == 99 ? 2 : 1;
        }
        assert_int_equal(expected, 200);
    }
}

static void any_entry_may_be_removed_during_iteration(void **state) {
    (void)state;
    static char names[100][8];
    _cleanup_map_ struct map m = map_make(test_key, 1000);
    for (int i = 0; i < 100; i++) {
        snprintf(names[i], sizeof names[i], "n%d", i);
        assert_int_equal(map_add(&m, slice_str(names[i]), names[i]), 0);
    }
    const struct map_entry *entry;
    int seen = 0;
    for (size_t at = 0; (entry = map_next(&m, &at)); seen++) {
        char *current = entry->value;
        assert_ptr_equal(map_remove(&m, entry->key), current);
        if (current == names[50]) /* and one that is still to come: it is not seen */
            assert_ptr_equal(map_remove(&m, slice_lit("n99")), names[99]);
    }
    assert_int_equal(seen, 99);
    assert_int_equal(map_count(&m), 0);
}

static void clear_forgets_all_and_keeps_memory(void **state) {
    (void)state;
    _cleanup_map_ struct map m = map_make(test_key, 100);
    int v;
    map_clear(&m);
    assert_int_equal(map_add(&m, slice_lit("a"), &v), 0);
    map_clear(&m);
    assert_int_equal(map_count(&m), 0);
    assert_null(map_find(&m, slice_lit("a")));
    unsigned long before = mem_attempts();
    assert_int_equal(map_add(&m, slice_lit("a"), &v), 0);
    assert_int_equal(mem_attempts(), before);
}

/* Against a plain array: many adds and removes of a few hundred keys. */
static void random_use_agrees_with_a_model(void **state) {
    (void)state;
    enum { KEYS = 300 };
    static char names[KEYS][8];
    void *model[KEYS] = {0};
    size_t live = 0;
    struct random r = random_make(42);
    _cleanup_map_ struct map m = map_make(test_key, 1000);
    for (int i = 0; i < KEYS; i++)
        snprintf(names[i], sizeof names[i], "k%d", i);
    for (int step = 0; step < 50000; step++) {
        size_t i = (size_t)random_below(&r, KEYS);
        slice key = slice_str(names[i]);
        assert_ptr_equal(map_find(&m, key), model[i]);
        if (random_below(&r, 2)) {
            assert_int_equal(map_add(&m, key, names[i]), model[i] ? -EEXIST : 0);
            live += model[i] ? 0 : 1;
            model[i] = names[i];
        } else {
            assert_ptr_equal(map_remove(&m, key), model[i]);
            live -= model[i] ? 1 : 0;
            model[i] = NULL;
        }
        assert_int_equal(map_count(&m), live);
    }
    assert_true(m.index_size <= 1024);
}

static void churn_does_not_grow_the_map(void **state) {
    (void)state;
    static char names[100000][8];
    _cleanup_map_ struct map m = map_make(test_key, 1000);
    for (int i = 0; i < 100000; i++) {
        snprintf(names[i], sizeof names[i], "%d", i);
        assert_int_equal(map_add(&m, slice_str(names[i]), names[i]), 0);
        if (i >= 10)
            assert_ptr_equal(map_remove(&m, slice_str(names[i - 10])), names[i - 10]);
    }
    assert_int_equal(map_count(&m), 10);
    assert_true(m.index_size <= 64);
}

static bool fill_map(void) {
    static char names[50][8];
    _cleanup_map_ struct map m = map_make(test_key, 1000);
    for (int i = 0; i < 50; i++) {
        snprintf(names[i], sizeof names[i], "n%d", i);
        int rc = map_set(&m, slice_str(names[i]), names[i], NULL);
        if (rc < 0) {
            assert_int_equal(rc, -ENOMEM);
            assert_int_equal(map_count(&m), i);
            assert_null(map_find(&m, slice_str(names[i])));
            for (int j = 0; j < i; j++)
                assert_ptr_equal(map_find(&m, slice_str(names[j])), names[j]);
            return false;
        }
    }
    return true;
}

static void each_failed_allocation_leaves_the_map_as_it_was(void **state) {
    (void)state;
    assert_true(fail_each_allocation(fill_map) >= 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(added_keys_are_found),
        cmocka_unit_test(add_refuses_what_is_there),
        cmocka_unit_test(set_replaces_key_and_value),
        cmocka_unit_test(removed_keys_are_gone),
        cmocka_unit_test(entries_are_bounded),
        cmocka_unit_test(iteration_is_in_insertion_order_whatever_the_hash),
        cmocka_unit_test(any_entry_may_be_removed_during_iteration),
        cmocka_unit_test(clear_forgets_all_and_keeps_memory),
        cmocka_unit_test(random_use_agrees_with_a_model),
        cmocka_unit_test(churn_does_not_grow_the_map),
        cmocka_unit_test(each_failed_allocation_leaves_the_map_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
