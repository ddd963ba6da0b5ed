#include "upstream.h"

#include "wire/http1_write.h"

#include <errno.h>
#include <stdio.h>

/* What is asked and what is heard: heads, bodies, framing, interim answers, upgrades. */

#define SEEDS 12 /* each cuts what is said in other places */

/* --- what is sent -------------------------------------------------------------------------------
 */

static void test_a_request_is_written_as_asked(void **state) {
    (void)state;
    static const struct http1_field fields[] = {
        {slice_lit("Accept"), slice_lit("*/*")},
        {slice_lit("X-Empty"), slice_lit("")},
        {slice_lit("Cookie"), slice_lit("a=b; c=\xc3\xa4\td")},
    };
    static const struct {
        struct http_call_options options;
        const char *text;
    } cases[] = {
        {{.target = slice_lit("/a?b=c"), .fields = fields, .field_count = 3},
         "GET /a?b=c HTTP/1.1\r\nHost: far\r\nAccept: */*\r\nX-Empty: \r\n"
         "Cookie: a=b; c=\xc3\xa4\td\r\n\r\n"},
        {{.method = slice_lit("OPTIONS"), .target = slice_lit("*")},
         "OPTIONS * HTTP/1.1\r\nHost: far\r\n\r\n"},
        {{.method = slice_lit("DELETE"), .host = slice_lit("shop.example:8080")},
         "DELETE /x HTTP/1.1\r\nHost: shop.example:8080\r\n\r\n"},
        {{.method = slice_lit("POST")},
         "POST /x HTTP/1.1\r\nHost: far\r\nContent-Length: 0\r\n\r\n"},
        {{.method = slice_lit("PUT"), .has_body = true, .body_length = 1234567},
         "PUT /x HTTP/1.1\r\nHost: far\r\nContent-Length: 1234567\r\n\r\n"},
        {{.method = slice_lit("GET"), .has_body = true, .body_length = HTTP_CALL_CHUNKED},
         "GET /x HTTP/1.1\r\nHost: far\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {{.upgrade = slice_lit("websocket"), .fields = fields, .field_count = 1},
         "GET /x HTTP/1.1\r\nHost: far\r\nAccept: */*\r\nConnection: upgrade\r\n"
         "Upgrade: websocket\r\n\r\n"},
        {{.trailers = true},
         "GET /x HTTP/1.1\r\nHost: far\r\nConnection: TE\r\nTE: trailers\r\n\r\n"},
        {{.trailers = true, .upgrade = slice_lit("x")},
         "GET /x HTTP/1.1\r\nHost: far\r\nConnection: upgrade, TE\r\nTE: trailers\r\n"
         "Upgrade: x\r\n\r\n"},
    };
    for (size_t i = 0; i < array_count(cases); i++) {
        struct upstream *u = upstream_open(i, NULL);
        assert_int_equal(ask(u, cases[i].options)->begun, 0);
        struct line *line = upstream_line(u, 0);
        assert_string_equal(line_text(line), cases[i].text);
        upstream_close(u);

        u = upstream_open(i, NULL); /* the same on a connection that is there already */
        exchange(u, 0);
        assert_int_equal(ask(u, cases[i].options)->begun, 0);
        line = upstream_line(u, 0);
        assert_string_equal(line_text(line), cases[i].text);
        assert_int_equal(upstream_stats(u).connections_total, 1);
        upstream_close(u);
    }
}

