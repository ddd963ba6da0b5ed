/*
 * dml.c - INSERT, and what the three statements that write share: the table, defaults, generated
 * columns, RETURNING.
 */
#include "sql/bind/dml.h"

#include "sql/bind/from.h"
#include "sql/bind/move.h"
#include "sql/bind/select.h"

#include <errno.h>

struct sql_table *bind_written_table(struct sql_binder *b, json_value relation, const char *verb,
                                     slice *ret_alias) {
    int location = sql_location(relation);
    struct sql_table *t = bind_find_table(b, sql_field_text(relation, "schemaname"),
                                          sql_field_text(relation, "relname"), location);
    if (!t)
        return NULL;
    slice alias = sql_field_text(sql_field(relation, "alias"), "aliasname");
    *ret_alias = alias.len ? alias : t->name;
    if (t->kind == SQL_TABLE_STORED)
        return t;
    if (t->kind == SQL_TABLE_STREAM) {
        (void)bind_error(b, location, "0A000",
                         "cannot %s \"%.*s\": its rows are the messages of a stream", verb,
                         slice_fmt(t->name));
        sql_error_hint(b->error, "%s",
                       sql_oid_is_system(t->oid)
                           ? "Append events by their API, or publish to es.CATEGORY.ID "
                             "(docs/events.md)."
                           : "Publish to its subject; what is published is never changed.");
        return NULL;
    }
    if (t->kind == SQL_TABLE_VIEW)
        return bind_null(b, location, "55000", "cannot %s view \"%.*s\"", verb, slice_fmt(t->name));
    return bind_null(b, location, "42809", "cannot change %s \"%.*s\"",
                     t->kind == SQL_TABLE_SYSTEM ? "system table" : "materialized view",
                     slice_fmt(t->name));
}

struct sql_expr *bind_default(struct sql_binder *b, const struct sql_table *table,
                              unsigned column) {
    const struct sql_table_column *c = &table->column[column];
    if (c->default_text.len && c->generated == SQL_PLAIN && !c->dropped)
        return bind_text_expression(b, c->default_text, NULL, c->type);
    return bind_null_constant(b, c->type, -1);
}

struct putting {
    struct sql_expr **values;
};

static struct sql_expr *put_value(struct sql_binder *b, struct sql_expr *e, void *self) {
    (void)b;
    return e->kind == SQL_EXPR_COLUMN ? ((struct putting *)self)->values[e->index] : NULL;
}

int bind_generated(struct sql_binder *b, const struct sql_table *table, struct sql_expr **values) {
    struct putting putting = {values};
    for (unsigned i = 0; i < table->columns; i++) {
        const struct sql_table_column *c = &table->column[i];
        if (c->generated != SQL_STORED_EXPRESSION || c->dropped)
            continue;
        struct sql_expr *e = bind_text_expression(b, c->default_text, table, c->type);
        if (!e || !(values[i] = bind_map(b, e, put_value, &putting)))
            return -EINVAL;
    }
    return 0;
}

int bind_returning(struct sql_binder *b, const struct sql_table *table, slice alias,
                   json_value list, struct sql_statement *ret) {
    if (json_count(list) == 0)
        return 0;
    struct bind_scope *s = bind_alloc(b, 1, sizeof *s);
    if (!s || !(ret->returning = bind_alloc(b, 1, sizeof *ret->returning)))
        return -ENOMEM;
    *s = (struct bind_scope){.query = true, .clause = "RETURNING"};
    struct bind_select q = {.scope = s};
    int result = bind_table_scope(b, table, alias, &s->from);
    struct sql_plan *scan = s->from.plan;
    if (result == 0)
        result = bind_target_list(b, &q, list);
    if (result < 0)
        return result;
    if (s->from.plan != scan)
        return bind_error(b, -1, "0A000", "subqueries in RETURNING are not supported");
    ret->returning->plan = bind_plan_project(b, scan, q.target, q.name, q.count);
    ret->returning->visible = q.count;
    ret->returning->plans = 2;
    if (!ret->returning->plan)
        return -ENOMEM;
    scan->number = 0;
    ret->returning->plan->number = 1;
    return bind_finish_parameters(b, ret->returning);
}

