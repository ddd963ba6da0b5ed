/*
 * request.c - requests from inside the node: one inbox a bus, deadlines, scatter-gather.
 *
 * All answers come to `_NONET._INBOX.<22 random letters>.<id>` (private.h), one wildcard
 * subscription a bus, made at the first request. The id is slot and use count of a table, so an
 * answer that comes late finds its slot in another use and is dropped.
 *
 *     UNDER WAY --answer, wanted more--> UNDER WAY        (stall timer starts again)
 *     UNDER WAY --enough answers, deadline, stall, no responders--> on_reply(NULL, why), free
 *     UNDER WAY --bus_request_cancel--> free
 *
 * "Never from inside bus_request": a request without responders ends through a timer of length 0,
 * and what a responder on this very shard answers from inside its callback is copied and handed
 * over by another.
 */
#include "base/mem.h"
#include "base/number.h"
#include "bus/core.h"
#include "bus/private.h"
#include "wire/nats_headers.h"

#include <errno.h>

#define INBOX_RANDOM 22
#define TIMEOUT_DEFAULT_NS (2 * 1000000000ull)
#define ID_SLOT_BITS 17
#define DIGITS_MAX 20

struct held_answer {
    struct list_node node;
    struct bus_message message;
    char bytes[];
};

struct bus_request {
    struct bus *bus;
    struct io_timer deadline, stall, hand_over;
    struct list held; /* answers that came while it was being sent, and those behind them */
    unsigned held_count;
    bool sending;
    uint64_t stall_ns;
    unsigned replies_left;
    uint32_t slot;
    void (*on_reply)(void *owner, const struct bus_message *reply, int ended);
    void *owner;
    int ended; /* why the deadline timer was pulled forward, 0 = it is the deadline */
};

struct slot {
    struct bus_request *request; /* NULL: free */
    uint64_t use;
    uint32_t next_free;
};

struct requests {
    struct bus_subscription *inbox;
    struct slot *slots;
    uint32_t slot_count, slot_cap, first_free, under_way;
    size_t prefix_len;
    char prefix[sizeof BUS_INBOX_PREFIX + INBOX_RANDOM + 1];
};

static void finish(struct bus_request *request) {
    struct requests *all = request->bus->requests;
    io_timer_stop(request->bus->loop, &request->deadline);
    io_timer_stop(request->bus->loop, &request->stall);
    io_timer_stop(request->bus->loop, &request->hand_over);
    struct list_node *held;
    while ((held = list_pop_front(&request->held)))
        mem_free(container_of(held, struct held_answer, node));
    struct slot *slot = &all->slots[request->slot];
    check(slot->request == request);
    slot->request = NULL;
    slot->use++;
    slot->next_free = all->first_free;
    all->first_free = request->slot;
    all->under_way--;
    mem_free(request);
}

static void end(struct bus_request *request, int ended) {
    void (*on_reply)(void *, const struct bus_message *, int) = request->on_reply;
    void *owner = request->owner;
    finish(request);
    on_reply(owner, NULL, ended);
}

static void on_deadline(struct io_timer *timer) {
    struct bus_request *request = container_of(timer, struct bus_request, deadline);
    end(request, request->ended ? request->ended : -ETIMEDOUT);
}

static void on_stall(struct io_timer *timer) {
    end(container_of(timer, struct bus_request, stall), -ETIMEDOUT);
}

static struct bus_request *find(struct requests *all, slice subject) {
    slice text = slice_skip(subject, all->prefix_len);
    uint64_t id;
    if (number_parse_u64(text, &id))
        return NULL;
    uint64_t slot = id & ((1u << ID_SLOT_BITS) - 1);
    if (slot >= all->slot_count || all->slots[slot].use != id >> ID_SLOT_BITS)
        return NULL;
    return all->slots[slot].request;
}

static bool is_no_responders(const struct bus_message *message) {
    struct nats_status status;
    return message->headers.len && message->payload.len == 0 &&
           nats_headers_parse(message->headers, &status) == 0 && status.code == 503;
}

static void take_answer(struct bus_request *request, const struct bus_message *message) {
    struct bus *bus = request->bus;
    if (is_no_responders(message)) {
        end(request, -EHOSTUNREACH); /* a link's or server's word that nobody listens */
        return;
    }
    uint32_t slot = request->slot;
    uint64_t use = bus->requests->slots[slot].use;
    bool last = --request->replies_left == 0;
    request->on_reply(request->owner, message, 0);
    if (bus->requests->slots[slot].use != use)
        return; /* cancelled by its owner meanwhile */
    if (last)
        end(request, 0);
    else if (request->stall_ns)
        io_timer_start(bus->loop, &request->stall, request->stall_ns, on_stall);
}

static void on_hand_over(struct io_timer *timer) {
    struct bus_request *request = container_of(timer, struct bus_request, hand_over);
    struct requests *all = request->bus->requests;
    uint32_t slot = request->slot;
    uint64_t use = all->slots[slot].use;
    struct list_node *node;
    while (all->slots[slot].use == use && (node = list_pop_front(&request->held))) {
        struct held_answer *held = container_of(node, struct held_answer, node);
        take_answer(request, &held->message);
        mem_free(held);
    }
}

