/*
 * origin.c - patterns of origins, checked and compared (origin.h).
 *
 * A star stands for whole labels at the front of the host. What it stands for may hold nothing but
 * bytes of a host, so "https://evil.example/.shop.example" is not below shop.example.
 */
#include "rooms/gateway/origin.h"

#include <errno.h>

static const slice any = {"*", 1};
static const slice null_origin = {"null", 4};

static bool is_label_byte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

/* One label or more, parted by single dots. */
static bool is_labels(slice text) {
    bool after_dot = true;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '.' && !is_label_byte(text.ptr[i]))
            return false;
        if (text.ptr[i] == '.' && after_dot)
            return false;
        after_dot = text.ptr[i] == '.';
    }
    return !after_dot;
}

static bool is_port(slice text) {
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    return text.len > 0 && text.len <= 5;
}

/* "shop.example", "[::1]", with or without a port. */
static bool is_host(slice text) {
    slice port;
    if (slice_starts_with(text, slice_lit("["))) {
        ptrdiff_t end = slice_find(text, ']');
        slice rest = slice_skip(text, (size_t)(end + 1));
        return end > 1 && (rest.len == 0 || (rest.ptr[0] == ':' && is_port(slice_skip(rest, 1))));
    }
    slice name = slice_cut(text, ':', &port);
    return is_labels(name) && (!port.ptr || is_port(port));
}

int origin_pattern_check(slice pattern) {
    if (slice_equal(pattern, any) || slice_equal(pattern, null_origin))
        return 0;
    ptrdiff_t scheme = slice_find_slice(pattern, slice_lit("://"));
    if (scheme <= 0)
        return -EINVAL;
    for (ptrdiff_t i = 0; i < scheme; i++)
        if (!is_label_byte(pattern.ptr[i]) && pattern.ptr[i] != '+' && pattern.ptr[i] != '.')
            return -EINVAL;
    slice host = slice_skip(pattern, (size_t)scheme + 3);
    if (slice_starts_with(host, slice_lit("*.")))
        host = slice_skip(host, 2);
    return is_host(host) ? 0 : -EINVAL;
}

static bool fits_star(slice pattern, size_t star, slice origin) {
    slice before = slice_take(pattern, star), behind = slice_skip(pattern, star + 1);
    if (origin.len <= before.len + behind.len)
        return false;
    size_t middle = origin.len - before.len - behind.len;
    return is_labels(slice_take(slice_skip(origin, before.len), middle)) &&
           slice_equal_nocase(slice_take(origin, before.len), before) &&
           slice_equal_nocase(slice_skip(origin, before.len + middle), behind);
}

bool origin_fits(slice pattern, slice origin) {
    if (slice_equal(pattern, any))
        return true;
    ptrdiff_t star = slice_find(pattern, '*');
    return star < 0 ? slice_equal_nocase(pattern, origin)
                    : fits_star(pattern, (size_t)star, origin);
}
