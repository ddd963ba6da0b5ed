/*
 * join.c - JOIN … ON, USING, NATURAL, CROSS.
 *
 * USING's columns stand once in `*` and are found once by their bare name: as left's, of a RIGHT
 * JOIN as right's, of a FULL JOIN as whichever is there.
 */
#include "sql/bind/from.h"
#include "sql/bind/move.h"

#include <errno.h>

static enum sql_join_kind join_kind(slice name) {
    return slice_equal(name, slice_lit("JOIN_LEFT"))    ? SQL_JOIN_LEFT
           : slice_equal(name, slice_lit("JOIN_RIGHT")) ? SQL_JOIN_RIGHT
           : slice_equal(name, slice_lit("JOIN_FULL"))  ? SQL_JOIN_FULL
                                                        : SQL_JOIN_INNER;
}

/* Which name of FROM is NAME; SIDE for the errors. */
static int using_column(struct sql_binder *b, const struct bind_name *list, unsigned count,
                        slice name, const char *side, unsigned *ret) {
    bool found = false;
    for (unsigned i = 0; i < count; i++) {
        if (!slice_equal(list[i].name, name))
            continue;
        if (found)
            return bind_error(b, -1, "42702",
                              "common column name \"%.*s\" appears more than once in %s table",
                              slice_fmt(name), side);
        found = true;
        *ret = i;
    }
    if (!found)
        return bind_error(b, -1, "42703",
                          "column \"%.*s\" specified in USING clause does not exist in %s table",
                          slice_fmt(name), side);
    return 0;
}

/* USING's names, or of NATURAL those both sides have. */
static int using_names(struct sql_binder *b, json_value inside, const struct bind_from *both,
                       unsigned left_names, slice **ret, unsigned *ret_count) {
    json_value list = sql_field(inside, "usingClause");
    bool natural = sql_field_bool(inside, "isNatural");
    slice *names = bind_alloc(b, json_count(list) + left_names + 1, sizeof *names);
    if (!names)
        return -ENOMEM;
    unsigned count = 0;
    struct json_iterator i = json_each(list);
    while (json_next(&i))
        names[count++] = sql_string(i.value);
    for (unsigned l = 0; natural && l < left_names; l++)
        for (unsigned r = left_names; r < both->names; r++)
            if (slice_equal(both->name[l].name, both->name[r].name)) {
                names[count++] = both->name[l].name;
                break;
            }
    *ret = names;
    *ret_count = count;
    return 0;
}

/* The merged column of L and R: one of them, or COALESCE where the join is FULL. */
static struct sql_expr *merged(struct sql_binder *b, enum sql_join_kind join, struct sql_expr *l,
                               struct sql_expr *r) {
    struct sql_expr *sides[2] = {l, r};
    struct sql_type type;
    if (bind_common_type(b, sides, 2, "JOIN/USING", &type) < 0)
        return NULL;
    l = bind_coerce(b, l, type, SQL_CAST_IMPLICIT, -1);
    r = bind_coerce(b, r, type, SQL_CAST_IMPLICIT, -1);
    if (!l || !r)
        return NULL;
    if (join != SQL_JOIN_FULL)
        return join == SQL_JOIN_RIGHT ? r : l;
    struct sql_expr *e = bind_expr(b, SQL_EXPR_COALESCE, type, -1, 2);
    if (e) {
        e->arguments[0] = l;
        e->arguments[1] = r;
    }
    return e;
}

static int merge_columns(struct sql_binder *b, enum sql_join_kind join, const slice *using_list,
                         unsigned count, unsigned left_names, struct bind_from *both) {
    struct bind_name *names = bind_alloc(b, both->names + 1, sizeof *names);
    uint8_t *gone = bind_alloc(b, both->names + 1, 1);
    struct sql_expr **more = bind_alloc(b, count + 1, sizeof *more);
    struct sql_expr *predicate = NULL;
    unsigned extra = 0, at = 0;
    if (!names || !gone || !more)
        return -ENOMEM;
    for (unsigned i = 0; i < count; i++) {
        unsigned l = 0, r = 0;
        int result = using_column(b, both->name, left_names, using_list[i], "left", &l);
        if (result == 0)
            result = using_column(b, both->name + left_names, both->names - left_names,
                                  using_list[i], "right", &r);
        if (result < 0)
            return result;
        gone[l] = gone[r += left_names] = 1;
        unsigned columns[2] = {both->name[l].column, both->name[r].column};
        struct sql_expr *left = bind_column(b, columns[0], both->plan->column[columns[0]].type, -1);
        struct sql_expr *right =
            bind_column(b, columns[1], both->plan->column[columns[1]].type, -1);
        struct sql_expr *equal =
            left && right ? bind_operator(b, slice_lit("="), left, right, -1) : NULL;
        predicate = equal ? bind_both(b, SQL_EXPR_AND, predicate, equal) : NULL;
        struct sql_expr *one = predicate ? merged(b, join, left, right) : NULL;
        if (!one)
            return -EINVAL;
        names[at].name = using_list[i];
        names[at++].column =
            one->kind == SQL_EXPR_COLUMN ? one->index : both->plan->columns + extra;
        if (one->kind != SQL_EXPR_COLUMN)
            more[extra++] = one;
    }
    for (unsigned i = 0; i < both->names; i++)
        if (!gone[i])
            names[at++] = both->name[i];
    both->plan->predicate = predicate;
    both->plan = bind_plan_extend(b, both->plan, more, extra);
    for (unsigned i = 0; both->plan && i < count; i++)
        both->plan->column[names[i].column].name = names[i].name;
    both->name = names;
    both->names = at;
    return both->plan ? 0 : -ENOMEM;
}

