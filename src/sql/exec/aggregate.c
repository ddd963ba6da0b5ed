/*
 * aggregate.c - GROUP BY: groups found by key, their changes told at the end of a step.
 *
 *      push       row -> group(s), one a grouping set -> states       touched groups in a list
 *      end_step   touched group: the row told before goes (-1), the new one comes (+1)
 *
 * The values told are kept encoded with the group, so that what is taken back is what was given. A
 * group whose rows are gone is freed. The one group of no columns is there without rows, too.
 *
 * EMIT ON WINDOW CLOSE: groups hang in buckets by the time they close at. When the watermark has
 * reached it a bucket's groups are told once, and freed with all they hold; rows that come for such
 * a time later are dropped.
 */
#include "sql/exec/aggregate.h"

static slice group_key(const struct aggregate *a, const struct group *g) {
    return slice_make((const char *)g + a->index.key_at, g->key_len);
}

static slice group_exact_key(const struct aggregate *a, const struct group *g) {
    slice key = group_key(a, g);
    return g->exact_len ? slice_make(key.ptr + key.len, g->exact_len) : key;
}

static void group_touch(struct aggregate *a, struct group *g) {
    if (g->touched)
        return;
    g->touched = true;
    g->next = NULL;
    *a->last = g;
    a->last = &g->next;
}

/* ---- closing ------------------------------------------------------------------------------ */

void closing_key(int64_t time, char key[8]) {
    uint64_t bits = (uint64_t)time ^ (uint64_t)1 << 63;
    for (unsigned i = 0; i < 8; i++)
        key[i] = (char)(bits >> (56 - 8 * i));
}

/* Hangs G, which is new, into the bucket of the time it closes at. */
static int group_closes_at(struct aggregate *a, struct group *g, int64_t time,
                           struct sql_error *error) {
    char key[8];
    closing_key(time, key);
    struct sql_node *n = sql_tree_find(&a->closing, &a->close_order, slice_make(key, 8));
    struct closing *c = (struct closing *)n;
    if (!c) {
        c = sql_slab_take(&a->slab, sizeof *c);
        if (!c)
            return operator_fail_state(&a->base, error);
        *c = (struct closing){.node.key_len = 8, .time = time};
        memcpy(c->key, key, 8);
        c->last = &c->first;
        sql_tree_add(&a->closing, &a->close_order, &c->node);
    }
    g->next = NULL;
    *c->last = g;
    c->last = &g->next;
    return 0;
}

/* Can rows of this time not come any more, and has what they would belong to been told? */
static bool is_late(const struct aggregate *a, const struct sql_column *closes, unsigned row) {
    if (sql_null_at(closes, row))
        return true;
    int64_t watermark = a->base.watermark;
    return watermark != SQL_NO_WATERMARK && sql_cell_at(closes, row)->i <= watermark;
}

/* ---- groups ------------------------------------------------------------------------------- */

static struct group *group_new(struct aggregate *a, unsigned set, const struct sql_batch *keys,
                               unsigned row, struct sql_error *error) {
    struct sql_operator *o = &a->base;
    slice key = sql_keys_at(a->keys, row);
    buf_clear(&o->bytes);
    int r = a->exact
                ? 0
                : sql_row_encode(keys, a->keys->types, NULL, a->keys->count, row, false, &o->bytes);
    size_t head = a->index.key_at, bytes = head + key.len + o->bytes.len;
    struct group *g = r ? NULL : sql_slab_take(&a->slab, bytes);
    if (!g) {
        operator_fail_state(o, error);
        return NULL;
    }
    memset(g, 0, head);
    g->key_len = (uint32_t)key.len;
    g->exact_len = (uint32_t)o->bytes.len;
    g->hash = a->keys->hash[row];
    g->id = a->ids++;
    g->set = (uint16_t)set;
    if (key.len)
        memcpy((char *)g + head, key.ptr, key.len);
    if (o->bytes.len)
        memcpy((char *)g + head + key.len, o->bytes.ptr, o->bytes.len);
    r = sql_index_add(&a->index, g->hash, g);
    if (r == 0 && a->closes)
        r = group_closes_at(a, g, sql_cell_at(&keys->column[o->plan->close_group], row)->i, error);
    if (r) {
        sql_slab_give(&a->slab, g, bytes);
        operator_fail_state(o, error);
        return NULL;
    }
    return g;
}

