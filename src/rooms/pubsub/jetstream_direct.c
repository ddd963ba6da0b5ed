/*
 * jetstream_direct.c - direct get (ADR-31): `$JS.API.DIRECT.GET.<stream>[.<subject>]`.
 *
 * The answer is the message itself, with where it stands in headers, or a bare status: 404 nothing
 * there, 408 a request that says nothing, contradicts itself or is no JSON, 413 too many subjects.
 *
 *     {seq} {last_by_subj} {next_by_subj, seq?} {start_time}      one message
 *     {batch, max_bytes?, seq? or start_time?, next_by_subj?}     many, then 204 EOB
 *     {multi_last: [filters], up_to_seq? or up_to_time?, seq?, batch?, max_bytes?}
 *                                                                 the last of each subject, 204 EOB
 *
 * Many messages go out without flow control, so at most max_bytes of them: without it half of what
 * one client's output may hold (limits.max_pending), beyond which the client would be cut off.
 * Where `seq` of a batch is gone, the batch begins at the next message.
 */
#include "base/clocktext.h"
#include "base/mem.h"
#include "bus/stored_headers.h"
#include "bus/stream_walk.h"
#include "rooms/pubsub/jetstream.h"
#include "wire/nats_headers.h"
#include "wire/nats_subject.h"

#include <errno.h>

/* --- what is asked for -------------------------------------------------------------------- */

struct wanted {
    uint64_t sequence, up_to, batch, bytes_max;
    int64_t start_time_ns, up_to_time_ns; /* 0 = none */
    slice last_of, next_of;
    bool has_batch;
    unsigned multi_count;
    slice *multi; /* in the arena of the request */
};

static bool read_number(json_value object, const char *key, uint64_t *number) {
    json_value v = json_member(object, slice_str(key));
    return json_type_of(v) == JSON_ABSENT || json_u64(v, number) == 0;
}

static bool read_text(json_value object, const char *key, slice *text) {
    json_value v = json_member(object, slice_str(key));
    return json_type_of(v) == JSON_ABSENT || json_string(v, text) == 0;
}

static bool read_time(json_value object, const char *key, int64_t *time_ns) {
    slice text = {0};
    if (!read_text(object, key, &text))
        return false;
    if (!text.len)
        return true;
    if (clocktext_parse(text, time_ns))
        return false;
    *time_ns += *time_ns == 0; /* 0 stands for "none" */
    return true;
}

static bool read_multi(json_value object, struct arena *arena, struct wanted *w) {
    json_value v = json_member(object, slice_lit("multi_last"));
    if (json_type_of(v) == JSON_ABSENT)
        return true;
    size_t count = json_count(v);
    if (json_type_of(v) != JSON_ARRAY || count > STREAM_WALK_FILTERS_MAX)
        return false;
    w->multi = arena_alloc(arena, count * sizeof *w->multi);
    if (!w->multi)
        return false;
    struct json_iterator i = json_each(v);
    while (json_next(&i)) {
        slice filter;
        if (json_string(i.value, &filter) || !nats_subject_valid(filter))
            return false;
        w->multi[w->multi_count++] = filter;
    }
    return true;
}

/* NULL, or what is wrong with the request. */
static const char *read_wanted(const struct api_request *request, struct wanted *w) {
    struct json_doc *doc = &request->js->doc;
    *w = (struct wanted){0};
    if (!request->payload.len)
        return "Empty Request";
    if (json_parse(doc, request->payload))
        return "Malformed Request";
    json_value o = json_root(doc);
    if (json_type_of(o) != JSON_OBJECT || !read_number(o, "seq", &w->sequence) ||
        !read_text(o, "last_by_subj", &w->last_of) || !read_text(o, "next_by_subj", &w->next_of) ||
        !read_number(o, "batch", &w->batch) || !read_number(o, "max_bytes", &w->bytes_max) ||
        !read_number(o, "up_to_seq", &w->up_to) || !read_time(o, "start_time", &w->start_time_ns) ||
        !read_time(o, "up_to_time", &w->up_to_time_ns) || !read_multi(o, &request->js->arena, w))
        return "Malformed Request";
    w->has_batch = w->batch > 0;
    bool last = w->last_of.len, next = w->next_of.len, multi = w->multi_count;
    if (!w->sequence && !last && !next && !multi && !w->start_time_ns)
        return "Empty Request";
    if (last + next + multi > 1 || (last && (w->sequence || w->start_time_ns || w->has_batch)) ||
        (w->sequence && w->start_time_ns) || (multi && w->start_time_ns) ||
        (w->up_to && w->up_to_time_ns) || (!multi && (w->up_to || w->up_to_time_ns)))
        return "Bad Request";
    return NULL;
}

/* --- answers ------------------------------------------------------------------------------ */

void api_status(struct jetstream *js, slice reply, unsigned code, const char *words) {
    _cleanup_buf_ struct buf headers = buf_make(256);
    if (nats_headers_begin(&headers, code, slice_str(words)) || nats_headers_end(&headers))
        return;
    api_publish(js, &(struct bus_message){.subject = reply, .headers = buf_slice(&headers)});
}

/* Where a message of a batch stands in it. */
struct standing {
    uint64_t pending, before;
};

/* The stored headers, then where the message stands. STANDING may be NULL. */
static int write_headers(struct buf *out, slice stream_name, const struct log_record *record,
                         const struct standing *standing) {
    int failed = stored_headers_begin(out, stream_name, record);
    if (!failed && standing)
        failed = nats_headers_add_u64(out, slice_lit("Nats-Num-Pending"), standing->pending);
    if (!failed && standing)
        failed = nats_headers_add_u64(out, slice_lit("Nats-Last-Sequence"), standing->before);
    return failed ? failed : nats_headers_end(out);
}

