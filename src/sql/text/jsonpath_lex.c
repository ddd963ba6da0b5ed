/*
 * jsonpath_lex.c - cuts an SQL/JSON path into words (jsonpath_lex.h).
 *
 *   name       $.price     what is no blank, quote or sign; \ escapes as in strings
 *   string     "a\"b"      JavaScript's escapes: \b \f \n \r \t \v \xHH \uHHHH \u{H…}
 *   number     1  .5  2.  1e3      written as jsonb writes it
 *   variable   $x  $"x y"          `$` alone is a sign
 */
#include "sql/text/jsonpath_lex.h"

#include "base/hex.h"
#include "base/utf8.h"
#include "sql/text/json_read.h"

#include <errno.h>

static int fail_near(struct jsonpath_lexer *l, const char *what, slice at) {
    if (at.len == 0)
        return sql_fail(l->error, "42601", "%s at end of jsonpath input", what);
    return sql_fail(l->error, "42601", "%s at or near \"%.*s\" of jsonpath input", what,
                    slice_fmt(at));
}

static bool is_special(char c) {
    return c && strchr("?%$.[]{}()|&!=<>@#,*:-+/\" \t\n\r\f", c);
}

static int fail_buf(struct jsonpath_lexer *l, int failed) {
    return failed == -ENOMEM ? sql_fail_memory(l->error)
                             : sql_fail(l->error, "54000", "the jsonpath is too long");
}

static int skip_blanks(struct jsonpath_lexer *l) {
    for (;;) {
        if (l->rest.len && strchr(" \t\n\r\f", l->rest.ptr[0]) && l->rest.ptr[0]) {
            l->rest = slice_skip(l->rest, 1);
        } else if (slice_starts_with(l->rest, slice_lit("/*"))) {
            ptrdiff_t end = slice_find_slice(slice_skip(l->rest, 2), slice_lit("*/"));
            if (end < 0)
                return fail_near(l, "unexpected end of comment", slice_lit(""));
            l->rest = slice_skip(l->rest, (size_t)end + 4);
        } else {
            return 0;
        }
    }
}

/* COUNT hexadecimal digits, or any number of them in braces. */
static int take_code(struct jsonpath_lexer *l, size_t count, uint32_t *ret) {
    bool braces = count == 4 && l->rest.len && l->rest.ptr[0] == '{';
    l->rest = slice_skip(l->rest, braces);
    uint32_t code = 0;
    size_t i = 0;
    for (; i < (braces ? 6 : count) && i < l->rest.len && hex_digit(l->rest.ptr[i]) >= 0; i++)
        code = code << 4 | (uint32_t)hex_digit(l->rest.ptr[i]);
    slice rest = slice_skip(l->rest, i);
    bool closed = !braces || (rest.len && rest.ptr[0] == '}');
    if (i == 0 || (!braces && i < count) || !closed)
        return fail_near(l,
                         count == 2 ? "invalid hexadecimal character sequence"
                                    : "invalid Unicode escape sequence",
                         slice_take(l->rest, i));
    l->rest = slice_skip(rest, braces);
    *ret = code;
    return 0;
}

