/*
 * base32.h - base32 of RFC 4648 without padding (A-Z 2-7): the text of NATS nkeys.
 *
 * Decoding is strict, so that one key has one text: upper case only, no padding, unused bits zero.
 * Lengths that no whole number of bytes gives are refused. Outputs are untouched on -ENOSPC.
 */
#ifndef NONET_BASE_BASE32_H
#define NONET_BASE_BASE32_H

#include "base/check.h"
#include "base/slice.h"

/* Characters that encode LEN bytes (no NUL). LEN is at most SIZE_MAX / 2. */
static inline size_t base32_encoded_len(size_t len) {
    return len / 5 * 8 + (len % 5 * 8 + 4) / 5;
}

/* Bytes that LEN characters decode to. */
static inline size_t base32_decoded_len(size_t len) {
    return len / 8 * 5 + len % 8 * 5 / 8;
}

/* Writes base32_encoded_len characters to OUT, no NUL. Returns how many. */
size_t base32_encode(slice bytes, char *out);

/* Decodes to OUT of SIZE bytes. 0, -EINVAL, or -ENOSPC. */
must_use int base32_decode(slice text, void *out, size_t size, size_t *ret_len);

#endif
