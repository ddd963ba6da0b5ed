/*
 * mask.h - which of the next 64 or 16 bytes are special, as the bits of one word.
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

enum { MASK_BYTES = 64, MASK_BYTES_SHORT = 16 };

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

/* The same for 16 bytes, in the low bits. */
static inline unsigned mask_equal_16(const char *at, unsigned char wanted) {
#ifdef __SSE2__
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8((char)wanted)));
#else
    unsigned mask = 0;
    for (unsigned i = 0; i < MASK_BYTES_SHORT; i++)
        mask |= (unsigned)((unsigned char)at[i] == wanted) << i;
    return mask;
#endif
}

/* Bit i is set where byte i is a control byte other than tab. */
static inline unsigned mask_control_16(const char *at) {
#ifdef __SSE2__
    const __m128i bound = _mm_set1_epi8(0x1f);
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, bound), bytes);
    __m128i tab = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t'));
    __m128i del = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_andnot_si128(tab, low), del));
#else
    unsigned mask = 0;
    for (unsigned i = 0; i < MASK_BYTES_SHORT; i++) {
        const unsigned char c = (unsigned char)at[i];
        mask |= (unsigned)((c < ' ' && c != '\t') || c == 0x7f) << i;
    }
    return mask;
#endif
}

/* Bit i is set where byte i is a letter, a digit or a dash. */
static inline unsigned mask_word_16(const char *at) {
#ifdef __SSE2__
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i letter = _mm_sub_epi8(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
    __m128i digit = _mm_sub_epi8(bytes, _mm_set1_epi8('0'));
    __m128i letters = _mm_cmpeq_epi8(_mm_min_epu8(letter, _mm_set1_epi8('z' - 'a')), letter);
    __m128i digits = _mm_cmpeq_epi8(_mm_min_epu8(digit, _mm_set1_epi8(9)), digit);
    __m128i dashes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('-'));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(letters, digits), dashes));
#else
    unsigned mask = 0;
    for (unsigned i = 0; i < MASK_BYTES_SHORT; i++) {
        const unsigned char c = (unsigned char)at[i], lower = c | 0x20;
        mask |= (unsigned)((lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-')
                << i;
    }
    return mask;
#endif
}

/* Index of the first WANTED of COUNT bytes, or COUNT: for lines, which are too short for a call. */
static inline size_t mask_find(const char *at, size_t count, unsigned char wanted) {
    size_t i = 0;
    for (; i + MASK_BYTES_SHORT <= count; i += MASK_BYTES_SHORT) {
        unsigned mask = mask_equal_16(at + i, wanted);
        if (mask)
            return i + (unsigned)__builtin_ctz(mask);
    }
    while (i < count && (unsigned char)at[i] != wanted)
        i++;
    return i;
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
