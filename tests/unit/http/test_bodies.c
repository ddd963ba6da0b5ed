#include "desk.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>

/* Routes that are called with the head: bodies that come by events, are gathered, paused, left
   unread, refused. */

#define HOST "Host: localhost\r\n"
#define COUNTED(n) "POST /flow HTTP/1.1\r\n" HOST "Content-Length: " n "\r\n\r\n"
#define CHUNKED "POST /flow HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
#define FLOWS_MAX 8

enum plan {
    PARTS,        /* the body in parts */
    GATHERED,     /* the body whole */
    NOTHING,      /* leaves it */
    AT_ONCE,      /* answers without it */
    BEGINS,       /* parts, and begins its answer at once */
    ECHOES,       /* the same, and writes each part back */
    PAUSES,       /* parts, one at a time: paused with each */
    AT_PAUSE,     /* parts, paused from the beginning */
    PART_ANSWERS, /* parts, answers with the first */
};

struct flow {
    struct http_request *request; /* NULL: gone */
    struct flows *flows;
    struct buf got, trailers; /* parts, and what came with the end */
    unsigned parts, ends, gone, rooms, refusal;
};

static struct flows {
    struct desk *desk;
    enum plan plan;
    bool answers; /* at the end of the body, with it */
    struct flow flow[FLOWS_MAX];
    unsigned count;
} flows;

static const struct http_answer plain = {.status = 200, .type = "text/plain"};

static void answer(struct flow *flow, slice text) {
    struct http_request *request = flow->request;
    flow->request = NULL;
    http_reply(request, &plain, text);
}

static void on_gone(void *self) {
    struct flow *flow = self;
    assert_non_null(flow->request);
    flow->refusal = http_request_refusal(flow->request);
    flow->request = NULL;
    flow->gone++;
}

static void on_room(void *self) {
    struct flow *flow = self;
    flow->rooms++;
}

static void on_body(void *self, slice bytes) {
    struct flow *flow = self;
    assert_true(bytes.len > 0);
    assert_int_equal(flow->ends, 0);
    assert_int_equal(buf_append(&flow->got, bytes), 0);
    flow->parts++;
    if (flow->flows->plan == PAUSES)
        http_request_pause(flow->request);
    if (flow->flows->plan == ECHOES)
        assert_int_equal(http_reply_write(flow->request, bytes), 0);
    if (flow->flows->plan == PART_ANSWERS)
        answer(flow, slice_lit("enough"));
}

static void on_body_end(void *self, slice trailers) {
    struct flow *flow = self;
    struct http1_field field;
    flow->ends++;
    while (http1_next_field(&trailers, &field)) {
        assert_int_equal(buf_append(&flow->trailers, field.name), 0);
        assert_int_equal(buf_append(&flow->trailers, field.value), 0);
    }
    if (flow->flows->plan == GATHERED && flow->got.len == 0)
        assert_int_equal(buf_append(&flow->got, http_request_body(flow->request)), 0);
    if (flow->flows->answers)
        answer(flow, buf_slice(&flow->got));
}

static const struct http_request_events nothing = {.on_gone = on_gone, .on_room = on_room},
                                        gathered = {.on_gone = on_gone, .on_body_end = on_body_end},
                                        parts = {.on_gone = on_gone,
                                                 .on_room = on_room,
                                                 .on_body = on_body,
                                                 .on_body_end = on_body_end};

static void handle(void *owner, struct http_request *request) {
    struct flows *all = owner;
    assert_true(all->count < FLOWS_MAX);
    struct flow *flow = &all->flow[all->count++];
    flow->flows = all;
    flow->request = request;
    if (all->plan == AT_ONCE) {
        answer(flow, slice_lit("no need"));
        return;
    }
    http_request_later(request,
                       all->plan == NOTHING    ? &nothing
                       : all->plan == GATHERED ? &gathered
                                               : &parts,
                       flow);
    if (all->plan == AT_PAUSE)
        http_request_pause(request);
    if (all->plan == BEGINS || all->plan == ECHOES)
        assert_int_equal(http_reply_begin(request, &plain), 0);
    assert_int_equal(flow->parts + flow->ends, 0); /* not while the handler is on its way */
}

