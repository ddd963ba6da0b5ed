/*
 * error.h - an error that a person will read: what is wrong, where, and what to do.
 *
 * Inside Nonet a function that fails returns a negative errno-like int, which is enough for the
 * code that calls it. Where the cause ends up before a person (nonet check, a refused start, an
 * API answer, a log line) the function also takes a `struct error *ret_error` and fills it:
 *
 *     myapp/nonet.yaml:12:7: unknown key 'max_agee' in stream BIDS
 *       hint: did you mean 'max_age'?
 *
 * Texts are cut, never overflowed. ret_error may be NULL where the caller wants no words.
 */
#ifndef NONET_BASE_ERROR_H
#define NONET_BASE_ERROR_H

#include "base/check.h"

struct error {
    int code;          /* negative errno value, 0 = no error */
    char place[192];   /* file:line:column, a subject, a route, a file and offset; may be "" */
    char message[320]; /* what is wrong, a sentence without a full stop */
    char hint[256];    /* what to do; may be "" */
};

/* Fills *E (unless NULL) and returns CODE, so that `return error_set(e, -EINVAL, …)` reads well.
   Clears place and hint. */
int error_set(struct error *e, int code, const char *format, ...) printf_like(3, 4);

/* Adds or replaces the place or the hint. E may be NULL. */
void error_place(struct error *e, const char *format, ...) printf_like(2, 3);
void error_hint(struct error *e, const char *format, ...) printf_like(2, 3);

/* "PLACE: MESSAGE\n  hint: HINT" without a closing newline, cut to SIZE. Returns OUT. */
const char *error_text(const struct error *e, char *out, size_t size);

/* The system's word for a negative errno value ("No space left on device"). Thread-safe. */
const char *error_name(int code);

#endif
