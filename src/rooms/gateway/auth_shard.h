/*
 * auth_shard.h - what a loop keeps for auth longer than a table: logins found good, sets of keys by
 * their URL, connections to services that decide, verified tokens. The inside of auth, like ways.h.
 *
 * Each part is opened with the loop, told of every new table, and closed with the loop, when no
 * exchange is left.
 */
#ifndef NONET_GATEWAY_AUTH_SHARD_H
#define NONET_GATEWAY_AUTH_SHARD_H

#include "rooms/gateway/auth_guard.h"
#include "rooms/gateway/ways.h"

struct gateway_auth_shard {
    struct gateway_shard *shard;
    struct login_desk *logins;
    struct key_desk *keys;
    struct forward_desk *forwards;
    struct jwt_reader *reader;
    struct token_cache *tokens;
    struct auth_guard *guard;
};

/* way_basic.c. All of these: 0 or -ENOMEM; close takes NULL and returns it. */
must_use int login_desk_open(struct gateway_shard *shard, struct login_desk **ret_desk);
void login_desk_renew(struct login_desk *desk); /* users are those of shard->auth now */
struct login_desk *login_desk_close(struct login_desk *desk);

/* way_forward.c */
must_use int forward_desk_open(struct gateway_shard *shard, struct forward_desk **ret_desk);
void forward_desk_renew(struct forward_desk *desk, const struct gateway_ways *ways);
struct forward_desk *forward_desk_close(struct forward_desk *desk);

/* key_source.c */
must_use int key_desk_open(struct gateway_shard *shard, struct key_desk **ret_desk);
void key_desk_renew(struct key_desk *desk, const struct gateway_ways *ways);
struct key_desk *key_desk_close(struct key_desk *desk);

#endif
