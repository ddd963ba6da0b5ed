/*
 * temporal.c - rows that are there up to a moment of the clock, or from one on.
 *
 *     until      comes ──────── there ────────| goes        waits to go
 *     from       comes  - - - - - - - - - - - | there …     waits to come
 *
 * Rows whose moment is still to come stand in order of it, each with its weight; those whose moment
 * has passed are not held. The clock moves between the rows of a step, when the host says so, and
 * never back: what comes out depends on what went in and on the moments that were told.
 */
#include "sql/exec/operator.h"

#define MOMENT_BYTES 8u

struct pending {
    struct sql_node node;
    uint32_t row_at; /* of bytes: the moment and the row in canonical form are before it */
    uint32_t len;
    char bytes[];
};

struct temporal {
    struct sql_operator base;
    struct sql_evaluator *time;
    struct sql_slab slab;
    struct sql_order order;
    struct sql_tree rows;
};

static int temporal_make(struct sql_operator *o, struct sql_error *error) {
    struct temporal *t = (struct temporal *)o;
    sql_slab_make(&t->slab, &o->exec->budget);
    t->order.key_at = offsetof(struct pending, bytes);
    return sql_evaluator_new(o->plan->expression[0], &o->exec->environment, &t->time, error);
}

static size_t pending_bytes(const struct pending *p) {
    return offsetof(struct pending, bytes) + p->len;
}

static void forget(struct temporal *t, struct pending *p) {
    sql_tree_remove(&t->rows, &p->node);
    t->base.exec->budget.rows--;
    sql_slab_give(&t->slab, p, pending_bytes(p));
}

static int64_t moment_of(const struct pending *p) {
    uint64_t bits = 0;
    for (unsigned i = 0; i < MOMENT_BYTES; i++)
        bits = bits << 8 | (uint8_t)p->bytes[i];
    return (int64_t)(bits ^ (uint64_t)1 << 63);
}

/* The moment, the row's canonical form, and the row: into o->bytes. */
static int encode(struct sql_operator *o, const struct sql_batch *batch, unsigned row,
                  int64_t moment, size_t *ret_row_at) {
    uint64_t bits = (uint64_t)moment ^ (uint64_t)1 << 63;
    char head[MOMENT_BYTES];
    for (unsigned i = 0; i < MOMENT_BYTES; i++)
        head[i] = (char)(bits >> (56 - 8 * i));
    buf_clear(&o->bytes);
    int r = buf_append(&o->bytes, slice_make(head, MOMENT_BYTES));
    if (r == 0)
        r = sql_row_encode(batch, o->types, NULL, batch->columns, row, true, &o->bytes);
    *ret_row_at = o->bytes.len;
    return r ? r : sql_row_encode(batch, o->types, NULL, batch->columns, row, false, &o->bytes);
}

static int hold(struct temporal *t, const struct sql_batch *batch, unsigned row, int64_t moment,
                struct sql_error *error) {
    struct sql_operator *o = &t->base;
    int64_t weight = sql_weight_at(batch, row);
    size_t row_at;
    int r = encode(o, batch, row, moment, &row_at);
    if (r)
        return operator_fail(o, r, error);
    slice all = buf_slice(&o->bytes);
    struct pending *p =
        (struct pending *)sql_tree_find(&t->rows, &t->order, slice_take(all, row_at));
    if (p) {
        sql_tree_weigh(&p->node, weight);
        if (p->node.weight == 0)
            forget(t, p);
        return 0;
    }
    p = sql_slab_take(&t->slab, offsetof(struct pending, bytes) + all.len);
    if (!p)
        return operator_fail_state(o, error);
    *p = (struct pending){.node = {.key_len = (uint32_t)row_at, .weight = weight},
                          .row_at = (uint32_t)row_at,
                          .len = (uint32_t)all.len};
    memcpy(p->bytes, all.ptr, all.len);
    sql_tree_add(&t->rows, &t->order, &p->node);
    o->exec->budget.rows++;
    return 0;
}

