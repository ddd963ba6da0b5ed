/*
 * limit.h - token buckets: asked by step_limit, kept by the loop they fall to (limit.c).
 *
 * A bucket lives on one loop of the node, whichever loops its requests come by, so that a limit is
 * exact; it is found by the id of its limit and by who asks, so that it outlives a table.
 */
#ifndef NONET_GATEWAY_LIMIT_H
#define NONET_GATEWAY_LIMIT_H

#include "rooms/gateway/gateway.h"

/* 0 or -ENOMEM. */
must_use int gateway_limits_shard_open(struct gateway_shard *shard);
void gateway_limits_shard_close(struct gateway_shard *shard);

#endif
