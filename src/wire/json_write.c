/*
 * json_write.c - the writer: a few bits say what belongs next.
 *
 * Every piece passes through begin(), which writes the comma and the line break that are due and
 * checks that the order of calls is JSON. Strings are copied in runs: most bytes need no escape,
 * and most strings are one run.
 */
#include "wire/json_write.h"

#include "base/utf8.h"
#include "wire/json_scan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define INDENT "  "
#define DOUBLE_TEXT_MAX 32 /* longest %.17g and its NUL: "-2.2250738585072014e-308" */
#define DOUBLE_DIGITS_MAX 17

struct json_writer json_writer_make(struct buf *out, bool pretty) {
    return (struct json_writer){.out = out, .pretty = pretty, .first = true};
}

static void put(struct json_writer *w, slice bytes) {
    if (w->error == 0) {
        w->error = buf_append(w->out, bytes);
    }
}

static void put_byte(struct json_writer *w, char byte) {
    if (w->error == 0) {
        w->error = buf_append_byte(w->out, byte);
    }
}

static void new_line(struct json_writer *w) {
    if (!w->pretty) {
        return;
    }
    put_byte(w, '\n');
    for (uint32_t i = 0; i < w->depth; i++) {
        put(w, slice_lit(INDENT));
    }
}

static bool in_object(const struct json_writer *w) {
    return w->depth > 0 && (w->objects >> (w->depth - 1) & 1);
}

/* What goes before the next element, key or top-level value. */
static void separate(struct json_writer *w) {
    if (w->depth > 0) {
        if (!w->first) {
            put_byte(w, ',');
        }
        new_line(w);
    }
    w->first = false;
}

/* A value is about to be written. False where nothing is to be written any more. */
static bool begin(struct json_writer *w) {
    if (w->error < 0) {
        return false;
    }
    check(!w->done);
    check(in_object(w) == w->after_key);
    if (!w->after_key) {
        separate(w);
    }
    w->after_key = false;
    w->done = w->depth == 0;
    return true;
}

static void begin_container(struct json_writer *w, bool object) {
    if (!begin(w)) {
        return;
    }
    if (w->depth == JSON_WRITE_DEPTH_MAX) {
        w->error = -E2BIG;
        return;
    }
    put_byte(w, object ? '{' : '[');
    uint64_t bit = 1ull << w->depth;
    w->objects = object ? w->objects | bit : w->objects & ~bit;
    w->depth++;
    w->first = true;
    w->done = false;
}

void json_write_object(struct json_writer *w) {
    begin_container(w, true);
}

void json_write_array(struct json_writer *w) {
    begin_container(w, false);
}

void json_write_end(struct json_writer *w) {
    if (w->error < 0) {
        return;
    }
    check(w->depth > 0 && !w->after_key);
    bool object = in_object(w);
    w->depth--;
    if (!w->first) {
        new_line(w);
    }
    put_byte(w, object ? '}' : ']');
    w->first = false;
    w->done = w->depth == 0;
}

