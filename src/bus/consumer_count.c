/*
 * consumer_count.c - how many messages a consumer has still to deliver (num_pending).
 *
 * Every delivered message carries the number, and clients end their reading where it is 0, so it is
 * wanted at each delivery and right above all near the end. Asking the log each time may mean a
 * walk over the stream, so between two answers the number is carried along:
 *
 *     QUICK, nothing was deleted since     the last number, less what was delivered, more what came
 *     near the end (TAIL_MAX)              counted, by looking
 *     else                                 the log's count, which estimates for blocks on disk
 *                                          where a subject lies on both sides; QUICK asks for it at
 * most every ASK_NS and meanwhile lives with the last number
 */
#include "bus/consumer_parts.h"

#include <errno.h>

#define TAIL_MAX 512u
#define ASK_NS 100000000u
#define ASK_SHARE 20u /* at most one part in so many of the time */

/* The matching messages in FROM..the end, by looking at each. False: too many, or not in memory
   (then it is brought there, so that the next answer can be exact). */
static bool count_by_looking(struct consumer *c, uint64_t from, uint64_t *ret_count) {
    struct log_record record;
    uint64_t count = 0;
    for (unsigned looked = 0; looked <= TAIL_MAX; looked++) {
        int failed = log_seek_any(c->streams->log, c->stream->log, &c->filter, from, &record);
        if (failed == -ENOENT) {
            *ret_count = count;
            return true;
        }
        if (failed == -EINPROGRESS)
            consumer_load(c, record.sequence);
        if (failed && failed != -EBADMSG)
            return false;
        count += failed == 0;
        from = record.sequence + 1;
    }
    return false;
}

/* What came behind `counted.last` and matches. False where it is too much to look at. */
static bool count_new(struct consumer *c, const struct log_stream_state *state,
                      uint64_t *ret_count) {
    uint64_t from = c->counted.last + 1;
    if (from < c->position)
        from = c->position;
    if (from > state->last_sequence) {
        *ret_count = 0;
        return true;
    }
    return state->last_sequence - from < TAIL_MAX && count_by_looking(c, from, ret_count);
}

static uint64_t remember(struct consumer *c, uint64_t count, uint64_t last, uint64_t deleted,
                         bool exact) {
    c->counted.known = true;
    c->counted.exact = exact;
    c->counted.count = count;
    c->counted.last = last;
    c->counted.deleted = deleted;
    return count;
}

static uint64_t count_from(struct consumer *c, uint64_t from, const struct log_stream_state *state,
                           bool quick) {
    struct consumer_count *known = &c->counted;
    uint64_t count, now = io_loop_now_ns(consumer_loop(c)), last = state->last_sequence;
    bool tail = last - from < TAIL_MAX;
    bool carried = quick && known->known && known->deleted == state->deleted &&
                   state->first_sequence <= c->position && (known->exact || !tail);
    if (carried && known->last >= last)
        return known->count;
    if (carried && count_new(c, state, &count))
        return remember(c, known->count + count, last, state->deleted, known->exact);
    if (tail && count_by_looking(c, from, &count))
        return remember(c, count, last, state->deleted, true);
    if (quick && known->known && now < known->ask_at)
        return known->count;
    struct io_host *host = io_loop_host(consumer_loop(c));
    uint64_t before = io_host_clock_ns(host);
    count = log_count_any(c->streams->log, c->stream->log, &c->filter, from);
    known->ask_at = now + ASK_NS + ASK_SHARE * (io_host_clock_ns(host) - before);
    /* The log counts what is staged, too. */
    return remember(c, count, log_stream_staged(c->stream->log).last_sequence, state->deleted,
                    from <= state->first_sequence);
}

uint64_t consumer_count(struct consumer *c, bool quick) {
    struct log_stream_state state = log_stream_state(c->stream->log);
    uint64_t from = c->position, lasts = 0;
    if (c->position <= c->last_until) {
        lasts = c->lasts_count - c->lasts_at;
        from = c->last_until + 1;
    }
    if (from < state.first_sequence)
        from = state.first_sequence;
    if (from > state.last_sequence)
        return lasts;
    if (!c->filter.count && state.deleted == 0)
        return lasts + (state.last_sequence - from + 1);
    return lasts + count_from(c, from, &state, quick);
}

void consumer_count_delivered(struct consumer *c, uint64_t sequence) {
    struct consumer_count *known = &c->counted;
    if (known->known && known->count > 0 && sequence > c->last_until && sequence <= known->last)
        known->count--;
}
