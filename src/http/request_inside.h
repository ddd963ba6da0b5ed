/*
 * request_inside.h - the inside of http/: a request of a connection. For the server's files only.
 *
 *     READING --read--> CALLED --http_request_later--> LATER --answered, on_gone--> ANSWERED
 *      |  |                 '--answered at once-----------------------------------------^
 *      |  '--read, while the guard asks who it is--> LATER --decided--> CALLED          |
 *      '--what comes of it cannot be read (reading.c)-----------------------------------'
 *
 * "Read" is the body, or the head where there is none or the route streams: then the body is the
 * connection's next input (body_of points to the request), which flows while it is LATER and
 * somebody has asked for it and has not paused it. ANSWERED waits for its turn and for those who
 * stand on it.
 */
#ifndef NONET_HTTP_REQUEST_INSIDE_H
#define NONET_HTTP_REQUEST_INSIDE_H

#include "base/arena.h"
#include "http/connection.h"

enum http_request_state { REQUEST_READING, REQUEST_CALLED, REQUEST_LATER, REQUEST_ANSWERED };

struct http_request {
    struct list_node node; /* of the connection; of the spare ones only next */
    struct http_connection *connection;
    struct arena arena;
    enum http_request_state state;
    slice method, path, target, query, host, upgrade;
    struct http1_field *fields;
    size_t field_count;
    uint64_t began_ns;
    uint64_t body_length, body_seen; /* body_length: as announced, UINT64_MAX where it is chunked */
    struct http_routes *routes;      /* what it was chosen by */
    struct buf body, out;            /* out: what is to be sent when the turn comes */
    struct http_request_events events;
    void *self;
    uint64_t length_left; /* has_length: of the streamed answer's body */
    unsigned refusal;     /* during on_gone: the status, where it is not the client that went */
    struct http_login login;
    struct http_refusal refusal_behind; /* what an allowed one is told; 0: the handler is called */
    bool counted; /* holds a count of its routes, since the loop has others by now */
    bool has_body, head_only, http_1_0, keep_alive, wants_continue;
    bool streams, paused, end_told; /* the route's kind; its body's parts are not wanted; told */
    bool begun, wants_room;         /* streamed answer */
    bool chunked, has_length, bodiless;
    bool closes; /* the connection ends with this answer */
    bool broken; /* the answer cannot be completed */
    struct http_match match;
};

/* Its body may be read now. R is body_of. */
static inline bool http_body_flows(const struct http_request *r) {
    return !r->streams ||
           (r->state == REQUEST_LATER && r->events.on_body_end != NULL && !r->paused);
}

/* request.c */
struct http_request *http_request_new(struct http_connection *c); /* NULL: no memory */
/* Takes over HEAD, whose text is TEXT. 0 or -ENOMEM. */
must_use int http_request_take_head(struct http_request *r, const struct http1_head *head,
                                    slice text);
/* Takes it off its connection. */
void http_request_free(struct http_request *r);
/* The loop is about to have other routes: R, under way, counts its own. */
void http_request_keep_routes(struct http_request *r);

/* reply.c */
/* The answer is complete, as far as it ever will be. */
void http_reply_finish(struct http_request *r);
/* A head in the loop's scratch: its first line; then FIELDS, none of them http1_is_framing, and the
   empty line. 0, -EINVAL (what cannot be sent, or more than HTTP1_WRITTEN_MAX bytes), -ENOMEM. */
must_use int http_head_begin(struct http_shard *shard, unsigned status);
must_use int http_head_end(struct http_shard *shard, const struct http1_field *fields,
                           size_t count);

#endif
