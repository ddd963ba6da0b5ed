/*
 * journal_recover.c - open: from what lies in the folder to a journal that can be written.
 *
 *      1 the folder is there, and its name is on disk
 *      2 a mark of a failed write is obeyed (journal_mark.h)
 *      3 files called .new, which a crash left half made, are removed
 *      4 every group is judged (journal_scan.h), and batches behind the checkpoint are replayed
 *      5 the journal must reach from the checkpoint on: begin no later, end no earlier
 *      6 the last group's file is synced: after a kill, what we have just read may be in the page
 *        cache only, and readers are about to see it
 *      7 the head of a torn group is wiped
 *
 * Nothing here changes what a second recovery would find, so a recovery that is killed is simply
 * done again. The end may be torn; the next group is written over it. What is left of the torn
 * one behind that can never pass for a group: only one group is written at a time, so behind the
 * end there was no good one, and none of its sectors starts one. The torn one itself could: on
 * sectors of 512 bytes its head may be on disk and only zeros of its padding missing, and a next
 * group that is torn in its turn may bring just those. Hence 7.
 */
#include "log/journal_internal.h"

#include "base/mem.h"
#include "log/journal_mark.h"
#include "log/journal_scan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

/* Says of the journal as a whole that files are missing. */
static int files_missing(const struct journal *journal, struct error *ret_error, const char *what,
                         uint64_t position) {
    int failed =
        error_set(ret_error, -EBADMSG,
                  "the journal %s at position %" PRIu64 ", but the checkpoint ends at %" PRIu64,
                  what, position, journal->options.from_position);
    error_place(ret_error, "%s/journal", journal->options.directory);
    error_hint(ret_error, "files of the journal are missing; put them back or restore a backup");
    return failed;
}

static int replay_group(void *self, const struct journal_group *group, slice bytes,
                        struct error *ret_error) {
    struct journal *journal = self;
    bool first = journal->next_group == 0;
    if (first && group->first_position > journal->options.from_position + 1)
        return files_missing(journal, ret_error, "begins", group->first_position);
    journal->next_group = group->number + 1;
    slice rest = slice_make(bytes.ptr + JOURNAL_GROUP_HEADER, group->used - JOURNAL_GROUP_HEADER);
    struct journal_batch batch;
    while (journal_batch_next(&rest, &batch) == 0) {
        if (batch.position <= journal->options.from_position)
            continue;
        struct error error = {0};
        int failed = journal->options.replay(journal->options.self, batch.position, batch.records,
                                             batch.changes, &error);
        if (failed && error.code == 0)
            journal_damage(&error, failed, group->file, group->offset,
                           "group %" PRIu64 ", position %" PRIu64 " cannot be replayed: %s",
                           group->number, batch.position, error_name(failed));
        if (failed && ret_error)
            *ret_error = error;
        if (failed)
            return failed;
    }
    return 0;
}

static int stop_at_damage(void *self, const struct error *error) {
    struct journal *journal = self;
    logger_write(journal->options.logger, LOG_LEVEL_ERROR, "log", "the journal is damaged",
                 "place=%s what=%s", error->place, error->message);
    return error->code;
}

/* --- reading alone ---------------------------------------------------------------------------- */

#define ENDED_BY_MARK 1 /* no errno: the scan ends, and nothing is wrong */

struct reading {
    struct journal journal;
    struct journal_mark mark;
};

static int read_group(void *self, const struct journal_group *group, slice bytes,
                      struct error *ret_error) {
    struct journal *journal = self;
    const struct reading *reading = container_of(journal, struct reading, journal);
    if (journal_mark_hits(&reading->mark, group, bytes.ptr))
        return ENDED_BY_MARK;
    return replay_group(journal, group, bytes, ret_error);
}

/* --- the folder ------------------------------------------------------------------------------- */

static int remove_half_made(void *self, const char *name) {
    struct journal *journal = self;
    char path[JOURNAL_PATH_MAX];
    if (!slice_ends_with(slice_str(name), slice_lit(".new")))
        return 0;
    int failed = journal_path_name(journal->options.directory, name, path);
    return failed ? failed : io_unlink(journal->host, path);
}

static int prepare_folder(struct journal *journal, struct error *ret_error) {
    char path[JOURNAL_PATH_MAX];
    int failed = journal_path_name(journal->options.directory, NULL, path);
    if (!failed)
        failed = io_dir_create(journal->host, path);
    if (!failed)
        failed = io_dir_sync(journal->host, journal->options.directory);
    if (!failed)
        failed = journal_mark_obey(journal->host, journal->options.directory, ret_error);
    if (failed == -EBADMSG)
        return failed;
    if (!failed)
        failed = io_dir_list(journal->host, path, remove_half_made, journal);
    if (!failed)
        failed = io_dir_sync(journal->host, path);
    if (failed) {
        error_set(ret_error, failed, "cannot prepare the journal's folder: %s", error_name(failed));
        error_place(ret_error, "%s", path);
    }
    return failed;
}

/* --- a fresh journal -------------------------------------------------------------------------- */

