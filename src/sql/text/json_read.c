/*
 * json_read.c - JSON as people write it, checked, and for jsonb brought into its one form (json.h).
 *
 * One recursive descent serves both: for json it only looks (reader.out is NULL), for jsonb it also
 * writes. An object's members are written as they come and the list of where each lies is kept;
 * where the keys turn out to be unordered or repeated, the object's bytes are put in order once it
 * is closed:
 *
 *      out   ... {"b": 1, "aa": 2, "b": 3         members  b@k aa@l b@m
 *      out   ... {"b": 3, "aa": 2                 sorted by length, bytes; the last "b" stays
 *
 * The lists of nested objects lie in one stack. Depth is bounded by SQL_JSON_DEPTH_MAX, the form
 * by SQL_TEXT_BYTES_MAX (1e131071 is ten bytes of input and 128 KiB of output).
 */
#include "sql/text/json_read.h"

#include "base/hex.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdlib.h>

struct member {
    uint32_t key, key_len;      /* unescaped, in reader.keys */
    uint32_t start, end, order; /* `"key": value` in reader.out; which of the object's, from 0 */
};

struct reader {
    const char *at, *end;
    struct buf *out; /* NULL: only look */
    struct buf members, keys;
    unsigned depth;
    struct sql_error *error;
};

static int read_value(struct reader *r);

static int fail_buf(struct reader *r, int failed) {
    if (failed == -ENOMEM)
        return sql_fail_memory(r->error);
    return sql_fail(r->error, "54000", "string too long to represent as jsonb string");
}

static int put(struct reader *r, slice bytes) {
    if (!r->out)
        return 0;
    int failed = buf_append(r->out, bytes);
    return failed ? fail_buf(r, failed) : 0;
}

static void skip_space(struct reader *r) {
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t'))
        r->at++;
}

/* The token at r->at, for messages: a word, or one character. */
static slice token_at(const struct reader *r) {
    const char *p = r->at;
    while (p < r->end &&
           ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
            *p == '_' || *p == '-' || *p == '+' || *p == '.' || (unsigned char)*p >= 0x80))
        p++;
    if (p == r->at && p < r->end && *p == '"') {
        for (p++; p < r->end && *p != '"'; p++)
            if (*p == '\\' && p + 1 < r->end)
                p++;
        p += p < r->end;
    } else {
        p += p == r->at && p < r->end;
    }
    return slice_make(r->at, (size_t)(p - r->at));
}

static int fail_syntax(struct reader *r) {
    return sql_fail(r->error, "22P02", "invalid input syntax for type json");
}

static int fail_token(struct reader *r, slice token) {
    (void)fail_syntax(r);
    sql_error_detail(r->error, "Token \"%.*s\" is invalid.", slice_fmt(token));
    return -EINVAL;
}

/* What stands at r->at is not EXPECTED; a word that is no token at all is told first. */
static int fail_expected(struct reader *r, const char *expected) {
    if (r->at >= r->end) {
        (void)fail_syntax(r);
        sql_error_detail(r->error, "The input string ended unexpectedly.");
        return -EINVAL;
    }
    slice token = token_at(r);
    char c = token.ptr[0];
    bool known = strchr("{}[],:\"", c) || (c >= '0' && c <= '9') || c == '-' ||
                 slice_equal(token, slice_lit("true")) || slice_equal(token, slice_lit("false")) ||
                 slice_equal(token, slice_lit("null"));
    if (!known)
        return fail_token(r, token);
    (void)fail_syntax(r);
    sql_error_detail(r->error, "Expected %s, but found \"%.*s\".", expected, slice_fmt(token));
    return -EINVAL;
}