static struct desk *flow_open(uint64_t seed, enum plan plan,
                              const struct http_server_options *options) {
    const struct http_route route = {.pattern = "/flow",
                                     .handle = handle,
                                     .owner = &flows,
                                     .streams = true,
                                     .body_bytes_max = 8u << 20};
    struct desk *desk = desk_open(seed, options);
    flows = (struct flows){.desk = desk, .plan = plan};
    for (unsigned i = 0; i < FLOWS_MAX; i++) {
        flows.flow[i].got = flows.flow[i].trailers = buf_make(16u << 20);
        assert_int_equal(buf_reserve(&flows.flow[i].got, 64),
                         0); /* so that faults hit the server */
    }
    desk_serve_only(desk, &route);
    return desk;
}

static void flow_close(struct desk *desk) {
    desk_close(desk);
    for (unsigned i = 0; i < FLOWS_MAX; i++) {
        assert_null(flows.flow[i].request);
        buf_free(&flows.flow[i].got);
        buf_free(&flows.flow[i].trailers);
    }
}

static void assert_flow(const struct flow *flow, const char *body, const char *trailers) {
    assert_true(slice_equal(buf_slice(&flow->got), slice_str(body)));
    assert_true(slice_equal(buf_slice(&flow->trailers), slice_str(trailers)));
    assert_int_equal(flow->ends, 1);
}

/* --- in parts and gathered ----------------------------------------------------------------------
 */

static void test_the_handler_is_called_with_the_head(void **state) {
    (void)state;
    struct desk *desk = flow_open(1, PARTS, NULL);
    struct stranger *s = desk_stranger(desk);
    struct flow *flow = &flows.flow[0];
    stranger_says(s, COUNTED("10"));
    desk_run(desk, SIM_SECOND);
    assert_int_equal(flows.count, 1);
    stranger_says(s, "01234");
    desk_run(desk, SIM_SECOND);
    assert_true(slice_equal(buf_slice(&flow->got), slice_lit("01234")));
    assert_int_equal(flow->ends, 0);
    stranger_says(s, "56789");
    desk_run(desk, SIM_SECOND);
    assert_flow(flow, "0123456789", "");
    answer(flow, slice_lit("thanks"));
    desk_run(desk, SIM_SECOND);
    assert_got(s, "Content-Type: text/plain\r\nContent-Length: 6\r\n\r\nthanks");
    assert_false(s->ended);
    flow_close(desk);
}

static void test_trailers_come_with_the_end(void **state) {
    (void)state;
    static const enum plan plans[] = {PARTS, GATHERED};
    for (size_t i = 0; i < array_count(plans); i++) {
        struct desk *desk = flow_open(i, plans[i], NULL);
        struct stranger *s = desk_stranger(desk);
        flows.answers = true;
        stranger_drawls(s, slice_lit(CHUNKED "3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n"));
        desk_run(desk, SIM_SECOND);
        assert_flow(&flows.flow[0], "abcde", "X-Sum5");
        assert_true(slice_ends_with(stranger_got(s), slice_lit("\r\n\r\nabcde")));
        assert_int_equal(flows.flow[0].parts > 0, plans[i] == PARTS);
        assert_false(s->ended);
        flow_close(desk);
    }
}

static void test_without_a_body_its_end_comes_at_once(void **state) {
    (void)state;
    static const enum plan plans[] = {PARTS, GATHERED};
    for (size_t i = 0; i < array_count(plans); i++) {
        struct desk *desk = flow_open(i, plans[i], NULL);
        struct stranger *s = desk_stranger(desk);
        flows.answers = true;
        stranger_says(s, GET("/flow") COUNTED("0") GET("/flow") CHUNKED "0\r\n\r\n");
        desk_run(desk, SIM_SECOND);
        assert_int_equal(flows.count, 4);
        for (unsigned j = 0; j < 4; j++)
            assert_flow(&flows.flow[j], "", "");
        assert_int_equal(answers(s, "200"), 4);
        assert_false(s->ended);
        flow_close(desk);
    }
}

