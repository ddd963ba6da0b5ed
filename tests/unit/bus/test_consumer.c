#include "bus_kit.h"

#include "base/buf.h"
#include "bus/stream_config.h"

/* Consumers made, changed, removed; where they begin; what they deliver; what INFO says. */

static const char *const S = "{'name':'S','subjects':['s.>']}";

static struct house *open_house(unsigned shards) {
    struct house *house = house_open(7, shards);
    house_streams(house);
    assert_non_null(kit_stream(house, S));
    return house;
}

/* --- delivery -----------------------------------------------------------------------------------
 */

static void deliver_on(unsigned shards) {
    struct house *house = open_house(shards);
    kit_fill(house, "s.a", 3);
    struct consumer *c = kit_consumer(house, "S", "{'durable_name':'C','ack_policy':'explicit'}");
    assert_non_null(c);
    struct catcher inbox; /* on the first shard: another one, where there are several */
    catcher_open(&inbox, house->bus[0], "_INBOX.me", NULL);
    house_run(house, SIM_MILLISECOND * 100);
    kit_pull(c, "_INBOX.me", 5, 10 * SIM_SECOND);
    catcher_wait(house, &inbox, 3);
    for (unsigned i = 0; i < 3; i++) {
        const struct bus_message *m = catcher_at(&inbox, i);
        assert_slice(m->subject, "s.a");
        assert_slice(m->route, "_INBOX.me");
        assert_int_equal(m->payload.ptr[0], '1' + (int)i);
        assert_true(slice_starts_with(m->reply, slice_lit("$JS.ACK.S.C.1.")));
        struct kit_address address = kit_address(m);
        assert_int_equal(address.deliveries, 1);
        assert_int_equal(address.stream, i + 1);
        assert_int_equal(address.consumer, i + 1);
        assert_int_equal(address.pending, 2 - i);
    }
    assert_int_equal(say(house->bus[0], "s.b", "more"), 1);
    catcher_wait(house, &inbox, 4);
    assert_slice(catcher_at(&inbox, 3)->subject, "s.b");
    struct consumer_info info = consumer_info(c);
    assert_int_equal(info.delivered.consumer, 4);
    assert_int_equal(info.delivered.stream, 4);
    assert_int_equal(info.ack_floor.consumer, 0);
    assert_int_equal(info.ack_floor.stream, 0);
    assert_int_equal(info.ack_pending, 4);
    assert_int_equal(info.waiting, 1);
    assert_int_equal(info.pending, 0);
    kit_ack(&inbox, 0, "+ACK", NULL);
    kit_ack(&inbox, 2, "", NULL);
    house_run(house, SIM_MILLISECOND * 100);
    info = consumer_info(c);
    assert_int_equal(info.ack_floor.consumer, 1);
    assert_int_equal(info.ack_floor.stream, 1);
    assert_int_equal(info.ack_pending, 2);
    catcher_close(&inbox);
    house_close(house);
}

static void test_messages_come_with_their_own_subject_to_whoever_pulls(void **state) {
    (void)state;
    deliver_on(1);
    deliver_on(2);
    deliver_on(4);
}

static void test_a_filter_passes_over_what_does_not_match(void **state) {
    (void)state;
    struct house *house = open_house(1);
    for (unsigned i = 0; i < 5; i++) {
        kit_fill(house, "s.a", 3);
        kit_fill(house, "s.b.x", 1);
    }
    static const char *const filters[] = {"s.b.x", "s.b.*", "s.*.x", "s.b.>"};
    for (unsigned i = 0; i < array_count(filters); i++) {
        char json[128];
        snprintf(json, sizeof json, "{'ack_policy':'explicit','filter_subject':'%s'}", filters[i]);
        struct consumer *c = kit_consumer(house, "S", json);
        assert_non_null(c);
        assert_int_equal(consumer_info(c).pending, 5);
        struct catcher inbox;
        catcher_open(&inbox, house->bus[0], "_INBOX.me", NULL);
        kit_pull(c, "_INBOX.me", 6, 10 * SIM_SECOND);
        catcher_wait(house, &inbox, 5);
        for (unsigned n = 0; n < 5; n++) {
            struct kit_address address = kit_address(catcher_at(&inbox, n));
            assert_int_equal(address.stream, 4 * (n + 1));
            assert_int_equal(address.consumer, n + 1);
            assert_int_equal(address.pending, 4 - n);
        }
        catcher_close(&inbox);
        assert_true(kit_delete_consumer(house, c));
    }
    house_close(house);
}

