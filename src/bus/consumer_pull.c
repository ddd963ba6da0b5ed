/*
 * consumer_pull.c - pull requests: taken in, waiting, served in turn, ended.
 *
 *     request --bounds, 409 / nothing there, 404--> refused
 *        | waits
 *        v                 a message
 *     WAITING <------------------------------. to the end of the line, while it wants more
 *        |  batch full ----------------------'--> over, no status
 *        |  expired, or one-shot (no_wait) and the end is reached --> 408 (404 where it got
 * nothing) |  message larger than its bytes -----> 409 |  reply subject without interest ---->
 * over, nobody to tell '  consumer removed, shutdown --------> 409
 *
 * The rules and texts are nats-server 2.9's. One timer serves all requests of a consumer: it is set
 * for the earliest expiry or heartbeat known, and each time it looks at all of them.
 */
#include "base/mem.h"
#include "base/number.h"
#include "bus/consumer_parts.h"
#include "wire/json.h"

#define STATUS_MAX 320u
#define HEARTBEAT_MIN_NS 100000000ull /* asked for more often, they come so often */

/* --- status messages ---------------------------------------------------------------------- */

void consumer_send_status(struct consumer *c, slice reply, const char *format, ...) {
    char text[STATUS_MAX + BUS_SUBJECT_MAX];
    struct buf block = {.ptr = text, .cap = sizeof text, .max = sizeof text};
    va_list arguments;
    va_start(arguments, format);
    int failed = buf_append(&block, slice_lit("NATS/1.0 "));
    if (!failed)
        failed = buf_vprintf(&block, format, arguments);
    if (!failed)
        failed = buf_append(&block, slice_lit("\r\n\r\n"));
    va_end(arguments);
    check(!failed);
    struct bus_message message = {.subject = reply, .headers = buf_slice(&block)};
    bus_publish(c->streams->bus, &message, NULL, NULL);
}

static slice reply_of(const struct consumer_request *request) {
    return slice_make(request->reply, request->reply_len);
}

static void send_ending(struct consumer *c, const struct consumer_request *request,
                        const char *status) {
    consumer_send_status(c, reply_of(request),
                         "%s\r\nNats-Pending-Messages: %u\r\nNats-Pending-Bytes: %llu", status,
                         request->batch_left, (unsigned long long)request->bytes_left);
}

static void send_heartbeat(struct consumer *c, const struct consumer_request *request) {
    consumer_send_status(c, reply_of(request),
                         "100 Idle Heartbeat\r\nNats-Last-Consumer: %llu\r\n"
                         "Nats-Last-Stream: %llu",
                         (unsigned long long)c->consumer_sequence,
                         (unsigned long long)(c->position - 1));
}

/* --- the line ----------------------------------------------------------------------------- */

static void request_free(struct consumer_request *request) {
    bus_route_clear(&request->route);
    mem_free(request);
}

static void line_up(struct consumer *c, struct consumer_request *request) {
    list_push_back(&c->requests, &request->node);
    c->waiting++;
    c->wanted += request->batch_left;
    c->one_shots += request->no_wait;
    if (c->waiting == 1)
        list_push_back(&c->stream->deliveries, &c->in_deliveries);
}

static void take_out(struct consumer *c, struct consumer_request *request) {
    list_remove(&request->node);
    check(c->waiting > 0 && c->wanted >= request->batch_left);
    c->waiting--;
    c->wanted -= request->batch_left;
    c->one_shots -= request->no_wait;
    if (c->waiting == 0)
        list_remove(&c->in_deliveries);
}

static void on_request_time(struct io_timer *timer) {
    struct consumer *c = container_of(timer, struct consumer, request_timer);
    c->requests_at = CONSUMER_NEVER;
    consumer_pull_settle(c, false);
}

static void watch(struct consumer *c, const struct consumer_request *request) {
    uint64_t at = CONSUMER_NEVER, now = io_loop_now_ns(consumer_loop(c));
    if (request->expires_ns)
        at = request->expires_ns;
    if (request->heartbeat_ns && request->heartbeat_at < at)
        at = request->heartbeat_at;
    if (at >= c->requests_at)
        return;
    c->requests_at = at;
    io_timer_start(consumer_loop(c), &c->request_timer, at > now ? at - now : 0, on_request_time);
}

static bool expired(const struct consumer_request *request, uint64_t now) {
    return request->expires_ns && now >= request->expires_ns;
}

/* Why a waiting request ends now, NULL: it goes on; "": without a word. */
static const char *ending(struct consumer *c, struct consumer_request *request, uint64_t now,
                          bool end_of_stream) {
    if (expired(request, now))
        return "408 Request Timeout";
    if (end_of_stream && request->no_wait && request->delivered)
        return "408 Request Timeout";
    if (end_of_stream && request->no_wait && !request->expires_ns)
        return "404 No Messages";
    return bus_has_interest(c->streams->bus, reply_of(request)) ? NULL : "";
}

