#include "bus_kit.h"

/* Pull requests: who gets what, and how requests end. Texts as nats-server 2.9 says them. */

struct shop {
    struct house *house;
    struct consumer *c;
    struct catcher inbox, other;
};

static struct shop shop_open(unsigned shards, unsigned messages, const char *consumer) {
    struct shop shop = {.house = house_open(3, shards)};
    house_streams(shop.house);
    assert_non_null(kit_stream(shop.house, "{'name':'S','subjects':['s.>']}"));
    kit_fill(shop.house, "s.a", messages);
    shop.c = kit_consumer(shop.house, "S", consumer);
    assert_non_null(shop.c);
    return shop;
}

static void shop_listen(struct shop *shop) {
    catcher_open(&shop->inbox, shop->house->bus[0], "_INBOX.me", NULL);
    catcher_open(&shop->other, shop->house->bus[0], "_INBOX.other", NULL);
    house_run(shop->house, 10 * SIM_MILLISECOND);
}

static void shop_close(struct shop *shop) {
    catcher_close(&shop->inbox);
    catcher_close(&shop->other);
    house_close(shop->house);
}

static void pull(struct shop *shop, struct consumer_pull pull) {
    if (!pull.reply.len)
        pull.reply = slice_lit("_INBOX.me");
    consumer_pull(shop->c, &pull);
}

/* The INDEX-th message of the inbox is the status TEXT. */
static void expect(struct shop *shop, unsigned index, const char *text) {
    char status[128];
    catcher_wait(shop->house, &shop->inbox, index + 1);
    assert_string_equal(catcher_status(&shop->inbox, index, status, sizeof status), text);
}

static const char *const EXPLICIT = "{'durable_name':'C','ack_policy':'explicit'}";

static void test_a_request_that_expires_says_what_it_still_wanted(void **state) {
    (void)state;
    struct shop shop = shop_open(1, 2, EXPLICIT);
    shop_listen(&shop);
    pull(&shop, (struct consumer_pull){.batch = 5, .expires_ns = SIM_SECOND, .bytes_max = 10000});
    catcher_wait(shop.house, &shop.inbox, 2);
    uint64_t used = 0;
    for (unsigned i = 0; i < 2; i++) {
        const struct bus_message *m = catcher_at(&shop.inbox, i);
        used += m->subject.len + m->reply.len + m->payload.len;
    }
    expect(&shop, 2, "408 Request Timeout");
    char text[128];
    snprintf(text, sizeof text,
             "NATS/1.0 408 Request Timeout\r\nNats-Pending-Messages: 3\r\n"
             "Nats-Pending-Bytes: %llu\r\n\r\n",
             (unsigned long long)(10000 - used));
    assert_slice(catcher_at(&shop.inbox, 2)->headers, text);
    assert_int_equal(consumer_info(shop.c).waiting, 0);
    shop_close(&shop);
}

static void test_without_waiting_an_empty_stream_answers_404(void **state) {
    (void)state;
    struct shop shop = shop_open(1, 0, EXPLICIT);
    shop_listen(&shop);
    pull(&shop, (struct consumer_pull){.batch = 5, .no_wait = true});
    expect(&shop, 0, "404 No Messages");
    assert_slice(catcher_at(&shop.inbox, 0)->headers, "NATS/1.0 404 No Messages\r\n\r\n");
    shop_close(&shop);
}

static void test_without_waiting_one_gets_what_is_there_and_408(void **state) {
    (void)state;
    struct shop shop = shop_open(2, 2, EXPLICIT);
    shop_listen(&shop);
    pull(&shop, (struct consumer_pull){.batch = 5, .no_wait = true});
    expect(&shop, 2, "408 Request Timeout");
    assert_int_equal(consumer_info(shop.c).waiting, 0);
    shop_close(&shop);
}

static void test_a_one_shot_with_expiry_waits_for_the_first_messages_only(void **state) {
    (void)state;
    struct shop shop = shop_open(1, 0, EXPLICIT);
    shop_listen(&shop);
    pull(&shop, (struct consumer_pull){.batch = 5, .no_wait = true, .expires_ns = 10 * SIM_SECOND});
    house_run(shop.house, SIM_SECOND);
    assert_int_equal(shop.inbox.count, 0);
    say(shop.house->bus[0], "s.a", "x");
    expect(&shop, 1, "408 Request Timeout");
    assert_slice(catcher_at(&shop.inbox, 0)->payload, "x");
    shop_close(&shop);
}

static void test_one_shots_do_not_wait_for_what_others_wait_for(void **state) {
    (void)state;
    struct shop shop = shop_open(1, 1, EXPLICIT);
    shop_listen(&shop);
    pull(&shop, (struct consumer_pull){
                    .batch = 5, .reply = slice_lit("_INBOX.other"), .expires_ns = 10 * SIM_SECOND});
    pull(&shop, (struct consumer_pull){.batch = 1, .no_wait = true});
    expect(&shop, 0, "408 Requests Pending");
    catcher_wait(shop.house, &shop.other, 1);
    shop_close(&shop);
}

