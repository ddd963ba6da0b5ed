#include "journal_kit.h"

/* Batches, groups and seals on a disk that does what it is told. */

static void test_a_fresh_journal_is_empty_and_has_one_file(void **state) {
    (void)state;
    struct desk *desk = desk_new(1, NULL);
    desk_open(desk);
    assert_int_equal(journal_position(desk->journal), 0);
    assert_int_equal(journal_stats(desk->journal).files, 1);
    assert_int_equal(journal_capacity(desk->journal), 4 * DESK_FILE);
    assert_int_equal(journal_used_bytes(desk->journal), SECTOR);
    desk_free(desk);
}

static void test_a_committed_batch_is_synced_and_comes_back(void **state) {
    (void)state;
    struct desk *desk = desk_new(2, NULL);
    desk_open(desk);
    desk_write(desk, 3, 100);
    assert_int_equal(desk->synced, 1);
    assert_int_equal(desk->synced_calls, 1);
    desk_cut(desk);
    desk_open(desk);
    assert_int_equal(desk->replayed, 1);
    assert_int_equal(journal_position(desk->journal), 1);
    desk_free(desk);
}

static void test_what_is_committed_in_one_turn_shares_a_group(void **state) {
    (void)state;
    struct desk *desk = desk_new(3, NULL);
    desk_open(desk);
    for (int i = 0; i < 20; i++)
        desk_commit(desk, 1, 64);
    assert_int_equal(desk->synced, 0); /* never from inside a call */
    desk_sync(desk);
    assert_int_equal(desk->synced_calls, 1);
    assert_int_equal(journal_stats(desk->journal).groups, 1);
    assert_int_equal(journal_stats(desk->journal).batches, 20);
    desk_free(desk);
}

static void test_what_is_committed_during_a_write_leaves_when_it_is_done_in_order(void **state) {
    (void)state;
    struct desk *desk = desk_new(4, NULL);
    desk_open(desk);
    uint64_t before = sim_disk_steps(desk->host);
    desk_commit(desk, 1, 64);
    while (sim_disk_steps(desk->host) == before)
        assert_true(sim_step(desk->sim));
    for (int i = 0; i < 5; i++)
        desk_commit(desk, 1, 64);
    desk_sync(desk);
    assert_int_equal(desk->synced_calls, 2);
    assert_int_equal(journal_stats(desk->journal).groups, 2);
    desk_cut(desk);
    desk_open(desk);
    assert_int_equal(desk->replayed, 6);
    desk_free(desk);
}

static void test_a_lone_batch_needs_no_timer(void **state) {
    (void)state;
    struct desk *desk = desk_new(5, &(struct sim_options){.write_ns = 1000, .sync_ns = 10000});
    desk_open(desk);
    uint64_t before = sim_now_ns(desk->sim);
    desk_write(desk, 1, 64);
    assert_true(sim_now_ns(desk->sim) - before < SIM_MILLISECOND);
    desk_free(desk);
}

static void test_an_abandoned_batch_leaves_nothing(void **state) {
    (void)state;
    struct desk *desk = desk_new(6, NULL);
    desk_open(desk);
    desk_commit(desk, 1, 64);
    uint64_t position;
    assert_int_equal(journal_batch_begin(desk->journal, &position), 0);
    assert_int_equal(position, 2);
    assert_int_equal(desk_add(desk, position, 0, 5000, false), 0);
    assert_int_equal(journal_batch_bytes(desk->journal), record_size_of(0, 0, 5000));
    journal_batch_abandon(desk->journal);
    desk_commit(desk, 2, 32); /* takes the same position */
    desk_sync(desk);
    desk_cut(desk);
    desk_open(desk);
    assert_int_equal(desk->replayed, 2);
    desk_free(desk);
}

static void test_a_batch_without_changes_takes_a_position_and_no_write(void **state) {
    (void)state;
    struct desk *desk = desk_new(7, NULL);
    desk_open(desk);
    desk_commit(desk, 0, 0);
    assert_int_equal(journal_synced_position(desk->journal), 1);
    desk_commit(desk, 1, 10);
    desk_commit(desk, 0, 0); /* waits for what is before it */
    assert_int_equal(journal_synced_position(desk->journal), 1);
    desk_sync(desk);
    assert_int_equal(journal_stats(desk->journal).groups, 1);
    desk_commit(desk, 0, 0);
    desk_commit(desk, 1, 10);
    desk_sync(desk);
    desk_cut(desk);
    desk_open(desk);
    assert_int_equal(desk->replayed, 2);
    assert_int_equal(journal_position(desk->journal), 5);
    desk_free(desk);
}

