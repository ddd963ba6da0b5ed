/*
 * sweep_stream.c - see sweep_stream.h.
 *
 * What is deleted is decided in the turn in which it is committed, by the head and the life as they
 * are then: an append may have put other records on the head's path meanwhile, never one that was
 * not on it and is older (record.h). A reader that still holds the place of a record finds a hole,
 * and begins anew (read.c, judge.c).
 */
#include "rooms/events/sweep_stream.h"

#include "rooms/events/life_notes.h"
#include "rooms/events/lookup.h"
#include "rooms/events/snapshot_notes.h"
#include "rooms/events/state_hold.h"
#include "rooms/events/sweep.h"

#include <errno.h>

#define STEP_MAX 256u /* records a turn */
#define LEAVES_MAX ((size_t)1 << 30)
#define LOADING_NS 1000000u /* until it is asked again whether what is loading is there */

static void on_again(struct io_timer *timer);

static void finish(struct sweep_stream *work, int result, int64_t next_ns) {
    sweep_stream_cancel(work);
    work->done(work, result, next_ns);
}

static uint64_t swept_of(const struct sweep_stream *work) {
    return head_life(work->head)->swept;
}

static uint64_t chunk_end(uint64_t swept, uint64_t limit) {
    uint64_t leaf = (swept / EVENT_SPAN + 1) * EVENT_SPAN;
    return leaf < limit ? leaf : limit;
}

/* --- finding ------------------------------------------------------------------------------ */

/* To event NUMBER, then FOUND; from the record on the head's path that is nearest to it. */
static void to_event(struct sweep_stream *work, uint64_t number, unsigned found) {
    const struct head *head = work->head;
    unsigned i = head->path_count - 1;
    while (i > 0 && head->path[i - 1].number >= number)
        i--;
    work->number = number;
    work->at = head->path[i].sequence;
    work->phase = SWEEP_FIND;
    work->found = found;
}

/* The steps: 0 goes on; 1 ends the work, to be gone on with when there is a change; else what
   fetch_event says. */
static int chunk_step(struct sweep_stream *work) {
    const struct life *life = head_life(work->head);
    uint64_t number = work->head->number, sweeps = life_sweeps(life, number);
    bool by_age = life->max_age_ns && sweeps <= life->swept;
    slice subject = work->head->subject;
    work->count = work->loaded = work->blocks = 0;
    sweep_tags_clear(&work->tags);
    if (life->tombstoned && life->swept >= number) {
        if (life->clean)
            return 1;
        buf_clear(&work->leaves);
        work->at = head_last_leaf(work->head);
        work->phase = SWEEP_SKELETON;
        return 0;
    }
    if (life->swept >= number || (sweeps <= life->swept && !by_age))
        return 1;
    uint64_t end = state_hold(work->engine, subject, life,
                              chunk_end(life->swept, life->max_age_ns ? number : sweeps));
    bool whole = state_hold(work->engine, subject, life, life->swept + 1) != life->swept + 1;
    if (end <= life->swept)
        return 1;
    if (by_age && !work->old)
        to_event(work, whole ? end : life->swept + 1, SWEEP_PEEK);
    else
        to_event(work, end, SWEEP_COLLECT);
    work->old = false;
    return 0;
}

static int find_step(struct sweep_stream *work) {
    struct log_record record;
    struct event event;
    int failed = fetch_event(&work->fetch, work->at, &record, &event);
    if (failed)
        return failed;
    if (event.number > work->number)
        work->at = event_hop(&event, work->number);
    else
        work->phase = work->found;
    return 0;
}

/* The first event that is there, or the newest of those that go together. */
static int peek_step(struct sweep_stream *work) {
    struct log_record record;
    struct event event;
    int failed = fetch_event(&work->fetch, work->at, &record, &event);
    if (failed)
        return failed;
    work->time_ns = record.time_ns;
    work->old =
        life_expired(head_life(work->head), record.time_ns, io_loop_wall_ns(work->engine->loop));
    if (!work->old)
        return 1;
    work->phase = SWEEP_CHUNK;
    return 0;
}

