/*
 * io_copy.c - what a relay of bytes costs on io's loop, beside a bare epoll loop.
 *
 *     sender thread --64-byte messages, in batches--> relay (measured) --> receiver thread
 *     asker         --------one message-------------> relay (measured) --> asker
 *
 * The relay echoes one connection without looking at the bytes; both copy them once from what was
 * read to what is sent, as every broker must. It is a child process, so that its
 * CPU time is its own; the other end blocks on a plain socket in the parent. Prints CPU time a
 * message for both relays, the median of RUNS taken in turn, and their ratio.
 *
 * usage: bench_io_copy [MESSAGES [BATCH]]
 */
#include "io/loop.h"
#include "io/net.h"
#include "io/process.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MESSAGE_BYTES 64u
#define BARE_BUFFER (256u << 10)
#define ROUND_TRIPS 50000u
#define RUNS 5u

/* --- the relay on io -------------------------------------------------------------------------- */

struct relay {
    struct io_group *group;
    struct io_listener *listener;
    struct io_stream *stream;
    int report;
};

static void relay_bytes(void *owner, slice bytes) {
    struct relay *relay = owner;
    check(io_stream_write(relay->stream, bytes) == 0);
}

static void relay_close(void *owner, int reason) {
    (void)reason;
    struct relay *relay = owner;
    io_listener_close(relay->listener);
    io_loop_stop(io_group_loop(relay->group, 0));
}

static void relay_accept(void *owner, struct io_loop *loop, struct io_stream *stream) {
    static const struct io_stream_events events = {.on_bytes = relay_bytes,
                                                   .on_close = relay_close};
    (void)loop;
    struct relay *relay = owner;
    relay->stream = stream;
    io_stream_set_events(stream, &events, owner);
}

static unsigned short port_of(const char *address) {
    return (unsigned short)strtoul(strrchr(address, ':') + 1, NULL, 10);
}

static void report(int descriptor, const void *bytes, size_t size) {
    check(write(descriptor, bytes, size) == (ssize_t)size);
}

static void relay_start(void *owner, struct io_loop *loop) {
    struct relay *relay = owner;
    struct io_listen_options options = {
        .address = "127.0.0.1:0", .loop_count = 1, .on_accept = relay_accept, .owner = relay};
    check(io_listen(loop, &options, &relay->listener, NULL) == 0);
    unsigned short port = port_of(io_listener_address(relay->listener));
    report(relay->report, &port, sizeof port);
}

static void run_io(int descriptor) {
    struct io_host *host;
    struct relay relay = {.report = descriptor};
    check(io_host_create(&host) == 0 && io_group_create(host, 1, &relay.group) == 0);
    check(io_group_run(relay.group, relay_start, &relay) == 0);
    io_group_free(relay.group);
    io_host_free(host);
}

/* --- the bare one ----------------------------------------------------------------------------- */

static void send_all(int fd, const char *bytes, size_t size) {
    while (size > 0) {
        ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
        check(sent > 0);
        bytes += sent;
        size -= (size_t)sent;
    }
}

static void run_bare(int descriptor) {
    static char buffer[BARE_BUFFER], copy[BARE_BUFFER];
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof own;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    check(bind(listener, (struct sockaddr *)&own, size) == 0 && listen(listener, 1) == 0);
    check(getsockname(listener, (struct sockaddr *)&own, &size) == 0);
    unsigned short port = ntohs(own.sin_port);
    report(descriptor, &port, sizeof port);
    int fd = accept(listener, NULL, NULL), on = 1, epoll = epoll_create1(0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN};
    check(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
    for (;;) {
        check(epoll_wait(epoll, &event, 1, -1) == 1);
        ssize_t got = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
        if (got <= 0)
            break;
        memcpy(copy, buffer, (size_t)got);
        send_all(fd, copy, (size_t)got);
    }
    close(fd);
    close(listener);
    close(epoll);
}

/* --- the other end ---------------------------------------------------------------------------- */

struct load {
    int fd;
    unsigned messages, batch;
};

static void *send_load(void *argument) {
    const struct load *load = argument;
    char *bytes = calloc(load->batch, MESSAGE_BYTES);
    for (unsigned sent = 0; sent < load->messages; sent += load->batch)
        send_all(load->fd, bytes, (size_t)load->batch * MESSAGE_BYTES);
    free(bytes);
    return NULL;
}

static void receive_exactly(int fd, uint64_t size) {
    static char buffer[1u << 20];
    while (size > 0) {
        ssize_t got = recv(fd, buffer, size < sizeof buffer ? (size_t)size : sizeof buffer, 0);
        check(got > 0);
        size -= (uint64_t)got;
    }
}

static int connect_to(unsigned short port) {
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    check(connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/* CPU nanoseconds of the relay for one message. */
static double measure(void (*run)(int descriptor), unsigned messages, unsigned batch) {
    int ends[2];
    check(pipe(ends) == 0);
    pid_t child = fork();
    check(child >= 0);
    if (child == 0) {
        run(ends[1]);
        struct io_usage usage = io_usage_now();
        report(ends[1], &usage, sizeof usage);
        _exit(0);
    }
    unsigned short port;
    check(read(ends[0], &port, sizeof port) == sizeof port);
    struct load load = {connect_to(port), messages, batch};
    if (batch > 0) {
        pthread_t sender;
        check(pthread_create(&sender, NULL, send_load, &load) == 0);
        receive_exactly(load.fd, (uint64_t)messages * MESSAGE_BYTES);
        pthread_join(sender, NULL);
    } else {
        static const char message[MESSAGE_BYTES];
        for (unsigned i = 0; i < messages; i++) {
            send_all(load.fd, message, sizeof message);
            receive_exactly(load.fd, sizeof message);
        }
    }
    close(load.fd);
    struct io_usage usage;
    check(read(ends[0], &usage, sizeof usage) == sizeof usage);
    close(ends[0]);
    close(ends[1]);
    check(waitpid(child, NULL, 0) == child);
    return (double)(usage.cpu_user_ns + usage.cpu_system_ns) / messages;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void compare(const char *what, unsigned messages, unsigned batch) {
    double own[RUNS], bare[RUNS];
    for (unsigned i = 0; i < RUNS; i++) {
        bare[i] = measure(run_bare, messages, batch);
        own[i] = measure(run_io, messages, batch);
    }
    qsort(own, RUNS, sizeof own[0], by_value);
    qsort(bare, RUNS, sizeof bare[0], by_value);
    printf("%-28s io %9.1f ns   epoll %9.1f ns   ratio %.2f\n", what, own[RUNS / 2], bare[RUNS / 2],
           own[RUNS / 2] / bare[RUNS / 2]);
}

int main(int count, char **arguments) {
    unsigned messages = count > 1 ? (unsigned)strtoul(arguments[1], NULL, 10) : 10000000u;
    unsigned batch = count > 2 ? (unsigned)strtoul(arguments[2], NULL, 10) : 1000u;
    if (batch == 0 || messages < batch)
        return 2;
    compare("64 B in batches, a message", messages - messages % batch, batch);
    compare("64 B there and back, a trip", ROUND_TRIPS, 0);
    return 0;
}
