/*
 * project.c - a column for each expression; rows and weights stay.
 */
#include "sql/exec/operator.h"

struct project {
    struct sql_operator base;
    struct sql_evaluator **expression;
    struct sql_column *column;
};

static int project_make(struct sql_operator *o, struct sql_error *error) {
    struct project *p = (struct project *)o;
    p->column = operator_zalloc(o, o->plan->columns + 1, sizeof *p->column);
    if (!p->column)
        return sql_fail_memory(error);
    return operator_evaluators(o, o->plan->expression, o->plan->columns, &p->expression, error);
}

static int project_push(struct sql_operator *o, unsigned input, const struct sql_batch *batch,
                        struct sql_error *error) {
    (void)input;
    struct project *p = (struct project *)o;
    for (unsigned i = 0; i < o->plan->columns; i++) {
        int r = sql_evaluate(p->expression[i], batch, &o->memory, &p->column[i], error);
        if (r)
            return r;
    }
    struct sql_batch out = {batch->rows, o->plan->columns, p->column, batch->weights};
    return operator_emit(o, &out, error);
}

static void project_release(struct sql_operator *o) {
    struct project *p = (struct project *)o;
    operator_evaluators_free(p->expression, o->plan->columns);
}

const struct sql_operator_kind sql_operator_project = {.bytes = sizeof(struct project),
                                                       .hands_on = true,
                                                       .stateless = true,
                                                       .make = project_make,
                                                       .push = project_push,
                                                       .release = project_release};
