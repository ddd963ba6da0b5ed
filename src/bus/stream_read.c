/*
 * stream_read.c - the API's single messages: get, delete, purge.
 *
 * Reading may have to wait for a block from disk, and a purge by subject for many: each is a small
 * struct that starts its step again when the block has come. A stream may be deleted meanwhile, so
 * the struct keeps the stream's name and looks it up at each step. All of them end early, with an
 * answer, when the streams do (struct streams_op).
 */
#include "base/mem.h"
#include "bus/stream.h"
#include "wire/nats_subject.h"

#include <errno.h>

#define PURGE_STEP_MAX 1024u /* messages deleted a turn */

struct reading {
    struct streams_op op;
    struct log_load load;
    struct io_timer again;
    bool loading;
    uint64_t sequence;
    slice name, subject; /* in text */
    void (*done)(void *self, const struct log_record *record, const struct streams_error *error);
    void *self;
    char text[];
};

static void step(struct reading *reading);

static void reading_end(struct reading *reading, const struct log_record *record,
                        const struct streams_error *error) {
    struct streams *streams = reading->op.streams;
    streams_hold(streams);
    reading->done(reading->self, record, error);
    streams_release(streams);
    streams_op_over(&reading->op);
    mem_free(reading);
}

static bool reading_stop(struct streams_op *op, bool log_gone) {
    struct reading *reading = container_of(op, struct reading, op);
    io_timer_stop(bus_loop(op->streams->bus), &reading->again);
    if (reading->loading && !log_gone)
        log_load_cancel(op->streams->log, &reading->load);
    reading_end(reading, NULL, streams_stopping());
    return true;
}

static void reading_fail(struct reading *reading, int code, unsigned err_code, const char *text) {
    struct streams_error e;
    streams_fail(&e, code, err_code, "%s", text);
    reading_end(reading, NULL, &e);
}

static void on_loaded(struct log_load *load, int failed) {
    struct reading *reading = container_of(load, struct reading, load);
    reading->loading = false;
    if (failed)
        reading_fail(reading, 500, 10057, error_name(failed));
    else
        step(reading);
}

static void on_again(struct io_timer *timer) {
    step(container_of(timer, struct reading, again));
}

struct newest {
    struct log_stream *stream;
    uint64_t sequence;
};

/* A walk over subjects may know no more than a bound of the last: then it is looked for. */
static int keep_newest(void *self, slice subject, const struct log_subject_state *bound) {
    struct newest *newest = self;
    struct log_subject_state state;
    if (bound->last_sequence > newest->sequence && log_subject(newest->stream, subject, &state) &&
        state.last_sequence > newest->sequence)
        newest->sequence = state.last_sequence;
    return 0;
}

uint64_t stream_last_of(const struct stream *stream, slice subject) {
    struct newest newest = {.stream = stream->log};
    struct log_subject_state state;
    if (!nats_subject_literal(subject))
        log_subject_each(stream->log, subject, keep_newest, &newest);
    else if (log_subject(stream->log, subject, &state))
        newest.sequence = state.last_sequence;
    return newest.sequence;
}

/* RECORD's sequence is what to load where it answers -EINPROGRESS. */
static int look(struct reading *reading, struct stream *stream, struct log_record *record) {
    struct log *log = reading->op.streams->log;
    if (reading->sequence && !reading->subject.len)
        return log_read(log, stream->log, reading->sequence, record);
    if (reading->sequence)
        return log_seek(log, stream->log, reading->subject, reading->sequence, record);
    uint64_t newest = stream_last_of(stream, reading->subject);
    if (newest > log_stream_state(stream->log).last_sequence)
        return -EAGAIN; /* on its way to the disk: the one before it is not the last any more */
    record->sequence = newest;
    return newest ? log_read(log, stream->log, newest, record) : -ENOENT;
}

