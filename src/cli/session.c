/*
 * session.c - a verb's conversation with a node (session.h).
 *
 *   session_run --> nats_client_open --on_ready--> begin --> ... --> session_end -->
 * nats_client_close ^                                                                          |
 *        '--------------------------- loop stopped <---------- on_end <-------------'
 *
 * Answers to requests come to one inbox, "_INBOX.<random>.<number>". A session is ENDING from
 * session_end (or the client's end) on: nothing is sent any more, and no receiver is called.
 */
#include "cli/session.h"

#include "base/hex.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/number.h"
#include "wire/nats_headers.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

#define TIMEOUT_DEFAULT_NS (5 * 1000000000ull)
#define INBOX_PREFIX "_INBOX."
#define INBOX_RANDOM 12u
#define API_NAME_MAX 600u

struct subscription {
    session_receiver receiver; /* NULL: free */
    void *self;
};

struct request {
    struct list_node node;
    struct io_timer timer;
    struct session *session;
    uint64_t number;
    void (*on_reply)(void *self, const struct nats_client_message *reply, int failed);
    void *self;
};

struct flush {
    void (*done)(void *self);
    void *self;
};

struct session {
    const struct cli_call *call;
    struct io_host *host;
    struct io_group *group;
    struct io_loop *loop;
    struct login login;
    struct nats_client *client; /* NULL once the connection has ended */
    struct nats_client_info info;
    bool ending;
    int code;
    uint64_t timeout_ns;
    struct subscription subscriptions[SESSION_SUBSCRIPTIONS_MAX];
    char inbox[SESSION_INBOX_MAX + 2];
    unsigned inbox_id;
    uint64_t requests_ever;
    struct list requests;
    unsigned request_count;
    struct flush flushes[SESSION_FLUSHES_MAX];
    unsigned flush_count;
    void (*interrupted)(void *self);
    void *interrupted_self;
    void (*gone)(void *self);
    void *gone_self;
    unsigned holds;
    void (*begin)(struct session *session, void *self);
    void *self;
    struct json_doc doc;
    struct io_task output;
};

struct io_loop *session_loop(struct session *s) {
    return s->loop;
}

const struct nats_client_info *session_info(const struct session *s) {
    return &s->info;
}

const char *session_address(const struct session *s) {
    return s->login.address;
}

uint64_t session_timeout_ns(const struct session *s) {
    return s->timeout_ns;
}

/* --- ending ----------------------------------------------------------------------------------- */

void session_end(struct session *s, int code) {
    if (s->ending)
        return;
    s->ending = true;
    s->code = code;
    nats_client_close(s->client);
}

void session_fail(struct session *s, const char *format, ...) {
    if (s->ending)
        return;
    struct error error;
    va_list arguments;
    va_start(arguments, format);
    char words[sizeof error.message];
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    session_end(s, cli_failed("%s", words));
}

static void on_signal(void *owner, int signum) {
    (void)signum;
    struct session *s = owner;
    void (*interrupted)(void *) = s->interrupted;
    s->interrupted = NULL;
    if (interrupted)
        interrupted(s->interrupted_self);
    else
        session_end(s, CLI_FAILED);
}

void session_on_interrupt(struct session *s, void (*interrupted)(void *self), void *self) {
    s->interrupted = interrupted;
    s->interrupted_self = self;
    int failed = io_signal_watch(s->loop, SIGINT, on_signal, s);
    if (!failed)
        failed = io_signal_watch(s->loop, SIGTERM, on_signal, s);
    if (failed)
        session_fail(s, "cannot watch for signals: %s", error_name(failed));
}

void session_on_gone(struct session *s, void (*gone)(void *self), void *self) {
    s->gone = gone;
    s->gone_self = self;
}

void session_hold(struct session *s) {
    s->holds++;
}

void session_release(struct session *s) {
    check(s->holds);
    if (!--s->holds && !s->client)
        io_loop_stop(s->loop);
}

/* --- sending ---------------------------------------------------------------------------------- */

