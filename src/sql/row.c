/*
 * row.c - rows as compact bytes (row.h): [nulls: 1 bit a column][value]...
 *
 *   WORD       1, 2, 4 or 8 bytes, little end first, by the type's length
 *   FLOAT      8 bytes
 *   TEXT       varint length, bytes
 *   NUMERIC    kind; then of numbers the shortest form: varint scale, then a zigzag varint
 *              coefficient, or (BIG) sign, weight, limbs; last the shown scale + 1, canonical: 0
 *   INTERVAL   0 and its three fields, or canonical: 1 and its length in 16 bytes
 *   UUID       16 bytes
 *   ARRAY      element OID, dimensions, lengths and bounds, then nulls and elements
 *   RECORD     columns, per column OID and modifier, then nulls and values
 *
 * Lengths are varints (7 bits a byte, the last without the top bit). Values are reduced where the
 * bytes are canonical: -0 is 0, one NaN, char(n) without its blanks, numeric without zeros at its
 * end. Reading checks every length: a snapshot comes from a disk.
 */
#include "sql/row.h"

#include "base/hash.h"
#include "sql/numeric_big.h"
#include "sql/value_parts.h"

#include <errno.h>
#include <math.h>

#define NESTING_MAX 16 /* arrays of records of arrays */

static int put_varint(struct buf *out, uint64_t value) {
    int rc = buf_reserve(out, SQL_VARINT_BYTES_MAX);
    if (rc == 0)
        out->len += sql_varint_write(out->ptr + out->len, value);
    return rc;
}

/* Eight bytes are written, BYTES of them count: the room behind is anybody's. */
static inline int put_word(struct buf *out, uint64_t value, unsigned bytes) {
    int rc = buf_reserve(out, 8);
    if (rc < 0)
        return rc;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    memcpy(out->ptr + out->len, &value, 8);
    out->len += bytes;
    return 0;
}

static uint64_t zigzag(int64_t value) {
    return ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
}

static int64_t unzigzag(uint64_t value) {
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

/* A date's infinities fit four bytes as PostgreSQL has them. */
static int64_t narrow(uint32_t oid, int64_t value) {
    if (oid != SQL_DATE)
        return value;
    return value == SQL_INFINITY         ? (int64_t)INT32_MAX
           : value == SQL_MINUS_INFINITY ? (int64_t)INT32_MIN
                                         : value;
}

/* ---- numeric --------------------------------------------------------------------------------- */

/* Without zeros at the end; BIG becomes SMALL where it then fits. */
static int put_small(struct sql_numeric n, bool canonical, struct buf *out) {
    int64_t coefficient = n.coefficient;
    unsigned scale = coefficient ? n.scale : 0;
    while (scale > 0 && coefficient % 10 == 0) {
        coefficient /= 10;
        scale--;
    }
    int rc = buf_reserve(out, 1 + 3 * SQL_VARINT_BYTES_MAX);
    if (rc < 0)
        return rc;
    char *at = out->ptr + out->len;
    *at++ = SQL_NUMERIC_SMALL;
    at += sql_varint_write(at, scale);
    at += sql_varint_write(at, zigzag(coefficient));
    at += sql_varint_write(at, canonical ? 0 : n.scale + 1u);
    out->len = (size_t)(at - out->ptr);
    return 0;
}

static int put_numeric(struct sql_numeric n, bool canonical, struct buf *out) {
    if (likely(n.kind == SQL_NUMERIC_SMALL))
        return put_small(n, canonical, out);
    if (n.kind != SQL_NUMERIC_BIG)
        return buf_append_byte(out, (char)n.kind);
    const struct sql_numeric_big *b = n.big;
    unsigned scale = big_min_scale(*b);
    if (big_magnitude(*b) + (int)scale <= 18) { /* as many digits as SMALL holds */
        struct sql_numeric small;
        int rc = big_to(*b, scale, NULL, &small);
        if (rc < 0)
            return rc;
        rc = put_small(small, true, out);
        if (rc == 0 && !canonical) {
            out->len--; /* the 0 of the shown scale */
            rc = put_varint(out, n.scale + 1u);
        }
        return rc;
    }
    int rc = buf_append_byte(out, SQL_NUMERIC_BIG);
    if (rc == 0)
        rc = buf_append_byte(out, b->negative);
    if (rc == 0)
        rc = put_varint(out, zigzag(b->weight));
    if (rc == 0)
        rc = put_varint(out, b->count);
    for (unsigned i = 0; rc == 0 && i < b->count; i++)
        rc = put_word(out, b->limbs[i], 4);
    return rc < 0 ? rc : put_varint(out, canonical ? 0 : n.scale + 1u);
}

/* ---- write ----------------------------------------------------------------------------------- */

static int put_value(struct sql_type type, const union sql_cell *cell, bool canonical,
                     struct buf *out);

static int put_cells(unsigned count, const struct sql_type *types, uint32_t element,
                     const union sql_cell *cells, const uint8_t *nulls, bool canonical,
                     struct buf *out) {
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < count; i++) {
        bool null = nulls && nulls[i];
        rc = buf_append_byte(out, null);
        if (rc == 0 && !null)
            rc = put_value(types ? types[i] : sql_type_of(element), &cells[i], canonical, out);
    }
    return rc;
}

