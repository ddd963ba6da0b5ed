/*
 * unnest.c - every APPLY becomes a join (Neumann & Kemper, "Unnesting Arbitrary Queries", BTW
 * 2015).
 *
 *   APPLY (L, R using L.x)   =>   JOIN (L, R') on L.x = R'.x
 *
 * R' answers R for all values of x at once: the distinct values of x in L (the domain) are pushed
 * down R until nothing below uses them, and ride along as columns (unnest_push.c). Where R itself
 * says `something = x` the domain is not needed: that something is the column.
 *
 * Innermost APPLYs go first, so the one at hand has none within. Three shapes need no join at all
 * or a simpler one: a projection of nothing, functions that give rows (a SET over L), and an
 * aggregate without groups, whose value for no rows is put in by the LEFT JOIN itself.
 */
#include "sql/bind/unnest.h"
#include "sql/bind/move.h"

#include "base/mem.h"

#include <errno.h>

struct sql_expr *unnest_same(struct sql_binder *b, struct sql_expr *a, struct sql_expr *c) {
    struct sql_expr *e = bind_expr(b, SQL_EXPR_DISTINCT, sql_type_of(SQL_BOOL), -1, 2);
    if (!e || !a || !c)
        return NULL;
    e->arguments[0] = a;
    e->arguments[1] = c;
    return bind_unary(b, SQL_EXPR_NOT, e);
}

static struct sql_expr *mark_own(struct sql_binder *b, struct sql_expr *e, void *self) {
    struct unnesting *u = self;
    unsigned at = 0;
    while (at < u->count && u->outer[at] != e->index)
        at++;
    if (at == u->count)
        u->outer[u->count++] = e->index;
    struct sql_expr *own = bind_expr(b, SQL_EXPR_OUTER, e->type, e->location, 0);
    if (own) {
        own->index = at;
        own->level = UNNEST_OWN;
    }
    return own;
}

/* Own columns marked and numbered, those of APPLYs further out one level nearer. */
static int find_outer(struct sql_binder *b, struct unnesting *u, struct sql_plan *right) {
    if (!(u->outer = bind_alloc(b, u->left->columns + 1, sizeof *u->outer)))
        return -ENOMEM;
    return bind_replace_outer(b, right, 0, mark_own, u, true);
}

struct substitution {
    const struct unnesting *u;
    struct sql_expr **columns; /* COLUMN i becomes this; NULL: stays */
};

static struct sql_expr *substitute_node(struct sql_binder *b, struct sql_expr *e, void *self) {
    const struct substitution *s = self;
    if (e->kind == SQL_EXPR_COLUMN && s->columns)
        return s->columns[e->index];
    if (e->kind == SQL_EXPR_OUTER && e->level == UNNEST_OWN)
        return bind_column(b, s->u->outer[e->index], e->type, e->location);
    return NULL;
}

/* PROJECT nodes from RIGHT down to what is none; at most MAX. */
static unsigned projections(struct sql_plan *right, struct sql_plan **chain, unsigned max,
                            struct sql_plan **ret_below) {
    unsigned count = 0;
    while (right->kind == SQL_PLAN_PROJECT && count < max) {
        chain[count++] = right;
        right = right->input[0];
    }
    *ret_below = right;
    return count;
}

#define CHAIN_MAX 16u

/* The chain's expressions over BASE, whose first columns are left's: COLUMNS are what the lowest
   projection reads. Gives left's columns, then the results. */
static struct sql_plan *project_chain(struct sql_binder *b, const struct unnesting *u,
                                      struct sql_plan *base, struct sql_plan **chain,
                                      unsigned count, struct sql_expr **columns, unsigned width) {
    for (unsigned i = count; i-- > 0;) {
        struct substitution s = {u, columns};
        struct sql_plan *p = chain[i];
        struct sql_expr **next = bind_alloc(b, p->expressions + 1, sizeof *next);
        for (unsigned e = 0; next && e < p->expressions; e++)
            if (!(next[e] = bind_map(b, p->expression[e], substitute_node, &s)))
                return NULL;
        if (!next)
            return NULL;
        columns = next;
        width = p->expressions;
    }
    unsigned left = u->left->columns;
    struct sql_expr **all = bind_alloc(b, left + width + 1, sizeof *all);
    for (unsigned i = 0; all && i < left; i++)
        if (!(all[i] = bind_column(b, i, u->left->column[i].type, -1)))
            return NULL;
    if (!all)
        return NULL;
    bind_move(all + left, columns, width * sizeof *all);
    return bind_plan_project(b, base, all, NULL, left + width);
}

