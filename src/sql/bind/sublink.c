/*
 * sublink.c - subqueries within expressions: (SELECT …), EXISTS, IN, ANY, ALL, ARRAY(…).
 *
 *   WHERE EXISTS (q), x IN (q), x > ANY (q)       semi join        where the clause's AND asks it
 *   WHERE NOT EXISTS (q), x NOT IN (q), x > ALL   anti join
 *   (SELECT v FROM …)                             APPLY SCALAR, one column more
 *   x IN (q), any other place                     two of them: is there an equal one, is q empty or
 *                                                 has it a NULL
 *   any other                                     APPLY SCALAR over counts: how many rows, how many
 *                                                 times the comparison is true, how many NULL
 *
 * The counts give SQL's three values: true if some comparison is true, else NULL if some is NULL,
 * else false; ALL is NOT of its opposite.
 */
#include "sql/bind/call.h"
#include "sql/bind/nodes.h"
#include "sql/bind/special.h"

#include <errno.h>

/* PLAN beside S's plan: at once, or when the clause's aggregates have been placed. Gives its first
   column. PREDICATE has right's columns from BIND_RIGHT on. */
static struct sql_expr *apply_scalar(struct sql_binder *b, struct bind_scope *s,
                                     struct sql_plan *plan, int location) {
    struct sql_type type = plan->column[0].type;
    if (s->deferred && !s->in_aggregate) {
        struct bind_pending entry = {.kind = BIND_APPLY,
                                     .location = location,
                                     .type = type,
                                     .plan = plan,
                                     .join = SQL_JOIN_SCALAR};
        return bind_defer(b, s, &entry);
    }
    unsigned column = s->from.plan->columns;
    s->from.plan = bind_plan_join(b, SQL_PLAN_APPLY, SQL_JOIN_SCALAR, s->from.plan, plan, NULL);
    return s->from.plan ? bind_column(b, column, type, location) : NULL;
}

static struct sql_plan *sub_plan(struct sql_binder *b, struct bind_scope *s, json_value inside) {
    json_value select;
    if (!sql_node_is(sql_field(inside, "subselect"), "SelectStmt", &select))
        return bind_null(b, sql_location(inside), "0A000", "only SELECT may be a subquery");
    return bind_subquery(b, select, s, true);
}

/* S's expressions as a subquery of S sees them: one level further out. */
static struct sql_expr *outward(struct sql_binder *b, struct sql_expr *e, void *self) {
    (void)self;
    if (e->kind != SQL_EXPR_COLUMN && e->kind != SQL_EXPR_OUTER)
        return NULL;
    struct sql_expr *outer = bind_expr(b, SQL_EXPR_OUTER, e->type, e->location, 0);
    if (outer) {
        outer->index = e->index;
        outer->level = e->kind == SQL_EXPR_OUTER ? e->level + 1 : 0;
    }
    return outer;
}

/* count(*) FILTER (each of FILTERS) over PLAN. */
static struct sql_plan *counts(struct sql_binder *b, struct sql_plan *plan,
                               struct sql_expr *const *filters, unsigned count) {
    unsigned cursor = 0;
    const struct sql_aggregate *a;
    while ((a = sql_aggregate_next(slice_lit("count"), &cursor)) && a->count > 0)
        ;
    struct sql_plan *p = bind_plan(b, SQL_PLAN_AGGREGATE, 1, count);
    if (!a || !p || !(p->aggregate = bind_alloc(b, count, sizeof *p->aggregate)))
        return NULL;
    p->input[0] = plan;
    p->aggregates = count;
    for (unsigned i = 0; i < count; i++) {
        p->aggregate[i].aggregate = a;
        p->aggregate[i].filter = filters[i];
        p->aggregate[i].type = sql_type_of(SQL_INT8);
        p->column[i] = (struct sql_plan_column){slice_lit("count"), sql_type_of(SQL_INT8)};
    }
    return p;
}

