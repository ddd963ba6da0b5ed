/*
 * reply.c - answers: heads, whole and streamed bodies, problems, and the order they leave in.
 *
 *     whole      head with Content-Length, body                     one call
 *     streamed   head with Content-Length, that many bytes          has_length
 *                head with Transfer-Encoding: chunked, chunks       HTTP/1.1
 *                head with Connection: close, bytes until the end   HTTP/1.0
 *
 * Only the first request of a connection writes to its stream. An answer given out of turn is put
 * together in `out` and leaves when its turn comes; a streamed one gets no further than its head
 * until then (-EAGAIN). HEAD gets the head of what GET would get.
 *
 * An answer that is complete before its request's body has come to its end is the connection's
 * last: the rest of the body is not worth reading, and nothing else may be read in its place.
 */
#include "http/request_inside.h"

#include "base/clocktext.h"
#include "base/number.h"
#include "wire/http1_write.h"
#include "wire/json_write.h"

#include <errno.h>
#include <stdio.h>

#define DETAIL_MAX 512
#define PROBLEM_MAX 8192
#define CRLF "\r\n"
#define DATE_LINE_LEN (sizeof "Date: Sun, 06 Nov 1994 08:49:37 GMT" CRLF - 1)

static bool is_first(const struct http_request *r) {
    return r->connection->requests.head.next == &r->node;
}

static bool is_last(const struct http_request *r) {
    return r->connection->requests.head.prev == &r->node;
}

/* --- heads --------------------------------------------------------------------------------------
 */

slice http_date_line(struct http_shard *shard) {
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t now_ns = io_loop_wall_ns(shard->loop);
    int64_t second = now_ns / NUMBER_NS_PER_SECOND;
    if (second == shard->date_second && shard->date_line[0])
        return slice_make(shard->date_line, DATE_LINE_LEN);
    struct clocktext_civil at = clocktext_civil(now_ns);
    unsigned day = clocktext_weekday(clocktext_days(at.year, at.month, at.day));
    shard->date_second = second;
    snprintf(shard->date_line, sizeof shard->date_line,
             "Date: %.3s, %02u %.3s %04u %02u:%02u:%02u GMT" CRLF, days + day * 3, at.day % 100,
             months + (at.month - 1) * 3, (unsigned)at.year % 10000, at.hour % 100, at.minute % 100,
             at.second % 100);
    return slice_make(shard->date_line, DATE_LINE_LEN);
}

static bool has_date(const struct http_answer *answer) {
    for (size_t i = 0; i < answer->field_count; i++)
        if (slice_equal_nocase(answer->fields[i].name, slice_lit("Date")))
            return true;
    return false;
}

static bool has_no_body(unsigned status) {
    return status == 204 || status == 304;
}

int http_head_begin(struct http_shard *shard, unsigned status) {
    shard->scratch.max = HTTP1_WRITTEN_MAX;
    buf_clear(&shard->scratch);
    return http1_write_status(&shard->scratch, status, (slice){0});
}

int http_head_end(struct http_shard *shard, const struct http1_field *fields, size_t count) {
    struct buf *b = &shard->scratch;
    int failed = 0;
    for (size_t i = 0; i < count && !failed; i++)
        failed = http1_is_framing(fields[i].name)
                     ? -EINVAL
                     : http1_write_field(b, fields[i].name, fields[i].value);
    if (!failed)
        failed = http1_write_end(b);
    return failed == -ENOBUFS ? -EINVAL : failed;
}

static int write_framing(const struct http_request *r, struct buf *b, const uint64_t *length) {
    int failed = 0;
    if (length)
        failed = http1_write_field_u64(b, slice_lit("Content-Length"), *length);
    else if (r->chunked)
        failed = buf_append(b, slice_lit("Transfer-Encoding: chunked" CRLF));
    return failed;
}

/* Who sends Upgrade says so here, too (RFC 9110 7.8); of answers that is 426. */
static int write_connection(const struct http_request *r, struct buf *b, unsigned status) {
    bool upgrade = status == 426;
    if (r->closes && upgrade)
        return buf_append(b, slice_lit("Connection: close, Upgrade" CRLF));
    if (r->closes)
        return buf_append(b, slice_lit("Connection: close" CRLF));
    if (r->http_1_0)
        return buf_append(b, slice_lit("Connection: keep-alive" CRLF));
    return upgrade ? buf_append(b, slice_lit("Connection: Upgrade" CRLF)) : 0;
}

