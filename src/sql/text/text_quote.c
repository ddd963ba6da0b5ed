/*
 * text_quote.c - texts that go back into SQL (quote_ident, quote_literal) and format().
 *
 * A name needs no quotes where it is lower case and no keyword that the grammar keeps for itself;
 * the list is that of PostgreSQL 15 (pg_get_keywords() but the unreserved ones), in order.
 *
 * format()'s specifiers:   % [ position $ ] [ - ] [ width | * | *position$ ] ( s | I | L | % )
 */
#include "sql/text/text_functions.h"

#include <errno.h>
#include <stdlib.h>

static const char *const keywords[] = {
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "between",
    "bigint",
    "binary",
    "bit",
    "boolean",
    "both",
    "case",
    "cast",
    "char",
    "character",
    "check",
    "coalesce",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "dec",
    "decimal",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "exists",
    "extract",
    "false",
    "fetch",
    "float",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "greatest",
    "group",
    "grouping",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "inout",
    "int",
    "integer",
    "intersect",
    "interval",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "least",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "national",
    "natural",
    "nchar",
    "none",
    "normalize",
    "not",
    "notnull",
    "null",
    "nullif",
    "numeric",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "out",
    "outer",
    "overlaps",
    "overlay",
    "placing",
    "position",
    "precision",
    "primary",
    "real",
    "references",
    "returning",
    "right",
    "row",
    "select",
    "session_user",
    "setof",
    "similar",
    "smallint",
    "some",
    "substring",
    "symmetric",
    "table",
    "tablesample",
    "then",
    "time",
    "timestamp",
    "to",
    "trailing",
    "treat",
    "trim",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "values",
    "varchar",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
    "xmlattributes",
    "xmlconcat",
    "xmlelement",
    "xmlexists",
    "xmlforest",
    "xmlnamespaces",
    "xmlparse",
    "xmlpi",
    "xmlroot",
    "xmlserialize",
    "xmltable",
};

static int by_word(const void *name, const void *word) {
    return slice_compare(*(const slice *)name, slice_str(*(const char *const *)word));
}

static bool plain_name(slice name) {
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || c == '_' || (i > 0 && c >= '0' && c <= '9')))
            return false;
    }
    return name.len > 0 &&
           !bsearch(&name, keywords, array_count(keywords), sizeof keywords[0], by_word);
}

/* TEXT with every QUOTE doubled. */
static int put_doubled(slice text, char quote, struct buf *out) {
    int failed = 0;
    for (size_t i = 0; i < text.len && !failed; i++) {
        failed = text.ptr[i] == quote ? buf_append_byte(out, quote) : 0;
        failed = failed ? failed : buf_append_byte(out, text.ptr[i]);
    }
    return failed;
}

int text_put_name(slice name, struct buf *out) {
    if (plain_name(name))
        return buf_append(out, name);
    int failed = buf_append_byte(out, '"');
    failed = failed ? failed : put_doubled(name, '"', out);
    return failed ? failed : buf_append_byte(out, '"');
}

/* A text with backslashes is written E'…', so that it reads the same under either setting of
   standard_conforming_strings. */
static int put_literal(slice text, struct buf *out) {
    bool escape = slice_find(text, '\\') >= 0;
    int failed = buf_append(out, escape ? slice_lit("E'") : slice_lit("'"));
    for (size_t i = 0; i < text.len && !failed; i++) {
        char c = text.ptr[i];
        failed = c == '\'' || c == '\\' ? buf_append_byte(out, c) : 0;
        failed = failed ? failed : buf_append_byte(out, c);
    }
    return failed ? failed : buf_append_byte(out, '\'');
}

static int quote_ident(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    _cleanup_buf_ struct buf out = text_buf();
    return text_give(call, text_put_name(a[0].text, &out), &out, ret);
}

static int quote_literal(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    _cleanup_buf_ struct buf text = text_buf(), out = text_buf();
    int failed = text_put(call, 0, &a[0], &text);
    failed = failed ? failed : put_literal(buf_slice(&text), &out);
    return text_give(call, failed, &out, ret);
}

