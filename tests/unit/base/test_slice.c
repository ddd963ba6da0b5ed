#include "base_test.h"

static void equality_is_by_bytes(void **state) {
    (void)state;
    assert_true(slice_equal(slice_lit("abc"), slice_make("abcd", 3)));
    assert_false(slice_equal(slice_lit("abc"), slice_lit("abd")));
    assert_false(slice_equal(slice_lit("abc"), slice_lit("ab")));
    assert_true(slice_equal(slice_make(NULL, 0), slice_lit("")));
    assert_int_equal(slice_str(NULL).len, 0);
    assert_int_equal(slice_str("four").len, 4);
}

static void order_is_bytewise_then_by_length(void **state) {
    (void)state;
    assert_true(slice_compare(slice_lit("a"), slice_lit("b")) < 0);
    assert_true(slice_compare(slice_lit("a"), slice_lit("ab")) < 0);
    assert_true(slice_compare(slice_lit("\xff"), slice_lit("a")) > 0);
    assert_int_equal(slice_compare(slice_lit("ab"), slice_lit("ab")), 0);
    assert_int_equal(slice_compare(slice_make(NULL, 0), slice_lit("")), 0);
}

static void prefix_and_suffix(void **state) {
    (void)state;
    assert_true(slice_starts_with(slice_lit("bid.new"), slice_lit("bid.")));
    assert_false(slice_starts_with(slice_lit("bi"), slice_lit("bid.")));
    assert_true(slice_ends_with(slice_lit("bid.new"), slice_lit(".new")));
    assert_false(slice_ends_with(slice_lit("new"), slice_lit(".new")));
    assert_true(slice_starts_with(slice_make(NULL, 0), slice_lit("")));
    assert_true(slice_ends_with(slice_make(NULL, 0), slice_lit("")));
}

static void skip_and_take_stay_inside(void **state) {
    (void)state;
    assert_slice(slice_skip(slice_lit("abc"), 1), "bc");
    assert_slice(slice_skip(slice_lit("abc"), 9), "");
    assert_slice(slice_take(slice_lit("abc"), 2), "ab");
    assert_slice(slice_take(slice_lit("abc"), 9), "abc");
    assert_int_equal(slice_skip(slice_make(NULL, 0), 1).len, 0);
}

static void find_gives_the_first_place_or_minus_one(void **state) {
    (void)state;
    assert_int_equal(slice_find(slice_lit("a.b.c"), '.'), 1);
    assert_int_equal(slice_find(slice_lit("abc"), '.'), -1);
    assert_int_equal(slice_find(slice_make(NULL, 0), '.'), -1);
    assert_int_equal(slice_find(slice_lit("a\0b"), '\0'), 1);
    assert_int_equal(slice_find_slice(slice_lit("one two"), slice_lit("two")), 4);
    assert_int_equal(slice_find_slice(slice_lit("one two"), slice_lit("three")), -1);
    assert_int_equal(slice_find_slice(slice_lit("one"), slice_lit("")), 0);
    assert_int_equal(slice_find_slice(slice_make(NULL, 0), slice_lit("x")), -1);
}

static void letter_case_is_ignored_for_ascii_only(void **state) {
    (void)state;
    assert_true(slice_equal_nocase(slice_lit("Content-Type"), slice_lit("content-TYPE")));
    assert_false(slice_equal_nocase(slice_lit("a"), slice_lit("ab")));
    assert_false(slice_equal_nocase(slice_lit("@"), slice_lit("`")));
    assert_false(slice_equal_nocase(slice_lit("\xc4"), slice_lit("\xe4")));
}

/* Every pair of bytes, at every place of texts of every length up to three words. */
static void case_is_that_of_ascii_letters_alone(void **state) {
    (void)state;
    char one[24], other[24];
    for (size_t len = 1; len <= sizeof one; len++)
        for (size_t at = 0; at<len; at += len> 9 ? len - 1 : 1)
            for (unsigned pair = 0; pair < 65536; pair++) {
                unsigned char a = (unsigned char)(pair >> 8), b = (unsigned char)pair;
                memset(one, 'x', sizeof one);
                memset(other, 'X', sizeof other);
                one[at] = (char)a;
                other[at] = (char)b;
                bool letters = (a | 0x20) >= 'a' && (a | 0x20) <= 'z';
                bool same = a == b || (letters && (a ^ b) == 0x20);
                if (slice_equal_nocase(slice_make(one, len), slice_make(other, len)) != same)
                    fail_msg("%02x and %02x at %zu of %zu", a, b, at, len);
            }
}

static void trim_takes_spaces_and_tabs(void **state) {
    (void)state;
    assert_slice(slice_trim(slice_lit(" \t a b\t ")), "a b");
    assert_slice(slice_trim(slice_lit(" \t ")), "");
    assert_slice(slice_trim(slice_lit("a\n")), "a\n");
}

static void cut_splits_at_the_first_separator(void **state) {
    (void)state;
    slice rest;
    assert_slice(slice_cut(slice_lit("a.b.c"), '.', &rest), "a");
    assert_slice(rest, "b.c");
    assert_slice(slice_cut(slice_lit("abc"), '.', &rest), "abc");
    assert_null(rest.ptr);
    assert_slice(slice_cut(slice_lit("abc."), '.', &rest), "abc");
    assert_non_null(rest.ptr);
    assert_int_equal(rest.len, 0);
}

static void to_string_ends_with_nul_or_refuses(void **state) {
    (void)state;
    char out[4] = "zzz";
    assert_int_equal(slice_to_string(slice_lit("abcd"), out, sizeof out), -ENOSPC);
    assert_string_equal(out, "zzz");
    assert_int_equal(slice_to_string(slice_lit("a\0b"), out, sizeof out), -EINVAL);
    assert_string_equal(out, "zzz");
    assert_int_equal(slice_to_string(slice_lit("abc"), out, sizeof out), 0);
    assert_string_equal(out, "abc");
    assert_int_equal(slice_to_string(slice_make(NULL, 0), out, sizeof out), 0);
    assert_string_equal(out, "");
    assert_int_equal(slice_to_string(slice_lit(""), out, 0), -ENOSPC);
}

static void stored_slices_lie_one_behind_the_other(void **state) {
    (void)state;
    char room[8] = "........";
    char *at = room;
    slice one = slice_store(&at, slice_lit("abc"));
    slice none = slice_store(&at, slice_make(NULL, 0));
    slice two = slice_store(&at, slice_lit("de"));
    assert_ptr_equal(one.ptr, room);
    assert_int_equal(none.len, 0);
    assert_ptr_equal(two.ptr, room + 3);
    assert_ptr_equal(at, room + 5);
    assert_memory_equal(room, "abcde...", sizeof room);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equality_is_by_bytes),
        cmocka_unit_test(order_is_bytewise_then_by_length),
        cmocka_unit_test(prefix_and_suffix),
        cmocka_unit_test(skip_and_take_stay_inside),
        cmocka_unit_test(find_gives_the_first_place_or_minus_one),
        cmocka_unit_test(letter_case_is_ignored_for_ascii_only),
        cmocka_unit_test(case_is_that_of_ascii_letters_alone),
        cmocka_unit_test(trim_takes_spaces_and_tabs),
        cmocka_unit_test(cut_splits_at_the_first_separator),
        cmocka_unit_test(to_string_ends_with_nul_or_refuses),
        cmocka_unit_test(stored_slices_lie_one_behind_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
