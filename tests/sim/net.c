/*
 * net.c - addresses, bound ports, links between machines and what travels on them. See net.h.
 */
#include "net.h"

#include "base/number.h"

#include <errno.h>
#include <stdlib.h>

#define RETRY_NS (200 * SIM_MILLISECOND)

/* --- addresses ------------------------------------------------------------------------------ */

static bool is_one_of(slice host, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (slice_equal(host, slice_str(names[i])))
            return true;
    return false;
}

int sim_address(struct io_host *from, const char *text, struct sim_address *ret_address) {
    static const char *const loopback[] = {"127.0.0.1", "localhost", "[::1]"};
    static const char *const any[] = {"0.0.0.0", "[::]"};
    const char *colon = strrchr(text, ':');
    uint64_t port;
    if (!colon || number_parse_u64(slice_str(colon + 1), &port) < 0 || port > UINT16_MAX)
        return -EINVAL;
    slice host = slice_make(text, (size_t)(colon - text));
    struct sim_address address = {from->machine, SIM_OUTSIDE, (uint16_t)port};
    if (is_one_of(host, loopback, array_count(loopback)))
        address.scope = SIM_LOOPBACK;
    else if (is_one_of(host, any, array_count(any)))
        address.scope = SIM_ANY;
    else if ((address.machine = sim_machine_find(from->sim, host)) == NULL)
        return host.len == 0 || slice_find(host, ':') >= 0 ? -EINVAL : -ENOENT;
    *ret_address = address;
    return 0;
}

static bool is_taken(const struct sim_machine *machine, uint16_t port, bool datagrams) {
    struct list_node *n, *next;
    list_each(&machine->sockets, n, next) {
        const struct sim_socket *socket = container_of(n, struct sim_socket, node);
        if (socket->port == port && socket->datagrams == datagrams)
            return true;
    }
    return false;
}

int sim_bind(struct io_host *host, const char *text, bool datagrams, struct sim_socket *socket) {
    struct sim_machine *machine = host->machine;
    struct sim_address address;
    int failed = sim_address(host, text, &address);
    if (failed)
        return failed;
    if (address.machine != machine)
        return -EADDRNOTAVAIL;
    while (address.port == 0 || machine->next_port == 0) {
        machine->next_port = machine->next_port >= 60000 ? 40000 : machine->next_port + 1;
        if (!is_taken(machine, machine->next_port, datagrams))
            address.port = machine->next_port;
    }
    if (is_taken(machine, address.port, datagrams))
        return -EADDRINUSE;
    *socket = (struct sim_socket){
        .host = host, .scope = address.scope, .port = address.port, .datagrams = datagrams};
    const char *ip = address.scope == SIM_LOOPBACK ? "127.0.0.1"
                     : address.scope == SIM_ANY    ? "0.0.0.0"
                                                   : machine->address;
    snprintf(socket->text, sizeof(socket->text), "%s:%u", ip, address.port);
    list_push_back(&machine->sockets, &socket->node);
    return 0;
}

void sim_unbind(struct sim_socket *socket) {
    list_remove(&socket->node);
}

struct sim_socket *sim_bound(struct io_host *from, const struct sim_address *to, bool datagrams) {
    struct list_node *n, *next;
    list_each(&to->machine->sockets, n, next) {
        struct sim_socket *socket = container_of(n, struct sim_socket, node);
        bool near = to->scope != SIM_OUTSIDE && to->machine == from->machine;
        if (socket->port == to->port && socket->datagrams == datagrams &&
            (socket->scope == SIM_ANY || near == (socket->scope == SIM_LOOPBACK)))
            return socket;
    }
    return NULL;
}

/* --- partitions ------------------------------------------------------------------------------- */

static struct sim_machine **find_partition(struct sim *sim, const struct sim_machine *a,
                                           const struct sim_machine *b) {
    for (uint32_t i = 0; i < sim->partition_count; i++) {
        struct sim_machine **pair = sim->partitions[i];
        if ((pair[0] == a && pair[1] == b) || (pair[0] == b && pair[1] == a))
            return pair;
    }
    return NULL;
}

bool sim_partitioned(struct sim *sim, const struct sim_machine *a, const struct sim_machine *b) {
    return find_partition(sim, a, b) != NULL;
}

void sim_partition(struct io_host *a, struct io_host *b) {
    struct sim *sim = a->sim;
    if (find_partition(sim, a->machine, b->machine))
        return;
    check(sim->partition_count < array_count(sim->partitions));
    sim->partitions[sim->partition_count][0] = a->machine;
    sim->partitions[sim->partition_count++][1] = b->machine;
}

