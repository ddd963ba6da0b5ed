#include "upstream.h"

#include "base/mem.h"

#include <errno.h>

/* Bounds of a pool, each with its answer: places, the queue, time. */

#define SEEDS 12
#define HEAD_200 "HTTP/1.1 200 OK\r\n"

/* --- places -------------------------------------------------------------------------------------
 */

static void test_connections_and_the_queue_have_bounds(void **state) {
    (void)state;
    struct http_pool_options options = {.connections_max = 2, .waiting_max = 3};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct upstream *u = upstream_open(seed, &options);
        struct asked *a[6];
        for (unsigned i = 0; i < 6; i++)
            a[i] = ask_get(u, i % 2 ? "/odd" : "/even");
        for (unsigned i = 0; i < 5; i++)
            assert_int_equal(a[i]->begun, 0);
        assert_int_equal(a[5]->begun, -EBUSY);
        struct http_pool_stats stats = upstream_stats(u);
        assert_int_equal(stats.connections, 2);
        assert_int_equal(stats.waiting, 3);
        assert_int_equal(stats.calls, 5);
        assert_int_equal(stats.calls_total, 5);
        u->answers = OK_HI;
        upstream_run(u, SIM_SECOND);
        for (unsigned i = 0; i < 5; i++)
            assert_string_equal(asked_heard(a[i]), HEARD_HI);
        stats = upstream_stats(u);
        assert_int_equal(stats.connections_total, 2);
        assert_int_equal(stats.idle, 2);
        assert_int_equal(stats.calls + stats.waiting, 0);
        upstream_close(u);
    }
}

static void test_calls_wait_in_turn(void **state) {
    (void)state;
    static const char *const targets[] = {"/0", "/1", "/2", "/3"};
    struct http_pool_options options = {.connections_max = 1, .connect_ns = 60 * SIM_SECOND};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct upstream *u = upstream_open(seed, &options);
        struct asked *a[4];
        for (unsigned i = 0; i < 4; i++)
            a[i] = ask_get(u, targets[i]);
        for (unsigned i = 0; i < 4; i++) {
            struct line *line = upstream_line(u, 0);
            assert_true(slice_find_slice(buf_slice(&line->got), slice_str(targets[i])) > 0);
            line_forget(line);
            line_says(u, line, OK_HI);
            assert_heard(a[i], HEARD_HI);
        }
        upstream_close(u);
    }
}

static void test_waiting_for_a_place_costs_connect_ns(void **state) {
    (void)state;
    struct http_pool_options options = {.connections_max = 1, .connect_ns = 2 * SIM_SECOND};
    struct upstream *u = upstream_open(1, &options);
    struct asked *a = ask_get(u, "/a");
    upstream_line(u, 0);
    uint64_t began_ns = sim_now_ns(u->sim);
    struct asked *b = ask_get(u, "/b");
    upstream_run(u, 1900 * SIM_MILLISECOND);
    assert_string_equal(asked_heard(b), "");
    assert_heard(b, "failed busy");
    assert_true(b->ended_ns - began_ns >= 2 * SIM_SECOND);
    assert_int_equal(b->code, -ETIMEDOUT);
    line_says(u, upstream_line(u, 0), OK_HI);
    assert_heard(a, HEARD_HI);
    upstream_close(u);
}

/* The connection of a call that waits breaks: the place is another's. */
static void test_a_broken_connection_gives_its_place_away(void **state) {
    (void)state;
    struct http_pool_options options = {.connections_max = 1};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct upstream *u = upstream_open(seed, &options);
        struct asked *a = ask_get(u, "/a"), *b = ask_get(u, "/b"), *c = ask_get(u, "/c");
        line_ends(u, upstream_line(u, 0));
        assert_heard(a, "failed closed");
        struct line *line = upstream_line(u, 1);
        assert_string_equal(line_text(line), "GET /b HTTP/1.1\r\nHost: far\r\n\r\n");
        asked_cancel(b);
        line = upstream_line(u, 2);
        assert_string_equal(line_text(line), "GET /c HTTP/1.1\r\nHost: far\r\n\r\n");
        line_says(u, line, HEAD_200 "Connection: close\r\n\r\n");
        line_ends(u, line);
        assert_heard(c, "head 200, end");
        upstream_close(u);
    }
}

