/*
 * table_function.c - functions under FROM: generate_series(…), unnest(…), ROWS FROM (…),
 * WITH ORDINALITY.
 *
 * They are one SET node over a single row, and may look at the items left of them. A function that
 * gives one value stands for one row of it.
 */
#include "sql/bind/call.h"
#include "sql/bind/from.h"
#include "sql/bind/move.h"

#include <errno.h>

#define SET_FUNCTIONS_MAX 64u

struct functions {
    unsigned count, columns;
    struct sql_plan_set set[SET_FUNCTIONS_MAX];
    struct sql_type type[SET_FUNCTIONS_MAX]; /* of a set of one column */
    slice name[SET_FUNCTIONS_MAX];
};

/* An expression as a set of one row. */
static int add_value(struct sql_binder *b, struct functions *all, struct sql_expr *e, slice name) {
    struct sql_plan_set *set = &all->set[all->count];
    if (!(set->arguments = bind_alloc(b, 1, sizeof *set->arguments)))
        return -ENOMEM;
    set->arguments[0] = e;
    set->count = set->columns = 1;
    all->type[all->count] = e->type;
    all->name[all->count++] = name;
    all->columns++;
    return 0;
}

static int add_set(struct sql_binder *b, struct functions *all, slice schema, slice name,
                   struct sql_expr **arguments, unsigned count, int location) {
    struct bind_candidate found = {0};
    struct sql_type type;
    int result = bind_find_call(b, schema, name, arguments, count, location, &found, &type);
    if (result < 0)
        return result;
    if (!found.function || !found.function->set)
        return -ENOENT;
    unsigned columns = 0;
    while (found.function->columns && found.function->columns[columns])
        columns++;
    all->set[all->count] =
        (struct sql_plan_set){found.function, count, arguments, columns ? columns : 1};
    all->type[all->count] = type;
    all->name[all->count++] = name;
    all->columns += columns ? columns : 1;
    return 0;
}

/* unnest(a, b) is ROWS FROM (unnest(a), unnest(b)). */
static int add_unnests(struct sql_binder *b, struct functions *all, struct sql_expr **arguments,
                       unsigned count, int location) {
    for (unsigned i = 0; i < count; i++) {
        if (all->count == SET_FUNCTIONS_MAX)
            return bind_error(b, location, "54023", "too many functions in ROWS FROM");
        int result =
            add_set(b, all, (slice){NULL, 0}, slice_lit("unnest"), arguments + i, 1, location);
        if (result < 0)
            return result;
    }
    return 0;
}

static bool any_set(slice name) {
    unsigned cursor = 0;
    const struct sql_function *f;
    while ((f = sql_function_next(name, &cursor)))
        if (f->set)
            return true;
    return false;
}

static int add_function(struct sql_binder *b, struct bind_scope *s, json_value node,
                        struct functions *all) {
    json_value call;
    bool is_call = sql_node_is(node, "FuncCall", &call);
    slice schema = {NULL, 0},
          name = is_call ? bind_call_name(call, &schema) : bind_figure_name(node);
    if (all->count == SET_FUNCTIONS_MAX)
        return bind_error(b, -1, "54023", "too many functions in ROWS FROM");
    if (!is_call || !any_set(name)) {
        struct sql_expr *e = bind_known(b, bind_expression(b, s, node));
        return e ? add_value(b, all, e, name) : -EINVAL;
    }
    struct sql_expr **arguments;
    unsigned count;
    int result = bind_call_arguments(b, s, call, &arguments, &count);
    if (result < 0)
        return result;
    int location = sql_location(call);
    if (slice_equal(name, slice_lit("unnest")) && count > 1)
        return add_unnests(b, all, arguments, count, location);
    return add_set(b, all, schema, name, arguments, count, location);
}

static void name_columns(struct sql_plan *p, const struct functions *all, unsigned at) {
    for (unsigned i = 0; i < all->count; i++) {
        const struct sql_function *f = all->set[i].function;
        for (unsigned c = 0; c < all->set[i].columns; c++, at++) {
            bool several = f && f->columns && f->columns[0];
            p->column[at].name = several ? slice_str(f->columns[c]) : all->name[i];
            p->column[at].type = several && f->column_types && f->column_types[c] != SQL_ANYELEMENT
                                     ? sql_type_of(f->column_types[c])
                                     : all->type[i];
        }
    }
}

static struct sql_plan *set_node(struct sql_binder *b, struct sql_plan *input,
                                 const struct functions *all, bool ordinality) {
    struct sql_plan *p =
        input ? bind_plan(b, SQL_PLAN_SET, 1, input->columns + all->columns + ordinality) : NULL;
    if (!p || !(p->set = bind_alloc(b, all->count, sizeof *p->set)))
        return NULL;
    p->input[0] = input;
    bind_move(p->column, input->column, input->columns * sizeof *p->column);
    bind_move(p->set, all->set, all->count * sizeof *p->set);
    p->sets = all->count;
    p->ordinality = ordinality;
    name_columns(p, all, input->columns);
    if (ordinality)
        p->column[p->columns - 1] =
            (struct sql_plan_column){slice_lit("ordinality"), sql_type_of(SQL_INT8)};
    return p;
}

/* The alias also names the column, where the one function gives one. */
static int name_relation(struct sql_binder *b, const struct functions *all, json_value alias,
                         bool single, struct bind_from *ret) {
    struct bind_relation *r = ret->relation[0];
    r->scalar = single && r->names == 1;
    slice name = sql_field_text(alias, "aliasname");
    const struct sql_function *f = all->set[0].function;
    if (single && name.len && !(f && f->columns && f->columns[0]))
        r->name_list[0].name = ret->name[0].name = name;
    return bind_alias(b, alias, ret);
}

int bind_range_function(struct sql_binder *b, struct bind_place place, json_value inside,
                        struct bind_from *ret) {
    json_value list, call, alias = sql_field(inside, "alias");
    struct json_iterator i = json_each(sql_field(inside, "functions"));
    if (json_count(sql_field(inside, "coldeflist")))
        return bind_error(b, -1, "0A000", "column definition lists are not supported");
    struct bind_scope s = {
        .outer = place.outer, .boundary = place.boundary, .clause = "functions in FROM"};
    s.from.plan = bind_plan_nothing(b);
    struct functions *all = bind_alloc(b, 1, sizeof *all);
    if (!s.from.plan || !all)
        return -ENOMEM;
    while (json_next(&i)) {
        (void)sql_node_is(i.value, "List", &list);
        json_value items = sql_field(list, "items"), node = json_element(items, 0);
        if (sql_node_is(json_element(items, 1), "List", NULL))
            return bind_error(b, -1, "0A000", "column definition lists are not supported");
        if (all->count == 0 && sql_node_is(node, "FuncCall", &call)) {
            int known = bind_stream_function(b, place, call, ret);
            if (known != -ENOENT)
                return known < 0 ? known : bind_alias(b, alias, ret);
        }
        int result = add_function(b, &s, node, all);
        if (result < 0)
            return result;
    }
    bool single = all->count == 1;
    struct sql_plan *set = set_node(b, s.from.plan, all, sql_field_bool(inside, "ordinality"));
    unsigned hidden = s.from.plan->columns;
    int result = bind_one_relation(b, set, all->name[0], ret);
    if (result == 0 && hidden) { /* subqueries among the arguments */
        ret->names -= hidden;
        ret->name += hidden;
        ret->relation[0]->names -= hidden;
        ret->relation[0]->name_list += hidden;
    }
    return result == 0 ? name_relation(b, all, alias, single, ret) : result;
}
