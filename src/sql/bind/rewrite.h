/*
 * rewrite.h - the passes that make a bound plan cheaper without changing what it gives.
 *
 *   push_down.c   conditions to where their columns come from; equalities become join keys
 *   rank.c        a bound on a rank becomes TOP
 *   lookup.c      `column = constant` over an index becomes a look-up of the scan
 *   share.c       nodes that compute the same become one
 *   prune.c       columns nobody reads are not made; projections of projections are one
 *
 * Nodes are changed in place; a node with several parents takes no condition of one of them.
 */
#ifndef NONET_SQL_BIND_REWRITE_H
#define NONET_SQL_BIND_REWRITE_H

#include "sql/bind/nodes.h"

must_use int rewrite_push_down(struct sql_binder *b, struct sql_plan **plan);
must_use int rewrite_lookups(struct sql_binder *b, struct sql_plan *plan);
must_use int rewrite_share(struct sql_binder *b, struct sql_plan **plan);
must_use int rewrite_prune(struct sql_binder *b, struct sql_plan **plan);

/* How many parents each node has, by number, for b->plans nodes. mem_ memory; NULL: none left. */
unsigned *rewrite_parents(struct sql_binder *b, struct sql_plan *plan);

/* Conditions that all must hold, each over one node's columns. */
struct conditions {
    unsigned count;
    struct sql_expr **item;
};
must_use int conditions_add(struct sql_binder *b, struct conditions *c, struct sql_expr *e);
/* E's parts, where it is AND. NULL adds nothing. */
must_use int conditions_split(struct sql_binder *b, struct conditions *c, struct sql_expr *e);
/* All in one; NULL where there are none or memory is out (then b->error says so). */
struct sql_expr *conditions_all(struct sql_binder *b, const struct conditions *c);
/* PLAN, filtered by them where there are any. */
struct sql_plan *conditions_over(struct sql_binder *b, struct sql_plan *plan,
                                 const struct conditions *c);

/* Are E's columns all within FROM .. TO? */
bool rewrite_within(const struct sql_expr *e, unsigned from, unsigned to);
/* E with columns moved by BY (may be negative). */
struct sql_expr *rewrite_shift(struct sql_binder *b, struct sql_expr *e, int by);

/* rank.c: conditions over WINDOW node P that bound a rank: TOP below it, and the conditions that it
   makes good are taken out of C. */
must_use int rewrite_rank(struct sql_binder *b, struct sql_plan *p, struct conditions *c);
/* join_keys.c: P's predicate and the conditions C over its columns find their places: keys, its own
   predicate, LEFT's and RIGHT's; what stays above is left in C. */
must_use int rewrite_join(struct sql_binder *b, struct sql_plan *p, struct conditions *c,
                          struct conditions *left, struct conditions *right);

#endif
