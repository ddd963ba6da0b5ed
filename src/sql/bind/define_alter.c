/*
 * define_alter.c - ALTER TABLE and RENAME: a list of changes, each judged against the table as it
 * is.
 *
 * A column's number never changes: a dropped one stays in its place, as in PostgreSQL. Tables over
 * streams and views are what their input is; they can be renamed and dropped, not altered.
 */
#include "sql/bind/define.h"
#include "sql/bind/move.h"
#include "sql/parse/token.h"

#include <errno.h>

#define ALTERS_MAX 100u

static int find_column(struct sql_binder *b, const struct sql_table *t, slice name,
                       struct sql_alter *ret) {
    if (ret->if_exists && bind_look_up_column(t, name) < 0) {
        struct sql_error notice;
        (void)sql_fail(&notice, "00000",
                       "column \"%.*s\" of relation \"%.*s\" does not exist, skipping",
                       slice_fmt(name), slice_fmt(t->name));
        define_notice(b, &notice);
        return 1;
    }
    int column = bind_target_column(b, t, name, -1);
    if (column < 0)
        return column;
    ret->column = (unsigned)column;
    return 0;
}

/* VALUE as a default of TYPE; its text follows the word DEFAULT at byte LOCATION. */
static int take_default(struct sql_binder *b, json_value value, struct sql_type type, int location,
                        int end, slice *ret) {
    if (!bind_table_expression(b, value, NULL, type))
        return -EINVAL;
    *ret = bind_copy(b, define_expression_text(b, location, "default", end));
    return ret->ptr ? 0 : -ENOMEM; /* without a text it would be DROP DEFAULT */
}

static int alter_add(struct sql_binder *b, struct sql_table *t, json_value command,
                     struct sql_alter *ret) {
    json_value definition = sql_field(sql_field(command, "def"), "ColumnDef");
    int r = define_column(b, t, definition, &ret->definition);
    if (r < 0)
        return r;
    if (bind_look_up_column(t, ret->definition.name) >= 0) {
        if (sql_field_bool(command, "missing_ok")) {
            struct sql_error notice;
            (void)sql_fail(&notice, "42701",
                           "column \"%.*s\" of relation \"%.*s\" already exists, skipping",
                           slice_fmt(ret->definition.name), slice_fmt(t->name));
            define_notice(b, &notice);
            return 1;
        }
        return bind_error(b, sql_location(definition), "42701",
                          "column \"%.*s\" of relation \"%.*s\" already exists",
                          slice_fmt(ret->definition.name), slice_fmt(t->name));
    }
    json_value list = sql_field(definition, "constraints");
    for (unsigned i = 0; i < json_count(list); i++) {
        json_value c = sql_field(json_element(list, i), "Constraint");
        slice kind = sql_field_text(c, "contype");
        if (slice_equal(kind, slice_lit("CONSTR_NOTNULL"))) {
            ret->definition.not_null = true;
        } else if (slice_equal(kind, slice_lit("CONSTR_DEFAULT"))) {
            r = take_default(b, sql_field(c, "raw_expr"), ret->definition.type, sql_location(c),
                             define_constraint_end(list, i), &ret->definition.default_text);
            if (r < 0)
                return r;
        } else if (!slice_equal(kind, slice_lit("CONSTR_NULL"))) {
            return bind_error(b, sql_location(c), "0A000",
                              "a column is added without keys, checks and identity: add those by "
                              "statements of their own");
        }
    }
    ret->kind = SQL_ALTER_ADD_COLUMN;
    return 0;
}

/* The least location within NODE: where an expression starts, or just behind. */
static int first_location(json_value node) {
    int first = INT32_MAX;
    struct json_iterator i = json_each(node);
    while (json_next(&i)) {
        int64_t at;
        if (json_type_of(i.value) == JSON_NUMBER && json_string_is(i.key, slice_lit("location"))) {
            if (json_i64(i.value, &at) == 0 && at >= 0 && at < first)
                first = (int)at;
        } else {
            int inner = first_location(i.value);
            first = inner < first ? inner : first;
        }
    }
    return first;
}

/* The byte of the last word DEFAULT before BYTE. */
static int default_before(struct sql_binder *b, int byte) {
    struct sql_tokens tokens = {slice_str(b->text), 0};
    struct sql_token token = sql_token_next(&tokens);
    int last = 0;
    for (; token.kind != SQL_TOKEN_END && (int)token.start < byte; token = sql_token_next(&tokens))
        if (sql_token_is(&token, "default"))
            last = (int)token.start;
    return last;
}

