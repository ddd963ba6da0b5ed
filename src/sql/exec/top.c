/*
 * top.c - ORDER BY … LIMIT, of the whole or of each partition.
 *
 *      partition -> tree of rows   key [order][row bytes], so that equal places have one order, too
 *
 *      ROW_NUMBER   places offset … offset + limit
 *      RANK         the same, and all that are equal to the last of them
 *      DENSE_RANK   rows of the first `limit` different places
 *
 * A partition touched in a step is looked at once more at its end: each row tells the difference
 * between how often it is to be seen and how often it was. Where rows never go, those behind the
 * last that counts are not kept. Without an order, `once` hands on the first rows that come.
 */
#include "sql/exec/partition.h"

struct ranked {
    struct sql_node node;
    struct ranked *next_shown; /* of those of its partition that were told */
    int64_t shown, was;        /* how often it was told; before this step's end */
    uint32_t row_at;           /* where in bytes the row begins; it ends with the key */
    char bytes[];
};

struct top {
    struct sql_operator base;
    struct sql_partitions partitions; /* own: struct ranked, the first of those told */
    int64_t limit, offset;
    bool prunes, passes; /* passes: hands on what comes until there is enough */
    int64_t passed;
    struct ranked *gone; /* out of their trees, freed when they were told */
};

static int top_make(struct sql_operator *o, struct sql_error *error) {
    struct top *t = (struct top *)o;
    const struct sql_plan *plan = o->plan;
    int r = sql_partitions_make(&t->partitions, o, offsetof(struct ranked, bytes), error);
    if (r == 0)
        r = operator_constant(o, plan->limit, INT64_MAX, &t->limit, error);
    if (r == 0)
        r = operator_constant(o, plan->offset, 0, &t->offset, error);
    if (r)
        return r;
    if (t->limit < 0)
        return sql_fail(error, "2201W", "LIMIT must not be negative");
    if (t->offset < 0)
        return sql_fail(error, "2201X", "OFFSET must not be negative");
    t->prunes = o->input[0]->append_only && t->limit < INT64_MAX - t->offset &&
                plan->top != SQL_TOP_DENSE_RANK;
    t->passes = o->exec->options.once && plan->orders == 0 && plan->partitions == 0 &&
                plan->top == SQL_TOP_ROW_NUMBER;
    return 0;
}

/* The last place that is seen, counted from 0, plus one. */
static int64_t end_of(const struct top *t) {
    return t->limit < INT64_MAX - t->offset ? t->limit + t->offset : INT64_MAX;
}

bool sql_top_is_full(const struct sql_operator *o) {
    const struct top *t = (const struct top *)o;
    return t->passes && t->passed >= end_of(t);
}

/* ---- rows come ---------------------------------------------------------------------------- */

static int pass(struct top *t, const struct sql_batch *batch, struct sql_error *error) {
    struct sql_operator *o = &t->base;
    for (unsigned row = 0; row < batch->rows && t->passed < end_of(t); row++) {
        int64_t from = t->passed, weight = sql_weight_at(batch, row);
        t->passed += weight;
        int64_t low = from > t->offset ? from : t->offset;
        int64_t high = t->passed < end_of(t) ? t->passed : end_of(t);
        if (high <= low)
            continue;
        for (unsigned i = 0; i < batch->columns; i++)
            sql_builder_set(&o->out, i, sql_cell_at(&batch->column[i], row),
                            sql_null_at(&batch->column[i], row));
        sql_builder_end(&o->out, high - low);
    }
    return operator_flush(o, error);
}

static size_t ranked_bytes(const struct ranked *n) {
    return offsetof(struct ranked, bytes) + n->node.key_len;
}

static slice ranked_place(const struct ranked *n) {
    return slice_make(n->bytes, n->row_at);
}

static void ranked_drop(struct top *t, struct sql_partition *p, struct ranked *n) {
    sql_tree_remove(&p->rows, &n->node);
    sql_slab_give(&t->partitions.slab, n, ranked_bytes(n));
}

/* How many rows stand before N, or (RANK) before the first of those equal to it. */
static int64_t rank_of(const struct top *t, const struct sql_partition *p, const struct ranked *n) {
    if (t->base.plan->top == SQL_TOP_ROW_NUMBER)
        return sql_node_before(&n->node);
    return sql_node_before(sql_tree_at_least(&p->rows, &t->partitions.order, ranked_place(n)));
}

/* Drops from the end what can never be seen. Rows told stay until the step ends. */
static void prune(struct top *t, struct sql_partition *p) {
    struct ranked *n = (struct ranked *)sql_tree_last(&p->rows);
    while (n && n->shown == 0 && rank_of(t, p, n) >= end_of(t)) {
        ranked_drop(t, p, n);
        n = (struct ranked *)sql_tree_last(&p->rows);
    }
}

