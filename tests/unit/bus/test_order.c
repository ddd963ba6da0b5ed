#include "bus_kit.h"

/* Delivery in order per subject: "nonet.ordered": "subject" in a consumer's metadata. */

struct shop {
    struct house *house;
    struct consumer *c;
    struct catcher inbox;
};

#define ORDERED "'ack_policy':'explicit','metadata':{'nonet.ordered':'subject'}"

static const char *const PLAIN = "{'durable_name':'C'," ORDERED "}";

/* Publishes to s.<letter> for each letter of SUBJECTS: the sequences are its places, from 1. */
static void publish(struct shop *shop, const char *subjects) {
    for (const char *at = subjects; *at; at++) {
        char subject[] = "s.?";
        subject[2] = *at;
        kit_fill(shop->house, subject, 1);
    }
}

static void listen(struct shop *shop) {
    catcher_open(&shop->inbox, shop->house->bus[0], "_INBOX.me", NULL);
    house_run(shop->house, 10 * SIM_MILLISECOND);
}

static void shop_open(struct shop *shop, unsigned shards, const char *subjects,
                      const char *consumer) {
    *shop = (struct shop){.house = house_open(31, shards)};
    house_streams(shop->house);
    assert_non_null(kit_stream(shop->house, "{'name':'S','subjects':['s.>']}"));
    publish(shop, subjects);
    shop->c = kit_consumer(shop->house, "S", consumer);
    if (!shop->c)
        fail_msg("%s", kit_error.description);
    listen(shop);
}

static void shop_close(struct shop *shop) {
    catcher_close(&shop->inbox);
    house_close(shop->house);
}

static void pull(struct shop *shop, unsigned batch) {
    kit_pull(shop->c, "_INBOX.me", batch, 100 * SIM_SECOND);
}

static void settle(struct shop *shop) {
    house_run(shop->house, 100 * SIM_MILLISECOND);
}

/* What has come since the last look, by stream sequences: "1 2 5". */
static void expect(struct shop *shop, const char *sequences) {
    char text[256] = "";
    settle(shop);
    for (unsigned i = 0; i < shop->inbox.count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%u", i ? " " : "",
                 (unsigned)kit_address(catcher_at(&shop->inbox, i)).stream);
    assert_string_equal(text, sequences);
}

/* Says BODY to the newest delivery of SEQUENCE. */
static void answer(struct shop *shop, unsigned sequence, const char *body) {
    for (unsigned i = shop->inbox.count; i-- > 0;)
        if (kit_address(catcher_at(&shop->inbox, i)).stream == sequence) {
            kit_ack(&shop->inbox, i, body, NULL);
            return;
        }
    fail_msg("message %u has not come", sequence);
}

static void test_one_message_of_a_subject_is_in_flight_and_the_others_go_on(void **state) {
    (void)state;
    for (unsigned shards = 1; shards <= 2; shards++) {
        struct shop shop;
        shop_open(&shop, shards, "aabacb", PLAIN);
        pull(&shop, 100);
        expect(&shop, "1 3 5"); /* a b c */
        struct consumer_info info = consumer_info(shop.c);
        assert_int_equal(info.ack_pending, 3);
        assert_int_equal(info.pending, 3);
        assert_int_equal(kit_address(catcher_at(&shop.inbox, 2)).pending, 3);
        answer(&shop, 3, "");
        expect(&shop, "1 3 5 6");
        assert_int_equal(kit_address(catcher_at(&shop.inbox, 3)).pending, 2);
        answer(&shop, 1, "");
        expect(&shop, "1 3 5 6 2");
        publish(&shop, "cd"); /* 7 8 */
        expect(&shop, "1 3 5 6 2 8");
        answer(&shop, 2, "");
        answer(&shop, 5, "");
        expect(&shop, "1 3 5 6 2 8 4 7");
        info = consumer_info(shop.c);
        assert_int_equal(info.pending, 0);
        assert_int_equal(info.ack_floor.stream, 3);
        shop_close(&shop);
    }
}

static void test_a_redelivery_holds_its_subject_and_no_other(void **state) {
    (void)state;
    struct shop shop;
    shop_open(&shop, 1, "aabb", "{'durable_name':'C','ack_wait':1000000000," ORDERED "}");
    pull(&shop, 100);
    expect(&shop, "1 3");
    answer(&shop, 1, "-NAK {\"delay\":10000000000}");
    answer(&shop, 3, "");
    expect(&shop, "1 3 4");
    answer(&shop, 4, "-NAK");
    expect(&shop, "1 3 4 4");
    house_run(shop.house, 1200 * SIM_MILLISECOND); /* not answered in time */
    expect(&shop, "1 3 4 4 4");
    answer(&shop, 4, "");
    house_run(shop.house, 8500 * SIM_MILLISECOND);
    expect(&shop, "1 3 4 4 4 1");
    answer(&shop, 1, "");
    expect(&shop, "1 3 4 4 4 1 2");
    shop_close(&shop);
}

