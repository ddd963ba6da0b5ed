#include "wire/json_pick.h"

#include "../base/base_test.h"

#include <stdio.h>
#include <stdlib.h>

static struct json_picker *picker_of(const slice *paths, size_t count) {
    struct json_picker *picker = NULL;
    assert_int_equal(json_picker_new(paths, count, &picker), 0);
    return picker;
}

static void fields_come_in_the_order_of_the_paths(void **state) {
    (void)state;
    const slice paths[] = {slice_lit("/price"), slice_lit("/bidder/id"), slice_lit("/tags/1"),
                           slice_lit("/absent")};
    struct json_picker *picker = picker_of(paths, 4);
    struct json_field f[4];
    slice text = slice_lit(" {\"x\":{\"price\":1},\"bidder\":{\"name\":\"n\",\"id\":7},"
                           "\"tags\":[\"a\",\"b\"],\"price\":12.50} ");
    assert_int_equal(json_pick(picker, text, f), 0);
    assert_slice(f[0].raw, "12.50");
    assert_slice(f[1].raw, "7");
    assert_slice(f[2].raw, "\"b\"");
    assert_int_equal(f[0].type, JSON_NUMBER);
    assert_int_equal(f[2].type, JSON_STRING);
    assert_int_equal(f[3].type, JSON_ABSENT);
    assert_null(f[3].raw.ptr);
    json_picker_free(picker);
}

static void a_path_may_pick_a_container_and_what_is_in_it(void **state) {
    (void)state;
    const slice paths[] = {slice_lit("/a"), slice_lit("/a/b"), slice_lit("")};
    struct json_picker *picker = picker_of(paths, 3);
    struct json_field f[3];
    assert_int_equal(json_pick(picker, slice_lit(" { \"a\" : { \"b\" : [ ] } } "), f), 0);
    assert_slice(f[0].raw, "{ \"b\" : [ ] }");
    assert_int_equal(f[0].type, JSON_OBJECT);
    assert_slice(f[1].raw, "[ ]");
    assert_slice(f[2].raw, "{ \"a\" : { \"b\" : [ ] } }");
    assert_int_equal(json_pick(picker, slice_lit("17"), f), 0);
    assert_slice(f[2].raw, "17");
    assert_int_equal(f[0].type, JSON_ABSENT);
    json_picker_free(picker);
}

static void pointers_escape_slash_and_tilde(void **state) {
    (void)state;
    const slice paths[] = {slice_lit("/a~1b/~0"), slice_lit("/"), slice_lit("/a.b")};
    struct json_picker *picker = picker_of(paths, 3);
    struct json_field f[3];
    assert_int_equal(
        json_pick(picker, slice_lit("{\"a/b\":{\"~\":1},\"\":2,\"a.b\":3,\"a\":{\"b\":4}}"), f), 0);
    assert_slice(f[0].raw, "1");
    assert_slice(f[1].raw, "2");
    assert_slice(f[2].raw, "3");
    json_picker_free(picker);
}

static void a_number_is_a_key_or_an_index(void **state) {
    (void)state;
    const slice paths[] = {slice_lit("/0"), slice_lit("/00")};
    struct json_picker *picker = picker_of(paths, 2);
    struct json_field f[2];
    assert_int_equal(json_pick(picker, slice_lit("[5,6]"), f), 0);
    assert_slice(f[0].raw, "5");
    assert_int_equal(f[1].type, JSON_ABSENT);
    assert_int_equal(json_pick(picker, slice_lit("{\"00\":8,\"0\":9}"), f), 0);
    assert_slice(f[0].raw, "9");
    assert_slice(f[1].raw, "8");
    json_picker_free(picker);
}

/* The guesses that documents leave behind never change an answer. */
static void key_order_does_not_matter(void **state) {
    (void)state;
    const slice paths[] = {slice_lit("/a"), slice_lit("/b"), slice_lit("/cc")};
    struct json_picker *picker = picker_of(paths, 3);
    struct json_field f[3];
    static const char *texts[] = {"{\"a\":1,\"b\":2,\"cc\":3}", "{\"cc\":3,\"b\":2,\"a\":1}",
                                  "{\"b\":2,\"x\":0,\"a\":1,\"cc\":3}",
                                  "{\"zz\":0,\"\\u0061\":1,\"c\":9,\"cc\":3,\"b\":2}"};
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < array_count(texts); i++) {
            assert_int_equal(json_pick(picker, slice_str(texts[i]), f), 0);
            assert_slice(f[0].raw, "1");
            assert_slice(f[1].raw, "2");
            assert_slice(f[2].raw, "3");
        }
    }
    json_picker_free(picker);
}