/* Are there enough rows, all of them before KEY? */
static bool is_behind_all(const struct top *t, const struct sql_partition *p, slice key,
                          size_t row_at) {
    const struct sql_node *last = sql_tree_last(&p->rows);
    if (!last || p->rows.root->total < end_of(t))
        return false;
    if (t->base.plan->top == SQL_TOP_ROW_NUMBER)
        return slice_compare(key, sql_node_key(&t->partitions.order, last)) > 0;
    return slice_compare(slice_take(key, row_at), ranked_place((const struct ranked *)last)) > 0;
}

/* The row whose key is in o->bytes, its place before ROW_AT. */
static int partition_add(struct top *t, struct sql_partition *p, size_t row_at, int64_t weight,
                         struct sql_error *error) {
    slice key = buf_slice(&t->base.bytes);
    if (t->prunes && is_behind_all(t, p, key, row_at))
        return 0;
    sql_partition_touch(&t->partitions, p);
    struct sql_node *found = sql_tree_find(&p->rows, &t->partitions.order, key);
    if (found) {
        sql_tree_weigh(found, weight);
        if (found->weight == 0 && ((struct ranked *)found)->shown == 0)
            ranked_drop(t, p, (struct ranked *)found);
        return 0;
    }
    struct ranked *n = sql_slab_take(&t->partitions.slab, offsetof(struct ranked, bytes) + key.len);
    if (!n)
        return operator_fail_state(&t->base, error);
    *n = (struct ranked){.node = {.key_len = (uint32_t)key.len, .weight = weight},
                         .row_at = (uint32_t)row_at};
    memcpy(n->bytes, key.ptr ? key.ptr : "", key.len);
    sql_tree_add(&p->rows, &t->partitions.order, &n->node);
    if (t->prunes)
        prune(t, p);
    return 0;
}

static int top_push(struct sql_operator *o, unsigned input, const struct sql_batch *batch,
                    struct sql_error *error) {
    (void)input;
    struct top *t = (struct top *)o;
    const struct sql_plan *plan = o->plan;
    if (t->passes)
        return pass(t, batch, error);
    int r = sql_partitions_push(&t->partitions, batch, error);
    for (unsigned row = 0; r == 0 && row < batch->rows; row++) {
        struct sql_partition *p = sql_partition_of(&t->partitions, row, error);
        if (!p)
            return -ENOMEM;
        buf_clear(&o->bytes);
        r = sql_key_encode(batch, o->types, plan->order, plan->orders, row, &o->bytes);
        size_t row_at = o->bytes.len;
        if (r == 0)
            r = sql_row_encode(batch, o->types, NULL, plan->columns, row, false, &o->bytes);
        if (r)
            return operator_fail(o, r, error);
        r = partition_add(t, p, row_at, sql_weight_at(batch, row), error);
    }
    return r;
}

/* ---- the step ends ------------------------------------------------------------------------ */

static slice ranked_row(const struct ranked *n) {
    return slice_make(n->bytes + n->row_at, n->node.key_len - n->row_at);
}

/* Walks the partition in order. */
struct walk {
    int64_t at, places; /* rows and places passed */
    int64_t rank;       /* rows before the place at hand */
    const struct ranked *before;
};

/* How often N, the next in order, is to be seen; < 0: neither it nor any behind it. */
static int64_t visible(const struct top *t, struct walk *w, const struct ranked *n) {
    int64_t end = end_of(t), from = w->at, weight = n->node.weight;
    bool new_place = !w->before || !slice_equal(ranked_place(n), ranked_place(w->before));
    if (weight <= 0)
        return 0;
    if (new_place) {
        w->places++;
        w->rank = from;
    }
    w->before = n;
    w->at += weight;
    if (t->base.plan->top == SQL_TOP_DENSE_RANK)
        return w->places <= end && w->places > t->offset ? weight : w->places > end ? -1 : 0;
    if (t->base.plan->top == SQL_TOP_RANK && w->rank < end)
        end = INT64_MAX;
    if (from >= end)
        return -1;
    int64_t low = from > t->offset ? from : t->offset, high = w->at < end ? w->at : end;
    return high > low ? high - low : 0;
}

/* Marks what is to be seen of P now; those rows become its list. */
static void partition_mark(struct top *t, struct sql_partition *p) {
    struct walk w = {.before = NULL};
    struct ranked *first = NULL, **last = &first;
    for (struct sql_node *at = sql_tree_first(&p->rows); at; at = sql_node_next(at)) {
        struct ranked *n = (struct ranked *)at;
        int64_t count = visible(t, &w, n);
        if (count < 0)
            break;
        if (count == 0)
            continue;
        n->shown = count;
        *last = n;
        last = &n->next_shown;
    }
    *last = NULL;
    p->own = first;
}

