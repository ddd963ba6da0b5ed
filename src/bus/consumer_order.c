/*
 * consumer_order.c - delivery in order per key, for consumers whose metadata says
 * "nonet.ordered": "subject": of each subject one message is in flight, other subjects go on.
 *
 *     stream     a1 b1 a2 a3 c1 b2 ...
 *                |  |  |  |  |  '- its key is busy: WAITS, behind b1
 *                |  |  '--'--+---- WAIT behind a1
 *                '--'--------'---- IN FLIGHT: any worker may have them, in parallel
 *
 *                 a message of it is delivered                 done, given up, terminated, parked
 *     FREE KEY -------------------------------> BUSY --------------------------------.
 *        ^  ^------- nothing waits ------------------------ that is on disk <--------'
 *        |                                                     | something waits
 *        '-- goes in flight: BUSY <---- READY <----------------'
 *
 * A message whose key is busy takes its place among those in flight (pending.h) without being in
 * flight, and the position moves on past it. So the acknowledgement floor stays before it, a stream
 * that keeps what is wanted keeps it, and it is looked at twice in all: when it is passed over, and
 * when its turn comes. What waits for a key is a chain by sequence through the entries. A
 * redelivery holds its key and no other. A parked message releases it; when it is replayed it waits
 * for it again, before what was never delivered.
 *
 * KEYS ARE RELEASED WHEN THE END IS ON DISK. Else a crash could forget that a message was done
 * whose follower has been delivered, and bring it again behind that. So what comes twice after a
 * crash is the last one delivered of its key, never one before it. Keys share the journal's syncs.
 *
 * A key is 64 bits of the subject's hash under a constant, journalled with the message, so that a
 * restart needs to read no message. Subjects that share one are ordered together, nothing worse.
 *
 * BOUND: CONSUMER_PASSED_MAX messages wait that were never delivered; then nothing new is delivered
 * until a key moves on. What waits costs 40 bytes, its key, once, about 100.
 */
#include "bus/consumer_order.h"

#include "base/hash.h"
#include "base/mem.h"
#include "bus/consumer_parts.h"

#include <errno.h>

#define KEYS_MAX ((size_t)CONSUMER_IN_FLIGHT_MAX + CONSUMER_PASSED_MAX + CONSUMER_PARKED_MAX)

/* Those replayed before those never delivered; each chain by stream sequence. */
enum chain { REPLAYED, PASSED, CHAINS };

struct order_key {
    struct list_node in_ready;
    uint64_t key;
    struct {
        uint64_t first, last; /* 0: empty */
    } chains[CHAINS];
    uint32_t busy; /* in flight, or ended and that is not on disk yet */
};

void consumer_order_init(struct consumer *c) {
    uint64_t seed;
    io_host_random(io_loop_host(consumer_loop(c)), &seed, sizeof seed);
    c->order.keys = map64_make(seed, KEYS_MAX);
    list_init(&c->order.ready);
}

void consumer_order_free(struct consumer *c) {
    const struct map64_entry *entry;
    for (size_t at = 0; (entry = map64_next(&c->order.keys, &at));)
        mem_free(entry->value);
    map64_free(&c->order.keys);
    list_init(&c->order.ready);
    c->order.ready_count = 0;
}

uint64_t consumer_order_key(slice subject) {
    static const struct hash_key constant = {0x6e6f6e65742e6f72, 0x64657265642e7631};
    return hash_slice(&constant, subject);
}

/* --- one key ------------------------------------------------------------------------------ */

static struct order_key *find(const struct consumer *c, uint64_t key) {
    return map64_find(&c->order.keys, key);
}

static bool is_waited_for(const struct order_key *k) {
    return k->chains[REPLAYED].first || k->chains[PASSED].first;
}

/* K has changed: it may have become ready, or be so no more; a free one without anybody goes. */
static void look(struct consumer *c, struct order_key *k) {
    bool ready = !k->busy && is_waited_for(k);
    if (ready && !list_linked(&k->in_ready)) {
        list_push_back(&c->order.ready, &k->in_ready);
        c->order.ready_count++;
    } else if (!ready && list_linked(&k->in_ready)) {
        list_remove(&k->in_ready);
        c->order.ready_count--;
    }
    if (ready)
        consumer_wake(c);
    if (k->busy || ready)
        return;
    map64_remove(&c->order.keys, k->key);
    mem_free(k);
}

bool consumer_order_is_busy(const struct consumer *c, uint64_t key) {
    return find(c, key) != NULL;
}

int consumer_order_reserve(struct consumer *c, uint64_t key) {
    if (!c->ordered || find(c, key))
        return 0;
    struct order_key *k = mem_zalloc(1, sizeof *k);
    if (!k)
        return -ENOMEM;
    k->key = key;
    list_node_init(&k->in_ready);
    int failed = map64_add(&c->order.keys, key, k);
    if (failed)
        mem_free(k);
    return failed;
}

void consumer_order_give_back(struct consumer *c, uint64_t key) {
    struct order_key *k = find(c, key);
    if (k)
        look(c, k);
}

void consumer_order_take(struct consumer *c, uint64_t key) {
    if (!c->ordered)
        return;
    struct order_key *k = find(c, key);
    check(k);
    k->busy++;
    look(c, k);
}

static void release(struct consumer *c, uint64_t key) {
    struct order_key *k = find(c, key);
    check(k && k->busy > 0);
    k->busy--;
    look(c, k);
}

/* --- chains ------------------------------------------------------------------------------- */

static enum chain chain_of(const struct pending_entry *entry) {
    return entry->deliveries ? REPLAYED : PASSED;
}

