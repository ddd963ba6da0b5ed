/*
 * work.h - sessions, their statements and the runs of these, from within.
 *
 * A run is stepped (run.c) until it is done or fails; what a step does is chosen by the statement's
 * kind. Each kind has a file: select.c, change.c, define_run.c, utility.c, cursor.c. A run's error
 * is filled by whoever returns < 0.
 */
#ifndef NONET_STREAM_WORK_H
#define NONET_STREAM_WORK_H

#include "rooms/stream/inside.h"
#include "rooms/stream/settings.h"
#include "sql/time/zone.h"

#define DATABASE_SLICE_NS 2000000u /* a run's piece of a turn */

struct database_session {
    struct list_node node;
    struct database *db;
    struct database_session_options options;
    struct sql_settings settings;
    struct sql_zone zone_room;
    struct setting_state setting[SETTING_COUNT_MAX];
    struct setting_undo *setting_undo;    /* what the transaction has changed */
    unsigned setting_undos, setting_mark; /* mark: of the newest savepoint */
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
    struct list_node node, watch; /* of db->runs; of db->watching, where it `watches` */
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
    bool runnable, paused, ending, defines, watches, reached; /* reached: reach.h; need not wait */
    uint64_t round;                                           /* the last one it was stepped in */
    uint64_t moment; /* at which its query reads; UINT64_MAX: none does */
    struct commit *commit;
    struct io_timer deadline;
    uint64_t given; /* FETCH */
    bool committed;
    char tag[80];
    struct sql_error error;
};

/* database.c: to the client, unless its client_min_messages says no. */
void session_notice(const struct database_session *s, const struct sql_error *notice);

/* run.c */
void run_wake(struct database_run *run);
/* Rows to the sink. False: it is full, and `paused` is set until database_run_resume. */
bool run_rows(struct database_run *run, const struct sql_batch *batch);
/* run.c: chooses what RUN does, by its statement's kind. 0, or run->error. */
must_use int run_begin(struct database_run *run);
void runs_close(struct database *db);
void runs_end_transaction(const struct database_session *s); /* its portals */

/* definer.c: the catalog by which S's statements are bound. */
struct sql_catalog *session_catalog(const struct database_session *s);

/* statement.c */
int statement_fail_aborted(struct sql_error *error); /* 25P02 */
must_use int statement_bind(struct database_statement *s, struct sql_error *error);
/* S, bound to the catalog as it is and with a reference more; where somebody but those with HELD
   references works by its old plan: another of the same text. NULL: ERROR. */
struct database_statement *statement_take(struct database_statement *s, unsigned held,
                                          struct sql_error *error);
/* 0A000 unless S answers with columns of the types of these, which the client was told of. */
must_use int statement_keeps_columns(const struct database_statement *s,
                                     const struct sql_plan_column *told, unsigned count,
                                     struct sql_error *error);
/* The statement within STATEMENT's (PREPARE's), with its own memory. */
struct database_statement *statement_inner(struct database_statement *statement,
                                           struct sql_error *error);

/* Each kind's beginning: sets run->step. 0, or run->error. */
must_use int select_start(struct database_run *run); /* select.c: SELECT, COPY TO, EXPLAIN, SHOW */
must_use int
change_start(struct database_run *run); /* change.c: INSERT, UPDATE, DELETE, COPY FROM */
must_use int truncate_start(struct database_run *run);
must_use int utility_start(struct database_run *run); /* utility.c */
must_use int define_start(struct database_run *run);  /* define_run.c */

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

/* system.c: the tables of pg_catalog and information_schema; what functions ask of a session. */
slice system_setting(void *session, slice name);
int64_t system_relation_bytes(void *session, uint32_t oid);
must_use int database_system_define(struct database *db);
/* Each row of a system table, all its columns. EACH's texts are MEMORY's. */
must_use int
database_system_rows(struct database_run *run, const struct sql_table *table, struct arena *memory,
                     int (*each)(void *self, const union sql_cell *cells, const uint8_t *nulls),
                     void *self);

#endif
