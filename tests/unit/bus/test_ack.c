#include "bus_kit.h"

#include "wire/json.h"

/* Acknowledgements of all kinds, redelivery, giving up. */

struct shop {
    struct house *house;
    struct consumer *c;
    struct catcher inbox, answers;
};

static void shop_open(struct shop *shop, unsigned shards, unsigned messages, const char *consumer) {
    *shop = (struct shop){.house = house_open(5, shards)};
    house_streams(shop->house);
    assert_non_null(kit_stream(shop->house, "{'name':'S','subjects':['s.>']}"));
    kit_fill(shop->house, "s.a", messages);
    shop->c = kit_consumer(shop->house, "S", consumer);
    if (!shop->c)
        fail_msg("%s", kit_error.description);
    catcher_open(&shop->inbox, shop->house->bus[0], "_INBOX.me", NULL);
    catcher_open(&shop->answers, shop->house->bus[0], "_INBOX.acks", NULL);
    house_run(shop->house, 10 * SIM_MILLISECOND);
}

static void shop_close(struct shop *shop) {
    catcher_close(&shop->inbox);
    catcher_close(&shop->answers);
    house_close(shop->house);
}

static void expect_messages(struct shop *shop, unsigned count) {
    catcher_wait(shop->house, &shop->inbox, count);
    assert_int_equal(shop->inbox.count, count);
}

static const char *const WAIT_1S =
    "{'durable_name':'C','ack_policy':'explicit','ack_wait':1000000000}";

static void double_ack_on(unsigned shards) {
    struct shop shop;
    shop_open(&shop, shards, 3, WAIT_1S);
    kit_pull(shop.c, "_INBOX.me", 3, 0);
    expect_messages(&shop, 3);
    kit_ack(&shop.inbox, 1, "+ACK", "_INBOX.acks");
    assert_int_equal(shop.answers.count, 0); /* it is not on disk yet */
    catcher_wait(shop.house, &shop.answers, 1);
    assert_int_equal(catcher_at(&shop.answers, 0)->payload.len, 0);
    assert_int_equal(catcher_at(&shop.answers, 0)->headers.len, 0);
    assert_int_equal(consumer_info(shop.c).ack_pending, 2);
    kit_ack(&shop.inbox, 1, "+ACK", "_INBOX.acks"); /* again: answered all the same */
    catcher_wait(shop.house, &shop.answers, 2);
    assert_int_equal(consumer_info(shop.c).ack_pending, 2);
    shop_close(&shop);
}

static void test_an_acknowledgement_with_reply_is_answered_when_it_is_on_disk(void **state) {
    (void)state;
    double_ack_on(1);
    double_ack_on(2);
    double_ack_on(4);
}

static void test_what_is_not_acknowledged_in_time_comes_again(void **state) {
    (void)state;
    struct shop shop;
    shop_open(&shop, 1, 3, WAIT_1S);
    kit_pull(shop.c, "_INBOX.me", 10, 20 * SIM_SECOND);
    expect_messages(&shop, 3);
    kit_ack(&shop.inbox, 1, "", NULL);
    house_run(shop.house, 900 * SIM_MILLISECOND);
    assert_int_equal(shop.inbox.count, 3);
    house_run(shop.house, 200 * SIM_MILLISECOND);
    expect_messages(&shop, 5);
    struct kit_address address = kit_address(catcher_at(&shop.inbox, 3));
    assert_int_equal(address.deliveries, 2);
    assert_int_equal(address.stream, 1);
    assert_int_equal(address.consumer, 4);
    struct consumer_info info = consumer_info(shop.c);
    assert_int_equal(info.redelivered, 2);
    assert_int_equal(info.ack_pending, 2);
    assert_int_equal(info.delivered.consumer, 5);
    assert_int_equal(info.delivered.stream, 3);
    kit_ack(&shop.inbox, 0, "", NULL); /* by the address of the first delivery */
    kit_ack(&shop.inbox, 4, "", NULL);
    house_run(shop.house, 3 * SIM_SECOND);
    assert_int_equal(shop.inbox.count, 5);
    assert_int_equal(consumer_info(shop.c).redelivered, 0);
    assert_int_equal(consumer_info(shop.c).ack_floor.stream, 3);
    shop_close(&shop);
}