static int alter_default(struct sql_binder *b, struct sql_table *t, json_value command,
                         struct sql_alter *ret) {
    ret->kind = SQL_ALTER_DEFAULT;
    int r = find_column(b, t, sql_field_text(command, "name"), ret);
    json_value value = sql_field(command, "def");
    ret->definition.default_text = (slice){NULL, 0};
    if (r != 0 || json_type_of(value) == JSON_ABSENT)
        return r;
    return take_default(b, value, t->column[ret->column].type,
                        default_before(b, first_location(value)), -1,
                        &ret->definition.default_text);
}

static int alter_constraint(struct sql_binder *b, struct sql_table *t, json_value command,
                            struct sql_alter *ret) {
    /* Judged on a copy, whose last index or check is what was added. */
    struct sql_table *copy = define_new(b, t->kind, t->schema, t->name);
    json_value constraint = sql_field(sql_field(command, "def"), "Constraint");
    if (!copy)
        return -EINVAL;
    copy->columns = t->columns;
    copy->column = bind_alloc(b, t->columns + 1u, sizeof *copy->column);
    copy->index = bind_alloc(b, DEFINE_INDEXES_MAX + 1u, sizeof *copy->index);
    copy->check = bind_alloc(b, DEFINE_CHECKS_MAX, sizeof *copy->check);
    if (!copy->column || !copy->index || !copy->check)
        return -EINVAL;
    bind_move(copy->column, t->column, t->columns * sizeof *t->column);
    bind_move(copy->index, t->index, t->indexes * sizeof *t->index);
    bind_move(copy->check, t->check, t->checks * sizeof *t->check);
    copy->indexes = t->indexes;
    copy->checks = t->checks;
    int r = define_constraint(b, copy, constraint, -1, -1);
    if (r < 0)
        return r;
    bool check_added = copy->checks > t->checks;
    ret->kind = check_added ? SQL_ALTER_ADD_CHECK : SQL_ALTER_ADD_INDEX;
    if (check_added)
        ret->check = copy->check[copy->checks - 1];
    else
        ret->index = copy->index[copy->index[0].primary && !(t->indexes && t->index[0].primary)
                                     ? 0
                                     : copy->indexes - 1];
    return 0;
}

static int alter_type(struct sql_binder *b, struct sql_table *t, json_value command,
                      struct sql_alter *ret) {
    json_value definition = sql_field(sql_field(command, "def"), "ColumnDef");
    ret->kind = SQL_ALTER_TYPE;
    int r = find_column(b, t, sql_field_text(command, "name"), ret);
    if (r == 0)
        r = bind_type_name(b, sql_field(definition, "typeName"), &ret->definition.type);
    if (r == 0 && json_type_of(sql_field(definition, "raw_default")) != JSON_ABSENT)
        return bind_error(b, -1, "0A000", "ALTER COLUMN TYPE … USING is not supported");
    if (r == 0 && !bind_can_coerce(b, t->column[ret->column].type.oid, ret->definition.type.oid,
                                   SQL_CAST_ASSIGNMENT))
        return bind_error(b, -1, "42804",
                          "column \"%.*s\" cannot be cast automatically to the new type",
                          slice_fmt(t->column[ret->column].name));
    return r;
}

static int find_constraint(struct sql_binder *b, const struct sql_table *t,
                           const struct sql_alter *a) {
    struct sql_error notice;
    for (unsigned i = 0; i < t->indexes; i++)
        if (slice_equal(t->index[i].name, a->name))
            return 0;
    for (unsigned i = 0; i < t->checks; i++)
        if (slice_equal(t->check[i].name, a->name))
            return 0;
    if (b->options->again)
        return 0; /* it failed when it was made, and does again */
    if (!a->if_exists)
        return bind_error(b, -1, "42704", "constraint \"%.*s\" of relation \"%.*s\" does not exist",
                          slice_fmt(a->name), slice_fmt(t->name));
    (void)sql_fail(&notice, "00000",
                   "constraint \"%.*s\" of relation \"%.*s\" does not exist, skipping",
                   slice_fmt(a->name), slice_fmt(t->name));
    define_notice(b, &notice);
    return 1;
}

