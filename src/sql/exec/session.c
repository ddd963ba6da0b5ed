/*
 * session.c - each row with the session it is in: rows of a partition no further apart than a gap.
 *
 *      time     --a--b-----c------------------d--e--
 *      session    [a    last + gap)           [d  …)        window_start, window_end
 *
 * Rows stand in order of time. One that comes or goes touches the run of rows around it, in which
 * no two neighbours are further apart than the gap (those that go are still among them): all
 * sessions it can join or split lie within. At the end of a step each such run is cut anew and the
 * rows whose session has changed are told. A row exactly `gap` behind the last one belongs to its
 * session, so a session is complete when the watermark has passed its end. A row without a time, or
 * whose time is infinite, is in no session.
 *
 * Where rows never go, those of complete sessions are forgotten: the partitions stand in a ring,
 * and each step looks at a few more of them than it has touched.
 */
#include "sql/exec/partition.h"

#define TIME_BYTES 8u
#define LOOKED_AT_MIN 64u /* partitions a step, where there are so many */

struct stamped {
    struct sql_node node;
    int64_t time, start, end; /* start, end: of the session that was told */
    int64_t told;             /* how often; 0: not yet */
    uint64_t step;            /* in which it was looked at last */
    struct sql_partition *partition;
    struct stamped *next; /* of those touched in this step, or gone */
    bool touched;
    char bytes[]; /* time, row */
};

struct session {
    struct sql_operator base;
    struct sql_partitions partitions; /* next, prev: a ring of all */
    uint64_t step;
    struct stamped *first, **last;
    struct sql_partition *ring; /* which is looked at next */
    size_t count, touched;      /* partitions; rows */
};

static int session_make(struct sql_operator *o, struct sql_error *error) {
    struct session *s = (struct session *)o;
    s->last = &s->first;
    return sql_partitions_make(&s->partitions, o, offsetof(struct stamped, bytes), error);
}

static void ring_add(struct session *s, struct sql_partition *p) {
    p->next = s->ring ? s->ring : p;
    p->prev = s->ring ? s->ring->prev : p;
    p->next->prev = p;
    p->prev->next = p;
    if (!s->ring)
        s->ring = p;
    s->count++;
}

static void ring_remove(struct session *s, struct sql_partition *p) {
    if (s->ring == p)
        s->ring = p->next == p ? NULL : p->next;
    p->next->prev = p->prev;
    p->prev->next = p->next;
    s->count--;
}

/* ---- rows come ---------------------------------------------------------------------------- */

static size_t stamped_bytes(const struct stamped *n) {
    return offsetof(struct stamped, bytes) + n->node.key_len;
}

/* The time that a row's bytes begin with. */
static int64_t time_of(slice bytes) {
    uint64_t bits = 0;
    for (unsigned i = 0; i < TIME_BYTES; i++)
        bits = bits << 8 | (uint8_t)bytes.ptr[i];
    return (int64_t)(bits ^ (uint64_t)1 << 63);
}

static int row_encode(struct session *s, const struct sql_batch *batch, unsigned row,
                      int64_t time) {
    struct buf *bytes = &s->base.bytes;
    uint64_t bits = (uint64_t)time ^ (uint64_t)1 << 63;
    char head[TIME_BYTES];
    for (unsigned i = 0; i < TIME_BYTES; i++)
        head[i] = (char)(bits >> (56 - 8 * i));
    buf_clear(bytes);
    int r = buf_append(bytes, slice_make(head, TIME_BYTES));
    return r ? r
             : sql_row_encode(batch, s->base.input[0]->types, NULL, batch->columns, row, false,
                              bytes);
}

static int row_add(struct session *s, struct sql_partition *p, int64_t time, int64_t weight,
                   struct sql_error *error) {
    slice key = buf_slice(&s->base.bytes);
    struct stamped *n = (struct stamped *)sql_tree_find(&p->rows, &s->partitions.order, key);
    if (n) {
        sql_tree_weigh(&n->node, weight);
    } else {
        n = sql_slab_take(&s->partitions.slab, offsetof(struct stamped, bytes) + key.len);
        if (!n)
            return operator_fail_state(&s->base, error);
        *n = (struct stamped){
            .node = {.key_len = (uint32_t)key.len, .weight = weight}, .time = time, .partition = p};
        memcpy(n->bytes, key.ptr, key.len);
        sql_tree_add(&p->rows, &s->partitions.order, &n->node);
    }
    if (!n->touched) {
        s->touched++;
        n->touched = true;
        n->next = NULL;
        *s->last = n;
        s->last = &n->next;
    }
    return 0;
}

