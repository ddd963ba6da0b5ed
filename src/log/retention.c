/*
 * retention.c - taking messages out; see retention.h for the rules.
 *
 * One function takes a message out of the counts (take_out), whatever the reason. The first message
 * goes by moving `first` to the next living one; any other gets a bit in its block and a place in
 * the list of deaths. Neither needs memory: bitmaps and the list were reserved when the change was
 * staged.
 *
 * FRONT. Making room for a message of 1 MB may push out thousands, over several blocks. Blocks
 * that go as a whole are read, when they are on disk only, through one buffer (log->scratch); the
 * block in which the new first lies stays in memory, because the next append needs it again.
 */
#include "log/retention.h"

#include "base/crc32c.h"
#include "base/mem.h"
#include "log/log_data.h"

#include <errno.h>

/* Takes SEQUENCE of SIZE bytes in BLOCK out of all counts but its subject's. */
static void take_out(struct log_stream *stream, struct block *block, uint64_t sequence,
                     uint32_t size) {
    struct stream_counts *counts = &stream->staged;
    if (block->vague && block->live == 1) {
        size = block->live_bytes;
        block->vague = false;
    }
    check(block->live > 0 && block->live_bytes >= size && counts->messages > 0);
    block->live--;
    block->live_bytes -= size;
    if (block->segment)
        block->segment->live -= size < block->segment->live ? size : block->segment->live;
    counts->messages--;
    counts->bytes -= size;
    if (sequence == counts->first) {
        uint64_t next = sequence + 1;
        bool near = block->live && next <= block->last && !block_dead(block, next);
        counts->first = near ? next : stream_next_live(stream, next);
        return;
    }
    if (!block->dead)
        block->dead = log_take_bits(stream->log);
    block_mark(block->dead, block, sequence);
    block->dying++;
    stream->deaths[counts->deaths++ & (stream->death_room - 1)] = sequence;
}

static void forget_subject(struct log_stream *stream, slice text, uint64_t sequence) {
    struct subject *e =
        subjects_find(&stream->subjects, text, subjects_hash(&stream->subjects, text));
    if (e)
        subjects_remove(&stream->subjects, e, sequence);
}

/* --- the front ------------------------------------------------------------------------------- */

static int scratch_reserve(struct log *log, uint32_t size) {
    if (log->scratch_size >= size)
        return 0;
    char *scratch = mem_realloc(log->scratch, size);
    if (!scratch)
        return -ENOMEM;
    log->scratch = scratch;
    log->scratch_size = size;
    return 0;
}

/* The block's bytes for reading once: in memory, or read into the scratch buffer. NULL where they
   cannot be had, or where they are damaged (then the cache is asked, which salvages). */
static const char *front_bytes(struct log *log, struct block *block) {
    if (block_in_memory(block))
        return block->bytes;
    struct io_file *file = NULL;
    if (block->length <= log->scratch_size &&
        !segment_open(&log->segments, block->segment, &file) &&
        !segment_read(file, block->offset, block->length, block->crc, log->scratch))
        return log->scratch;
    return cache_need(&log->cache, block) ? NULL : block->bytes;
}

/* What a message of BLOCK whose record cannot be read weighs: nothing, till the block is read again
   and put right, or all that is left goes with the last one. */
static uint32_t unread_size(struct block *block) {
    block->vague |= !block_in_memory(block);
    return 0;
}

/* The first message whose record cannot be read: it counts no more, its subject stays as it is. */
static void front_kill_unreadable(struct log_stream *stream, struct block *block) {
    take_out(stream, block, stream->staged.first, unread_size(block));
}

/* Takes the front out while it lies in BLOCK and below FIRST. */
static void front_kill_block(struct log_stream *stream, struct block *block, uint64_t first) {
    const char *bytes = front_bytes(stream->log, block);
    uint32_t at = 0;
    if (bytes && bytes == block->bytes)
        at = block_find_from(block, stream->staged.first);
    while (stream->staged.first < first && stream->staged.first <= block->last) {
        uint64_t sequence = stream->staged.first;
        while (bytes && at < block->length && record_at_sequence(bytes + at) < sequence)
            at += record_at_length(bytes + at);
        if (!bytes || at >= block->length || record_at_sequence(bytes + at) != sequence) {
            front_kill_unreadable(stream, block);
            continue;
        }
        forget_subject(stream, record_at_subject(bytes + at), sequence);
        take_out(stream, block, sequence, record_at_length(bytes + at));
    }
}

