/*
 * place.c - what the lists of a SELECT left open is put into its plan, from below:
 *
 *   FROM, WHERE → subqueries GROUP BY names → AGGREGATE → subqueries → HAVING → WINDOWs, each a
 *   node a partition and order → subqueries that ask window functions → SET → PROJECT
 *
 * At each step expressions are lowered: over the columns of the plan as it is then. Behind a
 * grouping only its expressions, aggregates and what they are made of may be named; of a table
 * whose primary key is grouped by every column may.
 */
#include "sql/bind/move.h"
#include "sql/bind/select.h"

#include <errno.h>

struct lowering {
    struct bind_select *q;
    bool grouped; /* the AGGREGATE is placed */
    unsigned right_base;
    bool subquery; /* the columns are a subquery's OUTER ones */
};

static struct sql_expr *ungrouped(struct sql_binder *b, const struct lowering *l,
                                  const struct sql_expr *e) {
    char text[160];
    bind_column_text(&l->q->scope->from, e->index, text, sizeof text);
    return l->subquery
               ? bind_null(b, e->location, "42803",
                           "subquery uses ungrouped column \"%s\" from outer query", text)
               : bind_null(b, e->location, "42803",
                           "column \"%s\" must appear in the GROUP BY clause or be used in an "
                           "aggregate function",
                           text);
}

static struct sql_expr *lower_node(struct sql_binder *b, struct sql_expr *e, void *self) {
    const struct lowering *l = self;
    const struct bind_scope *s = l->q->scope;
    if (l->grouped && e->kind != SQL_EXPR_CONST && e->kind != SQL_EXPR_PARAMETER)
        for (unsigned i = 0; i < s->groups; i++)
            if (sql_expr_equal(e, s->group[i]))
                return bind_column(b, i, e->type, e->location);
    if (e->kind != SQL_EXPR_COLUMN)
        return NULL;
    if (e->index >= BIND_PENDING) {
        const struct bind_pending *entry = s->pending[e->index - BIND_PENDING];
        check(entry->placed);
        return bind_column(b, entry->column, e->type, e->location);
    }
    if (e->index >= BIND_RIGHT)
        return bind_column(b, l->right_base + e->index - BIND_RIGHT, e->type, e->location);
    return l->grouped ? ungrouped(b, l, e) : NULL;
}

static struct sql_expr *lower(struct sql_binder *b, struct lowering *l, struct sql_expr *e) {
    return bind_map(b, e, lower_node, l);
}

static int lower_list(struct sql_binder *b, struct lowering *l, struct sql_expr **list,
                      unsigned count) {
    for (unsigned i = 0; i < count; i++)
        if (!(list[i] = lower(b, l, list[i])))
            return -EINVAL;
    return 0;
}

/* A subquery's OUTER column of the grouped query, as a column of the grouping. */
static struct sql_expr *lower_outer(struct sql_binder *b, struct sql_expr *e, void *self) {
    struct lowering *l = self;
    struct sql_expr *column = bind_column(b, e->index, e->type, e->location);
    l->subquery = true;
    struct sql_expr *low = column ? lower(b, l, column) : NULL;
    l->subquery = false;
    struct sql_expr *outer = low ? bind_expr(b, SQL_EXPR_OUTER, e->type, e->location, 0) : NULL;
    if (outer) {
        outer->index = low->index;
        outer->level = e->level;
    }
    return outer;
}

static int place_apply(struct sql_binder *b, struct lowering *l, struct bind_pending *entry) {
    struct bind_scope *s = l->q->scope;
    int result = bind_replace_outer(b, entry->plan, 0, lower_outer, l, false);
    if (result < 0)
        return result;
    entry->column = s->from.plan->columns;
    entry->placed = true;
    s->from.plan = bind_plan_join(b, SQL_PLAN_APPLY, entry->join, s->from.plan, entry->plan, NULL);
    return s->from.plan ? 0 : -ENOMEM;
}

struct asking {
    const struct bind_scope *scope;
    bool window;
};