/* Which columns the rows are for, in their order. */
static int insert_columns(struct sql_binder *b, const struct sql_table *t, json_value list,
                          unsigned **ret, unsigned *ret_count) {
    unsigned *columns = bind_alloc(b, t->columns + 1, sizeof *columns), count = 0;
    if (!columns)
        return -ENOMEM;
    for (unsigned i = 0; json_count(list) == 0 && i < t->columns; i++)
        if (!t->column[i].dropped)
            columns[count++] = i;
    struct json_iterator i = json_each(list);
    while (json_next(&i)) {
        json_value target;
        (void)sql_node_is(i.value, "ResTarget", &target);
        int location = sql_location(target);
        int at = bind_target_column(b, t, sql_field_text(target, "name"), location);
        if (at < 0)
            return at;
        if (json_count(sql_field(target, "indirection")))
            return bind_error(b, location, "0A000",
                              "INSERT into parts of a column is not "
                              "supported");
        int result = bind_add_column_once(b, t, (unsigned)at, location, columns, &count);
        if (result < 0)
            return result;
    }
    *ret = columns;
    *ret_count = count;
    return 0;
}

static int check_given(struct sql_binder *b, const struct sql_table_column *c, slice override,
                       int location) {
    bool system = slice_equal(override, slice_lit("OVERRIDING_SYSTEM_VALUE"));
    bool user = slice_equal(override, slice_lit("OVERRIDING_USER_VALUE"));
    bool identity = c->generated == SQL_IDENTITY && !system && !user;
    if (c->generated != SQL_STORED_EXPRESSION && !identity)
        return 0;
    (void)bind_error(b, location, "428C9", "cannot insert a non-DEFAULT value into column \"%.*s\"",
                     slice_fmt(c->name));
    sql_error_detail(b->error,
                     identity ? "Column \"%.*s\" is an identity column defined as GENERATED ALWAYS."
                              : "Column \"%.*s\" is a generated column.",
                     slice_fmt(c->name));
    if (identity)
        sql_error_hint(b->error, "Use OVERRIDING SYSTEM VALUE to override.");
    return -EINVAL;
}

/* The value given for column C: as its type, or its default where the user's does not count. */
static struct sql_expr *given_value(struct sql_binder *b, const struct sql_table *t,
                                    unsigned column, struct sql_expr *e, slice override) {
    const struct sql_table_column *c = &t->column[column];
    if (check_given(b, c, override, e->location) < 0)
        return NULL;
    bool counts = c->generated == SQL_IDENTITY || c->generated == SQL_IDENTITY_BY_DEFAULT;
    if (counts && slice_equal(override, slice_lit("OVERRIDING_USER_VALUE")))
        return bind_default(b, t, column);
    return bind_assign(b, e, c);
}

static int check_width(struct sql_binder *b, unsigned given, unsigned columns, bool listed,
                       int location) {
    if (given > columns)
        return bind_error(b, location, "42601", "INSERT has more expressions than target columns");
    if (listed && given < columns)
        return bind_error(b, location, "42601", "INSERT has more target columns than expressions");
    return 0;
}

struct inserting {
    const struct sql_table *table;
    unsigned *columns, count;
    bool listed;
    slice override;
    struct sql_expr **defaults; /* of all columns */
};

/* One list of VALUES as a whole row of the table, into ROW. */
static int values_row(struct sql_binder *b, struct bind_scope *s, struct inserting *to,
                      json_value items, struct sql_expr **row) {
    const struct sql_table *t = to->table;
    bind_move(row, to->defaults, t->columns * sizeof *row);
    int result = check_width(b, json_count(items), to->count, to->listed, -1);
    struct json_iterator i = json_each(items);
    for (unsigned at = 0; result == 0 && json_next(&i); at++) {
        if (slice_equal(sql_node_name(i.value), slice_lit("SetToDefault")))
            continue;
        unsigned column = to->columns[at];
        struct sql_expr *e = bind_expression(b, s, i.value);
        if (!e || !(row[column] = given_value(b, t, column, e, to->override)))
            return -EINVAL;
    }
    return result < 0 ? result : bind_generated(b, t, row);
}

static struct sql_plan *values_plan(struct sql_binder *b, struct bind_scope *s,
                                    struct inserting *to, json_value lists) {
    const struct sql_table *t = to->table;
    unsigned rows = json_count(lists), width = t->columns, at = 0;
    struct sql_plan *nothing = s->from.plan = bind_plan_nothing(b);
    struct sql_expr **e = bind_alloc(b, (size_t)rows * width + 1, sizeof *e);
    if (!nothing || !e)
        return NULL;
    s->clause = "VALUES";
    struct json_iterator i = json_each(lists);
    for (; json_next(&i); at++) {
        json_value list;
        (void)sql_node_is(i.value, "List", &list);
        if (values_row(b, s, to, sql_field(list, "items"), e + at * width) < 0)
            return NULL;
    }
    struct sql_plan *p;
    if (s->from.plan == nothing) {
        if (!(p = bind_plan(b, SQL_PLAN_VALUES, 0, width)))
            return NULL;
        p->rows = rows;
        p->expressions = rows * width;
        p->expression = e;
        for (unsigned c = 0; c < width; c++)
            p->column[c] = (struct sql_plan_column){t->column[c].name, t->column[c].type};
        return p;
    }
    struct sql_plan **each = bind_alloc(b, rows, sizeof *each);
    for (unsigned r = 0; each && r < rows; r++)
        if (!(each[r] = bind_plan_project(b, s->from.plan, e + r * width, NULL, width)))
            return NULL;
    return !each ? NULL : rows == 1 ? each[0] : bind_plan_union(b, each, rows);
}

