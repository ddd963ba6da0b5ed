#include "upstream.h"

#include "base/mem.h"

#include <errno.h>

/* What is over before its answer is: calls that are cancelled, pools that are freed or retired, and
   what memory or the system runs out for. */

#define SEEDS 12
#define HEAD_200 "HTTP/1.1 200 OK\r\n"

/* --- cancelling ---------------------------------------------------------------------------------
 */

static void test_a_call_is_cancelled_in_every_state(void **state) {
    (void)state;
    struct http_pool_options options = {.connections_max = 1};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct upstream *u = upstream_open(seed, &options);
        struct asked *opening = ask_get(u, "/opening"), *waiting = ask_get(u, "/waiting");
        assert_int_equal(upstream_stats(u).waiting, 1);
        asked_cancel(waiting);
        assert_int_equal(upstream_stats(u).waiting, 0);
        asked_cancel(opening);
        assert_int_equal(upstream_stats(u).calls, 0);
        upstream_run(u, SIM_SECOND);
        assert_int_equal(upstream_stats(u).idle, 1); /* what was opened is of use to others */
        exchange(u, 0);
        struct asked *asked = ask_get(u, "/asked");
        struct line *line = upstream_line(u, 0);
        asked_cancel(asked);
        upstream_run(u, SIM_SECOND);
        assert_true(line->ended || line->closed); /* an answer may come: it cannot be used again */
        assert_int_equal(upstream_stats(u).connections, 0);
        asked = ask_get(u, "/body");
        line = upstream_line(u, 1);
        line_says(u, line, HEAD_200 "Content-Length: 5\r\n\r\nhe");
        assert_heard(asked, "head 200, body he");
        asked_cancel(asked);
        assert_heard(asked, "head 200, body he");
        asked = ask_post(u, 100000);
        upstream_line(u, 2);
        assert_int_equal(asked_write(asked, "some"), 0);
        asked_cancel(asked);
        exchange(u, 3);
        upstream_close(u);
    }
}

static char cancel_at;

static void cancel(struct asked *a, char event) {
    if (event == cancel_at)
        asked_cancel(a);
}

static const char *const whole_story =
    "HTTP/1.1 103 \r\n\r\n" HEAD_200 "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";

static void test_a_call_is_cancelled_inside_its_events(void **state) {
    (void)state;
    static const struct {
        char event;
        const char *heard;
    } cases[] = {
        {'i', "interim 103"},
        {'h', "interim 103, head 200"},
        {'b', "interim 103, head 200, body h"},
        {'r', ""},
    };
    for (size_t i = 0; i < array_count(cases); i++) {
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            struct upstream *u = upstream_open(seed, NULL);
            struct asked *a = ask_post(u, 5);
            assert_int_equal(asked_write(a, "a"), -EAGAIN);
            a->act = cancel;
            cancel_at = cases[i].event;
            struct line *line = upstream_line(u, 0);
            if (line->stream && cancel_at != 'r')
                line_says(u, line, whole_story);
            upstream_run(u, SIM_SECOND);
            assert_true(slice_starts_with(buf_slice(&a->heard), slice_str(cases[i].heard)));
            assert_true(a->heard.len <= strlen(cases[i].heard) + 1);
            assert_null(a->call);
            assert_int_equal(upstream_stats(u).calls, 0);
            assert_int_equal(upstream_stats(u).connections, 0);
            upstream_close(u);
        }
    }
}

/* --- the pool goes ------------------------------------------------------------------------------
 */

static void free_pool(struct asked *a, char event) {
    if (event == cancel_at)
        a->u->pool = http_pool_free(a->u->pool);
}

static void test_the_pool_is_freed_inside_any_event(void **state) {
    (void)state;
    for (const char *event = "ihberf"; *event; event++) {
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            struct upstream *u = upstream_open(seed, NULL);
            struct asked *a = ask_post(u, 1), *other = ask_get(u, "/other");
            assert_int_equal(asked_write(a, "a"), -EAGAIN);
            a->act = free_pool;
            cancel_at = *event;
            upstream_run(u, SIM_SECOND);
            slice got = buf_slice(&u->lines[0].got);
            struct line *line = &u->lines[slice_starts_with(got, slice_lit("POST")) ? 0 : 1];
            if (*event == 'f')
                line_resets(u, line);
            else if (*event != 'r')
                line_says(u, line, whole_story);
            upstream_run(u, SIM_SECOND);
            assert_null(u->pool);
            assert_true(*event != 'b' || slice_ends_with(buf_slice(&a->heard), slice_lit("hi")) ||
                        slice_ends_with(buf_slice(&a->heard), slice_lit("h")));
            assert_true(other->heard.len == 0 || *event == 'f');
            upstream_close(u);
        }
    }
}