static struct sql_expr *above_zero(struct sql_binder *b, struct sql_plan *plan, unsigned column) {
    struct sql_expr *count = bind_column(b, column, sql_type_of(SQL_INT8), -1);
    struct sql_expr *zero = bind_integer(b, SQL_INT8, 0);
    (void)plan;
    return count && zero ? bind_operator(b, slice_lit(">"), count, zero, -1) : NULL;
}

/* One column: is there a row? */
static struct sql_plan *exists_plan(struct sql_binder *b, struct sql_plan *plan) {
    struct sql_expr *none[1] = {NULL};
    struct sql_plan *counted = counts(b, plan, none, 1);
    struct sql_expr **e = bind_alloc(b, 1, sizeof *e);
    slice name = slice_lit("exists");
    if (!counted || !e || !(e[0] = above_zero(b, counted, 0)))
        return NULL;
    return bind_plan_project(b, counted, e, &name, 1);
}

/* One column: CASE WHEN some is true THEN true WHEN some is NULL THEN NULL ELSE false. */
static struct sql_plan *any_plan(struct sql_binder *b, struct sql_plan *plan,
                                 struct sql_expr *compared, bool negate) {
    struct sql_expr *filters[2] = {compared, bind_unary(b, SQL_EXPR_IS_NULL, compared)};
    struct sql_plan *counted = filters[1] ? counts(b, plan, filters, 2) : NULL;
    struct sql_expr *e = bind_expr(b, SQL_EXPR_CASE, sql_type_of(SQL_BOOL), compared->location, 5);
    struct sql_expr **list = bind_alloc(b, 1, sizeof *list);
    if (!counted || !e || !list)
        return NULL;
    e->arguments[0] = above_zero(b, counted, 0);
    e->arguments[1] = bind_bool(b, !negate, -1);
    e->arguments[2] = above_zero(b, counted, 1);
    e->arguments[3] = bind_null_constant(b, sql_type_of(SQL_BOOL), -1);
    e->arguments[4] = bind_bool(b, negate, -1);
    for (unsigned i = 0; i < 5; i++)
        if (!e->arguments[i])
            return NULL;
    list[0] = e;
    slice name = slice_lit("?column?");
    return bind_plan_project(b, counted, list, &name, 1);
}

static slice sublink_operator(json_value inside) {
    slice name = slice_lit("=");
    struct json_iterator i = json_each(sql_field(inside, "operName"));
    while (json_next(&i))
        name = sql_string(i.value);
    return name;
}

/* The opposite of a comparison: x <> ALL is NOT (x = ANY). Empty: it has none. */
static slice opposite(slice name) {
    static const char *const pairs[][2] = {{"=", "<>"}, {"<>", "="}, {"<", ">="},
                                           {">=", "<"}, {">", "<="}, {"<=", ">"}};
    for (unsigned i = 0; i < array_count(pairs); i++)
        if (slice_equal(slice_str(pairs[i][0]), name))
            return slice_str(pairs[i][1]);
    return (slice){NULL, 0};
}

/* LEFT OP the subquery's columns, which stand from BASE on. */
static struct sql_expr *compare(struct sql_binder *b, slice name, struct sql_expr *left,
                                const struct sql_plan *plan, unsigned base, int location) {
    unsigned count = left->kind == SQL_EXPR_ROW ? left->count : 1;
    if (count != plan->columns)
        return bind_null(b, location, "42601",
                         plan->columns > count ? "subquery has too many columns"
                                               : "subquery has too few columns");
    struct sql_expr *row = bind_expr(b, SQL_EXPR_ROW, sql_type_of(SQL_RECORD), location, count);
    for (unsigned i = 0; row && i < count; i++)
        if (!(row->arguments[i] = bind_column(b, base + i, plan->column[i].type, location)))
            return NULL;
    if (!row)
        return NULL;
    struct sql_expr *right = left->kind == SQL_EXPR_ROW ? row : row->arguments[0];
    return bind_to_bool(b, bind_operator(b, name, left, right, location), "ANY/ALL");
}

enum { SET_EMPTY, SET_WITHOUT_NULL, SET_WITH_NULL };

