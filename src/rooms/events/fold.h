/*
 * fold.h - what the events of a stream add up to: one event after the other goes in, the state
 * comes out. Pure: the same events give the same bytes, whatever was kept or loaded in between.
 *
 * The rule for the event's type (fold_rules.h) is applied in this order: clear, merge, set, inc,
 * append, remove; within an operator in the order of the file. An event without a rule changes
 * nothing. What cannot be applied (inc of a text, a list that is full) is left out and becomes a
 * PROBLEM; the rest of the rule and all that follows is applied. What an event does not have is no
 * problem and changes nothing.
 *
 * Numbers: fold_number.h. Bounds: fold_tree.h.
 */
#ifndef NONET_EVENTS_FOLD_H
#define NONET_EVENTS_FOLD_H

#include "rooms/events/fold_value.h"

#define FOLD_PROBLEMS_MAX 16u /* kept, the first ones; all are counted */

struct json_writer;
struct fold_state;

/* The state before the first event: `initial`. FOLD must live as long. 0 or -ENOMEM. */
must_use int fold_state_new(const struct fold *fold, struct hash_key hash_key,
                            struct fold_state **ret_state);
struct fold_state *fold_state_free(struct fold_state *state); /* NULL allowed */
/* 0, or -ENOMEM: the state is worth nothing any more. */
must_use int fold_apply(struct fold_state *state, const struct fold_event *event);

/* The members "state", and "problems" (with "problem_count" where not all of them are told) where
   there are any, into an object that is open in W. 0 or -ENOMEM. */
must_use int fold_state_write(const struct fold_state *state, struct json_writer *w);
/* Takes up what fold_state_write has written into the object V. 0, -EINVAL (it is not that),
   -ENOMEM; after a failure the state is worth nothing any more. */
must_use int fold_state_read(struct fold_state *state, json_value v);
/* Bytes of "state". */
size_t fold_state_size(const struct fold_state *state);

#endif
