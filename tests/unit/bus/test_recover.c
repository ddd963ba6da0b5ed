#include "bus_kit.h"

#include "base/random.h"
#include "bus/consumer_order.h"

/* What of consumers survives a clean stop (snapshot) and a kill (deltas), and what is refused. */

static const char *const S = "{'name':'S','subjects':['s.>']}";
static const char *const C = "{'durable_name':'C','ack_policy':'explicit','ack_wait':5000000000}";
static const char *const ORDERED = "{'durable_name':'C','ack_policy':'explicit',"
                                   "'ack_wait':5000000000,'metadata':{'nonet.ordered':'subject',"
                                   "'nonet.park':'true'}}";

static struct house *open_house(unsigned messages) {
    struct house *house = house_open(13, 1);
    house_streams(house);
    assert_non_null(kit_stream(house, S));
    kit_fill(house, "s.a", messages);
    return house;
}

/* Delivers COUNT messages and acknowledges those whose place is in DONE, the last one twice. */
static void use(struct house *house, unsigned count, const unsigned *done, unsigned done_count) {
    struct catcher inbox, acks;
    catcher_open(&inbox, house->bus[0], "_INBOX.me", NULL);
    catcher_open(&acks, house->bus[0], "_INBOX.acks", NULL);
    kit_pull(kit_find_consumer(house, "S", "C"), "_INBOX.me", count, 0);
    catcher_wait(house, &inbox, count);
    for (unsigned i = 0; i < done_count; i++)
        kit_ack(&inbox, done[i], "", "_INBOX.acks");
    catcher_wait(house, &acks, done_count);
    house_run(house, SIM_SECOND);
    catcher_close(&inbox);
    catcher_close(&acks);
}

static void (*const ends[])(struct house *house) = {house_stop, house_kill};

static void test_positions_and_what_is_in_flight_survive(void **state) {
    (void)state;
    static const unsigned done[] = {0, 1, 4};
    for (unsigned i = 0; i < array_count(ends); i++) {
        struct house *house = open_house(10);
        assert_non_null(kit_consumer(house, "S", C));
        use(house, 7, done, array_count(done));
        struct consumer_info before = consumer_info(kit_find_consumer(house, "S", "C"));
        ends[i](house);
        house_streams(house);
        struct consumer *c = kit_find_consumer(house, "S", "C");
        assert_non_null(c);
        struct consumer_info after = consumer_info(c);
        assert_int_equal(after.delivered.consumer, before.delivered.consumer);
        assert_int_equal(after.delivered.stream, 7);
        assert_int_equal(after.ack_floor.stream, 2);
        assert_int_equal(after.ack_floor.consumer, 2);
        assert_int_equal(after.ack_pending, 4);
        assert_int_equal(after.pending, 3);
        assert_int_equal(after.created_ns, before.created_ns);
        assert_true(consumer_config(c)->durable && consumer_config(c)->ack == ACK_EXPLICIT);
        assert_int_equal(consumer_config(c)->ack_wait_ns, 5 * SIM_SECOND);
        struct catcher inbox;
        catcher_open(&inbox, house->bus[0], "_INBOX.me", NULL);
        kit_pull(c, "_INBOX.me", 10, 20 * SIM_SECOND);
        catcher_wait(house, &inbox, 3);
        assert_int_equal(kit_address(catcher_at(&inbox, 0)).stream, 8);
        house_run(house, 2 * SIM_SECOND); /* delivered over a second before the end */
        assert_int_equal(inbox.count, 3);
        house_run(house, 2500 * SIM_MILLISECOND);
        assert_int_equal(inbox.count, 7); /* the four in flight, when their time is over */
        static const unsigned again[] = {3, 4, 6, 7};
        for (unsigned n = 0; n < 4; n++) {
            struct kit_address address = kit_address(catcher_at(&inbox, 3 + n));
            assert_int_equal(address.stream, again[n]);
            assert_int_equal(address.deliveries, 2);
        }
        catcher_close(&inbox);
        house_close(house);
    }
}