/* The columns of the keys for one grouping set: those not in it are NULL. */
static void set_columns(struct aggregate *a, unsigned set, union sql_cell *number) {
    static const uint8_t null = 1;
    static const union sql_cell nothing = {.i = 0};
    struct sql_keys *k = a->keys;
    for (unsigned i = 0; i < a->base.plan->groups; i++) {
        bool in = a->set[set] >> i & 1;
        k->column[i] = in ? a->group_columns[i] : (struct sql_column){&nothing, &null, 0};
    }
    number->i = set;
    if (a->sets > 1)
        k->column[a->base.plan->groups] = (struct sql_column){number, NULL, 0};
}

/* Finds the groups of all rows in one set, and makes those that are not there. */
static int find_groups(struct aggregate *a, unsigned set, const struct sql_batch *batch,
                       struct sql_error *error) {
    struct sql_keys *k = a->keys;
    union sql_cell number;
    set_columns(a, set, &number);
    int r = sql_keys_encode(k, batch->rows, error);
    if (r)
        return r;
    struct sql_batch keys = {batch->rows, k->count, k->column, NULL};
    for (unsigned row = 0; row < batch->rows; row++)
        sql_index_prefetch(&a->index, k->hash[row]);
    for (unsigned row = 0; row < batch->rows; row++) {
        a->of_row[row] = NULL;
        if (a->closes && is_late(a, &k->column[a->base.plan->close_group], row))
            continue;
        struct group *g = sql_index_find(&a->index, k->hash[row], sql_keys_at(k, row));
        if (!g)
            g = group_new(a, set, &keys, row, error);
        if (!g)
            return -ENOMEM;
        g->rows += sql_weight_at(batch, row);
        a->of_row[row] = g;
        if (!a->closes)
            group_touch(a, g);
    }
    return 0;
}

static int aggregate_push(struct sql_operator *o, unsigned input, const struct sql_batch *batch,
                          struct sql_error *error) {
    (void)input;
    struct aggregate *a = (struct aggregate *)o;
    int r = sql_keys_columns(a->keys, batch, error);
    if (r == 0 && o->plan->groups)
        memcpy(a->group_columns, a->keys->column, o->plan->groups * sizeof *a->group_columns);
    if (r == 0)
        r = fold_evaluate(a, batch, error);
    for (unsigned set = 0; r == 0 && set < a->sets; set++) {
        r = find_groups(a, set, batch, error);
        if (r == 0)
            r = fold_rows(a, batch, error);
    }
    return r;
}

/* ---- telling ------------------------------------------------------------------------------ */

/* Is G's set of no columns? Then it has a row whatever comes. */
static bool is_whole(const struct aggregate *a, const struct group *g) {
    unsigned groups = a->base.plan->groups;
    return groups == 0 || (groups < 64 && (a->set[g->set] & (((uint64_t)1 << groups) - 1)) == 0);
}

/* G's own columns, into the row under way. */
static int put_key(struct aggregate *a, const struct group *g, struct sql_error *error) {
    struct sql_operator *o = &a->base;
    const struct sql_keys *k = a->keys;
    ptrdiff_t used = sql_row_decode(group_exact_key(a, g), k->types, k->count, &o->out.memory,
                                    a->row_cells, a->row_nulls);
    if (used < 0)
        return operator_fail(o, (int)used, error);
    for (unsigned i = 0; i < o->plan->groups; i++)
        sql_builder_set(&o->out, i, &a->row_cells[i], a->row_nulls[i]);
    return 0;
}

static int tell(struct aggregate *a, struct group *g, int64_t weight, slice shown,
                struct sql_error *error) {
    struct sql_operator *o = &a->base;
    const struct sql_plan *plan = o->plan;
    int r = operator_room(o, error);
    if (r == 0)
        r = put_key(a, g, error);
    if (r == 0)
        r = operator_put(o, shown, o->types + plan->groups, plan->aggregates, plan->groups, error);
    if (r == 0)
        sql_builder_end(&o->out, weight);
    return r;
}

