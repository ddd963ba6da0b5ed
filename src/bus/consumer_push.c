/*
 * consumer_push.c - push consumers: is somebody there, how much may be under way, is he alive.
 *
 *              somebody subscribes to the deliver subject
 *     UNBOUND ------------------------------------------> BOUND ---window full--> STALLED
 *        ^  |  inactive_threshold over: removed             |  ^                     |
 *        |  '--> gone                                       |  '----- answer to -----'
 *        '------------- the last one goes ------------------'      the flow control request
 *
 * BOUND is looked at when interest in the very subject changes (watch.h) and at each step; with a
 * deliver group only members of that queue group count.
 *
 * FLOW CONTROL. What is sent fills a window; when it is half full, a status message "100
 * FlowControl Request" follows the messages, and the client answers it once it has worked off what
 * came before. Nothing is sent over a full window. Each answer doubles the window, from 2 MiB to 32
 * MiB, so a client's buffers grow only with its speed. An answer that got lost is asked for again
 * by each heartbeat (Nats-Consumer-Stalled), also from a client that comes later.
 *
 * Without flow control, a subscriber that does not keep up is bounded by max_ack_pending, and
 * without acknowledgements by his connection's pending limit: he is closed as a slow consumer, and
 * the consumer rests until somebody subscribes again.
 *
 * RATE LIMIT. A bucket of one largest message, filled with rate_limit_bps; kept as the one number
 * `full_at`, the time when it is full again.
 *
 * Numbers and texts: nats-server 2.10, server/consumer.go.
 */
#include "bus/consumer_parts.h"

#define WINDOW_MAX (32ull << 20)
#define WINDOW_START (WINDOW_MAX / 16)
#define RATE_BURST_BYTES (1u << 20)
#define FLOW_PREFIX "$JS.FC."

/* --- flow control ------------------------------------------------------------------------- */

static slice flow_reply(const struct consumer *c) {
    return slice_make(c->push.flow_reply, c->push.flow_reply_len);
}

static void on_flow(void *owner, struct bus_subscription *subscription,
                    const struct bus_message *message) {
    (void)subscription;
    struct consumer *c = owner;
    struct consumer_push *p = &c->push;
    if (c->gone || !p->asked || !slice_equal(message->subject, flow_reply(c)))
        return; /* not the latest one */
    p->window = p->window < WINDOW_MAX / 2 ? p->window * 2 : WINDOW_MAX;
    p->under_way -= p->under_way < p->asked_for ? p->under_way : p->asked_for;
    p->asked = false;
    p->asked_for = 0;
    consumer_wake(c);
}

static void ask_for_answer(struct consumer *c) {
    static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    struct consumer_push *p = &c->push;
    unsigned char random[4];
    io_host_random(io_loop_host(consumer_loop(c)), random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++)
        p->flow_reply[p->flow_reply_len - sizeof random + i] =
            letters[random[i] % (sizeof letters - 1)];
    p->asked = true;
    p->asked_for = p->under_way;
    struct bus_message message = {
        .subject = c->config.deliver_subject,
        .reply = flow_reply(c),
        .headers = slice_lit("NATS/1.0 100 FlowControl Request\r\n\r\n"),
    };
    bus_publish(c->streams->bus, &message, NULL, NULL);
}

/* --- heartbeats --------------------------------------------------------------------------- */

static void on_heartbeat(struct io_timer *timer);

static void arm_heartbeat(struct consumer *c) {
    uint64_t now = io_loop_now_ns(consumer_loop(c));
    uint64_t at = c->push.sent_at + (uint64_t)c->config.heartbeat_ns;
    io_timer_start(consumer_loop(c), &c->push.heartbeat_timer, at > now ? at - now : 0,
                   on_heartbeat);
}

static void on_heartbeat(struct io_timer *timer) {
    struct consumer *c = container_of(timer, struct consumer, push.heartbeat_timer);
    uint64_t now = io_loop_now_ns(consumer_loop(c));
    if (now - c->push.sent_at >= (uint64_t)c->config.heartbeat_ns) {
        c->push.sent_at = now;
        slice stalled = c->push.asked ? flow_reply(c) : (slice){0};
        if (c->push.bound)
            consumer_send_status(
                c, c->config.deliver_subject,
                "100 Idle Heartbeat\r\nNats-Last-Consumer: %llu\r\n"
                "Nats-Last-Stream: %llu%s%.*s",
                (unsigned long long)c->consumer_sequence, (unsigned long long)(c->position - 1),
                stalled.len ? "\r\nNats-Consumer-Stalled: " : "", slice_fmt(stalled));
    }
    if (!c->gone)
        arm_heartbeat(c);
}

/* --- who is there ------------------------------------------------------------------------- */

