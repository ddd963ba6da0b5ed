/*
 * session.c - the CLI's NATS client (session.h).
 *
 *   CONNECTING --INFO--> (TLS) --CONNECT, PING--> --PONG--> READY --session_end--> ENDING
 *        |                                   |                |
 *        '--------- error, -ERR, closed -----'----------------'--> ENDING, exit 1
 *
 * One loop, one connection. Answers to requests come to one inbox "_INBOX.<random>.<number>".
 */
#include "cli/session.h"

#include "base/list.h"
#include "base/mem.h"
#include "base/number.h"
#include "cli/session_login.h"
#include "io/tls.h"
#include "wire/nats_headers.h"
#include "wire/nats_write.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#define TIMEOUT_DEFAULT_NS (5 * 1000000000ull)
#define CONNECT_TIMEOUT_NS (5 * 1000000000ull)
#define PAYLOAD_MAX (64u << 20)
#define INBOX_RANDOM 12
#define FLUSHES_MAX 64u

enum session_state { CONNECTING, AWAITING_PONG, READY, ENDING };

struct subscription {
    session_receiver receiver; /* NULL: free */
    void *self;
};

struct request {
    struct list_node node;
    struct io_timer timer;
    struct session *session;
    uint64_t number;
    void (*on_reply)(void *self, const struct session_message *reply, int failed);
    void *self;
};

struct session {
    const struct cli_call *call;
    struct io_host *host;
    struct io_group *group;
    struct io_loop *loop;
    struct io_stream *stream;
    struct io_tls *tls;
    struct session_login login;
    struct nats_parser parser;
    struct buf rest, out;
    enum session_state state;
    int code;
    uint64_t timeout_ns, payload_max, requests_ever;
    char server_name[256], nonce[128];
    struct subscription subscriptions[SESSION_SUBSCRIPTIONS_MAX];
    char inbox[8 + INBOX_RANDOM * 2 + 2];
    unsigned inbox_id;
    struct list requests;
    unsigned request_count;
    struct {
        void (*done)(void *self);
        void *self;
    } flushes[FLUSHES_MAX];
    unsigned flush_count;
    void (*drained)(void *self);
    void *drained_self;
    void (*begin)(struct session *session, void *self);
    void *self;
    struct json_doc doc;
    struct io_timer ending;
};

struct io_loop *session_loop(struct session *s) {
    return s->loop;
}

slice session_server_name(const struct session *s) {
    return slice_str(s->server_name);
}

uint64_t session_payload_max(const struct session *s) {
    return s->payload_max;
}

uint64_t session_timeout_ns(const struct session *s) {
    return s->timeout_ns;
}

/* --- ending
 * ------------------------------------------------------------------------------------------- */

static void on_end(struct io_timer *timer) {
    io_loop_stop(container_of(timer, struct session, ending)->loop);
}

void session_end(struct session *s, int code) {
    if (s->state == ENDING)
        return;
    s->state = ENDING;
    s->code = code;
    if (s->stream)
        io_stream_close(s->stream); /* on_close stops the loop */
    else
        io_timer_start(s->loop, &s->ending, 0, on_end);
}

