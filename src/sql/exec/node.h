/*
 * node.h - the evaluator's insides, shared by evaluate.c and the files evaluate_….c.
 *
 * Each expression becomes a node with the scratch its rows need, made once. Nodes whose value no
 * row changes are computed at their first use and kept.
 */
#ifndef NONET_SQL_EXEC_NODE_H
#define NONET_SQL_EXEC_NODE_H

#include "sql/exec/evaluate.h"

struct node {
    const struct sql_expr *e;
    struct sql_evaluator *evaluator;
    unsigned count;
    struct node *child; /* [count] */
    struct sql_call call;
    union sql_cell *arguments; /* of one row, [count] */
    uint8_t *nulls;
    struct sql_column *columns;       /* of the children, [count] */
    unsigned *used;                   /* columns of the batch that it reads */
    unsigned used_count, columns_min; /* the largest of them, plus one */
    bool constant, kept;              /* kept: cell and null hold its value */
    uint8_t null;
    union sql_cell cell;
    struct node_set *set; /* evaluate_in.c; NULL until it is used */
};

struct sql_evaluator {
    struct arena memory; /* nodes and kept constants */
    struct sql_environment environment;
    struct node root;
};

/* The value of N for each row of BATCH. */
must_use int node_evaluate(struct node *n, const struct sql_batch *batch, struct arena *memory,
                           struct sql_column *ret, struct sql_error *error);
/* The same for rows SELECTION[0 … COUNT) of it only, in ascending order: RET has COUNT rows. */
must_use int node_evaluate_some(struct node *n, const struct sql_batch *batch,
                                const uint16_t *selection, unsigned count, struct arena *memory,
                                struct sql_column *ret, struct sql_error *error);
/* All children of N into n->columns. */
must_use int node_evaluate_children(struct node *n, const struct sql_batch *batch,
                                    struct arena *memory, struct sql_error *error);

/* Room for ROWS values, none of them NULL yet. */
struct node_room {
    union sql_cell *cells;
    uint8_t *nulls;
};
must_use int node_room(unsigned rows, struct arena *memory, struct node_room *ret,
                       struct sql_error *error);

/* evaluate_lazy.c: kinds that look at some of their arguments for some rows only. */
must_use int node_and_or(struct node *n, const struct sql_batch *batch, struct arena *memory,
                         struct sql_column *ret, struct sql_error *error);
must_use int node_case(struct node *n, const struct sql_batch *batch, struct arena *memory,
                       struct sql_column *ret, struct sql_error *error);
must_use int node_coalesce(struct node *n, const struct sql_batch *batch, struct arena *memory,
                           struct sql_column *ret, struct sql_error *error);

/* evaluate_in.c */
bool node_is_in_constants(const struct node *n);
must_use int node_in_constants(struct node *n, const struct sql_batch *batch, struct arena *memory,
                               struct sql_column *ret, struct sql_error *error);

/* evaluate_value.c: kinds computed row by row of the children's values (n->arguments, n->nulls).
 *NULLED starts false. */
must_use int node_value(struct node *n, struct arena *memory, union sql_cell *ret, bool *nulled,
                        struct sql_error *error);
/* The cast of one value that is not NULL. */
must_use int node_cast(struct node *n, struct arena *memory, union sql_cell *ret, bool *nulled,
                       struct sql_error *error);

#endif
