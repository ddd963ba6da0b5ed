/*
 * nats_write.h - the NATS client protocol 1.x, written.
 *
 * Two layers. nats_put_*() write into room that the caller has reserved and return the new end;
 * they are inline because a server delivers every message through nats_put_msg(). For each there
 * is a nats_*_room() that is never below what the call writes, so that one buf_reserve() covers
 * it. nats_write_*() append to a struct buf with that reservation made: 0, -ENOBUFS or -ENOMEM,
 * and on failure nothing was appended.
 *
 *     MSG subject sid [reply] size\r\n payload\r\n
 *     HMSG subject sid [reply] header-size total-size\r\n headers payload\r\n
 *
 * The writers trust their arguments: a subject or sid with a blank or a line end in it would
 * break the framing, and it is the caller's duty (nats_subject.h) that none gets here.
 * nats_put_msg_head() and nats_put_hmsg_head() write the line only, for a payload that is sent
 * from where it lies.
 */
#ifndef NONET_WIRE_NATS_WRITE_H
#define NONET_WIRE_NATS_WRITE_H

#include "base/buf.h"
#include "wire/put.h"

/* Bytes of the longest line around the arguments: verb, blanks, two sizes, two line ends. */
enum { NATS_FRAME_ROOM = 64 };

/* Room for MSG, HMSG, PUB or HPUB, with or without headers. */
static inline size_t nats_message_room(slice subject, slice sid, slice reply, size_t body_len) {
    return NATS_FRAME_ROOM + subject.len + sid.len + reply.len + body_len;
}

/* " [reply] size\r\n" */
static inline char *nats_put_line_end(char *out, slice reply, size_t size) {
    if (reply.len > 0) {
        *out++ = ' ';
        out = put_bytes(out, reply);
    }
    *out++ = ' ';
    out = put_u64(out, size);
    return put_crlf(out);
}

static inline char *nats_put_msg_head(char *out, slice subject, slice sid, slice reply,
                                      size_t payload_len) {
    memcpy(out, "MSG ", 4);
    out = put_bytes(out + 4, subject);
    *out++ = ' ';
    out = put_bytes(out, sid);
    return nats_put_line_end(out, reply, payload_len);
}

static inline char *nats_put_msg(char *out, slice subject, slice sid, slice reply, slice payload) {
    out = nats_put_msg_head(out, subject, sid, reply, payload.len);
    out = put_bytes(out, payload);
    return put_crlf(out);
}

/* " [reply] header-size total-size\r\n" */
static inline char *nats_put_header_line_end(char *out, slice reply, size_t headers_len,
                                             size_t total) {
    if (reply.len > 0) {
        *out++ = ' ';
        out = put_bytes(out, reply);
    }
    *out++ = ' ';
    out = put_u64(out, headers_len);
    *out++ = ' ';
    out = put_u64(out, total);
    return put_crlf(out);
}

static inline char *nats_put_hmsg_head(char *out, slice subject, slice sid, slice reply,
                                       size_t headers_len, size_t payload_len) {
    memcpy(out, "HMSG ", 5);
    out = put_bytes(out + 5, subject);
    *out++ = ' ';
    out = put_bytes(out, sid);
    return nats_put_header_line_end(out, reply, headers_len, headers_len + payload_len);
}

static inline char *nats_put_hmsg(char *out, slice subject, slice sid, slice reply, slice headers,
                                  slice payload) {
    out = nats_put_hmsg_head(out, subject, sid, reply, headers.len, payload.len);
    out = put_bytes(out, headers);
    out = put_bytes(out, payload);
    return put_crlf(out);
}

/* From a server. REPLY and HEADERS may be empty; with headers it is an HMSG. */
must_use int nats_write_msg(struct buf *b, slice subject, slice sid, slice reply, slice headers,
                            slice payload);
must_use int nats_write_info(struct buf *b, slice json);
must_use int nats_write_ok(struct buf *b);
must_use int nats_write_err(struct buf *b, slice text); /* quotes are added */

/* From a client. REPLY, HEADERS and QUEUE may be empty; with headers it is an HPUB. */
must_use int nats_write_connect(struct buf *b, slice json);
must_use int nats_write_pub(struct buf *b, slice subject, slice reply, slice headers,
                            slice payload);
must_use int nats_write_sub(struct buf *b, slice subject, slice queue, slice sid);
must_use int nats_write_unsub(struct buf *b, slice sid, uint64_t max); /* 0 = at once */

/* From either. */
must_use int nats_write_ping(struct buf *b);
must_use int nats_write_pong(struct buf *b);

#endif
