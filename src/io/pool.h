/*
 * pool.h - output segments: where bytes wait for a socket. Inside of io/ only.
 *
 *     segment   next | cap | from | to | bytes [ ....sent|from====to.....|cap ]
 *     queue     first -> segment -> segment <- last          bytes = sum of (to - from)
 *
 * A stream writes into one segment; when it is full it is queued and the next one taken, so output
 * never moves in memory once written and a long queue leaves by one writev. Segments come in two
 * sizes, small for the many streams that say little, large for those that say much, and in any
 * size for a single large reservation. Each loop keeps at most IO_POOL_SMALL_MAX and
 * IO_POOL_LARGE_MAX spare ones (5 MiB); the last one given back is the first taken, still warm in
 * the cache. A stream without output owns none.
 */
#ifndef NONET_IO_POOL_H
#define NONET_IO_POOL_H

#include "base/check.h"
#include "base/slice.h"

#define IO_SEGMENT_SMALL (4096 - 64) /* bytes of content */
#define IO_SEGMENT_LARGE ((64u << 10) - 64)
#define IO_POOL_SMALL_MAX 256 /* spare ones kept, 1 MiB */
#define IO_POOL_LARGE_MAX 64  /* 4 MiB */

struct io_segment {
    struct io_segment *next;
    size_t cap, from, to;
    char bytes[];
};

struct io_pool {
    struct io_segment *small, *large;
    unsigned small_count, large_count;
};

struct io_segments {
    struct io_segment *first, *last;
    size_t bytes;
};

/* An empty segment for at least ROOM bytes, a large one where asked; NULL without memory. */
must_use struct io_segment *io_pool_take(struct io_pool *pool, size_t room, bool large);
/* NULL allowed. */
void io_pool_give(struct io_pool *pool, struct io_segment *segment);
void io_pool_free(struct io_pool *pool);

/* Puts SEGMENT, with content, at the end. */
void io_segments_push(struct io_segments *queue, struct io_segment *segment);
/* Copies BYTES behind the end, into new segments where needed. 0 or -ENOMEM (nothing added). */
must_use int io_segments_append(struct io_segments *queue, struct io_pool *pool, slice bytes);
/* COUNT bytes of the front (at most all) have left. */
void io_segments_consume(struct io_segments *queue, struct io_pool *pool, size_t count);
void io_segments_clear(struct io_segments *queue, struct io_pool *pool);

#endif
