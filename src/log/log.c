/*
 * log.c - the log as a whole: marks, failure, and the small calls of log.h.
 *
 * Marks. Unsaved bytes lie in two places, the journal's files and the tails. Over the high mark of
 * either publishers are asked to pause (log_full, then on_room); over the hard mark, twice the
 * high, nothing more is taken until a checkpoint has made room.
 */
#include "log/log_data.h"

#include <errno.h>

uint64_t log_position(const struct log *log) {
    return journal_synced_position(log->journal);
}

bool log_full(const struct log *log) {
    return log->full;
}

void log_judge_room(struct log *log) {
    uint64_t capacity = journal_capacity(log->journal);
    log->full = log->unsaved_bytes > log->options.unsaved_high_bytes ||
                journal_used_bytes(log->journal) > capacity - capacity / 4;
}

void log_room(struct log *log) {
    bool was_full = log->full;
    log_judge_room(log);
    if (log->full || !(was_full || log->refused))
        return;
    log->refused = false;
    if (log->options.on_room)
        log->options.on_room(log->options.self);
}

void log_fail(struct log *log, const struct error *error) {
    if (log->failed)
        return;
    log->failed = true;
    retention_stop(log);
    visible_fail(log, error->code ? error->code : -EIO);
    if (log->options.on_fatal)
        log->options.on_fatal(log->options.self, error);
    if (log->checkpoint.state == CHECKPOINT_FROZEN)
        checkpoint_fail(&log->checkpoint); /* goes on with closing */
    else if (log->closing)
        log_close_step(log);
}

static void memory_run(struct io_task *task) {
    visible_advance_memory(container_of(task, struct log, memory_task));
}

void log_start(struct log *log) {
    log->memory_task.run = memory_run;
    retention_schedule(log);
    /* Files that the checkpoint covers, else a full tail would refuse what brings the next one. */
    journal_recycle(log->journal, log->checkpoint.saved_position);
    if (log->durable_position > log->checkpoint.saved_position)
        checkpoint_consider(&log->checkpoint);
    erase_start(log);
}

const struct log_owner *log_owner_find(const struct log *log, uint32_t id) {
    for (unsigned i = 0; i < log->options.owner_count; i++)
        if (log->owners[i].id == id)
            return &log->owners[i];
    return NULL;
}

void log_checkpoint(struct log *log, void (*done)(void *self, int failed), void *self) {
    checkpoint_request(&log->checkpoint, done, self);
}
