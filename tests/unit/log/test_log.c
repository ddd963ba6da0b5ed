#include "log_kit.h"

/* Batches, what readers see of them, and what comes back after a stop, a kill, a power cut. */

static void test_a_fresh_log_is_empty(void **state) {
    (void)state;
    struct desk *desk = desk_new(1, NULL);
    desk_open(desk);
    assert_int_equal(log_position(desk->log), 0);
    assert_null(log_stream_next(desk->log, NULL));
    assert_null(desk_find(desk, "A"));
    assert_false(log_full(desk->log));
    desk_reopen(desk);
    assert_null(log_stream_next(desk->log, NULL));
    desk_free(desk);
}

static void test_a_message_is_read_only_after_its_sync(void **state) {
    (void)state;
    struct desk *desk = desk_new(2, NULL);
    desk_open(desk);
    struct log_stream *a = desk_stream(desk, "A");
    uint64_t sequence = desk_append(desk, a, "a.1", "one");
    assert_int_equal(sequence, 1);
    struct log_record record;
    assert_int_equal(log_read(desk->log, a, 1, &record), -ENOENT);
    assert_int_equal(log_stream_state(a).messages, 0);
    assert_int_equal(log_stream_staged(a).messages, 1);
    desk_sync(desk);
    desk_expect(desk, a, 1, "a.1", "one");
    assert_int_equal(log_stream_state(a).messages, 1);
    assert_int_equal(log_stream_state(a).last_sequence, 1);
    assert_int_equal(desk->visible_calls, 1);
    desk_free(desk);
}

static void test_a_batch_gives_consecutive_sequences_in_each_stream(void **state) {
    (void)state;
    struct desk *desk = desk_new(3, NULL);
    desk_open(desk);
    struct log_stream *a = desk_stream(desk, "A");
    struct log_stream *b = desk_stream(desk, "B");
    struct log_batch *batch = desk_begin(desk);
    struct log_message message = desk_message("x", "y");
    for (uint64_t i = 1; i <= 3; i++) {
        uint64_t sequence = 0;
        assert_int_equal(log_batch_append(batch, a, &message, &sequence), 0);
        assert_int_equal(sequence, i);
        assert_int_equal(log_batch_append(batch, b, &message, &sequence), 0);
        assert_int_equal(sequence, i);
    }
    struct log_commit *commit = desk_commit(desk, batch);
    assert_int_equal(commit->position, 3);
    desk_sync(desk);
    assert_int_equal(log_position(desk->log), 3);
    assert_int_equal(log_stream_state(a).messages, 3);
    struct log_record record;
    assert_int_equal(log_read(desk->log, b, 3, &record), 0);
    assert_int_equal(record.position, 3);
    desk_free(desk);
}

static void test_abandon_restores_exactly(void **state) {
    (void)state;
    struct desk *desk = desk_new(4, NULL);
    desk_open(desk);
    struct log_stream *a = desk_stream(desk, "A");
    desk_write(desk, a, "a", "1");
    struct log_batch *batch = desk_begin(desk);
    struct log_message message = desk_message("b", "2");
    uint64_t sequence = 0;
    struct log_stream *b = NULL;
    assert_int_equal(log_batch_append(batch, a, &message, &sequence), 0);
    assert_int_equal(log_batch_delete(batch, a, 1), 0);
    assert_int_equal(log_batch_trim(batch, a, 100), 0);
    assert_int_equal(log_batch_put_stream(batch, slice_lit("B"), (slice){0},
                                          &(struct log_limits){0}, false, 0, &b),
                     0);
    assert_int_equal(log_batch_append(batch, b, &message, &sequence), 0);
    log_batch_abandon(batch);
    assert_null(desk_find(desk, "B"));
    struct log_stream_state state_now = log_stream_staged(a);
    assert_int_equal(state_now.messages, 1);
    assert_int_equal(state_now.last_sequence, 1);
    assert_int_equal(desk_write(desk, a, "a", "2"), 2);
    desk_expect(desk, a, 1, "a", "1");
    struct log_stream *again = desk_stream(desk, "B");
    assert_int_equal(desk_write(desk, again, "b", "1"), 1);
    desk_cut(desk);
    desk_open(desk);
    assert_int_equal(log_stream_state(desk_find(desk, "A")).messages, 2);
    assert_int_equal(log_stream_state(desk_find(desk, "B")).messages, 1);
    desk_free(desk);
}