static int session_push(struct sql_operator *o, unsigned input, const struct sql_batch *batch,
                        struct sql_error *error) {
    (void)input;
    struct session *s = (struct session *)o;
    const struct sql_column *time = &batch->column[o->plan->time_column];
    int r = sql_partitions_push(&s->partitions, batch, error);
    for (unsigned row = 0; r == 0 && row < batch->rows; row++) {
        int64_t at = sql_cell_at(time, row)->i, end;
        if (sql_null_at(time, row) || at == SQL_INFINITY || at == SQL_MINUS_INFINITY ||
            __builtin_add_overflow(at, o->plan->gap, &end))
            continue;
        struct sql_partition *p = sql_partition_of(&s->partitions, row, error);
        if (!p)
            return -ENOMEM;
        if (!p->next) /* it is new */
            ring_add(s, p);
        r = row_encode(s, batch, row, at);
        if (r)
            return operator_fail(o, r, error);
        r = row_add(s, p, at, sql_weight_at(batch, row), error);
    }
    return r;
}

/* ---- the step ends ------------------------------------------------------------------------ */

static int tell(struct session *s, const struct stamped *n, int64_t start, int64_t end,
                int64_t weight, struct sql_error *error) {
    struct sql_operator *o = &s->base;
    unsigned columns = o->plan->input[0]->columns;
    slice row = slice_make(n->bytes + TIME_BYTES, n->node.key_len - TIME_BYTES);
    int r = operator_room(o, error);
    if (r == 0)
        r = operator_put(o, row, o->types, columns, 0, error);
    if (r)
        return r;
    union sql_cell from = {.i = start}, to = {.i = end};
    sql_builder_set(&o->out, columns, &from, false);
    sql_builder_set(&o->out, columns + 1, &to, false);
    sql_builder_end(&o->out, weight);
    return 0;
}

static int row_tell(struct session *s, struct stamped *n, int64_t start, int64_t end,
                    struct sql_error *error) {
    int64_t weight = n->node.weight > 0 ? n->node.weight : 0;
    if (weight == n->told && (weight == 0 || (n->start == start && n->end == end)))
        return 0;
    int r = n->told ? tell(s, n, n->start, n->end, -n->told, error) : 0;
    if (r == 0 && weight)
        r = tell(s, n, start, end, weight, error);
    n->told = weight;
    n->start = start;
    n->end = end;
    return r;
}

/* Tells the rows from FIRST to LAST, one session (and what has gone among them). */
static int session_tell(struct session *s, struct stamped *first, const struct stamped *last,
                        int64_t start, int64_t end, struct sql_error *error) {
    for (struct stamped *n = first;; n = (struct stamped *)sql_node_next(&n->node)) {
        int r = row_tell(s, n, start, end, error);
        if (r || n == last)
            return r;
    }
}

/* The first row of the run that N is in. */
static struct stamped *run_start(const struct session *s, struct stamped *n) {
    for (;;) {
        struct stamped *before = (struct stamped *)sql_node_prev(&n->node);
        if (!before || n->time - before->time > s->base.plan->gap)
            return n;
        n = before;
    }
}

/* Cuts the run that N is in into sessions. */
static int run_tell(struct session *s, struct stamped *n, struct sql_error *error) {
    int64_t gap = s->base.plan->gap;
    struct stamped *first = run_start(s, n), *before = NULL, *at = first;
    const struct stamped *alive = NULL; /* the last row that is there, of the session at hand */
    int64_t start = 0;
    int r = 0;
    for (; r == 0 && at && (!before || at->time - before->time <= gap);
         before = at, at = (struct stamped *)sql_node_next(&at->node)) {
        at->step = s->step;
        if (at->node.weight <= 0)
            continue;
        if (alive && at->time - alive->time > gap) {
            r = session_tell(s, first, before, start, alive->time + gap, error);
            first = at;
            alive = NULL;
        }
        if (!alive)
            start = at->time;
        alive = at;
    }
    if (r)
        return r;
    return session_tell(s, first, before, start, alive ? alive->time + gap : 0, error);
}

static void forget(struct session *s, struct stamped *n) {
    struct sql_partition *p = n->partition;
    sql_tree_remove(&p->rows, &n->node);
    sql_slab_give(&s->partitions.slab, n, stamped_bytes(n));
    if (p->rows.root)
        return;
    ring_remove(s, p);
    sql_partition_free(&s->partitions, p);
}

