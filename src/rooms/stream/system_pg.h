/*
 * system_pg.h - who makes the rows of which table of pg_catalog (system.h).
 *
 * A maker gives all of its table's rows, from the catalog as it is now; system_pg.c names it in the
 * table's row.
 */
#ifndef NONET_STREAM_SYSTEM_PG_H
#define NONET_STREAM_SYSTEM_PG_H

#include "rooms/stream/system.h"
#include "sql/catalog_oid.h"

typedef int system_maker(struct system_rows *r);

/* system_pg_relation.c */
extern system_maker system_pg_attrdef, system_pg_attribute, system_pg_class, system_pg_constraint,
    system_pg_description, system_pg_index;
/* system_pg_list.c */
extern system_maker system_pg_indexes, system_pg_matviews, system_pg_stat_all_tables,
    system_pg_stat_user_tables, system_pg_tables, system_pg_views;
/* system_pg_type.c */
extern system_maker system_pg_cast, system_pg_enum, system_pg_operator, system_pg_proc,
    system_pg_type;
/* system_pg_server.c */
extern system_maker system_pg_am, system_pg_authid, system_pg_collation, system_pg_database,
    system_pg_language, system_pg_namespace, system_pg_roles, system_pg_settings, system_pg_shadow,
    system_pg_stat_activity, system_pg_tablespace, system_pg_timezone_names;

#endif
