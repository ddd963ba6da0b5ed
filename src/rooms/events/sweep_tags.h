/*
 * sweep_tags.h - the tags of records that the sweep takes out: their ends (tags.h) say so in the
 * same commit.
 *
 * A tag's note counts the records that there are, and names the last of them; so a walk along its
 * chain (walk.h) knows when it has met them all, and does not look for what was taken out. A tag
 * without records has no note.
 *
 * What is not noted here stays counted: walks are longer then, never too short. So there is no
 * harm in what has no room or memory. BOUND: SWEEP_TAGS_MAX tags.
 */
#ifndef NONET_EVENTS_SWEEP_TAGS_H
#define NONET_EVENTS_SWEEP_TAGS_H

#include "rooms/events/tags.h"

#define SWEEP_TAGS_MAX 16384u

struct sweep_tags {
    struct engine *engine;
    struct map64 records; /* sequence -> struct swept */
    size_t count;         /* tags of all of them */
};

void sweep_tags_init(struct sweep_tags *tags, struct engine *engine);
void sweep_tags_clear(struct sweep_tags *tags);
/* EVENT, at SEQUENCE, may be taken out soon. */
void sweep_tags_note(struct sweep_tags *tags, uint64_t sequence, const struct event *event);
bool sweep_tags_noted(const struct sweep_tags *tags, uint64_t sequence);
/* False: some ends are being read. */
bool sweep_tags_ready(const struct sweep_tags *tags);
/* The records at SEQUENCES are taken out with the next batch: adds the notes. */
void sweep_tags_draft(struct sweep_tags *tags, const uint64_t *sequences, unsigned count);
/* They have been, or have not. */
void sweep_tags_settle(struct sweep_tags *tags, bool stored);

#endif