struct direct {
    struct api_call *call;
    uint64_t left, bytes_left; /* of a batch */
    bool multi;
    size_t name_len;
    char name[STREAMS_NAME_MAX];
};

static void direct_free(struct direct *direct) {
    api_call_free(direct->call);
    mem_free(direct);
}

/* The bytes sent; 0 where there is no memory for them. */
static size_t send_message(struct direct *direct, const struct log_record *record,
                           const struct standing *standing) {
    _cleanup_buf_ struct buf headers = buf_make(LOG_MESSAGE_MAX);
    if (write_headers(&headers, slice_make(direct->name, direct->name_len), record, standing))
        return 0;
    struct bus_message message = {.subject = api_call_reply(direct->call),
                                  .headers = buf_slice(&headers),
                                  .payload = record->payload};
    api_publish(direct->call->js, &message);
    return message.headers.len + message.payload.len;
}

/* --- one message -------------------------------------------------------------------------- */

static void on_one(void *self, const struct log_record *record, const struct streams_error *error) {
    struct direct *direct = self;
    struct jetstream *js = direct->call->js;
    slice reply = api_call_reply(direct->call);
    if (error && error->code == 404)
        api_status(js, reply, 404, "Message Not Found");
    else if (error || !send_message(direct, record, NULL))
        api_status(js, reply, 500, error ? error->description : "Insufficient Resources");
    direct_free(direct);
}

/* --- many --------------------------------------------------------------------------------- */

static bool on_each(void *self, const struct log_record *record, uint64_t pending,
                    uint64_t before) {
    struct direct *direct = self;
    size_t sent =
        send_message(direct, record, &(struct standing){.pending = pending, .before = before});
    direct->bytes_left = sent && sent < direct->bytes_left ? direct->bytes_left - sent : 0;
    return --direct->left > 0 && direct->bytes_left > 0;
}

static void send_end(struct direct *direct, const struct stream_walk_end *end) {
    _cleanup_buf_ struct buf out = buf_make(512);
    int failed = nats_headers_begin(&out, 204, slice_lit("EOB"));
    if (!failed)
        failed = nats_headers_add_u64(&out, slice_lit("Nats-Num-Pending"), end->pending);
    if (!failed)
        failed = nats_headers_add_u64(&out, slice_lit("Nats-Last-Sequence"), end->last);
    if (!failed && direct->multi)
        failed = nats_headers_add_u64(&out, slice_lit("Nats-UpTo-Sequence"), end->up_to);
    if (!failed && nats_headers_end(&out) == 0)
        api_publish(direct->call->js, &(struct bus_message){.subject = api_call_reply(direct->call),
                                                            .headers = buf_slice(&out)});
}

static void on_walked(void *self, const struct stream_walk_end *end) {
    struct direct *direct = self;
    struct jetstream *js = direct->call->js;
    slice reply = api_call_reply(direct->call);
    if (end->error && end->error->code == 413)
        api_status(js, reply, 413, "Too Many Results");
    else if (end->error)
        api_status(js, reply, end->error->code == 404 ? 404 : 500, end->error->description);
    else if (end->count)
        send_end(direct, end);
    else
        api_status(js, reply, 404, direct->multi ? "No Results" : "Message Not Found");
    direct_free(direct);
}

static void get_many(struct stream *stream, const struct wanted *w, struct direct *direct) {
    struct stream_walk_options options = {
        .subject = w->next_of,
        .from = w->sequence,
        .from_time_ns = w->start_time_ns,
        .last_of = w->multi,
        .last_of_count = w->multi_count,
        .up_to = w->up_to,
        .up_to_time_ns = w->up_to_time_ns,
    };
    direct->multi = w->multi_count > 0;
    stream_walk(stream, &options, on_each, on_walked, direct);
}

/* --- requests ----------------------------------------------------------------------------- */

static struct direct *direct_new(const struct api_request *request, const struct wanted *w) {
    struct direct *direct = mem_zalloc(1, sizeof *direct);
    struct api_call *call = direct ? api_call_new(request) : NULL;
    if (!call) {
        mem_free(direct);
        return NULL;
    }
    uint64_t pending_max = request->js->shard->node->limits.pending_bytes_max;
    direct->call = call;
    direct->left = w->has_batch ? w->batch : w->multi_count ? UINT64_MAX : 1;
    direct->bytes_left = w->bytes_max ? w->bytes_max : pending_max / 2;
    direct->name_len = request->tokens[0].len;
    memcpy(direct->name, request->tokens[0].ptr, direct->name_len);
    return direct;
}

/* Behind "DIRECT.GET.<stream>." stands a subject, whose last message is asked for. */
static const char *read_request(const struct api_request *request, struct wanted *w) {
    if (request->token_count == 1)
        return read_wanted(request, w);
    *w = (struct wanted){.last_of = slice_skip(request->rest, request->tokens[0].len + 1)};
    return request->payload.len ? "Bad Request" : NULL;
}

void api_direct_get(const struct api_request *request) {
    struct jetstream *js = request->js;
    struct stream *stream = stream_find(js->streams, request->tokens[0]);
    struct wanted w;
    if (!stream || !stream_config(stream)->allow_direct) {
        api_status(js, request->reply, 503, "");
        return;
    }
    const char *wrong = read_request(request, &w);
    if (wrong) {
        api_status(js, request->reply, 408, wrong);
        return;
    }
    struct direct *direct = direct_new(request, &w);
    if (!direct)
        return;
    if (w.multi_count || w.has_batch || w.start_time_ns)
        get_many(stream, &w, direct);
    else
        stream_get(stream, w.next_of.len && !w.sequence ? 1 : w.sequence,
                   w.last_of.len ? w.last_of : w.next_of, on_one, direct);
}