static void test_freeing_the_pool_ends_everything_without_events(void **state) {
    (void)state;
    struct http_pool_options options = {.connections_max = 3};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct upstream *u = upstream_open(seed, &options);
        exchange(u, 0); /* idle */
        struct asked *half = ask_get(u, "/half");
        line_says(u, upstream_line(u, 0), HEAD_200 "Content-Length: 5\r\n\r\nhe");
        struct asked *asked = ask_get(u, "/asked");
        upstream_run(u, SIM_SECOND);
        struct asked *opening = ask_get(u, "/opening"), *waiting = ask_get(u, "/waiting");
        assert_int_equal(upstream_stats(u).calls, 4);
        u->pool = http_pool_free(u->pool);
        assert_heard(half, "head 200, body he");
        assert_heard(asked, "");
        assert_heard(opening, "");
        assert_heard(waiting, "");
        for (unsigned i = 0; i < u->line_count; i++)
            assert_true(u->lines[i].ended || u->lines[i].closed);
        upstream_close(u);
    }
}

static void test_a_retired_pool_lets_its_calls_end(void **state) {
    (void)state;
    struct http_pool_options options = {.connections_max = 2};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct upstream *u = upstream_open(seed, &options);
        struct asked *first = ask_get(u, "/1");
        struct line *line = upstream_line(u, 0);
        line_says(u, line, HEAD_200 "Content-Length: 5\r\n\r\nhe");
        struct asked *opening = ask_get(u, "/2"), *waiting = ask_get(u, "/3");
        http_pool_retire(u->pool);
        assert_int_equal(ask_get(u, "/4")->begun, -EBUSY);
        line_says(u, line, "llo");
        assert_heard(first, "head 200, body hello, end");
        upstream_run(u, SIM_SECOND);
        line_says(u, line, OK_HI); /* the one that waited has got its connection */
        assert_heard(waiting, HEARD_HI);
        line_says(u, upstream_line(u, 1), HEAD_200 "Content-Length: 2\r\n\r\n");
        assert_heard(opening, "head 200");
        line_says(u, upstream_line(u, 1), "hi");
        assert_heard(opening, HEARD_HI);
        u->pool = NULL; /* it has freed itself */
        for (unsigned i = 0; i < u->line_count; i++)
            assert_true(u->lines[i].ended || u->lines[i].closed);
        upstream_close(u);
    }
}

static void test_a_retired_pool_without_calls_is_gone_at_once(void **state) {
    (void)state;
    struct upstream *u = upstream_open(1, NULL);
    http_pool_retire(u->pool);
    u->pool = NULL;
    upstream_close(u);
    u = upstream_open(1, NULL);
    exchange(u, 0);
    struct asked *a = ask_get(u, "/x"), *b = ask_get(u, "/y"); /* b's connection opens */
    asked_cancel(a);
    asked_cancel(b);
    http_pool_retire(u->pool);
    u->pool = NULL;
    upstream_run(u, SIM_SECOND);
    assert_true(u->lines[0].closed || u->lines[0].ended);
    upstream_close(u);
}

static void retire(struct asked *a, char event) {
    if (event == cancel_at) {
        http_pool_retire(a->u->pool);
        a->u->pool = NULL;
    }
}

static void cancel_retired(struct asked *a, char event) {
    retire(a, event);
    if (event == cancel_at && event != 'e')
        asked_cancel(a);
}

static void test_the_pool_is_retired_inside_any_event(void **state) {
    (void)state;
    for (const char *event = "ihbe"; *event; event++) {
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            struct upstream *u = upstream_open(seed, NULL);
            struct asked *a = ask_get(u, "/x");
            a->act = seed % 2 ? retire : cancel_retired;
            cancel_at = *event;
            line_says(u, upstream_line(u, 0), whole_story);
            upstream_run(u, SIM_SECOND);
            assert_null(u->pool);
            assert_null(a->call);
            if (seed % 2)
                assert_string_equal(asked_heard(a), "interim 103, " HEARD_HI);
            upstream_close(u);
        }
    }
}

