/*
 * snapshot_plan.c - the fingerprint of a plan: what it computes and how its states lie, as a hash.
 *
 * All that decides either is written down, node by node in the executor's order, and hashed twice.
 * Names of columns do not matter, those of tables and of what is read of them do. That rows can go
 * from an input (append_only) changes what operators keep, so it counts.
 */
#include "sql/catalog.h"
#include "sql/exec/snapshot.h"

#define PLAN_BYTES_MAX ((size_t)64 << 20)

/* The first failure stays; what follows it does nothing. */
struct plan_writer {
    struct buf bytes;
    int failed;
};

static void put(struct plan_writer *w, int64_t number) {
    if (w->failed == 0)
        w->failed = buf_append(&w->bytes, slice_make(&number, sizeof number));
}

static void put_text(struct plan_writer *w, slice text) {
    put(w, (int64_t)text.len);
    if (w->failed == 0 && text.len)
        w->failed = buf_append(&w->bytes, text);
}

static void put_type(struct plan_writer *w, struct sql_type type) {
    put(w, type.oid);
    put(w, type.typmod);
}

/* ---- expressions -------------------------------------------------------------------------- */

static void put_function(struct plan_writer *w, const struct sql_function *f) {
    put(w, f != NULL);
    if (!f)
        return;
    put_text(w, slice_str(f->name));
    put(w, f->result);
    for (unsigned i = 0; i < f->count; i++)
        put(w, f->arguments[i]);
}

static void put_constant(struct plan_writer *w, const struct sql_expr *e) {
    const uint8_t null = e->null;
    const struct sql_column column = {&e->cell, &null, 0};
    const struct sql_batch one = {1, 1, &column, NULL};
    if (w->failed == 0)
        w->failed = sql_row_encode(&one, &e->type, NULL, 1, 0, false, &w->bytes);
}

static void put_exprs(struct plan_writer *w, struct sql_expr *const *e, unsigned count);

static void put_expr(struct plan_writer *w, const struct sql_expr *e) {
    put(w, e != NULL);
    if (!e || w->failed)
        return;
    put(w, e->kind);
    put_type(w, e->type);
    put(w, e->index);
    put(w, e->level);
    put_function(w, e->function);
    put(w, e->cast != NULL);
    if (e->cast) {
        put(w, e->cast->from);
        put(w, e->cast->to);
    }
    if (e->kind == SQL_EXPR_CONST)
        put_constant(w, e);
    put_exprs(w, e->arguments, e->count);
}

static void put_exprs(struct plan_writer *w, struct sql_expr *const *e, unsigned count) {
    put(w, count);
    for (unsigned i = 0; i < count; i++)
        put_expr(w, e[i]);
}

/* ---- nodes -------------------------------------------------------------------------------- */

static void put_order(struct plan_writer *w, const struct sql_sort_key *keys, unsigned count) {
    put(w, count);
    for (unsigned i = 0; i < count; i++) {
        put(w, keys[i].column);
        put(w, keys[i].descending);
        put(w, keys[i].nulls_first);
    }
}

static void put_scan(struct plan_writer *w, const struct sql_plan *p) {
    const struct sql_table *t = p->table;
    put(w, p->as_of_now);
    put(w, t != NULL);
    if (!t)
        return;
    put(w, t->kind);
    put_text(w, t->schema);
    put_text(w, t->name);
    put(w, t->watermark_column);
    for (unsigned i = 0; p->scan_columns && i < p->columns; i++) {
        unsigned column = p->scan_columns[i];
        put_text(w, column < t->columns ? t->column[column].name : slice_make(NULL, 0));
    }
    for (unsigned i = 0; i < p->lookups; i++)
        put_text(w, t->column[p->lookup_columns[i]].name);
    put_exprs(w, p->lookup_values, p->lookups);
}

static void put_aggregate(struct plan_writer *w, const struct sql_plan_aggregate *a) {
    const struct sql_aggregate *f = a->aggregate;
    put(w, f != NULL);
    if (f) {
        put_text(w, slice_str(f->name));
        put(w, f->result);
        put(w, f->state_bytes);
        put(w, f->invertible);
        for (unsigned i = 0; i < f->count; i++)
            put(w, f->arguments[i]);
    }
    put_exprs(w, a->arguments, a->count);
    put_expr(w, a->filter);
    put(w, a->distinct);
    put_exprs(w, a->order, a->order_count);
    for (unsigned i = 0; i < a->order_count; i++) {
        put(w, a->order_how[i].descending);
        put(w, a->order_how[i].nulls_first);
    }
    put_type(w, a->type);
    put(w, a->grouping_count);
    for (unsigned i = 0; i < a->grouping_count; i++)
        put(w, a->grouping[i]);
}

