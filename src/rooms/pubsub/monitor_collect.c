/*
 * monitor_collect.c - one shard's part of a monitoring page: its figures and its rows.
 *
 * Rows come in the order of the page and at most as many as the page can need (offset + limit),
 * so a node with many shards and clients sends little. A row is finished JSON with its key in
 * front: who merges need not understand it.
 */
#include "base/clocktext.h"
#include "base/mem.h"
#include "base/number.h"
#include "rooms/pubsub/client_link.h"
#include "rooms/pubsub/jetstream.h"
#include "rooms/pubsub/monitor.h"
#include "wire/nats_subject.h"

#include <errno.h>
#include <stdlib.h>

#define ACCOUNT "$G"

/* --- figures ------------------------------------------------------------------------------ */

static void count_streams(struct pubsub_shard *room, uint64_t *figures) {
    struct streams *streams = room->shard->streams;
    for (struct stream *s = NULL;
         (s = stream_next(streams, s ? stream_config(s)->name : (slice){0}));) {
        struct log_stream_state state = log_stream_state(stream_log(s));
        figures[MONITOR_STREAMS]++;
        figures[MONITOR_CONSUMERS] += stream_consumer_count(s);
        figures[MONITOR_STREAM_MESSAGES] += state.messages;
        figures[stream_config(s)->in_memory ? MONITOR_MEMORY_BYTES : MONITOR_STREAM_BYTES] +=
            state.bytes;
        int64_t reserved = stream_config(s)->bytes_max;
        figures[stream_config(s)->in_memory ? MONITOR_MEMORY_RESERVED : MONITOR_STREAM_RESERVED] +=
            reserved > 0 ? (uint64_t)reserved : 0;
    }
    if (!room->jetstream)
        return;
    figures[MONITOR_API_REQUESTS] = room->jetstream->requests;
    figures[MONITOR_API_ERRORS] = room->jetstream->errors;
}

static void count_clients(struct pubsub_shard *room, uint64_t *figures) {
    struct list_node *at, *following;
    list_each(&room->clients, at, following) {
        struct client *c = container_of(at, struct client, in_room);
        figures[MONITOR_CLIENTS]++;
        figures[MONITOR_SUBSCRIPTIONS] += map_count(&c->subscriptions);
    }
}

static void count(struct pubsub_shard *room, uint64_t *figures) {
    struct bus_stats bus = bus_stats(room->shard->bus);
    count_clients(room, figures);
    if (room->shard->streams)
        count_streams(room, figures);
    figures[MONITOR_PUBLISHED] = bus.published;
    figures[MONITOR_DELIVERED] = bus.delivered;
    figures[MONITOR_CACHE_HITS] = bus.cache_hits;
    figures[MONITOR_CACHE_MISSES] = bus.cache_misses;
}

/* --- rows --------------------------------------------------------------------------------- */

static void moment(struct json_writer *w, const char *key, int64_t unix_ns) {
    char at[CLOCKTEXT_SIZE];
    json_put_string(w, key, slice_make(at, clocktext_format(unix_ns, at)));
}

static void span(struct json_writer *w, const char *key, uint64_t ns) {
    char out[NUMBER_TEXT_MAX * 2];
    json_put_string(w, key, slice_make(out, number_format_duration(ns, out)));
}

/* Whole seconds, as nats-server's "uptime" and "idle". */
static void span_seconds(struct json_writer *w, const char *key, int64_t from_ns, int64_t to_ns) {
    uint64_t ns = to_ns > from_ns ? (uint64_t)(to_ns - from_ns) : 0;
    span(w, key, ns - ns % NUMBER_NS_PER_SECOND);
}

/* Starts a row; what is written to W until row_end is its JSON. False: no room or memory. */
static bool row_begin(struct monitor_page *page, uint64_t key, uint64_t tie, size_t *ret_start) {
    struct monitor_row row = {.key = key, .tie = tie};
    *ret_start = page->rows.len;
    return buf_append(&page->rows, slice_make(&row, sizeof row)) == 0;
}

/* A row that did not fit is taken back: the page is then shorter than asked. */
static bool row_end(struct monitor_page *page, struct json_writer *w, size_t start) {
    if (json_write_finish(w)) {
        page->rows.len = start;
        return false;
    }
    uint32_t length = (uint32_t)(page->rows.len - start - sizeof(struct monitor_row));
    memcpy(page->rows.ptr + start + offsetof(struct monitor_row, length), &length, sizeof length);
    return true;
}

/* --- connections -------------------------------------------------------------------------- */

struct candidate {
    uint64_t key, cid;
    struct client *client;
};

static int compare(const void *left, const void *right) {
    const struct candidate *a = left, *b = right;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return (a->cid > b->cid) - (a->cid < b->cid);
}

