/*
 * nats_client.c - one connection to a NATS server (nats_client.h).
 *
 * The end: whatever goes wrong is kept as words in `error`, the stream is aborted, and on_close,
 * which the loop calls later, tells the owner. So on_end never comes from inside a call, and a
 * verb may go on writing to a client that has failed in its hands.
 */
#include "cli/nats_client.h"

#include "base/mem.h"
#include "base/number.h"
#include "wire/json.h"
#include "wire/nats_write.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

enum nats_client_state { CONNECTING, LOGIN, READY, CLOSING };

struct nats_client {
    struct io_loop *loop;
    const struct login *login;
    const struct nats_client_events *events;
    void *self;
    struct io_stream *stream; /* NULL until connected */
    struct io_tls *tls;
    struct nats_parser parser;
    struct buf rest; /* of a message that is not whole yet */
    struct buf out;  /* one command being written */
    enum nats_client_state state;
    uint64_t timeout_ns;
    struct io_timer login_timer;
    struct nats_client_info info;
    struct error error;
};

const struct nats_client_info *nats_client_info(const struct nats_client *c) {
    return &c->info;
}

size_t nats_client_pending(const struct nats_client *c) {
    return c->stream ? io_stream_pending(c->stream) : 0;
}

/* --- the end ---------------------------------------------------------------------------------- */

static void end(struct nats_client *c) {
    io_timer_stop(c->loop, &c->login_timer);
    io_tls_unref(c->tls);
    buf_free(&c->rest);
    buf_free(&c->out);
    c->events->on_end(c->self, c->error.code ? &c->error : NULL);
    mem_free(c);
}

/* ERROR has been set: no more bytes, and on_close will tell. */
static void abort_stream(struct nats_client *c) {
    c->state = CLOSING;
    if (c->stream)
        io_stream_abort(c->stream);
}

