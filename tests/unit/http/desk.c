#include "desk.h"

#include "http/shard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define GOT_MAX (64u << 20)

static const struct http_answer plain = {.status = 200, .type = "text/plain"};

/* --- handlers ------------------------------------------------------------------------------------
 */

static void hello(void *owner, struct http_request *request) {
    struct desk *desk = owner;
    desk->calls++;
    http_reply(request, &plain, slice_lit("hello"));
}

static void echo(void *owner, struct http_request *request) {
    struct desk *desk = owner;
    desk->calls++;
    http_reply(request, &plain, http_request_body(request));
}

static void item(void *owner, struct http_request *request) {
    struct desk *desk = owner;
    desk->calls++;
    http_reply(request, &plain, http_request_parameter(request, "id"));
}

static void on_gone(void *self) {
    struct kept *kept = self;
    assert_non_null(kept->request);
    kept->request = NULL;
    kept->gone++;
}

static void on_client_end(void *self) {
    struct kept *kept = self;
    kept->ends++;
}

static void later(void *owner, struct http_request *request) {
    static const struct http_request_events events = {.on_gone = on_gone,
                                                      .on_client_end = on_client_end};
    struct desk *desk = owner;
    desk->calls++;
    assert_true(desk->later_count < DESK_LATER_MAX);
    struct kept *kept = &desk->later[desk->later_count++];
    kept->request = request;
    http_request_later(request, &events, kept);
}

static void stream_on(void *self) {
    static char bytes[10000];
    struct desk *desk = container_of(self, struct desk, stream);
    memset(bytes, 's', sizeof bytes);
    while (desk->streamed < desk->stream_bytes) {
        uint64_t left = desk->stream_bytes - desk->streamed;
        size_t size = left < sizeof bytes ? (size_t)left : sizeof bytes;
        int failed = http_reply_write(desk->stream.request, slice_make(bytes, size));
        if (failed == -EAGAIN) {
            desk->stream_full++;
            return;
        }
        assert_int_equal(failed, 0);
        desk->streamed += size;
    }
    struct http_request *request = desk->stream.request;
    desk->stream.request = NULL;
    http_reply_end(request);
}

static void stream(void *owner, struct http_request *request) {
    static const struct http_request_events events = {.on_gone = on_gone, .on_room = stream_on};
    struct desk *desk = owner;
    desk->calls++;
    desk->streamed = 0;
    desk->stream = (struct kept){.request = request};
    http_request_later(request, &events, &desk->stream);
    assert_int_equal(http_reply_begin(request, &plain), 0);
    stream_on(&desk->stream);
}

static void closing(void *owner, struct http_request *request) {
    struct desk *desk = owner;
    desk->calls++;
    struct http_answer answer = plain;
    answer.close = true;
    http_reply(request, &answer, slice_lit("bye"));
}

static void bad_field(void *owner, struct http_request *request) {
    struct desk *desk = owner;
    desk->calls++;
    struct http1_field field = {slice_lit("X-Split"), slice_lit("a\r\nSet-Cookie: b")};
    struct http_answer answer = {.status = 200, .fields = &field, .field_count = 1};
    http_reply(request, &answer, slice_lit("never"));
}

static void asked(void *owner, struct http_request *request) {
    struct desk *desk = owner;
    char text[2048];
    uint64_t length = 0;
    size_t count;
    const struct http1_field *fields = http_request_fields(request, &count);
    bool has_body = http_request_has_body(request, &length);
    desk->calls++;
    int len =
        snprintf(text, sizeof text,
                 "target %.*s\npath %.*s\nquery %.*s\nhost %.*s\n"
                 "upgrade %.*s\nbody %d %lld\npeer %s\nstream %s\nbegan %llu\n",
                 slice_fmt(http_request_target(request)), slice_fmt(http_request_path(request)),
                 slice_fmt(http_request_query(request)), slice_fmt(http_request_host(request)),
                 slice_fmt(http_request_upgrade(request)), has_body, (long long)length,
                 http_request_peer(request), io_stream_peer(http_request_stream(request)),
                 (unsigned long long)(http_request_began_ns(request) / SIM_MILLISECOND));
    for (size_t i = 0; i < count; i++)
        len += snprintf(text + len, sizeof text - (size_t)len, "%.*s=%.*s\n",
                        slice_fmt(fields[i].name), slice_fmt(fields[i].value));
    http_reply(request, &plain, slice_make(text, (size_t)len));
}

