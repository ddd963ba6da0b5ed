/*
 * scope.h - the names in sight while an expression is bound, and what it leaves to be placed.
 *
 *      SELECT … FROM a, LATERAL (SELECT … FROM b) …      scope of b's query
 *                                                          outer, boundary: scope of a (lateral)
 *                                                            outer: scope of the query around …
 *
 * A name found in scope S is COLUMN of S's plan. Found behind N boundaries it is OUTER of level
 * N - 1: each boundary is an APPLY node between the query and what it looks out to.
 *
 * A scope's plan grows to the right only: a subquery met in WHERE is applied at once and is the new
 * last column. In SELECT, HAVING and ORDER BY (`deferred`) aggregates, window functions, set
 * functions and subqueries become entries of `pending`; the expression holds COLUMN
 * BIND_PENDING + i until group.c has placed the entry in the plan.
 */
#ifndef NONET_SQL_BIND_SCOPE_H
#define NONET_SQL_BIND_SCOPE_H

#include "sql/bind/binder.h"

#define BIND_PENDING (1u << 30) /* COLUMN: entry of `pending` */
#define BIND_RIGHT (1u << 29)   /* COLUMN in an apply's predicate: the subquery's */

struct bind_name {
    slice name;
    unsigned column; /* of the plan */
};

/* A table, subquery or function under FROM: what `alias.column` means. */
struct bind_relation {
    slice schema, name;
    const struct sql_table *table; /* NULL: not a table */
    unsigned names;
    struct bind_name *name_list; /* of a table: in its order, without dropped columns */
    bool scalar; /* a function of one column: its name alone is the value, not a row */
};

/* FROM, or a part of it: a plan and the names of its columns. */
struct bind_from {
    struct sql_plan *plan;
    unsigned relations;
    struct bind_relation **relation;
    unsigned names; /* what * gives, and what a bare name finds: USING's columns once */
    struct bind_name *name;
};

/* WITH name AS (…). Bound where it first is used. */
struct bind_cte {
    struct bind_cte *next; /* those before it in the same WITH, then those around */
    slice name;
    json_value node;
    bool recursive, used;
    struct sql_plan *plan; /* NULL: not bound yet, or correlated: bound anew at each use */
};

struct bind_window_spec {
    slice name; /* ptr NULL: unnamed */
    unsigned partitions, orders;
    struct sql_expr **partition, **order;
    struct sql_sort_key *order_how;
    enum sql_frame_mode mode;
    enum sql_frame_bound start, end;
    struct sql_expr *start_offset, *end_offset;
    const struct sql_function *plus, *minus;
    enum sql_frame_exclude exclude;
    bool framed; /* a frame was written */
};

enum bind_pending_kind { BIND_AGGREGATE, BIND_WINDOW, BIND_SET, BIND_APPLY };

struct bind_pending {
    enum bind_pending_kind kind;
    bool placed;
    unsigned column; /* once placed */
    int location;
    struct sql_type type;
    struct sql_plan_aggregate aggregate;
    struct sql_plan_window window;
    struct bind_window_spec *spec;
    struct sql_plan_set set;
    struct sql_plan *plan; /* APPLY */
    enum sql_join_kind join;
    struct sql_expr *predicate; /* NULL: true */
};

/* What may stand in the clause being bound, and its name for the errors. */
enum bind_allow { BIND_ALLOW_AGGREGATE = 1, BIND_ALLOW_WINDOW = 2, BIND_ALLOW_SET = 4 };

struct bind_scope {
    struct bind_scope *outer; /* NULL: the outermost */
    bool boundary;            /* an APPLY lies between this and outer */
    bool query;               /* of a whole query, not of a part of its FROM */
    unsigned hidden;          /* > 0: names here are passed by (siblings of what is not LATERAL) */
    unsigned hidden_ctes;     /* > 0: the same of ctes */
    struct bind_from from;
    struct bind_cte *ctes;
    unsigned allow; /* bits of bind_allow */
    const char *clause;
    bool deferred;
    bool in_aggregate, in_window;
    unsigned pendings;
    struct bind_pending **pending;
    json_value windows; /* the WINDOW clause */
    unsigned specs;
    struct bind_window_spec **spec;
    /* GROUP BY, for GROUPING() */
    unsigned groups;
    struct sql_expr **group;
};

/* A query bound as a part of another: columns by number, hidden ones behind the visible. */
struct bind_query {
    struct sql_plan *plan;
    unsigned visible, orders;
    struct sql_sort_key *order;
};

/* column.c */
struct sql_expr *bind_column_ref(struct sql_binder *b, struct bind_scope *s, json_value inside);
struct bind_relation *bind_find_relation(const struct bind_from *from, slice schema, slice name);
/* "t.a" for messages about plan column COLUMN. */
const char *bind_column_text(const struct bind_from *from, unsigned column, char *out, size_t size);

/* pending.c: the COLUMN that stands for the entry. */
struct sql_expr *bind_defer(struct sql_binder *b, struct bind_scope *s,
                            const struct bind_pending *entry);
/* sublink.c */
struct sql_expr *bind_sublink(struct sql_binder *b, struct bind_scope *s, json_value inside);
/* WHERE and HAVING: conditions, with EXISTS and IN as semi and anti joins of s's plan. */
must_use int bind_where(struct sql_binder *b, struct bind_scope *s, json_value node,
                        const char *clause);
/* call.c, window.c */
struct sql_expr *bind_call(struct sql_binder *b, struct bind_scope *s, json_value inside);
struct sql_expr *bind_window_call(struct sql_binder *b, struct bind_scope *s, json_value inside);
/* select.c: SELECT is what is inside a SelectStmt. KEEP_UNKNOWN: literals without a type stay so
   (the caller gives them one). */
must_use int bind_query(struct sql_binder *b, json_value select, struct bind_scope *outer,
                        bool boundary, bool keep_unknown, struct bind_query *ret);
/* The same, its visible columns only, nothing unknown; ORDER BY only counts with a LIMIT. */
struct sql_plan *bind_subquery(struct sql_binder *b, json_value select, struct bind_scope *outer,
                               bool boundary);

#endif
