/*
 * template.c - reading and expanding templates (template.h).
 *
 * A template is walked as it stands each time: it is a few dozen bytes, so nothing is made of it
 * beforehand. The check expands it with samples, so that both read it the same way.
 */
#include "rooms/gateway/template.h"

#include "base/buf.h"
#include "wire/nats_subject.h"
#include "wire/url.h"

#include <errno.h>

/* Takes the next piece off *REST: text, or with *RET_NAME a name in braces. False at the end or,
   with *RET_BROKEN, at a brace that is not one of a pair. */
static bool next_piece(slice *rest, slice *ret_piece, bool *ret_name, bool *ret_broken) {
    *ret_broken = false;
    if (rest->len == 0)
        return false;
    *ret_name = rest->ptr[0] == '{';
    if (!*ret_name) {
        size_t len = 0;
        while (len < rest->len && rest->ptr[len] != '{' && rest->ptr[len] != '}')
            len++;
        *ret_broken = len == 0;
        *ret_piece = slice_take(*rest, len);
        *rest = slice_skip(*rest, len);
        return !*ret_broken;
    }
    ptrdiff_t end = slice_find(*rest, '}');
    *ret_broken = end < 2;
    if (*ret_broken)
        return false;
    *ret_piece = slice_make(rest->ptr + 1, (size_t)end - 1);
    *rest = slice_skip(*rest, (size_t)end + 1);
    return true;
}

/* Whether PATTERN has the parameter NAME. */
static bool has_parameter(slice pattern, slice name) {
    slice rest = pattern;
    while (rest.ptr) {
        slice segment = slice_cut(rest, '/', &rest);
        if (!rest.ptr && slice_equal(segment, slice_lit("*")) && slice_equal(name, slice_lit("*")))
            return true;
        if (segment.len > 2 && segment.ptr[0] == '{' &&
            slice_equal(slice_make(segment.ptr + 1, segment.len - 2), name))
            return true;
    }
    return false;
}

static bool looks_right(slice sample, enum template_kind kind) {
    struct url url;
    switch (kind) {
    case TEMPLATE_SUBJECT:
        return nats_subject_literal(sample);
    case TEMPLATE_FILTER:
        return nats_subject_valid(sample);
    case TEMPLATE_PATH:
        return slice_starts_with(sample, slice_lit("/")) && slice_find(sample, '?') < 0 &&
               slice_find(sample, ' ') < 0;
    case TEMPLATE_URL:
        return slice_find(sample, ' ') < 0 &&
               (slice_starts_with(sample, slice_lit("/")) || url_parse(sample, &url) == 0);
    }
    return false;
}

static const char *kind_name(enum template_kind kind) {
    static const char *const names[] = {"a subject to publish to", "a subject", "a path",
                                        "a URL or path"};
    return names[kind];
}

int template_check(slice text, enum template_kind kind, slice pattern, struct error *ret_error) {
    _cleanup_buf_ struct buf sample = buf_make(TEMPLATE_EXPANDED_MAX);
    slice rest = text, piece;
    bool name, broken;
    int failed = 0;
    while (!failed && next_piece(&rest, &piece, &name, &broken)) {
        if (name && !has_parameter(pattern, piece)) {
            error_set(ret_error, -EINVAL, "names {%.*s}, which the path '%.*s' does not have",
                      slice_fmt(slice_take(piece, 64)), slice_fmt(slice_take(pattern, 64)));
            error_hint(ret_error, "parameters of the path are written {name}, its last star {*}");
            return -EINVAL;
        }
        failed = buf_append(&sample, name ? slice_lit("x") : piece);
    }
    if (failed == -ENOMEM)
        return failed;
    if (!failed && !broken && looks_right(buf_slice(&sample), kind))
        return 0;
    error_set(ret_error, -EINVAL, "is not %s: '%.*s'", kind_name(kind),
              slice_fmt(slice_take(text, 64)));
    return -EINVAL;
}

/* --- expanding ---------------------------------------------------------------------------------
 */

/* VALUE as one token of a subject, or as several where it is what the star stands for. */
static int append_tokens(struct buf *out, slice value, bool star) {
    if (value.len == 0)
        return -EINVAL;
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        bool parts = star && c == '/';
        bool empty = parts && (i == 0 || i + 1 == value.len || value.ptr[i + 1] == '/');
        if (c <= ' ' || c == 0x7f || c == '.' || c == '*' || c == '>' || empty)
            return -EINVAL;
        int failed = buf_append_byte(out, parts ? '.' : (char)c);
        if (failed)
            return failed;
    }
    return 0;
}

static bool is_plain(unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           memchr("-._~!$&'()*+,;=:@", c, 17);
}

static int append_encoded(struct buf *out, slice value, bool star) {
    int failed = 0;
    for (size_t i = 0; i < value.len && !failed; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        bool plain = is_plain(c) || (star && c == '/');
        failed = plain ? buf_append_byte(out, (char)c) : buf_printf(out, "%%%02X", c);
    }
    return failed;
}

static int append_value(struct buf *out, slice name, enum template_kind kind,
                        const struct http_parameter *parameters, unsigned count) {
    bool star = slice_equal(name, slice_lit("*"));
    for (unsigned i = 0; i < count; i++)
        if (slice_equal(parameters[i].name, name))
            return kind == TEMPLATE_SUBJECT || kind == TEMPLATE_FILTER
                       ? append_tokens(out, parameters[i].value, star)
                       : append_encoded(out, parameters[i].value, star);
    return -EINVAL;
}

int template_expand(slice text, enum template_kind kind, const struct http_parameter *parameters,
                    unsigned parameter_count, struct arena *arena, slice *ret_text) {
    if (slice_find(text, '{') < 0) {
        *ret_text = text;
        return 0;
    }
    _cleanup_buf_ struct buf out = buf_make(TEMPLATE_EXPANDED_MAX);
    slice rest = text, piece;
    bool name, broken;
    int failed = 0;
    while (!failed && next_piece(&rest, &piece, &name, &broken))
        failed = name ? append_value(&out, piece, kind, parameters, parameter_count)
                      : buf_append(&out, piece);
    return failed ? failed : arena_copy(arena, buf_slice(&out), ret_text);
}
