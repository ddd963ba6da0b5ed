/*
 * view.h - a materialized view: its plan at work, its rows, and where in its inputs it is.
 *
 *   tables over streams ── feed (ledger_read, decode) ──┐
 *   stored tables ──────── commits, as they happen ─────┤  EXECUTOR -> changes -> RELATION
 *   other views ────────── their changes ───────────────┘      (step by step)     -> views above
 *
 * A step takes what has come of all inputs, ends (sql_exec_end_step), and its changes become one
 * commit of the view's relation: readers see whole steps. A new view first reads its inputs from
 * their beginning (backfill), and is readable all the while, with its lag told. After a restart it
 * goes on from what was saved of it (view_snapshot.h), or is computed again from the log, from the
 * beginning, by the same inputs in the same order.
 *
 * A record that does not fit its table is counted and passed over; an error while computing
 * (division by zero in one row, 53200 at the memory bound) stops the view where it is: it keeps its
 * rows, says what is wrong (`nonet_views`), and does not go on silently wrong.
 */
#ifndef NONET_STREAM_VIEW_H
#define NONET_STREAM_VIEW_H

#include "rooms/stream/feed.h"
#include "sql/bind/bind.h"
#include "sql/exec/exec.h"
#include "sql/store/relation.h"

struct database;
struct view;

enum view_state { VIEW_BACKFILL, VIEW_LIVE, VIEW_FAILED };

struct view_status {
    enum view_state state;
    uint64_t rows, state_bytes, bytes, steps, late_rows, bad_records;
    uint64_t position; /* of the log up to which its streams are in */
    uint64_t lag;      /* records of its streams that are not */
    uint64_t read;     /* bytes of records, and: is it time to save it? feeds_status */
    bool hurry;
    struct sql_error error; /* of VIEW_FAILED */
};

/* Starts TABLE's view: TABLE is in the catalog, QUERY is its plan and lives in MEMORY, which
   becomes the view's. It goes on from what was SAVED of it, where that is of this plan and whole
   (else that is told in the log); NULL: it begins with what is there. 0, or an error. One of
   computing, in what is there already, is none here: the view is there, and has failed. */
struct view_saved;
must_use int view_start(struct database *db, struct sql_table *table, const struct sql_query *query,
                        const struct view_saved *saved, struct arena *take_memory,
                        struct view **ret, struct sql_error *error);
/* The tables that V reads beside its streams, each once: stored ones and other views. So many there
   are; VIEW_TABLES_MAX at most are given. */
#define VIEW_TABLES_MAX 64u
unsigned view_tables(const struct view *v, struct sql_table **ret);
/* Appends how far V is to HEAD: between steps. -EOPNOTSUPP: it reads no streams, or more tables
   than VIEW_TABLES_MAX. */
must_use int view_save_head(struct view *v, struct buf *head);
/* Gives its executor's state to PIECE, as sql_exec_save, which asks GO_ON; on a fiber, between
   view_hold's. */
must_use int view_save(struct view *v, sql_exec_piece *piece,
                       int (*go_on)(void *self, struct sql_error *error), void *self,
                       struct sql_error *error);
/* Neither V nor a view below takes a step because of streams while it is held; what comes meanwhile
   waits. Transactions are views_save_holds's. */
void view_hold(struct view *v, bool held);
void view_kept(struct view *v); /* what view_save gave last is on disk */
/* view_snapshot.c's, of V. */
struct view_pace_saved {
    int64_t wall_ns; /* of the moment that is saved */
    uint64_t bytes;
    unsigned slot;
    bool is; /* there is one */
};
struct view_pace {
    bool never;
    uint64_t tried_ns, rest_ns; /* when it was saved, or began; how long it is not again */
    uint64_t read;              /* view_status.read then */
    struct view_pace_saved saved;
};
struct view_pace *view_pace(struct view *v);
struct view *view_stop(struct view *v);
/* A view without name and rows, for one who listens to its changes: a SUBSCRIBE. It is no view of
   the database's list: the listener hands it what its inputs become, by view_input and view_step.
 */
struct view_listener {
    uint64_t memory_max; /* bytes of its operators */
    const struct sql_settings *settings;
    const union sql_cell *parameters; /* as of sql_exec_options, and lives as long */
    const uint8_t *parameter_nulls;
    /* Rows that change, all columns of the plan; first, within view_listen, those that are there.
       Non-zero: the view fails with *ERROR. */
    int (*changes)(void *self, const struct sql_batch *batch, struct sql_error *error);
    int (*go_on)(void *self, struct sql_error *error); /* of sql_exec_options */
    /* Nothing more comes. The view is not stopped from inside. */
    void (*failed)(void *self, const struct sql_error *why);
    void *self;
};
/* QUERY and what LISTENER points to outlive the view. No transaction may be on its way to the disk
   (db->flight), so that what is there belongs together. */
must_use int view_listen(struct database *db, const struct sql_query *query,
                         const struct view_listener *listener, struct view **ret,
                         struct sql_error *error);
bool view_reads(const struct view *v, const struct sql_table *table);
/* Why V, or a view that it reads, has failed; NULL: none has. */
const struct sql_error *view_failure(const struct view *v);
/* The log's position that is in, of its streams and of its inputs' own. */
uint64_t view_position(const struct view *v);
/* TABLE stands in the place of the view's table from now on. */
void view_move(struct view *v, struct sql_table *table);
struct sql_table *view_table(const struct view *v);
struct relation *view_relation(const struct view *v);
struct view_status view_status(const struct view *v);
/* TABLE (stored, or a view) has changed by BATCH at moment COMMIT: takes it as input. Then, once
   for all that changed in this commit, view_step. False: V does not read TABLE. */
bool view_input(struct view *v, const struct sql_table *table, const struct sql_batch *batch);
void view_step(struct view *v, uint64_t commit);
/* DONE when all that the log has now of the view's streams is in it (FLUSH); with the view's error
   if it has failed. From inside only to say that there is no memory. */
void view_wait(struct view *v, void (*done)(void *self, const struct sql_error *failed),
               void *self);
/* feeds_reached of the view's streams, not of those of views below it: 1; 0: not yet, and
   database_show comes when it may have got further; < 0: it has stopped, so says ERROR. */
int view_reached(struct view *v, const struct positions *positions, uint64_t since_ns,
                 struct feeds_lack *ret_lack, struct sql_error *error);

#endif