static void test_headers_only_sends_the_size_in_the_place_of_the_payload(void **state) {
    (void)state;
    struct house *house = open_house(1);
    kit_fill(house, "s.a", 1);
    struct bus_message with = {.subject = slice_lit("s.a"),
                               .headers = slice_lit("NATS/1.0\r\nA: b\r\n\r\n"),
                               .payload = slice_lit("hello")};
    bus_publish(house->bus[0], &with, NULL, NULL);
    struct consumer *c = kit_consumer(house, "S", "{'headers_only':true}");
    struct catcher inbox;
    catcher_open(&inbox, house->bus[0], "_INBOX.me", NULL);
    kit_pull(c, "_INBOX.me", 2, 10 * SIM_SECOND);
    catcher_wait(house, &inbox, 2);
    assert_slice(catcher_at(&inbox, 0)->headers, "NATS/1.0\r\nNats-Msg-Size: 1\r\n\r\n");
    assert_slice(catcher_at(&inbox, 1)->headers, "NATS/1.0\r\nA: b\r\nNats-Msg-Size: 5\r\n\r\n");
    assert_int_equal(catcher_at(&inbox, 1)->payload.len, 0);
    catcher_close(&inbox);
    house_close(house);
}

static void test_many_messages_are_delivered_over_many_turns(void **state) {
    (void)state;
    struct house *house = open_house(2);
    kit_fill(house, "s.a", 5000);
    struct consumer *c = kit_consumer(
        house, "S", "{'durable_name':'C','ack_policy':'explicit','max_ack_pending':-1}");
    struct catcher inbox;
    catcher_open(&inbox, house->bus[0], "_INBOX.me", NULL);
    house_run(house, SIM_MILLISECOND * 10);
    kit_pull(c, "_INBOX.me", 5000, 10 * SIM_SECOND);
    catcher_wait(house, &inbox, 5000);
    for (unsigned i = 0; i < 5000; i++) {
        struct kit_address address = kit_address(catcher_at(&inbox, i));
        assert_int_equal(address.stream, i + 1);
        assert_int_equal(address.pending, 4999 - i);
    }
    assert_int_equal(consumer_info(c).ack_pending, 5000);
    for (unsigned i = 0; i < 5000; i++)
        kit_ack(&inbox, (i * 7919) % 5000, "", NULL);
    house_run(house, SIM_SECOND);
    struct consumer_info info = consumer_info(c);
    assert_int_equal(info.ack_pending, 0);
    assert_int_equal(info.ack_floor.stream, 5000);
    catcher_close(&inbox);
    house_close(house);
}

static void test_messages_not_in_memory_are_loaded(void **state) {
    (void)state;
    struct house *house = house_open(11, 1);
    house_streams(house);
    assert_non_null(kit_stream(house, S));
    static char large[8193];
    memset(large, 'x', sizeof large - 1);
    struct catcher acks;
    catcher_open(&acks, house->bus[0], "acks", NULL);
    for (unsigned i = 0; i < 100; i++) {
        ask(house->bus[0], "s.a", "acks", large);
        catcher_wait(house, &acks, i + 1);
    }
    catcher_close(&acks);
    assert_int_equal(log_stream_state(stream_log(kit_find(house, "S"))).messages, 100);
    house_stop(house); /* the cache is empty now */
    house_streams(house);
    catcher_open(&acks, house->bus[0], "_INBOX.me", NULL);
    struct consumer *c = kit_consumer(house, "S", "{'ack_policy':'none'}");
    kit_pull(c, "_INBOX.me", 100, 10 * SIM_SECOND);
    catcher_wait(house, &acks, 100);
    assert_int_equal(kit_address(catcher_at(&acks, 99)).stream, 100);
    assert_int_equal(catcher_at(&acks, 99)->payload.len, 8192);
    catcher_close(&acks);
    house_close(house);
}

