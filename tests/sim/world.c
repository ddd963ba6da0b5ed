/*
 * world.c - lives of a log: opening, working, stopping. See world.h.
 */
#include "world.h"

#include "base/hash.h"
#include "base/mem.h"
#include "log/log_data.h"

#include <errno.h>
#include <inttypes.h>

#define CHECKPOINTS_ASKED_MAX 16 /* the log turns away whoever comes 65th */

uint64_t world_below(struct world *world, uint64_t bound) {
    return sim_below(world->sim, bound);
}

static bool one_in(struct world *world, uint64_t count) {
    return sim_below(world->sim, count) == 0;
}

/* Is this answer one that only a fault can explain? */
static void allow(struct world *world, const char *what, int failed) {
    bool usual = failed == 0 || failed == -EAGAIN || (failed == -EROFS && world->fatal);
    if (!usual && !world->faulty && !sim_host_down(world->host))
        campaign_fail(world->campaign, "%s answers %s", what, error_name(failed));
}

/* --- what the log tells ----------------------------------------------------------------------- */

static void on_visible(void *self, struct log_stream *stream) {
    (void)self;
    (void)stream;
}

static void on_room(void *self) {
    (void)self;
}

static void on_fatal(void *self, const struct error *error) {
    struct world *world = self;
    if (world->fatal)
        campaign_fail(world->campaign, "fatal twice");
    if (!world->faulty && !sim_host_down(world->host))
        campaign_fail(world->campaign, "fatal without a fault: %s: %s", error->place,
                      error->message);
    world->fatal = true;
}

/* What a batch has appended can be read from now on, unless a later one took it out. */
static void check_visible(struct world *world, const struct model_batch *batch) {
    for (unsigned i = 0; i < batch->count; i++) {
        const struct model_op *op = &batch->ops[i];
        const struct model_stream *model = &world->staged.streams[op->stream];
        if (op->kind != MODEL_APPEND || !model_lives(model, op->sequence) ||
            model_at(model, op->sequence)->tag != op->tag)
            continue;
        struct log_stream *stream = log_stream_find(world->log, model_stream_name(op->stream));
        struct log_record record;
        int failed = stream ? log_read(world->log, stream, op->sequence, &record) : -ENOENT;
        if (failed && failed != -EINPROGRESS)
            campaign_fail(world->campaign, "acknowledged %" PRIu64 " cannot be read: %d",
                          op->sequence, failed);
        if (!failed)
            world_check_record(world, op->stream, op->sequence, &record);
    }
}

static void show_batch(struct world *world, struct model_batch *batch, uint64_t position) {
    for (unsigned i = 0; i < batch->count; i++) {
        world_note_erased(world, &batch->ops[i]);
        model_apply(&world->shown, &batch->ops[i], position);
    }
}

/* PENDING's batch is on disk: everything before it must have been told before. */
static void show(struct world *world, struct world_pending *pending) {
    uint64_t position = pending->commit.position;
    if (position <= world->shown_position)
        campaign_fail(world->campaign, "position %" PRIu64 " is done behind %" PRIu64, position,
                      world->shown_position);
    for (uint64_t p = world->shown_position + 1; p < position; p++) {
        const struct world_pending *before = &world->pending[p % WORLD_PENDING];
        if (before->durable && !before->done)
            campaign_fail(world->campaign, "position %" PRIu64 " is done before %" PRIu64, position,
                          p);
    }
    show_batch(world, &pending->batch, position);
    world->shown_position = position;
}

static void on_done(struct log_commit *commit, int failed) {
    struct world_pending *pending = (struct world_pending *)(void *)commit;
    struct world *world = pending->world;
    if (pending->done)
        campaign_fail(world->campaign, "position %" PRIu64 " is done twice", commit->position);
    pending->done = true;
    if (sim_host_down(world->host))
        return; /* a ghost's word */
    if (!failed && (world->fatal || world->refused))
        campaign_fail(world->campaign, "success behind a failed commit or a fatal error");
    if (failed && !world->faulty)
        campaign_fail(world->campaign, "a commit fails without a fault: %s", error_name(failed));
    if (failed) {
        world->refused = true;
        return;
    }
    world->campaign->checked++;
    if (!pending->durable)
        return;
    show(world, pending);
    check_visible(world, &pending->batch);
}