/* Nothing is sent of what could be read as something else. */
static void test_what_cannot_be_sent_is_refused(void **state) {
    (void)state;
    static const struct http1_field bad[] = {
        {slice_lit("X"), slice_lit("a\r\nSet-Cookie: b")},
        {slice_lit("X"), slice_lit("a\nb")},
        {slice_lit("X"), slice_lit("a\0b")},
        {slice_lit("X"), slice_lit("a\x7f")},
        {slice_lit("X Y"), slice_lit("a")},
        {slice_lit("X:"), slice_lit("a")},
        {slice_lit(""), slice_lit("a")},
        {slice_lit("host"), slice_lit("a")},
        {slice_lit("CONTENT-length"), slice_lit("1")},
        {slice_lit("transfer-Encoding"), slice_lit("chunked")},
        {slice_lit("connection"), slice_lit("close")},
        {slice_lit("Upgrade"), slice_lit("h2c")},
    };
    static const struct http_call_options options[] = {
        {.method = slice_lit("CONNECT"), .target = slice_lit("/")},
        {.method = slice_lit("")},
        {.has_body = true, .body_length = (uint64_t)INT64_MAX + 1},
        {.method = slice_lit("G T")},
        {.method = slice_lit("GET"), .target = slice_lit("*")},
        {.target = slice_lit("")},
        {.target = slice_lit("http://far/")},
        {.target = slice_lit("/a b")},
        {.target = slice_lit("/a\r\nX: y")},
        {.target = slice_lit("/\xc3\xa4")},
        {.host = slice_lit("far\r\nX: y")},
        {.upgrade = slice_lit("a\r\nX: y")},
    };
    struct upstream *u = upstream_open(1, NULL);
    for (unsigned idle = 0; idle < 2; idle++) { /* without a connection, and with one */
        for (size_t i = 0; i < array_count(bad); i++) {
            struct http_call_options with = {.fields = &bad[i], .field_count = 1};
            assert_int_equal(ask(u, with)->begun, -EINVAL);
        }
        for (size_t i = 0; i < array_count(options); i++)
            assert_int_equal(ask(u, options[i])->begun, -EINVAL);
        assert_int_equal(upstream_stats(u).calls, 0);
        exchange(u, 0); /* and nothing of it has stayed behind */
    }
    upstream_close(u);
}

static void test_a_head_has_a_bound(void **state) {
    (void)state;
    static char long_text[HTTP1_WRITTEN_MAX + 1];
    memset(long_text, 'x', sizeof long_text);
    long_text[0] = '/';
    struct upstream *u = upstream_open(1, NULL);
    struct http1_field field = {slice_lit("X"), slice_make(long_text, HTTP1_WRITTEN_MAX)};
    struct http_call_options with = {.fields = &field, .field_count = 1};
    assert_int_equal(ask(u, with)->begun, -EINVAL);
    field.value.len = SIZE_MAX / 2; /* sums must not wrap */
    assert_int_equal(ask(u, with)->begun, -EINVAL);
    with = (struct http_call_options){.target = slice_make(long_text, HTTP1_WRITTEN_MAX)};
    assert_int_equal(ask(u, with)->begun, -EINVAL);
    field.value.len = 60000;
    with = (struct http_call_options){.fields = &field, .field_count = 1};
    struct asked *a = ask(u, with);
    assert_int_equal(a->begun, 0);
    struct line *line = upstream_line(u, 0);
    assert_int_equal(line->got.len, 60000 + strlen("GET /x HTTP/1.1\r\nHost: far\r\nX: \r\n\r\n"));
    line_says(u, line, OK_HI);
    assert_heard(a, HEARD_HI);
    upstream_close(u);
}

/* --- framing of answers -------------------------------------------------------------------------
 */

#define HEAD_200 "HTTP/1.1 200 OK\r\n"

