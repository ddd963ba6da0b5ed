#include "journal_kit.h"

#include "log/journal_format.h"

/* What is left after a crash: ends that are torn, old bytes behind the end, files half made. */

/* The last group of a journal that was never sealed: COUNT batches of one sector each before it,
   then one of SECTORS sectors. Sets where it lies. */
static struct desk *with_large_tail(uint64_t seed, int count, uint32_t sectors,
                                    uint64_t *ret_offset) {
    struct desk *desk = desk_new(seed, NULL);
    desk_open(desk);
    for (int i = 0; i < count; i++)
        desk_write(desk, 1, 100);
    *ret_offset = SECTOR * (1 + (uint64_t)count);
    desk_write(desk, 1, sectors * SECTOR - 1000);
    desk_cut(desk);
    desk->acknowledged = (uint64_t)count; /* as if the power had gone before the sync */
    return desk;
}

static void test_a_tail_torn_at_any_sector_is_dropped(void **state) {
    (void)state;
    enum { BEFORE = 3, SECTORS = 5 };
    char garbage[SECTOR];
    memset(garbage, 0x5a, sizeof garbage);
    for (unsigned lost = 1; lost < 1u << SECTORS; lost++) { /* every set of lost sectors */
        uint64_t offset;
        struct desk *desk = with_large_tail(lost, BEFORE, SECTORS, &offset);
        for (unsigned i = 0; i < SECTORS; i++)
            if (lost & 1u << i)
                desk_poke(desk, 1, offset + i * SECTOR, garbage, SECTOR);
        desk_open(desk);
        assert_int_equal(journal_position(desk->journal), BEFORE);
        assert_int_equal(desk->replayed, BEFORE);
        struct journal_report report;
        assert_int_equal(journal_verify(desk->host, "log", 0, NULL, NULL, &report, NULL), 0);
        assert_false(report.sealed);
        assert_int_equal(report.groups, BEFORE);
        /* What is written over it is found, what is left of it is not. */
        desk_write(desk, 1, 10);
        desk_cut(desk);
        desk_open(desk);
        assert_int_equal(desk->replayed, BEFORE + 1);
        desk_write(desk, 2, 10);
        desk_close(desk);
        desk_open(desk);
        assert_int_equal(desk->replayed, BEFORE + 2);
        desk_free(desk);
    }
}

static void test_a_torn_tail_is_logged(void **state) {
    (void)state;
    uint64_t offset;
    struct desk *desk = with_large_tail(7, 2, 3, &offset);
    assert_int_equal(logger_create(desk->host, LOG_LEVEL_INFO, &desk->options.logger), 0);
    desk_flip(desk, 1, offset + SECTOR + 17, 3);
    desk_open(desk);
    assert_non_null(strstr(sim_log_text(desk->host), "cut off"));
    assert_non_null(strstr(sim_log_text(desk->host), "offset=12288 group=3"));
    desk->options.logger = logger_free(desk->options.logger);
    desk_free(desk);
}

static void test_a_tail_torn_at_the_start_of_a_file_is_dropped(void **state) {
    (void)state;
    struct desk *desk = desk_new(8, NULL);
    desk_open(desk);
    for (int i = 0; i < 7; i++) {
        desk_write(desk, 1, 5000); /* 14 of 15 sectors */
        sim_run_for(desk->sim, 10 * SIM_MILLISECOND);
    }
    desk_write(desk, 1, 6000); /* the first of file 2 */
    desk_cut(desk);
    desk->acknowledged = 7;
    desk_flip(desk, 2, SECTOR + 5000, 1);
    desk_open(desk);
    assert_int_equal(journal_position(desk->journal), 7);
    desk_write(desk, 1, 100); /* fits file 1: the torn one stays where it is */
    desk_write(desk, 1, 9000);
    desk_cut(desk);
    desk_open(desk);
    assert_int_equal(desk->replayed, 9);
    desk_free(desk);
}

