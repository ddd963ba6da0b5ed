#include "io/uv_net.h"

#include "base/mem.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <unistd.h>

#define BACKLOG_DEFAULT 1024u
#define ACCEPTS_PER_TURN 64u
#define PAUSE_NS (100u * (uint64_t)IO_NS_PER_MS) /* without descriptors or memory */

/* Connections are accepted on one loop and dealt to others by message; the message and the handle
   each hold a count, so the last one out frees. */
struct io_listener {
    _Atomic(unsigned) counts;
    _Atomic(bool) closed;
    struct io_loop *loop;
    struct io_listen_options options;
    int fd;
    unsigned next; /* whose turn it is, from 0 */
    uint64_t pauses;
    uv_poll_t poll;
    struct io_timer pause;
    char address[IO_ADDRESS_TEXT_MAX];
};

struct accepted {
    struct io_listener *listener;
    int fd;
    struct io_address peer;
};

static void unref(struct io_listener *listener) {
    if (atomic_fetch_sub(&listener->counts, 1) == 1)
        mem_free(listener);
}

/* --- accepting -------------------------------------------------------------------------------- */

static void begin(struct io_loop *loop, const struct accepted *accepted) {
    struct io_listener *listener = accepted->listener;
    struct io_stream *stream;
    if (atomic_load(&listener->closed) ||
        io_stream_create(loop, accepted->fd, &accepted->peer, &stream) < 0) {
        close(accepted->fd);
        return;
    }
    listener->options.on_accept(listener->options.owner, loop, stream);
    check(stream->events.on_bytes != NULL || stream->state != STREAM_OPEN);
}

void io_listener_take(struct io_loop *loop, slice body) {
    struct accepted accepted;
    check(body.len == sizeof accepted);
    memcpy(&accepted, body.ptr, sizeof accepted);
    begin(loop, &accepted);
    unref(accepted.listener);
}

void io_listener_drop(slice body) {
    struct accepted accepted;
    check(body.len == sizeof accepted);
    memcpy(&accepted, body.ptr, sizeof accepted);
    close(accepted.fd);
    unref(accepted.listener);
}

static void deal(struct io_listener *listener, const struct accepted *accepted) {
    unsigned to = listener->options.loop_first + listener->next;
    listener->next = (listener->next + 1) % listener->options.loop_count;
    if (to == listener->loop->index) {
        begin(listener->loop, accepted);
        return;
    }
    atomic_fetch_add(&listener->counts, 1);
    slice body = slice_make(accepted, sizeof *accepted);
    if (io_channel_send_accepted(listener->loop, to, body) < 0) {
        close(accepted->fd);
        unref(listener);
    }
}

static void on_connection(uv_poll_t *poll, int status, int events);

static void on_pause_over(struct io_timer *timer) {
    struct io_listener *listener = container_of(timer, struct io_listener, pause);
    check(uv_poll_start(&listener->poll, UV_READABLE, on_connection) == 0);
}

/* Without descriptors the connection stays in the backlog and the socket stays readable: looking
   at it at once would spin. */
static void pause_accepting(struct io_listener *listener) {
    listener->pauses++;
    check(uv_poll_stop(&listener->poll) == 0);
    io_timer_start(listener->loop, &listener->pause, PAUSE_NS, on_pause_over);
}