static void test_deliveries_are_counted_over_restarts(void **state) {
    (void)state;
    for (unsigned i = 0; i < array_count(ends); i++) {
        struct house *house = open_house(1);
        assert_non_null(kit_consumer(house, "S",
                                     "{'durable_name':'C','ack_policy':'explicit',"
                                     "'ack_wait':1000000000,'max_deliver':3}"));
        struct catcher inbox;
        for (unsigned life = 0; life < 3; life++) {
            catcher_open(&inbox, house->bus[0], "_INBOX.me", NULL);
            kit_pull(kit_find_consumer(house, "S", "C"), "_INBOX.me", 1, 0);
            catcher_wait(house, &inbox, 1);
            assert_int_equal(kit_address(catcher_at(&inbox, 0)).deliveries, life + 1);
            house_run(house, 100 * SIM_MILLISECOND);
            catcher_close(&inbox);
            ends[i](house);
            house_streams(house);
        }
        house_run(house, 2 * SIM_SECOND);
        assert_int_equal(consumer_info(kit_find_consumer(house, "S", "C")).ack_pending, 0);
        house_close(house);
    }
}

static void test_ack_all_and_the_rest_survive(void **state) {
    (void)state;
    static const unsigned done[] = {4};
    for (unsigned i = 0; i < array_count(ends); i++) {
        struct house *house = open_house(10);
        assert_non_null(kit_consumer(house, "S", "{'durable_name':'C','ack_policy':'all'}"));
        use(house, 7, done, array_count(done));
        ends[i](house);
        house_streams(house);
        struct consumer_info info = consumer_info(kit_find_consumer(house, "S", "C"));
        assert_int_equal(info.ack_floor.stream, 5);
        assert_int_equal(info.ack_pending, 2);
        house_close(house);
    }
}

static void test_consumers_without_acknowledgement_go_on_where_they_were(void **state) {
    (void)state;
    for (unsigned i = 0; i < array_count(ends); i++) {
        struct house *house = open_house(10);
        assert_non_null(kit_consumer(house, "S", "{'durable_name':'C','ack_policy':'none'}"));
        use(house, 7, NULL, 0);
        ends[i](house);
        house_streams(house);
        struct consumer_info info = consumer_info(kit_find_consumer(house, "S", "C"));
        assert_int_equal(info.delivered.stream, 7);
        assert_int_equal(info.delivered.consumer, 7);
        assert_int_equal(info.ack_pending, 0);
        house_close(house);
    }
}

static void test_ephemerals_survive_those_in_memory_do_not(void **state) {
    (void)state;
    for (unsigned i = 0; i < array_count(ends); i++) {
        struct house *house = open_house(1);
        assert_non_null(kit_stream(house, "{'name':'M','subjects':['m'],'storage':'memory'}"));
        assert_non_null(kit_consumer(house, "S", "{'name':'E'}"));
        assert_non_null(kit_consumer(house, "S", "{'durable_name':'M','mem_storage':true}"));
        assert_non_null(kit_consumer(house, "M", "{'durable_name':'C'}"));
        ends[i](house);
        house_streams(house);
        assert_non_null(kit_find_consumer(house, "S", "E"));
        assert_null(kit_find_consumer(house, "S", "M"));
        assert_null(kit_find(house, "M"));
        house_run(house, 10 * SIM_SECOND);
        assert_null(kit_find_consumer(house, "S", "E"));
        house_close(house);
    }
}

static void test_what_was_removed_stays_away(void **state) {
    (void)state;
    for (unsigned i = 0; i < array_count(ends); i++) {
        struct house *house = open_house(3);
        struct consumer *c = kit_consumer(house, "S", C);
        use(house, 2, NULL, 0);
        assert_true(kit_delete_consumer(house, c));
        ends[i](house);
        house_streams(house);
        assert_null(kit_find_consumer(house, "S", "C"));
        assert_non_null(kit_consumer(house, "S", C));
        assert_int_equal(consumer_info(kit_find_consumer(house, "S", "C")).delivered.consumer, 0);
        ends[i](house);
        house_streams(house);
        assert_int_equal(consumer_info(kit_find_consumer(house, "S", "C")).delivered.consumer, 0);
        house_close(house);
    }
}

