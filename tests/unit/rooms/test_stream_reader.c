#include "bus_kit.h"

#include "base/number.h"
#include "rooms/gateway/stream_reader.h"
#include "rooms/pubsub/pubsub.h"

/* A stream read in order over the bus, from the first shard while streams live on the last one. */

struct library {
    struct house *house;
    struct room_shard shard;
    struct jetstream *jetstream;
    struct stream_inbox inbox;
    struct stream_reader reader;
    uint64_t first, last, bytes; /* as on_open said; sequence of the last message */
    unsigned count, opened, batches, ends, lost;
    bool follows, unordered, wrong;
    unsigned pull_count; /* 0: pulls are the test's */
    uint64_t pull_bytes;
};

static struct library *library_of(struct stream_reader *reader) {
    return container_of(reader, struct library, reader);
}

static void on_open(struct stream_reader *reader, uint64_t first) {
    struct library *l = library_of(reader);
    l->first = first;
    l->opened++;
    if (l->follows)
        stream_reader_follow(reader);
    else if (l->pull_count)
        stream_reader_pull(reader, l->pull_count, l->pull_bytes);
}

static void on_message(struct stream_reader *reader, uint64_t sequence,
                       const struct bus_message *message) {
    struct library *l = library_of(reader);
    l->unordered |= sequence <= l->last;
    l->last = sequence;
    l->count++;
    l->bytes += message->payload.len;
    uint64_t number;
    if (slice_starts_with(message->subject, slice_lit("n.")) &&
        (number_parse_u64(message->payload, &number) || number != sequence))
        l->wrong = true;
}

static void on_batch(struct stream_reader *reader, bool end) {
    struct library *l = library_of(reader);
    l->batches++;
    l->ends += end;
    if (!end && l->pull_count)
        stream_reader_pull(reader, l->pull_count, l->pull_bytes);
}

static void on_lost(struct stream_reader *reader) {
    library_of(reader)->lost++;
}

static const struct stream_reader_events events = {on_open, on_message, on_batch, on_lost};

static void library_rise(struct library *l) {
    house_streams(l->house);
    l->shard = (struct room_shard){.loop = bus_loop(house_last(l->house)),
                                   .bus = house_last(l->house),
                                   .streams = l->house->streams};
    assert_int_equal(jetstream_open(&l->shard, &l->jetstream), 0);
    assert_int_equal(stream_inbox_open(&l->inbox, l->house->bus[0]), 0);
}

static void library_open(struct library *l, unsigned shards) {
    *l = (struct library){.house = house_open(1, shards)};
    library_rise(l);
    kit_stream(l->house, "{'name':'S','subjects':['n.>','m.>']}");
}

static void library_close(struct library *l) {
    stream_reader_close(&l->reader);
    stream_inbox_close(&l->inbox);
    l->jetstream = jetstream_close(l->jetstream);
    house_close(l->house);
}

static void read_from(struct library *l, const char *filter, uint64_t from) {
    assert_int_equal(
        stream_reader_open(&l->reader, &l->inbox, &events, slice_lit("S"), slice_str(filter), from),
        0);
}

static void until(struct library *l, const unsigned *counter, unsigned value) {
    for (unsigned i = 0; *counter < value; i++) {
        assert_true(i < 10000);
        house_run(l->house, 20 * SIM_MILLISECOND);
    }
    assert_int_equal(*counter, value);
}

/* Payloads are the sequences that the messages get. */
static void fill(struct library *l, const char *subject, unsigned from, unsigned count) {
    char text[16];
    for (unsigned i = 0; i < count; i++) {
        snprintf(text, sizeof text, "%u", from + i);
        say(house_last(l->house), subject, text);
        if (i % 500 == 499)
            house_run(l->house, 50 * SIM_MILLISECOND);
    }
    house_run(l->house, 200 * SIM_MILLISECOND);
}

static void assert_read(const struct library *l, unsigned count, uint64_t last) {
    assert_int_equal(l->count, count);
    assert_int_equal(l->last, last);
    assert_false(l->unordered);
    assert_false(l->wrong);
}

/* --- following ---------------------------------------------------------------------------------
 */

static void test_a_follower_gets_what_comes_after_it(void **state) {
    (void)state;
    for (unsigned shards = 1; shards <= 4; shards *= 2) {
        struct library l;
        library_open(&l, shards);
        fill(&l, "n.a", 1, 10);
        l.follows = true;
        read_from(&l, "", 0);
        until(&l, &l.opened, 1);
        assert_int_equal(l.first, 11);
        fill(&l, "n.a", 11, 3000);
        until(&l, &l.count, 3000);
        assert_read(&l, 3000, 3010);
        house_run(l.house, 120 * SIM_SECOND); /* requests expire, heartbeats come */
        fill(&l, "n.b", 3011, 5);
        until(&l, &l.count, 3005);
        assert_read(&l, 3005, 3015);
        assert_int_equal(l.opened, 1);
        library_close(&l);
    }
}

