/*
 * journal_file.c - the chain of files: made ahead, used, and used again under the next number.
 *
 *      make     NUMBER.new: allocated, header written, synced; renamed to NUMBER.jnl; folder synced
 *      renew    OLD.jnl renamed to NEW.new, folder synced; header written, synced; renamed to
 *               NEW.jnl; folder synced
 *      remove   OLD.jnl unlinked; folder synced
 *
 * A file is USED that has held groups since it was zeros, in this use or an earlier one. Retiring
 * (journal_retire.h) makes used files STALE: they are zeroed behind their header on the way, while
 * their name ends in .new, because under the other one a file must be whole.
 *
 * So a name ending in .jnl always has a good header behind it (a bad one is corruption, never a
 * crash), and what a crash leaves half done is called .new and removed at the next open. In renew
 * the folder is synced before the header is overwritten, else a crash could show the old name over
 * the new header.
 *
 * A failure before the file has its name costs only that file. A failed rename, unlink or folder
 * sync leaves in doubt what a crash would show, and a failed sync is never tried again: the journal
 * stops.
 */
#include "log/journal_internal.h"

#include "base/mem.h"
#include "log/journal_retire.h"
#include "log/journal_scan.h"
#include "log/wipe.h"

#include <errno.h>
#include <inttypes.h>

struct journal_file *journal_file_new(struct journal *journal, uint64_t bytes) {
    struct journal_file *file = mem_zalloc(1, sizeof *file);
    if (!file)
        return NULL;
    list_node_init(&file->node);
    file->journal = journal;
    file->bytes = bytes;
    return file;
}

void journal_file_free(struct journal_file *file) {
    if (!file)
        return;
    list_remove(&file->node);
    io_file_close(file->file);
    mem_free(file);
}

void journal_chain_insert(struct journal *journal, struct journal_file *file) {
    struct list_node *at = journal->chain.head.prev;
    while (at != &journal->chain.head &&
           container_of(at, struct journal_file, node)->number > file->number)
        at = at->prev;
    list_insert_after(at, &file->node);
}

struct journal_file *journal_chain_next(const struct journal *journal,
                                        const struct journal_file *file) {
    struct list_node *next = list_next(&journal->chain, &file->node);
    return next ? container_of(next, struct journal_file, node) : NULL;
}

/* --- on any thread ---------------------------------------------------------------------------- */

static int sync_folder(const struct journal *journal) {
    char path[JOURNAL_PATH_MAX];
    int failed = journal_path_name(journal->options.directory, NULL, path);
    return failed ? failed : io_dir_sync(journal->host, path);
}

/* Renames within the folder and syncs it. */
static int rename_synced(struct journal_file *file, uint64_t from, const char *from_suffix,
                         uint64_t to, const char *to_suffix) {
    char from_path[JOURNAL_PATH_MAX], to_path[JOURNAL_PATH_MAX];
    const struct journal *journal = file->journal;
    int failed = journal_path(journal->options.directory, from, from_suffix, from_path);
    if (!failed)
        failed = journal_path(journal->options.directory, to, to_suffix, to_path);
    if (!failed)
        failed = io_rename(journal->host, from_path, to_path);
    if (!failed)
        failed = sync_folder(journal);
    file->chain_hurt = failed != 0;
    return failed;
}

static int write_header(struct journal_file *file) {
    struct journal_header header = {file->journal->log_id, file->number, file->bytes};
    /* Not on the stack: gcc's AddressSanitizer aligns nothing there beyond 32 bytes. */
    char *sector = mem_alloc_aligned(JOURNAL_SECTOR, IO_DIRECT_BYTES);
    if (!sector)
        return -ENOMEM;
    journal_header_encode(&header, sector);
    int failed = io_file_write(file->file, sector, JOURNAL_SECTOR, 0);
    mem_free(sector);
    return failed ? failed : io_file_sync(file->file);
}

static void throw_away(struct journal_file *file, uint64_t number) {
    char path[JOURNAL_PATH_MAX];
    file->file = io_file_close(file->file);
    int failed = journal_path(file->journal->options.directory, number, "new", path);
    if (!failed)
        failed = io_unlink(file->journal->host, path);
    (void)failed; /* the next open removes what is left */
}

