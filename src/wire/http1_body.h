/*
 * http1_body.h - the body of an HTTP/1.1 message: bytes in, parts out.
 *
 *     chunk:    size-in-hex [;name[=value]]... CR LF  data CR LF
 *     end:      0 CR LF  trailer fields... CR LF
 *
 *     body = http1_body_make(&head)
 *     r = http1_body_next(&body, slice_skip(input, used), &part, &consumed)
 *     r >= 0: used += consumed
 *     r == 1: part.kind == HTTP1_DATA: part.bytes points into the input
 *             part.kind == HTTP1_END:  the message is complete, part.bytes are its trailers
 *     r == 0: keep the rest of the input, read more, ask again. At the end of the connection:
 *             http1_body_close() says whether that is where the body may end.
 *
 * Data is handed on as it comes; it is only the line of a chunk and the trailers that must lie
 * together, so at most max(HTTP1_CHUNK_LINE_MAX, HTTP1_TRAILERS_MAX) bytes are ever kept back.
 * Chunk extensions are checked and thrown away, within a bound per line and one per body.
 */
#ifndef NONET_WIRE_HTTP1_BODY_H
#define NONET_WIRE_HTTP1_BODY_H

#include "wire/http1.h"

enum {
    HTTP1_CHUNK_LINE_MAX = 512,       /* size, extensions and CR LF of one chunk */
    HTTP1_EXTENSIONS_MAX = 16 * 1024, /* bytes of extensions in one body */
    HTTP1_TRAILERS_MAX = 8 * 1024,    /* with the empty line */
};

enum http1_part_kind { HTTP1_DATA, HTTP1_END };

struct http1_part {
    enum http1_part_kind kind;
    slice bytes; /* DATA: never empty. END: trailers for http1_next_field(), or empty */
};

enum http1_body_state {
    HTTP1_BODY_COUNTED, /* `left` bytes, then done */
    HTTP1_BODY_CHUNK,   /* before the line of a chunk */
    HTTP1_BODY_CHUNK_DATA,
    HTTP1_BODY_CHUNK_END, /* before the CR LF behind data */
    HTTP1_BODY_TRAILERS,
    HTTP1_BODY_OPEN, /* until the connection ends, or a tunnel: all is data */
    HTTP1_BODY_DONE, /* END was given */
};

struct http1_body {
    uint8_t state;       /* enum http1_body_state */
    uint8_t error;       /* enum http1_error, final */
    uint32_t extensions; /* bytes of extensions so far */
    uint64_t left;
    struct http1_scan scan; /* of the trailers */
};

/* Before the body of HEAD. */
struct http1_body http1_body_make(const struct http1_head *head);

/* False for a field that was needed before the body (framing, routing) and may not stand behind it:
   refused when it is read, left out when trailers are sent. */
bool http1_may_trail(slice name);

/* Takes the next part from the start of INPUT. *ret_consumed bytes were used, also where the answer
   is 0: more input is needed. 1: *ret_part (END may need no byte). -EPROTO: body->error says why.
   After END it must not be asked again. */
must_use int http1_body_next(struct http1_body *body, slice input, struct http1_part *ret_part,
                             size_t *ret_consumed);

/* The connection has ended and all input was used. 0 where the message is complete now; -EPROTO
   where it is cut short, body->error is TRUNCATED. */
must_use int http1_body_close(struct http1_body *body);

#endif
