/*
 * aggregate_bag.c - aggregates that keep their values: in order, folded anew for each result.
 *
 *      bag   key: [order][arguments]  ->  how often        the arguments' row behind the key
 *
 * min and max of rows that may go are the first or the last value. All others start from an empty
 * state whenever their group was touched: ORDER BY gives the order, DISTINCT counts each value
 * once.
 */
#include "sql/exec/aggregate.h"

/* The key of ROW, then its arguments, into o->bytes. Returns the key's length, or < 0. */
static ptrdiff_t bag_encode(struct aggregate *a, struct folded *f, const struct sql_batch *batch,
                            unsigned row) {
    struct buf *bytes = &a->base.bytes;
    unsigned orders = f->keeping == KEEP_ENDS ? 1 : f->plan->order_count;
    struct sql_batch order = {batch->rows, orders, f->order_columns, NULL};
    struct sql_batch arguments = {batch->rows, f->count, f->columns, NULL};
    buf_clear(bytes);
    int r = sql_key_encode(&order, f->order_types, f->order_keys, orders, row, bytes);
    for (unsigned i = 0; r == 0 && f->plan->distinct && orders == 0 && i < f->count; i++)
        r = sql_key_value(f->types[i].oid, sql_cell_at(&f->columns[i], row),
                          sql_null_at(&f->columns[i], row), false, false, bytes);
    if (r == 0 && f->keeping == KEEP_BAG)
        r = sql_row_encode(&arguments, f->types, NULL, f->count, row, f->plan->distinct, bytes);
    size_t key = bytes->len;
    if (r == 0)
        r = sql_row_encode(&arguments, f->types, NULL, f->count, row, false, bytes);
    return r ? r : (ptrdiff_t)key;
}

static size_t bagged_bytes(const struct bagged *b) {
    return offsetof(struct bagged, bytes) + b->node.key_len + b->arguments_len;
}

static int bag_add(struct aggregate *a, struct sql_tree *bag, size_t key_len, int64_t weight,
                   struct sql_error *error) {
    slice bytes = buf_slice(&a->base.bytes), key = slice_take(bytes, key_len);
    struct sql_node *n = sql_tree_find(bag, &a->bag_order, key);
    if (!n) {
        struct bagged *b = sql_slab_take(&a->slab, offsetof(struct bagged, bytes) + bytes.len);
        if (!b)
            return operator_fail_state(&a->base, error);
        b->node.key_len = (uint32_t)key_len;
        b->node.weight = weight;
        b->arguments_len = (uint32_t)(bytes.len - key_len);
        memcpy(b->bytes, bytes.ptr, bytes.len);
        sql_tree_add(bag, &a->bag_order, &b->node);
        return 0;
    }
    sql_tree_weigh(n, weight);
    if (n->weight == 0) {
        sql_tree_remove(bag, n);
        sql_slab_give(&a->slab, n, bagged_bytes((struct bagged *)n));
    }
    return 0;
}

int fold_bag(struct aggregate *a, struct folded *f, const struct sql_batch *batch,
             struct sql_error *error) {
    for (unsigned row = 0; row < batch->rows; row++) {
        struct group *g = a->of_row[row];
        if (!g || (f->counted && !f->counted[row]) || !fold_arguments(f, row))
            continue;
        ptrdiff_t key_len = bag_encode(a, f, batch, row);
        if (key_len < 0)
            return operator_fail(&a->base, (int)key_len, error);
        int r = bag_add(a, fold_state(f, g), (size_t)key_len, sql_weight_at(batch, row), error);
        if (r)
            return r;
    }
    return 0;
}

static int bagged_decode(struct folded *f, const struct bagged *b, struct arena *memory) {
    slice arguments = slice_make(b->bytes + b->node.key_len, b->arguments_len);
    ptrdiff_t used = sql_row_decode(arguments, f->types, f->count, memory, f->cells, f->nulls);
    return used < 0 ? (int)used : 0;
}

static int bag_fold(struct aggregate *a, struct folded *f, const struct sql_tree *bag, void *state,
                    struct sql_error *error) {
    int r = 0;
    for (struct sql_node *n = sql_tree_first(bag); r == 0 && n; n = sql_node_next(n)) {
        if (n->weight <= 0)
            continue;
        r = bagged_decode(f, (struct bagged *)n, f->call.memory);
        if (r)
            return operator_fail(&a->base, r, error);
        int64_t weight = f->plan->distinct ? 1 : n->weight;
        r = f->plan->aggregate->add(&f->call, state, f->cells, weight);
    }
    return r;
}

/* The first value that is there, from one end. */
static int bag_end(struct aggregate *a, struct folded *f, const struct sql_tree *bag,
                   union sql_cell *ret, bool *ret_null, struct sql_error *error) {
    struct sql_node *n = f->last ? sql_tree_last(bag) : sql_tree_first(bag);
    while (n && n->weight <= 0)
        n = f->last ? sql_node_prev(n) : sql_node_next(n);
    *ret_null = !n;
    if (!n)
        return 0;
    int r = bagged_decode(f, (struct bagged *)n, &a->base.out.memory);
    if (r)
        return operator_fail(&a->base, r, error);
    *ret = f->cells[0];
    return 0;
}

int bag_result(struct aggregate *a, struct folded *f, struct group *g, union sql_cell *ret,
               bool *ret_null, struct sql_error *error) {
    const struct sql_tree *bag = fold_state(f, g);
    if (f->keeping == KEEP_ENDS)
        return bag_end(a, f, bag, ret, ret_null, error);
    _Alignas(STATE_ALIGN) char state[128] = {0};
    f->call.memory = &a->base.out.memory;
    f->call.error = error;
    f->call.null = false;
    int r = bag_fold(a, f, bag, state, error);
    if (r == 0)
        r = f->plan->aggregate->result_of(&f->call, state, ret);
    *ret_null = f->call.null;
    /* The result may point into the state: it is copied before the state goes. */
    if (r == 0 && !*ret_null && f->plan->aggregate->release) {
        union sql_cell copy;
        if (sql_value_copy(f->plan->type.oid, ret, &a->base.out.memory, &copy))
            r = sql_fail_memory(error);
        else
            *ret = copy;
    }
    if (f->plan->aggregate->release)
        f->plan->aggregate->release(state);
    return r;
}

void bag_release(struct aggregate *a, struct sql_tree *bag) {
    while (bag->root) {
        struct sql_node *n = bag->root;
        sql_tree_remove(bag, n);
        sql_slab_give(&a->slab, n, bagged_bytes((struct bagged *)n));
    }
}
