#include "stage.h"

#include "base/mem.h"
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* A folder of its own for each case. */
struct place {
    struct io_host *host;
    char folder[64];
    char path[128];
};

static const char *in(struct place *place, const char *name) {
    snprintf(place->path, sizeof place->path, "%s/%s", place->folder, name);
    return place->path;
}

static int open_place(void **state) {
    struct place *place = calloc(1, sizeof *place);
    snprintf(place->folder, sizeof place->folder, "%s", "nonet-io-XXXXXX");
    check(mkdtemp(place->folder) && io_host_create(&place->host) == 0);
    *state = place;
    return 0;
}

static int remove_entry(void *owner, const char *name) {
    struct place *place = owner;
    char path[256];
    snprintf(path, sizeof path, "%s/%s", place->folder, name);
    return remove(path);
}

static int close_place(void **state) {
    struct place *place = *state;
    int failed = io_dir_list(place->host, place->folder, remove_entry, place);
    rmdir(place->folder);
    io_host_free(place->host);
    free(place);
    return failed;
}

static struct io_file *open_new(struct place *place, const char *name) {
    struct io_file *file = NULL;
    check(io_file_open(place->host, in(place, name), IO_FILE_WRITE | IO_FILE_CREATE, &file) == 0);
    return file;
}

static void what_is_written_is_read(void **state) {
    struct place *place = *state;
    struct io_file *file = open_new(place, "a");
    char got[32];
    size_t size = 99;
    uint64_t length = 99;
    assert_int_equal(io_file_size(file, &length), 0);
    assert_int_equal(length, 0);
    assert_int_equal(io_file_write(file, "hello world", 11, 0), 0);
    assert_int_equal(io_file_write(file, "W", 1, 6), 0);
    assert_int_equal(io_file_write(file, "", 0, 0), 0);
    assert_int_equal(io_file_sync(file), 0);
    assert_int_equal(io_file_read(file, got, 5, 0, &size), 0);
    assert_int_equal(size, 5);
    assert_int_equal(io_file_read(file, got, sizeof got, 6, &size), 0);
    assert_int_equal(size, 5); /* short only at the end */
    assert_memory_equal(got, "World", 5);
    assert_int_equal(io_file_read(file, got, sizeof got, 11, &size), 0);
    assert_int_equal(size, 0);
    assert_int_equal(io_file_truncate(file, 3), 0);
    assert_int_equal(io_file_size(file, &length), 0);
    assert_int_equal(length, 3);
    assert_null(io_file_close(file));
    assert_null(io_file_close(NULL));
    struct stat status;
    assert_int_equal(stat(in(place, "a"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static void flags_decide_what_open_does(void **state) {
    struct place *place = *state;
    struct io_file *file = NULL;
    struct io_host *host = place->host;
    unsigned fresh = IO_FILE_WRITE | IO_FILE_CREATE | IO_FILE_EXCLUSIVE;
    assert_int_equal(io_file_open(host, in(place, "a"), IO_FILE_WRITE, &file), -ENOENT);
    assert_null(file);
    assert_int_equal(io_file_open(host, in(place, "a"), fresh, &file), 0);
    assert_int_equal(io_file_write(file, "abc", 3, 0), 0);
    file = io_file_close(file);
    assert_int_equal(io_file_open(host, in(place, "a"), fresh, &file), -EEXIST);
    assert_int_equal(io_file_open(host, in(place, "a"), 0, &file), 0);
    assert_int_equal(io_file_write(file, "x", 1, 0), -EBADF); /* read-only */
    file = io_file_close(file);
    uint64_t size;
    assert_int_equal(io_file_open(host, in(place, "a"), IO_FILE_WRITE | IO_FILE_TRUNCATE, &file),
                     0);
    assert_int_equal(io_file_size(file, &size), 0);
    assert_int_equal(size, 0);
    file = io_file_close(file);
    assert_int_equal(io_file_open(host, in(place, "a/b"), IO_FILE_WRITE, &file), -ENOTDIR);
}

static void allocate_really_writes_zeros(void **state) {
    struct place *place = *state;
    struct io_file *file = open_new(place, "a");
    uint64_t size = 0;
    char got[16];
    size_t got_size;
    assert_int_equal(io_file_write(file, "head", 4, 0), 0);
    assert_int_equal(io_file_allocate(file, (3u << 20) + 5), 0);
    assert_int_equal(io_file_size(file, &size), 0);
    assert_int_equal(size, (3u << 20) + 5);
    assert_int_equal(io_file_read(file, got, 8, 0, &got_size), 0);
    assert_memory_equal(got, "head\0\0\0\0", 8);
    assert_int_equal(io_file_read(file, got, 16, 3u << 20, &got_size), 0);
    assert_int_equal(got_size, 5);
    assert_memory_equal(got, "\0\0\0\0\0", 5);
    assert_int_equal(io_file_allocate(file, 100), 0); /* never shrinks */
    assert_int_equal(io_file_size(file, &size), 0);
    assert_int_equal(size, (3u << 20) + 5);
    struct stat status;
    assert_int_equal(stat(in(place, "a"), &status), 0);
    assert_true((uint64_t)status.st_blocks * 512 >= size);
    io_file_close(file);
}

/* Pages of the file that are in memory. */
static unsigned pages_cached(const char *path, size_t size) {
    unsigned char resident[256];
    unsigned count = 0;
    int fd = open(path, O_RDONLY);
    void *map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    assert_true(fd >= 0 && map != MAP_FAILED && size == sizeof resident * 4096);
    assert_int_equal(mincore(map, size, resident), 0);
    for (size_t i = 0; i < sizeof resident; i++)
        count += resident[i] & 1;
    munmap(map, size);
    close(fd);
    return count;
}

static bool on_tmpfs(const char *path) { /* which is nothing but cache */
    struct statfs fs;
    assert_int_equal(statfs(path, &fs), 0);
    return fs.f_type == TMPFS_MAGIC;
}

static void what_is_on_disk_leaves_the_cache_and_nothing_else_does(void **state) {
    struct place *place = *state;
    struct io_file *file = open_new(place, "a");
    size_t size = 1u << 20, got_size;
    char got[8];
    assert_int_equal(io_file_allocate(file, size), 0);
    assert_int_equal(io_file_sync(file), 0);
    assert_int_equal(pages_cached(in(place, "a"), size), 256);
    assert_int_equal(io_file_write(file, "unsynced", 8, 8192), 0);
    io_file_bypass_cache(file);
    assert_int_equal(io_file_read(file, got, 8, 8192, &got_size), 0);
    assert_memory_equal(got, "unsynced", 8);
    assert_int_equal(io_file_sync(file), 0);
    io_file_bypass_cache(file);
    if (!on_tmpfs(in(place, "a")))
        assert_int_equal(pages_cached(in(place, "a"), size), 0);
    assert_int_equal(io_file_read(file, got, 8, 8192, &got_size), 0);
    assert_memory_equal(got, "unsynced", 8);
    io_file_close(file);
}

static void what_is_written_past_the_cache_is_not_in_it_and_is_read_by_all(void **state) {
    struct place *place = *state;
    struct io_file *file = open_new(place, "a"), *other;
    static _Alignas(IO_DIRECT_BYTES) char page[IO_DIRECT_BYTES], got[IO_DIRECT_BYTES];
    size_t size = 1u << 20, got_size;
    memset(page, 'x', sizeof page);
    assert_int_equal(io_file_allocate(file, size), 0);
    assert_int_equal(io_file_sync(file), 0);
    io_file_bypass_cache(file);
    assert_int_equal(io_file_write(file, page, sizeof page, 2 * sizeof page), 0);
    if (!on_tmpfs(in(place, "a")))
        assert_int_equal(pages_cached(in(place, "a"), size), 0);
    assert_int_equal(io_file_sync(file), 0);
    assert_int_equal(io_file_read(file, got, sizeof got, 2 * sizeof got, &got_size), 0);
    assert_memory_equal(got, page, sizeof page);
    assert_int_equal(io_file_open(place->host, in(place, "a"), 0, &other), 0);
    assert_int_equal(io_file_read(other, got, sizeof got, 2 * sizeof got, &got_size), 0);
    assert_memory_equal(got, page, sizeof page);
    io_file_close(other);
    io_file_close(file);
}

static void what_is_allocated_past_the_cache_is_not_in_it(void **state) {
    struct place *place = *state;
    struct io_file *file = open_new(place, "a");
    static _Alignas(IO_DIRECT_BYTES) char got[IO_DIRECT_BYTES];
    static const char zeros[IO_DIRECT_BYTES];
    size_t size = 1u << 20, got_size;
    io_file_bypass_cache(file);
    assert_int_equal(io_file_allocate(file, size), 0);
    if (!on_tmpfs(in(place, "a")))
        assert_int_equal(pages_cached(in(place, "a"), size), 0);
    assert_int_equal(io_file_read(file, got, sizeof got, size - sizeof got, &got_size), 0);
    assert_int_equal(got_size, sizeof got);
    assert_memory_equal(got, zeros, sizeof zeros);
    io_file_close(file);
}

static void what_does_not_suit_the_disk_goes_through_the_cache(void **state) {
    struct place *place = *state;
    struct io_file *file = open_new(place, "a");
    char got[8];
    size_t got_size;
    assert_int_equal(io_file_allocate(file, 1u << 20), 0);
    assert_int_equal(io_file_sync(file), 0);
    io_file_bypass_cache(file);
    assert_int_equal(io_file_write(file, "crooked", 7, 4093), 0);
    assert_int_equal(io_file_sync(file), 0);
    io_file_bypass_cache(file);
    assert_int_equal(io_file_read(file, got, 7, 4093, &got_size), 0);
    assert_int_equal(got_size, 7);
    assert_memory_equal(got, "crooked", 7);
    io_file_close(file);
}

static void a_file_that_may_not_grow_says_so(void **state) {
    struct place *place = *state;
    struct io_file *file = open_new(place, "a");
    struct rlimit before, tight;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    tight = before;
    tight.rlim_cur = 4096;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    int allocated = io_file_allocate(file, 1u << 20);
    int written = io_file_write(file, "x", 1, 8192);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(allocated, -EFBIG);
    assert_int_equal(written, -EFBIG);
    io_file_close(file);
}

static void a_lock_is_had_by_one_handle(void **state) {
    struct place *place = *state;
    struct io_file *first = open_new(place, "lock");
    struct io_file *second = open_new(place, "lock");
    assert_int_equal(io_file_lock(first), 0);
    assert_int_equal(io_file_lock(second), -EWOULDBLOCK);
    io_file_close(first); /* the lock ends with the handle */
    assert_int_equal(io_file_lock(second), 0);
    io_file_close(second);
}

struct names {
    unsigned count;
    bool a, b;
};

static int collect(void *owner, const char *name) {
    struct names *names = owner;
    names->count++;
    names->a = names->a || strcmp(name, "a") == 0;
    names->b = names->b || strcmp(name, "b") == 0;
    return 0;
}

static int stop_at_once(void *owner, const char *name) {
    (void)name;
    ++*(int *)owner;
    return 42;
}

static void folders_are_made_listed_and_synced(void **state) {
    struct place *place = *state;
    struct io_host *host = place->host;
    struct names names = {0};
    int calls = 0;
    io_file_close(open_new(place, "a"));
    io_file_close(open_new(place, "b"));
    assert_int_equal(io_dir_list(host, place->folder, collect, &names), 0);
    assert_true(names.count == 2 && names.a && names.b);
    assert_int_equal(io_dir_list(host, place->folder, stop_at_once, &calls), 42);
    assert_int_equal(calls, 1);
    assert_int_equal(io_dir_list(host, in(place, "none"), collect, &names), -ENOENT);
    assert_int_equal(io_dir_sync(host, place->folder), 0);
    assert_int_equal(io_dir_sync(host, in(place, "none")), -ENOENT);
    assert_int_equal(io_dir_create(host, in(place, "x/y/z")), 0);
    assert_int_equal(io_dir_create(host, in(place, "x/y/z/")), 0); /* there already */
    assert_int_equal(io_dir_create(host, in(place, "a")), -ENOTDIR);
    assert_int_equal(io_dir_create(host, in(place, "a/b")), -ENOTDIR);
    assert_int_equal(io_dir_create(host, ""), -ENOENT);
    rmdir(in(place, "x/y/z"));
    rmdir(in(place, "x/y"));
    rmdir(in(place, "x"));
}

static void names_are_changed_and_taken_away(void **state) {
    struct place *place = *state;
    char from[128];
    snprintf(from, sizeof from, "%s", in(place, "a"));
    io_file_close(open_new(place, "a"));
    assert_int_equal(io_rename(place->host, from, in(place, "b")), 0);
    assert_int_equal(io_rename(place->host, from, in(place, "b")), -ENOENT);
    assert_int_equal(io_unlink(place->host, in(place, "b")), 0);
    assert_int_equal(io_unlink(place->host, in(place, "b")), -ENOENT);
    uint64_t bytes = 0;
    assert_int_equal(io_free_bytes(place->host, place->folder, &bytes), 0);
    assert_true(bytes > 0);
    assert_int_equal(io_free_bytes(place->host, in(place, "none"), &bytes), -ENOENT);
}

static void a_small_file_is_loaded_whole(void **state) {
    struct place *place = *state;
    char *bytes = NULL;
    size_t size = 0;
    struct io_file *file = open_new(place, "a");
    assert_int_equal(io_file_load(place->host, in(place, "a"), 10, &bytes, &size), 0);
    assert_int_equal(size, 0);
    assert_string_equal(bytes, "");
    bytes = mem_free(bytes);
    char *large = calloc(1, 200000);
    memset(large, 'x', 200000);
    assert_int_equal(io_file_write(file, large, 200000, 0), 0);
    io_file_close(file);
    assert_int_equal(io_file_load(place->host, in(place, "a"), 199999, &bytes, &size), -EFBIG);
    assert_null(bytes);
    assert_int_equal(io_file_load(place->host, in(place, "a"), 200000, &bytes, &size), 0);
    assert_int_equal(size, 200000);
    assert_memory_equal(bytes, large, 200000);
    assert_int_equal(bytes[size], '\0');
    mem_free(bytes);
    free(large);
    assert_int_equal(io_file_load(place->host, in(place, "b"), 10, &bytes, &size), -ENOENT);
    assert_int_equal(io_file_load(place->host, place->folder, 10, &bytes, &size), -EISDIR);
}

static void replace_leaves_old_or_new(void **state) {
    struct place *place = *state;
    struct io_host *host = place->host;
    char *bytes;
    size_t size;
    struct stat status;
    assert_int_equal(io_file_replace(host, in(place, "a"), slice_lit("old"), 0644), 0);
    assert_int_equal(stat(place->path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0644);
    assert_int_equal(io_file_replace(host, in(place, "a"), slice_lit("new"), 0600), 0);
    assert_int_equal(stat(place->path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(io_file_load(host, place->path, 100, &bytes, &size), 0);
    assert_string_equal(bytes, "new");
    mem_free(bytes);
    struct names names = {0};
    assert_int_equal(io_dir_list(host, place->folder, collect, &names), 0);
    assert_int_equal(names.count, 1); /* nothing left beside it */
    assert_int_equal(io_file_replace(host, in(place, "no/a"), slice_lit("x"), 0600), -ENOENT);
}

#define case_in_place(f) cmocka_unit_test_setup_teardown(f, open_place, close_place)

int main(void) {
    const struct CMUnitTest tests[] = {
        case_in_place(what_is_written_is_read),
        case_in_place(flags_decide_what_open_does),
        case_in_place(allocate_really_writes_zeros),
        case_in_place(what_is_on_disk_leaves_the_cache_and_nothing_else_does),
        case_in_place(what_is_written_past_the_cache_is_not_in_it_and_is_read_by_all),
        case_in_place(what_is_allocated_past_the_cache_is_not_in_it),
        case_in_place(what_does_not_suit_the_disk_goes_through_the_cache),
        case_in_place(a_file_that_may_not_grow_says_so),
        case_in_place(a_lock_is_had_by_one_handle),
        case_in_place(folders_are_made_listed_and_synced),
        case_in_place(names_are_changed_and_taken_away),
        case_in_place(a_small_file_is_loaded_whole),
        case_in_place(replace_leaves_old_or_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
