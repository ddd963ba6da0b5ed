/*
 * prune.c - only columns that somebody reads are made, by the scans above all.
 *
 *   down   each node, parents first, notes which columns of its inputs it needs
 *   up     each node, inputs first, drops what nobody needs and renumbers its expressions
 *
 * A shared node keeps what any parent needs. Projections of projections become one, those that
 * change nothing go, as do filters that are true and window functions nobody asks.
 */
#include "sql/bind/prune.h"

#include "base/mem.h"

#include <errno.h>

struct list {
    struct sql_plan **node; /* inputs before those that read them */
    unsigned count;
};

static int list_node(struct sql_binder *b, struct sql_plan *p, void *self) {
    (void)b;
    struct list *all = self;
    all->node[all->count++] = p;
    return 0;
}

struct wanting {
    unsigned left_width;
    uint8_t *left, *right;
};

static int want_node(struct sql_expr *e, void *self) {
    const struct wanting *w = self;
    if (e->kind == SQL_EXPR_COLUMN && e->index < w->left_width)
        w->left[e->index] = 1;
    else if (e->kind == SQL_EXPR_COLUMN)
        w->right[e->index - w->left_width] = 1;
    return 0;
}

/* The columns that E, an expression over P's inputs, reads. */
static void want(struct pruning *u, struct sql_plan *p, struct sql_expr *e) {
    struct wanting w = {p->input[0]->columns, u->needed[p->input[0]->number],
                        p->inputs > 1 ? u->needed[p->input[1]->number] : NULL};
    if (e)
        (void)sql_expr_walk(e, want_node, &w);
}

static int want_right(struct sql_expr *e, void *self) {
    if (e->kind == SQL_EXPR_COLUMN)
        ((uint8_t *)self)[e->index] = 1;
    return 0;
}

static void want_columns(uint8_t *needed, const unsigned *list, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        needed[list[i]] = 1;
}

static void want_aggregate(struct pruning *u, struct sql_plan *p, const uint8_t *own) {
    for (unsigned i = 0; i < p->groups; i++)
        want(u, p, p->group[i]);
    for (unsigned i = 0; i < p->aggregates; i++) {
        struct sql_plan_aggregate *a = &p->aggregate[i];
        if (!own[p->groups + i])
            continue;
        for (unsigned k = 0; k < a->count; k++)
            want(u, p, a->arguments[k]);
        for (unsigned k = 0; k < a->order_count; k++)
            want(u, p, a->order[k]);
        want(u, p, a->filter);
    }
}

static void want_windows(struct pruning *u, struct sql_plan *p, const uint8_t *own) {
    for (unsigned i = 0; i < p->windows; i++) {
        if (!own[p->input[0]->columns + i])
            continue;
        for (unsigned k = 0; k < p->window[i].count; k++)
            want(u, p, p->window[i].arguments[k]);
        want(u, p, p->window[i].filter);
    }
}

static bool any_window(const struct sql_plan *p, const uint8_t *own) {
    for (unsigned i = 0; i < p->windows; i++)
        if (own[p->input[0]->columns + i])
            return true;
    return false;
}

static void want_join(struct pruning *u, struct sql_plan *p, const uint8_t *own) {
    uint8_t *left = u->needed[p->input[0]->number], *right = u->needed[p->input[1]->number];
    for (unsigned i = 0; i < p->columns; i++)
        if (own[i] && i < p->input[0]->columns)
            left[i] = 1;
        else if (own[i])
            right[i - p->input[0]->columns] = 1;
    want(u, p, p->predicate);
    for (unsigned i = 0; i < p->keys; i++) {
        want(u, p, p->left_key[i]);
        (void)sql_expr_walk(p->right_key[i], want_right, right);
    }
}