static void test_last_per_subject_goes_on_after_a_restart(void **state) {
    (void)state;
    for (unsigned i = 0; i < array_count(ends); i++) {
        struct house *house = house_open(17, 1);
        house_streams(house);
        assert_non_null(kit_stream(house, S));
        static const char *const subjects[] = {"s.a", "s.b", "s.c", "s.d"};
        for (unsigned n = 0; n < 8; n++)
            kit_fill(house, subjects[n % 4], 1);
        assert_non_null(
            kit_consumer(house, "S",
                         "{'durable_name':'C','ack_policy':'none',"
                         "'deliver_policy':'last_per_subject','filter_subject':'s.*'}"));
        use(house, 2, NULL, 0);    /* 5, 6 */
        kit_fill(house, "s.c", 1); /* 9: in the place of 7 */
        ends[i](house);
        house_streams(house);
        struct consumer *c = kit_find_consumer(house, "S", "C");
        consumer_info(c); /* an estimate, while the blocks are on disk */
        house_run(house, 100 * SIM_MILLISECOND);
        assert_int_equal(consumer_info(c).pending, 2);
        struct catcher inbox;
        catcher_open(&inbox, house->bus[0], "_INBOX.me", NULL);
        kit_pull(c, "_INBOX.me", 5, SIM_SECOND);
        catcher_wait(house, &inbox, 3);
        assert_int_equal(kit_address(catcher_at(&inbox, 0)).stream, 8);
        assert_int_equal(kit_address(catcher_at(&inbox, 1)).stream, 9);
        catcher_close(&inbox);
        house_close(house);
    }
}

/* --- damage --------------------------------------------------------------------------------------
 */

static int replay(struct house *house, const void *bytes, size_t len) {
    unsigned count;
    const struct log_owner *owner = streams_owners(house->streams, &count);
    assert_int_equal(count, 1);
    return owner->replay(owner->self, slice_make(bytes, len), 1);
}

static int restore(struct house *house, slice bytes) {
    unsigned count;
    const struct log_owner *owner = streams_owners(house->streams, &count);
    return owner->restore(owner->self, bytes);
}

static void snapshot(struct house *house, struct buf *out) {
    unsigned count;
    const struct log_owner *owner = streams_owners(house->streams, &count);
    assert_int_equal(owner->snapshot(owner->self, out), 0);
}

static struct house *open_streams_only(void) {
    struct house *house = house_open(19, 1);
    struct streams_options options = {.bus = house->bus[0]};
    assert_int_equal(streams_create(&options, &house->streams), 0);
    return house;
}

static void close_streams_only(struct house *house) {
    house->streams = streams_free(house->streams);
    house_close(house);
}

