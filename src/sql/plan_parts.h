/*
 * plan_parts.h - what plan nodes are made of beside expressions: joins, aggregates, windows, sets.
 *
 * Each belongs to the kinds of node plan.h names it for. All lie in the statement's arena and are
 * not changed once the plan is done. Nobody includes this but plan.h.
 */
#ifndef NONET_SQL_PLAN_PARTS_H
#define NONET_SQL_PLAN_PARTS_H

#include "sql/expr.h"
#include "sql/row.h"

enum sql_join_kind {
    SQL_JOIN_INNER,
    SQL_JOIN_LEFT,
    SQL_JOIN_RIGHT,
    SQL_JOIN_FULL,
    SQL_JOIN_SEMI, /* rows of left with a partner: IN, EXISTS */
    SQL_JOIN_ANTI, /* rows of left without: NOT EXISTS */
    /* NOT IN: also none where a comparison is NULL. Keys and predicate are the comparisons, and
       nothing else: each stands against a row of left while it is not false. */
    SQL_JOIN_ANTI_NULL,
    SQL_JOIN_SCALAR, /* as LEFT, but a second partner is error 21000 (scalar subquery) */
};

struct sql_plan_column {
    slice name;
    struct sql_type type;
};

struct sql_plan_aggregate {
    const struct sql_aggregate *aggregate;
    unsigned count;
    struct sql_expr **arguments; /* over the input's columns; direct ones first */
    struct sql_expr *filter;     /* NULL: none */
    bool distinct;
    unsigned order_count; /* ORDER BY within, or WITHIN GROUP's */
    struct sql_expr **order;
    struct sql_sort_key *order_how; /* `column` unused */
    struct sql_type type;
    /* GROUPING(a, b): aggregate NULL; the bit of groups[grouping[i]] is set where it is not in this
       set. The last one's is the lowest, as in PostgreSQL. */
    unsigned grouping_count;
    unsigned *grouping;
};

enum sql_frame_mode { SQL_FRAME_RANGE, SQL_FRAME_ROWS, SQL_FRAME_GROUPS };
enum sql_frame_bound {
    SQL_FRAME_UNBOUNDED_PRECEDING,
    SQL_FRAME_PRECEDING,
    SQL_FRAME_CURRENT,
    SQL_FRAME_FOLLOWING,
    SQL_FRAME_UNBOUNDED_FOLLOWING,
};
enum sql_frame_exclude {
    SQL_EXCLUDE_NOTHING,
    SQL_EXCLUDE_CURRENT,
    SQL_EXCLUDE_GROUP,
    SQL_EXCLUDE_TIES,
};

/* Window functions proper; aggregates over a window have `aggregate` set. */
enum sql_window_function {
    SQL_WINDOW_AGGREGATE,
    SQL_WINDOW_ROW_NUMBER,
    SQL_WINDOW_RANK,
    SQL_WINDOW_DENSE_RANK,
    SQL_WINDOW_PERCENT_RANK,
    SQL_WINDOW_CUME_DIST,
    SQL_WINDOW_NTILE,
    SQL_WINDOW_LAG,
    SQL_WINDOW_LEAD,
    SQL_WINDOW_FIRST_VALUE,
    SQL_WINDOW_LAST_VALUE,
    SQL_WINDOW_NTH_VALUE,
};

struct sql_plan_window {
    enum sql_window_function function;
    const struct sql_aggregate *aggregate;
    unsigned count;
    struct sql_expr **arguments; /* over the input's columns */
    struct sql_expr *filter;
    struct sql_type type;
    enum sql_frame_mode mode;
    enum sql_frame_bound start, end;
    struct sql_expr *start_offset, *end_offset; /* constants or parameters; of RANGE: what is added
                                                   to and taken from the one order column */
    const struct sql_function *plus, *minus;    /* of RANGE with offsets */
    enum sql_frame_exclude exclude;
};

struct sql_plan_set {
    const struct sql_function *function; /* NULL: one row, of the arguments' values */
    unsigned count;
    struct sql_expr **arguments; /* over the input's columns */
    unsigned columns;            /* how many it adds */
};

enum sql_top_kind {
    SQL_TOP_ROW_NUMBER, /* exactly so many */
    SQL_TOP_RANK,       /* FETCH FIRST … WITH TIES; rank() <= n */
    SQL_TOP_DENSE_RANK,
};

/* How the changes of a query are told. COLUMN: those of the answer. */
struct sql_subscription {
    bool snapshot, progress;
    unsigned columns, own; /* the first `own` tell of the change, then come the query's */
    struct sql_plan_column *column;
};

#endif