static void test_given_up_and_terminated_ones_release_their_subject(void **state) {
    (void)state;
    struct shop shop;
    shop_open(&shop, 1, "aaa",
              "{'durable_name':'C','max_deliver':1,'ack_wait':1000000000," ORDERED "}");
    pull(&shop, 100);
    expect(&shop, "1");
    answer(&shop, 1, "+TERM");
    expect(&shop, "1 2");
    house_run(shop.house, 1200 * SIM_MILLISECOND);
    expect(&shop, "1 2 3");
    shop_close(&shop);
}

static void test_a_parked_one_releases_it_and_replayed_waits_for_it_again(void **state) {
    (void)state;
    struct shop shop;
    shop_open(&shop, 1, "aaaaa",
              "{'durable_name':'C','ack_policy':'explicit','metadata':"
              "{'nonet.ordered':'subject','nonet.park':'true'}}");
    pull(&shop, 100);
    expect(&shop, "1");
    answer(&shop, 1, "+TERM");
    expect(&shop, "1 2");
    answer(&shop, 2, "+TERM");
    expect(&shop, "1 2 3");
    assert_int_equal(consumer_parked_replay(shop.c, 2), 0);
    assert_int_equal(consumer_parked_replay(shop.c, 1), 0);
    assert_int_equal(consumer_parked_count(shop.c), 0);
    expect(&shop, "1 2 3"); /* 3 is still out */
    answer(&shop, 3, "");
    expect(&shop, "1 2 3 1");
    assert_int_equal(kit_address(catcher_at(&shop.inbox, 3)).deliveries, 2);
    answer(&shop, 1, "");
    expect(&shop, "1 2 3 1 2");
    answer(&shop, 2, "+TERM");
    expect(&shop, "1 2 3 1 2 4");
    assert_int_equal(consumer_parked_drop(shop.c, 2), 0);
    answer(&shop, 4, "");
    expect(&shop, "1 2 3 1 2 4 5");
    shop_close(&shop);
}

static void test_what_waits_is_not_to_be_acknowledged(void **state) {
    (void)state;
    static const char *const bodies[] = {"", "-NAK", "+TERM", "+WPI"};
    struct shop shop;
    shop_open(&shop, 1, "aaa", PLAIN);
    pull(&shop, 100);
    expect(&shop, "1");
    for (unsigned i = 0; i < array_count(bodies); i++)
        ask(shop.house->bus[0], "$JS.ACK.S.C.1.2.2.0.0", "", bodies[i]);
    settle(&shop);
    answer(&shop, 1, "");
    expect(&shop, "1 2");
    answer(&shop, 2, "");
    expect(&shop, "1 2 3");
    shop_close(&shop);
}

static void test_with_filters_max_ack_pending_and_push(void **state) {
    (void)state;
    struct shop shop;
    shop_open(&shop, 1, "axbaxcabx",
              "{'durable_name':'C','max_ack_pending':2,"
              "'filter_subjects':['s.a','s.b','s.c']," ORDERED "}");
    pull(&shop, 100);
    expect(&shop, "1 3"); /* as many as may be */
    answer(&shop, 3, "");
    expect(&shop, "1 3 6"); /* 4, of a, was passed over */
    answer(&shop, 1, "");
    expect(&shop, "1 3 6 8"); /* before it is on disk that 1 is done, 4 is not free */
    answer(&shop, 6, "");
    expect(&shop, "1 3 6 8 4");
    answer(&shop, 4, "");
    expect(&shop, "1 3 6 8 4 7");
    shop_close(&shop);
    shop_open(&shop, 1, "aab", "{'durable_name':'C','deliver_subject':'_INBOX.me'," ORDERED "}");
    expect(&shop, "1 3");
    answer(&shop, 1, "");
    expect(&shop, "1 3 2");
    shop_close(&shop);
}

static void ignore_purged(void *self, uint64_t purged, const struct streams_error *error) {
    (void)self;
    (void)purged;
    assert_null(error);
}

static void test_what_leaves_the_stream_leaves_the_line(void **state) {
    (void)state;
    struct shop shop;
    shop_open(&shop, 1, "aabaabb", PLAIN);
    pull(&shop, 100);
    expect(&shop, "1 3");
    stream_purge(kit_find(shop.house, "S"), (slice){0}, 5, 0, ignore_purged, NULL);
    settle(&shop); /* 5 6 7 are left: a b b */
    assert_int_equal(consumer_info(shop.c).pending, 3);
    assert_int_equal(consumer_info(shop.c).ack_pending, 0);
    expect(&shop, "1 3 5 6");
    answer(&shop, 6, "");
    expect(&shop, "1 3 5 6 7");
    shop_close(&shop);
}

static void test_requests_that_do_not_wait_are_told_that_nothing_is_free(void **state) {
    (void)state;
    struct shop shop;
    shop_open(&shop, 1, "aa", PLAIN);
    pull(&shop, 1);
    expect(&shop, "1");
    struct consumer_pull now = {.reply = slice_lit("_INBOX.me"), .batch = 1, .no_wait = true};
    consumer_pull(shop.c, &now);
    settle(&shop);
    char status[64];
    assert_string_equal(catcher_status(&shop.inbox, 1, status, sizeof status), "404 No Messages");
    kit_ack(&shop.inbox, 0, "", NULL);
    settle(&shop);
    consumer_pull(shop.c, &now);
    settle(&shop);
    assert_int_equal(kit_address(catcher_at(&shop.inbox, 2)).stream, 2);
    shop_close(&shop);
}

