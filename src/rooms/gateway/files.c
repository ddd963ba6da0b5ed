/*
 * files.c - static files: a folder served below a path.
 *
 *     name from the path -> worker: open, look; read what is small -> answer; what is larger than
 *     64 KiB, or may not be sent at all (HEAD, conditions), is read behind its head, piece by piece
 *     as the client takes
 *
 * The loop never touches the disk: each loop has a worker thread for it. What stands for a folder
 * is its index file; what is not there may be the fallback. A file NAME.br or NAME.gz beside NAME
 * is sent in its place to who accepts that coding. Segments that begin with a dot are not served,
 * but for .well-known. The path comes in its one form (wire/url.h), so nothing climbs out of the
 * folder; links are followed, for they are the owner's. Neither folders nor pipes nor devices are
 * sent.
 *
 * ETag is strong: length and time of change to the nanosecond, and the coding. Conditions and
 * ranges are RFC 9110 13 and 14: If-Match or If-Unmodified-Since, then If-None-Match or
 * If-Modified-Since, then If-Range and one range of GET; a request for several ranges gets the
 * whole file, as the RFC allows.
 *
 * A worker may still be at it when the client has gone and the table with it, so a reading counts
 * the table.
 */
#include "base/clocktext.h"
#include "base/mem.h"
#include "base/number.h"
#include "io/file.h"
#include "rooms/gateway/files_answer.h"
#include "rooms/gateway/table.h"
#include "rooms/gateway/target.h"

#include <errno.h>
#include <stdio.h>

#define PATH_MAX_BYTES 4096u
#define PIECE_BYTES (64u << 10)

struct files {
    slice folder, index, fallback;
    slice cache_control;
};

/* One request at work; outlives the exchange while the worker has it. */
struct reading {
    struct io_job job;
    struct exchange *x; /* NULL: gone */
    struct io_host *host;
    struct io_worker *worker;
    struct io_file *file;
    struct files_found found;
    char path[PATH_MAX_BYTES];
    size_t base_len;             /* of the path without ".gz" */
    const struct files *files;   /* in the table */
    struct gateway_table *table; /* counted */
    unsigned brotli, gzip;       /* how welcome they are; 0: not at all */
    bool with_slash;             /* the request's path ends with it: it may be a folder's */
    bool peeks;                  /* a small file is read with its opening: it will be sent */
    bool submitted, begun;
    uint64_t at, end; /* what is still to be sent */
    size_t got;
    int failed;
    char *piece;
};

static struct reading *reading_free(struct reading *r) {
    io_file_close(r->file);
    gateway_table_unref(r->table);
    mem_free(r->piece);
    return mem_free(r);
}

/* --- on the worker -----------------------------------------------------------------------------
 */

static int open_at(struct reading *r, const char *suffix) {
    struct io_file_info info;
    struct io_file *file;
    size_t len = strlen(suffix);
    if (r->base_len + len >= sizeof r->path)
        return -ENAMETOOLONG;
    memcpy(r->path + r->base_len, suffix, len + 1);
    int failed = io_file_open(r->host, r->path, 0, &file);
    if (failed)
        return failed;
    failed = io_file_info(file, &info);
    if (!failed && !info.is_file)
        failed = info.is_folder ? -EISDIR : -EACCES; /* who reads a pipe waits for its writer */
    if (failed) {
        io_file_close(file);
        return failed;
    }
    r->file = file;
    r->found.size = info.size;
    r->found.modified_ns = info.modified_ns;
    return 0;
}

static int open_index(struct reading *r) {
    const slice index = r->files->index;
    bool slash = r->path[r->base_len - 1] == '/';
    int len = snprintf(r->path + r->base_len, sizeof r->path - r->base_len, "%s%.*s",
                       slash ? "" : "/", slice_fmt(index));
    if (len < 0 || (size_t)len >= sizeof r->path - r->base_len)
        return -ENAMETOOLONG;
    r->base_len += (size_t)len;
    return open_at(r, "");
}

/* The compressed twin in place of the file, if it is there and wanted; the more welcome one. */
static void open_twin(struct reading *r) {
    struct io_file *plain = r->file;
    bool brotli_first = r->brotli >= r->gzip;
    for (unsigned i = 0; i < 2 && !r->found.coding; i++) {
        bool brotli = brotli_first == (i == 0);
        if ((brotli ? r->brotli : r->gzip) && open_at(r, brotli ? ".br" : ".gz") == 0)
            r->found.coding = brotli ? "br" : "gzip";
    }
    if (r->found.coding)
        io_file_close(plain);
    r->path[r->base_len] = '\0';
}

static int open_fallback(struct reading *r) {
    const slice folder = r->files->folder, fallback = r->files->fallback;
    int len =
        snprintf(r->path, sizeof r->path, "%.*s/%.*s", slice_fmt(folder), slice_fmt(fallback));
    if (!fallback.len || len < 0 || (size_t)len >= sizeof r->path)
        return -ENOENT;
    r->base_len = (size_t)len;
    return open_at(r, "");
}

