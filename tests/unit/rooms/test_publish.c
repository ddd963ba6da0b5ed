#include "bus_kit.h"

#include "base/number.h"
#include "flow/flow.h"
#include "log/stream.h"
#include "rooms/etl/etl_config.h"
#include "rooms/etl/nexmark.h"
#include "rooms/etl/publish.h"
#include "rooms/pubsub/pubsub.h"
#include "wire/nats_headers.h"

/* The publish sink, from the generator into streams: each record once, whatever happens. */

#define WINDOW (130 * SIM_SECOND) /* longer than streams remember ids: they hide nothing then */

struct mill {
    struct house *house;
    struct room_shard shard;
    struct jetstream *jetstream;
    struct flow *flow;
    struct etl_nexmark nexmark;
    struct etl_to to;
};

static void mill_api(struct mill *mill) {
    mill->shard = (struct room_shard){.loop = bus_loop(house_last(mill->house)),
                                      .bus = house_last(mill->house),
                                      .streams = mill->house->streams};
    assert_int_equal(jetstream_open(&mill->shard, &mill->jetstream), 0);
}

static void mill_flow(struct mill *mill) {
    struct error error = {0};
    struct flow_options options = {
        .name = slice_lit("gen"),
        .bus = mill->house->bus[0],
        .source = &nexmark_source,
        .source_config = &mill->nexmark,
        .sink = &publish_sink,
        .sink_config = &mill->to,
    };
    assert_int_equal(flow_start(&options, &mill->flow, &error), 0);
}

static void mill_open(struct mill *mill, unsigned shards, const char *to, int64_t limit) {
    *mill = (struct mill){
        .house = house_open(1, shards),
        .nexmark = {.rate = {.count = 10000, .period_ns = SIM_SECOND},
                    .seed = 1,
                    .out_of_order = 1,
                    .limit = limit},
        .to = {.publish = slice_str(to)},
    };
    house_streams(mill->house);
    mill_api(mill);
}

static void mill_halt(struct mill *mill) {
    mill->flow = flow_free(mill->flow);
    mill->jetstream = jetstream_close(mill->jetstream);
}

static void mill_close(struct mill *mill) {
    mill_halt(mill);
    house_close(mill->house);
}

static void mill_again(struct mill *mill) {
    house_streams(mill->house);
    mill_api(mill);
    mill_flow(mill);
}

static bool has_ended(void *self) {
    const struct mill *mill = self;
    return flow_stats(mill->flow).state == FLOW_ENDED;
}

static void mill_finish(struct mill *mill) {
    assert_true(sim_run_until(mill->house->sim, has_ended, mill, HOUSE_LIMIT));
}

/* --- what is stored -----------------------------------------------------------------------------
 */

struct ledger {
    unsigned counts[20000];
    uint64_t last, strangers;
    bool unordered;
};

static int note(void *self, const struct log_record *record) {
    struct ledger *ledger = self;
    slice id;
    uint64_t position;
    if (!record->headers.len || !nats_headers_get(record->headers, slice_lit("Nats-Msg-Id"), &id)) {
        ledger->strangers++;
        return 0;
    }
    assert_true(slice_starts_with(id, slice_lit("gen-")));
    assert_int_equal(number_parse_u64(slice_skip(id, 4), &position), 0);
    assert_true(position < array_count(ledger->counts));
    ledger->unordered |= position < ledger->last;
    ledger->last = position;
    ledger->counts[position]++;
    return 0;
}

static struct ledger *read_stream(struct mill *mill, const char *name) {
    struct stream *stream = kit_find(mill->house, name);
    struct ledger *ledger = mem_zalloc(1, sizeof *ledger);
    assert_non_null(stream);
    assert_non_null(ledger);
    assert_int_equal(log_scan(mill->house->log, stream_log(stream), 0, note, ledger), 0);
    return ledger;
}

/* The stream holds the records below LIMIT that WANTED is true of, each once and in order. */
static void assert_stored(struct mill *mill, const char *name, uint64_t limit,
                          bool (*wanted)(uint64_t position), uint64_t strangers) {
    struct ledger *ledger = read_stream(mill, name);
    for (uint64_t position = 0; position < array_count(ledger->counts); position++)
        if (ledger->counts[position] != (position < limit && wanted(position)))
            fail_msg("record %llu is stored %u times in %s", (unsigned long long)position,
                     ledger->counts[position], name);
    assert_false(ledger->unordered);
    assert_int_equal(ledger->strangers, strangers);
    mem_free(ledger);
}

static bool all(uint64_t position) {
    (void)position;
    return true;
}

static bool persons(uint64_t position) {
    return position % 50 == 0;
}

static bool auctions(uint64_t position) {
    return position % 50 > 0 && position % 50 < 4;
}

