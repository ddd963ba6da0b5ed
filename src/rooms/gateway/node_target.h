/*
 * node_target.h - for targets that are the node's own APIs: the HTTP target, opened with the admin
 * listener's address as its service. Such a target's self is the HTTP target's, for whose other
 * functions (close, shard_open, start, ...) it is made.
 */
#ifndef NONET_GATEWAY_NODE_TARGET_H
#define NONET_GATEWAY_NODE_TARGET_H

#include "rooms/gateway/target.h"

/* As gateway_target.open. */
must_use int node_target_open(struct gateway *gateway, const struct gateway_route_config *config,
                              struct arena *arena, void **ret_self, struct error *ret_error);

#endif
