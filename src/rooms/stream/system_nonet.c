/*
 * system_nonet.c - what only Nonet has to tell: nonet_views, its materialized views at work, one
 * row a view; nonet_sinks, one row a sink.
 *
 * `lag` counts records of the view's streams that are not in it yet; `position` is the log's.
 * `told` counts a sink's messages, `waiting` the bytes of those on their way.
 * `saved_at` is the moment that its newest snapshot is of (view_snapshot.h), `saved_bytes` what
 * that takes in stream SQL_VIEWS; NULL: there is none.
 */
#include "rooms/stream/changelog.h"
#include "rooms/stream/system.h"
#include "sql/sink.h"
#include "sql/time/calendar.h"

#include <errno.h>

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
        const struct view_pace_saved *saved = &view_pace(k->view)->saved;
        if (saved->is) {
            system_int(r, saved->wall_ns / 1000 + SQL_UNIX_EPOCH_US);
            system_int(r, (int64_t)saved->bytes);
        } else {
            system_null(r);
            system_null(r);
        }
        result = system_end(r);
    }
    return result;
}

static slice option_of(const struct sql_table *t, const char *name, const char *usual) {
    slice value = table_option(t, name);
    return value.len ? value : slice_str(usual);
}

static int sinks_rows(struct system_rows *r) {
    int result = 0;
    for (struct list_node *n = list_first(&r->db->views); result == 0 && n;
         n = list_next(&r->db->views, n)) {
        const struct kept *k = container_of(n, struct kept, node);
        if (!k->changelog || !sql_is_sink(k->table))
            continue;
        struct changelog_status s = changelog_status(k->changelog);
        slice stream = {NULL, 0}, why = {NULL, 0};
        if ((s.stream.len && arena_copy(r->memory, s.stream, &stream) < 0) ||
            (s.why[0] && arena_copy(r->memory, slice_str(s.why), &why) < 0))
            return -ENOMEM;
        system_text(r, k->table->name);
        system_text(r, option_of(k->table, "subject", ""));
        system_text(r, option_of(k->table, "type", "changelog"));
        system_text(r, slice_str(s.state));
        system_text(r, stream);
        system_int(r, (int64_t)s.told);
        system_int(r, (int64_t)s.waiting);
        system_text(r, why);
        result = system_end(r);
    }
    return result;
}

const struct system_table system_tables_nonet[] = {
    {"pg_catalog", "nonet_views", 16000,
     "name text!, state text!, rows int8!, bytes int8!, state_bytes int8!, position int8!, "
     "lag int8!, steps int8!, late_rows int8!, bad_records int8!, error text, "
     "saved_at timestamptz, saved_bytes int8",
     views_rows},
    {"pg_catalog", "nonet_sinks", 16010,
     "name text!, subject text!, type text!, state text!, stream text, told int8!, waiting int8!, "
     "error text",
     sinks_rows},
    {NULL, NULL, 0, NULL, NULL}};
