#include "bus_kit.h"

#include "base/buf.h"
#include "base/number.h"
#include "bus/publish_batch.h"
#include "wire/json.h"
#include "wire/nats_headers.h"

/* Atomic batches on the inside: participants, failing memory, bounds, the clock, a kill. What a
   client sees of them is in tests/e2e/jetstream_batch.test.mjs. */

#define INBOX "_INBOX.batch"

struct fixture {
    struct house *house;
    struct catcher inbox;
    unsigned asked;
};

static void open_fixture(struct fixture *f, unsigned shards, const char *config) {
    *f = (struct fixture){.house = house_open(71, shards)};
    house_streams(f->house);
    if (!kit_stream(f->house, config))
        fail_msg("%s", kit_error.description);
    catcher_open(&f->inbox, f->house->bus[0], INBOX, NULL);
    house_run(f->house, 10 * SIM_MILLISECOND); /* the inbox is known on all shards */
}

static void close_fixture(struct fixture *f) {
    catcher_close(&f->inbox);
    house_close(f->house);
}

/* Message SEQUENCE of batch ID; COMMIT NULL: there are more. */
static void send(struct fixture *f, const char *id, unsigned sequence, const char *commit,
                 slice payload) {
    char headers[256];
    int len = snprintf(headers, sizeof headers,
                       "NATS/1.0\r\nNats-Batch-Id: %s\r\nNats-Batch-Sequence: %u\r\n%s%s%s\r\n", id,
                       sequence, commit ? "Nats-Batch-Commit: " : "", commit ? commit : "",
                       commit ? "\r\n" : "");
    f->asked++;
    bus_publish(f->house->bus[0],
                &(struct bus_message){.subject = slice_lit("s.a"),
                                      .reply = slice_lit(INBOX),
                                      .headers = slice_make(headers, (size_t)len),
                                      .payload = payload},
                NULL, NULL);
}

/* What came for the last message: a member of the answer, -1 where it is empty or has none. */
static int64_t answered(struct fixture *f, const char *member) {
    catcher_wait(f->house, &f->inbox, f->asked);
    const struct bus_message *m = catcher_at(&f->inbox, f->asked - 1);
    struct json_doc doc;
    int64_t number = -1;
    if (!m->payload.len)
        return -1;
    json_init(&doc);
    assert_int_equal(json_parse(&doc, m->payload), 0);
    json_value root = json_root(&doc), error = json_member(root, slice_lit("error"));
    if (json_i64(json_member(root, slice_str(member)), &number) &&
        json_i64(json_member(error, slice_str(member)), &number))
        number = -1;
    json_free(&doc);
    return number;
}

static uint64_t messages(struct fixture *f) {
    return log_stream_state(stream_log(kit_find(f->house, "S"))).messages;
}

/* --- participants ------------------------------------------------------------------------- */

static int refuse_bad(void *self, struct log_batch *batch, const struct bus_message *message,
                      uint64_t sequence, struct streams_error *ret_error) {
    (void)batch;
    uint64_t *last = self;
    *last = sequence;
    if (!slice_equal(message->payload, slice_lit("bad")))
        return 0;
    streams_fail(ret_error, 400, 10003, "bad");
    return -EPERM;
}

static void test_a_participant_sees_all_of_a_batch_and_may_refuse_it(void **state) {
    (void)state;
    for (unsigned shards = 1; shards <= 2; shards++) {
        struct fixture f;
        open_fixture(&f, shards, "{'name':'S','subjects':['s.*'],'allow_atomic':true}");
        uint64_t last = 0;
        assert_int_equal(
            bus_on_append(kit_find(f.house, "S"), &(struct stream_participant){refuse_bad, &last}),
            0);
        send(&f, "one", 1, NULL, slice_lit("x"));
        send(&f, "one", 2, NULL, slice_lit("bad"));
        send(&f, "one", 3, "1", slice_lit("x"));
        assert_int_equal(answered(&f, "err_code"), 10003);
        assert_int_equal(last, 2);
        assert_int_equal(messages(&f), 0);
        send(&f, "two", 1, NULL, slice_lit("x"));
        send(&f, "two", 2, "1", slice_lit("x"));
        assert_int_equal(answered(&f, "seq"), 2);
        assert_int_equal(answered(&f, "count"), 2);
        close_fixture(&f);
    }
}

