/*
 * call.c - f(…): plain functions, aggregates and functions that give rows. With OVER: window.c.
 *
 * Whether a call is an aggregate decides how its arguments are bound (subqueries in them run before
 * the grouping), and is told by the name before the types are known.
 */
#include "sql/bind/call.h"
#include "sql/bind/move.h"

#include <errno.h>

slice bind_call_name(json_value inside, slice *ret_schema) {
    slice schema = {NULL, 0}, name = {NULL, 0};
    struct json_iterator i = json_each(sql_field(inside, "funcname"));
    while (json_next(&i)) {
        schema = name;
        name = sql_string(i.value);
    }
    *ret_schema = schema;
    return name;
}

static struct sql_expr *no_function(struct sql_binder *b, slice name, struct sql_expr **arguments,
                                    unsigned count, int location, bool ambiguous) {
    char types[200];
    (void)bind_error(b, location, ambiguous ? "42725" : "42883",
                     ambiguous ? "function %.*s(%s) is not unique"
                               : "function %.*s(%s) does not exist",
                     slice_fmt(name), bind_types_text(b, arguments, count, types, sizeof types));
    sql_error_hint(b->error,
                   ambiguous ? "Could not choose a best candidate function. You might need to add "
                               "explicit type casts."
                             : "No function matches the given name and argument types. You might "
                               "need to add explicit type casts.");
    return NULL;
}

/* f(x) where f names a type: a cast. NULL without an error: it is none. */
static struct sql_expr *cast_call(struct sql_binder *b, slice name, struct sql_expr *argument,
                                  int location) {
    const struct sql_type_info *type = sql_type_named(name);
    if (!type || !bind_can_coerce(b, argument->type.oid, type->oid, SQL_CAST_EXPLICIT))
        return NULL;
    return bind_coerce(b, argument, sql_type_of(type->oid), SQL_CAST_EXPLICIT, location);
}

int bind_find_call(struct sql_binder *b, slice schema, slice name, struct sql_expr **arguments,
                   unsigned count, int location, struct bind_candidate *ret,
                   struct sql_type *ret_type) {
    uint32_t types[SQL_CALL_ARGUMENTS_MAX];
    if (count > SQL_CALL_ARGUMENTS_MAX)
        return bind_error(b, location, "54023", "cannot pass more than %u arguments to a function",
                          SQL_CALL_ARGUMENTS_MAX);
    for (unsigned i = 0; i < count; i++)
        types[i] = arguments[i]->type.oid;
    enum bind_resolution r = bind_resolve(b, schema, name, false, types, count, ret);
    if (r != BIND_FOUND) {
        (void)no_function(b, name, arguments, count, location, r == BIND_AMBIGUOUS);
        return -EINVAL;
    }
    return bind_arguments(b, ret, arguments, count, location, ret_type);
}

static struct sql_expr *make_call(struct sql_binder *b, const struct bind_candidate *c,
                                  struct sql_expr **arguments, unsigned count, struct sql_type type,
                                  int location) {
    if (c->user)
        return bind_inline_call(b, c->user, arguments, location);
    struct sql_expr *e = bind_expr(b, SQL_EXPR_CALL, type, location, count);
    if (!e)
        return NULL;
    e->function = c->function;
    if (count)
        bind_move(e->arguments, arguments, count * sizeof *arguments);
    return bind_fold(b, e);
}

struct sql_expr *bind_function(struct sql_binder *b, slice name, struct sql_expr **arguments,
                               unsigned count, int location) {
    struct bind_candidate found = {0};
    struct sql_type type;
    if (bind_find_call(b, (slice){NULL, 0}, name, arguments, count, location, &found, &type) < 0)
        return NULL;
    if (!found.function && !found.user)
        return bind_null(b, location, "42809", "%.*s is not a plain function", slice_fmt(name));
    return make_call(b, &found, arguments, count, type, location);
}

static bool is_aggregate_name(slice name) {
    unsigned cursor = 0;
    return sql_aggregate_next(name, &cursor) != NULL;
}

/* f(VARIADIC ARRAY[x, y]) is f(x, y): the array must be written out, so that it is known here how
   many there are. */
