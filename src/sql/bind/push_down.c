/*
 * push_down.c - conditions on their way down, each as far as its columns allow.
 *
 * Every condition passes projections by becoming one of their input (where that repeats no costly
 * computation), grouping and partitions by naming only what they group by, joins to the side it is
 * about. What cannot pass stays as a FILTER above. Volatile conditions stay where they were
 * written.
 */
#include "sql/bind/rewrite.h"

#include "base/mem.h"

#include <errno.h>

#define CHEAP_NODES_MAX 4u /* an expression so small may be computed twice */

struct pushing {
    unsigned *parents; /* by number; of nodes made on the way: one */
    unsigned known;
    struct sql_plan **done; /* shared nodes, once they are through */
};

static struct sql_plan *push(struct sql_binder *b, struct pushing *u, struct sql_plan *p,
                             struct conditions *c);

static bool is_shared(const struct pushing *u, const struct sql_plan *p) {
    return p->number < u->known && u->parents[p->number] > 1;
}

static unsigned size_of(const struct sql_expr *e) {
    unsigned size = 1;
    for (unsigned i = 0; i < e->count; i++)
        size += size_of(e->arguments[i]);
    return size;
}

/* May a condition over P's columns be one over its input's? */
static bool may_pass_project(const struct sql_expr *e, const struct sql_plan *p) {
    if (e->kind == SQL_EXPR_COLUMN) {
        const struct sql_expr *from = p->expression[e->index];
        return size_of(from) <= CHEAP_NODES_MAX && !(sql_expr_flags(from) & SQL_VOLATILE);
    }
    for (unsigned i = 0; i < e->count; i++)
        if (!may_pass_project(e->arguments[i], p))
            return false;
    return true;
}

struct replacing {
    struct sql_expr **to;
};

static struct sql_expr *replace_column(struct sql_binder *b, struct sql_expr *e, void *self) {
    (void)b;
    return e->kind == SQL_EXPR_COLUMN ? ((struct replacing *)self)->to[e->index] : NULL;
}

static bool within_groups(const struct sql_expr *e, const struct sql_plan *p) {
    return rewrite_within(e, 0, p->groups);
}

static bool within_list(const struct sql_expr *e, const unsigned *list, unsigned count) {
    if (e->kind == SQL_EXPR_COLUMN) {
        for (unsigned i = 0; i < count; i++)
            if (list[i] == e->index)
                return true;
        return false;
    }
    for (unsigned i = 0; i < e->count; i++)
        if (!within_list(e->arguments[i], list, count))
            return false;
    return true;
}

/* Does the condition hold for all or no rows that P treats together, and name only its input? */
static bool passes(const struct sql_expr *e, const struct sql_plan *p) {
    if (sql_expr_flags(e) & SQL_VOLATILE)
        return false;
    switch (p->kind) {
    case SQL_PLAN_PROJECT:
        return may_pass_project(e, p);
    case SQL_PLAN_AGGREGATE:
        return p->groups && !p->grouping_sets && p->close_group < 0 && within_groups(e, p) &&
               !rewrite_within(e, 0, 0);
    case SQL_PLAN_WINDOW:
    case SQL_PLAN_TOP:
    case SQL_PLAN_SESSION:
        return p->partitions && within_list(e, p->partition, p->partitions);
    case SQL_PLAN_SET:
        return !p->outer && rewrite_within(e, 0, p->input[0]->columns);
    case SQL_PLAN_TUMBLE:
        return rewrite_within(e, 0, p->input[0]->columns);
    case SQL_PLAN_DISTINCT:
    case SQL_PLAN_UNION:
    case SQL_PLAN_INTERSECT:
    case SQL_PLAN_EXCEPT:
        return true;
    default:
        return false;
    }
}

static struct sql_expr *below(struct sql_binder *b, struct sql_expr *e, const struct sql_plan *p) {
    struct replacing replacing = {p->kind == SQL_PLAN_PROJECT ? p->expression : p->group};
    return p->kind == SQL_PLAN_PROJECT || p->kind == SQL_PLAN_AGGREGATE
               ? bind_map(b, e, replace_column, &replacing)
               : e;
}

