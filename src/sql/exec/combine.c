/*
 * combine.c - DISTINCT, INTERSECT and EXCEPT: a row is there as often as its counts say.
 *
 *      DISTINCT       1 where n > 0             INTERSECT ALL  min(l, r)
 *      INTERSECT      1 where both > 0          EXCEPT ALL     l - r, at least 0
 *      EXCEPT         1 where l > 0, r = 0
 *
 * The counts of each input are kept by the canonical bytes of the row; equal rows that are written
 * differently (1.0 and 1.00) are one, shown as the one that came first. A step's changes are told
 * at its end; DISTINCT of rows that never go tells them at once.
 */
#include "sql/exec/keys.h"
#include "sql/exec/snapshot.h"

struct entry {
    uint32_t key_len;
    uint32_t exact_len; /* behind the key; 0: the key reads back exactly */
    int64_t counts[2];
    int64_t shown;      /* what was told */
    struct entry *next; /* of those touched in this step */
    uint64_t hash;
    bool touched;
    char bytes[];
};

struct combine {
    struct sql_operator base;
    struct sql_keys *keys[2];
    bool exact;
    struct sql_slab slab;
    struct sql_index index;
    struct entry *first, **last;
};

static int combine_make(struct sql_operator *o, struct sql_error *error) {
    struct combine *c = (struct combine *)o;
    sql_slab_make(&c->slab, &o->exec->budget);
    sql_index_make(&c->index, &o->exec->budget, offsetof(struct entry, bytes));
    c->last = &c->first;
    c->exact = sql_canonical_is_exact(o->types, o->plan->columns);
    int r = 0;
    for (unsigned i = 0; r == 0 && i < o->plan->inputs; i++)
        r = sql_keys_of_columns(o, i, NULL, o->plan->columns, &c->keys[i], error);
    return r;
}

static size_t entry_bytes(const struct entry *e) {
    return offsetof(struct entry, bytes) + e->key_len + e->exact_len;
}

static int64_t shown_of(const struct combine *c, const struct entry *e) {
    int64_t l = e->counts[0] > 0 ? e->counts[0] : 0, r = e->counts[1] > 0 ? e->counts[1] : 0;
    bool all = c->base.plan->all;
    switch (c->base.plan->kind) {
    case SQL_PLAN_INTERSECT:
        return all ? (l < r ? l : r) : l && r;
    case SQL_PLAN_EXCEPT:
        return all ? (l > r ? l - r : 0) : l && !r;
    default:
        return l > 0;
    }
}

static struct entry *entry_new(struct combine *c, const struct sql_batch *batch, unsigned row,
                               uint64_t hash, slice key, struct sql_error *error) {
    struct sql_operator *o = &c->base;
    buf_clear(&o->bytes);
    int r = c->exact
                ? 0
                : sql_row_encode(batch, o->types, NULL, o->plan->columns, row, false, &o->bytes);
    size_t bytes = offsetof(struct entry, bytes) + key.len + o->bytes.len;
    struct entry *e = r ? NULL : sql_slab_take(&c->slab, bytes);
    if (!e) {
        operator_fail_state(o, error);
        return NULL;
    }
    *e = (struct entry){
        .key_len = (uint32_t)key.len, .exact_len = (uint32_t)o->bytes.len, .hash = hash};
    if (key.len)
        memcpy(e->bytes, key.ptr, key.len);
    if (o->bytes.len)
        memcpy(e->bytes + key.len, o->bytes.ptr, o->bytes.len);
    if (sql_index_add(&c->index, hash, e)) {
        sql_slab_give(&c->slab, e, bytes);
        operator_fail_state(o, error);
        return NULL;
    }
    return e;
}

/* Tells the change of E since it was told last; forgets it where nothing is left of it. */
static int entry_tell(struct combine *c, struct entry *e, struct sql_error *error) {
    int64_t shown = shown_of(c, e), change = shown - e->shown;
    e->touched = false;
    e->shown = shown;
    slice key = slice_make(e->bytes, e->key_len);
    slice exact = slice_make(e->bytes + e->key_len, e->exact_len);
    return change ? operator_put_row(&c->base, c->exact ? key : exact, change, error) : 0;
}

static void entry_forget(struct combine *c, struct entry *e) {
    if (e->counts[0] || e->counts[1])
        return;
    sql_index_remove(&c->index, e->hash, e);
    sql_slab_give(&c->slab, e, entry_bytes(e));
}

