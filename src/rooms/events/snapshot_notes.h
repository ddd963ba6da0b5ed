/*
 * snapshot_notes.h - snapshots that are good for nothing once more of an event stream is swept, on
 * their way out: into the batch that sweeps (notes.h), so that what was deleted is nowhere any
 * more.
 *
 *     swept  1024 -----> 1500        the one of 1024 events: those behind it are not there
 *            1024 -----> 2048        the same; that of 2048 events stays, as a begin, unless its
 *                                    events were deleted: then it goes at once
 */
#ifndef NONET_EVENTS_SNAPSHOT_NOTES_H
#define NONET_EVENTS_SNAPSHOT_NOTES_H

#include "rooms/events/life.h"
#include "rooms/events/notes.h"

struct snapshot_notes {
    struct note notes[2];
    struct buf subjects[2];
};

/* LIFE of the event stream SUBJECT as it will be, with a `swept` that is at most a span above
   BEFORE. 0 or -ENOMEM: then nothing was added. */
must_use int snapshot_notes_add(struct snapshot_notes *notes, struct engine *engine, slice subject,
                                uint64_t before, const struct life *life);
/* After notes_forget or notes_commit. */
void snapshot_notes_free(struct snapshot_notes *notes);

#endif
