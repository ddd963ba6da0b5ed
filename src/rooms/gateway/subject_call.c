/*
 * subject_call.c - the targets that turn a request into one message: request and publish.
 *
 *     body whole -- bus full? --yes--> WAITING --room--> as no
 *                       |no               '--timeout, 503
 *                       |
 *     request           bus_request --reply--> 200, or what it says (subject_fields.h)
 *                                   --no responders, 503; timeout, 504
 *     publish           bus_publish ---------> 202 {"subject": "bid.new"}, heard or not
 *     publish, durable  bus_request --acknowledged, on disk--> 202 {"stream": "BIDS", "seq": 7}
 *                                   --refused--> 400, 412, 413, 503, 507
 *                                   --no responders, timeout--> 503: no stream has it
 *
 * A durable publish is an ordinary one with a reply subject, on which the stream that captures the
 * subject answers. Anybody else who hears the message may answer there too, so what is no
 * acknowledgement of a stream is passed over.
 *
 * A call lies in its request's arena and goes with it. Nothing is allocated for one but what
 * bus_request takes.
 */
#include "base/number.h"
#include "bus/request.h"
#include "rooms/gateway/subject_fields.h"
#include "rooms/gateway/subjects.h"
#include "rooms/gateway/target.h"
#include "wire/json_pick.h"
#include "wire/json_write.h"

#include <errno.h>

#define TIMEOUT_DEFAULT_NS (5 * 1000000000ull)
#define ANSWERS_MAX 16u /* to a durable publish, one of which must be a stream's */
#define ACK_TEXT_MAX 2048u
#define ACK_WORDS_MAX 256u

struct subject_route {
    slice subject; /* a template */
    uint64_t timeout_ns;
    enum subject_verb verb;
    bool durable;
};

struct call {
    struct exchange *x;
    const struct subject_route *route;
    slice subject;
    uint64_t deadline_ns;
    struct bus_request *request; /* NULL: not asked yet */
    struct bus_waiter waiter;
    struct io_timer patience; /* while it waits for room */
};

static struct bus *bus_of(const struct exchange *x) {
    return x->shard->shard->bus;
}

static void no_memory(struct exchange *x) {
    exchange_problem(x, 503, "no memory", "there is no memory to answer this request");
}

/* --- request -----------------------------------------------------------------------------------
 */

static void answer_request(struct exchange *x, const struct bus_message *message) {
    struct subject_reply reply;
    subject_reply_read(message->headers, message->payload, &reply);
    if (reply.error.len) {
        exchange_problem(x, reply.status, "service error", "%.*s", slice_fmt(reply.error));
        return;
    }
    struct http_answer answer = {.status = reply.status,
                                 .type = reply.type,
                                 .fields = reply.fields,
                                 .field_count = reply.field_count};
    exchange_reply(x, &answer, message->payload);
}

static void on_reply(void *owner, const struct bus_message *reply, int ended) {
    struct call *call = owner;
    struct exchange *x = call->x;
    if (reply) {
        bus_request_cancel(bus_of(x), call->request); /* it is over: CALL goes with the answer */
        answer_request(x, reply);
    } else if (ended == -EHOSTUNREACH) {
        exchange_problem(x, 503, "no responders", "nobody answers to this at the moment");
    } else if (ended == -ETIMEDOUT) {
        exchange_problem(x, 504, "timeout", "there was no answer in time");
    } else {
        exchange_problem(x, 503, "cancelled", "the node is stopping");
    }
}

/* --- publish -----------------------------------------------------------------------------------
 */

static void answer_publish(struct exchange *x, slice subject) {
    size_t room = subject.len * 6 + 32; /* each byte as \u0000 */
    struct buf text = {.ptr = arena_alloc(exchange_arena(x), room), .cap = room, .max = room};
    if (!text.ptr) {
        no_memory(x);
        return;
    }
    struct json_writer w = json_writer_make(&text, false);
    json_write_object(&w);
    json_write_key(&w, "subject");
    json_write_string(&w, subject);
    json_write_end(&w);
    check(json_write_finish(&w) == 0);
    exchange_reply(x, &(struct http_answer){.status = 202, .type = HTTP_JSON_TYPE},
                   buf_slice(&text));
}

