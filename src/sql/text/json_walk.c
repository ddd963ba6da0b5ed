/*
 * json_walk.c - steps through the text of a JSON value (json.h).
 *
 * The text is known to be JSON, so a value's end is found by its brackets and quotes alone. That
 * costs a pass over the bytes that are stepped over, and no tree, no memory and no second form to
 * convert from and to: documents are small, and most are looked into once.
 */
#include "sql/text/json.h"

#include "base/mem.h"

#include <errno.h>

static bool is_space(char c) {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

slice sql_json_trim(slice text) {
    while (text.len && is_space(text.ptr[0]))
        text = slice_skip(text, 1);
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

static slice skip_space(slice text) {
    while (text.len && is_space(text.ptr[0]))
        text = slice_skip(text, 1);
    return text;
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

/* KEY, escaped in jsonb's one form, is WRITTEN. */
static bool key_is(slice written, slice key) {
    static const char digits[] = "0123456789abcdef", letters[] = "btn\0fr"; /* \b is 8 */
    const char *p = written.ptr, *end = written.ptr + written.len;
    for (size_t i = 0; i < key.len; i++) {
        unsigned char c = (unsigned char)key.ptr[i];
        if (p == end)
            return false;
        if (c >= 0x20 && c != '"' && c != '\\') {
            if (*p++ != (char)c)
                return false;
            continue;
        }
        if (end - p < 2 || *p++ != '\\')
            return false;
        if (c >= 0x20) {
            if (*p++ != (char)c)
                return false;
        } else if (c >= 8 && c <= 13 && c != 11) {
            if (*p++ != letters[c - 8])
                return false;
        } else {
            char code[5] = {'u', '0', '0', digits[c >> 4], digits[c & 15]};
            if (end - p < 5 || memcmp(p, code, 5) != 0)
                return false;
            p += 5;
        }
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

static int quote_byte(unsigned char c, struct buf *out) {
    static const char digits[] = "0123456789abcdef", letters[] = "btn\0fr";
    if (c == '"' || c == '\\') {
        char code[2] = {'\\', (char)c};
        return buf_append(out, slice_make(code, 2));
    }
    if (c >= 8 && c <= 13 && c != 11) {
        char code[2] = {'\\', letters[c - 8]};
        return buf_append(out, slice_make(code, 2));
    }
    char code[6] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};
    return buf_append(out, slice_make(code, 6));
}

int sql_json_quote(slice text, struct buf *out) {
    int failed = buf_append_byte(out, '"');
    size_t from = 0;
    for (size_t i = 0; i < text.len && !failed; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        failed = buf_append(out, slice_make(text.ptr + from, i - from));
        failed = failed ? failed : quote_byte(c, out);
        from = i + 1;
    }
    failed = failed || from == text.len
                 ? failed
                 : buf_append(out, slice_make(text.ptr + from, text.len - from));
    return failed ? failed : buf_append_byte(out, '"');
}
