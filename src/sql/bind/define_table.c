/*
 * define_table.c - CREATE TABLE: columns, their constraints, and those of the table.
 *
 * Columns come first, all of them, then constraints in the order they were written, so that a
 * constraint may name a column below it. Foreign keys are refused (0A000): nothing here would hold
 * them. What is kept where is catalog.h's.
 */
#include "sql/bind/define.h"

#include <errno.h>

/* smallserial, serial, bigserial and their kin: an integer that counts by itself. */
static bool is_serial(json_value type_name, struct sql_type *ret) {
    static const struct {
        const char *name;
        uint32_t oid;
    } serials[] = {{"serial", SQL_INT4},  {"serial4", SQL_INT4},     {"bigserial", SQL_INT8},
                   {"serial8", SQL_INT8}, {"smallserial", SQL_INT2}, {"serial2", SQL_INT2}};
    json_value names = sql_field(type_name, "names");
    if (json_count(names) != 1)
        return false;
    slice name = sql_string(json_element(names, 0));
    for (unsigned i = 0; i < array_count(serials); i++)
        if (slice_equal(name, slice_str(serials[i].name))) {
            *ret = sql_type_of(serials[i].oid);
            return true;
        }
    return false;
}

int define_column(struct sql_binder *b, struct sql_table *t, json_value definition,
                  struct sql_table_column *ret) {
    *ret = (struct sql_table_column){.generated = SQL_PLAIN};
    slice name = sql_field_text(definition, "colname");
    json_value type_name = sql_field(definition, "typeName");
    if (is_serial(type_name, &ret->type)) {
        ret->generated = SQL_IDENTITY_BY_DEFAULT;
        ret->not_null = true;
    } else {
        int r = bind_type_name(b, type_name, &ret->type);
        if (r < 0)
            return r;
    }
    json_value collate = sql_field(definition, "collClause");
    if (json_type_of(collate) != JSON_ABSENT) {
        json_value names = sql_field(collate, "collname");
        slice collation = sql_string(json_element(names, json_count(names) - 1));
        if (!slice_equal(collation, slice_lit("C")) && !slice_equal(collation, slice_lit("POSIX")))
            return bind_error(b, sql_location(definition), "0A000",
                              "collation \"%.*s\" is not supported, text is ordered by \"C\"",
                              slice_fmt(collation));
    }
    if (ret->type.oid == SQL_UNKNOWN || ret->type.oid == SQL_VOID || ret->type.oid == SQL_RECORD)
        return bind_error(b, sql_location(definition), "42P16", "column \"%.*s\" has a pseudo-type",
                          slice_fmt(name));
    return define_copy(b, t, name, &ret->name);
}

int define_index_columns(struct sql_binder *b, const struct sql_table *t, json_value keys,
                         struct arena *memory, struct sql_table_index *ret) {
    unsigned count = json_count(keys);
    ret->column = arena_zalloc(memory, count + 1, sizeof *ret->column);
    if (!ret->column)
        return sql_fail_memory(b->error);
    struct json_iterator i = json_each(keys);
    while (json_next(&i)) {
        json_value element;
        slice name = sql_string(i.value);
        if (sql_node_is(i.value, "IndexElem", &element)) {
            name = sql_field_text(element, "name");
            if (!name.len)
                return bind_error(b, -1, "0A000", "an index over expressions is not supported");
        }
        int column = bind_look_up_column(t, name);
        if (column < 0)
            return bind_error(b, -1, "42703", "column \"%.*s\" named in key does not exist",
                              slice_fmt(name));
        for (unsigned k = 0; k < ret->columns; k++)
            if (ret->column[k] == (unsigned)column)
                return bind_error(b, -1, "42701", "column \"%.*s\" appears twice in its key",
                                  slice_fmt(name));
        ret->column[ret->columns++] = (unsigned)column;
    }
    return 0;
}

