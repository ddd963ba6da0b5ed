/*
 * copy_read.c - rows read from what a client copies in (copy_format.h).
 *
 * Bytes are kept until a row is whole: a line of text, a record of csv (a quoted line end does not
 * end it), a tuple of binary. Then its fields become cells in the batch's own memory, and full
 * batches are handed on. `scanned` remembers how far a row that is not whole was looked at, so that
 * a slow client does not make the reader walk the same bytes again.
 */
#include "rooms/stream/copy_format.h"

#include "base/hex.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "wire/pgwire.h"

#include <errno.h>

#define BINARY_HEAD_BYTES 19u

struct copy_reader {
    struct copy_reader_options o;
    struct sql_builder builder;
    struct buf bytes; /* not used yet */
    struct buf field; /* one, its escapes undone */
    size_t scanned;
    uint64_t line;
    bool quoted, escaped; /* of csv, at `scanned` */
    bool head_done, ended, stopped;
};

int copy_reader_new(const struct copy_reader_options *options, struct copy_reader **ret) {
    struct copy_reader *r = mem_zalloc(1, sizeof *r);
    if (!r || sql_builder_make(options->count, &r->builder)) {
        mem_free(r);
        return -ENOMEM;
    }
    r->o = *options;
    r->bytes = buf_make(2 * COPY_ROW_BYTES_MAX);
    r->field = buf_make(COPY_ROW_BYTES_MAX);
    r->line = 1;
    r->head_done = options->format->shape != COPY_BINARY && !options->format->header;
    *ret = r;
    return 0;
}

struct copy_reader *copy_reader_free(struct copy_reader *r) {
    if (!r)
        return NULL;
    sql_builder_free(&r->builder);
    buf_free(&r->bytes);
    buf_free(&r->field);
    return mem_free(r);
}

uint64_t copy_reader_line(const struct copy_reader *r) {
    return r->line;
}

/* --- rows ----------------------------------------------------------------------------------- */

static int hand_on(struct copy_reader *r) {
    if (r->builder.rows == 0)
        return 0;
    const struct sql_batch batch = sql_builder_batch(&r->builder);
    int failed = r->o.rows(r->o.owner, &batch) < 0 ? -ECANCELED : 0;
    sql_builder_reset(&r->builder);
    return failed;
}

static int end_row(struct copy_reader *r) {
    sql_builder_end(&r->builder, 1);
    r->line++;
    return sql_builder_full(&r->builder) ? hand_on(r) : 0;
}

/* TEXT ptr NULL: NULL. */
static int set_field(struct copy_reader *r, unsigned column, slice text, struct sql_error *error) {
    union sql_cell cell = {0};
    slice copy = {NULL, 0};
    if (column >= r->o.count)
        return sql_fail(error, "22P04", "extra data after last expected column");
    if (text.ptr) {
        if (!utf8_valid(text) || slice_find(text, '\0') >= 0)
            return sql_fail(error, "22021", "invalid byte sequence for encoding \"UTF8\"");
        if (arena_copy(&r->builder.memory, text, &copy))
            return sql_fail_memory(error);
        int failed =
            sql_value_in(r->o.types[column], copy, r->o.settings, &r->builder.memory, &cell, error);
        if (failed)
            return failed;
    }
    sql_builder_set(&r->builder, column, &cell, !text.ptr);
    return 0;
}

/* --- text ----------------------------------------------------------------------------------- */

/* The byte of an escape in REST, behind its backslash. */
static char take_escape(slice *rest) {
    static const char letters[] = "bfnrtv", bytes[] = "\b\f\n\r\t\v";
    const char c = rest->ptr[0];
    *rest = slice_skip(*rest, 1);
    int value = 0;
    if (c >= '0' && c <= '7') {
        value = c - '0';
        for (int i = 0; i < 2 && rest->len && rest->ptr[0] >= '0' && rest->ptr[0] <= '7'; i++) {
            value = value * 8 + (rest->ptr[0] - '0');
            *rest = slice_skip(*rest, 1);
        }
        return (char)value;
    }
    if (c == 'x' && rest->len && hex_digit(rest->ptr[0]) >= 0) {
        for (int i = 0; i < 2 && rest->len && hex_digit(rest->ptr[0]) >= 0; i++) {
            value = value * 16 + hex_digit(rest->ptr[0]);
            *rest = slice_skip(*rest, 1);
        }
        return (char)value;
    }
    const char *at = c ? strchr(letters, c) : NULL;
    return at ? bytes[at - letters] : c;
}