static void test_a_refused_message_comes_at_once_or_after_its_delay(void **state) {
    (void)state;
    struct shop shop;
    shop_open(&shop, 1, 2, "{'durable_name':'C','ack_policy':'explicit'}");
    kit_pull(shop.c, "_INBOX.me", 10, 60 * SIM_SECOND);
    expect_messages(&shop, 2);
    kit_ack(&shop.inbox, 0, "-NAK", NULL);
    house_run(shop.house, 10 * SIM_MILLISECOND);
    expect_messages(&shop, 3);
    assert_int_equal(kit_address(catcher_at(&shop.inbox, 2)).stream, 1);
    kit_ack(&shop.inbox, 1, "-NAK {\"delay\": 5000000000}", NULL);
    house_run(shop.house, 4 * SIM_SECOND + 900 * SIM_MILLISECOND);
    assert_int_equal(shop.inbox.count, 3);
    house_run(shop.house, 200 * SIM_MILLISECOND);
    expect_messages(&shop, 4);
    assert_int_equal(kit_address(catcher_at(&shop.inbox, 3)).stream, 2);
    kit_ack(&shop.inbox, 3, "-NAK 2s", NULL);
    house_run(shop.house, SIM_SECOND);
    assert_int_equal(shop.inbox.count, 4);
    house_run(shop.house, 2 * SIM_SECOND);
    assert_int_equal(shop.inbox.count, 5);
    shop_close(&shop);
}

static void test_progress_gives_the_whole_time_again(void **state) {
    (void)state;
    struct shop shop;
    shop_open(&shop, 1, 1, WAIT_1S);
    kit_pull(shop.c, "_INBOX.me", 10, 60 * SIM_SECOND);
    expect_messages(&shop, 1);
    for (unsigned i = 0; i < 5; i++) {
        house_run(shop.house, 800 * SIM_MILLISECOND);
        kit_ack(&shop.inbox, 0, "+WPI", NULL);
    }
    assert_int_equal(shop.inbox.count, 1);
    house_run(shop.house, 1200 * SIM_MILLISECOND);
    assert_int_equal(shop.inbox.count, 2);
    shop_close(&shop);
}

static void test_a_terminated_message_never_comes_again(void **state) {
    (void)state;
    struct shop shop;
    shop_open(&shop, 1, 1, WAIT_1S);
    struct catcher advisories;
    catcher_open(&advisories, shop.house->bus[0], "$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.S.C",
                 NULL);
    kit_pull(shop.c, "_INBOX.me", 10, 60 * SIM_SECOND);
    expect_messages(&shop, 1);
    kit_ack(&shop.inbox, 0, "+TERM", NULL);
    house_run(shop.house, 5 * SIM_SECOND);
    assert_int_equal(shop.inbox.count, 1);
    assert_int_equal(advisories.count, 1);
    assert_int_equal(consumer_info(shop.c).ack_pending, 0);
    catcher_close(&advisories);
    shop_close(&shop);
}

static void test_next_acknowledges_and_pulls(void **state) {
    (void)state;
    struct shop shop;
    shop_open(&shop, 1, 5, "{'durable_name':'C','ack_policy':'explicit'}");
    kit_pull(shop.c, "_INBOX.me", 1, 0);
    expect_messages(&shop, 1);
    kit_ack(&shop.inbox, 0, "+NXT", "_INBOX.me");
    expect_messages(&shop, 2);
    kit_ack(&shop.inbox, 1, "+NXT {\"batch\":2}", "_INBOX.me");
    expect_messages(&shop, 4);
    assert_int_equal(consumer_info(shop.c).ack_pending, 2);
    kit_ack(&shop.inbox, 2, "+NXT 5", "_INBOX.me");
    expect_messages(&shop, 5);
    shop_close(&shop);
}

static void test_ack_all_acknowledges_everything_before(void **state) {
    (void)state;
    struct shop shop;
    shop_open(&shop, 1, 6,
              "{'durable_name':'C','ack_policy':'all',"
              "'ack_wait':1000000000}");
    kit_pull(shop.c, "_INBOX.me", 10, 20 * SIM_SECOND);
    expect_messages(&shop, 6);
    kit_ack(&shop.inbox, 3, "", "_INBOX.acks");
    catcher_wait(shop.house, &shop.answers, 1);
    struct consumer_info info = consumer_info(shop.c);
    assert_int_equal(info.ack_pending, 2);
    assert_int_equal(info.ack_floor.stream, 4);
    kit_ack(&shop.inbox, 1, "", NULL); /* behind the floor: nothing */
    house_run(shop.house, 1100 * SIM_MILLISECOND);
    expect_messages(&shop, 8);
    assert_int_equal(kit_address(catcher_at(&shop.inbox, 6)).stream, 5);
    shop_close(&shop);
}

static void test_without_acknowledgement_nothing_is_in_flight(void **state) {
    (void)state;
    struct shop shop;
    shop_open(&shop, 1, 3, "{'durable_name':'C','ack_policy':'none'}");
    kit_pull(shop.c, "_INBOX.me", 10, 20 * SIM_SECOND);
    expect_messages(&shop, 3);
    struct consumer_info info = consumer_info(shop.c);
    assert_int_equal(info.ack_pending, 0);
    assert_int_equal(info.ack_floor.stream, 3);
    assert_int_equal(info.ack_floor.consumer, 3);
    kit_ack(&shop.inbox, 0, "", "_INBOX.acks");
    catcher_wait(shop.house, &shop.answers, 1);
    shop_close(&shop);
}