void consumer_pull_settle(struct consumer *c, bool end_of_stream) {
    uint64_t now = io_loop_now_ns(consumer_loop(c));
    struct list ended; /* told after the walk: telling calls strangers */
    list_init(&ended);
    struct list_node *at, *following;
    list_each(&c->requests, at, following) {
        struct consumer_request *request = container_of(at, struct consumer_request, node);
        bool beats = request->heartbeat_ns && now >= request->heartbeat_at;
        const char *why = ending(c, request, now, end_of_stream);
        if (!why && !beats) {
            watch(c, request);
            continue;
        }
        take_out(c, request);
        request->ending = why;
        list_push_back(&ended, at);
    }
    while ((at = list_pop_front(&ended))) {
        struct consumer_request *request = container_of(at, struct consumer_request, node);
        if (request->ending && request->ending[0])
            send_ending(c, request, request->ending);
        else if (!request->ending && !c->gone)
            send_heartbeat(c, request);
        if (request->ending || c->gone) {
            request_free(request);
            continue;
        }
        request->heartbeat_at = now + request->heartbeat_ns;
        line_up(c, request);
        watch(c, request);
    }
}

void consumer_pull_end_all(struct consumer *c, const char *why) {
    struct list_node *at;
    while ((at = list_first(&c->requests))) {
        struct consumer_request *request = container_of(at, struct consumer_request, node);
        take_out(c, request);
        if (why)
            consumer_send_status(c, reply_of(request), "409 %s", why);
        request_free(request);
    }
}

/* --- serving ------------------------------------------------------------------------------ */

struct consumer_request *consumer_pull_next(struct consumer *c, uint64_t size) {
    uint64_t now = io_loop_now_ns(consumer_loop(c));
    struct list_node *at;
    while (!c->gone && (at = list_first(&c->requests))) {
        struct consumer_request *request = container_of(at, struct consumer_request, node);
        const char *why = NULL;
        if (expired(request, now))
            why = "408 Request Timeout";
        else if (request->bytes_limited && size > request->bytes_left)
            why = "409 Message Size Exceeds MaxBytes";
        else if (bus_route_has_interest(c->streams->bus, reply_of(request), &request->route)) {
            take_out(c, request);
            if (request->bytes_limited)
                request->bytes_left -= size;
            return request;
        }
        take_out(c, request);
        if (why)
            send_ending(c, request, why);
        request_free(request);
    }
    return NULL;
}

void consumer_pull_not_served(struct consumer *c, struct consumer_request *request, uint64_t size) {
    if (request->bytes_limited)
        request->bytes_left += size;
    line_up(c, request);
}

void consumer_pull_served(struct consumer *c, struct consumer_request *request) {
    request->delivered++;
    request->batch_left--;
    bool full = request->bytes_limited && request->bytes_left == 0;
    if (request->batch_left == 0 && request->bytes_limited && !full && !c->gone)
        send_ending(c, request, "409 Batch Completed"); /* so that the bytes left are known */
    if (request->batch_left == 0 || full || c->gone) {
        request_free(request);
        return;
    }
    if (request->heartbeat_ns)
        request->heartbeat_at = io_loop_now_ns(consumer_loop(c)) + request->heartbeat_ns;
    line_up(c, request);
}

/* --- taking in ---------------------------------------------------------------------------- */

/* False: the request has been answered. */
static bool judge_bounds(struct consumer *c, const struct consumer_pull *pull) {
    const struct consumer_config *config = &c->config;
    char text[NUMBER_TEXT_MAX * 2];
    if (config->batch_max > 0 && pull->batch > (uint64_t)config->batch_max) {
        consumer_send_status(c, pull->reply, "409 Exceeded MaxRequestBatch of %lld",
                             (long long)config->batch_max);
        return false;
    }
    if (config->expires_max_ns > 0 && pull->expires_ns > (uint64_t)config->expires_max_ns) {
        number_format_go_duration((uint64_t)config->expires_max_ns, text); /* clients match on it */
        consumer_send_status(c, pull->reply, "409 Exceeded MaxRequestExpires of %s", text);
        return false;
    }
    if (config->bytes_max > 0 && pull->bytes_max > (uint64_t)config->bytes_max) {
        consumer_send_status(c, pull->reply, "409 Exceeded MaxRequestMaxBytes of %lld",
                             (long long)config->bytes_max);
        return false;
    }
    return true;
}

/* A request that will not wait, where nothing is there or others wait for it already. */
static bool judge_one_shot(struct consumer *c, const struct consumer_pull *pull) {
    uint64_t there = consumer_count(c, true) + c->pending.due_count + c->order.ready_count;
    if (there == 0 && !pull->expires_ns) {
        consumer_send_status(c, pull->reply, "404 No Messages");
        return false;
    }
    if (there == 0)
        return true;
    consumer_pull_settle(c, false);
    if (c->gone)
        return false;
    if (there < c->wanted) {
        consumer_send_status(c, pull->reply, "408 Requests Pending");
        return false;
    }
    return true;
}

static bool judge_waiting(struct consumer *c, const struct consumer_pull *pull) {
    uint64_t max = CONSUMER_WAITING_MAX;
    if (c->config.waiting_max > 0 && (uint64_t)c->config.waiting_max < max)
        max = (uint64_t)c->config.waiting_max;
    if (c->waiting >= max)
        consumer_pull_settle(c, false);
    if (c->gone)
        return false;
    if (c->waiting < max)
        return true;
    if (!pull->heartbeat_ns) /* else missing heartbeats tell, and there is no hot loop of asking */
        consumer_send_status(c, pull->reply, "409 Exceeded MaxWaiting");
    return false;
}

