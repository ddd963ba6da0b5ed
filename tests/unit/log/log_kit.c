/*
 * log_kit.c - the desk of the log's tests: see log_kit.h.
 *
 * Callbacks only count; what they mean is for each test to say. One desk at a time: a commit's
 * done() does not know its desk.
 */
#include "log_kit.h"

static struct desk *desk_now; /* commits do not know their desk */

static void desk_on_visible(void *self, struct log_stream *stream) {
    (void)stream;
    ((struct desk *)self)->visible_calls++;
}

static void desk_on_room(void *self) {
    ((struct desk *)self)->rooms++;
}

static void desk_on_fatal(void *self, const struct error *error) {
    struct desk *desk = self;
    desk->fatals++;
    desk->fatal = *error;
}

static void desk_on_closed(void *self) {
    struct desk *desk = self;
    desk->closed = true;
    desk->log = NULL;
}

static void desk_on_done(struct log_commit *commit, int failed) {
    (void)commit;
    desk_now->done++;
    if (failed)
        desk_now->failed++;
}

void desk_on_checkpoint(void *self, int failed) {
    struct desk *desk = self;
    desk->checkpoints++;
    desk->checkpoint_failed = failed;
}

void desk_on_loaded(struct log_load *load, int failed) {
    (void)load;
    desk_now->loaded = true;
    desk_now->load_failed = failed;
}

struct desk *desk_new(uint64_t seed, const struct sim_options *options) {
    struct desk *desk = mem_zalloc(1, sizeof *desk);
    assert_non_null(desk);
    desk_now = desk;
    desk->sim = sim_create(seed, options);
    desk->host = sim_host_create(desk->sim, "a");
    desk->options = (struct log_options){
        .directory = "log",
        .journal_file_bytes = 1u << 20,
        .journal_files = 4,
        .cache_bytes = 256u << 10,
        .segment_bytes = 256u << 10,
        .on_visible = desk_on_visible,
        .on_room = desk_on_room,
        .on_fatal = desk_on_fatal,
        .self = desk,
    };
    return desk;
}

int desk_try_open(struct desk *desk, struct error *error) {
    desk_now = desk;
    if (!desk->group) {
        int failed = io_group_create(desk->host, 1, &desk->group);
        if (failed)
            return failed;
        sim_group_start(desk->group, NULL, NULL);
        desk->loop = io_group_loop(desk->group, 0);
    }
    desk->closed = false;
    desk->committed = desk->done = desk->failed = 0;
    return log_open(desk->loop, &desk->options, &desk->log, error);
}

void desk_open(struct desk *desk) {
    struct error error = {0};
    int failed = desk_try_open(desk, &error);
    if (failed)
        print_error("open: %s: %s\n", error.place, error.message);
    assert_int_equal(failed, 0);
}

void desk_free_group(struct desk *desk) {
    desk->log = log_abandon(desk->log);
    desk->logger = logger_free(desk->logger);
    desk->options.logger = NULL;
    desk->group = io_group_free(desk->group);
}

/* The power goes; the machine's next life. */
void desk_cut(struct desk *desk) {
    if (!sim_host_down(desk->host))
        sim_power_cut(desk->host);
    desk_free_group(desk);
    desk->host = sim_host_restart(desk->host);
}

/* The process goes. */
void desk_kill(struct desk *desk) {
    sim_kill(desk->host);
    desk_free_group(desk);
    desk->host = sim_host_restart(desk->host);
}

void desk_free(struct desk *desk) {
    desk_free_group(desk);
    assert_int_equal(sim_open_handles(desk->sim), 0);
    sim_free(desk->sim);
    mem_free(desk);
}

bool desk_is_closed(void *self) {
    return ((struct desk *)self)->closed;
}
bool desk_is_synced(void *self) {
    struct desk *desk = self;
    return desk->done == desk->committed;
}
bool desk_has_loaded(void *self) {
    return ((struct desk *)self)->loaded;
}
bool desk_has_checkpoint(void *self) {
    return ((struct desk *)self)->checkpoints > 0;
}

void desk_close(struct desk *desk) {
    log_close(desk->log, desk_on_closed, desk);
    assert_true(sim_run_until(desk->sim, desk_is_closed, desk, DESK_LIMIT));
}

void desk_reopen(struct desk *desk) {
    desk_close(desk);
    desk_open(desk);
}

void desk_sync(struct desk *desk) {
    assert_true(sim_run_until(desk->sim, desk_is_synced, desk, DESK_LIMIT));
}

int desk_checkpoint(struct desk *desk) {
    desk->checkpoints = 0;
    log_checkpoint(desk->log, desk_on_checkpoint, desk);
    assert_true(sim_run_until(desk->sim, desk_has_checkpoint, desk, DESK_LIMIT));
    return desk->checkpoint_failed;
}

struct log_batch *desk_begin(struct desk *desk) {
    struct log_batch *batch = NULL;
    assert_int_equal(log_batch_begin(desk->log, &batch), 0);
    return batch;
}

struct log_commit *desk_commit(struct desk *desk, struct log_batch *batch) {
    assert_true(desk->committed - desk->done < DESK_COMMITS);
    struct log_commit *commit = &desk->commits[desk->commit_next++ % DESK_COMMITS];
    commit->done = desk_on_done;
    desk->committed++;
    log_batch_commit(batch, commit);
    return commit;
}

struct log_stream *desk_put(struct desk *desk, const char *name, struct log_limits limits,
                            bool in_memory) {
    struct log_batch *batch = desk_begin(desk);
    struct log_stream *stream = NULL;
    assert_int_equal(log_batch_put_stream(batch, slice_str(name), slice_lit("config"), &limits,
                                          in_memory, 0, &stream),
                     0);
    desk_commit(desk, batch);
    desk_sync(desk);
    return stream;
}

struct log_stream *desk_stream(struct desk *desk, const char *name) {
    return desk_put(desk, name, (struct log_limits){0}, false);
}

struct log_message desk_message(const char *subject, const char *payload) {
    return (struct log_message){
        .subject = slice_str(subject), .payload = slice_str(payload), .time_ns = (int64_t)1000};
}

/* One message, one batch, not waited for. */
uint64_t desk_append(struct desk *desk, struct log_stream *stream, const char *subject,
                     const char *payload) {
    struct log_batch *batch = desk_begin(desk);
    struct log_message message = desk_message(subject, payload);
    uint64_t sequence = 0;
    assert_int_equal(log_batch_append(batch, stream, &message, &sequence), 0);
    desk_commit(desk, batch);
    return sequence;
}

uint64_t desk_write(struct desk *desk, struct log_stream *stream, const char *subject,
                    const char *payload) {
    uint64_t sequence = desk_append(desk, stream, subject, payload);
    desk_sync(desk);
    return sequence;
}

void desk_delete(struct desk *desk, struct log_stream *stream, uint64_t sequence) {
    struct log_batch *batch = desk_begin(desk);
    assert_int_equal(log_batch_delete(batch, stream, sequence), 0);
    desk_commit(desk, batch);
    desk_sync(desk);
}

void desk_trim(struct desk *desk, struct log_stream *stream, uint64_t first) {
    struct log_batch *batch = desk_begin(desk);
    assert_int_equal(log_batch_trim(batch, stream, first), 0);
    desk_commit(desk, batch);
    desk_sync(desk);
}

int desk_load(struct desk *desk, struct log_stream *stream, uint64_t sequence) {
    desk->loaded = false;
    desk->load.done = desk_on_loaded;
    int failed = log_load(desk->log, stream, sequence, &desk->load);
    if (failed)
        return failed;
    assert_false(desk->loaded); /* never from inside the call */
    assert_true(sim_run_until(desk->sim, desk_has_loaded, desk, DESK_LIMIT));
    return desk->load_failed;
}

/* Reads, loading what is on disk only. */
int desk_read(struct desk *desk, struct log_stream *stream, uint64_t sequence,
              struct log_record *record) {
    int failed = log_read(desk->log, stream, sequence, record);
    for (int tries = 0; failed == -EINPROGRESS && tries < 3; tries++) {
        int loaded = desk_load(desk, stream, sequence);
        if (loaded)
            return loaded;
        failed = log_read(desk->log, stream, sequence, record);
    }
    return failed;
}

int desk_seek(struct desk *desk, struct log_stream *stream, const char *filter, uint64_t from,
              struct log_record *record) {
    for (;;) {
        int failed = log_seek(desk->log, stream, slice_str(filter), from, record);
        if (failed != -EINPROGRESS && failed != -EAGAIN)
            return failed;
        from = record->sequence;
        if (failed == -EINPROGRESS)
            assert_int_equal(desk_load(desk, stream, from), 0);
    }
}

void desk_expect(struct desk *desk, struct log_stream *stream, uint64_t sequence,
                 const char *subject, const char *payload) {
    struct log_record record;
    assert_int_equal(desk_read(desk, stream, sequence, &record), 0);
    assert_int_equal(record.sequence, sequence);
    assert_true(slice_equal(record.subject, slice_str(subject)));
    assert_true(slice_equal(record.payload, slice_str(payload)));
}

struct log_stream *desk_find(struct desk *desk, const char *name) {
    return log_stream_find(desk->log, slice_str(name));
}