static int spread(struct sql_binder *b, struct sql_expr ***arguments, unsigned *count,
                  int location) {
    struct sql_expr *last = (*arguments)[*count - 1];
    uint32_t element = sql_element_of(last->type.oid);
    bool constant = element && last->kind == SQL_EXPR_CONST && !last->null;
    unsigned elements = constant                       ? last->cell.array->count
                        : last->kind == SQL_EXPR_ARRAY ? last->count
                                                       : 0;
    if (elements == 0)
        return bind_error(b, location, "0A000",
                          "VARIADIC is supported for arrays that are written out, such as "
                          "VARIADIC ARRAY[1, 2]");
    unsigned before = *count - 1;
    if (before + elements > SQL_CALL_ARGUMENTS_MAX)
        return bind_error(b, location, "54023", "cannot pass more than %u arguments to a function",
                          SQL_CALL_ARGUMENTS_MAX);
    struct sql_expr **all = bind_alloc(b, before + elements, sizeof *all);
    if (!all)
        return -ENOMEM;
    for (unsigned i = 0; i < before + elements; i++) {
        if (i < before || !constant) {
            all[i] = i < before ? (*arguments)[i] : last->arguments[i - before];
            continue;
        }
        const struct sql_array *array = last->cell.array;
        all[i] = bind_null_constant(b, sql_type_of(element), location);
        if (!all[i])
            return -ENOMEM;
        all[i]->null = array->nulls && array->nulls[i - before];
        if (!all[i]->null)
            all[i]->cell = array->cells[i - before];
    }
    *arguments = all;
    *count = before + elements;
    return 0;
}

int bind_call_arguments(struct sql_binder *b, struct bind_scope *s, json_value inside,
                        struct sql_expr ***ret, unsigned *ret_count) {
    json_value list = sql_field(inside, "args");
    struct sql_expr **arguments = bind_alloc(b, json_count(list) + 1, sizeof *arguments);
    if (!arguments)
        return -ENOMEM;
    if (bind_has_names(list)) {
        slice schema, name = bind_call_name(inside, &schema);
        return bind_named_arguments(b, s, name, list, sql_location(inside), ret, ret_count);
    }
    unsigned count = 0;
    struct json_iterator i = json_each(list);
    while (json_next(&i))
        if (!(arguments[count++] = bind_expression(b, s, i.value)))
            return -EINVAL;
    int result = 0;
    if (sql_field_bool(inside, "func_variadic"))
        result = spread(b, &arguments, &count, sql_location(inside));
    *ret = arguments;
    *ret_count = count;
    return result;
}

int bind_sort_list(struct sql_binder *b, struct bind_scope *s, json_value list,
                   struct sql_expr ***ret, struct sql_sort_key **ret_how, unsigned *ret_count) {
    unsigned count = json_count(list), at = 0;
    *ret_count = 0;
    if (count == 0)
        return 0;
    struct sql_expr **e = bind_alloc(b, count, sizeof *e);
    struct sql_sort_key *how = bind_alloc(b, count, sizeof *how);
    if (!e || !how)
        return -ENOMEM;
    struct json_iterator i = json_each(list);
    while (json_next(&i)) {
        json_value sort;
        (void)sql_node_is(i.value, "SortBy", &sort);
        if (bind_sort_how(b, sort, &how[at]) < 0 ||
            !(e[at++] = bind_known(b, bind_expression(b, s, sql_field(sort, "node")))))
            return -EINVAL;
    }
    *ret = e;
    *ret_how = how;
    *ret_count = count;
    return 0;
}

int bind_sort_how(struct sql_binder *b, json_value sort, struct sql_sort_key *ret) {
    slice direction = sql_field_text(sort, "sortby_dir"),
          nulls = sql_field_text(sort, "sortby_nulls");
    struct json_iterator i = json_each(sql_field(sort, "useOp"));
    slice op = {NULL, 0};
    while (json_next(&i))
        op = sql_string(i.value);
    bool by_operator = slice_equal(direction, slice_lit("SORTBY_USING"));
    if (by_operator && !slice_equal(op, slice_lit("<")) && !slice_equal(op, slice_lit(">")))
        return bind_error(b, sql_location(sort), "42809",
                          "operator %.*s is not a valid ordering "
                          "operator",
                          slice_fmt(op));
    ret->descending = by_operator ? slice_equal(op, slice_lit(">"))
                                  : slice_equal(direction, slice_lit("SORTBY_DESC"));
    ret->nulls_first = slice_equal(nulls, slice_lit("SORTBY_NULLS_FIRST")) ||
                       (slice_equal(nulls, slice_lit("SORTBY_NULLS_DEFAULT")) && ret->descending);
    return 0;
}

/* May an aggregate stand here? */
static int check_aggregate(struct sql_binder *b, const struct bind_scope *s, int location) {
    if (s->in_aggregate)
        return bind_error(b, location, "42803", "aggregate function calls cannot be nested");
    if (!(s->allow & BIND_ALLOW_AGGREGATE))
        return bind_error(b, location, "42803", "aggregate functions are not allowed in %s",
                          s->clause ? s->clause : "this context");
    return 0;
}

static int bind_filter(struct sql_binder *b, struct bind_scope *s, json_value inside,
                       struct sql_expr **ret) {
    json_value node = sql_field(inside, "agg_filter");
    *ret = NULL;
    if (json_type_of(node) == JSON_ABSENT)
        return 0;
    return (*ret = bind_condition(b, s, node, "FILTER")) ? 0 : -EINVAL;
}

