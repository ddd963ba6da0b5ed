/*
 * journal.h - the write-ahead journal: where a batch is on disk first, and acknowledged from.
 *
 *      DIR/journal/00000007.jnl   | header | group 41 | group 42 | ... unused |   preallocated
 *      DIR/journal/00000008.jnl   | header | group 43 | seal 44 | old bytes of an earlier use |
 *      DIR/journal/00000009.jnl   | header | zeros                            |   made ahead
 *
 * The caller builds a batch right in the buffer of the FORMING group. At the end of the turn, when
 * no write runs, the group goes to the journal's own thread ("nonet-sync"): crc, one write, one
 * fdatasync. What is committed meanwhile forms the next group, which leaves the moment the first
 * is on disk. So the busier the log, the more batches share a sync, and a lone publisher waits for
 * one write and one sync; no timer has a part in it.
 *
 * Files are made ahead and used again under the next number, so that a sync never has to write a
 * file's metadata: on a second thread ("nonet-journal"), or, when the need comes sooner, on the
 * loop, which then waits. A FILE NUMBER is given once and never again: it is the file's epoch, by
 * which bytes of an earlier use are told from ours. The formats are drawn in journal_format.h.
 *
 * INVARIANTS. One group is written at a time, on a fresh 4 KiB sector, behind its synced
 * predecessor; group numbers and positions are dense; a file in the directory as NUMBER.jnl has
 * a header that is on disk; the file of the newest group is never recycled.
 *
 * AFTER A FAILED write or sync nothing is written again: on_failed, then -EROFS.
 *
 * BOUNDS. A group takes at most JOURNAL_GROUP_BYTES_MAX, or one larger batch alone; it never spans
 * files. What does not fit the current file goes to the next one; a batch that no ordinary file
 * could hold gets a file made to its measure, removed after use. Appends leave the reserve
 * (1/32 of a file, at least 16 KiB) of ALLOCATED room for batches marked RESERVE (deltas, deletes,
 * trims), so that these go on when the disk is full. At the bound: -EAGAIN where a checkpoint will
 * give room, -ENOSPC where the disk has none.
 *
 * One loop's thread; callbacks come from the loop, never from inside the call that caused them.
 */
#ifndef NONET_LOG_JOURNAL_H
#define NONET_LOG_JOURNAL_H

#include "base/error.h"
#include "base/slice.h"
#include "io/logger.h"

#define JOURNAL_SECTOR 4096u
#define JOURNAL_GROUP_BYTES_MAX (4u << 20)
#define JOURNAL_FILE_BYTES_MIN (64u << 10)
#define JOURNAL_FIRST_FILE_BYTES (8u << 20) /* a fresh log starts with a small file, at once */
#define JOURNAL_FILES_MAX 4096u             /* in the directory; more is refused at open */
#define JOURNAL_SEAL_IDLE_NS 50000000u
#define JOURNAL_RETRY_NS 1000000000u /* a full disk is tried again this often */

struct journal;

struct journal_options {
    struct io_loop *loop;
    struct logger *logger; /* may be NULL */
    const char *directory; /* the log's; exists and is locked by the caller */
    uint64_t file_bytes;   /* multiple of JOURNAL_SECTOR, at least JOURNAL_FILE_BYTES_MIN */
    unsigned files;        /* at least 2 */
    /* The checkpoint's: everything up to it is saved elsewhere. A batch with changes that was on
       disk, or 0: what the journal does not reach to is missing. */
    uint64_t from_position;
    /* At open, each batch above from_position in order. CHANGES: records (record.h) one behind the
       other, COUNT of them, under a crc that was good. Not 0: the open fails with it; it may fill
       ERROR, else the journal does. */
    int (*replay)(void *self, uint64_t position, slice changes, uint32_t count,
                  struct error *ret_error);
    /* Every batch up to LAST_POSITION is on disk. */
    void (*on_synced)(void *self, uint64_t last_position);
    /* Once: nothing can be written any more. */
    void (*on_failed)(void *self, const struct error *error);
    /* There is room again after room was refused. May be NULL. */
    void (*on_room)(void *self);
    void *self;
};

/* Opens or creates, and recovers. Blocks. -EBADMSG (corruption; names file, offset, group),
   -ENOTSUP (newer format), -ENOMEM, or why a file could not be read or made. */
