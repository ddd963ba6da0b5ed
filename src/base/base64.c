#include "base/base64.h"

#include <errno.h>

static const char standard_letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static bool is_url(enum base64_form form) {
    return form == BASE64_URL || form == BASE64_URL_RAW;
}

static bool is_padded(enum base64_form form) {
    return form == BASE64_STANDARD || form == BASE64_URL;
}

size_t base64_encoded_len(enum base64_form form, size_t len) {
    size_t rest = len % 3;
    size_t tail = rest == 0 ? 0 : is_padded(form) ? 4 : rest + 1;
    return len / 3 * 4 + tail;
}

size_t base64_encode(enum base64_form form, slice bytes, char *out) {
    const char *letters = is_url(form) ? url_letters : standard_letters;
    const unsigned char *at = (const unsigned char *)bytes.ptr;
    char *to = out;
    size_t left = bytes.len;
    for (; left >= 3; left -= 3, at += 3, to += 4) {
        unsigned group = (unsigned)at[0] << 16 | (unsigned)at[1] << 8 | at[2];
        to[0] = letters[group >> 18];
        to[1] = letters[group >> 12 & 63];
        to[2] = letters[group >> 6 & 63];
        to[3] = letters[group & 63];
    }
    if (left) {
        unsigned group = (unsigned)at[0] << 16 | (left == 2 ? (unsigned)at[1] << 8 : 0);
        *to++ = letters[group >> 18];
        *to++ = letters[group >> 12 & 63];
        if (left == 2)
            *to++ = letters[group >> 6 & 63];
        for (size_t i = left; is_padded(form) && i < 3; i++)
            *to++ = '=';
    }
    return (size_t)(to - out);
}

static int letter_value(bool url, char c) {
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == (url ? '-' : '+'))
        return 62;
    if (c == (url ? '_' : '/'))
        return 63;
    return -1;
}

/* Cuts the padding off. False where it is not exactly what the form asks for. */
static bool strip_padding(enum base64_form form, slice *text) {
    if (!is_padded(form))
        return true; /* '=' is then a foreign letter */
    if (text->len % 4 != 0)
        return false;
    for (int i = 0; i < 2 && text->len && text->ptr[text->len - 1] == '='; i++)
        text->len--;
    return true;
}

int base64_decode(enum base64_form form, slice text, void *out, size_t size, size_t *ret_len) {
    if (!strip_padding(form, &text) || text.len % 4 == 1)
        return -EINVAL;
    size_t len = text.len / 4 * 3 + text.len % 4 * 3 / 4;
    if (len > size)
        return -ENOSPC;
    unsigned char *to = out;
    unsigned bits = 0;
    unsigned bit_count = 0;
    for (size_t i = 0; i < text.len; i++) {
        int value = letter_value(is_url(form), text.ptr[i]);
        if (value < 0)
            return -EINVAL;
        bits = (bits << 6 | (unsigned)value) & 0xffff;
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            *to++ = (unsigned char)(bits >> bit_count);
        }
    }
    if (bits & ((1u << bit_count) - 1))
        return -EINVAL;
    *ret_len = len;
    return 0;
}
