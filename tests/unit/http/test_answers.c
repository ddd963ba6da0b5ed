#include "desk.h"

/* Answers that come later, in pieces, to clients that do not read, or not any more. */

static const struct http_answer plain = {.status = 200, .type = "text/plain"};

static bool has_streamed(void *self) {
    const struct desk *desk = self;
    return desk->streamed == desk->stream_bytes;
}

/* The bytes of the chunks in S's only answer; checks that they are well-formed and complete. */
static uint64_t chunk_bytes(const struct stranger *s) {
    slice rest = stranger_got(s);
    ptrdiff_t at = slice_find_slice(rest, slice_lit("\r\n\r\n"));
    assert_true(at >= 0);
    rest = slice_skip(rest, (size_t)at + 4);
    for (uint64_t total = 0;;) {
        uint64_t size = 0;
        size_t i = 0;
        for (; i < rest.len && rest.ptr[i] != '\r'; i++) {
            char c = rest.ptr[i];
            size = size * 16 + (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
        }
        rest = slice_skip(rest, i + 2);
        if (size == 0) {
            assert_true(slice_equal(rest, slice_lit("\r\n")));
            return total;
        }
        assert_true(rest.len >= size + 2);
        assert_memory_equal(rest.ptr + size, "\r\n", 2);
        rest = slice_skip(rest, (size_t)size + 2);
        total += size;
    }
}

static void test_a_streamed_answer_arrives_whole(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct desk *desk = desk_open(seed, NULL);
        struct stranger *s = desk_stranger(desk);
        desk->stream_bytes = 1234567;
        stranger_says(s, GET("/stream"));
        desk_run(desk, 60 * SIM_SECOND);
        assert_true(desk->stream_full > 0);
        assert_true(got_contains(s, "Transfer-Encoding: chunked\r\n"));
        assert_int_equal(chunk_bytes(s), 1234567);
        stranger_says(s, GET("/hello"));
        desk_run(desk, SIM_SECOND);
        assert_int_equal(answers(s, "200"), 2);
        desk_close(desk);
    }
}

static void test_a_reader_that_does_not_read_stops_the_stream(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    desk->stream_bytes = 50000000;
    io_stream_pause(s->stream);
    stranger_says(s, GET("/stream"));
    desk_run(desk, 10 * SIM_SECOND);
    uint64_t held = desk->streamed;
    assert_true(held > 0 && held < 2000000);
    desk_run(desk, 10 * SIM_SECOND);
    assert_int_equal(desk->streamed, held);
    io_stream_resume(s->stream); /* it goes on where it was */
    assert_true(sim_run_until(desk->sim, has_streamed, desk, 600 * SIM_SECOND));
    desk_run(desk, 10 * SIM_SECOND);
    assert_int_equal(chunk_bytes(s), 50000000);
    desk_close(desk);
}

static void test_a_reader_that_never_reads_is_cut(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    desk->stream_bytes = 50000000;
    io_stream_pause(s->stream);
    stranger_says(s, GET("/stream"));
    desk_run(desk, 70 * SIM_SECOND);
    assert_int_equal(desk->stream.gone, 1);
    assert_null(desk->stream.request);
    assert_int_equal(desk_stats(desk).connections, 0);
    desk_close(desk);
}

static void test_a_reader_that_does_not_read_is_not_read_from(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    io_stream_pause(s->stream);
    for (unsigned i = 0; i < 2000; i++) { /* 128 MB of answers, were they all made */
        static char body[65000];
        stranger_says(s, "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 65000\r\n\r\n");
        stranger_says_bytes(s, slice_make(body, sizeof body));
        if (io_stream_pending(s->stream) > (4u << 20))
            break;
    }
    desk_run(desk, 20 * SIM_SECOND);
    assert_true(desk->calls < 40);
    assert_true(desk_stats(desk).held_bytes < (1u << 20));
    desk_close(desk);
}

static void test_an_answer_after_the_client_has_gone_is_not_made(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, GET("/later") GET("/later"));
    desk_run(desk, SIM_SECOND);
    stranger_leaves(s);
    desk_run(desk, DESK_PATIENCE);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(desk->later[i].gone, 1);
        assert_null(desk->later[i].request);
    }
    assert_int_equal(desk_stats(desk).connections, 0);
    desk_close(desk);
}

static void test_answers_out_of_turn_are_freed_with_the_client(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, GET("/later") GET("/later"));
    desk_run(desk, SIM_SECOND);
    http_reply(desk->later[1].request, &plain, slice_lit("too early"));
    assert_true(desk_stats(desk).held_bytes > 0);
    stranger_leaves(s);
    desk_run(desk, DESK_PATIENCE);
    assert_int_equal(desk->later[0].gone, 1);
    assert_int_equal(desk->later[1].gone, 0);
    desk_close(desk); /* checks that nothing is held */
}

/* The client's reset is known to the socket, but our loop has not heard of it yet. */
static void test_an_answer_to_a_client_that_is_just_going(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct desk *desk = desk_open(seed, NULL);
        struct stranger *s = desk_stranger(desk);
        stranger_says(s, GET("/later"));
        desk_run(desk, SIM_SECOND);
        stranger_leaves(s);
        desk_run(desk, sim_below(desk->sim, 300) * 1000);
        if (desk->later[0].request)
            http_reply(desk->later[0].request, &plain, slice_lit("hello?"));
        desk_run(desk, SIM_SECOND);
        assert_true(desk->later[0].gone <= 1);
        desk_close(desk);
    }
}

