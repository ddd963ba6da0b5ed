/*
 * walk.c - walks over plans: every expression of a node, every node once, OUTER columns.
 *
 * An APPLY's right side sees one level more than the APPLY itself, so a walk that looks for the
 * columns of one level counts the right sides it entered. What is correlated is never shared, so
 * each node has one such depth.
 */
#include "base/mem.h"
#include "sql/bind/nodes.h"

#include <errno.h>

static int each_in(struct sql_binder *b, struct sql_expr **list, unsigned count, bind_slot *visit,
                   void *self) {
    int result = 0;
    for (unsigned i = 0; result == 0 && i < count; i++)
        if (list[i])
            result = visit(b, &list[i], self);
    return result;
}

static int each_of_aggregate(struct sql_binder *b, struct sql_plan *p, bind_slot *visit,
                             void *self) {
    int result = each_in(b, p->group, p->groups, visit, self);
    for (unsigned i = 0; result == 0 && i < p->aggregates; i++) {
        struct sql_plan_aggregate *a = &p->aggregate[i];
        if ((result = each_in(b, a->arguments, a->count, visit, self)) == 0 &&
            (result = each_in(b, &a->filter, 1, visit, self)) == 0)
            result = each_in(b, a->order, a->order_count, visit, self);
    }
    return result;
}

static int each_of_windows(struct sql_binder *b, struct sql_plan *p, bind_slot *visit, void *self) {
    int result = 0;
    for (unsigned i = 0; result == 0 && i < p->windows; i++) {
        struct sql_plan_window *w = &p->window[i];
        if ((result = each_in(b, w->arguments, w->count, visit, self)) == 0 &&
            (result = each_in(b, &w->filter, 1, visit, self)) == 0 &&
            (result = each_in(b, &w->start_offset, 1, visit, self)) == 0)
            result = each_in(b, &w->end_offset, 1, visit, self);
    }
    return result;
}

int bind_each_slot(struct sql_binder *b, struct sql_plan *p, bind_slot *visit, void *self) {
    int result = each_in(b, &p->predicate, 1, visit, self);
    result = result ? result : each_in(b, p->left_key, p->keys, visit, self);
    result = result ? result : each_in(b, p->right_key, p->keys, visit, self);
    result = result ? result : each_in(b, p->expression, p->expressions, visit, self);
    for (unsigned i = 0; result == 0 && i < p->sets; i++)
        result = each_in(b, p->set[i].arguments, p->set[i].count, visit, self);
    result = result ? result : each_of_aggregate(b, p, visit, self);
    result = result ? result : each_of_windows(b, p, visit, self);
    result = result ? result : each_in(b, p->lookup_values, p->lookups, visit, self);
    result = result ? result : each_in(b, &p->limit, 1, visit, self);
    return result ? result : each_in(b, &p->offset, 1, visit, self);
}

static int visit_down(struct sql_binder *b, struct sql_plan *p, uint8_t *seen, bind_node *visit,
                      void *self) {
    if (seen[p->number])
        return 0;
    seen[p->number] = 1;
    int result = bind_enter(b);
    if (result < 0)
        return result;
    for (unsigned i = 0; result == 0 && i < p->inputs; i++)
        result = visit_down(b, p->input[i], seen, visit, self);
    if (result == 0)
        result = visit(b, p, self);
    bind_leave(b);
    return result;
}

int bind_each_node(struct sql_binder *b, struct sql_plan *plan, bind_node *visit, void *self) {
    _cleanup_mem_ uint8_t *seen = mem_zalloc(b->plans + 1, 1);
    if (!seen)
        return sql_fail_memory(b->error);
    return visit_down(b, plan, seen, visit, self);
}

/* A walk that knows how many right sides of APPLYs lie around each node. */
typedef int deep_node(struct sql_binder *b, struct sql_plan *p, unsigned deep, void *self);

static int visit_deep(struct sql_binder *b, struct sql_plan *p, unsigned deep, uint8_t *seen,
                      deep_node *visit, void *self) {
    if (seen[p->number])
        return 0;
    seen[p->number] = 1;
    int result = bind_enter(b);
    if (result < 0)
        return result;
    for (unsigned i = 0; result == 0 && i < p->inputs; i++)
        result = visit_deep(b, p->input[i], deep + (p->kind == SQL_PLAN_APPLY && i == 1), seen,
                            visit, self);
    if (result == 0)
        result = visit(b, p, deep, self);
    bind_leave(b);
    return result;
}

static int each_deep(struct sql_binder *b, struct sql_plan *plan, deep_node *visit, void *self) {
    _cleanup_mem_ uint8_t *seen = mem_zalloc(b->plans + 1, 1);
    if (!seen)
        return sql_fail_memory(b->error);
    return visit_deep(b, plan, 0, seen, visit, self);
}

struct reach {
    unsigned deep;
    int levels;
};

static int reach_of_node(struct sql_expr *e, void *self) {
    struct reach *r = self;
    if (e->kind == SQL_EXPR_OUTER && e->level >= r->deep) {
        int levels = (int)(e->level - r->deep) + 1;
        r->levels = levels > r->levels ? levels : r->levels;
    }
    return 0;
}

static int reach_of_slot(struct sql_binder *b, struct sql_expr **slot, void *self) {
    (void)b;
    return sql_expr_walk(*slot, reach_of_node, self);
}

static int reach_of_plan(struct sql_binder *b, struct sql_plan *p, unsigned deep, void *self) {
    struct reach *r = self;
    r->deep = deep;
    return bind_each_slot(b, p, reach_of_slot, r);
}

int bind_outer_reach(struct sql_binder *b, struct sql_plan *plan) {
    struct reach r = {0, 0};
    int result = each_deep(b, plan, reach_of_plan, &r);
    return result < 0 ? result : r.levels;
}

struct replacing {
    unsigned level, deep;
    bool lower;
    bind_visit *visit;
    void *self;
};

static struct sql_expr *replace_node(struct sql_binder *b, struct sql_expr *e, void *self) {
    const struct replacing *r = self;
    if (e->kind != SQL_EXPR_OUTER || e->level < r->level + r->deep)
        return NULL;
    if (e->level == r->level + r->deep && r->visit)
        return r->visit(b, e, r->self);
    if (!r->lower || e->level == r->level + r->deep)
        return NULL;
    struct sql_expr *lower = bind_expr(b, SQL_EXPR_OUTER, e->type, e->location, 0);
    if (lower) {
        lower->index = e->index;
        lower->level = e->level - 1;
    }
    return lower;
}

static int replace_slot(struct sql_binder *b, struct sql_expr **slot, void *self) {
    struct sql_expr *e = bind_map(b, *slot, replace_node, self);
    if (!e)
        return -EINVAL;
    *slot = e;
    return 0;
}

static int replace_plan(struct sql_binder *b, struct sql_plan *p, unsigned deep, void *self) {
    struct replacing *r = self;
    r->deep = deep;
    return bind_each_slot(b, p, replace_slot, r);
}

int bind_replace_outer(struct sql_binder *b, struct sql_plan *plan, unsigned level,
                       bind_visit *visit, void *self, bool lower) {
    struct replacing r = {level, 0, lower, visit, self};
    return each_deep(b, plan, replace_plan, &r);
}
