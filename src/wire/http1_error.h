/*
 * http1_error.h - every reason for which an HTTP/1.1 message is refused.
 *
 * One table: name, the status that a server should answer with, and the words for the log. A
 * proxy that meets one of these in a response answers 502 to its client, whatever the table says.
 */
#ifndef NONET_WIRE_HTTP1_ERROR_H
#define NONET_WIRE_HTTP1_ERROR_H

#include "base/check.h"

#define HTTP1_ERROR_TABLE(X)                                                                       \
    X(NONE, 200, "no error")                                                                       \
    X(BARE_LF, 400, "a line ends in LF without CR")                                                \
    X(BARE_CR, 400, "a CR without LF")                                                             \
    X(CONTROL_BYTE, 400, "a control byte in the head")                                             \
    X(EMPTY_LINES, 400, "more than one empty line before the message")                             \
    X(HEAD_TOO_LARGE, 431, "the head is too large")                                                \
    X(TOO_MANY_FIELDS, 431, "too many fields")                                                     \
    X(TARGET_TOO_LONG, 414, "the request target is too long")                                      \
    X(REQUEST_LINE, 400, "the request line is not: method SP target SP version")                   \
    X(METHOD, 400, "the method is not a token of at most 32 bytes")                                \
    X(TARGET, 400, "the request target is malformed")                                              \
    X(VERSION, 400, "the version is malformed")                                                    \
    X(VERSION_UNSUPPORTED, 505, "the version is neither HTTP/1.0 nor HTTP/1.1")                    \
    X(STATUS_LINE, 400, "the status line is malformed")                                            \
    X(FIELD_FOLDED, 400, "a field line begins with a blank")                                       \
    X(FIELD_COLON, 400, "a field line has no colon")                                               \
    X(FIELD_BLANK, 400, "a blank before the colon of a field")                                     \
    X(FIELD_NAME, 400, "a field name is not a token")                                              \
    X(HOST_MISSING, 400, "no Host")                                                                \
    X(HOST_REPEATED, 400, "more than one Host")                                                    \
    X(HOST, 400, "Host or the target's authority is malformed")                                    \
    X(LENGTH, 400, "Content-Length is not a plain decimal number")                                 \
    X(LENGTH_REPEATED, 400, "more than one Content-Length")                                        \
    X(LENGTH_AND_CODING, 400, "both Content-Length and Transfer-Encoding")                         \
    X(CODING, 400, "Transfer-Encoding is malformed, or chunked is not its last and only one")      \
    X(CODING_REPEATED, 400, "more than one Transfer-Encoding")                                     \
    X(CODING_UNKNOWN, 501, "a transfer coding other than chunked")                                 \
    X(CODING_IN_1_0, 400, "Transfer-Encoding in an HTTP/1.0 message")                              \
    X(BODY_NOT_ALLOWED, 400, "this message cannot have a body, yet announces one")                 \
    X(EXPECTATION, 417, "an expectation other than 100-continue")                                  \
    X(CHUNK_SIZE, 400, "a chunk size is not 1 to 16 hexadecimal digits")                           \
    X(CHUNK_TOO_LARGE, 400, "a chunk size above 2^63 - 1")                                         \
    X(CHUNK_LINE_TOO_LONG, 400, "the line of a chunk is too long")                                 \
    X(CHUNK_EXTENSION, 400, "a chunk extension is malformed")                                      \
    X(CHUNK_EXTENSIONS_TOO_LARGE, 400, "too many bytes of chunk extensions in one body")           \
    X(CHUNK_END, 400, "no CR LF behind a chunk")                                                   \
    X(TRAILERS_TOO_LARGE, 431, "the trailers are too large")                                       \
    X(TRAILER_FORBIDDEN, 400, "a trailer that would change framing or routing")                    \
    X(TRUNCATED, 400, "the connection ended inside a message")

enum http1_error {
#define X(name, status, text) HTTP1_ERROR_##name,
    HTTP1_ERROR_TABLE(X)
#undef X
        HTTP1_ERRORS
};

/* "LENGTH_REPEATED": for logs and metrics; stable. */
const char *http1_error_name(enum http1_error error);

/* The words of the table. */
const char *http1_error_text(enum http1_error error);

/* The status a server answers with. */
unsigned http1_error_status(enum http1_error error);

#endif