static void test_one_failed_connection_fails_one_call(void **state) {
    (void)state;
    struct http_pool_options options = {.connections_max = 1};
    struct upstream *u = upstream_open(1, &options);
    upstream_deaf(u);
    struct asked *a = ask_get(u, "/a"), *b = ask_get(u, "/b");
    assert_heard(a, "failed connect");
    assert_heard(b, "failed connect"); /* by an attempt of its own */
    assert_int_equal(upstream_stats(u).connect_failures, 2);
    upstream_close(u);
}

/* --- idle connections ---------------------------------------------------------------------------
 */

static void open_many(struct upstream *u, unsigned count) {
    struct asked *a[10];
    for (unsigned i = 0; i < count; i++)
        a[i] = ask_get(u, "/x");
    u->answers = OK_HI;
    for (unsigned i = 0; i < count; i++)
        assert_heard(a[i], HEARD_HI);
    u->answers = NULL;
    assert_int_equal(u->line_count, count);
}

static void test_idle_connections_have_a_bound(void **state) {
    (void)state;
    struct http_pool_options options = {.idle_max = 3, .idle_ns = 60 * SIM_SECOND};
    struct upstream *u = upstream_open(1, &options);
    open_many(u, 5);
    assert_int_equal(upstream_stats(u).idle, 3);
    assert_int_equal(upstream_stats(u).connections, 3);
    upstream_run(u, SIM_SECOND);
    unsigned gone = 0;
    for (unsigned i = 0; i < 5; i++)
        gone += u->lines[i].closed || u->lines[i].ended;
    assert_int_equal(gone, 2);
    upstream_close(u);
}

static void test_idle_connections_are_dropped_after_idle_ns(void **state) {
    (void)state;
    struct http_pool_options options = {.idle_ns = 2 * SIM_SECOND};
    struct upstream *u = upstream_open(1, &options);
    exchange(u, 0); /* which takes a second more than the answer */
    upstream_run(u, 900 * SIM_MILLISECOND);
    assert_int_equal(upstream_stats(u).idle, 1);
    assert_false(u->lines[0].ended);
    upstream_run(u, 200 * SIM_MILLISECOND);
    assert_int_equal(upstream_stats(u).idle, 0);
    assert_true(u->lines[0].ended || u->lines[0].closed);
    upstream_close(u);
}

/* Its time is over, but the timer's turn has not come yet. */
static void test_a_connection_past_its_time_is_not_used(void **state) {
    (void)state;
    struct http_pool_options options = {.idle_ns = 2 * SIM_SECOND};
    struct upstream *u = upstream_open(1, &options);
    u->answers = OK_HI;
    struct asked *a = ask_get(u, "/x");
    assert_heard(a, HEARD_HI);
    upstream_run(u, a->ended_ns + 2 * SIM_SECOND - sim_now_ns(u->sim));
    assert_int_equal(upstream_stats(u).idle, 1);
    a = ask_get(u, "/x");
    assert_int_equal(upstream_stats(u).idle, 0);
    assert_heard(a, HEARD_HI);
    assert_int_equal(upstream_stats(u).connections_total, 2);
    assert_int_equal(upstream_stats(u).retries, 0);
    upstream_close(u);
}

static void test_many_calls_at_once(void **state) {
    (void)state;
    static struct asked *a[1500];
    struct http_pool_options options = {
        .connections_max = 200, .waiting_max = 1400, .connect_ns = 60 * SIM_SECOND};
    struct upstream *u = upstream_open(11, &options);
    u->answers = OK_HI;
    for (unsigned i = 0; i < array_count(a); i++)
        a[i] = ask_get(u, "/x");
    upstream_run(u, 10 * SIM_SECOND);
    for (unsigned i = 0; i < array_count(a); i++)
        assert_string_equal(asked_heard(a[i]), HEARD_HI);
    assert_true(upstream_stats(u).connections_total <= 200);
    upstream_close(u);
}

