/*
 * cte.c - WITH: bound where it is first used, and shared by all uses.
 *
 * A CTE that looks out to a query around it is bound anew at each use instead, so that a node with
 * an OUTER column never has two parents (nodes.h). What stands between the use and the WITH is
 * hidden meanwhile.
 */
#include "sql/bind/from.h"

#include <errno.h>

int bind_with(struct sql_binder *b, struct bind_scope *s, json_value with) {
    if (json_type_of(with) == JSON_ABSENT)
        return 0;
    struct json_iterator i = json_each(sql_field(with, "ctes"));
    while (json_next(&i)) {
        struct bind_cte *cte = bind_alloc(b, 1, sizeof *cte);
        if (!cte)
            return -ENOMEM;
        (void)sql_node_is(i.value, "CommonTableExpr", &cte->node);
        cte->name = sql_field_text(cte->node, "ctename");
        for (const struct bind_cte *other = s->ctes; other; other = other->next)
            if (slice_equal(other->name, cte->name))
                return bind_error(b, sql_location(cte->node), "42712",
                                  "WITH query name \"%.*s\" specified more than once",
                                  slice_fmt(cte->name));
        cte->recursive = sql_field_bool(with, "recursive");
        cte->next = s->ctes;
        s->ctes = cte;
    }
    return 0;
}

static struct bind_cte *find_cte(struct bind_scope *from, slice name, struct bind_scope **ret) {
    for (struct bind_scope *at = from; at; at = at->outer)
        for (struct bind_cte *c = at->hidden_ctes ? NULL : at->ctes; c; c = c->next)
            if (slice_equal(c->name, name)) {
                *ret = at;
                return c;
            }
    return NULL;
}

static void hide_between(struct bind_scope *from, const struct bind_scope *to, int by) {
    for (struct bind_scope *at = from; at != to; at = at->outer) {
        at->hidden += (unsigned)by;
        at->hidden_ctes += (unsigned)by;
    }
}

/* Binds its query where PLACE is, seeing only what its WITH sees. */
static struct sql_plan *bind_cte(struct sql_binder *b, struct bind_place place,
                                 struct bind_cte *cte, struct bind_scope *home) {
    json_value select;
    int location = sql_location(cte->node);
    if (!sql_node_is(sql_field(cte->node, "ctequery"), "SelectStmt", &select))
        return bind_null(b, location, "0A000",
                         "INSERT, UPDATE and DELETE in WITH are not supported");
    struct bind_cte *all = home->ctes;
    hide_between(place.outer, home, 1);
    home->hidden++;
    home->ctes = cte->next;
    struct sql_plan *plan = bind_subquery(b, select, place.outer, place.boundary);
    home->ctes = all;
    home->hidden--;
    hide_between(place.outer, home, -1);
    return plan;
}

/* Does WITH RECURSIVE's query name itself? Then it is refused with a word that says so. */
static bool names_itself(json_value node, slice name) {
    if (json_type_of(node) == JSON_STRING)
        return false;
    json_value range;
    if (sql_node_is(node, "RangeVar", &range) &&
        slice_equal(sql_field_text(range, "relname"), name))
        return true;
    struct json_iterator i = json_each(node);
    while (json_next(&i))
        if (names_itself(i.value, name))
            return true;
    return false;
}

int bind_cte_use(struct sql_binder *b, struct bind_place place, slice name, int location,
                 struct bind_from *ret) {
    struct bind_scope *home;
    struct bind_cte *cte = find_cte(place.outer, name, &home);
    if (!cte)
        return -ENOENT;
    if (cte->recursive && names_itself(sql_field(cte->node, "ctequery"), name))
        return bind_error(b, location, "0A000", "WITH RECURSIVE is not supported");
    cte->used = true;
    struct sql_plan *plan = cte->plan ? cte->plan : bind_cte(b, place, cte, home);
    if (!plan)
        return -EINVAL;
    int reach = bind_outer_reach(b, plan);
    if (reach < 0)
        return reach;
    if (reach == 0)
        cte->plan = plan;
    int result = bind_one_relation(b, plan, name, ret);
    if (result < 0)
        return result;
    json_value names = sql_field(cte->node, "aliascolnames");
    if (json_count(names) > ret->names)
        return bind_error(b, sql_location(cte->node), "42P10",
                          "WITH query \"%.*s\" has %u columns available but %u columns specified",
                          slice_fmt(name), ret->names, json_count(names));
    struct json_iterator i = json_each(names);
    for (unsigned at = 0; json_next(&i); at++)
        ret->name[at].name = ret->relation[0]->name_list[at].name = sql_string(i.value);
    return 0;
}

int bind_unused_ctes(struct sql_binder *b, struct bind_scope *s) {
    struct bind_from ignored;
    for (struct bind_cte *cte = s->ctes; cte; cte = cte->next) {
        int result = cte->used ? 0
                               : bind_cte_use(b, (struct bind_place){s, false}, cte->name,
                                              sql_location(cte->node), &ignored);
        if (result < 0)
            return result;
    }
    return 0;
}
