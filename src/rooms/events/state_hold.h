/*
 * state_hold.h - what limits take away still counts: the sweep waits for snapshots (sweep.h).
 *
 *     events   1 ........ 1024 ........ 2048 ..|.....        | truncate_before
 *     swept                             2048                 not 2048 + some: states are folded
 *     notes                             snapshot             from there on
 *
 * Events of a category with a fold of its own are taken out by whole spans, each when there is a
 * snapshot at its end. So their states are right for ever, whatever the limits, and up to a span of
 * events that nobody reads any more stays in the log. What was deleted goes without.
 *
 * BOUND. HOLDS_MAX snapshots are made at a time; the sweep comes back for others.
 */
#ifndef NONET_EVENTS_STATE_HOLD_H
#define NONET_EVENTS_STATE_HOLD_H

#include "rooms/events/life.h"
#include "rooms/events/state.h"

#define HOLDS_MAX 64u

/* Up to which number at most END, in the span behind what is swept, the events of SUBJECT may go.
 */
uint64_t state_hold(struct engine *engine, slice subject, const struct life *life, uint64_t end);
/* Before they go up to NUMBER, which state_hold has given: 0, now; -EINPROGRESS: a snapshot is
   being made, sweep_later is called when it is; -EAGAIN: later. */
must_use int state_hold_ready(struct engine *engine, slice subject, const struct life *life,
                              uint64_t number);
/* With the engine. */
void state_holds_close(struct engine *engine);

#endif