static void test_deltas_that_make_no_sense_are_refused(void **state) {
    (void)state;
    struct house *house = open_streams_only();
    static const struct {
        const char *bytes;
        size_t len;
        int answer;
    } cases[] = {
        {"\x09", 1, 0},                                                     /* nothing */
        {"\x00", 1, -EBADMSG},                                              /* no such kind */
        {"\x0d", 1, -EBADMSG},                                              /* a newer kind */
        {"\x03\x01", 2, -EBADMSG},                                          /* an id never given */
        {"\x03", 1, -EBADMSG},                                              /* cut short */
        {"\x04\x01\x02", 3, -EBADMSG},                                      /* a time cut short */
        {"\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12, -EBADMSG}, /* a number too long */
        {"\x01\x01\x01\x00"
         "12345678"
         "\x05"
         "S",
         14, -EBADMSG}, /* a text too long */
    };
    for (unsigned i = 0; i < array_count(cases); i++)
        assert_int_equal(replay(house, cases[i].bytes, cases[i].len), cases[i].answer);
    assert_int_equal(restore(house, slice_lit("")), -EBADMSG);
    assert_int_equal(restore(house, slice_lit("\x05"
                                              "12345678"
                                              "\x01\x00")),
                     -EBADMSG);
    assert_int_equal(restore(house, slice_lit("\x01"
                                              "1234")),
                     -EBADMSG);
    close_streams_only(house);
}

/* Flips bytes of the snapshot GOOD, and cuts it. */
static void damage(const struct buf *good) {
    struct random random = random_make(23);
    for (unsigned i = 0; i < 2000; i++) {
        struct buf bad = buf_make(1u << 20);
        assert_int_equal(buf_append(&bad, buf_slice(good)), 0);
        size_t cut = i % 3 == 0 ? random_below(&random, bad.len) : bad.len;
        for (unsigned n = 0; n < 1 + i % 3; n++)
            bad.ptr[random_below(&random, bad.len)] = (char)random_u64(&random);
        struct house *house = open_streams_only();
        int failed = restore(house, slice_make(bad.ptr, cut));
        assert_true(failed == 0 || failed == -EBADMSG || failed == -ENOMEM);
        close_streams_only(house);
        buf_free(&bad);
    }
}

static void test_a_damaged_snapshot_is_refused_or_read_never_followed_blindly(void **state) {
    (void)state;
    static const unsigned done[] = {1, 3};
    struct house *house = open_house(40);
    assert_non_null(kit_consumer(house, "S", C));
    use(house, 9, done, array_count(done));
    struct buf good = buf_make(1u << 20);
    snapshot(house, &good);
    house_close(house);
    damage(&good);
    buf_free(&good);
}

static void test_a_damaged_snapshot_with_keys_is_treated_likewise(void **state) {
    (void)state;
    struct house *house = open_house(40);
    kit_fill(house, "s.b", 20);
    assert_non_null(kit_consumer(house, "S", ORDERED));
    struct catcher inbox;
    catcher_open(&inbox, house->bus[0], "_INBOX.me", NULL);
    kit_pull(kit_find_consumer(house, "S", "C"), "_INBOX.me", 5, 0);
    catcher_wait(house, &inbox, 2);
    kit_ack(&inbox, 0, "+TERM", NULL);
    catcher_wait(house, &inbox, 3); /* one parked, two in flight, the others wait */
    struct buf good = buf_make(1u << 20);
    snapshot(house, &good);
    catcher_close(&inbox);
    house_close(house);
    damage(&good);
    buf_free(&good);
}

/* Version 3 knew nothing of what was released, 2 no keys, 1 no parked messages either: each is a
   number less at the end. */
static void test_snapshots_of_older_versions_are_read(void **state) {
    (void)state;
    static const unsigned done[] = {1, 3};
    struct house *house = open_house(10);
    assert_non_null(kit_consumer(house, "S", C));
    use(house, 5, done, array_count(done));
    struct buf now = buf_make(1u << 20), again = buf_make(1u << 20);
    snapshot(house, &now);
    house_close(house);
    assert_int_equal(now.ptr[0], 4);
    for (unsigned i = 1; i <= 3; i++)
        assert_int_equal(now.ptr[now.len - i], 0);
    for (char version = 4; version >= 1; version--) {
        house = open_streams_only();
        now.ptr[0] = version;
        assert_int_equal(restore(house, slice_make(now.ptr, now.len - (size_t)(4 - version))), 0);
        buf_clear(&again);
        snapshot(house, &again);
        assert_int_equal(again.ptr[0], 4);
        assert_int_equal(again.len, now.len);
        close_streams_only(house);
    }
    buf_free(&now);
    buf_free(&again);
}

static void test_the_longest_time_there_is_comes_back(void **state) {
    (void)state;
    struct house *house = open_house(2);
    assert_non_null(kit_consumer(house, "S", C));
    struct catcher inbox;
    catcher_open(&inbox, house->bus[0], "_INBOX.me", NULL);
    kit_pull(kit_find_consumer(house, "S", "C"), "_INBOX.me", 2, 0);
    catcher_wait(house, &inbox, 2);
    kit_ack(&inbox, 0, "-NAK {\"delay\": 9223372036854775807}", NULL);
    struct buf now = buf_make(1u << 20), again = buf_make(1u << 20);
    snapshot(house, &now);
    catcher_close(&inbox);
    house_close(house);
    house = open_streams_only();
    assert_int_equal(restore(house, buf_slice(&now)), 0);
    snapshot(house, &again);
    assert_int_equal(again.len, now.len);
    close_streams_only(house);
    buf_free(&now);
    buf_free(&again);
}

/* A snapshot may be ahead of the deltas behind it: applying them again changes nothing. */
static void test_deltas_may_be_applied_to_a_state_that_holds_them(void **state) {
    (void)state;
    struct house *house = open_house(10);
    assert_non_null(kit_consumer(house, "S", C));
    static const unsigned done[] = {1, 3};
    use(house, 5, done, array_count(done));
    struct buf before = buf_make(1u << 20), after = buf_make(1u << 20);
    snapshot(house, &before);
    /* delivered 1..5 as 1..5, redelivered 1 (2 times, as 5), done 2 and 4 */
    static const char deltas[] = "\x05\x01\x01\x01\x05"
                                 "\x06\x01\x01\x05\x01"
                                 "\x07\x01\x02\x01"
                                 "\x07\x01\x04\x01"
                                 "\x08\x01\x00";
    assert_int_equal(replay(house, deltas, sizeof deltas - 1), 0);
    snapshot(house, &after);
    assert_int_equal(before.len, after.len);
    assert_memory_equal(before.ptr, after.ptr, before.len);
    buf_free(&before);
    buf_free(&after);
    house_close(house);
}

static void add_turn(struct buf *deltas, unsigned sequence, unsigned consumer_sequence) {
    uint64_t key = consumer_order_key(slice_lit("s.a"));
    const char head[] = {0x0c, 1, (char)sequence, (char)consumer_sequence};
    assert_int_equal(buf_append(deltas, slice_make(head, sizeof head)), 0);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(buf_append_byte(deltas, (char)(key >> (8 * i))), 0);
}

static void test_turns_may_be_applied_to_a_state_that_holds_them(void **state) {
    (void)state;
    struct house *house = open_house(4);
    assert_non_null(kit_consumer(house, "S", ORDERED));
    struct catcher inbox;
    catcher_open(&inbox, house->bus[0], "_INBOX.me", NULL);
    kit_pull(kit_find_consumer(house, "S", "C"), "_INBOX.me", 5, 0);
    catcher_wait(house, &inbox, 1);
    kit_ack(&inbox, 0, "", NULL);
    catcher_wait(house, &inbox, 2);
    struct buf before = buf_make(1u << 20), after = buf_make(1u << 20), deltas = buf_make(4096);
    snapshot(house, &before);
    add_turn(&deltas, 1, 1); /* then 2 3 4 are passed over, 1 is done, 2 has its turn */
    for (unsigned i = 2; i <= 4; i++)
        add_turn(&deltas, i, 0);
    assert_int_equal(buf_append(&deltas, slice_lit("\x07\x01\x01\x01")), 0);
    add_turn(&deltas, 2, 2);
    assert_int_equal(replay(house, deltas.ptr, deltas.len), 0);
    snapshot(house, &after);
    assert_int_equal(before.len, after.len);
    assert_memory_equal(before.ptr, after.ptr, before.len);
    for (unsigned cut = 1; cut < 12; cut++) /* a turn cut short */
        assert_int_equal(replay(house, deltas.ptr, cut), -EBADMSG);
    catcher_close(&inbox);
    buf_free(&before);
    buf_free(&after);
    buf_free(&deltas);
    house_close(house);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_positions_and_what_is_in_flight_survive),
        cmocka_unit_test(test_deliveries_are_counted_over_restarts),
        cmocka_unit_test(test_ack_all_and_the_rest_survive),
        cmocka_unit_test(test_consumers_without_acknowledgement_go_on_where_they_were),
        cmocka_unit_test(test_ephemerals_survive_those_in_memory_do_not),
        cmocka_unit_test(test_what_was_removed_stays_away),
        cmocka_unit_test(test_last_per_subject_goes_on_after_a_restart),
        cmocka_unit_test(test_deltas_that_make_no_sense_are_refused),
        cmocka_unit_test(test_a_damaged_snapshot_is_refused_or_read_never_followed_blindly),
        cmocka_unit_test(test_snapshots_of_older_versions_are_read),
        cmocka_unit_test(test_a_damaged_snapshot_with_keys_is_treated_likewise),
        cmocka_unit_test(test_turns_may_be_applied_to_a_state_that_holds_them),
        cmocka_unit_test(test_the_longest_time_there_is_comes_back),
        cmocka_unit_test(test_deltas_may_be_applied_to_a_state_that_holds_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