/* --- failures ----------------------------------------------------------------------------- */

static void test_without_memory_a_batch_is_refused_whole(void **state) {
    (void)state;
    bool stored = false;
    for (unsigned long nth = 1; !stored; nth++) {
        struct fixture f;
        open_fixture(&f, 1,
                     "{'name':'S','subjects':['s.*'],'allow_atomic':true,"
                     "'allow_msg_ttl':true}");
        for (unsigned i = 1; i < 4; i++)
            send(&f, "b", i, NULL, slice_lit("x"));
        house_run(f.house, 10 * SIM_MILLISECOND);
        mem_fail_at(nth, false);
        send(&f, "b", 4, "eob", slice_lit("x"));
        mem_fail_at(0, false);
        house_run(f.house, 100 * SIM_MILLISECOND);
        assert_true(messages(&f) == 0 || messages(&f) == 3);
        stored = messages(&f) == 3;
        if (!stored) { /* it is over: the id is free */
            send(&f, "b", 1, "1", slice_lit("x"));
            assert_int_equal(answered(&f, "count"), 1);
        }
        close_fixture(&f);
        assert_true(nth < 1000);
    }
}

static void test_of_batches_killed_on_their_way_nothing_is_left(void **state) {
    (void)state;
    struct fixture f;
    open_fixture(&f, 1, "{'name':'S','subjects':['s.*'],'allow_atomic':true}");
    send(&f, "done", 1, NULL, slice_lit("x"));
    send(&f, "done", 2, "1", slice_lit("x"));
    assert_int_equal(answered(&f, "count"), 2);
    send(&f, "open", 1, NULL, slice_lit("x"));
    send(&f, "cut", 1, NULL, slice_lit("x"));
    send(&f, "cut", 2, "1", slice_lit("x")); /* in the journal's hands, not confirmed */
    catcher_close(&f.inbox);
    house_cut(f.house);
    house_streams(f.house);
    uint64_t left = messages(&f);
    assert_true(left == 2 || left == 4);
    house_close(f.house);
}

static void test_batches_under_way_end_with_their_stream_and_their_node(void **state) {
    (void)state;
    struct fixture f;
    open_fixture(&f, 2, "{'name':'S','subjects':['s.*'],'allow_atomic':true}");
    send(&f, "gone", 1, NULL, slice_lit("x"));
    house_run(f.house, 10 * SIM_MILLISECOND);
    assert_true(kit_delete_stream(f.house, "S"));
    assert_non_null(kit_stream(f.house, "{'name':'S','subjects':['s.*'],'allow_atomic':true}"));
    send(&f, "gone", 2, "1", slice_lit("x"));
    assert_int_equal(answered(&f, "err_code"), 10176);
    send(&f, "open", 1, NULL, slice_lit("x"));
    house_run(f.house, 10 * SIM_MILLISECOND);
    close_fixture(&f); /* nothing may leak */
}

/* --- headers ------------------------------------------------------------------------------ */

