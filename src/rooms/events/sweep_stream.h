/*
 * sweep_stream.h - the sweep's work on one event stream (sweep.h).
 *
 *     CHUNK -> FIND -> COLLECT -> HOLD -> LOAD -> TAGS -> COMMIT -> LOAD ... -> CHUNK
 *        |--where only age takes events: FIND -> PEEK -> CHUNK, or not yet
 *        '--of a tombstoned one, when all are swept--> SKELETON -> COMMIT -> ... -> clean
 *
 * A chunk is what lies behind `swept` up to the next leaf, or as far as something is to go. Its
 * newest event is found by hops (lookup.h), the others lead from one to the next. They are deleted
 * the oldest first, as many at once as lie in SWEEP_BLOCKS blocks of the log or so: the log needs
 * the block of each in memory. After SWEEP_TURN chunks other event streams have their turn.
 */
#ifndef NONET_EVENTS_SWEEP_STREAM_H
#define NONET_EVENTS_SWEEP_STREAM_H

#include "rooms/events/heads.h"
#include "rooms/events/sweep_tags.h"

#define SWEEP_TURN 64u
#define SWEEP_BLOCKS 32u
#define SWEEP_NEAR 64u /* positions: two records are taken to be in one block */
#define SWEEP_DELETE_MAX (EVENT_SPAN + LIFE_KEPT_MAX)

/* What the batch being built deletes. */
struct sweep_deletes {
    uint64_t sequences[SWEEP_DELETE_MAX];
    unsigned count;
};

struct sweep_stream {
    struct engine *engine;
    struct sweep_deletes *deletes; /* of all works */
    struct head *head;
    struct fetch fetch;
    struct io_timer again;
    enum {
        SWEEP_CHUNK,
        SWEEP_FIND,
        SWEEP_PEEK,
        SWEEP_COLLECT,
        SWEEP_HOLD,
        SWEEP_LOAD,
        SWEEP_TAGS,
        SWEEP_COMMIT,
        SWEEP_SKELETON
    } phase,
        found;            /* FOUND: what follows FIND */
    bool committing, old; /* OLD: the first event there is too old */
    unsigned chunks;      /* that were taken out */
    struct buf leaves;    /* sequences of the skeleton's leaves, the newest first */
    uint64_t at;          /* the record to read next */
    uint64_t number;      /* of the one to be found; of the next of the chunk */
    /* The events of the chunk that go, the newest first. Of the oldest of them, up to the next
       commit: how many are in memory, in about how many blocks, and the last one's chain. */
    uint64_t sequences[EVENT_SPAN];
    unsigned count, loaded, blocks;
    unsigned char chain[EVENT_CHAIN_BYTES];
    int64_t time_ns;        /* of the event that was peeked at */
    struct sweep_tags tags; /* of these events */
    void (*done)(struct sweep_stream *work, int result, int64_t next_ns);
};

/* HEAD is the work's from now on. DONE comes once: 0, and when there is more to do (0: at once,
   INT64_MAX: not before the event stream changes); -EAGAIN: the log takes nothing now; -EBADMSG,
   -ENOMEM. Never from inside. */
void sweep_stream_begin(struct sweep_stream *work, struct engine *engine,
                        struct sweep_deletes *deletes, struct head *head,
                        void (*done)(struct sweep_stream *work, int result, int64_t next_ns));
/* DONE does not come any more. What is committing is stored all the same; not to be begun anew
   before that has ended (sweep_wake). */
void sweep_stream_cancel(struct sweep_stream *work);

#endif
