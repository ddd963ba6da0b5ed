/*
 * key_source.c - sets of keys on each loop (key_source.h).
 *
 * Loops talk on one private subject each. A message names a source by a hash of its key; a set is
 * handed over with a count of its own. Loop 0 tells all loops of every fetch that ends, so that it
 * asks the issuer once for the whole node; a loop that has opened later asks for what is there.
 *
 *     WANTED   a loop to loop 0: the set you have, or (unknown) a newer one than mine
 *     NEWS     loop 0 to a loop: the set, or none; whether fetches fail; when to ask again
 */
#include "rooms/gateway/key_source.h"

#include "base/mem.h"
#include "bus/private.h"
#include "rooms/gateway/key_fetch.h"

#include <errno.h>
#include <stdio.h>

#define SUBJECT_PREFIX BUS_PRIVATE_PREFIX "gateway.keys."
#define SUBJECT_MAX (sizeof SUBJECT_PREFIX + 10)

struct key_source {
    struct list_node node;
    struct key_desk *desk;
    uint64_t id[2]; /* of its key */
    char *key_text;
    slice key;        /* of the remote */
    struct jwks *set; /* NULL: none yet */
    uint64_t generation;
    struct list waiting; /* tries */
    unsigned waiting_count;
    struct io_timer patience;
    struct key_fetch *fetch; /* on loop 0 */
    bool wanted;             /* other loops: an answer of loop 0 is due */
    bool failing;
    uint64_t not_before_ns; /* other loops: no use to ask for an unknown kid before */
    bool in_table;
};

struct key_desk {
    struct gateway_shard *shard;
    struct bus_subscription *subscription;
    struct list sources;
    uint64_t generations;
};

enum message_kind { WANTED, NEWS };
struct message {
    uint32_t kind, from;
    uint64_t id[2];
    bool unknown; /* WANTED */
    bool failing; /* NEWS and below */
    uint64_t not_before_ns;
    struct jwks *set; /* NEWS: counted; WANTED: to compare */
};

static struct io_loop *loop_of(const struct key_desk *desk) {
    return desk->shard->shard->loop;
}

/* --- waiting -----------------------------------------------------------------------------------
 */

static void leave(struct key_source *source, struct way_try *t) {
    list_remove(&t->node);
    if (--source->waiting_count == 0)
        io_timer_stop(loop_of(source->desk), &source->patience);
}

static void forget(struct way_try *t) {
    leave(t->state, t);
}

/* Those that waited are judged by what is there now. They do not wait again, so this ends. */
static void wake(struct key_source *source) {
    struct list woken;
    struct list_node *node;
    list_init(&woken);
    list_splice(&woken, &source->waiting);
    source->wanted = false;
    while ((node = list_first(&woken))) {
        struct way_try *t = container_of(node, struct way_try, node);
        leave(source, t);
        way_decide(t, t->again(t));
    }
}

static void on_impatient(struct io_timer *timer) {
    wake(container_of(timer, struct key_source, patience));
}

/* --- news --------------------------------------------------------------------------------------
 */

/* SET is counted for us, or NULL. */
static void take_set(struct key_source *source, struct jwks *set) {
    if (!set)
        return;
    if (source->set && jwks_equal(source->set, set)) {
        jwks_unref(set);
        return;
    }
    jwks_unref(source->set);
    source->set = set;
    source->generation = ++source->desk->generations;
}

/* False where nobody is there to hear it. */
static bool post(struct key_desk *desk, unsigned loop, const struct message *message) {
    char subject[SUBJECT_MAX];
    int len = snprintf(subject, sizeof subject, SUBJECT_PREFIX "%u", loop);
    struct bus_message sent = {.subject = slice_make(subject, (size_t)len),
                               .payload = slice_make(message, sizeof *message)};
    return bus_publish(desk->shard->shard->bus, &sent, NULL, NULL) > 0;
}

static void tell(const struct key_source *source, unsigned loop) {
    struct message message;
    memset(&message, 0, sizeof message); /* its padding travels, too */
    message.kind = NEWS;
    memcpy(message.id, source->id, sizeof message.id);
    message.failing = key_fetch_failing(source->fetch);
    message.not_before_ns = key_fetch_not_before_ns(source->fetch);
    message.set = source->set ? jwks_ref(source->set) : NULL;
    if (!post(source->desk, loop, &message))
        jwks_unref(message.set);
}

static void on_fetched(void *owner, struct jwks *set) {
    struct key_source *source = owner;
    take_set(source, set);
    source->failing = key_fetch_failing(source->fetch);
    for (unsigned i = 1; i < source->desk->shard->gateway->node->serving; i++)
        tell(source, i);
    wake(source);
}

static struct key_source *find_id(struct key_desk *desk, const uint64_t id[2]) {
    struct list_node *node, *following;
    list_each(&desk->sources, node, following) {
        struct key_source *source = container_of(node, struct key_source, node);
        if (source->id[0] == id[0] && source->id[1] == id[1])
            return source;
    }
    return NULL;
}

/* On loop 0. What a fetch under way will bring is told to all when it ends. */
static void on_wanted(struct key_desk *desk, const struct message *wanted) {
    struct key_source *source = find_id(desk, wanted->id);
    if (!source)
        return; /* its patience will tell */
    bool comes =
        source->set == wanted->set && /* else there is a newer one already */
        (wanted->unknown ? key_fetch_unknown(source->fetch) : key_fetch_under_way(source->fetch));
    if (!comes)
        tell(source, wanted->from);
}

static void on_news(struct key_desk *desk, const struct message *news) {
    struct key_source *source = find_id(desk, news->id);
    if (!source) {
        jwks_unref(news->set);
        return;
    }
    take_set(source, news->set);
    source->failing = news->failing;
    source->not_before_ns = news->not_before_ns;
    wake(source);
}

