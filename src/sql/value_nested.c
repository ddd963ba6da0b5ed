/*
 * value_nested.c - arrays and records as text: `{1,NULL,"a b"}`, `[2:3]={1,2}`, `(1,,"x y")`.
 *
 * An array's text is read in one pass; dimensions are learned from the first run down to the first
 * element and checked for the rest. int2vector and oidvector, the system catalogs' own, are
 * written without braces.
 */
#include "sql/value_parts.h"

#include "base/mem.h"

#include <errno.h>

struct array_reading {
    const struct sql_reading *r;
    struct sql_type element;
    slice text; /* all of it, for errors */
    size_t at;
    unsigned dimensions; /* 0: not known before the first element */
    int32_t lengths[SQL_ARRAY_DIMENSIONS_MAX], lower[SQL_ARRAY_DIMENSIONS_MAX];
    bool given;                           /* [l:u] stood in front */
    bool known[SQL_ARRAY_DIMENSIONS_MAX]; /* a run at this depth has ended once */
    unsigned count, room;
    union sql_cell *cells; /* mem_; moved to the arena at the end */
    uint8_t *nulls;
    bool some_null;
};

static int malformed(const struct array_reading *a, const char *detail) {
    int rc =
        sql_fail(a->r->error, "22P02", "malformed array literal: \"%.*s\"", slice_fmt(a->text));
    sql_error_detail(a->r->error, "%s", detail);
    return rc;
}

static char peek(struct array_reading *a) {
    while (a->at < a->text.len && value_is_blank(a->text.ptr[a->at]))
        a->at++;
    return a->at < a->text.len ? a->text.ptr[a->at] : '\0';
}

static int grow(struct array_reading *a) {
    if (a->count < a->room)
        return 0;
    unsigned room = a->room ? a->room * 2 : 16;
    if (a->count >= SQL_ARRAY_ELEMENTS_MAX)
        return sql_fail(a->r->error, "54000", "array size exceeds the maximum allowed (%u)",
                        SQL_ARRAY_ELEMENTS_MAX);
    union sql_cell *cells = mem_realloc(a->cells, room * sizeof *cells);
    if (!cells)
        return sql_fail_memory(a->r->error);
    a->cells = cells;
    uint8_t *nulls = mem_realloc(a->nulls, room);
    if (!nulls)
        return sql_fail_memory(a->r->error);
    a->nulls = nulls;
    a->room = room;
    return 0;
}

/* One element's text, quotes and backslashes taken off. */
static int take_text(struct array_reading *a, slice *ret, bool *ret_quoted) {
    char *out = arena_alloc(a->r->memory, a->text.len - a->at + 1);
    if (!out)
        return sql_fail_memory(a->r->error);
    size_t len = 0;
    size_t kept = 0; /* up to the last byte that is not a blank without quotes */
    bool quoted = peek(a) == '"';
    a->at += quoted;
    for (;; a->at++) {
        if (a->at >= a->text.len)
            return malformed(a, "Unexpected end of input.");
        char c = a->text.ptr[a->at];
        if (quoted ? c == '"' : c == ',' || c == '}')
            break;
        if (!quoted && (c == '"' || c == '{'))
            return malformed(a, c == '"' ? "Unexpected array element."
                                         : "Unexpected \"{\" character.");
        bool escaped = c == '\\';
        if (escaped && ++a->at >= a->text.len)
            return malformed(a, "Unexpected end of input.");
        out[len++] = a->text.ptr[a->at];
        if (quoted || escaped || !value_is_blank(c))
            kept = len;
    }
    a->at += quoted;
    if (quoted && peek(a) != ',' && peek(a) != '}')
        return malformed(a, peek(a) ? "Unexpected array element." : "Unexpected end of input.");
    *ret = slice_make(out, kept);
    *ret_quoted = quoted;
    return 0;
}

