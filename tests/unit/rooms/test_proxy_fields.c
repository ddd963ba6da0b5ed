/* What of a message goes on: to a service, back to the client, and under which path. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "rooms/gateway/proxy_fields.h"
#include "wire/url.h"

#define TEXT_MAX 16384

static const struct gateway_fields no_changes;

/* A request whose fields are the lines of TEXT, and what is known of it. */
static struct proxy_asked asked_of(const char *text, struct http1_field *room) {
    struct proxy_asked asked = {
        .fields = room,
        .host = slice_lit("shop.example"),
        .peer = slice_lit("203.0.113.7"),
        .request_id = slice_lit("id-1"),
        .traceparent = slice_lit("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        .changes = &no_changes,
    };
    slice rest = slice_str(text);
    while (rest.len) {
        slice line = slice_cut(rest, '\n', &rest);
        slice value, name = slice_cut(line, ':', &value);
        room[asked.field_count++] = (struct http1_field){name, slice_trim(value)};
    }
    return asked;
}

/* The lines of FIELDS, in order. */
static const char *lines_of(const struct http1_field *fields, size_t count) {
    static char text[TEXT_MAX];
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < count; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%.*s: %.*s\n",
                                slice_fmt(fields[i].name), slice_fmt(fields[i].value));
    return text;
}

#define OURS                                                                                       \
    "X-Forwarded-For: 203.0.113.7\n"                                                               \
    "X-Forwarded-Proto: http\n"                                                                    \
    "X-Forwarded-Host: shop.example\n" TRACED
#define TRACED                                                                                     \
    "X-Request-Id: id-1\n"                                                                         \
    "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n"

static void assert_onward(const struct proxy_asked *asked, const char *wanted) {
    struct arena _cleanup_arena_ arena = arena_make(0, 1u << 20);
    struct proxy_fields fields;
    assert_int_equal(proxy_fields_onward(asked, &arena, &fields), 0);
    assert_string_equal(lines_of(fields.fields, fields.count), wanted);
}

static void assert_text_goes_on_as(const char *text, const char *wanted) {
    struct http1_field room[HTTP1_FIELDS_MAX];
    struct proxy_asked asked = asked_of(text, room);
    assert_onward(&asked, wanted);
}

/* --- requests ----------------------------------------------------------------------------------
 */

static void usual_fields_go_on_in_order(void **state) {
    (void)state;
    assert_text_goes_on_as(
        "Accept: */*\nCookie: a=1\nCookie: b=2\nX-Thing: t\nUser-Agent: u\n",
        "Accept: */*\nCookie: a=1\nCookie: b=2\nX-Thing: t\nUser-Agent: u\n" OURS);
}

static void fields_of_the_hop_stay_behind(void **state) {
    (void)state;
    assert_text_goes_on_as("Host: shop.example\nConnection: keep-alive, Upgrade\n"
                           "Keep-Alive: timeout=5\nProxy-Connection: close\nProxy: evil\n"
                           "Proxy-Authorization: x\nProxy-Authenticate: y\nTE: gzip\n"
                           "Transfer-Encoding: chunked\nContent-Length: 3\nUpgrade: websocket\n"
                           "Expect: 100-continue\nHTTP2-Settings: AAA\nTrailer: X-Sum\n",
                           "Trailer: X-Sum\n" OURS);
}

static void te_goes_on_for_trailers_only(void **state) {
    (void)state;
    static const char *const lists[] = {"TE: gzip;q=0.5, Trailers\n", "TE: gzip\n", ""};
    struct arena _cleanup_arena_ arena = arena_make(0, 1u << 20);
    for (size_t i = 0; i < array_count(lists); i++) {
        struct http1_field room[HTTP1_FIELDS_MAX];
        struct proxy_fields fields;
        struct proxy_asked asked = asked_of(lists[i], room);
        assert_int_equal(proxy_fields_onward(&asked, &arena, &fields), 0);
        assert_string_equal(lines_of(fields.fields, fields.count), OURS);
        assert_int_equal(fields.trailers, i == 0);
    }
}

