/*
 * http1_write.c - heads and chunks, checked before a byte of them is written.
 *
 * Every writer reserves room for all it will write, judges its arguments, then puts them: so it
 * fails with nothing appended, or not at all. What it judges is only what could end a line early;
 * whether the message makes sense is the caller's knowledge.
 */
#include "wire/http1_write.h"
#include "wire/http1_fields.h"
#include "wire/mask.h"
#include "wire/put.h"

#include <errno.h>

static const char *const reasons[] = {
    [100] = "Continue",
    [101] = "Switching Protocols",
    [103] = "Early Hints",
    [200] = "OK",
    [201] = "Created",
    [202] = "Accepted",
    [203] = "Non-Authoritative Information",
    [204] = "No Content",
    [205] = "Reset Content",
    [206] = "Partial Content",
    [207] = "Multi-Status",
    [300] = "Multiple Choices",
    [301] = "Moved Permanently",
    [302] = "Found",
    [303] = "See Other",
    [304] = "Not Modified",
    [307] = "Temporary Redirect",
    [308] = "Permanent Redirect",
    [400] = "Bad Request",
    [401] = "Unauthorized",
    [402] = "Payment Required",
    [403] = "Forbidden",
    [404] = "Not Found",
    [405] = "Method Not Allowed",
    [406] = "Not Acceptable",
    [407] = "Proxy Authentication Required",
    [408] = "Request Timeout",
    [409] = "Conflict",
    [410] = "Gone",
    [411] = "Length Required",
    [412] = "Precondition Failed",
    [413] = "Content Too Large",
    [414] = "URI Too Long",
    [415] = "Unsupported Media Type",
    [416] = "Range Not Satisfiable",
    [417] = "Expectation Failed",
    [421] = "Misdirected Request",
    [422] = "Unprocessable Content",
    [425] = "Too Early",
    [426] = "Upgrade Required",
    [428] = "Precondition Required",
    [429] = "Too Many Requests",
    [431] = "Request Header Fields Too Large",
    [451] = "Unavailable For Legal Reasons",
    [500] = "Internal Server Error",
    [501] = "Not Implemented",
    [502] = "Bad Gateway",
    [503] = "Service Unavailable",
    [504] = "Gateway Timeout",
    [505] = "HTTP Version Not Supported",
    [507] = "Insufficient Storage",
    [511] = "Network Authentication Required",
};

const char *http1_reason(unsigned status) {
    const char *reason = status < array_count(reasons) ? reasons[status] : NULL;
    return reason ? reason : "";
}

/* Whether one of the eight bytes may be a control byte: none is missed, and only tabs and
   neighbours of one are suspected for nothing. */
static bool may_hold_control(const char *at) {
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    uint64_t word, del;
    memcpy(&word, at, sizeof word);
    del = word ^ ones * 0x7f;
    return (((word - ones * ' ') & ~word) | ((del - ones) & ~del)) & tops;
}

/* What may stand in a value or reason: anything but control bytes other than tab. */
bool http1_is_value(slice text) {
    size_t i = 0;
    for (; i + MASK_BYTES_SHORT <= text.len; i += MASK_BYTES_SHORT)
        if (mask_control_16(text.ptr + i))
            return false;
    if (i > 0) /* the last 16 bytes, some of them once more */
        return mask_control_16(text.ptr + text.len - MASK_BYTES_SHORT) == 0;
    if (text.len >= 8 && !may_hold_control(text.ptr) && !may_hold_control(text.ptr + text.len - 8))
        return true;
    for (; i < text.len; i++) {
        const unsigned char c = (unsigned char)text.ptr[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

/* No blank, no control byte; bytes above ASCII are the caller's to encode. */
static bool is_target_text(slice text) {
    for (size_t i = 0; i < text.len; i++) {
        const unsigned char c = (unsigned char)text.ptr[i];
        if (c <= ' ' || c > '~')
            return false;
    }
    return text.len > 0;
}

int http1_write_status(struct buf *b, unsigned status, slice reason) {
    if (status < 100 || status > 599 || !http1_is_value(reason))
        return -EINVAL;
    char line[] = "HTTP/1.1 000 ";
    line[9] = (char)('0' + status / 100);
    line[10] = (char)('0' + status / 10 % 10);
    line[11] = (char)('0' + status % 10);
    if (reason.len == 0)
        reason = slice_str(http1_reason(status));
    int r = buf_reserve(b, sizeof line - 1 + reason.len + 2);
    if (r < 0)
        return r;
    const char *end = put_crlf(put_bytes(put_bytes(b->ptr + b->len, slice_str(line)), reason));
    b->len = (size_t)(end - b->ptr);
    return 0;
}

char *http1_put_request(char *out, slice method, slice target) {
    if (!http1_is_token(method) || !is_target_text(target))
        return NULL;
    out = put_bytes(out, method);
    *out++ = ' ';
    out = put_bytes(out, target);
    return put_bytes(out, slice_lit(" HTTP/1.1\r\n"));
}

char *http1_put_field(char *out, slice name, slice value) {
    if (!http1_is_token(name) || !http1_is_value(value))
        return NULL;
    out = put_bytes(out, name);
    out = put_bytes(out, slice_lit(": "));
    out = put_bytes(out, value);
    return put_crlf(out);
}

int http1_write_request(struct buf *b, slice method, slice target) {
    int r = buf_reserve(b, method.len + target.len + HTTP1_REQUEST_ROOM);
    if (r < 0)
        return r;
    const char *end = http1_put_request(b->ptr + b->len, method, target);
    if (!end)
        return -EINVAL;
    b->len = (size_t)(end - b->ptr);
    return 0;
}

int http1_write_field(struct buf *b, slice name, slice value) {
    int r = buf_reserve(b, name.len + value.len + HTTP1_FIELD_ROOM);
    if (r < 0)
        return r;
    const char *end = http1_put_field(b->ptr + b->len, name, value);
    if (!end)
        return -EINVAL;
    b->len = (size_t)(end - b->ptr);
    return 0;
}

int http1_write_field_u64(struct buf *b, slice name, uint64_t value) {
    char digits[PUT_U64_ROOM];
    const char *end = put_u64(digits, value);
    return http1_write_field(b, name, slice_make(digits, (size_t)(end - digits)));
}

int http1_write_end(struct buf *b) {
    return buf_append(b, slice_lit("\r\n"));
}

size_t http1_put_chunk_head(char *out, size_t size) {
    size_t digits = 1;
    for (size_t rest = size >> 4; rest > 0; rest >>= 4)
        digits++;
    for (size_t i = digits; i > 0; size >>= 4)
        out[--i] = "0123456789abcdef"[size & 15];
    put_crlf(out + digits);
    return digits + 2;
}

int http1_write_last_chunk(struct buf *b) {
    return buf_append(b, slice_lit("0\r\n"));
}