void sim_heal(struct io_host *a, struct io_host *b) {
    struct sim *sim = a->sim;
    struct sim_machine **pair = find_partition(sim, a->machine, b->machine);
    if (pair)
        memcpy(pair, sim->partitions[--sim->partition_count], sizeof(sim->partitions[0]));
}

uint64_t sim_net_delay(struct sim *sim, const struct sim_machine *a, const struct sim_machine *b) {
    return sim_spread(sim, a == b ? sim->options.net_ns / 10 : sim->options.net_ns);
}

/* --- links ------------------------------------------------------------------------------------ */

static void arrive(struct sim_event *event);

struct sim_link *sim_link_create(struct io_host *a, struct io_host *b) {
    struct sim *sim = a->sim;
    struct sim_link *link = sim_calloc(1, sizeof(*link));
    link->sim = sim;
    link->pipe_max = (size_t)4096 << sim_below(sim, 9);
    if (sim_chance(sim, 2))
        link->piece = UINT64_C(1) << sim_below(sim, 14);
    for (int i = 0; i < 2; i++) {
        struct sim_end *end = &link->end[i];
        end->link = link;
        end->host = i == 0 ? a : b;
        end->arrival = sim_event_make(sim, SIM_PACKET, arrive);
        list_init(&end->flying);
    }
    list_push_back(&sim->links, &link->node);
    return link;
}

struct sim_end *sim_end_other(struct sim_end *end) {
    return &end->link->end[end == &end->link->end[0]];
}

static void free_end(struct sim *sim, struct sim_end *end) {
    sim_unschedule(sim, &end->arrival);
    for (struct list_node *n; (n = list_pop_front(&end->flying)) != NULL;)
        free(container_of(n, struct sim_segment, node));
    free(end->arrived);
}

static void free_link(struct sim_link *link) {
    list_remove(&link->node);
    free_end(link->sim, &link->end[0]);
    free_end(link->sim, &link->end[1]);
    free(link);
}

void sim_net_free(struct sim *sim) {
    for (struct list_node *n; (n = list_first(&sim->links)) != NULL;)
        free_link(container_of(n, struct sim_link, node));
}

size_t sim_end_room(struct sim_end *end) {
    struct sim_end *other = sim_end_other(end);
    size_t used = other->flying_len + other->arrived_len;
    return used < end->link->pipe_max ? end->link->pipe_max - used : 0;
}

static void put_segment(struct sim_end *to, enum sim_segment_kind kind, slice bytes) {
    struct sim *sim = to->link->sim;
    struct sim_segment *segment = sim_calloc(1, sizeof(*segment) + bytes.len);
    segment->kind = kind;
    segment->len = bytes.len;
    if (bytes.len)
        memcpy(segment->bytes, bytes.ptr, bytes.len);
    segment->at_ns =
        sim->now_ns + sim_net_delay(sim, to->host->machine, sim_end_other(to)->host->machine);
    struct list_node *last = list_last(&to->flying);
    if (last && container_of(last, struct sim_segment, node)->at_ns > segment->at_ns)
        segment->at_ns = container_of(last, struct sim_segment, node)->at_ns;
    list_push_back(&to->flying, &segment->node);
    to->flying_len += bytes.len;
    if (!to->arrival.queued)
        sim_schedule(sim, &to->arrival, segment->at_ns);
}

void sim_end_send(struct sim_end *end, enum sim_segment_kind kind, slice bytes) {
    struct sim_end *to = sim_end_other(end);
    uint64_t piece = end->link->piece;
    if (end->host->down)
        return; /* a ghost's words reach nobody */
    do {
        size_t len = bytes.len;
        if (piece && len > piece)
            len = 1 + sim_below(end->link->sim, piece);
        put_segment(to, kind, slice_take(bytes, len));
        bytes = slice_skip(bytes, len);
    } while (bytes.len > 0);
}

void sim_end_consumed(struct sim_end *end) {
    struct sim_end *other = sim_end_other(end);
    struct sim *sim = end->link->sim;
    if (!other->stream || !other->stream->waiting || other->stream->room)
        return;
    other->stream->room = true;
    sim_stream_ready(other->stream,
                     sim->now_ns + sim_net_delay(sim, end->host->machine, other->host->machine));
}

