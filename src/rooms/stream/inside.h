/*
 * inside.h - the database from within, for the files of this folder that make it up.
 *
 * MOMENTS. db->commit counts changes of anything; db->visible is what readers see (the newest
 * moment whose changes are on disk). At most one group of transactions is on its way to the disk;
 * until it is there `visible` rests, also for views that go on meanwhile. So whatever a reader sees
 * at a moment belongs together, and nothing seen is lost.
 *
 *   COMMITs wait in db->queue -> judged and put into the tables, one after another -> ledger_commit
 *        ^                                                                               |
 *        '---- next group <- views take the changes, visible = commit, sessions told <---'
 */
#ifndef NONET_STREAM_INSIDE_H
#define NONET_STREAM_INSIDE_H

#include "base/list.h"
#include "base/map64.h"
#include "io/fiber.h"
#include "rooms/stream/database.h"
#include "rooms/stream/view.h"
#include "sql/store/relation.h"
#include "sql/time/zone.h"

#define DATABASE_STACK_BYTES ((size_t)8 << 20)           /* of a query; a thread's usual one */
#define DATABASE_STATEMENT_BYTES_MAX ((size_t)256 << 20) /* memory of one prepared statement */

struct transaction;
struct asides;
struct database_checkpoint;
struct changelog;
struct saving;

/* Rows of one stored table; sql_table.host. */
struct stored {
    struct sql_table *table; /* in whose memory this lies */
    struct relation *rows;   /* NULL: the table was dropped, or another version is in its place */
    int64_t next_identity;
    uint64_t position;                /* of the log: the commit that changed it last */
    const struct transaction *holder; /* definer.h: others wait at their COMMIT; NULL: nobody */
};

/* Of the event store, as of this start (view_load.c): so many event streams were deleted for good.
 */
struct tombstones {
    bool read; /* else the count is not known, and 0 */
    uint64_t count;
};

struct database_limits {
    uint64_t run_bytes;   /* memory of one statement's operators, and again of its rows */
    uint64_t view_bytes;  /* of one view's operators, and again of its rows */
    uint64_t table_bytes; /* of one stored table's rows */
    uint64_t told_bytes;  /* of changes that wait for one subscriber */
};

struct database {
    struct room_node *node;
    struct io_loop *loop;
    struct logger *logger;
    struct bus *bus;
    struct ledger *ledger;
    struct asides *asides;
    struct sql_catalog *catalog;
    struct sql_zones *zones;
    bool zones_loaded;
    struct database_limits limits;
    uint64_t commit, visible;
    struct list sessions, runs;
    struct list watching; /* runs that wait for another moment to be seen */
    unsigned run_count;
    struct list queue;  /* struct commit, waiting for the group before */
    struct list flight; /* those of the group on its way */
    struct ledger_commit *sending;
    struct list views;         /* struct kept, in the order of their creation */
    struct list subscriptions; /* subscribe.c */
    struct io_task pump;
    struct io_timer vacuum_timer, look_timer; /* look: for who listens to changelogs */
    bool ready, closed, draining;
    struct error failed; /* recovery's: every statement is told */
    struct ledger_read *recovery;
    uint64_t recovered;      /* position of the last record that was read back */
    uint64_t recovered_from; /* recover.c: the sequence of the checkpoint; 0: the first message */
    struct database_checkpoint *checkpoint;
    struct saving *saving;     /* view_snapshot.c: the view that is being saved; NULL: none */
    unsigned kept;             /* recover.c: so many tables have been looked at for views */
    struct view_load *loading; /* recover.c: what the next view goes on from */
    struct tombstones tombstones;
    struct io_timer save_timer;
    struct list waiting;               /* struct waiter of database.c */
    const struct transaction *definer; /* who may define; definer.h */
    struct defining *defining;         /* waits for those on their way to the disk; define_run.c */
    struct sql_table **dropped;        /* kept while statements may name them */
    unsigned dropped_count, statement_count;
    struct sql_settings settings; /* of recovery and of views */
    struct io_timer runs_timer;
    struct io_fiber_stacks stacks; /* of queries */
    uint64_t round;
    struct io_task runs_task;
};

/* A view that is kept up to date, as the database knows it. */
struct kept {
    struct list_node node;
    struct view *view;
    struct sql_table *table;
    struct changelog *changelog; /* NULL: no memory */
    bool touched;                /* has input of the commit under way */
};

/* database.c */
slice table_option(const struct sql_table *table, const char *name); /* empty: not given */
struct stored *stored_of(const struct sql_table *table);
struct relation *relation_of(const struct sql_table *table); /* stored or view; else NULL */
/* TABLE's rows have changed by BATCH: views that read it take note. Then, once, database_step. */
void database_changed(struct database *db, const struct sql_table *table,
                      const struct sql_batch *batch);
void database_step(struct database *db);
/* A new moment for changes; seen by readers after database_show. */
uint64_t database_moment(struct database *db);
void database_show(struct database *db);
void database_fatal(struct database *db, const struct error *why);

/* run.c: readers see another moment; RUN is stepped whenever they do, from now on or no more. */
void runs_shown(struct database *db);
void run_watch(struct database_run *run, bool watches);

/* definition.c: what a definition makes of the catalog and of its rows; also at recovery. */
struct definer;
must_use int database_define(struct definer *d, const struct sql_statement *s, slice text,
                             struct sql_error *error); /* text: s as it was written */
/* T, a stored one, gets its rows: none yet. */
must_use int database_host_rows(struct database *db, struct sql_table *t);
/* Room for rows of T, with its indexes. *RET is NULL before, and where this fails. */
must_use int relation_for(struct database *db, const struct sql_table *t, struct relation **ret);
must_use int database_judge(struct definer *d, const struct sql_statement *s,
                            struct sql_error *error);
/* Starts a view of the catalog, from what was SAVED of it (NULL: nothing). */
must_use int database_keep(struct database *db, struct sql_table *table,
                           const struct view_saved *saved, struct sql_error *error);
void database_unkeep(struct database *db, struct kept *k); /* it was dropped */
/* define_run.c: the transactions on their way have come to an end; the definition may go on. */
void definition_go_on(struct database *db);
void definitions_go_on(struct database *db); /* another may define */
/* commit.c: transactions may set off again, where something held them up. */
void commits_go_on(struct database *db);
/* recover.c */
must_use int database_recover(struct database *db);
void database_opened(struct database *db, const struct error *failed); /* failed NULL: ready */

#endif
