/*
 * exchange.c - an exchange from its first step to its last word.
 *
 *   http handler -> begin -> steps -> target         any of them may hold it (http_request_later)
 *                     '-> finish: figures, access log, off the loop's list -> http_reply...
 *
 * finish comes before the answer's last words, since the exchange goes with them.
 */
#include "rooms/gateway/exchange.h"

#include "rooms/gateway/access_log.h"
#include "rooms/gateway/steps.h"
#include "rooms/gateway/table.h"
#include "wire/http1_write.h"
#include "wire/json_write.h"

#include <errno.h>
#include <stdio.h>

/* A bound on a whole exchange, in its arena. */
struct exchange_deadline {
    struct exchange *exchange;
    struct io_timer timer;
};

#define PROBLEM_MAX 8192
#define DETAIL_MAX 512
#define CLIENT_CLOSED 499 /* in figures and logs, as nginx has it */

/* --- the end -----------------------------------------------------------------------------------
 */

static void finish(struct exchange *x, unsigned status) {
    struct gateway_shard *shard = x->shard;
    const struct gateway_route_metrics *metrics = &x->route->metrics;
    struct metrics_shard *here = shard->shard->metrics;
    x->status = status;
    x->moments[EXCHANGE_ENDED] = io_host_clock_ns(shard->gateway->node->host);
    metrics_count(here, metrics->requests[status / 100 - 1], 1);
    metrics_observe(here, &gateway_seconds_family, metrics->seconds,
                    x->moments[EXCHANGE_ENDED] - x->moments[EXCHANGE_BEGAN]);
    metrics_gauge_add(here, metrics->under_way, -1);
    if (x->counted)
        x->route->under_way[shard->shard->index]--;
    x->counted = false;
    x->rights = x->rights ? principal_unref(x->rights) : NULL;
    if (x->deadline)
        io_timer_stop(exchange_loop(x), &x->deadline->timer);
    login_end_stop(&x->login_end);
    list_remove(&x->node);
    list_node_init(&x->node);
    if (shard->access_log)
        access_log_write(shard->access_log, x);
}

/* --- held --------------------------------------------------------------------------------------
 */

static void on_gone(void *self) {
    struct exchange *x = self;
    unsigned refusal = http_request_refusal(x->request);
    void (*gone)(struct exchange *) = x->events.on_gone;
    x->reason = refusal ? "body refused" : "client gone";
    if (gone)
        gone(x);
    finish(x, refusal ? refusal : CLIENT_CLOSED);
}

static void on_room(void *self) {
    struct exchange *x = self;
    if (x->events.on_room)
        x->events.on_room(x);
}

static void on_client_end(void *self) {
    struct exchange *x = self;
    if (x->events.on_client_end)
        x->events.on_client_end(x);
}

static void on_body(void *self, slice bytes) {
    struct exchange *x = self;
    x->bytes_in += bytes.len;
    x->events.on_body(x, bytes);
}

static void on_body_end(void *self, slice trailers) {
    struct exchange *x = self;
    if (!x->events.on_body)
        x->bytes_in = http_request_body(x->request).len;
    x->events.on_body_end(x, trailers);
}

void exchange_hold(struct exchange *x, const struct exchange_events *events, void *state) {
    static const struct http_request_events bare = {
        .on_gone = on_gone, .on_room = on_room, .on_client_end = on_client_end};
    static const struct http_request_events gathers = {
        .on_gone = on_gone, .on_room = on_room, .on_body_end = on_body_end};
    static const struct http_request_events streams = {
        .on_gone = on_gone, .on_room = on_room, .on_body = on_body, .on_body_end = on_body_end};
    x->events = *events;
    x->state = state;
    x->held = true;
    http_request_later(x->request,
                       events->on_body       ? &streams
                       : events->on_body_end ? &gathers
                                             : &bare,
                       x);
}

void exchange_go_on(struct exchange *x) {
    static const struct exchange_events none;
    gateway_step step;
    if (x->held)
        exchange_hold(x, &none, NULL);
    while ((step = gateway_step_at(x->step))) {
        x->step++;
        if (step(x) == STEP_TAKEN)
            return;
    }
    exchange_note(x, EXCHANGE_ADMITTED);
    x->route->target->start(x, x->route->target_self);
}

/* --- the bound on the whole --------------------------------------------------------------------
 */

/* Whoever holds the exchange gives back what it has as if the client had gone. */
static void on_late(struct io_timer *timer) {
    struct exchange *x = container_of(timer, struct exchange_deadline, timer)->exchange;
    check(x->held);
    if (x->events.on_gone)
        x->events.on_gone(x);
    if (x->status)
        exchange_break(x, "exchange timeout");
    else
        exchange_problem(x, 504, "exchange timeout", "the request took longer than it may");
}

