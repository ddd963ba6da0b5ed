#include "io/pool.h"

#include "base/mem.h"

#include <errno.h>

struct io_segment *io_pool_take(struct io_pool *pool, size_t room, bool large) {
    bool small = room <= IO_SEGMENT_SMALL && !large;
    struct io_segment *segment = NULL;
    if (small && pool->small) {
        segment = pool->small;
        pool->small = segment->next;
        pool->small_count--;
    } else if (!small && room <= IO_SEGMENT_LARGE && pool->large) {
        segment = pool->large;
        pool->large = segment->next;
        pool->large_count--;
    } else {
        size_t cap = small ? IO_SEGMENT_SMALL : room > IO_SEGMENT_LARGE ? room : IO_SEGMENT_LARGE;
        segment = mem_alloc(sizeof *segment + cap);
        if (!segment)
            return NULL;
        segment->cap = cap;
    }
    segment->next = NULL;
    segment->from = segment->to = 0;
    return segment;
}

void io_pool_give(struct io_pool *pool, struct io_segment *segment) {
    if (!segment)
        return;
    if (segment->cap == IO_SEGMENT_SMALL && pool->small_count < IO_POOL_SMALL_MAX) {
        segment->next = pool->small;
        pool->small = segment;
        pool->small_count++;
    } else if (segment->cap == IO_SEGMENT_LARGE && pool->large_count < IO_POOL_LARGE_MAX) {
        segment->next = pool->large;
        pool->large = segment;
        pool->large_count++;
    } else {
        mem_free(segment);
    }
}

static void list_free(struct io_segment *segment) {
    while (segment) {
        struct io_segment *next = segment->next;
        mem_free(segment);
        segment = next;
    }
}

void io_pool_free(struct io_pool *pool) {
    list_free(pool->small);
    list_free(pool->large);
    *pool = (struct io_pool){0};
}

void io_segments_push(struct io_segments *queue, struct io_segment *segment) {
    check(segment->from < segment->to && segment->to <= segment->cap);
    segment->next = NULL;
    if (queue->last)
        queue->last->next = segment;
    else
        queue->first = segment;
    queue->last = segment;
    queue->bytes += segment->to - segment->from;
}

int io_segments_append(struct io_segments *queue, struct io_pool *pool, slice bytes) {
    struct io_segment *last = queue->last;
    size_t fits = last ? last->cap - last->to : 0;
    if (fits > bytes.len)
        fits = bytes.len;
    slice rest = slice_skip(bytes, fits);
    struct io_segment *fresh = NULL;
    if (rest.len > 0) {
        fresh = io_pool_take(pool, rest.len, last != NULL);
        if (!fresh)
            return -ENOMEM;
    }
    if (fits > 0) {
        memcpy(last->bytes + last->to, bytes.ptr, fits);
        last->to += fits;
        queue->bytes += fits;
    }
    if (fresh) {
        memcpy(fresh->bytes, rest.ptr, rest.len);
        fresh->to = rest.len;
        io_segments_push(queue, fresh);
    }
    return 0;
}

void io_segments_consume(struct io_segments *queue, struct io_pool *pool, size_t count) {
    check(count <= queue->bytes);
    queue->bytes -= count;
    while (count > 0) {
        struct io_segment *segment = queue->first;
        size_t held = segment->to - segment->from;
        if (count < held) {
            segment->from += count;
            return;
        }
        count -= held;
        queue->first = segment->next;
        if (!queue->first)
            queue->last = NULL;
        io_pool_give(pool, segment);
    }
}

void io_segments_clear(struct io_segments *queue, struct io_pool *pool) {
    io_segments_consume(queue, pool, queue->bytes);
}
