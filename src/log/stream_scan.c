/*
 * stream_scan.c - walking a stream with the loop standing still, for the node's start; and holes.
 *
 * The engine above the log rebuilds what it derives from messages (the ids of the duplicate
 * window) before anybody is served, so waiting for the disk is right here and nowhere else.
 */
#include "log/log_data.h"

#include <errno.h>

bool log_sequence_deleted(const struct log_stream *stream, uint64_t sequence) {
    uint32_t index = stream_block_index(stream, sequence);
    if (index == stream->count)
        return true;
    const struct block *block = stream_block(stream, index);
    return sequence < block->first || block_dead(block, sequence);
}

static int scan_block(const struct log_stream *stream, const struct block *block, int64_t time_ns,
                      int (*each)(void *self, const struct log_record *record), void *self) {
    for (uint32_t at = 0; at < block->length; at += record_at_length(block->bytes + at)) {
        const char *bytes = block->bytes + at;
        uint64_t sequence = record_at_sequence(bytes);
        if (sequence < stream->staged.first || block_dead(block, sequence) ||
            record_at_time_ns(bytes) < time_ns)
            continue;
        struct log_record record;
        stream_record(bytes, &record);
        int result = each(self, &record);
        if (result)
            return result;
    }
    return 0;
}

int log_scan(struct log *log, struct log_stream *stream, int64_t time_ns,
             int (*each)(void *self, const struct log_record *record), void *self) {
    for (uint32_t index = 0; index < stream->count; index++) {
        struct block *block = stream_block(stream, index);
        if (block->last_time < time_ns || !block->live)
            continue;
        bool there = block_in_memory(block);
        int failed = cache_need(&log->cache, block);
        if (!failed)
            failed = scan_block(stream, block, time_ns, each, self);
        if (!there)
            cache_drop(&log->cache, block); /* a long scan does not fill memory */
        if (failed)
            return failed;
    }
    return 0;
}
