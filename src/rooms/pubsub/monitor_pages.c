/*
 * monitor_pages.c - the JSON of /varz, /connz, /subsz and /jsz, with nats-server's names.
 *
 * Checked against what nats-server 2.9.10 answers. There is one account, "$G"; clusters, gateways,
 * leaf nodes and MQTT are answered as the empty objects that a server without them gives.
 */
#include "base/clocktext.h"
#include "base/mem.h"
#include "base/number.h"
#include "io/file.h"
#include "io/process.h"
#include "rooms/pubsub/jetstream.h"
#include "rooms/pubsub/monitor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CPU_SPAN_NS 500000000ull /* the shortest time CPU is measured over */

static void real(struct json_writer *w, const char *key, double value) {
    json_write_key(w, key);
    json_write_double(w, value);
}

static void moment(struct json_writer *w, const char *key, int64_t unix_ns) {
    char out[CLOCKTEXT_SIZE];
    clocktext_format(unix_ns, out);
    json_put_text(w, key, out);
}

static void empty(struct json_writer *w, const char *key) {
    json_write_key(w, key);
    json_write_object(w);
    json_write_end(w);
}

static void object(struct json_writer *w, const char *key) {
    json_write_key(w, key);
    json_write_object(w);
}

static int64_t now_ns(const struct pubsub_shard *room) {
    return io_loop_wall_ns(room->shard->loop);
}

/* --- rows --------------------------------------------------------------------------------- */

struct rows {
    struct place {
        struct monitor_row row;
        slice json;
    } * places;
    size_t count;
};

static int compare(const void *left, const void *right) {
    const struct place *a = left, *b = right;
    if (a->row.key != b->row.key)
        return a->row.key < b->row.key ? -1 : 1;
    return (a->row.tie > b->row.tie) - (a->row.tie < b->row.tie);
}

static bool next_row(slice *rest, struct place *place) {
    if (rest->len == 0)
        return false;
    check(rest->len >= sizeof place->row);
    memcpy(&place->row, rest->ptr, sizeof place->row);
    *rest = slice_skip(*rest, sizeof place->row);
    check(rest->len >= place->row.length);
    place->json = slice_take(*rest, place->row.length);
    *rest = slice_skip(*rest, place->row.length);
    return true;
}

/* All rows in order. 0 or -ENOMEM; the caller frees the places. */
static int sort_rows(const struct monitor_page *page, struct rows *ret_rows) {
    struct place place;
    slice rest = buf_slice(&page->rows);
    size_t count = 0;
    while (next_row(&rest, &place))
        count++;
    struct rows rows = {mem_alloc((count + 1) * sizeof *rows.places), 0};
    if (!rows.places)
        return -ENOMEM;
    rest = buf_slice(&page->rows);
    while (next_row(&rest, &rows.places[rows.count]))
        rows.count++;
    qsort(rows.places, rows.count, sizeof *rows.places, compare);
    *ret_rows = rows;
    return 0;
}

/* How many of the rows OFFSET and LIMIT let through. */
static size_t shown(const struct rows *rows, uint64_t offset, uint64_t limit) {
    size_t left = rows->count > offset ? rows->count - (size_t)offset : 0;
    return left < limit ? left : (size_t)limit;
}

static void write_rows(struct json_writer *w, const char *key, const struct rows *rows,
                       uint64_t offset, uint64_t limit) {
    size_t count = shown(rows, offset, limit);
    json_write_key(w, key);
    json_write_array(w);
    for (size_t i = 0; i < count; i++)
        json_write_raw(w, rows->places[offset + i].json);
    json_write_end(w);
}

/* --- /varz -------------------------------------------------------------------------------- */

