/*
 * connection.h - the inside of http/: a connection of a server. For the server's files only.
 *
 *     shard -- connection -- requests, oldest first
 *                 |            [answered][later][streaming][reading]
 *              input: rest       '- only the first one writes
 *
 * READING of a connection, what the next bytes are:
 *
 *     IDLE --first byte--> HEAD --accepted--> BODY --whole--> handler, or on_body_end; IDLE
 *       |                    |                  '- of a route that streams: the handler is called
 *       |                    |                     first, and it is read while somebody wants it
 *       |                    '--without body--> handler; IDLE
 *       |------------ error, last request, answered before the body's end, drain, end ----> DONE
 *       '------------ answered with 101 ---> GIVEN (upgrade.c)
 *
 * DONE throws input away; once no request is left, the connection closes. GIVEN leaves the input
 * to the stream's next owner. The STATE of a request is drawn in request_inside.h.
 *
 * Everything runs from one place, http_connection_feed: send what may be sent, read what may be
 * read, until neither goes on. It is not entered twice (busy), so nothing is freed under a
 * handler's feet and nothing recurses, however many requests lie in one read.
 */
#ifndef NONET_HTTP_CONNECTION_H
#define NONET_HTTP_CONNECTION_H

#include "http/shard.h"
#include "wire/http1_body.h"

enum http_reading {
    HTTP_READ_IDLE,
    HTTP_READ_HEAD,
    HTTP_READ_BODY,
    HTTP_READ_DONE,
    HTTP_READ_GIVEN
};
/* What a connection's clock measures; the last one, answers to a client that has half-closed. */
enum http_clock { CLOCK_NONE, CLOCK_IDLE, CLOCK_HEAD, CLOCK_BODY, CLOCK_END };

struct http_connection {
    struct http_shard *shard;
    struct io_stream *stream;
    struct list_node in_shard;
    struct list requests;
    struct http_request *body_of;    /* BODY: the last of them, whose body is not yet read */
    struct http_request *upgrade_of; /* the last one, where it may take the stream away */
    slice input;                     /* during feed: what is not yet read */
    struct buf rest;                 /* between feeds: the same */
    struct http1_parser parser;
    struct http1_body body;
    struct io_timer clock, write_clock;
    struct io_task wake; /* feed at the end of the turn; GIVEN: hand over */
    uint64_t requests_seen, body_mark, head_began_ns;
    uint64_t accepted;        /* io_stream_accepted as the write clock last saw it */
    uint64_t accepted_at_end; /* the same, of CLOCK_END */
    size_t waiting_bytes;     /* in `out` of requests whose turn has not come */
    unsigned in_flight;
    enum http_reading reading;
    enum http_clock clock_of;
    bool busy, closed, paused, tls;
    bool waiting;                        /* is in the shard's list of that name */
    bool clock_restart;                  /* what the clock measures has begun anew */
    bool ends_due;                       /* a request without a body has not been told its end */
    bool ended;                          /* the client has sent its last */
    bool last;                           /* the answer after which we close has been sent */
    bool lost;                           /* to be cut as soon as nobody stands on it */
    struct io_stream_events next_events; /* GIVEN: of the next owner */
    void *next_owner;
};

/* connection.c */

/* Sends and reads on. BYTES are new input, or empty; valid during the call. Does nothing where it
   is running already. The connection may be closed afterwards, a request answered is gone. */
void http_connection_feed(struct http_connection *c, slice bytes);
/* The same at the end of this turn. */
void http_connection_wake(struct http_connection *c);
/* Cuts the connection and frees it at once. */
void http_connection_drop(struct http_connection *c);
/* Writes the parts to the stream, all or none. 0, -ENOBUFS, -ENOMEM; -EPIPE: the client has gone,
   on_close will follow. */
must_use int http_connection_write(struct http_connection *c, const slice *parts,
                                   size_t part_count);
/* It is the server's no more: off its lists, its counts and its budget, without clocks. */
void http_connection_leave(struct http_connection *c);

/* reading.c */

/* A next request may be read while the ones before it get somewhere. */
bool http_may_begin(const struct http_connection *c);
/* What comes next would be read. */
bool http_wants_input(const struct http_connection *c);
/* Reads one head or one part of a body, calls whom it concerns. False where nothing goes on. */
bool http_read_next(struct http_connection *c);
/* All input is read as far as it goes. Sees whether no more will come. */
bool http_meet_end(struct http_connection *c);
/* Requests without a body whose handlers have asked for its end since. */
bool http_tell_ends(struct http_connection *c);
/* Answers what cannot be read with a problem, in its turn, and reads no further. */
void http_refuse(struct http_connection *c, unsigned status, const char *detail);

/* upgrade.c: bytes that came after leaving, before the end of the turn. */
void http_keep_for_next(struct http_connection *c, slice bytes);
/* The stream has gone before its next owner had it. Frees the connection. */
void http_tell_next(struct http_connection *c, int reason);
/* Gives the stream to its next owner at the end of this turn. */
void http_hand_over(struct http_connection *c);

/* reply.c: sends what the first requests have to send. True where anything has moved. */
bool http_reply_flush(struct http_connection *c);

#endif