/* In the arena: a route without such a bound pays a pointer. */
static bool set_deadline(struct exchange *x) {
    uint64_t gone = io_loop_now_ns(exchange_loop(x)) - x->moments[EXCHANGE_BEGAN];
    uint64_t bound = x->route->exchange_ns;
    x->deadline = arena_zalloc(exchange_arena(x), 1, sizeof *x->deadline);
    if (!x->deadline)
        return false;
    x->deadline->exchange = x;
    io_timer_start(exchange_loop(x), &x->deadline->timer, gone < bound ? bound - gone : 0, on_late);
    return true;
}

void exchange_begin_request(void *owner, struct http_request *request) {
    const struct gateway_route *route = owner;
    struct exchange *x = arena_alloc(http_request_arena(request), sizeof *x);
    if (!x) {
        http_reply_problem(request, 503, "no memory for the request");
        return;
    }
    memset(x, 0, offsetof(struct exchange, fields)); /* the rest is counted by field_count */
    x->shard = route->table->gateway->shards[io_loop_index(http_request_loop(request))];
    x->route = route;
    x->request = request;
    x->moments[EXCHANGE_BEGAN] = http_request_began_ns(request);
    list_push_back(&x->shard->exchanges, &x->node);
    metrics_gauge_add(x->shard->shard->metrics, route->metrics.under_way, 1);
    if (route->exchange_ns && !set_deadline(x))
        exchange_problem(x, 503, "no memory", "there is no memory for this request");
    else
        exchange_go_on(x);
}

int exchange_expand(struct exchange *x, slice text, enum template_kind kind, slice *ret_text) {
    unsigned count;
    const struct http_parameter *parameters = http_request_parameters(x->request, &count);
    return template_expand(text, kind, parameters, count, exchange_arena(x), ret_text);
}

/* --- fields ------------------------------------------------------------------------------------
 */

void exchange_add_field(struct exchange *x, slice name, slice value) {
    if (x->field_count == EXCHANGE_FIELDS_MAX) {
        logger_write(x->shard->gateway->node->logger, LOG_LEVEL_WARN, "gateway",
                     "an answer has too many added headers, one is left out",
                     "route=%.*s header=%.*s", slice_fmt(x->route->name), slice_fmt(name));
        return;
    }
    x->fields[x->field_count++] = (struct http1_field){name, value};
}

void exchange_print_field(struct exchange *x, const char *name, const char *format, ...) {
    va_list arguments;
    slice text;
    va_start(arguments, format);
    int failed = arena_vprintf(exchange_arena(x), &text, format, arguments);
    va_end(arguments);
    if (!failed)
        exchange_add_field(x, slice_str(name), text);
}

/* What a target says of CORS, on a route that says it itself: twice is to a browser like never. */
static bool is_said_by_cors(const struct exchange *x, slice name) {
    static const slice prefix = {"Access-Control-", sizeof "Access-Control-" - 1};
    return x->route->cors && slice_equal_nocase(slice_take(name, prefix.len), prefix);
}

/* The id is the one that our logs have, whatever a service calls the request. */
static bool is_said_by_us(const struct exchange *x, slice name) {
    return slice_equal_nocase(name, slice_lit("X-Request-Id")) || is_said_by_cors(x, name);
}

size_t exchange_answer_fields(const struct exchange *x, const struct http_answer *answer,
                              struct http1_field *out) {
    const struct gateway_fields *changes = &x->route->response_fields;
    const struct http1_field *lists[] = {answer->fields, x->fields, changes->set, changes->add};
    size_t counts[] = {answer->field_count, x->field_count, changes->set_count, changes->add_count};
    size_t count = 0;
    for (unsigned list = 0; list < array_count(lists); list++)
        for (size_t i = 0; i < counts[list] && count < EXCHANGE_ANSWER_FIELDS_MAX; i++)
            if (list >= 2 || (gateway_field_stays(changes, lists[list][i].name) &&
                              !(list == 0 && is_said_by_us(x, lists[list][i].name))))
                out[count++] = lists[list][i];
    return count;
}

/* ANSWER with all its fields, which lie in OUT. */
static struct http_answer make_whole(const struct exchange *x, const struct http_answer *answer,
                                     struct http1_field *out) {
    struct http_answer whole = *answer;
    whole.fields = out;
    whole.field_count = exchange_answer_fields(x, answer, out);
    if (whole.type && !gateway_field_stays(&x->route->response_fields, slice_lit("Content-Type")))
        whole.type = NULL;
    return whole;
}

