/*
 * define.c - see define.h: names, options and texts that all definitions share.
 *
 * Nothing here writes to the catalog. Texts are found by the tokens of the statement, since the
 * parse tree says where an operator stands but not where its expression starts.
 */
#include "sql/bind/define.h"

#include "sql/catalog_oid.h"
#include "sql/parse/token.h"

int define_names(struct sql_binder *b, json_value list, slice *ret_schema, slice *ret_name) {
    slice part[3];
    unsigned count = 0;
    struct json_iterator i = json_each(list);
    while (json_next(&i)) {
        if (count == 3)
            return bind_error(b, -1, "42601", "improper qualified name (too many dotted names)");
        part[count++] = sql_string(i.value);
    }
    if (count == 0 || count == 3)
        return bind_error(b, -1, "0A000", "cross-database references are not implemented");
    *ret_schema = count == 2 ? part[0] : (slice){NULL, 0};
    *ret_name = part[count - 1];
    return 0;
}

int define_target(struct sql_binder *b, json_value range, slice *ret_schema, slice *ret_name) {
    slice schema = sql_field_text(range, "schemaname");
    int location = sql_location(range);
    if (sql_field_text(range, "catalogname").len)
        return bind_error(b, location, "0A000", "cross-database references are not implemented");
    if (slice_equal(sql_field_text(range, "relpersistence"), slice_lit("t")))
        return bind_error(b, location, "0A000", "temporary tables are not supported");
    if (!schema.len)
        schema = slice_lit("public");
    if (!sql_catalog_has_schema(b->catalog, schema))
        return bind_error(b, location, "3F000", "schema \"%.*s\" does not exist",
                          slice_fmt(schema));
    *ret_schema = schema;
    *ret_name = sql_field_text(range, "relname");
    if (slice_equal(schema, slice_lit("pg_catalog")) ||
        slice_equal(schema, slice_lit("information_schema")))
        return bind_error(b, location, "42501", "permission denied to create \"%.*s.%.*s\"",
                          slice_fmt(schema), slice_fmt(*ret_name));
    return 0;
}

int define_exists(struct sql_binder *b, slice schema, slice name, bool if_not_exists,
                  int location) {
    unsigned index;
    bool judged = !b->options->again || if_not_exists;
    bool exists = sql_catalog_table(b->catalog, schema, name) ||
                  (judged && sql_index_named(b->catalog, schema, name, &index));
    return exists ? define_taken(b, name, if_not_exists, location) : 0;
}

void define_notice(struct sql_binder *b, const struct sql_error *notice) {
    if (b->options->notice)
        b->options->notice(b->options->self, notice);
}

int define_taken(struct sql_binder *b, slice name, bool if_not_exists, int location) {
    if (!if_not_exists)
        return bind_error(b, location, "42P07", "relation \"%.*s\" already exists",
                          slice_fmt(name));
    struct sql_error notice;
    (void)sql_fail(&notice, "42P07", "relation \"%.*s\" already exists, skipping", slice_fmt(name));
    define_notice(b, &notice);
    return 1;
}

struct sql_table *define_find(struct sql_binder *b, json_value range) {
    return bind_find_table(b, sql_field_text(range, "schemaname"), sql_field_text(range, "relname"),
                           sql_location(range));
}

static void drop_reference(void *table) {
    sql_table_unref(table);
}

struct sql_table *define_new(struct sql_binder *b, enum sql_table_kind kind, slice schema,
                             slice name) {
    struct sql_table *t = sql_table_new();
    if (!t || arena_on_cleanup(b->memory, drop_reference, t) < 0) {
        sql_table_unref(t);
        return bind_null(b, -1, "53200", "out of memory");
    }
    t->kind = kind;
    if (define_copy(b, t, schema, &t->schema) < 0 || define_copy(b, t, name, &t->name) < 0)
        return NULL;
    return t;
}

int define_copy(struct sql_binder *b, struct sql_table *t, slice text, slice *ret) {
    return arena_copy(&t->memory, text, ret) < 0 ? sql_fail_memory(b->error) : 0;
}

/* The value of a DefElem as text: 'x', 1, true, on, a name, *; absent: "true". */
static int option_value(struct sql_binder *b, json_value element, struct arena *memory,
                        slice *ret) {
    json_value argument = sql_field(element, "arg"), inside;
    slice value = slice_lit("true");
    if (sql_node_is(argument, "String", NULL))
        value = sql_string(argument);
    else if (sql_node_is(argument, "A_Star", NULL))
        value = slice_lit("*");
    else if (sql_node_is(argument, "Integer", &inside))
        return arena_printf(memory, ret, "%lld", (long long)sql_field_int(inside, "ival")) < 0
                   ? sql_fail_memory(b->error)
                   : 0;
    else if (sql_node_is(argument, "Float", &inside))
        value = sql_field_text(inside, "fval");
    else if (sql_node_is(argument, "Boolean", &inside))
        value = sql_field_bool(inside, "boolval") ? slice_lit("true") : slice_lit("false");
    else if (sql_node_is(argument, "TypeName", &inside)) /* a bare word */
        value = sql_string(
            json_element(sql_field(inside, "names"), json_count(sql_field(inside, "names")) - 1));
    return arena_copy(memory, value, ret) < 0 ? sql_fail_memory(b->error) : 0;
}

