/*
 * copy_format.c - the options of COPY, and rows written in its shapes (copy_format.h).
 *
 *     text    1\tab\\c\n        \N is NULL; backslash, delimiter and control letters are escaped
 *     csv     1,"a ""b"""\n     an empty field is NULL; an empty text is ""
 *     binary  PGCOPY\n\377\r\n\0 flags 4, extension 4 | count 2 [length 4, bytes]* | … | -1
 */
#include "rooms/stream/copy_format.h"

#include "wire/pgwire_write.h"

/* --- options -------------------------------------------------------------------------------- */

static bool is(slice name, const char *text) {
    return slice_equal(name, slice_str(text));
}

static int one_byte(slice name, slice value, char *ret, struct sql_error *error) {
    if (value.len != 1 || (unsigned char)value.ptr[0] > 127)
        return sql_fail(error, "0A000", "COPY %.*s must be a single one-byte character",
                        slice_fmt(name));
    *ret = value.ptr[0];
    return 0;
}

static int boolean(slice name, slice value, bool *ret, struct sql_error *error) {
    static const char *const yes[] = {"", "true", "on", "1"}, *const no[] = {"false", "off", "0"};
    for (size_t i = 0; i < array_count(yes); i++)
        if (slice_equal_nocase(value, slice_str(yes[i]))) {
            *ret = true;
            return 0;
        }
    for (size_t i = 0; i < array_count(no); i++)
        if (slice_equal_nocase(value, slice_str(no[i]))) {
            *ret = false;
            return 0;
        }
    return sql_fail(error, "42601", "%.*s requires a Boolean value", slice_fmt(name));
}

static int take_shape(slice value, struct copy_format *f, struct sql_error *error) {
    if (is(value, "text"))
        f->shape = COPY_TEXT;
    else if (is(value, "csv"))
        f->shape = COPY_CSV;
    else if (is(value, "binary"))
        f->shape = COPY_BINARY;
    else
        return sql_fail(error, "22023", "COPY format \"%.*s\" not recognized", slice_fmt(value));
    return 0;
}

static int take_option(slice name, slice value, struct copy_format *f, struct sql_error *error) {
    if (is(name, "format"))
        return 0; /* taken first */
    if (is(name, "delimiter"))
        return one_byte(name, value, &f->delimiter, error);
    if (is(name, "quote"))
        return one_byte(name, value, &f->quote, error);
    if (is(name, "escape"))
        return one_byte(name, value, &f->escape, error);
    if (is(name, "header"))
        return boolean(name, value, &f->header, error);
    if (is(name, "null")) {
        f->null = value;
        return 0;
    }
    if (is(name, "force_quote") && is(value, "*")) {
        f->force_quote_all = true;
        return 0;
    }
    if (is(name, "freeze"))
        return boolean(name, value, &(bool){false}, error); /* a hint to storage, as there */
    if (is(name, "encoding") && (slice_equal_nocase(value, slice_lit("utf8")) ||
                                 slice_equal_nocase(value, slice_lit("utf-8")) ||
                                 slice_equal_nocase(value, slice_lit("unicode"))))
        return 0;
    return sql_fail(error, "0A000", "COPY option \"%.*s\" is not supported", slice_fmt(name));
}

static int judge(const struct copy_format *f, bool given, struct sql_error *error) {
    if (f->shape == COPY_BINARY && given)
        return sql_fail(error, "42601",
                        "cannot specify DELIMITER, NULL, QUOTE, ESCAPE or HEADER "
                        "in BINARY mode");
    if (f->shape == COPY_TEXT &&
        strchr("\\.abcdefghijklmnopqrstuvwxyz0123456789\r\n", f->delimiter))
        return sql_fail(error, "22023", "COPY delimiter cannot be \"%c\"", f->delimiter);
    if (f->shape == COPY_CSV && f->delimiter == f->quote)
        return sql_fail(error, "22023", "COPY delimiter and quote must be different");
    if (slice_find(f->null, f->delimiter) >= 0)
        return sql_fail(error, "22023", "COPY delimiter must not appear in the NULL specification");
    if (slice_find(f->null, '\n') >= 0 || slice_find(f->null, '\r') >= 0)
        return sql_fail(error, "22023",
                        "COPY null representation cannot use newline or carriage "
                        "return");
    return 0;
}

int copy_format_of(const struct sql_statement *statement, struct copy_format *ret,
                   struct sql_error *error) {
    struct copy_format f = {.shape = COPY_TEXT};
    bool given = false, escape = false;
    int failed = 0;
    for (unsigned i = 0; !failed && i < statement->options; i++)
        if (is(statement->option[i].name, "format"))
            failed = take_shape(statement->option[i].value, &f, error);
    f.delimiter = f.shape == COPY_CSV ? ',' : '\t';
    f.quote = '"';
    f.null = f.shape == COPY_CSV ? slice_lit("") : slice_lit("\\N");
    for (unsigned i = 0; !failed && i < statement->options; i++) {
        const struct sql_option *o = &statement->option[i];
        const bool csv_only =
            is(o->name, "quote") || is(o->name, "escape") || is(o->name, "force_quote");
        if (csv_only && f.shape != COPY_CSV)
            failed = sql_fail(error, "0A000", "COPY %.*s available only in CSV mode",
                              slice_fmt(o->name));
        else
            failed = take_option(o->name, o->value, &f, error);
        escape |= is(o->name, "escape");
        given |= !is(o->name, "format") && !is(o->name, "freeze") && !is(o->name, "encoding");
    }
    if (!escape)
        f.escape = f.quote;
    if (!failed)
        failed = judge(&f, given, error);
    if (!failed)
        *ret = f;
    return failed;
}

