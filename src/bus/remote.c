/*
 * remote.c - a bus and the buses of the other shards: interest, copies, fences, push-back.
 *
 * Each pair of shards has one ordered channel, which is all the protocol needs: a message sent
 * after an interest is handled after it, so FENCE behind interest proves that the interest is in.
 * The two facts a shard keeps of another (interest, confirmations) change only by its messages.
 *
 * Allocation failure: interest that cannot be announced refuses the subscription. A shard that has
 * no memory to note another's asks a little later to be told everything again (AGAIN, RESET).
 * Interest that cannot be withdrawn stays at the other shard, which then sends copies that find
 * nobody. A message that cannot be copied is dropped like one to a slow consumer, and counted by
 * the publisher as not taken. Whatever somebody waits for is sent until it goes (again_timer).
 */
#include "bus/core.h"

#include "base/mem.h"

#include <errno.h>

struct interest_head {
    int32_t change;
    uint16_t subject_len, queue_len;
};

struct message_head {
    uint32_t subject_len, reply_len, headers_len, payload_len;
    uint16_t queue_len, route_len;
    uint64_t tried;
};

#define AGAIN_NS 10000000u

struct fence {
    struct list_node node;
    uint64_t number; /* done when every shard has applied so many announcements */
    void (*done)(void *self, uint64_t id);
    void *self;
    uint64_t id;
};

/* 0, or -ENOMEM where at least one shard could not be told. */
static int send_all(struct bus *bus, uint32_t kind, const slice *parts, unsigned count) {
    int failed = 0;
    for (unsigned shard = 0; shard < bus->shards; shard++)
        if (shard != bus->shard && io_send(bus->loop, shard, kind, parts, count))
            failed = -ENOMEM;
    return failed;
}

static int send_interest(struct bus *bus, unsigned shard, slice subject, slice queue, int change) {
    struct interest_head head = {change, (uint16_t)subject.len, (uint16_t)queue.len};
    slice parts[] = {slice_make(&head, sizeof head), subject, queue};
    return io_send(bus->loop, shard, BUS_INTEREST, parts, array_count(parts));
}

static void withdraw_below(struct bus *bus, unsigned end, slice subject, slice queue) {
    for (unsigned shard = 0; shard < end; shard++)
        if (shard != bus->shard && send_interest(bus, shard, subject, queue, -1))
            logger_write(bus->logger, LOG_LEVEL_WARN, "bus", "no memory to withdraw interest",
                         "shard=%u", shard);
}

int bus_announce(struct bus *bus, slice subject, slice queue) {
    for (unsigned shard = 0; shard < bus->shards; shard++) {
        if (shard == bus->shard || !send_interest(bus, shard, subject, queue, 1))
            continue;
        withdraw_below(bus, shard, subject, queue);
        return -ENOMEM;
    }
    bus->announced += bus->shards > 1;
    return 0;
}

void bus_withdraw(struct bus *bus, slice subject, slice queue) {
    withdraw_below(bus, bus->shards, subject, queue);
    bus->announced += bus->shards > 1;
}

bool bus_send_message(struct bus *bus, unsigned shard, const struct bus_message *m, slice queue,
                      uint64_t tried) {
    struct message_head head = {(uint32_t)m->subject.len,
                                (uint32_t)m->reply.len,
                                (uint32_t)m->headers.len,
                                (uint32_t)m->payload.len,
                                (uint16_t)queue.len,
                                (uint16_t)m->route.len,
                                tried};
    slice parts[] = {slice_make(&head, sizeof head),
                     queue,
                     m->route,
                     m->subject,
                     m->reply,
                     m->headers,
                     m->payload};
    if (io_send(bus->loop, shard, BUS_MESSAGE, parts, array_count(parts)))
        return false;
    bus->to_shards++;
    if (unlikely(io_channel_full(bus->loop, shard)))
        bus->full_channels |= 1ull << shard;
    return true;
}

/* --- receiving ---------------------------------------------------------------------------- */

/* The next LEN bytes of *REST. Both ends are ours, so a short body is a bug. */
static slice take(slice *rest, size_t len) {
    check(rest->len >= len);
    slice part = slice_take(*rest, len);
    *rest = slice_skip(*rest, len);
    return part;
}

static void on_again(struct io_timer *timer);

static void on_interest(struct bus *bus, unsigned from, slice body) {
    struct interest_head head;
    memcpy(&head, take(&body, sizeof head).ptr, sizeof head);
    slice subject = take(&body, head.subject_len);
    slice queue = take(&body, head.queue_len);
    int failed = index_set_shard(&bus->index, subject, queue, from, head.change);
    bus_watches_touch(bus, subject);
    if (!failed || head.change < 0)
        return;
    logger_write(bus->logger, LOG_LEVEL_ERROR, "bus", "no memory for another shard's interest",
                 "shard=%u", from);
    bus->to_ask |= 1ull << from;
    io_timer_start(bus->loop, &bus->again_timer, AGAIN_NS, on_again);
}

