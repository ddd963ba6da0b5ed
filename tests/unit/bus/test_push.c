#include "bus_kit.h"

/* Push consumers: interest, flow control, heartbeats, rate. Texts as nats-server 2.10 says them. */

struct shop {
    struct house *house;
    struct consumer *c;
    struct catcher out;
};

static struct shop shop_open(unsigned shards, unsigned messages, const char *consumer) {
    struct shop shop = {.house = house_open(3, shards)};
    house_streams(shop.house);
    assert_non_null(kit_stream(shop.house, "{'name':'S','subjects':['s.>']}"));
    if (messages)
        kit_fill(shop.house, "s.a", messages);
    shop.c = kit_consumer(shop.house, "S", consumer);
    assert_non_null(shop.c);
    return shop;
}

static void shop_listen(struct shop *shop) {
    catcher_open(&shop->out, shop->house->bus[0], "out", NULL);
    house_run(shop->house, 10 * SIM_MILLISECOND);
}

static void shop_close(struct shop *shop) {
    catcher_close(&shop->out);
    house_close(shop->house);
}

static const char *const PLAIN = "{'durable_name':'C','deliver_subject':'out',"
                                 "'ack_policy':'none'}";

static void test_it_rests_without_interest_and_says_whether_somebody_is_there(void **state) {
    (void)state;
    for (unsigned shards = 1; shards <= 2; shards++) {
        struct shop shop = shop_open(shards, 3, PLAIN);
        house_run(shop.house, SIM_SECOND);
        assert_false(consumer_info(shop.c).push_bound);
        assert_int_equal(consumer_info(shop.c).pending, 3);
        shop_listen(&shop);
        catcher_wait(shop.house, &shop.out, 3);
        assert_true(consumer_info(shop.c).push_bound);
        assert_slice(catcher_at(&shop.out, 2)->subject, "s.a");
        assert_int_equal(kit_address(catcher_at(&shop.out, 2)).consumer, 3);
        catcher_close(&shop.out);
        house_run(shop.house, SIM_MILLISECOND);
        assert_false(consumer_info(shop.c).push_bound);
        kit_fill(shop.house, "s.a", 2);
        house_run(shop.house, SIM_SECOND);
        assert_int_equal(consumer_info(shop.c).pending, 2);
        shop_listen(&shop);
        catcher_wait(shop.house, &shop.out, 2);
        shop_close(&shop);
    }
}

static void test_another_deliver_group_wakes_one_that_sleeps(void **state) {
    (void)state;
    struct shop shop = shop_open(1, 3,
                                 "{'durable_name':'C','deliver_subject':'out',"
                                 "'deliver_group':'first','ack_policy':'none'}");
    catcher_open(&shop.out, shop.house->bus[0], "out", "second");
    house_run(shop.house, SIM_SECOND);
    assert_int_equal(shop.out.count, 0);
    assert_false(consumer_info(shop.c).push_bound);
    assert_ptr_equal(kit_consumer(shop.house, "S",
                                  "{'durable_name':'C','deliver_subject':'out',"
                                  "'deliver_group':'second','ack_policy':'none'}"),
                     shop.c);
    catcher_wait(shop.house, &shop.out, 3);
    assert_true(consumer_info(shop.c).push_bound);
    assert_non_null(kit_consumer(shop.house, "S",
                                 "{'durable_name':'C','deliver_subject':'out',"
                                 "'deliver_group':'first','ack_policy':'none'}"));
    assert_false(consumer_info(shop.c).push_bound);
    shop_close(&shop);
}

static void test_heartbeats_follow_the_last_message(void **state) {
    (void)state;
    struct shop shop = shop_open(1, 2,
                                 "{'durable_name':'C','deliver_subject':'out','ack_policy':'none',"
                                 "'idle_heartbeat':1000000000}");
    shop_listen(&shop);
    catcher_wait(shop.house, &shop.out, 2);
    house_run(shop.house, 900 * SIM_MILLISECOND);
    assert_int_equal(shop.out.count, 2);
    house_run(shop.house, 200 * SIM_MILLISECOND);
    assert_int_equal(shop.out.count, 3);
    assert_slice(catcher_at(&shop.out, 2)->headers,
                 "NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 2\r\n"
                 "Nats-Last-Stream: 2\r\n\r\n");
    shop_close(&shop);
}

/* Publishes COUNT messages of 64 KiB. */
static void fill_large(struct shop *shop, unsigned count) {
    static char body[64 << 10];
    for (unsigned i = 0; i < count; i++) {
        bus_publish(shop->house->bus[0],
                    &(struct bus_message){.subject = slice_lit("s.big"),
                                          .payload = slice_make(body, sizeof body)},
                    NULL, NULL);
        if (i % 16 == 15) /* within the log's mark */
            house_run(shop->house, SIM_SECOND);
    }
    house_run(shop->house, SIM_SECOND);
}