static int take_element(struct array_reading *a) {
    slice text = {NULL, 0};
    bool quoted = false;
    bool escaped = slice_find(slice_skip(a->text, a->at), '\\') == 0;
    int rc = take_text(a, &text, &quoted);
    if (rc == 0)
        rc = grow(a);
    if (rc < 0)
        return rc;
    bool null = !quoted && !escaped && slice_equal_nocase(text, slice_lit("null"));
    a->nulls[a->count] = null;
    a->some_null |= null;
    if (!null)
        rc = sql_value_in(a->element, text, a->r->settings, a->r->memory, &a->cells[a->count],
                          a->r->error);
    a->count++;
    return rc;
}

/* How many braces open here: the dimensions. */
static unsigned depth_of(const struct array_reading *a) {
    unsigned depth = 0;
    for (size_t i = a->at;
         i < a->text.len && (a->text.ptr[i] == '{' || value_is_blank(a->text.ptr[i])); i++)
        depth += a->text.ptr[i] == '{';
    return depth;
}

/* A run `{…}` at DEPTH, its brace taken: its items are elements at the innermost depth. */
static int take_run(struct array_reading *a, unsigned depth) {
    bool innermost = depth + 1 == a->dimensions;
    int32_t items = 0;
    int rc = 0;
    for (;;) {
        char c = peek(a);
        if (c == '\0')
            return malformed(a, "Unexpected end of input.");
        if (c == ',' || c == '}')
            return malformed(a, c == ',' ? "Unexpected \",\" character."
                                         : "Unexpected \"}\" character.");
        if (innermost != (c != '{'))
            return malformed(a, innermost ? "Unexpected \"{\" character."
                                          : "Unexpected array element.");
        if (!innermost)
            a->at++;
        rc = innermost ? take_element(a) : take_run(a, depth + 1);
        if (rc < 0)
            return rc;
        items++;
        c = peek(a);
        if (c == '}')
            break;
        if (c != ',')
            return malformed(a, c ? "Unexpected array element." : "Unexpected end of input.");
        a->at++;
    }
    a->at++;
    if (a->known[depth] && a->lengths[depth] != items)
        return malformed(
            a, a->given ? "Specified array dimensions do not match array contents."
                        : "Multidimensional arrays must have sub-arrays with matching dimensions.");
    a->known[depth] = true;
    a->lengths[depth] = items;
    return 0;
}

static bool take_int(struct array_reading *a, int32_t *ret) {
    bool negative = peek(a) == '-';
    a->at += negative || peek(a) == '+';
    int64_t value = 0;
    size_t first = a->at;
    for (; a->at < a->text.len && a->text.ptr[a->at] >= '0' && a->text.ptr[a->at] <= '9'; a->at++)
        if ((value = value * 10 + (a->text.ptr[a->at] - '0')) > INT32_MAX)
            return false;
    *ret = (int32_t)(negative ? -value : value);
    return a->at > first;
}

/* "[2:3][1:2]=" in front. */
static int take_bounds(struct array_reading *a) {
    while (peek(a) == '[') {
        int32_t low = 1;
        int32_t high;
        a->at++;
        if (a->dimensions == SQL_ARRAY_DIMENSIONS_MAX)
            return sql_fail(a->r->error, "54000",
                            "number of array dimensions exceeds the maximum allowed (%u)",
                            SQL_ARRAY_DIMENSIONS_MAX);
        if (!take_int(a, &high))
            return malformed(a, "\"[\" must introduce explicitly-specified array dimensions.");
        if (peek(a) == ':') {
            a->at++;
            low = high;
            if (!take_int(a, &high))
                return malformed(a, "Missing array dimension value.");
        }
        if (peek(a) != ']')
            return malformed(a, "Missing \"]\" after array dimensions.");
        a->at++;
        if (high < low || (int64_t)high - low >= SQL_ARRAY_ELEMENTS_MAX)
            return sql_fail(a->r->error, "2202E", "upper bound cannot be less than lower bound");
        a->lower[a->dimensions] = low;
        a->lengths[a->dimensions] = high - low + 1;
        a->known[a->dimensions] = true;
        a->dimensions++;
        a->given = true;
    }
    if (!a->given)
        return 0;
    if (peek(a) != '=')
        return malformed(a, "Missing \"=\" after array dimensions.");
    a->at++;
    return 0;
}

