/*
 * http1_error.c - the table of http1_error.h, by number.
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
