/*
 * proxy.c - an exchange with an HTTP service: one call, or one after another until an answer
 * begins.
 *
 *     start --> ATTEMPT --a connection--> SENDING --> on_head --on_body*--> on_end
 *                  ^  |                      |            '---- fails ----> exchange_break
 *                  |  '------ fails ---------+--> 502, 503, 504
 *                  '--- may be tried again --'
 *
 * BODIES stream both ways, each part copied once, from where it was read to where it will be sent.
 * Whoever's output is high, the other side is not read on: a client that takes its answer slowly
 * pauses the call (http_call_pause), a service that takes a body slowly the request
 * (http_request_pause). A body is not read at all before there is a connection to put it on, so
 * until then the request can still be given to another service, whatever its method.
 *
 * ANOTHER ATTEMPT (proxy target's doc in target_config.c) is made when nothing was sent, or when it
 * does no harm: a method that is idempotent, without a body, of whose answer not a byte came. It
 * takes a token of the budget, and goes to a service that this request has not tried.
 *
 * The struct lies in the request's arena. Whatever completes the answer frees it, so each function
 * here lets go of the call, the share and the copy first, and speaks to the exchange last.
 */
#include "rooms/gateway/proxy.h"

#include "rooms/gateway/mirror.h"
#include "rooms/gateway/proxy_fields.h"
#include "rooms/gateway/tunnel.h"

#include <errno.h>

struct proxy {
    struct exchange *x;
    struct proxy_share *share; /* NULL: the answer has begun, there are no more attempts */
    struct upstream *upstream; /* of the call */
    struct http_call *call;    /* NULL: none */
    struct mirror *mirror;     /* that is given the body */
    uint64_t body_length;      /* with has_body; UINT64_MAX: chunked */
    uint64_t began_ns;         /* the call */
    uint64_t tried;            /* members, as balance_pick takes it */
    unsigned version;          /* of the members that are meant by it */
    struct list_node waits;    /* of the share's waiting, where WAITING */
    bool waiting;              /* for the first answer of DNS */
    unsigned attempts;         /* left */
    bool has_body;             /* of at least one byte, perhaps */
    bool says_length;          /* it is 0, and the client said so */
    bool body_flows;           /* parts have been asked for */
    bool mirrored;             /* or there is nothing to mirror to */
    bool heard;                /* a word before the answer */
    bool endless;              /* the answer is a stream of events */
    slice upgrade;             /* what the service was offered */
};

/* --- letting go --------------------------------------------------------------------------------
 */

/* The call is gone. */
static void end_call(struct proxy *p) {
    p->call = NULL;
    upstream_end(p->upstream);
    p->upstream = NULL;
}

static void cancel_call(struct proxy *p) {
    if (!p->call)
        return;
    http_call_cancel(p->call);
    end_call(p);
}

static void stop_waiting(struct proxy *p) {
    if (!p->waiting)
        return;
    list_remove(&p->waits);
    p->share->waiting_count--;
    p->waiting = false;
}

/* P holds nothing any more. */
static void let_go(struct proxy *p) {
    cancel_call(p);
    stop_waiting(p);
    p->share = proxy_share_unref(p->share);
    p->mirror = mirror_forget(p->mirror);
}

static void refuse(struct proxy *p, unsigned status, const char *reason, const char *detail) {
    struct exchange *x = p->x;
    let_go(p);
    exchange_problem(x, status, reason, "%s", detail);
}

static void break_off(struct proxy *p, const char *reason) {
    struct exchange *x = p->x;
    let_go(p);
    exchange_break(x, reason);
}

static void on_gone(struct exchange *x) {
    let_go(x->state);
}

/* Events have no end that could be waited for; who reads them comes back for the next ones. */
static void on_drain(struct exchange *x) {
    struct proxy *p = x->state;
    if (!p->endless)
        return;
    let_go(p);
    exchange_end(x, NULL, 0);
}

/* --- the request's body ------------------------------------------------------------------------
 */

static void on_body(struct exchange *x, slice bytes) {
    struct proxy *p = x->state;
    if (p->mirror)
        p->mirror = mirror_gather(p->mirror, bytes);
    int failed = http_call_write(p->call, bytes);
    check(failed != -EAGAIN && failed != -E2BIG); /* we pause; http/ counts */
    if (failed && x->status)
        break_off(p, "no memory");
    else if (failed)
        refuse(p, 503, "no memory", "there is no memory to pass this request on");
    else if (http_call_full(p->call))
        http_request_pause(x->request);
}

