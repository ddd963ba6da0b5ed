/*
 * journal_write.c - one group at a time to disk; seals; and what happens when the disk fails.
 *
 *      IDLE --commit, end of turn--> WRITING --done--> next group formed? WRITING : IDLE
 *      IDLE --50 ms after the last data group--> WRITING a seal --> IDLE
 *      any  --write, sync or folder failed--> FAILED: told once, nothing is written any more
 *
 * When a group is done, the next one leaves first and only then the caller hears of the first, so
 * that the disk works while acknowledgements go out.
 *
 * THE MARK. After a failed sync the pages may be gone from the way to the disk and still be in the
 * page cache: a restarted node would read a good group, believe it, and lose it at the next power
 * cut, with good groups behind it. So the failing group's place and crc are left in journal/failed
 * (if the disk still takes that), and recovery wipes exactly that group, which was never
 * acknowledged, before it looks at anything.
 */
#include "log/journal_internal.h"

#include "log/journal_mark.h"
#include "log/journal_scan.h"

#include <errno.h>

/* --- on the sync worker ----------------------------------------------------------------------- */

static void run_write(struct io_job *job) {
    struct journal_buffer *buffer = container_of(job, struct journal_buffer, job);
    struct journal *journal = buffer->journal;
    uint64_t began_ns = io_host_clock_ns(journal->host);
    journal_group_encode(&buffer->group, buffer->bytes);
    buffer->failed = io_file_write(buffer->file->file, buffer->bytes, buffer->group.length,
                                   buffer->group.offset);
    if (!buffer->failed)
        buffer->failed = io_file_sync(buffer->file->file);
    if (buffer->failed)
        journal_mark_leave(journal->host, journal->options.directory, &buffer->group,
                           buffer->bytes);
    buffer->write_ns = io_host_clock_ns(journal->host) - began_ns;
}

/* --- on the loop ------------------------------------------------------------------------------ */

void journal_fail(struct journal *journal, int code, uint64_t file, uint64_t offset,
                  const char *what) {
    if (journal->failed)
        return;
    journal->failed = code;
    journal_damage(&journal->error, code, file, offset, "%s: %s", what, error_name(code));
    error_hint(&journal->error, "restart the node once the disk works again: what was "
                                "acknowledged is safe");
    io_timer_stop(journal->options.loop, &journal->seal_timer);
    if (!journal->freeing)
        io_defer(journal->options.loop, &journal->task);
}

static bool forming_ready(const struct journal *journal) {
    return journal->forming && journal->forming->group.batches > 0;
}

/* The next group to write, closed; NULL where there is none. */
static struct journal_buffer *take_next(struct journal *journal) {
    struct journal_buffer *buffer = journal->pending;
    if (buffer) {
        journal->pending = buffer->next;
        if (!journal->pending)
            journal->pending_end = &journal->pending;
    } else if (forming_ready(journal)) {
        check(!journal->batch_open);
        buffer = journal->forming;
        journal->forming = NULL;
        journal_group_close(journal, buffer);
        journal_tidy(journal);
    }
    return buffer;
}

static void write_done(struct io_job *job);

/* Hands BUFFER to the worker; a refusal puts it back in front and tries again soon. */
static void submit(struct journal *journal, struct journal_buffer *buffer) {
    buffer->job = (struct io_job){.run = run_write, .done = write_done};
    buffer->next = NULL;
    journal->writing = buffer;
    if (io_worker_submit(journal->sync_worker, &buffer->job) == 0) {
        journal->refusals = 0;
        return;
    }
    journal->writing = NULL;
    buffer->next = journal->pending;
    if (!journal->pending)
        journal->pending_end = &buffer->next;
    journal->pending = buffer;
    if (++journal->refusals > JOURNAL_REFUSALS_MAX)
        journal_fail(journal, -EAGAIN, buffer->group.file, buffer->group.offset,
                     "the journal's thread takes no more work");
    else
        io_timer_start(journal->options.loop, &journal->retry_timer, JOURNAL_RESUBMIT_NS,
                       journal_on_retry_timer);
}

static bool write_next(struct journal *journal) {
    if (journal->failed || journal->writing)
        return journal->writing != NULL;
    struct journal_buffer *buffer = take_next(journal);
    if (!buffer)
        return false;
    submit(journal, buffer);
    return true;
}

