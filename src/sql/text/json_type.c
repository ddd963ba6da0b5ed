/*
 * json_type.c - json and jsonb as types: text and binary forms, order, hash (type_io.h).
 *
 *   binary   json: its text      jsonb: a byte 1, the version, then its text
 */
#include "sql/text/json.h"
#include "sql/type_io.h"

static int json_in(struct sql_type type, slice text, const struct sql_settings *settings,
                   struct arena *memory, union sql_cell *ret, struct sql_error *error) {
    (void)type;
    (void)settings;
    int failed = sql_json_in(text, error);
    if (failed)
        return failed;
    return arena_copy(memory, text, &ret->text) ? sql_fail_memory(error) : 0;
}

static int jsonb_in(struct sql_type type, slice text, const struct sql_settings *settings,
                    struct arena *memory, union sql_cell *ret, struct sql_error *error) {
    (void)type;
    (void)settings;
    return sql_jsonb_in(text, memory, &ret->text, error);
}

static int text_out(struct sql_type type, const union sql_cell *cell,
                    const struct sql_settings *settings, struct buf *out) {
    (void)type;
    (void)settings;
    return buf_append(out, cell->text);
}

static int jsonb_receive(struct sql_type type, slice bytes, const struct sql_settings *settings,
                         struct arena *memory, union sql_cell *ret, struct sql_error *error) {
    if (bytes.len == 0 || bytes.ptr[0] != 1)
        return sql_fail(error, "XX000", "unsupported jsonb version number %d",
                        bytes.len ? bytes.ptr[0] : 0);
    return jsonb_in(type, slice_skip(bytes, 1), settings, memory, ret, error);
}

static int jsonb_send(struct sql_type type, const union sql_cell *cell,
                      const struct sql_settings *settings, struct buf *out) {
    int failed = buf_append_byte(out, 1);
    return failed ? failed : text_out(type, cell, settings, out);
}

static int jsonb_compare(const union sql_cell *a, const union sql_cell *b) {
    return sql_jsonb_compare(a->text, b->text);
}

static uint64_t jsonb_hash(const union sql_cell *cell) {
    return sql_jsonb_hash(cell->text);
}

static int jsonb_canonical(const union sql_cell *cell, struct buf *out) {
    return sql_jsonb_canonical(cell->text, out);
}

static int jsonb_key(const union sql_cell *cell, struct buf *out) {
    return sql_jsonb_key(cell->text, out);
}

const struct sql_type_io sql_type_io_json[] = {
    {.oid = SQL_JSON, .in = json_in, .out = text_out, .receive = json_in, .send = text_out},
    {.oid = SQL_JSONB,
     .in = jsonb_in,
     .out = text_out,
     .receive = jsonb_receive,
     .send = jsonb_send,
     .compare = jsonb_compare,
     .hash = jsonb_hash,
     .canonical = jsonb_canonical,
     .key = jsonb_key},
    {.oid = 0},
};
