/*
 * websocket_handshake.c - the fields of a WebSocket's request, read.
 *
 * What tells that the client wants something else entirely (no Upgrade, another version) is judged
 * first and answered with what it would have to say; the rest is mistakes, answered with 400. A
 * field that must come once is refused where it comes twice, even with the same value: software on
 * the way might believe either.
 */
#include "wire/websocket_handshake.h"

#include "base/base64.h"

enum { NONCE_BYTES = 16 };

static const struct {
    unsigned status;
    const char *text;
} refusals[WEBSOCKET_REFUSALS] = {
#define X(name, status, text) {status, text},
    WEBSOCKET_REFUSAL_TABLE(X)
#undef X
};

unsigned websocket_refusal_status(enum websocket_refusal refusal) {
    check(refusal < WEBSOCKET_REFUSALS);
    return refusals[refusal].status;
}

const char *websocket_refusal_text(enum websocket_refusal refusal) {
    check(refusal < WEBSOCKET_REFUSALS);
    return refusals[refusal].text;
}

/* The value of the one field NAME. False where there is none, or more than one. */
static bool get_only(const struct http1_field *fields, size_t count, slice name, slice *ret_value) {
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        if (slice_equal_nocase(fields[i].name, name)) {
            *ret_value = fields[i].value;
            found++;
        }
    }
    return found == 1;
}

static bool names_websocket(slice upgrade) {
    slice protocol;
    while (http1_next_element(&upgrade, &protocol)) {
        if (slice_equal_nocase(protocol, slice_lit("websocket")))
            return true;
    }
    return false;
}

static bool is_key(slice text) {
    char nonce[NONCE_BYTES];
    size_t len = 0;
    return text.len == WEBSOCKET_HANDSHAKE_KEY_LEN &&
           base64_decode(BASE64_STANDARD, text, nonce, sizeof(nonce), &len) == 0 &&
           len == sizeof(nonce);
}

/* Walks the client's list over all its lines: calls of one give the elements one after another. */
struct protocols {
    const struct http1_field *fields;
    size_t left;
    slice list;
};

static bool next_protocol(struct protocols *walk, slice *ret_protocol) {
    while (!http1_next_element(&walk->list, ret_protocol)) {
        do {
            if (walk->left == 0)
                return false;
            walk->left--;
            walk->fields++;
        } while (!slice_equal_nocase(walk->fields[-1].name, slice_lit("sec-websocket-protocol")));
        walk->list = walk->fields[-1].value;
    }
    return true;
}

enum websocket_refusal websocket_judge(slice method, slice upgrade,
                                       const struct http1_field *fields, size_t count,
                                       slice *ret_key) {
    slice version, key, protocol;
    if (!names_websocket(upgrade))
        return WEBSOCKET_REFUSED_UPGRADE;
    if (!slice_equal(method, slice_lit("GET")))
        return WEBSOCKET_REFUSED_METHOD;
    if (!get_only(fields, count, slice_lit("sec-websocket-version"), &version) ||
        !slice_equal(version, slice_lit(WEBSOCKET_VERSION)))
        return WEBSOCKET_REFUSED_VERSION;
    if (!get_only(fields, count, slice_lit("sec-websocket-key"), &key) || !is_key(key))
        return WEBSOCKET_REFUSED_KEY;
    struct protocols walk = {.fields = fields, .left = count};
    while (next_protocol(&walk, &protocol)) {
        if (!http1_is_token(protocol))
            return WEBSOCKET_REFUSED_PROTOCOL;
    }
    *ret_key = key;
    return WEBSOCKET_REFUSED_NONE;
}

ptrdiff_t websocket_choose_protocol(const struct http1_field *fields, size_t count,
                                    const slice *ours, size_t ours_count) {
    struct protocols walk = {.fields = fields, .left = count};
    slice protocol;
    while (next_protocol(&walk, &protocol)) {
        for (size_t i = 0; i < ours_count; i++) {
            if (slice_equal(protocol, ours[i]))
                return (ptrdiff_t)i;
        }
    }
    return -1;
}

void websocket_accept_source(slice key, char out[WEBSOCKET_ACCEPT_SOURCE_LEN]) {
    static const slice constant = slice_lit("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    check(key.len + constant.len == WEBSOCKET_ACCEPT_SOURCE_LEN);
    memcpy(out, key.ptr, key.len);
    memcpy(out + key.len, constant.ptr, constant.len);
}

void websocket_accept_text(const unsigned char digest[WEBSOCKET_DIGEST_BYTES],
                           char out[WEBSOCKET_ACCEPT_LEN]) {
    size_t len = base64_encode(BASE64_STANDARD, slice_make(digest, WEBSOCKET_DIGEST_BYTES), out);
    check(len == WEBSOCKET_ACCEPT_LEN);
}