/* --- durable publish ---------------------------------------------------------------------------
 */

enum { ACK_STREAM, ACK_SEQUENCE, ACK_DUPLICATE, ACK_CODE, ACK_ERROR, ACK_WORDS, ACK_FIELDS };
static const slice ack_paths[ACK_FIELDS] = {
    {"/stream", 7},          {"/seq", 4},
    {"/duplicate", 10},      {"/error/code", 11},
    {"/error/err_code", 15}, {"/error/description", 18},
};

struct ack {
    slice stream;
    uint64_t sequence, code, error; /* code 0: it is stored */
    bool duplicate;
    slice words; /* of the error */
    char text[ACK_WORDS_MAX];
};

/* False: this is not what a stream says. */
static bool read_ack(struct json_picker *picker, slice payload, struct ack *ack) {
    struct json_field fields[ACK_FIELDS];
    *ack = (struct ack){0};
    if (payload.len > ACK_TEXT_MAX || !slice_starts_with(payload, slice_lit("{")) ||
        json_pick(picker, payload, fields))
        return false;
    if (json_pick_u64(&fields[ACK_CODE], &ack->code) == 0) {
        ack->code += ack->code == 0;
        if (json_pick_u64(&fields[ACK_ERROR], &ack->error) ||
            json_pick_string(&fields[ACK_WORDS], ack->text, sizeof ack->text, &ack->words))
            ack->words = slice_lit("the stream has refused it");
        return true;
    }
    if (json_pick_bool(&fields[ACK_DUPLICATE], &ack->duplicate))
        ack->duplicate = false;
    return json_pick_string(&fields[ACK_STREAM], ack->text, sizeof ack->text, &ack->stream) == 0 &&
           json_pick_u64(&fields[ACK_SEQUENCE], &ack->sequence) == 0 && ack->sequence > 0;
}

static void answer_stored(struct exchange *x, const struct ack *ack) {
    char bytes[ACK_WORDS_MAX * 6 + 128];
    struct buf text = {.ptr = bytes, .cap = sizeof bytes, .max = sizeof bytes};
    struct json_writer w = json_writer_make(&text, false);
    json_write_object(&w);
    json_write_key(&w, "stream");
    json_write_string(&w, ack->stream);
    json_write_key(&w, "seq");
    json_write_u64(&w, ack->sequence);
    if (ack->duplicate) {
        json_write_key(&w, "duplicate");
        json_write_bool(&w, true);
    }
    json_write_end(&w);
    check(json_write_finish(&w) == 0);
    exchange_reply(x, &(struct http_answer){.status = 202, .type = HTTP_JSON_TYPE},
                   buf_slice(&text));
}

/* Codes: errors.json of nats-server. What they do not tell apart, their words do. */
static unsigned refusal_status(const struct ack *ack) {
    switch (ack->error) {
    case 10060: /* another stream than expected */
    case 10070: /* wrong last message id */
    case 10071: /* wrong last sequence */
    case 10164: /* the same, in newer versions */
        return 412;
    case 10054: /* larger than the stream's max_msg_size */
        return 413;
    case 10003: /* an expectation that is not one */
    case 10111: /* roll-up */
        return 400;
    case 10077: /* "maximum messages exceeded", "no space left on device", or the log has failed */
        return slice_starts_with(ack->words, slice_lit("maximum ")) ||
                       slice_starts_with(ack->words, slice_lit("no space "))
                   ? 507
                   : 503;
    default:
        return 503;
    }
}

