/*
 * update.c - UPDATE and DELETE: the rows they mean, with their ids, joined with what FROM or USING
 * names. A row that meets several partners there is written once, as in PostgreSQL, by any of them.
 */
#include "sql/bind/dml.h"

#include "sql/bind/from.h"

#include <errno.h>

/* The target with its row id in column 0, all its columns behind. */
static int target_from(struct sql_binder *b, const struct sql_table *t, slice alias,
                       struct bind_from *ret) {
    struct sql_plan *p = bind_plan(b, SQL_PLAN_SCAN, 0, t->columns + 1);
    if (!p || !(p->scan_columns = bind_alloc(b, t->columns + 1, sizeof *p->scan_columns)))
        return -ENOMEM;
    p->table = t;
    p->scan_columns[0] = SQL_SCAN_ROW_ID;
    p->column[0] = (struct sql_plan_column){slice_lit("row id"), sql_type_of(SQL_INT8)};
    int result = bind_table_scope(b, t, alias, ret);
    if (result < 0)
        return result;
    for (unsigned i = 0; i < t->columns; i++) {
        p->scan_columns[i + 1] = i;
        p->column[i + 1] = ret->plan->column[i];
    }
    for (unsigned i = 0; i < ret->names; i++) {
        ret->name[i].column++;
        ret->relation[0]->name_list[i].column++;
    }
    ret->plan = p;
    return 0;
}

static int join_others(struct sql_binder *b, struct bind_scope *s, json_value list) {
    struct json_iterator i = json_each(list);
    while (json_next(&i)) {
        struct bind_from item, both;
        int result = bind_from_item(b, (struct bind_place){s, true}, i.value, &item);
        if (result == 0)
            result = bind_combine(b, SQL_JOIN_INNER, &s->from, &item, -1, &both);
        if (result < 0)
            return result;
        s->from = both;
    }
    return 0;
}

/* Each row id once. */
static struct sql_plan *once(struct sql_binder *b, struct sql_plan *plan) {
    struct sql_plan *top = bind_plan_same(b, SQL_PLAN_TOP, plan);
    if (!top || !(top->partition = bind_alloc(b, 1, sizeof *top->partition)) ||
        !(top->limit = bind_integer(b, SQL_INT8, 1)))
        return NULL;
    top->partitions = 1;
    return top;
}

/* The column TARGET names, as a whole and for the first time. */
static int assigned_column(struct sql_binder *b, const struct sql_table *t, json_value target,
                           struct sql_expr *const *set) {
    slice name = sql_field_text(target, "name");
    int location = sql_location(target), column = bind_target_column(b, t, name, location);
    if (column < 0)
        return column;
    if (json_count(sql_field(target, "indirection")))
        return bind_error(b, location, "0A000", "UPDATE of parts of a column is not supported");
    if (set[column])
        return bind_error(b, location, "42601", "multiple assignments to same column \"%.*s\"",
                          slice_fmt(name));
    return column;
}

static int set_one(struct sql_binder *b, const struct sql_table *t, json_value target,
                   struct sql_expr *e, struct sql_expr **set) {
    slice name = sql_field_text(target, "name");
    int location = sql_location(target), column = e ? assigned_column(b, t, target, set) : -EINVAL;
    if (column < 0)
        return column;
    const struct sql_table_column *c = &t->column[column];
    if (c->generated == SQL_STORED_EXPRESSION || c->generated == SQL_IDENTITY) {
        (void)bind_error(b, location, "428C9", "column \"%.*s\" can only be updated to DEFAULT",
                         slice_fmt(name));
        sql_error_detail(b->error, "Column \"%.*s\" is %s.", slice_fmt(name),
                         c->generated == SQL_IDENTITY
                             ? "an identity column defined as GENERATED ALWAYS"
                             : "a generated column");
        return -EINVAL;
    }
    return (set[column] = bind_assign(b, e, c)) ? 0 : -EINVAL;
}

