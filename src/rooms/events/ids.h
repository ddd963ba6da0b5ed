/*
 * ids.h - ids for events that bring none: UUID version 4 (RFC 9562).
 *
 * A system call for 16 random bytes costs as much as everything else that an id needs, so they are
 * taken from the host for IDS_AHEAD ids at once. An id is no secret: what is kept ahead is not
 * wiped.
 */
#ifndef NONET_EVENTS_IDS_H
#define NONET_EVENTS_IDS_H

#include "base/arena.h"

#define IDS_AHEAD 64u
#define IDS_UUID_BYTES 16u

struct io_host;
struct ids {
    struct io_host *host;
    unsigned left; /* of the random ones: ids that can be made of them */
    unsigned char random[IDS_AHEAD][IDS_UUID_BYTES];
};

void ids_init(struct ids *ids, struct io_host *host);
/* An id; its text is ARENA's. 0 or -ENOMEM. */
must_use int ids_make(struct ids *ids, struct arena *arena, slice *ret_id);

#endif