must_use int journal_open(const struct journal_options *options, struct journal **ret_journal,
                          struct error *ret_error);
/* Writes what has formed, then a seal, then calls DONE(self, failed) from the loop; free it then.
   No batch may be begun any more. */
void journal_close(struct journal *journal, void (*done)(void *self, int failed), void *self);
/* Waits for the write under way, if any, and frees, without further callbacks. Not from inside
   on_synced or on_room. NULL allowed. */
struct journal *journal_free(struct journal *journal);

/* --- one batch at a time: begin, then room + add for each change, then commit or abandon ------ */

/* The position the batch will have if it is committed. 0 or -EROFS. */
must_use int journal_batch_begin(struct journal *journal, uint64_t *ret_position);
/* Room for SIZE bytes (a multiple of 8) behind the batch; valid until the next call. Adds nothing
   by itself. RESERVE: may use the reserve. 0, -ENOMEM, -E2BIG (over LOG_BATCH_BYTES_MAX or
   LOG_BATCH_CHANGES_MAX), -EAGAIN, -ENOSPC; on failure the batch is as it was. */
must_use int journal_batch_room(struct journal *journal, size_t size, bool reserve,
                                char **ret_bytes);
/* The SIZE bytes last given by journal_batch_room now hold one more record. */
void journal_batch_add(struct journal *journal, size_t size);
/* Bytes of records added so far. */
size_t journal_batch_bytes(const struct journal *journal);
/* A batch without changes takes its position and nothing else: no write, no on_synced. */
void journal_batch_commit(struct journal *journal);
void journal_batch_abandon(struct journal *journal);

/* The last committed position; the last one on disk (a position taken without changes counts when
   everything before it is). */
uint64_t journal_position(const struct journal *journal);
uint64_t journal_synced_position(const struct journal *journal);

/* --- space ------------------------------------------------------------------------------------ */

/* Bytes from the oldest kept batch to the end of the newest, in whole files but the last. */
uint64_t journal_used_bytes(const struct journal *journal);
/* What the journal may take on disk: files x file_bytes. */
uint64_t journal_capacity(const struct journal *journal);
/* Would a batch of BYTES be taken now? (It may need a file to be made first, which can fail.) */
bool journal_has_room(const struct journal *journal, size_t bytes, bool reserve);
/* Batches up to POSITION are saved elsewhere and synced: their files may be used again. */
void journal_recycle(struct journal *journal, uint64_t position);

struct journal_stats {
    uint64_t groups, seals, batches, bytes; /* written since open */
    uint64_t sync_ns;                       /* spent in write and sync */
    unsigned files;                         /* now */
};
struct journal_stats journal_stats(const struct journal *journal);

/* --- checking --------------------------------------------------------------------------------- */

struct journal_report {
    uint64_t files, groups, batches, records, bytes, damaged;
    uint64_t messages, message_bytes;       /* of batches above the position asked for */
    uint64_t first_position, last_position; /* 0, 0 where there is no batch */
    uint32_t last_stream_id; /* the highest that a stream was put with; 0: none was */
    bool sealed;             /* the last group is a seal: nothing can be missing */
};
/* Makes DIRECTORY/journal/00000001.jnl, of a log whose checkpoint ends at POSITION, synced; the
   folder is there and empty. 0 or a system error. */
must_use int journal_seed(struct io_host *host, const char *directory, uint64_t position);
/* Replays a journal as journal_open does and changes nothing; the group that a mark of a failed
   write names is the torn end that it will be. Of OPTIONS directory, from_position, replay, self
   and logger count. Answers as journal_open. */
must_use int journal_read(struct io_host *host, const struct journal_options *options,
                          struct error *ret_error);
/* Reads DIRECTORY's journal while nobody has it open, to the end, whatever it finds. Messages up to
   the position SAVED are elsewhere, too, and not counted. DAMAGE(self, error) for each finding. 0,
   -EBADMSG (there was damage), -ENOTSUP, -ENOMEM or a read error. */
must_use int journal_verify(struct io_host *host, const char *directory, uint64_t saved,
                            void (*damage)(void *self, const struct error *error), void *self,
                            struct journal_report *ret_report, struct error *ret_error);

#endif