static void answer_refused(struct exchange *x, const struct ack *ack) {
    unsigned status = refusal_status(ack);
    if (status == 503)
        exchange_problem(x, 503, "stream refused",
                         "the message could not be stored, send it again");
    else
        exchange_problem(x, status, "stream refused", "%.*s", slice_fmt(ack->words));
}

static void on_ack(void *owner, const struct bus_message *reply, int ended) {
    struct call *call = owner;
    struct exchange *x = call->x;
    struct ack ack;
    if (reply) {
        if (!read_ack(x->shard->subjects->acks, reply->payload, &ack))
            return;
        bus_request_cancel(bus_of(x), call->request); /* it is over: CALL goes with the answer */
        if (ack.code)
            answer_refused(x, &ack);
        else
            answer_stored(x, &ack);
    } else if (ended == -EHOSTUNREACH) {
        exchange_problem(x, 503, "no stream", "no stream stores this subject: nothing was stored");
    } else if (ended == -ECANCELED) {
        exchange_problem(x, 503, "cancelled",
                         "the node is stopping, the message may have been stored");
    } else {
        exchange_problem(
            x, 503, "no ack",
            "no stream has confirmed the message in time, it may or may not have been stored: "
            "send it again with the same Idempotency-Key");
    }
}

/* --- a message on its way ----------------------------------------------------------------------
 */

static void start_request(struct call *call, const struct bus_message *message) {
    struct exchange *x = call->x;
    uint64_t now = io_loop_now_ns(exchange_loop(x));
    struct bus_request_options options = {
        .message = *message,
        .timeout_ns = call->deadline_ns > now ? call->deadline_ns - now : 1,
        .replies_max = call->route->durable ? ANSWERS_MAX : 1,
        .on_reply = call->route->durable ? on_ack : on_reply,
        .owner = call,
    };
    int failed = bus_request(bus_of(x), &options, &call->request);
    if (failed == -ENOBUFS)
        exchange_problem(x, 503, "too many requests", "too many requests wait for an answer");
    else if (failed)
        no_memory(x);
}

static void go(struct call *call) {
    struct exchange *x = call->x;
    const struct subject_route *route = call->route;
    struct bus_message message = {.subject = call->subject,
                                  .payload = http_request_body(x->request)};
    int failed = subject_fields_write(x, route->verb, &message.headers);
    uint32_t bytes_max = x->shard->gateway->node->limits.payload_bytes_max;
    if (failed == -EINVAL) {
        exchange_problem(x, 400, "headers",
                         "Idempotency-Key or the name of who asks cannot be passed on");
    } else if (failed) {
        no_memory(x);
    } else if (message.headers.len + message.payload.len > bytes_max) {
        exchange_problem(x, 413, "too large", "with its headers it is over %u bytes", bytes_max);
    } else {
        exchange_note(x, EXCHANGE_SENT);
        if (route->verb == SUBJECT_REQUEST || route->durable) {
            start_request(call, &message);
        } else {
            bus_publish(bus_of(x), &message, NULL, NULL);
            answer_publish(x, call->subject);
        }
    }
}

static void on_room(struct bus_waiter *waiter) {
    struct call *call = container_of(waiter, struct call, waiter);
    if (bus_full(bus_of(call->x))) {
        bus_wait(bus_of(call->x), waiter);
        return;
    }
    io_timer_stop(exchange_loop(call->x), &call->patience);
    go(call);
}

static void on_patience(struct io_timer *timer) {
    struct call *call = container_of(timer, struct call, patience);
    bus_wait_cancel(&call->waiter);
    exchange_problem(call->x, 503, "bus full",
                     "the node has more messages under way than it can take");
}

static void on_body_end(struct exchange *x, slice trailers) {
    (void)trailers;
    struct call *call = x->state;
    call->deadline_ns = io_loop_now_ns(exchange_loop(x)) + call->route->timeout_ns;
    if (likely(!bus_full(bus_of(x)))) {
        go(call);
        return;
    }
    call->waiter.on_room = on_room;
    bus_wait(bus_of(x), &call->waiter);
    io_timer_start(exchange_loop(x), &call->patience, call->route->timeout_ns, on_patience);
}

