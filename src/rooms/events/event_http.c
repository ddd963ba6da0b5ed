/*
 * event_http.c - see event_http.h: a page of one event, asked for on the bus (call.h).
 *
 * The engine writes the line in the form that is wanted; binary mode is made of a CloudEvent's. A
 * head that would be larger than what HTTP clients take is refused with the way out.
 */
#include "rooms/events/event_http.h"

#include "base/mem.h"
#include "base/number.h"
#include "bus/request.h"
#include "http/reply.h"
#include "rooms/events/call.h"
#include "rooms/events/cloudevent.h"
#include "rooms/events/face.h"

#include <errno.h>

#define HEAD_BYTES_MAX (32u << 10) /* of a binary answer; an HTTP client takes about as much */

enum mode { MODE_JSON, MODE_STRUCTURED, MODE_BINARY };

struct one {
    struct bus *bus;
    struct http_request *request;
    struct bus_request *waiting;
    enum mode mode;
    uint64_t revision;
};

static void on_gone(void *self) {
    struct one *o = self;
    bus_request_cancel(o->bus, o->waiting);
    mem_free(o);
}

static void answer_binary(struct http_request *request, slice line) {
    struct json_doc doc;
    struct http1_field fields[CLOUDEVENT_FIELDS_MAX];
    struct http_answer answer = {.status = 200, .fields = fields};
    slice data;
    size_t bytes = 0;
    json_init(&doc);
    int failed = cloudevent_answer(line, &doc, http_request_arena(request), fields,
                                   &answer.field_count, &data);
    for (size_t i = 0; !failed && i < answer.field_count; i++)
        bytes += fields[i].name.len + fields[i].value.len + 4;
    if (!failed && bytes <= HEAD_BYTES_MAX)
        http_reply(request, &answer, data);
    else if (!failed || failed == -EINVAL)
        http_reply_problem(request, 406,
                           "the event has more than headers can hold: ask for it with "
                           "Accept: " CLOUDEVENT_TYPE);
    else
        http_reply_problem(request, 503, "no memory for the answer");
    json_free(&doc);
}

static void answer_line(struct http_request *request, enum mode mode, slice line) {
    struct http1_field vary = {slice_lit("Vary"), slice_lit("Accept")};
    if (mode == MODE_BINARY)
        answer_binary(request, line);
    else
        http_reply(request,
                   &(struct http_answer){
                       .status = 200,
                       .type = mode == MODE_JSON ? HTTP_JSON_TYPE : CLOUDEVENT_TYPE,
                       .fields = &vary,
                       .field_count = 1,
                   },
                   line);
}

static void on_page(void *owner, const struct bus_message *reply, int ended) {
    struct one *o = owner;
    struct http_request *request = o->request;
    struct read_end end;
    enum mode mode = o->mode;
    uint64_t revision = o->revision;
    if (!call_take_page(o->bus, &o->waiting, reply, ended, &end))
        return;
    mem_free(o);
    if (end.status != 200)
        http_reply_problem(request, end.status, "%.*s", slice_fmt(end.lines));
    else if (end.count != 1 || revision < end.first)
        http_reply_problem(request, 404, "the event stream has no such revision%s",
                           revision < end.first ? " any more" : "");
    else
        answer_line(request, mode, slice_take(end.lines, end.lines.len - 1));
}

static bool read_mode(struct http_request *request, enum mode *mode) {
    slice value;
    if (!face_argument(request, "mode", &value))
        return false;
    *mode = face_accepts(request, slice_lit(CLOUDEVENT_TYPE)) ? MODE_STRUCTURED : MODE_JSON;
    if (slice_equal(value, slice_lit("binary")))
        *mode = MODE_BINARY;
    else if (value.len)
        return face_refuse(request, "mode", "binary is the one there is");
    return true;
}

void event_http_one(void *owner, struct http_request *request) {
    static const struct http_request_events events = {.on_gone = on_gone};
    _cleanup_buf_ struct buf subject = buf_make(EVENT_SUBJECT_MAX);
    struct read_options options = {.limit = 1};
    enum mode mode;
    if (!face_subject(request, &subject) || !read_mode(request, &mode) ||
        !face_number(request, "min_position", INT64_MAX, &options.position_min))
        return;
    if (number_parse_u64(http_request_parameter(request, "revision"), &options.from) ||
        options.from > INT64_MAX) {
        http_reply_problem(request, 400, "a revision is a number");
        return;
    }
    options.subject = buf_slice(&subject);
    options.cloudevents = mode != MODE_JSON;
    struct one *o = mem_zalloc(1, sizeof *o);
    int failed = o ? 0 : -ENOMEM;
    if (!failed) {
        *o = (struct one){.bus = owner, .request = request, .mode = mode, .revision = options.from};
        failed = call_ask_page(o->bus, &options, on_page, o, &o->waiting);
    }
    if (!face_later(request, failed, &events, o))
        mem_free(o);
}
