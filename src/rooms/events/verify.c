/*
 * verify.c - see verify.h.
 *
 * Of the path of a stream's nodes (record.h) the newest few are kept with their sequences, so that
 * what a record says of earlier ones is compared with where they really are; older ones are
 * believed, since the chain covers what a record says.
 */
#include "rooms/events/verify.h"

#include "base/map.h"
#include "base/mem.h"
#include "rooms/events/record.h"

#include <errno.h>
#include <inttypes.h>

#define ENDS_MAX ((size_t)1 << 30)
#define STEP_MAX 256u /* records a turn */
#define TELL_NS UINT64_C(1000000000)

struct end {
    uint64_t number, sequence;
    unsigned char chain[EVENT_CHAIN_BYTES];
    unsigned path_count;
    struct {
        uint64_t number, sequence;
    } path[8];
    size_t len;
    char subject[];
};

struct verify {
    struct engine *engine;
    struct log_load load;
    struct io_timer again;
    bool loading;
    uint64_t at, last, told_ns;
    struct map ends;
    struct events_report report;
    void (*progress)(void *self, const struct error *finding);
    void (*done)(void *self, const struct events_report *report, int failed);
    void *self;
};

static void on_again(struct io_timer *timer);

static void find(struct verify *v, slice subject, uint64_t number, uint64_t position,
                 const char *what) {
    struct error e = {0};
    _cleanup_buf_ struct buf name = buf_make(EVENT_NAME_MAX * 2);
    (void)!event_name(subject, &name);
    error_set(&e, -EBADMSG, "%s", what);
    error_place(&e, "%.*s@%" PRIu64 " (position %" PRIu64 ")",
                slice_fmt(name.len ? buf_slice(&name) : subject), number ? number - 1 : 0,
                position);
    v->report.findings++;
    v->progress(v->self, &e);
}

static struct end *end_of(struct verify *v, slice subject) {
    struct end *end = map_find(&v->ends, subject);
    if (end)
        return end;
    end = mem_zalloc(1, sizeof *end + subject.len);
    if (!end)
        return NULL;
    memcpy(end->subject, subject.ptr, subject.len);
    end->len = subject.len;
    if (map_add(&v->ends, slice_make(end->subject, end->len), end))
        return mem_free(end);
    v->report.streams++;
    return end;
}

/* Nodes above what NUMBER begins at are covered by it. */
static void advance(struct end *end, const struct event *event, uint64_t sequence) {
    uint64_t stop = event->number & (event->number - 1);
    while (end->path_count && end->path[end->path_count - 1].number > stop)
        end->path_count--;
    if (end->path_count == array_count(end->path)) { /* the oldest are not compared any more */
        memmove(end->path, end->path + 1, sizeof end->path - sizeof end->path[0]);
        end->path_count--;
    }
    end->path[end->path_count].number = event->number;
    end->path[end->path_count].sequence = sequence;
    end->path_count++;
    end->number = event->number;
    end->sequence = sequence;
    memcpy(end->chain, event->chain, sizeof end->chain);
}

/* Where NUMBER is, as far as it is kept: 0 = not known. */
static uint64_t place_of(const struct end *end, uint64_t number) {
    for (unsigned i = 0; i < end->path_count; i++)
        if (end->path[i].number == number)
            return end->path[i].sequence;
    return 0;
}

static bool points_right(const struct end *end, const struct event *event) {
    uint64_t stop = event->number & (event->number - 1), place = place_of(end, stop);
    bool leaf = event->number % EVENT_SPAN == 0 && event->number > EVENT_SPAN;
    return event->before == end->sequence && (!stop == !event->skip) &&
           (!place || event->skip == place) && leaf == (event->leaf != 0);
}

/* 1: the stream goes on from EVENT; 0: it does not; -ENOMEM. */
static int judge(struct verify *v, struct end *end, const struct log_record *record,
                 const struct event *event) {
    if (event->number <= end->number) {
        find(v, record->subject, event->number, record->sequence,
             "the event stands twice, or in the wrong place");
        return 0;
    }
    if (event->number != end->number + 1) {
        find(v, record->subject, event->number, record->sequence,
             "events before this one are missing");
        end->path_count = 0;
        return 1;
    }
    int failed = event_chain_check(record, event, end->chain);
    if (failed == -ENOMEM)
        return failed;
    if (failed)
        find(v, record->subject, event->number, record->sequence,
             "the event, or the one before it, is not what was appended");
    else if (!points_right(end, event))
        find(v, record->subject, event->number, record->sequence,
             "the event does not lead to the ones before it");
    return 1;
}

