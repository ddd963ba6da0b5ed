/*
 * desk.h - a server on one simulated machine, and strangers who write to it from another.
 *
 *     struct desk *desk = desk_open(seed, NULL);
 *     struct stranger *s = desk_stranger(desk);
 *     stranger_says(s, "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
 *     desk_run(desk, SIM_SECOND);
 *     assert_answer(s, "HTTP/1.1 200 OK\r\n...");
 *     desk_close(desk);
 *
 * The clock is virtual, so waiting costs nothing. The desk has these paths:
 *
 *     GET  /hello           "hello"
 *     POST /echo            the body back; at most 64 KiB of it
 *     GET  /items/{id}      the parameter
 *     GET  /later           kept in desk->later[], in order, for the test to answer
 *     GET  /stream          desk->stream_bytes bytes, written 10,000 at a time with push-back
 *     GET  /close           an answer that ends the connection
 *     GET  /bad-field       an answer with a field that would split it
 *     any  /asked/ and more what the request's functions say, a line each
 */
#ifndef NONET_TESTS_HTTP_DESK_H
#define NONET_TESTS_HTTP_DESK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "http/server.h"
#include "sim.h"

#define DESK_LATER_MAX 64
#define DESK_STRANGERS_MAX 64
/* When a stranger has left, the server knows: at once from a reset; from an end, which might be
   half of one, when write_ns is over. */
#define DESK_PATIENCE (40 * SIM_SECOND)
#define GET(path) "GET " path " HTTP/1.1\r\nHost: localhost\r\n\r\n"

struct stranger {
    struct desk *desk;
    struct io_stream *stream; /* NULL once it is gone */
    struct buf got;
    bool ended, closed; /* the server's end was heard; all is over */
    int reason;
};

struct kept {
    struct http_request *request; /* NULL: gone */
    unsigned gone, rooms, ends;
};

struct desk {
    struct sim *sim;
    struct io_host *host[2];
    struct io_group *group[2];
    struct http_routes *routes;
    struct http_server *server;
    struct stranger strangers[DESK_STRANGERS_MAX];
    unsigned stranger_count;
    struct kept later[DESK_LATER_MAX];
    unsigned later_count;
    unsigned calls; /* of any handler */
    uint64_t stream_bytes, streamed;
    unsigned stream_full; /* how often a write was put off */
    struct kept stream;
};

/* What the server's loop holds. */
struct desk_stats {
    unsigned connections;
    uint64_t held_bytes;
};

/* OPTIONS gives limits and a guard; the rest is the desk's. May be NULL. */
struct desk *desk_open(uint64_t seed, const struct http_server_options *options);
/* Everything that was opened must have been closed by now; strangers are sent away. */
void desk_close(struct desk *desk);
void desk_run(struct desk *desk, uint64_t span_ns);
struct io_loop *desk_loop(struct desk *desk); /* the server's */
/* Takes the desk's paths away and puts ROUTE in their place. */
void desk_serve_only(struct desk *desk, const struct http_route *route);
struct desk_stats desk_stats(struct desk *desk);

struct stranger *desk_stranger(struct desk *desk); /* connected */
void stranger_says_bytes(struct stranger *s, slice bytes);
void stranger_says(struct stranger *s, const char *text);
/* One byte a millisecond. */
void stranger_drawls(struct stranger *s, slice bytes);
void stranger_leaves(struct stranger *s); /* cuts the connection */

/* How many answers with STATUS were got, and what the first answer's field and body are. */
unsigned answers(const struct stranger *s, const char *status);
slice stranger_got(const struct stranger *s);
bool got_contains(const struct stranger *s, const char *text);

/* "HTTP/1.1 200 OK\r\nDate: ...GMT\r\n" + REST is all that was got, once. */
void assert_got(const struct stranger *s, const char *rest);
/* The server has refused with STATUS as a problem, and has ended the connection. */
void assert_refused(struct desk *desk, struct stranger *s, const char *status);

#endif
