/*
 * checkpoint.c - when and how memory goes to disk; checkpoint.h has the drawing.
 *
 * WHEN: unsaved bytes pass half the high mark, the journal is half full, checkpoint_idle_ns have
 * gone by since the first unsaved change, somebody asks, or the log closes. Publishers are pushed
 * back only at the high mark itself, so a checkpoint normally ends before anybody waits.
 *
 * Every dirty block is written whole, to a new place. A tail that is saved half full is written
 * again, grown, next time; its first copy is then dead space in a segment, which compaction gets
 * back. So a stream with one message a minute does not leave a trail of tiny blocks.
 *
 * FAILURE of any step leaves memory, journal and the previous checkpoint as they were: old places
 * stay valid, segments touched are sealed (segment.h), the next try comes after a second.
 */
#include "log/checkpoint.h"

#include "base/mem.h"
#include "log/compact.h"
#include "log/log_data.h"
#include "log/wipe.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

static void checkpoint_start(struct io_task *task);
static void checkpoint_run(struct io_job *job);
static void checkpoint_done(struct io_job *job);

int checkpoint_init(struct checkpoint *c, struct log *log) {
    *c = (struct checkpoint){.log = log,
                             .start = {.run = checkpoint_start},
                             .job = {.run = checkpoint_run, .done = checkpoint_done},
                             .text = buf_make(CHECKPOINT_BYTES_MAX)};
    return io_worker_create(log->loop, "nonet-writer", &c->worker);
}

/* --- freezing -------------------------------------------------------------------------------- */

static uint64_t stream_unsaved(const struct log_stream *stream) {
    uint64_t bytes = 0;
    for (uint32_t i = stream->count; i-- > 0;)
        bytes += block_unsaved(stream_block(stream, i));
    return bytes;
}

static int writes_reserve(struct checkpoint *c, size_t count) {
    if (c->write_room >= count)
        return 0;
    size_t room = c->write_room ? c->write_room : 64;
    while (room < count)
        room *= 2;
    mem_free(c->writes);
    c->write_room = 0;
    c->writes = mem_alloc(room * sizeof(*c->writes));
    if (!c->writes)
        return -ENOMEM;
    c->write_room = room;
    return 0;
}

/* A block nobody lives in is not written; deletions of it that are not on disk yet come first. */
static bool worth_writing(const struct block *block) {
    return block->live && block_dirty(block);
}

static size_t count_dirty(struct log *log) {
    size_t dirty = 0;
    struct list_node *node, *next;
    list_each(&log->streams, node, next) {
        struct log_stream *stream = container_of(node, struct log_stream, node);
        if (stream->in_memory)
            continue;
        for (uint32_t i = 0; i < stream->count; i++)
            dirty += worth_writing(stream_block(stream, i));
    }
    return dirty;
}

static int place_block(struct checkpoint *c, struct log_stream *stream, struct block *block,
                       bool large) {
    struct segments *segments = &c->log->segments;
    struct segment **open = large ? &stream->open : &segments->shared;
    uint64_t offset = 0;
    int failed = segments_place(segments, open, large ? stream->id : 0, block->length, &offset);
    if (failed)
        return failed;
    if ((*open)->until < c->position)
        (*open)->until = c->position;
    struct segment_write *write = &c->writes[c->write_count++];
    *write = (struct segment_write){.block = block,
                                    .bytes = block->bytes,
                                    .segment = *open,
                                    .header = {.stream_id = stream->id,
                                               .count = block->count,
                                               .length = block->length,
                                               .first = block->first,
                                               .last = block->last,
                                               .first_time = block->first_time,
                                               .last_time = block->last_time,
                                               .offset = offset}};
    block->write = write;
    return 0;
}

static int place_all(struct checkpoint *c) {
    struct list_node *node, *next;
    list_each(&c->log->streams, node, next) {
        struct log_stream *stream = container_of(node, struct log_stream, node);
        if (stream->in_memory)
            continue;
        bool large = stream_unsaved(stream) >= CHECKPOINT_LARGE_BYTES;
        for (uint32_t i = 0; i < stream->count; i++) {
            struct block *block = stream_block(stream, i);
            bool writes = worth_writing(block);
            if (block->segment && (writes || !block->live)) /* what is frozen does not name it */
                erase_left(block);
            int failed = writes ? place_block(c, stream, block, large) : 0;
            if (failed)
                return failed;
        }
    }
    return 0;
}

