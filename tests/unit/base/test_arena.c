#include "base/arena.h"

#include "base_test.h"

static void allocations_are_aligned_and_apart(void **state) {
    (void)state;
    _cleanup_arena_ struct arena a = arena_make(0, 1 << 20);
    assert_null(a.first);
    char *previous = NULL;
    for (size_t size = 0; size < 200; size++) {
        char *at = arena_alloc(&a, size);
        assert_non_null(at);
        assert_int_equal((uintptr_t)at % _Alignof(max_align_t), 0);
        memset(at, (int)size, size);
        if (previous)
            assert_int_equal((unsigned char)previous[0], size - 1);
        previous = size ? at : NULL;
    }
}

static void any_alignment_up_to_a_page(void **state) {
    (void)state;
    _cleanup_arena_ struct arena a = arena_make(0, 1 << 20);
    for (size_t align = 1; align <= 4096; align *= 2) {
        assert_non_null(arena_alloc_aligned(&a, 1, 1));
        void *at = arena_alloc_aligned(&a, 10, align);
        assert_non_null(at);
        assert_int_equal((uintptr_t)at % align, 0);
    }
}

static void large_requests_get_their_own_chunk(void **state) {
    (void)state;
    _cleanup_arena_ struct arena a = arena_make(1024, 1 << 20);
    char *large = arena_alloc(&a, 100000);
    assert_non_null(large);
    memset(large, 1, 100000);
    assert_non_null(arena_alloc(&a, 10));
    assert_true(a.total > 100000 && a.total < 110000);
}

static void total_never_passes_the_maximum(void **state) {
    (void)state;
    _cleanup_arena_ struct arena a = arena_make(1024, 4000);
    assert_null(arena_alloc(&a, 4000));
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_null(arena_zalloc(&a, SIZE_MAX / 2, 4));
    size_t given = 0;
    while (arena_alloc_aligned(&a, 100, 1))
        given += 100;
    assert_true(given >= 3500);
    assert_true(a.total <= 4000);
    assert_non_null(arena_alloc_aligned(&a, 1, 1));
}

static void copy_and_printf_end_with_nul(void **state) {
    (void)state;
    _cleanup_arena_ struct arena a = arena_make(0, 1 << 20);
    slice copy;
    assert_int_equal(arena_copy(&a, slice_lit("bid.new"), &copy), 0);
    assert_slice(copy, "bid.new");
    assert_int_equal(copy.ptr[copy.len], 0);
    assert_int_equal(arena_copy(&a, slice_make(NULL, 0), &copy), 0);
    assert_non_null(copy.ptr);
    assert_int_equal(copy.len, 0);
    slice text;
    assert_int_equal(arena_printf(&a, &text, "%s=%d", "x", 42), 0);
    assert_slice(text, "x=42");
    assert_int_equal(text.ptr[text.len], 0);
}

static void zalloc_clears_used_memory(void **state) {
    (void)state;
    _cleanup_arena_ struct arena a = arena_make(0, 1 << 20);
    memset(arena_alloc(&a, 100), 'x', 100);
    arena_reset(&a);
    char *bytes = arena_zalloc(&a, 10, 10);
    for (int i = 0; i < 100; i++)
        assert_int_equal(bytes[i], 0);
}

static int order[4];
static int order_len;

static void note(void *argument) {
    order[order_len++] = *(int *)argument;
}

static void cleanups_run_newest_first_once(void **state) {
    (void)state;
    static int one = 1, two = 2;
    struct arena a = arena_make(0, 1 << 20);
    order_len = 0;
    assert_int_equal(arena_on_cleanup(&a, note, &one), 0);
    assert_int_equal(arena_on_cleanup(&a, note, &two), 0);
    arena_reset(&a);
    assert_int_equal(order_len, 2);
    assert_int_equal(order[0], 2);
    assert_int_equal(order[1], 1);
    arena_reset(&a);
    arena_free(&a);
    assert_int_equal(order_len, 2);
}

static void reset_keeps_the_first_chunk(void **state) {
    (void)state;
    _cleanup_arena_ struct arena a = arena_make(1024, 1 << 20);
    void *first = arena_alloc(&a, 10);
    for (int i = 0; i < 100; i++)
        assert_non_null(arena_alloc(&a, 500));
    arena_reset(&a);
    assert_int_equal(a.total, 1024);
    unsigned long before = mem_attempts();
    assert_ptr_equal(arena_alloc(&a, 10), first);
    assert_int_equal(mem_attempts(), before);
}

static void reset_keeps_no_large_chunk(void **state) {
    (void)state;
    _cleanup_arena_ struct arena a = arena_make(1024, 1 << 20);
    assert_non_null(arena_alloc(&a, 100000));
    arena_reset(&a);
    assert_int_equal(a.total, 0);
    assert_non_null(arena_alloc(&a, 10));
}

static bool use_arena(void) {
    _cleanup_arena_ struct arena a = arena_make(256, 1 << 20);
    static int one = 1;
    slice text;
    order_len = 0;
    bool ok = arena_on_cleanup(&a, note, &one) == 0;
    int expected = ok ? 1 : 0;
    ok = arena_copy(&a, slice_lit("a text"), &text) == 0 && ok;
    ok = arena_printf(&a, &text, "%0300d", 7) == 0 && ok;
    ok = arena_alloc(&a, 1000) != NULL && ok;
    arena_free(&a);
    assert_int_equal(order_len, expected);
    assert_int_equal(a.total, 0);
    return ok;
}

static void each_failed_allocation_leaves_it_usable(void **state) {
    (void)state;
    fail_each_allocation(use_arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_aligned_and_apart),
        cmocka_unit_test(any_alignment_up_to_a_page),
        cmocka_unit_test(large_requests_get_their_own_chunk),
        cmocka_unit_test(total_never_passes_the_maximum),
        cmocka_unit_test(copy_and_printf_end_with_nul),
        cmocka_unit_test(zalloc_clears_used_memory),
        cmocka_unit_test(cleanups_run_newest_first_once),
        cmocka_unit_test(reset_keeps_the_first_chunk),
        cmocka_unit_test(reset_keeps_no_large_chunk),
        cmocka_unit_test(each_failed_allocation_leaves_it_usable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