/* Writes the first character of TEXT, which is no plain one. Returns its bytes. */
static size_t put_special(struct json_writer *w, slice text) {
    unsigned char c = (unsigned char)text.ptr[0];
    if (c >= 0x80) {
        uint32_t point;
        int len = utf8_decode(text, &point);
        put(w, len > 0 ? slice_take(text, (size_t)len) : slice_lit("\xef\xbf\xbd"));
        return len > 0 ? (size_t)len : 1;
    }
    static const char named[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    const char *at = c ? strchr(named, (char)c) : NULL;
    if (at) {
        char escape[2] = {'\\', letters[at - named]};
        put(w, slice_make(escape, sizeof(escape)));
    } else {
        static const char hex[] = "0123456789abcdef";
        char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        put(w, slice_make(escape, sizeof(escape)));
    }
    return 1;
}

static size_t plain_run(slice text) {
    return text.len ? json_scan_plain(text.ptr, text.ptr + text.len) : 0;
}

/* TEXT, which begins with RUN bytes that go into a string as they are. */
static void put_escaped(struct json_writer *w, slice text, size_t run) {
    put_byte(w, '"');
    while (w->error == 0) {
        put(w, slice_take(text, run));
        text = slice_skip(text, run);
        if (text.len == 0)
            break;
        text = slice_skip(text, put_special(w, text));
        run = plain_run(text);
    }
    put_byte(w, '"');
}

static void put_quoted(struct json_writer *w, slice text) {
    size_t run = plain_run(text);
    if (unlikely(run < text.len)) {
        put_escaped(w, text, run);
        return;
    }
    if (w->error == 0)
        w->error = buf_reserve(w->out, text.len + 2);
    if (w->error < 0)
        return;
    char *at = w->out->ptr + w->out->len;
    *at++ = '"';
    if (text.len)
        memcpy(at, text.ptr, text.len);
    at[text.len] = '"';
    w->out->len += text.len + 2;
}

void json_write_key_slice(struct json_writer *w, slice name) {
    if (w->error < 0) {
        return;
    }
    check(in_object(w) && !w->after_key);
    separate(w);
    put_quoted(w, name);
    put_byte(w, ':');
    if (w->pretty)
        put_byte(w, ' ');
    w->after_key = true;
}

void json_write_key(struct json_writer *w, const char *name) {
    json_write_key_slice(w, slice_str(name));
}

void json_write_raw(struct json_writer *w, slice value) {
    if (begin(w)) {
        put(w, value);
    }
}

void json_write_string(struct json_writer *w, slice text) {
    if (begin(w)) {
        put_quoted(w, text);
    }
}

void json_write_text(struct json_writer *w, const char *text) {
    if (text) {
        json_write_string(w, slice_str(text));
    } else {
        json_write_null(w);
    }
}

void json_write_u64(struct json_writer *w, uint64_t number) {
    if (begin(w)) {
        w->error = w->error < 0 ? w->error : buf_append_u64(w->out, number);
    }
}

void json_write_i64(struct json_writer *w, int64_t number) {
    if (begin(w)) {
        w->error = w->error < 0 ? w->error : buf_append_i64(w->out, number);
    }
}

void json_write_double(struct json_writer *w, double number) {
    if (w->error < 0) {
        return;
    }
    if (!__builtin_isfinite(number)) {
        w->error = -EDOM;
        return;
    }
    /* A normal double that some text of up to 15 digits names is named by %.15g; a denormal has
       fewer digits to it, so there every length is tried. */
    int digits = __builtin_isnormal(number) ? 15 : 1;
    char text[DOUBLE_TEXT_MAX];
    int len;
    do {
        len = snprintf(text, sizeof(text), "%.*g", digits, number);
        check(len > 0 && (size_t)len < sizeof(text));
    } while (digits++ < DOUBLE_DIGITS_MAX && strtod(text, NULL) != number);
    json_write_raw(w, slice_make(text, (size_t)len));
}

void json_write_bool(struct json_writer *w, bool value) {
    json_write_raw(w, value ? slice_lit("true") : slice_lit("false"));
}

void json_write_null(struct json_writer *w) {
    json_write_raw(w, slice_lit("null"));
}

void json_put_string(struct json_writer *w, const char *name, slice text) {
    json_write_key(w, name);
    json_write_string(w, text);
}

void json_put_text(struct json_writer *w, const char *name, const char *text) {
    json_write_key(w, name);
    json_write_text(w, text);
}

void json_put_u64(struct json_writer *w, const char *name, uint64_t number) {
    json_write_key(w, name);
    json_write_u64(w, number);
}

void json_put_i64(struct json_writer *w, const char *name, int64_t number) {
    json_write_key(w, name);
    json_write_i64(w, number);
}

void json_put_bool(struct json_writer *w, const char *name, bool value) {
    json_write_key(w, name);
    json_write_bool(w, value);
}

void json_put_nonempty(struct json_writer *w, const char *name, slice text) {
    if (text.len)
        json_put_string(w, name, text);
}

int json_write_finish(struct json_writer *w) {
    check(w->error < 0 || w->done);
    return w->error;
}