/* The one used last is taken, so the others may grow old. */
static void test_the_connection_used_last_is_used_first(void **state) {
    (void)state;
    struct http_pool_options options = {.idle_ns = 10 * SIM_SECOND};
    struct upstream *u = upstream_open(1, &options);
    open_many(u, 3);
    u->answers = OK_HI;
    for (unsigned i = 0; i < 12; i++)
        assert_heard(ask_get(u, "/x"), HEARD_HI);
    assert_int_equal(upstream_stats(u).connections, 1);
    assert_int_equal(u->line_count, 3);
    upstream_close(u);
}

/* --- time ---------------------------------------------------------------------------------------
 */

static void assert_fails_in_time(struct upstream *u, struct asked *a, const char *heard,
                                 uint64_t since_ns, uint64_t least_ns, uint64_t most_ns) {
    upstream_run(u, most_ns + SIM_SECOND);
    assert_string_equal(asked_heard(a), heard);
    assert_int_equal(a->code, -ETIMEDOUT);
    assert_true(a->ended_ns - since_ns >= least_ns);
    assert_true(a->ended_ns - since_ns <= most_ns);
}

static void test_an_answer_has_its_time(void **state) {
    (void)state;
    struct http_pool_options options = {.answer_ns = 20 * SIM_SECOND};
    for (int idle = 0; idle < 2; idle++) {
        struct upstream *u = upstream_open(1, &options);
        if (idle)
            exchange(u, 0);
        uint64_t began_ns = sim_now_ns(u->sim);
        struct asked *a = ask_get(u, "/x"); /* silence */
        struct asked *b = ask(u, (struct http_call_options){.answer_ns = 5 * SIM_SECOND});
        struct asked *c = ask_get(u, "/drips"); /* no answer for all the bytes that come */
        upstream_run(u, SIM_SECOND);
        struct line *line = &u->lines[2];
        for (unsigned i = 0; i < 3; i++) {
            if (slice_find_slice(buf_slice(&u->lines[i].got), slice_lit("/drips")) >= 0)
                line = &u->lines[i];
        }
        for (unsigned i = 0; i < 25; i++) {
            upstream_run(u, SIM_SECOND);
            if (line->stream)
                line_says(u, line,
                          i == 0   ? "HTTP/1.1 103 \r\n\r\nH"
                          : i == 1 ? "TTP/1.1 200 O"
                                   : "K");
        }
        assert_fails_in_time(u, a, "failed time", began_ns, 20 * SIM_SECOND, 21 * SIM_SECOND);
        assert_fails_in_time(u, b, "failed time", began_ns, 5 * SIM_SECOND, 6 * SIM_SECOND);
        assert_fails_in_time(u, c, "interim 103, failed time", began_ns, 20 * SIM_SECOND,
                             21 * SIM_SECOND);
        assert_int_equal(upstream_stats(u).connections, 0);
        assert_int_equal(upstream_stats(u).retries, 0); /* it may have been done */
        upstream_close(u);
    }
}

/* As long as the request is not whole the server need not answer, and we do not wait for it. */
static void test_answer_ns_begins_with_the_end_of_the_request(void **state) {
    (void)state;
    struct http_pool_options options = {.answer_ns = 2 * SIM_SECOND, .silence_ns = 5 * SIM_SECOND};
    struct upstream *u = upstream_open(1, &options);
    struct asked *a = ask_post(u, HTTP_CALL_CHUNKED);
    upstream_line(u, 0);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(asked_write(a, "part"), 0);
        upstream_run(u, 10 * SIM_SECOND);
    }
    assert_string_equal(asked_heard(a), "");
    uint64_t ended_ns = sim_now_ns(u->sim);
    asked_end(a);
    assert_fails_in_time(u, a, "failed time", ended_ns, 2 * SIM_SECOND, 3 * SIM_SECOND);
    upstream_close(u);
}