static bool bids(uint64_t position) {
    return position % 50 >= 4;
}

/* --- the tests ----------------------------------------------------------------------------------
 */

static void test_every_record_is_stored_once_in_the_stream_of_its_kind(void **state) {
    (void)state;
    for (unsigned shards = 1; shards <= 2; shards++) {
        struct mill mill;
        mill_open(&mill, shards, "{kind}.new", 3000);
        kit_stream(mill.house, "{'name':'PERSONS','subjects':['person.>']}");
        kit_stream(mill.house, "{'name':'AUCTIONS','subjects':['auction.>']}");
        kit_stream(mill.house, "{'name':'BIDS','subjects':['bid.>']}");
        mill_flow(&mill);
        mill_finish(&mill);
        assert_stored(&mill, "PERSONS", 3000, persons, 0);
        assert_stored(&mill, "AUCTIONS", 3000, auctions, 0);
        assert_stored(&mill, "BIDS", 3000, bids, 0);
        assert_int_equal(flow_stats(mill.flow).failures, 0);
        mill_close(&mill);
    }
}

static void test_after_a_kill_it_goes_on_where_the_streams_end(void **state) {
    (void)state;
    for (uint64_t late = 0; late < 2; late++) {
        struct mill mill;
        mill_open(&mill, 2, "{kind}.new", 8000);
        kit_stream(mill.house, "{'name':'PERSONS','subjects':['person.>','auction.>']}");
        kit_stream(mill.house, "{'name':'BIDS','subjects':['bid.>']}");
        mill_flow(&mill);
        for (unsigned i = 0; i < 5; i++) {
            house_run(mill.house, 97 * SIM_MILLISECOND);
            mill_halt(&mill);
            house_kill(mill.house);
            house_run(mill.house, late * WINDOW);
            mill_again(&mill);
        }
        mill_finish(&mill);
        assert_stored(&mill, "BIDS", 8000, bids, 0);
        struct ledger *ledger = read_stream(&mill, "PERSONS");
        for (uint64_t position = 0; position < 8000; position++)
            assert_int_equal(ledger->counts[position], !bids(position));
        mem_free(ledger);
        mill_close(&mill);
    }
}

static void test_strangers_at_the_end_of_the_stream_do_not_hide_where_it_was(void **state) {
    (void)state;
    struct mill mill;
    mill_open(&mill, 2, "event.{kind}", 4000);
    kit_stream(mill.house, "{'name':'E','subjects':['event.>']}");
    mill_flow(&mill);
    house_run(mill.house, 200 * SIM_MILLISECOND);
    mill.flow = flow_free(mill.flow);
    for (unsigned i = 0; i < PUBLISH_LOOK_BACK_MAX / 4; i++) {
        say(mill.house->bus[0], "event.person", "a stranger's");
        say(mill.house->bus[0], "event.auction", "a stranger's");
        say(mill.house->bus[0], "event.bid", "a stranger's");
    }
    house_run(mill.house, WINDOW);
    mill_flow(&mill);
    mill_finish(&mill);
    assert_stored(&mill, "E", 4000, all, PUBLISH_LOOK_BACK_MAX / 4 * 3);
    mill_close(&mill);
}

static void test_kinds_without_a_stream_wait_for_those_that_have_one(void **state) {
    (void)state;
    struct mill mill;
    struct catcher heard;
    mill_open(&mill, 2, "{kind}.new", 4000);
    kit_stream(mill.house, "{'name':'AUCTIONS','subjects':['auction.>']}");
    catcher_open(&heard, mill.house->bus[0], "bid.new", NULL);
    mill_flow(&mill);
    for (unsigned i = 0; i < 3; i++) {
        house_run(mill.house, 83 * SIM_MILLISECOND);
        mill_halt(&mill);
        catcher_close(&heard);
        house_kill(mill.house);
        house_run(mill.house, WINDOW);
        catcher_open(&heard, mill.house->bus[0], "bid.new", NULL);
        mill_again(&mill);
    }
    mill_finish(&mill);
    assert_stored(&mill, "AUCTIONS", 4000, auctions, 0);
    assert_true(heard.count > 1000);
    catcher_close(&heard);
    mill_close(&mill);
}

static void test_a_record_without_a_stream_is_not_safe_before_those_below_it(void **state) {
    (void)state;
    struct mill mill;
    mill_open(&mill, 2, "{kind}.new", 4000);
    kit_stream(mill.house, "{'name':'AUCTIONS','subjects':['auction.>']}");
    sim_disk_slow(mill.house->host, 10000);
    mill_flow(&mill);
    house_run(mill.house, 100 * SIM_MILLISECOND);
    struct flow_stats stats = flow_stats(mill.flow);
    assert_true(stats.next > 100);
    assert_true(stats.written <= 1); /* record 1 is the first auction */
    sim_disk_slow(mill.house->host, 1);
    mill_finish(&mill);
    assert_stored(&mill, "AUCTIONS", 4000, auctions, 0);
    mill_close(&mill);
}

