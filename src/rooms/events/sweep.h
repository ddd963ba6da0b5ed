/*
 * sweep.h - takes out of the log what is gone of event streams (life.h), while the node serves.
 *
 *     life changed, event appended, start --> DUE (by time) --> some event streams at a time:
 *         find the oldest that are there --> delete up to EVENT_SPAN of them, and say so in the
 *         life: one commit --> ... --> nothing left, or not before a time
 *
 * The oldest go first, so that what is there is always found, and `swept` in the life always tells
 * where to go on: after a kill -9 as well. Space comes back as of every stream of the log, when
 * less than half of a segment is alive.
 *
 * MARKS. After a start no event stream is looked at but those with a mark: notes with the numbers
 * from `low` to `high`, each naming an event stream; the note _NONET.es.sweep says which numbers:
 *
 *     {"low":3,"high":17,"removed":12000}      removed: records of ES, by the sweep
 *
 * BOUNDS. SWEEP_WORKS event streams at a time; of each 256 records are looked at a turn, EVENT_SPAN
 * deleted in a commit.
 * SWEEP_DUE_MAX event streams in the queue; those beyond it are found by their marks, when there is
 * room. While events are verified, nothing is taken out.
 */
#ifndef NONET_EVENTS_SWEEP_H
#define NONET_EVENTS_SWEEP_H

#include "base/metrics.h"
#include "rooms/events/heads.h"
#include "rooms/events/notes.h"

#define SWEEP_SUBJECT NOTES_PREFIX "sweep"
#define SWEEP_DUE_MAX 1000000u
#define SWEEP_WORKS 16u

must_use int sweep_open(struct engine *engine);
/* What is being committed ends by itself. */
void sweep_close(struct engine *engine);
/* ES, or its companion, is another one. */
void sweep_forget(struct engine *engine);
/* With the engine, after sweep_close. */
void sweep_free(struct engine *engine);
/* Where it is counted; without it, nowhere. */
void sweep_count(struct engine *engine, struct metrics *metrics, struct metrics_shard *shard);

/* Before a life is changed: 0; -EINPROGRESS: what the sweep knows is being read, the pump runs when
   it is; -EBADMSG: it cannot be. */
must_use int sweep_ready(struct engine *engine);
/* The event stream SUBJECT has something to be taken out at TIME_NS (wall clock). */
void sweep_later(struct engine *engine, slice subject, int64_t time_ns);
/* HEAD, which has a life, has more events. */
void sweep_appended(struct head *head);

/* While it is paused nothing is taken out, once what is on its way has ended: sweep_idle. Counted.
 */
void sweep_pause(struct engine *engine);
bool sweep_idle(const struct engine *engine);
void sweep_resume(struct engine *engine);
/* Records that were taken out, since there is an ES. */
uint64_t sweep_removed(const struct engine *engine);

/* life_notes.c: the note as it will be with REMOVED more; a mark's subject; a new one. */
must_use int sweep_write(const struct engine *engine, uint64_t removed, struct buf *out);
must_use int sweep_write_mark(uint64_t mark, struct buf *out);
uint64_t sweep_take_mark(struct engine *engine);
/* Reads the note: "removed". 0 or -EBADMSG. */
must_use int sweep_read_removed(slice text, uint64_t *ret_removed);
/* sweep_stream.c: it can go on with others; COUNT records are on their way out. */
void sweep_wake(struct engine *engine);
void sweep_note_removed(struct engine *engine, uint64_t count);
/* The diversion's on_batch, behind the notes: the deletions. */
must_use int sweep_on_batch(struct engine *engine, struct log_batch *batch);

#endif
