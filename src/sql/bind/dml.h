/*
 * dml.h - INSERT, UPDATE, DELETE: each is a query that gives the rows to write (bind.h).
 *
 * Rows have all columns of the table in its own order, dropped ones (NULL) among them, so that a
 * column's number is the same in the catalog, in the row and in a bound default.
 */
#ifndef NONET_SQL_BIND_DML_H
#define NONET_SQL_BIND_DML_H

#include "sql/bind/nodes.h"
#include "sql/bind/scope.h"
#include "sql/bind/tables.h"

must_use int bind_insert(struct sql_binder *b, json_value inside, struct sql_statement *ret);
must_use int bind_update(struct sql_binder *b, json_value inside, struct sql_statement *ret);
must_use int bind_delete(struct sql_binder *b, json_value inside, struct sql_statement *ret);

/* The table a statement writes: 42P01, 42809. ALIAS is what the statement calls it. */
struct sql_table *bind_written_table(struct sql_binder *b, json_value relation, const char *verb,
                                     slice *ret_alias);
/* bind.c: TABLE's columns, all of them, as a plan with names. */
must_use int bind_table_scope(struct sql_binder *b, const struct sql_table *table, slice alias,
                              struct bind_from *ret);
must_use int bind_finish_parameters(struct sql_binder *b, struct sql_query *query);
/* What column I has where nothing is given: its default, NULL. Of type, never NULL pointer but
   where it failed. */
struct sql_expr *bind_default(struct sql_binder *b, const struct sql_table *table, unsigned column);
/* VALUES are the new row's, over some plan; puts in what generated columns are for them. */
must_use int bind_generated(struct sql_binder *b, const struct sql_table *table,
                            struct sql_expr **values);
must_use int bind_returning(struct sql_binder *b, const struct sql_table *table, slice alias,
                            json_value list, struct sql_statement *ret);
/* conflict.c */
must_use int bind_conflict(struct sql_binder *b, const struct sql_table *table, slice alias,
                           json_value clause, struct sql_statement *ret);
/* update.c: SET a = e, (c, d) = (…): into SET[column]; e over S's plan. */
must_use int bind_set_list(struct sql_binder *b, struct bind_scope *s,
                           const struct sql_table *table, json_value list, struct sql_expr **set);

#endif