static void test_a_follower_of_a_quiet_stream_stays(void **state) {
    (void)state;
    struct library l;
    library_open(&l, 2);
    l.follows = true;
    read_from(&l, "", 0);
    house_run(l.house, 600 * SIM_SECOND);
    assert_int_equal(l.opened, 1);
    fill(&l, "n.a", 1, 5);
    until(&l, &l.count, 5);
    library_close(&l);
}

static void test_a_filter_leaves_out_the_others(void **state) {
    (void)state;
    struct library l;
    library_open(&l, 2);
    l.follows = true;
    read_from(&l, "n.a", 0);
    until(&l, &l.opened, 1);
    fill(&l, "m.x", 1, 3);
    fill(&l, "n.a", 4, 3);
    fill(&l, "n.b", 7, 3);
    fill(&l, "n.a", 10, 3);
    until(&l, &l.count, 6);
    assert_read(&l, 6, 12);
    library_close(&l);
}

static void test_a_follower_whose_consumer_is_removed_begins_anew_where_it_was(void **state) {
    (void)state;
    for (unsigned shards = 1; shards <= 2; shards++) {
        struct library l;
        library_open(&l, shards);
        l.follows = true;
        read_from(&l, "", 0);
        until(&l, &l.opened, 1);
        fill(&l, "n.a", 1, 700);
        until(&l, &l.count, 700);
        for (unsigned i = 2; i < 6; i++) {
            struct consumer *consumer = kit_find_consumer(l.house, "S", l.reader.consumer);
            assert_non_null(consumer);
            assert_true(kit_delete_consumer(l.house, consumer));
            fill(&l, "n.a", i * 350 + 1, 350);
            until(&l, &l.count, (i + 1) * 350);
            assert_int_equal(l.opened, i);
        }
        assert_read(&l, 2100, 2100);
        assert_int_equal(l.lost, 0);
        library_close(&l);
    }
}

static void test_a_follower_tells_when_something_was_trimmed_meanwhile(void **state) {
    (void)state;
    struct library l;
    library_open(&l, 2);
    l.follows = true;
    read_from(&l, "", 0);
    until(&l, &l.opened, 1);
    struct consumer *consumer = kit_find_consumer(l.house, "S", l.reader.consumer);
    kit_delete_consumer(l.house, consumer);
    kit_update(l.house, "{'name':'S','subjects':['n.>','m.>'],'max_msgs':10}");
    fill(&l, "n.a", 1, 100);
    until(&l, &l.opened, 2);
    assert_true(l.first > 1);
    uint64_t first = l.first;
    house_run(l.house, 5 * SIM_SECOND);
    assert_read(&l, (unsigned)(101 - first), 100);
    library_close(&l);
}

static void test_a_stream_that_goes_is_lost(void **state) {
    (void)state;
    struct library l;
    library_open(&l, 2);
    l.follows = true;
    read_from(&l, "", 0);
    until(&l, &l.opened, 1);
    assert_true(kit_delete_stream(l.house, "S"));
    until(&l, &l.lost, 1);
    assert_null(l.reader.inbox);
    library_close(&l);
}

static void test_without_an_engine_it_is_lost_after_a_while(void **state) {
    (void)state;
    struct library l;
    library_open(&l, 2);
    l.jetstream = jetstream_close(l.jetstream);
    l.follows = true;
    read_from(&l, "", 0);
    house_run(l.house, 2 * SIM_SECOND);
    assert_int_equal(l.lost, 0);
    house_run(l.house, 60 * SIM_SECOND);
    assert_int_equal(l.lost, 1);
    library_close(&l);
}

/* --- pulling -----------------------------------------------------------------------------------
 */

static void test_batches_come_one_by_one_up_to_the_end(void **state) {
    (void)state;
    for (unsigned shards = 1; shards <= 2; shards++) {
        struct library l;
        library_open(&l, shards);
        fill(&l, "n.a", 1, 1000);
        l.pull_count = 64;
        l.pull_bytes = 1u << 20;
        read_from(&l, "", 101);
        until(&l, &l.ends, 1);
        assert_int_equal(l.first, 101);
        assert_read(&l, 900, 1000);
        assert_int_equal(l.batches, 15); /* 14 of 64, and 4 */
        library_close(&l);
    }
}