static int collect_step(struct sweep_stream *work) {
    struct log_record record;
    struct event event;
    const struct life *life = head_life(work->head);
    int failed = fetch_event(&work->fetch, work->at, &record, &event);
    if (!failed && event.number != work->number)
        failed = -EBADMSG;
    if (failed)
        return failed;
    bool goes = event.number <= life_sweeps(life, work->head->number) ||
                life_expired(life, record.time_ns, io_loop_wall_ns(work->engine->loop));
    if (goes || work->count) /* those before one that goes are older */
        work->sequences[work->count++] = work->at;
    work->at = event.before;
    work->number--;
    if (work->number == life->swept)
        work->phase = work->count ? SWEEP_HOLD : SWEEP_CHUNK;
    return 0;
}

/* May they go? (state_hold.h) */
static int hold_step(struct sweep_stream *work) {
    const struct life *life = head_life(work->head);
    slice subject = work->head->subject;
    uint64_t cut = life->swept + work->count;
    if (state_hold(work->engine, subject, life, cut) != cut) {
        to_event(work, chunk_end(life->swept, work->head->number), SWEEP_PEEK);
        return 0;
    }
    int ready = state_hold_ready(work->engine, subject, life, cut);
    if (!ready)
        work->phase = SWEEP_LOAD;
    return ready == -EINPROGRESS ? 1 : ready;
}

/* One record more of the oldest into memory, or it is enough for a commit. */
static int load_step(struct sweep_stream *work) {
    struct log_record record;
    struct event event;
    unsigned left = work->count - work->loaded;
    uint64_t sequence = left ? work->sequences[left - 1] : 0;
    bool near = work->loaded && sequence - work->sequences[left] < SWEEP_NEAR;
    if (!left || (!near && work->blocks == SWEEP_BLOCKS)) {
        check(work->loaded > 0);
        work->phase = SWEEP_TAGS;
        return 0;
    }
    int failed = fetch_event(&work->fetch, sequence, &record, &event);
    if (!failed && event.number != swept_of(work) + work->loaded + 1)
        failed = -EBADMSG;
    if (failed)
        return failed;
    memcpy(work->chain, event.chain, sizeof work->chain);
    sweep_tags_note(&work->tags, sequence, &event);
    work->blocks += !near;
    work->loaded++;
    return 0;
}

/* --- what goes ---------------------------------------------------------------------------- */

static bool on_path(const struct head *head, uint64_t number) {
    for (unsigned i = 0; i < head->path_count; i++)
        if (head->path[i].number == number)
            return true;
    return false;
}

/* NUMBER is no leaf: it goes, or is kept as long as it is on the path. */
static void place(struct sweep_stream *work, struct life *life, uint64_t number,
                  uint64_t sequence) {
    if (!on_path(work->head, number)) {
        work->deletes->sequences[work->deletes->count++] = sequence;
        return;
    }
    check(life->kept_count < LIFE_KEPT_MAX);
    life->kept[life->kept_count].number = number;
    life->kept[life->kept_count++].sequence = sequence;
}

/* Notes the tags of a record that may go, which was not read on the way. */
static int note_tags(struct sweep_stream *work, uint64_t sequence) {
    struct stream *stream = engine_stream(work->engine);
    struct log_record record;
    struct event event;
    if (!stream)
        return -EBADMSG;
    if (sweep_tags_noted(&work->tags, sequence) || fetch_is_hole(stream_log(stream), sequence))
        return 0;
    int failed = fetch_event(&work->fetch, sequence, &record, &event);
    if (!failed)
        sweep_tags_note(&work->tags, sequence, &event);
    return failed;
}

/* 0: all ends are there. */
static int tags_ready(struct sweep_stream *work) {
    if (sweep_tags_ready(&work->tags))
        return 0;
    io_timer_start(work->engine->loop, &work->again, LOADING_NS, on_again);
    return -EINPROGRESS;
}

static int tags_step(struct sweep_stream *work) {
    const struct life *life = head_life(work->head);
    int failed = 0;
    for (unsigned i = 0; i < life->kept_count && !failed; i++)
        if (!on_path(work->head, life->kept[i].number))
            failed = note_tags(work, life->kept[i].sequence);
    if (!failed)
        failed = tags_ready(work);
    if (!failed)
        work->phase = SWEEP_COMMIT;
    return failed;
}

