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

#include "rooms/stream/work.h"

#define TRANSACTION_ROWS_MAX (64u << 20)
#define TRANSACTION_SAVEPOINTS_MAX 1000u

struct change {
    struct list_node node;
    struct stored *stored;
    struct relation *added;
    struct map64 deleted;        /* id -> itself */
    uint64_t generation;         /* the form of the table that `added` has */
    uint64_t placed, placed_end; /* commit.c: the ids its rows have got in the table */
};

struct undo {
    struct change *change;
    int64_t id; /* > 0: deleted from the table; < 0: -id was added */
    bool own;   /* < 0: instead, an added row was taken away */
};

struct savepoint {
    char name[SQL_NAME_BYTES_MAX + 1];
    size_t undo;
    unsigned settings; /* settings_savepoint's mark */
    bool read_only;
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
};

must_use struct transaction *transaction_new(struct database *db);
struct transaction *transaction_free(struct transaction *t);
/* A statement begins: what it sees is decided. */
void transaction_see(struct transaction *t);
/* Will it see nothing newer than what it has seen? */
bool transaction_is_fixed(const struct transaction *t);
/* Is the table C changes still of the form it was? */
bool change_fits(const struct change *c);
int fail_changed_table(const struct sql_table *table, struct sql_error *error); /* 40001 */
/* NULL: no change of TABLE so far. */
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
void commits_close(struct database *db);
/* recover.c: one entry of the ledger, changes of a table's rows. */
must_use int commit_replay(struct database *db, slice subject, slice payload, struct error *error);
/* database_checkpoint.c: ROWS of STORED, each with its id before it. */
must_use int commit_replay_named(struct database *db, struct stored *stored, slice rows,
                                 struct error *error);

#endif
