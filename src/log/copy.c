/*
 * copy.c - the files of a pinned log, one after the other (pin.h).
 *
 *      checkpoint --> the list of segments in it --> each segment, as long as it was --.
 *                                                                     format, seal <---'
 *
 * The copy of the checkpoint is read back, and judged by its crc, before anything is believed of
 * it. A segment to which a write has failed may be shorter than it should be, or not be there: what
 * its blocks need is (segment.h).
 */
#include "log/pin.h"

#include "base/mem.h"
#include "io/copy.h"
#include "log/checkpoint_file.h"
#include "log/pin_data.h"

#include <errno.h>
#include <stdio.h>

struct log_copy {
    struct io_host *host;
    struct log_pin *pin;
    char *from, *to; /* folders of the log */
    struct checkpoint_segment *segments;
    uint32_t count, next;
    uint64_t done, total, current_at; /* bytes; of the file under way */
    enum { COPY_CHECKPOINT, COPY_SEGMENTS, COPY_FORMAT, COPY_SEAL, COPY_FOLDERS, COPY_DONE } phase;
    bool copying;
    struct io_copy file;
    char name[LOG_COPY_NAME_MAX];
};

static int fail(const struct log_copy *c, struct error *ret_error, int failed, const char *what) {
    error_set(ret_error, failed, "%s: %s", what, error_name(failed));
    error_place(ret_error, "%s/%s", c->from, c->name);
    return failed;
}

static void path_of(const char *folder, const char *name, char out[LOG_PATH_MAX]) {
    snprintf(out, LOG_PATH_MAX, "%s/%s", folder, name);
}

/* --- the list ----------------------------------------------------------------------------------
 */

static int read_list(struct log_copy *c, slice text, const struct checkpoint_header *header) {
    struct checkpoint_reader reader = checkpoint_reader_make(text, header);
    uint32_t count = checkpoint_read_counters(&reader).segments;
    if (reader.bad)
        return -EBADMSG;
    c->segments = mem_alloc((count + 1) * sizeof *c->segments);
    if (!c->segments)
        return -ENOMEM;
    for (uint32_t i = 0; i < count; i++) {
        c->segments[i] = checkpoint_read_segment(&reader);
        c->total += c->segments[i].size;
    }
    c->count = count;
    return 0;
}

static int learn_list(struct log_copy *c) {
    char path[LOG_PATH_MAX];
    _cleanup_mem_ char *bytes = NULL;
    size_t size = 0;
    struct checkpoint_header header;
    path_of(c->to, "checkpoint", path);
    int failed = io_file_load(c->host, path, CHECKPOINT_BYTES_MAX, &bytes, &size);
    if (!failed)
        failed = checkpoint_header_check(slice_make(bytes, size), &header);
    if (!failed && header.position != c->pin->position)
        failed = -EBADMSG;
    c->total = size;
    return failed ? failed : read_list(c, slice_make(bytes, size), &header);
}

/* --- beginning a file --------------------------------------------------------------------------
 */

static int begin_checkpoint(struct log_copy *c) {
    char to[LOG_PATH_MAX];
    struct io_file *mine = c->pin->checkpoint;
    path_of(c->to, c->name, to);
    /* Read by this copy alone from now on: the pin keeps nothing else of it. */
    c->pin->checkpoint = NULL;
    return io_copy_begin_open(c->host, mine, to, IO_COPY_ALL, &c->file);
}

static int begin_segment(struct log_copy *c, const struct checkpoint_segment *segment) {
    char from[LOG_PATH_MAX], to[LOG_PATH_MAX];
    snprintf(c->name, sizeof c->name, "segments/%08llu.seg", (unsigned long long)segment->number);
    path_of(c->from, c->name, from);
    path_of(c->to, c->name, to);
    return io_copy_begin(c->host, from, to, segment->size, &c->file);
}

/* Format and seal are ours; they are read back for their sum alone. */
static int begin_own(struct log_copy *c, bool seal) {
    char path[LOG_PATH_MAX];
    snprintf(c->name, sizeof c->name, "%s", seal ? "journal/00000001.jnl" : "format");
    path_of(c->to, c->name, path);
    int failed =
        seal ? journal_seed(c->host, c->to, c->pin->position) : log_format_write(c->host, c->to);
    return failed ? failed : io_copy_begin(c->host, path, NULL, IO_COPY_ALL, &c->file);
}

