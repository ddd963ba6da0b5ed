#include "upstream.h"

#include <errno.h>

/* All the ways in which a call does not get its answer: what it hears, what becomes of the
   connection, and when it is begun once more. */

#define SEEDS 12
#define HEAD_200 "HTTP/1.1 200 OK\r\n"

/* --- answers that are none ----------------------------------------------------------------------
 */

static const struct {
    const char *answer, *heard;
} broken[] = {
    {"SSH-2.0-OpenSSH_9.2\r\n", "failed answer"},
    {"\x16\x03\x01", "failed answer"},
    {"HTTP/2.0 200 OK\r\n\r\n", "failed answer"},
    {"HTTP/1.1 2000 OK\r\n\r\n", "failed answer"},
    {"HTTP/1.1 099 OK\r\n\r\n", "failed answer"},
    {"HTTP/1.1 200 OK\n\n", "failed answer"},
    {"\r\nHTTP/1.1 200 OK\r\n\r\n", "failed answer"},
    {HEAD_200 "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "failed answer"},
    {HEAD_200 "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "failed answer"},
    {HEAD_200 "Content-Length: 5, 5\r\n\r\nhello", "failed answer"},
    {HEAD_200 "Content-Length: +5\r\n\r\nhello", "failed answer"},
    {HEAD_200 "Content-Length: 05\r\n\r\nhello", "failed answer"},
    {HEAD_200 "Content-Length: -1\r\n\r\n", "failed answer"},
    {HEAD_200 "Content-Length: 18446744073709551616\r\n\r\n", "failed answer"},
    {HEAD_200 "Transfer-Encoding: gzip\r\n\r\n", "failed answer"},
    {HEAD_200 "Transfer-Encoding: chunked, chunked\r\n\r\n", "failed answer"},
    {HEAD_200 "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "failed answer"},
    {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "failed answer"},
    {HEAD_200 "X: y\r\n z\r\nContent-Length: 0\r\n\r\n", "failed answer"},
    {HEAD_200 "Content-Length : 0\r\n\r\n", "failed answer"},
    {"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", "failed answer"},
    {"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nhello", "failed answer"},
    {"HTTP/1.1 103 \r\n\r\nHTTP/9", "interim 103, failed answer"},
    {"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
     "failed answer"},
    {HEAD_200 "Transfer-Encoding: chunked\r\n\r\nx\r\n", "head 200, failed answer answered"},
    {HEAD_200 "Transfer-Encoding: chunked\r\n\r\n3\r\nabcde",
     "head 200, body abc, failed answer answered"},
    {HEAD_200 "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n",
     "head 200, failed answer answered"},
    {HEAD_200 "Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 3\r\n\r\n",
     "head 200, failed answer answered"},
};

static void test_what_is_not_clearly_an_answer_fails(void **state) {
    (void)state;
    for (size_t i = 0; i < array_count(broken); i++) {
        for (uint64_t seed = 0; seed < 4; seed++) {
            struct upstream *u = upstream_open(seed, NULL);
            exchange(u, 0);
            struct asked *a = ask_get(u, "/x");
            struct line *line = upstream_line(u, 0);
            line_says(u, line, broken[i].answer);
            assert_heard(a, broken[i].heard);
            assert_int_equal(a->code, -EPROTO);
            assert_true(line->ended || line->closed);
            assert_int_equal(upstream_stats(u).connections, 0);
            assert_int_equal(upstream_stats(u).retries, 0); /* bytes came: never again */
            exchange(u, 1);
            upstream_close(u);
        }
    }
}

static void test_a_head_that_does_not_end_fails(void **state) {
    (void)state;
    static char field[1001];
    memset(field, 'f', sizeof field - 1);
    field[998] = '\r';
    field[999] = '\n';
    field[1] = ':';
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct upstream *u = upstream_open(seed, NULL);
        struct asked *a = ask_get(u, "/x");
        struct line *line = upstream_line(u, 0);
        line_says(u, line, HEAD_200);
        for (unsigned i = 0; i < 20 && line->stream; i++)
            line_says(u, line, field);
        assert_heard(a, "failed answer");
        upstream_close(u);
    }
}

static void test_too_many_fields_fail(void **state) {
    (void)state;
    struct upstream *u = upstream_open(1, NULL);
    struct asked *a = ask_get(u, "/x");
    struct line *line = upstream_line(u, 0);
    line_says(u, line, HEAD_200);
    for (unsigned i = 0; i < HTTP1_FIELDS_MAX + 1; i++)
        line_says(u, line, "X: y\r\n");
    line_says(u, line, "\r\n");
    assert_heard(a, "failed answer");
    upstream_close(u);
}

/* --- connections that end -----------------------------------------------------------------------
 */

static const struct {
    const char *said, *heard;
} cut[] = {
    {"", "failed closed"},
    {"H", "failed closed"},
    {HEAD_200 "Content-Length: 2\r\n", "failed closed"},
    {"HTTP/1.1 103 \r\n\r\n", "interim 103, failed closed"},
    {HEAD_200 "Content-Length: 3\r\n\r\n", "head 200, failed closed answered"},
    {HEAD_200 "Content-Length: 3\r\n\r\nhi", "head 200, body hi, failed closed answered"},
    {HEAD_200 "Transfer-Encoding: chunked\r\n\r\n", "head 200, failed closed answered"},
    {HEAD_200 "Transfer-Encoding: chunked\r\n\r\n3\r\nhi",
     "head 200, body hi, failed closed answered"},
    {HEAD_200 "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
     "head 200, body hi, failed closed answered"},
    {HEAD_200 "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n",
     "head 200, body hi, failed closed answered"},
};

/* On the first call of a connection: nothing is begun again. */
static void test_an_early_end_fails_the_call(void **state) {
    (void)state;
    for (size_t i = 0; i < array_count(cut); i++) {
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            struct upstream *u = upstream_open(seed, NULL);
            struct asked *a = ask_get(u, "/x");
            struct line *line = upstream_line(u, 0);
            line_says(u, line, cut[i].said);
            upstream_run(u, SIM_SECOND);
            if (seed % 3 == 2)
                line_resets(u, line);
            else
                line_ends(u, line);
            assert_heard(a, cut[i].heard);
            assert_int_equal(a->code, -ECONNRESET);
            assert_int_equal(upstream_stats(u).connections, 0);
            assert_int_equal(upstream_stats(u).retries, 0);
            upstream_close(u);
        }
    }
}

static void test_a_body_until_the_end_is_not_ended_by_a_reset(void **state) {
    (void)state;
    struct upstream *u = upstream_open(1, NULL);
    struct asked *a = ask_get(u, "/x");
    struct line *line = upstream_line(u, 0);
    line_says(u, line, HEAD_200 "\r\nhalf");
    upstream_run(u, SIM_SECOND);
    line_resets(u, line);
    assert_heard(a, "head 200, body half, failed closed answered");
    upstream_close(u);
}

static void test_an_end_while_paused_is_told_after_resuming(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct upstream *u = upstream_open(seed, NULL);
        struct asked *a = ask_get(u, "/x");
        a->paused_at_head = true;
        struct line *line = upstream_line(u, 0);
        line_says(u, line, HEAD_200 "\r\nuntil the end");
        line_ends(u, line);
        assert_heard(a, "head 200");
        asked_resume(a);
        assert_heard(a, "head 200, body until the end, end");
        upstream_close(u);
    }
}

