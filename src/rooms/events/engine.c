/*
 * engine.c - the engine's beginning and end, and what reaches it (engine.h).
 *
 * That is: requests of other loops, messages that clients publish to es.>, and the log's word that
 * something has got to the disk. All it does at once is to queue; the pump judges at the end of the
 * turn, when nobody is being handed a record any more.
 */
#include "rooms/events/engine.h"

#include "base/mem.h"
#include "rooms/events/call.h"
#include "rooms/events/fetch.h"
#include "rooms/events/jobs.h"
#include "rooms/events/life_change.h"
#include "rooms/events/show.h"
#include "rooms/events/state_hold.h"
#include "rooms/events/sweep.h"
#include "rooms/events/tags.h"
#include "rooms/events/tail.h"
#include "rooms/events/verify.h"

#include <errno.h>
#include <stdio.h>

#define NAME_USUAL 256u  /* bytes of an event stream's name */
#define HEADERS_MAX 512u /* bytes of an answer's */
#define NO_MEMORY "no memory for the request: try again"
#define NO_MEMORY_JSON                                                                             \
    "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"                  \
    "\"detail\":\"" NO_MEMORY "\"}"

struct stream *engine_stream(const struct engine *engine) {
    return stream_find(engine->streams, slice_lit(ENGINE_STREAM));
}

uint64_t engine_last(const struct engine *engine) {
    struct stream *stream = engine_stream(engine);
    return stream ? log_stream_state(stream_log(stream)).last_sequence : 0;
}

/* --- requests ----------------------------------------------------------------------------- */

static void answer(struct engine *engine, slice reply, slice headers, slice payload) {
    struct bus_message message = {.subject = reply, .headers = headers, .payload = payload};
    if (reply.len)
        bus_publish(engine->bus, &message, NULL, NULL);
}

/* It wants no memory: also that there is none can be told. */
static void answer_append(struct engine *engine, slice reply, unsigned status, const uint64_t *last,
                          slice body) {
    char room[HEADERS_MAX];
    struct buf headers = {.ptr = room, .cap = sizeof room, .max = sizeof room};
    check(call_write_appended(status, last, &headers) == 0);
    answer(engine, reply, buf_slice(&headers), body);
}

static void answer_status(struct engine *engine, slice reply, unsigned status, slice body) {
    answer_append(engine, reply, status, NULL, body);
}

static void on_append(void *owner, struct bus_subscription *subscription,
                      const struct bus_message *message) {
    (void)subscription;
    struct engine *engine = owner;
    _cleanup_buf_ struct buf name = buf_make_room(EVENT_NAME_MAX * 2, NAME_USUAL);
    struct call_append append = call_read_append(message);
    if (append.subject.len && event_name(append.subject, &name)) { /* ours never is wrong */
        answer_status(engine, message->reply, 503, slice_lit(NO_MEMORY_JSON));
        return;
    }
    struct job_call call = {.name = buf_slice(&name),
                            .body = message->payload,
                            .reply = message->reply,
                            .actor = append.actor};
    job_append(engine, &call, answer_append);
}

static void on_life(void *owner, struct bus_subscription *subscription,
                    const struct bus_message *message) {
    (void)subscription;
    job_life(owner, message, answer_append);
}

struct reading {
    struct engine *engine;
    slice reply;
    char text[];
};

static void on_read_done(void *self, const struct read_end *end) {
    struct reading *reading = self;
    char room[HEADERS_MAX];
    struct buf headers = {.ptr = room, .cap = sizeof room, .max = sizeof room};
    check(call_write_end(end, &headers) == 0);
    answer(reading->engine, reading->reply, buf_slice(&headers),
           end->status == 200 ? end->lines : slice_str(end->detail));
    mem_free(reading);
}

static struct reading *make_reading(struct engine *engine, const struct bus_message *message) {
    struct reading *reading = mem_alloc(sizeof *reading + message->reply.len);
    if (!reading)
        return NULL;
    char *at = reading->text;
    reading->engine = engine;
    reading->reply = slice_store(&at, message->reply);
    return reading;
}