static struct sql_plan *select_plan(struct sql_binder *b, struct bind_scope *s,
                                    struct inserting *to, json_value select) {
    struct bind_query q;
    const struct sql_table *t = to->table;
    if (bind_query(b, select, s, false, true, &q) < 0 ||
        check_width(b, q.visible, to->count, to->listed, -1) < 0)
        return NULL;
    struct sql_expr **row = bind_alloc(b, t->columns + 1, sizeof *row);
    if (!row)
        return NULL;
    bind_move(row, to->defaults, t->columns * sizeof *row);
    for (unsigned i = 0; i < q.visible; i++) {
        unsigned column = to->columns[i];
        struct sql_expr *e =
            q.plan->column[i].type.oid == SQL_UNKNOWN && q.plan->kind == SQL_PLAN_PROJECT
                ? q.plan->expression[i]
                : bind_column(b, i, q.plan->column[i].type, -1);
        if (!e || !(row[column] = given_value(b, t, column, e, to->override)))
            return NULL;
    }
    if (bind_generated(b, t, row) < 0)
        return NULL;
    return bind_plan_project(b, q.plan, row, NULL, t->columns);
}

static int all_defaults(struct sql_binder *b, struct inserting *to) {
    if (!(to->defaults = bind_alloc(b, to->table->columns + 1, sizeof *to->defaults)))
        return -ENOMEM;
    for (unsigned i = 0; i < to->table->columns; i++)
        if (!(to->defaults[i] = bind_default(b, to->table, i)))
            return -EINVAL;
    return 0;
}

static struct sql_plan *default_row(struct sql_binder *b, struct inserting *to) {
    struct sql_plan *nothing = bind_plan_nothing(b);
    if (!nothing || bind_generated(b, to->table, to->defaults) < 0)
        return NULL;
    return bind_plan_project(b, nothing, to->defaults, NULL, to->table->columns);
}

/* A plain list of rows: not a SELECT with clauses of its own. */
static bool is_plain_values(json_value select) {
    return json_count(sql_field(select, "valuesLists")) > 0 &&
           json_count(sql_field(select, "sortClause")) == 0 &&
           json_type_of(sql_field(select, "limitCount")) == JSON_ABSENT &&
           json_type_of(sql_field(select, "limitOffset")) == JSON_ABSENT;
}

int bind_insert(struct sql_binder *b, json_value inside, struct sql_statement *ret) {
    slice alias;
    json_value select, cols = sql_field(inside, "cols");
    struct sql_table *t =
        bind_written_table(b, sql_field(inside, "relation"), "insert into", &alias);
    struct bind_scope *s = t ? bind_alloc(b, 1, sizeof *s) : NULL;
    if (!s)
        return -EINVAL;
    *s = (struct bind_scope){.query = true};
    struct inserting to = {
        .table = t, .listed = json_count(cols) > 0, .override = sql_field_text(inside, "override")};
    int result = insert_columns(b, t, cols, &to.columns, &to.count);
    if (result == 0)
        result = bind_with(b, s, sql_field(inside, "withClause"));
    if (result == 0)
        result = all_defaults(b, &to);
    if (result < 0)
        return result;
    bool given = sql_node_is(sql_field(inside, "selectStmt"), "SelectStmt", &select);
    struct sql_plan *plan = !given ? default_row(b, &to)
                            : is_plain_values(select)
                                ? values_plan(b, s, &to, sql_field(select, "valuesLists"))
                                : select_plan(b, s, &to, select);
    if (!plan)
        return -EINVAL;
    ret->kind = SQL_STATEMENT_INSERT;
    ret->table = t;
    ret->query = (struct sql_query){.plan = plan, .visible = t->columns};
    result = bind_conflict(b, t, alias, sql_field(inside, "onConflictClause"), ret);
    if (result == 0)
        result = bind_unused_ctes(b, s);
    if (result == 0)
        result = bind_returning(b, t, alias, sql_field(inside, "returningList"), ret);
    return result < 0 ? result : bind_finish_query(b, &ret->query);
}