/* Writes an empty group behind the last one, unless it is a seal itself or there is no place. */
static bool write_seal(struct journal *journal) {
    if (journal->sealed)
        return false;
    struct journal_buffer *seal = &journal->seal;
    uint64_t offset = journal->tail_offset;
    struct journal_file *file =
        journal_find_place(journal, journal->tail, &offset, JOURNAL_SECTOR, 0);
    if (!file)
        return false;
    seal->file = file;
    seal->group = (struct journal_group){
        .offset = offset, .used = JOURNAL_GROUP_HEADER, .flags = JOURNAL_GROUP_SEAL};
    journal_group_close(journal, seal);
    submit(journal, seal);
    return true;
}

void journal_write_arm_seal(struct journal *journal) {
    journal->idle_since_ns = io_loop_now_ns(journal->options.loop);
    if (!journal->sealed && !journal->closing && !io_timer_running(&journal->seal_timer))
        io_timer_start(journal->options.loop, &journal->seal_timer, JOURNAL_SEAL_IDLE_NS,
                       journal_on_seal_timer);
}

static void count(struct journal *journal, const struct journal_buffer *buffer) {
    bool seal = buffer == &journal->seal;
    journal->stats.groups += !seal;
    journal->stats.seals += seal;
    journal->stats.bytes += buffer->group.length;
    journal->stats.sync_ns += buffer->write_ns;
}

static void write_done(struct io_job *job) {
    struct journal_buffer *buffer = container_of(job, struct journal_buffer, job);
    struct journal *journal = buffer->journal;
    journal->writing = NULL;
    if (buffer->failed) {
        journal_fail(journal, buffer->failed, buffer->group.file, buffer->group.offset,
                     "the journal could not be written");
        journal_buffer_release(journal, buffer);
        if (journal->closing && !journal->freeing)
            io_defer(journal->options.loop, &journal->task);
        return;
    }
    uint64_t last = buffer->group.last_position;
    bool seal = buffer == &journal->seal;
    journal->written_file = buffer->group.file;
    count(journal, buffer);
    journal_buffer_release(journal, buffer);
    if (journal->freeing)
        return;
    bool more = write_next(journal);
    journal->synced_position = more || forming_ready(journal) ? last : journal->next_position - 1;
    if (!more && journal->closing)
        io_defer(journal->options.loop, &journal->task);
    else if (!more)
        journal_write_arm_seal(journal);
    if (!seal && !journal->failed)
        journal->options.on_synced(journal->options.self, last);
}

static void finish_close(struct journal *journal) {
    void (*done)(void *self, int failed) = journal->close_done;
    journal->close_done = NULL;
    if (done)
        done(journal->close_self, journal->failed);
}

void journal_task(struct io_task *task) {
    struct journal *journal = container_of(task, struct journal, task);
    if (journal->failed && !journal->failure_told) {
        journal->failure_told = true;
        if (journal->closing)
            io_defer(journal->options.loop, &journal->task);
        journal->options.on_failed(journal->options.self, &journal->error);
        return;
    }
    if (write_next(journal) || !journal->closing || journal->writing)
        return;
    if (journal->failed || !write_seal(journal))
        finish_close(journal);
}

void journal_on_seal_timer(struct io_timer *timer) {
    struct journal *journal = container_of(timer, struct journal, seal_timer);
    if (journal->failed || journal->writing || journal->pending || forming_ready(journal))
        return; /* when that is done the timer is armed again */
    uint64_t idle_ns = io_loop_now_ns(journal->options.loop) - journal->idle_since_ns;
    if (idle_ns < JOURNAL_SEAL_IDLE_NS) {
        io_timer_start(journal->options.loop, &journal->seal_timer, JOURNAL_SEAL_IDLE_NS - idle_ns,
                       journal_on_seal_timer);
        return;
    }
    for (struct journal_buffer **at = &journal->spare; *at;) {
        struct journal_buffer *spare = *at;
        if (spare->capacity <= JOURNAL_BUFFER_IDLE_MAX) {
            at = &spare->next;
            continue;
        }
        *at = spare->next;
        journal->spare_count--;
        journal_buffer_free(spare);
    }
    (void)write_seal(journal);
}

void journal_on_retry_timer(struct io_timer *timer) {
    struct journal *journal = container_of(timer, struct journal, retry_timer);
    if (journal->failed)
        return;
    bool had_no_space = journal->no_space;
    journal->no_space = false;
    journal_tidy(journal);
    bool wrote = write_next(journal);
    if (!wrote && journal->closing)
        io_defer(journal->options.loop, &journal->task);
    else if (had_no_space && !journal->work && journal->options.on_room && !journal->closing)
        journal->options.on_room(journal->options.self);
}
