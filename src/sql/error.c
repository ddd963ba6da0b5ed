/*
 * error.c - a failed statement's words, in PostgreSQL's fields (error.h).
 *
 * Texts are cut at their field's size, never overflowed, and cut between characters, because they
 * go to clients as UTF-8.
 */
#include "sql/error.h"

#include "base/slice.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static printf_like(3, 0) void print(char *out, size_t size, const char *format, va_list arguments) {
    int len = vsnprintf(out, size, format, arguments);
    if (len >= 0 && (size_t)len >= size)
        out[utf8_valid_prefix(slice_make(out, size - 1))] = '\0';
}

int sql_fail(struct sql_error *e, const char *state, const char *format, ...) {
    *e = (struct sql_error){.position = 0};
    check(strlen(state) == sizeof e->state - 1);
    memcpy(e->state, state, sizeof e->state);
    va_list arguments;
    va_start(arguments, format);
    print(e->message, sizeof e->message, format, arguments);
    va_end(arguments);
    return -EINVAL;
}

int sql_fail_memory(struct sql_error *e) {
    (void)sql_fail(e, "53200", "out of memory");
    return -ENOMEM;
}

void sql_error_detail(struct sql_error *e, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    print(e->detail, sizeof e->detail, format, arguments);
    va_end(arguments);
}

void sql_error_hint(struct sql_error *e, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    print(e->hint, sizeof e->hint, format, arguments);
    va_end(arguments);
}

void sql_error_at(struct sql_error *e, const char *statement, int byte) {
    if (e->position > 0 || byte < 0 || !statement)
        return;
    size_t before = strnlen(statement, (size_t)byte);
    e->position = 1u + (uint32_t)utf8_count(slice_make(statement, before));
}
