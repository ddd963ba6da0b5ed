/*
 * view_snapshot.h - what a view keeps, in stream SQL_VIEWS, so that a start goes on from there.
 *
 *     _NONET.sqlview.OID.part.SLOT  'h' u32 version | definition | u64 steps | u64 tombstones |
 *                                       tables (view_saved.c) | feeds (feed.h)
 *                                   's' a piece of the executor's state (exec.h) …
 *                                   'r' u64 next id | ( u64 id | u32 length | row ) …
 *                                   't' u64 table | ( u64 id | u32 length | row ) …
 *     _NONET.sqlview.OID.end        u32 version | u64 sequence of its first part | u64 parts |
 *                                   u64 bytes | u64 time | u8 slot
 *
 * All of it is of one moment, between two steps: the place in the streams is noted there and then.
 * The state is taken on a fiber, a piece a turn of the loop; until all of it is, the view's own
 * steps wait (view_hold), while everybody else goes on. Then its rows as they were seen at that
 * moment, a piece a turn, while the view goes on. The end makes it valid; then the one before it
 * is let go. One view is saved at a time.
 *
 * SLOT is 0 or 1: not that of the one which is valid. So what an attempt has left that came to no
 * end is let go when the next one has begun, and SQL_VIEWS has at most two snapshots of a view, and
 * for an instant the rest of such an attempt.
 *
 * WHICH. Views that read streams, however large. What is made of stored tables and of other views
 * alone is in memory when a view over them begins, and computed from that. Of a view that mixes
 * both the snapshot also has the rows of its tables at that moment, and a start makes up the
 * difference to what they are by then (view_saved.c). So that all of it is of one moment it is
 * begun when no transaction is on its way; until its state is taken none sets off, and the views
 * below wait with it.
 *
 * EVENTS. What limits and deletion take away later stays in a view, so also in its snapshot. What
 * was deleted for good does not: where more event streams are than there were when the view was
 * last computed from the log (TOMBSTONES, or fewer), its snapshot goes, and it is computed again.
 * The event store notes what has become of each, in stream ES_NOTES (rooms/events/life.h).
 *
 * WHEN, of a view that has read something since: where a stream is about to let go of what is not
 * saved (feeds_status.hurry), at once; after four times as many bytes of records as it would take,
 * and 16 MiB; or after 10 s, longer if it is large (a second a MB). Never sooner than ten times
 * what the last one took.
 *
 * A snapshot counts where the view has its definition, each stream is the one it was and has not
 * lost its end, and every part is what was written. Else it is told why, and the view is computed
 * from the log.
 */
#ifndef NONET_STREAM_VIEW_SNAPSHOT_H
#define NONET_STREAM_VIEW_SNAPSHOT_H

#include "rooms/stream/inside.h"

#define VIEW_SNAPSHOT_VERSION 4u

/* What a view goes on from. */
struct view_saved {
    uint64_t steps, tombstones;
    slice tables, feeds;
    struct view_pace_saved info;
    /* The next of its parts but the head, with its kind; empty: there are no more. On the fiber on
       which view_start was called: steps aside until it is read. -ENOMEM, -EBADMSG, or -ECANCELED:
       the node stops. */
    int (*next)(void *self, slice *ret_part);
    void *self;
};

/* Once a second or so: one that is due is begun, if none is under way. */
void views_save(struct database *db);
/* The moment that is being copied; UINT64_MAX: none. */
uint64_t views_save_moment(const struct database *db);
/* No transaction sets off: one is to be begun, or taken. */
bool views_save_holds(const struct database *db);
void views_save_go_on(struct database *db); /* those on their way have come to an end */
/* VIEW is about to be stopped. */
void views_save_forget(struct database *db, const struct view *view);
void views_save_close(struct database *db);
/* A view is dropped: what was kept of it goes. */
void view_snapshot_drop(struct database *db, uint32_t oid);

/* Reads the snapshot of TABLE's view. KEEP, once, on a fiber: makes the view go on from SAVED,
   valid within the call (NULL: there is none that counts), without stepping aside but in
   SAVED->next. Then DONE, from the loop: frees it. 0 or -ENOMEM: then neither comes. */
struct view_load;
struct view_load_options {
    struct database *db;
    struct sql_table *table;
    void (*keep)(struct database *db, struct sql_table *table, const struct view_saved *saved);
    void (*done)(struct database *db);
};
must_use int view_load(const struct view_load_options *options, struct view_load **ret);
/* Where KEEP is under way it is told -ECANCELED first. */
struct view_load *view_load_free(struct view_load *l); /* NULL allowed, returns NULL */

#endif
