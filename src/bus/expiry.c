/*
 * expiry.c - see expiry.h.
 *
 * The timer's step does three things, each a bounded number a turn, in this order:
 *
 *     READ BACK   messages that were there at the start: those with a TTL go into the heap
 *     DUE         the top of the heap, as long as its time has come
 *     AGE         from `age_at` on, in order of time: what is older than max_age, but for "never"
 *
 * Everything before age_at has been looked at: what is left of it is never to go by age. A step
 * that needs a block from disk asks for it and is repeated when it has come; one that finds no room
 * in the log is tried again a little later. The timer then sleeps until the next time known, but
 * not longer than SLEEP_MAX_NS: the wall clock may be set.
 */
#include "bus/expiry.h"

#include "base/mem.h"
#include "base/number.h"
#include "bus/republish.h"
#include "wire/nats_headers.h"

#include <errno.h>

#define SECOND_NS 1000000000ll
#define STEP_MAX 256u
#define SLEEP_MAX_NS (10 * SECOND_NS)
#define RETRY_NS 10000000u
#define NOTHING_NS INT64_MAX /* no time known; later than any */

struct entry {
    int64_t at_ns;
    uint64_t sequence;
};

struct expiry {
    struct stream *stream;
    struct buf heap; /* of struct entry, the soonest first */
    uint64_t read_at, read_last, age_at;
    struct io_timer timer;
    int64_t wake_ns; /* when the timer is set for */
    struct log_load load;
    bool loading;
};

/* --- the header --------------------------------------------------------------------------- */

bool expiry_parse(slice text, int64_t *ret_seconds) {
    uint64_t ns, seconds;
    if (slice_equal_nocase(text, slice_lit("never"))) {
        *ret_seconds = EXPIRY_NEVER;
        return true;
    }
    if (number_parse_u64(text, &seconds) == 0) {
        if (seconds > (uint64_t)(INT64_MAX / SECOND_NS))
            return false;
        *ret_seconds = (int64_t)seconds;
        return true;
    }
    /* Go knows no days and weeks. */
    bool days = memchr(text.ptr, 'd', text.len) || memchr(text.ptr, 'w', text.len);
    if (days || number_parse_duration(text, &ns) || ns < (uint64_t)SECOND_NS)
        return false;
    *ret_seconds = (int64_t)(ns / (uint64_t)SECOND_NS);
    return true;
}

static int64_t ttl_of(const struct log_record *record) {
    slice text;
    int64_t seconds = 0;
    if (record->headers.len && nats_headers_get(record->headers, slice_lit("Nats-TTL"), &text) &&
        !expiry_parse(text, &seconds))
        seconds = 0;
    return seconds;
}

/* AFTER_NS from AT_NS on. What the clock cannot say any more does not come: TTL and max_age may be
   as long as that, and a sum that wrapped would be over at once. */
static int64_t later(int64_t at_ns, int64_t after_ns) {
    return at_ns > NOTHING_NS - after_ns ? NOTHING_NS : at_ns + after_ns;
}

/* --- the heap ----------------------------------------------------------------------------- */

static struct entry *entries(const struct expiry *x) {
    return (struct entry *)(void *)x->heap.ptr;
}

static size_t entry_count(const struct expiry *x) {
    return x->heap.len / sizeof(struct entry);
}

static void swap(struct entry *a, struct entry *b) {
    struct entry kept = *a;
    *a = *b;
    *b = kept;
}

static void heap_push(struct expiry *x, struct entry entry) {
    check(x->heap.cap - x->heap.len >= sizeof entry);
    x->heap.len += sizeof entry;
    struct entry *heap = entries(x);
    size_t at = entry_count(x) - 1;
    heap[at] = entry;
    for (; at > 0 && heap[(at - 1) / 2].at_ns > heap[at].at_ns; at = (at - 1) / 2)
        swap(&heap[at], &heap[(at - 1) / 2]);
}

static void heap_pop_first(struct expiry *x) {
    struct entry *heap = entries(x);
    size_t count = entry_count(x) - 1;
    heap[0] = heap[count];
    x->heap.len -= sizeof *heap;
    for (size_t at = 0, child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && heap[child + 1].at_ns < heap[child].at_ns)
            child++;
        if (heap[at].at_ns <= heap[child].at_ns)
            return;
        swap(&heap[at], &heap[child]);
    }
}

/* --- one message goes --------------------------------------------------------------------- */

static bool leaves_marker(struct stream *stream, const struct log_record *record) {
    slice value;
    struct log_subject_state subject;
    if (!stream->config.marker_ttl_ns)
        return false;
    if (record->headers.len &&
        (nats_headers_get(record->headers, slice_lit("Nats-Marker-Reason"), &value) ||
         (nats_headers_get(record->headers, slice_lit("KV-Operation"), &value) &&
          slice_equal(value, slice_lit("PURGE")))))
        return false;
    return log_subject(stream->log, record->subject, &subject) && subject.messages == 1;
}

