/*
 * websocket_error.c - the table of websocket_error.h, by number, and which codes may be sent.
 *
 * Name, code and words come from the one X-macro, so a reason cannot be added without all three.
 * 1004 is reserved without a meaning, 1016 to 2999 have not been given out.
 */
#include "wire/websocket_error.h"

static const struct {
    const char *name;
    const char *text;
    unsigned code;
} errors[WEBSOCKET_ERRORS] = {
#define X(name, code, text) {#name, text, code},
    WEBSOCKET_ERROR_TABLE(X)
#undef X
};

const char *websocket_error_name(enum websocket_error error) {
    check(error < WEBSOCKET_ERRORS);
    return errors[error].name;
}

const char *websocket_error_text(enum websocket_error error) {
    check(error < WEBSOCKET_ERRORS);
    return errors[error].text;
}

unsigned websocket_error_code(enum websocket_error error) {
    check(error < WEBSOCKET_ERRORS);
    return errors[error].code;
}

bool websocket_code_sendable(unsigned code) {
    return (code >= WEBSOCKET_CODE_NORMAL && code <= WEBSOCKET_CODE_UNACCEPTABLE) ||
           (code >= WEBSOCKET_CODE_INVALID && code <= WEBSOCKET_CODE_GATEWAY) ||
           (code >= 3000 && code <= 4999);
}