static void test_only_batches_behind_the_checkpoint_are_replayed(void **state) {
    (void)state;
    struct desk *desk = desk_new(8, NULL);
    desk_open(desk);
    for (int i = 0; i < 10; i++)
        desk_write(desk, 1, 10);
    desk_close(desk);
    desk->options.from_position = 7;
    desk_open(desk);
    assert_int_equal(desk->replayed, 3);
    assert_int_equal(desk->replayed_first, 8);
    desk_free(desk);
}

static void test_a_seal_is_written_once_when_idle(void **state) {
    (void)state;
    struct desk *desk = desk_new(9, NULL);
    desk_open(desk);
    desk_rest(desk);
    assert_int_equal(journal_stats(desk->journal).seals, 0); /* nothing to seal */
    desk_write(desk, 1, 10);
    assert_int_equal(journal_stats(desk->journal).seals, 0);
    desk_rest(desk);
    desk_rest(desk);
    assert_int_equal(journal_stats(desk->journal).seals, 1);
    desk_write(desk, 1, 10);
    desk_close(desk); /* seals at once */
    desk_open(desk);
    desk_rest(desk);
    assert_int_equal(journal_stats(desk->journal).seals, 0);
    assert_int_equal(desk->replayed, 2);
    desk_free(desk);
}

static void test_an_unsealed_journal_is_sealed_after_it_is_opened(void **state) {
    (void)state;
    struct desk *desk = desk_new(10, NULL);
    desk_open(desk);
    desk_write(desk, 1, 10);
    desk_kill(desk);
    desk_open(desk);
    desk_rest(desk);
    assert_int_equal(journal_stats(desk->journal).seals, 1);
    desk_free(desk);
}

static void test_close_writes_what_has_formed(void **state) {
    (void)state;
    struct desk *desk = desk_new(11, NULL);
    desk_open(desk);
    desk_commit(desk, 1, 10);
    desk_commit(desk, 1, 20);
    desk_close(desk);
    assert_int_equal(desk->close_failed, 0);
    assert_int_equal(desk->synced, 2);
    struct journal_report report;
    struct error error;
    assert_int_equal(journal_verify(desk->host, "log", 0, NULL, NULL, &report, &error), 0);
    assert_true(report.sealed);
    assert_int_equal(report.groups, 2);
    assert_int_equal(report.batches, 2);
    assert_int_equal(report.messages, 2);
    assert_int_equal(report.first_position, 1);
    assert_int_equal(report.last_position, 2);
    desk_cut(desk);
    desk_open(desk);
    assert_int_equal(desk->replayed, 2);
    desk_free(desk);
}

static void test_free_drops_what_was_not_written(void **state) {
    (void)state;
    struct desk *desk = desk_new(12, NULL);
    desk_open(desk);
    desk_write(desk, 1, 10);
    desk_commit(desk, 1, 10);
    desk->journal = journal_free(desk->journal);
    assert_int_equal(desk->synced, 1);
    desk->options.loop = desk->loop;
    desk_open(desk);
    assert_int_equal(desk->replayed, 1);
    desk_free(desk);
}

/* --- sizes ------------------------------------------------------------------------------------ */

static void test_groups_go_on_in_the_next_file(void **state) {
    (void)state;
    struct desk *desk = desk_new(20, NULL);
    desk_open(desk);
    for (int i = 0; i < 20; i++)
        desk_write(desk, 1, 5000); /* two sectors each: 7 in a file of 15 */
    assert_true(journal_stats(desk->journal).files >= 3);
    desk_cut(desk);
    desk_open(desk);
    assert_int_equal(desk->replayed, 20);
    desk_write(desk, 1, 10);
    desk_free(desk);
}