static int add_marker(struct stream *stream, struct log_batch *batch, slice subject, int64_t now_ns,
                      uint64_t *ret_sequence) {
    char text[NUMBER_TEXT_MAX * 2];
    uint64_t seconds = (uint64_t)(stream->config.marker_ttl_ns / SECOND_NS);
    slice ttl = slice_make(text, number_format_go_duration(seconds * (uint64_t)SECOND_NS, text));
    _cleanup_buf_ struct buf headers = buf_make(256);
    int failed = nats_headers_begin(&headers, 0, (slice){0});
    if (!failed)
        failed = nats_headers_add(&headers, slice_lit("Nats-Marker-Reason"), slice_lit("MaxAge"));
    if (!failed)
        failed = nats_headers_add(&headers, slice_lit("Nats-TTL"), ttl);
    if (!failed)
        failed = nats_headers_add(&headers, slice_lit("Nats-Rollup"), slice_lit("sub"));
    if (!failed)
        failed = nats_headers_end(&headers);
    struct log_message message = {subject, buf_slice(&headers), {0}, now_ns};
    return failed ? failed : log_batch_append(batch, stream->log, &message, ret_sequence);
}

/* 0: RECORD is deleted, its marker in its place. Else nothing has happened. */
static int expire(struct expiry *x, const struct log_record *record, int64_t now_ns) {
    struct stream *stream = x->stream;
    bool marker = leaves_marker(stream, record);
    uint64_t sequence = 0;
    struct log_batch *batch;
    int failed = marker ? expiry_reserve(stream, 1) : 0;
    if (!failed)
        failed = log_batch_begin(stream->streams->log, &batch);
    if (failed)
        return failed;
    failed = log_batch_delete(batch, stream->log, record->sequence);
    if (!failed && marker)
        failed = add_marker(stream, batch, record->subject, now_ns, &sequence);
    if (failed) {
        log_batch_abandon(batch);
        return failed == -ENOENT ? 0 : failed; /* it has gone otherwise */
    }
    log_batch_commit(batch, NULL);
    if (marker) {
        heap_push(x, (struct entry){later(now_ns, stream->config.marker_ttl_ns), sequence});
        if (stream->republisher)
            republish_note(stream, sequence, record->sequence);
    }
    return 0;
}

/* --- the three things --------------------------------------------------------------------- */

/* Each: 0 where nothing is left to do now; -EAGAIN: there is more; -EINPROGRESS with *RET_SEQUENCE
   to be loaded; or why it has to be tried again later. */

static int read_back(struct expiry *x, uint64_t *ret_sequence) {
    struct stream *stream = x->stream;
    for (unsigned i = 0; x->read_at <= x->read_last; i++) {
        struct log_record record = {.sequence = x->read_at};
        int failed = i == STEP_MAX ? -EAGAIN
                                   : log_seek(stream->streams->log, stream->log, (slice){0},
                                              x->read_at, &record);
        if (failed == -ENOENT)
            break;
        if (failed == -EBADMSG) {
            x->read_at = record.sequence + 1;
            continue;
        }
        if (failed == -EAGAIN || failed == -EINPROGRESS)
            *ret_sequence = x->read_at = record.sequence;
        if (failed)
            return failed;
        int64_t seconds = ttl_of(&record);
        if (seconds > 0 && record.sequence <= x->read_last) {
            failed = expiry_reserve(stream, 1);
            if (failed)
                return failed;
            heap_push(x,
                      (struct entry){later(record.time_ns, seconds * SECOND_NS), record.sequence});
        }
        x->read_at = record.sequence + 1;
    }
    x->read_at = x->read_last + 1;
    return 0;
}

static int expire_due(struct expiry *x, int64_t now_ns, uint64_t *ret_sequence) {
    struct stream *stream = x->stream;
    for (unsigned i = 0; entry_count(x) && entries(x)->at_ns <= now_ns; i++) {
        struct log_record record;
        uint64_t sequence = entries(x)->sequence;
        if (i == STEP_MAX)
            return -EAGAIN;
        if (sequence > log_stream_state(stream->log).last_sequence)
            return -EBUSY; /* still on its way to disk */
        int failed = log_read(stream->streams->log, stream->log, sequence, &record);
        *ret_sequence = sequence;
        if (!failed)
            failed = expire(x, &record, now_ns);
        if (failed && failed != -ENOENT && failed != -EBADMSG)
            return failed;
        heap_pop_first(x); /* the same one: a marker's time is later */
    }
    return 0;
}

static int expire_old(struct expiry *x, int64_t now_ns, uint64_t *ret_sequence,
                      int64_t *io_next_ns) {
    struct stream *stream = x->stream;
    if (!stream->config.age_max_ns)
        return 0;
    for (unsigned i = 0; i < STEP_MAX; i++) {
        struct log_record record = {.sequence = x->age_at};
        int failed = log_seek(stream->streams->log, stream->log, (slice){0}, x->age_at, &record);
        if (failed == -ENOENT)
            return 0;
        *ret_sequence = x->age_at = record.sequence;
        if (!failed) {
            int64_t at_ns = later(record.time_ns, stream->config.age_max_ns);
            if (at_ns > now_ns) {
                *io_next_ns = at_ns < *io_next_ns ? at_ns : *io_next_ns;
                return 0;
            }
            failed = ttl_of(&record) == EXPIRY_NEVER ? 0 : expire(x, &record, now_ns);
        }
        if (failed && failed != -EBADMSG)
            return failed;
        x->age_at++;
    }
    return -EAGAIN;
}