/* --- where nothing could be sent ----------------------------------------------------------------
 */

static void test_a_refused_connection_fails_its_call(void **state) {
    (void)state;
    struct upstream *u = upstream_open(1, NULL);
    upstream_deaf(u);
    struct asked *a = ask_get(u, "/x"), *b = ask_post(u, 3);
    assert_int_equal(a->begun, 0);
    assert_heard(a, "failed connect");
    assert_int_equal(a->code, -ECONNREFUSED);
    assert_heard(b, "failed connect");
    assert_int_equal(upstream_stats(u).connect_failures, 2);
    assert_int_equal(upstream_stats(u).connections, 0);
    assert_int_equal(upstream_stats(u).connections_total, 0);
    upstream_listens(u);
    exchange(u, 0);
    upstream_close(u);
}

static void test_a_wrong_address_fails_later(void **state) {
    (void)state;
    static const struct {
        const char *address;
        int code;
    } cases[] = {{"far", -EINVAL}, {"", -EINVAL}, {"nobody:80", -ENOENT}};
    for (size_t i = 0; i < array_count(cases); i++) {
        struct http_pool_options options = {.address = cases[i].address};
        struct upstream *u = upstream_open(1, &options);
        struct asked *a = ask_get(u, "/x");
        assert_int_equal(a->begun, 0);
        assert_heard(a, "failed connect");
        assert_int_equal(a->code, cases[i].code);
        a = ask_get(u, "/x");
        u->pool = http_pool_free(u->pool); /* with the failure under way */
        assert_heard(a, "");
        upstream_close(u);
    }
}

