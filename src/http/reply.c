/*
 * reply.c - answers: heads, whole and streamed bodies, problems, and the order they leave in.
 *
 *     whole      head with Content-Length, body                     one call
 *     streamed   head with Transfer-Encoding: chunked, chunks       HTTP/1.1
 *                head with Connection: close, bytes until the end   HTTP/1.0
 *
 * Only the first request of a connection writes to its stream. An answer given out of turn is put
 * together in `out` and leaves when its turn comes; a streamed one gets no further than its head
 * until then (-EAGAIN). HEAD gets the head of what GET would get.
 */
#include "http/connection.h"

#include "base/clocktext.h"
#include "base/number.h"
#include "wire/http1_write.h"
#include "wire/json_write.h"

#include <errno.h>
#include <stdio.h>

#define DETAIL_MAX 512
#define PROBLEM_MAX 8192
#define HEAD_MAX (64u << 10) /* of an answer */
#define CRLF "\r\n"
#define STREAMED UINT64_MAX

static bool is_first(const struct http_request *r) {
    return r->connection->requests.head.next == &r->node;
}

static bool is_last(const struct http_request *r) {
    return r->connection->requests.head.prev == &r->node;
}

/* --- heads --------------------------------------------------------------------------------------
 */

static const char *date(struct http_shard *shard) {
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t now_ns = io_loop_wall_ns(shard->loop);
    int64_t second = now_ns / NUMBER_NS_PER_SECOND;
    if (second == shard->date_second && shard->date[0])
        return shard->date;
    struct clocktext_civil at = clocktext_civil(now_ns);
    unsigned day = clocktext_weekday(clocktext_days(at.year, at.month, at.day));
    shard->date_second = second;
    snprintf(shard->date, sizeof shard->date, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT",
             days + day * 3, at.day % 100, months + (at.month - 1) * 3, (unsigned)at.year % 10000,
             at.hour % 100, at.minute % 100, at.second % 100);
    return shard->date;
}

/* Fields that say how the message is framed, which only this file knows. */
static bool is_ours(slice name) {
    return slice_equal_nocase(name, slice_lit("Content-Length")) ||
           slice_equal_nocase(name, slice_lit("Transfer-Encoding")) ||
           slice_equal_nocase(name, slice_lit("Connection")) ||
           slice_equal_nocase(name, slice_lit("Date"));
}

static bool has_no_body(unsigned status) {
    return status == 204 || status == 304;
}

static int write_framing(struct http_request *r, struct buf *b, unsigned status, uint64_t length) {
    int failed = 0;
    if (length != STREAMED && !has_no_body(status))
        failed = http1_write_field_u64(b, slice_lit("Content-Length"), length);
    else if (r->chunked)
        failed = http1_write_field(b, slice_lit("Transfer-Encoding"), slice_lit("chunked"));
    if (!failed && r->closes)
        failed = http1_write_field(b, slice_lit("Connection"), slice_lit("close"));
    else if (!failed && r->http_1_0)
        failed = http1_write_field(b, slice_lit("Connection"), slice_lit("keep-alive"));
    return failed;
}

/* Makes the head in the loop's scratch. LENGTH of the body, or STREAMED. 0, -EINVAL (a field that
   cannot be sent), -ENOMEM. */
static int make_head(struct http_request *r, const struct http_answer *answer, uint64_t length) {
    struct http_connection *c = r->connection;
    struct buf *b = &c->shard->scratch;
    b->max = HEAD_MAX;
    buf_clear(b);
    if (answer->status < 200)
        return -EINVAL;
    bool ends = c->reading == HTTP_READ_DONE || c->shard->draining;
    r->closes = !r->keep_alive || answer->close || (ends && is_last(r));
    r->chunked = length == STREAMED && !r->http_1_0 && !has_no_body(answer->status);
    if (length == STREAMED && r->http_1_0)
        r->closes = true;
    int failed = http1_write_status(b, answer->status, (slice){0});
    if (!failed)
        failed = http1_write_field(b, slice_lit("Date"), slice_str(date(c->shard)));
    if (!failed && answer->type)
        failed = http1_write_field(b, slice_lit("Content-Type"), slice_str(answer->type));
    if (!failed)
        failed = write_framing(r, b, answer->status, length);
    for (size_t i = 0; i < answer->field_count && !failed; i++)
        failed = is_ours(answer->fields[i].name)
                     ? -EINVAL
                     : http1_write_field(b, answer->fields[i].name, answer->fields[i].value);
    if (!failed)
        failed = http1_write_end(b);
    return failed == -ENOBUFS ? -EINVAL : failed;
}