/* --- owners ----------------------------------------------------------------------------------- */

static int on_restore(void *self, slice snapshot) {
    struct world_owner *owner = self;
    if (snapshot.len != sizeof(owner->found) || owner->found.count != 0)
        campaign_fail(owner->world->campaign, "owner %u is restored wrongly", owner->index);
    memcpy(&owner->found, snapshot.ptr, sizeof(owner->found));
    return 0;
}

static int on_replay(void *self, slice delta, uint64_t position) {
    struct world_owner *owner = self;
    (void)position;
    model_owner_add(&owner->found, delta);
    return 0;
}

static int on_snapshot(void *self, struct buf *out) {
    struct world_owner *owner = self;
    return buf_append(
        out, slice_make(&owner->world->staged.owners[owner->index], sizeof(struct model_owner)));
}

/* --- batches ---------------------------------------------------------------------------------- */

static struct log_limits draw_limits(struct world *world) {
    static const uint64_t messages[] = {0, 0, 0, 1, 7, 60}, bytes[] = {0, 0, 2000, 40000};
    static const uint64_t per_subject[] = {0, 0, 0, 1, 3};
    return (struct log_limits){.messages_max = messages[world_below(world, array_count(messages))],
                               .bytes_max = bytes[world_below(world, array_count(bytes))],
                               .messages_per_subject_max =
                                   per_subject[world_below(world, array_count(per_subject))]};
}

static struct model_op draw_op(struct world *world, unsigned untouchable, unsigned appended) {
    struct model_op op = {.tag = hash_mix64(++world->tags), .kind = MODEL_DELTA};
    op.stream = (unsigned)world_below(world, MODEL_STREAMS);
    const struct model_stream *stream = &world->staged.streams[op.stream];
    uint64_t dice = world_below(world, 100), span = stream->last + 1 - stream->first;
    op.time_ns = world->clock_ns += 1000;
    if (dice < 10 || (untouchable >> op.stream & 1)) {
        op.stream = (unsigned)world_below(world, MODEL_OWNERS);
        return op;
    }
    if (!stream->exists || (dice < 13 && !(appended >> op.stream & 1))) {
        op.kind = MODEL_PUT;
        op.limits = draw_limits(world);
        op.sequence = stream->exists ? 0 : world_below(world, 20);
    } else if (dice < 15) {
        op.kind = MODEL_REMOVE;
    } else if (dice < 22 || span > MODEL_MESSAGES - 2 * MODEL_OPS) {
        op.kind = MODEL_TRIM;
        op.sequence =
            stream->first + (dice < 18 ? world_below(world, 8) : world_below(world, span + 4));
        if (span > MODEL_MESSAGES / 2)
            op.sequence += span / 2;
    } else if (dice < 35) {
        op.kind = MODEL_DELETE;
        op.erase = dice < 26;
        op.sequence = stream->first + world_below(world, span + 2);
    } else {
        op.kind = MODEL_APPEND;
    }
    return op;
}

static int stage_append(struct log_batch *batch, struct log_stream *stream, struct model_op *op) {
    struct log_message message = model_message(op->tag, op->time_ns);
    return log_batch_append(batch, stream, &message, &op->sequence);
}

static int stage_op(struct world *world, struct log_batch *batch, struct model_op *op,
                    struct log_stream **ret_stream) {
    if (op->kind == MODEL_DELTA)
        return log_batch_delta(batch, op->stream + 1, model_delta(op->tag));
    slice name = model_stream_name(op->stream);
    struct log_stream *stream = log_stream_find(world->log, name);
    if (op->kind == MODEL_PUT)
        return log_batch_put_stream(batch, name, model_config(op->tag), &op->limits, false,
                                    op->sequence, ret_stream);
    if (!stream)
        campaign_fail(world->campaign, "stream %u is not found", op->stream);
    if (op->kind == MODEL_REMOVE)
        return log_batch_remove_stream(batch, stream);
    if (op->kind == MODEL_TRIM)
        return log_batch_trim(batch, stream, op->sequence);
    if (op->kind == MODEL_DELETE) {
        bool lives = model_lives(&world->staged.streams[op->stream], op->sequence);
        int failed = op->erase ? log_batch_erase(batch, stream, op->sequence)
                               : log_batch_delete(batch, stream, op->sequence);
        if (failed != -EBUSY && (failed == -ENOENT) != !lives)
            campaign_fail(world->campaign, "delete of %" PRIu64 " answers %d", op->sequence,
                          failed);
        return failed;
    }
    return stage_append(batch, stream, op);
}

