/*
 * events.h - what a codec made of some bytes, as lines of text.
 *
 * Pages, fuzz harnesses and the differential test all ask the same thing: feed these bytes, cut
 * in that way, and tell what came out. The text does not show how the bytes were cut: data that
 * came in several parts is one line. So a parser is right when every cut gives the same text.
 *
 * The bytes that are fed lie in a fresh allocation of exactly their size each time, so that a
 * sanitizer sees a read past what the parser was given.
 */
#ifndef NONET_TESTS_WIRE_EVENTS_H
#define NONET_TESTS_WIRE_EVENTS_H

#include "base/buf.h"
#include "wire/http1.h"
#include "wire/nats.h"
#include "wire/pgwire.h"
#include "wire/websocket.h"

enum { EVENTS_MAX = 8 * 1024 * 1024 }; /* bytes of text */

/* How input is cut into reads: the first of FIRST bytes, all others of STEP; both above 0. */
struct cuts {
    size_t first;
    size_t step;
};

static inline struct cuts cuts_whole(slice input) {
    return (struct cuts){input.len + 1, 1};
}

/* Appends the events of INPUT to OUT, one a line, escaped. What OUT cannot take is a bug of the
   test and ends the program. */
void events_nats(struct nats_parser parser, slice input, struct cuts cuts, struct buf *out);

/* The same for HTTP/1; after the input the connection ends. */
void events_http1(struct http1_parser parser, slice input, struct cuts cuts, struct buf *out);

/* The same for WebSocket frames. PARSER is used up. */
void events_websocket(struct websocket_parser *parser, slice input, struct cuts cuts,
                      struct buf *out);

/* The same for what a client of PostgreSQL sends. */
void events_pgwire(struct pgwire_parser parser, slice input, struct cuts cuts, struct buf *out);

/* TEXT in quotes with \r \n \t \" \\ \xNN; long text is cut and its length told. */
void events_quote(struct buf *out, slice text);

#endif
