/*
 * events_target.c - event streams behind a route that says so: to: {node: events}.
 *
 * The requests go where those of node: admin go, to the admin listener, but as the gateway's own:
 *
 *     Authorization: Nonet-Gateway TOKEN    the guard knows us by it (http/guard.h), and lets us to
 *                                           the routes of event streams, to no others
 *     X-Nonet-Principal                     who asks, as to every service; it becomes `actor` in
 *                                           the metadata of what is appended
 *     X-Nonet-Categories: order,stock       where the route names some: to these it is confined
 *
 * No X-Nonet- field of a client's goes on (proxy_fields.c), and what browsers say of pages is left
 * out, for it is the gateway's route that is asked across origins, not the admin listener.
 *
 * Following (lines of JSON without an end) ends as every event stream does: when the loop drains,
 * and when what let the client in has come to its end (login_end.h).
 */
#include "base/number.h"
#include "http/guard.h"
#include "rooms/gateway/node_target.h"
#include "rooms/gateway/proxy.h"
#include "wire/url.h"

#include <errno.h>

#define CATEGORIES_MAX ((size_t)32 << 10) /* of the field; a head has at most 64 KB */
#define CONNECTIONS_DEFAULT 1024
#define TIMEOUT_NS (UINT64_C(90) * NUMBER_NS_PER_SECOND) /* a read may wait for a minute */

struct events {
    void *http;
    slice authorization, categories; /* categories: percent-encoded, with commas; or empty */
    bool read_only;
};

static bool chosen(const struct gateway_to *to) {
    return slice_equal(to->node, slice_lit("events"));
}

static int join_categories(const struct conf_array *list, struct arena *arena, slice *ret_text) {
    const slice *items = list->items;
    _cleanup_buf_ struct buf text = buf_make(CATEGORIES_MAX);
    int failed = 0;
    for (size_t i = 0; i < list->count && !failed; i++) {
        failed = i ? buf_append_byte(&text, ',') : 0;
        if (!failed)
            failed = buf_reserve(&text, items[i].len * 3);
        if (!failed)
            text.len += url_encode_value(items[i], text.ptr + text.len);
    }
    return failed ? failed : arena_copy(arena, buf_slice(&text), ret_text);
}

static int open_events(struct gateway *gateway, const struct gateway_route_config *config,
                       struct arena *arena, void **ret_self, struct error *ret_error) {
    struct gateway_route_config proxied = *config;
    struct events *events = arena_zalloc(arena, 1, sizeof *events);
    if (!events || arena_printf(arena, &events->authorization, HTTP_GATEWAY_SCHEME " %s",
                                gateway->node->gateway_token))
        return error_set(ret_error, -ENOMEM, "no memory for a route");
    int failed = join_categories(&config->to.categories, arena, &events->categories);
    if (failed)
        return error_set(ret_error, failed,
                         failed == -ENOBUFS ? "the categories of a route are too long"
                                            : "no memory for a route");
    events->read_only = config->to.read_only;
    proxied.to.connections = CONNECTIONS_DEFAULT;
    proxied.to.timeout_ns = TIMEOUT_NS;
    failed = node_target_open(gateway, &proxied, arena, &events->http, ret_error);
    if (failed)
        return failed;
    ((struct proxy_target *)events->http)->follows = true;
    *ret_self = events;
    return 0;
}

static void close_events(void *self) {
    struct events *events = self;
    http_target.close(events->http);
}

static int shard_open(void *self, struct gateway_shard *shard) {
    struct events *events = self;
    return http_target.shard_open(events->http, shard);
}

static void shard_close(void *self, struct gateway_shard *shard) {
    struct events *events = self;
    http_target.shard_close(events->http, shard);
}

/* Fields that nobody else may set, whatever a way of auth has been told to. */
static bool is_ours(slice name) {
    return slice_equal_nocase(name, slice_lit("Authorization")) ||
           slice_equal_nocase(slice_take(name, 8), slice_lit("X-Nonet-"));
}

/* What goes on beside what steps have said already, and in place of what the client has. */
static int set_onward(struct exchange *x, const struct events *events) {
    const struct http1_field ours[] = {
        {slice_lit("Authorization"), events->authorization},
        {slice_lit("X-Nonet-Categories"), events->categories},
        {slice_lit("Cookie"), {0}},
        {slice_lit("Origin"), {0}},
        {slice_lit("Sec-Fetch-Site"), {0}},
    };
    unsigned count = 0;
    struct http1_field *all =
        arena_zalloc(exchange_arena(x), array_count(ours) + x->onward_count, sizeof *all);
    if (!all)
        return -ENOMEM;
    for (size_t i = 0; i < array_count(ours); i++) {
        all[count] = ours[i];
        if (!ours[i].value.len)
            all[count].value.ptr = NULL;
        count++;
    }
    for (unsigned i = 0; i < x->onward_count; i++)
        if (!is_ours(x->onward[i].name))
            all[count++] = x->onward[i];
    x->onward = all;
    x->onward_count = count;
    return 0;
}

static void start(struct exchange *x, void *self) {
    struct events *events = self;
    slice method = http_request_method(x->request);
    bool reads = slice_equal(method, slice_lit("GET")) || slice_equal(method, slice_lit("HEAD"));
    if (events->read_only && !reads) {
        exchange_add_field(x, slice_lit("Allow"), slice_lit("GET, HEAD"));
        exchange_problem(x, 405, "read only", "event streams are read here, and not written");
    } else if (set_onward(x, events)) {
        exchange_problem(x, 503, "no memory", "there is no memory to answer this request");
    } else {
        http_target.start(x, events->http);
    }
}

static unsigned write_services(const void *self, const struct gateway_shard *shard, slice route,
                               unsigned max, struct json_writer *w) {
    const struct events *events = self;
    return http_target.write_services(events->http, shard, route, max, w);
}

const struct gateway_target events_target = {
    .name = "events",
    .chosen = chosen,
    .open = open_events,
    .close = close_events,
    .shard_open = shard_open,
    .shard_close = shard_close,
    .start = start,
    .write_services = write_services,
};