/* When a row of TIME comes or goes; false: never, *RET_THERE says whether it is. */
static bool find_moment(const struct sql_operator *o, int64_t time, int64_t *ret, bool *ret_there) {
    bool ends = o->plan->ends;
    if (time == SQL_INFINITY || time == SQL_MINUS_INFINITY) {
        *ret_there = (time == SQL_INFINITY) == ends;
        return false;
    }
    if (__builtin_add_overflow(time, o->plan->offset_time, ret))
        *ret = o->plan->offset_time > 0 ? INT64_MAX - 1 : INT64_MIN;
    *ret_there = (o->exec->clock < *ret) == ends;
    return o->exec->clock < *ret;
}

static int temporal_push(struct sql_operator *o, unsigned input, const struct sql_batch *batch,
                         struct sql_error *error) {
    (void)input;
    struct temporal *t = (struct temporal *)o;
    struct sql_column time;
    int r = sql_evaluate(t->time, batch, &o->memory, &time, error);
    for (unsigned row = 0; r == 0 && row < batch->rows; row++) {
        int64_t moment = 0;
        bool there = false;
        if (sql_null_at(&time, row))
            continue;
        bool waits = find_moment(o, sql_cell_at(&time, row)->i, &moment, &there);
        if (waits)
            r = hold(t, batch, row, moment, error);
        if (r == 0 && there)
            r = operator_room(o, error);
        if (r || !there)
            continue;
        for (unsigned i = 0; i < batch->columns; i++)
            sql_builder_set(&o->out, i, sql_cell_at(&batch->column[i], row),
                            sql_null_at(&batch->column[i], row));
        sql_builder_end(&o->out, sql_weight_at(batch, row));
    }
    return r ? r : operator_flush(o, error);
}

static bool has_come(const struct temporal *t, const struct sql_node *n) {
    return n && moment_of((const struct pending *)n) <= t->base.exec->clock;
}

/* Some of those whose moment has come are told, then forgotten: *RET_COUNT. */
static int tell_some(struct temporal *t, unsigned *ret_count, struct sql_error *error) {
    struct sql_operator *o = &t->base;
    const struct sql_node *n = sql_tree_first(&t->rows);
    unsigned count = 0;
    int r = 0;
    for (; r == 0 && has_come(t, n) && !sql_builder_full(&o->out); n = sql_node_next(n), count++) {
        const struct pending *p = (const struct pending *)n;
        slice row = slice_make(p->bytes + p->row_at, p->len - p->row_at);
        r = operator_put_row(o, row, o->plan->ends ? -n->weight : n->weight, error);
    }
    if (r == 0)
        r = operator_flush(o, error);
    for (unsigned i = 0; r == 0 && i < count; i++)
        forget(t, (struct pending *)sql_tree_first(&t->rows));
    arena_reset(&o->memory);
    *ret_count = count;
    return r;
}

static int temporal_clock(struct sql_operator *o, struct sql_error *error) {
    unsigned count;
    int r;
    do {
        r = tell_some((struct temporal *)o, &count, error);
        if (r == 0)
            r = operator_go_on(o, error);
    } while (r == 0 && count);
    return r;
}

static int64_t temporal_next(const struct sql_operator *o) {
    const struct temporal *t = (const struct temporal *)o;
    const struct sql_node *first = sql_tree_first(&t->rows);
    return first ? moment_of((const struct pending *)first) : INT64_MAX;
}

static void temporal_release(struct sql_operator *o) {
    struct temporal *t = (struct temporal *)o;
    sql_evaluator_free(t->time);
    sql_slab_free(&t->slab);
}

const struct sql_operator_kind sql_operator_temporal = {.bytes = sizeof(struct temporal),
                                                        .make = temporal_make,
                                                        .push = temporal_push,
                                                        .clock = temporal_clock,
                                                        .next_moment = temporal_next,
                                                        .release = temporal_release};
