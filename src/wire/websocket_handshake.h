/*
 * websocket_handshake.h - the request that asks for a WebSocket, judged, and what its answer says.
 *
 *     GET /live HTTP/1.1                                    HTTP/1.1 101 Switching Protocols
 *     Upgrade: websocket                                    Upgrade: websocket
 *     Connection: Upgrade                                   Connection: Upgrade
 *     Sec-WebSocket-Version: 13
 *     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==           Sec-WebSocket-Accept: s3pPLMBi...
 *     Sec-WebSocket-Protocol: chat.v2, chat.v1              Sec-WebSocket-Protocol: chat.v2
 *
 * The key proves nothing about the client. Its echo, hashed, proves that the server knows what a
 * WebSocket is and was not tricked into answering one. The hash is SHA-1 because RFC 6455 says so;
 * digests are made in io/, so it is made in two steps around the caller's:
 *
 *     websocket_accept_source(key, source);      60 bytes: the key and a constant
 *     (SHA-1 of source, 20 bytes)
 *     websocket_accept_text(digest, text);       28 characters
 *
 * Origin is not judged here: which pages may connect is the route's matter. Extensions that a
 * client offers are passed over, which declines them.
 */
#ifndef NONET_WIRE_WEBSOCKET_HANDSHAKE_H
#define NONET_WIRE_WEBSOCKET_HANDSHAKE_H

#include "wire/http1_fields.h"

enum {
    WEBSOCKET_HANDSHAKE_KEY_LEN = 24, /* characters that stand for 16 bytes */
    WEBSOCKET_ACCEPT_SOURCE_LEN = WEBSOCKET_HANDSHAKE_KEY_LEN + 36,
    WEBSOCKET_ACCEPT_LEN = 28,
    WEBSOCKET_DIGEST_BYTES = 20,
};

#define WEBSOCKET_VERSION "13"

/* A refusal with 426 goes with "Upgrade: websocket" and "Sec-WebSocket-Version: 13", so that the
   client learns what would be taken. */
#define WEBSOCKET_REFUSAL_TABLE(X)                                                                 \
    X(NONE, 101, "not refused")                                                                    \
    X(UPGRADE, 426, "this is a WebSocket: ask with Connection: Upgrade, Upgrade: websocket")       \
    X(METHOD, 400, "a WebSocket is asked for with GET")                                            \
    X(VERSION, 426, "Sec-WebSocket-Version is not 13")                                             \
    X(KEY, 400, "Sec-WebSocket-Key is not one value of 16 bytes in base64")                        \
    X(PROTOCOL, 400, "Sec-WebSocket-Protocol is not a list of tokens")

enum websocket_refusal {
#define X(name, status, text) WEBSOCKET_REFUSED_##name,
    WEBSOCKET_REFUSAL_TABLE(X)
#undef X
        WEBSOCKET_REFUSALS
};

unsigned websocket_refusal_status(enum websocket_refusal refusal);
const char *websocket_refusal_text(enum websocket_refusal refusal);

/* Judges a request with FIELDS. UPGRADE is the value of Upgrade where Connection names it and the
   version is 1.1, else empty. WEBSOCKET_REFUSED_NONE: *ret_key is the key, a slice of the field. */
must_use enum websocket_refusal websocket_judge(slice method, slice upgrade,
                                                const struct http1_field *fields, size_t count,
                                                slice *ret_key);

/* The index in OURS of the first protocol of the client's list, which is in its order of
   preference, that is among them. -1: none is, and the answer goes without the field. Letters count
   with their case. */
ptrdiff_t websocket_choose_protocol(const struct http1_field *fields, size_t count,
                                    const slice *ours, size_t ours_count);

/* KEY as websocket_judge gave it. */
void websocket_accept_source(slice key, char out[WEBSOCKET_ACCEPT_SOURCE_LEN]);
/* The value of Sec-WebSocket-Accept; no NUL. */
void websocket_accept_text(const unsigned char digest[WEBSOCKET_DIGEST_BYTES],
                           char out[WEBSOCKET_ACCEPT_LEN]);

#endif