static int sync_folders(struct log_copy *c) {
    static const char *const names[] = {"segments", "journal", "."};
    int failed = 0;
    for (unsigned i = 0; i < array_count(names) && !failed; i++) {
        char path[LOG_PATH_MAX];
        path_of(c->to, names[i], path);
        failed = io_dir_sync(c->host, i + 1 < array_count(names) ? path : c->to);
    }
    return failed;
}

/* --- steps --------------------------------------------------------------------------------------
 */

static int begin_next(struct log_copy *c) {
    switch (c->phase) {
    case COPY_CHECKPOINT:
        snprintf(c->name, sizeof c->name, "checkpoint");
        return begin_checkpoint(c);
    case COPY_SEGMENTS:
        return begin_segment(c, &c->segments[c->next]);
    default:
        return begin_own(c, c->phase == COPY_SEAL);
    }
}

/* The file under way is whole. */
static int go_on(struct log_copy *c) {
    io_copy_end(&c->file);
    c->copying = false;
    c->current_at = 0;
    if (c->phase == COPY_CHECKPOINT) {
        int failed = learn_list(c);
        if (failed)
            return failed;
    }
    if (c->phase == COPY_SEGMENTS && ++c->next < c->count)
        return 0;
    c->phase++;
    if (c->phase == COPY_SEGMENTS && !c->count)
        c->phase++;
    return 0;
}

/* What may be short, or missing. */
static bool is_doubtful(const struct log_copy *c) {
    return c->phase == COPY_SEGMENTS && c->segments[c->next].doubtful;
}

static int copy_piece(struct log_copy *c, struct log_copied *copied, struct error *ret_error) {
    int result = io_copy_step(&c->file, copied->sha256);
    if (result < 0)
        return fail(c, ret_error, result, "cannot be copied");
    c->done += c->file.at - c->current_at;
    c->current_at = c->file.at;
    if (result)
        return 0;
    if (c->phase == COPY_SEGMENTS && c->file.at < c->file.length && !is_doubtful(c))
        return fail(c, ret_error, -EBADMSG, "the segment is cut short");
    snprintf(copied->name, sizeof copied->name, "%s", c->name);
    copied->bytes = c->file.at;
    result = go_on(c);
    return result ? fail(c, ret_error, result, "the checkpoint cannot be used") : 0;
}

int log_copy_step(struct log_copy *c, struct log_copied *copied, struct error *ret_error) {
    int failed = 0;
    copied->name[0] = '\0';
    if (c->phase == COPY_FOLDERS) {
        failed = sync_folders(c);
        c->phase = COPY_DONE;
    } else if (c->phase < COPY_FOLDERS && !c->copying) {
        failed = begin_next(c);
        c->copying = !failed;
        if (failed == -ENOENT && is_doubtful(c))
            failed = go_on(c);
    } else if (c->copying) {
        failed = copy_piece(c, copied, ret_error);
    }
    copied->done = c->done;
    copied->total = c->phase > COPY_CHECKPOINT ? c->total : 0;
    if (failed && !ret_error->code)
        fail(c, ret_error, failed, "cannot be copied");
    return failed ? failed : c->phase < COPY_DONE;
}

/* --- beginning and end --------------------------------------------------------------------------
 */

static int make_folders(struct log_copy *c) {
    static const char *const names[] = {"segments", "journal"};
    int failed = 0;
    for (unsigned i = 0; i < array_count(names) && !failed; i++) {
        char path[LOG_PATH_MAX];
        path_of(c->to, names[i], path);
        failed = io_dir_create(c->host, path);
    }
    return failed;
}

int log_copy_begin(struct log_pin *pin, const char *directory, struct log_copy **ret_copy) {
    check(pin->held && pin->checkpoint);
    if (strlen(directory) + LOG_COPY_NAME_MAX > LOG_PATH_MAX)
        return -ENAMETOOLONG;
    struct log_copy *c = mem_zalloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    c->host = pin->log->host;
    c->pin = pin;
    c->from = mem_copy(pin->log->directory, strlen(pin->log->directory));
    c->to = mem_copy(directory, strlen(directory));
    int failed = c->from && c->to ? make_folders(c) : -ENOMEM;
    if (failed)
        log_copy_end(c);
    else
        *ret_copy = c;
    return failed;
}

struct log_copy *log_copy_end(struct log_copy *c) {
    if (!c)
        return NULL;
    io_copy_end(&c->file);
    mem_free(c->segments);
    mem_free(c->from);
    mem_free(c->to);
    return mem_free(c);
}
