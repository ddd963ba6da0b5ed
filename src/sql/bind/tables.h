/*
 * tables.h - tables and their columns by the names that statements give them.
 *
 * The look-ups only ask. The others demand, and leave PostgreSQL's error in b->error where the name
 * means nothing; its position is LOCATION. Dropped columns have no name.
 */
#ifndef NONET_SQL_BIND_TABLES_H
#define NONET_SQL_BIND_TABLES_H

#include "sql/bind/binder.h"

/* A table by name; SCHEMA empty: by the search path. NULL: there is none. */
struct sql_table *bind_look_up_table(const struct sql_binder *b, slice schema, slice name);
struct sql_table *bind_find_table(struct sql_binder *b, slice schema, slice name,
                                  int location); /* NULL with 42P01 */
/* TABLE's column NAME; < 0: there is none. */
int bind_look_up_column(const struct sql_table *table, slice name);
int bind_target_column(struct sql_binder *b, const struct sql_table *table, slice name,
                       int location); /* < 0 with 42703 */
/* Puts COLUMN behind the COUNT in COLUMNS, which has room; 42701 where it is among them. */
must_use int bind_add_column_once(struct sql_binder *b, const struct sql_table *table,
                                  unsigned column, int location, unsigned *columns,
                                  unsigned *count);

#endif
