/*
 * log.h - the durable log: one journal per node, many streams, atomic batches.
 *
 *   log_batch_*  ->  journal's forming group  --one write, one fdatasync (sync worker)-->  done()
 *        |
 *        '-> stream tails in memory (staged; shown to readers once their group is synced)
 *               '-- checkpoint (writer worker): dirty blocks -> segments, state -> checkpoint file,
 *                   then journal files behind it are recycled
 *
 * A BATCH is an atomic list of typed changes to any streams: append a message, delete one, trim a
 * stream's front, purge by subject, put or remove a stream, or an OWNER's delta (a consumer's
 * acknowledgement, a timer: bytes whose meaning the log does not know). Recovery finds all of a
 * batch or nothing of it. Each batch gets a commit POSITION, dense from 1 over the whole node;
 * each appended message the next SEQUENCE of its stream, dense from 1.
 *
 * GROUP COMMIT: batches committed while a sync runs share the next write and sync. A group starts
 * on a fresh 4 KiB sector, so a power cut while it is written cannot touch bytes synced before;
 * and group n+1 is written only after n is synced, so a bad group with a valid one behind it is
 * corruption and never a torn tail. When idle, and at a clean stop, an empty seal group is written.
 *
 * What is STAGED (committed, not yet synced) counts for sequences, limits and expectations at once,
 * but readers see only what is synced. There is no rollback: a failed write or sync of the journal
 * calls on_fatal, after which no done() reports success, and the node must stop (a page dropped by
 * a failed fsync cannot be had back by trying again).
 *
 * Everything here runs on the loop the log was opened on. done() and on_* are called from the
 * loop, never from inside the call that caused them.
 *
 * BOUNDS. Unsaved bytes (journal space in use, tails) over the high mark: log_full() turns true and
 * on_room follows; over the hard mark log_batch_begin answers -EAGAIN. A full disk: batches with
 * appends answer -ENOSPC, reads go on, and batches of deltas, deletes and trims still fit into
 * journal space kept for them.
 */
#ifndef NONET_LOG_LOG_H
#define NONET_LOG_LOG_H

#include "base/buf.h"
#include "base/error.h"
#include "io/file.h"
#include "io/logger.h"

#define LOG_FORMAT_VERSION 1u
#define LOG_SUBJECT_MAX 4096u       /* bytes */
#define LOG_MESSAGE_MAX (64u << 20) /* headers and payload together, bytes */
#define LOG_BATCH_CHANGES_MAX 65536u
#define LOG_BATCH_BYTES_MAX (128u << 20)
#define LOG_OWNERS_MAX 16u

struct log;
struct log_stream; /* log/stream.h: handles stay valid until the stream is removed */
struct log_batch;

/* A holder of durable state that is not messages. Deltas are replayed in commit order. */
struct log_owner {
    uint32_t id; /* 1.., fixed for ever: it is on disk */
    void *self;
    /* At open: the state as of the last checkpoint; not called where there is none. */
    int (*restore)(void *self, slice snapshot);
    /* At open: each delta committed after that checkpoint. Live deltas are not given back. */
    int (*replay)(void *self, slice delta, uint64_t position);
    /* At a checkpoint: append the state, with every delta committed so far, to OUT. */
    int (*snapshot)(void *self, struct buf *out);
};

struct log_options {
    struct logger *logger;       /* may be NULL */
    const char *directory;       /* made where missing; locked while open */
    uint64_t journal_file_bytes; /* 0 = 64 MiB; at least 64 KiB; a multiple of 4 KiB */
    unsigned journal_files;      /* 0 = 4; at least 2 */
    uint64_t cache_bytes;        /* clean blocks kept in memory; 0 = 64 MiB */
    uint64_t unsaved_high_bytes; /* 0 = half the journal */
    uint64_t segment_bytes;      /* 0 = 64 MiB; a segment is sealed past this */
    uint64_t checkpoint_idle_ns; /* 0 = 60 s: checkpoint this long after a change at the latest */
    bool read_only; /* no file is changed, owners are passed over; the loop need not run */
    const struct log_owner *owners;
    unsigned owner_count;
    /* STREAM has new messages for readers (called once a stream and group). */
    void (*on_visible)(void *self, struct log_stream *stream);
    /* log_full() has turned false. */
    void (*on_room)(void *self);
    /* Nothing can be committed any more; ERROR names file and cause. */
    void (*on_fatal)(void *self, const struct error *error);
    void *self;
};

