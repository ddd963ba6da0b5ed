#include "wire/json.h"
#include "wire/json_scan.h"

#include "../base/base_test.h"

#include <stdio.h>

/* Parses TEXT, which must be accepted, into DOC (freed by the caller) and gives the root. */
static json_value read_json(struct json_doc *doc, const char *text) {
    json_init(doc);
    assert_int_equal(json_parse(doc, slice_str(text)), 0);
    return json_root(doc);
}

/* TEXT must be refused with CODE, PLACE and words that contain REASON. */
static void assert_refused(slice text, int code, const char *place, const char *reason) {
    struct json_doc doc;
    struct error e;
    json_init(&doc);
    int r = json_parse(&doc, text);
    if (r != code) {
        fail_msg("%.*s: %d, not %d", slice_fmt(text), r, code);
    }
    assert_int_equal(json_type_of(json_root(&doc)), JSON_ABSENT);
    assert_int_equal(json_explain(&doc, r, slice_lit(""), &e), code);
    assert_string_equal(e.place, place);
    if (!strstr(e.message, reason)) {
        fail_msg("%.*s: %s", slice_fmt(text), e.message);
    }
    json_free(&doc);
}

#define assert_no_json(text, place, reason) assert_refused(slice_lit(text), -EINVAL, place, reason)

static void scalars_alone_are_documents(void **state) {
    (void)state;
    struct json_doc doc;
    static const struct {
        const char *text;
        enum json_type type;
    } cases[] = {{"null", JSON_NULL},   {" true ", JSON_BOOL}, {"\n\t\r 0", JSON_NUMBER},
                 {"\"\"", JSON_STRING}, {"[]", JSON_ARRAY},    {"{}", JSON_OBJECT},
                 {"[ \n]", JSON_ARRAY}};
    for (size_t i = 0; i < array_count(cases); i++) {
        json_value root = read_json(&doc, cases[i].text);
        assert_int_equal(json_type_of(root), cases[i].type);
        json_free(&doc);
    }
}

static void members_are_found_by_key_and_path(void **state) {
    (void)state;
    struct json_doc doc;
    json_value root =
        read_json(&doc, "{\"a\":{\"b\":[1,{\"c\":true}],\"d.e\":2},\"x\":null,\"\":3}");
    int64_t number;
    bool yes = false;
    assert_int_equal(json_count(root), 3);
    assert_int_equal(json_i64(json_element(json_path(root, "a.b"), 0), &number), 0);
    assert_int_equal(number, 1);
    assert_int_equal(json_bool(json_path(json_element(json_path(root, "a.b"), 1), "c"), &yes), 0);
    assert_true(yes);
    assert_int_equal(json_i64(json_member(json_path(root, "a"), slice_lit("d.e")), &number), 0);
    assert_int_equal(number, 2);
    assert_int_equal(json_i64(json_member(root, slice_lit("")), &number), 0);
    assert_int_equal(number, 3);
    assert_int_equal(json_type_of(json_path(root, "x")), JSON_NULL);
    json_free(&doc);
}

static void what_is_absent_stays_absent(void **state) {
    (void)state;
    struct json_doc doc;
    json_value root = read_json(&doc, "{\"a\":[1]}");
    int64_t number = 7;
    slice text = slice_lit("kept");
    assert_int_equal(json_type_of(json_path(root, "b.c.d")), JSON_ABSENT);
    assert_int_equal(json_type_of(json_path(root, "a.c")), JSON_ABSENT);
    assert_int_equal(json_type_of(json_element(json_path(root, "a"), 1)), JSON_ABSENT);
    assert_int_equal(json_type_of(json_element(root, 0)), JSON_ABSENT);
    assert_int_equal(json_i64(json_path(root, "b"), &number), -ENOENT);
    assert_int_equal(json_string(json_path(root, "b"), &text), -ENOENT);
    assert_int_equal(json_string(json_path(root, "a"), &text), -EINVAL);
    assert_int_equal(number, 7);
    assert_slice(text, "kept");
    assert_int_equal(json_count(json_path(root, "b")), 0);
    assert_null(json_source(json_path(root, "b")).ptr);
    json_free(&doc);
}

