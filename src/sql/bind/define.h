/*
 * define.h - CREATE, ALTER, DROP, COMMENT: what the files define_*.c share.
 *
 * A definition is bound to data (bind.h) and changes nothing; the host acts on it. Expressions in a
 * definition (DEFAULT, CHECK, GENERATED, a view's SELECT) are kept as the text they were written in
 * and bound here once, so that a mistake is told now. PostgreSQL's names for what has none:
 * t_pkey, t_a_b_key, t_a_idx, t_a_check, with a number behind where that is taken.
 */
#ifndef NONET_SQL_BIND_DEFINE_H
#define NONET_SQL_BIND_DEFINE_H

#include "sql/bind/tables.h"

#define DEFINE_COLUMNS_MAX SQL_COLUMNS_MAX
#define DEFINE_INDEXES_MAX 32u
#define DEFINE_CHECKS_MAX 100u

/* Where a RangeVar points. The schema is there and may be written to: else 3F000, 42501. */
must_use int define_target(struct sql_binder *b, json_value range, slice *ret_schema,
                           slice *ret_name);
/* To whoever runs the statement. */
void define_notice(struct sql_binder *b, const struct sql_error *notice);
/* Tables, views and indexes share the names of a schema.
   `relation "t" already exists`: 1 where IF_NOT_EXISTS made that a notice, 0 where it does not
   exist, or < 0. */
must_use int define_exists(struct sql_binder *b, slice schema, slice name, bool if_not_exists,
                           int location);
/* The same of a NAME that exists. */
must_use int define_taken(struct sql_binder *b, slice name, bool if_not_exists, int location);
/* An existing table of a RangeVar, or NULL with 42P01. */
struct sql_table *define_find(struct sql_binder *b, json_value range);
/* Names of a list of String nodes: schema.name. */
must_use int define_names(struct sql_binder *b, json_value list, slice *ret_schema,
                          slice *ret_name);
/* A new table of the statement: freed with it unless the host holds it. */
struct sql_table *define_new(struct sql_binder *b, enum sql_table_kind kind, slice schema,
                             slice name);
/* A copy in the table's memory. */
must_use int define_copy(struct sql_binder *b, struct sql_table *t, slice text, slice *ret);
/* Options of a WITH clause; a name of two parts is joined by a point. */
must_use int define_options(struct sql_binder *b, struct arena *memory, json_value list,
                            unsigned *ret_count, struct sql_option **ret);
/* "table_column_suffix", with a number where some index, check or table has that name. */
must_use int define_name(struct sql_binder *b, const struct sql_table *t, struct arena *memory,
                         const unsigned *columns, unsigned count, const char *suffix, slice *ret);
/* The text of the expression that follows KEYWORD at byte LOCATION or later, up to byte END (-1: to
   the comma or parenthesis that ends the element); within its parentheses where it is in some. */
slice define_expression_text(struct sql_binder *b, int location, const char *keyword, int end);

/* define_table.c: one ColumnDef into COLUMN; its constraints are added to the table. */
must_use int define_column(struct sql_binder *b, struct sql_table *t, json_value definition,
                           struct sql_table_column *ret);
/* One Constraint of the table or (COLUMN >= 0) of a column. */
must_use int define_constraint(struct sql_binder *b, struct sql_table *t, json_value constraint,
                               int column, int end);
/* Where constraint I of a column's LIST ends: where the next one starts; -1: it is the last. */
int define_constraint_end(json_value list, unsigned i);
must_use int define_index_columns(struct sql_binder *b, const struct sql_table *t, json_value keys,
                                  struct arena *memory, struct sql_table_index *ret);
/* define_stream.c: what WITH (subject = …) and WATERMARK say. */
must_use int define_source(struct sql_binder *b, struct sql_table *t,
                           const struct sql_spelling *spelling);

/* bind.c: any statement, within another (EXPLAIN, PREPARE with types of its own). */
must_use int sql_bind_statement(struct sql_binder *b, const struct sql_statement_text *statement,
                                struct sql_statement *ret);
must_use int sql_bind_as(struct sql_binder *b, const struct sql_bind_options *options,
                         const struct sql_statement_text *statement, struct sql_statement *ret);
/* subscribe.c: what SPELLING subscribes to, as a SUBSCRIBE. */
must_use int bind_subscribe(struct sql_binder *b, const struct sql_spelling *spelling,
                            struct sql_statement *ret);
/* define_view.c: CREATE MATERIALIZED VIEW, its parts from wherever they are. */
struct define_kept {
    json_value range, names, options; /* what it is called, its columns, WITH (…) */
    json_value select;
    slice definition; /* the SELECT's text */
    bool if_not_exists;
    bool on_close; /* EMIT ON WINDOW CLOSE was said */
    bool sink;     /* it has to have a subject */
};
must_use int define_kept_view(struct sql_binder *b, const struct define_kept *k,
                              struct sql_statement *ret);
/* define_sink.c: CREATE SINK. */
must_use int define_sink(struct sql_binder *b, const struct sql_statement_text *statement,
                         struct sql_statement *ret);
/* define_view.c: may QUERY be kept up to date? Its rows may not depend on when they are computed.
   WHO is told so: "a materialized view". */
must_use int define_judge_kept(struct sql_binder *b, const struct sql_query *query,
                               const char *who);
/* Columns COLUMNS of all rows of T, for COPY TO. */
must_use int bind_copy_query(struct sql_binder *b, const struct sql_table *t,
                             const unsigned *columns, unsigned count, struct sql_query *ret);

/* One of each statement: 0 or < 0. */
typedef int define_statement(struct sql_binder *b, json_value inside,
                             const struct sql_statement_text *statement, struct sql_statement *ret);
define_statement define_create_table, define_create_as, define_view, define_index, define_enum,
    define_function, define_schema, define_alter, define_rename, define_drop, define_comment,
    define_truncate;

#endif
