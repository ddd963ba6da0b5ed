/*
 * key_source.h - the keys that an issuer publishes under a URL, on every loop, fetched by one.
 *
 *     loop 0: fetch (key_fetch.h) --set--> its own source ----.
 *                  ^                 '---> every other loop's  > tries that wait are judged again
 *     other loop: asks for keys ------'     source -----------'
 *
 * A set is counted and immutable, so loops share it. The one in force stays so while fetches fail.
 * A try waits where there is no set yet, or where its token bears a kid that the set does not hold
 * and a fetch may change that: strangers choose kids, so loop 0 grants this only so often
 * (jwks_policy.h), and the others remember until when they need not ask again.
 *
 * BOUNDS: tries that wait, and how long they do; then they are judged by what is there.
 */
#ifndef NONET_GATEWAY_KEY_SOURCE_H
#define NONET_GATEWAY_KEY_SOURCE_H

#include "rooms/gateway/auth_shard.h"

#define KEY_WAITING_MAX 1024u                  /* tries of a source on one loop */
#define KEY_WAIT_NS (6 * UINT64_C(1000000000)) /* a fetch takes at most KEY_FETCH_NS */

struct key_source;

/* The source of the remote KEY on this loop; NULL: no table in force has it. */
struct key_source *key_source_find(struct key_desk *desk, slice key);
/* The set in force, or NULL. GENERATION: another number for each other set this loop has seen. */
const struct jwks *key_source_set(const struct key_source *source, uint64_t *ret_generation);
/* The last fetch has failed: what is not in the set may be good all the same. */
bool key_source_failing(const struct key_source *source);
/* T's token needs a set, or (UNKNOWN) another one. True: it waits, and t->again is asked once there
   is something new, or for too long there was not. False: nothing new can be had now. */
bool key_source_wait(struct key_source *source, struct way_try *t, bool unknown);

#endif