/* Stages up to WANTED changes into PENDING's batch. */
static void stage_ops(struct world *world, struct log_batch *batch, struct world_pending *pending,
                      uint64_t wanted) {
    unsigned untouchable = 0, appended = 0;
    check(wanted * 2 <= MODEL_OPS);
    for (uint64_t i = 0; i < wanted; i++) {
        struct model_op op = draw_op(world, untouchable, appended);
        bool fresh = op.kind == MODEL_PUT && !world->staged.streams[op.stream].exists;
        struct log_stream *stream = NULL;
        int failed = stage_op(world, batch, &op, &stream);
        if ((failed == -ENOENT && op.kind == MODEL_DELETE) || failed == -EBUSY)
            continue; /* -EBUSY: a stream's limits are changed by a batch of their own */
        allow(world, "a change", failed);
        world->refused_once |= failed == -EAGAIN;
        if (failed)
            break;
        if (op.kind == MODEL_REMOVE || fresh) /* named anew only in a later batch */
            untouchable |= 1u << op.stream;
        if (op.kind == MODEL_APPEND)
            appended |= 1u << op.stream;
        pending->batch.ops[pending->batch.count++] = op;
        if (fresh) {
            struct model_op first = {.kind = MODEL_APPEND, .stream = op.stream, .tag = op.tag + 1};
            first.time_ns = world->clock_ns += 1000;
            if (one_in(world, 2) && stage_append(batch, stream, &first) == 0)
                pending->batch.ops[pending->batch.count++] = first;
        }
    }
}

static void print_batch(const struct world *world, const struct model_batch *batch) {
    static const char *const kinds[] = {"append", "delete", "trim", "delta", "put", "remove"};
    if (!world->campaign->trace)
        return;
    for (unsigned i = 0; i < batch->count; i++) {
        const struct model_op *op = &batch->ops[i];
        fprintf(stderr, "position %" PRIu64 " %s %u sequence %" PRIu64, batch->position,
                kinds[op->kind], op->stream, op->sequence);
        if (op->kind == MODEL_APPEND)
            fprintf(stderr, " subject %u", model_subject(op->tag));
        if (op->kind == MODEL_PUT)
            fprintf(stderr, " messages %" PRIu64 " bytes %" PRIu64 " per subject %" PRIu64,
                    op->limits.messages_max, op->limits.bytes_max,
                    op->limits.messages_per_subject_max);
        fprintf(stderr, "\n");
    }
}

/* The oracle takes the batch in; appended sequences must be the ones that the log gave. */
static void stage_in_model(struct world *world, struct model_batch *batch) {
    for (unsigned i = 0; i < batch->count; i++) {
        uint64_t given = batch->ops[i].sequence;
        model_apply(&world->staged, &batch->ops[i], batch->position);
        if (batch->ops[i].kind == MODEL_APPEND && batch->ops[i].sequence != given)
            campaign_fail(world->campaign, "sequence %" PRIu64 " is given and not %" PRIu64, given,
                          batch->ops[i].sequence);
    }
}

/* Nothing of an unsynced batch may be seen. */
static void check_invisible(struct world *world, const struct model_batch *batch) {
    for (unsigned i = 0; i < batch->count; i++) {
        const struct model_op *op = &batch->ops[i];
        struct log_stream *stream = op->kind == MODEL_APPEND
                                        ? log_stream_find(world->log, model_stream_name(op->stream))
                                        : NULL;
        struct log_record record;
        if (stream && log_read(world->log, stream, op->sequence, &record) != -ENOENT)
            campaign_fail(world->campaign, "%" PRIu64 " is seen before it is on disk",
                          op->sequence);
    }
}

/* The log commits batches of its own (erase.h): they have positions, and nothing for the oracle. */
static void pass_over(struct world *world) {
    uint64_t last = journal_position(world->log->journal);
    while (world->committed < last)
        world->pending[++world->committed % WORLD_PENDING] = (struct world_pending){.done = true};
}

