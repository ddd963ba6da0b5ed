/*
 * append_http.c - see append_http.h: the body becomes a request on the bus (call.h), its answer the
 * answer.
 *
 * The engine knows one grammar. What comes as a CloudEvent is put into it here, and so is an
 * expectation that stands in a header or in the query.
 */
#include "rooms/events/append_http.h"

#include "base/mem.h"
#include "base/number.h"
#include "bus/request.h"
#include "http/reply.h"
#include "http/routes.h"
#include "rooms/events/call.h"
#include "rooms/events/cloudevent.h"
#include "rooms/events/face.h"
#include "wire/http1_write.h"
#include "wire/json_write.h"

#include <errno.h>
#include <stdio.h>

#define HEADERS_USUAL 512u /* bytes of a request to the engine, without its body */
#define EXPECT_MAX 32u
#define HEADERS_MAX (64u << 10) /* of the request on the bus: a subject, and a name of a head's */
#define BODY_MAX ((size_t)64 << 20) /* of a body of 16 MB, with base64 around it */

struct posting {
    struct bus *bus;
    struct http_request *request;
    struct bus_request *waiting;
    bool conditional; /* If-Match, If-None-Match */
};

static void on_gone(void *self) {
    struct posting *p = self;
    bus_request_cancel(p->bus, p->waiting);
    mem_free(p);
}

/* --- answers ------------------------------------------------------------------------------ */

/* The same problem with status 412. */
static int as_precondition(slice problem, struct buf *out) {
    struct json_doc doc;
    struct json_writer w = json_writer_make(out, false);
    json_init(&doc);
    int failed = json_parse(&doc, problem);
    struct json_iterator i = json_each(json_root(&doc));
    json_write_object(&w);
    while (!failed && json_next(&i)) {
        slice name;
        failed = json_string(i.key, &name);
        json_write_key_slice(&w, failed ? (slice){0} : name);
        if (json_string_is(i.key, slice_lit("title")))
            json_write_text(&w, http1_reason(412));
        else if (json_string_is(i.key, slice_lit("status")))
            json_write_u64(&w, 412);
        else
            json_write_raw(&w, json_source(i.value));
    }
    json_write_end(&w);
    json_free(&doc);
    return failed ? failed : json_write_finish(&w);
}

static void answer(struct posting *p, unsigned status, const struct bus_message *reply) {
    slice body = reply->payload;
    _cleanup_buf_ struct buf text = buf_make(HTTP_ANSWER_BYTES_MAX);
    struct http_answer answer = {.status = status,
                                 .type = status < 300 ? HTTP_JSON_TYPE : HTTP_PROBLEM_TYPE};
    char etag[FACE_ETAG_MAX];
    struct http1_field field;
    uint64_t last;
    if (status < 300 && call_read_last(reply, &last)) {
        field = face_etag(last, etag);
        answer.fields = &field;
        answer.field_count = 1;
    }
    if (status == 409 && p->conditional && as_precondition(body, &text) == 0) {
        answer.status = 412;
        body = buf_slice(&text);
    }
    http_reply(p->request, &answer, body);
    mem_free(p);
}

static void on_reply(void *owner, const struct bus_message *reply, int ended) {
    struct posting *p = owner;
    struct http_request *request = p->request;
    unsigned status = reply ? call_read_status(reply) : 0;
    if (!call_answered(p->bus, &p->waiting, reply))
        return;
    if (status) {
        answer(p, status, reply);
        return;
    }
    mem_free(p);
    if (ended == -ETIMEDOUT)
        http_reply_problem(request, 504,
                           "the append was not confirmed in time: it may be stored; "
                           "send it again with the same ids");
    else
        http_reply_problem(request, 503, "event streams do not answer");
}

/* --- what is expected --------------------------------------------------------------------- */

