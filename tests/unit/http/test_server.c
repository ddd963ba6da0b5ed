#include "desk.h"

#include <stdio.h>
#include <stdlib.h>

/* What a well-behaved client sees, however its bytes are cut. */

static void test_a_request_is_answered_and_the_connection_kept(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, GET("/hello"));
    desk_run(desk, SIM_SECOND);
    assert_got(s, "Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello");
    stranger_says(s, GET("/hello"));
    desk_run(desk, SIM_SECOND);
    assert_int_equal(answers(s, "200"), 2);
    assert_false(s->ended);
    desk_close(desk);
}

static void test_pipelined_requests_are_answered_in_order(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct desk *desk = desk_open(seed, NULL);
        struct stranger *s = desk_stranger(desk);
        for (unsigned i = 0; i < 200; i++) {
            char text[128];
            snprintf(text, sizeof text, GET("/items/n%03u"), i);
            stranger_says(s, text);
        }
        desk_run(desk, 10 * SIM_SECOND);
        assert_int_equal(answers(s, "200"), 200);
        slice rest = stranger_got(s);
        for (unsigned i = 0; i < 200; i++) {
            char body[16];
            snprintf(body, sizeof body, "\r\n\r\nn%03u", i);
            ptrdiff_t at = slice_find_slice(rest, slice_str(body));
            assert_true(at >= 0);
            rest = slice_skip(rest, (size_t)at + 4);
        }
        desk_close(desk);
    }
}

static void test_answers_given_out_of_turn_leave_in_turn(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, GET("/later") GET("/later") GET("/hello") GET("/later"));
    desk_run(desk, SIM_SECOND);
    assert_int_equal(desk->later_count, 3);
    const struct http_answer answer = {.status = 200};
    http_reply(desk->later[2].request, &answer, slice_lit("third"));
    http_reply(desk->later[1].request, &answer, slice_lit("second"));
    desk_run(desk, SIM_SECOND);
    assert_int_equal(stranger_got(s).len, 0);
    http_reply(desk->later[0].request, &answer, slice_lit("first"));
    desk_run(desk, SIM_SECOND);
    assert_int_equal(answers(s, "200"), 4);
    const char *const order[] = {"first", "second", "hello", "third"};
    slice rest = stranger_got(s);
    for (unsigned i = 0; i < 4; i++) {
        ptrdiff_t at = slice_find_slice(rest, slice_str(order[i]));
        assert_true(at >= 0);
        rest = slice_skip(rest, (size_t)at);
    }
    desk_close(desk);
}

static void test_bytes_may_come_one_at_a_time(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_drawls(s, slice_lit(GET("/hello")));
    stranger_drawls(s, slice_lit("POST /echo HTTP/1.1\r\nHost: localhost\r\n"
                                 "Content-Length: 4\r\n\r\nabcd"));
    stranger_drawls(s, slice_lit("POST /echo HTTP/1.1\r\nHost: localhost\r\n"
                                 "Transfer-Encoding: chunked\r\n\r\n"
                                 "3;x=\"y\"\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n"));
    stranger_drawls(s, slice_lit(GET("/hello")));
    desk_run(desk, SIM_SECOND);
    assert_int_equal(answers(s, "200"), 4);
    assert_true(got_contains(s, "\r\n\r\nabcd"));
    assert_true(got_contains(s, "\r\n\r\nabcde"));
    desk_close(desk);
}

static void test_ten_thousand_bytes_of_body_one_at_a_time(void **state) {
    (void)state;
    static char body[10000];
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    memset(body, 'b', sizeof body);
    stranger_says(s, "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000\r\n\r\n");
    stranger_drawls(s, slice_make(body, sizeof body));
    desk_run(desk, SIM_SECOND);
    assert_int_equal(answers(s, "200"), 1);
    assert_memory_equal(stranger_got(s).ptr + stranger_got(s).len - sizeof body, body, sizeof body);
    desk_close(desk);
}

static void test_head_gets_the_head_of_get(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, "HEAD /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
    desk_run(desk, SIM_SECOND);
    assert_got(s, "Content-Type: text/plain\r\nContent-Length: 5\r\n\r\n");
    desk->stream_bytes = 100000;
    stranger_says(s, "HEAD /stream HTTP/1.1\r\nHost: localhost\r\n\r\n" GET("/hello"));
    desk_run(desk, SIM_SECOND);
    assert_int_equal(answers(s, "200"), 3);
    assert_false(got_contains(s, "sss"));
    assert_true(got_contains(s, "chunked\r\n\r\nHTTP/1.1 200 OK"));
    desk_close(desk);
}

