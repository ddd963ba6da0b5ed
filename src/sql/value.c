/*
 * value.c - a value's text form, in and out (value.h).
 *
 * The types of PostgreSQL's core that have no folder of their own are served here, by one switch;
 * for dates, times, intervals and JSON the tables of type_io.h are asked. An error's words are
 * PostgreSQL's, because drivers and tests match on them.
 */
#include "sql/value_parts.h"

#include "base/number.h"
#include "sql/numeric.h"

#include <errno.h>

slice value_trim(slice text) {
    while (text.len > 0 && value_is_blank(text.ptr[0]))
        text = slice_skip(text, 1);
    while (text.len > 0 && value_is_blank(text.ptr[text.len - 1]))
        text.len--;
    return text;
}

int value_syntax(const struct sql_reading *r, slice text) {
    char name[96];
    return sql_fail(r->error, "22P02", "invalid input syntax for type %s: \"%.*s\"",
                    sql_type_text(sql_type_of(r->type.oid), name, sizeof name), slice_fmt(text));
}

int value_numeric_in(const struct sql_reading *r, slice text, union sql_cell *ret) {
    struct sql_numeric n;
    int rc = sql_numeric_parse(text, r->memory, &n);
    if (rc == -EINVAL)
        return value_syntax(r, text);
    if (rc == -ERANGE)
        return sql_fail(r->error, "22003", "value overflows numeric format");
    if (rc < 0)
        return sql_fail_memory(r->error);
    return sql_numeric_fit(n, r->type.typmod, r->memory, &ret->numeric, r->error);
}

/* A type that only a folder's table knows, an array, or an enum. */
static int other_in(const struct sql_reading *r, slice text, union sql_cell *ret) {
    const struct sql_type_io *io = sql_type_io_find(r->type.oid);
    if (io && io->in)
        return io->in(r->type, text, r->settings, r->memory, ret, r->error);
    if (sql_layout_of(r->type.oid) == SQL_LAYOUT_ARRAY && sql_element_of(r->type.oid))
        return value_array_in(r, text, ret);
    if (r->type.oid >= SQL_FIRST_USER_OID)
        return value_enum_in(r, text, ret);
    char name[96];
    sql_type_text(r->type, name, sizeof name);
    if (r->type.oid == SQL_RECORD)
        return sql_fail(r->error, "0A000", "input of anonymous composite types is not implemented");
    return sql_fail(r->error, "0A000", "cannot accept a value of type %s", name);
}

int sql_value_in(struct sql_type type, slice text, const struct sql_settings *settings,
                 struct arena *memory, union sql_cell *ret, struct sql_error *error) {
    const struct sql_reading r = {type, settings, memory, error};
    switch (type.oid) {
    case SQL_BOOL:
        return value_bool_in(&r, text, ret);
    case SQL_INT2:
    case SQL_INT4:
    case SQL_INT8:
    case SQL_OID:
        return value_int_in(&r, text, ret);
    case SQL_FLOAT4:
    case SQL_FLOAT8:
        return value_float_in(&r, text, ret);
    case SQL_NUMERIC:
        return value_numeric_in(&r, text, ret);
    case SQL_CHAR:
    case SQL_NAME:
    case SQL_TEXT:
    case SQL_BPCHAR:
    case SQL_VARCHAR:
    case SQL_UNKNOWN:
        return value_text_in(&r, text, ret);
    case SQL_BYTEA:
        return value_bytea_in(&r, text, ret);
    case SQL_UUID:
        return value_uuid_in(&r, text, ret);
    case SQL_REGPROC:
    case SQL_REGCLASS:
    case SQL_REGTYPE:
    case SQL_REGNAMESPACE:
    case SQL_REGROLE:
        return value_name_in(&r, text, ret);
    case SQL_VOID:
        *ret = (union sql_cell){.i = 0};
        return 0;
    default:
        return other_in(&r, text, ret);
    }
}

static int other_out(struct sql_type type, const union sql_cell *cell,
                     const struct sql_settings *settings, struct buf *out) {
    const struct sql_type_io *io = sql_type_io_find(type.oid);
    if (io && io->out)
        return io->out(type, cell, settings, out);
    if (type.oid >= SQL_FIRST_USER_OID && !sql_element_of(type.oid))
        return value_enum_out(type.oid, cell, settings, out);
    switch (sql_layout_of(type.oid)) {
    case SQL_LAYOUT_ARRAY:
        return value_array_out(type, cell->array, settings, out);
    case SQL_LAYOUT_RECORD:
        return value_record_out(cell->record, settings, out);
    case SQL_LAYOUT_TEXT:
        return buf_append(out, cell->text);
    case SQL_LAYOUT_WORD:
        return value_name_out(type.oid, cell, settings, out);
    default:
        return -EINVAL; /* a type that has no text form in any table */
    }
}

int sql_value_out(struct sql_type type, const union sql_cell *cell,
                  const struct sql_settings *settings, struct buf *out) {
    switch (type.oid) {
    case SQL_BOOL:
        return buf_append_byte(out, cell->i ? 't' : 'f');
    case SQL_INT2:
    case SQL_INT4:
    case SQL_INT8:
    case SQL_OID:
        return buf_append_i64(out, cell->i);
    case SQL_FLOAT4:
    case SQL_FLOAT8:
        return value_float_out(type.oid, cell->f, settings, out);
    case SQL_NUMERIC:
        return sql_numeric_print(cell->numeric, out);
    case SQL_CHAR:
    case SQL_NAME:
    case SQL_TEXT:
    case SQL_BPCHAR:
    case SQL_VARCHAR:
    case SQL_UNKNOWN:
        return buf_append(out, cell->text);
    case SQL_BYTEA:
        return value_bytea_out(cell, out);
    case SQL_UUID:
        return value_uuid_out(cell, out);
    case SQL_VOID:
        return 0;
    default:
        return other_out(type, cell, settings, out);
    }
}