static int asks_window(struct sql_expr *e, void *self) {
    struct asking *a = self;
    if ((e->kind == SQL_EXPR_COLUMN || e->kind == SQL_EXPR_OUTER) && e->index >= BIND_PENDING &&
        a->scope->pending[e->index - BIND_PENDING]->kind == BIND_WINDOW)
        a->window = true;
    return 0;
}

static struct sql_expr *outer_asks(struct sql_binder *b, struct sql_expr *e, void *self) {
    (void)b;
    (void)asks_window(e, self);
    return NULL;
}

/* Subqueries whose outer columns are there already. */
static int place_applies(struct sql_binder *b, struct lowering *l, bool after_windows) {
    struct bind_scope *s = l->q->scope;
    for (unsigned i = 0; i < s->pendings; i++) {
        struct bind_pending *entry = s->pending[i];
        if (entry->kind != BIND_APPLY || entry->placed)
            continue;
        struct asking asking = {s, false};
        int result = bind_replace_outer(b, entry->plan, 0, outer_asks, &asking, false);
        if (result == 0 && (after_windows || !asking.window))
            result = place_apply(b, l, entry);
        if (result < 0)
            return result;
    }
    return 0;
}

/* GROUP BY 1, where 1 is a subquery: it comes before the grouping. */
static int find_apply(struct sql_expr *e, void *self) {
    struct bind_scope *s = self;
    if (e->kind == SQL_EXPR_COLUMN && e->index >= BIND_PENDING &&
        !s->pending[e->index - BIND_PENDING]->placed)
        return 1 + (int)(e->index - BIND_PENDING);
    return 0;
}

static int place_group_applies(struct sql_binder *b, struct lowering *l) {
    struct bind_scope *s = l->q->scope;
    for (unsigned i = 0; i < s->groups; i++) {
        int found;
        while ((found = sql_expr_walk(s->group[i], find_apply, s)) > 0) {
            int result = place_apply(b, l, s->pending[found - 1]);
            if (result < 0)
                return result;
        }
    }
    return 0;
}

struct wanting {
    struct bind_scope *scope;
    uint8_t *wanted; /* by column */
};

static int want_column(struct sql_expr *e, void *self) {
    const struct wanting *w = self;
    const struct bind_scope *s = w->scope;
    for (unsigned i = 0; i < s->groups; i++)
        if (sql_expr_equal(e, s->group[i]))
            return 0;
    if ((e->kind == SQL_EXPR_COLUMN || (e->kind == SQL_EXPR_OUTER && e->level == 0)) &&
        e->index < s->from.plan->columns)
        w->wanted[e->index] = 1;
    return 0;
}

static struct sql_expr *want_outer(struct sql_binder *b, struct sql_expr *e, void *self) {
    (void)b;
    (void)want_column(e, self);
    return NULL;
}

static void want_all(struct wanting *w, struct sql_expr *const *list, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        (void)sql_expr_walk(list[i], want_column, w);
}

static int find_wanted(struct sql_binder *b, const struct bind_select *q, struct wanting *w) {
    want_all(w, q->target, q->count);
    if (q->having)
        want_all(w, &q->having, 1);
    for (unsigned i = 0; i < w->scope->pendings; i++) {
        const struct bind_pending *entry = w->scope->pending[i];
        if (entry->kind == BIND_WINDOW) {
            want_all(w, entry->window.arguments, entry->window.count);
            want_all(w, entry->spec->partition, entry->spec->partitions);
            want_all(w, entry->spec->order, entry->spec->orders);
        } else if (entry->kind == BIND_SET)
            want_all(w, entry->set.arguments, entry->set.count);
        else if (entry->kind == BIND_APPLY && !entry->placed) {
            int result = bind_replace_outer(b, entry->plan, 0, want_outer, w, false);
            if (result < 0)
                return result;
        }
    }
    return 0;
}

