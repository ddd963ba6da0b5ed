/*
 * stream_read.c - messages by sequence, by subject, by time.
 *
 * Each stream remembers where it was read last (the cursor): the next sequence is then one record
 * further in the same block, without a search. Everything else is a binary search over the blocks
 * and a few steps inside one. The cursor is a hint and is checked against the block's bytes.
 */
#include "log/log_data.h"

#include <errno.h>

#define SEEK_RECORDS_MAX 1024u
#define SEEK_WILDCARDS_FREE 4u /* so many wildcards of a filter cost nothing extra */

/* Does a reader see SEQUENCE, which lies in BLOCK? */
static bool shown(const struct log_stream *stream, const struct block *block, uint64_t sequence) {
    if (likely(!block->dead && !block->map) || !block_dead(block, sequence))
        return true;
    return block->dying && stream_dying(stream, sequence);
}

void stream_record(const char *bytes, struct log_record *ret_record) {
    uint16_t subject = record_get_u16(bytes + 12);
    uint32_t headers = record_get_u32(bytes + 40);
    uint32_t payload = record_get_u32(bytes + 44);
    const char *at = bytes + RECORD_HEAD_SIZE;
    *ret_record = (struct log_record){
        .sequence = record_at_sequence(bytes),
        .position = record_at_position(bytes),
        .time_ns = record_at_time_ns(bytes),
        .subject = slice_make(at, subject),
        .headers = slice_make(at + subject, headers),
        .payload = slice_make(at + subject + headers, payload),
    };
}

/* Offset of the first record at or after SEQUENCE in block INDEX, by the cursor if it helps. */
static uint32_t offset_from(struct log_stream *stream, uint32_t index, uint64_t sequence) {
    const struct block *block = stream_block(stream, index);
    uint32_t at = stream->cursor_offset;
    if (stream->cursor == index && sequence > stream->cursor_sequence && stream->cursor_sequence &&
        sequence - stream->cursor_sequence <= BLOCK_MARK_EVERY && at < block->length &&
        record_at_sequence(block->bytes + at) == stream->cursor_sequence) {
        while (at < block->length && record_at_sequence(block->bytes + at) < sequence)
            at += record_at_length(block->bytes + at);
        return at;
    }
    return block_find_from(block, sequence);
}

static void cursor_set(struct log_stream *stream, uint32_t index, uint64_t sequence,
                       uint32_t offset) {
    struct block *block = stream_block(stream, index);
    block->used = stream->log->cache.generation;
    if (stream->cursor != index || !stream->cursor_sequence) {
        if (list_linked(&block->lru))
            cache_touch(&stream->log->cache, block);
        stream->log->cache.hits++;
    }
    stream->cursor = index;
    stream->cursor_sequence = sequence;
    stream->cursor_offset = offset;
}

/* Index of the block with SEQUENCE, or of the next one. */
static uint32_t index_from(const struct log_stream *stream, uint64_t sequence) {
    uint32_t at = stream->cursor;
    if (at < stream->count && stream_block(stream, at)->first <= sequence &&
        sequence <= stream_block(stream, at)->last)
        return at;
    return stream_block_index(stream, sequence);
}

int log_read(struct log *log, struct log_stream *stream, uint64_t sequence,
             struct log_record *ret_record) {
    (void)log;
    if (sequence < stream->visible.first || sequence > stream->visible.last)
        return -ENOENT;
    uint32_t index = index_from(stream, sequence);
    if (index == stream->count)
        return -ENOENT;
    const struct block *block = stream_block(stream, index);
    if (sequence < block->first || !shown(stream, block, sequence))
        return -ENOENT;
    if (!block_in_memory(block))
        return -EINPROGRESS;
    if (unlikely(block_lost(block, sequence)))
        return -EBADMSG;
    uint32_t at = offset_from(stream, index, sequence);
    check(at < block->length && record_at_sequence(block->bytes + at) == sequence);
    cursor_set(stream, index, sequence, at);
    stream_record(block->bytes + at, ret_record);
    return 0;
}

/* --- seeking --------------------------------------------------------------------------------- */

/* The first place at or after FROM where SUBJECT may be found, by its entry; or UINT64_MAX. */
static uint64_t literal_start(const struct log_stream *stream, slice subject, uint64_t from) {
    const struct subject *e =
        subjects_find(&stream->subjects, subject, subjects_hash(&stream->subjects, subject));
    if (!e || from > e->last)
        return UINT64_MAX;
    return from < e->first ? e->first : from;
}

