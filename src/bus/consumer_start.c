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

#include <errno.h>
#include <stdlib.h>

/* Calls EACH for every subject of the stream that FILTER wants: at once where it is literal, else
   by going through all subjects once. */
struct each_wanted {
    const struct log_filter *filter;
    int (*each)(void *self, slice subject, const struct log_subject_state *state);
    void *self;
};

static int pass_on(void *self, slice subject, const struct log_subject_state *state) {
    const struct each_wanted *wanted = self;
    return log_filter_match(wanted->filter, subject) ? wanted->each(wanted->self, subject, state)
                                                     : 0;
}

static int each_wanted(struct stream *stream, struct each_wanted *wanted) {
    const struct log_filter *filter = wanted->filter;
    struct log_subject_state state;
    int result = 0;
    if (!filter->count || filter->wildcards)
        return log_subject_each(stream->log, slice_lit(">"), pass_on, wanted);
    for (unsigned i = 0; i < filter->count && !result; i++)
        if (log_subject(stream->log, filter->subjects[i], &state))
            result = wanted->each(wanted->self, filter->subjects[i], &state);
    return result;
}

static int keep_largest(void *self, slice subject, const struct log_subject_state *state) {
    (void)subject;
    uint64_t *largest = self;
    if (state->last_sequence > *largest)
        *largest = state->last_sequence;
    return 0;
}

/* The last message that CONFIG wants, or 0. 0 or -ENOMEM. */
static int last_of(struct stream *stream, const struct consumer_config *config,
                   uint64_t *ret_last) {
    const slice *subjects;
    unsigned count = consumer_config_filters(config, &subjects);
    *ret_last = count ? 0 : log_stream_staged(stream->log).last_sequence;
    if (!count)
        return 0;
    slice *sorted = mem_alloc(count * sizeof *sorted);
    if (!sorted)
        return -ENOMEM;
    memcpy(sorted, subjects, count * sizeof *sorted);
    struct log_filter filter = log_filter_make(sorted, count);
    (void)!each_wanted(stream, &(struct each_wanted){&filter, keep_largest, ret_last});
    mem_free(sorted);
    return 0;
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
        failed = last_of(stream, config, &position);
        if (failed)
            return failed;
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
    if (c->position > c->last_until)
        return 0;
    int failed = each_wanted(c->stream, &(struct each_wanted){&c->filter, note_last, &f});
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
