/*
 * window.c - f(…) OVER (…): window definitions, their frames, and the functions over them.
 *
 * Definitions that are the same are one, so that their functions share a WINDOW node.
 */
#include "sql/bind/call.h"

#include <errno.h>

/* The grammar's frameOptions. */
enum {
    FRAME_NONDEFAULT = 0x1,
    FRAME_ROWS = 0x4,
    FRAME_GROUPS = 0x8,
    FRAME_START_UNBOUNDED_PRECEDING = 0x20,
    FRAME_END_UNBOUNDED_PRECEDING = 0x40,
    FRAME_START_UNBOUNDED_FOLLOWING = 0x80,
    FRAME_END_UNBOUNDED_FOLLOWING = 0x100,
    FRAME_START_CURRENT = 0x200,
    FRAME_END_CURRENT = 0x400,
    FRAME_START_PRECEDING = 0x800,
    FRAME_END_PRECEDING = 0x1000,
    FRAME_START_FOLLOWING = 0x2000,
    FRAME_END_FOLLOWING = 0x4000,
    FRAME_EXCLUDE_CURRENT = 0x8000,
    FRAME_EXCLUDE_GROUP = 0x10000,
    FRAME_EXCLUDE_TIES = 0x20000,
};

static json_value find_definition(const struct bind_scope *s, slice name) {
    struct json_iterator i = json_each(s->windows);
    json_value definition;
    while (json_next(&i))
        if (sql_node_is(i.value, "WindowDef", &definition) &&
            slice_equal(sql_field_text(definition, "name"), name))
            return definition;
    return (json_value){0};
}

static void read_frame(int64_t options, struct bind_window_spec *w) {
    w->framed = options & FRAME_NONDEFAULT;
    w->mode = options & FRAME_ROWS     ? SQL_FRAME_ROWS
              : options & FRAME_GROUPS ? SQL_FRAME_GROUPS
                                       : SQL_FRAME_RANGE;
    w->start = options & FRAME_START_CURRENT               ? SQL_FRAME_CURRENT
               : options & FRAME_START_PRECEDING           ? SQL_FRAME_PRECEDING
               : options & FRAME_START_FOLLOWING           ? SQL_FRAME_FOLLOWING
               : options & FRAME_START_UNBOUNDED_FOLLOWING ? SQL_FRAME_UNBOUNDED_FOLLOWING
                                                           : SQL_FRAME_UNBOUNDED_PRECEDING;
    w->end = options & FRAME_END_UNBOUNDED_PRECEDING   ? SQL_FRAME_UNBOUNDED_PRECEDING
             : options & FRAME_END_PRECEDING           ? SQL_FRAME_PRECEDING
             : options & FRAME_END_FOLLOWING           ? SQL_FRAME_FOLLOWING
             : options & FRAME_END_UNBOUNDED_FOLLOWING ? SQL_FRAME_UNBOUNDED_FOLLOWING
                                                       : SQL_FRAME_CURRENT;
    w->exclude = options & FRAME_EXCLUDE_CURRENT ? SQL_EXCLUDE_CURRENT
                 : options & FRAME_EXCLUDE_GROUP ? SQL_EXCLUDE_GROUP
                 : options & FRAME_EXCLUDE_TIES  ? SQL_EXCLUDE_TIES
                                                 : SQL_EXCLUDE_NOTHING;
}

static bool is_time(uint32_t oid) {
    return oid == SQL_DATE || oid == SQL_TIME || oid == SQL_TIMESTAMP || oid == SQL_TIMESTAMPTZ ||
           oid == SQL_INTERVAL;
}

static unsigned integer_bytes(uint32_t oid) {
    return oid == SQL_INT2 ? 2 : oid == SQL_INT4 ? 4 : oid == SQL_INT8 ? 8 : 0;
}

/* The type that an order by OID goes by where the offset is of type OFFSET: of the same order, and
   adding gives the type again, for dates and times of day without going round at midnight. */
static uint32_t order_type(uint32_t oid, uint32_t offset) {
    if (offset == SQL_INTERVAL)
        return oid == SQL_DATE ? SQL_TIMESTAMP : oid == SQL_TIME ? SQL_INTERVAL : oid;
    if (integer_bytes(oid) && integer_bytes(offset) > integer_bytes(oid))
        return offset;
    return oid == SQL_FLOAT4 ? SQL_FLOAT8 : oid;
}

static int order_for_offset(struct sql_binder *b, struct bind_window_spec *w, uint32_t offset) {
    uint32_t oid = order_type(w->order[0]->type.oid, offset);
    if (oid != w->order[0]->type.oid)
        w->order[0] =
            bind_coerce(b, w->order[0], sql_type_of(oid), SQL_CAST_IMPLICIT, w->order[0]->location);
    return w->order[0] ? 0 : -EINVAL;
}

