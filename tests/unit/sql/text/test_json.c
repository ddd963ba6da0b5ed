/*
 * json and jsonb values: expected texts and errors are what PostgreSQL 15 prints.
 */
#include "sql/text/json.h"

#include "../../base/base_test.h"
#include "base/mem.h"

static const struct {
    const char *text, *jsonb;
} good[] = {
    {"null", "null"},
    {" true ", "true"},
    {"1e2", "100"},
    {"-0", "0"},
    {"-0.0", "0.0"},
    {"1.50e1", "15.0"},
    {"1.5E+3", "1500"},
    {"12e-3", "0.012"},
    {"-12.5e-1", "-1.25"},
    {"0e5", "0"},
    {"0.0e-3", "0.0000"},
    {"123456789012345678901234567890.10", "123456789012345678901234567890.10"},
    {"\"a\\u00e9\\/\\n\\u0001\\\"\\\\\"", "\"a\xc3\xa9/\\n\\u0001\\\"\\\\\""},
    {"\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\""},
    {"[]", "[]"},
    {"{ }", "{}"},
    {"[1,\n2 , [\"x\",{}]]", "[1, 2, [\"x\", {}]]"},
    {"{\"b\":1e2,\"aa\":[],\"b\":0}", "{\"b\": 0, \"aa\": []}"},
    {"{\"bb\":1,\"a\":{\"z\":1,\"y\":2},\"c\":null}",
     "{\"a\": {\"y\": 2, \"z\": 1}, \"c\": null, \"bb\": 1}"},
    {"{\"\\u0061\":1,\"a\":2}", "{\"a\": 2}"},
    {"{\"a\":1,\"a\":2,\"a\":3}", "{\"a\": 3}"},
    {"{\"\":1}", "{\"\": 1}"},
};

static void jsonb_is_kept_in_one_form(void **state) {
    (void)state;
    for (size_t i = 0; i < array_count(good); i++) {
        struct arena memory = arena_make(0, (size_t)1 << 20);
        struct sql_error error;
        slice out = {NULL, 0};
        assert_int_equal(sql_json_in(slice_str(good[i].text), &error), 0);
        assert_int_equal(sql_jsonb_in(slice_str(good[i].text), &memory, &out, &error), 0);
        assert_string_equal(out.ptr, good[i].jsonb);
        slice again = {NULL, 0};
        assert_int_equal(sql_jsonb_in(out, &memory, &again, &error), 0);
        assert_true(slice_equal(out, again));
        arena_free(&memory);
    }
}

static const struct {
    const char *text, *state, *detail;
} bad[] = {
    {"", "22P02", "The input string ended unexpectedly."},
    {"{", "22P02", "The input string ended unexpectedly."},
    {"{\"a\"", "22P02", "The input string ended unexpectedly."},
    {"nul", "22P02", "Token \"nul\" is invalid."},
    {"01", "22P02", "Token \"01\" is invalid."},
    {"1.", "22P02", "Token \"1.\" is invalid."},
    {"-", "22P02", "Token \"-\" is invalid."},
    {"\"abc", "22P02", "Token \"\"abc\" is invalid."},
    {"1 2", "22P02", "Expected end of input, but found \"2\"."},
    {"[1 2]", "22P02", "Expected \",\" or \"]\", but found \"2\"."},
    {"[1,]", "22P02", "Expected JSON value, but found \"]\"."},
    {"[,]", "22P02", "Expected JSON value, but found \",\"."},
    {"{\"a\":1,}", "22P02", "Expected string, but found \"}\"."},
    {"{1:2}", "22P02", "Expected string or \"}\", but found \"1\"."},
    {"{\"a\" 1}", "22P02", "Expected \":\", but found \"1\"."},
    {"{\"a\":1 2}", "22P02", "Expected \",\" or \"}\", but found \"2\"."},
    {"\"\\x\"", "22P02", "Escape sequence \"\\x\" is invalid."},
    {"\"\\u12\"", "22P02", "\"\\u\" must be followed by four hexadecimal digits."},
    {"\"\t\"", "22P02", "Character with value 0x09 must be escaped."},
};

static void what_is_no_json_is_refused_with_its_reason(void **state) {
    (void)state;
    for (size_t i = 0; i < array_count(bad); i++) {
        struct arena memory = arena_make(0, (size_t)1 << 20);
        struct sql_error error;
        slice out = {NULL, 0};
        assert_int_not_equal(sql_json_in(slice_str(bad[i].text), &error), 0);
        assert_string_equal(error.detail, bad[i].detail);
        assert_int_not_equal(sql_jsonb_in(slice_str(bad[i].text), &memory, &out, &error), 0);
        assert_string_equal(error.state, bad[i].state);
        assert_string_equal(error.detail, bad[i].detail);
        arena_free(&memory);
    }
}

static void jsonb_refuses_what_is_no_text_or_number(void **state) {
    (void)state;
    static const struct {
        const char *text, *state;
    } refused[] = {{"\"\\u0000\"", "22P05"}, {"\"\\udc00\"", "22P02"}, {"\"\\ud800x\"", "22P02"},
                   {"1e131072", "22003"},    {"1e-16384", "22003"},    {"1e999999999999", "22003"}};
    for (size_t i = 0; i < array_count(refused); i++) {
        struct arena memory = arena_make(0, (size_t)1 << 20);
        struct sql_error error;
        slice out;
        assert_int_equal(sql_json_in(slice_str(refused[i].text), &error), 0);
        assert_int_not_equal(sql_jsonb_in(slice_str(refused[i].text), &memory, &out, &error), 0);
        assert_string_equal(error.state, refused[i].state);
        arena_free(&memory);
    }
}

