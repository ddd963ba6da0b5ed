/*
 * aside_tables.c - what was laid aside, as tables: nonet_dead_letters and nonet_late_rows, in
 * pg_catalog, over the streams that are made for it (aside.h).
 *
 * They are tables over streams like any other: columns are headers, the payload is raw. Who has
 * chosen another subject makes such a table of it himself.
 */
#include "rooms/stream/aside.h"

#include <errno.h>

enum { DEAD_OID = 16004, LATE_OID = 16005 }; /* below SQL_FIRST_USER_OID */

static const struct {
    const char *name;
    uint32_t oid;
} columns[] = {
    {"table_name", SQL_TEXT},        {"stream", SQL_TEXT},         {"sequence", SQL_INT8},
    {"subject", SQL_TEXT},           {"time", SQL_TIMESTAMPTZ},    {"column_name", SQL_TEXT},
    {"sqlstate", SQL_TEXT},          {"reason", SQL_TEXT},         {"nonet_payload", SQL_TEXT},
    {"nonet_time", SQL_TIMESTAMPTZ}, {"nonet_sequence", SQL_INT8},
};

static const struct sql_option options[] = {
    {slice_lit("format"), slice_lit("raw")},
    {slice_lit("header.table_name"), slice_lit("Nonet-Table")},
    {slice_lit("header.stream"), slice_lit("Nonet-Stream")},
    {slice_lit("header.sequence"), slice_lit("Nonet-Sequence")},
    {slice_lit("header.subject"), slice_lit("Nonet-Subject")},
    {slice_lit("header.time"), slice_lit("Nonet-Time")},
    {slice_lit("header.column_name"), slice_lit("Nonet-Column")},
    {slice_lit("header.sqlstate"), slice_lit("Nonet-SQLSTATE")},
    {slice_lit("header.reason"), slice_lit("Nonet-Reason")},
};

static int fill(struct sql_table *t, const char *stream) {
    t->kind = SQL_TABLE_STREAM;
    t->append_only = true;
    t->watermark_column = -1;
    t->options = array_count(options) + 1;
    t->columns = array_count(columns);
    t->option = arena_zalloc(&t->memory, t->options, sizeof *t->option);
    t->column = arena_zalloc(&t->memory, t->columns, sizeof *t->column);
    if (!t->option || !t->column)
        return -ENOMEM;
    t->option[0] = (struct sql_option){slice_lit("stream"), slice_str(stream)};
    memcpy(t->option + 1, options, sizeof options);
    for (unsigned i = 0; i < t->columns; i++) {
        t->column[i].name = slice_str(columns[i].name);
        t->column[i].type = sql_type_of(columns[i].oid);
    }
    return 0;
}

static int define(struct database *db, uint32_t oid, const char *name, const char *stream) {
    struct sql_table *t = sql_table_new();
    if (!t)
        return -ENOMEM;
    t->oid = oid;
    t->schema = slice_lit("pg_catalog");
    t->name = slice_str(name);
    int r = fill(t, stream);
    if (r == 0)
        r = sql_catalog_add_table(db->catalog, t);
    if (r < 0)
        sql_table_unref(t);
    return r;
}

int aside_tables_define(struct database *db) {
    int r = define(db, DEAD_OID, "nonet_dead_letters", "SQL_DEAD");
    return r ? r : define(db, LATE_OID, "nonet_late_rows", "SQL_LATE");
}
