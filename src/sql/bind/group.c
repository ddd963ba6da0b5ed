/*
 * group.c - GROUP BY: its expressions, its sets as bit masks over them, GROUPING().
 *
 * GROUP BY a, ROLLUP (b, c) is the product of {a} with {b c, b, none}: each item gives a list of
 * masks, and the sets are all ways of taking one of each.
 */
#include "sql/bind/select.h"
#include "sql/bind/special.h"

#include <errno.h>

#define SETS_MAX 4096u
#define SET_GROUPS_MAX 64u /* bits of a mask */

struct masks {
    unsigned count;
    uint64_t *mask;
};

static int add_mask(struct sql_binder *b, struct masks *m, uint64_t mask) {
    if (m->count >= SETS_MAX)
        return bind_error(b, -1, "54001", "too many grouping sets present (maximum %u)", SETS_MAX);
    void *larger = bind_grow(b, m->mask, m->count, sizeof *m->mask);
    if (!larger)
        return -ENOMEM;
    m->mask = larger;
    m->mask[m->count++] = mask;
    return 0;
}

static bool names_input(const struct bind_scope *s, json_value node) {
    json_value inside;
    if (!sql_node_is(node, "ColumnRef", &inside))
        return true;
    json_value fields = sql_field(inside, "fields");
    slice name = sql_string(json_element(fields, 0));
    for (unsigned i = 0; i < s->from.names; i++)
        if (slice_equal(s->from.name[i].name, name))
            return true;
    return json_count(fields) != 1;
}

/* Subqueries are applied below the grouping, set functions and aggregates are refused. */
static struct sql_expr *group_expression(struct sql_binder *b, struct bind_select *q,
                                         json_value node) {
    struct bind_scope *s = q->scope;
    unsigned at;
    bool number = slice_equal(sql_node_name(node), slice_lit("A_Const"));
    if (number || !names_input(s, node)) {
        int result = bind_target_of(b, q, node, "GROUP BY", &at);
        if (result == 0 && !(q->target[at] = bind_known(b, q->target[at])))
            return NULL;
        if (result != -ENOENT)
            return result == 0 ? q->target[at] : NULL;
    }
    unsigned allow = s->allow;
    s->allow = 0;
    s->clause = "GROUP BY";
    s->deferred = false;
    struct sql_expr *e = bind_known(b, bind_expression(b, s, node));
    s->deferred = true;
    s->allow = allow;
    return e;
}

static int find_aggregate(struct sql_expr *e, void *self) {
    const struct bind_scope *s = self;
    if (e->kind != SQL_EXPR_COLUMN || e->index < BIND_PENDING)
        return 0;
    enum bind_pending_kind kind = s->pending[e->index - BIND_PENDING]->kind;
    return kind == BIND_APPLY ? 0 : 1 + (int)kind;
}

static int add_group(struct sql_binder *b, struct bind_select *q, struct sql_expr *e,
                     unsigned *ret) {
    struct bind_scope *s = q->scope;
    int open = sql_expr_walk(e, find_aggregate, s);
    if (open)
        return bind_error(b, e->location,
                          open == 1   ? "42803"
                          : open == 2 ? "42P20"
                                      : "0A000",
                          "%s functions are not allowed in GROUP BY",
                          open == 1   ? "aggregate"
                          : open == 2 ? "window"
                                      : "set-returning");
    for (unsigned i = 0; i < s->groups; i++)
        if (sql_expr_equal(s->group[i], e)) {
            *ret = i;
            return 0;
        }
    void *larger = bind_grow(b, s->group, s->groups, sizeof *s->group);
    if (!larger)
        return -ENOMEM;
    s->group = larger;
    s->group[s->groups] = e;
    *ret = s->groups++;
    return 0;
}

static bool is_row(json_value node, json_value *ret) {
    return sql_node_is(node, "RowExpr", ret);
}

/* One expression, or (a, b): the bits of both. */
static int expression_mask(struct sql_binder *b, struct bind_select *q, json_value node,
                           uint64_t *ret) {
    json_value row;
    if (is_row(node, &row)) {
        struct json_iterator i = json_each(sql_field(row, "args"));
        while (json_next(&i)) {
            int result = expression_mask(b, q, i.value, ret);
            if (result < 0)
                return result;
        }
        return 0;
    }
    struct sql_expr *e = group_expression(b, q, node);
    unsigned at = 0;
    int result = e ? add_group(b, q, e, &at) : -EINVAL;
    if (result == 0 && at < SET_GROUPS_MAX)
        *ret |= UINT64_C(1) << at;
    return result;
}

static int item_masks(struct sql_binder *b, struct bind_select *q, json_value node,
                      struct masks *ret);