static void test_the_end_is_told_to_who_asks_later(void **state) {
    (void)state;
    struct desk *desk = flow_open(1, NOTHING, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, GET("/flow") GET("/flow"));
    desk_run(desk, SIM_SECOND);
    assert_int_equal(flows.count, 2); /* without a body nothing is in the way of the next */
    for (unsigned i = 2; i-- > 0;) {
        struct flow *flow = &flows.flow[i];
        http_request_later(flow->request, &parts, flow);
        http_request_pause(flow->request);
        desk_run(desk, SIM_SECOND);
        assert_int_equal(flow->ends, 0);
        http_request_resume(flow->request);
        assert_int_equal(flow->ends, 0); /* not from inside */
        desk_run(desk, SIM_SECOND);
        assert_int_equal(flow->ends, 1);
        http_request_later(flow->request, &gathered, flow);
        desk_run(desk, SIM_SECOND);
        assert_int_equal(flow->ends, 1); /* once */
        answer(flow, slice_lit("x"));
    }
    desk_run(desk, SIM_SECOND);
    assert_int_equal(answers(s, "200"), 2);
    flow_close(desk);
}

static void test_a_body_left_alone_is_read_when_it_is_asked_for(void **state) {
    (void)state;
    static const struct http_request_events *const asks[] = {&parts, &gathered};
    for (size_t i = 0; i < array_count(asks); i++) {
        struct desk *desk = flow_open(i, NOTHING, NULL);
        struct stranger *s = desk_stranger(desk);
        struct flow *flow = &flows.flow[0];
        stranger_says(s, COUNTED("5") "abcde" GET("/flow"));
        desk_run(desk, 100 * SIM_SECOND); /* longer than body_ns: nobody is late */
        assert_int_equal(flows.count, 1);
        if (i == 1)
            flows.plan = GATHERED;
        flows.answers = true;
        http_request_later(flow->request, asks[i], flow);
        assert_int_equal(flow->parts + flow->ends, 0);
        desk_run(desk, SIM_SECOND);
        assert_flow(flow, "abcde", "");
        assert_int_equal(answers(s, "200"), 1 + (i == 1));
        assert_int_equal(flows.count, 2);
        if (i == 0)
            answer(&flows.flow[1], slice_lit("x"));
        flow_close(desk);
    }
}

static void test_bodies_in_one_read_go_to_their_requests(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 30; seed++) {
        struct desk *desk = flow_open(seed, seed % 2 ? PARTS : GATHERED, NULL);
        struct stranger *s = desk_stranger(desk);
        flows.answers = true;
        stranger_says(s, COUNTED("3") "one" CHUNKED "3\r\ntwo\r\n0\r\n\r\n" GET("/flow") COUNTED(
                             "4") "four" GET("/none") CHUNKED "2\r\nfi\r\n2\r\nve\r\n0\r\n\r\n");
        desk_run(desk, SIM_SECOND);
        const char *const bodies[] = {"one", "two", "", "four", "five"};
        assert_int_equal(flows.count, 5);
        for (unsigned i = 0; i < 5; i++)
            assert_flow(&flows.flow[i], bodies[i], "");
        assert_int_equal(answers(s, "200"), 5);
        assert_int_equal(answers(s, "404"), 1);
        assert_false(s->ended);
        flow_close(desk);
    }
}

/* Both ways at once, and the connection goes on. */
static void test_a_body_may_be_echoed_while_it_comes(void **state) {
    (void)state;
    struct desk *desk = flow_open(1, ECHOES, NULL);
    struct stranger *s = desk_stranger(desk);
    struct flow *flow = &flows.flow[0];
    stranger_says(s, CHUNKED "3\r\nabc\r\n");
    desk_run(desk, SIM_SECOND);
    assert_true(slice_ends_with(stranger_got(s), slice_lit("\r\n\r\n3\r\nabc\r\n")));
    assert_false(got_contains(s, "Connection: close"));
    stranger_says(s, "2\r\nde\r\n0\r\n\r\n");
    desk_run(desk, SIM_SECOND);
    assert_true(slice_ends_with(stranger_got(s), slice_lit("\r\n2\r\nde\r\n")));
    assert_int_equal(flow->ends, 1);
    http_reply_end(flow->request);
    flow->request = NULL;
    stranger_says(s, GET("/none"));
    desk_run(desk, SIM_SECOND);
    assert_int_equal(answers(s, "404"), 1);
    flow_close(desk);
}

