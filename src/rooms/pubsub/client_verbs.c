/*
 * client_verbs.c - what a client asks for: PUB, SUB, UNSUB, PING.
 *
 * Texts of -ERR and which of them leave the connection open are nats-server's (checked against
 * 2.9.10): permissions and bad subjects leave it open, protocol breaches close it.
 */
#include "base/mem.h"
#include "bus/private.h"
#include "bus/stream_subjects.h"
#include "bus/streams.h"
#include "rooms/pubsub/client.h"
#include "wire/nats_headers.h"
#include "wire/nats_subject.h"
#include "wire/nats_write.h"

#include <errno.h>

#define OK_LINE "+OK\r\n"
#define PONG_LINE "PONG\r\n"
#define NO_RESPONDERS "NATS/1.0 503\r\n\r\n"

/* Each token of a subject may cost a node of the index (index.h), so what a client may hold is
   bounded by tokens, too: so many for each subscription, on average. */
#define TOKENS_PER_SUBSCRIPTION 16u
#define TOKENS_BASE (64u << 10)
#define ACK_PREFIX "$JS.ACK."

static void confirm(struct client *c) {
    if (c->verbose)
        client_send(c, slice_lit(OK_LINE));
}

/* --- PUB ---------------------------------------------------------------------------------- */

static bool is_of_view(const struct client *c, slice subject) {
    return bus_subject_of_view(subject) && c->room->pubsub->node->views;
}

/* The node's own subjects never, but for those it waits for answers at (bus/private.h). */
static bool may_publish_to(const struct client *c, slice subject) {
    if ((bus_subject_private(subject) && !bus_subject_inbox(subject)) || is_of_view(c, subject))
        return false;
    return c->unlimited || principal_may_publish(c->principal, bus_subject_public(subject));
}

/* Whoever answers a request, the node included, publishes to its reply with rights of his own. So
   what a user may neither publish nor hear must not be named there, and where the node takes orders
   it does not suffice to hear. */
static bool may_be_answered(const struct client *c, slice reply) {
    if (slice_starts_with(reply, slice_lit(ACK_PREFIX)) || is_of_view(c, reply))
        return false;
    return may_publish_to(c, reply) || (!stream_subject_takes_orders(reply) &&
                                        principal_may_subscribe(c->principal, reply, (slice){0}));
}

/* Like every acknowledgement, one that a message carries in its headers (bus/publish_acks.h) needs
   the right to publish to the subject it names. */
static bool may_acknowledge(struct client *c, slice headers) {
    struct nats_status status;
    struct nats_field field;
    if (slice_find_slice(headers, slice_lit(STREAMS_ACK_FIELD)) < 0)
        return true; /* most have none: the block is not taken apart for that */
    if (nats_headers_parse(headers, &status))
        return true;
    while (nats_headers_next(&status.fields, &field)) {
        if (!slice_equal(field.key, slice_lit(STREAMS_ACK_FIELD)) ||
            may_publish_to(c, field.value) || client_may_respond(c, field.value))
            continue;
        client_error(c, "Permissions Violation for Publish to \"%.*s\"", slice_fmt(field.value));
        return false;
    }
    return true;
}

static bool may_publish(struct client *c, const struct nats_event *event) {
    if (c->pedantic && !nats_subject_literal(event->subject))
        client_error(c, "Invalid Publish Subject"); /* a remark: it is published all the same */
    if (!may_publish_to(c, event->subject) && !client_may_respond(c, event->subject)) {
        client_error(c, "Permissions Violation for Publish to \"%.*s\"", slice_fmt(event->subject));
        return false;
    }
    if (event->reply.len && !may_be_answered(c, event->reply)) {
        client_error(c, "Permissions Violation for Publish with Reply of \"%.*s\"",
                     slice_fmt(event->reply));
        return false;
    }
    return !event->headers.len || may_acknowledge(c, event->headers);
}

/* "No responders": the request reached nobody, and the client wants to know at once. */
static void tell_no_responders(struct client *c, const struct nats_event *event) {
    struct bus_message status = {
        .subject = event->reply,
        .headers = slice_lit(NO_RESPONDERS),
    };
    bus_publish(c->bus, &status, NULL, NULL);
}

/* Some subject of the node's own begins with it. */
static bool may_be_reserved(char first) {
    return first == '_' || first == 'v';
}

void client_publish(struct client *c, const struct nats_event *event) {
    c->messages_in++;
    c->published = true;
    if (unlikely(event->kind == NATS_HPUB && !c->headers)) {
        client_close(c, CLIENT_PROTOCOL_ERROR, "message headers not supported");
        return;
    }
    bool plain =
        c->unlimited && !c->pedantic && !may_be_reserved(event->subject.ptr[0]) &&
        !(event->reply.len && (may_be_reserved(event->reply.ptr[0]) || event->reply.ptr[0] == '$'));
    if (unlikely(!plain) && !may_publish(c, event))
        return;
    confirm(c);
    struct bus_message message = {.subject = event->subject,
                                  .reply = event->reply,
                                  .headers = event->headers,
                                  .payload = event->payload};
    if (unlikely(event->subject.ptr[0] == '$') && system_request(c, &message))
        return;
    unsigned receivers = bus_publish(c->bus, &message, c->echo ? NULL : c, &c->route);
    if (unlikely(receivers == 0) && c->no_responders && event->reply.len)
        tell_no_responders(c, event);
}

