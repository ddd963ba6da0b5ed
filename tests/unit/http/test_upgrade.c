#include "desk.h"

#include "base/mem.h"

#include <errno.h>

/* Streams that leave HTTP by a 101, with all that was read of them, and without a trace. */

#define ASKS                                                                                       \
    "GET /chat HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\n"                 \
    "Upgrade: chat/1\r\n\r\n"
#define ASKS_LAST                                                                                  \
    "GET /chat HTTP/1.1\r\nHost: localhost\r\nConnection: close, upgrade\r\n"                      \
    "Upgrade: chat/1\r\n\r\n"
#define SWITCHES "Connection: Upgrade\r\nUpgrade: chat/1\r\n\r\n"

/* The stream's next owner: echoes in capital letters. */
static struct chat {
    struct desk *desk;
    struct http_request *request; /* not upgraded yet */
    struct io_stream *stream;
    struct buf got;
    bool at_once, speaks, aborts;
    unsigned calls, ends, closes, gone;
    int failed, reason;
} chat;

static const struct http1_field protocol = {slice_lit("Upgrade"), slice_lit("chat/1")};

static void on_chat(void *owner, slice bytes) {
    struct chat *self = owner;
    char *room;
    assert_int_equal(buf_append(&self->got, bytes), 0);
    if (io_stream_reserve(self->stream, bytes.len, &room)) {
        io_stream_abort(self->stream);
        return;
    }
    for (size_t i = 0; i < bytes.len; i++)
        room[i] = bytes.ptr[i] >= 'a' ? (char)(bytes.ptr[i] & ~0x20) : bytes.ptr[i];
    io_stream_advance(self->stream, bytes.len);
}

static void on_chat_end(void *owner) {
    struct chat *self = owner;
    self->ends++;
    io_stream_close(self->stream);
}

static void on_chat_close(void *owner, int reason) {
    struct chat *self = owner;
    self->closes++;
    self->reason = reason;
    self->stream = NULL;
}

static const struct io_stream_events chat_events = {
    .on_bytes = on_chat, .on_end = on_chat_end, .on_close = on_chat_close};

static int upgrade(struct http_request *request) {
    return http_reply_upgrade(request, &protocol, 1, &chat_events, &chat, &chat.stream);
}

static void on_gone(void *self) {
    assert_ptr_equal(self, &chat);
    chat.request = NULL;
    chat.gone++;
}

static void handle(void *owner, struct http_request *request) {
    static const struct http_request_events events = {.on_gone = on_gone};
    struct chat *self = owner;
    self->calls++;
    if (!self->at_once) {
        self->request = request;
        http_request_later(request, &events, self);
        return;
    }
    self->failed = upgrade(request);
    if (self->failed) {
        http_reply_problem(request, 503, "not now");
        return;
    }
    if (self->speaks)
        assert_int_equal(io_stream_write(self->stream, slice_lit("welcome")), 0);
    if (self->aborts)
        io_stream_abort(self->stream);
}

static struct desk *chat_open(uint64_t seed) {
    const struct http_route route = {.pattern = "/chat", .handle = handle, .owner = &chat};
    struct desk *desk = desk_open(seed, NULL);
    chat = (struct chat){.desk = desk, .got = buf_make(1u << 20)};
    assert_int_equal(buf_reserve(&chat.got, 4096), 0); /* so that faults hit the server */
    desk_serve_only(desk, &route);
    return desk;
}

static void chat_close(struct desk *desk) {
    if (chat.stream)
        io_stream_abort(chat.stream);
    desk_close(desk);
    assert_null(chat.stream);
    buf_free(&chat.got);
}

/* Nothing of the stream is the server's any more. */
static void assert_left(struct desk *desk) {
    assert_int_equal(desk_stats(desk).connections, 0);
    assert_int_equal(desk_stats(desk).held_bytes, 0);
}

static slice behind_head(const struct stranger *s) {
    ptrdiff_t at = slice_find_slice(stranger_got(s), slice_lit(SWITCHES));
    assert_true(at >= 0);
    return slice_skip(stranger_got(s), (size_t)at + strlen(SWITCHES));
}

