/*
 * blocks.c - a stream's array of blocks, and who of them lives for whom.
 *
 * The array is a window in a larger one: retention takes blocks off the front, appends add at the
 * back, and only a block that died in the middle moves others. A search is a binary search over
 * the blocks' last sequences.
 */
#include "base/mem.h"
#include "log/compact.h"
#include "log/log_data.h"

#include <errno.h>

uint32_t stream_block_index(const struct log_stream *stream, uint64_t sequence) {
    uint32_t low = 0;
    uint32_t high = stream->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (stream_block(stream, middle)->last < sequence)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct block *stream_block_of(const struct log_stream *stream, uint64_t sequence) {
    uint32_t at = stream_block_index(stream, sequence);
    if (at == stream->count || stream_block(stream, at)->first > sequence)
        return NULL;
    return stream_block(stream, at);
}

int stream_blocks_reserve(struct log_stream *stream, uint32_t count) {
    if (stream->head + stream->count + count <= stream->room)
        return 0;
    if (stream->head > stream->room / 2 && stream->count + count <= stream->room) {
        memmove(stream->blocks, stream->blocks + stream->head,
                stream->count * sizeof(struct block *));
        stream->head = 0;
        return 0;
    }
    if (stream->count + count > STREAM_BLOCKS_MAX)
        return -ENOMEM;
    uint32_t room = stream->room ? stream->room : 2;
    while (room < stream->head + stream->count + count)
        room *= 2;
    struct block **blocks = mem_realloc(stream->blocks, room * sizeof(struct block *));
    if (!blocks)
        return -ENOMEM;
    stream->blocks = blocks;
    stream->room = room;
    return 0;
}

void stream_block_push(struct log_stream *stream, struct block *block) {
    check(stream->head + stream->count < stream->room);
    stream->blocks[stream->head + stream->count++] = block;
}

void stream_block_remove(struct log_stream *stream, uint32_t index) {
    struct log *log = stream->log;
    struct block *block = stream_block(stream, index);
    if (index == 0) {
        stream->head++;
    } else {
        struct block **at = stream->blocks + stream->head + index;
        memmove(at, at + 1, (stream->count - index - 1) * sizeof(struct block *));
    }
    if (--stream->count == 0)
        stream->head = 0;
    stream->cursor = 0;
    stream->cursor_sequence = 0;
    if (block->load)
        cache_load_forget(&log->cache, block);
    cache_forget(&log->cache, block);
    if (block->segment) {
        block->segment->blocks--;
        block->segment->live -=
            block->live_bytes < block->segment->live ? block->live_bytes : block->segment->live;
        erase_left(block);
    }
    list_remove(&block->erase);
    if (!stream->in_memory)
        log->unsaved_bytes -= block_unsaved(block);
    grave_add(&log->grave, block);
}

/* --- deaths ---------------------------------------------------------------------------------- */

int stream_deaths_reserve(struct log_stream *stream, uint64_t count) {
    uint64_t held = stream->staged.deaths - stream->visible.deaths;
    if (held + count <= stream->death_room)
        return 0;
    uint64_t room = stream->death_room ? stream->death_room : 16;
    while (room < held + count)
        room *= 2;
    if (room > UINT32_MAX)
        return -ENOMEM;
    uint64_t *deaths = mem_alloc((size_t)room * sizeof(uint64_t));
    if (!deaths)
        return -ENOMEM;
    for (uint64_t i = stream->visible.deaths; i < stream->staged.deaths; i++)
        deaths[i & (room - 1)] = stream->deaths[i & (stream->death_room - 1)];
    mem_free(stream->deaths);
    stream->deaths = deaths;
    stream->death_room = (uint32_t)room;
    return 0;
}

bool stream_dying(const struct log_stream *stream, uint64_t sequence) {
    for (uint64_t i = stream->staged.deaths; i-- > stream->visible.deaths;)
        if (stream->deaths[i & (stream->death_room - 1)] == sequence)
            return true;
    return false;
}

bool stream_lives(const struct log_stream *stream, uint64_t sequence) {
    if (sequence < stream->staged.first || sequence > stream->staged.last)
        return false;
    const struct block *block = stream_block_of(stream, sequence);
    return block && !block_dead(block, sequence);
}

uint64_t stream_next_live(const struct log_stream *stream, uint64_t sequence) {
    uint32_t at = stream_block_index(stream, sequence);
    for (; at < stream->count; at++) {
        const struct block *block = stream_block(stream, at);
        if (!block->live)
            continue;
        for (uint64_t s = block_next(block, sequence); s <= block->last;
             s = block_next(block, s + 1))
            if (!block_dead(block, s))
                return s;
    }
    return stream->staged.last + 1;
}

/* --- what readers see ------------------------------------------------------------------------ */

static void block_leave_if_dead(struct log_stream *stream, uint32_t index) {
    const struct block *block = stream_block(stream, index);
    if (block->live || block->dying || block->last > stream->visible.last)
        return;
    if (block->last >= stream->visible.first && index + 1 == stream->count)
        return; /* the tail goes on taking appends */
    stream_block_remove(stream, index);
}

static void reap(struct log_stream *stream, uint64_t deaths) {
    while (stream->visible.deaths < deaths) {
        uint64_t sequence = stream->deaths[stream->visible.deaths & (stream->death_room - 1)];
        stream->visible.deaths++;
        uint32_t at = stream_block_index(stream, sequence);
        if (at == stream->count || stream_block(stream, at)->first > sequence)
            continue; /* its block went with the front */
        struct block *block = stream_block(stream, at);
        check(block->dying > 0);
        block->dying--;
        if (stream->in_memory && compact_worthwhile(block))
            compact_later(stream);
        block_leave_if_dead(stream, at);
    }
}

void stream_show(struct log_stream *stream, const struct stream_counts *counts) {
    uint64_t first = stream->visible.first;
    uint64_t deaths = counts->deaths;
    stream->visible.messages = counts->messages;
    stream->visible.bytes = counts->bytes;
    stream->visible.first = counts->first;
    stream->visible.last = counts->last;
    stream->visible.last_time = counts->last_time;
    reap(stream, deaths);
    if (counts->first == first)
        return;
    while (stream->count && stream_block(stream, 0)->last < counts->first &&
           stream_block(stream, 0)->last <= counts->last)
        stream_block_remove(stream, 0);
}
