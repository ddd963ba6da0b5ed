#include "event_kit.h"

#include "rooms/events/notes.h"
#include "rooms/events/state_kept.h"

/* States of event streams over the real log: folded once, found again after every end, never of
   other events than those that are there; refused and not wrong where memory is short. The fold is
   the default one: data is merged. */

struct answer {
    unsigned come, status;
    uint64_t revision, from;
    char body[512];
};

static void on_state(void *self, const struct state_end *end) {
    struct answer *a = self;
    a->come++;
    a->status = end->status;
    a->revision = end->revision;
    a->from = end->from;
    assert_int_equal(slice_to_string(end->body, a->body, sizeof a->body), 0);
}

static struct answer state_of(struct event_house *eh, const struct state_options *options) {
    struct answer a = {0};
    events_state(eh->engine, options, on_state, &a);
    house_until(eh->house, &a.come);
    assert_int_equal(a.come, 1);
    return a;
}

static struct answer now(struct event_house *eh, const char *subject) {
    return state_of(eh, &(struct state_options){.subject = slice_str(subject)});
}

static struct answer at_revision(struct event_house *eh, const char *subject, uint64_t revision) {
    return state_of(eh, &(struct state_options){.subject = slice_str(subject),
                                                .at = STATE_REVISION,
                                                .number = revision});
}

/* COUNT events to STREAM, whose data is {"KEY":0}, {"KEY":1}, ... */
static void append_many(struct event_house *eh, const char *stream, unsigned count,
                        const char *key) {
    struct buf body = buf_make(16u << 20);
    assert_int_equal(buf_printf(&body, "{\"events\":["), 0);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(
            buf_printf(&body, "%s{\"type\":\"T\",\"data\":{\"%s\":%u}}", i ? "," : "", key, i), 0);
    assert_int_equal(buf_append(&body, slice_lit("]}")), 0);
    catcher_clear(&eh->answers);
    unsigned number = event_ask(eh, stream, buf_slice(&body));
    catcher_wait(eh->house, &eh->answers, 1);
    assert_int_equal(event_answer(eh, number).status, 201);
    buf_free(&body);
}

static void assert_state(struct answer a, uint64_t revision, const char *state) {
    char expected[128];
    snprintf(expected, sizeof expected, "\"state\":{%s}}", state);
    for (char *at = expected; *at; at++)
        *at = *at == '\'' ? '"' : *at;
    if (a.status != 200 || !strstr(a.body, expected))
        fail_msg("%u %s instead of %s", a.status, a.body, expected);
    assert_int_equal(a.revision, revision);
}

static bool has_snapshot(struct event_house *eh, unsigned number) {
    char subject[64];
    snprintf(subject, sizeof subject, "_NONET.es.state.a.1.%u", number);
    notes_know_stream(eh->engine);
    return notes_have(eh->engine, slice_str(subject));
}

static void test_a_read_leaves_snapshots_that_are_found_after_every_end(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(1);
    append_many(eh, "a-1", 2600, "n");
    assert_state(at_revision(eh, "es.a.1", 1022), 1022, "'n':1022");
    assert_false(has_snapshot(eh, 1024));
    assert_state(now(eh, "es.a.1"), 2599, "'n':2599");
    for (enum event_end end = EVENT_CUT; end <= EVENT_STOP; end++) {
        assert_true(has_snapshot(eh, 1024) && has_snapshot(eh, 2048));
        assert_false(has_snapshot(eh, 2600));
        for (uint64_t revision = 0; revision < 2600; revision += 173)
            assert_int_equal(at_revision(eh, "es.a.1", revision).revision, revision);
        assert_state(at_revision(eh, "es.a.1", 1023), 1023, "'n':1023");
        assert_state(at_revision(eh, "es.a.1", 1024), 1024, "'n':1024");
        assert_state(now(eh, "es.a.1"), 2599, "'n':2599");
        append_many(eh, "a-2", 1, "n"); /* what was written before it is on disk */
        event_house_again(eh, end);
    }
    event_house_close(eh);
}

