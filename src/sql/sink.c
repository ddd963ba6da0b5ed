/*
 * sink.c - see sink.h.
 *
 * A subject is cut into parts once; its pattern has a star for each token with a value in it, and
 * so tells which streams capture all that the sink can say.
 */
#include "sql/sink.h"

#include "base/buf.h"
#include "wire/nats_subject.h"

#include <errno.h>

#define TOKEN_BYTES_MAX ((size_t)1 << 20)

static const slice *option(const struct sql_table *t, const char *name) {
    for (unsigned i = 0; i < t->options; i++)
        if (slice_equal(t->option[i].name, slice_str(name)))
            return &t->option[i].value;
    return NULL;
}

bool sql_sink_has_option(slice name) {
    static const char *const names[] = {"subject", "type", "key"};
    for (size_t i = 0; i < array_count(names); i++)
        if (slice_equal(name, slice_str(names[i])))
            return true;
    return false;
}

bool sql_is_sink(const struct sql_table *t) {
    return t->kind == SQL_TABLE_MATERIALIZED && option(t, "subject");
}

static int column_named(const struct sql_table *t, slice name, const char *where,
                        struct sql_error *error) {
    for (unsigned i = 0; i < t->columns; i++)
        if (slice_equal(t->column[i].name, name))
            return (int)i;
    return sql_fail(error, "42703", "option \"%s\": there is no column \"%.*s\"", where,
                    slice_fmt(name));
}

/* --- options ---------------------------------------------------------------------------------- */

static int read_type(const struct sql_table *t, struct sql_sink *sink, struct sql_error *error) {
    static const char *const types[] = {[SQL_SINK_CHANGELOG] = "changelog",
                                        [SQL_SINK_UPSERT] = "upsert",
                                        [SQL_SINK_APPEND_ONLY] = "append-only"};
    const slice *type = option(t, "type");
    for (size_t i = 0; type && i < array_count(types); i++) {
        if (slice_equal(*type, slice_str(types[i]))) {
            sink->type = (enum sql_sink_type)i;
            return 0;
        }
    }
    return !type
               ? 0
               : sql_fail(error, "22023", "type is changelog, upsert or append-only, not \"%.*s\"",
                          slice_fmt(*type));
}

static int read_key(const struct sql_table *t, struct sql_sink *sink, struct sql_error *error) {
    const slice *key = option(t, "key");
    slice rest = key ? *key : (slice){0};
    if (key && sink->type != SQL_SINK_UPSERT)
        return sql_fail(error, "22023", "only a sink of type upsert has a key");
    while (rest.len) {
        slice name = slice_trim(slice_cut(rest, ',', &rest));
        int column = column_named(t, name, "key", error);
        if (column < 0)
            return column;
        if (sink->keys == SQL_SINK_KEYS_MAX)
            return sql_fail(error, "54011", "a key has at most %u columns", SQL_SINK_KEYS_MAX);
        sink->key[sink->keys++] = (unsigned)column;
    }
    return key && !sink->keys ? sql_fail(error, "22023", "option \"key\" names no column") : 0;
}

/* The parts of the subject, and its pattern, of as many bytes at most, in OUT. */
static int read_parts(const struct sql_table *t, struct sql_sink *sink, slice subject, char *out,
                      struct sql_error *error) {
    slice rest = subject;
    size_t len = 0, token = 0; /* of the pattern; where its last token begins */
    for (;;) {
        ptrdiff_t at = slice_find_slice(rest, slice_lit("${"));
        slice text = at < 0 ? rest : slice_take(rest, (size_t)at);
        struct sql_sink_part *part = &sink->part[sink->parts];
        if (sink->parts++ == SQL_SINK_PARTS_MAX)
            return sql_fail(error, "54000", "a subject has at most %u values in it",
                            SQL_SINK_PARTS_MAX - 1);
        *part = (struct sql_sink_part){text, -1};
        bool valued = len > token && out[len - 1] == '*';
        for (size_t i = 0; i < text.len; i++) {
            if (text.ptr[i] == '.')
                valued = false;
            if (!valued)
                out[len++] = text.ptr[i];
            token = text.ptr[i] == '.' ? len : token;
        }
        if (at < 0)
            break;
        slice name = slice_cut(slice_skip(rest, (size_t)at + 2), '}', &rest);
        if (!rest.ptr)
            return sql_fail(error, "22023", "option \"subject\": ${%.*s has no end",
                            slice_fmt(name));
        part->column = column_named(t, name, "subject", error);
        if (part->column < 0)
            return part->column;
        len = token;
        out[len++] = '*';
        sink->varies = true;
    }
    sink->pattern = slice_make(out, len);
    return 0;
}

