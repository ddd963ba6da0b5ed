#include "bus_kit.h"

#include "bus/consumer_parts.h"

/* Retention "interest" and "workqueue": a message stays as long as somebody wants it. */

struct fixture {
    struct house *house;
    struct catcher a, b;
};

static void open_fixture_with(struct fixture *f, const char *retention, uint64_t file_bytes) {
    char config[128];
    *f = (struct fixture){.house = house_open(51, 1)};
    f->house->journal_file_bytes = file_bytes;
    house_streams(f->house);
    snprintf(config, sizeof config, "{'name':'S','subjects':['s.*'],'retention':'%s'}", retention);
    assert_non_null(kit_stream(f->house, config));
    catcher_open(&f->a, house_last(f->house), "_INBOX.a", NULL);
    catcher_open(&f->b, house_last(f->house), "_INBOX.b", NULL);
}

static void open_fixture(struct fixture *f, const char *retention) {
    open_fixture_with(f, retention, 0);
}

static void close_fixture(struct fixture *f) {
    catcher_close(&f->a);
    catcher_close(&f->b);
    house_close(f->house);
}

static struct log_stream_state state_of(struct fixture *f) {
    return log_stream_state(stream_log(kit_find(f->house, "S")));
}

static struct consumer *consumer(struct fixture *f, const char *name, const char *filter) {
    char config[160];
    snprintf(config, sizeof config,
             "{'durable_name':'%s','ack_policy':'explicit','filter_subject':'%s'}", name, filter);
    struct consumer *c = kit_consumer(f->house, "S", config);
    assert_non_null(c);
    return c;
}

static void pull(struct fixture *f, struct consumer *c, const char *inbox, unsigned count) {
    kit_pull(c, inbox, count, 20 * SIM_MILLISECOND);
    house_run(f->house, 50 * SIM_MILLISECOND);
}

static void ack_all(struct fixture *f, struct catcher *inbox, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        kit_ack(inbox, i, "", NULL);
    house_run(f->house, 50 * SIM_MILLISECOND);
}

static void test_where_nobody_is_interested_only_the_sequence_stays(void **state) {
    (void)state;
    struct fixture f;
    open_fixture(&f, "interest");
    kit_fill(f.house, "s.a", 3);
    assert_int_equal(state_of(&f).messages, 0);
    assert_int_equal(state_of(&f).last_sequence, 3);
    consumer(&f, "a", "s.a");
    kit_fill(f.house, "s.a", 2);
    kit_fill(f.house, "s.b", 2);
    assert_int_equal(state_of(&f).messages, 2);
    assert_int_equal(state_of(&f).last_sequence, 7);
    close_fixture(&f);
}

static void test_a_message_goes_when_the_last_who_wants_it_is_done(void **state) {
    (void)state;
    struct fixture f;
    open_fixture(&f, "interest");
    struct consumer *a = consumer(&f, "a", "s.*"), *b = consumer(&f, "b", "s.b");
    kit_fill(f.house, "s.a", 2);
    kit_fill(f.house, "s.b", 2);
    pull(&f, a, "_INBOX.a", 4);
    ack_all(&f, &f.a, 4);
    assert_int_equal(state_of(&f).messages, 2); /* b has not seen its own */
    pull(&f, b, "_INBOX.b", 2);
    assert_int_equal(state_of(&f).messages, 2);
    kit_ack(&f.b, 0, "+TERM", NULL);
    kit_ack(&f.b, 1, "-NAK", NULL);
    house_run(f.house, 50 * SIM_MILLISECOND);
    assert_int_equal(state_of(&f).messages, 1);
    assert_int_equal(state_of(&f).first_sequence, 4);
    close_fixture(&f);
}

static void test_what_only_a_consumer_wanted_goes_with_it(void **state) {
    (void)state;
    struct fixture f;
    open_fixture(&f, "interest");
    struct consumer *a = consumer(&f, "a", "s.a");
    consumer(&f, "b", "s.*");
    kit_fill(f.house, "s.a", 1500); /* more than one step of the walk */
    kit_fill(f.house, "s.b", 3);
    struct consumer *b = kit_find_consumer(f.house, "S", "b");
    assert_true(kit_delete_consumer(f.house, b));
    house_run(f.house, SIM_SECOND);
    assert_int_equal(state_of(&f).messages, 1500);
    assert_true(kit_delete_consumer(f.house, a));
    house_run(f.house, SIM_SECOND);
    assert_int_equal(state_of(&f).messages, 0);
    close_fixture(&f);
}

