/*
 * changes.h - the net changes of a query since the last time they were told.
 *
 *     +1 (7, "a")   -1 (7, "a")   +1 (7, "b")    ->    +1 (7, "b")
 *
 * Within a step an operator may give a row and take it back; nobody outside is to see that. Rows
 * are kept as bytes (row.h) with the sum of their weights, in the order in which they came first;
 * one whose sum comes to 0 is forgotten. What else is counted by its bytes may be, too.
 *
 * BOUND: `bytes_max` of all of it.
 */
#ifndef NONET_STREAM_CHANGES_H
#define NONET_STREAM_CHANGES_H

#include "base/map.h"
#include "sql/row.h"

struct changes {
    const struct sql_type *types; /* of COUNT columns; the user's */
    unsigned count;
    bool exact; /* equal rows have equal bytes */
    uint64_t bytes, bytes_max;
    struct map rows; /* struct change_of_row */
    struct buf key, row;
};

/* Of rows of COUNT columns of TYPES; COUNT 0: of bytes alone. */
struct changes changes_make(const struct sql_type *types, unsigned count, uint64_t bytes_max);
void changes_free(struct changes *c);
/* The first COUNT columns of BATCH. 0, -ENOBUFS, -ENOMEM. */
must_use int changes_add(struct changes *c, const struct sql_batch *batch);
/* The same of one thing that is known by KEY. */
must_use int changes_count(struct changes *c, slice key, int64_t weight);
static inline bool changes_empty(const struct changes *c) {
    return map_count(&c->rows) == 0;
}
void changes_clear(struct changes *c);
/* Each row to EACH until that is not 0, which is returned: those that are taken away first. ROW: as
   sql_row_encode writes it, not canonical; or the key that was counted. */
int changes_each(const struct changes *c, int (*each)(void *self, slice row, int64_t weight),
                 void *self);

#endif
