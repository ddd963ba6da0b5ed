/*
 * checkpoint.h - memory to disk, so that the journal can start again.
 *
 *                 changes        journal synced        writer done
 *      IDLE ---------------> FROZEN ---------> WRITING ----------> IDLE
 *       ^  journal or memory   state and list     blocks -> segments, sync
 *       |  filling, or idle    of dirty blocks    DIR/checkpoint replaced
 *       '--- RETRY <------------------------------ failed: nothing lost, again after a second
 *
 * FREEZE happens on the loop between two batches, at the last committed position P: the places of
 * dirty blocks in segments are handed out and the state (streams, blocks, segments, owners'
 * snapshots) is written to a buffer. Commits go on; a block that is being written keeps the bytes
 * the writer reads. When the journal has synced P the worker "nonet-writer" writes blocks, syncs
 * segments, then replaces DIR/checkpoint. Then the blocks are clean and the journal up to P is
 * recycled.
 *
 * DIR/checkpoint is the state, DIR/checkpoint.old the one before, used only when the newer is
 * damaged and the journal still reaches back to it. Format: checkpoint_file.c.
 */
#ifndef NONET_LOG_CHECKPOINT_H
#define NONET_LOG_CHECKPOINT_H

#include "io/file.h"
#include "log/segment.h"
#include "log/stream_data.h"

#define CHECKPOINT_BYTES_MAX ((size_t)4 << 30)
#define CHECKPOINT_LARGE_BYTES (4u << 20) /* unsaved: a stream gets segments of its own */
#define CHECKPOINT_RETRY_NS 1000000000u
#define CHECKPOINT_WAITERS_MAX 64u

enum checkpoint_state { CHECKPOINT_IDLE, CHECKPOINT_FROZEN, CHECKPOINT_WRITING };

struct checkpoint_waiter {
    void (*done)(void *self, int failed);
    void *self;
};

struct checkpoint {
    struct log *log;
    enum checkpoint_state state;
    struct io_worker *worker;
    struct io_timer idle, retry;
    struct io_task start;
    uint64_t position;       /* frozen at */
    uint64_t saved_position; /* of the checkpoint on disk */
    struct buf text;
    struct segment_write *writes;
    size_t write_count, write_room;
    struct segment **doomed;
    unsigned doomed_count;
    struct io_job job;
    int failed;
    uint64_t started_ns;
    bool again; /* somebody asked while one was under way */
    struct checkpoint_waiter waiters[CHECKPOINT_WAITERS_MAX]; /* for the one under way */
    unsigned waiter_count;
    struct checkpoint_waiter next_waiters[CHECKPOINT_WAITERS_MAX];
    unsigned next_waiter_count;
    uint64_t frozen_bytes; /* to be written by the one under way */
    uint64_t done_count, failed_count, ns, bytes, stall_ns_max;
};

must_use int checkpoint_init(struct checkpoint *checkpoint, struct log *log);
void checkpoint_free(struct checkpoint *checkpoint);
/* Something was committed: starts a checkpoint if it is time, or the timer for it. */
void checkpoint_consider(struct checkpoint *checkpoint);
/* The journal has refused something: starts one unless one is under way or nothing is unsaved. */
void checkpoint_press(struct checkpoint *checkpoint);
/* The journal has synced up to POSITION. */
void checkpoint_synced(struct checkpoint *checkpoint, uint64_t position);
void checkpoint_request(struct checkpoint *checkpoint, void (*done)(void *self, int failed),
                        void *self);
/* At once, from the loop (closing). */
void checkpoint_now(struct checkpoint *checkpoint);
/* Nothing more goes into SEGMENT. */
void checkpoint_seal(struct log *log, struct segment *segment);
/* The journal has failed: a checkpoint that waits for it is over. */
void checkpoint_fail(struct checkpoint *checkpoint);
void checkpoint_stop(struct checkpoint *checkpoint);
/* The log is closed: whoever still waits for a checkpoint is told FAILED (0: all is saved). */
void checkpoint_tell_rest(struct checkpoint *checkpoint, int failed);

/* checkpoint_file.c: the state as of log->position to TEXT, and back. */
must_use int checkpoint_encode(struct log *log, struct checkpoint *checkpoint);
/* Fills LOG (streams without bytes and subjects, segments, owners) from DIR/checkpoint.
 *RET_FOUND false: there is none. */
must_use int checkpoint_load(struct log *log, bool *ret_found, struct error *ret_error);
/* On the writer, or at creation on the loop: TEXT becomes DIR/checkpoint. */
must_use int checkpoint_replace(struct io_host *host, const char *directory, struct buf *text);

#endif
