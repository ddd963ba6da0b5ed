#include "base/heap.h"

#include "base/random.h"
#include "base_test.h"

struct thing {
    uint64_t key;
    bool inside;
    struct heap_node node;
};

static bool less(const struct heap_node *a, const struct heap_node *b) {
    return container_of(a, struct thing, node)->key < container_of(b, struct thing, node)->key;
}

static struct thing *thing_of(struct heap_node *n) {
    return n ? container_of(n, struct thing, node) : NULL;
}

static void empty_heap_has_no_least(void **state) {
    (void)state;
    struct heap h = heap_make(less);
    assert_null(heap_first(&h));
    assert_null(heap_pop(&h));
    assert_int_equal(heap_count(&h), 0);
}

static void elements_come_out_in_order(void **state) {
    (void)state;
    enum { COUNT = 1000 };
    static struct thing things[COUNT];
    struct heap h = heap_make(less);
    struct random r = random_make(1);
    for (int i = 0; i < COUNT; i++) {
        things[i].key = random_below(&r, 500); /* with equal ones */
        heap_add(&h, &things[i].node);
    }
    assert_int_equal(heap_count(&h), COUNT);
    uint64_t last = 0;
    for (int i = 0; i < COUNT; i++) {
        struct thing *t = thing_of(heap_pop(&h));
        assert_true(t->key >= last);
        last = t->key;
    }
    assert_null(heap_pop(&h));
}

static void known_element_is_removed_wherever_it_is(void **state) {
    (void)state;
    for (int removed = 0; removed < 10; removed++) {
        struct thing things[10];
        struct heap h = heap_make(less);
        for (int i = 0; i < 10; i++) {
            things[i].key = (uint64_t)((i * 7) % 10);
            heap_add(&h, &things[i].node);
        }
        heap_pop(&h); /* gives the heap some depth */
        heap_add(&h, &things[0].node);
        heap_remove(&h, &things[removed].node);
        uint64_t key = 0;
        for (struct thing *t; (t = thing_of(heap_pop(&h))); key++) {
            key += key == things[removed].key;
            assert_int_equal(t->key, key);
        }
        assert_int_equal(heap_count(&h), 0);
    }
}

static void random_use_agrees_with_a_model(void **state) {
    (void)state;
    enum { COUNT = 64 };
    static struct thing things[COUNT];
    struct heap h = heap_make(less);
    struct random r = random_make(2);
    size_t inside = 0;
    for (int step = 0; step < 20000; step++) {
        struct thing *t = &things[random_below(&r, COUNT)];
        if (t->inside) {
            heap_remove(&h, &t->node);
            t->inside = false;
            inside--;
        } else {
            t->key = random_below(&r, 1000);
            heap_add(&h, &t->node);
            t->inside = true;
            inside++;
        }
        uint64_t least = UINT64_MAX;
        for (int i = 0; i < COUNT; i++) {
            if (things[i].inside && things[i].key < least)
                least = things[i].key;
        }
        assert_int_equal(heap_count(&h), inside);
        assert_int_equal(inside ? thing_of(heap_first(&h))->key : UINT64_MAX, least);
    }
}

static void a_million_sorted_elements_do_not_recurse(void **state) {
    (void)state;
    enum { COUNT = 1000000 };
    struct thing *things = mem_zalloc(COUNT, sizeof *things);
    assert_non_null(things);
    struct heap h = heap_make(less);
    for (uint64_t i = 0; i < COUNT; i++) {
        things[i].key = COUNT - i; /* each new one becomes the root: a chain */
        heap_add(&h, &things[i].node);
    }
    uint64_t expected = 1;
    for (struct thing *t; (t = thing_of(heap_pop(&h))); expected++)
        assert_int_equal(t->key, expected);
    assert_int_equal(expected, COUNT + 1);
    mem_free(things);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_heap_has_no_least),
        cmocka_unit_test(elements_come_out_in_order),
        cmocka_unit_test(known_element_is_removed_wherever_it_is),
        cmocka_unit_test(random_use_agrees_with_a_model),
        cmocka_unit_test(a_million_sorted_elements_do_not_recurse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