static int alter_one(struct sql_binder *b, struct sql_table *t, json_value command,
                     struct sql_alter *ret) {
    slice kind = sql_field_text(command, "subtype");
    slice name = sql_field_text(command, "name");
    ret->if_exists = sql_field_bool(command, "missing_ok");
    if (slice_equal(kind, slice_lit("AT_AddColumn")))
        return alter_add(b, t, command, ret);
    if (slice_equal(kind, slice_lit("AT_ColumnDefault")))
        return alter_default(b, t, command, ret);
    if (slice_equal(kind, slice_lit("AT_AlterColumnType")))
        return alter_type(b, t, command, ret);
    if (slice_equal(kind, slice_lit("AT_AddConstraint")))
        return alter_constraint(b, t, command, ret);
    if (slice_equal(kind, slice_lit("AT_DropColumn"))) {
        ret->kind = SQL_ALTER_DROP_COLUMN;
        return find_column(b, t, name, ret);
    }
    if (slice_equal(kind, slice_lit("AT_SetNotNull")) ||
        slice_equal(kind, slice_lit("AT_DropNotNull"))) {
        ret->kind = SQL_ALTER_NOT_NULL;
        ret->value = slice_equal(kind, slice_lit("AT_SetNotNull"));
        return find_column(b, t, name, ret);
    }
    if (slice_equal(kind, slice_lit("AT_DropConstraint"))) {
        ret->kind = SQL_ALTER_DROP_CONSTRAINT;
        ret->name = bind_copy(b, name);
        return find_constraint(b, t, ret);
    }
    return bind_error(b, -1, "0A000", "ALTER TABLE: this form is not supported (%.*s)",
                      slice_fmt(kind));
}

/* 1: IF EXISTS, and it does not. */
static int altered_table(struct sql_binder *b, json_value inside, struct sql_table **ret) {
    json_value range = sql_field(inside, "relation");
    if (sql_field_bool(inside, "missing_ok") &&
        !bind_look_up_table(b, sql_field_text(range, "schemaname"),
                            sql_field_text(range, "relname"))) {
        struct sql_error notice;
        (void)sql_fail(&notice, "00000", "relation \"%.*s\" does not exist, skipping",
                       slice_fmt(sql_field_text(range, "relname")));
        define_notice(b, &notice);
        return 1;
    }
    *ret = define_find(b, range);
    return *ret ? 0 : -EINVAL;
}

int define_alter(struct sql_binder *b, json_value inside,
                 const struct sql_statement_text *statement, struct sql_statement *ret) {
    (void)statement;
    ret->kind = SQL_STATEMENT_ALTER_TABLE;
    json_value range = sql_field(inside, "relation"), commands = sql_field(inside, "cmds");
    struct sql_table *t;
    int found = altered_table(b, inside, &t);
    if (found != 0)
        return found < 0 ? found : 0;
    if (t->kind != SQL_TABLE_STORED)
        return bind_error(b, sql_location(range), "42809", "\"%.*s\" is not a stored table",
                          slice_fmt(t->name));
    if (json_count(commands) > ALTERS_MAX)
        return bind_error(b, sql_location(range), "54000", "ALTER TABLE has more than %u parts",
                          ALTERS_MAX);
    ret->alter = bind_alloc(b, json_count(commands) + 1u, sizeof *ret->alter);
    if (!ret->alter)
        return -EINVAL;
    struct json_iterator i = json_each(commands);
    while (json_next(&i)) {
        json_value command = sql_field(i.value, "AlterTableCmd");
        int r = alter_one(b, t, command, &ret->alter[ret->alters]);
        if (r < 0)
            return r;
        ret->alters += r == 0; /* 1: IF EXISTS, and it does not */
    }
    ret->table = t;
    return 0;
}

int define_rename(struct sql_binder *b, json_value inside,
                  const struct sql_statement_text *statement, struct sql_statement *ret) {
    (void)statement;
    ret->kind = SQL_STATEMENT_ALTER_TABLE;
    slice kind = sql_field_text(inside, "renameType");
    bool column = slice_equal(kind, slice_lit("OBJECT_COLUMN"));
    if (!column && !slice_equal(kind, slice_lit("OBJECT_TABLE")) &&
        !slice_equal(kind, slice_lit("OBJECT_VIEW")) &&
        !slice_equal(kind, slice_lit("OBJECT_MATVIEW")))
        return bind_error(b, -1, "0A000", "only tables, views and columns can be renamed");
    struct sql_table *t;
    int found = altered_table(b, inside, &t);
    if (found != 0)
        return found < 0 ? found : 0;
    ret->alter = bind_alloc(b, 1, sizeof *ret->alter);
    if (!ret->alter)
        return -EINVAL;
    struct sql_alter *a = &ret->alter[0];
    a->kind = column ? SQL_ALTER_RENAME_COLUMN : SQL_ALTER_RENAME;
    a->name = bind_copy(b, sql_field_text(inside, "newname"));
    int r = column ? find_column(b, t, sql_field_text(inside, "subname"), a) : 0;
    if (r == 0 && column && bind_look_up_column(t, a->name) >= 0)
        r = bind_error(b, -1, "42701", "column \"%.*s\" of relation \"%.*s\" already exists",
                       slice_fmt(a->name), slice_fmt(t->name));
    if (r == 0 && !column)
        r = define_exists(b, t->schema, a->name, false, -1);
    ret->table = t;
    ret->alters = 1;
    return r;
}
