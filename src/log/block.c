/*
 * block.c - see block.h for the picture.
 *
 * Bytes and marks are one allocation: [capacity bytes][marks]. The number of marks follows from
 * the capacity and the smallest record, so that appending never needs memory. A block without gaps
 * finds a sequence by arithmetic and at most seven steps; one with gaps by a binary search over
 * the marks, reading the sequence of the record at each.
 */
#include "log/block.h"

#include "base/crc32c.h"
#include "base/mem.h"
#include "log/segment.h"

#include <errno.h>

#define BLOCK_MAGIC 0x31424c4eu /* "NLB1" */

static uint32_t marks_room(uint32_t capacity) {
    return capacity / (BLOCK_RECORD_MIN * BLOCK_MARK_EVERY) + 1;
}

static uint32_t *block_marks(const struct block *block) {
    return (uint32_t *)(void *)(block->bytes + block->capacity);
}

static char *bytes_new(uint32_t capacity) {
    return mem_alloc((size_t)capacity + marks_room(capacity) * sizeof(uint32_t));
}

static uint32_t capacity_for(uint32_t size) {
    if (size > BLOCK_BYTES)
        return (size + 7u) & ~7u;
    uint32_t capacity = BLOCK_BYTES_FIRST;
    while (capacity < size)
        capacity *= 2;
    return capacity;
}

struct block *block_new(struct log_stream *stream, uint64_t first, uint32_t size) {
    struct block *block = mem_zalloc(1, sizeof(*block));
    if (!block)
        return NULL;
    block->stream = stream;
    block->first = first;
    block->last = first - 1;
    list_node_init(&block->lru);
    list_node_init(&block->queue);
    list_node_init(&block->erase);
    if (size && block_make_room(block, size))
        return mem_free(block);
    return block;
}

char *block_buffer(uint32_t length, uint32_t *ret_capacity) {
    uint32_t capacity = capacity_for(length);
    char *bytes = bytes_new(capacity);
    if (bytes)
        *ret_capacity = capacity;
    return bytes;
}

int block_make_room(struct block *block, uint32_t length) {
    check(!block->bytes);
    block->bytes = block_buffer(length, &block->capacity);
    return block->bytes ? 0 : -ENOMEM;
}

void block_drop_bytes(struct block *block) {
    list_remove(&block->lru);
    if (!segment_write_keeps(block->write, block->bytes))
        mem_free(block->bytes);
    block->bytes = NULL;
    block->capacity = 0;
}

struct block *block_free(struct block *block) {
    if (!block)
        return NULL;
    block_drop_bytes(block);
    list_remove(&block->queue);
    list_remove(&block->erase);
    if (block->write)
        segment_write_forget(block->write);
    mem_free(block->dead);
    mem_free(block->bad);
    mem_free(block->map);
    return mem_free(block);
}

int block_grow(struct block *block, uint32_t used, uint32_t size) {
    if (block->capacity - used >= size)
        return 0;
    uint32_t capacity = capacity_for(used + size);
    char *bytes = bytes_new(capacity);
    if (!bytes)
        return -ENOMEM;
    memcpy(bytes, block->bytes, used);
    uint32_t marks = (block->count + BLOCK_MARK_EVERY - 1) / BLOCK_MARK_EVERY;
    memcpy(bytes + capacity, block_marks(block), marks * sizeof(uint32_t));
    if (!segment_write_keeps(block->write, block->bytes))
        mem_free(block->bytes);
    block->bytes = bytes;
    block->capacity = capacity;
    return 0;
}

void block_append(struct block *block, uint32_t size, uint64_t sequence, int64_t time_ns) {
    check(block->length + size <= block->capacity && sequence == block->last + 1);
    if (!block->count)
        block->first_time = time_ns;
    if (block->count % BLOCK_MARK_EVERY == 0)
        block_marks(block)[block->count / BLOCK_MARK_EVERY] = block->length;
    block->count++;
    block->live++;
    block->live_bytes += size;
    block->length += size;
    block->last = sequence;
    block->last_time = time_ns;
}

static uint32_t mark_before(const struct block *block, uint64_t sequence) {
    const uint32_t *marks = block_marks(block);
    if (block->last - block->first + 1 == block->count)
        return marks[(sequence - block->first) / BLOCK_MARK_EVERY];
    uint32_t low = 0;
    uint32_t high = (block->count + BLOCK_MARK_EVERY - 1) / BLOCK_MARK_EVERY;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (record_at_sequence(block->bytes + marks[middle]) <= sequence)
            low = middle;
        else
            high = middle;
    }
    return marks[low];
}

