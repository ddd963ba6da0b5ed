#include "event_kit.h"

#include "log/stats.h"
#include "rooms/events/sweep.h"

/* What is gone is taken out of the log: how much, what stays, when, and that all is as it was to
   whoever asks. */

static struct log_stream *es_of(struct event_house *eh) {
    return stream_log(kit_find(eh->house, "ES"));
}

static uint64_t records_of(struct event_house *eh, const char *subject) {
    struct log_subject_state state = {0};
    return log_subject(es_of(eh), slice_str(subject), &state) ? state.messages : 0;
}

static unsigned try_append(struct event_house *eh, const char *name, slice body) {
    catcher_clear(&eh->answers);
    unsigned number = event_ask(eh, name, body);
    catcher_wait(eh->house, &eh->answers, 1);
    unsigned status = event_answer(eh, number).status;
    assert_true(status == 201 || status == 429);
    return status;
}

/* COUNT events more in stream NAME, their ids "i" and their revisions. */
static void fill(struct event_house *eh, const char *name, unsigned from, unsigned count) {
    struct buf body = buf_make(16u << 20);
    while (count) {
        unsigned part = count < 1000 ? count : 1000;
        buf_clear(&body);
        assert_int_equal(buf_append(&body, slice_lit("{\"events\":[")), 0);
        for (unsigned i = 0; i < part; i++)
            assert_int_equal(buf_printf(&body,
                                        "%s{\"type\":\"T\",\"id\":\"i%u\",\"data\":\"%0200u\"}",
                                        i ? "," : "", from + i, i),
                             0);
        assert_int_equal(buf_append(&body, slice_lit("]}")), 0);
        while (try_append(eh, name, buf_slice(&body)) ==
               429) /* the log is full, until it has saved */
            house_run(eh->house, SIM_SECOND / 10);
        from += part;
        count -= part;
    }
    buf_free(&body);
}

static unsigned append_id(struct event_house *eh, const char *name, const char *expect,
                          unsigned id) {
    char json[200];
    snprintf(json, sizeof json, "{'expect':%s,'events':[{'type':'T','id':'i%u'}]}", expect, id);
    return event_append(eh, name, json).status;
}

/* Until nothing is left to be done. */
static void sweep_all(struct event_house *eh) {
    house_run(eh->house, 5 * SIM_SECOND);
}

static void assert_verified(struct event_house *eh) {
    struct event_verified v = event_verify(eh);
    assert_int_equal(v.failed, 0);
    assert_string_equal(v.findings, "");
}

static bool has_note(struct event_house *eh, const char *subject) {
    notes_know_stream(eh->engine);
    return notes_have(eh->engine, slice_str(subject));
}

static void change(struct event_house *eh, const char *name, enum life_ask ask,
                   const char *limits) {
    assert_int_equal(event_life(eh, name, ask, NULL, limits).status, 200);
}

/* --- what goes, what stays ---------------------------------------------------------------- */

static void test_a_deleted_stream_leaves_its_skeleton_and_its_ids(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(1);
    fill(eh, "a-1", 0, 3000);
    change(eh, "a-1", LIFE_DELETE, NULL);
    sweep_all(eh);
    /* Leaves 1024 and 2048, and of the path of 3000: 2048, 2560, 2816, 2944, 2976, 2992, 3000. */
    assert_int_equal(records_of(eh, "es.a.1"), 2 + 6);
    assert_false(has_note(eh, NOTES_PREFIX "due.1"));
    for (int life = 0; life < 2; life++) {
        static const unsigned ids[] = {0, 1, 1022, 1023, 1024, 2500, 2998, 2999};
        for (size_t i = 0; i < array_count(ids); i++)
            assert_int_equal(append_id(eh, "a-1", "'any'", ids[i]), 200);
        assert_int_equal(append_id(eh, "a-1", "1999", 2000), 200);
        assert_int_equal(append_id(eh, "a-1", "1999", 5000), 409);
        assert_verified(eh);
        event_house_again(eh, life ? EVENT_STOP : EVENT_KILL);
    }
    fill(eh, "a-1", 3000, 1500);
    assert_int_equal(append_id(eh, "a-1", "'any'", 17), 200);
    assert_int_equal(append_id(eh, "a-1", "'any'", 4499), 200);
    assert_verified(eh);
    struct event_page page =
        event_read_page(eh, &(struct read_options){.subject = slice_lit("es.a.1"), .limit = 1000});
    assert_int_equal(page.end.count, 1000);
    assert_int_equal(page.end.first, 3000);
    event_page_free(&page);
    event_house_close(eh);
}