static void containers_are_visited_in_text_order(void **state) {
    (void)state;
    struct json_doc doc;
    json_value root = read_json(&doc, " { \"z\" : [ 1 , [ ] ] , \"a\" : { } , \"m\" : \"s\" } ");
    static const char *keys[] = {"z", "a", "m"};
    static const char *sources[] = {"[ 1 , [ ] ]", "{ }", "\"s\""};
    unsigned seen = 0;
    struct json_iterator i = json_each(root);
    while (json_next(&i)) {
        assert_true(json_string_is(i.key, slice_str(keys[seen])));
        assert_true(slice_equal(json_source(i.value), slice_str(sources[seen])));
        seen++;
    }
    assert_int_equal(seen, 3);
    struct json_iterator none = json_each(json_path(root, "m"));
    assert_false(json_next(&none));
    json_free(&doc);
}

static void integers_are_exact_and_checked(void **state) {
    (void)state;
    struct json_doc doc;
    json_value root = read_json(&doc, "[-9223372036854775808, 9223372036854775807,"
                                      " 18446744073709551615, 18446744073709551616, -1, 1.0, 1e3,"
                                      " -9223372036854775809, -0]");
    int64_t i = 0;
    uint64_t u = 0;
    assert_int_equal(json_i64(json_element(root, 0), &i), 0);
    assert_true(i == INT64_MIN);
    assert_int_equal(json_i64(json_element(root, 1), &i), 0);
    assert_true(i == INT64_MAX);
    assert_int_equal(json_i64(json_element(root, 2), &i), -ERANGE);
    assert_int_equal(json_u64(json_element(root, 2), &u), 0);
    assert_true(u == UINT64_MAX);
    assert_int_equal(json_u64(json_element(root, 3), &u), -ERANGE);
    assert_int_equal(json_u64(json_element(root, 4), &u), -ERANGE);
    assert_int_equal(json_i64(json_element(root, 5), &i), -EINVAL);
    assert_int_equal(json_i64(json_element(root, 6), &i), -EINVAL);
    assert_false(json_is_integer(json_element(root, 6)));
    assert_int_equal(json_i64(json_element(root, 7), &i), -ERANGE);
    assert_int_equal(json_i64(json_element(root, 8), &i), 0);
    assert_true(i == 0 && u == UINT64_MAX);
    json_free(&doc);
}

static void other_numbers_are_kept_as_written(void **state) {
    (void)state;
    struct json_doc doc;
    json_value root = read_json(&doc, "[0.10, 1E+400, -2.5e-3, 123456789012345678901234567890]");
    slice digits;
    double number;
    assert_int_equal(json_number(json_element(root, 0), &digits), 0);
    assert_slice(digits, "0.10");
    assert_int_equal(json_double(json_element(root, 0), &number), 0);
    assert_true(number == 0.1);
    assert_int_equal(json_double(json_element(root, 1), &number), -ERANGE);
    assert_int_equal(json_number(json_element(root, 1), &digits), 0);
    assert_slice(digits, "1E+400");
    assert_int_equal(json_double(json_element(root, 2), &number), 0);
    assert_true(number == -0.0025);
    assert_int_equal(json_number(json_element(root, 3), &digits), 0);
    assert_slice(digits, "123456789012345678901234567890");
    json_free(&doc);
}

static void strings_without_escapes_point_into_the_text(void **state) {
    (void)state;
    struct json_doc doc;
    slice text = slice_lit("\"grüße, 世界 🎉 and a long enough run of letters\"");
    slice content;
    json_init(&doc);
    assert_int_equal(json_parse(&doc, text), 0);
    assert_int_equal(json_string(json_root(&doc), &content), 0);
    assert_ptr_equal(content.ptr, text.ptr + 1);
    assert_int_equal(content.len, text.len - 2);
    assert_null(doc.unescaped);
    json_free(&doc);
}

