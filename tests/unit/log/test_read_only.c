#include "log_kit.h"

/* A log opened for reading alone: what a node would find, and nothing on disk is touched. */

/* 500 messages in segments, 20 more in the journal only, number 3 erased there; then a kill. */
static void make(struct desk *desk) {
    desk_open(desk);
    struct log_stream *a = desk_stream(desk, "A");
    char payload[32];
    for (unsigned i = 1; i <= 520; i++) {
        snprintf(payload, sizeof payload, "message %u", i);
        desk_write(desk, a, "x", payload);
        if (i == 500)
            assert_int_equal(desk_checkpoint(desk), 0);
    }
    struct log_batch *batch = desk_begin(desk);
    assert_int_equal(log_batch_erase(batch, a, 3), 0);
    desk_commit(desk, batch);
    desk_sync(desk);
    sim_kill(desk->host);
    desk_free_group(desk);
    desk->host = sim_host_restart(desk->host);
}

static int open_to_read(struct desk *desk, struct error *error) {
    desk->options.read_only = true;
    int failed = desk_try_open(desk, error);
    desk->options.read_only = false;
    return failed;
}

struct seen {
    uint64_t count, last;
};

static int each(void *self, const struct log_record *record) {
    struct seen *seen = self;
    char payload[32];
    seen->count++;
    seen->last = record->sequence;
    snprintf(payload, sizeof payload, "message %u", (unsigned)record->sequence);
    assert_true(slice_equal(record->payload, slice_str(payload)));
    return 0;
}

static void assert_same_disk(const struct sim_image *before, const struct sim_image *after) {
    slice bytes, again;
    for (unsigned i = 0;; i++) {
        const char *name = sim_image_file(before, i, &bytes);
        const char *same = sim_image_file(after, i, &again);
        if (!name || !same) {
            assert_ptr_equal(name, same);
            return;
        }
        assert_string_equal(name, same);
        assert_true(slice_equal(bytes, again));
    }
}

static void leave_a_file(struct desk *desk, const char *path) {
    struct io_file *file;
    assert_int_equal(io_file_open(desk->host, path, IO_FILE_WRITE | IO_FILE_CREATE, &file), 0);
    io_file_close(file);
}

static void test_it_reads_what_a_node_would_find_and_changes_nothing(void **state) {
    (void)state;
    struct desk *desk = desk_new(1, NULL);
    struct error error = {0};
    struct seen seen = {0};
    make(desk);
    leave_a_file(desk, "log/segments/00000099.seg");
    leave_a_file(desk, "log/journal/00000099.new");
    struct sim_image *before = sim_disk_save(desk->host);
    assert_int_equal(open_to_read(desk, &error), 0);
    struct log_stream *a = desk_find(desk, "A");
    assert_int_equal(log_stream_state(a).messages, 519);
    assert_int_equal(log_scan(desk->log, a, INT64_MIN, each, &seen), 0);
    assert_int_equal(seen.count, 519);
    assert_int_equal(seen.last, 520);
    struct log_batch *batch;
    assert_int_equal(log_batch_begin(desk->log, &batch), -EROFS);
    desk_free_group(desk);
    struct sim_image *after = sim_disk_save(desk->host);
    assert_same_disk(before, after);
    desk_open(desk); /* and a node goes on as if nothing had been */
    assert_int_equal(log_stream_state(desk_find(desk, "A")).messages, 519);
    sim_image_free(before);
    sim_image_free(after);
    desk_free(desk);
}

static void test_what_is_open_elsewhere_or_not_there_is_refused(void **state) {
    (void)state;
    struct desk *desk = desk_new(2, NULL);
    struct error error = {0};
    assert_int_equal(open_to_read(desk, &error), -ENOENT);
    assert_true(error.message[0]);
    desk_free_group(desk);
    make(desk);
    assert_int_equal(io_unlink(desk->host, "log/checkpoint"), 0);
    assert_int_equal(io_unlink(desk->host, "log/checkpoint.old"), 0);
    error = (struct error){0};
    assert_int_equal(open_to_read(desk, &error), -EBADMSG);
    assert_string_equal(error.place, "log/checkpoint");
    desk_free(desk);
}

/* A group whose write has failed is not believed, though it may lie whole on the disk. */
static void test_the_mark_of_a_failed_write_is_heeded(void **state) {
    (void)state;
    struct desk *desk = desk_new(3, NULL);
    struct error error = {0};
    struct seen seen = {0};
    make(desk);
    desk_open(desk);
    sim_disk_fail(desk->host, SIM_SYNC, 1, -EIO);
    desk_append(desk, desk_find(desk, "A"), "x", "message 521");
    sim_run_for(desk->sim, SIM_SECOND);
    assert_int_equal(desk->fatals, 1);
    sim_kill(desk->host);
    desk_free_group(desk);
    desk->host = sim_host_restart(desk->host);
    assert_int_equal(open_to_read(desk, &error), 0);
    assert_int_equal(log_scan(desk->log, desk_find(desk, "A"), INT64_MIN, each, &seen), 0);
    assert_int_equal(seen.last, 520);
    desk_free(desk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_reads_what_a_node_would_find_and_changes_nothing),
        cmocka_unit_test(test_what_is_open_elsewhere_or_not_there_is_refused),
        cmocka_unit_test(test_the_mark_of_a_failed_write_is_heeded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
