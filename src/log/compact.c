/*
 * compact.c - see compact.h.
 *
 * Squeezing keeps sequences and bits: a record that is gone is one whose dead bit is set or that
 * lies below the stream's first. The squeezed bytes are a fresh buffer, because the old one may be
 * in a reader's hands until the end of the turn... which is why it happens only here, between
 * turns of readers, in the task that starts a checkpoint.
 */
#include "log/compact.h"

#include "base/mem.h"
#include "log/log_data.h"

static bool record_lives(const struct block *block, const char *record) {
    uint64_t sequence = record_at_sequence(record);
    return sequence >= block->stream->visible.first && !block_bit(block->dead, block, sequence);
}

static bool may_squeeze(const struct block *block) {
    return block_in_memory(block) && !block->write && !block->bad && !block->dying &&
           !block->load && !block->stream->plan.active &&
           block->stream->staged.first == block->stream->visible.first &&
           block->last <= block->stream->visible.last;
}

bool compact_block(struct block *block) {
    if (!may_squeeze(block))
        return false;
    struct log *log = block->stream->log;
    uint32_t capacity = 0;
    char *bytes = block_buffer(block->live_bytes, &capacity);
    if (!bytes)
        return false;
    uint32_t kept = 0;
    for (uint32_t at = 0; at < block->length; at += record_at_length(block->bytes + at)) {
        if (!record_lives(block, block->bytes + at))
            continue;
        memcpy(bytes + kept, block->bytes + at, record_at_length(block->bytes + at));
        kept += record_at_length(block->bytes + at);
    }
    check(kept == block->live_bytes);
    log->unsaved_bytes -= block->stream->in_memory ? 0 : block_unsaved(block);
    cache_forget(&log->cache, block);
    block_drop_bytes(block);
    block->bytes = bytes;
    block->capacity = capacity;
    block->length = kept;
    block_index(block);
    block->changed = true;
    log->unsaved_bytes += block->stream->in_memory ? 0 : block_unsaved(block);
    block->stream->cursor_sequence = 0;
    return true;
}

/* --- streams in RAM
 * ------------------------------------------------------------------------------- */

bool compact_worthwhile(const struct block *block) {
    return block->length > BLOCK_BYTES / 8 && block->live_bytes < block->length / 2;
}

static void squeeze_fire(struct io_timer *timer) {
    struct log *log = container_of(timer, struct log, squeeze_timer);
    struct list_node *node, *next;
    list_each(&log->streams, node, next) {
        struct log_stream *stream = container_of(node, struct log_stream, node);
        if (!stream->squeeze)
            continue;
        stream->squeeze = false;
        for (uint32_t i = 0; i < stream->count; i++)
            if (compact_worthwhile(stream_block(stream, i)))
                (void)!compact_block(stream_block(stream, i));
    }
}

void compact_later(struct log_stream *stream) {
    struct log *log = stream->log;
    stream->squeeze = true;
    if (!io_timer_running(&log->squeeze_timer))
        io_timer_start(log->loop, &log->squeeze_timer, COMPACT_SQUEEZE_NS, squeeze_fire);
}

/* --- segments ------------------------------------------------------------------------------------
 */

/* Worth emptying: mostly dead, and no longer (or not for long enough to matter) being filled. */
static bool candidate(const struct log *log, const struct segment *segment) {
    return segment->blocks && !segment->emptying && segment->live < segment->size / 2 &&
           (segment->sealed || segment->size > log->segments.bytes_max / 2);
}

static struct segment *emptiest(const struct log *log) {
    struct segment *found = NULL;
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
    while (left && (segment = emptiest(log))) {
        segment->emptying = true;
        checkpoint_seal(log, segment);
        left -= segment->live < left ? segment->live : left;
        chosen = true;
    }
    return chosen;
}

void compact_move(struct block *block) {
    struct log *log = block->stream->log;
    if (!may_squeeze(block) || block->changed || !block->live)
        return;
    if (block->live_bytes != block->length) {
        (void)!compact_block(block); /* without memory it stays where it is */
        return;
    }
    log->unsaved_bytes -= block_unsaved(block);
    cache_forget(&log->cache, block);
    block->changed = true;
    log->unsaved_bytes += block_unsaved(block);
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

static void enqueue(struct log *log, struct log_stream *stream) {
    for (uint32_t i = 0; i < stream->count; i++) {
        struct block *block = stream_block(stream, i);
        if (block->segment && block->segment->emptying && block->live && !block->moving &&
            !list_linked(&block->queue))
            list_push_back(&log->moving, &block->queue);
    }
}

void compact_step(struct log *log) {
    if (log->disk_full || log->closing)
        return;
    if (!list_empty(&log->moving) || choose(log)) {
        struct list_node *node, *next;
        list_each(&log->streams, node, next) {
            struct log_stream *stream = container_of(node, struct log_stream, node);
            if (!stream->in_memory)
                enqueue(log, stream);
        }
    }
    for (unsigned i = 0; i < log->segments.count; i++)
        log->segments.items[i]->emptying = false; /* what is left of it is chosen again */
    compact_pump(log);
}