/* P with what passes it pushed into each of its inputs; the rest above. */
static struct sql_plan *push_through(struct sql_binder *b, struct pushing *u, struct sql_plan *p,
                                     struct conditions *c) {
    struct conditions down = {0}, stay = {0};
    if (p->kind == SQL_PLAN_WINDOW && rewrite_rank(b, p, c) < 0)
        return NULL;
    for (unsigned i = 0; i < c->count; i++) {
        bool passing = passes(c->item[i], p);
        struct sql_expr *e = passing ? below(b, c->item[i], p) : c->item[i];
        if (!e || conditions_add(b, passing ? &down : &stay, e) < 0)
            return NULL;
    }
    for (unsigned i = 0; i < p->inputs; i++) {
        struct conditions own = {0};
        for (unsigned k = 0; k < down.count; k++)
            if (conditions_add(b, &own, down.item[k]) < 0)
                return NULL;
        if (!(p->input[i] = push(b, u, p->input[i], &own)))
            return NULL;
    }
    return conditions_over(b, p, &stay);
}

static struct sql_plan *push_join(struct sql_binder *b, struct pushing *u, struct sql_plan *p,
                                  struct conditions *c) {
    struct conditions left = {0}, right = {0};
    if (rewrite_join(b, p, c, &left, &right) < 0 ||
        !(p->input[0] = push(b, u, p->input[0], &left)) ||
        !(p->input[1] = push(b, u, p->input[1], &right)))
        return NULL;
    return conditions_over(b, p, c);
}

static struct sql_plan *push_filter(struct sql_binder *b, struct pushing *u, struct sql_plan *p,
                                    struct conditions *c) {
    struct conditions all = {0}, stay = {0};
    int result = conditions_split(b, &all, p->predicate);
    for (unsigned i = 0; result == 0 && i < c->count; i++)
        result = conditions_add(b, &all, c->item[i]);
    struct conditions down = {0};
    for (unsigned i = 0; result == 0 && i < all.count; i++)
        result = conditions_add(b, sql_expr_flags(all.item[i]) & SQL_VOLATILE ? &stay : &down,
                                all.item[i]);
    struct sql_plan *input = result == 0 ? push(b, u, p->input[0], &down) : NULL;
    return conditions_over(b, input, &stay);
}

static struct sql_plan *push_kind(struct sql_binder *b, struct pushing *u, struct sql_plan *p,
                                  struct conditions *c) {
    if (p->kind == SQL_PLAN_FILTER)
        return push_filter(b, u, p, c);
    return p->kind == SQL_PLAN_JOIN ? push_join(b, u, p, c) : push_through(b, u, p, c);
}

static struct sql_plan *push(struct sql_binder *b, struct pushing *u, struct sql_plan *p,
                             struct conditions *c) {
    if (bind_enter(b) < 0)
        return NULL;
    struct sql_plan *made;
    if (!is_shared(u, p))
        made = push_kind(b, u, p, c);
    else {
        struct conditions none = {0};
        if (!u->done[p->number])
            u->done[p->number] = push_kind(b, u, p, &none);
        made = u->done[p->number] ? conditions_over(b, u->done[p->number], c) : NULL;
    }
    bind_leave(b);
    return made;
}

int rewrite_push_down(struct sql_binder *b, struct sql_plan **plan) {
    _cleanup_mem_ unsigned *parents = rewrite_parents(b, *plan);
    _cleanup_mem_ struct sql_plan **done = mem_zalloc(b->plans + 1, sizeof(struct sql_plan *));
    if (!parents || !done)
        return sql_fail_memory(b->error);
    struct pushing u = {parents, b->plans, done};
    struct conditions none = {0};
    struct sql_plan *made = push(b, &u, *plan, &none);
    if (!made)
        return -EINVAL;
    *plan = made;
    return 0;
}