static void step(struct expiry *x);

static void on_timer(struct io_timer *timer) {
    step(container_of(timer, struct expiry, timer));
}

static void on_loaded(struct log_load *load, int failed) {
    struct expiry *x = container_of(load, struct expiry, load);
    x->loading = false;
    if (failed) /* the disk may come back */
        io_timer_start(bus_loop(x->stream->streams->bus), &x->timer, (uint64_t)SECOND_NS, on_timer);
    else
        step(x);
}

static void sleep_until(struct expiry *x, int64_t at_ns, int64_t now_ns) {
    if (entry_count(x) && entries(x)->at_ns < at_ns)
        at_ns = entries(x)->at_ns;
    if (at_ns == NOTHING_NS)
        return;
    int64_t left = at_ns > now_ns ? at_ns - now_ns : 0;
    x->wake_ns = at_ns;
    io_timer_start(bus_loop(x->stream->streams->bus), &x->timer,
                   (uint64_t)(left < SLEEP_MAX_NS ? left : SLEEP_MAX_NS), on_timer);
}

static void step(struct expiry *x) {
    struct streams *streams = x->stream->streams;
    struct io_loop *loop = bus_loop(streams->bus);
    int64_t now_ns = io_loop_wall_ns(loop), next_ns = NOTHING_NS;
    uint64_t wanted = 0;
    if (x->loading || x->stream->config.sealed)
        return;
    int failed = read_back(x, &wanted);
    if (!failed)
        failed = expire_due(x, now_ns, &wanted);
    if (!failed)
        failed = expire_old(x, now_ns, &wanted, &next_ns);
    if (failed == -EROFS)
        return;
    if (failed == -EINPROGRESS)
        x->loading = log_load(streams->log, x->stream->log, wanted, &x->load) == 0;
    if (x->loading)
        return;
    if (failed)
        io_timer_start(loop, &x->timer, failed == -EAGAIN ? 0 : RETRY_NS, on_timer);
    else
        sleep_until(x, next_ns, now_ns);
}

/* --- the calls ---------------------------------------------------------------------------- */

int expiry_reserve(struct stream *stream, size_t count) {
    struct expiry *x = stream->expiry;
    return x ? buf_reserve(&x->heap, count * sizeof(struct entry)) : 0;
}

void expiry_note(struct stream *stream, uint64_t sequence, int64_t at_ns, int64_t ttl_s) {
    struct expiry *x = stream->expiry;
    int64_t over_ns = later(at_ns, ttl_s * SECOND_NS);
    if (!x)
        return;
    heap_push(x, (struct entry){over_ns, sequence});
    if (!x->loading && (over_ns < x->wake_ns || !io_timer_running(&x->timer)))
        sleep_until(x, NOTHING_NS, io_loop_wall_ns(bus_loop(stream->streams->bus)));
}

void expiry_look(struct stream *stream) {
    struct expiry *x = stream->expiry;
    struct io_loop *loop = bus_loop(stream->streams->bus);
    if (!x || !stream->config.age_max_ns || x->loading)
        return;
    int64_t now_ns = io_loop_wall_ns(loop), at_ns = later(now_ns, stream->config.age_max_ns);
    if (!io_timer_running(&x->timer))
        io_timer_start(loop, &x->timer, RETRY_NS, on_timer);
    else if (at_ns < x->wake_ns) /* it sleeps for what has a TTL */
        sleep_until(x, at_ns, now_ns);
}

void expiry_start(struct stream *stream) {
    struct expiry *x = stream->expiry;
    if (!stream->config.allow_message_ttl) {
        expiry_stop(stream);
        return;
    }
    if (!x) {
        struct log_stream_state state = log_stream_staged(stream->log);
        x = mem_zalloc(1, sizeof *x);
        if (!x) {
            logger_write(stream->streams->logger, LOG_LEVEL_ERROR, "streams",
                         "no memory for the times of messages: they do not expire", "stream=%.*s",
                         slice_fmt(stream->config.name));
            return;
        }
        x->stream = stream;
        x->heap = buf_make((size_t)EXPIRY_ENTRIES_MAX * sizeof(struct entry));
        x->read_at = state.first_sequence;
        x->read_last = state.last_sequence;
        x->load.done = on_loaded;
        stream->expiry = x;
    }
    x->age_at = 1; /* max_age may be another now */
    if (!x->loading)
        io_timer_start(bus_loop(stream->streams->bus), &x->timer, 0, on_timer);
}

void expiry_stop(struct stream *stream) {
    struct expiry *x = stream->expiry;
    if (!x)
        return;
    io_timer_stop(bus_loop(stream->streams->bus), &x->timer);
    if (x->loading && stream->streams->log)
        log_load_cancel(stream->streams->log, &x->load);
    buf_free(&x->heap);
    stream->expiry = mem_free(x);
}