/* The one behind has its body read, but writes only when it is its turn. */
static void test_streams_behind_others_write_in_turn(void **state) {
    (void)state;
    struct desk *desk = flow_open(1, BEGINS, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, COUNTED("3") "one" COUNTED("3") "two");
    desk_run(desk, SIM_SECOND);
    struct flow *first = &flows.flow[0], *second = &flows.flow[1];
    assert_flow(second, "two", "");
    assert_int_equal(http_reply_write(second->request, slice_lit("2")), -EAGAIN);
    assert_int_equal(http_reply_write(first->request, slice_lit("1")), 0);
    http_reply_end(first->request);
    first->request = NULL;
    desk_run(desk, SIM_SECOND);
    assert_int_equal(second->rooms, 1);
    assert_int_equal(http_reply_write(second->request, slice_lit("2")), 0);
    http_reply_end(second->request);
    second->request = NULL;
    desk_run(desk, SIM_SECOND);
    assert_int_equal(answers(s, "200"), 2);
    assert_true(got_contains(s, "1\r\n1\r\n0\r\n\r\nHTTP/1.1 200 OK"));
    assert_true(slice_ends_with(stranger_got(s), slice_lit("1\r\n2\r\n0\r\n\r\n")));
    flow_close(desk);
}

/* --- push-back ---------------------------------------------------------------------------------
 */

#define MANY (6u << 20)

static bool all_come(void *self) {
    return ((struct flow *)self)->ends == 1;
}

static void test_a_paused_body_stops_its_client(void **state) {
    (void)state;
    static char bytes[MANY];
    memset(bytes, 'm', sizeof bytes);
    for (uint64_t seed = 0; seed < 5; seed++) {
        struct desk *desk = flow_open(seed, PARTS, NULL);
        struct stranger *s = desk_stranger(desk);
        struct flow *flow = &flows.flow[0];
        stranger_says(s, COUNTED("6291456"));
        desk_run(desk, SIM_SECOND);
        stranger_says_bytes(s, slice_make(bytes, sizeof bytes));
        desk_run(desk, SIM_MILLISECOND);
        http_request_pause(flow->request);
        desk_run(desk, SIM_MILLISECOND);
        size_t before = flow->got.len;
        desk_run(desk, 600 * SIM_SECOND); /* no clock runs */
        assert_int_equal(flow->got.len, before);
        assert_true(before < sizeof bytes);
        assert_true(io_stream_pending(s->stream) > sizeof bytes / 2);
        assert_true(desk_stats(desk).held_bytes <= 2 * IO_READ_BYTES);
        http_request_resume(flow->request);
        assert_true(sim_run_until(desk->sim, all_come, flow, 600 * SIM_SECOND));
        assert_int_equal(flow->got.len, sizeof bytes);
        answer(flow, slice_lit("done"));
        flow_close(desk);
    }
}

static void test_a_pause_between_two_parts_of_one_read_holds(void **state) {
    (void)state;
    struct desk *desk = flow_open(1, PAUSES, NULL);
    struct stranger *s = desk_stranger(desk);
    struct flow *flow = &flows.flow[0];
    stranger_says(s, CHUNKED "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n" GET("/none"));
    for (unsigned i = 1; i <= 3; i++) {
        desk_run(desk, 100 * SIM_SECOND);
        assert_int_equal(flow->parts, i);
        assert_int_equal(flow->ends, 0);
        http_request_resume(flow->request);
        assert_int_equal(flow->parts, i);
    }
    desk_run(desk, SIM_SECOND);
    assert_flow(flow, "abc", "");
    answer(flow, slice_lit("x"));
    desk_run(desk, SIM_SECOND);
    assert_int_equal(answers(s, "200"), 1);
    assert_int_equal(answers(s, "404"), 1);
    flow_close(desk);
}

/* Whoever has not asked for the body yet hears at least of a client that goes. */
static void test_a_client_that_goes_is_heard_of_before_the_body_is_asked_for(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct desk *desk = flow_open(seed, NOTHING, NULL);
        struct stranger *s = desk_stranger(desk);
        stranger_says(s, COUNTED("5"));
        desk_run(desk, SIM_SECOND);
        stranger_leaves(s);
        desk_run(desk, DESK_PATIENCE);
        assert_int_equal(flows.flow[0].gone, 1);
        assert_int_equal(flows.flow[0].refusal, 0);
        flow_close(desk);
    }
}

/* --- answered before the end -------------------------------------------------------------------
 */

