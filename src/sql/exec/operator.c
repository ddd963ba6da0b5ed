/*
 * operator.c - what every operator does: hand batches on, put rows into one, fail for memory.
 */
#include "sql/exec/operator.h"

#define BUILDERS_BYTES_FREE ((uint64_t)64 << 20) /* beyond the executor's own memory_max */
#define BUILDER_COLUMN_BYTES ((uint64_t)SQL_BATCH_ROWS * (sizeof(union sql_cell) + 1))

int operator_builder(struct sql_operator *o, unsigned columns, struct sql_builder *ret,
                     struct sql_error *error) {
    struct sql_exec *x = o->exec;
    if (columns > SQL_ROW_COLUMNS_MAX)
        return sql_fail(error, "54011", "rows within a query have at most %u columns",
                        SQL_ROW_COLUMNS_MAX);
    x->builder_bytes += columns * BUILDER_COLUMN_BYTES;
    if (x->builder_bytes > x->options.memory_max &&
        x->builder_bytes - x->options.memory_max > BUILDERS_BYTES_FREE) {
        (void)sql_fail(error, "53200", "rows on their way through this query take too much memory");
        sql_error_hint(error, "Join fewer tables at once, or name fewer of their columns.");
        return -EINVAL;
    }
    return sql_builder_make(columns, ret) < 0 ? sql_fail_memory(error) : 0;
}

int operator_emit(struct sql_operator *o, const struct sql_batch *batch, struct sql_error *error) {
    if (batch->rows == 0)
        return 0;
    int r = operator_go_on(o, error);
    if (r)
        return r;
    if (o->root) {
        struct sql_exec *x = o->exec;
        x->rows_out += batch->rows;
        r = x->options.emit(x->options.self, batch, error);
        if (r)
            return r;
    }
    for (unsigned i = 0; i < o->parents; i++) {
        struct sql_operator *to = o->parent[i].o;
        arena_reset(&to->memory);
        r = to->kind->push(to, o->parent[i].input, batch, error);
        if (r)
            return r;
    }
    return 0;
}

int operator_flush(struct sql_operator *o, struct sql_error *error) {
    if (o->out.rows == 0)
        return 0;
    struct sql_batch batch = sql_builder_batch(&o->out);
    int r = operator_emit(o, &batch, error);
    sql_builder_reset(&o->out);
    return r;
}

int operator_put_into(struct sql_operator *o, struct sql_builder *b, slice bytes,
                      const struct sql_type *types, unsigned count, unsigned at,
                      struct sql_error *error) {
    ptrdiff_t used = sql_row_decode(bytes, types, count, &b->memory, o->cells, o->nulls);
    if (used < 0)
        return operator_fail(o, (int)used, error);
    for (unsigned i = 0; i < count; i++)
        sql_builder_set(b, at + i, &o->cells[i], o->nulls[i]);
    return 0;
}

int operator_put(struct sql_operator *o, slice bytes, const struct sql_type *types, unsigned count,
                 unsigned at, struct sql_error *error) {
    return operator_put_into(o, &o->out, bytes, types, count, at, error);
}

void operator_put_nulls(struct sql_operator *o, unsigned count, unsigned at) {
    for (unsigned i = 0; i < count; i++)
        o->out.nulls[at + i][o->out.rows] = 1;
}

int operator_put_row(struct sql_operator *o, slice bytes, int64_t weight, struct sql_error *error) {
    int r = operator_room(o, error);
    if (r == 0)
        r = operator_put(o, bytes, o->types, o->plan->columns, 0, error);
    if (r == 0)
        sql_builder_end(&o->out, weight);
    return r;
}

int operator_fail_state(struct sql_operator *o, struct sql_error *error) {
    const struct sql_budget *budget = &o->exec->budget;
    sql_fail_memory(error);
    sql_error_detail(error, "The state of the query holds %llu of at most %llu bytes.",
                     (unsigned long long)budget->used, (unsigned long long)budget->max);
    sql_error_hint(error, "Bound what the query keeps (a time window, a filter), or give it more "
                          "memory.");
    return -ENOMEM;
}

int operator_fail(struct sql_operator *o, int result, struct sql_error *error) {
    if (result == -EBADMSG)
        return sql_fail(error, "XX001", "a row of the state of a query cannot be read back");
    return operator_fail_state(o, error);
}

void *operator_zalloc(struct sql_operator *o, size_t count, size_t size) {
    return arena_zalloc(&o->exec->memory, count, size);
}

int operator_evaluators(struct sql_operator *o, struct sql_expr **e, unsigned count,
                        struct sql_evaluator ***ret, struct sql_error *error) {
    struct sql_evaluator **v = operator_zalloc(o, count + 1, sizeof *v);
    if (!v)
        return sql_fail_memory(error);
    *ret = v;
    for (unsigned i = 0; i < count; i++) {
        int r = sql_evaluator_new(e[i], &o->exec->environment, &v[i], error);
        if (r)
            return r;
    }
    return 0;
}

void operator_evaluators_free(struct sql_evaluator **v, unsigned count) {
    for (unsigned i = 0; v && i < count; i++)
        sql_evaluator_free(v[i]);
}

int operator_constant(struct sql_operator *o, const struct sql_expr *e, int64_t if_null,
                      int64_t *ret, struct sql_error *error) {
    *ret = if_null;
    if (!e)
        return 0;
    union sql_cell cell;
    bool null;
    int r = sql_evaluate_constant(e, &o->exec->environment, &o->exec->memory, &cell, &null, error);
    if (r == 0 && !null)
        *ret = cell.i;
    return r;
}
