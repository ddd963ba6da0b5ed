/*
 * websocket_target.c - the target websocket: subjects as messages of a WebSocket, both ways.
 *
 *     GET /chat/9, Upgrade: websocket
 *       subscribe: "chat.{room}.>"   each message is one frame with its payload: text where that is
 *                                    UTF-8, else binary. Subject and headers are not told.
 *       publish: "chat.{room}.in"    each message of the client is published as one, text or
 * binary, with the headers of subject_fields.h; what the client is subscribed to it hears of
 * itself, too
 *
 * The end is told by the code of the close frame:
 *
 *     1001   the node stops                       1009   larger than a message may be
 *     1008   the client sends, but there is no    1013   the client does not read as fast as
 *            publish; its rights have changed, or        messages come: more than PENDING_BYTES
 *            its token has expired                       wait
 *
 * A socket outlives reloads. While the node takes no more messages its client is not read.
 *
 * ORIGIN. A page of any site may open a WebSocket to any other, with the cookies for it, so the
 * header Origin is judged: what the route's cors names may, and the page's own host may. Without
 * cors other pages may too, but only where the route has asked nobody who he is.
 */
#include "base/mem.h"
#include "http/websocket.h"
#include "rooms/gateway/origin.h"
#include "rooms/gateway/subject_fields.h"
#include "rooms/gateway/table.h"
#include "wire/nats_subject.h"
#include "wire/url.h"
#include "wire/websocket_handshake.h"

#include <errno.h>

#define SUBJECTS_MAX 16u /* as in target_config.c */
#define PENDING_BYTES_MIN (4u << 20)
#define RIGHTS_NS (15 * 1000000000ull) /* looked at so often, as SSE does */

struct websocket_route {
    const slice *subscribe; /* templates */
    unsigned count;
    slice publish; /* template; empty: none */
};

struct session {
    struct gateway_stream stream;
    struct gateway_shard *shard;
    struct http_websocket *ws;
    struct principal *rights; /* counted; NULL: no limit */
    struct bus_subscription *subscriptions[SUBJECTS_MAX];
    unsigned count;
    bool filtered[SUBJECTS_MAX];
    struct exchange *x; /* NULL: it has been answered */
    uint32_t message_bytes_max;
    bool silent;   /* the socket closes or has closed: nothing more goes either way */
    bool over;     /* the shard does not know it any more */
    slice publish; /* subject; in text */
    slice headers; /* of what it publishes; in text */
    struct bus_route route;
    struct bus_waiter waiter;
    struct io_timer rights_timer;
    char text[];
};

static struct bus *bus_of(const struct session *s) {
    return s->shard->shard->bus;
}

/* --- the end -----------------------------------------------------------------------------------
 */

static void fall_silent(struct session *s) {
    if (s->silent)
        return;
    s->silent = true;
    for (unsigned i = 0; i < s->count; i++)
        s->subscriptions[i] = bus_unsubscribe(bus_of(s), s->subscriptions[i]);
    bus_wait_cancel(&s->waiter);
    bus_route_clear(&s->route);
    io_timer_stop(s->shard->shard->loop, &s->rights_timer);
}

static void close_with(struct session *s, unsigned code, const char *reason) {
    fall_silent(s);
    http_websocket_close(s->ws, code, slice_str(reason));
}

static void leave_shard(struct session *s) {
    if (s->over)
        return;
    s->over = true;
    gateway_stream_over(s->shard, &s->stream);
}

static void session_free(struct session *s) {
    principal_unref(s->rights);
    mem_free(s);
}

static void on_close(void *owner, unsigned code) {
    struct session *s = owner;
    (void)code;
    fall_silent(s);
    leave_shard(s);
    session_free(s);
}

static void on_drain(struct gateway_stream *stream, bool at_once) {
    struct session *s = container_of(stream, struct session, stream);
    if (!at_once && stream->login_end.over) {
        close_with(s, WEBSOCKET_CODE_POLICY, "the token has expired");
        return;
    }
    if (!at_once) {
        close_with(s, WEBSOCKET_CODE_GOING_AWAY, "the node stops");
        return;
    }
    fall_silent(s);
    http_websocket_abort(s->ws); /* on_close frees it, later */
    leave_shard(s);
}

static void on_rights_timer(struct io_timer *timer) {
    struct session *s = container_of(timer, struct session, rights_timer);
    if (!principal_still_in(s->rights, s->shard->auth))
        close_with(s, WEBSOCKET_CODE_POLICY, "rights have changed");
    else
        io_timer_start(s->shard->shard->loop, timer, RIGHTS_NS, on_rights_timer);
}

/* --- messages ----------------------------------------------------------------------------------
 */

/* Not what rights forbid, nor what comes by an earlier one of the subjects, too. */
static bool is_wanted(const struct session *s, const struct bus_subscription *subscription,
                      slice subject) {
    unsigned i = 0;
    for (; s->subscriptions[i] != subscription; i++)
        if (nats_subject_match(subject, bus_subscription_subject(s->subscriptions[i])))
            return false;
    return !s->filtered[i] || principal_may_receive(s->rights, subject);
}