static int by_place(const void *left, const void *right) {
    const struct segment_write *a = left;
    const struct segment_write *b = right;
    if (a->segment->number != b->segment->number)
        return a->segment->number < b->segment->number ? -1 : 1;
    return a->header.offset < b->header.offset ? -1 : 1;
}

static void sort_writes(struct checkpoint *c) {
    if (!c->write_count)
        return;
    qsort(c->writes, c->write_count, sizeof(*c->writes), by_place);
    for (size_t i = 0; i < c->write_count; i++)
        c->writes[i].block->write = &c->writes[i];
}

static void forget_open(struct log *log, struct segment *segment) {
    if (log->segments.shared == segment)
        log->segments.shared = NULL;
    struct log_stream *stream =
        segment->stream_id ? map64_find(&log->by_id, segment->stream_id) : NULL;
    if (stream && stream->open == segment)
        stream->open = NULL;
}

void checkpoint_seal(struct log *log, struct segment *segment) {
    segment->sealed = true;
    forget_open(log, segment);
}

/* Segments that this checkpoint will not name; while somebody copies them, none. */
static int choose_doomed(struct checkpoint *c) {
    struct segments *s = &c->log->segments;
    mem_free(c->doomed);
    c->doomed_count = 0;
    c->doomed = mem_alloc((s->count + 1) * sizeof(struct segment *));
    if (!c->doomed)
        return -ENOMEM;
    for (unsigned i = 0; i < s->count && !pin_holds(c->log); i++) {
        struct segment *segment = s->items[i];
        if (segment->blocks || segment->touched || segment->users)
            continue;
        segment->doomed = true;
        checkpoint_seal(c->log, segment);
        c->doomed[c->doomed_count++] = segment;
    }
    return 0;
}

static int freeze(struct checkpoint *c) {
    c->write_count = 0;
    c->doomed_count = 0;
    c->position = c->log->durable_position;
    int failed = writes_reserve(c, count_dirty(c->log));
    if (!failed)
        failed = place_all(c);
    if (failed)
        return failed;
    sort_writes(c);
    failed = choose_doomed(c);
    if (failed)
        return failed;
    buf_clear(&c->text);
    failed = checkpoint_encode(c->log, c);
    c->frozen_bytes = c->text.len;
    for (size_t i = 0; i < c->write_count; i++)
        c->frozen_bytes += BLOCK_HEADER_SIZE + c->writes[i].header.length;
    return failed;
}

/* --- after it: success and failure ----------------------------------------------------------- */

static void move_block(struct log *log, const struct segment_write *write) {
    struct block *block = write->block;
    log->unsaved_bytes -= block_unsaved(block);
    if (block->segment) {
        struct segment *old = block->segment;
        old->blocks--;
        old->live -= block->live_bytes < old->live ? block->live_bytes : old->live;
        erase_left(block);
    }
    block->segment = write->segment;
    block->segment->blocks++;
    block->segment->live += block->live_bytes;
    erase_come(block);
    block->offset = write->header.offset;
    block->saved_length = write->header.length;
    block->crc = write->header.data_crc;
    block->changed = false;
    log->unsaved_bytes += block_unsaved(block);
    if (block_in_memory(block) && !block_dirty(block))
        cache_touch(&log->cache, block);
}

static void release_writes(struct checkpoint *c, bool success) {
    for (size_t i = 0; i < c->write_count; i++) {
        struct segment_write *write = &c->writes[i];
        struct block *block = write->block;
        if (block)
            block->write = NULL;
        if (block && success)
            move_block(c->log, write);
        else
            erase_unreferred(c->log, write->segment);
        if (write->owned)
            mem_free((void *)(uintptr_t)write->bytes);
    }
    c->write_count = 0;
}

static void release_segments(struct checkpoint *c, bool success) {
    struct segments *s = &c->log->segments;
    for (unsigned i = 0; i < c->doomed_count; i++) {
        c->doomed[i]->doomed = false;
        if (success && !c->doomed[i]->users)
            segments_remove(s, c->doomed[i]);
    }
    c->doomed_count = 0;
    for (unsigned i = 0; i < s->count; i++) {
        struct segment *segment = s->items[i];
        if (segment->touched && success)
            segment->fresh = false;
        if (segment->touched && !success) {
            segment->doubtful = true;
            checkpoint_seal(c->log, segment);
        }
        segment->touched = false;
    }
}

