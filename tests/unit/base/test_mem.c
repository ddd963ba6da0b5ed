#include "base_test.h"

static void zero_sized_requests_give_a_pointer(void **state) {
    (void)state;
    void *a = mem_alloc(0);
    void *b = mem_zalloc(0, 8);
    void *c = mem_alloc_aligned(0, 64);
    void *d = mem_realloc(NULL, 0);
    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(c);
    assert_non_null(d);
    mem_free(a);
    mem_free(b);
    mem_free(c);
    mem_free(d);
}

static void zalloc_clears_and_refuses_overflow(void **state) {
    (void)state;
    unsigned char *bytes = mem_zalloc(16, 4);
    assert_non_null(bytes);
    for (int i = 0; i < 64; i++)
        assert_int_equal(bytes[i], 0);
    mem_free(bytes);
    volatile size_t huge = SIZE_MAX / 2;
    assert_null(mem_zalloc(huge, 3));
}

static void copy_ends_with_nul(void **state) {
    (void)state;
    _cleanup_mem_ char *copy = mem_copy("abcdef", 3);
    assert_string_equal(copy, "abc");
    _cleanup_mem_ char *empty = mem_copy(NULL, 0);
    assert_string_equal(empty, "");
    volatile size_t huge = SIZE_MAX;
    assert_null(mem_copy("x", huge));
}

static void aligned_memory_is_aligned(void **state) {
    (void)state;
    for (size_t align = 1; align <= 4096; align *= 2) {
        void *at = mem_alloc_aligned(100, align < sizeof(void *) ? sizeof(void *) : align);
        assert_non_null(at);
        assert_int_equal((uintptr_t)at % align, 0);
        mem_free(at);
    }
}

static void realloc_keeps_content_and_the_old_on_failure(void **state) {
    (void)state;
    char *text = mem_copy("abc", 3);
    assert_non_null(text);
    mem_fail_at(1, false);
    assert_null(mem_realloc(text, 1000));
    assert_string_equal(text, "abc");
    char *grown = mem_realloc(text, 1000);
    assert_non_null(grown);
    assert_string_equal(grown, "abc");
    mem_free(grown);
}

static void fault_hits_the_named_attempt_once(void **state) {
    (void)state;
    mem_fail_at(2, false);
    void *first = mem_alloc(1);
    void *second = mem_alloc(1);
    void *third = mem_alloc(1);
    assert_non_null(first);
    assert_null(second);
    assert_non_null(third);
    mem_free(first);
    mem_free(third);
}

static void persistent_fault_stays_until_turned_off(void **state) {
    (void)state;
    mem_fail_at(1, true);
    assert_null(mem_alloc(1));
    assert_null(mem_zalloc(1, 1));
    assert_null(mem_copy("a", 1));
    assert_null(mem_alloc_aligned(1, 64));
    mem_fail_at(0, false);
    void *at = mem_alloc(1);
    assert_non_null(at);
    mem_free(at);
}

static void attempts_are_counted(void **state) {
    (void)state;
    unsigned long before = mem_attempts();
    mem_free(mem_alloc(1));
    mem_free(mem_zalloc(1, 1));
    assert_int_equal(mem_attempts() - before, 2);
}

static void free_takes_null_and_gives_null(void **state) {
    (void)state;
    assert_null(mem_free(NULL));
    assert_null(mem_free(mem_alloc(1)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_sized_requests_give_a_pointer),
        cmocka_unit_test(zalloc_clears_and_refuses_overflow),
        cmocka_unit_test(copy_ends_with_nul),
        cmocka_unit_test(aligned_memory_is_aligned),
        cmocka_unit_test(realloc_keeps_content_and_the_old_on_failure),
        cmocka_unit_test(fault_hits_the_named_attempt_once),
        cmocka_unit_test(persistent_fault_stays_until_turned_off),
        cmocka_unit_test(attempts_are_counted),
        cmocka_unit_test(free_takes_null_and_gives_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
