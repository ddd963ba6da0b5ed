#include "kit.h"

/* What a power cut leaves, over many seeds: what must always hold, and that each bad outcome the
   simulated disk promises really happens now and then. */
#define SEEDS 400

static void test_what_was_synced_survives(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct room room = room_open(seed, NULL);
        must_plant(room.host, "f", 'x', 10000);
        must_plant(room.host, "g", 'y', 100);
        struct io_file *file = must_open(room.host, "g");
        must_fill(file, 'z', 8192, 4096); /* not synced, and in other sectors */
        io_file_close(file);
        room_cut(&room);
        assert_true(holds(room.host, "f", 'x', 10000));
        char out[16384];
        assert_true(content(room.host, "g", out, sizeof(out)) >= 100);
        for (int i = 0; i < 100; i++)
            assert_int_equal(out[i], 'y');
        room_close(&room);
    }
}

enum { SAW_OLD = 1, SAW_FIRST = 2, SAW_LAST = 4, SAW_TORN = 8, SAW_GARBLED = 16, SAW_ALL = 31 };

static unsigned judge_sector(const char *bytes) {
    size_t lasts = 0;
    while (lasts < 4096 && bytes[lasts] == 'c')
        lasts++;
    if (lasts == 4096)
        return SAW_LAST;
    size_t same = lasts;
    while (same < 4096 && bytes[same] == bytes[lasts])
        same++;
    if (same < 4096 || (bytes[lasts] != 'a' && bytes[lasts] != 'b'))
        return SAW_GARBLED;
    if (lasts > 0)
        return SAW_TORN;
    return bytes[0] == 'a' ? SAW_OLD : SAW_FIRST;
}

static void test_an_unsynced_sector_is_old_or_new_or_between_or_torn_or_garbled(void **state) {
    (void)state;
    unsigned seen = 0, mixed = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct room room = room_open(seed, NULL);
        must_plant(room.host, "f", 'a', 8192);
        struct io_file *file = must_open(room.host, "f");
        must_fill(file, 'b', 8192, 0);
        must_fill(file, 'c', 8192, 0);
        io_file_close(file);
        room_cut(&room);
        char out[8192];
        assert_int_equal(content(room.host, "f", out, sizeof(out)), 8192);
        seen |= judge_sector(out) | judge_sector(out + 4096);
        mixed += judge_sector(out) == SAW_OLD && judge_sector(out + 4096) == SAW_LAST;
        room_close(&room);
    }
    assert_int_equal(seen, SAW_ALL);
    assert_true(mixed > 0); /* the later sector without the earlier: reordered */
}

static void test_tidy_sectors_are_never_torn_or_garbled(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct room room = room_open(seed, &(struct sim_options){.tidy_sectors = true});
        must_plant(room.host, "f", 'a', 4096);
        struct io_file *file = must_open(room.host, "f");
        must_fill(file, 'c', 4096, 0);
        io_file_close(file);
        room_cut(&room);
        char out[4096];
        assert_int_equal(content(room.host, "f", out, sizeof(out)), 4096);
        assert_true(judge_sector(out) & (SAW_OLD | SAW_LAST));
        room_close(&room);
    }
}

static void test_an_unsynced_size_is_old_or_new_or_between(void **state) {
    (void)state;
    bool seen_old = false, seen_new = false, seen_between = false;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct room room = room_open(seed, NULL);
        must_plant(room.host, "f", 'a', 100);
        struct io_file *file = must_open(room.host, "f");
        must_fill(file, 'b', 10000, 100);
        io_file_close(file);
        room_cut(&room);
        char out[16384];
        long size = content(room.host, "f", out, sizeof(out));
        assert_true(size >= 100 && size <= 10100);
        seen_old |= size == 100;
        seen_new |= size == 10100;
        seen_between |= size > 100 && size < 10100;
        room_close(&room);
    }
    assert_true(seen_old && seen_new && seen_between);
}

