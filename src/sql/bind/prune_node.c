/*
 * prune_node.c - a node without the columns nobody needs (prune.c): its expressions renumbered, its
 * own columns counted anew.
 */
#include "sql/bind/move.h"
#include "sql/bind/prune.h"

struct renumbering {
    const unsigned *left, *right;
    unsigned old_left, new_left; /* widths of the left input */
};

static struct sql_expr *renumber_column(struct sql_binder *b, struct sql_expr *e, void *self) {
    const struct renumbering *r = self;
    if (e->kind != SQL_EXPR_COLUMN)
        return NULL;
    unsigned index =
        e->index < r->old_left ? r->left[e->index] : r->new_left + r->right[e->index - r->old_left];
    return index == e->index ? NULL : bind_column(b, index, e->type, e->location);
}

static int renumber_slot(struct sql_binder *b, struct sql_expr **slot, void *self) {
    struct sql_expr *e = bind_map(b, *slot, renumber_column, self);
    if (!e)
        return -1;
    *slot = e;
    return 0;
}

/* All expressions of P, over its inputs' new columns. */
static int renumber(struct sql_binder *b, struct pruning *u, struct sql_plan *p) {
    struct sql_plan *old_left = p->input[0], *left = u->to[old_left->number];
    struct renumbering r = {u->map[old_left->number],
                            p->inputs > 1 ? u->map[p->input[1]->number] : NULL,
                            u->width[old_left->number], left->columns};
    struct sql_expr **right_key = p->right_key;
    unsigned keys = p->keys;
    for (unsigned i = 0; i < keys; i++) {
        struct renumbering own = {r.right, NULL, UINT32_MAX, 0};
        if (renumber_slot(b, &right_key[i], &own) < 0 || renumber_slot(b, &p->left_key[i], &r) < 0)
            return -1;
    }
    p->keys = 0;
    int result = bind_each_slot(b, p, renumber_slot, &r);
    p->keys = keys;
    return result;
}

static const unsigned *map_of(const struct pruning *u, const struct sql_plan *input) {
    return u->map[input->number];
}

/* Columns as the input's (FILTER, TOP), and EXTRA more. */
static int like_input(struct sql_binder *b, struct pruning *u, struct sql_plan *p,
                      const struct sql_plan *old, unsigned extra) {
    const struct sql_plan *input = p->input[0];
    unsigned width = u->width[old->number], *own = u->map[p->number];
    struct sql_plan_column *column = bind_alloc(b, input->columns + extra + 1, sizeof *column);
    if (!column)
        return -1;
    bind_move(column, input->column, input->columns * sizeof *column);
    bind_move(column + input->columns, p->column + p->columns - extra, extra * sizeof *column);
    bind_move(own, map_of(u, old), width * sizeof *own);
    for (unsigned i = 0; i < extra; i++)
        own[width + i] = input->columns + i;
    p->column = column;
    p->columns = input->columns + extra;
    return 0;
}

static struct sql_plan *prune_scan(struct pruning *u, struct sql_plan *p) {
    unsigned kept = 0;
    for (unsigned i = 0; i < p->columns; i++) {
        u->map[p->number][i] = kept;
        if (!u->needed[p->number][i])
            continue;
        p->scan_columns[kept] = p->scan_columns[i];
        p->column[kept++] = p->column[i];
    }
    p->columns = kept;
    return p;
}

static struct sql_plan *prune_values(struct pruning *u, struct sql_plan *p) {
    unsigned kept = 0, old = p->columns;
    for (unsigned i = 0; i < old; i++) {
        u->map[p->number][i] = kept;
        if (u->needed[p->number][i])
            p->column[kept++] = p->column[i];
    }
    unsigned at = 0;
    for (unsigned i = 0; i < p->expressions; i++)
        if (u->needed[p->number][i % old])
            p->expression[at++] = p->expression[i];
    p->expressions = at;
    p->columns = kept;
    return p;
}

struct counting {
    unsigned *uses;
};

static int count_use(struct sql_expr *e, void *self) {
    if (e->kind == SQL_EXPR_COLUMN)
        ((struct counting *)self)->uses[e->index]++;
    return 0;
}