/* --- SUB, UNSUB --------------------------------------------------------------------------- */

void client_end_subscription(struct client_subscription *cs) {
    struct client *c = cs->client;
    const void *removed = map_remove(&c->subscriptions, slice_make(cs->sid, cs->sid_len));
    check(removed == cs);
    c->subscribed_tokens -= nats_subject_tokens(bus_subscription_subject(cs->subscription));
    bus_unsubscribe(c->bus, cs->subscription);
    c->interest_changed = true;
    mem_free(cs);
}

static struct client_subscription *subscription_new(struct client *c, slice sid) {
    struct client_subscription *cs = mem_zalloc(1, sizeof *cs + sid.len);
    if (!cs)
        return NULL;
    cs->client = c;
    cs->sid_len = (uint16_t)sid.len;
    memcpy(cs->sid, sid.ptr, sid.len);
    return cs;
}

static bool may_subscribe(struct client *c, const struct nats_event *event) {
    slice queue = nats_event_queue(event);
    if (c->unlimited || principal_may_subscribe(c->principal, event->subject, queue))
        return true;
    if (queue.len)
        client_error(c, "Permissions Violation for Subscription to \"%.*s\" using queue \"%.*s\"",
                     slice_fmt(event->subject), slice_fmt(queue));
    else
        client_error(c, "Permissions Violation for Subscription to \"%.*s\"",
                     slice_fmt(event->subject));
    return false;
}

static bool has_tokens_left(const struct client *c, size_t tokens) {
    uint64_t subscriptions_max = c->room->pubsub->node->limits.subscriptions_max;
    return c->subscribed_tokens + tokens <=
           TOKENS_BASE + TOKENS_PER_SUBSCRIPTION * subscriptions_max;
}

void client_subscribe(struct client *c, const struct nats_event *event) {
    if (!nats_subject_valid(event->subject) || bus_subject_private(event->subject)) {
        client_error(c, "Invalid Subject");
        return;
    }
    if (!may_subscribe(c, event))
        return;
    if (map_find(&c->subscriptions, event->sid)) { /* a known sid is left as it is */
        confirm(c);
        return;
    }
    size_t tokens = nats_subject_tokens(event->subject);
    if (!has_tokens_left(c, tokens)) {
        client_error(c, "maximum subscriptions exceeded");
        return;
    }
    struct client_subscription *cs = subscription_new(c, event->sid);
    int failed = cs ? map_add(&c->subscriptions, slice_make(cs->sid, cs->sid_len), cs) : -ENOMEM;
    if (failed == 0) {
        failed = bus_subscribe(c->bus, event->subject, nats_event_queue(event), &client_receiver,
                               cs, c, &cs->subscription);
        if (failed)
            map_remove(&c->subscriptions, slice_make(cs->sid, cs->sid_len));
    }
    if (failed) {
        mem_free(cs);
        if (failed == -ENOBUFS)
            client_error(c, "maximum subscriptions exceeded");
        else
            client_close(c, CLIENT_NO_MEMORY, NULL);
        return;
    }
    c->subscribed_tokens += tokens;
    cs->filtered = !c->unlimited && principal_filters(c->principal, event->subject);
    c->interest_changed = true;
    confirm(c);
}

void client_unsubscribe(struct client *c, const struct nats_event *event) {
    struct client_subscription *cs = map_find(&c->subscriptions, event->sid);
    if (cs && event->max > cs->delivered)
        cs->delivered_max = event->max;
    else if (cs)
        client_end_subscription(cs);
    confirm(c);
}

/* --- PING, PONG --------------------------------------------------------------------------- */

static void begin_fence(struct client *c, unsigned pongs);

static void on_fenced(void *self, uint64_t id) {
    struct pubsub_shard *room = self;
    struct client *c = map64_find(&room->by_id, id);
    if (!c)
        return;
    check(c->pongs_owed > 0);
    for (; c->pongs_owed > 0; c->pongs_owed--)
        client_send(c, slice_lit(PONG_LINE));
    if (c->pongs_after > 0 && c->state != CLIENT_CLOSING)
        begin_fence(c, c->pongs_after);
}

static void begin_fence(struct client *c, unsigned pongs) {
    c->interest_changed = false;
    c->pongs_owed = pongs;
    c->pongs_after = 0;
    if (bus_fence(c->bus, on_fenced, c->room, c->id))
        client_close(c, CLIENT_NO_MEMORY, NULL);
}

/* PONG says that everything before PING has taken effect, on all shards. A client has one fence
   under way at most; what it asks behind changes made since then waits for the next. */
void client_ping(struct client *c) {
    bool fresh = c->interest_changed || c->pongs_after > 0;
    if (c->pongs_owed > 0)
        ++*(fresh ? &c->pongs_after : &c->pongs_owed);
    else if (fresh)
        begin_fence(c, 1);
    else
        client_send(c, slice_lit(PONG_LINE));
}

void client_pong(struct client *c) {
    if (c->ping_sent_ns)
        c->round_trip_ns = io_loop_now_ns(c->room->shard->loop) - c->ping_sent_ns;
    c->ping_sent_ns = 0;
    c->pings_out = 0;
}
