/*
 * figures.c - the node's figures: the buses' counters as metrics, once a second on each shard.
 *
 * A bus counts in plain integers on its own thread; other threads may only read metrics. So each
 * shard adds what has been counted since its last tick.
 */
#include "node/parts.h"
#include "wire/json_write.h"

#include <errno.h>

#define TICK_NS 1000000000ull

static const struct metrics_family families[NODE_FIGURES] = {
    [NODE_PUBLISHED] = {.name = "nonet_bus_published_total",
                        .kind = METRICS_COUNTER,
                        .help = "Messages published on this node, by clients and rooms."},
    [NODE_DELIVERED] = {.name = "nonet_bus_delivered_total",
                        .kind = METRICS_COUNTER,
                        .help = "Deliveries to subscriptions of this node."},
    [NODE_TO_SHARDS] = {.name = "nonet_bus_shard_messages_total",
                        .kind = METRICS_COUNTER,
                        .help = "Messages handed from one shard to another."},
    [NODE_CACHE_MISSES] = {.name = "nonet_bus_cache_misses_total",
                           .kind = METRICS_COUNTER,
                           .help = "Subject look-ups that walked the index."},
    [NODE_SUBSCRIPTIONS] = {.name = "nonet_bus_subscriptions",
                            .kind = METRICS_GAUGE,
                            .help = "Subscriptions of clients and rooms."},
};

int figures_open(struct node *node, struct error *ret_error) {
    for (unsigned i = 0; i < NODE_FIGURES; i++) {
        int failed = metrics_add_series(node->room.metrics, &families[i], NULL, &node->figures[i]);
        if (failed)
            return error_set(ret_error, failed, "no memory for the node's metrics");
    }
    int failed = log_figures_open(node);
    return failed ? error_set(ret_error, failed, "no memory for the log's metrics") : 0;
}

static void add(struct node_shard *shard, enum node_figure figure, uint64_t now, uint64_t before) {
    metrics_count(shard->room.metrics, shard->node->figures[figure], now - before);
}

static void tick(struct io_timer *timer) {
    struct node_shard *shard = container_of(timer, struct node_shard, figures_timer);
    struct bus_stats now = bus_stats(shard->room.bus), before = shard->counted;
    add(shard, NODE_PUBLISHED, now.published, before.published);
    add(shard, NODE_DELIVERED, now.delivered, before.delivered);
    add(shard, NODE_TO_SHARDS, now.to_shards, before.to_shards);
    add(shard, NODE_CACHE_MISSES, now.cache_misses, before.cache_misses);
    add(shard, NODE_SUBSCRIPTIONS, now.subscriptions, before.subscriptions);
    shard->counted = now;
    io_timer_start(shard->room.loop, timer, TICK_NS, tick);
}

void figures_start(struct node_shard *shard) {
    io_timer_start(shard->room.loop, &shard->figures_timer, TICK_NS, tick);
    log_figures_start(shard);
}

void figures_stop(struct node_shard *shard) {
    io_timer_stop(shard->room.loop, &shard->figures_timer);
    log_figures_stop(shard);
}