static void take_waiters(struct checkpoint *c) {
    memcpy(c->waiters, c->next_waiters, c->next_waiter_count * sizeof(*c->waiters));
    c->waiter_count = c->next_waiter_count;
    c->next_waiter_count = 0;
}

static void tell_waiters(struct checkpoint *c, int failed) {
    unsigned count = c->waiter_count;
    struct checkpoint_waiter waiters[CHECKPOINT_WAITERS_MAX];
    memcpy(waiters, c->waiters, count * sizeof(*waiters));
    c->waiter_count = 0;
    for (unsigned i = 0; i < count; i++)
        if (waiters[i].done)
            waiters[i].done(waiters[i].self, failed);
}

void checkpoint_tell_rest(struct checkpoint *c, int failed) {
    tell_waiters(c, failed);
    take_waiters(c);
    tell_waiters(c, failed);
}

static void retry_fire(struct io_timer *timer) {
    struct checkpoint *c = container_of(timer, struct checkpoint, retry);
    io_defer(c->log->loop, &c->start);
}

static void checkpoint_over(struct checkpoint *c, int failed) {
    struct log *log = c->log;
    c->state = CHECKPOINT_IDLE;
    release_writes(c, !failed);
    release_segments(c, !failed);
    buf_free(&c->text);
    c->ns += io_host_clock_ns(log->host) - c->started_ns;
    if (failed) {
        c->failed_count++;
        c->again = false;
        log->disk_full |= failed == -ENOSPC || failed == -EDQUOT;
        logger_write(log->logger, LOG_LEVEL_ERROR, "log",
                     "checkpoint failed, nothing is lost, trying again", "error=%s directory=%s",
                     error_name(failed), log->directory);
        if (!log->closing && !log->failed)
            io_timer_start(log->loop, &c->retry, CHECKPOINT_RETRY_NS, retry_fire);
    } else {
        c->done_count++;
        c->bytes += c->frozen_bytes;
        c->saved_position = c->position;
        log->disk_full = false;
        journal_recycle(log->journal, c->position);
    }
    if (log->failed)
        checkpoint_tell_rest(c, -EROFS);
    else
        tell_waiters(c, failed);
    if (log->closing) {
        log_close_step(log);
        return;
    }
    if (log->failed)
        return;
    log_room(log);
    if (c->again || (!failed && log->durable_position > c->saved_position)) {
        bool again = c->again;
        c->again = false;
        if (again)
            io_defer(log->loop, &c->start);
        else
            checkpoint_consider(c);
    }
}

/* --- the writer ------------------------------------------------------------------------------ */

/* Files begun by this checkpoint are named by no other: on a full disk what they hold may be all
   the room that a smaller one, after a purge, needs. */
static void remove_begun(struct checkpoint *c) {
    const struct segment *last = NULL;
    for (size_t i = 0; i < c->write_count; i++) {
        const struct segment *segment = c->writes[i].segment;
        if (segment == last || !segment->fresh)
            continue;
        last = segment;
        char path[LOG_PATH_MAX];
        segment_path(&c->log->segments, segment->number, path);
        (void)!io_unlink(c->log->host, path); /* it may not have come into being */
    }
}

static void checkpoint_run(struct io_job *job) {
    struct checkpoint *c = container_of(job, struct checkpoint, job);
    struct log *log = c->log;
    c->failed = segments_write(&log->segments, c->writes, c->write_count);
    if (c->failed) {
        remove_begun(c);
        return;
    }
    for (size_t i = 0; i < c->write_count; i++)
        record_put_u32(c->text.ptr + c->writes[i].crc_at, c->writes[i].header.data_crc);
    c->failed = checkpoint_replace(log->host, log->directory, &c->text);
    for (unsigned i = 0; i < c->doomed_count && !c->failed; i++) {
        char path[LOG_PATH_MAX];
        segment_path(&log->segments, c->doomed[i]->number, path);
        if (c->doomed[i]->erase)
            (void)!wipe_path(log->host, path); /* it goes anyway */
        (void)!io_unlink(log->host, path);     /* what stays behind is removed at the next open */
    }
}

