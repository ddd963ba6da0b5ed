/*
 * life_http.c - see life_http.h: each becomes a request on the bus (life_change.h), its answer the
 * answer.
 *
 * If-Match means what the resource's ETag says: of the limits their version, which the engine
 * compares; of the event stream its last revision, which is an expectation like any other.
 */
#include "rooms/events/life_http.h"

#include "base/mem.h"
#include "base/number.h"
#include "bus/request.h"
#include "http/reply.h"
#include "rooms/events/face.h"
#include "rooms/events/life_change.h"

#include <errno.h>

struct asking {
    struct bus *bus;
    struct http_request *request;
    struct bus_request *waiting;
    bool conditional; /* a DELETE with If-Match */
};

static void on_gone(void *self) {
    struct asking *a = self;
    bus_request_cancel(a->bus, a->waiting);
    mem_free(a);
}

/* --- answers ------------------------------------------------------------------------------ */

static uint64_t version_of(slice body) {
    struct json_doc doc;
    uint64_t version = 0;
    json_init(&doc);
    if (json_parse(&doc, body) == 0)
        (void)!json_u64(json_member(json_root(&doc), slice_lit("version")), &version);
    json_free(&doc);
    return version;
}

static void on_reply(void *owner, const struct bus_message *reply, int ended) {
    struct asking *a = owner;
    struct http_request *request = a->request;
    unsigned status = reply ? call_read_status(reply) : 0;
    bool conditional = a->conditional;
    char etag[FACE_ETAG_MAX];
    struct http1_field field;
    if (!call_answered(a->bus, &a->waiting, reply))
        return;
    mem_free(a);
    if (status == 409 && conditional) {
        http_reply_problem(request, 412,
                           "nothing was changed: the event stream has another "
                           "revision, or is not there");
        return;
    }
    if (status) {
        struct http_answer answer = {.status = status,
                                     .type = status < 300 ? HTTP_JSON_TYPE : HTTP_PROBLEM_TYPE};
        if (status < 300) {
            field = face_etag(version_of(reply->payload), etag);
            answer.fields = &field;
            answer.field_count = 1;
        }
        http_reply(request, &answer, reply->payload);
        return;
    }
    if (ended == -ETIMEDOUT)
        http_reply_problem(request, 504, "the change was not confirmed in time: it may be stored");
    else
        http_reply_problem(request, 503, "event streams do not answer");
}

/* --- requests ----------------------------------------------------------------------------- */

static int ask(struct asking *a, const struct life_change *change, slice subject, slice expect) {
    _cleanup_buf_ struct buf headers = buf_make(EVENT_NAME_MAX * 4);
    int failed = life_change_write(change, subject, expect, &headers);
    bool has_body = change->ask == LIFE_LIMIT;
    struct bus_request_options options = {
        .message = {.subject = slice_lit(CALL_LIFE),
                    .headers = buf_slice(&headers),
                    .payload = has_body ? http_request_body(a->request) : (slice){0}},
        .timeout_ns = CALL_APPEND_NS,
        .on_reply = on_reply,
        .owner = a,
    };
    return failed ? failed : bus_request(a->bus, &options, &a->waiting);
}

static void begin(struct bus *bus, struct http_request *request, const struct life_change *change,
                  slice expect, bool conditional) {
    static const struct http_request_events events = {.on_gone = on_gone};
    _cleanup_buf_ struct buf subject = buf_make(EVENT_SUBJECT_MAX);
    if (!face_subject(request, &subject))
        return;
    struct asking *a = mem_zalloc(1, sizeof *a);
    int failed = a ? 0 : -ENOMEM;
    if (!failed) {
        *a = (struct asking){.bus = bus, .request = request, .conditional = conditional};
        failed = ask(a, change, buf_slice(&subject), expect);
    }
    if (!face_later(request, failed, &events, a))
        mem_free(a);
}

/* The number in If-Match, if there is one. */
static bool read_match(struct http_request *request, bool *ret_there, slice *ret_digits) {
    slice match;
    uint64_t number;
    *ret_there = http_request_field(request, slice_lit("If-Match"), &match);
    if (!*ret_there)
        return true;
    bool quoted = match.len > 2 && match.ptr[0] == '"' && match.ptr[match.len - 1] == '"';
    *ret_digits = quoted ? slice_make(match.ptr + 1, match.len - 2) : (slice){0};
    return number_parse_u64(*ret_digits, &number) == 0 ||
           face_refuse(request, "If-Match", "one entity tag is wanted: \"3\"");
}

void life_http_show(void *owner, struct http_request *request) {
    struct life_change change = {.ask = LIFE_SHOW, .version = LIFE_ANY_VERSION};
    begin(owner, request, &change, (slice){0}, false);
}

void life_http_limit(void *owner, struct http_request *request) {
    struct life_change change = {.ask = LIFE_LIMIT, .version = LIFE_ANY_VERSION};
    slice expect, digits;
    bool matches;
    if (!face_expect(request, &expect) || !face_flag(request, "dry_run", &change.dry_run) ||
        !read_match(request, &matches, &digits))
        return;
    if (matches)
        (void)!number_parse_u64(digits, &change.version); /* it is a number */
    begin(owner, request, &change, expect, false);
}

void life_http_delete(void *owner, struct http_request *request) {
    struct life_change change = {.ask = LIFE_DELETE, .version = LIFE_ANY_VERSION};
    slice expect, digits;
    bool matches, permanent;
    if (!face_expect(request, &expect) || !face_flag(request, "dry_run", &change.dry_run) ||
        !face_flag(request, "permanent", &permanent) || !read_match(request, &matches, &digits))
        return;
    if (matches && expect.len) {
        face_refuse(request, "expect", "If-Match and expect= are two ways to say one thing");
        return;
    }
    if (permanent)
        change.ask = LIFE_TOMBSTONE;
    begin(owner, request, &change, matches ? digits : expect, matches);
}
