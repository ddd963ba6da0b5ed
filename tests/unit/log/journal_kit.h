/*
 * journal_kit.h - a desk for the journal's tests: one simulated machine, one journal on it, and a
 * memory of what was committed, against which every recovery is held.
 *
 * The payload of a change tells its position and the LIFE (how often the journal has been opened)
 * that wrote it, so a batch that comes back from an earlier life, or at another place, is seen.
 */
#ifndef NONET_TESTS_JOURNAL_KIT_H
#define NONET_TESTS_JOURNAL_KIT_H

/* cmocka wants these four first */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "log/journal.h"
#include "log/record.h"
#include "sim.h"

#define DESK_POSITIONS 4096u
#define DESK_FILE 65536u
#define SECTOR 4096u

struct desk {
    struct sim *sim;
    struct io_host *host;
    struct io_group *group;
    struct io_loop *loop;
    struct journal *journal;
    struct journal_options options;
    /* What callbacks said. */
    uint64_t synced;
    unsigned synced_calls, failures, rooms;
    struct error failure;
    bool closed;
    int close_failed;
    /* What was committed: by which life, how large, how many changes (0: a bare position). */
    uint32_t life, lives[DESK_POSITIONS], sizes[DESK_POSITIONS], changes[DESK_POSITIONS];
    uint64_t committed;
    uint64_t acknowledged; /* over all lives */
    /* What the last open replayed. */
    uint64_t replayed, replayed_first, replayed_last;
};

/* A machine of its own with an empty folder "log"; options may be changed before the open. */
struct desk *desk_new(uint64_t seed, const struct sim_options *options);
/* Opens, and holds what came back against what was committed and acknowledged. */
int desk_try_open(struct desk *desk, struct error *error);
void desk_open(struct desk *desk);
/* Adds one record of SIZE payload bytes to the open batch of POSITION. */
int desk_add(struct desk *desk, uint64_t position, uint32_t nth, uint32_t size, bool reserve);
/* A batch of COUNT changes of SIZE bytes; abandoned where one of them is refused. */
int desk_try_commit(struct desk *desk, uint32_t count, uint32_t size, bool reserve);
void desk_commit(struct desk *desk, uint32_t count, uint32_t size);
/* Until all that was committed is on disk, or the journal has failed. */
void desk_sync(struct desk *desk);
/* One batch, alone in its group, on disk. */
void desk_write(struct desk *desk, uint32_t count, uint32_t size);
void desk_close(struct desk *desk);
/* Lets the time for a seal pass. */
void desk_rest(struct desk *desk);
/* Frees journal and loop, as they are. */
void desk_clear(struct desk *desk);
/* The process is gone, what it wrote is in the page cache. */
void desk_kill(struct desk *desk);
/* The power goes, unless it has gone already; the machine comes back. */
void desk_cut(struct desk *desk);
/* Fails where something that was opened has not been closed. */
void desk_free(struct desk *desk);
/* The path of the journal's file NUMBER; valid until the next call. */
const char *desk_file(uint64_t number);
/* Reads or overwrites bytes of a file behind the journal's back; what is written is on disk. */
void desk_peek(struct desk *desk, uint64_t number, uint64_t offset, void *out, size_t size);
void desk_poke(struct desk *desk, uint64_t number, uint64_t offset, const void *bytes, size_t size);
void desk_flip(struct desk *desk, uint64_t number, uint64_t offset, unsigned bit);

#endif
