/*
 * select.c - SELECT: the list of results, and the order in which the clauses are bound.
 *
 *   FROM, WHERE              bound and placed at once: the scope's plan
 *   SELECT, ORDER BY,        bound over that plan's columns, with aggregates, window functions,
 *   DISTINCT ON, HAVING      set functions and subqueries left open
 *   GROUP BY                 may name results, so it follows them
 *   place.c                  puts what was left open into the plan, then projects
 */
#include "sql/bind/select.h"

#include "sql/bind/from.h"

#include <errno.h>

int bind_add_target(struct sql_binder *b, struct bind_select *q, struct sql_expr *e, slice name,
                    unsigned *ret) {
    for (unsigned i = 0; ret && i < q->count; i++)
        if (sql_expr_equal(q->target[i], e)) {
            *ret = i;
            return 0;
        }
    void *targets = bind_grow(b, q->target, q->count, sizeof *q->target);
    void *names = bind_grow(b, q->name, q->count, sizeof *q->name);
    if (!targets || !names)
        return -ENOMEM;
    q->target = targets;
    q->name = names;
    if (q->count >= SQL_COLUMNS_MAX)
        return bind_error(b, e->location, "54011", "target lists can have at most %u entries",
                          SQL_COLUMNS_MAX);
    q->target[q->count] = e;
    q->name[q->count] = name;
    if (ret)
        *ret = q->count;
    q->count++;
    return 0;
}

static int add_columns(struct sql_binder *b, struct bind_select *q, const struct bind_name *names,
                       unsigned count, int location) {
    const struct sql_plan *plan = q->scope->from.plan;
    for (unsigned i = 0; i < count; i++) {
        struct sql_expr *e =
            bind_column(b, names[i].column, plan->column[names[i].column].type, location);
        if (!e || bind_add_target(b, q, e, names[i].name, NULL) < 0)
            return -EINVAL;
    }
    return 0;
}

/* `*`, `t.*`, `s.t.*` */
static int add_star(struct sql_binder *b, struct bind_select *q, json_value reference) {
    json_value fields = sql_field(reference, "fields");
    unsigned count = json_count(fields);
    int location = sql_location(reference);
    const struct bind_from *from = &q->scope->from;
    if (count == 1) {
        if (from->relations == 0)
            return bind_error(b, location, "42601",
                              "SELECT * with no tables specified is not "
                              "valid");
        return add_columns(b, q, from->name, from->names, location);
    }
    slice table = sql_string(json_element(fields, count - 2));
    slice schema = count > 2 ? sql_string(json_element(fields, count - 3)) : (slice){NULL, 0};
    const struct bind_relation *r = bind_find_relation(from, schema, table);
    if (r)
        return add_columns(b, q, r->name_list, r->names, location);
    struct sql_expr *row = bind_column_ref(b, q->scope, reference);
    if (!row || row->kind != SQL_EXPR_ROW)
        return row ? bind_error(b, location, "42P01",
                                "missing FROM-clause entry for table "
                                "\"%.*s\"",
                                slice_fmt(table))
                   : -EINVAL;
    for (unsigned i = 0; i < row->count; i++)
        if (bind_add_target(b, q, row->arguments[i], slice_lit("?column?"), NULL) < 0)
            return -EINVAL;
    return 0;
}

static bool is_star(json_value node, json_value *ret) {
    if (!sql_node_is(node, "ColumnRef", ret))
        return false;
    json_value fields = sql_field(*ret, "fields");
    return sql_node_is(json_element(fields, json_count(fields) - 1), "A_Star", NULL);
}

int bind_target_list(struct sql_binder *b, struct bind_select *q, json_value list) {
    struct json_iterator i = json_each(list);
    while (json_next(&i)) {
        json_value target, reference;
        (void)sql_node_is(i.value, "ResTarget", &target);
        json_value node = sql_field(target, "val");
        if (is_star(node, &reference)) {
            int result = add_star(b, q, reference);
            if (result < 0)
                return result;
            continue;
        }
        struct sql_expr *e = bind_expression(b, q->scope, node);
        if (e && !q->keep_unknown)
            e = bind_known(b, e);
        slice name = sql_field_text(target, "name");
        if (!e || bind_add_target(b, q, e, name.len ? name : bind_figure_name(node), NULL) < 0)
            return -EINVAL;
    }
    q->targets = q->count;
    return 0;
}

int bind_target_of(struct sql_binder *b, struct bind_select *q, json_value node, const char *clause,
                   unsigned *ret) {
    json_value inside, fields;
    if (sql_node_is(node, "A_Const", &inside)) {
        json_value integer = sql_field(inside, "ival");
        if (json_type_of(integer) == JSON_ABSENT)
            return bind_error(b, sql_location(inside), "42601", "non-integer constant in %s",
                              clause);
        int64_t position = sql_field_int(integer, "ival");
        if (position < 1 || position > q->targets)
            return bind_error(b, sql_location(inside), "42P10",
                              "%s position %lld is not in select list", clause,
                              (long long)position);
        *ret = (unsigned)position - 1;
        return 0;
    }
    if (!sql_node_is(node, "ColumnRef", &inside) ||
        json_count(fields = sql_field(inside, "fields")) != 1)
        return -ENOENT;
    slice name = sql_string(json_element(fields, 0));
    bool found = false;
    for (unsigned i = 0; name.len && i < q->targets; i++) {
        if (!slice_equal(q->name[i], name))
            continue;
        if (found && !sql_expr_equal(q->target[*ret], q->target[i]))
            return bind_error(b, sql_location(inside), "42702", "%s \"%.*s\" is ambiguous", clause,
                              slice_fmt(name));
        if (!found)
            *ret = i;
        found = true;
    }
    return found ? 0 : -ENOENT;
}

