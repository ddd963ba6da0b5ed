/*
 * visible.h - from committed to seen: what waits for a sync.
 *
 *      effects   [ position 7: stream A's counts ][ 7: B ][ 8: A ][ 9: C ] ...
 *      waiters   commit 7 -> commit 8 -> commit 9
 *
 * A commit leaves, for each stream it touched, the counts as they are after it. When the journal
 * says that everything up to position P is on disk, the effects up to P become what readers see,
 * the waiting commits are done, and each stream that has news is reported once. Batches of nothing
 * but streams in RAM go through a second pair of lists that is emptied at the end of the turn.
 *
 * Room is reserved while the batch is built, so that committing cannot fail.
 */
#ifndef NONET_LOG_VISIBLE_H
#define NONET_LOG_VISIBLE_H

#include "log/stream_data.h"

struct effect {
    uint64_t position;
    struct log_stream *stream;
    struct stream_counts counts;
    bool removed; /* the stream's last: it is freed */
};

struct effects {
    struct effect *ring;
    uint32_t room;       /* a power of two */
    uint64_t head, tail; /* ever taken out, ever put in */
};

struct commits {
    struct log_commit *first, *last;
};

/* Room for COUNT more. 0 or -ENOMEM. */
must_use int effects_reserve(struct effects *effects, uint64_t count);
void effects_free(struct effects *effects);
/* The stream's counts as of POSITION; a second effect of one position replaces the first. */
void effects_add(struct effects *effects, uint64_t position, struct log_stream *stream);

/* Shows what is on disk up to POSITION, and everything in RAM; calls done and on_visible. */
void visible_advance(struct log *log, uint64_t position);
void visible_advance_memory(struct log *log);
/* Everything at once, at recovery: nobody is told. */
void visible_settle(struct log *log);
/* The log has failed: every commit that waits is told FAILED. */
void visible_fail(struct log *log, int failed);

void commits_add(struct commits *commits, struct log_commit *commit, uint64_t position);

#endif
