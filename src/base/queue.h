/*
 * queue.h - a bounded lock-free ring between exactly two threads: one pushes, one pops.
 *
 *      | consumer's line: head, tail seen |  | producer's line: tail, head seen |
 *      [ . . x x x x x . ]      head -> x ... x <- tail      count = tail - head <= capacity
 *
 * This is how shards speak to each other. Elements are of one fixed size and copied in and out.
 * A push publishes its element with a release store of `tail`, a pop gives the place back with a
 * release store of `head`; each side keeps the last index it saw of the other and looks again only
 * when the ring seems full or empty, so the two seldom touch one line. A full queue says so and
 * the producer decides (wait, push back, drop and count): it never grows.
 */
#ifndef NONET_BASE_QUEUE_H
#define NONET_BASE_QUEUE_H

#include "base/check.h"

#include <stdatomic.h>
#include <stdint.h>

#define QUEUE_LINE 64
#define QUEUE_CAPACITY_MAX ((size_t)1 << 30)

struct queue {
    _Alignas(QUEUE_LINE) _Atomic(uint64_t) head; /* next to pop; written by the consumer */
    uint64_t tail_seen;                          /* consumer's copy of tail */
    _Alignas(QUEUE_LINE) _Atomic(uint64_t) tail; /* next to fill; written by the producer */
    uint64_t head_seen;                          /* producer's copy of head */
    _Alignas(QUEUE_LINE) unsigned char *elements;
    size_t element_size;
    size_t capacity; /* a power of two */
};

/* A queue of at least CAPACITY elements (rounded up to a power of two, at most
   QUEUE_CAPACITY_MAX) of ELEMENT_SIZE bytes, or NULL. */
must_use struct queue *queue_new(size_t capacity, size_t element_size);
struct queue *queue_free(struct queue *q);

/* Producer: copies the element in. False where the queue is full. */
must_use bool queue_push(struct queue *q, const void *element);

/* Producer: copies in as many of COUNT elements as fit, in order. Returns how many. */
must_use size_t queue_push_many(struct queue *q, const void *elements, size_t count);

/* Consumer: copies the oldest element out. False where the queue is empty. */
must_use bool queue_pop(struct queue *q, void *ret_element);

/* Consumer: copies out up to COUNT elements, oldest first. Returns how many. */
must_use size_t queue_pop_many(struct queue *q, void *ret_elements, size_t count);

/* Elements inside: exact for the two sides when the other rests, else a moment old. Any thread. */
size_t queue_count(const struct queue *q);

#endif
