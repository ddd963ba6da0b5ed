/*
 * monitor.h - what the monitoring pages are made of, for monitor*.c and system.c.
 *
 *     page wanted (HTTP, or $SYS.REQ over NATS)
 *        |  query {kind, options}         to all shards on _NONET.monitor
 *        v
 *     each shard: figures (numbers to be added up) + rows {key, JSON}, sorted and cut
 *        |
 *        v
 *     gathered: figures added, rows merged by key and cut again --> the page's JSON
 *
 * Queries and answers stay in one process, so they are plain structs. A page waits at most
 * MONITOR_WAIT_NS for the shards; a shard that does not answer in time makes the page fail, since
 * numbers that leave a shard out would be wrong. Figures of streams come from the stream shard.
 *
 * Names and forms are those of nats-server's monitoring, because exporters and the nats CLI depend
 * on them. What this server does not know (a counter it does not keep) is left out, not made up.
 */
#ifndef NONET_PUBSUB_MONITOR_H
#define NONET_PUBSUB_MONITOR_H

#include "bus/private.h"
#include "rooms/pubsub/pubsub.h"
#include "wire/json_write.h"

#define MONITOR_SUBJECT BUS_PRIVATE_PREFIX "monitor"
#define MONITOR_WAIT_NS 2000000000ull
#define MONITOR_PAGES_MAX 64u /* being gathered, per shard; then 503 */
#define MONITOR_LIMIT_DEFAULT 1024u
#define MONITOR_LIMIT_MAX 65536u
#define MONITOR_ROWS_BYTES_MAX (16u << 20) /* of a page; rows beyond are left out */
#define MONITOR_PAGE_BYTES_MAX (24u << 20)

enum monitor_kind { MONITOR_VARZ, MONITOR_CONNZ, MONITOR_SUBSZ, MONITOR_JSZ, MONITOR_KINDS };

enum monitor_sort {
    MONITOR_BY_CID,
    MONITOR_BY_START,
    MONITOR_BY_SUBS,
    MONITOR_BY_PENDING,
    MONITOR_BY_MSGS_TO,
    MONITOR_BY_MSGS_FROM,
    MONITOR_BY_BYTES_TO,
    MONITOR_BY_BYTES_FROM,
    MONITOR_BY_LAST,
    MONITOR_BY_IDLE,
    MONITOR_BY_UPTIME,
    MONITOR_BY_RTT,
    MONITOR_SORTS
};

struct monitor_query {
    enum monitor_kind kind;
    uint64_t offset, limit, cid;
    enum monitor_sort sort;
    bool one_client;                           /* only that with `cid` */
    bool subscriptions, details, credentials;  /* connz: subs=1, subs=detail, auth=1 */
    bool accounts, streams, consumers, config; /* jsz, of whose accounts offset and limit choose */
    char account[64];                          /* jsz: only that one */
    char test[256];                            /* subsz: only those a message to it would reach */
};

/* Numbers that are added up over shards. */
enum monitor_figure {
    MONITOR_CLIENTS,
    MONITOR_SUBSCRIPTIONS, /* of clients */
    MONITOR_MATCHED,       /* clients or subscriptions that the query is about, before its limit */
    MONITOR_PUBLISHED,
    MONITOR_DELIVERED,
    MONITOR_CACHE_HITS,
    MONITOR_CACHE_MISSES,
    MONITOR_STREAMS,
    MONITOR_CONSUMERS,
    MONITOR_STREAM_MESSAGES,
    MONITOR_STREAM_BYTES, /* stored in files */
    MONITOR_MEMORY_BYTES, /* of streams in memory */
    MONITOR_API_REQUESTS,
    MONITOR_API_ERRORS,
    MONITOR_STREAM_RESERVED, /* the max_bytes of streams in files; in memory */
    MONITOR_MEMORY_RESERVED,
    MONITOR_LEFT_OUT, /* not 0: jsz without limit does not fit MONITOR_ROWS_BYTES_MAX */
    MONITOR_FIGURES
};

/* A gathered page, before it is written. */
struct monitor_page {
    struct monitor_query query;
    uint64_t figures[MONITOR_FIGURES];
    struct buf rows; /* {uint64 key, uint64 tie, uint32 length} JSON, again and again */
};
struct monitor_row {
    uint64_t key, tie;
    uint32_t length;
};

/* monitor_collect.c: this shard's part of PAGE, whose query is given. 0 or -ENOMEM. */
must_use int monitor_collect(struct pubsub_shard *room, struct monitor_page *page);

/* monitor.c. Calls DONE with the page, or with NULL where it could not be gathered; perhaps inside
   this call. 0 or a negative errno (then DONE is not called). RET_GATHER may be NULL. */
struct monitor_gather;
must_use int monitor_start(struct pubsub_shard *room, const struct monitor_query *query,
                           void (*done)(void *self, const struct monitor_page *page), void *self,
                           struct monitor_gather **ret_gather);
void monitor_cancel(struct monitor_gather *gather);

/* Does PAGE list the account, which there is one of? */
bool monitor_lists_account(const struct monitor_query *query);
/* monitor_pages.c: the JSON object of PAGE's kind. 0, or -ENOMEM, -E2BIG: nothing was written. */
must_use int monitor_write(struct pubsub_shard *room, const struct monitor_page *page,
                           struct json_writer *w);
/* The members of STATSZ, as an object. */
void monitor_write_statsz(struct pubsub_shard *room, const struct monitor_page *page,
                          struct json_writer *w);
/* What pages remember: how often each was asked for over HTTP here, and the CPU measured last. */
struct monitor_memory {
    uint64_t asked[MONITOR_KINDS], answers, cpu_ns, cpu_at_ns;
    double cpu_percent;
};
struct monitor_memory *monitor_memory(struct pubsub_shard *room);

/* For both ways in: "connz" options by name and text value, as in a URL. NULL, or what is wrong. */
const char *monitor_option(struct monitor_query *query, slice name, slice value);

#endif
