/*
 * listen.c - listeners and outgoing connections of the simulated network.
 *
 *     io_connect --half a round trip--> listener there? --half--> on_connect
 *                                         '-> the stream of the other side, on_accept
 *
 * A machine that is down or behind a partition answers nothing: the attempt ends by its timeout.
 */
#include "net.h"

#include <errno.h>
#include <stdlib.h>

#define BACKLOG_DEFAULT 1024
#define TIMEOUT_DEFAULT_NS (30 * SIM_SECOND)

struct io_listener {
    struct sim_socket socket; /* first */
    struct io_group *group;
    struct io_listen_options options;
    unsigned next, untold;
};

int io_listen(struct io_loop *loop, const struct io_listen_options *options,
              struct io_listener **ret_listener, struct error *ret_error) {
    struct io_group *group = io_loop_group(loop);
    struct io_host *host = io_loop_host(loop);
    check(options->loop_count >= 1 &&
          options->loop_first + options->loop_count <= io_group_count(group));
    int failed = sim_fault(host->sim, -EADDRINUSE);
    struct io_listener *listener = failed ? NULL : mem_zalloc(1, sizeof(*listener));
    if (!failed && !listener)
        failed = -ENOMEM;
    if (!failed)
        failed =
            host->down ? -ENETDOWN : sim_bind(host, options->address, false, &listener->socket);
    if (failed) {
        mem_free(listener);
        return error_set(ret_error, failed, "cannot listen on %s: %s", options->address,
                         error_name(failed));
    }
    listener->group = group;
    listener->options = *options;
    listener->options.address = listener->socket.text;
    if (listener->options.backlog == 0)
        listener->options.backlog = BACKLOG_DEFAULT;
    host->sim->handles++;
    *ret_listener = listener;
    return 0;
}

const char *io_listener_address(const struct io_listener *listener) {
    return listener->socket.text;
}

/* Descriptors do not run out here. */
uint64_t io_listener_pauses(const struct io_listener *listener) {
    (void)listener;
    return 0;
}

/* Streams that were on their way to on_accept are closed. */
static void drop_untold(struct io_loop *loop, const struct io_listener *listener) {
    struct list_node *n, *next;
    list_each(&sim_loop_net(loop)->streams, n, next) {
        struct io_stream *stream = container_of(n, struct io_stream, node);
        if (stream->accepted_by == listener)
            sim_stream_free(stream);
    }
}

struct io_listener *io_listener_close(struct io_listener *listener) {
    if (!listener)
        return NULL;
    for (unsigned i = 0; i < listener->options.loop_count; i++)
        drop_untold(io_group_loop(listener->group, listener->options.loop_first + i), listener);
    listener->socket.host->sim->handles--;
    sim_unbind(&listener->socket);
    mem_free(listener);
    return NULL;
}

void sim_listener_accept(struct sim_socket *socket, struct sim_end *end, const char *peer) {
    struct io_listener *listener = (struct io_listener *)socket;
    const struct io_listen_options *options = &listener->options;
    struct io_loop *loop = io_group_loop(
        listener->group, options->loop_first + listener->next++ % options->loop_count);
    struct io_stream *stream =
        listener->untold < options->backlog ? sim_stream_create(loop, end, peer) : NULL;
    if (!stream) {
        sim_end_close(end, true);
        return;
    }
    end->stream = stream;
    stream->accepted_by = listener;
    listener->untold++;
    sim_stream_ready(stream, 0);
}

void sim_listener_tell(struct io_stream *stream) {
    struct io_listener *listener = stream->accepted_by;
    stream->accepted_by = NULL;
    listener->untold--;
    listener->options.on_accept(listener->options.owner, stream->loop, stream);
    check(stream->events.on_bytes != NULL || stream->state == STREAM_DEAD);
}

/* --- connecting ------------------------------------------------------------------------------- */

struct connect {
    struct list_node node; /* in the loop's connects */
    struct sim_event event;
    struct io_loop *loop;
    struct sim_address to;
    uint64_t deadline_ns;
    struct io_stream *stream; /* NULL: not yet, or failed */
    int failed;
    bool asked, answered;
    void (*on_connect)(void *owner, struct io_stream *stream, int failed);
    void *owner;
};

static void answer(struct connect *connect, int failed) {
    connect->failed = failed;
    connect->answered = true;
    sim_loop_poke(connect->loop, 0);
}

