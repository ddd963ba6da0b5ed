/* What --json says of a message. */
#include "cli_test.h"

#include "cli/output.h"

#include <stdio.h>

static void assert_json(const struct nats_client_message *message, const char *expected) {
    struct buf text = buf_make(1u << 20);
    struct json_writer w = json_writer_make(&text, false);
    json_write_object(&w);
    output_message_members(&w, message);
    json_write_end(&w);
    assert_int_equal(json_write_finish(&w), 0);
    assert_slice(buf_slice(&text), expected);
    buf_free(&text);
}

static void a_plain_message(void **state) {
    (void)state;
    const struct nats_client_message m = {.subject = slice_lit("a.b"),
                                          .payload = slice_lit("{\"x\":1}\n")};
    assert_json(&m, "{\"subject\":\"a.b\",\"payload\":\"{\\\"x\\\":1}\\n\"}");
}

static void reply_and_headers_where_there_are_some(void **state) {
    (void)state;
    const struct nats_client_message m = {
        .subject = slice_lit("a"),
        .reply = slice_lit("_INBOX.1"),
        .headers = slice_lit("NATS/1.0\r\nK: v\r\nL: 1\r\nK: w\r\n\r\n"),
    };
    assert_json(&m, "{\"subject\":\"a\",\"reply\":\"_INBOX.1\","
                    "\"headers\":{\"K\":[\"v\",\"w\"],\"L\":[\"1\"]},\"payload\":\"\"}");
}

static void a_status_is_told(void **state) {
    (void)state;
    const struct nats_client_message m = {.subject = slice_lit("a"),
                                          .headers = slice_lit("NATS/1.0 503\r\n\r\n")};
    assert_json(&m, "{\"subject\":\"a\",\"status\":503,\"headers\":{},\"payload\":\"\"}");
}

static void bytes_that_are_no_text_come_as_base64(void **state) {
    (void)state;
    const struct nats_client_message m = {.subject = slice_lit("a"),
                                          .payload = slice_lit("\xff\x00z")};
    assert_json(&m, "{\"subject\":\"a\",\"payload_base64\":\"/wB6\"}");
}

static void headers_without_end_are_bounded(void **state) {
    (void)state;
    struct buf block = buf_make(1u << 20), text = buf_make(1u << 20);
    assert_int_equal(buf_append(&block, slice_lit("NATS/1.0\r\n")), 0);
    for (unsigned i = 0; i < OUTPUT_HEADERS_MAX + 3; i++)
        assert_int_equal(buf_printf(&block, "k%u: v\r\n", i), 0);
    assert_int_equal(buf_append(&block, slice_lit("\r\n")), 0);
    const struct nats_client_message m = {.subject = slice_lit("a"), .headers = buf_slice(&block)};
    struct json_writer w = json_writer_make(&text, false);
    json_write_object(&w);
    output_message_members(&w, &m);
    json_write_end(&w);
    assert_int_equal(json_write_finish(&w), 0);
    assert_true(slice_find_slice(buf_slice(&text), slice_lit("\"k511\":")) > 0);
    assert_true(slice_find_slice(buf_slice(&text), slice_lit("\"k512\":")) < 0);
    assert_true(slice_find_slice(buf_slice(&text), slice_lit("\"headers_left_out\":3")) > 0);
    buf_free(&block);
    buf_free(&text);
}

static void counts_are_grouped(void **state) {
    (void)state;
    char text[32];
    assert_string_equal(output_count(0, text), "0");
    assert_string_equal(output_count(999, text), "999");
    assert_string_equal(output_count(1000, text), "1,000");
    assert_string_equal(output_count(UINT64_MAX, text), "18,446,744,073,709,551,615");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_message),
        cmocka_unit_test(reply_and_headers_where_there_are_some),
        cmocka_unit_test(a_status_is_told),
        cmocka_unit_test(bytes_that_are_no_text_come_as_base64),
        cmocka_unit_test(headers_without_end_are_bounded),
        cmocka_unit_test(counts_are_grouped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