static void test_a_broken_answer_cuts_the_connection(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, GET("/later") GET("/hello"));
    desk_run(desk, SIM_SECOND);
    struct http_request *request = desk->later[0].request;
    assert_int_equal(http_reply_begin(request, &plain), 0);
    assert_int_equal(http_reply_write(request, slice_lit("half")), 0);
    desk_run(desk, SIM_SECOND);
    http_reply_break(request);
    desk_run(desk, SIM_SECOND);
    assert_true(s->closed);
    assert_true(got_contains(s, "4\r\nhalf\r\n"));
    assert_false(got_contains(s, "0\r\n\r\n"));
    assert_int_equal(answers(s, "200"), 1);
    desk_close(desk);
}

static void test_a_stream_out_of_turn_waits(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    desk->stream_bytes = 100000;
    stranger_says(s, GET("/later") GET("/stream"));
    desk_run(desk, SIM_SECOND);
    assert_int_equal(desk->streamed, 0);
    http_reply(desk->later[0].request, &(struct http_answer){.status = 204}, (slice){0});
    desk_run(desk, 10 * SIM_SECOND);
    assert_int_equal(desk->streamed, 100000);
    assert_true(slice_starts_with(stranger_got(s), slice_lit("HTTP/1.1 204 ")));
    assert_true(slice_ends_with(stranger_got(s), slice_lit("\r\n0\r\n\r\n")));
    desk_close(desk);
}

/* Server-sent events need nothing but a stream that is written now and then. */
static void test_events_leave_as_they_are_written(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, GET("/later"));
    desk_run(desk, SIM_SECOND);
    struct http_request *request = desk->later[0].request;
    const struct http1_field field = {slice_lit("Cache-Control"), slice_lit("no-store")};
    const struct http_answer answer = {
        .status = 200, .type = "text/event-stream", .fields = &field, .field_count = 1};
    assert_int_equal(http_reply_begin(request, &answer), 0);
    for (unsigned i = 0; i < 10; i++) {
        size_t before = stranger_got(s).len;
        assert_int_equal(http_reply_write(request, slice_lit("data: tick\n\n")), 0);
        desk_run(desk, 100 * SIM_SECOND); /* longer than any clock of the server */
        assert_true(stranger_got(s).len > before);
    }
    stranger_leaves(s);
    desk_run(desk, DESK_PATIENCE);
    assert_int_equal(desk->later[0].gone, 1);
    desk_close(desk);
}

static void test_a_large_answer_is_sent_whole_and_too_large_a_one_is_a_500(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, GET("/later") GET("/later"));
    desk_run(desk, SIM_SECOND);
    size_t size = HTTP_ANSWER_BYTES_MAX + 1;
    char *bytes = test_calloc(1, size);
    http_reply(desk->later[0].request, &plain, slice_make(bytes, size));
    http_reply(desk->later[1].request, &plain, slice_make(bytes, 10u << 20));
    test_free(bytes);
    desk_run(desk, 600 * SIM_SECOND);
    assert_int_equal(answers(s, "500"), 1);
    assert_int_equal(answers(s, "200"), 1);
    assert_true(stranger_got(s).len > (10u << 20));
    desk_close(desk);
}

static void drained(void *argument) {
    *(bool *)argument = true;
}

static void test_drain_lets_answers_finish_and_closes(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *idle = desk_stranger(desk), *busy = desk_stranger(desk);
    stranger_says(idle, GET("/hello"));
    stranger_says(busy, GET("/later"));
    desk_run(desk, SIM_SECOND);
    bool done = false;
    http_server_stop(desk->server);
    http_server_drain(desk->server, io_group_loop(desk->group[1], 0), drained, &done);
    desk_run(desk, SIM_SECOND);
    assert_true(idle->ended);
    assert_false(busy->ended);
    assert_false(done);
    http_reply(desk->later[0].request, &plain, slice_lit("last"));
    desk_run(desk, SIM_SECOND);
    assert_true(got_contains(busy, "Connection: close\r\n"));
    assert_true(got_contains(busy, "last"));
    assert_true(busy->ended);
    assert_true(done);
    desk_close(desk);
}

static void test_close_tells_handlers_that_wait(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, GET("/later"));
    desk_run(desk, SIM_SECOND);
    http_server_close(desk->server, io_group_loop(desk->group[1], 0));
    assert_int_equal(desk->later[0].gone, 1);
    desk_run(desk, SIM_SECOND);
    assert_true(s->closed);
    desk_close(desk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_streamed_answer_arrives_whole),
        cmocka_unit_test(test_a_reader_that_does_not_read_stops_the_stream),
        cmocka_unit_test(test_a_reader_that_never_reads_is_cut),
        cmocka_unit_test(test_a_reader_that_does_not_read_is_not_read_from),
        cmocka_unit_test(test_an_answer_after_the_client_has_gone_is_not_made),
        cmocka_unit_test(test_answers_out_of_turn_are_freed_with_the_client),
        cmocka_unit_test(test_an_answer_to_a_client_that_is_just_going),
        cmocka_unit_test(test_a_broken_answer_cuts_the_connection),
        cmocka_unit_test(test_a_stream_out_of_turn_waits),
        cmocka_unit_test(test_events_leave_as_they_are_written),
        cmocka_unit_test(test_a_large_answer_is_sent_whole_and_too_large_a_one_is_a_500),
        cmocka_unit_test(test_drain_lets_answers_finish_and_closes),
        cmocka_unit_test(test_close_tells_handlers_that_wait),
    };
    return cmocka_run_group_tests_name("http/answers", tests, NULL, NULL);
}
