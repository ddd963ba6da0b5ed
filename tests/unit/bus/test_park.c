#include "bus_kit.h"

/* Parked messages where memory runs out: what was refused has not happened, after a kill neither.
   How they are used is in tests/e2e/jetstream_parked.test.mjs. */

#define MESSAGES 40u /* more than the ring of what is due holds at first */

static struct consumer *open_parked(struct house *house, struct catcher *inbox) {
    house_streams(house);
    assert_non_null(kit_stream(house, "{'name':'S','subjects':['s.>']}"));
    kit_fill(house, "s.a", MESSAGES);
    struct consumer *c = kit_consumer(house, "S",
                                      "{'durable_name':'C','ack_policy':'explicit',"
                                      "'metadata':{'nonet.park':'true'}}");
    assert_non_null(c);
    catcher_open(inbox, house->bus[0], "_INBOX.me", NULL);
    kit_pull(c, "_INBOX.me", MESSAGES, 10 * SIM_SECOND);
    catcher_wait(house, inbox, MESSAGES);
    return c;
}

static struct consumer *kill_and_find(struct house *house, struct catcher *inbox) {
    house_run(house, 100 * SIM_MILLISECOND);
    catcher_close(inbox);
    house_kill(house);
    house_streams(house);
    catcher_open(inbox, house->bus[0], "_INBOX.me", NULL);
    return kit_find_consumer(house, "S", "C");
}

static void test_a_replay_refused_for_memory_leaves_it_parked(void **state) {
    (void)state;
    struct house *house = house_open(21, 1);
    struct catcher inbox;
    struct consumer *c = open_parked(house, &inbox);
    for (unsigned i = 0; i < MESSAGES; i++)
        kit_ack(&inbox, i, "+TERM no", NULL);
    house_run(house, 100 * SIM_MILLISECOND);
    assert_int_equal(consumer_parked_count(c), MESSAGES);
    unsigned refused = 0, replayed = 0;
    for (uint64_t sequence = 1; sequence <= MESSAGES; sequence++) {
        mem_fail_at(1, false);
        int failed = consumer_parked_replay(c, sequence);
        mem_fail_at(0, false);
        refused += failed == -ENOMEM;
        replayed += failed == 0;
    }
    assert_true(refused > 0);
    assert_int_equal(refused + replayed, MESSAGES);
    assert_int_equal(consumer_parked_count(c), refused);
    c = kill_and_find(house, &inbox);
    assert_int_equal(consumer_parked_count(c), refused);
    catcher_close(&inbox);
    house_close(house);
}

static void test_parking_refused_for_memory_leaves_it_in_flight(void **state) {
    (void)state;
    struct house *house = house_open(22, 1);
    struct catcher inbox;
    struct consumer *c = open_parked(house, &inbox);
    for (unsigned nth = 1; nth <= 3; nth++) {
        mem_fail_at(nth, true);
        kit_ack(&inbox, nth, "+TERM no", NULL);
        mem_fail_at(0, false);
    }
    uint64_t parked = consumer_parked_count(c);
    assert_true(parked < 3);
    c = kill_and_find(house, &inbox);
    assert_int_equal(consumer_parked_count(c), parked);
    assert_int_equal(consumer_info(c).ack_pending, MESSAGES - parked);
    catcher_close(&inbox);
    house_close(house);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_replay_refused_for_memory_leaves_it_parked),
        cmocka_unit_test(test_parking_refused_for_memory_leaves_it_in_flight),
    };
    return cmocka_run_group_tests_name("bus_park", tests, NULL, NULL);
}
