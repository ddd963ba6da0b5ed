#include "journal_kit.h"

#include "log/journal_retire.h"

/* The journal goes on in files that have been zeros, and zeroes those it leaves. */

static bool is_retired(void *self) {
    return journal_retired(((struct desk *)self)->journal);
}

static bool is_clean(void *self) {
    return journal_stale_files(((struct desk *)self)->journal) == 0;
}

static void retire(struct desk *desk) {
    journal_retire(desk->journal);
    assert_true(sim_run_until(desk->sim, is_retired, desk, SIM_SECOND));
}

/* The records of journal_kit.c are filled with a byte by their position: is it anywhere? */
static bool on_disk(struct desk *desk, const void *bytes, size_t size) {
    struct sim_image *image = sim_disk_save(desk->host);
    bool found = false;
    slice file;
    for (unsigned i = 0; sim_image_file(image, i, &file); i++)
        for (size_t at = 0; at + size <= file.len && !found; at++)
            found = memcmp(file.ptr + at, bytes, size) == 0;
    sim_image_free(image);
    return found;
}

static void test_what_was_written_is_zeroed_once_it_is_saved_elsewhere(void **state) {
    (void)state;
    char group[64];
    struct desk *desk = desk_new(1, NULL);
    desk_open(desk);
    desk_write(desk, 1, 1000);
    desk_peek(desk, 1, SECTOR, group, sizeof group);
    assert_true(on_disk(desk, group, sizeof group));
    retire(desk);
    assert_true(journal_stale_files(desk->journal) > 0);
    desk_write(desk, 1, 100); /* goes elsewhere */
    sim_run_for(desk->sim, SIM_SECOND);
    assert_false(is_clean(desk)); /* nobody has said that it is saved */
    assert_true(on_disk(desk, group, sizeof group));
    journal_recycle(desk->journal, 1);
    assert_true(sim_run_until(desk->sim, is_clean, desk, SIM_SECOND));
    assert_false(on_disk(desk, group, sizeof group));
    desk_cut(desk);
    assert_false(on_disk(desk, group, sizeof group));
    desk->options.from_position = 1;
    desk_open(desk);
    assert_int_equal(desk->replayed, 1);
    desk_free(desk);
}

static void test_old_uses_are_zeroed_too(void **state) {
    (void)state;
    struct desk *desk = desk_new(2, NULL);
    desk_open(desk);
    for (int i = 0; i < 60; i++) {
        desk_write(desk, 1, 5000);
        journal_recycle(desk->journal, desk->synced);
        sim_run_for(desk->sim, 10 * SIM_MILLISECOND);
    }
    retire(desk);
    desk_write(desk, 1, 10);
    journal_recycle(desk->journal, desk->synced);
    assert_true(sim_run_until(desk->sim, is_clean, desk, SIM_SECOND));
    struct sim_image *image = sim_disk_save(desk->host);
    slice file;
    unsigned sectors = 0; /* that hold something */
    for (unsigned i = 0; sim_image_file(image, i, &file); i++)
        for (size_t at = SECTOR; at + SECTOR <= file.len; at += SECTOR)
            sectors += file.ptr[at] != 0;
    sim_image_free(image);
    assert_in_range(sectors, 1, 2); /* the last group, and a seal */
    desk_free(desk);
}

/* Where there are as many files as there may be, and all are full. */
static void test_a_full_journal_can_be_retired(void **state) {
    (void)state;
    struct desk *desk = desk_new(3, NULL);
    desk_open(desk);
    while (desk_try_commit(desk, 1, 5000, false) == 0)
        desk_sync(desk);
    unsigned files = journal_stats(desk->journal).files;
    assert_true(files >= 4);
    retire(desk);
    desk_write(desk, 1, 5000);
    assert_int_equal(journal_stats(desk->journal).files, files + 1);
    journal_recycle(desk->journal, desk->synced);
    assert_true(sim_run_until(desk->sim, is_clean, desk, SIM_SECOND));
    assert_true(journal_stats(desk->journal).files <= 4);
    desk_cut(desk);
    desk->options.from_position = desk->acknowledged;
    desk_open(desk);
    desk_write(desk, 1, 5000);
    desk_free(desk);
}

static void test_it_can_be_done_again_and_again_under_load(void **state) {
    (void)state;
    struct desk *desk = desk_new(4, NULL);
    desk_open(desk);
    for (int round = 0; round < 10; round++) {
        journal_retire(desk->journal);
        do {
            desk_commit(desk, 1, 700);
            desk_sync(desk);
        } while (!is_retired(desk));
        desk_write(desk, 1, 700);
        journal_recycle(desk->journal, desk->synced);
        assert_true(sim_run_until(desk->sim, is_clean, desk, SIM_SECOND));
    }
    desk_kill(desk);
    desk->options.from_position = desk->acknowledged;
    desk_open(desk);
    desk_free(desk);
}

/* Whatever a crash leaves half done is a journal. */
static void test_a_power_cut_at_any_step(void **state) {
    (void)state;
    for (uint64_t steps = 1; steps <= 60; steps++) {
        struct desk *desk = desk_new(100 + steps, NULL);
        desk_open(desk);
        for (int i = 0; i < 20; i++)
            desk_write(desk, 1, 5000);
        uint64_t saved = desk->synced;
        sim_cut_at(desk->host, steps);
        journal_retire(desk->journal);
        for (int i = 0; i < 20 && !sim_host_down(desk->host); i++) {
            if (is_retired(desk) && desk->synced == saved)
                (void)!desk_try_commit(desk, 1, 5000, false);
            sim_run_for(desk->sim, 5 * SIM_MILLISECOND);
            if (!sim_host_down(desk->host))
                journal_recycle(desk->journal, saved);
        }
        sim_cut_at(desk->host, 0);
        desk_cut(desk);
        desk->options.from_position = saved;
        desk_open(desk);
        desk_write(desk, 1, 100);
        desk_free(desk);
    }
}

static void test_a_full_disk_only_delays_it(void **state) {
    (void)state;
    struct desk *desk = desk_new(5, NULL);
    desk_open(desk);
    desk_write(desk, 1, 1000);
    sim_run_for(desk->sim, SIM_SECOND);
    sim_disk_limit(desk->host, 1);
    journal_retire(desk->journal);
    sim_run_for(desk->sim, 10 * SIM_SECOND);
    bool waits = !is_retired(desk);
    desk_write(desk, 1, 1000); /* the journal goes on where it is */
    sim_disk_limit(desk->host, 0);
    if (waits)
        assert_true(sim_run_until(desk->sim, is_retired, desk, 10 * SIM_SECOND));
    assert_int_equal(desk->failures, 0);
    desk_free(desk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_written_is_zeroed_once_it_is_saved_elsewhere),
        cmocka_unit_test(test_old_uses_are_zeroed_too),
        cmocka_unit_test(test_a_full_journal_can_be_retired),
        cmocka_unit_test(test_it_can_be_done_again_and_again_under_load),
        cmocka_unit_test(test_a_power_cut_at_any_step),
        cmocka_unit_test(test_a_full_disk_only_delays_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
