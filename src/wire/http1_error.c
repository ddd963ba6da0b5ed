/*
 * http1_error.c - the table of http1_error.h, by number.
 *
 * Name, words and status come from the one X-macro, so a reason cannot be added without all
 * three. An index out of range is a bug of ours and caught by check().
 */
#include "wire/http1_error.h"

static const struct {
    const char *name;
    const char *text;
    unsigned status;
} errors[HTTP1_ERRORS] = {
#define X(name, status, text) {#name, text, status},
    HTTP1_ERROR_TABLE(X)
#undef X
};

const char *http1_error_name(enum http1_error error) {
    check(error < HTTP1_ERRORS);
    return errors[error].name;
}

const char *http1_error_text(enum http1_error error) {
    check(error < HTTP1_ERRORS);
    return errors[error].text;
}

unsigned http1_error_status(enum http1_error error) {
    check(error < HTTP1_ERRORS);
    return errors[error].status;
}
