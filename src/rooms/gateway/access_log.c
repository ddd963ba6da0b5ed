/*
 * access_log.c - lines gathered on the loop, written on a worker (access_log.h).
 *
 *     gathering --tick, or half full--> writing (the worker's) --done--> empty, kept for the next
 *
 * Two buffers change places, so that the loop goes on while the worker writes.
 */
#include "rooms/gateway/access_log.h"

#include "base/clocktext.h"
#include "base/mem.h"
#include "io/file.h"
#include "rooms/gateway/auth.h"
#include "rooms/gateway/table.h"
#include "wire/json_write.h"
#include "wire/url.h"

#include <errno.h>
#include <stdio.h>

#define FLUSH_NS UINT64_C(200000000)
#define NS_PER_US UINT64_C(1000)
#define PATH_BYTES_MAX ((size_t)64 << 10) /* a head's target is shorter */

static const struct metrics_family dropped_family = {
    .name = "nonet_gateway_access_log_dropped_total",
    .kind = METRICS_COUNTER,
    .help = "Lines of the access log that were dropped, as the disk did not take them in time.",
};

struct gateway_access_log {
    struct room_shard *shard;
    struct io_worker *worker;
    struct io_file *file;
    struct buf gathering, writing;
    struct io_job job;
    struct io_timer tick;
    struct metric dropped;
    char path[1024];
    bool busy, told;
    int failed; /* of the last write: set by the worker, read when it is done */
};

/* --- writing -----------------------------------------------------------------------------------
 */

static void run(struct io_job *job) {
    struct gateway_access_log *log = container_of(job, struct gateway_access_log, job);
    log->failed = io_file_write(log->file, log->writing.ptr, log->writing.len, 0);
}

static void flush(struct gateway_access_log *log);

static void done(struct io_job *job) {
    struct gateway_access_log *log = container_of(job, struct gateway_access_log, job);
    log->busy = false;
    buf_clear(&log->writing);
    if (log->failed && !log->told)
        logger_write(log->shard->node->logger, LOG_LEVEL_ERROR, "gateway",
                     "the access log cannot be written, lines are lost", "path=%s error=%s",
                     log->path, error_name(log->failed));
    log->told = log->failed != 0;
    if (log->gathering.len >= ACCESS_LOG_PENDING_MAX / 2)
        flush(log);
}

static void flush(struct gateway_access_log *log) {
    if (log->busy || log->gathering.len == 0)
        return;
    struct buf full = log->gathering;
    log->gathering = log->writing;
    log->writing = full;
    log->busy = io_worker_submit(log->worker, &log->job) == 0;
    if (!log->busy) { /* kept for the next time */
        log->writing = log->gathering;
        log->gathering = full;
    }
}

static void on_tick(struct io_timer *timer) {
    struct gateway_access_log *log = container_of(timer, struct gateway_access_log, tick);
    flush(log);
    io_timer_start(log->shard->loop, timer, FLUSH_NS, on_tick);
}

/* --- a line ------------------------------------------------------------------------------------
 */

static void write_moment(struct json_writer *w, const char *key, const struct exchange *x,
                         enum exchange_moment moment) {
    uint64_t at = x->moments[moment], began = x->moments[EXCHANGE_BEGAN];
    json_write_key(w, key);
    json_write_u64(w, at > began ? (at - began) / NS_PER_US : 0);
}

/* Keys in the query are secrets, of which the line has a '-'. */
static int hide_secrets(const struct exchange *x, slice path, slice query, struct buf *text) {
    slice key, value;
    const char *before = "?";
    int failed = buf_append(text, path);
    while (!failed && url_query_next(&query, &key, &value)) {
        bool hidden = value.ptr && gateway_auth_hides(x->route, key);
        failed = buf_printf(text, "%s%.*s%s%.*s", before, slice_fmt(key), value.ptr ? "=" : "",
                            slice_fmt(hidden ? slice_lit("-") : value));
        before = "&";
    }
    return failed;
}

