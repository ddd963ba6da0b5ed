#include "wire/json_write.h"

#include "../base/base_test.h"
#include "base/buf.h"
#include "wire/json.h"

#include <math.h>
#include <stdlib.h>

static void commas_and_colons_are_the_writers_business(void **state) {
    (void)state;
    struct buf out _cleanup_buf_ = buf_make(1000);
    struct json_writer w = json_writer_make(&out, false);
    json_write_object(&w);
    json_write_key(&w, "a");
    json_write_u64(&w, UINT64_MAX);
    json_write_key_slice(&w, slice_lit("b\"c"));
    json_write_array(&w);
    json_write_i64(&w, INT64_MIN);
    json_write_bool(&w, true);
    json_write_null(&w);
    json_write_object(&w);
    json_write_end(&w);
    json_write_array(&w);
    json_write_end(&w);
    json_write_raw(&w, slice_lit("1.50"));
    json_write_end(&w);
    json_write_key(&w, "d");
    json_write_text(&w, "x");
    json_write_key(&w, "e");
    json_write_text(&w, NULL);
    json_write_end(&w);
    assert_int_equal(json_write_finish(&w), 0);
    assert_slice(buf_slice(&out), "{\"a\":18446744073709551615,\"b\\\"c\":[-9223372036854775808,"
                                  "true,null,{},[],1.50],\"d\":\"x\",\"e\":null}");
}

static void a_member_is_put_at_once(void **state) {
    (void)state;
    struct buf out _cleanup_buf_ = buf_make(1000);
    struct json_writer w = json_writer_make(&out, false);
    json_write_object(&w);
    json_put_string(&w, "s", slice_lit("\"x"));
    json_put_string(&w, "", (slice){0});
    json_put_text(&w, "t", NULL);
    json_put_u64(&w, "u", UINT64_MAX);
    json_put_i64(&w, "i", INT64_MIN);
    json_put_bool(&w, "b", false);
    json_put_nonempty(&w, "left out", (slice){0});
    json_put_nonempty(&w, "there", slice_lit("y"));
    json_write_end(&w);
    assert_int_equal(json_write_finish(&w), 0);
    assert_slice(buf_slice(&out),
                 "{\"s\":\"\\\"x\",\"\":\"\",\"t\":null,\"u\":18446744073709551615,"
                 "\"i\":-9223372036854775808,\"b\":false,\"there\":\"y\"}");
}

static void pretty_puts_one_member_on_a_line(void **state) {
    (void)state;
    struct buf out _cleanup_buf_ = buf_make(1000);
    struct json_writer w = json_writer_make(&out, true);
    json_write_object(&w);
    json_write_key(&w, "a");
    json_write_array(&w);
    json_write_u64(&w, 1);
    json_write_u64(&w, 2);
    json_write_end(&w);
    json_write_key(&w, "b");
    json_write_object(&w);
    json_write_end(&w);
    json_write_end(&w);
    assert_int_equal(json_write_finish(&w), 0);
    assert_slice(buf_slice(&out), "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {}\n}");
}

static void strings_are_escaped_no_more_than_needed(void **state) {
    (void)state;
    struct buf out _cleanup_buf_ = buf_make(1000);
    struct json_writer w = json_writer_make(&out, false);
    json_write_string(&w, slice_lit("a/\"\\\b\f\n\r\t\0\x1f\x7f é€🎉"));
    assert_int_equal(json_write_finish(&w), 0);
    assert_slice(buf_slice(&out), "\"a/\\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u001f\x7f é€🎉\"");
}

static void bytes_that_are_not_utf8_become_replacement_characters(void **state) {
    (void)state;
    struct buf out _cleanup_buf_ = buf_make(1000);
    struct json_writer w = json_writer_make(&out, false);
    json_write_string(&w, slice_lit("a\xff\xc3z\xed\xa0\x80"));
    assert_int_equal(json_write_finish(&w), 0);
    assert_slice(buf_slice(&out), "\"a\uFFFD\uFFFDz\uFFFD\uFFFD\uFFFD\"");
}