static void test_a_new_name_needs_its_folder_synced(void **state) {
    (void)state;
    unsigned kept = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct room room = room_open(seed, NULL);
        assert_int_equal(io_dir_create(room.host, "d"), 0);
        assert_int_equal(io_dir_sync(room.host, ""), 0);
        struct io_file *file = must_open(room.host, "d/f");
        must_fill(file, 'x', 10, 0);
        assert_int_equal(io_file_sync(file), 0);
        bool synced = seed % 2;
        if (synced)
            assert_int_equal(io_dir_sync(room.host, "d"), 0);
        io_file_close(file);
        room_cut(&room);
        if (synced || exists(room.host, "d/f"))
            assert_true(holds(room.host, "d/f", 'x', 10));
        kept += !synced && exists(room.host, "d/f");
        room_close(&room);
    }
    assert_true(kept > 0 && kept < SEEDS / 2);
}

static void test_a_folder_that_was_not_synced_takes_its_files_along(void **state) {
    (void)state;
    unsigned lost = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct room room = room_open(seed, NULL);
        assert_int_equal(io_dir_create(room.host, "d/e"), 0);
        struct io_file *file = must_open(room.host, "d/e/f");
        io_file_close(file);
        assert_int_equal(io_dir_sync(room.host, "d/e"), 0);
        assert_int_equal(io_dir_sync(room.host, "d"), 0);
        room_cut(&room);
        lost += !exists(room.host, "d/e/f");
        room_close(&room);
    }
    assert_true(lost > 0 && lost < SEEDS);
}

static void test_a_rename_happens_wholly_or_not(void **state) {
    (void)state;
    unsigned renamed = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct room room = room_open(seed, NULL);
        must_plant(room.host, "old", 'o', 10);
        must_plant(room.host, "new", 'n', 10);
        assert_int_equal(io_rename(room.host, "new", "old"), 0);
        room_cut(&room);
        bool done = !exists(room.host, "new");
        renamed += done;
        assert_true(holds(room.host, "old", done ? 'n' : 'o', 10));
        if (!done)
            assert_true(holds(room.host, "new", 'n', 10));
        room_close(&room);
    }
    assert_true(renamed > 0 && renamed < SEEDS);
}

static void test_an_unlinked_file_may_come_back(void **state) {
    (void)state;
    unsigned back = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct room room = room_open(seed, NULL);
        must_plant(room.host, "f", 'x', 10);
        assert_int_equal(io_unlink(room.host, "f"), 0);
        if (seed % 2)
            assert_int_equal(io_dir_sync(room.host, "."), 0);
        room_cut(&room);
        if (exists(room.host, "f")) {
            assert_int_equal(seed % 2, 0);
            assert_true(holds(room.host, "f", 'x', 10));
            back++;
        }
        room_close(&room);
    }
    assert_true(back > 0 && back < SEEDS / 2);
}

/* create, unlink, create again: the second file never shows the first one's bytes. */
static void test_changes_of_one_name_keep_their_order(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct room room = room_open(seed, NULL);
        must_plant(room.host, "f", 'a', 10);
        assert_int_equal(io_unlink(room.host, "f"), 0);
        struct io_file *file = must_open(room.host, "f");
        must_fill(file, 'b', 20, 0);
        assert_int_equal(io_file_sync(file), 0);
        io_file_close(file);
        assert_int_equal(io_rename(room.host, "f", "g"), 0);
        room_cut(&room);
        bool f = exists(room.host, "f"), g = exists(room.host, "g");
        assert_false(f && g && holds(room.host, "f", 'b', 20));
        if (g)
            assert_true(holds(room.host, "g", 'b', 20) && !f);
        room_close(&room);
    }
}

