#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *e, int code, const char *format, ...) {
    if (!e)
        return code;
    va_list arguments;
    va_start(arguments, format);
    e->code = code;
    e->place[0] = '\0';
    e->hint[0] = '\0';
    vsnprintf(e->message, sizeof e->message, format, arguments);
    va_end(arguments);
    return code;
}

void error_place(struct error *e, const char *format, ...) {
    if (!e)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(e->place, sizeof e->place, format, arguments);
    va_end(arguments);
}

void error_hint(struct error *e, const char *format, ...) {
    if (!e)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(e->hint, sizeof e->hint, format, arguments);
    va_end(arguments);
}

const char *error_text(const struct error *e, char *out, size_t size) {
    snprintf(out, size, "%s%s%s%s%s", e->place, e->place[0] ? ": " : "", e->message,
             e->hint[0] ? "\n  hint: " : "", e->hint);
    return out;
}

const char *error_name(int code) {
    /* strerrordesc_np gives constant texts, unlike strerror: no buffer, no locale. */
    const char *name = strerrordesc_np(code > 0 ? code : -code);
    return name ? name : "Unknown error";
}
