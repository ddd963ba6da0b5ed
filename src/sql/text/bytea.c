/*
 * bytea.c - bytes as text and back (encode, decode), and single bytes of them.
 *
 *   hex      two digits a byte; blanks between pairs are allowed when read
 *   base64   RFC 2045: a line end after each 76 characters; blanks are allowed when read
 *   escape   zero and bytes from 0x80 on as \ooo, the backslash doubled
 *
 * base64.h is not asked to read: it is strict where PostgreSQL is not, and tells no reason.
 */
#include "base/base64.h"
#include "base/hex.h"
#include "base/utf8.h"
#include "sql/text/text_functions.h"

#include <errno.h>

#define LINE_BYTES 57u /* give 76 characters of base64 */

static int put_base64(slice bytes, struct buf *out) {
    for (size_t i = 0; i < bytes.len; i += LINE_BYTES) {
        slice line = slice_take(slice_skip(bytes, i), LINE_BYTES);
        int failed = buf_reserve(out, base64_encoded_len(BASE64_STANDARD, line.len) + 1);
        if (failed)
            return failed;
        if (i > 0)
            out->ptr[out->len++] = '\n';
        out->len += base64_encode(BASE64_STANDARD, line, out->ptr + out->len);
    }
    return 0;
}

static int put_escape(slice bytes, struct buf *out) {
    int failed = 0;
    for (size_t i = 0; i < bytes.len && !failed; i++) {
        unsigned char c = (unsigned char)bytes.ptr[i];
        if (c == '\\')
            failed = buf_append(out, slice_lit("\\\\"));
        else if (c == 0 || c >= 0x80)
            failed = buf_printf(out, "\\%03o", c);
        else
            failed = buf_append_byte(out, (char)c);
    }
    return failed;
}

static int fail_encoding(struct sql_call *call, slice name) {
    return sql_fail(call->error, "22023", "unrecognized encoding: \"%.*s\"", slice_fmt(name));
}

static int encode(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    _cleanup_buf_ struct buf out = text_buf();
    int failed = 0;
    if (slice_equal_nocase(a[1].text, slice_lit("hex"))) {
        failed = buf_reserve(&out, a[0].text.len * 2);
        if (!failed)
            out.len = hex_encode(a[0].text, out.ptr);
    } else if (slice_equal_nocase(a[1].text, slice_lit("base64"))) {
        failed = put_base64(a[0].text, &out);
    } else if (slice_equal_nocase(a[1].text, slice_lit("escape"))) {
        failed = put_escape(a[0].text, &out);
    } else {
        failed = fail_encoding(call, a[1].text);
    }
    return text_give(call, failed, &out, ret);
}

static bool is_blank(char c) {
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static int read_hex(struct sql_call *call, slice text, struct buf *out) {
    while (text.len) {
        if (is_blank(text.ptr[0])) {
            text = slice_skip(text, 1);
            continue;
        }
        for (size_t i = 0; i < 2; i++) {
            if (i == text.len)
                return sql_fail(call->error, "22023",
                                "invalid hexadecimal data: odd number of digits");
            if (hex_digit(text.ptr[i]) < 0)
                return sql_fail(
                    call->error, "22023", "invalid hexadecimal digit: \"%.*s\"",
                    slice_fmt(slice_take(slice_skip(text, i), text_step(slice_skip(text, i)))));
        }
        int failed =
            buf_append_byte(out, (char)(hex_digit(text.ptr[0]) << 4 | hex_digit(text.ptr[1])));
        if (failed)
            return failed;
        text = slice_skip(text, 2);
    }
    return 0;
}

static int base64_value(char c) {
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(letters, c) : NULL;
    return at ? (int)(at - letters) : -1;
}

static int read_base64(struct sql_call *call, slice text, struct buf *out) {
    uint32_t bits = 0;
    unsigned have = 0, ends = 0; /* characters of the group; `=` among them */
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (is_blank(c))
            continue;
        int value = c == '=' ? 0 : base64_value(c);
        if (c == '=' && ends == 0 && have < 2)
            return sql_fail(call->error, "22023",
                            "unexpected \"=\" while decoding base64 sequence");
        if (value < 0 || (ends && c != '='))
            return sql_fail(
                call->error, "22023",
                "invalid symbol \"%.*s\" found while decoding base64 sequence",
                slice_fmt(slice_take(slice_skip(text, i), text_step(slice_skip(text, i)))));
        ends += c == '=';
        bits = bits << 6 | (uint32_t)value;
        if (++have < 4)
            continue;
        char bytes[3] = {(char)(bits >> 16), (char)(bits >> 8), (char)bits};
        int failed = buf_append(out, slice_make(bytes, ends > 2 ? 0 : 3 - ends));
        if (failed)
            return failed;
        have = 0;
        bits = 0;
    }
    if (have == 0)
        return 0;
    (void)sql_fail(call->error, "22023", "invalid base64 end sequence");
    sql_error_hint(call->error,
                   "Input data is missing padding, is truncated, or is otherwise corrupted.");
    return -EINVAL;
}

static bool octal(char c, char max) {
    return c >= '0' && c <= max;
}