/* A strong entity tag that is a revision, of events or of a state: "3", "3-2f1c..". */
static bool read_etag(slice text, char *expect) {
    uint64_t revision;
    slice digits = slice_skip(text, 1);
    if (text.len < 3 || text.ptr[0] != '"' || text.ptr[text.len - 1] != '"')
        return false;
    digits.len--;
    digits = slice_cut(digits, '-', &(slice){0});
    if (number_parse_u64(digits, &revision) || revision > INT64_MAX)
        return false;
    snprintf(expect, EXPECT_MAX, "%llu", (unsigned long long)revision);
    return true;
}

/* What is expected by header or query into EXPECT, "" where they say nothing. False: answered. */
static bool read_expect(struct http_request *request, char *expect, bool *ret_conditional) {
    slice match, none_match, asked;
    bool has_match = http_request_field(request, slice_lit("If-Match"), &match);
    bool has_none = http_request_field(request, slice_lit("If-None-Match"), &none_match);
    if (!face_expect(request, &asked))
        return false;
    if (has_match + has_none + (asked.len > 0) > 1)
        return face_refuse(request, "expect",
                           "If-Match, If-None-Match and expect= are three ways to say one thing");
    *ret_conditional = has_match || has_none;
    *expect = '\0';
    if (has_none && !slice_equal(none_match, slice_lit("*")))
        return face_refuse(request, "If-None-Match", "* is what an append may expect: no stream");
    if (has_match && !slice_equal(match, slice_lit("*")) && !read_etag(match, expect))
        return face_refuse(request, "If-Match", "* or one entity tag is wanted: \"3\"");
    if (has_none || (has_match && !*expect))
        snprintf(expect, EXPECT_MAX, "%s", has_none ? "none" : "exists");
    /* It becomes a part of JSON, where a number has no zeros in front. */
    while (asked.len > 1 && asked.ptr[0] == '0')
        asked = slice_skip(asked, 1);
    if (asked.len)
        snprintf(expect, EXPECT_MAX, "%.*s", slice_fmt(asked));
    return true;
}

/* BODY with EXPECT put in front of its members. 0, -ENOMEM, -ENOBUFS; -EINVAL with words. */
static int put_expect(slice body, const char *expect, struct buf *out, struct error *e) {
    struct json_doc doc;
    uint64_t revision;
    bool word = number_parse_u64(slice_str(expect), &revision) != 0;
    json_init(&doc);
    int failed = json_parse(&doc, body);
    json_value root = json_root(&doc);
    if (failed == -EINVAL || failed == -E2BIG)
        failed = json_explain(&doc, -EINVAL, slice_lit("body"), e);
    else if (!failed && json_type_of(root) != JSON_OBJECT)
        failed = error_set(e, -EINVAL, "the body is no JSON object");
    else if (!failed && json_type_of(json_member(root, slice_lit("expect"))) != JSON_ABSENT)
        failed = error_set(e, -EINVAL, "expect: it stands in the body and outside of it");
    slice members = json_source(root);
    if (!failed)
        failed = buf_printf(out, word ? "{\"expect\":\"%s\"%s" : "{\"expect\":%s%s", expect,
                            json_count(root) ? "," : "");
    if (!failed)
        failed = buf_append(out, slice_skip(members, 1));
    json_free(&doc);
    return failed;
}

/* What the engine is to read. False: answered. */
static bool make_body(struct http_request *request, const char *expect, struct buf *out,
                      slice *ret_body) {
    size_t count;
    struct error e = {0};
    char text[sizeof e.place + sizeof e.message + sizeof e.hint];
    const struct http1_field *fields = http_request_fields(request, &count);
    slice body = http_request_body(request);
    enum cloudevent_mode mode = cloudevent_mode_of(fields, count);
    int failed = 0;
    if (mode == CLOUDEVENT_UNKNOWN) {
        http_reply_problem(request, 415,
                           "of CloudEvents as bodies JSON is read: " CLOUDEVENT_TYPE
                           ", " CLOUDEVENT_BATCH_TYPE);
        return false;
    }
    *ret_body = body;
    if (mode != CLOUDEVENT_NONE)
        failed = cloudevent_read(mode, fields, count, body, slice_str(expect), out, &e);
    else if (*expect)
        failed = put_expect(body, expect, out, &e);
    else
        return true;
    if (failed == -EINVAL)
        http_reply_problem(request, 400, "%s", error_text(&e, text, sizeof text));
    else if (failed)
        http_reply_problem(request, failed == -ENOBUFS ? 413 : 503, "%s",
                           failed == -ENOBUFS ? "the append is too large: send fewer events"
                                              : "no memory for the append");
    *ret_body = buf_slice(out);
    return !failed;
}

