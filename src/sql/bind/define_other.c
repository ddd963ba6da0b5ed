/*
 * define_other.c - indexes, enums, SQL functions, schemas; DROP, TRUNCATE, COMMENT.
 *
 * Each says what is to be done and has looked whether it can be: names exist or do not, types are
 * known, a function's body can be bound.
 */
#include "sql/bind/define.h"

#include <errno.h>

int define_index(struct sql_binder *b, json_value inside,
                 const struct sql_statement_text *statement, struct sql_statement *ret) {
    (void)statement;
    ret->kind = SQL_STATEMENT_CREATE_INDEX;
    json_value range = sql_field(inside, "relation");
    ret->table = define_find(b, range);
    if (!ret->table)
        return -EINVAL;
    struct sql_table *t = ret->table;
    slice name = sql_field_text(inside, "idxname");
    if (t->kind != SQL_TABLE_STORED && t->kind != SQL_TABLE_MATERIALIZED)
        return bind_error(b, sql_location(range), "42809",
                          "\"%.*s\" is not a stored table or materialized view",
                          slice_fmt(t->name));
    if (json_type_of(sql_field(inside, "whereClause")) != JSON_ABSENT)
        return bind_error(b, sql_location(range), "0A000", "partial indexes are not supported");
    if (!slice_equal(sql_field_text(inside, "accessMethod"), slice_lit("btree")) &&
        !slice_equal(sql_field_text(inside, "accessMethod"), slice_lit("hash")))
        return bind_error(b, sql_location(range), "42704", "access method \"%.*s\" does not exist",
                          slice_fmt(sql_field_text(inside, "accessMethod")));
    if (t->indexes == DEFINE_INDEXES_MAX)
        return bind_error(b, sql_location(range), "54011", "a table has at most %u indexes",
                          DEFINE_INDEXES_MAX);
    ret->index.unique = sql_field_bool(inside, "unique");
    ret->alone = sql_field_bool(inside, "concurrent");
    int r = define_index_columns(b, t, sql_field(inside, "indexParams"), b->memory, &ret->index);
    if (r == 0 && !name.len)
        r = define_name(b, t, b->memory, ret->index.column, ret->index.columns, "idx",
                        &ret->index.name);
    if (r < 0 || !name.len)
        return r;
    ret->index.name = bind_copy(b, name);
    r = define_exists(b, t->schema, name, sql_field_bool(inside, "if_not_exists"), -1);
    if (r == 1)
        ret->table = NULL;
    return r < 0 ? r : 0;
}

int define_enum(struct sql_binder *b, json_value inside, const struct sql_statement_text *statement,
                struct sql_statement *ret) {
    (void)statement;
    ret->kind = SQL_STATEMENT_CREATE_ENUM;
    struct sql_enum *e = &ret->enumeration;
    json_value labels = sql_field(inside, "vals");
    int r = define_names(b, sql_field(inside, "typeName"), &e->schema, &e->name);
    if (r < 0)
        return r;
    if (!e->schema.ptr)
        e->schema = slice_lit("public");
    if (!sql_catalog_has_schema(b->catalog, e->schema))
        return bind_error(b, -1, "3F000", "schema \"%.*s\" does not exist", slice_fmt(e->schema));
    if (sql_catalog_enum(b->catalog, e->schema, e->name) || sql_type_named(e->name))
        return bind_error(b, -1, "42710", "type \"%.*s\" already exists", slice_fmt(e->name));
    e->schema = bind_copy(b, e->schema);
    e->name = bind_copy(b, e->name);
    e->label = bind_alloc(b, json_count(labels) + 1u, sizeof *e->label);
    if (!e->label)
        return -EINVAL;
    struct json_iterator i = json_each(labels);
    while (json_next(&i)) {
        slice label = bind_copy(b, sql_string(i.value));
        if (label.len == 0 || label.len > SQL_NAME_BYTES_MAX)
            return bind_error(b, -1, "42602",
                              "invalid enum label \"%.*s\": labels have 1 to %u "
                              "bytes",
                              slice_fmt(label), SQL_NAME_BYTES_MAX);
        for (unsigned k = 0; k < e->labels; k++)
            if (slice_equal(e->label[k], label))
                return bind_error(b, -1, "23505", "enum label \"%.*s\" is given twice",
                                  slice_fmt(label));
        e->label[e->labels++] = label;
    }
    return 0;
}

