/*
 * client.c - a connection's life and its bytes in (states are drawn in client.h).
 *
 * Bytes come in the loop's big read buffer and are parsed where they lie. Only a message cut off
 * at the end is copied into `rest`, and of the next bytes just what completes it, so the steady
 * state of a fast publisher copies one message per read and no more.
 *
 * One read may hold thousands of messages, and one message may go to a hundred thousand receivers.
 * So a client that has had its share of a turn is held: the rest of its input waits in `rest`
 * until every other client has been served.
 *
 * A connection that is CLOSING takes no more bytes; what it was still to send is flushed, and
 * on_close, the last call, frees everything. Nothing is freed on any other path.
 */
#include "rooms/pubsub/client_link.h"

#include "base/mem.h"
#include "wire/nats_write.h"

#include <errno.h>
#include <stdio.h>

#define REST_SLACK 256          /* beyond payload and line: verb, blanks, line ends */
#define TURN_NS_MAX 10000000ull /* what one client may take of a turn */
#define TURN_FIRST_LOOK 2u      /* messages before the first look at the clock */
#define TURN_STEP_MAX 16u       /* and at most between two looks */

static const char *const reason_texts[CLIENT_REASONS] = {
    [CLIENT_CLOSED_BY_PEER] = "Client Closed",
    [CLIENT_PROTOCOL_ERROR] = "Protocol Violation",
    [CLIENT_AUTH_FAILED] = "Authentication Failure",
    [CLIENT_AUTH_TIMEOUT] = "Authentication Timeout",
    [CLIENT_TLS_FAILED] = "TLS Handshake Failure",
    [CLIENT_STALE] = "Stale Connection",
    [CLIENT_SLOW_PENDING] = "Slow Consumer (Pending Bytes)",
    [CLIENT_SLOW_WRITE] = "Slow Consumer (Write Deadline)",
    [CLIENT_TOO_MANY] = "Maximum Connections Exceeded",
    [CLIENT_SERVER_SHUTDOWN] = "Server Shutdown",
    [CLIENT_AUTH_CHANGED] = "Credentials Revoked",
    [CLIENT_NO_MEMORY] = "Out Of Memory",
};

const char *client_reason_text(enum client_reason reason) {
    return reason_texts[reason];
}

void client_send(struct client *c, slice bytes) {
    if (c->state == CLIENT_CLOSING)
        return;
    if (client_write(c, bytes))
        client_close(c, CLIENT_SLOW_PENDING, NULL);
    else
        client_watch_output(c);
}

void client_error(struct client *c, const char *format, ...) {
    char line[1024] = "-ERR '";
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(line + 6, sizeof line - 6 - 3, format, arguments);
    va_end(arguments);
    size_t at = 6 + (len < 0 ? 0 : (size_t)len);
    if (at > sizeof line - 4)
        at = sizeof line - 4;
    memcpy(line + at, "'\r\n", 3);
    client_send(c, slice_make(line, at + 3));
}

static void free_subscriptions(struct client *c) {
    const struct map_entry *entry;
    for (size_t at = 0; (entry = map_next(&c->subscriptions, &at));) {
        struct client_subscription *cs = entry->value;
        bus_unsubscribe(c->bus, cs->subscription);
        mem_free(cs);
    }
    map_free(&c->subscriptions);
}

/* Its subscriptions end here and not when the last output is flushed: till then they would take
   their share of their queue groups. */
void client_close(struct client *c, enum client_reason reason, const char *error_text) {
    if (c->state == CLIENT_CLOSING)
        return;
    if (error_text)
        client_error(c, "%s", error_text);
    if (c->state == CLIENT_CLOSING)
        return; /* sending the error overflowed and closed it */
    c->reason = reason;
    c->state = CLIENT_CLOSING;
    client_login_skip(c);
    struct pubsub *pubsub = c->room->pubsub;
    bool slow = reason == CLIENT_SLOW_PENDING || reason == CLIENT_SLOW_WRITE;
    if (slow)
        metrics_count(c->room->shard->metrics, pubsub->metrics.slow_consumers, 1);
    logger_write(pubsub->node->logger, slow ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG, "nats",
                 "closing client", "cid=%llu peer=%s reason=%s", (unsigned long long)c->id,
                 io_stream_peer(c->below), client_reason_text(reason));
    free_subscriptions(c);
    if (slow || reason == CLIENT_NO_MEMORY)
        client_cut(c);
    else
        client_finish(c, reason);
}

/* --- bytes in ----------------------------------------------------------------------------- */