/* Arguments, FILTER and ORDER BY of an aggregate, bound with aggregates and windows forbidden. */
static int aggregate_parts(struct sql_binder *b, struct bind_scope *s, json_value inside,
                           struct sql_plan_aggregate *a) {
    bool in_window = s->in_window;
    unsigned allow = s->allow;
    const char *clause = s->clause;
    s->in_aggregate = true;
    s->allow = 0;
    s->clause = "aggregate function calls";
    int result = bind_call_arguments(b, s, inside, &a->arguments, &a->count);
    if (result == 0)
        result = bind_sort_list(b, s, sql_field(inside, "agg_order"), &a->order, &a->order_how,
                                &a->order_count);
    if (result == 0)
        result = bind_filter(b, s, inside, &a->filter);
    s->in_aggregate = false;
    s->in_window = in_window;
    s->allow = allow;
    s->clause = clause;
    a->distinct = sql_field_bool(inside, "agg_distinct");
    return result;
}

static int check_distinct(struct sql_binder *b, const struct sql_plan_aggregate *a, int location) {
    if (!a->distinct)
        return 0;
    if (a->count == 0)
        return bind_error(b, location, "42601", "DISTINCT specified, but there is no argument");
    for (unsigned i = 0; i < a->order_count; i++) {
        bool found = false;
        for (unsigned k = 0; k < a->count; k++)
            found |= sql_expr_equal(a->order[i], a->arguments[k]);
        if (!found)
            return bind_error(b, a->order[i]->location, "42P10",
                              "in an aggregate with DISTINCT, ORDER BY expressions must appear in "
                              "argument list");
    }
    return 0;
}

/* WITHIN GROUP's values are arguments behind the direct ones when the function is looked for. */
static int resolve_aggregate(struct sql_binder *b, slice schema, slice name, json_value inside,
                             struct sql_plan_aggregate *a) {
    bool within = sql_field_bool(inside, "agg_within_group");
    int location = sql_location(inside);
    unsigned direct = a->count, count = direct + (within ? a->order_count : 0);
    struct sql_expr **all = bind_alloc(b, count + 1, sizeof *all);
    if (!all)
        return -ENOMEM;
    if (direct)
        bind_move(all, a->arguments, direct * sizeof *all);
    if (count > direct)
        bind_move(all + direct, a->order, (count - direct) * sizeof *all);
    struct bind_candidate found = {0};
    int result = bind_find_call(b, schema, name, all, count, location, &found, &a->type);
    if (result < 0)
        return result;
    a->aggregate = found.aggregate;
    if (!a->aggregate)
        return bind_error(b, location, "42809", "%.*s is not an aggregate function",
                          slice_fmt(name));
    if (a->aggregate->ordered_set && !within)
        return bind_error(b, location, "42809",
                          "WITHIN GROUP is required for ordered-set aggregate %.*s",
                          slice_fmt(name));
    if (!a->aggregate->ordered_set && within)
        return bind_error(b, location, "42809",
                          "%.*s is not an ordered-set aggregate, so it cannot have WITHIN GROUP",
                          slice_fmt(name));
    a->arguments = all;
    a->count = count;
    if (within)
        bind_move(a->order, all + direct, (count - direct) * sizeof *all);
    return check_distinct(b, a, location);
}

/* json_agg(t): a record's names would not outlive its encoding in a state, so the aggregate is
   given the JSON of it. What puts each row on a line of its own then is json_agg_rows. */
static int rows_to_json(struct sql_binder *b, slice *name, struct sql_plan_aggregate *a) {
    if (!slice_starts_with(*name, slice_lit("json")))
        return 0;
    for (unsigned i = 0; i < a->count; i++) {
        struct sql_expr *row = a->arguments[i];
        if (row->kind != SQL_EXPR_ROW || !row->names)
            continue;
        a->arguments[i] = bind_function(b, slice_lit("row_to_json"), &row, 1, row->location);
        if (!a->arguments[i])
            return -EINVAL;
        if (slice_equal(*name, slice_lit("json_agg")))
            *name = slice_lit("json_agg_rows");
    }
    return 0;
}

/* An aggregate's arguments, FILTER, ORDER BY; the caller has seen that it may stand there. */
static int call_aggregate(struct sql_binder *b, struct bind_scope *s, slice schema, slice name,
                          json_value inside, struct sql_plan_aggregate *ret) {
    int location = sql_location(inside);
    int result = aggregate_parts(b, s, inside, ret);
    if (result == 0 && ret->count == 0 && !sql_field_bool(inside, "agg_star") &&
        slice_equal(name, slice_lit("count")))
        return bind_error(b, location, "42809",
                          "count(*) must be used to call a parameterless aggregate function");
    result = result ? result : rows_to_json(b, &name, ret);
    return result == 0 ? resolve_aggregate(b, schema, name, inside, ret) : result;
}

