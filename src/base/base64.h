/*
 * base64.h - base64 of RFC 4648, the standard and the URL alphabet.
 *
 * Decoding is strict, so that two texts never mean the same bytes (tokens and signatures are
 * compared as text): no blanks, no foreign letters, unused bits zero, padding exactly as asked.
 */
#ifndef NONET_BASE_BASE64_H
#define NONET_BASE_BASE64_H

#include "base/check.h"
#include "base/slice.h"

enum base64_form {
    BASE64_STANDARD,     /* + / and padding */
    BASE64_STANDARD_RAW, /* + / without padding */
    BASE64_URL,          /* - _ and padding */
    BASE64_URL_RAW,      /* - _ without padding */
};

/* Characters that encode LEN bytes (no NUL). LEN is at most SIZE_MAX / 2. */
size_t base64_encoded_len(enum base64_form form, size_t len);

/* The most bytes that LEN characters decode to. */
static inline size_t base64_decoded_max(size_t len) {
    return len / 4 * 3 + 3;
}

/* Writes base64_encoded_len characters to OUT, no NUL. Returns how many. */
size_t base64_encode(enum base64_form form, slice bytes, char *out);

/* Decodes to OUT of SIZE bytes; it may be TEXT's own memory. 0, -EINVAL, or -ENOSPC. */
must_use int base64_decode(enum base64_form form, slice text, void *out, size_t size,
                           size_t *ret_len);

#endif