static int function_options(struct sql_binder *b, json_value inside, slice *ret_body) {
    slice language = {NULL, 0};
    struct json_iterator i = json_each(sql_field(inside, "options"));
    while (json_next(&i)) {
        json_value element = sql_field(i.value, "DefElem");
        slice name = sql_field_text(element, "defname");
        json_value argument = sql_field(element, "arg"), list;
        if (slice_equal(name, slice_lit("language")))
            language = sql_string(argument);
        else if (slice_equal(name, slice_lit("as")) && sql_node_is(argument, "List", &list))
            *ret_body = sql_string(json_element(sql_field(list, "items"), 0));
        else if (!slice_equal(name, slice_lit("volatility")) &&
                 !slice_equal(name, slice_lit("strict")) &&
                 !slice_equal(name, slice_lit("parallel")))
            return bind_error(b, sql_location(element), "0A000",
                              "CREATE FUNCTION: option \"%.*s\" is not supported", slice_fmt(name));
    }
    if (language.ptr && !slice_equal(language, slice_lit("sql")))
        return bind_error(b, -1, "0A000", "functions are LANGUAGE sql, not %.*s",
                          slice_fmt(language));
    return ret_body->len
               ? 0
               : bind_error(b, -1, "0A000", "write the function's body as text: AS $$ SELECT … $$");
}

int define_function(struct sql_binder *b, json_value inside,
                    const struct sql_statement_text *statement, struct sql_statement *ret) {
    (void)statement;
    ret->kind = SQL_STATEMENT_CREATE_FUNCTION;
    ret->or_replace = sql_field_bool(inside, "replace");
    struct sql_user_function *f = &ret->function;
    json_value parameters = sql_field(inside, "parameters");
    int r = define_names(b, sql_field(inside, "funcname"), &f->schema, &f->name);
    if (r == 0)
        r = function_options(b, inside, &f->body);
    if (r < 0)
        return r;
    f->schema = f->schema.ptr ? bind_copy(b, f->schema) : slice_lit("public");
    f->name = bind_copy(b, f->name);
    f->body = bind_copy(b, f->body);
    f->arguments = bind_alloc(b, json_count(parameters) + 1u, sizeof *f->arguments);
    f->argument_names = bind_alloc(b, json_count(parameters) + 1u, sizeof *f->argument_names);
    if (!f->arguments || !f->argument_names)
        return -EINVAL;
    if (json_count(parameters) > SQL_CALL_ARGUMENTS_MAX)
        return bind_error(b, -1, "54023", "functions cannot have more than %u arguments",
                          SQL_CALL_ARGUMENTS_MAX);
    struct json_iterator i = json_each(parameters);
    while (json_next(&i)) {
        json_value p = sql_field(i.value, "FunctionParameter");
        slice mode = sql_field_text(p, "mode"), name = sql_field_text(p, "name");
        if (!slice_equal(mode, slice_lit("FUNC_PARAM_DEFAULT")) &&
            !slice_equal(mode, slice_lit("FUNC_PARAM_IN")))
            return bind_error(b, -1, "0A000", "a function here has IN arguments only");
        if (json_type_of(sql_field(p, "defexpr")) != JSON_ABSENT)
            return bind_error(b, -1, "0A000", "default values of arguments are not supported");
        r = bind_type_name(b, sql_field(p, "argType"), &f->arguments[f->count]);
        if (r < 0)
            return r;
        f->argument_names[f->count++] = name.len ? bind_copy(b, name) : (slice){NULL, 0};
    }
    if (sql_field_bool(sql_field(inside, "returnType"), "setof"))
        return bind_error(b, -1, "0A000", "functions that return sets are not supported");
    return bind_type_name(b, sql_field(inside, "returnType"), &f->result);
}

int define_schema(struct sql_binder *b, json_value inside,
                  const struct sql_statement_text *statement, struct sql_statement *ret) {
    (void)statement;
    ret->kind = SQL_STATEMENT_CREATE_SCHEMA;
    ret->name = bind_copy(b, sql_field_text(inside, "schemaname"));
    ret->if_exists = sql_field_bool(inside, "if_not_exists");
    if (slice_starts_with(ret->name, slice_lit("pg_")))
        return bind_error(b, -1, "42939", "unacceptable schema name \"%.*s\"",
                          slice_fmt(ret->name));
    if (!sql_catalog_has_schema(b->catalog, ret->name))
        return 0;
    if (!ret->if_exists)
        return bind_error(b, -1, "42P06", "schema \"%.*s\" already exists", slice_fmt(ret->name));
    struct sql_error notice;
    (void)sql_fail(&notice, "42P06", "schema \"%.*s\" already exists, skipping",
                   slice_fmt(ret->name));
    define_notice(b, &notice);
    return 0;
}