/* Forgets the rows of P whose sessions are complete; they come first. */
static void forget_complete(struct session *s, struct sql_partition *p) {
    struct stamped *n = (struct stamped *)sql_tree_first(&p->rows);
    while (n && n->told && n->end <= s->base.watermark) {
        struct stamped *next = (struct stamped *)sql_node_next(&n->node);
        forget(s, n); /* with the last one P goes */
        n = next;
    }
}

static void look_at_some(struct session *s) {
    size_t count = s->touched + LOOKED_AT_MIN;
    if (!s->base.input[0]->append_only || s->base.watermark == SQL_NO_WATERMARK)
        return;
    if (count > s->count)
        count = s->count;
    for (; count > 0 && s->ring; count--) {
        struct sql_partition *p = s->ring;
        s->ring = p->next;
        forget_complete(s, p);
    }
}

static int session_end_step(struct sql_operator *o, struct sql_error *error) {
    struct session *s = (struct session *)o;
    int r = 0;
    s->step++;
    for (struct stamped *n = s->first; r == 0 && n; n = n->next) {
        if (n->step != s->step)
            r = run_tell(s, n, error);
    }
    if (r == 0)
        r = operator_flush(o, error);
    if (r)
        return r;
    for (struct stamped *n = s->first, *next; n; n = next) {
        next = n->next;
        n->touched = false;
        if (n->node.weight == 0)
            forget(s, n);
    }
    s->first = NULL;
    s->last = &s->first;
    look_at_some(s);
    s->touched = 0;
    return 0;
}

/* A row at the watermark may still join the session that ends there. */
static int session_watermark(struct sql_operator *o, struct sql_error *error) {
    (void)error;
    if (o->watermark > INT64_MIN)
        o->watermark--;
    return 0;
}

/* ---- the state as bytes ------------------------------------------------------------------- */

static int save_row(const struct sql_node *node, struct sql_saving *s) {
    const struct stamped *n = (const struct stamped *)node;
    saving_number(s, node->weight);
    saving_number(s, n->start);
    saving_number(s, n->end);
    saving_bytes(s, slice_make(n->bytes, node->key_len));
    return 0;
}

/* In the order of the ring, for what is forgotten next decides what a late row meets. */
static int session_save(const struct sql_operator *o, struct sql_saving *saving) {
    const struct session *s = (const struct session *)o;
    int r = sql_partitions_save_head(&s->partitions, saving);
    const struct sql_partition *p = s->ring;
    for (size_t i = 0; r == 0 && i < s->count; i++, p = p->next)
        r = sql_partition_save(p, save_row, saving);
    return r;
}

/* A row of the step's end was told as often as it is there. */
static int load_row(struct sql_operator *o, struct sql_partition *p, struct sql_loading *l) {
    struct session *s = (struct session *)o;
    int64_t weight = loading_number(l), start = loading_number(l), end = loading_number(l);
    slice key = loading_bytes(l);
    if (!loading_whole(l) || key.len > UINT32_MAX || key.len < TIME_BYTES)
        return -EBADMSG;
    struct stamped *n =
        sql_slab_take(&s->partitions.slab, offsetof(struct stamped, bytes) + key.len);
    if (!n)
        return -ENOBUFS;
    *n = (struct stamped){.node = {.key_len = (uint32_t)key.len, .weight = weight},
                          .time = time_of(key),
                          .start = start,
                          .end = end,
                          .told = weight > 0 ? weight : 0,
                          .partition = p};
    memcpy(n->bytes, key.ptr, key.len);
    int r = sql_tree_append(&p->rows, &s->partitions.order, &n->node);
    if (r)
        sql_slab_give(&s->partitions.slab, n, stamped_bytes(n));
    return r;
}

static int session_load(struct sql_operator *o, struct sql_loading *l) {
    struct session *s = (struct session *)o;
    void *before = l->at;
    int r = sql_partitions_load(&s->partitions, load_row, l);
    if (r == 0 && l->at != before)
        ring_add(s, l->at);
    return r;
}

static void session_release(struct sql_operator *o) {
    sql_partitions_release(&((struct session *)o)->partitions);
}

const struct sql_operator_kind sql_operator_session = {.bytes = sizeof(struct session),
                                                       .make = session_make,
                                                       .push = session_push,
                                                       .end_step = session_end_step,
                                                       .watermark = session_watermark,
                                                       .release = session_release,
                                                       .save = session_save,
                                                       .load = session_load};