/* One column: which of the above the rows of PLAN's one column are. */
static struct sql_plan *set_plan(struct sql_binder *b, struct sql_plan *plan) {
    struct sql_expr *value = bind_column(b, 0, plan->column[0].type, -1);
    struct sql_expr *filters[2] = {NULL, bind_unary(b, SQL_EXPR_IS_NULL, value)};
    struct sql_plan *counted = filters[1] ? counts(b, plan, filters, 2) : NULL;
    struct sql_expr *e = bind_expr(b, SQL_EXPR_CASE, sql_type_of(SQL_INT4), -1, 5);
    struct sql_expr **list = bind_alloc(b, 1, sizeof *list);
    if (!counted || !e || !list)
        return NULL;
    e->arguments[0] = above_zero(b, counted, 1);
    e->arguments[1] = bind_integer(b, SQL_INT4, SET_WITH_NULL);
    e->arguments[2] = above_zero(b, counted, 0);
    e->arguments[3] = bind_integer(b, SQL_INT4, SET_WITHOUT_NULL);
    e->arguments[4] = bind_integer(b, SQL_INT4, SET_EMPTY);
    for (unsigned i = 0; i < 5; i++)
        if (!e->arguments[i])
            return NULL;
    list[0] = e;
    slice name = slice_lit("set");
    return bind_plan_project(b, counted, list, &name, 1);
}

static struct sql_expr *is_set(struct sql_binder *b, struct sql_expr *set, int64_t kind) {
    struct sql_expr *number = bind_integer(b, SQL_INT4, kind);
    return number ? bind_operator(b, slice_lit("="), set, number, -1) : NULL;
}

/* x IN (q) by its keys: is there an equal one; else it is the set's kind, and x, that decide. */
static struct sql_expr *in_value(struct sql_binder *b, struct bind_scope *s, json_value inside,
                                 struct sql_expr *left, struct sql_plan *plan, bool negate) {
    int location = sql_location(inside), reach = bind_outer_reach(b, plan);
    struct sql_plan *again = reach > 0 ? sub_plan(b, s, inside) : plan;
    struct sql_expr *x = bind_map(b, left, outward, NULL);
    struct sql_expr *equal = again && x ? compare(b, slice_lit("="), x, plan, 0, location) : NULL;
    struct sql_plan *found = equal ? bind_plan_filter(b, plan, equal) : NULL;
    found = found ? exists_plan(b, found) : NULL;
    struct sql_expr *hit = found ? apply_scalar(b, s, found, location) : NULL;
    struct sql_plan *kinds = hit ? set_plan(b, again) : NULL;
    struct sql_expr *set = kinds ? apply_scalar(b, s, kinds, location) : NULL;
    struct sql_expr *e = bind_expr(b, SQL_EXPR_CASE, sql_type_of(SQL_BOOL), location, 7);
    if (!set || !e)
        return NULL;
    struct sql_expr *unknown = bind_both(b, SQL_EXPR_OR, is_set(b, set, SET_WITH_NULL),
                                         bind_unary(b, SQL_EXPR_IS_NULL, left));
    struct sql_expr *parts[7] = {hit,
                                 bind_bool(b, !negate, -1),
                                 is_set(b, set, SET_EMPTY),
                                 bind_bool(b, negate, -1),
                                 unknown,
                                 bind_null_constant(b, sql_type_of(SQL_BOOL), -1),
                                 bind_bool(b, negate, -1)};
    for (unsigned i = 0; i < 7; i++)
        if (!(e->arguments[i] = parts[i]))
            return NULL;
    return e;
}

/* x OP ANY (q), x OP ALL (q) as a value. */
static struct sql_expr *quantified(struct sql_binder *b, struct bind_scope *s, json_value inside,
                                   bool all) {
    int location = sql_location(inside);
    struct sql_expr *left = bind_expression(b, s, sql_field(inside, "testexpr"));
    struct sql_plan *plan = left ? sub_plan(b, s, inside) : NULL;
    slice name = sublink_operator(inside);
    if (!plan)
        return NULL;
    slice used = all ? opposite(name) : name;
    if (used.len == 0)
        return bind_null(b, location, "0A000", "operator %.*s is not supported with ALL (subquery)",
                         slice_fmt(name));
    if (slice_equal(used, slice_lit("=")) && left->kind != SQL_EXPR_ROW && plan->columns == 1)
        return in_value(b, s, inside, left, plan, all);
    left = bind_map(b, left, outward, NULL);
    struct sql_expr *compared = left ? compare(b, used, left, plan, 0, location) : NULL;
    struct sql_plan *value = compared ? any_plan(b, plan, compared, all) : NULL;
    return value ? apply_scalar(b, s, value, location) : NULL;
}