static bool is_nothing(const struct sql_plan *p) {
    return p->kind == SQL_PLAN_VALUES && p->rows == 1 && p->columns == 0;
}

/* LATERAL (SELECT a.x + 1), LATERAL generate_series(1, a.x). */
static struct sql_plan *apply_without_rows(struct sql_binder *b, struct unnesting *u,
                                           struct sql_plan *apply) {
    struct sql_plan *chain[CHAIN_MAX], *below;
    unsigned count = projections(apply->input[1], chain, CHAIN_MAX, &below);
    bool set = below->kind == SQL_PLAN_SET && is_nothing(below->input[0]);
    bool one = apply->join == SQL_JOIN_SCALAR || apply->join == SQL_JOIN_LEFT;
    if (bind_join_is_half(apply->join) || (!set && !is_nothing(below)) ||
        (set && apply->join == SQL_JOIN_SCALAR) || (one && apply->predicate) ||
        (set && one && count))
        return NULL;
    if (!set)
        return project_chain(b, u, u->left, chain, count, NULL, 0);
    unsigned left = u->left->columns;
    struct sql_plan *p = bind_plan(b, SQL_PLAN_SET, 1, left + below->columns);
    struct sql_expr **columns = bind_alloc(b, below->columns + 1, sizeof *columns);
    if (!p || !columns)
        return NULL;
    struct substitution s = {u, NULL};
    for (unsigned i = 0; i < below->sets; i++)
        for (unsigned a = 0; a < below->set[i].count; a++)
            if (!(below->set[i].arguments[a] =
                      bind_map(b, below->set[i].arguments[a], substitute_node, &s)))
                return NULL;
    p->input[0] = u->left;
    p->sets = below->sets;
    p->set = below->set;
    p->ordinality = below->ordinality;
    p->outer = one;
    bind_move(p->column, u->left->column, left * sizeof *p->column);
    bind_move(p->column + left, below->column, below->columns * sizeof *p->column);
    for (unsigned i = 0; i < below->columns; i++)
        if (!(columns[i] = bind_column(b, left + i, below->column[i].type, -1)))
            return NULL;
    return count ? project_chain(b, u, p, chain, count, columns, below->columns) : p;
}

/* L.x = R'.x for each outer column: as keys where a value is never NULL on the right. */
static struct sql_expr *same_values(struct sql_binder *b, const struct unnesting *u,
                                    unsigned right_at) {
    struct sql_expr *all = NULL;
    for (unsigned i = 0; i < u->count; i++) {
        struct sql_type type = sql_type_of(u->left->column[u->outer[i]].type.oid);
        struct sql_expr *l = bind_column(b, u->outer[i], type, -1);
        struct sql_expr *r = bind_column(b, right_at + i, type, -1);
        struct sql_expr *one = !l || !r    ? NULL
                               : u->domain ? unnest_same(b, l, r)
                                           : bind_operator(b, slice_lit("="), l, r, -1);
        all = one ? bind_both(b, SQL_EXPR_AND, all, one) : NULL;
        if (!all)
            return NULL;
    }
    return all;
}

/* (SELECT sum(y) + 1 FROM r WHERE r.k = l.k): the groups by LEFT JOIN, no rows told by NULL. */
static struct sql_plan *apply_aggregate(struct sql_binder *b, struct unnesting *u,
                                        struct sql_plan *apply) {
    struct sql_plan *chain[CHAIN_MAX], *below;
    unsigned count = projections(apply->input[1], chain, CHAIN_MAX, &below);
    if (below->kind != SQL_PLAN_AGGREGATE || below->groups || below->grouping_sets ||
        bind_join_is_half(apply->join) || (apply->join != SQL_JOIN_INNER && apply->predicate))
        return NULL;
    struct sql_plan *grouped = unnest_group(b, u, below);
    unsigned left = u->left->columns;
    struct sql_expr *same = grouped ? same_values(b, u, left + below->columns) : NULL;
    struct sql_plan *join =
        same ? bind_plan_join(b, SQL_PLAN_JOIN, SQL_JOIN_LEFT, u->left, grouped, same) : NULL;
    struct sql_expr **columns = bind_alloc(b, below->columns + 1, sizeof *columns);
    if (!join || !columns)
        return NULL;
    for (unsigned i = 0; i < below->columns; i++) {
        struct sql_type type = below->column[i].type;
        struct sql_expr *empty = unnest_empty_value(b, &below->aggregate[i]);
        columns[i] = bind_column(b, left + i, type, -1);
        if (!empty || !columns[i])
            return NULL;
        if (empty->null)
            continue;
        struct sql_expr *e = bind_expr(b, SQL_EXPR_COALESCE, type, -1, 2);
        if (!e)
            return NULL;
        e->arguments[0] = columns[i];
        e->arguments[1] = empty;
        columns[i] = e;
    }
    struct sql_plan *p = project_chain(b, u, join, chain, count, columns, below->columns);
    return p && apply->predicate ? bind_plan_filter(b, p, apply->predicate) : p;
}

