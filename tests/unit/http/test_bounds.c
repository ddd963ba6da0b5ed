#include "desk.h"

#include "base/mem.h"

#include <stdio.h>

/* Slow, large, ambiguous and malicious clients: each gets a clear answer, and then the end. */

#define HOST "Host: localhost\r\n"

/* --- ambiguous and malformed --------------------------------------------------------------------
 */

/* Everything by which one message could be read as two, or as another: refused, and what follows
   in the same bytes is never looked at. */
static void test_ambiguous_framing_is_refused_and_nothing_behind_it_read(void **state) {
    (void)state;
    static const char *const smuggled[] = {
        "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
        "0\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 05\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5 \t5\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 0x5\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551616\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "Content-Length : 5\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, chunked\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, identity\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding\r\n: chunked\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "X: y\r\n Transfer-Encoding: chunked\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "X: y\nTransfer-Encoding: chunked\r\n\r\n",
        "POST /echo HTTP/1.1\n" HOST "\r\n",
        "POST /echo HTTP/1.1\r\n" HOST
        "Transfer-Encoding: chunked\r\n\r\n5;\rx\r\nabcde\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n-5\r\nabcde\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabcde\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
        "10000000000000005\r\nabcde\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
        "0\r\nContent-Length: 9\r\n\r\n",
        "POST /echo HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /hello HTTP/1.1\r\n\r\n",
        "GET /hello HTTP/1.1\r\n" HOST HOST "\r\n",
        "GET /hello HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: user@localhost\r\n\r\n",
        "GET http://other.example/hello HTTP/1.1\r\n" HOST "\r\n",
        "GET /hello%2f..%2fx HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\n",
        "GET  /hello HTTP/1.1\r\n" HOST "\r\n",
        "GET /hello HTTP/1.1 x\r\n" HOST "\r\n",
        "GET /hel\x01lo HTTP/1.1\r\n" HOST "\r\n",
    };
    for (size_t i = 0; i < array_count(smuggled); i++) {
        struct desk *desk = desk_open(i, NULL);
        struct stranger *s = desk_stranger(desk);
        stranger_says(s, smuggled[i]);
        stranger_says(s, GET("/hello") GET("/hello"));
        bool is_target = slice_find_slice(slice_str(smuggled[i]), slice_lit("other.example")) >= 0;
        if (is_target) { /* well-formed, so refused by itself: the connection goes on */
            desk_run(desk, SIM_SECOND);
            assert_int_equal(answers(s, "400"), 1);
            assert_int_equal(answers(s, "200"), 2);
        } else {
            assert_refused(desk, s, "400");
            if (desk->calls)
                print_message("a handler was called for: %s\n", smuggled[i]);
            assert_int_equal(desk->calls, 0);
        }
        desk_close(desk);
    }
}

static void test_garbage_is_refused(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct desk *desk = desk_open(seed, NULL);
        struct stranger *s = desk_stranger(desk);
        char bytes[2000];
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (char)sim_below(desk->sim, 256);
        bytes[0] = '\x16'; /* as TLS to a plain listener begins */
        stranger_says_bytes(s, slice_make(bytes, sizeof bytes));
        assert_refused(desk, s, "400");
        assert_int_equal(desk->calls, 0);
        desk_close(desk);
    }
}

static void test_other_versions_and_codings_are_named(void **state) {
    (void)state;
    static const struct {
        const char *text, *status;
    } cases[] = {
        {"GET /hello HTTP/2.0\r\n" HOST "\r\n", "505"},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"},
        {"POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n", "501"},
        {"POST /echo HTTP/1.1\r\n" HOST "Content-Length: 1\r\nExpect: 200-ok\r\n\r\n", "417"},
    };
    for (size_t i = 0; i < array_count(cases); i++) {
        struct desk *desk = desk_open(i, NULL);
        struct stranger *s = desk_stranger(desk);
        stranger_says(s, cases[i].text);
        assert_refused(desk, s, cases[i].status);
        desk_close(desk);
    }
}

static void test_what_was_asked_before_the_error_is_answered_first(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, GET("/later") GET("/hello") "BAD\r\n\r\n" GET("/hello"));
    desk_run(desk, SIM_SECOND);
    assert_int_equal(stranger_got(s).len, 0);
    http_reply(desk->later[0].request, &(struct http_answer){.status = 200}, slice_lit("x"));
    desk_run(desk, SIM_SECOND);
    assert_int_equal(answers(s, "200"), 2);
    assert_refused(desk, s, "400");
    assert_int_equal(desk->calls, 2);
    desk_close(desk);
}

