/*
 * compact.c - see compact.h.
 *
 * Squeezing keeps sequences and bits: a record that is gone is one whose dead bit is set or that
 * lies below the stream's first. The squeezed bytes are a fresh buffer, because a reader may hold
 * the old one until the next turn (grave.h).
 *
 * MERGING. A key-value stream that is written for months keeps one message here and one there, each
 * the last of its block. Squeezed neighbours are therefore put together, as long as they fit one
 * block, under a map of the sequences left: 4 bytes a message instead of a block.
 */
#include "log/compact.h"

#include "base/mem.h"
#include "log/log_data.h"

static bool record_lives(const struct block *block, const char *record) {
    uint64_t sequence = record_at_sequence(record);
    return sequence >= block->stream->visible.first && !block_dead(block, sequence);
}

static bool may_move(const struct block *block) {
    return block_in_memory(block) && !block->write && !block->bad && !block->load &&
           !block->stream->plan.active;
}

/* What is dead in BLOCK is so for readers, too. */
static bool is_settled(const struct block *block) {
    const struct log_stream *stream = block->stream;
    return !block->dying && block->last <= stream->visible.last &&
           (stream->staged.first == stream->visible.first || stream->staged.first <= block->first);
}

static bool may_squeeze(const struct block *block) {
    return may_move(block) && is_settled(block);
}

static uint32_t copy_living(const struct block *block, char *out) {
    uint32_t kept = 0;
    for (uint32_t at = 0; at < block->length; at += record_at_length(block->bytes + at)) {
        if (!record_lives(block, block->bytes + at))
            continue;
        memcpy(out + kept, block->bytes + at, record_at_length(block->bytes + at));
        kept += record_at_length(block->bytes + at);
    }
    check(kept == block->live_bytes);
    return kept;
}

/* A reader may still hold the bytes: a block made for the purpose takes them to the grave. */
static bool bury_bytes(struct block *block) {
    struct block *husk = block_new(block->stream, 1, 0);
    if (!husk)
        return false;
    cache_forget(&block->stream->log->cache, block);
    husk->bytes = block->bytes;
    block->bytes = NULL;
    grave_add(&block->stream->log->grave, husk);
    return true;
}

/* The count of unsaved bytes follows what is done to BLOCK between the two. */
static void change_begins(struct block *block) {
    struct log *log = block->stream->log;
    log->unsaved_bytes -= block->stream->in_memory ? 0 : block_unsaved(block);
    cache_forget(&log->cache, block);
}

static void change_ends(struct block *block) {
    block->changed = true;
    block->stream->log->unsaved_bytes += block->stream->in_memory ? 0 : block_unsaved(block);
    block->stream->cursor_sequence = 0;
}

/* Writes the map of what BYTES hold; ROOM for it is there. */
static void map_write(struct block *block) {
    struct block_map *map = block->map;
    block->first = record_at_sequence(block->bytes);
    map->count = 0;
    for (uint32_t at = 0; at < block->length; at += record_at_length(block->bytes + at)) {
        uint64_t delta = record_at_sequence(block->bytes + at) - block->first;
        check(map->count < BLOCK_RECORDS_MAX && delta <= UINT32_MAX);
        map->deltas[map->count++] = (uint32_t)delta;
        block->last = block->first + delta;
        block->last_time = record_at_time_ns(block->bytes + at);
    }
    block->first_time = record_at_time_ns(block->bytes);
    block->dead = mem_free(block->dead); /* who is not in the map is dead */
}

bool compact_block(struct block *block) {
    if (!may_squeeze(block) || (block->map && !block->live))
        return false;
    uint32_t capacity = 0;
    char *bytes = block_buffer(block->live_bytes, &capacity);
    if (!bytes)
        return false;
    uint32_t kept = copy_living(block, bytes);
    if (!bury_bytes(block)) {
        mem_free(bytes);
        return false;
    }
    change_begins(block);
    block->bytes = bytes;
    block->capacity = capacity;
    block->length = kept;
    block_index(block);
    if (block->map)
        map_write(block);
    change_ends(block);
    return true;
}