static const struct {
    const char *method, *answer, *heard;
    bool stays; /* the connection is used again */
    bool ends;  /* the server ends it behind the answer */
} framings[] = {
    {"GET", OK_HI, HEARD_HI, true, false},
    {"GET", HEAD_200 "Content-Length: 0\r\n\r\n", "head 200, end", true, false},
    {"GET", HEAD_200 "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
     "head 200, body abcde, end", true, false},
    {"GET", HEAD_200 "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: y\r\nZ: w\r\n\r\n",
     "head 200, body a, end X=y Z=w", true, false},
    {"GET", HEAD_200 "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "head 200, end", true, false},
    {"GET", HEAD_200 "\r\nuntil the end", "head 200, body until the end, end", false, true},
    {"GET", HEAD_200 "\r\n", "head 200, end", false, true},
    {"GET", HEAD_200 "Content-Length: 2\r\nConnection: close\r\n\r\nhi", HEARD_HI, false, false},
    {"GET", HEAD_200 "Content-Length: 2\r\nConnection: x, Close\r\n\r\nhi", HEARD_HI, false, false},
    {"GET", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", HEARD_HI, false, false},
    {"GET", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nhi", HEARD_HI,
     true, false},
    {"GET", "HTTP/1.0 200 OK\r\n\r\nold", "head 200, body old, end", false, true},
    {"GET", "HTTP/1.1 204 No Content\r\n\r\n", "head 204, end", true, false},
    {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\n\r\n", "head 304, end", true,
     false},
    {"GET", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", "head 304, end",
     true, false},
    {"GET", "HTTP/1.1 204 \r\nConnection: close\r\n\r\n", "head 204, end", false, false},
    {"HEAD", HEAD_200 "Content-Length: 5\r\n\r\n", "head 200, end", true, false},
    {"HEAD", HEAD_200 "Transfer-Encoding: chunked\r\n\r\n", "head 200, end", true, false},
    {"HEAD", HEAD_200 "\r\n", "head 200, end", true, false},
    {"HEAD", HEAD_200 "Connection: close\r\n\r\n", "head 200, end", false, false},
    {"DELETE", "HTTP/1.1 500 \r\nContent-Length: 2\r\n\r\nhi", "head 500, body hi, end", true,
     false},
    {"GET", "HTTP/1.1 100 Continue\r\n\r\n" OK_HI, "interim 100, " HEARD_HI, true, false},
    {"GET", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 103 \r\n\r\n" OK_HI,
     "interim 103, interim 103, " HEARD_HI, true, false},
    {"HEAD", "HTTP/1.1 102 Processing\r\n\r\n" HEAD_200 "Content-Length: 9\r\n\r\n",
     "interim 102, head 200, end", true, false},
    /* Answered, and then something that nobody has asked for. */
    {"GET", OK_HI "!", HEARD_HI, false, false},
    {"GET", OK_HI OK_HI, HEARD_HI, false, false},
    {"HEAD", OK_HI, "head 200, end", false, false},
    {"GET", OK_HI, HEARD_HI, false, true},
};

static void play_framing(size_t i, uint64_t seed, bool drawl) {
    struct upstream *u = upstream_open(seed, NULL);
    struct asked *a = ask(u, (struct http_call_options){.method = slice_str(framings[i].method)});
    struct line *line = upstream_line(u, 0);
    slice answer = slice_str(framings[i].answer);
    for (size_t at = 0; drawl && at < answer.len && line->stream; at++)
        line_says_bytes(u, line, slice_make(answer.ptr + at, 1));
    if (!drawl)
        line_says_bytes(u, line, answer);
    if (framings[i].ends && line->stream)
        line_ends(u, line);
    assert_heard(a, framings[i].heard);
    assert_int_equal(upstream_stats(u).connections, framings[i].stays);
    assert_int_equal(upstream_stats(u).idle, framings[i].stays);
    assert_int_equal(upstream_stats(u).calls, 0);
    assert_true(framings[i].stays || line->closed || line->ended);
    if (framings[i].stays) {
        line_forget(line);
        exchange(u, 0);
    } else {
        exchange(u, 1);
    }
    upstream_close(u);
}

static void test_answers_end_where_their_framing_says(void **state) {
    (void)state;
    for (size_t i = 0; i < array_count(framings); i++) {
        for (uint64_t seed = 0; seed < SEEDS; seed++)
            play_framing(i, seed, false);
    }
}

static void test_byte_by_byte_it_is_the_same(void **state) {
    (void)state;
    for (size_t i = 0; i < array_count(framings); i++)
        play_framing(i, i, true);
}

static void test_a_large_body_passes(void **state) {
    (void)state;
    enum { SIZE = 300000 };
    static char bytes[SIZE];
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (char)('a' + i % 23);
    for (uint64_t seed = 10; seed < 16; seed++) {
        struct upstream *u = upstream_open(seed, NULL);
        struct asked *a = ask_get(u, "/x");
        struct line *line = upstream_line(u, 0);
        line_says(u, line, HEAD_200 "Content-Length: 300000\r\n\r\n");
        line_says_bytes(u, line, slice_make(bytes, SIZE));
        upstream_run(u, 60 * SIM_SECOND);
        assert_null(a->call);
        const char *heard = asked_heard(a);
        size_t skip = strlen("head 200, body ");
        assert_int_equal(a->heard.len, skip + SIZE + strlen(", end"));
        assert_memory_equal(heard + skip, bytes, SIZE);
        upstream_close(u);
    }
}

static void test_the_head_is_as_the_server_said_it(void **state) {
    (void)state;
    struct upstream *u = upstream_open(3, NULL);
    struct asked *a = ask_get(u, "/x");
    line_says(u, upstream_line(u, 0), HEAD_200 "A: b\r\nC:d\r\nContent-Length: 0\r\n\r\n");
    assert_heard(a, "head 200, end");
    assert_int_equal(a->fields, 3);
    upstream_close(u);
}

static void test_many_interims_are_too_many(void **state) {
    (void)state;
    struct upstream *u = upstream_open(1, NULL);
    struct asked *a = ask_get(u, "/x");
    struct line *line = upstream_line(u, 0);
    for (unsigned i = 0; i < 33 && line->stream; i++)
        line_says(u, line, "HTTP/1.1 102 Processing\r\n\r\n");
    upstream_run(u, SIM_SECOND);
    assert_null(a->call);
    assert_int_equal(a->failed, HTTP_FAILED_ANSWER);
    assert_int_equal(a->code, -EPROTO);
    upstream_close(u);
}

/* --- bodies of requests -------------------------------------------------------------------------
 */

static void ask_on_open_connection(struct upstream *u) {
    exchange(u, 0);
}

static void test_a_body_of_known_length_is_sent(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct upstream *u = upstream_open(seed, NULL);
        ask_on_open_connection(u);
        struct asked *a = ask_post(u, 6);
        assert_int_equal(asked_write(a, "abc"), 0);
        assert_int_equal(asked_write(a, ""), 0);
        assert_int_equal(asked_write(a, "defg"), -E2BIG);
        assert_int_equal(asked_write(a, "def"), 0);
        assert_int_equal(asked_write(a, "g"), -E2BIG);
        asked_end(a);
        struct line *line = upstream_line(u, 0);
        assert_string_equal(line_text(line),
                            "POST /x HTTP/1.1\r\nHost: far\r\nContent-Length: 6\r\n\r\nabcdef");
        line_says(u, line, OK_HI);
        assert_heard(a, HEARD_HI);
        assert_int_equal(upstream_stats(u).idle, 1);
        upstream_close(u);
    }
}

static void test_whoever_asks_for_room_is_told_of_it(void **state) {
    (void)state;
    struct upstream *u = upstream_open(11, NULL);
    u->lines_paused = true;
    struct asked *a = ask_post(u, HTTP_CALL_CHUNKED);
    assert_true(http_call_full(a->call)); /* there is no connection */
    upstream_line(u, 0);
    assert_int_equal(a->rooms, 1);
    assert_false(http_call_full(a->call));
    while (!http_call_full(a->call))
        assert_int_equal(asked_write(a, "some of it"), 0);
    assert_int_equal(asked_write(a, "more"), -EAGAIN);
    io_stream_resume(u->lines[0].stream);
    upstream_run(u, 10 * SIM_SECOND);
    assert_int_equal(a->rooms, 2);
    assert_false(http_call_full(a->call));
    asked_cancel(a);
    upstream_close(u);
}

static void test_a_body_waits_for_its_connection(void **state) {
    (void)state;
    struct upstream *u = upstream_open(1, NULL);
    struct asked *a = ask_post(u, 3);
    assert_int_equal(asked_write(a, "abc"), -EAGAIN);
    assert_int_equal(asked_write(a, "abcd"), -E2BIG);
    struct line *line = upstream_line(u, 0);
    assert_int_equal(a->rooms, 1);
    assert_int_equal(asked_write(a, "abc"), 0);
    asked_end(a);
    upstream_run(u, SIM_SECOND);
    assert_string_equal(line_text(line),
                        "POST /x HTTP/1.1\r\nHost: far\r\nContent-Length: 3\r\n\r\nabc");
    line_says(u, line, OK_HI);
    assert_heard(a, HEARD_HI);
    assert_int_equal(a->rooms, 1);
    upstream_close(u);
}

static void end_with_trailers(struct asked *a, const struct http1_field *trailers, size_t count) {
    a->u->in_call = true;
    http_call_end(a->call, trailers, count);
    a->u->in_call = false;
}

static void test_a_chunked_body_is_sent_with_trailers(void **state) {
    (void)state;
    static const struct http1_field trailers[] = {{slice_lit("Sum"), slice_lit("6")},
                                                  {slice_lit("X"), slice_lit("")}};
    struct upstream *u = upstream_open(1, NULL);
    ask_on_open_connection(u);
    struct asked *a = ask_post(u, HTTP_CALL_CHUNKED);
    assert_int_equal(asked_write(a, "abcdefghijklmnopq"), 0);
    assert_int_equal(asked_write(a, ""), 0); /* an empty chunk would be the end */
    assert_int_equal(asked_write(a, "r"), 0);
    end_with_trailers(a, trailers, 2);
    struct line *line = upstream_line(u, 0);
    assert_string_equal(line_text(line), "POST /x HTTP/1.1\r\nHost: far\r\n"
                                         "Transfer-Encoding: chunked\r\n\r\n"
                                         "11\r\nabcdefghijklmnopq\r\n1\r\nr\r\n"
                                         "0\r\nSum: 6\r\nX: \r\n\r\n");
    line_says(u, line, OK_HI);
    assert_heard(a, HEARD_HI);
    upstream_close(u);
}

/* The whole request is there before the connection is. */
static void test_an_empty_body_ends_before_its_connection_is_there(void **state) {
    (void)state;
    static const struct http1_field trailer = {slice_lit("X"), slice_lit("y")};
    struct upstream *u = upstream_open(1, NULL);
    struct asked *a = ask_post(u, HTTP_CALL_CHUNKED);
    end_with_trailers(a, &trailer, 1);
    struct line *line = upstream_line(u, 0);
    assert_string_equal(line_text(line), "POST /x HTTP/1.1\r\nHost: far\r\n"
                                         "Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n");
    line_says(u, line, OK_HI);
    assert_heard(a, HEARD_HI);
    upstream_close(u);
    u = upstream_open(1, NULL);
    a = ask_post(u, 0);
    asked_end(a);
    line = upstream_line(u, 0);
    assert_string_equal(line_text(line), "POST /x HTTP/1.1\r\nHost: far\r\n"
                                         "Content-Length: 0\r\n\r\n");
    line_says(u, line, OK_HI);
    assert_heard(a, HEARD_HI);
    upstream_close(u);
}

static void test_trailers_that_cannot_be_sent_fail_the_call(void **state) {
    (void)state;
    static const struct http1_field bad[] = {{slice_lit("X"), slice_lit("a\r\nb")},
                                             {slice_lit("Content-Length"), slice_lit("1")}};
    for (size_t i = 0; i < 2; i++) {
        struct upstream *u = upstream_open(i, NULL);
        struct asked *a = ask_post(u, HTTP_CALL_CHUNKED);
        end_with_trailers(a, &bad[i], 1);
        assert_heard(a, "failed closed"); /* without a connection */
        assert_int_equal(a->code, -EINVAL);
        exchange(u, 1);
        a = ask_post(u, HTTP_CALL_CHUNKED);
        assert_int_equal(asked_write(a, "x"), 0);
        end_with_trailers(a, &bad[i], 1);
        assert_heard(a, "failed closed"); /* and with one */
        assert_int_equal(a->code, -EINVAL);
        upstream_close(u);
    }
}

/* A server that reads nothing: writing is put off, nothing is lost, and it goes on with it. */
static void pour(struct asked *a, char event) {
    static char piece[100000];
    if (event != 'r')
        return;
    memset(piece, 'p', sizeof piece);
    bool was = a->u->in_call;
    a->u->in_call = true;
    int failed = 0;
    while (!failed && a->fields < 30) { /* counts the pieces here */
        failed = http_call_write(a->call, slice_make(piece, sizeof piece));
        a->fields += !failed;
    }
    assert_true(failed == 0 || failed == -EAGAIN);
    if (!failed)
        http_call_end(a->call, NULL, 0);
    a->u->in_call = was;
}

static void test_a_server_that_does_not_read_is_waited_for(void **state) {
    (void)state;
    for (uint64_t seed = 10; seed < 16; seed++) { /* others cut to single bytes: slow */
        bool chunked = seed % 2;
        struct upstream *u = upstream_open(seed, NULL);
        u->lines_paused = true;
        struct asked *a = ask_post(u, chunked ? HTTP_CALL_CHUNKED : 3000000);
        a->act = pour;
        assert_int_equal(asked_write(a, "p"), -EAGAIN);
        struct line *line = upstream_line(u, 0);
        upstream_run(u, 10 * SIM_SECOND);
        assert_true(a->fields >= 5 && a->fields < 20); /* the pool's bound, and the network's */
        io_stream_resume(line->stream);
        upstream_run(u, 60 * SIM_SECOND);
        assert_int_equal(a->fields, 30);
        assert_true(a->rooms > 1);
        line_says(u, line, OK_HI);
        assert_heard(a, HEARD_HI);
        assert_int_equal(upstream_stats(u).idle, 1);
        size_t sent = 0;
        for (size_t i = 0; i < line->got.len; i++)
            sent += line->got.ptr[i] == 'p';
        assert_int_equal(sent, 3000000);
        if (chunked)
            assert_true(slice_ends_with(buf_slice(&line->got), slice_lit("\r\n0\r\n\r\n")));
        upstream_close(u);
    }
}

/* --- answers before their time ------------------------------------------------------------------
 */

static void test_an_answer_before_the_body_is_whole_ends_the_connection(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct upstream *u = upstream_open(seed, NULL);
        ask_on_open_connection(u);
        struct asked *a = ask_post(u, 1000);
        assert_int_equal(asked_write(a, "only the beginning"), 0);
        struct line *line = upstream_line(u, 0);
        line_says(u, line, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig");
        assert_heard(a, "head 413, body big, end");
        assert_int_equal(upstream_stats(u).connections, 0);
        assert_true(line->ended || line->closed);
        exchange(u, 1);
        upstream_close(u);
    }
}

static void write_on(struct asked *a, char event) {
    if (event == 'h') {
        assert_int_equal(asked_write(a, "world"), 0);
        asked_end(a);
    }
}

static void test_an_early_head_lets_the_body_go_on(void **state) {
    (void)state;
    struct upstream *u = upstream_open(1, NULL);
    ask_on_open_connection(u);
    struct asked *a = ask_post(u, HTTP_CALL_CHUNKED);
    a->act = write_on;
    assert_int_equal(asked_write(a, "hello "), 0);
    struct line *line = upstream_line(u, 0);
    line_says(u, line, HEAD_200 "Transfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n");
    upstream_run(u, SIM_SECOND);
    assert_true(slice_ends_with(buf_slice(&line->got), slice_lit("5\r\nworld\r\n0\r\n\r\n")));
    line_says(u, line, "5\r\nworld\r\n0\r\n\r\n");
    assert_heard(a, "head 200, body hello world, end");
    assert_int_equal(upstream_stats(u).idle, 1);
    upstream_close(u);
}

static void continue_now(struct asked *a, char event) {
    if (event == 'i') {
        assert_int_equal(asked_write(a, "abc"), 0);
        asked_end(a);
    }
}

static void test_100_continue_lets_the_body_come(void **state) {
    (void)state;
    static const struct http1_field expect = {slice_lit("Expect"), slice_lit("100-continue")};
    struct upstream *u = upstream_open(1, NULL);
    struct asked *a = ask(u, (struct http_call_options){.method = slice_lit("PUT"),
                                                        .has_body = true,
                                                        .body_length = 3,
                                                        .fields = &expect,
                                                        .field_count = 1});
    a->act = continue_now;
    struct line *line = upstream_line(u, 0);
    line_says(u, line, "HTTP/1.1 100 Continue\r\n\r\n");
    upstream_run(u, SIM_SECOND);
    assert_true(slice_ends_with(buf_slice(&line->got), slice_lit("\r\n\r\nabc")));
    line_says(u, line, OK_HI);
    assert_heard(a, "interim 100, " HEARD_HI);
    assert_int_equal(upstream_stats(u).idle, 1);
    upstream_close(u);
}

/* --- pausing ------------------------------------------------------------------------------------
 */

static void play_pause(uint64_t seed, size_t size, bool pushes_back) {
    static char bytes[2000000];
    char head[100];
    memset(bytes, 'b', sizeof bytes);
    snprintf(head, sizeof head, HEAD_200 "Content-Length: %zu\r\n\r\n", size);
    struct upstream *u = upstream_open(seed, NULL);
    struct asked *a = ask_get(u, "/x");
    a->paused_at_head = true;
    struct line *line = upstream_line(u, 0);
    line_says(u, line, head);
    line_says_bytes(u, line, slice_make(bytes, size));
    upstream_run(u, 300 * SIM_SECOND); /* silence is ours: nothing ends it */
    assert_string_equal(asked_heard(a), "head 200");
    assert_true(!pushes_back || io_stream_pending(line->stream) > 0);
    asked_resume(a);
    asked_pause(a);
    upstream_run(u, SIM_SECOND);
    assert_string_equal(asked_heard(a), "head 200");
    asked_resume(a);
    upstream_run(u, 60 * SIM_SECOND);
    assert_null(a->call);
    assert_int_equal(a->heard.len, strlen("head 200, body , end") + size);
    upstream_close(u);
}

static void test_a_paused_call_hears_no_body_and_pushes_back(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++)
        play_pause(seed, 50000, false);
    play_pause(2, 2000000, true);
}