static void on_read(void *owner, struct bus_subscription *subscription,
                    const struct bus_message *message) {
    (void)subscription;
    struct engine *engine = owner;
    struct read_options options;
    struct reading *reading = make_reading(engine, message);
    if (!reading || call_read_read(message->payload, &engine->doc, &options)) {
        mem_free(reading);
        answer_status(engine, message->reply, 503, slice_lit(NO_MEMORY));
        return;
    }
    events_read(engine, &options, on_read_done, reading);
}

/* A message for each finding, an empty one as a sign of life, and the report with its status. */
static void on_finding(void *self, const struct error *finding) {
    struct reading *reading = self;
    char text[1024] = "";
    slice line = finding ? slice_str(error_text(finding, text, sizeof text)) : (slice){0};
    answer(reading->engine, reading->reply, (slice){0}, line);
}

static void on_verified(void *self, const struct events_report *report, int failed) {
    struct reading *reading = self;
    char text[256];
    unsigned status = failed ? 503 : 200;
    snprintf(text, sizeof text, "{\"events\":%llu,\"streams\":%llu,\"findings\":%llu}",
             (unsigned long long)report->events, (unsigned long long)report->streams,
             (unsigned long long)report->findings);
    answer_status(reading->engine, reading->reply, status,
                  failed ? slice_str(error_name(failed)) : slice_str(text));
    mem_free(reading);
}

static void on_verify(void *owner, struct bus_subscription *subscription,
                      const struct bus_message *message) {
    (void)subscription;
    struct engine *engine = owner;
    struct reading *reading = make_reading(engine, message);
    if (!reading) {
        answer_status(engine, message->reply, 503, slice_lit(NO_MEMORY));
        return;
    }
    int failed = events_verify(engine, on_finding, on_verified, reading);
    if (failed)
        on_verified(reading, &(struct events_report){0}, failed);
}

static void on_state_done(void *self, const struct state_end *end) {
    struct reading *reading = self;
    char room[HEADERS_MAX];
    struct buf headers = {.ptr = room, .cap = sizeof room, .max = sizeof room};
    check(call_write_state_end(end, &headers) == 0);
    answer(reading->engine, reading->reply, buf_slice(&headers), end->body);
    mem_free(reading);
}

static void on_state(void *owner, struct bus_subscription *subscription,
                     const struct bus_message *message) {
    (void)subscription;
    struct engine *engine = owner;
    struct state_options options;
    struct reading *reading = make_reading(engine, message);
    if (!reading || call_read_state(message->payload, &engine->doc, &options)) {
        mem_free(reading);
        answer_status(engine, message->reply, 503, slice_lit(NO_MEMORY_JSON));
        return;
    }
    events_state(engine, &options, on_state_done, reading);
}

/* A reload: a count of them is ours. */
static void on_folds(void *owner, struct bus_subscription *subscription,
                     const struct bus_message *message) {
    (void)subscription;
    struct folds *folds;
    check(message->payload.len == sizeof folds);
    memcpy(&folds, message->payload.ptr, sizeof folds);
    states_set_folds(owner, folds);
}

/* --- captured messages, visible ones ------------------------------------------------------ */

static void on_publish(void *self, struct stream *stream, const struct bus_message *message) {
    job_raw(self, stream, message);
}

static void on_visible(void *self) {
    struct engine *engine = self;
    struct list waiting;
    struct list_node *node;
    tail_trim(engine);
    list_init(&waiting);
    list_splice(&waiting, &engine->unseen);
    while ((node = list_pop_front(&waiting))) {
        struct fetch *fetch = container_of(node, struct fetch, node);
        fetch->done(fetch);
    }
    io_defer(engine->loop, &engine->pump);
}

static int on_batch(void *self, struct log_batch *batch) {
    int failed = notes_on_batch(self, batch);
    return failed ? failed : sweep_on_batch(self, batch);
}

static void pump(struct io_task *task) {
    struct engine *engine = container_of(task, struct engine, pump);
    jobs_pump(engine);
    reads_wake(engine);
    states_wake(engine);
}