static void test_a_turn_with_more_than_a_file_is_split_at_batches(void **state) {
    (void)state;
    struct desk *desk = desk_new(21, NULL);
    desk_open(desk);
    for (int i = 0; i < 12; i++)
        desk_commit(desk, 3, 4000);
    desk_sync(desk);
    assert_true(journal_stats(desk->journal).groups >= 3);
    desk_cut(desk);
    desk_open(desk);
    assert_int_equal(desk->replayed, 12);
    desk_free(desk);
}

static void test_a_group_is_bounded(void **state) {
    (void)state;
    struct desk *desk = desk_new(22, NULL);
    desk->options.file_bytes = 32u << 20;
    desk_open(desk);
    for (int i = 0; i < 10; i++)
        desk_commit(desk, 1, 1u << 20);
    desk_sync(desk);
    assert_int_equal(journal_stats(desk->journal).groups, 4); /* three of 1 MiB and a bit each */
    desk_cut(desk);
    desk_open(desk);
    assert_int_equal(desk->replayed, 10);
    desk_free(desk);
}

static void test_a_batch_larger_than_a_file_gets_its_own(void **state) {
    (void)state;
    struct desk *desk = desk_new(23, NULL);
    desk_open(desk);
    desk_write(desk, 1, 10);
    desk_write(desk, 5, 60000);
    desk_write(desk, 1, 20);
    desk_cut(desk);
    desk_open(desk);
    assert_int_equal(desk->replayed, 3);
    unsigned files = journal_stats(desk->journal).files;
    journal_recycle(desk->journal, 3);
    for (int i = 0; i < 20; i++) {
        desk_write(desk, 1, 5000);
        journal_recycle(desk->journal, desk->synced);
    }
    desk_rest(desk);
    assert_true(journal_stats(desk->journal).files <= 4 && files >= 2);
    assert_true(journal_used_bytes(desk->journal) <= 2 * DESK_FILE);
    desk_free(desk);
}

static void test_a_batch_that_outgrows_its_group_moves_with_all_it_has(void **state) {
    (void)state;
    struct desk *desk = desk_new(24, NULL);
    desk_open(desk);
    desk_commit(desk, 1, 20000);
    desk_commit(desk, 8, 5000); /* begins behind the first, ends in a file behind it */
    desk_commit(desk, 1, 10);
    desk_sync(desk);
    desk_cut(desk);
    desk_open(desk);
    assert_int_equal(desk->replayed, 3);
    desk_free(desk);
}

static void test_bounds_of_a_batch_are_refused_and_leave_it_whole(void **state) {
    (void)state;
    struct desk *desk = desk_new(25, NULL);
    desk_open(desk);
    uint64_t position;
    char *out;
    assert_int_equal(journal_batch_begin(desk->journal, &position), 0);
    assert_int_equal(journal_batch_room(desk->journal, LOG_BATCH_BYTES_MAX + 8, false, &out),
                     -E2BIG);
    assert_int_equal(journal_batch_bytes(desk->journal), 0);
    for (uint32_t i = 0; i < LOG_BATCH_CHANGES_MAX; i++)
        assert_int_equal(desk_add(desk, position, i, 0, false), 0);
    size_t bytes = journal_batch_bytes(desk->journal);
    assert_int_equal(desk_add(desk, position, 0, 0, false), -E2BIG);
    assert_int_equal(journal_batch_bytes(desk->journal), bytes);
    journal_batch_abandon(desk->journal);
    desk_free(desk);
}

/* --- space ------------------------------------------------------------------------------------ */

static void test_recycled_files_come_back_under_new_numbers(void **state) {
    (void)state;
    struct desk *desk = desk_new(30, NULL);
    desk_open(desk);
    for (int i = 0; i < 200; i++) {
        desk_write(desk, 1, 5000);
        if (i % 10 == 9 && i < 195) {
            journal_recycle(desk->journal, desk->synced);
            sim_run_for(desk->sim, 10 * SIM_MILLISECOND);
        }
    }
    assert_true(journal_stats(desk->journal).files <= 4);
    struct io_file *file = NULL;
    assert_int_equal(io_file_open(desk->host, desk_file(1), 0, &file), -ENOENT);
    desk_cut(desk);
    desk->options.from_position = 195;
    desk_open(desk);
    assert_int_equal(desk->replayed, 5); /* old bytes lie behind the end, and are not believed */
    desk_write(desk, 1, 10);
    desk_free(desk);
}