static int bind_having(struct sql_binder *b, struct bind_select *q) {
    json_value node = sql_field(q->inside, "havingClause");
    if (json_type_of(node) == JSON_ABSENT)
        return 0;
    q->grouped = true;
    q->scope->clause = "HAVING";
    q->scope->allow = BIND_ALLOW_AGGREGATE;
    q->having = bind_condition(b, q->scope, node, "HAVING");
    return q->having ? 0 : -EINVAL;
}

static int bind_lists(struct sql_binder *b, struct bind_select *q) {
    struct bind_scope *s = q->scope;
    json_value distinct = sql_field(q->inside, "distinctClause");
    q->distinct = json_count(distinct) > 0;
    s->windows = sql_field(q->inside, "windowClause");
    s->deferred = true;
    s->clause = "SELECT";
    s->allow = BIND_ALLOW_AGGREGATE | BIND_ALLOW_WINDOW | BIND_ALLOW_SET;
    int result = bind_target_list(b, q, sql_field(q->inside, "targetList"));
    if (result == 0)
        result = bind_group_clause(b, q);
    if (result == 0)
        result = bind_having(b, q);
    s->clause = "ORDER BY";
    s->allow = BIND_ALLOW_AGGREGATE | BIND_ALLOW_WINDOW | BIND_ALLOW_SET;
    if (result == 0)
        result = bind_distinct_on(b, q);
    if (result == 0)
        result = bind_order_clause(b, q);
    for (unsigned i = 0; i < s->pendings; i++)
        q->grouped |= s->pending[i]->kind == BIND_AGGREGATE;
    return result;
}

/* DISTINCT ON keeps the first row of each group in the query's order. */
static struct sql_plan *distinct_rows(struct sql_binder *b, const struct bind_select *q,
                                      struct sql_plan *plan) {
    if (!q->distinct_on)
        return bind_plan_same(b, SQL_PLAN_DISTINCT, plan);
    struct sql_plan *top = bind_plan_same(b, SQL_PLAN_TOP, plan);
    if (!top || !(top->limit = bind_integer(b, SQL_INT8, 1)))
        return NULL;
    top->partitions = q->distinct_on;
    top->partition = q->distinct_columns;
    top->orders = q->orders;
    top->order = q->order;
    return top;
}

static int bind_simple(struct sql_binder *b, struct bind_scope *s, json_value inside,
                       bool keep_unknown, struct bind_query *ret) {
    struct bind_select q = {.scope = s, .inside = inside, .keep_unknown = keep_unknown};
    int result = bind_from_clause(b, s, sql_field(inside, "fromClause"));
    s->clause = "WHERE";
    if (result == 0)
        result = bind_where(b, s, sql_field(inside, "whereClause"), "WHERE");
    if (result == 0)
        result = bind_lists(b, &q);
    if (result == 0)
        result = bind_place_all(b, &q);
    if (result < 0)
        return result;
    struct sql_plan *plan = s->from.plan;
    if (q.distinct && !(plan = distinct_rows(b, &q, plan)))
        return -ENOMEM;
    *ret = (struct bind_query){plan, q.targets, q.orders, q.order};
    return 0;
}

static int check_clauses(struct sql_binder *b, json_value inside) {
    if (json_type_of(sql_field(inside, "intoClause")) != JSON_ABSENT)
        return bind_error(b, -1, "0A000", "SELECT INTO is not supported (use CREATE TABLE AS)");
    if (json_count(sql_field(inside, "lockingClause"))) {
        int r = bind_error(b, -1, "0A000",
                           "SELECT ... FOR UPDATE or SHARE is not supported: rows "
                           "are not locked");
        sql_error_hint(b->error, "Leave it out and write the row: of two transactions that have "
                                 "changed it the second is told at COMMIT (40001), and repeats.");
        return r;
    }
    return 0;
}

int bind_query(struct sql_binder *b, json_value inside, struct bind_scope *outer, bool boundary,
               bool keep_unknown, struct bind_query *ret) {
    struct bind_scope *s = bind_alloc(b, 1, sizeof *s);
    int result = s ? bind_enter(b) : -ENOMEM;
    if (result < 0)
        return result;
    *s = (struct bind_scope){.outer = outer, .boundary = boundary, .query = true};
    result = check_clauses(b, inside);
    if (result == 0)
        result = bind_with(b, s, sql_field(inside, "withClause"));
    if (result < 0)
        ;
    else if (!slice_equal(sql_field_text(inside, "op"), slice_lit("SETOP_NONE")))
        result = bind_set_operation(b, s, inside, keep_unknown, ret);
    else if (json_count(sql_field(inside, "valuesLists")))
        result = bind_values(b, s, inside, ret);
    else
        result = bind_simple(b, s, inside, keep_unknown, ret);
    if (result == 0)
        result = bind_unused_ctes(b, s);
    if (result == 0)
        result = bind_limit(b, s, inside, ret);
    bind_leave(b);
    return result;
}

struct sql_plan *bind_subquery(struct sql_binder *b, json_value select, struct bind_scope *outer,
                               bool boundary) {
    struct bind_query q;
    if (bind_query(b, select, outer, boundary, false, &q) < 0)
        return NULL;
    return bind_plan_first(b, q.plan, q.visible);
}