static void on_body_end(struct exchange *x, slice trailers) {
    struct proxy *p = x->state;
    struct http1_field fields[HTTP1_FIELDS_MAX];
    bool chunked = p->body_length == HTTP_CALL_CHUNKED;
    exchange_note(x, EXCHANGE_SENT);
    http_call_end(p->call, fields, chunked ? proxy_trailers(trailers, fields) : 0);
    if (p->mirror)
        mirror_send(p->mirror);
    p->mirror = NULL;
}

/* The client takes its answer again. */
static void on_client_room(struct exchange *x) {
    struct proxy *p = x->state;
    if (p->call)
        http_call_resume(p->call);
}

/* There is a connection, and the head is on it. */
static void connected(struct proxy *p) {
    static const struct exchange_events events = {.on_gone = on_gone,
                                                  .on_room = on_client_room,
                                                  .on_body = on_body,
                                                  .on_body_end = on_body_end,
                                                  .on_drain = on_drain};
    exchange_note(p->x, EXCHANGE_CONNECTED);
    if (!p->has_body) {
        exchange_note(p->x, EXCHANGE_SENT);
        return;
    }
    p->body_flows = true;
    exchange_hold(p->x, &events, p);
}

static void on_call_room(void *self) {
    struct proxy *p = self;
    if (p->body_flows)
        http_request_resume(p->x->request);
    else
        connected(p);
}

/* --- beginning a call --------------------------------------------------------------------------
 */

static slice find_cookie(const struct exchange *x, slice name) {
    size_t count;
    const struct http1_field *fields = http_request_fields(x->request, &count);
    for (size_t i = 0; i < count; i++) {
        slice rest = fields[i].value, value;
        if (!slice_equal_nocase(fields[i].name, slice_lit("Cookie")))
            continue;
        while (rest.len) {
            slice key = slice_cut(slice_trim(slice_cut(rest, ';', &rest)), '=', &value);
            if (slice_equal(key, name))
                return value;
        }
    }
    return (slice){0};
}

static uint64_t key_of(const struct exchange *x, const struct proxy_target *t) {
    slice text = {0};
    if (t->hash_header.len)
        (void)http_request_field(x->request, t->hash_header, &text);
    else if (t->hash_cookie.len)
        text = find_cookie(x, t->hash_cookie);
    return balance_key(text.len ? text : x->client);
}

static int pick(struct proxy *p) {
    struct balance *balance = &p->share->balance;
    if (p->version != p->share->version)
        p->tried = 0;
    p->version = p->share->version;
    uint64_t key = balance->kind == BALANCE_HASH ? key_of(p->x, p->share->target) : 0;
    return balance_pick(balance, &p->x->shard->random, key, p->tried);
}

/* What of the client's wish for another protocol is passed on: the first one, but neither HTTP/2,
   whose requests would pass by every route here, nor TLS, inside of which nobody could tell. */
static slice choose_upgrade(const struct http_request *request) {
    static const slice never[] = {slice_lit("h2c"), slice_lit("h2"), slice_lit("HTTP"),
                                  slice_lit("TLS")};
    slice wishes = http_request_upgrade(request), wish, version;
    while (http1_next_element(&wishes, &wish)) {
        slice name = slice_cut(wish, '/', &version);
        bool passes = true;
        for (size_t i = 0; i < array_count(never); i++)
            passes &= !slice_equal_nocase(name, never[i]);
        if (passes)
            return wish;
    }
    return (slice){0};
}

struct proxy_asked proxy_asked_of(const struct exchange *x) {
    struct proxy_asked asked = {
        .host = http_request_host(x->request),
        .peer = x->peer,
        .trusted = x->trusted,
        .tls = http_request_is_tls(x->request),
        .principal = x->principal,
        .request_id = x->request_id,
        .traceparent = exchange_traceparent(x),
        .continued = x->continued,
        .onward = x->onward,
        .onward_count = x->onward_count,
        .changes = &x->route->request_fields,
    };
    asked.fields = http_request_fields(x->request, &asked.field_count);
    return asked;
}