static void test_101_gives_the_stream_away(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct desk *desk = chat_open(seed);
        struct stranger *s = desk_stranger(desk);
        chat.at_once = chat.speaks = true;
        stranger_says(s, ASKS);
        desk_run(desk, SIM_SECOND);
        slice line = slice_lit("HTTP/1.1 101 Switching Protocols\r\nDate: ");
        assert_true(slice_starts_with(stranger_got(s), line));
        assert_true(slice_equal(behind_head(s), slice_lit("welcome")));
        assert_left(desk);
        for (unsigned i = 0; i < 3; i++) {
            stranger_says(s, GET("/chat"));
            desk_run(desk, 100 * SIM_SECOND); /* no clock of the server's runs */
        }
        assert_true(slice_ends_with(behind_head(s), slice_lit("LOCALHOST\r\n\r\n")));
        assert_int_equal(chat.calls, 1);
        assert_int_equal(chat.got.len, 3 * strlen(GET("/chat")));
        io_stream_close(s->stream);
        desk_run(desk, SIM_SECOND);
        assert_int_equal(chat.ends, 1);
        assert_int_equal(chat.closes, 1);
        chat_close(desk);
    }
}

/* Clients should wait for the 101 and some do not. */
static void test_what_was_sent_early_comes_first(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct desk *desk = chat_open(seed);
        struct stranger *s = desk_stranger(desk);
        chat.at_once = seed % 2;
        stranger_says(s, seed % 3 ? ASKS : ASKS_LAST);
        stranger_says(s, "GET / HTTP/1.1\r\n\r\n");
        if (!chat.at_once) {
            desk_run(desk, sim_below(desk->sim, 2) * SIM_SECOND);
            if (s->stream)
                stranger_says(s, "more");
            desk_run(desk, SIM_SECOND);
            assert_int_equal(upgrade(chat.request), 0);
            assert_int_equal(chat.got.len, 0); /* not before the end of the turn */
        } else {
            stranger_says(s, "more");
        }
        desk_run(desk, SIM_SECOND);
        stranger_says(s, " and more");
        desk_run(desk, SIM_SECOND);
        assert_true(
            slice_equal(buf_slice(&chat.got), slice_lit("GET / HTTP/1.1\r\n\r\nmore and more")));
        assert_true(slice_ends_with(behind_head(s), slice_lit("MORE AND MORE")));
        assert_left(desk);
        chat_close(desk);
    }
}

/* More than the server reads ahead: its reading pauses, and goes on with the next owner. */
static void test_reading_goes_on_with_the_next_owner(void **state) {
    (void)state;
    static char bytes[900000];
    memset(bytes, 'b', sizeof bytes);
    for (uint64_t seed = 0; seed < 5; seed++) {
        struct desk *desk = chat_open(seed);
        struct stranger *s = desk_stranger(desk);
        stranger_says(s, ASKS);
        stranger_says_bytes(s, slice_make(bytes, sizeof bytes));
        desk_run(desk, 10 * SIM_SECOND);
        assert_in_range(desk_stats(desk).held_bytes, 1, 3 * IO_READ_BYTES);
        assert_int_equal(upgrade(chat.request), 0);
        desk_run(desk, 60 * SIM_SECOND);
        assert_int_equal(chat.got.len, sizeof bytes);
        assert_int_equal(behind_head(s).len, sizeof bytes);
        assert_left(desk);
        chat_close(desk);
    }
}

static void test_who_is_not_upgraded_is_served_on(void **state) {
    (void)state;
    struct desk *desk = chat_open(1);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, ASKS GET("/none"));
    desk_run(desk, SIM_SECOND);
    assert_int_equal(stranger_got(s).len, 0);
    http_reply(chat.request, &(struct http_answer){.status = 200}, slice_lit("no"));
    desk_run(desk, SIM_SECOND);
    assert_int_equal(answers(s, "200"), 1);
    assert_int_equal(answers(s, "404"), 1);
    stranger_says(s, ASKS_LAST GET("/chat"));
    desk_run(desk, SIM_SECOND);
    http_reply(chat.request, &(struct http_answer){.status = 200}, slice_lit("no"));
    desk_run(desk, SIM_SECOND);
    assert_int_equal(answers(s, "200"), 2);
    assert_int_equal(chat.calls, 2);
    assert_true(s->ended);
    chat_close(desk);
}

