/*
 * age.c - messages leave a stream when they are old.
 *
 * The clock must not decide anything at recovery, so age is no rule of an append: once a second a
 * timer looks at the streams that have an age limit and commits an ordinary trim for each whose
 * front is too old. A message thus outlives its age by at most a second. Blocks that are old as a
 * whole are recognised by their last time; in the block where old and young meet the records are
 * looked at. One commit trims at most RETENTION_AGE_BLOCKS of a stream; where more is old, the
 * next follows a millisecond later, so that a node that starts after a long rest stays awake.
 */
#include "log/log_data.h"

#include <errno.h>

#define AGE_MORE_NS 1000000u

/* The first sequence of STREAM that is younger than CUTOFF, as far as eight blocks tell. */
static uint64_t age_target(struct log_stream *stream, int64_t cutoff, bool *ret_more) {
    uint64_t target = stream->staged.first;
    uint32_t at = stream_block_index(stream, target);
    for (unsigned looked = 0; at < stream->count; at++) {
        struct block *block = stream_block(stream, at);
        if (!block->live)
            continue;
        if (block->first_time >= cutoff)
            return target;
        if (block->last_time < cutoff) {
            target = block->last + 1;
            if (++looked < RETENTION_AGE_BLOCKS)
                continue;
            *ret_more = true;
            return target;
        }
        if (cache_need(&stream->log->cache, block))
            return target;
        uint32_t from = block_find_from(block, target);
        for (; from < block->length; from += record_at_length(block->bytes + from)) {
            if (record_at_time_ns(block->bytes + from) >= cutoff)
                break;
            target = record_at_sequence(block->bytes + from) + 1;
        }
        return target;
    }
    return target;
}

static int age_batch(struct log *log, struct log_batch *batch, int64_t now, bool *ret_more) {
    int failed = 0;
    struct list_node *node, *next;
    list_each(&log->streams, node, next) {
        struct log_stream *stream = container_of(node, struct log_stream, node);
        uint64_t age = stream->limits.age_max_ns;
        if (!age || !stream->staged.messages || age > (uint64_t)now)
            continue;
        uint64_t target = age_target(stream, now - (int64_t)age, ret_more);
        if (target > stream->staged.first && !failed)
            failed = log_batch_trim(batch, stream, target);
    }
    return failed;
}

static void age_fire(struct io_timer *timer) {
    struct log *log = container_of(timer, struct log, age_timer);
    bool more = false;
    struct log_batch *batch = NULL;
    if (log_batch_begin(log, &batch) == 0) {
        int failed = age_batch(log, batch, io_loop_wall_ns(log->loop), &more);
        /* What did not fit (journal, memory) is still old at the next tick. */
        if (batch->count)
            log_batch_commit(batch, NULL);
        else
            log_batch_abandon(batch);
        if (failed)
            more = false;
    }
    if (!log->failed && !log->closing)
        io_timer_start(log->loop, timer, more ? AGE_MORE_NS : RETENTION_AGE_TICK_NS, age_fire);
}

void retention_schedule(struct log *log) {
    if (!log->aged_streams || log->recovering)
        retention_stop(log);
    else if (!io_timer_running(&log->age_timer))
        io_timer_start(log->loop, &log->age_timer, AGE_MORE_NS, age_fire);
}

void retention_stop(struct log *log) {
    io_timer_stop(log->loop, &log->age_timer);
}
