/*
 * select.h - one SELECT on its way: its lists bound, its plan growing.
 *
 * Targets are numbered as the result's columns are: the visible ones first, then those that ORDER
 * BY and DISTINCT ON need. Sort keys name them by that number.
 */
#ifndef NONET_SQL_BIND_SELECT_H
#define NONET_SQL_BIND_SELECT_H

#include "sql/bind/nodes.h"
#include "sql/bind/scope.h"

struct bind_select {
    struct bind_scope *scope;
    json_value inside;
    bool keep_unknown;
    unsigned targets; /* visible ones */
    unsigned count;   /* with the hidden ones that ORDER BY and DISTINCT ON need */
    struct sql_expr **target;
    slice *name;
    struct sql_expr *having;
    unsigned orders;
    struct sql_sort_key *order;
    bool distinct;
    unsigned distinct_on; /* columns; 0: plain */
    unsigned *distinct_columns;
    /* GROUP BY: expressions as bound are scope->group. */
    bool grouped;
    unsigned sets;
    uint64_t *set;
};

/* SELECT's list; RETURNING's. */
must_use int bind_target_list(struct sql_binder *b, struct bind_select *q, json_value list);
/* E at the end of the list, or where an equal one stands. */
must_use int bind_add_target(struct sql_binder *b, struct bind_select *q, struct sql_expr *e,
                             slice name, unsigned *ret);
/* The target a GROUP BY or ORDER BY item means by number or name; -ENOENT: none. */
must_use int bind_target_of(struct sql_binder *b, struct bind_select *q, json_value node,
                            const char *clause, unsigned *ret);
/* group.c: GROUP BY and its sets. */
must_use int bind_group_clause(struct sql_binder *b, struct bind_select *q);
/* place.c: aggregates, subqueries, windows and set functions into the plan; then the targets. */
must_use int bind_place_all(struct sql_binder *b, struct bind_select *q);
/* order.c: ORDER BY of a SELECT; of a set operation or VALUES, whose columns alone it may name. */
must_use int bind_order_clause(struct sql_binder *b, struct bind_select *q);
must_use int bind_plain_order(struct sql_binder *b, json_value inside, const char *what,
                              struct bind_query *q);
must_use int bind_distinct_on(struct sql_binder *b, struct bind_select *q);
/* LIMIT and OFFSET over Q's order. */
must_use int bind_limit(struct sql_binder *b, struct bind_scope *s, json_value inside,
                        struct bind_query *q);
/* set_operation.c */
must_use int bind_set_operation(struct sql_binder *b, struct bind_scope *s, json_value inside,
                                bool keep_unknown, struct bind_query *ret);
must_use int bind_values(struct sql_binder *b, struct bind_scope *s, json_value inside,
                         struct bind_query *ret);

#endif
