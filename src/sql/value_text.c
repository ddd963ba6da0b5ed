/*
 * value_text.c - text and its kin: what lengths do, bytea, enums, the names behind regclass.
 *
 * Everything that becomes a text is checked as UTF-8 here, once (22021), and holds no NUL. A
 * modifier counts characters. What is too long by blanks only is cut in silence, by more it is an
 * error; a cast the user wrote cuts (that is the cast's matter: value_cast.c).
 */
#include "sql/value_parts.h"

#include "base/hex.h"
#include "base/number.h"
#include "base/utf8.h"
#include "sql/catalog.h"
#include "sql/catalog_oid.h"
#include "sql/catalog_text.h"
#include "sql/text/give.h"

#include <errno.h>

slice value_without_blanks(slice text) {
    while (text.len > 0 && text.ptr[text.len - 1] == ' ')
        text.len--;
    return text;
}

static int not_utf8(const struct sql_reading *r, slice text) {
    slice rest = slice_skip(text, utf8_valid_prefix(text));
    char hex[32] = "";
    size_t at = 0;
    for (size_t i = 0; i < rest.len && i < 3; i++) {
        static const char digits[] = "0123456789abcdef";
        hex[at++] = ' ';
        hex[at++] = '0';
        hex[at++] = 'x';
        hex[at++] = digits[(uint8_t)rest.ptr[i] >> 4];
        hex[at++] = digits[(uint8_t)rest.ptr[i] & 15];
        if (i == 0 && (uint8_t)rest.ptr[0] < 0x80)
            break;
    }
    hex[at] = '\0';
    return sql_fail(r->error, "22021", "invalid byte sequence for encoding \"UTF8\":%s", hex);
}

static int copy_text(const struct sql_reading *r, slice text, union sql_cell *ret) {
    slice copy;
    if (text.len > SQL_TEXT_BYTES_MAX)
        return sql_fail(r->error, "54000", "a value of %zu bytes is longer than %zu", text.len,
                        SQL_TEXT_BYTES_MAX);
    if (arena_copy(r->memory, text, &copy) < 0)
        return sql_fail_memory(r->error);
    *ret = (union sql_cell){.text = copy};
    return 0;
}

/* varchar(n) and char(n). */
static int fit(const struct sql_reading *r, slice text, union sql_cell *ret) {
    size_t most = (size_t)(r->type.typmod - 4);
    size_t bytes = text.len <= most ? text.len : text_offset(text, most);
    if (bytes < text.len) {
        if (value_without_blanks(slice_skip(text, bytes)).len > 0) {
            char name[64];
            return sql_fail(r->error, "22001", "value too long for type %s",
                            sql_type_text(r->type, name, sizeof name));
        }
        return copy_text(r, slice_take(text, bytes), ret);
    }
    size_t characters = r->type.oid == SQL_BPCHAR ? utf8_count(text) : most;
    if (characters >= most)
        return copy_text(r, text, ret);
    size_t len = text.len + (most - characters);
    char *padded = len > SQL_TEXT_BYTES_MAX ? NULL : arena_alloc(r->memory, len);
    if (!padded)
        return sql_fail_memory(r->error);
    if (text.len)
        memcpy(padded, text.ptr, text.len);
    memset(padded + text.len, ' ', len - text.len);
    *ret = (union sql_cell){.text = slice_make(padded, len)};
    return 0;
}

int value_text_in(const struct sql_reading *r, slice text, union sql_cell *ret) {
    if (!utf8_valid(text) || slice_find(text, '\0') >= 0)
        return not_utf8(r, utf8_valid(text) ? slice_lit("\0") : text);
    switch (r->type.oid) {
    case SQL_CHAR:
        return copy_text(r, slice_take(text, 1), ret);
    case SQL_NAME: {
        slice kept = slice_take(text, SQL_NAME_BYTES_MAX);
        return copy_text(r, slice_take(text, utf8_valid_prefix(kept)), ret);
    }
    case SQL_BPCHAR:
    case SQL_VARCHAR:
        if (r->type.typmod >= 4)
            return fit(r, text, ret);
        return copy_text(r, text, ret);
    default:
        return copy_text(r, text, ret);
    }
}

/* ---- bytea ----------------------------------------------------------------------------------- */

static bool blank(char c) {
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* Pairs of digits, blanks between the pairs. */
static int hex_in(const struct sql_reading *r, slice text, char *out, size_t *ret_len) {
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (blank(text.ptr[i]))
            continue;
        int high = hex_digit(text.ptr[i]);
        int low = i + 1 < text.len ? hex_digit(text.ptr[i + 1]) : 0;
        if (high < 0 || low < 0) {
            slice rest = slice_skip(text, high < 0 ? i : i + 1);
            uint32_t point;
            int bytes = utf8_decode(rest, &point);
            return sql_fail(r->error, "22023", "invalid hexadecimal digit: \"%.*s\"",
                            bytes > 0 ? bytes : 1, rest.ptr);
        }
        if (i + 1 == text.len)
            return sql_fail(r->error, "22023", "invalid hexadecimal data: odd number of digits");
        out[len++] = (char)(high << 4 | low);
        i++;
    }
    *ret_len = len;
    return 0;
}

