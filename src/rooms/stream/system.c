/*
 * system.c - the tables of pg_catalog and information_schema, and Nonet's own: how they get into
 * the catalog and how their rows are asked for (system.h).
 *
 * They are made anew for each reading, so they are never behind the catalog. Nothing keeps them up
 * to date for a view: a materialized view cannot read them (42809).
 */
#include "rooms/stream/system.h"

#include <errno.h>

static const struct system_table *const lists[] = {system_nonet_tables};

void system_int(struct system_rows *r, int64_t value) {
    check(r->column < SYSTEM_COLUMNS_MAX);
    r->cells[r->column].i = value;
    r->nulls[r->column++] = 0;
}

void system_text(struct system_rows *r, slice value) {
    check(r->column < SYSTEM_COLUMNS_MAX);
    r->cells[r->column].text = value;
    r->nulls[r->column++] = value.ptr == NULL;
}

void system_null(struct system_rows *r) {
    system_text(r, (slice){NULL, 0});
}

int system_end(struct system_rows *r) {
    r->column = 0;
    return r->each(r->self, r->cells, r->nulls);
}

static int define(struct database *db, const struct system_table *from) {
    struct sql_table *t = sql_table_new();
    if (!t)
        return -ENOMEM;
    t->oid = from->oid;
    t->schema = slice_str(from->schema);
    t->name = slice_str(from->name);
    t->kind = SQL_TABLE_SYSTEM;
    t->host = (void *)from;
    unsigned count = 0;
    while (from->columns[count].name)
        count++;
    check(count <= SYSTEM_COLUMNS_MAX);
    t->column = arena_zalloc(&t->memory, count + 1u, sizeof *t->column);
    for (unsigned i = 0; t->column && i < count; i++) {
        t->column[i].name = slice_str(from->columns[i].name);
        t->column[i].type = sql_type_of(from->columns[i].type);
        t->columns++;
    }
    int r = t->column ? sql_catalog_add_table(db->catalog, t) : -ENOMEM;
    if (r < 0)
        sql_table_unref(t);
    return r;
}

int database_system_define(struct database *db) {
    for (unsigned i = 0; i < array_count(lists); i++)
        for (const struct system_table *t = lists[i]; t->name; t++) {
            int r = define(db, t);
            if (r < 0)
                return r;
        }
    return 0;
}

int database_system_rows(struct database_run *run, const struct sql_table *table,
                         struct arena *memory,
                         int (*each)(void *self, const union sql_cell *cells, const uint8_t *nulls),
                         void *self) {
    const struct system_table *t = table->host;
    struct system_rows rows = {
        .run = run, .db = run->db, .memory = memory, .each = each, .self = self};
    return t->rows(&rows);
}
