/*
 * load_ask.c - one connection that sends, waits for answers, and sends again.
 *
 *     service   PUB s _INBOX.load.<flight> -> server -> answerer (a thread) -> server -> here
 *     stream    PUB s _INBOX.load.<flight> -> server, on disk -> PubAck
 *     kv        PUB $KV.BENCH.key.N -> server, on disk -> PubAck; or a direct get of the same key
 *     append    the same number of bytes -> append_server, on disk -> the same number of bytes
 *
 * So many flights are under way at once; an answer lands, and its flight starts again. What answers
 * of one read set off goes out in one write, as a client library would do it.
 */
#include "nats_load.h"

#include "base/number.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LINE_MAX_BYTES 160u
#define LATENCIES_MAX ((size_t)1 << 22)
#define SERVICE_SUBJECT "bench.service"
#define HOT_SUBJECT "bench.hot"

struct asker {
    struct load_client client;
    const struct load_options *options;
    const char *subject;  /* NULL: a subject by number, */
    const char *numbered; /* which begins so */
    char *payload, *out;
    size_t out_len;
    double *sent_at; /* by flight */
    uint64_t sent, answered;
    struct load_times times;
};

static void *take(size_t size) {
    void *memory = calloc(1, size);
    if (!memory)
        load_die("no memory");
    return memory;
}

static void make_asker(struct asker *a, const struct load_options *o, const char *subject) {
    *a = (struct asker){.options = o, .subject = subject, .numbered = "bench."};
    a->payload = take(o->size + 3);
    memset(a->payload, 'x', o->size);
    memcpy(a->payload + o->size, "\r\n", 2);
    a->out = take(o->in_flight * (LINE_MAX_BYTES + o->size + 2));
    a->sent_at = take(o->in_flight * sizeof(double));
    load_times_make(&a->times, o->count < LATENCIES_MAX ? o->count : LATENCIES_MAX);
}

static void free_asker(struct asker *a) {
    load_close(&a->client);
    free(a->payload);
    free(a->out);
    free(a->sent_at);
    free(a->times.us);
}

/* Writes flight number FLIGHT into what goes out next. */
static void ask(struct asker *a, uint64_t flight) {
    const struct load_options *o = a->options;
    char *at = a->out + a->out_len;
    const char *subject = o->hot_every && a->sent % o->hot_every == 0 ? HOT_SUBJECT : a->subject;
    int len = subject
                  ? snprintf(at, LINE_MAX_BYTES, "PUB %s _INBOX.load.%" PRIu64 " %" PRIu64 "\r\n",
                             subject, flight, o->size)
                  : snprintf(at, LINE_MAX_BYTES,
                             "PUB %s%014" PRIu64 " _INBOX.load.%" PRIu64 " %" PRIu64 "\r\n",
                             a->numbered, a->sent % o->subjects, flight, o->size);
    memcpy(at + len, a->payload, o->size + 2);
    a->out_len += (size_t)len + o->size + 2;
    a->sent_at[flight] = load_now();
    a->sent++;
}

static void flush(struct asker *a) {
    load_send(&a->client, a->out, a->out_len);
    a->out_len = 0;
}

/* The last token of the answer's subject. */
static uint64_t flight_of(const struct asker *a, const struct nats_event *event) {
    uint64_t flight;
    size_t prefix = sizeof "_INBOX.load." - 1;
    if (number_parse_u64(slice_skip(event->subject, prefix), &flight) ||
        flight >= a->options->in_flight)
        load_die("an answer on %.*s", slice_fmt(event->subject));
    return flight;
}

static void run(struct asker *a) {
    const struct load_options *o = a->options;
    struct nats_event event;
    for (uint64_t i = 0; i < o->in_flight && i < o->count; i++)
        ask(a, i);
    flush(a);
    while (a->answered < o->count) {
        bool more = load_next(&a->client, a->out_len == 0, &event);
        if (!more) {
            flush(a);
            continue;
        }
        if (!event.payload.len || slice_find_slice(event.payload, slice_lit("\"error\"")) >= 0)
            load_die("answer %" PRIu64 " is a refusal: %.*s", a->answered,
                     slice_fmt(event.payload));
        uint64_t flight = flight_of(a, &event);
        load_times_add(&a->times, load_now() - a->sent_at[flight]);
        a->answered++;
        if (a->sent < o->count)
            ask(a, flight);
    }
}

static void print(struct asker *a, double elapsed, double cpu) {
    double count = (double)a->options->count;
    printf("{\"answered\":%.0f,\"seconds\":%.4f,\"rate\":%.0f,\"cpu_us\":%.4f,", count, elapsed,
           count / elapsed, cpu * 1e6 / count);
    printf("\"p50_us\":%.1f,\"p99_us\":%.1f}\n", load_times_at(&a->times, 0.5),
           load_times_at(&a->times, 0.99));
}

static void measure(struct asker *a) {
    double cpu = load_cpu(a->options->pid), begun = load_now();
    run(a);
    double elapsed = load_now() - begun;
    print(a, elapsed, load_cpu(a->options->pid) - cpu);
}

