/*
 * bus.c - publishing and subscribing on one shard (bus.h).
 *
 * A publish holds its match while it delivers; whatever the receivers do meanwhile, the lists of
 * the match stay as they are. A subscription ended during a publish is only marked, and taken out
 * of the index and freed when the outermost publish returns (bus_bury); at depth 0 it goes at once.
 *
 * Queue groups: a member is drawn at random, weighted over all shards. If the drawn one does not
 * count (ended in this very publish, echo-off origin, or it declines), the next one in order is
 * tried, then another shard, so a group with one willing member does not lose a message.
 */
#include "bus/core.h"

#include "base/mem.h"
#include "wire/nats_subject.h"

#include <errno.h>

int bus_create(const struct bus_options *options, struct bus **ret_bus) {
    check(options->shards >= 1 && options->shards <= BUS_SHARDS_MAX);
    struct bus *bus = mem_zalloc(1, sizeof *bus);
    if (!bus)
        return -ENOMEM;
    bus->loop = options->loop;
    bus->logger = options->logger;
    bus->host = io_loop_host(options->loop);
    bus->shard = io_loop_index(options->loop);
    bus->shards = options->shards;
    bus->stream_shard = options->stream_shard;
    check(bus->shard < bus->shards && bus->stream_shard < bus->shards);
    struct hash_key key;
    uint64_t seed;
    io_host_random(bus->host, &key, sizeof key);
    io_host_random(bus->host, &seed, sizeof seed);
    bus->random = random_make(seed);
    list_init(&bus->subscriptions);
    list_init(&bus->graveyard);
    int failed = index_open(&bus->index, key);
    if (failed) {
        mem_free(bus);
        return failed;
    }
    bus_remote_open(bus);
    *ret_bus = bus;
    return 0;
}

struct bus *bus_free(struct bus *bus) {
    if (!bus)
        return NULL;
    check(bus->depth == 0);
    bus_requests_close(bus);
    bus_watches_close(bus);
    bus_remote_close(bus);
    check(list_empty(&bus->subscriptions));
    index_close(&bus->index);
    return mem_free(bus);
}

struct io_loop *bus_loop(const struct bus *bus) {
    return bus->loop;
}

unsigned bus_shard(const struct bus *bus) {
    return bus->shard;
}

unsigned bus_shards(const struct bus *bus) {
    return bus->shards;
}

unsigned bus_stream_shard(const struct bus *bus) {
    return bus->stream_shard;
}

/* --- publish ------------------------------------------------------------------------------ */

static inline bool hand_over(struct bus *bus, struct bus_subscription *s,
                             const struct bus_message *message, const void *origin) {
    if (unlikely(s->ended || (origin && s->origin == origin)))
        return false;
    s->on_message(s->owner, s, message);
    if (unlikely(s->declined)) {
        s->declined = false;
        return false;
    }
    bus->delivered++;
    return true;
}

unsigned bus_deliver_local(struct bus *bus, struct bus_match *match,
                           const struct bus_message *message, const void *origin) {
    unsigned receivers = 0;
    for (uint32_t i = 0; i < match->plain_count; i++)
        receivers += hand_over(bus, match->plain[i], message, origin);
    return receivers;
}

static uint32_t draw_below(struct bus *bus, uint32_t bound) {
    return bound == 1 ? 0 : (uint32_t)random_below(&bus->random, bound);
}

/* This shard's members, from the DRAW-th on, until one takes it. */
static bool deliver_to_members(struct bus *bus, const struct match_group *group, uint32_t draw,
                               const struct bus_message *message, const void *origin) {
    for (uint32_t i = 0; i < group->member_count; i++) {
        uint32_t at = draw + i < group->member_count ? draw + i : draw + i - group->member_count;
        if (hand_over(bus, group->members[at], message, origin))
            return true;
    }
    return false;
}

static bool counts(const struct match_remote *remote, uint64_t tried) {
    return !(tried >> remote->shard & 1);
}

/* To the shard of a member drawn from those not yet TRIED. */
static bool deliver_elsewhere(struct bus *bus, const struct match_group *group,
                              const struct bus_message *message, uint64_t tried) {
    uint32_t weight = 0;
    for (uint32_t i = 0; i < group->remote_count; i++)
        weight += counts(&group->remotes[i], tried) ? group->remotes[i].members : 0;
    if (weight == 0)
        return false;
    uint32_t draw = draw_below(bus, weight);
    for (uint32_t i = 0; i < group->remote_count; i++) {
        const struct match_remote *remote = &group->remotes[i];
        if (!counts(remote, tried))
            continue;
        if (draw < remote->members)
            return bus_send_message(bus, remote->shard, message, group->name, tried);
        draw -= remote->members;
    }
    check(false && "draw is below the weight");
    return false;
}

static bool deliver_to_group(struct bus *bus, const struct match_group *group,
                             const struct bus_message *message, const void *origin) {
    check(group->weight > 0);
    uint32_t draw = draw_below(bus, group->weight);
    if (draw >= group->member_count)
        return deliver_elsewhere(bus, group, message, 0);
    return deliver_to_members(bus, group, draw, message, origin) ||
           deliver_elsewhere(bus, group, message, 1ull << bus->shard);
}

bool bus_deliver_drawn(struct bus *bus, const struct match_group *group,
                       const struct bus_message *message, uint64_t tried) {
    uint32_t draw = group->member_count ? draw_below(bus, group->member_count) : 0;
    return deliver_to_members(bus, group, draw, message, NULL) ||
           deliver_elsewhere(bus, group, message, tried | 1ull << bus->shard);
}

