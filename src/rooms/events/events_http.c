/*
 * events_http.c - events read, and verified, over HTTP: requests become requests on the bus
 * (call.h), answers JSON, lines of JSON (application/x-ndjson) or a batch of CloudEvents
 * (application/cloudevents-batch+json). Link says where the next page is, ETag of a stream its last
 * revision.
 *
 *     parameter      of        what
 *     from           both      revision, or position, of the first; backwards: of the newest
 *     after          both      the same, one behind it: what `next` and a checkpoint tell minus one
 *     time           both      RFC 3339, of the commit: the first at or after it
 *     position       stream    the first at or after it
 *     direction      both      forwards (default), backwards
 *     limit          both      1 to 1000 events a page (100)
 *     types, tags    both      lists with commas: one of the types, all of the tags
 *     category       events    events of its streams only
 *     min_position   both      not before the node has got so far: 504 after two seconds
 *     wait           both      a duration to 60s: an empty page waits for events
 *     follow=1       both      goes on for ever, in lines, with markers in between
 *
 * A MARKER is a line {"marker":"caught_up","position":N}: everything up to N has been sent. Then
 * "checkpoint" comes now and then where nothing matched, and "fell_behind" where events come faster
 * than they are taken.
 */
#include "rooms/events/events_http.h"

#include "base/mem.h"
#include "base/number.h"
#include "bus/request.h"
#include "http/reply.h"
#include "http/routes.h"
#include "rooms/events/call.h"
#include "rooms/events/cloudevent.h"
#include "rooms/events/face.h"
#include "wire/json_write.h"

#include <errno.h>
#include <stdio.h>

#define FOLLOW_WAIT_NS UINT64_C(15000000000)

/* --- what a read asks for ----------------------------------------------------------------- */

enum format { FORMAT_JSON, FORMAT_LINES, FORMAT_CLOUDEVENTS };

struct asked {
    struct read_options o;
    enum format format;
    bool follow;
    char category[EVENT_SUBJECT_MAX];
};

static bool read_direction(struct http_request *request, struct asked *a) {
    slice value;
    if (!face_argument(request, "direction", &value))
        return false;
    a->o.backwards = slice_equal(value, slice_lit("backwards"));
    if (value.len && !a->o.backwards && !slice_equal(value, slice_lit("forwards")))
        return face_refuse(request, "direction", "forwards or backwards");
    if (a->o.backwards)
        a->o.from = UINT64_MAX;
    return true;
}

static bool read_wait(struct http_request *request, struct asked *a) {
    slice value;
    if (!face_argument(request, "wait", &value))
        return false;
    if (value.len &&
        (number_parse_duration(value, &a->o.wait_ns) || a->o.wait_ns > READ_WAIT_MAX_NS))
        return face_refuse(request, "wait", "a duration of at most 60s is wanted");
    if (!face_flag(request, "follow", &a->follow))
        return false;
    if (a->follow && a->o.backwards)
        return face_refuse(request, "follow", "goes forwards only");
    if (a->follow && a->format == FORMAT_CLOUDEVENTS)
        return face_refuse(request, "follow", "markers are no CloudEvents: follow in JSON lines");
    if (a->follow)
        a->o.wait_ns = FOLLOW_WAIT_NS;
    return true;
}

/* A beginning that is no `from`. */
static bool read_place(struct http_request *request, struct asked *a) {
    bool has_time;
    uint64_t after = UINT64_MAX;
    if (!face_number(request, "after", INT64_MAX, &after) ||
        !face_time(request, "time", &has_time, &a->o.from_time_ns) ||
        !face_number(request, "position", INT64_MAX, &a->o.from_position))
        return false;
    if (after != UINT64_MAX)
        a->o.from = after + 1;
    if (a->o.backwards && (has_time || a->o.from_position))
        return face_refuse(request, has_time ? "time" : "position", "is for reading forwards");
    return true;
}