uint32_t block_find_from(const struct block *block, uint64_t sequence) {
    if (!block->count || sequence > block->last)
        return block->length;
    if (sequence < block->first)
        sequence = block->first;
    uint32_t at = mark_before(block, sequence);
    while (at < block->length && record_at_sequence(block->bytes + at) < sequence)
        at += record_at_length(block->bytes + at);
    return at;
}

uint32_t block_find(const struct block *block, uint64_t sequence) {
    if (sequence < block->first || sequence > block->last)
        return BLOCK_NONE;
    uint32_t at = block_find_from(block, sequence);
    if (at >= block->length || record_at_sequence(block->bytes + at) != sequence)
        return BLOCK_NONE;
    return at;
}

void block_index(struct block *block) {
    uint32_t count = 0;
    for (uint32_t at = 0; at < block->length; at += record_at_length(block->bytes + at)) {
        if (count % BLOCK_MARK_EVERY == 0)
            block_marks(block)[count / BLOCK_MARK_EVERY] = at;
        count++;
    }
    block->count = count;
}

uint32_t block_map_find(const struct block_map *map, uint64_t delta) {
    uint32_t low = 0;
    uint32_t high = map->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (map->deltas[middle] < delta)
            low = middle + 1;
        else
            high = middle;
    }
    return low < map->count && map->deltas[low] == delta ? low : BLOCK_NONE;
}

uint64_t block_next(const struct block *block, uint64_t sequence) {
    if (sequence < block->first)
        sequence = block->first;
    if (!block->map || sequence > block->last)
        return sequence;
    uint64_t delta = sequence - block->first;
    uint32_t low = 0;
    uint32_t high = block->map->count - 1;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (block->map->deltas[middle] < delta)
            low = middle + 1;
        else
            high = middle;
    }
    return block->first + block->map->deltas[low];
}

uint32_t block_count_from(const struct block *block, uint64_t from) {
    uint32_t alive = 0;
    for (uint64_t s = block_next(block, from); s <= block->last; s = block_next(block, s + 1))
        alive += !block_dead(block, s);
    return alive;
}

/* --- on disk --------------------------------------------------------------------------------- */

void block_header_encode(const struct block_header *h, char *out) {
    record_put_u32(out, BLOCK_MAGIC);
    record_put_u32(out + 8, h->stream_id);
    record_put_u32(out + 12, h->count);
    record_put_u32(out + 16, h->length);
    record_put_u32(out + 20, h->data_crc);
    record_put_u64(out + 24, h->first);
    record_put_u64(out + 32, h->last);
    record_put_u64(out + 40, (uint64_t)h->first_time);
    record_put_u64(out + 48, (uint64_t)h->last_time);
    record_put_u64(out + 56, h->offset);
    record_put_u32(out + 4, crc32c_update(0, out + 8, BLOCK_HEADER_SIZE - 8));
}

int block_header_decode(const char *in, struct block_header *ret_header) {
    if (record_get_u32(in) != BLOCK_MAGIC ||
        record_get_u32(in + 4) != crc32c_update(0, in + 8, BLOCK_HEADER_SIZE - 8))
        return -EBADMSG;
    *ret_header = (struct block_header){
        .stream_id = record_get_u32(in + 8),
        .count = record_get_u32(in + 12),
        .length = record_get_u32(in + 16),
        .data_crc = record_get_u32(in + 20),
        .first = record_get_u64(in + 24),
        .last = record_get_u64(in + 32),
        .first_time = (int64_t)record_get_u64(in + 40),
        .last_time = (int64_t)record_get_u64(in + 48),
        .offset = record_get_u64(in + 56),
    };
    return 0;
}

uint32_t block_salvage(struct block *block, uint32_t id) {
    uint64_t next = block->first;
    uint32_t kept = 0;
    for (uint32_t at = 0; at + BLOCK_RECORD_MIN <= block->length;) {
        struct record record;
        slice rest = slice_make(block->bytes + at, block->length - at);
        if (record_decode(rest, true, &record) || record.kind != RECORD_MESSAGE ||
            record.id != id || record.sequence < next || record.sequence > block->last ||
            block_bit_of(block, record.sequence) == BLOCK_NONE) {
            at += 8; /* records start at multiples of 8: look for the next whole one */
            continue;
        }
        uint32_t size = (uint32_t)record_size(&record);
        for (; next < record.sequence; next = block_next(block, next + 1))
            block_mark(block->bad, block, next);
        next = block_next(block, record.sequence + 1);
        memmove(block->bytes + kept, block->bytes + at, size);
        kept += size;
        at += size;
    }
    for (; next <= block->last; next = block_next(block, next + 1))
        block_mark(block->bad, block, next);
    uint32_t lost = 0;
    for (uint64_t s = block->first; s <= block->last; s = block_next(block, s + 1))
        lost += block_lost(block, s) && !block_dead(block, s);
    block->length = kept;
    block_index(block);
    return lost;
}
