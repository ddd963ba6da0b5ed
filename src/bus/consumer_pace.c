/*
 * consumer_pace.c - when the next message may go, beside acknowledgements and receivers: pauses,
 * and the speed of the past.
 *
 * PAUSED until a wall-clock time (pause_until): nothing is delivered, requests wait and expire,
 * heartbeats go on, acknowledgements are taken. The end is told by an advisory like the beginning.
 *
 * REPLAY ORIGINAL: what was in the stream when the consumer began, or came before it had caught up,
 * is delivered with the gaps in which it was published; after that, and for redeliveries, at once.
 * A gap is counted from the delivery before it. After a restart the first message goes at once.
 */
#include "bus/advisory.h"
#include "bus/consumer_parts.h"
#include "bus/stream_config.h"

#define GAP_MIN_NS 1000000 /* shorter gaps are no gaps, as with nats-server */

/* --- pauses ------------------------------------------------------------------------------- */

int64_t consumer_pause_left(const struct consumer *c) {
    int64_t left = c->config.pause_until_ns - io_loop_wall_ns(consumer_loop(c));
    return c->config.pause_until_ns && left > 0 ? left : 0;
}

static void advise(struct consumer *c) {
    struct advisory a;
    if (!advisory_begin(&a, c->streams->bus, "ADVISORY.CONSUMER.PAUSE",
                        "advisory.v1.consumer_pause", c->stream_name, c->name))
        return;
    json_write_key(&a.w, "paused");
    json_write_bool(&a.w, consumer_pause_left(c) > 0);
    config_write_time(&a.w, "pause_until", c->config.pause_until_ns);
    advisory_send(&a);
}

static void on_pause_over(struct io_timer *timer) {
    struct consumer *c = container_of(timer, struct consumer, pause_timer);
    if (consumer_pause_left(c)) { /* the wall clock was set back */
        consumer_pause_start(c, false);
        return;
    }
    advise(c);
    consumer_wake(c);
}

void consumer_pause_start(struct consumer *c, bool changed) {
    int64_t left = consumer_pause_left(c);
    io_timer_stop(consumer_loop(c), &c->pause_timer);
    if (left)
        io_timer_start(consumer_loop(c), &c->pause_timer, (uint64_t)left, on_pause_over);
    if (changed)
        advise(c);
}

/* --- the speed of the past ---------------------------------------------------------------- */

void consumer_replay_start(struct consumer *c) {
    if (c->config.replay_original)
        c->replay.until = log_stream_state(c->stream->log).last_sequence;
}

uint64_t consumer_replay_wait(const struct consumer *c, const struct log_record *record) {
    const struct consumer_replay *replay = &c->replay;
    int64_t gap = record->time_ns - replay->time_ns;
    if (!replay->until || !replay->time_ns || gap <= GAP_MIN_NS)
        return 0;
    uint64_t now = io_loop_now_ns(consumer_loop(c)), due = replay->sent_at + (uint64_t)gap;
    return due > now ? due - now : 0;
}

void consumer_replay_sent(struct consumer *c, const struct log_record *record) {
    if (!c->replay.until)
        return;
    c->replay.time_ns = record->time_ns;
    c->replay.sent_at = io_loop_now_ns(consumer_loop(c));
}

void consumer_replay_caught_up(struct consumer *c) {
    if (c->position > c->replay.until)
        c->replay.until = 0;
}
