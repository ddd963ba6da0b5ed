/*
 * filter.c - the rows of which the predicate is true.
 *
 * A batch of which all rows stay goes on as it is; room for others is made when one comes, which a
 * look-up by key never does.
 */
#include "sql/exec/operator.h"

struct filter {
    struct sql_operator base;
    struct sql_evaluator *predicate;
    uint16_t rows[SQL_BATCH_ROWS];
};

static int filter_make(struct sql_operator *o, struct sql_error *error) {
    struct filter *f = (struct filter *)o;
    return o->plan->predicate
               ? sql_evaluator_new(o->plan->predicate, &o->exec->environment, &f->predicate, error)
               : 0;
}

static int filter_push(struct sql_operator *o, unsigned input, const struct sql_batch *batch,
                       struct sql_error *error) {
    (void)input;
    struct filter *f = (struct filter *)o;
    if (!f->predicate)
        return operator_emit(o, batch, error);
    int kept = sql_evaluate_filter(f->predicate, batch, &o->memory, f->rows, error);
    if (kept < 0)
        return kept;
    if ((unsigned)kept == batch->rows || kept == 0)
        return kept ? operator_emit(o, batch, error) : 0;
    if (!o->out.weights) {
        int r = operator_builder(o, o->plan->columns, &o->out, error);
        if (r < 0)
            return r;
    }
    unsigned count = (unsigned)kept;
    for (unsigned i = 0; i < batch->columns; i++) {
        const struct sql_column *c = &batch->column[i];
        for (unsigned at = 0; at < count; at++)
            o->out.cells[i][at] = *sql_cell_at(c, f->rows[at]);
        if (!c->nulls)
            memset(o->out.nulls[i], 0, count);
        for (unsigned at = 0; c->nulls && at < count; at++)
            o->out.nulls[i][at] = sql_null_at(c, f->rows[at]);
    }
    for (unsigned at = 0; at < count; at++)
        sql_builder_end(&o->out, sql_weight_at(batch, f->rows[at]));
    return operator_flush(o, error);
}

static void filter_release(struct sql_operator *o) {
    struct filter *f = (struct filter *)o;
    sql_evaluator_free(f->predicate);
}

const struct sql_operator_kind sql_operator_filter = {.bytes = sizeof(struct filter),
                                                      .hands_on = true,
                                                      .stateless = true,
                                                      .make = filter_make,
                                                      .push = filter_push,
                                                      .release = filter_release};
