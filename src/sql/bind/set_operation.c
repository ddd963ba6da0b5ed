/*
 * set_operation.c - UNION, INTERSECT, EXCEPT and VALUES: rows of several sources under one list of
 * types.
 */
#include "sql/bind/select.h"

#include <errno.h>

/* Column I of PLAN as an expression over PLAN; a literal that is still unknown as itself. */
static struct sql_expr *column_of(struct sql_binder *b, const struct sql_plan *plan, unsigned i) {
    if (plan->column[i].type.oid == SQL_UNKNOWN && plan->kind == SQL_PLAN_PROJECT &&
        plan->expression[i]->kind != SQL_EXPR_COLUMN)
        return plan->expression[i];
    int location = plan->kind == SQL_PLAN_PROJECT ? plan->expression[i]->location : -1;
    return bind_column(b, i, plan->column[i].type, location);
}

/* PLAN's visible columns as TYPES. */
static struct sql_plan *as_types(struct sql_binder *b, struct sql_plan *plan,
                                 const struct sql_type *types, unsigned count) {
    struct sql_expr **e = bind_alloc(b, count + 1, sizeof *e);
    slice *names = bind_alloc(b, count + 1, sizeof *names);
    bool same = count == plan->columns;
    for (unsigned i = 0; e && names && i < count; i++) {
        struct sql_expr *column = column_of(b, plan, i);
        e[i] = bind_coerce(b, column, types[i], SQL_CAST_IMPLICIT, -1);
        if (!e[i])
            return NULL;
        names[i] = plan->column[i].name;
        same &= e[i] == column && column->kind == SQL_EXPR_COLUMN;
    }
    if (!e || !names || same)
        return e && names ? plan : NULL;
    return bind_plan_project(b, plan, e, names, count);
}

static int common_types(struct sql_binder *b, const struct bind_query *sides, const char *what,
                        bool keep_unknown, struct sql_type *ret) {
    for (unsigned i = 0; i < sides[0].visible; i++) {
        struct sql_expr *two[2] = {column_of(b, sides[0].plan, i), column_of(b, sides[1].plan, i)};
        if (!two[0] || !two[1])
            return -ENOMEM;
        int result = bind_common_type(b, two, 2, what, &ret[i]);
        if (result < 0)
            return result;
        if (keep_unknown && two[0]->type.oid == SQL_UNKNOWN && two[1]->type.oid == SQL_UNKNOWN)
            ret[i] = sql_type_of(SQL_TEXT);
    }
    return 0;
}

static struct sql_plan *combine(struct sql_binder *b, slice op, bool all, struct sql_plan *left,
                                struct sql_plan *right) {
    struct sql_plan *sides[2] = {left, right};
    struct sql_plan *p = bind_plan_union(b, sides, 2);
    if (!p || slice_equal(op, slice_lit("SETOP_UNION")))
        return p && !all ? bind_plan_same(b, SQL_PLAN_DISTINCT, p) : p;
    p->kind = slice_equal(op, slice_lit("SETOP_EXCEPT")) ? SQL_PLAN_EXCEPT : SQL_PLAN_INTERSECT;
    p->all = all;
    return p;
}

static int first_location(const struct sql_plan *plan) {
    return plan->kind == SQL_PLAN_PROJECT && plan->expressions ? plan->expression[0]->location : -1;
}

int bind_set_operation(struct sql_binder *b, struct bind_scope *s, json_value inside,
                       bool keep_unknown, struct bind_query *ret) {
    slice op = sql_field_text(inside, "op");
    const char *what = slice_equal(op, slice_lit("SETOP_UNION"))    ? "UNION"
                       : slice_equal(op, slice_lit("SETOP_EXCEPT")) ? "EXCEPT"
                                                                    : "INTERSECT";
    struct bind_query sides[2];
    int result = bind_query(b, sql_field(inside, "larg"), s, false, true, &sides[0]);
    if (result == 0)
        result = bind_query(b, sql_field(inside, "rarg"), s, false, true, &sides[1]);
    if (result < 0)
        return result;
    unsigned count = sides[0].visible;
    if (count != sides[1].visible)
        return bind_error(b, first_location(sides[1].plan), "42601",
                          "each %s query must have the same number of columns", what);
    struct sql_type *types = bind_alloc(b, count + 1, sizeof *types);
    if (!types || (result = common_types(b, sides, what, keep_unknown, types)) < 0)
        return types ? result : -ENOMEM;
    struct sql_plan *left = as_types(b, sides[0].plan, types, count);
    struct sql_plan *right = left ? as_types(b, sides[1].plan, types, count) : NULL;
    struct sql_plan *plan =
        right ? combine(b, op, sql_field_bool(inside, "all"), left, right) : NULL;
    if (!plan)
        return -EINVAL;
    *ret = (struct bind_query){.plan = plan, .visible = count};
    s->from.plan = plan;
    return bind_plain_order(b, inside, "UNION/INTERSECT/EXCEPT", ret);
}

