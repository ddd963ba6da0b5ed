#include "base/list.h"

#include "base_test.h"

struct thing {
    int number;
    struct list_node node;
};

static struct thing *thing_of(struct list_node *n) {
    return n ? container_of(n, struct thing, node) : NULL;
}

static void assert_numbers(const struct list *l, const int *numbers, size_t count) {
    const struct list_node *n = list_first(l);
    for (size_t i = 0; i < count; i++, n = list_next(l, n)) {
        assert_non_null(n);
        assert_int_equal(container_of(n, struct thing, node)->number, numbers[i]);
    }
    assert_null(n);
}

static void pushed_nodes_stand_in_order(void **state) {
    (void)state;
    struct list l;
    struct thing a = {.number = 1}, b = {.number = 2}, c = {.number = 3};
    list_init(&l);
    assert_true(list_empty(&l));
    assert_null(list_first(&l));
    assert_null(list_last(&l));
    list_push_back(&l, &b.node);
    list_push_back(&l, &c.node);
    list_push_front(&l, &a.node);
    assert_numbers(&l, (int[]){1, 2, 3}, 3);
    assert_ptr_equal(thing_of(list_last(&l)), &c);
    assert_ptr_equal(list_prev(&l, &c.node), &b.node);
    assert_null(list_prev(&l, &a.node));
}

static void removed_node_is_in_no_list(void **state) {
    (void)state;
    struct list l;
    struct thing a = {.number = 1}, b = {.number = 2};
    list_init(&l);
    list_node_init(&b.node);
    list_remove(&b.node); /* harmless */
    list_push_back(&l, &a.node);
    list_push_back(&l, &b.node);
    assert_true(list_linked(&b.node));
    list_remove(&b.node);
    assert_false(list_linked(&b.node));
    list_remove(&b.node);
    assert_numbers(&l, (int[]){1}, 1);
}

static void pop_takes_from_the_front(void **state) {
    (void)state;
    struct list l;
    struct thing a = {.number = 1}, b = {.number = 2};
    list_init(&l);
    list_push_back(&l, &a.node);
    list_push_back(&l, &b.node);
    assert_ptr_equal(thing_of(list_pop_front(&l)), &a);
    assert_ptr_equal(thing_of(list_pop_front(&l)), &b);
    assert_null(list_pop_front(&l));
}

static void splice_moves_all_in_order(void **state) {
    (void)state;
    struct list to, from;
    struct thing t[4] = {{.number = 1}, {.number = 2}, {.number = 3}, {.number = 4}};
    list_init(&to);
    list_init(&from);
    list_splice(&to, &from);
    assert_true(list_empty(&to));
    list_push_back(&from, &t[0].node);
    list_push_back(&from, &t[1].node);
    list_splice(&to, &from);
    assert_true(list_empty(&from));
    list_push_back(&from, &t[2].node);
    list_push_back(&from, &t[3].node);
    list_splice(&to, &from);
    assert_numbers(&to, (int[]){1, 2, 3, 4}, 4);
}

static void current_node_may_be_removed_while_walking(void **state) {
    (void)state;
    struct list l;
    struct thing t[4] = {{.number = 1}, {.number = 2}, {.number = 3}, {.number = 4}};
    list_init(&l);
    for (int i = 0; i < 4; i++)
        list_push_back(&l, &t[i].node);
    struct list_node *n, *following;
    list_each(&l, n, following) {
        if (thing_of(n)->number % 2 == 0)
            list_remove(n);
    }
    assert_numbers(&l, (int[]){1, 3}, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pushed_nodes_stand_in_order),
        cmocka_unit_test(removed_node_is_in_no_list),
        cmocka_unit_test(pop_takes_from_the_front),
        cmocka_unit_test(splice_moves_all_in_order),
        cmocka_unit_test(current_node_may_be_removed_while_walking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
