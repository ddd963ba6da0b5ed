/*
 * http1.c - the head of a message: wait until it is whole, then read its lines.
 *
 *     [CR LF]                     before a request, once
 *     method SP target SP version CR LF        or   version SP status SP [reason] CR LF
 *     name ":" blanks value blanks CR LF       any number
 *     CR LF
 *
 * Two steps: http1_scan() walks new bytes only and refuses what may stand nowhere in a head; when
 * it has seen the empty line, the lines are read once. A head that never ends meets head_max.
 */
#include "wire/http1.h"
#include "wire/url.h"

#include <errno.h>

struct http1_parser http1_parser_make(enum http1_side side) {
    return (struct http1_parser){
        .limits = {HTTP1_HEAD_MAX, HTTP1_TARGET_MAX, HTTP1_FIELDS_MAX},
        .side = (uint8_t)side,
    };
}

static int refuse(struct http1_parser *p, enum http1_error error) {
    p->error = (uint8_t)error;
    return -EPROTO;
}

/* "HTTP/1.0" or "HTTP/1.1" */
static enum http1_error parse_version(slice text, uint8_t *ret_minor) {
    if (text.len != 8 || !slice_starts_with(text, slice_lit("HTTP/")) || text.ptr[6] != '.')
        return HTTP1_ERROR_VERSION;
    const char major = text.ptr[5], minor = text.ptr[7];
    if (major < '0' || major > '9' || minor < '0' || minor > '9')
        return HTTP1_ERROR_VERSION;
    if (major != '1' || minor > '1')
        return HTTP1_ERROR_VERSION_UNSUPPORTED;
    *ret_minor = minor == '1';
    return HTTP1_ERROR_NONE;
}

/* Visible ASCII without '#': a fragment never goes over the wire. */
static bool is_target_text(slice target) {
    for (size_t i = 0; i < target.len; i++) {
        const unsigned char c = (unsigned char)target.ptr[i];
        if (c <= ' ' || c > '~' || c == '#')
            return false;
    }
    return target.len > 0;
}

/* "http://host[:port]/path?query" */
static enum http1_error parse_absolute(struct http1_head *head) {
    struct url url;
    if (url_parse(head->target, &url) < 0 || url.authority.user.ptr)
        return HTTP1_ERROR_TARGET;
    head->https = slice_equal_nocase(url.scheme, slice_lit("https"));
    if (!head->https && !slice_equal_nocase(url.scheme, slice_lit("http")))
        return HTTP1_ERROR_TARGET;
    head->form = HTTP1_ABSOLUTE;
    head->authority = url.authority_text;
    if (url.path.len > 0)
        head->path = slice_skip(head->target, (size_t)(url.path.ptr - head->target.ptr));
    else if (url.query.ptr)
        return HTTP1_ERROR_TARGET; /* "http://host?query": no path to route by */
    else if (slice_equal(head->method, slice_lit("OPTIONS")))
        head->path = slice_lit("*"); /* RFC 9112 3.2.4 */
    else
        head->path = slice_lit("/");
    return HTTP1_ERROR_NONE;
}

static enum http1_error parse_target(struct http1_head *head) {
    const slice target = head->target;
    if (!is_target_text(target))
        return HTTP1_ERROR_TARGET;
    if (slice_equal(head->method, slice_lit("CONNECT"))) {
        struct url_authority authority;
        if (url_parse_authority(target, &authority) < 0 || authority.user.ptr ||
            !authority.has_port)
            return HTTP1_ERROR_TARGET;
        head->form = HTTP1_AUTHORITY;
        head->authority = target;
        return HTTP1_ERROR_NONE;
    }
    if (target.ptr[0] == '/') {
        head->form = HTTP1_ORIGIN;
        head->path = target;
        return HTTP1_ERROR_NONE;
    }
    if (slice_equal(target, slice_lit("*"))) {
        head->form = HTTP1_ASTERISK;
        head->path = target;
        return slice_equal(head->method, slice_lit("OPTIONS")) ? HTTP1_ERROR_NONE
                                                               : HTTP1_ERROR_TARGET;
    }
    return parse_absolute(head);
}