void compact_leave(struct block *block) {
    struct log_stream *stream = block->stream;
    if (!block->live && is_settled(block) && !block->write && !stream->plan.active)
        stream_block_remove(stream, stream_block_index(stream, block->last));
}

/* --- merging --------------------------------------------------------------------------------- */

static bool may_merge(const struct block *into, const struct block *block) {
    bool unsaved = into->changed || into->stream->in_memory;
    return unsaved && may_squeeze(into) && may_squeeze(block) && into->live && block->live &&
           block != stream_tail(block->stream) &&
           into->live_bytes + block->live_bytes <= BLOCK_BYTES &&
           block->last - into->first < UINT32_MAX;
}

/* The living of BLOCK, and nothing else, in a buffer with room for a full block. */
static bool refill(struct block *block) {
    if (block->map && block->live_bytes == block->length && block->capacity == BLOCK_BYTES)
        return true;
    uint32_t capacity = 0;
    char *bytes = block_buffer(BLOCK_BYTES, &capacity);
    if (!bytes)
        return false;
    uint32_t kept = copy_living(block, bytes);
    if (!bury_bytes(block)) {
        mem_free(bytes);
        return false;
    }
    block->bytes = bytes;
    block->capacity = capacity;
    block->length = kept;
    return true;
}

/* Room in INTO for all of a full block and the map of RECORDS. The map it has stays valid. */
static bool make_mergeable(struct block *into, uint32_t records) {
    size_t size = sizeof(struct block_map) + records * sizeof(uint32_t);
    struct block_map *map = mem_realloc(into->map, size);
    if (!map)
        return false;
    bool had_map = into->map != NULL;
    if (had_map)
        into->map = map;
    if (!refill(into)) {
        if (!had_map)
            mem_free(map);
        return false;
    }
    into->map = map; /* written when all is in */
    return true;
}

bool compact_merge(struct block *into, struct block *block) {
    if (!may_merge(into, block))
        return false;
    struct log_stream *stream = into->stream;
    change_begins(into);
    bool merged = make_mergeable(into, into->live + block->live);
    if (merged) {
        into->length += copy_living(block, into->bytes + into->length);
        into->live += block->live;
        into->live_bytes += block->live_bytes;
        check(into->length == into->live_bytes);
        if (into->segment) /* it leaves with the weight it has then */
            into->segment->live += block->live_bytes;
        uint32_t index = stream_block_index(stream, block->first);
        check(stream_block(stream, index) == block);
        stream_block_remove(stream, index);
        block_index(into);
        map_write(into);
    }
    change_ends(into);
    return merged;
}

/* --- streams in RAM -------------------------------------------------------------------------- */

bool compact_worthwhile(const struct block *block) {
    return block->length > BLOCK_BYTES / 8 && block->live_bytes < block->length / 2;
}

static void squeeze_stream(struct log_stream *stream) {
    for (uint32_t i = 0; i < stream->count; i++) {
        if (compact_worthwhile(stream_block(stream, i)))
            (void)!compact_block(stream_block(stream, i));
        while (i + 1 < stream->count &&
               compact_merge(stream_block(stream, i), stream_block(stream, i + 1)))
            continue;
    }
}

static void squeeze_fire(struct io_timer *timer) {
    struct log *log = container_of(timer, struct log, squeeze_timer);
    struct list_node *node, *next;
    list_each(&log->streams, node, next) {
        struct log_stream *stream = container_of(node, struct log_stream, node);
        if (!stream->squeeze)
            continue;
        stream->squeeze = false;
        squeeze_stream(stream);
    }
}

void compact_later(struct log_stream *stream) {
    struct log *log = stream->log;
    stream->squeeze = true;
    if (!io_timer_running(&log->squeeze_timer))
        io_timer_start(log->loop, &log->squeeze_timer, COMPACT_SQUEEZE_NS, squeeze_fire);
}

/* --- segments -------------------------------------------------------------------------------- */

/* Worth emptying: mostly dead, and no longer (or not for long enough to matter) being filled. */
static bool candidate(const struct log *log, const struct segment *segment) {
    return segment->blocks && !segment->emptying && segment->live < segment->size / 2 &&
           (segment->sealed || segment->size > log->segments.bytes_max / 2);
}

