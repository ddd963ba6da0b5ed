/*
 * put.c - streams come, change and go.
 *
 * A new stream gets its struct, name and id while the batch is staged, so that the same batch can
 * append to it; it is listed when the batch commits. Ids are given in commit order and never
 * again. A change of limits that keeps fewer messages takes effect at once: messages and bytes
 * like at any append; messages per subject by one pass over the stream that finds what is over the
 * new limit and, where the subjects' entries must hold more or less than before, makes their
 * table anew. That pass reads the whole stream, blocking: it is for rare changes of configuration.
 *
 * A removed stream is out of every table at once; its memory goes when the removal is on disk.
 */
#include "log/log_data.h"

#include "base/mem.h"

#include <errno.h>

struct put_stream {
    struct log_stream *stream;
    bool created;
    slice config; /* owned */
    struct log_limits limits;
    bool rebuilt;             /* subjects is to replace the stream's */
    struct subjects subjects; /* as after the kills */
    struct retention_kills kills;
};

static unsigned history_for(const struct log_limits *limits) {
    uint64_t most = limits->messages_per_subject_max;
    return most >= 2 && most <= SUBJECTS_HISTORY_MAX ? (unsigned)most : 0;
}

static struct put_stream *put_new(slice config, const struct log_limits *limits) {
    struct put_stream *put = mem_zalloc(1, sizeof(*put));
    if (!put)
        return NULL;
    put->limits = *limits;
    put->config = slice_make(mem_copy(config.len ? config.ptr : "", config.len), config.len);
    if (!put->config.ptr)
        return mem_free(put);
    return put;
}

static void put_free(struct put_stream *put) {
    mem_free((void *)(uintptr_t)put->config.ptr);
    subjects_free(&put->subjects);
    mem_free(put->kills.items);
    mem_free(put);
}

/* --- creating -------------------------------------------------------------------------------- */

static int stage_new(struct log_batch *batch, struct put_stream *put, const struct record *record,
                     bool in_memory) {
    struct log *log = batch->log;
    struct log_stream *stream =
        stream_new(log, record->subject, (slice){0}, &put->limits, record->sequence);
    if (!stream)
        return -ENOMEM;
    stream->created_ns = record->time_ns;
    stream->in_memory = in_memory;
    if (in_memory)
        stream->id = STREAM_MEMORY_ID | (log->next_memory_id + batch->new_memory_streams);
    else
        stream->id = batch->replaying ? record->id : log->next_id + batch->new_streams;
    int failed = map_add(&log->by_name, log_stream_name(stream), stream);
    if (!failed) {
        failed = map64_add(&log->by_id, stream->id, stream);
        if (failed)
            map_remove(&log->by_name, log_stream_name(stream));
    }
    if (failed) {
        stream_free(stream);
        return failed;
    }
    put->stream = stream;
    put->created = true;
    if (in_memory)
        batch->new_memory_streams++;
    else
        batch->new_streams++;
    return 0;
}

static void unstage_new(struct log *log, struct put_stream *put) {
    map_remove(&log->by_name, log_stream_name(put->stream));
    map64_remove(&log->by_id, put->stream->id);
    stream_free(put->stream);
}

/* --- changing -------------------------------------------------------------------------------- */

static int stage_limits(struct log_batch *batch, struct put_stream *put) {
    struct log_stream *stream = put->stream;
    int failed = retention_prepare_limits(batch, stream, &put->limits);
    if (failed)
        return failed;
    uint64_t most = put->limits.messages_per_subject_max;
    const struct log_limits *now = stream->plan.limits ? stream->plan.limits : &stream->limits;
    uint64_t before = now->messages_per_subject_max;
    unsigned history = history_for(&put->limits);
    if (history == stream->subjects.history && (!most || (before && most >= before)))
        return 0;
    if (stream->plan.changes) /* the pass below sees the stream as it is */
        return -EBUSY;
    subjects_init(&put->subjects, stream->subjects.key, history);
    failed = retention_find_over(stream, most, &put->subjects, &put->kills);
    if (!failed)
        failed = batch_reserve_bits(batch, stream->count);
    if (!failed)
        failed = stream_deaths_reserve(stream, stream->plan.kills + put->kills.count);
    if (failed)
        return failed;
    stream->plan.kills += put->kills.count;
    put->rebuilt = true;
    return 0;
}

