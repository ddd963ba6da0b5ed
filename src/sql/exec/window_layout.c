/*
 * window_layout.c - a partition laid out: its rows in order, their peers, their arguments.
 */
#include "sql/exec/window.h"

static int layout_take(struct window *w, size_t count, struct sql_error *error) {
    struct layout *l = &w->layout;
    size_t room = count + 1;
    *l = (struct layout){.count = count};
    l->row = arena_alloc(&w->arena, room * sizeof(struct placed *));
    l->peers = arena_alloc(&w->arena, room * sizeof *l->peers);
    l->peers_end = arena_alloc(&w->arena, room * sizeof *l->peers_end);
    l->group = arena_alloc(&w->arena, room * sizeof *l->group);
    l->group_at = arena_alloc(&w->arena, room * sizeof *l->group_at);
    l->order = arena_alloc(&w->arena, room * sizeof *l->order);
    l->order_null = arena_alloc(&w->arena, room);
    bool ok =
        l->row && l->peers && l->peers_end && l->group && l->group_at && l->order && l->order_null;
    for (unsigned i = 0; ok && i < w->base.plan->windows; i++) {
        struct windowed *f = &w->windowed[i];
        f->counted = f->filter ? arena_alloc(&w->arena, room) : NULL;
        f->result = arena_zalloc(&w->arena, room, sizeof *f->result);
        f->result_null = arena_zalloc(&w->arena, room, 1);
        ok = f->result && f->result_null && (!f->filter || f->counted);
        for (unsigned a = 0; ok && a < f->plan->count; a++) {
            f->cells[a] = arena_alloc(&w->arena, room * sizeof **f->cells);
            f->nulls[a] = arena_alloc(&w->arena, room);
            ok = f->cells[a] && f->nulls[a];
        }
    }
    return ok ? 0 : sql_fail_memory(error);
}

static bool are_peers(const struct placed *a, const struct placed *b) {
    return a->row_at == b->row_at && memcmp(a->bytes, b->bytes, a->row_at) == 0;
}

/* A row that is there twice has two places. */
static void place_rows(struct layout *l, const struct sql_partition *p) {
    size_t at = 0;
    for (struct sql_node *n = sql_tree_first(&p->rows); n; n = sql_node_next(n)) {
        for (int64_t i = 0; i < n->weight; i++)
            l->row[at++] = (struct placed *)n;
    }
    check(at == l->count);
}

static void find_peers(struct layout *l) {
    for (size_t at = 0; at < l->count; at++) {
        if (at == 0 || !are_peers(l->row[at - 1], l->row[at]))
            l->group_at[l->groups++] = at;
        l->group[at] = l->groups - 1;
    }
    l->group_at[l->groups] = l->count;
    for (size_t at = 0; at < l->count; at++) {
        l->peers[at] = l->group_at[l->group[at]];
        l->peers_end[at] = l->group_at[l->group[at] + 1];
    }
}

static void keep_column(const struct sql_column *c, unsigned rows, union sql_cell *cells,
                        uint8_t *nulls) {
    for (unsigned row = 0; row < rows; row++) {
        nulls[row] = sql_null_at(c, row);
        if (!nulls[row])
            cells[row] = *sql_cell_at(c, row);
    }
}

/* The arguments of the rows from AT on, which are in w->rows. */
static int evaluate_some(struct window *w, size_t at, struct sql_error *error) {
    struct sql_batch batch = sql_builder_batch(&w->rows);
    const struct sql_plan *plan = w->base.plan;
    struct sql_column c;
    if (plan->orders == 1)
        keep_column(&batch.column[plan->order[0].column], batch.rows, &w->layout.order[at],
                    &w->layout.order_null[at]);
    for (unsigned i = 0; i < plan->windows; i++) {
        struct windowed *f = &w->windowed[i];
        for (unsigned a = 0; a < f->plan->count; a++) {
            int r = sql_evaluate(f->argument[a], &batch, &w->arena, &c, error);
            if (r)
                return r;
            keep_column(&c, batch.rows, f->cells[a] + at, f->nulls[a] + at);
        }
        if (!f->filter)
            continue;
        int r = sql_evaluate(f->filter, &batch, &w->arena, &c, error);
        if (r)
            return r;
        for (unsigned row = 0; row < batch.rows; row++)
            f->counted[at + row] = !sql_null_at(&c, row) && sql_cell_at(&c, row)->i;
    }
    return 0;
}

static int evaluate_all(struct window *w, struct sql_error *error) {
    struct layout *l = &w->layout;
    struct sql_operator *o = &w->base;
    unsigned columns = o->plan->input[0]->columns;
    for (size_t at = 0; at < l->count;) {
        size_t from = at;
        w->rows.rows = 0;
        for (; at < l->count && !sql_builder_full(&w->rows); at++) {
            const struct placed *n = l->row[at];
            slice row = slice_make(n->bytes + n->row_at, n->node.key_len - n->row_at);
            ptrdiff_t used =
                sql_row_decode(row, o->input[0]->types, columns, &w->arena, o->cells, o->nulls);
            if (used < 0)
                return operator_fail(o, (int)used, error);
            for (unsigned i = 0; i < columns; i++)
                sql_builder_set(&w->rows, i, &o->cells[i], o->nulls[i]);
            sql_builder_end(&w->rows, 1);
        }
        int r = evaluate_some(w, from, error);
        if (r)
            return r;
    }
    return 0;
}

/* NULLs stand together, at one end. */
static void find_known(struct layout *l) {
    while (l->known < l->count && l->order_null[l->known])
        l->known++;
    l->known_end = l->known;
    while (l->known_end < l->count && !l->order_null[l->known_end])
        l->known_end++;
}

int window_layout(struct window *w, const struct sql_partition *p, struct sql_error *error) {
    size_t count = 0;
    for (struct sql_node *n = sql_tree_first(&p->rows); n; n = sql_node_next(n))
        count += n->weight > 0 ? (size_t)n->weight : 0;
    int r = layout_take(w, count, error);
    if (r)
        return r;
    place_rows(&w->layout, p);
    find_peers(&w->layout);
    r = evaluate_all(w, error);
    if (r == 0 && w->base.plan->orders == 1)
        find_known(&w->layout);
    return r;
}