int define_options(struct sql_binder *b, struct arena *memory, json_value list, unsigned *ret_count,
                   struct sql_option **ret) {
    unsigned count = 0;
    struct sql_option *options = arena_zalloc(memory, json_count(list) + 1, sizeof *options);
    if (!options)
        return sql_fail_memory(b->error);
    struct json_iterator i = json_each(list);
    while (json_next(&i)) {
        json_value element;
        if (!sql_node_is(i.value, "DefElem", &element))
            continue;
        slice space = sql_field_text(element, "defnamespace");
        slice name = sql_field_text(element, "defname");
        struct sql_option *o = &options[count];
        if (arena_printf(memory, &o->name, "%.*s%s%.*s", slice_fmt(space), space.len ? "." : "",
                         slice_fmt(name)) < 0)
            return sql_fail_memory(b->error);
        for (unsigned k = 0; k < count; k++)
            if (slice_equal(options[k].name, o->name))
                return bind_error(b, sql_location(element), "42601",
                                  "conflicting or redundant options: \"%.*s\" is given twice",
                                  slice_fmt(o->name));
        int r = option_value(b, element, memory, &o->value);
        if (r < 0)
            return r;
        count++;
    }
    *ret_count = count;
    *ret = options;
    return 0;
}

static bool name_is_taken(struct sql_binder *b, const struct sql_table *t, slice name) {
    for (unsigned i = 0; i < t->indexes; i++)
        if (slice_equal(t->index[i].name, name))
            return true;
    for (unsigned i = 0; i < t->checks; i++)
        if (slice_equal(t->check[i].name, name))
            return true;
    unsigned index;
    return sql_catalog_table(b->catalog, t->schema, name) ||
           sql_index_named(b->catalog, t->schema, name, &index);
}

int define_name(struct sql_binder *b, const struct sql_table *t, struct arena *memory,
                const unsigned *columns, unsigned count, const char *suffix, slice *ret) {
    _cleanup_buf_ struct buf base = buf_make(64u << 10);
    int r = buf_append(&base, t->name);
    for (unsigned i = 0; r == 0 && i < count; i++)
        r = buf_printf(&base, "_%.*s", slice_fmt(t->column[columns[i]].name));
    if (r < 0)
        return sql_fail_memory(b->error);
    size_t room = SQL_NAME_BYTES_MAX - strlen(suffix) - 6;
    slice kept = slice_take(buf_slice(&base), room);
    for (unsigned n = 0; n < DEFINE_INDEXES_MAX + DEFINE_CHECKS_MAX + 1; n++) {
        r = n ? arena_printf(memory, ret, "%.*s_%s%u", slice_fmt(kept), suffix, n)
              : arena_printf(memory, ret, "%.*s_%s", slice_fmt(kept), suffix);
        if (r < 0)
            return sql_fail_memory(b->error);
        if (!name_is_taken(b, t, *ret))
            return 0;
    }
    return bind_error(b, -1, "42710", "no name is free for \"%.*s_%s\"", slice_fmt(kept), suffix);
}

slice define_expression_text(struct sql_binder *b, int location, const char *keyword, int end) {
    slice text = slice_str(b->text);
    bool in_parentheses = strcmp(keyword, "default") != 0; /* CHECK (…), AS (…) STORED */
    struct sql_tokens tokens = {text, location > 0 ? (size_t)location : 0};
    struct sql_token token = sql_token_next(&tokens);
    while (token.kind != SQL_TOKEN_END && !sql_token_is(&token, keyword))
        token = sql_token_next(&tokens);
    size_t from = tokens.at, to = from;
    int depth = 0;
    for (token = sql_token_next(&tokens); token.kind != SQL_TOKEN_END;
         token = sql_token_next(&tokens)) {
        bool closes = sql_token_is_sign(&token, ')');
        if (depth == 0 &&
            (closes || sql_token_is_sign(&token, ',') || sql_token_is_sign(&token, ';')))
            break;
        if (end >= 0 && token.start >= (uint32_t)end)
            break;
        depth += sql_token_is_sign(&token, '(') - closes;
        to = tokens.at;
        if (closes && depth == 0 && in_parentheses)
            break; /* what follows (STORED, NO INHERIT) is not of it */
    }
    return slice_trim(slice_make(text.ptr + from, to - from));
}