static int finish(struct array_reading *a, union sql_cell *ret) {
    struct sql_array *array = arena_zalloc(a->r->memory, 1, sizeof *array);
    union sql_cell *cells = arena_alloc(a->r->memory, a->count * sizeof *cells);
    uint8_t *nulls = arena_alloc(a->r->memory, a->count);
    if (!array || !cells || !nulls)
        return sql_fail_memory(a->r->error);
    if (a->count > 0) {
        memcpy(cells, a->cells, a->count * sizeof *cells);
        memcpy(nulls, a->nulls, a->count);
    }
    array->element = a->element.oid;
    array->dimensions = a->dimensions;
    array->count = a->count;
    memcpy(array->lengths, a->lengths, sizeof array->lengths);
    memcpy(array->lower, a->lower, sizeof array->lower);
    array->cells = cells;
    array->nulls = a->some_null ? nulls : NULL;
    *ret = (union sql_cell){.array = array};
    return 0;
}

static int read_array(struct array_reading *a) {
    int rc = take_bounds(a);
    if (rc < 0)
        return rc;
    if (peek(a) != '{')
        return malformed(a, a->given
                                ? "Array contents must start with \"{\"."
                                : "Array value must start with \"{\" or dimension information.");
    unsigned depth = depth_of(a);
    a->at++;
    if (depth == 1 && !a->given && peek(a) == '}') {
        a->at++;
    } else {
        if (a->given && depth != a->dimensions)
            return malformed(a, "Specified array dimensions do not match array contents.");
        if (depth > SQL_ARRAY_DIMENSIONS_MAX)
            return sql_fail(a->r->error, "54000",
                            "number of array dimensions (%u) exceeds the maximum allowed (%u)",
                            depth, SQL_ARRAY_DIMENSIONS_MAX);
        a->dimensions = depth;
        rc = take_run(a, 0);
    }
    if (rc == 0 && peek(a) != '\0')
        return malformed(a, "Junk after closing right brace.");
    return rc;
}

/* "1 2 3" */
static int read_vector(struct array_reading *a) {
    int rc = 0;
    while (rc == 0 && peek(a) != '\0') {
        size_t first = a->at;
        while (a->at < a->text.len && !value_is_blank(a->text.ptr[a->at]))
            a->at++;
        rc = grow(a);
        if (rc < 0)
            break;
        a->nulls[a->count] = 0;
        rc = sql_value_in(a->element, slice_make(a->text.ptr + first, a->at - first),
                          a->r->settings, a->r->memory, &a->cells[a->count], a->r->error);
        a->count++;
    }
    a->dimensions = a->count > 0;
    a->lower[0] = 0;
    a->lengths[0] = (int32_t)a->count;
    return rc;
}

#define INT2VECTOR 22
#define OIDVECTOR 30

int value_array_in(const struct sql_reading *r, slice text, union sql_cell *ret) {
    struct array_reading a = {.r = r, .text = text};
    a.element = (struct sql_type){sql_element_of(r->type.oid), r->type.typmod};
    for (unsigned i = 0; i < SQL_ARRAY_DIMENSIONS_MAX; i++)
        a.lower[i] = 1;
    bool vector = r->type.oid == INT2VECTOR || r->type.oid == OIDVECTOR;
    int rc = vector ? read_vector(&a) : read_array(&a);
    if (rc == 0)
        rc = finish(&a, ret);
    mem_free(a.cells);
    mem_free(a.nulls);
    return rc;
}

/* ---- out ------------------------------------------------------------------------------------- */

static bool wants_quotes(slice text, const char *special) {
    for (size_t i = 0; i < text.len; i++)
        if (value_is_blank(text.ptr[i]) || strchr(special, text.ptr[i]))
            return true;
    return text.len == 0;
}

