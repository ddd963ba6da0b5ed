/*
 * catalog_text.h - objects of the catalog as the SQL that would make them, for pg_get_indexdef and
 * its kin and for pg_catalog's views.
 *
 * All append to OUT and give 0 or what buf_append gave (-ENOBUFS, -ENOMEM).
 */
#ifndef NONET_SQL_CATALOG_TEXT_H
#define NONET_SQL_CATALOG_TEXT_H

#include "sql/catalog.h"

/* "public.t" where QUALIFIED or where it would not be found by its name alone. */
must_use int sql_table_name_text(const struct sql_table *t, bool qualified, struct buf *out);
/* "CREATE UNIQUE INDEX t_pkey ON public.t USING btree (a)" */
must_use int sql_index_text(const struct sql_table *t, const struct sql_table_index *index,
                            struct buf *out);
/* "(a, b)" */
must_use int sql_index_columns_text(const struct sql_table *t, const struct sql_table_index *index,
                                    struct buf *out);
bool sql_type_is_known(const struct sql_catalog *catalog, uint32_t oid);
/* format_type() of any type; of users' too. 0 is "-", an unknown one "???". */
must_use int sql_type_name_text(const struct sql_catalog *catalog, struct sql_type type,
                                struct buf *out);

#endif
