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
#include "sql/exec/keys.h"
#include "sql/exec/snapshot.h"

struct ranked {
    struct sql_node node;
    struct ranked *next_shown; /* of those of its partition that were told */
    int64_t shown, was;        /* how often it was told; before this step's end */
    uint32_t row_at;           /* where in bytes the row begins; it ends with the key */
    char bytes[];
};

struct partition {
    uint32_t key_len;
    bool touched;
    uint64_t hash;
    struct sql_tree rows;
    struct ranked *shown;
    struct partition *next; /* of those touched in this step */
    char key[];
};

struct top {
    struct sql_operator base;
    struct sql_keys *keys;
    struct sql_slab slab;
    struct sql_index index;
    struct sql_order order;
    int64_t limit, offset;
    bool prunes, passes; /* passes: hands on what comes until there is enough */
    int64_t passed;
    struct partition *first, **last;
    struct ranked *gone; /* out of their trees, freed when they were told */
};

static int top_make(struct sql_operator *o, struct sql_error *error) {
    struct top *t = (struct top *)o;
    const struct sql_plan *plan = o->plan;
    sql_slab_make(&t->slab, &o->exec->budget);
    sql_index_make(&t->index, &o->exec->budget, offsetof(struct partition, key));
    t->order.key_at = offsetof(struct ranked, bytes);
    t->last = &t->first;
    int r = operator_constant(o, plan->limit, INT64_MAX, &t->limit, error);
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
    return sql_keys_of_columns(o, 0, plan->partition, plan->partitions, &t->keys, error);
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

/* A partition of KEY, which is not in yet; NULL: no state can be had. */
static struct partition *partition_new(struct top *t, uint64_t hash, slice key) {
    size_t bytes = offsetof(struct partition, key) + key.len;
    struct partition *p = sql_slab_take(&t->slab, bytes);
    if (!p)
        return NULL;
    *p = (struct partition){.key_len = (uint32_t)key.len, .hash = hash};
    memcpy(p->key, key.ptr ? key.ptr : "", key.len);
    if (sql_index_add(&t->index, hash, p)) {
        sql_slab_give(&t->slab, p, bytes);
        return NULL;
    }
    return p;
}

static struct partition *partition_of(struct top *t, unsigned row, struct sql_error *error) {
    slice key = sql_keys_at(t->keys, row);
    uint64_t hash = t->keys->hash[row];
    struct partition *p = sql_index_find(&t->index, hash, key);
    if (!p)
        p = partition_new(t, hash, key);
    if (!p)
        operator_fail_state(&t->base, error);
    return p;
}

static size_t ranked_bytes(const struct ranked *n) {
    return offsetof(struct ranked, bytes) + n->node.key_len;
}

static slice ranked_place(const struct ranked *n) {
    return slice_make(n->bytes, n->row_at);
}

static void ranked_drop(struct top *t, struct partition *p, struct ranked *n) {
    sql_tree_remove(&p->rows, &n->node);
    sql_slab_give(&t->slab, n, ranked_bytes(n));
}

/* How many rows stand before N, or (RANK) before the first of those equal to it. */
static int64_t rank_of(const struct top *t, const struct partition *p, const struct ranked *n) {
    if (t->base.plan->top == SQL_TOP_ROW_NUMBER)
        return sql_node_before(&n->node);
    return sql_node_before(sql_tree_at_least(&p->rows, &t->order, ranked_place(n)));
}

/* Drops from the end what can never be seen. Rows told stay until the step ends. */
static void prune(struct top *t, struct partition *p) {
    struct ranked *n = (struct ranked *)sql_tree_last(&p->rows);
    while (n && n->shown == 0 && rank_of(t, p, n) >= end_of(t)) {
        ranked_drop(t, p, n);
        n = (struct ranked *)sql_tree_last(&p->rows);
    }
}

static void partition_touch(struct top *t, struct partition *p) {
    if (p->touched)
        return;
    p->touched = true;
    p->next = NULL;
    *t->last = p;
    t->last = &p->next;
}

/* Are there enough rows, all of them before KEY? */
static bool is_behind_all(const struct top *t, const struct partition *p, slice key,
                          size_t row_at) {
    const struct sql_node *last = sql_tree_last(&p->rows);
    if (!last || p->rows.root->total < end_of(t))
        return false;
    if (t->base.plan->top == SQL_TOP_ROW_NUMBER)
        return slice_compare(key, sql_node_key(&t->order, last)) > 0;
    return slice_compare(slice_take(key, row_at), ranked_place((const struct ranked *)last)) > 0;
}

/* The row whose key is in o->bytes, its place before ROW_AT. */
static int partition_add(struct top *t, struct partition *p, size_t row_at, int64_t weight,
                         struct sql_error *error) {
    slice key = buf_slice(&t->base.bytes);
    if (t->prunes && is_behind_all(t, p, key, row_at))
        return 0;
    partition_touch(t, p);
    struct sql_node *found = sql_tree_find(&p->rows, &t->order, key);
    if (found) {
        sql_tree_weigh(found, weight);
        if (found->weight == 0 && ((struct ranked *)found)->shown == 0)
            ranked_drop(t, p, (struct ranked *)found);
        return 0;
    }
    struct ranked *n = sql_slab_take(&t->slab, offsetof(struct ranked, bytes) + key.len);
    if (!n)
        return operator_fail_state(&t->base, error);
    *n = (struct ranked){.node = {.key_len = (uint32_t)key.len, .weight = weight},
                         .row_at = (uint32_t)row_at};
    memcpy(n->bytes, key.ptr ? key.ptr : "", key.len);
    sql_tree_add(&p->rows, &t->order, &n->node);
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
    int r = sql_keys_columns(t->keys, batch, error);
    if (r == 0)
        r = sql_keys_encode(t->keys, batch->rows, error);
    for (unsigned row = 0; r == 0 && row < batch->rows; row++)
        sql_index_prefetch(&t->index, t->keys->hash[row]);
    for (unsigned row = 0; r == 0 && row < batch->rows; row++) {
        struct partition *p = partition_of(t, row, error);
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
static void partition_mark(struct top *t, struct partition *p) {
    struct walk w = {.before = NULL};
    struct ranked **last = &p->shown;
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
}

static int ranked_tell(struct top *t, const struct ranked *n, bool gone, struct sql_error *error) {
    int64_t change = n->shown - n->was;
    if (change == 0 || (change < 0) != gone)
        return 0;
    return operator_put_row(&t->base, ranked_row(n), change, error);
}

/* Tells what has changed of P: first what goes, then what comes. */
static int partition_tell(struct top *t, struct partition *p, struct sql_error *error) {
    size_t count = 0;
    for (struct ranked *n = p->shown; n; n = n->next_shown)
        count++;
    struct ranked **old = arena_alloc(&t->base.memory, (count + 1) * sizeof(struct ranked *));
    if (!old)
        return sql_fail_memory(error);
    count = 0;
    for (struct ranked *n = p->shown; n; n = n->next_shown) {
        old[count++] = n;
        n->was = n->shown;
        n->shown = 0;
    }
    partition_mark(t, p);
    int r = 0;
    for (size_t i = 0; r == 0 && i < count; i++)
        r = ranked_tell(t, old[i], true, error);
    for (struct ranked *n = p->shown; r == 0 && n; n = n->next_shown)
        r = ranked_tell(t, n, false, error);
    for (size_t i = 0; i < count; i++) {
        old[i]->was = 0;
        if (old[i]->node.weight || old[i]->shown)
            continue;
        sql_tree_remove(&p->rows, &old[i]->node);
        old[i]->next_shown = t->gone;
        t->gone = old[i];
    }
    p->touched = false;
    return r;
}

static void partition_settle(struct top *t, struct partition *p) {
    if (t->prunes)
        prune(t, p);
    if (p->rows.root)
        return;
    sql_index_remove(&t->index, p->hash, p);
    sql_slab_give(&t->slab, p, offsetof(struct partition, key) + p->key_len);
}

static int top_end_step(struct sql_operator *o, struct sql_error *error) {
    struct top *t = (struct top *)o;
    int r = 0;
    for (struct partition *p = t->first; r == 0 && p; p = p->next)
        r = partition_tell(t, p, error);
    if (r == 0)
        r = operator_flush(o, error);
    if (r)
        return r;
    for (struct ranked *n = t->gone, *next; n; n = next) {
        next = n->next_shown;
        sql_slab_give(&t->slab, n, ranked_bytes(n));
    }
    t->gone = NULL;
    for (struct partition *p = t->first, *next; p; p = next) {
        next = p->next;
        partition_settle(t, p);
    }
    t->first = NULL;
    t->last = &t->first;
    return 0;
}

/* ---- the state as bytes ------------------------------------------------------------------- */

enum { TABLE = SNAPSHOT_OWN, PARTITION, ROW };

static int save_partition(const struct partition *p, struct sql_saving *s) {
    saving_begin(s, PARTITION);
    saving_bytes(s, slice_make(p->key, p->key_len));
    int r = saving_end(s);
    for (struct sql_node *at = sql_tree_first(&p->rows); r == 0 && at; at = sql_node_next(at)) {
        const struct ranked *n = (const struct ranked *)at;
        saving_begin(s, ROW);
        saving_number(s, at->weight);
        saving_number(s, n->shown);
        saving_count(s, n->row_at);
        saving_bytes(s, slice_make(n->bytes, at->key_len));
        r = saving_end(s);
    }
    return r;
}

static int top_save(const struct sql_operator *o, struct sql_saving *s) {
    const struct top *t = (const struct top *)o;
    saving_begin(s, TABLE);
    saving_count(s, t->index.capacity);
    int r = saving_end(s);
    for (size_t i = 0; r == 0 && i < t->index.capacity; i++) {
        if (t->index.slots[i].entry)
            r = save_partition(t->index.slots[i].entry, s);
    }
    return r;
}

static int load_partition(struct top *t, struct sql_loading *l) {
    slice key = loading_bytes(l);
    uint64_t hash = loading_hash(&t->base, key);
    if (!loading_whole(l) || key.len > UINT32_MAX || sql_index_find(&t->index, hash, key))
        return -EBADMSG;
    l->at = partition_new(t, hash, key);
    l->last[0] = NULL;
    return l->at ? 0 : -ENOBUFS;
}

/* Those that were told are a list in the order of the tree. */
static int load_row(struct top *t, struct sql_loading *l) {
    struct partition *p = l->at;
    struct ranked *before = l->last[0];
    int64_t weight = loading_number(l), shown = loading_number(l);
    uint64_t row_at = loading_count(l);
    slice key = loading_bytes(l);
    if (!p || !loading_whole(l) || key.len > UINT32_MAX || row_at > key.len || shown < 0 ||
        (shown > 0 && shown > weight))
        return -EBADMSG;
    struct ranked *n = sql_slab_take(&t->slab, offsetof(struct ranked, bytes) + key.len);
    if (!n)
        return -ENOBUFS;
    *n = (struct ranked){.node = {.key_len = (uint32_t)key.len, .weight = weight},
                         .shown = shown,
                         .row_at = (uint32_t)row_at};
    memcpy(n->bytes, key.ptr ? key.ptr : "", key.len);
    int r = sql_tree_append(&p->rows, &t->order, &n->node);
    if (r) {
        sql_slab_give(&t->slab, n, ranked_bytes(n));
        return r;
    }
    if (shown) {
        *(before ? &before->next_shown : &p->shown) = n;
        l->last[0] = n;
    }
    return 0;
}

static int top_load(struct sql_operator *o, struct sql_loading *l) {
    struct top *t = (struct top *)o;
    switch (l->tag) {
    case TABLE:
        return sql_index_reserve(&t->index, loading_count(l));
    case PARTITION:
        return load_partition(t, l);
    case ROW:
        return load_row(t, l);
    default:
        return -EBADMSG;
    }
}

static void top_release(struct sql_operator *o) {
    struct top *t = (struct top *)o;
    sql_keys_free(t->keys);
    if (!t->slab.budget)
        return;
    sql_index_free(&t->index);
    sql_slab_free(&t->slab);
}

const struct sql_operator_kind sql_operator_top = {.bytes = sizeof(struct top),
                                                   .make = top_make,
                                                   .push = top_push,
                                                   .end_step = top_end_step,
                                                   .release = top_release,
                                                   .save = top_save,
                                                   .load = top_load};
