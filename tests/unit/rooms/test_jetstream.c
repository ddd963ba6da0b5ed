#include "bus_kit.h"

#include "log/stream.h"
#include "rooms/pubsub/pubsub.h"

/* The JSON API where its answers, its callers and its end get in each other's way. */

struct office {
    struct house *house;
    struct room_node node;
    struct room_shard shard;
    struct jetstream *jetstream;
};

static void office_serve(struct office *office) {
    house_streams(office->house);
    office->node.limits.pending_bytes_max = 64u << 20;
    office->shard = (struct room_shard){.node = &office->node,
                                        .loop = bus_loop(house_last(office->house)),
                                        .bus = house_last(office->house),
                                        .streams = office->house->streams};
    assert_int_equal(jetstream_open(&office->shard, &office->jetstream), 0);
}

static void office_open(struct office *office, unsigned shards) {
    *office = (struct office){.house = house_open(1, shards)};
    office_serve(office);
}

static void office_close(struct office *office) {
    office->jetstream = jetstream_close(office->jetstream);
    house_close(office->house);
}

static bool holds(const struct bus_message *message, const char *text) {
    return slice_find_slice(message->payload, slice_str(text)) >= 0;
}

/* Asks the next thing from inside the answer to the last. */
static void ask_names(struct catcher *catcher, const struct bus_message *message) {
    struct office *office = catcher->self;
    if (slice_equal(message->subject, slice_lit("first")))
        ask(house_last(office->house), "$JS.API.STREAM.NAMES", "second", "{}");
}

static void test_what_is_asked_from_inside_an_answer_is_served_and_spoils_nothing(void **state) {
    (void)state;
    struct office office;
    struct catcher asks, behind, second;
    office_open(&office, 1);
    kit_stream(office.house, "{'name':'A','subjects':['a.>']}");
    catcher_open(&asks, office.house->bus[0], "first", NULL);
    catcher_open(&behind, office.house->bus[0], "first", NULL);
    catcher_open(&second, office.house->bus[0], "second", NULL);
    asks.also = ask_names;
    asks.self = &office;
    ask(office.house->bus[0], "$JS.API.STREAM.INFO.A", "first", "");
    catcher_wait(office.house, &second, 1);
    assert_true(holds(catcher_at(&behind, 0), "stream_info_response"));
    assert_true(holds(catcher_at(&behind, 0), "\"subjects\":[\"a.>\"]"));
    assert_true(holds(catcher_at(&second, 0), "stream_names_response"));
    catcher_close(&asks);
    catcher_close(&behind);
    catcher_close(&second);
    office_close(&office);
}

static void test_an_answer_sent_to_the_api_itself_does_no_harm(void **state) {
    (void)state;
    static const char *const replies[] = {"$JS.API.STREAM.INFO.A", "$JS.API.STREAM.CREATE.B",
                                          "$JS.API.STREAM.PURGE.A", "$JS.API.nothing"};
    struct office office;
    office_open(&office, 2);
    kit_stream(office.house, "{'name':'A','subjects':['a.>'],'allow_direct':true}");
    kit_fill(office.house, "a.x", 10);
    for (unsigned i = 0; i < array_count(replies); i++) {
        ask(office.house->bus[0], "$JS.API.STREAM.INFO.A", replies[i], "");
        ask(office.house->bus[0], "$JS.API.STREAM.NAMES", replies[i], "{}");
        ask(office.house->bus[0], "$JS.API.STREAM.MSG.GET.A", replies[i], "{\"seq\":1}");
        ask(office.house->bus[0], "$JS.API.DIRECT.GET.A.a.x", replies[i], "");
        ask(office.house->bus[0], "$JS.API.CONSUMER.MSG.NEXT.A.none", replies[i], "");
        house_run(office.house, SIM_SECOND);
    }
    assert_null(kit_find(office.house, "B"));
    office_close(&office);
}

static void test_a_stored_message_delivered_to_the_api_is_no_request(void **state) {
    (void)state;
    struct office office;
    office_open(&office, 1);
    kit_stream(office.house, "{'name':'A','subjects':['a']}");
    kit_stream(office.house, "{'name':'B','subjects':['b']}");
    assert_non_null(kit_consumer(office.house, "A", "{'durable_name':'c','ack_policy':'none'}"));
    kit_fill(office.house, "a", 3);
    kit_pull(kit_find_consumer(office.house, "A", "c"), "$JS.API.STREAM.DELETE.B", 3, 0);
    house_run(office.house, SIM_SECOND);
    assert_non_null(kit_find(office.house, "B"));
    office_close(&office);
}

