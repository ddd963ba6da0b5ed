/*
 * changes.c - see changes.h. Rows are found by their canonical bytes, in which equal values are
 * equal (numeric 1.0 and 1.00); where these may differ from the row as it is, both are kept.
 * A row whose sum has come to 0 stays until all are cleared: it may come again in the same step.
 */
#include "rooms/stream/changes.h"

#include <errno.h>

#define CHUNK_BYTES ((size_t)16 << 10)
#define ROWS_MAX ((size_t)64 << 20)

/* Values that are equal and yet look different: 1.0 and 1.00, 0 and -0. */
static bool may_differ(uint32_t oid) {
    static const uint32_t alike[] = {SQL_BOOL, SQL_INT2, SQL_INT4,      SQL_INT8,
                                     SQL_TEXT, SQL_DATE, SQL_TIMESTAMP, SQL_TIMESTAMPTZ,
                                     SQL_UUID, SQL_TIME, SQL_BYTEA,     SQL_VARCHAR};
    for (size_t i = 0; i < array_count(alike); i++)
        if (alike[i] == oid)
            return false;
    return true;
}

struct changes changes_make(const struct sql_type *types, unsigned count, uint64_t bytes_max) {
    static const struct hash_key unkeyed;
    struct changes c = {.types = types,
                        .count = count,
                        .exact = true,
                        .bytes_max = bytes_max,
                        .memory = arena_make(CHUNK_BYTES, bytes_max),
                        .rows = map_make(unkeyed, ROWS_MAX),
                        .key = buf_make(SIZE_MAX / 2),
                        .row = buf_make(SIZE_MAX / 2)};
    for (unsigned i = 0; i < count; i++)
        c.exact &= !may_differ(types[i].oid);
    return c;
}

void changes_free(struct changes *c) {
    arena_free(&c->memory);
    map_free(&c->rows);
    buf_free(&c->key);
    buf_free(&c->row);
}

void changes_clear(struct changes *c) {
    bool large = map_count(&c->rows) > 100000;
    if (large)
        map_free(&c->rows);
    else
        map_clear(&c->rows);
    arena_reset(&c->memory);
}

static int add_row(struct changes *c, const struct sql_batch *batch, unsigned row) {
    buf_clear(&c->key);
    buf_clear(&c->row);
    int r = sql_row_encode(batch, c->types, NULL, c->count, row, true, &c->key);
    struct change_of_row *found = r == 0 ? map_find(&c->rows, buf_slice(&c->key)) : NULL;
    if (found) {
        found->weight += sql_weight_at(batch, row);
        return 0;
    }
    if (r == 0 && !c->exact)
        r = sql_row_encode(batch, c->types, NULL, c->count, row, false, &c->row);
    if (r < 0)
        return r;
    size_t size = sizeof *found + c->key.len + c->row.len;
    if (size > UINT32_MAX)
        return -ENOBUFS;
    found = arena_alloc(&c->memory, size);
    if (!found) /* at its bound, or the machine's */
        return -ENOBUFS;
    *found = (struct change_of_row){.weight = sql_weight_at(batch, row),
                                    .key_len = (uint32_t)c->key.len,
                                    .row_len = (uint32_t)c->row.len};
    char *at = found->bytes;
    slice key = slice_store(&at, buf_slice(&c->key));
    (void)slice_store(&at, buf_slice(&c->row));
    return map_add(&c->rows, key, found);
}

int changes_add(struct changes *c, const struct sql_batch *batch) {
    int r = 0;
    for (unsigned row = 0; r == 0 && row < batch->rows; row++)
        r = add_row(c, batch, row);
    return r;
}

int changes_each(const struct changes *c, int (*each)(void *self, slice row, int64_t weight),
                 void *self) {
    const struct map_entry *entry;
    int r = 0;
    for (int sign = -1; r == 0 && sign <= 1; sign += 2)
        for (size_t at = 0; r == 0 && (entry = map_next(&c->rows, &at));) {
            const struct change_of_row *row = entry->value;
            if ((row->weight < 0) != (sign < 0) || row->weight == 0)
                continue;
            r = c->exact
                    ? each(self, slice_make(row->bytes, row->key_len), row->weight)
                    : each(self, slice_make(row->bytes + row->key_len, row->row_len), row->weight);
        }
    return r;
}