/* Bytes as they are, `\\` and `\ooo`. */
static int escape_in(const struct sql_reading *r, slice text, char *out, size_t *ret_len) {
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '\\') {
            out[len++] = text.ptr[i];
            continue;
        }
        slice rest = slice_skip(text, i + 1);
        if (rest.len >= 1 && rest.ptr[0] == '\\') {
            out[len++] = '\\';
            i++;
        } else if (rest.len >= 3 && rest.ptr[0] >= '0' && rest.ptr[0] <= '3' &&
                   rest.ptr[1] >= '0' && rest.ptr[1] <= '7' && rest.ptr[2] >= '0' &&
                   rest.ptr[2] <= '7') {
            out[len++] =
                (char)((rest.ptr[0] - '0') << 6 | (rest.ptr[1] - '0') << 3 | (rest.ptr[2] - '0'));
            i += 3;
        } else {
            return sql_fail(r->error, "22P02", "invalid input syntax for type bytea");
        }
    }
    *ret_len = len;
    return 0;
}

int value_bytea_in(const struct sql_reading *r, slice text, union sql_cell *ret) {
    char *out = arena_alloc(r->memory, text.len);
    if (!out)
        return sql_fail_memory(r->error);
    size_t len = 0;
    int rc = slice_starts_with(text, slice_lit("\\x")) ? hex_in(r, slice_skip(text, 2), out, &len)
                                                       : escape_in(r, text, out, &len);
    if (rc == 0)
        *ret = (union sql_cell){.text = slice_make(out, len)};
    return rc;
}

int value_bytea_out(const union sql_cell *cell, struct buf *out) {
    int rc = buf_reserve(out, 2 + 2 * cell->text.len);
    if (rc < 0)
        return rc;
    memcpy(out->ptr + out->len, "\\x", 2);
    out->len += 2 + hex_encode(cell->text, out->ptr + out->len + 2);
    return 0;
}

/* ---- names of the catalog -------------------------------------------------------------------- */

static const struct sql_catalog *catalog_of(const struct sql_settings *settings) {
    return settings ? settings->catalog : NULL;
}

