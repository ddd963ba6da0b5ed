#include "base/buf.h"

#include "base_test.h"

static void content_grows_by_appending(void **state) {
    (void)state;
    _cleanup_buf_ struct buf b = buf_make(1000);
    assert_null(b.ptr);
    assert_int_equal(buf_append(&b, slice_lit("PUB ")), 0);
    assert_int_equal(buf_append_byte(&b, 'x'), 0);
    assert_int_equal(buf_append_u64(&b, UINT64_MAX), 0);
    assert_int_equal(buf_append_i64(&b, INT64_MIN), 0);
    assert_int_equal(buf_append(&b, slice_make(NULL, 0)), 0);
    assert_slice(buf_slice(&b), "PUB x18446744073709551615-9223372036854775808");
}

static void content_never_passes_the_maximum(void **state) {
    (void)state;
    _cleanup_buf_ struct buf b = buf_make(5);
    assert_int_equal(buf_append(&b, slice_lit("123456")), -ENOBUFS);
    assert_int_equal(b.len, 0);
    assert_int_equal(buf_append(&b, slice_lit("1234")), 0);
    assert_int_equal(buf_append(&b, slice_lit("56")), -ENOBUFS);
    assert_slice(buf_slice(&b), "1234");
    assert_int_equal(buf_append_byte(&b, '5'), 0);
    assert_int_equal(buf_append_byte(&b, '6'), -ENOBUFS);
    assert_int_equal(buf_append_u64(&b, 6), -ENOBUFS);
    assert_slice(buf_slice(&b), "12345");
    assert_true(b.cap <= b.max);
    assert_int_equal(buf_reserve(&b, SIZE_MAX), -ENOBUFS);
}

static void growth_doubles(void **state) {
    (void)state;
    _cleanup_buf_ struct buf b = buf_make(1 << 20);
    unsigned long before = mem_attempts();
    for (int i = 0; i < 1 << 20; i++)
        assert_int_equal(buf_append_byte(&b, 'x'), 0);
    assert_true(mem_attempts() - before < 20);
    assert_int_equal(b.cap, 1 << 20);
}

static void refused_memory_leaves_the_content(void **state) {
    (void)state;
    _cleanup_buf_ struct buf b = buf_make(1000);
    assert_int_equal(buf_append(&b, slice_lit("kept")), 0);
    while (b.len < b.cap)
        assert_int_equal(buf_append_byte(&b, '.'), 0);
    size_t len = b.len;
    mem_fail_at(1, true);
    assert_int_equal(buf_append_byte(&b, 'x'), -ENOMEM);
    assert_int_equal(buf_printf(&b, "%d", 12345), -ENOMEM);
    assert_null(buf_text(&b));
    mem_fail_at(0, false);
    assert_int_equal(b.len, len);
    assert_memory_equal(b.ptr, "kept", 4);
}

static void printf_appends_and_grows(void **state) {
    (void)state;
    _cleanup_buf_ struct buf b = buf_make(1000);
    assert_int_equal(buf_printf(&b, "%s-%d", "a", 7), 0);
    assert_int_equal(buf_printf(&b, "%0100d", 1), 0);
    assert_int_equal(b.len, 103);
    assert_memory_equal(b.ptr, "a-7000", 6);
    assert_int_equal(b.ptr[102], '1');
}

static void printf_fills_to_the_last_byte_and_not_beyond(void **state) {
    (void)state;
    _cleanup_buf_ struct buf b = buf_make(8);
    assert_int_equal(buf_printf(&b, "%d", 123456789), -ENOBUFS);
    assert_int_equal(b.len, 0);
    assert_int_equal(buf_printf(&b, "%d", 12345678), 0);
    assert_slice(buf_slice(&b), "12345678");
    assert_int_equal(buf_printf(&b, "%s", ""), 0);
    assert_int_equal(buf_printf(&b, "%d", 9), -ENOBUFS);
    assert_slice(buf_slice(&b), "12345678");
}

static void consume_moves_the_rest_down(void **state) {
    (void)state;
    _cleanup_buf_ struct buf b = buf_make(100);
    assert_int_equal(buf_append(&b, slice_lit("abcdef")), 0);
    buf_consume(&b, 0);
    buf_consume(&b, 2);
    assert_slice(buf_slice(&b), "cdef");
    buf_consume(&b, 100);
    assert_int_equal(b.len, 0);
}

static void text_ends_with_a_nul_that_is_not_counted(void **state) {
    (void)state;
    _cleanup_buf_ struct buf b = buf_make(4);
    assert_string_equal(buf_text(&b), "");
    assert_int_equal(buf_append(&b, slice_lit("abc")), 0);
    assert_string_equal(buf_text(&b), "abc");
    assert_int_equal(b.len, 3);
    assert_int_equal(buf_append_byte(&b, 'd'), 0);
    assert_null(buf_text(&b));
}

static void freed_buffer_is_usable_again(void **state) {
    (void)state;
    struct buf b = buf_make(10);
    assert_int_equal(buf_append(&b, slice_lit("a")), 0);
    buf_free(&b);
    assert_null(b.ptr);
    assert_int_equal(buf_append(&b, slice_lit("b")), 0);
    assert_slice(buf_slice(&b), "b");
    buf_clear(&b);
    assert_int_equal(b.len, 0);
    buf_free(&b);
    buf_free(&b);
}

static void test_room_that_was_taken_is_not_taken_again(void **state) {
    (void)state;
    struct buf b = buf_make_room(100, 60);
    assert_int_equal(b.cap, 60);
    assert_int_equal(b.len, 0);
    const char *before = b.ptr;
    for (int i = 0; i < 60; i++)
        assert_int_equal(buf_append_byte(&b, 'x'), 0);
    assert_ptr_equal(b.ptr, before);
    for (int i = 0; i < 40; i++)
        assert_int_equal(buf_append_byte(&b, 'x'), 0);
    assert_int_equal(buf_append_byte(&b, 'x'), -ENOBUFS);
    buf_free(&b);
}

static void test_without_memory_the_first_append_says_so(void **state) {
    (void)state;
    mem_fail_at(1, true);
    struct buf b = buf_make_room(100, 60);
    int failed = buf_append_byte(&b, 'x');
    mem_fail_at(0, false);
    assert_int_equal(failed, -ENOMEM);
    assert_int_equal(buf_append_byte(&b, 'x'), 0);
    buf_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_room_that_was_taken_is_not_taken_again),
        cmocka_unit_test(test_without_memory_the_first_append_says_so),
        cmocka_unit_test(content_grows_by_appending),
        cmocka_unit_test(content_never_passes_the_maximum),
        cmocka_unit_test(growth_doubles),
        cmocka_unit_test(refused_memory_leaves_the_content),
        cmocka_unit_test(printf_appends_and_grows),
        cmocka_unit_test(printf_fills_to_the_last_byte_and_not_beyond),
        cmocka_unit_test(consume_moves_the_rest_down),
        cmocka_unit_test(text_ends_with_a_nul_that_is_not_counted),
        cmocka_unit_test(freed_buffer_is_usable_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