static int quote_nullable(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    if (!text_null(call, 0))
        return quote_literal(call, a, ret);
    ret->text = slice_lit("NULL");
    return 0;
}

struct specifier {
    int64_t position;              /* of the value; 0: the next */
    int64_t width, width_position; /* -1: the next argument is the width; > 0: that one */
    bool left;
    char kind;
};

struct format {
    struct sql_call *call;
    const union sql_cell *arguments;
    slice rest;
    int64_t next; /* argument for a specifier without position, from 1 */
};

static int fail_unterminated(struct format *f) {
    (void)sql_fail(f->call->error, "22023", "unterminated format() type specifier");
    sql_error_hint(f->call->error, "For a single \"%%\" use \"%%%%\".");
    return -EINVAL;
}

/* A number at f->rest; *RET stays where none is. */
static int read_digits(struct format *f, int64_t *ret) {
    int64_t number = 0;
    size_t i = 0;
    for (; i < f->rest.len && f->rest.ptr[i] >= '0' && f->rest.ptr[i] <= '9'; i++) {
        number = number * 10 + (f->rest.ptr[i] - '0');
        if (number > INT32_MAX)
            return sql_fail(f->call->error, "22003", "number is out of range");
    }
    if (i > 0)
        *ret = number;
    f->rest = slice_skip(f->rest, i);
    return f->rest.len == 0 ? fail_unterminated(f) : 0;
}

static bool take(struct format *f, char c) {
    bool is = f->rest.len && f->rest.ptr[0] == c;
    f->rest = slice_skip(f->rest, is);
    return is;
}

static int fail_zero(struct format *f) {
    return sql_fail(f->call->error, "22023",
                    "format specifies argument 0, but arguments are numbered from 1");
}

static int read_width(struct format *f, struct specifier *s) {
    if (!take(f, '*'))
        return s->width < 0 ? read_digits(f, &s->width) : 0;
    int64_t position = -1;
    int failed = read_digits(f, &position);
    if (failed)
        return failed;
    if (position == 0)
        return fail_zero(f);
    if (position > 0 && !take(f, '$'))
        return sql_fail(f->call->error, "22023", "width argument position must be ended by \"$\"");
    s->width_position = position;
    return 0;
}

static int read_specifier(struct format *f, struct specifier *ret) {
    struct specifier s = {.width = -1};
    int64_t number = -1;
    int failed = read_digits(f, &number);
    if (failed)
        return failed;
    if (number >= 0 && take(f, '$')) {
        if (number == 0)
            return fail_zero(f);
        s.position = number;
    } else {
        s.width = number;
    }
    while (s.width < 0 && take(f, '-'))
        s.left = true;
    failed = read_width(f, &s);
    if (failed)
        return failed;
    if (f->rest.len == 0)
        return fail_unterminated(f);
    s.kind = f->rest.ptr[0];
    f->rest = slice_skip(f->rest, 1);
    *ret = s;
    return 0;
}

static int argument_at(struct format *f, int64_t position, unsigned *ret) {
    if (position >= (int64_t)f->call->count)
        return sql_fail(f->call->error, "22023", "too few arguments for format()");
    f->next = position + 1;
    *ret = (unsigned)position;
    return 0;
}

/* The width that an argument tells: any type that reads as an integer; negative: to the left. */
static int argument_width(struct format *f, struct specifier *s) {
    unsigned index = 0;
    int failed = argument_at(f, s->width_position > 0 ? s->width_position : f->next, &index);
    if (failed)
        return failed;
    s->width = 0;
    if (text_null(f->call, index))
        return 0;
    _cleanup_buf_ struct buf text = text_buf();
    failed = text_put(f->call, index, &f->arguments[index], &text);
    union sql_cell width = {.i = 0};
    failed = failed ? text_fail(f->call, failed)
                    : sql_value_in(sql_type_of(SQL_INT4), buf_slice(&text), f->call->settings,
                                   f->call->memory, &width, f->call->error);
    s->left = s->left || width.i < 0;
    s->width = width.i < 0 ? -width.i : width.i;
    return failed;
}

