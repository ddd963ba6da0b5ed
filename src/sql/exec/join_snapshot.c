/*
 * join_snapshot.c - the groups and rows of a join as records (snapshot.h).
 *
 *   TABLES   room of the three indexes
 *   GROUP    key, totals; then its rows, left's before right's, in their order
 *   ROW      side, weight, matches, bytes
 *
 * Of NOT IN the groups come in the order of their lists, from the end, for rows are met in it.
 */
#include "sql/exec/join.h"
#include "sql/exec/snapshot.h"

enum { TABLES = SNAPSHOT_OWN, GROUP, ROW };

/* ---- saving ------------------------------------------------------------------------------- */

static int save_row(struct sql_saving *s, unsigned side, const struct joined *e) {
    saving_begin(s, ROW);
    saving_count(s, side);
    saving_number(s, e->weight);
    saving_number(s, e->matches);
    saving_bytes(s, joined_bytes(e));
    return saving_end(s);
}

static int save_group(struct sql_saving *s, const struct join_group *g) {
    saving_begin(s, GROUP);
    saving_bytes(s, slice_make(g->key, g->key_len));
    saving_number(s, g->total[0]);
    saving_number(s, g->total[1]);
    int r = saving_end(s);
    for (unsigned side = 0; side < 2; side++) {
        for (const struct joined *e = g->first[side]; r == 0 && e; e = e->next)
            r = save_row(s, side, e);
    }
    return r;
}

static int save_list(struct sql_saving *s, const struct join_group *g) {
    while (g && g->next)
        g = g->next;
    int r = 0;
    for (; r == 0 && g; g = g->prev)
        r = save_group(s, g);
    return r;
}

int join_save(const struct sql_operator *o, struct sql_saving *s) {
    const struct join *j = (const struct join *)o;
    saving_begin(s, TABLES);
    saving_count(s, j->groups.capacity);
    saving_count(s, j->rows[0].capacity);
    saving_count(s, j->rows[1].capacity);
    int r = saving_end(s);
    if (o->plan->join == SQL_JOIN_ANTI_NULL) {
        for (unsigned list = 0; r == 0 && list < 2; list++)
            r = save_list(s, j->list[list]);
        return r;
    }
    for (size_t i = 0; r == 0 && i < j->groups.capacity; i++) {
        if (j->groups.slots[i].entry)
            r = save_group(s, j->groups.slots[i].entry);
    }
    return r;
}

/* ---- loading ------------------------------------------------------------------------------ */

static int load_tables(struct join *j, struct sql_loading *l) {
    struct sql_index *indexes[] = {&j->groups, &j->rows[0], &j->rows[1]};
    int r = 0;
    for (unsigned i = 0; r == 0 && i < array_count(indexes); i++)
        r = sql_index_reserve(indexes[i], loading_count(l));
    return r;
}

static int load_group(struct join *j, struct sql_loading *l) {
    slice key = loading_bytes(l);
    int64_t left = loading_number(l), right = loading_number(l);
    bool null = false, listed = j->base.plan->join == SQL_JOIN_ANTI_NULL;
    uint64_t hash = loading_hash(&j->base, key);
    if (!loading_whole(l) || key.len > UINT32_MAX || sql_index_find(&j->groups, hash, key) ||
        (listed && !join_null_key(key, j->base.plan->keys, &null)))
        return -EBADMSG;
    size_t size = offsetof(struct join_group, key) + key.len;
    struct join_group *g = sql_slab_take(&j->slab, size);
    if (!g)
        return -ENOBUFS;
    *g = (struct join_group){
        .key_len = (uint32_t)key.len, .hash = hash, .total = {left, right}, .null = null};
    memcpy(g->key, key.ptr ? key.ptr : "", key.len);
    int r = sql_index_add(&j->groups, hash, g);
    if (r) {
        sql_slab_give(&j->slab, g, size);
        return r;
    }
    if (listed)
        join_list(j, g);
    l->at = g;
    l->last[0] = l->last[1] = NULL;
    return 0;
}

static int load_row(struct join *j, struct sql_loading *l) {
    struct join_group *g = l->at;
    unsigned side = loading_below(l, 2);
    int64_t weight = loading_number(l), matches = loading_number(l);
    slice bytes = loading_bytes(l);
    uint64_t hash = j->retracts[side] ? loading_hash(&j->base, bytes) : 0;
    if (!g || !loading_whole(l) || bytes.len > UINT32_MAX ||
        (j->retracts[side] && sql_index_find(&j->rows[side], hash, bytes)))
        return -EBADMSG;
    size_t size = offsetof(struct joined, bytes) + bytes.len;
    struct joined *e = sql_slab_take(&j->slab, size), *last = l->last[side];
    if (!e)
        return -ENOBUFS;
    *e = (struct joined){
        .key_len = (uint32_t)bytes.len, .prev = last, .weight = weight, .matches = matches};
    memcpy(e->bytes, bytes.ptr ? bytes.ptr : "", bytes.len);
    int r = j->retracts[side] ? sql_index_add(&j->rows[side], hash, e) : 0;
    if (r) {
        sql_slab_give(&j->slab, e, size);
        return r;
    }
    if (last)
        last->next = e;
    else
        g->first[side] = e;
    l->last[side] = e;
    return 0;
}

int join_load(struct sql_operator *o, struct sql_loading *l) {
    struct join *j = (struct join *)o;
    switch (l->tag) {
    case TABLES:
        return load_tables(j, l);
    case GROUP:
        return load_group(j, l);
    case ROW:
        return load_row(j, l);
    default:
        return -EBADMSG;
    }
}
