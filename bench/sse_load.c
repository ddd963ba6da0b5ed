/*
 * sse_load.c - many subscribers of server-sent events, one publisher, and what arrives.
 *
 *     sse_load --port P --path /live --clients N --nats-port Q --subject S --rate R --seconds T
 *
 * prints {"expected":..,"delivered":..,"p50_us":..,"p99_us":..}. Every message holds one '#' and
 * the moment it was sent, so a delivery is a '#' in what a subscriber reads; its age is taken for
 * one in SAMPLE of them. One thread: it publishes when it is time to, and reads in between.
 */
#include "load_client.h"

#include "base/number.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define SAMPLE 97u
#define SAMPLES_MAX (1u << 20)
#define READ_BYTES (256u << 10)
#define EVENTS 512
#define DRAIN_SECONDS 10.0

struct options {
    uint64_t port, clients, nats_port, rate, seconds;
    const char *path, *subject;
};

struct run {
    const struct options *options;
    struct load_client *clients, publisher;
    struct load_times times;
    int epoll;
    uint64_t published, delivered, seen;
    char bytes[READ_BYTES];
};

static uint64_t number_of(const char *text) {
    uint64_t number;
    if (number_parse_u64(slice_str(text), &number))
        load_die("'%s' is no number", text);
    return number;
}

static struct options read_options(int argc, char **argv) {
    struct options o = {.path = "/", .subject = "bench", .rate = 100, .seconds = 5, .clients = 1};
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--path") == 0)
            o.path = argv[i + 1];
        else if (strcmp(argv[i], "--subject") == 0)
            o.subject = argv[i + 1];
        else if (strcmp(argv[i], "--port") == 0)
            o.port = number_of(argv[i + 1]);
        else if (strcmp(argv[i], "--nats-port") == 0)
            o.nats_port = number_of(argv[i + 1]);
        else if (strcmp(argv[i], "--clients") == 0)
            o.clients = number_of(argv[i + 1]);
        else if (strcmp(argv[i], "--rate") == 0)
            o.rate = number_of(argv[i + 1]);
        else if (strcmp(argv[i], "--seconds") == 0)
            o.seconds = number_of(argv[i + 1]);
        else
            load_die("unknown option %s", argv[i]);
    }
    if (!o.port || !o.nats_port || !o.clients || !o.rate)
        load_die("--port, --nats-port, --clients and --rate are needed");
    return o;
}

static void raise_descriptors(uint64_t wanted) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        load_die("getrlimit: %s", strerror(errno));
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < wanted)
        load_die("%" PRIu64 " descriptors are needed and %" PRIu64 " allowed (ulimit -n)", wanted,
                 (uint64_t)limit.rlim_cur);
}

/* Asks, and reads the head of the answer, so that the subscription stands. */
static void subscribe(struct run *run, struct load_client *client) {
    const struct options *o = run->options;
    char text[512];
    int len = snprintf(text, sizeof text,
                       "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n",
                       o->path);
    if (!load_try_dial(client, (unsigned)o->port))
        load_die("nobody listens on port %" PRIu64, o->port);
    load_send(client, text, (size_t)len);
    ssize_t got = read(client->fd, run->bytes, sizeof run->bytes - 1);
    if (got <= 0 || strncmp(run->bytes, "HTTP/1.1 200", 12) != 0)
        load_die("%s is not answered with 200", o->path);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    if (epoll_ctl(run->epoll, EPOLL_CTL_ADD, client->fd, &event) != 0)
        load_die("epoll_ctl: %s", strerror(errno));
}

/* "#123456789;": microseconds of the moment it was sent. */
static void take(struct run *run, const char *bytes, size_t len) {
    for (const char *at = bytes, *end = bytes + len;
         (at = memchr(at, '#', (size_t)(end - at))) != NULL; at++) {
        run->delivered++;
        if (++run->seen % SAMPLE || run->times.count == run->times.room)
            continue;
        const char *stop = memchr(at, ';', (size_t)(end - at));
        uint64_t us;
        if (stop && number_parse_u64(slice_make(at + 1, (size_t)(stop - at - 1)), &us) == 0)
            load_times_add(&run->times, load_now() - (double)us * 1e-6);
    }
}

static void read_some(struct run *run, int wait_ms) {
    struct epoll_event events[EVENTS];
    int count = epoll_wait(run->epoll, events, EVENTS, wait_ms);
    for (int i = 0; i < count; i++) {
        struct load_client *client = events[i].data.ptr;
        ssize_t got = read(client->fd, run->bytes, sizeof run->bytes);
        if (got <= 0)
            load_die("a subscriber was cut off");
        take(run, run->bytes, (size_t)got);
    }
}

static void publish(struct run *run) {
    char payload[64], line[512];
    int size =
        snprintf(payload, sizeof payload, "#%" PRIu64 ";%040d", (uint64_t)(load_now() * 1e6), 0);
    int len =
        snprintf(line, sizeof line, "PUB %s %d\r\n%s\r\n", run->options->subject, size, payload);
    load_send(&run->publisher, line, (size_t)len);
    run->published++;
}

static void drive(struct run *run) {
    const struct options *o = run->options;
    double start = load_now(), end = start + (double)o->seconds;
    uint64_t wanted = o->rate * o->seconds;
    while (run->published < wanted) {
        double due = start + (double)run->published / (double)o->rate;
        double now = load_now();
        if (now >= due)
            publish(run);
        else
            read_some(run, due - now > 0.002 ? 1 : 0);
    }
    while (run->delivered < wanted * o->clients && load_now() < end + DRAIN_SECONDS)
        read_some(run, 10);
}

int main(int argc, char **argv) {
    struct options options = read_options(argc, argv);
    struct run *run = calloc(1, sizeof *run);
    struct load_client *clients = calloc(options.clients, sizeof *clients);
    if (!run || !clients)
        load_die("no memory");
    run->options = &options;
    run->clients = clients;
    run->epoll = epoll_create1(EPOLL_CLOEXEC);
    raise_descriptors(options.clients + 100);
    load_times_make(&run->times, SAMPLES_MAX);
    for (uint64_t i = 0; i < options.clients; i++)
        subscribe(run, &clients[i]);
    load_open(&run->publisher, (unsigned)options.nats_port, "");
    drive(run);
    printf("{\"expected\":%" PRIu64 ",\"delivered\":%" PRIu64 ",\"p50_us\":%.0f,\"p99_us\":%.0f}\n",
           run->published * options.clients, run->delivered, load_times_at(&run->times, 0.5),
           load_times_at(&run->times, 0.99));
    return 0;
}