/* One that is to be erased, or else the emptiest candidate. */
static struct segment *next_to_empty(const struct log *log) {
    struct segment *found = NULL;
    for (unsigned i = 0; i < log->segments.count; i++) {
        struct segment *segment = log->segments.items[i];
        if (segment->erase && segment->blocks && !segment->emptying)
            return segment;
    }
    for (unsigned i = 0; i < log->segments.count; i++) {
        struct segment *segment = log->segments.items[i];
        if (candidate(log, segment) && (!found || segment->live < found->live))
            found = segment;
    }
    return found;
}

/* As much as was written lately, so that emptying keeps up with dying; at least COMPACT_BYTES, and
   never so much that it would push publishers back. */
static uint64_t budget(const struct log *log) {
    uint64_t bytes = log->checkpoint.frozen_bytes;
    if (bytes < COMPACT_BYTES)
        bytes = COMPACT_BYTES;
    uint64_t most = log->options.unsaved_high_bytes / 4;
    return bytes < most ? bytes : most;
}

static bool choose(struct log *log) {
    uint64_t left = budget(log);
    bool chosen = false;
    struct segment *segment;
    while (left && (segment = next_to_empty(log))) {
        segment->emptying = true;
        checkpoint_seal(log, segment);
        left -= segment->live < left ? segment->live : left;
        chosen = true;
    }
    return chosen;
}

void compact_move(struct block *block) {
    struct segment *segment = block->segment;
    bool erase = segment && segment->erase;
    if (!block->live)
        return;
    if (list_linked(&block->erase))
        erase_block(block);
    else if (block->bad && erase)
        erase_give_up(block->stream->log, segment);
    if (list_linked(&block->erase)) /* moved as it is it would leave another copy */
        return;
    bool squeeze = may_squeeze(block);
    if (!(squeeze || (erase && may_move(block))) || block->changed)
        return;
    if (squeeze && block->live_bytes != block->length) {
        if (!compact_block(block))
            return; /* without memory it stays where it is */
    } else {
        change_begins(block);
        change_ends(block);
    }
    struct log_stream *stream = block->stream;
    uint32_t index = stream_block_index(stream, block->first);
    if (index + 1 < stream->count)
        (void)!compact_merge(block, stream_block(stream, index + 1));
    if (index > 0)
        (void)!compact_merge(stream_block(stream, index - 1), block);
}

void compact_pump(struct log *log) {
    struct list_node *node;
    while (log->cache.loads < COMPACT_LOADS_MAX && (node = list_pop_front(&log->moving))) {
        struct block *block = container_of(node, struct block, queue);
        if (block_in_memory(block)) {
            compact_move(block);
            continue;
        }
        cache_ahead(&log->cache, block);
        block->moving = block->load != NULL;
    }
}

/* Blocks in which nothing lives are not moved: a tail, or what has been one. */
static void leave_dead(struct log_stream *stream) {
    for (uint32_t i = stream->count; i-- > 0;) {
        struct block *block = stream_block(stream, i);
        if (block->segment && block->segment->emptying && block->segment->erase)
            compact_leave(block);
    }
}

/* Blocks of about *ROOM bytes at most; what is left of a segment is chosen again. */
static void enqueue(struct log *log, struct log_stream *stream, uint64_t *room) {
    leave_dead(stream);
    for (uint32_t i = 0; i < stream->count && *room; i++) {
        struct block *block = stream_block(stream, i);
        if (!block->segment || !block->segment->emptying || !block->live || block->moving ||
            list_linked(&block->queue))
            continue;
        list_push_back(&log->moving, &block->queue);
        *room -= block->live_bytes < *room ? block->live_bytes : *room;
    }
}

void compact_step(struct log *log) {
    if (log->disk_full || log->closing)
        return;
    uint64_t room = budget(log);
    if (!list_empty(&log->moving) || choose(log)) {
        struct list_node *node, *next;
        list_each(&log->streams, node, next) {
            struct log_stream *stream = container_of(node, struct log_stream, node);
            if (!stream->in_memory)
                enqueue(log, stream, &room);
        }
    }
    for (unsigned i = 0; i < log->segments.count; i++)
        log->segments.items[i]->emptying = false;
    compact_pump(log);
}