int journal_file_make(struct journal_file *file) {
    char path[JOURNAL_PATH_MAX];
    int failed = journal_path(file->journal->options.directory, file->number, "new", path);
    if (!failed)
        failed = io_file_open(file->journal->host, path,
                              IO_FILE_WRITE | IO_FILE_CREATE | IO_FILE_TRUNCATE, &file->file);
    if (failed)
        return failed;
    io_file_bypass_cache(file->file); /* groups are written once, and read after a crash */
    failed = io_file_allocate(file->file, file->bytes);
    if (!failed)
        failed = write_header(file);
    if (failed) {
        throw_away(file, file->number);
        return failed;
    }
    return rename_synced(file, file->number, "new", file->number, "jnl");
}

static int wipe_stale(struct journal_file *file) {
    int failed = file->stale ? wipe_file(file->file, JOURNAL_SECTOR, file->bytes) : 0;
    if (!failed && file->stale)
        file->stale = file->used = false;
    return failed;
}

static int renew(struct journal_file *file) {
    int failed = rename_synced(file, file->number, "jnl", file->new_number, "new");
    if (failed)
        return failed;
    file->number = file->new_number;
    failed = wipe_stale(file);
    if (!failed)
        failed = write_header(file);
    if (failed) {
        throw_away(file, file->number);
        return failed;
    }
    file->has_groups = false;
    return rename_synced(file, file->number, "new", file->number, "jnl");
}

static int remove_stale(struct journal_file *file) {
    int failed = rename_synced(file, file->number, "jnl", file->number, "new");
    if (failed)
        return failed;
    (void)!wipe_stale(file); /* it goes anyway */
    throw_away(file, file->number);
    return 0;
}

static int remove_file(struct journal_file *file) {
    char path[JOURNAL_PATH_MAX];
    const struct journal *journal = file->journal;
    if (file->stale)
        return remove_stale(file);
    file->file = io_file_close(file->file);
    int failed = journal_path(journal->options.directory, file->number, "jnl", path);
    if (!failed)
        failed = io_unlink(journal->host, path);
    if (!failed)
        failed = sync_folder(journal);
    file->chain_hurt = failed != 0;
    return failed;
}

static void run_work(struct io_job *job) {
    struct journal_file *file = container_of(job, struct journal_file, job);
    if (file->work == JOURNAL_MAKE)
        file->failed = journal_file_make(file);
    else if (file->work == JOURNAL_RENEW)
        file->failed = renew(file);
    else
        file->failed = remove_file(file);
}

/* --- on the loop ------------------------------------------------------------------------------ */

/* FILE could not be made: without room for more the reserve is all there is. */
static void no_more_files(struct journal *journal, int failed) {
    if (!journal->no_space)
        logger_write(journal->options.logger, LOG_LEVEL_WARN, "log",
                     "cannot make another journal file; trying again", "error=%s",
                     error_name(failed));
    journal->no_space = true;
    io_timer_start(journal->options.loop, &journal->retry_timer, JOURNAL_RETRY_NS,
                   journal_on_retry_timer);
}

static void work_done(struct io_job *job) {
    struct journal_file *file = container_of(job, struct journal_file, job);
    struct journal *journal = file->journal;
    journal->work = NULL;
    bool room = !file->failed && file->work != JOURNAL_REMOVE;
    if (room) {
        journal_chain_insert(journal, file);
        journal->no_space = false;
    } else {
        if (file->chain_hurt)
            journal_fail(journal, file->failed, file->number, 0,
                         "the journal's folder could not be changed");
        else if (file->failed && !journal->freeing)
            no_more_files(journal, file->failed);
        journal_file_free(file);
    }
    if (journal->freeing)
        return;
    journal_tidy(journal);
    if (room && journal->options.on_room && !journal->failed && !journal->closing)
        journal->options.on_room(journal->options.self);
}

