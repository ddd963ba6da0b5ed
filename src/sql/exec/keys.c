/*
 * keys.c - the keys of all rows of a batch: expressions to columns, columns to canonical bytes,
 * bytes to hashes.
 *
 *      bytes  [key of row 0][key of row 1]…      at[row] … at[row + 1]
 *
 * Whatever finds state by key does so for a whole batch: the hashes are there before the first
 * look-up, so that slots can be fetched ahead.
 */
#include "sql/exec/keys.h"

#define KEYS_BYTES_MAX ((size_t)1 << 31)

static int keys_make(struct sql_operator *o, unsigned count, struct sql_keys **ret,
                     struct sql_error *error) {
    struct sql_keys *k = mem_zalloc(1, sizeof *k);
    if (!k)
        return sql_fail_memory(error);
    k->o = o;
    k->count = count;
    k->bytes = buf_make(KEYS_BYTES_MAX);
    k->types = operator_zalloc(o, count + 1, sizeof *k->types);
    k->column = operator_zalloc(o, count + 1, sizeof *k->column);
    *ret = k;
    return k->types && k->column ? 0 : sql_fail_memory(error);
}

int sql_keys_of_expressions(struct sql_operator *o, struct sql_expr **e, unsigned count,
                            struct sql_keys **ret, struct sql_error *error) {
    int r = keys_make(o, count, ret, error);
    if (r)
        return r;
    for (unsigned i = 0; i < count; i++)
        (*ret)->types[i] = e[i]->type;
    return operator_evaluators(o, e, count, &(*ret)->evaluator, error);
}

int sql_keys_of_columns(struct sql_operator *o, unsigned input, const unsigned *which,
                        unsigned count, struct sql_keys **ret, struct sql_error *error) {
    struct sql_expr **e = operator_zalloc(o, count + 1, sizeof *e);
    struct sql_expr *column = operator_zalloc(o, count + 1, sizeof *column);
    if (!e || !column)
        return sql_fail_memory(error);
    for (unsigned i = 0; i < count; i++) {
        unsigned at = which ? which[i] : i;
        column[i] = (struct sql_expr){.kind = SQL_EXPR_COLUMN,
                                      .type = o->input[input]->types[at],
                                      .location = -1,
                                      .index = at};
        e[i] = &column[i];
    }
    return sql_keys_of_expressions(o, e, count, ret, error);
}

void sql_keys_free(struct sql_keys *k) {
    if (!k)
        return;
    operator_evaluators_free(k->evaluator, k->count);
    buf_free(&k->bytes);
    mem_free(k);
}

int sql_keys_columns(struct sql_keys *k, const struct sql_batch *batch, struct sql_error *error) {
    for (unsigned i = 0; i < k->count; i++) {
        int r = sql_evaluate(k->evaluator[i], batch, &k->o->memory, &k->column[i], error);
        if (r)
            return r;
    }
    return 0;
}

static void keys_mark_nulls(struct sql_keys *k, unsigned rows) {
    memset(k->null, 0, rows);
    for (unsigned i = 0; i < k->count; i++) {
        const struct sql_column *c = &k->column[i];
        for (unsigned row = 0; c->nulls && row < rows; row++)
            k->null[row] |= c->nulls[row * c->stride];
    }
}

int sql_keys_encode(struct sql_keys *k, unsigned rows, struct sql_error *error) {
    struct sql_batch keys = {.rows = rows, .columns = k->count, .column = k->column};
    buf_clear(&k->bytes);
    int room = buf_reserve(&k->bytes, 1); /* a key of no columns has a place, too */
    if (room < 0)
        return operator_fail(k->o, room, error);
    k->at[0] = 0;
    for (unsigned row = 0; row < rows; row++) {
        int r = sql_row_encode(&keys, k->types, NULL, k->count, row, true, &k->bytes);
        if (r)
            return operator_fail(k->o, r, error);
        k->at[row + 1] = (uint32_t)k->bytes.len;
        k->hash[row] = sql_hash_bytes(k->o->exec->seed, sql_keys_at(k, row));
    }
    keys_mark_nulls(k, rows);
    return 0;
}

bool sql_canonical_is_exact(const struct sql_type *types, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        switch (types[i].oid) {
        case SQL_TEXT:
        case SQL_VARCHAR:
        case SQL_NAME:
        case SQL_BYTEA:
            continue;
        default:
            break;
        }
        enum sql_layout layout = sql_layout_of(types[i].oid);
        if (layout != SQL_LAYOUT_WORD && layout != SQL_LAYOUT_UUID)
            return false;
    }
    return true;
}
