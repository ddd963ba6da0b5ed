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
 *
 * MEMBERS are who may get a request: a service whose URL has an address is one; one with a name is
 * as many as the name has addresses at the moment (names.h), which share its weight. A route has at
 * most BALANCE_MEMBERS_MAX, an equal part of them for each service. When a name's addresses change
 * the members are made anew, in place: upstreams that stay are taken again and keep all they have,
 * those that are gone are let go of, and a request that is to try another one after that begins its
 * list of those it has tried anew.
 */
#ifndef NONET_GATEWAY_PROXY_H
#define NONET_GATEWAY_PROXY_H

#include "rooms/gateway/names.h"
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
    bool follows; /* lines of JSON without a length have no end, as event streams have none */
    uint64_t timeout_ns;
    struct io_tls **tls; /* counted; one for each service that has it */
    unsigned tls_count;
    struct proxy_share *shares[ROOM_SHARDS_MAX]; /* each used by its own loop only */
};

#define PROXY_MIRRORS_MAX 8u    /* addresses of the service on trial; they get copies in turn */
#define PROXY_WAITING_MAX 1024u /* requests of a share, for the first answer of DNS */

struct proxy_watch {
    struct gateway_watch watch;
    struct proxy_share *share;
};

struct proxy_share {
    const struct proxy_target *target;
    struct gateway_shard *shard;
    unsigned count;
    unsigned version; /* grows with each change of the members */
    struct balance balance;
    struct balance_member members[BALANCE_MEMBERS_MAX];
    struct upstream *upstreams[BALANCE_MEMBERS_MAX];
    const struct upstream_options *services[BALANCE_MEMBERS_MAX]; /* whose they are, in the table */
    struct upstream *mirrors[PROXY_MIRRORS_MAX];
    unsigned mirror_count, mirror_turn;
    struct retry_budget budget;
    bool asking;         /* some names are being asked for the first time */
    bool nameless;       /* some names have no address */
    struct list waiting; /* of struct proxy (proxy.c): for the first answer */
    unsigned waiting_count;
    struct io_task wake;
    struct proxy_watch *watches; /* one for each service, and for the mirror */
};

static inline struct proxy_share *proxy_share_ref(struct proxy_share *share) {
    share->count++;
    return share;
}
/* The last one lets go of the upstreams. NULL allowed, returns NULL. */
struct proxy_share *proxy_share_unref(struct proxy_share *share);

/* proxy.c: the target's start, and the share's: all that wait are to look again. */
void proxy_start(struct exchange *x, void *self);
void proxy_share_wake(struct io_task *task);
/* The request of X, as far as fields of one that is made of it tell of it. */
struct proxy_asked proxy_asked_of(const struct exchange *x);

#endif
