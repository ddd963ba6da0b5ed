/*
 * define_stream.c - what makes a table a stream's face: subject or stream, paths, watermark.
 *
 *   CREATE TABLE bid (auction bigint, price bigint, date_time timestamp)
 *       WITH (subject = 'bid.>', watermark = 'date_time - interval ''4 s''', path.price = '/a/b')
 *
 *   subject      whose messages are the rows; some stream captures it
 *   stream       the stream's name, where the subject alone does not decide it, or all of a stream
 *   format       json (the default): one document a message; a column is the member of its name, or
 *                what path.COLUMN (a JSON Pointer) says. raw: no document, columns are told by the
 *                message alone
 *   header.COLUMN  the message's header that the column is
 *   dead_letter  where messages go that do not fit the table: true, or a subject
 *   late_rows    the same of rows that are late by the watermark
 *   watermark    COLUMN, or COLUMN - interval: rows older than the newest by more are late
 *   append_only  true: no UPDATE or DELETE (always so of a stream's table)
 *   fillfactor   PostgreSQL's hint for its pages; taken, and without meaning here
 *
 * Any other option is refused by name.
 */
#include "sql/bind/define.h"

#include "wire/nats_subject.h"

#include <errno.h>

static const slice *option(const struct sql_table *t, const char *name) {
    for (unsigned i = 0; i < t->options; i++)
        if (slice_equal(t->option[i].name, slice_str(name)))
            return &t->option[i].value;
    return NULL;
}

static int option_bool(struct sql_binder *b, const slice *value, const char *name, bool *ret) {
    static const char *const yes[] = {"true", "on", "1", "yes"};
    static const char *const no[] = {"false", "off", "0", "no"};
    for (unsigned i = 0; i < array_count(yes); i++) {
        if (slice_equal_nocase(*value, slice_str(yes[i])) ||
            slice_equal_nocase(*value, slice_str(no[i]))) {
            *ret = slice_equal_nocase(*value, slice_str(yes[i]));
            return 0;
        }
    }
    return bind_error(b, -1, "22023", "option \"%s\" is true or false, not \"%.*s\"", name,
                      slice_fmt(*value));
}

/* COLUMN or COLUMN - interval. */
static int read_watermark(struct sql_binder *b, struct sql_table *t, slice text) {
    struct sql_expr *e = bind_text_expression(b, text, t, sql_type_of(0));
    if (!e)
        return -EINVAL;
    int64_t delay = 0;
    struct sql_expr *column = e;
    if (e->kind == SQL_EXPR_CALL && e->count == 2 &&
        slice_equal(slice_str(e->function->name), slice_lit("-"))) {
        struct sql_expr *by = e->arguments[1];
        column = e->arguments[0];
        if (by->kind != SQL_EXPR_CONST || by->null || by->type.oid != SQL_INTERVAL ||
            by->cell.interval.months != 0)
            column = NULL;
        else
            delay = by->cell.interval.microseconds +
                    (int64_t)by->cell.interval.days * INT64_C(86400000000);
    }
    bool is_time = column && column->kind == SQL_EXPR_COLUMN &&
                   (column->type.oid == SQL_TIMESTAMP || column->type.oid == SQL_TIMESTAMPTZ);
    if (!is_time || delay < 0) {
        int r = bind_error(b, -1, "42P16",
                           "a watermark is a timestamp column less an interval, "
                           "not \"%.*s\"",
                           slice_fmt(text));
        sql_error_hint(b->error, "For example: date_time - interval '4 seconds' (no months).");
        return r;
    }
    t->watermark_column = (int)column->index;
    t->watermark_delay = delay;
    return 0;
}

static int read_path(struct sql_binder *b, struct sql_table *t, const struct sql_option *o) {
    slice name = slice_skip(o->name, 5);
    int column = bind_look_up_column(t, name);
    if (column < 0)
        return bind_error(b, -1, "42703", "option \"%.*s\": there is no column \"%.*s\"",
                          slice_fmt(o->name), slice_fmt(name));
    if (o->value.len && o->value.ptr[0] != '/')
        return bind_error(b, -1, "22023",
                          "option \"%.*s\": a JSON Pointer starts with a slash, \"%.*s\" does not",
                          slice_fmt(o->name), slice_fmt(o->value));
    t->column[column].path = o->value;
    return 0;
}

static int read_header(struct sql_binder *b, const struct sql_table *t,
                       const struct sql_option *o) {
    slice name = slice_skip(o->name, 7);
    if (bind_look_up_column(t, name) < 0)
        return bind_error(b, -1, "42703", "option \"%.*s\": there is no column \"%.*s\"",
                          slice_fmt(o->name), slice_fmt(name));
    return o->value.len
               ? 0
               : bind_error(b, -1, "22023", "option \"%.*s\" names no header", slice_fmt(o->name));
}

