/*
 * judge.c - holds an opened log against the oracle, message by message.
 */
#include "world.h"

#include <errno.h>
#include <inttypes.h>

#define READ_TRIES 1000

/* --- reading ---------------------------------------------------------------------------------- */

/* A block is sure to be there while its load tells so; after that the cache may need its place. */
struct reader {
    struct log_load load; /* first */
    struct world *world;
    struct log_stream *stream;
    uint64_t sequence;
    struct log_record *record; /* NULL: nothing is to be read */
    bool done;
    int answer;
};

static void on_loaded(struct log_load *load, int failed) {
    struct reader *reader = (struct reader *)(void *)load;
    reader->done = true;
    reader->answer = failed;
    if (!failed && reader->record)
        reader->answer =
            log_read(reader->world->log, reader->stream, reader->sequence, reader->record);
}

static bool is_loaded(void *self) {
    return ((struct reader *)self)->done;
}

static int load(struct world *world, struct log_stream *stream, uint64_t sequence,
                struct log_record *record) {
    struct reader reader = {.load = {.done = on_loaded},
                            .world = world,
                            .stream = stream,
                            .sequence = sequence,
                            .record = record};
    int failed = log_load(world->log, stream, sequence, &reader.load);
    if (failed == -EAGAIN) {
        sim_run_for(world->sim, SIM_MILLISECOND);
        return -EINPROGRESS;
    }
    if (failed)
        return failed;
    if (reader.done)
        campaign_fail(world->campaign, "a load is done inside log_load");
    if (!sim_run_until(world->sim, is_loaded, &reader, 60 * SIM_SECOND))
        campaign_fail(world->campaign, "a load is never done");
    return reader.answer;
}

int world_read(struct world *world, struct log_stream *stream, uint64_t sequence,
               struct log_record *ret_record) {
    int failed = log_read(world->log, stream, sequence, ret_record);
    for (int i = 0; failed == -EINPROGRESS && i < READ_TRIES; i++)
        failed = load(world, stream, sequence, ret_record);
    return failed;
}

/* --- messages --------------------------------------------------------------------------------- */

void world_check_record(struct world *world, unsigned stream, uint64_t sequence,
                        const struct log_record *record) {
    const struct model_message *expected = model_at(&world->staged.streams[stream], sequence);
    struct log_message message = model_message(expected->tag, expected->time_ns);
    if (record->sequence != sequence || record->position != expected->position ||
        record->time_ns != expected->time_ns || !slice_equal(record->subject, message.subject) ||
        !slice_equal(record->headers, message.headers) ||
        !slice_equal(record->payload, message.payload))
        campaign_fail(world->campaign,
                      "stream %u sequence %" PRIu64
                      ": another message than the one stored (sequence "
                      "%" PRIu64 ", position %" PRIu64 " not %" PRIu64 ", %zu bytes not %zu)",
                      stream, sequence, record->sequence, record->position, expected->position,
                      record->payload.len, message.payload.len);
}

static void judge_messages(struct world *world, unsigned index, struct log_stream *stream) {
    const struct model_stream *expected = &world->shown.streams[index];
    uint64_t from = expected->first > 2 ? expected->first - 2 : 1;
    for (uint64_t s = from; s <= expected->last + 2; s++) {
        struct log_record record;
        int failed = world_read(world, stream, s, &record);
        if (failed != (model_lives(expected, s) ? 0 : -ENOENT))
            campaign_fail(world->campaign,
                          "stream %u sequence %" PRIu64 " of %" PRIu64 "..%" PRIu64 " answers %d",
                          index, s, expected->first, expected->last, failed);
        if (!failed)
            world_check_record(world, index, s, &record);
    }
}

/* A seek for one subject finds its first message from there on. */
static void judge_seek(struct world *world, unsigned index, struct log_stream *stream) {
    const struct model_stream *expected = &world->shown.streams[index];
    unsigned subject = (unsigned)world_below(world, MODEL_SUBJECTS);
    uint64_t from = expected->first + world_below(world, MODEL_MESSAGES / 2), at = from;
    uint64_t wanted = from;
    while (wanted <= expected->last && !(model_lives(expected, wanted) &&
                                         model_subject(model_at(expected, wanted)->tag) == subject))
        wanted++;
    struct log_record record = {0};
    int failed = -EAGAIN;
    for (int i = 0; (failed == -EAGAIN || failed == -EINPROGRESS) && i < READ_TRIES; i++) {
        failed = log_seek(world->log, stream, model_subject_text(subject), at, &record);
        if (failed == -EINPROGRESS || failed == -EAGAIN)
            at = record.sequence;
        if (failed == -EINPROGRESS && load(world, stream, at, NULL))
            campaign_fail(world->campaign, "stream %u: cannot load %" PRIu64, index, at);
    }
    bool found = wanted <= expected->last;
    if (failed != (found ? 0 : -ENOENT) || (found && record.sequence != wanted))
        campaign_fail(world->campaign,
                      "stream %u: seek from %" PRIu64 " answers %d, %" PRIu64 " and not %" PRIu64,
                      index, from, failed, record.sequence, wanted);
    if (found)
        world_check_record(world, index, wanted, &record);
}

struct scan {
    struct world *world;
    unsigned index;
    uint64_t next; /* the oracle's next message */
    int64_t time_ns;
};

static uint64_t next_at_or_after(const struct model_stream *stream, uint64_t from,
                                 int64_t time_ns) {
    uint64_t s = from;
    while (s <= stream->last &&
           !(model_lives(stream, s) && model_at(stream, s)->time_ns >= time_ns))
        s++;
    return s;
}

