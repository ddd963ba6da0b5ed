/*
 * store.c - the sums over all streams (store.h).
 *
 * `held` is the sum of the streams' held_bytes, each as it was when that stream was last looked at.
 * Without a limit nothing is counted, so the hot path pays one comparison.
 */
#include "bus/store.h"

#include "bus/stream.h"

#define RECOUNT_NS 100000000ull

static struct store *store_of(struct streams *streams, const struct stream_config *config) {
    return &streams->stores[config->in_memory ? STORE_MEMORY : STORE_FILES];
}

static void count(struct stream *s, struct store *store) {
    uint64_t bytes = s->log ? log_stream_staged(s->log).bytes : 0;
    store->held += bytes - s->held_bytes;
    s->held_bytes = bytes;
}

static void count_all(struct streams *streams, struct store *store, uint64_t now_ns) {
    const struct map_entry *entry;
    if (now_ns - store->recounted_ns < RECOUNT_NS)
        return;
    store->recounted_ns = now_ns;
    for (size_t at = 0; (entry = map_next(&streams->by_name, &at));) {
        struct stream *s = entry->value;
        if (store_of(streams, &s->config) == store)
            count(s, store);
    }
}

bool store_takes(struct stream *s, size_t bytes, struct streams_error *e) {
    struct store *store = store_of(s->streams, &s->config);
    if (likely(!store->max))
        return true;
    count(s, store);
    if (store->held + bytes > store->max || !store->recounted_ns)
        count_all(s->streams, store, io_loop_now_ns(bus_loop(s->streams->bus)));
    return store->held + bytes <= store->max ||
           streams_fail(e, 503, 10023, "insufficient resources");
}

bool store_reserves(struct streams *streams, const struct stream_config *config,
                    struct streams_error *e) {
    const struct store *store = store_of(streams, config);
    const struct map_entry *entry;
    if (!store->max || config->bytes_max <= 0)
        return true;
    uint64_t reserved = (uint64_t)config->bytes_max;
    for (size_t at = 0; (entry = map_next(&streams->by_name, &at));) {
        const struct stream *s = entry->value;
        if (store_of(streams, &s->config) == store && s->config.bytes_max > 0 &&
            !slice_equal(s->config.name, config->name))
            reserved += (uint64_t)s->config.bytes_max;
    }
    if (reserved <= store->max)
        return true;
    return config->in_memory
               ? streams_fail(e, 500, 10028, "insufficient memory resources available")
               : streams_fail(e, 500, 10047, "insufficient storage resources available");
}

void store_forget(struct stream *s) {
    store_of(s->streams, &s->config)->held -= s->held_bytes;
}
