#include "io/uv_net.h"

#include "base/mem.h"

#include <errno.h>
#include <unistd.h>

#define DATAGRAM_MAX 65507u
#define DATAGRAMS_PER_TURN 64u

struct io_udp {
    struct io_loop *loop;
    void (*on_datagram)(void *owner, slice bytes, const char *from);
    void *owner;
    int fd;
    bool closed;
    uv_poll_t poll;
    char address[IO_ADDRESS_TEXT_MAX];
};

static void on_readable(uv_poll_t *poll, int status, int events) {
    (void)status; /* the errors of datagrams that never arrived: reading clears them */
    (void)events;
    struct io_udp *udp = poll->data;
    io_loop_enter(udp->loop);
    for (unsigned i = 0; i < DATAGRAMS_PER_TURN && !udp->closed; i++) {
        struct io_address from = {.size = sizeof from.v6};
        ssize_t got =
            recvfrom(udp->fd, udp->loop->read_buffer, IO_READ_BYTES, 0, &from.any, &from.size);
        if (got < 0 && errno == EAGAIN)
            break;
        if (got < 0)
            continue;
        char text[IO_ADDRESS_TEXT_MAX];
        io_address_text(&from, text);
        udp->on_datagram(udp->owner, slice_make(udp->loop->read_buffer, (size_t)got), text);
    }
    if (!udp->closed && !uv_is_active((uv_handle_t *)poll))
        check(uv_poll_start(poll, UV_READABLE, on_readable) == 0); /* an error has stopped it */
}

/* Returns a bound descriptor or a negative errno; *ADDRESS becomes the one taken. */
static int open_socket(struct io_address *address) {
    int fd = socket(address->any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (bind(fd, &address->any, address->size) != 0 ||
        getsockname(fd, &address->any, &address->size) != 0) {
        int failed = -errno;
        close(fd);
        return failed;
    }
    return fd;
}

static int parse(const char *text, struct io_address *ret_address) {
    char host[IO_HOST_NAME_MAX];
    uint16_t port;
    int failed = io_address_split(text, host, &port);
    return failed ? failed : io_address_numeric(host, port, ret_address);
}

int io_udp_open(struct io_loop *loop, const char *address,
                void (*on_datagram)(void *owner, slice bytes, const char *from), void *owner,
                struct io_udp **ret_udp, struct error *ret_error) {
    struct io_address own;
    int failed = parse(address, &own);
    if (failed)
        return error_set(ret_error, failed, "'%s' is no address of the form IP:PORT", address);
    struct io_udp *udp = mem_zalloc(1, sizeof *udp);
    if (!udp)
        return error_set(ret_error, -ENOMEM, "cannot open %s/udp: no memory", address);
    udp->fd = open_socket(&own);
    failed = udp->fd < 0 ? udp->fd : uv_poll_init(&loop->uv, &udp->poll, udp->fd);
    if (failed) {
        if (udp->fd >= 0)
            close(udp->fd);
        mem_free(udp);
        return error_set(ret_error, failed, "cannot open %s/udp: %s", address, error_name(failed));
    }
    udp->loop = loop;
    udp->on_datagram = on_datagram;
    udp->owner = owner;
    udp->poll.data = udp;
    io_address_text(&own, udp->address);
    loop->open_count++;
    check(uv_poll_start(&udp->poll, UV_READABLE, on_readable) == 0);
    *ret_udp = udp;
    return 0;
}

const char *io_udp_address(const struct io_udp *udp) {
    return udp->address;
}

int io_udp_send(struct io_udp *udp, const char *to, slice bytes) {
    struct io_address address;
    int failed = parse(to, &address);
    if (failed)
        return failed;
    if (bytes.len > DATAGRAM_MAX)
        return -EMSGSIZE;
    ssize_t sent;
    do {
        sent = sendto(udp->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT, &address.any,
                      address.size);
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0)
        return 0;
    return errno == ENOBUFS ? -EAGAIN : -errno;
}

static void on_closed(uv_handle_t *handle) {
    mem_free(handle->data);
}

struct io_udp *io_udp_close(struct io_udp *udp) {
    if (!udp)
        return NULL;
    udp->closed = true;
    udp->loop->open_count--;
    uv_close((uv_handle_t *)&udp->poll, on_closed);
    close(udp->fd);
    return NULL;
}
