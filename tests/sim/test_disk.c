#include "kit.h"

static void test_a_file_reads_back_what_was_written(void **state) {
    (void)state;
    struct room room = room_open(1, NULL);
    struct io_file *file = must_open(room.host, "f");
    assert_int_equal(io_file_write(file, "hello", 5, 3), 0);
    char out[16] = {0};
    size_t taken = 0;
    assert_int_equal(io_file_read(file, out, sizeof(out), 0, &taken), 0);
    assert_int_equal(taken, 8);
    assert_memory_equal(out, "\0\0\0hello", 8);
    assert_int_equal(io_file_read(file, out, sizeof(out), 100, &taken), 0);
    assert_int_equal(taken, 0);
    uint64_t size = 0;
    assert_int_equal(io_file_size(file, &size), 0);
    assert_int_equal(size, 8);
    io_file_close(file);
    room_close(&room);
}

static void test_flags_of_open_mean_what_they_say(void **state) {
    (void)state;
    struct room room = room_open(1, NULL);
    struct io_file *file = NULL;
    assert_int_equal(io_file_open(room.host, "f", 0, &file), -ENOENT);
    assert_int_equal(io_file_open(room.host, "no/f", IO_FILE_WRITE | IO_FILE_CREATE, &file),
                     -ENOENT);
    assert_null(file);
    must_plant(room.host, "f", 'x', 10);
    assert_int_equal(
        io_file_open(room.host, "f", IO_FILE_WRITE | IO_FILE_CREATE | IO_FILE_EXCLUSIVE, &file),
        -EEXIST);
    assert_int_equal(io_file_open(room.host, "./f", 0, &file), 0);
    assert_int_equal(io_file_write(file, "y", 1, 0), -EBADF);
    io_file_close(file);
    assert_int_equal(io_file_open(room.host, "f", IO_FILE_WRITE | IO_FILE_TRUNCATE, &file), 0);
    io_file_close(file);
    assert_true(holds(room.host, "f", 0, 0));
    room_close(&room);
}

static void test_truncate_and_allocate_fill_with_zeros(void **state) {
    (void)state;
    struct room room = room_open(1, NULL);
    struct io_file *file = must_open(room.host, "f");
    must_fill(file, 'x', 10000, 0);
    assert_int_equal(io_file_truncate(file, 10), 0);
    assert_int_equal(io_file_allocate(file, 9000), 0);
    io_file_close(file);
    char out[16384];
    assert_int_equal(content(room.host, "f", out, sizeof(out)), 9000);
    for (int i = 0; i < 9000; i++)
        assert_int_equal(out[i], i < 10 ? 'x' : 0);
    room_close(&room);
}

static int count_name(void *owner, const char *name) {
    unsigned *seen = owner;
    *seen |= 1u << (name[0] - 'a');
    return 0;
}

static int stop_at_once(void *owner, const char *name) {
    (void)owner;
    (void)name;
    return 7;
}

static void test_a_folder_lists_its_own_names(void **state) {
    (void)state;
    struct room room = room_open(1, NULL);
    assert_int_equal(io_dir_create(room.host, "/d/e"), 0);
    assert_int_equal(io_dir_create(room.host, "/d/e/"), 0);
    io_file_close(must_open(room.host, "/d/e/a"));
    io_file_close(must_open(room.host, "/d/e/c"));
    io_file_close(must_open(room.host, "/d/b"));
    unsigned seen = 0;
    assert_int_equal(io_dir_list(room.host, "/d/e", count_name, &seen), 0);
    assert_int_equal(seen, 1 | 4);
    assert_int_equal(io_dir_list(room.host, "/d/e", stop_at_once, NULL), 7);
    assert_int_equal(io_dir_list(room.host, "/d/b", count_name, &seen), -ENOTDIR);
    assert_int_equal(io_dir_list(room.host, "/no", count_name, &seen), -ENOENT);
    room_close(&room);
}

static void test_rename_replaces_and_unlink_removes(void **state) {
    (void)state;
    struct room room = room_open(1, NULL);
    must_plant(room.host, "a", 'a', 5);
    must_plant(room.host, "b", 'b', 6);
    struct io_file *old = must_open(room.host, "b");
    assert_int_equal(io_rename(room.host, "a", "b"), 0);
    assert_false(exists(room.host, "a"));
    assert_true(holds(room.host, "b", 'a', 5));
    uint64_t size = 0; /* who had it open keeps it */
    assert_int_equal(io_file_size(old, &size), 0);
    assert_int_equal(size, 6);
    io_file_close(old);
    assert_int_equal(io_unlink(room.host, "b"), 0);
    assert_int_equal(io_unlink(room.host, "b"), -ENOENT);
    assert_int_equal(io_rename(room.host, "b", "c"), -ENOENT);
    room_close(&room);
}