/* Percent of one core since this was last asked here, at first since the start. */
static double cpu_percent(struct pubsub_shard *room) {
    struct monitor_memory *memory = monitor_memory(room);
    struct io_usage usage = io_usage_now();
    uint64_t cpu_ns = usage.cpu_user_ns + usage.cpu_system_ns;
    uint64_t at_ns = (uint64_t)(now_ns(room) - room->pubsub->node->started_ns);
    if (at_ns > memory->cpu_at_ns && at_ns - memory->cpu_at_ns >= CPU_SPAN_NS) {
        memory->cpu_percent =
            (double)(cpu_ns - memory->cpu_ns) / (double)(at_ns - memory->cpu_at_ns) * 100;
        memory->cpu_ns = cpu_ns;
        memory->cpu_at_ns = at_ns;
    }
    return memory->cpu_percent;
}

static void write_api(struct json_writer *w, const struct monitor_page *page) {
    object(w, "api");
    json_put_u64(w, "level", JETSTREAM_API_LEVEL);
    json_put_u64(w, "total", page->figures[MONITOR_API_REQUESTS]);
    json_put_u64(w, "errors", page->figures[MONITOR_API_ERRORS]);
    json_write_end(w);
}

/* Where no limit is set streams take what they need until the disk is full. */
static void write_jetstream_config(struct pubsub_shard *room, const struct monitor_page *page,
                                   struct json_writer *w) {
    const struct room_node *node = room->pubsub->node;
    uint64_t free_bytes;
    object(w, "config");
    json_write_key(w, "max_memory");
    uint64_t memory = node->limits.memory_store_bytes_max;
    json_write_i64(w, memory ? (int64_t)memory : -1);
    if (node->limits.file_store_bytes_max)
        json_put_u64(w, "max_storage", node->limits.file_store_bytes_max);
    else if (io_free_bytes(node->host, node->directory, &free_bytes) == 0)
        json_put_u64(w, "max_storage", free_bytes + page->figures[MONITOR_STREAM_BYTES]);
    json_put_text(w, "store_dir", node->directory);
    json_write_end(w);
}

static void write_jetstream_stats(const struct monitor_page *page, struct json_writer *w) {
    json_put_u64(w, "memory", page->figures[MONITOR_MEMORY_BYTES]);
    json_put_u64(w, "storage", page->figures[MONITOR_STREAM_BYTES]);
    json_put_u64(w, "reserved_memory", page->figures[MONITOR_MEMORY_RESERVED]);
    json_put_u64(w, "reserved_storage", page->figures[MONITOR_STREAM_RESERVED]);
    json_put_u64(w, "accounts", 1);
    json_put_u64(w, "ha_assets", 0);
    write_api(w, page);
}

static void write_listener(struct pubsub_shard *room, struct json_writer *w) {
    const struct room_node *node = room->pubsub->node;
    const struct room_limits *limits = &node->limits;
    json_put_text(w, "host", room->pubsub->host);
    json_put_u64(w, "port", room->pubsub->port);
    json_put_u64(w, "max_connections", limits->connections_max);
    json_put_u64(w, "ping_interval", limits->ping_interval_ns);
    json_put_u64(w, "ping_max", limits->ping_out_max);
    real(w, "auth_timeout", (double)limits->auth_timeout_ns * 1e-9);
    json_put_u64(w, "max_control_line", limits->line_bytes_max);
    json_put_u64(w, "max_payload", limits->payload_bytes_max);
    json_put_u64(w, "max_pending", limits->pending_bytes_max);
    json_write_key(w, "auth_required");
    json_write_bool(w, auth_required(room->auth) && !auth_stranger(room->auth));
    json_write_key(w, "tls_required");
    json_write_bool(w, room->tls != NULL);
    json_put_u64(w, "write_deadline", limits->write_deadline_ns);
}

static uint64_t counted(struct pubsub_shard *room, struct metric metric) {
    int64_t value = metrics_value(room->pubsub->node->metrics, metric);
    return value > 0 ? (uint64_t)value : 0;
}

