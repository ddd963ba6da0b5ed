/*
 * journal.c - opening, closing and figures; see journal_internal.h for how the parts lie.
 *
 * There are two ways to the end. journal_close writes what has formed and a seal, in turns of the
 * loop, so that the next open knows that nothing is missing; journal_free is what a kill looks
 * like from inside: the write under way is waited for (its memory is ours), nothing else.
 */
#include "log/journal_internal.h"

#include "base/mem.h"

#include <errno.h>

static struct journal *journal_new(const struct journal_options *options) {
    struct journal *journal = mem_zalloc(1, sizeof *journal);
    char *directory = journal ? mem_copy(options->directory, strlen(options->directory)) : NULL;
    if (!directory) {
        mem_free(journal);
        return NULL;
    }
    journal->options = *options;
    journal->options.directory = directory;
    journal->host = io_loop_host(options->loop);
    journal->reserve_bytes = journal_round_up(options->file_bytes / 32);
    if (journal->reserve_bytes < 4 * JOURNAL_SECTOR)
        journal->reserve_bytes = 4 * JOURNAL_SECTOR;
    list_init(&journal->chain);
    journal->pending_end = &journal->pending;
    journal->task.run = journal_task;
    journal->seal.journal = journal;
    return journal;
}

/* What must be there before the first batch: threads, and the memory of a seal. */
static int start_workers(struct journal *journal, struct error *ret_error) {
    struct io_loop *loop = journal->options.loop;
    journal->seal.capacity = JOURNAL_SECTOR;
    journal->seal.bytes = mem_alloc_aligned(JOURNAL_SECTOR, IO_DIRECT_BYTES);
    int failed = journal->seal.bytes ? 0 : -ENOMEM;
    if (!failed)
        failed = io_worker_create(loop, "nonet-sync", &journal->sync_worker);
    if (!failed)
        failed = io_worker_create(loop, "nonet-journal", &journal->file_worker);
    if (failed)
        error_set(ret_error, failed, "cannot start the journal's threads: %s", error_name(failed));
    return failed;
}

int journal_open(const struct journal_options *options, struct journal **ret_journal,
                 struct error *ret_error) {
    check(options->file_bytes >= JOURNAL_FILE_BYTES_MIN && options->files >= 2);
    check(options->file_bytes % JOURNAL_SECTOR == 0);
    check(options->replay && options->on_synced && options->on_failed);
    struct journal *journal = journal_new(options);
    if (!journal)
        return error_set(ret_error, -ENOMEM, "no memory for the journal");
    int failed = journal_recover(journal, ret_error);
    if (!failed)
        failed = start_workers(journal, ret_error);
    if (failed) {
        journal_free(journal);
        return failed;
    }
    journal_write_arm_seal(journal);
    journal_tidy(journal);
    *ret_journal = journal;
    return 0;
}

void journal_close(struct journal *journal, void (*done)(void *self, int failed), void *self) {
    check(!journal->batch_open && !journal->closing);
    journal->closing = true;
    journal->close_done = done;
    journal->close_self = self;
    io_timer_stop(journal->options.loop, &journal->seal_timer);
    io_defer(journal->options.loop, &journal->task);
}

static void free_buffers(struct journal_buffer *buffer) {
    while (buffer) {
        struct journal_buffer *next = buffer->next;
        if (buffer != &buffer->journal->seal)
            journal_buffer_free(buffer);
        buffer = next;
    }
}

struct journal *journal_free(struct journal *journal) {
    if (!journal)
        return NULL;
    journal->freeing = true;
    io_timer_stop(journal->options.loop, &journal->seal_timer);
    io_defer_cancel(journal->options.loop, &journal->task);
    io_worker_free(journal->sync_worker); /* runs write_done, work_done */
    io_worker_free(journal->file_worker);
    io_timer_stop(journal->options.loop, &journal->retry_timer);
    check(!journal->writing && !journal->work);
    free_buffers(journal->pending);
    free_buffers(journal->forming);
    free_buffers(journal->spare);
    mem_free(journal->seal.bytes);
    struct list_node *node;
    while ((node = list_first(&journal->chain)))
        journal_file_free(container_of(node, struct journal_file, node));
    char *directory;
    memcpy(&directory, &journal->options.directory, sizeof directory);
    mem_free(directory);
    return mem_free(journal);
}

uint64_t journal_position(const struct journal *journal) {
    return journal->next_position - 1;
}

uint64_t journal_synced_position(const struct journal *journal) {
    return journal->synced_position;
}

struct journal_stats journal_stats(const struct journal *journal) {
    struct journal_stats stats = journal->stats;
    struct list_node *node = list_first(&journal->chain);
    stats.files = journal->work != NULL;
    for (; node; node = list_next(&journal->chain, node))
        stats.files++;
    return stats;
}