void nats_client_fail(struct nats_client *c, int code, const char *format, ...) {
    if (c->state == CLOSING)
        return;
    char words[sizeof c->error.message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    error_set(&c->error, code, "%s", words);
    abort_stream(c);
}

void nats_client_close(struct nats_client *c) {
    if (c->state == CLOSING)
        return;
    c->state = CLOSING;
    io_timer_stop(c->loop, &c->login_timer);
    if (c->stream)
        io_stream_close(c->stream);
}

static void on_close(void *owner, int reason) {
    struct nats_client *c = owner;
    if (c->state != CLOSING)
        error_set(&c->error, reason ? reason : -ECONNRESET, "%s closed the connection%s%s%s",
                  c->login->address, c->state == READY ? "" : " during the login",
                  reason ? ": " : "", reason ? error_name(reason) : "");
    end(c);
}

/* --- writing ---------------------------------------------------------------------------------- */

void nats_client_write(struct nats_client *c, slice bytes) {
    if (c->state == CLOSING)
        return;
    int failed = io_stream_write(c->stream, bytes);
    if (failed)
        nats_client_fail(c, failed, "cannot send to %s: %s", c->login->address, error_name(failed));
}

/* Sends what has been written to c->out. */
static void write_out(struct nats_client *c, int failed) {
    if (failed)
        nats_client_fail(c, failed, "no memory to send to %s", c->login->address);
    else
        nats_client_write(c, buf_slice(&c->out));
    buf_clear(&c->out);
}

void nats_client_publish(struct nats_client *c, const struct nats_client_message *m) {
    write_out(c, nats_write_pub(&c->out, m->subject, m->reply, m->headers, m->payload));
}

void nats_client_subscribe(struct nats_client *c, uint64_t sid, slice subject, slice queue) {
    char text[NUMBER_TEXT_MAX];
    size_t len = number_format_u64(sid, text);
    write_out(c, nats_write_sub(&c->out, subject, queue, slice_make(text, len)));
}

void nats_client_unsubscribe(struct nats_client *c, uint64_t sid) {
    char text[NUMBER_TEXT_MAX];
    size_t len = number_format_u64(sid, text);
    write_out(c, nats_write_unsub(&c->out, slice_make(text, len), 0));
}

void nats_client_ping(struct nats_client *c) {
    nats_client_write(c, slice_lit("PING\r\n"));
}

/* --- logging in ------------------------------------------------------------------------------- */

static void log_in(struct nats_client *c) {
    int failed =
        login_write_connect(c->login, slice_str(c->info.nonce), c->tls != NULL, &c->out, &c->error);
    if (!failed)
        failed = nats_write_ping(&c->out);
    if (failed) {
        error_set(&c->error, failed, "%s",
                  c->error.code ? c->error.message : "no memory to log in");
        abort_stream(c);
        return;
    }
    c->state = LOGIN;
    write_out(c, 0);
}

static void on_tls_ready(void *owner, int failed, const char *why) {
    struct nats_client *c = owner;
    if (c->state == CLOSING)
        return;
    if (failed) {
        nats_client_fail(c, failed, "TLS with %s failed: %s", c->login->address, why);
        error_hint(&c->error, "--tls-ca FILE trusts the server's own authority, --tls-insecure "
                              "anybody");
        return;
    }
    c->info.tls_version = io_stream_tls(c->stream).version;
    log_in(c);
}

static void start_tls(struct nats_client *c) {
    int failed = login_make_tls(io_loop_host(c->loop), c->login, &c->tls, &c->error);
    if (!failed) {
        failed = io_stream_start_tls(c->stream, c->tls, (slice){0}, c->timeout_ns, on_tls_ready);
        if (failed)
            error_set(&c->error, failed, "TLS cannot start: %s", error_name(failed));
    }
    if (failed)
        abort_stream(c);
}

/* The member KEY of INFO cut to SIZE with its NUL; "" where there is none. */
static void read_text(json_value root, slice key, char *out, size_t size) {
    slice text;
    out[0] = '\0';
    if (json_string(json_member(root, key), &text) == 0 &&
        slice_to_string(slice_take(text, size - 1), out, size) != 0)
        out[0] = '\0';
}

static bool read_flag(json_value root, slice key) {
    bool value;
    return json_bool(json_member(root, key), &value) == 0 && value;
}

static int read_info(struct nats_client *c, slice json) {
    struct json_doc doc;
    json_init(&doc);
    int failed = json_parse(&doc, json);
    if (!failed) {
        json_value root = json_root(&doc);
        struct nats_client_info *info = &c->info;
        read_text(root, slice_lit("server_name"), info->name, sizeof info->name);
        read_text(root, slice_lit("version"), info->version, sizeof info->version);
        read_text(root, slice_lit("nonce"), info->nonce, sizeof info->nonce);
        if (json_u64(json_member(root, slice_lit("max_payload")), &info->payload_max))
            info->payload_max = NATS_PAYLOAD_MAX;
        info->headers = read_flag(root, slice_lit("headers"));
        info->jetstream = read_flag(root, slice_lit("jetstream"));
        info->tls_required = read_flag(root, slice_lit("tls_required"));
    }
    json_free(&doc);
    return failed;
}

static void on_info(struct nats_client *c, slice json) {
    if (c->state != CONNECTING || c->tls)
        return; /* later ones tell of a cluster's other servers */
    int failed = read_info(c, json);
    if (failed)
        nats_client_fail(c, failed, "%s does not speak NATS: its INFO is not JSON",
                         c->login->address);
    else if (c->info.tls_required || c->login->tls)
        start_tls(c);
    else
        log_in(c);
}

/* --- reading ---------------------------------------------------------------------------------- */

static void on_pong(struct nats_client *c) {
    if (c->state == LOGIN) {
        c->state = READY;
        io_timer_stop(c->loop, &c->login_timer);
        c->events->on_ready(c->self);
    } else {
        c->events->on_pong(c->self);
    }
}

static void on_err(struct nats_client *c, slice text) {
    bool refused = slice_find_slice(text, slice_lit("Authorization")) >= 0 ||
                   slice_find_slice(text, slice_lit("Authentication")) >= 0;
    if (refused && c->state == LOGIN) {
        nats_client_fail(c, -EACCES, "%s refuses this login: %.*s", c->login->address,
                         slice_fmt(text));
        error_hint(&c->error, "who are you? --user NAME --password SECRET, --token, --creds FILE, "
                              "or nats://NAME:SECRET@host:port");
    } else {
        nats_client_fail(c, -EREMOTEIO, "%s says: %.*s", c->login->address, slice_fmt(text));
    }
}

static void on_message(struct nats_client *c, const struct nats_event *event) {
    uint64_t sid;
    if (c->state != READY || number_parse_u64(event->sid, &sid))
        return;
    const struct nats_client_message message = {event->subject, event->reply, event->headers,
                                                event->payload};
    c->events->on_message(c->self, sid, &message);
}

static void handle(struct nats_client *c, const struct nats_event *event) {
    switch (event->kind) {
    case NATS_INFO:
        on_info(c, event->payload);
        return;
    case NATS_PING:
        nats_client_write(c, slice_lit("PONG\r\n"));
        return;
    case NATS_PONG:
        on_pong(c);
        return;
    case NATS_MSG:
    case NATS_HMSG:
        on_message(c, event);
        return;
    case NATS_ERR:
        on_err(c, event->payload);
        return;
    default:
        return;
    }
}

/* Returns how much of BYTES has been used; what is left is the beginning of a message. */
static size_t consume(struct nats_client *c, slice bytes) {
    size_t used = 0, consumed;
    struct nats_event event;
    while (c->state != CLOSING) {
        int result = nats_parse(&c->parser, slice_skip(bytes, used), &event, &consumed);
        if (result == 0)
            return used;
        if (result < 0) {
            nats_client_fail(c, result, "%s does not speak NATS: %s", c->login->address,
                             nats_error_detail((enum nats_error)c->parser.error));
            break;
        }
        used += consumed;
        handle(c, &event);
    }
    return bytes.len;
}

static void on_bytes(void *owner, slice bytes) {
    struct nats_client *c = owner;
    if (c->rest.len == 0)
        bytes = slice_skip(bytes, consume(c, bytes));
    if (bytes.len == 0)
        return;
    if (buf_append(&c->rest, bytes))
        nats_client_fail(c, -ENOMEM, "no memory for what %s sends", c->login->address);
    else if (c->rest.len >= c->parser.need)
        buf_consume(&c->rest, consume(c, buf_slice(&c->rest)));
}

/* --- connecting ------------------------------------------------------------------------------- */

static void on_login_late(struct io_timer *timer) {
    struct nats_client *c = container_of(timer, struct nats_client, login_timer);
    if (c->stream) /* else io_connect has the same limit */
        nats_client_fail(c, -ETIMEDOUT, "%s does not answer as a NATS server would",
                         c->login->address);
}

static void on_connect(void *owner, struct io_stream *stream, int failed) {
    static const struct io_stream_events events = {.on_bytes = on_bytes, .on_close = on_close};
    struct nats_client *c = owner;
    if (failed) {
        if (c->state != CLOSING) {
            error_set(&c->error, failed, "cannot reach %s: %s", c->login->address,
                      error_name(failed));
            error_hint(&c->error, "is the node running there? --server URL names another");
        }
        c->state = CLOSING;
        end(c);
        return;
    }
    c->stream = stream;
    io_stream_set_out_max(stream, NATS_CLIENT_OUT_MAX);
    io_stream_set_events(stream, &events, c);
    if (c->state == CLOSING)
        io_stream_close(stream);
}

int nats_client_open(struct io_loop *loop, const struct login *login, uint64_t timeout_ns,
                     const struct nats_client_events *events, void *self,
                     struct nats_client **ret_client, struct error *ret_error) {
    struct nats_client *c = mem_zalloc(1, sizeof *c);
    if (!c)
        return error_set(ret_error, -ENOMEM, "no memory to connect");
    c->loop = loop;
    c->login = login;
    c->events = events;
    c->self = self;
    c->timeout_ns = timeout_ns;
    c->parser = nats_parser_make(NATS_SERVER);
    c->parser.payload_max = NATS_CLIENT_PAYLOAD_MAX;
    c->rest = buf_make(NATS_CLIENT_PAYLOAD_MAX + 2u * IO_READ_BYTES);
    c->out = buf_make(NATS_CLIENT_PAYLOAD_MAX + 2u * IO_READ_BYTES);
    c->info.tls_version = "";
    int failed = io_connect(loop, login->address, timeout_ns, on_connect, c);
    if (failed) {
        mem_free(c);
        return error_set(ret_error, failed, "cannot reach %s: %s", login->address,
                         error_name(failed));
    }
    io_timer_start(loop, &c->login_timer, timeout_ns, on_login_late);
    *ret_client = c;
    return 0;
}