static void count(struct http_request *r, unsigned status) {
    struct http_shard *shard = r->connection->shard;
    if (shard->metrics)
        metrics_count(shard->metrics, shard->server->answers[status / 100 - 2], 1);
}

/* --- bytes out -----------------------------------------------------------------------------------
 */

/* Writes the parts to the stream, all or none. -EPIPE: the client has gone, on_close will follow.
 */
static int write_now(struct http_connection *c, const slice *parts, size_t part_count) {
    size_t size = 0;
    for (size_t i = 0; i < part_count; i++)
        size += parts[i].len;
    if (size == 0)
        return 0;
    char *room;
    int failed = io_stream_reserve(c->stream, size, &room);
    if (failed)
        return failed;
    for (size_t i = 0; i < part_count; i++) {
        if (parts[i].len)
            memcpy(room, parts[i].ptr, parts[i].len);
        room += parts[i].len;
    }
    io_stream_advance(c->stream, size);
    http_connection_wrote(c, size);
    return 0;
}

/* Keeps the parts until R's turn comes. */
static int write_later(struct http_request *r, const slice *parts, size_t part_count) {
    struct http_connection *c = r->connection;
    for (size_t i = 0; i < part_count; i++) {
        int failed = http_hold(c->shard, &r->out, parts[i]);
        if (failed)
            return failed;
        c->waiting_bytes += parts[i].len;
    }
    return 0;
}

static bool may_write(const struct http_request *r) {
    return is_first(r) && r->out.len == 0 &&
           io_stream_pending(r->connection->stream) < HTTP_STREAM_HIGH_BYTES;
}

static int emit(struct http_request *r, const slice *parts, size_t part_count) {
    return may_write(r) ? write_now(r->connection, parts, part_count)
                        : write_later(r, parts, part_count);
}

/* --- whole answers -------------------------------------------------------------------------------
 */

static void finish(struct http_request *r) {
    struct http_connection *c = r->connection;
    r->state = REQUEST_ANSWERED;
    http_connection_feed(c, (slice){0});
}

/* What is not yet sent of it never is. */
static void break_off(struct http_request *r) {
    r->connection->waiting_bytes -= r->out.len;
    http_let_go(r->connection->shard, &r->out, r->out.len);
    r->broken = true;
    finish(r);
}

void http_reply(struct http_request *r, const struct http_answer *answer, slice body) {
    check((r->state == REQUEST_CALLED || r->state == REQUEST_LATER) && !r->begun);
    if (body.len > HTTP_ANSWER_BYTES_MAX) {
        http_reply_problem(r, 500, "the answer is larger than an answer may be");
        return;
    }
    int failed = make_head(r, answer, body.len);
    if (failed == -EINVAL) {
        http_reply_problem(r, 500, "the answer has a field that cannot be sent");
        return;
    }
    bool bare = r->head_only || has_no_body(answer->status);
    const slice parts[] = {buf_slice(&r->connection->shard->scratch), bare ? (slice){0} : body};
    if (!failed)
        failed = emit(r, parts, array_count(parts));
    if (failed) {
        break_off(r);
        return;
    }
    count(r, answer->status);
    finish(r);
}

void http_reply_json(struct http_request *r, unsigned status, slice json) {
    http_reply(r, &(struct http_answer){.status = status, .type = HTTP_JSON_TYPE}, json);
}

void http_reply_problem_with(struct http_request *r, unsigned status,
                             const struct http1_field *fields, size_t field_count,
                             const char *detail) {
    _cleanup_buf_ struct buf text = buf_make(PROBLEM_MAX);
    struct json_writer w = json_writer_make(&text, false);
    json_write_object(&w);
    json_write_key(&w, "type");
    json_write_text(&w, "about:blank");
    json_write_key(&w, "title");
    json_write_text(&w, http1_reason(status));
    json_write_key(&w, "status");
    json_write_u64(&w, status);
    json_write_key(&w, "detail");
    json_write_text(&w, detail);
    json_write_end(&w);
    if (json_write_finish(&w))
        buf_clear(&text); /* no memory: the status says the most of it */
    struct http_answer answer = {
        .status = status,
        .type = text.len ? HTTP_PROBLEM_TYPE : NULL,
        .fields = fields,
        .field_count = field_count,
    };
    http_reply(r, &answer, buf_slice(&text));
}

