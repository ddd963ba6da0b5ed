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

static struct segment *emptiest(struct log *log) {
    struct segments *s = &log->segments;
    struct segment *found = NULL;
    for (unsigned i = 0; i < s->count; i++) {
        struct segment *segment = s->items[i];
        if (!segment->sealed || !segment->blocks || segment->live >= segment->size / 2)
            continue;
        if (!found || segment->live < found->live)
            found = segment;
    }
    return found;
}

/* A block with nothing dead in it moves as it is. */
static bool move_block(struct log *log, struct block *block) {
    if (!may_squeeze(block))
        return false;
    if (block->live_bytes != block->length)
        return compact_block(block);
    log->unsaved_bytes -= block_unsaved(block);
    cache_forget(&log->cache, block);
    block->changed = true;
    log->unsaved_bytes += block_unsaved(block);
    return true;
}

static void compact_stream(struct log *log, struct log_stream *stream, struct segment *segment,
                           uint64_t *left) {
    for (uint32_t i = 0; i < stream->count && *left; i++) {
        struct block *block = stream_block(stream, i);
        if (block->segment != segment || !block->live || block->changed)
            continue;
        if (block_in_memory(block))
            (void)!move_block(log, block);
        else
            cache_ahead(&log->cache, block);
        *left -= block->live_bytes < *left ? block->live_bytes : *left;
    }
}

void compact_step(struct log *log) {
    struct segment *segment = log->disk_full || log->closing ? NULL : emptiest(log);
    if (!segment)
        return;
    uint64_t left = COMPACT_BYTES;
    struct list_node *node, *next;
    list_each(&log->streams, node, next) {
        struct log_stream *stream = container_of(node, struct log_stream, node);
        if (!stream->in_memory)
            compact_stream(log, stream, segment, &left);
    }
}
