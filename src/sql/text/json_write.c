/*
 * json_write.c - SQL values as JSON (json_write.h).
 *
 * Whatever is no number, boolean, json or container is what its output function prints, quoted;
 * only timestamps are turned into the form that JSON's readers expect.
 */
#include "sql/text/json_write.h"

#include "sql/text/json.h"

#include <errno.h>

struct writer {
    const struct sql_settings *settings;
    struct buf *out;
    unsigned depth;
};

static int write_value(struct writer *w, struct sql_type type, const union sql_cell *cell,
                       bool null, slice between);

bool sql_json_is_composite(uint32_t oid) {
    enum sql_layout layout = sql_layout_of(oid);
    return layout == SQL_LAYOUT_ARRAY || layout == SQL_LAYOUT_RECORD;
}

bool sql_json_may_be_key(uint32_t oid) {
    return !sql_json_is_composite(oid) && oid != SQL_JSON && oid != SQL_JSONB;
}

/* Digits, or NaN and the infinities, which JSON does not have and which go as strings. */
static int write_number(struct writer *w, struct sql_type type, const union sql_cell *cell) {
    size_t start = w->out->len;
    int failed = sql_value_out(type, cell, w->settings, w->out);
    if (failed || w->out->len == start)
        return failed;
    char last = w->out->ptr[w->out->len - 1];
    if (last >= '0' && last <= '9')
        return 0;
    failed = buf_append(w->out, slice_lit("\"\""));
    if (failed)
        return failed;
    char *at = w->out->ptr + start;
    memmove(at + 1, at, w->out->len - start - 2);
    *at = '"';
    w->out->ptr[w->out->len - 1] = '"';
    return 0;
}

/* 2020-01-02 03:04:05+01 -> "2020-01-02T03:04:05+01:00" */
static int write_timestamp(struct writer *w, struct sql_type type, const union sql_cell *cell) {
    _cleanup_buf_ struct buf text = buf_make(100);
    int failed = sql_value_out(type, cell, w->settings, &text);
    if (failed)
        return failed;
    slice all = buf_slice(&text);
    ptrdiff_t space = slice_find(all, ' ');
    if (space > 0)
        text.ptr[space] = 'T';
    slice rest = space > 0 ? slice_skip(all, (size_t)space) : slice_take(all, 0);
    ptrdiff_t zone = slice_find(rest, '+');
    zone = zone < 0 ? slice_find(rest, '-') : zone;
    slice digits = zone < 0 ? slice_take(all, 0) : slice_skip(rest, (size_t)zone + 1);
    size_t offset = 0;
    while (offset < digits.len && digits.ptr[offset] != ' ')
        offset++;
    slice behind = slice_skip(digits, offset); /* " BC" */
    slice before = slice_take(all, all.len - behind.len);
    failed = buf_append_byte(w->out, '"');
    failed = failed ? failed : buf_append(w->out, before);
    if (!failed && offset == 2)
        failed = buf_append(w->out, slice_lit(":00"));
    failed = failed ? failed : buf_append(w->out, behind);
    return failed ? failed : buf_append_byte(w->out, '"');
}

static int write_text(struct writer *w, struct sql_type type, const union sql_cell *cell) {
    if (type.oid == SQL_TEXT || type.oid == SQL_VARCHAR || type.oid == SQL_UNKNOWN)
        return sql_json_quote(cell->text, w->out);
    _cleanup_buf_ struct buf text = buf_make(SQL_TEXT_BYTES_MAX);
    int failed = sql_value_out(type, cell, w->settings, &text);
    return failed ? failed : sql_json_quote(buf_slice(&text), w->out);
}