static void clear(struct log_stream *stream, uint64_t first) {
    for (uint32_t i = 0; i < stream->count; i++) {
        struct block *block = stream_block(stream, i);
        if (block->segment)
            block->segment->live -=
                block->live_bytes < block->segment->live ? block->live_bytes : block->segment->live;
        block->live = 0;
        block->live_bytes = 0;
    }
    if (stream->plan.subjects) /* the same batch appends */
        subjects_clear(&stream->subjects);
    else
        subjects_free(&stream->subjects);
    stream->staged.messages = 0;
    stream->staged.bytes = 0;
    stream->staged.first = first;
    stream->staged.last = first - 1;
}

void retention_apply_trim(struct log_stream *stream, uint64_t first_sequence) {
    struct stream_counts *counts = &stream->staged;
    if (first_sequence <= counts->first)
        return;
    if (first_sequence > counts->last) {
        clear(stream, first_sequence);
        return;
    }
    while (counts->first < first_sequence) {
        struct block *block = stream_block_of(stream, counts->first);
        check(block);
        front_kill_block(stream, block, first_sequence);
    }
}

static bool over(uint64_t is, uint64_t most) {
    return most && is > most;
}

void retention_apply_limits(struct log_stream *stream) {
    const struct log_limits *limits = &stream->limits;
    struct stream_counts *counts = &stream->staged;
    while (
        (over(counts->messages, limits->messages_max) || over(counts->bytes, limits->bytes_max)) &&
        counts->messages > 1) {
        struct block *block = stream_block_of(stream, counts->first);
        check(block);
        /* A block that goes as a whole is read once; in the last one, message by message. */
        bool whole = !block_in_memory(block) && counts->last > block->last &&
                     (over(counts->messages - block->live, limits->messages_max) ||
                      over(counts->bytes - block->live_bytes, limits->bytes_max));
        front_kill_block(stream, block, whole ? block->last + 1 : counts->first + 1);
    }
}

/* Gone or broken for good; anything else (no memory, no handles) is refused and may be tried
   again, because a message that goes unread leaves its subject's count behind. */
static bool unreadable(int failed) {
    return failed == -EIO || failed == -EBADMSG || failed == -ENOENT;
}

/* Makes the front ready for EXCESS messages and bytes to go: see FRONT above. */
static int prepare_front(struct log_stream *stream, uint64_t messages, uint64_t bytes) {
    struct log *log = stream->log;
    uint32_t at = stream_block_index(stream, stream->staged.first);
    for (; at < stream->count && (messages || bytes); at++) {
        struct block *block = stream_block(stream, at);
        bool whole = block->live < messages || block->live_bytes < bytes;
        int failed = 0;
        if (!block_in_memory(block) && block->live)
            failed = whole ? scratch_reserve(log, block->length) : cache_need(&log->cache, block);
        if (failed && !unreadable(failed))
            return failed;
        if (!whole && at + 1 < stream->count)
            cache_ahead(&log->cache, stream_block(stream, at + 1));
        messages -= block->live < messages ? block->live : messages;
        bytes -= block->live_bytes < bytes ? block->live_bytes : bytes;
    }
    return 0;
}

static uint64_t excess(uint64_t is, uint64_t most) {
    return most && is > most ? is - most : 0;
}

int retention_prepare_limits(struct log_batch *batch, struct log_stream *stream,
                             const struct log_limits *limits) {
    (void)batch;
    const struct stream_plan *plan = &stream->plan;
    return prepare_front(stream,
                         excess(stream->staged.messages + plan->messages, limits->messages_max),
                         excess(stream->staged.bytes + plan->bytes, limits->bytes_max));
}

int retention_prepare_trim(struct log_batch *batch, struct log_stream *stream,
                           uint64_t first_sequence) {
    struct log *log = batch->log;
    if (first_sequence <= stream->staged.first || first_sequence > stream->staged.last)
        return 0;
    uint32_t at = stream_block_index(stream, stream->staged.first);
    for (; at < stream->count; at++) {
        struct block *block = stream_block(stream, at);
        if (block->first >= first_sequence)
            break;
        int failed = block_in_memory(block) ? 0 : scratch_reserve(log, block->length);
        if (failed)
            return failed;
    }
    return 0;
}

/* --- the messages of a subject --------------------------------------------------------------- */

