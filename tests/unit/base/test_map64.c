#include "base/map64.h"

#include "base/random.h"
#include "base_test.h"

static int values[1000];

static void added_ids_are_found(void **state) {
    (void)state;
    _cleanup_map64_ struct map64 m = map64_make(1, 100);
    assert_null(map64_find(&m, 0));
    assert_int_equal(map64_add(&m, 0, &values[0]), 0);
    assert_int_equal(map64_add(&m, UINT64_MAX, &values[1]), 0);
    assert_ptr_equal(map64_find(&m, 0), &values[0]);
    assert_ptr_equal(map64_find(&m, UINT64_MAX), &values[1]);
    assert_null(map64_find(&m, 1));
    assert_int_equal(map64_add(&m, 0, &values[2]), -EEXIST);
    assert_ptr_equal(map64_find(&m, 0), &values[0]);
    assert_int_equal(map64_count(&m), 2);
}

static void set_replaces(void **state) {
    (void)state;
    _cleanup_map64_ struct map64 m = map64_make(1, 1);
    void *old = &values[0];
    assert_int_equal(map64_set(&m, 7, &values[1], &old), 0);
    assert_null(old);
    assert_int_equal(map64_set(&m, 7, &values[2], &old), 0);
    assert_ptr_equal(old, &values[1]);
    assert_ptr_equal(map64_find(&m, 7), &values[2]);
    assert_int_equal(map64_set(&m, 8, &values[1], NULL), -ENOBUFS);
}

static void entries_are_bounded(void **state) {
    (void)state;
    _cleanup_map64_ struct map64 m = map64_make(1, 1);
    assert_int_equal(map64_add(&m, 1, &values[1]), 0);
    assert_int_equal(map64_add(&m, 2, &values[2]), -ENOBUFS);
    assert_ptr_equal(map64_remove(&m, 1), &values[1]);
    assert_int_equal(map64_add(&m, 2, &values[2]), 0);
}

static void any_entry_may_be_removed_during_iteration(void **state) {
    (void)state;
    _cleanup_map64_ struct map64 m = map64_make(9, 1000);
    for (uint64_t id = 0; id < 500; id++)
        assert_int_equal(map64_add(&m, id, &values[id]), 0);
    bool seen[500] = {false};
    const struct map64_entry *entry;
    for (size_t at = 0; (entry = map64_next(&m, &at));) {
        uint64_t id = entry->id;
        assert_false(seen[id]);
        seen[id] = true;
        assert_ptr_equal(map64_remove(&m, id), &values[id]);
    }
    for (size_t i = 0; i < 500; i++)
        assert_true(seen[i]);
    assert_int_equal(map64_count(&m), 0);
}

static void removing_all_empties_the_slots(void **state) {
    (void)state;
    _cleanup_map64_ struct map64 m = map64_make(3, 1000);
    for (uint64_t id = 0; id < 300; id++)
        assert_int_equal(map64_add(&m, id, &values[id]), 0);
    for (uint64_t id = 0; id < 300; id++)
        assert_ptr_equal(map64_remove(&m, id), &values[id]);
    assert_null(map64_remove(&m, 5));
    size_t size = m.size;
    for (uint64_t id = 0; id < 100000; id++) {
        assert_int_equal(map64_add(&m, id, &values[0]), 0);
        assert_ptr_equal(map64_remove(&m, id), &values[0]);
    }
    assert_true(m.size <= size);
    map64_clear(&m);
    assert_int_equal(m.taken, 0);
}

static void random_use_agrees_with_a_model(void **state) {
    (void)state;
    enum { IDS = 300 };
    void *model[IDS] = {0};
    size_t live = 0;
    struct random r = random_make(7);
    _cleanup_map64_ struct map64 m = map64_make(5, 1000);
    for (int step = 0; step < 100000; step++) {
        uint64_t id = random_below(&r, IDS);
        assert_ptr_equal(map64_find(&m, id), model[id]);
        if (random_below(&r, 2)) {
            assert_int_equal(map64_add(&m, id, &values[id]), model[id] ? -EEXIST : 0);
            live += model[id] ? 0 : 1;
            model[id] = &values[id];
        } else {
            assert_ptr_equal(map64_remove(&m, id), model[id]);
            live -= model[id] ? 1 : 0;
            model[id] = NULL;
        }
        assert_int_equal(map64_count(&m), live);
        assert_true(m.taken >= live);
    }
    assert_true(m.size <= 1024);
}

static bool fill_map(void) {
    _cleanup_map64_ struct map64 m = map64_make(1, 1000);
    for (uint64_t id = 0; id < 100; id++) {
        int rc = map64_set(&m, id, &values[id], NULL);
        if (rc < 0) {
            assert_int_equal(rc, -ENOMEM);
            assert_int_equal(map64_count(&m), id);
            assert_null(map64_find(&m, id));
            for (uint64_t other = 0; other < id; other++)
                assert_ptr_equal(map64_find(&m, other), &values[other]);
            return false;
        }
    }
    return true;
}

static void each_failed_allocation_leaves_the_map_as_it_was(void **state) {
    (void)state;
    assert_true(fail_each_allocation(fill_map) >= 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(added_ids_are_found),
        cmocka_unit_test(set_replaces),
        cmocka_unit_test(entries_are_bounded),
        cmocka_unit_test(any_entry_may_be_removed_during_iteration),
        cmocka_unit_test(removing_all_empties_the_slots),
        cmocka_unit_test(random_use_agrees_with_a_model),
        cmocka_unit_test(each_failed_allocation_leaves_the_map_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
