/*
 * unnest_push.c - the domain of an APPLY pushed down its right side, node by node (unnest.c).
 *
 * What comes out of a node has the node's own columns first, so expressions over it stay as they
 * are; the domain's columns follow. A node that puts columns of its own behind its input's gets
 * them back in that order by a projection.
 */
#include "sql/bind/move.h"
#include "sql/bind/unnest.h"

struct shifting {
    unsigned base, from, by;
};

static struct sql_expr *shift_node(struct sql_binder *b, struct sql_expr *e, void *self) {
    const struct shifting *s = self;
    if (e->kind == SQL_EXPR_OUTER && e->level == UNNEST_OWN)
        return bind_column(b, s->base + e->index, e->type, e->location);
    if (e->kind == SQL_EXPR_COLUMN && s->by && e->index >= s->from)
        return bind_column(b, e->index + s->by, e->type, e->location);
    return NULL;
}

/* E with own OUTER column i as COLUMN base + i; columns from FROM on are moved up by BY. */
static struct sql_expr *shift(struct sql_binder *b, struct sql_expr *e, unsigned base,
                              unsigned from, unsigned by) {
    struct shifting s = {base, from, by};
    return bind_map(b, e, shift_node, &s);
}

static int find_own(struct sql_expr *e, void *self) {
    (void)self;
    return e->kind == SQL_EXPR_OUTER && e->level == UNNEST_OWN;
}

static int own_slot(struct sql_binder *b, struct sql_expr **slot, void *self) {
    (void)b;
    return sql_expr_walk(*slot, find_own, self);
}

static int own_node(struct sql_binder *b, struct sql_plan *p, void *self) {
    return bind_each_slot(b, p, own_slot, self);
}

/* Does NODE, or something below it, use a column of left? < 0: no memory. */
static int is_own(struct sql_binder *b, struct sql_plan *node) {
    return bind_each_node(b, node, own_node, NULL);
}

static struct sql_plan *make_domain(struct sql_binder *b, struct unnesting *u) {
    if (!u->domain)
        u->domain =
            bind_plan_same(b, SQL_PLAN_DISTINCT, bind_plan_pick(b, u->left, u->outer, u->count));
    return u->domain;
}

static struct sql_plan *with_domain(struct sql_binder *b, struct unnesting *u,
                                    struct sql_plan *node) {
    return bind_plan_join(b, SQL_PLAN_JOIN, SQL_JOIN_INNER, node, make_domain(b, u), NULL);
}

/* BEFORE columns, the domain's, then AFTER: the domain's moved to the end. */
static struct sql_plan *domain_last(struct sql_binder *b, const struct unnesting *u,
                                    struct sql_plan *p, unsigned before, unsigned after) {
    unsigned *which = p ? bind_alloc(b, p->columns + 1, sizeof *which) : NULL;
    unsigned at = 0;
    if (!which)
        return NULL;
    for (unsigned i = 0; i < before; i++)
        which[at++] = i;
    for (unsigned i = 0; i < after; i++)
        which[at++] = before + u->count + i;
    for (unsigned i = 0; i < u->count; i++)
        which[at++] = before + i;
    return bind_plan_pick(b, p, which, at);
}

/* `e = outer`: e, where it is over columns alone and of the same type. */
static struct sql_expr *bound_by(const struct sql_expr *e, unsigned index) {
    if (e->kind != SQL_EXPR_CALL || e->count != 2 ||
        !slice_equal(slice_str(e->function->name), slice_lit("=")))
        return NULL;
    for (unsigned side = 0; side < 2; side++) {
        struct sql_expr *outer = e->arguments[side], *other = e->arguments[1 - side];
        if (outer->kind == SQL_EXPR_OUTER && outer->level == UNNEST_OWN && outer->index == index &&
            outer->type.oid == other->type.oid && !sql_expr_walk(other, find_own, NULL))
            return other;
    }
    return NULL;
}

