/*
 * definer.h - where a definition takes effect: in its transaction, seen by nobody else until that
 * is on disk. What is read back from stream SQL takes effect at once.
 *
 *   the catalog     the transaction's own copy, made before its first definition, and anew where a
 *                   savepoint holds the one there is
 *   a table         is not changed: a copy takes its place, a VERSION of the same OID. Statements
 *                   and other transactions go on with the one they know
 *   its rows        are the same while they keep their form. Where the transaction has changed
 *                   rows, or the form changes, the version has rows of its own
 *   an index        is added to the rows that are there: only the version names it. One that goes
 *                   stays until the end
 *
 * COMMIT writes what was defined and changed in one commit of the ledger, in the order of the log
 * below; then the transaction's catalog becomes the database's (definitions_publish). ROLLBACK
 * forgets it, ROLLBACK TO goes back to the savepoint's.
 *
 * ONE AT A TIME. A transaction that defines something holds the right to define until it ends, and
 * the tables it changes or drops: others that have written to these wait at their COMMIT until it
 * has ended, and get 40001 where the table is not any more what they wrote to. Waiting is bounded
 * by lock_timeout (55P03). It waits for nobody itself, so there are no deadlocks.
 */
#ifndef NONET_STREAM_DEFINER_H
#define NONET_STREAM_DEFINER_H

#include "rooms/stream/entries.h"
#include "rooms/stream/inside.h"

struct change;
struct savepoint;

/* An index added to rows that others read, or one that will go from them. */
struct index_note {
    struct relation *rows;
    uint32_t oid;
    bool unique, goes;
};

/* What a transaction has defined. */
struct definitions {
    struct sql_catalog *catalog;
    struct entries log;      /* definitions, and rows that were changed before their table was */
    struct sql_table **made; /* versions and new tables */
    struct sql_table **held; /* the database's tables in whose place others stand */
    struct index_note *note;
    unsigned made_count, held_count, notes;
    bool published;
};

struct definer {
    struct database *db;
    struct sql_catalog *catalog;            /* to be changed */
    struct transaction *transaction;        /* NULL: it is read back */
    const struct database_session *session; /* is told notices; NULL: nobody is */
};

/* S's transaction defines something: D is where. */
must_use int definer_begin(struct definer *d, struct database_session *s, struct sql_error *error);
/* What was defined goes into the log. */
must_use int definer_log(struct definer *d, slice text, struct sql_error *error);
/* T is new, and in the catalog. */
must_use int definer_made(struct definer *d, struct sql_table *t);
/* The version that stands in T's place from now on, to be changed. NULL: ERROR. */
struct sql_table *definer_change(struct definer *d, struct sql_table *t, struct sql_error *error);
/* T goes from the catalog. */
must_use int definer_drop(struct definer *d, struct sql_table *t, struct sql_error *error);
/* Index X comes to T's rows, which may be shared; or goes. 0, relation_add_index's errors. */
must_use int definer_add_index(struct definer *d, struct sql_table *t,
                               const struct sql_table_index *x);
must_use int definer_drop_index(struct definer *d, struct sql_table *t,
                                const struct sql_table_index *x);
/* The moment at which rows that get a new form are there. */
uint64_t definer_moment(const struct definer *d);

void definitions_savepoint(struct transaction *t, struct savepoint *s);
void definitions_rollback_to(struct transaction *t, const struct savepoint *s);
/* COMMIT puts T's rows: unique indexes that go refuse none any more, or (RESTORE) do again. */
void definitions_relax(struct transaction *t, bool restore);
/* It is on disk: all see it. Views are told what was changed before their table was. */
void definitions_publish(struct transaction *t);
/* T has ended: what was not published is forgotten, and others may define. */
void definitions_end(struct transaction *t);
/* S, a table's or NULL: it is in no catalog any more; statements may still name it. */
void table_retire(struct database *db, struct sql_table *t);

#endif