static void plan_chunk(struct sweep_stream *work, struct life *life) {
    struct life before = *life;
    life->kept_count = 0;
    for (unsigned i = 0; i < before.kept_count; i++)
        place(work, life, before.kept[i].number, before.kept[i].sequence);
    for (unsigned i = 0; i < work->loaded; i++) {
        uint64_t number = before.swept + i + 1;
        if (number % EVENT_SPAN)
            place(work, life, number, work->sequences[work->count - 1 - i]);
    }
    life->swept += work->loaded;
    memcpy(life->chain, work->chain, sizeof life->chain);
}

/* Leaves, the oldest first, and at the end what is on the path. */
static void plan_skeleton(struct sweep_stream *work, struct life *life) {
    const struct head *head = work->head;
    uint64_t sequence;
    for (; work->loaded; work->loaded--) {
        work->leaves.len -= sizeof sequence;
        memcpy(&sequence, work->leaves.ptr + work->leaves.len, sizeof sequence);
        work->deletes->sequences[work->deletes->count++] = sequence;
    }
    if (work->deletes->count)
        return;
    for (unsigned i = 0; i < head->path_count; i++)
        work->deletes->sequences[work->deletes->count++] = head->path[i].sequence;
    life->kept_count = 0;
    life->clean = true;
}

/* --- committing --------------------------------------------------------------------------- */

static void on_committed(void *self, const struct streams_error *error) {
    struct sweep_stream *work = self;
    struct engine *engine = work->engine;
    work->committing = false;
    if (!engine_committed(engine))
        return;
    if (!work->head) /* it was given up */
        sweep_wake(engine);
    else if (error)
        finish(work, -EAGAIN, 0);
    else if (work->chunks >= SWEEP_TURN)
        finish(work, 0, 0);
    else
        io_timer_start(engine->loop, &work->again, 0, on_again);
}

/* 0: it is on its way, or there was nothing to do; -EAGAIN, -ENOMEM. */
static int commit(struct sweep_stream *work, struct life *life) {
    struct engine *engine = work->engine;
    struct life_notes notes = {0};
    struct snapshot_notes snapshots = {0};
    struct streams_error e;
    int failed = snapshot_notes_add(&snapshots, engine, work->head->subject, swept_of(work), life);
    if (!failed)
        failed = life_notes_add(&notes, engine, work->head->subject, life, work->head->number,
                                work->deletes->count);
    if (failed)
        notes_forget(engine);
    else
        sweep_tags_draft(&work->tags, work->deletes->sequences, work->deletes->count);
    bool stored = !failed && notes_commit(engine, on_committed, work, &e);
    sweep_tags_settle(&work->tags, stored);
    if (stored) {
        sweep_note_removed(engine, work->deletes->count);
        head_set_life(work->head, life);
        engine->committing++;
        work->committing = true;
    }
    work->deletes->count = 0;
    life_notes_free(&notes);
    snapshot_notes_free(&snapshots);
    return stored ? 0 : failed ? failed : -EAGAIN;
}

static int commit_step(struct sweep_stream *work) {
    struct life life = *head_life(work->head);
    plan_chunk(work, &life);
    int failed = commit(work, &life);
    if (failed)
        return failed;
    work->count -= work->loaded;
    work->loaded = work->blocks = 0;
    work->chunks += work->count == 0;
    work->phase = work->count ? SWEEP_LOAD : SWEEP_CHUNK;
    sweep_tags_clear(&work->tags);
    return -EINPROGRESS;
}

static int load_leaf(struct sweep_stream *work) {
    struct log_record record;
    struct event event;
    uint64_t sequence;
    size_t at = work->leaves.len - (work->loaded + 1) * sizeof sequence;
    memcpy(&sequence, work->leaves.ptr + at, sizeof sequence);
    int failed = fetch_event(&work->fetch, sequence, &record, &event);
    work->loaded += failed == 0;
    return failed;
}

