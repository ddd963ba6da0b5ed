/*
 * log_close.c - the end: in order, or at once.
 *
 *      close: no new batch -> checkpoint under way ends -> one more, if something is unsaved
 *             -> journal writes what has formed and a seal -> freed -> done
 *
 * A checkpoint that fails at the close is no loss: everything is in the journal. log_free takes
 * parts in any state, also half opened, and calls nobody.
 */
#include "base/mem.h"
#include "log/log_data.h"

#include <errno.h>

static void free_streams(struct log *log) {
    struct list_node *node;
    while ((node = list_pop_front(&log->streams)))
        stream_free(container_of(node, struct log_stream, node));
    /* Removed ones whose removal nobody has seen yet. */
    struct effects *effects[2] = {&log->effects, &log->memory_effects};
    for (unsigned i = 0; i < 2; i++) {
        for (uint64_t at = effects[i]->head; at < effects[i]->tail; at++) {
            const struct effect *effect = &effects[i]->ring[at & (effects[i]->room - 1)];
            if (effect->removed)
                stream_free(effect->stream);
        }
        effects_free(effects[i]);
    }
}

static void free_bits(struct log *log) {
    while (log->bits) {
        struct block_bits *next = log->bits->next;
        mem_free(log->bits);
        log->bits = next;
    }
}

struct log *log_free(struct log *log) {
    if (!log)
        return NULL;
    bool prepared = log->batch.log != NULL;
    if (prepared) {
        retention_stop(log);
        io_timer_stop(log->loop, &log->squeeze_timer);
        io_defer_cancel(log->loop, &log->memory_task);
        batch_free(&log->batch);
        erase_stop(log);
        checkpoint_free(&log->checkpoint);
        cache_free(&log->cache);
    }
    log->journal = journal_free(log->journal);
    if (prepared) {
        free_streams(log);
        grave_free(&log->grave);
        map_free(&log->by_name);
        map64_free(&log->by_id);
        segments_free(&log->segments);
        free_bits(log);
    }
    pin_forget(log);
    mem_free(log->scratch);
    io_file_close(log->lock);
    mem_free(log->directory);
    return mem_free(log);
}

struct log *log_abandon(struct log *log) {
    return log_free(log);
}

/* --- in order -------------------------------------------------------------------------------- */

static void finish(struct log *log) {
    void (*done)(void *self) = log->close_done;
    void *self = log->close_self;
    bool unsaved = log->durable_position > log->checkpoint.saved_position;
    checkpoint_tell_rest(&log->checkpoint, log->failed || unsaved ? -EROFS : 0);
    log_free(log);
    if (done)
        done(self);
}

static void finish_task(struct io_task *task) {
    finish(container_of(task, struct log, close_task));
}

static void journal_closed(void *self, int failed) {
    struct log *log = self;
    (void)failed; /* on_fatal has been told */
    finish(log);
}

static void close_journal(struct log *log) {
    if (log->failed) {
        log->close_task.run = finish_task;
        io_defer(log->loop, &log->close_task);
        return;
    }
    log->journal_closing = true;
    journal_close(log->journal, journal_closed, log);
}

void log_close_step(struct log *log) {
    struct checkpoint *c = &log->checkpoint;
    if (c->state != CHECKPOINT_IDLE || log->journal_closing)
        return;
    bool unsaved = log->durable_position > c->saved_position;
    if (log->failed || !unsaved || log->close_tries == 1)
        close_journal(log);
    else {
        log->close_tries++;
        checkpoint_now(c);
    }
}

void log_close(struct log *log, void (*done)(void *self), void *self) {
    check(!log->closing && !log->batch.active);
    log->closing = true;
    log->close_done = done;
    log->close_self = self;
    retention_stop(log);
    io_timer_stop(log->loop, &log->squeeze_timer);
    erase_stop(log);
    checkpoint_stop(&log->checkpoint);
    log_close_step(log);
}
