#include "stage.h"

#include "base/mem.h"
#include "io/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void the_last_given_back_is_the_first_taken(void **state) {
    (void)state;
    struct io_pool pool = {0};
    struct io_segment *first = io_pool_take(&pool, 10, false);
    struct io_segment *second = io_pool_take(&pool, 10, false);
    assert_int_equal(first->cap, IO_SEGMENT_SMALL);
    io_pool_give(&pool, first);
    io_pool_give(&pool, second);
    io_pool_give(&pool, NULL);
    assert_ptr_equal(io_pool_take(&pool, IO_SEGMENT_SMALL, false), second);
    assert_ptr_equal(io_pool_take(&pool, 1, false), first);
    mem_free(first);
    mem_free(second);
    io_pool_free(&pool);
}

static void sizes_are_small_large_or_as_asked(void **state) {
    (void)state;
    struct io_pool pool = {0};
    struct io_segment *large = io_pool_take(&pool, 1, true);
    struct io_segment *over = io_pool_take(&pool, IO_SEGMENT_SMALL + 1, false);
    struct io_segment *huge = io_pool_take(&pool, 1000000, false);
    assert_int_equal(large->cap, IO_SEGMENT_LARGE);
    assert_int_equal(over->cap, IO_SEGMENT_LARGE);
    assert_int_equal(huge->cap, 1000000);
    io_pool_give(&pool, large);
    io_pool_give(&pool, over);
    io_pool_give(&pool, huge);
    assert_int_equal(pool.large_count, 2);
    assert_int_equal(pool.small_count, 0);
    io_pool_free(&pool);
}

static void spare_segments_are_bounded(void **state) {
    (void)state;
    struct io_pool pool = {0};
    struct io_segment *taken[IO_POOL_SMALL_MAX + 10];
    for (size_t i = 0; i < array_count(taken); i++)
        taken[i] = io_pool_take(&pool, 1, false);
    for (size_t i = 0; i < array_count(taken); i++)
        io_pool_give(&pool, taken[i]);
    assert_int_equal(pool.small_count, IO_POOL_SMALL_MAX);
    io_pool_free(&pool);
    assert_int_equal(pool.small_count, 0);
}

static void a_queue_gives_bytes_back_in_order(void **state) {
    (void)state;
    struct io_pool pool = {0};
    struct io_segments queue = {0};
    char piece[1000];
    for (unsigned i = 0; i < 300; i++) {
        memset(piece, (char)i, sizeof piece);
        assert_int_equal(io_segments_append(&queue, &pool, slice_make(piece, sizeof piece)), 0);
    }
    assert_int_equal(queue.bytes, 300000);
    size_t at = 0;
    while (queue.bytes > 0) {
        struct io_segment *first = queue.first;
        assert_int_equal(first->bytes[first->from], (char)(at / 1000));
        size_t step = queue.bytes < 777 ? queue.bytes : 777;
        io_segments_consume(&queue, &pool, step);
        at += step;
    }
    assert_int_equal(at, 300000);
    assert_null(queue.first);
    assert_null(queue.last);
    io_pool_free(&pool);
}

static void without_memory_nothing_is_added(void **state) {
    (void)state;
    struct io_pool pool = {0};
    struct io_segments queue = {0};
    char piece[IO_SEGMENT_SMALL];
    memset(piece, 'x', sizeof piece);
    assert_int_equal(io_segments_append(&queue, &pool, slice_make(piece, 10)), 0);
    mem_fail_at(1, false);
    assert_int_equal(io_segments_append(&queue, &pool, slice_make(piece, sizeof piece)), -ENOMEM);
    mem_fail_at(0, false);
    assert_int_equal(queue.bytes, 10);
    io_segments_clear(&queue, &pool);
    assert_int_equal(queue.bytes, 0);
    io_pool_free(&pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_given_back_is_the_first_taken),
        cmocka_unit_test(sizes_are_small_large_or_as_asked),
        cmocka_unit_test(spare_segments_are_bounded),
        cmocka_unit_test(a_queue_gives_bytes_back_in_order),
        cmocka_unit_test(without_memory_nothing_is_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