static int put_value(struct format *f, char kind, unsigned index, struct buf *out) {
    bool null = text_null(f->call, index);
    if (null && kind == 'I')
        return sql_fail(f->call->error, "22004",
                        "null values cannot be formatted as an SQL identifier");
    if (null)
        return kind == 'L' ? buf_append(out, slice_lit("NULL")) : 0;
    if (kind == 's')
        return text_put(f->call, index, &f->arguments[index], out);
    _cleanup_buf_ struct buf text = text_buf();
    int failed = text_put(f->call, index, &f->arguments[index], &text);
    if (failed)
        return failed;
    return kind == 'I' ? text_put_name(buf_slice(&text), out) : put_literal(buf_slice(&text), out);
}

static int put_spaces(int64_t count, struct buf *out) {
    int failed = 0;
    for (; count > 0 && !failed; count--)
        failed = buf_append_byte(out, ' ');
    return failed;
}

static int put_specifier(struct format *f, const struct specifier *given, struct buf *out) {
    struct specifier s = *given;
    if (!strchr("sIL", s.kind) || !s.kind) {
        (void)sql_fail(f->call->error, "22023", "unrecognized format() type specifier \"%c\"",
                       s.kind);
        sql_error_hint(f->call->error, "For a single \"%%\" use \"%%%%\".");
        return -EINVAL;
    }
    int failed = s.width_position ? argument_width(f, &s) : 0;
    unsigned index = 0;
    failed = failed ? failed : argument_at(f, s.position > 0 ? s.position : f->next, &index);
    if (failed)
        return failed;
    _cleanup_buf_ struct buf value = text_buf();
    failed = put_value(f, s.kind, index, &value);
    int64_t missing = s.width - (int64_t)text_length(buf_slice(&value));
    failed = failed || s.left ? failed : put_spaces(missing, out);
    failed = failed ? failed : buf_append(out, buf_slice(&value));
    return failed || !s.left ? failed : put_spaces(missing, out);
}

static int format(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    if (text_null(call, 0)) {
        call->null = true;
        return 0;
    }
    _cleanup_buf_ struct buf out = text_buf();
    struct format f = {call, a, a[0].text, 1};
    int failed = 0;
    while (f.rest.len && !failed) {
        ptrdiff_t at = slice_find(f.rest, '%');
        failed = buf_append(&out, at < 0 ? f.rest : slice_take(f.rest, (size_t)at));
        if (at < 0 || failed)
            break;
        f.rest = slice_skip(f.rest, (size_t)at + 1);
        if (take(&f, '%')) {
            failed = buf_append_byte(&out, '%');
            continue;
        }
        struct specifier s = {.width = 0};
        failed = f.rest.len ? read_specifier(&f, &s) : fail_unterminated(&f);
        failed = failed ? failed : put_specifier(&f, &s, &out);
    }
    return text_give(call, failed, &out, ret);
}

const struct sql_function sql_functions_text_quote[] = {
    SQL_ROW("quote_ident", quote_ident, SQL_TEXT, SQL_TEXT),
    SQL_ROW("quote_literal", quote_literal, SQL_TEXT, SQL_TEXT),
    SQL_ROW("quote_literal", quote_literal, SQL_TEXT, SQL_ANYELEMENT),
    SQL_ROW_FLAGS("quote_nullable", quote_nullable, SQL_LENIENT, SQL_TEXT, SQL_TEXT),
    SQL_ROW_FLAGS("quote_nullable", quote_nullable, SQL_LENIENT, SQL_TEXT, SQL_ANYELEMENT),
    SQL_ROW_FLAGS("format", format, SQL_LENIENT, SQL_TEXT, SQL_TEXT),
    SQL_ROW_FLAGS("format", format, SQL_LENIENT | SQL_VARIADIC, SQL_TEXT, SQL_TEXT, SQL_ANY),
    {.name = NULL},
};
