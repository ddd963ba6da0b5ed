#include "log_kit.h"

#include "base/crc32c.h"
#include "log/checkpoint_file.h"

#include "log/stats.h"

/* When memory goes to disk, what that frees, and what happens when it cannot. */

static void write_many(struct desk *desk, struct log_stream *stream, unsigned count, size_t size) {
    char *payload = mem_alloc(size + 1);
    memset(payload, 'z', size);
    payload[size] = 0;
    for (unsigned i = 0; i < count; i++)
        desk_write(desk, stream, "many", payload);
    mem_free(payload);
}

static bool nothing_unsaved(void *self) {
    struct desk *desk = self;
    return log_stats(desk->log).unsaved_bytes == 0;
}

static void test_a_checkpoint_empties_the_journal_and_memory(void **state) {
    (void)state;
    struct desk *desk = desk_new(1, NULL);
    desk->options.cache_bytes = 1;
    desk_open(desk);
    struct log_stream *a = desk_stream(desk, "A");
    write_many(desk, a, 400, 1000);
    uint64_t used = log_stats(desk->log).journal_used_bytes;
    assert_true(log_stats(desk->log).unsaved_bytes > 400000);
    assert_int_equal(desk_checkpoint(desk), 0);
    struct log_stats stats = log_stats(desk->log);
    assert_int_equal(stats.unsaved_bytes, 0);
    assert_int_equal(stats.checkpoints, 1);
    assert_true(stats.checkpoint_bytes > 400000);
    assert_true(stats.segment_live_bytes > 400000);
    assert_true(stats.journal_used_bytes <= used);
    sim_run_for(desk->sim, SIM_SECOND);
    assert_true(log_stats(desk->log).cache_bytes <= 65536 * 2);
    desk_free(desk);
}

static void test_the_figures_tell_of_each_sync(void **state) {
    (void)state;
    struct desk *desk = desk_new(9, NULL);
    desk_open(desk);
    struct log_stream *a = desk_stream(desk, "A");
    struct log_stats before = log_stats(desk->log);
    write_many(desk, a, 10, 100);
    sim_run_for(desk->sim, SIM_SECOND); /* idle: a seal */
    struct log_stats after = log_stats(desk->log);
    assert_int_equal(after.groups - before.groups, 10);
    assert_int_equal(after.batches - before.batches, 10);
    assert_true(after.syncs - before.syncs > 10);
    assert_int_equal(after.journal_bytes - before.journal_bytes,
                     (after.syncs - before.syncs) * 4096);
    assert_true(after.sync_ns > before.sync_ns);
    assert_int_equal(after.journal_capacity_bytes,
                     desk->options.journal_file_bytes * desk->options.journal_files);
    assert_true(after.journal_used_bytes > 0 && after.journal_files >= 1);
    assert_int_equal(after.streams, 1);
    assert_int_equal(after.full + after.disk_full + after.damaged, 0);
    desk_free(desk);
}

static void test_a_change_is_saved_after_the_idle_time_at_the_latest(void **state) {
    (void)state;
    struct desk *desk = desk_new(2, NULL);
    desk->options.checkpoint_idle_ns = 5 * SIM_SECOND;
    desk_open(desk);
    struct log_stream *a = desk_stream(desk, "A");
    desk_write(desk, a, "x", "y");
    sim_run_for(desk->sim, 4 * SIM_SECOND);
    assert_int_equal(log_stats(desk->log).checkpoints, 0);
    sim_run_for(desk->sim, 2 * SIM_SECOND);
    assert_int_equal(log_stats(desk->log).checkpoints, 1);
    sim_run_for(desk->sim, 60 * SIM_SECOND);
    assert_int_equal(log_stats(desk->log).checkpoints, 1); /* nothing has changed */
    desk_free(desk);
}

static void test_a_filling_journal_is_emptied_by_itself(void **state) {
    (void)state;
    struct desk *desk = desk_new(3, NULL);
    desk->options.journal_file_bytes = 256u << 10;
    desk_open(desk);
    struct log_stream *a = desk_stream(desk, "A");
    write_many(desk, a, 5000, 1000);
    assert_true(log_stats(desk->log).checkpoints > 5);
    assert_true(sim_run_until(desk->sim, nothing_unsaved, desk, DESK_LIMIT));
    desk_cut(desk);
    desk_open(desk);
    assert_int_equal(log_stream_state(desk_find(desk, "A")).messages, 5000);
    desk_free(desk);
}