static void test_a_lock_is_one_handles_until_it_closes(void **state) {
    (void)state;
    struct room room = room_open(1, NULL);
    struct io_file *one = must_open(room.host, "lock"), *two = must_open(room.host, "lock");
    assert_int_equal(io_file_lock(one), 0);
    assert_int_equal(io_file_lock(two), -EWOULDBLOCK);
    io_file_close(one);
    assert_int_equal(io_file_lock(two), 0);
    sim_kill(room.host);
    room.host = sim_host_restart(room.host);
    struct io_file *next = must_open(room.host, "lock");
    assert_int_equal(io_file_lock(next), 0);
    io_file_close(two);
    io_file_close(next);
    room_close(&room);
}

static void test_a_full_disk_takes_what_fits_and_says_so(void **state) {
    (void)state;
    struct room room = room_open(1, &(struct sim_options){.disk_bytes = 8192});
    struct io_file *file = must_open(room.host, "f");
    must_fill(file, 'x', 6000, 0);
    uint64_t left = 0;
    assert_int_equal(io_free_bytes(room.host, "", &left), 0);
    assert_int_equal(left, 8192 - 6000);
    char more[4096] = {0};
    assert_int_equal(io_file_write(file, more, sizeof(more), 6000), -ENOSPC);
    assert_int_equal(io_file_allocate(file, 9000), -ENOSPC);
    must_fill(file, 'y', 6000, 0); /* overwriting needs no room */
    assert_int_equal(io_file_truncate(file, 0), 0);
    assert_int_equal(io_file_write(file, more, sizeof(more), 0), 0);
    sim_disk_limit(room.host, 0);
    assert_int_equal(io_file_allocate(file, 100000), 0);
    io_file_close(file);
    room_close(&room);
}

static void test_a_bad_sector_is_unreadable_until_it_is_written(void **state) {
    (void)state;
    struct room room = room_open(1, NULL);
    must_plant(room.host, "f", 'x', 12288);
    assert_int_equal(sim_bad_sector(room.host, "f", 5000), 0);
    assert_int_equal(sim_bad_sector(room.host, "g", 0), -ENOENT);
    struct io_file *file = must_open(room.host, "f");
    char out[4096];
    size_t taken = 0;
    assert_int_equal(io_file_read(file, out, 4096, 0, &taken), 0);
    assert_int_equal(io_file_read(file, out, 4096, 4090, &taken), -EIO);
    must_fill(file, 'y', 4096, 4096);
    assert_int_equal(io_file_read(file, out, 4096, 4090, &taken), 0);
    io_file_close(file);
    room_close(&room);
}

static void test_a_bit_can_be_flipped(void **state) {
    (void)state;
    struct room room = room_open(1, NULL);
    must_plant(room.host, "f", 0, 3);
    assert_int_equal(sim_flip_bit(room.host, "f", 1, 7), 0);
    assert_int_equal(sim_flip_bit(room.host, "f", 3, 0), -EINVAL);
    char out[4];
    assert_int_equal(content(room.host, "f", out, 4), 3);
    assert_memory_equal(out, "\0\x80\0", 3);
    room_cut(&room);
    assert_int_equal(content(room.host, "f", out, 4), 3);
    assert_memory_equal(out, "\0\x80\0", 3);
    room_close(&room);
}

static void test_a_chosen_call_fails_once(void **state) {
    (void)state;
    struct room room = room_open(1, NULL);
    struct io_file *file = must_open(room.host, "f");
    sim_disk_fail(room.host, SIM_WRITE, 2, -EDQUOT);
    assert_int_equal(io_file_write(file, "x", 1, 0), 0);
    assert_int_equal(io_file_write(file, "x", 1, 0), -EDQUOT);
    assert_int_equal(io_file_write(file, "x", 1, 0), 0);
    io_file_close(file);
    room_close(&room);
}