/* The same of the values in a->result_cells. */
static int tell_results(struct aggregate *a, struct group *g, struct sql_error *error) {
    struct sql_operator *o = &a->base;
    const struct sql_plan *plan = o->plan;
    int r = put_key(a, g, error);
    if (r)
        return r;
    for (unsigned i = 0; i < plan->aggregates; i++)
        sql_builder_set(&o->out, plan->groups + i, &a->result_cells[i], a->result_nulls[i]);
    sql_builder_end(&o->out, 1);
    return 0;
}

static void shown_forget(struct aggregate *a, struct group *g) {
    if (g->shown)
        sql_slab_give(&a->slab, g->shown, g->shown_len);
    g->shown = NULL;
}

static int shown_keep(struct aggregate *a, struct group *g, struct sql_error *error) {
    size_t len = a->shown.len;
    if (g->shown && g->shown_len != len)
        shown_forget(a, g);
    if (!g->shown)
        g->shown = sql_slab_take(&a->slab, len);
    if (!g->shown)
        return operator_fail_state(&a->base, error);
    g->shown_len = (uint32_t)len;
    if (len)
        memcpy(g->shown, a->shown.ptr, len);
    return 0;
}

/* Tells what has changed of G. A flush in between would lose texts of the old row that lie in
   `shown`, so it is made before. */
static int group_tell(struct aggregate *a, struct group *g, struct sql_error *error) {
    struct sql_operator *o = &a->base;
    bool is = g->rows > 0 || is_whole(a, g), keeps = !o->exec->options.once;
    g->touched = false;
    int r = o->out.rows + 2 > SQL_BATCH_ROWS ? operator_flush(o, error) : 0;
    if (r || (!is && !g->shown))
        return r;
    if (is) {
        struct sql_batch results = {1, o->plan->aggregates, a->results, NULL};
        buf_clear(&a->shown);
        r = fold_results(a, g, error);
        if (r == 0 && keeps) {
            r = sql_row_encode(&results, o->types + o->plan->groups, NULL, o->plan->aggregates, 0,
                               false, &a->shown);
            r = r ? operator_fail(o, r, error) : 0;
        }
        if (r || (keeps && g->shown &&
                  slice_equal(buf_slice(&a->shown), slice_make(g->shown, g->shown_len))))
            return r;
    }
    if (g->shown) { /* the cells of the old row point to a copy, for `shown` is written over */
        slice old = slice_make(g->shown, g->shown_len), copy;
        r = arena_copy(&o->out.memory, old, &copy) ? sql_fail_memory(error)
                                                   : tell(a, g, -1, copy, error);
    }
    if (r == 0 && is)
        r = tell_results(a, g, error);
    if (r == 0 && is && keeps)
        return shown_keep(a, g, error);
    shown_forget(a, g);
    return r;
}

static void group_free(struct aggregate *a, struct group *g) {
    fold_release(a, g);
    shown_forget(a, g);
    sql_budget_give(&a->base.exec->budget, g->held);
    sql_index_remove(&a->index, g->hash, g);
    sql_slab_give(&a->slab, g, a->index.key_at + (size_t)g->key_len + g->exact_len);
}

/* Groups of no columns, which no row has to make. */
static int start(struct aggregate *a, struct sql_error *error) {
    a->started = true;
    for (unsigned set = 0; set < a->sets; set++) {
        struct group probe = {.set = (uint16_t)set};
        if (!is_whole(a, &probe))
            continue;
        union sql_cell number;
        set_columns(a, set, &number);
        int r = sql_keys_encode(a->keys, 1, error);
        if (r)
            return r;
        struct sql_keys *k = a->keys;
        struct sql_batch keys = {1, k->count, k->column, NULL};
        struct group *g = sql_index_find(&a->index, k->hash[0], sql_keys_at(k, 0));
        if (!g)
            g = group_new(a, set, &keys, 0, error);
        if (!g)
            return -ENOMEM;
        group_touch(a, g);
    }
    return 0;
}