/* --- the desk ------------------------------------------------------------------------------------
 */

static void add(struct desk *desk, const char *method, const char *pattern,
                void (*handle)(void *, struct http_request *)) {
    struct http_route route = {
        .method = method,
        .pattern = pattern,
        .handle = handle,
        .owner = desk,
        .body_bytes_max = 64u << 10,
    };
    assert_int_equal(http_routes_add(desk->routes, &route), 0);
}

static void add_routes(struct desk *desk) {
    assert_int_equal(http_routes_create(&desk->routes), 0);
    add(desk, "GET", "/hello", hello);
    add(desk, "POST", "/hello", hello);
    add(desk, "POST", "/echo", echo);
    add(desk, "GET", "/items/{id}", item);
    add(desk, "GET", "/later", later);
    add(desk, "GET", "/stream", stream);
    add(desk, "GET", "/close", closing);
    add(desk, "GET", "/bad-field", bad_field);
    add(desk, NULL, "/asked/*", asked);
}

struct desk *desk_open(uint64_t seed, const struct http_server_options *given) {
    struct desk *desk = calloc(1, sizeof *desk);
    assert_non_null(desk);
    desk->sim = sim_create(seed, NULL);
    for (int i = 0; i < 2; i++) {
        desk->host[i] = sim_host_create(desk->sim, i == 0 ? "stranger" : "server");
        assert_int_equal(io_group_create(desk->host[i], 1, &desk->group[i]), 0);
        sim_group_start(desk->group[i], NULL, NULL);
    }
    add_routes(desk);
    struct http_server_options options = given ? *given : (struct http_server_options){0};
    options.name = "test";
    options.address = "0.0.0.0:80";
    options.loop_count = 1;
    options.routes = desk->routes;
    struct error error = {0};
    struct io_loop *loop = io_group_loop(desk->group[1], 0);
    assert_int_equal(http_server_open(loop, &options, &desk->server, &error), 0);
    assert_string_equal(http_server_address(desk->server), "0.0.0.0:80");
    return desk;
}

void desk_run(struct desk *desk, uint64_t span_ns) {
    sim_run_for(desk->sim, span_ns);
}

struct io_loop *desk_loop(struct desk *desk) {
    return io_group_loop(desk->group[1], 0);
}

void desk_serve_only(struct desk *desk, const struct http_route *route) {
    http_routes_unref(desk->routes);
    assert_int_equal(http_routes_create(&desk->routes), 0);
    assert_int_equal(http_routes_add(desk->routes, route), 0);
    assert_int_equal(http_routes_seal(desk->routes), 0);
    http_server_set_routes(desk->server, desk_loop(desk), desk->routes);
}

struct desk_stats desk_stats(struct desk *desk) {
    const struct http_shard *shard = &desk->server->shards[0];
    return (struct desk_stats){shard->open, shard->held_bytes};
}

void desk_close(struct desk *desk) {
    for (unsigned i = 0; i < desk->stranger_count; i++)
        stranger_leaves(&desk->strangers[i]);
    desk_run(desk, DESK_PATIENCE);
    assert_int_equal(desk_stats(desk).connections, 0);
    assert_int_equal(desk_stats(desk).held_bytes, 0);
    http_server_close(desk->server, desk_loop(desk));
    desk->server = http_server_free(desk->server);
    desk_run(desk, SIM_SECOND);
    http_routes_unref(desk->routes);
    for (int i = 0; i < 2; i++)
        io_group_free(desk->group[i]);
    assert_int_equal(sim_open_handles(desk->sim), 0);
    sim_free(desk->sim);
    for (unsigned i = 0; i < desk->stranger_count; i++)
        buf_free(&desk->strangers[i].got);
    free(desk);
}

