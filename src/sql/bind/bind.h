/*
 * bind.h - a parse tree gets its meaning: names found, types decided, a plan built.
 *
 * Follows PostgreSQL's rules: name scope, the alias and GROUP BY rules, operator and function
 * resolution with its implicit casts, unknown literals, UNION's common type, and its errors with
 * SQLSTATE, words and position (42P01, 42703, 42702, 42883, 42804, 42803, 0A000 …). Definitions
 * (CREATE, ALTER, DROP) come out as data for the host to act on.
 */
#ifndef NONET_SQL_BIND_BIND_H
#define NONET_SQL_BIND_BIND_H

#include "sql/catalog.h"
#include "sql/parse/parse.h"
#include "sql/plan.h"

enum sql_statement_kind {
    SQL_STATEMENT_EMPTY,
    SQL_STATEMENT_QUERY, /* query */
    /* query gives: INSERT: the target's columns in the table's order, all of them, defaults put
       in; UPDATE: the row id, all old columns, then all new ones; DELETE: the row id, all old
       columns. */
    SQL_STATEMENT_INSERT,
    SQL_STATEMENT_UPDATE,
    SQL_STATEMENT_DELETE,
    SQL_STATEMENT_COPY_FROM, /* table, copy_columns, options: rows come from the client */
    SQL_STATEMENT_COPY_TO,   /* query, options; subscription where it is of that */
    /* CREATE …: `table` is filled but for its OIDs and belongs to the statement (who adds it to the
       catalog takes a reference); NULL: IF NOT EXISTS, and it does. */
    SQL_STATEMENT_CREATE_TABLE,
    SQL_STATEMENT_CREATE_TABLE_AS,     /* table, and query for its first rows */
    SQL_STATEMENT_CREATE_VIEW,         /* table, query, or_replace */
    SQL_STATEMENT_CREATE_MATERIALIZED, /* table, query */
    SQL_STATEMENT_CREATE_INDEX,        /* table: on what; index */
    SQL_STATEMENT_CREATE_ENUM,
    SQL_STATEMENT_CREATE_FUNCTION,
    SQL_STATEMENT_CREATE_SCHEMA,
    SQL_STATEMENT_ALTER_TABLE, /* table; alters */
    SQL_STATEMENT_COMMENT,     /* table, name: its text; ptr NULL: none */
    SQL_STATEMENT_DROP,        /* drop_kind, names; if_exists, cascade */
    SQL_STATEMENT_TRUNCATE,    /* names */
    SQL_STATEMENT_EXPLAIN,     /* inner */
    SQL_STATEMENT_SET,         /* name, value (ptr NULL: DEFAULT), local */
    SQL_STATEMENT_SHOW,        /* name */
    SQL_STATEMENT_BEGIN,
    SQL_STATEMENT_COMMIT,
    SQL_STATEMENT_ROLLBACK,
    SQL_STATEMENT_SAVEPOINT, /* name */
    SQL_STATEMENT_RELEASE,
    SQL_STATEMENT_ROLLBACK_TO,
    SQL_STATEMENT_DECLARE, /* name, inner (a query) */
    SQL_STATEMENT_FETCH,   /* name, count; move */
    SQL_STATEMENT_CLOSE,   /* name; ptr NULL: ALL */
    SQL_STATEMENT_PREPARE, /* name, inner: bound with the declared types */
    SQL_STATEMENT_EXECUTE, /* name, values: constants */
    SQL_STATEMENT_DEALLOCATE,
    SQL_STATEMENT_DISCARD,
    SQL_STATEMENT_FLUSH,
    SQL_STATEMENT_SUBSCRIBE, /* query, subscription */
    SQL_STATEMENT_NOTHING,   /* ANALYZE, VACUUM, CHECKPOINT …: accepted, nothing to do */
};

struct sql_alter {
    enum sql_alter_kind {
        SQL_ALTER_ADD_COLUMN,
        SQL_ALTER_DROP_COLUMN,
        SQL_ALTER_RENAME_COLUMN,
        SQL_ALTER_RENAME,
        SQL_ALTER_DEFAULT,
        SQL_ALTER_NOT_NULL,
        SQL_ALTER_TYPE,
        SQL_ALTER_ADD_INDEX, /* UNIQUE, PRIMARY KEY */
        SQL_ALTER_DROP_CONSTRAINT,
        SQL_ALTER_ADD_CHECK,
    } kind;
    unsigned column; /* of the table */
    slice name;
    struct sql_table_column definition;
    struct sql_table_index index;
    struct sql_check check;
    bool value, if_exists;
};

struct sql_statement {
    enum sql_statement_kind kind;
    struct arena *memory; /* all of this lies in */
    slice text;
    struct sql_query query;
    struct sql_table *table;
    struct sql_query *returning; /* over the new (DELETE: old) row's columns as one SCAN; or NULL */
    enum sql_conflict { SQL_CONFLICT_ERROR, SQL_CONFLICT_NOTHING, SQL_CONFLICT_UPDATE } conflict;
    struct sql_table_index *conflict_index; /* NULL: any */
    /* ON CONFLICT DO UPDATE: over old row's columns, then the proposed row's; NULL: unchanged */
    struct sql_expr **conflict_set, *conflict_where;
    unsigned copy_count;
    unsigned *copy_columns;
    unsigned options;
    struct sql_option *option;
    bool if_exists, cascade, or_replace, local, move, with_no_data, analyze;
    bool sink;  /* CREATE SINK */
    bool alone; /* CONCURRENTLY: not within a transaction block */
    struct sql_table_index index;
    struct sql_enum enumeration;
    struct sql_user_function function;
    unsigned alters;
    struct sql_alter *alter;
    char drop_kind; /* r table, v view, m materialized view, s sink, i index, t type, f function, n
                       schema */
    unsigned names;
    slice (*name_list)[2]; /* schema (ptr NULL), name */
    slice name, value;
    int64_t count; /* FETCH: rows; INT64_MAX: ALL */
    struct sql_expr **values;
    unsigned value_count;
    struct sql_statement *inner;
    struct sql_subscription *subscription; /* NULL: none */
};

struct sql_bind_options {
    const struct sql_catalog *catalog;
    const struct sql_settings *settings;
    struct arena *memory;
    /* In: types the client declared (oid 0: infer). $n beyond are inferred. */
    unsigned parameters;
    const struct sql_type *parameter;
    /* A query's groups by a window's end come once, when it has closed; 0A000: there is none. */
    bool emit_on_window_close;
    bool kept; /* the query is to be kept up to date */
    /* A definition read back: what was taken when it was made is not judged by newer rules. */
    bool again;
    void (*notice)(void *self, const struct sql_error *notice); /* may be NULL */
    void *self;
};

/* 0, or an error with its position set. PARSE must outlive RET. */
must_use int sql_bind(const struct sql_parse *parse, unsigned index,
                      const struct sql_bind_options *options, struct sql_statement *ret,
                      struct sql_error *error);

/* An expression's text over the columns of TABLE (defaults, checks, generated columns). */
must_use int sql_bind_expression(slice text, const struct sql_table *table,
                                 const struct sql_bind_options *options, struct sql_expr **ret,
                                 struct sql_error *error);
/* The same, as a value for a column of TYPE; TABLE NULL: it names no columns. */
must_use int sql_bind_expression_as(slice text, const struct sql_table *table, struct sql_type type,
                                    const struct sql_bind_options *options, struct sql_expr **ret,
                                    struct sql_error *error);

#endif