void consumer_pull(struct consumer *c, const struct consumer_pull *pull) {
    if (!pull->reply.len || pull->reply.len > BUS_SUBJECT_MAX || c->gone || c->streams->ended)
        return;
    consumer_alive(c);
    if (!judge_bounds(c, pull) || (pull->no_wait && !judge_one_shot(c, pull)) ||
        !judge_waiting(c, pull))
        return;
    uint64_t now = io_loop_now_ns(consumer_loop(c));
    struct consumer_request *request = mem_zalloc(1, sizeof *request + pull->reply.len);
    if (!request) {
        consumer_send_status(c, pull->reply, "409 Exceeded MaxWaiting");
        return;
    }
    request->batch_left = pull->batch ? pull->batch : 1;
    request->bytes_limited = pull->bytes_max > 0;
    request->bytes_left = pull->bytes_max;
    request->no_wait = pull->no_wait;
    if (pull->expires_ns)
        request->expires_ns = now + pull->expires_ns;
    request->heartbeat_ns = pull->heartbeat_ns && pull->heartbeat_ns < HEARTBEAT_MIN_NS
                                ? HEARTBEAT_MIN_NS
                                : pull->heartbeat_ns;
    request->heartbeat_at = now + request->heartbeat_ns;
    request->reply_len = (uint16_t)pull->reply.len;
    memcpy(request->reply, pull->reply.ptr, pull->reply.len);
    line_up(c, request);
    watch(c, request);
    consumer_wake(c);
}

/* --- requests as text --------------------------------------------------------------------- */

static bool read_number(json_value object, const char *key, uint64_t max, uint64_t *into) {
    json_value v = json_member(object, slice_str(key));
    int64_t number;
    if (json_type_of(v) == JSON_ABSENT || json_type_of(v) == JSON_NULL)
        return true;
    if (json_i64(v, &number))
        return false;
    *into = number < 0 ? 0 : (uint64_t)number;
    if (*into > max)
        *into = max;
    return true;
}

/* What only priority groups give a meaning, and these are not served: to ignore it would hand out
   what the request does not want. */
static bool wants_priority(json_value object) {
    static const char *const keys[] = {"group", "id", "min_pending", "min_ack_pending", "priority"};
    for (size_t i = 0; i < array_count(keys); i++) {
        json_value v = json_member(object, slice_str(keys[i]));
        int64_t number = 1;
        slice text = slice_lit("x");
        bool nothing = json_type_of(v) == JSON_ABSENT || json_type_of(v) == JSON_NULL ||
                       (json_i64(v, &number) == 0 && number == 0) ||
                       (json_string(v, &text) == 0 && !text.len);
        if (!nothing)
            return true;
    }
    return false;
}

/* NULL, or why it is a bad request. */
static const char *read_object(json_value object, struct consumer_pull *pull) {
    uint64_t batch = 0;
    json_value no_wait = json_member(object, slice_lit("no_wait"));
    bool read = read_number(object, "batch", UINT32_MAX, &batch) &&
                read_number(object, "max_bytes", INT64_MAX, &pull->bytes_max) &&
                read_number(object, "expires", INT64_MAX, &pull->expires_ns) &&
                read_number(object, "idle_heartbeat", INT64_MAX, &pull->heartbeat_ns) &&
                (json_type_of(no_wait) == JSON_ABSENT || json_type_of(no_wait) == JSON_NULL ||
                 json_bool(no_wait, &pull->no_wait) == 0);
    if (!read)
        return "a field has the wrong type";
    if (wants_priority(object))
        return "priority groups are not served";
    pull->batch = (unsigned)batch;
    if (pull->heartbeat_ns > pull->expires_ns / 2)
        return "heartbeat value too large";
    return NULL;
}

static const char *read_text(slice body, struct consumer_pull *pull) {
    uint64_t batch;
    if (!body.len || body.ptr[0] != '{') {
        if (body.len && number_parse_u64(body, &batch) == 0)
            pull->batch = batch < UINT32_MAX ? (unsigned)batch : UINT32_MAX;
        return NULL; /* whatever else it says: one message, as nats-server takes it */
    }
    struct json_doc doc;
    json_init(&doc);
    const char *why = json_parse(&doc, body) ? "invalid JSON" : read_object(json_root(&doc), pull);
    json_free(&doc);
    return why;
}

void consumer_pull_text(struct consumer *c, slice reply, slice body) {
    struct consumer_pull pull = {.reply = reply};
    if (!reply.len || c->gone)
        return;
    const char *why = consumer_is_push(c) ? NULL : read_text(slice_trim(body), &pull);
    if (consumer_is_push(c))
        consumer_send_status(c, reply, "409 Consumer is push based");
    else if (why)
        consumer_send_status(c, reply, "400 Bad Request - %s", why);
    else
        consumer_pull(c, &pull);
}
