/*
 * exec.h - a plan at work: rows go in at its scans, changes of the result come out.
 *
 *     push(input, batch)*  end_step      push* end_step      …
 *          rows of any scan     |             a view: again and again
 *                               `-> EMIT gets the changes of the result that follow
 *
 * One step takes any number of batches of any of the inputs, in any order, and its result is
 * consistent: after end_step the sum of all that was emitted is exactly the query over the sum of
 * all that was pushed. Within the step stateless operators and joins hand on at once; those that
 * fold (aggregates, DISTINCT, top, window functions) hold back until end_step and then give the net
 * change of each group touched. Determinism: what comes out depends on what went in and on its
 * order (the moments told of a clock among it), never on an address or a hash seed.
 *
 * `once`: a query that is answered and forgotten. One step only; what will not be asked again is
 * not kept (the left side of a join whose right side has ended).
 *
 * State is counted in bytes. Past memory_max a push or end_step fails with 53200. After that, as
 * after any failure, the executor is spent: the host says so of the view, or to the asker.
 */
#ifndef NONET_SQL_EXEC_EXEC_H
#define NONET_SQL_EXEC_EXEC_H

#include "sql/plan.h"

struct sql_exec;

struct sql_exec_options {
    bool once;
    uint64_t memory_max; /* bytes */
    const struct sql_settings *settings;
    const union sql_cell *parameters; /* of the query's types; live as long as the executor */
    const uint8_t *parameter_nulls;
    /* Changes of the result, all columns of the plan. Non-zero stops and is returned. */
    int (*emit)(void *self, const struct sql_batch *batch, struct sql_error *error);
    /* Asked for every batch on its way, also between operators, and for every few records of a
       state that is saved: non-zero, with *ERROR filled, ends the push, step or save at hand (a
       cross join may be long). NULL: never. */
    int (*go_on)(void *self, struct sql_error *error);
    void *self;
};

must_use int sql_exec_new(const struct sql_query *query, const struct sql_exec_options *options,
                          struct sql_exec **ret, struct sql_error *error);
struct sql_exec *sql_exec_free(struct sql_exec *x);

/* The scans, in the order in which `once` wants them fed whole (build sides first). */
unsigned sql_exec_inputs(const struct sql_exec *x);
const struct sql_plan *sql_exec_input(const struct sql_exec *x, unsigned input);

/* BATCH has the scan's columns. */
must_use int sql_exec_push(struct sql_exec *x, unsigned input, const struct sql_batch *batch,
                           struct sql_error *error);
/* No more rows of INPUT will come. Without `once` it means nothing. What follows from it comes out
   at once; where that fails the next push or end_step says so. */
void sql_exec_end_input(struct sql_exec *x, unsigned input);
/* Rows of INPUT's time column below TIME will not come any more (timestamp microseconds). What
   closes by it comes out at the end of the step. */
must_use int sql_exec_watermark(struct sql_exec *x, unsigned input, int64_t time,
                                struct sql_error *error);
/* It is NOW (timestamptz), by which rows of temporal filters come and go; earlier than before: does
   nothing. Within a step, or as its first. */
must_use int sql_exec_clock(struct sql_exec *x, int64_t now, struct sql_error *error);
/* When sql_exec_clock would next change the result; INT64_MAX: never, as things are. */
int64_t sql_exec_next_moment(const struct sql_exec *x);
must_use int sql_exec_end_step(struct sql_exec *x, struct sql_error *error);
/* The result cannot change by more input (LIMIT without ORDER BY is full; `once`). */
bool sql_exec_full(const struct sql_exec *x);

struct sql_exec_stats {
    uint64_t state_bytes, state_rows, rows_in, rows_out;
};
struct sql_exec_stats sql_exec_stats(const struct sql_exec *x);

/* The values of the lookups of a scan, parameters put in; *RET_NULLS 1: NULL (then no row
 * matches).*/
must_use int sql_exec_lookup(struct sql_exec *x, unsigned input, union sql_cell *ret_cells,
                             uint8_t *ret_nulls, struct sql_error *error);

/* ---- the state as bytes ---------------------------------------------------------------------

   Between steps all that an executor keeps comes out as pieces of bytes, and goes into a fresh one
   of the same plan, which then goes on as the first would have: the same changes in the same order,
   the same stats. So a view that starts again needs its streams from where it stopped only. The
   pieces say nothing of the host's own: how far each input was read, which rows the result has.

   They carry a version of their form and a fingerprint of the plan (kinds, types, expressions,
   names of tables, not their OIDs), and are refused under another. Each has a hash that goes on
   from the piece before: one that is damaged, missing or of another save is found before a byte of
   it is believed. What is read is bounded by memory_max, as what is pushed is. */

/* Of a piece at most; as a message with its headers it stays below 1 MiB. */
#define SQL_STATE_PIECE_BYTES ((size_t)1020 << 10)
/* Takes a piece, which is gone when it returns. Non-zero, with *ERROR filled, stops it. */
typedef int sql_exec_piece(void *self, slice piece, struct sql_error *error);

/* At a step's end (or before the first), never `once`. Gives the state to PIECE, from one piece
   upwards; it may take its time (step aside on its fiber), but X is given nothing until this
   returns. X goes on whatever is returned: 0; -EOPNOTSUPP (0A000): the plan has an operator whose
   state cannot be saved, nothing was given, and a view is to be computed from its inputs again;
   -ENOMEM (53200); what PIECE or go_on returned. */
must_use int sql_exec_save(struct sql_exec *x, sql_exec_piece *piece, void *self,
                           struct sql_error *error);
/* The next piece into X, which was made for it and given nothing else. 1: more must come before X
   is used; 0: it was the last. Else X is spent, to be freed: -ESTALE (55000): of another plan or
   version; -EBADMSG (XX001): damaged, or not the piece that follows; -ENOMEM (53200). */
must_use int sql_exec_load(struct sql_exec *x, slice piece, struct sql_error *error);

#endif
