/* load_client.c - see load_client.h. */
#include "load_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define READ_BYTES ((size_t)256 << 10)
#define PAYLOAD_MAX (64u << 20)

void load_die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

/* --- connection ------------------------------------------------------------------------------- */

void load_raise_descriptors(uint64_t wanted) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        load_die("getrlimit: %s", strerror(errno));
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < wanted)
        load_die("%" PRIu64 " descriptors are needed and %" PRIu64 " allowed (ulimit -n)", wanted,
                 (uint64_t)limit.rlim_cur);
}

bool load_try_dial(struct load_client *c, unsigned port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1;
    *c = (struct load_client){.parser = nats_parser_make(NATS_SERVER)};
    c->parser.payload_max = PAYLOAD_MAX;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        load_die("socket: %s", strerror(errno));
    if (connect(c->fd, (struct sockaddr *)&to, sizeof to) == 0 &&
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0)
        return true;
    close(c->fd);
    return false;
}

void load_send(struct load_client *c, const char *bytes, size_t size) {
    while (size > 0) {
        ssize_t sent = write(c->fd, bytes, size);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            load_die("write: %s", strerror(errno));
        bytes += sent;
        size -= (size_t)sent;
    }
}

/* Reads once, behind what is there. False at the end of the connection. */
static bool fill(struct load_client *c) {
    if (c->from > 0) {
        memmove(c->bytes, c->bytes + c->from, c->to - c->from);
        c->to -= c->from;
        c->from = 0;
    }
    if (c->room - c->to < READ_BYTES) {
        c->room = c->room ? c->room * 2 : 2 * READ_BYTES;
        c->bytes = realloc(c->bytes, c->room);
        if (!c->bytes)
            load_die("no memory");
    }
    ssize_t got;
    do
        got = read(c->fd, c->bytes + c->to, c->room - c->to);
    while (got < 0 && errno == EINTR);
    if (got <= 0)
        return false;
    c->to += (size_t)got;
    return true;
}

/* The next event of any kind; 0 where none is whole. */
static bool parse(struct load_client *c, struct nats_event *ret_event) {
    size_t consumed;
    slice input = slice_make(c->bytes + c->from, c->to - c->from);
    int result = nats_parse(&c->parser, input, ret_event, &consumed);
    if (result < 0)
        load_die("the server does not speak NATS: %s",
                 nats_error_detail((enum nats_error)c->parser.error));
    if (result == 1)
        c->from += consumed;
    return result == 1;
}

static bool await(struct load_client *c, enum nats_kind kind) {
    struct nats_event event;
    for (;;) {
        while (parse(c, &event)) {
            if (event.kind == kind)
                return true;
            if (event.kind == NATS_ERR)
                load_die("the server says %.*s", slice_fmt(event.payload));
        }
        if (!fill(c))
            return false;
    }
}

bool load_try_open(struct load_client *c, unsigned port, const char *commands) {
    static const char hello[] = "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,"
                                "\"no_responders\":true}\r\n";
    if (!load_try_dial(c, port))
        return false;
    if (await(c, NATS_INFO)) {
        load_send(c, hello, sizeof hello - 1);
        load_send(c, commands, strlen(commands));
        load_send(c, "PING\r\n", 6);
        if (await(c, NATS_PONG))
            return true;
    }
    load_close(c);
    return false;
}

void load_open(struct load_client *c, unsigned port, const char *commands) {
    if (!load_try_open(c, port, commands))
        load_die("nobody serves NATS on port %u", port);
}

void load_close(struct load_client *c) {
    close(c->fd);
    free(c->bytes);
    c->bytes = NULL;
}

bool load_next(struct load_client *c, bool wait, struct nats_event *ret_event) {
    for (;;) {
        while (parse(c, ret_event)) {
            if (ret_event->kind == NATS_MSG || ret_event->kind == NATS_HMSG)
                return true;
            if (ret_event->kind == NATS_PING)
                load_send(c, "PONG\r\n", 6);
            if (ret_event->kind == NATS_ERR)
                load_die("the server says %.*s", slice_fmt(ret_event->payload));
        }
        if (!wait)
            return false;
        if (!fill(c))
            load_die("the server closed the connection");
    }
}

slice load_request(struct load_client *c, const char *subject, const char *payload) {
    char head[512];
    struct nats_event answer;
    size_t size = strlen(payload);
    int len = snprintf(head, sizeof head, "PUB %s _INBOX.load.x %zu\r\n", subject, size);
    load_send(c, head, (size_t)len);
    load_send(c, payload, size);
    load_send(c, "\r\n", 2);
    load_next(c, true, &answer);
    if (answer.headers.len && !answer.payload.len)
        load_die("nobody answers on %s", subject);
    return answer.payload;
}

void load_api(struct load_client *c, const char *name, const char *payload) {
    char subject[300];
    snprintf(subject, sizeof subject, "$JS.API.%s", name);
    slice answer = load_request(c, subject, payload);
    if (slice_find_slice(answer, slice_lit("\"error\"")) >= 0)
        load_die("%s: %.*s", subject, slice_fmt(answer));
}

/* --- figures ---------------------------------------------------------------------------------- */

static double seconds(struct timespec t) {
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double load_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return seconds(t);
}

double load_cpu(pid_t pid) {
    clockid_t clock;
    struct timespec t;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
        load_die("no CPU time of process %d", (int)pid);
    return seconds(t);
}

uint64_t load_resident_bytes(pid_t pid) {
    char path[64], line[256];
    unsigned long long kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *status = fopen(path, "r");
    while (status && fgets(line, sizeof line, status) && sscanf(line, "VmRSS: %llu", &kib) != 1)
        continue;
    if (status)
        fclose(status);
    if (kib == 0)
        load_die("no resident size of process %d", (int)pid);
    return kib << 10;
}

void load_times_make(struct load_times *times, size_t room) {
    *times = (struct load_times){.us = calloc(room, sizeof *times->us), .room = room};
    if (!times->us)
        load_die("no memory for %zu latencies", room);
}

void load_times_add(struct load_times *times, double elapsed) {
    if (times->count < times->room)
        times->us[times->count++] = (float)(elapsed * 1e6);
}

static int compare(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

double load_times_at(struct load_times *times, double part) {
    if (!times->count)
        return 0;
    qsort(times->us, times->count, sizeof *times->us, compare);
    return times->us[(size_t)((double)(times->count - 1) * part)];
}
