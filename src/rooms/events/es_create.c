/*
 * es_create.c - see es_create.h.
 *
 * ES_NOTES before ES: what it is made with tells which events are older than it. Both are there at
 * once, and on disk one after the other. The engine outlives what is being made.
 */
#include "rooms/events/es_create.h"

#include "rooms/events/jobs.h"
#include "rooms/events/notes.h"

static void refuse_without_stream(struct engine *engine, const struct streams_error *error) {
    bool taken = error->err_code == 10058;
    const char *detail =
        taken ? "stream " NOTES_STREAM " is not event streams' own: delete it" : error->description;
    jobs_refuse(engine, taken ? 503 : (unsigned)error->code, error->err_code, detail);
    if (engine->wanted && engine->logger)
        logger_write(engine->logger, LOG_LEVEL_WARN, "events", "there is no stream ES yet",
                     "error=%s", detail);
    engine->wanted = false; /* the next append tries again */
}

static void on_created(void *self, struct stream *stream, const struct streams_error *error) {
    struct engine *engine = self;
    (void)stream;
    engine->creating--;
    if (!engine_committed(engine))
        return;
    if (error)
        refuse_without_stream(engine, error);
    io_defer(engine->loop, &engine->pump);
}

static void create_store(struct engine *engine) {
    struct stream_config config = {
        .name = slice_lit(ENGINE_STREAM),
        .description = slice_lit("event streams (docs/events.md)"),
        .subjects = {slice_lit(EVENT_SUBJECTS)},
        .subject_count = 1,
        .deny_delete = true,
        .deny_purge = true,
        .allow_direct = true,
        .consumers_max = -1,
        .messages_max = -1,
        .bytes_max = -1,
        .messages_per_subject_max = -1,
        .message_bytes_max = -1,
    };
    stream_create(engine->streams, &config, on_created, engine);
}

bool es_there(const struct engine *engine) {
    return engine_stream(engine) && notes_stream(engine);
}

void es_create(struct engine *engine) {
    if (!notes_stream(engine)) {
        engine->creating++;
        engine->committing++;
        notes_create(engine, on_created);
        notes_know_stream(engine);
    }
    if (notes_stream(engine) && !engine_stream(engine)) {
        engine->creating++;
        engine->committing++;
        create_store(engine);
    }
}
