/*
 * http_client.c - what a call of the HTTP client costs once its connections are open.
 *
 *     pool (measured) --GET with the fields of a browser--> server (a child process)
 *                    <--200 with ten fields and 200 bytes--
 *
 * LANES calls are always under way, each begun in the end of the one before; the server answers
 * whatever ends in an empty line, without looking at it. Prints CPU time a call, in user code and
 * in the kernel. Most of the user's part is the loop's and libuv's; what is the client's own, in
 * instructions, says
 *
 *     valgrind --tool=callgrind --fn-skip='*libc*' bench_http_client 20000
 *
 * as the inclusive cost of client_link.c:on_bytes, which begins the next call, too.
 *
 * usage: bench_http_client [CALLS [LANES]]
 */
#include "http/client.h"
#include "io/process.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ_BYTES (64u << 10)
#define EVENTS_MAX 64

/* --- the server ---------------------------------------------------------------------------------
 */

#define BODY_50 "{\"id\":12345,\"name\":\"a thing of some kind\",\"n\":123}"
static const char answer[] = "HTTP/1.1 200 OK\r\n"
                             "Server: nginx/1.22.1\r\n"
                             "Date: Mon, 30 Nov 2026 10:55:37 GMT\r\n"
                             "Content-Type: application/json; charset=utf-8\r\n"
                             "Content-Length: 200\r\n"
                             "Connection: keep-alive\r\n"
                             "Cache-Control: no-cache, private\r\n"
                             "ETag: \"5f3c-1a2b3c4d5e6f\"\r\n"
                             "Vary: Accept-Encoding\r\n"
                             "X-Request-Id: 0b4d7b8c9e3f4a5b8c7d6e5f4a3b2c1d\r\n"
                             "X-Frame-Options: SAMEORIGIN\r\n"
                             "\r\n" BODY_50 BODY_50 BODY_50 BODY_50;

static void serve_one(int epoll, int fd) {
    static char bytes[READ_BYTES];
    ssize_t got = recv(fd, bytes, sizeof bytes, 0);
    if (got <= 0) {
        close(fd);
        return;
    }
    (void)epoll;
    if (got >= 4 && memcmp(bytes + got - 4, "\r\n\r\n", 4) == 0)
        check(send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL) == sizeof answer - 1);
}

static _Noreturn void serve(int listener) {
    struct epoll_event events[EVENTS_MAX] = {{.events = EPOLLIN, .data.fd = listener}};
    int epoll = epoll_create1(0), on = 1;
    check(epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &events[0]) == 0);
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd != listener) {
                serve_one(epoll, events[i].data.fd);
                continue;
            }
            int fd = accept(listener, NULL, NULL);
            struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
            check(fd >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        }
    }
}

static pid_t start_server(char *address, size_t size) {
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t own_size = sizeof own;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    check(bind(listener, (struct sockaddr *)&own, own_size) == 0 && listen(listener, 1024) == 0);
    check(getsockname(listener, (struct sockaddr *)&own, &own_size) == 0);
    snprintf(address, size, "127.0.0.1:%u", ntohs(own.sin_port));
    pid_t child = fork();
    check(child >= 0);
    if (child == 0)
        serve(listener);
    close(listener);
    return child;
}

/* --- the client ---------------------------------------------------------------------------------
 */

struct load {
    struct io_host *host;
    struct io_group *group;
    struct http_pool *pool;
    const char *address;
    unsigned lanes, calls, begun, ended;
    uint64_t body_bytes, began_ns, connections;
    struct io_usage before;
};

