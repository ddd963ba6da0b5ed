/*
 * private.h - subjects that are the node's own: all that begin with `_NONET.`.
 *
 * Parts of the node talk to each other by them: loop 0 with the shards, monitoring, flows. What
 * comes by them is trusted, so nobody from outside may name one: clients can neither publish to nor
 * subscribe to them, do not hear them through wildcards, and no stream captures them.
 *
 * One kind is half open. A request of the node (request.h) may be answered by a client's service,
 * which must be shown the reply subject and may then publish to it:
 *
 *     _NONET._INBOX.<22 random letters>.<id>
 *
 * It is still heard by the node alone. To answer there a user needs the right to publish to the
 * same inbox without the `_NONET.`, so that who may answer clients may answer the node, and nobody
 * else.
 *
 * Another is half open the other way: where the node keeps views of SQL (room_node.views), it alone
 * publishes to
 *
 *     view.>
 *
 * which everybody may hear, and streams may capture (rooms/stream/changelog.h).
 */
#ifndef NONET_BUS_PRIVATE_H
#define NONET_BUS_PRIVATE_H

#include "base/slice.h"

#define BUS_PRIVATE_PREFIX "_NONET."
#define BUS_INBOX_PREFIX BUS_PRIVATE_PREFIX "_INBOX."

#define BUS_VIEW_PREFIX "view."

/* Where the node tells of its views. */
static inline bool bus_subject_of_view(slice subject) {
    return subject.len && subject.ptr[0] == 'v' &&
           slice_starts_with(subject, slice_lit(BUS_VIEW_PREFIX));
}

/* Never to be named or heard by others. */
static inline bool bus_subject_private(slice subject) {
    return subject.len && subject.ptr[0] == '_' &&
           slice_starts_with(subject, slice_lit(BUS_PRIVATE_PREFIX));
}

/* Where the node waits for an answer: others may publish there, not hear. */
static inline bool bus_subject_inbox(slice subject) {
    return slice_starts_with(subject, slice_lit(BUS_INBOX_PREFIX));
}

/* The subject that a right to publish to SUBJECT is asked for. */
static inline slice bus_subject_public(slice subject) {
    return bus_subject_inbox(subject) ? slice_skip(subject, sizeof BUS_PRIVATE_PREFIX - 1)
                                      : subject;
}

#endif
