/*
 * stream.c - streams are made, changed and removed; each is a put in the log (stream.h).
 *
 * The answer to the API leaves when the change is on disk. In memory it holds at once, so that a
 * publish behind a create in the same connection finds its stream.
 */
#include "bus/stream.h"

#include "base/mem.h"
#include "bus/advisory.h"
#include "bus/consumer.h"
#include "bus/expiry.h"
#include "bus/interest.h"
#include "bus/publish_batch.h"
#include "bus/republish.h"
#include "bus/stream_config.h"
#include "bus/stream_wait.h"
#include "bus/transform.h"
#include "wire/nats_subject.h"

#include <errno.h>

/* What waits for the disk before the API is answered. */
struct change {
    struct streams_op op;
    struct log_commit commit;
    streams_done done;
    void *self;
    const char *event; /* told when it is on disk (advisory.h); NULL: nothing */
    size_t name_len;
    char name[];
};

static void fail(streams_done done, void *self, const struct streams_error *error) {
    done(self, NULL, error);
}

static bool explain(int failed, struct streams_error *e) {
    if (failed == -EAGAIN)
        return streams_fail(e, 429, 10167, "too many requests");
    if (failed == -ENOMEM)
        return streams_fail(e, 503, 10023, "insufficient resources");
    return streams_fail(e, 500, 10049, "%s", error_name(failed));
}

/* --- live streams ------------------------------------------------------------------------- */

static void stop_capturing(struct stream *stream, struct bus_subscription **captures) {
    for (unsigned i = 0; i < STREAMS_SUBJECTS_MAX; i++)
        captures[i] = bus_unsubscribe(stream->streams->bus, captures[i]);
}

static int start_capturing(struct stream *stream, const struct stream_config *config,
                           struct bus_subscription **captures) {
    static const struct bus_receiver receiver = {stream_on_publish};
    for (unsigned i = 0; i < config->subject_count; i++) {
        int failed = bus_subscribe(stream->streams->bus, config->subjects[i], (slice){0}, &receiver,
                                   stream, stream->streams, &captures[i]);
        if (failed) {
            stop_capturing(stream, captures);
            return failed;
        }
    }
    return 0;
}

void stream_stop(struct stream *stream) {
    stop_capturing(stream, stream->captures);
    republish_stop(stream);
    expiry_stop(stream);
    publish_batches_forget(stream);
    consumers_rest_all(stream);
}

void stream_forget(struct stream *stream) {
    store_forget(stream);
    stop_capturing(stream, stream->captures);
    consumers_free_all(stream);
    map_free(&stream->consumers);
    names_free(&stream->consumer_names);
    dedupe_close(&stream->dedupe);
    interest_forget(stream);
    republish_stop(stream);
    expiry_stop(stream);
    publish_batches_forget(stream);
    stream_wait_forget(stream);
    if (stream->log)
        log_stream_set_user(stream->log, NULL);
    arena_free(&stream->arena);
    mem_free(stream->name);
    mem_free(stream);
}

/* MAPPING, which was judged, ready for use; NULL where there is none. 0 or -ENOMEM. */
static int compile(struct arena *arena, const struct stream_mapping *mapping,
                   struct transform **ret_transform) {
    const char *why;
    *ret_transform = NULL;
    if (!mapping->destination.len)
        return 0;
    return transform_make(arena, mapping->source, mapping->destination, ret_transform, &why);
}

/* A stream with a copy of CONFIG, not yet capturing or in the map. */
static struct stream *stream_new(struct streams *streams, const struct stream_config *config) {
    struct stream *stream = mem_zalloc(1, sizeof *stream);
    if (!stream)
        return NULL;
    stream->streams = streams;
    stream->arena = arena_make(0, STREAM_CONFIG_ARENA_MAX);
    stream->consumers = map_make(streams->hash_key, CONSUMERS_PER_STREAM_MAX);
    list_init(&stream->deliveries);
    list_init(&stream->waiters);
    list_node_init(&stream->in_releasing);
    stream->batches = map_make(streams->hash_key, PUBLISH_BATCHES_PER_STREAM_MAX);
    dedupe_open(&stream->dedupe, streams->hash_key, config->duplicate_window_ns);
    stream->name = mem_copy(config->name.ptr, config->name.len);
    if (!stream->name || stream_config_copy(config, &stream->arena, &stream->config) ||
        compile(&stream->arena, &stream->config.transform, &stream->transform) ||
        compile(&stream->arena, &stream->config.republish, &stream->republisher)) {
        stream_forget(stream);
        return NULL;
    }
    return stream;
}

static void forget_name(struct streams *streams, slice name) {
    map_remove(&streams->by_name, name);
    streams->found[0] = streams->found[1] = NULL;
    names_changed(&streams->names);
}

