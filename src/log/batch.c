/*
 * batch.c - staging and applying; see batch.h for the two steps.
 *
 * A message is written once, behind the tail's length, where no reader looks, and copied from
 * there into the journal's buffer. plan->length and plan->sequence run ahead of the stream until
 * the commit makes them true. What a failed stage has reserved stays reserved (a grown buffer, a
 * spare block): the batch is as it was, and nothing leaks, because the plan owns the spares.
 */
#include "log/batch.h"

#include "base/mem.h"
#include "log/log_data.h"

#include <errno.h>

#define CHANGES_FIRST 64u

void batch_free(struct log_batch *batch) {
    if (batch->active)
        batch_forget(batch);
    batch->changes = mem_free(batch->changes);
}

struct stream_plan *batch_plan(struct log_batch *batch, struct log_stream *stream) {
    struct stream_plan *plan = &stream->plan;
    if (plan->active)
        return plan;
    struct block *tail = stream_tail(stream);
    *plan = (struct stream_plan){
        .active = true,
        .next = batch->touched,
        .sequence = stream->staged.last + 1,
        .last_time = stream->staged.last_time,
        .block = tail,
        .length = tail ? tail->length : 0,
    };
    batch->touched = stream;
    return plan;
}

static int changes_grow(struct log_batch *batch) {
    if (batch->count == LOG_BATCH_CHANGES_MAX)
        return -E2BIG;
    uint32_t room = batch->room ? batch->room * 2 : CHANGES_FIRST;
    struct change *changes = mem_realloc(batch->changes, room * sizeof(*changes));
    if (!changes)
        return -ENOMEM;
    batch->changes = changes;
    batch->room = room;
    return 0;
}

int batch_reserve(struct log_batch *batch) {
    if (unlikely(batch->count == batch->room)) {
        int failed = changes_grow(batch);
        if (failed)
            return failed;
    }
    struct log *log = batch->log;
    int failed = effects_reserve(&log->effects, (uint64_t)batch->count + 1);
    return failed ? failed : effects_reserve(&log->memory_effects, (uint64_t)batch->count + 1);
}

int batch_reserve_bits(struct log_batch *batch, uint64_t count) {
    struct log *log = batch->log;
    while (log->bits_count < batch->bits + count) {
        struct block_bits *bits = mem_zalloc(1, sizeof(*bits));
        if (!bits)
            return -ENOMEM;
        bits->next = log->bits;
        log->bits = bits;
        log->bits_count++;
    }
    batch->bits += count;
    return 0;
}

struct block_bits *log_take_bits(struct log *log) {
    struct block_bits *bits = log->bits;
    check(bits);
    log->bits = bits->next;
    log->bits_count--;
    bits->next = NULL;
    return bits;
}

/* --- the journal's copy ---------------------------------------------------------------------- */

static int journal_put(struct log_batch *batch, const struct record *record, const char *encoded,
                       bool reserve) {
    if (batch->replaying)
        return 0;
    struct log *log = batch->log;
    size_t size = record_size(record);
    char *bytes = NULL;
    int failed = journal_batch_room(log->journal, size, reserve, &bytes);
    if (failed) {
        if (failed == -EAGAIN || failed == -ENOSPC) {
            log->refused = true;
            checkpoint_press(&log->checkpoint);
        }
        return failed;
    }
    if (encoded)
        memcpy(bytes, encoded, size);
    else
        record_encode(record, bytes);
    journal_batch_add(log->journal, size);
    batch->durable = true;
    return 0;
}

int batch_journal_put(struct log_batch *batch, const struct record *record) {
    return journal_put(batch, record, NULL, false);
}

/* --- where the next record goes -------------------------------------------------------------- */

static bool plan_fits(struct log_stream *stream, struct stream_plan *plan, uint32_t size) {
    struct block *block = plan->block;
    if (!block || block->bad || block->map || plan->length + size > BLOCK_BYTES)
        return false;
    bool spare = plan->spare_count > 0;
    uint64_t last = spare ? plan->sequence - 1 : block->last + plan->messages;
    if (plan->sequence != last + 1 || plan->sequence - block->first >= BLOCK_RECORDS_MAX)
        return false;
    if (block_in_memory(block))
        return true;
    /* A small tail on disk is brought back and goes on, so that slow streams do not crumble. */
    return block->length <= BLOCK_BYTES / 2 && cache_need(&stream->log->cache, block) == 0 &&
           !block->bad;
}

