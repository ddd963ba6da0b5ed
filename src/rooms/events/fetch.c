/*
 * fetch.c - one event of ES, from memory, from disk, or when it has got there (fetch.h).
 *
 * A record that is committed but not synced cannot be read yet: whoever asks for it is told when
 * something has become visible, and asks again.
 */
#include "rooms/events/fetch.h"

#include <errno.h>

static void on_loaded(struct log_load *load, int failed) {
    struct fetch *fetch = container_of(load, struct fetch, load);
    (void)failed; /* the record says so itself when it is read again */
    fetch->loading = false;
    fetch->done(fetch);
}

static void on_again(struct io_timer *timer) {
    struct fetch *fetch = container_of(timer, struct fetch, again);
    fetch->done(fetch);
}

void fetch_init(struct fetch *fetch, struct engine *engine, void (*done)(struct fetch *fetch)) {
    *fetch = (struct fetch){.engine = engine, .done = done};
    fetch->load.done = on_loaded;
    list_node_init(&fetch->node);
}

int fetch_event(struct fetch *fetch, uint64_t sequence, struct log_record *ret_record,
                struct event *ret_event) {
    struct engine *engine = fetch->engine;
    struct stream *stream = engine_stream(engine);
    struct log *log = streams_log(engine->streams);
    if (!stream || !log)
        return -EBADMSG;
    struct log_stream *es = stream_log(stream);
    int result = log_read(log, es, sequence, ret_record);
    if (result == 0)
        return event_read(ret_record, ret_event);
    if (result == -ENOENT && sequence > log_stream_state(es).last_sequence &&
        sequence <= log_stream_staged(es).last_sequence) {
        if (!list_linked(&fetch->node))
            list_push_back(&engine->unseen, &fetch->node);
        return -EINPROGRESS;
    }
    if (result != -EINPROGRESS)
        return -EBADMSG;
    if (fetch->loading) /* who asks has been woken by something else */
        return -EINPROGRESS;
    fetch->loading = log_load(log, es, sequence, &fetch->load) == 0;
    if (!fetch->loading)
        io_timer_start(engine->loop, &fetch->again, 0, on_again);
    return -EINPROGRESS;
}

void fetch_cancel(struct fetch *fetch) {
    struct log *log = streams_log(fetch->engine->streams);
    if (fetch->loading && log)
        log_load_cancel(log, &fetch->load);
    fetch->loading = false;
    io_timer_stop(fetch->engine->loop, &fetch->again);
    if (list_linked(&fetch->node))
        list_remove(&fetch->node);
}