static void test_backoff_sets_the_waits_one_after_the_other(void **state) {
    (void)state;
    struct shop shop;
    shop_open(&shop, 1, 1,
              "{'durable_name':'C','ack_policy':'explicit',"
              "'backoff':[1000000000,3000000000,5000000000]}");
    kit_pull(shop.c, "_INBOX.me", 10, 60 * SIM_SECOND);
    static const unsigned at_ms[] = {1000, 4000, 9000, 14000};
    unsigned now_ms = 0;
    expect_messages(&shop, 1);
    for (unsigned i = 0; i < array_count(at_ms); i++) {
        house_run(shop.house, (at_ms[i] - now_ms - 100) * SIM_MILLISECOND);
        assert_int_equal(shop.inbox.count, i + 1);
        house_run(shop.house, 200 * SIM_MILLISECOND);
        assert_int_equal(shop.inbox.count, i + 2);
        now_ms = at_ms[i] + 100;
    }
    shop_close(&shop);
}

static void test_after_max_deliver_a_message_is_left_behind_with_an_advisory(void **state) {
    (void)state;
    struct shop shop;
    shop_open(&shop, 2, 2,
              "{'durable_name':'C','ack_policy':'explicit',"
              "'ack_wait':1000000000,'max_deliver':2}");
    struct catcher advisories;
    catcher_open(&advisories, shop.house->bus[0], "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.S.C",
                 NULL);
    kit_pull(shop.c, "_INBOX.me", 10, 60 * SIM_SECOND);
    expect_messages(&shop, 2);
    kit_ack(&shop.inbox, 1, "", NULL);
    house_run(shop.house, 5 * SIM_SECOND);
    assert_int_equal(shop.inbox.count, 3);
    assert_int_equal(advisories.count, 1);
    struct json_doc doc;
    uint64_t number;
    json_init(&doc);
    assert_int_equal(json_parse(&doc, catcher_at(&advisories, 0)->payload), 0);
    json_value root = json_root(&doc);
    assert_true(json_string_is(json_member(root, slice_lit("type")),
                               slice_lit("io.nats.jetstream.advisory.v1.max_deliver")));
    assert_true(json_string_is(json_member(root, slice_lit("stream")), slice_lit("S")));
    assert_true(json_string_is(json_member(root, slice_lit("consumer")), slice_lit("C")));
    assert_int_equal(json_u64(json_member(root, slice_lit("stream_seq")), &number), 0);
    assert_int_equal(number, 1);
    assert_int_equal(json_u64(json_member(root, slice_lit("deliveries")), &number), 0);
    assert_int_equal(number, 2);
    json_free(&doc);
    assert_int_equal(consumer_info(shop.c).ack_pending, 0);
    assert_int_equal(consumer_info(shop.c).ack_floor.stream, 2);
    catcher_close(&advisories);
    shop_close(&shop);
}

static void test_a_refusal_may_be_the_last_delivery(void **state) {
    (void)state;
    struct shop shop;
    shop_open(&shop, 1, 1,
              "{'durable_name':'C','ack_policy':'explicit',"
              "'max_deliver':2}");
    struct catcher advisories;
    catcher_open(&advisories, shop.house->bus[0], "$JS.EVENT.ADVISORY.>", NULL);
    kit_pull(shop.c, "_INBOX.me", 10, 60 * SIM_SECOND);
    for (unsigned i = 0; i < 2; i++) {
        expect_messages(&shop, i + 1);
        kit_ack(&shop.inbox, i, "-NAK", NULL);
    }
    house_run(shop.house, SIM_SECOND);
    assert_int_equal(shop.inbox.count, 2);
    assert_int_equal(advisories.count, 3); /* naked, naked, max_deliveries */
    catcher_close(&advisories);
    shop_close(&shop);
}

static void test_a_message_that_was_deleted_is_not_delivered_again(void **state) {
    (void)state;
    struct shop shop;
    shop_open(&shop, 1, 2, WAIT_1S);
    kit_pull(shop.c, "_INBOX.me", 10, 60 * SIM_SECOND);
    expect_messages(&shop, 2);
    struct log_batch *batch;
    assert_int_equal(log_batch_begin(shop.house->log, &batch), 0);
    assert_int_equal(log_batch_delete(batch, stream_log(kit_find(shop.house, "S")), 2), 0);
    log_batch_commit(batch, NULL);
    house_run(shop.house, 1500 * SIM_MILLISECOND);
    assert_int_equal(shop.inbox.count, 3);
    assert_int_equal(consumer_info(shop.c).ack_pending, 1);
    assert_int_equal(log_batch_begin(shop.house->log, &batch), 0);
    assert_int_equal(log_batch_trim(batch, stream_log(kit_find(shop.house, "S")), 100), 0);
    log_batch_commit(batch, NULL);
    house_run(shop.house, 100 * SIM_MILLISECOND);
    assert_int_equal(consumer_info(shop.c).ack_pending, 0); /* trimmed away */
    shop_close(&shop);
}

