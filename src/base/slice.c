#include "base/slice.h"

#include <errno.h>

ptrdiff_t slice_find(slice s, char byte) {
    const char *at = s.len ? memchr(s.ptr, byte, s.len) : NULL;
    return at ? at - s.ptr : -1;
}

ptrdiff_t slice_find_slice(slice s, slice needle) {
    if (needle.len == 0)
        return 0;
    const char *at = s.len ? memmem(s.ptr, s.len, needle.ptr, needle.len) : NULL;
    return at ? at - s.ptr : -1;
}

/* The eight bytes of WORD with capital ASCII letters made small. In each byte the top bit of a sum
   says whether the lower seven are at least 'A', and whether they are above 'Z'. */
static uint64_t lower_word(uint64_t word) {
    const uint64_t ones = 0x0101010101010101, tops = 0x80 * ones;
    uint64_t low = word & ~tops;
    uint64_t capital = ((low + (0x80 - 'A') * ones) ^ (low + (0x7f - 'Z') * ones)) & ~word & tops;
    return word | capital >> 2;
}

static bool same_words(uint64_t a, uint64_t b) {
    return a == b || lower_word(a) == lower_word(b);
}

static uint64_t load_8(const char *at) {
    uint64_t word;
    memcpy(&word, at, 8);
    return word;
}

/* LEN bytes, 1 to 7, each at least once: what lies outside is not looked at. */
static uint64_t load_few(const char *at, size_t len) {
    uint32_t head, tail;
    if (len < 4)
        return (uint64_t)(unsigned char)at[0] | (uint64_t)(unsigned char)at[len / 2] << 8 |
               (uint64_t)(unsigned char)at[len - 1] << 16;
    memcpy(&head, at, 4);
    memcpy(&tail, at + len - 4, 4);
    return (uint64_t)head << 32 | tail;
}

bool slice_equal_nocase(slice a, slice b) {
    if (a.len != b.len)
        return false;
    if (a.len < 8)
        return a.len == 0 || same_words(load_few(a.ptr, a.len), load_few(b.ptr, b.len));
    for (size_t i = 0; i + 8 < a.len; i += 8)
        if (!same_words(load_8(a.ptr + i), load_8(b.ptr + i)))
            return false;
    return same_words(load_8(a.ptr + a.len - 8), load_8(b.ptr + a.len - 8));
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

slice slice_trim(slice s) {
    while (s.len && is_blank(s.ptr[0]))
        s = slice_skip(s, 1);
    while (s.len && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

slice slice_cut(slice s, char separator, slice *ret_rest) {
    ptrdiff_t at = slice_find(s, separator);
    if (at < 0) {
        *ret_rest = slice_make(NULL, 0);
        return s;
    }
    *ret_rest = slice_skip(s, (size_t)at + 1);
    return slice_take(s, (size_t)at);
}

int slice_to_string(slice s, char *out, size_t size) {
    if (s.len >= size)
        return -ENOSPC;
    if (slice_find(s, '\0') >= 0)
        return -EINVAL;
    if (s.len)
        memcpy(out, s.ptr, s.len);
    out[s.len] = '\0';
    return 0;
}
