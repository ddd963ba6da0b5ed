/*
 * reading.c - input of a connection: heads judged, bodies handed on or gathered, what cannot be
 * read refused.
 *
 * A request that is refused before its body was read ends the connection, so that no byte of a
 * body can ever be taken for a request. The body of a route that streams is the same bytes on
 * another way: its parts go to the handler as they lie in the input, or are gathered for it, and
 * nothing is read while nobody wants it.
 */
#include "http/request_inside.h"

#include <errno.h>

#define BODY_STEP (64u << 10) /* the body clock starts again with so many bytes */

/* --- refusing ----------------------------------------------------------------------------------
 */

/* The handler has the request no more; the server answers in its place. */
static void take_back(struct http_request *r, unsigned status) {
    check(r->connection->busy);
    r->refusal = status;
    r->state = REQUEST_ANSWERED; /* what is said to it now goes nowhere */
    if (r->events.on_gone)
        r->events.on_gone(r->self);
    r->events = (struct http_request_events){0};
    r->state = REQUEST_CALLED;
}

void http_refuse(struct http_connection *c, unsigned status, const char *detail) {
    struct http_request *r = c->body_of ? c->body_of : http_request_new(c);
    c->body_of = NULL;
    c->reading = HTTP_READ_DONE;
    c->input = (slice){0};
    if (!r) {
        c->lost = true;
        return;
    }
    logger_write(c->shard->server->logger, LOG_LEVEL_DEBUG, "http", "request refused",
                 "listener=%s peer=%s status=%u reason=%s", c->shard->server->name,
                 io_stream_peer(c->stream), status, detail);
    r->keep_alive = false;
    if (r->state == REQUEST_LATER)
        take_back(r, status);
    r->state = REQUEST_CALLED;
    if (r->begun)
        http_reply_break(r);
    else
        http_reply_problem(r, status, "%s", detail);
}

static void refuse_error(struct http_connection *c, enum http1_error error) {
    http_refuse(c, http1_error_status(error), http1_error_text(error));
}

/* Answers a request that was read well but is not served. */
static void refuse_request(struct http_request *r, struct http_refusal refusal) {
    struct http1_field fields[2];
    size_t count = 0;
    if (refusal.status == 401)
        fields[count++] = (struct http1_field){slice_lit("WWW-Authenticate"),
                                               slice_lit("Bearer realm=\"nonet\", Basic "
                                                         "realm=\"nonet\", charset=\"UTF-8\"")};
    if (refusal.status == 405)
        fields[count++] = (struct http1_field){slice_lit("Allow"), slice_str(r->match.allow)};
    http_reply_problem_with(r, refusal.status, fields, count, refusal.detail);
}

/* --- requests ----------------------------------------------------------------------------------
 */

static struct http_refusal judge(struct http_request *r, const struct http1_head *head) {
    struct http_shard *shard = r->connection->shard;
    struct http_server *server = shard->server;
    const struct http_asked asked = {r->method, r->path,   r->host,
                                     r->query,  r->fields, r->field_count};
    r->routes = shard->routes;
    if (r->path.len)
        http_routes_find(r->routes, &asked, &r->match);
    const struct http_route *route = r->match.route;
    if (server->guard) {
        struct http_refusal refusal =
            http_guard_judge(server->guard, head, r->connection->tls, route && route->without_login,
                             &shard->logins, io_loop_now_ns(shard->loop), &r->arena, &r->login);
        if (refusal.status)
            return refusal;
    }
    if (r->login.gateway && route && !route->for_gateway)
        return (struct http_refusal){404, "there is nothing at this path for the gateway"};
    if (!r->path.len)
        return (struct http_refusal){400, "the target is not a path that has one meaning"};
    if (head->authority_differs)
        return (struct http_refusal){400, "the target names another host than Host does"};
    if (!route && r->match.path_known)
        return (struct http_refusal){405, "this path has other methods, see Allow"};
    if (!route)
        return (struct http_refusal){404, "there is nothing at this path"};
    if (!route->streams && head->framing == HTTP1_LENGTH &&
        head->content_length > route->body_bytes_max)
        return (struct http_refusal){413, "the body is larger than this path takes"};
    return (struct http_refusal){0, NULL};
}

