/*
 * prune.h - what prune.c found out on its way down, for prune_node.c on its way up.
 *
 * All arrays are by a node's number as it was when the pass began; nodes made on the way up have
 * none and are never asked for.
 */
#ifndef NONET_SQL_BIND_PRUNE_H
#define NONET_SQL_BIND_PRUNE_H

#include "sql/bind/rewrite.h"

struct pruning {
    struct arena memory;
    unsigned *parents;
    unsigned known;
    const struct sql_plan *root; /* its names are the result's */
    unsigned *width;             /* columns a node had */
    uint8_t **needed;            /* by column: somebody reads it */
    unsigned **map;              /* by old column: its new number; of one not needed: anything */
    struct sql_plan **to;        /* what the node became */
};

/* P over its pruned inputs: the node with only needed columns (u->map filled), or its input where
   it does nothing any more. NULL where it failed. */
struct sql_plan *prune_node(struct sql_binder *b, struct pruning *u, struct sql_plan *p);

#endif
