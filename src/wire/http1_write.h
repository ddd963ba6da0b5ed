/*
 * http1_write.h - heads and chunks of HTTP/1.1 messages, written.
 *
 * A head is a first line, fields, an end. The writers refuse what would let a value become a line
 * of its own (response splitting): names must be tokens, values, targets and reasons may not
 * hold control bytes; -EINVAL, and nothing was appended. Framing is the caller's: one of
 * Content-Length and Transfer-Encoding, never both.
 */
#ifndef NONET_WIRE_HTTP1_WRITE_H
#define NONET_WIRE_HTTP1_WRITE_H

#include "base/buf.h"

enum {
    HTTP1_WRITTEN_MAX = 64 * 1024, /* bytes of a head, or of trailers, that we send */
    HTTP1_CHUNK_HEAD_ROOM = 18,    /* 16 digits and CR LF */
    HTTP1_REQUEST_ROOM = 12,       /* a request line is so much longer than its method and target */
    HTTP1_FIELD_ROOM = 4,          /* and a field's than its name and value */
};

/* "HTTP/1.1 404 Not Found\r\n"; STATUS 100 to 599. An empty REASON gives the usual one. */
must_use int http1_write_status(struct buf *b, unsigned status, slice reason);

/* "GET /path HTTP/1.1\r\n"; no blank or control byte in TARGET. */
must_use int http1_write_request(struct buf *b, slice method, slice target);

/* Whether TEXT may be a field's value or a reason: no control byte but tab. */
bool http1_is_value(slice text);

/* "Name: value\r\n" */
must_use int http1_write_field(struct buf *b, slice name, slice value);
must_use int http1_write_field_u64(struct buf *b, slice name, uint64_t value);

/* The same two at OUT, where there is room. The new end; NULL where it may not be sent, and what
   was written at OUT means nothing. */
must_use char *http1_put_request(char *out, slice method, slice target);
must_use char *http1_put_field(char *out, slice name, slice value);

/* The empty line. */
must_use int http1_write_end(struct buf *b);

/* The line before SIZE bytes of data, for data that is sent from where it lies; OUT has
   HTTP1_CHUNK_HEAD_ROOM bytes. Returns its length. The data is followed by "\r\n". */
size_t http1_put_chunk_head(char *out, size_t size);

/* "0\r\n": fields may follow, then http1_write_end(). */
must_use int http1_write_last_chunk(struct buf *b);

/* "Not Found", or "" for a status without a usual reason. */
const char *http1_reason(unsigned status);

#endif
