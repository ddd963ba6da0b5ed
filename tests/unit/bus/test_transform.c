#include "bus_kit.h"

#include "base/arena.h"
#include "bus/transform.h"

/* Subjects made of subjects. The pages of examples are nats-server's (subject_transform_test.go);
   partitions are FNV-1a, 32 bits, whose test values its authors publish. */

static const char *apply(const char *source, const char *destination, const char *subject) {
    static char text[BUS_SUBJECT_MAX + 1];
    _cleanup_arena_ struct arena arena = arena_make(0, 1u << 20);
    struct transform *t;
    const char *why = NULL;
    slice made;
    int failed = transform_make(&arena, slice_str(source), slice_str(destination), &t, &why);
    if (failed)
        return why;
    char out[BUS_SUBJECT_MAX];
    if (!transform_apply(t, slice_str(subject), out, sizeof out, &made))
        return "(no match)";
    memcpy(text, made.ptr, made.len);
    text[made.len] = '\0';
    return text;
}

static void test_subjects_become_others(void **state) {
    (void)state;
    static const struct {
        const char *source, *destination, *subject, *becomes;
    } cases[] = {
        {"foo", "bar", "foo", "bar"},
        {"foo", "bar", "other", "(no match)"},
        {"foo.*.*", "bar.$2", "foo.A.B", "bar.B"},
        {"foo.*.*", "req.$2.$1", "foo.A.B", "req.B.A"},
        {"foo.*.bar.*.baz", "req.$2.$1", "foo.A.bar.B.baz", "req.B.A"},
        {"foo.*.*", "{{wildcard(2)}}.{{ Wildcard( 1 ) }}", "foo.A.B", "B.A"},
        {"foo.*", "x.$1.$1", "foo.A", "x.A.A"},
        {"baz.>", "mybaz.>", "baz.1.2.3", "mybaz.1.2.3"},
        {"", "stored.>", "a.b", "stored.a.b"},
        {">", ">", "a.b", "a.b"},
        {"*", "foo.bar.$1", "foo", "foo.bar.foo"},
        {"*", "$1", "$1", "$1"},
        /* what is none of the functions is literal */
        {"*", "{{}.$1", "a", "{{}.a"},
        {"*", "$x.$1", "a", "$x.a"},
        /* functions */
        {"*", "{{splitfromleft(1,3)}}", "12345", "123.45"},
        {"*", "{{SplitFromRight(1,3)}}", "12345", "12.345"},
        {"*", "{{splitfromleft(1,5)}}", "12345", "12345"},
        {"*", "{{splitfromright(1,9)}}", "12345", "12345"},
        {"*", "{{SliceFromLeft(1,3)}}", "1234567890", "123.456.789.0"},
        {"*", "{{SliceFromRight(1,3)}}", "1234567890", "1.234.567.890"},
        {"*", "{{slicefromleft(1,2)}}", "1234", "12.34"},
        {"*", "{{slicefromright(1,2)}}", "1234", "12.34"},
        {"*", "{{split(1,-)}}", "-abc-def--ghi-", "abc.def.ghi"},
        {"*", "{{split(1,--)}}", "a--b-c", "a.b-c"},
        {"*", "{{split(1,-)}}", "abc", "abc"},
        {"*", "{{split(1,-)}}", "---", "(no match)"}, /* nothing is left: no subject */
        {"*.*", "{{split(2,-)}}.{{splitfromleft(1,2)}}", "foo.-abc-def--ghij-",
         "abc.def.ghij.fo.o"},
        {"*", "prefix.{{left(1,3)}}", "1234567890", "prefix.123"},
        {"*", "prefix.{{right(1,3)}}", "1234567890", "prefix.890"},
        {"*", "{{left(1,9)}}.{{right(1,9)}}", "ab", "ab.ab"},
    };
    for (size_t i = 0; i < array_count(cases); i++) {
        const char *made = apply(cases[i].source, cases[i].destination, cases[i].subject);
        if (strcmp(made, cases[i].becomes) != 0)
            fail_msg("%s -> %s of %s: %s, not %s", cases[i].source, cases[i].destination,
                     cases[i].subject, made, cases[i].becomes);
    }
}

