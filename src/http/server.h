/*
 * server.h - an HTTP/1.1 server: a listener, its connections on one loop or several, a route table.
 *
 *            first byte        head whole            body whole
 *     IDLE ------------> HEAD ------------> BODY ------------------> handler, IDLE (or HEAD)
 *      | idle_ns          | head_ns: 408     | body_ns: 408
 *      '-----------> closed <----------------'      bad bytes: 400 (431, 501 ...), then closed
 *
 * A route that streams has its handler called with the head, and the body as it comes (request.h).
 *
 * Requests are read ahead of their answers (pipelining), at most `in_flight_max` a connection and
 * only while the client takes what it was sent; answers leave in the order of the requests. Bytes
 * that are ambiguous are refused and the connection closed (wire/http1.h): nothing behind them is
 * read. A client that has half-closed still gets its answers, while it takes them (write_ns).
 * Upgrade is the handler's to grant (http_reply_upgrade) or to ignore, as RFC 9110 7.8 allows;
 * nothing behind a request with Upgrade is read before it is answered.
 *
 * BOUNDS, each with its answer: connections (the one that has waited longest without a request
 * under way makes room, else 503), heads (431, 414), bodies (413), memory of requests and waiting
 * answers of one loop (503, or the end), time (408, or the end), answers not taken (the end).
 * An idle connection costs its two structs, well under 4 KiB.
 *
 * One server, one table, any loops: what belongs to a loop (connections, budgets, the text of
 * Date) is kept apart per loop, nothing is shared but what does not change.
 */
#ifndef NONET_HTTP_SERVER_H
#define NONET_HTTP_SERVER_H

#include "base/error.h"
#include "base/metrics.h"
#include "http/guard.h"
#include "http/reply.h"
#include "http/routes.h"
#include "io/logger.h"
#include "io/net.h"
#include "io/tls.h"

struct http_server;

/* 0 in a field: the default in brackets. */
struct http_limits {
    unsigned connections_max; /* [4096], dealt evenly to the loops */
    unsigned in_flight_max;   /* [16] requests of one connection not yet answered */
    uint64_t held_bytes_max;  /* [64 MiB] of one loop: partial input, bodies, waiting answers */
    uint64_t head_ns;         /* [10 s] from a head's first byte to its last */
    uint64_t body_ns;         /* [30 s] for each 64 KiB of a body, or less at its end */
    uint64_t idle_ns;         /* [60 s] between an answer and the next request */
    uint64_t write_ns;        /* [30 s] without any byte taken by the client */
    uint64_t requests_per_connection_max; /* [no bound] then the connection is closed */
};

/* What an `io_tls_options.alpn` of a server's may offer. */
extern const char *const http_protocols[];

struct http_server_options {
    const char *name;    /* of the listener, in log lines and metrics: "admin" */
    const char *address; /* as io_listen's */
    unsigned loop_first, loop_count;
    struct http_routes *routes;     /* sealed by opening, counted by the server */
    struct io_tls *tls;             /* counted by the server; NULL: plain text */
    const struct http_guard *guard; /* outlives the server; NULL: everybody may ask anything */
    struct http_limits limits;
    struct logger *logger;   /* NULL allowed */
    struct metrics *metrics; /* NULL: none are kept; else shard INDEX belongs to loop INDEX */
};

/* Opens on LOOP (its own thread, or before the group runs). 0, or negative with words. */
must_use int http_server_open(struct io_loop *loop, const struct http_server_options *options,
                              struct http_server **ret_server, struct error *ret_error);
/* "127.0.0.1:41234" */
const char *http_server_address(const struct http_server *server);
/* On the loop that opened it: no new connections. */
void http_server_stop(struct http_server *server);
/* On each loop: TLS of the connections to come (a reload), counted by the server. Only a server
   that was opened with TLS takes another. */
void http_server_set_tls(struct http_server *server, struct io_loop *loop, struct io_tls *tls);
/* On each loop: routes of the requests to come (a reload), sealed, counted by the server. Requests
   under way keep those that they were chosen by. */
void http_server_set_routes(struct http_server *server, struct io_loop *loop,
                            struct http_routes *routes);
/* On each loop, after http_server_stop: idle connections close, others after their answers. DONE
   once none is left on this loop, perhaps in this call. Streamed answers are their owners' to end.
 */
void http_server_drain(struct http_server *server, struct io_loop *loop,
                       void (*done)(void *argument), void *argument);
/* On each loop: cuts what is left; unanswered requests hear on_gone in this call. The listener
   goes with the loop that opened it. */
void http_server_close(struct http_server *server, struct io_loop *loop);
/* After every loop's close, or after the loops have ended. NULL allowed, returns NULL. */
struct http_server *http_server_free(struct http_server *server);

/* GET handler: everything in a registry (OWNER is its struct metrics) in Prometheus' text format
   0.0.4. */
void http_metrics_handler(void *owner, struct http_request *request);

#endif
