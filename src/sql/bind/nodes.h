/*
 * nodes.h - making plan nodes, and walking a plan.
 *
 * Nodes may be shared, so whoever walks visits each once, told by its number. A shared node has no
 * OUTER column (cte.c sees to it), so what a walk does to one place is right for all.
 */
#ifndef NONET_SQL_BIND_NODES_H
#define NONET_SQL_BIND_NODES_H

#include "sql/bind/binder.h"

struct sql_plan *bind_plan(struct sql_binder *b, enum sql_plan_kind kind, unsigned inputs,
                           unsigned columns);
/* One row of no columns. */
struct sql_plan *bind_plan_nothing(struct sql_binder *b);
struct sql_plan *bind_plan_filter(struct sql_binder *b, struct sql_plan *input,
                                  struct sql_expr *predicate);
/* Columns are named by NAMES (may be NULL: as the input's where they are columns). */
struct sql_plan *bind_plan_project(struct sql_binder *b, struct sql_plan *input,
                                   struct sql_expr **e, const slice *names, unsigned count);
/* INPUT with COUNT more columns E behind its own. */
struct sql_plan *bind_plan_extend(struct sql_binder *b, struct sql_plan *input, struct sql_expr **e,
                                  unsigned count);
/* Columns WHICH of INPUT; INPUT itself where that is all of them in order. */
struct sql_plan *bind_plan_pick(struct sql_binder *b, struct sql_plan *input, const unsigned *which,
                                unsigned count);
struct sql_plan *bind_plan_first(struct sql_binder *b, struct sql_plan *input, unsigned count);
/* JOIN or APPLY; PREDICATE over left's then right's columns. */
struct sql_plan *bind_plan_join(struct sql_binder *b, enum sql_plan_kind kind,
                                enum sql_join_kind join, struct sql_plan *left,
                                struct sql_plan *right, struct sql_expr *predicate);
/* Same columns as the input's: DISTINCT, TOP, … */
struct sql_plan *bind_plan_same(struct sql_binder *b, enum sql_plan_kind kind,
                                struct sql_plan *input);
struct sql_plan *bind_plan_scan(struct sql_binder *b, const struct sql_table *table, bool row_id);
/* SELECT's set operation over inputs of equal width and types. */
struct sql_plan *bind_plan_union(struct sql_binder *b, struct sql_plan **input, unsigned count);

/* Does a join of this kind give right's columns? */
static inline bool bind_join_is_half(enum sql_join_kind join) {
    return join == SQL_JOIN_SEMI || join == SQL_JOIN_ANTI || join == SQL_JOIN_ANTI_NULL;
}

/* Calls VISIT for each place of PLAN itself that holds an expression (never NULL). Non-zero stops.
 */
typedef int bind_slot(struct sql_binder *b, struct sql_expr **slot, void *self);
int bind_each_slot(struct sql_binder *b, struct sql_plan *plan, bind_slot *visit, void *self);
/* Calls VISIT for each node from PLAN down, inputs first, each once. */
typedef int bind_node(struct sql_binder *b, struct sql_plan *plan, void *self);
int bind_each_node(struct sql_binder *b, struct sql_plan *plan, bind_node *visit, void *self);

/* The highest level of an OUTER column that looks out of PLAN, plus one; 0: none does; < 0: no
   memory. */
int bind_outer_reach(struct sql_binder *b, struct sql_plan *plan);
/* OUTER columns of LEVEL within PLAN become what VISIT gives for them (level is theirs, seen from
   PLAN); those above LEVEL are lowered by one where LOWER. */
must_use int bind_replace_outer(struct sql_binder *b, struct sql_plan *plan, unsigned level,
                                bind_visit *visit, void *self, bool lower);

/* close.c: EMIT ON WINDOW CLOSE; 0A000 where no grouping can wait. */
must_use int bind_emit_on_close(struct sql_binder *b, struct sql_plan *plan);
/* temporal.c: filters by now() become rows that come and go as time goes on; others stay. */
must_use int bind_temporal(struct sql_binder *b, struct sql_plan *plan);
/* unnest.c: no APPLY is left. rewrite.c: filters down, keys found, columns pruned. */
must_use int bind_unnest(struct sql_binder *b, struct sql_plan **plan);
must_use int bind_rewrite(struct sql_binder *b, struct sql_query *query);

#endif
