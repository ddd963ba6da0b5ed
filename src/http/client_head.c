/*
 * client_head.c - the head of a request and the end of a chunked body, put where they will be sent
 * from.
 *
 *     METHOD SP target SP HTTP/1.1      Host      the caller's fields
 *     Content-Length, or Transfer-Encoding: chunked      Connection, TE, Upgrade
 *
 * How a message is framed and what becomes of the connection is for this file alone to say: fields
 * that would speak of it are refused, in trailers as well, so that no caller can make one request
 * look like two. A method that usually has a body says so when it has none (RFC 9110 8.6).
 */
#include "http/client_pool.h"
#include "wire/http1_write.h"
#include "wire/put.h"

/* Host, the longest framing, Connection, Upgrade and the empty line, without their values. */
#define OWN_ROOM 160u

static bool is_ours(slice name) {
    return http1_is_framing(name) || slice_equal_nocase(name, slice_lit("Host")) ||
           slice_equal_nocase(name, slice_lit("Upgrade"));
}

/* Bytes of the fields' lines, or more than HTTP1_WRITTEN_MAX where they are more than that. */
static size_t fields_room(const struct http1_field *fields, size_t count) {
    size_t room = 0;
    for (size_t i = 0; i < count && room <= HTTP1_WRITTEN_MAX; i++) {
        if (fields[i].name.len > HTTP1_WRITTEN_MAX || fields[i].value.len > HTTP1_WRITTEN_MAX)
            return HTTP1_WRITTEN_MAX + 1;
        room += fields[i].name.len + fields[i].value.len + HTTP1_FIELD_ROOM;
    }
    return room;
}

static char *put_fields(char *out, const struct http1_field *fields, size_t count) {
    for (size_t i = 0; i < count && out; i++)
        out =
            is_ours(fields[i].name) ? NULL : http1_put_field(out, fields[i].name, fields[i].value);
    return out;
}

/* A path, or all of the server. */
static bool is_origin_form(const struct http_call_options *options) {
    if (options->target.len > 0 && options->target.ptr[0] == '/')
        return true;
    return slice_equal(options->target, slice_lit("*")) &&
           slice_equal(options->method, slice_lit("OPTIONS"));
}

static bool is_ours_to_send(const struct http_call_options *options) {
    bool fits = options->body_length <= INT64_MAX || options->body_length == HTTP_CALL_CHUNKED;
    return is_origin_form(options) && !slice_equal(options->method, slice_lit("CONNECT")) &&
           (fits || !options->has_body);
}

size_t http_head_room(const struct http_call_options *options) {
    const slice texts[] = {options->method, options->target, options->host, options->upgrade};
    size_t room = OWN_ROOM + HTTP1_REQUEST_ROOM;
    if (!is_ours_to_send(options))
        return 0;
    for (size_t i = 0; i < array_count(texts); i++) {
        if (texts[i].len > HTTP1_WRITTEN_MAX)
            return 0;
        room += texts[i].len;
    }
    room += fields_room(options->fields, options->field_count);
    return room <= HTTP1_WRITTEN_MAX ? room : 0;
}

static bool usually_has_a_body(slice method) {
    return slice_equal(method, slice_lit("POST")) || slice_equal(method, slice_lit("PUT")) ||
           slice_equal(method, slice_lit("PATCH"));
}

static char *put_framing(char *out, const struct http_call_options *options) {
    if (options->has_body && options->body_length == HTTP_CALL_CHUNKED)
        return put_bytes(out, slice_lit("Transfer-Encoding: chunked\r\n"));
    if (!options->has_body && !usually_has_a_body(options->method))
        return out;
    out = put_bytes(out, slice_lit("Content-Length: "));
    return put_crlf(put_u64(out, options->has_body ? options->body_length : 0));
}

static char *put_connection(char *out, const struct http_call_options *options) {
    bool upgrade = options->upgrade.len > 0;
    out = put_bytes(out, slice_lit("Connection: "));
    out = put_bytes(out, !upgrade            ? slice_lit("TE")
                         : options->trailers ? slice_lit("upgrade, TE")
                                             : slice_lit("upgrade"));
    out = put_crlf(out);
    if (options->trailers)
        out = put_bytes(out, slice_lit("TE: trailers\r\n"));
    return upgrade ? http1_put_field(out, slice_lit("Upgrade"), options->upgrade) : out;
}

size_t http_head_put(char *out, const struct http_call_options *options) {
    char *at = http1_put_request(out, options->method, options->target);
    if (at)
        at = http1_put_field(at, slice_lit("Host"), options->host);
    if (at)
        at = put_fields(at, options->fields, options->field_count);
    if (at)
        at = put_framing(at, options);
    if (at && (options->upgrade.len > 0 || options->trailers))
        at = put_connection(at, options);
    return at ? (size_t)(put_crlf(at) - out) : 0;
}

size_t http_tail_room(const struct http1_field *trailers, size_t count) {
    size_t room = sizeof("0\r\n\r\n") - 1 + fields_room(trailers, count);
    return room <= HTTP1_WRITTEN_MAX ? room : 0;
}

size_t http_tail_put(char *out, const struct http1_field *trailers, size_t count) {
    char *at = put_fields(put_bytes(out, slice_lit("0\r\n")), trailers, count);
    return at ? (size_t)(put_crlf(at) - out) : 0;
}