static int make_fields(const struct proxy *p, struct proxy_fields *ret_fields) {
    const struct proxy_asked asked = proxy_asked_of(p->x);
    return proxy_fields_onward(&asked, exchange_arena(p->x), ret_fields);
}

static int make_target(struct exchange *x, slice *ret_target) {
    slice sent = http_request_target(x->request), path;
    if (x->route->rewrite.len == 0)
        return proxy_target(sent, http_request_path(x->request), exchange_arena(x), ret_target);
    int failed = exchange_expand(x, x->route->rewrite, TEMPLATE_PATH, &path);
    return failed ? failed : proxy_target_rewritten(sent, path, exchange_arena(x), ret_target);
}

static bool is_idempotent(slice method) {
    static const slice methods[] = {slice_lit("GET"), slice_lit("HEAD"), slice_lit("OPTIONS"),
                                    slice_lit("PUT"), slice_lit("DELETE")};
    for (size_t i = 0; i < array_count(methods); i++)
        if (slice_equal(method, methods[i]))
            return true;
    return false;
}

static void mirror(struct proxy *p, const struct http_call_options *options) {
    struct proxy_share *share = p->share;
    struct http_call_options copy = *options;
    p->mirrored = true;
    if (share->mirror_count == 0)
        return;
    struct upstream *to = share->mirrors[share->mirror_turn++ % share->mirror_count];
    if (!p->share->target->keep_host)
        copy.host = to->options.host;
    p->mirror = mirror_begin(to, &copy);
    if (p->mirror && !p->has_body) {
        mirror_send(p->mirror);
        p->mirror = NULL;
    }
}

static const struct http_call_events call_events;

/* Gives the request to the member INDEX. 0, or as http_call_begin and what makes its options. */
static int begin_call(struct proxy *p, unsigned index) {
    struct exchange *x = p->x;
    const struct proxy_target *t = p->share->target;
    struct proxy_fields fields;
    struct http_call_options options = {
        .method = http_request_method(x->request),
        .host = p->share->services[index]->host,
        .has_body = p->has_body || p->says_length,
        .body_length = p->body_length,
        .upgrade = p->upgrade,
        .answer_ns = t->timeout_ns,
        .take_ns = t->timeout_ns,
    };
    int failed = make_fields(p, &fields);
    if (!failed)
        failed = make_target(x, &options.target);
    if (failed)
        return failed == -EBUSY ? -EINVAL : failed;
    options.fields = fields.fields;
    options.field_count = fields.count;
    options.trailers = fields.trailers;
    options.idempotent = !p->has_body && is_idempotent(options.method);
    if (t->keep_host && http_request_host(x->request).len)
        options.host = http_request_host(x->request);
    if (fields.host.len)
        options.host = fields.host;
    failed = http_call_begin(p->share->upstreams[index]->pool, &options, &call_events, p, &p->call);
    if (failed)
        return failed;
    p->upstream = p->share->upstreams[index];
    upstream_begin(p->upstream);
    x->upstream = p->share->services[index]->url;
    p->began_ns = io_loop_now_ns(exchange_loop(x));
    if (!p->mirrored)
        mirror(p, &options);
    return 0;
}

/* --- attempts ----------------------------------------------------------------------------------
 */

static bool take_attempt(struct proxy *p) {
    uint64_t now = io_loop_now_ns(exchange_loop(p->x));
    if (p->attempts == 0 || !retry_budget_take(&p->share->budget, now))
        return false;
    p->attempts--;
    p->x->retries++;
    return true;
}

/* No call could be begun. */
static void refuse_call(struct proxy *p, int failed) {
    if (failed == -EBUSY)
        refuse(p, 503, "upstream busy", "the service behind this address is busy");
    else if (failed == -ENOMEM)
        refuse(p, 503, "no memory", "there is no memory to pass this request on");
    else if (failed == -ENOBUFS)
        refuse(p, 431, "request head", "the request has too many headers to be passed on");
    else
        refuse(p, 400, "request head", "the request cannot be passed on as it is");
}

/* Nobody can be asked: because nobody is known yet, or nobody is well. */
static void wait_or_refuse(struct proxy *p) {
    struct proxy_share *share = p->share;
    if (share->asking && share->waiting_count < PROXY_WAITING_MAX) {
        list_push_back(&share->waiting, &p->waits);
        share->waiting_count++;
        p->waiting = true;
    } else if (share->nameless) {
        refuse(p, 503, "name not resolved",
               "the name of the service behind this address cannot be resolved");
    } else {
        refuse(p, 503, "no upstream", "no upstream is available");
    }
}

