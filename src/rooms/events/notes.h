/*
 * notes.h - what the engine has to know beside the events: notes, the newest one a subject.
 *
 *     _NONET.es.tag.TAG                      the last event with this tag: its position    tags.h
 *     _NONET.es.life.CATEGORY.ID             what of an event stream is kept               life.h
 *     _NONET.es.due.N, _NONET.es.sweep       what is to be taken out of ES                sweep.h
 *     _NONET.es.state.CATEGORY.ID.N          a state that needs not be folded again    snapshot.h
 *     _NONET.es.due.N, _NONET.es.sweep       where the sweep has something to do       life_notes.h
 *
 * They are messages of the durable stream ES_NOTES, the companion of ES (bus/diversion.h): it comes
 * before ES and goes with it, nobody else writes to it, changes it or deletes from it. A note goes
 * into the commit of the events that it is about, or into one of its own. That there is one is
 * known at once, its text can be read when it is on disk: whoever wants it before that keeps it.
 *
 * SINCE. An ES may be older than its notes (or have been made by a client). Events up to
 * notes_since have left none; it is 0 where ES came behind ES_NOTES.
 */
#ifndef NONET_EVENTS_NOTES_H
#define NONET_EVENTS_NOTES_H

#include "bus/private.h"
#include "rooms/events/fetch.h"

#define NOTES_STREAM "ES_NOTES"
#define NOTES_PREFIX BUS_PRIVATE_PREFIX "es."
#define LIFE_PREFIX NOTES_PREFIX "life." /* life.h */
#define TAG_PREFIX NOTES_PREFIX "tag."   /* tags.h */

/* ES_NOTES, or NULL: it is not there, or is not the engine's. */
struct stream *notes_stream(const struct engine *engine);
/* Where there is none. DONE as of stream_create; the engine must outlive it. */
void notes_create(struct engine *engine, streams_done done);
uint64_t notes_since(const struct engine *engine);
/* The same out of the METADATA of ES_NOTES. False: it is not a stream of notes. */
bool notes_read_since(slice metadata, uint64_t *ret_since);
/* ES_NOTES may be another one now. */
void notes_know_stream(struct engine *engine);

/* Is there a note of SUBJECT, on disk or not yet? */
bool notes_have(const struct engine *engine, slice subject);
/* The note, valid until the loop's next turn or the next fetch. 0; -ENOENT; -EINPROGRESS: FETCH's
   done is called, later; -EBADMSG: it cannot be read. */
must_use int notes_read(struct fetch *fetch, slice subject, struct log_record *ret_record);

/* A note on its way: embedded by who writes it, who keeps its texts until notes_forget. */
struct note {
    struct list_node node;
    slice subject, text;
    bool remove; /* the one that is there goes, if there is one */
};
/* Into the next batch of ES (stream_append, stream_append_all, notes_commit): a subject once in a
   batch. */
void notes_add(struct engine *engine, struct note *note);
/* After the batch, whether it was stored or not. */
void notes_forget(struct engine *engine);
/* A batch of what was added and nothing else; then notes_forget. As stream_append_all. */
bool notes_commit(struct engine *engine,
                  void (*done)(void *self, const struct streams_error *error), void *self,
                  struct streams_error *e);
/* The diversion's on_batch. */
must_use int notes_on_batch(void *self, struct log_batch *batch);

#endif