static void doubles_are_written_as_short_as_reads_back(void **state) {
    (void)state;
    static const struct {
        double number;
        const char *text;
    } cases[] = {{0, "0"},
                 {-0.0, "-0"},
                 {1, "1"},
                 {0.1, "0.1"},
                 {1.5e300, "1.5e+300"},
                 {5e-324, "5e-324"},
                 {1.0 / 3, "0.3333333333333333"},
                 {0.1 + 0.2, "0.30000000000000004"},
                 {123456789012345680.0, "1.2345678901234568e+17"}};
    for (size_t i = 0; i < array_count(cases); i++) {
        struct buf out _cleanup_buf_ = buf_make(100);
        struct json_writer w = json_writer_make(&out, false);
        json_write_double(&w, cases[i].number);
        assert_int_equal(json_write_finish(&w), 0);
        assert_string_equal(buf_text(&out), cases[i].text);
        assert_true(strtod(buf_text(&out), NULL) == cases[i].number);
    }
}

static void what_json_cannot_say_is_an_error_that_sticks(void **state) {
    (void)state;
    struct buf out _cleanup_buf_ = buf_make(100);
    struct json_writer w = json_writer_make(&out, false);
    json_write_array(&w);
    json_write_double(&w, (double)NAN);
    json_write_u64(&w, 1);
    json_write_end(&w);
    assert_int_equal(json_write_finish(&w), -EDOM);
    assert_slice(buf_slice(&out), "[");
}

static void a_full_buffer_is_an_error_that_sticks(void **state) {
    (void)state;
    struct buf out _cleanup_buf_ = buf_make(5);
    struct json_writer w = json_writer_make(&out, false);
    json_write_array(&w);
    json_write_text(&w, "abc");
    json_write_text(&w, "d");
    json_write_end(&w);
    assert_int_equal(json_write_finish(&w), -ENOBUFS);
    assert_true(out.len <= 5);
}

static void depth_is_bounded(void **state) {
    (void)state;
    struct buf out _cleanup_buf_ = buf_make(1000);
    struct json_writer w = json_writer_make(&out, false);
    for (unsigned i = 0; i < JSON_WRITE_DEPTH_MAX; i++) {
        json_write_array(&w);
    }
    assert_int_equal(w.error, 0);
    struct json_writer deeper = w;
    json_write_array(&deeper);
    assert_int_equal(json_write_finish(&deeper), -E2BIG);
    for (unsigned i = 0; i < JSON_WRITE_DEPTH_MAX; i++) {
        json_write_end(&w);
    }
    assert_int_equal(json_write_finish(&w), 0);
}

/* All bytes, one at a time and in a long string, come back through the reader as they went in. */
static void the_reader_reads_back_what_was_written(void **state) {
    (void)state;
    char text[600];
    size_t len = 0;
    for (int c = 0; c < 0x80; c++) {
        text[len++] = (char)c;
        len += (size_t)(c % 3);
        memset(text + len - c % 3, 'x', (size_t)(c % 3));
    }
    struct buf out _cleanup_buf_ = buf_make(4000);
    struct json_writer w = json_writer_make(&out, false);
    json_write_string(&w, slice_make(text, len));
    assert_int_equal(json_write_finish(&w), 0);
    struct json_doc doc;
    slice back;
    json_init(&doc);
    assert_int_equal(json_parse(&doc, buf_slice(&out)), 0);
    assert_int_equal(json_string(json_root(&doc), &back), 0);
    assert_true(slice_equal(back, slice_make(text, len)));
    json_free(&doc);
}

static bool write_once(void) {
    struct buf out _cleanup_buf_ = buf_make(10000);
    struct json_writer w = json_writer_make(&out, true);
    json_write_object(&w);
    for (int i = 0; i < 50; i++) {
        json_write_key(&w, "key of some length");
        json_write_double(&w, 0.5);
    }
    json_write_end(&w);
    int r = json_write_finish(&w);
    assert_true(r == 0 || r == -ENOMEM);
    return r == 0;
}

static void without_memory_the_error_sticks(void **state) {
    (void)state;
    assert_true(fail_each_allocation(write_once) >= 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_and_colons_are_the_writers_business),
        cmocka_unit_test(a_member_is_put_at_once),
        cmocka_unit_test(pretty_puts_one_member_on_a_line),
        cmocka_unit_test(strings_are_escaped_no_more_than_needed),
        cmocka_unit_test(bytes_that_are_not_utf8_become_replacement_characters),
        cmocka_unit_test(doubles_are_written_as_short_as_reads_back),
        cmocka_unit_test(what_json_cannot_say_is_an_error_that_sticks),
        cmocka_unit_test(a_full_buffer_is_an_error_that_sticks),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(the_reader_reads_back_what_was_written),
        cmocka_unit_test(without_memory_the_error_sticks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