static void checkpoint_done(struct io_job *job) {
    struct checkpoint *c = container_of(job, struct checkpoint, job);
    if (!c->worker) { /* the log is being thrown away */
        release_writes(c, false);
        c->state = CHECKPOINT_IDLE;
        return;
    }
    checkpoint_over(c, c->log->failed && !c->failed ? -EROFS : c->failed);
}

void checkpoint_fail(struct checkpoint *c) {
    checkpoint_stop(c);
    if (c->state == CHECKPOINT_FROZEN) /* what it waits for will not come */
        checkpoint_over(c, -EROFS);
}

static void submit(struct checkpoint *c) {
    c->state = CHECKPOINT_WRITING;
    int failed = io_worker_submit(c->worker, &c->job);
    if (failed)
        checkpoint_over(c, failed);
}

void checkpoint_now(struct checkpoint *c) {
    struct log *log = c->log;
    if (log->failed) {
        if (c->state == CHECKPOINT_IDLE) /* else the one under way tells all when it is over */
            checkpoint_tell_rest(c, -EROFS);
        return;
    }
    if (c->state != CHECKPOINT_IDLE || log->batch.active) {
        c->again = true;
        return;
    }
    io_timer_stop(log->loop, &c->idle);
    io_timer_stop(log->loop, &c->retry);
    c->started_ns = io_host_clock_ns(log->host);
    take_waiters(c);
    erase_step(log);
    compact_step(log);
    int failed = freeze(c);
    uint64_t stood = io_host_clock_ns(log->host) - c->started_ns;
    c->stall_ns_max = stood > c->stall_ns_max ? stood : c->stall_ns_max;
    if (failed) {
        checkpoint_over(c, failed);
        return;
    }
    c->state = CHECKPOINT_FROZEN;
    checkpoint_synced(c, journal_synced_position(log->journal));
}

static void checkpoint_start(struct io_task *task) {
    checkpoint_now(container_of(task, struct checkpoint, start));
}

void checkpoint_synced(struct checkpoint *c, uint64_t position) {
    if (c->state == CHECKPOINT_FROZEN && position >= c->position)
        submit(c);
}

/* --- when ------------------------------------------------------------------------------------ */

static void idle_fire(struct io_timer *timer) {
    struct checkpoint *c = container_of(timer, struct checkpoint, idle);
    io_defer(c->log->loop, &c->start);
}

void checkpoint_consider(struct checkpoint *c) {
    struct log *log = c->log;
    log_judge_room(log);
    if (c->state != CHECKPOINT_IDLE || log->recovering || io_timer_running(&c->retry))
        return;
    if (log->unsaved_bytes > log->options.unsaved_high_bytes / 2 ||
        journal_used_bytes(log->journal) > journal_capacity(log->journal) / 2)
        io_defer(log->loop, &c->start);
    else if (!io_timer_running(&c->idle))
        io_timer_start(log->loop, &c->idle, log->options.checkpoint_idle_ns, idle_fire);
}

void checkpoint_press(struct checkpoint *c) {
    if (c->state == CHECKPOINT_IDLE && !io_timer_running(&c->retry) &&
        c->log->durable_position > c->saved_position)
        io_defer(c->log->loop, &c->start);
}

void checkpoint_request(struct checkpoint *c, void (*done)(void *self, int failed), void *self) {
    if (c->next_waiter_count == CHECKPOINT_WAITERS_MAX) {
        done(self, -EAGAIN);
        return;
    }
    c->next_waiters[c->next_waiter_count++] = (struct checkpoint_waiter){done, self};
    io_defer(c->log->loop, &c->start);
}

void checkpoint_stop(struct checkpoint *c) {
    struct io_loop *loop = c->log->loop;
    io_timer_stop(loop, &c->idle);
    io_timer_stop(loop, &c->retry);
    io_defer_cancel(loop, &c->start);
}

void checkpoint_free(struct checkpoint *c) {
    if (!c->log)
        return;
    checkpoint_stop(c);
    struct io_worker *worker = c->worker;
    c->worker = NULL; /* checkpoint_done sees that nobody waits any more */
    io_worker_free(worker);
    if (c->state == CHECKPOINT_FROZEN)
        release_writes(c, false);
    buf_free(&c->text);
    mem_free(c->writes);
    mem_free(c->doomed);
    *c = (struct checkpoint){0};
}
