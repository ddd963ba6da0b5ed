/*
 * websocket.c - the WebSocket of websocket.h: an io_stream, a parser, a clock.
 *
 *     stream --on_bytes--> parse --message------> on_message
 *                            |  '--ping, close--> answered
 *                            '- paused: kept in `rest`, parsed by the task of the resume
 *
 * ONE CLOCK serves all deadlines. It is not moved when something happens, which would cost every
 * message a walk through the wheel: it fires at a deadline as it was known once, looks at what has
 * happened since, and is started again for what is left (on_clock). Only what brings a deadline
 * nearer starts it anew: closing, and going on after a pause.
 *
 * Nothing here frees the WebSocket but the stream's on_close, which never comes from inside a call:
 * so a handler may close, abort or pause whatever it stands on.
 */
#include "http/websocket.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "http/reply.h"
#include "io/crypto.h"
#include "wire/websocket_handshake.h"
#include "wire/websocket_write.h"

#include <errno.h>

#define SECOND_NS UINT64_C(1000000000)
#define OUT_HIGH_BYTES (256u << 10)
#define REST_BYTES_MAX (2 * IO_READ_BYTES) /* one read, and what TLS had decrypted already */

enum state { OPEN, CLOSING, CLOSED };

struct http_websocket {
    struct io_stream *stream;
    struct io_loop *loop;
    struct http_websocket_events events;
    void *owner;
    struct websocket_parser parser;
    struct buf rest; /* read, but not parsed: it is paused, or was until this turn */
    struct buf pong; /* the last ping, to be answered when output does not wait any more */
    struct io_timer clock;
    struct io_task go_on;
    uint64_t ping_ns, pong_ns, idle_ns, close_ns;
    uint64_t heard_ns;   /* when the last byte came */
    uint64_t taken_ns;   /* when the peer was last seen to take output, or none waited */
    uint64_t message_ns; /* when the last message came or went */
    uint64_t asked_ns;   /* when our ping was sent, where it is not answered; or our close frame */
    uint64_t accepted;   /* what the kernel had taken of the output when we last looked */
    uint32_t out_high_bytes;
    int protocol;
    uint16_t code;
    uint8_t state; /* enum state */
    bool asked;    /* a ping was sent, and nothing was heard since */
    bool paused, wants_room, wants_pong;
    bool ended; /* the peer has ended its side */
};
_Static_assert(sizeof(struct http_websocket) <= 640, "a hundred thousand idle ones fit 64 MB");

static uint64_t after(uint64_t moment_ns, uint64_t span_ns) {
    return span_ns > UINT64_MAX - moment_ns ? UINT64_MAX : moment_ns + span_ns;
}

/* --- the end -----------------------------------------------------------------------------------
 */

/* Nothing is said or heard any more; on_close will come. */
static void stop(struct http_websocket *ws, unsigned code) {
    if (ws->state == OPEN)
        ws->code = (uint16_t)code;
    ws->state = CLOSED;
    io_timer_stop(ws->loop, &ws->clock);
    io_defer_cancel(ws->loop, &ws->go_on);
    buf_free(&ws->rest);
    buf_free(&ws->pong);
}

static void cut(struct http_websocket *ws) {
    stop(ws, WEBSOCKET_CODE_LOST);
    io_stream_abort(ws->stream);
}

static void close_softly(struct http_websocket *ws, unsigned code) {
    stop(ws, code);
    io_stream_close(ws->stream);
}

/* False: it could not be said, and the connection is cut. */
static bool say_close(struct http_websocket *ws, unsigned code, slice reason) {
    char *out = NULL;
    if (io_stream_reserve(ws->stream, websocket_frame_room(WEBSOCKET_CONTROL_MAX), &out) < 0) {
        cut(ws);
        return false;
    }
    const char *end = websocket_put_close(out, code, reason, NULL);
    io_stream_advance(ws->stream, (size_t)(end - out));
    return true;
}

