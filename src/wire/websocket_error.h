/*
 * websocket_error.h - why a WebSocket is closed: the codes of close frames, and every reason for
 * which a frame is refused.
 *
 * Codes below 1000 do not exist; 1000 to 2999 are the protocol's and IANA's, 3000 to 3999 are
 * registered by libraries, 4000 to 4999 belong to applications. Three are only ever said inside a
 * program and never sent: NONE, LOST and TLS. A code that nobody has defined is refused.
 */
#ifndef NONET_WIRE_WEBSOCKET_ERROR_H
#define NONET_WIRE_WEBSOCKET_ERROR_H

#include "base/check.h"

enum {
    WEBSOCKET_CODE_NORMAL = 1000,
    WEBSOCKET_CODE_GOING_AWAY = 1001, /* a server that stops, a page that was left */
    WEBSOCKET_CODE_PROTOCOL = 1002,
    WEBSOCKET_CODE_UNACCEPTABLE = 1003, /* text where bytes are wanted, or the other way */
    WEBSOCKET_CODE_NONE = 1005,         /* never sent: a close frame without a code */
    WEBSOCKET_CODE_LOST = 1006,         /* never sent: the connection ended without a close frame */
    WEBSOCKET_CODE_INVALID = 1007,      /* not UTF-8 */
    WEBSOCKET_CODE_POLICY = 1008,
    WEBSOCKET_CODE_TOO_LARGE = 1009,
    WEBSOCKET_CODE_EXTENSION = 1010, /* a client misses an extension */
    WEBSOCKET_CODE_INTERNAL = 1011,
    WEBSOCKET_CODE_RESTART = 1012,
    WEBSOCKET_CODE_TRY_LATER = 1013,
    WEBSOCKET_CODE_GATEWAY = 1014, /* as HTTP's 502 */
    WEBSOCKET_CODE_TLS = 1015,     /* never sent: the TLS handshake failed */
};

#define WEBSOCKET_ERROR_TABLE(X)                                                                   \
    X(NONE, 1000, "no error")                                                                      \
    X(RESERVED_BITS, 1002, "reserved bits are set, but no extension was agreed on")                \
    X(OPCODE, 1002, "a reserved opcode")                                                           \
    X(CONTROL_IN_PIECES, 1002, "a control frame in pieces")                                        \
    X(NOTHING_TO_CONTINUE, 1002, "a continuation without a beginning")                             \
    X(MESSAGE_IN_MESSAGE, 1002, "a new message before the end of the last")                        \
    X(UNMASKED, 1002, "a frame of a client without a mask")                                        \
    X(MASKED, 1002, "a frame of a server with a mask")                                             \
    X(CONTROL_TOO_LONG, 1002, "a control frame with more than 125 bytes")                          \
    X(LENGTH, 1002, "a length that is not in its shortest form, or above 2^63 - 1")                \
    X(MESSAGE_TOO_LARGE, 1009, "the message is too large")                                         \
    X(TEXT, 1007, "text that is not UTF-8")                                                        \
    X(CLOSE_SHORT, 1002, "a close frame with half a code")                                         \
    X(CLOSE_CODE, 1002, "a close frame with a code that may not be sent")                          \
    X(CLOSE_REASON, 1007, "a close frame with a reason that is not UTF-8")                         \
    X(NO_MEMORY, 1011, "no memory for the message")

enum websocket_error {
#define X(name, code, text) WEBSOCKET_ERROR_##name,
    WEBSOCKET_ERROR_TABLE(X)
#undef X
        WEBSOCKET_ERRORS
};

/* "UNMASKED": for logs and metrics; stable. */
const char *websocket_error_name(enum websocket_error error);

/* The words of the table. */
const char *websocket_error_text(enum websocket_error error);

/* What a close frame says then. */
unsigned websocket_error_code(enum websocket_error error);

/* True where CODE may stand in a close frame. */
bool websocket_code_sendable(unsigned code);

#endif