static int aggregate_end_step(struct sql_operator *o, struct sql_error *error) {
    struct aggregate *a = (struct aggregate *)o;
    int r = a->started || a->closes ? 0 : start(a, error);
    for (struct group *g = a->first; r == 0 && g; g = g->next)
        r = group_tell(a, g, error);
    if (r == 0)
        r = operator_flush(o, error);
    if (r)
        return r;
    for (struct group *g = a->first, *next; g; g = next) {
        next = g->next;
        if (g->rows == 0 && !is_whole(a, g))
            group_free(a, g);
    }
    a->first = NULL;
    a->last = &a->first;
    return 0;
}

static void values_free(struct aggregate *a, struct group *g) {
    for (struct value *v = g->values, *next; v; v = next) {
        next = v->next;
        struct distinct *d = a->distincts;
        while (d->number != v->map)
            d = d->next;
        slice key = slice_make((char *)v + d->index.key_at, v->key_len);
        uint64_t hash = sql_hash_bytes(a->base.exec->seed, slice_skip(key, sizeof g->id));
        sql_index_remove(&d->index, sql_hash_bytes(hash, slice_make(&g->id, sizeof g->id)), v);
        sql_slab_give(&a->slab, v, d->index.key_at + key.len);
    }
}

static int close_bucket(struct aggregate *a, struct closing *c, struct sql_error *error) {
    struct sql_operator *o = &a->base;
    int r = 0;
    for (struct group *g = c->first; r == 0 && g; g = g->next) {
        if (g->rows <= 0)
            continue;
        r = operator_room(o, error);
        if (r == 0)
            r = fold_results(a, g, error);
        if (r == 0)
            r = tell_results(a, g, error);
    }
    if (r == 0)
        r = operator_flush(o, error);
    if (r)
        return r;
    for (struct group *g = c->first, *next; g; g = next) {
        next = g->next;
        values_free(a, g);
        group_free(a, g);
    }
    sql_tree_remove(&a->closing, &c->node);
    sql_slab_give(&a->slab, c, sizeof *c);
    return 0;
}

static int aggregate_watermark(struct sql_operator *o, struct sql_error *error) {
    struct aggregate *a = (struct aggregate *)o;
    int r = 0;
    while (r == 0 && a->closes) {
        struct closing *c = (struct closing *)sql_tree_first(&a->closing);
        if (!c || c->time > o->watermark)
            break;
        r = close_bucket(a, c, error);
    }
    return r;
}

/* ---- the end ------------------------------------------------------------------------------ */

static void groups_free(struct aggregate *a) {
    for (size_t i = 0; i < a->index.capacity; i++) { /* in no order: nothing comes out */
        if (a->index.slots[i].entry)
            fold_release(a, a->index.slots[i].entry);
    }
}

void aggregate_release(struct sql_operator *o) {
    struct aggregate *a = (struct aggregate *)o;
    if (a->index.budget)
        groups_free(a);
    for (unsigned i = 0; a->folded && i < o->plan->aggregates; i++) {
        struct folded *f = &a->folded[i];
        operator_evaluators_free(f->argument, f->count);
        sql_evaluator_free(f->filter);
        operator_evaluators_free(f->order, f->plan ? f->plan->order_count : 0);
        sql_call_release(&f->call);
    }
    for (struct distinct *d = a->distincts; d; d = d->next) {
        sql_keys_free(d->keys);
        if (d->index.budget)
            sql_index_free(&d->index);
    }
    sql_keys_free(a->keys);
    buf_free(&a->shown);
    if (a->index.budget)
        sql_index_free(&a->index);
    if (a->slab.budget)
        sql_slab_free(&a->slab);
}

const struct sql_operator_kind sql_operator_aggregate = {.bytes = sizeof(struct aggregate),
                                                         .make = aggregate_make,
                                                         .push = aggregate_push,
                                                         .end_step = aggregate_end_step,
                                                         .watermark = aggregate_watermark,
                                                         .release = aggregate_release,
                                                         .can_save = aggregate_can_save,
                                                         .save = aggregate_save,
                                                         .load = aggregate_load};
