/*
 * jetstream.c - requests on `$JS.API.>`: found in a table, handled, answered (jetstream.h).
 *
 * The table goes from subject to handler; the first row that fits by its words and its number of
 * tokens wins. A subject that no row fits is answered with an error and not with silence, so that a
 * newer client learns at once what this server does not do.
 *
 * One text, one document and one arena serve all requests, so a request is handled to its end, and
 * its answer published to all receivers, before the next: what a receiver on this very shard asks
 * from inside its callback is copied and taken a little later. A stored message that is
 * delivered to the API's own subjects is no request.
 */
#include "rooms/pubsub/jetstream.h"

#include "base/clocktext.h"
#include "base/mem.h"
#include "rooms/pubsub/pubsub.h"
#include "wire/nats_subject.h"

#include <errno.h>
#include <stdio.h>

#define PREFIX "$JS.API."
#define ZERO_TIME "0001-01-01T00:00:00Z"
#define REQUEST_ARENA_MAX (4u << 20)

/* --- answers ------------------------------------------------------------------------------ */

struct json_writer api_begin(struct jetstream *js, const char *type) {
    char name[96];
    snprintf(name, sizeof name, "io.nats.jetstream.api.v1.%s_response", type);
    buf_clear(&js->text);
    struct json_writer w = json_writer_make(&js->text, false);
    json_write_object(&w);
    json_write_key(&w, "type");
    json_write_text(&w, name);
    return w;
}

void api_publish(struct jetstream *js, const struct bus_message *answer) {
    if (!answer->subject.len)
        return;
    bool busy = js->busy;
    js->busy = true;
    bus_publish(js->shard->bus, answer, NULL, NULL);
    js->busy = busy;
}

static void send_answer(struct jetstream *js, slice reply) {
    api_publish(js, &(struct bus_message){.subject = reply, .payload = buf_slice(&js->text)});
}

void api_end(struct jetstream *js, struct json_writer *w, slice reply) {
    json_write_end(w);
    if (json_write_finish(w) == 0) {
        send_answer(js, reply);
        return;
    }
    /* Too large or no memory: an answer of constant size. */
    buf_clear(&js->text);
    if (buf_append(&js->text, slice_lit("{\"error\":{\"code\":503,\"err_code\":10023,"
                                        "\"description\":\"insufficient resources\"}}")) == 0)
        send_answer(js, reply);
}

void api_error(struct jetstream *js, const char *type, slice reply,
               const struct streams_error *error) {
    js->errors++;
    struct json_writer w = api_begin(js, type);
    json_write_key(&w, "error");
    json_write_object(&w);
    json_write_key(&w, "code");
    json_write_i64(&w, error->code);
    json_write_key(&w, "err_code");
    json_write_u64(&w, error->err_code);
    json_write_key(&w, "description");
    json_write_text(&w, error->description);
    json_write_end(&w);
    api_end(js, &w, reply);
}

void api_success(struct jetstream *js, const char *type, slice reply) {
    struct json_writer w = api_begin(js, type);
    json_write_key(&w, "success");
    json_write_bool(&w, true);
    api_end(js, &w, reply);
}

void api_write_time(struct json_writer *w, const char *key, int64_t unix_ns) {
    char text[CLOCKTEXT_SIZE];
    json_write_key(w, key);
    if (unix_ns == 0) {
        json_write_text(w, ZERO_TIME);
        return;
    }
    size_t len = clocktext_format(unix_ns, text);
    json_write_string(w, slice_make(text, len));
}

/* --- calls that wait ---------------------------------------------------------------------- */

struct api_call *api_call_new(const struct api_request *request) {
    struct jetstream *js = request->js;
    struct api_call *call =
        js->calls < JETSTREAM_CALLS_MAX ? mem_alloc(sizeof *call + request->reply.len) : NULL;
    if (!call) {
        struct streams_error e;
        streams_fail(&e, 429, 10167, "too many requests");
        api_error(js, request->type, request->reply, &e);
        return NULL;
    }
    js->calls++;
    call->js = js;
    call->type = request->type;
    call->count = 0;
    call->reply_len = request->reply.len;
    if (request->reply.len)
        memcpy(call->reply, request->reply.ptr, request->reply.len);
    return call;
}