/* What is left of the body looks like a request, and is none. */
static void test_an_answer_before_the_end_ends_the_connection(void **state) {
    (void)state;
    static const enum plan plans[] = {AT_ONCE, NOTHING, PART_ANSWERS, PAUSES};
    for (size_t i = 0; i < array_count(plans); i++)
        for (unsigned whole = 0; whole < 2; whole++) {
            struct desk *desk = flow_open(i, plans[i], NULL);
            struct stranger *s = desk_stranger(desk);
            struct flow *flow = &flows.flow[0];
            const char *text = CHUNKED "1\r\na\r\n25\r\n" GET("/flow") "\r\n0\r\n\r\n";
            stranger_says_bytes(s, slice_take(slice_str(text), strlen(text) - (whole ? 0 : 5)));
            desk_run(desk, SIM_SECOND);
            if (flow->request)
                answer(flow, slice_lit("early"));
            desk_run(desk, SIM_SECOND);
            assert_int_equal(answers(s, "200"), 1);
            assert_true(got_contains(s, "Connection: close\r\n"));
            assert_true(s->ended);
            assert_int_equal(flows.count, 1);
            assert_int_equal(flow->gone, 0);
            flow_close(desk);
        }
}

/* The client is still sending when it is told; it gets the answer, not a reset. */
static void test_a_client_that_sends_on_sees_the_answer(void **state) {
    (void)state;
    static char bytes[MANY];
    for (uint64_t seed = 0; seed < 5; seed++) {
        struct desk *desk = flow_open(seed, AT_ONCE, NULL);
        struct stranger *s = desk_stranger(desk);
        stranger_says(s, COUNTED("8000000"));
        stranger_says_bytes(s, slice_make(bytes, sizeof bytes));
        desk_run(desk, 4 * SIM_SECOND);
        assert_int_equal(answers(s, "200"), 1);
        assert_true(s->ended);
        assert_int_equal(desk_stats(desk).held_bytes, 0);
        flow_close(desk);
    }
}

static void test_a_streamed_answer_that_ends_first_ends_the_connection_too(void **state) {
    (void)state;
    struct desk *desk = flow_open(1, BEGINS, NULL);
    struct stranger *s = desk_stranger(desk);
    struct flow *flow = &flows.flow[0];
    stranger_says(s, COUNTED("50") "abc");
    desk_run(desk, SIM_SECOND);
    assert_int_equal(http_reply_write(flow->request, slice_lit("half")), 0);
    desk_run(desk, SIM_SECOND);
    assert_false(s->ended);
    http_reply_end(flow->request);
    flow->request = NULL;
    desk_run(desk, SIM_SECOND);
    assert_true(slice_ends_with(stranger_got(s), slice_lit("4\r\nhalf\r\n0\r\n\r\n")));
    assert_true(s->ended);
    flow_close(desk);
}

/* --- refused -----------------------------------------------------------------------------------
 */

static void test_a_length_over_the_bound_is_the_handlers_to_refuse(void **state) {
    (void)state;
    struct desk *desk = flow_open(1, AT_ONCE, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, COUNTED("8388609"));
    desk_run(desk, SIM_SECOND);
    assert_got(s,
               "Content-Type: text/plain\r\nContent-Length: 7\r\nConnection: close\r\n\r\nno need");
    assert_true(s->ended);
    assert_int_equal(flows.count, 1);
    flow_close(desk);
}

static void test_a_length_over_the_bound_that_no_handler_refuses_is_on_its_way(void **state) {
    (void)state;
    static char part[1u << 20];
    struct desk *desk = flow_open(1, GATHERED, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, COUNTED("8388609"));
    for (unsigned i = 0; i < 8; i++) {
        stranger_says_bytes(s, slice_make(part, sizeof part));
        desk_run(desk, SIM_SECOND / 2);
    }
    assert_int_equal(flows.flow[0].gone, 0);
    stranger_says(s, "x");
    assert_refused(desk, s, "413");
    assert_int_equal(flows.flow[0].refusal, 413);
    flow_close(desk);
}