static void test_the_client_may_close(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_says(
        s, "GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" GET("/hello"));
    desk_run(desk, SIM_SECOND);
    assert_int_equal(answers(s, "200"), 1);
    assert_true(got_contains(s, "Connection: close\r\n"));
    assert_true(s->ended);
    assert_int_equal(desk->calls, 1);
    desk_close(desk);
}

static void test_the_handler_may_close(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, GET("/hello") GET("/close") GET("/hello"));
    desk_run(desk, SIM_SECOND);
    assert_int_equal(answers(s, "200"), 2);
    assert_true(s->ended);
    desk_close(desk);
}

static void test_http_1_0_closes_unless_asked_to_stay(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    desk_run(desk, SIM_SECOND);
    assert_true(got_contains(s, "Connection: keep-alive\r\n"));
    assert_false(s->ended);
    stranger_says(s, "GET /hello HTTP/1.0\r\n\r\n");
    desk_run(desk, SIM_SECOND);
    assert_int_equal(answers(s, "200"), 2);
    assert_true(s->ended);
    desk_close(desk);
}

static void test_a_stream_to_http_1_0_ends_with_the_connection(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    desk->stream_bytes = 25000;
    stranger_says(s, "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    desk_run(desk, SIM_SECOND);
    assert_false(got_contains(s, "chunked"));
    assert_true(got_contains(s, "Connection: close\r\n"));
    assert_true(s->ended);
    ptrdiff_t body = slice_find_slice(stranger_got(s), slice_lit("\r\n\r\n"));
    assert_int_equal(stranger_got(s).len - (size_t)body - 4, 25000);
    desk_close(desk);
}

static void test_who_expects_100_gets_it_before_sending(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n"
                     "Expect: 100-continue\r\n\r\n");
    desk_run(desk, SIM_SECOND);
    assert_true(slice_equal(stranger_got(s), slice_lit("HTTP/1.1 100 Continue\r\n\r\n")));
    stranger_says(s, "abc");
    desk_run(desk, SIM_SECOND);
    assert_int_equal(answers(s, "200"), 1);
    desk_close(desk);
}

static void test_100_waits_for_the_answers_before_it(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, GET("/later") "POST /echo HTTP/1.1\r\nHost: localhost\r\n"
                                   "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    desk_run(desk, SIM_SECOND);
    assert_int_equal(stranger_got(s).len, 0);
    http_reply(desk->later[0].request, &(struct http_answer){.status = 204}, (slice){0});
    desk_run(desk, SIM_SECOND);
    assert_true(slice_starts_with(stranger_got(s), slice_lit("HTTP/1.1 204")));
    assert_true(slice_ends_with(stranger_got(s), slice_lit("HTTP/1.1 100 Continue\r\n\r\n")));
    desk_close(desk);
}

static void test_who_does_not_wait_for_100_is_served(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n"
                     "Expect: 100-continue\r\n\r\nabc");
    desk_run(desk, SIM_SECOND);
    assert_int_equal(answers(s, "200"), 1);
    assert_true(slice_ends_with(stranger_got(s), slice_lit("\r\n\r\nabc")));
    desk_close(desk);
}

static void test_an_expectation_that_is_refused_gets_no_100(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 70000\r\n"
                     "Expect: 100-continue\r\n\r\n");
    assert_refused(desk, s, "413");
    assert_int_equal(answers(s, "100"), 0);
    desk_close(desk);
}

static void test_unknown_paths_and_methods_keep_the_connection(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_says(
        s, GET("/nothing") "DELETE /hello HTTP/1.1\r\nHost: localhost\r\n\r\n" GET("/hello"));
    desk_run(desk, SIM_SECOND);
    assert_int_equal(answers(s, "404 Not Found"), 1);
    assert_int_equal(answers(s, "405 Method Not Allowed"), 1);
    assert_true(got_contains(s, "\r\nAllow: POST, GET, HEAD\r\n"));
    assert_true(got_contains(s, "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,"
                                "\"detail\":\"there is nothing at this path\"}"));
    assert_int_equal(answers(s, "200"), 1);
    desk_close(desk);
}