static void test_a_group_that_was_written_but_not_acknowledged_is_kept_and_synced(void **state) {
    (void)state;
    struct desk *desk = desk_new(9, NULL);
    desk_open(desk);
    desk_write(desk, 1, 10);
    desk_write(desk, 1, 10000);
    /* The process is killed between write and sync: the page cache has it all. */
    desk_commit(desk, 1, 20000);
    uint64_t before = sim_disk_steps(desk->host);
    while (sim_disk_steps(desk->host) < before + 2) /* the write, the start of the sync */
        assert_true(sim_step(desk->sim));
    assert_int_equal(desk->synced, 2);
    desk_kill(desk);
    desk_open(desk);
    assert_int_equal(journal_position(desk->journal), 3); /* readers see it now */
    desk_cut(desk);
    desk_open(desk);
    assert_int_equal(journal_position(desk->journal), 3);
    desk_free(desk);
}

/* --- earlier uses of a file ------------------------------------------------------------------- */

static void test_old_groups_behind_the_end_are_not_believed(void **state) {
    (void)state;
    for (int last = 1; last <= 15; last++) {
        struct desk *desk = desk_new((uint64_t)last, NULL);
        desk->options.files = 2;
        desk_open(desk);
        for (int i = 0; i < 31; i++) { /* two files and one */
            desk_write(desk, 1, 100);
            if (i % 5 == 4) {
                journal_recycle(desk->journal, desk->synced);
                desk_rest(desk);
            }
        }
        for (int i = 0; i < last; i++) {
            desk_write(desk, 1, 50);
            journal_recycle(desk->journal, desk->synced);
            sim_run_for(desk->sim, 10 * SIM_MILLISECOND);
        }
        uint64_t end = desk->synced;
        desk_cut(desk);
        desk->options.from_position = end;
        desk_open(desk);
        assert_int_equal(journal_position(desk->journal), end);
        desk_write(desk, 1, 70);
        desk_free(desk);
    }
}

static void test_a_message_cannot_pass_for_a_group(void **state) {
    (void)state;
    /* The bytes of a real group, at the offset it names, as payload: but of another log. */
    struct desk *desk = desk_new(11, NULL);
    desk_open(desk);
    desk_write(desk, 1, 100);
    desk_cut(desk);
    char group[SECTOR];
    desk_peek(desk, 1, SECTOR, group, sizeof group);
    struct journal_group parsed;
    uint64_t id = record_get_u64(group + 16);
    assert_true(journal_group_peek(group, id, 1, SECTOR, DESK_FILE, &parsed));
    parsed.log_id = id ^ 1;
    parsed.offset = 3 * SECTOR;
    parsed.number = 9;
    journal_group_encode(&parsed, group);
    desk_poke(desk, 1, 3 * SECTOR, group, sizeof group);
    desk_open(desk); /* not corruption: nothing good lies behind the end */
    assert_int_equal(desk->replayed, 1);
    desk_free(desk);
}

/* --- a failed sync ---------------------------------------------------------------------------- */

static void
test_after_a_failed_sync_nothing_is_written_and_the_group_is_not_believed(void **state) {
    (void)state;
    struct desk *desk = desk_new(12, NULL);
    desk_open(desk);
    desk_write(desk, 1, 100);
    sim_disk_fail(desk->host, SIM_SYNC, 1, -EIO);
    desk_commit(desk, 1, 100);
    desk_sync(desk);
    assert_int_equal(desk->failures, 1);
    assert_non_null(strstr(desk->failure.place, "journal/00000001.jnl offset 8192"));
    assert_int_equal(desk->synced, 1);
    uint64_t position;
    assert_int_equal(journal_batch_begin(desk->journal, &position), -EROFS);
    assert_false(journal_has_room(desk->journal, 10, true));
    uint64_t steps = sim_disk_steps(desk->host);
    desk_rest(desk);
    assert_int_equal(sim_disk_steps(desk->host), steps);
    assert_int_equal(desk->failures, 1);
    desk_kill(desk); /* the page cache still shows the lost group as a good one */
    desk_open(desk);
    assert_int_equal(journal_position(desk->journal), 1);
    desk_write(desk, 1, 200);
    desk_write(desk, 1, 300);
    desk_cut(desk);
    desk_open(desk);
    assert_int_equal(journal_position(desk->journal), 3);
    desk_free(desk);
}

