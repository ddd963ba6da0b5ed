/*
 * kill_http.c - see kill_http.h. Reads with poll; answers have a Content-Length, as the admin
 * listener gives them. Running out of memory ends the test program.
 */
#include "kill_http.h"

#include "base/number.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_MAX (64u << 20)
#define LENGTH "\r\nContent-Length: "

static void must(int failed) {
    if (failed) {
        fprintf(stderr, "crash_events: no memory\n");
        exit(2);
    }
}

bool kill_http_open(struct kill_http *h, unsigned port) {
    *h = (struct kill_http){.socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    h->in = buf_make(BUFFER_MAX);
    h->out = buf_make(BUFFER_MAX);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1;
    if (h->socket < 0 || connect(h->socket, (struct sockaddr *)&address, sizeof address) != 0) {
        kill_http_close(h);
        return false;
    }
    setsockopt(h->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return true;
}

void kill_http_close(struct kill_http *h) {
    if (h->socket >= 0)
        close(h->socket);
    h->socket = -1;
    h->gone = true;
    buf_free(&h->in);
    buf_free(&h->out);
}

bool kill_http_send(struct kill_http *h, const char *request, slice token, slice body) {
    buf_clear(&h->out);
    must(buf_printf(&h->out,
                    "%s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %.*s\r\n"
                    "Content-Length: %zu\r\n\r\n",
                    request, slice_fmt(token), body.len));
    must(buf_append(&h->out, body));
    for (size_t sent = 0; !h->gone && sent < h->out.len;) {
        ssize_t put = send(h->socket, h->out.ptr + sent, h->out.len - sent, MSG_NOSIGNAL);
        h->gone = put <= 0;
        sent += put > 0 ? (size_t)put : 0;
    }
    return !h->gone;
}

static bool fill(struct kill_http *h, int timeout_ms) {
    struct pollfd poller = {.fd = h->socket, .events = POLLIN};
    int ready = h->gone ? 0 : poll(&poller, 1, timeout_ms);
    if (ready == 0)
        return false;
    must(buf_reserve(&h->in, 64u << 10));
    ssize_t got = ready < 0 ? -1 : recv(h->socket, h->in.ptr + h->in.len, 64u << 10, 0);
    h->gone = got <= 0;
    h->in.len += got > 0 ? (size_t)got : 0;
    return !h->gone;
}

/* False: it is not whole. */
static bool take_answer(struct kill_http *h, unsigned *ret_status, slice *ret_body) {
    slice in = buf_slice(&h->in);
    ptrdiff_t end = slice_find_slice(in, slice_lit("\r\n\r\n"));
    if (end < 0)
        return false;
    slice head = slice_take(in, (size_t)end + 2);
    ptrdiff_t at = slice_find_slice(head, slice_lit(LENGTH));
    slice value = slice_skip(head, at < 0 ? head.len : (size_t)at + sizeof LENGTH - 1);
    uint64_t length = 0, status = 0;
    value = slice_take(value, (size_t)slice_find(value, '\r'));
    if (at < 0 || number_parse_u64(value, &length) ||
        number_parse_u64(slice_take(slice_skip(head, sizeof "HTTP/1.1"), 3), &status)) {
        h->gone = true; /* no answer that we know */
        return false;
    }
    if (in.len < (size_t)end + 4 + length)
        return false;
    *ret_body = slice_take(slice_skip(in, (size_t)end + 4), length);
    *ret_status = (unsigned)status;
    h->used = (size_t)end + 4 + length;
    return true;
}

unsigned kill_http_next(struct kill_http *h, int timeout_ms, slice *ret_body) {
    unsigned status = 0;
    buf_consume(&h->in, h->used);
    h->used = 0;
    while (!take_answer(h, &status, ret_body))
        if (!fill(h, timeout_ms))
            return 0;
    return status;
}

void kill_http_wait(struct kill_http *all, unsigned count, int timeout_ms) {
    struct pollfd pollers[KILL_HTTP_MAX];
    unsigned open = 0;
    for (unsigned i = 0; i < count && open < KILL_HTTP_MAX; i++)
        if (!all[i].gone)
            pollers[open++] = (struct pollfd){.fd = all[i].socket, .events = POLLIN};
    (void)poll(pollers, open, timeout_ms); /* what happened shows when it is read */
}
