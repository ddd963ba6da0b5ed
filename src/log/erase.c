/*
 * erase.c - see erase.h.
 *
 * Everything is driven by one timer: each time it fires, one step is made if it can be, and if not
 * the pause before the next try grows. So nothing here has to be told of by the journal, the cache
 * or a pin.
 */
#include "log/erase.h"

#include "log/compact.h"
#include "log/journal_retire.h"
#include "log/log_data.h"

#include <inttypes.h>

static void fire(struct io_timer *timer);

void erase_init(struct log *log) {
    list_init(&log->erasure.blocks);
}

static void arm(struct log *log, uint64_t after_ns) {
    if (!log->closing && !log->failed)
        io_timer_start(log->loop, &log->erasure.timer, after_ns, fire);
}

void erase_start(struct log *log) {
    if (log->erasure.pending)
        arm(log, ERASE_TICK_NS);
}

void erase_stop(struct log *log) {
    io_timer_stop(log->loop, &log->erasure.timer);
}

/* --- what was erased ------------------------------------------------------------------------- */

void erase_want(struct log *log) {
    struct erasure *e = &log->erasure;
    e->pending = true;
    e->wanted = true;
    if (log->batch.position > e->position)
        e->position = log->batch.position;
    if (!log->recovering && e->state == ERASE_IDLE && !io_timer_running(&e->timer))
        arm(log, ERASE_TICK_NS);
}

static bool may_hold(const struct segment *segment, const struct log_stream *stream,
                     uint64_t position) {
    return segment->left && segment->until >= position &&
           (!segment->stream_id || segment->stream_id == stream->id);
}

void erase_mark(struct log_stream *stream, uint64_t sequence) {
    struct log *log = stream->log;
    if (stream->in_memory || !stream_lives(stream, sequence))
        return;
    struct block *block = stream_block_of(stream, sequence);
    uint32_t at = block_in_memory(block) ? block_find(block, sequence) : BLOCK_NONE;
    uint64_t position = at == BLOCK_NONE ? 0 : record_at_position(block->bytes + at);
    if (!list_linked(&block->erase))
        list_push_back(&log->erasure.blocks, &block->erase);
    for (unsigned i = 0; i < log->segments.count; i++) {
        struct segment *segment = log->segments.items[i];
        segment->erase |= segment == block->segment || may_hold(segment, stream, position);
    }
    erase_want(log);
}

void erase_come(const struct block *block) {
    block->segment->erase |= list_linked(&block->erase);
}

void erase_left(const struct block *block) {
    block->segment->left = true;
}

void erase_unreferred(const struct log *log, struct segment *segment) {
    segment->left = true;
    segment->erase |= log->erasure.pending;
}

/* --- blocks ---------------------------------------------------------------------------------- */

void erase_give_up(struct log *log, struct segment *segment) {
    char path[LOG_PATH_MAX];
    segment_path(&log->segments, segment->number, path);
    segment->erase = false;
    logger_write(log->logger, LOG_LEVEL_ERROR, "log",
                 "erased messages stay on disk, where nobody reads them: a damaged block keeps "
                 "their file from being written anew",
                 "file=%s", path);
}

void erase_block(struct block *block) {
    if (block->bad) {
        list_remove(&block->erase);
        erase_give_up(block->stream->log, block->segment);
    } else if (!block->live) {
        compact_leave(block);
    } else if (compact_block(block)) {
        list_remove(&block->erase);
    }
}

void erase_step(struct log *log) {
    struct list_node *node, *next;
    list_each(&log->erasure.blocks, node, next) {
        struct block *block = container_of(node, struct block, erase);
        if (block_in_memory(block) || !block->live)
            erase_block(block);
        else if (!block->moving && !list_linked(&block->queue))
            list_push_back(&log->moving, &block->queue);
    }
}

/* --- rounds ---------------------------------------------------------------------------------- */

static uint64_t count_left(const struct log *log) {
    uint64_t left = journal_stale_files(log->journal);
    for (struct list_node *node = list_first(&log->erasure.blocks); node;
         node = list_next(&log->erasure.blocks, node))
        left++;
    for (unsigned i = 0; i < log->segments.count; i++)
        if (log->segments.items[i]->erase)
            left += 1 + log->segments.items[i]->blocks;
    return left;
}

static uint64_t rest_after(uint64_t worked_ns) {
    uint64_t rest_ns = ERASE_SHARE * worked_ns;
    return rest_ns < ERASE_TICK_NS        ? ERASE_TICK_NS
           : rest_ns < ERASE_PAUSE_NS_MAX ? rest_ns
                                          : ERASE_PAUSE_NS_MAX;
}

/* A step that got nowhere is tried again, after twice the time. */
static void try_later(struct log *log) {
    struct erasure *e = &log->erasure;
    e->pause_ns = e->pause_ns < ERASE_PAUSE_NS_MAX / 2 ? 2 * e->pause_ns : ERASE_PAUSE_NS_MAX;
    arm(log, e->pause_ns);
}

static void saved(void *self, int failed) {
    struct log *log = self;
    struct erasure *e = &log->erasure;
    uint64_t now_ns = io_host_clock_ns(log->host), before = e->left;
    if (log->closing || log->failed)
        return;
    e->left = count_left(log);
    bool marked = e->state == ERASE_SAVING && !failed;
    if (marked && !journal_stale_files(log->journal) && (e->wanted || !e->left)) {
        e->state = ERASE_IDLE;
        e->pending = e->wanted;
        if (e->wanted)
            arm(log, rest_after(now_ns - e->began_ns));
        return;
    }
    if (failed || e->left >= before) {
        try_later(log);
        return;
    }
    e->pause_ns = rest_after(now_ns - e->step_ns);
    arm(log, e->pause_ns);
}

static bool mark(struct log *log) {
    struct log_batch *batch;
    if (log_batch_begin(log, &batch))
        return false;
    if (batch_stage_erase_mark(batch)) {
        log_batch_abandon(batch);
        return false;
    }
    log_batch_commit(batch, NULL);
    return true;
}

/* False: it has to wait. */
static bool step(struct log *log) {
    struct erasure *e = &log->erasure;
    if (pin_holds(log))
        return false;
    if (e->state == ERASE_IDLE) {
        if (journal_synced_position(log->journal) < e->position)
            return false;
        e->wanted = false;
        e->left = UINT64_MAX;
        e->began_ns = io_host_clock_ns(log->host);
        e->state = ERASE_RETIRING;
        journal_retire(log->journal);
    }
    if (e->state == ERASE_RETIRING) {
        if (!journal_retired(log->journal))
            return false;
        e->state = ERASE_MARKING;
    }
    if (e->state == ERASE_MARKING && mark(log)) /* where it finds no room a checkpoint makes some */
        e->state = ERASE_SAVING;
    e->step_ns = io_host_clock_ns(log->host);
    checkpoint_request(&log->checkpoint, saved, log);
    return true;
}

static void fire(struct io_timer *timer) {
    struct log *log = container_of(timer, struct log, erasure.timer);
    struct erasure *e = &log->erasure;
    if (log->failed || log->closing)
        return;
    if (e->state == ERASE_IDLE)
        e->pause_ns = ERASE_TICK_NS;
    if (!step(log))
        try_later(log);
}
