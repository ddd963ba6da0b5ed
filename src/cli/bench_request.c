/*
 * bench_request.c - nonet bench request and publish: each message is answered, and its time taken.
 *
 *     request   askers -> server -> answerers (one queue group) -> server -> askers
 *     publish   askers -> server -> a stream of its own, on disk -> acknowledgement
 *
 * Every asker keeps --in-flight requests under way; the last token of the answer's subject says
 * which of them it is. The stream is removed afterwards.
 */
#include "cli/bench.h"

#include "base/number.h"

#include <inttypes.h>
#include <stdio.h>

#define QUEUE "bench"

static void ask(struct bench_member *m, uint64_t flight) {
    struct bench *b = m->bench;
    char reply[BENCH_INBOX_MAX + NUMBER_TEXT_MAX];
    int len = snprintf(reply, sizeof reply, "%s.%" PRIu64, m->inbox, flight);
    const struct nats_client_message message = {
        .subject = slice_str(b->subject),
        .reply = slice_make(reply, (size_t)len),
        .payload = slice_make(m->payload, b->size),
    };
    m->sent_at[flight] = bench_now_ns(m);
    nats_client_publish(m->client, &message);
    m->sent++;
}

static void start_asking(struct bench_member *m) {
    for (uint64_t flight = 0; flight < m->bench->in_flight && m->sent < m->quota; flight++)
        ask(m, flight);
}

static void on_answer(struct bench_member *m, const struct nats_client_message *message) {
    uint64_t flight;
    slice token = slice_skip(message->subject, strlen(m->inbox) + 1);
    if (number_parse_u64(token, &flight) || flight >= m->bench->in_flight) {
        bench_fail(m, "an answer that nobody asked for, on %.*s", slice_fmt(message->subject));
        return;
    }
    if (message->headers.len && !message->payload.len) {
        bench_fail(m, "request %" PRIu64 " found nobody to answer", m->received + 1);
        return;
    }
    if (slice_starts_with(message->payload, slice_lit("{\"error\""))) {
        bench_fail(m, "refused: %.*s", slice_fmt(message->payload));
        return;
    }
    histogram_add(&m->latencies, bench_now_ns(m) - m->sent_at[flight]);
    m->received++;
    if (m->sent < m->quota)
        ask(m, flight);
    bench_count(m, 1);
}

static void listen_to_inbox(struct bench_member *m) {
    char subject[BENCH_INBOX_MAX + 2];
    int len = snprintf(subject, sizeof subject, "%s.*", m->inbox);
    nats_client_subscribe(m->client, 1, slice_make(subject, (size_t)len), (slice){0});
}

static void listen_to_requests(struct bench_member *m) {
    nats_client_subscribe(m->client, 1, slice_str(m->bench->subject), slice_lit(QUEUE));
}

static void on_request(struct bench_member *m, const struct nats_client_message *message) {
    const struct nats_client_message reply = {.subject = message->reply,
                                              .payload = message->payload};
    nats_client_publish(m->client, &reply);
}

static void set_askers(struct bench *b, const char *name) {
    b->roles[0].name = name;
    b->roles[0].ready = listen_to_inbox;
    b->roles[0].start = start_asking;
    b->roles[0].on_message = on_answer;
    b->total = b->messages;
}

int cli_bench_request(const struct cli_call *call) {
    struct bench b;
    int code = bench_read(call, "request", 64, &b);
    if (code)
        return code;
    set_askers(&b, "askers");
    b.unit = "requests";
    b.roles[1].name = "answerers";
    b.roles[1].ready = listen_to_requests;
    b.roles[1].on_message = on_request;
    return bench_run(&b);
}

void bench_set_publish(struct bench *b) {
    char subject[sizeof b->setups[0].subject];
    const char *storage = cli_flag(b->call, "memory") ? "memory" : "file";
    set_askers(b, "publishers");
    b->unit = "acknowledged";
    b->roles[1] = (struct bench_role){.name = NULL};
    snprintf(subject, sizeof subject, "$JS.API.STREAM.CREATE.%s", b->stream);
    bench_add_setup(b, false, subject,
                    "{\"name\":\"%s\",\"subjects\":[\"%s\"],\"retention\":\"limits\","
                    "\"storage\":\"%s\",\"num_replicas\":1}",
                    b->stream, b->subject, storage);
}

void bench_add_removal(struct bench *b) {
    char subject[sizeof b->setups[0].subject];
    snprintf(subject, sizeof subject, "$JS.API.STREAM.DELETE.%s", b->stream);
    bench_add_setup(b, true, subject, "%s", "");
}

int cli_bench_publish(const struct cli_call *call) {
    struct bench b;
    int code = bench_read(call, "publish", 1024, &b);
    if (code)
        return code;
    bench_set_publish(&b);
    bench_add_removal(&b);
    return bench_run(&b);
}
