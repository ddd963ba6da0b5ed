/*
 * scan.c - where rows come in: the host pushes them, the operator hands them on.
 */
#include "sql/catalog.h"
#include "sql/exec/operator.h"

static int scan_make(struct sql_operator *o, struct sql_error *error) {
    (void)error;
    if (o->plan->table && o->plan->table->watermark_column >= 0 &&
        o->plan->table->kind == SQL_TABLE_STREAM)
        o->watermark = INT64_MIN;
    return 0;
}

static int scan_push(struct sql_operator *o, unsigned input, const struct sql_batch *batch,
                     struct sql_error *error) {
    (void)input;
    return operator_emit(o, batch, error);
}

const struct sql_operator_kind sql_operator_scan = {.bytes = sizeof(struct sql_operator),
                                                    .hands_on = true,
                                                    .stateless = true,
                                                    .make = scan_make,
                                                    .push = scan_push};