static bool key_is_grouped(const struct bind_scope *s, const struct bind_relation *r) {
    const struct sql_table_index *key =
        r->table && r->table->indexes && r->table->index[0].primary ? &r->table->index[0] : NULL;
    for (unsigned k = 0; key && k < key->columns; k++) {
        bool found = false;
        for (unsigned n = 0; n < r->names; n++) {
            unsigned at = r->name_list[n].column;
            bool is_key =
                slice_equal(s->from.plan->column[at].name, r->table->column[key->column[k]].name);
            for (unsigned g = 0; is_key && g < s->groups; g++)
                found |= s->group[g]->kind == SQL_EXPR_COLUMN && s->group[g]->index == at;
        }
        if (!found)
            return false;
    }
    return key != NULL;
}

/* Columns that follow from a grouped primary key become groups themselves. */
static int add_dependent(struct sql_binder *b, struct bind_select *q) {
    struct bind_scope *s = q->scope;
    if (q->sets || s->groups == 0)
        return 0;
    struct wanting w = {s, bind_alloc(b, s->from.plan->columns + 1, 1)};
    int result = w.wanted ? find_wanted(b, q, &w) : -ENOMEM;
    for (unsigned i = 0; result == 0 && i < s->from.relations; i++) {
        const struct bind_relation *r = s->from.relation[i];
        if (!key_is_grouped(s, r))
            continue;
        for (unsigned n = 0; n < r->names; n++) {
            unsigned at = r->name_list[n].column;
            if (!w.wanted[at])
                continue;
            void *larger = bind_grow(b, s->group, s->groups, sizeof *s->group);
            if (!larger)
                return -ENOMEM;
            s->group = larger;
            if (!(s->group[s->groups++] = bind_column(b, at, s->from.plan->column[at].type, -1)))
                return -ENOMEM;
            w.wanted[at] = 0;
        }
    }
    return result;
}

/* GROUPING(a, b): which groups it asks about. */
static int settle_grouping(struct sql_binder *b, const struct bind_scope *s,
                           struct bind_pending *entry) {
    struct sql_plan_aggregate *a = &entry->aggregate;
    if (!(a->grouping = bind_alloc(b, a->count + 1, sizeof *a->grouping)))
        return -ENOMEM;
    for (unsigned i = 0; i < a->count; i++) {
        bool found = false;
        for (unsigned g = 0; !found && g < s->groups; g++)
            if ((found = sql_expr_equal(a->arguments[i], s->group[g])))
                a->grouping[a->grouping_count++] = g;
        if (!found)
            return bind_error(b, a->arguments[i]->location, "42803",
                              "arguments to GROUPING must be grouping expressions of the "
                              "associated query level");
    }
    a->arguments = NULL;
    a->count = 0;
    return 0;
}

static int place_aggregate(struct sql_binder *b, struct lowering *l) {
    struct bind_select *q = l->q;
    struct bind_scope *s = q->scope;
    int result = place_group_applies(b, l);
    if (result < 0 || (result = add_dependent(b, q)) < 0)
        return result;
    unsigned aggregates = 0;
    for (unsigned i = 0; i < s->pendings; i++)
        aggregates += s->pending[i]->kind == BIND_AGGREGATE;
    struct sql_plan *p = bind_plan(b, SQL_PLAN_AGGREGATE, 1, s->groups + aggregates);
    if (!p || !(p->group = bind_alloc(b, s->groups + 1, sizeof *p->group)) ||
        !(p->aggregate = bind_alloc(b, aggregates + 1, sizeof *p->aggregate)))
        return -ENOMEM;
    p->input[0] = s->from.plan;
    p->groups = s->groups;
    p->grouping_sets = q->sets;
    p->grouping_set = q->set;
    bind_move(p->group, s->group, s->groups * sizeof *p->group);
    if ((result = lower_list(b, l, p->group, p->groups)) < 0)
        return result;
    for (unsigned i = 0; i < s->groups; i++) {
        const struct sql_expr *g = p->group[i];
        p->column[i].type = g->type;
        p->column[i].name =
            g->kind == SQL_EXPR_COLUMN ? s->from.plan->column[g->index].name : slice_lit("group");
    }
    for (unsigned i = 0; i < s->pendings; i++) {
        struct bind_pending *entry = s->pending[i];
        if (entry->kind != BIND_AGGREGATE)
            continue;
        if (!entry->aggregate.aggregate && (result = settle_grouping(b, s, entry)) < 0)
            return result;
        unsigned column = p->groups + p->aggregates;
        entry->column = column;
        entry->placed = true;
        p->aggregate[p->aggregates++] = entry->aggregate;
        p->column[column].type = entry->type;
        p->column[column].name =
            slice_str(entry->aggregate.aggregate ? entry->aggregate.aggregate->name : "grouping");
    }
    s->from.plan = p;
    l->grouped = true;
    return 0;
}

