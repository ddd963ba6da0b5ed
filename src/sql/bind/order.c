/*
 * order.c - ORDER BY, DISTINCT ON, LIMIT.
 *
 * ORDER BY names a result by number or name first, and else is an expression over FROM; one that is
 * no result becomes a hidden column. The order of a query without LIMIT is told beside the plan;
 * with one it is a TOP node.
 */
#include "sql/bind/call.h"
#include "sql/bind/select.h"

#include <errno.h>

static int order_target(struct sql_binder *b, struct bind_select *q, json_value node,
                        const char *clause, unsigned *ret) {
    int result = bind_target_of(b, q, node, clause, ret);
    if (result != -ENOENT)
        return result;
    struct sql_expr *e = bind_known(b, bind_expression(b, q->scope, node));
    return e ? bind_add_target(b, q, e, slice_lit("?order?"), ret) : -EINVAL;
}

/* A literal among the results gets its type before it is sorted by. */
static int settle_target(struct sql_binder *b, struct bind_select *q, unsigned at) {
    q->target[at] = bind_known(b, q->target[at]);
    return q->target[at] ? 0 : -EINVAL;
}

static int check_distinct_order(struct sql_binder *b, const struct bind_select *q, unsigned at,
                                int location) {
    if (q->distinct && !q->distinct_on && at >= q->targets)
        return bind_error(b, location, "42P10",
                          "for SELECT DISTINCT, ORDER BY expressions must appear in select list");
    if (!q->distinct_on || q->orders >= q->distinct_on)
        return 0;
    for (unsigned i = 0; i < q->distinct_on; i++)
        if (q->distinct_columns[i] == at)
            return 0;
    return bind_error(b, q->target[q->distinct_columns[0]]->location, "42P10",
                      "SELECT DISTINCT ON expressions must match initial ORDER BY expressions");
}

int bind_order_clause(struct sql_binder *b, struct bind_select *q) {
    json_value list = sql_field(q->inside, "sortClause");
    struct json_iterator i = json_each(list);
    if (!(q->order = bind_alloc(b, json_count(list) + 1, sizeof *q->order)))
        return -ENOMEM;
    while (json_next(&i)) {
        json_value sort;
        unsigned at = 0;
        (void)sql_node_is(i.value, "SortBy", &sort);
        struct sql_sort_key key = {0};
        int result = order_target(b, q, sql_field(sort, "node"), "ORDER BY", &at);
        if (result == 0)
            result = bind_sort_how(b, sort, &key);
        if (result == 0)
            result = settle_target(b, q, at);
        if (result == 0)
            result = check_distinct_order(b, q, at, q->target[at]->location);
        if (result < 0)
            return result;
        key.column = at;
        bool known = false;
        for (unsigned k = 0; k < q->orders; k++)
            known |= q->order[k].column == at;
        if (!known)
            q->order[q->orders++] = key;
    }
    return 0;
}

int bind_distinct_on(struct sql_binder *b, struct bind_select *q) {
    json_value list = sql_field(q->inside, "distinctClause");
    if (!q->distinct || json_count(json_element(list, 0)) == 0)
        return 0; /* plain DISTINCT is a list of one empty node */
    q->distinct_columns = bind_alloc(b, json_count(list), sizeof *q->distinct_columns);
    struct json_iterator i = json_each(list);
    if (!q->distinct_columns)
        return -ENOMEM;
    unsigned count = 0;
    while (json_next(&i)) {
        int result = order_target(b, q, i.value, "SELECT DISTINCT ON", &q->distinct_columns[count]);
        if (result == 0)
            result = settle_target(b, q, q->distinct_columns[count++]);
        if (result < 0)
            return result;
    }
    q->distinct_on = count;
    return 0;
}