/* The file itself, its index where it is a folder, or else the fallback. */
static int open_best(struct reading *r) {
    int failed = open_at(r, "");
    bool folder = failed == -EISDIR;
    if (folder)
        failed = open_index(r);
    r->found.is_folder = folder && !failed && !r->with_slash;
    if (failed == -ENOENT || failed == -ENOTDIR || failed == -EISDIR)
        failed = open_fallback(r);
    if (!failed && !r->found.is_folder)
        open_twin(r);
    return failed;
}

static void run(struct io_job *job) {
    struct reading *r = container_of(job, struct reading, job);
    if (!r->file) {
        r->failed = open_best(r);
        if (r->failed || !r->peeks || r->found.is_folder || r->found.size > PIECE_BYTES)
            return;
        r->end = r->found.size;
    }
    uint64_t left = r->end - r->at;
    size_t size = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
    if (!r->piece && size) /* no later one is larger than the first */
        r->piece = mem_alloc(size);
    r->failed = r->piece || !size ? 0 : -ENOMEM;
    if (!r->failed && size)
        r->failed = io_file_read(r->file, r->piece, size, r->at, &r->got);
    if (!r->failed && r->got < size)
        r->failed = -EIO; /* it has become shorter under our hands */
}

/* --- on the loop -------------------------------------------------------------------------------
 */

static void submit(struct reading *r);

static void on_gone(struct exchange *x) {
    struct reading *r = x->state;
    r->x = NULL;
    if (!r->submitted)
        reading_free(r);
}

/* Hands the piece over; on -EAGAIN it waits for room. */
static void pass_on(struct reading *r) {
    struct exchange *x = r->x;
    int failed = exchange_write(x, slice_make(r->piece, r->got));
    if (failed == -EAGAIN)
        return;
    if (failed) {
        reading_free(r);
        exchange_break(x, "no memory");
        return;
    }
    r->at += r->got;
    r->got = 0;
    if (r->at < r->end) {
        submit(r);
        return;
    }
    reading_free(r);
    exchange_end(x, NULL, 0);
}

static void on_room(struct exchange *x) {
    struct reading *r = x->state;
    if (!r->submitted && r->begun)
        pass_on(r);
}

static void fail(struct reading *r, int failed) {
    struct exchange *x = r->x;
    bool begun = r->begun;
    reading_free(r);
    if (begun)
        exchange_break(x, "file cannot be read");
    else if (failed == -ENOENT || failed == -ENOTDIR || failed == -EISDIR || failed == -EACCES ||
             failed == -ENAMETOOLONG || failed == -ELOOP)
        exchange_problem(x, 404, "no such file", "there is nothing at this path");
    else
        exchange_problem(x, 503, "file cannot be read", "this file cannot be read at the moment");
}

/* The body comes in pieces. */
static void begin(struct reading *r, const struct files_plan *plan) {
    r->begun = exchange_begin(r->x, &plan->answer) == 0;
    if (!r->begun) {
        fail(r, -ENOMEM);
        return;
    }
    r->at = plan->from;
    r->end = plan->from + plan->length;
    submit(r);
}

static void answer(struct reading *r) {
    struct exchange *x = r->x;
    struct files_plan plan;
    slice path = slice_make(r->path, r->base_len);
    int failed = files_plan(x, &r->found, path, r->files->cache_control, &plan);
    if (failed) {
        fail(r, failed);
        return;
    }
    bool head = slice_equal(http_request_method(x->request), slice_lit("HEAD"));
    plan.answer.has_length = plan.has_body;
    plan.answer.length = plan.length;
    if (!plan.has_body || plan.length == 0) {
        reading_free(r);
        exchange_reply(x, &plan.answer, (slice){0});
    } else if (head) {
        reading_free(r);
        if (exchange_begin(x, &plan.answer))
            exchange_problem(x, 503, "no memory", "there is no memory for this answer");
        else
            exchange_end(x, NULL, 0);
    } else if (r->got) { /* small: all of it is here */
        exchange_reply(x, &plan.answer, slice_make(r->piece + plan.from, (size_t)plan.length));
        reading_free(r);
    } else {
        begin(r, &plan);
    }
}

static void done(struct io_job *job) {
    struct reading *r = container_of(job, struct reading, job);
    r->submitted = false;
    if (!r->x)
        reading_free(r);
    else if (r->failed)
        fail(r, r->failed);
    else if (!r->begun)
        answer(r);
    else
        pass_on(r);
}

static void submit(struct reading *r) {
    r->job = (struct io_job){.run = run, .done = done};
    r->submitted = io_worker_submit(r->worker, &r->job) == 0;
    if (!r->submitted)
        fail(r, -EAGAIN);
}

/* --- the target --------------------------------------------------------------------------------
 */

