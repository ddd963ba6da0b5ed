/*
 * Text of strangers as dates, times, timestamps, intervals, zones and templates. The first line of
 * the input is a text, the rest a template (and, as a whole, the bytes of a TZif file).
 *
 * Properties: what is read and written reads as the same value, in text and in bytes; a value that
 * is refused comes with an SQLSTATE; a template writes no more than it said (checked inside), and
 * what a zone says of any moment is within two days of UTC.
 */
#include "base/arena.h"
#include "sql/lists.h"
#include "sql/time/calendar.h"
#include "sql/time/datetime.h"
#include "sql/time/zone.h"

#define INPUT_MAX 2048u
#define OUT_MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint32_t types[] = {SQL_DATE, SQL_TIME, SQL_TIMESTAMP, SQL_TIMESTAMPTZ, SQL_INTERVAL};

static void try_function(const char *name, const struct sql_type *given, unsigned count,
                         const union sql_cell *cells, const struct sql_settings *settings) {
    unsigned cursor = 0;
    const struct sql_function *f;
    while ((f = sql_function_next(slice_str(name), &cursor))) {
        bool same = f->count == count;
        for (unsigned i = 0; same && i < count; i++)
            same = f->arguments[i] == given[i].oid;
        if (!same)
            continue;
        struct arena memory = arena_make(0, OUT_MAX);
        struct sql_error error = {.state = ""};
        struct sql_call call = {.memory = &memory,
                                .settings = settings,
                                .error = &error,
                                .types = given,
                                .count = count,
                                .result = sql_type_of(f->result)};
        union sql_cell result;
        int failed = f->scalar(&call, cells, &result);
        check(failed == 0 || error.state[0] != '\0');
        if (call.kept_free)
            call.kept_free(call.kept);
        arena_free(&memory);
    }
}

static void try_value(uint32_t oid, int32_t typmod, slice text, slice template,
                      const struct sql_settings *settings) {
    const struct sql_type type = {oid, typmod};
    const struct sql_type_io *io = sql_type_io_find(oid);
    struct sql_error error = {.state = ""};
    union sql_cell value = {.i = 0}, again = {.i = 0};
    if (io->in(type, text, settings, NULL, &value, &error) != 0) {
        check(error.state[0] != '\0');
        return;
    }
    struct buf out = buf_make(4096);
    check(io->out(type, &value, settings, &out) == 0);
    check(io->in(type, buf_slice(&out), settings, NULL, &again, &error) == 0);
    check(oid == SQL_INTERVAL ? memcmp(&value, &again, 16) == 0 : value.i == again.i);
    buf_clear(&out);
    check(io->send(type, &value, settings, &out) == 0);
    check(io->receive(type, buf_slice(&out), settings, NULL, &again, &error) == 0);
    check(oid == SQL_INTERVAL ? memcmp(&value, &again, 16) == 0 : value.i == again.i);
    buf_free(&out);
    const struct sql_type shown[2] = {type, sql_type_of(SQL_TEXT)};
    const union sql_cell cells[2] = {value, {.text = template}};
    try_function("to_char", shown, 2, cells, settings);
    const struct sql_type turned[2] = {sql_type_of(SQL_TEXT), type};
    const union sql_cell turned_cells[2] = {{.text = template}, value};
    try_function("extract", turned, 2, turned_cells, settings);
    try_function("date_trunc", turned, 2, turned_cells, settings);
}

static void try_zone(const struct sql_zone *zone) {
    static const int64_t moments[] = {SQL_TIMESTAMP_MIN,        0,  INT64_C(757382400000000),
                                      INT64_C(773193600000000), -1, SQL_TIMESTAMP_END - 1};
    for (size_t i = 0; i < array_count(moments); i++) {
        int32_t offset = sql_zone_at(zone, moments[i])->offset;
        int32_t local = sql_zone_at_local(zone, moments[i])->offset;
        check(offset > -8 * 86400 && offset < 8 * 86400 && local > -8 * 86400 && local < 8 * 86400);
    }
}

static void try_zones(slice text, slice bytes, const struct sql_settings *settings) {
    struct sql_zone zone;
    if (sql_zone_posix(text, &zone) == 0)
        try_zone(&zone);
    struct sql_zones *zones = sql_zones_create();
    check(zones != NULL);
    if (sql_zone_load(zones, slice_lit("Any/Where"), bytes) == 0)
        try_zone(sql_zones_at(zones, 0));
    struct sql_settings with = *settings;
    with.zones = zones;
    try_value(SQL_TIMESTAMPTZ, -1, text, slice_lit("TZ"), &with);
    sql_zones_free(zones);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct sql_zone zone;
    if (size > INPUT_MAX)
        return 0;
    slice template, text = slice_cut(slice_make(data, size), '\n', &template);
    check(sql_zone_posix(slice_lit("CET-1CEST,M3.5.0,M10.5.0/3"), &zone) == 0);
    const struct sql_settings settings = {.zone = &zone, .now = INT64_C(757427400500000)};
    for (size_t i = 0; i < array_count(types); i++) {
        try_value(types[i], -1, text, template, &settings);
        if (types[i] != SQL_DATE && types[i] != SQL_INTERVAL)
            try_value(types[i], 2, text, template, &settings);
    }
    try_value(SQL_INTERVAL, SQL_INTERVAL_DAY << 16 | SQL_INTERVAL_DIGITS_ALL, text, template,
              &settings);
    try_value(SQL_INTERVAL, SQL_INTERVAL_ALL << 16 | 3, text, template, &settings);
    const struct sql_type two[2] = {sql_type_of(SQL_TEXT), sql_type_of(SQL_TEXT)};
    const union sql_cell cells[2] = {{.text = text}, {.text = template}};
    try_function("to_timestamp", two, 2, cells, &settings);
    try_function("to_date", two, 2, cells, &settings);
    try_zones(text, slice_make(data, size), &settings);
    return 0;
}