static int combine_push(struct sql_operator *o, unsigned input, const struct sql_batch *batch,
                        struct sql_error *error) {
    struct combine *c = (struct combine *)o;
    struct sql_keys *k = c->keys[input];
    bool at_once = o->plan->kind == SQL_PLAN_DISTINCT && o->input[0]->append_only;
    int r = sql_keys_columns(k, batch, error);
    if (r == 0)
        r = sql_keys_encode(k, batch->rows, error);
    for (unsigned row = 0; r == 0 && row < batch->rows; row++) {
        slice key = sql_keys_at(k, row);
        struct entry *e = sql_index_find(&c->index, k->hash[row], key);
        if (!e)
            e = entry_new(c, batch, row, k->hash[row], key, error);
        if (!e)
            return -ENOMEM;
        e->counts[input] += sql_weight_at(batch, row);
        if (at_once) {
            r = entry_tell(c, e, error);
        } else if (!e->touched) {
            e->touched = true;
            e->next = NULL;
            *c->last = e;
            c->last = &e->next;
        }
    }
    return r || !at_once ? r : operator_flush(o, error);
}

static int combine_end_step(struct sql_operator *o, struct sql_error *error) {
    struct combine *c = (struct combine *)o;
    int r = 0;
    for (struct entry *e = c->first; r == 0 && e; e = e->next)
        r = entry_tell(c, e, error);
    if (r == 0)
        r = operator_flush(o, error);
    if (r)
        return r;
    for (struct entry *e = c->first, *next; e; e = next) {
        next = e->next;
        entry_forget(c, e);
    }
    c->first = NULL;
    c->last = &c->first;
    return 0;
}

/* ---- the state as bytes ------------------------------------------------------------------- */

enum { TABLE = SNAPSHOT_OWN, ENTRY };

static int combine_save(const struct sql_operator *o, struct sql_saving *s) {
    const struct combine *c = (const struct combine *)o;
    saving_begin(s, TABLE);
    saving_count(s, c->index.capacity);
    int r = saving_end(s);
    for (size_t i = 0; r == 0 && i < c->index.capacity; i++) {
        const struct entry *e = c->index.slots[i].entry;
        if (!e)
            continue;
        saving_begin(s, ENTRY);
        saving_number(s, e->counts[0]);
        saving_number(s, e->counts[1]);
        saving_number(s, e->shown);
        saving_bytes(s, slice_make(e->bytes, e->key_len));
        saving_bytes(s, slice_make(e->bytes + e->key_len, e->exact_len));
        r = saving_end(s);
    }
    return r;
}

static int load_entry(struct combine *c, struct sql_loading *l) {
    int64_t left = loading_number(l), right = loading_number(l), shown = loading_number(l);
    slice key = loading_bytes(l), exact = loading_bytes(l);
    uint64_t hash = loading_hash(&c->base, key);
    if (!loading_whole(l) || key.len > UINT32_MAX || exact.len > UINT32_MAX ||
        (c->exact && exact.len) || sql_index_find(&c->index, hash, key))
        return -EBADMSG;
    size_t bytes = offsetof(struct entry, bytes) + key.len + exact.len;
    struct entry *e = sql_slab_take(&c->slab, bytes);
    if (!e)
        return -ENOBUFS;
    *e = (struct entry){.key_len = (uint32_t)key.len,
                        .exact_len = (uint32_t)exact.len,
                        .counts = {left, right},
                        .shown = shown,
                        .hash = hash};
    memcpy(e->bytes, key.ptr ? key.ptr : "", key.len);
    memcpy(e->bytes + key.len, exact.ptr ? exact.ptr : "", exact.len);
    int r = sql_index_add(&c->index, hash, e);
    if (r)
        sql_slab_give(&c->slab, e, bytes);
    return r;
}

static int combine_load(struct sql_operator *o, struct sql_loading *l) {
    struct combine *c = (struct combine *)o;
    if (l->tag == TABLE)
        return sql_index_reserve(&c->index, loading_count(l));
    return l->tag == ENTRY ? load_entry(c, l) : -EBADMSG;
}

static void combine_release(struct sql_operator *o) {
    struct combine *c = (struct combine *)o;
    sql_keys_free(c->keys[0]);
    sql_keys_free(c->keys[1]);
    if (c->slab.budget) {
        sql_index_free(&c->index);
        sql_slab_free(&c->slab);
    }
}

const struct sql_operator_kind sql_operator_combine = {.bytes = sizeof(struct combine),
                                                       .make = combine_make,
                                                       .push = combine_push,
                                                       .end_step = combine_end_step,
                                                       .release = combine_release,
                                                       .save = combine_save,
                                                       .load = combine_load};
