/*
 * join_state.c - groups and rows that a join keeps.
 *
 * Rows of a side that only grows are just put into their group. Where rows may go a second index
 * finds a row by its bytes; equal rows are then one, with their weights added up. What goes is
 * freed when the push is through, for pairs under way still point to it.
 */
#include "sql/exec/join.h"

static struct join_group *group_new(struct join *j, unsigned side, unsigned row,
                                    struct sql_error *error) {
    const struct sql_keys *k = j->keys[side];
    slice key = sql_keys_at(k, row);
    struct join_group *g = sql_slab_take(&j->slab, offsetof(struct join_group, key) + key.len);
    if (!g) {
        operator_fail_state(&j->base, error);
        return NULL;
    }
    *g = (struct join_group){
        .key_len = (uint32_t)key.len, .hash = k->hash[row], .null = k->null[row]};
    if (key.len)
        memcpy(g->key, key.ptr, key.len);
    if (sql_index_add(&j->groups, g->hash, g)) {
        sql_slab_give(&j->slab, g, offsetof(struct join_group, key) + key.len);
        operator_fail_state(&j->base, error);
        return NULL;
    }
    if (j->once || j->base.plan->join == SQL_JOIN_ANTI_NULL)
        join_list(j, g);
    return g;
}

int join_group_find(struct join *j, unsigned side, unsigned row, bool make, struct join_group **ret,
                    struct sql_error *error) {
    const struct sql_keys *k = j->keys[side];
    *ret = sql_index_find(&j->groups, k->hash[row], sql_keys_at(k, row));
    if (*ret || !make)
        return 0;
    *ret = group_new(j, side, row, error);
    return *ret ? 0 : -ENOMEM;
}

void join_list(struct join *j, struct join_group *g) {
    if (g->listed)
        return;
    bool second = g->null && j->base.plan->join == SQL_JOIN_ANTI_NULL;
    g->listed = true;
    g->prev = NULL;
    g->next = j->list[second];
    if (g->next)
        g->next->prev = g;
    j->list[second] = g;
}

void join_unlist(struct join *j, struct join_group *g) {
    bool second = g->null && j->base.plan->join == SQL_JOIN_ANTI_NULL;
    if (!g->listed)
        return;
    if (g->prev)
        g->prev->next = g->next;
    else
        j->list[second] = g->next;
    if (g->next)
        g->next->prev = g->prev;
    g->listed = false;
}

static void joined_remove(struct join *j, unsigned side, struct join_group *g, struct joined *e,
                          uint64_t hash) {
    sql_index_remove(&j->rows[side], hash, e);
    if (e->prev)
        e->prev->next = e->next;
    else
        g->first[side] = e->next;
    if (e->next)
        e->next->prev = e->prev;
    e->next = j->gone;
    j->gone = e;
}

int join_store(struct join *j, unsigned side, struct join_group *g, const struct sql_batch *batch,
               unsigned row, struct joined **ret, struct sql_error *error) {
    struct buf *bytes = &j->base.bytes;
    int64_t weight = sql_weight_at(batch, row);
    buf_clear(bytes);
    int r = sql_row_encode(batch, j->types[side], NULL, j->columns[side], row, false, bytes);
    if (r)
        return operator_fail(&j->base, r, error);
    uint64_t hash = 0;
    struct joined *e = NULL;
    if (j->retracts[side]) {
        hash = sql_hash_bytes(j->base.exec->seed, buf_slice(bytes));
        e = sql_index_find(&j->rows[side], hash, buf_slice(bytes));
    }
    if (e) {
        e->weight += weight;
        if (e->weight == 0)
            joined_remove(j, side, g, e, hash);
        *ret = e;
        return 0;
    }
    size_t size = offsetof(struct joined, bytes) + bytes->len;
    e = sql_slab_take(&j->slab, size);
    if (!e)
        return operator_fail_state(&j->base, error);
    *e = (struct joined){.key_len = (uint32_t)bytes->len, .next = g->first[side], .weight = weight};
    if (bytes->len)
        memcpy(e->bytes, bytes->ptr, bytes->len);
    if (j->retracts[side] && sql_index_add(&j->rows[side], hash, e)) {
        sql_slab_give(&j->slab, e, size);
        return operator_fail_state(&j->base, error);
    }
    if (e->next)
        e->next->prev = e;
    g->first[side] = e;
    *ret = e;
    return 0;
}

void join_sweep(struct join *j, unsigned rows) {
    for (struct joined *e = j->gone, *next; e; e = next) {
        next = e->next;
        sql_slab_give(&j->slab, e, offsetof(struct joined, bytes) + e->key_len);
    }
    j->gone = NULL;
    if (j->once)
        return;
    for (unsigned row = 0; row < rows; row++) {
        struct join_group *g = j->row[row].group;
        if (!g || g->first[0] || g->first[1] || g->total[0] || g->total[1] || g->dead)
            continue;
        g->dead = true;
        join_unlist(j, g);
        sql_index_remove(&j->groups, g->hash, g);
        g->next = j->gone_groups;
        j->gone_groups = g;
    }
    for (struct join_group *g = j->gone_groups, *next; g; g = next) {
        next = g->next;
        sql_slab_give(&j->slab, g, offsetof(struct join_group, key) + g->key_len);
    }
    j->gone_groups = NULL;
}