/* A block may come without the empty line at its end: to what is added it makes no difference. */
static void test_a_block_cut_short_is_gone_on_with(void **state) {
    (void)state;
    struct fixture f;
    open_fixture(&f, 2, "{'name':'S','subjects':['s.*'],'allow_atomic':true}");
    assert_non_null(
        kit_consumer(f.house, "S", "{'durable_name':'C','ack_policy':'none','headers_only':true}"));
    struct bus_message cut = {
        .subject = slice_lit("s.a"),
        .reply = slice_lit(INBOX),
        .headers = slice_lit("NATS/1.0\r\nNats-Batch-Id: c\r\nNats-Batch-Sequence: 1\r\nK: v\r\n"),
        .payload = slice_lit("xyz")};
    bus_publish(f.house->bus[0], &cut, NULL, NULL);
    f.asked++;
    send(&f, "c", 2, "eob", slice_lit(""));
    assert_int_equal(answered(&f, "count"), 1);
    kit_pull(kit_find_consumer(f.house, "S", "C"), INBOX, 1, 0);
    catcher_wait(f.house, &f.inbox, 3);
    slice headers = catcher_at(&f.inbox, 2)->headers, value;
    static const char *const fields[][2] = {{"Nats-Batch-Sequence", "1"},
                                            {"K", "v"},
                                            {"Nats-Batch-Commit", "1"},
                                            {"Nats-Msg-Size", "3"}};
    for (size_t i = 0; i < array_count(fields); i++) {
        assert_true(nats_headers_get(headers, slice_str(fields[i][0]), &value));
        assert_slice(value, fields[i][1]);
    }
    close_fixture(&f);
}

/* --- bounds ------------------------------------------------------------------------------- */

static void test_ten_idle_seconds_end_a_batch(void **state) {
    (void)state;
    struct fixture f;
    struct catcher advisories;
    open_fixture(&f, 2, "{'name':'S','subjects':['s.*'],'allow_atomic':true}");
    catcher_open(&advisories, f.house->bus[0], "$JS.EVENT.ADVISORY.STREAM.BATCH_ABANDONED.S", NULL);
    send(&f, "b", 1, NULL, slice_lit("x"));
    house_run(f.house, 9 * SIM_SECOND);
    send(&f, "b", 2, NULL, slice_lit("x"));
    house_run(f.house, 9 * SIM_SECOND);
    assert_int_equal(advisories.count, 0);
    house_run(f.house, 2 * SIM_SECOND);
    assert_int_equal(advisories.count, 1);
    send(&f, "b", 3, "1", slice_lit("x"));
    assert_int_equal(answered(&f, "err_code"), 10176);
    catcher_close(&advisories);
    close_fixture(&f);
}

static void test_batches_are_bounded_in_bytes_each_and_together(void **state) {
    (void)state;
    struct fixture f;
    open_fixture(&f, 1, "{'name':'S','subjects':['s.*'],'allow_atomic':true}");
    size_t size = PUBLISH_BATCH_BYTES_MAX / 2 - 1024;
    char *bytes = mem_zalloc(1, size);
    assert_non_null(bytes);
    slice half = slice_make(bytes, size);
    send(&f, "big", 1, NULL, half);
    send(&f, "big", 2, NULL, half);
    assert_int_equal(answered(&f, "err_code"), -1);
    send(&f, "big", 3, NULL, half);
    assert_int_equal(answered(&f, "err_code"), 10199);
    unsigned most = PUBLISH_BATCHES_BYTES_MAX / (PUBLISH_BATCH_BYTES_MAX / 2);
    char id[16];
    for (unsigned i = 0; i < most; i++) {
        snprintf(id, sizeof id, "b%u", i);
        send(&f, id, 1, NULL, half);
        assert_int_equal(answered(&f, "err_code"), -1);
    }
    send(&f, "over", 1, NULL, half);
    assert_int_equal(answered(&f, "err_code"), 10210);
    send(&f, "b0", 2, "eob", slice_lit(""));
    house_run(f.house, SIM_SECOND);
    send(&f, "over", 1, NULL, half); /* b0 has made room, stored or refused */
    assert_int_equal(answered(&f, "err_code"), -1);
    mem_free(bytes);
    close_fixture(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_participant_sees_all_of_a_batch_and_may_refuse_it),
        cmocka_unit_test(test_without_memory_a_batch_is_refused_whole),
        cmocka_unit_test(test_of_batches_killed_on_their_way_nothing_is_left),
        cmocka_unit_test(test_batches_under_way_end_with_their_stream_and_their_node),
        cmocka_unit_test(test_a_block_cut_short_is_gone_on_with),
        cmocka_unit_test(test_ten_idle_seconds_end_a_batch),
        cmocka_unit_test(test_batches_are_bounded_in_bytes_each_and_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