/* Opens or creates (read_only: -ENOENT), and recovers: checkpoint, then journal. Blocks. Errors
   name the file: locked, newer format (-ENOTSUP), corruption (-EBADMSG, never skipped silently). */
must_use int log_open(struct io_loop *loop, const struct log_options *options, struct log **ret_log,
                      struct error *ret_error);
/* Commits what is pending, writes a checkpoint and a seal, frees, then calls DONE(self). */
void log_close(struct log *log, void (*done)(void *self), void *self);
/* Frees at once as if the process had been killed (tests, fatal errors). NULL allowed. */
struct log *log_abandon(struct log *log);

/* The last position readers may see: everything up to it is on disk. */
uint64_t log_position(const struct log *log);
/* Over the high mark: stop taking in new messages until on_room. */
bool log_full(const struct log *log);

/* --- batches --------------------------------------------------------------------------------- */

struct log_message {
    slice subject, headers, payload; /* copied; headers are a whole NATS/1.0 block or empty */
    int64_t time_ns;                 /* since 1970; a stream's times are kept from going back */
};

/* What a stream keeps; enforced at each append, oldest first. 0 = without limit. */
struct log_limits {
    uint64_t messages_max, bytes_max, messages_per_subject_max, age_max_ns;
};

/* Begins THE batch being built (one at a time; commit or abandon it before the loop turns).
   0, -EAGAIN (hard mark), -EROFS (after on_fatal; read_only). */
must_use int log_batch_begin(struct log *log, struct log_batch **ret_batch);

/* Each adds one change, or fails and leaves the batch as it was: -ENOMEM, -E2BIG (a bound above),
   -ENOSPC (full disk; appends and puts only), -ENOENT (no such message, or removed), -EAGAIN (no
   journal room: on_room follows), -EINVAL (empty subject, bad name), -EBUSY (put: the batch already
   changes the stream). Deletes see the stream as it was before the batch. */
must_use int log_batch_append(struct log_batch *batch, struct log_stream *stream,
                              const struct log_message *message, uint64_t *ret_sequence);
must_use int log_batch_delete(struct log_batch *batch, struct log_stream *stream,
                              uint64_t sequence);
/* Everything below FIRST_SEQUENCE goes; past the end empties the stream, and the next message
   gets at least FIRST_SEQUENCE. */
must_use int log_batch_trim(struct log_batch *batch, struct log_stream *stream,
                            uint64_t first_sequence);
must_use int log_batch_delta(struct log_batch *batch, uint32_t owner, slice delta);
/* Creates a stream (NAME new: 1-255 bytes) or changes one. CONFIG is the caller's own, see
   log_stream_config. IN_MEMORY streams live in RAM only, are gone after a restart and cost no sync.
   The handle can be used in the same batch. FIRST_SEQUENCE is for a new one (0 = 1). */
must_use int log_batch_put_stream(struct log_batch *batch, slice name, slice config,
                                  const struct log_limits *limits, bool in_memory,
                                  uint64_t first_sequence, struct log_stream **ret_stream);
must_use int log_batch_remove_stream(struct log_batch *batch, struct log_stream *stream);

/* Embedded by the caller, which keeps it alive until done. */
struct log_commit {
    struct log_commit *next;
    uint64_t position;                                   /* set by log_batch_commit */
    void (*done)(struct log_commit *commit, int failed); /* 0: on disk, and readers may see it */
};
/* Closes the batch; never fails. COMMIT may be NULL. Streams in RAM alone: done this turn. */
void log_batch_commit(struct log_batch *batch, struct log_commit *commit);
void log_batch_abandon(struct log_batch *batch);

/* Starts a checkpoint now unless one runs; DONE(self, failed) when its files are on disk. */
void log_checkpoint(struct log *log, void (*done)(void *self, int failed), void *self);

#endif