static int plan_spare(struct log_stream *stream, struct stream_plan *plan, uint32_t size) {
    int failed = stream_blocks_reserve(stream, plan->spare_count + 1);
    if (failed)
        return failed;
    /* A stream that has filled a block will fill the next: no growing by doubling again. */
    bool busy = plan->block && plan->length > BLOCK_BYTES / 2;
    uint32_t room = busy && size < BLOCK_BYTES ? BLOCK_BYTES : size;
    struct block *block = block_new(stream, plan->sequence, room);
    if (!block)
        return -ENOMEM;
    if (plan->spares)
        plan->spares_last->next_spare = block;
    else
        plan->spares = block;
    plan->spares_last = block;
    plan->spare_count++;
    plan->block = block;
    plan->length = 0;
    return 0;
}

static int plan_place(struct log_stream *stream, struct stream_plan *plan, uint32_t size) {
    if (!plan_fits(stream, plan, size))
        return plan_spare(stream, plan, size);
    struct block *block = plan->block;
    if (likely(block->capacity - plan->length >= size))
        return 0;
    struct cache *cache = &stream->log->cache;
    bool cached = list_linked(&block->lru);
    cache_forget(cache, block);
    int failed = block_grow(block, plan->length, size);
    if (cached)
        cache_touch(cache, block);
    return failed;
}

/* --- staging --------------------------------------------------------------------------------- */

static int stage_reserve(struct log_batch *batch, struct log_stream *stream, slice subject,
                         uint64_t hash, uint32_t size) {
    struct stream_plan *plan = batch_plan(batch, stream);
    int failed = batch_reserve(batch);
    if (!failed)
        failed = subjects_reserve(&stream->subjects, plan->subjects + 1,
                                  plan->subject_bytes + subject.len);
    if (!failed && plan->table)
        failed =
            subjects_reserve(plan->table, plan->subjects + 1, plan->subject_bytes + subject.len);
    if (!failed)
        failed = retention_prepare_append(batch, stream, subject, hash, size);
    return failed ? failed : plan_place(stream, plan, size);
}

int batch_stage_message(struct log_batch *batch, struct log_stream *stream,
                        const struct record *record, slice raw) {
    uint32_t size = (uint32_t)record_size(record);
    uint64_t hash = subjects_hash(&stream->subjects, record->subject);
    subjects_prefetch(&stream->subjects, hash);
    int failed = stage_reserve(batch, stream, record->subject, hash, size);
    if (failed)
        return failed;
    struct stream_plan *plan = &stream->plan;
    struct record placed = *record;
    if (!batch->replaying) {
        placed.sequence = plan->sequence;
        if (placed.time_ns < plan->last_time)
            placed.time_ns = plan->last_time;
    }
    char *place = plan->block->bytes + plan->length;
    if (raw.len)
        memcpy(place, raw.ptr, size);
    else
        record_encode(&placed, place);
    if (!stream->in_memory) {
        failed = journal_put(batch, &placed, place, false);
        if (failed)
            return failed;
    }
    batch->changes[batch->count++] = (struct change){.kind = RECORD_MESSAGE,
                                                     .stream = stream,
                                                     .sequence = plan->sequence,
                                                     .hash = hash,
                                                     .block = plan->block,
                                                     .size = size,
                                                     .time_ns = placed.time_ns};
    plan->changes++;
    plan->sequence++;
    plan->last_time = placed.time_ns;
    plan->length += size;
    plan->messages++;
    plan->bytes += size;
    plan->subjects++;
    plan->subject_bytes += record->subject.len;
    if (stream->in_memory)
        batch->bytes += size;
    return 0;
}

/* A change that is nothing but numbers: DELETE, ERASE, TRIM, REMOVE_STREAM. */
static int stage_small(struct log_batch *batch, struct log_stream *stream, uint8_t kind,
                       uint64_t sequence) {
    if (!stream->in_memory) {
        struct record record = {
            .kind = kind, .id = stream->id, .sequence = sequence, .position = batch->position};
        int failed = journal_put(batch, &record, NULL, true);
        if (failed)
            return failed;
    }
    stream->plan.changes++;
    batch->changes[batch->count++] =
        (struct change){.kind = kind, .stream = stream, .sequence = sequence};
    return 0;
}

int batch_stage_delete(struct log_batch *batch, struct log_stream *stream, uint64_t sequence,
                       uint8_t kind) {
    batch_plan(batch, stream);
    int failed = batch_reserve(batch);
    if (!failed)
        failed = retention_prepare_delete(batch, stream, sequence);
    return failed ? failed : stage_small(batch, stream, kind, sequence);
}

int batch_stage_erase_mark(struct log_batch *batch) {
    struct record record = {.kind = RECORD_ERASE, .position = batch->position};
    return journal_put(batch, &record, NULL, true);
}

