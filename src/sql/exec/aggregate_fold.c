/*
 * aggregate_fold.c - rows into states, a batch and an aggregate at a time; results out of them.
 */
#include "sql/exec/aggregate.h"

/* ---- what a batch says to each aggregate -------------------------------------------------- */

static int evaluate_filter(struct aggregate *a, struct folded *f, const struct sql_batch *batch,
                           struct sql_error *error) {
    f->counted = NULL;
    if (!f->filter)
        return 0;
    struct sql_column c;
    int r = sql_evaluate(f->filter, batch, &a->base.memory, &c, error);
    f->counted = arena_alloc(&a->base.memory, batch->rows);
    if (r || !f->counted)
        return r ? r : sql_fail_memory(error);
    for (unsigned row = 0; row < batch->rows; row++)
        f->counted[row] = !sql_null_at(&c, row) && sql_cell_at(&c, row)->i;
    return 0;
}

static int evaluate_arguments(struct aggregate *a, struct folded *f, const struct sql_batch *batch,
                              struct sql_error *error) {
    for (unsigned i = 0; i < f->count; i++) {
        int r = sql_evaluate(f->argument[i], batch, &a->base.memory, &f->columns[i], error);
        if (r)
            return r;
    }
    if (f->keeping == KEEP_ENDS)
        f->order_columns[0] = f->columns[0];
    for (unsigned i = 0; f->keeping == KEEP_BAG && i < f->plan->order_count; i++) {
        int r = sql_evaluate(f->order[i], batch, &a->base.memory, &f->order_columns[i], error);
        if (r)
            return r;
    }
    return 0;
}

int fold_evaluate(struct aggregate *a, const struct sql_batch *batch, struct sql_error *error) {
    int r = 0;
    for (unsigned i = 0; r == 0 && i < a->base.plan->aggregates; i++) {
        struct folded *f = &a->folded[i];
        if (f->keeping == KEEP_GROUPING)
            continue;
        r = evaluate_filter(a, f, batch, error);
        if (r == 0)
            r = evaluate_arguments(a, f, batch, error);
    }
    for (struct distinct *d = a->distincts; r == 0 && d; d = d->next) {
        r = sql_keys_columns(d->keys, batch, error);
        if (r == 0)
            r = sql_keys_encode(d->keys, batch->rows, error);
    }
    return r;
}

bool fold_arguments(struct folded *f, unsigned row) {
    bool some_null = false;
    for (unsigned i = 0; i < f->count; i++) {
        f->nulls[i] = sql_null_at(&f->columns[i], row);
        some_null |= f->nulls[i];
        f->cells[i] = *sql_cell_at(&f->columns[i], row);
    }
    return !some_null || f->plan->aggregate->flags & SQL_LENIENT;
}

/* ---- rows in ------------------------------------------------------------------------------ */

#define GATHERED_BYTES 16u /* about what a value costs beside its text */

/* Counts what a state that gathers its values will take for those at hand. */
static int fold_hold(struct aggregate *a, const struct folded *f, struct group *g,
                     struct sql_error *error) {
    uint64_t bytes = 0;
    for (unsigned i = 0; i < f->count; i++) {
        bool text = sql_layout_of(f->types[i].oid) == SQL_LAYOUT_TEXT && !f->nulls[i];
        bytes += GATHERED_BYTES + (text ? f->cells[i].text.len : 0);
    }
    if (sql_budget_take(&a->base.exec->budget, bytes))
        return operator_fail_state(&a->base, error);
    g->held += bytes;
    return 0;
}

static int fold_direct(struct aggregate *a, struct folded *f, const struct sql_batch *batch,
                       struct sql_error *error) {
    const struct sql_aggregate *aggregate = f->plan->aggregate;
    f->call.memory = &a->base.memory;
    f->call.error = error;
    for (unsigned row = 0; row < batch->rows; row++) {
        struct group *g = a->of_row[row];
        if (!g || (f->counted && !f->counted[row]) || !fold_arguments(f, row))
            continue;
        int r = f->gathers ? fold_hold(a, f, g, error) : 0;
        if (r == 0)
            r = aggregate->add(&f->call, fold_state(f, g), f->cells, sql_weight_at(batch, row));
        if (r)
            return r;
    }
    return 0;
}

int fold_rows(struct aggregate *a, const struct sql_batch *batch, struct sql_error *error) {
    int r = 0;
    for (unsigned i = 0; r == 0 && i < a->base.plan->aggregates; i++) {
        struct folded *f = &a->folded[i];
        if (f->keeping == KEEP_FOLD)
            r = fold_direct(a, f, batch, error);
        else if (keeps_bag(f))
            r = fold_bag(a, f, batch, error);
    }
    for (struct distinct *d = a->distincts; r == 0 && d; d = d->next)
        r = fold_distinct(a, d, batch, error);
    return r;
}

/* ---- results out -------------------------------------------------------------------------- */

/* GROUPING(a, b): the last argument is the lowest bit, as in PostgreSQL. */
static int64_t grouping_of(const struct sql_plan_aggregate *p, uint64_t set) {
    int64_t bits = 0;
    for (unsigned i = 0; i < p->grouping_count; i++)
        bits = bits << 1 | !(set >> p->grouping[i] & 1);
    return bits;
}

int fold_results(struct aggregate *a, struct group *g, struct sql_error *error) {
    for (unsigned i = 0; i < a->base.plan->aggregates; i++) {
        struct folded *f = &a->folded[i];
        union sql_cell *cell = &a->result_cells[i];
        bool null = false;
        int r = 0;
        if (f->keeping == KEEP_GROUPING) {
            cell->i = grouping_of(f->plan, a->set[g->set]);
        } else if (keeps_bag(f)) {
            r = bag_result(a, f, g, cell, &null, error);
        } else {
            f->call.memory = &a->base.out.memory;
            f->call.error = error;
            f->call.null = false;
            r = f->plan->aggregate->result_of(&f->call, fold_state(f, g), cell);
            null = f->call.null;
        }
        if (r)
            return r;
        a->result_nulls[i] = null;
    }
    return 0;
}

void fold_release(struct aggregate *a, struct group *g) {
    for (unsigned i = 0; i < a->base.plan->aggregates; i++) {
        struct folded *f = &a->folded[i];
        if (keeps_bag(f))
            bag_release(a, fold_state(f, g));
        else if (f->keeping != KEEP_GROUPING && f->plan->aggregate->release)
            f->plan->aggregate->release(fold_state(f, g));
    }
}