void session_publish(struct session *s, const struct nats_client_message *m) {
    size_t size = m->headers.len + m->payload.len;
    if (s->ending)
        return;
    if (size > session_info(s)->payload_max)
        session_fail(s, "the message has %zu bytes, and %s takes at most %llu", size,
                     s->login.address, (unsigned long long)session_info(s)->payload_max);
    else if (m->headers.len && !session_info(s)->headers)
        session_fail(s, "%s does not take headers", s->login.address);
    else
        nats_client_publish(s->client, m);
}

size_t session_pending(const struct session *s) {
    return s->client ? nats_client_pending(s->client) : 0;
}

unsigned session_subscribe(struct session *s, slice subject, slice queue, session_receiver receiver,
                           void *self) {
    for (unsigned id = 1; id < SESSION_SUBSCRIPTIONS_MAX && !s->ending; id++) {
        if (s->subscriptions[id].receiver)
            continue;
        s->subscriptions[id] = (struct subscription){receiver, self};
        nats_client_subscribe(s->client, id, subject, queue);
        return id;
    }
    session_fail(s, "more than %u subscriptions", SESSION_SUBSCRIPTIONS_MAX - 1);
    return 0;
}

void session_unsubscribe(struct session *s, unsigned id) {
    check(id < SESSION_SUBSCRIPTIONS_MAX);
    if (!id || s->ending)
        return;
    s->subscriptions[id].receiver = NULL;
    nats_client_unsubscribe(s->client, id);
}

void session_flush(struct session *s, void (*done)(void *self), void *self) {
    if (s->ending)
        return;
    if (s->flush_count == SESSION_FLUSHES_MAX) {
        session_fail(s, "more than %u flushes under way", SESSION_FLUSHES_MAX);
        return;
    }
    s->flushes[s->flush_count++] = (struct flush){done, self};
    nats_client_ping(s->client);
}

/* --- requests --------------------------------------------------------------------------------- */

static void answer(struct request *request, const struct nats_client_message *reply, int failed) {
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

bool session_no_responders(const struct nats_client_message *message) {
    struct nats_status status;
    return message->headers.len && !message->payload.len &&
           nats_headers_parse(message->headers, &status) == 0 && status.code == 503;
}

static void on_inbox(void *self, const struct nats_client_message *message) {
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
        bool nobody = session_no_responders(message);
        answer(request, nobody ? NULL : message, nobody ? -EHOSTUNREACH : 0);
        return;
    }
}

size_t session_new_inbox(struct session *s, char ret_inbox[SESSION_INBOX_MAX]) {
    unsigned char random[INBOX_RANDOM];
    io_host_random(s->host, random, sizeof random);
    memcpy(ret_inbox, INBOX_PREFIX, sizeof INBOX_PREFIX);
    size_t len = sizeof INBOX_PREFIX - 1;
    len += hex_encode(slice_make(random, sizeof random), ret_inbox + len);
    ret_inbox[len] = '\0';
    return len;
}

static void open_inbox(struct session *s) {
    size_t len = session_new_inbox(s, s->inbox);
    memcpy(s->inbox + len, ".*", 3);
    s->inbox_id = session_subscribe(s, slice_str(s->inbox), (slice){0}, on_inbox, s);
}

void session_request(struct session *s, slice subject, slice headers, slice payload,
                     void (*on_reply)(void *self, const struct nats_client_message *reply,
                                      int failed),
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
    const struct nats_client_message message = {subject, slice_make(reply, (size_t)len), headers,
                                                payload};
    session_publish(s, &message);
}

/* --- the JetStream API ------------------------------------------------------------------------ */

struct api {
    struct session *session;
    void (*on_answer)(void *self, json_value answer);
    void *self;
    unsigned expected;
    char name[API_NAME_MAX];
};

static void on_api_json(struct api *api, json_value answer_json) {
    struct session *s = api->session;
    json_value error = json_member(answer_json, slice_lit("error"));
    slice text;
    uint64_t code;
    if (json_type_of(error) == JSON_ABSENT)
        api->on_answer(api->self, answer_json);
    else if (api->expected && json_u64(json_member(error, slice_lit("err_code")), &code) == 0 &&
             code == api->expected)
        api->on_answer(api->self, (json_value){0});
    else if (json_string(json_member(error, slice_lit("description")), &text) == 0)
        session_fail(s, "%.*s", slice_fmt(text));
    else
        session_fail(s, "%s was refused without a word", api->name);
}