/* --- answers -----------------------------------------------------------------------------------
 */

/* Nothing of a body goes out in these answers (RFC 9110 6.4.1), whatever is handed over. */
static bool sends_no_body(const struct exchange *x, unsigned status) {
    return status == 204 || status == 304 ||
           slice_equal(http_request_method(x->request), slice_lit("HEAD"));
}

void exchange_reply(struct exchange *x, const struct http_answer *answer, slice body) {
    struct http1_field fields[EXCHANGE_ANSWER_FIELDS_MAX];
    struct http_answer whole = make_whole(x, answer, fields);
    struct http_request *request = x->request;
    if (!x->moments[EXCHANGE_ANSWERED])
        exchange_note(x, EXCHANGE_ANSWERED);
    x->bytes_out = sends_no_body(x, answer->status) ? 0 : body.len;
    finish(x, answer->status);
    http_reply(request, &whole, body);
}

/* RFC 9457, with the id under which logs know the request. */
static int write_problem(struct exchange *x, unsigned status, const char *detail,
                         struct buf *text) {
    struct json_writer w = json_writer_make(text, false);
    json_write_object(&w);
    json_write_key(&w, "type");
    json_write_text(&w, "about:blank");
    json_write_key(&w, "title");
    json_write_text(&w, http1_reason(status));
    json_write_key(&w, "status");
    json_write_u64(&w, status);
    json_write_key(&w, "detail");
    json_write_text(&w, detail);
    json_write_key(&w, "instance");
    json_write_string(&w, x->request_id);
    json_write_end(&w);
    return json_write_finish(&w);
}

static bool has_added(const struct exchange *x, slice name) {
    for (unsigned i = 0; i < x->field_count; i++)
        if (slice_equal_nocase(x->fields[i].name, name))
            return true;
    return false;
}

void exchange_problem(struct exchange *x, unsigned status, const char *reason, const char *format,
                      ...) {
    _cleanup_buf_ struct buf text = buf_make(PROBLEM_MAX);
    char detail[DETAIL_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    x->reason = reason;
    if (status == 503 && !has_added(x, slice_lit("Retry-After")))
        exchange_add_field(x, slice_lit("Retry-After"), slice_lit("1"));
    if (write_problem(x, status, detail, &text))
        buf_clear(&text); /* no memory: the status says the most of it */
    struct http_answer answer = {.status = status, .type = text.len ? HTTP_PROBLEM_TYPE : NULL};
    exchange_reply(x, &answer, buf_slice(&text));
}

int exchange_begin(struct exchange *x, const struct http_answer *answer) {
    struct http1_field fields[EXCHANGE_ANSWER_FIELDS_MAX];
    struct http_answer whole = make_whole(x, answer, fields);
    int failed = http_reply_begin(x->request, &whole);
    if (failed)
        return failed;
    x->status = answer->status;
    exchange_note(x, EXCHANGE_ANSWERED);
    return 0;
}

int exchange_write(struct exchange *x, slice bytes) {
    int failed = http_reply_write(x->request, bytes);
    if (!failed && !sends_no_body(x, x->status))
        x->bytes_out += bytes.len;
    return failed;
}

bool exchange_full(struct exchange *x) {
    return http_reply_full(x->request);
}

void exchange_end(struct exchange *x, const struct http1_field *trailers, size_t count) {
    struct http_request *request = x->request;
    finish(x, x->status);
    http_reply_end_with(request, trailers, count);
}

void exchange_break(struct exchange *x, const char *reason) {
    struct http_request *request = x->request;
    x->reason = reason;
    finish(x, x->status ? x->status : 502);
    http_reply_break(request);
}

/* --- streams -----------------------------------------------------------------------------------
 */

static void on_login_over(struct login_end *login_end) {
    struct exchange *x = container_of(login_end, struct exchange, login_end);
    if (x->events.on_drain)
        x->events.on_drain(x);
}

void exchange_ends_with_login(struct exchange *x) {
    login_end_start(&x->login_end, exchange_loop(x), on_login_over);
}

static void on_stream_login_over(struct login_end *login_end) {
    struct gateway_stream *stream = container_of(login_end, struct gateway_stream, login_end);
    stream->on_drain(stream, false);
}

void exchange_upgraded(struct exchange *x, struct gateway_stream *stream) {
    list_push_back(&x->shard->streams, &stream->node);
    stream->login_end.at_ns = x->login_end.at_ns;
    login_end_start(&stream->login_end, exchange_loop(x), on_stream_login_over);
    exchange_note(x, EXCHANGE_ANSWERED);
    finish(x, 101);
}