/* All rows of VALUES, bound; *RET row-major. */
static int bind_rows(struct sql_binder *b, struct bind_scope *s, json_value lists, unsigned width,
                     struct sql_expr **ret) {
    struct json_iterator i = json_each(lists);
    unsigned at = 0;
    while (json_next(&i)) {
        json_value list;
        (void)sql_node_is(i.value, "List", &list);
        json_value items = sql_field(list, "items");
        if (json_count(items) != width)
            return bind_error(b, bind_location(json_element(items, 0)), "42601",
                              "VALUES lists must all be the same length");
        struct json_iterator k = json_each(items);
        while (json_next(&k))
            if (!(ret[at++] = bind_expression(b, s, k.value)))
                return -EINVAL;
    }
    return 0;
}

static int unify_rows(struct sql_binder *b, struct sql_expr **e, unsigned rows, unsigned width) {
    struct sql_expr **column = bind_alloc(b, rows + 1, sizeof *column);
    if (!column)
        return -ENOMEM;
    for (unsigned c = 0; c < width; c++) {
        for (unsigned r = 0; r < rows; r++)
            column[r] = e[r * width + c];
        struct sql_type type;
        int result = bind_common_type(b, column, rows, "VALUES", &type);
        if (result < 0)
            return result;
        for (unsigned r = 0; r < rows; r++)
            if (!(e[r * width + c] =
                      bind_coerce(b, column[r], type, SQL_CAST_IMPLICIT, column[r]->location)))
                return -EINVAL;
    }
    return 0;
}

/* Rows whose expressions need a subquery: each a projection of what the subqueries gave. */
static struct sql_plan *projected_rows(struct sql_binder *b, struct sql_plan *input,
                                       struct sql_expr **e, const slice *names, unsigned rows,
                                       unsigned width) {
    struct sql_plan **each = bind_alloc(b, rows, sizeof *each);
    for (unsigned r = 0; each && r < rows; r++)
        if (!(each[r] = bind_plan_project(b, input, e + r * width, names, width)))
            return NULL;
    return !each ? NULL : rows == 1 ? each[0] : bind_plan_union(b, each, rows);
}

int bind_values(struct sql_binder *b, struct bind_scope *s, json_value inside,
                struct bind_query *ret) {
    json_value lists = sql_field(inside, "valuesLists"), first;
    (void)sql_node_is(json_element(lists, 0), "List", &first);
    unsigned rows = json_count(lists), width = json_count(sql_field(first, "items"));
    struct sql_plan *nothing = s->from.plan = bind_plan_nothing(b);
    struct sql_expr **e = bind_alloc(b, (size_t)rows * width + 1, sizeof *e);
    slice *names = bind_alloc(b, width + 1, sizeof *names);
    if (!nothing || !e || !names)
        return -ENOMEM;
    s->clause = "VALUES";
    int result = bind_rows(b, s, lists, width, e);
    if (result == 0)
        result = unify_rows(b, e, rows, width);
    for (unsigned i = 0; result == 0 && i < width; i++)
        if (arena_printf(b->memory, &names[i], "column%u", i + 1) < 0)
            result = sql_fail_memory(b->error);
    if (result < 0)
        return result;
    struct sql_plan *plan;
    if (s->from.plan != nothing)
        plan = projected_rows(b, s->from.plan, e, names, rows, width);
    else if ((plan = bind_plan(b, SQL_PLAN_VALUES, 0, width))) {
        plan->rows = rows;
        plan->expressions = rows * width;
        plan->expression = e;
        for (unsigned i = 0; i < width; i++)
            plan->column[i] = (struct sql_plan_column){names[i], e[i]->type};
    }
    if (!plan)
        return -ENOMEM;
    *ret = (struct bind_query){.plan = plan, .visible = width};
    return bind_plain_order(b, inside, "VALUES", ret);
}
