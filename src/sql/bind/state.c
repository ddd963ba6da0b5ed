/*
 * state.c - the binder's memory, errors and depth.
 *
 * Everything a statement needs lies in one arena, so growing arrays leave their old selves behind:
 * doubling keeps that below the size of the last.
 */
#include "sql/bind/binder.h"
#include "sql/bind/move.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static void fail(struct sql_binder *b, int location, const char *state, const char *format,
                 va_list arguments) {
    char message[sizeof b->error->message];
    vsnprintf(message, sizeof message, format, arguments);
    (void)sql_fail(b->error, state, "%s", message);
    if (b->text && location >= 0)
        sql_error_at(b->error, b->text, location);
}

int bind_error(struct sql_binder *b, int location, const char *state, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fail(b, location, state, format, arguments);
    va_end(arguments);
    return -EINVAL;
}

void *bind_null(struct sql_binder *b, int location, const char *state, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fail(b, location, state, format, arguments);
    va_end(arguments);
    return NULL;
}

void *bind_alloc(struct sql_binder *b, size_t count, size_t size) {
    void *memory = arena_zalloc(b->memory, count, size);
    if (!memory)
        (void)sql_fail_memory(b->error);
    return memory;
}

void *bind_grow(struct sql_binder *b, void *array, unsigned count, size_t size) {
    if (count && (count & (count - 1)) != 0)
        return array;
    char *larger = bind_alloc(b, count ? (size_t)count * 2 : 1, size);
    if (larger && count)
        bind_move(larger, array, count * size);
    return larger;
}

slice bind_copy(struct sql_binder *b, slice text) {
    slice copy = {NULL, 0};
    if (arena_copy(b->memory, text, &copy) < 0)
        (void)sql_fail_memory(b->error);
    return copy;
}

int bind_enter(struct sql_binder *b) {
    if (b->depth >= SQL_DEPTH_MAX)
        return bind_error(b, -1, "54001", "stack depth limit exceeded");
    b->depth++;
    return 0;
}

void bind_leave(struct sql_binder *b) {
    check(b->depth > 0);
    b->depth--;
}