/* For what we cannot or will not go on with: no answer of the peer's would matter. */
static void fail(struct http_websocket *ws, enum websocket_error error) {
    const unsigned code = websocket_error_code(error);
    if (ws->state == CLOSING || say_close(ws, code, slice_str(websocket_error_text(error))))
        close_softly(ws, code);
}

static void on_close(void *self, int reason) {
    struct http_websocket *ws = self;
    (void)reason;
    if (ws->state != CLOSED)
        stop(ws, WEBSOCKET_CODE_LOST);
    websocket_parser_free(&ws->parser);
    ws->events.on_close(ws->owner, ws->code);
    mem_free(ws);
}

/* --- the clock ---------------------------------------------------------------------------------
 */

static void on_clock(struct io_timer *timer);

/* When the peer was last known to be there. */
static uint64_t alive_ns(const struct http_websocket *ws) {
    const bool takes = io_stream_pending(ws->stream) > 0 && ws->taken_ns > ws->heard_ns;
    return takes ? ws->taken_ns : ws->heard_ns;
}

static uint64_t deadline_ns(const struct http_websocket *ws) {
    if (ws->state == CLOSING)
        return after(ws->asked_ns, ws->close_ns);
    const uint64_t idle = after(ws->message_ns, ws->idle_ns);
    uint64_t alive = UINT64_MAX;
    if (!ws->paused)
        alive = ws->asked ? after(ws->asked_ns, ws->pong_ns) : after(alive_ns(ws), ws->ping_ns);
    return alive < idle ? alive : idle;
}

static void start_clock(struct http_websocket *ws) {
    const uint64_t now = io_loop_now_ns(ws->loop), deadline = deadline_ns(ws);
    if (deadline == UINT64_MAX)
        io_timer_stop(ws->loop, &ws->clock);
    else
        io_timer_start(ws->loop, &ws->clock, deadline > now ? deadline - now : 0, on_clock);
}

static void look_at_output(struct http_websocket *ws, uint64_t now) {
    const uint64_t accepted = io_stream_accepted(ws->stream);
    if (io_stream_pending(ws->stream) == 0 || accepted != ws->accepted)
        ws->taken_ns = now;
    ws->accepted = accepted;
}

static void ping(struct http_websocket *ws, uint64_t now) {
    char *out = NULL;
    if (io_stream_reserve(ws->stream, websocket_frame_room(0), &out) == 0) {
        const char *end = websocket_put_frame(out, WEBSOCKET_PING, true, (slice){NULL, 0}, NULL);
        io_stream_advance(ws->stream, (size_t)(end - out));
    } /* else it is short of memory: whoever is alive is heard without having been asked */
    ws->asked = true;
    ws->asked_ns = now;
}

static void on_clock(struct io_timer *timer) {
    struct http_websocket *ws = container_of(timer, struct http_websocket, clock);
    const uint64_t now = io_loop_now_ns(ws->loop);
    look_at_output(ws, now);
    if (ws->asked && alive_ns(ws) > ws->asked_ns)
        ws->asked = false;
    const bool is_due = deadline_ns(ws) <= now;
    if (ws->state == OPEN && after(ws->message_ns, ws->idle_ns) <= now) {
        http_websocket_close(ws, WEBSOCKET_CODE_GOING_AWAY, slice_lit("idle"));
        return;
    }
    if (now >= after(after(ws->taken_ns, ws->ping_ns), ws->pong_ns) ||
        (is_due && (ws->state == CLOSING || ws->asked))) {
        cut(ws);
        return;
    }
    if (is_due)
        ping(ws, now);
    start_clock(ws);
}

/* --- output ------------------------------------------------------------------------------------
 */

static bool is_full(const struct http_websocket *ws) {
    return io_stream_pending(ws->stream) > ws->out_high_bytes;
}