static int put_array(const struct sql_array *a, bool canonical, struct buf *out) {
    int rc = put_varint(out, a->element);
    if (rc == 0)
        rc = put_varint(out, a->dimensions);
    for (unsigned i = 0; rc == 0 && i < a->dimensions; i++) {
        rc = put_varint(out, (uint64_t)a->lengths[i]);
        if (rc == 0)
            rc = put_varint(out, zigzag(a->lower[i]));
    }
    return rc < 0 ? rc : put_cells(a->count, NULL, a->element, a->cells, a->nulls, canonical, out);
}

static int put_record(const struct sql_record *r, bool canonical, struct buf *out) {
    int rc = put_varint(out, r->count);
    for (unsigned i = 0; rc == 0 && i < r->count; i++) {
        rc = put_varint(out, r->types[i].oid);
        if (rc == 0)
            rc = put_varint(out, zigzag(r->types[i].typmod));
    }
    return rc < 0 ? rc : put_cells(r->count, r->types, 0, r->cells, r->nulls, canonical, out);
}

static int put_text(uint32_t oid, slice text, bool canonical, struct buf *out) {
    if (canonical && oid == SQL_BPCHAR)
        text = value_without_blanks(text);
    int rc = buf_reserve(out, SQL_VARINT_BYTES_MAX + text.len);
    if (rc < 0)
        return rc;
    out->len += sql_varint_write(out->ptr + out->len, text.len);
    if (text.len)
        memcpy(out->ptr + out->len, text.ptr, text.len);
    out->len += text.len;
    return 0;
}

static int put_canonical_text(uint32_t oid, const union sql_cell *cell, struct buf *out) {
    const struct sql_type_io *io = sql_type_io_find(oid);
    if (!io || !io->canonical)
        return put_text(oid, cell->text, true, out);
    _cleanup_buf_ struct buf text = buf_make(out->max);
    int rc = io->canonical(cell, &text);
    return rc < 0 ? rc : put_text(oid, buf_slice(&text), true, out);
}

static int put_float(double value, bool canonical, struct buf *out) {
    if (canonical && value == 0)
        value = 0;
    uint64_t bits = 0x7ff8000000000000u;
    if (!canonical || !isnan(value))
        memcpy(&bits, &value, 8);
    return put_word(out, bits, 8);
}

static int put_interval(struct sql_interval interval, bool canonical, struct buf *out) {
    int rc = buf_append_byte(out, canonical);
    if (rc < 0)
        return rc;
    if (canonical) {
        __int128 length = value_interval_length(interval);
        rc = put_word(out, (uint64_t)length, 8);
        return rc < 0 ? rc : put_word(out, (uint64_t)(length >> 64), 8);
    }
    rc = put_word(out, (uint64_t)interval.microseconds, 8);
    if (rc == 0)
        rc = put_word(out, (uint32_t)interval.days, 4);
    return rc < 0 ? rc : put_word(out, (uint32_t)interval.months, 4);
}

