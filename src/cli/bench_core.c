/*
 * bench_core.c - nonet bench core: publishers to subscribers, nothing durable.
 *
 * Every subscriber gets every message. From 8 bytes on a payload begins with the moment it was
 * published, so the latency is that of the message through a server as busy as this load makes it.
 */
#include "cli/bench.h"

#define CHUNK 256u /* messages between two looks at clock and receivers */

static void publish(struct bench_member *m);

static void on_again(struct io_timer *timer) {
    publish(container_of(timer, struct bench_member, again));
}

static void publish_chunk(struct bench_member *m) {
    struct bench *b = m->bench;
    const struct nats_client_message message = {.subject = slice_str(b->subject),
                                                .payload = slice_make(m->payload, b->size)};
    uint64_t now_ns = bench_now_ns(m), begun = m->sent;
    memcpy(m->payload, &now_ns, sizeof now_ns); /* there is room, whatever the size */
    while (m->sent < m->quota && m->sent - begun < CHUNK) {
        nats_client_publish(m->client, &message);
        m->sent++;
    }
    atomic_fetch_add_explicit(&b->sent, m->sent - begun, memory_order_relaxed);
}

/* As much as may wait for the socket; the rest in the next turn. */
static void publish(struct bench_member *m) {
    while (m->sent < m->quota && !bench_must_wait(m))
        publish_chunk(m);
    if (m->sent < m->quota)
        io_timer_start(m->loop, &m->again, 0, on_again);
}

static void listen_to(struct bench_member *m) {
    nats_client_subscribe(m->client, 1, slice_str(m->bench->subject), (slice){0});
}

static void on_delivery(struct bench_member *m, const struct nats_client_message *message) {
    uint64_t sent_at;
    if (message->payload.len >= sizeof sent_at) {
        memcpy(&sent_at, message->payload.ptr, sizeof sent_at);
        uint64_t now_ns = bench_now_ns(m);
        histogram_add(&m->latencies, now_ns > sent_at ? now_ns - sent_at : 0);
    }
    atomic_fetch_add_explicit(&m->bench->received, 1, memory_order_relaxed);
    bench_count(m, 1);
}

int cli_bench_core(const struct cli_call *call) {
    struct bench b;
    int code = bench_read(call, "core", 1, &b);
    if (code)
        return code;
    b.unit = "deliveries";
    b.roles[0].name = "publishers";
    b.roles[0].start = publish;
    b.roles[1].name = "subscribers";
    b.roles[1].ready = listen_to;
    b.roles[1].on_message = on_delivery;
    b.total = b.messages * b.roles[1].count;
    return bench_run(&b);
}