/* --- strangers -----------------------------------------------------------------------------------
 */

static void on_bytes(void *owner, slice bytes) {
    struct stranger *s = owner;
    assert_int_equal(buf_append(&s->got, bytes), 0);
}

static void on_end(void *owner) {
    struct stranger *s = owner;
    s->ended = true;
    io_stream_close(s->stream);
}

static void on_close(void *owner, int reason) {
    struct stranger *s = owner;
    s->closed = true;
    s->reason = reason;
    s->stream = NULL;
}

static void on_connect(void *owner, struct io_stream *stream, int failed) {
    static const struct io_stream_events events = {
        .on_bytes = on_bytes, .on_end = on_end, .on_close = on_close};
    struct stranger *s = owner;
    assert_int_equal(failed, 0);
    s->stream = stream;
    io_stream_set_events(stream, &events, s);
}

static bool is_connected(void *self) {
    return ((struct stranger *)self)->stream != NULL;
}

struct stranger *desk_stranger(struct desk *desk) {
    assert_true(desk->stranger_count < DESK_STRANGERS_MAX);
    struct stranger *s = &desk->strangers[desk->stranger_count++];
    s->desk = desk;
    s->got = buf_make(GOT_MAX);
    assert_int_equal(buf_reserve(&s->got, 16384), 0); /* so that faults hit the server */
    struct io_loop *loop = io_group_loop(desk->group[0], 0);
    assert_int_equal(io_connect(loop, "server:80", SIM_SECOND, on_connect, s), 0);
    assert_true(sim_run_until(desk->sim, is_connected, s, 10 * SIM_SECOND));
    return s;
}

void stranger_says_bytes(struct stranger *s, slice bytes) {
    assert_non_null(s->stream);
    assert_int_equal(io_stream_write(s->stream, bytes), 0);
}

void stranger_says(struct stranger *s, const char *text) {
    stranger_says_bytes(s, slice_str(text));
}

void stranger_drawls(struct stranger *s, slice bytes) {
    for (size_t i = 0; i < bytes.len && s->stream; i++) {
        stranger_says_bytes(s, slice_make(bytes.ptr + i, 1));
        desk_run(s->desk, SIM_MILLISECOND);
    }
}

void stranger_leaves(struct stranger *s) {
    if (s->stream)
        io_stream_abort(s->stream);
}

/* --- what they got -------------------------------------------------------------------------------
 */

slice stranger_got(const struct stranger *s) {
    return buf_slice(&s->got);
}

bool got_contains(const struct stranger *s, const char *text) {
    return slice_find_slice(buf_slice(&s->got), slice_str(text)) >= 0;
}

unsigned answers(const struct stranger *s, const char *status) {
    char line[64];
    snprintf(line, sizeof line, "HTTP/1.1 %s", status);
    unsigned count = 0;
    slice rest = buf_slice(&s->got);
    for (ptrdiff_t at; (at = slice_find_slice(rest, slice_str(line))) >= 0; count++)
        rest = slice_skip(rest, (size_t)at + 1);
    return count;
}

void assert_got(const struct stranger *s, const char *rest) {
    slice got = buf_slice(&s->got);
    slice first = slice_lit("HTTP/1.1 200 OK\r\nDate: ");
    assert_true(slice_starts_with(got, first));
    got = slice_skip(got, first.len);
    assert_memory_equal(got.ptr + 25, " GMT\r\n", 6);
    got = slice_skip(got, 31);
    assert_int_equal(got.len, strlen(rest));
    assert_memory_equal(got.ptr, rest, got.len);
}

void assert_refused(struct desk *desk, struct stranger *s, const char *status) {
    desk_run(desk, 2 * SIM_SECOND);
    if (answers(s, status) != 1 || !s->ended)
        print_message("wanted %s and the end, got: %.*s\n", status, slice_fmt(stranger_got(s)));
    assert_int_equal(answers(s, status), 1);
    assert_true(got_contains(s, "Content-Type: application/problem+json\r\n"));
    assert_true(got_contains(s, "Connection: close\r\n"));
    assert_true(s->ended);
}
