/*
 * database.h - the node's one database as sessions see it: statements in, rows and changes out.
 *
 *   listener ─ session (pgwire) ─┐                    ┌─ stored tables   (relation.h, stream SQL)
 *                                ├── DATABASE ────────┼─ tables over streams     (feed.h)
 *   `nonet sql`, HTTP, rooms ────┘    catalog, runs   └─ materialized views      (view.h)
 *
 * All of it lives on one loop. A statement is prepared (parsed, bound, planned) once and run any
 * number of times with other parameters. A run goes forward in bounded pieces, a turn of the loop
 * each, hands its rows to a sink and waits while the sink is full.
 *
 *   prepared --run--> RUNNING --rows--> sink … --> done(tag | error)
 *                        '--- cancel: done(57014) ---'
 *
 * A transaction reads at the moment it began (REPEATABLE READ; outside of a block each statement is
 * one) and keeps its changes to itself as Z-set batches until COMMIT, which makes them durable in
 * one commit of stream SQL and answers only then. Two that change the same row: the first wins, the
 * other gets 40001. READ COMMITTED is accepted as PostgreSQL's default name and each statement of
 * the block then sees what was committed before it.
 *
 * BOUNDS. statement_timeout (default 0: none), DATABASE_RUNS_MAX at once (53300), memory of a run
 * (work_mem of section `sql`), sink's own.
 */
#ifndef NONET_STREAM_DATABASE_H
#define NONET_STREAM_DATABASE_H

#include "bus/room.h"
#include "sql/bind/bind.h"

#define DATABASE_RUNS_MAX 1000u
#define DATABASE_PARAMETERS_MAX 65535u

struct database;
struct database_session;
struct database_statement;
struct database_run;

/* --- the whole ------------------------------------------------------------------------------ */

/* Section `sql` of nonet.yaml, as far as it is the database's. */
struct database_options {
    size_t work_mem_bytes;     /* of one run */
    size_t memory_bytes;       /* of all of it */
    size_t subscription_bytes; /* of changes that wait for one subscriber */
};
/* On the loop of SHARD, which its sessions share. What stream SQL holds is read from then on; until
   all of it is there, nobody can be served (57P03). */
must_use int database_open(struct room_shard *shard, const struct database_options *options,
                           struct database **ret, struct error *ret_error);
bool database_is_ready(const struct database *db);
/* After its last session. NULL allowed, returns NULL. */
struct database *database_close(struct database *db);

/* Calls DONE(self) once it is ready (in this call where it is), or cannot be: FAILED says why. */
void database_when_ready(struct database *db, void (*done)(void *self, const struct error *failed),
                         void *self);
void database_when_ready_cancel(struct database *db, void *self);

/* Each SUBSCRIBE ends with 57P01, and none begins any more: the node stops. */
void database_subscriptions_end(struct database *db);

/* --- sessions ------------------------------------------------------------------------------- */

struct database_session_options {
    slice user, application;
    void (*notice)(void *owner, const struct sql_error *notice); /* database_notice_warns? */
    /* A setting the client must hear of has changed (ParameterStatus). */
    void (*parameter)(void *owner, slice name, slice value);
    void *owner;
};
must_use int database_session_new(struct database *db, const struct database_session_options *o,
                                  struct database_session **ret);
/* Is its severity WARNING, or NOTICE? */
bool database_notice_warns(const struct sql_error *notice);
/* Ends its transaction and its runs without further calls. */
struct database_session *database_session_free(struct database_session *s);
/* 'I' idle, 'T' in a transaction, 'E' in a failed one: ReadyForQuery's byte. */
char database_session_state(const struct database_session *s);
/* The statement failed outside of a run (parse, bind, protocol): a block is now failed. */
void database_session_fail(struct database_session *s);
/* Several statements as one transaction without BEGIN: those of one Query, or of the messages up to
   a Sync. Begun where nothing is open; a BEGIN among them makes it a block, a COMMIT or ROLLBACK
   ends it and the next statement begins another (PostgreSQL 15, 55.2.2.1). The end commits what is
   still implicit, rolls it back where FAILED, and does nothing in a block: DONE, once, perhaps from
   inside. */
void database_implicit_begin(struct database_session *s);
void database_implicit_end(struct database_session *s, bool failed,
                           void (*done)(void *owner, const struct sql_error *error), void *owner);
/* How long its client may idle now, by idle_session_timeout or, in a transaction, by
   idle_in_transaction_session_timeout; 0: without end. */
uint64_t database_session_patience_ns(const struct database_session *s);
/* Settings by name ("TimeZone"), NULL text: unknown. SET goes by a statement. */
slice database_session_setting(const struct database_session *s, slice name);
const struct sql_settings *database_session_settings(const struct database_session *s);

/* --- statements ----------------------------------------------------------------------------- */

/* Prepares statement INDEX of PARSE, which the statement holds from now on, too (sql_parse_ref).
   Declared parameter types: oid 0 lets the binder infer. 0, or an error with its position. Made
   anew by itself when the catalog changes. */
must_use int database_prepare(struct database_session *s, struct sql_parse *parse, unsigned index,
                              const struct sql_type *declared, unsigned count,
                              struct database_statement **ret, struct sql_error *error);
struct database_statement *database_statement_free(struct database_statement *s);
/* What it gives: 0 columns and false: no rows (INSERT without RETURNING). */
bool database_statement_gives_rows(const struct database_statement *s);
unsigned database_statement_columns(const struct database_statement *s,
                                    const struct sql_plan_column **ret);
unsigned database_statement_parameters(const struct database_statement *s,
                                       const struct sql_type **ret);
enum sql_statement_kind database_statement_kind(const struct database_statement *s);
const struct sql_statement *database_statement_bound(const struct database_statement *s);

/* --- runs ----------------------------------------------------------------------------------- */

struct database_sink {
    /* Rows of the answer: the first `columns` columns of BATCH. True: go on; false: full, call
       database_run_resume when there is room. */
    bool (*rows)(void *owner, const struct sql_batch *batch);
    /* The end, exactly once, perhaps within database_run or _resume. TAG: "SELECT 3", "INSERT 0 1",
       "BEGIN"; or ERROR (its state set). The run is gone afterwards. */
    void (*done)(void *owner, slice tag, const struct sql_error *error);
    /* COPY FROM STDIN waits for data: call database_run_copy_*. NULL: refused. */
    void (*copy_in)(void *owner);
    void *owner;
};

/* Starts STATEMENT. Parameters are copied. Execute's row limit is the session's: its sink says it
   is full after so many rows, keeps what is over of the batch, and resumes with the next Execute.
 */
must_use int database_run(struct database_session *s, struct database_statement *statement,
                          const union sql_cell *parameters, const uint8_t *nulls,
                          const struct database_sink *sink, struct database_run **ret,
                          struct sql_error *error);
void database_run_resume(struct database_run *r);
/* Ends with 57014 through `done`. */
void database_run_cancel(struct database_run *r);
/* Ends without a further call. */
struct database_run *database_run_free(struct database_run *r);

/* What RUN runs, as long as RUN: its statement as it was bound when RUN began, which may be a copy.
   Pointers into a statement from before that are not to be used any more. */
const struct database_statement *database_run_statement(const struct database_run *run);
/* COPY FROM: rows of the statement's copy_columns, as cells; then the end, or why the client gave
   up. copy: 0, or an error that `done` has been told of. */
must_use int database_run_copy(struct database_run *r, const struct sql_batch *batch);
void database_run_copy_end(struct database_run *r, const struct sql_error *failed);

#endif
