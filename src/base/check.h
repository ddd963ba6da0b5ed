/*
 * check.h - assertions that stay on in production, and the few compiler marks used everywhere.
 *
 * check() is for what only a bug in Nonet can break: an index out of its array, a state that the
 * diagram does not allow, a record that differs from what we wrote a moment ago. What the world
 * can break (a full disk, a hostile client, no memory) is an error value and never a check().
 * A failed check prints file, line and expression to stderr and aborts: continuing with a broken
 * invariant over a durable log is worse than stopping, because recovery works from the journal.
 *
 * Cheap checks belong in hot paths too; a comparison that predicts well costs less than a doubt.
 */
#ifndef NONET_BASE_CHECK_H
#define NONET_BASE_CHECK_H

#include <stdbool.h>
#include <stddef.h>

/* Prints "check failed: EXPRESSION at FILE:LINE (FUNCTION)" and aborts. Never returns. */
_Noreturn void check_failed(const char *expression, const char *file, int line,
                            const char *function);

#define check(condition)                                                                           \
    (__builtin_expect(!!(condition), 1) ? (void)0                                                  \
                                        : check_failed(#condition, __FILE__, __LINE__, __func__))

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

/* The caller must look at the result. Goes before the return type. */
#define must_use __attribute__((warn_unused_result))
#define printf_like(format_index, first_argument)                                                  \
    __attribute__((format(printf, format_index, first_argument)))

#define array_count(array) (sizeof(array) / sizeof((array)[0]))

/* The struct that embeds MEMBER at POINTER: for intrusive lists, heaps and timers. */
#define container_of(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif
