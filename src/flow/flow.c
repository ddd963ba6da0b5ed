/*
 * flow.c - the runner (flow.h). One timer drives it: in RUNNING it fires when the source has the
 * next record or the sink has room, in PAUSED when the backoff is over.
 */
#include "flow/flow.h"

#include "base/mem.h"

#include <errno.h>

#define RETRY_FIRST_NS 100000000ull
#define RETRY_MAX_NS (5 * 1000000000ull)
#define STALL_NS (30 * 1000000000ull) /* nothing written for so long, with records in flight */
#define ROOM_WAIT_NS 1000000ull

struct flow {
    struct bus *bus;
    struct logger *logger;
    const struct flow_source *source;
    const struct flow_sink *sink;
    void *source_self, *sink_self;
    struct io_timer timer;
    enum flow_state state;
    uint64_t next, written, failures, attempt, retry_ns, progress_ns;
    bool source_ended;
    size_t name_len;
    char name[FLOW_NAME_MAX];
};

slice flow_name(const struct flow *flow) {
    return slice_make(flow->name, flow->name_len);
}

struct bus *flow_bus(const struct flow *flow) {
    return flow->bus;
}

uint64_t flow_attempt(const struct flow *flow) {
    return flow->attempt;
}

struct logger *flow_logger(const struct flow *flow) {
    return flow->logger;
}

const struct flow_source *flow_source_of(const struct flow *flow) {
    return flow->source;
}

struct flow_stats flow_stats(const struct flow *flow) {
    return (struct flow_stats){flow->state, flow->next, flow->written, flow->failures};
}

static uint64_t now_ns(const struct flow *flow) {
    return io_loop_now_ns(bus_loop(flow->bus));
}

static void on_timer(struct io_timer *timer);

static void wake_in(struct flow *flow, uint64_t delay_ns) {
    io_timer_start(bus_loop(flow->bus), &flow->timer, delay_ns, on_timer);
}

void flow_resumed(struct flow *flow, uint64_t position) {
    check(flow->state == FLOW_RESUMING);
    flow->state = FLOW_RUNNING;
    flow->attempt = 1;
    flow->next = flow->written = position;
    flow->progress_ns = now_ns(flow);
    flow->source->seek(flow->source_self, position, flow->progress_ns);
    logger_write(flow->logger, LOG_LEVEL_INFO, "flow", "running", "flow=%.*s position=%llu",
                 slice_fmt(flow_name(flow)), (unsigned long long)position);
    wake_in(flow, 0);
}

static void end_if_done(struct flow *flow) {
    if (flow->state != FLOW_RUNNING || !flow->source_ended || flow->written < flow->next)
        return;
    flow->state = FLOW_ENDED;
    io_timer_stop(bus_loop(flow->bus), &flow->timer);
    logger_write(flow->logger, LOG_LEVEL_INFO, "flow", "ended", "flow=%.*s records=%llu",
                 slice_fmt(flow_name(flow)), (unsigned long long)flow->written);
}

void flow_written(struct flow *flow, uint64_t position) {
    if (flow->state != FLOW_RUNNING || position <= flow->written)
        return; /* given up meanwhile, or known */
    check(position <= flow->next);
    flow->written = position;
    flow->retry_ns = 0;
    flow->progress_ns = now_ns(flow);
    end_if_done(flow);
}

void flow_failed(struct flow *flow, const char *why) {
    if (flow->state != FLOW_RUNNING)
        return;
    flow->state = FLOW_PAUSED;
    flow->failures++;
    flow->retry_ns = flow->retry_ns ? flow->retry_ns * 2 : RETRY_FIRST_NS;
    if (flow->retry_ns > RETRY_MAX_NS)
        flow->retry_ns = RETRY_MAX_NS;
    logger_write(flow->logger, LOG_LEVEL_WARN, "flow", "paused, will try again",
                 "flow=%.*s position=%llu why=%s", slice_fmt(flow_name(flow)),
                 (unsigned long long)flow->written, why);
    wake_in(flow, flow->retry_ns);
}

