#include "desk.h"

#include <errno.h>

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

/* --- lengths, dates, trailers, words before the answer ------------------------------------------
 */

/* The request of a GET /later by S. */
static struct http_request *asked_for(struct desk *desk, struct stranger *s, const char *text) {
    unsigned before = desk->later_count;
    stranger_says(s, text);
    desk_run(desk, SIM_SECOND);
    assert_int_equal(desk->later_count, before + 1);
    return desk->later[before].request;
}

static void test_a_streamed_answer_may_have_a_length(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    struct http_request *request = asked_for(desk, s, GET("/later"));
    struct http_answer answer = plain;
    answer.has_length = true;
    answer.length = 8;
    assert_int_equal(http_reply_begin(request, &answer), 0);
    assert_int_equal(http_reply_write(request, slice_lit("four")), 0);
    assert_int_equal(http_reply_write(request, slice_lit("fives")), -E2BIG);
    assert_int_equal(http_reply_write(request, slice_lit("more")), 0);
    http_reply_end(request);
    desk_run(desk, SIM_SECOND);
    assert_got(s, "Content-Type: text/plain\r\nContent-Length: 8\r\n\r\nfourmore");
    assert_false(s->ended);
    desk_close(desk);
}

static void test_an_answer_short_of_its_length_is_broken_off(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    struct http_request *request = asked_for(desk, s, GET("/later") GET("/hello"));
    struct http_answer answer = plain;
    answer.has_length = true;
    answer.length = 8;
    assert_int_equal(http_reply_begin(request, &answer), 0);
    assert_int_equal(http_reply_write(request, slice_lit("four")), 0);
    http_reply_end(request);
    desk_run(desk, SIM_SECOND);
    assert_got(s, "Content-Type: text/plain\r\nContent-Length: 8\r\n\r\nfour");
    assert_true(s->ended);
    desk_close(desk);
}

static void test_a_length_may_only_be_announced(void **state) {
    (void)state;
    static const struct {
        const char *method;
        unsigned status;
        const char *length;
    } cases[] = {
        {"HEAD", 200, "Content-Length: 8\r\n\r\n"},
        {"GET", 304, "Content-Length: 8\r\n\r\n"},
        {"GET", 204, " GMT\r\n\r\n"}, /* which must not have one */
    };
    for (size_t i = 0; i < array_count(cases); i++) {
        struct desk *desk = desk_open(i, NULL);
        struct stranger *s = desk_stranger(desk);
        stranger_says(s, cases[i].method);
        struct http_request *request =
            asked_for(desk, s, " /later HTTP/1.1\r\nHost: localhost\r\n\r\n");
        struct http_answer answer = {.status = cases[i].status, .has_length = true, .length = 8};
        assert_int_equal(http_reply_begin(request, &answer), 0);
        assert_int_equal(http_reply_write(request, slice_lit("never sent, however long")), 0);
        http_reply_end(request);
        desk_run(desk, SIM_SECOND);
        assert_true(slice_ends_with(stranger_got(s), slice_str(cases[i].length)));
        assert_false(got_contains(s, "chunked"));
        assert_false(s->ended);
        stranger_says(s, GET("/hello"));
        desk_run(desk, SIM_SECOND);
        assert_true(slice_ends_with(stranger_got(s), slice_lit("\r\n\r\nhello")));
        desk_close(desk);
    }
}

static void test_an_answer_may_bring_its_own_date(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    struct http_request *request = asked_for(desk, s, GET("/later"));
    const struct http1_field field = {slice_lit("date"), slice_lit("yesterday")};
    http_reply(request, &(struct http_answer){.status = 200, .fields = &field, .field_count = 1},
               slice_lit("x"));
    desk_run(desk, SIM_SECOND);
    assert_true(slice_equal(stranger_got(s), slice_lit("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
                                                       "date: yesterday\r\n\r\nx")));
    desk_close(desk);
}

static void test_framing_is_not_for_fields(void **state) {
    (void)state;
    static const char *const names[] = {"content-length", "Transfer-Encoding", "CONNECTION"};
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    struct http_request *request = asked_for(desk, s, GET("/later"));
    for (size_t i = 0; i < array_count(names); i++) {
        const struct http1_field field = {slice_str(names[i]), slice_lit("1")};
        const struct http_answer answer = {.status = 200, .fields = &field, .field_count = 1};
        assert_int_equal(http_reply_begin(request, &answer), -EINVAL);
    }
    assert_int_equal(http_reply_begin(request, &(struct http_answer){.status = 199}), -EINVAL);
    http_reply(request, &(struct http_answer){.status = 204}, (slice){0});
    desk_run(desk, SIM_SECOND);
    assert_int_equal(answers(s, "204"), 1); /* nothing is left of how the others were framed */
    assert_false(got_contains(s, "Transfer-Encoding"));
    desk_close(desk);
}