/* ARRAY(SELECT v ORDER BY …): array_agg in that order, the empty array where there is no row. */
static struct sql_expr *array_of(struct sql_binder *b, struct bind_scope *s, json_value inside) {
    json_value select;
    struct bind_query q;
    int location = sql_location(inside);
    if (!sql_node_is(sql_field(inside, "subselect"), "SelectStmt", &select) ||
        bind_query(b, select, s, true, false, &q) < 0)
        return NULL;
    if (q.visible != 1)
        return bind_null(b, location, "42601", "subquery must return only one column");
    struct sql_plan *p = bind_plan(b, SQL_PLAN_AGGREGATE, 1, 1);
    if (!p || !(p->aggregate = bind_alloc(b, 1, sizeof *p->aggregate)))
        return NULL;
    struct sql_plan_aggregate *g = p->aggregate;
    struct bind_candidate found = {0};
    g->arguments = bind_alloc(b, 1, sizeof *g->arguments);
    g->order = bind_alloc(b, q.orders + 1, sizeof *g->order);
    if (!g->arguments || !g->order ||
        !(g->arguments[0] = bind_column(b, 0, q.plan->column[0].type, location)) ||
        bind_find_call(b, (slice){NULL, 0}, slice_lit("array_agg"), g->arguments, 1, location,
                       &found, &g->type) < 0)
        return NULL;
    struct sql_type type = g->type;
    g->aggregate = found.aggregate;
    g->count = 1;
    g->order_count = q.orders;
    g->order_how = q.order;
    for (unsigned i = 0; i < q.orders; i++) {
        unsigned column = q.order[i].column;
        if (!(g->order[i] = bind_column(b, column, q.plan->column[column].type, location)))
            return NULL;
    }
    p->aggregates = 1;
    p->input[0] = q.plan;
    p->column[0] = (struct sql_plan_column){slice_lit("array"), type};
    struct sql_expr *value = apply_scalar(b, s, p, location);
    struct sql_expr *empty =
        bind_coerce(b, bind_text_constant(b, SQL_UNKNOWN, slice_lit("{}"), location), type,
                    SQL_CAST_IMPLICIT, location);
    struct sql_expr *e = value && empty ? bind_expr(b, SQL_EXPR_COALESCE, type, location, 2) : NULL;
    if (e) {
        e->arguments[0] = value;
        e->arguments[1] = empty;
    }
    return e;
}

struct sql_expr *bind_row_sublink(struct sql_binder *b, struct bind_scope *s, json_value inside) {
    int location = sql_location(inside);
    struct sql_plan *plan = sub_plan(b, s, inside);
    struct sql_expr *row =
        plan ? bind_expr(b, SQL_EXPR_ROW, sql_type_of(SQL_RECORD), location, plan->columns) : NULL;
    if (!row)
        return NULL;
    if (s->deferred && !s->in_aggregate)
        return bind_null(b, location, "0A000",
                         "comparing a row with a subquery is supported in WHERE and ON only");
    unsigned base = s->from.plan->columns;
    s->from.plan = bind_plan_join(b, SQL_PLAN_APPLY, SQL_JOIN_SCALAR, s->from.plan, plan, NULL);
    for (unsigned i = 0; i < row->count; i++)
        if (!(row->arguments[i] = bind_column(b, base + i, plan->column[i].type, location)))
            return NULL;
    return s->from.plan ? row : NULL;
}

