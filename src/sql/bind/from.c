/*
 * from.c - FROM: tables, views, subqueries, and items side by side.
 *
 * A view is bound where it is named, as the subquery it stands for: what is above may then be
 * pushed into it. Views cannot refer to themselves, for what they name existed before them.
 */
#include "sql/bind/from.h"
#include "sql/bind/tables.h"

#include <errno.h>

int bind_one_relation(struct sql_binder *b, struct sql_plan *plan, slice name,
                      struct bind_from *ret) {
    struct bind_relation *r = plan ? bind_alloc(b, 1, sizeof *r) : NULL;
    if (!r)
        return -EINVAL;
    struct bind_from from = {.plan = plan, .relations = 1, .names = plan->columns};
    from.relation = bind_alloc(b, 1, sizeof *from.relation);
    from.name = bind_alloc(b, plan->columns + 1, sizeof *from.name);
    r->name = name;
    r->names = plan->columns;
    r->name_list = bind_alloc(b, plan->columns + 1, sizeof *r->name_list);
    if (!from.relation || !from.name || !r->name_list)
        return -ENOMEM;
    from.relation[0] = r;
    for (unsigned i = 0; i < plan->columns; i++)
        r->name_list[i] = from.name[i] = (struct bind_name){plan->column[i].name, i};
    *ret = from;
    return 0;
}

int bind_alias(struct sql_binder *b, json_value alias, struct bind_from *from) {
    if (json_type_of(alias) == JSON_ABSENT)
        return 0;
    check(from->relations == 1);
    struct bind_relation *r = from->relation[0];
    r->name = sql_field_text(alias, "aliasname");
    r->schema = (slice){NULL, 0};
    json_value names = sql_field(alias, "colnames");
    if (json_count(names) > r->names)
        return bind_error(b, -1, "42P10",
                          "table \"%.*s\" has %u columns available but %u columns specified",
                          slice_fmt(r->name), r->names, json_count(names));
    struct json_iterator i = json_each(names);
    for (unsigned at = 0; json_next(&i); at++)
        r->name_list[at].name = from->name[at].name = sql_string(i.value);
    return 0;
}

static int view_relation(struct sql_binder *b, const struct sql_table *view,
                         struct bind_from *ret) {
    json_value node, select;
    int result = bind_enter(b);
    if (result < 0)
        return result;
    struct bind_text kept = bind_other(b);
    const struct bind_inline *inlining = b->inlining;
    b->inlining = NULL;
    struct sql_plan *plan = NULL;
    if (bind_parse_kept(b, view->definition, &node) == 0) {
        if (sql_node_is(node, "SelectStmt", &select))
            plan = bind_subquery(b, select, NULL, false);
        else
            (void)bind_error(b, -1, "42809", "view \"%.*s\" is not a query", slice_fmt(view->name));
    }
    bind_back(b, &kept);
    b->inlining = inlining;
    bind_leave(b);
    result = bind_one_relation(b, plan, view->name, ret);
    for (unsigned i = 0; result == 0 && i < view->columns && i < ret->names; i++)
        ret->name[i].name = ret->relation[0]->name_list[i].name = view->column[i].name;
    return result;
}

static int table_relation(struct sql_binder *b, const struct sql_table *table, bool as_of_now,
                          struct bind_from *ret) {
    struct sql_plan *scan = bind_plan_scan(b, table, false);
    if (scan)
        scan->as_of_now = as_of_now;
    return bind_one_relation(b, scan, table->name, ret);
}

int bind_named_relation(struct sql_binder *b, struct bind_place place, slice schema, slice name,
                        int location, bool as_of_now, struct bind_from *ret) {
    if (schema.len == 0) {
        int result = bind_cte_use(b, place, name, location, ret);
        if (result != -ENOENT)
            return result;
    }
    struct sql_table *table = bind_find_table(b, schema, name, location);
    if (!table)
        return -EINVAL;
    int result = table->kind == SQL_TABLE_VIEW ? view_relation(b, table, ret)
                                               : table_relation(b, table, as_of_now, ret);
    if (result == 0) {
        ret->relation[0]->table = table->kind == SQL_TABLE_VIEW ? NULL : table;
        ret->relation[0]->schema = table->schema;
    }
    return result;
}

/* FOR SYSTEM_TIME AS OF PROCTIME() stood behind the name? (spell.c took it out of the text.) */
static bool spelled_as_of(const struct sql_binder *b, int location) {
    for (unsigned i = 0; b->spelling && i < b->spelling->as_of_count; i++)
        if (b->spelling->as_of[i] == location)
            return true;
    return false;
}

static int range_var(struct sql_binder *b, struct bind_place place, json_value inside,
                     struct bind_from *ret) {
    int location = sql_location(inside);
    int result = bind_named_relation(b, place, sql_field_text(inside, "schemaname"),
                                     sql_field_text(inside, "relname"), location,
                                     spelled_as_of(b, location), ret);
    return result == 0 ? bind_alias(b, sql_field(inside, "alias"), ret) : result;
}

/* The siblings are there, but a subquery that is not LATERAL does not see their names. */
static void hide_siblings(struct bind_place place, int by) {
    for (struct bind_scope *at = place.outer; at; at = at->outer) {
        at->hidden += (unsigned)by;
        if (at->query)
            return;
    }
}

