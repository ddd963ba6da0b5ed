/*
 * unnest.h - one APPLY on its way to a join: see unnest.c.
 *
 * The right side's OUTER columns of this APPLY are marked UNNEST_OWN and numbered from 0; pushing
 * the domain down turns each into the column that carries its value there.
 */
#ifndef NONET_SQL_BIND_UNNEST_H
#define NONET_SQL_BIND_UNNEST_H

#include "sql/bind/nodes.h"

/* The level of an OUTER column of the APPLY at hand, once those of others have been lowered. */
#define UNNEST_OWN (1u << 20)

struct unnesting {
    struct sql_plan *left;
    unsigned count;
    unsigned *outer;         /* columns of left that the right side uses, each once */
    struct sql_plan *domain; /* their distinct values; NULL: not needed so far */
    struct sql_plan **memo;  /* by number: what a node of the right side became */
    unsigned memo_count;
};

/* NODE's columns, then one for each of u->outer: the rows that NODE gives for each of their values.
   NULL where it failed. */
struct sql_plan *unnest_push(struct sql_binder *b, struct unnesting *u, struct sql_plan *node);
/* What the aggregate gives for no rows at all: a constant. */
struct sql_expr *unnest_empty_value(struct sql_binder *b, const struct sql_plan_aggregate *a);
/* AGGREGATE without groups, grouped by the outer columns: its columns, then theirs. Values without
   rows give no row. */
struct sql_plan *unnest_group(struct sql_binder *b, struct unnesting *u, struct sql_plan *node);
/* NOT (a IS DISTINCT FROM c) */
struct sql_expr *unnest_same(struct sql_binder *b, struct sql_expr *a, struct sql_expr *c);

#endif