static void ask_again(struct bus *bus, unsigned shard) {
    bool sent = io_send(bus->loop, shard, BUS_AGAIN, NULL, 0) == 0;
    bus->to_ask = sent ? bus->to_ask & ~(1ull << shard) : bus->to_ask | 1ull << shard;
}

/* All of this shard's interest, from the beginning. */
static void tell_again(struct bus *bus, unsigned shard) {
    int failed = io_send(bus->loop, shard, BUS_RESET, NULL, 0);
    struct list_node *at, *following;
    list_each(&bus->subscriptions, at, following) {
        const struct bus_subscription *s = container_of(at, struct bus_subscription, in_bus);
        if (!failed)
            failed = send_interest(bus, shard, bus_subscription_subject(s),
                                   bus_subscription_queue(s), 1);
    }
    bus->to_tell = failed ? bus->to_tell | 1ull << shard : bus->to_tell & ~(1ull << shard);
    if (failed)
        io_timer_start(bus->loop, &bus->again_timer, AGAIN_NS, on_again);
}

/* A message for one member of the group QUEUE, chosen when it was sent from another shard. */
static void deliver_to_queue(struct bus *bus, struct bus_match *match,
                             const struct bus_message *message, slice queue, uint64_t tried) {
    for (uint32_t i = 0; i < match->group_count; i++) {
        if (!slice_equal(match->groups[i].name, queue))
            continue;
        bus_deliver_drawn(bus, &match->groups[i], message, tried);
        return;
    }
}

static void on_message(struct bus *bus, slice body) {
    struct message_head head;
    memcpy(&head, take(&body, sizeof head).ptr, sizeof head);
    slice queue = take(&body, head.queue_len);
    struct bus_message message;
    message.route = take(&body, head.route_len);
    message.subject = take(&body, head.subject_len);
    message.reply = take(&body, head.reply_len);
    message.headers = take(&body, head.headers_len);
    message.payload = take(&body, head.payload_len);
    bus->from_shards++;
    struct bus_match *match = index_find(&bus->index, bus_message_route(&message), NULL);
    if (!match)
        return;
    bus->depth++;
    if (queue.len)
        deliver_to_queue(bus, match, &message, queue, head.tried);
    else
        bus_deliver_local(bus, match, &message, NULL);
    index_put(&bus->index, match);
    if (--bus->depth == 0 && !list_empty(&bus->graveyard))
        bus_bury(bus);
}

/* --- fences ------------------------------------------------------------------------------- */

static bool applied_by_all(const struct bus *bus, uint64_t number) {
    for (unsigned shard = 0; shard < bus->shards; shard++)
        if (shard != bus->shard && bus->applied[shard] < number)
            return false;
    return true;
}

int bus_fence(struct bus *bus, void (*done)(void *self, uint64_t id), void *self, uint64_t id) {
    if (bus->shards == 1 || applied_by_all(bus, bus->announced)) {
        done(self, id);
        return 0;
    }
    struct fence *fence = mem_zalloc(1, sizeof *fence);
    if (!fence)
        return -ENOMEM;
    *fence = (struct fence){.number = bus->announced, .done = done, .self = self, .id = id};
    slice number = slice_make(&bus->announced, sizeof bus->announced);
    if (bus->asked < bus->announced && send_all(bus, BUS_FENCE, &number, 1)) {
        mem_free(fence);
        return -ENOMEM;
    }
    bus->asked = bus->announced;
    list_push_back(&bus->fences, &fence->node);
    return 0;
}

void bus_fence_cancel(struct bus *bus, const void *self) {
    struct list_node *at, *following;
    list_each(&bus->fences, at, following) {
        struct fence *fence = container_of(at, struct fence, node);
        if (fence->self != self)
            continue;
        list_remove(at);
        mem_free(fence);
    }
}

static void on_fence_done(struct bus *bus, unsigned from, slice body) {
    uint64_t number;
    memcpy(&number, take(&body, sizeof number).ptr, sizeof number);
    check(number >= bus->applied[from] && number <= bus->announced);
    bus->applied[from] = number;
    struct list_node *node;
    while ((node = list_first(&bus->fences))) {
        struct fence *fence = container_of(node, struct fence, node);
        if (!applied_by_all(bus, fence->number))
            return;
        list_remove(node);
        fence->done(fence->self, fence->id);
        mem_free(fence);
    }
}