static void test_the_file_of_the_newest_group_is_kept(void **state) {
    (void)state;
    struct desk *desk = desk_new(31, NULL);
    desk_open(desk);
    for (int i = 0; i < 15; i++)
        desk_write(desk, 1, 3000);
    desk_close(desk);
    desk_open(desk);
    journal_recycle(desk->journal, 15);
    desk_rest(desk);
    desk_close(desk);
    desk->options.from_position = 15;
    desk_open(desk);
    assert_int_equal(journal_position(desk->journal), 15);
    desk_free(desk);
}

static void test_a_full_journal_asks_for_a_checkpoint_and_keeps_its_reserve(void **state) {
    (void)state;
    struct desk *desk = desk_new(32, NULL);
    desk->options.files = 2;
    desk_open(desk);
    int failed = 0;
    unsigned taken = 0;
    for (; !failed && taken < 100; taken++) {
        failed = desk_try_commit(desk, 1, 3000, false);
        desk_sync(desk);
    }
    assert_int_equal(failed, -EAGAIN);
    assert_true(taken > 20);
    assert_false(journal_has_room(desk->journal, 3000, false));
    assert_true(journal_has_room(desk->journal, 3000, true));
    assert_int_equal(desk_try_commit(desk, 1, 100, true), 0);
    desk_sync(desk);
    assert_int_equal(desk_try_commit(desk, 1, 100, true), 0);
    desk_sync(desk);
    unsigned rooms = desk->rooms;
    journal_recycle(desk->journal, desk->synced);
    desk_rest(desk);
    assert_true(desk->rooms > rooms);
    assert_true(journal_has_room(desk->journal, 3000, false));
    desk_write(desk, 1, 3000);
    desk_cut(desk);
    desk->options.from_position = desk->synced - 1;
    desk_open(desk);
    desk_free(desk);
}

static void test_a_batch_that_was_refused_more_can_be_committed_with_what_it_has(void **state) {
    (void)state;
    for (uint32_t before = 0; before < 28; before++) {
        struct desk *desk = desk_new(36, &(struct sim_options){.disk_bytes = 150000});
        desk->options.files = 2;
        desk_open(desk);
        for (uint32_t i = 0; i < before; i++) /* in one turn: some stay in the forming group */
            if (desk_try_commit(desk, 1, 4096, true))
                break;
        uint64_t position;
        uint32_t taken = 0;
        assert_int_equal(journal_batch_begin(desk->journal, &position), 0);
        while (taken < 100 && desk_add(desk, position, taken, 3000, taken % 2) == 0)
            taken++;
        assert_true(taken < 100);
        desk->lives[position] = desk->life;
        desk->sizes[position] = 3000;
        desk->changes[position] = taken;
        desk->committed = position;
        journal_batch_commit(desk->journal);
        desk_sync(desk);
        desk_cut(desk);
        desk_open(desk);
        desk_free(desk);
    }
}

static void test_room_is_judged_behind_what_has_formed(void **state) {
    (void)state;
    struct desk *desk = desk_new(37, &(struct sim_options){.disk_bytes = 100000});
    desk_open(desk);
    desk_commit(desk, 1, 10);
    assert_true(journal_has_room(desk->journal, 30000, false));
    desk_sync(desk);
    assert_int_equal(desk_try_commit(desk, 1, 60000, false), -ENOSPC); /* no second file */
    assert_true(journal_has_room(desk->journal, 30000, false));
    desk_commit(desk, 1, 20000);
    assert_false(journal_has_room(desk->journal, 30000, false));
    desk_free(desk);
}

static void test_the_reserve_ends_before_the_seal(void **state) {
    (void)state;
    struct desk *desk = desk_new(33, NULL);
    desk->options.files = 2;
    desk_open(desk);
    unsigned taken = 0;
    while (desk_try_commit(desk, 1, 3000, true) == 0 && taken++ < 100)
        desk_sync(desk);
    assert_int_equal(taken, 29); /* 15 sectors a file; the last is the seal's */
    assert_false(journal_has_room(desk->journal, 10, true));
    desk_close(desk);
    struct journal_report report;
    assert_int_equal(journal_verify(desk->host, "log", 0, NULL, NULL, &report, NULL), 0);
    assert_true(report.sealed);
    desk_free(desk);
}

