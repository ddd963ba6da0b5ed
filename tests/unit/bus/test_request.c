#include "bus_kit.h"

#include "bus/request.h"

/* Requests from inside the node: answers, deadlines, nobody there, scatter-gather. */

struct asker {
    struct house *house;
    struct bus *bus;
    struct bus_request *request;
    unsigned replies, ended;
    int why;
    char last[32];
    bool inside;        /* of bus_request */
    unsigned cancel_at; /* cancels itself at this reply */
};

static void on_reply(void *owner, const struct bus_message *reply, int ended) {
    struct asker *asker = owner;
    assert_false(asker->inside);
    assert_int_equal(asker->ended, 0);
    if (!reply) {
        asker->ended++;
        asker->why = ended;
        return;
    }
    asker->replies++;
    assert_true(reply->payload.len < sizeof asker->last);
    snprintf(asker->last, sizeof asker->last, "%.*s", slice_fmt(reply->payload));
    if (asker->cancel_at == asker->replies)
        bus_request_cancel(asker->bus, asker->request);
}

static void send_request(struct asker *asker, struct bus *bus, const char *subject, unsigned max,
                         uint64_t timeout_ns, uint64_t stall_ns) {
    asker->bus = bus;
    struct bus_request_options options = {
        .message = {.subject = slice_str(subject), .payload = slice_lit("question")},
        .timeout_ns = timeout_ns,
        .replies_max = max,
        .stall_ns = stall_ns,
        .on_reply = on_reply,
        .owner = asker};
    asker->inside = true;
    assert_int_equal(bus_request(bus, &options, &asker->request), 0);
    asker->inside = false;
}

/* Answers from inside the delivery. */
static void answer(struct catcher *catcher, const struct bus_message *m) {
    struct bus_message reply = {.subject = m->reply, .payload = slice_lit("answer")};
    bus_publish(catcher->bus, &reply, NULL, NULL);
}

static const unsigned shard_counts[] = {1, 2, 4};

static void test_a_request_gets_its_answer_from_any_shard(void **state) {
    (void)state;
    for (unsigned n = 0; n < array_count(shard_counts); n++) {
        struct house *house = house_open(1, shard_counts[n]);
        struct catcher service;
        catcher_open(&service, house_last(house), "service", "q");
        service.also = answer;
        house_run(house, 20 * SIM_MILLISECOND);
        for (unsigned i = 0; i < 50; i++) {
            struct asker asker = {0};
            send_request(&asker, house->bus[0], "service", 0, 0, 0);
            house_until(house, &asker.ended);
            assert_int_equal(asker.why, 0);
            assert_int_equal(asker.replies, 1);
            assert_string_equal(asker.last, "answer");
        }
        assert_int_equal(service.count, 50);
        assert_slice(catcher_at(&service, 0)->payload, "question");
        catcher_close(&service);
        house_close(house);
    }
}

static void test_nobody_there_is_told_at_once(void **state) {
    (void)state;
    struct house *house = house_open(2, 2);
    struct asker asker = {0};
    send_request(&asker, house->bus[0], "service", 0, 60 * SIM_SECOND, 0);
    assert_true(house_try_until(house, &asker.ended, 20 * SIM_MILLISECOND));
    assert_int_equal(asker.why, -EHOSTUNREACH);
    assert_int_equal(asker.replies, 0);
    house_close(house);
}

static void say_503(struct catcher *catcher, const struct bus_message *m) {
    struct bus_message reply = {.subject = m->reply, .headers = slice_lit("NATS/1.0 503\r\n\r\n")};
    bus_publish(catcher->bus, &reply, NULL, NULL);
}

static void test_a_503_ends_a_request(void **state) {
    (void)state;
    struct house *house = house_open(3, 2);
    struct asker asker = {0};
    struct catcher link;
    catcher_open(&link, house->bus[1], "service", NULL);
    link.also = say_503;
    house_run(house, 20 * SIM_MILLISECOND);
    send_request(&asker, house->bus[0], "service", 0, 0, 0);
    house_until(house, &asker.ended);
    assert_int_equal(asker.why, -EHOSTUNREACH);
    catcher_close(&link);
    house_close(house);
}

static void test_a_deadline_ends_a_request_and_a_late_answer_is_dropped(void **state) {
    (void)state;
    struct house *house = house_open(4, 1);
    struct asker asker = {0}, next = {0};
    struct catcher service;
    catcher_open(&service, house->bus[0], "service", NULL);
    send_request(&asker, house->bus[0], "service", 0, SIM_SECOND, 0);
    house_run(house, 990 * SIM_MILLISECOND);
    assert_int_equal(asker.ended, 0);
    house_until(house, &asker.ended);
    assert_int_equal(asker.why, -ETIMEDOUT);
    send_request(&next, house->bus[0], "service", 0, SIM_SECOND, 0); /* the same slot */
    answer(&service, catcher_at(&service, 0));
    house_until(house, &next.ended);
    assert_int_equal(asker.replies + next.replies, 0);
    catcher_close(&service);
    house_close(house);
}