static void test_a_body_that_grows_too_large_is_refused_on_its_way(void **state) {
    (void)state;
    static char chunk[1u << 20];
    static const enum plan plans[] = {PARTS, GATHERED};
    for (size_t i = 0; i < array_count(plans); i++) {
        struct desk *desk = flow_open(i, plans[i], NULL);
        struct stranger *s = desk_stranger(desk);
        stranger_says(s, CHUNKED);
        for (unsigned j = 0; j < 9 && s->stream; j++) {
            stranger_says(s, "100000\r\n");
            stranger_says_bytes(s, slice_make(chunk, sizeof chunk));
            stranger_says(s, "\r\n");
            desk_run(desk, SIM_SECOND / 2);
        }
        assert_refused(desk, s, "413");
        assert_int_equal(flows.flow[0].gone, 1);
        assert_int_equal(flows.flow[0].refusal, 413);
        assert_int_equal(flows.flow[0].ends, 0);
        flow_close(desk);
    }
}

static void test_a_malformed_body_is_refused_by_the_server(void **state) {
    (void)state;
    static const enum plan plans[] = {PARTS, GATHERED};
    for (size_t i = 0; i < array_count(plans); i++) {
        struct desk *desk = flow_open(i, plans[i], NULL);
        struct stranger *s = desk_stranger(desk);
        stranger_says(s, CHUNKED "3\r\nabc\r\nno\r\n" GET("/flow"));
        assert_refused(desk, s, "400");
        assert_int_equal(flows.count, 1);
        assert_int_equal(flows.flow[0].gone, 1);
        assert_int_equal(flows.flow[0].refusal, 400);
        flow_close(desk);
    }
}

static void test_a_begun_answer_to_a_malformed_body_is_broken_off(void **state) {
    (void)state;
    struct desk *desk = flow_open(1, ECHOES, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, CHUNKED "3\r\nabc\r\nno\r\n");
    desk_run(desk, SIM_SECOND);
    assert_int_equal(flows.flow[0].refusal, 400);
    assert_int_equal(answers(s, "200"), 1);
    assert_int_equal(answers(s, "400"), 0);
    assert_true(slice_ends_with(stranger_got(s), slice_lit("3\r\nabc\r\n"))); /* no last chunk */
    assert_true(s->ended);
    flow_close(desk);
}

static void test_a_slow_body_is_refused_by_the_server(void **state) {
    (void)state;
    static const enum plan plans[] = {PARTS, GATHERED, BEGINS};
    for (size_t i = 0; i < array_count(plans); i++) {
        struct desk *desk = flow_open(i, plans[i], NULL);
        struct stranger *s = desk_stranger(desk);
        stranger_says(s, COUNTED("100"));
        for (unsigned j = 0; j < 29; j++) {
            stranger_says(s, "b");
            desk_run(desk, SIM_SECOND);
            assert_int_equal(flows.flow[0].gone, 0);
        }
        if (plans[i] == BEGINS)
            desk_run(desk, 2 * SIM_SECOND);
        else
            assert_refused(desk, s, "408");
        assert_int_equal(flows.flow[0].refusal, 408);
        assert_true(s->ended);
        flow_close(desk);
    }
}

/* The clock is for each 64 KiB, not for the whole. */
static void test_a_body_that_keeps_coming_is_not_slow(void **state) {
    (void)state;
    static char bytes[65536];
    struct desk *desk = flow_open(1, PARTS, NULL);
    struct stranger *s = desk_stranger(desk);
    flows.answers = true;
    stranger_says(s, COUNTED("327680"));
    for (unsigned i = 0; i < 5; i++) {
        stranger_says_bytes(s, slice_make(bytes, sizeof bytes));
        desk_run(desk, 20 * SIM_SECOND);
    }
    assert_int_equal(answers(s, "200"), 1);
    flow_close(desk);
}

/* The one that is refused stands behind one whose answer the handler gives when it hears of it. */
static void on_gone_answers_first(void *self) {
    on_gone(self);
    answer(&flows.flow[0], slice_lit("first"));
}

static void test_who_hears_of_a_refusal_may_answer_others(void **state) {
    (void)state;
    static const struct http_request_events events = {
        .on_gone = on_gone_answers_first, .on_body = on_body, .on_body_end = on_body_end};
    struct desk *desk = flow_open(1, NOTHING, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, GET("/flow") COUNTED("100") "b");
    desk_run(desk, SIM_SECOND);
    http_request_later(flows.flow[1].request, &events, &flows.flow[1]);
    desk_run(desk, 40 * SIM_SECOND);
    assert_int_equal(flows.flow[1].refusal, 408);
    assert_int_equal(answers(s, "200"), 1);
    assert_refused(desk, s, "408");
    flow_close(desk);
}