static bool submit(struct journal *journal, struct journal_file *file, enum journal_work work) {
    file->work = work;
    file->failed = 0;
    file->job = (struct io_job){.run = run_work, .done = work_done};
    journal->work = file;
    if (io_worker_submit(journal->file_worker, &file->job) == 0)
        return true;
    journal->work = NULL;
    io_timer_start(journal->options.loop, &journal->retry_timer, JOURNAL_RESUBMIT_NS,
                   journal_on_retry_timer);
    return false;
}

/* Files that count against options.files: larger ones are gone after one use. */
static unsigned ordinary_files(const struct journal *journal) {
    unsigned count = 0;
    struct list_node *node = list_first(&journal->chain);
    for (; node; node = list_next(&journal->chain, node)) {
        const struct journal_file *file = container_of(node, struct journal_file, node);
        count += file->bytes <= journal->options.file_bytes ? 1 : 0;
    }
    return count;
}

static bool on_its_way(const struct journal *journal, enum journal_work work) {
    return journal->work && journal->work->work == work;
}

/* A file behind the tail, into which nothing will go. */
static struct journal_file *stale_ahead(const struct journal *journal) {
    struct journal_file *file = journal->tail;
    while ((file = journal_chain_next(journal, file)))
        if (file->stale && !(journal->forming && journal->forming->file == file))
            return file;
    return NULL;
}

/* The first file before the tail that is not needed any more, or NULL: it was passed over and holds
   nothing; or all of it is saved elsewhere, and so are the files before it, and the newest group on
   disk lies behind it. (Without any group a later open could not tell what has been there.) */
static struct journal_file *file_to_recycle(const struct journal *journal) {
    struct list_node *node = list_first(&journal->chain);
    for (; node; node = list_next(&journal->chain, node)) {
        struct journal_file *file = container_of(node, struct journal_file, node);
        if (file == journal->tail)
            return stale_ahead(journal);
        if (!file->has_groups || (file->last_position <= journal->recycle_position &&
                                  file->number < journal->written_file))
            return file;
    }
    return NULL;
}

static void recycle(struct journal *journal, struct journal_file *file) {
    list_remove(&file->node);
    bool fits = file->bytes == journal->options.file_bytes &&
                ordinary_files(journal) < journal->options.files;
    file->new_number = journal->next_file_number;
    if (!submit(journal, file, fits ? JOURNAL_RENEW : JOURNAL_REMOVE))
        journal_chain_insert(journal, file);
    else if (fits)
        journal->next_file_number++;
}

static bool make(struct journal *journal) {
    struct journal_file *file = journal_file_new(journal, journal->options.file_bytes);
    if (!file)
        return false; /* tried again when the next group is closed */
    file->number = journal->next_file_number;
    if (!submit(journal, file, JOURNAL_MAKE)) {
        journal_file_free(file);
        return false;
    }
    journal->next_file_number++;
    return true;
}

static void make_ahead(struct journal *journal) {
    const struct journal_file *tail = journal->tail;
    uint64_t left = journal_room_behind(journal, tail);
    if (!tail->stale)
        left += tail->bytes - journal->tail_offset;
    if (journal->no_space || left >= tail->bytes / 2 ||
        ordinary_files(journal) >= journal->options.files)
        return;
    (void)make(journal);
}

/* Is there a file that has been zeros until now, where the next group may go? */
static bool unused_file(const struct journal *journal) {
    const struct journal_file *file = journal->tail;
    while (file && (file->used || file->stale))
        file = journal_chain_next(journal, file);
    return file != NULL;
}

/* What journal_retire waits for, with no work under way. True: a file is being made for it. */
static bool retire(struct journal *journal) {
    if (!unused_file(journal))
        return !journal->no_space && make(journal);
    if (journal->batch_open)
        return false;
    struct list_node *node = list_first(&journal->chain);
    for (; node; node = list_next(&journal->chain, node)) {
        struct journal_file *file = container_of(node, struct journal_file, node);
        file->stale |= file->used;
    }
    journal->limit[0] = journal->limit[1] = 0;
    journal->retiring = false;
    return false;
}

