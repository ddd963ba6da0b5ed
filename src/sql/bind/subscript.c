/*
 * subscript.c - arrays and what is taken out of values: ARRAY[…], a[1], a[1:2], j['key'],
 * (row).field, and the values SQL has without parentheses (CURRENT_DATE).
 */
#include "sql/bind/special.h"

#include <stdio.h>

static struct sql_expr *empty_array(struct sql_binder *b, json_value inside, uint32_t wanted) {
    if (wanted)
        return bind_coerce(b, bind_text_constant(b, SQL_UNKNOWN, slice_lit("{}"), -1),
                           sql_type_of(wanted), SQL_CAST_EXPLICIT, sql_location(inside));
    (void)bind_error(b, sql_location(inside), "42P18", "cannot determine type of empty array");
    sql_error_hint(b->error, "Explicitly cast to the desired type, for example "
                             "ARRAY[]::integer[].");
    return NULL;
}

/* Elements that are arrays themselves give one of a dimension more, of the same type. */
struct sql_expr *bind_array(struct sql_binder *b, struct bind_scope *s, json_value inside,
                            uint32_t wanted) {
    json_value elements = sql_field(inside, "elements");
    int location = sql_location(inside);
    if (json_count(elements) == 0)
        return empty_array(b, inside, wanted);
    struct sql_expr *e =
        bind_expr(b, SQL_EXPR_ARRAY, sql_type_of(wanted), location, json_count(elements));
    struct json_iterator i = json_each(elements);
    bool nested = false;
    for (unsigned at = 0; e && json_next(&i); at++) {
        json_value inner;
        bool is_array = sql_node_is(i.value, "A_ArrayExpr", &inner);
        nested |= is_array;
        e->arguments[at] =
            is_array ? bind_array(b, s, inner, wanted) : bind_expression(b, s, i.value);
        if (!e->arguments[at])
            return NULL;
    }
    if (!e)
        return NULL;
    struct sql_type type = sql_type_of(nested ? wanted : sql_element_of(wanted));
    if (!wanted && bind_common_type(b, e->arguments, e->count, "ARRAY", &type) < 0)
        return NULL;
    nested |= sql_element_of(type.oid) != 0;
    for (unsigned at = 0; at < e->count; at++)
        if (!(e->arguments[at] =
                  bind_coerce(b, e->arguments[at], type,
                              wanted ? SQL_CAST_EXPLICIT : SQL_CAST_IMPLICIT, location)))
            return NULL;
    e->type = sql_type_of(nested ? type.oid : sql_array_of(type.oid));
    if (e->type.oid == 0) {
        char text[BIND_TYPE_TEXT];
        return bind_null(b, location, "42704", "could not find array type for data type %s",
                         bind_type_text(b, type, text, sizeof text));
    }
    return bind_fold(b, e);
}

static struct sql_expr *subscript_value(struct sql_binder *b, struct bind_scope *s,
                                        json_value node) {
    struct sql_expr *e = bind_expression(b, s, node);
    return bind_coerce(b, e, sql_type_of(SQL_INT4), SQL_CAST_ASSIGNMENT, e ? e->location : -1);
}

/* Is one of the subscripts that follow each other from I on a slice? Then all are. */
static bool has_slice(struct json_iterator i) {
    json_value indices;
    bool found = false;
    do {
        if (!sql_node_is(i.value, "A_Indices", &indices))
            break;
        found = sql_field_bool(indices, "is_slice");
    } while (!found && json_next(&i));
    return found;
}

/* a[i][j] …: all subscripts that follow each other are one access. */
static struct sql_expr *subscripts(struct sql_binder *b, struct bind_scope *s, struct sql_expr *e,
                                   struct json_iterator *i, bool *more) {
    struct sql_expr *arguments[1 + 2 * SQL_ARRAY_DIMENSIONS_MAX] = {e};
    unsigned count = 1;
    bool slices = has_slice(*i);
    json_value indices;
    do {
        if (!sql_node_is(i->value, "A_Indices", &indices))
            break;
        if (count + 1 >= array_count(arguments))
            return bind_null(b, e->location, "54000",
                             "number of array dimensions exceeds the maximum allowed (6)");
        json_value low = sql_field(indices, "lidx"), high = sql_field(indices, "uidx");
        if (slices)
            arguments[count++] =
                json_type_of(low) != JSON_ABSENT
                    ? subscript_value(b, s, low)
                    : bind_integer(b, SQL_INT4,
                                   sql_field_bool(indices, "is_slice") ? INT32_MIN : 1);
        arguments[count++] = json_type_of(high) != JSON_ABSENT
                                 ? subscript_value(b, s, high)
                                 : bind_integer(b, SQL_INT4, INT32_MAX);
        if (!arguments[count - 1] || !arguments[count - 2])
            return NULL;
    } while ((*more = json_next(i)));
    return bind_function(b, slices ? slice_lit("array_slice") : slice_lit("array_subscript"),
                         arguments, count, e->location);
}