static void test_waiting_requests_get_messages_in_turn(void **state) {
    (void)state;
    struct shop shop = shop_open(1, 0, EXPLICIT);
    shop_listen(&shop);
    pull(&shop, (struct consumer_pull){.batch = 10, .expires_ns = 10 * SIM_SECOND});
    pull(&shop, (struct consumer_pull){
                    .batch = 3, .expires_ns = 10 * SIM_SECOND, .reply = slice_lit("_INBOX.other")});
    kit_fill(shop.house, "s.a", 8);
    catcher_wait(shop.house, &shop.inbox, 5);
    catcher_wait(shop.house, &shop.other, 3);
    house_run(shop.house, SIM_SECOND);
    assert_int_equal(shop.inbox.count, 5);
    assert_int_equal(shop.other.count, 3);
    shop_close(&shop);
}

static void test_a_request_whose_client_has_gone_loses_no_message(void **state) {
    (void)state;
    struct shop shop = shop_open(2, 0, EXPLICIT);
    shop_listen(&shop);
    pull(&shop, (struct consumer_pull){.batch = 3, .reply = slice_lit("_INBOX.gone")});
    pull(&shop, (struct consumer_pull){.batch = 3});
    assert_int_equal(consumer_info(shop.c).waiting, 2);
    kit_fill(shop.house, "s.a", 2);
    catcher_wait(shop.house, &shop.inbox, 2);
    assert_int_equal(consumer_info(shop.c).waiting, 1);
    assert_int_equal(consumer_info(shop.c).delivered.consumer, 2);
    shop_close(&shop);
}

static void test_a_message_larger_than_the_bytes_left_ends_the_request(void **state) {
    (void)state;
    struct shop shop = shop_open(1, 3, EXPLICIT);
    shop_listen(&shop);
    pull(&shop, (struct consumer_pull){.batch = 10, .bytes_max = 100, .expires_ns = SIM_SECOND});
    catcher_wait(shop.house, &shop.inbox, 2);
    expect(&shop, shop.inbox.count - 1, "409 Message Size Exceeds MaxBytes");
    unsigned got = shop.inbox.count - 1;
    assert_true(got >= 1 && got < 3);
    assert_int_equal(consumer_info(shop.c).delivered.consumer, got);
    shop_close(&shop);
}

static void test_the_bounds_of_the_consumer_are_named(void **state) {
    (void)state;
    struct shop shop = shop_open(1, 1,
                                 "{'durable_name':'C','ack_policy':'explicit','max_batch':2,"
                                 "'max_expires':5000000000,'max_bytes':1000,'max_waiting':2}");
    shop_listen(&shop);
    pull(&shop, (struct consumer_pull){.batch = 3});
    expect(&shop, 0, "409 Exceeded MaxRequestBatch of 2");
    pull(&shop, (struct consumer_pull){.batch = 1, .expires_ns = 6 * SIM_SECOND});
    expect(&shop, 1, "409 Exceeded MaxRequestExpires of 5s");
    pull(&shop, (struct consumer_pull){.batch = 1, .bytes_max = 1001});
    expect(&shop, 2, "409 Exceeded MaxRequestMaxBytes of 1000");
    pull(&shop, (struct consumer_pull){.batch = 2, .expires_ns = SIM_SECOND});
    pull(&shop, (struct consumer_pull){.batch = 2, .expires_ns = SIM_SECOND});
    pull(&shop, (struct consumer_pull){.batch = 2, .expires_ns = SIM_SECOND});
    expect(&shop, 3, "409 Exceeded MaxWaiting");
    shop_close(&shop);
}

static void test_a_full_line_makes_room_for_clients_that_are_there(void **state) {
    (void)state;
    struct shop shop =
        shop_open(1, 0, "{'durable_name':'C','ack_policy':'explicit','max_waiting':2}");
    shop_listen(&shop);
    for (unsigned i = 0; i < 2; i++)
        pull(&shop, (struct consumer_pull){.batch = 2, .reply = slice_lit("_INBOX.gone")});
    assert_int_equal(consumer_info(shop.c).waiting, 2);
    pull(&shop, (struct consumer_pull){.batch = 2});
    assert_int_equal(consumer_info(shop.c).waiting, 1);
    kit_fill(shop.house, "s.a", 1);
    catcher_wait(shop.house, &shop.inbox, 1);
    shop_close(&shop);
}

