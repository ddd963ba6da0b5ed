#include "bus_kit.h"

#include "base/buf.h"
#include "base/number.h"

/* Publishes that carry acknowledgements, on the inside: whatever fails, a message that was consumed
   is done exactly where what came of it is stored. What clients see of it, and kill -9, is in
   tests/e2e/jetstream_acks.test.mjs. */

#define MESSAGES 12u

struct fixture {
    struct house *house;
    struct catcher work, answers;
};

static void take(struct fixture *f) {
    kit_pull(kit_find_consumer(f->house, "IN", "worker"), "_INBOX.work", MESSAGES, SIM_SECOND);
    house_run(f->house, 50 * SIM_MILLISECOND);
}

/* Stream IN with MESSAGES in flight at its worker, stream OUT. */
static void open_fixture(struct fixture *f, uint64_t seed, unsigned shards, const char *retention) {
    char config[256];
    *f = (struct fixture){.house = house_open(seed, shards)};
    house_streams(f->house);
    snprintf(config, sizeof config, "{'name':'IN','subjects':['in'],'retention':'%s'}", retention);
    assert_non_null(kit_stream(f->house, config));
    assert_non_null(kit_stream(f->house, "{'name':'OUT','subjects':['out'],'allow_atomic':true}"));
    assert_non_null(kit_consumer(f->house, "IN",
                                 "{'durable_name':'worker','ack_policy':'explicit',"
                                 "'ack_wait':60000000000}"));
    kit_fill(f->house, "in", MESSAGES);
    catcher_open(&f->work, f->house->bus[0], "_INBOX.work", NULL);
    catcher_open(&f->answers, f->house->bus[0], "_INBOX.out", NULL);
    house_run(f->house, 10 * SIM_MILLISECOND);
    take(f);
    assert_true(f->work.count >= MESSAGES);
}

static void close_fixture(struct fixture *f) {
    catcher_close(&f->work);
    catcher_close(&f->answers);
    house_close(f->house);
}

/* Emits the result of the INDEX-th message, of a batch of its own where BATCH. */
static void emit(struct fixture *f, unsigned index, bool batch) {
    const struct bus_message *m = catcher_at(&f->work, index);
    char headers[512];
    int len = snprintf(headers, sizeof headers, "NATS/1.0\r\nNonet-Ack: %.*s\r\n%s\r\n",
                       slice_fmt(m->reply),
                       batch ? "Nats-Batch-Id: b\r\nNats-Batch-Sequence: 1\r\n"
                               "Nats-Batch-Commit: 1\r\n"
                             : "");
    bus_publish(f->house->bus[0],
                &(struct bus_message){.subject = slice_lit("out"),
                                      .reply = slice_lit("_INBOX.out"),
                                      .headers = slice_make(headers, (size_t)len),
                                      .payload = m->payload},
                NULL, NULL);
}

static unsigned loaded;

static void on_loaded(struct log_load *load, int failed) {
    (void)load;
    assert_int_equal(failed, 0);
    loaded++;
}

static void read_out(struct house *house, struct log_stream *out, uint64_t at,
                     struct log_record *record) {
    struct log_load load = {.done = on_loaded};
    int failed = log_read(house->log, out, at, record);
    if (failed == -EINPROGRESS) {
        loaded = 0;
        assert_int_equal(log_load(house->log, out, at, &load), 0);
        house_until(house, &loaded);
        failed = log_read(house->log, out, at, record);
    }
    assert_int_equal(failed, 0);
}

/* What of the messages is in OUT: a bit each. */
static uint32_t emitted(struct house *house) {
    struct log_stream *out = stream_log(kit_find(house, "OUT"));
    uint32_t bits = 0;
    for (uint64_t at = 1; at <= log_stream_state(out).last_sequence; at++) {
        struct log_record record;
        uint64_t number;
        read_out(house, out, at, &record);
        assert_int_equal(number_parse_u64(record.payload, &number), 0);
        assert_int_equal(bits & 1u << number, 0); /* once */
        assert_true(slice_find_slice(record.headers, slice_lit("Nonet-Ack")) < 0);
        bits |= 1u << number;
    }
    return bits;
}

