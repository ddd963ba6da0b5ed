/* cmocka wants these four first */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "rooms/gateway/subject_fields.h"
#include "wire/nats_headers.h"

/* An HTTP head as NATS headers, and what a reply says as an HTTP head. The request is played here:
   its method, target and fields are what a test sets. */

static struct request {
    struct arena arena;
    const char *method, *target, *query;
    struct http1_field fields[40];
    size_t count;
} request;

slice http_request_method(const struct http_request *r) {
    (void)r;
    return slice_str(request.method);
}

slice http_request_target(const struct http_request *r) {
    (void)r;
    return slice_str(request.target);
}

slice http_request_query(const struct http_request *r) {
    (void)r;
    return slice_str(request.query);
}

const struct http1_field *http_request_fields(const struct http_request *r, size_t *ret_count) {
    (void)r;
    *ret_count = request.count;
    return request.fields;
}

bool http_request_field(const struct http_request *r, slice name, slice *ret_value) {
    (void)r;
    for (size_t i = 0; i < request.count; i++)
        if (slice_equal_nocase(request.fields[i].name, name)) {
            *ret_value = request.fields[i].value;
            return true;
        }
    return false;
}

struct arena *http_request_arena(struct http_request *r) {
    (void)r;
    return &request.arena;
}

static struct exchange x;

static int set_up(void **state) {
    (void)state;
    request = (struct request){
        .arena = arena_make(0, 1u << 20), .method = "POST", .target = "/bids", .query = ""};
    x = (struct exchange){.client = slice_lit("10.0.0.7"), .request_id = slice_lit("r-1")};
    memcpy(x.traceparent, "00-0123456789abcdef0123456789abcdef-fedcba9876543210-01",
           sizeof x.traceparent);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    arena_free(&request.arena);
    return 0;
}

static void field(const char *name, const char *value) {
    request.fields[request.count++] = (struct http1_field){slice_str(name), slice_str(value)};
}

static slice headers(enum subject_verb verb) {
    slice block;
    assert_int_equal(subject_fields_write(&x, verb, &block), 0);
    return block;
}

static void assert_header(slice block, const char *key, const char *value) {
    slice found;
    bool there = nats_headers_get(block, slice_str(key), &found);
    assert_int_equal(there, value != NULL);
    if (there) {
        assert_int_equal(found.len, strlen(value));
        assert_memory_equal(found.ptr, value, found.len);
    }
}

/* --- to a subject ------------------------------------------------------------------------------
 */

static void test_a_request_tells_what_was_asked_and_by_whom(void **state) {
    (void)state;
    request.method = "GET";
    request.target = "/auctions/7%2F8?full=1";
    request.query = "full=1";
    x.principal = slice_lit("ann");
    slice block = headers(SUBJECT_REQUEST);
    assert_header(block, "Nonet-Method", "GET");
    assert_header(block, "Nonet-Path", "/auctions/7%2F8");
    assert_header(block, "Nonet-Query", "full=1");
    assert_header(block, "Nonet-Principal", "ann");
    assert_header(block, "Nonet-Client", "10.0.0.7");
    assert_header(block, "X-Request-Id", "r-1");
    assert_header(block, "traceparent", "00-0123456789abcdef0123456789abcdef-fedcba9876543210-01");
}

static void test_tracestate_belongs_to_a_trace_that_goes_on(void **state) {
    (void)state;
    field("tracestate", "a=1");
    assert_header(headers(SUBJECT_REQUEST), "tracestate", NULL);
    x.continued = true;
    assert_header(headers(SUBJECT_REQUEST), "tracestate", "a=1");
    assert_header(headers(SUBJECT_PUBLISH), "tracestate", "a=1");
}

static void test_a_target_in_absolute_form_has_a_path_too(void **state) {
    (void)state;
    request.target = "http://shop.example/a/b?q";
    assert_header(headers(SUBJECT_REQUEST), "Nonet-Path", "/a/b");
    request.target = "http://shop.example";
    assert_header(headers(SUBJECT_REQUEST), "Nonet-Path", "/");
    request.target = "/next?to=http://a/b";
    assert_header(headers(SUBJECT_REQUEST), "Nonet-Path", "/next");
    request.target = "*";
    assert_header(headers(SUBJECT_REQUEST), "Nonet-Path", "*");
}