static void test_heartbeats_come_while_there_is_nothing_else(void **state) {
    (void)state;
    struct shop shop = shop_open(1, 2, EXPLICIT);
    shop_listen(&shop);
    pull(&shop, (struct consumer_pull){
                    .batch = 10, .expires_ns = 10 * SIM_SECOND, .heartbeat_ns = SIM_SECOND});
    house_run(shop.house, 3 * SIM_SECOND + 500 * SIM_MILLISECOND);
    assert_int_equal(shop.inbox.count, 5);
    expect(&shop, 2, "100 Idle Heartbeat");
    assert_slice(catcher_at(&shop.inbox, 4)->headers,
                 "NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 2\r\n"
                 "Nats-Last-Stream: 2\r\n\r\n");
    kit_fill(shop.house, "s.a", 1); /* the clock starts again */
    house_run(shop.house, 900 * SIM_MILLISECOND);
    assert_int_equal(shop.inbox.count, 6);
    expect(&shop, 6, "100 Idle Heartbeat");
    shop_close(&shop);
}

static void test_requests_come_as_text(void **state) {
    (void)state;
    struct shop shop = shop_open(1, 20, EXPLICIT);
    shop_listen(&shop);
    consumer_pull_text(shop.c, slice_lit("_INBOX.me"), (slice){0});
    catcher_wait(shop.house, &shop.inbox, 1);
    consumer_pull_text(shop.c, slice_lit("_INBOX.me"), slice_lit("3"));
    catcher_wait(shop.house, &shop.inbox, 4);
    consumer_pull_text(shop.c, slice_lit("_INBOX.me"),
                       slice_lit("{\"batch\":2,\"expires\":1000000000,\"no_wait\":true}"));
    catcher_wait(shop.house, &shop.inbox, 6);
    house_run(shop.house, 5 * SIM_SECOND);
    assert_int_equal(shop.inbox.count, 6);
    static const char *const bad[] = {"{\"batch\":\"x\"}", "{", "{\"no_wait\":1}"};
    for (unsigned i = 0; i < array_count(bad); i++) {
        char status[128];
        consumer_pull_text(shop.c, slice_lit("_INBOX.me"), slice_str(bad[i]));
        catcher_wait(shop.house, &shop.inbox, 7 + i);
        catcher_status(&shop.inbox, 6 + i, status, sizeof status);
        assert_true(strncmp(status, "400 Bad Request - ", 18) == 0);
    }
    consumer_pull_text(shop.c, slice_lit("_INBOX.me"),
                       slice_lit("{\"expires\":1000000000,\"idle_heartbeat\":600000000}"));
    expect(&shop, 9, "400 Bad Request - heartbeat value too large");
    shop_close(&shop);
}

static void test_max_ack_pending_stalls_until_something_is_done(void **state) {
    (void)state;
    struct shop shop =
        shop_open(1, 5, "{'durable_name':'C','ack_policy':'explicit','max_ack_pending':2}");
    shop_listen(&shop);
    pull(&shop, (struct consumer_pull){.batch = 5, .expires_ns = 20 * SIM_SECOND});
    house_run(shop.house, SIM_SECOND);
    assert_int_equal(shop.inbox.count, 2);
    kit_ack(&shop.inbox, 1, "+ACK", NULL);
    house_run(shop.house, SIM_SECOND);
    assert_int_equal(shop.inbox.count, 3);
    kit_ack(&shop.inbox, 0, "+TERM", NULL);
    kit_ack(&shop.inbox, 2, "+ACK", NULL);
    house_run(shop.house, SIM_SECOND);
    assert_int_equal(shop.inbox.count, 5);
    shop_close(&shop);
}

static void test_a_stop_of_the_node_ends_requests(void **state) {
    (void)state;
    struct shop shop = shop_open(1, 0, EXPLICIT);
    shop_listen(&shop);
    pull(&shop, (struct consumer_pull){.batch = 5, .expires_ns = 20 * SIM_SECOND});
    streams_stop(shop.house->streams);
    expect(&shop, 0, "409 Server Shutdown");
    catcher_close(&shop.inbox);
    catcher_close(&shop.other);
    house_kill(shop.house);
    house_close(shop.house);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_that_expires_says_what_it_still_wanted),
        cmocka_unit_test(test_without_waiting_an_empty_stream_answers_404),
        cmocka_unit_test(test_without_waiting_one_gets_what_is_there_and_408),
        cmocka_unit_test(test_a_one_shot_with_expiry_waits_for_the_first_messages_only),
        cmocka_unit_test(test_one_shots_do_not_wait_for_what_others_wait_for),
        cmocka_unit_test(test_waiting_requests_get_messages_in_turn),
        cmocka_unit_test(test_a_request_whose_client_has_gone_loses_no_message),
        cmocka_unit_test(test_a_message_larger_than_the_bytes_left_ends_the_request),
        cmocka_unit_test(test_the_bounds_of_the_consumer_are_named),
        cmocka_unit_test(test_a_full_line_makes_room_for_clients_that_are_there),
        cmocka_unit_test(test_heartbeats_come_while_there_is_nothing_else),
        cmocka_unit_test(test_requests_come_as_text),
        cmocka_unit_test(test_max_ack_pending_stalls_until_something_is_done),
        cmocka_unit_test(test_a_stop_of_the_node_ends_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