/* Down the leaves that are still there; those of the path go last. */
static int skeleton_step(struct sweep_stream *work) {
    struct stream *stream = engine_stream(work->engine);
    struct log_record record;
    struct event event;
    struct life life = *head_life(work->head);
    int failed = 0;
    if (!stream)
        return -EBADMSG;
    if (work->at && !fetch_is_hole(stream_log(stream), work->at)) {
        failed = fetch_event(&work->fetch, work->at, &record, &event);
        if (!failed && !on_path(work->head, event.number))
            failed = buf_append(&work->leaves, slice_make((char *)&work->at, sizeof work->at));
        if (failed)
            return failed;
        sweep_tags_note(&work->tags, work->at, &event);
        work->at = event.leaf;
        return 0;
    }
    work->at = 0;
    while (!failed && work->loaded < SWEEP_BLOCKS &&
           work->loaded < work->leaves.len / sizeof(uint64_t))
        failed = load_leaf(work);
    for (unsigned i = 0; i < work->head->path_count && !work->leaves.len && !failed; i++)
        failed = note_tags(work, work->head->path[i].sequence);
    if (!failed)
        failed = tags_ready(work);
    if (failed)
        return failed;
    plan_skeleton(work, &life);
    failed = commit(work, &life);
    if (!failed && life.clean)
        work->phase = SWEEP_CHUNK;
    return failed ? failed : -EINPROGRESS;
}

/* --- the work ----------------------------------------------------------------------------- */

static int one_step(struct sweep_stream *work) {
    switch (work->phase) {
    case SWEEP_CHUNK:
        return chunk_step(work);
    case SWEEP_FIND:
        return find_step(work);
    case SWEEP_PEEK:
        return peek_step(work);
    case SWEEP_COLLECT:
        return collect_step(work);
    case SWEEP_HOLD:
        return hold_step(work);
    case SWEEP_LOAD:
        return load_step(work);
    case SWEEP_TAGS:
        return tags_step(work);
    case SWEEP_COMMIT:
        return commit_step(work);
    default:
        return skeleton_step(work);
    }
}

static int64_t next_time(const struct sweep_stream *work) {
    const struct life *life = head_life(work->head);
    return work->phase == SWEEP_PEEK && life->max_age_ns < INT64_MAX / 2
               ? work->time_ns + (int64_t)life->max_age_ns
               : INT64_MAX;
}

static void run(struct sweep_stream *work) {
    int result = 0;
    if (work->head->stale) {
        finish(work, -EBADMSG, 0);
        return;
    }
    if (work->head->state == HEAD_LOADING) {
        io_timer_start(work->engine->loop, &work->again, LOADING_NS, on_again);
        return;
    }
    if (work->head->state == HEAD_FAILED)
        result = work->head->failed;
    for (unsigned i = 0; i < STEP_MAX && !result; i++)
        result = one_step(work);
    if (result == 0)
        io_timer_start(work->engine->loop, &work->again, 0, on_again);
    else if (result == 1)
        finish(work, 0, next_time(work));
    else if (result != -EINPROGRESS)
        finish(work, result, 0);
}

static void on_again(struct io_timer *timer) {
    run(container_of(timer, struct sweep_stream, again));
}

static void on_fetched(struct fetch *fetch) {
    run(container_of(fetch, struct sweep_stream, fetch));
}

void sweep_stream_begin(struct sweep_stream *work, struct engine *engine,
                        struct sweep_deletes *deletes, struct head *head,
                        void (*done)(struct sweep_stream *work, int result, int64_t next_ns)) {
    *work = (struct sweep_stream){.engine = engine,
                                  .deletes = deletes,
                                  .head = head,
                                  .done = done,
                                  .leaves = buf_make(LEAVES_MAX)};
    fetch_init(&work->fetch, engine, on_fetched);
    sweep_tags_init(&work->tags, engine);
    io_timer_start(engine->loop, &work->again, 0, on_again);
}

void sweep_stream_cancel(struct sweep_stream *work) {
    if (!work->head)
        return;
    fetch_cancel(&work->fetch);
    io_timer_stop(work->engine->loop, &work->again);
    buf_free(&work->leaves);
    sweep_tags_clear(&work->tags);
    head_give(work->head);
    work->head = NULL;
}
