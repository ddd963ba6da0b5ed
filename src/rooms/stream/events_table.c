/*
 * events_table.c - see events_table.h.
 *
 * The columns are the members of the document (rooms/events/event_json.h), so there is nothing here
 * that reads events. The two indexes are not kept: reading by subject is what the log has anyway.
 */
#include "rooms/stream/events_table.h"

#include "wire/event_name.h"

#include <errno.h>

#define EVENTS_STREAM "ES"
#define NO_EVENTS EVENT_PREFIX "%" /* the subject of no event */

enum { CATEGORY, STREAM, COLUMNS_LOOKED_UP };

static const struct {
    const char *name;
    uint32_t oid;
} columns[] = {
    {"category", SQL_TEXT},    {"stream", SQL_TEXT},
    {"revision", SQL_INT8},    {"position", SQL_INT8},
    {"type", SQL_TEXT},        {"data", SQL_JSONB},
    {"tags", SQL_JSONB},       {"metadata", SQL_JSONB},
    {"time", SQL_TIMESTAMPTZ}, {"id", SQL_TEXT},
    {"source", SQL_TEXT},      {"attributes", SQL_JSONB},
    {"data_base64", SQL_TEXT}, {"nonet_time", SQL_TIMESTAMPTZ},
};

enum { EVENTS_OID = 16001, EVENTS_INDEX_OID = 16002 }; /* below SQL_FIRST_USER_OID */

static int add_index(struct sql_table *t, unsigned column, const char *name) {
    struct sql_table_index *x = &t->index[t->indexes];
    unsigned *which = arena_zalloc(&t->memory, 1, sizeof *which);
    if (!which)
        return -ENOMEM;
    *which = column;
    *x = (struct sql_table_index){.oid = EVENTS_INDEX_OID + t->indexes,
                                  .name = slice_str(name),
                                  .columns = 1,
                                  .column = which};
    t->indexes++;
    return 0;
}

static int fill(struct sql_table *t) {
    t->oid = EVENTS_OID;
    t->schema = slice_lit("pg_catalog");
    t->name = slice_lit("events");
    t->kind = SQL_TABLE_STREAM;
    t->append_only = true;
    t->watermark_column = -1;
    t->option = arena_zalloc(&t->memory, 1, sizeof *t->option);
    t->options = 1;
    t->comment = slice_lit("all events of the event store (docs/events.md)");
    t->columns = array_count(columns);
    t->column = arena_zalloc(&t->memory, t->columns, sizeof *t->column);
    t->index = arena_zalloc(&t->memory, COLUMNS_LOOKED_UP, sizeof *t->index);
    if (!t->option || !t->column || !t->index)
        return -ENOMEM;
    t->option[0] = (struct sql_option){slice_lit("stream"), slice_lit(EVENTS_STREAM)};
    for (unsigned i = 0; i < t->columns; i++) {
        t->column[i].name = slice_str(columns[i].name);
        t->column[i].type = sql_type_of(columns[i].oid);
    }
    int r = add_index(t, STREAM, "events_stream");
    return r ? r : add_index(t, CATEGORY, "events_category");
}

int events_table_define(struct database *db) {
    struct sql_table *t = sql_table_new();
    if (!t)
        return -ENOMEM;
    int r = fill(t);
    if (r == 0)
        r = sql_catalog_add_table(db->catalog, t);
    if (r < 0)
        sql_table_unref(t);
    return r;
}

bool events_table_is(const struct sql_table *t) {
    return t->oid == EVENTS_OID;
}

/* Events of CATEGORY are of es.CATEGORY and below it. */
static int category_subjects(slice category, struct buf *out) {
    char room[EVENT_SUBJECT_MAX];
    struct buf subject = {.ptr = room, .cap = sizeof room, .max = sizeof room};
    /* A name is cut at its first '-', so a category has none. */
    int r = slice_find(category, '-') < 0 ? event_category_subject(category, &subject) : -EINVAL;
    if (r < 0)
        return r;
    return buf_printf(out, "%.*s %.*s.>", slice_fmt(buf_slice(&subject)),
                      slice_fmt(buf_slice(&subject)));
}

int stream_subjects(struct sql_exec *x, unsigned input, struct buf *out, struct sql_error *error) {
    const struct sql_plan *scan = sql_exec_input(x, input);
    union sql_cell value;
    uint8_t null;
    int r;
    if (!scan->lookups) {
        r = buf_append(out, table_option(scan->table, "subject"));
        return r < 0 ? sql_fail_memory(error) : 0;
    }
    check(events_table_is(scan->table) && scan->lookups == 1); /* others have no indexes */
    r = sql_exec_lookup(x, input, &value, &null, error);
    if (r < 0)
        return r;
    r = null                                  ? -EINVAL
        : scan->lookup_columns[0] == CATEGORY ? category_subjects(value.text, out)
                                              : event_subject(value.text, out);
    if (r == -EINVAL) /* nothing can have that name */
        r = buf_append(out, slice_lit(NO_EVENTS));
    return r < 0 ? sql_fail_memory(error) : 0;
}