static void test_a_snapshot_is_of_these_events_or_of_none(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(2);
    append_many(eh, "a-1", 1100, "old");
    assert_state(now(eh, "es.a.1"), 1099, "'old':1099"); /* in the log and in memory */
    assert_true(kit_delete_stream(eh->house, "ES"));
    assert_int_equal(now(eh, "es.a.1").status, 404);
    append_many(eh, "a-1", 1100, "new");
    assert_state(now(eh, "es.a.1"), 1099, "'new':1099");
    assert_state(at_revision(eh, "es.a.1", 1023), 1023, "'new':1023");
    event_house_close(eh);
}

/* A fold of category a that counts its events. */
static void declare(struct event_house *eh) {
    const struct conf_node one = {.plain = true, .text = slice_lit("1")};
    const struct conf_entry entry = {.key = slice_lit("count"), .value = &one};
    const struct conf_node map = {.type = CONF_NODE_MAP, .entries = &entry, .count = 1};
    struct fold_rule_config rule = {.item.name = slice_lit("T"), .inc = &map};
    struct fold_config fold = {.item.name = slice_lit("a"), .version = 1, .on = {&rule, 1}};
    struct events_config config = {.folds = {&fold, 1}};
    struct folds *folds = NULL;
    struct error e = {0};
    assert_int_equal(folds_create(&config, &folds, &e), 0);
    states_set_folds(eh->engine, folds);
}

static uint64_t records_of(struct event_house *eh, const char *subject) {
    struct log_subject_state state = {0};
    struct log_stream *es = stream_log(kit_find(eh->house, "ES"));
    return log_subject(es, slice_str(subject), &state) ? state.messages : 0;
}

static void test_limits_change_no_state_of_a_fold(void **state) {
    (void)state;
    static const char *const limits[] = {"{'truncate_before':2500}", "{'max_count':100}",
                                         "{'max_age':'1s'}"};
    for (unsigned i = 0; i < array_count(limits); i++) {
        struct event_house *eh = event_house_open(20 + i);
        declare(eh);
        append_many(eh, "a-1", 2600, "n");
        append_many(eh, "b-1", 2600, "n"); /* has no fold */
        house_run(eh->house, 2 * SIM_SECOND);
        assert_int_equal(event_life(eh, "a-1", LIFE_LIMIT, NULL, limits[i]).status, 200);
        assert_int_equal(event_life(eh, "b-1", LIFE_LIMIT, NULL, limits[i]).status, 200);
        for (enum event_end end = EVENT_KILL; end <= EVENT_STOP; end++) {
            house_run(eh->house, 10 * SIM_SECOND);
            /* Whole spans go, but for their ends, and what the newest record leads to. */
            assert_in_range(records_of(eh, "es.a.1"), 2600 - 2048, 2600 - 2048 + 16);
            assert_in_range(records_of(eh, "es.b.1"), 0, 120);
            struct answer a = now(eh, "es.a.1");
            assert_state(a, 2599, "'count':2600");
            assert_int_equal(a.from, 0);
            assert_state(at_revision(eh, "es.a.1", 2400), 2400, "'count':2401");
            struct answer b = now(eh, "es.b.1"); /* nothing of it is young enough in the end */
            assert_true(i == 2 ? b.status == 404 : b.from > 2400);
            event_house_again(eh, end);
            declare(eh);
        }
        append_many(eh, "a-1", 1000, "n");
        house_run(eh->house, 10 * SIM_SECOND);
        assert_state(now(eh, "es.a.1"), 3599, "'count':3600");
        assert_int_equal(event_life(eh, "a-1", LIFE_DELETE, NULL, NULL).status, 200);
        house_run(eh->house, 10 * SIM_SECOND);
        assert_in_range(records_of(eh, "es.a.1"), 0, 16); /* these do not wait */
        event_house_close(eh);
    }
}

static void on_noted(void *self, const struct streams_error *error) {
    assert_null(error);
    ++*(unsigned *)self;
}