/* --- where it begins ----------------------------------------------------------------------------
 */

static uint64_t first_of(struct house *house, const char *json, unsigned count) {
    struct consumer *c = kit_consumer(house, "S", json);
    if (!c)
        fail_msg("%s", kit_error.description);
    struct catcher inbox;
    catcher_open(&inbox, house->bus[0], "_INBOX.first", NULL);
    kit_pull(c, "_INBOX.first", count + 1, SIM_SECOND);
    catcher_wait(house, &inbox, count + 1); /* with the 408 behind */
    char status[64];
    assert_string_equal(catcher_status(&inbox, count, status, sizeof status),
                        "408 Request Timeout");
    uint64_t first = count ? kit_address(catcher_at(&inbox, 0)).stream : 0;
    catcher_close(&inbox);
    assert_true(kit_delete_consumer(house, c));
    return first;
}

static void test_each_deliver_policy_begins_where_it_says(void **state) {
    (void)state;
    struct house *house = open_house(1);
    kit_fill(house, "s.a", 4);
    house_run(house, 10 * SIM_SECOND);
    kit_fill(house, "s.b", 3);
    kit_fill(house, "s.a", 1);
    assert_int_equal(first_of(house, "{}", 8), 1);
    assert_int_equal(first_of(house, "{'deliver_policy':'all'}", 8), 1);
    assert_int_equal(first_of(house, "{'deliver_policy':'last'}", 1), 8);
    assert_int_equal(first_of(house, "{'deliver_policy':'last','filter_subject':'s.b'}", 1), 7);
    assert_int_equal(first_of(house, "{'deliver_policy':'last','filter_subject':'s.*'}", 1), 8);
    assert_int_equal(first_of(house, "{'deliver_policy':'last','filter_subject':'s.c'}", 0), 0);
    assert_int_equal(first_of(house, "{'deliver_policy':'new'}", 0), 0);
    assert_int_equal(first_of(house, "{'deliver_policy':'by_start_sequence','opt_start_seq':6}", 3),
                     6);
    assert_int_equal(
        first_of(house, "{'deliver_policy':'by_start_sequence','opt_start_seq':60}", 0), 0);
    assert_int_equal(
        first_of(house, "{'deliver_policy':'last_per_subject','filter_subject':'s.>'}", 2), 7);
    assert_int_equal(
        first_of(house, "{'deliver_policy':'last_per_subject','filter_subject':'s.b'}", 1), 7);
    house_close(house);
}

static void test_by_start_time_begins_at_the_first_message_since(void **state) {
    (void)state;
    struct house *house = open_house(1);
    kit_fill(house, "s.a", 3);
    house_run(house, 10 * SIM_SECOND);
    int64_t between = io_loop_wall_ns(bus_loop(house->bus[0]));
    house_run(house, 10 * SIM_SECOND);
    kit_fill(house, "s.a", 2);
    house_stop(house);
    house_streams(house);
    struct consumer_config config = {.deliver = DELIVER_FROM_TIME, .start_time_ns = between};
    struct json_writer w;
    struct buf text = buf_make(4096);
    w = json_writer_make(&text, false);
    consumer_config_write(&w, &config);
    assert_int_equal(json_write_finish(&w), 0);
    assert_int_equal(first_of(house, buf_text(&text), 2), 4);
    buf_free(&text);
    house_close(house);
}

