/*
 * buckets.h - token buckets, kept exactly: how many requests each still holds.
 *
 *     tokens    burst |*****.....|        one leaves with each request,
 *                        ^ left           rate.count come back in each rate.period_ns
 *
 * A bucket is one number: the moment at which it will be full again (the "theoretical arrival time"
 * of GCRA). Moments are counted in parts of a nanosecond, rate.count to each, so that every rate
 * is kept without rounding: a token takes period_ns of them, whatever the period. A bucket that is
 * full is like one that was never asked for, so it is forgotten when that moment has come, and only
 * those in use take memory.
 *
 * A request may need tokens of several buckets. It takes all of them or none: a limit that refuses
 * costs the others nothing.
 *
 * BOUND: so many buckets. At the bound those that are full go first; where none is, the one that
 * was asked for longest ago goes, and who it belonged to begins with a full one.
 *
 * The caller gives the time, which never runs backwards. One thread at a time.
 */
#ifndef NONET_GATEWAY_BUCKETS_H
#define NONET_GATEWAY_BUCKETS_H

#include "base/hash.h"
#include "base/number.h"

#define BUCKETS_TOGETHER_MAX 4u /* in one taking */

struct buckets;

/* Whose bucket it is: of which limit, of whom. No padding, since it is hashed as bytes. */
struct bucket_key {
    uint64_t limit;
    uint64_t who[2];
};

struct bucket_ask {
    struct bucket_key key;
    struct number_rate rate; /* both above 0 */
    uint64_t burst;          /* 1 to 2^32 */
};

struct bucket_state {
    uint64_t left;    /* whole tokens; after the taking, where it was one */
    uint64_t wait_ns; /* until one more is there; 0: it is full */
    bool empty;       /* it is what refuses */
};

/* HASH_KEY is random, MAX at least BUCKETS_TOGETHER_MAX. 0 or -ENOMEM. */
must_use int buckets_create(struct hash_key hash_key, unsigned max, uint64_t now_ns,
                            struct buckets **ret_buckets);
struct buckets *buckets_free(struct buckets *buckets); /* NULL allowed, returns NULL */

/* Takes a token from each of COUNT buckets (of different keys), or none from any where one of them
   is empty. STATES has room for COUNT. 0, -EAGAIN (refused), or -ENOMEM: nothing is known of some
   of them, and nothing was taken. */
must_use int buckets_take(struct buckets *buckets, const struct bucket_ask *asks, unsigned count,
                          uint64_t now_ns, struct bucket_state *states);

/* How the bucket of ASK stands, which is looked at only; one that there is not is full. */
struct bucket_state buckets_look(const struct buckets *buckets, const struct bucket_ask *ask,
                                 uint64_t now_ns);

/* Forgets those that are full by now. */
void buckets_sweep(struct buckets *buckets, uint64_t now_ns);

struct buckets_stats {
    unsigned count;
    uint64_t evicted; /* not full, for want of room */
};
struct buckets_stats buckets_stats(const struct buckets *buckets);

#endif