static void want_inputs(struct pruning *u, struct sql_plan *p) {
    const uint8_t *own = u->needed[p->number];
    if (p->inputs == 0)
        return;
    uint8_t *first = u->needed[p->input[0]->number];
    unsigned width = p->input[0]->columns;
    switch (p->kind) {
    case SQL_PLAN_PROJECT:
        for (unsigned i = 0; i < p->expressions; i++)
            if (own[i])
                want(u, p, p->expression[i]);
        return;
    case SQL_PLAN_JOIN:
        want_join(u, p, own);
        return;
    case SQL_PLAN_AGGREGATE:
        want_aggregate(u, p, own);
        return;
    case SQL_PLAN_DISTINCT:
    case SQL_PLAN_INTERSECT:
    case SQL_PLAN_EXCEPT: /* rows are told apart by all their columns */
        memset(u->needed[p->number], 1, p->columns);
        for (unsigned i = 0; i < p->inputs; i++)
            memset(u->needed[p->input[i]->number], 1, p->columns);
        return;
    case SQL_PLAN_UNION:
        for (unsigned i = 0; i < p->inputs; i++)
            for (unsigned c = 0; c < p->columns; c++)
                u->needed[p->input[i]->number][c] |= own[c];
        return;
    default:
        break;
    }
    for (unsigned i = 0; i < width; i++)
        first[i] |= own[i];
    want(u, p, p->predicate);
    want_windows(u, p, own);
    if (p->kind != SQL_PLAN_WINDOW || any_window(p, own)) {
        want_columns(first, p->partition, p->partitions);
        for (unsigned i = 0; i < p->orders; i++)
            first[p->order[i].column] = 1;
    }
    if (p->kind == SQL_PLAN_TUMBLE || p->kind == SQL_PLAN_SESSION)
        first[p->time_column] = 1;
    for (unsigned i = 0; i < p->sets; i++)
        for (unsigned a = 0; a < p->set[i].count; a++)
            want(u, p, p->set[i].arguments[a]);
}

static int make_rooms(struct pruning *u, const struct list *all) {
    for (unsigned i = 0; i < all->count; i++) {
        const struct sql_plan *p = all->node[i];
        u->width[p->number] = p->columns;
        u->needed[p->number] = arena_zalloc(&u->memory, p->columns + 1, 1);
        u->map[p->number] = arena_zalloc(&u->memory, p->columns + 1, sizeof(unsigned));
        if (!u->needed[p->number] || !u->map[p->number])
            return -ENOMEM;
    }
    return 0;
}

static int prune_list(struct sql_binder *b, struct pruning *u, const struct list *all) {
    if (make_rooms(u, all) < 0)
        return sql_fail_memory(b->error);
    const struct sql_plan *root = all->node[all->count - 1];
    memset(u->needed[root->number], 1, root->columns);
    for (unsigned i = all->count; i-- > 0;)
        want_inputs(u, all->node[i]);
    for (unsigned i = 0; i < all->count; i++) {
        u->to[all->node[i]->number] = prune_node(b, u, all->node[i]);
        if (!u->to[all->node[i]->number])
            return -EINVAL;
    }
    return 0;
}

int rewrite_prune(struct sql_binder *b, struct sql_plan **plan) {
    unsigned count = b->plans + 1;
    _cleanup_arena_ struct arena memory = arena_make(16384, (size_t)1 << 30);
    _cleanup_mem_ unsigned *parents = rewrite_parents(b, *plan);
    struct pruning u = {.parents = parents};
    struct list all = {arena_zalloc(&memory, count, sizeof *all.node), 0};
    u.needed = arena_zalloc(&memory, count, sizeof *u.needed);
    u.map = arena_zalloc(&memory, count, sizeof *u.map);
    u.to = arena_zalloc(&memory, count, sizeof *u.to);
    u.width = arena_zalloc(&memory, count, sizeof *u.width);
    if (!parents || !all.node || !u.needed || !u.map || !u.to || !u.width)
        return sql_fail_memory(b->error);
    u.known = b->plans;
    u.root = *plan;
    int result = bind_each_node(b, *plan, list_node, &all);
    u.memory = memory;
    if (result == 0)
        result = prune_list(b, &u, &all);
    memory = u.memory;
    if (result == 0)
        *plan = u.to[(*plan)->number];
    return result;
}
