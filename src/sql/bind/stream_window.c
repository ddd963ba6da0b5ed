/*
 * stream_window.c - functions under FROM that take a table: tumble, hop and session give each row
 * its windows, as_of_now says that a join looks a table up as it is when a row arrives.
 *
 *   tumble(t, time, size [, offset])      hop(t, time, slide, size [, offset])
 *   session(t, time, key, gap)            as_of_now(t)
 */
#include "sql/bind/call.h"
#include "sql/bind/from.h"
#include "sql/bind/move.h"
#include "sql/time/windows.h"

#include <errno.h>

#define DAY_US INT64_C(86400000000)

/* An interval's microseconds; months have none. */
static int read_interval(struct sql_binder *b, struct bind_scope *s, json_value node,
                         const char *what, int64_t least, int64_t *ret) {
    struct sql_expr *e = bind_expression(b, s, node);
    int location = e ? e->location : -1;
    e = bind_coerce(b, e, sql_type_of(SQL_INTERVAL), SQL_CAST_ASSIGNMENT, location);
    if (!e)
        return -EINVAL;
    if (e->kind != SQL_EXPR_CONST || e->null)
        return bind_error(b, location, "0A000", "the %s of a window must be a constant interval",
                          what);
    if (e->cell.interval.months)
        return bind_error(b, location, "22023",
                          "the %s of a window cannot have months, which differ in length", what);
    int64_t days;
    if (__builtin_mul_overflow((int64_t)e->cell.interval.days, DAY_US, &days) ||
        __builtin_add_overflow(days, e->cell.interval.microseconds, ret))
        return bind_error(b, location, "22008", "interval out of range");
    if (*ret < least)
        return bind_error(b, location, "22023", "the %s of a window must be positive", what);
    return 0;
}

/* The table that the first argument names. */
static int table_argument(struct sql_binder *b, struct bind_place place, json_value call,
                          const char *name, bool as_of_now, struct bind_from *ret) {
    json_value reference, first = json_element(sql_field(call, "args"), 0);
    if (!sql_node_is(first, "ColumnRef", &reference))
        return bind_error(b, sql_location(call), "42809",
                          "the first argument of %s() must be the name of a table", name);
    slice schema = {NULL, 0}, table = {NULL, 0};
    struct json_iterator i = json_each(sql_field(reference, "fields"));
    while (json_next(&i)) {
        schema = table;
        table = sql_string(i.value);
    }
    return bind_named_relation(b, place, schema, table, sql_location(reference), as_of_now, ret);
}

/* The column that E is, put behind the plan's own where it is computed. */
static int as_column(struct sql_binder *b, struct sql_expr *e, struct bind_from *from,
                     unsigned *ret) {
    if (e->kind == SQL_EXPR_COLUMN) {
        *ret = e->index;
        return 0;
    }
    struct sql_expr **one = bind_alloc(b, 1, sizeof *one);
    if (!one)
        return -ENOMEM;
    one[0] = e;
    *ret = from->plan->columns;
    from->plan = bind_plan_extend(b, from->plan, one, 1);
    return from->plan ? 0 : -ENOMEM;
}

static int time_argument(struct sql_binder *b, struct bind_scope *s, json_value node,
                         unsigned *ret_column, struct sql_type *ret_type) {
    struct sql_expr *e = bind_expression(b, s, node);
    if (!e)
        return -EINVAL;
    if (e->type.oid != SQL_TIMESTAMP && e->type.oid != SQL_TIMESTAMPTZ) {
        char text[BIND_TYPE_TEXT];
        return bind_error(b, e->location, "42804", "a window's time must be a timestamp, not %s",
                          bind_type_text(b, e->type, text, sizeof text));
    }
    *ret_type = sql_type_of(e->type.oid);
    return as_column(b, e, &s->from, ret_column);
}

static int session_keys(struct sql_binder *b, struct bind_scope *s, json_value node,
                        struct sql_plan *spec) {
    struct sql_expr *e = bind_expression(b, s, node);
    if (!e)
        return -EINVAL;
    unsigned count = e->kind == SQL_EXPR_ROW ? e->count : 1;
    if (!(spec->partition = bind_alloc(b, count + 1, sizeof *spec->partition)))
        return -ENOMEM;
    for (unsigned i = 0; i < count; i++) {
        struct sql_expr *key = e->kind == SQL_EXPR_ROW ? e->arguments[i] : bind_known(b, e);
        int result = key ? as_column(b, key, &s->from, &spec->partition[i]) : -EINVAL;
        if (result < 0)
            return result;
    }
    spec->partitions = count;
    return 0;
}

