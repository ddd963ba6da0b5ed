/*
 * The rules of subjects, case by case; where they surprise, nats-server 2.9.10 was asked.
 */
#include "wire_test.h"

#include "base/check.h"
#include "wire/nats_subject.h"

static void valid_subjects(void **state) {
    (void)state;
    static const char *const good[] = {"a",      "a.b",   "*",          ">",      "a.*.b", "a.>",
                                       "*.*.>",  "a*",    "a*.b",       "a>b",    "**",    ">>",
                                       "$SYS.x", "a-b_c", "\xc3\xa9.b", "a\x01.b"};
    for (size_t i = 0; i < array_count(good); i++)
        assert_true(nats_subject_valid(slice_str(good[i])));
}

static void invalid_subjects(void **state) {
    (void)state;
    static const char *const bad[] = {"",    ".",    "a.",   ".a",   "a..b", ">.a", "a.>.b",
                                      "a b", "a\tb", "a\rb", "a\nb", "a\fb", " ",   "a. "};
    for (size_t i = 0; i < array_count(bad); i++)
        assert_false(nats_subject_valid(slice_str(bad[i])));
    assert_false(nats_subject_valid(none));
}

static void literal_subjects_have_no_wildcards(void **state) {
    (void)state;
    assert_true(nats_subject_literal(slice_lit("a.b")));
    assert_true(nats_subject_literal(slice_lit("a*.b>")));
    assert_false(nats_subject_literal(slice_lit("a.*")));
    assert_false(nats_subject_literal(slice_lit("a.>")));
    assert_false(nats_subject_literal(slice_lit("a..b")));
    assert_true(nats_subject_has_wildcard(slice_lit("*")));
    assert_false(nats_subject_has_wildcard(slice_lit("**.>>")));
    assert_false(nats_subject_has_wildcard(none));
}

static void tokens_one_by_one(void **state) {
    (void)state;
    slice token, rest = slice_lit("a..bc.");
    assert_true(nats_subject_next(&rest, &token));
    assert_slice(token, "a");
    assert_true(nats_subject_next(&rest, &token));
    assert_slice(token, "");
    assert_true(nats_subject_next(&rest, &token));
    assert_slice(token, "bc");
    assert_true(nats_subject_next(&rest, &token));
    assert_slice(token, "");
    assert_false(nats_subject_next(&rest, &token));
    assert_false(nats_subject_next(&rest, &token));
    assert_int_equal(nats_subject_tokens(slice_lit("a.b.c")), 3);
    assert_int_equal(nats_subject_tokens(none), 0);
}

struct pair {
    const char *a, *b;
    bool expected;
};

static void matching(void **state) {
    (void)state;
    static const struct pair pairs[] = {
        {"a", "a", true},         {"a", "b", false},         {"a.b", "a", false},
        {"a", "a.b", false},      {"a.b", "a.*", true},      {"a.b", "*.b", true},
        {"a.b", "*.*", true},     {"a.b", "*", false},       {"a", "*.*", false},
        {"a.b", "a.>", true},     {"a.b.c", "a.>", true},    {"a", "a.>", false},
        {"a", ">", true},         {"a.b.c", "*.>", true},    {"a", "*.>", false},
        {"a.b.c", "a.*.c", true}, {"a.b.c", "a.*.d", false}, {"ab", "a", false},
        {"a", "ab", false},       {"A", "a", false},         {"a*", "a*", true},
        {"ab", "a*", false},      {"a..b", ">", false},      {"a..b", "a.*.b", false},
        {"a.", "a.*", false},     {".a", ">", false},        {"a.b..", "a.>", false},
        {"*.b", "a.b", false},    {"*.b", "*.b", true},
    };
    for (size_t i = 0; i < array_count(pairs); i++)
        assert_int_equal(nats_subject_match(slice_str(pairs[i].a), slice_str(pairs[i].b)),
                         pairs[i].expected);
    assert_false(nats_subject_match(slice_lit("a"), none));
}

