/*
 * partition.c - finds, lists and frees partitions (partition.h), and makes records of them.
 *
 *   TABLE       room of the index
 *   PARTITION   key; then its rows, in their order
 */
#include "sql/exec/partition.h"

enum { TABLE = SNAPSHOT_OWN, PARTITION };

int sql_partitions_make(struct sql_partitions *ps, struct sql_operator *o, unsigned row_key_at,
                        struct sql_error *error) {
    ps->o = o;
    sql_slab_make(&ps->slab, &o->exec->budget);
    sql_index_make(&ps->index, &o->exec->budget, offsetof(struct sql_partition, key));
    ps->order.key_at = row_key_at;
    ps->last = &ps->first;
    return sql_keys_of_columns(o, 0, o->plan->partition, o->plan->partitions, &ps->keys, error);
}

void sql_partitions_release(struct sql_partitions *ps) {
    sql_keys_free(ps->keys);
    if (!ps->slab.budget)
        return;
    sql_index_free(&ps->index);
    sql_slab_free(&ps->slab);
}

int sql_partitions_push(struct sql_partitions *ps, const struct sql_batch *batch,
                        struct sql_error *error) {
    int r = sql_keys_columns(ps->keys, batch, error);
    if (r == 0)
        r = sql_keys_encode(ps->keys, batch->rows, error);
    for (unsigned row = 0; r == 0 && row < batch->rows; row++)
        sql_index_prefetch(&ps->index, ps->keys->hash[row]);
    return r;
}

/* A partition of KEY, which is not in yet; NULL: no state can be had. */
static struct sql_partition *partition_new(struct sql_partitions *ps, uint64_t hash, slice key) {
    size_t bytes = offsetof(struct sql_partition, key) + key.len;
    struct sql_partition *p = sql_slab_take(&ps->slab, bytes);
    if (!p)
        return NULL;
    *p = (struct sql_partition){.key_len = (uint32_t)key.len, .hash = hash};
    memcpy(p->key, key.ptr ? key.ptr : "", key.len);
    if (sql_index_add(&ps->index, hash, p) == 0)
        return p;
    sql_slab_give(&ps->slab, p, bytes);
    return NULL;
}

struct sql_partition *sql_partition_of(struct sql_partitions *ps, unsigned row,
                                       struct sql_error *error) {
    slice key = sql_keys_at(ps->keys, row);
    uint64_t hash = ps->keys->hash[row];
    struct sql_partition *p = sql_index_find(&ps->index, hash, key);
    if (!p)
        p = partition_new(ps, hash, key);
    if (!p)
        operator_fail_state(ps->o, error);
    return p;
}

void sql_partition_touch(struct sql_partitions *ps, struct sql_partition *p) {
    if (p->touched)
        return;
    p->touched = true;
    p->next = NULL;
    *ps->last = p;
    ps->last = &p->next;
}

void sql_partitions_settle(struct sql_partitions *ps,
                           void (*call)(struct sql_operator *o, struct sql_partition *p)) {
    for (struct sql_partition *p = ps->first, *next; p; p = next) {
        next = p->next;
        p->touched = false;
        call(ps->o, p);
    }
    ps->first = NULL;
    ps->last = &ps->first;
}

void sql_partition_free(struct sql_partitions *ps, struct sql_partition *p) {
    check(!p->rows.root);
    sql_index_remove(&ps->index, p->hash, p);
    sql_slab_give(&ps->slab, p, offsetof(struct sql_partition, key) + p->key_len);
}

/* ---- the state as bytes ------------------------------------------------------------------- */

int sql_partitions_save_head(const struct sql_partitions *ps, struct sql_saving *s) {
    saving_begin(s, TABLE);
    saving_count(s, ps->index.capacity);
    return saving_end(s);
}

int sql_partition_save(const struct sql_partition *p, sql_partition_save_row *row,
                       struct sql_saving *s) {
    saving_begin(s, PARTITION);
    saving_bytes(s, slice_make(p->key, p->key_len));
    int r = saving_end(s);
    for (struct sql_node *n = sql_tree_first(&p->rows); r == 0 && n; n = sql_node_next(n)) {
        saving_begin(s, SQL_PARTITION_ROW);
        r = row(n, s);
        if (r == 0)
            r = saving_end(s);
    }
    return r;
}

int sql_partitions_save(const struct sql_partitions *ps, sql_partition_save_row *row,
                        struct sql_saving *s) {
    int r = sql_partitions_save_head(ps, s);
    for (size_t i = 0; r == 0 && i < ps->index.capacity; i++) {
        if (ps->index.slots[i].entry)
            r = sql_partition_save(ps->index.slots[i].entry, row, s);
    }
    return r;
}

static int load_partition(struct sql_partitions *ps, struct sql_loading *l) {
    slice key = loading_bytes(l);
    uint64_t hash = loading_hash(ps->o, key);
    if (!loading_whole(l) || key.len > UINT32_MAX || sql_index_find(&ps->index, hash, key))
        return -EBADMSG;
    l->at = partition_new(ps, hash, key);
    l->last[0] = NULL;
    return l->at ? 0 : -ENOBUFS;
}

int sql_partitions_load(struct sql_partitions *ps, sql_partition_load_row *row,
                        struct sql_loading *l) {
    switch (l->tag) {
    case TABLE:
        return sql_index_reserve(&ps->index, loading_count(l));
    case PARTITION:
        return load_partition(ps, l);
    case SQL_PARTITION_ROW:
        return l->at ? row(ps->o, l->at, l) : -EBADMSG;
    default:
        return -EBADMSG;
    }
}