/* Its call is cancelled meanwhile; the place goes to the one that waits. */
static void test_a_failed_connection_without_a_call_gives_its_place_away(void **state) {
    (void)state;
    struct http_pool_options options = {.connections_max = 1};
    struct upstream *u = upstream_open(1, &options);
    upstream_deaf(u);
    struct asked *a = ask_get(u, "/a"), *b = ask_get(u, "/b");
    asked_cancel(a);
    assert_heard(b, "failed connect");
    assert_int_equal(upstream_stats(u).connect_failures, 2);
    asked_cancel(ask_get(u, "/c"));
    http_pool_retire(u->pool);
    u->pool = NULL;
    upstream_close(u);
}

/* The simulated machine has none. */
static void test_without_tls_there_is_no_connection(void **state) {
    (void)state;
    struct http_pool_options options = {.tls = (struct io_tls *)(uintptr_t)8};
    struct upstream *u = upstream_open(1, &options);
    struct asked *a = ask_get(u, "/x");
    assert_heard(a, "failed connect");
    assert_int_equal(a->code, -ENOSYS);
    assert_true(u->lines[0].ended || u->lines[0].closed);
    assert_int_equal(upstream_stats(u).connections, 0);
    upstream_close(u);
}

static void test_an_unreachable_server_costs_connect_ns(void **state) {
    (void)state;
    struct http_pool_options options = {.connect_ns = 3 * SIM_SECOND};
    struct upstream *u = upstream_open(1, &options);
    sim_partition(u->host[0], u->host[1]);
    uint64_t began_ns = sim_now_ns(u->sim);
    struct asked *a = ask_get(u, "/x");
    upstream_run(u, 2900 * SIM_MILLISECOND);
    assert_string_equal(asked_heard(a), "");
    assert_heard(a, "failed connect");
    assert_int_equal(a->code, -ETIMEDOUT);
    assert_true(a->ended_ns - began_ns >= 3 * SIM_SECOND);
    assert_string_equal(asked_heard(a), "failed connect");
    upstream_close(u);
}

/* --- the keep-alive race ------------------------------------------------------------------------
 */

/* The server closes the idle connection in the moment in which a request is put on it. */
static void race(struct upstream *u, struct line *line, uint64_t seed) {
    if (seed % 3 == 2)
        sim_reset_streams(u->host[1]);
    else
        io_stream_close(line->stream);
}

static void test_a_request_that_meets_the_end_is_sent_once_more(void **state) {
    (void)state;
    static const char *const methods[] = {"GET", "HEAD", "OPTIONS"};
    for (uint64_t seed = 0; seed < 3 * SEEDS; seed++) {
        struct upstream *u = upstream_open(seed, NULL);
        exchange(u, 0);
        struct line *line = upstream_line(u, 0);
        race(u, line, seed);
        const char *method = methods[seed % 3];
        struct asked *a = ask(u, (struct http_call_options){.method = slice_str(method)});
        assert_int_equal(upstream_stats(u).idle, 0); /* it was put on the old one */
        line = upstream_line(u, 1);
        assert_true(slice_starts_with(buf_slice(&line->got), slice_str(method)));
        line_says(u, line, HEAD_200 "Content-Length: 0\r\n\r\n");
        assert_heard(a, "head 200, end");
        assert_int_equal(upstream_stats(u).retries, 1);
        assert_int_equal(upstream_stats(u).connections_total, 2);
        assert_int_equal(upstream_stats(u).calls_total, 2);
        upstream_close(u);
    }
}

/* Once, not again: a new connection that ends without an answer has failed. */
static void test_it_is_sent_once_more_only_once(void **state) {
    (void)state;
    struct upstream *u = upstream_open(1, NULL);
    exchange(u, 0);
    race(u, upstream_line(u, 0), 0);
    struct asked *a = ask_get(u, "/x");
    line_ends(u, upstream_line(u, 1));
    assert_heard(a, "failed closed");
    assert_int_equal(upstream_stats(u).retries, 1);
    assert_int_equal(u->line_count, 2);
    upstream_close(u);
}

