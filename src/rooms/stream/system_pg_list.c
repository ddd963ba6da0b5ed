/*
 * system_pg_list.c - the views of pg_catalog that people read: pg_tables, pg_views, pg_matviews,
 * pg_indexes, and the numbers of pg_stat_user_tables.
 *
 * Scans and changes are not counted: what nobody counted is NULL, not 0. n_live_tup is exact.
 */
#include "rooms/stream/system_pg.h"
#include "sql/catalog_text.h"

#include <errno.h>

static bool is_table(const struct sql_table *t) {
    return t->kind != SQL_TABLE_MATERIALIZED && !system_is_view(t);
}

static void begin_named(struct system_rows *r, const struct sql_table *t, const char *name,
                        const char *owner) {
    system_begin(r);
    system_set_text(r, "schemaname", t->schema);
    system_set_text(r, name, t->name);
    system_set_text(r, owner, r->run->session->settings.user);
}

static int tables_row(struct system_rows *r, const struct sql_table *t) {
    if (!is_table(t))
        return 0;
    begin_named(r, t, "tablename", "tableowner");
    system_set_int(r, "hasindexes", t->indexes > 0);
    system_set_int(r, "hasrules", 0);
    system_set_int(r, "hastriggers", 0);
    system_set_int(r, "rowsecurity", 0);
    return system_end(r);
}

int system_pg_tables(struct system_rows *r) {
    return system_each_table(r, tables_row);
}

static int views_row(struct system_rows *r, const struct sql_table *t) {
    if (t->kind != SQL_TABLE_VIEW)
        return 0;
    begin_named(r, t, "viewname", "viewowner");
    system_set_text(r, "definition", t->definition);
    return system_end(r);
}

int system_pg_views(struct system_rows *r) {
    return system_each_table(r, views_row);
}

static int matviews_row(struct system_rows *r, const struct sql_table *t) {
    if (t->kind != SQL_TABLE_MATERIALIZED)
        return 0;
    begin_named(r, t, "matviewname", "matviewowner");
    system_set_int(r, "hasindexes", t->indexes > 0);
    system_set_int(r, "ispopulated", 1);
    system_set_text(r, "definition", t->definition);
    return system_end(r);
}

int system_pg_matviews(struct system_rows *r) {
    return system_each_table(r, matviews_row);
}

static int indexes_row(struct system_rows *r, const struct sql_table *t) {
    int failed = 0;
    for (unsigned i = 0; !failed && i < t->indexes; i++) {
        _cleanup_buf_ struct buf text = buf_make(SQL_TEXT_BYTES_MAX);
        slice copy;
        if (sql_index_text(t, &t->index[i], &text) < 0 ||
            arena_copy(r->memory, buf_slice(&text), &copy) < 0)
            return -ENOMEM;
        system_begin(r);
        system_set_text(r, "schemaname", t->schema);
        system_set_text(r, "tablename", t->name);
        system_set_text(r, "indexname", t->index[i].name);
        system_set_text(r, "indexdef", copy);
        failed = system_end(r);
    }
    return failed;
}

int system_pg_indexes(struct system_rows *r) {
    return system_each_table(r, indexes_row);
}

static int stat_row(struct system_rows *r, const struct sql_table *t) {
    if (!is_table(t) && t->kind != SQL_TABLE_MATERIALIZED)
        return 0;
    const struct relation *rows = relation_of(t);
    system_begin(r);
    system_set_int(r, "relid", t->oid);
    system_set_text(r, "schemaname", t->schema);
    system_set_text(r, "relname", t->name);
    if (rows)
        system_set_int(r, "n_live_tup", (int64_t)relation_stats(rows).rows);
    return system_end(r);
}

int system_pg_stat_all_tables(struct system_rows *r) {
    return system_each_table(r, stat_row);
}

static int stat_user_row(struct system_rows *r, const struct sql_table *t) {
    return t->kind == SQL_TABLE_SYSTEM ? 0 : stat_row(r, t);
}

int system_pg_stat_user_tables(struct system_rows *r) {
    return system_each_table(r, stat_user_row);
}
