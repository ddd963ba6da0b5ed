/*
 * stream.c - a stream's struct, its names and numbers, and its subjects.
 *
 * What readers are told (visible) and what limits go by (staged) differ only while a group is on
 * its way to disk; stream_data.h says how. Subjects are counted as staged.
 */
#include "base/mem.h"
#include "log/log_data.h"

#include "wire/nats_subject.h"

#include <errno.h>

struct log_stream *stream_new(struct log *log, slice name, slice config,
                              const struct log_limits *limits, uint64_t first_sequence) {
    struct log_stream *stream = mem_zalloc(1, sizeof(*stream));
    if (!stream)
        return NULL;
    stream->name = mem_copy(name.ptr, name.len);
    if (config.len)
        stream->config = slice_make(mem_copy(config.ptr, config.len), config.len);
    if (!stream->name || (config.len && !stream->config.ptr)) {
        mem_free(stream->name);
        return mem_free(stream);
    }
    stream->name_len = (uint32_t)name.len;
    stream->log = log;
    stream->limits = *limits;
    stream->staged.first = first_sequence ? first_sequence : 1;
    stream->staged.last = stream->staged.first - 1;
    stream->visible = stream->staged;
    list_node_init(&stream->node);
    uint64_t most = limits->messages_per_subject_max;
    subjects_init(&stream->subjects, log->hash_key,
                  most <= SUBJECTS_HISTORY_MAX ? (unsigned)most : 0);
    return stream;
}

struct log_stream *stream_free(struct log_stream *stream) {
    if (!stream)
        return NULL;
    check(!stream->plan.spares);
    while (stream->count)
        stream_block_remove(stream, stream->count - 1);
    list_remove(&stream->node);
    subjects_free(&stream->subjects);
    mem_free(stream->blocks);
    mem_free(stream->deaths);
    mem_free(stream->name);
    mem_free((void *)(uintptr_t)stream->config.ptr);
    return mem_free(stream);
}

struct log_stream *log_stream_find(struct log *log, slice name) {
    struct log_stream *stream = map_find(&log->by_name, name);
    return stream && stream->listed ? stream : NULL;
}

struct log_stream *log_stream_next(struct log *log, struct log_stream *after) {
    struct list_node *node =
        after ? list_next(&log->streams, &after->node) : list_first(&log->streams);
    return node ? container_of(node, struct log_stream, node) : NULL;
}

slice log_stream_name(const struct log_stream *stream) {
    return slice_make(stream->name, stream->name_len);
}

slice log_stream_config(const struct log_stream *stream) {
    return stream->config;
}

int64_t log_stream_created_ns(const struct log_stream *stream) {
    return stream->created_ns;
}

void log_stream_set_user(struct log_stream *stream, void *user) {
    stream->user = user;
}

void *log_stream_user(const struct log_stream *stream) {
    return stream->user;
}

/* --- numbers --------------------------------------------------------------------------------- */

/* The time of the first message; its block's first time where its bytes are not at hand. */
static int64_t first_time(const struct log_stream *stream, uint64_t first) {
    uint32_t at = stream_block_index(stream, first);
    if (at == stream->count)
        return 0;
    const struct block *block = stream_block(stream, at);
    uint32_t found = block_in_memory(block) ? block_find_from(block, first) : BLOCK_NONE;
    if (found >= block->length)
        return block->first_time;
    return record_at_time_ns(block->bytes + found);
}

static struct log_stream_state state_of(const struct log_stream *stream,
                                        const struct stream_counts *counts) {
    struct log_stream_state state = {
        .messages = counts->messages,
        .bytes = counts->bytes,
        .first_sequence = counts->first,
        .last_sequence = counts->last,
        .last_time_ns = counts->last_time,
        .subjects = stream->subjects.count,
        .damaged = stream->damaged,
    };
    if (counts->first <= counts->last)
        state.deleted = counts->last - counts->first + 1 - counts->messages;
    if (counts->messages)
        state.first_time_ns = first_time(stream, counts->first);
    return state;
}

struct log_stream_state log_stream_state(const struct log_stream *stream) {
    return state_of(stream, &stream->visible);
}

struct log_stream_state log_stream_staged(const struct log_stream *stream) {
    return state_of(stream, &stream->staged);
}

/* --- subjects -------------------------------------------------------------------------------- */

static struct log_subject_state subject_state(const struct log_stream *stream,
                                              const struct subject *e) {
    uint64_t first = e->first > stream->staged.first ? e->first : stream->staged.first;
    return (struct log_subject_state){
        .messages = subject_messages(e),
        .first_sequence = subject_messages(e) == 1 ? e->last : first,
        .last_sequence = e->last,
    };
}

bool log_subject(struct log_stream *stream, slice subject, struct log_subject_state *ret_state) {
    struct subject *e =
        subjects_find(&stream->subjects, subject, subjects_hash(&stream->subjects, subject));
    if (!e || e->last < stream->staged.first) /* the latter: it went unread, on a broken disk */
        return false;
    if (e->flags)
        (void)!retention_resolve(stream, e, true); /* unreadable: the bounds are what is known */
    *ret_state = subject_state(stream, e);
    return true;
}

struct subject_walk {
    struct log_stream *stream;
    slice filter;
    int (*each)(void *self, slice subject, const struct log_subject_state *state);
    void *self;
};

static int walk_subject(void *self, struct subject *e) {
    const struct subject_walk *walk = self;
    slice text = subject_text(e);
    if (walk->filter.len && !nats_subject_match(text, walk->filter))
        return 0;
    if (e->last < walk->stream->staged.first)
        return 0;
    if (e->flags & SUBJECT_LAST_BOUND)
        (void)!retention_resolve(walk->stream, e, false);
    struct log_subject_state state = subject_state(walk->stream, e);
    return walk->each(walk->self, text, &state);
}

int log_subject_each(struct log_stream *stream, slice filter,
                     int (*each)(void *self, slice subject, const struct log_subject_state *state),
                     void *self) {
    struct subject_walk walk = {stream, filter, each, self};
    return subjects_each(&stream->subjects, walk_subject, &walk);
}