static int window_arguments(struct sql_binder *b, struct bind_scope *s, json_value args, slice name,
                            int location, struct sql_plan *spec) {
    bool hop = slice_equal(name, slice_lit("hop")),
         session = slice_equal(name, slice_lit("session"));
    unsigned count = json_count(args), least = hop || session ? 4 : 3;
    if (count < least || count > least + !session)
        return bind_error(b, location, "42883", "function %.*s takes %s", slice_fmt(name),
                          session ? "a table, its time, a key and a gap"
                          : hop   ? "a table, its time, slide, size [, offset]"
                                  : "a table, its time, size [, offset]");
    if (session) {
        int result = session_keys(b, s, json_element(args, 2), spec);
        return result < 0 ? result
                          : read_interval(b, s, json_element(args, 3), "gap", 1, &spec->gap);
    }
    int result = 0;
    if (hop)
        result = read_interval(b, s, json_element(args, 2), "slide", 1, &spec->slide);
    if (result == 0)
        result = read_interval(b, s, json_element(args, least - 1), "size", 1, &spec->size);
    if (!hop)
        spec->slide = spec->size;
    if (result == 0 && count > least)
        result =
            read_interval(b, s, json_element(args, least), "offset", INT64_MIN, &spec->offset_time);
    if (result == 0 && spec->size / spec->slide > SQL_WINDOWS_MAX)
        return bind_error(b, location, "54000", "a row would be in more than %d windows",
                          SQL_WINDOWS_MAX);
    return result;
}

static struct sql_plan *window_node(struct sql_binder *b, const struct sql_plan *spec,
                                    struct sql_plan *input, bool session, struct sql_type type) {
    struct sql_plan *p =
        bind_plan(b, session ? SQL_PLAN_SESSION : SQL_PLAN_TUMBLE, 1, input->columns + 2);
    if (!p)
        return NULL;
    p->input[0] = input;
    bind_move(p->column, input->column, input->columns * sizeof *p->column);
    p->column[input->columns] = (struct sql_plan_column){slice_lit("window_start"), type};
    p->column[input->columns + 1] = (struct sql_plan_column){slice_lit("window_end"), type};
    p->time_column = spec->time_column;
    p->size = spec->size;
    p->slide = spec->slide;
    p->offset_time = spec->offset_time;
    p->gap = spec->gap;
    p->partitions = spec->partitions;
    p->partition = spec->partition;
    return p;
}

/* The table's names, then window_start and window_end. */
static int add_window_names(struct sql_binder *b, struct bind_from *from) {
    struct bind_relation *r = from->relation[0];
    struct bind_name *names = bind_alloc(b, from->names + 2, sizeof *names);
    struct bind_name *own = bind_alloc(b, from->names + 2, sizeof *own);
    if (!names || !own)
        return -ENOMEM;
    bind_move(names, from->name, from->names * sizeof *names);
    for (unsigned i = 0; i < 2; i++)
        names[from->names + i] = (struct bind_name){
            i ? slice_lit("window_end") : slice_lit("window_start"), from->plan->columns - 2 + i};
    from->names += 2;
    bind_move(own, names, from->names * sizeof *own);
    from->name = names;
    r->name_list = own;
    r->names = from->names;
    r->table = NULL;
    return 0;
}

int bind_stream_function(struct sql_binder *b, struct bind_place place, json_value call,
                         struct bind_from *ret) {
    slice schema, name = bind_call_name(call, &schema);
    json_value args = sql_field(call, "args");
    if (slice_equal(name, slice_lit("as_of_now")) && json_count(args) == 1)
        return table_argument(b, place, call, "as_of_now", true, ret);
    bool session = slice_equal(name, slice_lit("session"));
    if (!session && !slice_equal(name, slice_lit("tumble")) && !slice_equal(name, slice_lit("hop")))
        return -ENOENT;
    if (json_count(args) < 2)
        return -ENOENT;
    struct bind_scope s = {
        .outer = place.outer, .boundary = place.boundary, .clause = "a window's arguments"};
    struct sql_plan spec = {0};
    struct sql_type type = sql_type_of(SQL_TIMESTAMP);
    char word[16];
    if (slice_to_string(name, word, sizeof word) < 0)
        return -ENOENT;
    int result = table_argument(b, place, call, word, false, &s.from);
    if (result == 0)
        result = time_argument(b, &s, json_element(args, 1), &spec.time_column, &type);
    if (result == 0)
        result = window_arguments(b, &s, args, name, sql_location(call), &spec);
    if (result < 0)
        return result;
    s.from.plan = window_node(b, &spec, s.from.plan, session, type);
    if (!s.from.plan || (result = add_window_names(b, &s.from)) < 0)
        return -ENOMEM;
    s.from.relation[0]->name = name;
    s.from.relation[0]->schema = (slice){NULL, 0};
    *ret = s.from;
    return 0;
}