static void test_silence_within_a_body_has_its_time(void **state) {
    (void)state;
    struct http_pool_options options = {.answer_ns = 2 * SIM_SECOND, .silence_ns = 10 * SIM_SECOND};
    struct upstream *u = upstream_open(1, &options);
    struct asked *a = ask_get(u, "/x");
    struct line *line = upstream_line(u, 0);
    line_says(u, line, HEAD_200 "Content-Length: 100\r\n\r\n");
    for (unsigned i = 0; i < 5; i++) {
        upstream_run(u, 9 * SIM_SECOND);
        line_says(u, line, "x");
    }
    uint64_t said_ns = sim_now_ns(u->sim);
    assert_fails_in_time(u, a, "head 200, body xxxxx, failed time answered",
                         said_ns - SIM_SECOND / 100, 10 * SIM_SECOND, 11 * SIM_SECOND);
    upstream_close(u);
}

static void test_silence_counts_from_resuming(void **state) {
    (void)state;
    struct http_pool_options options = {.silence_ns = 4 * SIM_SECOND};
    struct upstream *u = upstream_open(1, &options);
    struct asked *a = ask_get(u, "/x");
    a->paused_at_head = true;
    line_says(u, upstream_line(u, 0), HEAD_200 "Content-Length: 3\r\n\r\n");
    upstream_run(u, 100 * SIM_SECOND);
    assert_string_equal(asked_heard(a), "head 200");
    uint64_t resumed_ns = sim_now_ns(u->sim);
    asked_resume(a);
    assert_fails_in_time(u, a, "head 200, failed time answered", resumed_ns, 4 * SIM_SECOND,
                         5 * SIM_SECOND);
    upstream_close(u);
}

static void pour(struct asked *a) {
    static char piece[100000];
    memset(piece, 'p', sizeof piece);
    a->u->in_call = true;
    while (http_call_write(a->call, slice_make(piece, sizeof piece)) == 0)
        continue;
    a->u->in_call = false;
}

static void pour_on(struct asked *a, char event) {
    if (event == 'r')
        pour(a);
}

static void test_a_server_that_takes_nothing_is_given_up(void **state) {
    (void)state;
    struct http_pool_options options = {.silence_ns = 8 * SIM_SECOND, .answer_ns = SIM_SECOND};
    for (uint64_t seed = 10; seed < 16; seed++) {
        struct upstream *u = upstream_open(seed, &options);
        u->lines_paused = true;
        struct asked *a = ask_post(u, HTTP_CALL_CHUNKED);
        a->act = pour_on;
        assert_int_equal(asked_write(a, "p"), -EAGAIN);
        upstream_line(u, 0);
        upstream_run(u, 2 * SIM_SECOND); /* all buffers are full by now */
        uint64_t full_ns = sim_now_ns(u->sim);
        assert_string_equal(asked_heard(a), "");
        assert_fails_in_time(u, a, "failed time", full_ns, 4 * SIM_SECOND, 11 * SIM_SECOND);
        upstream_close(u);
    }
}

static void test_a_call_may_have_less_patience(void **state) {
    (void)state;
    struct http_pool_options options = {.silence_ns = 800 * SIM_SECOND};
    struct upstream *u = upstream_open(1, &options);
    u->lines_paused = true;
    struct asked *a = ask(u, (struct http_call_options){.method = slice_lit("POST"),
                                                        .has_body = true,
                                                        .body_length = HTTP_CALL_CHUNKED,
                                                        .take_ns = 8 * SIM_SECOND});
    a->act = pour_on;
    assert_int_equal(asked_write(a, "p"), -EAGAIN);
    upstream_line(u, 0);
    upstream_run(u, 2 * SIM_SECOND); /* all buffers are full by now */
    uint64_t full_ns = sim_now_ns(u->sim);
    assert_fails_in_time(u, a, "failed time", full_ns, 4 * SIM_SECOND, 11 * SIM_SECOND);
    upstream_close(u);
}

