/*
 * view_snapshot.h - what a view keeps, in stream SQL_VIEWS, so that a start goes on from there.
 *
 *     _NONET.sqlview.OID.part    'h' u32 version | definition | u64 steps | feeds (feed.h)
 *                                's' a piece of the executor's state (exec.h) …
 *                                'r' u64 next id | ( u64 id | u32 length | row ) …
 *     _NONET.sqlview.OID.end     u32 version | u64 sequence of its first part | u64 parts
 *
 * All of it is of one moment, between two steps: the state and the place in the streams are copied
 * there and then, the rows as they were seen then, a piece a turn, while the view goes on. The end
 * makes it valid; then the one before it is let go. One view is saved at a time.
 *
 * WHICH. Views that read streams only. What is made of stored tables and of other views is in
 * memory when a view over them begins, and computed from that; one that mixes both is computed
 * again from the log, as is one that is larger than VIEW_SNAPSHOT_BYTES_MAX, or reads `events`,
 * where what was erased must not stay.
 *
 * WHEN, of a view that has read something since: where a stream is about to let go of what is not
 * saved (feeds_status.hurry), at once; after four times as many bytes of records as it would take,
 * and 16 MiB; or after 10 s, longer if it is large. Never sooner than ten times what the last
 * one took.
 *
 * A snapshot counts where the view has its definition, each stream is the one it was and has not
 * lost its end, and every part is what was written. Else it is told why, and the view is computed
 * from the log.
 */
#ifndef NONET_STREAM_VIEW_SNAPSHOT_H
#define NONET_STREAM_VIEW_SNAPSHOT_H

#include "rooms/stream/inside.h"

#define VIEW_SNAPSHOT_VERSION 1u
#define VIEW_SNAPSHOT_BYTES_MAX ((uint64_t)256 << 20) /* of state and rows */

/* What a view goes on from. */
struct view_saved {
    uint64_t steps;
    slice feeds;
    slice *part; /* with their kinds */
    size_t parts;
};

/* Once a second or so: one that is due is begun, if none is under way. */
void views_save(struct database *db);
/* The moment that is being copied; UINT64_MAX: none. */
uint64_t views_save_moment(const struct database *db);
/* VIEW is about to be stopped. */
void views_save_forget(struct database *db, const struct view *view);
void views_save_close(struct database *db);
/* A view is dropped: what was kept of it goes. */
void view_snapshot_drop(struct database *db, uint32_t oid);

/* The snapshot of TABLE's view. DONE, once, never from inside: SAVED, valid within the call, or
   NULL: there is none that counts. 0 or -ENOMEM: then DONE does not come. */
struct view_load;
must_use int view_load(struct database *db, const struct sql_table *table,
                       void (*done)(void *self, const struct view_saved *saved), void *self,
                       struct view_load **ret);
struct view_load *view_load_free(struct view_load *l); /* NULL allowed, returns NULL */

#endif
