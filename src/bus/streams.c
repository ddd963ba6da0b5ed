/*
 * streams.c - the set of streams of a node: opening, finding, figures (streams.h).
 *
 * Opening happens in two steps because the log asks for the owners of state before it can be
 * opened: streams_create makes the owners, the log replays into them, streams_set_log makes the
 * streams live. A duplicate window is read back from the messages it covers: the ids are in their
 * headers, so nothing of it needs to be stored.
 */
#include "base/mem.h"
#include "bus/expiry.h"
#include "bus/interest.h"
#include "bus/republish.h"
#include "bus/stream.h"
#include "bus/stream_config.h"
#include "bus/stream_wait.h"
#include "wire/nats_headers.h"

#include <errno.h>

int streams_create(const struct streams_options *options, struct streams **ret_streams) {
    struct streams *streams = mem_zalloc(1, sizeof *streams);
    if (!streams)
        return -ENOMEM;
    streams->bus = options->bus;
    streams->log = options->log;
    streams->logger = options->logger;
    streams->stores[STORE_MEMORY].max = options->memory_bytes_max;
    streams->stores[STORE_FILES].max = options->file_bytes_max;
    io_host_random(io_loop_host(bus_loop(options->bus)), &streams->hash_key,
                   sizeof streams->hash_key);
    streams->by_name = map_make(streams->hash_key, STREAMS_MAX);
    list_init(&streams->ops);
    list_init(&streams->held);
    list_init(&streams->releasing);
    int failed = consumers_open(streams);
    if (failed) {
        mem_free(streams);
        return failed;
    }
    *ret_streams = streams;
    return 0;
}

const struct log_owner *streams_owners(struct streams *streams, unsigned *ret_count) {
    *ret_count = 1;
    return &streams->owner;
}

/* --- duplicate windows back from the log -------------------------------------------------- */

static int remember_id(void *self, const struct log_record *record) {
    struct stream *s = self;
    slice id;
    s->last_id = slice_make(s->last_id_text, 0);
    if (!record->headers.len || !nats_headers_get(record->headers, slice_lit("Nats-Msg-Id"), &id) ||
        !id.len)
        return 0;
    dedupe_add(&s->dedupe, id, record->sequence, record->time_ns);
    if (id.len < sizeof s->last_id_text) {
        memcpy(s->last_id_text, id.ptr, id.len);
        s->last_id = slice_make(s->last_id_text, id.len);
    }
    return 0;
}

/* What of the streams runs in the background. */
static void take_up(struct stream *stream) {
    interest_walk(stream);
    expiry_start(stream);
}

int streams_set_log(struct streams *streams, struct log *log, struct error *ret_error) {
    streams->log = log;
    int64_t now_ns = io_loop_wall_ns(bus_loop(streams->bus));
    for (struct log_stream *at = NULL; (at = log_stream_next(log, at));) {
        int failed = stream_adopt(streams, at, ret_error);
        struct stream *stream = log_stream_user(at);
        if (!failed)
            failed =
                log_scan(log, at, now_ns - stream->config.duplicate_window_ns, remember_id, stream);
        if (failed) {
            slice name = log_stream_name(at);
            if (!ret_error->code)
                error_set(ret_error, failed, "stream %.*s cannot be taken up: %s", slice_fmt(name),
                          error_name(failed));
            return failed;
        }
    }
    int failed = consumers_start(streams);
    if (failed)
        error_set(ret_error, failed, "consumers cannot be taken up: %s", error_name(failed));
    const struct map_entry *entry;
    for (size_t at = 0; !failed && (entry = map_next(&streams->by_name, &at));)
        take_up(entry->value);
    return failed;
}

void streams_on_visible(struct streams *streams, struct log_stream *log_stream) {
    struct stream *stream = log_stream_user(log_stream);
    if (!stream)
        return;
    consumers_on_visible(stream);
    if (stream->diverted || stream->companion)
        streams->diversion.on_visible(streams->diversion.self);
    if (unlikely(stream->republish != NULL))
        republish_on_visible(stream);
    if (unlikely(!list_empty(&stream->waiters)))
        stream_wait_look(stream);
    if (unlikely(stream->expiry != NULL))
        expiry_look(stream);
}

void streams_on_room(struct streams *streams) {
    bus_set_stream_full(streams->bus, false);
}

