/*
 * udp.c - datagrams: lost, doubled and overtaken as the options and the seed say.
 */
#include "net.h"

#include <errno.h>
#include <stdlib.h>

#define DATAGRAM_MAX 65507
#define QUEUE_MAX 256 /* waiting at a socket; what is over it is lost */

struct io_udp {
    struct sim_socket socket; /* first */
    struct io_loop *loop;
    struct list_node node; /* in the loop's udps */
    struct list waiting;
    unsigned waiting_count;
    void (*on_datagram)(void *owner, slice bytes, const char *from);
    void *owner;
};

struct datagram {
    struct list_node node; /* under way: the sim's datagrams; arrived: the socket's waiting */
    struct sim_event event;
    struct io_host *from;
    struct sim_address to;
    char sender[SIM_PEER_MAX];
    size_t len;
    char bytes[];
};

int io_udp_open(struct io_loop *loop, const char *address,
                void (*on_datagram)(void *owner, slice bytes, const char *from), void *owner,
                struct io_udp **ret_udp, struct error *ret_error) {
    struct io_host *host = io_loop_host(loop);
    int failed = sim_fault(host->sim, -EADDRINUSE);
    struct io_udp *udp = failed ? NULL : mem_zalloc(1, sizeof(*udp));
    if (!failed && !udp)
        failed = -ENOMEM;
    if (!failed)
        failed = host->down ? -ENETDOWN : sim_bind(host, address, true, &udp->socket);
    if (failed) {
        mem_free(udp);
        return error_set(ret_error, failed, "cannot open UDP port %s: %s", address,
                         error_name(failed));
    }
    udp->loop = loop;
    udp->on_datagram = on_datagram;
    udp->owner = owner;
    list_init(&udp->waiting);
    list_push_back(&sim_loop_net(loop)->udps, &udp->node);
    host->sim->handles++;
    *ret_udp = udp;
    return 0;
}

const char *io_udp_address(const struct io_udp *udp) {
    return udp->socket.text;
}

static void drop_all(struct list *datagrams) {
    for (struct list_node *n; (n = list_pop_front(datagrams)) != NULL;)
        free(container_of(n, struct datagram, node));
}

struct io_udp *io_udp_close(struct io_udp *udp) {
    if (!udp)
        return NULL;
    sim_unbind(&udp->socket);
    list_remove(&udp->node);
    drop_all(&udp->waiting);
    udp->socket.host->sim->handles--;
    mem_free(udp);
    return NULL;
}

static void arrive(struct sim_event *event) {
    struct datagram *datagram = container_of(event, struct datagram, event);
    struct sim *sim = datagram->from->sim;
    list_remove(&datagram->node);
    struct sim_machine *machine = datagram->to.machine;
    bool passes = machine->up && !sim_partitioned(sim, datagram->from->machine, machine);
    struct sim_socket *socket = passes ? sim_bound(datagram->from, &datagram->to, true) : NULL;
    struct io_udp *udp = (struct io_udp *)socket;
    if (!udp || udp->waiting_count >= QUEUE_MAX) {
        free(datagram);
        return;
    }
    list_push_back(&udp->waiting, &datagram->node);
    udp->waiting_count++;
    sim_loop_poke(udp->loop, sim->now_ns);
}

static void put_under_way(struct io_udp *udp, const struct sim_address *to, slice bytes) {
    struct io_host *host = udp->socket.host;
    struct sim *sim = host->sim;
    struct datagram *datagram = sim_calloc(1, sizeof(*datagram) + bytes.len);
    datagram->event = sim_event_make(sim, SIM_DATAGRAM, arrive);
    datagram->from = host;
    datagram->to = *to;
    bool near = to->scope == SIM_LOOPBACK;
    snprintf(datagram->sender, sizeof(datagram->sender), "%s:%u",
             near ? "127.0.0.1" : host->machine->address, udp->socket.port);
    datagram->len = bytes.len;
    if (bytes.len)
        memcpy(datagram->bytes, bytes.ptr, bytes.len);
    list_push_back(&sim->datagrams, &datagram->node);
    sim_schedule(sim, &datagram->event,
                 sim->now_ns + sim_net_delay(sim, host->machine, to->machine));
}

int io_udp_send(struct io_udp *udp, const char *to, slice bytes) {
    struct io_host *host = udp->socket.host;
    struct sim *sim = host->sim;
    struct sim_address address;
    int failed = sim_fault(sim, -EAGAIN);
    if (failed)
        return failed;
    if (bytes.len > DATAGRAM_MAX)
        return -EMSGSIZE;
    failed = sim_address(host, to, &address);
    if (failed)
        return failed;
    if (host->down || sim_below(sim, 100) < sim->options.udp_loss_percent)
        return 0;
    put_under_way(udp, &address, bytes);
    if (sim_below(sim, 100) < sim->options.udp_twice_percent)
        put_under_way(udp, &address, bytes);
    return 0;
}

/* A callback may close any socket, so each datagram is looked for anew. */
static bool tell_one(struct io_loop *loop) {
    struct list_node *n, *next;
    list_each(&sim_loop_net(loop)->udps, n, next) {
        struct io_udp *udp = container_of(n, struct io_udp, node);
        struct list_node *first = list_pop_front(&udp->waiting);
        if (!first)
            continue;
        struct datagram *datagram = container_of(first, struct datagram, node);
        udp->waiting_count--;
        udp->on_datagram(udp->owner, slice_make(datagram->bytes, datagram->len), datagram->sender);
        free(datagram);
        return true;
    }
    return false;
}

void sim_udp_events(struct io_loop *loop) {
    while (tell_one(loop)) {
    }
}

void sim_udp_free(struct sim *sim) {
    drop_all(&sim->datagrams);
}
