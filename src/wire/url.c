/*
 * url.c - authorities, paths, queries; see url.h for why so strict.
 *
 * Nothing is allocated: parts are slices of what was given, and what is decoded is never longer
 * than it was, so it may go where it came from.
 */
#include "wire/url.h"

#include "base/hex.h"
#include "base/ip.h"

#include <errno.h>

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_letter(char c) {
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static bool is_host_byte(char c) {
    return is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

static bool is_number_up_to(slice text, unsigned max, unsigned *ret_number) {
    enum { DIGITS_MAX = 5 };
    unsigned number = 0;
    if (text.len == 0 || text.len > DIGITS_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.ptr[i]))
            return false;
        number = number * 10 + (unsigned)(text.ptr[i] - '0');
    }
    *ret_number = number;
    return number <= max;
}

static bool is_ipv6(slice text) {
    struct ip ip;
    return slice_find(text, ':') >= 0 && ip_parse(text, &ip) == 0;
}

static bool is_host_name(slice host) {
    for (size_t i = 0; i < host.len; i++) {
        if (!is_host_byte(host.ptr[i]))
            return false;
    }
    return host.len > 0;
}

/* ":port" or nothing. */
static int parse_port(slice text, struct url_authority *a) {
    if (text.len == 0)
        return 0;
    unsigned number;
    if (text.ptr[0] != ':' || !is_number_up_to(slice_skip(text, 1), 65535, &number))
        return -EINVAL;
    a->has_port = true;
    a->port = (uint16_t)number;
    return 0;
}

int url_parse_authority(slice text, struct url_authority *ret_authority) {
    struct url_authority a = {.is_ipv6 = false};
    for (size_t i = text.len; i > 0; i--) { /* the last '@': a password may hold one */
        if (text.ptr[i - 1] == '@') {
            a.user = slice_take(text, i - 1);
            text = slice_skip(text, i);
            break;
        }
    }
    size_t end;
    if (text.len > 0 && text.ptr[0] == '[') {
        ptrdiff_t close = slice_find(text, ']');
        if (close < 0)
            return -EINVAL;
        a.host = slice_make(text.ptr + 1, (size_t)close - 1);
        a.is_ipv6 = true;
        end = (size_t)close + 1;
    } else {
        ptrdiff_t colon = slice_find(text, ':');
        end = colon < 0 ? text.len : (size_t)colon;
        a.host = slice_take(text, end);
    }
    if (a.is_ipv6 ? !is_ipv6(a.host) : !is_host_name(a.host))
        return -EINVAL;
    if (parse_port(slice_skip(text, end), &a) < 0)
        return -EINVAL;
    *ret_authority = a;
    return 0;
}

bool url_same_authority(slice a, slice b, uint16_t default_port) {
    struct url_authority left, right;
    if (url_parse_authority(a, &left) < 0 || url_parse_authority(b, &right) < 0)
        return false;
    const uint16_t left_port = left.has_port ? left.port : default_port;
    const uint16_t right_port = right.has_port ? right.port : default_port;
    return left_port == right_port && left.is_ipv6 == right.is_ipv6 &&
           slice_equal_nocase(left.host, right.host);
}

static bool is_scheme(slice scheme) {
    for (size_t i = 0; i < scheme.len; i++) {
        const char c = scheme.ptr[i];
        if (!is_letter(c) && (i == 0 || (!is_digit(c) && c != '+' && c != '-' && c != '.')))
            return false;
    }
    return scheme.len > 0;
}

int url_parse(slice text, struct url *ret_url) {
    struct url url = {.scheme = {NULL, 0}};
    ptrdiff_t colon = slice_find_slice(text, slice_lit("://"));
    if (colon < 0 || slice_find(text, '#') >= 0)
        return -EINVAL;
    url.scheme = slice_take(text, (size_t)colon);
    slice rest = slice_skip(text, (size_t)colon + 3);
    size_t end = 0;
    while (end < rest.len && rest.ptr[end] != '/' && rest.ptr[end] != '?')
        end++;
    url.authority_text = slice_take(rest, end);
    if (!is_scheme(url.scheme) || url_parse_authority(url.authority_text, &url.authority) < 0)
        return -EINVAL;
    url.path = url_cut_query(slice_skip(rest, end), &url.query);
    *ret_url = url;
    return 0;
}

size_t url_encode(slice text, const char *plain, char *out) {
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        const unsigned char c = (unsigned char)text.ptr[i];
        if (is_letter((char)c) || is_digit((char)c) || (c && strchr(plain, c))) {
            out[len++] = (char)c;
            continue;
        }
        out[len++] = '%';
        out[len++] = "0123456789ABCDEF"[c >> 4];
        out[len++] = "0123456789ABCDEF"[c & 15];
    }
    return len;
}