/* ON is bound over both sides, and sees what the join itself may look out to. */
static int bind_on(struct sql_binder *b, struct bind_place place, json_value node,
                   struct bind_from *both) {
    struct bind_scope s = {.outer = place.outer,
                           .boundary = place.boundary,
                           .from = *both,
                           .clause = "JOIN conditions"};
    struct sql_plan *join = both->plan;
    struct sql_expr *e = bind_condition(b, &s, node, "JOIN/ON");
    if (!e)
        return -EINVAL;
    if (s.from.plan == join) {
        join->predicate = e;
        return 0;
    }
    if (join->join != SQL_JOIN_INNER)
        return bind_error(b, e->location, "0A000",
                          "subqueries in the ON of a RIGHT or FULL JOIN are not supported");
    both->plan = bind_plan_filter(b, s.from.plan, e);
    return both->plan ? 0 : -ENOMEM;
}

/* (a JOIN b …) AS j hides a and b behind j. */
static int rename_join(struct sql_binder *b, json_value alias, struct bind_from *both) {
    if (json_type_of(alias) == JSON_ABSENT)
        return 0;
    struct bind_relation *r = bind_alloc(b, 1, sizeof *r);
    if (!r || !(r->name_list = bind_alloc(b, both->names + 1, sizeof *r->name_list)))
        return -ENOMEM;
    r->names = both->names;
    bind_move(r->name_list, both->name, both->names * sizeof *both->name);
    both->relation[0] = r;
    both->relations = 1;
    return bind_alias(b, alias, both);
}

static bool has_query(json_value node) {
    if (json_type_of(node) == JSON_STRING)
        return false;
    if (slice_equal(sql_node_name(node), slice_lit("SubLink")))
        return true;
    struct json_iterator i = json_each(node);
    while (json_next(&i))
        if (has_query(i.value))
            return true;
    return false;
}

/* ON of a LEFT JOIN, with subqueries: the rows of RIGHT that it holds for, as LATERAL sees LEFT. */
static int filter_right(struct sql_binder *b, struct bind_scope *left, json_value on,
                        struct bind_from *right) {
    struct bind_scope s = {
        .outer = left, .boundary = true, .from = *right, .clause = "JOIN conditions"};
    int result = bind_where(b, &s, on, "JOIN/ON");
    if (result < 0)
        return result;
    right->plan = bind_plan_first(b, s.from.plan, right->plan->columns);
    return right->plan ? 0 : -ENOMEM;
}

int bind_join(struct sql_binder *b, struct bind_place place, json_value inside,
              struct bind_from *ret) {
    struct bind_scope *left = bind_alloc(b, 1, sizeof *left);
    if (!left)
        return -ENOMEM;
    *left = (struct bind_scope){.outer = place.outer, .boundary = place.boundary};
    int result = bind_from_item(b, place, sql_field(inside, "larg"), &left->from);
    if (result < 0)
        return result;
    struct bind_from right, both;
    result = bind_from_item(b, (struct bind_place){left, true}, sql_field(inside, "rarg"), &right);
    enum sql_join_kind join = join_kind(sql_field_text(inside, "jointype"));
    json_value on = sql_field(inside, "quals");
    bool filtered = join == SQL_JOIN_LEFT && has_query(on);
    if (result == 0 && filtered)
        result = filter_right(b, left, on, &right);
    if (result < 0 || (result = bind_combine(b, join, &left->from, &right, -1, &both)) < 0)
        return result;
    slice *names;
    unsigned count;
    if (filtered)
        result = 0;
    else if (json_type_of(on) != JSON_ABSENT)
        result = bind_on(b, place, on, &both);
    else if ((result = using_names(b, inside, &both, left->from.names, &names, &count)) == 0 &&
             count)
        result = merge_columns(b, join, names, count, left->from.names, &both);
    if (result == 0)
        result = rename_join(b, sql_field(inside, "alias"), &both);
    *ret = both;
    return result;
}