static void want_room(struct http_websocket *ws) {
    io_stream_want_room(ws->stream, (size_t)ws->out_high_bytes + 1);
}

static int put(struct http_websocket *ws, enum websocket_kind kind, slice payload) {
    char *out = NULL;
    int failed = io_stream_reserve(ws->stream, websocket_frame_room(payload.len), &out);
    if (failed)
        return failed == -EPIPE ? -EPIPE : -ENOMEM;
    const char *end = websocket_put_frame(out, kind, true, payload, NULL);
    io_stream_advance(ws->stream, (size_t)(end - out));
    return 0;
}

/* A ping is answered at once, or, while much waits before it, when that is gone. */
static void answer_ping(struct http_websocket *ws, slice payload) {
    if (ws->state != OPEN)
        return;
    if (!is_full(ws)) {
        if (put(ws, WEBSOCKET_PONG, payload) < 0)
            cut(ws);
        return;
    }
    buf_clear(&ws->pong);
    if (buf_append(&ws->pong, payload) < 0) {
        fail(ws, WEBSOCKET_ERROR_NO_MEMORY);
        return;
    }
    ws->wants_pong = true;
    want_room(ws);
}

/* Output may have gone: what was put off comes now, if so. */
static void on_drain(void *self) {
    struct http_websocket *ws = self;
    if (ws->state != OPEN || is_full(ws))
        return;
    if (ws->wants_pong) {
        ws->wants_pong = false;
        if (put(ws, WEBSOCKET_PONG, buf_slice(&ws->pong)) < 0) {
            cut(ws);
            return;
        }
        buf_free(&ws->pong);
    }
    if (ws->wants_room) {
        ws->wants_room = false;
        if (ws->events.on_room)
            ws->events.on_room(ws->owner);
    }
}

int http_websocket_send(struct http_websocket *ws, bool is_text, slice message) {
    if (ws->state != OPEN)
        return -EPIPE;
    if (message.len > HTTP_WEBSOCKET_SEND_MAX)
        return -E2BIG;
    if (is_text && !utf8_valid(message))
        return -EILSEQ;
    if (is_full(ws)) {
        ws->wants_room = true;
        want_room(ws);
        return -EAGAIN;
    }
    int failed = put(ws, is_text ? WEBSOCKET_TEXT : WEBSOCKET_BINARY, message);
    if (!failed)
        ws->message_ns = io_loop_now_ns(ws->loop);
    return failed;
}

/* --- input -------------------------------------------------------------------------------------
 */

static void take_event(struct http_websocket *ws, const struct websocket_event *event) {
    switch (event->kind) {
    case WEBSOCKET_TEXT:
    case WEBSOCKET_BINARY:
        if (ws->state == OPEN) {
            ws->message_ns = io_loop_now_ns(ws->loop);
            ws->events.on_message(ws->owner, event->kind == WEBSOCKET_TEXT, event->payload);
        }
        break;
    case WEBSOCKET_PING:
        answer_ping(ws, event->payload);
        break;
    case WEBSOCKET_CLOSE:
        if (ws->state == CLOSING || say_close(ws, event->code, (slice){NULL, 0}))
            close_softly(ws, event->code);
        break;
    default: /* a pong was heard like any byte */
        break;
    }
}

static bool may_parse(const struct http_websocket *ws) {
    return ws->state != CLOSED && !ws->paused; /* closing ends a pause */
}

/* Parses as far as that goes. Returns what is left. */
static slice parse(struct http_websocket *ws, slice bytes) {
    struct websocket_event event;
    size_t consumed = 0;
    int r = 1;
    while (r == 1 && may_parse(ws)) {
        r = websocket_parse(&ws->parser, bytes, &event, &consumed);
        if (r < 0) {
            fail(ws, (enum websocket_error)ws->parser.error);
            break;
        }
        bytes = slice_skip(bytes, consumed);
        if (r == 1)
            take_event(ws, &event);
    }
    websocket_parser_trim(&ws->parser);
    return bytes;
}

