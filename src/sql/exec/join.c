/*
 * join.c - JOIN of all kinds, kept up to date from both sides.
 *
 *      a row of one side:   for each partner r of the other       (l, r) x weights
 *                           is it alone?                          (l, NULL) or l
 *                           have the partners now one more?       theirs go or come
 *
 * Both sides are taken as they come; the output is at every moment the join of what has come of
 * them, so nothing waits for the end of a step. A row whose key has a NULL has no partner and is
 * not kept (NOT IN, where it matters, is in join_null.c).
 *
 * `once` tells a row that is alone only when the other side has ended, so that nothing is taken
 * back, and does not keep rows of a side whose other side has ended. as_of_now(t) on the right:
 * the left's rows are answered when they come and forgotten.
 */
#include "sql/exec/join.h"

/* ---- making ------------------------------------------------------------------------------- */

static void decide_kind(struct join *j) {
    enum sql_join_kind kind = j->base.plan->join;
    bool left = kind == SQL_JOIN_LEFT || kind == SQL_JOIN_FULL || kind == SQL_JOIN_SCALAR ||
                kind == SQL_JOIN_ANTI || kind == SQL_JOIN_ANTI_NULL;
    bool right = kind == SQL_JOIN_RIGHT || kind == SQL_JOIN_FULL;
    j->lone[0] = kind == SQL_JOIN_SEMI ? LONE_MATCHED : left ? LONE_UNMATCHED : LONE_NEVER;
    j->lone[1] = right ? LONE_UNMATCHED : LONE_NEVER;
    j->gives_pairs = kind != SQL_JOIN_SEMI && kind != SQL_JOIN_ANTI && kind != SQL_JOIN_ANTI_NULL;
}

static int check_as_of_now(const struct join *j, struct sql_error *error) {
    enum sql_join_kind kind = j->base.plan->join;
    if (!j->frozen)
        return 0;
    if (kind != SQL_JOIN_INNER && kind != SQL_JOIN_LEFT)
        return sql_fail(error, "0A000", "as_of_now() works on the right of INNER and LEFT joins");
    if (j->retracts[0])
        return sql_fail(error, "0A000",
                        "the left side of a join with as_of_now() must only gain rows");
    return 0;
}

/* Of NOT IN a comparison that is unknown stands against a row as one that is true does. */
static struct sql_expr *not_false(struct join *j, struct sql_expr *predicate) {
    struct sql_expr *e = operator_zalloc(&j->base, 2, sizeof *e);
    struct sql_expr **arguments = operator_zalloc(&j->base, 2, sizeof *arguments);
    if (!e || !arguments)
        return NULL;
    arguments[0] = predicate;
    arguments[1] = &e[0];
    for (unsigned i = 0; i < 2; i++)
        e[i] = (struct sql_expr){.kind = i ? SQL_EXPR_NOT : SQL_EXPR_IS_FALSE,
                                 .type = sql_type_of(SQL_BOOL),
                                 .location = -1,
                                 .count = 1,
                                 .arguments = &arguments[i]};
    return &e[1];
}

static int make_predicate(struct join *j, struct sql_error *error) {
    struct sql_expr *e = j->base.plan->predicate;
    if (!e)
        return 0;
    if (j->base.plan->join == SQL_JOIN_ANTI_NULL)
        e = not_false(j, e);
    return e ? sql_evaluator_new(e, &j->base.exec->environment, &j->predicate, error)
             : sql_fail_memory(error);
}

static int join_make(struct sql_operator *o, struct sql_error *error) {
    struct join *j = (struct join *)o;
    const struct sql_plan *plan = o->plan;
    j->once = o->exec->options.once;
    j->frozen = !j->once && sql_plan_is_as_of_now(plan->input[1]);
    sql_slab_make(&j->slab, &o->exec->budget);
    sql_index_make(&j->groups, &o->exec->budget, offsetof(struct join_group, key));
    decide_kind(j);
    for (unsigned side = 0; side < 2; side++) {
        j->columns[side] = plan->input[side]->columns;
        j->types[side] = o->input[side]->types;
        j->retracts[side] = !o->input[side]->append_only;
        sql_index_make(&j->rows[side], &o->exec->budget, offsetof(struct joined, bytes));
        int r = sql_keys_of_expressions(o, side ? plan->right_key : plan->left_key, plan->keys,
                                        &j->keys[side], error);
        if (r)
            return r;
    }
    j->column_at[1] = j->columns[0];
    int r = operator_builder(o, j->columns[0] + j->columns[1], &j->pairs, error);
    if (r == 0)
        r = check_as_of_now(j, error);
    return r ? r : make_predicate(j, error);
}

/* ---- rows --------------------------------------------------------------------------------- */

/* Without a predicate: SIDE's total of G changes by WEIGHT; what does it mean for the others? */
static int total_changes(struct join *j, unsigned side, struct join_group *g, int64_t weight,
                         struct sql_error *error) {
    unsigned other = 1 - side;
    int64_t before = g->total[side];
    g->total[side] += weight;
    int turn = j->predicate || j->frozen ? 0 : join_turn(j, other, before, g->total[side]);
    if (turn == 0)
        return 0;
    for (struct joined *p = g->first[other]; p; p = p->next) {
        int r = join_lone_kept(j, other, p, turn * p->weight, error);
        if (r)
            return r;
    }
    return 0;
}

static int pair_all(struct join *j, const struct sql_batch *batch, unsigned row,
                    const struct join_group *g, struct sql_error *error) {
    int r = 0;
    for (struct joined *p = g->first[1 - j->side]; r == 0 && p; p = p->next)
        r = join_pair(j, batch, row, p, error);
    return r;
}

