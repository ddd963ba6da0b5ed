/*
 * jwks_policy.h - when to fetch a set of keys again. Pure: times go in, decisions come out.
 *
 *      create --> DUE --started--> FETCHING --fetched--> FRESH (until its age) ---.
 *                  ^                  |                    | a kid is not known   |
 *                  |                  '--failed--> BACKING OFF --.                |
 *                  '----------------------------------------------+<--------------'
 *
 * Issuers rotate keys: tokens bear a new kid minutes or seconds before anybody's timer expires, and
 * a gateway that waits for the timer refuses every login until then. So an unknown kid asks for a
 * fetch at once. Kids are chosen by strangers, so that is granted `burst` times in a row, and then
 * once in min_interval (each fetch, whatever its cause, counts as one of these); a kid that comes
 * sooner has its fetch when the interval is over.
 *
 * A fetch that fails is repeated after backoff_min, then twice as long each time up to
 * backoff_max, and unknown kids do not hasten that. The set that was there stays in use: what
 * to do with sets is the caller's, the policy knows only times.
 *
 * Times are of the monotonic clock, in nanoseconds. One owner, one thread.
 */
#ifndef NONET_GATEWAY_JWKS_POLICY_H
#define NONET_GATEWAY_JWKS_POLICY_H

#include "base/check.h"
#include "base/slice.h"

#define JWKS_POLICY_NEVER UINT64_MAX

/* 0 in a field: the default in brackets. */
struct jwks_policy_options {
    uint64_t min_interval_ns; /* [10 s] between fetches that unknown kids cause, in the long run */
    unsigned burst;           /* [4] so many of them may come at once */
    uint64_t max_age_ns;      /* [10 min] of a set whose answer does not say how long it is good */
    uint64_t age_limit_ns;    /* [24 h] whatever the answer says: a key that is withdrawn goes */
    uint64_t backoff_min_ns;  /* [1 s] */
    uint64_t backoff_max_ns;  /* [1 min] */
};

/* Fields are to be read only. */
struct jwks_policy {
    struct jwks_policy_options options;
    bool fetching;
    unsigned failures; /* in a row */
    uint64_t spent_ns; /* when all of the burst will be there again */
    uint64_t due_ns;   /* of the next; see jwks_policy_due */
};

/* The first fetch is due at once. */
void jwks_policy_init(struct jwks_policy *p, const struct jwks_policy_options *options,
                      uint64_t now_ns);

/* When the next fetch is to start (it may be in the past), JWKS_POLICY_NEVER while one is under
   way. To be asked again, and the timer set anew, after every call below. */
uint64_t jwks_policy_due(const struct jwks_policy *p);

/* A token bears a kid that the set does not hold. May its request wait for a fetch (one that is
   under way, or that is due now and that the caller is to start now)? Else refuse it. */
bool jwks_policy_unknown(struct jwks_policy *p, uint64_t now_ns);
/* From when on it may, or might have, as far as is known now: 0 while a fetch is under way. */
uint64_t jwks_policy_unknown_from(const struct jwks_policy *p);

void jwks_policy_started(struct jwks_policy *p, uint64_t now_ns);
/* The fetch has brought a set. CACHE_CONTROL is the field's value in the answer, or "". */
void jwks_policy_fetched(struct jwks_policy *p, uint64_t now_ns, slice cache_control);
/* It has not: no connection, another status than 200, or not a set. */
void jwks_policy_failed(struct jwks_policy *p, uint64_t now_ns);

#endif