static void test_a_full_disk_refuses_appends_and_takes_deltas(void **state) {
    (void)state;
    struct desk *desk = desk_new(34, &(struct sim_options){.disk_bytes = 100000});
    desk_open(desk);
    int failed = 0;
    for (unsigned i = 0; !failed && i < 100; i++) {
        failed = desk_try_commit(desk, 1, 3000, false);
        desk_sync(desk);
    }
    assert_int_equal(failed, -ENOSPC);
    assert_int_equal(desk->failures, 0);
    assert_false(journal_has_room(desk->journal, 3000, false));
    assert_int_equal(desk_try_commit(desk, 1, 100, true), 0);
    desk_sync(desk);
    assert_int_equal(desk->failures, 0);
    sim_disk_limit(desk->host, 0); /* somebody tidies up */
    sim_run_for(desk->sim, 3 * SIM_SECOND);
    assert_true(desk->rooms > 0);
    desk_write(desk, 1, 3000);
    desk_cut(desk);
    desk_open(desk);
    desk_free(desk);
}

static void test_changed_sizes_apply_to_files_made_from_then_on(void **state) {
    (void)state;
    struct desk *desk = desk_new(35, NULL);
    desk_open(desk);
    for (int i = 0; i < 20; i++)
        desk_write(desk, 1, 5000);
    desk_close(desk);
    desk->options.file_bytes = 2 * DESK_FILE;
    desk->options.files = 2;
    desk_open(desk);
    assert_int_equal(desk->replayed, 20);
    for (int i = 0; i < 60; i++) {
        journal_recycle(desk->journal, desk->synced);
        desk_rest(desk);
        desk_write(desk, 1, 5000);
    }
    assert_true(journal_stats(desk->journal).files <= 3);
    desk_free(desk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_fresh_journal_is_empty_and_has_one_file),
        cmocka_unit_test(test_a_committed_batch_is_synced_and_comes_back),
        cmocka_unit_test(test_what_is_committed_in_one_turn_shares_a_group),
        cmocka_unit_test(test_what_is_committed_during_a_write_leaves_when_it_is_done_in_order),
        cmocka_unit_test(test_a_lone_batch_needs_no_timer),
        cmocka_unit_test(test_an_abandoned_batch_leaves_nothing),
        cmocka_unit_test(test_a_batch_without_changes_takes_a_position_and_no_write),
        cmocka_unit_test(test_only_batches_behind_the_checkpoint_are_replayed),
        cmocka_unit_test(test_a_seal_is_written_once_when_idle),
        cmocka_unit_test(test_an_unsealed_journal_is_sealed_after_it_is_opened),
        cmocka_unit_test(test_close_writes_what_has_formed),
        cmocka_unit_test(test_free_drops_what_was_not_written),
        cmocka_unit_test(test_groups_go_on_in_the_next_file),
        cmocka_unit_test(test_a_turn_with_more_than_a_file_is_split_at_batches),
        cmocka_unit_test(test_a_group_is_bounded),
        cmocka_unit_test(test_a_batch_larger_than_a_file_gets_its_own),
        cmocka_unit_test(test_a_batch_that_outgrows_its_group_moves_with_all_it_has),
        cmocka_unit_test(test_bounds_of_a_batch_are_refused_and_leave_it_whole),
        cmocka_unit_test(test_recycled_files_come_back_under_new_numbers),
        cmocka_unit_test(test_the_file_of_the_newest_group_is_kept),
        cmocka_unit_test(test_a_full_journal_asks_for_a_checkpoint_and_keeps_its_reserve),
        cmocka_unit_test(test_a_batch_that_was_refused_more_can_be_committed_with_what_it_has),
        cmocka_unit_test(test_room_is_judged_behind_what_has_formed),
        cmocka_unit_test(test_the_reserve_ends_before_the_seal),
        cmocka_unit_test(test_a_full_disk_refuses_appends_and_takes_deltas),
        cmocka_unit_test(test_changed_sizes_apply_to_files_made_from_then_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
