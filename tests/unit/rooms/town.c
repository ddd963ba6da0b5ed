/*
 * town.c - a gateway's proxy and what surrounds it, played (town.h).
 */
#include "town.h"

#include "rooms/gateway/access_log.h"
#include "rooms/gateway/steps.h"

#include <stdio.h>
#include <stdlib.h>

struct town town;

/* --- what the room's other files are asked -----------------------------------------------------
 */

const struct metrics_family gateway_seconds_family = {
    .name = "seconds", .help = "x", .kind = METRICS_HISTOGRAM};

static enum step_result introduce(struct exchange *x) {
    memcpy(x->traceparent, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
           sizeof x->traceparent);
    x->request_id = slice_lit("id");
    x->peer = x->client = slice_lit("10.0.0.1");
    return STEP_ON;
}

gateway_step gateway_step_at(unsigned index) {
    return index == 0 ? introduce : NULL;
}

void access_log_write(struct gateway_access_log *log, const struct exchange *x) {
    (void)log;
    (void)x;
    assert_true(false);
}

void gateway_stream_over(struct gateway_shard *shard, struct gateway_stream *stream) {
    (void)shard;
    list_remove(&stream->node);
}

/* --- services ----------------------------------------------------------------------------------
 */

/* Short of memory, as the gateway is. */
static void give_up(struct line *line) {
    line->service->gave_up = true;
    io_stream_abort(line->stream);
}

void say(struct line *line, const char *text) {
    if (text && io_stream_write(line->stream, slice_str(text)))
        give_up(line);
}

static void take_head(struct line *line, slice head) {
    struct service *service = line->service;
    bool question = slice_starts_with(head, slice_lit("GET /healthz "));
    const char *says = question ? service->health_says : service->says;
    snprintf(service->last, sizeof service->last, "%.*s", slice_fmt(head));
    service->questions += question;
    service->asked += !question;
    line->tunnel = says && strcmp(says, SWITCHES) == 0;
    say(line, says);
}

static void on_bytes(void *owner, slice bytes) {
    struct line *line = owner;
    if (line->tunnel) {
        if (io_stream_write(line->stream, bytes))
            give_up(line);
        return;
    }
    if (buf_append(&line->got, bytes)) {
        give_up(line);
        return;
    }
    ptrdiff_t end;
    while (!line->tunnel &&
           (end = slice_find_slice(buf_slice(&line->got), slice_lit("\r\n\r\n"))) >= 0) {
        take_head(line, slice_take(buf_slice(&line->got), (size_t)end + 4));
        buf_clear(&line->got); /* bodies are sent with their heads here */
    }
}

static void on_close(void *owner, int reason) {
    struct line *line = owner;
    (void)reason;
    line->stream = NULL;
    line->service->open--;
    buf_free(&line->got);
}

static void on_accept(void *owner, struct io_loop *loop, struct io_stream *stream) {
    static const struct io_stream_events events = {.on_bytes = on_bytes, .on_close = on_close};
    struct service *service = owner;
    (void)loop;
    assert_true(service->accepted < LINES_MAX);
    struct line *line = &service->lines[service->accepted++];
    *line = (struct line){.service = service, .stream = stream, .got = buf_make(1u << 20)};
    service->open++;
    io_stream_set_events(stream, &events, line);
}

void town_listen(unsigned index) {
    struct service *service = &town.services[index];
    char address[32];
    struct error error;
    snprintf(address, sizeof address, "0.0.0.0:%u", 81 + index);
    struct io_listen_options options = {
        .address = address, .loop_count = 1, .on_accept = on_accept, .owner = service};
    assert_int_equal(io_listen(io_group_loop(town.group, 0), &options, &service->listener, &error),
                     0);
}

/* --- the town ----------------------------------------------------------------------------------
 */

const slice town_urls[SERVICES_MAX] = {{"http://far:81", 13}, {"http://far:82", 13}};

void run(uint64_t span_ns) {
    desk_run(town.desk, span_ns);
}

