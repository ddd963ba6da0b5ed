/*
 * value_order.c - order, equality, hash and copies of values (value.h).
 *
 * The layout decides; three types differ from theirs: char(n) without its blanks at the end, json
 * and jsonb by their table (type_io.h). Arrays are ordered by their elements, then by their count,
 * then by their shape; NULL elements are last and equal to each other, so in records.
 */
#include "sql/value_parts.h"

#include "base/hash.h"
#include "sql/numeric.h"

#include <errno.h>
#include <math.h>

static const struct hash_key hash_key = {0x6e6f6e65742d7371u, 0x6c2d76616c756573u};

__int128 value_interval_length(struct sql_interval interval) {
    return ((__int128)interval.months * 30 + interval.days) * INT64_C(86400000000) +
           interval.microseconds;
}

static int compare_floats(double a, double b) {
    if (isnan(a) || isnan(b))
        return (isnan(a) != 0) - (isnan(b) != 0);
    return (a > b) - (a < b);
}

static int compare_nullable(uint32_t oid, const union sql_cell *a, bool null_a,
                            const union sql_cell *b, bool null_b) {
    return null_a || null_b ? null_a - null_b : sql_value_compare(oid, a, b);
}

static int compare_arrays(const struct sql_array *a, const struct sql_array *b) {
    unsigned shorter = a->count < b->count ? a->count : b->count;
    for (unsigned i = 0; i < shorter; i++) {
        int order = compare_nullable(a->element, &a->cells[i], a->nulls && a->nulls[i],
                                     &b->cells[i], b->nulls && b->nulls[i]);
        if (order)
            return order;
    }
    if (a->count != b->count)
        return a->count > b->count ? 1 : -1;
    if (a->dimensions != b->dimensions)
        return a->dimensions > b->dimensions ? 1 : -1;
    for (unsigned i = 0; i < a->dimensions; i++)
        if (a->lengths[i] != b->lengths[i])
            return a->lengths[i] > b->lengths[i] ? 1 : -1;
    for (unsigned i = 0; i < a->dimensions; i++)
        if (a->lower[i] != b->lower[i])
            return a->lower[i] > b->lower[i] ? 1 : -1;
    return 0;
}

static int compare_records(const struct sql_record *a, const struct sql_record *b) {
    unsigned shorter = a->count < b->count ? a->count : b->count;
    for (unsigned i = 0; i < shorter; i++) {
        int order =
            compare_nullable(a->types[i].oid, &a->cells[i], a->nulls[i], &b->cells[i], b->nulls[i]);
        if (order)
            return order;
    }
    return (a->count > b->count) - (a->count < b->count);
}

static int compare_texts(uint32_t oid, const union sql_cell *a, const union sql_cell *b) {
    if (oid == SQL_BPCHAR)
        return slice_compare(value_without_blanks(a->text), value_without_blanks(b->text));
    const struct sql_type_io *io =
        oid == SQL_JSON || oid == SQL_JSONB ? sql_type_io_find(oid) : NULL;
    return io && io->compare ? io->compare(a, b) : slice_compare(a->text, b->text);
}

int sql_value_compare(uint32_t oid, const union sql_cell *a, const union sql_cell *b) {
    switch (sql_layout_of(oid)) {
    case SQL_LAYOUT_WORD:
        return (a->i > b->i) - (a->i < b->i);
    case SQL_LAYOUT_FLOAT:
        return compare_floats(a->f, b->f);
    case SQL_LAYOUT_TEXT:
        return compare_texts(oid, a, b);
    case SQL_LAYOUT_NUMERIC:
        return sql_numeric_compare(a->numeric, b->numeric);
    case SQL_LAYOUT_UUID:
        return memcmp(a->uuid, b->uuid, 16);
    case SQL_LAYOUT_ARRAY:
        return compare_arrays(a->array, b->array);
    case SQL_LAYOUT_RECORD:
        return compare_records(a->record, b->record);
    case SQL_LAYOUT_INTERVAL:
        break;
    }
    __int128 x = value_interval_length(a->interval);
    __int128 y = value_interval_length(b->interval);
    return (x > y) - (x < y);
}

bool sql_value_equal(uint32_t oid, const union sql_cell *a, const union sql_cell *b) {
    return sql_value_compare(oid, a, b) == 0;
}

/* ---- hash ------------------------------------------------------------------------------------ */

static uint64_t join(uint64_t so_far, uint64_t next) {
    return hash_mix64(so_far ^ (next + 0x9e3779b97f4a7c15u + (so_far << 6)));
}