static bool read_common(struct http_request *request, struct asked *a) {
    a->format = face_accepts(request, slice_lit(NDJSON_TYPE))             ? FORMAT_LINES
                : face_accepts(request, slice_lit(CLOUDEVENT_BATCH_TYPE)) ? FORMAT_CLOUDEVENTS
                                                                          : FORMAT_JSON;
    a->o.cloudevents = a->format == FORMAT_CLOUDEVENTS;
    if (!read_direction(request, a) || !face_number(request, "from", INT64_MAX, &a->o.from) ||
        !face_limit(request, READ_EVENTS_MAX, &a->o.limit) ||
        !face_number(request, "min_position", INT64_MAX, &a->o.position_min) ||
        !face_words(request, "types", READ_FILTERS_MAX, a->o.types, &a->o.type_count) ||
        !face_words(request, "tags", READ_FILTERS_MAX, a->o.tags, &a->o.tag_count) ||
        !read_wait(request, a) || !read_place(request, a))
        return false;
    return true;
}

static bool read_category(struct http_request *request, struct asked *a) {
    slice only;
    struct buf category = {
        .ptr = a->category, .cap = sizeof a->category, .max = sizeof a->category};
    if (!face_category(request, &category))
        return false;
    a->o.category = buf_slice(&category);
    if (face_is_confined(request, &only) && !category.len)
        a->o.category = only;
    if (a->o.category.len)
        return face_may(request, a->o.category);
    return !face_is_confined(request, &only) ||
           face_refuse(request, "category", "this route is for some of them: say which one");
}

/* --- pages -------------------------------------------------------------------------------- */

/* A page, or one page after the other. */
struct reading {
    struct bus *bus;
    struct http_request *request;
    struct bus_request *waiting;
    enum format format;
    bool follow, begun, caught_up;
    slice name;            /* of the event stream, in text; empty: all events */
    struct read_options o; /* for the pages that follow; in text, too */
    struct buf kept;       /* lines that the client has not taken */
    char text[];
};

static void reading_free(struct reading *r) {
    buf_free(&r->kept);
    mem_free(r);
}

static void on_read_gone(void *self) {
    struct reading *r = self;
    if (r->waiting)
        bus_request_cancel(r->bus, r->waiting);
    reading_free(r);
}

static void on_page(void *owner, const struct bus_message *reply, int ended);

static int ask(struct reading *r) {
    return call_ask_page(r->bus, &r->o, on_page, r, &r->waiting);
}

static int write_page(struct buf *out, const struct reading *r, const struct read_end *end) {
    struct json_writer w = json_writer_make(out, false);
    json_write_object(&w);
    if (r->name.len) {
        json_write_key(&w, "stream");
        json_write_string(&w, r->name);
        json_write_key(&w, "first");
        json_write_u64(&w, end->first);
    }
    json_write_key(&w, "last");
    json_write_u64(&w, end->last);
    json_write_key(&w, "next");
    if (end->next == UINT64_MAX || (r->name.len && end->caught_up))
        json_write_null(&w);
    else
        json_write_u64(&w, end->next);
    if (!r->o.backwards) {
        json_write_key(&w, "caught_up");
        json_write_bool(&w, end->caught_up);
    }
    json_write_key(&w, "events");
    _cleanup_buf_ struct buf array = buf_make(HTTP_ANSWER_BYTES_MAX);
    if (face_array(&array, end->lines))
        return -ENOMEM;
    json_write_raw(&w, buf_slice(&array));
    json_write_end(&w);
    return json_write_finish(&w);
}

static void send_page(struct reading *r, const struct read_end *end) {
    static const char *const types[] = {HTTP_JSON_TYPE, NDJSON_TYPE, CLOUDEVENT_BATCH_TYPE};
    _cleanup_buf_ struct buf page = buf_make(HTTP_ANSWER_BYTES_MAX);
    _cleanup_buf_ struct buf link = buf_make(FACE_LINK_MAX);
    struct http_request *request = r->request;
    char etag[FACE_ETAG_MAX];
    struct http1_field fields[3] = {{slice_lit("Vary"), slice_lit("Accept")}};
    struct http_answer answer = {
        .status = 200, .type = types[r->format], .fields = fields, .field_count = 1};
    slice body = end->lines;
    int failed = 0;
    if (r->format != FORMAT_LINES) {
        failed = r->format == FORMAT_JSON ? write_page(&page, r, end) : face_array(&page, body);
        body = buf_slice(&page);
    }
    if (r->name.len)
        fields[answer.field_count++] = face_etag(end->last, etag);
    bool more = end->next != UINT64_MAX && !(r->name.len && end->caught_up);
    if (!failed && more)
        failed = face_link(request, "from", end->next, &link);
    if (link.len)
        fields[answer.field_count++] = (struct http1_field){slice_lit("Link"), buf_slice(&link)};
    if (failed)
        http_reply_problem(request, 503, "the page is too large: ask for fewer events");
    else
        http_reply(request, &answer, body);
    reading_free(r);
}

