/*
 * stream.h - reading streams: messages by sequence, by subject, and what a stream holds.
 *
 * Readers see a stream as of the last synced group. A message lies in memory (the tail, the cache)
 * or in a segment on disk; calls that need bytes from disk never block the loop: they answer
 * -EINPROGRESS, and log_load brings the block in and calls back, after which the same call
 * succeeds. So a reader is written as a loop that starts again after a load:
 *
 *     failed = log_read(log, stream, sequence, &record);
 *     if (failed == -EINPROGRESS)
 *         return log_load(log, stream, sequence, &reader->load);   // load.done tries again
 *
 * A record that fails its CRC is answered with -EBADMSG and a log line naming file, offset and
 * sequence; it is never served, and it keeps its sequence: the stream is not shortened.
 *
 * Per subject the stream keeps count, first and last sequence (under 100 B a subject, index
 * included, for subjects of 20 bytes), so "last by subject" and "how many" cost one lookup.
 */
#ifndef NONET_LOG_STREAM_H
#define NONET_LOG_STREAM_H

#include "log/filter.h"
#include "log/log.h"

struct log_record {
    uint64_t sequence, position;
    int64_t time_ns;
    slice subject, headers, payload; /* valid until the loop's next turn, or the next log call
                                        that loads or appends */
};

struct log_stream_state {
    uint64_t messages, bytes;               /* visible, live; bytes as stored */
    uint64_t first_sequence, last_sequence; /* first > last: empty */
    int64_t first_time_ns, last_time_ns;
    uint64_t deleted; /* holes between first and last */
    uint64_t subjects;
    uint64_t damaged; /* records found unreadable */
};

struct log_subject_state {
    uint64_t messages, first_sequence, last_sequence;
};

struct log_stream *log_stream_find(struct log *log, slice name); /* NULL where there is none */
/* Every stream in order of creation: start with NULL. */
struct log_stream *log_stream_next(struct log *log, struct log_stream *after);
slice log_stream_name(const struct log_stream *stream);
slice log_stream_config(const struct log_stream *stream);
int64_t log_stream_created_ns(const struct log_stream *stream);
/* For the caller's own struct that goes with the stream. */
void log_stream_set_user(struct log_stream *stream, void *user);
void *log_stream_user(const struct log_stream *stream);

struct log_stream_state log_stream_state(const struct log_stream *stream);
/* With staged messages counted: what limits and expectations are judged by. */
struct log_stream_state log_stream_staged(const struct log_stream *stream);

/* The message SEQUENCE. 0, -ENOENT (none, deleted, not yet visible), -EINPROGRESS, -EBADMSG. */
must_use int log_read(struct log *log, struct log_stream *stream, uint64_t sequence,
                      struct log_record *ret_record);

/* Is SEQUENCE, between first and last, a hole? Looks at no message, so never waits. */
bool log_sequence_deleted(const struct log_stream *stream, uint64_t sequence);

/* The first message at or after FROM whose subject matches FILTER (NATS wildcards; empty = all).
   0, -ENOENT (none up to the end now), -EBADMSG with *ret_record.sequence set (skip it),
   -EINPROGRESS with *ret_record.sequence = what to load and go on from. At most about a thousand
   records are looked at per call: -EAGAIN with *ret_record.sequence = where to go on, later. */
must_use int log_seek(struct log *log, struct log_stream *stream, slice filter, uint64_t from,
                      struct log_record *ret_record);
/* The same for several subjects. */
must_use int log_seek_any(struct log *log, struct log_stream *stream,
                          const struct log_filter *filter, uint64_t from,
                          struct log_record *ret_record);

/* The first sequence whose time is at or after TIME_NS, or last + 1. 0, or -EINPROGRESS with
 *ret_sequence = what to load. */
must_use int log_seek_time(struct log *log, struct log_stream *stream, int64_t time_ns,
                           uint64_t *ret_sequence);

/* Calls EACH for every readable message at or after TIME_NS, staged ones too, until it returns
   != 0, which is given back. Reads from disk with the loop standing still: for the node's start
   only, before anybody is served. 0, or why it could not read. */
must_use int log_scan(struct log *log, struct log_stream *stream, int64_t time_ns,
                      int (*each)(void *self, const struct log_record *record), void *self);

struct log_load {
    void (*done)(struct log_load *load, int failed); /* not called from inside log_load */
    void *internal[4];
};
/* Brings the block of SEQUENCE into the cache. 0 (done follows) or -ENOMEM / -EAGAIN (too many
   loads under way: try again next turn). A load may be given up with log_load_cancel. */
must_use int log_load(struct log *log, struct log_stream *stream, uint64_t sequence,
                      struct log_load *load);
void log_load_cancel(struct log *log, struct log_load *load);

/* One subject, staged messages counted (so last_sequence may answer -ENOENT until it is synced).
   False where the stream holds none. After deletes and trims in streams without a limit per
   subject the true first or last may have to be looked for, in blocks that are read at once. */
bool log_subject(struct log_stream *stream, slice subject, struct log_subject_state *ret_state);
/* Adds to BATCH, which has not changed STREAM yet, the deletion of all messages of SUBJECT (as it
   is written), oldest first; *RET_MORE: that was too much for one call, some are left. Reads blocks
   at once. 0, or as log_batch_delete: then abandon the batch. */
#define LOG_DELETE_SUBJECT_MAX 1024u       /* messages */
#define LOG_DELETE_SUBJECT_BLOCKS_MAX 256u /* looked at, 64 KiB each */
must_use int log_batch_delete_subject(struct log_batch *batch, struct log_stream *stream,
                                      slice subject, bool *ret_more);
/* As log_batch_delete; and a while after the batch is on disk no file of the log holds the message
   any more, also across a crash: see erase.h. */
must_use int log_batch_erase(struct log_batch *batch, struct log_stream *stream, uint64_t sequence);
/* Calls EACH for every subject that matches FILTER, in no order, until it returns != 0. The
   stream must not change meanwhile. first_sequence is a lower bound here. */
int log_subject_each(struct log_stream *stream, slice filter,
                     int (*each)(void *self, slice subject, const struct log_subject_state *state),
                     void *self);
/* How many live messages at or after FROM match FILTER (empty = all): exact for all and for a
   FROM at or below the first; else counted by subject where that suffices, or by scanning blocks in
   memory and estimated for those on disk (consumers' num_pending). */
uint64_t log_count(struct log *log, struct log_stream *stream, slice filter, uint64_t from);
uint64_t log_count_any(struct log *log, struct log_stream *stream, const struct log_filter *filter,
                       uint64_t from);

/* --- checking -------------------------------------------------------------------------------- */

/* STREAMS, MESSAGES, BYTES: of the checkpoint, and what the journal holds beyond it; a removal
   that only the journal tells of is not taken off. After a clean stop they are exact. */
struct log_verify_report {
    uint64_t streams, messages, bytes, journal_groups, segments, damaged;
};
/* Reads all of a closed log and checks every CRC and every order. DAMAGE(self, error) for each
   finding. 0 when clean, -EBADMSG when not, or why it could not be read. */
must_use int log_verify(struct io_host *host, const char *directory,
                        void (*damage)(void *self, const struct error *error), void *self,
                        struct log_verify_report *ret_report, struct error *ret_error);

#endif