static void test_a_note_that_is_no_snapshot_is_passed_over(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "{}",
        "no json",
        "{\"fold\":\"1.0\"}",
        "{\"fold\":\"1.0\",\"position\":1024,\"chain\":\"00\",\"from\":0,\"state\":{\"n\":7}}",
        "{\"fold\":\"1.0\",\"position\":999999,\"chain\":"
        "\"0000000000000000000000000000000000000000000000000000000000000000\",\"from\":0,\"state\":"
        "{\"n\":7}}",
        "{\"fold\":\"1.0\",\"position\":1024,\"chain\":"
        "\"0000000000000000000000000000000000000000000000000000000000000000\",\"from\":0,\"state\":"
        "{\"n\":7}}"};
    struct event_house *eh = event_house_open(3);
    append_many(eh, "a-1", 1030, "n");
    for (size_t i = 0; i < array_count(bad); i++) {
        struct note note = {.subject = slice_lit("_NONET.es.state.a.1.1024"),
                            .text = slice_str(bad[i])};
        struct streams_error e;
        unsigned done = 0;
        notes_know_stream(eh->engine);
        notes_add(eh->engine, &note);
        assert_true(notes_commit(eh->engine, on_noted, &done, &e));
        house_until(eh->house, &done);
        assert_state(at_revision(eh, "es.a.1", 1026), 1026, "'n':1026");
        event_house_again(eh, EVENT_STOP);
    }
    event_house_close(eh);
}

static void test_what_was_deleted_does_not_come_back(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(4);
    append_many(eh, "a-1", 1030, "old");
    assert_int_equal(now(eh, "es.a.1").status, 200);
    assert_int_equal(event_life(eh, "a-1", LIFE_DELETE, NULL, NULL).status, 200);
    assert_int_equal(now(eh, "es.a.1").status, 404);
    append_many(eh, "a-1", 2, "new");
    struct answer a = now(eh, "es.a.1");
    assert_state(a, 1031, "'new':1");
    assert_int_equal(a.from, 1030);
    assert_int_equal(at_revision(eh, "es.a.1", 1029).status, 404);
    assert_state(at_revision(eh, "es.a.1", 1030), 1030, "'new':0");
    event_house_close(eh);
}

static void test_of_a_truncated_stream_it_begins_at_a_snapshot_or_says_where(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(7);
    append_many(eh, "a-1", 2600, "n");
    assert_state(at_revision(eh, "es.a.1", 2100), 2100, "'n':2100");
    assert_true(has_snapshot(eh, 1024) && has_snapshot(eh, 2048));
    assert_int_equal(event_life(eh, "a-1", LIFE_LIMIT, NULL, "{'truncate_before':1500}").status,
                     200);
    for (enum event_end end = EVENT_KILL; end <= EVENT_STOP; end++) {
        house_run(eh->house, 5 * SIM_SECOND); /* the sweep */
        assert_false(has_snapshot(eh, 1024)); /* events behind it are not there */
        assert_true(has_snapshot(eh, 2048));
        assert_int_equal(at_revision(eh, "es.a.1", 1499).status, 404);
        for (uint64_t revision = 1500; revision < 2600; revision += 91) {
            struct answer a = at_revision(eh, "es.a.1", revision);
            assert_int_equal(a.status, 200);
            assert_int_equal(a.revision, revision);
            assert_int_equal(a.from, revision < 2047 ? 1500 : 0);
        }
        struct answer a = now(eh, "es.a.1");
        assert_state(a, 2599, "'n':2599");
        assert_int_equal(a.from, 0);
        event_house_again(eh, end);
    }
    event_house_close(eh);
}

static void test_a_snapshot_at_the_very_cut_is_a_begin(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(10);
    append_many(eh, "a-1", 2100, "n");
    assert_state(at_revision(eh, "es.a.1", 2047), 2047, "'n':2047");
    assert_int_equal(event_life(eh, "a-1", LIFE_LIMIT, NULL, "{'truncate_before':2048}").status,
                     200);
    house_run(eh->house, 5 * SIM_SECOND);
    event_house_again(eh, EVENT_STOP);
    assert_true(has_snapshot(eh, 2048));
    assert_int_equal(at_revision(eh, "es.a.1", 2047).status, 404);
    assert_int_equal(at_revision(eh, "es.a.1", 2048).from, 0);
    assert_int_equal(now(eh, "es.a.1").from, 0);
    event_house_close(eh);
}