/* The oldest message of E and its size; blocks it needs were loaded while staging. False: unknown.
 */
static bool oldest_of(struct log_stream *stream, struct subject *e, uint64_t *ret_sequence,
                      uint32_t *ret_size) {
    if (stream->subjects.history) {
        subjects_oldest(&stream->subjects, e, ret_sequence, ret_size);
        return true;
    }
    if (retention_resolve(stream, e, true))
        return false;
    *ret_sequence = e->first;
    if (e->first == e->last) {
        *ret_size = e->last_size;
        return true;
    }
    struct block *block = stream_block_of(stream, e->first);
    if (!block || cache_need(&stream->log->cache, block))
        return false;
    uint32_t at = block_find(block, e->first);
    if (at == BLOCK_NONE)
        return false;
    *ret_size = record_at_length(block->bytes + at);
    return true;
}

void retention_apply_subject(struct log_stream *stream, slice subject, uint64_t hash) {
    uint64_t most = stream->limits.messages_per_subject_max;
    struct subject *e = subjects_find(&stream->subjects, subject, hash);
    while (e && subject_messages(e) >= most) {
        uint64_t sequence = 0;
        uint32_t size = 0;
        if (!oldest_of(stream, e, &sequence, &size))
            return;
        /* One that was deleted while it could not be read is still known to its subject. */
        if (stream_lives(stream, sequence))
            take_out(stream, stream_block_of(stream, sequence), sequence, size);
        bool gone = subject_messages(e) == 1;
        subjects_remove(&stream->subjects, e, sequence);
        if (gone)
            return;
    }
}

int retention_prepare_append(struct log_batch *batch, struct log_stream *stream, slice subject,
                             uint64_t hash, uint32_t size) {
    struct stream_plan *plan = &stream->plan;
    const struct log_limits *limits = plan->limits ? plan->limits : &stream->limits;
    int failed = 0;
    if (limits->messages_per_subject_max) {
        failed = batch_reserve_bits(batch, 1);
        if (!failed)
            failed = stream_deaths_reserve(stream, plan->kills + 1);
        if (failed)
            return failed;
        plan->kills++;
        struct subject *e = limits->messages_per_subject_max <= SUBJECTS_HISTORY_MAX || plan->table
                                ? NULL
                                : subjects_find(&stream->subjects, subject, hash);
        uint64_t sequence = 0;
        uint32_t unused = 0;
        if (e && subject_messages(e) >= limits->messages_per_subject_max &&
            !oldest_of(stream, e, &sequence, &unused))
            return -EIO;
    }
    if (!limits->messages_max && !limits->bytes_max)
        return 0;
    return prepare_front(stream,
                         excess(stream->staged.messages + plan->messages + 1, limits->messages_max),
                         excess(stream->staged.bytes + plan->bytes + size, limits->bytes_max));
}

/* --- single messages ------------------------------------------------------------------------- */

int retention_prepare_delete(struct log_batch *batch, struct log_stream *stream,
                             uint64_t sequence) {
    struct block *block = stream_block_of(stream, sequence);
    int failed = block ? cache_need(&batch->log->cache, block) : 0;
    if (!failed || unreadable(failed)) /* what cannot be read can still be deleted */
        failed = batch_reserve_bits(batch, 1);
    if (!failed)
        failed = stream_deaths_reserve(stream, stream->plan.kills + 1);
    if (!failed)
        stream->plan.kills++;
    return failed;
}

void retention_apply_delete(struct log_stream *stream, uint64_t sequence) {
    if (!stream_lives(stream, sequence))
        return; /* twice in one batch, or pushed out by an append before it */
    struct block *block = stream_block_of(stream, sequence);
    uint32_t at = block_in_memory(block) ? block_find(block, sequence) : BLOCK_NONE;
    if (at == BLOCK_NONE) {
        take_out(stream, block, sequence, unread_size(block));
        return;
    }
    forget_subject(stream, record_at_subject(block->bytes + at), sequence);
    take_out(stream, block, sequence, record_at_length(block->bytes + at));
}

void retention_apply_kills(struct log_stream *stream, const struct retention_kills *kills) {
    for (size_t i = 0; i < kills->count; i++) {
        uint64_t sequence = kills->items[i].sequence;
        if (stream_lives(stream, sequence))
            take_out(stream, stream_block_of(stream, sequence), sequence, kills->items[i].size);
    }
}