static void escapes_are_decoded_when_asked_for(void **state) {
    (void)state;
    struct json_doc doc;
    json_value root = read_json(
        &doc, "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\",\"a\\u0000b\",\"\\u00e9\\u20AC\\ud83c\\udf89!\"]");
    slice content;
    for (int again = 0; again < 2; again++) {
        assert_int_equal(json_string(json_element(root, 0), &content), 0);
        assert_slice(content, "\"\\/\b\f\n\r\t");
        assert_int_equal(json_string(json_element(root, 1), &content), 0);
        assert_slice(content, "a\0b");
        assert_int_equal(json_string(json_element(root, 2), &content), 0);
        assert_slice(content, "é€🎉!");
    }
    json_free(&doc);
}

static void escaped_strings_compare_by_content(void **state) {
    (void)state;
    struct json_doc doc;
    json_value root = read_json(&doc, "{\"na\\u006de\":\"x\\ny\"}");
    assert_true(json_string_is(json_path(root, "name"), slice_lit("x\ny")));
    assert_false(json_string_is(json_path(root, "name"), slice_lit("x\n")));
    assert_false(json_string_is(json_path(root, "name"), slice_lit("x\nyz")));
    assert_int_equal(json_type_of(json_path(root, "nam")), JSON_ABSENT);
    json_free(&doc);
}

static void what_is_not_json_is_refused_with_its_place(void **state) {
    (void)state;
    assert_no_json("", "1:1", "no JSON value");
    assert_no_json(" \n ", "2:2", "no JSON value");
    assert_no_json("{\"a\":1,\n \"b\":}", "2:6", "no JSON value");
    assert_no_json("[1,]", "1:4", "no JSON value");
    assert_no_json("[1 2]", "1:4", "a comma");
    assert_no_json("{\"a\" 1}", "1:6", "a colon");
    assert_no_json("{a:1}", "1:2", "a key in double quotes");
    assert_no_json("{\"a\":1,}", "1:8", "a key in double quotes");
    assert_no_json("[1", "1:3", "ends in the middle");
    assert_no_json("{\"a\"", "1:5", "ends in the middle");
    assert_no_json("{\"a\":", "1:6", "ends in the middle");
    assert_no_json("{\"a\":1,", "1:8", "ends in the middle");
    assert_no_json("[", "1:2", "ends in the middle");
    assert_no_json("1 2", "1:3", "follows the end");
    assert_no_json("{}}", "1:3", "follows the end");
    assert_no_json("[1}", "1:3", "a comma or the closing bracket");
    assert_no_json("nul", "1:1", "no JSON value");
    assert_no_json("True", "1:1", "no JSON value");
    assert_no_json("NaN", "1:1", "no JSON value");
    assert_no_json("// no\n1", "1:1", "no JSON value");
    assert_no_json("\xef\xbb\xbf{}", "1:1", "no JSON value");
    assert_no_json("\x0c 1", "1:1", "no JSON value");
}

static void numbers_follow_the_grammar(void **state) {
    (void)state;
    assert_no_json("-", "1:2", "digit is missing behind the minus");
    assert_no_json("+1", "1:1", "no JSON value");
    assert_no_json("01", "1:1", "begin with a zero");
    assert_no_json("-01", "1:2", "begin with a zero");
    assert_no_json("1.", "1:3", "behind the decimal point");
    assert_no_json(".5", "1:1", "no JSON value");
    assert_no_json("1e", "1:3", "in the exponent");
    assert_no_json("1e+", "1:4", "in the exponent");
    assert_no_json("0x10", "1:2", "follows the end");
    assert_no_json("1_000", "1:2", "follows the end");
}

