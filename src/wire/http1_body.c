/*
 * http1_body.c - the decoder of bodies.
 *
 *      +-> CHUNK -- size > 0 --> CHUNK_DATA --> CHUNK_END --+
 *      |     |                                              |
 *      |     +---- size 0 --> TRAILERS --> DONE             |
 *      +----------------------------------------------------+
 *      COUNTED --> DONE          OPEN --> DONE by http1_body_close()
 *
 * A chunk's line is read when it lies there whole; until then its few hundred bytes stay with the
 * caller. Blanks are refused in it although RFC 9112 tolerates them: parsers are known to differ.
 */
#include "wire/http1_body.h"

#include <errno.h>

enum { CHUNK_DIGITS_MAX = 16 };

struct http1_body http1_body_make(const struct http1_head *head) {
    struct http1_body body = {.state = HTTP1_BODY_COUNTED};
    switch ((enum http1_framing)head->framing) {
    case HTTP1_NO_BODY:
        break;
    case HTTP1_LENGTH:
        body.left = head->content_length;
        break;
    case HTTP1_CHUNKED:
        body.state = HTTP1_BODY_CHUNK;
        break;
    case HTTP1_UNTIL_CLOSE:
    case HTTP1_TUNNEL:
        body.state = HTTP1_BODY_OPEN;
        break;
    }
    return body;
}

static int refuse(struct http1_body *body, enum http1_error error) {
    body->error = (uint8_t)error;
    return -EPROTO;
}

static int finish(struct http1_body *body, slice trailers, struct http1_part *ret_part) {
    body->state = HTTP1_BODY_DONE;
    *ret_part = (struct http1_part){HTTP1_END, trailers};
    return 1;
}