static int add_index(struct sql_binder *b, struct sql_table *t, json_value constraint, int column,
                     bool primary) {
    if (t->indexes == DEFINE_INDEXES_MAX)
        return bind_error(b, sql_location(constraint), "54011", "a table has at most %u indexes",
                          DEFINE_INDEXES_MAX);
    if (primary && t->indexes && t->index[0].primary)
        return bind_error(b, sql_location(constraint), "42P16",
                          "multiple primary keys for table \"%.*s\" are not allowed",
                          slice_fmt(t->name));
    struct sql_table_index index = {.unique = true, .primary = primary};
    int r = 0;
    if (column >= 0) {
        index.column = arena_alloc(&t->memory, sizeof *index.column);
        if (!index.column)
            return sql_fail_memory(b->error);
        index.column[index.columns++] = (unsigned)column;
    } else {
        r = define_index_columns(b, t, sql_field(constraint, "keys"), &t->memory, &index);
    }
    slice given = sql_field_text(constraint, "conname");
    if (r == 0 && given.len) {
        r = define_exists(b, t->schema, given, false, -1);
        r = r < 0 ? r : define_copy(b, t, given, &index.name);
        for (unsigned i = 0; r == 0 && !b->options->again && i < t->indexes; i++)
            if (slice_equal(t->index[i].name, given))
                r = define_taken(b, given, false, -1);
    } else if (r == 0) {
        r = define_name(b, t, &t->memory, index.column, primary ? 0 : index.columns,
                        primary ? "pkey" : "key", &index.name);
    }
    if (r < 0)
        return r;
    for (unsigned i = 0; primary && i < index.columns; i++)
        t->column[index.column[i]].not_null = true;
    /* The primary key stands first. */
    if (primary)
        memmove(&t->index[1], &t->index[0], t->indexes * sizeof *t->index);
    t->index[primary ? 0 : t->indexes] = index;
    t->indexes++;
    return 0;
}

static int visit_column(struct sql_expr *e, void *self) {
    int *column = self;
    if (e->kind == SQL_EXPR_COLUMN)
        *column = *column == -1 || *column == (int)e->index ? (int)e->index : -2;
    return 0;
}

/* The column a check is about, where it is one alone: its name then has the column's. */
static int only_column(struct sql_expr *check) {
    int column = -1;
    (void)sql_expr_walk(check, visit_column, &column);
    return column;
}

static int add_check(struct sql_binder *b, struct sql_table *t, json_value constraint, int column,
                     int end) {
    if (t->checks == DEFINE_CHECKS_MAX)
        return bind_error(b, sql_location(constraint), "54011", "a table has at most %u checks",
                          DEFINE_CHECKS_MAX);
    struct sql_expr *bound =
        bind_table_expression(b, sql_field(constraint, "raw_expr"), t, sql_type_of(SQL_BOOL));
    if (!bound)
        return -EINVAL;
    struct sql_check check = {.name = {NULL, 0}};
    slice given = sql_field_text(constraint, "conname");
    for (unsigned i = 0; given.len && !b->options->again && i < t->checks; i++)
        if (slice_equal(t->check[i].name, given))
            return bind_error(b, -1, "42710",
                              "constraint \"%.*s\" for relation \"%.*s\" already exists",
                              slice_fmt(given), slice_fmt(t->name));
    if (column < 0)
        column = only_column(bound);
    unsigned named = (unsigned)column;
    int r = given.len ? define_copy(b, t, given, &check.name)
                      : define_name(b, t, &t->memory, &named, column >= 0, "check", &check.name);
    if (r == 0)
        r = define_copy(b, t, define_expression_text(b, sql_location(constraint), "check", end),
                        &check.text);
    if (r == 0)
        t->check[t->checks++] = check;
    return r;
}

static int set_default(struct sql_binder *b, struct sql_table *t, json_value constraint,
                       unsigned column, int end, bool generated) {
    struct sql_table_column *c = &t->column[column];
    int location = sql_location(constraint);
    if (c->default_text.ptr || c->generated != SQL_PLAIN)
        return bind_error(b, location, "42601",
                          "multiple default values specified for column \"%.*s\" of table \"%.*s\"",
                          slice_fmt(c->name), slice_fmt(t->name));
    struct sql_expr *bound =
        bind_table_expression(b, sql_field(constraint, "raw_expr"), generated ? t : NULL, c->type);
    if (!bound)
        return -EINVAL;
    if (generated && (sql_expr_flags(bound) & (SQL_STABLE | SQL_VOLATILE)))
        return bind_error(b, location, "42P17", "generation expression is not immutable");
    c->generated = generated ? SQL_STORED_EXPRESSION : SQL_PLAIN;
    return define_copy(b, t, define_expression_text(b, location, generated ? "as" : "default", end),
                       &c->default_text);
}

int define_constraint(struct sql_binder *b, struct sql_table *t, json_value constraint, int column,
                      int end) {
    slice kind = sql_field_text(constraint, "contype");
    if (slice_equal(kind, slice_lit("CONSTR_PRIMARY")))
        return add_index(b, t, constraint, column, true);
    if (slice_equal(kind, slice_lit("CONSTR_UNIQUE")))
        return add_index(b, t, constraint, column, false);
    if (slice_equal(kind, slice_lit("CONSTR_CHECK")))
        return add_check(b, t, constraint, column, end);
    if (column >= 0 && slice_equal(kind, slice_lit("CONSTR_NOTNULL"))) {
        t->column[column].not_null = true;
        return 0;
    }
    if (column >= 0 && slice_equal(kind, slice_lit("CONSTR_NULL")))
        return 0;
    if (column >= 0 && slice_equal(kind, slice_lit("CONSTR_DEFAULT")))
        return set_default(b, t, constraint, (unsigned)column, end, false);
    if (column >= 0 && slice_equal(kind, slice_lit("CONSTR_GENERATED")))
        return set_default(b, t, constraint, (unsigned)column, end, true);
    if (column >= 0 && slice_equal(kind, slice_lit("CONSTR_IDENTITY"))) {
        bool always = slice_equal(sql_field_text(constraint, "generated_when"), slice_lit("a"));
        t->column[column].generated = always ? SQL_IDENTITY : SQL_IDENTITY_BY_DEFAULT;
        t->column[column].not_null = true;
        return 0;
    }
    bool foreign = slice_equal(kind, slice_lit("CONSTR_FOREIGN"));
    return bind_error(b, sql_location(constraint), "0A000", "%s are not supported",
                      foreign ? "foreign keys" : "constraints of this kind");
}

