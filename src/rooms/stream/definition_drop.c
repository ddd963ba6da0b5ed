/*
 * definition_drop.c - DROP: is it there, does something depend on it, and away with it.
 *
 * All names of a statement are judged before the first goes. With CASCADE only views and
 * materialized views go along: nothing else depends on anything here.
 */
#include "rooms/stream/definition.h"
#include "rooms/stream/work.h"
#include "sql/catalog_oid.h"
#include "sql/sink.h"

#include <errno.h>
#include <stdio.h>

struct cascade {
    unsigned count;
    char first[2 * SQL_NAME_BYTES_MAX];
};

static int drop_table(struct definer *d, struct sql_table *t, struct cascade *cascade,
                      struct sql_error *error) {
    struct sql_table *above;
    int r = 0;
    while (r == 0 && (above = definition_dependant(d, t))) {
        if (cascade->count++ == 0)
            snprintf(cascade->first, sizeof cascade->first, "%s %.*s",
                     above->kind == SQL_TABLE_VIEW ? "view" : "materialized view",
                     slice_fmt(above->name));
        r = drop_table(d, above, cascade, error);
    }
    return r < 0 ? r : definer_drop(d, t, error);
}

/* A sink may be dropped as the materialized view that it is. */
static bool is_of_kind(const struct sql_table *t, char drop_kind) {
    switch (drop_kind) {
    case 'v':
        return t->kind == SQL_TABLE_VIEW;
    case 'm':
        return t->kind == SQL_TABLE_MATERIALIZED;
    case 's':
        return sql_is_sink(t);
    default:
        return t->kind == SQL_TABLE_STORED || t->kind == SQL_TABLE_STREAM;
    }
}

static void tell(const struct definer *d, const struct sql_error *notice) {
    if (d->session)
        session_notice(d->session, notice);
}

/* A WORD called NAME is not there: an error, or with IF EXISTS a notice. */
static int missing(const struct definer *d, const struct sql_statement *s, slice name,
                   const char *state, const char *word, struct sql_error *error) {
    bool function = s->drop_kind == 'f' && s->if_exists;
    (void)sql_fail(error, s->if_exists ? "00000" : state,
                   function ? "%s %.*s() does not exist%s" : "%s \"%.*s\" does not exist%s", word,
                   slice_fmt(name), s->if_exists ? ", skipping" : "");
    if (!s->if_exists)
        return -EINVAL;
    tell(d, error);
    *error = (struct sql_error){.state = ""};
    return 0;
}

static int judge_drop_table(struct definer *d, const struct sql_statement *s, slice schema,
                            slice name, struct sql_error *error) {
    static const char *const words[] = {
        ['r'] = "table", ['v'] = "view", ['m'] = "materialized view", ['s'] = "sink"};
    const struct sql_table *t = sql_catalog_table(d->catalog, schema, name);
    const char *word = words[(unsigned char)s->drop_kind];
    unsigned index;
    if (!t && sql_index_named(d->catalog, schema, name, &index)) {
        (void)sql_fail(error, "42809", "\"%.*s\" is not a %s", slice_fmt(name), word);
        sql_error_hint(error, "Use DROP INDEX to remove an index.");
        return -EINVAL;
    }
    if (!t)
        return missing(d, s, name, "42P01", word, error);
    if (!is_of_kind(t, s->drop_kind))
        return sql_fail(error, t->kind == SQL_TABLE_SYSTEM ? "42501" : "42809",
                        "\"%.*s\" is not a %s", slice_fmt(name), word);
    if (sql_oid_is_system(t->oid))
        return sql_fail(error, "42501", "permission denied: \"%.*s\" is a system catalog",
                        slice_fmt(name));
    const struct sql_table *above = definition_dependant(d, t);
    if (!above || s->cascade)
        return 0;
    (void)sql_fail(error, "2BP01", "cannot drop %s %.*s because other objects depend on it", word,
                   slice_fmt(name));
    sql_error_detail(error, "%s %.*s depends on %s %.*s",
                     above->kind == SQL_TABLE_VIEW ? "view" : "materialized view",
                     slice_fmt(above->name), word, slice_fmt(name));
    sql_error_hint(error, "Use DROP ... CASCADE to drop the dependent objects too.");
    return -EINVAL;
}

static bool type_is_used(struct definer *d, const struct sql_enum *e) {
    const struct sql_table *t;
    for (unsigned at = 0; (t = sql_catalog_each_table(d->catalog, &at));)
        for (unsigned i = 0; i < t->columns; i++)
            if (!t->column[i].dropped && (t->column[i].type.oid == e->oid ||
                                          sql_element_of(t->column[i].type.oid) == e->oid))
                return true;
    return false;
}

static bool schema_is_used(struct definer *d, slice name) {
    const struct sql_table *t;
    for (unsigned at = 0; (t = sql_catalog_each_table(d->catalog, &at));)
        if (slice_equal(t->schema, name))
            return true;
    return false;
}