void stream_note_diversion(struct stream *stream) {
    const struct stream_diversion *diversion = &stream->streams->diversion;
    stream->diverted = slice_equal(stream->config.name, diversion->name);
    stream->companion = slice_equal(stream->config.name, diversion->companion);
}

static int go_live(struct stream *stream) {
    struct streams *streams = stream->streams;
    slice name = slice_make(stream->name, stream->config.name.len);
    int failed = map_add(&streams->by_name, name, stream);
    if (failed)
        return failed;
    names_changed(&streams->names);
    stream_note_diversion(stream);
    failed = start_capturing(stream, &stream->config, stream->captures);
    if (failed)
        forget_name(streams, name);
    return failed;
}

int stream_adopt(struct streams *streams, struct log_stream *log, struct error *ret_error) {
    struct json_doc doc;
    json_init(&doc);
    struct arena arena = arena_make(0, STREAM_CONFIG_ARENA_MAX);
    struct stream_config config;
    struct streams_error e = {0};
    slice name = log_stream_name(log);
    struct stream *stream = NULL;
    int failed = json_parse(&doc, log_stream_config(log));
    /* It was judged when it was stored, by the rules of then. */
    if (!failed && !stream_config_read(json_root(&doc), &arena, &config, &e))
        failed = -EBADMSG;
    if (failed)
        error_set(ret_error, failed, "the stored configuration of stream %.*s: %s", slice_fmt(name),
                  e.code ? e.description : error_name(failed));
    if (!failed) {
        stream = stream_new(streams, &config);
        failed = stream ? 0 : -ENOMEM;
    }
    if (!failed) {
        stream->log = log;
        stream->created_ns = log_stream_created_ns(log);
        log_stream_set_user(log, stream);
        failed = go_live(stream);
    }
    if (failed && stream)
        stream_forget(stream);
    arena_free(&arena);
    json_free(&doc);
    return failed;
}

/* --- changes ------------------------------------------------------------------------------ */

static void change_answer(struct change *change, struct stream *stream,
                          const struct streams_error *e) {
    streams_done done = change->done;
    change->done = NULL;
    if (done)
        done(change->self, stream, e);
}

static void change_free(struct change *change) {
    if (!change)
        return;
    streams_op_over(&change->op);
    mem_free(change);
}

static bool change_end(struct streams_op *op, bool log_gone) {
    struct change *change = container_of(op, struct change, op);
    change_answer(change, NULL, streams_stopping());
    if (log_gone)
        change_free(change);
    return log_gone;
}

static void on_changed(struct log_commit *commit, int failed) {
    struct change *change = container_of(commit, struct change, commit);
    struct streams *streams = change->op.streams;
    struct streams_error e = {0};
    if (failed)
        explain(failed, &e);
    if (!failed && change->event && !streams->ended)
        advisory_stream(streams->bus, change->event, slice_make(change->name, change->name_len));
    if (!streams->ended)
        change_answer(change,
                      failed ? NULL
                             : stream_find(streams, slice_make(change->name, change->name_len)),
                      failed ? &e : NULL);
    change_free(change);
}

static struct change *change_new(struct streams *streams, slice name, streams_done done,
                                 void *self) {
    struct change *change = mem_zalloc(1, sizeof *change + name.len);
    if (!change)
        return NULL;
    change->commit.done = on_changed;
    change->done = done;
    change->self = self;
    change->name_len = name.len;
    if (name.len)
        memcpy(change->name, name.ptr, name.len);
    streams_op_begin(streams, &change->op, change_end);
    return change;
}

static bool overlaps(struct streams *streams, const struct stream_config *config) {
    const struct map_entry *entry;
    for (size_t at = 0; (entry = map_next(&streams->by_name, &at));) {
        const struct stream *other = entry->value;
        if (slice_equal(other->config.name, config->name))
            continue;
        for (unsigned i = 0; i < other->config.subject_count; i++)
            for (unsigned j = 0; j < config->subject_count; j++)
                if (nats_subject_overlap(other->config.subjects[i], config->subjects[j]))
                    return true;
    }
    return false;
}

/* Puts CONFIG into the log in a batch of its own, with CHANGE to be called when it is on disk.
 *IO_LOG is NULL for a new stream. */
static int put(struct streams *streams, const struct stream_config *config, struct change *change,
               struct log_stream **io_log) {
    struct log_limits limits = stream_config_limits(config);
    _cleanup_buf_ struct buf text = buf_make(STREAMS_SUBJECTS_MAX * (BUS_SUBJECT_MAX * 6ul));
    struct json_writer w = json_writer_make(&text, false);
    stream_config_write(&w, config);
    int failed = json_write_finish(&w);
    struct log_batch *batch;
    if (!failed)
        failed = log_batch_begin(streams->log, &batch);
    if (failed)
        return failed;
    struct log_stream *log;
    failed = log_batch_put_stream(batch, config->name, buf_slice(&text), &limits, config->in_memory,
                                  config->first_sequence, &log);
    if (failed) {
        log_batch_abandon(batch);
        return failed;
    }
    log_batch_commit(batch, &change->commit);
    *io_log = log;
    return 0;
}

