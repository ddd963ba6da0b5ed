#include "base/queue.h"

#include "base_test.h"

#include <pthread.h>
#include <sched.h>

static void elements_come_out_in_order(void **state) {
    (void)state;
    struct queue *q = queue_new(4, sizeof(int));
    assert_non_null(q);
    int out = 0;
    assert_false(queue_pop(q, &out));
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 3; i++) {
            int in = round * 10 + i;
            assert_true(queue_push(q, &in));
        }
        assert_int_equal(queue_count(q), 3);
        for (int i = 0; i < 3; i++) {
            assert_true(queue_pop(q, &out));
            assert_int_equal(out, round * 10 + i);
        }
    }
    assert_false(queue_pop(q, &out));
    assert_null(queue_free(q));
}

static void full_queue_refuses(void **state) {
    (void)state;
    struct queue *q = queue_new(3, sizeof(int)); /* becomes 4 */
    assert_non_null(q);
    int out;
    for (int i = 0; i < 4; i++)
        assert_true(queue_push(q, &i));
    assert_false(queue_push(q, &(int){9}));
    assert_int_equal(queue_count(q), 4);
    assert_true(queue_pop(q, &out));
    assert_true(queue_push(q, &(int){4}));
    for (int i = 1; i <= 4; i++) {
        assert_true(queue_pop(q, &out));
        assert_int_equal(out, i);
    }
    queue_free(q);
}

static void batches_go_as_far_as_they_fit_around_the_end(void **state) {
    (void)state;
    struct queue *q = queue_new(8, sizeof(int));
    assert_non_null(q);
    int in[10] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    int out[10] = {0};
    assert_int_equal(queue_push_many(q, in, 5), 5);
    assert_int_equal(queue_pop_many(q, out, 10), 5);
    assert_memory_equal(out, in, 5 * sizeof(int));
    assert_int_equal(queue_push_many(q, in, 10), 8); /* passes the ring's end */
    assert_int_equal(queue_push_many(q, in, 1), 0);
    assert_int_equal(queue_pop_many(q, out, 3), 3);
    assert_memory_equal(out, in, 3 * sizeof(int));
    assert_int_equal(queue_pop_many(q, out, 10), 5);
    assert_memory_equal(out, in + 3, 5 * sizeof(int));
    assert_int_equal(queue_pop_many(q, out, 0), 0);
    queue_free(q);
}

static void large_elements_are_copied_whole(void **state) {
    (void)state;
    struct {
        char bytes[100];
    } in, out;
    struct queue *q = queue_new(1, sizeof in);
    assert_non_null(q);
    memset(&in, 'x', sizeof in);
    assert_true(queue_push(q, &in));
    assert_false(queue_push(q, &in));
    assert_true(queue_pop(q, &out));
    assert_memory_equal(&in, &out, sizeof in);
    queue_free(q);
}

enum { PASSED = 300000 };

struct element {
    uint64_t number;
    uint64_t square;
};

static void *produce(void *argument) {
    struct queue *q = argument;
    uint64_t next = 0;
    while (next < PASSED) {
        struct element batch[7];
        size_t count = 0;
        for (; count < next % 7 + 1 && next + count < PASSED; count++)
            batch[count] = (struct element){next + count, (next + count) * (next + count)};
        size_t pushed = queue_push_many(q, batch, count);
        next += pushed;
        if (pushed == 0)
            sched_yield();
    }
    return NULL;
}

static void two_threads_lose_and_reorder_nothing(void **state) {
    (void)state;
    struct queue *q = queue_new(64, sizeof(struct element));
    assert_non_null(q);
    pthread_t producer;
    assert_int_equal(pthread_create(&producer, NULL, produce, q), 0);
    for (uint64_t expected = 0; expected < PASSED;) {
        struct element got[5];
        size_t count = queue_pop_many(q, got, 1 + expected % 5);
        assert_true(queue_count(q) <= 64);
        for (size_t i = 0; i < count; i++, expected++) {
            assert_int_equal(got[i].number, expected);
            assert_int_equal(got[i].square, expected * expected);
        }
        if (count == 0)
            sched_yield();
    }
    assert_int_equal(pthread_join(producer, NULL), 0);
    assert_int_equal(queue_count(q), 0);
    queue_free(q);
}

static bool make_queue(void) {
    struct queue *q = queue_new(8, 8);
    queue_free(q);
    return q != NULL;
}

static void each_failed_allocation_gives_no_queue(void **state) {
    (void)state;
    assert_int_equal(fail_each_allocation(make_queue), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_come_out_in_order),
        cmocka_unit_test(full_queue_refuses),
        cmocka_unit_test(batches_go_as_far_as_they_fit_around_the_end),
        cmocka_unit_test(large_elements_are_copied_whole),
        cmocka_unit_test(two_threads_lose_and_reorder_nothing),
        cmocka_unit_test(each_failed_allocation_gives_no_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
