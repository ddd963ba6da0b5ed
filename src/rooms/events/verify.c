/*
 * verify.c - see verify.h: gives the records of ES to the judge of chains.h, while the node serves.
 *
 * A few hundred records a turn, so that appends go on between them; what lies on disk is loaded,
 * and the turn is gone on with when it is there. The sweep rests meanwhile: what was taken out is
 * what it was when this began.
 */
#include "rooms/events/verify.h"

#include "base/mem.h"
#include "rooms/events/jobs.h"
#include "rooms/events/life_notes.h"
#include "rooms/events/sweep.h"
#include "rooms/events/tags.h"

#include <errno.h>

#define STEP_MAX 256u /* records a turn */
#define HOLES_MAX 64u /* passed over as if they were one record */
#define TELL_NS UINT64_C(1000000000)
#define PAUSE_NS UINT64_C(1000000)

struct verify {
    struct engine *engine;
    struct fetch fetch;
    struct io_timer again;
    bool paused, begun; /* the sweep rests; nothing of it is on its way any more */
    uint64_t at, last, removed, told_ns;
    size_t tags; /* cursor */
    slice tag;   /* whose note is being read */
    struct chains chains;
    void (*progress)(void *self, const struct error *finding);
    void (*done)(void *self, const struct events_report *report, int failed);
    void *self;
};

static void on_again(struct io_timer *timer);

static void finish(struct verify *v, int failed) {
    struct engine *engine = v->engine;
    fetch_cancel(&v->fetch);
    io_timer_stop(engine->loop, &v->again);
    if (v->paused)
        sweep_resume(engine);
    engine->verify = NULL;
    v->done(v->self, &v->chains.report, failed);
    chains_free(&v->chains);
    mem_free(v);
}

/* Before the first record of an event stream that has one: its life. */
static int read_life(struct verify *v, slice subject) {
    struct life life;
    if (chains_know(&v->chains, subject))
        return 0;
    int failed = life_notes_read(&v->fetch, subject, &life);
    if (failed)
        return failed == -ENOENT ? 0 : failed;
    return chains_life(&v->chains, subject, &life);
}

/* One position: 0 goes on, -EINPROGRESS waits. */
static int step(struct verify *v, struct stream *es) {
    char room[LOG_SUBJECT_MAX];
    struct buf subject = {.ptr = room, .cap = sizeof room, .max = sizeof room};
    struct log_record record;
    bool hole = false;
    for (unsigned i = 0; i < HOLES_MAX && v->at <= v->last; i++, v->at++) {
        if (!fetch_is_hole(stream_log(es), v->at))
            break;
        chains_hole(&v->chains);
        hole = true;
    }
    if (hole)
        return 0;
    int result = fetch_record(&v->fetch, es, v->at, &record);
    if (result == -EINPROGRESS)
        return result;
    if (result) {
        chains_unreadable(&v->chains, v->at++);
        return 0;
    }
    result = buf_append(&subject, record.subject);
    if (!result)
        result = read_life(v, buf_slice(&subject));
    if (!result) /* the life's record may have taken its place */
        result = fetch_record(&v->fetch, es, v->at, &record);
    if (!result)
        result = chains_record(&v->chains, &record);
    v->at += result == 0;
    return result;
}

/* The note of one tag: 0 goes on, 1 is the end, -EINPROGRESS waits. */
static int tag_step(struct verify *v) {
    char room[LOG_SUBJECT_MAX];
    struct buf subject = {.ptr = room, .cap = sizeof room, .max = sizeof room};
    struct log_record record;
    if (!v->tag.len && !chains_next_tag(&v->chains, &v->tags, &v->tag))
        return 1;
    int result = tag_subject(v->tag, &subject);
    if (!result)
        result = notes_read(&v->fetch, buf_slice(&subject), &record);
    if (result && result != -ENOENT)
        return result;
    chains_tag(&v->chains, v->tag, result ? (slice){0} : record.payload);
    v->tag = (slice){0};
    return 0;
}

/* 0; -EINPROGRESS, -EAGAIN: not yet. */
static int begin(struct verify *v, struct stream *es) {
    int failed = sweep_ready(v->engine);
    if (failed)
        return failed;
    if (!v->paused)
        sweep_pause(v->engine);
    v->paused = true;
    if (!sweep_idle(v->engine))
        return -EAGAIN;
    v->begun = true;
    v->removed = sweep_removed(v->engine);
    v->chains.since = notes_stream(v->engine) ? notes_since(v->engine) : UINT64_MAX;
    v->last = log_stream_state(stream_log(es)).last_sequence;
    return 0;
}

static void run(struct verify *v) {
    struct stream *es = engine_stream(v->engine);
    int result = 0;
    jobs_know_stream(v->engine);
    if (!es || !streams_log(v->engine->streams)) {
        finish(v, 0);
        return;
    }
    if (!v->begun)
        result = begin(v, es);
    for (unsigned i = 0; i < STEP_MAX && !result; i++)
        result = v->at <= v->last ? step(v, es) : tag_step(v);
    if (result == 1)
        chains_end(&v->chains, v->removed);
    if (result && result != -EINPROGRESS && result != -EAGAIN) {
        finish(v, result == 1 ? 0 : result);
        return;
    }
    if (io_loop_now_ns(v->engine->loop) - v->told_ns >= TELL_NS) {
        v->told_ns = io_loop_now_ns(v->engine->loop);
        v->progress(v->self, NULL);
    }
    if (result != -EINPROGRESS || !v->begun)
        io_timer_start(v->engine->loop, &v->again, result ? PAUSE_NS : 0, on_again);
}

static void on_again(struct io_timer *timer) {
    run(container_of(timer, struct verify, again));
}

static void on_fetched(struct fetch *fetch) {
    run(container_of(fetch, struct verify, fetch));
}

int events_verify(struct engine *engine, void (*progress)(void *self, const struct error *finding),
                  void (*done)(void *self, const struct events_report *report, int failed),
                  void *self) {
    if (engine->verify || engine->closed)
        return -EBUSY;
    struct verify *v = mem_zalloc(1, sizeof *v);
    if (!v)
        return -ENOMEM;
    v->engine = engine;
    fetch_init(&v->fetch, engine, on_fetched);
    v->at = 1;
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
