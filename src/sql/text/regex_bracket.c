/*
 * regex_bracket.c - characters, escapes and bracket expressions of PostgreSQL's patterns.
 *
 *   [^]a-z[:digit:][.-.]\n]   ->   [^\]a-z[:digit:]\-\x{a}]
 *
 * Each character goes out as itself where it is a letter, digit or beyond ASCII, else escaped or
 * by number, so that nothing PCRE2 holds special slips through. Without regard to case, a letter
 * brings its twin, and a range those of the letters in it.
 */
#include "sql/text/regex_bracket.h"

#include "base/hex.h"
#include "base/utf8.h"

#include <errno.h>

int regex_fail(struct translator *t, const char *why) {
    return sql_fail(t->error, "2201B", "invalid regular expression: %s", why);
}

int regex_put(struct translator *t, slice bytes) {
    int failed = buf_append(t->out, bytes);
    if (failed == -ENOMEM)
        return sql_fail_memory(t->error);
    return failed ? regex_fail(t, "regular expression is too complex") : 0;
}

static bool is_letter(uint32_t c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* One character in the form that is good inside and outside brackets. */
static int put_plain(struct translator *t, uint32_t code) {
    char text[16];
    size_t len = 0;
    if (is_letter(code) || (code >= '0' && code <= '9') || code == '_' || code >= 0x80) {
        int written = utf8_encode(code, text);
        if (written < 0)
            return regex_fail(t, "invalid escape \\ sequence");
        len = (size_t)written;
    } else if (code > 0x20 && code < 0x7f) {
        text[0] = '\\';
        text[1] = (char)code;
        len = 2;
    } else {
        const char two[2] = {(char)code, 0};
        memcpy(text, "\\x", 2);
        len = 2 + hex_encode(slice_make(two, 1), text + 2);
    }
    return regex_put(t, slice_make(text, len));
}

int regex_put_character(struct translator *t, uint32_t code) {
    if (!t->options.caseless || !is_letter(code))
        return put_plain(t, code);
    char both[4] = {'[', (char)(code | 0x20), (char)(code & ~0x20u), ']'};
    return regex_put(t, slice_make(both, 4));
}

int regex_take_character(struct translator *t, uint32_t *ret) {
    uint32_t code = 0;
    int len = utf8_decode(t->rest, &code);
    if (len <= 0)
        return regex_fail(t, "invalid multibyte character");
    t->rest = slice_skip(t->rest, (size_t)len);
    *ret = code;
    return 0;
}

/* MIN..MAX hexadecimal digits. */
static int take_hex(struct translator *t, size_t min, size_t max, uint32_t *ret) {
    uint32_t code = 0;
    size_t i = 0;
    for (; i < max && i < t->rest.len && hex_digit(t->rest.ptr[i]) >= 0; i++) {
        code = code << 4 | (uint32_t)hex_digit(t->rest.ptr[i]);
        if (code > 0x10ffff)
            return regex_fail(t, "invalid escape \\ sequence");
    }
    if (i < min)
        return regex_fail(t, "invalid escape \\ sequence");
    t->rest = slice_skip(t->rest, i);
    *ret = code;
    return 1;
}

static int take_octal(struct translator *t, uint32_t *ret) {
    uint32_t code = 0;
    size_t i = 0;
    for (; i < 3 && i < t->rest.len && t->rest.ptr[i] >= '0' && t->rest.ptr[i] <= '7'; i++)
        code = code << 3 | (uint32_t)(t->rest.ptr[i] - '0');
    t->rest = slice_skip(t->rest, i);
    *ret = code;
    return 1;
}

/* Is the digit at t->rest octal, and no back reference? A number is one where it has one digit,
   or is not above the groups closed so far. */
static bool is_octal(const struct translator *t) {
    if (t->rest.ptr[0] == '0')
        return true;
    unsigned number = 0;
    size_t i = 0;
    for (; i < 3 && i < t->rest.len && t->rest.ptr[i] >= '0' && t->rest.ptr[i] <= '9'; i++)
        number = number * 10 + (unsigned)(t->rest.ptr[i] - '0');
    return i > 1 && number > t->closed && t->rest.ptr[0] <= '7';
}

int regex_take_escape(struct translator *t, uint32_t *ret) {
    static const char from[] = "abBefnrtv", to[] = "\x07\x08\\\x1b\f\n\r\t\v";
    if (t->rest.len == 0)
        return regex_fail(t, "invalid escape \\ sequence");
    char c = t->rest.ptr[0];
    const char *found = c ? strchr(from, c) : NULL;
    if (found) {
        t->rest = slice_skip(t->rest, 1);
        *ret = (unsigned char)to[found - from];
        return 1;
    }
    if (c >= '0' && c <= '9')
        return is_octal(t) ? take_octal(t, ret) : 0;
    if (c == 'u' || c == 'U' || c == 'x') {
        t->rest = slice_skip(t->rest, 1);
        return c == 'x' ? take_hex(t, 1, 255, ret)
                        : take_hex(t, c == 'u' ? 4 : 8, c == 'u' ? 4 : 8, ret);
    }
    if (c == 'c' && t->rest.len > 1) {
        *ret = (unsigned char)t->rest.ptr[1] & 0x1fu;
        t->rest = slice_skip(t->rest, 2);
        return 1;
    }
    if (is_letter((unsigned char)c))
        return 0;
    int failed = regex_take_character(t, ret);
    return failed ? failed : 1;
}

/* [.x.] and [=x=], t->rest behind the first mark: one character. */
static int take_element(struct translator *t, char mark, uint32_t *ret) {
    int failed =
        t->rest.len ? regex_take_character(t, ret) : regex_fail(t, "brackets [] not balanced");
    if (failed)
        return failed;
    if (t->rest.len < 2 || t->rest.ptr[0] != mark || t->rest.ptr[1] != ']')
        return regex_fail(t, "invalid collating element");
    t->rest = slice_skip(t->rest, 2);
    return 1;
}

static int put_class(struct translator *t, slice name) {
    static const char *const classes[] = {"alnum", "alpha", "blank", "cntrl", "digit",
                                          "graph", "lower", "print", "punct", "space",
                                          "upper", "word",  "xdigit"};
    for (size_t i = 0; i < array_count(classes); i++) {
        if (!slice_equal(name, slice_str(classes[i])))
            continue;
        if (t->options.caseless &&
            (slice_equal(name, slice_lit("lower")) || slice_equal(name, slice_lit("upper"))))
            name = slice_lit("alpha");
        int failed = regex_put(t, slice_lit("[:"));
        failed = failed ? failed : regex_put(t, name);
        return failed ? failed : regex_put(t, slice_lit(":]"));
    }
    return regex_fail(t, "invalid character class");
}

/* A class ([:alpha:], \d), put out: 0. One character, which may begin a range: 1 and *RET. */
static int take_item(struct translator *t, uint32_t *ret) {
    slice rest = t->rest;
    if (rest.len >= 2 && rest.ptr[0] == '[' && (rest.ptr[1] == '.' || rest.ptr[1] == '=')) {
        t->rest = slice_skip(rest, 2);
        return take_element(t, rest.ptr[1], ret);
    }
    if (rest.len >= 2 && rest.ptr[0] == '[' && rest.ptr[1] == ':') {
        ptrdiff_t end = slice_find_slice(slice_skip(rest, 2), slice_lit(":]"));
        if (end < 0)
            return regex_fail(t, "brackets [] not balanced");
        t->rest = slice_skip(rest, (size_t)end + 4);
        return put_class(t, slice_make(rest.ptr + 2, (size_t)end));
    }
    if (rest.ptr[0] == '\\') {
        t->rest = slice_skip(rest, 1);
        if (t->rest.len && strchr("dswDSW", t->rest.ptr[0]) && t->rest.ptr[0]) {
            t->rest = slice_skip(t->rest, 1);
            return regex_put(t, slice_make(rest.ptr, 2));
        }
        int taken = regex_take_escape(t, ret);
        return taken ? taken : regex_fail(t, "invalid escape \\ sequence");
    }
    int failed = regex_take_character(t, ret);
    return failed ? failed : 1;
}

static int put_range(struct translator *t, uint32_t low, uint32_t high) {
    int failed = put_plain(t, low);
    if (failed || low == high)
        return failed;
    failed = regex_put(t, slice_lit("-"));
    return failed ? failed : put_plain(t, high);
}

/* What of LOW..HIGH lies in FIRST..LAST, moved by DISTANCE. */
static int put_twins(struct translator *t, uint32_t low, uint32_t high, uint32_t first,
                     uint32_t last, int distance) {
    low = low < first ? first : low;
    high = high > last ? last : high;
    if (low > high)
        return 0;
    return put_range(t, (uint32_t)((int)low + distance), (uint32_t)((int)high + distance));
}

static int take_range(struct translator *t, uint32_t low) {
    uint32_t high = low;
    if (t->rest.len >= 2 && t->rest.ptr[0] == '-' && t->rest.ptr[1] != ']') {
        t->rest = slice_skip(t->rest, 1);
        int taken = take_item(t, &high);
        if (taken < 0)
            return taken;
        if (taken == 0 || high < low)
            return regex_fail(t, "invalid character range");
    }
    int failed = put_range(t, low, high);
    if (!failed && t->options.caseless) {
        failed = put_twins(t, low, high, 'a', 'z', 'A' - 'a');
        failed = failed ? failed : put_twins(t, low, high, 'A', 'Z', 'a' - 'A');
    }
    return failed;
}

int regex_take_bracket(struct translator *t) {
    bool negated = t->rest.len && t->rest.ptr[0] == '^';
    t->rest = slice_skip(t->rest, negated);
    int failed = regex_put(t, negated ? slice_lit("[^") : slice_lit("["));
    if (!failed && negated && t->options.newline_stops)
        failed = regex_put(t, slice_lit("\\n"));
    for (bool first = true; !failed; first = false) {
        if (t->rest.len == 0)
            return regex_fail(t, "brackets [] not balanced");
        if (!first && t->rest.ptr[0] == ']')
            break;
        uint32_t low = 0;
        int taken = take_item(t, &low);
        failed = taken == 1 ? take_range(t, low) : taken;
    }
    t->rest = slice_skip(t->rest, 1);
    return failed ? failed : regex_put(t, slice_lit("]"));
}
