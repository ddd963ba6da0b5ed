/*
 * load_consume.c - a pull consumer that takes --count messages of the stream, --batch at a time,
 * and acknowledges each of them.
 *
 *     pull request -> server -> messages -> PUB +ACK for each, one write per read -> next request
 *
 * With --filter only the messages of that subject are taken; what the server has to pass over is
 * then part of what is measured. The stream must hold enough of them.
 */
#include "nats_load.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ACK_BYTES_MAX 256u

struct taker {
    struct load_client client;
    const struct load_options *options;
    char pull[256];
    size_t pull_len;
    char *out;
    size_t out_len;
    uint64_t taken;
};

static void make_consumer(struct taker *t) {
    const struct load_options *o = t->options;
    char subject[128], config[512];
    snprintf(subject, sizeof subject, "CONSUMER.DURABLE.CREATE.%s.LOAD%d", LOAD_STREAM, getpid());
    snprintf(config, sizeof config,
             "{\"stream_name\":\"%s\",\"config\":{\"durable_name\":\"LOAD%d\","
             "\"deliver_policy\":\"all\",\"ack_policy\":\"explicit\",\"max_ack_pending\":%" PRIu64
             "%s%s%s}}",
             LOAD_STREAM, getpid(), o->batch * 4, o->filter ? ",\"filter_subject\":\"" : "",
             o->filter ? o->filter : "", o->filter ? "\"" : "");
    load_api(&t->client, subject, config);
}

/* One request for a whole batch. */
static void prepare_pull(struct taker *t) {
    char body[96];
    int body_len = snprintf(body, sizeof body, "{\"batch\":%" PRIu64 ",\"expires\":30000000000}",
                            t->options->batch);
    int len = snprintf(t->pull, sizeof t->pull,
                       "PUB $JS.API.CONSUMER.MSG.NEXT.%s.LOAD%d _INBOX.load.pull %d\r\n%s\r\n",
                       LOAD_STREAM, getpid(), body_len, body);
    t->pull_len = (size_t)len;
}

static void flush(struct taker *t) {
    load_send(&t->client, t->out, t->out_len);
    t->out_len = 0;
}

static void acknowledge(struct taker *t, slice reply) {
    if (reply.len + 16 > ACK_BYTES_MAX)
        load_die("a message without a place to acknowledge it: '%.*s'", slice_fmt(reply));
    t->out_len += (size_t)snprintf(t->out + t->out_len, ACK_BYTES_MAX, "PUB %.*s 4\r\n+ACK\r\n",
                                   slice_fmt(reply));
}

static void take_batch(struct taker *t) {
    struct nats_event event;
    load_send(&t->client, t->pull, t->pull_len);
    for (uint64_t left = t->options->batch; left > 0;) {
        if (!load_next(&t->client, t->out_len == 0, &event)) {
            flush(t);
            continue;
        }
        if (!event.reply.len)
            load_die("after %" PRIu64 " messages: %.*s", t->taken, slice_fmt(event.headers));
        acknowledge(t, event.reply);
        t->taken++;
        left--;
    }
    flush(t);
}

void load_consume(const struct load_options *o) {
    struct taker t = {.options = o};
    load_open(&t.client, o->port, "SUB _INBOX.load.* 1\r\n");
    t.out = malloc(o->batch * ACK_BYTES_MAX);
    if (!t.out)
        load_die("no memory");
    make_consumer(&t);
    prepare_pull(&t);
    double cpu = load_cpu(o->pid), begun = load_now();
    while (t.taken < o->count)
        take_batch(&t);
    double elapsed = load_now() - begun;
    cpu = load_cpu(o->pid) - cpu;
    double count = (double)t.taken;
    printf("{\"taken\":%.0f,\"seconds\":%.4f,\"rate\":%.0f,\"cpu_us\":%.4f}\n", count, elapsed,
           count / elapsed, cpu * 1e6 / count);
    load_close(&t.client);
    free(t.out);
}