static struct world_pending *next_pending(struct world *world) {
    pass_over(world);
    uint64_t position = world->committed + 1;
    struct world_pending *pending = &world->pending[position % WORLD_PENDING];
    *pending = (struct world_pending){
        .commit = {.done = on_done}, .world = world, .batch = {.position = position}};
    return pending;
}

static void commit(struct world *world, struct log_batch *batch, struct world_pending *pending) {
    stage_in_model(world, &pending->batch);
    print_batch(world, &pending->batch);
    world->committed++;
    log_batch_commit(batch, &pending->commit);
    if (pending->commit.position != pending->batch.position)
        campaign_fail(world->campaign, "position %" PRIu64 " is given and not %" PRIu64,
                      pending->commit.position, pending->batch.position);
    if (pending->done)
        campaign_fail(world->campaign, "done inside commit");
}

static void commit_batch(struct world *world, uint64_t wanted) {
    struct log_batch *batch;
    if (world->committed - world->shown_position >= WORLD_PENDING - 1)
        return;
    int failed = log_batch_begin(world->log, &batch);
    allow(world, "begin", failed);
    world->refused_once |= failed == -EAGAIN;
    if (failed)
        return;
    struct world_pending *pending = next_pending(world);
    stage_ops(world, batch, pending, wanted);
    if (one_in(world, 12)) {
        log_batch_abandon(batch);
        return;
    }
    pending->durable = pending->batch.count > 0;
    commit(world, batch, pending);
    check_invisible(world, &pending->batch);
}

/* --- streams in memory ------------------------------------------------------------------------ */

static void on_memory_done(struct log_commit *commit, int failed) {
    struct world_pending *pending = (struct world_pending *)(void *)commit;
    pending->done = true;
    if (failed && !pending->world->faulty && !sim_host_down(pending->world->host))
        campaign_fail(pending->world->campaign, "a batch in memory fails: %s", error_name(failed));
}

/* A stream that a restart forgets; its batches take positions and no disk. */
static void commit_in_memory(struct world *world) {
    slice name = slice_lit(WORLD_MEMORY);
    struct log_batch *batch;
    if (world->committed - world->shown_position >= WORLD_PENDING - 1 ||
        log_batch_begin(world->log, &batch) != 0)
        return;
    struct world_pending *pending = next_pending(world);
    pending->commit.done = on_memory_done;
    struct log_stream *stream = log_stream_find(world->log, name);
    struct log_limits limits = {.messages_max = 10};
    struct log_message message = model_message(world->tags, world->clock_ns);
    uint64_t sequence = 0;
    int failed = stream ? log_batch_append(batch, stream, &message, &sequence)
                        : log_batch_put_stream(batch, name, (slice){0}, &limits, true, 0, &stream);
    allow(world, "a change in memory", failed);
    if (failed) {
        log_batch_abandon(batch);
        return;
    }
    commit(world, batch, pending);
}

/* --- reads ------------------------------------------------------------------------------------ */

static void read_something(struct world *world) {
    unsigned index = (unsigned)world_below(world, MODEL_STREAMS);
    const struct model_stream *shown = &world->shown.streams[index];
    struct log_stream *stream = log_stream_find(world->log, model_stream_name(index));
    if (!stream || !shown->exists || !world->staged.streams[index].exists)
        return;
    uint64_t sequence = shown->first + world_below(world, shown->last + 2 - shown->first);
    bool certain =
        model_lives(shown, sequence) && model_lives(&world->staged.streams[index], sequence) &&
        model_at(shown, sequence)->tag == model_at(&world->staged.streams[index], sequence)->tag;
    struct log_record record;
    int failed = world_read(world, stream, sequence, &record);
    if (world->faulty || sim_host_down(world->host) || !certain)
        return;
    if (failed)
        campaign_fail(world->campaign, "stream %u sequence %" PRIu64 " answers %d", index, sequence,
                      failed);
    world_check_record(world, index, sequence, &record);
}

/* --- a life ----------------------------------------------------------------------------------- */

