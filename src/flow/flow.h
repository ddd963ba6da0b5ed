/*
 * flow.h - what pipelines share: the contracts of sources and sinks, and the runner between them.
 *
 *      source --next--> RUNNER --write--> sink
 *        ^                 ^                | written(position) in order, or failed
 *        '---- seek -------'----------------'
 *
 * A source gives records at dense positions 0, 1, 2, ... and can be put back to any position it
 * has given. A sink takes records and says in order up to which position they are safe. The
 * runner moves records, at most FLOW_IN_FLIGHT_MAX ahead of what is safe, and after a failure
 * waits (100 ms, doubling to 5 s) and starts again behind the last safe record: at least once. A
 * sink that knows a record again (by its flow and position) makes that exactly once.
 *
 * Where a flow resumes after a restart is asked of the sink (`resume`), which looks where the
 * records went: the position is thereby in the same commit as the record, and needs no store of
 * its own.
 *
 *   RESUMING --position--> RUNNING --source ended--> ENDED
 *                            |  ^
 *                     failure'--' PAUSED (backoff)
 *
 * Everything runs on one loop.
 */
#ifndef NONET_FLOW_FLOW_H
#define NONET_FLOW_FLOW_H

#include "base/buf.h"
#include "base/error.h"
#include "bus/bus.h"

#define FLOW_IN_FLIGHT_MAX 8192u
#define FLOW_BURST_MAX 2048u /* records moved per turn of the loop */
#define FLOW_NAME_MAX 128u
#define FLOW_RECORD_MAX (1u << 20)
#define FLOW_KINDS_MAX 16u

struct flow;

struct flow_record {
    slice kind; /* one of the source's kinds; lives as long as the source */
    slice data; /* valid until the source's next call */
    uint64_t position;
};

struct flow_source {
    const char *name;
    const char *const *kinds; /* NULL-terminated */
    must_use int (*open)(const void *config, uint64_t now_ns, void **ret_self,
                         struct error *ret_error);
    /* The next record. 0; -EAGAIN with *RET_WAIT_NS until one may be there; -ENODATA: the end. */
    must_use int (*next)(void *self, uint64_t now_ns, struct flow_record *ret_record,
                         uint64_t *ret_wait_ns);
    /* The next record will be the one at POSITION. */
    void (*seek)(void *self, uint64_t position, uint64_t now_ns);
    void (*close)(void *self);
};

struct flow_sink {
    const char *name;
    /* Takes up work for FLOW; calls flow_resumed, perhaps in this call. */
    must_use int (*open)(const void *config, struct flow *flow, void **ret_self,
                         struct error *ret_error);
    /* 0: taken, and flow_written or flow_failed follows (perhaps in this call). -EAGAIN: full, the
       runner tries again next turn. Other: as flow_failed. */
    must_use int (*write)(void *self, const struct flow_record *record);
    void (*close)(void *self);
};

enum flow_state { FLOW_RESUMING, FLOW_RUNNING, FLOW_PAUSED, FLOW_ENDED };

struct flow_options {
    slice name;
    struct bus *bus;
    struct logger *logger;
    const struct flow_source *source;
    const void *source_config;
    const struct flow_sink *sink;
    const void *sink_config;
};

/* Configs must live as long as the flow. */
must_use int flow_start(const struct flow_options *options, struct flow **ret_flow,
                        struct error *ret_error);
struct flow *flow_free(struct flow *flow); /* NULL allowed, returns NULL */

struct flow_stats {
    enum flow_state state;
    uint64_t next;    /* position of the next record */
    uint64_t written; /* records known to be safe: positions below */
    uint64_t failures;
};
struct flow_stats flow_stats(const struct flow *flow);

/* For sinks. */
slice flow_name(const struct flow *flow);
struct bus *flow_bus(const struct flow *flow);
/* Which attempt this is, from 1: another after each failure. What a sink hears of an earlier one it
   must not pass on, for records of that attempt may be missing below. */
uint64_t flow_attempt(const struct flow *flow);
struct logger *flow_logger(const struct flow *flow);
const struct flow_source *flow_source_of(const struct flow *flow);
/* The first record not yet known to be safe is the one at POSITION. */
void flow_resumed(struct flow *flow, uint64_t position);
/* Every record below POSITION is safe. */
void flow_written(struct flow *flow, uint64_t position);
/* Nothing more is safe for now; WHY for the log. */
void flow_failed(struct flow *flow, const char *why);

#endif