/* r table, v view, …: bind.h's drop_kind, '\0': not to be dropped. */
static char drop_kind(slice type) {
    static const struct {
        const char *type;
        char kind;
    } kinds[] = {{"OBJECT_TABLE", 'r'}, {"OBJECT_VIEW", 'v'}, {"OBJECT_MATVIEW", 'm'},
                 {"OBJECT_INDEX", 'i'}, {"OBJECT_TYPE", 't'}, {"OBJECT_FUNCTION", 'f'},
                 {"OBJECT_SCHEMA", 'n'}};
    for (unsigned i = 0; i < array_count(kinds); i++)
        if (slice_equal(type, slice_str(kinds[i].type)))
            return kinds[i].kind;
    return '\0';
}

int define_drop(struct sql_binder *b, json_value inside, const struct sql_statement_text *statement,
                struct sql_statement *ret) {
    ret->kind = SQL_STATEMENT_DROP;
    ret->drop_kind = statement->spelling.verb == SQL_SPELLED_SINK
                         ? 's'
                         : drop_kind(sql_field_text(inside, "removeType"));
    ret->alone = sql_field_bool(inside, "concurrent");
    ret->if_exists = sql_field_bool(inside, "missing_ok");
    ret->cascade = slice_equal(sql_field_text(inside, "behavior"), slice_lit("DROP_CASCADE"));
    json_value objects = sql_field(inside, "objects"), node;
    if (!ret->drop_kind)
        return bind_error(b, -1, "0A000", "DROP of such objects is not supported");
    ret->name_list = bind_alloc(b, json_count(objects) + 1u, sizeof *ret->name_list);
    if (!ret->name_list)
        return -EINVAL;
    struct json_iterator i = json_each(objects);
    while (json_next(&i)) {
        slice *place = ret->name_list[ret->names++];
        json_value list = sql_field(i.value, "List");
        if (sql_node_is(i.value, "String", NULL)) { /* a schema */
            place[1] = bind_copy(b, sql_string(i.value));
            continue;
        }
        if (sql_node_is(i.value, "ObjectWithArgs", &node))
            list = sql_field(node, "objname");
        else if (sql_node_is(i.value, "TypeName", &node))
            list = sql_field(node, "names");
        else
            list = sql_field(list, "items");
        int r = define_names(b, list, &place[0], &place[1]);
        if (r < 0)
            return r;
        if (place[0].ptr)
            place[0] = bind_copy(b, place[0]);
        place[1] = bind_copy(b, place[1]);
    }
    return 0;
}

int define_truncate(struct sql_binder *b, json_value inside,
                    const struct sql_statement_text *statement, struct sql_statement *ret) {
    (void)statement;
    ret->kind = SQL_STATEMENT_TRUNCATE;
    ret->cascade = slice_equal(sql_field_text(inside, "behavior"), slice_lit("DROP_CASCADE"));
    json_value relations = sql_field(inside, "relations");
    ret->name_list = bind_alloc(b, json_count(relations) + 1u, sizeof *ret->name_list);
    if (!ret->name_list)
        return -EINVAL;
    struct json_iterator i = json_each(relations);
    while (json_next(&i)) {
        json_value range = sql_field(i.value, "RangeVar");
        const struct sql_table *t = define_find(b, range);
        if (!t)
            return -EINVAL;
        if (t->kind != SQL_TABLE_STORED || t->append_only)
            return bind_error(b, sql_location(range), "42809",
                              "\"%.*s\" is not a table whose rows can be removed",
                              slice_fmt(t->name));
        ret->name_list[ret->names][0] = bind_copy(b, t->schema);
        ret->name_list[ret->names++][1] = bind_copy(b, t->name);
    }
    return 0;
}

int define_comment(struct sql_binder *b, json_value inside,
                   const struct sql_statement_text *statement, struct sql_statement *ret) {
    (void)statement;
    ret->kind = SQL_STATEMENT_COMMENT;
    slice kind = sql_field_text(inside, "objtype"), schema, name;
    if (!slice_equal(kind, slice_lit("OBJECT_TABLE")) &&
        !slice_equal(kind, slice_lit("OBJECT_VIEW")) &&
        !slice_equal(kind, slice_lit("OBJECT_MATVIEW")))
        return bind_error(b, -1, "0A000", "comments are kept of tables and views only");
    json_value list = sql_field(sql_field(sql_field(inside, "object"), "List"), "items");
    int r = define_names(b, list, &schema, &name);
    if (r < 0)
        return r;
    ret->table = bind_find_table(b, schema, name, -1);
    if (!ret->table)
        return -EINVAL;
    if (sql_oid_is_system(ret->table->oid))
        return bind_error(b, -1, "42501", "permission denied: \"%.*s\" is a system catalog",
                          slice_fmt(name));
    slice text = sql_field_text(inside, "comment");
    ret->name = text.len ? bind_copy(b, text) : (slice){NULL, 0};
    return 0;
}