static void a_repeated_key_on_the_way_is_refused(void **state) {
    (void)state;
    const slice paths[] = {slice_lit("/a/b")};
    struct json_picker *picker = picker_of(paths, 1);
    struct json_field f[1];
    struct error e;
    assert_int_equal(json_pick(picker, slice_lit("{\"a\":{\"b\":1,\"b\":2}}"), f), -EINVAL);
    assert_int_equal(json_pick(picker, slice_lit("{\"a\":{},\n\"\\u0061\":{\"b\":2}}"), f),
                     -EINVAL);
    json_pick_explain(picker, -EINVAL, slice_lit("bid"), &e);
    assert_string_equal(e.place, "bid:2:2");
    assert_non_null(strstr(e.message, "twice"));
    assert_int_equal(json_pick(picker, slice_lit("{\"x\":1,\"x\":2,\"a\":{\"b\":3}}"), f), 0);
    assert_slice(f[0].raw, "3");
    json_picker_free(picker);
}

static void the_rest_of_the_document_is_checked_too(void **state) {
    (void)state;
    const slice paths[] = {slice_lit("/a")};
    struct json_picker *picker = picker_of(paths, 1);
    struct json_field f[1];
    static const char *texts[] = {
        "",           "{\"a\":1",         "{\"a\":1}x", "{\"a\":1,\"b\":tru}",
        "{\"a\":01}", "{\"b\":\"\xff\"}", "[1,]",       "{\"b\":\"\\ud800\"}"};
    for (size_t i = 0; i < array_count(texts); i++) {
        assert_int_equal(json_pick(picker, slice_str(texts[i]), f), -EINVAL);
    }
    char deep[JSON_DEPTH_DEFAULT + 1];
    memset(deep, '[', sizeof(deep));
    assert_int_equal(json_pick(picker, slice_make(deep, sizeof(deep)), f), -E2BIG);
    json_picker_free(picker);
}

static void typed_reads_answer_like_the_document(void **state) {
    (void)state;
    const slice paths[] = {slice_lit("/i"), slice_lit("/d"), slice_lit("/s"), slice_lit("/b"),
                           slice_lit("/none")};
    struct json_picker *picker = picker_of(paths, 5);
    struct json_field f[5];
    int64_t i;
    uint64_t u;
    double d;
    bool b;
    slice s;
    char room[16];
    assert_int_equal(
        json_pick(picker, slice_lit("{\"i\":-3,\"d\":1.5,\"s\":\"x\\u00e9\",\"b\":true}"), f), 0);
    assert_int_equal(json_pick_i64(&f[0], &i), 0);
    assert_int_equal(i, -3);
    assert_int_equal(json_pick_u64(&f[0], &u), -ERANGE);
    assert_int_equal(json_pick_i64(&f[1], &i), -EINVAL);
    assert_int_equal(json_pick_double(&f[1], &d), 0);
    assert_true(d == 1.5);
    assert_int_equal(json_pick_string(&f[2], room, f[2].raw.len, &s), 0);
    assert_slice(s, "xé");
    assert_int_equal(json_pick_string(&f[2], room, 3, &s), -ENOSPC);
    assert_int_equal(json_pick_bool(&f[3], &b), 0);
    assert_true(b);
    assert_int_equal(json_pick_bool(&f[0], &b), -EINVAL);
    assert_int_equal(json_pick_i64(&f[4], &i), -ENOENT);
    json_picker_free(picker);
}

static void bad_paths_are_refused(void **state) {
    (void)state;
    struct json_picker *picker = NULL;
    const slice no_slash[] = {slice_lit("a")};
    const slice stray[] = {slice_lit("/a~2")};
    const slice cut[] = {slice_lit("/a~")};
    const slice twice[] = {slice_lit("/a/b"), slice_lit("/a/b")};
    assert_int_equal(json_picker_new(no_slash, 1, &picker), -EINVAL);
    assert_int_equal(json_picker_new(stray, 1, &picker), -EINVAL);
    assert_int_equal(json_picker_new(cut, 1, &picker), -EINVAL);
    assert_int_equal(json_picker_new(twice, 2, &picker), -EINVAL);
    slice many[JSON_PICK_PATHS_MAX + 1] = {{0}};
    assert_int_equal(json_picker_new(many, JSON_PICK_PATHS_MAX + 1, &picker), -E2BIG);
    char slashes[JSON_PICK_STEPS_MAX];
    memset(slashes, '/', sizeof(slashes));
    const slice long_path[] = {slice_make(slashes, sizeof(slashes))};
    assert_int_equal(json_picker_new(long_path, 1, &picker), -E2BIG);
    assert_null(picker);
}

static bool make_picker(void) {
    const slice paths[] = {slice_lit("/a/b"), slice_lit("/c")};
    struct json_picker *picker = NULL;
    int r = json_picker_new(paths, 2, &picker);
    assert_true(r == 0 || (r == -ENOMEM && !picker));
    json_picker_free(picker);
    return r == 0;
}

static void without_memory_there_is_no_picker(void **state) {
    (void)state;
    assert_int_equal(fail_each_allocation(make_picker), 4);
}

