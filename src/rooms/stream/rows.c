/*
 * rows.c - see rows.h.
 *
 * Copied rows are taken as they lie, without a look at their values. Rows are put in by batches;
 * where ids are left out, a batch ends.
 */
#include "rooms/stream/rows.h"

/* The next row: 1, 0: there is none, -EAGAIN, or < 0. */
static int copy_row(struct relation_scan *scan, unsigned *looks, struct entry_writer *w) {
    slice row;
    int r = relation_scan_bytes(scan, looks, &row);
    if (r <= 0)
        return r;
    entry_u64(w, scan->id);
    entry_u32(w, (uint32_t)row.len);
    entry_bytes(w, row);
    return w->failed ? w->failed : 1;
}

int rows_copy(struct relation_scan *scan, unsigned looks, size_t bytes, struct entry_writer *w) {
    int r = w->failed ? w->failed : 1;
    while (r == 1 && w->out->len < bytes)
        r = copy_row(scan, &looks, w);
    return r == -EAGAIN ? 1 : r;
}

static int put_batch(const struct rows_reader *to, struct sql_builder *b) {
    struct relation_conflict conflict;
    struct sql_batch batch = sql_builder_batch(b);
    int r = batch.rows ? relation_apply(to->rows, &batch, to->moment, &conflict) : 0;
    sql_builder_reset(b);
    return r;
}

static int read_row(const struct rows_reader *to, struct entry_reader *rows,
                    struct sql_builder *b) {
    union sql_cell cells[SQL_COLUMNS_MAX];
    uint8_t nulls[SQL_COLUMNS_MAX];
    slice row = entry_take(rows, entry_take_u32(rows));
    if (rows->failed || sql_row_decode(row, to->types, to->columns, &b->memory, cells, nulls) < 0)
        return -EBADMSG;
    for (unsigned i = 0; i < to->columns; i++)
        sql_builder_set(b, i, &cells[i], nulls[i]);
    if (to->each)
        to->each(to->self, cells, nulls);
    sql_builder_end(b, 1);
    return 0;
}

int rows_read(const struct rows_reader *to, slice payload) {
    struct entry_reader rows = {.rest = payload};
    struct sql_builder b;
    int r = 0;
    if (sql_builder_make(to->columns, &b) < 0)
        return -ENOMEM;
    while (r == 0 && rows.rest.len) {
        uint64_t next = relation_next_id(to->rows) + b.rows;
        uint64_t id = to->named ? entry_take_u64(&rows) : next;
        if (sql_builder_full(&b) || id != next)
            r = put_batch(to, &b);
        if (r == 0 && id < next)
            r = -EBADMSG;
        if (r == 0 && id > next)
            relation_set_next_id(to->rows, id);
        if (r == 0)
            r = read_row(to, &rows, &b);
    }
    if (r == 0)
        r = put_batch(to, &b);
    sql_builder_free(&b);
    return r;
}
