/*
 * Row state: what went in is found, in order where there is one, and all of it is given back.
 */
#include "../sql_test.h"
#include "base/mem.h"
#include "sql/exec/state.h"

#include <errno.h>

#define KEYS 3000u
#define STEPS 60000u

struct entry {
    struct sql_node node;
    char key[8];
};

static uint64_t next(uint64_t *x) {
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

static void key_of(uint32_t number, char key[8]) {
    for (unsigned i = 0; i < 8; i++)
        key[i] = (char)((uint64_t)number >> (56 - 8 * i));
}

static void keys_are_found_by_hash(void **state) {
    (void)state;
    static struct entry entries[KEYS];
    static bool in[KEYS];
    struct sql_budget budget = {.max = 1 << 24};
    struct sql_index index;
    uint64_t chance = 88172645463325252u;
    sql_index_make(&index, &budget, offsetof(struct entry, key));
    for (unsigned i = 0; i < STEPS; i++) {
        uint32_t n = (uint32_t)(next(&chance) >> 20) % KEYS;
        struct entry *e = &entries[n];
        e->node.key_len = 8;
        key_of(n, e->key);
        /* Few hashes, so that runs of them collide and wrap around the end. */
        uint64_t hash = sql_hash_bytes(1, slice_make(e->key, 8)) % 512 * 0x10001u;
        assert_ptr_equal(sql_index_find(&index, hash, slice_make(e->key, 8)), in[n] ? e : NULL);
        if (in[n])
            sql_index_remove(&index, hash, e);
        else
            assert_int_equal(sql_index_add(&index, hash, e), 0);
        in[n] = !in[n];
    }
    sql_index_free(&index);
    assert_int_equal(budget.used, 0);
}

static void keys_stand_in_order_and_weights_add_up(void **state) {
    (void)state;
    static struct entry entries[KEYS];
    static int64_t weights[KEYS];
    struct sql_order order = {.key_at = offsetof(struct entry, key)};
    struct sql_tree tree = {NULL};
    uint64_t chance = 88172645463325252u;
    for (unsigned i = 0; i < STEPS; i++) {
        uint32_t n = (uint32_t)(next(&chance) >> 20) % KEYS;
        struct entry *e = &entries[n];
        e->node.key_len = 8;
        key_of(n, e->key);
        struct sql_node *found = sql_tree_find(&tree, &order, slice_make(e->key, 8));
        assert_ptr_equal(found, weights[n] ? &e->node : NULL);
        if (!found) {
            e->node.weight = weights[n] = 1 + (int64_t)(next(&chance) % 3);
            sql_tree_add(&tree, &order, &e->node);
        } else if (next(&chance) % 2) {
            sql_tree_weigh(found, 5);
            weights[n] += 5;
        } else {
            sql_tree_remove(&tree, found);
            weights[n] = 0;
        }
    }
    int64_t before = 0;
    struct sql_node *at = sql_tree_first(&tree), *last = NULL;
    for (uint32_t n = 0; n < KEYS; n++) {
        char key[8];
        key_of(n, key);
        assert_ptr_equal(sql_tree_at_least(&tree, &order, slice_make(key, 8)), at);
        if (weights[n] == 0)
            continue;
        assert_ptr_equal(at, &entries[n].node);
        assert_ptr_equal(sql_node_prev(at), last);
        assert_int_equal(sql_node_before(at), before);
        before += weights[n];
        last = at;
        at = sql_node_next(at);
    }
    assert_null(at);
    assert_ptr_equal(sql_tree_last(&tree), last);
    assert_int_equal(tree.root->total, before);
}

static void memory_is_used_again_and_bounded(void **state) {
    (void)state;
    struct sql_budget budget = {.max = 10000};
    struct sql_slab slab;
    sql_slab_make(&slab, &budget);
    void *small = sql_slab_take(&slab, 20);
    assert_non_null(small);
    assert_int_equal(budget.used, 32);
    sql_slab_give(&slab, small, 20);
    assert_ptr_equal(sql_slab_take(&slab, 25), small);
    void *large = sql_slab_take(&slab, 5000);
    assert_non_null(large);
    assert_int_equal(budget.rows, 2);
    assert_null(sql_slab_take(&slab, 5000)); /* would pass the bound */
    sql_slab_give(&slab, large, 5000);
    assert_non_null(sql_slab_take(&slab, 6000));
    while (sql_slab_take(&slab, 100))
        ;
    assert_true(budget.used <= budget.max);
    sql_slab_free(&slab); /* what was not given back goes, too */
}

static void no_memory_is_an_answer(void **state) {
    (void)state;
    struct sql_budget budget = {.max = 1 << 20};
    struct sql_slab slab;
    struct sql_index index;
    struct entry e = {.node.key_len = 8};
    sql_slab_make(&slab, &budget);
    sql_index_make(&index, &budget, offsetof(struct entry, key));
    mem_fail_at(1, true);
    assert_null(sql_slab_take(&slab, 16));
    assert_null(sql_slab_take(&slab, 16000));
    assert_int_equal(sql_index_add(&index, 1, &e), -ENOMEM);
    mem_fail_at(0, false);
    assert_int_equal(budget.used, 0);
    sql_slab_free(&slab);
    sql_index_free(&index);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_found_by_hash),
        cmocka_unit_test(keys_stand_in_order_and_weights_add_up),
        cmocka_unit_test(memory_is_used_again_and_bounded),
        cmocka_unit_test(no_memory_is_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
