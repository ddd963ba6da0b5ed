#include "base/base32.h"

#include <errno.h>

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

size_t base32_encode(slice bytes, char *out) {
    char *to = out;
    unsigned bits = 0;
    unsigned bit_count = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        bits = (bits << 8 | (unsigned char)bytes.ptr[i]) & 0xffff;
        for (bit_count += 8; bit_count >= 5;) {
            bit_count -= 5;
            *to++ = letters[bits >> bit_count & 31];
        }
    }
    if (bit_count)
        *to++ = letters[bits << (5 - bit_count) & 31];
    return (size_t)(to - out);
}

static int letter_value(char c) {
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= '2' && c <= '7')
        return c - '2' + 26;
    return -1;
}

int base32_decode(slice text, void *out, size_t size, size_t *ret_len) {
    size_t len = base32_decoded_len(text.len);
    if (base32_encoded_len(len) != text.len)
        return -EINVAL; /* 1, 3 or 6 letters behind the last eight are no whole bytes */
    if (len > size)
        return -ENOSPC;
    unsigned char *to = out;
    unsigned bits = 0;
    unsigned bit_count = 0;
    for (size_t i = 0; i < text.len; i++) {
        int value = letter_value(text.ptr[i]);
        if (value < 0)
            return -EINVAL;
        bits = (bits << 5 | (unsigned)value) & 0xffff;
        bit_count += 5;
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
