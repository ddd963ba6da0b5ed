/*
 * status.c - what the node says of itself, one JSON object: GET /v1/status on the admin listener
 * and the answer to `nonet.status` (`nonet status`).
 */
#include "base/clocktext.h"
#include "io/process.h"
#include "node/parts.h"
#include "wire/json_write.h"

#define NS_PER_SECOND 1000000000

static void write_process(const struct room_node *room, struct json_writer *w) {
    struct io_usage usage = io_usage_now();
    char started[CLOCKTEXT_SIZE];
    clocktext_format(room->started_ns, started);
    json_write_key(w, "started");
    json_write_text(w, started);
    json_write_key(w, "uptime_seconds");
    json_write_i64(w, (io_host_wall_ns(room->host) - room->started_ns) / NS_PER_SECOND);
    json_write_key(w, "shards");
    json_write_u64(w, room->serving);
    json_write_key(w, "resident_bytes");
    json_write_u64(w, usage.resident_bytes);
    json_write_key(w, "cpu_seconds");
    json_write_double(w, (double)(usage.cpu_user_ns + usage.cpu_system_ns) / NS_PER_SECOND);
}

static void write_listeners(const struct node *node, struct json_writer *w) {
    json_write_key(w, "listeners");
    json_write_object(w);
    for (unsigned i = 0; i < node->port_count; i++) {
        json_write_key(w, node->ports[i].name);
        json_write_text(w, node->ports[i].address);
    }
    json_write_end(w);
}

static void write_figures(const struct node *node, struct json_writer *w) {
    static const char *const keys[NODE_FIGURES] = {
        [NODE_PUBLISHED] = "published",         [NODE_DELIVERED] = "delivered",
        [NODE_TO_SHARDS] = "shard_messages",    [NODE_CACHE_MISSES] = "cache_misses",
        [NODE_SUBSCRIPTIONS] = "subscriptions",
    };
    for (unsigned i = 0; i < NODE_FIGURES; i++) {
        json_write_key(w, keys[i]);
        json_write_i64(w, metrics_value(node->room.metrics, node->figures[i]));
    }
}

/* A member for each room that has something to say. */
static void write_rooms(const struct node *node, struct json_writer *w) {
    for (unsigned i = 0; i < node_room_count; i++) {
        if (!node_rooms[i]->status || !node->room_open[i])
            continue;
        json_write_key(w, node_rooms[i]->name);
        node_rooms[i]->status(node->room_self[i], w);
    }
}

void node_write_status(const struct room_node *room, struct json_writer *w) {
    const struct node *node = room->self;
    json_write_object(w);
    json_write_key(w, "name");
    json_write_text(w, room->name);
    json_write_key(w, "version");
    json_write_text(w, NONET_VERSION);
    json_write_key(w, "server_id");
    json_write_text(w, room->server_id);
    json_write_key(w, "phase");
    json_write_text(w, node->phase == NODE_RUNNING ? "running" : "stopping");
    write_process(room, w);
    write_listeners(node, w);
    write_figures(node, w);
    write_rooms(node, w);
    json_write_end(w);
}