/* --- service ---------------------------------------------------------------------------------- */

struct answerer {
    struct load_client client;
    const struct load_options *options;
};

static void *answer(void *argument) {
    struct answerer *answerer = argument;
    uint64_t left = answerer->options->count;
    size_t room = answerer->options->in_flight * (LINE_MAX_BYTES + answerer->options->size),
           len = 0;
    char *out = take(room);
    struct nats_event event;
    while (left > 0 || len > 0) {
        if (left == 0 || !load_next(&answerer->client, len == 0, &event)) {
            load_send(&answerer->client, out, len);
            len = 0;
            continue;
        }
        len +=
            (size_t)snprintf(out + len, room - len, "PUB %.*s %zu\r\n%.*s\r\n",
                             slice_fmt(event.reply), event.payload.len, slice_fmt(event.payload));
        left--;
    }
    free(out);
    return NULL;
}

void load_ask_service(const struct load_options *o) {
    struct asker a;
    struct answerer answerer = {.options = o};
    pthread_t thread;
    make_asker(&a, o, SERVICE_SUBJECT);
    load_open(&answerer.client, o->port, "SUB " SERVICE_SUBJECT " 1\r\n");
    load_open(&a.client, o->port, "SUB _INBOX.load.* 1\r\n");
    if (pthread_create(&thread, NULL, answer, &answerer) != 0)
        load_die("no thread for the answerer");
    measure(&a);
    pthread_join(thread, NULL);
    load_close(&answerer.client);
    free_asker(&a);
}

/* --- stream ----------------------------------------------------------------------------------- */

void load_ask_stream(const struct load_options *o) {
    static const char config[] = "{\"name\":\"" LOAD_STREAM "\",\"subjects\":[\"bench.>\"],"
                                 "\"retention\":\"limits\",\"storage\":\"file\","
                                 "\"num_replicas\":1,\"max_msgs\":-1,\"max_bytes\":-1}";
    struct asker a;
    make_asker(&a, o, o->subjects > 1 ? NULL : "bench.stream");
    load_open(&a.client, o->port, "SUB _INBOX.load.* 1\r\n");
    load_api(&a.client, "STREAM.CREATE." LOAD_STREAM, config);
    measure(&a);
    free_asker(&a);
}

/* --- key and value ---------------------------------------------------------------------------- */

#define KV_STREAM "KV_" LOAD_STREAM
#define KV_KEYS "$KV." LOAD_STREAM ".key."

/* A bucket as the official clients make it: one value a key, read by direct gets. */
static void open_bucket(struct asker *a) {
    static const char config[] =
        "{\"name\":\"" KV_STREAM "\",\"subjects\":[\"$KV." LOAD_STREAM ".>\"],"
        "\"retention\":\"limits\",\"storage\":\"file\",\"num_replicas\":1,"
        "\"max_msgs_per_subject\":1,\"discard\":\"new\",\"max_msgs\":-1,\"max_bytes\":-1,"
        "\"deny_delete\":true,\"allow_rollup_hdrs\":true,\"allow_direct\":true}";
    load_open(&a->client, a->options->port, "SUB _INBOX.load.* 1\r\n");
    load_api(&a->client, "STREAM.CREATE." KV_STREAM, config);
}

void load_ask_kv_put(const struct load_options *o) {
    struct asker a;
    make_asker(&a, o, NULL);
    a.numbered = KV_KEYS;
    open_bucket(&a);
    measure(&a);
    free_asker(&a);
}

/* Of keys that have been put. */
void load_ask_kv_get(const struct load_options *o) {
    struct load_options empty = *o;
    struct asker a;
    empty.size = 0;
    make_asker(&a, &empty, NULL);
    a.numbered = "$JS.API.DIRECT.GET." KV_STREAM "." KV_KEYS;
    open_bucket(&a);
    measure(&a);
    free_asker(&a);
}

/* --- append ----------------------------------------------------------------------------------- */

/* What the same publish puts on the wire, and what its acknowledgement takes there. */
void load_ask_append(const struct load_options *o) {
    struct asker a;
    char answer_bytes[LINE_MAX_BYTES];
    make_asker(&a, o, "bench.stream");
    if (!load_try_dial(&a.client, o->port))
        load_die("nobody answers on port %u", o->port);
    double cpu = load_cpu(o->pid), begun = load_now();
    for (a.answered = 0; a.answered < o->count; a.answered++) {
        double sent_at = load_now();
        load_send(&a.client, a.payload, o->size);
        for (size_t got = 0; got < LOAD_APPEND_ANSWER;) {
            ssize_t n = read(a.client.fd, answer_bytes, LOAD_APPEND_ANSWER - got);
            if (n <= 0)
                load_die("append_server closed the connection");
            got += (size_t)n;
        }
        load_times_add(&a.times, load_now() - sent_at);
    }
    double elapsed = load_now() - begun;
    print(&a, elapsed, load_cpu(o->pid) - cpu);
    free_asker(&a);
}