static void test_without_any_stream_publishing_is_all_there_is(void **state) {
    (void)state;
    struct mill mill;
    struct catcher heard;
    mill_open(&mill, 1, "plain.{kind}", 500);
    catcher_open(&heard, mill.house->bus[0], "plain.>", NULL);
    mill_flow(&mill);
    mill_finish(&mill);
    assert_int_equal(heard.count, 500);
    assert_int_equal(catcher_at(&heard, 0)->reply.len, 0);
    mill.flow = flow_free(mill.flow);
    mill_flow(&mill);
    mill_finish(&mill);
    assert_int_equal(heard.count, 1000);
    catcher_close(&heard);
    mill_close(&mill);
}

static void test_a_stream_that_refuses_makes_it_wait_and_nothing_is_lost(void **state) {
    (void)state;
    struct mill mill;
    mill_open(&mill, 2, "event.{kind}", 3000);
    kit_stream(mill.house, "{'name':'E','subjects':['event.>'],'discard':'new','max_msgs':1000}");
    mill_flow(&mill);
    house_run(mill.house, 20 * SIM_SECOND);
    assert_stored(&mill, "E", 1000, all, 0);
    struct flow_stats stats = flow_stats(mill.flow);
    assert_true(stats.written <= 1000);
    assert_true(stats.failures >= 3 && stats.failures < 20);
    assert_non_null(kit_update(mill.house, "{'name':'E','subjects':['event.>'],'discard':'new'}"));
    mill_finish(&mill);
    assert_stored(&mill, "E", 3000, all, 0);
    mill_close(&mill);
}

static void test_a_stream_called_error_is_none(void **state) {
    (void)state;
    struct mill mill;
    mill_open(&mill, 1, "event.{kind}", 1000);
    kit_stream(mill.house, "{'name':'error','subjects':['event.>']}");
    mill_flow(&mill);
    mill_finish(&mill);
    assert_stored(&mill, "error", 1000, all, 0);
    assert_int_equal(flow_stats(mill.flow).failures, 0);
    mill_close(&mill);
}

static void test_it_waits_for_the_streams_without_haste(void **state) {
    (void)state;
    struct mill mill;
    mill_open(&mill, 1, "event.{kind}", 1000);
    kit_stream(mill.house, "{'name':'E','subjects':['event.>']}");
    mill.jetstream = jetstream_close(mill.jetstream);
    uint64_t before = bus_stats(mill.house->bus[0]).published;
    mill_flow(&mill);
    house_run(mill.house, 20 * SIM_SECOND);
    assert_int_equal(flow_stats(mill.flow).state, FLOW_RESUMING);
    assert_true(bus_stats(mill.house->bus[0]).published - before < 50);
    mill_api(&mill);
    mill_finish(&mill);
    assert_stored(&mill, "E", 1000, all, 0);
    mill_close(&mill);
}

static void test_it_may_be_stopped_at_any_moment(void **state) {
    (void)state;
    for (uint64_t ns = 0; ns < 30; ns++) {
        struct mill mill;
        mill_open(&mill, 1 + (unsigned)ns % 2, "event.{kind}", 500);
        kit_stream(mill.house, "{'name':'E','subjects':['event.>']}");
        mill_flow(&mill);
        house_run(mill.house, ns * 2500000);
        mill.flow = flow_free(mill.flow);
        house_run(mill.house, SIM_SECOND);
        mill_flow(&mill);
        mill_finish(&mill);
        assert_stored(&mill, "E", 500, all, 0);
        mill_close(&mill);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_record_is_stored_once_in_the_stream_of_its_kind),
        cmocka_unit_test(test_after_a_kill_it_goes_on_where_the_streams_end),
        cmocka_unit_test(test_strangers_at_the_end_of_the_stream_do_not_hide_where_it_was),
        cmocka_unit_test(test_kinds_without_a_stream_wait_for_those_that_have_one),
        cmocka_unit_test(test_a_record_without_a_stream_is_not_safe_before_those_below_it),
        cmocka_unit_test(test_without_any_stream_publishing_is_all_there_is),
        cmocka_unit_test(test_a_stream_that_refuses_makes_it_wait_and_nothing_is_lost),
        cmocka_unit_test(test_a_stream_called_error_is_none),
        cmocka_unit_test(test_it_waits_for_the_streams_without_haste),
        cmocka_unit_test(test_it_may_be_stopped_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
