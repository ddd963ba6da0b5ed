/*
 * catalog_copy.h - a catalog beside another, for a transaction that defines something: the same
 * objects, held by both, and changes that are its own.
 *
 * Enums, functions and schemas are never changed, so adding and removing is enough. A table is
 * changed as a copy of itself, of the same OID, that takes its place in one of the catalogs.
 */
#ifndef NONET_SQL_CATALOG_COPY_H
#define NONET_SQL_CATALOG_COPY_H

#include "sql/catalog.h"

/* Another one of the same objects, and of the same version. */
must_use int sql_catalog_copy(const struct sql_catalog *c, struct sql_catalog **ret);
struct sql_catalog *sql_catalog_hold(struct sql_catalog *c); /* one more sql_catalog_free */
/* What A holds, B does, and the other way round; one is a copy of the other. */
void sql_catalog_swap(struct sql_catalog *a, struct sql_catalog *b);

/* All that is told of T, in memory of its own; `host` and who holds it are not. */
must_use int sql_table_copy(const struct sql_table *t, struct sql_table **ret);
/* TAKE_T, a copy of OLD that may be altered, stands where OLD stood. Frees OLD's reference. */
must_use int sql_catalog_replace_table(struct sql_catalog *c, struct sql_table *old,
                                       struct sql_table *take_t);

#endif