/* --- too large -----------------------------------------------------------------------------------
 */

static void test_a_head_that_is_too_large_is_refused(void **state) {
    (void)state;
    static char pad[20000];
    memset(pad, 'x', sizeof pad);
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, "GET /hello HTTP/1.1\r\n" HOST "X: ");
    stranger_says_bytes(s, slice_make(pad, sizeof pad));
    assert_refused(desk, s, "431");
    s = desk_stranger(desk);
    stranger_says(s, "GET /");
    stranger_says_bytes(s, slice_make(pad, sizeof pad));
    assert_refused(desk, s, "414");
    s = desk_stranger(desk);
    stranger_says(s, "GET /hello HTTP/1.1\r\n" HOST);
    for (unsigned i = 0; i < 200; i++)
        stranger_says(s, "X: y\r\n");
    stranger_says(s, "\r\n");
    assert_refused(desk, s, "431");
    desk_close(desk);
}

static void test_a_body_that_is_too_large_is_refused_unread(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 65537\r\n\r\n" GET("/hello"));
    assert_refused(desk, s, "413");
    assert_int_equal(desk->calls, 0);
    desk_close(desk);
}

static void test_a_chunked_body_that_grows_too_large_is_refused(void **state) {
    (void)state;
    static char chunk[8192];
    memset(chunk, 'c', sizeof chunk);
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
    for (unsigned i = 0; i < 9; i++) {
        stranger_says(s, "2000\r\n");
        stranger_says_bytes(s, slice_make(chunk, sizeof chunk));
        stranger_says(s, "\r\n");
    }
    assert_refused(desk, s, "413");
    assert_int_equal(desk->calls, 0);
    desk_close(desk);
}

static void test_a_body_of_exactly_the_bound_is_taken(void **state) {
    (void)state;
    static char body[65536];
    memset(body, 'b', sizeof body);
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 65536\r\n\r\n");
    stranger_says_bytes(s, slice_make(body, sizeof body));
    desk_run(desk, 10 * SIM_SECOND);
    assert_int_equal(answers(s, "200"), 1);
    desk_close(desk);
}

static void test_memory_of_a_loop_is_bounded(void **state) {
    (void)state;
    static char body[60000];
    memset(body, 'b', sizeof body);
    struct http_server_options options = {.limits = {.held_bytes_max = 200000}};
    struct desk *desk = desk_open(1, &options);
    struct stranger *s[10];
    for (unsigned i = 0; i < 10; i++) {
        s[i] = desk_stranger(desk);
        stranger_says(s[i], "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 60001\r\n\r\n");
        stranger_says_bytes(s[i], slice_make(body, sizeof body));
    }
    desk_run(desk, 5 * SIM_SECOND);
    unsigned refused = 0;
    for (unsigned i = 0; i < 10; i++)
        refused += answers(s[i], "503");
    assert_true(refused >= 7);
    assert_true(desk_stats(desk).held_bytes <= 200000);
    for (unsigned i = 0; i < 10; i++)
        if (s[i]->stream && !answers(s[i], "503"))
            stranger_says(s[i], "b");
    desk_run(desk, 5 * SIM_SECOND);
    unsigned served = 0;
    for (unsigned i = 0; i < 10; i++)
        served += answers(s[i], "200");
    assert_int_equal(served + refused, 10);
    desk_close(desk);
}

static void test_an_answer_that_cannot_wait_for_its_turn_ends_the_connection(void **state) {
    (void)state;
    static char body[60000];
    struct http_server_options options = {.limits = {.held_bytes_max = 50000}};
    struct desk *desk = desk_open(1, &options);
    struct stranger *s = desk_stranger(desk);
    const struct http_answer plain = {.status = 200};
    stranger_says(s, GET("/later") GET("/later") GET("/hello"));
    desk_run(desk, SIM_SECOND);
    http_reply(desk->later[1].request, &plain, slice_make(body, sizeof body));
    desk_run(desk, SIM_SECOND);
    http_reply(desk->later[0].request, &plain, slice_lit("first"));
    desk_run(desk, SIM_SECOND);
    assert_int_equal(answers(s, "200"), 1);
    assert_true(slice_ends_with(stranger_got(s), slice_lit("first")));
    assert_true(s->closed);
    desk_close(desk);
}

/* --- too slow ------------------------------------------------------------------------------------
 */

