#include "base/mem.h"
#include "io/guard.h"
#include "io/loop.h"
#include "io/tls_inside.h"

#include <errno.h>
#include <signal.h>
#include <sys/random.h>
#include <time.h>
#include <uv.h>

struct io_host {
    struct io_guard *guard;     /* of the child processes */
    struct io_tickets *tickets; /* of TLS sessions */
};

int io_host_create(struct io_host **ret_host) {
    struct io_host *host = mem_zalloc(1, sizeof *host);
    if (!host)
        return -ENOMEM;
    host->guard = io_guard_new();
    host->tickets = io_tickets_new(host);
    if (!host->guard || !host->tickets) {
        io_host_free(host);
        return -ENOMEM;
    }
    /* A peer that is gone is an error of the write, not the end of the process. */
    signal(SIGPIPE, SIG_IGN);
    *ret_host = host;
    return 0;
}

struct io_host *io_host_free(struct io_host *host) {
    if (!host)
        return NULL;
    io_guard_free(host->guard);
    io_tickets_free(host->tickets);
    return mem_free(host);
}

struct io_tickets *io_host_tickets(struct io_host *host) {
    return host->tickets;
}

struct io_guard *io_host_guard(struct io_host *host) {
    return host->guard;
}

/* The clock of libuv's timers, so that the wheel and the alarm agree. */
uint64_t io_host_clock_ns(struct io_host *host) {
    (void)host;
    return uv_hrtime();
}

int64_t io_host_wall_ns(struct io_host *host) {
    (void)host;
    struct timespec now;
    check(clock_gettime(CLOCK_REALTIME, &now) == 0);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void io_host_random(struct io_host *host, void *out, size_t size) {
    (void)host;
    char *at = out;
    while (size > 0) {
        ssize_t got = getrandom(at, size, 0);
        if (got < 0 && errno == EINTR)
            continue;
        check(got > 0);
        at += got;
        size -= (size_t)got;
    }
}
