/*
 * special.h - expressions that have a file of their own: predicate.c, subscript.c, sublink.c,
 * group.c.
 *
 * Each takes what is inside its node and gives NULL where it failed, as all of bind/ does.
 */
#ifndef NONET_SQL_BIND_SPECIAL_H
#define NONET_SQL_BIND_SPECIAL_H

#include "sql/bind/scope.h"

struct sql_expr *bind_a_expr(struct sql_binder *b, struct bind_scope *s, json_value inside);
struct sql_expr *bind_indirection(struct sql_binder *b, struct bind_scope *s, json_value inside);
struct sql_expr *bind_sql_value(struct sql_binder *b, struct bind_scope *s, json_value inside);
struct sql_expr *bind_grouping(struct sql_binder *b, struct bind_scope *s, json_value inside);
/* ARRAY[…]; WANTED: the array type it is cast to, 0: none. */
struct sql_expr *bind_array(struct sql_binder *b, struct bind_scope *s, json_value inside,
                            uint32_t wanted);
/* (SELECT a, b): its columns as ROW. */
struct sql_expr *bind_row_sublink(struct sql_binder *b, struct bind_scope *s, json_value inside);

#endif