static unsigned send_to_shards(struct bus *bus, uint64_t shards,
                               const struct bus_message *message) {
    unsigned sent = 0;
    while (shards) {
        unsigned shard = (unsigned)__builtin_ctzll(shards);
        shards &= shards - 1;
        sent += bus_send_message(bus, shard, message, (slice){0}, 0);
    }
    return sent;
}

static inline unsigned publish(struct bus *bus, slice destination,
                               const struct bus_message *message, const void *origin,
                               struct bus_route *route) {
    bus->published++;
    struct bus_match *match = index_find(&bus->index, destination, route);
    if (!match)
        return 0;
    bus->depth++;
    unsigned receivers = bus_deliver_local(bus, match, message, origin);
    if (match->shards)
        receivers += send_to_shards(bus, match->shards, message);
    for (uint32_t i = 0; i < match->group_count; i++)
        receivers += deliver_to_group(bus, &match->groups[i], message, origin);
    index_put(&bus->index, match);
    if (--bus->depth == 0 && unlikely(!list_empty(&bus->graveyard)))
        bus_bury(bus);
    return receivers;
}

unsigned bus_publish(struct bus *bus, const struct bus_message *message, const void *origin,
                     struct bus_route *route) {
    if (unlikely(message->route.len)) { /* a message that came by a route is sent on as its own */
        struct bus_message own = *message;
        own.route = (slice){0};
        return publish(bus, own.subject, &own, origin, route);
    }
    return publish(bus, message->subject, message, origin, route);
}

unsigned bus_publish_to(struct bus *bus, slice destination, const struct bus_message *message,
                        struct bus_route *route) {
    struct bus_message routed = *message;
    routed.route = destination;
    return publish(bus, destination, &routed, NULL, route);
}

bool bus_has_interest(struct bus *bus, slice subject) {
    return bus_route_has_interest(bus, subject, NULL);
}

bool bus_route_has_interest(struct bus *bus, slice subject, struct bus_route *route) {
    struct bus_match *match = index_find(&bus->index, subject, route);
    if (!match)
        return false;
    bool interest = match->plain_count || match->shards || match->group_count;
    index_put(&bus->index, match);
    return interest;
}

/* --- subscribe ---------------------------------------------------------------------------- */

int bus_subscribe(struct bus *bus, slice subject, slice queue, const struct bus_receiver *receiver,
                  void *owner, const void *origin, struct bus_subscription **ret_subscription) {
    if (subject.len > BUS_SUBJECT_MAX || queue.len > BUS_SUBJECT_MAX ||
        !nats_subject_valid(subject))
        return -EINVAL;
    if (bus->subscription_count >= BUS_SUBSCRIPTIONS_MAX)
        return -ENOBUFS;
    struct bus_subscription *s = mem_zalloc(1, sizeof *s + subject.len + queue.len);
    if (!s)
        return -ENOMEM;
    s->on_message = receiver->on_message;
    s->owner = owner;
    s->origin = origin;
    s->subject_len = (uint16_t)subject.len;
    s->queue_len = (uint16_t)queue.len;
    memcpy(s->text, subject.ptr, subject.len);
    if (queue.len)
        memcpy(s->text + subject.len, queue.ptr, queue.len);
    int failed = index_add(&bus->index, s);
    if (failed) {
        mem_free(s);
        return failed;
    }
    if (queue.len || index_local_count(&bus->index, subject, queue) == 1) {
        failed = bus_announce(bus, bus_subscription_subject(s), bus_subscription_queue(s));
        if (failed) {
            index_remove(&bus->index, s);
            mem_free(s);
            return failed;
        }
    }
    list_push_back(&bus->subscriptions, &s->in_bus);
    bus->subscription_count++;
    bus_watches_touch(bus, subject);
    *ret_subscription = s;
    return 0;
}

static void bury(struct bus *bus, struct bus_subscription *s) {
    slice subject = bus_subscription_subject(s), queue = bus_subscription_queue(s);
    index_remove(&bus->index, s);
    if (queue.len || index_local_count(&bus->index, subject, queue) == 0)
        bus_withdraw(bus, subject, queue);
    bus_watches_touch(bus, subject);
    list_remove(&s->in_bus);
    mem_free(s);
}

void bus_bury(struct bus *bus) {
    struct list_node *node;
    while ((node = list_first(&bus->graveyard)))
        bury(bus, container_of(node, struct bus_subscription, in_bus));
}

struct bus_subscription *bus_unsubscribe(struct bus *bus, struct bus_subscription *s) {
    if (!s)
        return NULL;
    check(!s->ended);
    s->ended = true;
    check(bus->subscription_count > 0);
    bus->subscription_count--;
    if (bus->depth == 0) {
        bury(bus, s);
    } else {
        list_remove(&s->in_bus);
        list_push_back(&bus->graveyard, &s->in_bus);
    }
    return NULL;
}

void bus_decline(struct bus_subscription *s) {
    s->declined = true;
}

slice bus_subscription_subject(const struct bus_subscription *s) {
    return slice_make(s->text, s->subject_len);
}

slice bus_subscription_queue(const struct bus_subscription *s) {
    return slice_make(s->text + s->subject_len, s->queue_len);
}

int bus_each_subscription(struct bus *bus,
                          int (*each)(void *self, const struct bus_subscription *subscription),
                          void *self) {
    struct list_node *at, *following;
    list_each(&bus->subscriptions, at, following) {
        int result = each(self, container_of(at, struct bus_subscription, in_bus));
        if (result)
            return result;
    }
    return 0;
}

struct bus_stats bus_stats(const struct bus *bus) {
    return (struct bus_stats){
        .subscriptions = bus->subscription_count,
        .cache_hits = bus->index.hits,
        .cache_misses = bus->index.misses,
        .published = bus->published,
        .delivered = bus->delivered,
        .to_shards = bus->to_shards,
        .from_shards = bus->from_shards,
    };
}