static void test_only_what_is_on_the_list_goes_on_under_its_name_there(void **state) {
    (void)state;
    field("content-type", "application/json");
    field("ACCEPT", "text/html");
    field("If-None-Match", "\"a\"");
    field("Cookie", "session=1");
    field("Authorization", "Bearer x");
    field("X-Api-Key", "secret");
    field("Nonet-Principal", "root");
    field("Nats-Service-Error", "no");
    field("Nonet-Status", "200");
    slice block = headers(SUBJECT_REQUEST);
    assert_header(block, "Content-Type", "application/json");
    assert_header(block, "Accept", "text/html");
    assert_header(block, "If-None-Match", "\"a\"");
    assert_header(block, "Cookie", NULL);
    assert_header(block, "Authorization", NULL);
    assert_header(block, "X-Api-Key", NULL);
    assert_header(block, "Nonet-Principal", NULL);
    assert_header(block, "Nats-Service-Error", NULL);
    assert_header(block, "Nonet-Status", NULL);
}

static void test_a_publish_tells_only_what_belongs_to_the_message(void **state) {
    (void)state;
    field("Content-Type", "text/plain");
    field("Accept", "text/html");
    field("nats-expected-last-sequence", "7");
    field("Nats-Msg-Id", "mine");
    slice block = headers(SUBJECT_PUBLISH);
    assert_header(block, "Content-Type", "text/plain");
    assert_header(block, "Nats-Expected-Last-Sequence", "7");
    assert_header(block, "Accept", NULL);
    assert_header(block, "Nats-Msg-Id", NULL);
    assert_header(block, "Nonet-Method", NULL);
    assert_header(block, "Nonet-Client", NULL);
    assert_header(headers(SUBJECT_REQUEST), "Nats-Expected-Last-Sequence", NULL);
}

static void test_a_websocket_tells_who_and_nothing_of_its_own_request(void **state) {
    (void)state;
    field("Content-Type", "text/plain");
    field("Idempotency-Key", "k");
    x.principal = slice_lit("ann");
    slice block = headers(SUBJECT_WEBSOCKET);
    assert_header(block, "Nonet-Principal", "ann");
    assert_header(block, "X-Request-Id", "r-1");
    assert_header(block, "Content-Type", NULL);
    assert_header(block, "Nats-Msg-Id", NULL);
}

static void test_an_idempotency_key_is_the_id_of_the_message(void **state) {
    (void)state;
    field("Idempotency-Key", "\"8e03978e\"");
    assert_header(headers(SUBJECT_PUBLISH), "Nats-Msg-Id", "8e03978e");
    request.fields[0].value = slice_lit("8e03978e");
    assert_header(headers(SUBJECT_PUBLISH), "Nats-Msg-Id", "8e03978e");
    x.principal = slice_lit("ann");
    assert_header(headers(SUBJECT_PUBLISH), "Nats-Msg-Id", "ann:8e03978e");
    assert_header(headers(SUBJECT_REQUEST), "Idempotency-Key", "8e03978e");
}

static void test_what_cannot_be_said_is_refused(void **state) {
    (void)state;
    slice block;
    char key[SUBJECT_KEY_BYTES_MAX + 2];
    field("Idempotency-Key", "\"\"");
    assert_int_equal(subject_fields_write(&x, SUBJECT_PUBLISH, &block), -EINVAL);
    memset(key, 'k', sizeof key);
    request.fields[0].value = slice_make(key, SUBJECT_KEY_BYTES_MAX + 1);
    assert_int_equal(subject_fields_write(&x, SUBJECT_PUBLISH, &block), -EINVAL);
    request.fields[0].value = slice_make(key, SUBJECT_KEY_BYTES_MAX);
    assert_int_equal(subject_fields_write(&x, SUBJECT_PUBLISH, &block), 0);
    x.principal = slice_lit("a\r\nNonet-Principal: root");
    assert_int_equal(subject_fields_write(&x, SUBJECT_REQUEST, &block), -EINVAL);
}

static void test_more_fields_than_there_is_room_for_are_left_out(void **state) {
    (void)state;
    for (unsigned i = 0; i < 40; i++)
        field("Accept", "text/html");
    slice block = headers(SUBJECT_REQUEST);
    assert_header(block, "Nonet-Path", "/bids");
    assert_header(block, "Accept", "text/html");
}

/* --- from a reply ------------------------------------------------------------------------------
 */

static struct subject_reply reply;

static void read_reply(const char *block, const char *payload) {
    subject_reply_read(slice_str(block), slice_str(payload), &reply);
}

static void assert_field(const char *name, const char *value) {
    for (unsigned i = 0; i < reply.field_count; i++)
        if (slice_equal(reply.fields[i].name, slice_str(name))) {
            assert_non_null(value);
            assert_int_equal(reply.fields[i].value.len, strlen(value));
            assert_memory_equal(reply.fields[i].value.ptr, value, strlen(value));
            return;
        }
    assert_null(value);
}

