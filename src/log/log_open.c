/*
 * log_open.c - opening: the folder, the checkpoint, the segments, the journal.
 *
 *      DIR/lock             held while open
 *      DIR/format           "nonet log 1": what may read this folder
 *      DIR/checkpoint[.old] the state as of a position
 *      DIR/segments/        saved blocks
 *      DIR/journal/         everything behind that position
 *
 * A fresh folder is made in the order format, checkpoint, journal, each safe on disk before the
 * next: whatever of it a crash leaves is either completed or, where the journal or segments hold
 * something without a checkpoint, refused as damage.
 *
 * Recovery changes nothing on disk but left-overs that no checkpoint names, so that it can be
 * killed at any time and started again.
 */
#include "log/checkpoint_file.h"
#include "log/recover.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>

#define DIRECTORY_MAX 3900u

static int refuse(struct log *log, struct error *ret_error, int failed, const char *name,
                  const char *message) {
    error_set(ret_error, failed, "%s%s%s", message, failed == -EBADMSG ? "" : ": ",
              failed == -EBADMSG ? "" : error_name(failed));
    error_place(ret_error, "%s%s%s", log->directory, *name ? "/" : "", name);
    return failed;
}

static int take_lock(struct log *log, struct error *ret_error) {
    char path[LOG_PATH_MAX];
    snprintf(path, sizeof path, "%s/lock", log->directory);
    unsigned create = log->options.read_only ? 0 : IO_FILE_CREATE;
    int failed = io_file_open(log->host, path, IO_FILE_WRITE | create, &log->lock);
    if (failed == -ENOENT && log->options.read_only)
        return 0; /* a backup has none, and nobody writes to it */
    if (failed)
        return refuse(log, ret_error, failed, "lock", "cannot be opened");
    failed = io_file_lock(log->lock);
    if (!failed)
        return 0;
    refuse(log, ret_error, failed, "lock", "this data folder is in use by another node");
    error_hint(ret_error, "stop the other node, or give this one its own data folder");
    return failed;
}

static int found_entry(void *owner, const char *name) {
    (void)owner;
    size_t len = strlen(name);
    return len > 4 && (strcmp(name + len - 4, ".jnl") == 0 || strcmp(name + len - 4, ".seg") == 0);
}