static int ranked_tell(struct top *t, const struct ranked *n, bool gone, struct sql_error *error) {
    int64_t change = n->shown - n->was;
    if (change == 0 || (change < 0) != gone)
        return 0;
    return operator_put_row(&t->base, ranked_row(n), change, error);
}

/* Tells what has changed of P: first what goes, then what comes. */
static int partition_tell(struct top *t, struct sql_partition *p, struct sql_error *error) {
    size_t count = 0;
    for (struct ranked *n = p->own; n; n = n->next_shown)
        count++;
    struct ranked **old = arena_alloc(&t->base.memory, (count + 1) * sizeof(struct ranked *));
    if (!old)
        return sql_fail_memory(error);
    count = 0;
    for (struct ranked *n = p->own; n; n = n->next_shown) {
        old[count++] = n;
        n->was = n->shown;
        n->shown = 0;
    }
    partition_mark(t, p);
    int r = 0;
    for (size_t i = 0; r == 0 && i < count; i++)
        r = ranked_tell(t, old[i], true, error);
    for (struct ranked *n = p->own; r == 0 && n; n = n->next_shown)
        r = ranked_tell(t, n, false, error);
    for (size_t i = 0; i < count; i++) {
        old[i]->was = 0;
        if (old[i]->node.weight || old[i]->shown)
            continue;
        sql_tree_remove(&p->rows, &old[i]->node);
        old[i]->next_shown = t->gone;
        t->gone = old[i];
    }
    return r;
}

static void partition_settle(struct sql_operator *o, struct sql_partition *p) {
    struct top *t = (struct top *)o;
    if (t->prunes)
        prune(t, p);
    if (!p->rows.root)
        sql_partition_free(&t->partitions, p);
}

static int top_end_step(struct sql_operator *o, struct sql_error *error) {
    struct top *t = (struct top *)o;
    int r = 0;
    for (struct sql_partition *p = t->partitions.first; r == 0 && p; p = p->next)
        r = partition_tell(t, p, error);
    if (r == 0)
        r = operator_flush(o, error);
    if (r)
        return r;
    for (struct ranked *n = t->gone, *next; n; n = next) {
        next = n->next_shown;
        sql_slab_give(&t->partitions.slab, n, ranked_bytes(n));
    }
    t->gone = NULL;
    sql_partitions_settle(&t->partitions, partition_settle);
    return 0;
}

/* ---- the state as bytes ------------------------------------------------------------------- */

static int save_row(const struct sql_node *node, struct sql_saving *s) {
    const struct ranked *n = (const struct ranked *)node;
    saving_number(s, node->weight);
    saving_number(s, n->shown);
    saving_count(s, n->row_at);
    saving_bytes(s, slice_make(n->bytes, node->key_len));
    return 0;
}

static int top_save(const struct sql_operator *o, struct sql_saving *s) {
    return sql_partitions_save(&((const struct top *)o)->partitions, save_row, s);
}

/* Those that were told are a list in the order of the tree. */
static int load_row(struct sql_operator *o, struct sql_partition *p, struct sql_loading *l) {
    struct top *t = (struct top *)o;
    struct ranked *before = l->last[0];
    int64_t weight = loading_number(l), shown = loading_number(l);
    uint64_t row_at = loading_count(l);
    slice key = loading_bytes(l);
    if (!loading_whole(l) || key.len > UINT32_MAX || row_at > key.len || shown < 0 ||
        (shown > 0 && shown > weight))
        return -EBADMSG;
    struct ranked *n = sql_slab_take(&t->partitions.slab, offsetof(struct ranked, bytes) + key.len);
    if (!n)
        return -ENOBUFS;
    *n = (struct ranked){.node = {.key_len = (uint32_t)key.len, .weight = weight},
                         .shown = shown,
                         .row_at = (uint32_t)row_at};
    memcpy(n->bytes, key.ptr ? key.ptr : "", key.len);
    int r = sql_tree_append(&p->rows, &t->partitions.order, &n->node);
    if (r) {
        sql_slab_give(&t->partitions.slab, n, ranked_bytes(n));
        return r;
    }
    if (!shown)
        return 0;
    if (before)
        before->next_shown = n;
    else
        p->own = n;
    l->last[0] = n;
    return 0;
}

static int top_load(struct sql_operator *o, struct sql_loading *l) {
    return sql_partitions_load(&((struct top *)o)->partitions, load_row, l);
}

static void top_release(struct sql_operator *o) {
    sql_partitions_release(&((struct top *)o)->partitions);
}

const struct sql_operator_kind sql_operator_top = {.bytes = sizeof(struct top),
                                                   .make = top_make,
                                                   .push = top_push,
                                                   .end_step = top_end_step,
                                                   .release = top_release,
                                                   .save = top_save,
                                                   .load = top_load};
