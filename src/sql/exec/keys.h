/*
 * keys.h - the keys of a batch, of all its rows at once: columns, canonical bytes, hashes.
 *
 * Made once for an operator; computed in two steps for each batch, so that what is between them
 * (grouping sets) may put other columns in. Valid until the next batch.
 */
#ifndef NONET_SQL_EXEC_KEYS_H
#define NONET_SQL_EXEC_KEYS_H

#include "sql/exec/operator.h"

struct sql_keys {
    struct sql_operator *o;
    unsigned count;
    struct sql_evaluator **evaluator; /* NULL: columns as they are */
    struct sql_type *types;           /* of the columns below */
    struct sql_column *column;
    struct buf bytes;
    uint32_t at[SQL_BATCH_ROWS + 1];
    uint64_t hash[SQL_BATCH_ROWS];
    uint8_t null[SQL_BATCH_ROWS]; /* some part is NULL */
};

must_use int sql_keys_of_expressions(struct sql_operator *o, struct sql_expr **e, unsigned count,
                                     struct sql_keys **ret, struct sql_error *error);
/* Keys that are columns of input INPUT; WHICH NULL: its first COUNT. */
must_use int sql_keys_of_columns(struct sql_operator *o, unsigned input, const unsigned *which,
                                 unsigned count, struct sql_keys **ret, struct sql_error *error);
void sql_keys_free(struct sql_keys *k);
/* Computes the columns of the keys of BATCH (k->column). */
must_use int sql_keys_columns(struct sql_keys *k, const struct sql_batch *batch,
                              struct sql_error *error);
/* Encodes them canonically and hashes them. */
must_use int sql_keys_encode(struct sql_keys *k, unsigned rows, struct sql_error *error);
static inline slice sql_keys_at(const struct sql_keys *k, unsigned row) {
    return slice_make(k->bytes.ptr + k->at[row], k->at[row + 1] - k->at[row]);
}

/* Do canonical bytes of TYPES give the values back exactly? */
bool sql_canonical_is_exact(const struct sql_type *types, unsigned count);

#endif