static void test_a_server_that_takes_little_is_not(void **state) {
    (void)state;
    struct http_pool_options options = {.silence_ns = 8 * SIM_SECOND, .answer_ns = SIM_SECOND};
    struct upstream *u = upstream_open(11, &options);
    u->lines_paused = true;
    struct asked *a = ask_post(u, HTTP_CALL_CHUNKED);
    a->act = pour_on;
    assert_int_equal(asked_write(a, "p"), -EAGAIN);
    struct line *line = upstream_line(u, 0);
    for (unsigned i = 0; i < 12; i++) {
        upstream_run(u, 5 * SIM_SECOND);
        io_stream_resume(line->stream); /* a read or two */
        upstream_run(u, SIM_MILLISECOND / 5);
        io_stream_pause(line->stream);
    }
    assert_string_equal(asked_heard(a), "");
    asked_cancel(a);
    upstream_close(u);
}

/* Nothing rings when nothing is waited for. */
static void test_times_may_be_endless(void **state) {
    (void)state;
    struct http_pool_options options = {
        .idle_ns = UINT64_MAX, .answer_ns = UINT64_MAX, .silence_ns = UINT64_MAX};
    struct upstream *u = upstream_open(1, &options);
    exchange(u, 0);
    upstream_run(u, 100000 * SIM_SECOND);
    assert_int_equal(upstream_stats(u).idle, 1);
    struct asked *a = ask_get(u, "/x");
    struct line *line = upstream_line(u, 0);
    upstream_run(u, 100000 * SIM_SECOND);
    line_says(u, line, OK_HI);
    assert_heard(a, HEARD_HI);
    upstream_close(u);
}

/* --- what it costs ------------------------------------------------------------------------------
 */

static void test_a_call_on_an_idle_connection_allocates_nothing(void **state) {
    (void)state;
    struct upstream *u = upstream_open(1, NULL);
    u->answers = OK_HI;
    for (unsigned i = 0; i < 3; i++)
        assert_heard(ask_get(u, "/x"), HEARD_HI);
    for (unsigned i = 0; i < 20; i++) {
        unsigned long before = mem_attempts();
        struct asked *a = ask_get(u, "/x");
        unsigned long begun = mem_attempts() - before;
        assert_heard(a, HEARD_HI);
        assert_int_equal(begun, 1); /* the simulated stream's output; a real one has a pool */
    }
    upstream_close(u);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections_and_the_queue_have_bounds),
        cmocka_unit_test(test_calls_wait_in_turn),
        cmocka_unit_test(test_waiting_for_a_place_costs_connect_ns),
        cmocka_unit_test(test_a_broken_connection_gives_its_place_away),
        cmocka_unit_test(test_one_failed_connection_fails_one_call),
        cmocka_unit_test(test_idle_connections_have_a_bound),
        cmocka_unit_test(test_idle_connections_are_dropped_after_idle_ns),
        cmocka_unit_test(test_a_connection_past_its_time_is_not_used),
        cmocka_unit_test(test_many_calls_at_once),
        cmocka_unit_test(test_the_connection_used_last_is_used_first),
        cmocka_unit_test(test_an_answer_has_its_time),
        cmocka_unit_test(test_answer_ns_begins_with_the_end_of_the_request),
        cmocka_unit_test(test_silence_within_a_body_has_its_time),
        cmocka_unit_test(test_silence_counts_from_resuming),
        cmocka_unit_test(test_a_server_that_takes_nothing_is_given_up),
        cmocka_unit_test(test_a_call_may_have_less_patience),
        cmocka_unit_test(test_a_server_that_takes_little_is_not),
        cmocka_unit_test(test_times_may_be_endless),
        cmocka_unit_test(test_a_call_on_an_idle_connection_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
