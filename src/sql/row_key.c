/*
 * row_key.c - values as bytes whose memcmp() order is ORDER BY's (row.h).
 *
 *   0x00 NULL first | 0x01 value | 0x02 NULL last, then of the value:
 *   WORD       8 bytes, the sign flipped, big end first
 *   FLOAT      the same of its bits, those of negative ones inverted; NaN above all
 *   TEXT       bytes with 0x00 as 0x00 0xff, then 0x00 0x00
 *   NUMERIC    class (0 -inf, 1 negative, 2 zero, 3 positive, 4 inf, 5 NaN); of the two signs the
 *              magnitude (4 bytes) and pairs of digits + 1, then 0; negative ones inverted
 *   INTERVAL   its length in 16 bytes, the sign flipped
 *   ARRAY      each element as a key with NULL last, then 0x00, dimensions, lengths, bounds
 *   RECORD     each column likewise
 *
 * A descending column has the bits of its value inverted.
 */
#include "sql/row.h"

#include "sql/numeric_big.h"
#include "sql/value_parts.h"

#include <errno.h>
#include <math.h>

static int put_big_end(struct buf *out, uint64_t value, unsigned bytes) {
    int rc = buf_reserve(out, 8);
    if (rc < 0)
        return rc;
    for (unsigned i = bytes; i-- > 0;)
        out->ptr[out->len++] = (char)(value >> (8 * i));
    return 0;
}

static int put_signed(struct buf *out, int64_t value) {
    return put_big_end(out, (uint64_t)value ^ (UINT64_C(1) << 63), 8);
}

static int put_float(struct buf *out, double value) {
    if (isnan(value))
        return put_big_end(out, UINT64_MAX, 8);
    if (value == 0)
        value = 0; /* -0 is 0 */
    uint64_t bits;
    memcpy(&bits, &value, 8);
    return put_big_end(out, bits >> 63 ? ~bits : bits | UINT64_C(1) << 63, 8);
}

static int put_escaped(struct buf *out, slice text) {
    int rc = buf_reserve(out, 2 * text.len + 2);
    if (rc < 0)
        return rc;
    char *at = out->ptr + out->len;
    for (size_t i = 0; i < text.len; i++) {
        *at++ = text.ptr[i];
        if (text.ptr[i] == '\0')
            *at++ = (char)0xff;
    }
    *at++ = '\0';
    *at++ = '\0';
    out->len = (size_t)(at - out->ptr);
    return 0;
}

static void invert(struct buf *out, size_t from) {
    for (size_t i = from; i < out->len; i++)
        out->ptr[i] = (char)~out->ptr[i];
}

/* Digit number INDEX of B's limbs, counted from the first limb's left end. */
static unsigned digit_of(const struct sql_numeric_big *b, unsigned index) {
    if (index / BIG_DIGITS >= b->count)
        return 0;
    uint32_t limb = b->limbs[index / BIG_DIGITS];
    for (unsigned i = BIG_DIGITS - 1 - index % BIG_DIGITS; i > 0; i--)
        limb /= 10;
    return limb % 10;
}

static int put_numeric(struct buf *out, struct sql_numeric n) {
    int sign = sql_numeric_sign(n);
    switch (n.kind) {
    case SQL_NUMERIC_MINUS_INFINITY:
        return buf_append_byte(out, 0);
    case SQL_NUMERIC_INFINITY:
        return buf_append_byte(out, 4);
    case SQL_NUMERIC_NAN:
        return buf_append_byte(out, 5);
    default:
        break;
    }
    int rc = buf_append_byte(out, (char)(sign + 2));
    if (rc < 0 || sign == 0)
        return rc;
    struct big_room room;
    struct sql_numeric_big b = big_of(&n, &room);
    size_t start = out->len;
    int magnitude = big_magnitude(b);
    rc = put_big_end(out, (uint32_t)(magnitude + (1 << 20)), 4);
    unsigned first = (unsigned)((b.weight + 1) * BIG_DIGITS - magnitude);
    for (unsigned i = first; rc == 0 && i < b.count * BIG_DIGITS; i += 2) {
        unsigned pair = digit_of(&b, i) * 10 + digit_of(&b, i + 1);
        rc = buf_append_byte(out, (char)(pair + 1));
    }
    while (rc == 0 && out->ptr[out->len - 1] == 1 && out->len > start + 5)
        out->len--; /* zeros at the end */
    if (rc == 0)
        rc = buf_append_byte(out, 0);
    if (rc == 0 && sign < 0)
        invert(out, start);
    return rc;
}

