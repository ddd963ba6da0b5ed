/*
 * pending.c - what an expression leaves to be placed in the plan (scope.h): aggregates, window
 * functions, set functions and subqueries. The same aggregate twice is one entry.
 */
#include "sql/bind/nodes.h"
#include "sql/bind/scope.h"

static bool same_list(struct sql_expr *const *a, struct sql_expr *const *c, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        if (!sql_expr_equal(a[i], c[i]))
            return false;
    return true;
}

static bool same_maybe(const struct sql_expr *a, const struct sql_expr *c) {
    return a && c ? sql_expr_equal(a, c) : a == c;
}

static bool same_aggregate(const struct sql_plan_aggregate *a, const struct sql_plan_aggregate *c) {
    if (a->aggregate != c->aggregate || !a->aggregate || a->count != c->count ||
        a->distinct != c->distinct || a->order_count != c->order_count ||
        !same_maybe(a->filter, c->filter) || !same_list(a->arguments, c->arguments, a->count) ||
        !same_list(a->order, c->order, a->order_count))
        return false;
    for (unsigned i = 0; i < a->order_count; i++)
        if (a->order_how[i].descending != c->order_how[i].descending ||
            a->order_how[i].nulls_first != c->order_how[i].nulls_first)
            return false;
    return true;
}

static bool same_window(const struct bind_pending *a, const struct bind_pending *c) {
    const struct sql_plan_window *u = &a->window, *v = &c->window;
    return a->spec == c->spec && u->function == v->function && u->aggregate == v->aggregate &&
           u->count == v->count && same_maybe(u->filter, v->filter) &&
           same_list(u->arguments, v->arguments, u->count);
}

static bool same_entry(const struct bind_pending *a, const struct bind_pending *c) {
    if (a->kind != c->kind)
        return false;
    return (a->kind == BIND_AGGREGATE && same_aggregate(&a->aggregate, &c->aggregate)) ||
           (a->kind == BIND_WINDOW && same_window(a, c));
}

struct sql_expr *bind_defer(struct sql_binder *b, struct bind_scope *s,
                            const struct bind_pending *entry) {
    for (unsigned i = 0; i < s->pendings; i++)
        if (same_entry(s->pending[i], entry))
            return bind_column(b, BIND_PENDING + i, entry->type, entry->location);
    void *larger = bind_grow(b, s->pending, s->pendings, sizeof *s->pending);
    if (!larger)
        return NULL;
    s->pending = larger;
    struct bind_pending *own = bind_alloc(b, 1, sizeof *own);
    if (!own)
        return NULL;
    *own = *entry;
    s->pending[s->pendings] = own;
    return bind_column(b, BIND_PENDING + s->pendings++, entry->type, entry->location);
}