static void on_message(void *owner, struct bus_subscription *subscription,
                       const struct bus_message *sent) {
    (void)subscription;
    struct message message;
    check(sent->payload.len == sizeof message);
    memcpy(&message, sent->payload.ptr, sizeof message);
    if (message.kind == WANTED)
        on_wanted(owner, &message);
    else
        on_news(owner, &message);
}

/* --- asking ------------------------------------------------------------------------------------
 */

static bool ask_fetch(struct key_source *source, bool unknown) {
    return unknown ? key_fetch_unknown(source->fetch) : key_fetch_under_way(source->fetch);
}

static bool ask_loop_0(struct key_source *source, bool unknown) {
    struct message message;
    if (source->wanted)
        return true;
    if (unknown && io_loop_now_ns(loop_of(source->desk)) < source->not_before_ns)
        return false;
    memset(&message, 0, sizeof message);
    message.kind = WANTED;
    message.from = source->desk->shard->shard->index;
    memcpy(message.id, source->id, sizeof message.id);
    message.unknown = unknown;
    message.set = source->set;
    source->wanted = post(source->desk, 0, &message);
    return source->wanted;
}

bool key_source_wait(struct key_source *source, struct way_try *t, bool unknown) {
    if (source->waiting_count == KEY_WAITING_MAX)
        return false;
    if (!(source->fetch ? ask_fetch(source, unknown) : ask_loop_0(source, unknown)))
        return false;
    list_push_back(&source->waiting, &t->node);
    if (source->waiting_count++ == 0)
        io_timer_start(loop_of(source->desk), &source->patience, KEY_WAIT_NS, on_impatient);
    t->state = source;
    t->forget = forget;
    return true;
}

struct key_source *key_source_find(struct key_desk *desk, slice key) {
    struct list_node *node, *following;
    list_each(&desk->sources, node, following) {
        struct key_source *source = container_of(node, struct key_source, node);
        if (slice_equal(source->key, key))
            return source;
    }
    return NULL;
}

const struct jwks *key_source_set(const struct key_source *source, uint64_t *ret_generation) {
    *ret_generation = source->generation;
    return source->set;
}

bool key_source_failing(const struct key_source *source) {
    return source->failing;
}

/* --- a loop ------------------------------------------------------------------------------------
 */

static void source_close(struct key_source *source) {
    wake(source);
    key_fetch_close(source->fetch);
    jwks_unref(source->set);
    list_remove(&source->node);
    mem_free(source->key_text);
    mem_free(source);
}

static int source_open(struct key_desk *desk, const struct way_remote *remote,
                       struct key_source **ret_source) {
    const struct hash_key *secrets = desk->shard->gateway->secrets;
    struct key_source *source = mem_zalloc(1, sizeof *source);
    if (!source)
        return -ENOMEM;
    list_init(&source->waiting);
    list_push_back(&desk->sources, &source->node);
    source->desk = desk;
    source->key_text = mem_copy(remote->key.ptr, remote->key.len);
    source->key = slice_make(source->key_text, remote->key.len);
    source->id[0] = hash_slice(&secrets[0], remote->key);
    source->id[1] = hash_slice(&secrets[1], remote->key);
    struct key_fetch_options options = {
        .shard = desk->shard, .remote = remote, .on_end = on_fetched, .owner = source};
    int failed = source->key_text ? 0 : -ENOMEM;
    if (!failed && desk->shard->shard->index == 0)
        failed = key_fetch_open(&options, &source->fetch);
    if (failed)
        source_close(source);
    else
        *ret_source = source;
    return failed;
}

static void keep_or_open(struct key_desk *desk, const struct way_remote *remote) {
    struct key_source *source = key_source_find(desk, remote->key);
    if (!source && source_open(desk, remote, &source)) {
        logger_write(desk->shard->gateway->node->logger, LOG_LEVEL_ERROR, "gateway",
                     "no memory for the keys that check tokens", "url=%s", remote->url.ptr);
        return;
    }
    source->in_table = true;
}

void key_desk_renew(struct key_desk *desk, const struct gateway_ways *ways) {
    struct list_node *node, *following;
    list_each(&desk->sources, node, following) container_of(node, struct key_source, node)
        ->in_table = false;
    for (unsigned i = 0; i < ways->count; i++)
        if (ways->items[i].kind == &way_jwt && !ways->items[i].jwt.set)
            keep_or_open(desk, &ways->items[i].jwt.remote);
    list_each(&desk->sources, node, following) {
        struct key_source *source = container_of(node, struct key_source, node);
        if (!source->in_table)
            source_close(source);
    }
}

int key_desk_open(struct gateway_shard *shard, struct key_desk **ret_desk) {
    static const struct bus_receiver receiver = {on_message};
    char subject[SUBJECT_MAX];
    int len = snprintf(subject, sizeof subject, SUBJECT_PREFIX "%u", shard->shard->index);
    struct key_desk *desk = mem_zalloc(1, sizeof *desk);
    if (!desk)
        return -ENOMEM;
    desk->shard = shard;
    list_init(&desk->sources);
    int failed = bus_subscribe(shard->shard->bus, slice_make(subject, (size_t)len), (slice){0},
                               &receiver, desk, NULL, &desk->subscription);
    if (failed)
        mem_free(desk);
    else
        *ret_desk = desk;
    return failed;
}

struct key_desk *key_desk_close(struct key_desk *desk) {
    struct list_node *node, *following;
    if (!desk)
        return NULL;
    bus_unsubscribe(desk->shard->shard->bus, desk->subscription);
    list_each(&desk->sources, node, following)
        source_close(container_of(node, struct key_source, node));
    return mem_free(desk);
}