static void on_bus_message(void *owner, struct bus_subscription *subscription,
                           const struct bus_message *message) {
    struct session *s = owner;
    if (!s->ws || !is_wanted(s, subscription, message->subject)) {
        bus_decline(subscription);
        return;
    }
    int failed = http_websocket_send(s->ws, true, message->payload);
    if (failed == -EILSEQ)
        failed = http_websocket_send(s->ws, false, message->payload);
    if (failed == -EAGAIN)
        close_with(s, WEBSOCKET_CODE_TRY_LATER, "messages come faster than they are read");
    else if (failed && failed != -EPIPE)
        close_with(s, WEBSOCKET_CODE_INTERNAL, "a message could not be sent");
}

static void on_room(struct bus_waiter *waiter) {
    struct session *s = container_of(waiter, struct session, waiter);
    http_websocket_resume(s->ws);
}

static void on_message(void *owner, bool is_text, slice bytes) {
    struct session *s = owner;
    (void)is_text;
    if (s->silent)
        return;
    if (!s->publish.len) {
        close_with(s, WEBSOCKET_CODE_POLICY, "this takes no messages");
        return;
    }
    struct bus_message message = {.subject = s->publish, .headers = s->headers, .payload = bytes};
    bus_publish(bus_of(s), &message, NULL, &s->route);
    if (!s->silent && bus_full(bus_of(s))) {
        http_websocket_pause(s->ws);
        bus_wait(bus_of(s), &s->waiter);
    }
}

/* --- the beginning -----------------------------------------------------------------------------
 */

/* Whether ORIGIN names the host that was asked. The schemes may differ: TLS may end before us. */
static bool is_own_page(const struct exchange *x, slice origin) {
    struct url url;
    if (url_parse(origin, &url))
        return false;
    bool https = slice_equal_nocase(url.scheme, slice_lit("https"));
    return url_same_authority(url.authority_text, http_request_host(x->request), https ? 443 : 80);
}

static bool may_open(const struct exchange *x) {
    const struct gateway_cors *cors = x->route->cors;
    slice origin;
    if (!http_request_field(x->request, slice_lit("Origin"), &origin) || is_own_page(x, origin))
        return true;
    for (unsigned i = 0; cors && i < cors->origin_count; i++)
        if (origin_fits(cors->origins[i], origin))
            return true;
    return !cors && x->way.len == 0;
}

static void no_memory(struct exchange *x) {
    exchange_problem(x, 503, "no memory", "there is no room for another client");
}

/* What the request comes to. */
struct wanted {
    slice subscribe[SUBJECTS_MAX], publish, headers;
    unsigned count;
    uint32_t message_bytes_max;
};

/* False: it has been answered. */
static bool expand(struct exchange *x, slice template, enum template_kind kind, slice *ret) {
    int failed = exchange_expand(x, template, kind, ret);
    if (failed == -ENOMEM) {
        no_memory(x);
    } else if (failed || ret->len > BUS_SUBJECT_MAX) {
        exchange_problem(x, 400, "subject", "a part of the path cannot be part of a subject");
    } else if (x->rights &&
               !(kind == TEMPLATE_SUBJECT ? principal_may_publish(x->rights, *ret)
                                          : principal_may_subscribe(x->rights, *ret, (slice){0}))) {
        exchange_problem(x, 403, "rights", "this is not allowed to who asks");
    } else {
        return true;
    }
    return false;
}

/* False: it has been answered. */
static bool judge_handshake(struct exchange *x) {
    size_t count;
    slice key;
    const struct http1_field *fields = http_request_fields(x->request, &count);
    enum websocket_refusal refusal = websocket_judge(
        http_request_method(x->request), http_request_upgrade(x->request), fields, count, &key);
    if (refusal == WEBSOCKET_REFUSED_NONE && may_open(x))
        return true;
    if (refusal == WEBSOCKET_REFUSED_NONE) {
        exchange_problem(x, 403, "origin", "pages of this origin may not open a WebSocket here");
        return false;
    }
    unsigned status = websocket_refusal_status(refusal);
    if (status == 426) {
        exchange_add_field(x, slice_lit("Upgrade"), slice_lit("websocket"));
        exchange_add_field(x, slice_lit("Sec-WebSocket-Version"), slice_lit(WEBSOCKET_VERSION));
    }
    exchange_problem(x, status, "handshake", "%s", websocket_refusal_text(refusal));
    return false;
}

