/*
 * kit.h - what the tests of the machine room have in common. Included once by each test program.
 *
 * A room with one host, and short words for files: must_ ones end the test where the simulated disk
 * refuses, the others say what a reader would find.
 */
#ifndef NONET_TESTS_SIM_KIT_H
#define NONET_TESTS_SIM_KIT_H

/* cmocka wants these four first */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "base/mem.h"
#include "sim.h"

struct room {
    struct sim *sim;
    struct io_host *host;
};

static inline struct room room_open(uint64_t seed, const struct sim_options *options) {
    struct sim *sim = sim_create(seed, options);
    return (struct room){sim, sim_host_create(sim, "a")};
}

/* Everything that was opened has been closed. */
static inline void room_close(struct room *room) {
    assert_int_equal(sim_open_handles(room->sim), 0);
    sim_free(room->sim);
}

static inline void room_cut(struct room *room) {
    sim_power_cut(room->host);
    room->host = sim_host_restart(room->host);
}

static inline struct io_file *must_open(struct io_host *host, const char *path) {
    struct io_file *file = NULL;
    int failed = io_file_open(host, path, IO_FILE_WRITE | IO_FILE_CREATE, &file);
    assert_int_equal(failed, 0);
    return file;
}

/* LEN bytes of FILL at OFFSET. */
static inline void must_fill(struct io_file *file, char fill, size_t len, uint64_t offset) {
    char bytes[16384];
    assert_true(len <= sizeof(bytes));
    memset(bytes, fill, len);
    assert_int_equal(io_file_write(file, bytes, len, offset), 0);
}

/* A new file that will survive, its name too. */
static inline void must_plant(struct io_host *host, const char *path, char fill, size_t len) {
    struct io_file *file = must_open(host, path);
    must_fill(file, fill, len, 0);
    assert_int_equal(io_file_sync(file), 0);
    io_file_close(file);
    assert_int_equal(io_dir_sync(host, ""), 0);
}

static inline bool exists(struct io_host *host, const char *path) {
    struct io_file *file = NULL;
    int failed = io_file_open(host, path, 0, &file);
    io_file_close(file);
    return failed == 0;
}

/* What the file holds, into OUT of SIZE; -1 where there is no file. */
static inline long content(struct io_host *host, const char *path, char *out, size_t size) {
    struct io_file *file = NULL;
    size_t taken = 0;
    if (io_file_open(host, path, 0, &file))
        return -1;
    assert_int_equal(io_file_read(file, out, size, 0, &taken), 0);
    io_file_close(file);
    return (long)taken;
}

/* Is all of it FILL, and LEN long? */
static inline bool holds(struct io_host *host, const char *path, char fill, size_t len) {
    char bytes[16384];
    if (content(host, path, bytes, sizeof(bytes)) != (long)len)
        return false;
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != fill)
            return false;
    return true;
}

#endif
