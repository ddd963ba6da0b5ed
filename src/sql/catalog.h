/*
 * catalog.h - the names of a database: schemas, tables, views, types, functions, indexes.
 *
 * It is memory only; who hosts the engine makes changes durable and applies them here
 * (rooms/stream). Objects are found by (schema, name); a name without schema is looked for in
 * `public`, then in `pg_catalog`. Objects are freed by the catalog when they are dropped; a plan
 * that still names one holds a reference. The catalogs of PostgreSQL (pg_class …) are tables whose
 * rows are computed when they are read (rooms/stream/system.h).
 */
#ifndef NONET_SQL_CATALOG_H
#define NONET_SQL_CATALOG_H

#include "sql/expr.h"

#define SQL_NAME_BYTES_MAX 63u /* PostgreSQL cuts longer ones with a notice */
#define SQL_OBJECTS_MAX 100000u

enum sql_table_kind {
    SQL_TABLE_STORED, /* rows written by INSERT, UPDATE, DELETE */
    SQL_TABLE_STREAM, /* rows are the messages of a subject; never changed, only added */
    SQL_TABLE_VIEW,   /* a name for a query */
    SQL_TABLE_MATERIALIZED,
    SQL_TABLE_SYSTEM, /* pg_catalog, information_schema: rows made when read */
};

struct sql_table_column {
    slice name;
    struct sql_type type;
    bool not_null, dropped;
    slice default_text; /* SQL; ptr NULL: none */
    slice path;         /* STREAM: JSON Pointer into the document; ptr NULL: /name */
    enum sql_generated {
        SQL_PLAIN,
        SQL_IDENTITY,            /* GENERATED ALWAYS AS IDENTITY: an INSERT may not give it */
        SQL_IDENTITY_BY_DEFAULT, /* also serial */
        SQL_STORED_EXPRESSION,   /* default_text over the row's other columns */
    } generated;
};

struct sql_table_index {
    uint32_t oid;
    slice name;
    unsigned columns;
    unsigned *column;
    bool unique, primary;
};

struct sql_check {
    slice name, text; /* SQL of a boolean */
};

struct sql_option {
    slice name, value;
};

struct sql_table {
    uint32_t oid;
    slice schema, name;
    slice found_by; /* schema and name in one: the catalog's own */
    enum sql_table_kind kind;
    unsigned columns;
    struct sql_table_column *column;
    unsigned indexes;
    struct sql_table_index *index; /* the primary key first, if any */
    /* MATERIALIZED: columns that are unique by its definition, which its view has an index of,
       without a name; NULL: none. */
    struct sql_table_index *key;
    unsigned checks;
    struct sql_check *check;
    bool append_only;
    /* STREAM: which column is event time (-1: none), and how late a row may be. */
    int watermark_column;
    int64_t watermark_delay; /* microseconds */
    unsigned options;
    struct sql_option *option; /* WITH (…), names in lower case */
    slice source;              /* the statement that made it, as written */
    slice definition;          /* VIEW, MATERIALIZED: the SELECT's text */
    slice comment;
    unsigned references; /* plans and dependants that hold it */
    unsigned depends_count;
    uint32_t *depends;   /* OIDs of what its definition reads */
    void *host;          /* who keeps its rows */
    struct arena memory; /* where all of this lies */
};

struct sql_enum {
    uint32_t oid;
    slice schema, name;
    unsigned labels;
    slice *label;
    unsigned references; /* catalogs that hold it */
};

/* A function of LANGUAGE sql is inlined by the binder. */
struct sql_user_function {
    uint32_t oid;
    slice schema, name;
    unsigned count;
    struct sql_type *arguments;
    slice *argument_names; /* ptr NULL: unnamed */
    struct sql_type result;
    slice body;          /* a SELECT, or an expression after RETURN */
    unsigned references; /* catalogs that hold it */
};

struct sql_catalog;

must_use int sql_catalog_new(struct sql_catalog **ret);
struct sql_catalog *sql_catalog_free(struct sql_catalog *c);

/* Each change gives another, which no copy has had: plans made under another are made anew. */
uint64_t sql_catalog_version(const struct sql_catalog *c);
void sql_catalog_touch(struct sql_catalog *c); /* something of an object has changed in place */
uint32_t sql_catalog_next_oid(struct sql_catalog *c);
uint32_t sql_catalog_free_oid(const struct sql_catalog *c);         /* that it would give next */
void sql_catalog_set_free_oid(struct sql_catalog *c, uint32_t oid); /* or a higher one is it */

/* SCHEMA ptr NULL: by the search path. NULL where there is none. */
struct sql_table *sql_catalog_table(const struct sql_catalog *c, slice schema, slice name);
struct sql_table *sql_catalog_table_by_oid(const struct sql_catalog *c, uint32_t oid);
const struct sql_enum *sql_catalog_enum(const struct sql_catalog *c, slice schema, slice name);
/* The enum that OID is, or is the array of. */
const struct sql_enum *sql_catalog_enum_by_oid(const struct sql_catalog *c, uint32_t oid);
const struct sql_user_function *sql_catalog_function_next(const struct sql_catalog *c, slice schema,
                                                          slice name, unsigned *cursor);
bool sql_catalog_has_schema(const struct sql_catalog *c, slice schema);

/* Each in turn, start with *CURSOR = 0; NULL past the last. */
struct sql_table *sql_catalog_each_table(const struct sql_catalog *c, unsigned *cursor);
const struct sql_enum *sql_catalog_each_enum(const struct sql_catalog *c, unsigned *cursor);
const struct sql_user_function *sql_catalog_each_function(const struct sql_catalog *c,
                                                          unsigned *cursor);
slice sql_catalog_each_schema(const struct sql_catalog *c, unsigned *cursor); /* ptr NULL: end */

/* Add: take ownership on 0; -EEXIST, -ENOBUFS (SQL_OBJECTS_MAX), -ENOMEM. A table is made by
   sql_table_new, filled from its own arena, then added. */
must_use struct sql_table *sql_table_new(void);
struct sql_table *sql_table_unref(struct sql_table *t); /* frees at the last */
must_use int sql_catalog_add_table(struct sql_catalog *c, struct sql_table *t);
void sql_catalog_remove_table(struct sql_catalog *c, struct sql_table *t);
must_use int sql_catalog_rename_table(struct sql_catalog *c, struct sql_table *t, slice name);
must_use int sql_catalog_add_enum(struct sql_catalog *c, const struct sql_enum *e);
must_use int sql_catalog_add_function(struct sql_catalog *c, const struct sql_user_function *f);
must_use int sql_catalog_add_schema(struct sql_catalog *c, slice name);
void sql_catalog_remove_enum(struct sql_catalog *c, const struct sql_enum *e);
void sql_catalog_remove_function(struct sql_catalog *c, const struct sql_user_function *f);
void sql_catalog_remove_schema(struct sql_catalog *c, slice name);

#endif
