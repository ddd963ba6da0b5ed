/*
 * proxy.h - the http target: a route's services, and an exchange with one of them.
 *
 *     struct proxy_target   one a route: what the config says, in the table's arena, immutable
 *       struct proxy_share  one a loop: the services' upstreams (upstream.h), whose turn it is,
 *                           the budget of retries
 *         struct proxy      one a request: which service, which call (http/client.h)
 *
 * A share lives as long as the table is in force on its loop, and as long as a request begun then
 * may still have to try another service.
 */
#ifndef NONET_GATEWAY_PROXY_H
#define NONET_GATEWAY_PROXY_H

#include "rooms/gateway/proxy_fields.h"
#include "rooms/gateway/retry.h"
#include "rooms/gateway/target.h"
#include "rooms/gateway/upstream.h"

struct proxy_target {
    enum balance_kind balance;
    slice hash_header, hash_cookie;
    const struct upstream_options *services;
    const uint32_t *weights;
    unsigned count;
    const struct upstream_options *mirror; /* NULL: none */
    unsigned attempts;                     /* further ones */
    unsigned budget_percent;
    bool keep_host;
    uint64_t timeout_ns;
    struct io_tls **tls; /* counted; one for each service that has it */
    unsigned tls_count;
    struct proxy_share *shares[ROOM_SHARDS_MAX]; /* each used by its own loop only */
};

struct proxy_share {
    const struct proxy_target *target;
    unsigned count;
    struct balance balance;
    struct balance_member members[BALANCE_MEMBERS_MAX];
    struct upstream *upstreams[BALANCE_MEMBERS_MAX];
    struct upstream *mirror; /* NULL: none */
    struct retry_budget budget;
};

static inline struct proxy_share *proxy_share_ref(struct proxy_share *share) {
    share->count++;
    return share;
}
/* The last one lets go of the upstreams. NULL allowed, returns NULL. */
struct proxy_share *proxy_share_unref(struct proxy_share *share);

/* proxy.c: the target's start. */
void proxy_start(struct exchange *x, void *self);
/* The request of X, as far as fields of one that is made of it tell of it. */
struct proxy_asked proxy_asked_of(const struct exchange *x);

#endif
