/*
 * consumer_push.h - the receiver of a push consumer: its state, a part of struct consumer, and what
 * the engine's other files ask of it. How it works, with its states, is drawn in consumer_push.c.
 *
 * For a pull consumer all of it stays zero, and start and stop do nothing.
 */
#ifndef NONET_BUS_CONSUMER_PUSH_H
#define NONET_BUS_CONSUMER_PUSH_H

#include "bus/watch.h"

struct consumer;

struct consumer_push {
    struct bus_watch watch;
    struct bus_route route;
    struct bus_subscription *flow; /* answers to flow control requests */
    struct io_timer heartbeat_timer;
    uint64_t sent_at;                      /* loop clock */
    uint64_t full_at;                      /* the rate's bucket is full again, loop clock */
    uint64_t window, under_way, asked_for; /* bytes; asked_for: what the answer will free */
    char *flow_reply;                      /* of the last request; in the consumer's arena */
    size_t flow_reply_len;
    bool bound, asked;
};

/* Watches the deliver subject; no-op for a pull consumer. 0, -ENOMEM, -ENOBUFS. */
must_use int consumer_push_start(struct consumer *c);
void consumer_push_stop(struct consumer *c);
/* The deliver subject is another one. Not 0: changes of interest come unnoticed. */
must_use int consumer_push_move(struct consumer *c);
/* Looks whether somebody is there; once a step, for changes are told at the end of a turn. */
void consumer_push_look(struct consumer *c);
/* Somebody is there, and his window is not full. */
bool consumer_push_ready(const struct consumer *c);
/* Somebody would receive a message this instant. */
bool consumer_push_has_receiver(struct consumer *c);
/* How long a message of SIZE bytes has to wait for the rate limit. */
uint64_t consumer_push_wait(const struct consumer *c, uint64_t size);
/* A message of SIZE bytes has been sent. Strangers may be called. */
void consumer_push_sent(struct consumer *c, uint64_t size);

#endif