static struct sql_expr *binding_of(struct sql_expr *predicate, unsigned index) {
    if (predicate->kind != SQL_EXPR_AND)
        return bound_by(predicate, index);
    struct sql_expr *found = NULL;
    for (unsigned i = 0; !found && i < predicate->count; i++)
        found = bound_by(predicate->arguments[i], index);
    return found;
}

/* What PREDICATE says beside the equalities that gave BOUND. */
static struct sql_expr *without_bound(struct sql_binder *b, const struct unnesting *u,
                                      struct sql_expr *predicate, struct sql_expr **bound,
                                      struct sql_expr *present) {
    unsigned count = predicate->kind == SQL_EXPR_AND ? predicate->count : 1;
    struct sql_expr *all = present;
    for (unsigned i = 0; all && i < count; i++) {
        struct sql_expr *e = predicate->kind == SQL_EXPR_AND ? predicate->arguments[i] : predicate;
        bool used = false;
        for (unsigned k = 0; k < u->count; k++)
            used |= bound_by(e, k) == bound[k];
        if (!used)
            all = bind_both(b, SQL_EXPR_AND, all, e);
    }
    return all;
}

/* All outer columns are equal to something of INPUT: these are the domain's columns. */
static struct sql_plan *filter_by_columns(struct sql_binder *b, struct unnesting *u,
                                          struct sql_plan *input, struct sql_expr *predicate) {
    struct sql_expr **bound = bind_alloc(b, u->count, sizeof *bound);
    struct sql_expr *present = NULL;
    for (unsigned i = 0; bound && i < u->count; i++) {
        if (!(bound[i] = binding_of(predicate, i)))
            return NULL;
        struct sql_expr *one =
            bind_unary(b, SQL_EXPR_NOT, bind_unary(b, SQL_EXPR_IS_NULL, bound[i]));
        present = one ? bind_both(b, SQL_EXPR_AND, present, one) : NULL;
        if (!present)
            return NULL;
    }
    struct sql_plan *wide = bound ? bind_plan_extend(b, input, bound, u->count) : NULL;
    struct sql_expr *all = wide ? without_bound(b, u, predicate, bound, present) : NULL;
    all = all ? shift(b, all, input->columns, 0, 0) : NULL;
    return all ? bind_plan_filter(b, wide, all) : NULL;
}

static struct sql_plan *push_filter(struct sql_binder *b, struct unnesting *u,
                                    struct sql_plan *node) {
    struct sql_plan *input = node->input[0];
    struct sql_expr *predicate = node->predicate;
    while (input->kind == SQL_PLAN_FILTER) {
        predicate = bind_both(b, SQL_EXPR_AND, input->predicate, predicate);
        input = input->input[0];
    }
    if (!predicate)
        return NULL;
    if (is_own(b, input) == 0) {
        struct sql_plan *made = filter_by_columns(b, u, input, predicate);
        if (made || b->error->state[0])
            return made;
    }
    struct sql_plan *pushed = unnest_push(b, u, input);
    struct sql_expr *e = pushed ? shift(b, predicate, input->columns, 0, 0) : NULL;
    return e ? bind_plan_filter(b, pushed, e) : NULL;
}

static struct sql_plan *push_project(struct sql_binder *b, struct unnesting *u,
                                     struct sql_plan *node) {
    struct sql_plan *input = unnest_push(b, u, node->input[0]);
    struct sql_expr **e = input ? bind_alloc(b, node->columns + u->count + 1, sizeof *e) : NULL;
    slice *names = e ? bind_alloc(b, node->columns + u->count + 1, sizeof *names) : NULL;
    if (!names)
        return NULL;
    unsigned base = node->input[0]->columns;
    for (unsigned i = 0; i < node->columns; i++) {
        names[i] = node->column[i].name;
        if (!(e[i] = shift(b, node->expression[i], base, 0, 0)))
            return NULL;
    }
    for (unsigned i = 0; i < u->count; i++) {
        names[node->columns + i] = input->column[base + i].name;
        e[node->columns + i] = bind_column(b, base + i, input->column[base + i].type, -1);
        if (!e[node->columns + i])
            return NULL;
    }
    return bind_plan_project(b, input, e, names, node->columns + u->count);
}