static void strings_are_checked(void **state) {
    (void)state;
    assert_no_json("\"abc", "1:5", "no closing quote");
    assert_no_json("\"a\\", "1:4", "no closing quote");
    assert_no_json("\"a\tb\"", "1:3", "control byte");
    assert_no_json("\"a\nb\"", "1:3", "control byte");
    assert_refused(slice_lit("\"a\0b\""), -EINVAL, "1:3", "control byte");
    assert_no_json("\"\\x41\"", "1:2", "this escape");
    assert_no_json("\"\\U0041\"", "1:2", "this escape");
    assert_no_json("\"\\u00g0\"", "1:2", "four hexadecimal");
    assert_no_json("\"\\u00", "1:2", "four hexadecimal");
    assert_no_json("\"ab\\ud800\"", "1:4", "surrogate");
    assert_no_json("\"\\udc00\"", "1:2", "surrogate");
    assert_no_json("\"\\ud800\\u0041\"", "1:2", "surrogate");
    assert_no_json("\"\\ud800\\n00000\"", "1:2", "surrogate");
    assert_no_json("\"é\xff\"", "1:3", "not UTF-8");
    assert_no_json("\"\xc0\x80\"", "1:2", "not UTF-8");
    assert_no_json("\"\xed\xa0\x80\"", "1:2", "not UTF-8");
    assert_no_json("\"\xf4\x90\x80\x80\"", "1:2", "not UTF-8");
    assert_no_json("\"\xe2\x82\"", "1:2", "not UTF-8");
}

static void a_repeated_key_is_refused(void **state) {
    (void)state;
    assert_no_json("{\"a\":1,\"b\":2,\"a\":3}", "1:15", "twice");
    assert_no_json("{\"a\":1,\"\\u0061\":3}", "1:9", "twice");
    assert_no_json("{\"x\":{\"\":1,\"\":2}}", "1:13", "twice");
    /* Large objects are compared another way. */
    char text[2000] = "{";
    for (int i = 0; i < 100; i++) {
        size_t len = strlen(text);
        snprintf(text + len, sizeof(text) - len, "\"k%d\":%d,", i == 99 ? 40 : i, i);
    }
    text[strlen(text) - 1] = '}';
    struct json_doc doc;
    json_init(&doc);
    assert_int_equal(json_parse(&doc, slice_str(text)), -EINVAL);
    assert_string_equal(doc.reason, "this key occurs twice in its object");
    json_free(&doc);
    struct json_doc apart;
    read_json(&apart, "[{\"a\":1},{\"a\":1,\"b\":{\"a\":1}}]");
    json_free(&apart);
}

static void depth_is_bounded(void **state) {
    (void)state;
    char text[2 * JSON_DEPTH_DEFAULT + 3];
    memset(text, '[', JSON_DEPTH_DEFAULT);
    memset(text + JSON_DEPTH_DEFAULT, ']', JSON_DEPTH_DEFAULT);
    struct json_doc doc;
    json_init(&doc);
    assert_int_equal(json_parse(&doc, slice_make(text, 2 * JSON_DEPTH_DEFAULT)), 0);
    json_free(&doc);
    memset(text, '[', JSON_DEPTH_DEFAULT + 1);
    assert_refused(slice_make(text, JSON_DEPTH_DEFAULT + 1), -E2BIG, "1:65", "too deeply");
}

static void nodes_are_bounded(void **state) {
    (void)state;
    struct json_doc doc;
    json_init(&doc);
    doc.nodes_max = 4;
    assert_int_equal(json_parse(&doc, slice_lit("[1,2,3]")), 0);
    assert_int_equal(json_parse(&doc, slice_lit("[1,2,3,4]")), -E2BIG);
    assert_int_equal(json_parse(&doc, slice_lit("{\"a\":1}")), 0);
    json_free(&doc);
}

static void a_document_is_used_again(void **state) {
    (void)state;
    struct json_doc doc;
    json_init(&doc);
    slice text;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(json_parse(&doc, slice_lit("[\"\\n\"]")), 0);
        assert_int_equal(json_string(json_element(json_root(&doc), 0), &text), 0);
        assert_slice(text, "\n");
        assert_int_equal(json_parse(&doc, slice_lit("[")), -EINVAL);
        assert_int_equal(json_parse(&doc, slice_lit("{\"longer\":\"\\t and more\"}")), 0);
        assert_int_equal(json_string(json_path(json_root(&doc), "longer"), &text), 0);
        assert_slice(text, "\t and more");
    }
    json_free(&doc);
}