static int rollup_or_cube(struct sql_binder *b, struct bind_select *q, json_value content,
                          bool cube, struct masks *ret) {
    uint64_t parts[SET_GROUPS_MAX];
    unsigned count = 0;
    struct json_iterator i = json_each(content);
    while (json_next(&i)) {
        if (count == (cube ? 12 : SET_GROUPS_MAX))
            return bind_error(b, -1, "54011",
                              cube ? "CUBE is limited to 12 elements"
                                   : "too many elements in ROLLUP");
        parts[count] = 0;
        int result = expression_mask(b, q, i.value, &parts[count++]);
        if (result < 0)
            return result;
    }
    unsigned sets = cube ? 1u << count : count + 1;
    for (unsigned set = 0; set < sets; set++) {
        uint64_t mask = 0;
        for (unsigned p = 0; p < count; p++)
            if (cube ? !(set >> p & 1) : p < count - set)
                mask |= parts[p];
        int result = add_mask(b, ret, mask);
        if (result < 0)
            return result;
    }
    return 0;
}

static int item_masks(struct sql_binder *b, struct bind_select *q, json_value node,
                      struct masks *ret) {
    json_value inside;
    if (!sql_node_is(node, "GroupingSet", &inside)) {
        uint64_t mask = 0;
        int result = expression_mask(b, q, node, &mask);
        return result < 0 ? result : add_mask(b, ret, mask);
    }
    q->sets = 1; /* there are sets, told plain GROUP BY from */
    slice kind = slice_skip(sql_field_text(inside, "kind"), strlen("GROUPING_SET_"));
    json_value content = sql_field(inside, "content");
    if (slice_equal(kind, slice_lit("EMPTY")))
        return add_mask(b, ret, 0);
    if (slice_equal(kind, slice_lit("ROLLUP")) || slice_equal(kind, slice_lit("CUBE")))
        return rollup_or_cube(b, q, content, slice_equal(kind, slice_lit("CUBE")), ret);
    struct json_iterator i = json_each(content);
    int result = bind_enter(b);
    if (result < 0)
        return result;
    while (result == 0 && json_next(&i))
        result = item_masks(b, q, i.value, ret);
    bind_leave(b);
    return result;
}

static int product(struct sql_binder *b, struct masks *all, const struct masks *item) {
    struct masks made = {0};
    for (unsigned i = 0; i < all->count; i++)
        for (unsigned k = 0; k < item->count; k++) {
            int result = add_mask(b, &made, all->mask[i] | item->mask[k]);
            if (result < 0)
                return result;
        }
    *all = made;
    return 0;
}

static void drop_repeated(struct masks *m) {
    unsigned kept = 0;
    for (unsigned i = 0; i < m->count; i++) {
        bool seen = false;
        for (unsigned k = 0; k < kept; k++)
            seen |= m->mask[k] == m->mask[i];
        if (!seen)
            m->mask[kept++] = m->mask[i];
    }
    m->count = kept;
}

int bind_group_clause(struct sql_binder *b, struct bind_select *q) {
    json_value list = sql_field(q->inside, "groupClause");
    if (json_count(list) == 0)
        return 0;
    q->grouped = true;
    struct masks all = {0};
    int result = add_mask(b, &all, 0);
    struct json_iterator i = json_each(list);
    while (result == 0 && json_next(&i)) {
        struct masks item = {0};
        result = item_masks(b, q, i.value, &item);
        if (result == 0)
            result = product(b, &all, &item);
    }
    if (result < 0 || q->sets == 0)
        return result;
    if (q->scope->groups > SET_GROUPS_MAX)
        return bind_error(b, -1, "54011", "grouping sets can have at most %u expressions",
                          SET_GROUPS_MAX);
    if (sql_field_bool(q->inside, "groupDistinct"))
        drop_repeated(&all);
    q->sets = all.count;
    q->set = all.mask;
    return 0;
}

/* Its arguments are told from the groups when the grouping is placed. */
struct sql_expr *bind_grouping(struct sql_binder *b, struct bind_scope *s, json_value inside) {
    int location = sql_location(inside);
    json_value list = sql_field(inside, "args");
    struct bind_pending entry = {
        .kind = BIND_AGGREGATE, .location = location, .type = sql_type_of(SQL_INT4)};
    if (!(s->allow & BIND_ALLOW_AGGREGATE) || s->in_aggregate)
        return bind_null(b, location, "42803", "grouping operations are not allowed in %s",
                         s->clause ? s->clause : "this context");
    if (json_count(list) > 31)
        return bind_null(b, location, "54023", "GROUPING must have fewer than 32 arguments");
    struct sql_plan_aggregate *a = &entry.aggregate;
    a->type = entry.type;
    if (!(a->arguments = bind_alloc(b, json_count(list) + 1, sizeof *a->arguments)))
        return NULL;
    struct json_iterator i = json_each(list);
    while (json_next(&i))
        if (!(a->arguments[a->count++] = bind_expression(b, s, i.value)))
            return NULL;
    return bind_defer(b, s, &entry);
}
