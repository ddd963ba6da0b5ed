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
#include "rooms/stream/database.h"
#include "rooms/stream/view.h"
#include "sql/store/relation.h"
#include "sql/time/zone.h"

#define DATABASE_STATEMENT_BYTES_MAX ((size_t)256 << 20) /* memory of one prepared statement */
#define DATABASE_SLICE_NS 2000000u                       /* a run's piece of a turn */

struct transaction;

/* Rows of one stored table; sql_table.host. */
struct stored {
    struct sql_table *table; /* in whose memory this lies */
    struct relation *rows;   /* NULL: the table was dropped */
    int64_t next_identity;
    uint64_t generation; /* another after each ALTER: who has begun on the old form gives up */
};

struct database_limits {
    uint64_t run_bytes;   /* memory of one statement's operators, and again of its rows */
    uint64_t view_bytes;  /* of one view's operators, and again of its rows */
    uint64_t table_bytes; /* of one stored table's rows */
};

struct database {
    struct room_node *node;
    struct io_loop *loop;
    struct logger *logger;
    struct ledger *ledger;
    struct sql_catalog *catalog;
    struct sql_zones *zones;
    struct database_limits limits;
    uint64_t commit, visible;
    struct list sessions, runs;
    unsigned run_count;
    struct list queue;  /* struct commit, waiting for the group before */
    struct list flight; /* those of the group on its way */
    struct ledger_commit *sending;
    struct list views; /* struct kept, in the order of their creation */
    struct io_task pump, vacuum;
    struct io_timer vacuum_timer;
    bool ready, closed;
    struct error failed; /* recovery's: every statement is told */
    struct ledger_read *recovery;
    struct list waiting;           /* struct waiter of database.c */
    struct database_run *defining; /* one definition at a time */
    struct sql_table **dropped;    /* kept while statements may name them */
    unsigned dropped_count, statement_count;
    struct sql_settings settings; /* of recovery and of views */
    struct io_timer runs_timer;
    uint64_t round;
    struct io_task runs_task;
};

/* A view that is kept up to date, as the database knows it. */
struct kept {
    struct list_node node;
    struct view *view;
    struct sql_table *table;
    bool touched; /* has input of the commit under way */
};

enum { SETTING_COUNT_MAX = 40 };

struct database_session {
    struct list_node node;
    struct database *db;
    struct database_session_options options;
    struct sql_settings settings;
    struct sql_zone zone_room;
    char *values[SETTING_COUNT_MAX]; /* NULL: the default; settings.c */
    char *saved[SETTING_COUNT_MAX];  /* what SET LOCAL has covered */
    char *user, *application;
    struct transaction *transaction; /* NULL: none */
    bool block, failed;              /* BEGIN was said; a statement of the block has failed */
    bool implicit;                   /* database_implicit_begin: COMMIT comes at its end */
    void (*implicit_done)(void *owner, const struct sql_error *error);
    void *implicit_owner;
    struct commit *implicit_commit;
    struct list cursors, prepared; /* cursor.c */
};

struct database_statement {
    struct database_session *session;
    struct sql_parse *parse;
    unsigned index;
    struct sql_type *declared;
    unsigned declared_count;
    struct arena memory;
    struct sql_statement bound;
    bool inner;       /* it is what the text's PREPARE prepares */
    uint64_t version; /* of the catalog it was bound with */
    unsigned references;
    unsigned columns; /* of its answer */
    struct sql_plan_column *column;
};

/* What a step of a run comes to. */
enum run_next { RUN_AGAIN, RUN_WAIT, RUN_DONE };

struct database_run {
    struct list_node node;
    struct database *db;
    struct database_session *session;
    struct database_statement *statement;
    struct database_sink sink;
    struct arena memory;
    union sql_cell *parameters;
    uint8_t *nulls;
    /* RUN_AGAIN: once more, next turn. RUN_WAIT: run_wake will be called. RUN_DONE: `tag` says what
       was done. < 0: `error` says why not. */
    int (*step)(struct database_run *run);
    void (*close)(struct database_run *run); /* frees `work` */
    void *work;
    bool runnable, paused, ending, defines;
    uint64_t round; /* the last one it was stepped in */
    struct commit *commit;
    struct io_timer deadline;
    uint64_t given; /* FETCH */
    bool committed;
    char tag[80];
    struct sql_error error;
};

/* database.c */
void run_wake(struct database_run *run);
/* Rows to the sink. False: it is full, and `paused` is set until database_run_resume. */
bool run_rows(struct database_run *run, const struct sql_batch *batch);
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

/* run.c: chooses what RUN does, by its statement's kind. 0, or run->error. */
must_use int run_begin(struct database_run *run);
void runs_close(struct database *db);

/* statement.c */
must_use int statement_bind(struct database_statement *s, struct sql_error *error);
/* The statement within STATEMENT's (PREPARE's), with its own memory. */
struct database_statement *statement_inner(struct database_statement *statement,
                                           struct sql_error *error);

/* Each kind's beginning: sets run->step. 0, or run->error. */
must_use int select_start(struct database_run *run); /* select.c: SELECT, COPY TO, EXPLAIN, SHOW */
must_use int
change_start(struct database_run *run); /* change.c: INSERT, UPDATE, DELETE, COPY FROM */
must_use int truncate_start(struct database_run *run);
must_use int utility_start(struct database_run *run);                      /* utility.c */
must_use int define_start(struct database_run *run);                       /* define_run.c */
void definition_over(struct database *db, const struct database_run *run); /* the next may */

/* definition.c: what a definition makes of the catalog and of its rows; also at recovery. */
must_use int database_define(struct database *db, const struct sql_statement *s,
                             struct sql_error *error);
must_use int database_judge(struct database *db, const struct sql_statement *s,
                            struct sql_error *error);
/* Starts a view of the catalog. */
must_use int database_keep(struct database *db, struct sql_table *table, struct sql_error *error);
/* recover.c */
must_use int database_recover(struct database *db);
void database_opened(struct database *db, const struct error *failed); /* failed NULL: ready */

/* cursor.c */
must_use int cursor_declare(struct database_run *run);
must_use int cursor_fetch(struct database_run *run);
int cursor_close(struct database_session *s, slice name); /* ptr NULL: all. -ENOENT */
void cursor_end_transaction(struct database_session *s);  /* those not WITH HOLD */
const struct database_statement *cursor_statement(struct database_session *s, slice name);
must_use int prepared_add(struct database_session *s, slice name, struct database_statement *take,
                          struct sql_error *error);
struct database_statement *prepared_find(struct database_session *s, slice name);
int prepared_drop(struct database_session *s, slice name); /* ptr NULL: all. -ENOENT */

/* system.c: the tables of pg_catalog and information_schema. */
must_use int database_system_define(struct database *db);
/* Each row of a system table, all its columns. EACH's texts are MEMORY's. */
must_use int
database_system_rows(struct database_run *run, const struct sql_table *table, struct arena *memory,
                     int (*each)(void *self, const union sql_cell *cells, const uint8_t *nulls),
                     void *self);

/* settings.c */
must_use int settings_set(struct database_session *s, slice name, slice value, bool is_default,
                          bool local, struct sql_error *error);
void settings_reset_all(struct database_session *s);
void settings_end_transaction(struct database_session *s, bool committed);
void settings_init(struct database_session *s);
void settings_free(struct database_session *s);
slice settings_get(const struct database_session *s, slice name); /* ptr NULL: unknown */
/* Each in turn, for SHOW ALL and pg_settings; NULL past the last. */
const char *settings_name(unsigned index);

#endif