static void test_a_batch_is_bounded_in_bytes_but_the_largest_message_comes(void **state) {
    (void)state;
    struct library l;
    library_open(&l, 2);
    static char large[60001];
    memset(large, 'x', sizeof large - 1);
    for (unsigned i = 0; i < 5; i++) {
        say(house_last(l.house), "m.small", "x");
        say(house_last(l.house), "m.large", large);
    }
    house_run(l.house, SIM_SECOND);
    l.pull_count = 100;
    l.pull_bytes = 1000;
    read_from(&l, "", 1);
    until(&l, &l.ends, 1);
    assert_int_equal(l.count, 10);
    assert_int_equal(l.bytes, 5 * sizeof large);
    assert_false(l.unordered);
    assert_true(l.batches >= 10);
    library_close(&l);
}

static void test_a_batch_whose_bytes_are_just_used_up_is_over(void **state) {
    (void)state;
    struct library l;
    library_open(&l, 2);
    fill(&l, "n.a", 1, 9); /* all of the same size */
    l.pull_count = 100;
    l.pull_bytes = 1u << 20;
    read_from(&l, "", 1);
    until(&l, &l.ends, 1);
    uint64_t each = ((1u << 20) - l.reader.bytes_left) / 9;
    stream_reader_close(&l.reader);
    l = (struct library){.house = l.house,
                         .shard = l.shard,
                         .jetstream = l.jetstream,
                         .inbox = l.inbox,
                         .pull_count = 100,
                         .pull_bytes = each * 3};
    stream_inbox_close(&l.inbox);
    assert_int_equal(stream_inbox_open(&l.inbox, l.house->bus[0]), 0);
    read_from(&l, "", 1);
    until(&l, &l.ends, 1);
    assert_read(&l, 9, 9);
    assert_int_equal(l.opened, 1);
    assert_int_equal(l.batches, 4);
    library_close(&l);
}

static void test_where_it_begins_outside_the_stream_is_told(void **state) {
    (void)state;
    struct library l;
    library_open(&l, 2);
    kit_update(l.house, "{'name':'S','subjects':['n.>','m.>'],'max_msgs':10}");
    fill(&l, "n.a", 1, 100);
    read_from(&l, "", 5);
    until(&l, &l.opened, 1);
    assert_int_equal(l.first, 91);
    stream_reader_close(&l.reader);
    read_from(&l, "", 5000);
    until(&l, &l.opened, 2);
    assert_int_equal(l.first, 101);
    stream_reader_close(&l.reader);
    read_from(&l, "", 101);
    until(&l, &l.opened, 3);
    assert_int_equal(l.first, 101);
    library_close(&l);
}

static void test_it_may_be_closed_at_any_moment(void **state) {
    (void)state;
    for (unsigned ms = 0; ms < 40; ms++) {
        struct library l;
        library_open(&l, 1 + ms % 2);
        fill(&l, "n.a", 1, 300);
        l.follows = ms % 4 < 2;
        l.pull_count = 16;
        l.pull_bytes = 500;
        read_from(&l, "", 1);
        house_run(l.house, ms * SIM_MILLISECOND / 8);
        stream_reader_close(&l.reader);
        unsigned count = l.count;
        house_run(l.house, SIM_SECOND);
        assert_int_equal(l.count, count);
        house_run(l.house, 120 * SIM_SECOND);
        assert_int_equal(stream_consumer_count(kit_find(l.house, "S")), 0);
        library_close(&l);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_follower_gets_what_comes_after_it),
        cmocka_unit_test(test_a_follower_of_a_quiet_stream_stays),
        cmocka_unit_test(test_a_filter_leaves_out_the_others),
        cmocka_unit_test(test_a_follower_whose_consumer_is_removed_begins_anew_where_it_was),
        cmocka_unit_test(test_a_follower_tells_when_something_was_trimmed_meanwhile),
        cmocka_unit_test(test_a_stream_that_goes_is_lost),
        cmocka_unit_test(test_without_an_engine_it_is_lost_after_a_while),
        cmocka_unit_test(test_batches_come_one_by_one_up_to_the_end),
        cmocka_unit_test(test_a_batch_is_bounded_in_bytes_but_the_largest_message_comes),
        cmocka_unit_test(test_a_batch_whose_bytes_are_just_used_up_is_over),
        cmocka_unit_test(test_where_it_begins_outside_the_stream_is_told),
        cmocka_unit_test(test_it_may_be_closed_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
