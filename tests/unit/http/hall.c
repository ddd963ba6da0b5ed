#include "hall.h"

#include "base/mem.h"

#include <stdio.h>

/* --- the server's side ---------------------------------------------------------------------------
 */

static void on_message(void *owner, bool is_text, slice message) {
    struct served *s = owner;
    const char *kind = is_text ? "text" : "binary";
    assert_non_null(s->ws);
    s->messages++;
    if (message.len <= HALL_LINE_MAX)
        assert_int_equal(buf_printf(&s->heard, "%s %.*s\n", kind, slice_fmt(message)), 0);
    else
        assert_int_equal(buf_printf(&s->heard, "%s of %zu\n", kind, message.len), 0);
    if (s->hall->then)
        s->hall->then(s, message);
}

static void on_room(void *owner) {
    struct served *s = owner;
    assert_non_null(s->ws);
    s->rooms++;
}

static void on_close(void *owner, unsigned code) {
    struct served *s = owner;
    assert_non_null(s->ws);
    s->ws = NULL;
    s->closes++;
    s->code = code;
}

void hall_accept(struct hall *hall, struct http_request *request) {
    static const struct http_websocket_events events = {on_message, on_room, on_close};
    struct http_websocket *ws = NULL;
    assert_true(hall->served_count < HALL_SERVED_MAX);
    struct served *s = &hall->served[hall->served_count];
    s->hall = hall;
    s->stream = (struct io_stream *)(uintptr_t)http_request_stream(request);
    int failed = http_websocket_accept(request, &hall->options, &events, s, &ws);
    if (failed) {
        hall->refused = failed;
        return;
    }
    s->ws = ws;
    hall->served_count++;
}

static void handle(void *owner, struct http_request *request) {
    hall_accept(owner, request);
}

static void on_gone(void *self) {
    ((struct hall *)self)->later = NULL;
}

static void handle_later(void *owner, struct http_request *request) {
    static const struct http_request_events events = {.on_gone = on_gone};
    struct hall *hall = owner;
    hall->later = request;
    http_request_later(request, &events, hall);
}

static void handle_hello(void *owner, struct http_request *request) {
    (void)owner;
    http_reply(request, &(struct http_answer){.status = 200}, slice_lit("hello"));
}

size_t hall_pending(const struct served *s) {
    return io_stream_pending(s->stream);
}

void hall_echo(struct served *s, slice message) {
    assert_int_equal(
        http_websocket_send(s->ws, slice_starts_with(message, slice_lit("t")), message), 0);
}

static void add(struct hall *hall, const char *pattern,
                void (*serve)(void *, struct http_request *)) {
    const struct http_route route = {.pattern = pattern, .handle = serve, .owner = hall};
    assert_int_equal(http_routes_add(hall->routes, &route), 0);
}

struct hall *hall_open(uint64_t seed) {
    struct hall *hall = mem_zalloc(1, sizeof *hall);
    assert_non_null(hall);
    hall->desk = desk_open(seed, NULL);
    for (unsigned i = 0; i < HALL_SERVED_MAX; i++) {
        hall->served[i].heard = buf_make(1 << 20);
        assert_int_equal(buf_reserve(&hall->served[i].heard, 1024), 0); /* faults hit the server */
    }
    assert_int_equal(http_routes_create(&hall->routes), 0);
    add(hall, "/ws", handle);
    add(hall, "/later", handle_later);
    add(hall, "/hello", handle_hello);
    assert_int_equal(http_routes_seal(hall->routes), 0);
    http_server_set_routes(hall->desk->server, io_group_loop(hall->desk->group[1], 0),
                           hall->routes);
    return hall;
}

void hall_close(struct hall *hall) {
    for (unsigned i = 0; i < hall->served_count; i++) {
        if (hall->served[i].ws)
            http_websocket_abort(hall->served[i].ws);
    }
    desk_close(hall->desk);
    for (unsigned i = 0; i < hall->served_count; i++) {
        assert_null(hall->served[i].ws);
        assert_int_equal(hall->served[i].closes, 1);
    }
    for (unsigned i = 0; i < HALL_SERVED_MAX; i++)
        buf_free(&hall->served[i].heard);
    http_routes_unref(hall->routes);
    mem_free(hall);
}