static void jetstream_free(struct jetstream *js) {
    json_free(&js->doc);
    arena_free(&js->arena);
    buf_free(&js->text);
    mem_free(js);
}

void api_call_free(struct api_call *call) {
    struct jetstream *js = call->js;
    mem_free(call);
    check(js->calls > 0);
    if (--js->calls == 0 && js->closed)
        jetstream_free(js);
}

slice api_call_reply(const struct api_call *call) {
    return slice_make(call->reply, call->reply_len);
}

struct stream *api_stream(const struct api_request *request) {
    struct stream *stream = stream_find(request->js->streams, request->tokens[0]);
    if (!stream) {
        struct streams_error e;
        streams_fail(&e, 404, 10059, "stream not found");
        api_error(request->js, request->type, request->reply, &e);
    }
    return stream;
}

uint64_t api_offset(const struct api_request *request) {
    uint64_t offset = 0;
    return json_u64(json_member(request->json, slice_lit("offset")), &offset) ? 0 : offset;
}

/* --- the account and what there is not ---------------------------------------------------- */

static void write_totals(struct jetstream *js, struct json_writer *w) {
    uint64_t storage = 0, memory = 0, streams = 0, consumers = 0;
    uint64_t reserved_storage = 0, reserved_memory = 0; /* what max_bytes has been promised */
    for (struct stream *s = NULL;
         (s = stream_next(js->streams, s ? stream_config(s)->name : (slice){0}));) {
        uint64_t bytes = log_stream_state(stream_log(s)).bytes;
        int64_t bytes_max = stream_config(s)->bytes_max;
        uint64_t reserved = bytes_max > 0 ? (uint64_t)bytes_max : 0;
        *(stream_config(s)->in_memory ? &memory : &storage) += bytes;
        *(stream_config(s)->in_memory ? &reserved_memory : &reserved_storage) += reserved;
        streams++;
        consumers += stream_consumer_count(s);
    }
    json_put_u64(w, "memory", memory);
    json_put_u64(w, "storage", storage);
    json_put_u64(w, "reserved_memory", reserved_memory);
    json_put_u64(w, "reserved_storage", reserved_storage);
    json_put_u64(w, "streams", streams);
    json_put_u64(w, "consumers", consumers);
}

static void api_info(const struct api_request *request) {
    static const char *const unlimited[] = {"max_memory",
                                            "max_storage",
                                            "max_streams",
                                            "max_consumers",
                                            "max_ack_pending",
                                            "memory_max_stream_bytes",
                                            "storage_max_stream_bytes"};
    struct jetstream *js = request->js;
    struct json_writer w = api_begin(js, request->type);
    write_totals(js, &w);
    json_write_key(&w, "limits");
    json_write_object(&w);
    for (size_t i = 0; i < array_count(unlimited); i++) {
        json_write_key(&w, unlimited[i]);
        json_write_i64(&w, -1);
    }
    json_write_key(&w, "max_bytes_required");
    json_write_bool(&w, false);
    json_write_end(&w);
    json_write_key(&w, "api");
    json_write_object(&w);
    json_put_u64(&w, "level", JETSTREAM_API_LEVEL);
    json_put_u64(&w, "total", js->requests);
    json_put_u64(&w, "errors", js->errors);
    if (js->calls)
        json_put_u64(&w, "inflight", js->calls);
    json_write_end(&w);
    api_end(js, &w, request->reply);
}

static void api_clustered_only(const struct api_request *request) {
    struct streams_error e;
    streams_fail(&e, 503, 10010, "JetStream clustering support required");
    api_error(request->js, request->type, request->reply, &e);
}

/* --- dispatch ----------------------------------------------------------------------------- */

struct api {
    const char *words; /* of the subject behind the prefix; what follows are the tokens */
    unsigned tokens_min, tokens_max;
    const char *type;
    bool is_json; /* the payload is JSON where there is one */
    void (*handle)(const struct api_request *request);
};

