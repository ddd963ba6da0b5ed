/*
 * stream_wait.h - waiting for a stream to be as far as somebody has seen it: read your own writes.
 *
 * Who has been acknowledged a sequence asks to read nothing older. On the node that acknowledged it
 * readers are there already, for acknowledged means on disk and visible; the wait is for what was
 * published by others, or is on its way.
 *
 * On the stream shard. The requests with it are in rooms/pubsub/jetstream_wait.c. BOUND:
 * STREAM_WAITERS_MAX of a node.
 */
#ifndef NONET_BUS_STREAM_WAIT_H
#define NONET_BUS_STREAM_WAIT_H

#include "bus/streams.h"

#define STREAM_WAITERS_MAX 16384u

/* Calls DONE, never from inside: with 0 once readers may see SEQUENCE or a later one; -ETIMEDOUT
   after WITHIN_NS; -ENOENT: the stream has gone; -ECANCELED: the node stops. 0, -ENOMEM, or -EAGAIN
   at the bound: then DONE does not come. */
must_use int stream_wait(struct stream *stream, uint64_t sequence, uint64_t within_ns,
                         void (*done)(void *self, int failed), void *self);

/* Inside the engine: readers may see more; the stream goes. */
void stream_wait_look(struct stream *stream);
void stream_wait_forget(struct stream *stream);

#endif