/* Where to start and whether at all, by what the entries of literal subjects say. */
static bool seek_start(struct log_stream *stream, const struct log_filter *filter, uint64_t *from) {
    if (*from < stream->visible.first)
        *from = stream->visible.first;
    if (*from > stream->visible.last)
        return false;
    if (!filter->count || filter->wildcards)
        return true;
    if (stream->staged.deaths != stream->visible.deaths ||
        stream->staged.first != stream->visible.first)
        return true; /* what readers still see may not be counted any more */
    uint64_t start = UINT64_MAX;
    for (unsigned i = 0; i < filter->count && start > *from; i++) {
        uint64_t first = literal_start(stream, filter->subjects[i], *from);
        start = first < start ? first : start;
    }
    *from = start;
    return start <= stream->visible.last;
}

/* Is there a message between *FROM and BELOW that cannot be read? *FROM becomes it. */
static bool find_lost(const struct log_stream *stream, const struct block *block, uint64_t *from,
                      uint64_t below) {
    uint64_t s = block_next(block, *from);
    for (; s < below && s <= stream->visible.last; s = block_next(block, s + 1)) {
        if (!block_lost(block, s) || !shown(stream, block, s))
            continue;
        *from = s;
        return true;
    }
    return false;
}

/* The next record at or after *FROM in block INDEX that matches. -ENOENT: none in this block. */
static int seek_block(struct log_stream *stream, uint32_t index, const struct log_filter *filter,
                      uint64_t *from, unsigned *looked, struct log_record *ret_record) {
    const struct block *block = stream_block(stream, index);
    uint32_t at = offset_from(stream, index, *from);
    for (;;) {
        bool end = at >= block->length;
        uint64_t sequence = end ? block->last + 1 : record_at_sequence(block->bytes + at);
        if (unlikely(block->bad != NULL) && find_lost(stream, block, from, sequence)) {
            ret_record->sequence = *from;
            return -EBADMSG;
        }
        *from = sequence > *from ? sequence : *from;
        if (end || sequence > stream->visible.last)
            return -ENOENT;
        slice subject = record_at_subject(block->bytes + at);
        if (shown(stream, block, sequence) && log_filter_match(filter, subject)) {
            cursor_set(stream, index, sequence, at);
            stream_record(block->bytes + at, ret_record);
            return 0;
        }
        *from = sequence + 1;
        *looked += 1 + filter->wildcards / SEEK_WILDCARDS_FREE;
        if (*looked >= SEEK_RECORDS_MAX)
            return -EAGAIN;
        at += record_at_length(block->bytes + at);
    }
}

int log_seek(struct log *log, struct log_stream *stream, slice subject, uint64_t from,
             struct log_record *ret_record) {
    struct log_filter filter = log_filter_make(&subject, subject.len ? 1 : 0);
    return log_seek_any(log, stream, &filter, from, ret_record);
}

int log_seek_any(struct log *log, struct log_stream *stream, const struct log_filter *filter,
                 uint64_t from, struct log_record *ret_record) {
    (void)log;
    if (!seek_start(stream, filter, &from))
        return -ENOENT;
    unsigned looked = 0;
    for (uint32_t index = index_from(stream, from); index < stream->count; index++) {
        const struct block *block = stream_block(stream, index);
        if (from < block->first)
            from = block->first;
        if (from > stream->visible.last)
            return -ENOENT;
        if (!block->live && !block->dying && block->first >= stream->staged.first)
            continue;
        if (!block_in_memory(block)) {
            ret_record->sequence = from;
            return -EINPROGRESS;
        }
        int failed = seek_block(stream, index, filter, &from, &looked, ret_record);
        if (failed == -EAGAIN)
            ret_record->sequence = from;
        if (failed != -ENOENT)
            return failed;
    }
    return -ENOENT;
}

int log_seek_time(struct log *log, struct log_stream *stream, int64_t time_ns,
                  uint64_t *ret_sequence) {
    (void)log;
    uint64_t end = stream->visible.last + 1;
    uint32_t low = stream_block_index(stream, stream->visible.first);
    uint32_t high = stream->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (stream_block(stream, middle)->last_time < time_ns)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_sequence = end;
    if (low == stream->count)
        return 0;
    const struct block *block = stream_block(stream, low);
    uint64_t first = block->first > stream->visible.first ? block->first : stream->visible.first;
    if (block->first_time >= time_ns) {
        *ret_sequence = first < end ? first : end;
        return 0;
    }
    *ret_sequence = first;
    if (!block_in_memory(block))
        return -EINPROGRESS;
    uint32_t at = block_find_from(block, first);
    while (at < block->length && record_at_time_ns(block->bytes + at) < time_ns)
        at += record_at_length(block->bytes + at);
    uint64_t found = at < block->length ? record_at_sequence(block->bytes + at) : block->last + 1;
    *ret_sequence = found < end ? found : end;
    return 0;
}