/* One field off *REST into r->field; *RET_NULL: as it was written it means NULL. */
static int take_text_field(struct copy_reader *r, slice *rest, bool *ret_null) {
    const char *from = rest->ptr;
    int failed = 0;
    buf_clear(&r->field);
    while (!failed && rest->len && rest->ptr[0] != r->o.format->delimiter) {
        char c = rest->ptr[0];
        *rest = slice_skip(*rest, 1);
        if (c == '\\' && rest->len)
            c = take_escape(rest);
        failed = buf_append_byte(&r->field, c);
    }
    *ret_null = slice_equal(slice_make(from, (size_t)(rest->ptr - from)), r->o.format->null);
    return failed;
}

/* --- csv ------------------------------------------------------------------------------------ */

/* The same; what was in quotes, be it a part, is not NULL. */
static int take_csv_field(struct copy_reader *r, slice *rest, bool *ret_null) {
    const struct copy_format *f = r->o.format;
    bool inside = false, quoted = false;
    int failed = 0;
    buf_clear(&r->field);
    while (!failed && rest->len && (inside || rest->ptr[0] != f->delimiter)) {
        const char c = rest->ptr[0];
        const char next = rest->len > 1 ? rest->ptr[1] : '\0';
        size_t used = 1;
        if (inside && c == f->escape && rest->len > 1 && (next == f->escape || next == f->quote)) {
            failed = buf_append_byte(&r->field, next);
            used = 2;
        } else if (c == f->quote) {
            inside = !inside;
            quoted = true;
        } else {
            failed = buf_append_byte(&r->field, c);
        }
        *rest = slice_skip(*rest, used);
    }
    *ret_null = !quoted && slice_equal(buf_slice(&r->field), f->null);
    return failed;
}

/* --- lines ---------------------------------------------------------------------------------- */

/* The end of the line that BYTES begins with, or -1: it is not whole. */
static ptrdiff_t find_line_end(struct copy_reader *r, slice bytes) {
    const struct copy_format *f = r->o.format;
    for (; r->scanned < bytes.len; r->scanned++) {
        const char c = bytes.ptr[r->scanned];
        if (f->shape == COPY_TEXT) {
            if (c == '\n' && !r->escaped)
                return (ptrdiff_t)r->scanned;
            r->escaped = c == '\\' && !r->escaped;
        } else if (r->quoted && f->escape != f->quote && c == f->escape && !r->escaped) {
            r->escaped = true;
        } else {
            if (c == f->quote && !r->escaped)
                r->quoted = !r->quoted;
            r->escaped = false;
            if (c == '\n' && !r->quoted)
                return (ptrdiff_t)r->scanned;
        }
    }
    return -1;
}

static slice filled(const struct buf *b) {
    return b->len ? buf_slice(b) : slice_lit("");
}

static int take_fields(struct copy_reader *r, slice line, struct sql_error *error) {
    const bool csv = r->o.format->shape == COPY_CSV;
    unsigned count = 0;
    for (bool more = true; more; count++) {
        bool null;
        if (csv ? take_csv_field(r, &line, &null) : take_text_field(r, &line, &null))
            return sql_fail(error, "54000", "a field of the row is too large");
        int failed = set_field(r, count, null ? (slice){NULL, 0} : filled(&r->field), error);
        if (failed)
            return failed;
        more = line.len > 0;
        line = slice_skip(line, 1);
    }
    if (count != r->o.count)
        return sql_fail(error, "22P04", "missing data for column %u of the row", count + 1);
    return end_row(r);
}

static int take_line(struct copy_reader *r, slice line, struct sql_error *error) {
    if (slice_ends_with(line, slice_lit("\r")))
        line.len--;
    if (!r->head_done) { /* names of columns, passed over as PostgreSQL does */
        r->head_done = true;
        r->line++;
        return 0;
    }
    if (slice_equal(line, slice_lit("\\."))) {
        r->ended = true;
        return 0;
    }
    if (r->o.count == 0 && line.len == 0)
        return end_row(r);
    return take_fields(r, line, error);
}

static int take_lines(struct copy_reader *r, struct sql_error *error) {
    size_t used = 0;
    int failed = 0;
    while (!failed && !r->ended) {
        const slice rest = slice_skip(buf_slice(&r->bytes), used);
        const ptrdiff_t end = find_line_end(r, rest);
        if (end < 0)
            break;
        r->scanned = 0;
        r->quoted = r->escaped = false;
        failed = take_line(r, slice_take(rest, (size_t)end), error);
        used += (size_t)end + 1;
    }
    buf_consume(&r->bytes, used);
    return failed;
}

/* --- binary --------------------------------------------------------------------------------- */

