/*
 * client_trace.c - the protocol in the log, at its level trace: what comes (<<-) and goes (->>).
 *
 * Whether a client is traced is looked at once for each time it is read from, so that a node that
 * traces nothing pays nothing. CONNECT is told without its content, which holds secrets; payloads
 * are cut to TRACED_BYTES_MAX.
 */
#include "rooms/pubsub/client.h"

#include <stdio.h>

#define TRACED_BYTES_MAX 256u
#define LINE_MAX 512u

static void trace(const struct client *c, const char *line) {
    logger_write(c->room->pubsub->node->logger, LOG_LEVEL_TRACE, "nats", line, "cid=%llu peer=%s",
                 (unsigned long long)c->id, io_stream_peer(c->below));
}

static void trace_payload(const struct client *c, const char *way, slice payload) {
    char line[LINE_MAX];
    snprintf(line, sizeof line, "%s MSG_PAYLOAD: [\"%.*s\"]", way,
             slice_fmt(slice_take(payload, TRACED_BYTES_MAX)));
    trace(c, line);
}

void client_trace_in(const struct client *c, const struct nats_event *event) {
    static const char *const verbs[] = {
        [NATS_PUB] = "PUB",        [NATS_HPUB] = "HPUB", [NATS_SUB] = "SUB",
        [NATS_UNSUB] = "UNSUB",    [NATS_PING] = "PING", [NATS_PONG] = "PONG",
        [NATS_CONNECT] = "CONNECT"};
    char line[LINE_MAX];
    bool publishes = event->kind == NATS_PUB || event->kind == NATS_HPUB;
    if (publishes)
        snprintf(line, sizeof line, "<<- [%s %.*s %.*s%s%zu]", verbs[event->kind],
                 slice_fmt(slice_take(event->subject, 200)),
                 slice_fmt(slice_take(event->reply, 200)), event->reply.len ? " " : "",
                 event->headers.len + event->payload.len);
    else if (event->kind == NATS_SUB || event->kind == NATS_UNSUB)
        snprintf(line, sizeof line, "<<- [%s %.*s%s%.*s]", verbs[event->kind],
                 slice_fmt(slice_take(event->subject, 200)), event->subject.len ? " " : "",
                 slice_fmt(slice_take(event->sid, 64)));
    else
        snprintf(line, sizeof line, "<<- [%s]", verbs[event->kind]);
    trace(c, line);
    if (publishes && event->payload.len)
        trace_payload(c, "<<-", event->payload);
}

void client_trace_out(const struct client *c, slice subject, slice sid, slice payload) {
    char line[LINE_MAX];
    snprintf(line, sizeof line, "->> [MSG %.*s %.*s %zu]", slice_fmt(slice_take(subject, 300)),
             slice_fmt(slice_take(sid, 64)), payload.len);
    trace(c, line);
    if (payload.len)
        trace_payload(c, "->>", payload);
}