/* --- following ---------------------------------------------------------------------------- */

static int add_marker(struct reading *r, const char *marker, uint64_t position) {
    return buf_printf(&r->kept, "{\"marker\":\"%s\",\"%s\":%llu}\n", marker,
                      r->name.len ? "revision" : "position", (unsigned long long)position);
}

static int keep_page(struct reading *r, const struct read_end *end) {
    int failed = 0;
    uint64_t sent = end->next ? end->next - 1 : 0;
    if (r->caught_up && !end->caught_up)
        failed = add_marker(r, "fell_behind", sent);
    if (!failed)
        failed = buf_append(&r->kept, end->lines);
    if (!failed && end->caught_up && (!r->caught_up || end->count == 0))
        failed = add_marker(r, r->caught_up ? "checkpoint" : "caught_up", sent);
    else if (!failed && !end->caught_up && end->count == 0)
        failed = add_marker(r, "checkpoint", sent);
    r->caught_up = end->caught_up;
    return failed;
}

static void stop(struct reading *r) {
    struct http_request *request = r->request;
    reading_free(r);
    http_reply_break(request);
}

/* Sends what is kept, as far as it is taken; then asks for more. */
static void send_kept(struct reading *r) {
    size_t sent = 0;
    while (sent < r->kept.len) {
        size_t part = r->kept.len - sent;
        if (part > HTTP_STREAM_HIGH_BYTES)
            part = HTTP_STREAM_HIGH_BYTES;
        int failed = http_reply_write(r->request, slice_make(r->kept.ptr + sent, part));
        if (failed == -EAGAIN) {
            buf_consume(&r->kept, sent);
            return; /* on_room */
        }
        if (failed) {
            stop(r);
            return;
        }
        sent += part;
    }
    buf_clear(&r->kept);
    if (!http_reply_full(r->request) && ask(r))
        stop(r);
}

static void on_room(void *self) {
    struct reading *r = self;
    if (!r->waiting)
        send_kept(r);
}

static void follow(struct reading *r, const struct read_end *end) {
    struct http_answer answer = {.status = 200, .type = NDJSON_TYPE};
    r->o.from = end->next;
    r->o.from_time_ns = 0;
    r->o.from_position = 0;
    int failed = r->begun ? 0 : http_reply_begin(r->request, &answer);
    if (failed) {
        struct http_request *request = r->request;
        reading_free(r);
        http_reply_problem(request, 503, "no memory for the answer");
        return;
    }
    r->begun = true;
    if (keep_page(r, end))
        stop(r);
    else
        send_kept(r);
}

static void fail(struct reading *r, unsigned status, slice words) {
    struct http_request *request = r->request;
    if (r->begun) {
        stop(r);
        return;
    }
    reading_free(r);
    http_reply_problem(request, status, "%.*s", slice_fmt(words));
}

static void on_page(void *owner, const struct bus_message *reply, int ended) {
    struct reading *r = owner;
    struct read_end end;
    if (!call_take_page(r->bus, &r->waiting, reply, ended, &end))
        return;
    if (end.status != 200)
        fail(r, end.status, end.lines);
    else if (r->follow)
        follow(r, &end);
    else
        send_page(r, &end);
}