static void on_gone(struct exchange *x) {
    struct call *call = x->state;
    io_timer_stop(exchange_loop(x), &call->patience);
    bus_wait_cancel(&call->waiter);
    if (call->request)
        bus_request_cancel(bus_of(x), call->request);
}

/* --- targets -----------------------------------------------------------------------------------
 */

/* False: it has been answered. */
static bool judge(struct exchange *x, const struct subject_route *route, slice *ret_subject) {
    uint64_t length, bytes_max = x->shard->gateway->node->limits.payload_bytes_max;
    int failed = exchange_expand(x, route->subject, TEMPLATE_SUBJECT, ret_subject);
    if (failed == -ENOMEM) {
        no_memory(x);
    } else if (failed || ret_subject->len > BUS_SUBJECT_MAX) {
        exchange_problem(x, 400, "subject", "a part of the path cannot be part of a subject");
    } else if (x->rights && !principal_may_publish(x->rights, *ret_subject)) {
        exchange_problem(x, 403, "rights", "this is not allowed to who asks");
    } else if (http_request_has_body(x->request, &length) && length != UINT64_MAX &&
               length > bytes_max) {
        exchange_problem(x, 413, "too large", "the body is over %llu bytes",
                         (unsigned long long)bytes_max);
    } else {
        return true;
    }
    return false;
}

static void start(struct exchange *x, void *self) {
    static const struct exchange_events events = {.on_gone = on_gone, .on_body_end = on_body_end};
    const struct subject_route *route = self;
    slice subject;
    if (!judge(x, route, &subject))
        return;
    struct call *call = arena_zalloc(exchange_arena(x), 1, sizeof *call);
    if (!call) {
        no_memory(x);
        return;
    }
    call->x = x;
    call->route = route;
    call->subject = x->upstream = subject;
    exchange_hold(x, &events, call);
}

static int open_route(struct arena *arena, slice subject, enum subject_verb verb,
                      const struct gateway_to *to, void **ret_self, struct error *ret_error) {
    struct subject_route *route = arena_zalloc(arena, 1, sizeof *route);
    if (!route || arena_copy(arena, subject, &route->subject))
        return error_set(ret_error, -ENOMEM, "no memory for a route");
    route->verb = verb;
    route->durable = to->durable;
    route->timeout_ns = to->timeout_ns ? to->timeout_ns : TIMEOUT_DEFAULT_NS;
    *ret_self = route;
    return 0;
}

static bool request_chosen(const struct gateway_to *to) {
    return to->request.len > 0;
}

static int request_open(struct gateway *gateway, const struct gateway_route_config *config,
                        struct arena *arena, void **ret_self, struct error *ret_error) {
    (void)gateway;
    return open_route(arena, config->to.request, SUBJECT_REQUEST, &config->to, ret_self, ret_error);
}

static bool publish_chosen(const struct gateway_to *to) {
    return to->publish.len > 0;
}

static int publish_open(struct gateway *gateway, const struct gateway_route_config *config,
                        struct arena *arena, void **ret_self, struct error *ret_error) {
    (void)gateway;
    return open_route(arena, config->to.publish, SUBJECT_PUBLISH, &config->to, ret_self, ret_error);
}

const struct gateway_target request_target = {
    .name = "request",
    .chosen = request_chosen,
    .open = request_open,
    .start = start,
};

const struct gateway_target publish_target = {
    .name = "publish",
    .chosen = publish_chosen,
    .open = publish_open,
    .start = start,
};

/* --- a loop's share ----------------------------------------------------------------------------
 */

int subject_acks_create(struct json_picker **ret_picker) {
    return json_picker_new(ack_paths, array_count(ack_paths), ret_picker);
}
