/*
 * state_kept.h - the newest states of event streams, in memory, as the texts of snapshots.
 *
 * A snapshot in the log lies up to a span of events behind; whoever asks for the same state again
 * and again folds only what has come since the last time. What is kept is a text and no tree: its
 * size is known, and it is judged like every snapshot when it is read (snapshot.h), so nobody has
 * to take it away when folds or streams change.
 *
 * BOUND. KEPT_BYTES_MAX of texts; the one that was asked for longest ago goes first.
 */
#ifndef NONET_EVENTS_STATE_KEPT_H
#define NONET_EVENTS_STATE_KEPT_H

#include "base/list.h"
#include "base/map.h"

#define KEPT_BYTES_MAX ((size_t)64 << 20)

struct kept_states {
    struct map by_subject;
    struct list used; /* the longest ago first */
    size_t bytes;
};

void kept_init(struct kept_states *kept, struct hash_key hash_key);
void kept_free(struct kept_states *kept);
/* The number of events in the state of SUBJECT, and its text, valid until the next kept_put; 0:
   there is none. */
uint64_t kept_find(struct kept_states *kept, slice subject, slice *ret_text);
/* In place of an older one; without memory, or room for it, none is kept. */
void kept_put(struct kept_states *kept, slice subject, uint64_t number, slice text);

#endif
