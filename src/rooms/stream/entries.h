/*
 * entries.h - entries of stream SQL on their way into one commit: what is defined and what is
 * written, in the order in which a start makes it again.
 *
 * BOUNDS: LEDGER_COMMIT_BYTES_MAX and LEDGER_COMMIT_ENTRIES_MAX, of one commit.
 */
#ifndef NONET_STREAM_ENTRIES_H
#define NONET_STREAM_ENTRIES_H

#include "base/buf.h"
#include "rooms/stream/ledger.h"

struct entries {
    struct ledger_entry *list;
    size_t count, room, bytes;
};

void entries_free(struct entries *e);
/* Only the first COUNT stay. */
void entries_cut(struct entries *e, size_t count);
/* Both are copied. 0, -ENOMEM, -EFBIG: one commit does not take so much. */
must_use int entries_add(struct entries *e, slice subject, slice payload);
must_use int entries_add_all(struct entries *e, const struct entries *from);

#endif