static void test_last_per_subject_goes_on_with_what_is_new(void **state) {
    (void)state;
    struct house *house = open_house(1);
    for (unsigned i = 0; i < 3; i++) {
        kit_fill(house, "s.a", 1);
        kit_fill(house, "s.b", 1);
        kit_fill(house, "s.c", 1);
    }
    struct consumer *c = kit_consumer(house, "S",
                                      "{'deliver_policy':'last_per_subject',"
                                      "'filter_subject':'s.*'}");
    assert_int_equal(consumer_info(c).pending, 3);
    kit_fill(house, "s.b", 1);
    assert_int_equal(consumer_info(c).pending, 4);
    struct catcher inbox;
    catcher_open(&inbox, house->bus[0], "_INBOX.me", NULL);
    kit_pull(c, "_INBOX.me", 10, 100 * SIM_SECOND);
    catcher_wait(house, &inbox, 4);
    static const unsigned expected[] = {7, 8, 9, 10};
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(kit_address(catcher_at(&inbox, i)).stream, expected[i]);
        assert_int_equal(kit_address(catcher_at(&inbox, i)).pending, 3 - i);
    }
    kit_fill(house, "s.a", 2);
    catcher_wait(house, &inbox, 6);
    assert_int_equal(kit_address(catcher_at(&inbox, 5)).stream, 12);
    catcher_close(&inbox);
    house_close(house);
}

/* --- made, changed, removed ----------------------------------------------------------------------
 */

static void test_the_same_configuration_gives_the_same_consumer(void **state) {
    (void)state;
    struct house *house = open_house(1);
    static const char *const json = "{'durable_name':'C','ack_policy':'explicit'}";
    struct consumer *c = kit_consumer(house, "S", json);
    assert_ptr_equal(kit_consumer(house, "S", json), c);
    assert_int_equal(stream_consumer_count(kit_find(house, "S")), 1);
    assert_ptr_equal(kit_find_consumer(house, "S", "C"), c);
    house_close(house);
}

static void test_what_may_change_is_changed_and_the_rest_refused(void **state) {
    (void)state;
    struct house *house = open_house(1);
    struct consumer *c = kit_consumer(house, "S", "{'durable_name':'C','ack_policy':'explicit'}");
    assert_non_null(c);
    assert_ptr_equal(kit_consumer(house, "S",
                                  "{'durable_name':'C','ack_policy':'explicit',"
                                  "'description':'d','max_ack_pending':7,"
                                  "'ack_wait':5000000000,'filter_subject':'s.x'}"),
                     c);
    assert_int_equal(consumer_config(c)->ack_pending_max, 7);
    assert_slice(consumer_config(c)->filter, "s.x");
    static const char *const refused[] = {
        "{'durable_name':'C','ack_policy':'all'}",
        "{'durable_name':'C','ack_policy':'explicit','deliver_policy':'new'}",
        "{'durable_name':'C','ack_policy':'explicit','max_waiting':3}",
        "{'durable_name':'C','ack_policy':'explicit','mem_storage':true}",
        "{'name':'C','ack_policy':'explicit'}",
    };
    for (unsigned i = 0; i < array_count(refused); i++) {
        assert_null(kit_consumer(house, "S", refused[i]));
        assert_int_equal(kit_error.err_code, 10012);
    }
    house_stop(house);
    house_streams(house);
    c = kit_find_consumer(house, "S", "C");
    assert_non_null(c);
    assert_slice(consumer_config(c)->filter, "s.x");
    assert_slice(consumer_config(c)->description, "d");
    house_close(house);
}

static void test_a_stream_has_only_so_many_consumers(void **state) {
    (void)state;
    struct house *house = open_house(1);
    assert_non_null(kit_stream(house, "{'name':'T','subjects':['t'],'max_consumers':2}"));
    assert_non_null(kit_consumer(house, "T", "{'durable_name':'A'}"));
    assert_non_null(kit_consumer(house, "T", "{'durable_name':'B'}"));
    assert_null(kit_consumer(house, "T", "{'durable_name':'C'}"));
    assert_int_equal(kit_error.err_code, 10026);
    assert_non_null(kit_consumer(house, "T", "{'durable_name':'B'}"));
    house_close(house);
}

