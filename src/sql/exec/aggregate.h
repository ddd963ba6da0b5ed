/*
 * aggregate.h - the insides of AGGREGATE, shared by its files.
 *
 *   group   [ head | shown | states: one place an aggregate | key | exact key ]
 *
 * How an aggregate is kept is decided once (enum keeping):
 *
 *   FOLD      its state alone: rows are added, and taken away where the aggregate can (invertible)
 *             or never have to be (the input only grows)
 *   DISTINCT  the same, told only of values that come or go; a map beside the groups counts the
 *             values. Aggregates over the same values share one map, each with its own counts.
 *   BAG       an ordered multiset of values, folded anew when its group was touched: ORDER BY,
 *             WITHIN GROUP, and aggregates that cannot take away
 *   ENDS      a bag whose first or last value is the result (min, max) while values go, too
 *   GROUPING  which of the group's columns are left out; no state
 */
#ifndef NONET_SQL_EXEC_AGGREGATE_H
#define NONET_SQL_EXEC_AGGREGATE_H

#include "sql/exec/keys.h"

#define STATE_ALIGN 16u
#define DISTINCT_USERS_MAX 64u /* of one map; beyond, another is made */

enum keeping { KEEP_FOLD, KEEP_DISTINCT, KEEP_BAG, KEEP_ENDS, KEEP_GROUPING };

struct group {
    uint32_t key_len, exact_len;
    uint64_t hash, id;
    int64_t rows;         /* the weights of its rows */
    struct group *next;   /* of those touched in this step, or closing together */
    char *shown;          /* the aggregates' values that were told, encoded; NULL: none */
    struct value *values; /* in maps of distinct values; only with close_group */
    uint64_t held;        /* bytes counted for what its states gather (array_agg) */
    uint32_t shown_len;
    uint16_t set;
    bool touched;
    _Alignas(STATE_ALIGN) char bytes[];
};

/* A distinct value of a group: id of the group and the value are the key. */
struct value {
    uint32_t key_len;
    uint32_t map; /* struct distinct's number */
    struct value *next;
    int64_t counts[]; /* one a user; or one word of bits, where rows never go. Then the key */
};

/* A value in a bag. */
struct bagged {
    struct sql_node node;
    uint32_t arguments_len;
    char bytes[]; /* key, then the arguments' row */
};

struct distinct {
    unsigned number, users;
    struct sql_index index;
    struct sql_keys *keys;
    unsigned count; /* of arguments */
    struct sql_expr **arguments;
    struct distinct *next;
    unsigned words; /* of a value's counts */
};

struct folded {
    const struct sql_plan_aggregate *plan;
    enum keeping keeping;
    unsigned state_at; /* from the start of a group */
    unsigned count;    /* arguments, with the ordered values of WITHIN GROUP */
    struct sql_expr **arguments;
    struct sql_type *types;
    struct sql_evaluator **argument, *filter, **order;
    struct sql_column *columns; /* [count], of the batch at hand */
    struct sql_column *order_columns;
    struct sql_type *order_types;
    struct sql_sort_key *order_keys;
    uint8_t *counted; /* [rows]: passes FILTER; NULL: all do */
    struct distinct *distinct;
    unsigned slot; /* its place in the map's counts */
    bool last;     /* ENDS: the last value counts */
    bool gathers;  /* its state grows with each row, in memory of its own */
    struct sql_call call;
    union sql_cell *cells; /* of one row's arguments */
    uint8_t *nulls;
};

/* Groups that close at one time. */
struct closing {
    struct sql_node node;
    int64_t time;
    struct group *first, **last;
    char key[8];
};

struct aggregate {
    struct sql_operator base;
    unsigned sets;
    uint64_t *set; /* masks of the groups in each */
    struct sql_keys *keys;
    struct sql_column *group_columns;
    bool exact, closes, retracts, started;
    struct folded *folded;
    struct distinct *distincts;
    unsigned states_bytes;
    struct sql_slab slab;
    struct sql_index index;
    struct sql_order bag_order, close_order;
    struct sql_tree closing; /* struct closing by time */
    struct group *first, **last;
    uint64_t ids;
    struct group *of_row[SQL_BATCH_ROWS];
    struct sql_column *results; /* one row: the aggregates' values */
    union sql_cell *result_cells;
    uint8_t *result_nulls;
    struct buf shown;
    union sql_cell *row_cells; /* of a decoded key */
    uint8_t *row_nulls;
};

/* aggregate_make.c */
must_use int aggregate_make(struct sql_operator *o, struct sql_error *error);
void aggregate_release(struct sql_operator *o);

/* aggregate_fold.c: all rows of the batch, whose groups are in a->of_row (NULL: none), into the
   states; then the results out of them. */
must_use int fold_evaluate(struct aggregate *a, const struct sql_batch *batch,
                           struct sql_error *error);
must_use int fold_rows(struct aggregate *a, const struct sql_batch *batch, struct sql_error *error);
must_use int fold_results(struct aggregate *a, struct group *g, struct sql_error *error);
/* Frees what the states of G own. */
void fold_release(struct aggregate *a, struct group *g);

/* aggregate_distinct.c */
must_use int fold_distinct(struct aggregate *a, struct distinct *d, const struct sql_batch *batch,
                           struct sql_error *error);
/* aggregate_bag.c */
must_use int fold_bag(struct aggregate *a, struct folded *f, const struct sql_batch *batch,
                      struct sql_error *error);
must_use int bag_result(struct aggregate *a, struct folded *f, struct group *g, union sql_cell *ret,
                        bool *ret_null, struct sql_error *error);
void bag_release(struct aggregate *a, struct sql_tree *bag);

static inline void *fold_state(const struct folded *f, struct group *g) {
    return (char *)g + f->state_at;
}
/* Puts the arguments of ROW into f->cells and f->nulls. Does the aggregate see the row? */
bool fold_arguments(struct folded *f, unsigned row);

#endif