static const char *digits_end(const char *p, const char *end) {
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

static int read_number(struct reader *r) {
    slice token = token_at(r);
    struct sql_json_digits d;
    if (!sql_json_digits_read(token, &d))
        return fail_token(r, token);
    r->at += token.len;
    if (!r->out)
        return 0;
    int failed = sql_json_digits_write(&d, r->out);
    if (failed == -ERANGE)
        return sql_fail(r->error, "22003", "value overflows numeric format");
    return failed ? fail_buf(r, failed) : 0;
}

bool sql_json_digits_read(slice text, struct sql_json_digits *ret) {
    struct sql_json_digits d = {.negative = false};
    const char *p = text.ptr, *end = text.ptr + text.len;
    if (p < end && *p == '-')
        d.negative = true, p++;
    const char *start = p;
    p = digits_end(p, end);
    d.whole = slice_make(start, (size_t)(p - start));
    if (d.whole.len == 0 || (d.whole.len > 1 && *start == '0'))
        return false;
    if (p < end && *p == '.') {
        start = ++p;
        p = digits_end(p, end);
        d.fraction = slice_make(start, (size_t)(p - start));
        if (d.fraction.len == 0)
            return false;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        bool below = p < end && *p == '-';
        if (p < end && (*p == '-' || *p == '+'))
            p++;
        start = p;
        for (; p < end && *p >= '0' && *p <= '9'; p++)
            if (d.exponent < SQL_JSON_EXPONENT_MAX)
                d.exponent = d.exponent * 10 + (*p - '0');
        if (p == start)
            return false;
        d.exponent = below ? -d.exponent : d.exponent;
    }
    *ret = d;
    return p == end;
}

/* Digit I of whole and fraction as one run. */
static char digit_at(const struct sql_json_digits *d, int64_t i) {
    int64_t whole = (int64_t)d->whole.len, all = whole + (int64_t)d->fraction.len;
    if (i < 0 || i >= all)
        return '0';
    return i < whole ? d->whole.ptr[i] : d->fraction.ptr[i - whole];
}

int sql_json_digits_write(const struct sql_json_digits *d, struct buf *out) {
    int64_t all = (int64_t)(d->whole.len + d->fraction.len);
    int64_t point = (int64_t)d->whole.len + d->exponent; /* digits before the point */
    int64_t scale = (int64_t)d->fraction.len - d->exponent;
    scale = scale < 0 ? 0 : scale;
    int64_t first = 0;
    while (first < all && digit_at(d, first) == '0')
        first++;
    bool zero = first == all;
    if (zero) /* no digit before the point needs room */
        first = point = scale > 0 ? point : 0;
    int64_t whole = point > first ? point - first : 0;
    if (scale > SQL_JSON_SCALE_MAX || whole > SQL_JSON_WHOLE_MAX)
        return -ERANGE;
    int failed = buf_reserve(out, (size_t)(whole + scale) + 3);
    if (failed)
        return failed;
    char *p = out->ptr + out->len;
    if (d->negative && !zero)
        *p++ = '-';
    if (whole == 0 || zero)
        *p++ = '0';
    else
        for (int64_t i = first; i < point; i++)
            *p++ = digit_at(d, i);
    if (scale > 0) {
        *p++ = '.';
        for (int64_t i = point; i < point + scale; i++)
            *p++ = digit_at(d, i);
    }
    out->len = (size_t)(p - out->ptr);
    return 0;
}

static int fail_escape(struct reader *r, const char *detail) {
    (void)fail_syntax(r);
    sql_error_detail(r->error, "%s", detail);
    return -EINVAL;
}

/* The four digits behind \u at r->at, which moves past them. */
static int read_hex(struct reader *r, uint32_t *ret) {
    uint32_t code = 0;
    for (unsigned i = 0; i < 4; i++) {
        int digit = r->at < r->end ? hex_digit(*r->at) : -1;
        if (digit < 0)
            return fail_escape(r, "\"\\u\" must be followed by four hexadecimal digits.");
        code = code << 4 | (uint32_t)digit;
        r->at++;
    }
    *ret = code;
    return 0;
}

/* Behind \u. TEXT: what the string says is written there, so it must be a character. */
static int read_unicode(struct reader *r, struct buf *text) {
    uint32_t code = 0;
    int failed = read_hex(r, &code);
    if (failed || !text)
        return failed;
    if (code == 0) {
        (void)sql_fail(r->error, "22P05", "unsupported Unicode escape sequence");
        sql_error_detail(r->error, "\\u0000 cannot be converted to text.");
        return -EINVAL;
    }
    if (code >= 0xdc00 && code <= 0xdfff)
        return fail_escape(r, "Unicode low surrogate must follow a high surrogate.");
    if (code >= 0xd800 && code <= 0xdbff) {
        uint32_t low = 0;
        if (r->end - r->at < 2 || r->at[0] != '\\' || r->at[1] != 'u')
            return fail_escape(r, "Unicode low surrogate must follow a high surrogate.");
        r->at += 2;
        failed = read_hex(r, &low);
        if (failed)
            return failed;
        if (low >= 0xd800 && low <= 0xdbff)
            return fail_escape(r, "Unicode high surrogate must not follow a high surrogate.");
        if (low < 0xdc00 || low > 0xdfff)
            return fail_escape(r, "Unicode low surrogate must follow a high surrogate.");
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    char bytes[UTF8_MAX];
    int len = utf8_encode(code, bytes);
    check(len > 0);
    failed = buf_append(text, slice_make(bytes, (size_t)len));
    return failed ? fail_buf(r, failed) : 0;
}

static int read_escape(struct reader *r, struct buf *text) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (++r->at >= r->end)
        return fail_token(r, slice_make(r->at - 1, 1));
    char c = *r->at++;
    if (c == 'u')
        return read_unicode(r, text);
    const char *found = c ? strchr(from, c) : NULL;
    if (!found) {
        (void)fail_syntax(r);
        sql_error_detail(r->error, "Escape sequence \"\\%c\" is invalid.", c);
        return -EINVAL;
    }
    if (!text)
        return 0;
    int failed = buf_append_byte(text, to[found - from]);
    return failed ? fail_buf(r, failed) : 0;
}

/* A string at r->at, its opening quote known. TEXT (may be NULL): gets what it says. */
static int read_string(struct reader *r, struct buf *text) {
    const char *opening = r->at++;
    for (;;) {
        const char *start = r->at;
        while (r->at < r->end && *r->at != '"' && *r->at != '\\' && (unsigned char)*r->at >= 0x20)
            r->at++;
        if (text && r->at > start) {
            int failed = buf_append(text, slice_make(start, (size_t)(r->at - start)));
            if (failed)
                return fail_buf(r, failed);
        }
        if (r->at >= r->end) {
            return fail_token(r, slice_make(opening, (size_t)(r->end - opening)));
        } else if (*r->at == '"') {
            r->at++;
            return 0;
        } else if (*r->at == '\\') {
            int failed = read_escape(r, text);
            if (failed)
                return failed;
        } else {
            (void)fail_syntax(r);
            sql_error_detail(r->error, "Character with value 0x%02x must be escaped.", *r->at);
            return -EINVAL;
        }
    }
}

static int read_string_value(struct reader *r) {
    if (!r->out)
        return read_string(r, NULL);
    size_t before = r->keys.len;
    int failed = read_string(r, &r->keys);
    if (!failed) {
        failed = sql_json_quote(slice_skip(buf_slice(&r->keys), before), r->out);
        failed = failed ? fail_buf(r, failed) : 0;
    }
    r->keys.len = before;
    return failed;
}

static int by_key(const void *a, const void *b, void *keys) {
    const struct member *x = a, *y = b;
    if (x->key_len != y->key_len)
        return x->key_len < y->key_len ? -1 : 1;
    int order = x->key_len
                    ? memcmp((const char *)keys + x->key, (const char *)keys + y->key, x->key_len)
                    : 0;
    return order;
}

static int by_key_and_order(const void *a, const void *b, void *keys) {
    const struct member *x = a, *y = b;
    int order = by_key(a, b, keys);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

/* Puts the members of one object, written from byte START on, in order. */
static int arrange(struct reader *r, struct member *m, size_t count, size_t start) {
    bool ordered = true;
    for (size_t i = 1; i < count && ordered; i++)
        ordered = by_key(&m[i - 1], &m[i], r->keys.ptr) < 0;
    if (ordered)
        return 0;
    qsort_r(m, count, sizeof *m, by_key_and_order, r->keys.ptr);
    _cleanup_buf_ struct buf written = buf_make(SQL_TEXT_BYTES_MAX);
    int failed = buf_append(&written, slice_make(r->out->ptr + start, r->out->len - start));
    if (failed)
        return fail_buf(r, failed);
    r->out->len = start;
    for (size_t i = 0; i < count; i++) {
        if (i + 1 < count && by_key(&m[i], &m[i + 1], r->keys.ptr) == 0)
            continue;
        failed = put(r, r->out->len > start ? slice_lit(", ") : slice_lit(""));
        if (!failed)
            failed = put(r, slice_make(written.ptr + m[i].start - start, m[i].end - m[i].start));
        if (failed)
            return failed;
    }
    return 0;
}

/* One member; with an out its place is pushed on the stack. */
static int read_member(struct reader *r, uint32_t order) {
    struct member m = {.key = (uint32_t)r->keys.len, .order = order};
    if (r->out)
        m.start = (uint32_t)r->out->len;
    int failed = read_string(r, r->out ? &r->keys : NULL);
    if (failed)
        return failed;
    m.key_len = (uint32_t)(r->keys.len - m.key);
    if (r->out) {
        failed =
            sql_json_quote(slice_take(slice_skip(buf_slice(&r->keys), m.key), m.key_len), r->out);
        if (failed)
            return fail_buf(r, failed);
    }
    skip_space(r);
    if (r->at >= r->end || *r->at != ':')
        return fail_expected(r, "\":\"");
    r->at++;
    failed = put(r, slice_lit(": "));
    failed = failed ? failed : read_value(r);
    if (failed || !r->out)
        return failed;
    m.end = (uint32_t)r->out->len;
    failed = buf_append(&r->members, slice_make(&m, sizeof m));
    return failed ? fail_buf(r, failed) : 0;
}

static int read_members(struct reader *r) {
    for (uint32_t count = 0;; count++) {
        skip_space(r);
        if (r->at < r->end && *r->at == '}' && count == 0)
            return 0;
        if (r->at >= r->end || *r->at != '"')
            return fail_expected(r, count ? "string" : "string or \"}\"");
        int failed = count ? put(r, slice_lit(", ")) : 0;
        failed = failed ? failed : read_member(r, count);
        if (failed)
            return failed;
        skip_space(r);
        if (r->at < r->end && *r->at == '}')
            return 0;
        if (r->at >= r->end || *r->at != ',')
            return fail_expected(r, "\",\" or \"}\"");
        r->at++;
    }
}

static int read_object(struct reader *r) {
    size_t members = r->members.len, keys = r->keys.len;
    int failed = put(r, slice_lit("{"));
    size_t start = r->out ? r->out->len : 0;
    r->at++;
    failed = failed ? failed : read_members(r);
    if (failed)
        return failed;
    r->at++;
    if (r->members.len > members) {
        struct member *m = (struct member *)(void *)(r->members.ptr + members);
        failed = arrange(r, m, (r->members.len - members) / sizeof *m, start);
    }
    r->members.len = members;
    r->keys.len = keys;
    return failed ? failed : put(r, slice_lit("}"));
}

static int read_array(struct reader *r) {
    int failed = put(r, slice_lit("["));
    r->at++;
    for (unsigned count = 0; !failed; count++) {
        skip_space(r);
        if (r->at < r->end && *r->at == ']' && count == 0)
            break;
        failed = count ? put(r, slice_lit(", ")) : 0;
        failed = failed ? failed : read_value(r);
        if (failed)
            return failed;
        skip_space(r);
        if (r->at < r->end && *r->at == ']')
            break;
        if (r->at >= r->end || *r->at != ',')
            return fail_expected(r, "\",\" or \"]\"");
        r->at++;
    }
    r->at++;
    return failed ? failed : put(r, slice_lit("]"));
}

static int read_value(struct reader *r) {
    skip_space(r);
    if (r->at >= r->end)
        return fail_expected(r, "JSON value");
    char c = *r->at;
    if (c == '{' || c == '[') {
        if (r->depth == SQL_JSON_DEPTH_MAX) {
            (void)sql_fail(r->error, "54001", "stack depth limit exceeded");
            sql_error_hint(r->error, "JSON may be nested %u levels deep.", SQL_JSON_DEPTH_MAX);
            return -EINVAL;
        }
        r->depth++;
        int failed = c == '{' ? read_object(r) : read_array(r);
        r->depth--;
        return failed;
    }
    if (c == '"')
        return read_string_value(r);
    slice token = token_at(r);
    if (slice_equal(token, slice_lit("true")) || slice_equal(token, slice_lit("false")) ||
        slice_equal(token, slice_lit("null"))) {
        r->at += token.len;
        return put(r, token);
    }
    if (c == '-' || (c >= '0' && c <= '9'))
        return read_number(r);
    return fail_expected(r, "JSON value");
}

static int read_document(struct reader *r) {
    int failed = read_value(r);
    if (failed)
        return failed;
    skip_space(r);
    return r->at < r->end ? fail_expected(r, "end of input") : 0;
}

int sql_json_in(slice text, struct sql_error *error) {
    struct reader r = {.at = text.ptr, .end = text.ptr + text.len, .error = error};
    return read_document(&r);
}

int sql_jsonb_in(slice text, struct arena *memory, slice *ret, struct sql_error *error) {
    _cleanup_buf_ struct buf out =
        buf_make_room(SQL_TEXT_BYTES_MAX, text.len + text.len / 4 + 16 > SQL_TEXT_BYTES_MAX
                                              ? SQL_TEXT_BYTES_MAX
                                              : text.len + text.len / 4 + 16);
    struct reader r = {.at = text.ptr,
                       .end = text.ptr + text.len,
                       .out = &out,
                       .members = buf_make((size_t)SQL_TEXT_BYTES_MAX * 8),
                       .keys = buf_make(SQL_TEXT_BYTES_MAX),
                       .error = error};
    int failed = read_document(&r);
    buf_free(&r.members);
    buf_free(&r.keys);
    if (failed)
        return failed;
    return arena_copy(memory, buf_slice(&out), ret) ? sql_fail_memory(error) : 0;
}

int sql_json_unquote(slice value, struct arena *memory, slice *ret, struct sql_error *error) {
    check(value.len >= 2 && value.ptr[0] == '"');
    slice inner = slice_make(value.ptr + 1, value.len - 2);
    if (slice_find(inner, '\\') < 0) {
        *ret = inner;
        return 0;
    }
    _cleanup_buf_ struct buf text = buf_make(SQL_TEXT_BYTES_MAX);
    struct reader r = {.at = value.ptr, .end = value.ptr + value.len, .error = error};
    int failed = read_string(&r, &text);
    if (failed)
        return failed;
    return arena_copy(memory, buf_slice(&text), ret) ? sql_fail_memory(error) : 0;
}