struct sql_expr *bind_sublink(struct sql_binder *b, struct bind_scope *s, json_value inside) {
    slice kind = sql_field_text(inside, "subLinkType");
    int location = sql_location(inside);
    if (slice_equal(kind, slice_lit("ANY_SUBLINK")))
        return quantified(b, s, inside, false);
    if (slice_equal(kind, slice_lit("ALL_SUBLINK")))
        return quantified(b, s, inside, true);
    if (slice_equal(kind, slice_lit("ARRAY_SUBLINK")))
        return array_of(b, s, inside);
    struct sql_plan *plan = sub_plan(b, s, inside);
    if (!plan)
        return NULL;
    if (slice_equal(kind, slice_lit("EXISTS_SUBLINK"))) {
        plan = exists_plan(b, plan);
        return plan ? apply_scalar(b, s, plan, location) : NULL;
    }
    if (plan->columns != 1)
        return bind_null(b, location, "42601", "subquery must return only one column");
    return apply_scalar(b, s, plan, location);
}

/* Conditions that are a semi or an anti join; 0 with *RET_DONE false: NODE is another. */
static int half_join(struct sql_binder *b, struct bind_scope *s, json_value node, bool negated,
                     bool *ret_done) {
    json_value inside, args;
    *ret_done = false;
    if (sql_node_is(node, "BoolExpr", &inside) &&
        slice_equal(sql_field_text(inside, "boolop"), slice_lit("NOT_EXPR"))) {
        args = sql_field(inside, "args");
        return half_join(b, s, json_element(args, 0), !negated, ret_done);
    }
    if (!sql_node_is(node, "SubLink", &inside))
        return 0;
    slice kind = sql_field_text(inside, "subLinkType"), name = sublink_operator(inside);
    bool exists = slice_equal(kind, slice_lit("EXISTS_SUBLINK"));
    bool all = slice_equal(kind, slice_lit("ALL_SUBLINK"));
    if (!exists && !all && !slice_equal(kind, slice_lit("ANY_SUBLINK")))
        return 0;
    bool anti = negated != all;
    if (all && opposite(name).len == 0)
        return 0;
    int location = sql_location(inside);
    struct sql_expr *left = NULL, *compared = NULL;
    if (!exists && !(left = bind_expression(b, s, sql_field(inside, "testexpr"))))
        return -EINVAL;
    struct sql_plan *plan = sub_plan(b, s, inside);
    if (!plan)
        return -EINVAL;
    if (!exists && !(compared = compare(b, all ? opposite(name) : name, left, plan,
                                        s->from.plan->columns, location)))
        return -EINVAL;
    enum sql_join_kind join = !anti ? SQL_JOIN_SEMI : exists ? SQL_JOIN_ANTI : SQL_JOIN_ANTI_NULL;
    s->from.plan = bind_plan_join(b, SQL_PLAN_APPLY, join, s->from.plan, plan, compared);
    *ret_done = true;
    return s->from.plan ? 0 : -ENOMEM;
}

static int where_part(struct sql_binder *b, struct bind_scope *s, json_value node,
                      const char *clause, struct sql_expr **rest) {
    json_value inside;
    if (sql_node_is(node, "BoolExpr", &inside) &&
        slice_equal(sql_field_text(inside, "boolop"), slice_lit("AND_EXPR"))) {
        struct json_iterator i = json_each(sql_field(inside, "args"));
        int result = 0;
        while (result == 0 && json_next(&i))
            result = where_part(b, s, i.value, clause, rest);
        return result;
    }
    bool done;
    int result = half_join(b, s, node, false, &done);
    if (result < 0 || done)
        return result;
    struct sql_expr *e = bind_condition(b, s, node, clause);
    *rest = e ? bind_both(b, SQL_EXPR_AND, *rest, e) : NULL;
    return *rest ? 0 : -EINVAL;
}

int bind_where(struct sql_binder *b, struct bind_scope *s, json_value node, const char *clause) {
    if (json_type_of(node) == JSON_ABSENT)
        return 0;
    struct sql_expr *rest = NULL;
    int result = where_part(b, s, node, clause, &rest);
    if (result < 0 || !rest)
        return result;
    s->from.plan = bind_plan_filter(b, s->from.plan, rest);
    return s->from.plan ? 0 : -ENOMEM;
}