void http_reply_problem(struct http_request *r, unsigned status, const char *format, ...) {
    char detail[DETAIL_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    http_reply_problem_with(r, status, NULL, 0, detail);
}

/* --- streamed answers ----------------------------------------------------------------------------
 */

int http_reply_begin(struct http_request *r, const struct http_answer *answer) {
    check((r->state == REQUEST_CALLED || r->state == REQUEST_LATER) && !r->begun);
    int failed = make_head(r, answer, STREAMED);
    if (failed)
        return failed;
    slice head = buf_slice(&r->connection->shard->scratch);
    failed = emit(r, &head, 1);
    if (failed && failed != -EPIPE)
        return -ENOMEM;
    r->begun = true;
    count(r, answer->status);
    return 0;
}

int http_reply_write(struct http_request *r, slice bytes) {
    check(r->begun && r->state != REQUEST_ANSWERED);
    if (bytes.len > HTTP_ANSWER_BYTES_MAX)
        return -E2BIG;
    if (bytes.len == 0 || r->head_only || r->connection->closed)
        return 0;
    if (!may_write(r)) {
        r->wants_room = true;
        if (is_first(r))
            http_connection_want_room(r->connection);
        return -EAGAIN;
    }
    char line[HTTP1_CHUNK_HEAD_ROOM];
    slice head = slice_make(line, r->chunked ? http1_put_chunk_head(line, bytes.len) : 0);
    const slice parts[] = {head, bytes, r->chunked ? slice_lit(CRLF) : (slice){0}};
    int failed = write_now(r->connection, parts, array_count(parts));
    return failed == -EPIPE ? 0 : failed;
}

void http_reply_end(struct http_request *r) {
    check(r->begun && r->state != REQUEST_ANSWERED);
    slice end = r->chunked && !r->head_only ? slice_lit("0" CRLF CRLF) : (slice){0};
    if (emit(r, &end, 1))
        break_off(r);
    else
        finish(r);
}

void http_reply_break(struct http_request *r) {
    check(r->state == REQUEST_CALLED || r->state == REQUEST_LATER);
    break_off(r);
}

/* --- in turn
 * -------------------------------------------------------------------------------------- */

/* The client waits for a word before it sends the body; it must not come before earlier answers. */
static bool say_continue(struct http_request *r) {
    slice line = slice_lit("HTTP/1.1 100 Continue" CRLF CRLF);
    if (!r->wants_continue)
        return false;
    r->wants_continue = false;
    if (write_now(r->connection, &line, 1))
        r->connection->lost = true;
    return true;
}

static bool send_waiting(struct http_request *r) {
    struct http_connection *c = r->connection;
    if (io_stream_pending(c->stream) >= HTTP_STREAM_HIGH_BYTES)
        return false;
    slice out = buf_slice(&r->out);
    if (write_now(c, &out, 1))
        c->lost = true;
    c->waiting_bytes -= out.len;
    http_let_go(c->shard, &r->out, out.len);
    return true;
}

/* Earlier answers still leave. A chunked answer without its last chunk is seen to be short; one
   that ends with the connection only if that breaks. */
static void end_short(struct http_request *r) {
    if (r->begun && !r->chunked)
        r->connection->lost = true;
    else
        r->connection->last = true;
}

/* One step of the first request. */
static bool step(struct http_request *r) {
    struct http_connection *c = r->connection;
    if (r->state == REQUEST_READING)
        return say_continue(r);
    if (r->out.len)
        return send_waiting(r);
    if (r->broken) {
        end_short(r);
        return true;
    }
    if (r->state == REQUEST_ANSWERED) {
        c->last = r->closes;
        http_request_free(r);
        return true;
    }
    if (!r->wants_room || !may_write(r))
        return false;
    r->wants_room = false;
    if (r->events.on_room)
        r->events.on_room(r->self);
    return true;
}

bool http_reply_flush(struct http_connection *c) {
    bool moved = false;
    while (!list_empty(&c->requests) && !c->lost && !c->last &&
           step(container_of(c->requests.head.next, struct http_request, node)))
        moved = true;
    return moved;
}