static void test_the_last_message_of_a_subject_is_waited_for_while_it_is_written(void **state) {
    (void)state;
    struct office office;
    struct catcher hears;
    office_open(&office, 1);
    kit_stream(office.house, "{'name':'A','subjects':['a'],'max_msgs_per_subject':1}");
    kit_fill(office.house, "a", 1);
    catcher_open(&hears, office.house->bus[0], "r", NULL);
    for (unsigned i = 0; i < 50; i++) {
        say(office.house->bus[0], "a", "newer");
        ask(office.house->bus[0], "$JS.API.STREAM.MSG.GET.A", "r", "{\"last_by_subj\":\"a\"}");
        catcher_wait(office.house, &hears, i + 1);
        assert_false(holds(catcher_at(&hears, i), "error"));
        assert_true(holds(catcher_at(&hears, i), "bmV3ZXI")); /* newer */
    }
    catcher_close(&hears);
    office_close(&office);
}

static void test_the_last_message_of_a_subject_is_read_from_disk(void **state) {
    (void)state;
    struct office office;
    struct catcher hears;
    office_open(&office, 1);
    kit_stream(office.house, "{'name':'A','subjects':['a.>'],'allow_direct':true}");
    kit_fill(office.house, "a.x", 3);
    kit_fill(office.house, "a.y", 3);
    office.jetstream = jetstream_close(office.jetstream);
    house_stop(office.house); /* what was written is in memory no more */
    office_serve(&office);
    catcher_open(&hears, office.house->bus[0], "r", NULL);
    ask(office.house->bus[0], "$JS.API.STREAM.MSG.GET.A", "r", "{\"last_by_subj\":\"a.x\"}");
    catcher_wait(office.house, &hears, 1);
    assert_true(holds(catcher_at(&hears, 0), "\"seq\":3"));
    ask(office.house->bus[0], "$JS.API.DIRECT.GET.A.a.y", "r", "");
    catcher_wait(office.house, &hears, 2);
    assert_slice(catcher_at(&hears, 1)->payload, "3");
    catcher_close(&hears);
    office_close(&office);
}

static void test_a_name_that_is_no_text_is_refused(void **state) {
    (void)state;
    struct office office;
    struct catcher hears;
    office_open(&office, 1);
    kit_stream(office.house, "{'name':'A','subjects':['a.>']}");
    catcher_open(&hears, office.house->bus[0], "r", NULL);
    ask(office.house->bus[0], "$JS.API.STREAM.CREATE.B\xff", "r", "{\"subjects\":[\"b\"]}");
    ask(office.house->bus[0], "$JS.API.CONSUMER.CREATE.A.c\xff", "r", "{\"config\":{}}");
    catcher_wait(office.house, &hears, 2);
    assert_true(holds(catcher_at(&hears, 0), "\"err_code\":10052"));
    assert_true(holds(catcher_at(&hears, 1), "\"err_code\":10103"));
    catcher_close(&hears);
    office_close(&office);
}

static void test_calls_under_way_are_answered_when_the_node_stops(void **state) {
    (void)state;
    for (uint64_t us = 0; us < 2000; us += 100) {
        struct office office;
        struct catcher hears;
        office_open(&office, 1 + us / 100 % 2);
        kit_stream(office.house, "{'name':'A','subjects':['a']}");
        kit_fill(office.house, "a", 5);
        catcher_open(&hears, office.house->bus[0], "r", NULL);
        say(office.house->bus[0], "a", "newer");
        ask(office.house->bus[0], "$JS.API.STREAM.MSG.GET.A", "r", "{\"last_by_subj\":\"a\"}");
        ask(office.house->bus[0], "$JS.API.STREAM.CREATE.B", "r", "{\"subjects\":[\"b\"]}");
        ask(office.house->bus[0], "$JS.API.STREAM.PURGE.A", "r", "");
        ask(office.house->bus[0], "$JS.API.CONSUMER.DURABLE.CREATE.A.c", "r",
            "{\"stream_name\":\"A\",\"config\":{\"durable_name\":\"c\",\"ack_policy\":"
            "\"explicit\"}}");
        house_run(office.house, us * 1000);
        office.jetstream = jetstream_close(office.jetstream);
        streams_stop(office.house->streams);
        house_run(office.house, SIM_MILLISECOND);
        if (office.house->shards == 1)
            assert_int_equal(hears.count, 4);
        catcher_close(&hears);
        house_leave(office.house);
        assert_int_equal(sim_open_handles(office.house->sim), 0);
        sim_free(office.house->sim);
        mem_free(office.house);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_asked_from_inside_an_answer_is_served_and_spoils_nothing),
        cmocka_unit_test(test_an_answer_sent_to_the_api_itself_does_no_harm),
        cmocka_unit_test(test_a_stored_message_delivered_to_the_api_is_no_request),
        cmocka_unit_test(test_the_last_message_of_a_subject_is_waited_for_while_it_is_written),
        cmocka_unit_test(test_the_last_message_of_a_subject_is_read_from_disk),
        cmocka_unit_test(test_a_name_that_is_no_text_is_refused),
        cmocka_unit_test(test_calls_under_way_are_answered_when_the_node_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