static void test_what_was_confirmed_never_comes_back(void **state) {
    (void)state;
    static const char *const retentions[] = {"interest", "workqueue"};
    for (unsigned i = 0; i < array_count(retentions); i++) {
        struct fixture f;
        open_fixture(&f, retentions[i]);
        struct consumer *a = consumer(&f, "a", "s.*");
        kit_fill(f.house, "s.a", 10);
        pull(&f, a, "_INBOX.a", 10);
        for (unsigned at = 0; at < 5; at++)
            kit_ack(&f.a, at, "", "_INBOX.b");
        catcher_wait(f.house, &f.b, 5);
        catcher_close(&f.a);
        catcher_close(&f.b);
        house_cut(f.house);
        house_streams(f.house);
        house_run(f.house, SIM_SECOND);
        assert_int_equal(state_of(&f).messages, 5);
        assert_int_equal(state_of(&f).first_sequence, 6);
        house_close(f.house);
    }
}

static void on_checkpoint(void *self, int failed) {
    assert_int_equal(failed, 0);
    *(unsigned *)self = 1;
}

static uint64_t messages_of(struct fixture *f, const char *subject) {
    struct log_subject_state state = {0};
    (void)log_subject(stream_log(kit_find(f->house, "S")), slice_str(subject), &state);
    return state.messages;
}

/* A thousand messages are acknowledged in memory, for the journal has no room for that, and so in a
   checkpoint, which has just ended: the deletions are nowhere else yet. */
static void acknowledge_while_the_journal_is_full(struct fixture *f, const char *retention) {
    static char large[4097];
    memset(large, 'x', sizeof large - 1);
    open_fixture_with(f, retention, 64u << 10);
    consumer(f, "b", "s.b");
    struct consumer *a = consumer(f, "a", "s.a");
    kit_fill(f->house, "s.a", 1000);
    pull(f, a, "_INBOX.a", 1000);
    catcher_wait(f->house, &f->a, 1000);
    for (unsigned i = 0; i < 300; i++) /* until the last bytes of the journal are taken */
        say(house_last(f->house), "s.b", i < 100 ? large : "");
    unsigned done = 0;
    for (unsigned i = 0; i < 1000; i++)
        kit_ack(&f->a, i, "", NULL);
    log_checkpoint(f->house->log, on_checkpoint, &done);
    house_until(f->house, &done);
    assert_int_equal(messages_of(f, "s.a"), 1000);
}

static void test_what_was_acknowledged_while_the_journal_is_full_goes(void **state) {
    (void)state;
    for (unsigned n = 0; n < 2; n++) {
        struct fixture f;
        acknowledge_while_the_journal_is_full(&f, n ? "interest" : "workqueue");
        catcher_close(&f.a);
        catcher_close(&f.b);
        house_kill(f.house);
        house_streams(f.house);
        assert_int_equal(consumer_info(kit_find_consumer(f.house, "S", "a")).ack_pending, 0);
        house_run(f.house, SIM_SECOND);
        assert_int_equal(messages_of(&f, "s.a"), 0);
        assert_true(messages_of(&f, "s.b") > 0);
        house_kill(f.house);
        house_streams(f.house);
        assert_int_equal(messages_of(&f, "s.a"), 0);
        house_close(f.house);
    }
}

/* Of a workqueue with three messages, all of which its consumer has acknowledged this very turn. */
static void snapshot_with_released(struct buf *out) {
    struct fixture f;
    unsigned count;
    open_fixture(&f, "workqueue");
    struct consumer *a = consumer(&f, "a", "s.a");
    kit_fill(f.house, "s.a", 3);
    pull(&f, a, "_INBOX.a", 3);
    for (unsigned i = 0; i < 3; i++)
        kit_ack(&f.a, i, "", NULL);
    const struct log_owner *owner = streams_owners(f.house->streams, &count);
    assert_int_equal(owner->snapshot(owner->self, out), 0);
    close_fixture(&f);
}

static void test_what_a_stream_has_released_is_not_another_ones_of_its_name(void **state) {
    (void)state;
    _cleanup_buf_ struct buf snapshot = buf_make(1u << 20);
    snapshot_with_released(&snapshot);
    struct fixture f = {.house = house_open(51, 1)};
    unsigned count;
    house_streams(f.house);
    house_run(f.house, SIM_SECOND); /* so that it is of another time */
    assert_non_null(kit_stream(f.house, "{'name':'S','subjects':['s.*'],'retention':'workqueue'}"));
    kit_fill(f.house, "s.a", 3);
    const struct log_owner *owner = streams_owners(f.house->streams, &count);
    assert_int_equal(owner->restore(owner->self, buf_slice(&snapshot)), 0);
    assert_int_equal(consumers_release_restored(f.house->streams->consumers), 0);
    house_run(f.house, SIM_SECOND);
    assert_int_equal(messages_of(&f, "s.a"), 3);
    house_close(f.house);
}

