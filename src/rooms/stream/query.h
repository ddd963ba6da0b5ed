/*
 * query.h - one query at work: its executor is fed from tables, views and streams, and its rows are
 * given in their order.
 *
 *   FEED each input, whole ── end_step ──> rows gathered ── sorted ──> GIVE
 *                                └─ direct: handed on as they come, where nothing can take one back
 *
 * A query sees the moment of its transaction, with that transaction's own changes. Streams are read
 * up to what the log had when the query began. It works on a fiber: after DATABASE_SLICE_NS it
 * steps aside, wherever it is (in the midst of a join, too), and others have their turn; it waits
 * the same way for the log and for a sink that is full. A table that is altered or dropped
 * meanwhile ends the query (40001).
 */
#ifndef NONET_STREAM_QUERY_H
#define NONET_STREAM_QUERY_H

#include "rooms/stream/work.h"

struct query;

struct query_options {
    struct database_run *run; /* whose transaction, parameters, memory bound */
    const struct sql_query *query;
    /* Rows, as they come or in order; false: full, rest until query_step is called again. NULL:
       they are gathered, for query_give. */
    bool (*rows)(struct database_run *run, const struct sql_batch *batch);
    bool fed; /* by query_feed alone (RETURNING) */
};

must_use int query_new(const struct query_options *options, struct query **ret,
                       struct sql_error *error);
struct query *query_free(struct query *q);
void query_close(struct database_run *run); /* run->close of one whose work is a query */
/* enum run_next: RUN_DONE: all its rows have been given (or gathered); or < 0 with the run's error.
 */
int query_step(struct query *q);
/* Rows of input 0, all of the table's columns. */
must_use int query_feed(struct query *q, const struct sql_batch *batch, struct sql_error *error);
/* Of a gathered one: up to MAX rows to ROWS, in order. How many; fewer than MAX: the end; < 0. */
int64_t query_give(struct query *q, uint64_t max,
                   bool (*rows)(struct database_run *run, const struct sql_batch *batch),
                   struct database_run *to, struct sql_error *error);
struct relation *query_gathered(struct query *q); /* its rows, at moment 1 */
uint64_t query_rows(const struct query *q);       /* given so far */

#endif
