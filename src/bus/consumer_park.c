/*
 * consumer_park.c - parked messages: what a consumer gave up is kept for somebody to look at.
 *
 *                deliveries = max_deliver,
 *                terminated                         replayed
 *     IN FLIGHT --------------------------> PARKED -----------> IN FLIGHT (one delivery more)
 *                                             |  dropped, acknowledged late, gone from the stream
 *                                             '----> DONE
 *
 * A consumer parks where its metadata says "nonet.park": "true"; its ack policy is explicit. A
 * parked message keeps its place among those in flight, so the acknowledgement floor stays before
 * it and a stream that keeps what is wanted keeps it, but it counts neither as pending nor against
 * max_ack_pending, nor does it hold its key (consumer_order.c). The message itself stays in the
 * stream and lives as long as that keeps it; here are its reason, when, and after how many
 * deliveries. Advisories are as without parking.
 *
 * BOUND: CONSUMER_PARKED_MAX a consumer. What should be parked then stays in flight and is tried
 * again, so the consumer comes to rest at max_ack_pending until somebody replays or drops. Nothing
 * is lost silently.
 *
 * All of it is journalled: parked, replayed, and done like any acknowledgement.
 */
#include "base/mem.h"
#include "bus/consumer_parts.h"

#include <errno.h>

void consumer_park_init(struct consumer *c) {
    uint64_t seed;
    io_host_random(io_loop_host(consumer_loop(c)), &seed, sizeof seed);
    c->parked = map64_make(seed, CONSUMER_PARKED_MAX);
}

void consumer_park_free(struct consumer *c) {
    const struct map64_entry *entry;
    for (size_t at = 0; (entry = map64_next(&c->parked, &at));)
        mem_free(entry->value);
    map64_free(&c->parked);
}

void consumer_park_forget(struct consumer *c, uint64_t sequence) {
    if (unlikely(map64_count(&c->parked)))
        mem_free(map64_remove(&c->parked, sequence));
}

/* Why and when, beside the entry. 0 or -ENOMEM. */
static int keep(struct consumer *c, const struct consumer_parked *parked) {
    slice reason = slice_take(parked->reason, CONSUMER_REASON_MAX);
    struct parked_message *made = mem_zalloc(1, sizeof *made + reason.len);
    if (!made)
        return -ENOMEM;
    made->time_ns = parked->time_ns;
    made->deliveries = parked->deliveries;
    made->reason_len = (uint16_t)reason.len;
    if (reason.len)
        memcpy(made->reason, reason.ptr, reason.len);
    int failed = map64_add(&c->parked, parked->sequence, made);
    if (failed)
        mem_free(made);
    return failed;
}

int consumer_park_restore(struct consumer *c, const struct consumer_parked *parked) {
    struct pending_entry *entry = pending_find(&c->pending, parked->sequence);
    if (!entry || entry->parked)
        return 0;
    int failed = keep(c, parked);
    if (!failed)
        pending_park(&c->pending, entry);
    return failed;
}

int consumer_park(struct consumer *c, uint64_t sequence, slice reason) {
    struct pending_entry *entry = pending_find(&c->pending, sequence);
    struct consumer_parked parked = {
        .sequence = sequence,
        .time_ns = io_loop_wall_ns(consumer_loop(c)),
        .deliveries = entry->deliveries,
        .reason = reason,
    };
    if (map64_count(&c->parked) >= CONSUMER_PARKED_MAX)
        return -ENOBUFS;
    int failed = consumer_order_reserve_end(c, entry, 1);
    if (!failed)
        failed = keep(c, &parked);
    if (failed)
        return failed;
    failed = consumer_note_parked(c, &parked);
    if (failed) {
        consumer_park_forget(c, sequence);
        return failed;
    }
    consumer_order_end(c, entry);
    pending_park(&c->pending, entry);
    consumer_wake(c); /* there is room in flight */
    return 0;
}

/* --- what is asked of outside ------------------------------------------------------------- */

static struct pending_entry *find(const struct consumer *c, uint64_t sequence) {
    struct pending_entry *entry = pending_find(&c->pending, sequence);
    return entry && entry->parked ? entry : NULL;
}

uint64_t consumer_parked_count(const struct consumer *c) {
    return c->pending.parked;
}

bool consumer_parked_next(const struct consumer *c, uint64_t from,
                          struct consumer_parked *ret_parked) {
    struct pending_entry *entry = c->pending.parked ? pending_from(&c->pending, from) : NULL;
    while (entry && !entry->parked)
        entry = pending_after(&c->pending, entry);
    if (!entry)
        return false;
    const struct parked_message *message = map64_find(&c->parked, entry->stream_sequence);
    check(message);
    *ret_parked = (struct consumer_parked){
        .sequence = entry->stream_sequence,
        .time_ns = message->time_ns,
        .deliveries = message->deliveries,
        .reason = slice_make(message->reason, message->reason_len),
    };
    return true;
}

int consumer_parked_replay(struct consumer *c, uint64_t sequence) {
    struct pending_entry *entry = find(c, sequence);
    if (!entry)
        return -ENOENT;
    uint64_t key = pending_key(&c->pending, entry);
    int failed = c->ordered ? consumer_order_reserve(c, key) : pending_make_due(&c->pending, entry);
    if (failed)
        return failed;
    failed = consumer_note_unparked(c, sequence);
    if (failed) {
        pending_not_due(&c->pending, entry);
        consumer_order_give_back(c, key);
        return failed;
    }
    pending_unpark(&c->pending, entry);
    consumer_park_forget(c, sequence);
    if (c->ordered)
        consumer_order_wait(c, entry);
    consumer_wake(c);
    return 0;
}

int consumer_parked_drop(struct consumer *c, uint64_t sequence) {
    return find(c, sequence) ? consumer_ack_drop(c, sequence) : -ENOENT;
}
