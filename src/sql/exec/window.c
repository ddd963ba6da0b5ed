/*
 * window.c - window functions: each row with what it is told of the rows around it.
 *
 *      push       row -> partition, in order                    touched partitions in a list
 *      end_step   touched: all values computed anew, those that differ from what was told are
 *                 told: the old row goes, the new one comes
 *
 * The values told are kept with the row. A partition is computed whole, for a change may reach any
 * row of it; a view with large partitions that change all the time is better written with GROUP BY
 * or a limit.
 */
#include "sql/exec/window.h"

#define PARTITION_BYTES_MAX ((size_t)1 << 30)

static int windowed_make(struct window *w, struct windowed *f, struct sql_error *error) {
    struct sql_operator *o = &w->base;
    const struct sql_plan_window *plan = f->plan;
    f->types = operator_zalloc(o, plan->count + 1, sizeof *f->types);
    f->cells = operator_zalloc(o, plan->count + 1, sizeof *f->cells);
    f->nulls = operator_zalloc(o, plan->count + 1, sizeof *f->nulls);
    if (!f->types || !f->cells || !f->nulls)
        return sql_fail_memory(error);
    for (unsigned i = 0; i < plan->count; i++)
        f->types[i] = plan->arguments[i]->type;
    f->call = (struct sql_call){.settings = o->exec->options.settings,
                                .types = f->types,
                                .count = plan->count,
                                .result = plan->type};
    int r = operator_evaluators(o, plan->arguments, plan->count, &f->argument, error);
    if (r == 0 && plan->filter)
        r = sql_evaluator_new(plan->filter, &o->exec->environment, &f->filter, error);
    if (r == 0)
        r = window_offsets(w, f, error);
    return r;
}

static int window_make(struct sql_operator *o, struct sql_error *error) {
    struct window *w = (struct window *)o;
    const struct sql_plan *plan = o->plan;
    w->arena = arena_make((size_t)64 << 10, PARTITION_BYTES_MAX);
    w->windowed = operator_zalloc(o, plan->windows + 1, sizeof *w->windowed);
    w->results = operator_zalloc(o, plan->windows + 1, sizeof *w->results);
    if (!w->windowed || !w->results)
        return sql_fail_memory(error);
    int r = operator_builder(o, plan->input[0]->columns, &w->rows, error);
    for (unsigned i = 0; r == 0 && i < plan->windows; i++) {
        w->windowed[i].plan = &plan->window[i];
        r = windowed_make(w, &w->windowed[i], error);
    }
    return r ? r : sql_partitions_make(&w->partitions, o, offsetof(struct placed, bytes), error);
}

/* ---- rows come ---------------------------------------------------------------------------- */

static int row_add(struct window *w, struct sql_partition *p, size_t row_at, int64_t weight,
                   struct sql_error *error) {
    slice key = buf_slice(&w->base.bytes);
    struct sql_node *found = sql_tree_find(&p->rows, &w->partitions.order, key);
    sql_partition_touch(&w->partitions, p);
    if (found) {
        sql_tree_weigh(found, weight);
        return 0;
    }
    struct placed *n = sql_slab_take(&w->partitions.slab, offsetof(struct placed, bytes) + key.len);
    if (!n)
        return operator_fail_state(&w->base, error);
    *n = (struct placed){.node = {.key_len = (uint32_t)key.len, .weight = weight},
                         .row_at = (uint32_t)row_at};
    memcpy(n->bytes, key.ptr ? key.ptr : "", key.len);
    sql_tree_add(&p->rows, &w->partitions.order, &n->node);
    return 0;
}

static int window_push(struct sql_operator *o, unsigned input, const struct sql_batch *batch,
                       struct sql_error *error) {
    (void)input;
    struct window *w = (struct window *)o;
    const struct sql_type *types = o->input[0]->types;
    int r = sql_partitions_push(&w->partitions, batch, error);
    for (unsigned row = 0; r == 0 && row < batch->rows; row++) {
        struct sql_partition *p = sql_partition_of(&w->partitions, row, error);
        if (!p)
            return -ENOMEM;
        buf_clear(&o->bytes);
        r = sql_key_encode(batch, types, o->plan->order, o->plan->orders, row, &o->bytes);
        size_t row_at = o->bytes.len;
        if (r == 0)
            r = sql_row_encode(batch, types, NULL, batch->columns, row, false, &o->bytes);
        if (r)
            return operator_fail(o, r, error);
        r = row_add(w, p, row_at, sql_weight_at(batch, row), error);
    }
    return r;
}

