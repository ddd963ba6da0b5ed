/*
 * state.h - reading the state of an event stream: what its events add up to (fold.h), now or after
 * any of them.
 *
 *     events   1 ........ 1024 ........ 2048 ........ 3072 ..x..... now
 *     notes               snapshot      snapshot      snapshot
 *                                                     `-> x: at most a span behind one
 *
 * A read folds on from the newest snapshot before its event. Where there is none yet (the first
 * read of a long stream, or of a fold that was changed) it goes from the first event on, and writes
 * a snapshot whenever it passes a multiple of SNAPSHOT_SPAN and has folded as many bytes of events
 * as the state has. So states cost at most the room that their events do, and a read that is not
 * done in STATE_NS is answered 503 but not in vain: the next one goes on from there.
 *
 * The newest states are kept in memory as well (state_kept.h). Of several reads at once one goes
 * the long way, the others wait for it.
 *
 * It works in steps of STEP_MAX records and lets the loop turn in between.
 *
 * BOUNDS. STATES_MAX under way (429), STATE_NS each, what a state may be (fold_tree.h).
 */
#ifndef NONET_EVENTS_STATE_H
#define NONET_EVENTS_STATE_H

#include "rooms/events/engine.h"
#include "rooms/events/fold_config.h"

#define STATES_MAX 256u
#define STATE_NS UINT64_C(20000000000)

enum state_at {
    STATE_NOW,
    STATE_REVISION,
    STATE_POSITION, /* after the last event at or before it */
    STATE_TIME,     /* the same; an event's own time counts, which is taken not to go back */
};

struct state_options {
    slice subject;
    enum state_at at;
    uint64_t number; /* revision, or position */
    int64_t time_ns;
    uint64_t position_min; /* not before ES has got so far */
    bool keeps; /* a snapshot of this state is to be there afterwards, whatever its size */
};

struct metrics;
struct metrics_shard;

struct state_end {
    unsigned status;    /* 200; 404; 429; 500; 503; 504 */
    slice body;         /* JSON, or the words of a status that is no 200 */
    uint64_t revision;  /* of a 200, as the next two */
    uint64_t from;      /* first revision folded */
    const char *digest; /* of the fold */
};

/* DONE comes once, later. Texts are copied. */
void events_state(struct engine *engine, const struct state_options *options,
                  void (*done)(void *self, const struct state_end *end), void *self);
/* With the engine, and at its end. */
must_use int states_open(struct engine *engine);
void states_close(struct engine *engine);
/* Has CATEGORY a fold of its own? */
bool states_has_fold(const struct engine *engine, slice category);
/* Takes FOLDS over; reads under way keep the ones that they have begun with. */
void states_set_folds(struct engine *engine, struct folds *folds);
/* ES has new events. */
void states_wake(struct engine *engine);

/* Where what is done for states is counted; without it, nowhere. */
void states_count(struct engine *engine, struct metrics *metrics, struct metrics_shard *shard);

#endif
