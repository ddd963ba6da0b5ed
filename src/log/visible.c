/*
 * visible.c - see visible.h.
 *
 * The order within one advance: first every stream's counts, then the commits in their order,
 * then the news. So a commit's done may read what it wrote, and a reader woken by the news finds
 * the acknowledgements gone out before it. Callbacks may commit again: they append to the lists
 * behind the position being shown, which this turn does not look at.
 */
#include "log/visible.h"

#include "base/mem.h"
#include "log/log_data.h"

#include <errno.h>

#define EFFECTS_FIRST 64u
#define EFFECTS_MAX (1u << 30)

int effects_reserve(struct effects *effects, uint64_t count) {
    uint64_t held = effects->tail - effects->head;
    if (likely(held + count <= effects->room))
        return 0;
    uint64_t room = effects->room ? effects->room : EFFECTS_FIRST;
    while (room < held + count)
        room *= 2;
    if (room > EFFECTS_MAX)
        return -ENOMEM;
    struct effect *ring = mem_alloc((size_t)room * sizeof(*ring));
    if (!ring)
        return -ENOMEM;
    for (uint64_t i = effects->head; i < effects->tail; i++)
        ring[i & (room - 1)] = effects->ring[i & (effects->room - 1)];
    mem_free(effects->ring);
    effects->ring = ring;
    effects->room = (uint32_t)room;
    return 0;
}

void effects_free(struct effects *effects) {
    mem_free(effects->ring);
    *effects = (struct effects){0};
}

void effects_add(struct effects *effects, uint64_t position, struct log_stream *stream) {
    check(effects->tail - effects->head < effects->room);
    effects->ring[effects->tail++ & (effects->room - 1)] =
        (struct effect){position, stream, stream->staged, stream->removed};
}

void commits_add(struct commits *commits, struct log_commit *commit, uint64_t position) {
    commit->position = position;
    commit->next = NULL;
    if (commits->last)
        commits->last->next = commit;
    else
        commits->first = commit;
    commits->last = commit;
}

static void notify_add(struct log *log, struct log_stream *stream) {
    if (stream->notify)
        return;
    stream->notify = true;
    stream->notify_next = log->notify;
    log->notify = stream;
}

static void notify_forget(struct log *log, struct log_stream *stream) {
    if (!stream->notify)
        return;
    struct log_stream **at = &log->notify;
    while (*at != stream)
        at = &(*at)->notify_next;
    *at = stream->notify_next;
    stream->notify = false;
}

static void effects_show(struct log *log, struct effects *effects, uint64_t position) {
    while (effects->head < effects->tail) {
        const struct effect *effect = &effects->ring[effects->head & (effects->room - 1)];
        if (effect->position > position)
            return;
        effects->head++;
        struct log_stream *stream = effect->stream;
        if (effect->removed) {
            notify_forget(log, stream);
            stream_free(stream);
            continue;
        }
        if (effect->counts.last > stream->visible.last)
            notify_add(log, stream);
        stream_show(stream, &effect->counts);
    }
}

static void notify_all(struct log *log) {
    while (log->notify) {
        struct log_stream *stream = log->notify;
        log->notify = stream->notify_next;
        stream->notify = false;
        if (!stream->removed && log->options.on_visible)
            log->options.on_visible(log->options.self, stream);
    }
}

static void commits_done(struct commits *commits, uint64_t position, int failed) {
    while (commits->first && commits->first->position <= position) {
        struct log_commit *commit = commits->first;
        commits->first = commit->next;
        if (!commits->first)
            commits->last = NULL;
        commit->next = NULL;
        if (commit->done)
            commit->done(commit, failed);
    }
}

void visible_advance(struct log *log, uint64_t position) {
    effects_show(log, &log->effects, position);
    commits_done(&log->commits, position, 0);
    notify_all(log);
}

void visible_advance_memory(struct log *log) {
    uint64_t position = journal_position(log->journal);
    effects_show(log, &log->memory_effects, UINT64_MAX);
    commits_done(&log->memory_commits, position, 0);
    notify_all(log);
}

void visible_settle(struct log *log) {
    effects_show(log, &log->effects, UINT64_MAX);
    effects_show(log, &log->memory_effects, UINT64_MAX);
    while (log->notify)
        notify_forget(log, log->notify);
}

void visible_fail(struct log *log, int failed) {
    commits_done(&log->commits, UINT64_MAX, failed);
    commits_done(&log->memory_commits, UINT64_MAX, failed);
}