/* Where messages are laid aside. */
static int judge_target(struct sql_binder *b, const char *name, const slice *value) {
    if (!value || slice_equal_nocase(*value, slice_lit("true")) ||
        slice_equal_nocase(*value, slice_lit("false")) || nats_subject_literal(*value))
        return 0;
    int r = bind_error(b, -1, "22023", "option \"%s\": \"%.*s\" is no subject to publish to", name,
                       slice_fmt(*value));
    sql_error_hint(b->error, "Write true, or a subject without wildcards that a durable stream "
                             "captures.");
    return r;
}

static int judge_option(struct sql_binder *b, struct sql_table *t, const struct sql_option *o) {
    static const char *const known[] = {"subject",     "stream",     "format",      "watermark",
                                        "append_only", "fillfactor", "dead_letter", "late_rows"};
    if (slice_starts_with(o->name, slice_lit("path.")))
        return read_path(b, t, o);
    if (slice_starts_with(o->name, slice_lit("header.")))
        return read_header(b, t, o);
    for (unsigned i = 0; i < array_count(known); i++)
        if (slice_equal(o->name, slice_str(known[i])))
            return 0;
    int r = bind_error(b, -1, "22023", "unrecognized parameter \"%.*s\"", slice_fmt(o->name));
    sql_error_hint(b->error, "A table has: subject, stream, format, watermark, append_only, "
                             "dead_letter, late_rows, path.COLUMN and header.COLUMN.");
    return r;
}

/* Rows that others publish are what they are: nothing here could refuse one. */
static int judge_stream(struct sql_binder *b, struct sql_table *t) {
    const slice *format = option(t, "format");
    if (format && !slice_equal(*format, slice_lit("json")) &&
        !slice_equal(*format, slice_lit("raw")))
        return bind_error(b, -1, "22023", "format \"%.*s\" is not known: it is json, or raw",
                          slice_fmt(*format));
    int r = judge_target(b, "dead_letter", option(t, "dead_letter"));
    if (r == 0)
        r = judge_target(b, "late_rows", option(t, "late_rows"));
    if (r < 0)
        return r;
    if (t->indexes || t->checks)
        return bind_error(b, -1, "42P16",
                          "table \"%.*s\" is over a stream: it has no keys and no checks",
                          slice_fmt(t->name));
    for (unsigned i = 0; i < t->columns; i++)
        if (t->column[i].generated != SQL_PLAIN || t->column[i].default_text.ptr)
            return bind_error(b, -1, "42P16",
                              "column \"%.*s\" is read from a stream: it has no default",
                              slice_fmt(t->column[i].name));
    t->append_only = true;
    return 0;
}

int define_source(struct sql_binder *b, struct sql_table *t, const struct sql_spelling *spelling) {
    int r = 0;
    for (unsigned i = 0; r == 0 && i < t->options; i++)
        r = judge_option(b, t, &t->option[i]);
    if (r < 0)
        return r;
    bool streams = option(t, "subject") || option(t, "stream");
    t->kind = streams ? SQL_TABLE_STREAM : SQL_TABLE_STORED;
    if (streams)
        r = judge_stream(b, t);
    else if (spelling->verb == SQL_SPELLED_SOURCE)
        r = bind_error(b, -1, "42P16", "a source names its subject or its stream in WITH (…)");
    t->append_only |= spelling->append_only;
    const slice *append_only = option(t, "append_only"), *watermark = option(t, "watermark");
    bool given = t->append_only;
    if (r == 0 && append_only)
        r = option_bool(b, append_only, "append_only", &given);
    t->append_only |= given;
    if (r == 0 && watermark)
        r = read_watermark(b, t, *watermark);
    if (r == 0 && spelling->watermark_expression.ptr)
        r = watermark ? bind_error(b, -1, "42P16", "a table has one watermark")
                      : read_watermark(b, t, spelling->watermark_expression);
    if (r == 0 && !streams && (option(t, "dead_letter") || option(t, "late_rows")))
        r = bind_error(b, -1, "42P16", "only a table over a stream lays messages aside");
    if (r == 0 && option(t, "late_rows") && t->watermark_column < 0)
        r = bind_error(b, -1, "42P16", "late_rows needs a watermark, by which rows are late");
    if (r == 0 && t->watermark_column >= 0 && !t->append_only)
        r = bind_error(b, -1, "42P16", "a table with a watermark is append only");
    return r;
}
