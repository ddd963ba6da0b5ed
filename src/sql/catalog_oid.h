/*
 * catalog_oid.h - OIDs of what the catalog keeps without a number: schemas, column defaults,
 * constraints, functions of the engine.
 *
 * pg_catalog's tables (rooms/stream/system_pg_*.c) show them and functions take them back
 * (catalog_functions.c), so both ask here. They are reckoned from what they belong to: the same as
 * long as that lives, at every start. Those of PostgreSQL's own schemas are PostgreSQL's.
 */
#ifndef NONET_SQL_CATALOG_OID_H
#define NONET_SQL_CATALOG_OID_H

#include "base/hash.h"
#include "sql/catalog.h"

enum {
    SQL_OWNER_OID = 10,   /* the one role: whoever is asking (every user may do everything) */
    SQL_DATABASE_OID = 5, /* "postgres" in PostgreSQL */
    SQL_HEAP_OID = 2,     /* pg_am */
    SQL_BTREE_OID = 403,  /* pg_am */
    SQL_TABLESPACE_OID = 1663,
    SQL_COLLATION_DEFAULT_OID = 100,
    SQL_COLLATION_C_OID = 950,
    SQL_CLASS_RELATION = 1259, /* pg_class, as an objoid's class */
    SQL_FUNCTION_FIRST_OID = 0x20000000,
    SQL_DERIVED_FIRST_OID = 0x40000000,
};

/* What is N-th of the kind KIND of object OID. */
enum sql_derived_kind { SQL_DERIVED_DEFAULT = 1, SQL_DERIVED_CHECK, SQL_DERIVED_LABEL };

static inline uint32_t sql_derived_oid(uint32_t oid, enum sql_derived_kind kind, unsigned n) {
    uint64_t mixed = (((uint64_t)oid << 20) ^ ((uint64_t)n << 3) ^ kind) * 0x9e3779b97f4a7c15u;
    return SQL_DERIVED_FIRST_OID | (uint32_t)(mixed >> 34);
}

static inline uint32_t sql_schema_oid(slice name) {
    if (slice_equal(name, slice_lit("pg_catalog")))
        return 11;
    if (slice_equal(name, slice_lit("public")))
        return 2200;
    if (slice_equal(name, slice_lit("information_schema")))
        return 13220;
    return SQL_DERIVED_FIRST_OID | (hash_fnv1a(HASH_FNV1A_START, name) >> 2);
}

/* Found without its schema's name? */
static inline bool sql_schema_is_visible(slice name) {
    return slice_equal(name, slice_lit("public")) || slice_equal(name, slice_lit("pg_catalog"));
}

/* The collation of a type's values, 0: it has none. */
static inline uint32_t sql_collation_of(uint32_t type) {
    uint32_t element = sql_element_of(type);
    const struct sql_type_info *info = sql_type_info(element ? element : type);
    if (!info || info->category != 'S')
        return 0;
    return info->oid == SQL_NAME ? SQL_COLLATION_C_OID : SQL_COLLATION_DEFAULT_OID;
}

/* pg_type.typstorage of the type: 'p' plain, 'x' extended, 'm' main. */
static inline const char *sql_storage_of(uint32_t type) {
    const struct sql_type_info *info = sql_type_info(type);
    if (!info || info->length != -1)
        return "p";
    return type == SQL_NUMERIC ? "m" : "x";
}

/* The index with OID and its table; NULL: there is none. */
static inline const struct sql_table_index *sql_index_by_oid(const struct sql_catalog *catalog,
                                                             uint32_t oid,
                                                             const struct sql_table **ret_table) {
    unsigned cursor = 0;
    for (const struct sql_table *t; (t = sql_catalog_each_table(catalog, &cursor));)
        for (unsigned i = 0; i < t->indexes; i++)
            if (t->index[i].oid == oid) {
                *ret_table = t;
                return &t->index[i];
            }
    return NULL;
}

/* The table that has an index called NAME, and which of its indexes; NULL: there is none. SCHEMA
   ptr NULL: `public`. */
static inline struct sql_table *sql_index_named(const struct sql_catalog *catalog, slice schema,
                                                slice name, unsigned *ret_index) {
    unsigned cursor = 0;
    for (struct sql_table *t; (t = sql_catalog_each_table(catalog, &cursor));)
        for (unsigned i = 0; i < t->indexes; i++)
            if (slice_equal(t->index[i].name, name) &&
                (schema.ptr ? slice_equal(t->schema, schema) : sql_schema_is_visible(t->schema))) {
                *ret_index = i;
                return t;
            }
    return NULL;
}

#endif
