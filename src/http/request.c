/*
 * request.c - a request's memory, and what a handler may ask of it.
 *
 * A head is parsed where it was read, which is memory of the moment; a request may live long. So
 * its text is copied once, as it is, and the fields are moved over by their distance from its
 * start. Requests that have ended are kept, with the first chunk of their arena: the usual request
 * allocates nothing.
 */
#include "http/request_inside.h"

#include "base/mem.h"
#include "wire/url.h"

#include <errno.h>

int http_hold(struct http_shard *shard, struct buf *b, slice bytes) {
    uint64_t max = shard->server->limits.held_bytes_max;
    if (bytes.len > max || shard->held_bytes > max - bytes.len)
        return -ENOBUFS;
    int failed = buf_append(b, bytes);
    if (!failed)
        shard->held_bytes += bytes.len;
    return failed;
}

void http_let_go(struct http_shard *shard, struct buf *b, size_t bytes) {
    check(bytes <= b->len && bytes <= shard->held_bytes);
    shard->held_bytes -= bytes;
    if (bytes == b->len)
        buf_free(b);
    else
        buf_consume(b, bytes);
}

/* --- life --------------------------------------------------------------------------------------
 */

struct http_request *http_request_new(struct http_connection *c) {
    struct http_shard *shard = c->shard;
    struct http_request *r = shard->spare;
    if (r) {
        shard->spare = (struct http_request *)(void *)r->node.next;
        shard->spare_count--;
        struct arena arena = r->arena;
        memset(r, 0, offsetof(struct http_request, match));
        r->arena = arena;
        r->match.route = NULL;
    } else {
        r = mem_zalloc(1, sizeof *r);
        if (!r)
            return NULL;
        r->arena = arena_make(0, HTTP_ARENA_BYTES_MAX);
    }
    r->connection = c;
    r->out = buf_make(HTTP_ANSWER_BYTES_MAX + HTTP_STREAM_HIGH_BYTES);
    list_push_back(&c->requests, &r->node);
    c->in_flight++;
    return r;
}

void http_request_free(struct http_request *r) {
    struct http_connection *c = r->connection;
    struct http_shard *shard = c->shard;
    if (r->login.asked)
        shard->server->guard->forget_user(shard->server->guard->owner, &r->login);
    list_remove(&r->node);
    c->in_flight--;
    c->waiting_bytes -= r->out.len;
    if (c->body_of == r)
        c->body_of = NULL;
    if (c->upgrade_of == r)
        c->upgrade_of = NULL;
    if (r->counted)
        http_routes_unref(r->routes);
    http_let_go(shard, &r->body, r->body.len);
    http_let_go(shard, &r->out, r->out.len);
    if (shard->spare_count == HTTP_SPARE_REQUESTS_MAX) {
        arena_free(&r->arena);
        mem_free(r);
        return;
    }
    arena_reset(&r->arena);
    r->node.next = (struct list_node *)(void *)shard->spare;
    shard->spare = r;
    shard->spare_count++;
}

void http_request_keep_routes(struct http_request *r) {
    if (!r->routes || r->counted)
        return;
    http_routes_ref(r->routes);
    r->counted = true;
}

/* --- the head ------------------------------------------------------------------------------------
 */

static slice moved(slice s, slice from, slice to) {
    return s.len ? slice_make(to.ptr + (s.ptr - from.ptr), s.len) : (slice){0};
}

/* The target of "GET http://host HTTP/1.1" has no path in the text: it is a constant "/". */
static slice moved_target(const struct http1_head *head, slice from, slice to) {
    bool sent = head->form == HTTP1_ORIGIN || head->path.len > 1;
    return sent ? moved(head->path, from, to) : head->path;
}

static int take_path(struct http_request *r) {
    slice path = url_cut_query(r->target, &r->query);
    size_t len;
    char *room = arena_alloc(&r->arena, path.len + 1);
    if (!room)
        return -ENOMEM;
    if (url_path_normalize(path, room, &len) == 0)
        r->path = slice_make(room, len); /* else it stays empty, and is refused */
    return 0;
}

