/*
 * pgwire_write.c - the writers of pgwire_write.h.
 *
 * Every message is begun with a length of 0 and ended by putting the true one there. Of the steps
 * in between the first that fails gives its error, and `finish` takes the message back.
 */
#include "wire/pgwire_write.h"

#include "base/number.h"

#include <string.h>

enum { LENGTH_BYTES = 4 };

static void store_u32(char *at, uint32_t number) {
    at[0] = (char)(number >> 24);
    at[1] = (char)(number >> 16);
    at[2] = (char)(number >> 8);
    at[3] = (char)number;
}

int pgwire_begin(struct buf *b, char type, size_t *ret_start) {
    int r = buf_reserve(b, 1 + LENGTH_BYTES);
    if (r < 0)
        return r;
    *ret_start = b->len;
    b->ptr[b->len] = type;
    memset(b->ptr + b->len + 1, 0, LENGTH_BYTES);
    b->len += 1 + LENGTH_BYTES;
    return 0;
}

void pgwire_end(struct buf *b, size_t start) {
    check(b->len - start > LENGTH_BYTES && b->len - start <= INT32_MAX);
    store_u32(b->ptr + start + 1, (uint32_t)(b->len - start - 1));
}

int pgwire_begin_value(struct buf *b, size_t *ret_start) {
    *ret_start = b->len;
    return pgwire_put_u32(b, 0);
}

void pgwire_end_value(struct buf *b, size_t start) {
    check(b->len - start >= LENGTH_BYTES && b->len - start <= INT32_MAX);
    store_u32(b->ptr + start, (uint32_t)(b->len - start - LENGTH_BYTES));
}

int pgwire_put_null(struct buf *b) {
    return pgwire_put_u32(b, UINT32_MAX);
}

int pgwire_put_u16(struct buf *b, unsigned number) {
    const char bytes[2] = {(char)(number >> 8), (char)number};
    check(number <= UINT16_MAX);
    return buf_append(b, slice_make(bytes, sizeof(bytes)));
}

int pgwire_put_u32(struct buf *b, uint32_t number) {
    char bytes[LENGTH_BYTES];
    store_u32(bytes, number);
    return buf_append(b, slice_make(bytes, sizeof(bytes)));
}

int pgwire_put_text(struct buf *b, slice text) {
    const ptrdiff_t nul = slice_find(text, '\0');
    const size_t len = nul < 0 ? text.len : (size_t)nul;
    int r = buf_reserve(b, len + 1);
    if (r < 0)
        return r;
    if (len > 0)
        memcpy(b->ptr + b->len, text.ptr, len);
    b->ptr[b->len + len] = '\0';
    b->len += len + 1;
    return 0;
}

/* Ends the message begun at START, or takes it back where R says that a part of it failed. */
static int finish(struct buf *b, size_t start, int r) {
    if (r < 0)
        pgwire_undo(b, start);
    else
        pgwire_end(b, start);
    return r;
}

int pgwire_write_mark(struct buf *b, enum pgwire_mark mark) {
    size_t start = 0;
    int r = pgwire_begin(b, (char)mark, &start);
    return r < 0 ? r : finish(b, start, 0);
}

int pgwire_write_authentication(struct buf *b, enum pgwire_authentication kind, slice data) {
    size_t start = 0;
    int r = pgwire_begin(b, 'R', &start);
    if (r < 0)
        return r;
    if ((r = pgwire_put_u32(b, (uint32_t)kind)) == 0)
        r = buf_append(b, data);
    return finish(b, start, r);
}

int pgwire_write_parameter_status(struct buf *b, slice name, slice value) {
    size_t start = 0;
    int r = pgwire_begin(b, 'S', &start);
    if (r < 0)
        return r;
    if ((r = pgwire_put_text(b, name)) == 0)
        r = pgwire_put_text(b, value);
    return finish(b, start, r);
}

int pgwire_write_backend_key(struct buf *b, uint32_t process, uint32_t secret) {
    size_t start = 0;
    int r = pgwire_begin(b, 'K', &start);
    if (r < 0)
        return r;
    if ((r = pgwire_put_u32(b, process)) == 0)
        r = pgwire_put_u32(b, secret);
    return finish(b, start, r);
}

int pgwire_write_ready(struct buf *b, char state) {
    size_t start = 0;
    check(state == 'I' || state == 'T' || state == 'E');
    int r = pgwire_begin(b, 'Z', &start);
    return r < 0 ? r : finish(b, start, buf_append_byte(b, state));
}

