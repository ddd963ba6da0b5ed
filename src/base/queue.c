#include "base/queue.h"

#include "base/mem.h"

#include <string.h>

struct queue *queue_new(size_t capacity, size_t element_size) {
    check(capacity > 0 && capacity <= QUEUE_CAPACITY_MAX && element_size > 0);
    size_t size = 1;
    while (size < capacity)
        size *= 2;
    struct queue *q = mem_alloc_aligned(sizeof *q, QUEUE_LINE);
    if (!q)
        return NULL;
    memset(q, 0, sizeof *q);
    q->elements = mem_zalloc(size, element_size);
    if (!q->elements)
        return mem_free(q);
    q->element_size = element_size;
    q->capacity = size;
    return q;
}

struct queue *queue_free(struct queue *q) {
    if (q)
        mem_free(q->elements);
    return mem_free(q);
}

static unsigned char *element_at(const struct queue *q, uint64_t index) {
    return q->elements + ((size_t)index & (q->capacity - 1)) * q->element_size;
}

/* Copies COUNT elements between the ring, from index AT on, and plain memory: in two pieces where
   they pass the ring's end. */
static void copy_in(struct queue *q, uint64_t at, const unsigned char *from, size_t count) {
    size_t start = (size_t)at & (q->capacity - 1);
    size_t first = count < q->capacity - start ? count : q->capacity - start;
    memcpy(q->elements + start * q->element_size, from, first * q->element_size);
    memcpy(q->elements, from + first * q->element_size, (count - first) * q->element_size);
}

static void copy_out(const struct queue *q, uint64_t at, unsigned char *to, size_t count) {
    size_t start = (size_t)at & (q->capacity - 1);
    size_t first = count < q->capacity - start ? count : q->capacity - start;
    memcpy(to, q->elements + start * q->element_size, first * q->element_size);
    memcpy(to + first * q->element_size, q->elements, (count - first) * q->element_size);
}

size_t queue_push_many(struct queue *q, const void *elements, size_t count) {
    uint64_t tail = atomic_load_explicit(&q->tail, memory_order_relaxed);
    if (q->capacity - (tail - q->head_seen) < count)
        q->head_seen = atomic_load_explicit(&q->head, memory_order_acquire);
    size_t room = q->capacity - (size_t)(tail - q->head_seen);
    size_t pushed = count < room ? count : room;
    if (pushed == 0)
        return 0;
    copy_in(q, tail, elements, pushed);
    atomic_store_explicit(&q->tail, tail + pushed, memory_order_release);
    return pushed;
}

/* One element is the usual case and never passes the ring's end: one copy, no loop. */
bool queue_push(struct queue *q, const void *element) {
    uint64_t tail = atomic_load_explicit(&q->tail, memory_order_relaxed);
    if (tail - q->head_seen == q->capacity) {
        q->head_seen = atomic_load_explicit(&q->head, memory_order_acquire);
        if (tail - q->head_seen == q->capacity)
            return false;
    }
    memcpy(element_at(q, tail), element, q->element_size);
    atomic_store_explicit(&q->tail, tail + 1, memory_order_release);
    return true;
}

size_t queue_pop_many(struct queue *q, void *ret_elements, size_t count) {
    uint64_t head = atomic_load_explicit(&q->head, memory_order_relaxed);
    if (q->tail_seen - head < count)
        q->tail_seen = atomic_load_explicit(&q->tail, memory_order_acquire);
    size_t filled = (size_t)(q->tail_seen - head);
    size_t popped = count < filled ? count : filled;
    if (popped == 0)
        return 0;
    copy_out(q, head, ret_elements, popped);
    atomic_store_explicit(&q->head, head + popped, memory_order_release);
    return popped;
}

bool queue_pop(struct queue *q, void *ret_element) {
    uint64_t head = atomic_load_explicit(&q->head, memory_order_relaxed);
    if (head == q->tail_seen) {
        q->tail_seen = atomic_load_explicit(&q->tail, memory_order_acquire);
        if (head == q->tail_seen)
            return false;
    }
    memcpy(ret_element, element_at(q, head), q->element_size);
    atomic_store_explicit(&q->head, head + 1, memory_order_release);
    return true;
}

size_t queue_count(const struct queue *q) {
    /* Head first: read the other way round, tail could seem to lie before head. */
    uint64_t head = atomic_load_explicit(&q->head, memory_order_acquire);
    uint64_t tail = atomic_load_explicit(&q->tail, memory_order_acquire);
    uint64_t count = tail - head;
    return count < q->capacity ? (size_t)count : q->capacity;
}