void session_fail(struct session *s, const char *format, ...) {
    if (s->state == ENDING)
        return;
    va_list arguments;
    va_start(arguments, format);
    fputs("nonet: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    session_end(s, CLI_FAILED);
}

/* --- sending
 * ------------------------------------------------------------------------------------------- */

static void send(struct session *s, slice bytes) {
    if (s->state == ENDING)
        return;
    int failed = io_stream_write(s->stream, bytes);
    if (failed)
        session_fail(s, "cannot send to %s: %s", s->login.address, error_name(failed));
}

/* Sends what has been written to s->out. */
static void send_out(struct session *s, int failed) {
    if (failed)
        session_fail(s, "no memory to send");
    else
        send(s, buf_slice(&s->out));
    buf_clear(&s->out);
}

void session_publish(struct session *s, const struct session_message *m) {
    send_out(s, nats_write_pub(&s->out, m->subject, m->reply, m->headers, m->payload));
}

size_t session_pending(const struct session *s) {
    return s->stream ? io_stream_pending(s->stream) : 0;
}

void session_on_drain(struct session *s, void (*drained)(void *self), void *self) {
    s->drained = drained;
    s->drained_self = self;
}

unsigned session_subscribe(struct session *s, slice subject, slice queue, session_receiver receiver,
                           void *self) {
    for (unsigned id = 1; id < SESSION_SUBSCRIPTIONS_MAX; id++) {
        if (s->subscriptions[id].receiver)
            continue;
        char sid[NUMBER_TEXT_MAX];
        size_t len = number_format_u64(id, sid);
        s->subscriptions[id] = (struct subscription){receiver, self};
        send_out(s, nats_write_sub(&s->out, subject, queue, slice_make(sid, len)));
        return id;
    }
    session_fail(s, "more than %u subscriptions", SESSION_SUBSCRIPTIONS_MAX);
    return 0;
}

void session_unsubscribe(struct session *s, unsigned id) {
    char sid[NUMBER_TEXT_MAX];
    size_t len = number_format_u64(id, sid);
    s->subscriptions[id].receiver = NULL;
    send_out(s, nats_write_unsub(&s->out, slice_make(sid, len), 0));
}

void session_flush(struct session *s, void (*done)(void *self), void *self) {
    if (s->flush_count == FLUSHES_MAX) {
        session_fail(s, "more than %u flushes under way", FLUSHES_MAX);
        return;
    }
    s->flushes[s->flush_count].done = done;
    s->flushes[s->flush_count++].self = self;
    send(s, slice_lit("PING\r\n"));
}

/* --- requests
 * -------------------------------------------------------------------------------------------- */

static void answer(struct request *request, const struct session_message *reply, int failed) {
    struct request done = *request;
    io_timer_stop(request->session->loop, &request->timer);
    list_remove(&request->node);
    request->session->request_count--;
    mem_free(request);
    done.on_reply(done.self, reply, failed);
}

static void on_request_timeout(struct io_timer *timer) {
    answer(container_of(timer, struct request, timer), NULL, -ETIMEDOUT);
}

static bool says_no_responders(const struct session_message *message) {
    struct nats_status status;
    return message->headers.len && !message->payload.len &&
           nats_headers_parse(message->headers, &status) == 0 && status.code == 503;
}

static void on_inbox(void *self, const struct session_message *message) {
    struct session *s = self;
    uint64_t number;
    size_t prefix = strlen(s->inbox) - 1; /* without the '*' */
    if (number_parse_u64(slice_skip(message->subject, prefix), &number))
        return;
    struct list_node *at, *following;
    list_each(&s->requests, at, following) {
        struct request *request = container_of(at, struct request, node);
        if (request->number != number)
            continue;
        bool nobody = says_no_responders(message);
        answer(request, nobody ? NULL : message, nobody ? -EHOSTUNREACH : 0);
        return;
    }
}

static void open_inbox(struct session *s) {
    unsigned char random[INBOX_RANDOM];
    io_host_random(s->host, random, sizeof random);
    size_t at = (size_t)snprintf(s->inbox, sizeof s->inbox, "_INBOX.");
    for (unsigned i = 0; i < INBOX_RANDOM; i++)
        at += (size_t)snprintf(s->inbox + at, sizeof s->inbox - at, "%02x", random[i]);
    snprintf(s->inbox + at, sizeof s->inbox - at, ".*");
    s->inbox_id = session_subscribe(s, slice_str(s->inbox), (slice){0}, on_inbox, s);
}

void session_request(struct session *s, slice subject, slice headers, slice payload,
                     void (*on_reply)(void *self, const struct session_message *reply, int failed),
                     void *self) {
    struct request *request =
        s->request_count < SESSION_REQUESTS_MAX ? mem_zalloc(1, sizeof *request) : NULL;
    if (!request) {
        session_fail(s, "too many requests under way");
        return;
    }
    if (!s->inbox_id)
        open_inbox(s);
    request->session = s;
    request->number = ++s->requests_ever;
    request->on_reply = on_reply;
    request->self = self;
    list_push_back(&s->requests, &request->node);
    s->request_count++;
    io_timer_start(s->loop, &request->timer, s->timeout_ns, on_request_timeout);
    char reply[sizeof s->inbox + NUMBER_TEXT_MAX];
    int len = snprintf(reply, sizeof reply, "%.*s%llu", (int)strlen(s->inbox) - 1, s->inbox,
                       (unsigned long long)request->number);
    struct session_message message = {subject, slice_make(reply, (size_t)len), headers, payload};
    session_publish(s, &message);
}

struct api {
    struct session *session;
    void (*on_answer)(void *self, json_value answer);
    void *self;
    char name[];
};

static void on_api_reply(void *self, const struct session_message *reply, int failed) {
    struct api *api = self;
    struct session *s = api->session;
    if (failed == -EHOSTUNREACH)
        session_fail(s, "%s has no durable streams", s->login.address);
    else if (failed)
        session_fail(s, "no answer to %s within the --timeout", api->name);
    else if (json_parse(&s->doc, reply->payload))
        session_fail(s, "the answer to %s is not JSON", api->name);
    else {
        slice text;
        json_value error = json_member(json_root(&s->doc), slice_lit("error"));
        if (json_type_of(error) == JSON_ABSENT)
            api->on_answer(api->self, json_root(&s->doc));
        else if (json_string(json_member(error, slice_lit("description")), &text) == 0)
            session_fail(s, "%.*s", slice_fmt(text));
        else
            session_fail(s, "%s was refused", api->name);
    }
    mem_free(api);
}

void session_api(struct session *s, const char *name, slice json,
                 void (*on_answer)(void *self, json_value answer), void *self) {
    char subject[600];
    int len = snprintf(subject, sizeof subject, "$JS.API.%s", name);
    struct api *api = mem_zalloc(1, sizeof *api + strlen(name) + 1);
    if (!api || len >= (int)sizeof subject) {
        mem_free(api);
        session_fail(s, "the name in %s is too long", name);
        return;
    }
    api->session = s;
    api->on_answer = on_answer;
    api->self = self;
    memcpy(api->name, name, strlen(name));
    session_request(s, slice_make(subject, (size_t)len), (slice){0}, json, on_api_reply, api);
}

/* --- receiving
 * --------------------------------------------------------------------------------------------- */

static void log_in(struct session *s) {
    struct error error = {0};
    if (session_login_connect(&s->login, slice_str(s->nonce), s->tls != NULL, &s->out, &error) ||
        nats_write_ping(&s->out)) {
        session_fail(s, "%s", error.message);
        return;
    }
    s->state = AWAITING_PONG;
    send_out(s, 0);
}

static void on_tls_ready(void *owner, int failed, const char *why) {
    struct session *s = owner;
    if (failed)
        session_fail(s, "TLS with %s failed: %s", s->login.address, why);
    else
        log_in(s);
}

static void start_tls(struct session *s) {
    struct error error = {0};
    struct io_tls_options options = {
        .ca_file = cli_value(s->call, "tls-ca"),
        .cert_file = cli_value(s->call, "tls-cert"),
        .key_file = cli_value(s->call, "tls-key"),
        .verify_peer = cli_value(s->call, "tls-ca") != NULL,
    };
    if (io_tls_create(s->host, &options, &s->tls, &error) ||
        io_stream_start_tls(s->stream, s->tls, (slice){0}, s->timeout_ns, on_tls_ready))
        session_fail(s, "TLS cannot start: %s", error.message);
}

static void on_info(struct session *s, slice json) {
    struct json_doc doc;
    json_init(&doc);
    bool tls = false;
    slice name, nonce;
    if (s->state == CONNECTING && json_parse(&doc, json) == 0) {
        json_value root = json_root(&doc);
        if (json_string(json_member(root, slice_lit("server_name")), &name) == 0 &&
            slice_to_string(name, s->server_name, sizeof s->server_name))
            s->server_name[0] = '\0';
        if (json_string(json_member(root, slice_lit("nonce")), &nonce) == 0 &&
            slice_to_string(nonce, s->nonce, sizeof s->nonce))
            s->nonce[0] = '\0';
        if (json_u64(json_member(root, slice_lit("max_payload")), &s->payload_max))
            s->payload_max = NATS_PAYLOAD_MAX;
        if (json_bool(json_member(root, slice_lit("tls_required")), &tls))
            tls = false;
        if (tls || s->login.tls)
            start_tls(s);
        else
            log_in(s);
    }
    json_free(&doc);
}

static void on_pong(struct session *s) {
    if (s->state == AWAITING_PONG) {
        s->state = READY;
        s->begin(s, s->self);
    } else if (s->flush_count) {
        void (*done)(void *) = s->flushes[0].done;
        void *self = s->flushes[0].self;
        s->flush_count--;
        memmove(s->flushes, s->flushes + 1, s->flush_count * sizeof s->flushes[0]);
        done(self);
    }
}

static void on_message(struct session *s, const struct nats_event *event) {
    uint64_t id;
    if (number_parse_u64(event->sid, &id) || id >= SESSION_SUBSCRIPTIONS_MAX ||
        !s->subscriptions[id].receiver)
        return;
    struct session_message message = {event->subject, event->reply, event->headers, event->payload};
    s->subscriptions[id].receiver(s->subscriptions[id].self, &message);
}

static void handle(struct session *s, const struct nats_event *event) {
    switch (event->kind) {
    case NATS_INFO:
        on_info(s, event->payload);
        return;
    case NATS_PING:
        send(s, slice_lit("PONG\r\n"));
        return;
    case NATS_PONG:
        on_pong(s);
        return;
    case NATS_MSG:
    case NATS_HMSG:
        on_message(s, event);
        return;
    case NATS_ERR:
        session_fail(s, "%s says: %.*s", s->login.address, slice_fmt(event->payload));
        return;
    default:
        return;
    }
}

static size_t consume(struct session *s, slice bytes) {
    size_t used = 0, consumed;
    struct nats_event event;
    while (s->state != ENDING) {
        int result = nats_parse(&s->parser, slice_skip(bytes, used), &event, &consumed);
        if (result == 0)
            return used;
        if (result < 0) {
            session_fail(s, "%s does not speak NATS: %s", s->login.address,
                         nats_error_detail((enum nats_error)s->parser.error));
            return used;
        }
        used += consumed;
        handle(s, &event);
    }
    return bytes.len;
}

static void on_bytes(void *owner, slice bytes) {
    struct session *s = owner;
    size_t used = s->rest.len ? 0 : consume(s, bytes);
    if (buf_append(&s->rest, slice_skip(bytes, used))) {
        session_fail(s, "no memory for what %s sends", s->login.address);
        return;
    }
    if (used == 0 && s->rest.len)
        buf_consume(&s->rest, consume(s, buf_slice(&s->rest)));
}

static void on_drain(void *owner) {
    struct session *s = owner;
    if (s->drained)
        s->drained(s->drained_self);
}

static void on_close(void *owner, int reason) {
    struct session *s = owner;
    s->stream = NULL;
    if (s->state != ENDING)
        session_fail(s, "%s closed the connection%s%s", s->login.address, reason ? ": " : "",
                     reason ? error_name(reason) : "");
    io_loop_stop(s->loop);
}

/* --- life
 * ------------------------------------------------------------------------------------------------------
 */

static void on_connect(void *owner, struct io_stream *stream, int failed) {
    static const struct io_stream_events events = {
        .on_bytes = on_bytes, .on_drain = on_drain, .on_close = on_close};
    struct session *s = owner;
    if (failed) {
        session_fail(s,
                     "cannot reach %s: %s\n  hint: is the node running there? --server names "
                     "another",
                     s->login.address, error_name(failed));
        return;
    }
    s->stream = stream;
    io_stream_set_out_max(stream, 256u << 20);
    io_stream_set_events(stream, &events, s);
}

static void on_signal(void *owner, int signum) {
    (void)signum;
    session_end(owner, CLI_OK);
}

static void start(void *owner, struct io_loop *loop) {
    struct session *s = owner;
    s->loop = loop;
    int failed = io_signal_watch(loop, SIGINT, on_signal, s);
    if (!failed)
        failed = io_signal_watch(loop, SIGTERM, on_signal, s);
    if (!failed)
        failed = io_connect(loop, s->login.address, CONNECT_TIMEOUT_NS, on_connect, s);
    if (failed)
        session_fail(s, "cannot reach %s: %s", s->login.address, error_name(failed));
}

static int run(struct session *s) {
    struct error error = {0};
    int failed = io_host_create(&s->host);
    if (!failed)
        failed = session_login_find(s->host, s->call, &s->login, &error);
    if (!failed)
        failed = io_group_create(s->host, 1, &s->group);
    if (!failed)
        failed = io_group_run(s->group, start, s);
    if (failed && !error.code)
        error_set(&error, failed, "cannot start: %s", error_name(failed));
    return failed ? cli_fail(&error) : s->code;
}

int session_run(const struct cli_call *call, void (*begin)(struct session *session, void *self),
                void *self) {
    struct session *s = mem_zalloc(1, sizeof *s);
    if (!s)
        return cli_failed("no memory");
    s->call = call;
    s->begin = begin;
    s->self = self;
    s->code = CLI_FAILED;
    s->parser = nats_parser_make(NATS_SERVER);
    s->parser.payload_max = PAYLOAD_MAX;
    s->rest = buf_make(PAYLOAD_MAX * 2ul);
    s->out = buf_make(PAYLOAD_MAX * 2ul);
    list_init(&s->requests);
    json_init(&s->doc);
    int code = CLI_USAGE;
    if (cli_duration(call, "timeout", TIMEOUT_DEFAULT_NS, &s->timeout_ns))
        code = run(s);
    struct list_node *node;
    while ((node = list_pop_front(&s->requests)))
        mem_free(container_of(node, struct request, node));
    io_group_free(s->group);
    io_tls_unref(s->tls);
    session_login_free(&s->login);
    buf_free(&s->rest);
    buf_free(&s->out);
    json_free(&s->doc);
    io_host_free(s->host);
    mem_free(s);
    return code;
}