static void test_a_failed_sync_loses_its_sectors_and_the_next_says_nothing(void **state) {
    (void)state;
    unsigned lost = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct room room = room_open(seed, NULL);
        must_plant(room.host, "f", 'a', 4096);
        struct io_file *file = must_open(room.host, "f");
        must_fill(file, 'b', 4096, 0);
        sim_disk_fail(room.host, SIM_SYNC, 1, -EIO);
        assert_int_equal(io_file_sync(file), -EIO);
        assert_int_equal(io_file_sync(file), 0);
        io_file_close(file);
        room_cut(&room);
        lost += holds(room.host, "f", 'a', 4096);
        room_close(&room);
    }
    assert_true(lost > SEEDS / 2 && lost < SEEDS);
}

static void test_a_killed_process_leaves_the_page_cache_unsynced(void **state) {
    (void)state;
    unsigned lost = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct room room = room_open(seed, NULL);
        must_plant(room.host, "f", 'a', 4096);
        struct io_file *file = must_open(room.host, "f");
        must_fill(file, 'b', 4096, 0);
        sim_kill(room.host);
        assert_int_equal(io_file_sync(file), -EIO); /* a ghost's call */
        io_file_close(file);
        room.host = sim_host_restart(room.host);
        assert_true(holds(room.host, "f", 'b', 4096));
        room_cut(&room);
        lost += !holds(room.host, "f", 'b', 4096);
        room_close(&room);
    }
    assert_true(lost > 0);
}

/* The power may go at each step of a careful replacement: old or new, never anything else. */
static void test_replace_is_safe_at_every_step(void **state) {
    (void)state;
    unsigned olds = 0, news = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        for (uint64_t step = 1;; step++) {
            struct room room = room_open(seed * 100 + step, NULL);
            must_plant(room.host, "f", 'o', 5);
            sim_cut_at(room.host, step);
            int failed = io_file_replace(room.host, "f", slice_lit("nnnnnn"), 0600);
            bool cut = sim_host_down(room.host);
            assert_int_equal(cut, failed != 0);
            sim_power_cut(room.host);
            room.host = sim_host_restart(room.host);
            bool is_new = holds(room.host, "f", 'n', 6);
            assert_true(is_new || (cut && holds(room.host, "f", 'o', 5)));
            olds += !is_new;
            news += is_new && cut;
            room_close(&room);
            if (!cut)
                break;
        }
    }
    assert_true(olds > 0 && news > 0);
}

static void test_a_ghosts_calls_change_nothing(void **state) {
    (void)state;
    struct room room = room_open(1, NULL);
    must_plant(room.host, "f", 'a', 10);
    struct io_file *file = must_open(room.host, "f");
    struct io_host *ghost = room.host;
    room_cut(&room);
    assert_true(sim_host_down(ghost));
    assert_false(sim_host_down(room.host));
    assert_int_equal(io_file_write(file, "b", 1, 0), -EIO);
    assert_int_equal(io_unlink(ghost, "f"), -EIO);
    assert_int_equal(io_dir_sync(ghost, ""), -EIO);
    io_file_close(file);
    assert_true(holds(room.host, "f", 'a', 10));
    room_close(&room);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_synced_survives),
        cmocka_unit_test(test_an_unsynced_sector_is_old_or_new_or_between_or_torn_or_garbled),
        cmocka_unit_test(test_tidy_sectors_are_never_torn_or_garbled),
        cmocka_unit_test(test_an_unsynced_size_is_old_or_new_or_between),
        cmocka_unit_test(test_a_new_name_needs_its_folder_synced),
        cmocka_unit_test(test_a_folder_that_was_not_synced_takes_its_files_along),
        cmocka_unit_test(test_a_rename_happens_wholly_or_not),
        cmocka_unit_test(test_an_unlinked_file_may_come_back),
        cmocka_unit_test(test_changes_of_one_name_keep_their_order),
        cmocka_unit_test(test_a_failed_sync_loses_its_sectors_and_the_next_says_nothing),
        cmocka_unit_test(test_a_killed_process_leaves_the_page_cache_unsynced),
        cmocka_unit_test(test_replace_is_safe_at_every_step),
        cmocka_unit_test(test_a_ghosts_calls_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
