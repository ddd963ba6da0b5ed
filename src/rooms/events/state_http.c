/*
 * state_http.c - see state_http.h: one request on the bus (call.h), whose answer is passed on.
 *
 * The state is read also where the client turns out to have it: what that saves is the body. Where
 * the node has too much to do, or has not folded a long stream yet, Retry-After says to come again.
 */
#include "rooms/events/state_http.h"

#include "base/clocktext.h"
#include "base/mem.h"
#include "base/number.h"
#include "bus/request.h"
#include "http/reply.h"
#include "rooms/events/call.h"
#include "rooms/events/face.h"

#include <errno.h>
#include <stdio.h>

#define ETAG_MAX 96u

struct asked_state {
    struct bus *bus;
    struct http_request *request;
    struct bus_request *waiting;
};

static void on_gone(void *self) {
    struct asked_state *a = self;
    bus_request_cancel(a->bus, a->waiting);
    mem_free(a);
}

/* --- answers ------------------------------------------------------------------------------ */

/* RFC 9110 13.1.2: weak comparison. */
static bool has_it(const struct http_request *request, slice etag) {
    slice list = {0}, element;
    (void)http_request_field(request, slice_lit("If-None-Match"), &list);
    while (http1_next_element(&list, &element)) {
        if (slice_starts_with(element, slice_lit("W/")))
            element = slice_skip(element, 2);
        if (slice_equal(element, etag) || slice_equal(element, slice_lit("*")))
            return true;
    }
    return false;
}

static void answer_state(struct http_request *request, slice tag, slice body) {
    char text[ETAG_MAX];
    int len = snprintf(text, sizeof text, "\"%.*s\"", slice_fmt(tag));
    struct http1_field etag = {slice_lit("ETag"), slice_make(text, (size_t)len)};
    bool known = has_it(request, etag.value);
    struct http_answer answer = {.status = known ? 304 : 200,
                                 .type = known ? NULL : HTTP_JSON_TYPE,
                                 .fields = &etag,
                                 .field_count = 1};
    http_reply(request, &answer, known ? (slice){0} : body);
}

static void answer_problem(struct http_request *request, unsigned status, slice words) {
    struct http1_field retry = {slice_lit("Retry-After"), slice_lit("1")};
    char detail[256];
    snprintf(detail, sizeof detail, "%.*s", slice_fmt(words));
    http_reply_problem_with(request, status, &retry, status == 503 || status == 429, detail);
}

static void on_reply(void *owner, const struct bus_message *reply, int ended) {
    struct asked_state *a = owner;
    struct http_request *request = a->request;
    unsigned status = reply ? call_read_status(reply) : 0;
    if (!call_answered(a->bus, &a->waiting, reply))
        return;
    mem_free(a);
    if (status == 200)
        answer_state(request, call_read_state_tag(reply), reply->payload);
    else if (reply)
        answer_problem(request, status, reply->payload);
    else
        answer_problem(request, ended == -ETIMEDOUT ? 504 : 503,
                       slice_lit("event streams do not answer"));
}

/* --- what is asked for -------------------------------------------------------------------- */

static bool read_at(struct http_request *request, struct state_options *o) {
    uint64_t position = UINT64_MAX;
    slice at;
    if (!face_argument(request, "at", &at) ||
        !face_number(request, "position", INT64_MAX, &position) ||
        !face_number(request, "min_position", INT64_MAX, &o->position_min))
        return false;
    if (at.len && position != UINT64_MAX)
        return face_refuse(request, "position", "goes without at");
    if (position != UINT64_MAX) {
        o->at = STATE_POSITION;
        o->number = position;
    } else if (at.len && number_parse_u64(at, &o->number) == 0 && o->number <= INT64_MAX) {
        o->at = STATE_REVISION;
    } else if (at.len) {
        o->at = STATE_TIME;
        if (clocktext_parse(at, &o->time_ns))
            return face_refuse(request, "at",
                               "a revision, or a time of RFC 3339 is wanted: 7, "
                               "2026-11-30T12:00:00Z");
    }
    return true;
}

static int ask(struct asked_state *a, const struct state_options *options) {
    _cleanup_buf_ struct buf text = buf_make(1u << 20);
    int failed = call_write_state(options, &text);
    struct bus_request_options request = {
        .message = {.subject = slice_lit(CALL_STATE), .payload = buf_slice(&text)},
        .timeout_ns = CALL_STATE_NS,
        .on_reply = on_reply,
        .owner = a,
    };
    return failed ? failed : bus_request(a->bus, &request, &a->waiting);
}

void state_http_get(void *owner, struct http_request *request) {
    static const struct http_request_events events = {.on_gone = on_gone};
    _cleanup_buf_ struct buf subject = buf_make(EVENT_SUBJECT_MAX);
    struct state_options options = {0};
    if (!face_subject(request, &subject) || !read_at(request, &options))
        return;
    options.subject = buf_slice(&subject);
    struct asked_state *a = mem_zalloc(1, sizeof *a);
    int failed = a ? 0 : -ENOMEM;
    if (!failed) {
        *a = (struct asked_state){.bus = owner, .request = request};
        failed = ask(a, &options);
    }
    if (!face_later(request, failed, &events, a))
        mem_free(a);
}
