/*
 * websocket.c - the parser of websocket.h.
 *
 *     HEAD --last byte of it--> PAYLOAD --last byte of it, may be at once--> HEAD
 *                                  '-- of a message's last frame, of a control frame: an event
 *
 * The bytes of a head are gathered in the parser, where it is judged from its first byte on as far
 * as it goes; so a head that comes byte by byte is refused for the same reason as a whole one.
 * The payload is unmasked into the buffer in the step that copies it:
 *
 *     message.ptr            message.len
 *      |== message so far =====|-- control frame between its pieces --|
 *                 '- checked
 *
 * A control frame lies behind the message and is not counted in its length. Room for the longest
 * is made when its head is read, and nothing is appended to the message before it ends.
 */
#include "wire/websocket.h"

#include "base/utf8.h"

#include <errno.h>

enum {
    BIT_LAST = 0x80,
    BITS_RESERVED = 0x70,
    BITS_OPCODE = 0x0f,
    BIT_CONTROL = 0x08, /* of an opcode */
    BIT_MASKED = 0x80,
    BITS_LENGTH = 0x7f,
    LENGTH_IN_2 = 126,
    LENGTH_IN_8 = 127,
    CODE_BYTES = 2,
};

struct websocket_parser websocket_parser_make(enum websocket_sender sender,
                                              uint32_t message_bytes_max) {
    check(message_bytes_max <= UINT32_C(1) << 31);
    return (struct websocket_parser){
        .message_bytes_max = message_bytes_max,
        .sender = (uint8_t)sender,
        .message = buf_make((size_t)message_bytes_max + WEBSOCKET_CONTROL_MAX),
    };
}

void websocket_parser_free(struct websocket_parser *p) {
    buf_free(&p->message);
}

bool websocket_parser_idle(const struct websocket_parser *p) {
    return !p->message_kind && !p->in_payload && p->head_len == 0;
}

void websocket_parser_trim(struct websocket_parser *p) {
    if (!p->message_kind && !p->in_payload)
        buf_free(&p->message);
}

const char *websocket_kind_name(enum websocket_kind kind) {
    switch (kind) {
    case WEBSOCKET_MORE:
        return "more";
    case WEBSOCKET_TEXT:
        return "text";
    case WEBSOCKET_BINARY:
        return "binary";
    case WEBSOCKET_CLOSE:
        return "close";
    case WEBSOCKET_PING:
        return "ping";
    case WEBSOCKET_PONG:
        return "pong";
    }
    return "reserved";
}

/* Eight bytes a step: word by word is as fast as memory, and compilers widen it further. Read
   before written, from front to back, so that OUT may lie before or at BYTES. */
void websocket_mask(char *out, slice bytes, unsigned char key[WEBSOCKET_KEY_BYTES]) {
    unsigned char twice[8];
    uint64_t mask;
    memcpy(twice, key, WEBSOCKET_KEY_BYTES);
    memcpy(twice + WEBSOCKET_KEY_BYTES, key, WEBSOCKET_KEY_BYTES);
    memcpy(&mask, twice, sizeof(mask));
    size_t i = 0;
    for (; bytes.len - i >= sizeof(mask); i += sizeof(mask)) {
        uint64_t word;
        memcpy(&word, bytes.ptr + i, sizeof(word));
        word ^= mask;
        memcpy(out + i, &word, sizeof(word));
    }
    for (; i < bytes.len; i++)
        out[i] = (char)(bytes.ptr[i] ^ (char)twice[i % sizeof(twice)]);
    memcpy(key, twice + bytes.len % WEBSOCKET_KEY_BYTES, WEBSOCKET_KEY_BYTES);
}

static __attribute__((cold, noinline)) int refuse(struct websocket_parser *p,
                                                  enum websocket_error error) {
    p->error = (uint8_t)error;
    return error == WEBSOCKET_ERROR_NO_MEMORY ? -ENOMEM : -EPROTO;
}

static bool is_control(unsigned opcode) {
    return opcode & BIT_CONTROL;
}

/* What the first byte of a head says. */
static enum websocket_error judge_opcode(const struct websocket_parser *p, unsigned first) {
    const unsigned opcode = first & BITS_OPCODE;
    if (first & BITS_RESERVED)
        return WEBSOCKET_ERROR_RESERVED_BITS;
    if ((opcode & ~(unsigned)BIT_CONTROL) > WEBSOCKET_BINARY)
        return WEBSOCKET_ERROR_OPCODE;
    if (is_control(opcode))
        return first & BIT_LAST ? WEBSOCKET_ERROR_NONE : WEBSOCKET_ERROR_CONTROL_IN_PIECES;
    if (opcode == WEBSOCKET_MORE)
        return p->message_kind ? WEBSOCKET_ERROR_NONE : WEBSOCKET_ERROR_NOTHING_TO_CONTINUE;
    return p->message_kind ? WEBSOCKET_ERROR_MESSAGE_IN_MESSAGE : WEBSOCKET_ERROR_NONE;
}