/* --- requests ----------------------------------------------------------------------------- */

static int ask(struct posting *p, slice subject, slice body) {
    _cleanup_buf_ struct buf headers = buf_make_room(HEADERS_MAX, HEADERS_USUAL);
    const struct call_append append = {
        .subject = subject,
        .actor = {.name = http_request_user(p->request),
                  .is_sure = http_request_through_gateway(p->request)},
    };
    int failed = call_write_append(&append, &headers);
    struct bus_request_options options = {
        .message = {.subject = slice_lit(CALL_APPEND),
                    .headers = buf_slice(&headers),
                    .payload = body},
        .timeout_ns = CALL_APPEND_NS,
        .on_reply = on_reply,
        .owner = p,
    };
    return failed ? failed : bus_request(p->bus, &options, &p->waiting);
}

/* SUBJECT: of the short form, or empty. */
static void post(struct bus *bus, struct http_request *request, slice subject, slice body,
                 bool conditional) {
    static const struct http_request_events events = {.on_gone = on_gone};
    struct posting *p = mem_zalloc(1, sizeof *p);
    int failed = p ? 0 : -ENOMEM;
    if (!failed) {
        *p = (struct posting){.bus = bus, .request = request, .conditional = conditional};
        failed = ask(p, subject, body);
    }
    if (!face_later(request, failed, &events, p))
        mem_free(p);
}

/* --- where a gateway confines who asks ---------------------------------------------------- */

/* Whether the request may name all the event streams of LIST. What is no list of them is left to
   the engine, which refuses it. */
static bool may_all(struct http_request *request, json_value list) {
    struct json_iterator i = json_each(list);
    while (json_next(&i)) {
        _cleanup_buf_ struct buf subject = buf_make(EVENT_SUBJECT_MAX);
        slice name;
        bool by_name = json_string(json_member(i.value, slice_lit("stream")), &name) == 0;
        if (!by_name || json_type_of(json_member(i.value, slice_lit("none"))) != JSON_ABSENT) {
            http_reply_problem(request, 403,
                               "by this route only event streams are checked, each by its name");
            return false;
        }
        if (event_subject(name, &subject) == 0 && !face_may(request, buf_slice(&subject)))
            return false;
    }
    return true;
}

/* Who is confined to some categories may name no others, and nothing but event streams by name:
   what tags and types are about is all of them. */
static bool may_append(struct http_request *request, slice body) {
    struct json_doc doc;
    slice only;
    if (!face_is_confined(request, &only))
        return true;
    json_init(&doc);
    int failed = json_parse(&doc, body);
    bool may = failed != -ENOMEM;
    if (!may)
        http_reply_problem(request, 503, "no memory for the append");
    else
        may = may_all(request, json_member(json_root(&doc), slice_lit("appends"))) &&
              may_all(request, json_member(json_root(&doc), slice_lit("checks")));
    json_free(&doc);
    return may;
}

/* --- handlers ------------------------------------------------------------------------------ */

void append_http_stream(void *owner, struct http_request *request) {
    _cleanup_buf_ struct buf subject = buf_make_room(EVENT_SUBJECT_MAX, HEADERS_USUAL);
    _cleanup_buf_ struct buf made = buf_make(BODY_MAX);
    char expect[EXPECT_MAX];
    bool conditional = false;
    slice body;
    if (face_subject(request, &subject) && read_expect(request, expect, &conditional) &&
        make_body(request, expect, &made, &body) && may_append(request, body))
        post(owner, request, buf_slice(&subject), body, conditional);
}

void append_http_many(void *owner, struct http_request *request) {
    slice body = http_request_body(request);
    if (may_append(request, body))
        post(owner, request, (slice){0}, body, false);
}
