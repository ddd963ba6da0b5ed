/*
 * audit_http.c - see audit_http.h: a page of all events, asked for on the bus (call.h), of which
 * the engine writes the lines.
 *
 * Times are those of the commits, by the node's clock; what an event says of its own time is its
 * author's word.
 */
#include "rooms/events/audit_http.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "bus/request.h"
#include "http/reply.h"
#include "rooms/events/call.h"
#include "rooms/events/face.h"
#include "wire/json_write.h"

#include <errno.h>

struct listing {
    struct bus *bus;
    struct http_request *request;
    struct bus_request *waiting;
    bool lines;
};

static void on_gone(void *self) {
    struct listing *l = self;
    bus_request_cancel(l->bus, l->waiting);
    mem_free(l);
}

static bool is_over(const struct read_end *end) {
    return end->next == UINT64_MAX || end->caught_up;
}

static int write_page(struct buf *out, const struct read_end *end) {
    _cleanup_buf_ struct buf entries = buf_make(HTTP_ANSWER_BYTES_MAX);
    struct json_writer w = json_writer_make(out, false);
    json_write_object(&w);
    json_write_key(&w, "last");
    json_write_u64(&w, end->last);
    json_write_key(&w, "after");
    if (is_over(end))
        json_write_null(&w);
    else
        json_write_u64(&w, end->next - 1);
    json_write_key(&w, "entries");
    if (face_array(&entries, end->lines))
        return -ENOMEM;
    json_write_raw(&w, buf_slice(&entries));
    json_write_end(&w);
    return json_write_finish(&w);
}

static void send_page(struct http_request *request, bool lines, const struct read_end *end) {
    _cleanup_buf_ struct buf page = buf_make(HTTP_ANSWER_BYTES_MAX);
    _cleanup_buf_ struct buf link = buf_make(FACE_LINK_MAX);
    struct http1_field fields[2] = {{slice_lit("Vary"), slice_lit("Accept")}};
    struct http_answer answer = {.status = 200,
                                 .type = lines ? NDJSON_TYPE : HTTP_JSON_TYPE,
                                 .fields = fields,
                                 .field_count = 1};
    int failed = lines ? 0 : write_page(&page, end);
    if (!failed && !is_over(end))
        failed = face_link(request, "after", end->next - 1, &link);
    if (link.len)
        fields[answer.field_count++] = (struct http1_field){slice_lit("Link"), buf_slice(&link)};
    if (failed)
        http_reply_problem(request, 503, "no memory for the answer");
    else
        http_reply(request, &answer, lines ? end->lines : buf_slice(&page));
}

static void on_page(void *owner, const struct bus_message *reply, int ended) {
    struct listing *l = owner;
    struct http_request *request = l->request;
    struct read_end end;
    bool lines = l->lines;
    if (!call_take_page(l->bus, &l->waiting, reply, ended, &end))
        return;
    mem_free(l);
    if (end.status != 200)
        http_reply_problem(request, end.status, "%.*s", slice_fmt(end.lines));
    else
        send_page(request, lines, &end);
}

/* --- what is asked for ---------------------------------------------------------------------- */

static bool read_time(struct http_request *request, const char *key, int64_t *time_ns) {
    bool there;
    if (!face_time(request, key, &there, time_ns))
        return false;
    if (there && *time_ns < 1)
        *time_ns = 1; /* 0 is no bound, and before 1970 there was nothing */
    return true;
}

static bool read_text(struct http_request *request, const char *key, slice *text) {
    return face_argument(request, key, text) &&
           (utf8_valid(*text) || face_refuse(request, key, "UTF-8 is wanted"));
}

static bool read_place(struct http_request *request, struct read_options *o) {
    uint64_t after = UINT64_MAX;
    if (!read_time(request, "from", &o->from_time_ns) ||
        !read_time(request, "to", &o->to_time_ns) ||
        !face_number(request, "after", INT64_MAX, &after) ||
        !face_limit(request, READ_EVENTS_MAX, &o->limit) ||
        !face_number(request, "min_position", INT64_MAX, &o->position_min))
        return false;
    if (after != UINT64_MAX) {
        o->from = after + 1;
        o->from_time_ns = 0;
    }
    return true;
}

void audit_http_list(void *owner, struct http_request *request) {
    static const struct http_request_events events = {.on_gone = on_gone};
    _cleanup_buf_ struct buf category = buf_make(EVENT_SUBJECT_MAX);
    struct read_options options = {.audit = true};
    if (!read_text(request, "actor", &options.actor) ||
        !read_text(request, "correlation", &options.correlation) ||
        !face_words(request, "types", READ_FILTERS_MAX, options.types, &options.type_count) ||
        !read_place(request, &options) || !face_category(request, &category))
        return;
    options.category = buf_slice(&category);
    struct listing *l = mem_zalloc(1, sizeof *l);
    int failed = l ? 0 : -ENOMEM;
    if (!failed) {
        *l = (struct listing){.bus = owner,
                              .request = request,
                              .lines = face_accepts(request, slice_lit(NDJSON_TYPE))};
        failed = call_ask_page(l->bus, &options, on_page, l, &l->waiting);
    }
    if (!face_later(request, failed, &events, l))
        mem_free(l);
}
