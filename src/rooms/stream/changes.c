/*
 * changes.c - see changes.h. Rows are found by their canonical bytes, in which equal values are
 * equal (numeric 1.0 and 1.00); where these may differ from the row as it is, both are kept.
 * Each row is memory of its own, so that one which goes gives it back at once: a fold over a long
 * history takes no more than what is there.
 */
#include "rooms/stream/changes.h"

#include "base/mem.h"

#include <errno.h>

#define ROWS_MAX ((size_t)64 << 20)
#define ENTRY_BYTES 64u   /* of the map, for each row */
#define KEEP_ROWS 100000u /* room in the map that is kept when it is emptied */

struct change_of_row {
    int64_t weight;
    uint32_t key_len, row_len;
    char bytes[]; /* the key, then the row where it differs */
};

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
                        .rows = map_make(unkeyed, ROWS_MAX),
                        .key = buf_make(SIZE_MAX / 2),
                        .row = buf_make(SIZE_MAX / 2)};
    for (unsigned i = 0; i < count; i++)
        c.exact &= !may_differ(types[i].oid);
    return c;
}

static size_t size_of(const struct change_of_row *row) {
    return sizeof *row + row->key_len + row->row_len + ENTRY_BYTES;
}

void changes_clear(struct changes *c) {
    const struct map_entry *entry;
    for (size_t at = 0; (entry = map_next(&c->rows, &at));)
        mem_free(entry->value);
    if (c->rows.used > KEEP_ROWS)
        map_free(&c->rows);
    else
        map_clear(&c->rows);
    c->bytes = 0;
}

void changes_free(struct changes *c) {
    changes_clear(c);
    map_free(&c->rows);
    buf_free(&c->key);
    buf_free(&c->row);
}

/* FOUND has come WEIGHT times more. */
static void weigh(struct changes *c, slice key, struct change_of_row *found, int64_t weight) {
    found->weight += weight;
    if (found->weight)
        return;
    c->bytes -= size_of(found);
    (void)map_remove(&c->rows, key);
    mem_free(found);
}

/* ROW: as it is, where that is not KEY; else empty. */
static int keep(struct changes *c, slice key, slice row, int64_t weight) {
    struct change_of_row *made = NULL;
    const size_t size = sizeof *made + key.len + row.len;
    if (size > UINT32_MAX || c->bytes + size + ENTRY_BYTES > c->bytes_max)
        return -ENOBUFS;
    made = mem_alloc(size);
    if (!made)
        return -ENOMEM;
    *made = (struct change_of_row){weight, (uint32_t)key.len, (uint32_t)row.len};
    char *at = made->bytes;
    slice kept = slice_store(&at, key);
    (void)slice_store(&at, row);
    int r = map_add(&c->rows, kept, made);
    if (r < 0)
        mem_free(made);
    else
        c->bytes += size_of(made);
    return r;
}

int changes_count(struct changes *c, slice key, int64_t weight) {
    struct change_of_row *found = map_find(&c->rows, key);
    if (!found)
        return weight ? keep(c, key, (slice){0}, weight) : 0;
    weigh(c, key, found, weight);
    return 0;
}

static int add_row(struct changes *c, const struct sql_batch *batch, unsigned row) {
    const int64_t weight = sql_weight_at(batch, row);
    buf_clear(&c->key);
    buf_clear(&c->row);
    int r = sql_row_encode(batch, c->types, NULL, c->count, row, true, &c->key);
    if (r < 0 || c->exact)
        return r < 0 ? r : changes_count(c, buf_slice(&c->key), weight);
    struct change_of_row *found = map_find(&c->rows, buf_slice(&c->key));
    if (found) {
        weigh(c, buf_slice(&c->key), found, weight);
        return 0;
    }
    r = sql_row_encode(batch, c->types, NULL, c->count, row, false, &c->row);
    return r < 0 || !weight ? r : keep(c, buf_slice(&c->key), buf_slice(&c->row), weight);
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
            if ((row->weight < 0) != (sign < 0))
                continue;
            r = c->exact
                    ? each(self, slice_make(row->bytes, row->key_len), row->weight)
                    : each(self, slice_make(row->bytes + row->key_len, row->row_len), row->weight);
        }
    return r;
}
