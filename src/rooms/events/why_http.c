/*
 * why_http.c - see why_http.h: two reads on the bus (call.h), one after the other.
 *
 *     asked --the event--> has a correlation? --its events--> the tree --> answered
 *                               '-- no ----------------------------------> answered
 */
#include "rooms/events/why_http.h"

#include "base/mem.h"
#include "bus/request.h"
#include "http/reply.h"
#include "rooms/events/call.h"
#include "rooms/events/face.h"
#include "rooms/events/why.h"

#include <errno.h>

struct asking {
    struct bus *bus;
    struct http_request *request;
    struct bus_request *waiting;
    struct buf event; /* its line, once it is known */
};

static void asking_free(struct asking *a) {
    buf_free(&a->event);
    mem_free(a);
}

static void on_gone(void *self) {
    struct asking *a = self;
    if (a->waiting)
        bus_request_cancel(a->bus, a->waiting);
    asking_free(a);
}

static void refuse(struct asking *a, unsigned status, slice words) {
    struct http_request *request = a->request;
    asking_free(a);
    http_reply_problem(request, status, "%.*s", slice_fmt(words));
}

static void answer(struct asking *a, slice lines, bool complete) {
    _cleanup_buf_ struct buf related = buf_make(HTTP_ANSWER_BYTES_MAX);
    _cleanup_buf_ struct buf text = buf_make(HTTP_ANSWER_BYTES_MAX);
    int failed = face_array(&related, lines);
    if (!failed)
        failed = why_write(buf_slice(&a->event), buf_slice(&related), complete, &text);
    if (failed) {
        refuse(a, 503, slice_lit("no memory for the answer"));
        return;
    }
    struct http_request *request = a->request;
    asking_free(a);
    http_reply_json(request, 200, buf_slice(&text));
}

static void on_related(struct asking *a, const struct read_end *end) {
    answer(a, end->lines, end->next == UINT64_MAX);
}

static void on_event(struct asking *a, const struct read_end *end);

/* A page that was asked for: THEN with it, or the request is refused. */
static void take_page(struct asking *a, const struct bus_message *reply, int ended,
                      void (*then)(struct asking *a, const struct read_end *end)) {
    struct read_end end;
    if (!call_take_page(a->bus, &a->waiting, reply, ended, &end))
        return;
    if (end.status != 200)
        refuse(a, end.status, end.lines);
    else
        then(a, &end);
}

static void on_event_page(void *owner, const struct bus_message *reply, int ended) {
    take_page(owner, reply, ended, on_event);
}

static void on_related_page(void *owner, const struct bus_message *reply, int ended) {
    take_page(owner, reply, ended, on_related);
}

static void on_event(struct asking *a, const struct read_end *end) {
    struct json_doc doc;
    char key[PROVENANCE_KEY_BYTES];
    struct read_options options = {
        .audit = true, .backwards = true, .from = UINT64_MAX, .limit = WHY_EVENTS_MAX};
    if (!end->count) {
        refuse(a, 404, slice_lit("the event stream has no such revision"));
        return;
    }
    slice line = slice_take(end->lines, end->lines.len - 1);
    json_init(&doc);
    int failed = buf_append(&a->event, line);
    if (!failed)
        failed = json_parse(&doc, line);
    if (!failed)
        (void)!json_string(json_path(json_root(&doc), "correlation"), &options.correlation);
    options.tags[0] = provenance_key(options.correlation, key);
    options.tag_count = 1;
    if (!failed && options.correlation.len)
        failed = call_ask_page(a->bus, &options, on_related_page, a, &a->waiting);
    json_free(&doc);
    if (failed)
        refuse(a, 503, slice_lit("too many requests are under way: try again"));
    else if (!a->waiting)
        answer(a, (slice){0}, true);
}

void why_http(void *owner, struct http_request *request) {
    static const struct http_request_events events = {.on_gone = on_gone};
    _cleanup_buf_ struct buf subject = buf_make(EVENT_SUBJECT_MAX);
    struct read_options options = {.audit = true, .limit = 1, .from = UINT64_MAX};
    if (!face_subject(request, &subject) ||
        !face_number(request, "revision", INT64_MAX, &options.from) ||
        !face_number(request, "min_position", INT64_MAX, &options.position_min))
        return;
    options.backwards = options.from == UINT64_MAX;
    options.subject = buf_slice(&subject);
    struct asking *a = mem_zalloc(1, sizeof *a);
    int failed = a ? 0 : -ENOMEM;
    if (a) {
        *a = (struct asking){.bus = owner, .request = request};
        a->event = buf_make(HTTP_ANSWER_BYTES_MAX);
        failed = call_ask_page(a->bus, &options, on_event_page, a, &a->waiting);
    }
    if (!face_later(request, failed, &events, a) && a)
        asking_free(a);
}
