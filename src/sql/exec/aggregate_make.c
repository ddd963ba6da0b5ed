/*
 * aggregate_make.c - decides how each aggregate of a node is kept, and lays out a group.
 */
#include "sql/exec/aggregate.h"

/* Aggregates whose result is the first or the last of their values in order. */
static bool takes_an_end(const struct sql_aggregate *aggregate, bool *ret_last) {
    static const struct {
        const char *name;
        bool last;
    } ends[] = {
        {"min", false}, {"max", true}, {"bool_and", false}, {"every", false}, {"bool_or", true}};
    for (size_t i = 0; i < array_count(ends); i++) {
        *ret_last = ends[i].last;
        if (strcmp(aggregate->name, ends[i].name) == 0 && aggregate->count == 1)
            return true;
    }
    return false;
}

static enum keeping keeping_of(const struct aggregate *a, struct folded *f) {
    const struct sql_plan_aggregate *p = f->plan;
    if (!p->aggregate)
        return KEEP_GROUPING;
    bool end = takes_an_end(p->aggregate, &f->last);
    if (end && a->retracts)
        return KEEP_ENDS;
    if (end) /* of distinct values it is the same, and no order matters */
        return KEEP_FOLD;
    /* What cannot take away may also depend on the order (array_agg): of DISTINCT values it is
       their own, as in PostgreSQL, which sorts them. */
    if (p->order_count || p->aggregate->ordered_set ||
        ((a->retracts || p->distinct) && !p->aggregate->invertible))
        return KEEP_BAG;
    return p->distinct ? KEEP_DISTINCT : KEEP_FOLD;
}

/* E for the rows that pass the aggregate's FILTER only: `avg(1 / x) FILTER (WHERE x <> 0)` divides
   by no zero. What cannot fail stays as it is, so that DISTINCT arguments are found equal. */
static struct sql_expr *guarded(struct aggregate *a, const struct folded *f, struct sql_expr *e) {
    if (!f->plan->filter || e->count == 0)
        return e;
    struct sql_expr *guard = operator_zalloc(&a->base, 1, sizeof *guard);
    struct sql_expr **arguments = operator_zalloc(&a->base, 2, sizeof *arguments);
    if (!guard || !arguments)
        return NULL;
    arguments[0] = f->plan->filter;
    arguments[1] = e;
    *guard = (struct sql_expr){
        .kind = SQL_EXPR_CASE, .type = e->type, .location = -1, .count = 2, .arguments = arguments};
    return guard;
}

/* The arguments; of WITHIN GROUP the ordered values follow the direct ones. */
static int make_arguments(struct aggregate *a, struct folded *f, struct sql_error *error) {
    const struct sql_plan_aggregate *p = f->plan;
    bool within = p->aggregate->ordered_set && p->count <= p->aggregate->direct;
    f->count = p->count + (within ? p->order_count : 0);
    f->arguments = operator_zalloc(&a->base, f->count + 1, sizeof *f->arguments);
    f->types = operator_zalloc(&a->base, f->count + 1, sizeof *f->types);
    f->columns = operator_zalloc(&a->base, f->count + 1, sizeof *f->columns);
    f->cells = operator_zalloc(&a->base, f->count + 1, sizeof *f->cells);
    f->nulls = operator_zalloc(&a->base, f->count + 1, 1);
    if (!f->arguments || !f->types || !f->columns || !f->cells || !f->nulls)
        return sql_fail_memory(error);
    for (unsigned i = 0; i < f->count; i++) {
        f->arguments[i] = guarded(a, f, i < p->count ? p->arguments[i] : p->order[i - p->count]);
        if (!f->arguments[i])
            return sql_fail_memory(error);
        f->types[i] = f->arguments[i]->type;
    }
    f->call = (struct sql_call){.settings = a->base.exec->options.settings,
                                .types = f->types,
                                .count = f->count,
                                .result = p->type,
                                .nulls = f->nulls};
    return operator_evaluators(&a->base, f->arguments, f->count, &f->argument, error);
}

static int make_order(struct aggregate *a, struct folded *f, struct sql_error *error) {
    const struct sql_plan_aggregate *p = f->plan;
    unsigned count = f->keeping == KEEP_ENDS ? 1 : p->order_count;
    f->order_columns = operator_zalloc(&a->base, count + 1, sizeof *f->order_columns);
    f->order_types = operator_zalloc(&a->base, count + 1, sizeof *f->order_types);
    f->order_keys = operator_zalloc(&a->base, count + 1, sizeof *f->order_keys);
    if (!f->order_columns || !f->order_types || !f->order_keys)
        return sql_fail_memory(error);
    if (f->keeping == KEEP_ENDS) {
        f->order_types[0] = f->types[0];
        return 0;
    }
    for (unsigned i = 0; i < count; i++) {
        f->order_types[i] = p->order[i]->type;
        f->order_keys[i] = p->order_how[i];
        f->order_keys[i].column = i;
    }
    return operator_evaluators(&a->base, p->order, count, &f->order, error);
}

static bool same_arguments(const struct distinct *d, const struct folded *f) {
    if (d->count != f->count || d->users == DISTINCT_USERS_MAX)
        return false;
    for (unsigned i = 0; i < d->count; i++) {
        if (!sql_expr_equal(d->arguments[i], f->arguments[i]))
            return false;
    }
    return true;
}

