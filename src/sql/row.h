/*
 * row.h - rows as bytes: what state, tables and snapshots keep.
 *
 *   values   [ nulls: 1 bit a column ][ value ]...         compact; equal rows <=> equal bytes
 *   key      [ 0x01 value | 0x02 NULL ]...                  memcmp() order = ORDER BY of the
 * columns
 *
 * The first form is for holding rows and for hashing (the bytes of equal values are equal: numeric
 * 1.0 and 1.00 differ in the second part of their encoding only, which `canonical` leaves out).
 * The second keeps order: integers with the sign flipped and big end first, text with 0x00 as
 * 0x00 0xff and an end of 0x00 0x00, descending columns inverted, NULLs first or last as asked.
 */
#ifndef NONET_SQL_ROW_H
#define NONET_SQL_ROW_H

#include "sql/batch.h"

#define SQL_VARINT_BYTES_MAX 10

/* VALUE at AT, 7 bits a byte, the last without the top bit. Returns its bytes. */
static inline size_t sql_varint_write(char *at, uint64_t value) {
    size_t len = 0;
    for (; value >= 0x80; value >>= 7)
        at[len++] = (char)(value | 0x80);
    at[len++] = (char)value;
    return len;
}

/* In place of a column: what names the row (store/relation.h). */
#define SQL_SCAN_ROW_ID UINT32_MAX

/* Appends columns WHICH (NULL: the first COUNT) of row ROW. TYPES: of all columns of the batch.
   0 or -ENOMEM. CANONICAL: equal values give equal bytes (group and join keys, DISTINCT); else the
   value reads back exactly as it was (scale of numeric, -0). */
must_use int sql_row_encode(const struct sql_batch *batch, const struct sql_type *types,
                            const unsigned *which, unsigned count, unsigned row, bool canonical,
                            struct buf *out);
/* Reads COUNT values of TYPES back. Texts point into BYTES; what needs memory of its own (arrays,
   big numerics) takes MEMORY. Returns bytes read, or -EBADMSG (not such a row), -ENOMEM. */
must_use ptrdiff_t sql_row_decode(slice bytes, const struct sql_type *types, unsigned count,
                                  struct arena *memory, union sql_cell *ret_cells,
                                  uint8_t *ret_nulls);

struct sql_sort_key {
    unsigned column;
    bool descending, nulls_first;
};
/* Appends the memcmp form of columns KEYS of row ROW. */
must_use int sql_key_encode(const struct sql_batch *batch, const struct sql_type *types,
                            const struct sql_sort_key *keys, unsigned count, unsigned row,
                            struct buf *out);
/* The same of one value, for states kept in order. */
must_use int sql_key_value(uint32_t oid, const union sql_cell *cell, bool null, bool descending,
                           bool nulls_first, struct buf *out);

#endif