int define_constraint_end(json_value list, unsigned i) {
    json_value next = json_element(list, i + 1);
    return json_type_of(next) == JSON_ABSENT ? -1 : sql_location(sql_field(next, "Constraint"));
}

static int column_constraints(struct sql_binder *b, struct sql_table *t, json_value definition,
                              unsigned column) {
    json_value list = sql_field(definition, "constraints");
    unsigned count = json_count(list);
    for (unsigned i = 0; i < count; i++) {
        json_value constraint = sql_field(json_element(list, i), "Constraint");
        int r = define_constraint(b, t, constraint, (int)column, define_constraint_end(list, i));
        if (r < 0)
            return r;
    }
    return 0;
}

static int define_columns(struct sql_binder *b, struct sql_table *t, json_value elements) {
    unsigned count = json_count(elements);
    t->column = arena_zalloc(&t->memory, count + 1, sizeof *t->column);
    t->index = arena_zalloc(&t->memory, DEFINE_INDEXES_MAX + 1, sizeof *t->index);
    t->check = arena_zalloc(&t->memory, DEFINE_CHECKS_MAX, sizeof *t->check);
    if (!t->column || !t->index || !t->check)
        return sql_fail_memory(b->error);
    struct json_iterator i = json_each(elements);
    while (json_next(&i)) {
        json_value definition;
        if (sql_node_is(i.value, "TableLikeClause", NULL))
            return bind_error(b, -1, "0A000", "LIKE in a table's definition is not supported");
        if (!sql_node_is(i.value, "ColumnDef", &definition))
            continue;
        struct sql_table_column column;
        if (t->columns == DEFINE_COLUMNS_MAX)
            return bind_error(b, sql_location(definition), "54011",
                              "tables can have at most %u columns", DEFINE_COLUMNS_MAX);
        int r = define_column(b, t, definition, &column);
        if (r < 0)
            return r;
        if (bind_look_up_column(t, column.name) >= 0)
            return bind_error(b, sql_location(definition), "42701",
                              "column \"%.*s\" specified more than once", slice_fmt(column.name));
        t->column[t->columns++] = column;
    }
    return 0;
}

static int define_constraints(struct sql_binder *b, struct sql_table *t, json_value elements) {
    unsigned column = 0;
    struct json_iterator i = json_each(elements);
    while (json_next(&i)) {
        json_value inside;
        int r = 0;
        if (sql_node_is(i.value, "ColumnDef", &inside))
            r = column_constraints(b, t, inside, column++);
        else if (sql_node_is(i.value, "Constraint", &inside))
            r = define_constraint(b, t, inside, -1, -1);
        if (r < 0)
            return r;
    }
    return 0;
}

int define_create_table(struct sql_binder *b, json_value inside,
                        const struct sql_statement_text *statement, struct sql_statement *ret) {
    json_value relation = sql_field(inside, "relation"), elements = sql_field(inside, "tableElts");
    slice schema, name;
    ret->kind = SQL_STATEMENT_CREATE_TABLE;
    if (json_count(sql_field(inside, "inhRelations")) ||
        json_type_of(sql_field(inside, "partspec")) != JSON_ABSENT)
        return bind_error(b, sql_location(relation), "0A000",
                          "inheritance and partitions are not supported");
    int r = define_target(b, relation, &schema, &name);
    if (r == 0)
        r = define_exists(b, schema, name, sql_field_bool(inside, "if_not_exists"),
                          sql_location(relation));
    if (r != 0)
        return r < 0 ? r : 0;
    struct sql_table *t = define_new(b, SQL_TABLE_STORED, schema, name);
    if (!t)
        return -EINVAL;
    r = define_columns(b, t, elements);
    if (r == 0)
        r = define_constraints(b, t, elements);
    if (r == 0)
        r = define_options(b, &t->memory, sql_field(inside, "options"), &t->options, &t->option);
    if (r == 0)
        r = define_source(b, t, &statement->spelling);
    if (r == 0)
        ret->table = t;
    return r;
}