/* --- writing -------------------------------------------------------------------------------- */

static int put_text_escaped(const struct copy_format *f, struct buf *out, size_t from) {
    static const char letters[] = "bnrtfv", bytes[] = "\b\n\r\t\f\v";
    size_t more = 0;
    for (size_t i = from; i < out->len; i++)
        more += out->ptr[i] == '\\' || out->ptr[i] == f->delimiter ||
                (out->ptr[i] && strchr(bytes, out->ptr[i]));
    int failed = more ? buf_reserve(out, more) : 0;
    if (failed || !more)
        return failed;
    char *to = out->ptr + out->len + more;
    for (size_t i = out->len; i-- > from;) { /* from behind, in place */
        const char c = out->ptr[i], *control = c ? strchr(bytes, c) : NULL;
        *--to = control ? letters[control - bytes] : c;
        if (control || c == '\\' || c == f->delimiter)
            *--to = '\\';
    }
    out->len += more;
    return 0;
}

static bool needs_quotes(const struct copy_format *f, slice value, unsigned columns) {
    if (f->force_quote_all || slice_equal(value, f->null) ||
        (columns == 1 && slice_equal(value, slice_lit("\\."))))
        return true;
    for (size_t i = 0; i < value.len; i++) {
        const char c = value.ptr[i];
        if (c == f->delimiter || c == f->quote || c == '\n' || c == '\r')
            return true;
    }
    return false;
}

static int put_csv_quoted(const struct copy_format *f, struct buf *out, size_t from,
                          unsigned columns) {
    const slice value = slice_make(out->ptr + from, out->len - from);
    if (!needs_quotes(f, value, columns))
        return 0;
    size_t more = 2;
    for (size_t i = from; i < out->len; i++)
        more += out->ptr[i] == f->quote || out->ptr[i] == f->escape;
    int failed = buf_reserve(out, more);
    if (failed)
        return failed;
    char *to = out->ptr + out->len + more;
    *--to = f->quote;
    for (size_t i = out->len; i-- > from;) {
        const char c = out->ptr[i];
        *--to = c;
        if (c == f->quote || c == f->escape)
            *--to = f->escape;
    }
    *--to = f->quote;
    out->len += more;
    return 0;
}

static int end_field(const struct copy_format *f, struct buf *out, size_t from, unsigned columns) {
    return f->shape == COPY_CSV ? put_csv_quoted(f, out, from, columns)
                                : put_text_escaped(f, out, from);
}

int copy_write_start(const struct copy_format *f, const struct sql_plan_column *columns,
                     unsigned count, struct buf *out) {
    if (f->shape == COPY_BINARY)
        return buf_append(out, slice_lit("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0"));
    int failed = 0;
    for (unsigned i = 0; !failed && f->header && i < count; i++) {
        failed = i ? buf_append_byte(out, f->delimiter) : 0;
        const size_t from = out->len;
        if (!failed)
            failed = buf_append(out, columns[i].name);
        if (!failed)
            failed = end_field(f, out, from, count);
    }
    return failed || !f->header ? failed : buf_append_byte(out, '\n');
}

int copy_write_value(struct sql_type type, const struct sql_column *column, unsigned row,
                     bool binary, const struct sql_settings *settings, struct buf *out) {
    size_t start = 0;
    if (sql_null_at(column, row))
        return pgwire_put_null(out);
    int failed = pgwire_begin_value(out, &start);
    if (!failed)
        failed = binary ? sql_value_send(type, sql_cell_at(column, row), settings, out)
                        : sql_value_out(type, sql_cell_at(column, row), settings, out);
    if (!failed)
        pgwire_end_value(out, start);
    return failed;
}

int copy_write_row(const struct copy_format *f, const struct sql_plan_column *columns,
                   const struct sql_batch *batch, unsigned row, const struct sql_settings *settings,
                   struct buf *out) {
    const bool binary = f->shape == COPY_BINARY;
    int failed = binary ? pgwire_put_u16(out, batch->columns) : 0;
    for (unsigned i = 0; !failed && i < batch->columns; i++) {
        const struct sql_column *c = &batch->column[i];
        if (binary) {
            failed = copy_write_value(columns[i].type, c, row, true, settings, out);
            continue;
        }
        failed = i ? buf_append_byte(out, f->delimiter) : 0;
        const size_t from = out->len;
        if (!failed && sql_null_at(c, row))
            failed = buf_append(out, f->null);
        else if (!failed)
            failed = sql_value_out(columns[i].type, sql_cell_at(c, row), settings, out);
        if (!failed && !sql_null_at(c, row))
            failed = end_field(f, out, from, batch->columns);
    }
    return failed || binary ? failed : buf_append_byte(out, '\n');
}

slice copy_trailer(const struct copy_format *f) {
    return f->shape == COPY_BINARY ? slice_lit("\377\377") : (slice){NULL, 0};
}
