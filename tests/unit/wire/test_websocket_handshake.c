/*
 * The request for a WebSocket: which is taken, which is refused and with what, and the answer.
 */
#include "wire_test.h"

#include "wire/websocket_handshake.h"

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="

struct ask {
    slice method, upgrade;
    struct http1_field fields[8];
    size_t count;
};

/* A request that is taken, for a case to change. */
static struct ask good(void) {
    return (struct ask){
        .method = slice_lit("GET"),
        .upgrade = slice_lit("websocket"),
        .fields = {{slice_lit("Host"), slice_lit("localhost")},
                   {slice_lit("Sec-WebSocket-Version"), slice_lit("13")},
                   {slice_lit("Sec-WebSocket-Key"), slice_lit(KEY)}},
        .count = 3,
    };
}

static void add(struct ask *a, slice name, slice value) {
    assert_true(a->count < array_count(a->fields));
    a->fields[a->count++] = (struct http1_field){name, value};
}

static enum websocket_refusal judge(const struct ask *a, slice *ret_key) {
    return websocket_judge(a->method, a->upgrade, a->fields, a->count, ret_key);
}

static void assert_refused(const struct ask *a, enum websocket_refusal refusal, unsigned status) {
    slice key = slice_lit("untouched");
    assert_int_equal(judge(a, &key), refusal);
    assert_int_equal(websocket_refusal_status(refusal), status);
    assert_true(strlen(websocket_refusal_text(refusal)) > 0);
    assert_slice(key, "untouched");
}

static void a_request_of_the_rfc_is_taken(void **state) {
    (void)state;
    struct ask a = good();
    slice key;
    assert_int_equal(judge(&a, &key), WEBSOCKET_REFUSED_NONE);
    assert_slice(key, KEY);
}

static void names_are_compared_without_case(void **state) {
    (void)state;
    struct ask a = good();
    slice key;
    a.upgrade = slice_lit("h2c, WebSocket");
    a.fields[1].name = slice_lit("SEC-WEBSOCKET-VERSION");
    a.fields[2].name = slice_lit("sec-websocket-key");
    assert_int_equal(judge(&a, &key), WEBSOCKET_REFUSED_NONE);
}

static void what_asks_for_something_else_gets_426(void **state) {
    (void)state;
    static const slice upgrades[] = {
        {NULL, 0}, slice_lit("h2c"), slice_lit("websockets"), slice_lit("\"websocket\"")};
    for (size_t i = 0; i < array_count(upgrades); i++) {
        struct ask a = good();
        a.upgrade = upgrades[i];
        assert_refused(&a, WEBSOCKET_REFUSED_UPGRADE, 426);
    }
}

static void another_method_is_refused(void **state) {
    (void)state;
    struct ask a = good();
    a.method = slice_lit("POST");
    assert_refused(&a, WEBSOCKET_REFUSED_METHOD, 400);
}

static void another_version_gets_426(void **state) {
    (void)state;
    static const slice versions[] = {slice_lit("8"), slice_lit("013"), slice_lit("13, 8"),
                                     slice_lit("")};
    for (size_t i = 0; i < array_count(versions); i++) {
        struct ask a = good();
        a.fields[1].value = versions[i];
        assert_refused(&a, WEBSOCKET_REFUSED_VERSION, 426);
    }
    struct ask a = good();
    add(&a, slice_lit("Sec-WebSocket-Version"), slice_lit("13"));
    assert_refused(&a, WEBSOCKET_REFUSED_VERSION, 426);
    a = good();
    a.fields[1].name = slice_lit("Version");
    assert_refused(&a, WEBSOCKET_REFUSED_VERSION, 426);
}