static void test_a_client_that_ends_within_the_body_is_refused(void **state) {
    (void)state;
    struct desk *desk = flow_open(1, PARTS, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, COUNTED("100") "b");
    desk_run(desk, SIM_SECOND);
    io_stream_close(s->stream);
    desk_run(desk, SIM_SECOND);
    assert_int_equal(flows.flow[0].refusal, 400);
    assert_int_equal(flows.flow[0].gone, 1);
    flow_close(desk);
}

static void test_a_client_that_goes_within_the_body_is_gone(void **state) {
    (void)state;
    struct desk *desk = flow_open(1, PARTS, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, COUNTED("100") "b");
    desk_run(desk, SIM_SECOND);
    http_server_close(desk->server, desk_loop(desk));
    assert_int_equal(flows.flow[0].gone, 1);
    assert_int_equal(flows.flow[0].refusal, 0);
    desk_run(desk, SIM_SECOND);
    assert_true(s->closed);
    flow_close(desk);
}

static void test_what_is_gathered_is_within_the_loops_budget(void **state) {
    (void)state;
    static char bytes[60000];
    static const enum plan plans[] = {GATHERED, PARTS};
    struct http_server_options options = {.limits = {.held_bytes_max = 50000}};
    for (size_t i = 0; i < array_count(plans); i++) {
        struct desk *desk = flow_open(i, plans[i], &options);
        struct stranger *s = desk_stranger(desk);
        flows.answers = true;
        stranger_says(s, COUNTED("60000"));
        stranger_says_bytes(s, slice_make(bytes, sizeof bytes));
        desk_run(desk, 2 * SIM_SECOND);
        assert_int_equal(answers(s, "503"), plans[i] == GATHERED);
        assert_int_equal(answers(s, "200"), plans[i] == PARTS); /* nothing is held */
        assert_int_equal(flows.flow[0].refusal, plans[i] == GATHERED ? 503 : 0);
        flow_close(desk);
    }
}

/* --- 100-continue ------------------------------------------------------------------------------
 */

#define EXPECTS "POST /flow HTTP/1.1\r\n" HOST "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n"
#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

static void test_100_is_said_when_the_body_is_wanted(void **state) {
    (void)state;
    static const enum plan plans[] = {PARTS, GATHERED, NOTHING, AT_PAUSE};
    for (size_t i = 0; i < array_count(plans); i++) {
        struct desk *desk = flow_open(i, plans[i], NULL);
        struct stranger *s = desk_stranger(desk);
        struct flow *flow = &flows.flow[0];
        stranger_says(s, EXPECTS);
        desk_run(desk, 50 * SIM_SECOND / (i < 2 ? 50 : 1));
        if (plans[i] == NOTHING || plans[i] == AT_PAUSE) {
            assert_int_equal(stranger_got(s).len, 0);
            flows.plan = PARTS;
            if (plans[i] == NOTHING)
                http_request_later(flow->request, &parts, flow);
            else
                http_request_resume(flow->request);
            desk_run(desk, SIM_SECOND);
        }
        assert_true(slice_equal(stranger_got(s), slice_lit(CONTINUE)));
        stranger_says(s, "abc");
        desk_run(desk, SIM_SECOND);
        assert_flow(flow, "abc", "");
        answer(flow, slice_lit("x"));
        desk_run(desk, SIM_SECOND);
        assert_int_equal(answers(s, "200"), 1);
        assert_false(s->ended);
        flow_close(desk);
    }
}

static void test_who_does_not_want_the_body_says_no_100(void **state) {
    (void)state;
    static const enum plan plans[] = {AT_ONCE, BEGINS};
    for (size_t i = 0; i < array_count(plans); i++) {
        struct desk *desk = flow_open(i, plans[i], NULL);
        struct stranger *s = desk_stranger(desk);
        stranger_says(s, EXPECTS);
        desk_run(desk, SIM_SECOND);
        assert_int_equal(answers(s, "100"), 0);
        assert_int_equal(answers(s, "200"), 1);
        assert_int_equal(s->ended, plans[i] == AT_ONCE);
        stranger_leaves(s);
        flow_close(desk);
    }
}

