/*
 * append_load.c - appends over HTTP, one at a time a connection, each to an event stream of its
 * own.
 *
 *     append_load PORT TOKEN CONNECTIONS SECONDS BODY        {"rate":..,"p50":..,"p99":..} (ms)
 *
 *     POST /v1/streams/bench-RUN-NUMBER     expect and events are BODY's
 *
 * One thread, prebuilt requests, epoll; an answer is its head's first line and as many bytes as its
 * Content-Length says. Whatever is not a 201 ends the program: a rate of refusals is worthless. The
 * first tenth of the time is not counted.
 */
#include "load_client.h"

#include "base/number.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define CONNECTIONS_MAX 10000u
#define REQUEST_MAX 4096u
#define ANSWER_MAX 4096u
#define EVENTS_MAX 256
#define TIMES_MAX ((size_t)1 << 22)
#define WARM_PART 0.1

struct connection {
    struct load_client client;
    double asked_at;
    size_t got;
    char answer[ANSWER_MAX];
};

struct load {
    const char *token, *body;
    uint64_t asked, counted;
    double begun, counted_from, until;
    struct load_times times;
};

static void ask(struct load *l, struct connection *c) {
    char request[REQUEST_MAX];
    int len =
        snprintf(request, sizeof request,
                 "POST /v1/streams/bench-%d-%llu HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                 "Authorization: Bearer %s\r\nContent-Type: application/json\r\n"
                 "Content-Length: %zu\r\n\r\n%s",
                 getpid(), (unsigned long long)l->asked++, l->token, strlen(l->body), l->body);
    if (len < 0 || (size_t)len >= sizeof request)
        load_die("the body is too long");
    c->got = 0;
    c->asked_at = load_now();
    load_send(&c->client, request, (size_t)len);
}

/* The whole answer has come. */
static bool is_answered(const struct connection *c) {
    slice head = slice_make(c->answer, c->got);
    ptrdiff_t end = slice_find_slice(head, slice_lit("\r\n\r\n"));
    if (end < 0)
        return false;
    head = slice_take(head, (size_t)end + 2);
    const slice key = slice_lit("\r\nContent-Length: ");
    ptrdiff_t at = slice_find_slice(head, key);
    uint64_t length;
    if (!slice_starts_with(head, slice_lit("HTTP/1.1 201 ")) || at < 0 ||
        number_parse_u64(slice_cut(slice_skip(head, (size_t)at + key.len), '\r', &(slice){0}),
                         &length))
        load_die("an append is answered: %.*s", slice_fmt(slice_make(c->answer, c->got)));
    return c->got >= (size_t)end + 4 + length;
}

static void take(struct load *l, struct connection *c) {
    ssize_t n = read(c->client.fd, c->answer + c->got, sizeof c->answer - c->got);
    if (n <= 0)
        load_die("the node closed a connection: %s", n ? strerror(errno) : "end");
    c->got += (size_t)n;
    if (!is_answered(c))
        return;
    double now = load_now();
    if (now >= l->counted_from) {
        l->counted++;
        load_times_add(&l->times, now - c->asked_at);
    }
    ask(l, c);
}

static void run(struct load *l, struct connection *connections, uint64_t count) {
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    for (uint64_t i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connections[i]};
        if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, connections[i].client.fd, &event) != 0)
            load_die("epoll: %s", strerror(errno));
        ask(l, &connections[i]);
    }
    while (load_now() < l->until) {
        struct epoll_event events[EVENTS_MAX];
        int ready = epoll_wait(epoll, events, EVENTS_MAX, 1000);
        for (int i = 0; i < ready; i++)
            take(l, events[i].data.ptr);
    }
    close(epoll);
}

int main(int argc, char **argv) {
    uint64_t port, count, seconds;
    if (argc != 6 || number_parse_u64(slice_str(argv[1]), &port) || port > 65535 ||
        number_parse_u64(slice_str(argv[3]), &count) || !count || count > CONNECTIONS_MAX ||
        number_parse_u64(slice_str(argv[4]), &seconds) || !seconds)
        load_die("usage: append_load PORT TOKEN CONNECTIONS SECONDS BODY");
    struct load l = {.token = argv[2], .body = argv[5]};
    struct connection *connections = calloc(count, sizeof *connections);
    if (!connections)
        load_die("no memory");
    load_raise_descriptors(count + 100);
    load_times_make(&l.times, TIMES_MAX);
    for (uint64_t i = 0; i < count; i++)
        if (!load_try_dial(&connections[i].client, (unsigned)port))
            load_die("nobody answers on port %u", (unsigned)port);
    l.begun = load_now();
    l.until = l.begun + (double)seconds;
    l.counted_from = l.begun + (double)seconds * WARM_PART;
    run(&l, connections, count);
    double rate = (double)l.counted / (load_now() - l.counted_from);
    printf("{\"rate\":%.0f,\"p50\":%.4f,\"p99\":%.4f}\n", rate, load_times_at(&l.times, 0.5) / 1e3,
           load_times_at(&l.times, 0.99) / 1e3);
    return 0;
}
