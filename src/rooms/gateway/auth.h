/*
 * auth.h - ways to say who asks: made with the table, asked by step_auth.
 *
 * The ways of a config are immutable and part of its table. What is learnt while serving (key sets
 * that were fetched, tokens and logins found good) belongs to a loop and outlives tables.
 */
#ifndef NONET_GATEWAY_AUTH_H
#define NONET_GATEWAY_AUTH_H

#include "rooms/gateway/gateway.h"
#include "rooms/gateway/gateway_config.h"

struct gateway_route;
struct gateway_ways;

/* AUTH: the config's list of struct gateway_auth_config; the way at its index I is way I of routes.
   What is kept is copied into ARENA, which outlives the ways. 0 (NULL where there are none), or
   negative with words. */
must_use int gateway_ways_create(struct gateway *gateway, const struct conf_array *auth,
                                 struct arena *arena, struct gateway_ways **ret_ways,
                                 struct error *ret_error);
void gateway_ways_free(struct gateway_ways *ways); /* NULL allowed; any thread */

/* Whether the argument KEY of a query (as sent, escapes and all) carries a secret to ROUTE, which
   no log should have. */
bool gateway_auth_hides(const struct gateway_route *route, slice key);

/* What a loop keeps longer than a table: key sets, tokens and logins found good. 0 or -ENOMEM. */
must_use int gateway_auth_shard_open(struct gateway_shard *shard);
/* TABLE has come into force on this loop, with shard->auth: revoke what no longer holds. */
void gateway_auth_shard_renew(struct gateway_shard *shard, struct gateway_table *table);
void gateway_auth_shard_close(struct gateway_shard *shard);

#endif