static int put_value(struct sql_type type, const union sql_cell *cell, bool canonical,
                     struct buf *out) {
    switch (sql_layout_of(type.oid)) {
    case SQL_LAYOUT_WORD:
        return put_word(out, (uint64_t)narrow(type.oid, cell->i), value_word_bytes(type.oid));
    case SQL_LAYOUT_FLOAT:
        return put_float(cell->f, canonical, out);
    case SQL_LAYOUT_TEXT:
        if (canonical && (type.oid == SQL_JSON || type.oid == SQL_JSONB))
            return put_canonical_text(type.oid, cell, out);
        return put_text(type.oid, cell->text, canonical, out);
    case SQL_LAYOUT_NUMERIC:
        return put_numeric(cell->numeric, canonical, out);
    case SQL_LAYOUT_INTERVAL:
        return put_interval(cell->interval, canonical, out);
    case SQL_LAYOUT_UUID:
        return buf_append(out, slice_make(cell->uuid, 16));
    case SQL_LAYOUT_ARRAY:
        return put_array(cell->array, canonical, out);
    case SQL_LAYOUT_RECORD:
        break;
    }
    return put_record(cell->record, canonical, out);
}

int sql_row_encode(const struct sql_batch *batch, const struct sql_type *types,
                   const unsigned *which, unsigned count, unsigned row, bool canonical,
                   struct buf *out) {
    size_t start = out->len;
    size_t bitmap = (count + 7) / 8;
    int rc = buf_reserve(out, bitmap);
    if (rc < 0)
        return -ENOMEM;
    if (bitmap)
        memset(out->ptr + start, 0, bitmap);
    out->len += bitmap;
    for (unsigned i = 0; rc == 0 && i < count; i++) {
        unsigned column = which ? which[i] : i;
        const struct sql_column *c = &batch->column[column];
        if (sql_null_at(c, row))
            out->ptr[start + i / 8] = (char)(out->ptr[start + i / 8] | 1 << (i % 8));
        else
            rc = put_value(types[column], sql_cell_at(c, row), canonical, out);
    }
    if (rc < 0)
        out->len = start;
    return rc < 0 ? -ENOMEM : 0;
}

/* ---- read ------------------------------------------------------------------------------------ */

struct row_reading {
    slice bytes;
    size_t at;
    struct arena *memory;
    unsigned depth;
    int failed; /* sticky: 0, -EBADMSG, -ENOMEM */
};

static int fail(struct row_reading *r, int code) {
    if (r->failed == 0)
        r->failed = code;
    return r->failed;
}

static const char *take(struct row_reading *r, size_t count) {
    if (count > r->bytes.len - r->at) {
        fail(r, -EBADMSG);
        return NULL;
    }
    const char *at = r->bytes.ptr + r->at;
    r->at += count;
    return at;
}

static uint64_t take_word(struct row_reading *r, unsigned bytes) {
    uint64_t value = 0;
    if (likely(r->bytes.len - r->at >= 8)) { /* the common case reads more than it takes */
        memcpy(&value, r->bytes.ptr + r->at, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        value = __builtin_bswap64(value);
#endif
        r->at += bytes;
        return bytes == 8 ? value : value & ((UINT64_C(1) << (8 * bytes)) - 1);
    }
    const char *at = take(r, bytes);
    for (unsigned i = 0; at && i < bytes; i++)
        value |= (uint64_t)(uint8_t)at[i] << (8 * i);
    return value;
}

static uint64_t take_varint(struct row_reading *r) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (r->at >= r->bytes.len)
            break;
        uint8_t byte = (uint8_t)r->bytes.ptr[r->at++];
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    fail(r, -EBADMSG);
    return 0;
}

static void take_big(struct row_reading *r, union sql_cell *ret) {
    bool negative = take_word(r, 1) == 1;
    int64_t weight = unzigzag(take_varint(r));
    uint64_t count = take_varint(r);
    if (r->failed || count == 0 || count > (r->bytes.len - r->at) / 4 || weight > 100000 ||
        weight < -100000) {
        fail(r, -EBADMSG);
        return;
    }
    struct sql_numeric_big *b = arena_alloc(r->memory, sizeof *b);
    uint32_t *limbs = big_limbs(r->memory, count);
    if (!b || !limbs) {
        fail(r, -ENOMEM);
        return;
    }
    for (uint64_t i = 0; i < count; i++)
        if ((limbs[i] = (uint32_t)take_word(r, 4)) >= BIG_BASE)
            fail(r, -EBADMSG);
    if (r->failed || limbs[0] == 0 || limbs[count - 1] == 0) {
        fail(r, -EBADMSG);
        return;
    }
    *b = (struct sql_numeric_big){negative, (int)weight, (unsigned)count, limbs};
    uint64_t shown = take_varint(r);
    uint64_t scale = shown ? shown - 1 : big_min_scale(*b);
    if (scale > SQL_NUMERIC_SCALE_MAX || scale < big_min_scale(*b))
        fail(r, -EBADMSG);
    ret->numeric =
        (struct sql_numeric){.big = b, .scale = (uint16_t)scale, .kind = SQL_NUMERIC_BIG};
}

