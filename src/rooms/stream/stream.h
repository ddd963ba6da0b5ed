/*
 * stream.h - the room of SQL: the node's database, and the listener `sql` in front of it.
 *
 *     stream shard:  ledger server (the log's side of stream SQL)
 *     last serving shard:  database, sessions        every connection of `sql` is dealt to it
 *
 * With one loop that is one and the same. A node whose listener is off, or that keeps no durable
 * streams (node.jetstream: false), has no database.
 */
#ifndef NONET_STREAM_STREAM_H
#define NONET_STREAM_STREAM_H

#include "bus/room.h"

/* Section `sql`. */
struct stream_section {
    struct conf_item item;
    uint64_t work_mem, memory, subscription_buffer;
    int64_t max_sessions;
};
extern const struct conf_key stream_key;

extern const struct room stream_room;

#endif
