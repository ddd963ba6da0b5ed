#include "stage.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_patience_over(struct io_timer *timer) {
    (void)timer;
    bool ended_in_time = false;
    check(ended_in_time);
}

static void start(void *owner, struct io_loop *loop) {
    struct stage *stage = owner;
    if (stage->begin_each)
        stage->begin_each(stage, loop);
    if (io_loop_index(loop) != 0)
        return;
    io_timer_start(loop, &stage->patience, (uint64_t)STAGE_PATIENCE_MS * STAGE_MS,
                   on_patience_over);
    if (stage->begin)
        stage->begin(stage);
}

void stage_play_each(struct stage *stage, unsigned loops,
                     void (*each)(struct stage *stage, struct io_loop *loop),
                     void (*begin)(struct stage *stage), void *state) {
    *stage = (struct stage){.begin_each = each, .begin = begin, .state = state};
    check(io_host_create(&stage->host) == 0);
    check(io_group_create(stage->host, loops, &stage->group) == 0);
    stage->loop = io_group_loop(stage->group, 0);
    check(io_group_run(stage->group, start, stage) == 0);
    stage->group = io_group_free(stage->group);
    stage->host = io_host_free(stage->host);
}

void stage_play(struct stage *stage, unsigned loops, void (*begin)(struct stage *stage),
                void *state) {
    stage_play_each(stage, loops, NULL, begin, state);
}

void stage_end(struct stage *stage) {
    for (unsigned i = 0; i < io_group_count(stage->group); i++)
        io_loop_stop(io_group_loop(stage->group, i));
}

static void on_again(struct io_timer *timer) {
    struct stage *stage = container_of(timer, struct stage, again);
    if (stage->until(stage))
        stage->then(stage);
    else
        io_timer_start(stage->loop, timer, STAGE_MS, on_again);
}

void stage_when(struct stage *stage, bool (*until)(struct stage *stage),
                void (*then)(struct stage *stage)) {
    stage->until = until;
    stage->then = then;
    io_timer_start(stage->loop, &stage->again, 0, on_again);
}

struct io_listener *stage_listen(struct stage *stage, unsigned loops,
                                 void (*on_accept)(void *owner, struct io_loop *loop,
                                                   struct io_stream *stream)) {
    struct io_listener *listener;
    struct error error;
    struct io_listen_options options = {
        .address = "127.0.0.1:0", .loop_count = loops, .on_accept = on_accept, .owner = stage};
    check(io_listen(stage->loop, &options, &listener, &error) == 0);
    return listener;
}

int stage_raw_connect(const char *address) {
    const char *colon = strrchr(address, ':');
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(fd >= 0);
    check(connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

void stage_raw_send(int fd, const void *bytes, size_t size) {
    const char *at = bytes;
    while (size > 0) {
        ssize_t put = send(fd, at, size, MSG_NOSIGNAL);
        check(put > 0);
        at += put;
        size -= (size_t)put;
    }
}

size_t stage_raw_receive(int fd, void *out, size_t size) {
    size_t done = 0;
    while (done < size) {
        ssize_t got = recv(fd, (char *)out + done, size - done, 0);
        check(got >= 0);
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return done;
}
