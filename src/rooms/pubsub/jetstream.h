/*
 * jetstream.h - the JSON API of durable streams, for the files of it: `$JS.API.>`.
 *
 * One subscription on the stream shard takes every request; a table in jetstream.c says which
 * handler serves which subject. A handler reads the request's JSON, calls the engine
 * (bus/streams.h, bus/consumer.h) and answers in JSON: {"type": ..., ...} or {"type": ..., "error":
 * {...}}.
 *
 * An answer that has to wait for the disk or for a block keeps an API CALL: the reply subject and
 * the answer's type. Calls under way are bounded (JETSTREAM_CALLS_MAX, then 429).
 *
 * Sources: nats-server server/jetstream_api.go and errors.json (codes), ADR-1 (form), ADR-31
 * (direct get). What this server does not do is answered with an error that says so.
 */
#ifndef NONET_PUBSUB_JETSTREAM_H
#define NONET_PUBSUB_JETSTREAM_H

#include "bus/consumer.h"
#include "bus/room.h"
#include "bus/stream_config.h"
#include "wire/json.h"
#include "wire/json_write.h"

/* ADR-44: what nats-server 2.11 serves; 2 wants counters and schedules. */
#define JETSTREAM_API_LEVEL 1u
#define JETSTREAM_CALLS_MAX 65536u
#define JETSTREAM_NAMES_PAGE 1024u
#define JETSTREAM_LIST_PAGE 256u
#define JETSTREAM_SUBJECTS_PAGE 100000u
#define JETSTREAM_ANSWER_MAX (64u << 20)
#define JETSTREAM_TOKENS_MAX 8u
#define JETSTREAM_HELD_MAX 1024u

struct jetstream {
    struct room_shard *shard;
    struct streams *streams;
    struct bus_subscription *api;
    struct buf text;     /* the answer being written */
    struct json_doc doc; /* the request being read */
    struct arena arena;  /* what its config is copied to; reset after each request */
    unsigned calls;
    uint64_t waiting_bytes; /* of requests that wait for a sequence: jetstream_wait.c */
    bool busy;              /* with a request, or with an answer being published */
    bool closed;            /* goes with the last call */
    struct list held;       /* requests that came meanwhile */
    unsigned held_count;
    struct io_timer held_timer;
    uint64_t requests, errors;
};

/* A request being handled; gone when its handler returns. */
struct api_request {
    struct jetstream *js;
    const char *type;                   /* "stream_create": the middle of the answer's type */
    slice tokens[JETSTREAM_TOKENS_MAX]; /* after the matched words: stream, consumer */
    unsigned token_count;
    slice rest; /* the subject behind the first tokens, dots and all */
    slice reply, payload;
    json_value json; /* absent where the payload is empty */
};

/* What is left of it while an answer waits. */
struct api_call {
    struct jetstream *js;
    const char *type;
    uint64_t count; /* for the answer, where it says one */
    size_t reply_len;
    char reply[];
};

void api_publish(struct jetstream *js, const struct bus_message *answer);
/* An answer: begin, write members, end (which sends it). */
struct json_writer api_begin(struct jetstream *js, const char *type);
void api_end(struct jetstream *js, struct json_writer *w, slice reply);
void api_error(struct jetstream *js, const char *type, slice reply,
               const struct streams_error *error);
void api_success(struct jetstream *js, const char *type, slice reply);
/* NULL: the request has been refused already. */
struct api_call *api_call_new(const struct api_request *request);
void api_call_free(struct api_call *call);
slice api_call_reply(const struct api_call *call);

/* The stream the request names (its first token), or NULL and it has been answered 404. */
struct stream *api_stream(const struct api_request *request);
/* Its consumer (the second token), in the same way. */
struct consumer *api_consumer(const struct api_request *request);

void api_write_time(struct json_writer *w, const char *key, int64_t unix_ns);
/* Writes the member "state", its object left open for more. */
void api_write_stream_state(struct json_writer *w, struct stream *stream);
void api_write_consumer_info(struct json_writer *w, const struct consumer *consumer);
/* The members of a paged answer; an offset beyond the end is the end, as with nats-server. */
void api_write_page(struct json_writer *w, uint64_t total, uint64_t offset, uint64_t limit);
/* Reads "offset" of a paged request. */
uint64_t api_offset(const struct api_request *request);

void api_stream_create(const struct api_request *request);
void api_stream_update(const struct api_request *request);
void api_stream_info(const struct api_request *request);
void api_stream_names(const struct api_request *request);
void api_stream_list(const struct api_request *request);
void api_stream_delete(const struct api_request *request);
void api_stream_purge(const struct api_request *request);
void api_message_get(const struct api_request *request);
void api_message_delete(const struct api_request *request);
void api_direct_get(const struct api_request *request);
/* An empty message with a status (jetstream_direct.c). */
void api_status(struct jetstream *js, slice reply, unsigned code, const char *words);
/* jetstream_wait.c: does the request, of a stream, wait for it to go on, or has been refused? */
bool api_waits(const struct api_request *request, const struct bus_message *message);
/* Serves MESSAGE as if it had just come. */
void api_again(struct jetstream *js, const struct bus_message *message);
void api_consumer_create(const struct api_request *request);
void api_consumer_create_durable(const struct api_request *request);
void api_consumer_pause(const struct api_request *request);
void api_consumer_info(const struct api_request *request);
void api_consumer_names(const struct api_request *request);
void api_consumer_list(const struct api_request *request);
void api_consumer_delete(const struct api_request *request);
void api_parked_list(const struct api_request *request);
void api_parked_replay(const struct api_request *request);
void api_parked_drop(const struct api_request *request);
void api_consumer_next(const struct api_request *request);

#endif
