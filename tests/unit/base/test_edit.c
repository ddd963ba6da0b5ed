#include "base/edit.h"

#include "base_test.h"

static size_t between(const char *a, const char *b) {
    size_t there = edit_distance(slice_str(a), slice_str(b));
    assert_int_equal(edit_distance(slice_str(b), slice_str(a)), there);
    return there;
}

static void slips_cost_one_each(void **state) {
    (void)state;
    assert_int_equal(between("", ""), 0);
    assert_int_equal(between("max_age", "max_age"), 0);
    assert_int_equal(between("max_age", "MAX_age"), 0);
    assert_int_equal(between("max_age", "max_agee"), 1);
    assert_int_equal(between("max_age", "mx_age"), 1);
    assert_int_equal(between("max_age", "mix_age"), 1);
    assert_int_equal(between("max_age", "amx_age"), 1);
    assert_int_equal(between("", "abc"), 3);
    assert_int_equal(between("kitten", "sitting"), 3);
    assert_int_equal(between("ca", "abc"), 3);
}

static void long_words_are_far_from_everything(void **state) {
    (void)state;
    char word[EDIT_WORD_MAX + 1];
    memset(word, 'a', sizeof word);
    assert_int_equal(edit_distance(slice_make(word, EDIT_WORD_MAX), slice_lit("a")),
                     EDIT_WORD_MAX - 1);
    assert_true(edit_distance(slice_make(word, EDIT_WORD_MAX + 1), slice_lit("a")) == EDIT_FAR);
    assert_true(edit_distance(slice_lit("a"), slice_make(word, EDIT_WORD_MAX + 1)) == EDIT_FAR);
}

static const char *const keys[] = {"max_age", "max_bytes", "subjects", "storage", "to"};

static void the_nearest_is_meant(void **state) {
    (void)state;
    assert_int_equal(edit_closest(slice_lit("max_agee"), keys, array_count(keys)), 0);
    assert_int_equal(edit_closest(slice_lit("max_byte"), keys, array_count(keys)), 1);
    assert_int_equal(edit_closest(slice_lit("subejct"), keys, array_count(keys)), 2);
    assert_int_equal(edit_closest(slice_lit("ot"), keys, array_count(keys)), 4);
}

static void nothing_is_meant_by_a_different_word(void **state) {
    (void)state;
    assert_int_equal(edit_closest(slice_lit("replicas"), keys, array_count(keys)), -1);
    assert_int_equal(edit_closest(slice_lit("at"), keys + 4, 1), -1);
    assert_int_equal(edit_closest(slice_lit("max_age"), keys, 0), -1);
    assert_int_equal(edit_closest(slice_lit(""), keys, array_count(keys)), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slips_cost_one_each),
        cmocka_unit_test(long_words_are_far_from_everything),
        cmocka_unit_test(the_nearest_is_meant),
        cmocka_unit_test(nothing_is_meant_by_a_different_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