static void test_a_reply_without_headers_is_200_of_the_type_it_looks_like(void **state) {
    (void)state;
    read_reply("", "{\"a\":1}");
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.error.len, 0);
    assert_int_equal(reply.field_count, 0);
    assert_string_equal(reply.type, "application/json");
    read_reply("", "\r\n [1, 2]\n");
    assert_string_equal(reply.type, "application/json");
    read_reply("", "hello");
    assert_string_equal(reply.type, "text/plain; charset=utf-8");
    read_reply("", "{hello");
    assert_string_equal(reply.type, "text/plain; charset=utf-8");
    read_reply("", "\xff");
    assert_string_equal(reply.type, "application/octet-stream");
    read_reply("", "\x01 control");
    assert_string_equal(reply.type, "application/octet-stream");
    read_reply("", "");
    assert_null(reply.type);
}

static void test_headers_of_a_reply_are_passed_on_but_for_the_carriers(void **state) {
    (void)state;
    read_reply("NATS/1.0\r\nContent-Type: text/csv\r\nETag: \"7\"\r\nSet-Cookie: a=1\r\n"
               "Connection: close\r\ntransfer-encoding: chunked\r\nContent-Length: 9\r\n"
               "Nats-Stream: S\r\nNonet-Status: 201\r\nUpgrade: h2c\r\nbad name: x\r\n"
               "X-Bad: a\x01z\r\nX-Request-Id: theirs\r\nProxy-Authenticate: x\r\n\r\n",
               "a,b");
    assert_int_equal(reply.status, 201);
    assert_null(reply.type);
    assert_field("Content-Type", "text/csv");
    assert_field("ETag", "\"7\"");
    assert_field("Set-Cookie", "a=1");
    assert_int_equal(reply.field_count, 3);
}

static void test_a_status_that_is_none_is_500(void **state) {
    (void)state;
    static const char *const bad[] = {"100", "199", "600", "abc", "-1", "2000"};
    char block[64];
    for (unsigned i = 0; i < array_count(bad); i++) {
        snprintf(block, sizeof block, "NATS/1.0\r\nNonet-Status: %s\r\n\r\n", bad[i]);
        read_reply(block, "");
        assert_int_equal(reply.status, 500);
    }
    read_reply("NATS/1.0\r\nNonet-Status: 599\r\n\r\n", "");
    assert_int_equal(reply.status, 599);
}

static void test_an_error_of_a_service_is_a_status_and_words(void **state) {
    (void)state;
    read_reply("NATS/1.0\r\nNats-Service-Error: no such auction\r\n"
               "Nats-Service-Error-Code: 404\r\n\r\n",
               "");
    assert_int_equal(reply.status, 404);
    assert_int_equal(reply.error.len, 15);
    read_reply("NATS/1.0\r\nNats-Service-Error-Code: 7\r\n\r\n", "");
    assert_int_equal(reply.status, 500);
    assert_true(reply.error.len > 0);
    read_reply("NATS/1.0\r\nNats-Service-Error-Code: 200\r\n\r\n", "");
    assert_int_equal(reply.status, 500);
    read_reply("NATS/1.0 409 Conflict\r\n\r\n", "");
    assert_int_equal(reply.status, 409);
    assert_int_equal(reply.error.len, 8);
    read_reply("NATS/1.0\r\nNats-Service-Error: alone\r\n\r\n", "x");
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.error.len, 0);
}

static void test_a_reply_with_too_many_headers_keeps_the_first(void **state) {
    (void)state;
    char block[8192] = "NATS/1.0\r\n";
    size_t len = strlen(block);
    for (unsigned i = 0; i < 100; i++)
        len += (size_t)snprintf(block + len, sizeof block - len, "X-%u: %u\r\n", i, i);
    snprintf(block + len, sizeof block - len, "Nats-Service-Error-Code: 400\r\n\r\n");
    read_reply(block, "");
    assert_int_equal(reply.field_count, SUBJECT_FIELDS_MAX);
    assert_int_equal(reply.status, 400);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_request_tells_what_was_asked_and_by_whom, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_tracestate_belongs_to_a_trace_that_goes_on, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_target_in_absolute_form_has_a_path_too, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_only_what_is_on_the_list_goes_on_under_its_name_there,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_publish_tells_only_what_belongs_to_the_message,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_websocket_tells_who_and_nothing_of_its_own_request,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_idempotency_key_is_the_id_of_the_message, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_said_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_more_fields_than_there_is_room_for_are_left_out,
                                        set_up, tear_down),
        cmocka_unit_test(test_a_reply_without_headers_is_200_of_the_type_it_looks_like),
        cmocka_unit_test(test_headers_of_a_reply_are_passed_on_but_for_the_carriers),
        cmocka_unit_test(test_a_status_that_is_none_is_500),
        cmocka_unit_test(test_an_error_of_a_service_is_a_status_and_words),
        cmocka_unit_test(test_a_reply_with_too_many_headers_keeps_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