static void test_a_tombstoned_stream_leaves_nothing(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(1);
    fill(eh, "a-1", 0, 3000);
    fill(eh, "b-1", 0, 10);
    change(eh, "a-1", LIFE_TOMBSTONE, NULL);
    sweep_all(eh);
    assert_int_equal(records_of(eh, "es.a.1"), 0);
    assert_false(has_note(eh, NOTES_PREFIX "due.1"));
    change(eh, "b-1", LIFE_DELETE, NULL);
    sweep_all(eh);
    change(eh, "b-1", LIFE_TOMBSTONE, NULL); /* of which only the skeleton was there */
    sweep_all(eh);
    assert_int_equal(records_of(eh, "es.b.1"), 0);
    assert_int_equal(log_stream_state(es_of(eh)).messages, 0);
    for (int life = 0; life < 2; life++) {
        assert_int_equal(append_id(eh, "a-1", "'any'", 1), 409);
        assert_verified(eh);
        event_house_again(eh, life ? EVENT_STOP : EVENT_KILL);
    }
    fill(eh, "c-1", 0, 1); /* positions go on */
    struct event_page page = event_read_page(eh, &(struct read_options){.from = 1, .limit = 10});
    assert_int_equal(page.end.count, 1);
    assert_int_equal(page.end.last, 3011);
    event_page_free(&page);
    event_house_close(eh);
}

static void test_what_was_truncated_is_taken_out_to_the_event(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(1);
    fill(eh, "a-1", 0, 100);
    change(eh, "a-1", LIFE_LIMIT, "{'truncate_before':90}");
    sweep_all(eh);
    assert_int_equal(records_of(eh, "es.a.1"), 10 + 1); /* and number 64 of the path 64, 96, 100 */
    fill(eh, "a-1", 100, 28);                           /* 128 has the path 128 alone */
    change(eh, "a-1", LIFE_LIMIT, "{'truncate_before':91}");
    sweep_all(eh);
    assert_int_equal(records_of(eh, "es.a.1"), 128 - 91);
    assert_verified(eh);
    event_house_close(eh);
}

/* One event in each of "n-0" to "n-79": a stream's events lie far apart. */
static void fill_all(struct event_house *eh, unsigned id) {
    struct buf body = buf_make(1u << 20);
    assert_int_equal(buf_append(&body, slice_lit("{\"appends\":[")), 0);
    for (unsigned i = 0; i < 80; i++)
        assert_int_equal(buf_printf(&body,
                                    "%s{\"stream\":\"n-%u\",\"events\":[{\"type\":\"T\","
                                    "\"id\":\"i%u\"}]}",
                                    i ? "," : "", i, id),
                         0);
    assert_int_equal(buf_append(&body, slice_lit("]}")), 0);
    while (try_append(eh, NULL, buf_slice(&body)) == 429)
        house_run(eh->house, SIM_SECOND / 10);
    buf_free(&body);
}

static void test_events_that_lie_far_apart_go_in_several_commits(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(1);
    for (unsigned id = 0; id < 128; id++)
        fill_all(eh, id);
    change(eh, "n-7", LIFE_DELETE, NULL);
    change(eh, "n-8", LIFE_LIMIT, "{'truncate_before':100}");
    change(eh, "n-9", LIFE_TOMBSTONE, NULL);
    for (unsigned i = 0; i < 4; i++) { /* between two of them */
        house_run(eh->house, 3000000 + i * 1000000);
        event_house_again(eh, EVENT_KILL);
        assert_verified(eh);
    }
    sweep_all(eh);
    assert_int_equal(records_of(eh, "es.n.7"), 1);
    assert_int_equal(records_of(eh, "es.n.8"), 28);
    assert_int_equal(records_of(eh, "es.n.9"), 0);
    assert_int_equal(records_of(eh, "es.n.10"), 128);
    assert_int_equal(append_id(eh, "n-7", "'any'", 60), 200);
    assert_verified(eh);
    event_house_close(eh);
}