static int start_fresh(struct journal *journal, struct error *ret_error) {
    uint64_t bytes = journal->options.file_bytes;
    if (bytes > JOURNAL_FIRST_FILE_BYTES)
        bytes = JOURNAL_FIRST_FILE_BYTES;
    do
        io_host_random(journal->host, &journal->log_id, sizeof journal->log_id);
    while (journal->log_id == 0);
    struct journal_file *file = journal_file_new(journal, bytes);
    if (!file)
        return error_set(ret_error, -ENOMEM, "no memory for the journal");
    file->number = 1;
    int failed = journal_file_make(file);
    if (failed) {
        journal_file_free(file);
        error_set(ret_error, failed, "cannot make the journal's first file: %s",
                  error_name(failed));
        error_place(ret_error, "%s", journal->options.directory);
        return failed;
    }
    journal_chain_insert(journal, file);
    journal->next_file_number = 2;
    journal->tail = file;
    journal->tail_offset = JOURNAL_SECTOR;
    journal->next_group = journal->next_position = 1;
    journal->sealed = true;
    return 0;
}

/* --- a journal that is there ------------------------------------------------------------------ */

/* Moves the scanned files into the chain. */
static int take_files(struct journal *journal, struct journal_scan *scan) {
    for (size_t i = 0; i < scan->count; i++) {
        struct journal_scan_file *from = &scan->files[i];
        struct journal_file *file = journal_file_new(journal, from->bytes);
        if (!file)
            return -ENOMEM;
        file->number = from->number;
        file->file = from->file;
        from->file = NULL;
        file->has_groups = from->groups > 0;
        file->used = true; /* as far as we know */
        file->last_position = from->last_position;
        journal_chain_insert(journal, file);
        if (!journal->tail || file->has_groups) {
            journal->tail = file;
            journal->tail_offset = from->end;
        }
    }
    return 0;
}

/* Does the journal reach as far as the checkpoint? That it begins early enough is known. */
static int judge_end(const struct journal *journal, const struct journal_scan *scan,
                     struct error *ret_error) {
    uint64_t end = scan->any ? scan->last.last_position : 0;
    return end < journal->options.from_position ? files_missing(journal, ret_error, "ends", end)
                                                : 0;
}

static int wipe_torn(struct journal *journal, const struct journal_group *torn) {
    static const char zeros[JOURNAL_SECTOR];
    struct list_node *node, *next;
    list_each(&journal->chain, node, next) {
        struct journal_file *file = container_of(node, struct journal_file, node);
        if (file->number != torn->file)
            continue;
        int failed = io_file_write(file->file, zeros, sizeof zeros, torn->offset);
        return failed ? failed : io_file_sync(file->file);
    }
    return 0;
}

/* All that will be written to these files are groups. */
static void write_directly(struct journal *journal) {
    struct list_node *node, *next;
    list_each(&journal->chain, node, next) {
        io_file_bypass_cache(container_of(node, struct journal_file, node)->file);
    }
}

static int go_on(struct journal *journal, struct journal_scan *scan, struct error *ret_error) {
    journal->log_id = scan->log_id;
    journal->next_file_number = scan->files[scan->count - 1].number + 1;
    int failed = take_files(journal, scan);
    if (failed)
        return error_set(ret_error, failed, "no memory for the journal");
    journal->next_group = scan->any ? scan->last.number + 1 : 1;
    journal->closed_position = scan->any ? scan->last.last_position : 0;
    journal->synced_position = journal->closed_position;
    journal->next_position = journal->closed_position + 1;
    journal->previous_file = scan->any ? scan->last.file : 0;
    journal->previous_offset = scan->any ? scan->last.offset : 0;
    journal->written_file = journal->previous_file;
    journal->sealed = !scan->any || (scan->last.flags & JOURNAL_GROUP_SEAL);
    failed = io_file_sync(journal->tail->file);
    if (failed)
        return journal_damage(ret_error, failed, journal->tail->number, 0,
                              "cannot sync the file: %s", error_name(failed));
    failed = scan->torn ? wipe_torn(journal, &scan->torn_group) : 0;
    if (failed)
        return journal_damage(ret_error, failed, scan->torn_group.file, scan->torn_group.offset,
                              "cannot wipe a torn group: %s", error_name(failed));
    write_directly(journal);
    if (scan->torn)
        logger_write(journal->options.logger, LOG_LEVEL_WARN, "log",
                     "the last write was cut off before it was acknowledged; dropped",
                     "file=%08" PRIu64 ".jnl offset=%" PRIu64 " group=%" PRIu64,
                     scan->torn_group.file, scan->torn_group.offset, scan->torn_group.number);
    return 0;
}

int journal_read(struct io_host *host, const struct journal_options *options,
                 struct error *ret_error) {
    struct reading reading = {.journal = {.host = host, .options = *options},
                              .mark = journal_mark_read(host, options->directory)};
    struct journal_scan scan = {
        .host = host,
        .directory = options->directory,
        .self = &reading.journal,
        .on_group = read_group,
        .on_damage = stop_at_damage,
    };
    int failed = journal_scan_run(&scan, ret_error);
    if (failed == ENDED_BY_MARK)
        failed = 0;
    if (!failed)
        failed = judge_end(&reading.journal, &scan, ret_error);
    journal_scan_free(&scan);
    return failed;
}

int journal_recover(struct journal *journal, struct error *ret_error) {
    struct journal_scan scan = {
        .host = journal->host,
        .directory = journal->options.directory,
        .open_flags = IO_FILE_WRITE,
        .self = journal,
        .on_group = replay_group,
        .on_damage = stop_at_damage,
    };
    int failed = prepare_folder(journal, ret_error);
    if (!failed)
        failed = journal_scan_run(&scan, ret_error);
    if (!failed)
        failed = judge_end(journal, &scan, ret_error);
    if (!failed)
        failed = scan.count ? go_on(journal, &scan, ret_error) : start_fresh(journal, ret_error);
    journal_scan_free(&scan);
    return failed;
}
