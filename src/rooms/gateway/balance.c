/*
 * balance.c - the three ways of balance.h.
 *
 * Who may be asked is a set of bits, made anew for each request: a glance at each of at most 64
 * services costs less than keeping lists in order, and nothing can be out of date. All three ways
 * then walk the set's members.
 */
#include "rooms/gateway/balance.h"

#include "base/hash.h"

#include <math.h>

static uint64_t bit(unsigned index) {
    return UINT64_C(1) << index;
}

/* The lowest of SET's members, taken out of it. */
static unsigned take_first(uint64_t *set) {
    unsigned index = (unsigned)__builtin_ctzll(*set);
    *set &= *set - 1;
    return index;
}

static uint64_t candidates(const struct balance *b, uint64_t tried) {
    uint64_t in = 0, ejected = 0;
    for (unsigned i = 0; i < b->count; i++) {
        const struct balance_load *load = b->members[i].load;
        if (b->members[i].weight == 0 || load->unwell)
            continue;
        if (load->ejected)
            ejected |= bit(i);
        else
            in |= bit(i);
    }
    uint64_t set = in ? in : ejected;
    return set & ~tried ? set & ~tried : set;
}

/* --- least requests ----------------------------------------------------------------------------
 */

static uint64_t weigh(const struct balance *b, uint64_t set) {
    uint64_t sum = 0;
    while (set)
        sum += b->members[take_first(&set)].weight;
    return sum;
}

static unsigned draw(const struct balance *b, uint64_t set, uint64_t sum, struct random *random) {
    uint64_t at = random_below(random, sum);
    for (;;) {
        unsigned index = take_first(&set);
        if (at < b->members[index].weight)
            return index;
        at -= b->members[index].weight;
    }
}

static unsigned pick_least(const struct balance *b, uint64_t set, struct random *random) {
    uint64_t sum = weigh(b, set);
    unsigned first = draw(b, set, sum, random);
    uint64_t others = set & ~bit(first);
    if (!others || b->members[first].load->under_way == 0)
        return first;
    unsigned second = draw(b, others, sum - b->members[first].weight, random);
    const struct balance_member *m = &b->members[first], *n = &b->members[second];
    uint64_t first_load = (uint64_t)m->load->under_way * n->weight;
    uint64_t second_load = ((uint64_t)n->load->under_way + 1) * m->weight;
    return second_load <= first_load ? second : first;
}

/* --- round robin -------------------------------------------------------------------------------
 */

static unsigned pick_next(struct balance *b, uint64_t set) {
    int64_t sum = 0;
    struct balance_member *best = NULL;
    while (set) {
        struct balance_member *m = &b->members[take_first(&set)];
        m->turn += m->weight;
        sum += m->weight;
        if (!best || m->turn > best->turn)
            best = m;
    }
    best->turn -= sum;
    return (unsigned)(best - b->members);
}

/* --- hash --------------------------------------------------------------------------------------
 */

static const struct hash_key everywhere = {0x6e6f6e6574206761, 0x7465776179206b65};

uint64_t balance_seed(slice name) {
    return hash_slice(&everywhere, name);
}

uint64_t balance_key(slice text) {
    return hash_slice(&everywhere, text);
}

/* Each service draws a number from its own and the key's; who draws the highest, stretched by its
   weight, has the key. -w / ln(u) makes the shares those of the weights (Schindelhauer, Schomaker).
 */
static unsigned pick_hashed(const struct balance *b, uint64_t set, uint64_t key) {
    unsigned best = (unsigned)__builtin_ctzll(set);
    double best_score = -1;
    while (set) {
        unsigned index = take_first(&set);
        uint64_t drawn = hash_mix64(b->members[index].seed ^ key) >> 11;
        double unit = ((double)drawn + 0.5) * 0x1p-53; /* above 0 and below 1 */
        double score = -(double)b->members[index].weight / log(unit);
        if (score > best_score) {
            best_score = score;
            best = index;
        }
    }
    return best;
}

int balance_pick(struct balance *b, struct random *random, uint64_t key, uint64_t tried) {
    check(b->count <= BALANCE_MEMBERS_MAX);
    uint64_t set = candidates(b, tried);
    if (set == 0)
        return -1;
    if ((set & (set - 1)) == 0)
        return __builtin_ctzll(set);
    switch (b->kind) {
    case BALANCE_LEAST_REQUESTS:
        return (int)pick_least(b, set, random);
    case BALANCE_ROUND_ROBIN:
        return (int)pick_next(b, set);
    case BALANCE_HASH:
        return (int)pick_hashed(b, set, key);
    }
    return -1;
}
