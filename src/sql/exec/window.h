/*
 * window.h - the insides of WINDOW, shared by its files.
 *
 * A partition whose rows have changed is laid out once at the end of the step: its rows in order,
 * a row that is there twice as two, with the arguments of all functions beside them. Functions then
 * work on places 0 … count.
 */
#ifndef NONET_SQL_EXEC_WINDOW_H
#define NONET_SQL_EXEC_WINDOW_H

#include "sql/exec/partition.h"

struct placed {
    struct sql_node node;
    char *told; /* values told, a row of bytes for each time it is there; NULL: none */
    uint32_t told_len, row_at;
    int64_t told_times;
    char bytes[]; /* order, row */
};

/* One window function. */
struct windowed {
    const struct sql_plan_window *plan;
    struct sql_evaluator **argument, *filter;
    struct sql_type *types;
    struct sql_call call;
    union sql_cell start_offset, end_offset; /* of the frame */
    struct sql_call plus, minus;             /* of RANGE */
    struct sql_type order_types[2];
    /* Of the partition at hand, each [count]. */
    union sql_cell **cells;
    uint8_t **nulls;
    uint8_t *counted; /* passes FILTER */
    union sql_cell *result;
    uint8_t *result_null;
};

struct layout {
    size_t count;
    struct placed **row;
    size_t *peers, *peers_end; /* where the rows equal in order begin and end */
    size_t *group;             /* which of the peer groups, from 0 */
    size_t *group_at;          /* where each begins; one more: count */
    size_t groups;
    union sql_cell *order; /* the one order column, for RANGE with offsets */
    uint8_t *order_null;
    size_t known, known_end; /* rows whose order is not NULL */
};

struct window {
    struct sql_operator base;
    struct sql_partitions partitions;
    struct windowed *windowed;
    bool needs_order;
    struct arena arena; /* of the partition at hand */
    struct sql_builder rows;
    struct layout layout;
    struct sql_column *results; /* one row of values */
    uint64_t worked;            /* rows added to states and told, so far */
};

struct frame {
    size_t start, end;
};

/* window_layout.c */
must_use int window_layout(struct window *w, const struct sql_partition *p,
                           struct sql_error *error);

/* window_frame.c: the frame of place AT, without what EXCLUDE leaves out. */
must_use int window_frame(struct window *w, struct windowed *f, size_t at, struct frame *ret,
                          struct sql_error *error);
/* Frames' offsets, checked. */
must_use int window_offsets(struct window *w, struct windowed *f, struct sql_error *error);
/* Does EXCLUDE leave PLACE out of the frame of AT? */
bool window_excludes(const struct window *w, const struct windowed *f, size_t at, size_t place);

/* window_value.c: f->result and f->result_null of all places. */
must_use int window_compute(struct window *w, struct windowed *f, struct sql_error *error);
/* window_aggregate.c */
must_use int window_aggregate(struct window *w, struct windowed *f, struct sql_error *error);

#endif