static void test_an_empty_answer_waits_for_resuming_too(void **state) {
    (void)state;
    struct upstream *u = upstream_open(1, NULL);
    struct asked *a = ask_get(u, "/x");
    asked_pause(a); /* before there is a connection */
    struct line *line = upstream_line(u, 0);
    line_says(u, line, "HTTP/1.1 204 No Content\r\n\r\n");
    assert_heard(a, "head 204");
    asked_resume(a);
    assert_heard(a, "head 204, end");
    line_forget(line);
    exchange(u, 0);
    upstream_close(u);
}

/* Each part is paused at: with chunks of a byte there are many pauses in one read. */
static void test_pausing_at_each_part_loses_nothing(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        char text[2000] = HEAD_200 "Transfer-Encoding: chunked\r\n\r\n";
        for (unsigned i = 0; i < 100; i++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "1\r\n%c\r\n", 'a' + i % 26);
        snprintf(text + strlen(text), sizeof text - strlen(text), "0\r\nX: y\r\n\r\n");
        struct upstream *u = upstream_open(seed, NULL);
        struct asked *a = ask_get(u, "/x");
        a->pauses_each = true;
        struct line *line = upstream_line(u, 0);
        line_says(u, line, text);
        line_forget(line);
        for (unsigned i = 1; i <= 100; i++) {
            upstream_run(u, SIM_SECOND / 100);
            assert_int_equal(a->bodies, i);
            asked_resume(a);
        }
        upstream_run(u, SIM_SECOND);
        assert_true(slice_ends_with(buf_slice(&a->heard), slice_lit("tuv, end X=y")));
        assert_int_equal(upstream_stats(u).idle, 1);
        exchange(u, 0);
        upstream_close(u);
    }
}

