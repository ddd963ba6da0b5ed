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

#include "sql/exec/aggregate_group.h"
#include "sql/exec/keys.h"

#define DISTINCT_USERS_MAX 64u /* of one map; beyond, another is made */

enum keeping { KEEP_FOLD, KEEP_DISTINCT, KEEP_BAG, KEEP_ENDS, KEEP_GROUPING };

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

/* aggregate_snapshot.c */
bool aggregate_can_save(const struct sql_operator *o);
int aggregate_save(const struct sql_operator *o, struct sql_saving *s);
int aggregate_load(struct sql_operator *o, struct sql_loading *l);

/* aggregate.c: the key that buckets of closing groups stand in order of. */
void closing_key(int64_t time, char key[8]);

static inline bool keeps_bag(const struct folded *f) {
    return f->keeping == KEEP_BAG || f->keeping == KEEP_ENDS;
}
static inline void *fold_state(const struct folded *f, struct group *g) {
    return (char *)g + f->state_at;
}
/* Puts the arguments of ROW into f->cells and f->nulls. Does the aggregate see the row? */
bool fold_arguments(struct folded *f, unsigned row);

#endif