static int judge_drop_one(struct definer *d, const struct sql_statement *s, slice schema,
                          slice name, struct sql_error *error) {
    unsigned index, cursor = 0;
    const struct sql_table *t;
    const struct sql_enum *e;
    bool there;
    if (schema.ptr && !sql_catalog_has_schema(d->catalog, schema))
        return missing(d, s, schema, "3F000", "schema", error);
    switch (s->drop_kind) {
    case 'i':
        if (sql_catalog_table(d->catalog, schema, name)) {
            (void)sql_fail(error, "42809", "\"%.*s\" is not an index", slice_fmt(name));
            sql_error_hint(error, "Use DROP TABLE to remove a table.");
            return -EINVAL;
        }
        t = sql_index_named(d->catalog, schema, name, &index);
        if (t && (t->index[index].primary || sql_oid_is_system(t->oid)))
            return sql_fail(error, "2BP01",
                            "cannot drop index %.*s because constraint %.*s on "
                            "table %.*s requires it",
                            slice_fmt(name), slice_fmt(name), slice_fmt(t->name));
        there = t != NULL;
        break;
    case 't':
        e = sql_catalog_enum(d->catalog, schema, name);
        if (e && type_is_used(d, e))
            return sql_fail(error, "2BP01",
                            "cannot drop type %.*s because other objects depend on it",
                            slice_fmt(name));
        there = e != NULL;
        break;
    case 'f':
        there = sql_catalog_function_next(d->catalog, schema, name, &cursor) != NULL;
        break;
    case 'n':
        there = sql_catalog_has_schema(d->catalog, name);
        if (there && (schema_is_used(d, name) || slice_equal(name, slice_lit("public"))))
            return sql_fail(error, "2BP01",
                            "cannot drop schema %.*s because other objects depend on it",
                            slice_fmt(name));
        break;
    default:
        return judge_drop_table(d, s, schema, name, error);
    }
    static const char *const words[] = {
        ['i'] = "index", ['t'] = "type", ['f'] = "function", ['n'] = "schema"};
    const char *state = s->drop_kind == 'n' ? "3F000" : (s->drop_kind == 'f' ? "42883" : "42704");
    return there ? 0 : missing(d, s, name, state, words[(unsigned char)s->drop_kind], error);
}

/* What CASCADE has taken with it. */
static void tell_cascade(const struct definer *d, const struct cascade *c) {
    struct sql_error notice;
    if (c->count == 1)
        (void)sql_fail(&notice, "00000", "drop cascades to %s", c->first);
    else
        (void)sql_fail(&notice, "00000", "drop cascades to %u other objects", c->count);
    if (c->count > 0)
        tell(d, &notice);
}

static int drop_index(struct definer *d, slice schema, slice name, struct sql_error *error) {
    unsigned index;
    struct sql_table *t = sql_index_named(d->catalog, schema, name, &index);
    struct sql_table *version = t ? definer_change(d, t, error) : NULL;
    if (!version)
        return t ? -EINVAL : 0;
    return definition_drop_constraint(d, version, name, true, error);
}

static int drop_one(struct definer *d, char kind, slice schema, slice name, struct cascade *cascade,
                    struct sql_error *error) {
    unsigned cursor = 0;
    struct sql_table *t = NULL;
    const struct sql_enum *e;
    const struct sql_user_function *f;
    switch (kind) {
    case 'i':
        return drop_index(d, schema, name, error);
    case 't':
        e = sql_catalog_enum(d->catalog, schema, name);
        if (e)
            sql_catalog_remove_enum(d->catalog, e);
        return 0;
    case 'f':
        while ((f = sql_catalog_function_next(d->catalog, schema, name, &cursor))) {
            sql_catalog_remove_function(d->catalog, f);
            cursor = 0;
        }
        return 0;
    case 'n':
        sql_catalog_remove_schema(d->catalog, name);
        return 0;
    default:
        t = sql_catalog_table(d->catalog, schema, name);
        return t ? drop_table(d, t, cascade, error) : 0;
    }
}

int definition_drop(struct definer *d, const struct sql_statement *s, struct sql_error *error) {
    struct cascade cascade = {.count = 0};
    int r = 0;
    for (unsigned i = 0; r == 0 && i < s->names; i++)
        r = drop_one(d, s->drop_kind, s->name_list[i][0], s->name_list[i][1], &cascade, error);
    if (r == 0)
        tell_cascade(d, &cascade);
    return r;
}

int definition_judge_drop(struct definer *d, const struct sql_statement *s,
                          struct sql_error *error) {
    int r = 0;
    for (unsigned i = 0; r == 0 && i < s->names; i++)
        r = judge_drop_one(d, s, s->name_list[i][0], s->name_list[i][1], error);
    return r;
}