static void keep(struct http_websocket *ws, slice bytes) {
    if (ws->state != CLOSED && buf_append(&ws->rest, bytes) < 0)
        fail(ws, WEBSOCKET_ERROR_NO_MEMORY);
}

static void end_if_done(struct http_websocket *ws) {
    if (ws->ended && ws->state != CLOSED && ws->rest.len == 0)
        close_softly(ws, WEBSOCKET_CODE_LOST);
}

static void on_bytes(void *self, slice bytes) {
    struct http_websocket *ws = self;
    ws->heard_ns = io_loop_now_ns(ws->loop);
    if (ws->rest.len == 0)
        bytes = parse(ws, bytes);
    keep(ws, bytes);
}

static void on_end(void *self) {
    struct http_websocket *ws = self;
    ws->ended = true;
    end_if_done(ws);
}

static void on_go_on(struct io_task *task) {
    struct http_websocket *ws = container_of(task, struct http_websocket, go_on);
    const slice left = parse(ws, buf_slice(&ws->rest));
    if (ws->state == CLOSED)
        return; /* the rest is gone already */
    buf_consume(&ws->rest, ws->rest.len - left.len);
    if (ws->rest.len == 0)
        buf_free(&ws->rest);
    end_if_done(ws);
}

/* What had been kept is parsed at the end of this turn. While it was paused nobody looked or
   listened, so both silences count from now. */
static void go_on(struct http_websocket *ws) {
    const uint64_t now = io_loop_now_ns(ws->loop);
    if (ws->paused)
        io_stream_resume(ws->stream);
    ws->paused = false;
    ws->heard_ns = now;
    look_at_output(ws, now);
    io_defer(ws->loop, &ws->go_on);
}

void http_websocket_pause(struct http_websocket *ws) {
    if (ws->paused || ws->state != OPEN)
        return;
    ws->paused = true;
    io_stream_pause(ws->stream);
}

void http_websocket_resume(struct http_websocket *ws) {
    if (!ws->paused || ws->state != OPEN)
        return;
    go_on(ws);
    start_clock(ws);
}

/* --- opening and closing -----------------------------------------------------------------------
 */

void http_websocket_close(struct http_websocket *ws, unsigned code, slice reason) {
    if (ws->state != OPEN || !say_close(ws, code, reason))
        return;
    ws->code = (uint16_t)code;
    ws->state = CLOSING;
    ws->asked_ns = io_loop_now_ns(ws->loop);
    go_on(ws);
    start_clock(ws);
}

void http_websocket_abort(struct http_websocket *ws) {
    cut(ws);
}

static struct http_websocket *websocket_new(const struct http_websocket_options *given,
                                            const struct http_websocket_events *events,
                                            void *owner) {
    struct http_websocket *ws = mem_zalloc(1, sizeof *ws);
    if (!ws)
        return NULL;
    ws->events = *events;
    ws->owner = owner;
    ws->parser = websocket_parser_make(WEBSOCKET_CLIENT, given->message_bytes_max
                                                             ? given->message_bytes_max
                                                             : (uint32_t)WEBSOCKET_MESSAGE_MAX);
    ws->rest = buf_make(REST_BYTES_MAX);
    ws->pong = buf_make(WEBSOCKET_CONTROL_MAX);
    ws->go_on.run = on_go_on;
    check(given->out_high_bytes <= HTTP_WEBSOCKET_HIGH_MAX);
    ws->out_high_bytes = given->out_high_bytes ? given->out_high_bytes : OUT_HIGH_BYTES;
    ws->ping_ns = given->ping_ns ? given->ping_ns : 30 * SECOND_NS;
    ws->pong_ns = given->pong_ns ? given->pong_ns : 10 * SECOND_NS;
    ws->idle_ns = given->idle_ns ? given->idle_ns : HTTP_WEBSOCKET_NEVER;
    ws->close_ns = given->close_ns ? given->close_ns : 5 * SECOND_NS;
    return ws;
}

