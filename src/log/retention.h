/*
 * retention.h - what leaves a stream: limits, trims, deletes, age.
 *
 * Limits by messages, bytes and messages per subject are kept at each append, oldest first, by the
 * rule alone: nothing about it is in the journal, and recovery, applying the same appends to the
 * same state, pushes the same messages out. Age goes by the clock, so a timer turns it into trims
 * that are committed like anybody's. The newest message is never pushed out by its own append.
 *
 * To take a message out its size and subject must be known, that is its bytes must be in memory.
 * The oldest message of a subject is known from the subject's entry (subjects.h); for the front of
 * a stream the block is read while the batch is staged (blocking, but the next block is asked for
 * ahead when the front enters one). A trim over many blocks on disk reads each in turn through one
 * buffer.
 */
#ifndef NONET_LOG_RETENTION_H
#define NONET_LOG_RETENTION_H

#include "log/batch.h"

#define RETENTION_AGE_TICK_NS 1000000000u
#define RETENTION_AGE_BLOCKS 8u /* most blocks trimmed by one commit of the timer */

/* Everything that keeping the limits after one more append of SIZE bytes with this SUBJECT could
   need. 0, -ENOMEM or a read error. */
must_use int retention_prepare_append(struct log_batch *batch, struct log_stream *stream,
                                      slice subject, uint64_t hash, uint32_t size);
must_use int retention_prepare_trim(struct log_batch *batch, struct log_stream *stream,
                                    uint64_t first_sequence);
must_use int retention_prepare_delete(struct log_batch *batch, struct log_stream *stream,
                                      uint64_t sequence);

must_use int retention_prepare_limits(struct log_batch *batch, struct log_stream *stream,
                                      const struct log_limits *limits);

/* Messages to be taken out, found by a pass over the stream. */
struct retention_kill {
    uint64_t sequence;
    uint32_t size;
};
struct retention_kills {
    struct retention_kill *items;
    size_t count, room;
};
/* All that are over MOST per subject (0: none), and the table of subjects without them. Reads the
   stream. 0, -ENOMEM or a read error. */
must_use int retention_find_over(struct log_stream *stream, uint64_t most,
                                 struct subjects *subjects, struct retention_kills *kills);
/* The table of subjects has been replaced already. */
void retention_apply_kills(struct log_stream *stream, const struct retention_kills *kills);

/* Before an append: makes place among the messages of its subject. */
void retention_apply_subject(struct log_stream *stream, slice subject, uint64_t hash);
/* After an append, and after a change of limits: messages and bytes. */
void retention_apply_limits(struct log_stream *stream);
void retention_apply_trim(struct log_stream *stream, uint64_t first_sequence);
void retention_apply_delete(struct log_stream *stream, uint64_t sequence);

/* The living messages of SUBJECT, oldest first, at most LOG_DELETE_SUBJECT_MAX: see
   log_batch_delete_subject. 0 or a read error. */
must_use int retention_find_subject(struct log_stream *stream, slice subject, uint64_t *sequences,
                                    unsigned *ret_count, bool *ret_more);

/* Starts or stops the timer as streams with an age limit come and go. */
void retention_schedule(struct log *log);
void retention_stop(struct log *log);

/* The true last of E, and (FIRST) first, where only bounds are known (SUBJECT_*_BOUND); may read
   blocks. 0 or a read error. */
must_use int retention_resolve(struct log_stream *stream, struct subject *e, bool first);

#endif