/* Moves one record. False where the runner should stop for this turn (a timer is set). */
static bool move_one(struct flow *flow) {
    struct flow_record record;
    uint64_t wait_ns = 0;
    int failed = flow->source->next(flow->source_self, now_ns(flow), &record, &wait_ns);
    if (failed == -EAGAIN) {
        wake_in(flow, wait_ns);
        return false;
    }
    if (failed) {
        flow->source_ended = failed == -ENODATA;
        if (!flow->source_ended)
            flow_failed(flow, error_name(failed));
        end_if_done(flow);
        return false;
    }
    check(record.position == flow->next);
    if (flow->next == flow->written)
        flow->progress_ns = now_ns(flow); /* the sink owes a word from now on */
    flow->next++;                         /* before the sink may say that it is written */
    failed = flow->sink->write(flow->sink_self, &record);
    if (failed == 0)
        return flow->state == FLOW_RUNNING;
    flow->next--;
    if (failed == -EAGAIN) {
        flow->source->seek(flow->source_self, flow->next, now_ns(flow));
        wake_in(flow, ROOM_WAIT_NS);
    } else {
        flow_failed(flow, error_name(failed));
    }
    return false;
}

static void run(struct flow *flow) {
    for (unsigned moved = 0; moved < FLOW_BURST_MAX; moved++) {
        if (flow->next - flow->written >= FLOW_IN_FLIGHT_MAX) {
            wake_in(flow, ROOM_WAIT_NS);
            return;
        }
        if (!move_one(flow))
            return;
    }
    wake_in(flow, 0);
}

static void on_timer(struct io_timer *timer) {
    struct flow *flow = container_of(timer, struct flow, timer);
    if (flow->state == FLOW_PAUSED) {
        flow->state = FLOW_RUNNING;
        flow->attempt++;
        flow->source_ended = false;
        flow->next = flow->written;
        flow->progress_ns = now_ns(flow);
        flow->source->seek(flow->source_self, flow->next, now_ns(flow));
    }
    if (flow->next > flow->written && now_ns(flow) - flow->progress_ns >= STALL_NS) {
        flow_failed(flow, "the sink has confirmed nothing for 30 s");
        return;
    }
    run(flow);
    /* A source that has ended waits for its last confirmations only. */
    if (flow->state == FLOW_RUNNING && flow->source_ended && !io_timer_running(&flow->timer))
        wake_in(flow, STALL_NS);
}

int flow_start(const struct flow_options *options, struct flow **ret_flow,
               struct error *ret_error) {
    if (options->name.len > FLOW_NAME_MAX)
        return error_set(ret_error, -ENAMETOOLONG, "the name of flow %.*s is over %u bytes",
                         slice_fmt(options->name), FLOW_NAME_MAX);
    struct flow *flow = mem_zalloc(1, sizeof *flow);
    if (!flow)
        return error_set(ret_error, -ENOMEM, "no memory for flow %.*s", slice_fmt(options->name));
    flow->bus = options->bus;
    flow->logger = options->logger;
    flow->source = options->source;
    flow->sink = options->sink;
    flow->name_len = options->name.len;
    memcpy(flow->name, options->name.ptr, options->name.len);
    int failed =
        flow->source->open(options->source_config, now_ns(flow), &flow->source_self, ret_error);
    if (!failed) {
        failed = flow->sink->open(options->sink_config, flow, &flow->sink_self, ret_error);
        if (failed)
            flow->source->close(flow->source_self);
    }
    if (failed) {
        io_timer_stop(bus_loop(flow->bus), &flow->timer);
        mem_free(flow);
        return failed;
    }
    *ret_flow = flow;
    return 0;
}

struct flow *flow_free(struct flow *flow) {
    if (!flow)
        return NULL;
    io_timer_stop(bus_loop(flow->bus), &flow->timer);
    flow->sink->close(flow->sink_self);
    flow->source->close(flow->source_self);
    return mem_free(flow);
}