static void test_commits_go_on_while_a_checkpoint_is_written(void **state) {
    (void)state;
    struct desk *desk = desk_new(4, &(struct sim_options){.sync_ns = 20 * SIM_MILLISECOND});
    desk_open(desk);
    struct log_stream *a = desk_stream(desk, "A");
    write_many(desk, a, 100, 500);
    desk->checkpoints = 0;
    log_checkpoint(desk->log, desk_on_checkpoint, desk);
    unsigned meanwhile = 0;
    while (!desk->checkpoints) {
        desk_write(desk, a, "meanwhile", "grows the very block that is being written");
        meanwhile++;
    }
    assert_true(meanwhile > 0);
    assert_int_equal(desk->checkpoint_failed, 0);
    desk_cut(desk);
    desk_open(desk);
    a = desk_find(desk, "A");
    assert_int_equal(log_stream_state(a).messages, 100 + meanwhile);
    desk_expect(desk, a, 101, "meanwhile", "grows the very block that is being written");
    desk_free(desk);
}

static void test_messages_may_go_while_they_are_written(void **state) {
    (void)state;
    struct desk *desk = desk_new(5, &(struct sim_options){.sync_ns = 5 * SIM_MILLISECOND});
    desk_open(desk);
    struct log_stream *a = desk_stream(desk, "A");
    struct log_stream *b = desk_stream(desk, "B");
    write_many(desk, a, 300, 1000);
    write_many(desk, b, 300, 1000);
    desk->checkpoints = 0;
    log_checkpoint(desk->log, desk_on_checkpoint, desk);
    while (desk->log->checkpoint.state != CHECKPOINT_WRITING)
        assert_true(sim_step(desk->sim));
    struct log_batch *batch = desk_begin(desk);
    assert_int_equal(log_batch_trim(batch, a, 250), 0);
    assert_int_equal(log_batch_remove_stream(batch, b), 0);
    desk_commit(desk, batch);
    desk_sync(desk);
    assert_true(sim_run_until(desk->sim, desk_has_checkpoint, desk, DESK_LIMIT));
    desk_cut(desk);
    desk_open(desk);
    assert_null(desk_find(desk, "B"));
    assert_int_equal(log_stream_state(desk_find(desk, "A")).messages, 51);
    desk_free(desk);
}

static void test_a_slow_stream_does_not_crumble_into_small_blocks(void **state) {
    (void)state;
    struct desk *desk = desk_new(6, NULL);
    desk_open(desk);
    struct log_stream *a = desk_stream(desk, "A");
    for (int i = 0; i < 60; i++) {
        desk_write(desk, a, "slow", "drip");
        assert_int_equal(desk_checkpoint(desk), 0);
        if (i % 20 == 0) {
            desk_reopen(desk);
            a = desk_find(desk, "A");
        }
    }
    assert_int_equal(a->count, 1);
    struct log_stats stats = log_stats(desk->log);
    assert_true(stats.segments <= 3);
    desk_free(desk);
}

static void test_dead_segments_are_removed(void **state) {
    (void)state;
    struct desk *desk = desk_new(7, NULL);
    desk_open(desk);
    struct log_stream *a = desk_stream(desk, "A");
    write_many(desk, a, 2000, 1000);
    assert_int_equal(desk_checkpoint(desk), 0);
    uint64_t before = log_stats(desk->log).segments;
    assert_true(before >= 5);
    desk_trim(desk, a, 1990);
    assert_int_equal(desk_checkpoint(desk), 0);
    assert_true(log_stats(desk->log).segments <= 2);
    desk_reopen(desk);
    struct log_record record;
    assert_int_equal(desk_read(desk, desk_find(desk, "A"), 2000, &record), 0);
    assert_int_equal(record.payload.len, 1000);
    desk_free(desk);
}

/* --- when it fails --------------------------------------------------------------------------- */

