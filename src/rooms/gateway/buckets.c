/*
 * buckets.c - a map of buckets, a wheel of their ends, a list of their use (buckets.h).
 *
 *     map     key -> bucket
 *     wheel   when a bucket may be full: set when it is made, and looked at again when it is due,
 *             for it may have been taken from since; so a taking moves no timer
 *     used    all of them, the one asked for longest ago first
 *
 * The wheel's clock is moved by buckets_sweep alone. Buckets that are given back are kept for the
 * next ones, SPARE_MAX of them, so that a steady stream of clients allocates nothing.
 */
#include "rooms/gateway/buckets.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/wheel.h"

#include <errno.h>

#define SPARE_MAX 4096u
#define NS_PER_MS 1000000u

/* Nanoseconds, rate.count parts to each: 2^63 ns at 2^64 parts fit. */
__extension__ typedef unsigned __int128 parts;

struct bucket {
    struct bucket_key key;
    struct list_node node; /* in `used`, or in `spare` */
    struct wheel_timer timer;
    struct buckets *all;
    parts full_at;
    uint64_t parts_per_ns;
};

struct buckets {
    struct map map;
    struct wheel wheel;
    struct list used, spare;
    unsigned max, spare_count;
    uint64_t now_ns, evicted; /* now: of the last sweep */
};

/* --- the store ---------------------------------------------------------------------------------
 */

static slice key_bytes(const struct bucket_key *key) {
    return slice_make(key, sizeof *key);
}

static uint64_t to_ns(parts span, uint64_t parts_per_ns) {
    return (uint64_t)((span + parts_per_ns - 1) / parts_per_ns);
}

static void forget(struct bucket *bucket) {
    struct buckets *all = bucket->all;
    wheel_cancel(&all->wheel, &bucket->timer);
    list_remove(&bucket->node);
    map_remove(&all->map, key_bytes(&bucket->key));
    if (all->spare_count == SPARE_MAX) {
        mem_free(bucket);
        return;
    }
    list_push_back(&all->spare, &bucket->node);
    all->spare_count++;
}

static void set_timer(struct bucket *bucket) {
    uint64_t full_ns = to_ns(bucket->full_at, bucket->parts_per_ns);
    wheel_add(&bucket->all->wheel, &bucket->timer, full_ns / NS_PER_MS + 1);
}

static void on_due(struct wheel_timer *timer) {
    struct bucket *bucket = container_of(timer, struct bucket, timer);
    if (bucket->full_at <= (parts)bucket->all->now_ns * bucket->parts_per_ns)
        forget(bucket);
    else
        set_timer(bucket);
}

void buckets_sweep(struct buckets *buckets, uint64_t now_ns) {
    if (now_ns <= buckets->now_ns)
        return;
    buckets->now_ns = now_ns;
    wheel_advance(&buckets->wheel, now_ns / NS_PER_MS);
}

int buckets_create(struct hash_key hash_key, unsigned max, uint64_t now_ns,
                   struct buckets **ret_buckets) {
    struct buckets *buckets = mem_zalloc(1, sizeof *buckets);
    if (!buckets)
        return -ENOMEM;
    check(max >= BUCKETS_TOGETHER_MAX);
    buckets->map = map_make(hash_key, max);
    buckets->max = max;
    buckets->now_ns = now_ns;
    wheel_init(&buckets->wheel, now_ns / NS_PER_MS);
    list_init(&buckets->used);
    list_init(&buckets->spare);
    *ret_buckets = buckets;
    return 0;
}

struct buckets *buckets_free(struct buckets *buckets) {
    if (!buckets)
        return NULL;
    list_splice(&buckets->used, &buckets->spare);
    struct list_node *node;
    while ((node = list_pop_front(&buckets->used)))
        mem_free(container_of(node, struct bucket, node));
    map_free(&buckets->map);
    return mem_free(buckets);
}

struct buckets_stats buckets_stats(const struct buckets *buckets) {
    return (struct buckets_stats){(unsigned)map_count(&buckets->map), buckets->evicted};
}

/* --- taking ------------------------------------------------------------------------------------
 */

/* The buckets of ASKS that there are, now the last used ones; NULL for the others. Returns how many
   there are not. */
static unsigned find(struct buckets *buckets, const struct bucket_ask *asks, unsigned count,
                     struct bucket **found) {
    unsigned lacking = 0;
    for (unsigned i = 0; i < count; i++) {
        found[i] = map_find(&buckets->map, key_bytes(&asks[i].key));
        lacking += !found[i];
        if (!found[i])
            continue;
        list_remove(&found[i]->node);
        list_push_back(&buckets->used, &found[i]->node);
    }
    return lacking;
}