/* What RANGE adds to and takes from the order column. */
static struct sql_expr *range_offset(struct sql_binder *b, struct bind_window_spec *w,
                                     struct sql_expr *offset) {
    if (w->orders != 1)
        return bind_null(b, offset->location, "42P20",
                         "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY "
                         "column");
    if (is_time(w->order[0]->type.oid) && offset->type.oid == SQL_UNKNOWN)
        offset =
            bind_coerce(b, offset, sql_type_of(SQL_INTERVAL), SQL_CAST_IMPLICIT, offset->location);
    if (!offset || order_for_offset(b, w, offset->type.oid) != 0)
        return NULL;
    struct sql_expr *plus = bind_operator(b, slice_lit("+"), w->order[0], offset, offset->location);
    struct sql_expr *minus =
        plus ? bind_operator(b, slice_lit("-"), w->order[0], offset, offset->location) : NULL;
    if (!minus)
        return NULL;
    if (plus->kind != SQL_EXPR_CALL || minus->kind != SQL_EXPR_CALL ||
        plus->type.oid != w->order[0]->type.oid || minus->type.oid != plus->type.oid)
        return bind_null(b, offset->location, "0A000",
                         "RANGE with offset PRECEDING/FOLLOWING is not supported for these types");
    w->plus = plus->function;
    w->minus = minus->function;
    return plus->arguments[1];
}

static int frame_offset(struct sql_binder *b, struct bind_scope *s, struct bind_window_spec *w,
                        json_value node, struct sql_expr **ret) {
    if (json_type_of(node) == JSON_ABSENT)
        return 0;
    struct sql_expr *e = bind_expression(b, s, node);
    if (e)
        e = w->mode == SQL_FRAME_RANGE
                ? range_offset(b, w, e)
                : bind_coerce(b, e, sql_type_of(SQL_INT8), SQL_CAST_IMPLICIT, e->location);
    if (!e)
        return -EINVAL;
    if (e->kind != SQL_EXPR_CONST && e->kind != SQL_EXPR_PARAMETER)
        return bind_error(b, e->location, "0A000",
                          "a window frame's offset must be a constant or a parameter");
    if (e->kind == SQL_EXPR_CONST && e->null)
        return bind_error(b, e->location, "22004", "frame offset must not be null");
    *ret = e;
    return 0;
}

static int bind_definition(struct sql_binder *b, struct bind_scope *s, json_value definition,
                           struct bind_window_spec *w) {
    slice base = sql_field_text(definition, "refname");
    int location = sql_location(definition);
    json_value partition = sql_field(definition, "partitionClause");
    if (base.len) {
        json_value other = find_definition(s, base);
        if (json_type_of(other) == JSON_ABSENT)
            return bind_error(b, location, "42704", "window \"%.*s\" does not exist",
                              slice_fmt(base));
        if (json_count(partition))
            return bind_error(b, location, "42P20",
                              "cannot override PARTITION BY clause of window \"%.*s\"",
                              slice_fmt(base));
        int result = bind_definition(b, s, other, w);
        if (result < 0)
            return result;
        if (w->orders && json_count(sql_field(definition, "orderClause")))
            return bind_error(b, location, "42P20",
                              "cannot override ORDER BY clause of window \"%.*s\"",
                              slice_fmt(base));
        if (w->framed)
            return bind_error(b, location, "42P20",
                              "cannot copy window \"%.*s\" because it has a frame clause",
                              slice_fmt(base));
    }
    if (json_count(partition)) {
        struct json_iterator i = json_each(partition);
        if (!(w->partition = bind_alloc(b, json_count(partition), sizeof *w->partition)))
            return -ENOMEM;
        while (json_next(&i))
            if (!(w->partition[w->partitions++] = bind_known(b, bind_expression(b, s, i.value))))
                return -EINVAL;
    }
    json_value order = sql_field(definition, "orderClause");
    int result =
        json_count(order) ? bind_sort_list(b, s, order, &w->order, &w->order_how, &w->orders) : 0;
    read_frame(sql_field_int(definition, "frameOptions"), w);
    if (result == 0)
        result = frame_offset(b, s, w, sql_field(definition, "startOffset"), &w->start_offset);
    if (result == 0)
        result = frame_offset(b, s, w, sql_field(definition, "endOffset"), &w->end_offset);
    if (result == 0 && w->mode == SQL_FRAME_GROUPS && w->orders == 0)
        return bind_error(b, location, "42P20", "GROUPS mode requires an ORDER BY clause");
    return result;
}

static bool same_spec(const struct bind_window_spec *a, const struct bind_window_spec *c) {
    if (a->partitions != c->partitions || a->orders != c->orders || a->mode != c->mode ||
        a->start != c->start || a->end != c->end || a->exclude != c->exclude || a->start_offset ||
        a->end_offset || c->start_offset || c->end_offset)
        return false;
    for (unsigned i = 0; i < a->partitions; i++)
        if (!sql_expr_equal(a->partition[i], c->partition[i]))
            return false;
    for (unsigned i = 0; i < a->orders; i++)
        if (!sql_expr_equal(a->order[i], c->order[i]) ||
            a->order_how[i].descending != c->order_how[i].descending ||
            a->order_how[i].nulls_first != c->order_how[i].nulls_first)
            return false;
    return true;
}