/* Finds or makes the map of distinct values for F. */
static int make_distinct(struct aggregate *a, struct folded *f, struct sql_error *error) {
    struct distinct **at = &a->distincts;
    unsigned number = 0;
    for (; *at && !same_arguments(*at, f); number++)
        at = &(*at)->next;
    if (!*at) {
        struct distinct *d = operator_zalloc(&a->base, 1, sizeof *d);
        if (!d)
            return sql_fail_memory(error);
        d->number = number;
        d->count = f->count;
        d->arguments = f->arguments;
        *at = d;
        int r = sql_keys_of_expressions(&a->base, f->arguments, f->count, &d->keys, error);
        if (r)
            return r;
    }
    f->distinct = *at;
    f->slot = f->distinct->users++;
    return 0;
}

static int make_folded(struct aggregate *a, struct folded *f, struct sql_error *error) {
    f->keeping = keeping_of(a, f);
    if (f->keeping == KEEP_GROUPING)
        return 0;
    bool end = takes_an_end(f->plan->aggregate, &f->last);
    f->gathers = f->plan->aggregate->release && !f->plan->aggregate->invertible && !end;
    int r = make_arguments(a, f, error);
    if (r == 0 && f->plan->filter)
        r = sql_evaluator_new(f->plan->filter, &a->base.exec->environment, &f->filter, error);
    if (r == 0 && keeps_bag(f))
        r = make_order(a, f, error);
    if (r == 0 && f->keeping == KEEP_DISTINCT)
        r = make_distinct(a, f, error);
    bool bag = keeps_bag(f);
    unsigned bytes = bag ? sizeof(struct sql_tree) : f->plan->aggregate->state_bytes;
    f->state_at = (unsigned)offsetof(struct group, bytes) + a->states_bytes;
    a->states_bytes += (bytes + STATE_ALIGN - 1) / STATE_ALIGN * STATE_ALIGN;
    return r;
}

static int make_sets(struct aggregate *a, struct sql_error *error) {
    const struct sql_plan *plan = a->base.plan;
    a->sets = plan->grouping_sets ? plan->grouping_sets : 1;
    a->set = operator_zalloc(&a->base, a->sets, sizeof *a->set);
    if (!a->set)
        return sql_fail_memory(error);
    for (unsigned i = 0; i < a->sets; i++)
        a->set[i] = plan->grouping_sets ? plan->grouping_set[i] : UINT64_MAX;
    return 0;
}

/* The group's expressions, and with several sets the number of the set. */
static int make_keys(struct aggregate *a, struct sql_error *error) {
    struct sql_operator *o = &a->base;
    const struct sql_plan *plan = o->plan;
    unsigned count = plan->groups + (a->sets > 1);
    struct sql_expr **e = operator_zalloc(o, count + 1, sizeof *e);
    struct sql_expr *number = operator_zalloc(o, 1, sizeof *number);
    a->group_columns = operator_zalloc(o, count + 1, sizeof *a->group_columns);
    if (!e || !number || !a->group_columns)
        return sql_fail_memory(error);
    *number =
        (struct sql_expr){.kind = SQL_EXPR_CONST, .type = sql_type_of(SQL_INT4), .location = -1};
    for (unsigned i = 0; i < count; i++)
        e[i] = i < plan->groups ? plan->group[i] : number;
    int r = sql_keys_of_expressions(o, e, count, &a->keys, error);
    if (r == 0)
        a->exact = sql_canonical_is_exact(a->keys->types, count);
    return r;
}

int aggregate_make(struct sql_operator *o, struct sql_error *error) {
    struct aggregate *a = (struct aggregate *)o;
    const struct sql_plan *plan = o->plan;
    sql_slab_make(&a->slab, &o->exec->budget);
    a->last = &a->first;
    a->shown = buf_make(SQL_TEXT_BYTES_MAX * 4);
    a->retracts = !o->input[0]->append_only;
    a->closes = plan->close_group >= 0 && plan->groups > 0 && !o->exec->options.once;
    a->folded = operator_zalloc(o, plan->aggregates + 1, sizeof *a->folded);
    a->results = operator_zalloc(o, plan->aggregates + 1, sizeof *a->results);
    a->result_cells = operator_zalloc(o, plan->aggregates + 1, sizeof *a->result_cells);
    a->result_nulls = operator_zalloc(o, plan->aggregates + 1, 1);
    a->row_cells = operator_zalloc(o, plan->groups + 2, sizeof *a->row_cells);
    a->row_nulls = operator_zalloc(o, plan->groups + 2, 1);
    if (!a->folded || !a->results || !a->result_cells || !a->result_nulls || !a->row_cells ||
        !a->row_nulls)
        return sql_fail_memory(error);
    int r = make_sets(a, error);
    if (r == 0)
        r = make_keys(a, error);
    for (unsigned i = 0; r == 0 && i < plan->aggregates; i++) {
        a->folded[i].plan = &plan->aggregate[i];
        a->results[i] = (struct sql_column){&a->result_cells[i], &a->result_nulls[i], 0};
        r = make_folded(a, &a->folded[i], error);
    }
    if (r)
        return r;
    sql_index_make(&a->index, &o->exec->budget,
                   (unsigned)offsetof(struct group, bytes) + a->states_bytes);
    for (struct distinct *d = a->distincts; d; d = d->next) {
        d->words = a->retracts ? d->users : 1;
        sql_index_make(&d->index, &o->exec->budget,
                       (unsigned)(offsetof(struct value, counts) + d->words * sizeof(int64_t)));
    }
    a->bag_order.key_at = offsetof(struct bagged, bytes);
    a->close_order.key_at = offsetof(struct closing, key);
    return r;
}
