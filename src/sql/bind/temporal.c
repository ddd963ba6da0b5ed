/*
 * temporal.c - filters by now() of a query that is kept up to date.
 *
 *     WHERE at > now() - interval '1 hour' AND price > 10
 *
 *     FILTER (at > now() - …) AND price > 10          TEMPORAL until at + 1 hour
 *       SCAN                                    ->      FILTER price > 10
 *                                                         SCAN
 *
 * A conjunct that compares a time with now(), more or less an interval of days and less, says from
 * or up to which moment a row is there; the executor then needs no row looked at again (exec/
 * temporal.c). What is kept up to date counts in UTC, so a timestamp without zone is UTC's. Any
 * other use of now() stays where it is, and is refused (define_judge_kept).
 */
#include "sql/bind/nodes.h"
#include "sql/bind/rewrite.h"

#include <errno.h>

#define DAY_US INT64_C(86400000000)

/* now() + *RET_OFFSET microseconds? */
static bool is_now(const struct sql_expr *e, int64_t *ret_offset) {
    int64_t by;
    switch (e->kind) {
    case SQL_EXPR_CAST: /* now()::timestamp */
        return (e->type.oid == SQL_TIMESTAMP || e->type.oid == SQL_TIMESTAMPTZ) &&
               is_now(e->arguments[0], ret_offset);
    case SQL_EXPR_CALL:
        break;
    default:
        return false;
    }
    slice name = slice_str(e->function->name);
    *ret_offset = 0;
    if (e->count == 0)
        return slice_equal(name, slice_lit("now")) ||
               slice_equal(name, slice_lit("transaction_timestamp")) ||
               slice_equal(name, slice_lit("statement_timestamp"));
    bool less = slice_equal(name, slice_lit("-"));
    if (e->count != 2 || (!less && !slice_equal(name, slice_lit("+"))) ||
        !is_now(e->arguments[0], ret_offset))
        return false;
    const struct sql_expr *c = e->arguments[1];
    if (c->kind != SQL_EXPR_CONST || c->null || c->type.oid != SQL_INTERVAL ||
        c->cell.interval.months ||
        __builtin_mul_overflow((int64_t)c->cell.interval.days, DAY_US, &by) ||
        __builtin_add_overflow(by, c->cell.interval.microseconds, &by))
        return false;
    return less ? !__builtin_sub_overflow(*ret_offset, by, ret_offset)
                : !__builtin_add_overflow(*ret_offset, by, ret_offset);
}

static bool is_time(const struct sql_expr *e) {
    return (e->type.oid == SQL_TIMESTAMP || e->type.oid == SQL_TIMESTAMPTZ) &&
           !(sql_expr_flags(e) & (SQL_STABLE | SQL_VOLATILE));
}

/* timestamp::timestamptz, at UTC the number that it was. */
static struct sql_expr *without_zone(struct sql_expr *e) {
    bool zoned = e->kind == SQL_EXPR_CAST && e->type.oid == SQL_TIMESTAMPTZ &&
                 e->arguments[0]->type.oid == SQL_TIMESTAMP;
    return zoned ? e->arguments[0] : e;
}

/* What TIME OP now() + offset makes of P. False: E is not of that form. */
static bool read_conjunct(struct sql_expr *e, struct sql_plan *p) {
    static const struct {
        const char *name;
        bool ends, strict;
    } forms[] = {{">", true, true}, {">=", true, false}, {"<", false, true}, {"<=", false, false}};
    int64_t offset;
    if (e->kind != SQL_EXPR_CALL || e->count != 2)
        return false;
    bool turned = is_now(e->arguments[0], &offset); /* now() < at: at > now() */
    if (!turned && !is_now(e->arguments[1], &offset))
        return false;
    struct sql_expr *time = without_zone(e->arguments[turned ? 1 : 0]);
    for (size_t i = 0; i < array_count(forms); i++) {
        if (!slice_equal(slice_str(e->function->name), slice_str(forms[i].name)))
            continue;
        /* There while now < time - offset, or <= it; from now > time - offset on, or >= it. */
        p->ends = forms[i].ends != turned;
        p->offset_time = -offset + (forms[i].strict != p->ends);
        p->expression[0] = time;
        return is_time(time) && offset > INT64_MIN + 1;
    }
    return false;
}

static bool tells_time(const struct sql_expr *e) {
    return (sql_expr_flags(e) & SQL_STABLE) != 0;
}

/* The filter P, of CONDITIONS, becomes TEMPORALs over the filter by what is left. */
static int replace(struct sql_binder *b, struct sql_plan *p, const struct conditions *c) {
    struct conditions rest = {.count = 0};
    struct sql_plan *input = p->input[0];
    int r = 0;
    for (unsigned i = 0; r == 0 && i < c->count; i++)
        r = tells_time(c->item[i]) ? 0 : conditions_add(b, &rest, c->item[i]);
    if (r == 0 && !(input = conditions_over(b, input, &rest)))
        r = -ENOMEM;
    for (unsigned i = 0; r == 0 && i < c->count; i++) {
        if (!tells_time(c->item[i]))
            continue;
        struct sql_plan *t = bind_plan_same(b, SQL_PLAN_TEMPORAL, input);
        if (!t || !(t->expression = bind_alloc(b, 1, sizeof *t->expression)))
            return -ENOMEM;
        t->expressions = 1;
        if (!read_conjunct(c->item[i], t))
            return 0; /* P stays as it was */
        input = t;
    }
    if (r == 0) {
        unsigned number = p->number;
        *p = *input; /* whoever has P as an input has this */
        p->number = number;
    }
    return r;
}

static int temporal_node(struct sql_binder *b, struct sql_plan *p, void *self) {
    struct conditions c = {.count = 0};
    (void)self;
    if (p->kind != SQL_PLAN_FILTER || !p->predicate || !tells_time(p->predicate))
        return 0;
    int r = conditions_split(b, &c, p->predicate);
    return r < 0 ? r : replace(b, p, &c);
}

int bind_temporal(struct sql_binder *b, struct sql_plan *plan) {
    return bind_each_node(b, plan, temporal_node, NULL);
}
