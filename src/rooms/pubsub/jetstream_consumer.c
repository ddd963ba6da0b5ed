/*
 * jetstream_consumer.c - the API of consumers: create, info, names, list, delete, next.
 *
 * Creating comes in three forms of subject (2.8's ephemeral and durable ones, 2.9's with name and
 * filter); whatever the subject names must be what the body says. MSG.NEXT is not answered here:
 * the consumer sends messages and statuses to the request's reply subject.
 */
#include "rooms/pubsub/jetstream.h"
#include "wire/nats_subject.h"

static void write_sequence(struct json_writer *w, const char *key,
                           const struct consumer_sequence *sequence) {
    json_write_key(w, key);
    json_write_object(w);
    json_write_key(w, "consumer_seq");
    json_write_u64(w, sequence->consumer);
    json_write_key(w, "stream_seq");
    json_write_u64(w, sequence->stream);
    if (sequence->last_active_ns)
        api_write_time(w, "last_active", sequence->last_active_ns);
    json_write_end(w);
}

void api_write_consumer_info(struct json_writer *w, const struct consumer *consumer) {
    struct consumer_info info = consumer_info(consumer);
    json_write_key(w, "stream_name");
    json_write_string(w, stream_config(consumer_stream(consumer))->name);
    json_write_key(w, "name");
    json_write_string(w, consumer_config(consumer)->name);
    api_write_time(w, "created", info.created_ns);
    json_write_key(w, "config");
    consumer_config_write(w, consumer_config(consumer));
    write_sequence(w, "delivered", &info.delivered);
    write_sequence(w, "ack_floor", &info.ack_floor);
    json_put_u64(w, "num_ack_pending", info.ack_pending);
    json_put_u64(w, "num_redelivered", info.redelivered);
    json_put_u64(w, "num_waiting", info.waiting);
    json_put_u64(w, "num_pending", info.pending);
    if (info.parked)
        json_put_u64(w, "num_parked", info.parked);
    if (info.pause_left_ns) {
        json_write_key(w, "paused");
        json_write_bool(w, true);
        json_put_u64(w, "pause_remaining", (uint64_t)info.pause_left_ns);
    }
    api_write_time(w, "ts", info.now_ns);
    if (info.push_bound) {
        json_write_key(w, "push_bound");
        json_write_bool(w, true);
    }
}

struct consumer *api_consumer(const struct api_request *request) {
    struct stream *stream = api_stream(request);
    if (!stream)
        return NULL;
    struct consumer *consumer = consumer_find(stream, request->tokens[1]);
    if (!consumer) {
        struct streams_error e;
        streams_fail(&e, 404, 10014, "consumer not found");
        api_error(request->js, request->type, request->reply, &e);
    }
    return consumer;
}

/* --- create ------------------------------------------------------------------------------- */

static void on_created(void *self, struct consumer *consumer, const struct streams_error *error) {
    struct api_call *call = self;
    if (error) {
        api_error(call->js, call->type, api_call_reply(call), error);
    } else {
        struct json_writer w = api_begin(call->js, call->type);
        api_write_consumer_info(&w, consumer);
        api_end(call->js, &w, api_call_reply(call));
    }
    api_call_free(call);
}

/* The subject may name the consumer and its filter; what it names must be what the body says. */
static bool apply_subject(const struct api_request *request, struct consumer_config *config,
                          struct streams_error *e) {
    if (request->token_count < 2)
        return true;
    slice name = request->tokens[1];
    if (config->name.len && !slice_equal(config->name, name))
        return streams_fail(e, 400, 10017,
                            "consumer name in subject does not match durable name "
                            "in request");
    config->name = name;
    if (request->token_count < 3)
        return true;
    slice filter = slice_skip(request->rest, request->tokens[0].len + name.len + 2);
    if (config->filter_count)
        return streams_fail(e, 400, 10137,
                            "consumer with multiple subject filters cannot use subject based API");
    if (!slice_equal(config->filter, filter))
        return streams_fail(e, 400, 10131,
                            "Consumer create request did not match filtered subject "
                            "from create subject");
    return true;
}

/* "action": create refuses what is there, update what is not (nats-server 2.10). */
static bool judge_action(const struct api_request *request, struct stream *stream,
                         const struct consumer_config *config, struct streams_error *e) {
    json_value action = json_member(request->json, slice_lit("action"));
    struct consumer *there = config->name.len ? consumer_find(stream, config->name) : NULL;
    if (json_string_is(action, slice_lit("create")) && there &&
        !consumer_config_equal(consumer_config(there), config))
        return streams_fail(e, 400, 10148, "consumer already exists");
    if (json_string_is(action, slice_lit("update")) && !there)
        return streams_fail(e, 400, 10149, "consumer does not exist");
    return true;
}

/* The subjects of 2.8 say whether the consumer is a durable one, and so must the body. */
static bool judge_durable(const struct api_request *request, bool durable,
                          const struct consumer_config *config, struct streams_error *e) {
    if (request->token_count == 1 && config->durable)
        return streams_fail(
            e, 400, 10020,
            "consumer expected to be ephemeral but a durable name was set in request");
    if (durable && !config->durable)
        return streams_fail(e, 400, 10018,
                            "consumer expected to be durable but a durable name was not set");
    return true;
}