/* False: it has been answered. */
static bool judge(struct exchange *x, const struct websocket_route *route, struct wanted *wanted) {
    uint32_t bytes_max = x->shard->gateway->node->limits.payload_bytes_max;
    wanted->count = route->count;
    wanted->publish = wanted->headers = (slice){0};
    if (!judge_handshake(x))
        return false;
    for (unsigned i = 0; i < route->count; i++)
        if (!expand(x, route->subscribe[i], TEMPLATE_FILTER, &wanted->subscribe[i]))
            return false;
    if (route->publish.len) {
        if (!expand(x, route->publish, TEMPLATE_SUBJECT, &wanted->publish))
            return false;
        int failed = subject_fields_write(x, SUBJECT_WEBSOCKET, &wanted->headers);
        if (failed == -ENOMEM) {
            no_memory(x);
            return false;
        }
        if (failed || wanted->headers.len >= bytes_max) {
            exchange_problem(x, 400, "headers", "the name of who asks cannot be passed on");
            return false;
        }
    }
    bytes_max -= (uint32_t)wanted->headers.len;
    wanted->message_bytes_max =
        x->route->body_max < bytes_max ? (uint32_t)x->route->body_max : bytes_max;
    return true;
}

/* NULL: no memory. */
static struct session *session_new(struct exchange *x, const struct wanted *wanted) {
    struct session *s = mem_zalloc(1, sizeof *s + wanted->publish.len + wanted->headers.len);
    if (!s)
        return NULL;
    char *at = s->text;
    s->x = x;
    s->message_bytes_max = wanted->message_bytes_max;
    s->shard = x->shard;
    s->rights = x->rights ? principal_ref(x->rights) : NULL;
    s->publish = slice_store(&at, wanted->publish);
    s->headers = slice_store(&at, wanted->headers);
    s->stream.on_drain = on_drain;
    s->waiter.on_room = on_room;
    return s;
}

static int subscribe(struct session *s, const struct wanted *wanted) {
    static const struct bus_receiver receiver = {on_bus_message};
    for (; s->count < wanted->count; s->count++) {
        slice subject = wanted->subscribe[s->count];
        int failed = bus_subscribe(bus_of(s), subject, (slice){0}, &receiver, s, NULL,
                                   &s->subscriptions[s->count]);
        if (failed)
            return failed;
        s->filtered[s->count] = s->rights && principal_filters(s->rights, subject);
    }
    return 0;
}

static void shake_hands(struct session *s) {
    static const struct http_websocket_events events = {.on_message = on_message,
                                                        .on_close = on_close};
    uint32_t payload_max = s->shard->gateway->node->limits.payload_bytes_max;
    struct http_websocket_options options = {
        .message_bytes_max = s->message_bytes_max,
        .out_high_bytes =
            payload_max > PENDING_BYTES_MIN / 2 ? HTTP_WEBSOCKET_HIGH_MAX : PENDING_BYTES_MIN,
    };
    struct http1_field fields[EXCHANGE_ANSWER_FIELDS_MAX];
    options.fields = fields;
    options.field_count =
        exchange_answer_fields(s->x, &(struct http_answer){.status = 101}, fields);
    struct http_request *request = s->x->request;
    exchange_upgraded(s->x, &s->stream);
    s->x = NULL;
    if (http_websocket_accept(request, &options, &events, s, &s->ws)) {
        fall_silent(s);
        leave_shard(s);
        session_free(s);
    } else if (s->rights) {
        io_timer_start(s->shard->shard->loop, &s->rights_timer, RIGHTS_NS, on_rights_timer);
    }
}

/* Every shard knows by now what the socket is subscribed to: who sees the 101 may rely on it. */
static void on_fence(void *self, uint64_t id) {
    (void)id;
    shake_hands(self);
}

static void on_gone(struct exchange *x) {
    struct session *s = x->state;
    bus_fence_cancel(bus_of(s), s);
    fall_silent(s);
    session_free(s);
}

static void on_drain_of_exchange(struct exchange *x) {
    on_gone(x);
    no_memory(x);
}

static void start(struct exchange *x, void *self) {
    static const struct exchange_events events = {.on_gone = on_gone,
                                                  .on_drain = on_drain_of_exchange};
    struct wanted wanted;
    if (!judge(x, self, &wanted))
        return;
    struct session *s = x->shard->draining ? NULL : session_new(x, &wanted);
    if (!s) {
        no_memory(x);
        return;
    }
    x->upstream = wanted.count ? wanted.subscribe[0] : wanted.publish;
    exchange_hold(x, &events, s);
    if (subscribe(s, &wanted) || bus_fence(bus_of(s), on_fence, s, 0))
        on_drain_of_exchange(x);
}

static bool chosen(const struct gateway_to *to) {
    return to->websocket.item.given;
}

static int open_target(struct gateway *gateway, const struct gateway_route_config *config,
                       struct arena *arena, void **ret_self, struct error *ret_error) {
    (void)gateway;
    const struct gateway_websocket_config *to = &config->to.websocket;
    struct websocket_route *route = arena_zalloc(arena, 1, sizeof *route);
    if (!route || gateway_copy_slices(arena, &to->subscribe, &route->subscribe, &route->count) ||
        arena_copy(arena, to->publish, &route->publish))
        return error_set(ret_error, -ENOMEM, "no memory for a route");
    *ret_self = route;
    return 0;
}

const struct gateway_target websocket_target = {
    .name = "websocket",
    .chosen = chosen,
    .open = open_target,
    .start = start,
};