int batch_stage_trim(struct log_batch *batch, struct log_stream *stream, uint64_t first_sequence) {
    struct stream_plan *plan = batch_plan(batch, stream);
    int failed = batch_reserve(batch);
    if (!failed)
        failed = retention_prepare_trim(batch, stream, first_sequence);
    if (!failed)
        failed = stage_small(batch, stream, RECORD_TRIM, first_sequence);
    if (!failed && plan->sequence < first_sequence) {
        plan->sequence = first_sequence;
        plan->block = NULL; /* a gap starts a new block */
    }
    return failed;
}

int batch_stage_remove(struct log_batch *batch, struct log_stream *stream) {
    struct stream_plan *plan = batch_plan(batch, stream);
    int failed = batch_reserve(batch);
    if (!failed)
        failed = stage_small(batch, stream, RECORD_REMOVE_STREAM, 0);
    if (!failed)
        plan->removed = true;
    return failed;
}

/* --- applying -------------------------------------------------------------------------------- */

static void apply_message(struct log *log, const struct change *change) {
    struct log_stream *stream = change->stream;
    struct stream_plan *plan = &stream->plan;
    struct block *block = change->block;
    if (block != stream_tail(stream)) {
        check(block == plan->spares);
        plan->spares = block->next_spare;
        block->next_spare = NULL;
        stream_block_push(stream, block);
    }
    cache_forget(&log->cache, block);
    slice subject = record_at_subject(block->bytes + block->length);
    if (stream->limits.messages_per_subject_max)
        retention_apply_subject(stream, subject, change->hash);
    block_append(block, change->size, change->sequence, change->time_ns);
    if (!stream->in_memory)
        log->unsaved_bytes += change->size;
    struct stream_counts *counts = &stream->staged;
    check(change->sequence == counts->last + 1);
    counts->last = change->sequence;
    counts->last_time = change->time_ns;
    counts->messages++;
    counts->bytes += change->size;
    subjects_add(&stream->subjects, subject, change->hash, change->sequence, change->size);
    retention_apply_limits(stream);
}

static void apply_change(struct log *log, struct change *change) {
    switch (change->kind) {
    case RECORD_MESSAGE:
        apply_message(log, change);
        break;
    case RECORD_ERASE:
        erase_mark(change->stream, change->sequence);
        retention_apply_delete(change->stream, change->sequence);
        break;
    case RECORD_DELETE:
        retention_apply_delete(change->stream, change->sequence);
        break;
    case RECORD_TRIM:
        retention_apply_trim(change->stream, change->sequence);
        break;
    case RECORD_PUT_STREAM:
        put_stream_apply(log, change);
        break;
    default:
        check(change->kind == RECORD_REMOVE_STREAM);
        remove_stream_apply(log, change->stream);
    }
}

static void batch_over(struct log_batch *batch) {
    batch->active = false;
    batch->durable = false;
    batch->count = 0;
    batch->new_streams = 0;
    batch->new_memory_streams = 0;
    batch->bytes = 0;
    batch->bits = 0;
    batch->touched = NULL;
    if (batch->room > 4096) {
        mem_free(batch->changes);
        batch->changes = NULL;
        batch->room = 0;
    }
}

static void plan_end(struct log_stream *stream) {
    for (struct block *spare = stream->plan.spares, *after; spare; spare = after) {
        after = spare->next_spare;
        block_free(spare);
    }
    stream->plan = (struct stream_plan){0};
}

void batch_apply(struct log_batch *batch) {
    struct log *log = batch->log;
    for (uint32_t i = 0; i < batch->count; i++)
        apply_change(log, &batch->changes[i]);
    for (struct log_stream *stream = batch->touched, *next; stream; stream = next) {
        next = stream->plan.next;
        plan_end(stream); /* a spare is left where its message was refused */
        effects_add(stream->in_memory ? &log->memory_effects : &log->effects, batch->position,
                    stream);
    }
    batch_over(batch);
}

void batch_forget(struct log_batch *batch) {
    for (struct log_stream *stream = batch->touched, *next; stream; stream = next) {
        next = stream->plan.next;
        plan_end(stream);
    }
    for (uint32_t i = 0; i < batch->count; i++)
        if (batch->changes[i].kind == RECORD_PUT_STREAM)
            put_stream_forget(batch->log, &batch->changes[i]);
    batch_over(batch);
}

/* --- the calls of log.h ---------------------------------------------------------------------- */

int log_batch_begin(struct log *log, struct log_batch **ret_batch) {
    struct log_batch *batch = &log->batch;
    check(!batch->active);
    if (log->failed || log->closing)
        return -EROFS;
    bool over = log->unsaved_bytes >= 2 * log->options.unsaved_high_bytes;
    if (over && !log->disk_full) {
        log->refused = true;
        return -EAGAIN;
    }
    int failed = journal_batch_begin(log->journal, &batch->position);
    if (failed)
        return failed;
    batch->active = true;
    *ret_batch = batch;
    return 0;
}