/* What the worker is not done with: those are delivered again. */
static uint32_t in_flight(struct fixture *f) {
    uint32_t bits = 0;
    uint64_t number;
    for (unsigned i = 0; i < f->work.count; i++)
        if (catcher_at(&f->work, i)->payload.len &&
            number_parse_u64(catcher_at(&f->work, i)->payload, &number) == 0)
            bits |= 1u << number;
    return bits;
}

#define ALL_BITS (((1u << MESSAGES) - 1) << 1)

static void reopen(struct fixture *f) {
    house_streams(f->house);
    catcher_open(&f->work, f->house->bus[0], "_INBOX.work", NULL);
    catcher_open(&f->answers, f->house->bus[0], "_INBOX.out", NULL);
    house_run(f->house, 61 * SIM_SECOND); /* ack_wait */
    take(f);
}

static void test_after_a_power_cut_what_is_done_is_what_was_emitted(void **state) {
    (void)state;
    static const char *const retentions[] = {"limits", "workqueue", "interest"};
    unsigned some = 0;
    for (unsigned round = 0; round < 36; round++) {
        struct fixture f;
        open_fixture(&f, 100 + round, 1 + round % 2, retentions[round % 3]);
        for (unsigned i = 0; i < MESSAGES; i++) {
            emit(&f, i, i % 3 == 0);
            house_run(f.house, round * 20000ull);
        }
        catcher_close(&f.work);
        catcher_close(&f.answers);
        house_cut(f.house);
        reopen(&f);
        uint32_t bits = emitted(f.house);
        assert_int_equal(bits ^ in_flight(&f), ALL_BITS);
        uint64_t left = log_stream_state(stream_log(kit_find(f.house, "IN"))).messages;
        assert_int_equal(left,
                         round % 3 ? (uint64_t)__builtin_popcount(ALL_BITS & ~bits) : MESSAGES);
        some += bits != 0 && bits != ALL_BITS;
        close_fixture(&f);
    }
    assert_true(some > 3);
}

static void test_without_memory_it_is_both_or_neither(void **state) {
    (void)state;
    for (unsigned batch = 0; batch < 2; batch++) {
        bool stored = false;
        for (unsigned long nth = 1; !stored; nth++) {
            struct fixture f;
            open_fixture(&f, 7, 1, "workqueue");
            mem_fail_at(nth, false);
            emit(&f, 4, batch);
            mem_fail_at(0, false);
            house_run(f.house, 100 * SIM_MILLISECOND);
            uint32_t bits = emitted(f.house);
            struct consumer_info info = consumer_info(kit_find_consumer(f.house, "IN", "worker"));
            uint64_t left = log_stream_state(stream_log(kit_find(f.house, "IN"))).messages;
            stored = bits != 0;
            assert_int_equal(info.ack_pending, MESSAGES - stored);
            assert_int_equal(left, MESSAGES - stored);
            close_fixture(&f);
            assert_true(nth < 1000);
        }
    }
}

static void test_a_clean_stop_and_a_checkpoint_keep_it(void **state) {
    (void)state;
    struct fixture f;
    open_fixture(&f, 8, 2, "limits");
    for (unsigned i = 0; i < 6; i++)
        emit(&f, i, i % 2);
    house_run(f.house, 100 * SIM_MILLISECOND);
    catcher_close(&f.work);
    catcher_close(&f.answers);
    house_rest(f.house);
    house_stop(f.house);
    reopen(&f);
    assert_int_equal(emitted(f.house), 0x7e);
    assert_int_equal(in_flight(&f), ALL_BITS & ~0x7eu);
    close_fixture(&f);
}