/* Every document cut short is refused, and never read past its end (the sanitizers watch). */
static void every_prefix_is_refused(void **state) {
    (void)state;
    slice text = slice_lit("{\"a\":[1.5e3,true,null,\"\\ud83c\\udf89é\"],\"b\":{\"c\":-7}}");
    struct json_doc doc;
    json_init(&doc);
    for (size_t len = 0; len < text.len; len++) {
        char *copy = mem_copy(text.ptr, len);
        copy = mem_realloc(copy, len ? len : 1);
        assert_non_null(copy);
        assert_int_equal(json_parse(&doc, slice_make(copy, len)), -EINVAL);
        mem_free(copy);
    }
    assert_int_equal(json_parse(&doc, text), 0);
    json_free(&doc);
}

/* The wide scan and the word scan agree with a byte loop for every byte at every distance. */
static void plain_runs_are_counted_alike(void **state) {
    (void)state;
    char text[64];
    for (size_t len = 0; len <= 40; len++) {
        for (size_t at = 0; at < len; at++) {
            for (int byte = 0; byte < 256; byte++) {
                memset(text, 'a', sizeof(text));
                text[at] = (char)byte;
                bool plain = byte >= ' ' && byte < 0x80 && byte != '"' && byte != '\\';
                size_t expected = plain ? len : at;
                assert_int_equal(json_scan_plain(text, text + len), expected);
                assert_int_equal(json_scan_plain_words(text, text + len), expected);
            }
        }
    }
}

static void white_space_of_any_length_is_skipped(void **state) {
    (void)state;
    struct json_doc doc;
    char text[256];
    json_init(&doc);
    for (size_t spaces = 0; spaces < 70; spaces++) {
        for (int kind = 0; kind < 4; kind++) {
            size_t len = (size_t)snprintf(text, sizeof(text), "[1,%c%*s2%c%*s]", " \n\r\t"[kind],
                                          (int)spaces, "", "\n\t \r"[kind], (int)spaces, "");
            assert_int_equal(json_parse(&doc, slice_make(text, len)), 0);
            assert_int_equal(json_count(json_root(&doc)), 2);
        }
    }
    json_free(&doc);
}

static bool parse_once(void) {
    struct json_doc doc;
    slice text =
        slice_lit("{\"a\\n\":1,\"b\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,"
                  "1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5],"
                  "\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1,\"j\":\"\\t\"}");
    slice content;
    json_init(&doc);
    int r = json_parse(&doc, text);
    if (r == 0) {
        r = json_string(json_path(json_root(&doc), "j"), &content);
    }
    assert_true(r == 0 || r == -ENOMEM);
    json_free(&doc);
    return r == 0;
}

static void without_memory_the_document_is_refused(void **state) {
    (void)state;
    assert_true(fail_each_allocation(parse_once) >= 3);
}

static void a_document_goes_on_one_line(void **state) {
    (void)state;
    static const char text[] = "{\r\n\t\"a b\" : [1,\n2]\n}\n";
    char out[sizeof text];
    size_t len = json_on_one_line(slice_make(text, sizeof text - 1), out);
    assert_int_equal(len, 15);
    assert_memory_equal(out, "{\"a b\" : [1,2]}", 15);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_alone_are_documents),
        cmocka_unit_test(members_are_found_by_key_and_path),
        cmocka_unit_test(a_document_goes_on_one_line),
        cmocka_unit_test(what_is_absent_stays_absent),
        cmocka_unit_test(containers_are_visited_in_text_order),
        cmocka_unit_test(integers_are_exact_and_checked),
        cmocka_unit_test(other_numbers_are_kept_as_written),
        cmocka_unit_test(strings_without_escapes_point_into_the_text),
        cmocka_unit_test(escapes_are_decoded_when_asked_for),
        cmocka_unit_test(escaped_strings_compare_by_content),
        cmocka_unit_test(what_is_not_json_is_refused_with_its_place),
        cmocka_unit_test(numbers_follow_the_grammar),
        cmocka_unit_test(strings_are_checked),
        cmocka_unit_test(a_repeated_key_is_refused),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(nodes_are_bounded),
        cmocka_unit_test(a_document_is_used_again),
        cmocka_unit_test(every_prefix_is_refused),
        cmocka_unit_test(plain_runs_are_counted_alike),
        cmocka_unit_test(white_space_of_any_length_is_skipped),
        cmocka_unit_test(without_memory_the_document_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
