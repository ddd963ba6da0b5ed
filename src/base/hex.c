#include "base/hex.h"

#include <errno.h>

size_t hex_encode(slice bytes, char *out) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char byte = (unsigned char)bytes.ptr[i];
        out[2 * i] = digits[byte >> 4];
        out[2 * i + 1] = digits[byte & 15];
    }
    return 2 * bytes.len;
}

/* Values, one more than they are: a table, since digits of hashes cannot be predicted. */
static const unsigned char values[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

int hex_digit(char c) {
    return values[(unsigned char)c] - 1;
}

int hex_decode(slice text, void *out, size_t size, size_t *ret_len) {
    unsigned char *to = out;
    if (text.len % 2 != 0)
        return -EINVAL;
    if (text.len / 2 > size)
        return -ENOSPC;
    for (size_t i = 0; i < text.len; i += 2) {
        int high = hex_digit(text.ptr[i]);
        int low = hex_digit(text.ptr[i + 1]);
        if (high < 0 || low < 0)
            return -EINVAL;
        to[i / 2] = (unsigned char)(high << 4 | low);
    }
    *ret_len = text.len / 2;
    return 0;
}