void town_make(uint64_t seed, unsigned services) {
    memset(&town, 0, sizeof town);
    town.desk = desk_open(seed, NULL);
    town.host = sim_host_create(town.desk->sim, "far");
    assert_int_equal(io_group_create(town.host, 1, &town.group), 0);
    sim_group_start(town.group, NULL, NULL);
    for (unsigned i = 0; i < SERVICES_MAX; i++) {
        town.services[i].says = town.services[i].health_says = OK_HI;
        town_listen(i);
    }
    struct gateway_to *to = &town.config.to;
    to->http = (struct conf_array){(void *)(uintptr_t)town_urls, services};
    to->balance = GATEWAY_ROUND_ROBIN;
    to->eject.failures = 3;
    to->eject.time_ns = 10 * SIM_SECOND;
    to->retry.attempts = 1;
    to->retry.budget_percent = 20;
}

struct proxy_target *town_open(void) {
    struct error error;
    town.metrics = metrics_new(1);
    town.node = (struct room_node){
        .host = town.desk->host[1], .metrics = town.metrics, .shards = 1, .serving = 1};
    town.room = (struct room_shard){.node = &town.node,
                                    .loop = desk_loop(town.desk),
                                    .metrics = metrics_shard(town.metrics, 0)};
    town.gateway = (struct gateway){.node = &town.node, .shards = {&town.shard}};
    town.shard = (struct gateway_shard){
        .gateway = &town.gateway, .shard = &town.room, .random = random_make(1)};
    list_init(&town.shard.exchanges);
    list_init(&town.shard.streams);
    town.table = (struct gateway_table){.gateway = &town.gateway, .arena = arena_make(0, 1u << 20)};
    town.route = (struct gateway_route){.table = &town.table,
                                        .target = &http_target,
                                        .exchange_ns = town.config.exchange_timeout_ns};
    assert_int_equal(http_target.open(&town.gateway, &town.config, &town.table.arena,
                                      &town.route.target_self, &error),
                     0);
    assert_int_equal(http_target.shard_open(town.route.target_self, &town.shard), 0);
    desk_serve_only(town.desk, &(struct http_route){.pattern = "/*",
                                                    .handle = exchange_begin_request,
                                                    .owner = &town.route,
                                                    .streams = true});
    return town.route.target_self;
}

void town_close(void) {
    for (unsigned i = 0; i < town.desk->stranger_count; i++)
        stranger_leaves(&town.desk->strangers[i]);
    run(DESK_PATIENCE);
    assert_true(list_empty(&town.shard.exchanges));
    assert_true(list_empty(&town.shard.streams));
    http_target.shard_close(town.route.target_self, &town.shard);
    gateway_upstreams_close(&town.shard);
    gateway_names_close(&town.shard);
    run(SIM_SECOND);
    for (unsigned i = 0; i < SERVICES_MAX; i++) {
        assert_int_equal(town.services[i].open, 0);
        io_listener_close(town.services[i].listener);
    }
    io_listener_close(town.near_listener);
    run(SIM_SECOND);
    io_group_free(town.group);
    if (town.near)
        io_group_free(town.near);
    http_target.close(town.route.target_self);
    desk_close(town.desk);
    arena_free(&town.table.arena);
    metrics_free(town.metrics);
}

void town_make_near(void) {
    struct io_host *host = sim_host_create(town.desk->sim, "near");
    struct io_listen_options options = {.address = "0.0.0.0:81",
                                        .loop_count = 1,
                                        .on_accept = on_accept,
                                        .owner = &town.services[1]};
    struct error error;
    assert_int_equal(io_group_create(host, 1, &town.near), 0);
    sim_group_start(town.near, NULL, NULL);
    assert_int_equal(io_listen(io_group_loop(town.near, 0), &options, &town.near_listener, &error),
                     0);
}

const struct upstream *upstream_at(unsigned index) {
    const struct proxy_target *target = town.route.target_self;
    return target->shares[0]->upstreams[index];
}

unsigned ask(const char *text) {
    struct stranger *s = desk_stranger(town.desk);
    stranger_says(s, text);
    run(SIM_SECOND / 10);
    slice got = stranger_got(s);
    unsigned status = got.len > 12 ? (unsigned)strtoul(got.ptr + 9, NULL, 10) : 0;
    stranger_leaves(s);
    return status;
}