size_t url_encode_path(slice path, char *out) {
    return url_encode(path, "-._~/!$&'()*+,=:@", out);
}

size_t url_encode_segment(slice segment, char *out) {
    return url_encode(segment, "-._~!$&'()*+,=:@", out);
}

size_t url_encode_value(slice value, char *out) {
    return url_encode(value, "-._~", out);
}

/* Takes the next byte off *TEXT, which is not empty: 0 to 255, or -EINVAL. */
static int next_byte(slice *text, bool plus_is_space) {
    slice s = *text;
    if (s.ptr[0] != '%') {
        *text = slice_skip(s, 1);
        return s.ptr[0] == '+' && plus_is_space ? ' ' : (unsigned char)s.ptr[0];
    }
    int high = s.len > 2 ? hex_digit(s.ptr[1]) : -1;
    int low = s.len > 2 ? hex_digit(s.ptr[2]) : -1;
    *text = slice_skip(s, 3);
    return high < 0 || low < 0 ? -EINVAL : high << 4 | low;
}

int url_decode(slice s, bool plus_is_space, char *out, size_t *ret_len) {
    size_t len = 0;
    while (s.len > 0) {
        int byte = next_byte(&s, plus_is_space);
        if (byte < 0)
            return byte;
        out[len++] = (char)byte;
    }
    *ret_len = len;
    return 0;
}

bool url_says(slice s, bool plus_is_space, slice plain) {
    while (s.len > 0) {
        int byte = next_byte(&s, plus_is_space);
        if (byte < 0 || plain.len == 0 || (char)byte != plain.ptr[0])
            return false;
        plain = slice_skip(plain, 1);
    }
    return plain.len == 0;
}

/* True where a decoded segment holds what could be read as another path. */
static bool is_trap(slice segment) {
    for (size_t i = 0; i < segment.len; i++) {
        const unsigned char c = (unsigned char)segment.ptr[i];
        if (c < ' ' || c == 0x7f || c == '/' || c == '\\')
            return true;
    }
    /* "..;x" is ".." to servers that know path parameters */
    return slice_starts_with(segment, slice_lit("..;")) ||
           slice_starts_with(segment, slice_lit(".;"));
}

/* Most paths are in their one form already: no escape, no segment that is empty or begins with a
   dot, no byte that could be a trap. */
static bool is_normal(slice path) {
    char before = 'a';
    for (size_t i = 0; i < path.len; i++) {
        const char c = path.ptr[i];
        if (!(is_letter(c) || is_digit(c) || c == '-' || c == '_') &&
            (before == '/' || (c != '/' && c != '.')))
            return false;
        before = c;
    }
    return true;
}

int url_path_normalize(slice path, char *out, size_t *ret_len) {
    if (path.len == 0 || path.ptr[0] != '/')
        return -EINVAL;
    if (is_normal(path)) {
        memmove(out, path.ptr, path.len);
        *ret_len = path.len;
        return 0;
    }
    size_t len = 0;    /* what is done is "/a/b", a slash before each segment */
    bool open = false; /* the path ends in a slash */
    bool after_empty = false;
    slice rest = slice_skip(path, 1);
    while (rest.ptr) {
        slice raw = slice_cut(rest, '/', &rest);
        size_t segment_len;
        out[len] = '/';
        if (url_decode(raw, false, out + len + 1, &segment_len) < 0)
            return -EINVAL;
        const slice segment = slice_make(out + len + 1, segment_len);
        if (is_trap(segment))
            return -EINVAL;
        const bool up = slice_equal(segment, slice_lit(".."));
        if (up && after_empty)
            return -EINVAL; /* "a//.." is "/" where slashes are joined first, else "a/" */
        after_empty = segment.len == 0;
        open = segment.len == 0 || up || slice_equal(segment, slice_lit("."));
        if (up) {
            if (len == 0)
                return -EINVAL;
            while (out[--len] != '/')
                continue;
        } else if (!open) {
            len += 1 + segment_len;
        }
    }
    if (open)
        out[len++] = '/';
    *ret_len = len;
    return 0;
}

bool url_query_next(slice *query, slice *ret_key, slice *ret_value) {
    while (query->len > 0) {
        slice pair = slice_cut(*query, '&', query);
        if (pair.len == 0)
            continue;
        *ret_key = slice_cut(pair, '=', ret_value);
        return true;
    }
    return false;
}

slice url_cut_query(slice target, slice *ret_query) {
    return slice_cut(target, '?', ret_query);
}
