#include "base/regex.h"

#include "base_test.h"

static struct regex *compiled(const char *pattern, unsigned flags) {
    char message[REGEX_MESSAGE_BYTES];
    struct regex *r = NULL;
    assert_int_equal(regex_compile(slice_str(pattern), flags, &r, message), 0);
    return r;
}

static void a_match_gives_the_spans_of_its_groups(void **state) {
    (void)state;
    struct regex *r = compiled("(\\d+)-(x)?(\\w+)", 0);
    struct regex_span spans[5];
    assert_int_equal(regex_groups(r), 3);
    assert_int_equal(regex_match(r, slice_lit("\xc3\xa9 12-ab"), 0, spans, 5), 1);
    assert_int_equal(spans[0].start, 3);
    assert_int_equal(spans[0].end, 8);
    assert_int_equal(spans[1].end, 5);
    assert_int_equal(spans[2].start, REGEX_NONE);
    assert_int_equal(spans[3].start, 6);
    assert_int_equal(spans[4].start, REGEX_NONE);
    assert_int_equal(regex_match(r, slice_lit("\xc3\xa9 12-ab"), 5, spans, 5), 0);
    assert_int_equal(regex_match(r, slice_make(NULL, 0), 0, spans, 5), 0);
    regex_free(r);
}

static void flags_are_obeyed(void **state) {
    (void)state;
    struct regex_span span;
    struct regex *r = compiled("A b", REGEX_CASELESS | REGEX_EXTENDED);
    assert_int_equal(regex_match(r, slice_lit("xaB"), 0, &span, 1), 1);
    assert_int_equal(span.start, 1);
    regex_free(r);
    r = compiled("^$", 0);
    assert_int_equal(regex_match(r, slice_lit("\n"), 0, &span, 1), 0);
    regex_free(r);
}

static void a_pattern_that_is_none_is_refused_with_its_reason(void **state) {
    (void)state;
    static const char *const bad[] = {
        "(", "a)", "[a", "*", "\\", "((a{1000}){1000}){1000}", "\\C", "((((((((((a{1,60000}"};
    for (size_t i = 0; i < array_count(bad); i++) {
        char message[REGEX_MESSAGE_BYTES] = "";
        struct regex *r = NULL;
        assert_int_equal(regex_compile(slice_str(bad[i]), 0, &r, message), -EINVAL);
        assert_true(message[0]);
    }
    static char longer[REGEX_PATTERN_BYTES_MAX + 1];
    memset(longer, 'a', sizeof longer);
    char message[REGEX_MESSAGE_BYTES] = "";
    struct regex *r = NULL;
    assert_int_equal(regex_compile(slice_make(longer, sizeof longer), 0, &r, message), -EINVAL);
}

static void a_bomb_is_an_error(void **state) {
    (void)state;
    static char many[200000];
    memset(many, 'a', sizeof many);
    many[sizeof many - 1] = 'b';
    static const char *const bombs[] = {"(a+)+$", "(a|a)*$", "(a|aa)+$", "(.*)*(.*)*(.*)*x",
                                        "^(?:(a)|b)*c"};
    unsigned refused = 0;
    for (size_t i = 0; i < array_count(bombs); i++) {
        struct regex *r = compiled(bombs[i], 0);
        struct regex_span span;
        int found = regex_match(r, slice_make(many, sizeof many), 0, &span, 1);
        assert_true(found == -E2BIG || found == 0);
        refused += found == -E2BIG;
        regex_free(r);
    }
    assert_true(refused >= 3);
}

static bool attempt(void) {
    char message[REGEX_MESSAGE_BYTES];
    struct regex *r = NULL;
    struct regex_span span;
    int failed = regex_compile(slice_lit("(a|b)+c"), 0, &r, message);
    if (failed) {
        assert_int_equal(failed, -ENOMEM);
        return false;
    }
    int found = regex_match(r, slice_lit("xababc"), 0, &span, 1);
    assert_true(found == 1 || found == -ENOMEM);
    regex_free(r);
    return found == 1;
}

/* Without memory for machine code the interpreter does it: not every failure is one. */
static void no_memory_is_an_answer(void **state) {
    (void)state;
    unsigned refused = 0;
    for (unsigned long at = 1;; at++) {
        unsigned long before = mem_attempts();
        mem_fail_at(at, false);
        refused += !attempt();
        mem_fail_at(0, false);
        if (mem_attempts() - before < at)
            break;
    }
    assert_true(refused >= 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_match_gives_the_spans_of_its_groups),
        cmocka_unit_test(flags_are_obeyed),
        cmocka_unit_test(a_pattern_that_is_none_is_refused_with_its_reason),
        cmocka_unit_test(a_bomb_is_an_error),
        cmocka_unit_test(no_memory_is_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