/* Other idle connections are as old as the one that has ended: it must be a new one. */
static void test_once_more_means_on_a_new_connection(void **state) {
    (void)state;
    struct upstream *u = upstream_open(1, NULL);
    struct asked *a = ask_get(u, "/x"), *b = ask_get(u, "/y");
    line_says(u, upstream_line(u, 1), OK_HI);
    line_says(u, upstream_line(u, 0), OK_HI);
    assert_heard(a, HEARD_HI);
    assert_heard(b, HEARD_HI);
    assert_int_equal(upstream_stats(u).idle, 2);
    race(u, &u->lines[0], 0);
    race(u, &u->lines[1], 0);
    struct asked *c = ask_get(u, "/z");
    struct line *line = upstream_line(u, 2);
    assert_string_equal(line_text(line), "GET /z HTTP/1.1\r\nHost: far\r\n\r\n");
    line_says(u, line, OK_HI);
    assert_heard(c, HEARD_HI);
    assert_int_equal(upstream_stats(u).retries, 1);
    upstream_close(u);
}

static void test_what_may_have_been_done_is_not_sent_once_more(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct upstream *u = upstream_open(seed, NULL);
        exchange(u, 0);
        race(u, upstream_line(u, 0), seed);
        struct asked *a = ask(u, (struct http_call_options){.method = slice_lit("DELETE")});
        assert_heard(a, "failed closed");
        assert_int_equal(upstream_stats(u).retries, 0);
        exchange(u, 1);
        race(u, upstream_line(u, 1), seed);
        a = ask(u, (struct http_call_options){.method = slice_lit("DELETE"), .idempotent = true});
        struct line *line = upstream_line(u, 2);
        line_says(u, line, OK_HI);
        assert_heard(a, HEARD_HI);
        assert_int_equal(upstream_stats(u).retries, 1);
        upstream_close(u);
    }
}

static void test_a_body_handed_over_is_not_sent_once_more(void **state) {
    (void)state;
    struct http_call_options put = {.method = slice_lit("PUT"),
                                    .idempotent = true,
                                    .has_body = true,
                                    .body_length = HTTP_CALL_CHUNKED};
    struct upstream *u = upstream_open(1, NULL);
    exchange(u, 0);
    race(u, upstream_line(u, 0), 0);
    struct asked *a = ask(u, put);
    assert_int_equal(asked_write(a, "abc"), 0);
    assert_heard(a, "failed closed");
    assert_int_equal(upstream_stats(u).retries, 0);
    exchange(u, 1);
    race(u, upstream_line(u, 1), 0);
    a = ask(u, put); /* nothing of its body is handed over */
    struct line *line = upstream_line(u, 2);
    assert_int_equal(upstream_stats(u).retries, 1);
    assert_int_equal(asked_write(a, "abc"), 0);
    asked_end(a);
    upstream_run(u, SIM_SECOND);
    assert_true(slice_ends_with(buf_slice(&line->got), slice_lit("\r\n\r\n3\r\nabc\r\n0\r\n\r\n")));
    line_says(u, line, OK_HI);
    assert_heard(a, HEARD_HI);
    race(u, line, 0);
    a = ask(u, put); /* its body is whole, and empty */
    asked_end(a);
    line = upstream_line(u, 3);
    assert_true(slice_ends_with(buf_slice(&line->got), slice_lit("chunked\r\n\r\n0\r\n\r\n")));
    line_says(u, line, OK_HI);
    assert_heard(a, HEARD_HI);
    upstream_close(u);
}

static void test_without_a_new_connection_it_has_failed(void **state) {
    (void)state;
    struct upstream *u = upstream_open(1, NULL);
    exchange(u, 0);
    upstream_deaf(u);
    race(u, upstream_line(u, 0), 0);
    struct asked *a = ask_get(u, "/x");
    assert_heard(a, "failed closed"); /* something was sent: not as a connection that failed */
    assert_int_equal(a->code, -ECONNREFUSED);
    assert_int_equal(upstream_stats(u).retries, 1);
    upstream_close(u);
}

/* --- what nobody has asked for ------------------------------------------------------------------
 */

