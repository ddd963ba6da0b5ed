/*
 * rewrite.c - the order of the passes, and what they share (rewrite.h).
 *
 * Conditions are pushed first, while every use of a view is still its own; only then is what turned
 * out the same shared, scans above all: decoding a stream's documents is what most queries cost.
 */
#include "sql/bind/rewrite.h"

#include "base/mem.h"

#include <errno.h>

static int count_parents(struct sql_binder *b, struct sql_plan *p, void *self) {
    (void)b;
    unsigned *parents = self;
    for (unsigned i = 0; i < p->inputs; i++)
        parents[p->input[i]->number]++;
    return 0;
}

unsigned *rewrite_parents(struct sql_binder *b, struct sql_plan *plan) {
    unsigned *parents = mem_zalloc(b->plans + 1, sizeof *parents);
    if (!parents)
        return sql_fail_memory(b->error), NULL;
    if (bind_each_node(b, plan, count_parents, parents) < 0)
        return mem_free(parents);
    return parents;
}

int conditions_add(struct sql_binder *b, struct conditions *c, struct sql_expr *e) {
    void *larger = e ? bind_grow(b, c->item, c->count, sizeof(struct sql_expr *)) : NULL;
    if (!larger)
        return -ENOMEM;
    c->item = larger;
    c->item[c->count++] = e;
    return 0;
}

int conditions_split(struct sql_binder *b, struct conditions *c, struct sql_expr *e) {
    if (!e)
        return 0;
    if (e->kind != SQL_EXPR_AND)
        return conditions_add(b, c, e);
    int result = 0;
    for (unsigned i = 0; result == 0 && i < e->count; i++)
        result = conditions_split(b, c, e->arguments[i]);
    return result;
}

struct sql_expr *conditions_all(struct sql_binder *b, const struct conditions *c) {
    struct sql_expr *all = NULL;
    for (unsigned i = 0; i < c->count; i++)
        if (!(all = bind_both(b, SQL_EXPR_AND, all, c->item[i])))
            return NULL;
    return all;
}

struct sql_plan *conditions_over(struct sql_binder *b, struct sql_plan *plan,
                                 const struct conditions *c) {
    if (!plan || c->count == 0)
        return plan;
    return bind_plan_filter(b, plan, conditions_all(b, c));
}

bool rewrite_within(const struct sql_expr *e, unsigned from, unsigned to) {
    if (e->kind == SQL_EXPR_COLUMN)
        return e->index >= from && e->index < to;
    for (unsigned i = 0; i < e->count; i++)
        if (!rewrite_within(e->arguments[i], from, to))
            return false;
    return true;
}

static struct sql_expr *shift_column(struct sql_binder *b, struct sql_expr *e, void *self) {
    const int *by = self;
    return e->kind == SQL_EXPR_COLUMN && *by
               ? bind_column(b, (unsigned)((int)e->index + *by), e->type, e->location)
               : NULL;
}

struct sql_expr *rewrite_shift(struct sql_binder *b, struct sql_expr *e, int by) {
    return bind_map(b, e, shift_column, &by);
}

int bind_rewrite(struct sql_binder *b, struct sql_query *query) {
    int result = rewrite_push_down(b, &query->plan);
    if (result == 0)
        result = rewrite_lookups(b, query->plan);
    if (result == 0)
        result = rewrite_share(b, &query->plan);
    return result == 0 ? rewrite_prune(b, &query->plan) : result;
}