static void handle(struct client *c, const struct nats_event *event) {
    if (unlikely(c->traced))
        client_trace_in(c, event);
    switch (event->kind) {
    case NATS_PUB:
    case NATS_HPUB:
        client_publish(c, event);
        return;
    case NATS_SUB:
        client_subscribe(c, event);
        return;
    case NATS_UNSUB:
        client_unsubscribe(c, event);
        return;
    case NATS_PING:
        client_ping(c);
        return;
    case NATS_PONG:
        client_pong(c);
        return;
    case NATS_CONNECT:
        client_connect(c, nats_event_json(event));
        return;
    default:
        check(false && "the parser gives a client's verbs only");
    }
}

static void on_parse_error(struct client *c) {
    enum nats_error error = (enum nats_error)c->parser.error;
    logger_write(c->room->pubsub->node->logger, LOG_LEVEL_DEBUG, "nats", "protocol error",
                 "cid=%llu error=%s", (unsigned long long)c->id, nats_error_detail(error));
    client_close(c, CLIENT_PROTOCOL_ERROR, nats_error_text(error));
}

/* Nothing but CONNECT may come before a login that is required. */
static bool may_go_on(struct client *c, enum nats_kind kind) {
    if (likely(c->state == CLIENT_OPEN))
        return true;
    if (c->state == CLIENT_CLOSING)
        return false;
    if (kind == NATS_CONNECT || !client_login_required(c->room))
        return true;
    client_close(c, CLIENT_AUTH_FAILED, "Authorization Violation");
    return false;
}

static void on_again(struct io_timer *timer) {
    client_go_on(container_of(timer, struct client, again));
}

static uint64_t clock_ns(const struct client *c) {
    return io_host_clock_ns(c->room->pubsub->node->host);
}

static void begin_turn(struct client *c) {
    c->traced = logger_shows(c->room->pubsub->node->logger, LOG_LEVEL_TRACE);
    c->turn_messages = 0;
    c->next_look = c->dear ? 1 : TURN_FIRST_LOOK;
    c->turn_ns = c->looked_ns = c->dear ? clock_ns(c) : 0;
}

/* The clock is looked at seldom, and the longer a turn the more seldom, since that costs as much as
   a small message; but after each message where the last ones were dear. */
static void end_turn_if_long(struct client *c) {
    if (likely(++c->turn_messages < c->next_look))
        return;
    uint64_t now_ns = clock_ns(c);
    if (!c->turn_ns)
        c->turn_ns = c->looked_ns = now_ns;
    c->dear = now_ns - c->looked_ns > TURN_NS_MAX / 8;
    c->looked_ns = now_ns;
    unsigned step = c->turn_messages < TURN_STEP_MAX ? c->turn_messages : TURN_STEP_MAX;
    c->next_look = c->turn_messages + (c->dear ? 1 : step);
    if (now_ns - c->turn_ns < TURN_NS_MAX || c->held)
        return;
    client_hold(c);
    io_timer_start(c->room->shard->loop, &c->again, 0, on_again);
}

/* Handles whole messages at the front of BYTES until the client is held; returns how many bytes
   they were. */
static size_t consume(struct client *c, slice bytes) {
    size_t used = 0;
    struct nats_event event;
    size_t consumed;
    while (likely(!c->held)) {
        int result = nats_parse(&c->parser, slice_skip(bytes, used), &event, &consumed);
        if (result == 0)
            return used;
        if (result < 0) {
            on_parse_error(c);
            return used;
        }
        used += consumed;
        if (!may_go_on(c, event.kind))
            return used;
        handle(c, &event);
        if (unlikely(c->state == CLIENT_CLOSING))
            return used;
        end_turn_if_long(c);
    }
    return used;
}

/* How many of BYTES complete, or bring nearer, the message that `rest` has the start of. */
static size_t wanted(const struct client *c, slice bytes) {
    size_t missing = c->parser.need > c->rest.len ? c->parser.need - c->rest.len : 1;
    if (missing > 1)
        return missing < bytes.len ? missing : bytes.len;
    ptrdiff_t line_end = slice_find(bytes, '\n');
    return line_end < 0 ? bytes.len : (size_t)line_end + 1;
}

/* Feeds `rest` until its message is whole; returns the bytes used, or closes the client. */
static size_t complete_rest(struct client *c, slice bytes) {
    size_t used = 0;
    while (c->rest.len && used < bytes.len && c->state != CLIENT_CLOSING && !c->held) {
        slice more = slice_skip(bytes, used);
        more = slice_take(more, wanted(c, more));
        int failed = buf_append(&c->rest, more);
        if (failed) {
            client_close(c, failed == -ENOMEM ? CLIENT_NO_MEMORY : CLIENT_PROTOCOL_ERROR,
                         nats_error_text(NATS_ERROR_LINE));
            return bytes.len;
        }
        used += more.len;
        size_t consumed = consume(c, buf_slice(&c->rest));
        buf_consume(&c->rest, consumed);
    }
    if (c->rest.len == 0)
        buf_free(&c->rest);
    return used;
}