static void attempt(struct proxy *p) {
    int failed;
    do {
        int index = pick(p);
        if (index < 0) {
            wait_or_refuse(p);
            return;
        }
        p->tried |= UINT64_C(1) << index;
        failed = begin_call(p, (unsigned)index);
        if (failed == -EBUSY)
            upstream_failed(p->share->upstreams[index], UPSTREAM_BUSY, "too many requests wait");
    } while (failed == -EBUSY && take_attempt(p));
    if (failed) {
        refuse_call(p, failed);
        return;
    }
    if (p->says_length && !p->has_body)
        http_call_end(p->call, NULL, 0);
    if (!http_call_full(p->call))
        connected(p); /* else on_call_room tells */
}

void proxy_share_wake(struct io_task *task) {
    struct proxy_share *share = container_of(task, struct proxy_share, wake);
    struct list woken;
    list_init(&woken);
    list_splice(&woken, &share->waiting);
    proxy_share_ref(share);
    while (!list_empty(&woken)) {
        struct proxy *p = container_of(woken.head.next, struct proxy, waits);
        stop_waiting(p);
        attempt(p); /* waits again, perhaps */
    }
    proxy_share_unref(share);
}

void proxy_start(struct exchange *x, void *self) {
    static const struct exchange_events events = {
        .on_gone = on_gone, .on_room = on_client_room, .on_drain = on_drain};
    struct proxy_target *t = self;
    struct proxy *p = arena_zalloc(exchange_arena(x), 1, sizeof *p);
    if (!p) {
        exchange_problem(x, 503, "no memory", "there is no memory to pass this request on");
        return;
    }
    p->x = x;
    p->share = proxy_share_ref(t->shares[x->shard->shard->index]);
    p->attempts = t->attempts;
    p->says_length = http_request_has_body(x->request, &p->body_length);
    p->has_body = p->says_length && p->body_length > 0;
    if (!p->says_length)
        p->upgrade = choose_upgrade(x->request);
    retry_budget_request(&p->share->budget);
    exchange_hold(x, &events, p);
    attempt(p);
}

/* --- the answer --------------------------------------------------------------------------------
 */

/* Nothing more is read of the answer while the client takes no more. */
static void mind_room(struct proxy *p) {
    if (exchange_full(p->x))
        http_call_pause(p->call);
}

static void refuse_answer(struct proxy *p, const char *why) {
    upstream_failed(p->upstream, UPSTREAM_ANSWER, why);
    refuse(p, 502, why, "the answer of the service behind this address cannot be passed on");
}

/* The service speaks another protocol from here on: the one that it was offered, it is hoped. */
static void join(struct proxy *p, const struct http1_head *head) {
    struct http1_field fields[HTTP1_FIELDS_MAX + 1];
    size_t count;
    if (!slice_equal_nocase(head->upgrade, p->upgrade) || proxy_fields_back(head, fields, &count)) {
        refuse_answer(p, "a protocol that was not asked for");
        return;
    }
    fields[count++] = (struct http1_field){slice_lit("Upgrade"), head->upgrade};
    p->share = proxy_share_unref(p->share);
    int failed = tunnel_open(p->x, p->call, p->upstream, fields, count);
    if (!failed)
        return; /* P is gone with the exchange */
    if (failed == -EBUSY)
        refuse(p, 400, "upgrade", "a request for another protocol must be alone on its connection");
    else
        refuse(p, 503, "no memory", "there is no memory for another protocol");
}

/* An answer without an end of its own. */
static bool is_endless(const struct proxy_target *target, const struct http1_head *head) {
    slice type, parameters;
    if (head->has_content_length || !http1_get(head, slice_lit("Content-Type"), &type))
        return false;
    type = slice_trim(slice_cut(type, ';', &parameters));
    return slice_equal_nocase(type, slice_lit("text/event-stream")) ||
           (target->follows && slice_equal_nocase(type, slice_lit("application/x-ndjson")));
}