static int read_escape(struct sql_call *call, slice text, struct buf *out) {
    int failed = 0;
    while (text.len && !failed) {
        const char *p = text.ptr;
        if (*p != '\\') {
            failed = buf_append_byte(out, *p);
            text = slice_skip(text, 1);
        } else if (text.len >= 4 && octal(p[1], '3') && octal(p[2], '7') && octal(p[3], '7')) {
            failed =
                buf_append_byte(out, (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0')));
            text = slice_skip(text, 4);
        } else if (text.len >= 2 && p[1] == '\\') {
            failed = buf_append_byte(out, '\\');
            text = slice_skip(text, 2);
        } else {
            return sql_fail(call->error, "22P02", "invalid input syntax for type bytea");
        }
    }
    return failed;
}

static int decode(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    _cleanup_buf_ struct buf out = text_buf();
    int failed = 0;
    if (slice_equal_nocase(a[1].text, slice_lit("hex")))
        failed = read_hex(call, a[0].text, &out);
    else if (slice_equal_nocase(a[1].text, slice_lit("base64")))
        failed = read_base64(call, a[0].text, &out);
    else if (slice_equal_nocase(a[1].text, slice_lit("escape")))
        failed = read_escape(call, a[0].text, &out);
    else
        failed = fail_encoding(call, a[1].text);
    return text_give(call, failed, &out, ret);
}

static int check_index(struct sql_call *call, int64_t index, int64_t count) {
    if (index >= 0 && index < count)
        return 0;
    return sql_fail(call->error, "2202E", "index %lld out of valid range, 0..%lld",
                    (long long)index, (long long)count - 1);
}

static int get_byte(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    int failed = check_index(call, a[1].i, (int64_t)a[0].text.len);
    if (!failed)
        ret->i = (unsigned char)a[0].text.ptr[a[1].i];
    return failed;
}

static int get_bit(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    int failed = check_index(call, a[1].i, (int64_t)a[0].text.len * 8);
    if (!failed)
        ret->i = (unsigned char)a[0].text.ptr[a[1].i / 8] >> (a[1].i % 8) & 1;
    return failed;
}

static int copy_bytes(struct sql_call *call, slice bytes, char **ret) {
    char *room = text_room(call, bytes.len);
    if (!room)
        return -EINVAL;
    if (bytes.len)
        memcpy(room, bytes.ptr, bytes.len);
    *ret = room;
    return 0;
}

static int set_byte(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    int failed = check_index(call, a[1].i, (int64_t)a[0].text.len);
    char *room = NULL;
    failed = failed ? failed : copy_bytes(call, a[0].text, &room);
    if (failed)
        return failed;
    room[a[1].i] = (char)a[2].i;
    ret->text = slice_make(room, a[0].text.len);
    return 0;
}

static int set_bit(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    int failed = check_index(call, a[1].i, (int64_t)a[0].text.len * 8);
    if (!failed && a[2].i != 0 && a[2].i != 1)
        failed = sql_fail(call->error, "22023", "new bit must be 0 or 1");
    char *room = NULL;
    failed = failed ? failed : copy_bytes(call, a[0].text, &room);
    if (failed)
        return failed;
    unsigned char bit = (unsigned char)(1u << (a[1].i % 8));
    unsigned char byte = (unsigned char)room[a[1].i / 8];
    room[a[1].i / 8] = (char)(a[2].i ? byte | bit : byte & ~bit);
    ret->text = slice_make(room, a[0].text.len);
    return 0;
}

static int convert_from(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    if (!slice_equal_nocase(a[1].text, slice_lit("utf8")) &&
        !slice_equal_nocase(a[1].text, slice_lit("utf-8")))
        return sql_fail(call->error, "0A000", "encoding \"%.*s\" is not supported: use UTF8",
                        slice_fmt(a[1].text));
    slice bytes = a[0].text;
    size_t valid = utf8_valid_prefix(bytes);
    ptrdiff_t zero = slice_find(bytes, '\0');
    if (valid < bytes.len || zero >= 0) {
        size_t at = zero >= 0 && (size_t)zero < valid ? (size_t)zero : valid;
        return sql_fail(call->error, "22021", "invalid byte sequence for encoding \"UTF8\": 0x%02x",
                        (unsigned char)bytes.ptr[at]);
    }
    ret->text = bytes;
    return 0;
}

static int convert_to(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    if (!slice_equal_nocase(a[1].text, slice_lit("utf8")) &&
        !slice_equal_nocase(a[1].text, slice_lit("utf-8")))
        return sql_fail(call->error, "0A000", "encoding \"%.*s\" is not supported: use UTF8",
                        slice_fmt(a[1].text));
    ret->text = a[0].text;
    return 0;
}

const struct sql_function sql_functions_bytea[] = {
    SQL_ROW("encode", encode, SQL_TEXT, SQL_BYTEA, SQL_TEXT),
    SQL_ROW("decode", decode, SQL_BYTEA, SQL_TEXT, SQL_TEXT),
    SQL_ROW("get_byte", get_byte, SQL_INT4, SQL_BYTEA, SQL_INT4),
    SQL_ROW("get_bit", get_bit, SQL_INT4, SQL_BYTEA, SQL_INT8),
    SQL_ROW("set_byte", set_byte, SQL_BYTEA, SQL_BYTEA, SQL_INT4, SQL_INT4),
    SQL_ROW("set_bit", set_bit, SQL_BYTEA, SQL_BYTEA, SQL_INT8, SQL_INT4),
    SQL_ROW("convert_from", convert_from, SQL_TEXT, SQL_BYTEA, SQL_TEXT),
    SQL_ROW("convert_to", convert_to, SQL_BYTEA, SQL_TEXT, SQL_TEXT),
    {.name = NULL},
};