static void test_lists_are_in_order_of_names(void **state) {
    (void)state;
    struct house *house = open_house(1);
    static const char *const names[] = {"b", "a", "ab", "c"};
    static const char *const sorted[] = {"a", "ab", "b", "c"};
    for (unsigned i = 0; i < 4; i++) {
        char json[64];
        snprintf(json, sizeof json, "{'durable_name':'%s'}", names[i]);
        assert_non_null(kit_consumer(house, "S", json));
    }
    struct consumer *c = NULL;
    for (unsigned i = 0; i < 4; i++) {
        c = consumer_next(kit_find(house, "S"), c ? consumer_config(c)->name : (slice){0});
        assert_slice(consumer_config(c)->name, sorted[i]);
    }
    assert_null(consumer_next(kit_find(house, "S"), consumer_config(c)->name));
    assert_true(kit_delete_consumer(house, kit_find_consumer(house, "S", "ab")));
    c = consumer_next(kit_find(house, "S"), slice_lit("a"));
    assert_slice(consumer_config(c)->name, "b");
    assert_non_null(kit_consumer(house, "S", "{'durable_name':'aa'}"));
    mem_fail_at(1, false); /* without memory for the order: the same */
    c = consumer_next(kit_find(house, "S"), slice_lit("a"));
    mem_fail_at(0, false);
    assert_slice(consumer_config(c)->name, "aa");
    house_close(house);
}

static void test_removing_a_consumer_or_its_stream_ends_its_requests(void **state) {
    (void)state;
    struct house *house = open_house(2);
    struct catcher inbox;
    char status[64];
    catcher_open(&inbox, house->bus[0], "_INBOX.me", NULL);
    house_run(house, 10 * SIM_MILLISECOND);
    struct consumer *c = kit_consumer(house, "S", "{'durable_name':'C'}");
    kit_pull(c, "_INBOX.me", 1, 10 * SIM_SECOND);
    assert_true(kit_delete_consumer(house, c));
    catcher_wait(house, &inbox, 1);
    assert_string_equal(catcher_status(&inbox, 0, status, sizeof status), "409 Consumer Deleted");
    assert_null(kit_find_consumer(house, "S", "C"));
    c = kit_consumer(house, "S", "{'durable_name':'C'}");
    kit_pull(c, "_INBOX.me", 1, 10 * SIM_SECOND);
    assert_true(kit_delete_stream(house, "S"));
    catcher_wait(house, &inbox, 2);
    assert_string_equal(catcher_status(&inbox, 1, status, sizeof status), "409 Consumer Deleted");
    assert_null(kit_find(house, "S"));
    catcher_close(&inbox);
    house_stop(house);
    house_streams(house);
    assert_null(kit_find(house, "S"));
    assert_non_null(kit_stream(house, S));
    assert_null(kit_find_consumer(house, "S", "C")); /* nothing comes back with a new stream */
    house_close(house);
}

static void test_a_consumer_does_not_come_back_with_a_new_stream_of_that_name(void **state) {
    (void)state;
    struct house *house = open_house(1);
    assert_non_null(kit_consumer(house, "S", "{'durable_name':'C'}"));
    assert_true(kit_delete_stream(house, "S"));
    assert_non_null(kit_stream(house, S));
    house_kill(house); /* no checkpoint: all of it is replayed */
    house_streams(house);
    assert_non_null(kit_find(house, "S"));
    assert_null(kit_find_consumer(house, "S", "C"));
    house_close(house);
}