/* NOT IN beside outer columns: the comparison alone minds NULLs, so it is said in full. */
static struct sql_expr *join_predicate(struct sql_binder *b, struct sql_plan *apply,
                                       struct sql_expr *same) {
    struct sql_expr *predicate = apply->predicate;
    if (predicate && apply->join == SQL_JOIN_ANTI_NULL) {
        apply->join = SQL_JOIN_ANTI;
        predicate = bind_unary(b, SQL_EXPR_NOT, bind_unary(b, SQL_EXPR_IS_FALSE, predicate));
        if (!predicate)
            return NULL;
    }
    return bind_both(b, SQL_EXPR_AND, same, predicate);
}

static struct sql_plan *apply_by_domain(struct sql_binder *b, struct unnesting *u,
                                        struct sql_plan *apply) {
    struct sql_plan *right = apply->input[1];
    struct sql_plan *pushed = unnest_push(b, u, right);
    unsigned left = u->left->columns;
    struct sql_expr *same = pushed ? same_values(b, u, left + right->columns) : NULL;
    struct sql_expr *predicate = same ? join_predicate(b, apply, same) : NULL;
    struct sql_plan *join =
        predicate ? bind_plan_join(b, SQL_PLAN_JOIN, apply->join, u->left, pushed, predicate)
                  : NULL;
    return join ? bind_plan_first(b, join, apply->columns) : NULL;
}

static struct sql_plan *unnest_apply(struct sql_binder *b, struct sql_plan *apply) {
    struct unnesting u = {.left = apply->input[0]};
    if (find_outer(b, &u, apply->input[1]) < 0)
        return NULL;
    struct sql_plan *made = apply_without_rows(b, &u, apply);
    if (made || b->error->state[0])
        return made && apply->predicate ? bind_plan_filter(b, made, apply->predicate) : made;
    if (u.count == 0)
        return bind_plan_join(b, SQL_PLAN_JOIN, apply->join, u.left, apply->input[1],
                              apply->predicate);
    u.memo_count = b->plans;
    _cleanup_mem_ struct sql_plan **memo = mem_zalloc(b->plans, sizeof(struct sql_plan *));
    if (!(u.memo = memo))
        return sql_fail_memory(b->error), NULL;
    made = apply_aggregate(b, &u, apply);
    return made || b->error->state[0] ? made : apply_by_domain(b, &u, apply);
}

static int unnest_down(struct sql_binder *b, struct sql_plan **place, struct sql_plan **done,
                       unsigned count) {
    struct sql_plan *p = *place;
    if (p->number < count && done[p->number]) {
        *place = done[p->number];
        return 0;
    }
    int result = bind_enter(b);
    if (result < 0)
        return result;
    for (unsigned i = 0; result == 0 && i < p->inputs; i++)
        result = unnest_down(b, &p->input[i], done, count);
    struct sql_plan *made = p;
    if (result == 0 && p->kind == SQL_PLAN_APPLY && !(made = unnest_apply(b, p)))
        result = -EINVAL;
    bind_leave(b);
    if (result == 0 && p->number < count)
        done[p->number] = made;
    *place = made;
    return result;
}

int bind_unnest(struct sql_binder *b, struct sql_plan **plan) {
    unsigned count = b->plans;
    _cleanup_mem_ struct sql_plan **done = mem_zalloc(count + 1, sizeof(struct sql_plan *));
    return done ? unnest_down(b, plan, done, count) : sql_fail_memory(b->error);
}
