/*
 * Pages in tests/wire/http1 say what is parsed and refused. Here: the contract with the caller,
 * the small readers, the body decoder step by step, and the writers.
 */
#include "wire_test.h"

#include "base/mem.h"
#include "wire/http1.h"
#include "wire/http1_body.h"
#include "wire/http1_write.h"

#include <stdlib.h>

static struct http1_head head;

static int parse(struct http1_parser *p, const char *text, size_t *ret_consumed) {
    return http1_parse(p, slice_str(text), &head, ret_consumed);
}

static void nothing_is_consumed_before_the_head_is_whole(void **state) {
    (void)state;
    struct http1_parser p = http1_parser_make(HTTP1_REQUEST);
    size_t consumed = 77;
    assert_int_equal(parse(&p, "", &consumed), 0);
    assert_int_equal(parse(&p, "GET / HTTP/1.1\r\nHos", &consumed), 0);
    assert_int_equal(consumed, 77);
    assert_int_equal(parse(&p, "GET / HTTP/1.1\r\nHost: a\r\n\r\nmore", &consumed), 1);
    assert_int_equal(consumed, 27);
}

static void bytes_are_walked_once(void **state) {
    (void)state;
    struct http1_parser p = http1_parser_make(HTTP1_REQUEST);
    size_t consumed;
    assert_int_equal(parse(&p, "GET / HTTP/1.1\r\nHos", &consumed), 0);
    assert_int_equal(p.scan.scanned, 19);
    assert_int_equal(p.scan.line_start, 16);
    assert_int_equal(parse(&p, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", &consumed), 1);
    assert_int_equal(p.scan.scanned, 0);
}

static void an_error_is_final(void **state) {
    (void)state;
    struct http1_parser p = http1_parser_make(HTTP1_REQUEST);
    size_t consumed;
    assert_int_equal(parse(&p, "GET /\n", &consumed), -EPROTO);
    assert_int_equal(p.error, HTTP1_ERROR_BARE_LF);
    assert_int_equal(parse(&p, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", &consumed), -EPROTO);
}

static void the_side_may_change_between_messages(void **state) {
    (void)state;
    struct http1_parser p = http1_parser_make(HTTP1_RESPONSE_TO_HEAD);
    size_t consumed;
    const char *text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    assert_int_equal(parse(&p, text, &consumed), 1);
    assert_int_equal(head.framing, HTTP1_NO_BODY);
    p.side = HTTP1_RESPONSE;
    assert_int_equal(parse(&p, text, &consumed), 1);
    assert_int_equal(head.framing, HTTP1_LENGTH);
    assert_int_equal(head.content_length, 5);
}

static void fields_are_found_by_name(void **state) {
    (void)state;
    struct http1_parser p = http1_parser_make(HTTP1_REQUEST);
    size_t consumed;
    slice value = none;
    assert_int_equal(
        parse(&p, "GET / HTTP/1.1\r\nhost: a\r\nAccept: x\r\nACCEPT: y, \"z, w\" ,,v\r\n\r\n",
              &consumed),
        1);
    assert_true(http1_get(&head, slice_lit("accept"), &value));
    assert_slice(value, "x");
    assert_false(http1_get(&head, slice_lit("accep"), &value));
}

static void lists_are_cut_at_commas_outside_quotes(void **state) {
    (void)state;
    slice element, list = slice_lit(" a ,, \"b,\\\",c\" ,\td,");
    assert_true(http1_next_element(&list, &element));
    assert_slice(element, "a");
    assert_true(http1_next_element(&list, &element));
    assert_slice(element, "\"b,\\\",c\"");
    assert_true(http1_next_element(&list, &element));
    assert_slice(element, "d");
    assert_false(http1_next_element(&list, &element));
    list = slice_lit("a\\, b");
    assert_true(http1_next_element(&list, &element));
    assert_slice(element, "a\\");
    assert_true(http1_next_element(&list, &element));
    assert_slice(element, "b");
    list = slice_lit("\"a, b");
    assert_true(http1_next_element(&list, &element));
    assert_slice(element, "\"a, b");
    assert_false(http1_next_element(&list, &element));
}

static void every_error_has_a_name_words_and_a_status(void **state) {
    (void)state;
    for (unsigned i = 1; i < HTTP1_ERRORS; i++) {
        enum http1_error error = (enum http1_error)i;
        assert_true(http1_error_name(error)[0] != '\0');
        assert_true(http1_error_text(error)[0] != '\0');
        assert_true(http1_error_status(error) >= 400 && http1_error_status(error) <= 505);
        assert_true(http1_reason(http1_error_status(error))[0] != '\0');
    }
}

static void tokens_are_of_the_bytes_of_rfc_9110(void **state) {
    (void)state;
    const char *others = "!#$%&'*+-.^_`|~";
    for (int c = 0; c < 256; c++) {
        const bool alphanumeric =
            (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        const bool expected = alphanumeric || (c != 0 && strchr(others, c));
        assert_int_equal(http1_is_token_byte((char)c), expected);
    }
    assert_true(http1_is_token(slice_lit("a-Z")));
    assert_false(http1_is_token(slice_lit("a Z")));
    assert_false(http1_is_token(none));
}

static struct http1_body body_of(enum http1_framing framing, uint64_t length) {
    struct http1_head h = {.framing = (uint8_t)framing, .content_length = length};
    return http1_body_make(&h);
}

static void no_body_ends_without_a_byte(void **state) {
    (void)state;
    struct http1_body body = body_of(HTTP1_NO_BODY, 0);
    struct http1_part part;
    size_t consumed = 77;
    assert_int_equal(http1_body_next(&body, slice_lit("GET"), &part, &consumed), 1);
    assert_int_equal(part.kind, HTTP1_END);
    assert_int_equal(consumed, 0);
}

static void a_counted_body_stops_at_its_end(void **state) {
    (void)state;
    struct http1_body body = body_of(HTTP1_LENGTH, 5);
    struct http1_part part;
    size_t consumed;
    assert_int_equal(http1_body_next(&body, slice_lit("he"), &part, &consumed), 1);
    assert_slice(part.bytes, "he");
    assert_int_equal(http1_body_next(&body, none, &part, &consumed), 0);
    assert_int_equal(consumed, 0);
    assert_int_equal(http1_body_next(&body, slice_lit("lloGET"), &part, &consumed), 1);
    assert_slice(part.bytes, "llo");
    assert_int_equal(http1_body_next(&body, slice_lit("GET"), &part, &consumed), 1);
    assert_int_equal(part.kind, HTTP1_END);
    assert_int_equal(http1_body_close(&body), 0);
}

static void lines_of_chunks_are_used_though_no_part_came(void **state) {
    (void)state;
    struct http1_body body = body_of(HTTP1_CHUNKED, 0);
    struct http1_part part;
    size_t consumed = 0;
    assert_int_equal(http1_body_next(&body, slice_lit("5;a"), &part, &consumed), 0);
    assert_int_equal(consumed, 0);
    assert_int_equal(http1_body_next(&body, slice_lit("5;a\r\n"), &part, &consumed), 0);
    assert_int_equal(consumed, 5);
    assert_int_equal(http1_body_next(&body, slice_lit("hello\r\n0\r\n\r\n"), &part, &consumed), 1);
    assert_slice(part.bytes, "hello");
    assert_int_equal(consumed, 5);
    assert_int_equal(
        http1_body_next(&body, slice_lit("\r\n0\r\nX: y\r\n\r\nGET"), &part, &consumed), 1);
    assert_int_equal(part.kind, HTTP1_END);
    assert_slice(part.bytes, "X: y\r\n");
    assert_int_equal(consumed, 13);
}

static void the_end_of_the_connection_ends_only_what_it_may(void **state) {
    (void)state;
    struct http1_body open = body_of(HTTP1_UNTIL_CLOSE, 0);
    struct http1_body counted = body_of(HTTP1_LENGTH, 5);
    struct http1_body chunked = body_of(HTTP1_CHUNKED, 0);
    assert_int_equal(http1_body_close(&open), 0);
    assert_int_equal(http1_body_close(&counted), -EPROTO);
    assert_int_equal(counted.error, HTTP1_ERROR_TRUNCATED);
    assert_int_equal(http1_body_close(&counted), -EPROTO);
    assert_int_equal(http1_body_close(&chunked), -EPROTO);
}

static void a_body_that_failed_stays_failed(void **state) {
    (void)state;
    struct http1_body body = body_of(HTTP1_CHUNKED, 0);
    struct http1_part part;
    size_t consumed;
    assert_int_equal(http1_body_next(&body, slice_lit("x\r\n"), &part, &consumed), -EPROTO);
    assert_int_equal(body.error, HTTP1_ERROR_CHUNK_SIZE);
    assert_int_equal(http1_body_next(&body, slice_lit("0\r\n\r\n"), &part, &consumed), -EPROTO);
}

static void a_head_and_the_last_chunk_are_written(void **state) {
    (void)state;
    struct buf b = buf_make(4096);
    int r = http1_write_status(&b, 200, none);
    r |= http1_write_field(&b, slice_lit("Transfer-Encoding"), slice_lit("chunked"));
    r |= http1_write_field_u64(&b, slice_lit("X-Count"), 1234);
    r |= http1_write_end(&b);
    r |= http1_write_last_chunk(&b);
    r |= http1_write_end(&b);
    r |= http1_write_request(&b, slice_lit("GET"), slice_lit("/~x?y"));
    r |= http1_write_status(&b, 299, slice_lit("Fine"));
    r |= http1_write_status(&b, 299, none);
    r |= http1_write_status(&b, 100, none);
    r |= http1_write_status(&b, 599, slice_lit("a\tb"));
    assert_int_equal(r, 0);
    assert_slice(buf_slice(&b), "HTTP/1.1 200 OK\r\n"
                                "Transfer-Encoding: chunked\r\n"
                                "X-Count: 1234\r\n"
                                "\r\n"
                                "0\r\n"
                                "\r\n"
                                "GET /~x?y HTTP/1.1\r\n"
                                "HTTP/1.1 299 Fine\r\n"
                                "HTTP/1.1 299 \r\n"
                                "HTTP/1.1 100 Continue\r\n"
                                "HTTP/1.1 599 a\tb\r\n");
    buf_free(&b);
}

static void what_would_become_another_line_is_not_written(void **state) {
    (void)state;
    struct buf b = buf_make(4096);
    slice bad = slice_lit("a\r\nSet-Cookie: b"), nul = slice_make("a\0b", 3);
    assert_int_equal(http1_write_field(&b, slice_lit("X"), bad), -EINVAL);
    assert_int_equal(http1_write_field(&b, slice_lit("X"), nul), -EINVAL);
    assert_int_equal(http1_write_field(&b, slice_lit("X:"), none), -EINVAL);
    assert_int_equal(http1_write_field(&b, none, none), -EINVAL);
    assert_int_equal(http1_write_status(&b, 200, bad), -EINVAL);
    assert_int_equal(http1_write_status(&b, 99, none), -EINVAL);
    assert_int_equal(http1_write_status(&b, 600, none), -EINVAL);
    assert_int_equal(http1_write_request(&b, slice_lit("GET"), slice_lit("/a b")), -EINVAL);
    assert_int_equal(http1_write_request(&b, slice_lit("GET"), none), -EINVAL);
    assert_int_equal(http1_write_request(&b, slice_lit("G T"), slice_lit("/")), -EINVAL);
    assert_int_equal(b.len, 0);
    buf_free(&b);
}

static void chunk_heads_of_all_sizes(void **state) {
    (void)state;
    char out[HTTP1_CHUNK_HEAD_ROOM];
    assert_slice(slice_make(out, http1_put_chunk_head(out, 1)), "1\r\n");
    assert_slice(slice_make(out, http1_put_chunk_head(out, 0xabc)), "abc\r\n");
    assert_slice(slice_make(out, http1_put_chunk_head(out, SIZE_MAX)), "ffffffffffffffff\r\n");
}

static void a_refused_write_leaves_the_buffer_as_it_was(void **state) {
    (void)state;
    struct buf b = buf_make(20);
    assert_int_equal(http1_write_status(&b, 200, none), 0);
    assert_int_equal(http1_write_field(&b, slice_lit("Name"), slice_lit("value")), -ENOBUFS);
    assert_int_equal(http1_write_field_u64(&b, slice_lit("N"), 1), -ENOBUFS);
    assert_slice(buf_slice(&b), "HTTP/1.1 200 OK\r\n");
    buf_free(&b);
    struct buf empty = buf_make(4096);
    mem_fail_at(1, false);
    int r = http1_write_status(&empty, 200, none);
    mem_fail_at(0, false);
    assert_int_equal(r, -ENOMEM);
    assert_int_equal(empty.len, 0);
}

/* Names and values are judged eight or sixteen bytes at a time where they are usual. */
static void every_byte_is_judged_wherever_it_stands(void **state) {
    (void)state;
    char text[36];
    struct buf b = buf_make(4096);
    for (size_t len = 1; len <= sizeof text; len++)
        for (size_t at = 0; at < len; at++)
            for (unsigned c = 0; c < 256; c++) {
                memset(text, 'a', sizeof text);
                text[at] = (char)c;
                bool tells = (c >= ' ' && c != 0x7f) || c == '\t';
                slice s = slice_make(text, len);
                assert_int_equal(http1_is_token(s), http1_is_token_byte((char)c));
                assert_int_equal(http1_write_field(&b, slice_lit("X"), s), tells ? 0 : -EINVAL);
                buf_clear(&b);
            }
    buf_free(&b);
}

/* What a field's line is read as, by the rules alone. */
static enum http1_error expected_field(slice line, slice *ret_name, slice *ret_value) {
    slice name = slice_cut(line, ':', ret_value);
    bool bad = false;
    for (size_t i = 0; i < name.len; i++)
        bad |= !http1_is_token_byte(name.ptr[i]);
    *ret_name = name;
    *ret_value = slice_trim(*ret_value);
    if (line.ptr[0] == ' ' || line.ptr[0] == '\t')
        return HTTP1_ERROR_FIELD_FOLDED;
    if (name.len == line.len)
        return HTTP1_ERROR_FIELD_COLON;
    const char last = name.len > 0 ? name.ptr[name.len - 1] : '\0';
    if (bad && (last == ' ' || last == '\t'))
        return HTTP1_ERROR_FIELD_BLANK;
    return bad || name.len == 0 ? HTTP1_ERROR_FIELD_NAME : HTTP1_ERROR_NONE;
}

static void every_byte_of_a_name_is_judged_in_lines_of_all_lengths(void **state) {
    (void)state;
    for (size_t len = 1; len <= 40; len++)
        for (size_t at = 0; at < len; at++)
            for (unsigned c = 0; c < 256; c++) {
                char text[60] = "Nnnnnn-nnnnnnnnnnn5nnnnnnnnnnnnnnnnnnnnn"; /* of which len are */
                memcpy(text + len, at % 2 ? ": v" : ":v ", 3);
                text[at] = (char)c;
                char *exact = malloc(len + 3); /* so that no byte behind it is looked at */
                memcpy(exact, text, len + 3);
                struct http1_field field;
                slice name, value, line = slice_make(exact, len + 3);
                enum http1_error expected = expected_field(line, &name, &value);
                assert_int_equal(http1_parse_field(line, &field), expected);
                if (expected == HTTP1_ERROR_NONE) {
                    assert_true(slice_equal(field.name, name));
                    assert_true(slice_equal(field.value, value));
                }
                free(exact);
            }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_consumed_before_the_head_is_whole),
        cmocka_unit_test(bytes_are_walked_once),
        cmocka_unit_test(an_error_is_final),
        cmocka_unit_test(the_side_may_change_between_messages),
        cmocka_unit_test(fields_are_found_by_name),
        cmocka_unit_test(lists_are_cut_at_commas_outside_quotes),
        cmocka_unit_test(every_error_has_a_name_words_and_a_status),
        cmocka_unit_test(tokens_are_of_the_bytes_of_rfc_9110),
        cmocka_unit_test(no_body_ends_without_a_byte),
        cmocka_unit_test(a_counted_body_stops_at_its_end),
        cmocka_unit_test(lines_of_chunks_are_used_though_no_part_came),
        cmocka_unit_test(the_end_of_the_connection_ends_only_what_it_may),
        cmocka_unit_test(a_body_that_failed_stays_failed),
        cmocka_unit_test(a_head_and_the_last_chunk_are_written),
        cmocka_unit_test(what_would_become_another_line_is_not_written),
        cmocka_unit_test(every_byte_is_judged_wherever_it_stands),
        cmocka_unit_test(every_byte_of_a_name_is_judged_in_lines_of_all_lengths),
        cmocka_unit_test(chunk_heads_of_all_sizes),
        cmocka_unit_test(a_refused_write_leaves_the_buffer_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
