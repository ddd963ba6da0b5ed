/*
 * batch.h - rows on their way through a plan: columns of cells, and a weight to each row.
 *
 *          column 0   column 1   weight
 *   row 0     7         "a"        +1      an insert
 *   row 1     7         "b"        -1      a delete of one such row
 *   row 2     9         "c"        +2      two inserts
 *
 * A relation is the sum of its batches: rows of equal values whose weights add up to 0 are not
 * there (the Z-sets of Budiu et al., "DBSP", VLDB 2023). Every operator takes and gives batches,
 * so that one set of operators answers a question once and keeps a view up to date.
 *
 * A column of stride 0 holds one cell for all rows (a constant). Nothing in a batch is changed
 * once it was handed on; it is valid until the call that was given it returns.
 */
#ifndef NONET_SQL_BATCH_H
#define NONET_SQL_BATCH_H

#include "sql/value.h"

#define SQL_BATCH_ROWS 1024u
#define SQL_COLUMNS_MAX 1600u /* PostgreSQL's bound of a table */
/* Of rows within a plan: UPDATE has the row's id, its old columns and its new ones. */
#define SQL_ROW_COLUMNS_MAX (2 * SQL_COLUMNS_MAX + 2)

struct sql_column {
    const union sql_cell *cells;
    const uint8_t *nulls; /* 1: NULL; NULL pointer: no row is */
    unsigned stride;      /* 1, or 0: cells[0] and nulls[0] stand for every row */
};

struct sql_batch {
    unsigned rows, columns; /* rows <= SQL_BATCH_ROWS */
    const struct sql_column *column;
    const int64_t *weights; /* NULL: +1 each */
};

static inline const union sql_cell *sql_cell_at(const struct sql_column *c, unsigned row) {
    return &c->cells[row * c->stride];
}
static inline bool sql_null_at(const struct sql_column *c, unsigned row) {
    return c->nulls && c->nulls[row * c->stride];
}
static inline int64_t sql_weight_at(const struct sql_batch *b, unsigned row) {
    return b->weights ? b->weights[row] : 1;
}

/* Gathers rows until a batch is full: dense columns of its own. */
struct sql_builder {
    struct arena memory; /* of cells' contents; reset with the builder */
    unsigned rows, columns;
    union sql_cell **cells; /* [columns][SQL_BATCH_ROWS] */
    uint8_t **nulls;
    int64_t *weights;
    struct sql_column *column;
    bool weighted; /* some weight is not 1 */
};

/* Room for COLUMNS columns, at most SQL_ROW_COLUMNS_MAX and one for the row's id. 0 or -ENOMEM. */
must_use int sql_builder_make(unsigned columns, struct sql_builder *ret);
void sql_builder_free(struct sql_builder *b);
/* Empty again, its memory kept. */
void sql_builder_reset(struct sql_builder *b);
static inline bool sql_builder_full(const struct sql_builder *b) {
    return b->rows == SQL_BATCH_ROWS;
}
/* Puts the values of the row under way (row b->rows), then sql_builder_end counts it. The cell's
   contents are not copied: they must live as long as the batch is read, or lie in b->memory. */
static inline void sql_builder_set(struct sql_builder *b, unsigned column,
                                   const union sql_cell *cell, bool null) {
    if (!null)
        b->cells[column][b->rows] = *cell;
    b->nulls[column][b->rows] = null;
}
static inline void sql_builder_end(struct sql_builder *b, int64_t weight) {
    b->weights[b->rows++] = weight;
    b->weighted |= weight != 1;
}
/* The rows gathered so far, valid until the next reset. */
struct sql_batch sql_builder_batch(struct sql_builder *b);

#endif
