/*
 * event_name.c - see event_name.h.
 *
 * Names have one subject each, and a subject that decodes is the one that its name encodes to, so
 * that two spellings never are two streams.
 */
#include "wire/event_name.h"

#include "base/hex.h"
#include "base/utf8.h"

#include <errno.h>

enum { IN_NAME = 1, IN_TAG = 2, IN_BOTH = IN_NAME | IN_TAG };

/* Where a byte stands as it is. */
static const unsigned char plain[256] = {
    ['a' ... 'z'] = IN_BOTH, ['A' ... 'Z'] = IN_BOTH, ['0' ... '9'] = IN_BOTH, ['-'] = IN_BOTH,
    ['_'] = IN_BOTH,         ['~'] = IN_BOTH,         [':'] = IN_TAG,          ['.'] = IN_TAG,
};

static bool is_plain(char c, bool in_tag) {
    return plain[(unsigned char)c] & (in_tag ? IN_TAG : IN_NAME);
}

/* Letters, digits and a few more stay; the rest is percent-encoded, in the one way (upper case). */
static int encode(slice text, bool in_tag, struct buf *out) {
    static const char digits[] = "0123456789ABCDEF";
    if (buf_reserve(out, text.len * 3))
        return -ENOMEM;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (is_plain(text.ptr[i], in_tag)) {
            out->ptr[out->len++] = text.ptr[i];
            continue;
        }
        out->ptr[out->len++] = '%';
        out->ptr[out->len++] = digits[c >> 4];
        out->ptr[out->len++] = digits[c & 15];
    }
    return 0;
}

int event_token(slice text, struct buf *out) {
    return encode(text, false, out);
}

int event_tag_token(slice text, struct buf *out) {
    return encode(text, true, out);
}

/* The byte that begins TOKEN, escaped perhaps, with its length; 0: encode does not write that. */
static size_t decode_byte(slice token, char *ret_byte) {
    *ret_byte = token.ptr[0];
    if (is_plain(token.ptr[0], false))
        return 1;
    if (token.ptr[0] != '%' || token.len < 3 || token.ptr[1] >= 'a' || token.ptr[2] >= 'a')
        return 0;
    int high = hex_digit(token.ptr[1]), low = hex_digit(token.ptr[2]);
    *ret_byte = (char)(unsigned char)(high << 4 | low);
    return high < 0 || low < 0 || is_plain(*ret_byte, false) ? 0 : 3;
}

/* Takes the one spelling that encode makes of a name, and no other: "%61" is no 'a'. */
static int decode(slice token, struct buf *out) {
    size_t escapes = 0;
    for (size_t i = 0; i < token.len; i++)
        escapes += token.ptr[i] == '%';
    if (!token.len || escapes * 3 > token.len)
        return -EINVAL;
    int failed = buf_reserve(out, token.len - escapes * 2);
    if (failed)
        return failed == -ENOBUFS ? -EINVAL : failed; /* longer than any name */
    while (token.len) {
        size_t len = decode_byte(token, &out->ptr[out->len]);
        if (!len)
            return -EINVAL;
        out->len++;
        token = slice_skip(token, len);
    }
    return 0;
}

int event_category_subject(slice category, struct buf *out) {
    if (!category.len || category.len > EVENT_NAME_MAX || !utf8_valid(category))
        return -EINVAL;
    int failed = buf_append(out, slice_lit(EVENT_PREFIX));
    return failed ? -ENOMEM : event_token(category, out);
}

int event_subject(slice name, struct buf *out) {
    slice id;
    slice category = slice_cut(name, '-', &id);
    bool whole = category.len == name.len;
    if (name.len > EVENT_NAME_MAX || (!whole && !id.len) || !utf8_valid(name))
        return -EINVAL;
    size_t before = out->len;
    int failed = event_category_subject(category, out);
    if (!failed && !whole)
        failed = buf_append_byte(out, '.') ? -ENOMEM : event_token(id, out);
    if (failed)
        out->len = before;
    return failed;
}

bool event_is_of(slice subject, slice category) {
    return slice_starts_with(subject, category) &&
           (subject.len == category.len || subject.ptr[category.len] == '.');
}

int event_name(slice subject, struct buf *out) {
    if (!slice_starts_with(subject, slice_lit(EVENT_PREFIX)))
        return -EINVAL;
    size_t before = out->len;
    slice id;
    slice rest = slice_skip(subject, sizeof EVENT_PREFIX - 1);
    slice category = slice_cut(rest, '.', &id);
    bool whole = category.len == rest.len;
    /* A name is cut at its first '-', so a category has none. */
    int failed = slice_find(category, '-') >= 0 ? -EINVAL : decode(category, out);
    if (!failed && !whole)
        failed = buf_append_byte(out, '-') ? -ENOMEM : decode(id, out);
    slice name = slice_skip(buf_slice(out), before);
    if (!failed && (name.len > EVENT_NAME_MAX || !utf8_valid(name)))
        failed = -EINVAL;
    if (failed)
        out->len = before;
    return failed;
}