static const struct http1_field fields[] = {
    {slice_lit("User-Agent"),
     slice_lit("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0")},
    {slice_lit("Accept"),
     slice_lit("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")},
    {slice_lit("Accept-Language"), slice_lit("en-US,en;q=0.5")},
    {slice_lit("Accept-Encoding"), slice_lit("gzip, deflate, br, zstd")},
    {slice_lit("Referer"), slice_lit("https://shop.example/things")},
    {slice_lit("Cookie"), slice_lit("session=0b4d7b8c9e3f4a5b8c7d6e5f4a3b2c1d; theme=dark")},
    {slice_lit("X-Forwarded-For"), slice_lit("192.0.2.17")},
    {slice_lit("X-Forwarded-Proto"), slice_lit("https")},
    {slice_lit("X-Request-Id"), slice_lit("0b4d7b8c9e3f4a5b8c7d6e5f4a3b2c1d")},
    {slice_lit("Sec-Fetch-Mode"), slice_lit("navigate")},
};

static void begin_call(struct load *load);

static void on_head(void *self, const struct http1_head *head) {
    (void)self;
    check(head->status == 200);
}

static void on_body(void *self, slice bytes) {
    ((struct load *)self)->body_bytes += bytes.len;
}

static void report(const struct load *load) {
    struct io_usage usage = io_usage_now();
    uint64_t wall_ns = io_host_clock_ns(load->host) - load->began_ns;
    double calls = load->calls;
    printf("%u calls, %u at a time: %.0f a second, user %.0f ns, system %.0f ns a call\n",
           load->calls, load->lanes, calls * 1e9 / (double)wall_ns,
           (double)(usage.cpu_user_ns - load->before.cpu_user_ns) / calls,
           (double)(usage.cpu_system_ns - load->before.cpu_system_ns) / calls);
}

static void on_end(void *self, slice trailers) {
    struct load *load = self;
    (void)trailers;
    load->ended++;
    if (load->begun < load->calls) {
        begin_call(load);
    } else if (load->ended == load->calls) {
        report(load);
        load->connections = http_pool_stats(load->pool).connections_total;
        load->pool = http_pool_free(load->pool);
        io_loop_stop(io_group_loop(load->group, 0));
    }
}

static void on_fail(void *self, enum http_failed failed, bool answered, int code, const char *why) {
    (void)self;
    (void)answered;
    fprintf(stderr, "bench_http_client: failed %d, %d: %s\n", (int)failed, code, why);
    exit(1);
}

static const struct http_call_events call_events = {
    .on_head = on_head, .on_body = on_body, .on_end = on_end, .on_fail = on_fail};

static void begin_call(struct load *load) {
    struct http_call *call;
    struct http_call_options options = {
        .method = slice_lit("GET"),
        .target = slice_lit("/api/things/12345?detail=full"),
        .host = slice_lit("shop.example"),
        .fields = fields,
        .field_count = array_count(fields),
    };
    load->begun++;
    check(http_call_begin(load->pool, &options, &call_events, load, &call) == 0);
}

static void start(void *owner, struct io_loop *loop) {
    struct load *load = owner;
    struct http_pool_options options = {.address = load->address};
    check(http_pool_create(loop, &options, &load->pool) == 0);
    load->before = io_usage_now();
    load->began_ns = io_host_clock_ns(load->host);
    for (unsigned i = 0; i < load->lanes; i++)
        begin_call(load);
}

int main(int count, char **arguments) {
    char address[64];
    struct load load = {.address = address};
    load.calls = count > 1 ? (unsigned)strtoul(arguments[1], NULL, 10) : 1000000u;
    load.lanes = count > 2 ? (unsigned)strtoul(arguments[2], NULL, 10) : 32u;
    if (load.lanes == 0 || load.calls < load.lanes)
        return 2;
    pid_t server = start_server(address, sizeof address);
    check(io_host_create(&load.host) == 0 && io_group_create(load.host, 1, &load.group) == 0);
    check(io_group_run(load.group, start, &load) == 0);
    io_group_free(load.group);
    io_host_free(load.host);
    check(load.body_bytes == 200u * (uint64_t)load.calls);
    check(load.connections == load.lanes);
    kill(server, SIGTERM);
    return waitpid(server, NULL, 0) == server ? 0 : 1;
}