/* "schema"."name" or schema.name: quotes taken off, letters without quotes made small. */
static int take_name(const struct sql_reading *r, slice *rest, slice *ret) {
    bool quoted = rest->len > 0 && rest->ptr[0] == '"';
    char *out = arena_alloc(r->memory, rest->len);
    if (!out)
        return sql_fail_memory(r->error);
    size_t len = 0;
    size_t i = quoted;
    for (; i < rest->len; i++) {
        char c = rest->ptr[i];
        if (quoted && c == '"') {
            if (i + 1 >= rest->len || rest->ptr[i + 1] != '"')
                break;
            i++;
        } else if (!quoted && c == '.') {
            break;
        }
        out[len++] = !quoted && c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    *rest = slice_skip(*rest, i + quoted);
    *ret = slice_make(out, len);
    return len == 0 || (rest->len > 0 && rest->ptr[0] != '.')
               ? sql_fail(r->error, "42602", "invalid name syntax")
               : 0;
}

static int class_in(const struct sql_reading *r, slice text, union sql_cell *ret) {
    slice rest = text;
    slice schema = {NULL, 0};
    slice name;
    int rc = take_name(r, &rest, &name);
    if (rc == 0 && rest.len > 0) {
        schema = name;
        rest = slice_skip(rest, 1);
        rc = take_name(r, &rest, &name);
    }
    if (rc < 0)
        return rc;
    const struct sql_catalog *catalog = catalog_of(r->settings);
    const struct sql_table *table = catalog ? sql_catalog_table(catalog, schema, name) : NULL;
    if (!table)
        return sql_fail(r->error, "42P01", "relation \"%.*s\" does not exist", slice_fmt(text));
    *ret = (union sql_cell){.i = table->oid};
    return 0;
}

static int type_in(const struct sql_reading *r, slice text, union sql_cell *ret) {
    const struct sql_type_info *info = sql_type_named(text);
    const struct sql_catalog *catalog = catalog_of(r->settings);
    bool array = slice_ends_with(text, slice_lit("[]"));
    slice name = slice_take(text, text.len - (array ? 2 : 0));
    const struct sql_enum *e =
        !info && catalog ? sql_catalog_enum(catalog, (slice){NULL, 0}, name) : NULL;
    if (!info && !e)
        return sql_fail(r->error, "42704", "type \"%.*s\" does not exist", slice_fmt(text));
    *ret = (union sql_cell){.i = info ? info->oid : array ? sql_array_of(e->oid) : e->oid};
    return 0;
}

static int schema_in(const struct sql_reading *r, slice text, union sql_cell *ret) {
    const struct sql_catalog *catalog = catalog_of(r->settings);
    if (!catalog || !sql_catalog_has_schema(catalog, text))
        return sql_fail(r->error, "3F000", "schema \"%.*s\" does not exist", slice_fmt(text));
    *ret = (union sql_cell){.i = sql_schema_oid(text)};
    return 0;
}

int value_name_in(const struct sql_reading *r, slice text, union sql_cell *ret) {
    slice s = value_trim(text);
    int64_t number;
    if (number_parse_i64(s, 0, UINT32_MAX, &number) == 0 || slice_equal(s, slice_lit("-"))) {
        *ret = (union sql_cell){.i = slice_equal(s, slice_lit("-")) ? 0 : number};
        return 0;
    }
    if (r->type.oid == SQL_REGCLASS)
        return class_in(r, s, ret);
    if (r->type.oid == SQL_REGTYPE)
        return type_in(r, s, ret);
    if (r->type.oid == SQL_REGNAMESPACE)
        return schema_in(r, s, ret);
    if (r->type.oid == SQL_REGROLE && r->settings && slice_equal(s, r->settings->user)) {
        *ret = (union sql_cell){.i = SQL_OWNER_OID};
        return 0;
    }
    if (r->type.oid == SQL_REGROLE)
        return sql_fail(r->error, "42704", "role \"%.*s\" does not exist", slice_fmt(s));
    char name[64];
    return sql_fail(r->error, "0A000", "%s takes a number here, not the name \"%.*s\"",
                    sql_type_text(r->type, name, sizeof name), slice_fmt(s));
}

int value_name_out(uint32_t oid, const union sql_cell *cell, const struct sql_settings *settings,
                   struct buf *out) {
    const struct sql_catalog *catalog = catalog_of(settings);
    bool name = oid == SQL_REGPROC || oid == SQL_REGCLASS || oid == SQL_REGTYPE ||
                oid == SQL_REGNAMESPACE || oid == SQL_REGROLE;
    if (name && cell->i == 0)
        return buf_append_byte(out, '-');
    if (oid == SQL_REGCLASS && catalog) {
        const struct sql_table *table = sql_catalog_table_by_oid(catalog, (uint32_t)cell->i);
        if (table)
            return sql_table_name_text(table, false, out);
    }
    slice schema;
    unsigned cursor = 0;
    while (oid == SQL_REGNAMESPACE && catalog &&
           (schema = sql_catalog_each_schema(catalog, &cursor)).ptr)
        if (sql_schema_oid(schema) == cell->i)
            return text_put_name(schema, out);
    if (oid == SQL_REGROLE && settings && cell->i == SQL_OWNER_OID)
        return text_put_name(settings->user, out);
    const struct sql_type type = sql_type_of((uint32_t)cell->i);
    if (oid == SQL_REGTYPE && type.oid == SQL_BPCHAR)
        return buf_append(out, slice_lit("character"));
    if (oid == SQL_REGTYPE && sql_type_is_known(catalog, type.oid))
        return sql_type_name_text(catalog, type, out);
    return buf_append_i64(out, cell->i);
}

int value_enum_in(const struct sql_reading *r, slice text, union sql_cell *ret) {
    const struct sql_catalog *catalog = catalog_of(r->settings);
    const struct sql_enum *e = catalog ? sql_catalog_enum_by_oid(catalog, r->type.oid) : NULL;
    if (!e)
        return sql_fail(r->error, "42704", "type with OID %u does not exist", r->type.oid);
    for (unsigned i = 0; i < e->labels; i++)
        if (slice_equal(e->label[i], text)) {
            *ret = (union sql_cell){.i = i};
            return 0;
        }
    return sql_fail(r->error, "22P02", "invalid input value for enum %.*s: \"%.*s\"",
                    slice_fmt(e->name), slice_fmt(text));
}

int value_enum_out(uint32_t oid, const union sql_cell *cell, const struct sql_settings *settings,
                   struct buf *out) {
    const struct sql_catalog *catalog = catalog_of(settings);
    const struct sql_enum *e = catalog ? sql_catalog_enum_by_oid(catalog, oid) : NULL;
    if (e && cell->i >= 0 && (uint64_t)cell->i < e->labels)
        return buf_append(out, e->label[cell->i]);
    return buf_append_i64(out, cell->i);
}