/* --- memory -------------------------------------------------------------------------------------
 */

/* Says an answer in two pieces over whatever connections there are. */
static void answer_all(struct upstream *u) {
    for (unsigned i = 0; i < u->line_count; i++) {
        if (u->lines[i].stream) {
            line_says(u, &u->lines[i], "HTTP/1.1 200 OK\r\nContent-Le");
            upstream_run(u, SIM_SECOND / 10);
        }
        if (u->lines[i].stream)
            line_says(u, &u->lines[i], "ngth: 2\r\n\r\nhi");
    }
    upstream_run(u, SIM_SECOND);
}

static void play_calls(struct upstream *u) {
    struct asked *a = ask_get(u, "/a");
    struct asked *b = ask_post(u, HTTP_CALL_CHUNKED);
    upstream_run(u, SIM_SECOND);
    if (b->call && asked_write(b, "abc") == 0)
        asked_end(b);
    answer_all(u);
    if (a->call)
        asked_cancel(a);
    if (b->call)
        asked_cancel(b);
}

/* When the fault is over, all is well. */
static void play_recovery(struct upstream *u) {
    upstream_run(u, 10 * SIM_SECOND);
    assert_int_equal(upstream_stats(u).calls, 0);
    assert_int_equal(upstream_stats(u).connections, 0);
    u->short_of_memory = false;
    u->answers = OK_HI;
    assert_heard(ask_get(u, "/x"), HEARD_HI);
    upstream_close(u);
}

static bool play_without_memory(unsigned long at, bool persistent) {
    struct upstream *u = upstream_open(3, NULL);
    exchange(u, 0);
    u->short_of_memory = true;
    mem_fail_at(at, persistent);
    unsigned long before = mem_attempts();
    play_calls(u);
    mem_fail_at(0, false);
    bool met = mem_attempts() - before >= at;
    play_recovery(u);
    return met;
}

static void test_without_memory_there_is_no_pool(void **state) {
    (void)state;
    struct upstream *u = upstream_open(1, NULL);
    for (unsigned long at = 1; at <= 2; at++) {
        struct http_pool_options options = {.address = "far:80"};
        struct http_pool *pool = NULL;
        mem_fail_at(at, false);
        assert_int_equal(http_pool_create(u->loop, &options, &pool), -ENOMEM);
        mem_fail_at(0, false);
        assert_null(pool);
    }
    assert_null(http_pool_free(NULL));
    upstream_close(u);
}

static void test_without_memory_calls_fail_and_nothing_else_does(void **state) {
    (void)state;
    for (int persistent = 0; persistent < 2; persistent++) {
        unsigned long at = 1;
        while (play_without_memory(at, persistent))
            at++;
        assert_true(at > 10);
    }
}

static bool play_without_system(uint64_t at, bool persistent) {
    struct upstream *u = upstream_open(3, NULL);
    exchange(u, 0);
    uint64_t before = sim_io_attempts(u->sim);
    sim_fail_io_at(u->sim, at, persistent);
    play_calls(u);
    sim_fail_io_at(u->sim, 0, false);
    bool met = sim_io_attempts(u->sim) - before >= at;
    play_recovery(u);
    return met;
}

static void test_without_descriptors_calls_fail_and_nothing_else_does(void **state) {
    (void)state;
    uint64_t at = 1;
    while (play_without_system(at, at % 2))
        at++;
    assert_true(at > 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_call_is_cancelled_in_every_state),
        cmocka_unit_test(test_a_call_is_cancelled_inside_its_events),
        cmocka_unit_test(test_the_pool_is_freed_inside_any_event),
        cmocka_unit_test(test_freeing_the_pool_ends_everything_without_events),
        cmocka_unit_test(test_a_retired_pool_lets_its_calls_end),
        cmocka_unit_test(test_a_retired_pool_without_calls_is_gone_at_once),
        cmocka_unit_test(test_the_pool_is_retired_inside_any_event),
        cmocka_unit_test(test_without_memory_there_is_no_pool),
        cmocka_unit_test(test_without_memory_calls_fail_and_nothing_else_does),
        cmocka_unit_test(test_without_descriptors_calls_fail_and_nothing_else_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