/* The client waits for us, not we for it. */
static void test_who_waits_for_100_behind_a_slow_answer_is_not_slow(void **state) {
    (void)state;
    struct desk *desk = flow_open(1, NOTHING, NULL);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, GET("/flow"));
    desk_run(desk, SIM_SECOND);
    flows.plan = PARTS;
    stranger_says(s, EXPECTS);
    desk_run(desk, 100 * SIM_SECOND);
    assert_int_equal(stranger_got(s).len, 0);
    answer(&flows.flow[0], slice_lit("first"));
    desk_run(desk, SIM_SECOND);
    assert_true(slice_ends_with(stranger_got(s), slice_lit("first" CONTINUE)));
    desk_run(desk, 40 * SIM_SECOND);
    assert_int_equal(flows.flow[1].refusal, 408); /* now it is */
    flow_close(desk);
}

/* --- without memory ----------------------------------------------------------------------------
 */

static bool over(void *self) {
    const struct stranger *s = self;
    return s->closed || slice_ends_with(stranger_got(s), slice_lit("0123456789"));
}

static void test_each_allocation_may_fail(void **state) {
    (void)state;
    static const enum plan plans[] = {PARTS, GATHERED};
    for (size_t i = 0; i < array_count(plans); i++) {
        unsigned refused = 0;
        bool passed_all = false;
        for (unsigned long at = 1; !passed_all; at++) {
            struct desk *desk = flow_open(1, plans[i], NULL);
            struct stranger *s = desk_stranger(desk);
            flows.answers = true;
            stranger_says(s, CHUNKED "5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n");
            unsigned long before = mem_attempts();
            mem_fail_at(at, false);
            assert_true(sim_run_until(desk->sim, over, s, 100 * SIM_SECOND));
            passed_all = mem_attempts() - before < at;
            mem_fail_at(0, false);
            refused += answers(s, "200") == 0;
            flow_close(desk);
        }
        assert_true(refused >= 2);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_handler_is_called_with_the_head),
        cmocka_unit_test(test_trailers_come_with_the_end),
        cmocka_unit_test(test_without_a_body_its_end_comes_at_once),
        cmocka_unit_test(test_the_end_is_told_to_who_asks_later),
        cmocka_unit_test(test_a_body_left_alone_is_read_when_it_is_asked_for),
        cmocka_unit_test(test_bodies_in_one_read_go_to_their_requests),
        cmocka_unit_test(test_a_body_may_be_echoed_while_it_comes),
        cmocka_unit_test(test_streams_behind_others_write_in_turn),
        cmocka_unit_test(test_a_paused_body_stops_its_client),
        cmocka_unit_test(test_a_pause_between_two_parts_of_one_read_holds),
        cmocka_unit_test(test_a_client_that_goes_is_heard_of_before_the_body_is_asked_for),
        cmocka_unit_test(test_an_answer_before_the_end_ends_the_connection),
        cmocka_unit_test(test_a_client_that_sends_on_sees_the_answer),
        cmocka_unit_test(test_a_streamed_answer_that_ends_first_ends_the_connection_too),
        cmocka_unit_test(test_a_length_over_the_bound_is_the_handlers_to_refuse),
        cmocka_unit_test(test_a_length_over_the_bound_that_no_handler_refuses_is_on_its_way),
        cmocka_unit_test(test_a_body_that_grows_too_large_is_refused_on_its_way),
        cmocka_unit_test(test_a_malformed_body_is_refused_by_the_server),
        cmocka_unit_test(test_a_begun_answer_to_a_malformed_body_is_broken_off),
        cmocka_unit_test(test_a_slow_body_is_refused_by_the_server),
        cmocka_unit_test(test_a_body_that_keeps_coming_is_not_slow),
        cmocka_unit_test(test_who_hears_of_a_refusal_may_answer_others),
        cmocka_unit_test(test_a_client_that_ends_within_the_body_is_refused),
        cmocka_unit_test(test_a_client_that_goes_within_the_body_is_gone),
        cmocka_unit_test(test_what_is_gathered_is_within_the_loops_budget),
        cmocka_unit_test(test_100_is_said_when_the_body_is_wanted),
        cmocka_unit_test(test_who_does_not_want_the_body_says_no_100),
        cmocka_unit_test(test_who_waits_for_100_behind_a_slow_answer_is_not_slow),
        cmocka_unit_test(test_each_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("http/bodies", tests, NULL, NULL);
}