static const slice kinds[] = {
    slice_lit(
        "{\"a\":1,\"b\":{\"id\":\"x\",\"more\":[1,2]},\"name\":\"a long one, of some words\"}"),
    slice_lit("{\"a\":12345678,\"name\":\"short\"}"),
    slice_lit(" { \"a\" : -1.5e3 , \"b\" : { \"id\" : null , \"more\" : [ ] } } "),
    slice_lit("{\"b\":{\"more\":{},\"id\":false},\"a\":\"\\u00e9 and \xc3\xa9\",\"more\":true}"),
    slice_lit("[[1,2],[3,4]]"),
    slice_lit("{\"name\":\"no more than this\",\"b\":7,\"a key that is longer than others\":0}"),
    slice_lit("\"alone\""),
    slice_lit("7"),
};
static const slice wanted[] = {slice_lit("/a"),      slice_lit("/b"),    slice_lit("/b/id"),
                               slice_lit("/b/more"), slice_lit("/name"), slice_lit("/1"),
                               slice_lit("/0/1"),    slice_lit("")};

/* What PICKER, who knows documents of the kinds, says to TEXT, against one who knows nothing. */
static void assert_as_new(struct json_picker *picker, slice text) {
    struct json_picker *fresh = picker_of(wanted, array_count(wanted));
    struct json_field f[array_count(wanted)], g[array_count(wanted)];
    int r = json_pick(fresh, text, f);
    assert_int_equal(json_pick(picker, text, g), r);
    for (size_t i = 0; r == 0 && i < array_count(wanted); i++) {
        assert_int_equal(f[i].type, g[i].type);
        assert_ptr_equal(f[i].raw.ptr, g[i].raw.ptr);
        assert_int_equal(f[i].raw.len, g[i].raw.len);
        assert_int_equal(f[i].escaped, g[i].escaped);
    }
    json_picker_free(fresh);
}

static void documents_of_known_shapes_are_judged_like_new_ones(void **state) {
    (void)state;
    static const char bytes[] = "\"\\{}[],: 0e.-tfn\x01\xc3\xa9";
    struct json_picker *picker = picker_of(wanted, array_count(wanted));
    struct json_field f[array_count(wanted)];
    for (size_t k = 0; k < array_count(kinds); k++) {
        for (size_t at = 0; at <= kinds[k].len; at++) {
            assert_int_equal(json_pick(picker, kinds[k], f), 0);
            char *text = malloc(kinds[k].len + 1); /* exactly as long as it is, for ASan */
            assert_non_null(text);
            memcpy(text, kinds[k].ptr, kinds[k].len);
            assert_as_new(picker, slice_make(text, at)); /* cut */
            for (const char *byte = bytes; at < kinds[k].len && *byte; byte++) {
                text[at] = *byte;
                assert_as_new(picker, slice_make(text, kinds[k].len));
            }
            memcpy(text, kinds[k].ptr, at);
            text[at] = ','; /* one more byte */
            memcpy(text + at + 1, kinds[k].ptr + at, kinds[k].len - at);
            assert_as_new(picker, slice_make(text, kinds[k].len + 1));
            free(text);
        }
    }
    json_picker_free(picker);
}

static void kinds_of_documents_may_alternate(void **state) {
    (void)state;
    struct json_picker *picker = picker_of(wanted, array_count(wanted));
    for (unsigned i = 0; i < 20000; i++) {
        unsigned kind = i < 8000 ? i % 3 : i % array_count(kinds); /* more than are remembered */
        assert_as_new(picker, kinds[kind]);
    }
    json_picker_free(picker);
}

/* More scalars, containers or bytes of keys than a shape has room for. */
static void documents_may_be_of_any_size(void **state) {
    (void)state;
    struct json_picker *picker = picker_of(wanted, array_count(wanted));
    static char text[8192];
    for (unsigned members = 60; members < 70; members++) {
        for (unsigned key = 1; key < 40; key += 19) {
            int len = 0;
            for (unsigned i = 0; i < members; i++) {
                len += snprintf(text + len, sizeof text - (size_t)len, "%c\"%0*u\":%u",
                                i ? ',' : '{', (int)key, i, i);
            }
            text[len++] = '}';
            for (unsigned again = 0; again < 30; again++) {
                assert_as_new(picker, slice_make(text, (size_t)len));
            }
        }
    }
    json_picker_free(picker);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_come_in_the_order_of_the_paths),
        cmocka_unit_test(a_path_may_pick_a_container_and_what_is_in_it),
        cmocka_unit_test(pointers_escape_slash_and_tilde),
        cmocka_unit_test(a_number_is_a_key_or_an_index),
        cmocka_unit_test(key_order_does_not_matter),
        cmocka_unit_test(a_repeated_key_on_the_way_is_refused),
        cmocka_unit_test(the_rest_of_the_document_is_checked_too),
        cmocka_unit_test(typed_reads_answer_like_the_document),
        cmocka_unit_test(bad_paths_are_refused),
        cmocka_unit_test(documents_of_known_shapes_are_judged_like_new_ones),
        cmocka_unit_test(kinds_of_documents_may_alternate),
        cmocka_unit_test(documents_may_be_of_any_size),
        cmocka_unit_test(without_memory_there_is_no_picker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
