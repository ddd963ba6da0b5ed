/*
 * websocket.h - WebSocket (RFC 6455) after its handshake, parsed: bytes in, messages out.
 *
 *      byte 0            byte 1
 *     |F|R R R|opcode 4|M|length 7| length: 2 bytes after 126, 8 after 127 | key: 4 if M | payload
 *      |  '- reserved, 0 '- masked: always from a client, never from a server
 *      '- the last frame of its message
 *
 * A message of text or bytes may come in several frames, and short control frames (ping, pong,
 * close) may come between these. Their payloads are put together, unmasked, in the parser's own
 * buffer: bytes must be rewritten anyway, and what a connection reads is gone after the call.
 *
 *     while ((r = websocket_parse(&parser, slice_skip(input, used), &event, &consumed)) == 1)
 *         used += consumed;        // ... and handle the event
 *     r == 0: all of the input is used; nothing is left over for the caller to keep
 *     r < 0:  send a close frame with websocket_error_code(parser.error), then close
 *
 * Refused, as soon as the byte that is wrong is there: reserved bits and opcodes, a mask where none
 * belongs or none where it does, a length not in its shortest form, control frames that are long
 * or in pieces, a continuation of nothing, a message inside another, text that is not UTF-8 (it
 * is validated as it comes, over the borders of frames), and in a close frame codes that may not
 * be sent. So the result depends on the bytes only, never on how they were cut into reads.
 *
 * Extensions are not offered. permessage-deflate trades memory for bytes (a window of up to 64 KiB
 * a connection and direction, or a worse ratio), and makes a message's size known only after the
 * work; TLS and proxies in front compress where it pays.
 *
 * Bound: message_bytes_max. The buffer grows with the bytes that came, not with those announced,
 * and websocket_parser_trim gives it back between messages.
 */
#ifndef NONET_WIRE_WEBSOCKET_H
#define NONET_WIRE_WEBSOCKET_H

#include "base/buf.h"
#include "wire/websocket_error.h"

enum {
    WEBSOCKET_HEAD_MAX = 14,     /* bytes before the payload of a frame */
    WEBSOCKET_KEY_BYTES = 4,     /* of a mask */
    WEBSOCKET_CONTROL_MAX = 125, /* payload of a control frame */
    WEBSOCKET_REASON_MAX = WEBSOCKET_CONTROL_MAX - 2,
    WEBSOCKET_MESSAGE_MAX = 1024 * 1024, /* default of message_bytes_max */
};

/* Who sent the bytes: decides whether they are masked. */
enum websocket_sender { WEBSOCKET_CLIENT, WEBSOCKET_SERVER };

/* The opcodes. An event is never a WEBSOCKET_MORE. */
enum websocket_kind {
    WEBSOCKET_MORE = 0x0, /* goes on with the message of the frames before */
    WEBSOCKET_TEXT = 0x1,
    WEBSOCKET_BINARY = 0x2,
    WEBSOCKET_CLOSE = 0x8,
    WEBSOCKET_PING = 0x9,
    WEBSOCKET_PONG = 0xa,
};

struct websocket_event {
    enum websocket_kind kind;
    unsigned code; /* CLOSE: why; WEBSOCKET_CODE_NONE where the peer did not say. Else 0 */
    slice payload; /* a whole message; CLOSE: the reason in words, maybe empty */
};

/* One for each direction of a connection. Owns its buffer; a few hundred bytes without it. */
struct websocket_parser {
    uint32_t message_bytes_max;
    uint8_t sender;       /* enum websocket_sender */
    uint8_t error;        /* enum websocket_error; set once, final */
    uint8_t message_kind; /* of the message under way; 0: none is */
    uint8_t frame_kind;   /* of the frame under way */
    bool frame_last;
    bool in_payload; /* the frame's head was read */
    bool closed;     /* CLOSE was given */
    uint8_t head_len;
    uint8_t head[WEBSOCKET_HEAD_MAX];
    unsigned char key[WEBSOCKET_KEY_BYTES]; /* turned: begins with the byte for the next one */
    uint64_t left;                          /* bytes of the frame's payload that have not come */
    size_t checked;                         /* so many bytes of the message are good UTF-8 */
    size_t control_len;                     /* bytes of a control frame, behind the message's */
    struct buf message;
};

/* A parser of what SENDER sends. Allocates nothing; MESSAGE_BYTES_MAX at most 2^31. */
struct websocket_parser websocket_parser_make(enum websocket_sender sender,
                                              uint32_t message_bytes_max);
void websocket_parser_free(struct websocket_parser *p);

/* Takes one event from the start of INPUT.
   1: *ret_event, its payload valid until the next call; *ret_consumed bytes of INPUT are used.
   0: *ret_consumed is all of INPUT, more is needed. After CLOSE the rest is thrown away so.
   -EPROTO, -ENOMEM: `error` says why; every later call says the same. */
must_use int websocket_parse(struct websocket_parser *p, slice input,
                             struct websocket_event *ret_event, size_t *ret_consumed);

/* Nothing is under way: a peer that leaves now has not cut anything short. */
bool websocket_parser_idle(const struct websocket_parser *p);

/* Gives the buffer's memory back where nothing is under way; the last payload is gone then. */
void websocket_parser_trim(struct websocket_parser *p);

/* BYTES masked, or unmasked, which is the same: to OUT, which may be where they lie or anything
   before. KEY is turned, so that the next bytes of the same frame go on with it. */
void websocket_mask(char *out, slice bytes, unsigned char key[WEBSOCKET_KEY_BYTES]);

/* "text", "close" ... */
const char *websocket_kind_name(enum websocket_kind kind);

#endif