static void create(const struct api_request *request, bool durable) {
    struct jetstream *js = request->js;
    struct stream *stream = api_stream(request);
    if (!stream)
        return;
    struct streams_error e = {0};
    struct consumer_config config;
    bool pedantic = false;
    (void)!json_bool(json_member(request->json, slice_lit("pedantic")), &pedantic);
    json_value named = json_member(request->json, slice_lit("stream_name"));
    bool fine = json_type_of(named) == JSON_ABSENT || json_string_is(named, request->tokens[0]) ||
                streams_fail(&e, 400, 10056, "stream name in subject does not match request");
    fine = fine &&
           consumer_config_read(json_member(request->json, slice_lit("config")), &js->arena,
                                &config, &e) &&
           (!pedantic || consumer_config_judge_pedantic(&config, stream_config(stream), &e)) &&
           judge_durable(request, durable, &config, &e) && apply_subject(request, &config, &e) &&
           consumer_config_judge(&config, stream_config(stream), &e) &&
           judge_action(request, stream, &config, &e);
    if (!fine) {
        api_error(js, request->type, request->reply, &e);
        return;
    }
    struct api_call *call = api_call_new(request);
    if (call)
        consumer_create(stream, &config, on_created, call);
}

void api_consumer_create(const struct api_request *request) {
    create(request, false);
}

void api_consumer_create_durable(const struct api_request *request) {
    create(request, true);
}

/* --- info, names, list, delete ------------------------------------------------------------ */

void api_consumer_info(const struct api_request *request) {
    struct consumer *consumer = api_consumer(request);
    if (!consumer)
        return;
    struct json_writer w = api_begin(request->js, request->type);
    api_write_consumer_info(&w, consumer);
    api_end(request->js, &w, request->reply);
}

static void write_name(struct json_writer *w, const struct consumer *consumer) {
    json_write_string(w, consumer_config(consumer)->name);
}

static void write_listed(struct json_writer *w, const struct consumer *consumer) {
    json_write_object(w);
    api_write_consumer_info(w, consumer);
    json_write_end(w);
}

static void page(const struct api_request *request, uint64_t limit,
                 void (*put)(struct json_writer *w, const struct consumer *consumer)) {
    struct stream *stream = api_stream(request);
    if (!stream)
        return;
    uint64_t offset = api_offset(request), total = 0;
    struct json_writer w = api_begin(request->js, request->type);
    json_write_key(&w, "consumers");
    json_write_array(&w);
    for (struct consumer *c = NULL;
         (c = consumer_next(stream, c ? consumer_config(c)->name : (slice){0}));) {
        if (total >= offset && total < offset + limit)
            put(&w, c);
        total++;
    }
    json_write_end(&w);
    api_write_page(&w, total, offset, limit);
    api_end(request->js, &w, request->reply);
}

void api_consumer_names(const struct api_request *request) {
    page(request, JETSTREAM_NAMES_PAGE, write_name);
}

void api_consumer_list(const struct api_request *request) {
    page(request, JETSTREAM_LIST_PAGE, write_listed);
}

static void on_deleted(void *self, struct consumer *consumer, const struct streams_error *error) {
    (void)consumer;
    struct api_call *call = self;
    if (error)
        api_error(call->js, call->type, api_call_reply(call), error);
    else
        api_success(call->js, call->type, api_call_reply(call));
    api_call_free(call);
}

void api_consumer_delete(const struct api_request *request) {
    struct consumer *consumer = api_consumer(request);
    struct api_call *call = consumer ? api_call_new(request) : NULL;
    if (call)
        consumer_delete(consumer, on_deleted, call);
}

/* --- PAUSE -------------------------------------------------------------------------------- */

static void on_paused(void *self, struct consumer *consumer, const struct streams_error *error) {
    struct api_call *call = self;
    if (error) {
        api_error(call->js, call->type, api_call_reply(call), error);
    } else {
        int64_t left = consumer_info(consumer).pause_left_ns;
        struct json_writer w = api_begin(call->js, call->type);
        json_write_key(&w, "paused");
        json_write_bool(&w, left > 0);
        api_write_time(&w, "pause_until", consumer_config(consumer)->pause_until_ns);
        if (left)
            json_put_u64(&w, "pause_remaining", (uint64_t)left);
        api_end(call->js, &w, api_call_reply(call));
    }
    api_call_free(call);
}

/* {"pause_until": time}; without it, or with one that has passed, the consumer goes on. */
void api_consumer_pause(const struct api_request *request) {
    struct consumer *consumer = api_consumer(request);
    if (!consumer)
        return;
    json_value until = json_member(request->json, slice_lit("pause_until"));
    struct consumer_config config = *consumer_config(consumer);
    struct streams_error e;
    config.pause_until_ns = 0;
    if (!config_read_time(until, "pause_until", &config.pause_until_ns, &e)) {
        api_error(request->js, request->type, request->reply, &e);
        return;
    }
    struct api_call *call = api_call_new(request);
    if (call)
        consumer_create(consumer_stream(consumer), &config, on_paused, call);
}

/* --- MSG.NEXT ----------------------------------------------------------------------------- */

void api_consumer_next(const struct api_request *request) {
    struct stream *stream = stream_find(request->js->streams, request->tokens[0]);
    struct consumer *consumer = stream ? consumer_find(stream, request->tokens[1]) : NULL;
    if (consumer) {
        consumer_pull_text(consumer, request->reply, request->payload);
        return;
    }
    /* nats-server has no subscription then: the client hears "no responders". */
    struct bus_message status = {.subject = request->reply,
                                 .headers = slice_lit("NATS/1.0 503\r\n\r\n")};
    api_publish(request->js, &status);
}
