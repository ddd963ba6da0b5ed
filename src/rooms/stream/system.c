/*
 * system.c - the tables of pg_catalog and information_schema, and Nonet's own: how they get into
 * the catalog and how their rows are asked for (system.h).
 *
 * They are made anew for each reading, so they are never behind the catalog. Nothing keeps them up
 * to date for a view: a materialized view cannot read them (42809).
 */
#include "rooms/stream/system.h"

#include "rooms/stream/aside.h"
#include "rooms/stream/events_table.h"

#include <errno.h>

static const struct system_table *const lists[] = {system_tables_nonet, system_tables_pg,
                                                   system_tables_information};

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

void system_begin(struct system_rows *r) {
    static const struct sql_array empty = {.element = SQL_INT2};
    r->column = 0;
    for (unsigned i = 0; i < r->table->columns; i++) {
        bool array = sql_layout_of(r->table->column[i].type.oid) == SQL_LAYOUT_ARRAY;
        bool text = sql_layout_of(r->table->column[i].type.oid) == SQL_LAYOUT_TEXT;
        r->cells[i] = (union sql_cell){.i = 0};
        if (array)
            r->cells[i].array = &empty;
        else if (text)
            r->cells[i].text = slice_lit("");
        r->nulls[i] = !r->table->column[i].not_null;
    }
}

/* The place of column NAME, marked as not NULL. */
static union sql_cell *place_of(struct system_rows *r, const char *name) {
    unsigned count = r->table->columns;
    for (unsigned tried = 0; tried < count; tried++) {
        unsigned i = (r->column + tried) % count;
        if (!slice_equal(r->table->column[i].name, slice_str(name)))
            continue;
        r->column = i + 1;
        r->nulls[i] = 0;
        return &r->cells[i];
    }
    check(false); /* a column of the table's list */
    return r->cells;
}

void system_set_int(struct system_rows *r, const char *column, int64_t value) {
    place_of(r, column)->i = value;
}

void system_set_text(struct system_rows *r, const char *column, slice value) {
    union sql_cell *cell = place_of(r, column);
    cell->text = value;
    r->nulls[cell - r->cells] = value.ptr == NULL;
}

void system_set_float(struct system_rows *r, const char *column, double value) {
    place_of(r, column)->f = value;
}

void system_set_cell(struct system_rows *r, const char *column, union sql_cell value) {
    *place_of(r, column) = value;
}

int system_set_array(struct system_rows *r, const char *column, unsigned count,
                     const union sql_cell *cells, int32_t lower) {
    struct sql_array *array = arena_zalloc(r->memory, 1, sizeof *array);
    union sql_cell *copies = arena_zalloc(r->memory, count + 1u, sizeof *copies);
    if (!array || !copies)
        return -ENOMEM;
    if (count)
        memcpy(copies, cells, count * sizeof *copies);
    union sql_cell *cell = place_of(r, column);
    *array =
        (struct sql_array){.element = sql_element_of(r->table->column[cell - r->cells].type.oid),
                           .dimensions = count > 0,
                           .count = count,
                           .lengths = {(int32_t)count},
                           .lower = {lower},
                           .cells = copies};
    cell->array = array;
    return 0;
}

int system_end(struct system_rows *r) {
    r->column = 0;
    return r->each(r->self, r->cells, r->nulls);
}

int system_each_table(struct system_rows *r, system_table_row *row) {
    unsigned cursor = 0;
    int failed = 0;
    for (const struct sql_table *t; !failed && (t = sql_catalog_each_table(r->catalog, &cursor));)
        failed = row(r, t);
    return failed;
}

bool system_is_view(const struct sql_table *t) {
    return t->kind == SQL_TABLE_VIEW || (t->kind == SQL_TABLE_SYSTEM && t->oid >= 10000);
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
    t->column = arena_zalloc(&t->memory, SYSTEM_COLUMNS_MAX, sizeof *t->column);
    slice rest = slice_str(from->columns);
    while (t->column && rest.ptr) {
        slice type, name = slice_cut(slice_trim(slice_cut(rest, ',', &rest)), ' ', &type);
        check(t->columns < SYSTEM_COLUMNS_MAX);
        struct sql_table_column *c = &t->column[t->columns++];
        c->name = name;
        c->not_null = slice_ends_with(type, slice_lit("!"));
        const struct sql_type_info *info =
            sql_type_named(slice_take(type, type.len - (c->not_null ? 1 : 0)));
        check(info);
        c->type = sql_type_of(info->oid);
    }
    int r = t->column ? sql_catalog_add_table(db->catalog, t) : -ENOMEM;
    if (r < 0)
        sql_table_unref(t);
    return r;
}

slice system_setting(void *session, slice name) {
    return settings_get(session, name);
}

int64_t system_relation_bytes(void *session, uint32_t oid) {
    const struct database_session *s = session;
    const struct sql_table *t = sql_catalog_table_by_oid(session_catalog(s), oid);
    const struct relation *rows = t ? relation_of(t) : NULL;
    return rows ? (int64_t)relation_stats(rows).bytes : 0;
}

int database_system_define(struct database *db) {
    for (unsigned i = 0; i < array_count(lists); i++)
        for (const struct system_table *t = lists[i]; t->name; t++) {
            int r = define(db, t);
            if (r < 0)
                return r;
        }
    int r = aside_tables_define(db);
    return r ? r : events_table_define(db);
}

int database_system_rows(struct database_run *run, const struct sql_table *table,
                         struct arena *memory,
                         int (*each)(void *self, const union sql_cell *cells, const uint8_t *nulls),
                         void *self) {
    const struct system_table *t = table->host;
    struct system_rows rows = {.run = run,
                               .db = run->db,
                               .catalog = session_catalog(run->session),
                               .table = table,
                               .memory = memory,
                               .each = each,
                               .self = self};
    return t->rows ? t->rows(&rows) : 0;
}