static void confirm(struct bus *bus, unsigned to, uint64_t number) {
    slice body = slice_make(&number, sizeof number);
    bool sent = io_send(bus->loop, to, BUS_FENCE_DONE, &body, 1) == 0;
    bus->unconfirmed[to] = sent ? 0 : number;
    if (!sent)
        io_timer_start(bus->loop, &bus->again_timer, AGAIN_NS, on_again);
}

static void tell_full(struct bus *bus) {
    uint8_t byte = bus->stream_full;
    slice body = slice_make(&byte, 1);
    bus->full_untold = send_all(bus, BUS_FULL, &body, 1) != 0;
    if (bus->full_untold)
        io_timer_start(bus->loop, &bus->again_timer, AGAIN_NS, on_again);
}

static void on_again(struct io_timer *timer) {
    struct bus *bus = container_of(timer, struct bus, again_timer);
    for (unsigned shard = 0; shard < bus->shards; shard++)
        if (bus->unconfirmed[shard])
            confirm(bus, shard, bus->unconfirmed[shard]);
    for (unsigned shard = 0; shard < bus->shards; shard++) {
        if (bus->to_ask & 1ull << shard)
            ask_again(bus, shard);
        if (bus->to_tell & 1ull << shard)
            tell_again(bus, shard);
    }
    if (bus->full_untold)
        tell_full(bus);
    if (bus->to_ask)
        io_timer_start(bus->loop, &bus->again_timer, AGAIN_NS, on_again);
}

static void on_fence(struct bus *bus, unsigned from, slice body) {
    uint64_t number;
    memcpy(&number, take(&body, sizeof number).ptr, sizeof number);
    confirm(bus, from, number);
}

/* --- push-back ---------------------------------------------------------------------------- */

bool bus_channels_full(const struct bus *bus) {
    return bus->full_channels != 0;
}

bool bus_full(const struct bus *bus) {
    return bus_channels_full(bus) || bus->stream_full;
}

void bus_wait(struct bus *bus, struct bus_waiter *waiter) {
    if (!waiter->node.next)
        list_push_back(&bus->waiters, &waiter->node);
}

void bus_wait_cancel(struct bus_waiter *waiter) {
    if (waiter->node.next)
        list_remove(&waiter->node);
    waiter->node = (struct list_node){0};
}

static void wake_waiters(struct bus *bus) {
    if (bus_full(bus))
        return;
    struct list woken; /* those that wait again during their call stay for the next time */
    list_init(&woken);
    list_splice(&woken, &bus->waiters);
    struct list_node *node;
    while ((node = list_pop_front(&woken))) {
        struct bus_waiter *waiter = container_of(node, struct bus_waiter, node);
        waiter->node = (struct list_node){0};
        waiter->on_room(waiter);
    }
}

static void set_stream_full(struct bus *bus, bool full) {
    bus->stream_full = full;
    wake_waiters(bus);
}

void bus_set_stream_full(struct bus *bus, bool full) {
    check(bus->shard == bus->stream_shard);
    if (bus->stream_full == full)
        return;
    set_stream_full(bus, full);
    tell_full(bus);
}

static void receive(void *owner, unsigned from, uint32_t kind, slice body) {
    struct bus *bus = owner;
    switch ((enum bus_kind)kind) {
    case BUS_INTEREST:
        on_interest(bus, from, body);
        return;
    case BUS_MESSAGE:
        on_message(bus, body);
        return;
    case BUS_FENCE:
        on_fence(bus, from, body);
        return;
    case BUS_FENCE_DONE:
        on_fence_done(bus, from, body);
        return;
    case BUS_FULL:
        set_stream_full(bus, take(&body, 1).ptr[0] != 0);
        return;
    case BUS_AGAIN:
        tell_again(bus, from);
        return;
    case BUS_RESET:
        index_clear_shard(&bus->index, from);
        bus_watches_touch_all(bus);
        return;
    }
    check(false && "a kind of message that buses send");
}

static void on_room(void *owner, unsigned to) {
    struct bus *bus = owner;
    bus->full_channels &= ~(1ull << to);
    wake_waiters(bus);
}

void bus_remote_open(struct bus *bus) {
    list_init(&bus->fences);
    list_init(&bus->waiters);
    struct io_receiver receiver = {receive, on_room, bus};
    io_loop_set_receiver(bus->loop, &receiver);
}

void bus_remote_close(struct bus *bus) {
    io_timer_stop(bus->loop, &bus->again_timer);
    struct list_node *node;
    while ((node = list_pop_front(&bus->fences)))
        mem_free(container_of(node, struct fence, node));
    while ((node = list_pop_front(&bus->waiters)))
        container_of(node, struct bus_waiter, node)->node = (struct list_node){0};
}
