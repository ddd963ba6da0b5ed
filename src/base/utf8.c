#include "base/utf8.h"

#include <errno.h>

static bool is_continuation(unsigned char byte) {
    return (byte & 0xc0) == 0x80;
}

/* What the first byte of a sequence says: its bytes, and the range of the second, which alone
   rules out overlong forms, surrogates and numbers too large (Unicode table 3-7). */
static int sequence_len(unsigned char first, unsigned char *ret_low, unsigned char *ret_high) {
    *ret_low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    *ret_high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return -EILSEQ;
    return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* The bytes of the sequence that TEXT (not empty) begins with, or -EILSEQ. */
static int check_sequence(slice text) {
    const unsigned char *at = (const unsigned char *)text.ptr;
    unsigned char low;
    unsigned char high;
    int len = sequence_len(at[0], &low, &high);
    if (len <= 1)
        return len;
    if (text.len < (size_t)len || at[1] < low || at[1] > high)
        return -EILSEQ;
    for (int i = 2; i < len; i++) {
        if (!is_continuation(at[i]))
            return -EILSEQ;
    }
    return len;
}

/* Bytes of ASCII at the start of TEXT, or fewer by up to seven at its end. */
static size_t ascii_run(slice text) {
    size_t len = 0;
    for (; text.len - len >= 8; len += 8) {
        uint64_t word;
        memcpy(&word, text.ptr + len, 8);
        if (word & 0x8080808080808080u)
            break;
    }
    return len;
}

size_t utf8_valid_prefix(slice text) {
    slice rest = text;
    while (rest.len) {
        rest = slice_skip(rest, ascii_run(rest));
        if (rest.len == 0)
            break;
        int len = check_sequence(rest);
        if (len < 0)
            break;
        rest = slice_skip(rest, (size_t)len);
    }
    return text.len - rest.len;
}

bool utf8_valid(slice text) {
    return utf8_valid_prefix(text) == text.len;
}

bool utf8_incomplete(slice text) {
    const unsigned char *at = (const unsigned char *)text.ptr;
    unsigned char low;
    unsigned char high;
    int len = text.len ? sequence_len(at[0], &low, &high) : 0;
    if (len <= 1 || text.len >= (size_t)len)
        return false;
    return text.len < 2 ||
           (at[1] >= low && at[1] <= high && (text.len < 3 || is_continuation(at[2])));
}

int utf8_decode(slice text, uint32_t *ret_code_point) {
    if (text.len == 0)
        return 0;
    int len = check_sequence(text);
    if (len < 0)
        return len;
    const unsigned char *at = (const unsigned char *)text.ptr;
    static const unsigned char first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t code_point = at[0] & first_bits[len];
    for (int i = 1; i < len; i++)
        code_point = code_point << 6 | (at[i] & 0x3fu);
    *ret_code_point = code_point;
    return len;
}

int utf8_encode(uint32_t code_point, char *out) {
    if (code_point > 0x10ffff || (code_point >= 0xd800 && code_point <= 0xdfff))
        return -EINVAL;
    if (code_point < 0x80) {
        out[0] = (char)code_point;
        return 1;
    }
    static const unsigned char marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
    int len = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    for (int i = len - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code_point & 0x3f));
        code_point >>= 6;
    }
    out[0] = (char)(marks[len] | code_point);
    return len;
}

size_t utf8_count(slice text) {
    size_t count = 0;
    while (text.len) {
        size_t ascii = ascii_run(text);
        count += ascii;
        text = slice_skip(text, ascii);
        if (text.len == 0)
            break;
        int len = check_sequence(text);
        text = slice_skip(text, len > 0 ? (size_t)len : 1);
        count++;
    }
    return count;
}
