/*
 * state.h - the node's own state, shared by the files of node/. Nobody else includes it.
 *
 * Everything here is made before the loops run or belongs to loop 0, but for `shards`, whose
 * elements each belong to their own loop, and `opened`, through which loops report to loop 0.
 */
#ifndef NONET_NODE_STATE_H
#define NONET_NODE_STATE_H

#include "bus/request.h"
#include "bus/room.h"
#include "http/server.h"
#include "node/config_load.h"
#include "node/node.h"

#include <stdatomic.h>

#define NODE_ROOMS_MAX 16u
/* Loop 0 asks all shards to drain and to close here; clients never see it (rooms/pubsub). */
#define NODE_CONTROL_SUBJECT "_NONET.node.control"

extern const struct room *const node_rooms[];
extern const unsigned node_room_count;

struct node;

struct node_shard {
    struct room_shard room; /* what rooms see */
    struct node *node;
    struct log *log; /* stream shard only */
    void *room_self[NODE_ROOMS_MAX];
    bool room_open[NODE_ROOMS_MAX];
    bool closed;
    struct bus_subscription *control;
    struct io_timer figures_timer;
    struct bus_stats counted; /* what has gone into the metrics */
    unsigned draining;        /* rooms whose drain is under way, and 1 while they are being asked */
    char reply[BUS_SUBJECT_MAX];
    size_t reply_len;
};

enum node_figure {
    NODE_PUBLISHED,
    NODE_DELIVERED,
    NODE_TO_SHARDS,
    NODE_CACHE_MISSES,
    NODE_SUBSCRIPTIONS,
    NODE_FIGURES
};

enum node_phase { NODE_OPENING, NODE_DECLARING, NODE_RUNNING, NODE_STOPPING };

struct node {
    struct room_node room; /* what rooms see */
    const struct node_options *options;
    struct config *config, *next_config; /* next: while a reload is under way */
    struct room_listen listens[NODE_LISTENS_MAX];
    char listen_addresses[NODE_LISTENS_MAX][80];
    char data[1024], name[256], server_id[57], config_path[1024];
    struct io_file *lock;
    void *room_self[NODE_ROOMS_MAX];
    bool room_open[NODE_ROOMS_MAX];
    struct node_shard shards[ROOM_SHARDS_MAX];
    _Atomic(unsigned) opened; /* shards that have opened, or failed to */
    _Atomic(bool) open_failed;
    struct error open_error; /* of the first shard that failed, guarded by open_failed's exchange */
    enum node_phase phase;
    bool closed;           /* the shards have closed: what is left are services that still run */
    struct io_timer timer; /* loop 0: waits for the shards, then for declarations */
    struct declare *declare;
    struct services *services;
    struct admin *admin;
    struct http_server *front; /* front.c */
    struct http_routes *front_routes;
    struct {
        const char *name;
        char address[80];
    } ports[NODE_LISTENS_MAX];
    unsigned port_count;
    struct metric figures[NODE_FIGURES];
    struct io_timer rate_timer; /* welcome.c */
    uint64_t rate_published, rate_delivered;
    struct error fatal;
    int result;
};

/* settings.c: config and options -> what rooms see. */
must_use int node_load_config(struct node *node, struct config **ret_config, bool print,
                              struct error *ret_error);
must_use int node_apply_settings(struct node *node, struct error *ret_error);
must_use int node_make_auth(const struct config *config, struct auth **ret_auth,
                            struct error *ret_error);
/* Data folder: made, locked, its format version checked. */
must_use int node_open_data(struct node *node, struct error *ret_error);
void node_note_port(struct room_node *room_node, const char *listener, const char *address);
must_use int node_write_ports(struct node *node, struct error *ret_error);

/* shard.c */
void node_shard_start(void *node, struct io_loop *loop);
void node_shard_free(struct node_shard *shard);

/* lifecycle.c: loop 0 from "all shards open" to the end. */
void node_begin(struct node *node);
void node_stop(struct node *node);
void node_fail(struct node *node, const struct error *error);
void node_service_ended(struct node *node); /* the last one lets a stopped node end */
/* Ends the process at once after a failure of the log: exit status 1, nothing is flushed. */
_Noreturn void node_fatal(const struct error *error);
/* reload.c: takes up the config file as it is now; refused whole where it has mistakes. Declared
   streams follow in the background. */
must_use int node_reload(struct node *node, struct error *ret_error);
void reload_refused(struct node *node, const struct error *error);
/* welcome.c */
void node_welcome(struct node *node);
void node_farewell(struct node *node);
/* figures.c */
must_use int figures_open(struct node *node, struct error *ret_error);
void figures_start(struct node_shard *shard);
void figures_stop(struct node_shard *shard);
struct json_writer;
void node_write_figures(struct node *node, struct json_writer *w);

/* declare.c: the streams of the config, created or updated through the API. DONE once. */
must_use int declare_streams(struct node *node, const struct config *config,
                             void (*done)(struct node *node, const struct error *error));

/* services.c */
must_use int services_start(struct node *node, struct error *ret_error);
/* Asks them to end, after 5 s or at the second call kills them; node_service_ended follows each. */
void services_stop(struct node *node);
bool services_running(const struct node *node);

/* admin.c: the admin listener and the node's own pages. */
must_use int admin_open(struct node *node, struct error *ret_error);
must_use int admin_listen(struct node *node, struct error *ret_error);
/* A server's context from a listener's files. */
must_use int node_make_tls(struct node *node, const struct room_listen *listen,
                           struct io_tls **ret_tls, struct error *ret_error);
/* The admin listener's TLS from the files as they are now. */
must_use int admin_renew(struct node *node, struct error *ret_error);
void admin_stop(struct node *node);  /* on loop 0 */
void admin_close(struct node *node); /* after the loops */

/* front.c: the http listener. */
must_use int front_listen(struct node *node, struct error *ret_error);
void front_stop(struct node *node);               /* on loop 0: no new connections */
void front_shard_close(struct node_shard *shard); /* on each loop */
void front_free(struct node *node);               /* after the loops */

#endif