/* Of UNION and VALUES: numbers and names of the result only. */
static int plain_column(struct sql_binder *b, json_value node, const char *what,
                        const struct bind_query *q, unsigned *ret) {
    json_value inside;
    if (sql_node_is(node, "A_Const", &inside) &&
        json_type_of(sql_field(inside, "ival")) != JSON_ABSENT) {
        int64_t position = sql_field_int(sql_field(inside, "ival"), "ival");
        if (position < 1 || position > q->visible)
            return bind_error(b, sql_location(inside), "42P10",
                              "ORDER BY position %lld is not in select list", (long long)position);
        *ret = (unsigned)position - 1;
        return 0;
    }
    if (sql_node_is(node, "ColumnRef", &inside) && json_count(sql_field(inside, "fields")) == 1) {
        slice name = sql_string(json_element(sql_field(inside, "fields"), 0));
        for (unsigned i = 0; i < q->visible; i++)
            if (slice_equal(q->plan->column[i].name, name)) {
                *ret = i;
                return 0;
            }
        return bind_error(b, sql_location(inside), "42703", "column \"%.*s\" does not exist",
                          slice_fmt(name));
    }
    (void)bind_error(b, bind_location(node), "0A000", "invalid %s ORDER BY clause", what);
    sql_error_detail(b->error, "Only result column names can be used, not expressions or "
                               "functions.");
    return -EINVAL;
}

int bind_plain_order(struct sql_binder *b, json_value inside, const char *what,
                     struct bind_query *q) {
    json_value list = sql_field(inside, "sortClause");
    struct json_iterator i = json_each(list);
    if (!(q->order = bind_alloc(b, json_count(list) + 1, sizeof *q->order)))
        return -ENOMEM;
    while (json_next(&i)) {
        json_value sort;
        (void)sql_node_is(i.value, "SortBy", &sort);
        struct sql_sort_key *key = &q->order[q->orders++];
        int result = plain_column(b, sql_field(sort, "node"), what, q, &key->column);
        if (result == 0)
            result = bind_sort_how(b, sort, key);
        if (result < 0)
            return result;
    }
    return 0;
}

/* A constant or a parameter, as bigint; NULL in *RET: no bound. */
static int bind_bound(struct sql_binder *b, struct bind_scope *s, json_value node,
                      const char *clause, struct sql_expr **ret) {
    *ret = NULL;
    if (json_type_of(node) == JSON_ABSENT)
        return 0;
    struct bind_scope nothing = {.outer = s->outer, .boundary = s->boundary, .clause = clause};
    nothing.from.plan = bind_plan_nothing(b);
    struct sql_expr *e = nothing.from.plan ? bind_expression(b, &nothing, node) : NULL;
    e = bind_coerce(b, e, sql_type_of(SQL_INT8), SQL_CAST_ASSIGNMENT, e ? e->location : -1);
    if (!e)
        return -EINVAL;
    if (e->kind == SQL_EXPR_CONST && e->null)
        return 0;
    if (e->kind == SQL_EXPR_CONST && e->cell.i < 0)
        return bind_error(b, e->location, clause[0] == 'L' ? "2201W" : "2201X",
                          "%s must not be negative", clause);
    if (e->kind != SQL_EXPR_CONST && e->kind != SQL_EXPR_PARAMETER)
        return bind_error(b, e->location, "0A000", "%s must be a constant or a parameter", clause);
    *ret = e;
    return 0;
}

int bind_limit(struct sql_binder *b, struct bind_scope *s, json_value inside,
               struct bind_query *q) {
    struct sql_expr *limit, *offset;
    int result = bind_bound(b, s, sql_field(inside, "limitCount"), "LIMIT", &limit);
    if (result == 0)
        result = bind_bound(b, s, sql_field(inside, "limitOffset"), "OFFSET", &offset);
    if (result < 0 || (!limit && !offset))
        return result;
    struct sql_plan *top = bind_plan_same(b, SQL_PLAN_TOP, q->plan);
    if (!top)
        return -ENOMEM;
    top->limit = limit;
    top->offset = offset;
    top->orders = q->orders;
    top->order = q->order;
    if (slice_equal(sql_field_text(inside, "limitOption"), slice_lit("LIMIT_OPTION_WITH_TIES"))) {
        if (q->orders == 0)
            return bind_error(b, -1, "42601",
                              "WITH TIES cannot be specified without ORDER BY clause");
        top->top = SQL_TOP_RANK;
    }
    q->plan = top;
    return 0;
}