static void break_end(struct sim_end *end, int error) {
    if (end->broken)
        return;
    end->broken = error;
    if (end->stream)
        sim_stream_ready(end->stream, end->link->sim->now_ns);
}

/* A segment has come to a closed end: unless it says goodbye itself, the sender hears of it. */
static void refuse_segment(struct sim_end *end, const struct sim_segment *segment) {
    if (segment->kind != SIM_BYTES || end->refused)
        return;
    end->refused = true;
    struct sim_end *other = sim_end_other(end);
    if (other->stream)
        put_segment(other, SIM_RST, (slice){0});
}

static void take_segment(struct sim_end *end, const struct sim_segment *segment) {
    if (!end->stream || end->broken) {
        refuse_segment(end, segment);
        return;
    }
    if (segment->kind == SIM_RST) {
        if (sim_chance(end->link->sim, 2))
            end->arrived_len = 0; /* a reset may overtake what waits to be read */
        break_end(end, -ECONNRESET);
        return;
    }
    if (segment->kind == SIM_FIN)
        end->fin_arrived = true;
    size_t need = end->arrived_len + segment->len;
    if (need > end->arrived_capacity) {
        end->arrived = sim_realloc(end->arrived, need * 2);
        end->arrived_capacity = need * 2;
    }
    if (segment->len)
        memcpy(end->arrived + end->arrived_len, segment->bytes, segment->len);
    end->arrived_len = need;
    sim_stream_ready(end->stream, end->link->sim->now_ns);
}

/* While nothing passes the segment is sent again and again, for a while. */
static bool passes(const struct sim_end *end) {
    const struct sim_end *sender = &end->link->end[end == &end->link->end[0]];
    return end->host->machine->up &&
           !sim_partitioned(end->link->sim, end->host->machine, sender->host->machine);
}

static bool is_dead(const struct sim_link *link) {
    const struct sim_end *a = &link->end[0], *b = &link->end[1];
    return !a->stream && !b->stream && list_empty(&a->flying) && list_empty(&b->flying);
}

static void arrive(struct sim_event *event) {
    struct sim_end *end = container_of(event, struct sim_end, arrival);
    struct sim *sim = end->link->sim;
    struct list_node *n;
    while ((n = list_first(&end->flying)) != NULL) {
        struct sim_segment *segment = container_of(n, struct sim_segment, node);
        if (segment->at_ns > sim->now_ns) {
            sim_schedule(sim, &end->arrival, segment->at_ns);
            return;
        }
        bool passed = passes(end);
        if (!passed && ++segment->tries < SIM_SEGMENT_TRIES) {
            sim_schedule(sim, &end->arrival, sim->now_ns + RETRY_NS);
            return;
        }
        list_remove(n);
        end->flying_len -= segment->len;
        if (passed)
            take_segment(end, segment);
        else
            break_end(sim_end_other(end), -ETIMEDOUT);
        free(segment);
    }
    if (is_dead(end->link))
        free_link(end->link);
}

void sim_end_close(struct sim_end *end, bool reset) {
    struct sim_link *link = end->link;
    end->stream = NULL;
    if (reset && !end->broken)
        sim_end_send(end, SIM_RST, (slice){0});
    if (is_dead(link))
        free_link(link);
}

/* --- machines going down ---------------------------------------------------------------------- */

/* Streams of the ghost are reset. Their peers learn it at once where only the process died (the
   kernel says so), and by their own sending where the power went. */
void sim_net_host_down(struct io_host *host, bool silent) {
    struct sim *sim = host->sim;
    struct list_node *n, *next;
    list_each(&host->machine->sockets, n, next) list_remove(n);
    list_each(&sim->links, n, next) {
        struct sim_link *link = container_of(n, struct sim_link, node);
        for (int i = 0; i < 2; i++) {
            struct sim_end *end = &link->end[i];
            if (end->host != host)
                continue;
            if (!silent && !end->broken && sim_end_other(end)->host != host)
                put_segment(sim_end_other(end), sim_chance(sim, 2) ? SIM_RST : SIM_FIN, (slice){0});
            break_end(end, -ECONNRESET);
        }
    }
}

void sim_reset_streams(struct io_host *host) {
    struct list_node *n, *next;
    list_each(&host->sim->links, n, next) {
        struct sim_link *link = container_of(n, struct sim_link, node);
        if (link->end[0].host != host && link->end[1].host != host)
            continue;
        break_end(&link->end[0], -ECONNRESET);
        break_end(&link->end[1], -ECONNRESET);
    }
}