static void write_path(struct json_writer *w, const struct exchange *x) {
    struct buf text _cleanup_buf_ = buf_make(PATH_BYTES_MAX);
    slice query, target = http_request_target(x->request);
    slice path = url_cut_query(target, &query);
    if (x->route->way_count == 0 || query.len == 0)
        json_put_string(w, "path", target);
    else
        json_put_string(w, "path", hide_secrets(x, path, query, &text) ? path : buf_slice(&text));
}

static void write_line(struct json_writer *w, const struct exchange *x, int64_t now_ns) {
    char time[CLOCKTEXT_SIZE];
    json_write_object(w);
    json_put_string(w, "time", slice_make(time, clocktext_format(now_ns, time)));
    json_put_string(w, "id", x->request_id);
    json_put_string(w, "client", x->client);
    json_put_string(w, "principal", x->principal);
    json_put_string(w, "method", http_request_method(x->request));
    json_put_string(w, "host", http_request_host(x->request));
    write_path(w, x);
    json_put_string(w, "route", x->route->name);
    json_put_u64(w, "status", x->status);
    json_put_u64(w, "bytes_in", x->bytes_in);
    json_put_u64(w, "bytes_out", x->bytes_out);
    write_moment(w, "duration_us", x, EXCHANGE_ENDED);
    write_moment(w, "admitted_us", x, EXCHANGE_ADMITTED);
    write_moment(w, "connected_us", x, EXCHANGE_CONNECTED);
    write_moment(w, "sent_us", x, EXCHANGE_SENT);
    write_moment(w, "answered_us", x, EXCHANGE_ANSWERED);
    json_put_string(w, "upstream", x->upstream);
    json_put_u64(w, "retries", x->retries);
    json_put_string(w, "reason", slice_str(x->reason));
    json_put_string(w, "trace", exchange_trace_id(x));
    json_write_end(w);
}

void access_log_write(struct gateway_access_log *log, const struct exchange *x) {
    size_t before = log->gathering.len;
    struct json_writer w = json_writer_make(&log->gathering, false);
    write_line(&w, x, io_loop_wall_ns(log->shard->loop));
    int failed = json_write_finish(&w);
    if (!failed)
        failed = buf_append_byte(&log->gathering, '\n');
    if (failed) {
        log->gathering.len = before;
        metrics_count(log->shard->metrics, log->dropped, 1);
    }
    if (log->gathering.len >= ACCESS_LOG_PENDING_MAX / 2)
        flush(log);
}

/* --- life --------------------------------------------------------------------------------------
 */

struct gateway_access_log *access_log_close(struct gateway_access_log *log) {
    if (!log)
        return NULL;
    io_timer_stop(log->shard->loop, &log->tick);
    flush(log);
    bool rest = log->busy && log->gathering.len;
    log->worker = io_worker_free(log->worker); /* waits for the job at hand */
    if (rest || log->gathering.len)
        (void)!io_file_write(log->file, log->gathering.ptr, log->gathering.len, 0);
    io_file_close(log->file);
    buf_free(&log->gathering);
    buf_free(&log->writing);
    return mem_free(log);
}

int access_log_open(struct room_shard *shard, slice path, struct gateway_access_log **ret_log,
                    struct error *ret_error) {
    struct gateway_access_log *log = mem_zalloc(1, sizeof *log);
    if (!log)
        return error_set(ret_error, -ENOMEM, "no memory for the access log");
    log->shard = shard;
    log->job = (struct io_job){.run = run, .done = done};
    log->gathering = log->writing = buf_make(ACCESS_LOG_PENDING_MAX);
    int failed = slice_to_string(path, log->path, sizeof log->path);
    if (!failed)
        failed = io_file_open(shard->node->host, log->path,
                              IO_FILE_WRITE | IO_FILE_CREATE | IO_FILE_APPEND, &log->file);
    if (!failed)
        failed = io_worker_create(shard->loop, "nonet-access", &log->worker);
    if (failed) {
        io_file_close(log->file);
        mem_free(log);
        return error_set(ret_error, failed, "cannot open the access log %.*s: %s", slice_fmt(path),
                         error_name(failed));
    }
    (void)metrics_add_series(shard->node->metrics, &dropped_family, NULL, &log->dropped);
    io_timer_start(shard->loop, &log->tick, FLUSH_NS, on_tick);
    *ret_log = log;
    return 0;
}