static void test_a_request_that_is_not_alone_is_not_upgraded(void **state) {
    (void)state;
    struct desk *desk = chat_open(1);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, GET("/chat"));
    desk_run(desk, SIM_SECOND);
    struct http_request *first = chat.request;
    stranger_says(s, ASKS);
    desk_run(desk, SIM_SECOND);
    struct http_request *second = chat.request;
    assert_int_equal(chat.calls, 2);
    assert_int_equal(upgrade(first), -EBUSY);  /* another follows */
    assert_int_equal(upgrade(second), -EBUSY); /* it is not its turn */
    http_reply(first, &(struct http_answer){.status = 200}, slice_lit("x"));
    desk_run(desk, SIM_SECOND);
    assert_int_equal(upgrade(second), 0);
    desk_run(desk, SIM_SECOND);
    assert_left(desk);
    chat_close(desk);
}

static void on_body_end(void *self, slice trailers) {
    (void)trailers;
    ((struct chat *)self)->ends++;
}

static void handle_streamed(void *owner, struct http_request *request) {
    static const struct http_request_events events = {.on_gone = on_gone,
                                                      .on_body_end = on_body_end};
    assert_int_equal(upgrade(request), -EBUSY);
    chat.request = request;
    http_request_later(request, &events, owner);
}

static void test_a_body_is_read_before_the_upgrade(void **state) {
    (void)state;
    const struct http_route route = {
        .pattern = "/body", .handle = handle_streamed, .owner = &chat, .streams = true};
    struct desk *desk = chat_open(1);
    desk_serve_only(desk, &route);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, "POST /body HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\n"
                     "Upgrade: chat/1\r\nContent-Length: 3\r\n\r\nab");
    desk_run(desk, SIM_SECOND);
    assert_int_equal(upgrade(chat.request), -EBUSY);
    stranger_says(s, "cdef");
    desk_run(desk, SIM_SECOND);
    assert_int_equal(chat.ends, 1);
    assert_true(slice_equal(http_request_body(chat.request), slice_lit("abc")));
    assert_int_equal(upgrade(chat.request), 0);
    desk_run(desk, SIM_SECOND);
    assert_true(slice_equal(buf_slice(&chat.got), slice_lit("def")));
    chat_close(desk);
}

static void test_what_cannot_be_said_is_not_said(void **state) {
    (void)state;
    static const struct http1_field fields[] = {{slice_lit("Upgrade"), slice_lit("a\r\nb")},
                                                {slice_lit("Connection"), slice_lit("close")},
                                                {slice_lit("Content-Length"), slice_lit("0")}};
    struct desk *desk = chat_open(1);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, ASKS);
    desk_run(desk, SIM_SECOND);
    for (size_t i = 0; i < array_count(fields); i++)
        assert_int_equal(
            http_reply_upgrade(chat.request, &fields[i], 1, &chat_events, &chat, &chat.stream),
            -EINVAL);
    http_reply(chat.request, &(struct http_answer){.status = 200}, slice_lit("x"));
    stranger_says(s, "GET /chat HTTP/1.0\r\n\r\n");
    desk_run(desk, SIM_SECOND);
    assert_int_equal(upgrade(chat.request), -EINVAL);
    http_reply(chat.request, &(struct http_answer){.status = 200}, slice_lit("x"));
    desk_run(desk, SIM_SECOND);
    assert_int_equal(answers(s, "101"), 0);
    assert_int_equal(answers(s, "200"), 2);
    chat_close(desk);
}

/* --- the server's end --------------------------------------------------------------------------
 */

static void drained(void *argument) {
    *(bool *)argument = true;
}

static void test_drain_and_close_do_not_know_the_stream(void **state) {
    (void)state;
    struct desk *desk = chat_open(1);
    struct stranger *s = desk_stranger(desk);
    bool done = false;
    stranger_says(s, ASKS "early");
    desk_run(desk, SIM_SECOND);
    http_server_stop(desk->server);
    http_server_drain(desk->server, desk_loop(desk), drained, &done);
    desk_run(desk, SIM_SECOND);
    assert_false(done);
    assert_int_equal(upgrade(chat.request), 0);
    assert_true(done); /* in the same turn, and the server may be closed at once */
    http_server_close(desk->server, desk_loop(desk));
    assert_left(desk);
    desk_run(desk, SIM_SECOND);
    stranger_says(s, " and late");
    desk_run(desk, SIM_SECOND);
    assert_true(slice_equal(buf_slice(&chat.got), slice_lit("early and late")));
    assert_true(slice_equal(behind_head(s), slice_lit("EARLY AND LATE")));
    assert_int_equal(chat.closes, 0);
    chat_close(desk);
}

/* --- streams that are just going ---------------------------------------------------------------
 */