static void test_paths_are_compared_in_their_one_form(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, GET("/x/../%68ello?q=1") GET("/items/a%20b") GET("http://localhost/hello"));
    desk_run(desk, SIM_SECOND);
    assert_int_equal(answers(s, "200"), 3);
    assert_true(got_contains(s, "\r\n\r\na b"));
    desk_close(desk);
}

static void test_a_field_that_would_split_the_answer_is_a_500(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, GET("/bad-field"));
    desk_run(desk, SIM_SECOND);
    assert_int_equal(answers(s, "500"), 1);
    assert_false(got_contains(s, "Set-Cookie"));
    assert_false(got_contains(s, "never"));
    desk_close(desk);
}

static void test_a_handler_sees_what_was_asked(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    desk_run(desk, SIM_SECOND);
    stranger_drawls(s, slice_lit("POST /asked/./%61?b=%63 HTTP/1.1\r\nHost: Name:80\r\n"
                                 "Connection: upgrade\r\nUpgrade: chat/1\r\n"
                                 "Content-Length: 0\r\n\r\n"));
    desk_run(desk, SIM_SECOND);
    assert_true(got_contains(s, "target /asked/./%61?b=%63\npath /asked/a\nquery b=%63\n"
                                "host Name:80\nupgrade chat/1\nbody 1 0\n"));
    assert_true(got_contains(s, "Host=Name:80\nConnection=upgrade\nUpgrade=chat/1\n"
                                "Content-Length=0\n"));
    ptrdiff_t peer = slice_find_slice(stranger_got(s), slice_lit("peer "));
    ptrdiff_t stream = slice_find_slice(stranger_got(s), slice_lit("stream "));
    assert_memory_equal(stranger_got(s).ptr + peer + 5, stranger_got(s).ptr + stream + 7, 5);
    /* The first byte came a second after the connection, the last more than 100 ms later. */
    ptrdiff_t began = slice_find_slice(stranger_got(s), slice_lit("began "));
    long began_ms = strtol(stranger_got(s).ptr + began + 6, NULL, 10);
    uint64_t now_ms = io_host_clock_ns(desk->host[1]) / SIM_MILLISECOND;
    assert_in_range(now_ms - (uint64_t)began_ms, 1100, 1300);
    desk_close(desk);
}

static void test_a_body_is_announced(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"\r\n", "body 0 0\n"},
        {"Content-Length: 3\r\n\r\nabc", "body 1 3\n"},
        {"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "body 1 -1\n"},
    };
    for (size_t i = 0; i < array_count(cases); i++) {
        struct desk *desk = desk_open(i, NULL);
        struct stranger *s = desk_stranger(desk);
        stranger_says(s, "POST http://localhost/asked/ HTTP/1.1\r\nHost: localhost\r\n");
        stranger_says(s, cases[i][0]);
        desk_run(desk, SIM_SECOND);
        assert_true(got_contains(s, cases[i][1]));
        assert_true(got_contains(s, "target /asked/\n"));
        desk_close(desk);
    }
}

static void test_an_absolute_target_without_a_path_is_the_root(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, GET("http://localhost") "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n");
    desk_run(desk, SIM_SECOND);
    assert_int_equal(answers(s, "404"), 1);
    assert_int_equal(answers(s, "400"), 1); /* "*" is no path; this server serves paths only */
    desk_close(desk);
}

/* --- other routes --------------------------------------------------------------------------------
 */

static void count_free(void *owner) {
    ++*(unsigned *)owner;
}

static void fresh(void *owner, struct http_request *request) {
    struct desk *desk = owner;
    desk->calls++;
    http_reply(request, &(struct http_answer){.status = 200}, slice_lit("fresh"));
}

static struct http_routes *fresh_routes(struct desk *desk, unsigned *freed) {
    struct http_routes *routes;
    struct http_route route = {.pattern = "/fresh", .handle = fresh, .owner = desk};
    assert_int_equal(http_routes_create(&routes), 0);
    assert_int_equal(http_routes_add(routes, &route), 0);
    assert_int_equal(http_routes_seal(routes), 0);
    http_routes_on_free(routes, count_free, freed);
    return routes;
}

static void set_routes(struct desk *desk, struct http_routes *routes) {
    http_server_set_routes(desk->server, io_group_loop(desk->group[1], 0), routes);
}

