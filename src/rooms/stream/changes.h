/*
 * changes.h - the net changes of a query since the last time they were told.
 *
 *     +1 (7, "a")   -1 (7, "a")   +1 (7, "b")    ->    +1 (7, "b")
 *
 * Within a step an operator may give a row and take it back; nobody outside is to see that. Rows
 * are kept as bytes (row.h) with the sum of their weights, in the order in which they came first.
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
    uint64_t bytes_max;
    struct arena memory;
    struct map rows; /* struct change_of_row */
    struct buf key, row;
};

struct change_of_row {
    int64_t weight;
    uint32_t key_len, row_len;
    char bytes[]; /* the key, then the row where it differs */
};

struct changes changes_make(const struct sql_type *types, unsigned count, uint64_t bytes_max);
void changes_free(struct changes *c);
/* The first COUNT columns of BATCH. 0, -ENOBUFS, -ENOMEM. */
must_use int changes_add(struct changes *c, const struct sql_batch *batch);
static inline bool changes_empty(const struct changes *c) {
    return map_count(&c->rows) == 0;
}
void changes_clear(struct changes *c);
/* Each row whose sum is not 0 to EACH until that is not 0, which is returned: those that are taken
   away first. ROW: as sql_row_encode writes it, not canonical. */
int changes_each(const struct changes *c, int (*each)(void *self, slice row, int64_t weight),
                 void *self);

#endif
