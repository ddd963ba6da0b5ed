/*
 * nats_write.c - the NATS protocol appended to buffers.
 *
 * Room is made once for the whole of a message, then it is put in one go by the inline functions
 * of nats_write.h; so a message is in the buffer whole or not at all. NATS_FRAME_ROOM covers the
 * longest verb, the blanks, two sizes of 20 digits and two line ends.
 */
#include "wire/nats_write.h"

int nats_write_msg(struct buf *b, slice subject, slice sid, slice reply, slice headers,
                   slice payload) {
    int r = buf_reserve(b, nats_message_room(subject, sid, reply, headers.len + payload.len));
    if (r < 0)
        return r;
    char *out = b->ptr + b->len;
    char *end = headers.len ? nats_put_hmsg(out, subject, sid, reply, headers, payload)
                            : nats_put_msg(out, subject, sid, reply, payload);
    b->len += (size_t)(end - out);
    return 0;
}

int nats_write_pub(struct buf *b, slice subject, slice reply, slice headers, slice payload) {
    int r = buf_reserve(
        b, nats_message_room(subject, (slice){NULL, 0}, reply, headers.len + payload.len));
    if (r < 0)
        return r;
    char *out = b->ptr + b->len;
    char *end = out;
    if (headers.len > 0) {
        end = put_bytes(end, slice_lit("HPUB "));
        end = put_bytes(end, subject);
        end = nats_put_header_line_end(end, reply, headers.len, headers.len + payload.len);
        end = put_bytes(end, headers);
    } else {
        end = put_bytes(end, slice_lit("PUB "));
        end = put_bytes(end, subject);
        end = nats_put_line_end(end, reply, payload.len);
    }
    end = put_crlf(put_bytes(end, payload));
    b->len += (size_t)(end - out);
    return 0;
}

/* VERB and up to three words with a blank before each; empty ones are left out. */
static int write_line(struct buf *b, slice verb, slice first, slice second, slice third) {
    int r = buf_reserve(b, NATS_FRAME_ROOM + first.len + second.len + third.len);
    if (r < 0)
        return r;
    const slice words[] = {first, second, third};
    char *out = b->ptr + b->len;
    char *end = put_bytes(out, verb);
    for (size_t i = 0; i < array_count(words); i++) {
        if (words[i].len == 0)
            continue;
        *end++ = ' ';
        end = put_bytes(end, words[i]);
    }
    end = put_crlf(end);
    b->len += (size_t)(end - out);
    return 0;
}

static const slice nothing = {NULL, 0};

int nats_write_info(struct buf *b, slice json) {
    return write_line(b, slice_lit("INFO"), json, nothing, nothing);
}

int nats_write_connect(struct buf *b, slice json) {
    return write_line(b, slice_lit("CONNECT"), json, nothing, nothing);
}

int nats_write_ok(struct buf *b) {
    return write_line(b, slice_lit("+OK"), nothing, nothing, nothing);
}

int nats_write_ping(struct buf *b) {
    return write_line(b, slice_lit("PING"), nothing, nothing, nothing);
}

int nats_write_pong(struct buf *b) {
    return write_line(b, slice_lit("PONG"), nothing, nothing, nothing);
}

int nats_write_err(struct buf *b, slice text) {
    int r = buf_reserve(b, NATS_FRAME_ROOM + text.len);
    if (r < 0)
        return r;
    char *out = b->ptr + b->len;
    char *end = put_bytes(out, slice_lit("-ERR '"));
    end = put_bytes(end, text);
    *end++ = '\'';
    end = put_crlf(end);
    b->len += (size_t)(end - out);
    return 0;
}

int nats_write_sub(struct buf *b, slice subject, slice queue, slice sid) {
    return write_line(b, slice_lit("SUB"), subject, queue, sid);
}

int nats_write_unsub(struct buf *b, slice sid, uint64_t max) {
    char digits[PUT_U64_ROOM];
    const char *end = put_u64(digits, max);
    return write_line(b, slice_lit("UNSUB"), sid,
                      max ? slice_make(digits, (size_t)(end - digits)) : nothing, nothing);
}