/* Without memory the answer is lost, as one to a slow client would be: the deadline tells. */
static void hold_answer(struct bus_request *request, const struct bus_message *m) {
    if (request->held_count == request->replies_left)
        return;
    struct held_answer *held =
        mem_alloc(sizeof *held + m->subject.len + m->reply.len + m->headers.len + m->payload.len);
    if (!held)
        return;
    char *at = held->bytes;
    held->message = (struct bus_message){.subject = slice_store(&at, m->subject),
                                         .reply = slice_store(&at, m->reply),
                                         .headers = slice_store(&at, m->headers),
                                         .payload = slice_store(&at, m->payload)};
    list_push_back(&request->held, &held->node);
    request->held_count++;
    io_timer_start(request->bus->loop, &request->hand_over, 0, on_hand_over);
}

static void on_answer(void *owner, struct bus_subscription *subscription,
                      const struct bus_message *message) {
    (void)subscription;
    struct bus *bus = owner;
    struct bus_request *request = find(bus->requests, bus_message_route(message));
    if (!request || request->ended)
        return;
    if (request->sending || !list_empty(&request->held))
        hold_answer(request, message);
    else
        take_answer(request, message);
}

static int requests_open(struct bus *bus) {
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    struct requests *all = mem_zalloc(1, sizeof *all);
    if (!all)
        return -ENOMEM;
    unsigned char random[INBOX_RANDOM];
    io_host_random(bus->host, random, sizeof random);
    size_t len = sizeof BUS_INBOX_PREFIX - 1;
    memcpy(all->prefix, BUS_INBOX_PREFIX, len);
    for (size_t i = 0; i < INBOX_RANDOM; i++)
        all->prefix[len++] = letters[random[i] % 64];
    all->prefix[len++] = '.';
    all->prefix_len = len;
    all->first_free = UINT32_MAX;
    char pattern[sizeof all->prefix + 1];
    memcpy(pattern, all->prefix, all->prefix_len);
    pattern[all->prefix_len] = '*';
    static const struct bus_receiver receiver = {on_answer};
    int failed = bus_subscribe(bus, slice_make(pattern, all->prefix_len + 1), (slice){0}, &receiver,
                               bus, NULL, &all->inbox);
    if (failed) {
        mem_free(all);
        return failed;
    }
    bus->requests = all;
    return 0;
}

static int slot_take(struct requests *all, uint32_t *ret_slot) {
    if (all->under_way >= BUS_REQUESTS_MAX)
        return -ENOBUFS;
    if (all->first_free == UINT32_MAX) {
        if (all->slot_count == all->slot_cap) {
            uint32_t cap = all->slot_cap ? all->slot_cap * 2 : 16;
            struct slot *grown = mem_realloc(all->slots, cap * sizeof *grown);
            if (!grown)
                return -ENOMEM;
            all->slots = grown;
            all->slot_cap = cap;
        }
        all->slots[all->slot_count] = (struct slot){.next_free = UINT32_MAX};
        all->first_free = all->slot_count++;
    }
    *ret_slot = all->first_free;
    all->first_free = all->slots[*ret_slot].next_free;
    all->under_way++;
    return 0;
}

int bus_request(struct bus *bus, const struct bus_request_options *options,
                struct bus_request **ret_request) {
    int failed = bus->requests ? 0 : requests_open(bus);
    if (failed)
        return failed;
    struct requests *all = bus->requests;
    struct bus_request *request = mem_zalloc(1, sizeof *request);
    if (!request)
        return -ENOMEM;
    failed = slot_take(all, &request->slot);
    if (failed) {
        mem_free(request);
        return failed;
    }
    all->slots[request->slot].request = request;
    list_init(&request->held);
    request->bus = bus;
    request->on_reply = options->on_reply;
    request->owner = options->owner;
    request->replies_left = options->replies_max ? options->replies_max : 1;
    request->stall_ns = options->stall_ns;
    io_timer_start(bus->loop, &request->deadline,
                   options->timeout_ns ? options->timeout_ns : TIMEOUT_DEFAULT_NS, on_deadline);

    char inbox[sizeof all->prefix + DIGITS_MAX];
    memcpy(inbox, all->prefix, all->prefix_len);
    uint64_t id = all->slots[request->slot].use << ID_SLOT_BITS | request->slot;
    size_t inbox_len = all->prefix_len + number_format_u64(id, inbox + all->prefix_len);
    struct bus_message message = options->message;
    message.reply = slice_make(inbox, inbox_len);
    if (ret_request)
        *ret_request = request;
    request->sending = true;
    unsigned receivers = bus_publish(bus, &message, NULL, NULL);
    if (find(all, message.reply) != request)
        return 0; /* cancelled by its owner meanwhile */
    request->sending = false;
    if (receivers == 0) {
        request->ended = -EHOSTUNREACH;
        io_timer_start(bus->loop, &request->deadline, 0, on_deadline);
    }
    return 0;
}

void bus_request_cancel(struct bus *bus, struct bus_request *request) {
    check(request->bus == bus);
    finish(request);
}

void bus_requests_close(struct bus *bus) {
    struct requests *all = bus->requests;
    if (!all)
        return;
    for (uint32_t i = 0; i < all->slot_count; i++)
        if (all->slots[i].request)
            end(all->slots[i].request, -ECANCELED);
    bus_unsubscribe(bus, all->inbox);
    mem_free(all->slots);
    bus->requests = mem_free(all);
}
