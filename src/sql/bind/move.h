/*
 * move.h - memcpy() for lists that may be empty.
 *
 * An empty list has no memory of its own (bind_alloc is not asked), and memcpy() may not be given
 * NULL even for 0 bytes.
 */
#ifndef NONET_SQL_BIND_MOVE_H
#define NONET_SQL_BIND_MOVE_H

#include <stddef.h>
#include <string.h>

static inline void bind_move(void *to, const void *from, size_t bytes) {
    if (bytes)
        memcpy(to, from, bytes);
}

#endif
