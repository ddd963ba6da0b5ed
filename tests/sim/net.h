/*
 * net.h - the simulated wire between streams.
 *
 *     stream A --flush--> pipe [segments in flight] --> [arrived] --on_bytes--> stream B
 *     stream A <--------- pipe <---------------------------------------------- stream B
 *                         '------------------- link -------------------'
 *
 * A pipe is one direction of a link and belongs to the end that reads it. What is in flight and
 * arrived is bounded (a socket's buffers), so a reader that does not read stops the writer. Behind
 * a partition, or while the other machine is down, segments are sent again and again as TCP does;
 * one that reaches a closed end comes back as a reset.
 */
#ifndef NONET_TESTS_SIM_NET_H
#define NONET_TESTS_SIM_NET_H

#include "core.h"

#define SIM_PEER_MAX 80
#define SIM_SEGMENT_TRIES 100 /* then the sender gives up: -ETIMEDOUT */

/* A loop's part of the network. */
struct sim_net_loop {
    struct list ready;    /* streams with something to tell */
    struct list dirty;    /* streams written to in this turn */
    struct list streams;  /* every stream of the loop */
    struct list connects; /* under way */
    struct list udps;
};

enum sim_segment_kind { SIM_BYTES, SIM_FIN, SIM_RST };

struct sim_segment {
    struct list_node node;
    enum sim_segment_kind kind;
    unsigned tries;
    uint64_t at_ns;
    size_t len;
    char bytes[];
};

struct sim_end {
    struct sim_link *link;
    struct io_host *host;
    struct io_stream *stream; /* NULL: closed */
    /* the pipe that this end reads */
    struct sim_event arrival;
    struct list flying;
    char *arrived;
    size_t arrived_len, arrived_capacity, flying_len;
    bool fin_arrived, refused;
    int broken; /* negative errno: the connection is lost, as seen from here */
};

struct sim_link {
    struct list_node node; /* in the sim's links */
    struct sim *sim;
    size_t pipe_max;
    uint64_t piece; /* 0: as written; else segments and reads are cut to about this */
    struct sim_end end[2];
};

enum sim_scope { SIM_LOOPBACK, SIM_OUTSIDE, SIM_ANY };

/* A bound port: a listener's or a datagram socket's. */
struct sim_socket {
    struct list_node node; /* in the machine's sockets */
    struct io_host *host;
    enum sim_scope scope;
    uint16_t port;
    bool datagrams;
    char text[SIM_PEER_MAX];
};

struct sim_address {
    struct sim_machine *machine;
    enum sim_scope scope;
    uint16_t port;
};

enum stream_state { STREAM_OPEN, STREAM_FLUSHING, STREAM_FINISHED, STREAM_DEAD };

struct io_stream {
    struct io_stream_head head; /* first: net.h's inline functions cast */
    struct list_node node, ready_node, dirty_node;
    struct io_loop *loop;
    struct sim_end *end;
    struct io_stream_events events;
    void *owner;
    char peer[SIM_PEER_MAX];
    enum stream_state state;
    int reason;
    unsigned pauses;
    bool ready, waiting, room, end_told, shutting, shut;
    struct io_listener *accepted_by; /* not yet told to its owner */
    struct io_timer linger;
    uint64_t lingered; /* head.accepted, when linger was started */
    size_t room_below; /* on_drain is due where fewer bytes are pending; 0: nobody asked */
    struct io_task die, tell;
};

/* --- for loop.c, host.c and sim.c */
struct sim_net_loop *sim_loop_net(struct io_loop *loop);
void sim_net_init(struct sim_net_loop *net);
void sim_net_events(struct io_loop *loop); /* step 2 of a turn */
void sim_net_flush(struct io_loop *loop);  /* step 5 */
void sim_net_done(struct io_loop *loop);
void sim_net_host_down(struct io_host *host, bool silent);
void sim_net_free(struct sim *sim);
void sim_udp_events(struct io_loop *loop);
void sim_udp_free(struct sim *sim);

/* --- net.c */
bool sim_partitioned(struct sim *sim, const struct sim_machine *a, const struct sim_machine *b);
/* FROM's view of TEXT. 0, -EINVAL, or -ENOENT (no such machine). */
int sim_address(struct io_host *from, const char *text, struct sim_address *ret_address);
int sim_bind(struct io_host *host, const char *text, bool datagrams, struct sim_socket *socket);
void sim_unbind(struct sim_socket *socket);
struct sim_socket *sim_bound(struct io_host *from, const struct sim_address *to, bool datagrams);
uint64_t sim_net_delay(struct sim *sim, const struct sim_machine *a, const struct sim_machine *b);
struct sim_link *sim_link_create(struct io_host *a, struct io_host *b);
struct sim_end *sim_end_other(struct sim_end *end);
/* Puts a segment on its way from END; BYTES may be empty. */
void sim_end_send(struct sim_end *end, enum sim_segment_kind kind, slice bytes);
size_t sim_end_room(struct sim_end *end);            /* bytes END may send now */
void sim_end_consumed(struct sim_end *end);          /* the other side may have room now */
void sim_end_close(struct sim_end *end, bool reset); /* the stream is gone; frees a dead link */
void sim_connects_event(struct io_loop *loop);

/* --- stream.c */
struct io_stream *sim_stream_create(struct io_loop *loop, struct sim_end *end, const char *peer);
void sim_stream_free(struct io_stream *stream); /* one that its owner never saw */
void sim_stream_ready(struct io_stream *stream, uint64_t at_ns);

/* --- listen.c */
void sim_listener_accept(struct sim_socket *socket, struct sim_end *end, const char *peer);
void sim_listener_tell(struct io_stream *stream);

#endif