static void test_an_ephemeral_consumer_goes_when_nobody_asks_for_it(void **state) {
    (void)state;
    struct house *house = open_house(1);
    assert_non_null(kit_consumer(house, "S", "{'name':'E'}"));
    assert_non_null(kit_consumer(house, "S", "{'durable_name':'D'}"));
    assert_non_null(kit_consumer(house, "S",
                                 "{'durable_name':'T',"
                                 "'inactive_threshold':20000000000}"));
    house_run(house, 4 * SIM_SECOND);
    assert_non_null(kit_find_consumer(house, "S", "E"));
    house_run(house, 2 * SIM_SECOND);
    assert_null(kit_find_consumer(house, "S", "E"));
    house_run(house, 30 * SIM_SECOND);
    assert_null(kit_find_consumer(house, "S", "T"));
    assert_non_null(kit_find_consumer(house, "S", "D"));
    house_close(house);
}

static void test_a_waiting_request_keeps_an_ephemeral_consumer(void **state) {
    (void)state;
    struct house *house = open_house(1);
    struct consumer *c = kit_consumer(house, "S", "{'name':'E'}");
    struct catcher inbox;
    catcher_open(&inbox, house->bus[0], "_INBOX.me", NULL);
    kit_pull(c, "_INBOX.me", 1, 0);
    house_run(house, 60 * SIM_SECOND);
    assert_non_null(kit_find_consumer(house, "S", "E"));
    catcher_close(&inbox); /* the client has gone, and with it the request */
    house_run(house, 12 * SIM_SECOND);
    assert_null(kit_find_consumer(house, "S", "E"));
    house_close(house);
}

static void test_names_of_ephemerals_are_made(void **state) {
    (void)state;
    struct house *house = open_house(1);
    struct consumer *a = kit_consumer(house, "S", "{}"), *b = kit_consumer(house, "S", "{}");
    assert_int_equal(consumer_config(a)->name.len, 8);
    assert_false(slice_equal(consumer_config(a)->name, consumer_config(b)->name));
    house_close(house);
}

/* Receivers that remove the consumer, or its stream, from inside the delivery. */
static void on_nothing(void *self, struct stream *stream, const struct streams_error *error) {
    (void)self;
    (void)stream;
    (void)error;
}

static void remove_stream(struct catcher *catcher, const struct bus_message *message) {
    (void)message;
    struct house *house = catcher->self;
    if (kit_find(house, "S"))
        stream_delete(house->streams, slice_lit("S"), on_nothing, NULL);
}

static void remove_inside(void (*also)(struct catcher *, const struct bus_message *)) {
    struct house *house = open_house(1);
    kit_fill(house, "s.a", 20);
    struct consumer *c = kit_consumer(house, "S", "{'durable_name':'C','ack_policy':'explicit'}");
    struct catcher inbox;
    catcher_open(&inbox, house->bus[0], "_INBOX.me", NULL);
    inbox.self = house;
    inbox.also = also;
    kit_pull(c, "_INBOX.me", 10, SIM_SECOND);
    catcher_wait(house, &inbox, 1);
    house_run(house, 3 * SIM_SECOND);
    assert_null(kit_find_consumer(house, "S", "C"));
    assert_int_equal(inbox.count,
                     1); /* nothing more, also no status: the request was being served */
    catcher_close(&inbox);
    house_close(house);
}

static void on_consumer_nothing(void *self, struct consumer *c, const struct streams_error *error) {
    (void)self;
    (void)c;
    (void)error;
}

static void remove_consumer_inside(struct catcher *catcher, const struct bus_message *message) {
    (void)message;
    struct consumer *c = kit_find_consumer(catcher->self, "S", "C");
    if (c)
        consumer_delete(c, on_consumer_nothing, NULL);
}

static void test_a_receiver_may_remove_the_consumer_or_the_stream(void **state) {
    (void)state;
    remove_inside(remove_consumer_inside);
    remove_inside(remove_stream);
}

/* A receiver that publishes into the stream it is reading: the record it was handed must stay. */
static void publish_inside(struct catcher *catcher, const struct bus_message *message) {
    char before[64];
    assert_true(message->payload.len < sizeof before);
    memcpy(before, message->payload.ptr, message->payload.len);
    if (message->payload.len > 3)
        return;
    for (unsigned i = 0; i < 50; i++)
        say(catcher->bus, "s.echo", "a long payload that makes blocks grow, again and again");
    assert_memory_equal(before, message->payload.ptr, message->payload.len);
}

