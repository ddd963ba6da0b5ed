/*
 * kill_client.c - the kill loop's NATS client (kill_client.h): blocking reads with poll, one buffer
 * a direction, the project's own codec. Running out of memory ends the test program.
 */
#include "kill_client.h"

#include "wire/nats_write.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_MAX (64u << 20)
#define ASK_SID 99

static void must(int failed) {
    if (failed) {
        fprintf(stderr, "crash_kill: no memory\n");
        exit(2);
    }
}

static bool lost(struct kill_client *c) {
    c->gone = true;
    return false;
}

/* Reads what there is, waiting at most TIMEOUT_MS for the first byte. */
static bool fill(struct kill_client *c, int timeout_ms) {
    struct pollfd poller = {.fd = c->socket, .events = POLLIN};
    int ready = poll(&poller, 1, timeout_ms);
    if (ready == 0)
        return false;
    must(buf_reserve(&c->in, 64u << 10));
    ssize_t got = ready < 0 ? -1 : recv(c->socket, c->in.ptr + c->in.len, 64u << 10, 0);
    if (got <= 0)
        return lost(c);
    c->in.len += (size_t)got;
    return true;
}

static bool next_event(struct kill_client *c, int timeout_ms, struct nats_event *ret_event) {
    for (;;) {
        size_t consumed;
        int result =
            nats_parse(&c->parser, slice_skip(buf_slice(&c->in), c->used), ret_event, &consumed);
        if (result < 0)
            return lost(c);
        if (result == 1) {
            c->used += consumed;
            return true;
        }
        buf_consume(&c->in, c->used);
        c->used = 0;
        if (!fill(c, timeout_ms))
            return false;
    }
}

bool kill_client_next(struct kill_client *c, int timeout_ms, struct nats_event *ret_event) {
    while (!c->gone && next_event(c, timeout_ms, ret_event)) {
        if (ret_event->kind == NATS_MSG || ret_event->kind == NATS_HMSG)
            return true;
        if (ret_event->kind == NATS_PING)
            must(nats_write_pong(&c->out));
    }
    return false;
}

void kill_client_wait(struct kill_client *clients, unsigned count, int timeout_ms) {
    struct pollfd pollers[KILL_CLIENTS_MAX];
    unsigned open = 0;
    for (unsigned i = 0; i < count; i++)
        if (!clients[i].gone)
            pollers[open++] = (struct pollfd){.fd = clients[i].socket, .events = POLLIN};
    (void)poll(pollers, open, timeout_ms); /* what happened shows when it is read */
}

bool kill_client_flush(struct kill_client *c) {
    size_t sent = 0;
    while (!c->gone && sent < c->out.len) {
        ssize_t put = send(c->socket, c->out.ptr + sent, c->out.len - sent, MSG_NOSIGNAL);
        if (put <= 0)
            lost(c);
        else
            sent += (size_t)put;
    }
    buf_clear(&c->out);
    return !c->gone;
}

static bool log_in(struct kill_client *c, int timeout_ms) {
    struct nats_event event;
    if (!next_event(c, timeout_ms, &event) || event.kind != NATS_INFO)
        return false;
    must(nats_write_connect(&c->out, slice_lit("{\"verbose\":false,\"pedantic\":false,"
                                               "\"headers\":true,\"no_responders\":true}")));
    kill_client_subscribe(c, "ask", ASK_SID);
    must(nats_write_ping(&c->out));
    if (!kill_client_flush(c))
        return false;
    while (next_event(c, timeout_ms, &event))
        if (event.kind == NATS_PONG)
            return true;
    return false;
}

bool kill_client_open(struct kill_client *c, unsigned port, int timeout_ms) {
    *c = (struct kill_client){.socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    c->parser = nats_parser_make(NATS_SERVER);
    c->in = buf_make(BUFFER_MAX);
    c->out = buf_make(BUFFER_MAX);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1;
    bool open =
        c->socket >= 0 && connect(c->socket, (struct sockaddr *)&address, sizeof address) == 0;
    if (open)
        setsockopt(c->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (open && log_in(c, timeout_ms))
        return true;
    kill_client_close(c);
    return false;
}

void kill_client_close(struct kill_client *c) {
    if (c->socket >= 0)
        close(c->socket);
    c->socket = -1;
    c->gone = true;
    buf_free(&c->in);
    buf_free(&c->out);
}

void kill_client_subscribe(struct kill_client *c, const char *subject, unsigned sid) {
    char text[16];
    snprintf(text, sizeof text, "%u", sid);
    must(nats_write_sub(&c->out, slice_str(subject), (slice){0}, slice_str(text)));
}

void kill_client_publish(struct kill_client *c, slice subject, slice reply, slice headers,
                         slice payload) {
    must(nats_write_pub(&c->out, subject, reply, headers, payload));
}

bool kill_client_ask(struct kill_client *c, const char *subject, slice payload, int timeout_ms,
                     struct nats_event *ret_event) {
    kill_client_publish(c, slice_str(subject), slice_lit("ask"), (slice){0}, payload);
    if (!kill_client_flush(c))
        return false;
    while (kill_client_next(c, timeout_ms, ret_event))
        if (slice_equal(ret_event->sid, slice_lit("99")))
            return true;
    return false;
}