static int stage_put(struct log_batch *batch, struct put_stream *put, const struct record *record,
                     bool in_memory) {
    struct log_stream *stream = map_find(&batch->log->by_name, record->subject);
    if (!stream)
        return stage_new(batch, put, record, in_memory);
    put->stream = stream;
    batch_plan(batch, stream);
    if (stream->plan.removed || stream->in_memory != in_memory || stream->plan.table)
        return -EBUSY;
    return stage_limits(batch, put);
}

int batch_stage_put(struct log_batch *batch, const struct record *record,
                    const struct log_limits *limits, bool in_memory,
                    struct log_stream **ret_stream) {
    int failed = batch_reserve(batch);
    if (failed)
        return failed;
    struct put_stream *put = put_new(record->payload, limits);
    if (!put)
        return -ENOMEM;
    failed = stage_put(batch, put, record, in_memory);
    struct record numbered = *record;
    if (!failed) {
        numbered.id = put->stream->id;
        failed = in_memory ? 0 : batch_journal_put(batch, &numbered);
        if (failed && put->created) {
            unstage_new(batch->log, put);
            if (in_memory)
                batch->new_memory_streams--;
            else
                batch->new_streams--;
        }
    }
    if (failed) {
        put_free(put);
        return failed;
    }
    struct stream_plan *plan = batch_plan(batch, put->stream);
    plan->limits = &put->limits;
    plan->table = put->rebuilt ? &put->subjects : NULL;
    plan->changes++;
    batch->changes[batch->count++] =
        (struct change){.kind = RECORD_PUT_STREAM, .stream = put->stream, .put = put};
    *ret_stream = put->stream;
    return 0;
}

/* --- applying -------------------------------------------------------------------------------- */

static void list_stream(struct log *log, struct log_stream *stream) {
    list_push_back(&log->streams, &stream->node);
    stream->listed = true;
    if (stream->in_memory)
        log->next_memory_id = (stream->id & ~STREAM_MEMORY_ID) + 1;
    else
        log->next_id = stream->id + 1;
}

void put_stream_apply(struct log *log, struct change *change) {
    struct put_stream *put = change->put;
    struct log_stream *stream = put->stream;
    if (put->created)
        list_stream(log, stream);
    slice old = stream->config;
    stream->config = put->config;
    put->config = old;
    log->aged_streams += (put->limits.age_max_ns != 0);
    log->aged_streams -= (!put->created && stream->limits.age_max_ns != 0);
    stream->limits = put->limits;
    if (put->rebuilt) {
        struct subjects subjects = stream->subjects;
        stream->subjects = put->subjects;
        put->subjects = subjects;
        retention_apply_kills(stream, &put->kills);
    }
    retention_apply_limits(stream);
    put_free(put);
    retention_schedule(log);
}

void put_stream_forget(struct log *log, struct change *change) {
    struct put_stream *put = change->put;
    if (put->created)
        unstage_new(log, put);
    put_free(put);
}

void remove_stream_apply(struct log *log, struct log_stream *stream) {
    stream->removed = true;
    for (uint32_t i = 0; i < stream->count; i++)
        if (stream_block(stream, i)->segment)
            erase_left(stream_block(stream, i));
    map_remove(&log->by_name, log_stream_name(stream));
    map64_remove(&log->by_id, stream->id);
    list_remove(&stream->node);
    log->aged_streams -= (stream->limits.age_max_ns != 0);
    retention_schedule(log);
}