static void check_come_back(struct desk *desk) {
    struct log_stream *a = desk_find(desk, "A");
    assert_non_null(a);
    assert_true(slice_equal(log_stream_config(a), slice_lit("config")));
    assert_int_equal(log_stream_state(a).messages, 100);
    assert_int_equal(log_stream_state(a).subjects, 7);
    char payload[32], subject[32];
    for (unsigned i = 1; i <= 100; i++) {
        snprintf(payload, sizeof payload, "payload %u", i);
        snprintf(subject, sizeof subject, "a.%u", i % 7);
        desk_expect(desk, a, i, subject, payload);
    }
    struct log_subject_state subject_now;
    assert_true(log_subject(a, slice_lit("a.3"), &subject_now));
    assert_int_equal(subject_now.messages, 14);
    assert_int_equal(subject_now.first_sequence, 3);
    assert_int_equal(subject_now.last_sequence, 94);
    assert_int_equal(desk_write(desk, a, "a.0", "more"), 101);
    desk_trim(desk, a, 1);
}

static void fill(struct desk *desk) {
    struct log_stream *a = desk_stream(desk, "A");
    char payload[32], subject[32];
    for (unsigned i = 1; i <= 100; i++) {
        snprintf(payload, sizeof payload, "payload %u", i);
        snprintf(subject, sizeof subject, "a.%u", i % 7);
        desk_write(desk, a, subject, payload);
    }
}

static void test_what_is_synced_comes_back_after_a_power_cut(void **state) {
    (void)state;
    struct desk *desk = desk_new(5, NULL);
    desk_open(desk);
    fill(desk);
    desk_cut(desk);
    desk_open(desk);
    check_come_back(desk);
    desk_free(desk);
}

static void test_what_is_synced_comes_back_after_a_clean_stop(void **state) {
    (void)state;
    struct desk *desk = desk_new(6, NULL);
    desk_open(desk);
    fill(desk);
    desk_reopen(desk);
    check_come_back(desk);
    desk_free(desk);
}

static void test_what_is_synced_comes_back_after_a_checkpoint_and_a_power_cut(void **state) {
    (void)state;
    struct desk *desk = desk_new(7, NULL);
    desk_open(desk);
    fill(desk);
    assert_int_equal(desk_checkpoint(desk), 0);
    desk_cut(desk);
    desk_open(desk);
    check_come_back(desk);
    desk_free(desk);
}

static void test_a_removed_stream_is_gone_and_its_name_free(void **state) {
    (void)state;
    struct desk *desk = desk_new(8, NULL);
    desk_open(desk);
    struct log_stream *a = desk_stream(desk, "A");
    desk_write(desk, a, "a", "1");
    struct log_batch *batch = desk_begin(desk);
    assert_int_equal(log_batch_remove_stream(batch, a), 0);
    desk_commit(desk, batch);
    assert_null(desk_find(desk, "A"));
    struct log_stream *again = desk_stream(desk, "A");
    assert_int_equal(log_stream_state(again).messages, 0);
    assert_int_equal(desk_write(desk, again, "a", "new"), 1);
    desk_cut(desk);
    desk_open(desk);
    again = desk_find(desk, "A");
    assert_int_equal(log_stream_state(again).messages, 1);
    desk_expect(desk, again, 1, "a", "new");
    desk_free(desk);
}

static void test_streams_in_memory_cost_no_sync_and_are_gone_after_a_restart(void **state) {
    (void)state;
    struct desk *desk = desk_new(9, NULL);
    desk_open(desk);
    struct log_stream *m = desk_put(desk, "M", (struct log_limits){0}, true);
    uint64_t steps = sim_disk_steps(desk->host);
    desk_write(desk, m, "m", "1");
    desk_expect(desk, m, 1, "m", "1");
    assert_int_equal(sim_disk_steps(desk->host), steps);
    desk_reopen(desk);
    assert_null(desk_find(desk, "M"));
    desk_free(desk);
}