static struct sql_expr *field(struct sql_binder *b, struct sql_expr *e, slice name) {
    for (unsigned i = 0; e->kind == SQL_EXPR_ROW && i < e->count; i++) {
        char own[16];
        snprintf(own, sizeof own, "f%u", i + 1);
        if (slice_equal(slice_str(own), name))
            return e->arguments[i];
    }
    if (e->type.oid == SQL_RECORD)
        return bind_null(b, e->location, "42703",
                         "could not identify column \"%.*s\" in record data type", slice_fmt(name));
    char text[BIND_TYPE_TEXT];
    return bind_null(b, e->location, "42809",
                     "column notation .%.*s applied to type %s, which is not a composite type",
                     slice_fmt(name), bind_type_text(b, e->type, text, sizeof text));
}

/* (t).a where t is a relation: the column itself. */
static struct sql_expr *relation_field(struct sql_binder *b, struct bind_scope *s, json_value arg,
                                       slice name) {
    json_value reference;
    if (!sql_node_is(arg, "ColumnRef", &reference) ||
        json_count(sql_field(reference, "fields")) != 1)
        return NULL;
    slice table = sql_string(json_element(sql_field(reference, "fields"), 0));
    const struct bind_relation *r = bind_find_relation(&s->from, (slice){NULL, 0}, table);
    for (unsigned i = 0; r && i < r->names; i++)
        if (slice_equal(r->name_list[i].name, name)) {
            unsigned column = r->name_list[i].column;
            return bind_column(b, column, s->from.plan->column[column].type,
                               sql_location(reference));
        }
    return NULL;
}

struct sql_expr *bind_indirection(struct sql_binder *b, struct bind_scope *s, json_value inside) {
    struct json_iterator i = json_each(sql_field(inside, "indirection"));
    bool more = json_next(&i);
    struct sql_expr *e = NULL;
    if (more && slice_equal(sql_node_name(i.value), slice_lit("String")))
        e = relation_field(b, s, sql_field(inside, "arg"), sql_string(i.value));
    if (e)
        more = json_next(&i);
    else
        e = bind_expression(b, s, sql_field(inside, "arg"));
    while (e && more) {
        json_value indices;
        if (!sql_node_is(i.value, "A_Indices", &indices)) {
            if (sql_node_is(i.value, "A_Star", NULL))
                return e;
            e = field(b, e, sql_string(i.value));
            more = json_next(&i);
        } else if (e->type.oid == SQL_JSONB) {
            struct sql_expr *key = bind_expression(b, s, sql_field(indices, "uidx"));
            e = key ? bind_operator(b, slice_lit("->"), e, key, e->location) : NULL;
            more = json_next(&i);
        } else if (sql_element_of(e->type.oid) == 0) {
            char text[BIND_TYPE_TEXT];
            return bind_null(b, e->location, "42804",
                             "cannot subscript type %s because it does not support subscripting",
                             bind_type_text(b, e->type, text, sizeof text));
        } else
            e = subscripts(b, s, e, &i, &more);
    }
    return e;
}

static struct sql_expr *name_constant(struct sql_binder *b, slice name, int location) {
    return bind_text_constant(b, SQL_NAME, name, location);
}

static struct sql_expr *now_as(struct sql_binder *b, uint32_t oid, json_value inside) {
    int location = sql_location(inside);
    struct sql_expr *now = bind_function(b, slice_lit("now"), NULL, 0, location);
    if (oid == SQL_TIME)
        now = bind_coerce(b, now, sql_type_of(SQL_TIMESTAMP), SQL_CAST_EXPLICIT, location);
    struct sql_type type = {oid, (int32_t)sql_field_int(inside, "typmod")};
    return bind_coerce(b, now, type, SQL_CAST_EXPLICIT, location);
}

struct sql_expr *bind_sql_value(struct sql_binder *b, struct bind_scope *s, json_value inside) {
    (void)s;
    slice op = slice_skip(sql_field_text(inside, "op"), strlen("SVFOP_"));
    int location = sql_location(inside);
    if (slice_equal(op, slice_lit("CURRENT_DATE")))
        return now_as(b, SQL_DATE, inside);
    if (slice_starts_with(op, slice_lit("CURRENT_TIMESTAMP")))
        return now_as(b, SQL_TIMESTAMPTZ, inside);
    if (slice_starts_with(op, slice_lit("LOCALTIMESTAMP")))
        return now_as(b, SQL_TIMESTAMP, inside);
    if (slice_starts_with(op, slice_lit("LOCALTIME")))
        return now_as(b, SQL_TIME, inside);
    if (slice_equal(op, slice_lit("CURRENT_CATALOG")))
        return name_constant(b, b->settings->database, location);
    if (slice_equal(op, slice_lit("CURRENT_SCHEMA")))
        return name_constant(b, slice_lit("public"), location);
    if (slice_ends_with(op, slice_lit("USER")) || slice_ends_with(op, slice_lit("ROLE")))
        return name_constant(b, b->settings->user, location);
    return bind_null(b, location, "0A000", "%.*s is not supported (use LOCALTIME)", slice_fmt(op));
}
