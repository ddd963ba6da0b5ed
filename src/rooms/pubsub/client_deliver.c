/*
 * client_deliver.c - messages out to a client: the hot path of the broker.
 *
 * A delivery writes MSG or HMSG straight into the stream's output buffer; the loop sends what a
 * turn has gathered in one system call. A client that does not read is a slow consumer: over its
 * pending bound it is closed at once; with output waiting and nothing accepted by the kernel for
 * write_deadline, by the tick. As with nats-server, a slow consumer is closed without an -ERR.
 *
 * What a client may not have it declines, so that it goes to another member of its queue group and
 * the publisher of a request hears that nobody answers.
 */
#include "base/mem.h"
#include "bus/private.h"
#include "rooms/pubsub/client_link.h"
#include "wire/nats_headers.h"
#include "wire/nats_write.h"

#define STALL_WATCH_BYTES (64u << 10) /* output waiting before the tick looks at a client */

void client_watch_output(struct client *c) {
    if (likely(client_pending(c) <= STALL_WATCH_BYTES) || c->in_stalled.next)
        return;
    c->stalled_since_ns = io_loop_now_ns(c->room->shard->loop);
    c->stalled_accepted = io_stream_accepted(c->below);
    list_push_back(&c->room->stalled, &c->in_stalled);
}

/* A subscriber that does not take headers gets the message without; a bare status says nothing
   without its header and is not sent. Returns whether to deliver. */
static bool strip_headers(const struct client *c, const struct bus_message *m, slice *headers) {
    *headers = c->headers ? m->headers : (slice){0};
    return c->headers || !m->headers.len || m->payload.len;
}

static bool may_receive(const struct client_subscription *cs, const struct bus_message *m) {
    slice route = bus_message_route(m);
    if (unlikely(bus_subject_private(route)))
        return false;
    return likely(!cs->filtered) || principal_may_receive(cs->client->principal, route);
}

/* Clients do not see where the node hears itself; where it asks others they do, to answer. */
static inline slice visible_reply(const struct bus_message *m) {
    bool hidden = unlikely(bus_subject_private(m->reply)) && !bus_subject_inbox(m->reply);
    return hidden ? (slice){0} : m->reply;
}

static void on_message(void *owner, struct bus_subscription *subscription,
                       const struct bus_message *m) {
    struct client_subscription *cs = owner;
    struct client *c = cs->client;
    slice headers = m->headers;
    if (!may_receive(cs, m) || (unlikely(headers.len) && !strip_headers(c, m, &headers))) {
        bus_decline(subscription);
        return;
    }
    slice sid = slice_make(cs->sid, cs->sid_len);
    slice reply = visible_reply(m);
    char *room;
    size_t body = headers.len + m->payload.len;
    if (unlikely(client_reserve(c, nats_message_room(m->subject, sid, reply, body), &room))) {
        client_close(c, CLIENT_SLOW_PENDING, NULL);
        bus_decline(subscription);
        return;
    }
    char *end = headers.len ? nats_put_hmsg(room, m->subject, sid, reply, headers, m->payload)
                            : nats_put_msg(room, m->subject, sid, reply, m->payload);
    client_advance(c, (size_t)(end - room));
    if (unlikely(c->responds) && reply.len)
        client_note_request(c, reply);
    if (unlikely(c->traced))
        client_trace_out(c, m->subject, sid, m->payload);
    c->messages_out++;
    c->bytes_out += body;
    c->room->messages_out++;
    c->room->bytes_out += body;
    client_watch_output(c);
    if (unlikely(++cs->delivered == cs->delivered_max))
        client_end_subscription(cs);
}

const struct bus_receiver client_receiver = {on_message};

void client_check_stalled(struct pubsub_shard *room) {
    uint64_t now = io_loop_now_ns(room->shard->loop);
    struct list_node *at, *following;
    list_each(&room->stalled, at, following) {
        struct client *c = container_of(at, struct client, in_stalled);
        uint64_t accepted = io_stream_accepted(c->below);
        if (client_pending(c) <= STALL_WATCH_BYTES || c->state == CLIENT_CLOSING) {
            list_remove(at);
            *at = (struct list_node){0};
        } else if (accepted != c->stalled_accepted) {
            c->stalled_since_ns = now;
            c->stalled_accepted = accepted;
        } else if (now - c->stalled_since_ns > room->pubsub->node->limits.write_deadline_ns) {
            client_close(c, CLIENT_SLOW_WRITE, NULL);
        }
    }
}