/* The other consumer has not come so far yet; whether it would be given the message could be told
   only from the block, which is not in memory. */
static void test_a_work_queue_lets_go_what_is_on_disk_only(void **state) {
    (void)state;
    static char large[4097];
    memset(large, 'x', sizeof large - 1);
    struct fixture f;
    open_fixture(&f, "workqueue");
    struct consumer *a = consumer(&f, "a", "s.a");
    consumer(&f, "b", "s.b");
    kit_fill(f.house, "s.a", 1);
    pull(&f, a, "_INBOX.a", 1);
    struct log_stream *log = stream_log(kit_find(f.house, "S"));
    struct log_record record;
    while (log_read(f.house->log, log, 1, &record) != -EINPROGRESS) {
        unsigned done = 0;
        for (unsigned i = 0; i < 20; i++)
            say(house_last(f.house), "s.b", large);
        log_checkpoint(f.house->log, on_checkpoint, &done);
        house_until(f.house, &done);
    }
    ack_all(&f, &f.a, 1);
    assert_int_equal(messages_of(&f, "s.a"), 0);
    close_fixture(&f);
}

static void test_a_work_queue_has_one_consumer_a_subject(void **state) {
    (void)state;
    struct fixture f;
    open_fixture(&f, "workqueue");
    kit_fill(f.house, "s.a", 2); /* kept though nobody is there yet */
    assert_int_equal(state_of(&f).messages, 2);
    static const struct {
        const char *config;
        unsigned err_code; /* 0: made */
    } cases[] = {
        {"{'durable_name':'x','ack_policy':'none'}", 10084},
        {"{'durable_name':'x','ack_policy':'all'}", 10098},
        {"{'durable_name':'x','ack_policy':'explicit','deliver_policy':'new'}", 10101},
        {"{'durable_name':'a','ack_policy':'explicit','filter_subject':'s.a'}", 0},
        {"{'durable_name':'x','ack_policy':'explicit'}", 10099},
        {"{'durable_name':'x','ack_policy':'explicit','filter_subject':'s.*'}", 10100},
        {"{'durable_name':'b','ack_policy':'explicit','filter_subject':'s.b'}", 0},
        {"{'durable_name':'a','ack_policy':'explicit','filter_subject':'s.a'}", 0},
    };
    for (unsigned i = 0; i < array_count(cases); i++) {
        bool made = kit_consumer(f.house, "S", cases[i].config) != NULL;
        if (made != !cases[i].err_code || (!made && kit_error.err_code != cases[i].err_code))
            fail_msg("%s: %u", cases[i].config, made ? 0 : kit_error.err_code);
    }
    close_fixture(&f);
}

static void test_a_message_given_up_stays_until_it_is_deleted(void **state) {
    (void)state;
    struct fixture f;
    open_fixture(&f, "workqueue");
    struct consumer *a = kit_consumer(f.house, "S",
                                      "{'durable_name':'a','ack_policy':'explicit',"
                                      "'max_deliver':1,'ack_wait':1000000000}");
    assert_non_null(a);
    kit_fill(f.house, "s.a", 1);
    pull(&f, a, "_INBOX.a", 1);
    house_run(f.house, 3 * SIM_SECOND);
    assert_int_equal(state_of(&f).messages, 1);
    assert_int_equal(consumer_info(a).ack_pending, 0);
    close_fixture(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_where_nobody_is_interested_only_the_sequence_stays),
        cmocka_unit_test(test_a_message_goes_when_the_last_who_wants_it_is_done),
        cmocka_unit_test(test_what_only_a_consumer_wanted_goes_with_it),
        cmocka_unit_test(test_what_was_confirmed_never_comes_back),
        cmocka_unit_test(test_what_was_acknowledged_while_the_journal_is_full_goes),
        cmocka_unit_test(test_what_a_stream_has_released_is_not_another_ones_of_its_name),
        cmocka_unit_test(test_a_work_queue_lets_go_what_is_on_disk_only),
        cmocka_unit_test(test_a_work_queue_has_one_consumer_a_subject),
        cmocka_unit_test(test_a_message_given_up_stays_until_it_is_deleted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
