/*
 * life_notes.h - a life on its way to the log: its note, and the mark that the sweep has something
 * to do with it, both into the next batch of ES (notes.h).
 *
 *     _NONET.es.life.order.42     the life
 *     _NONET.es.due.order.42      it is there as long as life_works()
 */
#ifndef NONET_EVENTS_LIFE_NOTES_H
#define NONET_EVENTS_LIFE_NOTES_H

#include "rooms/events/life.h"
#include "rooms/events/notes.h"

struct life_notes {
    struct note life, due;
    struct buf subject, text, due_subject;
};

/* LIFE of the event stream SUBJECT, which has NUMBER events. 0 or -ENOMEM: then nothing was added.
 */
must_use int life_notes_add(struct life_notes *notes, struct engine *engine, slice subject,
                            const struct life *life, uint64_t number);
/* After notes_forget or notes_commit. */
void life_notes_free(struct life_notes *notes);

#endif