/* Both sides answer for each value; they meet where the values are the same. */
static struct sql_plan *push_both(struct sql_binder *b, struct unnesting *u,
                                  struct sql_plan *node) {
    unsigned l = node->input[0]->columns, r = node->input[1]->columns;
    bool half = bind_join_is_half(node->join);
    struct sql_plan *left = unnest_push(b, u, node->input[0]);
    struct sql_plan *right = left ? unnest_push(b, u, node->input[1]) : NULL;
    if (!right)
        return NULL;
    struct sql_expr *predicate = node->predicate ? shift(b, node->predicate, l, l, u->count) : NULL;
    if (node->predicate && !predicate)
        return NULL;
    enum sql_join_kind kind = node->join;
    if (kind == SQL_JOIN_ANTI_NULL && predicate) {
        kind = SQL_JOIN_ANTI;
        predicate = bind_unary(b, SQL_EXPR_NOT, bind_unary(b, SQL_EXPR_IS_FALSE, predicate));
    }
    for (unsigned i = 0; i < u->count; i++) {
        struct sql_expr *same =
            unnest_same(b, bind_column(b, l + i, left->column[l + i].type, -1),
                        bind_column(b, l + u->count + r + i, right->column[r + i].type, -1));
        predicate = same ? bind_both(b, SQL_EXPR_AND, predicate, same) : NULL;
        if (!predicate)
            return NULL;
    }
    struct sql_plan *join = bind_plan_join(b, SQL_PLAN_JOIN, kind, left, right, predicate);
    if (!join || half)
        return join;
    unsigned *which = bind_alloc(b, l + r + u->count, sizeof *which);
    if (!which || kind == SQL_JOIN_FULL)
        return which ? bind_null(b, -1, "0A000",
                                 "a FULL JOIN within a subquery cannot refer to the "
                                 "query around it")
                     : NULL;
    unsigned from = kind == SQL_JOIN_RIGHT ? l + u->count + r : l;
    for (unsigned i = 0; i < l + r + u->count; i++)
        which[i] = i < l ? i : i < l + r ? i + u->count : from + i - l - r;
    return bind_plan_pick(b, join, which, l + r + u->count);
}

/* A condition that alone uses the outer columns is a filter above the join. */
static struct sql_plan *push_join(struct sql_binder *b, struct unnesting *u,
                                  struct sql_plan *node) {
    unsigned l = node->input[0]->columns, r = node->input[1]->columns;
    int left_own = is_own(b, node->input[0]), right_own = is_own(b, node->input[1]);
    bool inner = node->join == SQL_JOIN_INNER;
    if (left_own < 0 || right_own < 0)
        return NULL;
    if (inner && !left_own && !right_own && node->predicate) {
        struct sql_plan *plain =
            bind_plan_join(b, SQL_PLAN_JOIN, SQL_JOIN_INNER, node->input[0], node->input[1], NULL);
        struct sql_plan *filter = plain ? bind_plan_filter(b, plain, node->predicate) : NULL;
        return filter ? push_filter(b, u, filter) : NULL;
    }
    if (right_own && inner && !left_own) {
        struct sql_plan *right = unnest_push(b, u, node->input[1]);
        struct sql_expr *e = node->predicate;
        if (!right || (e && !(e = shift(b, e, l + r, 0, 0))))
            return NULL;
        return bind_plan_join(b, SQL_PLAN_JOIN, SQL_JOIN_INNER, node->input[0], right, e);
    }
    if (right_own || node->join == SQL_JOIN_RIGHT || node->join == SQL_JOIN_FULL)
        return push_both(b, u, node);
    struct sql_plan *left = unnest_push(b, u, node->input[0]);
    struct sql_expr *e = node->predicate;
    if (!left || (e && !(e = shift(b, e, l, l, u->count))))
        return NULL;
    struct sql_plan *join = bind_plan_join(b, SQL_PLAN_JOIN, node->join, left, node->input[1], e);
    return !join || bind_join_is_half(node->join) ? join : domain_last(b, u, join, l, r);
}

