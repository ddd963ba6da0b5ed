/*
 * bench_consume.c - nonet bench consume: one durable pull consumer, shared by all subscribers.
 *
 * A stream is filled first, which is not measured. Then every subscriber asks for batches of
 * --in-flight messages and acknowledges each; the run is over when every message was delivered.
 */
#include "cli/bench.h"

#include "base/number.h"
#include "wire/nats_headers.h"

#include <inttypes.h>
#include <stdio.h>

#define CONSUMER "bench"
#define ACK_PENDING_MIN 1000u

static void ask_for_batch(struct bench_member *m) {
    char subject[BENCH_NAME_MAX + 64], payload[96];
    int len = snprintf(subject, sizeof subject, "$JS.API.CONSUMER.MSG.NEXT.%s." CONSUMER,
                       m->bench->stream);
    int payload_len =
        snprintf(payload, sizeof payload, "{\"batch\":%" PRIu64 ",\"expires\":5000000000}",
                 m->bench->in_flight);
    const struct nats_client_message message = {
        .subject = slice_make(subject, (size_t)len),
        .reply = slice_str(m->inbox),
        .payload = slice_make(payload, (size_t)payload_len),
    };
    m->sent = 0; /* of this batch */
    nats_client_publish(m->client, &message);
}

/* What is no message: the batch has ended early. */
static void on_status(struct bench_member *m, const struct nats_status *status) {
    if (status->code == 404 || status->code == 408)
        ask_for_batch(m);
    else if (status->code != 100)
        bench_fail(m, "the consumer says %u %.*s", status->code, slice_fmt(status->description));
}

static void on_message(struct bench_member *m, const struct nats_client_message *message) {
    struct nats_status status;
    if (message->headers.len && nats_headers_parse(message->headers, &status) == 0 && status.code) {
        on_status(m, &status);
        return;
    }
    const struct nats_client_message ack = {.subject = message->reply,
                                            .payload = slice_lit("+ACK")};
    nats_client_publish(m->client, &ack);
    if (++m->sent == m->bench->in_flight)
        ask_for_batch(m);
    bench_count(m, 1);
}

static void listen_to_inbox(struct bench_member *m) {
    nats_client_subscribe(m->client, 1, slice_str(m->inbox), (slice){0});
}

static void add_consumer(struct bench *b) {
    char subject[sizeof b->setups[0].subject];
    uint64_t pending = b->in_flight * b->roles[1].count;
    snprintf(subject, sizeof subject, "$JS.API.CONSUMER.DURABLE.CREATE.%s." CONSUMER, b->stream);
    bench_add_setup(b, false, subject,
                    "{\"stream_name\":\"%s\",\"config\":{\"durable_name\":\"" CONSUMER "\","
                    "\"ack_policy\":\"explicit\",\"deliver_policy\":\"all\","
                    "\"max_ack_pending\":%" PRIu64 "}}",
                    b->stream, pending > ACK_PENDING_MIN ? pending : ACK_PENDING_MIN);
}

int cli_bench_consume(const struct cli_call *call) {
    struct bench filling, b;
    int code = bench_read(call, "consume", 256, &b);
    if (code)
        return code;
    filling = b;
    filling.name = "fill";
    filling.quiet = true;
    bench_set_publish(&filling);
    code = bench_run(&filling);
    if (code)
        return code;
    b.unit = "consumed";
    b.total = b.messages;
    b.roles[0] = (struct bench_role){.name = NULL};
    b.roles[1].name = "subscribers";
    b.roles[1].ready = listen_to_inbox;
    b.roles[1].start = ask_for_batch;
    b.roles[1].on_message = on_message;
    add_consumer(&b);
    bench_add_removal(&b);
    return bench_run(&b);
}
