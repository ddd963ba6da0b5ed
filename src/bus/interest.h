/*
 * interest.h - streams that keep a message only as long as somebody wants it: retention "interest"
 * and "workqueue".
 *
 *     published, nobody interested (interest only) ---> its sequence passes, nothing is kept
 *     acknowledged, terminated, sent without acks ----> RELEASED by that consumer
 *         no other consumer has it in flight or before it: deleted, in the very batch that
 *         carries the acknowledgement
 *     consumer gone, its filter changed, node started > a WALK looks for what nobody wants
 *                                                       (interest only)
 *
 * So what was confirmed as acknowledged never comes back, and what was not is never lost: the
 * deletion is on disk exactly when the acknowledgement is. A checkpoint may have acknowledgements
 * that are not in the journal yet, for it has no room; then it has what they have released, too. A
 * message that was given up after its last delivery is not released, as with nats-server: it stays
 * until it is deleted by hand.
 *
 * Calls do nothing on streams with retention "limits".
 */
#ifndef NONET_BUS_INTEREST_H
#define NONET_BUS_INTEREST_H

#include "bus/stream.h"

struct consumer_config;

/* Room to release COUNT messages; before anything is noted. 0 or -ENOMEM. */
must_use int interest_reserve(struct stream *stream, size_t count);
/* A consumer, which has not got SEQUENCE in flight any more, is done with it. Within a
   reservation. */
void interest_release(struct stream *stream, uint64_t sequence);

/* CONSUMER will be done with SEQUENCE, which it has in flight, when BATCH is committed: adds the
   deletion where nobody else wants it. 0, or as log_batch_delete. */
must_use int interest_put_done(const struct consumer *consumer, uint64_t sequence,
                               struct log_batch *batch);

/* Is there a consumer for SUBJECT, or need there be none? */
bool interest_wanted(const struct stream *stream, slice subject);

/* Looks at all messages, a bounded number a turn, for what nobody wants any more. */
void interest_walk(struct stream *stream);

/* May STREAM have a consumer like CONFIG, beside all but THERE (NULL: a new one)? */
bool interest_admits(struct stream *stream, const struct consumer_config *config,
                     const struct consumer *there, struct streams_error *e);

/* Is there anything released that is not in a batch yet? */
bool interest_waiting(const struct streams *streams);
/* Adds deletions of what was released to BATCH, at most INTEREST_BATCH_MAX. 0; -E2BIG: there is
   more, which must be committed before anything else, in a batch without the acknowledgements; or
   as log_batch_delete. Until interest_taken nothing is taken off. */
#define INTEREST_BATCH_MAX 16384u
must_use int interest_put(struct streams *streams, struct log_batch *batch);
/* BATCH was committed. */
void interest_taken(struct streams *streams);
void interest_forget(struct stream *stream);
/* What STREAM has released that is not in a batch yet: COUNT sequences, for a snapshot, which has
   the acknowledgements already; and one of them again, after a restart. */
const uint64_t *interest_released(const struct stream *stream, size_t *ret_count);
must_use int interest_release_again(struct stream *stream, uint64_t sequence); /* 0 or -ENOMEM */

#endif