/* Into its chain by sequence: at the end at once, where everything passed over goes, and who
   replays from the first on. */
static void chain(struct consumer *c, struct order_key *k, struct pending_entry *entry) {
    uint64_t *first = &k->chains[chain_of(entry)].first, *last = &k->chains[chain_of(entry)].last;
    uint64_t sequence = entry->stream_sequence;
    if (!*first || *last < sequence) {
        if (*first)
            pending_find(&c->pending, *last)->next_sequence = sequence;
        else
            *first = sequence;
        *last = sequence;
        return;
    }
    uint64_t *at = first;
    while (*at < sequence)
        at = &pending_find(&c->pending, *at)->next_sequence;
    entry->next_sequence = *at;
    *at = sequence;
}

/* ENTRY is the first of its chain. */
static void unchain(struct consumer *c, struct order_key *k, struct pending_entry *entry) {
    uint64_t *first = &k->chains[chain_of(entry)].first, *last = &k->chains[chain_of(entry)].last;
    check(*first == entry->stream_sequence);
    *first = entry->next_sequence;
    if (!*first)
        *last = 0;
    c->order.passed -= chain_of(entry) == PASSED;
}

void consumer_order_wait(struct consumer *c, struct pending_entry *entry) {
    struct order_key *k = find(c, pending_key(&c->pending, entry));
    check(k);
    pending_wait(&c->pending, entry);
    chain(c, k, entry);
    c->order.passed += chain_of(entry) == PASSED;
    look(c, k);
}

int consumer_order_pass(struct consumer *c, uint64_t sequence, uint64_t key) {
    if (c->order.passed >= CONSUMER_PASSED_MAX)
        return -EBUSY;
    int failed = pending_reserve(&c->pending);
    if (!failed)
        failed = consumer_note_turn(c, sequence, 0, key);
    if (failed)
        return failed;
    struct pending_entry *entry =
        pending_add(&c->pending, &(struct pending_entry){.stream_sequence = sequence});
    pending_set_key(&c->pending, entry, key);
    consumer_order_wait(c, entry);
    return 0;
}

static struct pending_entry *first_of(const struct consumer *c, const struct order_key *k) {
    uint64_t replayed = k->chains[REPLAYED].first;
    struct pending_entry *entry =
        pending_find(&c->pending, replayed ? replayed : k->chains[PASSED].first);
    check(entry && entry->waits);
    return entry;
}

struct pending_entry *consumer_order_next(const struct consumer *c) {
    if (likely(!c->order.ready_count))
        return NULL;
    return first_of(c, container_of(c->order.ready.head.next, struct order_key, in_ready));
}

struct pending_entry *consumer_order_turn(const struct consumer *c, uint64_t sequence) {
    struct pending_entry *entry = pending_find(&c->pending, sequence);
    if (!entry || !entry->waits)
        return NULL;
    const struct order_key *k = find(c, pending_key(&c->pending, entry));
    return !k->busy && first_of(c, k) == entry ? entry : NULL;
}

void consumer_order_go(struct consumer *c, struct pending_entry *entry) {
    struct order_key *k = find(c, pending_key(&c->pending, entry));
    unchain(c, k, entry);
    pending_go(&c->pending, entry);
    k->busy++;
    look(c, k);
}

/* --- the end of a flight ------------------------------------------------------------------ */

static bool holds_its_key(const struct consumer *c, const struct pending_entry *entry) {
    return c->ordered && !entry->parked && !entry->waits;
}

int consumer_order_reserve_end(struct consumer *c, const struct pending_entry *entry,
                               size_t count) {
    return holds_its_key(c, entry) ? consumer_note_end_reserve(c, count) : 0;
}

void consumer_order_end(struct consumer *c, const struct pending_entry *entry) {
    if (holds_its_key(c, entry))
        consumer_note_end(c, pending_key(&c->pending, entry));
}

void consumer_order_ended(struct consumer *c, uint64_t key) {
    if (!c->gone)
        release(c, key);
}

void consumer_order_vanish(struct consumer *c, struct pending_entry *entry) {
    uint64_t key = pending_key(&c->pending, entry);
    if (holds_its_key(c, entry)) {
        release(c, key);
    } else if (c->ordered && entry->waits) {
        struct order_key *k = find(c, key);
        unchain(c, k, entry);
        look(c, k);
    }
}

/* --- as a whole --------------------------------------------------------------------------- */

int consumer_order_start(struct consumer *c) {
    struct pending_entry *entry = c->ordered ? pending_first(&c->pending) : NULL;
    for (; entry; entry = pending_after(&c->pending, entry)) {
        if (entry->parked)
            continue;
        uint64_t key = pending_key(&c->pending, entry);
        if (consumer_order_reserve(c, key))
            return -ENOMEM;
        struct order_key *k = find(c, key);
        if (!entry->waits) {
            k->busy++;
            continue;
        }
        entry->next_sequence = 0;
        chain(c, k, entry);
        c->order.passed += chain_of(entry) == PASSED;
    }
    const struct map64_entry *at;
    for (size_t i = 0; (at = map64_next(&c->order.keys, &i));)
        look(c, at->value);
    return 0;
}

uint64_t consumer_order_floor(const struct consumer *c) {
    uint64_t floor = c->consumer_sequence;
    struct pending_entry *entry = pending_first(&c->pending);
    for (; entry; entry = pending_after(&c->pending, entry))
        if (entry->consumer_sequence && entry->consumer_sequence <= floor)
            floor = entry->consumer_sequence - 1;
    return floor;
}