static void what_connection_names_stays_behind(void **state) {
    (void)state;
    assert_text_goes_on_as("connection: close, X-Hop, ,cookie\nx-hop: 1\nCookie: a\nX-Stay: 1\n",
                           "X-Stay: 1\n" OURS);
    /* ours are not the client's to take out */
    assert_text_goes_on_as("Connection: X-Forwarded-For, traceparent, X-Nonet-Principal\n", OURS);
}

static void too_many_names_in_connection_are_refused(void **state) {
    (void)state;
    struct arena _cleanup_arena_ arena = arena_make(0, 1u << 20);
    struct http1_field room[HTTP1_FIELDS_MAX];
    struct proxy_fields fields;
    char text[512];
    size_t len = (size_t)snprintf(text, sizeof text, "Connection: close");
    for (unsigned i = 0; i <= PROXY_NAMED_MAX; i++) {
        struct proxy_asked asked = asked_of(text, room);
        assert_int_equal(proxy_fields_onward(&asked, &arena, &fields), 0);
        len += (size_t)snprintf(text + len, sizeof text - len, ", a%u", i);
    }
    struct proxy_asked asked = asked_of(text, room);
    assert_int_equal(proxy_fields_onward(&asked, &arena, &fields), -EINVAL);
}

static void a_strangers_word_about_clients_is_replaced(void **state) {
    (void)state;
    assert_text_goes_on_as("X-Forwarded-For: 10.0.0.1\nx-forwarded-proto: https\n"
                           "X-Forwarded-Host: bank\nX-Forwarded-Port: 1\nX-Forwarded-Prefix: /p\n"
                           "X-Real-IP: 10.0.0.1\nx_real_ip: 10.0.0.1\n"
                           "X-Nonet-Principal: root\nX_Nonet_Categories: all\n"
                           "X-Request-Id: theirs\ntraceparent: 00-1\n"
                           "tracestate: a=1\nForwarded: for=10.0.0.1\n",
                           "X-Forwarded-For: 203.0.113.7\nX-Forwarded-Proto: http\n"
                           "X-Forwarded-Host: shop.example\n"
                           "Forwarded: for=203.0.113.7;proto=http;host=\"shop.example\"\n" TRACED);
}

static void names_that_are_ours_to_other_software_are_taken_out(void **state) {
    (void)state;
    static const char text[] = "X_Nonet_Principal: root\nX.Forwarded-For: 1\nx-forwarded_proto: 2\n"
                               "Content_Length: 5\nTransfer_Encoding: chunked\nX_Thing: stays\n";
    struct http1_field room[HTTP1_FIELDS_MAX];
    struct proxy_asked asked = asked_of(text, room);
    assert_onward(&asked, "X_Thing: stays\n" OURS);
    asked.trusted = true;
    assert_onward(&asked, "X_Thing: stays\n" OURS);
}

static void a_trusted_proxy_is_believed_and_its_address_put_behind(void **state) {
    (void)state;
    struct http1_field room[HTTP1_FIELDS_MAX];
    struct proxy_asked asked = asked_of("X-Forwarded-For: 192.0.2.1, 10.1.1.1\n"
                                        "X-Forwarded-For: 10.1.1.2\nX-Forwarded-Proto: https\n"
                                        "X-Forwarded-Host: www\nX-Forwarded-Port: 443\n"
                                        "Forwarded: for=192.0.2.1\ntracestate: a=1\n",
                                        room);
    asked.trusted = asked.continued = true;
    asked.peer = slice_lit("2001:db8::1");
    assert_onward(&asked, "X-Forwarded-Proto: https\nX-Forwarded-Host: www\nX-Forwarded-Port: 443\n"
                          "tracestate: a=1\n"
                          "X-Forwarded-For: 192.0.2.1, 10.1.1.1, 10.1.1.2, 2001:db8::1\n"
                          "Forwarded: for=192.0.2.1, for=\"[2001:db8::1]\";proto=http;"
                          "host=\"shop.example\"\n" TRACED);
}