/* Subjects that belong to Nonet itself, or to the streams' API. */
static bool is_taken(slice subject) {
    static const char *const taken[] = {"$", "_NONET.", "view.", "sql.", "es.", "_INBOX."};
    for (size_t i = 0; i < array_count(taken); i++)
        if (slice_starts_with(subject, slice_str(taken[i])))
            return true;
    return subject.len && subject.ptr[0] == '*'; /* a value could be any of them */
}

static int read_subject(const struct sql_table *t, struct arena *memory, struct sql_sink *sink,
                        struct sql_error *error) {
    const slice *subject = option(t, "subject");
    char *out = subject ? arena_alloc(memory, subject->len + 1) : NULL;
    if (!subject)
        return sql_fail(error, "22023", "a sink names its subject in WITH (subject = '…')");
    if (!out)
        return sql_fail_memory(error);
    int r = read_parts(t, sink, *subject, out, error);
    if (r < 0)
        return r;
    slice literal = sink->pattern; /* a star for each value: what is left may be none */
    size_t stars = 0, values = 0;
    for (slice rest = literal, token; nats_subject_next(&rest, &token);)
        stars += slice_equal(token, slice_lit("*"));
    for (slice rest = *subject, token; nats_subject_next(&rest, &token);)
        values += slice_find_slice(token, slice_lit("${")) >= 0;
    if (!nats_subject_valid(literal) || stars != values ||
        slice_find_slice(literal, slice_lit(">")) >= 0) {
        r = sql_fail(error, "22023", "option \"subject\": \"%.*s\" is no subject to publish to",
                     slice_fmt(*subject));
        sql_error_hint(error, "Write for example 'orders.hot' or 'orders.${region}'.");
    } else if (is_taken(literal)) {
        r = sql_fail(error, "42501", "option \"subject\": \"%.*s\" is not for sinks",
                     slice_fmt(*subject));
        sql_error_hint(error, "Begin it with a word of your own; $…, _NONET, _INBOX, view, sql and "
                              "es are taken.");
    }
    return r;
}

int sql_sink_read(const struct sql_table *t, struct arena *memory, struct sql_sink *ret,
                  struct sql_error *error) {
    *ret = (struct sql_sink){.type = SQL_SINK_CHANGELOG};
    int r = read_subject(t, memory, ret, error);
    if (r == 0)
        r = read_type(t, ret, error);
    if (r == 0)
        r = read_key(t, ret, error);
    return r;
}

/* --- subjects --------------------------------------------------------------------------------- */

int sql_sink_token(slice name, struct buf *out) {
    int r = 0;
    for (size_t i = 0; r == 0 && i < name.len; i++) {
        unsigned char b = (unsigned char)name.ptr[i];
        bool fits = b > ' ' && b != 0x7f && !strchr(".*>%", b);
        r = fits ? buf_append_byte(out, (char)b) : buf_printf(out, "%%%02X", b);
    }
    return r;
}

static int append_value(const struct sql_sink_part *part,
                        int (*column)(void *self, unsigned column, struct buf *out, bool *ret_null),
                        void *self, struct buf *out) {
    _cleanup_buf_ struct buf text = buf_make(TOKEN_BYTES_MAX);
    bool null = false;
    int r = column(self, (unsigned)part->column, &text, &null);
    if (r < 0)
        return r;
    if (null)
        return buf_append(out, slice_lit("null"));
    return text.len ? sql_sink_token(buf_slice(&text), out) : buf_append_byte(out, '%');
}

int sql_sink_subject(const struct sql_sink *sink,
                     int (*column)(void *self, unsigned column, struct buf *out, bool *ret_null),
                     void *self, struct buf *out) {
    int r = 0;
    for (unsigned i = 0; r == 0 && i < sink->parts; i++) {
        r = buf_append(out, sink->part[i].text);
        if (r == 0 && sink->part[i].column >= 0)
            r = append_value(&sink->part[i], column, self, out);
    }
    return r;
}
