#include "base/crc32c.h"

#include "base/check.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

#define POLYNOMIAL 0x82f63b78u /* bit-reversed: the lowest bit is the highest power */

typedef uint32_t update_function(uint32_t crc, const unsigned char *at, size_t len);

/* Built once before main, then only read. */
static uint32_t table[8][256];
static update_function *update_chosen;

static uint64_t load_word(const unsigned char *at) {
    uint64_t word;
    memcpy(&word, at, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* Eight bytes a step: table k holds what a byte comes to after k more zero bytes. */
static uint32_t update_portable(uint32_t crc, const unsigned char *at, size_t len) {
    for (; len >= 8; len -= 8, at += 8) {
        uint64_t word = load_word(at) ^ crc;
        crc = 0;
        for (unsigned i = 0; i < 8; i++)
            crc ^= table[7 - i][(word >> (8 * i)) & 0xff];
    }
    for (; len; len--, at++)
        crc = table[0][(crc ^ *at) & 0xff] ^ (crc >> 8);
    return crc;
}

#if defined(__x86_64__)
#define LONG_RUN ((size_t)1024) /* bytes of each of the three runs */
#define SHORT_RUN ((size_t)128)

/* For each run length, what to multiply a checksum with so that it counts for one or two runs of
   bytes more. */
static struct {
    uint64_t one;
    uint64_t two;
} long_fold, short_fold;

/* x^(8 BYTES - 33): the carry-less product of two reversed 32-bit values lies one bit low and the
   CRC instruction then adds 32 bits, so 33 bits are taken off here. */
static uint64_t fold_constant(size_t bytes) {
    uint32_t power = 0x80000000u; /* x^0 */
    for (size_t bit = 0; bit < 8 * bytes - 33; bit++)
        power = (power >> 1) ^ (power & 1 ? POLYNOMIAL : 0);
    return power;
}

#define X86_CRC __attribute__((target("sse4.2,pclmul")))

X86_CRC static inline uint64_t run_word(uint64_t crc, const unsigned char *at) {
    return _mm_crc32_u64(crc, load_word(at));
}

X86_CRC static inline uint64_t fold(uint64_t crc, uint64_t constant) {
    __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)crc),
                                           _mm_cvtsi64_si128((long long)constant), 0);
    return _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

/* Three runs of RUN bytes side by side, then folded into one checksum. */
X86_CRC static inline __attribute__((always_inline)) uint64_t
three_runs(uint64_t crc, const unsigned char *at, size_t run, uint64_t fold_one,
           uint64_t fold_two) {
    uint64_t second = 0;
    uint64_t third = 0;
    for (size_t i = 0; i < run; i += 8) {
        crc = run_word(crc, at + i);
        second = run_word(second, at + run + i);
        third = run_word(third, at + 2 * run + i);
    }
    return fold(crc, fold_two) ^ fold(second, fold_one) ^ third;
}

X86_CRC static uint32_t update_x86(uint32_t start, const unsigned char *at, size_t len) {
    uint64_t crc = start;
    for (; len >= 3 * LONG_RUN; len -= 3 * LONG_RUN, at += 3 * LONG_RUN)
        crc = three_runs(crc, at, LONG_RUN, long_fold.one, long_fold.two);
    for (; len >= 3 * SHORT_RUN; len -= 3 * SHORT_RUN, at += 3 * SHORT_RUN)
        crc = three_runs(crc, at, SHORT_RUN, short_fold.one, short_fold.two);
    for (; len >= 8; len -= 8, at += 8)
        crc = run_word(crc, at);
    for (; len; len--, at++)
        crc = _mm_crc32_u8((uint32_t)crc, *at);
    return (uint32_t)crc;
}

static update_function *choose(void) {
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("sse4.2") || !__builtin_cpu_supports("pclmul"))
        return update_portable;
    long_fold.one = fold_constant(LONG_RUN);
    long_fold.two = fold_constant(2 * LONG_RUN);
    short_fold.one = fold_constant(SHORT_RUN);
    short_fold.two = fold_constant(2 * SHORT_RUN);
    return update_x86;
}

#elif defined(__aarch64__)
#define ARM_HWCAP_CRC32 (1ul << 7)

/* The instructions as such: the compilers do not agree on how to allow their intrinsics in one
   function only. */
static inline uint32_t arm_word(uint32_t crc, uint64_t word) {
    __asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(crc) : "r"(word));
    return crc;
}

static inline uint32_t arm_byte(uint32_t crc, uint32_t byte) {
    __asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1" : "+r"(crc) : "r"(byte));
    return crc;
}

static uint32_t update_arm(uint32_t crc, const unsigned char *at, size_t len) {
    for (; len >= 8; len -= 8, at += 8)
        crc = arm_word(crc, load_word(at));
    for (; len; len--, at++)
        crc = arm_byte(crc, *at);
    return crc;
}

static update_function *choose(void) {
    return getauxval(AT_HWCAP) & ARM_HWCAP_CRC32 ? update_arm : update_portable;
}

#else
static update_function *choose(void) {
    return update_portable;
}
#endif

__attribute__((constructor)) static void prepare(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
        table[0][byte] = crc;
    }
    for (unsigned k = 1; k < 8; k++) {
        for (unsigned byte = 0; byte < 256; byte++)
            table[k][byte] = table[0][table[k - 1][byte] & 0xff] ^ (table[k - 1][byte] >> 8);
    }
    update_chosen = choose();
}

uint32_t crc32c_update(uint32_t crc, const void *bytes, size_t len) {
    return ~update_chosen(~crc, bytes, len);
}

uint32_t crc32c_update_portable(uint32_t crc, const void *bytes, size_t len) {
    return ~update_portable(~crc, bytes, len);
}

bool crc32c_hardware(void) {
    return update_chosen != update_portable;
}
