/*
 * union.c - UNION ALL: the rows of all inputs, as they come.
 */
#include "sql/exec/operator.h"

static int union_push(struct sql_operator *o, unsigned input, const struct sql_batch *batch,
                      struct sql_error *error) {
    (void)input;
    return operator_emit(o, batch, error);
}

const struct sql_operator_kind sql_operator_union = {
    .bytes = sizeof(struct sql_operator), .hands_on = true, .stateless = true, .push = union_push};
