/*
 * events_http.c - event streams over HTTP: requests become requests on the bus (call.h), answers
 * JSON or lines of JSON (application/x-ndjson).
 *
 *     parameter      of        what
 *     from           both      revision, or position, of the first; backwards: of the newest
 *     after          events    the same, one behind it: what `next` and a checkpoint tell minus one
 *     time           events    RFC 3339: the first at or after it
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
#include "rooms/events/events.h"

#include "base/clocktext.h"
#include "base/mem.h"
#include "base/number.h"
#include "bus/request.h"
#include "http/reply.h"
#include "http/routes.h"
#include "rooms/events/call.h"
#include "wire/json_write.h"

#include <errno.h>
#include <stdio.h>

#define NDJSON_TYPE "application/x-ndjson"
#define BODY_BYTES_MAX (16u << 20)
#define PAGE_HEAD_MAX 4096u
#define FOLLOW_WAIT_NS UINT64_C(15000000000)

/* --- appends ------------------------------------------------------------------------------ */

struct posting {
    struct bus *bus;
    struct http_request *request;
    struct bus_request *waiting;
};

static void on_post_gone(void *self) {
    struct posting *p = self;
    bus_request_cancel(p->bus, p->waiting);
    mem_free(p);
}

static void on_post_reply(void *owner, const struct bus_message *reply, int ended) {
    struct posting *p = owner;
    struct http_request *request = p->request;
    unsigned status = reply ? call_read_status(reply) : 0;
    if (reply && !status)
        return;
    if (status) {
        struct http_answer answer = {.status = status,
                                     .type = status < 300 ? HTTP_JSON_TYPE : HTTP_PROBLEM_TYPE};
        bus_request_cancel(p->bus, p->waiting);
        mem_free(p);
        http_reply(request, &answer, reply->payload);
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

/* SUBJECT: of the short form, or empty. */
static void post(struct bus *bus, struct http_request *request, slice subject) {
    static const struct http_request_events events = {.on_gone = on_post_gone};
    _cleanup_buf_ struct buf headers = buf_make(EVENT_NAME_MAX * 4);
    struct posting *p = mem_zalloc(1, sizeof *p);
    int failed = p ? 0 : -ENOMEM;
    if (!failed && subject.len)
        failed = call_write_stream(subject, &headers);
    if (!failed) {
        *p = (struct posting){.bus = bus, .request = request};
        struct bus_request_options options = {
            .message = {.subject = slice_lit(CALL_APPEND),
                        .headers = buf_slice(&headers),
                        .payload = http_request_body(request)},
            .timeout_ns = CALL_APPEND_NS,
            .on_reply = on_post_reply,
            .owner = p,
        };
        failed = bus_request(bus, &options, &p->waiting);
    }
    if (failed) {
        mem_free(p);
        http_reply_problem(request, 503, "too many requests are under way: try again");
        return;
    }
    http_request_later(request, &events, p);
}

/* False: answered. */
static bool stream_subject(struct http_request *request, struct buf *subject) {
    int failed = event_subject(http_request_parameter(request, "stream"), subject);
    if (failed)
        http_reply_problem(request, 400,
                           "an event stream is called CATEGORY-ID, in at most 1024 bytes");
    return !failed;
}

static void on_append(void *owner, struct http_request *request) {
    _cleanup_buf_ struct buf subject = buf_make(EVENT_NAME_MAX * 3 + 16);
    if (stream_subject(request, &subject))
        post(owner, request, buf_slice(&subject));
}

static void on_append_many(void *owner, struct http_request *request) {
    post(owner, request, (slice){0});
}

/* --- what a read asks for ----------------------------------------------------------------- */

struct asked {
    struct read_options o;
    bool lines, follow;
    char category[EVENT_NAME_MAX * 3 + 16];
};

static int argument(struct http_request *request, const char *key, slice *value) {
    *value = (slice){0};
    int failed = http_request_argument(request, slice_str(key), value);
    return failed == -ENOENT ? 0 : failed;
}

static bool refuse(struct http_request *request, const char *key, const char *what) {
    http_reply_problem(request, 400, "%s: %s", key, what);
    return false;
}

static bool read_number(struct http_request *request, const char *key, uint64_t most,
                        uint64_t *number) {
    slice value;
    if (argument(request, key, &value))
        return refuse(request, key, "badly escaped");
    if (value.len && (number_parse_u64(value, number) || *number > most))
        return refuse(request, key, "a number is wanted");
    return true;
}

static bool read_list(struct http_request *request, const char *key, slice *list,
                      unsigned *ret_count) {
    slice value;
    if (argument(request, key, &value))
        return refuse(request, key, "badly escaped");
    while (value.len) {
        if (*ret_count == READ_FILTERS_MAX)
            return refuse(request, key, "at most 16 words");
        list[(*ret_count)++] = slice_cut(value, ',', &value);
    }
    return true;
}

static bool read_direction(struct http_request *request, struct asked *a) {
    slice value;
    if (argument(request, "direction", &value))
        return refuse(request, "direction", "badly escaped");
    a->o.backwards = slice_equal(value, slice_lit("backwards"));
    if (value.len && !a->o.backwards && !slice_equal(value, slice_lit("forwards")))
        return refuse(request, "direction", "forwards or backwards");
    if (a->o.backwards)
        a->o.from = UINT64_MAX;
    return true;
}

static bool read_wait(struct http_request *request, struct asked *a) {
    slice value;
    if (argument(request, "wait", &value))
        return refuse(request, "wait", "badly escaped");
    if (value.len &&
        (number_parse_duration(value, &a->o.wait_ns) || a->o.wait_ns > READ_WAIT_MAX_NS))
        return refuse(request, "wait", "a duration of at most 60s is wanted");
    if (argument(request, "follow", &value))
        return refuse(request, "follow", "badly escaped");
    a->follow = value.len > 0 && !slice_equal(value, slice_lit("0"));
    if (a->follow && a->o.backwards)
        return refuse(request, "follow", "goes forwards only");
    if (a->follow)
        a->o.wait_ns = FOLLOW_WAIT_NS;
    return true;
}

static bool read_common(struct http_request *request, struct asked *a) {
    slice accept = {0};
    uint64_t limit = 0;
    (void)http_request_field(request, slice_lit("Accept"), &accept);
    a->lines = slice_find_slice(accept, slice_lit(NDJSON_TYPE)) >= 0;
    if (!read_direction(request, a) || !read_number(request, "from", INT64_MAX, &a->o.from) ||
        !read_number(request, "limit", READ_EVENTS_MAX, &limit) ||
        !read_number(request, "min_position", INT64_MAX, &a->o.position_min) ||
        !read_list(request, "types", a->o.types, &a->o.type_count) ||
        !read_list(request, "tags", a->o.tags, &a->o.tag_count) || !read_wait(request, a))
        return false;
    a->o.limit = (unsigned)limit;
    return true;
}

static bool read_place(struct http_request *request, struct asked *a) {
    slice value;
    uint64_t after = UINT64_MAX;
    if (!read_number(request, "after", INT64_MAX, &after))
        return false;
    if (after != UINT64_MAX)
        a->o.from = after + 1;
    if (argument(request, "time", &value))
        return refuse(request, "time", "badly escaped");
    if (value.len && clocktext_parse(value, &a->o.from_time_ns))
        return refuse(request, "time", "a time of RFC 3339 is wanted: 2026-11-30T12:00:00Z");
    if (value.len && a->o.backwards)
        return refuse(request, "time", "is for reading forwards");
    if (argument(request, "category", &value))
        return refuse(request, "category", "badly escaped");
    struct buf category = {
        .ptr = a->category, .cap = sizeof a->category, .max = sizeof a->category};
    if (value.len && event_category_subject(value, &category))
        return refuse(request, "category", "a text of at most 1024 bytes is wanted");
    a->o.category = buf_slice(&category);
    return true;
}

/* --- pages -------------------------------------------------------------------------------- */

/* A page, or one page after the other. */
struct reading {
    struct bus *bus;
    struct http_request *request;
    struct bus_request *waiting;
    bool lines, follow, begun, caught_up;
    slice name;            /* of the event stream, in text; empty: all events */
    struct read_options o; /* for the pages that follow; its texts lie in these two */
    struct buf options_text;
    struct json_doc options_doc;
    struct buf kept; /* lines that the client has not taken */
    char text[];
};

static void reading_free(struct reading *r) {
    buf_free(&r->options_text);
    buf_free(&r->kept);
    json_free(&r->options_doc);
    mem_free(r);
}

static void on_read_gone(void *self) {
    struct reading *r = self;
    if (r->waiting)
        bus_request_cancel(r->bus, r->waiting);
    reading_free(r);
}

static int ask(struct reading *r);

/* Turns lines into an array: a comma for every line end but the last. */
static int write_array(struct buf *out, slice lines) {
    int failed = buf_append_byte(out, '[');
    for (bool first = true; lines.len && !failed; first = false) {
        slice line = slice_cut(lines, '\n', &lines);
        if (!first)
            failed = buf_append_byte(out, ',');
        if (!failed)
            failed = buf_append(out, line);
    }
    return failed ? failed : buf_append_byte(out, ']');
}

static int write_page(struct buf *out, const struct reading *r, const struct read_end *end) {
    struct json_writer w = json_writer_make(out, false);
    json_write_object(&w);
    if (r->name.len) {
        json_write_key(&w, "stream");
        json_write_string(&w, r->name);
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
    if (write_array(&array, end->lines))
        return -ENOMEM;
    json_write_raw(&w, buf_slice(&array));
    json_write_end(&w);
    return json_write_finish(&w);
}

static void send_page(struct reading *r, const struct read_end *end) {
    _cleanup_buf_ struct buf page = buf_make(HTTP_ANSWER_BYTES_MAX);
    struct http_request *request = r->request;
    if (r->lines)
        http_reply(request, &(struct http_answer){.status = 200, .type = NDJSON_TYPE}, end->lines);
    else if (write_page(&page, r, end))
        http_reply_problem(request, 503, "the page is too large: ask for fewer events");
    else
        http_reply_json(request, 200, buf_slice(&page));
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

static void fail(struct reading *r, unsigned status, const char *format, slice what) {
    struct http_request *request = r->request;
    if (r->begun) {
        stop(r);
        return;
    }
    reading_free(r);
    http_reply_problem(request, status, format, slice_fmt(what));
}

static void on_page(void *owner, const struct bus_message *reply, int ended) {
    struct reading *r = owner;
    struct read_end end = {0};
    if (reply)
        call_read_end(reply, &end);
    if (reply && !end.status)
        return;
    if (reply)
        bus_request_cancel(r->bus, r->waiting);
    r->waiting = NULL;
    if (!reply)
        fail(r, ended == -ETIMEDOUT ? 504 : 503, "%.*s", slice_lit("event streams do not answer"));
    else if (end.status != 200)
        fail(r, end.status, "%.*s", reply->payload);
    else if (r->follow)
        follow(r, &end);
    else
        send_page(r, &end);
}

static int ask(struct reading *r) {
    _cleanup_buf_ struct buf text = buf_make(1u << 20);
    int failed = call_write_read(&r->o, &text);
    struct bus_request_options options = {
        .message = {.subject = slice_lit(CALL_READ), .payload = buf_slice(&text)},
        .timeout_ns = CALL_READ_NS,
        .on_reply = on_page,
        .owner = r,
    };
    return failed ? failed : bus_request(r->bus, &options, &r->waiting);
}

/* What the options point to must live as long as the reading: its own copy of them does. */
static int keep_options(struct reading *r, const struct read_options *o) {
    int failed = call_write_read(o, &r->options_text);
    if (!failed)
        failed = call_read_read(buf_slice(&r->options_text), &r->options_doc, &r->o);
    return failed;
}

static void begin(struct bus *bus, struct http_request *request, const struct asked *a,
                  slice name) {
    static const struct http_request_events events = {.on_gone = on_read_gone, .on_room = on_room};
    struct reading *r = mem_zalloc(1, sizeof *r + name.len);
    int failed = r ? 0 : -ENOMEM;
    if (r) {
        r->bus = bus;
        r->request = request;
        r->lines = a->lines;
        r->follow = a->follow;
        r->options_text = buf_make(1u << 20);
        r->kept = buf_make(LOG_MESSAGE_MAX * 2u);
        json_init(&r->options_doc);
        if (name.len)
            memcpy(r->text, name.ptr, name.len);
        r->name = slice_make(r->text, name.len);
        failed = keep_options(r, &a->o);
        if (!failed)
            failed = ask(r);
    }
    if (!failed) {
        http_request_later(request, &events, r);
        return;
    }
    if (r)
        reading_free(r);
    http_reply_problem(request, 503, "too many requests are under way: try again");
}

static void on_read_stream(void *owner, struct http_request *request) {
    struct asked a = {0};
    _cleanup_buf_ struct buf subject = buf_make(EVENT_NAME_MAX * 3 + 16);
    if (!stream_subject(request, &subject) || !read_common(request, &a))
        return;
    a.o.subject = buf_slice(&subject);
    begin(owner, request, &a, http_request_parameter(request, "stream"));
}

static void on_read_all(void *owner, struct http_request *request) {
    struct asked a = {0};
    if (read_common(request, &a) && read_place(request, &a))
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
    if (reply && !status) {
        if (reply->payload.len)
            json_write_string(&v->w, reply->payload);
        return;
    }
    if (reply)
        bus_request_cancel(v->bus, v->waiting);
    if (status == 200) {
        send_report(v, reply->payload);
        return;
    }
    verifying_free(v);
    http_reply_problem(request, 503, "event streams cannot be verified now: %s",
                       status ? "another verification is under way, or the node stops"
                              : error_name(ended));
}

static void on_verify(void *owner, struct http_request *request) {
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
    if (!failed) {
        http_request_later(request, &events, v);
        return;
    }
    if (v)
        verifying_free(v);
    http_reply_problem(request, 503, "too many requests are under way: try again");
}

int events_http_routes(struct http_routes *routes, struct bus *bus) {
    const struct http_route all[] = {
        {.method = "POST", .pattern = "/v1/streams/{stream}", .handle = on_append},
        {.method = "POST", .pattern = "/v1/append", .handle = on_append_many},
        {.method = "GET", .pattern = "/v1/streams/{stream}", .handle = on_read_stream},
        {.method = "GET", .pattern = "/v1/events", .handle = on_read_all},
        {.method = "GET", .pattern = "/v1/events/verify", .handle = on_verify},
    };
    int failed = 0;
    for (size_t i = 0; i < array_count(all) && !failed; i++) {
        struct http_route route = all[i];
        route.owner = bus;
        route.body_bytes_max = BODY_BYTES_MAX;
        failed = http_routes_add(routes, &route);
    }
    return failed;
}