void consumer_push_look(struct consumer *c) {
    struct consumer_push *p = &c->push;
    bool bound =
        bus_is_subscribed(c->streams->bus, c->config.deliver_subject, c->config.deliver_group);
    if (bound == p->bound)
        return;
    p->bound = bound;
    consumer_alive(c); /* inactivity counts from here */
    if (bound)
        list_push_back(&c->stream->deliveries, &c->in_deliveries);
    else
        list_remove(&c->in_deliveries);
}

static void on_change(struct bus_watch *watch) {
    struct consumer *c = container_of(watch, struct consumer, push.watch);
    consumer_push_look(c);
    consumer_wake(c);
}

bool consumer_push_ready(const struct consumer *c) {
    return c->push.bound && c->push.under_way <= c->push.window;
}

bool consumer_push_has_receiver(struct consumer *c) {
    return bus_route_has_interest(c->streams->bus, c->config.deliver_subject, &c->push.route);
}

/* --- how fast ----------------------------------------------------------------------------- */

uint64_t consumer_push_wait(const struct consumer *c, uint64_t size) {
    if (!c->config.rate_bits)
        return 0;
    int64_t max = c->stream->config.message_bytes_max;
    uint64_t burst = max > 0 ? (uint64_t)max : RATE_BURST_BYTES;
    uint64_t rate = (uint64_t)c->config.rate_bits / 8 ? (uint64_t)c->config.rate_bits / 8 : 1;
    uint64_t now = io_loop_now_ns(consumer_loop(c));
    if (size > burst)
        size = burst;
    double empty_ns = (double)(burst - size) * 1e9 / (double)rate;
    double behind_ns = c->push.full_at > now ? (double)(c->push.full_at - now) : 0;
    return behind_ns > empty_ns ? (uint64_t)(behind_ns - empty_ns) + 1 : 0;
}

static void spend(struct consumer *c, uint64_t size) {
    uint64_t now = io_loop_now_ns(consumer_loop(c));
    double bytes_a_second = (double)c->config.rate_bits / 8;
    if (c->push.full_at < now)
        c->push.full_at = now;
    c->push.full_at += (uint64_t)((double)size * 1e9 / bytes_a_second);
}

void consumer_push_sent(struct consumer *c, uint64_t size) {
    struct consumer_push *p = &c->push;
    p->sent_at = io_loop_now_ns(consumer_loop(c));
    if (c->config.rate_bits)
        spend(c, size);
    if (!c->config.flow_control)
        return;
    p->under_way += size;
    if (!p->asked && p->under_way > p->window / 2)
        ask_for_answer(c);
    else if (p->asked && p->under_way - p->asked_for >= p->window)
        p->asked_for += size;
}

/* --- beginning, ending -------------------------------------------------------------------- */

static int start_flow(struct consumer *c) {
    static const struct bus_receiver receiver = {on_flow};
    struct consumer_push *p = &c->push;
    slice pattern, reply;
    int failed = arena_printf(&c->arena, &pattern, FLOW_PREFIX "%.*s.%.*s.*",
                              slice_fmt(c->stream_name), slice_fmt(c->name));
    if (!failed)
        failed = arena_printf(&c->arena, &reply, FLOW_PREFIX "%.*s.%.*s.0000",
                              slice_fmt(c->stream_name), slice_fmt(c->name));
    if (failed)
        return failed;
    p->flow_reply = (char *)(uintptr_t)reply.ptr; /* in the arena, ours */
    p->flow_reply_len = reply.len;
    p->window = WINDOW_START;
    return bus_subscribe(c->streams->bus, pattern, (slice){0}, &receiver, c, NULL, &p->flow);
}

int consumer_push_start(struct consumer *c) {
    struct consumer_push *p = &c->push;
    if (!consumer_is_push(c))
        return 0;
    p->watch.on_change = on_change;
    p->window = UINT64_MAX;
    int failed = bus_watch(c->streams->bus, c->config.deliver_subject, &p->watch);
    if (!failed && c->config.flow_control)
        failed = start_flow(c);
    if (failed)
        return failed;
    p->sent_at = io_loop_now_ns(consumer_loop(c));
    if (c->config.heartbeat_ns)
        arm_heartbeat(c);
    consumer_push_look(c);
    consumer_wake(c);
    return 0;
}

int consumer_push_move(struct consumer *c) {
    struct bus_watch *watch = &c->push.watch;
    bus_watch_end(c->streams->bus, watch);
    bus_route_clear(&c->push.route);
    int failed = bus_watch(c->streams->bus, c->config.deliver_subject, watch);
    consumer_push_look(c); /* where it could not watch, it still looks at each step */
    return failed;
}

void consumer_push_stop(struct consumer *c) {
    struct consumer_push *p = &c->push;
    bus_watch_end(c->streams->bus, &p->watch);
    p->flow = bus_unsubscribe(c->streams->bus, p->flow);
    io_timer_stop(consumer_loop(c), &p->heartbeat_timer);
    bus_route_clear(&p->route);
    if (p->bound)
        list_remove(&c->in_deliveries);
    p->bound = false;
}
