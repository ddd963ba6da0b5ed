/*
 * walk.h - events backwards: all of them, or those with some tags, without an index.
 *
 *     ES     1  2  3  4  5  6  7  8  9        tags a: 2 5 8, b: 1 5 9
 *               a<-------a<-------a           a walk with tags a and b follows the chain of the one
 *            b<----------b<----------b        that has fewer events
 *
 * The chain is what records say (Nonet-Tagged); it begins at the tag's end (tags.h). Where it is
 * broken, because the record that it leads to has been removed, or does not know (notes_since), the
 * walk goes on through ES one by one until it finds a record that has the tag, or has met as many
 * as there are. So no event with the tags is passed over; others may be met.
 */
#ifndef NONET_EVENTS_WALK_H
#define NONET_EVENTS_WALK_H

#include "rooms/events/tags.h"

struct walk {
    struct engine *engine;
    slice tag;      /* whose chain it follows; empty: none */
    uint64_t left;  /* records with the tag that it has not met, at most */
    uint64_t at;    /* what is looked at next */
    uint64_t floor; /* the end: this one is not looked at */
};

/* From FROM (the last at most) down to FLOOR. The COUNT ends must be ready, and their tags stay. */
void walk_begin(struct walk *walk, struct engine *engine, struct tag_end *const *ends,
                unsigned count, uint64_t from, uint64_t floor);
/* The event that the walk is at. 0; 1: it is over; -EAGAIN: nothing is there, look again; else as
   tail_event. */
must_use int walk_look(struct walk *walk, struct fetch *fetch, struct log_record *ret_record,
                       struct event *ret_event);
/* From EVENT, which it is at, to the one before. */
void walk_next(struct walk *walk, const struct event *event);

#endif