int http_request_take_head(struct http_request *r, const struct http1_head *head, slice text) {
    slice copy;
    struct http1_field *fields = arena_alloc(&r->arena, head->fields_count * sizeof *fields);
    if (!fields || arena_copy(&r->arena, text, &copy))
        return -ENOMEM;
    for (size_t i = 0; i < head->fields_count; i++)
        fields[i] = (struct http1_field){moved(head->fields[i].name, text, copy),
                                         moved(head->fields[i].value, text, copy)};
    r->fields = fields;
    r->field_count = head->fields_count;
    r->method = moved(head->method, text, copy);
    r->target = moved_target(head, text, copy);
    r->host = moved(head->authority, text, copy);
    r->upgrade = moved(head->upgrade, text, copy);
    r->head_only = slice_equal(r->method, slice_lit("HEAD"));
    r->http_1_0 = head->version_minor == 0;
    r->keep_alive = head->keep_alive;
    r->has_body = head->has_content_length || head->framing == HTTP1_CHUNKED;
    r->body_length = head->framing == HTTP1_CHUNKED ? UINT64_MAX : head->content_length;
    r->began_ns = r->connection->head_began_ns;
    return take_path(r);
}

/* --- what was asked ------------------------------------------------------------------------------
 */

slice http_request_method(const struct http_request *r) {
    return r->method;
}

slice http_request_path(const struct http_request *r) {
    return r->path;
}

slice http_request_target(const struct http_request *r) {
    return r->target;
}

slice http_request_query(const struct http_request *r) {
    return r->query;
}

slice http_request_host(const struct http_request *r) {
    return r->host;
}

slice http_request_body(const struct http_request *r) {
    return buf_slice(&r->body);
}

bool http_request_is_tls(const struct http_request *r) {
    return r->connection->tls;
}

const struct io_stream *http_request_stream(const struct http_request *r) {
    return r->connection->stream;
}

bool http_request_has_body(const struct http_request *r, uint64_t *ret_length) {
    if (r->has_body)
        *ret_length = r->body_length;
    return r->has_body;
}

const struct http1_field *http_request_fields(const struct http_request *r, size_t *ret_count) {
    *ret_count = r->field_count;
    return r->fields;
}

slice http_request_upgrade(const struct http_request *r) {
    return r->upgrade;
}

uint64_t http_request_began_ns(const struct http_request *r) {
    return r->began_ns;
}

slice http_request_user(const struct http_request *r) {
    return r->login.user;
}

bool http_request_through_gateway(const struct http_request *r) {
    return r->login.gateway;
}

slice http_request_allow(const struct http_request *r) {
    return slice_str(r->match.allow);
}

struct io_loop *http_request_loop(const struct http_request *r) {
    return r->connection->shard->loop;
}

const char *http_request_peer(const struct http_request *r) {
    return io_stream_peer(r->connection->stream);
}

struct arena *http_request_arena(struct http_request *r) {
    return &r->arena;
}

const struct http_parameter *http_request_parameters(const struct http_request *r,
                                                     unsigned *ret_count) {
    *ret_count = r->match.parameter_count;
    return r->match.parameters;
}

slice http_request_parameter(const struct http_request *r, const char *name) {
    for (unsigned i = 0; i < r->match.parameter_count; i++)
        if (slice_equal(r->match.parameters[i].name, slice_str(name)))
            return r->match.parameters[i].value;
    return (slice){0};
}

bool http_request_field(const struct http_request *r, slice name, slice *ret_value) {
    for (size_t i = 0; i < r->field_count; i++)
        if (slice_equal_nocase(r->fields[i].name, name)) {
            *ret_value = r->fields[i].value;
            return true;
        }
    return false;
}

static int decoded(struct http_request *r, slice text, slice *ret_text) {
    size_t len;
    char *room = arena_alloc(&r->arena, text.len + 1);
    if (!room)
        return -ENOMEM;
    int failed = url_decode(text, true, room, &len);
    if (!failed)
        *ret_text = slice_make(room, len);
    return failed;
}

int http_request_argument(struct http_request *r, slice key, slice *ret_value) {
    slice query = r->query, name, value;
    while (url_query_next(&query, &name, &value)) {
        if (slice_equal(name, key))
            return decoded(r, value, ret_value);
    }
    return -ENOENT;
}

/* What is wanted of the body has changed: seen when nobody stands on the connection. */
static void look_again(struct http_request *r) {
    struct http_connection *c = r->connection;
    if (!r->streams)
        return;
    if (c->body_of != r && !r->end_told && http_body_flows(r))
        c->ends_due = true;
    http_connection_wake(c);
}

void http_request_later(struct http_request *r, const struct http_request_events *events,
                        void *self) {
    check(r->state == REQUEST_CALLED || r->state == REQUEST_LATER);
    check(!events->on_body || events->on_body_end);
    check(!events->on_body_end || r->streams);
    r->state = REQUEST_LATER;
    r->events = *events;
    r->self = self;
    look_again(r);
}

unsigned http_request_refusal(const struct http_request *r) {
    return r->refusal;
}

void http_request_pause(struct http_request *r) {
    r->paused = true;
    look_again(r);
}

void http_request_resume(struct http_request *r) {
    r->paused = false;
    look_again(r);
}
