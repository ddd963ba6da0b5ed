/*
 * consumer.h - consumers of streams (see streams.h for what they promise).
 *
 *              pull request                     acknowledged, terminated
 *   WAITING ------------------> IN FLIGHT ------------------------------> DONE
 *      ^                            |  ack_wait over, -NAK (after its delay)
 *      '------- redelivery ---------'  deliveries = max_deliver: left behind, advisory published
 *
 * A pull request names a reply subject and how much it wants; messages are published to that
 * subject with the acknowledgement address `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream
 * sequence>.<consumer sequence>.<time ns>.<pending>` as reply. Waiting requests get a message each
 * in turn, as with nats-server; one whose reply subject has lost all interest is dropped. Status
 * messages end or accompany a request: 100 heartbeat, 404 no messages, 408 expired, 409 bounds and
 * deletion. A push consumer (deliver_subject) sends to its subject in place of requests while
 * somebody subscribes to it, with heartbeats, flow control and a rate limit (consumer_push.c).
 *
 * BOUNDS. waiting_max requests (at most CONSUMER_WAITING_MAX), ack_pending_max messages in flight
 * (at most CONSUMER_IN_FLIGHT_MAX), CONSUMER_LAST_MAX subjects for "last per subject", then the
 * creation is refused. A turn of the loop delivers a bounded number of messages a consumer.
 */
#ifndef NONET_BUS_CONSUMER_H
#define NONET_BUS_CONSUMER_H

#include "bus/streams.h"

#define CONSUMERS_PER_STREAM_MAX 100000u
#define CONSUMER_WAITING_MAX_DEFAULT 512u
#define CONSUMER_ACK_PENDING_DEFAULT 1000u
#define CONSUMER_ACK_WAIT_DEFAULT_NS (30 * 1000000000ull)
#define CONSUMER_INACTIVE_DEFAULT_NS (5 * 1000000000ull)

enum consumer_deliver {
    DELIVER_ALL,
    DELIVER_LAST,
    DELIVER_NEW,
    DELIVER_FROM_SEQUENCE,
    DELIVER_FROM_TIME,
    DELIVER_LAST_PER_SUBJECT
};
enum consumer_ack { ACK_NONE, ACK_ALL, ACK_EXPLICIT };

#define CONSUMER_BACKOFF_MAX 64
#define CONSUMER_FILTERS_MAX 1024u
#define CONSUMER_FILTERS_BYTES_MAX (64u << 10)
struct consumer_config {
    slice name, description, filter; /* name empty: the engine makes one (ephemeral) */
    const slice *filters;            /* or several; they do not overlap */
    unsigned filter_count;
    slice deliver_subject, deliver_group; /* subject empty: a pull consumer */
    slice sample; /* "30%": of the acknowledgements told as metrics; empty = none */
    bool durable, headers_only, in_memory, flow_control, replay_original;
    enum consumer_deliver deliver;
    enum consumer_ack ack;
    uint64_t start_sequence;
    int64_t start_time_ns, pause_until_ns;                          /* unix; 0 = none */
    int64_t ack_wait_ns, inactive_ns, expires_max_ns, heartbeat_ns; /* 0 = default / none */
    int64_t rate_bits;                                              /* a second; 0 = no limit */
    int64_t backoff_ns[CONSUMER_BACKOFF_MAX];
    unsigned backoff_count;
    int64_t deliver_max, ack_pending_max, waiting_max, batch_max,
        bytes_max; /* 0 default, -1 none */
    slice metadata;
};

#define CONSUMER_WAITING_MAX 65536u
#define CONSUMER_PARKED_MAX 65536u
#define CONSUMER_PASSED_MAX 262144u /* messages that wait for their key, where it is ordered */
#define CONSUMER_REASON_MAX 255u    /* bytes of why a message was parked; the rest is cut off */
#define CONSUMER_IN_FLIGHT_MAX (8u << 20)
#define CONSUMER_LAST_MAX (4u << 20)

/* The subjects it is limited to, and how many; 0 = all. */
static inline unsigned consumer_config_filters(const struct consumer_config *config,
                                               const slice **ret_subjects) {
    *ret_subjects = config->filter.len ? &config->filter : config->filters;
    return config->filter.len ? 1 : config->filter_count;
}

struct consumer_sequence {
    uint64_t consumer, stream;
    int64_t last_active_ns; /* 0 = never */
};
struct consumer_info {
    struct consumer_sequence delivered, ack_floor;
    uint64_t ack_pending, redelivered, waiting, pending, parked;
    int64_t created_ns, now_ns;
    int64_t pause_left_ns; /* 0: it is not paused */
    bool push_bound;       /* somebody subscribes to its deliver subject */
};

typedef void (*consumer_done)(void *self, struct consumer *consumer,
                              const struct streams_error *error);
/* Creates; the same name with the same config gives the same consumer; changed settings that may
   change are changed. Durable when DONE is called. */
void consumer_create(struct stream *stream, const struct consumer_config *config,
                     consumer_done done, void *self);
void consumer_delete(struct consumer *consumer, consumer_done done, void *self);
struct consumer *consumer_find(struct stream *stream, slice name);
struct consumer *consumer_next(struct stream *stream, slice after); /* by name; start with empty */
struct stream *consumer_stream(const struct consumer *consumer);
const struct consumer_config *consumer_config(const struct consumer *consumer);
struct consumer_info consumer_info(const struct consumer *consumer);

struct consumer_pull {
    slice reply;
    unsigned batch;                    /* 0 = 1 */
    uint64_t bytes_max;                /* 0 = none */
    uint64_t expires_ns, heartbeat_ns; /* 0 = none */
    bool no_wait;
};
/* Serves or queues the request; refusals go to its reply subject as status messages. */
void consumer_pull(struct consumer *consumer, const struct consumer_pull *pull);
/* The same with the request as it came: BODY is JSON, a number of messages, or empty. */
void consumer_pull_text(struct consumer *consumer, slice reply, slice body);

/* --- parked messages (consumer_park.c) ---------------------------------------------------------
 */

struct consumer_parked {
    uint64_t sequence, deliveries;
    int64_t time_ns;
    slice reason;
};
uint64_t consumer_parked_count(const struct consumer *consumer);
/* The first one at or after FROM; false where there is none. The reason is valid until a change. */
bool consumer_parked_next(const struct consumer *consumer, uint64_t from,
                          struct consumer_parked *ret_parked);
/* Delivered once more; done. 0, -ENOENT (not parked), -ENOMEM, -ENOBUFS. */
must_use int consumer_parked_replay(struct consumer *consumer, uint64_t sequence);
must_use int consumer_parked_drop(struct consumer *consumer, uint64_t sequence);
/* DONE once everything that has happened to the consumer is on disk. */
void consumer_settle(struct consumer *consumer, consumer_done done, void *self);

#endif