static void test_unasked_bytes_end_an_idle_connection(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct upstream *u = upstream_open(seed, NULL);
        exchange(u, 0);
        struct line *line = upstream_line(u, 0);
        line_forget(line);
        line_says(u, line, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
        upstream_run(u, SIM_SECOND);
        assert_true(line->ended || line->closed);
        assert_int_equal(upstream_stats(u).connections, 0);
        exchange(u, 1);
        upstream_close(u);
    }
}

static void test_an_idle_connection_may_end_in_any_way(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct upstream *u = upstream_open(seed, NULL);
        exchange(u, 0);
        if (seed % 2)
            line_resets(u, &u->lines[0]);
        else
            line_ends(u, &u->lines[0]);
        upstream_run(u, SIM_SECOND);
        assert_int_equal(upstream_stats(u).connections, 0);
        assert_int_equal(upstream_stats(u).idle, 0);
        exchange(u, 1);
        assert_int_equal(upstream_stats(u).retries, 0);
        upstream_close(u);
    }
}

/* Unasked bytes come, and STEPS later a request is put on the connection. What has arrived before
   the request could leave is not its answer. Returns whether that was the case. */
static bool play_poison(const char *method, unsigned steps) {
    struct upstream *u = upstream_open(7, NULL);
    exchange(u, 0);
    struct line *line = upstream_line(u, 0);
    upstream_run(u, SIM_SECOND);
    assert_int_equal(io_stream_write(line->stream, slice_lit("HTTP/1.1 299 \r\n\r\n")), 0);
    for (unsigned i = 0; i < steps; i++)
        sim_step(u->sim);
    bool idle = upstream_stats(u).idle == 1;
    struct asked *a = ask(u, (struct http_call_options){.method = slice_str(method)});
    bool taken = idle && upstream_stats(u).idle == 0;
    upstream_run(u, SIM_SECOND);
    bool retried = upstream_stats(u).retries == 1;
    bool believed = slice_starts_with(buf_slice(&a->heard), slice_lit("head 299"));
    bool failed = a->heard.len > 0 && a->failed == HTTP_FAILED_ANSWER && !believed;
    if (retried) {
        line_says(u, upstream_line(u, 1), OK_HI);
        assert_heard(a, HEARD_HI);
    }
    assert_int_equal(retried + believed + failed, taken);
    upstream_close(u);
    return retried || failed;
}

static void test_bytes_before_the_request_has_left_are_not_its_answer(void **state) {
    (void)state;
    unsigned safe = 0, unsafe = 0;
    for (unsigned steps = 0; steps < 20; steps++) {
        safe += play_poison("GET", steps);
        unsafe += play_poison("DELETE", steps);
    }
    assert_true(safe > 0 && unsafe > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_not_clearly_an_answer_fails),
        cmocka_unit_test(test_a_head_that_does_not_end_fails),
        cmocka_unit_test(test_too_many_fields_fail),
        cmocka_unit_test(test_an_early_end_fails_the_call),
        cmocka_unit_test(test_a_body_until_the_end_is_not_ended_by_a_reset),
        cmocka_unit_test(test_an_end_while_paused_is_told_after_resuming),
        cmocka_unit_test(test_a_refused_connection_fails_its_call),
        cmocka_unit_test(test_a_wrong_address_fails_later),
        cmocka_unit_test(test_a_failed_connection_without_a_call_gives_its_place_away),
        cmocka_unit_test(test_without_tls_there_is_no_connection),
        cmocka_unit_test(test_an_unreachable_server_costs_connect_ns),
        cmocka_unit_test(test_a_request_that_meets_the_end_is_sent_once_more),
        cmocka_unit_test(test_it_is_sent_once_more_only_once),
        cmocka_unit_test(test_once_more_means_on_a_new_connection),
        cmocka_unit_test(test_what_may_have_been_done_is_not_sent_once_more),
        cmocka_unit_test(test_a_body_handed_over_is_not_sent_once_more),
        cmocka_unit_test(test_without_a_new_connection_it_has_failed),
        cmocka_unit_test(test_unasked_bytes_end_an_idle_connection),
        cmocka_unit_test(test_an_idle_connection_may_end_in_any_way),
        cmocka_unit_test(test_bytes_before_the_request_has_left_are_not_its_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
