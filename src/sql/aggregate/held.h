/*
 * held.h - one value that an aggregate's state keeps from row to row, whatever its type.
 *
 * What lies in the cell itself is kept as a cell; a text as a copy; anything else (arrays, big
 * numerics) encoded as a row keeps it (row.h) and decoded where it is asked for.
 */
#ifndef NONET_SQL_AGGREGATE_HELD_H
#define NONET_SQL_AGGREGATE_HELD_H

#include "sql/function.h"

enum held_form { HELD_NOTHING, HELD_CELL, HELD_TEXT, HELD_ENCODED };

struct held {
    union sql_cell cell; /* of CELL; of the others its text is the bytes */
    char *bytes;         /* mem_ */
    uint8_t form;
};

/* Takes a copy of CELL in place of what it held. 0, or sql_fail's. */
must_use int held_keep(struct held *h, struct sql_type type, const union sql_cell *cell,
                       struct sql_error *error);
/* What it holds (not NOTHING): valid until the next keep, and MEMORY's. */
must_use int held_value(const struct held *h, struct sql_type type, struct arena *memory,
                        union sql_cell *ret, struct sql_error *error);
void held_release(struct held *h);
must_use int held_save(const struct held *h, struct buf *out);
must_use int held_load(struct held *h, slice bytes);

/* One value as a row of one column (row.h), appended; and back, its bytes taken off *BYTES. */
must_use int value_encode(struct sql_type type, const union sql_cell *cell, bool null,
                          struct buf *out);
must_use int value_decode(struct sql_type type, slice *bytes, struct arena *memory,
                          union sql_cell *ret, uint8_t *ret_null);

#endif