static void read_on_behind(struct http_connection *c, const struct http_request *r) {
    c->reading = r->keep_alive ? HTTP_READ_IDLE : HTTP_READ_DONE;
}

/* --- the handler, once it is known who asks -----------------------------------------------------
 */

/* Calls R's handler, or refuses it, when it is known who asks; until then R waits, as if a handler
   had put it off. It may be answered and still stands, since we are busy. */
static void call_handler(struct http_request *r) {
    if (r->login.asked) {
        r->state = REQUEST_LATER;
        return;
    }
    struct http_refusal refusal = http_guard_refusal(r->login.result);
    if (!refusal.status)
        refusal = r->refusal_behind;
    r->state = REQUEST_CALLED;
    if (refusal.status) {
        refuse_request(r, refusal);
        return;
    }
    r->match.route->handle(r->match.route->owner, r);
    check(r->state != REQUEST_CALLED); /* answered, or http_request_later */
}

void http_login_decide(struct http_login *login, int result) {
    struct http_request *r = container_of(login, struct http_request, login);
    struct http_connection *c = r->connection;
    check(login->asked && !c->busy);
    login->asked = false;
    login->result = result;
    if (r->state != REQUEST_LATER)
        return;     /* the body is not whole yet, or it has been refused meanwhile */
    c->busy = true; /* what comes of it waits for the feed */
    call_handler(r);
    c->busy = false;
    http_connection_feed(c, (slice){0});
}

/* The body of a route that streams has come to its end, or there is none; told once. */
static void tell_end(struct http_request *r, slice trailers) {
    if (r->end_told || !http_body_flows(r))
        return;
    r->end_told = true;
    r->events.on_body_end(r->self, trailers);
}

bool http_tell_ends(struct http_connection *c) {
    struct list_node *at, *following;
    if (!c->ends_due)
        return false;
    c->ends_due = false;
    list_each(&c->requests, at, following) {
        struct http_request *r = container_of(at, struct http_request, node);
        if (r->streams && r != c->body_of)
            tell_end(r, (slice){0});
    }
    return true;
}

static void begin_body(struct http_request *r, const struct http1_head *head) {
    struct http_connection *c = r->connection;
    r->body = buf_make(r->match.route->body_bytes_max);
    r->wants_continue = head->expect_continue;
    c->body = http1_body_make(head);
    c->body_of = r;
    c->body_mark = 0;
    c->reading = HTTP_READ_BODY;
    c->clock_restart = true;
}

static void serve(struct http_request *r, const struct http1_head *head) {
    struct http_connection *c = r->connection;
    bool has_body = head->framing != HTTP1_NO_BODY;
    r->streams = r->match.route->streams;
    if (r->upgrade.len)
        c->upgrade_of = r;
    if (has_body)
        begin_body(r, head); /* HEAD is of the shard and may be another's behind the handler */
    else
        read_on_behind(c, r);
    if (!has_body || r->streams)
        call_handler(r);
}

static void begin_request(struct http_connection *c, const struct http1_head *head, slice text) {
    struct http_request *r = http_request_new(c);
    if (!r || http_request_take_head(r, head, text)) {
        if (r)
            http_request_free(r);
        http_refuse(c, 503, "no memory for the request");
        return;
    }
    uint64_t requests_max = c->shard->server->limits.requests_per_connection_max;
    c->requests_seen++;
    if (requests_max && c->requests_seen >= requests_max)
        r->keep_alive = false;
    struct http_refusal refusal = judge(r, head);
    if (!refusal.status) {
        serve(r, head);
        return;
    }
    bool tunnel = slice_equal(r->method, slice_lit("CONNECT")); /* what follows was meant for it */
    if (head->framing != HTTP1_NO_BODY || tunnel)
        r->keep_alive = false;
    read_on_behind(c, r);
    r->refusal_behind = refusal; /* who may not ask is told only that */
    call_handler(r);
}

