/*
 * operator.h - what the operators of a plan at work share. Only exec/ includes it.
 *
 *      push(operator, input, batch)         rows of one of its inputs, at any time of a step
 *           `-> operator_emit               what follows from them at once, to all parents
 *      end_step                             inputs first: what was held back
 *      watermark                            after it, where time has moved on
 *      input_ended                          `once`: one input is complete
 *
 * An operator's struct begins with struct sql_operator. The plan is a graph without cycles, so
 * while an operator hands a batch on nobody calls it: its scratch and its state stay as they are.
 * Cells in `out` may point into state; state that a push frees is freed after operator_flush.
 */
#ifndef NONET_SQL_EXEC_OPERATOR_H
#define NONET_SQL_EXEC_OPERATOR_H

#include "base/mem.h"
#include "sql/exec/evaluate.h"
#include "sql/exec/exec.h"
#include "sql/exec/state.h"

#include <errno.h>

#define SQL_NO_WATERMARK INT64_MAX /* nothing of it is ever late: it has no time column */

struct sql_operator;
struct sql_saving;
struct sql_loading;

struct sql_operator_kind {
    size_t bytes;  /* of its struct */
    bool hands_on; /* gives only columns that it was given or computed: it needs no `out` */
    int (*make)(struct sql_operator *o, struct sql_error *error);
    int (*push)(struct sql_operator *o, unsigned input, const struct sql_batch *batch,
                struct sql_error *error);
    /* These may be NULL. */
    int (*end_step)(struct sql_operator *o, struct sql_error *error);
    int (*watermark)(struct sql_operator *o, struct sql_error *error);
    int (*input_ended)(struct sql_operator *o, unsigned input, struct sql_error *error);
    int (*clock)(struct sql_operator *o, struct sql_error *error); /* exec->clock has moved on */
    int64_t (*next_moment)(const struct sql_operator *o); /* at which `clock` will give something */
    void (*release)(struct sql_operator *o);
    /* Its state as bytes, between steps (snapshot.h): all of it as records; one of those records
       taken back. 0 or -EBADMSG, -ENOBUFS, -ENOMEM. A kind that keeps nothing but its watermark
       says `stateless`; with neither it cannot be saved, nor where can_save says so. */
    bool stateless;
    bool (*can_save)(const struct sql_operator *o);
    int (*save)(const struct sql_operator *o, struct sql_saving *s);
    int (*load)(struct sql_operator *o, struct sql_loading *l);
};

struct sql_parent {
    struct sql_operator *o;
    unsigned input;
};

struct sql_operator {
    const struct sql_operator_kind *kind;
    const struct sql_plan *plan;
    struct sql_exec *exec;
    struct sql_operator **input; /* [plan->inputs] */
    uint8_t *input_ended;
    unsigned parents;
    struct sql_parent *parent;
    bool root, ended;
    bool append_only; /* what it emits has no negative weights */
    int64_t watermark;
    struct sql_type *types; /* of its columns */
    struct arena memory;    /* scratch: reset at the start of a push */
    struct buf bytes;       /* scratch for encoding */
    union sql_cell *cells;  /* scratch for one decoded row of its own or of an input */
    uint8_t *nulls;
    struct sql_builder out;
};

struct sql_exec {
    struct sql_exec_options options;
    struct sql_environment environment;
    struct sql_budget budget;
    struct arena memory;
    unsigned operators;
    struct sql_operator **operator; /* inputs before those they feed */
    unsigned inputs;
    struct sql_operator **scan;
    struct sql_operator *root;
    int64_t clock; /* timestamptz; INT64_MIN: it was not told */
    uint64_t seed; /* of hashes */
    uint64_t rows_in, rows_out;
    uint64_t builder_bytes;       /* of all builders of its operators */
    bool started, within, saving; /* within: a step, since its first rows */
    struct sql_loading *loading;  /* the pieces of a saved state are coming in */
    int failed;                   /* the first failure, told by every call after it */
    struct sql_error failure;
};

/* ---- operator.c: what operators call ------------------------------------------------------ */

/* May the step go on? 0, or the host's error. */
must_use static inline int operator_go_on(struct sql_operator *o, struct sql_error *error) {
    const struct sql_exec_options *options = &o->exec->options;
    return options->go_on ? options->go_on(options->self, error) : 0;
}
/* Hands BATCH to all parents, or to the host. */
must_use int operator_emit(struct sql_operator *o, const struct sql_batch *batch,
                           struct sql_error *error);
/* A builder of COLUMNS columns. 54011: too many; 53200: those of all operators together take more
   than the executor's memory_max, and what is free to each. */
must_use int operator_builder(struct sql_operator *o, unsigned columns, struct sql_builder *ret,
                              struct sql_error *error);
/* Hands on what o->out has gathered. */
must_use int operator_flush(struct sql_operator *o, struct sql_error *error);
/* Room for one more row in o->out. */
must_use static inline int operator_room(struct sql_operator *o, struct sql_error *error) {
    return likely(!sql_builder_full(&o->out)) ? 0 : operator_flush(o, error);
}
/* Puts COUNT values of TYPES, encoded as BYTES, into the row under way, from column AT on. */
must_use int operator_put(struct sql_operator *o, slice bytes, const struct sql_type *types,
                          unsigned count, unsigned at, struct sql_error *error);
/* The same into B. */
must_use int operator_put_into(struct sql_operator *o, struct sql_builder *b, slice bytes,
                               const struct sql_type *types, unsigned count, unsigned at,
                               struct sql_error *error);
void operator_put_nulls(struct sql_operator *o, unsigned count, unsigned at);
must_use int operator_put_row(struct sql_operator *o, slice bytes, int64_t weight,
                              struct sql_error *error);
/* State could not be had: the budget is spent, or memory. */
int operator_fail_state(struct sql_operator *o, struct sql_error *error);
/* The same for the result of a call of state.h, row.h or buf.h. */
int operator_fail(struct sql_operator *o, int result, struct sql_error *error);
/* COUNT x SIZE bytes of zero that live as long as the executor; NULL: no memory. */
must_use void *operator_zalloc(struct sql_operator *o, size_t count, size_t size);
/* An evaluator for each of COUNT expressions. */
must_use int operator_evaluators(struct sql_operator *o, struct sql_expr **e, unsigned count,
                                 struct sql_evaluator ***ret, struct sql_error *error);
void operator_evaluators_free(struct sql_evaluator **v, unsigned count);
/* A bigint that no row changes, of LIMIT and frames: NULL expression or value gives IF_NULL. */
must_use int operator_constant(struct sql_operator *o, const struct sql_expr *e, int64_t if_null,
                               int64_t *ret, struct sql_error *error);

/* ---- one file each ------------------------------------------------------------------------ */

extern const struct sql_operator_kind sql_operator_scan, sql_operator_values, sql_operator_set,
    sql_operator_filter, sql_operator_project, sql_operator_union, sql_operator_tumble,
    sql_operator_join, sql_operator_aggregate, sql_operator_combine, sql_operator_top,
    sql_operator_window, sql_operator_session, sql_operator_temporal;

/* No row can come out of this TOP any more (`once`). */
bool sql_top_is_full(const struct sql_operator *o);

#endif