/* What sorts first has the smallest key. */
static uint64_t sort_key(const struct client *c, enum monitor_sort sort) {
    switch (sort) {
    case MONITOR_BY_SUBS:
        return ~(uint64_t)map_count(&c->subscriptions);
    case MONITOR_BY_PENDING:
        return ~(uint64_t)client_pending(c);
    case MONITOR_BY_MSGS_TO:
        return ~c->messages_out;
    case MONITOR_BY_MSGS_FROM:
        return ~c->messages_in;
    case MONITOR_BY_BYTES_TO:
        return ~c->bytes_out;
    case MONITOR_BY_BYTES_FROM:
        return ~c->bytes_in;
    case MONITOR_BY_LAST:
        return ~(uint64_t)c->active_ns;
    case MONITOR_BY_IDLE:
        return (uint64_t)c->active_ns;
    case MONITOR_BY_START:
    case MONITOR_BY_UPTIME:
        return (uint64_t)c->started_ns;
    case MONITOR_BY_RTT:
        return ~c->round_trip_ns;
    case MONITOR_BY_CID:
    case MONITOR_SORTS:
        break;
    }
    return c->id;
}

static void write_subscription(struct json_writer *w, const struct client_subscription *cs,
                               bool with_account) {
    slice queue = bus_subscription_queue(cs->subscription);
    json_write_object(w);
    if (with_account)
        json_put_string(w, "account", slice_lit(ACCOUNT));
    json_put_string(w, "subject", bus_subscription_subject(cs->subscription));
    if (queue.len)
        json_put_string(w, "qgroup", queue);
    json_put_string(w, "sid", slice_make(cs->sid, cs->sid_len));
    json_put_u64(w, "msgs", cs->delivered);
    if (cs->delivered_max)
        json_put_u64(w, "max", cs->delivered_max);
    json_put_u64(w, "cid", cs->client->id);
    json_write_end(w);
}

static void write_subscriptions(struct json_writer *w, const struct client *c, bool details) {
    const struct map_entry *entry;
    json_write_key(w, details ? "subscriptions_list_detail" : "subscriptions_list");
    json_write_array(w);
    for (size_t at = 0; (entry = map_next(&c->subscriptions, &at));) {
        const struct client_subscription *cs = entry->value;
        if (details)
            write_subscription(w, cs, false);
        else
            json_write_string(w, bus_subscription_subject(cs->subscription));
    }
    json_write_end(w);
}

static void write_address(struct json_writer *w, const struct client *c) {
    slice ip = slice_str(io_stream_peer(c->below));
    uint64_t port = 0;
    size_t colon = ip.len;
    while (colon > 0 && ip.ptr[colon - 1] != ':')
        colon--;
    if (colon > 0 && number_parse_u64(slice_skip(ip, colon), &port) == 0)
        ip = slice_take(ip, colon - 1);
    if (ip.len > 2 && ip.ptr[0] == '[')
        ip = slice_make(ip.ptr + 1, ip.len - 2);
    json_put_string(w, "ip", ip);
    json_put_u64(w, "port", port);
}

static void write_optional(struct json_writer *w, const char *key, const char *value) {
    if (value && *value)
        json_put_string(w, key, slice_str(value));
}

static void write_client(struct json_writer *w, const struct client *c,
                         const struct monitor_query *query) {
    int64_t now_ns = io_loop_wall_ns(c->room->shard->loop);
    json_write_object(w);
    json_put_u64(w, "cid", c->id);
    json_put_string(w, "kind", slice_lit("Client"));
    json_put_string(w, "type", c->socket ? slice_lit("websocket") : slice_lit("nats"));
    write_address(w, c);
    moment(w, "start", c->started_ns);
    moment(w, "last_activity", c->active_ns);
    if (c->round_trip_ns)
        span(w, "rtt", c->round_trip_ns - c->round_trip_ns % 1000);
    span_seconds(w, "uptime", c->started_ns, now_ns);
    span_seconds(w, "idle", c->active_ns, now_ns);
    json_put_u64(w, "pending_bytes", client_pending(c));
    json_put_u64(w, "in_msgs", c->messages_in);
    json_put_u64(w, "out_msgs", c->messages_out);
    json_put_u64(w, "in_bytes", c->bytes_in);
    json_put_u64(w, "out_bytes", c->bytes_out);
    json_put_u64(w, "subscriptions", map_count(&c->subscriptions));
    write_optional(w, "name", c->name);
    write_optional(w, "lang", c->language);
    write_optional(w, "version", c->version);
    if (c->tls) {
        struct io_tls_info tls = io_stream_tls(c->below);
        write_optional(w, "tls_version", tls.version);
        write_optional(w, "tls_cipher_suite", tls.cipher);
    }
    if (query->credentials) {
        if (c->principal)
            json_put_string(w, "authorized_user", principal_name(c->principal));
        json_put_string(w, "account", slice_lit(ACCOUNT));
    }
    if (query->subscriptions || query->details)
        write_subscriptions(w, c, query->details);
    json_write_end(w);
}