static void test_a_slow_head_gets_408(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    for (unsigned i = 0; i < 9 && s->stream; i++) {
        stranger_says(s, i ? "X: y\r\n" : "GET /hello HTTP/1.1\r\n");
        desk_run(desk, SIM_SECOND);
        assert_int_equal(stranger_got(s).len, 0);
    }
    assert_refused(desk, s, "408");
    assert_int_equal(desk->calls, 0);
    desk_close(desk);
}

static void test_a_slow_body_gets_408(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 1000\r\n\r\n");
    for (unsigned i = 0; i < 29; i++) {
        stranger_says(s, "b");
        desk_run(desk, SIM_SECOND);
        assert_int_equal(stranger_got(s).len, 0);
    }
    assert_refused(desk, s, "408");
    desk_close(desk);
}

static void test_an_idle_connection_is_closed_without_a_word(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *silent = desk_stranger(desk), *served = desk_stranger(desk);
    desk_run(desk, 30 * SIM_SECOND);
    stranger_says(served, GET("/hello"));
    desk_run(desk, 29 * SIM_SECOND);
    assert_false(silent->ended);
    desk_run(desk, 2 * SIM_SECOND);
    assert_true(silent->ended);
    assert_int_equal(stranger_got(silent).len, 0);
    assert_false(served->ended);
    desk_run(desk, 30 * SIM_SECOND);
    assert_true(served->ended);
    desk_close(desk);
}

static void test_a_connection_that_waits_for_its_answer_is_not_idle(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, GET("/later"));
    desk_run(desk, 600 * SIM_SECOND);
    assert_false(s->ended);
    http_reply(desk->later[0].request, &(struct http_answer){.status = 200}, slice_lit("x"));
    desk_run(desk, SIM_SECOND);
    assert_int_equal(answers(s, "200"), 1);
    desk_close(desk);
}

/* --- too many ------------------------------------------------------------------------------------
 */

static void test_the_longest_waiting_connection_makes_room(void **state) {
    (void)state;
    struct http_server_options options = {.limits = {.connections_max = 3}};
    struct desk *desk = desk_open(1, &options);
    struct stranger *s[4];
    for (unsigned i = 0; i < 3; i++) {
        s[i] = desk_stranger(desk);
        desk_run(desk, SIM_SECOND);
    }
    stranger_says(s[0], GET("/hello")); /* now s[1] has waited longest */
    desk_run(desk, SIM_SECOND);
    s[3] = desk_stranger(desk);
    stranger_says(s[3], GET("/hello"));
    desk_run(desk, SIM_SECOND);
    assert_int_equal(answers(s[3], "200"), 1);
    assert_true(s[1]->closed);
    assert_false(s[0]->closed);
    assert_false(s[2]->closed);
    desk_close(desk);
}

static void test_without_a_waiting_connection_new_ones_get_503(void **state) {
    (void)state;
    struct http_server_options options = {.limits = {.connections_max = 3}};
    struct desk *desk = desk_open(1, &options);
    for (unsigned i = 0; i < 3; i++)
        stranger_says(desk_stranger(desk), GET("/later"));
    desk_run(desk, SIM_SECOND);
    struct stranger *s = desk_stranger(desk);
    assert_refused(desk, s, "503");
    assert_int_equal(desk_stats(desk).connections, 3);
    desk_close(desk);
}

static void test_requests_in_flight_are_bounded(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    for (unsigned i = 0; i < 40; i++)
        stranger_says(s, GET("/later"));
    desk_run(desk, SIM_SECOND);
    assert_int_equal(desk->later_count, 16);
    http_reply(desk->later[5].request, &(struct http_answer){.status = 200}, slice_lit("x"));
    desk_run(desk, SIM_SECOND);
    assert_int_equal(desk->later_count, 16); /* it is not yet its turn */
    for (unsigned i = 0; i < 40; i++) {
        if (i != 5)
            http_reply(desk->later[i].request, &(struct http_answer){.status = 200},
                       slice_lit("x"));
        desk_run(desk, SIM_SECOND);
    }
    assert_int_equal(answers(s, "200"), 40);
    desk_close(desk);
}

static void test_requests_of_a_connection_may_be_counted(void **state) {
    (void)state;
    struct http_server_options options = {.limits = {.requests_per_connection_max = 3}};
    struct desk *desk = desk_open(1, &options);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, GET("/hello") GET("/hello") GET("/hello") GET("/hello"));
    desk_run(desk, SIM_SECOND);
    assert_int_equal(answers(s, "200"), 3);
    assert_true(s->ended);
    desk_close(desk);
}

/* --- without memory ------------------------------------------------------------------------------
 */

