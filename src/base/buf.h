/*
 * buf.h - a growable byte buffer with a hard maximum.
 *
 *      ptr            len             cap            max
 *       |== content ===|.... room .....|  may grow to |
 *
 * The maximum is given at the start and never passed: what would exceed it is refused with
 * -ENOBUFS, so every buffer in Nonet has a named bound and an answer at it. Memory runs out with
 * -ENOMEM. A refused append leaves the content as it was. Growth doubles, so a run of appends
 * costs linear time. The struct is open so that hot paths may write into the room directly:
 * buf_reserve(), write at ptr + len, then add to len.
 */
#ifndef NONET_BASE_BUF_H
#define NONET_BASE_BUF_H

#include "base/check.h"
#include "base/slice.h"

#include <stdarg.h>

struct buf {
    char *ptr;  /* NULL until the first append */
    size_t len; /* bytes of content */
    size_t cap; /* bytes allocated */
    size_t max; /* content never grows past this many bytes */
};

/* An empty buffer that may grow to MAX bytes. Allocates nothing. */
static inline struct buf buf_make(size_t max) {
    return (struct buf){NULL, 0, 0, max};
}

/* The same with ROOM bytes (at most MAX) taken at once, for a content whose size is about known: a
   run of appends then moves nothing. Where memory runs out the first append says so. */
struct buf buf_make_room(size_t max, size_t room);

/* Gives the memory back and leaves the buffer empty and usable. */
void buf_free(struct buf *b);

/* For scope exit. */
#define _cleanup_buf_ __attribute__((cleanup(buf_free)))

/* The slow half of buf_reserve. */
must_use int buf_grow(struct buf *b, size_t room);

/* Makes sure that ROOM bytes can be written at ptr + len. 0, -ENOBUFS or -ENOMEM. */
must_use static inline int buf_reserve(struct buf *b, size_t room) {
    return likely(b->cap - b->len >= room) ? 0 : buf_grow(b, room);
}

/* Appends. 0, -ENOBUFS or -ENOMEM; on failure nothing was appended. */
must_use int buf_append(struct buf *b, slice bytes);
must_use int buf_append_byte(struct buf *b, char byte);
must_use int buf_append_u64(struct buf *b, uint64_t number); /* decimal digits */
must_use int buf_append_i64(struct buf *b, int64_t number);
must_use int buf_printf(struct buf *b, const char *format, ...) printf_like(2, 3);
must_use int buf_vprintf(struct buf *b, const char *format, va_list arguments) printf_like(2, 0);

/* Removes the first COUNT bytes (at most len), moving the rest down. */
void buf_consume(struct buf *b, size_t count);

static inline void buf_clear(struct buf *b) {
    b->len = 0;
}

static inline slice buf_slice(const struct buf *b) {
    return slice_make(b->ptr, b->len);
}

/* A NUL is kept behind the content (not counted) and the text returned; NULL where even that
   byte does not fit. Valid until the next change of the buffer. */
const char *buf_text(struct buf *b);

#endif
