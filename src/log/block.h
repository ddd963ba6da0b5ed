/*
 * block.h - a run of messages of one stream, the unit that is loaded, saved and dropped.
 *
 *      bytes    | record | record | record | ...        | room to grow |  marks |
 *      marks      ^ each 8th record's offset
 *
 * The last block of a stream takes the appends; it starts small and doubles up to BLOCK_BYTES. A
 * record too large for that has a block alone. Sequences in a block have no gaps when it is
 * made; a compacted or damaged block has lost some records (count < last - first + 1), and their
 * bits in `dead` or `bad` stay set, so whether a sequence lives is known without its bytes.
 * Sequences below the stream's first are dead without a bit. What compaction leaves of several
 * neighbours is merged into one block with a MAP, the sequences it holds; any other is dead.
 *
 *      bytes    length > saved_length        what it is
 *      there    yes                          dirty: the next checkpoint writes it
 *      there    no                           clean: in the cache's list, may be dropped
 *      NULL     no                           on disk only
 *
 * A block that is being written keeps the bytes the writer reads: who needs them elsewhere (growth,
 * compaction, the block's end) leaves them to `write` (segment.h) and goes on with a copy.
 */
#ifndef NONET_LOG_BLOCK_H
#define NONET_LOG_BLOCK_H

#include "base/list.h"
#include "log/record.h"

#define BLOCK_BYTES (64u << 10)
#define BLOCK_BYTES_FIRST 512u
#define BLOCK_RECORD_MIN 56u                               /* the smallest message record */
#define BLOCK_RECORDS_MAX (BLOCK_BYTES / BLOCK_RECORD_MIN) /* sequences from first to last */
#define BLOCK_BITS_WORDS ((BLOCK_RECORDS_MAX + 63u) / 64u)
#define BLOCK_MARK_EVERY 8u
#define BLOCK_NONE UINT32_MAX

struct block_bits {
    struct block_bits *next; /* in a pool */
    uint64_t words[BLOCK_BITS_WORDS];
};

/* Which sequences a merged block holds, less its first; the bits of others count from here. */
struct block_map {
    uint32_t count;
    uint32_t deltas[];
};

struct segment;
struct segment_write;
struct log_stream;
struct cache_load;

struct block {
    uint64_t first, last; /* sequences; first > last: nothing in it yet */
    int64_t first_time, last_time;
    char *bytes; /* NULL: on disk only */
    uint32_t capacity;
    uint32_t length, saved_length;
    uint32_t count;                /* records in bytes */
    uint32_t live;                 /* of them, not deleted */
    uint32_t live_bytes;           /* theirs */
    uint32_t dying;                /* deleted, but the deletion is not on disk yet */
    bool changed;                  /* compacted: must be written even if saved_length says no */
    bool vague;                    /* live_bytes is too large: some went while it was unreadable */
    struct block_bits *dead, *bad; /* NULL: none */
    struct block_map *map;         /* NULL: sequences are numbered without gaps */
    struct segment *segment;       /* where it is saved; NULL: nowhere */
    uint64_t offset;
    uint32_t crc;                /* of the saved bytes */
    struct segment_write *write; /* being written */
    struct cache_load *load;     /* being loaded */
    struct log_stream *stream;
    uint32_t used; /* cache->generation when it was read last */
    struct block *next_spare;
    bool moving; /* compaction waits for its bytes */
    struct list_node lru;
    struct list_node queue; /* of compaction */
    struct list_node erase; /* in the list of those that hold erased messages (erase.h) */
};

/* An empty block with room for at least SIZE bytes, or NULL. FIRST is its first sequence. */
must_use struct block *block_new(struct log_stream *stream, uint64_t first, uint32_t size);
/* Frees it, out of every list; bytes being written are left to the writer. NULL allowed. */
struct block *block_free(struct block *block);
/* Lets go of the bytes (clean block, or one about to get others). */
void block_drop_bytes(struct block *block);
/* Room for SIZE bytes behind the first USED, which are kept. 0 or -ENOMEM. */
must_use int block_grow(struct block *block, uint32_t used, uint32_t size);
/* A buffer for LENGTH bytes and their marks, to become block->bytes; or NULL. */
must_use char *block_buffer(uint32_t length, uint32_t *ret_capacity);
/* A block that has no bytes gets a buffer for LENGTH bytes. 0 or -ENOMEM. */
must_use int block_make_room(struct block *block, uint32_t length);

/* The record of SIZE bytes at block->length, already written there, becomes part of the block. */
void block_append(struct block *block, uint32_t size, uint64_t sequence, int64_t time_ns);
/* Offset of SEQUENCE in the block's bytes, or BLOCK_NONE. */
uint32_t block_find(const struct block *block, uint64_t sequence);
/* Offset of the first record at or after SEQUENCE, or block->length. */
uint32_t block_find_from(const struct block *block, uint64_t sequence);
/* Counts records and writes the marks anew from bytes that are known to be whole. */
void block_index(struct block *block);

static inline bool block_in_memory(const struct block *block) {
    return block->bytes != NULL;
}
static inline bool block_dirty(const struct block *block) {
    return block->length > block->saved_length || block->changed;
}
/* Bytes that only memory and the journal hold. */
static inline uint32_t block_unsaved(const struct block *block) {
    return block->changed                        ? block->length
           : block->length > block->saved_length ? block->length - block->saved_length
                                                 : 0;
}
/* Which bit is SEQUENCE's, of a block with a map; BLOCK_NONE: it is not in the block. */
uint32_t block_map_find(const struct block_map *map, uint64_t delta);
static inline uint32_t block_bit_of(const struct block *block, uint64_t sequence) {
    uint64_t at = sequence - block->first;
    if (unlikely(block->map != NULL))
        return block_map_find(block->map, at);
    return at < BLOCK_RECORDS_MAX ? (uint32_t)at : BLOCK_NONE;
}
static inline bool block_bit(const struct block_bits *bits, uint32_t at) {
    return bits && at != BLOCK_NONE && (bits->words[at / 64] >> (at % 64) & 1);
}
/* Is SEQUENCE, between first and last, deleted? Unreadable? */
static inline bool block_dead(const struct block *block, uint64_t sequence) {
    uint32_t at = block_bit_of(block, sequence);
    return (block->map && at == BLOCK_NONE) || block_bit(block->dead, at);
}
static inline bool block_lost(const struct block *block, uint64_t sequence) {
    return block->bad && block_bit(block->bad, block_bit_of(block, sequence));
}
static inline void block_mark(struct block_bits *bits, const struct block *block,
                              uint64_t sequence) {
    uint32_t at = block_bit_of(block, sequence);
    check(at != BLOCK_NONE);
    bits->words[at / 64] |= UINT64_C(1) << (at % 64);
}
/* The first sequence at or above SEQUENCE that has a bit in the block, or last + 1. */
uint64_t block_next(const struct block *block, uint64_t sequence);
/* How many sequences at or above FROM are not dead. */
uint32_t block_count_from(const struct block *block, uint64_t from);

#endif
