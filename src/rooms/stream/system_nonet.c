/*
 * system_nonet.c - what only Nonet has to tell: nonet_views, its materialized views at work; and
 * pg_settings, a line a setting.
 *
 * `lag` counts records of the view's streams that are not in it yet; `position` is the log's.
 */
#include "rooms/stream/system.h"

#include <errno.h>

static const struct system_column views_columns[] = {
    {"name", SQL_TEXT},        {"state", SQL_TEXT},       {"rows", SQL_INT8},  {"bytes", SQL_INT8},
    {"state_bytes", SQL_INT8}, {"position", SQL_INT8},    {"lag", SQL_INT8},   {"steps", SQL_INT8},
    {"late_rows", SQL_INT8},   {"bad_records", SQL_INT8}, {"error", SQL_TEXT}, {NULL, 0}};

static int views_rows(struct system_rows *r) {
    static const char *const states[] = {
        [VIEW_BACKFILL] = "backfill", [VIEW_LIVE] = "live", [VIEW_FAILED] = "failed"};
    int result = 0;
    for (struct list_node *n = list_first(&r->db->views); result == 0 && n;
         n = list_next(&r->db->views, n)) {
        const struct kept *k = container_of(n, struct kept, node);
        struct view_status s = view_status(k->view);
        slice error = {NULL, 0};
        if (s.error.state[0] && arena_copy(r->memory, slice_str(s.error.message), &error) < 0)
            return -ENOMEM;
        system_text(r, k->table->name);
        system_text(r, slice_str(states[s.state]));
        const uint64_t numbers[] = {s.rows, s.bytes, s.state_bytes, s.position,
                                    s.lag,  s.steps, s.late_rows,   s.bad_records};
        for (unsigned i = 0; i < array_count(numbers); i++)
            system_int(r, (int64_t)numbers[i]);
        system_text(r, error);
        result = system_end(r);
    }
    return result;
}

static const struct system_column settings_columns[] = {
    {"name", SQL_TEXT}, {"setting", SQL_TEXT}, {NULL, 0}};

static int settings_rows(struct system_rows *r) {
    const char *name;
    int result = 0;
    for (unsigned i = 0; result == 0 && (name = settings_name(i)); i++) {
        system_text(r, slice_str(name));
        system_text(r, settings_get(r->run->session, slice_str(name)));
        result = system_end(r);
    }
    return result;
}

const struct system_table system_nonet_tables[] = {
    {"pg_catalog", "nonet_views", 16000, views_columns, views_rows},
    {"pg_catalog", "pg_settings", 16001, settings_columns, settings_rows},
    {NULL, NULL, 0, NULL, NULL}};