/* What the star stands for, or the whole path where the pattern has none. */
static slice name_of(const struct exchange *x) {
    unsigned count;
    const struct http_parameter *parameters = http_request_parameters(x->request, &count);
    for (unsigned i = 0; i < count; i++)
        if (slice_equal(parameters[i].name, slice_lit("*")))
            return parameters[i].value;
    return slice_skip(http_request_path(x->request), 1);
}

static bool is_served(slice name) {
    slice rest = name;
    while (rest.ptr && rest.len) {
        slice segment = slice_cut(rest, '/', &rest);
        if (slice_starts_with(segment, slice_lit(".")) &&
            !slice_equal(segment, slice_lit(".well-known")))
            return false;
    }
    return slice_find(name, '\0') < 0;
}

static struct reading *reading_new(struct exchange *x, const struct files *files, slice name) {
    struct reading *r = mem_zalloc(1, sizeof *r);
    if (!r)
        return NULL;
    int len =
        snprintf(r->path, sizeof r->path, "%.*s/%.*s", slice_fmt(files->folder), slice_fmt(name));
    r->base_len = len > 0 && (size_t)len < sizeof r->path ? (size_t)len : sizeof r->path;
    r->x = x;
    r->host = io_loop_host(exchange_loop(x));
    r->worker = x->shard->files_worker;
    r->files = files;
    r->table = gateway_table_ref(x->route->table);
    r->gzip = files_accepts(x, slice_lit("gzip"));
    r->brotli = files_accepts(x, slice_lit("br"));
    r->with_slash = slice_ends_with(http_request_path(x->request), slice_lit("/"));
    r->peeks =
        slice_equal(http_request_method(x->request), slice_lit("GET")) && !files_is_conditional(x);
    return r;
}

static void start(struct exchange *x, void *self) {
    static const struct exchange_events events = {.on_gone = on_gone, .on_room = on_room};
    const struct files *files = self;
    slice method = http_request_method(x->request), name = name_of(x);
    if (!slice_equal(method, slice_lit("GET")) && !slice_equal(method, slice_lit("HEAD"))) {
        exchange_add_field(x, slice_lit("Allow"), slice_lit("GET, HEAD"));
        exchange_problem(x, 405, "method", "files are read with GET and HEAD");
        return;
    }
    if (!is_served(name)) {
        exchange_problem(x, 404, "hidden file", "there is nothing at this path");
        return;
    }
    struct reading *r = reading_new(x, files, name);
    if (!r) {
        exchange_problem(x, 503, "no memory", "there is no memory to read this file");
        return;
    }
    exchange_hold(x, &events, r);
    if (r->base_len == sizeof r->path)
        fail(r, -ENAMETOOLONG);
    else
        submit(r);
}

static bool chosen(const struct gateway_to *to) {
    return to->files.len > 0;
}

/* Before the first request asks: a folder that is not there is a mistake of the config. */
static int look_at_folder(struct io_host *host, const char *path) {
    struct io_file_info info = {0};
    struct io_file *file;
    int failed = io_file_open(host, path, 0, &file);
    if (failed)
        return failed;
    failed = io_file_info(file, &info);
    io_file_close(file);
    return failed ? failed : info.is_folder ? 0 : -ENOTDIR;
}

static int open_files(struct gateway *gateway, const struct gateway_route_config *config,
                      struct arena *arena, void **ret_self, struct error *ret_error) {
    const struct gateway_to *to = &config->to;
    struct files *files = arena_zalloc(arena, 1, sizeof *files);
    uint64_t seconds = to->max_age_ns / NUMBER_NS_PER_SECOND;
    int failed = files ? arena_copy(arena, to->files, &files->folder) : -ENOMEM;
    if (!failed)
        failed =
            arena_copy(arena, to->index.len ? to->index : slice_lit("index.html"), &files->index);
    if (!failed)
        failed = arena_copy(arena, to->fallback, &files->fallback);
    if (!failed)
        failed = seconds ? arena_printf(arena, &files->cache_control, "max-age=%llu",
                                        (unsigned long long)seconds)
                         : arena_copy(arena, slice_lit("no-cache"), &files->cache_control);
    if (failed)
        return error_set(ret_error, failed, "no memory for a folder's route");
    failed = look_at_folder(gateway->node->host, files->folder.ptr);
    if (failed)
        return error_set(ret_error, failed, "files: the folder %.*s cannot be served: %s",
                         slice_fmt(files->folder), error_name(failed));
    while (files->folder.len > 1 && files->folder.ptr[files->folder.len - 1] == '/')
        files->folder.len--;
    *ret_self = files;
    return 0;
}

/* One worker serves all folders of a loop, of this table and the next. */
static int files_shard_open(void *self, struct gateway_shard *shard) {
    (void)self;
    return shard->files_worker
               ? 0
               : io_worker_create(shard->shard->loop, "nonet-files", &shard->files_worker);
}

const struct gateway_target files_target = {
    .name = "files",
    .chosen = chosen,
    .open = open_files,
    .shard_open = files_shard_open,
    .start = start,
};
