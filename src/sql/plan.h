/*
 * plan.h - what a statement computes: a graph of operators over Z-sets.
 *
 *        SCAN bid ── FILTER ──┐
 *                             JOIN ── AGGREGATE ── TOP ── (query: sort keys)
 *        SCAN auction ────────┘
 *
 * A node's columns are named and typed. A node may have several parents (a CTE used twice); the
 * executor makes one operator of it. The binder builds nodes in the arena of the statement,
 * rewrites replace them (bind/rewrite.h), and then nothing changes them: one plan serves many
 * executions and a view's whole life. Every node works incrementally (exec/exec.h); what one of
 * them cannot keep up to date is refused at CREATE (0A000), never computed wrongly.
 */
#ifndef NONET_SQL_PLAN_H
#define NONET_SQL_PLAN_H

#include "sql/plan_parts.h"

struct sql_table; /* catalog.h */

enum sql_plan_kind {
    SQL_PLAN_SCAN,      /* table, its columns `scan_columns`; lookups narrow it */
    SQL_PLAN_VALUES,    /* rows of expressions without columns; 1 row of 0 columns: no FROM */
    SQL_PLAN_SET,       /* input's columns, then those of set functions run side by side for each
                           of its rows, the short ones filled with NULL (ROWS FROM, SELECT list) */
    SQL_PLAN_FILTER,    /* predicate */
    SQL_PLAN_PROJECT,   /* expressions */
    SQL_PLAN_JOIN,      /* inputs left, right; columns left's then right's (SEMI, ANTI: left's) */
    SQL_PLAN_APPLY,     /* as JOIN, but right has OUTER columns of left; gone after bind/unnest.h */
    SQL_PLAN_AGGREGATE, /* columns: groups, then aggregates; groups of count 0: one row always */
    SQL_PLAN_DISTINCT,
    SQL_PLAN_UNION,     /* ALL, of any number of inputs; UNION is DISTINCT above */
    SQL_PLAN_INTERSECT, /* two inputs; `all` */
    SQL_PLAN_EXCEPT,
    SQL_PLAN_WINDOW,   /* input's columns, then one a window function; one partition, one order */
    SQL_PLAN_TOP,      /* per partition, in order: rows offset .. offset + limit */
    SQL_PLAN_TUMBLE,   /* input's columns, then window_start, window_end (of hop: a row a window);
                          rows without a time are in none */
    SQL_PLAN_SESSION,  /* the same; keys `partition`, gap */
    SQL_PLAN_TEMPORAL, /* rows up to, or from, a moment of the clock: a filter by now() of what is
                          kept up to date (bind/temporal.c) */
};

struct sql_plan {
    enum sql_plan_kind kind;
    unsigned number; /* 0, 1, …, unique in its statement; operators are found by it */
    unsigned inputs;
    struct sql_plan **input;
    unsigned columns;
    struct sql_plan_column *column;

    /* SCAN. Column i is the table's scan_columns[i]; SQL_SCAN_ROW_ID (int8) tells the row, for
       UPDATE and DELETE. lookup_values[i] (constants, parameters, of the column's type) must equal
       column lookup_columns[i] of the table: an index is used for it. */
    const struct sql_table *table;
    unsigned *scan_columns;
    unsigned lookups;
    unsigned *lookup_columns;
    struct sql_expr **lookup_values;
    bool as_of_now; /* changes of this table do not change earlier results (as_of_now(t)) */

    /* FILTER, JOIN, APPLY: boolean over the input's columns (of a join: left's, then right's).
       NULL: true. JOIN: keys are pairs left[i] = right[i], each over its own side's columns;
       `predicate` is what is left. keys_null_equal: IS NOT DISTINCT FROM. */
    struct sql_expr *predicate;
    enum sql_join_kind join;
    unsigned keys;
    struct sql_expr **left_key, **right_key;
    bool keys_null_equal;

    unsigned expressions; /* PROJECT: columns; VALUES: rows x columns, row-major */
    struct sql_expr **expression;
    unsigned rows; /* VALUES */

    unsigned sets; /* SET */
    struct sql_plan_set *set;
    bool ordinality; /* WITH ORDINALITY: one more column, bigint from 1 */
    bool outer;      /* a row whose functions give none is kept, with NULLs (LEFT JOIN LATERAL) */

    /* AGGREGATE. groups are expressions over the input. grouping_sets: bit masks over groups;
       0 sets: one of all. */
    unsigned groups;
    struct sql_expr **group;
    unsigned grouping_sets;
    uint64_t *grouping_set;
    unsigned aggregates;
    struct sql_plan_aggregate *aggregate;
    /* EMIT ON WINDOW CLOSE: a group's row comes once, when the watermark has reached its group
       expression close_group (a window's end). -1: rows are kept up to date. */
    int close_group;

    bool all; /* INTERSECT, EXCEPT */

    /* WINDOW, TOP, SESSION: columns of the input. */
    unsigned partitions;
    unsigned *partition;
    unsigned orders;
    struct sql_sort_key *order;
    unsigned windows;
    struct sql_plan_window *window;
    enum sql_top_kind top;
    struct sql_expr *limit, *offset; /* constants or parameters, bigint; NULL: none */

    /* TUMBLE, SESSION: column of the input that is the time; microseconds. tumble: slide = size.
       A session ends `gap` after its last row; a row at that very moment still belongs to it. */
    unsigned time_column;
    int64_t size, slide, offset_time, gap;

    /* TEMPORAL: a row's moment is expression[0] (timestamp, timestamptz), at UTC, and offset_time.
       It is there before that, or from then on; without a time it is not there. */
    bool ends;
};

/* A query: the plan, and how its rows are shown. The first `visible` columns are; the others are
   there for the order only. */
struct sql_query {
    struct sql_plan *plan;
    unsigned plans; /* numbers given: all are below */
    unsigned visible;
    unsigned orders;
    struct sql_sort_key *order;
    unsigned parameters;
    struct sql_type *parameter; /* types, as declared or inferred */
};

/* What follows from the nodes below, for the executor and for CREATE MATERIALIZED VIEW. */
struct sql_plan_facts {
    bool append_only;   /* never gives a negative weight, its tables being append-only */
    unsigned key_count; /* columns that together are unique; 0: unknown */
    unsigned key[16];
    unsigned flags; /* of all expressions */
};
struct sql_plan_facts sql_plan_facts(const struct sql_plan *plan);
/* Is it a table as_of_now(), filtered and projected at most? */
bool sql_plan_is_as_of_now(const struct sql_plan *plan);

/* EXPLAIN: one line a node, children indented, with what state each keeps and what bounds it. */
must_use int sql_plan_text(const struct sql_query *query, struct buf *out);

#endif