static void begin(struct http_websocket *ws) {
    const uint64_t now = io_loop_now_ns(ws->loop);
    ws->heard_ns = ws->taken_ns = ws->message_ns = now;
    start_clock(ws);
}

static int answer_upgrade(struct http_request *request, slice key, slice protocol,
                          const struct http_websocket_options *options, struct http_websocket *ws) {
    static const struct io_stream_events events = {on_bytes, on_end, on_drain, on_close};
    char source[WEBSOCKET_ACCEPT_SOURCE_LEN], accept[WEBSOCKET_ACCEPT_LEN];
    unsigned char digest[WEBSOCKET_DIGEST_BYTES];
    size_t count = 0, room = options->field_count + 3;
    struct http1_field *fields = arena_alloc(http_request_arena(request), room * sizeof *fields);
    if (!fields)
        return -ENOMEM;
    websocket_accept_source(key, source);
    io_sha1(slice_make(source, sizeof source), digest);
    websocket_accept_text(digest, accept);
    fields[count++] = (struct http1_field){slice_lit("Upgrade"), slice_lit("websocket")};
    fields[count++] =
        (struct http1_field){slice_lit("Sec-WebSocket-Accept"), slice_make(accept, sizeof accept)};
    if (protocol.len)
        fields[count++] = (struct http1_field){slice_lit("Sec-WebSocket-Protocol"), protocol};
    for (size_t i = 0; i < options->field_count; i++)
        fields[count++] = options->fields[i];
    return http_reply_upgrade(request, fields, count, &events, ws, &ws->stream);
}

static void refuse(struct http_request *request, unsigned status, const char *why) {
    static const struct http1_field wanted[] = {
        {slice_lit("Upgrade"), slice_lit("websocket")},
        {slice_lit("Sec-WebSocket-Version"), slice_lit(WEBSOCKET_VERSION)},
    };
    http_reply_problem_with(request, status, wanted, status == 426 ? array_count(wanted) : 0, why);
}

int http_websocket_accept(struct http_request *request,
                          const struct http_websocket_options *options,
                          const struct http_websocket_events *events, void *owner,
                          struct http_websocket **ret_ws) {
    size_t count;
    slice key;
    const struct http1_field *fields = http_request_fields(request, &count);
    const enum websocket_refusal refusal = websocket_judge(
        http_request_method(request), http_request_upgrade(request), fields, count, &key);
    if (refusal != WEBSOCKET_REFUSED_NONE) {
        refuse(request, websocket_refusal_status(refusal), websocket_refusal_text(refusal));
        return -EPROTO;
    }
    struct http_websocket *ws = websocket_new(options, events, owner);
    int failed = ws ? 0 : -ENOMEM;
    if (ws) {
        ws->loop = http_request_loop(request);
        ws->protocol = (int)websocket_choose_protocol(fields, count, options->protocols,
                                                      options->protocol_count);
        failed = answer_upgrade(
            request, key, ws->protocol < 0 ? (slice){NULL, 0} : options->protocols[ws->protocol],
            options, ws);
    }
    if (failed) {
        mem_free(ws);
        if (failed == -EBUSY)
            refuse(request, 400, "a WebSocket cannot be asked for among other requests");
        else if (failed == -EINVAL)
            refuse(request, 500, "the answer has a field that cannot be sent");
        else
            refuse(request, 503, "short of memory");
        return failed;
    }
    begin(ws);
    *ret_ws = ws;
    return 0;
}

const struct io_stream *http_websocket_stream(const struct http_websocket *ws) {
    return ws->stream;
}

size_t http_websocket_pending(const struct http_websocket *ws) {
    return io_stream_pending(ws->stream);
}

int http_websocket_protocol(const struct http_websocket *ws) {
    return ws->protocol;
}
