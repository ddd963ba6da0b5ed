#include "io/uv_net.h"

#include "base/mem.h"

#include <errno.h>
#include <unistd.h>

#define ADDRESSES_MAX 8 /* of one name, tried one after the other */

/* resolving -> trying address 0, 1, ... -> ended (on_connect called, or taken back) -> freed by its
   last handle */
struct attempt {
    struct list_node node; /* of the loop's connects, until it has ended */
    struct io_loop *loop;
    void (*on_connect)(void *owner, struct io_stream *stream, int failed);
    void *owner;
    struct io_timer timeout;
    struct io_task step; /* the first address is tried at the end of the turn, never inside */
    uv_getaddrinfo_t resolver;
    uv_poll_t poll;
    bool resolving, polling, ended;
    int fd;
    int failed; /* what the last address answered */
    uint16_t port;
    unsigned next, count;
    struct io_address addresses[ADDRESSES_MAX];
};

static void on_poll_closed(uv_handle_t *handle);

static void free_if_over(struct attempt *attempt) {
    if (attempt->ended && !attempt->resolving && !attempt->polling)
        mem_free(attempt);
}

/* Takes the descriptor away from the poll. The poll itself is closed in the next turn. */
static int take_descriptor(struct attempt *attempt) {
    int fd = attempt->fd;
    attempt->fd = -1;
    if (fd >= 0)
        uv_close((uv_handle_t *)&attempt->poll, on_poll_closed);
    return fd;
}

static void give_up(struct attempt *attempt) {
    check(!attempt->ended);
    attempt->ended = true;
    list_remove(&attempt->node);
    io_timer_stop(attempt->loop, &attempt->timeout);
    io_defer_cancel(attempt->loop, &attempt->step);
    if (attempt->resolving)
        (void)uv_cancel((uv_req_t *)&attempt->resolver); /* fails where it runs: it ends later */
    int fd = take_descriptor(attempt);
    if (fd >= 0)
        close(fd);
    attempt->loop->open_count--;
}

static void end(struct attempt *attempt, struct io_stream *stream, int failed) {
    give_up(attempt);
    attempt->on_connect(attempt->owner, stream, failed);
    free_if_over(attempt);
}

static void connected(struct attempt *attempt) {
    const struct io_address *peer = &attempt->addresses[attempt->next - 1];
    int fd = take_descriptor(attempt);
    struct io_stream *stream = NULL;
    int failed = io_stream_create(attempt->loop, fd, peer, &stream);
    if (failed)
        close(fd);
    end(attempt, stream, failed);
    if (stream)
        check(stream->events.on_bytes != NULL || stream->state != STREAM_OPEN);
}

/* --- one address after the other -------------------------------------------------------------- */

static void try_next(struct attempt *attempt);

static void on_writable(uv_poll_t *poll, int status, int events) {
    (void)status; /* an error of the socket: SO_ERROR says which */
    (void)events;
    struct attempt *attempt = poll->data;
    io_loop_enter(attempt->loop);
    if (attempt->fd < 0)
        return;
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    if (error == 0) {
        connected(attempt);
        return;
    }
    attempt->failed = -error;
    close(take_descriptor(attempt)); /* on_poll_closed tries the next one */
}

static void on_poll_closed(uv_handle_t *handle) {
    struct attempt *attempt = handle->data;
    io_loop_enter(attempt->loop);
    attempt->polling = false;
    if (attempt->ended)
        free_if_over(attempt);
    else
        try_next(attempt);
}

/* Begins to connect to ADDRESS. 0 where it is under way. */
static int begin(struct attempt *attempt, const struct io_address *address) {
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int failed =
        connect(fd, &address->any, address->size) == 0 || errno == EINPROGRESS ? 0 : -errno;
    if (failed == 0)
        failed = uv_poll_init(&attempt->loop->uv, &attempt->poll, fd);
    if (failed) {
        close(fd);
        return failed;
    }
    attempt->fd = fd;
    attempt->polling = true;
    attempt->poll.data = attempt;
    check(uv_poll_start(&attempt->poll, UV_WRITABLE, on_writable) == 0);
    return 0;
}

static void try_next(struct attempt *attempt) {
    while (attempt->next < attempt->count) {
        attempt->failed = begin(attempt, &attempt->addresses[attempt->next++]);
        if (attempt->failed == 0)
            return;
    }
    end(attempt, NULL, attempt->failed);
}

static void on_step(struct io_task *task) {
    try_next(container_of(task, struct attempt, step));
}

static void on_timeout(struct io_timer *timer) {
    end(container_of(timer, struct attempt, timeout), NULL, -ETIMEDOUT);
}

/* --- names ------------------------------------------------------------------------------------ */

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found) {
    struct attempt *attempt = request->data;
    io_loop_enter(attempt->loop);
    attempt->resolving = false;
    if (!attempt->ended) {
        for (struct addrinfo *at = found; at && attempt->count < ADDRESSES_MAX; at = at->ai_next) {
            struct io_address *address = &attempt->addresses[attempt->count];
            if (io_address_from(at->ai_addr, at->ai_addrlen, address) < 0)
                continue;
            address->v4.sin_port = htons(attempt->port); /* the same place in both families */
            attempt->count++;
        }
        attempt->failed = status == UV_EAI_AGAIN ? -EAGAIN : -ENOENT;
        try_next(attempt);
    } else {
        free_if_over(attempt);
    }
    uv_freeaddrinfo(found);
}

static int start(struct attempt *attempt, const char *address) {
    char host[IO_HOST_NAME_MAX];
    int failed = io_address_split(address, host, &attempt->port);
    if (failed)
        return failed;
    if (io_address_numeric(host, attempt->port, &attempt->addresses[0]) == 0) {
        attempt->count = 1;
        attempt->step.run = on_step;
        io_defer(attempt->loop, &attempt->step);
        return 0;
    }
    struct addrinfo wanted = {.ai_socktype = SOCK_STREAM};
    attempt->resolver.data = attempt;
    failed =
        uv_getaddrinfo(&attempt->loop->uv, &attempt->resolver, on_resolved, host, NULL, &wanted);
    attempt->resolving = failed == 0;
    return failed;
}

int io_connect(struct io_loop *loop, const char *address, uint64_t timeout_ns,
               void (*on_connect)(void *owner, struct io_stream *stream, int failed), void *owner) {
    struct attempt *attempt = mem_zalloc(1, sizeof *attempt);
    if (!attempt)
        return -ENOMEM;
    attempt->loop = loop;
    attempt->on_connect = on_connect;
    attempt->owner = owner;
    attempt->fd = -1;
    int failed = start(attempt, address);
    if (failed) {
        mem_free(attempt);
        return failed;
    }
    loop->open_count++;
    list_push_back(&loop->connects, &attempt->node);
    io_timer_start(loop, &attempt->timeout, timeout_ns, on_timeout);
    return 0;
}

void io_connect_cancel(struct io_loop *loop, const void *owner) {
    struct list_node *node, *next;
    list_each(&loop->connects, node, next) {
        struct attempt *attempt = container_of(node, struct attempt, node);
        if (attempt->owner != owner)
            continue;
        give_up(attempt);
        free_if_over(attempt);
    }
}