static void test_a_failed_checkpoint_loses_nothing_and_is_tried_again(void **state) {
    (void)state;
    static const enum sim_call calls[] = {SIM_WRITE, SIM_SYNC, SIM_RENAME, SIM_DIR_SYNC};
    for (unsigned i = 0; i < array_count(calls); i++) {
        for (uint64_t nth = 1; nth <= 2; nth++) {
            struct desk *desk = desk_new(20 + i, NULL);
            desk_open(desk);
            struct log_stream *a = desk_stream(desk, "A");
            write_many(desk, a, 100, 500);
            sim_run_for(desk->sim, SIM_SECOND); /* the seal is out of the way */
            sim_disk_fail(desk->host, calls[i], nth, -EIO);
            (void)desk_checkpoint(desk);
            sim_disk_fail(desk->host, calls[i], 0, 0);
            assert_int_equal(desk->fatals, 0);
            desk_write(desk, a, "after", "1");
            assert_true(sim_run_until(desk->sim, nothing_unsaved, desk, DESK_LIMIT));
            desk_cut(desk);
            desk_open(desk);
            a = desk_find(desk, "A");
            assert_int_equal(log_stream_state(a).messages, 101);
            desk_expect(desk, a, 101, "after", "1");
            desk_free(desk);
        }
    }
}

static void test_a_full_disk_refuses_messages_and_takes_deletes(void **state) {
    (void)state;
    struct desk *desk = desk_new(8, NULL);
    desk->options.journal_file_bytes = 256u << 10;
    desk_open(desk);
    struct log_stream *a = desk_stream(desk, "A");
    write_many(desk, a, 100, 1000);
    sim_disk_limit(desk->host, 300u << 10);
    char payload[1000];
    memset(payload, 'f', sizeof payload);
    int failed = 0;
    unsigned written = 100;
    for (unsigned i = 0; i < 5000 && failed != -ENOSPC; i++) {
        struct log_batch *batch = NULL;
        failed = log_batch_begin(desk->log, &batch);
        if (failed) {
            sim_run_for(desk->sim, SIM_MILLISECOND);
            continue;
        }
        struct log_message message = {.subject = slice_lit("f"),
                                      .payload = slice_make(payload, sizeof payload)};
        uint64_t sequence = 0;
        failed = log_batch_append(batch, a, &message, &sequence);
        if (failed) {
            log_batch_abandon(batch);
            sim_run_for(desk->sim, SIM_MILLISECOND);
            continue;
        }
        desk_commit(desk, batch);
        desk_sync(desk);
        written++;
    }
    assert_int_equal(failed, -ENOSPC);
    struct log_record record;
    assert_int_equal(desk_read(desk, a, 5, &record), 0);
    assert_int_equal(record.payload.len, 1000);
    for (uint64_t s = 1; s <= 50; s++)
        desk_delete(desk, a, s);
    desk_trim(desk, a, 81);
    assert_int_equal(log_stream_state(a).messages, written - 80);
    desk->rooms = 0;
    sim_disk_limit(desk->host, 0);
    sim_run_for(desk->sim, 5 * SIM_SECOND);
    assert_true(desk->rooms > 0);
    desk_write(desk, a, "again", "1");
    desk_cut(desk);
    desk_open(desk);
    assert_int_equal(log_stream_state(desk_find(desk, "A")).messages, written - 79);
    desk_free(desk);
}

static void test_push_back_at_the_high_mark_and_room_afterwards(void **state) {
    (void)state;
    struct desk *desk = desk_new(9, NULL);
    desk->options.unsaved_high_bytes = 100000;
    desk_open(desk);
    struct log_stream *a = desk_stream(desk, "A");
    char payload[5000];
    memset(payload, 'p', sizeof payload);
    int failed = 0;
    unsigned written = 0;
    while (!failed && written < 1000) {
        struct log_batch *batch = NULL;
        failed = log_batch_begin(desk->log, &batch);
        if (failed)
            break;
        struct log_message message = {.subject = slice_lit("p"),
                                      .payload = slice_make(payload, sizeof payload)};
        uint64_t sequence = 0;
        assert_int_equal(log_batch_append(batch, a, &message, &sequence), 0);
        log_batch_commit(batch, NULL);
        written++;
        assert_int_equal(log_full(desk->log), (uint64_t)written * 5056 > 100000);
    }
    assert_int_equal(failed, -EAGAIN);
    assert_true(written >= 200000 / 5056);
    desk->rooms = 0;
    sim_run_for(desk->sim, 5 * SIM_SECOND);
    assert_false(log_full(desk->log));
    assert_int_equal(desk->rooms, 1);
    assert_int_equal(desk_write(desk, a, "x", "y"), written + 1);
    desk_free(desk);
}