static void keep_rest(struct client *c, slice bytes) {
    if (bytes.len && buf_append(&c->rest, bytes))
        client_close(c, CLIENT_NO_MEMORY, NULL);
}

static void on_room(struct bus_waiter *waiter) {
    struct client *c = container_of(waiter, struct client, waiter);
    c->waiting = false;
    if (c->state != CLIENT_CLOSING)
        client_resume(c);
}

static void push_back(struct client *c) {
    if (!c->published || !bus_full(c->bus) || c->waiting || c->state == CLIENT_CLOSING)
        return;
    c->waiting = true;
    client_pause(c);
    bus_wait(c->bus, &c->waiter);
}

static void on_tls_ready(void *owner, int failed, const char *why) {
    struct client *c = owner;
    if (c->state == CLIENT_CLOSING)
        return;
    if (!failed) {
        if (c->room->pubsub->handshake_first)
            client_send_info(c, false);
        if (client_login_required(c->room))
            client_arm_auth(c);
        else /* no login to wait for */
            client_arm_ping(c);
        return;
    }
    logger_write(c->room->pubsub->node->logger, LOG_LEVEL_DEBUG, "nats", "TLS handshake failed",
                 "cid=%llu why=%s", (unsigned long long)c->id, why);
    c->reason = CLIENT_TLS_FAILED;
}

#define TLS_HANDSHAKE_RECORD 0x16

static void start_tls(struct client *c, slice bytes) {
    c->tls_wanted = false;
    if ((unsigned char)bytes.ptr[0] != TLS_HANDSHAKE_RECORD) {
        client_close(c, CLIENT_TLS_FAILED, "Secure Connection - TLS Required");
        return;
    }
    c->tls = true;
    if (io_stream_start_tls(c->stream, c->room->tls, bytes,
                            c->room->pubsub->node->limits.tls_timeout_ns, on_tls_ready))
        client_close(c, CLIENT_TLS_FAILED, NULL);
}

/* What lay in `rest` when the client was held. */
static void consume_rest(struct client *c) {
    buf_consume(&c->rest, consume(c, buf_slice(&c->rest)));
    if (c->rest.len == 0)
        buf_free(&c->rest);
    c->rest_is_whole = false;
}

static void take(struct client *c, slice bytes) {
    uint64_t messages = c->messages_in;
    c->published = false;
    begin_turn(c);
    if (c->rest_is_whole)
        consume_rest(c);
    size_t used = c->rest.len && !c->held ? complete_rest(c, bytes) : 0;
    if (c->rest.len == 0 && c->state != CLIENT_CLOSING)
        used += consume(c, slice_skip(bytes, used));
    if (c->state != CLIENT_CLOSING && used < bytes.len)
        keep_rest(c, slice_skip(bytes, used));
    c->rest_is_whole |= c->held;
    struct pubsub_metrics *m = &c->room->pubsub->metrics;
    metrics_count(c->room->shard->metrics, m->messages_in, c->messages_in - messages);
    push_back(c);
}

void client_hold(struct client *c) {
    check(!c->held);
    c->held = true;
    client_pause(c);
}

/* Reading goes on last: what comes then stands behind `rest`. */
void client_go_on(struct client *c) {
    check(c->held);
    c->held = false;
    if (c->state != CLIENT_CLOSING)
        take(c, (slice){0});
    client_resume(c);
}

void client_take_bytes(struct client *c, slice bytes) {
    if (unlikely(c->state == CLIENT_CLOSING))
        return;
    c->bytes_in += bytes.len;
    c->active_ns = io_loop_wall_ns(c->room->shard->loop);
    c->pings_out = 0;
    metrics_count(c->room->shard->metrics, c->room->pubsub->metrics.bytes_in, bytes.len);
    if (unlikely(c->tls_wanted))
        start_tls(c, bytes);
    else if (unlikely(c->held))
        keep_rest(c, bytes);
    else
        take(c, bytes);
}

static void on_bytes(void *owner, slice bytes) {
    client_take_bytes(owner, bytes);
}

/* --- life --------------------------------------------------------------------------------- */

/* Frees everything but the link. */
static void destroy(struct client *c) {
    struct pubsub_shard *room = c->room;
    struct pubsub *pubsub = room->pubsub;
    c->state = CLIENT_CLOSING;
    client_login_forget(c);
    io_timer_stop(room->shard->loop, &c->timer);
    io_timer_stop(room->shard->loop, &c->again);
    bus_wait_cancel(&c->waiter);
    free_subscriptions(c);
    bus_route_clear(&c->route);
    client_forget_requests(c);
    principal_unref(c->principal);
    list_remove(&c->in_room);
    if (c->in_stalled.next)
        list_remove(&c->in_stalled);
    map64_remove(&room->by_id, c->id);
    buf_free(&c->rest);
    mem_free(c->name);
    mem_free(c->language);
    mem_free(c->version);
    mem_free(c);
    metrics_gauge_add(room->shard->metrics, pubsub->metrics.connections, -1);
    atomic_fetch_sub(&pubsub->connections, 1);
    pubsub_client_gone(room);
}