static void test_trailers_stand_behind_the_last_chunk(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    static char large[9000];
    memset(large, 'l', sizeof large);
    const struct http1_field trailers[] = {
        {slice_lit("X-Sum"), slice_lit("5")},
        {slice_lit("Content-Length"), slice_lit("5")}, /* those that cannot stand there */
        {slice_lit("Host"), slice_lit("x")},
        {slice_lit("X-Split"), slice_lit("a\r\nb")},
        {slice_lit("X Y"), slice_lit("z")},
        {slice_lit("X-Large"), slice_make(large, sizeof large)},
        {slice_lit("X-Last"), slice_lit("6")},
    };
    struct http_request *request = asked_for(desk, s, GET("/later"));
    assert_int_equal(http_reply_begin(request, &plain), 0);
    assert_int_equal(http_reply_write(request, slice_lit("hello")), 0);
    http_reply_end_with(request, trailers, array_count(trailers));
    desk_run(desk, SIM_SECOND);
    assert_true(slice_ends_with(stranger_got(s),
                                slice_lit("\r\n5\r\nhello\r\n0\r\nX-Sum: 5\r\nX-Last: 6\r\n\r\n")));
    request = asked_for(desk, s, "GET /later HTTP/1.0\r\n\r\n");
    assert_int_equal(http_reply_begin(request, &plain), 0);
    assert_int_equal(http_reply_write(request, slice_lit("old")), 0);
    http_reply_end_with(request, trailers, array_count(trailers));
    desk_run(desk, SIM_SECOND);
    assert_true(slice_ends_with(stranger_got(s), slice_lit("\r\n\r\nold")));
    assert_true(s->ended);
    desk_close(desk);
}

static void test_words_before_the_answer(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    const struct http1_field link = {slice_lit("Link"), slice_lit("</style.css>; rel=preload")},
                             split = {slice_lit("X"), slice_lit("a\r\nb")},
                             framing = {slice_lit("Content-Length"), slice_lit("1")};
    struct http_request *request = asked_for(desk, s, GET("/later"));
    http_reply_interim(request, 103, &link, 1);
    http_reply_interim(request, 103, &split, 1); /* these say nothing */
    http_reply_interim(request, 103, &framing, 1);
    http_reply_interim(request, 100, NULL, 0);
    http_reply_interim(request, 101, NULL, 0);
    http_reply_interim(request, 200, NULL, 0);
    desk_run(desk, SIM_SECOND);
    assert_true(slice_equal(stranger_got(s), slice_lit("HTTP/1.1 103 Early Hints\r\n"
                                                       "Link: </style.css>; rel=preload\r\n\r\n")));
    size_t said = stranger_got(s).len;
    struct http_request *second = asked_for(desk, s, GET("/later"));
    http_reply_interim(second, 103, &link, 1); /* not its turn */
    assert_int_equal(http_reply_begin(request, &plain), 0);
    http_reply_interim(request, 103, &link, 1); /* too late */
    http_reply_end(request);
    desk_run(desk, SIM_SECOND);
    assert_int_equal(answers(s, "103"), 1);
    assert_true(stranger_got(s).len > said);
    http_reply(second, &plain, slice_lit("x"));
    request = asked_for(desk, s, "GET /later HTTP/1.0\r\n\r\n");
    http_reply_interim(request, 103, &link, 1); /* would not be understood */
    http_reply(request, &plain, slice_lit("x"));
    desk_run(desk, SIM_SECOND);
    assert_int_equal(answers(s, "103"), 1);
    assert_int_equal(answers(s, "200"), 3);
    desk_close(desk);
}

static void test_whose_turn_it_is_hears_that_the_client_has_ended(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, GET("/later") GET("/later"));
    desk_run(desk, SIM_SECOND);
    assert_int_equal(desk->later_count, 2);
    io_stream_shut(s->stream);
    desk_run(desk, SIM_SECOND);
    assert_int_equal(desk->later[0].ends, 1);
    assert_int_equal(desk->later[1].ends, 0);
    assert_int_equal(desk->later[0].gone, 0); /* it may still read */
    http_reply(desk->later[0].request, &plain, slice_lit("first"));
    http_reply(desk->later[1].request, &plain, slice_lit("second"));
    desk_run(desk, SIM_SECOND);
    assert_int_equal(answers(s, "200"), 2);
    assert_true(s->ended);
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
        cmocka_unit_test(test_a_streamed_answer_may_have_a_length),
        cmocka_unit_test(test_an_answer_short_of_its_length_is_broken_off),
        cmocka_unit_test(test_a_length_may_only_be_announced),
        cmocka_unit_test(test_an_answer_may_bring_its_own_date),
        cmocka_unit_test(test_framing_is_not_for_fields),
        cmocka_unit_test(test_trailers_stand_behind_the_last_chunk),
        cmocka_unit_test(test_words_before_the_answer),
        cmocka_unit_test(test_whose_turn_it_is_hears_that_the_client_has_ended),
        cmocka_unit_test(test_drain_lets_answers_finish_and_closes),
        cmocka_unit_test(test_close_tells_handlers_that_wait),
    };
    return cmocka_run_group_tests_name("http/answers", tests, NULL, NULL);
}
