/*
 * life_notes.h - a life on its way to the log: all notes that go with it, into the next batch of
 * ES.
 *
 *     _NONET.es.life.order.42     the life (life.h)
 *     _NONET.es.due.17            its mark, while life_works(): the event stream's subject
 *     _NONET.es.sweep             what the sweep knows (sweep.h), where that changes
 */
#ifndef NONET_EVENTS_LIFE_NOTES_H
#define NONET_EVENTS_LIFE_NOTES_H

#include "rooms/events/life.h"
#include "rooms/events/notes.h"

struct life_notes {
    struct note life, mark, sweep;
    struct buf subject, text, mark_subject, sweep_text;
};

/* The life of the event stream SUBJECT, as notes_read; also -ENOMEM. */
must_use int life_notes_read(struct fetch *fetch, slice subject, struct life *ret_life);
/* LIFE of the event stream SUBJECT, which has NUMBER events; it is given its mark, or loses it.
   REMOVED: records that the same batch takes out. 0 or -ENOMEM: then nothing was added. */
must_use int life_notes_add(struct life_notes *notes, struct engine *engine, slice subject,
                            struct life *life, uint64_t number, uint64_t removed);
/* After notes_forget or notes_commit. Of zeros nothing. */
void life_notes_free(struct life_notes *notes);

#endif