static uint64_t hash_float(double value) {
    if (value == 0)
        value = 0; /* -0 is 0 */
    uint64_t bits = 0x7ff8000000000000u;
    if (!isnan(value))
        memcpy(&bits, &value, 8);
    return hash_mix64(bits);
}

static uint64_t hash_cells(const struct sql_array *a) {
    uint64_t hash = a->count;
    for (unsigned i = 0; i < a->count; i++)
        hash = join(hash, a->nulls && a->nulls[i] ? 0 : sql_value_hash(a->element, &a->cells[i]));
    return hash;
}

static uint64_t hash_text(uint32_t oid, const union sql_cell *cell) {
    if (oid == SQL_BPCHAR)
        return hash_slice(&hash_key, value_without_blanks(cell->text));
    const struct sql_type_io *io =
        oid == SQL_JSON || oid == SQL_JSONB ? sql_type_io_find(oid) : NULL;
    return io && io->hash ? io->hash(cell) : hash_slice(&hash_key, cell->text);
}

uint64_t sql_value_hash(uint32_t oid, const union sql_cell *cell) {
    switch (sql_layout_of(oid)) {
    case SQL_LAYOUT_WORD:
        return hash_mix64((uint64_t)cell->i);
    case SQL_LAYOUT_FLOAT:
        return hash_float(cell->f);
    case SQL_LAYOUT_TEXT:
        return hash_text(oid, cell);
    case SQL_LAYOUT_NUMERIC:
        return sql_numeric_hash(cell->numeric);
    case SQL_LAYOUT_UUID:
        return hash_slice(&hash_key, slice_make(cell->uuid, 16));
    case SQL_LAYOUT_ARRAY:
        return hash_cells(cell->array);
    case SQL_LAYOUT_RECORD:
        break;
    case SQL_LAYOUT_INTERVAL: {
        __int128 length = value_interval_length(cell->interval);
        return join(hash_mix64((uint64_t)length), (uint64_t)(length >> 64));
    }
    }
    const struct sql_record *record = cell->record;
    uint64_t hash = record->count;
    for (unsigned i = 0; i < record->count; i++)
        hash = join(hash,
                    record->nulls[i] ? 0 : sql_value_hash(record->types[i].oid, &record->cells[i]));
    return hash;
}

/* ---- copies ---------------------------------------------------------------------------------- */

static int copy_array(const struct sql_array *from, struct arena *memory,
                      const struct sql_array **ret) {
    struct sql_array *to = arena_alloc(memory, sizeof *to);
    union sql_cell *cells = arena_zalloc(memory, from->count, sizeof *cells);
    uint8_t *nulls = arena_zalloc(memory, from->count, 1);
    if (!to || !cells || !nulls)
        return -ENOMEM;
    *to = *from;
    to->cells = cells;
    to->nulls = from->nulls ? nulls : NULL;
    for (unsigned i = 0; i < from->count; i++) {
        nulls[i] = from->nulls && from->nulls[i];
        if (!nulls[i] && sql_value_copy(from->element, &from->cells[i], memory, &cells[i]) < 0)
            return -ENOMEM;
    }
    *ret = to;
    return 0;
}

static int copy_record(const struct sql_record *from, struct arena *memory,
                       const struct sql_record **ret) {
    struct sql_record *to = arena_alloc(memory, sizeof *to);
    struct sql_type *types = arena_alloc(memory, from->count * sizeof *types);
    union sql_cell *cells = arena_zalloc(memory, from->count, sizeof *cells);
    uint8_t *nulls = arena_zalloc(memory, from->count, 1);
    if (!to || !types || !cells || !nulls)
        return -ENOMEM;
    *to = (struct sql_record){from->count, types, cells, nulls, NULL};
    for (unsigned i = 0; i < from->count; i++) {
        types[i] = from->types[i];
        nulls[i] = from->nulls[i];
        if (!nulls[i] && sql_value_copy(types[i].oid, &from->cells[i], memory, &cells[i]) < 0)
            return -ENOMEM;
    }
    *ret = to;
    return 0;
}

int sql_value_copy(uint32_t oid, const union sql_cell *cell, struct arena *memory,
                   union sql_cell *ret) {
    switch (sql_layout_of(oid)) {
    case SQL_LAYOUT_TEXT:
        return arena_copy(memory, cell->text, &ret->text);
    case SQL_LAYOUT_NUMERIC:
        return sql_numeric_copy(cell->numeric, memory, &ret->numeric);
    case SQL_LAYOUT_ARRAY:
        return copy_array(cell->array, memory, &ret->array);
    case SQL_LAYOUT_RECORD:
        return copy_record(cell->record, memory, &ret->record);
    default:
        *ret = *cell;
        return 0;
    }
}