static void a_trusted_proxy_that_says_nothing_is_the_client(void **state) {
    (void)state;
    struct http1_field room[HTTP1_FIELDS_MAX];
    struct proxy_asked asked = asked_of("", room);
    asked.trusted = asked.tls = true;
    asked.traceparent = slice_lit("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00");
    asked.host = (slice){0};
    asked.principal = slice_lit("ann");
    assert_onward(&asked, "X-Forwarded-For: 203.0.113.7\nX-Forwarded-Proto: https\n"
                          "X-Request-Id: id-1\n"
                          "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00\n"
                          "X-Nonet-Principal: ann\n");
}

static void the_route_has_the_last_word(void **state) {
    (void)state;
    static const struct http1_field set[] = {{slice_lit("Accept"), slice_lit("text/plain")},
                                             {slice_lit("host"), slice_lit("inner")},
                                             {slice_lit("X-Forwarded-Proto"), slice_lit("https")}};
    static const struct http1_field add[] = {{slice_lit("X-Add"), slice_lit("2")}};
    static const slice remove[] = {slice_lit("cookie"), slice_lit("Traceparent"),
                                   slice_lit("X-Forwarded-Host")};
    static const struct gateway_fields changes = {.set = set,
                                                  .set_count = 3,
                                                  .add = add,
                                                  .add_count = 1,
                                                  .remove = remove,
                                                  .remove_count = 3};
    static const struct http1_field onward[] = {{slice_lit("X-User"), slice_lit("ann")},
                                                {slice_lit("Cookie"), slice_lit("c")}};
    struct arena _cleanup_arena_ arena = arena_make(0, 1u << 20);
    struct http1_field room[HTTP1_FIELDS_MAX];
    struct proxy_asked asked =
        asked_of("accept: */*\nAccept: a\nCookie: a\nX-Add: 1\nx-user: eve\n", room);
    asked.changes = &changes;
    asked.onward = onward;
    asked.onward_count = 2;
    struct proxy_fields fields;
    assert_int_equal(proxy_fields_onward(&asked, &arena, &fields), 0);
    assert_string_equal(lines_of(fields.fields, fields.count),
                        "X-Add: 1\nX-Forwarded-For: 203.0.113.7\nX-Request-Id: id-1\nX-User: ann\n"
                        "Accept: text/plain\nX-Forwarded-Proto: https\nX-Add: 2\n");
    assert_true(slice_equal(fields.host, slice_lit("inner")));
}

/* --- answers -----------------------------------------------------------------------------------
 */

static void an_answer_leaves_its_hop_behind(void **state) {
    (void)state;
    static struct http1_head head;
    struct http1_field out[HTTP1_FIELDS_MAX];
    struct proxy_asked asked =
        asked_of("Server: s\nConnection: close, X-Hop\nKeep-Alive: 1\nX-Hop: 1\nTE: a\n"
                 "Content-Length: 3\nTransfer-Encoding: chunked\nUpgrade: h2c\nDate: now\n"
                 "Proxy-Authenticate: Basic\nSet-Cookie: a\nSet-Cookie: b\nTrailer: T\nPragma: p\n",
                 head.fields);
    size_t count = 0;
    head.fields_count = asked.field_count;
    assert_int_equal(proxy_fields_back(&head, out, &count), 0);
    assert_string_equal(
        lines_of(out, count),
        "Server: s\nDate: now\nSet-Cookie: a\nSet-Cookie: b\nTrailer: T\nPragma: p\n");
}

static void trailers_that_would_be_believed_in_a_head_are_left_out(void **state) {
    (void)state;
    struct http1_field out[HTTP1_FIELDS_MAX];
    slice section = slice_lit("grpc-status: 0\r\nContent-Length: 4\r\ncontent-type: a\r\n"
                              "Host: x\r\nX-Nonet-Principal: root\r\nX_Forwarded_For: 1\r\n"
                              "Authorization: b\r\nIf-Match: c\r\nTransfer-Encoding: chunked\r\n"
                              "Digest: d\r\n\r\n");
    assert_string_equal(lines_of(out, proxy_trailers(section, out)), "grpc-status: 0\nDigest: d\n");
}

/* --- the target --------------------------------------------------------------------------------
 */