/* ---- the step ends ------------------------------------------------------------------------ */

/* N's columns, then VALUES, which lie encoded. */
static int tell(struct window *w, const struct placed *n, slice values, int64_t weight,
                struct sql_error *error) {
    struct sql_operator *o = &w->base;
    unsigned columns = o->plan->input[0]->columns;
    slice row = slice_make(n->bytes + n->row_at, n->node.key_len - n->row_at), copy;
    int r = operator_room(o, error);
    if (r == 0)
        r = operator_put(o, row, o->types, columns, 0, error);
    if (r == 0) /* what was told is freed before the batch is handed on */
        r = arena_copy(&o->out.memory, values, &copy) ? sql_fail_memory(error) : 0;
    if (r == 0)
        r = operator_put(o, copy, o->types + columns, o->plan->windows, columns, error);
    if (r == 0)
        sql_builder_end(&o->out, weight);
    return r;
}

/* Cuts the values of one time off *TOLD: [length: 4][row]. */
static slice told_take(slice *told) {
    uint32_t len;
    memcpy(&len, told->ptr, sizeof len);
    slice values = slice_take(slice_skip(*told, sizeof len), len);
    *told = slice_skip(*told, sizeof len + len);
    return values;
}

/* Appends the values of place AT to o->bytes. */
static int values_encode(struct window *w, size_t at) {
    struct sql_operator *o = &w->base;
    unsigned windows = o->plan->windows, columns = o->plan->input[0]->columns;
    for (unsigned i = 0; i < windows; i++)
        w->results[i] =
            (struct sql_column){&w->windowed[i].result[at], &w->windowed[i].result_null[at], 0};
    struct sql_batch one = {1, windows, w->results, NULL};
    size_t head = o->bytes.len;
    uint32_t len = 0;
    int r = buf_append(&o->bytes, slice_make(&len, sizeof len));
    if (r == 0)
        r = sql_row_encode(&one, o->types + columns, NULL, windows, 0, false, &o->bytes);
    if (r)
        return r;
    len = (uint32_t)(o->bytes.len - head - sizeof len);
    memcpy(o->bytes.ptr + head, &len, sizeof len);
    return 0;
}

/* Tells the difference between what was told of N and o->bytes, TIMES values; keeps the latter. */
static int placed_tell(struct window *w, struct placed *n, int64_t times, struct sql_error *error) {
    struct sql_operator *o = &w->base;
    slice old = slice_make(n->told, n->told_len), new = buf_slice(&o->bytes);
    int r = 0;
    for (int64_t i = 0; r == 0 && (i < n->told_times || i < times); i++) {
        slice was = {NULL, 0}, is = {NULL, 0};
        if (i < n->told_times)
            was = told_take(&old);
        if (i < times)
            is = told_take(&new);
        if (i < n->told_times && i < times && slice_equal(was, is))
            continue;
        if (i < n->told_times)
            r = tell(w, n, was, -1, error);
        if (r == 0 && i < times)
            r = tell(w, n, is, 1, error);
    }
    if (n->told)
        sql_slab_give(&w->partitions.slab, n->told, n->told_len);
    n->told = NULL;
    n->told_times = times;
    n->told_len = (uint32_t)o->bytes.len;
    if (r || times == 0)
        return r;
    n->told = sql_slab_take(&w->partitions.slab, o->bytes.len);
    if (!n->told)
        return operator_fail_state(o, error);
    memcpy(n->told, o->bytes.ptr, o->bytes.len);
    return 0;
}

static int partition_tell(struct window *w, struct sql_partition *p, struct sql_error *error) {
    struct sql_operator *o = &w->base;
    arena_reset(&w->arena);
    int r = window_layout(w, p, error);
    for (unsigned i = 0; r == 0 && i < o->plan->windows; i++)
        r = window_compute(w, &w->windowed[i], error);
    size_t at = 0;
    for (struct sql_node *n = sql_tree_first(&p->rows); r == 0 && n; n = sql_node_next(n)) {
        int64_t times = n->weight > 0 ? n->weight : 0;
        buf_clear(&o->bytes);
        for (int64_t i = 0; r == 0 && i < times; i++)
            r = values_encode(w, at++);
        if (r)
            return operator_fail(o, r, error);
        r = placed_tell(w, (struct placed *)n, times, error);
    }
    return r;
}