int log_batch_append(struct log_batch *batch, struct log_stream *stream,
                     const struct log_message *message, uint64_t *ret_sequence) {
    check(batch->active);
    if (stream->removed || stream->plan.removed)
        return -ENOENT;
    if (!message->subject.len)
        return -EINVAL;
    struct record record = {.kind = RECORD_MESSAGE,
                            .id = stream->id,
                            .position = batch->position,
                            .time_ns = message->time_ns,
                            .subject = message->subject,
                            .headers = message->headers,
                            .payload = message->payload};
    if (!record_fits(&record) || batch->bytes + record_size(&record) > LOG_BATCH_BYTES_MAX)
        return -E2BIG;
    if (batch->log->disk_full && !stream->in_memory) {
        batch->log->refused = true;
        return -ENOSPC;
    }
    int failed = batch_stage_message(batch, stream, &record, (slice){0});
    if (failed)
        return failed;
    *ret_sequence = stream->plan.sequence - 1;
    return 0;
}

static int delete_one(struct log_batch *batch, struct log_stream *stream, uint64_t sequence,
                      uint8_t kind) {
    check(batch->active);
    if (stream->removed || stream->plan.removed || !stream_lives(stream, sequence))
        return -ENOENT;
    return batch_stage_delete(batch, stream, sequence, kind);
}

int log_batch_delete(struct log_batch *batch, struct log_stream *stream, uint64_t sequence) {
    return delete_one(batch, stream, sequence, RECORD_DELETE);
}

int log_batch_erase(struct log_batch *batch, struct log_stream *stream, uint64_t sequence) {
    return delete_one(batch, stream, sequence, RECORD_ERASE);
}

int log_batch_delete_subject(struct log_batch *batch, struct log_stream *stream, slice subject,
                             bool *ret_more) {
    check(batch->active);
    uint64_t sequences[LOG_DELETE_SUBJECT_MAX];
    unsigned count = 0;
    if (stream->removed || stream->plan.removed)
        return -ENOENT;
    int failed = retention_find_subject(stream, subject, sequences, &count, ret_more);
    for (unsigned i = 0; i < count && !failed; i++)
        failed = batch_stage_delete(batch, stream, sequences[i], RECORD_DELETE);
    return failed;
}

int log_batch_trim(struct log_batch *batch, struct log_stream *stream, uint64_t first_sequence) {
    check(batch->active);
    if (stream->removed || stream->plan.removed)
        return -ENOENT;
    return batch_stage_trim(batch, stream, first_sequence);
}

int log_batch_delta(struct log_batch *batch, uint32_t owner, slice delta) {
    check(batch->active);
    struct record record = {
        .kind = RECORD_DELTA, .id = owner, .position = batch->position, .payload = delta};
    if (!record_fits(&record))
        return -E2BIG;
    return journal_put(batch, &record, NULL, true);
}

int log_batch_put_stream(struct log_batch *batch, slice name, slice config,
                         const struct log_limits *limits, bool in_memory, uint64_t first_sequence,
                         struct log_stream **ret_stream) {
    check(batch->active);
    if (!name.len || name.len > STREAM_NAME_MAX)
        return -EINVAL;
    char encoded[RECORD_LIMITS_SIZE];
    record_put_limits(limits, encoded);
    struct record record = {.kind = RECORD_PUT_STREAM,
                            .flags = in_memory ? RECORD_FLAG_IN_MEMORY : 0,
                            .sequence = first_sequence,
                            .position = batch->position,
                            .time_ns = io_loop_wall_ns(batch->log->loop),
                            .subject = name,
                            .headers = slice_make(encoded, sizeof encoded),
                            .payload = config};
    if (!record_fits(&record))
        return -E2BIG;
    if (batch->log->disk_full && !in_memory)
        return -ENOSPC;
    return batch_stage_put(batch, &record, limits, in_memory, ret_stream);
}

int log_batch_remove_stream(struct log_batch *batch, struct log_stream *stream) {
    check(batch->active);
    if (stream->removed || stream->plan.removed)
        return -ENOENT;
    return batch_stage_remove(batch, stream);
}

void log_batch_commit(struct log_batch *batch, struct log_commit *commit) {
    check(batch->active);
    struct log *log = batch->log;
    bool durable = batch->durable;
    uint64_t position = batch->position;
    journal_batch_commit(log->journal);
    batch_apply(batch);
    if (commit)
        commits_add(durable ? &log->commits : &log->memory_commits, commit, position);
    io_defer(log->loop, &log->memory_task);
    if (!durable)
        return;
    log->durable_position = position;
    checkpoint_consider(&log->checkpoint);
}

void log_batch_abandon(struct log_batch *batch) {
    check(batch->active);
    journal_batch_abandon(batch->log->journal);
    batch_forget(batch);
}