static void on_checkpoint(void *self, int failed) {
    struct world *world = self;
    if (world->checkpoints-- == 0)
        campaign_fail(world->campaign, "a checkpoint is told twice");
    if (failed && !world->faulty && !world->stopping && !sim_host_down(world->host))
        campaign_fail(world->campaign, "a checkpoint fails: %s", error_name(failed));
}

void world_checkpoint(struct world *world) {
    if (world->checkpoints >= CHECKPOINTS_ASKED_MAX)
        return;
    world->checkpoints++;
    log_checkpoint(world->log, on_checkpoint, world);
}

static bool all_shown(void *self) {
    const struct world *world = self;
    for (uint64_t p = world->shown_position + 1; p <= world->committed; p++)
        if (!world->pending[p % WORLD_PENDING].done)
            return false;
    return true;
}

/* Waits until all is on disk; then readers must see exactly what the oracle says. */
static void look_at_all(struct world *world) {
    bool shown = sim_run_until(world->sim, all_shown, world, 10 * SIM_SECOND);
    if (world->faulty || world->fatal || sim_host_down(world->host))
        return;
    if (!shown)
        campaign_fail(world->campaign, "position %" PRIu64 " is never done",
                      world->shown_position + 1);
    uint64_t armed = sim_cut_at(world->host, 0);
    world_judge_streams(world);
    (void)sim_cut_at(world->host, armed);
}

/* What is pushed back must find room once the log has had time: the first batch behind a wait. */
static void wait_for_room(struct world *world) {
    sim_run_for(world->sim, 2 * SIM_SECOND);
    world->refused_once = false;
    if (world->faulty || world->fatal || sim_host_down(world->host))
        return;
    commit_batch(world, 1);
    if (world->refused_once)
        campaign_fail(world->campaign, "pushed back, and two seconds later there is still no room");
}

static void act(struct world *world) {
    uint64_t dice = world_below(world, 100);
    if (dice < 50)
        commit_batch(world, 1 + world_below(world, 5));
    else if (dice == 99)
        look_at_all(world);
    else if (dice < 52)
        commit_batch(world, 0);
    else if (dice < 54)
        commit_in_memory(world);
    else if (dice < 58)
        read_something(world);
    else if (dice < 61)
        world_checkpoint(world);
    else if (dice < 64)
        sim_run_for(world->sim, world_below(world, 80 * SIM_MILLISECOND));
    else if (dice < 74)
        sim_run_for(world->sim, world_below(world, SIM_MILLISECOND));
    else
        for (uint64_t steps = 1 + world_below(world, 6); steps > 0; steps--)
            (void)sim_step(world->sim);
}

void world_live(struct world *world, uint64_t actions) {
    for (; actions > 0 && !sim_host_down(world->host) && !world->fatal; actions--) {
        act(world);
        if (world->refused_once && one_in(world, 4))
            wait_for_room(world);
    }
    if (world->refused && !sim_host_down(world->host)) {
        sim_run_for(world->sim, SIM_SECOND);
        if (!world->fatal)
            campaign_fail(world->campaign, "a commit has failed, and nobody was told why");
    }
}

static void on_stopped(void *self) {
    ((struct world *)self)->stopped = true;
}

static bool is_stopped(void *self) {
    return ((struct world *)self)->stopped;
}

void world_stop(struct world *world) {
    pass_over(world);
    uint64_t last = world->committed;
    while (last > world->shown_position && !world->pending[last % WORLD_PENDING].durable)
        last--;
    world->stopping = true;
    log_close(world->log, on_stopped, world);
    if (!sim_run_until(world->sim, is_stopped, world, 600 * SIM_SECOND))
        campaign_fail(world->campaign, "the log does not stop");
    world->log = NULL;
    if (world->checkpoints > 0)
        campaign_fail(world->campaign, "stopped, and a checkpoint was never told");
    if (!sim_host_down(world->host) && !world->faulty && world->shown_position < last)
        campaign_fail(world->campaign, "stopped at %" PRIu64 " of %" PRIu64, world->shown_position,
                      last);
}

/* --- opening ---------------------------------------------------------------------------------- */

void world_leave(struct world *world) {
    if (world->log)
        pass_over(world);
    world->log = log_abandon(world->log);
    world->group = io_group_free(world->group);
    world->logger = logger_free(world->logger);
    if (sim_open_handles(world->sim) != 0)
        campaign_fail(world->campaign, "%u handles were left open", sim_open_handles(world->sim));
}