static bool is_asked_for(const struct client *c, const struct monitor_query *query) {
    return c->state != CLIENT_CLOSING && (!query->one_client || c->id == query->cid);
}

static int collect_clients(struct pubsub_shard *room, struct monitor_page *page) {
    const struct monitor_query *query = &page->query;
    struct list_node *at, *following;
    uint64_t clients = page->figures[MONITOR_CLIENTS], found = 0;
    struct candidate *candidates = mem_alloc((size_t)(clients + 1) * sizeof *candidates);
    if (!candidates)
        return -ENOMEM;
    list_each(&room->clients, at, following) {
        struct client *c = container_of(at, struct client, in_room);
        if (is_asked_for(c, query))
            candidates[found++] = (struct candidate){sort_key(c, query->sort), c->id, c};
    }
    page->figures[MONITOR_MATCHED] = found;
    qsort(candidates, (size_t)found, sizeof *candidates, compare);
    uint64_t wanted = query->offset + query->limit;
    for (uint64_t i = 0; i < found && i < wanted; i++) {
        size_t start;
        if (!row_begin(page, candidates[i].key, candidates[i].cid, &start))
            break;
        struct json_writer w = json_writer_make(&page->rows, false);
        write_client(&w, candidates[i].client, query);
        if (!row_end(page, &w, start))
            break;
    }
    mem_free(candidates);
    return 0;
}

/* --- subscriptions ------------------------------------------------------------------------ */

static bool is_matched(const struct client_subscription *cs, const struct monitor_query *query) {
    return !query->test[0] ||
           nats_subject_match(slice_str(query->test), bus_subscription_subject(cs->subscription));
}

/* In the order of clients and their SUBs. */
static void collect_subscriptions(struct pubsub_shard *room, struct monitor_page *page) {
    const struct monitor_query *query = &page->query;
    const struct map_entry *entry;
    struct list_node *at, *following;
    uint64_t found = 0, wanted = query->subscriptions ? query->offset + query->limit : 0;
    list_each(&room->clients, at, following) {
        struct client *c = container_of(at, struct client, in_room);
        for (size_t i = 0; (entry = map_next(&c->subscriptions, &i));) {
            size_t start;
            if (!is_matched(entry->value, query))
                continue;
            if (found++ >= wanted || !row_begin(page, c->id, found, &start))
                continue;
            struct json_writer w = json_writer_make(&page->rows, false);
            write_subscription(&w, entry->value, true);
            if (!row_end(page, &w, start))
                wanted = 0;
        }
    }
    page->figures[MONITOR_MATCHED] = found;
}

/* --- streams ------------------------------------------------------------------------------ */

static void write_consumers(struct json_writer *w, struct stream *stream) {
    json_write_key(w, "consumer_detail");
    json_write_array(w);
    for (struct consumer *c = NULL;
         (c = consumer_next(stream, c ? consumer_config(c)->name : (slice){0}));) {
        json_write_object(w);
        api_write_consumer_info(w, c);
        json_write_end(w);
    }
    json_write_end(w);
}

static void write_stream(struct json_writer *w, struct stream *stream,
                         const struct monitor_query *query) {
    json_write_object(w);
    json_put_string(w, "name", stream_config(stream)->name);
    moment(w, "created", stream_created_ns(stream));
    if (query->config) {
        json_write_key(w, "config");
        stream_config_write(w, stream_config(stream));
    }
    api_write_stream_state(w, stream);
    json_write_end(w);
    if (query->consumers)
        write_consumers(w, stream);
    json_write_end(w);
}

/* All of them, as nats-server: there is no asking for a part of an account. */
static void collect_streams(struct pubsub_shard *room, struct monitor_page *page) {
    const struct monitor_query *query = &page->query;
    uint64_t index = 0;
    if (!monitor_lists_account(query) || !(query->streams || query->consumers))
        return;
    for (struct stream *s = NULL;
         (s = stream_next(room->shard->streams, s ? stream_config(s)->name : (slice){0}));) {
        size_t start;
        if (row_begin(page, index++, 0, &start)) {
            struct json_writer w = json_writer_make(&page->rows, false);
            write_stream(&w, s, query);
            if (row_end(page, &w, start))
                continue;
        }
        page->figures[MONITOR_LEFT_OUT]++;
        return;
    }
}

int monitor_collect(struct pubsub_shard *room, struct monitor_page *page) {
    memset(page->figures, 0, sizeof page->figures);
    page->rows = buf_make(MONITOR_ROWS_BYTES_MAX);
    count(room, page->figures);
    if (page->query.kind == MONITOR_CONNZ)
        return collect_clients(room, page);
    if (page->query.kind == MONITOR_SUBSZ)
        collect_subscriptions(room, page);
    if (page->query.kind == MONITOR_JSZ && room->shard->streams)
        collect_streams(room, page);
    return 0;
}
