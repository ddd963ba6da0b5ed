/*
 * relation.h - the rows of a table or view in memory, in versions, so that every reader sees one
 * moment.
 *
 *   row    [ created | deleted | bytes (row.h) ]      seen at SNAPSHOT where
 *                                                     created <= SNAPSHOT < deleted
 *   index  key bytes -> rows                          the primary key first; equality look-ups
 *
 * A moment is a commit number: the host counts them up, one a commit, node-wide for SQL. Changes
 * are Z-set batches (exec/exec.h's output, or a transaction's): +n adds n rows, -n takes n equal
 * ones away. Nothing waits: a snapshot is a number, held while somebody reads at it; versions that
 * nobody can see any more are freed by relation_vacuum, a bounded piece a call.
 *
 * A row's id is stable as long as the row lives, and is what UPDATE and DELETE name it by.
 */
#ifndef NONET_SQL_STORE_RELATION_H
#define NONET_SQL_STORE_RELATION_H

#include "base/map64.h"
#include "sql/row.h"

#define RELATION_INDEXES_MAX 32u
#define RELATION_LIVE UINT64_MAX /* `deleted` of a row that is there */

struct relation;

/* Rows of COUNT columns of TYPES, in at most BYTES_MAX bytes of memory. */
must_use int relation_new(const struct sql_type *types, unsigned count, uint64_t bytes_max,
                          struct relation **ret);
/* Held once more: by who reads it while others may free it. Each relation_free gives one back. */
struct relation *relation_ref(struct relation *r);
struct relation *relation_free(struct relation *r);

/* Adds an index over COLUMNS and fills it. 0, -EEXIST (UNIQUE and two live rows are equal in it,
   neither having a NULL), -ENOBUFS, -ENOMEM. */
must_use int relation_add_index(struct relation *r, uint32_t oid, const unsigned *columns,
                                unsigned count, bool unique);
void relation_drop_index(struct relation *r, uint32_t oid);
/* Whether a unique index refuses rows from now on. What there is is not judged. */
void relation_enforce_index(struct relation *r, uint32_t oid, bool enforce);

/* Applies BATCH at moment COMMIT (above all before). All or nothing of the batch: 0; -ENOENT: a row
   to be taken away is not there; -EEXIST: a unique index refuses (then *RET_CONFLICT says
   which); -ENOBUFS: bytes_max; -ENOMEM. */
struct relation_conflict {
    uint32_t index; /* OID */
    unsigned row;   /* of the batch */
};
must_use int relation_apply(struct relation *r, const struct sql_batch *batch, uint64_t commit,
                            struct relation_conflict *ret_conflict);
/* The row of id ID is taken away at COMMIT. 0; -ENOENT; -EAGAIN: another commit has taken it away
   since (first committer wins: 40001). */
must_use int relation_delete(struct relation *r, uint64_t id, uint64_t commit);
/* Back, where the commit failed that took a row away, or brought it. Nobody may have seen it. O(1),
   and O(its indexes). */
void relation_restore(struct relation *r, uint64_t id);
void relation_erase(struct relation *r, uint64_t id);
/* The id the next row will have: the rows of an apply are those from there on. */
uint64_t relation_next_id(const struct relation *r);
/* Is row ID there at SNAPSHOT, and still there now? 0, -ENOENT, -EAGAIN. */
must_use int relation_judge(const struct relation *r, uint64_t id, uint64_t snapshot);
/* How many rows have been taken away since R was made, whether or not they came back; and the id of
   number N of them, counted from 0, or 0 where it was vacuumed. */
uint64_t relation_taken(const struct relation *r);
uint64_t relation_taken_id(const struct relation *r, uint64_t n);

/* Rows seen at a snapshot, in the order of their ids. */
struct relation_scan {
    struct relation *relation;
    uint64_t snapshot, next, id; /* id: of the row given last */
    uint64_t *found;             /* by a key: rows that may have it, `next` of `count` */
    size_t count;
    unsigned *column, columns;  /* by a key: of these, in the order of the index; 0: all rows */
    const struct map64 *hidden; /* ids that are passed over; NULL: none. Set by who scans */
    struct buf memory;          /* the key that is looked up */
};
void relation_scan_all(struct relation *r, uint64_t snapshot, struct relation_scan *ret);
/* The rows whose columns COLUMNS (those of some index, in its order) equal VALUES, none NULL. 0,
   -ENOENT (no index of these columns), -ENOMEM. */
must_use int relation_scan_key(struct relation *r, uint64_t snapshot, const unsigned *columns,
                               unsigned count, const union sql_cell *values,
                               struct relation_scan *ret);
/* Puts up to SQL_BATCH_ROWS rows into B, whose COUNT columns are WHICH (SQL_SCAN_ROW_ID: the row's
   id). WHICH NULL: all columns in their order, and the id where COUNT is one more. Returns how
   many, 0 at the end, -ENOMEM. Texts point into the relation: valid until it is changed or
   vacuumed. */
must_use int relation_scan_next(struct relation_scan *scan, const unsigned *which, unsigned count,
                                struct sql_builder *b);
/* The next row as the bytes it lies in (sql_row_encode of all columns, not canonical), which are
   valid until the relation is changed or vacuumed; its id is SCAN's. Looks at no more than LOOKS
   places, which it counts down: 1; 0: at the end; -EAGAIN: none among those, call again. */
must_use int relation_scan_bytes(struct relation_scan *scan, unsigned *looks, slice *ret);
void relation_scan_end(struct relation_scan *scan);
/* Row ID as it is, whoever may see it, into B with WEIGHT. 0, -ENOENT, -ENOMEM. */
must_use int relation_read(struct relation *r, uint64_t id, const unsigned *which, unsigned count,
                           int64_t weight, struct sql_builder *b);
/* The next row's id is ID, at least what it would be: rows read back get the ids they had. */
void relation_set_next_id(struct relation *r, uint64_t id);
/* The live row that a unique index OID has for the key of row ROW of BATCH: its id, 0: none, or
   -ENOENT (no such index), -ENOMEM. Rows in HIDDEN (NULL: none) are not there. */
int64_t relation_find_key(struct relation *r, uint32_t oid, const struct sql_batch *batch,
                          unsigned row, const struct map64 *hidden);

/* Frees versions deleted at or before OLDEST, the oldest snapshot anybody holds. Looks at no more
   than ROWS_MAX. */
void relation_vacuum(struct relation *r, uint64_t oldest, unsigned rows_max);

struct relation_stats {
    uint64_t rows, versions, bytes;
};
struct relation_stats relation_stats(const struct relation *r);

#endif