/* Does DIR/NAME hold journal or segment files? */
static bool holds_data(struct log *log, const char *name) {
    char path[LOG_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", log->directory, name);
    return io_dir_list(log->host, path, found_entry, NULL) == 1;
}

int log_format_check(slice text) {
    unsigned version = 0;
    char expected[FORMAT_TEXT_MAX];
    if (!text.len || sscanf(text.ptr, "nonet log %u", &version) != 1)
        return -EBADMSG;
    snprintf(expected, sizeof expected, "nonet log %u\n", version);
    if (!slice_equal(text, slice_str(expected)) || !version)
        return -EBADMSG;
    return version > LOG_FORMAT_VERSION ? -ENOTSUP : 0;
}

int log_format_write(struct io_host *host, const char *directory) {
    char path[LOG_PATH_MAX], text[FORMAT_TEXT_MAX];
    snprintf(path, sizeof path, "%s/format", directory);
    snprintf(text, sizeof text, "nonet log %u\n", LOG_FORMAT_VERSION);
    return io_file_replace(host, path, slice_str(text), 0600);
}

static int check_format(struct log *log, bool *ret_fresh, struct error *ret_error) {
    char path[LOG_PATH_MAX];
    snprintf(path, sizeof path, "%s/format", log->directory);
    _cleanup_mem_ char *text = NULL;
    size_t size = 0;
    int failed = io_file_load(log->host, path, FORMAT_TEXT_MAX, &text, &size);
    if (failed == -ENOENT) {
        *ret_fresh = true;
        return 0;
    }
    if (failed)
        return refuse(log, ret_error, failed, "format", "cannot be read");
    *ret_fresh = false;
    failed = log_format_check(slice_make(text, size));
    if (failed)
        return refuse(log, ret_error, failed, "format",
                      failed == -EBADMSG ? "is damaged" : "was written by a newer version");
    return 0;
}

/* Nothing has ever been committed here: makes (the rest of) a fresh log. */
static int create(struct log *log, bool fresh, struct error *ret_error) {
    if (holds_data(log, "journal") || holds_data(log, "segments"))
        return refuse(log, ret_error, -EBADMSG, fresh ? "format" : "checkpoint",
                      "is missing, though journal or segments are there");
    int failed = fresh ? log_format_write(log->host, log->directory) : 0;
    if (failed)
        return refuse(log, ret_error, failed, "format", "cannot be written");
    io_host_random(log->host, log->id, LOG_ID_SIZE);
    memcpy(log->segments.log_id, log->id, LOG_ID_SIZE);
    failed = checkpoint_encode(log, &log->checkpoint);
    if (!failed)
        failed = checkpoint_replace(log->host, log->directory, &log->checkpoint.text);
    buf_free(&log->checkpoint.text);
    return failed ? refuse(log, ret_error, failed, "checkpoint", "cannot be written") : 0;
}

static int load(struct log *log, struct error *ret_error) {
    bool fresh = false;
    int failed = check_format(log, &fresh, ret_error);
    if (failed)
        return failed;
    bool found = false;
    failed = checkpoint_load(log, &found, ret_error);
    if (failed)
        return failed;
    if (!found && log->options.read_only && fresh)
        return refuse(log, ret_error, -ENOENT, "", "there is no log");
    if (!found && log->options.read_only)
        return refuse(log, ret_error, -EBADMSG, "checkpoint", "is missing");
    if (!found)
        return create(log, fresh, ret_error);
    return fresh ? refuse(log, ret_error, -EBADMSG, "format", "is missing") : 0;
}

/* --- parts ----------------------------------------------------------------------------------- */

/* The names of the folders themselves, up to the root: any of them may have been made just now.
   Folders above ours that we may not read were not. */
static int sync_folders(struct log *log) {
    char path[LOG_PATH_MAX];
    snprintf(path, sizeof path, "%s", log->directory);
    int failed = io_dir_sync(log->host, path);
    for (size_t i = strlen(path); i-- > 0 && !failed;) {
        if (path[i] != '/')
            continue;
        path[i ? i : 1] = '\0';
        failed = io_dir_sync(log->host, path);
        if (failed == -EACCES || failed == -EPERM)
            return 0;
    }
    if (!failed && path[0] != '/')
        failed = io_dir_sync(log->host, ".");
    return failed;
}

static int make_folders(struct log *log, struct error *ret_error) {
    char path[LOG_PATH_MAX];
    snprintf(path, sizeof path, "%s/segments", log->directory);
    int failed = io_dir_create(log->host, path);
    if (!failed)
        failed = sync_folders(log);
    return failed ? refuse(log, ret_error, failed, "", "cannot be made") : 0;
}

static void defaults(struct log_options *o) {
    if (!o->journal_file_bytes)
        o->journal_file_bytes = 64u << 20;
    if (!o->journal_files)
        o->journal_files = 4;
    if (!o->cache_bytes)
        o->cache_bytes = 64u << 20;
    if (!o->unsaved_high_bytes)
        o->unsaved_high_bytes = o->journal_file_bytes * o->journal_files / 2;
    if (!o->segment_bytes)
        o->segment_bytes = 64u << 20;
    if (!o->checkpoint_idle_ns)
        o->checkpoint_idle_ns = UINT64_C(60000000000);
}

static int prepare(struct log *log) {
    list_init(&log->streams);
    list_init(&log->moving);
    grave_init(&log->grave, log->loop);
    erase_init(log);
    io_host_random(log->host, &log->hash_key, sizeof log->hash_key);
    log->by_name = map_make(log->hash_key, LOG_STREAMS_MAX);
    log->by_id = map64_make(log->hash_key.low, LOG_STREAMS_MAX);
    log->next_id = 1;
    log->recovering = true;
    log->batch.log = log;
    char path[LOG_PATH_MAX];
    snprintf(path, sizeof path, "%s/segments", log->directory);
    int failed = segments_init(&log->segments, log->host, path);
    log->segments.bytes_max = log->options.segment_bytes;
    if (!failed)
        failed = cache_init(&log->cache, log, log->options.cache_bytes);
    if (!failed)
        failed = checkpoint_init(&log->checkpoint, log);
    return failed;
}

static void journal_synced(void *self, uint64_t position) {
    struct log *log = self;
    visible_advance(log, position);
    checkpoint_synced(&log->checkpoint, position);
}

static void journal_failed(void *self, const struct error *error) {
    log_fail(self, error);
}

static void journal_room(void *self) {
    log_room(self);
}

static int open_journal(struct log *log, struct error *ret_error) {
    struct journal_options options = {
        .loop = log->loop,
        .logger = log->logger,
        .directory = log->directory,
        .file_bytes = log->options.journal_file_bytes,
        .files = log->options.journal_files,
        .from_position = log->checkpoint.saved_position,
        .replay = recover_replay,
        .on_synced = journal_synced,
        .on_failed = journal_failed,
        .on_room = journal_room,
        .self = log,
    };
    return log->options.read_only ? journal_read(log->host, &options, ret_error)
                                  : journal_open(&options, &log->journal, ret_error);
}

static int open_parts(struct log *log, struct error *ret_error) {
    int failed = log->options.read_only ? 0 : make_folders(log, ret_error);
    if (!failed)
        failed = take_lock(log, ret_error);
    if (!failed) {
        failed = prepare(log);
        if (failed)
            refuse(log, ret_error, failed, "", "cannot be opened");
    }
    if (!failed)
        failed = load(log, ret_error);
    if (!failed)
        failed = recover_segments(log, ret_error);
    return failed ? failed : open_journal(log, ret_error);
}

static struct log *log_new(struct io_loop *loop, const struct log_options *options) {
    struct log *log = mem_zalloc(1, sizeof(*log));
    if (!log)
        return NULL;
    log->options = *options;
    defaults(&log->options);
    log->loop = loop;
    log->host = io_loop_host(loop);
    log->logger = options->logger;
    for (unsigned i = 0; i < options->owner_count; i++)
        log->owners[i] = options->owners[i];
    log->options.owners = log->owners;
    log->directory = mem_copy(options->directory, strlen(options->directory));
    log->options.directory = log->directory;
    return log->directory ? log : mem_free(log);
}

int log_open(struct io_loop *loop, const struct log_options *options, struct log **ret_log,
             struct error *ret_error) {
    check(options->owner_count <= LOG_OWNERS_MAX);
    if (strlen(options->directory) > DIRECTORY_MAX)
        return error_set(ret_error, -ENAMETOOLONG, "the data folder's name is too long");
    struct log *log = log_new(loop, options);
    if (!log)
        return error_set(ret_error, -ENOMEM, "no memory to open the log");
    int failed = open_parts(log, ret_error);
    if (failed) {
        log_free(log);
        return failed;
    }
    log->recovering = false;
    if (log->options.read_only)
        log->closing = true; /* nothing is begun any more */
    else
        log_start(log);
    *ret_log = log;
    return 0;
}
