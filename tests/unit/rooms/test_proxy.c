/*
 * test_proxy.c - the proxy between strangers and services of a simulated world: what depends on
 * time (health, ejection, tunnels, deadlines), and every allocation failing in turn.
 */
#include "town.h"

#include "base/mem.h"
#include "rooms/gateway/tunnel.h"

#include <stdio.h>
#include <stdlib.h>

/* --- requests ----------------------------------------------------------------------------------
 */

static void a_request_goes_to_a_service_and_its_answer_back(void **state) {
    (void)state;
    town_make(1, 1);
    town_open();
    struct stranger *s = desk_stranger(town.desk);
    stranger_says(s, ASK);
    run(SIM_SECOND);
    stranger_says(s, ASK);
    run(SIM_SECOND);
    assert_int_equal(answers(s, "200 OK"), 2);
    assert_int_equal(town.services[0].asked, 2);
    assert_int_equal(town.services[0].accepted, 1);
    assert_string_equal(town.services[0].last,
                        "GET /x HTTP/1.1\r\nHost: far:81\r\nX-Forwarded-For: 10.0.0.1\r\n"
                        "X-Forwarded-Proto: http\r\nX-Forwarded-Host: localhost\r\n"
                        "X-Request-Id: id\r\ntraceparent: "
                        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00\r\n\r\n");
    town_close();
}

static void deadlines_are_told_apart(void **state) {
    (void)state;
    town_make(1, 1);
    town.config.to.timeout_ns = 2 * SIM_SECOND;
    town.config.to.connect_timeout_ns = SIM_SECOND;
    town_open();
    town.services[0].says = NULL;
    struct stranger *s = desk_stranger(town.desk);
    stranger_says(s, ASK);
    run(19 * SIM_SECOND / 10);
    assert_int_equal(stranger_got(s).len, 0);
    run(2 * SIM_SECOND / 10);
    assert_true(got_contains(s, "did not answer in time"));
    sim_partition(town.desk->host[1], town.host);
    struct stranger *other = desk_stranger(town.desk);
    stranger_says(other, ASK);
    run(3 * SIM_SECOND); /* and once more, at the same service */
    assert_true(got_contains(other, "cannot be reached in time"));
    sim_heal(town.desk->host[1], town.host);
    town_close();
}

#define BEGINS "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbegins"

static void a_whole_exchange_has_its_bound_and_ends_its_call(void **state) {
    (void)state;
    town_make(1, 1);
    town.config.exchange_timeout_ns = 3 * SIM_SECOND;
    town_open();
    struct stranger *quick = desk_stranger(town.desk);
    stranger_says(quick, ASK);
    run(SIM_SECOND);
    assert_int_equal(answers(quick, "200 OK"), 1);
    town.services[0].says = NULL;
    struct stranger *late = desk_stranger(town.desk);
    stranger_says(late, "GET /x HTTP/1.1\r\n");
    run(SIM_SECOND);
    stranger_says(late, "Host: x\r\n\r\n");
    run(19 * SIM_SECOND / 10);
    assert_int_equal(stranger_got(late).len, 0);
    assert_int_equal(town.services[0].open, 1);
    run(SIM_SECOND / 5); /* of the first byte, not of the head's last */
    assert_true(got_contains(late, "HTTP/1.1 504 "));
    assert_true(got_contains(late, "longer than it may"));
    assert_int_equal(town.services[0].open, 0);
    assert_int_equal(answers(quick, "200 OK"), 1); /* and nothing more */
    assert_false(quick->closed);
    town_close();
}

static void an_answer_that_has_begun_is_cut_at_the_bound(void **state) {
    (void)state;
    town_make(1, 1);
    town.config.exchange_timeout_ns = 3 * SIM_SECOND;
    town_open();
    town.services[0].says = BEGINS;
    struct stranger *s = desk_stranger(town.desk);
    stranger_says(s, ASK);
    run(29 * SIM_SECOND / 10);
    assert_true(got_contains(s, "begins"));
    assert_false(s->ended);
    run(SIM_SECOND / 5);
    assert_true(s->ended || s->closed);
    assert_true(slice_ends_with(stranger_got(s), slice_lit("begins")));
    assert_int_equal(town.services[0].open, 0);
    town_close();
}

static void a_body_that_trickles_meets_the_bound(void **state) {
    (void)state;
    town_make(1, 1);
    town.config.exchange_timeout_ns = 3 * SIM_SECOND;
    town_open();
    town.services[0].says = NULL;
    struct stranger *s = desk_stranger(town.desk);
    stranger_says(s, "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n");
    for (unsigned i = 0; i < 35 && !s->ended; i++) {
        stranger_says(s, "x");
        run(SIM_SECOND / 10);
    }
    assert_true(got_contains(s, "HTTP/1.1 504 "));
    assert_true(s->ended); /* no byte of the body is taken for a request */
    assert_int_equal(town.services[0].open, 0);
    town_close();
}

/* --- health ------------------------------------------------------------------------------------
 */

static void check_health_each_second(void) {
    struct gateway_health_config *health = &town.config.to.health;
    health->item.given = true;
    health->path = slice_lit("/healthz");
    health->every_ns = SIM_SECOND;
    health->timeout_ns = SIM_SECOND / 2;
    health->rise = 2;
    health->fall = 3;
}

static void questions_come_in_time_each_on_a_new_connection(void **state) {
    (void)state;
    town_make(1, 1);
    check_health_each_second();
    town_open();
    run(100 * SIM_SECOND);
    assert_in_range(town.services[0].questions, 95, 106);
    assert_int_equal(town.services[0].accepted, town.services[0].questions);
    assert_true(strstr(town.services[0].last, "\r\nHost: far:81\r\n"));
    assert_false(upstream_at(0)->load.unwell);
    town_close();
}

static void it_takes_fall_bad_answers_to_go_and_rise_good_ones_to_come_back(void **state) {
    (void)state;
    town_make(1, 1);
    check_health_each_second();
    town.config.to.eject.item.off = true;
    town_open();
    struct service *service = &town.services[0];
    run(3 * SIM_SECOND);
    service->health_says = BROKEN;
    unsigned before = service->questions;
    while (!upstream_at(0)->load.unwell)
        run(SIM_SECOND / 10);
    assert_int_equal(service->questions, before + 3);
    assert_int_equal(ask(ASK), 503);
    service->health_says = OK_HI;
    before = service->questions;
    while (upstream_at(0)->load.unwell)
        run(SIM_SECOND / 10);
    assert_int_equal(service->questions, before + 2);
    assert_int_equal(ask(ASK), 200);
    service->health_says = NULL; /* no answer is a bad one, after half a second */
    while (!upstream_at(0)->load.unwell)
        run(SIM_SECOND / 10);
    town_close();
}

static void a_service_that_is_down_at_first_is_found_out_at_once(void **state) {
    (void)state;
    town_make(1, 2);
    check_health_each_second();
    town.services[1].listener = io_listener_close(town.services[1].listener);
    town_open();
    run(SIM_SECOND / 2);
    assert_false(upstream_at(0)->load.unwell);
    assert_true(upstream_at(1)->load.unwell);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(ask(ASK), 200);
    assert_int_equal(town.services[0].asked, 4);
    town_close();
}

/* --- ejection ----------------------------------------------------------------------------------
 */

static void an_ejected_service_is_out_for_its_time_and_longer_each_time(void **state) {
    (void)state;
    town_make(1, 2);
    town_open();
    town.services[1].says = BROKEN;
    unsigned broken = 0;
    for (unsigned i = 0; i < 10; i++)
        broken += ask(ASK) == 503;
    assert_int_equal(broken, 3);
    assert_true(upstream_at(1)->load.ejected);
    for (unsigned times = 2; times <= 3; times++) {
        run((times - 1) * 10 * SIM_SECOND);
        assert_false(upstream_at(1)->load.ejected);
        broken = 0;
        for (unsigned i = 0; i < 4; i++)
            broken += ask(ASK) == 503;
        assert_int_equal(broken, 1); /* on probation */
        assert_true(upstream_at(1)->load.ejected);
        run((times - 1) * 10 * SIM_SECOND); /* this time it is longer */
        assert_true(upstream_at(1)->load.ejected);
    }
    town_close();
}

/* --- services come and go ----------------------------------------------------------------------
 */

#define HALF "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab"

static void answers_that_are_cut_short_count_as_failures(void **state) {
    (void)state;
    town_make(1, 1);
    town_open();
    town.services[0].says = HALF;
    run(SIM_SECOND); /* its name is looked up */
    for (unsigned i = 0; i < 3; i++) {
        assert_false(upstream_at(0)->load.ejected);
        struct stranger *s = desk_stranger(town.desk);
        stranger_says(s, ASK);
        run(SIM_SECOND / 10);
        sim_reset_streams(town.host);
        run(SIM_SECOND / 10);
        assert_true(s->ended || s->closed);
        stranger_leaves(s);
    }
    assert_true(upstream_at(0)->load.ejected);
    town_close();
}

static void a_service_that_no_table_names_ends_with_its_last_call(void **state) {
    (void)state;
    town_make(1, 1);
    town_open();
    town.services[0].says = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab";
    struct stranger *s = desk_stranger(town.desk);
    stranger_says(s, ASK);
    run(SIM_SECOND);
    assert_true(got_contains(s, "\r\n\r\nab"));
    http_target.shard_close(town.route.target_self, &town.shard);
    assert_int_equal(town.services[0].open, 1);
    say(&town.services[0].lines[0], "cd");
    run(SIM_SECOND);
    assert_true(got_contains(s, "\r\n\r\nabcd"));
    assert_int_equal(town.services[0].open, 0);
    assert_int_equal(http_target.shard_open(town.route.target_self, &town.shard), 0);
    town_close();
}

/* Requests under way stay with the table that they were begun by, which lives as long as the town.
 */
static void another_table(void) {
    struct gateway_route old = town.route;
    struct error error;
    assert_int_equal(http_target.open(&town.gateway, &town.config, &town.table.arena,
                                      &town.route.target_self, &error),
                     0);
    assert_int_equal(http_target.shard_open(town.route.target_self, &town.shard), 0);
    http_target.shard_close(old.target_self, &town.shard);
}

static void the_next_table_takes_the_same_connections(void **state) {
    (void)state;
    town_make(1, 1);
    town_open();
    assert_int_equal(ask(ASK), 200);
    another_table();
    assert_int_equal(ask(ASK), 200);
    assert_int_equal(town.services[0].accepted, 1);
    town_close();
}

/* --- tunnels -----------------------------------------------------------------------------------
 */

static void a_tunnel_in_which_nothing_moves_ends(void **state) {
    (void)state;
    town_make(1, 1);
    town_open();
    town.services[0].says = SWITCHES;
    struct stranger *quiet = desk_stranger(town.desk), *alive = desk_stranger(town.desk);
    stranger_says(quiet, WISHES "early");
    stranger_says(alive, WISHES);
    run(SIM_SECOND);
    assert_true(got_contains(quiet, "Upgrade: wire\r\n\r\nearly"));
    for (unsigned i = 0; i < 3; i++) {
        run(TUNNEL_IDLE_NS / 2);
        assert_false(alive->ended);
        assert_int_equal(quiet->ended, i > 1);
        stranger_says(alive, "ping");
    }
    run(SIM_SECOND);
    assert_true(got_contains(alive, "pingpingping"));
    town_close();
}

static void a_stop_ends_a_tunnel_in_its_next_pause(void **state) {
    (void)state;
    town_make(1, 1);
    town_open();
    town.services[0].says = SWITCHES;
    struct stranger *s = desk_stranger(town.desk);
    stranger_says(s, WISHES);
    run(SIM_SECOND / 2);
    struct gateway_stream *stream =
        container_of(town.shard.streams.head.next, struct gateway_stream, node);
    stranger_says(s, "busy");
    run(SIM_SECOND / 10);
    stream->on_drain(stream, false);
    for (unsigned i = 0; i < 20; i++) {
        stranger_says(s, "busy");
        run(SIM_SECOND / 10);
        assert_false(s->ended);
    }
    run(SIM_SECOND);
    assert_true(s->ended);
    slice got = stranger_got(s);
    got = slice_skip(got, (size_t)slice_find_slice(got, slice_lit("\r\n\r\n")) + 4);
    assert_int_equal(got.len, 21 * strlen("busy"));
    assert_int_equal(town.services[0].open, 0);
    assert_true(list_empty(&town.shard.streams));
    town_close();
}

static void the_end_of_the_node_cuts_tunnels(void **state) {
    (void)state;
    town_make(1, 1);
    town_open();
    town.services[0].says = SWITCHES;
    struct stranger *s = desk_stranger(town.desk);
    stranger_says(s, WISHES);
    run(SIM_SECOND);
    assert_false(list_empty(&town.shard.streams));
    assert_int_equal(upstream_at(0)->load.under_way, 1); /* it weighs as a request does */
    struct gateway_stream *stream =
        container_of(town.shard.streams.head.next, struct gateway_stream, node);
    stranger_says(s, "busy");
    run(SIM_SECOND / 10);
    stream->on_drain(stream, false); /* not in the middle of something */
    run(SIM_SECOND / 10);
    assert_false(s->closed);
    stream->on_drain(stream, true);
    assert_true(list_empty(&town.shard.streams));
    assert_int_equal(upstream_at(0)->load.under_way, 0);
    run(SIM_SECOND);
    assert_true(s->closed);
    town_close();
}

/* --- whatever happens --------------------------------------------------------------------------
 */

#define CHUNKS "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"

/* One of the things that may happen in a town. */
static void something_happens(void) {
    static const char *const requests[] = {
        ASK,
        ASK ASK,
        WISHES,
        WISHES "early",
        "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
        "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n",
        "PUT /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    };
    static const char *const answers[] = {OK_HI, BROKEN, SWITCHES, HALF, CHUNKS, "nonsense", NULL};
    struct sim *sim = town.desk->sim;
    struct stranger *someone =
        &town.desk
             ->strangers[sim_below(sim, town.desk->stranger_count ? town.desk->stranger_count : 1)];
    struct service *service = &town.services[sim_below(sim, SERVICES_MAX)];
    switch (sim_below(sim, 10)) {
    case 0:
        stranger_leaves(someone);
        break;
    case 1:
        if (someone->stream)
            io_stream_close(someone->stream);
        break;
    case 2:
        sim_reset_streams(town.host);
        break;
    case 3:
        service->listener = io_listener_close(service->listener);
        town_listen((unsigned)(service - town.services));
        break;
    case 4:
        if (sim_below(sim, 4) == 0)
            another_table();
        break;
    case 5:
    case 6:
        service->says = answers[sim_below(sim, array_count(answers))];
        break;
    default:
        if (town.desk->stranger_count < DESK_STRANGERS_MAX)
            stranger_says(desk_stranger(town.desk),
                          requests[sim_below(sim, array_count(requests))]);
    }
}

static void whatever_happens_nothing_is_left(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 150; seed++) {
        town_make(seed, 2);
        check_health_each_second();
        town.config.to.mirror = town_urls[1];
        town.config.to.timeout_ns = 3 * SIM_SECOND;
        town_open();
        for (unsigned i = 0; i < 120; i++) {
            something_happens();
            run(sim_below(town.desk->sim, 4) ? sim_below(town.desk->sim, 1000000)
                                             : sim_below(town.desk->sim, SIM_SECOND));
        }
        town.services[0].says = town.services[1].says = OK_HI;
        run(70 * SIM_SECOND); /* who was ejected is back, who was unwell is well */
        assert_int_equal(ask(ASK), 200);
        sim_reset_streams(town.host); /* answers that would never end */
        town_close();
    }
}

/* --- without memory ----------------------------------------------------------------------------
 */

static bool is_over(void *self) {
    const struct stranger *s = self;
    return s->closed || s->ended || got_contains(s, "\r\n\r\nhi") ||
           got_contains(s, "problem+json") || got_contains(s, "wire\r\n\r\nearly");
}

/* Of connections that were there: the service's side of one may be what there is no memory for. */
static int64_t failures_of(const struct upstream *upstream) {
    int64_t sum = 0;
    for (unsigned i = UPSTREAM_CONNECT + 1; i < UPSTREAM_FAILURES; i++)
        sum += metrics_value(town.metrics, upstream->metrics.failures[i]);
    return sum;
}

/* TEXT is asked again and again, one allocation failing each time, until none is left to fail. */
static void play_without_memory(const char *text, const char *says, const char *wanted) {
    unsigned failed = 0;
    bool passed_all = false;
    for (unsigned long at = 1; !passed_all; at++) {
        town_make(1, 1);
        town.config.exchange_timeout_ns = 90 * SIM_SECOND; /* there, but never over */
        town.config.to.mirror = town_urls[1];
        town_open();
        town.services[0].says = says;
        struct stranger *s = desk_stranger(town.desk);
        stranger_says(s, text);
        unsigned long before = mem_attempts();
        mem_fail_at(at, false);
        assert_true(sim_run_until(town.desk->sim, is_over, s, 100 * SIM_SECOND));
        passed_all = mem_attempts() - before < at;
        mem_fail_at(0, false);
        failed += !got_contains(s, wanted);
        const struct proxy_target *target = town.route.target_self;
        if (!town.services[0].gave_up) /* what we are short of is not their fault */
            assert_int_equal(failures_of(upstream_at(0)), 0);
        if (!town.services[1].gave_up)
            assert_int_equal(failures_of(target->shares[0]->mirrors[0]), 0);
        town.services[0].says = OK_HI;
        assert_int_equal(ask(ASK), 200); /* and nothing is the worse for it */
        town_close();
    }
    assert_true(failed >= 2);
}

static void each_allocation_may_fail(void **state) {
    (void)state;
    play_without_memory(ASK, OK_HI, "\r\n\r\nhi");
    play_without_memory("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", OK_HI,
                        "\r\n\r\nhi");
    play_without_memory(WISHES "early", SWITCHES, "wire\r\n\r\nearly");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_goes_to_a_service_and_its_answer_back),
        cmocka_unit_test(deadlines_are_told_apart),
        cmocka_unit_test(a_whole_exchange_has_its_bound_and_ends_its_call),
        cmocka_unit_test(an_answer_that_has_begun_is_cut_at_the_bound),
        cmocka_unit_test(a_body_that_trickles_meets_the_bound),
        cmocka_unit_test(questions_come_in_time_each_on_a_new_connection),
        cmocka_unit_test(it_takes_fall_bad_answers_to_go_and_rise_good_ones_to_come_back),
        cmocka_unit_test(a_service_that_is_down_at_first_is_found_out_at_once),
        cmocka_unit_test(an_ejected_service_is_out_for_its_time_and_longer_each_time),
        cmocka_unit_test(answers_that_are_cut_short_count_as_failures),
        cmocka_unit_test(a_service_that_no_table_names_ends_with_its_last_call),
        cmocka_unit_test(the_next_table_takes_the_same_connections),
        cmocka_unit_test(a_tunnel_in_which_nothing_moves_ends),
        cmocka_unit_test(a_stop_ends_a_tunnel_in_its_next_pause),
        cmocka_unit_test(the_end_of_the_node_cuts_tunnels),
        cmocka_unit_test(whatever_happens_nothing_is_left),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
