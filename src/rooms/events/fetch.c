/*
 * fetch.c - see fetch.h.
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

void fetch_again(struct fetch *fetch) {
    io_timer_start(fetch->engine->loop, &fetch->again, 0, on_again);
}

static int load(struct fetch *fetch, struct log *log, struct log_stream *in, uint64_t sequence) {
    if (fetch->loading) /* who asks has been woken by something else */
        return -EINPROGRESS;
    fetch->loading = log_load(log, in, sequence, &fetch->load) == 0;
    if (!fetch->loading)
        fetch_again(fetch);
    return -EINPROGRESS;
}

int fetch_record(struct fetch *fetch, struct stream *stream, uint64_t sequence,
                 struct log_record *ret_record) {
    struct engine *engine = fetch->engine;
    struct log *log = streams_log(engine->streams);
    if (!log)
        return -EBADMSG;
    struct log_stream *in = stream_log(stream);
    int result = log_read(log, in, sequence, ret_record);
    if (result == 0)
        return 0;
    if (result == -ENOENT && sequence > log_stream_state(in).last_sequence &&
        sequence <= log_stream_staged(in).last_sequence) {
        if (!list_linked(&fetch->node))
            list_push_back(&engine->unseen, &fetch->node);
        return -EINPROGRESS;
    }
    return result == -EINPROGRESS ? load(fetch, log, in, sequence) : -EBADMSG;
}

int fetch_next(struct fetch *fetch, struct stream *stream, const struct log_filter *filter,
               uint64_t from, struct log_record *ret_record) {
    struct log *log = streams_log(fetch->engine->streams);
    struct log_stream *in = stream_log(stream);
    int result = log ? log_seek_any(log, in, filter, from, ret_record) : -ENOENT;
    return result == -EINPROGRESS ? load(fetch, log, in, ret_record->sequence) : result;
}

int fetch_event(struct fetch *fetch, uint64_t sequence, struct log_record *ret_record,
                struct event *ret_event) {
    struct stream *stream = engine_stream(fetch->engine);
    int failed = stream ? fetch_record(fetch, stream, sequence, ret_record) : -EBADMSG;
    return failed ? failed : event_read(ret_record, ret_event);
}

int fetch_visible(struct fetch *fetch, uint64_t sequence) {
    struct stream *stream = engine_stream(fetch->engine);
    if (!stream || sequence <= log_stream_state(stream_log(stream)).last_sequence)
        return 0;
    if (!list_linked(&fetch->node))
        list_push_back(&fetch->engine->unseen, &fetch->node);
    return -EINPROGRESS;
}

bool fetch_is_hole(const struct log_stream *log, uint64_t sequence) {
    return sequence < log_stream_state(log).first_sequence || log_sequence_deleted(log, sequence);
}

bool fetch_is_event_hole(const struct engine *engine, uint64_t sequence) {
    struct stream *stream = engine_stream(engine);
    return stream && fetch_is_hole(stream_log(stream), sequence);
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
