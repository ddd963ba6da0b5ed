/*
 * jwks_policy.c - the times of fetching keys (jwks_policy.h).
 *
 * One number, due_ns, says when the next fetch starts; each event moves it. An unknown kid can
 * only bring it forward, and never before the fetches of late allow it, nor while failures are
 * being waited out. What they allow is a bucket of `burst` tokens, one of which comes back in each
 * interval.
 */
#include "rooms/gateway/jwks_policy.h"

#include "base/number.h"
#include "wire/http1_fields.h"

#define SECOND ((uint64_t)NUMBER_NS_PER_SECOND)

static uint64_t or_default(uint64_t given, uint64_t standard) {
    return given ? given : standard;
}

static uint64_t later(uint64_t now_ns, uint64_t delay_ns) {
    uint64_t sum;
    return __builtin_add_overflow(now_ns, delay_ns, &sum) ? JWKS_POLICY_NEVER - 1 : sum;
}

void jwks_policy_init(struct jwks_policy *p, const struct jwks_policy_options *options,
                      uint64_t now_ns) {
    *p = (struct jwks_policy){
        .options =
            {
                .min_interval_ns = or_default(options->min_interval_ns, 10 * SECOND),
                .burst = options->burst ? options->burst : 4,
                .max_age_ns = or_default(options->max_age_ns, 600 * SECOND),
                .age_limit_ns = or_default(options->age_limit_ns, 86400 * SECOND),
                .backoff_min_ns = or_default(options->backoff_min_ns, SECOND),
                .backoff_max_ns = or_default(options->backoff_max_ns, 60 * SECOND),
            },
        .due_ns = now_ns,
    };
}

uint64_t jwks_policy_due(const struct jwks_policy *p) {
    return p->fetching ? JWKS_POLICY_NEVER : p->due_ns;
}

uint64_t jwks_policy_unknown_from(const struct jwks_policy *p) {
    if (p->fetching)
        return 0;
    if (p->failures)
        return p->due_ns;
    uint64_t saved_ns;
    if (__builtin_mul_overflow(p->options.burst - 1, p->options.min_interval_ns, &saved_ns))
        saved_ns = UINT64_MAX;
    uint64_t allowed_ns = p->spent_ns > saved_ns ? p->spent_ns - saved_ns : 0;
    return allowed_ns < p->due_ns ? allowed_ns : p->due_ns;
}

bool jwks_policy_unknown(struct jwks_policy *p, uint64_t now_ns) {
    if (p->fetching)
        return true;
    uint64_t from_ns = jwks_policy_unknown_from(p);
    uint64_t soonest_ns = from_ns > now_ns ? from_ns : now_ns;
    if (soonest_ns < p->due_ns)
        p->due_ns = soonest_ns; /* it is brought forward, never put off */
    return p->due_ns <= now_ns;
}

void jwks_policy_started(struct jwks_policy *p, uint64_t now_ns) {
    check(!p->fetching);
    p->fetching = true;
    p->spent_ns = later(p->spent_ns > now_ns ? p->spent_ns : now_ns, p->options.min_interval_ns);
}

/* How long an answer is good: max-age of its Cache-Control, nothing where it must not be kept. */
static uint64_t age_of(slice cache_control, uint64_t standard_ns) {
    uint64_t age_ns = standard_ns, seconds;
    slice directive, value;
    while (http1_next_element(&cache_control, &directive)) {
        slice name = slice_trim(slice_cut(directive, '=', &value));
        if (slice_equal_nocase(name, slice_lit("no-store")) ||
            slice_equal_nocase(name, slice_lit("no-cache")))
            return 0;
        if (slice_equal_nocase(name, slice_lit("max-age")) &&
            number_parse_u64(slice_trim(value), &seconds) == 0 &&
            __builtin_mul_overflow(seconds, SECOND, &age_ns))
            age_ns = UINT64_MAX;
    }
    return age_ns;
}

void jwks_policy_fetched(struct jwks_policy *p, uint64_t now_ns, slice cache_control) {
    check(p->fetching);
    uint64_t age_ns = age_of(cache_control, p->options.max_age_ns);
    if (age_ns > p->options.age_limit_ns)
        age_ns = p->options.age_limit_ns;
    if (age_ns < p->options.min_interval_ns)
        age_ns = p->options.min_interval_ns;
    p->fetching = false;
    p->failures = 0;
    p->due_ns = later(now_ns, age_ns);
}

void jwks_policy_failed(struct jwks_policy *p, uint64_t now_ns) {
    check(p->fetching);
    uint64_t delay_ns = p->options.backoff_min_ns;
    for (unsigned i = 0; i < p->failures && delay_ns < p->options.backoff_max_ns; i++)
        delay_ns = later(delay_ns, delay_ns);
    if (delay_ns > p->options.backoff_max_ns)
        delay_ns = p->options.backoff_max_ns;
    p->fetching = false;
    p->failures++;
    p->due_ns = later(now_ns, delay_ns);
}