static void test_a_mark_that_outlived_its_group_does_nothing(void **state) {
    (void)state;
    struct desk *desk = desk_new(13, NULL);
    desk_open(desk);
    desk_write(desk, 1, 100);
    sim_disk_fail(desk->host, SIM_SYNC, 1, -EIO);
    desk_commit(desk, 1, 100);
    desk_sync(desk);
    desk_kill(desk);
    char *mark = NULL;
    size_t size = 0;
    assert_int_equal(io_file_load(desk->host, "log/journal/failed", 100, &mark, &size), 0);
    desk_open(desk);
    desk_write(desk, 1, 200); /* at the same place */
    desk_close(desk);
    assert_int_equal(
        io_file_replace(desk->host, "log/journal/failed", slice_make(mark, size), 0600), 0);
    desk_open(desk);
    assert_int_equal(desk->replayed, 2);
    desk_close(desk);
    mark[3] ^= 1;
    assert_int_equal(
        io_file_replace(desk->host, "log/journal/failed", slice_make(mark, size), 0600), 0);
    struct error error = {0};
    assert_int_equal(desk_try_open(desk, &error), -EBADMSG);
    assert_string_equal(error.place, "journal/failed");
    mem_free(mark);
    desk_free(desk);
}

static void test_a_failed_write_at_close_is_told(void **state) {
    (void)state;
    struct desk *desk = desk_new(14, NULL);
    desk_open(desk);
    desk_write(desk, 1, 100);
    desk_commit(desk, 1, 100);
    sim_disk_fail(desk->host, SIM_WRITE, 1, -EIO);
    desk_close(desk);
    assert_int_equal(desk->close_failed, -EIO);
    assert_int_equal(desk->failures, 1);
    assert_int_equal(desk->synced, 1);
    desk_free(desk);
}

/* --- crashes at every step -------------------------------------------------------------------- */

/* One life: open, write, recycle, close; the power goes at step CUT. Then another life. Returns
   whether it went at all. */
static bool cut_at_step(uint64_t seed, uint64_t step, bool second_cut) {
    struct desk *desk = desk_new(seed * 1000 + step, NULL);
    desk->options.files = 2;
    sim_cut_at(desk->host, step);
    struct error error = {0};
    int failed = desk_try_open(desk, &error);
    for (int i = 0; i < 24 && !failed && !sim_host_down(desk->host); i++) {
        failed = desk_try_commit(desk, 1, 4200, false);
        sim_run_for(desk->sim, 10 * SIM_MILLISECOND);
        if (!failed && !desk->failures && i % 6 == 5) {
            desk->options.from_position = desk->synced;
            journal_recycle(desk->journal, desk->synced);
        }
        failed = failed == -EAGAIN ? 0 : failed;
    }
    bool went = sim_host_down(desk->host);
    if (!went)
        sim_cut_at(desk->host, 0);
    desk_cut(desk);
    if (second_cut) { /* in the middle of recovery, perhaps */
        sim_cut_at(desk->host, 1 + step % 7);
        failed = desk_try_open(desk, &error);
        sim_run_for(desk->sim, 100 * SIM_MILLISECOND);
        desk_cut(desk);
    }
    desk_open(desk);
    desk_write(desk, 1, 10);
    desk_close(desk);
    struct journal_report report;
    assert_int_equal(journal_verify(desk->host, "log", 0, NULL, NULL, &report, NULL), 0);
    desk_free(desk);
    return went;
}

static void test_a_cut_at_every_step_loses_nothing_acknowledged(void **state) {
    (void)state;
    uint64_t steps = 1;
    while (cut_at_step(1, steps, false))
        steps++;
    assert_true(steps > 60);
    for (uint64_t seed = 2; seed < 8; seed++)
        for (uint64_t step = 1; step < steps; step++)
            (void)cut_at_step(seed, step, seed % 2);
}

