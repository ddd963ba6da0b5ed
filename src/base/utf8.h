/*
 * utf8.h - UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF.
 *
 * Bytes of strangers are validated once, where they enter as text (JSON, YAML, labels), and passed
 * on as they are: nothing here repairs or copies. Most text is ASCII, so validation skips that
 * eight bytes at a time.
 */
#ifndef NONET_BASE_UTF8_H
#define NONET_BASE_UTF8_H

#include "base/check.h"
#include "base/slice.h"

#define UTF8_MAX 4               /* bytes of the longest sequence */
#define UTF8_REPLACEMENT 0xfffdu /* what stands for bytes that are no UTF-8 */

bool utf8_valid(slice text);

/* Bytes of the longest valid beginning of TEXT: text.len where all of it is valid. */
size_t utf8_valid_prefix(slice text);

/* TEXT is the beginning of one sequence whose other bytes have not come: what a valid text that was
   cut somewhere may leave behind its valid prefix. */
bool utf8_incomplete(slice text);

/* Decodes the first code point. Returns its bytes (1..4), 0 where TEXT is empty, or -EILSEQ. */
must_use int utf8_decode(slice text, uint32_t *ret_code_point);

/* Writes CODE_POINT to OUT of UTF8_MAX bytes. Returns the bytes (1..4), or -EINVAL for a surrogate
   or a number above 0x10ffff. */
must_use int utf8_encode(uint32_t code_point, char *out);

/* Code points in TEXT; a byte that starts no valid sequence counts as one. */
size_t utf8_count(slice text);

#endif