/* `"` and `\` are written as \" and \\ in arrays, twice in records. */
static int append_quoted(struct buf *out, slice text, bool doubled) {
    int rc = buf_append_byte(out, '"');
    for (size_t i = 0; rc == 0 && i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '"' || c == '\\')
            rc = buf_append_byte(out, doubled ? c : '\\');
        if (rc == 0)
            rc = buf_append_byte(out, c);
    }
    return rc < 0 ? rc : buf_append_byte(out, '"');
}

static bool never_quoted(uint32_t oid) {
    return oid == SQL_BOOL || oid == SQL_INT2 || oid == SQL_INT4 || oid == SQL_INT8 ||
           oid == SQL_OID || oid == SQL_FLOAT4 || oid == SQL_FLOAT8 || oid == SQL_NUMERIC ||
           oid == SQL_UUID || oid == SQL_DATE || oid == SQL_TIME;
}

static int append_element(struct sql_type type, const union sql_cell *cell,
                          const struct sql_settings *settings, struct buf *out) {
    if (never_quoted(type.oid))
        return sql_value_out(type, cell, settings, out);
    _cleanup_buf_ struct buf text = buf_make(out->max);
    int rc = sql_value_out(type, cell, settings, &text);
    if (rc < 0)
        return rc;
    slice s = buf_slice(&text);
    bool quoted = wants_quotes(s, "{},\"\\") || slice_equal_nocase(s, slice_lit("null"));
    return quoted ? append_quoted(out, s, false) : buf_append(out, s);
}

static int append_bounds(const struct sql_array *a, struct buf *out) {
    bool usual = true;
    for (unsigned i = 0; i < a->dimensions; i++)
        usual &= a->lower[i] == 1;
    int rc = 0;
    for (unsigned i = 0; rc == 0 && !usual && i < a->dimensions; i++)
        rc = buf_printf(out, "[%d:%d]", a->lower[i], a->lower[i] + a->lengths[i] - 1);
    return rc < 0 || usual ? rc : buf_append_byte(out, '=');
}

int value_array_out(struct sql_type type, const struct sql_array *a,
                    const struct sql_settings *settings, struct buf *out) {
    struct sql_type element = {a->element, type.typmod};
    bool vector = type.oid == INT2VECTOR || type.oid == OIDVECTOR;
    if (a->count == 0)
        return vector ? 0 : buf_append(out, slice_lit("{}"));
    int rc = vector ? 0 : append_bounds(a, out);
    for (unsigned i = 0; rc == 0 && i < a->count; i++) {
        /* A run opens before element I at each depth whose size divides I, and so they close. */
        if (i > 0)
            rc = buf_append_byte(out, vector ? ' ' : ',');
        unsigned size = 1;
        for (unsigned d = a->dimensions; rc == 0 && !vector && d-- > 0;) {
            size *= (unsigned)a->lengths[d];
            if (i % size == 0)
                rc = buf_append_byte(out, '{');
        }
        if (rc == 0)
            rc = a->nulls && a->nulls[i] ? buf_append(out, slice_lit("NULL"))
                                         : append_element(element, &a->cells[i], settings, out);
        size = 1;
        for (unsigned d = a->dimensions; rc == 0 && !vector && d-- > 0;) {
            size *= (unsigned)a->lengths[d];
            if ((i + 1) % size == 0)
                rc = buf_append_byte(out, '}');
        }
    }
    return rc;
}

int value_record_out(const struct sql_record *record, const struct sql_settings *settings,
                     struct buf *out) {
    int rc = buf_append_byte(out, '(');
    for (unsigned i = 0; rc == 0 && i < record->count; i++) {
        if (i > 0)
            rc = buf_append_byte(out, ',');
        if (rc < 0 || record->nulls[i])
            continue;
        _cleanup_buf_ struct buf text = buf_make(out->max);
        rc = sql_value_out(record->types[i], &record->cells[i], settings, &text);
        slice s = buf_slice(&text);
        if (rc == 0)
            rc = wants_quotes(s, "(),\"\\") ? append_quoted(out, s, true) : buf_append(out, s);
    }
    return rc < 0 ? rc : buf_append_byte(out, ')');
}
