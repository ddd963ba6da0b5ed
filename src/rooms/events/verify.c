/*
 * verify.c - see verify.h: gives the records of ES to the judge of chains.h, while the node serves.
 *
 * A few hundred records a turn, so that appends go on between them; what lies on disk is loaded,
 * and the turn is gone on with when it is there.
 */
#include "rooms/events/verify.h"

#include "base/mem.h"

#include <errno.h>

#define STEP_MAX 256u /* records a turn */
#define TELL_NS UINT64_C(1000000000)

struct verify {
    struct engine *engine;
    struct log_load load;
    struct io_timer again;
    bool loading;
    uint64_t at, last, told_ns;
    struct chains chains;
    void (*progress)(void *self, const struct error *finding);
    void (*done)(void *self, const struct events_report *report, int failed);
    void *self;
};

static void on_again(struct io_timer *timer);

static void finish(struct verify *v, int failed) {
    struct engine *engine = v->engine;
    struct log *log = streams_log(engine->streams);
    if (v->loading && log)
        log_load_cancel(log, &v->load);
    io_timer_stop(engine->loop, &v->again);
    engine->verify = NULL;
    v->done(v->self, &v->chains.report, failed);
    chains_free(&v->chains);
    mem_free(v);
}

/* One record: 0 goes on, -EINPROGRESS waits for its block. */
static int step(struct verify *v, struct log *log, struct log_stream *es) {
    struct log_record record;
    int result = log_read(log, es, v->at, &record);
    if (result == -EINPROGRESS)
        return result;
    uint64_t at = v->at++;
    if (result == 0)
        return chains_record(&v->chains, &record);
    chains_unreadable(&v->chains, at);
    return 0;
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
    chains_begin(&v->chains, engine->hash_key, progress, self);
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
