/*
 * evaluate.h - computes expressions over a batch, a column at a time.
 *
 * An evaluator is made of an expression once and holds what its calls keep. Parts that must not be
 * computed for every row (the branches of CASE, the right of AND) are computed for the rows that
 * need them only, so that `CASE WHEN x <> 0 THEN 1 / x END` never divides by zero.
 */
#ifndef NONET_SQL_EXEC_EVALUATE_H
#define NONET_SQL_EXEC_EVALUATE_H

#include "sql/expr.h"

struct sql_evaluator;

struct sql_environment {
    const struct sql_settings *settings;
    const union sql_cell *parameters;
    const uint8_t *parameter_nulls;
};

must_use int sql_evaluator_new(const struct sql_expr *e, const struct sql_environment *environment,
                               struct sql_evaluator **ret, struct sql_error *error);
struct sql_evaluator *sql_evaluator_free(struct sql_evaluator *v);

/* The value for each row of BATCH, in MEMORY or the batch's own; RET is dense or constant. Errors
   carry no position, as PostgreSQL's at run time do not. */
must_use int sql_evaluate(struct sql_evaluator *v, const struct sql_batch *batch,
                          struct arena *memory, struct sql_column *ret, struct sql_error *error);
/* Which rows it is true for: their numbers to RET_ROWS, returns how many, or < 0. */
must_use int sql_evaluate_filter(struct sql_evaluator *v, const struct sql_batch *batch,
                                 struct arena *memory, uint16_t *ret_rows, struct sql_error *error);
/* One value of an expression without columns. */
must_use int sql_evaluate_constant(const struct sql_expr *e,
                                   const struct sql_environment *environment, struct arena *memory,
                                   union sql_cell *ret, bool *ret_null, struct sql_error *error);

/* Frees what CALL keeps from row to row. */
static inline void sql_call_release(const struct sql_call *call) {
    if (call->kept && call->kept_free)
        call->kept_free(call->kept);
}

#endif
