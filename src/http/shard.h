/*
 * shard.h - the inside of http/: a server, and a loop's share of it. For the server's files only.
 *
 *     server -- shard (one a loop) -- connection (connection.h) -- requests (request_inside.h)
 *
 * A shard is touched by its loop alone once the listener is open. It keeps what connections share:
 * budgets, the head that is being judged, the head that is being made, requests that have ended
 * and wait with their arenas for the next ones.
 */
#ifndef NONET_HTTP_SHARD_H
#define NONET_HTTP_SHARD_H

#include "base/list.h"
#include "http/server.h"
#include "wire/http1.h"

#define HTTP_SPARE_REQUESTS_MAX 1024u /* 5 KB each, as many as were under way at once */
#define HTTP_ARENA_BYTES_MAX (1u << 20)
#define HTTP_CLASSES 5u /* of statuses: 1xx to 5xx */

struct http_shard {
    struct http_server *server;
    struct io_loop *loop;
    struct io_tls *tls;            /* NULL: plain text */
    struct http_routes *routes;    /* of the requests to come */
    struct metrics_shard *metrics; /* NULL: none */
    struct list waiting, working;  /* no request under way (longest first); at least one */
    struct list closing;           /* closed by us, output not yet all gone */
    unsigned open, connections, connections_max; /* open: those that we have not closed */
    uint64_t held_bytes;
    struct http_login_budget logins;
    struct http1_head head;     /* being judged; large, so one for all connections */
    struct buf scratch;         /* the head of an answer being made */
    struct http_request *spare; /* freed ones that keep their arena */
    unsigned spare_count;
    int64_t date_second;
    char date_line[48]; /* "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" */
    bool draining;
    void (*drained)(void *argument);
    void *drained_argument;
};

struct http_server {
    char *name;
    const struct http_guard *guard;
    struct http_limits limits;
    struct logger *logger;
    struct io_listener *listener;
    struct io_loop *listener_loop;
    struct metric connections, connections_total, answers[HTTP_CLASSES];
    char address[64];
    unsigned loop_first, loop_count;
    struct http_shard shards[]; /* one a loop */
};

/* connection.c */
void http_connection_accept(struct http_shard *shard, struct io_stream *stream);
/* One connection less: the last one of a drain is told. The shard may be gone afterwards. */
void http_shard_forget(struct http_shard *shard);

/* request.c: appends within the loop's budget. 0, -ENOBUFS or -ENOMEM. */
must_use int http_hold(struct http_shard *shard, struct buf *b, slice bytes);
void http_let_go(struct http_shard *shard, struct buf *b, size_t bytes); /* from its front */

/* reply.c: "Date: ...\r\n" of this second. */
slice http_date_line(struct http_shard *shard);

static inline void http_count_answer(struct http_shard *shard, unsigned status) {
    if (shard->metrics)
        metrics_count(shard->metrics, shard->server->answers[status / 100 - 1], 1);
}

#endif
