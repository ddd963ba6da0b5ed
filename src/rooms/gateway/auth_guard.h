/*
 * auth_guard.h - who sends wrong credentials too often is not judged for a while.
 *
 * Keys that people have chosen can be guessed, and every guess at a token costs a signature check.
 * So what is refused is counted by client (limit.h: an address, of IPv6 its /64): so many at once,
 * then at a rate; beyond that all that a client sends to routes with auth is answered 429, good
 * credentials too, or a guess that hits would still be told from one that misses. What has merely
 * expired is no guess and is not counted.
 *
 * A loop counts what comes by it, so a client with connections to several has as much on each.
 * BOUND: clients counted; beyond it the one that was refused longest ago begins anew (buckets.h).
 */
#ifndef NONET_GATEWAY_AUTH_GUARD_H
#define NONET_GATEWAY_AUTH_GUARD_H

#include "rooms/gateway/exchange.h"

#define AUTH_GUARD_BURST 100u      /* refusals at once */
#define AUTH_GUARD_PER_SECOND 10u  /* in the long run */
#define AUTH_GUARD_CLIENTS 100000u /* on each loop */

struct auth_guard;

must_use int auth_guard_open(struct gateway_shard *shard, struct auth_guard **ret_guard);
struct auth_guard *auth_guard_close(struct auth_guard *guard); /* NULL allowed, returns NULL */

/* True: X's client may try; else it has been answered. */
bool auth_guard_lets_try(struct auth_guard *guard, struct exchange *x);
/* X's credentials were wrong. */
void auth_guard_count(struct auth_guard *guard, const struct exchange *x);

#endif