void hall_run(struct hall *hall, uint64_t span_ns) {
    desk_run(hall->desk, span_ns);
}

void assert_heard(const struct served *s, const char *text) {
    if (!slice_equal(buf_slice(&s->heard), slice_str(text)))
        print_message("wanted:\n%sheard:\n%.*s", text, slice_fmt(buf_slice(&s->heard)));
    assert_true(slice_equal(buf_slice(&s->heard), slice_str(text)));
}

/* --- the stranger's side -------------------------------------------------------------------------
 */

struct stranger *hall_asked(struct hall *hall, const char *request) {
    struct stranger *s = desk_stranger(hall->desk);
    stranger_says(s, request);
    hall_run(hall, SIM_SECOND);
    return s;
}

struct stranger *hall_joined(struct hall *hall) {
    const unsigned before = hall->served_count;
    struct stranger *s = hall_asked(hall, ASK("/ws") "\r\n");
    assert_int_equal(answers(s, "101"), 1);
    assert_int_equal(hall->served_count, before + 1);
    return s;
}

void says_frame(struct stranger *s, enum websocket_kind kind, bool last, slice payload) {
    static const unsigned char key[WEBSOCKET_KEY_BYTES] = {0x1f, 0x80, 0x00, 0xc3};
    struct buf b = buf_make(4 << 20);
    assert_int_equal(websocket_write_frame(&b, kind, last, payload, key), 0);
    stranger_says_bytes(s, buf_slice(&b));
    buf_free(&b);
}

void says_text(struct stranger *s, const char *text) {
    says_frame(s, WEBSOCKET_TEXT, true, slice_str(text));
}

void says_close(struct stranger *s, unsigned code) {
    static const unsigned char key[WEBSOCKET_KEY_BYTES] = {0x1f, 0x80, 0x00, 0xc3};
    _cleanup_buf_ struct buf b = buf_make(256);
    assert_int_equal(websocket_write_close(&b, code, slice_lit("bye"), key), 0);
    stranger_says_bytes(s, buf_slice(&b));
}

/* What is behind the head of the 101. */
static slice frames_got(const struct stranger *s) {
    const slice got = stranger_got(s);
    ptrdiff_t at = slice_find_slice(got, slice_lit("\r\n\r\n"));
    assert_true(at >= 0);
    return slice_skip(got, (size_t)at + 4);
}

void print_frames(const struct stranger *s, struct buf *out) {
    struct websocket_parser p = websocket_parser_make(WEBSOCKET_SERVER, 64u << 20);
    struct websocket_event e;
    slice rest = frames_got(s);
    size_t consumed = 0;
    int r;
    while ((r = websocket_parse(&p, rest, &e, &consumed)) == 1) {
        rest = slice_skip(rest, consumed);
        assert_int_equal(buf_printf(out, "%s", websocket_kind_name(e.kind)), 0);
        if (e.kind == WEBSOCKET_CLOSE)
            assert_int_equal(buf_printf(out, " %u", e.code), 0);
        if (e.payload.len > HALL_LINE_MAX)
            assert_int_equal(buf_printf(out, " of %zu", e.payload.len), 0);
        else if (e.payload.len > 0)
            assert_int_equal(buf_printf(out, " %.*s", slice_fmt(e.payload)), 0);
        if (e.kind == WEBSOCKET_CLOSE && rest.len > 0)
            assert_int_equal(buf_printf(out, " and %zu bytes behind it", rest.len), 0);
        assert_int_equal(buf_append_byte(out, '\n'), 0);
    }
    assert_int_equal(r, 0);
    websocket_parser_free(&p);
}

void assert_frames(const struct stranger *s, const char *wanted) {
    _cleanup_buf_ struct buf got = buf_make(1 << 20);
    print_frames(s, &got);
    if (!slice_equal(buf_slice(&got), slice_str(wanted)))
        print_message("wanted:\n%sgot:\n%.*s", wanted, slice_fmt(buf_slice(&got)));
    assert_true(slice_equal(buf_slice(&got), slice_str(wanted)));
}
