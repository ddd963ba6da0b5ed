/*
 * stream.h - the inside of the stream engine, for the files of bus/ that share it: streams.c (the
 * set), stream.c (create, update, delete), capture.c (publishes), dedupe.c (ids), stream_read.c
 * (get, purge), consumer*.c. Nobody else includes it.
 *
 * A stream's life:
 *
 *     create: put into the log, committed ---> LIVE (subscribed) --delete--> GONE (freed in done)
 *
 * A stream is live from the moment its put is committed, not when it is on disk: what it captures
 * in between is behind the put in the same journal, so it cannot be acknowledged before it.
 */
#ifndef NONET_BUS_STREAM_H
#define NONET_BUS_STREAM_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "bus/dedupe.h"
#include "bus/diversion.h"
#include "bus/names.h"
#include "bus/store.h"
#include "bus/streams.h"

#define STREAM_CONFIG_ARENA_MAX (1u << 20)
#define STREAM_RETRY_NS 10000000u /* a block could not be asked for: no memory, many loads */
#define STREAM_SEALED_TEXT "invalid operation on sealed stream"

/* Something that waits for the log, a load or a timer, and may outlive the streams: its `end` tells
   whoever waits, once, that the node stops, and undoes what it can. True where the operation is
   freed; false where it hangs on a commit and is freed by that, or by the second call with
   LOG_GONE: the log is not there any more, so it must be freed. */
struct streams_op {
    struct list_node node;
    struct streams *streams;
    bool (*end)(struct streams_op *op, bool log_gone);
};
void streams_op_begin(struct streams *streams, struct streams_op *op,
                      bool (*end)(struct streams_op *op, bool log_gone));
/* Takes it out. */
void streams_op_over(struct streams_op *op);
/* What `end` tells: the node stops. */
const struct streams_error *streams_stopping(void);

struct transform;
struct republish;
struct expiry;

struct stream {
    struct streams *streams;
    struct log_stream *log;
    struct arena arena; /* holds config */
    struct stream_config config;
    int64_t created_ns;
    uint64_t held_bytes; /* so much of the store's `held` is its own */
    struct bus_subscription *captures[STREAMS_SUBJECTS_MAX];
    struct map consumers; /* name -> struct consumer */
    struct names consumer_names;
    struct list deliveries; /* consumers with requests that wait for messages */
    struct dedupe dedupe;
    slice last_id; /* the Nats-Msg-Id of the last message, for expected-last-msg-id */
    char last_id_text[256];
    char *name; /* as in config: the map's key, for the config may be replaced */
    struct stream_participant participants[STREAM_PARTICIPANTS_MAX];
    unsigned participant_count;
    bool diverted;                             /* its captures go to streams->diversion first */
    bool companion;                            /* of the diverted stream */
    struct transform *transform, *republisher; /* of the config, in arena; NULL: none */
    struct republish *republish;               /* republish.c; made at first use */
    struct expiry *expiry;                     /* expiry.c; NULL without allow_msg_ttl */
    /* interest.c */
    struct buf released; /* sequences that a consumer is done with, and nobody wants */
    size_t released_put; /* bytes of them in the batch being built */
    struct list_node in_releasing;
    struct interest_walk *walk;
    bool walk_due;
    struct map batches;  /* publish_batch.c: id -> struct publish_batch */
    struct list waiters; /* stream_wait.c */
};

struct capture_ack;

struct streams {
    struct bus *bus;
    struct log *log;
    struct logger *logger;
    struct map by_name;      /* name -> struct stream */
    struct stream *found[2]; /* the last ones looked up, the newest first; or NULL */
    struct names names;
    struct hash_key hash_key;
    struct log_owner owner; /* the consumers' */
    struct consumers *consumers;
    struct capture_ack *spare_acks;
    unsigned spare_ack_count;
    struct store stores[STORE_KINDS];
    struct list ops;
    bool ended;       /* streams_stop or streams_free was called */
    unsigned holding; /* records of the log are being handed out: nothing may be appended */
    struct list held; /* messages captured meanwhile, appended at the last streams_release */
    unsigned held_count;
    bool draining; /* they are being appended */
    struct stream_diversion diversion;
    struct list releasing;              /* streams with `released` */
    unsigned waiter_count, batch_count; /* stream_wait.c; publish_batch.c: in all streams */
    uint64_t batch_bytes;
};

/* Around handing a record of the log to strangers: it stays valid, because what they publish into
   streams is appended afterwards. */
static inline void streams_hold(struct streams *streams) {
    streams->holding++;
}
void streams_release(struct streams *streams);

/* capture.c */
void stream_on_publish(void *owner, struct bus_subscription *subscription,
                       const struct bus_message *message);
void capture_close(struct streams *streams);

/* stream.c: makes the live stream of a log stream, also at recovery. */
must_use int stream_adopt(struct streams *streams, struct log_stream *log, struct error *ret_error);
void stream_forget(struct stream *stream);
/* What it is to the diversion (diversion.h). */
void stream_note_diversion(struct stream *stream);
/* Ends its captures and its consumers' requests; everything else stays. */
void stream_stop(struct stream *stream);

/* stream_read.c: the sequence of the last message of SUBJECT, staged ones too; 0 = none. One with
   wildcards is looked for among all subjects of the stream. */
uint64_t stream_last_of(const struct stream *stream, slice subject);

/* consumer_state.c: durable state of all consumers (owner "consumers"). Adds a delta that changes
   nothing: BATCH is then on disk only with everything before it (an empty batch has no place). */
must_use int consumers_put_nothing(struct log_batch *batch);
/* Hands what has gathered to the log. */
void consumers_flush(struct streams *streams);
must_use int consumers_open(struct streams *streams);
void consumers_close(struct streams *streams);
/* After the log is open: consumers take up their streams. */
must_use int consumers_start(struct streams *streams);
/* New messages of STREAM may be delivered. */
void consumers_on_visible(struct stream *stream);
/* The stream goes: its consumers end with status 409 to their waiting requests. BATCH takes the
   deltas that remove them. */
must_use int consumers_remove_all(struct stream *stream, struct log_batch *batch);
void consumers_free_all(struct stream *stream);
/* The node stops: their requests end, what they are stays. */
void consumers_rest_all(struct stream *stream);

#endif