/* Makes the head in the loop's scratch, with the LENGTH that is announced; NULL: none is. 0,
   -EINVAL (a field that cannot be sent), -ENOMEM. */
static int make_head(struct http_request *r, const struct http_answer *answer,
                     const uint64_t *length) {
    struct http_shard *shard = r->connection->shard;
    struct buf *b = &shard->scratch;
    int failed = answer->status < 200 ? -EINVAL : http_head_begin(shard, answer->status);
    if (!failed && !has_date(answer))
        failed = buf_append(b, http_date_line(shard));
    if (!failed && answer->type)
        failed = http1_write_field(b, slice_lit("Content-Type"), slice_str(answer->type));
    if (!failed)
        failed = write_framing(r, b, length);
    if (!failed)
        failed = write_connection(r, b, answer->status);
    return failed ? failed : http_head_end(shard, answer->fields, answer->field_count);
}

/* Whether the connection ends with this answer, as far as is known when its head is made. */
static bool will_close(const struct http_request *r, const struct http_answer *answer) {
    const struct http_connection *c = r->connection;
    bool ends = c->reading == HTTP_READ_DONE || c->shard->draining;
    return !r->keep_alive || answer->close || (ends && is_last(r));
}

/* --- bytes out -----------------------------------------------------------------------------------
 */

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
    return may_write(r) ? http_connection_write(r->connection, parts, part_count)
                        : write_later(r, parts, part_count);
}

/* --- whole answers -------------------------------------------------------------------------------
 */

void http_reply_finish(struct http_request *r) {
    struct http_connection *c = r->connection;
    r->state = REQUEST_ANSWERED;
    if (c->upgrade_of == r)
        c->upgrade_of = NULL;
    if (c->body_of == r) {
        c->body_of = NULL;
        c->reading = HTTP_READ_DONE;
        c->input = (slice){0};
    }
    http_connection_feed(c, (slice){0});
}

/* What is not yet sent of it never is. */
static void break_off(struct http_request *r) {
    r->connection->waiting_bytes -= r->out.len;
    http_let_go(r->connection->shard, &r->out, r->out.len);
    r->broken = true;
    http_reply_finish(r);
}

