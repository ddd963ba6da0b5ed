/*
 * join_null.c - NOT IN: a row of left stays while no row of right equals it, or might.
 *
 *      x NOT IN (…)     a comparison with NULL is neither true nor false, and NOT IN is then not
 *                       true: a NULL on the right blocks all of left, a NULL on the left is blocked
 *                       by any row of right; of nothing at all it is NOT IN, too
 *
 * Keys are the comparisons for equality, NULLs kept; the predicate is what else is compared, and
 * stands against a row while it is not false. Rows with a NULL are few and are walked over: those
 * of right for each row of left, and all of right for a row of left with one. Parts of a key are
 * written so that each can be compared by itself:
 *
 *      key   [ NULL: 1 | length: 4 | canonical value ] …
 */
#include "sql/exec/join.h"

#define PART_HEAD 5u

static int key_part(struct sql_keys *k, unsigned part, unsigned row) {
    const struct sql_column *c = &k->column[part];
    struct sql_batch one = {.rows = row + 1, .columns = 1, .column = c};
    char head[PART_HEAD] = {(char)sql_null_at(c, row)};
    size_t at = k->bytes.len;
    int r = buf_append(&k->bytes, slice_make(head, PART_HEAD));
    if (r == 0)
        r = sql_row_encode(&one, &k->types[part], NULL, 1, row, true, &k->bytes);
    if (r)
        return r;
    uint32_t len = (uint32_t)(k->bytes.len - at - PART_HEAD);
    memcpy(k->bytes.ptr + at + 1, &len, sizeof len);
    return 0;
}

static int keys_in_parts(struct sql_keys *k, unsigned rows, struct sql_error *error) {
    buf_clear(&k->bytes);
    for (unsigned row = 0; row < rows; row++) {
        k->at[row] = (uint32_t)k->bytes.len;
        for (unsigned part = 0; part < k->count; part++) {
            int r = key_part(k, part, row);
            if (r)
                return operator_fail(k->o, r, error);
        }
        k->at[row + 1] = (uint32_t)k->bytes.len;
        k->hash[row] = sql_hash_bytes(k->o->exec->seed, sql_keys_at(k, row));
    }
    return 0;
}

/* Takes the next part off *KEY. */
static slice part_take(slice *key, bool *ret_null) {
    uint32_t len;
    *ret_null = key->ptr[0];
    memcpy(&len, key->ptr + 1, sizeof len);
    slice part = slice_take(slice_skip(*key, PART_HEAD), len);
    *key = slice_skip(*key, PART_HEAD + len);
    return part;
}

bool join_null_key(slice key, unsigned parts, bool *ret_null) {
    *ret_null = false;
    for (; parts > 0; parts--) {
        uint32_t len = 0;
        if (key.len >= PART_HEAD)
            memcpy(&len, key.ptr + 1, sizeof len);
        if (key.len < PART_HEAD || len > key.len - PART_HEAD)
            return false;
        bool null;
        (void)part_take(&key, &null);
        *ret_null |= null;
    }
    return key.len == 0;
}

/* Is A = B true or unknown, and not false? */
static bool may_equal(slice a, slice b) {
    while (a.len) {
        bool a_null, b_null;
        slice a_part = part_take(&a, &a_null), b_part = part_take(&b, &b_null);
        if (!a_null && !b_null && !slice_equal(a_part, b_part))
            return false;
    }
    return true;
}

/* ROW of SIDE meets the rows of the other side in G. */
static int meet(struct join *j, unsigned side, const struct sql_batch *batch, unsigned row,
                struct join_group *g, struct sql_error *error) {
    int64_t weight = sql_weight_at(batch, row);
    int r = 0;
    if (!j->predicate && side == 0) {
        j->row[row].matches += g->total[1];
        return 0;
    }
    for (struct joined *p = g->first[1 - side]; r == 0 && p; p = p->next) {
        if (j->predicate) {
            r = join_pair(j, batch, row, p, error);
            continue;
        }
        int64_t before = p->matches;
        p->matches += weight;
        int turn = join_turn(j, 0, before, p->matches);
        r = turn ? join_lone_kept(j, 0, p, turn * p->weight, error) : 0;
    }
    return r;
}

/* ROW meets the groups of a list that its key may equal. */
static int meet_list(struct join *j, unsigned side, const struct sql_batch *batch, unsigned row,
                     unsigned list, struct sql_error *error) {
    slice key = sql_keys_at(j->keys[side], row);
    int r = 0;
    for (struct join_group *g = j->list[list]; r == 0 && g; g = g->next) {
        if (may_equal(key, slice_make(g->key, g->key_len)))
            r = meet(j, side, batch, row, g, error);
    }
    return r;
}

static int null_row_push(struct join *j, unsigned side, const struct sql_batch *batch, unsigned row,
                         struct sql_error *error) {
    struct join_row *at = &j->row[row];
    bool null = j->keys[side]->null[row], stores = join_stores(j, side);
    *at = (struct join_row){.group = NULL};
    int r = join_group_find(j, side, row, stores, &at->group, error);
    if (r == 0 && at->group && stores) {
        r = join_store(j, side, at->group, batch, row, &at->entry, error);
        at->group->total[side] += sql_weight_at(batch, row);
    }
    if (r == 0 && null)
        r = meet_list(j, side, batch, row, 0, error);
    else if (r == 0 && at->group)
        r = meet(j, side, batch, row, at->group, error);
    return r ? r : meet_list(j, side, batch, row, 1, error);
}

int join_null_push(struct join *j, unsigned side, const struct sql_batch *batch,
                   struct sql_error *error) {
    int r = keys_in_parts(j->keys[side], batch->rows, error);
    for (unsigned row = 0; r == 0 && row < batch->rows; row++)
        r = null_row_push(j, side, batch, row, error);
    if (r == 0)
        r = join_pairs_flush(j, error);
    for (unsigned row = 0; r == 0 && side == 0 && row < batch->rows; row++) {
        struct join_row *at = &j->row[row];
        if (at->entry)
            at->entry->matches = at->matches;
        if (join_is_lone(j, 0, at->matches))
            r = join_lone(j, 0, batch, row, sql_weight_at(batch, row), error);
    }
    if (r == 0)
        r = operator_flush(&j->base, error);
    if (r == 0)
        join_sweep(j, batch->rows);
    return r;
}