static int put_column(struct buf *b, const struct pgwire_column *c) {
    int r = pgwire_put_text(b, c->name);
    if (r == 0)
        r = pgwire_put_u32(b, c->table);
    if (r == 0)
        r = pgwire_put_u16(b, c->attribute);
    if (r == 0)
        r = pgwire_put_u32(b, c->type);
    if (r == 0)
        r = pgwire_put_u16(b, (uint16_t)c->type_length);
    if (r == 0)
        r = pgwire_put_u32(b, (uint32_t)c->type_modifier);
    return r < 0 ? r : pgwire_put_u16(b, c->format);
}

int pgwire_write_row_description(struct buf *b, const struct pgwire_column *columns,
                                 unsigned count) {
    size_t start = 0;
    int r = pgwire_begin(b, 'T', &start);
    if (r < 0)
        return r;
    r = pgwire_put_u16(b, count);
    for (unsigned i = 0; r == 0 && i < count; i++)
        r = put_column(b, &columns[i]);
    return finish(b, start, r);
}

int pgwire_write_parameter_description(struct buf *b, const uint32_t *oids, unsigned count) {
    size_t start = 0;
    int r = pgwire_begin(b, 't', &start);
    if (r < 0)
        return r;
    r = pgwire_put_u16(b, count);
    for (unsigned i = 0; r == 0 && i < count; i++)
        r = pgwire_put_u32(b, oids[i]);
    return finish(b, start, r);
}

int pgwire_write_command_complete(struct buf *b, slice tag) {
    size_t start = 0;
    int r = pgwire_begin(b, 'C', &start);
    return r < 0 ? r : finish(b, start, pgwire_put_text(b, tag));
}

static int put_field(struct buf *b, char field, slice text) {
    if (text.len == 0)
        return 0;
    int r = buf_append_byte(b, field);
    return r < 0 ? r : pgwire_put_text(b, text);
}

static int write_report(struct buf *b, char type, const struct pgwire_report *report) {
    char digits[NUMBER_TEXT_MAX];
    slice position = {digits, 0};
    size_t start = 0;
    int r = pgwire_begin(b, type, &start);
    if (r < 0)
        return r;
    if (report->position > 0)
        position.len = number_format_u64(report->position, digits);
    const struct {
        char field;
        slice text;
    } fields[] = {
        {'S', slice_str(report->severity)},
        {'V', slice_str(report->severity)},
        {'C', slice_str(report->state)},
        {'M', report->message},
        {'D', report->detail},
        {'H', report->hint},
        {'P', position},
        {'W', report->where},
    };
    for (size_t i = 0; r == 0 && i < array_count(fields); i++)
        r = put_field(b, fields[i].field, fields[i].text);
    if (r == 0)
        r = buf_append_byte(b, '\0');
    return finish(b, start, r);
}

int pgwire_write_error(struct buf *b, const struct pgwire_report *report) {
    return write_report(b, 'E', report);
}

int pgwire_write_notice(struct buf *b, const struct pgwire_report *report) {
    return write_report(b, 'N', report);
}

static int write_copy(struct buf *b, char type, unsigned format, unsigned columns) {
    size_t start = 0;
    int r = pgwire_begin(b, type, &start);
    if (r < 0)
        return r;
    if ((r = buf_append_byte(b, (char)format)) == 0)
        r = pgwire_put_u16(b, columns);
    for (unsigned i = 0; r == 0 && i < columns; i++)
        r = pgwire_put_u16(b, format);
    return finish(b, start, r);
}

int pgwire_write_copy_in(struct buf *b, unsigned format, unsigned columns) {
    return write_copy(b, 'G', format, columns);
}

int pgwire_write_copy_out(struct buf *b, unsigned format, unsigned columns) {
    return write_copy(b, 'H', format, columns);
}

int pgwire_write_copy_data(struct buf *b, slice bytes) {
    size_t start = 0;
    int r = pgwire_begin(b, 'd', &start);
    return r < 0 ? r : finish(b, start, buf_append(b, bytes));
}

int pgwire_write_negotiate(struct buf *b, uint32_t minor, const slice *options, unsigned count) {
    size_t start = 0;
    int r = pgwire_begin(b, 'v', &start);
    if (r < 0)
        return r;
    if ((r = pgwire_put_u32(b, minor)) == 0)
        r = pgwire_put_u32(b, count);
    for (unsigned i = 0; r == 0 && i < count; i++)
        r = pgwire_put_text(b, options[i]);
    return finish(b, start, r);
}