static void step(struct reading *reading) {
    struct stream *stream = stream_find(reading->op.streams, reading->name);
    if (!stream) {
        reading_fail(reading, 404, 10059, "stream not found");
        return;
    }
    struct log_record record = {.sequence = reading->sequence};
    int result = look(reading, stream, &record);
    if (result == 0) {
        reading_end(reading, &record, NULL);
    } else if (result == -ENOENT) {
        reading_fail(reading, 404, 10037, "no message found");
    } else if (result == -EBADMSG) {
        reading_fail(reading, 500, 10057, "the message is damaged on disk");
    } else {
        struct io_loop *loop = bus_loop(reading->op.streams->bus);
        uint64_t wanted = record.sequence;
        if (reading->subject.len && reading->sequence)
            reading->sequence = wanted;
        reading->loading = result == -EINPROGRESS && log_load(reading->op.streams->log, stream->log,
                                                              wanted, &reading->load) == 0;
        if (!reading->loading)
            io_timer_start(loop, &reading->again, result == -EINPROGRESS ? STREAM_RETRY_NS : 0,
                           on_again);
    }
}

void stream_get(struct stream *stream, uint64_t sequence, slice subject,
                void (*done)(void *self, const struct log_record *record,
                             const struct streams_error *error),
                void *self) {
    slice name = stream->config.name;
    struct reading *reading = mem_zalloc(1, sizeof *reading + name.len + subject.len);
    if (!reading) {
        struct streams_error e;
        streams_fail(&e, 503, 10023, "insufficient resources");
        done(self, NULL, &e);
        return;
    }
    reading->load.done = on_loaded;
    streams_op_begin(stream->streams, &reading->op, reading_stop);
    reading->sequence = sequence;
    reading->done = done;
    reading->self = self;
    memcpy(reading->text, name.ptr, name.len);
    reading->name = slice_make(reading->text, name.len);
    if (subject.len)
        memcpy(reading->text + name.len, subject.ptr, subject.len);
    reading->subject = slice_make(reading->text + name.len, subject.len);
    step(reading);
}

/* --- delete ------------------------------------------------------------------------------- */

struct deletion {
    struct streams_op op;
    struct log_commit commit;
    streams_done done; /* NULL: told already */
    void *self;
};

static void deletion_free(struct deletion *deletion) {
    if (!deletion)
        return;
    streams_op_over(&deletion->op);
    mem_free(deletion);
}

static void on_deleted(struct log_commit *commit, int failed) {
    struct deletion *deletion = container_of(commit, struct deletion, commit);
    struct streams_error e;
    if (failed)
        streams_fail(&e, 500, 10057, "%s", error_name(failed));
    if (deletion->done)
        deletion->done(deletion->self, NULL, failed ? &e : NULL);
    deletion_free(deletion);
}

static bool deletion_stop(struct streams_op *op, bool log_gone) {
    struct deletion *deletion = container_of(op, struct deletion, op);
    if (deletion->done)
        deletion->done(deletion->self, NULL, streams_stopping());
    deletion->done = NULL;
    if (log_gone)
        deletion_free(deletion);
    return log_gone;
}

void stream_delete_message(struct stream *stream, uint64_t sequence, bool erase, streams_done done,
                           void *self) {
    struct streams_error e = {0};
    struct deletion *deletion = NULL;
    struct log_batch *batch;
    int failed = -EPERM;
    if (stream->config.sealed) {
        streams_fail(&e, 400, 10109, STREAM_SEALED_TEXT);
    } else if (stream->config.deny_delete) {
        streams_fail(&e, 500, 10057, "message delete not permitted");
    } else {
        deletion = mem_zalloc(1, sizeof *deletion);
        if (deletion)
            streams_op_begin(stream->streams, &deletion->op, deletion_stop);
        failed = deletion ? log_batch_begin(stream->streams->log, &batch) : -ENOMEM;
    }
    if (!failed) {
        failed = erase ? log_batch_erase(batch, stream->log, sequence)
                       : log_batch_delete(batch, stream->log, sequence);
        if (failed)
            log_batch_abandon(batch);
    }
    if (failed == -ENOENT)
        streams_fail(&e, 404, 10043, "sequence %llu not found", (unsigned long long)sequence);
    else if (failed && !e.code)
        streams_fail(&e, 500, 10057, "%s", error_name(failed));
    if (failed) {
        deletion_free(deletion);
        done(self, NULL, &e);
        return;
    }
    deletion->commit.done = on_deleted;
    deletion->done = done;
    deletion->self = self;
    log_batch_commit(batch, &deletion->commit);
}