/* In the handler, or later: before the end of the turn either way. */
static void test_an_owner_that_aborts_at_once_hears_only_the_close(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct desk *desk = chat_open(seed);
        struct stranger *s = desk_stranger(desk);
        chat.at_once = chat.aborts = seed % 2;
        stranger_says(s, ASKS "early");
        desk_run(desk, SIM_SECOND);
        if (!chat.at_once) {
            assert_int_equal(upgrade(chat.request), 0);
            io_stream_abort(chat.stream);
            desk_run(desk, SIM_SECOND);
        }
        assert_int_equal(chat.got.len, 0);
        assert_int_equal(chat.closes, 1);
        assert_left(desk);
        chat_close(desk);
    }
}

static void test_an_end_before_the_upgrade_is_told_after_it(void **state) {
    (void)state;
    struct desk *desk = chat_open(1);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, ASKS "last words");
    desk_run(desk, SIM_SECOND);
    io_stream_close(s->stream);
    desk_run(desk, SIM_SECOND);
    assert_int_equal(chat.gone, 0);
    assert_int_equal(upgrade(chat.request), 0);
    desk_run(desk, SIM_SECOND);
    assert_true(slice_equal(buf_slice(&chat.got), slice_lit("last words")));
    assert_int_equal(chat.ends, 1);
    desk_run(desk, 10 * SIM_SECOND);
    assert_int_equal(chat.closes, 1);
    chat_close(desk);
}

/* Whenever the client goes: either on_gone and no upgrade, or the next owner's on_close, once. */
static void test_a_client_that_is_just_going(void **state) {
    (void)state;
    unsigned upgraded = 0, refused = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct desk *desk = chat_open(seed);
        struct stranger *s = desk_stranger(desk);
        stranger_says(s, ASKS);
        desk_run(desk, SIM_SECOND);
        stranger_leaves(s);
        desk_run(desk, sim_below(desk->sim, 300) * 1000);
        int failed = chat.request ? upgrade(chat.request) : -EPIPE;
        assert_true(failed == 0 || failed == -EBUSY || failed == -EPIPE);
        desk_run(desk, DESK_PATIENCE);
        assert_int_equal(chat.closes, failed == 0);
        assert_int_equal(chat.gone, failed != 0);
        upgraded += failed == 0;
        refused += failed != 0;
        assert_left(desk);
        chat_close(desk);
    }
    assert_true(upgraded > 10 && refused > 10);
}

/* --- without memory ----------------------------------------------------------------------------
 */

static bool over(void *self) {
    const struct stranger *s = self;
    return s->closed || got_contains(s, "503") ||
           slice_ends_with(stranger_got(s), slice_lit("EARLY"));
}

static void test_each_allocation_may_fail(void **state) {
    (void)state;
    unsigned failed = 0;
    bool passed_all = false;
    for (unsigned long at = 1; !passed_all; at++) {
        struct desk *desk = chat_open(1);
        struct stranger *s = desk_stranger(desk);
        chat.at_once = true;
        stranger_says(s, ASKS "early");
        unsigned long before = mem_attempts();
        mem_fail_at(at, false);
        assert_true(sim_run_until(desk->sim, over, s, 100 * SIM_SECOND));
        passed_all = mem_attempts() - before < at;
        mem_fail_at(0, false);
        failed += !slice_ends_with(stranger_got(s), slice_lit("EARLY"));
        chat_close(desk);
    }
    assert_true(failed >= 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_101_gives_the_stream_away),
        cmocka_unit_test(test_what_was_sent_early_comes_first),
        cmocka_unit_test(test_reading_goes_on_with_the_next_owner),
        cmocka_unit_test(test_who_is_not_upgraded_is_served_on),
        cmocka_unit_test(test_a_request_that_is_not_alone_is_not_upgraded),
        cmocka_unit_test(test_a_body_is_read_before_the_upgrade),
        cmocka_unit_test(test_what_cannot_be_said_is_not_said),
        cmocka_unit_test(test_drain_and_close_do_not_know_the_stream),
        cmocka_unit_test(test_an_owner_that_aborts_at_once_hears_only_the_close),
        cmocka_unit_test(test_an_end_before_the_upgrade_is_told_after_it),
        cmocka_unit_test(test_a_client_that_is_just_going),
        cmocka_unit_test(test_each_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("http/upgrade", tests, NULL, NULL);
}