struct sql_expr *unnest_empty_value(struct sql_binder *b, const struct sql_plan_aggregate *a) {
    struct sql_expr *e = bind_null_constant(b, a->type, -1);
    if (!e || !a->aggregate || a->aggregate->ordered_set)
        return e;
    _Alignas(16) uint8_t state[128] = {0};
    struct sql_type types[SQL_CALL_ARGUMENTS_MAX];
    for (unsigned i = 0; i < a->count; i++)
        types[i] = a->arguments[i]->type;
    struct sql_error ignored = {0};
    struct sql_call call = {.memory = b->memory,
                            .settings = b->settings,
                            .error = &ignored,
                            .types = types,
                            .count = a->count,
                            .result = a->type};
    union sql_cell cell;
    check(a->aggregate->state_bytes <= sizeof state);
    if (a->aggregate->result_of(&call, state, &cell) == 0 && !call.null) {
        e->null = false;
        e->cell = cell;
    }
    return e;
}

/* AGGREGATE over the pushed input, grouped by the domain's columns too: groups, domain, rest. */
static struct sql_plan *group_with_domain(struct sql_binder *b, struct unnesting *u,
                                          struct sql_plan *node) {
    struct sql_plan *input = unnest_push(b, u, node->input[0]);
    struct sql_plan *p =
        input ? bind_plan(b, SQL_PLAN_AGGREGATE, 1, node->columns + u->count) : NULL;
    if (!p || !(p->group = bind_alloc(b, node->groups + u->count, sizeof *p->group)))
        return NULL;
    unsigned base = node->input[0]->columns;
    p->input[0] = input;
    p->groups = node->groups + u->count;
    for (unsigned i = 0; i < node->groups; i++)
        if (!(p->group[i] = shift(b, node->group[i], base, 0, 0)))
            return NULL;
    for (unsigned i = 0; i < u->count; i++)
        if (!(p->group[node->groups + i] =
                  bind_column(b, base + i, input->column[base + i].type, -1)))
            return NULL;
    p->aggregates = node->aggregates;
    p->aggregate = node->aggregate;
    for (unsigned i = 0; i < p->aggregates; i++) {
        struct sql_plan_aggregate *a = &p->aggregate[i];
        for (unsigned k = 0; k < a->count; k++)
            if (!(a->arguments[k] = shift(b, a->arguments[k], base, 0, 0)))
                return NULL;
        for (unsigned k = 0; k < a->order_count; k++)
            if (!(a->order[k] = shift(b, a->order[k], base, 0, 0)))
                return NULL;
        if (a->filter && !(a->filter = shift(b, a->filter, base, 0, 0)))
            return NULL;
    }
    for (unsigned i = 0; i < node->columns; i++)
        p->column[i < node->groups ? i : i + u->count] = node->column[i];
    for (unsigned i = 0; i < u->count; i++)
        p->column[node->groups + i] = input->column[base + i];
    return p;
}

struct sql_plan *unnest_group(struct sql_binder *b, struct unnesting *u, struct sql_plan *node) {
    return domain_last(b, u, group_with_domain(b, u, node), node->groups, node->aggregates);
}