static void test_a_stream_with_a_count_keeps_a_little_more(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(1);
    fill(eh, "a-1", 0, 1);
    change(eh, "a-1", LIFE_LIMIT, "{'max_count':100}");
    for (unsigned i = 0; i < 20; i++) {
        fill(eh, "a-1", 1 + i * 100, 100);
        sweep_all(eh);
        assert_true(records_of(eh, "es.a.1") <= 100 + 100 + 10 + 2);
    }
    event_house_again(eh, EVENT_KILL);
    fill(eh, "a-1", 2001, 200);
    sweep_all(eh);
    assert_true(records_of(eh, "es.a.1") <= 100 + 100 + 10 + 2);
    assert_verified(eh);
    event_house_close(eh);
}

static void test_events_that_are_too_old_go_by_themselves(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(1);
    fill(eh, "a-1", 0, 64);
    change(eh, "a-1", LIFE_LIMIT, "{'max_age':'100s'}");
    house_run(eh->house, 60 * SIM_SECOND);
    fill(eh, "a-1", 64, 64);
    house_run(eh->house, 30 * SIM_SECOND);
    assert_int_equal(records_of(eh, "es.a.1"), 128);
    house_run(eh->house, 30 * SIM_SECOND);
    assert_int_equal(records_of(eh, "es.a.1"), 64); /* the path of 128 is 128 */
    event_house_again(eh, EVENT_KILL);
    house_run(eh->house, 60 * SIM_SECOND);
    assert_int_equal(records_of(eh, "es.a.1"), 1);
    fill(eh, "a-1", 128, 1); /* what comes later grows old as well */
    house_run(eh->house, 120 * SIM_SECOND);
    assert_int_equal(records_of(eh, "es.a.1"), 2); /* 128, 129 */
    assert_verified(eh);
    event_house_close(eh);
}

static void on_checkpoint(void *self, int failed) {
    assert_int_equal(failed, 0);
    ++*(unsigned *)self;
}

static uint64_t segment_bytes(struct event_house *eh) {
    unsigned done = 0;
    log_checkpoint(eh->house->log, on_checkpoint, &done);
    house_until(eh->house, &done);
    return log_stats(eh->house->log).segment_bytes;
}

static void test_space_comes_back_while_it_serves(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(1);
    for (unsigned i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof name, "a-%u", i);
        fill(eh, name, 0, 1000);
        (void)segment_bytes(eh);
    }
    uint64_t full = segment_bytes(eh), left = full;
    for (unsigned i = 0; i < 19; i++) {
        char name[16];
        snprintf(name, sizeof name, "a-%u", i);
        change(eh, name, LIFE_DELETE, NULL);
    }
    sweep_all(eh);
    for (unsigned i = 0; i < 20; i++) { /* compaction is paced by what checkpoints write */
        fill(eh, "b-1", i * 100, 100);
        left = segment_bytes(eh);
    }
    if (left > full / 3)
        fail_msg("%llu of %llu bytes", (unsigned long long)left, (unsigned long long)full);
    assert_int_equal(append_id(eh, "a-0", "'any'", 999), 200);
    assert_verified(eh);
    event_house_close(eh);
}

/* --- over kills --------------------------------------------------------------------------- */

static void test_the_sweep_goes_on_after_a_kill(void **state) {
    (void)state;
    for (unsigned kill = 1; kill <= 12; kill++) {
        struct event_house *eh = event_house_open(kill);
        fill(eh, "a-1", 0, 2500);
        fill(eh, "b-1", 0, 1100);
        change(eh, "a-1", LIFE_DELETE, NULL);
        change(eh, "b-1", LIFE_TOMBSTONE, NULL);
        for (unsigned i = 0; i < 3; i++) {
            house_run(eh->house, kill * 700000);
            event_house_again(eh, i % 2 ? EVENT_CUT : EVENT_KILL);
            eh->house->fatals = 0;
            assert_verified(eh);
        }
        sweep_all(eh);
        assert_true(records_of(eh, "es.a.1") <= 2 + 10);
        assert_int_equal(records_of(eh, "es.b.1"), 0);
        assert_int_equal(append_id(eh, "a-1", "'any'", 1234), 200);
        assert_verified(eh);
        event_house_close(eh);
    }
}