static void begin(struct bus *bus, struct http_request *request, const struct asked *a,
                  slice name) {
    static const struct http_request_events events = {.on_gone = on_read_gone, .on_room = on_room};
    struct reading *r = mem_zalloc(1, sizeof *r + name.len + read_options_bytes(&a->o));
    int failed = r ? 0 : -ENOMEM;
    if (r) {
        r->bus = bus;
        r->request = request;
        char *at = r->text;
        r->format = a->format;
        r->follow = a->follow;
        r->kept = buf_make(LOG_MESSAGE_MAX * 2u);
        r->name = slice_store(&at, name);
        r->o = read_options_store(&a->o, &at);
        failed = ask(r);
    }
    if (!face_later(request, failed, &events, r) && r)
        reading_free(r);
}

void events_http_stream(void *owner, struct http_request *request) {
    struct asked a = {0};
    _cleanup_buf_ struct buf subject = buf_make(EVENT_SUBJECT_MAX);
    if (!face_subject(request, &subject) || !read_common(request, &a))
        return;
    a.o.subject = buf_slice(&subject);
    begin(owner, request, &a, http_request_parameter(request, "stream"));
}

void events_http_all(void *owner, struct http_request *request) {
    struct asked a = {0};
    if (read_common(request, &a) && read_category(request, &a))
        begin(owner, request, &a, (slice){0});
}

/* --- verify ------------------------------------------------------------------------------- */

#define VERIFY_NS UINT64_C(86400000000000) /* a day */
#define VERIFY_STALL_NS UINT64_C(60000000000)
#define FINDINGS_BYTES_MAX (8u << 20) /* told; all are counted */

struct verifying {
    struct bus *bus;
    struct http_request *request;
    struct bus_request *waiting;
    struct json_writer w;
    struct buf findings;
};

static void verifying_free(struct verifying *v) {
    buf_free(&v->findings);
    mem_free(v);
}

static void on_verify_gone(void *self) {
    struct verifying *v = self;
    bus_request_cancel(v->bus, v->waiting);
    verifying_free(v);
}

/* {"report":{...},"findings":["...", ...]} */
static void send_report(struct verifying *v, slice report) {
    _cleanup_buf_ struct buf text = buf_make(HTTP_ANSWER_BYTES_MAX);
    struct json_writer w = json_writer_make(&text, false);
    json_write_end(&v->w);
    bool whole = json_write_finish(&v->w) == 0;
    json_write_object(&w);
    json_write_key(&w, "report");
    json_write_raw(&w, report);
    json_write_key(&w, "findings");
    if (whole)
        json_write_raw(&w, buf_slice(&v->findings));
    else
        json_write_null(&w); /* too many to be told */
    json_write_end(&w);
    struct http_request *request = v->request;
    verifying_free(v);
    if (json_write_finish(&w))
        http_reply_problem(request, 503, "no memory for the report");
    else
        http_reply_json(request, 200, buf_slice(&text));
}

static void on_verify_reply(void *owner, const struct bus_message *reply, int ended) {
    struct verifying *v = owner;
    struct http_request *request = v->request;
    unsigned status = reply ? call_read_status(reply) : 0;
    if (!call_answered(v->bus, &v->waiting, reply)) {
        if (reply->payload.len)
            json_write_string(&v->w, reply->payload);
        return;
    }
    if (status == 200) {
        send_report(v, reply->payload);
        return;
    }
    verifying_free(v);
    http_reply_problem(request, 503, "event streams cannot be verified now: %s",
                       status ? "another verification is under way, or the node stops"
                              : error_name(ended));
}

void events_http_verify(void *owner, struct http_request *request) {
    static const struct http_request_events events = {.on_gone = on_verify_gone};
    struct verifying *v = mem_zalloc(1, sizeof *v);
    int failed = v ? 0 : -ENOMEM;
    if (v) {
        *v = (struct verifying){.bus = owner, .request = request};
        v->findings = buf_make(FINDINGS_BYTES_MAX);
        v->w = json_writer_make(&v->findings, false);
        json_write_array(&v->w);
        struct bus_request_options options = {
            .message = {.subject = slice_lit(CALL_VERIFY)},
            .timeout_ns = VERIFY_NS,
            .replies_max = UINT32_MAX,
            .stall_ns = VERIFY_STALL_NS,
            .on_reply = on_verify_reply,
            .owner = v,
        };
        failed = bus_request(owner, &options, &v->waiting);
    }
    if (!face_later(request, failed, &events, v) && v)
        verifying_free(v);
}