static void on_api_reply(void *self, const struct nats_client_message *reply, int failed) {
    struct api *api = self;
    struct session *s = api->session;
    if (failed == -EHOSTUNREACH)
        session_fail(s, "%s has no durable streams (JetStream is not enabled there)",
                     s->login.address);
    else if (failed)
        session_fail(s, "no answer to %s within the --timeout", api->name);
    else if (json_parse(&s->doc, reply->payload))
        session_fail(s, "the answer to %s is not JSON", api->name);
    else
        on_api_json(api, json_root(&s->doc));
    mem_free(api);
}

void session_api(struct session *s, const char *name, slice json, unsigned expected,
                 void (*on_answer)(void *self, json_value answer), void *self) {
    struct api *api = mem_zalloc(1, sizeof *api);
    int len = api ? snprintf(api->name, sizeof api->name, "$JS.API.%s", name) : 0;
    if (!api || len >= (int)sizeof api->name) {
        mem_free(api);
        session_fail(s, "the name in %s is too long", name);
        return;
    }
    api->session = s;
    api->expected = expected;
    api->on_answer = on_answer;
    api->self = self;
    session_request(s, slice_make(api->name, (size_t)len), (slice){0}, json, on_api_reply, api);
}

/* --- the client's events ---------------------------------------------------------------------- */

static void on_ready(void *self) {
    struct session *s = self;
    s->info = *nats_client_info(s->client);
    s->begin(s, s->self);
}

/* What a turn printed goes out together; where nobody reads it, there is nothing left to do. */
static void flush_output(struct io_task *task) {
    struct session *s = container_of(task, struct session, output);
    if (fflush(stdout) != 0 || ferror(stdout))
        session_end(s, CLI_FAILED);
}

static void on_message(void *self, uint64_t sid, const struct nats_client_message *message) {
    struct session *s = self;
    if (s->ending || sid >= SESSION_SUBSCRIPTIONS_MAX || !s->subscriptions[sid].receiver)
        return;
    s->subscriptions[sid].receiver(s->subscriptions[sid].self, message);
    io_defer(s->loop, &s->output);
}

static void on_pong(void *self) {
    struct session *s = self;
    if (s->ending || !s->flush_count)
        return;
    struct flush flush = s->flushes[0];
    s->flush_count--;
    memmove(s->flushes, s->flushes + 1, s->flush_count * sizeof s->flushes[0]);
    flush.done(flush.self);
}

static void on_client_end(void *self, const struct error *error) {
    struct session *s = self;
    if (error && !s->ending)
        s->code = cli_fail(error);
    s->ending = true;
    s->client = NULL;
    if (s->gone)
        s->gone(s->gone_self);
    if (!s->holds)
        io_loop_stop(s->loop);
}

/* --- life ------------------------------------------------------------------------------------- */

static void start(void *owner, struct io_loop *loop) {
    static const struct nats_client_events events = {
        .on_ready = on_ready,
        .on_message = on_message,
        .on_pong = on_pong,
        .on_end = on_client_end,
    };
    struct session *s = owner;
    struct error error = {0};
    s->loop = loop;
    if (nats_client_open(loop, &s->login, s->timeout_ns, &events, s, &s->client, &error)) {
        s->code = cli_fail(&error);
        io_loop_stop(loop);
    }
}

static int run(struct session *s) {
    struct error error = {0};
    int failed = io_host_create(&s->host);
    if (!failed)
        failed = login_find(s->host, s->call, &s->login, &error);
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
    s->output.run = flush_output;
    list_init(&s->requests);
    json_init(&s->doc);
    int code = CLI_USAGE;
    if (cli_duration(call, "timeout", TIMEOUT_DEFAULT_NS, &s->timeout_ns))
        code = run(s);
    struct list_node *node; /* owners free what they hold for an answer */
    while ((node = list_first(&s->requests)))
        answer(container_of(node, struct request, node), NULL, -ECANCELED);
    io_group_free(s->group);
    login_free(&s->login);
    json_free(&s->doc);
    io_host_free(s->host);
    mem_free(s);
    return code;
}
