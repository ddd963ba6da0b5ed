/*
 * streams.h - durable streams and their consumers, in JetStream's terms. Lives on one shard.
 *
 * A stream captures subjects: the engine subscribes to them on the stream shard, judges each
 * message (limits, expectations, duplicate ids), appends it to the log, and answers with a
 * publish acknowledgement only when it is on disk. Nothing read from a stream is ahead of that.
 *
 * THE ORDER OF JUDGEMENT of a publish, because experts check it:
 *     1 sealed, message size, headers well-formed      5 expected last sequence
 *     2 expected stream                                6 expected last sequence of the subject
 *     3 duplicate id: answered as success, duplicate   7 roll-up allowed, discard "new" limits
 *     4 expected last id                               8 append
 * Ids come before expectations, so that a retry of what was accepted is a success whatever has
 * happened since. (nats-server on one node judges 3 before 4, 5; clustered it differs.)
 *
 * While the log is over its mark, publishers from sockets pause (bus_full); a message that comes in
 * spite of that, over the hard mark, is refused with 429 (10167), and on a full disk with 503
 * (10077).
 *
 * A CONSUMER is a durable position: deliver policy, filter, acknowledgement policy. It hands
 * messages to pull requests, tracks what is in flight, redelivers after ack_wait (or backoff),
 * stops at max_deliver, and acknowledges through `$JS.ACK...` replies. What must survive a crash
 * is journalled as deltas of the owner "consumers": created, removed, delivered up to,
 * acknowledged. Delivery counts may be repeated after a crash (redelivery is not duplication);
 * an acknowledgement that was confirmed (double ack) is never forgotten.
 *
 * Every call runs on the stream shard. Other shards reach streams by requests to `$JS.API.>`,
 * which is also how a JetStream cluster is reached when it is the engine: rooms speak to that
 * API and do not see which engine answers. streams_capabilities says what the engine can do.
 */
#ifndef NONET_BUS_STREAMS_H
#define NONET_BUS_STREAMS_H

#include "bus/bus.h"
#include "bus/stream_fields.h"
#include "log/stream.h"

/* A header of publishes: the reply subject of a message that was consumed, and is acknowledged in
   the commit of what is published (publish_acks.h). */
#define STREAMS_ACK_FIELD "Nonet-Ack"

#define STREAMS_MAX 100000u
#define STREAMS_DUPLICATES_MAX (8u << 20) /* ids remembered per stream; the oldest go first */

/* An error as the JetStream API words it. code 0 = none. Codes and texts: nats-server errors.json.
 */
struct streams_error {
    int code;          /* HTTP-like: 400, 404, 500, 503 */
    unsigned err_code; /* 10003 ... */
    char description[160];
};

/* Fills *E and returns false, so that `return streams_fail(e, ...)` reads well. */
bool streams_fail(struct streams_error *e, int code, unsigned err_code, const char *format, ...)
    printf_like(4, 5);

enum streams_capability {
    STREAMS_SYNC_BEFORE_ACK = 1, /* acknowledged means on disk */
    STREAMS_COMMIT_PARTICIPANTS = 2,
};

/* Takes part in the commit of every message a stream captures: sees the message before the batch
   is closed, may add changes to the same batch (log_batch_*), or refuse the message (fill *ERROR,
   return non-zero). SEQUENCE is what the message will have. Bounded: it must not wait. */
#define STREAM_PARTICIPANTS_MAX 16u
struct stream_participant {
    int (*on_append)(void *self, struct log_batch *batch, const struct bus_message *message,
                     uint64_t sequence, struct streams_error *ret_error);
    void *self;
};

struct streams;
struct stream;
struct consumer;

struct streams_options {
    struct bus *bus; /* of the stream shard */
    struct log *log; /* may be given later by streams_set_log: owners are needed to open it */
    struct logger *logger;
    uint64_t memory_bytes_max, file_bytes_max; /* of all streams together; 0 = without limit */
};
must_use int streams_create(const struct streams_options *options, struct streams **ret_streams);
/* The log owners to open the log with: *ret_count of them, valid as long as STREAMS. */
const struct log_owner *streams_owners(struct streams *streams, unsigned *ret_count);
/* Takes up the opened log: its streams become live (subscribed), duplicate windows are read back.
 */
must_use int streams_set_log(struct streams *streams, struct log *log, struct error *ret_error);
/* Called from the log's on_visible / on_room. */
void streams_on_visible(struct streams *streams, struct log_stream *stream);
void streams_on_room(struct streams *streams);
/* Before log_close: ends captures and pull requests (409 Server Shutdown), hands the log what has
   gathered, and answers calls that still wait with 503 (10008); a publish under way gets no answer,
   stored or not. What consumers are stays, for the log asks for it once more while it closes. */
void streams_stop(struct streams *streams);
/* After the log has been closed, or abandoned (then without streams_stop). NULL allowed. */
struct streams *streams_free(struct streams *streams);
unsigned streams_capabilities(const struct streams *streams);

/* Captures have the streams as their origin: what is published with that origin (bus.h) is not
   captured, as for messages that a stream has got in another way already. */

/* --- streams: the answers of the API ------------------------------------------------------ */

typedef void (*streams_done)(void *self, struct stream *stream, const struct streams_error *error);

/* Create, or (exists with the same config) the same; durable when DONE is called. */
void stream_create(struct streams *streams, const struct stream_config *config, streams_done done,
                   void *self);
void stream_update(struct streams *streams, const struct stream_config *config, streams_done done,
                   void *self);
void stream_delete(struct streams *streams, slice name, streams_done done, void *self);
struct stream *stream_find(struct streams *streams, slice name);
/* By name order; start with empty. NULL past the last. */
struct stream *stream_next(struct streams *streams, slice after);
const struct stream_config *stream_config(const struct stream *stream);
struct log_stream *stream_log(const struct stream *stream);
unsigned stream_consumer_count(const struct stream *stream);
int64_t stream_created_ns(const struct stream *stream);
/* FILTER empty = all; KEEP newest of each; below BEFORE_SEQUENCE (0 = all). */
void stream_purge(struct stream *stream, slice filter, uint64_t before_sequence, uint64_t keep,
                  void (*done)(void *self, uint64_t purged, const struct streams_error *error),
                  void *self);
/* 0, or -ENOBUFS past STREAM_PARTICIPANTS_MAX. */
must_use int bus_on_append(struct stream *stream, const struct stream_participant *participant);
/* DONE when the deletion is on disk. ERASE: a while later no file holds the message any more. */
void stream_delete_message(struct stream *stream, uint64_t sequence, bool erase, streams_done done,
                           void *self);
/* By sequence, or (SEQUENCE 0) the last of SUBJECT, or (both) the next of SUBJECT at or after. The
   record is valid during DONE. */
void stream_get(struct stream *stream, uint64_t sequence, slice subject,
                void (*done)(void *self, const struct log_record *record,
                             const struct streams_error *error),
                void *self);

#endif