static int scalar_fails(struct sql_error *error) {
    return sql_fail(error, "21000",
                    "more than one row returned by a subquery used as an expression");
}

/* A row that comes: kept, paired, counted. Whether it is alone is asked when all pairs are through.
 */
static int join_row_push(struct join *j, unsigned side, const struct sql_batch *batch, unsigned row,
                         struct sql_error *error) {
    const struct sql_plan *plan = j->base.plan;
    struct join_row *at = &j->row[row];
    *at = (struct join_row){.group = NULL};
    if (j->keys[side]->null[row] && !plan->keys_null_equal)
        return 0;
    int r = join_group_find(j, side, row, join_stores(j, side), &at->group, error);
    struct join_group *g = at->group;
    if (r || !g)
        return r;
    if (join_stores(j, side))
        r = join_store(j, side, g, batch, row, &at->entry, error);
    if (r == 0 && (j->gives_pairs || j->predicate) && !(j->frozen && side == 1))
        r = pair_all(j, batch, row, g, error);
    if (!j->predicate)
        at->matches = g->total[1 - side];
    if (r == 0 && (join_stores(j, side) || j->once))
        r = total_changes(j, side, g, sql_weight_at(batch, row), error);
    if (r == 0 && plan->join == SQL_JOIN_SCALAR && !j->once)
        join_list(j, g);
    return r;
}

static int join_alone(struct join *j, unsigned side, const struct sql_batch *batch,
                      struct sql_error *error) {
    bool scalar = j->base.plan->join == SQL_JOIN_SCALAR && j->once && side == 0;
    for (unsigned row = 0; row < batch->rows; row++) {
        struct join_row *at = &j->row[row];
        if (at->entry)
            at->entry->matches = at->matches;
        if (scalar && at->matches > 1)
            return scalar_fails(error);
        /* Without a group there will be no partner, or the other side has ended. */
        bool certain = !at->group && j->lone[side] == LONE_UNMATCHED;
        if (!certain && !join_is_lone(j, side, at->matches))
            continue;
        int r = join_lone(j, side, batch, row, sql_weight_at(batch, row), error);
        if (r)
            return r;
    }
    return 0;
}

static int join_push(struct sql_operator *o, unsigned input, const struct sql_batch *batch,
                     struct sql_error *error) {
    struct join *j = (struct join *)o;
    struct sql_keys *k = j->keys[input];
    j->side = input;
    int r = sql_keys_columns(k, batch, error);
    if (r == 0)
        r = sql_keys_encode(k, batch->rows, error);
    if (r || o->plan->join == SQL_JOIN_ANTI_NULL)
        return r ? r : join_null_push(j, input, batch, error);
    for (unsigned row = 0; row < batch->rows; row++)
        sql_index_prefetch(&j->groups, k->hash[row]);
    for (unsigned row = 0; r == 0 && row < batch->rows; row++)
        r = join_row_push(j, input, batch, row, error);
    if (r == 0)
        r = join_pairs_flush(j, error);
    if (r == 0 && !(j->frozen && input == 1))
        r = join_alone(j, input, batch, error);
    if (r == 0)
        r = operator_flush(o, error);
    if (r == 0)
        join_sweep(j, batch->rows);
    return r;
}

/* ---- ends --------------------------------------------------------------------------------- */

/* Has some row of left in G more than one partner? */
static bool group_fails_scalar(const struct join *j, const struct join_group *g) {
    for (const struct joined *e = g->first[0]; e; e = e->next) {
        if (e->weight > 0 && (j->predicate ? e->matches : g->total[1]) > 1)
            return true;
    }
    return false;
}

static int join_end_step(struct sql_operator *o, struct sql_error *error) {
    struct join *j = (struct join *)o;
    if (o->plan->join != SQL_JOIN_SCALAR || j->once)
        return 0;
    while (j->list[0]) {
        struct join_group *g = j->list[0];
        if (group_fails_scalar(j, g))
            return scalar_fails(error);
        join_unlist(j, g);
    }
    return 0;
}

/* One side has ended: the rows kept of the other are settled. */
static int join_input_ended(struct sql_operator *o, unsigned input, struct sql_error *error) {
    struct join *j = (struct join *)o;
    unsigned side = 1 - input;
    bool own = j->predicate || o->plan->join == SQL_JOIN_ANTI_NULL;
    if (j->lone[side] != LONE_UNMATCHED)
        return 0;
    int r = 0;
    for (unsigned list = 0; list < 2; list++) {
        for (struct join_group *g = j->list[list]; r == 0 && g; g = g->next) {
            if (side == 0 && o->plan->join == SQL_JOIN_SCALAR && group_fails_scalar(j, g))
                return scalar_fails(error);
            for (struct joined *e = g->first[side]; r == 0 && e; e = e->next) {
                if ((own ? e->matches : g->total[input]) <= 0)
                    r = join_lone_kept(j, side, e, e->weight, error);
            }
        }
    }
    return r ? r : operator_flush(o, error);
}

static void join_release(struct sql_operator *o) {
    struct join *j = (struct join *)o;
    sql_keys_free(j->keys[0]);
    sql_keys_free(j->keys[1]);
    sql_evaluator_free(j->predicate);
    sql_builder_free(&j->pairs);
    if (!j->slab.budget)
        return;
    sql_index_free(&j->groups);
    sql_index_free(&j->rows[0]);
    sql_index_free(&j->rows[1]);
    sql_slab_free(&j->slab);
}

const struct sql_operator_kind sql_operator_join = {.bytes = sizeof(struct join),
                                                    .make = join_make,
                                                    .push = join_push,
                                                    .end_step = join_end_step,
                                                    .input_ended = join_input_ended,
                                                    .release = join_release,
                                                    .save = join_save,
                                                    .load = join_load};