/* Length of the quoted string that S begins with, quotes included; 0 where it is none. */
static size_t quoted_len(slice s) {
    for (size_t i = 1; i < s.len; i++) {
        if (s.ptr[i] == '"')
            return i + 1;
        if (s.ptr[i] == '\\' && ++i == s.len)
            return 0;
        const unsigned char c = (unsigned char)s.ptr[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return 0;
    }
    return 0;
}

static size_t token_len(slice s) {
    size_t len = 0;
    while (len < s.len && http1_is_token_byte(s.ptr[len]))
        len++;
    return len;
}

/* *( ";" name [ "=" value ] ) and nothing else. */
static bool are_extensions(slice s) {
    while (s.len > 0) {
        if (s.ptr[0] != ';')
            return false;
        s = slice_skip(s, 1);
        size_t len = token_len(s);
        if (len == 0)
            return false;
        s = slice_skip(s, len);
        if (s.len == 0 || s.ptr[0] != '=')
            continue;
        s = slice_skip(s, 1);
        len = s.len > 0 && s.ptr[0] == '"' ? quoted_len(s) : token_len(s);
        if (len == 0)
            return false;
        s = slice_skip(s, len);
    }
    return true;
}

/* The digits that LINE begins with, as a size. */
static enum http1_error parse_chunk_size(slice line, size_t *ret_digits, uint64_t *ret_size) {
    uint64_t size = 0;
    size_t digits = 0;
    for (; digits < line.len; digits++) {
        const char c = line.ptr[digits];
        unsigned value;
        if (c >= '0' && c <= '9')
            value = (unsigned)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            value = (unsigned)((c | 0x20) - 'a' + 10);
        else
            break;
        if (digits == CHUNK_DIGITS_MAX)
            return HTTP1_ERROR_CHUNK_SIZE;
        size = size << 4 | value;
    }
    if (digits == 0 || (digits < line.len && line.ptr[digits] != ';'))
        return HTTP1_ERROR_CHUNK_SIZE;
    if (size > INT64_MAX)
        return HTTP1_ERROR_CHUNK_TOO_LARGE;
    *ret_digits = digits;
    *ret_size = size;
    return HTTP1_ERROR_NONE;
}

/* The line before a chunk. 1: *ret_len bytes were used, `left` is its size. */
static int read_chunk_line(struct http1_body *body, slice input, size_t *ret_len) {
    const slice window = slice_take(input, HTTP1_CHUNK_LINE_MAX);
    ptrdiff_t lf = slice_find(window, '\n');
    if (lf < 0)
        return input.len < HTTP1_CHUNK_LINE_MAX ? 0 : refuse(body, HTTP1_ERROR_CHUNK_LINE_TOO_LONG);
    if (lf == 0 || input.ptr[lf - 1] != '\r')
        return refuse(body, HTTP1_ERROR_BARE_LF);
    const slice line = slice_take(input, (size_t)lf - 1);
    size_t digits;
    uint64_t size;
    enum http1_error error = parse_chunk_size(line, &digits, &size);
    if (error != HTTP1_ERROR_NONE)
        return refuse(body, error);
    if (!are_extensions(slice_skip(line, digits)))
        return refuse(body, HTTP1_ERROR_CHUNK_EXTENSION);
    body->extensions += (uint32_t)(line.len - digits);
    if (body->extensions > HTTP1_EXTENSIONS_MAX)
        return refuse(body, HTTP1_ERROR_CHUNK_EXTENSIONS_TOO_LARGE);
    body->left = size;
    body->state = size > 0 ? HTTP1_BODY_CHUNK_DATA : HTTP1_BODY_TRAILERS;
    *ret_len = (size_t)lf + 1;
    return 1;
}

bool http1_may_trail(slice name) {
    static const slice forbidden[] = {
        slice_lit("transfer-encoding"),
        slice_lit("content-length"),
        slice_lit("host"),
        slice_lit("connection"),
        slice_lit("trailer"),
        slice_lit("content-encoding"),
        slice_lit("content-type"),
        slice_lit("content-range"),
        slice_lit("authorization"),
        slice_lit("expect"),
        slice_lit("upgrade"),
        slice_lit("te"),
    };
    for (size_t i = 0; i < array_count(forbidden); i++) {
        if (slice_equal_nocase(name, forbidden[i]))
            return false;
    }
    return true;
}

static int read_trailers(struct http1_body *body, slice input, struct http1_part *ret_part,
                         size_t *ret_len) {
    size_t len;
    enum http1_error error;
    int r = http1_scan(&body->scan, input, HTTP1_TRAILERS_MAX, &len, &error);
    if (r < 0)
        return refuse(body, error);
    if (r == 0)
        return input.len < HTTP1_TRAILERS_MAX ? 0 : refuse(body, HTTP1_ERROR_TRAILERS_TOO_LARGE);
    const slice trailers = slice_take(input, len - 2);
    for (slice rest = trailers; rest.len > 0;) {
        struct http1_field field;
        error = http1_parse_field(http1_next_line(&rest), &field);
        if (error == HTTP1_ERROR_NONE && !http1_may_trail(field.name))
            error = HTTP1_ERROR_TRAILER_FORBIDDEN;
        if (error != HTTP1_ERROR_NONE)
            return refuse(body, error);
    }
    *ret_len = len;
    return finish(body, trailers, ret_part);
}

/* CR LF behind the data of a chunk. */
static int read_chunk_end(struct http1_body *body, slice input, size_t *ret_len) {
    const slice crlf = slice_lit("\r\n");
    if (!slice_starts_with(crlf, slice_take(input, 2)))
        return refuse(body, HTTP1_ERROR_CHUNK_END);
    if (input.len < 2)
        return 0;
    body->state = HTTP1_BODY_CHUNK;
    *ret_len = 2;
    return 1;
}

/* All there is: a body until the connection ends, or a tunnel. */
static int take_all(slice input, struct http1_part *ret_part, size_t *ret_len) {
    if (input.len == 0)
        return 0;
    *ret_part = (struct http1_part){HTTP1_DATA, input};
    *ret_len = input.len;
    return 1;
}

static int take_data(struct http1_body *body, slice input, struct http1_part *ret_part,
                     size_t *ret_len) {
    const size_t len = input.len < body->left ? input.len : (size_t)body->left;
    if (len == 0)
        return 0;
    body->left -= len;
    if (body->left == 0 && body->state == HTTP1_BODY_CHUNK_DATA)
        body->state = HTTP1_BODY_CHUNK_END;
    *ret_part = (struct http1_part){HTTP1_DATA, slice_take(input, len)};
    *ret_len = len;
    return 1;
}

/* One step of the diagram. 1: *ret_len bytes were used, and *ret_found says whether they gave a
   part or only led to the next state. */
static int step(struct http1_body *body, slice input, struct http1_part *ret_part, bool *ret_found,
                size_t *ret_len) {
    *ret_found = true;
    switch ((enum http1_body_state)body->state) {
    case HTTP1_BODY_COUNTED:
        return body->left == 0 ? finish(body, (slice){NULL, 0}, ret_part)
                               : take_data(body, input, ret_part, ret_len);
    case HTTP1_BODY_CHUNK_DATA:
        return take_data(body, input, ret_part, ret_len);
    case HTTP1_BODY_TRAILERS:
        return read_trailers(body, input, ret_part, ret_len);
    case HTTP1_BODY_CHUNK:
        *ret_found = false;
        return read_chunk_line(body, input, ret_len);
    case HTTP1_BODY_CHUNK_END:
        *ret_found = false;
        return read_chunk_end(body, input, ret_len);
    case HTTP1_BODY_OPEN:
    case HTTP1_BODY_DONE: /* the caller checks that it is not */
        break;
    }
    return take_all(input, ret_part, ret_len);
}

int http1_body_next(struct http1_body *body, slice input, struct http1_part *ret_part,
                    size_t *ret_consumed) {
    if (body->error)
        return -EPROTO;
    check(body->state != HTTP1_BODY_DONE);
    size_t used = 0; /* with the lines of chunks that come before a part */
    bool found = false;
    int r = 1;
    while (r > 0 && !found) {
        size_t len = 0;
        r = step(body, slice_skip(input, used), ret_part, &found, &len);
        used += r > 0 ? len : 0;
    }
    if (r >= 0)
        *ret_consumed = used;
    return r;
}

int http1_body_close(struct http1_body *body) {
    if (body->error)
        return -EPROTO;
    if (body->state != HTTP1_BODY_OPEN && body->state != HTTP1_BODY_DONE)
        return refuse(body, HTTP1_ERROR_TRUNCATED);
    body->state = HTTP1_BODY_DONE;
    return 0;
}