static enum http1_error parse_request_line(struct http1_head *head, slice line, size_t target_max) {
    slice rest, version;
    head->method = slice_cut(line, ' ', &rest);
    head->target = slice_cut(rest, ' ', &version);
    if (!http1_is_token(head->method) || head->method.len > HTTP1_METHOD_MAX)
        return HTTP1_ERROR_METHOD;
    if (head->target.len > target_max)
        return HTTP1_ERROR_TARGET_TOO_LONG;
    if (head->target.len == 0 || !version.ptr || slice_find(version, ' ') >= 0)
        return HTTP1_ERROR_REQUEST_LINE;
    enum http1_error error = parse_version(version, &head->version_minor);
    return error == HTTP1_ERROR_NONE ? parse_target(head) : error;
}

static enum http1_error parse_status_line(struct http1_head *head, slice line) {
    slice rest, reason;
    slice version = slice_cut(line, ' ', &rest);
    slice digits = slice_cut(rest, ' ', &reason);
    enum http1_error error = parse_version(version, &head->version_minor);
    if (error != HTTP1_ERROR_NONE)
        return error;
    unsigned status = 0;
    for (size_t i = 0; i < digits.len && i < 4; i++) {
        unsigned digit = (unsigned)(unsigned char)digits.ptr[i] - '0';
        status = digit > 9 ? 1000 : status * 10 + digit;
    }
    if (digits.len != 3 || status < 100 || status > 599)
        return HTTP1_ERROR_STATUS_LINE;
    head->status = (uint16_t)status;
    head->reason = reason;
    return HTTP1_ERROR_NONE;
}

/* Reads the whole SECTION. */
static enum http1_error parse_section(const struct http1_parser *p, slice section,
                                      struct http1_head *head) {
    memset(head, 0, offsetof(struct http1_head, fields));
    head->side = p->side;
    slice line = http1_next_line(&section);
    enum http1_error error = p->side == HTTP1_REQUEST
                                 ? parse_request_line(head, line, p->limits.target_max)
                                 : parse_status_line(head, line);
    while (error == HTTP1_ERROR_NONE) {
        line = http1_next_line(&section);
        if (line.len == 0)
            return http1_frame(head);
        if (head->fields_count == p->limits.fields_max)
            return HTTP1_ERROR_TOO_MANY_FIELDS;
        error = http1_parse_field(line, &head->fields[head->fields_count++]);
    }
    return error;
}

int http1_parse(struct http1_parser *p, slice input, struct http1_head *head,
                size_t *ret_consumed) {
    check(p->limits.fields_max <= HTTP1_FIELDS_MAX);
    if (p->error)
        return -EPROTO;
    const bool request = p->side == HTTP1_REQUEST;
    const bool leads = request && slice_starts_with(input, slice_lit("\r\n"));
    const size_t lead = leads ? 2 : 0;
    const slice section = slice_skip(input, lead);
    if (section.len == 0 || (request && !leads && slice_equal(input, slice_lit("\r"))))
        return 0;

    size_t len = 0;
    enum http1_error error = HTTP1_ERROR_NONE;
    int r = http1_scan(&p->scan, section, p->limits.head_max, &len, &error);
    if (r < 0)
        return refuse(p, error);
    if (r == 0) {
        if (section.len < p->limits.head_max)
            return 0;
        return refuse(p, request && p->scan.line_start == 0 ? HTTP1_ERROR_TARGET_TOO_LONG
                                                            : HTTP1_ERROR_HEAD_TOO_LARGE);
    }
    if (len == 2)
        return refuse(p, HTTP1_ERROR_EMPTY_LINES);
    error = parse_section(p, slice_take(section, len), head);
    if (error != HTTP1_ERROR_NONE)
        return refuse(p, error);
    p->scan = (struct http1_scan){0, 0};
    *ret_consumed = lead + len;
    return 1;
}