static struct bind_window_spec *find_spec(struct sql_binder *b, struct bind_scope *s,
                                          json_value over) {
    slice name = sql_field_text(over, "name");
    json_value definition = over;
    if (name.len) {
        definition = find_definition(s, name);
        if (json_type_of(definition) == JSON_ABSENT)
            return bind_null(b, sql_location(over), "42704", "window \"%.*s\" does not exist",
                             slice_fmt(name));
    }
    struct bind_window_spec *w = bind_alloc(b, 1, sizeof *w);
    if (!w || bind_definition(b, s, definition, w) < 0)
        return NULL;
    for (unsigned i = 0; i < s->specs; i++)
        if (same_spec(s->spec[i], w))
            return s->spec[i];
    void *larger = bind_grow(b, s->spec, s->specs, sizeof *s->spec);
    if (!larger)
        return NULL;
    s->spec = larger;
    return s->spec[s->specs++] = w;
}

static int check_function(struct sql_binder *b, const struct bind_candidate *c, slice name,
                          json_value inside) {
    int location = sql_location(inside);
    bool filtered = json_type_of(sql_field(inside, "agg_filter")) != JSON_ABSENT;
    if (!c->aggregate && !c->window)
        return bind_error(b, location, "42809",
                          "OVER specified, but %.*s is not a window function nor an aggregate "
                          "function",
                          slice_fmt(name));
    if (c->aggregate && c->aggregate->ordered_set)
        return bind_error(b, location, "0A000",
                          "OVER is not supported for ordered-set aggregate %.*s", slice_fmt(name));
    if (sql_field_bool(inside, "agg_distinct"))
        return bind_error(b, location, "0A000", "DISTINCT is not implemented for window functions");
    if (json_count(sql_field(inside, "agg_order")))
        return bind_error(b, location, "0A000",
                          "aggregate ORDER BY is not implemented for window functions");
    if (filtered && c->window)
        return bind_error(b, location, "0A000",
                          "FILTER is not implemented for non-aggregate window functions");
    return 0;
}

/* Arguments and FILTER; window functions do not nest. */
static int window_parts(struct sql_binder *b, struct bind_scope *s, json_value inside,
                        struct bind_pending *entry) {
    struct sql_plan_window *w = &entry->window;
    json_value filter = sql_field(inside, "agg_filter");
    int result = bind_call_arguments(b, s, inside, &w->arguments, &w->count);
    if (result == 0 && json_type_of(filter) != JSON_ABSENT)
        result = (w->filter = bind_condition(b, s, filter, "FILTER")) ? 0 : -EINVAL;
    if (result < 0)
        return result;
    unsigned allow = s->allow;
    const char *clause = s->clause;
    s->allow &= ~(unsigned)BIND_ALLOW_WINDOW;
    s->clause = "window definitions";
    s->in_window = false;
    entry->spec = find_spec(b, s, sql_field(inside, "over"));
    s->allow = allow;
    s->clause = clause;
    return entry->spec ? 0 : -EINVAL;
}

static void take_frame(struct sql_plan_window *w, const struct bind_window_spec *spec) {
    w->mode = spec->mode;
    w->start = spec->start;
    w->end = spec->end;
    w->start_offset = spec->start_offset;
    w->end_offset = spec->end_offset;
    w->plus = spec->plus;
    w->minus = spec->minus;
    w->exclude = spec->exclude;
}

struct sql_expr *bind_window_call(struct sql_binder *b, struct bind_scope *s, json_value inside) {
    slice schema, name = bind_call_name(inside, &schema);
    struct bind_pending entry = {.kind = BIND_WINDOW, .location = sql_location(inside)};
    if (s->in_window)
        return bind_null(b, entry.location, "42P20", "window function calls cannot be nested");
    if (s->in_aggregate)
        return bind_null(b, entry.location, "42803",
                         "aggregate function calls cannot contain window function calls");
    if (!(s->allow & BIND_ALLOW_WINDOW))
        return bind_null(b, entry.location, "42P20", "window functions are not allowed in %s",
                         s->clause ? s->clause : "this context");
    s->in_window = true;
    int result = window_parts(b, s, inside, &entry);
    s->in_window = false;
    struct bind_candidate found = {0};
    if (result < 0 || bind_find_call(b, schema, name, entry.window.arguments, entry.window.count,
                                     entry.location, &found, &entry.type) < 0)
        return NULL;
    if (check_function(b, &found, name, inside) < 0)
        return NULL;
    struct sql_plan_window *w = &entry.window;
    w->function = found.window ? found.window->function : SQL_WINDOW_AGGREGATE;
    w->aggregate = found.aggregate;
    w->type = entry.type;
    take_frame(w, entry.spec);
    return bind_defer(b, s, &entry);
}