static struct sql_expr *inner_value(struct sql_binder *b, struct sql_expr *e, void *self) {
    (void)b;
    const struct sql_plan *inner = self;
    return e->kind == SQL_EXPR_COLUMN ? inner->expression[e->index] : NULL;
}

/* PROJECT over PROJECT: one, unless that would compute something twice. */
static int merge_projects(struct sql_binder *b, struct sql_plan *p) {
    struct sql_plan *inner = p->input[0];
    struct counting counting = {bind_alloc(b, inner->columns + 1, sizeof *counting.uses)};
    if (!counting.uses)
        return -1;
    for (unsigned i = 0; i < p->expressions; i++)
        (void)sql_expr_walk(p->expression[i], count_use, &counting);
    for (unsigned i = 0; i < inner->columns; i++) {
        const struct sql_expr *e = inner->expression[i];
        if ((e->count && counting.uses[i] > 1) || (sql_expr_flags(e) & SQL_VOLATILE))
            return 0;
    }
    for (unsigned i = 0; i < p->expressions; i++)
        if (!(p->expression[i] = bind_map(b, p->expression[i], inner_value, inner)))
            return -1;
    p->input[0] = inner->input[0];
    return 0;
}

static bool is_shared(const struct pruning *u, const struct sql_plan *p) {
    return p->number < u->known && u->parents[p->number] > 1;
}

static bool changes_nothing(const struct sql_plan *p) {
    if (p->columns != p->input[0]->columns)
        return false;
    for (unsigned i = 0; i < p->columns; i++)
        if (p->expression[i]->kind != SQL_EXPR_COLUMN || p->expression[i]->index != i)
            return false;
    return true;
}

static struct sql_plan *prune_project(struct sql_binder *b, struct pruning *u, struct sql_plan *p) {
    unsigned kept = 0;
    struct sql_expr **e = bind_alloc(b, p->columns + 1, sizeof *e);
    if (!e)
        return NULL;
    for (unsigned i = 0; i < p->columns; i++) {
        u->map[p->number][i] = kept;
        if (!u->needed[p->number][i])
            continue;
        e[kept] = p->expression[i];
        p->column[kept++] = p->column[i];
    }
    p->expression = e;
    p->expressions = p->columns = kept;
    if (renumber(b, u, p) < 0)
        return NULL;
    p->input[0] = u->to[p->input[0]->number];
    while (p->input[0]->kind == SQL_PLAN_PROJECT && !is_shared(u, p->input[0])) {
        const struct sql_plan *inner = p->input[0];
        if (merge_projects(b, p) < 0)
            return NULL;
        if (p->input[0] == inner)
            break;
    }
    if (!changes_nothing(p) || (p == u->root && is_shared(u, p->input[0])))
        return p;
    if (p == u->root)
        bind_move(p->input[0]->column, p->column, p->columns * sizeof *p->column);
    return p->input[0];
}

static struct sql_plan *prune_join(struct sql_binder *b, struct pruning *u, struct sql_plan *p) {
    const struct sql_plan *left = p->input[0], *right = p->input[1];
    if (renumber(b, u, p) < 0)
        return NULL;
    unsigned width = u->width[left->number], *own = u->map[p->number];
    p->input[0] = u->to[left->number];
    p->input[1] = u->to[right->number];
    unsigned l = p->input[0]->columns, r = bind_join_is_half(p->join) ? 0 : p->input[1]->columns;
    for (unsigned i = 0; i < u->width[p->number]; i++)
        own[i] = i < width ? map_of(u, left)[i] : l + map_of(u, right)[i - width];
    if (!(p->column = bind_alloc(b, l + r + 1, sizeof *p->column)))
        return NULL;
    bind_move(p->column, p->input[0]->column, l * sizeof *p->column);
    bind_move(p->column + l, p->input[1]->column, r * sizeof *p->column);
    p->columns = l + r;
    return p;
}

static struct sql_plan *prune_aggregate(struct sql_binder *b, struct pruning *u,
                                        struct sql_plan *p) {
    unsigned kept = 0, *own = u->map[p->number];
    for (unsigned i = 0; i < p->groups; i++)
        own[i] = i;
    for (unsigned i = 0; i < p->aggregates; i++) {
        unsigned at = p->groups + i;
        own[at] = p->groups + kept;
        if (!u->needed[p->number][at])
            continue;
        p->aggregate[kept] = p->aggregate[i];
        p->column[p->groups + kept++] = p->column[at];
    }
    p->aggregates = kept;
    p->columns = p->groups + kept;
    if (renumber(b, u, p) < 0)
        return NULL;
    p->input[0] = u->to[p->input[0]->number];
    return p;
}