static int set_default(struct sql_binder *b, const struct sql_table *t, json_value target,
                       struct sql_expr **set) {
    int column = assigned_column(b, t, target, set);
    if (column < 0)
        return column;
    if (t->column[column].generated == SQL_STORED_EXPRESSION)
        return 0;
    return (set[column] = bind_default(b, t, (unsigned)column)) ? 0 : -EINVAL;
}

/* The row that (a, b) = … gives: bound at its first column, kept for the others. */
static struct sql_expr *multi_source(struct sql_binder *b, struct bind_scope *s,
                                     json_value source) {
    json_value query;
    struct sql_expr *row;
    if (!sql_node_is(source, "SubLink", &query))
        row = bind_expression(b, s, source);
    else {
        json_value select;
        struct sql_plan *plan = sql_node_is(sql_field(query, "subselect"), "SelectStmt", &select)
                                    ? bind_subquery(b, select, s, true)
                                    : NULL;
        row = plan ? bind_expr(b, SQL_EXPR_ROW, sql_type_of(SQL_RECORD), -1, plan->columns) : NULL;
        unsigned base = s->from.plan->columns;
        for (unsigned i = 0; row && i < row->count; i++)
            if (!(row->arguments[i] = bind_column(b, base + i, plan->column[i].type, -1)))
                return NULL;
        if (row)
            s->from.plan =
                bind_plan_join(b, SQL_PLAN_APPLY, SQL_JOIN_SCALAR, s->from.plan, plan, NULL);
        if (!s->from.plan)
            return NULL;
    }
    if (row && row->kind != SQL_EXPR_ROW)
        return bind_null(b, row->location, "0A000",
                         "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() "
                         "expression");
    return row;
}

/* ROW items that are DEFAULT cannot be bound as expressions: told before. */
static bool item_is_default(json_value source, unsigned at) {
    json_value row;
    return sql_node_is(source, "RowExpr", &row) &&
           slice_equal(sql_node_name(json_element(sql_field(row, "args"), at)),
                       slice_lit("SetToDefault"));
}

static int set_multi(struct sql_binder *b, struct bind_scope *s, const struct sql_table *t,
                     json_value target, json_value reference, struct sql_expr **row,
                     struct sql_expr **set) {
    json_value source = sql_field(reference, "source"), items;
    unsigned at = (unsigned)sql_field_int(reference, "colno") - 1;
    unsigned count = (unsigned)sql_field_int(reference, "ncolumns");
    if (item_is_default(source, at))
        return set_default(b, t, target, set);
    if (sql_node_is(source, "RowExpr", &items)) {
        items = sql_field(items, "args");
        if (json_count(items) != count)
            return bind_error(b, -1, "42601", "number of columns does not match number of values");
        return set_one(b, t, target, bind_expression(b, s, json_element(items, at)), set);
    }
    if (at == 0 && !(*row = multi_source(b, s, source)))
        return -EINVAL;
    if (!*row || (*row)->count != count)
        return bind_error(b, -1, "42601", "number of columns does not match number of values");
    return set_one(b, t, target, (*row)->arguments[at], set);
}

int bind_set_list(struct sql_binder *b, struct bind_scope *s, const struct sql_table *table,
                  json_value list, struct sql_expr **set) {
    struct json_iterator i = json_each(list);
    struct sql_expr *row = NULL;
    int result = 0;
    while (result == 0 && json_next(&i)) {
        json_value target, multi;
        (void)sql_node_is(i.value, "ResTarget", &target);
        json_value value = sql_field(target, "val");
        if (sql_node_is(value, "MultiAssignRef", &multi))
            result = set_multi(b, s, table, target, multi, &row, set);
        else if (slice_equal(sql_node_name(value), slice_lit("SetToDefault")))
            result = set_default(b, table, target, set);
        else
            result = set_one(b, table, target, bind_expression(b, s, value), set);
    }
    return result;
}