/* --- other protocols ----------------------------------------------------------------------------
 */

struct heir {
    struct io_stream *stream;
    struct asked *from;
    struct buf got;
    unsigned ends, closes;
};

static void heir_bytes(void *owner, slice bytes) {
    assert_int_equal(buf_append(&((struct heir *)owner)->got, bytes), 0);
}

static void heir_end(void *owner) {
    ((struct heir *)owner)->ends++;
}

static void heir_close(void *owner, int reason) {
    (void)reason;
    ((struct heir *)owner)->closes++;
}

static const struct io_stream_events heir_events = {
    .on_bytes = heir_bytes, .on_end = heir_end, .on_close = heir_close};
static struct heir heir;

static void detach(struct asked *a, char event) {
    if (event != 'h')
        return;
    a->u->in_call = true;
    http_call_detach(a->call, &heir_events, &heir, &heir.stream);
    a->u->in_call = false;
    a->call = NULL;
    assert_int_equal(io_stream_write(heir.stream, slice_lit("hello")), 0);
    assert_int_equal(heir.got.len, 0);
}

static void test_a_101_hands_the_stream_over(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 4 * SEEDS; seed++) {
        bool at_once = seed % 2; /* or only after on_head has returned */
        struct upstream *u = upstream_open(seed, NULL);
        heir = (struct heir){.got = buf_make(1000)};
        ask_on_open_connection(u);
        struct asked *a = ask(u, (struct http_call_options){.upgrade = slice_lit("websocket")});
        a->act = at_once ? detach : NULL;
        struct line *line = upstream_line(u, 0);
        line_forget(line);
        line_says(u, line,
                  "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                  "Upgrade: websocket\r\n\r\nHTTP/9 no HTTP any more\r\n\r\n");
        upstream_run(u, SIM_SECOND);
        assert_string_equal(asked_heard(a), "head 101");
        if (!at_once) {
            assert_int_equal(heir.got.len, 0);
            detach(a, 'h');
            upstream_run(u, SIM_SECOND);
        }
        assert_int_equal(upstream_stats(u).connections, 0);
        assert_int_equal(upstream_stats(u).calls, 0);
        line_says(u, line, "more");
        upstream_run(u, SIM_SECOND);
        assert_string_equal(buf_text(&heir.got), "HTTP/9 no HTTP any more\r\n\r\nmore");
        assert_string_equal(line_text(line), "hello");
        line_ends(u, line);
        upstream_run(u, SIM_SECOND);
        assert_int_equal(heir.ends, 1);
        u->pool = http_pool_free(u->pool); /* it is not the pool's any more */
        assert_int_equal(heir.closes, 0);
        io_stream_close(heir.stream);
        upstream_run(u, 10 * SIM_SECOND);
        assert_int_equal(heir.closes, 1);
        buf_free(&heir.got);
        upstream_close(u);
    }
}