/* --- purge -------------------------------------------------------------------------------- */

/* Walks from the first message and deletes what matches, at most PURGE_STEP_MAX a batch, until
   `left` are deleted or the end below BEFORE is reached; the last batch's commit answers. */
struct purge {
    struct streams_op op;
    struct log_commit commit;
    struct log_load load;
    struct io_timer again;
    bool loading, committed, told;
    uint64_t sequence, before, left, purged;
    slice name, filter;
    void (*done)(void *self, uint64_t purged, const struct streams_error *error);
    void *self;
    char text[];
};

static void purge_step(struct purge *purge);

static void purge_end(struct purge *purge, int failed, const char *why) {
    struct streams_error e;
    if (failed)
        streams_fail(&e, failed == -ENOENT ? 404 : 500, failed == -ENOENT ? 10059 : 10110, "%s",
                     why ? why : error_name(failed));
    if (!purge->told)
        purge->done(purge->self, purge->purged, failed ? &e : NULL);
    streams_op_over(&purge->op);
    mem_free(purge);
}

static bool purge_stop(struct streams_op *op, bool log_gone) {
    struct purge *purge = container_of(op, struct purge, op);
    io_timer_stop(bus_loop(op->streams->bus), &purge->again);
    if (purge->loading && !log_gone)
        log_load_cancel(op->streams->log, &purge->load);
    purge->loading = false;
    if (!purge->told)
        purge->done(purge->self, purge->purged, streams_stopping());
    purge->told = true;
    if (purge->committed && !log_gone)
        return false;
    purge_end(purge, 0, NULL);
    return true;
}

static void on_purged(struct log_commit *commit, int failed) {
    purge_end(container_of(commit, struct purge, commit), failed, NULL);
}

static void on_purge_again(struct io_timer *timer) {
    purge_step(container_of(timer, struct purge, again));
}

static void on_purge_loaded(struct log_load *load, int failed) {
    struct purge *purge = container_of(load, struct purge, load);
    purge->loading = false;
    if (failed)
        purge_end(purge, failed, NULL);
    else
        purge_step(purge);
}

/* Adds deletions to BATCH: 0 when all is done, else what log_seek or log_batch_delete says. */
static int purge_some(struct purge *purge, struct stream *stream, struct log_batch *batch) {
    for (unsigned count = 0; count < PURGE_STEP_MAX; count++) {
        if (purge->left == 0 || purge->sequence >= purge->before)
            return 0;
        struct log_record record = {.sequence = purge->sequence};
        int result =
            log_seek(purge->op.streams->log, stream->log, purge->filter, purge->sequence, &record);
        if (result == -ENOENT)
            return 0;
        purge->sequence = record.sequence;
        if (result == -EBADMSG) {
            purge->sequence++;
            continue;
        }
        if (result)
            return result;
        if (record.sequence >= purge->before)
            return 0;
        result = log_batch_delete(batch, stream->log, record.sequence);
        if (result && result != -ENOENT)
            return result;
        purge->purged += result == 0;
        purge->left--;
        purge->sequence = record.sequence + 1;
    }
    return -EAGAIN;
}