static void test_a_failed_sync_of_the_journal_is_fatal(void **state) {
    (void)state;
    struct desk *desk = desk_new(10, NULL);
    desk_open(desk);
    struct log_stream *a = desk_stream(desk, "A");
    desk_write(desk, a, "x", "1");
    sim_run_for(desk->sim, SIM_SECOND);
    sim_disk_fail(desk->host, SIM_SYNC, 1, -EIO);
    desk_append(desk, a, "x", "2");
    desk_sync(desk);
    assert_int_equal(desk->failed, 1);
    assert_int_equal(desk->fatals, 1);
    assert_true(desk->fatal.place[0] && desk->fatal.message[0]);
    struct log_batch *batch = NULL;
    assert_int_equal(log_batch_begin(desk->log, &batch), -EROFS);
    assert_int_equal(desk_checkpoint(desk), -EROFS);
    desk_expect(desk, a, 1, "x", "1");
    desk_close(desk);
    desk_open(desk);
    assert_true(log_stream_state(desk_find(desk, "A")).messages >= 1);
    desk_free(desk);
}

/* The checkpoint on disk as version 1 wrote it: without `erasing` and without `until`. */
static void write_version_1(struct desk *desk) {
    char *text = NULL;
    size_t size = 0;
    assert_int_equal(io_file_load(desk->host, "log/checkpoint", 1u << 20, &text, &size), 0);
    assert_int_equal(record_get_u32(text + 8), 2);
    struct buf old = buf_make(1u << 20);
    const char *at = text + CHECKPOINT_HEADER_SIZE + 12;
    assert_int_equal(buf_append(&old, slice_make(text, (size_t)(at - text))), 0);
    uint32_t segments = record_get_u32(at + 4);
    assert_int_equal(buf_append(&old, slice_make(at + 4, 4)), 0);
    for (at += 8; segments > 0; segments--, at += CHECKPOINT_SEGMENT_SIZE)
        assert_int_equal(buf_append(&old, slice_make(at, CHECKPOINT_SEGMENT_SIZE - 8)), 0);
    assert_int_equal(buf_append(&old, slice_make(at, (size_t)(text + size - at))), 0);
    record_put_u32(old.ptr + 8, 1);
    record_put_u64(old.ptr + 16, old.len);
    record_put_u32(old.ptr + 12, crc32c_update(0, old.ptr + 16, old.len - 16));
    assert_int_equal(io_file_replace(desk->host, "log/checkpoint", buf_slice(&old), 0600), 0);
    buf_free(&old);
    mem_free(text);
}

static void test_a_checkpoint_of_version_1_is_read(void **state) {
    (void)state;
    struct desk *desk = desk_new(11, NULL);
    desk_open(desk);
    struct log_stream *a = desk_stream(desk, "A");
    desk_write(desk, a, "x", "1");
    desk_write(desk, a, "x", "2");
    desk_close(desk);
    write_version_1(desk);
    struct log_verify_report report;
    assert_int_equal(log_verify(desk->host, "log", NULL, NULL, &report, NULL), 0);
    assert_int_equal(report.messages, 2);
    desk_open(desk);
    desk_expect(desk, desk_find(desk, "A"), 2, "x", "2");
    assert_true(desk->log->segments.items[0]->left); /* the worst is believed */
    assert_true(desk->log->segments.items[0]->until == UINT64_MAX);
    desk_write(desk, desk_find(desk, "A"), "x", "3");
    desk_reopen(desk);
    desk_expect(desk, desk_find(desk, "A"), 3, "x", "3");
    desk_free(desk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_checkpoint_empties_the_journal_and_memory),
        cmocka_unit_test(test_the_figures_tell_of_each_sync),
        cmocka_unit_test(test_a_change_is_saved_after_the_idle_time_at_the_latest),
        cmocka_unit_test(test_a_filling_journal_is_emptied_by_itself),
        cmocka_unit_test(test_commits_go_on_while_a_checkpoint_is_written),
        cmocka_unit_test(test_messages_may_go_while_they_are_written),
        cmocka_unit_test(test_a_slow_stream_does_not_crumble_into_small_blocks),
        cmocka_unit_test(test_dead_segments_are_removed),
        cmocka_unit_test(test_a_failed_checkpoint_loses_nothing_and_is_tried_again),
        cmocka_unit_test(test_a_full_disk_refuses_messages_and_takes_deletes),
        cmocka_unit_test(test_push_back_at_the_high_mark_and_room_afterwards),
        cmocka_unit_test(test_a_failed_sync_of_the_journal_is_fatal),
        cmocka_unit_test(test_a_checkpoint_of_version_1_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