/* Whatever happens in the same turn, the heir hears it. */
static void detach_and_abort(struct asked *a, char event) {
    detach(a, event);
    if (event == 'h')
        io_stream_abort(heir.stream);
}

static void detach_and_shut(struct asked *a, char event) {
    detach(a, event);
    if (event == 'h')
        io_stream_shut(heir.stream); /* it has nothing to say, and still hears */
}

static void detach_and_free_pool(struct asked *a, char event) {
    detach(a, event);
    if (event == 'h')
        a->u->pool = http_pool_free(a->u->pool);
}

static void detach_and_retire_pool(struct asked *a, char event) {
    detach(a, event);
    if (event == 'h') {
        http_pool_retire(a->u->pool);
        a->u->pool = NULL;
    }
}

static void test_a_detached_stream_may_end_at_once(void **state) {
    (void)state;
    static void (*const acts[])(struct asked *, char) = {
        detach_and_abort, detach_and_shut, detach_and_free_pool, detach_and_retire_pool};
    for (uint64_t seed = 0; seed < 4 * SEEDS; seed++) {
        struct upstream *u = upstream_open(seed, NULL);
        heir = (struct heir){.got = buf_make(1000)};
        struct asked *a = ask(u, (struct http_call_options){.upgrade = slice_lit("x")});
        a->act = acts[seed % 4];
        line_says(u, upstream_line(u, 0), "HTTP/1.1 101 \r\n\r\nbehind");
        upstream_run(u, SIM_SECOND);
        if (a->act == detach_and_abort) {
            assert_int_equal(heir.got.len, 0);
        } else {
            assert_string_equal(buf_text(&heir.got), "behind");
            io_stream_abort(heir.stream);
            upstream_run(u, SIM_SECOND);
        }
        assert_int_equal(heir.closes, 1);
        buf_free(&heir.got);
        upstream_close(u);
    }
}