static void test_two_consumers_of_one_message_are_done_in_one_commit(void **state) {
    (void)state;
    struct fixture f;
    struct catcher other;
    open_fixture(&f, 9, 1, "interest");
    assert_non_null(
        kit_consumer(f.house, "IN", "{'durable_name':'other','ack_policy':'explicit'}"));
    kit_fill(f.house, "in", 1);
    catcher_open(&other, f.house->bus[0], "_INBOX.other", NULL);
    kit_pull(kit_find_consumer(f.house, "IN", "other"), "_INBOX.other", MESSAGES + 1, SIM_SECOND);
    take(&f);
    house_run(f.house, 2 * SIM_SECOND);
    const struct bus_message *mine = NULL, *theirs = NULL;
    for (unsigned i = 0; i < f.work.count; i++)
        if (catcher_at(&f.work, i)->reply.len && kit_address(catcher_at(&f.work, i)).stream == 13)
            mine = catcher_at(&f.work, i);
    for (unsigned i = 0; i < other.count; i++)
        if (catcher_at(&other, i)->reply.len && kit_address(catcher_at(&other, i)).stream == 13)
            theirs = catcher_at(&other, i);
    assert_true(mine && theirs);
    char headers[512];
    int len =
        snprintf(headers, sizeof headers, "NATS/1.0\r\nNonet-Ack: %.*s\r\nNonet-Ack: %.*s\r\n\r\n",
                 slice_fmt(mine->reply), slice_fmt(theirs->reply));
    bus_publish(f.house->bus[0],
                &(struct bus_message){.subject = slice_lit("out"),
                                      .headers = slice_make(headers, (size_t)len),
                                      .payload = slice_lit("13")},
                NULL, NULL);
    house_run(f.house, SIM_SECOND);
    struct log_record record;
    assert_int_equal(log_read(f.house->log, stream_log(kit_find(f.house, "IN")), 13, &record),
                     -ENOENT);
    assert_int_equal(emitted(f.house), 1u << 13);
    catcher_close(&other);
    close_fixture(&f);
}

/* ack_all acknowledges all before it: so many that no commit can delete them are refused. */
static void test_what_ack_all_takes_with_it_is_bounded(void **state) {
    (void)state;
    struct fixture f;
    struct catcher all;
    open_fixture(&f, 10, 1, "interest");
    assert_non_null(kit_consumer(f.house, "IN",
                                 "{'durable_name':'all','ack_policy':'all','max_ack_pending':-1,"
                                 "'ack_wait':600000000000}"));
    kit_fill(f.house, "in", LOG_BATCH_CHANGES_MAX + 1);
    catcher_open(&all, f.house->bus[0], "_INBOX.all", NULL);
    kit_pull(kit_find_consumer(f.house, "IN", "all"), "_INBOX.all", LOG_BATCH_CHANGES_MAX + 1, 0);
    catcher_wait(f.house, &all, LOG_BATCH_CHANGES_MAX + 1);
    for (unsigned back = 1; back <= 2; back++) {
        const struct bus_message *m = catcher_at(&all, LOG_BATCH_CHANGES_MAX + 1 - back);
        char headers[256];
        int len = snprintf(headers, sizeof headers, "NATS/1.0\r\nNonet-Ack: %.*s\r\n\r\n",
                           slice_fmt(m->reply));
        bus_publish(f.house->bus[0],
                    &(struct bus_message){.subject = slice_lit("out"),
                                          .reply = slice_lit("_INBOX.out"),
                                          .headers = slice_make(headers, (size_t)len),
                                          .payload = slice_lit("1")},
                    NULL, NULL);
        catcher_wait(f.house, &f.answers, back);
    }
    slice answer = catcher_at(&f.answers, 0)->payload;
    assert_true(slice_find_slice(answer, slice_lit("\"err_code\":10054")) > 0);
    answer = catcher_at(&f.answers, 1)->payload;
    assert_true(slice_find_slice(answer, slice_lit("\"seq\":1}")) > 0);
    catcher_close(&all);
    close_fixture(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_after_a_power_cut_what_is_done_is_what_was_emitted),
        cmocka_unit_test(test_without_memory_it_is_both_or_neither),
        cmocka_unit_test(test_a_clean_stop_and_a_checkpoint_keep_it),
        cmocka_unit_test(test_two_consumers_of_one_message_are_done_in_one_commit),
        cmocka_unit_test(test_what_ack_all_takes_with_it_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
