/*
 * publish_batch.h - atomic batches (ADR-50): several messages that are stored whole, one behind the
 * other, or not at all. Streams with allow_atomic.
 *
 *     Nats-Batch-Id: B   Nats-Batch-Sequence: 1            -->  empty answer, or a refusal
 *     Nats-Batch-Id: B   Nats-Batch-Sequence: 2            -->  empty answer where one is wanted
 *     Nats-Batch-Id: B   Nats-Batch-Sequence: 3
 *     Nats-Batch-Commit: 1                                 -->  {"stream", "seq", "batch", "count"}
 *
 * "Nats-Batch-Commit: eob" commits what came before; its own message is not stored. Messages are
 * gathered in memory, judged together at the commit, and are then one batch of the log; the
 * acknowledgement leaves when it is on disk. The order of judgement is streams.h's, but ids of all
 * messages are looked up before anything is expected of any:
 *
 *     an id that is known, or twice in the batch        10201    the batch is refused
 *     Nats-Expected-Last-Msg-Id                         10177    means nothing in a batch
 *     Nats-Expected-Last-Sequence                       10177    but of the first message
 *     a subject's last sequence                         10164    where the batch has written to it
 *     roll-up of a subject; of the stream               10111    but of its first; but by the first
 *
 * A batch may carry acknowledgements of what was consumed, on any of its messages: publish_acks.h.
 *
 * BOUNDS, each with its answer: an id of PUBLISH_BATCH_ID_MAX bytes (10179); per batch
 * PUBLISH_BATCH_MESSAGES_MAX messages, PUBLISH_BATCH_BYTES_MAX bytes (10199) and
 * PUBLISH_BATCH_WILDCARDS_MAX expectations with wildcards (10177); batches under way,
 * PUBLISH_BATCHES_PER_STREAM_MAX a stream, PUBLISH_BATCHES_MAX and PUBLISH_BATCHES_BYTES_MAX a node
 * (10210). A gap in the sequences ends the batch (10176); PUBLISH_BATCH_IDLE_NS without a message
 * end it silently. Both are told as the advisory STREAM.BATCH_ABANDONED. What a node that stops has
 * not committed is gone.
 */
#ifndef NONET_BUS_PUBLISH_BATCH_H
#define NONET_BUS_PUBLISH_BATCH_H

#include "bus/publish.h"

#define PUBLISH_BATCH_ID_MAX 64u
#define PUBLISH_BATCH_MESSAGES_MAX 1000u
#define PUBLISH_BATCH_BYTES_MAX (32u << 20)
#define PUBLISH_BATCH_WILDCARDS_MAX 16u
#define PUBLISH_BATCHES_PER_STREAM_MAX 50u
#define PUBLISH_BATCHES_MAX 1000u
#define PUBLISH_BATCHES_BYTES_MAX (256u << 20)
#define PUBLISH_BATCH_IDLE_NS (10 * 1000000000ull)

/* Takes MESSAGE, whose headers H name a batch. Answers it; the stream may be gone afterwards. */
void publish_batch_add(struct stream *s, const struct bus_message *message,
                       const struct publish_headers *h);
/* The stream goes, or takes no batches any more: those under way are forgotten without a word. */
void publish_batches_forget(struct stream *s);

#endif
