/*
 * ids.c - ids for events that bring none (ids.h).
 *
 * An id is made from the last unused 16 random bytes, which nobody uses again:
 *
 *     xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx   x random, y one of 8, 9, a, b
 */
#include "rooms/events/ids.h"

#include "base/hex.h"
#include "io/loop.h"

#include <errno.h>

#define UUID_CHARS 36u

void ids_init(struct ids *ids, struct io_host *host) {
    ids->host = host;
    ids->left = 0;
}

int ids_make(struct ids *ids, struct arena *arena, slice *ret_id) {
    static const unsigned lengths[] = {4, 2, 2, 2, 6}; /* bytes between the hyphens */
    char *text = arena_alloc(arena, UUID_CHARS);
    if (!text)
        return -ENOMEM;
    if (!ids->left) {
        io_host_random(ids->host, ids->random, sizeof ids->random);
        ids->left = IDS_AHEAD;
    }
    unsigned char *b = ids->random[--ids->left];
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    char *at = text;
    for (size_t i = 0; i < array_count(lengths); i++) {
        if (i)
            *at++ = '-';
        at += hex_encode(slice_make((const char *)b, lengths[i]), at);
        b += lengths[i];
    }
    *ret_id = slice_make(text, UUID_CHARS);
    return 0;
}