static void assert_target(const char *sent, const char *wanted) {
    struct arena _cleanup_arena_ arena = arena_make(0, 1u << 20);
    char path[256];
    slice target = slice_str(sent), query, got;
    size_t len;
    assert_int_equal(url_path_normalize(url_cut_query(target, &query), path, &len), 0);
    assert_int_equal(proxy_target(target, slice_make(path, len), &arena, &got), 0);
    if (!slice_equal(got, slice_str(wanted)))
        fail_msg("'%s' became '%.*s', not '%s'", sent, slice_fmt(got), wanted);
}

static void a_path_goes_on_as_it_was_sent_or_in_its_one_form(void **state) {
    (void)state;
    static const char *const same[] = {
        "/",      "/a/b?c=%2f..", "/a%20b/%3F%3b?x", "/a;v=1/b",   "/%7Euser/?", "/a/b/",
        "/a%25b", "/a?/../b",     "/a|b\"<>{}^`",    "/%e4%B8%ad", "/a+b"};
    static const char *const changed[][2] = {
        {"/a/../b?q=1", "/b?q=1"},
        {"/a//b", "/a/b"},
        {"/./a", "/a"},
        {"/a/%2e%2e/b", "/b"},
        {"/a/./b%3F%3Bc?", "/a/b%3F%3Bc?"},
        {"/x/../a;b", "/a%3Bb"},
        {"//a%25", "/a%25"},
        {"/a/..", "/"},
    };
    for (size_t i = 0; i < array_count(same); i++)
        assert_target(same[i], same[i]);
    for (size_t i = 0; i < array_count(changed); i++)
        assert_target(changed[i][0], changed[i][1]);
}

static void a_rewritten_path_keeps_the_query(void **state) {
    (void)state;
    struct arena _cleanup_arena_ arena = arena_make(0, 1u << 20);
    slice got;
    assert_int_equal(
        proxy_target_rewritten(slice_lit("/a?b=%20"), slice_lit("/v2/a%20"), &arena, &got), 0);
    assert_true(slice_equal(got, slice_lit("/v2/a%20?b=%20")));
    assert_int_equal(proxy_target_rewritten(slice_lit("/a"), slice_lit("/v2"), &arena, &got), 0);
    assert_true(slice_equal(got, slice_lit("/v2")));
}

static void what_a_step_takes_out_does_not_go_on(void **state) {
    (void)state;
    static const struct http1_field onward[] = {{slice_lit("X-API-Key"), {NULL, 0}},
                                                {slice_lit("X-User"), {NULL, 0}},
                                                {slice_lit("X-Empty"), slice_lit("")}};
    struct http1_field room[HTTP1_FIELDS_MAX];
    struct proxy_asked asked = asked_of(
        "x-api-key: secret\nX-User: eve\nX-User: root\nX-Empty: x\nX-Thing: stays\n", room);
    asked.onward = onward;
    asked.onward_count = 3;
    assert_onward(&asked, "X-Thing: stays\n" OURS "X-Empty: \n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_step_takes_out_does_not_go_on),
        cmocka_unit_test(usual_fields_go_on_in_order),
        cmocka_unit_test(fields_of_the_hop_stay_behind),
        cmocka_unit_test(te_goes_on_for_trailers_only),
        cmocka_unit_test(what_connection_names_stays_behind),
        cmocka_unit_test(too_many_names_in_connection_are_refused),
        cmocka_unit_test(a_strangers_word_about_clients_is_replaced),
        cmocka_unit_test(names_that_are_ours_to_other_software_are_taken_out),
        cmocka_unit_test(a_trusted_proxy_is_believed_and_its_address_put_behind),
        cmocka_unit_test(a_trusted_proxy_that_says_nothing_is_the_client),
        cmocka_unit_test(the_route_has_the_last_word),
        cmocka_unit_test(an_answer_leaves_its_hop_behind),
        cmocka_unit_test(trailers_that_would_be_believed_in_a_head_are_left_out),
        cmocka_unit_test(a_path_goes_on_as_it_was_sent_or_in_its_one_form),
        cmocka_unit_test(a_rewritten_path_keeps_the_query),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