static void write_traffic(struct pubsub_shard *room, const struct monitor_page *page,
                          struct json_writer *w) {
    const struct pubsub_metrics *m = &room->pubsub->metrics;
    json_put_u64(w, "connections", page->figures[MONITOR_CLIENTS]);
    json_put_u64(w, "total_connections", counted(room, m->connections_total));
    json_put_u64(w, "routes", 0);
    json_put_u64(w, "remotes", 0);
    json_put_u64(w, "leafnodes", 0);
    json_put_u64(w, "in_msgs", counted(room, m->messages_in));
    json_put_u64(w, "out_msgs", counted(room, m->messages_out));
    json_put_u64(w, "in_bytes", counted(room, m->bytes_in));
    json_put_u64(w, "out_bytes", counted(room, m->bytes_out));
    json_put_u64(w, "slow_consumers", counted(room, m->slow_consumers));
    json_put_u64(w, "subscriptions", page->figures[MONITOR_SUBSCRIPTIONS]);
}

static void write_asked(struct pubsub_shard *room, struct json_writer *w) {
    static const char *const paths[MONITOR_KINDS] = {"/varz", "/connz", "/subsz", "/jsz"};
    object(w, "http_req_stats");
    for (unsigned i = 0; i < MONITOR_KINDS; i++)
        json_put_u64(w, paths[i], monitor_memory(room)->asked[i]);
    json_write_end(w);
}

static void write_varz(struct pubsub_shard *room, const struct monitor_page *page,
                       struct json_writer *w) {
    const struct room_node *node = room->pubsub->node;
    char uptime[NUMBER_TEXT_MAX * 2];
    int64_t up_ns = now_ns(room) - node->started_ns;
    uint64_t up_seconds = up_ns > 0 ? (uint64_t)up_ns / NUMBER_NS_PER_SECOND : 0;
    number_format_duration(up_seconds * NUMBER_NS_PER_SECOND, uptime);
    json_put_text(w, "server_name", node->name);
    json_put_text(w, "version", PUBSUB_NATS_VERSION);
    json_put_u64(w, "proto", 1);
    json_put_text(w, "go", "nonet " NONET_VERSION);
    write_listener(room, w);
    empty(w, "cluster");
    empty(w, "gateway");
    empty(w, "leaf");
    empty(w, "mqtt");
    empty(w, "websocket");
    object(w, "jetstream");
    write_jetstream_config(room, page, w);
    object(w, "stats");
    write_jetstream_stats(page, w);
    json_write_end(w);
    json_write_end(w);
    moment(w, "start", node->started_ns);
    json_put_text(w, "uptime", uptime);
    json_put_u64(w, "mem", io_usage_now().resident_bytes);
    json_put_u64(w, "cores", io_core_count());
    json_put_u64(w, "gomaxprocs", node->serving);
    real(w, "cpu", cpu_percent(room));
    write_traffic(room, page, w);
    write_asked(room, w);
}

/* --- /connz, /subsz ----------------------------------------------------------------------- */

static void write_connz(const struct monitor_page *page, const struct rows *rows,
                        struct json_writer *w) {
    const struct monitor_query *query = &page->query;
    json_put_u64(w, "num_connections", shown(rows, query->offset, query->limit));
    json_put_u64(w, "total", page->figures[MONITOR_MATCHED]);
    json_put_u64(w, "offset", query->offset);
    json_put_u64(w, "limit", query->limit);
    write_rows(w, "connections", rows, query->offset, query->limit);
}

static void write_subsz(const struct monitor_page *page, const struct rows *rows,
                        struct json_writer *w) {
    const uint64_t *figures = page->figures;
    const struct monitor_query *query = &page->query;
    uint64_t lookups = figures[MONITOR_CACHE_HITS] + figures[MONITOR_CACHE_MISSES];
    uint64_t published = figures[MONITOR_PUBLISHED];
    json_put_u64(w, "num_subscriptions", figures[MONITOR_SUBSCRIPTIONS]);
    json_put_u64(w, "num_matches", lookups);
    real(w, "cache_hit_rate", lookups ? (double)figures[MONITOR_CACHE_HITS] / (double)lookups : 0);
    real(w, "avg_fanout", published ? (double)figures[MONITOR_DELIVERED] / (double)published : 0);
    if (!query->subscriptions && !query->details)
        return;
    json_put_u64(w, "total", figures[MONITOR_MATCHED]);
    json_put_u64(w, "offset", query->offset);
    json_put_u64(w, "limit", query->limit);
    write_rows(w, "subscriptions_list", rows, query->offset, query->limit);
}