static int put_code(struct jsonpath_lexer *l, uint32_t code, struct buf *out) {
    if (code == 0) {
        (void)sql_fail(l->error, "22P05", "unsupported Unicode escape sequence");
        sql_error_detail(l->error, "\\u0000 cannot be converted to text.");
        return -EINVAL;
    }
    if (code >= 0xd800 && code <= 0xdbff && slice_starts_with(l->rest, slice_lit("\\u"))) {
        uint32_t low = 0;
        l->rest = slice_skip(l->rest, 2);
        int failed = take_code(l, 4, &low);
        if (failed)
            return failed;
        if (low >= 0xdc00 && low <= 0xdfff)
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    char bytes[UTF8_MAX];
    int len = utf8_encode(code, bytes);
    if (len < 0)
        return sql_fail(l->error, "22P02", "invalid input syntax for type jsonpath");
    int failed = buf_append(out, slice_make(bytes, (size_t)len));
    return failed ? fail_buf(l, failed) : 0;
}

/* Behind a backslash. */
static int take_escape(struct jsonpath_lexer *l, struct buf *out) {
    static const char from[] = "bfnrtv", to[] = "\b\f\n\r\t\v";
    if (l->rest.len == 0)
        return fail_near(l, "unexpected end after backslash", slice_lit(""));
    char c = l->rest.ptr[0];
    l->rest = slice_skip(l->rest, 1);
    if (c == 'x' || c == 'u') {
        uint32_t code = 0;
        int failed = take_code(l, c == 'x' ? 2 : 4, &code);
        return failed ? failed : put_code(l, code, out);
    }
    const char *found = c ? strchr(from, c) : NULL;
    int failed = buf_append_byte(out, found ? to[found - from] : c);
    return failed ? fail_buf(l, failed) : 0;
}

static int give(struct jsonpath_lexer *l, const struct buf *text, slice *ret) {
    return arena_copy(l->memory, buf_slice(text), ret) ? sql_fail_memory(l->error) : 0;
}

/* Behind the opening quote. */
static int take_string(struct jsonpath_lexer *l, slice *ret) {
    _cleanup_buf_ struct buf out = buf_make(SQL_TEXT_BYTES_MAX);
    int failed = 0;
    while (!failed) {
        if (l->rest.len == 0)
            return fail_near(l, "unexpected end of quoted string", slice_lit(""));
        char c = l->rest.ptr[0];
        l->rest = slice_skip(l->rest, 1);
        if (c == '"')
            return give(l, &out, ret);
        if (c == '\\') {
            failed = take_escape(l, &out);
        } else {
            failed = buf_append_byte(&out, c);
            failed = failed ? fail_buf(l, failed) : 0;
        }
    }
    return failed;
}

static int take_name(struct jsonpath_lexer *l, slice *ret) {
    _cleanup_buf_ struct buf out = buf_make(SQL_TEXT_BYTES_MAX);
    int failed = 0;
    while (!failed && l->rest.len && !is_special(l->rest.ptr[0])) {
        char c = l->rest.ptr[0];
        l->rest = slice_skip(l->rest, 1);
        if (c == '\\') {
            failed = take_escape(l, &out);
        } else {
            failed = buf_append_byte(&out, c);
            failed = failed ? fail_buf(l, failed) : 0;
        }
    }
    return failed ? failed : give(l, &out, ret);
}

static bool digit_at(slice s, size_t i) {
    return i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9';
}

static size_t digits(slice s, size_t i) {
    while (digit_at(s, i))
        i++;
    return i;
}

/* Bytes of the number that REST begins with. */
static size_t number_len(slice rest) {
    size_t i = digits(rest, 0);
    if (i < rest.len && rest.ptr[i] == '.')
        i = digits(rest, i + 1);
    size_t e = i;
    if (e < rest.len && (rest.ptr[e] == 'e' || rest.ptr[e] == 'E')) {
        bool sign = e + 1 < rest.len && (rest.ptr[e + 1] == '+' || rest.ptr[e + 1] == '-');
        e += sign ? 2 : 1;
        if (digit_at(rest, e))
            i = digits(rest, e);
    }
    return i;
}

static int take_number(struct jsonpath_lexer *l, struct jsonpath_token *ret) {
    size_t len = number_len(l->rest);
    slice written = slice_take(l->rest, len), rest = slice_skip(l->rest, len);
    bool zero = len > 1 && written.ptr[0] == '0' && digit_at(written, 1);
    if (zero || (rest.len && !is_special(rest.ptr[0])))
        return fail_near(l, "trailing junk after numeric literal",
                         slice_take(l->rest, len + (rest.len > 0 && !zero)));
    /* JSON wants digits on both sides of the point. */
    char text[64];
    struct buf json = {text, 0, sizeof text, sizeof text};
    ptrdiff_t point = slice_find(written, '.');
    int failed = point == 0 ? buf_append_byte(&json, '0') : 0;
    bool bare = point >= 0 && !digit_at(written, (size_t)point + 1);
    slice before = bare ? slice_take(written, (size_t)point) : written;
    slice behind = bare ? slice_skip(written, (size_t)point + 1) : slice_take(written, 0);
    failed = failed ? failed : buf_append(&json, before);
    failed = failed ? failed : buf_append(&json, behind);
    struct sql_json_digits d;
    _cleanup_buf_ struct buf out = buf_make(SQL_TEXT_BYTES_MAX);
    if (!failed && !sql_json_digits_read(buf_slice(&json), &d))
        return fail_near(l, "syntax error", written);
    failed = failed ? failed : sql_json_digits_write(&d, &out);
    if (failed == -ENOMEM)
        return sql_fail_memory(l->error);
    if (failed)
        return sql_fail(l->error, "22003", "value overflows numeric format");
    l->rest = rest;
    *ret = (struct jsonpath_token){.kind = JSONPATH_TOKEN_NUMBER, .written = written};
    return give(l, &out, &ret->text);
}

static int take_variable(struct jsonpath_lexer *l, struct jsonpath_token *ret) {
    slice start = l->rest;
    l->rest = slice_skip(l->rest, 1);
    int failed = 0;
    *ret = (struct jsonpath_token){.kind = JSONPATH_TOKEN_VARIABLE};
    if (l->rest.len && l->rest.ptr[0] == '"') {
        l->rest = slice_skip(l->rest, 1);
        failed = take_string(l, &ret->text);
    } else if (l->rest.len && !is_special(l->rest.ptr[0])) {
        failed = take_name(l, &ret->text);
    } else {
        ret->kind = JSONPATH_TOKEN_SIGN;
    }
    ret->written = slice_take(start, start.len - l->rest.len);
    return failed;
}

static void take_sign(struct jsonpath_lexer *l, struct jsonpath_token *ret) {
    static const char *const two[] = {"==", "!=", "<>", "<=", ">=", "&&", "||", "**"};
    size_t len = 1;
    for (size_t i = 0; i < array_count(two); i++)
        if (slice_starts_with(l->rest, slice_str(two[i])))
            len = 2;
    *ret =
        (struct jsonpath_token){.kind = JSONPATH_TOKEN_SIGN, .written = slice_take(l->rest, len)};
    l->rest = slice_skip(l->rest, len);
}

int jsonpath_lex(struct jsonpath_lexer *l, struct jsonpath_token *ret) {
    int failed = skip_blanks(l);
    if (failed)
        return failed;
    slice start = l->rest;
    *ret = (struct jsonpath_token){.kind = JSONPATH_TOKEN_END, .written = slice_take(start, 0)};
    if (start.len == 0)
        return 0;
    if (start.ptr[0] == '$')
        return take_variable(l, ret);
    if (digit_at(start, 0) || (start.ptr[0] == '.' && digit_at(start, 1)))
        return take_number(l, ret);
    if (start.ptr[0] == '"') {
        l->rest = slice_skip(l->rest, 1);
        ret->kind = JSONPATH_TOKEN_STRING;
        failed = take_string(l, &ret->text);
    } else if (!is_special(start.ptr[0])) {
        ret->kind = JSONPATH_TOKEN_NAME;
        failed = take_name(l, &ret->text);
    } else {
        take_sign(l, ret);
        return 0;
    }
    ret->written = slice_take(start, start.len - l->rest.len);
    return failed;
}
