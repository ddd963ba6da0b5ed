/*
 * jetstream_message.c - the API of single messages: get, delete.
 *
 * A get answers in JSON with base64, and may have to wait for a block; a delete is answered when it
 * is on disk. Reading without JSON is jetstream_direct.c.
 */
#include "base/base64.h"
#include "rooms/pubsub/jetstream.h"

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
    struct streams_error e = {0};
    uint64_t sequence;
    bool no_erase = false;
    if (!stream)
        return;
    int failed = json_bool(json_member(request->json, slice_lit("no_erase")), &no_erase);
    if (failed && failed != -ENOENT)
        streams_fail(&e, 400, 10025, "invalid JSON: \"no_erase\" is neither true nor false");
    if (json_u64(json_member(request->json, slice_lit("seq")), &sequence))
        streams_fail(&e, 400, 10025, "invalid JSON: \"seq\" is not a sequence");
    if (e.code) {
        api_error(request->js, request->type, request->reply, &e);
        return;
    }
    struct api_call *call = api_call_new(request);
    if (call)
        stream_delete_message(stream, sequence, !no_erase, on_deleted, call);
}