/* Who hears that his request has expired acknowledges, from inside, just the message that was about
   to be delivered again. */
static void ack_the_first(struct catcher *catcher, const struct bus_message *message) {
    if (message->headers.len && !message->reply.len && catcher->self)
        kit_ack(catcher->self, 0, "+ACK", NULL);
}

static void test_a_message_may_be_acknowledged_just_before_it_comes_again(void **state) {
    (void)state;
    struct shop shop;
    shop_open(&shop, 1, 1, WAIT_1S);
    struct catcher other;
    catcher_open(&other, shop.house->bus[0], "_INBOX.other", NULL);
    other.also = ack_the_first;
    other.self = &shop.inbox;
    kit_pull(shop.c, "_INBOX.me", 1, 0);
    expect_messages(&shop, 1);
    struct consumer_pull small = {
        .reply = slice_lit("_INBOX.other"), .batch = 1, .bytes_max = 1}; /* too small: a 409 */
    consumer_pull(shop.c, &small);
    kit_pull(shop.c, "_INBOX.me", 1, 0);
    house_run(shop.house, 3 * SIM_SECOND);
    assert_int_equal(other.count, 1);
    assert_int_equal(shop.inbox.count, 1);
    assert_int_equal(consumer_info(shop.c).ack_pending, 0);
    assert_int_equal(consumer_info(shop.c).waiting, 1);
    catcher_close(&other);
    shop_close(&shop);
}

static void test_nonsense_is_ignored(void **state) {
    (void)state;
    struct shop shop;
    shop_open(&shop, 1, 1, WAIT_1S);
    kit_pull(shop.c, "_INBOX.me", 1, 0);
    expect_messages(&shop, 1);
    static const char *const subjects[] = {"$JS.ACK.S.C.x",          "$JS.ACK.S.C.1.x.1.1.1",
                                           "$JS.ACK.S.C.1.0.1.1.1",  "$JS.ACK.S.C.1.99.1.1.1",
                                           "$JS.ACK.S.C.1.-1.1.1.1", "$JS.ACK.S.C.1.1"};
    for (unsigned i = 0; i < array_count(subjects); i++)
        say(shop.house->bus[0], subjects[i], "+ACK");
    kit_ack(&shop.inbox, 0, "+WHAT", "_INBOX.acks");
    catcher_wait(shop.house, &shop.answers, 1);
    assert_int_equal(consumer_info(shop.c).ack_pending, 1);
    shop_close(&shop);
}

static void test_consumers_in_memory_acknowledge_at_once(void **state) {
    (void)state;
    struct shop shop;
    shop_open(&shop, 1, 1,
              "{'durable_name':'C','ack_policy':'explicit',"
              "'mem_storage':true}");
    kit_pull(shop.c, "_INBOX.me", 1, 0);
    expect_messages(&shop, 1);
    kit_ack(&shop.inbox, 0, "", "_INBOX.acks");
    assert_int_equal(shop.answers.count, 1);
    shop_close(&shop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_acknowledgement_with_reply_is_answered_when_it_is_on_disk),
        cmocka_unit_test(test_what_is_not_acknowledged_in_time_comes_again),
        cmocka_unit_test(test_a_refused_message_comes_at_once_or_after_its_delay),
        cmocka_unit_test(test_progress_gives_the_whole_time_again),
        cmocka_unit_test(test_a_terminated_message_never_comes_again),
        cmocka_unit_test(test_next_acknowledges_and_pulls),
        cmocka_unit_test(test_ack_all_acknowledges_everything_before),
        cmocka_unit_test(test_without_acknowledgement_nothing_is_in_flight),
        cmocka_unit_test(test_backoff_sets_the_waits_one_after_the_other),
        cmocka_unit_test(test_after_max_deliver_a_message_is_left_behind_with_an_advisory),
        cmocka_unit_test(test_a_refusal_may_be_the_last_delivery),
        cmocka_unit_test(test_a_message_that_was_deleted_is_not_delivered_again),
        cmocka_unit_test(test_a_message_may_be_acknowledged_just_before_it_comes_again),
        cmocka_unit_test(test_nonsense_is_ignored),
        cmocka_unit_test(test_consumers_in_memory_acknowledge_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