static void test_of_what_was_deleted_no_snapshot_stays(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(8);
    for (unsigned permanent = 0; permanent < 2; permanent++) {
        append_many(eh, "a-1", permanent ? 1100 : 2048, "n");
        assert_int_equal(now(eh, "es.a.1").status, 200);
        assert_true(has_snapshot(eh, permanent ? 3072 : 1024));
        enum life_ask ask = permanent ? LIFE_TOMBSTONE : LIFE_DELETE;
        assert_int_equal(event_life(eh, "a-1", ask, NULL, NULL).status, 200);
        house_run(eh->house, 5 * SIM_SECOND);
        for (unsigned number = 1024; number <= 3072; number += 1024)
            assert_false(has_snapshot(eh, number));
    }
    assert_int_equal(now(eh, "es.a.1").status, 410);
    event_house_close(eh);
}

static void test_a_read_goes_on_while_events_go(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(9);
    append_many(eh, "a-1", 3000, "n");
    struct answer a = {0};
    struct state_options options = {.subject = slice_lit("es.a.1")};
    events_state(eh->engine, &options, on_state, &a);
    assert_int_equal(event_life(eh, "a-1", LIFE_LIMIT, NULL, "{'truncate_before':2900}").status,
                     200);
    house_until(eh->house, &a.come);
    assert_state(a, 2999, "'n':2999");
    house_run(eh->house, 5 * SIM_SECOND);
    assert_false(has_snapshot(eh, 1024) || has_snapshot(eh, 2048));
    assert_state(now(eh, "es.a.1"), 2999, "'n':2999");
    event_house_close(eh);
}

static void test_a_read_ends_with_the_node(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(5);
    struct answer a = {0}, b = {0};
    append_many(eh, "a-1", 1030, "n");
    struct state_options options = {.subject = slice_lit("es.a.1")};
    events_state(eh->engine, &options, on_state, &a);
    options.position_min = 1000000;
    events_state(eh->engine, &options, on_state, &b);
    assert_int_equal(a.come + b.come, 0); /* never at once */
    event_house_again(eh, EVENT_STOP);
    assert_true(a.come == 1 && b.come == 1 && a.status == 503 && b.status == 503);
    assert_state(now(eh, "es.a.1"), 1029, "'n':1029");
    event_house_close(eh);
}

static void test_reads_that_follow_another_end_as_it_does(void **state) {
    (void)state;
    static struct answer all[8];
    struct event_house *eh = event_house_open(11);
    append_many(eh, "a-1", 4000, "n");
    append_many(eh, "a-1", 4000, "n");
    for (unsigned round = 0; round < 2; round++) {
        memset(all, 0, sizeof all);
        for (unsigned i = 0; i < array_count(all); i++)
            events_state(eh->engine,
                         &(struct state_options){.subject = slice_lit("es.a.1"),
                                                 .at = i % 2 ? STATE_REVISION : STATE_NOW,
                                                 .number = 7000 - i},
                         on_state, &all[i]);
        if (round == 0)
            event_house_again(eh, EVENT_STOP);
        for (unsigned i = 0; i < array_count(all); i++) {
            house_until(eh->house, &all[i].come);
            assert_int_equal(all[i].status, round ? 200 : 503);
            assert_int_equal(all[i].revision, !round ? 0 : i % 2 ? 7000 - i : 7999);
        }
    }
    event_house_close(eh);
}

