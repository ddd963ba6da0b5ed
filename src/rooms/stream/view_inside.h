/*
 * view_inside.h - a view from within, for the files that make it up: view.c (its life and steps)
 * and view_saved.c (what of it is saved, and how it goes on from there).
 *
 * Its state lies in `exec`, its rows in `rows`, and the place of both in `feeds`: between two steps
 * (`moment` is 0) the three belong together, and only then is any of them saved.
 */
#ifndef NONET_STREAM_VIEW_INSIDE_H
#define NONET_STREAM_VIEW_INSIDE_H

#include "rooms/stream/inside.h"
#include "rooms/stream/view_snapshot.h"

/* What the columns of an input must equal: scan->lookups of them. */
struct lookup {
    union sql_cell *cells;
    uint8_t *nulls;
};

struct view {
    struct database *db;
    struct sql_table *table;
    struct sql_query query;
    struct arena memory; /* of the plan */
    struct sql_settings settings;
    struct view_listener listener; /* `changes` NULL: none; else there are no table and no rows */
    struct relation *rows;
    struct sql_exec *exec;
    struct feeds *feeds; /* NULL: it reads no streams, or has failed */
    struct feeds_status fed;
    uint64_t moment; /* of the step under way; 0: it has changed nothing yet */
    uint64_t first;  /* the first row that this step has added */
    uint64_t steps;
    uint64_t tombstones;    /* view_saved.tombstones */
    uint64_t busy_since_ns; /* the step under way; 0: none, or it has just begun */
    bool failed, beginning;
    struct sql_table **tables; /* held, by input: others may stand in the catalog by now */
    struct lookup *lookup;     /* by input */
    struct sql_error error;
    struct list waits;
    struct view_pace pace;
    int (*saving_go_on)(void *self, struct sql_error *error); /* within view_save */
    void *saving;
    struct io_timer clock; /* rows come or go by the time */
};

/* view.c: its rows, its executor, its look-ups; and all of that gone again. */
must_use int view_make(struct view *v, struct sql_error *error);
void view_unmake(struct view *v);
/* Its streams, from where SAVED says (feeds_save); empty: from the beginning. */
must_use int view_open_feeds(struct view *v, slice saved, struct sql_error *error);
/* BATCH, all columns of input INPUT's table, into the executor. */
must_use int view_push_rows(struct view *v, unsigned input, const struct sql_batch *batch,
                            struct sql_error *error);

/* view_saved.c: V goes on from SAVED: 0; 1: it cannot, the log says why, and nothing is made; < 0:
   the node stops. */
must_use int view_go_on(struct view *v, const struct view_saved *saved, struct sql_error *error);

#endif