static void depth_is_bounded(void **state) {
    (void)state;
    static char deep[2 * (SQL_JSON_DEPTH_MAX + 1)];
    struct sql_error error;
    memset(deep, '[', SQL_JSON_DEPTH_MAX);
    memset(deep + SQL_JSON_DEPTH_MAX, ']', SQL_JSON_DEPTH_MAX);
    assert_int_equal(sql_json_in(slice_make(deep, 2 * SQL_JSON_DEPTH_MAX), &error), 0);
    memset(deep, '[', SQL_JSON_DEPTH_MAX + 1);
    memset(deep + SQL_JSON_DEPTH_MAX + 1, ']', SQL_JSON_DEPTH_MAX + 1);
    assert_int_not_equal(sql_json_in(slice_make(deep, sizeof deep), &error), 0);
    assert_string_equal(error.state, "54001");
}

/* Each below the next. */
static const char *const ordered[] = {"[]",
                                      "null",
                                      "\"\"",
                                      "\"\\u0001\"",
                                      "\"\\n\"",
                                      "\"A\"",
                                      "\"a\"",
                                      "\"ab\"",
                                      "\"\xc3\xa9\"",
                                      "-100",
                                      "-99.5",
                                      "-99",
                                      "-1.5",
                                      "-1",
                                      "-0.5",
                                      "0",
                                      "0.01",
                                      "0.1",
                                      "0.15",
                                      "1",
                                      "1.5",
                                      "2",
                                      "10",
                                      "99",
                                      "100",
                                      "123456789012345678901234567890",
                                      "false",
                                      "true",
                                      "[null]",
                                      "[\"z\"]",
                                      "[1]",
                                      "[[]]",
                                      "[1, 1]",
                                      "[1, 2]",
                                      "{}",
                                      "{\"a\": 1}",
                                      "{\"a\": 2}",
                                      "{\"b\": 0}",
                                      "{\"a\": 1, \"b\": 1}"};

static void jsonb_has_postgresqls_order(void **state) {
    (void)state;
    for (size_t i = 0; i < array_count(ordered); i++)
        for (size_t j = 0; j < array_count(ordered); j++) {
            slice a = slice_str(ordered[i]), b = slice_str(ordered[j]);
            int expected = i < j ? -1 : i > j;
            int compared = sql_jsonb_compare(a, b);
            assert_int_equal((compared > 0) - (compared < 0), expected);
            struct buf x = buf_make(1000), y = buf_make(1000);
            assert_int_equal(sql_jsonb_key(a, &x), 0);
            assert_int_equal(sql_jsonb_key(b, &y), 0);
            int order = slice_compare(buf_slice(&x), buf_slice(&y));
            assert_int_equal((order > 0) - (order < 0), expected);
            buf_free(&x);
            buf_free(&y);
        }
}

static void equal_values_are_equal_however_written(void **state) {
    (void)state;
    slice a = slice_lit("{\"a\": [1.0, \"1.0\\\"2.0\", 0.00, 10, -1.50]}");
    slice b = slice_lit("{\"a\": [1, \"1.0\\\"2.0\", 0, 10.0, -1.5]}");
    assert_int_equal(sql_jsonb_compare(a, b), 0);
    assert_int_equal(sql_jsonb_hash(a), sql_jsonb_hash(b));
    struct buf x = buf_make(1000), y = buf_make(1000);
    assert_int_equal(sql_jsonb_canonical(a, &x), 0);
    assert_string_equal(buf_text(&x), "{\"a\": [1, \"1.0\\\"2.0\", 0, 10, -1.5]}");
    buf_clear(&x);
    assert_int_equal(sql_jsonb_key(a, &x), 0);
    assert_int_equal(sql_jsonb_key(b, &y), 0);
    assert_true(slice_equal(buf_slice(&x), buf_slice(&y)));
    buf_free(&x);
    buf_free(&y);
}

static void members_and_elements_are_found(void **state) {
    (void)state;
    slice out;
    slice b = slice_lit("{\"a\": {\"a\": 1}, \"\\n\\\"\\u0001\": [2, \"],\", {}]}");
    assert_true(sql_jsonb_member(b, slice_lit("\n\"\x01"), &out));
    assert_true(slice_equal(out, slice_lit("[2, \"],\", {}]")));
    slice element;
    assert_true(sql_json_element(out, 1, &element));
    assert_true(slice_equal(element, slice_lit("\"],\"")));
    assert_true(sql_json_element(out, -1, &element));
    assert_true(slice_equal(element, slice_lit("{}")));
    assert_false(sql_json_element(out, 3, &element));
    assert_false(sql_json_element(out, -4, &element));
    assert_false(sql_jsonb_member(b, slice_lit("b"), &out));
    slice j = slice_lit(" { \"\\u0061\" : 1 , \"b\":2,\"a\":[ 3 ] } ");
    assert_true(sql_json_member(j, slice_lit("a"), &out));
    assert_true(slice_equal(out, slice_lit("[ 3 ]")));
    assert_int_equal(sql_json_count(j), 3);
    assert_int_equal(sql_json_count(slice_lit("[]")), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jsonb_is_kept_in_one_form),
        cmocka_unit_test(what_is_no_json_is_refused_with_its_reason),
        cmocka_unit_test(jsonb_refuses_what_is_no_text_or_number),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(jsonb_has_postgresqls_order),
        cmocka_unit_test(equal_values_are_equal_however_written),
        cmocka_unit_test(members_and_elements_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