static void test_it_is_as_it_was_after_a_kill_and_after_a_stop(void **state) {
    (void)state;
    static void (*const ends[])(struct house *) = {house_kill, house_stop, house_cut};
    for (unsigned i = 0; i < array_count(ends); i++) {
        struct shop shop;
        shop_open(&shop, 1, "aabbaac",
                  "{'durable_name':'C','ack_wait':1000000000,'ack_policy':"
                  "'explicit','metadata':{'nonet.ordered':'subject',"
                  "'nonet.park':'true'}}");
        pull(&shop, 100);
        expect(&shop, "1 3 7");
        answer(&shop, 1, "+TERM");
        expect(&shop, "1 3 7 2");
        assert_int_equal(consumer_parked_replay(shop.c, 1), 0);
        settle(&shop);
        catcher_close(&shop.inbox);
        ends[i](shop.house);
        house_streams(shop.house);
        shop.c = kit_find_consumer(shop.house, "S", "C");
        listen(&shop);
        assert_int_equal(consumer_info(shop.c).ack_pending, 4);
        assert_int_equal(consumer_info(shop.c).pending, 3);
        pull(&shop, 100);
        house_run(shop.house, 900 * SIM_MILLISECOND); /* 3 7 2, by their own deadlines */
        assert_int_equal(shop.inbox.count, 3);
        answer(&shop, 2, "");
        answer(&shop, 3, "");
        settle(&shop);
        assert_int_equal(shop.inbox.count, 5);
        answer(&shop, 1, ""); /* replayed, before 5 */
        answer(&shop, 4, "");
        settle(&shop);
        assert_int_equal(shop.inbox.count, 6);
        answer(&shop, 5, "");
        settle(&shop);
        answer(&shop, 6, "");
        answer(&shop, 7, "");
        settle(&shop);
        assert_int_equal(consumer_info(shop.c).ack_floor.stream, 7);
        shop_close(&shop);
    }
}

static void test_so_many_wait_and_then_it_stops_until_some_are_free(void **state) {
    (void)state;
    struct shop shop = {.house = house_open(33, 1)};
    house_streams(shop.house);
    assert_non_null(kit_stream(shop.house, "{'name':'S','subjects':['s.>'],'storage':'memory'}"));
    kit_fill(shop.house, "s.a", CONSUMER_PASSED_MAX + 2);
    kit_fill(shop.house, "s.b", 1);
    shop.c = kit_consumer(shop.house, "S", PLAIN);
    listen(&shop);
    pull(&shop, 100);
    house_run(shop.house, 10 * SIM_SECOND);
    expect(&shop, "1");
    assert_int_equal(consumer_info(shop.c).pending, CONSUMER_PASSED_MAX + 2);
    answer(&shop, 1, "");
    char expected[32];
    snprintf(expected, sizeof expected, "1 2 %u", CONSUMER_PASSED_MAX + 3);
    expect(&shop, expected);
    shop_close(&shop);
}

static void test_it_goes_with_explicit_acknowledgements_and_does_not_change(void **state) {
    (void)state;
    struct shop shop;
    shop_open(&shop, 1, "a", PLAIN);
    static const char *const refused[] = {
        "{'durable_name':'C','ack_policy':'explicit'}",
        "{'durable_name':'D','ack_policy':'all','metadata':{'nonet.ordered':'subject'}}",
        "{'durable_name':'D','ack_policy':'explicit','metadata':{'nonet.ordered':'key'}}",
    };
    for (unsigned i = 0; i < array_count(refused); i++) {
        assert_null(kit_consumer(shop.house, "S", refused[i]));
        assert_int_equal(kit_error.err_code, 10012);
        assert_non_null(strstr(kit_error.description, "nonet.ordered"));
    }
    shop_close(&shop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_message_of_a_subject_is_in_flight_and_the_others_go_on),
        cmocka_unit_test(test_a_redelivery_holds_its_subject_and_no_other),
        cmocka_unit_test(test_given_up_and_terminated_ones_release_their_subject),
        cmocka_unit_test(test_a_parked_one_releases_it_and_replayed_waits_for_it_again),
        cmocka_unit_test(test_what_waits_is_not_to_be_acknowledged),
        cmocka_unit_test(test_with_filters_max_ack_pending_and_push),
        cmocka_unit_test(test_what_leaves_the_stream_leaves_the_line),
        cmocka_unit_test(test_requests_that_do_not_wait_are_told_that_nothing_is_free),
        cmocka_unit_test(test_it_is_as_it_was_after_a_kill_and_after_a_stop),
        cmocka_unit_test(test_so_many_wait_and_then_it_stops_until_some_are_free),
        cmocka_unit_test(test_it_goes_with_explicit_acknowledgements_and_does_not_change),
    };
    return cmocka_run_group_tests_name("bus_order", tests, NULL, NULL);
}
