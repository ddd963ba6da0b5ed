/*
 * welcome.c - what `nonet run` shows a person: where everything listens, what to try, and a line of
 * rates that renews itself once a second. Only on a terminal; a pipe gets the log alone.
 */
#include "node/parts.h"

#include <stdio.h>

#define RATE_NS 1000000000ull

static void on_rate(struct io_timer *timer) {
    struct node *node = container_of(timer, struct node, rate_timer);
    uint64_t published = (uint64_t)metrics_value(node->room.metrics, node->figures[NODE_PUBLISHED]);
    uint64_t delivered = (uint64_t)metrics_value(node->room.metrics, node->figures[NODE_DELIVERED]);
    printf(
        "\r  %llu published/s   %llu delivered/s   %llu subscriptions        ",
        (unsigned long long)(published - node->rate_published),
        (unsigned long long)(delivered - node->rate_delivered),
        (unsigned long long)metrics_value(node->room.metrics, node->figures[NODE_SUBSCRIPTIONS]));
    fflush(stdout);
    node->rate_published = published;
    node->rate_delivered = delivered;
    io_timer_start(node->shards[0].room.loop, timer, RATE_NS, on_rate);
}

static const char *address_of(const struct node *node, const char *name) {
    for (unsigned i = 0; i < node->port_count; i++)
        if (strcmp(node->ports[i].name, name) == 0)
            return node->ports[i].address;
    return NULL;
}

void node_welcome(struct node *node) {
    printf("\n  %s is running (nonet " NONET_VERSION ")\n\n", node->name);
    for (unsigned i = 0; i < node->port_count; i++)
        printf("  %-7s %s\n", node->ports[i].name, node->ports[i].address);
    const char *nats = address_of(node, "nats");
    const char *admin = address_of(node, "admin");
    printf("\n  try, in another terminal:\n\n");
    if (nats && node->config->streams.count) {
        const struct config_stream *first = node->config->streams.items;
        printf("    build/nonet stream info %.*s --server nats://%s\n", slice_fmt(first->item.name),
               nats);
    } else if (nats) {
        printf("    build/nonet sub '>' --server nats://%s\n", nats);
    }
    if (nats && node->config->services.count)
        printf("    build/nonet req auction.get.1007 --server nats://%s\n", nats);
    else if (nats)
        printf("    build/nonet pub hello world --server nats://%s\n", nats);
    if (admin)
        printf("    curl http://%s/v1/status\n", admin);
    printf("\n  Ctrl-C stops it.\n\n");
    fflush(stdout);
    io_timer_start(node->shards[0].room.loop, &node->rate_timer, RATE_NS, on_rate);
}

void node_farewell(struct node *node) {
    if (io_timer_running(&node->rate_timer))
        putchar('\n');
    io_timer_stop(node->shards[0].room.loop, &node->rate_timer);
}
