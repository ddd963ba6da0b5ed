/*
 * mask.h - which of the next 64 bytes are special, as the bits of one word.
 *
 * Text protocols are mostly bytes of no interest. A parser that asks for a mask and visits its
 * set bits spends one step on each byte that matters and a fraction of one on each that does not.
 * SSE2 belongs to every x86-64; elsewhere compilers turn the plain loop into what they have.
 */
#ifndef NONET_WIRE_MASK_H
#define NONET_WIRE_MASK_H

#include "base/check.h"

#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { MASK_BYTES = 64 };

/* Bit i is set where byte i of the 64 at AT is not above LAST. */
static inline uint64_t mask_up_to_64(const char *at, unsigned char last) {
    uint64_t mask = 0;
#ifdef __SSE2__
    const __m128i bound = _mm_set1_epi8((char)last);
    for (unsigned i = 0; i < MASK_BYTES / 16; i++) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(at + 16 * i));
        __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, bound), bytes);
        mask |= (uint64_t)(uint32_t)_mm_movemask_epi8(low) << (16 * i);
    }
#else
    for (unsigned i = 0; i < MASK_BYTES; i++)
        mask |= (uint64_t)((unsigned char)at[i] <= last) << i;
#endif
    return mask;
}

/* Bit i is set where byte i of the 64 at AT is WANTED. */
static inline uint64_t mask_equal_64(const char *at, unsigned char wanted) {
    uint64_t mask = 0;
#ifdef __SSE2__
    const __m128i byte = _mm_set1_epi8((char)wanted);
    for (unsigned i = 0; i < MASK_BYTES / 16; i++) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(at + 16 * i));
        __m128i same = _mm_cmpeq_epi8(bytes, byte);
        mask |= (uint64_t)(uint32_t)_mm_movemask_epi8(same) << (16 * i);
    }
#else
    for (unsigned i = 0; i < MASK_BYTES; i++)
        mask |= (uint64_t)((unsigned char)at[i] == wanted) << i;
#endif
    return mask;
}

/* Copies COUNT bytes, fewer than 64, to OUT and fills it up with a byte that no protocol looks for:
   for masks at the end of the input. Returns OUT. */
static inline const char *mask_pad(const char *at, size_t count, char out[MASK_BYTES]) {
    check(count < MASK_BYTES);
    memset(out, 0xff, MASK_BYTES);
    memcpy(out, at, count);
    return out;
}

#endif
