/*
 * rewrite.c - see rewrite.h.
 *
 * Values are computed a batch at a time; rows are put one by one, since each keeps its id, and ids
 * may have gaps.
 */
#include "rooms/stream/rewrite.h"
#include "rooms/stream/work.h"

#include "sql/exec/evaluate.h"

#include <errno.h>

struct rewrite {
    const struct rewrite_options *options;
    const struct sql_table *table;
    uint64_t moment;
    struct relation *rows;
    struct sql_builder from, to;                   /* old columns and the id; one new row */
    struct sql_evaluator *values[SQL_COLUMNS_MAX]; /* NULL: the column stays */
};

static int refused(const struct rewrite *w, int failed, uint32_t index, struct sql_error *error) {
    const struct sql_table *t = w->table;
    if (failed == -ENOBUFS)
        return sql_fail(error, "53200", "table \"%.*s\" would take more than its memory",
                        slice_fmt(t->name));
    for (unsigned i = 0; failed == -EEXIST && i < t->indexes; i++)
        if (t->index[i].oid == index)
            return sql_fail(error, "23505", "could not create unique index \"%.*s\"",
                            slice_fmt(t->index[i].name));
    return sql_fail_memory(error);
}

static int rewrite_batch(struct rewrite *w, struct sql_error *error) {
    struct sql_batch batch = sql_builder_batch(&w->from);
    struct sql_column columns[SQL_COLUMNS_MAX];
    struct relation_conflict conflict = {0, 0};
    int r = 0;
    for (unsigned c = 0; r == 0 && c < w->table->columns; c++) {
        if (w->values[c])
            r = sql_evaluate(w->values[c], &batch, &w->from.memory, &columns[c], error);
        else
            columns[c] = batch.column[c];
    }
    for (unsigned row = 0; r == 0 && row < batch.rows; row++) {
        sql_builder_reset(&w->to);
        for (unsigned c = 0; c < w->table->columns; c++)
            sql_builder_set(&w->to, c, sql_cell_at(&columns[c], row),
                            sql_null_at(&columns[c], row));
        sql_builder_end(&w->to, 1);
        struct sql_batch one = sql_builder_batch(&w->to);
        relation_set_next_id(w->rows, (uint64_t)w->from.cells[w->options->columns][row].i);
        r = relation_apply(w->rows, &one, w->moment, &conflict);
        if (r < 0)
            r = refused(w, r, conflict.index, error);
    }
    return r;
}

static int rewrite_all(struct rewrite *w, struct sql_error *error) {
    struct relation_scan scan;
    int r = 0, n = 1;
    relation_scan_all(w->options->from, RELATION_LIVE - 1, &scan);
    scan.hidden = w->options->hidden;
    while (r == 0 && n > 0) {
        sql_builder_reset(&w->from);
        n = relation_scan_next(&scan, NULL, w->options->columns + 1, &w->from);
        r = n < 0 ? sql_fail_memory(error) : (n > 0 ? rewrite_batch(w, error) : 0);
    }
    relation_scan_end(&scan);
    return r;
}

int rewrite_rows(struct definer *d, const struct sql_table *t,
                 const struct rewrite_options *options, struct relation **ret,
                 struct sql_error *error) {
    struct rewrite w = {.options = options, .table = t, .moment = definer_moment(d)};
    const struct sql_settings *settings = d->session ? &d->session->settings : &d->db->settings;
    const struct sql_environment environment = {settings, NULL, NULL};
    if (relation_for(d->db, t, &w.rows) < 0)
        return sql_fail_memory(error);
    int r = sql_builder_make(options->columns + 1, &w.from) < 0 ||
                    sql_builder_make(t->columns, &w.to) < 0
                ? sql_fail_memory(error)
                : 0;
    for (unsigned c = 0; r == 0 && c < t->columns; c++)
        if (options->values[c])
            r = sql_evaluator_new(options->values[c], &environment, &w.values[c], error);
    if (r == 0)
        r = rewrite_all(&w, error);
    sql_builder_free(&w.from);
    sql_builder_free(&w.to);
    for (unsigned c = 0; c < t->columns; c++)
        sql_evaluator_free(w.values[c]);
    if (r < 0) {
        relation_free(w.rows);
        return r;
    }
    if (relation_next_id(w.rows) < relation_next_id(options->from))
        relation_set_next_id(w.rows, relation_next_id(options->from));
    *ret = w.rows;
    return 0;
}