static void on_connection(uv_poll_t *poll, int status, int events) {
    (void)status;
    (void)events;
    struct io_listener *listener = poll->data;
    io_loop_enter(listener->loop);
    for (unsigned i = 0; i < ACCEPTS_PER_TURN && !atomic_load(&listener->closed); i++) {
        struct accepted accepted = {.listener = listener};
        accepted.peer.size = sizeof accepted.peer.v6;
        accepted.fd = accept4(listener->fd, &accepted.peer.any, &accepted.peer.size,
                              SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (accepted.fd >= 0) {
            deal(listener, &accepted);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            pause_accepting(listener);
            return;
        } /* else: that one connection is gone already */
    }
}

/* --- opening and closing ---------------------------------------------------------------------- */

static int resolve(const char *text, struct io_address *ret_address) {
    char host[IO_HOST_NAME_MAX];
    uint16_t port;
    int failed = io_address_split(text, host, &port);
    if (failed || io_address_numeric(host, port, ret_address) == 0)
        return failed;
    struct addrinfo wanted = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    failed = io_address_error(getaddrinfo(host, service, &wanted, &found));
    if (failed == 0)
        failed = io_address_from(found->ai_addr, found->ai_addrlen, ret_address);
    if (found)
        freeaddrinfo(found);
    return failed;
}

/* Returns a bound, listening descriptor or a negative errno; *ADDRESS becomes the one taken. What
   is set here is what accepted sockets begin with. */
static int open_socket(struct io_address *address, const struct io_listen_options *options) {
    unsigned backlog = options->backlog ? options->backlog : BACKLOG_DEFAULT;
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    int unsent = (int)options->unsent_max;
    if (unsent > 0) /* a kernel that cannot do it keeps more, that is all */
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
    address->size = address->any.sa_family == AF_INET ? sizeof address->v4 : sizeof address->v6;
    if (bind(fd, &address->any, address->size) != 0 || listen(fd, (int)backlog) != 0 ||
        getsockname(fd, &address->any, &address->size) != 0) {
        int failed = -errno;
        close(fd);
        return failed;
    }
    return fd;
}

static int explain(int failed, const char *address, struct error *ret_error) {
    error_set(ret_error, failed, "cannot listen on %s: %s", address,
              failed == -ENOENT ? "no such name" : error_name(failed));
    if (failed == -EADDRINUSE)
        error_hint(ret_error, "something listens there already; port 0 takes a free one");
    else if (failed == -EACCES)
        error_hint(ret_error, "ports below 1024 need a privilege; choose a higher one");
    else if (failed == -EADDRNOTAVAIL)
        error_hint(ret_error, "this machine has no such address");
    else if (failed == -EINVAL)
        error_hint(ret_error, "write HOST:PORT, as in 127.0.0.1:4222 or [::1]:4222");
    return failed;
}

int io_listen(struct io_loop *loop, const struct io_listen_options *options,
              struct io_listener **ret_listener, struct error *ret_error) {
    check(options->on_accept && options->loop_count >= 1 &&
          options->loop_first + options->loop_count <= loop->group->count);
    struct io_address address;
    int failed = resolve(options->address, &address);
    if (failed)
        return explain(failed, options->address, ret_error);
    struct io_listener *listener = mem_zalloc(1, sizeof *listener);
    if (!listener)
        return explain(-ENOMEM, options->address, ret_error);
    listener->fd = open_socket(&address, options);
    failed =
        listener->fd < 0 ? listener->fd : uv_poll_init(&loop->uv, &listener->poll, listener->fd);
    if (failed) {
        if (listener->fd >= 0)
            close(listener->fd);
        mem_free(listener);
        return explain(failed, options->address, ret_error);
    }
    atomic_init(&listener->counts, 1);
    atomic_init(&listener->closed, false);
    listener->loop = loop;
    listener->options = *options;
    listener->options.address = NULL; /* the caller's memory */
    listener->poll.data = listener;
    io_address_text(&address, listener->address);
    loop->open_count++;
    check(uv_poll_start(&listener->poll, UV_READABLE, on_connection) == 0);
    *ret_listener = listener;
    return 0;
}

const char *io_listener_address(const struct io_listener *listener) {
    return listener->address;
}

uint64_t io_listener_pauses(const struct io_listener *listener) {
    return listener->pauses;
}

static void on_closed(uv_handle_t *handle) {
    unref(handle->data);
}

struct io_listener *io_listener_close(struct io_listener *listener) {
    if (!listener)
        return NULL;
    atomic_store(&listener->closed, true);
    io_timer_stop(listener->loop, &listener->pause);
    listener->loop->open_count--;
    uv_close((uv_handle_t *)&listener->poll, on_closed);
    close(listener->fd);
    return NULL;
}