/* Elements FROM .. FROM + COUNT, of which those of dimension D lie behind each other. */
static int write_dimension(struct writer *w, const struct sql_array *a, unsigned d, unsigned *at,
                           slice between) {
    int failed = buf_append_byte(w->out, '[');
    for (int32_t i = 0; !failed && i < a->lengths[d]; i++) {
        failed = i > 0 ? buf_append(w->out, between) : 0;
        if (!failed && d + 1 < a->dimensions) {
            failed = write_dimension(w, a, d + 1, at, slice_lit(","));
        } else if (!failed) {
            bool null = a->nulls && a->nulls[*at];
            failed = write_value(w, sql_type_of(a->element), &a->cells[*at], null, slice_lit(","));
            ++*at;
        }
    }
    return failed ? failed : buf_append_byte(w->out, ']');
}

static int write_name(struct writer *w, const struct sql_record *r, unsigned i) {
    if (!r->names)
        return buf_printf(w->out, "\"f%u\":", i + 1);
    int failed = sql_json_quote(r->names[i], w->out);
    return failed ? failed : buf_append_byte(w->out, ':');
}

static int write_record(struct writer *w, const struct sql_record *r, slice between) {
    int failed = buf_append_byte(w->out, '{');
    for (unsigned i = 0; !failed && i < r->count; i++) {
        failed = i > 0 ? buf_append(w->out, between) : 0;
        failed = failed ? failed : write_name(w, r, i);
        if (!failed)
            failed = write_value(w, r->types[i], &r->cells[i], r->nulls[i], slice_lit(","));
    }
    return failed ? failed : buf_append_byte(w->out, '}');
}

static int write_composite(struct writer *w, struct sql_type type, const union sql_cell *cell,
                           slice between) {
    if (w->depth == SQL_JSON_WRITE_DEPTH_MAX)
        return -ENOBUFS;
    w->depth++;
    unsigned at = 0;
    int failed = 0;
    if (sql_layout_of(type.oid) == SQL_LAYOUT_RECORD)
        failed = write_record(w, cell->record, between);
    else if (cell->array->dimensions == 0)
        failed = buf_append(w->out, slice_lit("[]"));
    else
        failed = write_dimension(w, cell->array, 0, &at, between);
    w->depth--;
    return failed;
}

static int write_value(struct writer *w, struct sql_type type, const union sql_cell *cell,
                       bool null, slice between) {
    if (null)
        return buf_append(w->out, slice_lit("null"));
    switch (type.oid) {
    case SQL_BOOL:
        return buf_append(w->out, cell->i ? slice_lit("true") : slice_lit("false"));
    case SQL_INT2:
    case SQL_INT4:
    case SQL_INT8:
    case SQL_FLOAT4:
    case SQL_FLOAT8:
    case SQL_NUMERIC:
        return write_number(w, type, cell);
    case SQL_JSON:
    case SQL_JSONB:
        return buf_append(w->out, cell->text);
    case SQL_TIMESTAMP:
    case SQL_TIMESTAMPTZ:
        return write_timestamp(w, type, cell);
    default:
        return sql_json_is_composite(type.oid) ? write_composite(w, type, cell, between)
                                               : write_text(w, type, cell);
    }
}

int sql_json_write(struct sql_type type, const union sql_cell *cell, bool null,
                   const struct sql_settings *settings, struct buf *out) {
    struct writer w = {.settings = settings, .out = out};
    return write_value(&w, type, cell, null, slice_lit(","));
}

int sql_json_write_pretty(struct sql_type type, const union sql_cell *cell,
                          const struct sql_settings *settings, struct buf *out) {
    struct writer w = {.settings = settings, .out = out};
    return write_value(&w, type, cell, false, slice_lit(",\n "));
}

int sql_json_write_key(struct sql_type type, const union sql_cell *cell,
                       const struct sql_settings *settings, struct buf *out) {
    struct writer w = {.settings = settings, .out = out};
    if (type.oid == SQL_BOOL)
        return buf_append(out, cell->i ? slice_lit("\"true\"") : slice_lit("\"false\""));
    if (type.oid == SQL_TIMESTAMP || type.oid == SQL_TIMESTAMPTZ)
        return write_timestamp(&w, type, cell);
    return write_text(&w, type, cell);
}
