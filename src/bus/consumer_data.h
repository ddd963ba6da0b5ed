/*
 * consumer_data.h - the inside of the consumers' engine, for its files only:
 *
 *     consumer.c          created, changed, removed; what the API asks
 *     consumer_state.c    durable state: deltas into the log
 *     consumer_recover.c  deltas replayed, snapshots
 *     consumer_start.c    where a new consumer begins
 *     consumer_deliver.c  which message is next, and for whom
 *     consumer_count.c    how many messages are still to come
 *     consumer_pull.c     requests that wait, and how they end
 *     consumer_push.c     the deliver subject: is somebody there, may more be sent
 *     consumer_pace.c     pauses, the speed of the past
 *     consumer_ack.c      acknowledgements in; time over; given up
 *     consumer_order.c    one in flight per subject
 *     pending.c           the messages in flight
 *
 * A consumer's life:
 *
 *     REPLAYED --consumers_start--> LIVE --removed, stream gone, shutdown--> GONE --end of turn-->
 * freed (create) ----------------------^
 *
 * Publishing may call anybody back, who may remove the consumer or its stream: whoever publishes
 * looks at `gone` afterwards and then touches nothing but the struct itself, which stays until the
 * end of the turn.
 *
 * What the files offer each other is in consumer_parts.h.
 *
 * POSITION is the next stream sequence to look at: everything below it has been delivered once or
 * does not match. What was delivered and is not done is in `pending`; so all a crash may forget is
 * in two numbers and a list.
 */
#ifndef NONET_BUS_CONSUMER_DATA_H
#define NONET_BUS_CONSUMER_DATA_H

#include "base/map64.h"
#include "bus/consumer.h"
#include "bus/consumer_order.h"
#include "bus/consumer_push.h"
#include "bus/stream.h"

#define CONSUMER_CONFIG_ARENA_MAX (1u << 20)
#define CONSUMERS_ALL_MAX (1u << 24)
#define CONSUMERS_UNSAVED_MAX (8u << 20) /* bytes of deltas not yet handed to the log */
#define CONSUMER_NEVER UINT64_MAX

/* Replay at the original speed. */
struct consumer_replay {
    uint64_t until;   /* not caught up before that sequence; 0 = at once */
    int64_t time_ns;  /* of the last message delivered; 0 = none yet */
    uint64_t sent_at; /* its delivery, loop clock */
};

/* What consumer_count.c knew last. */
struct consumer_count {
    uint64_t count, last, deleted, ask_at;
    bool known, exact;
};

struct consumer {
    struct streams *streams;
    struct stream *stream; /* NULL before consumers_start and when gone */
    uint64_t id;
    struct arena arena;        /* holds the names */
    struct arena config_arena; /* holds config, replaced with it */
    struct consumer_config config;
    struct log_filter filter; /* what config's filters say; in config_arena, too */
    slice name, stream_name;
    int64_t created_ns;
    bool journalled, gone;

    uint64_t position, consumer_sequence;
    int64_t delivered_ns, acknowledged_ns; /* wall clock, 0 = never */
    struct pending pending;
    /* "Last per subject": the sequences to deliver up to last_until, in order; then all. */
    uint64_t last_until, *lasts;
    size_t lasts_at, lasts_count;
    struct consumer_count counted;

    struct list requests;
    uint32_t waiting, one_shots; /* requests; those of them with no_wait */
    uint64_t wanted;             /* sum of their batch_left */
    uint64_t requests_at;        /* the request timer's time, CONSUMER_NEVER = not running */
    uint64_t redeliver_at;       /* the same of the redelivery timer */
    uint64_t scan_from; /* stream sequence where the scan for overdue ones goes on; 0 = none */
    uint64_t scan_next; /* the earliest deadline it has seen */
    uint64_t active_ns; /* loop clock of the last sign of life */
    struct io_timer request_timer, redeliver_timer, idle_timer, again_timer;
    uint64_t again_ns; /* how long again_timer waits for a message's turn */
    struct io_task task;
    struct log_load load;
    bool loading;

    struct consumer_push push;
    struct consumer_replay replay;
    struct io_timer pause_timer;
    struct map64 parked; /* sequence -> struct parked_message */
    bool parks, ordered; /* metadata: "nonet.park": "true", "nonet.ordered": "subject" */
    struct consumer_order order;
    unsigned sample_percent; /* of the acknowledgements: told as metrics */
    struct bus_subscription *acks;
    struct list_node in_deliveries, in_graveyard;
    size_t ack_prefix_len;
    const char *ack_prefix; /* "$JS.ACK.<stream>.<consumer>." in the arena */
};

/* What deltas are being gathered of: runs of the same thing are written as one. */
struct consumers_run {
    uint8_t kind; /* 0: none open */
    uint64_t id, first, consumer_sequence, count;
};

struct consumers_answers;

struct consumers {
    struct streams *streams;
    struct map64 by_id;
    uint64_t next_id;
    struct list graveyard;
    struct io_task bury_task;
    struct buf unsaved;
    struct consumers_run run;
    int64_t unsaved_time_ns; /* of the last time record, 0 = none yet */
    struct consumers_answers *answers;
    struct io_task flush_task;
    struct io_timer flush_timer;
    struct buf released; /* restored with the snapshot, for consumers_start: consumer_recover.c */
    struct buf text;     /* scratch for a message's headers and for advisories */
};

static inline bool consumer_is_push(const struct consumer *c) {
    return c->config.deliver_subject.len > 0;
}

static inline struct io_loop *consumer_loop(const struct consumer *c) {
    return bus_loop(c->streams->bus);
}

/* --- consumer.c --------------------------------------------------------------------------- */
/* A consumer that is only in memory, with a copy of CONFIG. NULL: no memory. */
struct consumer *consumer_new(struct streams *streams, slice stream_name,
                              const struct consumer_config *config);
must_use int consumer_set_config(struct consumer *c, const struct consumer_config *config);
/* Joins its stream: found by name, acknowledgements taken. 0 or -ENOMEM, -EEXIST, -ENOBUFS. */
must_use int consumer_attach(struct consumer *c, struct stream *stream);
/* Leaves everything at once; requests end with WHY (a 409), NULL: without a word. */
void consumer_end(struct consumer *c, const char *why);
void consumer_alive(struct consumer *c); /* a sign of life */

#endif