static void test_scatter_gather_ends_with_enough_answers_a_stall_or_the_deadline(void **state) {
    (void)state;
    struct house *house = house_open(5, 4);
    struct catcher services[4];
    for (unsigned i = 0; i < 4; i++) {
        catcher_open(&services[i], house->bus[i], "service", NULL);
        services[i].also = answer;
    }
    house_run(house, 20 * SIM_MILLISECOND);
    struct asker enough = {0}, stalled = {0}, late = {0};
    send_request(&enough, house->bus[1], "service", 3, 10 * SIM_SECOND, 0);
    house_until(house, &enough.ended);
    assert_int_equal(enough.why, 0);
    assert_int_equal(enough.replies, 3);
    uint64_t before = sim_now_ns(house->sim);
    send_request(&stalled, house->bus[1], "service", 10, 10 * SIM_SECOND, 100 * SIM_MILLISECOND);
    house_until(house, &stalled.ended);
    assert_int_equal(stalled.why, -ETIMEDOUT);
    assert_int_equal(stalled.replies, 4);
    assert_true(sim_now_ns(house->sim) - before < SIM_SECOND);
    send_request(&late, house->bus[1], "service", 10, SIM_SECOND, 0);
    house_until(house, &late.ended);
    assert_int_equal(late.why, -ETIMEDOUT);
    assert_int_equal(late.replies, 4);
    for (unsigned i = 0; i < 4; i++)
        catcher_close(&services[i]);
    house_close(house);
}

static void test_a_request_may_be_cancelled_any_time(void **state) {
    (void)state;
    struct house *house = house_open(6, 1);
    struct catcher services[3];
    for (unsigned i = 0; i < 3; i++) {
        catcher_open(&services[i], house->bus[0], "service", NULL);
        services[i].also = answer;
    }
    struct asker at_once = {0}, inside = {.cancel_at = 2};
    send_request(&at_once, house->bus[0], "service", 3, 0, 0);
    bus_request_cancel(house->bus[0], at_once.request);
    send_request(&inside, house->bus[0], "service", 3, 0, 0);
    house_run(house, 5 * SIM_SECOND);
    assert_int_equal(at_once.replies + at_once.ended, 0);
    assert_int_equal(inside.replies, 2);
    assert_int_equal(inside.ended, 0);
    for (unsigned i = 0; i < 3; i++)
        catcher_close(&services[i]);
    house_close(house);
}

static void test_requests_under_way_end_with_their_bus(void **state) {
    (void)state;
    struct house *house = house_open(7, 1);
    struct catcher service;
    struct asker asker = {0};
    catcher_open(&service, house->bus[0], "service", NULL);
    send_request(&asker, house->bus[0], "service", 0, 0, 0);
    catcher_close(&service);
    house_close(house);
    assert_int_equal(asker.ended, 1);
    assert_int_equal(asker.why, -ECANCELED);
}

static void test_so_many_requests_and_no_more(void **state) {
    (void)state;
    struct house *house = house_open(8, 1);
    struct catcher service;
    struct asker *askers = mem_zalloc(BUS_REQUESTS_MAX, sizeof *askers), one = {0};
    catcher_open(&service, house->bus[0], "service", NULL);
    for (unsigned i = 0; i < BUS_REQUESTS_MAX; i++)
        send_request(&askers[i], house->bus[0], "service", 0, SIM_SECOND, 0);
    struct bus_request_options options = {
        .message = {.subject = slice_lit("service")}, .on_reply = on_reply, .owner = &one};
    assert_int_equal(bus_request(house->bus[0], &options, NULL), -ENOBUFS);
    house_run(house, 2 * SIM_SECOND);
    for (unsigned i = 0; i < BUS_REQUESTS_MAX; i++)
        assert_int_equal(askers[i].ended, 1);
    assert_int_equal(bus_request(house->bus[0], &options, NULL), 0);
    house_run(house, 3 * SIM_SECOND);
    catcher_close(&service);
    mem_free(askers);
    house_close(house);
}

static void test_each_failed_allocation_refuses_the_request(void **state) {
    (void)state;
    struct house *house = house_open(9, 2);
    struct catcher service;
    catcher_open(&service, house->bus[1], "service", NULL);
    service.also = answer;
    house_run(house, 20 * SIM_MILLISECOND);
    unsigned refused = 0;
    for (unsigned long nth = 1; nth < 40; nth++) {
        struct asker asker = {.bus = house->bus[0]};
        struct bus_request_options options = {
            .message = {.subject = slice_lit("service")}, .on_reply = on_reply, .owner = &asker};
        mem_fail_at(nth, false);
        int failed = bus_request(house->bus[0], &options, NULL);
        if (!failed)
            house_until(house, &asker.ended);
        mem_fail_at(0, false);
        refused += failed != 0;
        assert_int_equal(asker.ended, failed ? 0 : 1);
        house_run(house, 20 * SIM_MILLISECOND);
    }
    assert_true(refused >= 3);
    catcher_close(&service);
    house_close(house);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_gets_its_answer_from_any_shard),
        cmocka_unit_test(test_nobody_there_is_told_at_once),
        cmocka_unit_test(test_a_503_ends_a_request),
        cmocka_unit_test(test_a_deadline_ends_a_request_and_a_late_answer_is_dropped),
        cmocka_unit_test(test_scatter_gather_ends_with_enough_answers_a_stall_or_the_deadline),
        cmocka_unit_test(test_a_request_may_be_cancelled_any_time),
        cmocka_unit_test(test_requests_under_way_end_with_their_bus),
        cmocka_unit_test(test_so_many_requests_and_no_more),
        cmocka_unit_test(test_each_failed_allocation_refuses_the_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
