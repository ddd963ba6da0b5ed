/*
 * values.c - rows of expressions without columns, given once, before anything else.
 */
#include "sql/exec/operator.h"

static int values_row(struct sql_operator *o, unsigned row, struct sql_error *error) {
    const struct sql_plan *plan = o->plan;
    for (unsigned i = 0; i < plan->columns; i++) {
        union sql_cell cell = {.i = 0};
        bool null;
        int r = sql_evaluate_constant(plan->expression[row * plan->columns + i],
                                      &o->exec->environment, &o->out.memory, &cell, &null, error);
        if (r)
            return r;
        sql_builder_set(&o->out, i, &cell, null);
    }
    sql_builder_end(&o->out, 1);
    return 0;
}

static int values_push(struct sql_operator *o, unsigned input, const struct sql_batch *batch,
                       struct sql_error *error) {
    (void)input;
    (void)batch;
    for (unsigned row = 0; row < o->plan->rows; row++) {
        int r = operator_room(o, error);
        if (r == 0)
            r = values_row(o, row, error);
        if (r)
            return r;
    }
    return operator_flush(o, error);
}

const struct sql_operator_kind sql_operator_values = {
    .bytes = sizeof(struct sql_operator), .stateless = true, .push = values_push};
