/*
 * limit.h - token buckets: asked by step_limit, kept by the loop they fall to (limit.c).
 */
#ifndef NONET_GATEWAY_LIMIT_H
#define NONET_GATEWAY_LIMIT_H

#include "rooms/gateway/gateway.h"

/* 0 or -ENOMEM. */
must_use int gateway_limits_shard_open(struct gateway_shard *shard);
void gateway_limits_shard_close(struct gateway_shard *shard);

#endif