static int put_array(struct buf *out, const struct sql_array *a) {
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < a->count; i++)
        rc = sql_key_value(a->element, &a->cells[i], a->nulls && a->nulls[i], false, false, out);
    if (rc == 0)
        rc = buf_append_byte(out, 0);
    if (rc == 0)
        rc = buf_append_byte(out, (char)a->dimensions);
    for (unsigned i = 0; rc == 0 && i < a->dimensions; i++)
        rc = put_big_end(out, (uint32_t)a->lengths[i], 4);
    for (unsigned i = 0; rc == 0 && i < a->dimensions; i++)
        rc = put_big_end(out, (uint32_t)a->lower[i] ^ 0x80000000u, 4);
    return rc;
}

static int put_text(struct buf *out, uint32_t oid, const union sql_cell *cell) {
    const struct sql_type_io *io =
        oid == SQL_JSON || oid == SQL_JSONB ? sql_type_io_find(oid) : NULL;
    if (!io || !io->key)
        return put_escaped(out, oid == SQL_BPCHAR ? value_without_blanks(cell->text) : cell->text);
    _cleanup_buf_ struct buf key = buf_make(out->max);
    int rc = io->key(cell, &key);
    return rc < 0 ? rc : put_escaped(out, buf_slice(&key));
}

static int put_interval(struct buf *out, struct sql_interval interval) {
    __int128 length = value_interval_length(interval);
    int rc = put_signed(out, (int64_t)(length >> 64));
    return rc < 0 ? rc : put_big_end(out, (uint64_t)length, 8);
}

static int put_value(struct buf *out, uint32_t oid, const union sql_cell *cell) {
    switch (sql_layout_of(oid)) {
    case SQL_LAYOUT_WORD:
        return put_signed(out, cell->i);
    case SQL_LAYOUT_FLOAT:
        return put_float(out, cell->f);
    case SQL_LAYOUT_TEXT:
        return put_text(out, oid, cell);
    case SQL_LAYOUT_NUMERIC:
        return put_numeric(out, cell->numeric);
    case SQL_LAYOUT_UUID:
        return buf_append(out, slice_make(cell->uuid, 16));
    case SQL_LAYOUT_INTERVAL:
        return put_interval(out, cell->interval);
    case SQL_LAYOUT_ARRAY:
        return put_array(out, cell->array);
    case SQL_LAYOUT_RECORD:
        break;
    }
    const struct sql_record *r = cell->record;
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < r->count; i++)
        rc = sql_key_value(r->types[i].oid, &r->cells[i], r->nulls[i], false, false, out);
    return rc < 0 ? rc : buf_append_byte(out, 0);
}

int sql_key_value(uint32_t oid, const union sql_cell *cell, bool null, bool descending,
                  bool nulls_first, struct buf *out) {
    size_t start = out->len;
    int rc = buf_append_byte(out, null ? (nulls_first ? 0 : 2) : 1);
    if (rc == 0 && !null)
        rc = put_value(out, oid, cell);
    if (rc < 0) {
        out->len = start;
        return -ENOMEM;
    }
    if (descending)
        invert(out, start + 1);
    return 0;
}

int sql_key_encode(const struct sql_batch *batch, const struct sql_type *types,
                   const struct sql_sort_key *keys, unsigned count, unsigned row, struct buf *out) {
    size_t start = out->len;
    for (unsigned i = 0; i < count; i++) {
        const struct sql_column *c = &batch->column[keys[i].column];
        int rc = sql_key_value(types[keys[i].column].oid, sql_cell_at(c, row), sql_null_at(c, row),
                               keys[i].descending, keys[i].nulls_first, out);
        if (rc < 0) {
            out->len = start;
            return rc;
        }
    }
    return 0;
}