/* Without groups there is a row for each value, also where nothing was aggregated. */
static struct sql_plan *fill_empty(struct sql_binder *b, struct unnesting *u, struct sql_plan *node,
                                   struct sql_plan *grouped) {
    struct sql_plan *domain = make_domain(b, u);
    struct sql_expr *predicate = NULL;
    for (unsigned i = 0; domain && i < u->count; i++) {
        unsigned right = u->count + node->columns + i;
        struct sql_expr *same = unnest_same(b, bind_column(b, i, domain->column[i].type, -1),
                                            bind_column(b, right, domain->column[i].type, -1));
        predicate = same ? bind_both(b, SQL_EXPR_AND, predicate, same) : NULL;
        if (!predicate)
            return NULL;
    }
    struct sql_plan *join =
        predicate ? bind_plan_join(b, SQL_PLAN_JOIN, SQL_JOIN_LEFT, domain, grouped, predicate)
                  : NULL;
    struct sql_expr **e = join ? bind_alloc(b, node->columns + u->count + 1, sizeof *e) : NULL;
    if (!e)
        return NULL;
    for (unsigned i = 0; i < node->columns + u->count; i++) {
        bool own = i < node->columns;
        unsigned at = own ? u->count + i : i - node->columns;
        e[i] = bind_column(b, at, join->column[at].type, -1);
        struct sql_expr *empty = own && e[i] ? unnest_empty_value(b, &node->aggregate[i]) : NULL;
        if (!e[i] || (own && !empty))
            return NULL;
        if (!own || empty->null)
            continue;
        struct sql_expr *filled = bind_expr(b, SQL_EXPR_COALESCE, e[i]->type, -1, 2);
        if (!filled)
            return NULL;
        filled->arguments[0] = e[i];
        filled->arguments[1] = empty;
        e[i] = filled;
    }
    return bind_plan_project(b, join, e, NULL, node->columns + u->count);
}

static struct sql_plan *push_aggregate(struct sql_binder *b, struct unnesting *u,
                                       struct sql_plan *node) {
    if (node->grouping_sets)
        return bind_null(b, -1, "0A000",
                         "grouping sets within a subquery that refers to the query "
                         "around it are not supported");
    struct sql_plan *grouped = unnest_group(b, u, node);
    return grouped && node->groups == 0 ? fill_empty(b, u, node, grouped) : grouped;
}

/* A node over one input that adds columns behind it, and may partition. */
static struct sql_plan *push_over(struct sql_binder *b, struct unnesting *u,
                                  struct sql_plan *node) {
    unsigned before = node->input[0]->columns, after = node->columns - before;
    struct sql_plan *input = unnest_push(b, u, node->input[0]);
    struct sql_plan *p = input ? bind_plan(b, node->kind, 1, node->columns + u->count) : NULL;
    if (!p)
        return NULL;
    struct sql_plan own = *p;
    *p = *node;
    p->number = own.number;
    p->input = own.input;
    p->column = own.column;
    p->columns = own.columns;
    p->input[0] = input;
    bind_move(p->column, input->column, input->columns * sizeof *p->column);
    bind_move(p->column + input->columns, node->column + before, after * sizeof *p->column);
    if (node->kind == SQL_PLAN_TOP || node->kind == SQL_PLAN_WINDOW ||
        node->kind == SQL_PLAN_SESSION) {
        unsigned *partition = bind_alloc(b, node->partitions + u->count, sizeof *partition);
        if (!partition)
            return NULL;
        for (unsigned i = 0; i < node->partitions + u->count; i++)
            partition[i] =
                i < node->partitions ? node->partition[i] : before + i - node->partitions;
        p->partition = partition;
        p->partitions = node->partitions + u->count;
    }
    struct shifting s = {before, 0, 0};
    for (unsigned i = 0; i < p->sets; i++)
        for (unsigned a = 0; a < p->set[i].count; a++)
            if (!(p->set[i].arguments[a] = bind_map(b, p->set[i].arguments[a], shift_node, &s)))
                return NULL;
    for (unsigned i = 0; i < p->windows; i++)
        for (unsigned a = 0; a < p->window[i].count; a++)
            if (!(p->window[i].arguments[a] =
                      bind_map(b, p->window[i].arguments[a], shift_node, &s)))
                return NULL;
    for (unsigned i = 0; i < p->windows; i++)
        if (p->window[i].filter &&
            !(p->window[i].filter = bind_map(b, p->window[i].filter, shift_node, &s)))
            return NULL;
    return after ? domain_last(b, u, p, before, after) : p;
}