/* --- beginning and end -------------------------------------------------------------------- */

/* Requests of other loops. */
static int listen_all(struct engine *engine) {
    static const struct {
        const char *subject;
        struct bus_receiver receiver;
    } calls[ENGINE_CALLS] = {{CALL_APPEND, {on_append}}, {CALL_READ, {on_read}},
                             {CALL_LIFE, {on_life}},     {CALL_VERIFY, {on_verify}},
                             {CALL_STATE, {on_state}},   {CALL_FOLDS, {on_folds}}};
    int failed = 0;
    for (size_t i = 0; i < ENGINE_CALLS && !failed; i++)
        failed = bus_subscribe(engine->bus, slice_str(calls[i].subject), (slice){0},
                               &calls[i].receiver, engine, NULL, &engine->calls[i]);
    return failed;
}

int engine_create(struct io_loop *loop, struct bus *bus, struct streams *streams,
                  struct logger *logger, struct engine **ret_engine) {
    struct engine *engine = mem_zalloc(1, sizeof *engine);
    if (!engine)
        return -ENOMEM;
    engine->loop = loop;
    engine->bus = bus;
    engine->streams = streams;
    engine->logger = logger;
    io_host_random(io_loop_host(loop), &engine->hash_key, sizeof engine->hash_key);
    ids_init(&engine->ids, io_loop_host(loop));
    engine->heads = map_make(engine->hash_key, MAP_MAX_ENTRIES);
    engine->tags = map_make(engine->hash_key, MAP_MAX_ENTRIES);
    engine->tail_map = map64_make(engine->hash_key.low, MAP64_MAX_ENTRIES);
    list_init(&engine->tags_idle);
    list_init(&engine->tail);
    list_init(&engine->aside);
    list_init(&engine->checked);
    list_init(&engine->idle);
    list_init(&engine->jobs);
    list_init(&engine->spare_jobs);
    list_init(&engine->unseen);
    list_init(&engine->notes_due);
    list_init(&engine->reads_open);
    list_init(&engine->holds);
    json_init(&engine->doc);
    engine->pump.run = pump;
    int failed = provenance_open(&engine->provenance);
    if (!failed)
        failed = sweep_open(engine);
    if (!failed)
        failed = states_open(engine);
    if (!failed)
        failed = listen_all(engine);
    if (failed) {
        engine_close(engine);
        return failed;
    }
    streams_divert(streams, &(struct stream_diversion){.name = slice_lit(ENGINE_STREAM),
                                                       .companion = slice_lit(NOTES_STREAM),
                                                       .on_publish = on_publish,
                                                       .on_visible = on_visible,
                                                       .on_batch = on_batch,
                                                       .show = event_show,
                                                       .show_end = event_show_end,
                                                       .self = engine});
    *ret_engine = engine;
    return 0;
}

void engine_want_stream(struct engine *engine) {
    engine->wanted = true;
    io_defer(engine->loop, &engine->pump);
}

static void engine_free(struct engine *engine) {
    heads_forget(engine);
    tags_forget(engine);
    tail_free(engine);
    sweep_free(engine);
    map_free(&engine->heads);
    map_free(&engine->tags);
    json_free(&engine->doc);
    provenance_close(&engine->provenance);
    mem_free(engine);
}

bool engine_committed(struct engine *engine) {
    bool closed = engine->closed;
    if (--engine->committing == 0 && closed)
        engine_free(engine);
    return !closed;
}

void engine_close(struct engine *engine) {
    for (size_t i = 0; i < ENGINE_CALLS; i++)
        engine->calls[i] = bus_unsubscribe(engine->bus, engine->calls[i]);
    streams_divert(engine->streams, &(struct stream_diversion){0});
    jobs_close(engine);
    reads_close(engine);
    engine->holds_closed = true;
    states_close(engine);
    state_holds_close(engine);
    verify_close(engine);
    sweep_close(engine);
    io_defer_cancel(engine->loop, &engine->pump);
    engine->closed = true; /* what is being committed, or made, ends by itself */
    if (engine->committing == 0)
        engine_free(engine);
}