static struct bucket *take_memory(struct buckets *buckets) {
    struct list_node *spare = list_pop_front(&buckets->spare);
    if (!spare)
        return mem_alloc(sizeof(struct bucket));
    buckets->spare_count--;
    return container_of(spare, struct bucket, node);
}

/* A full one; NULL: no memory. */
static struct bucket *add(struct buckets *buckets, const struct bucket_ask *ask, uint64_t now_ns) {
    struct bucket *bucket = take_memory(buckets);
    if (!bucket)
        return NULL;
    *bucket = (struct bucket){.key = ask->key,
                              .all = buckets,
                              .full_at = (parts)now_ns * ask->rate.count,
                              .parts_per_ns = ask->rate.count};
    list_node_init(&bucket->node);
    wheel_timer_init(&bucket->timer, on_due);
    if (map_add(&buckets->map, key_bytes(&bucket->key), bucket)) {
        mem_free(bucket);
        return NULL;
    }
    list_push_back(&buckets->used, &bucket->node);
    set_timer(bucket);
    return bucket;
}

/* All buckets of ASKS. 0 or -ENOMEM. The sweep comes first, as it may forget one of them; those
   found are the last that would have to make room. */
static int find_or_add(struct buckets *buckets, const struct bucket_ask *asks, unsigned count,
                       uint64_t now_ns, struct bucket **found) {
    if (map_count(&buckets->map) + count > buckets->max)
        buckets_sweep(buckets, now_ns);
    unsigned lacking = find(buckets, asks, count, found);
    while (lacking && map_count(&buckets->map) + lacking > buckets->max) {
        buckets->evicted++;
        forget(container_of(list_first(&buckets->used), struct bucket, node));
    }
    for (unsigned i = 0; i < count; i++) {
        if (!found[i])
            found[i] = add(buckets, &asks[i], now_ns);
        if (!found[i])
            return -ENOMEM;
    }
    return 0;
}

/* What is missing of a full bucket. */
static parts missing(const struct bucket *bucket, uint64_t now_ns) {
    parts now = (parts)now_ns * bucket->parts_per_ns;
    return bucket->full_at > now ? bucket->full_at - now : 0;
}

static struct bucket_state describe(const struct bucket *bucket, const struct bucket_ask *ask,
                                    uint64_t now_ns) {
    parts lacks = missing(bucket, now_ns), token = ask->rate.period_ns;
    uint64_t used = (uint64_t)((lacks + token - 1) / token);
    if (used == 0)
        return (struct bucket_state){.left = ask->burst};
    return (struct bucket_state){.left = used < ask->burst ? ask->burst - used : 0,
                                 .wait_ns = to_ns(lacks - (used - 1) * token, ask->rate.count)};
}

static bool has_token(const struct bucket *bucket, const struct bucket_ask *ask, uint64_t now_ns) {
    parts token = ask->rate.period_ns;
    return missing(bucket, now_ns) + token <= token * ask->burst;
}

struct bucket_state buckets_look(const struct buckets *buckets, const struct bucket_ask *ask,
                                 uint64_t now_ns) {
    const struct bucket *bucket = map_find(&buckets->map, key_bytes(&ask->key));
    if (!bucket)
        return (struct bucket_state){.left = ask->burst};
    struct bucket_state state = describe(bucket, ask, now_ns);
    state.empty = !has_token(bucket, ask, now_ns);
    return state;
}

int buckets_take(struct buckets *buckets, const struct bucket_ask *asks, unsigned count,
                 uint64_t now_ns, struct bucket_state *states) {
    struct bucket *found[BUCKETS_TOGETHER_MAX];
    bool refused = false;
    check(count <= BUCKETS_TOGETHER_MAX);
    if (find_or_add(buckets, asks, count, now_ns, found))
        return -ENOMEM;
    for (unsigned i = 0; i < count; i++)
        refused |= !has_token(found[i], &asks[i], now_ns);
    for (unsigned i = 0; i < count; i++) {
        struct bucket *bucket = found[i];
        bool empty = !has_token(bucket, &asks[i], now_ns);
        if (!refused)
            bucket->full_at = (parts)now_ns * bucket->parts_per_ns + missing(bucket, now_ns) +
                              asks[i].rate.period_ns;
        states[i] = describe(bucket, &asks[i], now_ns);
        states[i].empty = empty;
    }
    return refused ? -EAGAIN : 0;
}
