/*
 * entry.h - what entries of stream SQL are made of: numbers, little end first, and texts with their
 * length before them.
 *
 * Writers and readers remember the first failure, so that one look at the end is enough. A reader
 * that is short gives zeros and empty texts; its texts lie in the entry.
 */
#ifndef NONET_STREAM_ENTRY_H
#define NONET_STREAM_ENTRY_H

#include "base/buf.h"

#include <errno.h>

struct entry_writer {
    struct buf *out;
    int failed; /* -ENOMEM, -ENOBUFS */
};

static inline void entry_bytes(struct entry_writer *w, slice bytes) {
    if (!w->failed)
        w->failed = buf_append(w->out, bytes);
}

static inline void entry_number(struct entry_writer *w, uint64_t v, unsigned size) {
    char bytes[8];
    for (unsigned i = 0; i < size; i++)
        bytes[i] = (char)(v >> (8 * i));
    entry_bytes(w, slice_make(bytes, size));
}

static inline void entry_u8(struct entry_writer *w, uint8_t v) {
    entry_number(w, v, 1);
}

static inline void entry_u32(struct entry_writer *w, uint32_t v) {
    entry_number(w, v, 4);
}

static inline void entry_u64(struct entry_writer *w, uint64_t v) {
    entry_number(w, v, 8);
}

/* One whose ptr is NULL comes back as that. */
static inline void entry_text(struct entry_writer *w, slice text) {
    entry_u32(w, text.ptr ? (uint32_t)text.len : UINT32_MAX);
    if (text.ptr)
        entry_bytes(w, text);
}

/* A number that was not known when AT was written. */
static inline void entry_set_u64(struct buf *out, size_t at, uint64_t v) {
    for (unsigned i = 0; i < 8; i++)
        out->ptr[at + i] = (char)(v >> (8 * i));
}

struct entry_reader {
    slice rest;
    int failed; /* -EBADMSG: it was short */
};

static inline slice entry_take(struct entry_reader *r, size_t len) {
    if (len > r->rest.len) {
        r->failed = -EBADMSG;
        r->rest = slice_take(r->rest, 0);
        return slice_take(r->rest, 0);
    }
    slice bytes = slice_take(r->rest, len);
    r->rest = slice_skip(r->rest, len);
    return bytes;
}

static inline uint64_t entry_take_number(struct entry_reader *r, unsigned size) {
    slice bytes = entry_take(r, size);
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes.len; i++)
        v |= (uint64_t)(unsigned char)bytes.ptr[i] << (8 * i);
    return v;
}

static inline uint8_t entry_take_u8(struct entry_reader *r) {
    return (uint8_t)entry_take_number(r, 1);
}

static inline uint32_t entry_take_u32(struct entry_reader *r) {
    return (uint32_t)entry_take_number(r, 4);
}

static inline uint64_t entry_take_u64(struct entry_reader *r) {
    return entry_take_number(r, 8);
}

static inline slice entry_take_text(struct entry_reader *r) {
    uint32_t len = entry_take_u32(r);
    return r->failed || len == UINT32_MAX ? (slice){NULL, 0} : entry_take(r, len);
}

#endif