static void test_a_record_stays_while_its_receiver_publishes(void **state) {
    (void)state;
    struct house *house = open_house(1);
    kit_fill(house, "s.a", 20);
    struct consumer *c = kit_consumer(house, "S", "{'durable_name':'C','filter_subject':'s.a'}");
    struct catcher inbox;
    catcher_open(&inbox, house->bus[0], "_INBOX.me", NULL);
    inbox.also = publish_inside;
    kit_pull(c, "_INBOX.me", 20, SIM_SECOND);
    catcher_wait(house, &inbox, 20);
    house_run(house, SIM_SECOND);
    assert_int_equal(log_stream_state(stream_log(kit_find(house, "S"))).messages, 20 + 20 * 50);
    catcher_close(&inbox);
    house_close(house);
}

static void test_the_number_to_come_follows_deletes_and_purges(void **state) {
    (void)state;
    struct house *house = open_house(1);
    for (unsigned i = 0; i < 10; i++) {
        kit_fill(house, "s.a", 1);
        kit_fill(house, "s.b", 1);
    }
    struct consumer *all = kit_consumer(house, "S", "{'durable_name':'all'}");
    struct consumer *some = kit_consumer(house, "S",
                                         "{'durable_name':'some',"
                                         "'filter_subject':'s.a'}");
    struct consumer *wild = kit_consumer(house, "S",
                                         "{'durable_name':'wild',"
                                         "'filter_subject':'s.*'}");
    assert_int_equal(consumer_info(all).pending, 20);
    assert_int_equal(consumer_info(some).pending, 10);
    stream_delete_message(kit_find(house, "S"), 3, true, on_nothing, NULL);
    stream_delete_message(kit_find(house, "S"), 6, false, on_nothing, NULL);
    house_run(house, SIM_SECOND);
    assert_int_equal(consumer_info(all).pending, 18);
    assert_int_equal(consumer_info(some).pending, 9);
    assert_int_equal(consumer_info(wild).pending, 18);
    house_close(house);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_come_with_their_own_subject_to_whoever_pulls),
        cmocka_unit_test(test_a_filter_passes_over_what_does_not_match),
        cmocka_unit_test(test_headers_only_sends_the_size_in_the_place_of_the_payload),
        cmocka_unit_test(test_many_messages_are_delivered_over_many_turns),
        cmocka_unit_test(test_messages_not_in_memory_are_loaded),
        cmocka_unit_test(test_each_deliver_policy_begins_where_it_says),
        cmocka_unit_test(test_by_start_time_begins_at_the_first_message_since),
        cmocka_unit_test(test_last_per_subject_goes_on_with_what_is_new),
        cmocka_unit_test(test_the_same_configuration_gives_the_same_consumer),
        cmocka_unit_test(test_what_may_change_is_changed_and_the_rest_refused),
        cmocka_unit_test(test_a_stream_has_only_so_many_consumers),
        cmocka_unit_test(test_lists_are_in_order_of_names),
        cmocka_unit_test(test_removing_a_consumer_or_its_stream_ends_its_requests),
        cmocka_unit_test(test_a_consumer_does_not_come_back_with_a_new_stream_of_that_name),
        cmocka_unit_test(test_an_ephemeral_consumer_goes_when_nobody_asks_for_it),
        cmocka_unit_test(test_a_waiting_request_keeps_an_ephemeral_consumer),
        cmocka_unit_test(test_names_of_ephemerals_are_made),
        cmocka_unit_test(test_a_receiver_may_remove_the_consumer_or_the_stream),
        cmocka_unit_test(test_a_record_stays_while_its_receiver_publishes),
        cmocka_unit_test(test_the_number_to_come_follows_deletes_and_purges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
