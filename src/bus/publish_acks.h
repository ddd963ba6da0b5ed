/*
 * publish_acks.h - acknowledgements that a publish carries: consume, emit and checkpoint in one
 * commit. Inside the engine only.
 *
 *     Nonet-Ack: $JS.ACK.ORDERS.worker.1.17.17.1767225600000000000.0
 *
 * The value is the reply subject of a message that was consumed; the field may come several times,
 * on every message of a batch, too. What is published and what is acknowledged become one batch of
 * the log: both are on disk or neither is, so of a message that was consumed the results are
 * published exactly once however often it is delivered. An acknowledgement that does not hold
 * refuses the publish:
 *
 *     not the reply subject of a consumed message; acknowledges nothing; too many    400 10003
 *     ack_all, with more messages before it than a commit may delete                 400 10054
 *     its consumer or stream is not there (any more)                                 404 10014
 *     its message is not in flight: done, given up, parked                           409 20001
 *     its message was delivered again since, to somebody else perhaps                409 20001
 *
 * A duplicate (Nats-Msg-Id) is a retry of what was committed with its acknowledgements: those that
 * hold all the same are taken, the others are passed over.
 *
 * The field is for the server, and not stored. Who may publish to the reply subject is asked where
 * the message comes in (rooms/pubsub).
 */
#ifndef NONET_BUS_PUBLISH_ACKS_H
#define NONET_BUS_PUBLISH_ACKS_H

#include "bus/consumer_parts.h"
#include "bus/publish.h"

#define PUBLISH_ACKS_MAX 1000u        /* of one commit */
#define PUBLISH_ACK_STALE_CODE 20001u /* beyond those of nats-server */

struct publish_ack {
    struct consumer *consumer;
    struct consumer_address address;
    uint64_t delay_ns; /* since its delivery, where it is one of a sample; else 0 */
};

struct publish_acks {
    struct streams *streams;
    struct buf all;      /* of struct publish_ack */
    size_t released_max; /* messages that may be released by them */
};

/* Reads and judges what HEADERS carry, and adds it to ACKS (begun with zeroes). LENIENT: what does
   not hold is passed over. False with *E. */
bool publish_acks_read(struct streams *streams, slice headers, bool lenient,
                       struct publish_acks *acks, struct streams_error *e);
/* In this order: before log_batch_begin; into the batch; when nothing can fail any more, before
   log_batch_commit; after it: calls strangers. The first two 0, or a negative errno. */
must_use int publish_acks_prepare(struct publish_acks *acks);
must_use int publish_acks_put(struct publish_acks *acks, struct log_batch *batch);
void publish_acks_take(struct publish_acks *acks);
void publish_acks_tell(struct publish_acks *acks);
void publish_acks_free(struct publish_acks *acks);

/* Adds HEADERS without the fields to B, nothing where no other field is left. 0 or -ENOMEM. */
must_use int publish_acks_strip(slice headers, struct buf *b);

#endif
