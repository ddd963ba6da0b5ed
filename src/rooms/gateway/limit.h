/*
 * limit.h - how often: the limits of a route, asked by step_limit (steps.h), exact over all loops.
 *
 * A bucket (buckets.h) lives on one loop only. All buckets that one request of a route may need
 * live on the same one: it falls to a loop by the route's name and, where all limits of the route
 * are per client, or all per key, by who asks. So one question settles them all, at once and
 * exactly; a request on that very loop asks nobody.
 *
 *     step_limit --own loop--> taken, or 429
 *          '--question--> other loop: taken or not --answer--> goes on, or 429
 *                                   '--no answer within LIMIT_ANSWER_NS: goes on, and is counted
 *
 * WHO ASKS is the client's address (IPv6: its /64, which is what one subscriber has), or the
 * principal that a way of auth has found, else the address, or nobody: then the route has one
 * bucket.
 *
 * WHAT IS SAID follows draft-ietf-httpapi-ratelimit-headers-11, on every answer. A policy is
 * called "default", or where a route has several, by what it is per ("client", "key-2"):
 *
 *     RateLimit-Policy: "default";q=200;w=2    q: what a full bucket holds; w: seconds to fill it
 *     RateLimit: "default";r=150;t=1           r: left; t: seconds until there is one more
 *     Retry-After: 1                           429 only: seconds until this request may come again
 *
 * A RELOAD keeps the buckets of limits that stay as they are (struct gateway_limit's id). Where a
 * route's limits change in what they are per, the loop may be another, and buckets begin full.
 */
#ifndef NONET_GATEWAY_LIMIT_H
#define NONET_GATEWAY_LIMIT_H

#include "rooms/gateway/table.h"

#define LIMIT_BUCKETS_MAX 100000u      /* on each loop; see buckets.h for what happens then */
#define LIMIT_ANSWER_NS 1000000000u    /* how long another loop may take */
#define LIMIT_QUESTIONS_MAX (1u << 16) /* of a loop, not answered yet; more go on, counted */

/* Who a client is by its ADDRESS, for whatever is counted by client: IPv4 the address, IPv6 its
   /64; zeroes where it is none. */
void limit_client(slice address, uint64_t ret_who[2]);

/* Names the limits of ROUTE and writes its RateLimit-Policy, into ARENA. 0 or -ENOMEM. */
must_use int gateway_limits_describe(struct gateway_route *route, struct arena *arena);

/* 0 or -ENOMEM. */
must_use int gateway_limits_shard_open(struct gateway_shard *shard);
void gateway_limits_shard_close(struct gateway_shard *shard);

#endif
