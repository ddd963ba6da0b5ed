/*
 * json_walk.c - steps through the text of a JSON value (json.h).
 *
 * The text is known to be JSON, so a value's end is found by its brackets and quotes alone. That
 * costs a pass over the bytes that are stepped over, and no tree, no memory and no second form to
 * convert from and to: documents are small, and most are looked into once.
 */
#include "sql/text/json.h"

static bool is_space(char c) {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static slice skip_space(slice text) {
    while (text.len && is_space(text.ptr[0]))
        text = slice_skip(text, 1);
    return text;
}

slice sql_json_trim(slice text) {
    text = skip_space(text);
    while (text.len && is_space(text.ptr[text.len - 1]))
        text.len--;
    return text;
}

enum sql_json_kind sql_json_kind_of(slice value) {
    value = sql_json_trim(value);
    switch (value.len ? value.ptr[0] : 'n') {
    case '{':
        return SQL_JSON_OBJECT;
    case '[':
        return SQL_JSON_ARRAY;
    case '"':
        return SQL_JSON_STRING;
    case 't':
    case 'f':
        return SQL_JSON_BOOL;
    case 'n':
        return SQL_JSON_NULL;
    default:
        return SQL_JSON_NUMBER;
    }
}

/* Bytes of the string that TEXT begins with, with its quotes. */
static size_t string_len(slice text) {
    size_t i = 1;
    while (i < text.len && text.ptr[i] != '"')
        i += text.ptr[i] == '\\' ? 2 : 1;
    return i < text.len ? i + 1 : text.len;
}

/* Bytes of the value that TEXT begins with. */
static size_t value_len(slice text) {
    if (text.len && text.ptr[0] == '"')
        return string_len(text);
    size_t i = 0, open = 0;
    while (i < text.len) {
        char c = text.ptr[i];
        if (c == '"') {
            i += string_len(slice_skip(text, i));
            continue;
        }
        if (c == '{' || c == '[')
            open++;
        else if (c == '}' || c == ']') {
            if (open == 0)
                return i;
            if (--open == 0)
                return i + 1;
        } else if (open == 0 && (c == ',' || is_space(c))) {
            return i;
        }
        i++;
    }
    return i;
}

struct sql_json_walk sql_json_each(slice container) {
    container = sql_json_trim(container);
    struct sql_json_walk w = {.object = container.len && container.ptr[0] == '{'};
    if (container.len >= 2 && (w.object || container.ptr[0] == '['))
        w.rest = skip_space(slice_make(container.ptr + 1, container.len - 2));
    return w;
}

bool sql_json_next(struct sql_json_walk *w) {
    slice rest = w->rest;
    if (rest.len == 0)
        return false;
    if (w->object) {
        size_t len = string_len(rest);
        w->key = len >= 2 ? slice_make(rest.ptr + 1, len - 2) : slice_take(rest, 0);
        rest = skip_space(slice_skip(rest, len));
        rest = skip_space(slice_skip(rest, 1)); /* : */
    }
    size_t len = value_len(rest);
    w->value = slice_take(rest, len);
    rest = skip_space(slice_skip(rest, len));
    w->rest = skip_space(slice_skip(rest, 1)); /* , */
    return true;
}

unsigned sql_json_count(slice container) {
    struct sql_json_walk w = sql_json_each(container);
    unsigned count = 0;
    while (sql_json_next(&w))
        count++;
    return count;
}

/* C, which may not stand in a string, escaped in jsonb's one form. Returns its bytes. */
static size_t escape(unsigned char c, char out[static 6]) {
    static const char digits[] = "0123456789abcdef", letters[] = "btn\0fr"; /* \b is 8 */
    bool letter = c >= 8 && c <= 13 && c != 11;
    out[0] = '\\';
    if (letter || c >= 0x20) {
        out[1] = letter ? letters[c - 8] : (char)c;
        return 2;
    }
    memcpy(out + 1, "u00", 3);
    out[4] = digits[c >> 4];
    out[5] = digits[c & 15];
    return 6;
}

static bool is_plain(unsigned char c) {
    return c >= 0x20 && c != '"' && c != '\\';
}

/* KEY, escaped in jsonb's one form, is WRITTEN. */
static bool key_is(slice written, slice key) {
    const char *p = written.ptr, *end = written.ptr + written.len;
    for (size_t i = 0; i < key.len; i++) {
        unsigned char c = (unsigned char)key.ptr[i];
        if (is_plain(c)) {
            if (p == end || *p++ != (char)c)
                return false;
            continue;
        }
        char code[6];
        size_t len = escape(c, code);
        if ((size_t)(end - p) < len || memcmp(p, code, len) != 0)
            return false;
        p += len;
    }
    return p == end;
}

bool sql_jsonb_member(slice object, slice key, slice *ret) {
    struct sql_json_walk w = sql_json_each(object);
    while (w.object && sql_json_next(&w))
        if (key_is(w.key, key)) {
            *ret = w.value;
            return true;
        }
    return false;
}

/* The same where escapes may be written in any way. */
static bool key_says(slice written, slice key) {
    if (slice_find(written, '\\') < 0)
        return slice_equal(written, key);
    struct arena memory = arena_make(0, SQL_TEXT_BYTES_MAX);
    struct sql_error ignored; /* a key that is no text (\u0000) equals none */
    slice said = {NULL, 0};
    bool is = sql_json_unquote(slice_make(written.ptr - 1, written.len + 2), &memory, &said,
                               &ignored) == 0 &&
              slice_equal(said, key);
    arena_free(&memory);
    return is;
}

bool sql_json_member(slice object, slice key, slice *ret) {
    struct sql_json_walk w = sql_json_each(object);
    bool found = false;
    while (w.object && sql_json_next(&w))
        if (key_says(w.key, key)) {
            *ret = w.value;
            found = true;
        }
    return found;
}

bool sql_json_element(slice array, int64_t index, slice *ret) {
    struct sql_json_walk w = sql_json_each(array);
    if (w.object)
        return false;
    if (index < 0)
        index += sql_json_count(array);
    for (int64_t i = 0; index >= 0 && sql_json_next(&w); i++)
        if (i == index) {
            *ret = w.value;
            return true;
        }
    return false;
}

int sql_json_quote(slice text, struct buf *out) {
    int failed = buf_append_byte(out, '"');
    size_t from = 0;
    for (size_t i = 0; i < text.len && !failed; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (is_plain(c))
            continue;
        char code[6];
        size_t len = escape(c, code);
        failed = buf_append(out, slice_make(text.ptr + from, i - from));
        failed = failed ? failed : buf_append(out, slice_make(code, len));
        from = i + 1;
    }
    failed = failed || from == text.len
                 ? failed
                 : buf_append(out, slice_make(text.ptr + from, text.len - from));
    return failed ? failed : buf_append_byte(out, '"');
}