static const struct api apis[] = {
    {"INFO", 0, 0, "account_info", false, api_info},
    {"STREAM.CREATE.", 1, 1, "stream_create", true, api_stream_create},
    {"STREAM.UPDATE.", 1, 1, "stream_update", true, api_stream_update},
    {"STREAM.INFO.", 1, 1, "stream_info", true, api_stream_info},
    {"STREAM.NAMES", 0, 0, "stream_names", true, api_stream_names},
    {"STREAM.LIST", 0, 0, "stream_list", true, api_stream_list},
    {"STREAM.DELETE.", 1, 1, "stream_delete", false, api_stream_delete},
    {"STREAM.PURGE.", 1, 1, "stream_purge", true, api_stream_purge},
    {"STREAM.MSG.GET.", 1, 1, "stream_msg_get", true, api_message_get},
    {"STREAM.MSG.DELETE.", 1, 1, "stream_msg_delete", true, api_message_delete},
    {"DIRECT.GET.", 1, 99, "stream_msg_get", false, api_direct_get},
    {"CONSUMER.CREATE.", 1, 99, "consumer_create", true, api_consumer_create},
    {"CONSUMER.DURABLE.CREATE.", 2, 2, "consumer_create", true, api_consumer_create_durable},
    {"CONSUMER.PAUSE.", 2, 2, "consumer_pause", true, api_consumer_pause},
    {"CONSUMER.INFO.", 2, 2, "consumer_info", false, api_consumer_info},
    {"CONSUMER.NAMES.", 1, 1, "consumer_names", true, api_consumer_names},
    {"CONSUMER.LIST.", 1, 1, "consumer_list", true, api_consumer_list},
    {"CONSUMER.DELETE.", 2, 2, "consumer_delete", false, api_consumer_delete},
    {"CONSUMER.MSG.NEXT.", 2, 2, "consumer_msg_next", false, api_consumer_next},
    {"NONET.PARKED.LIST.", 2, 2, "parked_list", true, api_parked_list},
    {"NONET.PARKED.REPLAY.", 2, 2, "parked_replay", true, api_parked_replay},
    {"NONET.PARKED.DROP.", 2, 2, "parked_drop", true, api_parked_drop},
    {"STREAM.PEER.REMOVE.", 1, 1, "stream_remove_peer", false, api_clustered_only},
    {"STREAM.LEADER.STEPDOWN.", 1, 1, "stream_leader_stepdown", false, api_clustered_only},
    {"CONSUMER.LEADER.STEPDOWN.", 2, 2, "consumer_leader_stepdown", false, api_clustered_only},
    {"META.LEADER.STEPDOWN", 0, 0, "meta_leader_stepdown", false, api_clustered_only},
};

static const struct api *api_find(slice subject, slice *ret_rest) {
    for (size_t i = 0; i < array_count(apis); i++) {
        slice words = slice_str(apis[i].words);
        bool open = words.ptr[words.len - 1] == '.';
        if (open ? !slice_starts_with(subject, words) : !slice_equal(subject, words))
            continue;
        *ret_rest = slice_skip(subject, words.len);
        unsigned tokens = open ? (unsigned)nats_subject_tokens(*ret_rest) : 0;
        if (tokens >= apis[i].tokens_min && tokens <= apis[i].tokens_max)
            return &apis[i];
    }
    return NULL;
}

static void split(struct api_request *request) {
    slice rest = request->rest;
    slice token;
    while (request->token_count < JETSTREAM_TOKENS_MAX && nats_subject_next(&rest, &token))
        request->tokens[request->token_count++] = token;
}

static void refuse(struct jetstream *js, const char *type, slice reply, unsigned err_code,
                   const char *format, slice what) {
    struct streams_error e;
    streams_fail(&e, 400, err_code, format, slice_fmt(what));
    api_error(js, type, reply, &e);
}

