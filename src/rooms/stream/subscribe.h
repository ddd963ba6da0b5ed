/*
 * subscribe.h - SUBSCRIBE: the rows of a query, then each of their changes, until the asker ends.
 *
 *     tables, views, streams --> view without rows (view_listen) --> net changes of the step
 *                                                                        |  database_show
 *     client <-- rows as it takes them <-- queue, bounded <--------------'
 *
 * What is told belongs together: the rows that are there are those of one moment, and a step comes
 * whole, when readers may see it. Over tables and views the rows that are there are told at once;
 * where the query reads streams itself, once it has read all that they had.
 *
 * Nobody waits for a subscriber: what it does not take lies in the queue, and where that would have
 * more than `subscription_buffer` of section `sql`, beside the rows that were there, the
 * subscription ends with 53400.
 */
#ifndef NONET_STREAM_SUBSCRIBE_H
#define NONET_STREAM_SUBSCRIBE_H

#include "rooms/stream/work.h"

struct subscription;

/* run.c, cursor.c */
must_use int subscribe_start(struct database_run *run);
/* Of RUN's statement, or of a cursor's it declares; RUN's parameters live as long as RUN or, with
   a cursor, there are none. Begun at the first call of subscription_give. */
must_use int subscription_new(struct database_run *run, const struct sql_statement *bound,
                              struct subscription **ret, struct sql_error *error);
struct subscription *subscription_free(struct subscription *s);
/* Up to MAX rows that are there to ROWS of RUN; more than none are given by *RET_COUNT. RUN_AGAIN:
   there are more of them; RUN_WAIT: there are none now, or ROWS is full: RUN will be woken; < 0:
   it has ended, RUN's error says why. */
int subscription_give(struct subscription *s, struct database_run *run, uint64_t max,
                      bool (*rows)(struct database_run *run, const struct sql_batch *batch),
                      uint64_t *ret_count);
bool subscription_has_rows(const struct subscription *s); /* for the next give */
/* RUN does not wait any more. */
void subscription_leave(struct subscription *s);

/* database.c: as of views (inside.h). */
void subscriptions_changed(struct database *db, const struct sql_table *table,
                           const struct sql_batch *batch);
void subscriptions_step(struct database *db);
void subscriptions_show(struct database *db);
/* definition.c: TABLE has another form now, or is gone: who reads it is told (55000). */
void subscriptions_lose(struct database *db, const struct sql_table *table);

#endif
