/*
 * column.c - names of columns, from the scope at hand outwards (scope.h).
 *
 * A bare name may be a column of any relation in sight, and if it is none, a relation: then it
 * means the whole row. The innermost scope that knows the name decides.
 */
#include "sql/bind/scope.h"

#include <stdio.h>

struct bind_relation *bind_find_relation(const struct bind_from *from, slice schema, slice name) {
    for (unsigned i = 0; i < from->relations; i++) {
        struct bind_relation *r = from->relation[i];
        if (slice_equal(r->name, name) && (schema.len == 0 || slice_equal(r->schema, schema)))
            return r;
    }
    return NULL;
}

const char *bind_column_text(const struct bind_from *from, unsigned column, char *out,
                             size_t size) {
    for (unsigned i = 0; i < from->relations; i++) {
        const struct bind_relation *r = from->relation[i];
        for (unsigned n = 0; n < r->names; n++)
            if (r->name_list[n].column == column) {
                snprintf(out, size, "%.*s.%.*s", slice_fmt(r->name),
                         slice_fmt(r->name_list[n].name));
                return out;
            }
    }
    snprintf(out, size, "?column?");
    for (unsigned n = 0; n < from->names; n++)
        if (from->name[n].column == column)
            snprintf(out, size, "%.*s", slice_fmt(from->name[n].name));
    return out;
}

/* Column COLUMN of S's plan, seen over LEVEL boundaries. */
static struct sql_expr *reference(struct sql_binder *b, struct bind_scope *s, unsigned column,
                                  unsigned level, int location) {
    struct sql_expr *e = bind_column(b, column, s->from.plan->column[column].type, location);
    if (e && level) {
        e->kind = SQL_EXPR_OUTER;
        e->level = level - 1;
    }
    return e;
}

static struct sql_expr *row_at(struct sql_binder *b, struct bind_scope *s,
                               const struct bind_relation *r, unsigned level, int location) {
    if (r->scalar)
        return reference(b, s, r->name_list[0].column, level, location);
    struct sql_expr *row = bind_expr(b, SQL_EXPR_ROW, sql_type_of(SQL_RECORD), location, r->names);
    slice *names = bind_alloc(b, r->names + 1, sizeof *names);
    if (!row || !names)
        return NULL;
    row->names = names;
    for (unsigned i = 0; i < r->names; i++)
        names[i] = r->name_list[i].name;
    for (unsigned i = 0; i < r->names; i++)
        if (!(row->arguments[i] = reference(b, s, r->name_list[i].column, level, location)))
            return NULL;
    return row;
}

/* The argument of the SQL function being inlined that is named so. */
static struct sql_expr *function_argument(const struct sql_binder *b, slice name) {
    const struct bind_inline *f = b->inlining;
    for (unsigned i = 0; f && i < f->function->count; i++) {
        slice own = f->function->argument_names ? f->function->argument_names[i] : (slice){NULL, 0};
        if (own.len && slice_equal(own, name))
            return f->arguments[i];
    }
    return NULL;
}

static struct sql_expr *bare_name(struct sql_binder *b, struct bind_scope *s, slice name,
                                  int location) {
    unsigned level = 0;
    for (struct bind_scope *at = s; at; level += at->boundary, at = at->outer) {
        const struct bind_name *found = NULL;
        for (unsigned i = 0; !at->hidden && i < at->from.names; i++) {
            if (!slice_equal(at->from.name[i].name, name))
                continue;
            if (found)
                return bind_null(b, location, "42702", "column reference \"%.*s\" is ambiguous",
                                 slice_fmt(name));
            found = &at->from.name[i];
        }
        if (found)
            return reference(b, at, found->column, level, location);
    }
    struct sql_expr *argument = function_argument(b, name);
    if (argument)
        return argument;
    level = 0;
    for (struct bind_scope *at = s; at; level += at->boundary, at = at->outer) {
        const struct bind_relation *r =
            at->hidden ? NULL : bind_find_relation(&at->from, (slice){NULL, 0}, name);
        if (r)
            return row_at(b, at, r, level, location);
    }
    return bind_null(b, location, "42703", "column \"%.*s\" does not exist", slice_fmt(name));
}

static struct sql_expr *no_relation(struct sql_binder *b, struct bind_scope *s, slice name,
                                    int location) {
    for (struct bind_scope *at = s; at; at = at->outer)
        if (at->hidden && bind_find_relation(&at->from, (slice){NULL, 0}, name)) {
            (void)bind_error(b, location, "42P01",
                             "invalid reference to FROM-clause entry for table \"%.*s\"",
                             slice_fmt(name));
            sql_error_hint(b->error,
                           "There is an entry for table \"%.*s\", but it cannot be referenced "
                           "from this part of the query.",
                           slice_fmt(name));
            return NULL;
        }
    return bind_null(b, location, "42P01", "missing FROM-clause entry for table \"%.*s\"",
                     slice_fmt(name));
}

/* alias.column, schema.table.column; NAME empty: alias.* as one row. */
static struct sql_expr *qualified(struct sql_binder *b, struct bind_scope *s, slice schema,
                                  slice table, slice name, int location) {
    unsigned level = 0;
    for (struct bind_scope *at = s; at; level += at->boundary, at = at->outer) {
        const struct bind_relation *r =
            at->hidden ? NULL : bind_find_relation(&at->from, schema, table);
        if (!r)
            continue;
        if (name.len == 0)
            return row_at(b, at, r, level, location);
        for (unsigned i = 0; i < r->names; i++)
            if (slice_equal(r->name_list[i].name, name))
                return reference(b, at, r->name_list[i].column, level, location);
        return bind_null(b, location, "42703", "column %.*s.%.*s does not exist", slice_fmt(table),
                         slice_fmt(name));
    }
    if (b->inlining && slice_equal(b->inlining->function->name, table)) {
        struct sql_expr *argument = function_argument(b, name);
        if (argument)
            return argument;
    }
    return no_relation(b, s, table, location);
}

struct sql_expr *bind_column_ref(struct sql_binder *b, struct bind_scope *s, json_value inside) {
    slice names[4];
    unsigned count = 0;
    bool star = false;
    int location = sql_location(inside);
    struct json_iterator i = json_each(sql_field(inside, "fields"));
    while (json_next(&i)) {
        if (sql_node_is(i.value, "A_Star", NULL)) {
            star = true;
            continue;
        }
        if (count == array_count(names))
            return bind_null(b, location, "42601",
                             "improper qualified name (too many dotted "
                             "names)");
        names[count++] = sql_string(i.value);
    }
    slice none = {NULL, 0};
    if (star && count == 0)
        return bind_null(b, location, "42601", "invalid use of *");
    if (star)
        return qualified(b, s, count > 1 ? names[count - 2] : none, names[count - 1], none,
                         location);
    if (count == 1)
        return bare_name(b, s, names[0], location);
    return qualified(b, s, count > 2 ? names[count - 3] : none, names[count - 2], names[count - 1],
                     location);
}
