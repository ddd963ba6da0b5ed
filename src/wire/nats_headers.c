/*
 * nats_headers.c - reading and building header blocks, see nats_headers.h.
 *
 * Reading goes line by line: a line ends at LF, a CR before it is dropped. The cursor is the
 * block with what was read taken off its front, so a walk costs one memchr a line.
 */
#include "wire/nats_headers.h"

#include "base/number.h"

#include <errno.h>

static const slice version = slice_lit("NATS/1.0");

/* Takes one line off *CURSOR, without its end. False where no LF is left. */
static bool next_line(slice *cursor, slice *ret_line) {
    ptrdiff_t lf = slice_find(*cursor, '\n');
    if (lf < 0)
        return false;
    slice line = slice_take(*cursor, (size_t)lf);
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    *cursor = slice_skip(*cursor, (size_t)lf + 1);
    *ret_line = line;
    return true;
}

static bool parse_code(slice text, unsigned *ret_code) {
    unsigned code = 0;
    for (size_t i = 0; i < 3; i++) {
        unsigned digit = i < text.len ? (unsigned)(unsigned char)text.ptr[i] - '0' : 10;
        if (digit > 9)
            return false;
        code = code * 10 + digit;
    }
    *ret_code = code;
    return text.len == 3 || text.ptr[3] == ' ';
}

int nats_headers_parse(slice block, struct nats_status *ret_status) {
    slice line, cursor = block;
    if (!slice_starts_with(block, version) || !next_line(&cursor, &line))
        return -EBADMSG;
    struct nats_status status = {.fields = cursor};
    slice rest = slice_skip(line, version.len);
    if (rest.len > 0 && rest.ptr[0] != ' ' && rest.ptr[0] != '\t')
        return -EBADMSG; /* NATS/1.01 */
    rest = slice_trim(rest);
    if (rest.len > 0) {
        if (!parse_code(rest, &status.code))
            return -EBADMSG;
        status.description = slice_trim(slice_skip(rest, 3));
    }
    *ret_status = status;
    return 0;
}

bool nats_headers_next(slice *cursor, struct nats_field *ret_field) {
    slice line;
    while (next_line(cursor, &line) && line.len > 0) {
        ptrdiff_t colon = slice_find(line, ':');
        if (colon <= 0)
            continue;
        ret_field->key = slice_take(line, (size_t)colon);
        ret_field->value = slice_trim(slice_skip(line, (size_t)colon + 1));
        return true;
    }
    *cursor = (slice){NULL, 0};
    return false;
}

bool nats_headers_get(slice block, slice key, slice *ret_value) {
    struct nats_field field;
    while (nats_headers_next(&block, &field)) {
        if (slice_equal(field.key, key)) {
            *ret_value = field.value;
            return true;
        }
    }
    return false;
}

static bool is_key(slice key) {
    for (size_t i = 0; i < key.len; i++) {
        if (key.ptr[i] <= ' ' || key.ptr[i] > '~' || key.ptr[i] == ':')
            return false;
    }
    return key.len > 0;
}

static bool is_text(slice text) {
    return slice_find(text, '\r') < 0 && slice_find(text, '\n') < 0;
}

/* What was reserved is there: none of these can fail. */
static void put(struct buf *b, slice bytes) {
    if (bytes.len > 0)
        memcpy(b->ptr + b->len, bytes.ptr, bytes.len);
    b->len += bytes.len;
}

int nats_headers_begin(struct buf *b, unsigned code, slice description) {
    if (code > 999 || !is_text(description))
        return -EINVAL;
    int r = buf_reserve(b, version.len + 8 + description.len);
    if (r < 0)
        return r;
    put(b, version);
    if (code > 0) {
        char digits[4] = {' ', (char)('0' + code / 100), (char)('0' + code / 10 % 10),
                          (char)('0' + code % 10)};
        put(b, slice_make(digits, sizeof(digits)));
        if (description.len > 0) {
            put(b, slice_lit(" "));
            put(b, description);
        }
    }
    put(b, slice_lit("\r\n"));
    return 0;
}

int nats_headers_add(struct buf *b, slice key, slice value) {
    if (!is_key(key) || !is_text(value))
        return -EINVAL;
    int r = buf_reserve(b, key.len + value.len + 4);
    if (r < 0)
        return r;
    put(b, key);
    put(b, slice_lit(": "));
    put(b, value);
    put(b, slice_lit("\r\n"));
    return 0;
}

/* What cannot be written was no field. */
static int add_fields(struct buf *b, slice block) {
    struct nats_status status;
    struct nats_field field;
    int r = nats_headers_parse(block, &status);
    while (r == 0 && nats_headers_next(&status.fields, &field)) {
        r = nats_headers_add(b, field.key, field.value);
        r = r == -EINVAL ? 0 : r;
    }
    return r == -EBADMSG ? 0 : r;
}

int nats_headers_begin_with(struct buf *b, slice block) {
    if (slice_ends_with(block, slice_lit("\r\n\r\n")))
        return buf_append(b, slice_take(block, block.len - 2));
    int r = nats_headers_begin(b, 0, (slice){NULL, 0});
    return r < 0 ? r : add_fields(b, block);
}

int nats_headers_add_u64(struct buf *b, slice key, uint64_t number) {
    char digits[20];
    return nats_headers_add(b, key, slice_make(digits, number_format_u64(number, digits)));
}

int nats_headers_end(struct buf *b) {
    return buf_append(b, slice_lit("\r\n"));
}

int nats_headers_copy_without(struct buf *b, slice block, slice key) {
    struct nats_status status;
    if (nats_headers_parse(block, &status) < 0)
        return -EBADMSG;
    int r = buf_reserve(b, block.len);
    if (r < 0)
        return r;
    put(b, slice_take(block, block.len - status.fields.len));
    slice line, cursor = status.fields, before = cursor;
    while (next_line(&cursor, &line)) {
        bool named = line.len > key.len && line.ptr[key.len] == ':' && slice_starts_with(line, key);
        if (!named)
            put(b, slice_take(before, before.len - cursor.len));
        before = cursor;
    }
    put(b, cursor); /* a rest without a line end */
    return 0;
}
