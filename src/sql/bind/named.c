/*
 * named.c - calls by the names of arguments: make_interval(days => 10, hours => 5).
 *
 * The name alone decides which function is meant; functions whose arguments have names are the only
 * ones called so. What is left out before an argument that is given is 0, what is left out behind
 * the last is the function's to know (defaults).
 */
#include "sql/bind/call.h"

#include <errno.h>

bool bind_has_names(json_value list) {
    struct json_iterator i = json_each(list);
    while (json_next(&i))
        if (sql_node_is(i.value, "NamedArgExpr", NULL))
            return true;
    return false;
}

static const struct sql_function *function_with_names(slice name) {
    unsigned cursor = 0;
    const struct sql_function *f;
    while ((f = sql_function_next(name, &cursor)))
        if (f->names)
            return f;
    return NULL;
}

/* Where the argument NAME goes; f->count: there is none. */
static unsigned place_of(const struct sql_function *f, slice name) {
    unsigned place = 0;
    while (place < f->count && !slice_equal(slice_str(f->names[place]), name))
        place++;
    return place;
}

/* One argument into its place; NEXT: that of one without a name. */
static int put(struct sql_binder *b, struct bind_scope *s, const struct sql_function *f,
               json_value node, unsigned next, struct sql_expr **arguments) {
    json_value inside;
    bool named = sql_node_is(node, "NamedArgExpr", &inside);
    slice name = named ? sql_field_text(inside, "name") : (slice){0};
    unsigned place = named ? place_of(f, name) : next;
    int location = named ? sql_location(inside) : -1;
    if (place >= f->count)
        return bind_error(b, location, "42883", "function %s has no argument \"%.*s\"", f->name,
                          slice_fmt(name));
    if (arguments[place])
        return bind_error(b, location, "42601", "argument name \"%.*s\" used more than once",
                          slice_fmt(name));
    arguments[place] = bind_expression(b, s, named ? sql_field(inside, "arg") : node);
    return arguments[place] ? 0 : -EINVAL;
}

int bind_named_arguments(struct sql_binder *b, struct bind_scope *s, slice name, json_value list,
                         int location, struct sql_expr ***ret, unsigned *ret_count) {
    const struct sql_function *f = function_with_names(name);
    if (!f || json_count(list) > f->count)
        return bind_error(b, location, "42883", "function %.*s has no arguments of these names",
                          slice_fmt(name));
    struct sql_expr **arguments = bind_alloc(b, f->count, sizeof *arguments);
    if (!arguments)
        return -ENOMEM;
    struct json_iterator i = json_each(list);
    bool named = false;
    for (unsigned next = 0; json_next(&i); next++) {
        bool has_name = sql_node_is(i.value, "NamedArgExpr", NULL);
        if (named && !has_name)
            return bind_error(b, location, "42601",
                              "positional argument cannot follow named argument");
        named |= has_name;
        int failed = put(b, s, f, i.value, next, arguments);
        if (failed)
            return failed;
    }
    unsigned count = f->count;
    while (count > 0 && !arguments[count - 1])
        count--;
    for (unsigned at = 0; at < count; at++) {
        if (!arguments[at] && at < (unsigned)(f->count - f->defaults))
            return bind_error(b, location, "42883", "function %s needs the argument \"%s\"",
                              f->name, f->names[at]);
        if (!arguments[at] && !(arguments[at] = bind_integer(b, SQL_INT4, 0)))
            return -ENOMEM;
    }
    *ret = arguments;
    *ret_count = count;
    return 0;
}
