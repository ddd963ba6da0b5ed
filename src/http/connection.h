/*
 * connection.h - the inside of http/: a loop's share of a server, a connection, a request. For
 * server.c, connection.c, request.c and reply.c only.
 *
 *     server -- shard (one a loop) -- connection -- requests, oldest first
 *                                        |            [answered][later][streaming][reading]
 *                                        input: rest       '- only the first one writes
 *
 * READING of a connection, what the next bytes are:
 *
 *     IDLE --first byte--> HEAD --whole, accepted--> BODY --whole--> handler; IDLE
 *       '------------ error, last request, drain, client's end ------------> DONE
 *
 * DONE throws input away; once no request is left, the connection closes. STATE of a request:
 *
 *     READING --body whole--> CALLED --http_request_later--> LATER --answer complete--> ANSWERED
 *                               '----------- answer complete --------------------------^
 *
 * Everything runs from one place, http_connection_feed: send what may be sent, read what may be
 * read, until neither goes on. It is not entered twice (busy), so nothing is freed under a
 * handler's feet and nothing recurses, however many requests lie in one read.
 */
#ifndef NONET_HTTP_CONNECTION_H
#define NONET_HTTP_CONNECTION_H

#include "base/list.h"
#include "http/server.h"
#include "wire/http1_body.h"

#define HTTP_SPARE_REQUESTS_MAX 64u
#define HTTP_ARENA_BYTES_MAX (1u << 20)
#define HTTP_CLASSES 4u  /* of statuses: 2xx to 5xx */
#define HTTP_DATE_LEN 29 /* "Sun, 06 Nov 1994 08:49:37 GMT" */

struct http_shard {
    struct http_server *server;
    struct io_loop *loop;
    struct io_tls *tls;            /* NULL: plain text */
    struct http_routes *routes;    /* of the requests to come */
    struct metrics_shard *metrics; /* NULL: none */
    struct list waiting, working;  /* no request under way (longest first); at least one */
    struct list closing;           /* closed by us, output not yet all gone */
    unsigned open, connections, connections_max; /* open: those that we have not closed */
    uint64_t connections_total, requests, refused, held_bytes;
    struct http_login_budget logins;
    struct http1_head head;     /* being judged; large, so one for all connections */
    struct buf scratch;         /* the head of an answer being made */
    struct http_request *spare; /* freed ones that keep their arena */
    unsigned spare_count;
    int64_t date_second;
    char date[HTTP_DATE_LEN + 1];
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

enum http_reading { HTTP_READ_IDLE, HTTP_READ_HEAD, HTTP_READ_BODY, HTTP_READ_DONE };
/* What a connection's clock measures; the last one, answers to a client that has half-closed. */
enum http_clock { CLOCK_NONE, CLOCK_IDLE, CLOCK_HEAD, CLOCK_BODY, CLOCK_END };

struct http_connection {
    struct http_shard *shard;
    struct io_stream *stream;
    struct list_node in_shard;
    struct list requests;
    struct http_request *body_of; /* READING: the last of them */
    slice input;                  /* during feed: what is not yet read */
    struct buf rest;              /* between feeds: the same */
    struct http1_parser parser;
    struct http1_body body;
    struct io_timer clock, write_clock, room; /* room: a turn has flushed since */
    uint64_t requests_seen, body_mark, head_began_ns;
    uint64_t written, taken; /* bytes given to the stream; as the write clock last saw them gone */
    size_t waiting_bytes;    /* in `out` of requests whose turn has not come */
    unsigned in_flight;
    enum http_reading reading;
    enum http_clock clock_of;
    bool busy, closed, paused, tls;
    bool waiting;       /* is in the shard's list of that name */
    bool clock_restart; /* what the clock measures has begun anew */
    bool ended;         /* the client has sent its last */
    bool last;          /* the answer after which we close has been sent */
    bool lost;          /* to be cut as soon as nobody stands on it */
};

enum http_request_state { REQUEST_READING, REQUEST_CALLED, REQUEST_LATER, REQUEST_ANSWERED };

struct http_request {
    struct list_node node; /* of the connection; of the spare ones only next */
    struct http_connection *connection;
    struct arena arena;
    enum http_request_state state;
    slice method, path, target, query, host, upgrade, user;
    struct http1_field *fields;
    size_t field_count;
    uint64_t began_ns, body_length; /* body_length: as announced, UINT64_MAX where it is chunked */
    struct http_routes *routes;     /* what it was chosen by */
    struct http_match match;
    struct buf body, out; /* out: what is to be sent when the turn comes */
    struct http_request_events events;
    void *self;
    bool counted; /* holds a count of its routes, since the loop has others by now */
    bool has_body, head_only, http_1_0, keep_alive, wants_continue;
    bool begun, chunked, wants_room; /* streamed answer */
    bool closes;                     /* the connection ends with this answer */
    bool broken;                     /* the answer cannot be completed */
};

/* connection.c */
void http_connection_accept(struct http_shard *shard, struct io_stream *stream);
/* Sends and reads on. BYTES are new input, or empty; valid during the call. Does nothing where it
   is running already. The connection may be closed afterwards, a request answered is gone. */
void http_connection_feed(struct http_connection *c, slice bytes);
/* Cuts the connection and frees it at once. */
void http_connection_drop(struct http_connection *c);
/* N bytes were written to the stream. */
void http_connection_wrote(struct http_connection *c, size_t n);
/* Someone waits until the stream takes bytes again. */
void http_connection_want_room(struct http_connection *c);

/* request.c */
struct http_request *http_request_new(struct http_connection *c); /* NULL: no memory */
/* Takes over HEAD, whose text is TEXT. 0 or -ENOMEM. */
must_use int http_request_take_head(struct http_request *r, const struct http1_head *head,
                                    slice text);
/* Takes it off its connection. */
void http_request_free(struct http_request *r);
/* The loop is about to have other routes: R, under way, counts its own. */
void http_request_keep_routes(struct http_request *r);
/* Appends within the loop's budget. 0, -ENOBUFS or -ENOMEM. */
must_use int http_hold(struct http_shard *shard, struct buf *b, slice bytes);
void http_let_go(struct http_shard *shard, struct buf *b, size_t bytes); /* from its front */

/* reply.c */
void http_reply_problem_with(struct http_request *r, unsigned status,
                             const struct http1_field *fields, size_t field_count,
                             const char *detail);
/* Sends what the first requests have to send. True where anything has moved. */
bool http_reply_flush(struct http_connection *c);

#endif
