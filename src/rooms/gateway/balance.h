/*
 * balance.h - which of a route's services gets the next request.
 *
 *     least_requests   two at random, by weight; the second where, with this request, it would be
 * no busier for its weight than the first is now round_robin      each in turn, smoothly: weights
 * 2, 1, 1 give a b a c, not a a b c (nginx) hash             by a key: weighted rendezvous, so a
 * service that leaves or comes moves only the keys that were or will be its own, on every loop and
 * node alike
 *
 * With nothing under way least_requests splits by weight exactly; with much under way it follows
 * who answers quickly. Two choices are enough for that and, unlike the least of all, do not send
 * the whole crowd to a service that fails fast or has just come.
 *
 * WHO IS ASKED. Services with weight 0 never. Of the others those that are not out (health.h);
 * where all of them are out, those that are only ejected, for their failures may have been the
 * requests' own; a service that health checks find unwell is not asked. Of these, those that this
 * request has not tried yet, unless it has tried all.
 */
#ifndef NONET_GATEWAY_BALANCE_H
#define NONET_GATEWAY_BALANCE_H

#include "base/check.h"
#include "base/random.h"
#include "base/slice.h"

#define BALANCE_MEMBERS_MAX 64u
#define BALANCE_WEIGHT_MAX 1000000000u /* 64 of them, times the requests under way, fit 64 bits */

enum balance_kind { BALANCE_LEAST_REQUESTS, BALANCE_ROUND_ROBIN, BALANCE_HASH };

/* What a service says of itself. */
struct balance_load {
    unsigned under_way; /* requests */
    bool unwell, ejected;
};

struct balance_member {
    const struct balance_load *load;
    uint64_t seed;   /* balance_seed of the service's name */
    uint32_t weight; /* at most BALANCE_WEIGHT_MAX */
    int64_t turn;    /* round robin: how much it is due */
};

struct balance {
    enum balance_kind kind;
    unsigned count; /* at most BALANCE_MEMBERS_MAX */
    struct balance_member *members;
};

/* The same on every machine and at every start. */
uint64_t balance_seed(slice name);
uint64_t balance_key(slice text);

/* The index of who is asked, or -1. TRIED: bit I for member I. KEY: of hash only. */
int balance_pick(struct balance *balance, struct random *random, uint64_t key, uint64_t tried);

#endif