static void take_numeric(struct row_reading *r, union sql_cell *ret) {
    uint64_t kind = take_word(r, 1);
    if (kind == SQL_NUMERIC_BIG) {
        take_big(r, ret);
        return;
    }
    if (kind > SQL_NUMERIC_MINUS_INFINITY) {
        fail(r, -EBADMSG);
        return;
    }
    ret->numeric = sql_numeric_special((enum sql_numeric_kind)kind);
    if (kind != SQL_NUMERIC_SMALL)
        return;
    uint64_t scale = take_varint(r);
    int64_t coefficient = unzigzag(take_varint(r));
    uint64_t shown = take_varint(r);
    uint64_t wanted = shown ? shown - 1 : scale;
    if (scale > SQL_NUMERIC_SCALE_MAX || wanted > SQL_NUMERIC_SCALE_MAX || wanted < scale ||
        !sql_numeric_fits_small(coefficient)) {
        fail(r, -EBADMSG);
        return;
    }
    struct sql_numeric n = sql_numeric_small(coefficient, (unsigned)scale);
    if (wanted > scale && sql_numeric_round(n, (int)wanted, r->memory, &n) < 0)
        fail(r, -ENOMEM);
    ret->numeric = n;
}

static void take_value(struct row_reading *r, struct sql_type type, union sql_cell *ret);

static bool take_cells(struct row_reading *r, unsigned count, const struct sql_type *types,
                       uint32_t element, union sql_cell **ret_cells, uint8_t **ret_nulls) {
    if (count > r->bytes.len - r->at || r->depth >= NESTING_MAX)
        return fail(r, -EBADMSG) == 0;
    union sql_cell *cells = arena_zalloc(r->memory, count, sizeof *cells);
    uint8_t *nulls = arena_zalloc(r->memory, count, 1);
    if (!cells || !nulls)
        return fail(r, -ENOMEM) == 0;
    r->depth++;
    for (unsigned i = 0; r->failed == 0 && i < count; i++) {
        nulls[i] = take_word(r, 1) != 0;
        if (!nulls[i])
            take_value(r, types ? types[i] : sql_type_of(element), &cells[i]);
    }
    r->depth--;
    *ret_cells = cells;
    *ret_nulls = nulls;
    return r->failed == 0;
}

static void take_array(struct row_reading *r, union sql_cell *ret) {
    struct sql_array *a = arena_zalloc(r->memory, 1, sizeof *a);
    if (!a) {
        fail(r, -ENOMEM);
        return;
    }
    a->element = (uint32_t)take_varint(r);
    uint64_t dimensions = take_varint(r);
    if (dimensions > SQL_ARRAY_DIMENSIONS_MAX) {
        fail(r, -EBADMSG);
        return;
    }
    a->dimensions = (unsigned)dimensions;
    uint64_t count = dimensions > 0;
    for (unsigned i = 0; i < dimensions; i++) {
        uint64_t length = take_varint(r);
        a->lower[i] = (int32_t)unzigzag(take_varint(r));
        if (length > r->bytes.len || (count *= length) > r->bytes.len) {
            fail(r, -EBADMSG);
            return;
        }
        a->lengths[i] = (int32_t)length;
    }
    a->count = (unsigned)count;
    union sql_cell *cells = NULL;
    uint8_t *nulls = NULL;
    if (!take_cells(r, a->count, NULL, a->element, &cells, &nulls))
        return;
    a->cells = cells;
    if (memchr(nulls, 1, a->count ? a->count : 1))
        a->nulls = nulls;
    ret->array = a;
}