static void on_head(void *self, const struct http1_head *head) {
    struct proxy *p = self;
    struct exchange *x = p->x;
    struct http1_field fields[HTTP1_FIELDS_MAX];
    struct http_answer answer = {.status = head->status, .fields = fields};
    upstream_answered(p->upstream, head->status, io_loop_now_ns(exchange_loop(x)) - p->began_ns);
    p->endless = is_endless(p->share->target, head);
    if (p->endless || head->status == 101)
        upstream_served(p->upstream, head->status);
    if (head->status == 101) {
        join(p, head);
        return;
    }
    if (proxy_fields_back(head, fields, &answer.field_count)) {
        refuse_answer(p, "too many fields in Connection");
        return;
    }
    answer.has_length = head->has_content_length;
    answer.length = head->content_length;
    if (p->endless)
        exchange_ends_with_login(x);
    p->share = proxy_share_unref(p->share);
    int failed = exchange_begin(x, &answer);
    if (failed == -ENOMEM)
        refuse(p, 503, "no memory", "there is no memory to pass this answer on");
    else if (failed)
        refuse_answer(p, "an answer that cannot be sent");
    else
        mind_room(p);
}

static void on_interim(void *self, const struct http1_head *head) {
    struct proxy *p = self;
    struct http1_field fields[HTTP1_FIELDS_MAX];
    size_t count;
    p->heard = true;
    if (head->status != 100 && proxy_fields_back(head, fields, &count) == 0)
        http_reply_interim(p->x->request, head->status, fields, count);
}

static void on_part(void *self, slice bytes) {
    struct proxy *p = self;
    int failed = exchange_write(p->x, bytes);
    check(failed != -EAGAIN); /* we pause */
    if (failed)
        break_off(p, failed == -E2BIG ? "answer longer than it said" : "no memory");
    else
        mind_room(p);
}

static void on_end(void *self, slice trailers) {
    struct proxy *p = self;
    struct exchange *x = p->x;
    struct http1_field fields[HTTP1_FIELDS_MAX];
    size_t count = trailers.len ? proxy_trailers(trailers, fields) : 0;
    upstream_served(p->upstream, x->status);
    end_call(p);
    let_go(p);
    exchange_end(x, fields, count);
}

/* --- failures ----------------------------------------------------------------------------------
 */

static bool may_be_tried_again(const struct proxy *p, enum http_failed failed) {
    if (failed == HTTP_FAILED_CONNECT || failed == HTTP_FAILED_BUSY)
        return !p->body_flows;
    return failed == HTTP_FAILED_CLOSED && !p->has_body && !p->heard &&
           is_idempotent(http_request_method(p->x->request));
}

static void report(struct proxy *p, enum http_failed failed, int code) {
    switch (failed) {
    case HTTP_FAILED_CONNECT:
        if (code != -ETIMEDOUT) {
            refuse(p, 502, "no connection", "the service behind this address cannot be reached");
            return;
        }
        refuse(p, 504, "connect timeout",
               "the service behind this address cannot be reached in time");
        return;
    case HTTP_FAILED_BUSY:
        refuse(p, 503, "upstream busy", "the service behind this address is busy");
        return;
    case HTTP_FAILED_CLOSED:
        refuse(p, 502, "closed before the answer",
               "the service behind this address closed the connection before it had answered");
        return;
    case HTTP_FAILED_ANSWER:
        refuse(p, 502, "no HTTP answer",
               "the answer of the service behind this address cannot be passed on");
        return;
    case HTTP_FAILED_TIME:
        refuse(p, 504, "no answer in time",
               "the service behind this address did not answer in time");
        return;
    }
}

static void on_fail(void *self, enum http_failed failed, bool answered, int code, const char *why) {
    struct proxy *p = self;
    if (!upstream_is_our_own(code))
        upstream_failed(p->upstream, upstream_failure_of(failed), why);
    end_call(p);
    if (answered)
        break_off(p, failed == HTTP_FAILED_TIME ? "answer stopped" : "answer cut short");
    else if (upstream_is_our_own(code))
        refuse(p, 503, "no resources", "there are no resources to pass this request on");
    else if (may_be_tried_again(p, failed) && take_attempt(p))
        attempt(p);
    else
        report(p, failed, code);
}

static const struct http_call_events call_events = {
    .on_interim = on_interim,
    .on_head = on_head,
    .on_body = on_part,
    .on_end = on_end,
    .on_fail = on_fail,
    .on_room = on_call_room,
};
