/*
 * jetstream_message.c - the API of single messages: get, delete, direct get.
 *
 * A get answers in JSON with base64; a direct get answers with the message itself and tells where
 * it stands in headers (ADR-31), or with a bare status. Both may have to wait for a block.
 */
#include "base/base64.h"
#include "base/clocktext.h"
#include "base/mem.h"
#include "base/number.h"
#include "rooms/pubsub/jetstream.h"
#include "wire/nats_headers.h"

#include <errno.h>

/* --- what is asked for -------------------------------------------------------------------- */

struct wanted {
    uint64_t sequence;
    slice subject;
};

static bool read_wanted(json_value json, struct wanted *wanted, struct streams_error *e) {
    *wanted = (struct wanted){0};
    json_value sequence = json_member(json, slice_lit("seq"));
    if (json_type_of(sequence) != JSON_ABSENT && json_u64(sequence, &wanted->sequence))
        return streams_fail(e, 400, 10025, "invalid JSON: \"seq\" is not a sequence");
    slice last = {0}, next = {0};
    bool has_last = json_string(json_member(json, slice_lit("last_by_subj")), &last) == 0;
    bool has_next = json_string(json_member(json, slice_lit("next_by_subj")), &next) == 0;
    wanted->subject = has_last ? last : next;
    if (has_next && !wanted->sequence)
        wanted->sequence = 1;
    if ((has_last && (has_next || wanted->sequence)) || (!wanted->sequence && !wanted->subject.len))
        return streams_fail(e, 400, 10003, "bad request");
    return true;
}

/* --- MSG.GET ------------------------------------------------------------------------------ */

static void write_base64(struct json_writer *w, struct arena *arena, const char *key, slice bytes) {
    size_t len = base64_encoded_len(BASE64_STANDARD, bytes.len);
    char *text = arena_alloc(arena, len);
    if (!text) {
        w->error = -ENOMEM;
        return;
    }
    base64_encode(BASE64_STANDARD, bytes, text);
    json_write_key(w, key);
    json_write_string(w, slice_make(text, len));
}

static void on_got(void *self, const struct log_record *record, const struct streams_error *error) {
    struct api_call *call = self;
    struct jetstream *js = call->js;
    if (error) {
        api_error(js, call->type, api_call_reply(call), error);
        api_call_free(call);
        return;
    }
    struct arena arena = arena_make(0, JETSTREAM_ANSWER_MAX * 2ul);
    struct json_writer w = api_begin(js, call->type);
    json_write_key(&w, "message");
    json_write_object(&w);
    json_write_key(&w, "subject");
    json_write_string(&w, record->subject);
    json_write_key(&w, "seq");
    json_write_u64(&w, record->sequence);
    if (record->headers.len)
        write_base64(&w, &arena, "hdrs", record->headers);
    if (record->payload.len)
        write_base64(&w, &arena, "data", record->payload);
    api_write_time(&w, "time", record->time_ns);
    json_write_end(&w);
    api_end(js, &w, api_call_reply(call));
    arena_free(&arena);
    api_call_free(call);
}

void api_message_get(const struct api_request *request) {
    struct stream *stream = api_stream(request);
    struct wanted wanted;
    struct streams_error e;
    if (!stream)
        return;
    if (!read_wanted(request->json, &wanted, &e)) {
        api_error(request->js, request->type, request->reply, &e);
        return;
    }
    struct api_call *call = api_call_new(request);
    if (call)
        stream_get(stream, wanted.sequence, wanted.subject, on_got, call);
}

/* --- MSG.DELETE --------------------------------------------------------------------------- */

static void on_deleted(void *self, struct stream *stream, const struct streams_error *error) {
    (void)stream;
    struct api_call *call = self;
    if (error)
        api_error(call->js, call->type, api_call_reply(call), error);
    else
        api_success(call->js, call->type, api_call_reply(call));
    api_call_free(call);
}

void api_message_delete(const struct api_request *request) {
    struct stream *stream = api_stream(request);
    uint64_t sequence;
    if (!stream)
        return;
    if (json_u64(json_member(request->json, slice_lit("seq")), &sequence)) {
        struct streams_error e;
        streams_fail(&e, 400, 10025, "invalid JSON: \"seq\" is not a sequence");
        api_error(request->js, request->type, request->reply, &e);
        return;
    }
    struct api_call *call = api_call_new(request);
    if (call)
        stream_delete_message(stream, sequence, on_deleted, call);
}