void journal_retire(struct journal *journal) {
    journal->retiring = true;
    journal_tidy(journal);
}

bool journal_retired(struct journal *journal) {
    if (journal->retiring)
        journal_tidy(journal);
    return !journal->retiring;
}

unsigned journal_stale_files(const struct journal *journal) {
    unsigned count = journal->work && journal->work->work != JOURNAL_MAKE;
    struct list_node *node = list_first(&journal->chain);
    for (; node; node = list_next(&journal->chain, node))
        count += container_of(node, struct journal_file, node)->stale;
    return count;
}

void journal_tidy(struct journal *journal) {
    if (journal->work || journal->failed || journal->closing || journal->freeing)
        return;
    if (journal->retiring && retire(journal))
        return;
    struct journal_file *old = file_to_recycle(journal);
    if (old)
        recycle(journal, old);
    else
        make_ahead(journal);
}

void journal_recycle(struct journal *journal, uint64_t position) {
    check(position <= journal->synced_position);
    if (position > journal->recycle_position)
        journal->recycle_position = position;
    journal_tidy(journal);
}

/* --- room ------------------------------------------------------------------------------------- */

uint64_t journal_room_behind(const struct journal *journal, const struct journal_file *file) {
    uint64_t room = 0;
    while ((file = journal_chain_next(journal, file)))
        room += file->stale ? 0 : file->bytes - JOURNAL_SECTOR;
    return room;
}

struct journal_file *journal_find_place(const struct journal *journal, struct journal_file *file,
                                        uint64_t *offset, uint64_t length, uint64_t keep) {
    uint64_t at = *offset;
    for (; file; file = journal_chain_next(journal, file), at = JOURNAL_SECTOR) {
        uint64_t left = file->bytes - at;
        if (file->stale)
            continue;
        if (left >= length && left - length + journal_room_behind(journal, file) >= keep) {
            *offset = at;
            return file;
        }
    }
    return NULL;
}

int journal_may_make(const struct journal *journal, uint64_t length, uint64_t *ret_file_bytes) {
    uint64_t need = JOURNAL_SECTOR + length + journal->reserve_bytes;
    bool ordinary = need <= journal->options.file_bytes;
    /* A batch that has outgrown an ordinary file may go on growing: twice the room, so that it
       moves on a few times only. */
    *ret_file_bytes = ordinary ? journal->options.file_bytes : need + length;
    if (journal->no_space)
        return -ENOSPC;
    if (!ordinary)
        return journal_used_bytes(journal) < journal_capacity(journal) ? 0 : -EAGAIN;
    /* One that is being made ahead comes too late, and is one more; one that is being renewed is
       worth waiting for. */
    unsigned count = ordinary_files(journal) + (on_its_way(journal, JOURNAL_RENEW) ? 1 : 0);
    return count < journal->options.files ? 0 : -EAGAIN;
}

int journal_make_now(struct journal *journal, uint64_t length) {
    uint64_t bytes;
    int failed = journal_may_make(journal, length, &bytes);
    if (failed)
        return failed;
    struct journal_file *file = journal_file_new(journal, bytes);
    if (!file)
        return -ENOMEM;
    file->number = journal->next_file_number++;
    failed = journal_file_make(file);
    if (!failed) {
        journal_chain_insert(journal, file);
        return 0;
    }
    if (file->chain_hurt)
        journal_fail(journal, failed, file->number, 0, "the journal's folder could not be changed");
    else
        no_more_files(journal, failed);
    journal_file_free(file);
    return -ENOSPC;
}

uint64_t journal_used_bytes(const struct journal *journal) {
    uint64_t used = journal->tail_offset;
    bool counting = false;
    struct list_node *node = list_first(&journal->chain);
    for (; node; node = list_next(&journal->chain, node)) {
        const struct journal_file *file = container_of(node, struct journal_file, node);
        if (file == journal->tail)
            break;
        counting = counting || file->has_groups;
        used += counting ? file->bytes : 0;
    }
    return used;
}

uint64_t journal_capacity(const struct journal *journal) {
    return journal->options.file_bytes * journal->options.files;
}