static void test_partitions_are_fnv_1a(void **state) {
    (void)state;
    static const struct {
        const char *token;
        uint32_t hash;
    } cases[] = {{"a", 0xe40c292c}, {"b", 0xe70c2de5}, {"foobar", 0xbf9cf968}};
    char expected[32];
    for (size_t i = 0; i < array_count(cases); i++) {
        snprintf(expected, sizeof expected, "p.%u", (unsigned)(cases[i].hash % 1000003));
        assert_string_equal(apply("*", "p.{{partition(1000003,1)}}", cases[i].token), expected);
        assert_string_equal(apply("*", "p.{{Partition( 1 , 1 )}}", cases[i].token), "p.0");
    }
    /* several tokens are hashed one behind the other, in the order they are named */
    snprintf(expected, sizeof expected, "%u", (unsigned)(0xbf9cf968 % 1000003));
    assert_string_equal(apply("*.*", "{{partition(1000003,1,2)}}", "foo.bar"), expected);
    assert_string_equal(apply("*.*", "{{partition(1000003,2,1)}}", "bar.foo"), expected);
}

static void test_what_is_no_mapping_is_told(void **state) {
    (void)state;
    static const struct {
        const char *source, *destination, *words;
    } cases[] = {
        {"foo..bar", "x", "source"},
        {"foo", "", "destination"},
        {"foo", "a..b", "destination"},
        {"foo.*", "bar.*", "without wildcards"},
        {"foo.*", "bar.$2", "out of range"},
        {"foo.*", "bar.$0", "out of range"},
        {"foo.>", "bar", "neither"},
        {"foo", "bar.>", "neither"},
        {"foo.>", "bar.>.baz", "without wildcards"},
        {"foo.*", "{{wildcard(2)}}", "out of range"},
        {"foo.*", "{{wildcard(x)}}", "number of a wildcard"},
        {"foo.*", "{{wildcard()}}", "number of a wildcard"},
        {"foo.*", "{{wildcard}}", "is written"},
        {"foo.*", "{{reverse(1)}}", "unknown function"},
        {"foo.*", "{{wildcard(1,1)}}", "too many"},
        {"foo.*", "{{partition(3)}}", "not enough"},
        {"foo.*", "{{partition(0,1)}}", "above 0"},
        {"foo.*", "{{left(1,-3)}}", "above 0"},
        {"foo.*", "{{split(1,)}}", "separator"},
    };
    for (size_t i = 0; i < array_count(cases); i++) {
        const char *why = apply(cases[i].source, cases[i].destination, "none");
        if (!why || !strstr(why, cases[i].words))
            fail_msg("%s -> %s: %s, not %s", cases[i].source, cases[i].destination, why,
                     cases[i].words);
    }
}

static void test_what_would_be_no_subject_or_too_long_stays(void **state) {
    (void)state;
    _cleanup_arena_ struct arena arena = arena_make(0, 1u << 20);
    struct transform *t;
    const char *why;
    slice made = {0};
    char out[7];
    assert_int_equal(transform_make(&arena, slice_lit("*"), slice_lit("longer.$1"), &t, &why), 0);
    assert_false(transform_apply(t, slice_lit("a"), out, sizeof out, &made));
    assert_int_equal(made.len, 0);
    assert_false(transform_apply(t, slice_lit("*"), out, sizeof out, &made)); /* not literal */
    char subject[2 * TRANSFORM_TOKENS_MAX + 2];
    for (size_t i = 0; i < sizeof subject - 1; i++)
        subject[i] = i % 2 ? '.' : '*';
    subject[sizeof subject - 2] = '\0';
    assert_non_null(strstr(apply(subject, "x", "none"), "source"));
}

static void test_without_memory_nothing_is_made(void **state) {
    (void)state;
    for (unsigned long nth = 1;; nth++) {
        struct arena arena = arena_make(0, 1u << 20);
        struct transform *t;
        const char *why;
        mem_fail_at(nth, false);
        int failed =
            transform_make(&arena, slice_lit("a.*"), slice_lit("b.{{left(1,2)}}"), &t, &why);
        mem_fail_at(0, false);
        arena_free(&arena);
        if (!failed)
            break;
        assert_int_equal(failed, -ENOMEM);
        assert_true(nth < 100);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_subjects_become_others),
        cmocka_unit_test(test_partitions_are_fnv_1a),
        cmocka_unit_test(test_what_is_no_mapping_is_told),
        cmocka_unit_test(test_what_would_be_no_subject_or_too_long_stays),
        cmocka_unit_test(test_without_memory_nothing_is_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