/* --- the end ------------------------------------------------------------------------------ */

void streams_op_begin(struct streams *streams, struct streams_op *op,
                      bool (*end)(struct streams_op *op, bool log_gone)) {
    op->streams = streams;
    op->end = end;
    list_push_back(&streams->ops, &op->node);
}

void streams_op_over(struct streams_op *op) {
    list_remove(&op->node);
}

const struct streams_error *streams_stopping(void) {
    static const struct streams_error error = {503, 10008,
                                               "JetStream system temporarily unavailable"};
    return &error;
}

static void end_ops(struct streams *streams, bool log_gone) {
    struct list ops;
    list_init(&ops);
    list_splice(&ops, &streams->ops);
    struct list_node *node;
    while ((node = list_first(&ops))) {
        struct streams_op *op = container_of(node, struct streams_op, node);
        if (!op->end(op, log_gone)) {
            list_remove(node); /* it waits for its commit */
            list_push_back(&streams->ops, node);
        }
    }
}

void streams_stop(struct streams *streams) {
    consumers_flush(streams);
    streams->ended = true;
    end_ops(streams, false);
    const struct map_entry *entry;
    for (size_t at = 0; (entry = map_next(&streams->by_name, &at));)
        stream_stop(entry->value);
    consumers_flush(streams);
}

struct streams *streams_free(struct streams *streams) {
    if (!streams)
        return NULL;
    streams->ended = true;
    streams->log = NULL;
    end_ops(streams, true);
    const struct map_entry *entry;
    for (size_t at = 0; (entry = map_next(&streams->by_name, &at));) {
        struct stream *stream = entry->value;
        stream->log = NULL;
        stream_forget(stream);
    }
    map_free(&streams->by_name);
    names_free(&streams->names);
    consumers_close(streams);
    capture_close(streams);
    check(list_empty(&streams->ops));
    return mem_free(streams);
}

unsigned streams_capabilities(const struct streams *streams) {
    (void)streams;
    return STREAMS_SYNC_BEFORE_ACK | STREAMS_COMMIT_PARTICIPANTS;
}

static bool is_named(const struct stream *stream, slice name) {
    return stream && slice_equal(stream->config.name, name);
}

/* Who works with a stream asks for it again and again, and for the one that belongs to it (events
   have notes): the two found last are kept at hand. */
struct stream *stream_find(struct streams *streams, slice name) {
    struct stream **found = streams->found;
    if (is_named(found[0], name))
        return found[0];
    struct stream *stream = is_named(found[1], name) ? found[1] : map_find(&streams->by_name, name);
    if (stream) {
        found[1] = found[0];
        found[0] = stream;
    }
    return stream;
}

struct stream *stream_next(struct streams *streams, slice after) {
    return names_next(&streams->names, &streams->by_name, after);
}

const struct stream_config *stream_config(const struct stream *stream) {
    return &stream->config;
}

struct log_stream *stream_log(const struct stream *stream) {
    return stream->log;
}

unsigned stream_consumer_count(const struct stream *stream) {
    return (unsigned)map_count(&stream->consumers);
}

int64_t stream_created_ns(const struct stream *stream) {
    return stream->created_ns;
}

void streams_divert(struct streams *streams, const struct stream_diversion *diversion) {
    const struct map_entry *entry;
    streams->diversion = *diversion;
    for (size_t at = 0; (entry = map_next(&streams->by_name, &at));)
        stream_note_diversion(entry->value);
}

int stream_show_row(struct stream *stream, const struct log_record *record, void **held,
                    struct buf *out) {
    const struct stream_diversion *d = &stream->streams->diversion;
    return stream->diverted && d->show ? d->show(d->self, record, held, out) : -ENOTSUP;
}

void streams_show_row_end(struct streams *streams, void *held) {
    const struct stream_diversion *d = &streams->diversion;
    if (held && d->show_end)
        d->show_end(d->self, held);
}

struct log *streams_log(struct streams *streams) {
    return streams->ended ? NULL : streams->log;
}

int bus_on_append(struct stream *stream, const struct stream_participant *participant) {
    if (stream->participant_count == STREAM_PARTICIPANTS_MAX)
        return -ENOBUFS;
    stream->participants[stream->participant_count++] = *participant;
    return 0;
}
