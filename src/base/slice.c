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

static unsigned char ascii_lower(char c) {
    unsigned char byte = (unsigned char)c;
    return byte >= 'A' && byte <= 'Z' ? (unsigned char)(byte | 0x20) : byte;
}

bool slice_equal_nocase(slice a, slice b) {
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i]))
            return false;
    }
    return true;
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
