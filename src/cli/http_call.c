/*
 * http_call.c - see http_call.h.
 *
 *   connect -> (TLS) -> request sent -> head -> body -> closed -> the loop stops
 */
#include "cli/http_call.h"

#include "io/net.h"
#include "wire/http1.h"
#include "wire/http1_body.h"
#include "wire/http1_write.h"

#include <errno.h>
#include <stdio.h>

struct exchange {
    const struct http_call *call;
    struct io_loop *loop;
    struct io_stream *stream;
    struct io_tls *tls;
    struct io_timer timeout;
    struct http1_parser parser;
    struct http1_head head;
    struct http1_body body;
    struct buf rest; /* bytes not yet used */
    struct buf *out;
    bool has_head, done;
    struct error error;
};

static void fail(struct exchange *x, int code, const char *words) {
    if (x->done)
        return;
    x->done = true;
    error_set(&x->error, code, "%s: %s", x->call->login->address, words);
    if (x->stream)
        io_stream_abort(x->stream);
}

/* --- the answer ------------------------------------------------------------------------------- */

/* Uses what it can of INPUT; returns how much. */
static size_t take_body(struct exchange *x, slice input) {
    size_t used = 0, consumed;
    struct http1_part part;
    while (!x->done) {
        int result = http1_body_next(&x->body, slice_skip(input, used), &part, &consumed);
        if (result < 0) {
            fail(x, result, "the answer is not HTTP");
            break;
        }
        used += consumed;
        if (result == 0)
            break;
        if (part.kind == HTTP1_END) {
            x->done = true;
            io_stream_close(x->stream);
        } else if (buf_append(x->out, part.bytes)) {
            fail(x, -EFBIG, "the answer is too large");
        } else if (x->call->on_bytes) {
            x->call->on_bytes(x->call->self, buf_slice(x->out));
        }
    }
    return used;
}

static size_t take(struct exchange *x, slice input) {
    size_t used = 0;
    if (!x->has_head) {
        int result = http1_parse(&x->parser, input, &x->head, &used);
        if (result < 0)
            fail(x, result, "the answer is not HTTP");
        if (result != 1)
            return used;
        x->has_head = true;
        x->body = http1_body_make(&x->head);
    }
    return used + take_body(x, slice_skip(input, used));
}

static void on_bytes(void *owner, slice bytes) {
    struct exchange *x = owner;
    if (buf_append(&x->rest, bytes))
        fail(x, -EFBIG, "the answer is too large");
    else if (!x->done)
        buf_consume(&x->rest, take(x, buf_slice(&x->rest)));
}

static void on_close(void *owner, int reason) {
    struct exchange *x = owner;
    x->stream = NULL;
    if (!x->done && !(x->has_head && http1_body_close(&x->body) == 0))
        fail(x, reason ? reason : -ECONNRESET, "the connection was closed before the answer");
    io_timer_stop(x->loop, &x->timeout);
    io_loop_stop(x->loop);
}

/* --- the request ------------------------------------------------------------------------------ */

static int write_request(const struct http_call *call, struct buf *out) {
    char bearer[256];
    int failed = http1_write_request(out, slice_str(call->method), slice_str(call->path));
    if (!failed)
        failed = http1_write_field(out, slice_lit("Host"), slice_str(call->login->address));
    if (!failed && call->token) {
        snprintf(bearer, sizeof bearer, "Bearer %s", call->token);
        failed = http1_write_field(out, slice_lit("Authorization"), slice_str(bearer));
    }
    if (!failed)
        failed = http1_write_field(out, slice_lit("Connection"), slice_lit("close"));
    if (!failed && call->body.len)
        failed = http1_write_field(out, slice_lit("Content-Type"), slice_lit("application/json"));
    if (!failed)
        failed = http1_write_field_u64(out, slice_lit("Content-Length"), call->body.len);
    return failed ? failed : http1_write_end(out);
}

static void send_request(struct exchange *x) {
    _cleanup_buf_ struct buf text = buf_make(HTTP1_HEAD_MAX);
    int failed = write_request(x->call, &text);
    if (!failed)
        failed = io_stream_write(x->stream, buf_slice(&text));
    if (!failed && x->call->body.len)
        failed = io_stream_write(x->stream, x->call->body);
    if (failed)
        fail(x, failed, error_name(failed));
}

static void on_tls_ready(void *owner, int failed, const char *why) {
    struct exchange *x = owner;
    if (failed)
        fail(x, failed, why);
    else if (!x->done)
        send_request(x);
}

static void start_tls(struct exchange *x) {
    int failed = login_make_tls(io_loop_host(x->loop), x->call->login, &x->tls, &x->error);
    if (!failed)
        failed =
            io_stream_start_tls(x->stream, x->tls, (slice){0}, x->call->timeout_ns, on_tls_ready);
    if (failed)
        fail(x, failed, x->error.code ? x->error.message : "TLS cannot start");
}

static void on_connect(void *owner, struct io_stream *stream, int failed) {
    static const struct io_stream_events events = {.on_bytes = on_bytes, .on_close = on_close};
    struct exchange *x = owner;
    x->stream = stream;
    if (failed) {
        fail(x, failed, error_name(failed));
        io_loop_stop(x->loop);
        return;
    }
    io_stream_set_events(stream, &events, x);
    if (x->call->login->tls)
        start_tls(x);
    else
        send_request(x);
}

static void on_timeout(struct io_timer *timer) {
    struct exchange *x = container_of(timer, struct exchange, timeout);
    if (x->stream) /* else io_connect has the same limit */
        fail(x, -ETIMEDOUT, "no answer within the --timeout");
}

static void start(void *owner, struct io_loop *loop) {
    struct exchange *x = owner;
    x->loop = loop;
    int failed = io_connect(loop, x->call->login->address, x->call->timeout_ns, on_connect, x);
    if (failed) {
        fail(x, failed, error_name(failed));
        io_loop_stop(loop);
    } else {
        io_timer_start(loop, &x->timeout, x->call->timeout_ns, on_timeout);
    }
}

int http_call_run(struct io_host *host, const struct http_call *call, unsigned *ret_status,
                  struct buf *out, struct error *ret_error) {
    struct exchange x = {
        .call = call,
        .out = out,
        .parser = http1_parser_make(HTTP1_RESPONSE),
        .rest = buf_make(HTTP_CALL_BODY_MAX),
    };
    struct io_group *group;
    int failed = io_group_create(host, 1, &group);
    if (!failed) {
        failed = io_group_run(group, start, &x);
        io_group_free(group);
    }
    if (failed)
        error_set(&x.error, failed, "cannot start: %s", error_name(failed));
    io_tls_unref(x.tls);
    buf_free(&x.rest);
    if (x.error.code && ret_error)
        *ret_error = x.error;
    else if (!x.error.code)
        *ret_status = x.head.status;
    return x.error.code;
}