/* What the second byte says. */
static enum websocket_error judge_mask(const struct websocket_parser *p, unsigned second) {
    const bool masked = second & BIT_MASKED;
    if (masked != (p->sender == WEBSOCKET_CLIENT))
        return masked ? WEBSOCKET_ERROR_MASKED : WEBSOCKET_ERROR_UNMASKED;
    if (is_control(p->head[0]) && (second & BITS_LENGTH) > WEBSOCKET_CONTROL_MAX)
        return WEBSOCKET_ERROR_CONTROL_TOO_LONG;
    return WEBSOCKET_ERROR_NONE;
}

/* The length, from the 7 bits or the LENGTH_BYTES behind them. */
static enum websocket_error judge_length(const struct websocket_parser *p, size_t length_bytes,
                                         uint64_t *ret_length) {
    uint64_t length = length_bytes ? 0 : p->head[1] & BITS_LENGTH;
    for (size_t i = 0; i < length_bytes; i++)
        length = length << 8 | p->head[2 + i];
    if ((length_bytes == 2 && length < LENGTH_IN_2) ||
        (length_bytes == 8 && (length <= UINT16_MAX || length > INT64_MAX)))
        return WEBSOCKET_ERROR_LENGTH;
    if (!is_control(p->head[0])) {
        const size_t before = p->message_kind ? p->message.len : 0;
        check(before <= p->message_bytes_max);
        if (length > p->message_bytes_max - before)
            return WEBSOCKET_ERROR_MESSAGE_TOO_LARGE;
    }
    *ret_length = length;
    return WEBSOCKET_ERROR_NONE;
}

/* Judges the head as far as it has come: its length where it is whole, 0 where more is needed, or
   an error. */
static int judge_head(struct websocket_parser *p, uint64_t *ret_payload) {
    enum websocket_error error;
    if (p->head_len < 1)
        return 0;
    if ((error = judge_opcode(p, p->head[0])) != WEBSOCKET_ERROR_NONE)
        return refuse(p, error);
    if (p->head_len < 2)
        return 0;
    if ((error = judge_mask(p, p->head[1])) != WEBSOCKET_ERROR_NONE)
        return refuse(p, error);
    const unsigned short_length = p->head[1] & BITS_LENGTH;
    const size_t length_bytes = short_length == LENGTH_IN_8   ? 8
                                : short_length == LENGTH_IN_2 ? 2
                                                              : 0;
    const size_t key_bytes = p->sender == WEBSOCKET_CLIENT ? WEBSOCKET_KEY_BYTES : 0;
    if (p->head_len < 2 + length_bytes)
        return 0;
    if ((error = judge_length(p, length_bytes, ret_payload)) != WEBSOCKET_ERROR_NONE)
        return refuse(p, error);
    if (p->head_len < 2 + length_bytes + key_bytes)
        return 0;
    memset(p->key, 0, sizeof(p->key));
    memcpy(p->key, p->head + 2 + length_bytes, key_bytes);
    return (int)(2 + length_bytes + key_bytes);
}

/* A whole head was read: sets the parser before the payload, of LENGTH bytes. */
static int begin_payload(struct websocket_parser *p, uint64_t length) {
    p->frame_last = p->head[0] & BIT_LAST;
    p->frame_kind = p->head[0] & BITS_OPCODE;
    p->in_payload = true;
    p->left = length;
    if (!p->message_kind)
        buf_clear(&p->message);
    if (is_control(p->frame_kind)) {
        p->control_len = 0;
        if (length > 0 && buf_reserve(&p->message, WEBSOCKET_CONTROL_MAX) < 0)
            return refuse(p, WEBSOCKET_ERROR_NO_MEMORY);
    } else if (p->frame_kind != WEBSOCKET_MORE) {
        p->message_kind = p->frame_kind;
        p->checked = 0;
    }
    return 1;
}

/* Takes what there is of a head off *INPUT. 1: whole; 0: more is needed; or an error. */
static int take_head(struct websocket_parser *p, slice *input) {
    const size_t before = p->head_len;
    const slice more = slice_take(*input, WEBSOCKET_HEAD_MAX - before);
    uint64_t length = 0;
    if (more.len > 0)
        memcpy(p->head + before, more.ptr, more.len);
    p->head_len = (uint8_t)(before + more.len);
    int r = judge_head(p, &length);
    if (r < 0)
        return r;
    *input = slice_skip(*input, r > 0 ? (size_t)r - before : more.len);
    if (r == 0)
        return 0;
    p->head_len = 0;
    return begin_payload(p, length);
}