static void serve(struct jetstream *js, const struct bus_message *message) {
    js->requests++;
    struct api_request request = {
        .js = js, .type = "error", .reply = message->reply, .payload = message->payload};
    slice name = slice_skip(message->subject, sizeof PREFIX - 1);
    const struct api *api = api_find(name, &request.rest);
    if (!api) {
        refuse(js, request.type, message->reply, 10003, "bad request: '%.*s' is not served here",
               message->subject);
        return;
    }
    request.type = api->type;
    split(&request);
    if (api->is_json && message->payload.len && json_parse(&js->doc, message->payload)) {
        refuse(js, request.type, message->reply, 10025, "invalid JSON: %.*s",
               slice_str(js->doc.reason));
        return;
    }
    if (api->is_json && message->payload.len)
        request.json = json_root(&js->doc);
    bool reads = api->handle == api_direct_get || api->handle == api_consumer_next;
    if (unlikely(message->headers.len) && reads && api_waits(&request, message))
        return;
    api->handle(&request);
}

static void take(struct jetstream *js, const struct bus_message *message) {
    js->busy = true;
    serve(js, message);
    arena_reset(&js->arena);
    js->busy = false;
}

/* --- requests from inside a callback ------------------------------------------------------ */

struct held_request {
    struct list_node node;
    struct bus_message message;
    char bytes[];
};

/* Those that come of it wait for the next time. */
static void take_held(struct io_timer *timer) {
    struct jetstream *js = container_of(timer, struct jetstream, held_timer);
    struct list_node *node;
    for (unsigned left = js->held_count; left > 0 && (node = list_pop_front(&js->held)); left--) {
        struct held_request *held = container_of(node, struct held_request, node);
        js->held_count--;
        take(js, &held->message);
        mem_free(held);
    }
}

static void hold(struct jetstream *js, const struct bus_message *m) {
    struct held_request *held = NULL;
    if (js->held_count < JETSTREAM_HELD_MAX)
        held = mem_zalloc(1, sizeof *held + m->subject.len + m->reply.len + m->payload.len);
    if (!held) { /* with a text of its own: that of the API is in use */
        struct bus_message refusal = {
            .subject = m->reply,
            .payload = slice_lit("{\"error\":{\"code\":429,\"err_code\":10167,"
                                 "\"description\":\"too many requests\"}}"),
        };
        js->errors++;
        api_publish(js, &refusal);
        return;
    }
    char *at = held->bytes;
    held->message.subject = slice_store(&at, m->subject);
    held->message.reply = slice_store(&at, m->reply);
    held->message.payload = slice_store(&at, m->payload);
    list_push_back(&js->held, &held->node);
    js->held_count++;
    if (!io_timer_running(&js->held_timer))
        io_timer_start(js->shard->loop, &js->held_timer, 0, take_held);
}

void api_again(struct jetstream *js, const struct bus_message *message) {
    if (js->busy)
        hold(js, message);
    else
        take(js, message);
}

static void on_request(void *owner, struct bus_subscription *subscription,
                       const struct bus_message *message) {
    struct jetstream *js = owner;
    if (message->route.len)
        bus_decline(subscription);
    else
        api_again(js, message);
}

int jetstream_open(struct room_shard *shard, struct jetstream **ret_jetstream) {
    static const struct bus_receiver receiver = {on_request};
    struct jetstream *js = mem_zalloc(1, sizeof *js);
    if (!js)
        return -ENOMEM;
    js->shard = shard;
    js->streams = shard->streams;
    js->text = buf_make(JETSTREAM_ANSWER_MAX);
    js->arena = arena_make(0, REQUEST_ARENA_MAX);
    json_init(&js->doc);
    list_init(&js->held);
    int failed =
        bus_subscribe(shard->bus, slice_lit(PREFIX ">"), (slice){0}, &receiver, js, NULL, &js->api);
    if (failed) {
        jetstream_close(js);
        return failed;
    }
    *ret_jetstream = js;
    return 0;
}

struct jetstream *jetstream_close(struct jetstream *js) {
    if (!js)
        return NULL;
    js->api = bus_unsubscribe(js->shard->bus, js->api);
    io_timer_stop(js->shard->loop, &js->held_timer);
    struct list_node *node;
    while ((node = list_pop_front(&js->held)))
        mem_free(container_of(node, struct held_request, node));
    js->closed = true;
    if (js->calls == 0) /* else the streams end them, which answers them */
        jetstream_free(js);
    return NULL;
}