static int on_scanned(void *self, const struct log_record *record) {
    struct scan *scan = self;
    const struct model_stream *expected = &scan->world->shown.streams[scan->index];
    scan->next = next_at_or_after(expected, scan->next, scan->time_ns);
    if (record->sequence != scan->next)
        campaign_fail(scan->world->campaign, "stream %u: a scan finds %" PRIu64 " and not %" PRIu64,
                      scan->index, record->sequence, scan->next);
    world_check_record(scan->world, scan->index, scan->next++, record);
    return 0;
}

/* A walk from a time on, the place of that time, and how many messages there are from a place. */
static void judge_walks(struct world *world, unsigned index, struct log_stream *stream) {
    const struct model_stream *expected = &world->shown.streams[index];
    int64_t time_ns = world->clock_ns - (int64_t)world_below(world, 200000);
    uint64_t first = next_at_or_after(expected, expected->first, time_ns), sequence = 0;
    struct scan scan = {world, index, expected->first, time_ns};
    int failed = log_scan(world->log, stream, time_ns, on_scanned, &scan);
    if (failed || next_at_or_after(expected, scan.next, time_ns) <= expected->last)
        campaign_fail(world->campaign, "stream %u: a scan answers %d and ends before %" PRIu64,
                      index, failed, scan.next);
    for (int i = 0; i < READ_TRIES; i++) {
        failed = log_seek_time(world->log, stream, time_ns, &sequence);
        if (failed != -EINPROGRESS || load(world, stream, sequence, NULL))
            break;
    }
    /* It may stand on a hole, as long as the next message is the right one. */
    if (failed || sequence > first || next_at_or_after(expected, sequence, INT64_MIN) != first)
        campaign_fail(world->campaign,
                      "stream %u: a time is found (%d) at %" PRIu64 " and not %" PRIu64, index,
                      failed, sequence, first);
    uint64_t count = log_count(world->log, stream, (slice){0}, expected->first);
    if (count != expected->live)
        campaign_fail(world->campaign,
                      "stream %u: %" PRIu64 " messages are counted and not %" PRIu64, index, count,
                      expected->live);
}

/* --- streams ---------------------------------------------------------------------------------- */

static void judge_subjects(struct world *world, unsigned index, struct log_stream *stream) {
    const struct model_stream *expected = &world->shown.streams[index];
    for (unsigned i = 0; i < MODEL_SUBJECTS; i++) {
        struct log_subject_state wanted = model_subject_state(expected, i), found = {0};
        bool any = log_subject(stream, model_subject_text(i), &found);
        if (any != (wanted.messages > 0) ||
            (any &&
             (found.messages != wanted.messages || found.first_sequence != wanted.first_sequence ||
              found.last_sequence != wanted.last_sequence)))
            campaign_fail(world->campaign,
                          "stream %u subject %u: %" PRIu64 " messages %" PRIu64 "..%" PRIu64
                          " and not %" PRIu64 " %" PRIu64 "..%" PRIu64,
                          index, i, found.messages, found.first_sequence, found.last_sequence,
                          wanted.messages, wanted.first_sequence, wanted.last_sequence);
    }
}

static void judge_state(struct world *world, unsigned index, struct log_stream *stream) {
    const struct model_stream *expected = &world->shown.streams[index];
    struct log_stream_state state = log_stream_state(stream);
    if (state.messages != expected->live || state.last_sequence != expected->last ||
        state.first_sequence != expected->first || state.bytes != expected->bytes ||
        state.damaged != 0)
        campaign_fail(
            world->campaign,
            "stream %u: %" PRIu64 " messages, %" PRIu64 " bytes, %" PRIu64 "..%" PRIu64 ", %" PRIu64
            " damaged, and not %" PRIu64 ", %" PRIu64 ", %" PRIu64 "..%" PRIu64,
            index, state.messages, state.bytes, state.first_sequence, state.last_sequence,
            state.damaged, expected->live, expected->bytes, expected->first, expected->last);
    if (!slice_equal(log_stream_config(stream), model_config(expected->config)))
        campaign_fail(world->campaign, "stream %u has another config", index);
}

static void judge_names(struct world *world) {
    unsigned known = 0, found = 0;
    for (unsigned i = 0; i < MODEL_STREAMS; i++)
        known += world->shown.streams[i].exists;
    for (struct log_stream *s = NULL; (s = log_stream_next(world->log, s)) != NULL;)
        found += !slice_equal(log_stream_name(s), slice_lit(WORLD_MEMORY));
    if (found != known)
        campaign_fail(world->campaign, "there are %u streams and not %u", found, known);
}

void world_judge_streams(struct world *world) {
    judge_names(world);
    for (unsigned i = 0; i < MODEL_STREAMS; i++) {
        struct log_stream *stream = log_stream_find(world->log, model_stream_name(i));
        if ((stream != NULL) != world->shown.streams[i].exists)
            campaign_fail(world->campaign, "stream %u is %s", i, stream ? "back" : "gone");
        if (!stream)
            continue;
        judge_state(world, i, stream);
        judge_subjects(world, i, stream);
        judge_messages(world, i, stream);
        judge_seek(world, i, stream);
        judge_walks(world, i, stream);
    }
}

void world_judge(struct world *world) {
    world_judge_streams(world);
    for (unsigned i = 0; i < MODEL_OWNERS; i++) {
        const struct model_owner *found = &world->found[i].found;
        const struct model_owner *expected = &world->shown.owners[i];
        if (found->count != expected->count || found->digest != expected->digest)
            campaign_fail(world->campaign, "owner %u has %" PRIu64 " deltas and not %" PRIu64, i,
                          found->count, expected->count);
    }
}
