/*
 * tumble.c - each row with the windows of time it is in: one (tumble), or size / slide (hop).
 *
 * Where windows begin is said in time/windows.h. A row without a time, or whose time is infinite,
 * is in no window.
 */
#include "sql/exec/operator.h"

#include "sql/time/windows.h"

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
        int64_t begin = 0, at = sql_cell_at(time, row)->i;
        if (sql_null_at(time, row))
            continue;
        int64_t count = sql_windows_of(at, plan->size, plan->slide, plan->offset_time, &begin);
        for (; count > 0; count--, begin += plan->slide) {
            int r = tumble_row(o, batch, row, begin, error);
            if (r)
                return r;
        }
    }
    return operator_flush(o, error);
}

const struct sql_operator_kind sql_operator_tumble = {
    .bytes = sizeof(struct sql_operator), .stateless = true, .push = tumble_push};