enum { READS_OWN = 1, READS_OUTER = 2 };

static int note_reading(struct sql_expr *e, void *self) {
    unsigned *reads = self;
    *reads |= e->kind == SQL_EXPR_COLUMN ? READS_OWN : e->kind == SQL_EXPR_OUTER ? READS_OUTER : 0;
    return 0;
}

/* One that reads columns of a query around it and none of its own is an aggregate of that query. */
static int refuse_outer(struct sql_binder *b, const struct sql_plan_aggregate *a, int location) {
    unsigned reads = 0;
    for (unsigned i = 0; i < a->count; i++)
        (void)sql_expr_walk(a->arguments[i], note_reading, &reads);
    for (unsigned i = 0; i < a->order_count; i++)
        (void)sql_expr_walk(a->order[i], note_reading, &reads);
    if (a->filter)
        (void)sql_expr_walk(a->filter, note_reading, &reads);
    return reads != READS_OUTER
               ? 0
               : bind_error(b, location, "0A000",
                            "an aggregate over columns of a query around its own is not "
                            "supported: write it there");
}

static struct sql_expr *aggregate_call(struct sql_binder *b, struct bind_scope *s, slice schema,
                                       slice name, json_value inside) {
    struct bind_pending entry = {.kind = BIND_AGGREGATE, .location = sql_location(inside)};
    if (check_aggregate(b, s, entry.location) < 0 ||
        call_aggregate(b, s, schema, name, inside, &entry.aggregate) < 0 ||
        refuse_outer(b, &entry.aggregate, entry.location) < 0)
        return NULL;
    entry.type = entry.aggregate.type;
    return bind_defer(b, s, &entry);
}

static struct sql_expr *set_call(struct sql_binder *b, struct bind_scope *s,
                                 const struct sql_function *f, struct sql_expr **arguments,
                                 unsigned count, struct sql_type type, int location) {
    if (s->in_aggregate)
        return bind_null(b, location, "0A000",
                         "aggregate function calls cannot contain set-returning function calls");
    if (!(s->allow & BIND_ALLOW_SET))
        return bind_null(b, location, "0A000", "set-returning functions are not allowed in %s",
                         s->clause ? s->clause : "this context");
    if (f->columns && f->columns[0] && f->columns[1])
        return bind_null(b, location, "0A000",
                         "%s() gives several columns: call it in FROM, not in the SELECT list",
                         f->name);
    struct bind_pending entry = {
        .kind = BIND_SET,
        .location = location,
        .type = type,
        .set = {.function = f, .count = count, .arguments = arguments, .columns = 1}};
    return bind_defer(b, s, &entry);
}

static struct sql_expr *plain_call(struct sql_binder *b, struct bind_scope *s, slice schema,
                                   slice name, json_value inside) {
    struct sql_expr **arguments;
    unsigned count;
    int location = sql_location(inside);
    if (bind_call_arguments(b, s, inside, &arguments, &count) < 0)
        return NULL;
    struct sql_error kept = *b->error;
    struct bind_candidate found = {0};
    struct sql_type type;
    if (bind_find_call(b, schema, name, arguments, count, location, &found, &type) < 0) {
        struct sql_error why = *b->error;
        *b->error = kept;
        struct sql_expr *cast = count == 1 ? cast_call(b, name, arguments[0], location) : NULL;
        if (!cast && !b->error->state[0])
            *b->error = why;
        return cast;
    }
    if (found.window)
        return bind_null(b, location, "42809", "window function %.*s requires an OVER clause",
                         slice_fmt(name));
    if (json_count(sql_field(inside, "agg_order")) || sql_field_bool(inside, "agg_distinct") ||
        json_type_of(sql_field(inside, "agg_filter")) != JSON_ABSENT)
        return bind_null(b, location, "42809",
                         "DISTINCT, ORDER BY or FILTER specified, but %.*s is not an aggregate "
                         "function",
                         slice_fmt(name));
    if (found.function && found.function->set)
        return set_call(b, s, found.function, arguments, count, type, location);
    return make_call(b, &found, arguments, count, type, location);
}

struct sql_expr *bind_call(struct sql_binder *b, struct bind_scope *s, json_value inside) {
    slice schema, name = bind_call_name(inside, &schema);
    if (json_type_of(sql_field(inside, "over")) != JSON_ABSENT)
        return bind_window_call(b, s, inside);
    if (is_aggregate_name(name))
        return aggregate_call(b, s, schema, name, inside);
    if (sql_field_bool(inside, "agg_star"))
        return bind_null(b, sql_location(inside), "42809",
                         "%.*s(*) specified, but %.*s is not an aggregate function",
                         slice_fmt(name), slice_fmt(name));
    return plain_call(b, s, schema, name, inside);
}