static void put_aggregates(struct plan_writer *w, const struct sql_plan *p) {
    put_exprs(w, p->group, p->groups);
    put(w, p->grouping_sets);
    for (unsigned i = 0; i < p->grouping_sets; i++)
        put(w, (int64_t)p->grouping_set[i]);
    put(w, p->close_group);
    put(w, p->aggregates);
    for (unsigned i = 0; i < p->aggregates; i++)
        put_aggregate(w, &p->aggregate[i]);
}

static void put_window(struct plan_writer *w, const struct sql_plan_window *f) {
    put(w, f->function);
    put_text(w, slice_str(f->aggregate ? f->aggregate->name : NULL));
    put(w, f->aggregate ? f->aggregate->result : 0);
    put_exprs(w, f->arguments, f->count);
    put_expr(w, f->filter);
    put_type(w, f->type);
    put(w, f->mode);
    put(w, f->start);
    put(w, f->end);
    put_expr(w, f->start_offset);
    put_expr(w, f->end_offset);
    put_function(w, f->plus);
    put_function(w, f->minus);
    put(w, f->exclude);
}

static void put_partition(struct plan_writer *w, const struct sql_plan *p) {
    put(w, p->partitions);
    for (unsigned i = 0; i < p->partitions; i++)
        put(w, p->partition[i]);
    put_order(w, p->order, p->orders);
}

static void put_sets(struct plan_writer *w, const struct sql_plan *p) {
    put(w, p->ordinality);
    put(w, p->outer);
    put(w, p->sets);
    for (unsigned i = 0; i < p->sets; i++) {
        put_function(w, p->set[i].function);
        put_exprs(w, p->set[i].arguments, p->set[i].count);
        put(w, p->set[i].columns);
    }
}

static void put_join(struct plan_writer *w, const struct sql_plan *p) {
    put(w, p->join);
    put_exprs(w, p->left_key, p->keys);
    put_exprs(w, p->right_key, p->keys);
    put(w, p->keys_null_equal);
    put_expr(w, p->predicate);
}

static void put_own(struct plan_writer *w, const struct sql_plan *p) {
    switch (p->kind) {
    case SQL_PLAN_SCAN:
        put_scan(w, p);
        return;
    case SQL_PLAN_SET:
        put_sets(w, p);
        return;
    case SQL_PLAN_VALUES:
    case SQL_PLAN_PROJECT:
        put_exprs(w, p->expression, p->expressions);
        return;
    case SQL_PLAN_FILTER:
        put_expr(w, p->predicate);
        return;
    case SQL_PLAN_JOIN:
    case SQL_PLAN_APPLY:
        put_join(w, p);
        return;
    case SQL_PLAN_AGGREGATE:
        put_aggregates(w, p);
        return;
    case SQL_PLAN_DISTINCT:
    case SQL_PLAN_UNION:
    case SQL_PLAN_INTERSECT:
    case SQL_PLAN_EXCEPT:
        put(w, p->all);
        return;
    case SQL_PLAN_WINDOW:
        put_partition(w, p);
        put(w, p->windows);
        for (unsigned i = 0; i < p->windows; i++)
            put_window(w, &p->window[i]);
        return;
    case SQL_PLAN_TOP:
        put_partition(w, p);
        put(w, p->top);
        put_expr(w, p->limit);
        put_expr(w, p->offset);
        return;
    case SQL_PLAN_TEMPORAL:
        put_expr(w, p->expression[0]);
        put(w, p->offset_time);
        put(w, p->ends);
        return;
    case SQL_PLAN_TUMBLE:
    case SQL_PLAN_SESSION:
        put_partition(w, p);
        put(w, p->time_column);
        put(w, p->size);
        put(w, p->slide);
        put(w, p->offset_time);
        put(w, p->gap);
        return;
    }
}

static unsigned place_of(const struct sql_exec *x, const struct sql_operator *o) {
    unsigned at = 0;
    while (x->operator[at] != o)
        at++;
    return at;
}

static void put_operator(struct plan_writer *w, const struct sql_exec *x,
                         const struct sql_operator *o) {
    const struct sql_plan *p = o->plan;
    put(w, p->kind);
    put(w, o->append_only);
    put(w, p->columns);
    for (unsigned i = 0; i < p->columns; i++)
        put_type(w, p->column[i].type);
    put(w, p->inputs);
    for (unsigned i = 0; i < p->inputs; i++)
        put(w, place_of(x, o->input[i]));
    put_own(w, p);
}

int snapshot_fingerprint(const struct sql_exec *x, char ret[SNAPSHOT_FINGERPRINT_BYTES]) {
    struct plan_writer w = {.bytes = buf_make(PLAN_BYTES_MAX)};
    put(&w, x->operators);
    for (unsigned i = 0; i < x->operators; i++)
        put_operator(&w, x, x->operator[i]);
    for (unsigned i = 0; w.failed == 0 && i < 2; i++) {
        uint64_t hash = sql_hash_bytes(i, buf_slice(&w.bytes));
        memcpy(ret + i * sizeof hash, &hash, sizeof hash);
    }
    buf_free(&w.bytes);
    return w.failed ? -ENOMEM : 0;
}