/* A little of everything; the first failure ends it. */
static int use_the_disk(struct io_host *host) {
    struct io_file *file = NULL;
    char *bytes = NULL;
    size_t size = 0;
    int failed = io_dir_create(host, "d");
    if (!failed)
        failed = io_file_open(host, "d/f", IO_FILE_WRITE | IO_FILE_CREATE, &file);
    if (!failed)
        failed = io_file_lock(file);
    if (!failed)
        failed = io_file_write(file, "abc", 3, 0);
    if (!failed)
        failed = io_file_sync(file);
    io_file_close(file);
    if (!failed)
        failed = io_dir_sync(host, "d");
    if (!failed)
        failed = io_file_replace(host, "d/f", slice_lit("def"), 0600);
    if (!failed)
        failed = io_file_load(host, "d/f", 100, &bytes, &size);
    if (!failed)
        assert_string_equal(bytes, "def");
    mem_free(bytes);
    return failed;
}

static void test_every_io_call_can_be_made_to_fail_in_turn(void **state) {
    (void)state;
    struct room room = room_open(1, NULL);
    uint64_t before = sim_io_attempts(room.sim);
    assert_int_equal(use_the_disk(room.host), 0);
    uint64_t calls = sim_io_attempts(room.sim) - before;
    assert_true(calls >= 13);
    for (uint64_t nth = 1; nth <= calls; nth++) {
        sim_fail_io_at(room.sim, nth, false);
        assert_true(use_the_disk(room.host) < 0);
        assert_int_equal(use_the_disk(room.host), 0);
    }
    sim_fail_io_at(room.sim, 1, true);
    assert_true(use_the_disk(room.host) < 0);
    assert_true(use_the_disk(room.host) < 0);
    sim_fail_io_at(room.sim, 0, false);
    room_close(&room);
}

static void test_load_refuses_a_file_over_its_maximum(void **state) {
    (void)state;
    struct room room = room_open(1, NULL);
    must_plant(room.host, "f", 'x', 100);
    char *bytes = NULL;
    size_t size = 0;
    assert_int_equal(io_file_load(room.host, "f", 99, &bytes, &size), -EFBIG);
    assert_null(bytes);
    assert_int_equal(io_file_load(room.host, "f", 100, &bytes, &size), 0);
    assert_int_equal(size, 100);
    assert_int_equal(bytes[100], 0);
    mem_free(bytes);
    room_close(&room);
}

static void test_an_image_brings_the_disk_back(void **state) {
    (void)state;
    struct room room = room_open(1, NULL);
    assert_int_equal(io_dir_create(room.host, "d"), 0);
    must_plant(room.host, "d/f", 'x', 5000);
    struct sim_image *image = sim_disk_save(room.host);
    must_plant(room.host, "d/f", 'y', 5000);
    must_plant(room.host, "g", 'y', 5000);
    sim_disk_load(room.host, image);
    room_cut(&room);
    assert_true(holds(room.host, "d/f", 'x', 5000));
    assert_false(exists(room.host, "g"));
    sim_image_free(image);
    room_close(&room);
}

static void test_a_misdirected_write_lands_beside(void **state) {
    (void)state;
    struct room room = room_open(1, &(struct sim_options){.misdirected_percent = 100});
    struct io_file *file = must_open(room.host, "f");
    must_fill(file, 'x', 100, 0);
    char out[8192];
    size_t taken = 0;
    assert_int_equal(io_file_read(file, out, sizeof(out), 0, &taken), 0);
    assert_int_equal(taken, 4196);
    assert_int_equal(out[0], 0);
    assert_int_equal(out[4096], 'x');
    io_file_close(file);
    room_close(&room);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file_reads_back_what_was_written),
        cmocka_unit_test(test_flags_of_open_mean_what_they_say),
        cmocka_unit_test(test_truncate_and_allocate_fill_with_zeros),
        cmocka_unit_test(test_a_folder_lists_its_own_names),
        cmocka_unit_test(test_rename_replaces_and_unlink_removes),
        cmocka_unit_test(test_a_lock_is_one_handles_until_it_closes),
        cmocka_unit_test(test_a_full_disk_takes_what_fits_and_says_so),
        cmocka_unit_test(test_a_bad_sector_is_unreadable_until_it_is_written),
        cmocka_unit_test(test_a_bit_can_be_flipped),
        cmocka_unit_test(test_a_chosen_call_fails_once),
        cmocka_unit_test(test_every_io_call_can_be_made_to_fail_in_turn),
        cmocka_unit_test(test_load_refuses_a_file_over_its_maximum),
        cmocka_unit_test(test_an_image_brings_the_disk_back),
        cmocka_unit_test(test_a_misdirected_write_lands_beside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