/* [row id, old columns] and, of UPDATE, the new ones. */
static struct sql_plan *written_rows(struct sql_binder *b, struct bind_scope *s,
                                     const struct sql_table *t, struct sql_expr **set) {
    unsigned width = t->columns, count = 1 + width + (set ? width : 0);
    struct sql_expr **e = bind_alloc(b, count + 1, sizeof *e);
    for (unsigned i = 0; e && i < count; i++) {
        unsigned column = i <= width ? i : i - width;
        e[i] = i > width && set[column - 1]
                   ? set[column - 1]
                   : bind_column(b, column, s->from.plan->column[column].type, -1);
        if (!e[i])
            return NULL;
    }
    if (!e || (set && bind_generated(b, t, e + 1 + width) < 0))
        return NULL;
    return bind_plan_project(b, s->from.plan, e, NULL, count);
}

/* RETURNING knows the changed table's columns only; * would be those of the others as well. */
static int refuse_star(struct sql_binder *b, json_value list) {
    struct json_iterator i = json_each(list);
    while (json_next(&i)) {
        json_value target, column;
        if (!sql_node_is(i.value, "ResTarget", &target) ||
            !sql_node_is(sql_field(target, "val"), "ColumnRef", &column) ||
            !slice_equal(sql_node_name(json_element(sql_field(column, "fields"), 0)),
                         slice_lit("A_Star")))
            continue;
        (void)bind_error(b, sql_location(target), "0A000",
                         "RETURNING * is not supported beside tables of FROM or USING");
        sql_error_hint(b->error, "Name the changed table: RETURNING t.*.");
        return -EINVAL;
    }
    return 0;
}

static int bind_change(struct sql_binder *b, json_value inside, bool update,
                       struct sql_statement *ret) {
    slice alias;
    const struct sql_table *t = ret->table = bind_written_table(
        b, sql_field(inside, "relation"), update ? "update" : "delete from", &alias);
    struct bind_scope *s = t ? bind_alloc(b, 1, sizeof *s) : NULL;
    struct sql_expr **set = s ? bind_alloc(b, t->columns + 1, sizeof *set) : NULL;
    if (!set)
        return -EINVAL;
    *s = (struct bind_scope){.query = true};
    json_value others = sql_field(inside, update ? "fromClause" : "usingClause");
    int result = bind_with(b, s, sql_field(inside, "withClause"));
    if (result == 0)
        result = target_from(b, t, alias, &s->from);
    if (result == 0)
        result = join_others(b, s, others);
    s->clause = "WHERE";
    if (result == 0)
        result = bind_where(b, s, sql_field(inside, "whereClause"), "WHERE");
    s->clause = "UPDATE";
    if (result == 0 && update)
        result = bind_set_list(b, s, t, sql_field(inside, "targetList"), set);
    if (result < 0)
        return result;
    struct sql_plan *plan = written_rows(b, s, t, update ? set : NULL);
    if (plan && json_count(others))
        plan = once(b, plan);
    if (!plan)
        return -EINVAL;
    ret->kind = update ? SQL_STATEMENT_UPDATE : SQL_STATEMENT_DELETE;
    ret->query = (struct sql_query){.plan = plan, .visible = plan->columns};
    result = bind_unused_ctes(b, s);
    if (result == 0 && json_count(others))
        result = refuse_star(b, sql_field(inside, "returningList"));
    if (result == 0)
        result = bind_returning(b, t, alias, sql_field(inside, "returningList"), ret);
    return result < 0 ? result : bind_finish_query(b, &ret->query);
}

int bind_update(struct sql_binder *b, json_value inside, struct sql_statement *ret) {
    return bind_change(b, inside, true, ret);
}

int bind_delete(struct sql_binder *b, json_value inside, struct sql_statement *ret) {
    return bind_change(b, inside, false, ret);
}