static void test_too_many_reads_are_refused(void **state) {
    (void)state;
    static struct answer all[STATES_MAX + 1];
    struct event_house *eh = event_house_open(6);
    append_many(eh, "a-1", 3, "n");
    memset(all, 0, sizeof all);
    struct state_options options = {.subject = slice_lit("es.a.1")};
    for (unsigned i = 0; i <= STATES_MAX; i++)
        events_state(eh->engine, &options, on_state, &all[i]);
    assert_int_equal(all[STATES_MAX].status, 429);
    for (unsigned i = 0; i < STATES_MAX; i++)
        house_until(eh->house, &all[i].come);
    assert_int_equal(all[0].status, 200);
    assert_int_equal(now(eh, "es.a.1").status, 200);
    event_house_close(eh);
}

/* Each allocation of a read fails once, in turn. */
static bool trial(struct event_house *eh, unsigned long nth) {
    unsigned long before = mem_attempts();
    struct answer a = {0};
    mem_fail_at(nth, false);
    struct state_options options = {.subject = slice_lit("es.a.1")};
    events_state(eh->engine, &options, on_state, &a);
    house_run(eh->house, SIM_SECOND);
    bool reached = mem_attempts() - before >= nth;
    mem_fail_at(0, false);
    assert_int_equal(a.come, 1);
    if (a.status != 503)
        assert_state(a, 1029, "'n':1029");
    return reached;
}

static void test_without_memory_it_is_refused_and_never_wrong(void **state) {
    (void)state;
    for (unsigned long nth = 1; nth < 400; nth++) {
        struct event_house *eh = event_house_open(nth);
        append_many(eh, "a-1", 1030, "n");
        bool reached = trial(eh, nth);
        assert_state(now(eh, "es.a.1"), 1029, "'n':1029");
        event_house_close(eh);
        if (!reached)
            return;
    }
}

static void test_states_in_memory_have_a_bound(void **state) {
    (void)state;
    static const struct hash_key hash_key;
    struct kept_states kept;
    slice text = {0};
    char *large = mem_zalloc(1, KEPT_BYTES_MAX / 3);
    kept_init(&kept, hash_key);
    kept_put(&kept, slice_lit("a"), 1, slice_lit("one"));
    kept_put(&kept, slice_lit("a"), 2, slice_lit("two"));
    assert_int_equal(kept_find(&kept, slice_lit("a"), &text), 2);
    assert_slice(text, "two");
    kept_put(&kept, slice_lit("b"), 3, slice_make(large, KEPT_BYTES_MAX / 3));
    kept_put(&kept, slice_lit("c"), 4, slice_make(large, KEPT_BYTES_MAX / 3));
    assert_int_equal(kept_find(&kept, slice_lit("a"), &text), 2); /* used again */
    kept_put(&kept, slice_lit("d"), 5, slice_make(large, KEPT_BYTES_MAX / 3));
    assert_int_equal(kept_find(&kept, slice_lit("b"), &text), 0);
    assert_int_equal(kept_find(&kept, slice_lit("a"), &text), 2);
    assert_true(kept.bytes <= KEPT_BYTES_MAX);
    kept_free(&kept);
    mem_free(large);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_read_leaves_snapshots_that_are_found_after_every_end),
        cmocka_unit_test(test_a_snapshot_is_of_these_events_or_of_none),
        cmocka_unit_test(test_a_note_that_is_no_snapshot_is_passed_over),
        cmocka_unit_test(test_what_was_deleted_does_not_come_back),
        cmocka_unit_test(test_of_a_truncated_stream_it_begins_at_a_snapshot_or_says_where),
        cmocka_unit_test(test_limits_change_no_state_of_a_fold),
        cmocka_unit_test(test_a_snapshot_at_the_very_cut_is_a_begin),
        cmocka_unit_test(test_of_what_was_deleted_no_snapshot_stays),
        cmocka_unit_test(test_a_read_goes_on_while_events_go),
        cmocka_unit_test(test_a_read_ends_with_the_node),
        cmocka_unit_test(test_reads_that_follow_another_end_as_it_does),
        cmocka_unit_test(test_too_many_reads_are_refused),
        cmocka_unit_test(test_without_memory_it_is_refused_and_never_wrong),
        cmocka_unit_test(test_states_in_memory_have_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