static void test_the_window_is_2_mib_and_doubles_with_each_answer(void **state) {
    (void)state;
    struct shop shop = shop_open(1, 0,
                                 "{'durable_name':'C','deliver_subject':'out','ack_policy':'none',"
                                 "'idle_heartbeat':5000000000,'flow_control':true}");
    fill_large(&shop, 200);
    shop_listen(&shop);
    house_run(shop.house, SIM_SECOND);
    unsigned first = shop.out.count;
    assert_in_range(first, 32, 35); /* 2 MiB, one request among them */
    char status[64];
    const struct bus_message *request = NULL;
    for (unsigned i = 0; i < first && !request; i++)
        if (strcmp(catcher_status(&shop.out, i, status, sizeof status),
                   "100 FlowControl Request") == 0)
            request = catcher_at(&shop.out, i);
    assert_non_null(request);
    assert_true(slice_starts_with(request->reply, slice_lit("$JS.FC.S.C.")));
    house_run(shop.house, 10 * SIM_SECOND);
    assert_string_equal(catcher_status(&shop.out, first, status, sizeof status),
                        "100 Idle Heartbeat");
    char stalled[128];
    snprintf(stalled, sizeof stalled, "Nats-Consumer-Stalled: %.*s\r\n\r\n",
             slice_fmt(request->reply));
    slice beat = catcher_at(&shop.out, first)->headers;
    assert_true(beat.len > strlen(stalled));
    assert_slice(slice_skip(beat, beat.len - strlen(stalled)), stalled);
    say(shop.house->bus[0], "$JS.FC.S.C.else", "");
    house_run(shop.house, SIM_SECOND);
    unsigned before = shop.out.count;
    struct bus_message answer = {.subject = request->reply};
    bus_publish(shop.house->bus[0], &answer, NULL, NULL);
    house_run(shop.house, SIM_SECOND);
    assert_in_range(shop.out.count - before, 48, 67); /* what was freed, and 2 MiB more */
    shop_close(&shop);
}

static void test_a_rate_limit_lets_one_large_message_through_and_then_counts(void **state) {
    (void)state;
    struct shop shop = shop_open(1, 0,
                                 "{'durable_name':'C','deliver_subject':'out','ack_policy':'none',"
                                 "'rate_limit_bps':524288}"); /* 64 KiB a second */
    fill_large(&shop, 24);
    shop_listen(&shop);
    house_run(shop.house, 100 * SIM_MILLISECOND);
    assert_in_range(shop.out.count, 15, 16); /* the bucket of 1 MiB */
    house_run(shop.house, 4 * SIM_SECOND);
    assert_in_range(shop.out.count, 18, 20);
    house_run(shop.house, 6 * SIM_SECOND);
    assert_int_equal(shop.out.count, 24);
    shop_close(&shop);
}

static void test_a_pull_is_answered_with_409(void **state) {
    (void)state;
    struct shop shop = shop_open(1, 1, PLAIN);
    struct catcher inbox;
    catcher_open(&inbox, shop.house->bus[0], "_INBOX.me", NULL);
    consumer_pull_text(shop.c, slice_lit("_INBOX.me"), slice_lit("{oops"));
    catcher_wait(shop.house, &inbox, 1);
    char status[64];
    assert_string_equal(catcher_status(&inbox, 0, status, sizeof status),
                        "409 Consumer is push based");
    catcher_close(&inbox);
    house_close(shop.house);
}

static void test_an_ephemeral_one_ends_when_nobody_has_been_there_for_long(void **state) {
    (void)state;
    struct shop shop = shop_open(1, 1,
                                 "{'name':'E','deliver_subject':'out','ack_policy':'none',"
                                 "'inactive_threshold':2000000000}");
    shop_listen(&shop);
    house_run(shop.house, 10 * SIM_SECOND);
    assert_non_null(kit_find_consumer(shop.house, "S", "E"));
    catcher_close(&shop.out);
    house_run(shop.house, SIM_SECOND);
    assert_non_null(kit_find_consumer(shop.house, "S", "E"));
    house_run(shop.house, 2 * SIM_SECOND);
    assert_null(kit_find_consumer(shop.house, "S", "E"));
    house_close(shop.house);
}

static void test_it_is_there_again_after_a_kill(void **state) {
    (void)state;
    struct shop shop = shop_open(2, 4,
                                 "{'durable_name':'C','deliver_subject':'out',"
                                 "'ack_policy':'explicit','ack_wait':1000000000}");
    shop_listen(&shop);
    catcher_wait(shop.house, &shop.out, 4);
    kit_ack(&shop.out, 0, "+ACK", "_INBOX.sure");
    house_run(shop.house, 100 * SIM_MILLISECOND);
    catcher_close(&shop.out);
    house_kill(shop.house);
    house_streams(shop.house);
    shop_listen(&shop);
    catcher_wait(shop.house, &shop.out, 3);
    assert_int_equal(kit_address(catcher_at(&shop.out, 0)).stream, 2);
    shop_close(&shop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_rests_without_interest_and_says_whether_somebody_is_there),
        cmocka_unit_test(test_another_deliver_group_wakes_one_that_sleeps),
        cmocka_unit_test(test_heartbeats_follow_the_last_message),
        cmocka_unit_test(test_the_window_is_2_mib_and_doubles_with_each_answer),
        cmocka_unit_test(test_a_rate_limit_lets_one_large_message_through_and_then_counts),
        cmocka_unit_test(test_a_pull_is_answered_with_409),
        cmocka_unit_test(test_an_ephemeral_one_ends_when_nobody_has_been_there_for_long),
        cmocka_unit_test(test_it_is_there_again_after_a_kill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
