/*
 * republish.c - see republish.h.
 *
 *      waiting   [ 17:3 | 18:0 | 19:17 | ... ]     sequence and the last of its subject, in order
 *                  ^ at                  ^ behind which captures add
 *
 * A step publishes at most STEP_MAX messages and lets the loop turn. It runs as a task or from a
 * timer, never from inside a commit. A block that has left memory is loaded first.
 */
#include "bus/republish.h"

#include "base/mem.h"
#include "bus/stored_headers.h"
#include "bus/stream_subjects.h"
#include "bus/transform.h"
#include "wire/nats_headers.h"

#include <errno.h>

#define STEP_MAX 256u
#define RETRY_NS 1000000u
#define TEXT_MAX LOG_MESSAGE_MAX

struct waiting {
    uint64_t sequence, last;
};

struct republish {
    struct stream *stream;
    struct buf waiting; /* of struct waiting */
    size_t at;          /* bytes of it that are done */
    struct io_task task;
    struct io_timer again;
    struct log_load load;
    bool loading, dropping;
};

static void step(struct republish *r);

static void on_task(struct io_task *task) {
    step(container_of(task, struct republish, task));
}

static void on_again(struct io_timer *timer) {
    step(container_of(timer, struct republish, again));
}

static void on_loaded(struct log_load *load, int failed) {
    struct republish *r = container_of(load, struct republish, load);
    r->loading = false;
    if (failed)
        r->at += sizeof(struct waiting); /* it cannot be read: passed over */
    step(r);
}

static struct republish *republish_of(struct stream *stream) {
    if (stream->republish)
        return stream->republish;
    struct republish *r = mem_zalloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->stream = stream;
    r->waiting = buf_make(REPUBLISH_WAITING_MAX * sizeof(struct waiting));
    r->task.run = on_task;
    r->load.done = on_loaded;
    stream->republish = r;
    return r;
}

void republish_stop(struct stream *stream) {
    struct republish *r = stream->republish;
    if (!r)
        return;
    struct io_loop *loop = bus_loop(stream->streams->bus);
    io_defer_cancel(loop, &r->task);
    io_timer_stop(loop, &r->again);
    if (r->loading && stream->streams->log)
        log_load_cancel(stream->streams->log, &r->load);
    buf_free(&r->waiting);
    stream->republish = mem_free(r);
}

void republish_note(struct stream *stream, uint64_t sequence, uint64_t last) {
    struct republish *r = republish_of(stream);
    struct waiting waiting = {sequence, last};
    bool dropped =
        !r || buf_append(&r->waiting, slice_make((const char *)&waiting, sizeof waiting));
    if (r && dropped && !r->dropping)
        logger_write(stream->streams->logger, LOG_LEVEL_WARN, "streams",
                     "messages are stored but not republished", "stream=%.*s from=%llu",
                     slice_fmt(stream->config.name), (unsigned long long)sequence);
    if (r)
        r->dropping = dropped;
}

void republish_on_visible(struct stream *stream) {
    struct republish *r = stream->republish;
    if (r && r->waiting.len && !r->loading && !io_timer_running(&r->again))
        io_defer(bus_loop(stream->streams->bus), &r->task);
}

/* --- sending ------------------------------------------------------------------------------ */

static int write_headers(const struct republish *r, const struct log_record *record, uint64_t last,
                         struct buf *out) {
    const struct stream_config *config = &r->stream->config;
    int failed = stored_headers_begin(out, config->name, record);
    if (!failed)
        failed = nats_headers_add_u64(out, slice_lit("Nats-Last-Sequence"), last);
    if (!failed && config->republish.headers_only)
        failed = nats_headers_add_u64(out, slice_lit("Nats-Msg-Size"), record->payload.len);
    return failed ? failed : nats_headers_end(out);
}

/* Who receives it may remove the stream: R and its stream are not touched afterwards. */
static void pass_on(struct republish *r, const struct log_record *record, uint64_t last) {
    struct stream *stream = r->stream;
    char subject[BUS_SUBJECT_MAX];
    struct bus_message m = {0};
    if (!stream->republisher ||
        !transform_apply(stream->republisher, record->subject, subject, sizeof subject, &m.subject))
        return;
    if (stream_subject_takes_orders(m.subject)) /* by what a wildcard stands for */
        return;
    _cleanup_buf_ struct buf headers = buf_make(TEXT_MAX); /* not R's: it may be freed meanwhile */
    if (!bus_has_interest(stream->streams->bus, m.subject) ||
        write_headers(r, record, last, &headers))
        return;
    m.headers = buf_slice(&headers);
    if (!stream->config.republish.headers_only)
        m.payload = record->payload;
    bus_publish(stream->streams->bus, &m, NULL, NULL);
}

/* What has been done is taken out once it outweighs the rest. */
static void squeeze(struct republish *r) {
    size_t rest = r->waiting.len - r->at;
    if (r->at < rest)
        return;
    if (rest)
        memmove(r->waiting.ptr, r->waiting.ptr + r->at, rest);
    r->waiting.len = rest;
    r->at = 0;
}

static void wait(struct republish *r, uint64_t ns) {
    io_timer_start(bus_loop(r->stream->streams->bus), &r->again, ns, on_again);
}

static bool take_next(const struct republish *r, struct waiting *next) {
    if (r->at == r->waiting.len)
        return false;
    memcpy(next, r->waiting.ptr + r->at, sizeof *next);
    return next->sequence <= log_stream_state(r->stream->log).last_sequence;
}

static void step(struct republish *r) {
    struct streams *streams = r->stream->streams;
    char name[STREAMS_NAME_MAX];
    size_t name_len = r->stream->config.name.len;
    memcpy(name, r->stream->config.name.ptr, name_len);
    bool more = true;
    for (unsigned i = 0; i < STEP_MAX && more; i++) {
        struct waiting next;
        struct log_record record;
        more = take_next(r, &next);
        if (!more)
            break; /* on_visible comes again */
        int failed = log_read(streams->log, r->stream->log, next.sequence, &record);
        if (failed == -EINPROGRESS) {
            r->loading = log_load(streams->log, r->stream->log, next.sequence, &r->load) == 0;
            if (!r->loading)
                wait(r, RETRY_NS);
            return;
        }
        r->at += sizeof next;
        if (failed)
            continue;
        streams_hold(streams);
        pass_on(r, &record, next.last);
        streams_release(streams);
        struct stream *stream = stream_find(streams, slice_make(name, name_len));
        if (!stream || stream->republish != r)
            return;
    }
    squeeze(r);
    if (more)
        wait(r, 0);
}