static void a_key_is_16_bytes_in_base64_once(void **state) {
    (void)state;
    static const slice keys[] = {
        slice_lit(""),
        slice_lit("dGhlIHNhbXBsZSBub25jZQ"),       /* no padding */
        slice_lit("dGhlIHNhbXBsZSBub25jZR=="),     /* unused bits that are not zero */
        slice_lit("dGhlIHNhbXBsZSBub25jZQQ="),     /* 17 bytes */
        slice_lit("dGhlIHNhbXBsZSBub25j"),         /* 15 bytes */
        slice_lit("dGhlIHNhbXBsZSBub25jZQ==dGhl"), /* more behind it */
        slice_lit("dGhlIHNhbXBsZSBub25_ZQ=="),     /* the URL's alphabet */
    };
    for (size_t i = 0; i < array_count(keys); i++) {
        struct ask a = good();
        a.fields[2].value = keys[i];
        assert_refused(&a, WEBSOCKET_REFUSED_KEY, 400);
    }
    struct ask a = good();
    add(&a, slice_lit("sec-websocket-key"), slice_lit(KEY));
    assert_refused(&a, WEBSOCKET_REFUSED_KEY, 400);
    a.count = 2;
    assert_refused(&a, WEBSOCKET_REFUSED_KEY, 400);
}

static void a_protocol_is_a_token(void **state) {
    (void)state;
    struct ask a = good();
    slice key;
    add(&a, slice_lit("Sec-WebSocket-Protocol"), slice_lit("chat.v2, , nats"));
    assert_int_equal(judge(&a, &key), WEBSOCKET_REFUSED_NONE);
    add(&a, slice_lit("Sec-WebSocket-Protocol"), slice_lit("a b"));
    assert_refused(&a, WEBSOCKET_REFUSED_PROTOCOL, 400);
}

static void the_clients_order_decides(void **state) {
    (void)state;
    static const slice ours[] = {slice_lit("one"), slice_lit("two"), slice_lit("three")};
    struct ask a = good();
    assert_int_equal(websocket_choose_protocol(a.fields, a.count, ours, 3), -1);
    add(&a, slice_lit("Sec-WebSocket-Protocol"), slice_lit("zero, ONE"));
    assert_int_equal(websocket_choose_protocol(a.fields, a.count, ours, 3), -1);
    add(&a, slice_lit("X-Other"), slice_lit("one"));
    add(&a, slice_lit("sec-websocket-protocol"), slice_lit("four,three , two"));
    assert_int_equal(websocket_choose_protocol(a.fields, a.count, ours, 3), 2);
    assert_int_equal(websocket_choose_protocol(a.fields, a.count, ours, 2), 1);
    assert_int_equal(websocket_choose_protocol(a.fields, a.count, ours, 0), -1);
}

/* The digest of the example in RFC 6455, 1.3. */
static void the_answer_is_that_of_the_rfc(void **state) {
    (void)state;
    static const unsigned char digest[WEBSOCKET_DIGEST_BYTES] = {
        0xb3, 0x7a, 0x4f, 0x2c, 0xc0, 0x62, 0x4f, 0x16, 0x90, 0xf6,
        0x46, 0x06, 0xcf, 0x38, 0x59, 0x45, 0xb2, 0xbe, 0xc4, 0xea};
    char source[WEBSOCKET_ACCEPT_SOURCE_LEN], text[WEBSOCKET_ACCEPT_LEN];
    websocket_accept_source(slice_lit(KEY), source);
    assert_slice(slice_make(source, sizeof(source)), KEY "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    websocket_accept_text(digest, text);
    assert_slice(slice_make(text, sizeof(text)), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_of_the_rfc_is_taken),
        cmocka_unit_test(names_are_compared_without_case),
        cmocka_unit_test(what_asks_for_something_else_gets_426),
        cmocka_unit_test(another_method_is_refused),
        cmocka_unit_test(another_version_gets_426),
        cmocka_unit_test(a_key_is_16_bytes_in_base64_once),
        cmocka_unit_test(a_protocol_is_a_token),
        cmocka_unit_test(the_clients_order_decides),
        cmocka_unit_test(the_answer_is_that_of_the_rfc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