static int create(struct streams *streams, const struct stream_config *config, streams_done done,
                  void *self) {
    struct change *change = change_new(streams, config->name, done, self);
    struct stream *stream = change ? stream_new(streams, config) : NULL;
    int failed = stream ? go_live(stream) : -ENOMEM;
    if (!failed)
        failed = put(streams, config, change, &stream->log);
    if (failed) {
        if (stream) {
            if (stream_find(streams, config->name) == stream)
                forget_name(streams, config->name);
            stream_forget(stream);
        }
        change_free(change);
        return failed;
    }
    change->event = "CREATED";
    stream->created_ns = log_stream_created_ns(stream->log);
    log_stream_set_user(stream->log, stream);
    expiry_start(stream);
    return 0;
}

/* STREAM is there as it is wanted: answered behind whatever made it so. */
static int confirm(struct stream *stream, streams_done done, void *self) {
    struct streams *streams = stream->streams;
    if (stream->config.in_memory) {
        done(self, stream, NULL);
        return 0;
    }
    struct change *change = change_new(streams, stream->config.name, done, self);
    struct log_batch *batch;
    int failed = change ? log_batch_begin(streams->log, &batch) : -ENOMEM;
    if (!failed) {
        failed = consumers_put_nothing(batch);
        if (failed)
            log_batch_abandon(batch);
    }
    if (failed)
        change_free(change);
    else
        log_batch_commit(batch, &change->commit);
    return failed;
}

/* What a judge has appended stays as and where it is until the judge takes it out (diversion.h). */
static bool suits_judge(const struct streams *streams, const struct stream_config *wanted,
                        struct streams_error *e) {
    slice judged = streams->diversion.name;
    struct log_limits l = stream_config_limits(wanted);
    if (likely(!judged.len) || !slice_equal(wanted->name, judged))
        return true;
    if (!l.messages_max && !l.bytes_max && !l.messages_per_subject_max && !wanted->age_max_ns &&
        wanted->retention == STREAM_RETENTION_LIMITS && !wanted->allow_rollup &&
        !wanted->allow_message_ttl && !wanted->transform.source.len &&
        !wanted->transform.destination.len)
        return true;
    return streams_fail(e, 400, 10052,
                        "stream %.*s loses nothing by itself: no max_age, limits with discard old, "
                        "roll-ups, TTLs, subject transform; its judge has limits of its own",
                        slice_fmt(judged));
}

void stream_create(struct streams *streams, const struct stream_config *config, streams_done done,
                   void *self) {
    struct streams_error e = {0};
    struct stream_config wanted = *config;
    if (config->sealed)
        streams_fail(&e, 500, 10052, "stream configuration for create can not be sealed");
    if (e.code || !stream_config_judge(&wanted, &e) || !suits_judge(streams, &wanted, &e)) {
        fail(done, self, &e);
        return;
    }
    struct stream *there = stream_find(streams, wanted.name);
    int failed = 0;
    if (there && stream_config_equal(&there->config, &wanted))
        failed = confirm(there, done, self);
    else if (there)
        streams_fail(&e, 400, 10058, "stream name already in use with a different configuration");
    else if (overlaps(streams, &wanted))
        streams_fail(&e, 400, 10065, "subjects overlap with an existing stream");
    else if (store_reserves(streams, &wanted, &e))
        failed = create(streams, &wanted, done, self);
    if (failed)
        explain(failed, &e);
    if (e.code)
        fail(done, self, &e);
}

/* Takes up a new config: what can fail first, then the log, then the rest. For a moment the
   subjects are captured twice, but nothing is published in it. */
static int update(struct stream *stream, const struct stream_config *wanted, streams_done done,
                  void *self) {
    struct streams *streams = stream->streams;
    struct bus_subscription *captures[STREAMS_SUBJECTS_MAX] = {0};
    struct change *change = change_new(streams, wanted->name, done, self);
    struct arena arena = arena_make(0, STREAM_CONFIG_ARENA_MAX);
    struct stream_config copy;
    int failed = change ? stream_config_copy(wanted, &arena, &copy) : -ENOMEM;
    struct transform *transform, *republisher;
    if (!failed)
        failed = compile(&arena, &copy.transform, &transform);
    if (!failed)
        failed = compile(&arena, &copy.republish, &republisher);
    if (!failed)
        failed = start_capturing(stream, &copy, captures);
    if (!failed)
        failed = put(streams, wanted, change, &stream->log);
    if (failed) {
        stop_capturing(stream, captures);
        change_free(change);
        arena_free(&arena);
        return failed;
    }
    change->event = "UPDATED";
    stop_capturing(stream, stream->captures);
    memcpy(stream->captures, captures, sizeof captures);
    arena_free(&stream->arena);
    stream->arena = arena;
    stream->config = copy;
    stream->transform = transform;
    stream->republisher = republisher;
    stream->dedupe.window_ns = copy.duplicate_window_ns;
    interest_walk(stream);
    expiry_start(stream);
    if (!copy.allow_atomic)
        publish_batches_forget(stream);
    return 0;
}

