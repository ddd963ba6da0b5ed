/*
 * key_fetch.h - fetches an issuer's set of keys from its URL, when jwks_policy.h says so: at once,
 * again when the set is old, when a kid is not known, and after failures less and less often.
 *
 * On loop 0 only. An answer is a set where it is 200 and its body parses (jwks.h); redirects are
 * not followed, since they would let somebody else say whose keys these are.
 */
#ifndef NONET_GATEWAY_KEY_FETCH_H
#define NONET_GATEWAY_KEY_FETCH_H

#include "rooms/gateway/ways.h"

#define KEY_FETCH_NS (5 * UINT64_C(1000000000)) /* from the request to the answer's last byte */

struct key_fetch;

struct key_fetch_options {
    struct gateway_shard *shard;
    const struct way_remote *remote; /* needed during the call only */
    /* A fetch is over; SET is counted for the callee, NULL where it has failed. Not from inside. */
    void (*on_end)(void *owner, struct jwks *set);
    void *owner;
};
/* The first fetch starts by the end of the turn. 0 or -ENOMEM. */
must_use int key_fetch_open(const struct key_fetch_options *options, struct key_fetch **ret_fetch);
struct key_fetch *key_fetch_close(struct key_fetch *fetch); /* NULL allowed, returns NULL */

/* A token bears a kid that the set does not hold: may it wait for a fetch? That is under way then,
   and on_end comes. */
bool key_fetch_unknown(struct key_fetch *fetch);
bool key_fetch_under_way(const struct key_fetch *fetch);
bool key_fetch_failing(const struct key_fetch *fetch);
/* Before this moment of the loop's clock an unknown kid will be granted no other fetch. */
uint64_t key_fetch_not_before_ns(const struct key_fetch *fetch);

#endif