static void test_a_time_never_goes_back_within_a_stream(void **state) {
    (void)state;
    struct desk *desk = desk_new(10, NULL);
    desk_open(desk);
    struct log_stream *a = desk_stream(desk, "A");
    struct log_batch *batch = desk_begin(desk);
    struct log_message message = desk_message("x", "y");
    uint64_t sequence = 0;
    message.time_ns = 500;
    assert_int_equal(log_batch_append(batch, a, &message, &sequence), 0);
    message.time_ns = 400;
    assert_int_equal(log_batch_append(batch, a, &message, &sequence), 0);
    desk_commit(desk, batch);
    desk_sync(desk);
    struct log_record record;
    assert_int_equal(log_read(desk->log, a, 2, &record), 0);
    assert_int_equal(record.time_ns, 500);
    assert_int_equal(log_stream_state(a).last_time_ns, 500);
    desk_free(desk);
}

static void test_bounds_of_a_message(void **state) {
    (void)state;
    struct desk *desk = desk_new(11, NULL);
    desk_open(desk);
    struct log_stream *a = desk_stream(desk, "A");
    struct log_batch *batch = desk_begin(desk);
    char *subject = mem_alloc(LOG_SUBJECT_MAX + 1);
    memset(subject, 's', LOG_SUBJECT_MAX + 1);
    struct log_message message = {.subject = slice_make(subject, LOG_SUBJECT_MAX + 1)};
    uint64_t sequence = 0;
    assert_int_equal(log_batch_append(batch, a, &message, &sequence), -E2BIG);
    message.subject.len = LOG_SUBJECT_MAX;
    assert_int_equal(log_batch_append(batch, a, &message, &sequence), 0);
    message.subject.len = 0;
    assert_int_equal(log_batch_append(batch, a, &message, &sequence), -EINVAL);
    message.subject.len = 1;
    message.payload = slice_make(subject, LOG_MESSAGE_MAX + 1);
    assert_int_equal(log_batch_append(batch, a, &message, &sequence), -E2BIG);
    assert_int_equal(log_batch_delete(batch, a, 7), -ENOENT);
    desk_commit(desk, batch);
    desk_sync(desk);
    assert_int_equal(log_stream_state(a).messages, 1);
    mem_free(subject);
    desk_free(desk);
}

static void test_one_large_message_has_a_block_alone_and_comes_back(void **state) {
    (void)state;
    struct desk *desk = desk_new(12, NULL);
    desk->options.cache_bytes = 1u << 20;
    desk_open(desk);
    struct log_stream *a = desk_stream(desk, "A");
    size_t size = 300000;
    char *payload = mem_alloc(size);
    for (size_t i = 0; i < size; i++)
        payload[i] = (char)(i * 7);
    struct log_batch *batch = desk_begin(desk);
    struct log_message message = {.subject = slice_lit("big"),
                                  .payload = slice_make(payload, size)};
    uint64_t sequence = 0;
    assert_int_equal(log_batch_append(batch, a, &message, &sequence), 0);
    desk_commit(desk, batch);
    desk_write(desk, a, "small", "1");
    for (int round = 0; round < 2; round++) {
        struct log_record record;
        a = desk_find(desk, "A");
        assert_int_equal(desk_read(desk, a, 1, &record), 0);
        assert_true(slice_equal(record.payload, slice_make(payload, size)));
        desk_expect(desk, a, 2, "small", "1");
        desk_reopen(desk);
    }
    mem_free(payload);
    desk_free(desk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_fresh_log_is_empty),
        cmocka_unit_test(test_a_message_is_read_only_after_its_sync),
        cmocka_unit_test(test_a_batch_gives_consecutive_sequences_in_each_stream),
        cmocka_unit_test(test_abandon_restores_exactly),
        cmocka_unit_test(test_what_is_synced_comes_back_after_a_power_cut),
        cmocka_unit_test(test_what_is_synced_comes_back_after_a_clean_stop),
        cmocka_unit_test(test_what_is_synced_comes_back_after_a_checkpoint_and_a_power_cut),
        cmocka_unit_test(test_a_removed_stream_is_gone_and_its_name_free),
        cmocka_unit_test(test_streams_in_memory_cost_no_sync_and_are_gone_after_a_restart),
        cmocka_unit_test(test_a_time_never_goes_back_within_a_stream),
        cmocka_unit_test(test_bounds_of_a_message),
        cmocka_unit_test(test_one_large_message_has_a_block_alone_and_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