/* The text so far is good; where it is WHOLE its last code point must be, too. */
static bool text_is_good(struct websocket_parser *p, bool whole) {
    slice rest = slice_skip(buf_slice(&p->message), p->checked);
    const size_t good = utf8_valid_prefix(rest);
    p->checked += good;
    rest = slice_skip(rest, good);
    return rest.len == 0 || (!whole && utf8_incomplete(rest));
}

static int give(struct websocket_event *ret_event, enum websocket_kind kind, unsigned code,
                slice payload) {
    *ret_event = (struct websocket_event){.kind = kind, .code = code, .payload = payload};
    return 1;
}

static int end_close(struct websocket_parser *p, slice payload, struct websocket_event *ret_event) {
    unsigned code = WEBSOCKET_CODE_NONE;
    if (payload.len == 1)
        return refuse(p, WEBSOCKET_ERROR_CLOSE_SHORT);
    if (payload.len >= CODE_BYTES) {
        code = (unsigned)(unsigned char)payload.ptr[0] << 8 | (unsigned char)payload.ptr[1];
        if (!websocket_code_sendable(code))
            return refuse(p, WEBSOCKET_ERROR_CLOSE_CODE);
        payload = slice_skip(payload, CODE_BYTES);
        if (!utf8_valid(payload))
            return refuse(p, WEBSOCKET_ERROR_CLOSE_REASON);
    }
    p->closed = true;
    return give(ret_event, WEBSOCKET_CLOSE, code, payload);
}

static int end_control(struct websocket_parser *p, struct websocket_event *ret_event) {
    slice payload = {NULL, 0};
    if (p->control_len > 0)
        payload = slice_make(p->message.ptr + p->message.len, p->control_len);
    if (p->frame_kind == WEBSOCKET_CLOSE)
        return end_close(p, payload, ret_event);
    return give(ret_event, (enum websocket_kind)p->frame_kind, 0, payload);
}

static int end_data(struct websocket_parser *p, struct websocket_event *ret_event) {
    const enum websocket_kind kind = (enum websocket_kind)p->message_kind;
    if (!p->frame_last)
        return 0;
    if (kind == WEBSOCKET_TEXT && !text_is_good(p, true))
        return refuse(p, WEBSOCKET_ERROR_TEXT);
    p->message_kind = 0;
    return give(ret_event, kind, 0, buf_slice(&p->message));
}

/* Unmasks BYTES behind what there is of the frame. 0 or an error. */
static int take_bytes(struct websocket_parser *p, slice bytes) {
    const bool control = is_control(p->frame_kind);
    if (bytes.len == 0)
        return 0;
    if (!control && buf_reserve(&p->message, bytes.len) < 0)
        return refuse(p, WEBSOCKET_ERROR_NO_MEMORY);
    const size_t behind = p->message.len + (control ? p->control_len : 0);
    check(p->message.cap - behind >= bytes.len);
    websocket_mask(p->message.ptr + behind, bytes, p->key);
    if (control) {
        p->control_len += bytes.len;
        return 0;
    }
    p->message.len += bytes.len;
    if (p->message_kind == WEBSOCKET_TEXT && !text_is_good(p, false))
        return refuse(p, WEBSOCKET_ERROR_TEXT);
    return 0;
}

/* Takes what there is of the payload off *INPUT. 1: an event; 0: none; or an error. */
static int take_payload(struct websocket_parser *p, slice *input,
                        struct websocket_event *ret_event) {
    const slice bytes = slice_take(*input, p->left < input->len ? (size_t)p->left : input->len);
    int r = take_bytes(p, bytes);
    if (r < 0)
        return r;
    *input = slice_skip(*input, bytes.len);
    p->left -= bytes.len;
    if (p->left > 0)
        return 0;
    p->in_payload = false;
    return is_control(p->frame_kind) ? end_control(p, ret_event) : end_data(p, ret_event);
}

static int next_event(struct websocket_parser *p, slice *rest, struct websocket_event *ret_event) {
    int r;
    do {
        if (!p->in_payload && (r = take_head(p, rest)) <= 0)
            return r;
        r = take_payload(p, rest, ret_event);
    } while (r == 0 && !p->in_payload); /* a piece of a message has ended */
    return r;
}

int websocket_parse(struct websocket_parser *p, slice input, struct websocket_event *ret_event,
                    size_t *ret_consumed) {
    slice rest = p->closed ? slice_skip(input, input.len) : input;
    if (unlikely(p->error))
        return refuse(p, (enum websocket_error)p->error);
    int r = p->closed ? 0 : next_event(p, &rest, ret_event);
    check(r != 0 || rest.len == 0);
    if (r >= 0)
        *ret_consumed = input.len - rest.len;
    return r;
}
