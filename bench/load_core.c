/*
 * load_core.c - one publisher, one or many subscribers on one subject.
 *
 * Blocks of prebuilt PUB lines go in; the subscribers count bytes, as all messages have one length.
 * A server cuts a slow consumer off, and here load and subscribers share cores, so the publisher
 * never gets further ahead than AHEAD_BYTES.
 */
#include "nats_load.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define BLOCK_BYTES 65536u
#define READ_BYTES (256u << 10)
#define AHEAD_BYTES (8u << 20)

struct subscriber {
    struct load_client client;
    pthread_t thread;
    uint64_t wanted; /* bytes */
    _Atomic(uint64_t) got;
};

static void *receive(void *argument) {
    struct subscriber *s = argument;
    char *room = malloc(READ_BYTES);
    uint64_t got = 0;
    while (room && got < s->wanted) {
        ssize_t n = read(s->client.fd, room, READ_BYTES);
        if (n <= 0)
            load_die("a subscriber lost its connection after %" PRIu64 " of %" PRIu64 " bytes", got,
                     s->wanted);
        got += (uint64_t)n;
        atomic_store_explicit(&s->got, got, memory_order_relaxed);
    }
    free(room);
    return NULL;
}

static uint64_t slowest(struct subscriber *subscribers, uint64_t count) {
    uint64_t least = UINT64_MAX;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t got = atomic_load_explicit(&subscribers[i].got, memory_order_relaxed);
        least = got < least ? got : least;
    }
    return least;
}

/* A block of equal PUB lines; returns its length, *RET_MESSAGES are in it. */
static size_t make_block(char *block, uint64_t size, uint64_t *ret_messages) {
    char head[64];
    size_t head_len = (size_t)snprintf(head, sizeof head, "PUB bench.core %" PRIu64 "\r\n", size);
    size_t each = head_len + size + 2, len = 0;
    do {
        memcpy(block + len, head, head_len);
        memset(block + len + head_len, 'x', size);
        memcpy(block + len + head_len + size, "\r\n", 2);
        len += each;
    } while (len + each <= BLOCK_BYTES);
    *ret_messages = len / each;
    return len;
}

static void publish(struct load_client *publisher, struct subscriber *subscribers,
                    const struct load_options *o, uint64_t messages, uint64_t each) {
    uint64_t in_block;
    char *block = malloc(BLOCK_BYTES + LOAD_SIZE_MAX);
    if (!block)
        load_die("no memory");
    size_t len = make_block(block, o->size, &in_block);
    for (uint64_t sent = 0; sent < messages; sent += in_block) {
        while (sent * each > slowest(subscribers, o->fan_out) + AHEAD_BYTES)
            nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
        uint64_t left = messages - sent;
        load_send(publisher, block, left < in_block ? len / in_block * left : len);
    }
    free(block);
}

void load_core(const struct load_options *o) {
    static struct subscriber subscribers[LOAD_FAN_OUT_MAX];
    struct load_client publisher;
    char line[64];
    uint64_t each =
        o->size + 2 +
        (uint64_t)snprintf(line, sizeof line, "MSG bench.core 1 %" PRIu64 "\r\n", o->size);
    for (uint64_t i = 0; i < o->fan_out; i++) {
        load_open(&subscribers[i].client, o->port, "SUB bench.core 1\r\n");
        subscribers[i].wanted = o->count * each;
    }
    load_open(&publisher, o->port, "");
    for (uint64_t i = 0; i < o->fan_out; i++)
        if (pthread_create(&subscribers[i].thread, NULL, receive, &subscribers[i]) != 0)
            load_die("no thread for a subscriber");
    double cpu = load_cpu(o->pid), begun = load_now();
    publish(&publisher, subscribers, o, o->count, each);
    for (uint64_t i = 0; i < o->fan_out; i++)
        pthread_join(subscribers[i].thread, NULL);
    double elapsed = load_now() - begun, delivered = (double)(o->count * o->fan_out);
    cpu = load_cpu(o->pid) - cpu;
    printf("{\"delivered\":%.0f,\"seconds\":%.4f,\"rate\":%.0f,\"cpu_us\":%.4f}\n", delivered,
           elapsed, delivered / elapsed, cpu * 1e6 / delivered);
}
