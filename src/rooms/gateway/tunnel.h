/*
 * tunnel.h - two streams joined, after a service has agreed to another protocol (101): WebSocket,
 * or anything else that is no HTTP any more.
 *
 *     client <== stream ==> TUNNEL <== stream ==> service
 *
 * Bytes of one side are written to the other; while more than TUNNEL_HIGH_BYTES wait there, nothing
 * is read here. When one side ends, the other one hears it and may talk on; when both have, or one
 * is lost, the tunnel is over. So it is when nothing has moved for TUNNEL_IDLE_NS: peers that are
 * gone without a word would otherwise stay for ever, and who is only quiet sends a ping now and
 * then.
 *
 * A reload does not touch a tunnel. A drain closes it in the next pause of TUNNEL_PAUSE_NS, which
 * in protocols of messages is between two of them: most tunnels have no end of their own that a
 * stopping node could wait for. One without a pause is cut when the node's patience is over.
 */
#ifndef NONET_GATEWAY_TUNNEL_H
#define NONET_GATEWAY_TUNNEL_H

#include "http/client.h"
#include "rooms/gateway/exchange.h"
#include "rooms/gateway/upstream.h"

#define TUNNEL_HIGH_BYTES (256u << 10)
#define TUNNEL_IDLE_NS (UINT64_C(3600) * 1000000000)
#define TUNNEL_PAUSE_NS (UINT64_C(250) * 1000000)

/* During on_head of a 101 of UPSTREAM's: answers X with 101 and what it said (FIELDS, with
   Upgrade), takes both streams, and both X and CALL are gone. UPSTREAM's call is over when the
   tunnel is, so that a tunnel weighs as much in the balance as any request. 0; or nothing has
   happened: -EBUSY (other requests on the client's connection), -EINVAL, -ENOMEM. */
must_use int tunnel_open(struct exchange *x, struct http_call *call, struct upstream *upstream,
                         const struct http1_field *fields, size_t count);

#endif