/* Inputs of a UNION have the same columns: one that must keep more for another parent is cut. */
static struct sql_plan *prune_union(struct sql_binder *b, struct pruning *u, struct sql_plan *p) {
    unsigned kept = 0, old = p->columns;
    unsigned *own = u->map[p->number];
    for (unsigned i = 0; i < old; i++) {
        own[i] = kept;
        if (u->needed[p->number][i])
            p->column[kept++] = p->column[i];
    }
    for (unsigned k = 0; k < p->inputs; k++) {
        const struct sql_plan *input = p->input[k];
        unsigned *which = bind_alloc(b, kept + 1, sizeof *which), at = 0;
        for (unsigned i = 0; which && i < old; i++)
            if (u->needed[p->number][i])
                which[at++] = map_of(u, input)[i];
        p->input[k] = which ? bind_plan_pick(b, u->to[input->number], which, kept) : NULL;
        if (!p->input[k])
            return NULL;
    }
    p->columns = kept;
    return p;
}

/* Nodes whose columns are the input's, and some of their own behind. */
static struct sql_plan *prune_over(struct sql_binder *b, struct pruning *u, struct sql_plan *p) {
    const struct sql_plan *old = p->input[0];
    const unsigned *map = map_of(u, old);
    unsigned width = u->width[old->number], kept = 0;
    for (unsigned i = 0; i < p->windows; i++)
        if (u->needed[p->number][width + i]) {
            p->window[kept] = p->window[i];
            p->column[width + kept++] = p->column[width + i];
        }
    bool idle = (p->kind == SQL_PLAN_WINDOW && kept == 0) ||
                (p->kind == SQL_PLAN_FILTER && p->predicate->kind == SQL_EXPR_CONST &&
                 !p->predicate->null && p->predicate->cell.i);
    unsigned *own = u->map[p->number];
    if (idle) {
        bind_move(own, map, width * sizeof *own);
        return u->to[old->number];
    }
    unsigned extra = p->kind == SQL_PLAN_WINDOW ? kept : p->columns - width;
    unsigned *partition = bind_alloc(b, p->partitions + 1, sizeof *partition);
    struct sql_sort_key *order = bind_alloc(b, p->orders + 1, sizeof *order);
    if (!partition || !order)
        return NULL;
    for (unsigned i = 0; i < p->partitions; i++)
        partition[i] = map[p->partition[i]];
    for (unsigned i = 0; i < p->orders; i++) {
        order[i] = p->order[i];
        order[i].column = map[order[i].column];
    }
    p->partition = partition;
    p->order = order;
    if (p->kind == SQL_PLAN_TUMBLE || p->kind == SQL_PLAN_SESSION)
        p->time_column = map[p->time_column];
    unsigned asked = p->windows;
    p->windows = kept;
    p->columns = width + extra;
    if (renumber(b, u, p) < 0)
        return NULL;
    p->input[0] = u->to[old->number];
    if (like_input(b, u, p, old, extra) < 0)
        return NULL;
    for (unsigned i = 0, at = 0; i < asked; i++) {
        own[width + i] = p->input[0]->columns + at;
        at += u->needed[p->number][width + i];
    }
    return p;
}

struct sql_plan *prune_node(struct sql_binder *b, struct pruning *u, struct sql_plan *p) {
    switch (p->kind) {
    case SQL_PLAN_SCAN:
        return prune_scan(u, p);
    case SQL_PLAN_VALUES:
        return prune_values(u, p);
    case SQL_PLAN_PROJECT:
        return prune_project(b, u, p);
    case SQL_PLAN_JOIN:
        return prune_join(b, u, p);
    case SQL_PLAN_AGGREGATE:
        return prune_aggregate(b, u, p);
    case SQL_PLAN_UNION:
    case SQL_PLAN_INTERSECT:
    case SQL_PLAN_EXCEPT:
        return prune_union(b, u, p);
    default:
        return prune_over(b, u, p);
    }
}
