/*
 * consumer_start.c - where a new consumer begins, by its deliver policy.
 *
 * What is staged counts: a message that is on its way to disk is before a consumer of "new", and
 * may be the last one. Positions outside the stream are moved to its ends, as in nats-server 2.9.
 *
 * LAST PER SUBJECT takes the last sequences of all matching subjects there and then, and sorts
 * them. Nothing of the list needs to be kept: after a restart those subjects whose last message is
 * still at or below `last_until` give what is left of it, and a subject that has a newer message
 * comes by that one.
 */
#include "base/mem.h"
#include "bus/consumer_parts.h"
#include "wire/nats_subject.h"

#include <errno.h>
#include <stdlib.h>

static int keep_largest(void *self, slice subject, const struct log_subject_state *state) {
    (void)subject;
    uint64_t *largest = self;
    if (state->last_sequence > *largest)
        *largest = state->last_sequence;
    return 0;
}

/* The last message of FILTER, or 0. */
static uint64_t last_of(struct stream *stream, slice filter) {
    uint64_t last = 0;
    struct log_subject_state state;
    if (nats_subject_has_wildcard(filter))
        log_subject_each(stream->log, filter, keep_largest, &last);
    else if (log_subject(stream->log, filter, &state))
        last = state.last_sequence;
    return last;
}

int consumer_start_position(struct stream *stream, const struct consumer_config *config,
                            uint64_t *ret_position) {
    struct log_stream_state state = log_stream_staged(stream->log);
    uint64_t end = state.last_sequence + 1, position = state.first_sequence;
    int failed;
    switch (config->deliver) {
    case DELIVER_ALL:
    case DELIVER_LAST_PER_SUBJECT:
        break;
    case DELIVER_NEW:
        position = end;
        break;
    case DELIVER_LAST:
        position = config->filter.len ? last_of(stream, config->filter) : state.last_sequence;
        if (!position)
            position = end;
        break;
    case DELIVER_FROM_SEQUENCE:
        position = config->start_sequence;
        break;
    case DELIVER_FROM_TIME:
        failed = log_seek_time(stream->streams->log, stream->log, config->start_time_ns, &position);
        if (failed) {
            *ret_position = position;
            return failed;
        }
        break;
    }
    if (position < state.first_sequence)
        position = state.first_sequence;
    if (position > end)
        position = end;
    *ret_position = position ? position : 1;
    return 0;
}

/* --- last per subject --------------------------------------------------------------------- */

struct finding {
    uint64_t *lasts, from, until;
    size_t count, room;
};

static int note_last(void *self, slice subject, const struct log_subject_state *state) {
    (void)subject;
    struct finding *f = self;
    if (state->last_sequence < f->from || state->last_sequence > f->until)
        return 0;
    if (f->count == CONSUMER_LAST_MAX)
        return -E2BIG;
    if (f->count == f->room) {
        size_t room = f->room ? f->room * 2 : 64;
        uint64_t *lasts = mem_realloc(f->lasts, room * sizeof *lasts);
        if (!lasts)
            return -ENOMEM;
        f->lasts = lasts;
        f->room = room;
    }
    f->lasts[f->count++] = state->last_sequence;
    return 0;
}

static int by_sequence(const void *a, const void *b) {
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

int consumer_start_find_lasts(struct consumer *c) {
    struct finding f = {.from = c->position, .until = c->last_until};
    struct log_subject_state state;
    slice filter = c->config.filter;
    int failed = 0;
    if (c->position > c->last_until)
        return 0;
    if (nats_subject_has_wildcard(filter))
        failed = log_subject_each(c->stream->log, filter, note_last, &f);
    else if (log_subject(c->stream->log, filter, &state))
        failed = note_last(&f, filter, &state);
    if (failed) {
        mem_free(f.lasts);
        return failed;
    }
    if (f.count)
        qsort(f.lasts, f.count, sizeof *f.lasts, by_sequence);
    mem_free(c->lasts);
    c->lasts = f.lasts;
    c->lasts_count = f.count;
    c->lasts_at = 0;
    return 0;
}