static int make_link(struct connect *connect, struct sim_socket *socket) {
    struct io_host *host = io_loop_host(connect->loop);
    char here[SIM_PEER_MAX], there[SIM_PEER_MAX];
    bool near = socket->scope == SIM_LOOPBACK || connect->to.machine == host->machine;
    snprintf(there, sizeof(there), "%s:%u", near ? "127.0.0.1" : connect->to.machine->address,
             socket->port);
    snprintf(here, sizeof(here), "%s:%u", near ? "127.0.0.1" : host->machine->address,
             (unsigned)(10000 + sim_below(host->sim, 30000)));
    struct sim_link *link = sim_link_create(host, socket->host);
    struct io_stream *stream = sim_stream_create(connect->loop, &link->end[0], there);
    if (!stream) {
        sim_end_close(&link->end[0], false);
        return -ENOMEM;
    }
    link->end[0].stream = connect->stream = stream;
    sim_listener_accept(socket, &link->end[1], here);
    return 0;
}

/* First the question arrives over there, then the answer here. */
static void on_event(struct sim_event *event) {
    struct connect *connect = container_of(event, struct connect, event);
    struct io_host *host = io_loop_host(connect->loop);
    struct sim *sim = host->sim;
    if (connect->asked) {
        answer(connect, connect->failed);
        return;
    }
    connect->asked = true;
    bool reached = connect->to.machine->up && !host->down &&
                   !sim_partitioned(sim, host->machine, connect->to.machine);
    uint64_t at = connect->deadline_ns;
    if (!reached) {
        connect->failed = -ETIMEDOUT;
    } else {
        struct sim_socket *socket = sim_bound(host, &connect->to, false);
        connect->failed = socket ? make_link(connect, socket) : -ECONNREFUSED;
        at = sim->now_ns + sim_net_delay(sim, host->machine, connect->to.machine);
    }
    sim_schedule(sim, &connect->event, at);
}

int io_connect(struct io_loop *loop, const char *address, uint64_t timeout_ns,
               void (*on_connect)(void *owner, struct io_stream *stream, int failed), void *owner) {
    struct io_host *host = io_loop_host(loop);
    struct sim *sim = host->sim;
    int failed = sim_fault(sim, -EMFILE);
    struct connect *connect = failed ? NULL : mem_zalloc(1, sizeof(*connect));
    if (!connect)
        return failed ? failed : -ENOMEM;
    failed = sim_address(host, address, &connect->to);
    if (failed == -EINVAL) {
        mem_free(connect);
        return failed;
    }
    connect->event = sim_event_make(sim, SIM_CONNECT, on_event);
    connect->loop = loop;
    connect->asked = failed != 0; /* names are resolved off the loop: unknown ones fail later */
    connect->failed = failed;
    connect->deadline_ns = sim->now_ns + (timeout_ns ? timeout_ns : TIMEOUT_DEFAULT_NS);
    connect->on_connect = on_connect;
    connect->owner = owner;
    list_push_back(&sim_loop_net(loop)->connects, &connect->node);
    struct sim_machine *to = failed ? host->machine : connect->to.machine;
    sim_schedule(sim, &connect->event, sim->now_ns + sim_net_delay(sim, host->machine, to));
    return 0;
}

static void tell(struct connect *connect) {
    struct io_stream *stream = connect->stream;
    list_remove(&connect->node);
    if (stream && stream->end->broken && !connect->failed)
        connect->failed = stream->end->broken;
    if (stream && connect->failed) {
        sim_stream_free(stream);
        stream = NULL;
    }
    connect->on_connect(connect->owner, stream, connect->failed);
    if (stream) {
        check(stream->events.on_bytes != NULL || stream->state == STREAM_DEAD);
        if (stream->state != STREAM_DEAD)
            sim_stream_ready(stream, 0);
    }
    mem_free(connect);
}

void sim_connects_event(struct io_loop *loop) {
    struct list *connects = &sim_loop_net(loop)->connects;
    for (struct list_node *n = list_first(connects); n;) {
        struct connect *connect = container_of(n, struct connect, node);
        if (connect->answered) {
            tell(connect);
            n = list_first(connects); /* the callback may have begun others */
        } else {
            n = list_next(connects, n);
        }
    }
}

static void take_back(struct connect *connect) {
    list_remove(&connect->node);
    sim_unschedule(io_loop_host(connect->loop)->sim, &connect->event);
    if (connect->stream)
        sim_stream_free(connect->stream);
    mem_free(connect);
}

void io_connect_cancel(struct io_loop *loop, const void *owner) {
    struct list_node *node, *next;
    list_each(&sim_loop_net(loop)->connects, node, next) {
        struct connect *connect = container_of(node, struct connect, node);
        if (connect->owner == owner)
            take_back(connect);
    }
}

/* The group is freed: what its owner never saw goes with it; the rest should have been closed. */
void sim_net_done(struct io_loop *loop) {
    struct sim_net_loop *net = sim_loop_net(loop);
    for (struct list_node *n; (n = list_first(&net->connects)) != NULL;)
        take_back(container_of(n, struct connect, node));
    check(list_empty(&net->streams));
}