static struct sql_plan *push_each(struct sql_binder *b, struct unnesting *u,
                                  struct sql_plan *node) {
    struct sql_plan *p = bind_plan(b, node->kind, node->inputs, node->columns + u->count);
    if (!p)
        return NULL;
    p->all = node->all;
    for (unsigned i = 0; i < node->inputs; i++)
        if (!(p->input[i] = unnest_push(b, u, node->input[i])))
            return NULL;
    bind_move(p->column, node->column, node->columns * sizeof *p->column);
    bind_move(p->column + node->columns, p->input[0]->column + node->columns,
              u->count * sizeof *p->column);
    return p;
}

/* Rows made of outer columns: projections of the domain. */
static struct sql_plan *push_values(struct sql_binder *b, struct unnesting *u,
                                    struct sql_plan *node) {
    struct sql_plan *domain = make_domain(b, u);
    struct sql_plan **rows = domain ? bind_alloc(b, node->rows, sizeof *rows) : NULL;
    for (unsigned r = 0; rows && r < node->rows; r++) {
        struct sql_expr **e = bind_alloc(b, node->columns + u->count, sizeof *e);
        for (unsigned i = 0; e && i < node->columns + u->count; i++) {
            e[i] = i < node->columns ? shift(b, node->expression[r * node->columns + i], 0, 0, 0)
                                     : bind_column(b, i - node->columns,
                                                   domain->column[i - node->columns].type, -1);
            if (!e[i])
                return NULL;
        }
        if (!e || !(rows[r] = bind_plan_project(b, domain, e, NULL, node->columns + u->count)))
            return NULL;
    }
    return !rows ? NULL : node->rows == 1 ? rows[0] : bind_plan_union(b, rows, node->rows);
}

static struct sql_plan *push_kind(struct sql_binder *b, struct unnesting *u,
                                  struct sql_plan *node) {
    switch (node->kind) {
    case SQL_PLAN_FILTER:
        return push_filter(b, u, node);
    case SQL_PLAN_PROJECT:
        return push_project(b, u, node);
    case SQL_PLAN_JOIN:
        return push_join(b, u, node);
    case SQL_PLAN_AGGREGATE:
        return push_aggregate(b, u, node);
    case SQL_PLAN_DISTINCT:
    case SQL_PLAN_TOP:
    case SQL_PLAN_WINDOW:
    case SQL_PLAN_SET:
    case SQL_PLAN_TUMBLE:
    case SQL_PLAN_SESSION:
        return push_over(b, u, node);
    case SQL_PLAN_UNION:
    case SQL_PLAN_INTERSECT:
    case SQL_PLAN_EXCEPT:
        return push_each(b, u, node);
    case SQL_PLAN_VALUES:
        return push_values(b, u, node);
    case SQL_PLAN_SCAN:     /* not correlated */
    case SQL_PLAN_APPLY:    /* gone */
    case SQL_PLAN_TEMPORAL: /* made later */
        break;
    }
    check(node->inputs && node->kind != SQL_PLAN_APPLY && node->kind != SQL_PLAN_TEMPORAL);
    return NULL;
}

struct sql_plan *unnest_push(struct sql_binder *b, struct unnesting *u, struct sql_plan *node) {
    bool known = node->number < u->memo_count;
    if (known && u->memo[node->number])
        return u->memo[node->number];
    int own = is_own(b, node);
    if (own < 0 || bind_enter(b) < 0)
        return NULL;
    struct sql_plan *made = own ? push_kind(b, u, node) : with_domain(b, u, node);
    bind_leave(b);
    if (known)
        u->memo[node->number] = made;
    return made;
}
