/*
 * transaction.h - what a transaction has changed and nobody else sees yet.
 *
 *   per table:  added     rows of its own (a relation), named to UPDATE and DELETE by -id
 *               deleted   ids of rows of the table that it has taken away
 *
 * Its own statements read the table at its snapshot without `deleted`, and `added` beside it. Each
 * change is noted in an undo list, so that ROLLBACK TO takes back exactly what came since.
 */
#ifndef NONET_STREAM_TRANSACTION_H
#define NONET_STREAM_TRANSACTION_H

#include "rooms/stream/definer.h"
#include "rooms/stream/work.h"

#define TRANSACTION_ROWS_MAX (64u << 20)
#define TRANSACTION_SAVEPOINTS_MAX 1000u

struct change {
    struct list_node node;
    struct stored *stored;
    struct relation *added;
    struct map64 deleted;        /* id -> itself */
    uint64_t placed, placed_end; /* commit.c: the ids its rows have got in the table */
    /* So much of what others do to the table has been compared with this (transaction_judge). */
    uint64_t judged_taken, judged_id;
    /* Another version stands in the table's place, which has these rows; `gone`: or none does. */
    bool folded, gone;
};

struct undo {
    struct change *change; /* id 0: it was folded */
    int64_t id;            /* > 0: deleted from the table; < 0: -id was added */
    bool own;              /* < 0: instead, an added row was taken away */
};

struct savepoint {
    char name[SQL_NAME_BYTES_MAX + 1];
    size_t undo;
    unsigned settings; /* settings_savepoint's mark */
    bool read_only;
    struct sql_catalog *catalog; /* the transaction's; NULL: nothing was defined */
    size_t log;                  /* of what was defined: so much of each */
    unsigned made, notes;
};

struct transaction {
    struct database *db;
    struct list changes;
    uint64_t snapshot; /* of the statement, or (repeatable) of the first that reads or changes */
    bool repeatable, read_only;
    bool used; /* a statement has read by the snapshot */
    struct undo *undo;
    size_t undo_count, undo_room;
    struct savepoint *savepoints;
    unsigned savepoint_count;
    struct definitions *definitions; /* NULL: none so far */
    uint64_t patience_ns;            /* lock_timeout, when it commits; 0: without end */
};

must_use struct transaction *transaction_new(struct database *db);
struct transaction *transaction_free(struct transaction *t);
/* A statement begins: what it sees is decided. */
void transaction_see(struct transaction *t);
/* Where a statement sees what others have committed since the one before: has one of them changed a
   row that T has changed, or brought one with the key of a row of T? Both would be seen, so then
   40001, long before COMMIT says it. Costs as much as others have changed since, or as T has in
   all, whichever is less. */
must_use int transaction_judge(struct transaction *t, struct sql_error *error);
/* Will it see nothing newer than what it has seen? */
bool transaction_is_fixed(const struct transaction *t);
/* Is TABLE what C changes, and none that came in its place? */
bool change_fits(const struct change *c, const struct sql_table *table);
/* Are the rows that C takes away still there? 0, or 40001. */
must_use int change_judge(const struct change *c, struct sql_error *error);
int fail_changed_table(const struct sql_table *table, struct sql_error *error); /* 40001 */
int fail_changed_row(struct sql_error *error);                                  /* 40001 */
/* NULL: no change of TABLE so far, in whichever version. */
struct change *transaction_find(const struct transaction *t, const struct sql_table *table);
bool transaction_has_changes(const struct transaction *t);
/* Rows of all of TABLE's columns come. Judged: NOT NULL is the caller's; unique indexes here
   (23505). */
must_use int transaction_insert(struct transaction *t, struct stored *stored,
                                const struct sql_batch *batch, struct sql_error *error);
/* The row that UPDATE or DELETE names. 0, 1 (this transaction has taken it away already), or 40001
   where another has since. */
must_use int transaction_delete(struct transaction *t, struct stored *stored, int64_t id,
                                struct sql_error *error);
/* The row that is in the way of row ROW of BATCH in index OID (0: any unique one): its name, 0:
   none. */
int64_t transaction_conflict(struct transaction *t, struct stored *stored,
                             const struct sql_batch *batch, unsigned row, uint32_t index);
/* C's table has given way to a version whose rows are (GONE: or are not any more) in ROWS. */
must_use int transaction_fold(struct transaction *t, struct change *c, bool gone);
/* Row ID (as UPDATE names it) into B. */
must_use int transaction_read(struct transaction *t, struct stored *stored, int64_t id,
                              const unsigned *which, unsigned count, struct sql_builder *b);
void transaction_undo(struct transaction *t, size_t to);
must_use int transaction_savepoint(struct transaction *t, slice name, struct sql_error *error);
must_use int transaction_rollback_to(struct transaction *t, slice name, bool release,
                                     struct sql_error *error);
unsigned transaction_mark(const struct transaction *t); /* the newest savepoint's `settings`; 0 */

/* Its end. DONE, once, never from inside: ERROR NULL when all of it is on disk and seen by all.
   Takes T. */
struct commit;
must_use int transaction_commit(struct transaction *take_t,
                                void (*done)(void *self, const struct sql_error *error), void *self,
                                struct commit **ret);
/* DONE is not called any more; it may still be committed. */
void commit_forget(struct commit *c);
/* Where it still waits it ends with WHY; what is on its way to the disk goes on. */
void commit_cancel(struct commit *c, const struct sql_error *why);
/* Rows C has added go into ROWS, in their order, and into ENTRIES, with what C has taken away. 0,
   relation_apply's errors, -EMSGSIZE, -EFBIG. */
must_use int commit_put_rows(const struct change *c, struct relation *rows, uint64_t moment,
                             struct entries *entries, struct relation_conflict *conflict);
/* Those errors, in words. Returns R where the transaction may fit into a commit of its own. */
must_use int commit_refuse(int r, const struct change *c, const struct relation_conflict *conflict,
                           struct sql_error *error);
/* A folded change, to views of its table. */
void commit_tell_folded(struct database *db, struct change *c);

/* Ends S's transaction, to COMMIT or not. 0: it has ended; 1: DONE will be told when it is on disk,
   or why not; < 0: ERROR. */
must_use int session_end_transaction(struct database_session *s, bool commit,
                                     void (*done)(void *self, const struct sql_error *error),
                                     void *self, struct commit **ret, struct sql_error *error);
void commits_close(struct database *db);
/* recover.c: one entry of the ledger, changes of a table's rows. */
must_use int commit_replay(struct database *db, slice subject, slice payload, struct error *error);
/* database_checkpoint.c: ROWS of STORED, each with its id before it. */
must_use int commit_replay_named(struct database *db, struct stored *stored, slice rows,
                                 struct error *error);

#endif