/* The column that E is; computed ones are put behind the plan's. */
static int as_column(struct sql_binder *b, struct bind_scope *s, struct sql_expr *e,
                     unsigned *ret) {
    if (e->kind == SQL_EXPR_COLUMN) {
        *ret = e->index;
        return 0;
    }
    struct sql_plan *plan = s->from.plan;
    for (unsigned i = 0; plan->kind == SQL_PLAN_PROJECT && i < plan->expressions; i++)
        if (plan->expression[i]->kind != SQL_EXPR_COLUMN &&
            sql_expr_equal(plan->expression[i], e) && !(sql_expr_flags(e) & SQL_VOLATILE)) {
            *ret = i;
            return 0;
        }
    struct sql_expr **one = bind_alloc(b, 1, sizeof *one);
    if (!one)
        return -ENOMEM;
    one[0] = e;
    *ret = plan->columns;
    s->from.plan = bind_plan_extend(b, plan, one, 1);
    return s->from.plan ? 0 : -ENOMEM;
}

static bool same_order(const struct bind_window_spec *a, const struct bind_window_spec *c) {
    if (a->partitions != c->partitions || a->orders != c->orders)
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

static int spec_columns(struct sql_binder *b, struct lowering *l,
                        const struct bind_window_spec *spec, struct sql_plan *keys) {
    struct bind_scope *s = l->q->scope;
    keys->partition = bind_alloc(b, spec->partitions + 1, sizeof *keys->partition);
    keys->order = bind_alloc(b, spec->orders + 1, sizeof *keys->order);
    if (!keys->partition || !keys->order)
        return -ENOMEM;
    for (unsigned i = 0; i < spec->partitions; i++) {
        struct sql_expr *e = lower(b, l, spec->partition[i]);
        int result = e ? as_column(b, s, e, &keys->partition[i]) : -EINVAL;
        if (result < 0)
            return result;
    }
    for (unsigned i = 0; i < spec->orders; i++) {
        struct sql_expr *e = lower(b, l, spec->order[i]);
        keys->order[i] = spec->order_how[i];
        int result = e ? as_column(b, s, e, &keys->order[i].column) : -EINVAL;
        if (result < 0)
            return result;
    }
    keys->partitions = spec->partitions;
    keys->orders = spec->orders;
    return 0;
}

/* One WINDOW node for all functions of FIRST's partition and order. */
static int place_window(struct sql_binder *b, struct lowering *l,
                        const struct bind_pending *first) {
    struct bind_scope *s = l->q->scope;
    struct sql_plan keys = {0};
    unsigned count = 0;
    for (unsigned i = 0; i < s->pendings; i++)
        count += s->pending[i]->kind == BIND_WINDOW && !s->pending[i]->placed &&
                 same_order(s->pending[i]->spec, first->spec);
    int result = spec_columns(b, l, first->spec, &keys);
    struct sql_plan *p =
        result == 0 ? bind_plan(b, SQL_PLAN_WINDOW, 1, s->from.plan->columns + count) : NULL;
    if (!p || !(p->window = bind_alloc(b, count, sizeof *p->window)))
        return result < 0 ? result : -ENOMEM;
    p->input[0] = s->from.plan;
    bind_move(p->column, s->from.plan->column, s->from.plan->columns * sizeof *p->column);
    p->partitions = keys.partitions;
    p->partition = keys.partition;
    p->orders = keys.orders;
    p->order = keys.order;
    for (unsigned i = 0; i < s->pendings; i++) {
        struct bind_pending *entry = s->pending[i];
        if (entry->kind != BIND_WINDOW || entry->placed || !same_order(entry->spec, first->spec))
            continue;
        struct sql_plan_window *w = &p->window[p->windows];
        *w = entry->window;
        if ((result = lower_list(b, l, w->arguments, w->count)) < 0 ||
            (w->filter && !(w->filter = lower(b, l, w->filter))))
            return -EINVAL;
        entry->column = s->from.plan->columns + p->windows++;
        p->column[entry->column] = (struct sql_plan_column){slice_lit("window"), entry->type};
    }
    for (unsigned i = 0; i < s->pendings; i++)
        if (s->pending[i]->kind == BIND_WINDOW && same_order(s->pending[i]->spec, first->spec))
            s->pending[i]->placed = true;
    s->from.plan = p;
    return 0;
}

struct nesting {
    const struct bind_scope *scope;
    bool open;
};

static int asks_set(struct sql_expr *e, void *self) {
    struct nesting *n = self;
    if (e->kind == SQL_EXPR_COLUMN && e->index >= BIND_PENDING)
        n->open |= !n->scope->pending[e->index - BIND_PENDING]->placed;
    return 0;
}

/* Set functions side by side; those that take another's rows follow in a node of their own. */
static int place_sets(struct sql_binder *b, struct lowering *l, bool *ret_more) {
    struct bind_scope *s = l->q->scope;
    struct sql_plan *p = bind_plan(b, SQL_PLAN_SET, 1, s->from.plan->columns + s->pendings);
    if (!p || !(p->set = bind_alloc(b, s->pendings + 1, sizeof *p->set)))
        return -ENOMEM;
    *ret_more = false;
    p->input[0] = s->from.plan;
    bind_move(p->column, s->from.plan->column, s->from.plan->columns * sizeof *p->column);
    p->columns = s->from.plan->columns;
    struct bind_pending *ready[SQL_CALL_ARGUMENTS_MAX];
    for (unsigned i = 0; i < s->pendings; i++) {
        struct bind_pending *entry = s->pending[i];
        if (entry->kind != BIND_SET || entry->placed)
            continue;
        struct nesting nesting = {s, false};
        for (unsigned a = 0; a < entry->set.count; a++)
            (void)sql_expr_walk(entry->set.arguments[a], asks_set, &nesting);
        if (nesting.open || p->sets == array_count(ready)) {
            *ret_more = true;
            continue;
        }
        if (lower_list(b, l, entry->set.arguments, entry->set.count) < 0)
            return -EINVAL;
        ready[p->sets] = entry;
        p->set[p->sets++] = entry->set;
        entry->column = p->columns;
        p->column[p->columns++] = (struct sql_plan_column){slice_lit("set"), entry->type};
    }
    for (unsigned i = 0; i < p->sets; i++)
        ready[i]->placed = true;
    if (p->sets)
        s->from.plan = p;
    return 0;
}

static int place_windows(struct sql_binder *b, struct lowering *l) {
    struct bind_scope *s = l->q->scope;
    int result = 0;
    for (unsigned i = 0; result == 0 && i < s->pendings; i++)
        if (s->pending[i]->kind == BIND_WINDOW && !s->pending[i]->placed)
            result = place_window(b, l, s->pending[i]);
    return result;
}

int bind_place_all(struct sql_binder *b, struct bind_select *q) {
    struct bind_scope *s = q->scope;
    struct lowering l = {.q = q};
    int result = q->grouped ? place_aggregate(b, &l) : 0;
    if (result == 0)
        result = place_applies(b, &l, false);
    if (result == 0 && q->having) {
        struct sql_expr *having = lower(b, &l, q->having);
        s->from.plan = bind_plan_filter(b, s->from.plan, having);
        result = s->from.plan ? 0 : -EINVAL;
    }
    if (result == 0)
        result = place_windows(b, &l);
    if (result == 0)
        result = place_applies(b, &l, true);
    for (bool more = true; result == 0 && more;)
        result = place_sets(b, &l, &more);
    if (result == 0)
        result = lower_list(b, &l, q->target, q->count);
    if (result < 0)
        return result;
    s->from.plan = bind_plan_project(b, s->from.plan, q->target, q->name, q->count);
    return s->from.plan ? 0 : -ENOMEM;
}
