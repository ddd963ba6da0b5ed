/*
 * aggregate_distinct.c - DISTINCT: how often each value stands in each group.
 *
 *      (group, value) -> counts of user 0, 1, …          a user: one aggregate with its FILTER
 *
 * A user is told of a value when its count leaves 0 or comes back to it. Where rows never go away
 * one bit a user says that it has been told.
 */
#include "sql/exec/aggregate.h"

static struct value *value_new(struct aggregate *a, struct distinct *d, struct group *g,
                               uint64_t hash, slice key, struct sql_error *error) {
    size_t bytes = d->index.key_at + key.len;
    struct value *v = sql_slab_take(&a->slab, bytes);
    if (!v) {
        operator_fail_state(&a->base, error);
        return NULL;
    }
    memset(v, 0, d->index.key_at);
    v->key_len = (uint32_t)key.len;
    v->map = d->number;
    memcpy((char *)v + d->index.key_at, key.ptr, key.len);
    if (sql_index_add(&d->index, hash, v)) {
        sql_slab_give(&a->slab, v, bytes);
        operator_fail_state(&a->base, error);
        return NULL;
    }
    if (a->closes) {
        v->next = g->values;
        g->values = v;
    }
    return v;
}

/* Counts WEIGHT of V for a user. +1: the value has come, -1: it has gone, 0: neither. */
static int value_count(const struct aggregate *a, struct value *v, unsigned slot, int64_t weight) {
    if (!a->retracts) {
        int64_t bit = (int64_t)((uint64_t)1 << slot);
        int come = !(v->counts[0] & bit);
        v->counts[0] |= bit;
        return come;
    }
    bool before = v->counts[slot] > 0;
    v->counts[slot] += weight;
    return (v->counts[slot] > 0) - before;
}

static void value_forget(struct aggregate *a, struct distinct *d, struct value *v, uint64_t hash) {
    for (unsigned i = 0; i < d->words; i++) {
        if (v->counts[i])
            return;
    }
    if (a->closes) /* it is in the group's list, and goes with it */
        return;
    sql_index_remove(&d->index, hash, v);
    sql_slab_give(&a->slab, v, d->index.key_at + v->key_len);
}

static bool distinct_wants(const struct aggregate *a, const struct distinct *d, unsigned row) {
    for (unsigned i = 0; i < a->base.plan->aggregates; i++) {
        const struct folded *f = &a->folded[i];
        if (f->distinct == d && (!f->counted || f->counted[row]))
            return true;
    }
    return false;
}

static int distinct_row(struct aggregate *a, struct distinct *d, struct value *v, unsigned row,
                        int64_t weight, struct sql_error *error) {
    for (unsigned i = 0; i < a->base.plan->aggregates; i++) {
        struct folded *f = &a->folded[i];
        if (f->distinct != d || (f->counted && !f->counted[row]))
            continue;
        int change = value_count(a, v, f->slot, weight);
        if (change == 0 || !fold_arguments(f, row))
            continue;
        f->call.memory = &a->base.memory;
        f->call.error = error;
        int r = f->plan->aggregate->add(&f->call, fold_state(f, a->of_row[row]), f->cells, change);
        if (r)
            return r;
    }
    return 0;
}

int fold_distinct(struct aggregate *a, struct distinct *d, const struct sql_batch *batch,
                  struct sql_error *error) {
    struct buf *bytes = &a->base.bytes;
    for (unsigned row = 0; row < batch->rows; row++) {
        struct group *g = a->of_row[row];
        if (!g || !distinct_wants(a, d, row))
            continue;
        slice part = sql_keys_at(d->keys, row);
        buf_clear(bytes);
        if (buf_append(bytes, slice_make(&g->id, sizeof g->id)) || buf_append(bytes, part))
            return operator_fail_state(&a->base, error);
        slice key = buf_slice(bytes);
        uint64_t hash = sql_hash_bytes(d->keys->hash[row], slice_make(&g->id, sizeof g->id));
        struct value *v = sql_index_find(&d->index, hash, key);
        if (!v)
            v = value_new(a, d, g, hash, key, error);
        if (!v)
            return -ENOMEM;
        int r = distinct_row(a, d, v, row, sql_weight_at(batch, row), error);
        if (r)
            return r;
        if (a->retracts)
            value_forget(a, d, v, hash);
    }
    return 0;
}
