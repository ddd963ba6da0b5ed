/*
 * node_target.c - the node's own APIs behind a route that says so.
 *
 * The admin listener's handlers run on one loop, behind a guard that judges who asks. So a route to
 * them is a route to that listener's own address: one hop more, and exactly the answers it gives.
 * Changing calls need what they need there (Authorization goes on as it came). The address must be
 * known when routes are made: a port of 0 is refused.
 */
#include "rooms/gateway/node_target.h"

#include "rooms/gateway/target.h"

#include <errno.h>

static bool chosen(const struct gateway_to *to) {
    return slice_equal(to->node, slice_lit("admin"));
}

/* Where the listener is reached from here: an address that stands for all is one on loopback. */
static slice reachable(slice address) {
    static const slice any[] = {slice_lit("0.0.0.0:"), slice_lit("[::]:")};
    for (size_t i = 0; i < array_count(any); i++)
        if (slice_starts_with(address, any[i]))
            return slice_skip(address, any[i].len);
    return address;
}

static int make_url(const struct room_listen *admin, struct arena *arena, slice *ret_url,
                    struct error *ret_error) {
    slice address = admin && !admin->off ? slice_str(admin->address) : (slice){0};
    if (!address.len || slice_ends_with(address, slice_lit(":0"))) {
        error_set(ret_error, -EINVAL, "a route to the node's own APIs finds no admin listener");
        error_hint(ret_error, "give listen.admin an address with a port of its own");
        return -EINVAL;
    }
    slice rest = reachable(address);
    int failed =
        arena_printf(arena, ret_url, "%s://%s%.*s", admin->tls.cert_file ? "https" : "http",
                     rest.ptr == address.ptr ? "" : "127.0.0.1:", slice_fmt(rest));
    return failed ? error_set(ret_error, failed, "no memory for a route") : 0;
}

int node_target_open(struct gateway *gateway, const struct gateway_route_config *config,
                     struct arena *arena, void **ret_self, struct error *ret_error) {
    struct gateway_route_config proxied = *config;
    slice *url = arena_zalloc(arena, 1, sizeof *url);
    if (!url)
        return error_set(ret_error, -ENOMEM, "no memory for a route");
    int failed = make_url(room_listen(gateway->node, "admin"), arena, url, ret_error);
    if (failed)
        return failed;
    proxied.to.http = (struct conf_array){url, 1};
    proxied.to.tls.verify = false; /* it is this very process */
    proxied.to.eject.item.off = true;
    proxied.to.retry.item.off = true;
    return http_target.open(gateway, &proxied, arena, ret_self, ret_error);
}

static void node_close(void *self) {
    http_target.close(self);
}

static int node_shard_open(void *self, struct gateway_shard *shard) {
    return http_target.shard_open(self, shard);
}

static void node_shard_close(void *self, struct gateway_shard *shard) {
    http_target.shard_close(self, shard);
}

static void node_start(struct exchange *x, void *self) {
    http_target.start(x, self);
}

static unsigned node_write_services(const void *self, const struct gateway_shard *shard,
                                    slice route, unsigned max, struct json_writer *w) {
    return http_target.write_services(self, shard, route, max, w);
}

const struct gateway_target node_target = {
    .name = "node",
    .chosen = chosen,
    .open = node_target_open,
    .close = node_close,
    .shard_open = node_shard_open,
    .shard_close = node_shard_close,
    .start = node_start,
    .write_services = node_write_services,
};