static int look(struct verify *v, const struct log_record *record) {
    struct event event;
    v->report.events++;
    if (event_read(record, &event)) {
        find(v, record->subject, 0, record->sequence, "the record is no event");
        return 0;
    }
    struct end *end = end_of(v, record->subject);
    if (!end)
        return -ENOMEM;
    int result = judge(v, end, record, &event);
    if (result > 0)
        advance(end, &event, record->sequence);
    return result < 0 ? result : 0;
}

/* --- going through ------------------------------------------------------------------------ */

static void finish(struct verify *v, int failed) {
    struct engine *engine = v->engine;
    struct log *log = streams_log(engine->streams);
    const struct map_entry *entry;
    if (v->loading && log)
        log_load_cancel(log, &v->load);
    io_timer_stop(engine->loop, &v->again);
    engine->verify = NULL;
    v->done(v->self, &v->report, failed);
    for (size_t at = 0; (entry = map_next(&v->ends, &at));)
        mem_free(entry->value);
    map_free(&v->ends);
    mem_free(v);
}

/* One record: 0 goes on, -EINPROGRESS waits for its block. */
static int step(struct verify *v, struct log *log, struct log_stream *es) {
    struct log_record record;
    int result = log_read(log, es, v->at, &record);
    if (result == -EINPROGRESS)
        return result;
    if (result) {
        struct error e = {0};
        error_set(&e, -EBADMSG, "position %" PRIu64 " of ES cannot be read", v->at);
        error_hint(&e, "stop the node, and `nonet log verify` says more");
        v->report.findings++;
        v->progress(v->self, &e);
    }
    v->at++;
    return result ? 0 : look(v, &record);
}

static void run(struct verify *v) {
    struct log *log = streams_log(v->engine->streams);
    struct stream *stream = engine_stream(v->engine);
    int result = 0;
    if (!stream || !log || v->at > v->last) {
        finish(v, 0);
        return;
    }
    for (unsigned i = 0; i < STEP_MAX && !result && v->at <= v->last; i++)
        result = step(v, log, stream_log(stream));
    if (result && result != -EINPROGRESS) {
        finish(v, result);
        return;
    }
    if (io_loop_now_ns(v->engine->loop) - v->told_ns >= TELL_NS) {
        v->told_ns = io_loop_now_ns(v->engine->loop);
        v->progress(v->self, NULL);
    }
    v->loading = result && log_load(log, stream_log(stream), v->at, &v->load) == 0;
    if (!v->loading)
        io_timer_start(v->engine->loop, &v->again, 0, on_again);
}

static void on_again(struct io_timer *timer) {
    run(container_of(timer, struct verify, again));
}

static void on_loaded(struct log_load *load, int failed) {
    struct verify *v = container_of(load, struct verify, load);
    (void)failed; /* the record says so itself */
    v->loading = false;
    run(v);
}

int events_verify(struct engine *engine, void (*progress)(void *self, const struct error *finding),
                  void (*done)(void *self, const struct events_report *report, int failed),
                  void *self) {
    if (engine->verify || engine->closed)
        return -EBUSY;
    struct verify *v = mem_zalloc(1, sizeof *v);
    if (!v)
        return -ENOMEM;
    struct stream *stream = engine_stream(engine);
    v->engine = engine;
    v->load.done = on_loaded;
    v->at = 1;
    v->last = stream ? log_stream_state(stream_log(stream)).last_sequence : 0;
    v->told_ns = io_loop_now_ns(engine->loop);
    v->ends = map_make(engine->hash_key, ENDS_MAX);
    v->progress = progress;
    v->done = done;
    v->self = self;
    engine->verify = v;
    io_timer_start(engine->loop, &v->again, 0, on_again);
    return 0;
}

void verify_close(struct engine *engine) {
    if (engine->verify)
        finish(engine->verify, -ECANCELED);
}