static bool answered_or_over(void *self) {
    const struct stranger *s = self;
    return s->closed || slice_ends_with(stranger_got(s), slice_lit("0123456789"));
}

static void test_each_allocation_may_fail(void **state) {
    (void)state;
    unsigned refused = 0;
    bool passed_all = false;
    for (unsigned long at = 1; !passed_all; at++) {
        struct desk *desk = desk_open(1, NULL);
        struct stranger *s = desk_stranger(desk), *other = desk_stranger(desk);
        stranger_says(s, "POST /echo?a=b HTTP/1.1\r\n" HOST
                         "Transfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n");
        unsigned long before = mem_attempts();
        mem_fail_at(at, false);
        assert_true(sim_run_until(desk->sim, answered_or_over, s, 100 * SIM_SECOND));
        passed_all = mem_attempts() - before < at;
        mem_fail_at(0, false);
        refused += answers(s, "200") == 0;
        stranger_says(other, GET("/hello")); /* the next one does not suffer */
        desk_run(desk, SIM_SECOND);
        assert_int_equal(answers(other, "200"), 1);
        desk_close(desk);
    }
    assert_true(refused >= 3);
}

/* Its end says only that it asks for nothing more: the bound is on time without a byte taken. */
static void test_who_half_closes_and_reads_slowly_gets_all_of_its_answer(void **state) {
    (void)state;
    static const char piece[10000];
    const struct http_answer plain = {.status = 200};
    const struct http_server_options options = {.limits = {.write_ns = 2 * SIM_SECOND}};
    struct desk *desk = desk_open(1, &options);
    struct stranger *s = desk_stranger(desk);
    size_t left = 12000000;
    unsigned rounds = 0;
    stranger_says(s, GET("/later"));
    io_stream_shut(s->stream);
    desk_run(desk, SIM_SECOND / 10); /* the end is seen before the answer begins */
    assert_int_equal(http_reply_begin(desk->later[0].request, &plain), 0);
    for (; left && !desk->later[0].gone && rounds < 1000; rounds++) {
        io_stream_pause(s->stream);
        desk_run(desk, SIM_SECOND);
        int failed = 0;
        while (left && !failed && !desk->later[0].gone) {
            failed = http_reply_write(desk->later[0].request, slice_make(piece, sizeof piece));
            left -= failed ? 0 : sizeof piece;
        }
        if (s->stream)
            io_stream_resume(s->stream);
        desk_run(desk, SIM_MILLISECOND);
    }
    assert_int_equal(desk->later[0].gone, 0);
    assert_int_equal(left, 0);
    assert_true(rounds > 4); /* more than write_ns, twice */
    http_reply_end(desk->later[0].request);
    desk_run(desk, SIM_SECOND);
    assert_true(slice_ends_with(stranger_got(s), slice_lit("\r\n0\r\n\r\n")));
    desk_close(desk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ambiguous_framing_is_refused_and_nothing_behind_it_read),
        cmocka_unit_test(test_garbage_is_refused),
        cmocka_unit_test(test_who_half_closes_and_reads_slowly_gets_all_of_its_answer),
        cmocka_unit_test(test_other_versions_and_codings_are_named),
        cmocka_unit_test(test_what_was_asked_before_the_error_is_answered_first),
        cmocka_unit_test(test_a_head_that_is_too_large_is_refused),
        cmocka_unit_test(test_a_body_that_is_too_large_is_refused_unread),
        cmocka_unit_test(test_a_chunked_body_that_grows_too_large_is_refused),
        cmocka_unit_test(test_a_body_of_exactly_the_bound_is_taken),
        cmocka_unit_test(test_memory_of_a_loop_is_bounded),
        cmocka_unit_test(test_an_answer_that_cannot_wait_for_its_turn_ends_the_connection),
        cmocka_unit_test(test_a_slow_head_gets_408),
        cmocka_unit_test(test_a_slow_body_gets_408),
        cmocka_unit_test(test_an_idle_connection_is_closed_without_a_word),
        cmocka_unit_test(test_a_connection_that_waits_for_its_answer_is_not_idle),
        cmocka_unit_test(test_the_longest_waiting_connection_makes_room),
        cmocka_unit_test(test_without_a_waiting_connection_new_ones_get_503),
        cmocka_unit_test(test_requests_in_flight_are_bounded),
        cmocka_unit_test(test_requests_of_a_connection_may_be_counted),
        cmocka_unit_test(test_each_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("http/bounds", tests, NULL, NULL);
}