void http_reply(struct http_request *r, const struct http_answer *answer, slice body) {
    check((r->state == REQUEST_CALLED || r->state == REQUEST_LATER) && !r->begun);
    if (body.len > HTTP_ANSWER_BYTES_MAX) {
        http_reply_problem(r, 500, "the answer is larger than an answer may be");
        return;
    }
    uint64_t length = body.len;
    r->closes = will_close(r, answer) || r->connection->body_of == r;
    int failed = make_head(r, answer, has_no_body(answer->status) ? NULL : &length);
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
    http_count_answer(r->connection->shard, answer->status);
    http_reply_finish(r);
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

void http_reply_interim(struct http_request *r, unsigned status, const struct http1_field *fields,
                        size_t field_count) {
    check(r->state == REQUEST_CALLED || r->state == REQUEST_LATER);
    struct http_shard *shard = r->connection->shard;
    if (status <= 101 || status > 199 || r->begun || r->http_1_0 || !may_write(r))
        return;
    int failed = http_head_begin(shard, status);
    if (!failed)
        failed = http_head_end(shard, fields, field_count);
    slice head = buf_slice(&shard->scratch);
    if (!failed)
        failed = http_connection_write(r->connection, &head, 1);
    (void)failed; /* it is only a hint: the answer does without */
}

int http_reply_begin(struct http_request *r, const struct http_answer *answer) {
    check((r->state == REQUEST_CALLED || r->state == REQUEST_LATER) && !r->begun);
    bool bare = has_no_body(answer->status);
    r->has_length = answer->has_length;
    r->length_left = answer->length;
    r->bodiless = r->head_only || bare;
    r->chunked = !r->has_length && !r->http_1_0 && !bare;
    r->closes = will_close(r, answer) || (!r->has_length && r->http_1_0);
    bool announced = r->has_length && answer->status != 204; /* RFC 9110 8.6: never with that */
    int failed = make_head(r, answer, announced ? &answer->length : NULL);
    slice head = buf_slice(&r->connection->shard->scratch);
    if (!failed && (failed = emit(r, &head, 1)))
        failed = failed == -EPIPE ? 0 : -ENOMEM;
    if (failed) {
        r->chunked = false; /* it is another answer that is framed next */
        return failed;
    }
    r->begun = true;
    r->wants_continue = false; /* it would come too late */
    http_count_answer(r->connection->shard, answer->status);
    return 0;
}

bool http_reply_full(struct http_request *r) {
    if (may_write(r) || r->bodiless || r->connection->closed)
        return false;
    r->wants_room = true;
    if (is_first(r))
        io_stream_want_room(r->connection->stream, HTTP_STREAM_HIGH_BYTES);
    return true;
}

int http_reply_write(struct http_request *r, slice bytes) {
    check(r->begun && r->state != REQUEST_ANSWERED);
    if (bytes.len > HTTP_ANSWER_BYTES_MAX)
        return -E2BIG;
    if (bytes.len == 0 || r->bodiless || r->connection->closed)
        return 0;
    if (r->has_length && bytes.len > r->length_left)
        return -E2BIG;
    if (http_reply_full(r))
        return -EAGAIN;
    char line[HTTP1_CHUNK_HEAD_ROOM];
    slice head = slice_make(line, r->chunked ? http1_put_chunk_head(line, bytes.len) : 0);
    const slice parts[] = {head, bytes, r->chunked ? slice_lit(CRLF) : (slice){0}};
    int failed = http_connection_write(r->connection, parts, array_count(parts));
    if (failed && failed != -EPIPE)
        return failed;
    if (r->has_length)
        r->length_left -= bytes.len;
    return 0;
}

/* The last chunk and those of the trailers that can be sent, in the loop's scratch. */
static int make_end(struct http_shard *shard, const struct http1_field *trailers, size_t count) {
    struct buf *b = &shard->scratch;
    b->max = HTTP1_TRAILERS_MAX;
    buf_clear(b);
    int failed = http1_write_last_chunk(b);
    for (size_t i = 0; i < count && !failed; i++)
        if (http1_may_trail(trailers[i].name))
            failed =
                http1_write_field(b, trailers[i].name, trailers[i].value) == -ENOMEM ? -ENOMEM : 0;
    b->max += 2;
    return failed ? failed : http1_write_end(b);
}

void http_reply_end_with(struct http_request *r, const struct http1_field *trailers, size_t count) {
    check(r->begun && r->state != REQUEST_ANSWERED);
    bool chunked = r->chunked && !r->bodiless;
    bool short_of = r->has_length && !r->bodiless && r->length_left > 0;
    slice end = {0};
    int failed = chunked ? make_end(r->connection->shard, trailers, count) : 0;
    if (!failed && chunked)
        end = buf_slice(&r->connection->shard->scratch);
    if (failed || short_of || emit(r, &end, 1))
        break_off(r);
    else
        http_reply_finish(r);
}

void http_reply_end(struct http_request *r) {
    http_reply_end_with(r, NULL, 0);
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
    if (!r->wants_continue || r->connection->body_of != r || !http_body_flows(r))
        return false;
    r->wants_continue = false;
    if (http_connection_write(r->connection, &line, 1))
        r->connection->lost = true;
    return true;
}

static bool send_waiting(struct http_request *r) {
    struct http_connection *c = r->connection;
    if (io_stream_pending(c->stream) >= HTTP_STREAM_HIGH_BYTES)
        return false;
    slice out = buf_slice(&r->out);
    if (http_connection_write(c, &out, 1))
        c->lost = true;
    c->waiting_bytes -= out.len;
    http_let_go(c->shard, &r->out, out.len);
    return true;
}

/* Earlier answers still leave. An answer without its last chunk, or short of its length, is seen to
   be short; one that ends with the connection only if that breaks. */
static void end_short(struct http_request *r) {
    if (r->begun && !r->chunked && !r->has_length)
        r->connection->lost = true;
    else
        r->connection->last = true;
}

/* One step of the first request. */
static bool step(struct http_request *r) {
    struct http_connection *c = r->connection;
    if (say_continue(r))
        return true;
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
