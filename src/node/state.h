/*
 * state.h - the node's own state, shared by the files of node/. Nobody else includes it. What they
 * do for each other is in parts.h.
 *
 * Everything here is made before the loops run or belongs to loop 0, but for `shards`, whose
 * elements each belong to their own loop, and `opened`, through which loops report to loop 0.
 */
#ifndef NONET_NODE_STATE_H
#define NONET_NODE_STATE_H

#include "bus/private.h"
#include "bus/request.h"
#include "bus/room.h"
#include "http/server.h"
#include "log/stats.h"
#include "node/config_load.h"
#include "node/node.h"

#include <stdatomic.h>

#define NODE_ROOMS_MAX 16u
/* Loop 0 asks all shards to drain and to close here; clients never see it (rooms/pubsub). */
#define NODE_CONTROL_SUBJECT BUS_PRIVATE_PREFIX "node.control"
/* The same of backups: loop 0 asks the stream shard (backup_job.c). */
#define NODE_BACKUP_SUBJECT BUS_PRIVATE_PREFIX "node.backup"

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
    struct bus_subscription *backup_asks; /* stream shard only */
    struct backup_job *backup;            /* under way, or NULL */
    struct io_task backup_over;
    struct io_timer figures_timer, log_timer;
    struct bus_stats counted;     /* what has gone into the metrics */
    struct log_stats log_counted; /* likewise */
    unsigned draining; /* rooms whose drain is under way, and 1 while they are being asked */
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

#define NODE_LOG_FIGURES 26u

enum node_phase { NODE_OPENING, NODE_DECLARING, NODE_RUNNING, NODE_STOPPING };

struct node {
    struct room_node room; /* what rooms see */
    const struct node_options *options;
    struct config *config, *next_config; /* next: while a reload is under way */
    struct room_listen listens[NODE_LISTENS_MAX];
    char listen_addresses[NODE_LISTENS_MAX][80];
    char data[1024], name[256], server_id[57], config_path[1024];
    bool data_is_temporary;                 /* goes when the node ends */
    char ports_dir[1024], ports_path[1100]; /* nats_server.c */
    char store_dir[1024];                   /* likewise: where nats-server's streams would be */
    int ended_by;                           /* the first signal to end, or 0 */
    struct io_file *lock;
    void *room_self[NODE_ROOMS_MAX];
    bool room_open[NODE_ROOMS_MAX];
    struct node_shard shards[ROOM_SHARDS_MAX];
    _Atomic(unsigned) opened; /* shards that have opened, or failed to */
    _Atomic(bool) open_failed;
    struct error open_error; /* of the first shard that failed, guarded by open_failed's exchange */
    enum node_phase phase;
    bool closing;          /* the shards have been asked to close */
    bool closed;           /* they have: what is left are services that still run */
    struct io_timer timer; /* loop 0: waits for the shards, then for declarations */
    unsigned stream_polls; /* lifecycle.c: how often the streams were waited for */
    struct declare *declare;
    struct services *services;
    struct admin *admin;
    struct backing *backing; /* backup.c: who has asked for the backup under way */
    struct {
        const char *name;
        char address[80];
    } ports[NODE_LISTENS_MAX];
    unsigned port_count;
    struct metric figures[NODE_FIGURES], log_figures[NODE_LOG_FIGURES];
    struct io_timer rate_timer; /* welcome.c */
    uint64_t rate_published, rate_delivered;
    struct error fatal;
    int result;
};

#endif
