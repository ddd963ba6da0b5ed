/*
 * sweep_stream.h - the sweep's work on one event stream (sweep.h).
 *
 *     CHUNK -> LEAVES -> FIND -> COLLECT -> TAGS -> COMMIT -> CHUNK ...   numbers 1 to `swept`
 *        '--of a tombstoned one, when all are swept--> SKELETON -> COMMIT -> ... -> clean
 *
 * A chunk is what lies behind `swept` up to the next leaf, or as far as something is to go. It is
 * found from that leaf, and the leaves from the newest one down, once for all chunks; so a stream
 * of a million events costs a thousand records more than are taken out.
 */
#ifndef NONET_EVENTS_SWEEP_STREAM_H
#define NONET_EVENTS_SWEEP_STREAM_H

#include "rooms/events/heads.h"
#include "rooms/events/sweep_tags.h"

#define SWEEP_DELETE_MAX (EVENT_SPAN + LIFE_KEPT_MAX)

struct sweep_stream {
    struct engine *engine;
    struct head *head;
    struct fetch fetch;
    struct io_timer again;
    enum {
        SWEEP_CHUNK,
        SWEEP_LEAVES,
        SWEEP_FIND,
        SWEEP_COLLECT,
        SWEEP_TAGS,
        SWEEP_COMMIT,
        SWEEP_SKELETON
    } phase;
    bool committing;
    struct buf leaves; /* sequences of the leaves above `swept`, the newest first */
    uint64_t at;       /* the record to read next */
    uint64_t number;   /* of it, where that is known; of the chunk's newest */
    /* Up to which number events go, 0: none of the chunk does; its chain; their sequences, the
       newest first; the time of the event behind. */
    uint64_t cut;
    unsigned char chain[EVENT_CHAIN_BYTES];
    uint64_t sequences[EVENT_SPAN];
    unsigned count;
    int64_t time_ns;
    struct sweep_tags tags; /* of what may be deleted with the next batch */
    /* What the batch deletes: sweep_on_batch. */
    uint64_t deletes[SWEEP_DELETE_MAX];
    unsigned delete_count;
    void (*done)(struct sweep_stream *work, int result, int64_t next_ns);
};

/* HEAD is the work's from now on. DONE comes once: 0, and when there is more to do (INT64_MAX: not
   before the event stream changes); -EAGAIN: the log takes nothing now; -EBADMSG, -ENOMEM. Never
   from inside. */
void sweep_stream_begin(struct sweep_stream *work, struct engine *engine, struct head *head,
                        void (*done)(struct sweep_stream *work, int result, int64_t next_ns));
/* DONE does not come any more. Not while it is committing, but for the engine's end. */
void sweep_stream_cancel(struct sweep_stream *work);

#endif
