/*
 * template.c - reading and expanding templates (template.h).
 *
 * A template is walked as it stands each time: it is a few dozen bytes, so nothing is made of it
 * beforehand. The check expands it with samples, so that both read it the same way.
 */
#include "rooms/gateway/template.h"

#include "base/buf.h"
#include "wire/nats_subject.h"
#include "wire/put.h"
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

/* Whether what comes behind BEFORE, the beginning of a URL, still belongs to its host. */
static bool is_in_host(slice before, enum template_kind kind) {
    ptrdiff_t scheme = slice_find_slice(before, slice_lit("://"));
    if (kind != TEMPLATE_URL || scheme < 0)
        return false;
    slice rest = slice_skip(before, (size_t)scheme + 3);
    return slice_find(rest, '/') < 0 && slice_find(rest, '?') < 0 && slice_find(rest, '#') < 0;
}

/* Nothing but what a request's line and a Location may hold (RFC 3986 2). */
static bool is_url_text(slice text) {
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
            return false;
    return true;
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
               is_url_text(sample);
    case TEMPLATE_URL:
        return is_url_text(sample) &&
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
        if (name && is_in_host(buf_slice(&sample), kind) &&
            !(slice_starts_with(rest, slice_lit(".")) && rest.len > 1)) {
            error_set(ret_error, -EINVAL, "lets the path say which host {%.*s} is",
                      slice_fmt(slice_take(piece, 64)));
            error_hint(ret_error, "in a host a name may stand before a '.' only: "
                                  "https://{name}.shop.example/");
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

/* VALUE as one token of a subject, or as several where it is what the star stands for. The new end,
   or NULL where it cannot be. */
static char *put_tokens(char *out, slice value, bool star) {
    if (value.len == 0)
        return NULL;
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        bool parts = star && c == '/';
        bool empty = parts && (i == 0 || i + 1 == value.len || value.ptr[i + 1] == '/');
        if (c <= ' ' || c == 0x7f || c == '.' || c == '*' || c == '>' || empty)
            return NULL;
        *out++ = parts ? '.' : (char)c;
    }
    return out;
}

/* A part of a host stays one: what else it held might say where the request goes. */
static char *put_labels(char *out, slice value) {
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '-' && c != '.')
            return NULL;
    }
    return value.len ? put_bytes(out, value) : NULL;
}

/* BEFORE: what is expanded already. */
static char *put_value(char *out, slice before, slice value, enum template_kind kind, bool star) {
    if (kind == TEMPLATE_SUBJECT || kind == TEMPLATE_FILTER)
        return put_tokens(out, value, star);
    if (is_in_host(before, kind))
        return put_labels(out, value);
    if (slice_find(before, '?') >= 0)
        return out + url_encode_value(value, out);
    return out + (star ? url_encode_path(value, out) : url_encode_segment(value, out));
}

static const slice *find_value(slice name, const struct http_parameter *parameters,
                               unsigned count) {
    for (unsigned i = 0; i < count; i++)
        if (slice_equal(parameters[i].name, name))
            return &parameters[i].value;
    return NULL;
}

/* Bytes that TEXT may come to; 0 where a name stands for nothing. */
static size_t room_for(slice text, const struct http_parameter *parameters, unsigned count) {
    slice rest = text, piece;
    bool name, broken;
    size_t room = text.len;
    while (next_piece(&rest, &piece, &name, &broken)) {
        const slice *value = name ? find_value(piece, parameters, count) : NULL;
        if (name && !value)
            return 0;
        room += value ? value->len * 3 : 0;
    }
    return room;
}

int template_expand(slice text, enum template_kind kind, const struct http_parameter *parameters,
                    unsigned parameter_count, struct arena *arena, slice *ret_text) {
    if (slice_find(text, '{') < 0) {
        *ret_text = text;
        return 0;
    }
    size_t room = room_for(text, parameters, parameter_count);
    char *out = room ? arena_alloc(arena, room) : NULL, *at = out;
    if (!out)
        return room ? -ENOMEM : -EINVAL;
    slice rest = text, piece;
    bool name, broken;
    while (at && next_piece(&rest, &piece, &name, &broken)) {
        slice before = slice_make(out, (size_t)(at - out));
        at = name ? put_value(at, before, *find_value(piece, parameters, parameter_count), kind,
                              slice_equal(piece, slice_lit("*")))
                  : put_bytes(at, piece);
    }
    if (!at)
        return -EINVAL;
    *ret_text = slice_make(out, (size_t)(at - out));
    return ret_text->len <= TEMPLATE_EXPANDED_MAX ? 0 : -ENOBUFS;
}