static void purge_step(struct purge *purge) {
    struct stream *stream = stream_find(purge->op.streams, purge->name);
    if (!stream) {
        purge_end(purge, -ENOENT, "stream not found");
        return;
    }
    struct log_batch *batch;
    int result = log_batch_begin(purge->op.streams->log, &batch);
    if (result == 0) {
        result = purge_some(purge, stream, batch);
        bool waits = result == -EAGAIN || result == -EINPROGRESS;
        if (result == 0 && !stream->config.in_memory)
            result = consumers_put_nothing(batch); /* lest the last step has deleted nothing */
        if (result && !waits) {
            log_batch_abandon(batch);
        } else {
            purge->committed = result == 0;
            log_batch_commit(batch, result == 0 ? &purge->commit : NULL);
        }
    }
    purge->loading = result == -EINPROGRESS && log_load(purge->op.streams->log, stream->log,
                                                        purge->sequence, &purge->load) == 0;
    if (purge->loading)
        return;
    if (result == -EAGAIN || result == -EINPROGRESS)
        io_timer_start(bus_loop(purge->op.streams->bus), &purge->again,
                       result == -EINPROGRESS ? STREAM_RETRY_NS : 0, on_purge_again);
    else if (result)
        purge_end(purge, result, NULL);
}

/* Without a filter the front is trimmed in one change. */
static int purge_front(struct purge *purge, struct stream *stream) {
    struct log_stream_state state = log_stream_staged(stream->log);
    uint64_t first = state.last_sequence + 1;
    if (purge->before && purge->before < first)
        first = purge->before;
    if (purge->left < state.messages && state.deleted == 0 &&
        state.first_sequence + purge->left < first)
        first = state.first_sequence + purge->left;
    struct log_batch *batch;
    int failed = log_batch_begin(purge->op.streams->log, &batch);
    if (failed)
        return failed;
    failed = log_batch_trim(batch, stream->log, first);
    if (failed) {
        log_batch_abandon(batch);
        return failed;
    }
    purge->committed = true;
    log_batch_commit(batch, &purge->commit);
    purge->purged = state.messages - log_stream_staged(stream->log).messages;
    return 0;
}

static struct purge *purge_new(struct stream *stream, slice filter) {
    slice name = stream->config.name;
    struct purge *purge = mem_zalloc(1, sizeof *purge + name.len + filter.len);
    if (!purge)
        return NULL;
    purge->commit.done = on_purged;
    purge->load.done = on_purge_loaded;
    streams_op_begin(stream->streams, &purge->op, purge_stop);
    memcpy(purge->text, name.ptr, name.len);
    purge->name = slice_make(purge->text, name.len);
    if (filter.len)
        memcpy(purge->text + name.len, filter.ptr, filter.len);
    purge->filter = slice_make(purge->text + name.len, filter.len);
    return purge;
}

void stream_purge(struct stream *stream, slice filter, uint64_t before, uint64_t keep,
                  void (*done)(void *self, uint64_t purged, const struct streams_error *error),
                  void *self) {
    struct streams_error e = {0};
    struct purge *purge = NULL;
    if (stream->config.sealed)
        streams_fail(&e, 400, 10109, STREAM_SEALED_TEXT);
    else if (stream->config.deny_purge)
        streams_fail(&e, 500, 10110, "stream purge not permitted");
    else if (before && keep)
        streams_fail(&e, 400, 10003, "bad request: \"seq\" and \"keep\" exclude each other");
    else if (!(purge = purge_new(stream, filter)))
        streams_fail(&e, 503, 10023, "insufficient resources");
    if (e.code) {
        done(self, 0, &e);
        return;
    }
    purge->done = done;
    purge->self = self;
    uint64_t matching = log_count(stream->streams->log, stream->log, filter, 0);
    purge->left = keep ? (matching > keep ? matching - keep : 0) : UINT64_MAX;
    struct log_stream_state state = log_stream_staged(stream->log);
    bool whole_front = !filter.len && (!keep || state.deleted == 0);
    if (whole_front) {
        purge->before = before;
        int failed = purge_front(purge, stream);
        if (failed)
            purge_end(purge, failed, NULL);
        return;
    }
    purge->before = before ? before : state.last_sequence + 1;
    purge->sequence = state.first_sequence;
    purge_step(purge);
}