int world_open(struct world *world) {
    struct error error = {0};
    world->fatal = world->stopping = world->stopped = world->refused = false;
    world->checkpoints = 0;
    world->refused_once = false;
    for (unsigned i = 0; i < MODEL_OWNERS; i++)
        world->found[i].found = (struct model_owner){0};
    int failed = io_group_create(world->host, 1, &world->group);
    if (!failed)
        failed = logger_create(world->host, LOG_LEVEL_WARN, &world->logger);
    if (failed) {
        world_leave(world);
        return failed;
    }
    world->options.logger = world->logger;
    sim_group_start(world->group, NULL, NULL);
    failed = log_open(io_group_loop(world->group, 0), &world->options, &world->log, &error);
    if (failed) {
        char text[1024];
        if (!world->faulty && !sim_host_down(world->host))
            campaign_fail(world->campaign, "does not open: %s (%s)\n%s",
                          error_text(&error, text, sizeof(text)), error_name(failed),
                          sim_log_text(world->host));
        world->log = NULL;
        world_leave(world);
    }
    return failed;
}

/* What is recovered becomes what the oracle knows; the rest has never been. */
static void take_over(struct world *world) {
    uint64_t position = log_position(world->log);
    if (position < world->shown_position || position > world->committed)
        campaign_fail(world->campaign,
                      "recovered up to %" PRIu64 ", acknowledged %" PRIu64 ", committed %" PRIu64,
                      position, world->shown_position, world->committed);
    for (uint64_t p = world->shown_position + 1; p <= position; p++) {
        struct world_pending *pending = &world->pending[p % WORLD_PENDING];
        if (!pending->durable)
            continue;
        show_batch(world, &pending->batch, p);
        world->shown_position = p;
    }
    world->committed = position;
    world->staged = world->shown;
}

void world_recover(struct world *world, bool cuts) {
    world->faulty = false;
    for (;;) {
        if (sim_host_down(world->host))
            world->host = sim_host_restart(world->host);
        if (cuts && one_in(world, 4))
            sim_cut_at(world->host, 1 + world_below(world, 20));
        int failed = world_open(world);
        sim_cut_at(world->host, 0);
        if (!failed)
            break;
        world->campaign->cuts++;
    }
    take_over(world);
    if (!sim_host_down(world->host))
        world_judge(world);
}

/* --- the whole -------------------------------------------------------------------------------- */

void world_make(struct world *world, struct campaign *campaign, uint64_t seed) {
    struct sim_options options = {.trace = campaign->trace ? stderr : NULL,
                                  .sector_bytes = seed & 2 ? 4096 : 512};
    memset(world, 0, sizeof(*world));
    world->campaign = campaign;
    world->sim = sim_create(seed, &options);
    world->host = sim_host_create(world->sim, "a");
    world->clock_ns = 1000000000;
    world->tags = seed;
    for (unsigned i = 0; i < MODEL_OWNERS; i++) {
        world->found[i] = (struct world_owner){.world = world, .index = i};
        world->owners[i] = (struct log_owner){.id = i + 1,
                                              .self = &world->found[i],
                                              .restore = on_restore,
                                              .replay = on_replay,
                                              .snapshot = on_snapshot};
    }
    static const uint64_t idles[] = {0, 5 * SIM_MILLISECOND, 200 * SIM_MILLISECOND};
    world->options = (struct log_options){
        .directory = WORLD_DIRECTORY,
        .journal_file_bytes = (64u << 10) << world_below(world, 2),
        .journal_files = 2 + (unsigned)world_below(world, 3),
        .cache_bytes = (64u << 10) << world_below(world, 4),
        .segment_bytes = one_in(world, 2) ? 0 : (64u << 10) << world_below(world, 4),
        .checkpoint_idle_ns = idles[world_below(world, 3)],
        .owners = world->owners,
        .owner_count = MODEL_OWNERS,
        .on_visible = on_visible,
        .on_room = on_room,
        .on_fatal = on_fatal,
        .self = world};
}

void world_free(struct world *world) {
    campaign_hash(world->campaign, sim_hash(world->sim));
    sim_free(world->sim);
}