static int range_subselect(struct sql_binder *b, struct bind_place place, json_value inside,
                           struct bind_from *ret) {
    json_value select;
    if (!sql_node_is(sql_field(inside, "subquery"), "SelectStmt", &select))
        return bind_error(b, -1, "0A000", "only SELECT may stand in FROM");
    bool lateral = sql_field_bool(inside, "lateral");
    if (!lateral)
        hide_siblings(place, 1);
    struct sql_plan *plan = bind_subquery(b, select, place.outer, place.boundary);
    if (!lateral)
        hide_siblings(place, -1);
    int result = bind_one_relation(b, plan, slice_lit(""), ret);
    return result == 0 ? bind_alias(b, sql_field(inside, "alias"), ret) : result;
}

int bind_from_item(struct sql_binder *b, struct bind_place place, json_value node,
                   struct bind_from *ret) {
    json_value inside;
    int result = bind_enter(b);
    if (result < 0)
        return result;
    if (sql_node_is(node, "RangeVar", &inside))
        result = range_var(b, place, inside, ret);
    else if (sql_node_is(node, "RangeSubselect", &inside))
        result = range_subselect(b, place, inside, ret);
    else if (sql_node_is(node, "JoinExpr", &inside))
        result = bind_join(b, place, inside, ret);
    else if (sql_node_is(node, "RangeFunction", &inside))
        result = bind_range_function(b, place, inside, ret);
    else
        result = bind_error(b, -1, "0A000", "%.*s is not supported in FROM",
                            slice_fmt(sql_node_name(node)));
    bind_leave(b);
    return result;
}

struct looking {
    bool found;
};

static struct sql_expr *note_use(struct sql_binder *b, struct sql_expr *e, void *self) {
    (void)b;
    (void)e;
    ((struct looking *)self)->found = true;
    return NULL;
}

/* Does RIGHT look at what is left of it? If not, the boundary between them goes. */
static int looks_left(struct sql_binder *b, struct sql_plan *right, bool *ret) {
    *ret = false;
    int reach = bind_outer_reach(b, right);
    if (reach <= 0)
        return reach;
    struct looking looking = {false};
    int result = bind_replace_outer(b, right, 0, note_use, &looking, false);
    *ret = looking.found;
    return result == 0 && !looking.found ? bind_replace_outer(b, right, 0, NULL, NULL, true)
                                         : result;
}

static int check_names(struct sql_binder *b, const struct bind_from *left,
                       const struct bind_from *right, int location) {
    for (unsigned i = 0; i < right->relations; i++) {
        const struct bind_relation *r = right->relation[i];
        const struct bind_relation *same =
            r->name.len ? bind_find_relation(left, (slice){NULL, 0}, r->name) : NULL;
        if (same && (!same->schema.len || !r->schema.len || slice_equal(same->schema, r->schema)))
            return bind_error(b, location, "42712", "table name \"%.*s\" specified more than once",
                              slice_fmt(r->name));
    }
    return 0;
}

int bind_combine(struct sql_binder *b, enum sql_join_kind join, struct bind_from *left,
                 struct bind_from *right, int location, struct bind_from *ret) {
    bool lateral;
    int result = check_names(b, left, right, location);
    if (result < 0 || (result = looks_left(b, right->plan, &lateral)) < 0)
        return result;
    if (lateral && (join == SQL_JOIN_RIGHT || join == SQL_JOIN_FULL)) {
        (void)bind_error(b, location, "42P10", "invalid reference to FROM-clause entry");
        sql_error_detail(b->error, "The combining JOIN type must be INNER or LEFT for a LATERAL "
                                   "reference.");
        return -EINVAL;
    }
    unsigned shift = left->plan->columns;
    struct bind_from from = {.relations = left->relations + right->relations,
                             .names = left->names + right->names};
    from.plan = bind_plan_join(b, lateral ? SQL_PLAN_APPLY : SQL_PLAN_JOIN, join, left->plan,
                               right->plan, NULL);
    from.relation = bind_alloc(b, from.relations + 1, sizeof *from.relation);
    from.name = bind_alloc(b, from.names + 1, sizeof *from.name);
    if (!from.plan || !from.relation || !from.name)
        return -ENOMEM;
    for (unsigned i = 0; i < from.relations; i++) {
        bool is_left = i < left->relations;
        struct bind_relation *r =
            is_left ? left->relation[i] : right->relation[i - left->relations];
        for (unsigned n = 0; !is_left && n < r->names; n++)
            r->name_list[n].column += shift;
        from.relation[i] = r;
    }
    for (unsigned i = 0; i < from.names; i++) {
        from.name[i] = i < left->names ? left->name[i] : right->name[i - left->names];
        from.name[i].column += i < left->names ? 0 : shift;
    }
    *ret = from;
    return 0;
}

int bind_from_clause(struct sql_binder *b, struct bind_scope *s, json_value list) {
    struct json_iterator i = json_each(list);
    for (bool first = true; json_next(&i); first = false) {
        struct bind_from item, both;
        int result = bind_from_item(b, (struct bind_place){s, !first}, i.value, &item);
        if (result == 0 && !first)
            result = bind_combine(b, SQL_JOIN_INNER, &s->from, &item, -1, &both);
        if (result < 0)
            return result;
        s->from = first ? item : both;
    }
    if (!s->from.plan)
        s->from.plan = bind_plan_nothing(b);
    return s->from.plan ? 0 : -ENOMEM;
}