static void test_requests_under_way_keep_their_routes(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk), *other = desk_stranger(desk);
    const struct http_answer answer = {.status = 200};
    unsigned old_freed = 0, freed = 0;
    http_routes_on_free(desk->routes, count_free, &old_freed);
    stranger_says(s, GET("/later"));
    stranger_says(other, GET("/later"));
    desk_run(desk, SIM_SECOND);
    struct http_routes *routes = fresh_routes(desk, &freed);
    set_routes(desk, routes);
    set_routes(desk, desk->routes); /* there and back: nothing is counted twice */
    set_routes(desk, routes);
    desk->routes = http_routes_unref(desk->routes);
    assert_int_equal(old_freed, 0);
    stranger_says(s, GET("/fresh") GET("/hello"));
    desk_run(desk, SIM_SECOND);
    assert_int_equal(desk->calls, 3); /* two later, one fresh */
    http_reply(desk->later[0].request, &answer, slice_lit("old"));
    desk_run(desk, SIM_SECOND);
    assert_int_equal(answers(s, "200"), 2);
    assert_int_equal(answers(s, "404"), 1);
    assert_int_equal(old_freed, 0);
    stranger_leaves(other); /* the last one that was chosen by the old ones */
    desk_run(desk, DESK_PATIENCE);
    assert_int_equal(old_freed, 1);
    http_routes_unref(routes);
    assert_int_equal(freed, 0);
    desk_close(desk);
    assert_int_equal(freed, 1);
}

static struct http_routes *next_routes;
static unsigned reloading_freed;

static void reloading(void *owner, struct http_request *request) {
    struct desk *desk = owner;
    set_routes(desk, next_routes);
    assert_int_equal(reloading_freed, 0); /* we are running by them */
    http_reply(request, &(struct http_answer){.status = 200}, http_request_path(request));
}

static void test_a_handler_may_change_the_routes(void **state) {
    (void)state;
    struct desk *desk = desk_open(1, NULL);
    struct stranger *s = desk_stranger(desk);
    struct http_routes *routes;
    unsigned next_freed = 0;
    struct http_route route = {.pattern = "/reload", .handle = reloading, .owner = desk};
    assert_int_equal(http_routes_create(&routes), 0);
    assert_int_equal(http_routes_add(routes, &route), 0);
    assert_int_equal(http_routes_seal(routes), 0);
    http_routes_on_free(routes, count_free, &reloading_freed);
    next_routes = fresh_routes(desk, &next_freed);
    set_routes(desk, routes);
    http_routes_unref(routes);
    stranger_says(s, GET("/reload") GET("/fresh"));
    desk_run(desk, SIM_SECOND);
    assert_int_equal(answers(s, "200"), 2);
    assert_int_equal(reloading_freed, 1);
    http_routes_unref(next_routes);
    desk_close(desk);
    assert_int_equal(next_freed, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_is_answered_and_the_connection_kept),
        cmocka_unit_test(test_pipelined_requests_are_answered_in_order),
        cmocka_unit_test(test_answers_given_out_of_turn_leave_in_turn),
        cmocka_unit_test(test_bytes_may_come_one_at_a_time),
        cmocka_unit_test(test_ten_thousand_bytes_of_body_one_at_a_time),
        cmocka_unit_test(test_head_gets_the_head_of_get),
        cmocka_unit_test(test_the_client_may_close),
        cmocka_unit_test(test_the_handler_may_close),
        cmocka_unit_test(test_http_1_0_closes_unless_asked_to_stay),
        cmocka_unit_test(test_a_stream_to_http_1_0_ends_with_the_connection),
        cmocka_unit_test(test_who_expects_100_gets_it_before_sending),
        cmocka_unit_test(test_100_waits_for_the_answers_before_it),
        cmocka_unit_test(test_who_does_not_wait_for_100_is_served),
        cmocka_unit_test(test_an_expectation_that_is_refused_gets_no_100),
        cmocka_unit_test(test_unknown_paths_and_methods_keep_the_connection),
        cmocka_unit_test(test_paths_are_compared_in_their_one_form),
        cmocka_unit_test(test_a_field_that_would_split_the_answer_is_a_500),
        cmocka_unit_test(test_a_handler_sees_what_was_asked),
        cmocka_unit_test(test_a_body_is_announced),
        cmocka_unit_test(test_an_absolute_target_without_a_path_is_the_root),
        cmocka_unit_test(test_requests_under_way_keep_their_routes),
        cmocka_unit_test(test_a_handler_may_change_the_routes),
    };
    return cmocka_run_group_tests_name("http/server", tests, NULL, NULL);
}
