/*
 * hex.h - bytes as hexadecimal text, two digits a byte.
 *
 * Written in lower case, read in either: people paste checksums from everywhere. Blanks and odd
 * lengths are refused. The caller gives the room; nothing is allocated.
 */
#ifndef NONET_BASE_HEX_H
#define NONET_BASE_HEX_H

#include "base/check.h"
#include "base/slice.h"

/* Writes 2 characters a byte to OUT, no NUL. Returns how many. */
size_t hex_encode(slice bytes, char *out);

/* Decodes to OUT of SIZE bytes. 0, -EINVAL (odd length, foreign letter), or -ENOSPC. */
must_use int hex_decode(slice text, void *out, size_t size, size_t *ret_len);

/* The value of one digit, or -1. */
int hex_digit(char c);

#endif