static void take_record(struct row_reading *r, union sql_cell *ret) {
    uint64_t count = take_varint(r);
    if (count > r->bytes.len - r->at) {
        fail(r, -EBADMSG);
        return;
    }
    struct sql_record *record = arena_zalloc(r->memory, 1, sizeof *record);
    struct sql_type *types = arena_zalloc(r->memory, count, sizeof *types);
    if (!record || !types) {
        fail(r, -ENOMEM);
        return;
    }
    for (uint64_t i = 0; i < count; i++) {
        types[i].oid = (uint32_t)take_varint(r);
        types[i].typmod = (int32_t)unzigzag(take_varint(r));
    }
    union sql_cell *cells = NULL;
    uint8_t *nulls = NULL;
    if (!take_cells(r, (unsigned)count, types, 0, &cells, &nulls))
        return;
    *record = (struct sql_record){(unsigned)count, types, cells, nulls, NULL};
    ret->record = record;
}

static void take_interval(struct row_reading *r, union sql_cell *ret) {
    struct sql_interval interval;
    if (take_word(r, 1) == 0) {
        interval.microseconds = (int64_t)take_word(r, 8);
        interval.days = (int32_t)take_word(r, 4);
        interval.months = (int32_t)take_word(r, 4);
    } else {
        uint64_t low = take_word(r, 8);
        __int128 length = (__int128)((unsigned __int128)take_word(r, 8) << 64 | low);
        __int128 days = length / INT64_C(86400000000);
        interval.months = (int32_t)(days / 30);
        interval.days = (int32_t)(days % 30);
        interval.microseconds = (int64_t)(length % INT64_C(86400000000));
    }
    ret->interval = interval;
}

static void take_in_words(struct row_reading *r, uint32_t oid, union sql_cell *ret) {
    unsigned len = value_word_bytes(oid);
    unsigned shift = 64 - 8 * len;
    int64_t value = (int64_t)(take_word(r, len) << shift) >> shift;
    if (len == 4 && oid != SQL_INT4 && oid != SQL_DATE)
        value = (int64_t)(uint32_t)value;
    if (oid == SQL_DATE && (value == INT32_MAX || value == INT32_MIN))
        value = value == INT32_MAX ? SQL_INFINITY : SQL_MINUS_INFINITY;
    ret->i = value;
}

static void take_value(struct row_reading *r, struct sql_type type, union sql_cell *ret) {
    *ret = (union sql_cell){.i = 0};
    switch (sql_layout_of(type.oid)) {
    case SQL_LAYOUT_WORD:
        take_in_words(r, type.oid, ret);
        return;
    case SQL_LAYOUT_FLOAT: {
        uint64_t bits = take_word(r, 8);
        memcpy(&ret->f, &bits, 8);
        return;
    }
    case SQL_LAYOUT_TEXT: {
        uint64_t len = take_varint(r);
        const char *text = take(r, len);
        ret->text = slice_make(text, text ? len : 0);
        return;
    }
    case SQL_LAYOUT_NUMERIC:
        take_numeric(r, ret);
        return;
    case SQL_LAYOUT_INTERVAL:
        take_interval(r, ret);
        return;
    case SQL_LAYOUT_UUID: {
        const char *uuid = take(r, 16);
        if (uuid)
            memcpy(ret->uuid, uuid, 16);
        return;
    }
    case SQL_LAYOUT_ARRAY:
        take_array(r, ret);
        return;
    case SQL_LAYOUT_RECORD:
        take_record(r, ret);
        return;
    }
}

ptrdiff_t sql_row_decode(slice bytes, const struct sql_type *types, unsigned count,
                         struct arena *memory, union sql_cell *ret_cells, uint8_t *ret_nulls) {
    struct row_reading r = {.bytes = bytes, .memory = memory};
    const char *bitmap = take(&r, (count + 7) / 8);
    for (unsigned i = 0; r.failed == 0 && i < count; i++) {
        ret_nulls[i] = ((uint8_t)bitmap[i / 8] >> (i % 8)) & 1;
        if (!ret_nulls[i])
            take_value(&r, types[i], &ret_cells[i]);
    }
    return r.failed ? r.failed : (ptrdiff_t)r.at;
}