static void test_a_name_that_a_kill_left_unsynced_is_synced_before_it_is_used(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct desk *desk = desk_new(seed, NULL);
        desk_open(desk);
        for (int i = 0; i < 12; i++)
            desk_commit(desk, 1, 3000);
        struct io_file *file = NULL;
        while (io_file_open(desk->host, desk_file(2), 0, &file)) /* till the rename */
            assert_true(sim_step(desk->sim));
        io_file_close(file);
        desk_kill(desk);
        desk_open(desk);
        desk_write(desk, 1, 40000); /* goes to file 2, and needs no third */
        desk_cut(desk);
        desk_open(desk);
        desk_free(desk);
    }
}

static void test_half_made_files_are_removed(void **state) {
    (void)state;
    struct desk *desk = desk_new(15, NULL);
    desk_open(desk);
    desk_write(desk, 1, 10);
    desk_close(desk);
    struct io_file *file = NULL;
    assert_int_equal(
        io_file_open(desk->host, "log/journal/00000002.new", IO_FILE_WRITE | IO_FILE_CREATE, &file),
        0);
    file = io_file_close(file);
    desk_open(desk);
    assert_int_equal(io_file_open(desk->host, "log/journal/00000002.new", 0, &file), -ENOENT);
    desk_free(desk);
}

static void create(struct desk *desk, const char *path) {
    struct io_file *file = NULL;
    assert_int_equal(io_file_open(desk->host, path, IO_FILE_WRITE | IO_FILE_CREATE, &file), 0);
    io_file_close(file);
}

static void test_other_names_in_the_folder_are_left_alone(void **state) {
    (void)state;
    struct desk *desk = desk_new(16, NULL);
    desk_open(desk);
    desk_write(desk, 1, 10);
    desk_close(desk);
    create(desk, "log/journal/notes.txt");
    create(desk, "log/journal/17.jnl");
    create(desk, "log/journal/0000000x.jnl");
    desk_open(desk);
    assert_int_equal(desk->replayed, 1);
    struct io_file *file = NULL;
    assert_int_equal(io_file_open(desk->host, "log/journal/notes.txt", 0, &file), 0);
    io_file_close(file);
    desk_free(desk);
}

static void test_a_folder_with_too_many_files_is_refused(void **state) {
    (void)state;
    struct desk *desk = desk_new(17, NULL);
    assert_int_equal(io_dir_create(desk->host, "log/journal"), 0);
    for (uint64_t number = 1; number <= JOURNAL_FILES_MAX + 1; number++)
        create(desk, desk_file(number));
    struct error error = {0};
    assert_int_equal(desk_try_open(desk, &error), -E2BIG);
    desk_free(desk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_tail_torn_at_any_sector_is_dropped),
        cmocka_unit_test(test_a_torn_tail_is_logged),
        cmocka_unit_test(test_a_tail_torn_at_the_start_of_a_file_is_dropped),
        cmocka_unit_test(test_a_group_that_was_written_but_not_acknowledged_is_kept_and_synced),
        cmocka_unit_test(test_old_groups_behind_the_end_are_not_believed),
        cmocka_unit_test(test_a_message_cannot_pass_for_a_group),
        cmocka_unit_test(test_after_a_failed_sync_nothing_is_written_and_the_group_is_not_believed),
        cmocka_unit_test(test_a_mark_that_outlived_its_group_does_nothing),
        cmocka_unit_test(test_a_failed_write_at_close_is_told),
        cmocka_unit_test(test_a_cut_at_every_step_loses_nothing_acknowledged),
        cmocka_unit_test(test_a_name_that_a_kill_left_unsynced_is_synced_before_it_is_used),
        cmocka_unit_test(test_half_made_files_are_removed),
        cmocka_unit_test(test_other_names_in_the_folder_are_left_alone),
        cmocka_unit_test(test_a_folder_with_too_many_files_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
