/*
 * snapshot.h - a state that needs not be folded again, as a note (notes.h). Pure.
 *
 *     _NONET.es.state.order.42.3072      of event stream order-42, after 3,072 events
 *     {"fold":"2.9f86d081884c7d65","position":4711,"chain":"..","from":0,"state":{..}, ..}
 *
 * It is good for the fold that it was made with: `fold` is its version and the digest of what it
 * says, so a fold that was edited without a new version finds no snapshot of the old one, and
 * overwrites them one by one. It is good for the events that it was made of: `chain` is that of its
 * last event, whose position it names, and nothing else has it. FROM: the first revision that was
 * folded; 0 unless the event stream was truncated before.
 */
#ifndef NONET_EVENTS_SNAPSHOT_H
#define NONET_EVENTS_SNAPSHOT_H

#include "rooms/events/fold.h"
#include "rooms/events/record.h"

#define SNAPSHOT_SPAN EVENT_SPAN /* events from one to the next, as they have leaves */

struct snapshot {
    uint64_t number;   /* events in it */
    uint64_t position; /* of the last one */
    uint64_t from;
    unsigned char chain[EVENT_CHAIN_BYTES];
};

/* Appends the note's subject. SUBJECT: the event stream's ("es.order.42"). 0 or -ENOMEM. */
must_use int snapshot_subject(slice subject, uint64_t number, struct buf *out);
/* Appends the note's text. 0 or -ENOMEM. */
must_use int snapshot_write(const struct snapshot *snapshot, const struct fold *fold,
                            const struct fold_state *state, struct buf *out);
/* TEXT read into *RET_SNAPSHOT (but its number) and STATE; DOC is overwritten. 0; -ENOENT: it is
   another fold's, or none that can be read; -ENOMEM. After a failure STATE is worth nothing. */
must_use int snapshot_read(slice text, const struct fold *fold, struct json_doc *doc,
                           struct fold_state *state, struct snapshot *ret_snapshot);

#endif