static void subsets(void **state) {
    (void)state;
    static const struct pair pairs[] = {
        {"a", "a", true},          {"a", "*", true},       {"*", "a", false},
        {"*", "*", true},          {"*", ">", true},       {">", "*", false},
        {">", ">", true},          {"a.>", ">", true},     {">", "a.>", false},
        {"a.*", "a.>", true},      {"a.>", "a.*", false},  {"a.b", "a.*", true},
        {"a.b.c", "a.*", false},   {"a", "a.b", false},    {"a.b", "a", false},
        {"a.>", "a.>", true},      {"a.b.>", "a.>", true}, {"a.*.c", "a.*.*", true},
        {"a.*.c", "a.b.c", false}, {"*.b", "a.>", false},  {"a.>", "a.*.>", false},
        {"a.*.>", "a.>", true},
    };
    for (size_t i = 0; i < array_count(pairs); i++)
        assert_int_equal(nats_subject_is_subset(slice_str(pairs[i].a), slice_str(pairs[i].b)),
                         pairs[i].expected);
}

static void overlaps(void **state) {
    (void)state;
    static const struct pair pairs[] = {
        {"a", "a", true},        {"a", "b", false},        {"a.*", "*.b", true},
        {"a.*", "b.*", false},   {"a.>", "*.b", true},     {"a.>", "b.>", false},
        {"a", "a.>", false},     {"a.b", "a.>", true},     {">", "a", true},
        {"*", "a.b", false},     {"a.*.c", "a.b.*", true}, {"a.*.c", "a.b.d", false},
        {"a.b.c", "a.*", false}, {"a.*.>", "a.b", false},  {"a.*.>", "a.>", true},
        {"a*", "a*", true},      {"a*", "ab", false},
    };
    for (size_t i = 0; i < array_count(pairs); i++) {
        slice a = slice_str(pairs[i].a), b = slice_str(pairs[i].b);
        assert_int_equal(nats_subject_overlap(a, b), pairs[i].expected);
        assert_int_equal(nats_subject_overlap(b, a), pairs[i].expected);
    }
}

/* Every subject and pattern of up to three tokens over a small alphabet: the three relations must
   be what their definitions say about the literals they match. */
static void relations_agree_over_all_small_patterns(void **state) {
    (void)state;
    enum { WORDS = 4, PATTERNS = WORDS + WORDS * WORDS + WORDS * WORDS * WORDS };
    static const char words[WORDS] = {'a', 'b', '*', '>'};
    static char texts[PATTERNS][6];
    slice all[PATTERNS];
    for (size_t i = 0; i < PATTERNS; i++) {
        size_t count = i < WORDS ? 1 : i < WORDS + WORDS * WORDS ? 2 : 3;
        size_t rest = i;
        for (size_t t = 0; t < count; t++, rest /= WORDS) {
            texts[i][2 * t] = words[rest % WORDS];
            texts[i][2 * t + 1] = '.';
        }
        all[i] = slice_make(texts[i], 2 * count - 1);
    }
    for (size_t i = 0; i < PATTERNS; i++) {
        for (size_t k = 0; k < PATTERNS; k++) {
            if (!nats_subject_valid(all[i]) || !nats_subject_valid(all[k]))
                continue;
            bool overlap = false, subset = true;
            for (size_t l = 0; l < PATTERNS; l++) {
                if (!nats_subject_literal(all[l]) || !nats_subject_match(all[l], all[i]))
                    continue;
                if (nats_subject_match(all[l], all[k]))
                    overlap = true;
                else
                    subset = false;
            }
            assert_int_equal(nats_subject_overlap(all[i], all[k]), overlap);
            if (nats_subject_is_subset(all[i], all[k]))
                assert_true(subset);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_subjects),
        cmocka_unit_test(invalid_subjects),
        cmocka_unit_test(literal_subjects_have_no_wildcards),
        cmocka_unit_test(tokens_one_by_one),
        cmocka_unit_test(matching),
        cmocka_unit_test(subsets),
        cmocka_unit_test(overlaps),
        cmocka_unit_test(relations_agree_over_all_small_patterns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