/* --- DIRECT.GET: the message itself, with where it stands in headers (ADR-31) ------------- */

static void send_status(struct jetstream *js, slice reply, unsigned code, const char *words) {
    _cleanup_buf_ struct buf headers = buf_make(256);
    if (nats_headers_begin(&headers, code, slice_str(words)) || nats_headers_end(&headers))
        return;
    api_publish(js, &(struct bus_message){.subject = reply, .headers = buf_slice(&headers)});
}

static int add_number(struct buf *headers, const char *key, uint64_t number) {
    char digits[20];
    return nats_headers_add(headers, slice_str(key),
                            slice_make(digits, number_format_u64(number, digits)));
}

/* The stored headers without their first and last line, then where the message stands. */
static int write_direct_headers(struct buf *out, slice stream_name,
                                const struct log_record *record) {
    char time[CLOCKTEXT_SIZE];
    size_t time_len = clocktext_format(record->time_ns, time);
    int failed = nats_headers_begin(out, 0, (slice){0});
    struct nats_status status;
    struct nats_field field;
    if (!failed && record->headers.len && nats_headers_parse(record->headers, &status) == 0)
        while (!failed && nats_headers_next(&status.fields, &field))
            failed = nats_headers_add(out, field.key, field.value);
    if (!failed)
        failed = nats_headers_add(out, slice_lit("Nats-Stream"), stream_name);
    if (!failed)
        failed = nats_headers_add(out, slice_lit("Nats-Subject"), record->subject);
    if (!failed)
        failed = add_number(out, "Nats-Sequence", record->sequence);
    if (!failed)
        failed = nats_headers_add(out, slice_lit("Nats-Time-Stamp"), slice_make(time, time_len));
    return failed ? failed : nats_headers_end(out);
}

struct direct {
    struct api_call *call;
    size_t name_len;
    char name[STREAMS_NAME_MAX];
};

static void on_direct(void *self, const struct log_record *record,
                      const struct streams_error *error) {
    struct direct *direct = self;
    struct jetstream *js = direct->call->js;
    slice reply = api_call_reply(direct->call);
    _cleanup_buf_ struct buf headers = buf_make(LOG_MESSAGE_MAX);
    if (error && error->code == 404)
        send_status(js, reply, 404, "Message Not Found");
    else if (error ||
             write_direct_headers(&headers, slice_make(direct->name, direct->name_len), record))
        send_status(js, reply, 500, error ? error->description : "Insufficient Resources");
    else {
        struct bus_message message = {
            .subject = reply, .headers = buf_slice(&headers), .payload = record->payload};
        api_publish(js, &message);
    }
    api_call_free(direct->call);
    mem_free(direct);
}

/* The subject behind "DIRECT.GET.<stream>." asks for its last message. */
static bool read_direct(const struct api_request *request, struct wanted *wanted) {
    struct streams_error e;
    if (request->token_count == 1)
        return read_wanted(request->json, wanted, &e);
    *wanted = (struct wanted){.subject = slice_skip(request->rest, request->tokens[0].len + 1)};
    return request->payload.len == 0;
}

void api_direct_get(const struct api_request *request) {
    struct jetstream *js = request->js;
    struct stream *stream = stream_find(js->streams, request->tokens[0]);
    struct wanted wanted;
    if (!stream || !stream_config(stream)->allow_direct) {
        send_status(js, request->reply, 503, "");
        return;
    }
    if (!read_direct(request, &wanted)) {
        send_status(js, request->reply, 408, "Bad Request");
        return;
    }
    struct direct *direct = mem_zalloc(1, sizeof *direct);
    struct api_call *call = direct ? api_call_new(request) : NULL;
    if (!call) {
        mem_free(direct);
        return;
    }
    direct->call = call;
    direct->name_len = request->tokens[0].len;
    memcpy(direct->name, request->tokens[0].ptr, direct->name_len);
    stream_get(stream, wanted.sequence, wanted.subject, on_direct, direct);
}