void client_ended(struct client *c, int failed) {
    logger_write(c->room->pubsub->node->logger, LOG_LEVEL_DEBUG, "nats", "client gone",
                 "cid=%llu reason=%s error=%s", (unsigned long long)c->id,
                 client_reason_text(c->reason), failed ? error_name(failed) : "none");
    destroy(c);
}

static void on_close(void *owner, int reason) {
    client_ended(owner, reason);
}

void client_drop(struct client *c) {
    client_let_go(c);
    client_cut(c);
    destroy(c);
}

/* Too many connections, or none wanted any more: a word and the door. */
static void refuse(struct io_stream *stream, struct client_socket *socket, const char *line) {
    struct client nobody = {.stream = stream, .socket = socket};
    client_let_go(&nobody);
    if (client_write(&nobody, slice_str(line)))
        client_cut(&nobody);
    else
        client_finish(&nobody, CLIENT_SERVER_SHUTDOWN);
}

static struct client *client_new(struct pubsub_shard *room, struct io_stream *stream,
                                 struct client_socket *socket) {
    const struct room_limits *limits = &room->pubsub->node->limits;
    struct client *c = mem_zalloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->id = room->clients_ever * room->shard->node->shards + room->shard->index + 1;
    if (map64_add(&room->by_id, c->id, c))
        return mem_free(c);
    room->clients_ever++;
    c->room = room;
    c->stream = stream;
    c->socket = socket;
    c->below = stream ? stream : http_websocket_stream(socket->ws);
    c->bus = room->shard->bus;
    c->parser = nats_parser_make(NATS_CLIENT);
    c->parser.payload_max = limits->payload_bytes_max;
    c->parser.line_max = limits->line_bytes_max;
    size_t read = socket ? (size_t)limits->payload_bytes_max + LINK_MESSAGE_MAX
                         : 2ul * IO_READ_BYTES; /* what may come at a time */
    c->rest = buf_make((size_t)limits->payload_bytes_max + NATS_JSON_MAX + REST_SLACK + read);
    struct hash_key key;
    io_host_random(room->pubsub->node->host, &key, sizeof key);
    c->subscriptions = map_make(key, limits->subscriptions_max);
    c->waiter.on_room = on_room;
    c->verbose = c->pedantic = c->echo = true;
    c->unlimited = !auth_required(room->auth);
    if (auth_stranger(room->auth)) {
        c->principal = principal_ref(auth_stranger(room->auth));
        c->unlimited = principal_unlimited(c->principal);
        c->responds = principal_describe(c->principal).may_respond;
        c->stranger = true;
    }
    c->started_ns = c->active_ns = io_loop_wall_ns(room->shard->loop);
    c->tls_wanted = stream && room->tls;
    c->tls = socket && socket->tls;
    list_push_back(&room->clients, &c->in_room);
    return c;
}

void client_accept(struct pubsub_shard *room, struct io_stream *stream,
                   struct client_socket *socket) {
    static const struct io_stream_events events = {.on_bytes = on_bytes, .on_close = on_close};
    struct pubsub *pubsub = room->pubsub;
    const struct room_limits *limits = &pubsub->node->limits;
    if (room->draining) {
        refuse(stream, socket, "-ERR 'Server Shutdown'\r\n");
        return;
    }
    if (atomic_fetch_add(&pubsub->connections, 1) >= limits->connections_max) {
        atomic_fetch_sub(&pubsub->connections, 1);
        refuse(stream, socket, "-ERR 'maximum connections exceeded'\r\n");
        return;
    }
    struct client *c = client_new(room, stream, socket);
    if (!c) {
        atomic_fetch_sub(&pubsub->connections, 1);
        refuse(stream, socket, "-ERR 'Out Of Memory'\r\n");
        return;
    }
    metrics_gauge_add(room->shard->metrics, pubsub->metrics.connections, 1);
    metrics_count(room->shard->metrics, pubsub->metrics.connections_total, 1);
    if (stream) {
        io_stream_set_events(stream, &events, c);
        io_stream_set_out_max(stream, limits->pending_bytes_max);
    } else {
        socket->client = c;
    }
    if (!c->tls_wanted || !pubsub->handshake_first)
        client_send_info(c, false);
    if (client_login_required(room) || c->tls_wanted)
        client_arm_auth(c);
    else
        client_arm_ping(c);
}