/* --- input -------------------------------------------------------------------------------------
 */

bool http_may_begin(const struct http_connection *c) {
    return c->in_flight < c->shard->server->limits.in_flight_max && !c->upgrade_of &&
           c->waiting_bytes < HTTP_STREAM_HIGH_BYTES &&
           io_stream_pending(c->stream) < HTTP_STREAM_HIGH_BYTES;
}

bool http_wants_input(const struct http_connection *c) {
    switch (c->reading) {
    case HTTP_READ_IDLE:
    case HTTP_READ_HEAD:
        return http_may_begin(c);
    case HTTP_READ_BODY:
        return http_body_flows(c->body_of);
    case HTTP_READ_DONE:
        return !c->upgrade_of;
    case HTTP_READ_GIVEN:
        return false;
    }
    return false;
}

static bool read_head(struct http_connection *c) {
    if (c->input.len == 0)
        return false;
    if (c->reading == HTTP_READ_IDLE) {
        c->reading = HTTP_READ_HEAD;
        c->head_began_ns = io_loop_now_ns(c->shard->loop);
        c->clock_restart = true;
    }
    size_t used = 0;
    struct http1_head *head = &c->shard->head;
    int whole = http1_parse(&c->parser, c->input, head, &used);
    if (whole == 0)
        return false;
    slice text = slice_take(c->input, used);
    c->input = slice_skip(c->input, used);
    if (whole < 0)
        refuse_error(c, (enum http1_error)c->parser.error);
    else
        begin_request(c, head, text);
    return true;
}

static void take_body(struct http_connection *c, slice bytes) {
    struct http_request *r = c->body_of;
    bool parts = r->events.on_body != NULL;
    r->wants_continue = false;
    if (bytes.len > r->body.max - r->body_seen) {
        http_refuse(c, 413, "the body is larger than this path takes");
        return;
    }
    if (!parts && http_hold(c->shard, &r->body, bytes)) {
        http_refuse(c, 503, "no memory for the body");
        return;
    }
    r->body_seen += bytes.len;
    if (r->body_seen - c->body_mark >= BODY_STEP) {
        c->body_mark = r->body_seen;
        c->clock_restart = true;
    }
    if (parts)
        r->events.on_body(r->self, bytes);
}

static void end_body(struct http_connection *c, slice trailers) {
    struct http_request *r = c->body_of;
    c->body_of = NULL;
    r->wants_continue = false;
    read_on_behind(c, r);
    if (r->streams)
        tell_end(r, trailers);
    else
        call_handler(r);
}

static bool read_body(struct http_connection *c) {
    struct http1_part part;
    size_t used = 0;
    int got = http1_body_next(&c->body, c->input, &part, &used);
    if (got < 0) {
        refuse_error(c, (enum http1_error)c->body.error);
        return true;
    }
    c->input = slice_skip(c->input, used);
    if (got == 0)
        return false;
    if (part.kind == HTTP1_DATA)
        take_body(c, part.bytes);
    else
        end_body(c, part.bytes);
    return true;
}

bool http_read_next(struct http_connection *c) {
    if (c->lost || c->last || !http_wants_input(c))
        return false;
    switch (c->reading) {
    case HTTP_READ_IDLE:
    case HTTP_READ_HEAD:
        return read_head(c);
    case HTTP_READ_BODY:
        return read_body(c);
    case HTTP_READ_DONE:
        c->input = (slice){0};
        return false;
    case HTTP_READ_GIVEN:
        return false;
    }
    return false;
}

bool http_meet_end(struct http_connection *c) {
    if (!c->ended || c->lost || c->reading == HTTP_READ_DONE || !http_wants_input(c))
        return false;
    if (c->reading == HTTP_READ_IDLE)
        c->reading = HTTP_READ_DONE;
    else
        refuse_error(c, HTTP1_ERROR_TRUNCATED);
    return true;
}