static void test_a_101_may_be_declined(void **state) {
    (void)state;
    struct upstream *u = upstream_open(1, NULL);
    struct asked *a = ask(u, (struct http_call_options){.upgrade = slice_lit("x")});
    struct line *line = upstream_line(u, 0);
    line_says(u, line, "HTTP/1.1 101 \r\n\r\nbehind");
    assert_heard(a, "head 101");
    asked_cancel(a);
    assert_heard(a, "head 101");
    assert_true(line->closed || line->ended);
    a = ask(u, (struct http_call_options){.upgrade = slice_lit("x")});
    line_says(u, upstream_line(u, 1), OK_HI); /* the server may decline, too */
    assert_heard(a, HEARD_HI);
    assert_int_equal(upstream_stats(u).idle, 1);
    upstream_close(u);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_is_written_as_asked),
        cmocka_unit_test(test_what_cannot_be_sent_is_refused),
        cmocka_unit_test(test_a_head_has_a_bound),
        cmocka_unit_test(test_answers_end_where_their_framing_says),
        cmocka_unit_test(test_byte_by_byte_it_is_the_same),
        cmocka_unit_test(test_a_large_body_passes),
        cmocka_unit_test(test_the_head_is_as_the_server_said_it),
        cmocka_unit_test(test_many_interims_are_too_many),
        cmocka_unit_test(test_a_body_of_known_length_is_sent),
        cmocka_unit_test(test_a_body_waits_for_its_connection),
        cmocka_unit_test(test_whoever_asks_for_room_is_told_of_it),
        cmocka_unit_test(test_a_chunked_body_is_sent_with_trailers),
        cmocka_unit_test(test_an_empty_body_ends_before_its_connection_is_there),
        cmocka_unit_test(test_trailers_that_cannot_be_sent_fail_the_call),
        cmocka_unit_test(test_a_server_that_does_not_read_is_waited_for),
        cmocka_unit_test(test_an_answer_before_the_body_is_whole_ends_the_connection),
        cmocka_unit_test(test_an_early_head_lets_the_body_go_on),
        cmocka_unit_test(test_100_continue_lets_the_body_come),
        cmocka_unit_test(test_a_paused_call_hears_no_body_and_pushes_back),
        cmocka_unit_test(test_an_empty_answer_waits_for_resuming_too),
        cmocka_unit_test(test_pausing_at_each_part_loses_nothing),
        cmocka_unit_test(test_a_101_hands_the_stream_over),
        cmocka_unit_test(test_a_detached_stream_may_end_at_once),
        cmocka_unit_test(test_a_101_may_be_declined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