/* Frees the rows of P that are gone, and P where none is left. */
static void partition_settle(struct sql_operator *o, struct sql_partition *p) {
    struct window *w = (struct window *)o;
    for (struct sql_node *n = sql_tree_first(&p->rows), *next; n; n = next) {
        next = sql_node_next(n);
        if (n->weight)
            continue;
        sql_tree_remove(&p->rows, n);
        sql_slab_give(&w->partitions.slab, n, offsetof(struct placed, bytes) + n->key_len);
    }
    if (!p->rows.root)
        sql_partition_free(&w->partitions, p);
}

static int window_end_step(struct sql_operator *o, struct sql_error *error) {
    struct window *w = (struct window *)o;
    int r = 0;
    for (struct sql_partition *p = w->partitions.first; r == 0 && p; p = p->next)
        r = partition_tell(w, p, error);
    if (r == 0)
        r = operator_flush(o, error);
    if (r)
        return r;
    sql_partitions_settle(&w->partitions, partition_settle);
    return 0;
}

/* ---- the state as bytes ------------------------------------------------------------------- */

static int save_row(const struct sql_node *node, struct sql_saving *s) {
    const struct placed *n = (const struct placed *)node;
    saving_number(s, node->weight);
    saving_count(s, n->row_at);
    saving_bytes(s, slice_make(n->bytes, node->key_len));
    saving_bytes(s, slice_make(n->told, n->told ? n->told_len : 0));
    return 0;
}

static int window_save(const struct sql_operator *o, struct sql_saving *s) {
    return sql_partitions_save(&((const struct window *)o)->partitions, save_row, s);
}

/* Is TOLD the values of so many TIMES? */
static bool is_told(slice told, int64_t times) {
    for (; times > 0; times--) {
        uint32_t len = 0;
        if (told.len >= sizeof len)
            memcpy(&len, told.ptr, sizeof len);
        if (told.len < sizeof len || len > told.len - sizeof len)
            return false;
        (void)told_take(&told);
    }
    return told.len == 0;
}

/* A row of the step's end has told its values as often as it is there. */
static int load_row(struct sql_operator *o, struct sql_partition *p, struct sql_loading *l) {
    struct window *w = (struct window *)o;
    int64_t weight = loading_number(l), times = weight > 0 ? weight : 0;
    uint64_t row_at = loading_count(l);
    slice key = loading_bytes(l), told = loading_bytes(l);
    if (!loading_whole(l) || key.len > UINT32_MAX || told.len > UINT32_MAX || row_at > key.len ||
        !is_told(told, times))
        return -EBADMSG;
    struct placed *n = sql_slab_take(&w->partitions.slab, offsetof(struct placed, bytes) + key.len);
    if (!n)
        return -ENOBUFS;
    *n = (struct placed){.node = {.key_len = (uint32_t)key.len, .weight = weight},
                         .told_len = (uint32_t)told.len,
                         .told_times = times,
                         .row_at = (uint32_t)row_at};
    memcpy(n->bytes, key.ptr ? key.ptr : "", key.len);
    int r = sql_tree_append(&p->rows, &w->partitions.order, &n->node);
    if (r) {
        sql_slab_give(&w->partitions.slab, n, offsetof(struct placed, bytes) + key.len);
        return r;
    }
    n->told = times ? sql_slab_take(&w->partitions.slab, told.len) : NULL;
    if (n->told)
        memcpy(n->told, told.ptr, told.len);
    return times && !n->told ? -ENOBUFS : 0;
}

static int window_load(struct sql_operator *o, struct sql_loading *l) {
    return sql_partitions_load(&((struct window *)o)->partitions, load_row, l);
}

static void window_release(struct sql_operator *o) {
    struct window *w = (struct window *)o;
    sql_builder_free(&w->rows);
    arena_free(&w->arena);
    for (unsigned i = 0; w->windowed && i < o->plan->windows; i++) {
        struct windowed *f = &w->windowed[i];
        operator_evaluators_free(f->argument, o->plan->window[i].count);
        sql_evaluator_free(f->filter);
        sql_call_release(&f->call);
        sql_call_release(&f->plus);
        sql_call_release(&f->minus);
    }
    sql_partitions_release(&w->partitions);
}

const struct sql_operator_kind sql_operator_window = {.bytes = sizeof(struct window),
                                                      .make = window_make,
                                                      .push = window_push,
                                                      .end_step = window_end_step,
                                                      .release = window_release,
                                                      .save = window_save,
                                                      .load = window_load};
