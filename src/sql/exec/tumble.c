/*
 * tumble.c - each row with the windows of time it is in: one (tumble), or size / slide (hop).
 *
 *      slide      |----|----|----|----|         windows begin at offset + n * slide
 *      size       [---------)                   and hold begin <= time < begin + size
 *                      [---------)
 *
 * A row without a time, or whose time is infinite, is in no window.
 */
#include "sql/exec/operator.h"

/* The first beginning of a window that holds TIME. False: out of range. */
static bool first_window(const struct sql_plan *plan, int64_t time, int64_t *ret) {
    int64_t since, first;
    if (time == SQL_INFINITY || time == SQL_MINUS_INFINITY)
        return false;
    if (__builtin_sub_overflow(time, plan->offset_time, &since))
        return false;
    int64_t into = since % plan->slide;
    if (into < 0)
        into += plan->slide;
    int64_t windows = (plan->size - into + plan->slide - 1) / plan->slide;
    if (windows <= 0) /* slide > size, and between two windows */
        return false;
    if (__builtin_sub_overflow(time, into + (windows - 1) * plan->slide, &first))
        return false;
    *ret = first;
    return true;
}

static int tumble_row(struct sql_operator *o, const struct sql_batch *batch, unsigned row,
                      int64_t begin, struct sql_error *error) {
    int r = operator_room(o, error);
    if (r)
        return r;
    for (unsigned i = 0; i < batch->columns; i++)
        sql_builder_set(&o->out, i, sql_cell_at(&batch->column[i], row),
                        sql_null_at(&batch->column[i], row));
    union sql_cell start = {.i = begin}, end = {.i = begin + o->plan->size};
    sql_builder_set(&o->out, batch->columns, &start, false);
    sql_builder_set(&o->out, batch->columns + 1, &end, false);
    sql_builder_end(&o->out, sql_weight_at(batch, row));
    return 0;
}

static int tumble_push(struct sql_operator *o, unsigned input, const struct sql_batch *batch,
                       struct sql_error *error) {
    (void)input;
    const struct sql_plan *plan = o->plan;
    const struct sql_column *time = &batch->column[plan->time_column];
    for (unsigned row = 0; row < batch->rows; row++) {
        int64_t begin, at = sql_cell_at(time, row)->i;
        if (sql_null_at(time, row) || !first_window(plan, at, &begin))
            continue;
        for (; begin <= at; begin += plan->slide) {
            int r = tumble_row(o, batch, row, begin, error);
            if (r)
                return r;
        }
    }
    return operator_flush(o, error);
}

const struct sql_operator_kind sql_operator_tumble = {.bytes = sizeof(struct sql_operator),
                                                      .push = tumble_push};