/* --- /jsz --------------------------------------------------------------------------------- */

static void write_account(const struct monitor_page *page, const struct rows *rows,
                          struct json_writer *w) {
    json_write_object(w);
    json_put_text(w, "name", "$G");
    json_put_text(w, "id", "$G");
    write_jetstream_stats(page, w);
    if (page->query.streams || page->query.consumers)
        write_rows(w, "stream_detail", rows, 0, UINT64_MAX);
    json_write_end(w);
}

bool monitor_lists_account(const struct monitor_query *query) {
    if (query->account[0])
        return strcmp(query->account, "$G") == 0;
    return (query->accounts || query->streams || query->consumers) && query->offset == 0;
}

static void write_jsz(struct pubsub_shard *room, const struct monitor_page *page,
                      const struct rows *rows, struct json_writer *w) {
    write_jetstream_config(room, page, w);
    write_jetstream_stats(page, w);
    json_put_u64(w, "streams", page->figures[MONITOR_STREAMS]);
    json_put_u64(w, "consumers", page->figures[MONITOR_CONSUMERS]);
    json_put_u64(w, "messages", page->figures[MONITOR_STREAM_MESSAGES]);
    json_put_u64(w, "bytes",
                 page->figures[MONITOR_STREAM_BYTES] + page->figures[MONITOR_MEMORY_BYTES]);
    if (!monitor_lists_account(&page->query))
        return;
    json_write_key(w, "account_details");
    json_write_array(w);
    write_account(page, rows, w);
    json_write_end(w);
}

int monitor_write(struct pubsub_shard *room, const struct monitor_page *page,
                  struct json_writer *w) {
    struct rows rows;
    if (page->figures[MONITOR_LEFT_OUT])
        return -E2BIG;
    if (sort_rows(page, &rows))
        return -ENOMEM;
    json_write_object(w);
    json_put_text(w, "server_id", room->pubsub->node->server_id);
    moment(w, "now", now_ns(room));
    switch (page->query.kind) {
    case MONITOR_VARZ:
        write_varz(room, page, w);
        break;
    case MONITOR_CONNZ:
        write_connz(page, &rows, w);
        break;
    case MONITOR_SUBSZ:
        write_subsz(page, &rows, w);
        break;
    case MONITOR_JSZ:
    case MONITOR_KINDS:
        write_jsz(room, page, &rows, w);
        break;
    }
    json_write_end(w);
    mem_free(rows.places);
    return 0;
}

static void write_flow(struct json_writer *w, const char *key, uint64_t messages, uint64_t bytes) {
    object(w, key);
    json_put_u64(w, "msgs", messages);
    json_put_u64(w, "bytes", bytes);
    json_write_end(w);
}

void monitor_write_statsz(struct pubsub_shard *room, const struct monitor_page *page,
                          struct json_writer *w) {
    const struct pubsub_metrics *m = &room->pubsub->metrics;
    json_write_object(w);
    moment(w, "start", room->pubsub->node->started_ns);
    json_put_u64(w, "mem", io_usage_now().resident_bytes);
    json_put_u64(w, "cores", io_core_count());
    real(w, "cpu", cpu_percent(room));
    json_put_u64(w, "connections", page->figures[MONITOR_CLIENTS]);
    json_put_u64(w, "total_connections", counted(room, m->connections_total));
    json_put_u64(w, "active_accounts", 1);
    json_put_u64(w, "subscriptions", page->figures[MONITOR_SUBSCRIPTIONS]);
    write_flow(w, "sent", counted(room, m->messages_out), counted(room, m->bytes_out));
    write_flow(w, "received", counted(room, m->messages_in), counted(room, m->bytes_in));
    json_put_u64(w, "slow_consumers", counted(room, m->slow_consumers));
    json_write_end(w);
}