static int take_head(struct copy_reader *r, size_t *used, struct sql_error *error) {
    const slice bytes = buf_slice(&r->bytes);
    if (bytes.len < BINARY_HEAD_BYTES)
        return 0;
    if (!slice_starts_with(bytes, slice_lit("PGCOPY\n\377\r\n\0")))
        return sql_fail(error, "22P04", "COPY file signature not recognized");
    if (pgwire_u32(bytes.ptr + 11) >> 16)
        return sql_fail(error, "22P04", "unrecognized critical flags in COPY file header");
    const size_t extension = pgwire_u32(bytes.ptr + 15);
    if (extension > COPY_ROW_BYTES_MAX)
        return sql_fail(error, "22P04", "invalid COPY file header (wrong length)");
    if (bytes.len < BINARY_HEAD_BYTES + extension)
        return 0;
    *used = BINARY_HEAD_BYTES + extension;
    r->head_done = true;
    return 0;
}

/* Bytes of the tuple at the start of BYTES: 0: it is not whole; or an error. */
static int measure_tuple(const struct copy_reader *r, slice bytes, size_t *ret_len,
                         struct sql_error *error) {
    size_t at = 2;
    *ret_len = 0;
    if (bytes.len < 2)
        return 0;
    const unsigned count = pgwire_u16(bytes.ptr);
    if (count == UINT16_MAX) {
        *ret_len = 2;
        return 0;
    }
    if (count != r->o.count)
        return sql_fail(error, "22P04", "row field count is %u, expected %u", count, r->o.count);
    for (unsigned i = 0; i < count; i++) {
        if (bytes.len < at + 4)
            return 0;
        const int32_t len = (int32_t)pgwire_u32(bytes.ptr + at);
        if (len < -1)
            return sql_fail(error, "22P04", "invalid field size");
        at += 4 + (len > 0 ? (size_t)len : 0);
        if (bytes.len < at)
            return 0;
    }
    *ret_len = at;
    return 0;
}

static int take_tuple(struct copy_reader *r, slice bytes, struct sql_error *error) {
    slice rest = slice_skip(bytes, 2);
    if (pgwire_u16(bytes.ptr) == UINT16_MAX) {
        r->ended = true;
        return 0;
    }
    for (unsigned i = 0; i < r->o.count; i++) {
        union sql_cell cell = {0};
        slice copy;
        const slice value = pgwire_next_parameter(&rest);
        if (value.ptr) {
            if (arena_copy(&r->builder.memory, value, &copy))
                return sql_fail_memory(error);
            int failed = sql_value_receive(r->o.types[i], copy, r->o.settings, &r->builder.memory,
                                           &cell, error);
            if (failed)
                return failed;
        }
        sql_builder_set(&r->builder, i, &cell, !value.ptr);
    }
    return end_row(r);
}

static int take_tuples(struct copy_reader *r, struct sql_error *error) {
    size_t used = 0, len = 1;
    int failed = r->head_done ? 0 : take_head(r, &used, error);
    while (!failed && r->head_done && !r->ended && len > 0) {
        const slice rest = slice_skip(buf_slice(&r->bytes), used);
        failed = measure_tuple(r, rest, &len, error);
        if (!failed && len > 0)
            failed = take_tuple(r, slice_take(rest, len), error);
        used += len;
    }
    buf_consume(&r->bytes, used);
    return failed;
}

/* --- the client's messages ------------------------------------------------------------------ */

static int take_all(struct copy_reader *r, struct sql_error *error) {
    int failed = r->o.format->shape == COPY_BINARY ? take_tuples(r, error) : take_lines(r, error);
    if (!failed && r->bytes.len > COPY_ROW_BYTES_MAX)
        failed = sql_fail(error, "54000", "a row has more than %zu bytes", COPY_ROW_BYTES_MAX);
    r->stopped |= failed != 0;
    return failed;
}

int copy_reader_take(struct copy_reader *r, slice bytes, struct sql_error *error) {
    int failed = 0;
    while (!failed && bytes.len && !r->stopped && !r->ended) {
        const slice some = slice_take(bytes, COPY_ROW_BYTES_MAX);
        bytes = slice_skip(bytes, some.len);
        failed = buf_append(&r->bytes, some) ? sql_fail_memory(error) : take_all(r, error);
    }
    return failed;
}

int copy_reader_end(struct copy_reader *r, struct sql_error *error) {
    int failed = 0;
    const bool text = r->o.format->shape != COPY_BINARY;
    if (r->stopped)
        return -ECANCELED;
    if (text && r->quoted)
        return sql_fail(error, "22P04", "unterminated CSV quoted field");
    if (text && r->bytes.len && !r->ended)
        failed = take_line(r, buf_slice(&r->bytes), error);
    else if (!text && (r->bytes.len || !r->head_done))
        failed = sql_fail(error, "22P04", "unexpected EOF in COPY data");
    return failed ? failed : hand_on(r);
}
