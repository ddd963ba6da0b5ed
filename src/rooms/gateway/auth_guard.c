/*
 * auth_guard.c - refusals counted in token buckets, one a client (auth_guard.h).
 *
 * A request is let through to be judged while the bucket has a token, and takes one only when it
 * has been refused: what is good costs nothing. Buckets that are full again are forgotten when room
 * is needed; no timer walks them.
 */
#include "rooms/gateway/auth_guard.h"

#include "base/mem.h"
#include "rooms/gateway/buckets.h"
#include "rooms/gateway/limit.h"

#include <errno.h>

struct auth_guard {
    struct gateway_shard *shard;
    struct buckets *buckets;
    struct metric turned_away;
};

static const struct metrics_family turned_away_family = {
    .name = "nonet_gateway_auth_turned_away_total",
    .kind = METRICS_COUNTER,
    .help = "Requests answered with 429, as their client had sent too many wrong credentials.",
};

static uint64_t now_ns(const struct auth_guard *guard) {
    return io_loop_now_ns(guard->shard->shard->loop);
}

static struct bucket_ask ask_for(const struct exchange *x) {
    struct bucket_ask ask = {.rate = {AUTH_GUARD_PER_SECOND, NUMBER_NS_PER_SECOND},
                             .burst = AUTH_GUARD_BURST};
    limit_client(x->client, ask.key.who);
    return ask;
}

bool auth_guard_lets_try(struct auth_guard *guard, struct exchange *x) {
    struct bucket_ask ask = ask_for(x);
    struct bucket_state state = buckets_look(guard->buckets, &ask, now_ns(guard));
    if (!state.empty)
        return true;
    metrics_count(guard->shard->shard->metrics, guard->turned_away, 1);
    exchange_add_field(x, slice_lit("Retry-After"), slice_lit("1"));
    exchange_problem(x, 429, "auth: too many refused",
                     "too many wrong credentials have come from your address");
    return false;
}

void auth_guard_count(struct auth_guard *guard, const struct exchange *x) {
    struct bucket_ask ask = ask_for(x);
    struct bucket_state state;
    (void)!buckets_take(guard->buckets, &ask, 1, now_ns(guard), &state); /* empty, or no memory */
}

int auth_guard_open(struct gateway_shard *shard, struct auth_guard **ret_guard) {
    struct auth_guard *guard = mem_zalloc(1, sizeof *guard);
    if (!guard)
        return -ENOMEM;
    guard->shard = shard;
    int failed = buckets_create(shard->gateway->secrets[0], AUTH_GUARD_CLIENTS, now_ns(guard),
                                &guard->buckets);
    if (!failed && metrics_add_series(shard->gateway->node->metrics, &turned_away_family, NULL,
                                      &guard->turned_away) == -ENOMEM)
        failed = -ENOMEM;
    if (failed)
        auth_guard_close(guard);
    else
        *ret_guard = guard;
    return failed;
}

struct auth_guard *auth_guard_close(struct auth_guard *guard) {
    if (!guard)
        return NULL;
    buckets_free(guard->buckets);
    return mem_free(guard);
}
