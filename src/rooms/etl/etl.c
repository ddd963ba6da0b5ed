/*
 * etl.c - the room of flows: starts those of the config on shard 0, keeps their figures.
 *
 *   shard_open (shard 0) --> flows are started when the node is (`started`), end in shard_close
 *
 * Flows begin after the declared streams are there, so that a flow finds the stream it writes to.
 */
#include "rooms/etl/etl.h"

#include "base/mem.h"
#include "flow/flow.h"
#include "rooms/etl/etl_config.h"
#include "rooms/etl/nexmark.h"
#include "rooms/etl/publish.h"

#include <errno.h>

#define TICK_NS 1000000000ull
#define SHUFFLE_PRIME 953

struct etl_item {
    struct flow *flow;
    struct metric records, failures;
    struct flow_stats counted;
};

struct etl {
    struct room_node *node;
    const struct conf_array *flows; /* of struct etl_flow */
    struct room_shard *shard;       /* shard 0, once it is open */
    struct io_timer tick;
    struct etl_item *items;
};

static const struct metrics_family records_family = {
    .name = "nonet_flow_records_total",
    .kind = METRICS_COUNTER,
    .labels = {"flow"},
    .help = "Records that a flow's sink has confirmed.",
};
static const struct metrics_family failures_family = {
    .name = "nonet_flow_failures_total",
    .kind = METRICS_COUNTER,
    .labels = {"flow"},
    .help = "Times a flow had to pause and try again.",
};

static void judge(const void *section, const struct room_setting *setting,
                  struct conf_errors *errors) {
    (void)setting;
    const struct conf_array *flows = section;
    const struct etl_flow *items = flows->items;
    for (size_t i = 0; i < flows->count; i++)
        if (items[i].from.nexmark.out_of_order % SHUFFLE_PRIME == 0 &&
            items[i].from.nexmark.out_of_order > 0)
            conf_errors_note(errors, items[i].from.nexmark.item.place,
                             "the shuffle steps by 953: take another group size",
                             "'out_of_order' in nexmark is a multiple of 953");
}

static int open_room(struct room_node *node, const void *section, void **ret_self,
                     struct error *ret_error) {
    struct etl *etl = mem_zalloc(1, sizeof *etl);
    if (!etl)
        return error_set(ret_error, -ENOMEM, "no memory for flows");
    etl->node = node;
    etl->flows = section;
    size_t count = etl->flows ? etl->flows->count : 0;
    etl->items = mem_zalloc(count ? count : 1, sizeof *etl->items);
    if (!etl->items) {
        mem_free(etl);
        return error_set(ret_error, -ENOMEM, "no memory for %zu flows", count);
    }
    *ret_self = etl;
    return 0;
}

static int shard_open(void *self, struct room_shard *shard, void **ret_shard_self,
                      struct error *ret_error) {
    (void)ret_error;
    struct etl *etl = self;
    if (shard->index == 0)
        etl->shard = shard;
    *ret_shard_self = shard->index == 0 ? etl : NULL;
    return 0;
}

static void on_tick(struct io_timer *timer) {
    struct etl *etl = container_of(timer, struct etl, tick);
    for (size_t i = 0; i < etl->flows->count; i++) {
        struct etl_item *item = &etl->items[i];
        struct flow_stats now = flow_stats(item->flow);
        uint64_t moved =
            now.written > item->counted.written ? now.written - item->counted.written : 0;
        metrics_count(etl->shard->metrics, item->records, moved);
        metrics_count(etl->shard->metrics, item->failures, now.failures - item->counted.failures);
        item->counted = now;
    }
    io_timer_start(etl->shard->loop, &etl->tick, TICK_NS, on_tick);
}

static int start_flow(struct etl *etl, size_t i, struct error *ret_error) {
    const struct etl_flow *config = (const struct etl_flow *)etl->flows->items + i;
    struct etl_item *item = &etl->items[i];
    int failed =
        metrics_add_series(etl->node->metrics, &records_family, &config->item.name, &item->records);
    if (!failed)
        failed = metrics_add_series(etl->node->metrics, &failures_family, &config->item.name,
                                    &item->failures);
    if (failed)
        return error_set(ret_error, failed, "no room for the metrics of flow %.*s",
                         slice_fmt(config->item.name));
    struct flow_options options = {
        .name = config->item.name,
        .bus = etl->shard->bus,
        .logger = etl->node->logger,
        .source = &nexmark_source,
        .source_config = &config->from.nexmark,
        .sink = &publish_sink,
        .sink_config = &config->to,
    };
    return flow_start(&options, &item->flow, ret_error);
}

static int started(void *self, struct error *ret_error) {
    struct etl *etl = self;
    if (!etl->flows || !etl->flows->count)
        return 0;
    for (size_t i = 0; i < etl->flows->count; i++) {
        int failed = start_flow(etl, i, ret_error);
        if (failed)
            return failed;
    }
    io_timer_start(etl->shard->loop, &etl->tick, TICK_NS, on_tick);
    return 0;
}

static void stop_flows(struct etl *etl) {
    io_timer_stop(etl->shard->loop, &etl->tick);
    for (size_t i = 0; etl->flows && i < etl->flows->count; i++)
        etl->items[i].flow = flow_free(etl->items[i].flow);
}

static void drain(void *shard_self, void (*done)(void *argument), void *argument) {
    if (shard_self)
        stop_flows(shard_self);
    done(argument);
}

static void shard_close(void *shard_self) {
    if (shard_self)
        stop_flows(shard_self);
}

static void close_room(void *self) {
    struct etl *etl = self;
    mem_free(etl->items);
    mem_free(etl);
}

const struct room etl_room = {
    .name = "etl",
    .config = &etl_flows_key,
    .judge = judge,
    .open = open_room,
    .shard_open = shard_open,
    .started = started,
    .drain = drain,
    .shard_close = shard_close,
    .close = close_room,
};