/* A limit may not come below what a consumer has. */
static bool fits_consumers(struct stream *stream, const struct stream_config *wanted,
                           struct streams_error *e) {
    int64_t inactive = wanted->consumer_inactive_ns, pending = wanted->consumer_ack_pending;
    struct consumer *c = NULL;
    while ((inactive || pending) &&
           (c = consumer_next(stream, c ? consumer_config(c)->name : (slice){0}))) {
        const struct consumer_config *config = consumer_config(c);
        if ((inactive && config->inactive_ns > inactive) ||
            (pending && config->ack_pending_max > pending))
            return streams_fail(e, 500, 10069, "change to limits violates consumers: %.*s",
                                slice_fmt(config->name));
    }
    return true;
}

/* A companion is its stream's (diversion.h). */
static bool may_change(const struct stream *stream, struct streams_error *e) {
    slice of = stream->streams->diversion.name;
    if (likely(!stream->companion) || !stream_find(stream->streams, of))
        return true;
    return streams_fail(e, 400, 10052, "stream %.*s belongs to stream %.*s, and goes with it",
                        slice_fmt(stream->config.name), slice_fmt(of));
}

void stream_update(struct streams *streams, const struct stream_config *config, streams_done done,
                   void *self) {
    struct streams_error e = {0};
    struct stream_config wanted = *config;
    struct stream *there = stream_find(streams, wanted.name);
    int failed = 0;
    if (there && !wanted.first_sequence) /* it has begun: there is nothing to be said */
        wanted.first_sequence = there->config.first_sequence;
    if (!there)
        streams_fail(&e, 404, 10059, "stream not found");
    else if (may_change(there, &e) && stream_config_judge(&wanted, &e) &&
             suits_judge(streams, &wanted, &e) &&
             stream_config_may_update(&there->config, &wanted, &e) &&
             fits_consumers(there, &wanted, &e)) {
        if (overlaps(streams, &wanted))
            streams_fail(&e, 400, 10065, "subjects overlap with an existing stream");
        else if (store_reserves(streams, &wanted, &e))
            failed = update(there, &wanted, done, self);
    }
    if (failed)
        explain(failed, &e);
    if (e.code)
        fail(done, self, &e);
}

static int add_removal(struct stream *stream, struct log_batch *batch) {
    int failed = consumers_remove_all(stream, batch);
    return failed ? failed : log_batch_remove_stream(batch, stream->log);
}

/* Its removal has been committed. */
static void gone(struct stream *stream) {
    stream->log = NULL;
    forget_name(stream->streams, stream->config.name);
    stream_forget(stream);
}

static int remove_stream(struct stream *stream, streams_done done, void *self) {
    struct streams *streams = stream->streams;
    struct stream *companion =
        stream->diverted ? stream_find(streams, streams->diversion.companion) : NULL;
    struct change *change = change_new(streams, (slice){0}, done, self);
    if (!change)
        return -ENOMEM;
    struct log_batch *batch;
    int failed = log_batch_begin(streams->log, &batch);
    if (failed) {
        change_free(change);
        return failed;
    }
    failed = add_removal(stream, batch);
    if (!failed && companion)
        failed = add_removal(companion, batch);
    if (failed) {
        log_batch_abandon(batch);
        change_free(change);
        return failed;
    }
    log_stream_set_user(stream->log, NULL);
    if (companion)
        log_stream_set_user(companion->log, NULL);
    log_batch_commit(batch, &change->commit);
    gone(stream);
    if (companion)
        gone(companion);
    return 0;
}

void stream_delete(struct streams *streams, slice name, streams_done done, void *self) {
    struct stream *stream = stream_find(streams, name);
    struct streams_error e = {0};
    if (!stream) {
        streams_fail(&e, 404, 10059, "stream not found");
        fail(done, self, &e);
        return;
    }
    if (!may_change(stream, &e)) {
        fail(done, self, &e);
        return;
    }
    int failed = remove_stream(stream, done, self);
    if (!failed)
        advisory_stream(streams->bus, "DELETED", name);
    if (failed) {
        explain(failed, &e);
        fail(done, self, &e);
    }
}