static void test_ES_may_be_deleted_while_it_is_swept(void **state) {
    (void)state;
    for (unsigned when = 0; when < 8; when++) {
        struct event_house *eh = event_house_open(when + 1);
        fill(eh, "a-1", 0, 2500);
        fill(eh, "b-1", 0, 1100);
        change(eh, "a-1", LIFE_DELETE, NULL);
        change(eh, "b-1", LIFE_TOMBSTONE, NULL);
        house_run(eh->house, when * 1500000);
        assert_true(kit_delete_stream(eh->house, "ES"));
        fill(eh, "b-1", 0, 40); /* of the next ES, which knows of no tombstone */
        change(eh, "b-1", LIFE_LIMIT, "{'truncate_before':32}");
        sweep_all(eh);
        assert_int_equal(records_of(eh, "es.b.1"), 8 + 1);
        event_house_again(eh, EVENT_KILL);
        assert_verified(eh);
        assert_int_equal(append_id(eh, "b-1", "'any'", 3), 200);
        event_house_close(eh);
    }
}

static void test_what_is_verified_is_not_swept_meanwhile(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(1);
    fill(eh, "a-1", 0, 2500);
    for (unsigned i = 1; i < 20; i++) {
        char limits[64];
        snprintf(limits, sizeof limits, "{'truncate_before':%u}", i * 120);
        change(eh, "a-1", LIFE_LIMIT, limits);
        house_run(eh->house, i * 300000);
        assert_verified(eh); /* what is on its way is waited for */
    }
    sweep_all(eh);
    assert_true(records_of(eh, "es.a.1") < 2500 - 19 * 120 + 13);
    event_house_close(eh);
}

/* --- verify ------------------------------------------------------------------------------- */

static void take_out(struct event_house *eh, uint64_t position) {
    struct log_batch *batch;
    assert_int_equal(log_batch_begin(eh->house->log, &batch), 0);
    assert_int_equal(log_batch_delete(batch, es_of(eh), position), 0);
    log_batch_commit(batch, NULL);
    house_run(eh->house, SIM_SECOND);
}

static void test_others_that_are_missing_are_found(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(1);
    fill(eh, "a-1", 0, 20);
    fill(eh, "b-1", 0, 4);
    change(eh, "a-1", LIFE_LIMIT, "{'truncate_before':10}");
    sweep_all(eh);
    assert_verified(eh);
    take_out(eh, 15);
    struct event_verified v = event_verify(eh);
    assert_string_equal(v.findings, "a-1@15 (position 16): events before this one are missing\n");
    take_out(eh, 24); /* the newest of b-1 */
    v = event_verify(eh);
    assert_int_equal(v.report.findings, 2);
    assert_non_null(strstr(v.findings, "1 positions of ES have no event"));
    struct event_verified closed = event_verify_closed(eh, EVENT_STOP);
    assert_string_equal(closed.findings, v.findings);
    event_house_close(eh);
}

static void test_the_first_that_is_kept_has_its_chain(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(1);
    fill(eh, "a-1", 0, 20);
    change(eh, "a-1", LIFE_LIMIT, "{'truncate_before':10}");
    sweep_all(eh);
    take_out(eh, 11); /* the first that is kept */
    struct event_verified v = event_verify(eh);
    assert_string_equal(v.findings, "a-1@11 (position 12): events before this one are missing\n");
    event_house_close(eh);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_deleted_stream_leaves_its_skeleton_and_its_ids),
        cmocka_unit_test(test_a_tombstoned_stream_leaves_nothing),
        cmocka_unit_test(test_what_was_truncated_is_taken_out_to_the_event),
        cmocka_unit_test(test_events_that_lie_far_apart_go_in_several_commits),
        cmocka_unit_test(test_a_stream_with_a_count_keeps_a_little_more),
        cmocka_unit_test(test_events_that_are_too_old_go_by_themselves),
        cmocka_unit_test(test_space_comes_back_while_it_serves),
        cmocka_unit_test(test_the_sweep_goes_on_after_a_kill),
        cmocka_unit_test(test_ES_may_be_deleted_while_it_is_swept),
        cmocka_unit_test(test_what_is_verified_is_not_swept_meanwhile),
        cmocka_unit_test(test_others_that_are_missing_are_found),
        cmocka_unit_test(test_the_first_that_is_kept_has_its_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
