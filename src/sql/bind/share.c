/*
 * share.c - nodes that compute the same become one, from the scans upwards.
 *
 * Compared are the kind, the inputs (already shared) and every expression. Limits and volatile
 * expressions keep nodes apart.
 */
#include "sql/bind/rewrite.h"

#include "base/mem.h"

#define SHARE_NODES_MAX 1000u /* pairs are compared: larger plans are left as they are */

static bool same_exprs(struct sql_expr *const *a, struct sql_expr *const *c, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        if (!sql_expr_equal(a[i], c[i]))
            return false;
    return true;
}

static bool same_maybe(const struct sql_expr *a, const struct sql_expr *c) {
    return a && c ? sql_expr_equal(a, c) : a == c;
}

static bool same_numbers(const unsigned *a, const unsigned *c, unsigned count) {
    return count == 0 || memcmp(a, c, count * sizeof *a) == 0;
}

static bool same_order(const struct sql_sort_key *a, const struct sql_sort_key *c, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        if (a[i].column != c[i].column || a[i].descending != c[i].descending ||
            a[i].nulls_first != c[i].nulls_first)
            return false;
    return true;
}

static bool same_scan(const struct sql_plan *a, const struct sql_plan *c) {
    return a->table == c->table && a->as_of_now == c->as_of_now && a->lookups == c->lookups &&
           same_numbers(a->scan_columns, c->scan_columns, a->columns) &&
           same_numbers(a->lookup_columns, c->lookup_columns, a->lookups) &&
           same_exprs(a->lookup_values, c->lookup_values, a->lookups);
}

static bool same_aggregates(const struct sql_plan *a, const struct sql_plan *c) {
    if (a->groups != c->groups || a->aggregates != c->aggregates || a->grouping_sets ||
        c->grouping_sets || a->close_group != c->close_group ||
        !same_exprs(a->group, c->group, a->groups))
        return false;
    for (unsigned i = 0; i < a->aggregates; i++) {
        const struct sql_plan_aggregate *x = &a->aggregate[i], *y = &c->aggregate[i];
        if (!x->aggregate || x->aggregate != y->aggregate || x->count != y->count ||
            x->distinct != y->distinct || x->order_count != y->order_count ||
            !same_maybe(x->filter, y->filter) ||
            !same_exprs(x->arguments, y->arguments, x->count) ||
            !same_exprs(x->order, y->order, x->order_count) || x->order_count)
            return false;
    }
    return true;
}

static bool same_join(const struct sql_plan *a, const struct sql_plan *c) {
    return a->join == c->join && a->keys == c->keys && a->keys_null_equal == c->keys_null_equal &&
           same_maybe(a->predicate, c->predicate) &&
           same_exprs(a->left_key, c->left_key, a->keys) &&
           same_exprs(a->right_key, c->right_key, a->keys);
}

static bool same_windows(const struct sql_plan *a, const struct sql_plan *c) {
    return a->time_column == c->time_column && a->size == c->size && a->slide == c->slide &&
           a->offset_time == c->offset_time && a->gap == c->gap && a->partitions == c->partitions &&
           same_numbers(a->partition, c->partition, a->partitions);
}

static bool same_node(const struct sql_plan *a, const struct sql_plan *c) {
    if (a->kind != c->kind || a->columns != c->columns || a->inputs != c->inputs)
        return false;
    for (unsigned i = 0; i < a->inputs; i++)
        if (a->input[i] != c->input[i])
            return false;
    switch (a->kind) {
    case SQL_PLAN_SCAN:
        return same_scan(a, c);
    case SQL_PLAN_FILTER:
        return same_maybe(a->predicate, c->predicate);
    case SQL_PLAN_PROJECT:
        return same_exprs(a->expression, c->expression, a->expressions);
    case SQL_PLAN_JOIN:
        return same_join(a, c);
    case SQL_PLAN_AGGREGATE:
        return same_aggregates(a, c);
    case SQL_PLAN_TUMBLE:
    case SQL_PLAN_SESSION:
        return same_windows(a, c);
    case SQL_PLAN_TOP:
        return a->top == c->top && same_maybe(a->limit, c->limit) &&
               same_maybe(a->offset, c->offset) && a->orders == c->orders && a->orders > 0 &&
               same_windows(a, c) && same_order(a->order, c->order, a->orders);
    case SQL_PLAN_DISTINCT:
        return true;
    default:
        return false;
    }
}

struct sharing {
    unsigned count;
    struct sql_plan *node[SHARE_NODES_MAX];
    struct sql_plan **to; /* by number */
};

static int share_node(struct sql_binder *b, struct sql_plan *p, void *self) {
    struct sharing *s = self;
    (void)b;
    for (unsigned i = 0; i < p->inputs; i++)
        p->input[i] = s->to[p->input[i]->number];
    s->to[p->number] = p;
    for (unsigned i = 0; i < s->count; i++)
        if (same_node(s->node[i], p)) {
            s->to[p->number] = s->node[i];
            return 0;
        }
    if (s->count < SHARE_NODES_MAX)
        s->node[s->count++] = p;
    return 0;
}

int rewrite_share(struct sql_binder *b, struct sql_plan **plan) {
    _cleanup_mem_ struct sharing *s = mem_zalloc(1, sizeof *s);
    _cleanup_mem_ struct sql_plan **to = mem_zalloc(b->plans + 1, sizeof(struct sql_plan *));
    if (!s || !to)
        return sql_fail_memory(b->error);
    s->to = to;
    int result = bind_each_node(b, *plan, share_node, s);
    if (result == 0)
        *plan = to[(*plan)->number];
    return result;
}
