/*
 * upstream.h - a loop's HTTP services: connections, health, figures; they live longer than tables.
 *
 *     table -- shares (proxy.h) --take--> UPSTREAM: http_pool, load, health, ejection
 *                                  ^          under a key: URL, address, all options that matter
 *     next table -- shares --------'
 *
 * A service whose URL has a name (names.h) is an upstream for each address of the name.
 *
 * A reload that names the same URL with the same options takes the same object, so connections,
 * requests under way and what is known of its health go on. One that no share names any more, for
 * the table or the address has gone, is retired: idle connections close, no questions are asked,
 * calls under way come to their ends, and it goes with the last of them.
 *
 * Services are a loop's own: each loop asks for health and ejects for itself, by what it sees.
 */
#ifndef NONET_GATEWAY_UPSTREAM_H
#define NONET_GATEWAY_UPSTREAM_H

#include "base/arena.h"
#include "http/client.h"
#include "rooms/gateway/balance.h"
#include "rooms/gateway/gateway.h"
#include "rooms/gateway/health.h"

#define UPSTREAMS_MAX 65536u /* of one loop */
#define UPSTREAM_CLASSES 5u  /* of statuses: 1xx (101) to 5xx */
/* Between two bytes of an answer: a stream of events may have little to say. */
#define UPSTREAM_SILENCE_NS (UINT64_C(600) * 1000000000)

/* What an upstream is made from; part of a table, which it does not need afterwards. */
struct upstream_options {
    slice key;           /* all of these, in one text */
    slice url;           /* "http://10.0.0.1:80": its name */
    const char *address; /* host:port */
    slice name;          /* the host, if it has addresses of names.h, of which address is one */
    unsigned port;
    slice host;         /* of requests that bring none of their own */
    struct io_tls *tls; /* NULL: plain */
    unsigned connections;
    uint64_t connect_ns, idle_ns;
    bool checked, ejects;
    slice health_path;
    uint64_t health_every_ns, health_timeout_ns;
    unsigned rise, fall;
    unsigned eject_failures;
    uint64_t eject_ns;
};

/* Why a request has failed that was given to a service. */
enum upstream_failure {
    UPSTREAM_CONNECT, /* no connection came about */
    UPSTREAM_BUSY,    /* no place on one in time */
    UPSTREAM_CLOSED,  /* it ended before the answer did */
    UPSTREAM_ANSWER,  /* what came is no answer */
    UPSTREAM_TIME,    /* nothing came in time */
    UPSTREAM_HEALTH,  /* a question about its health failed */
    UPSTREAM_FAILURES,
};

struct upstream_metrics {
    struct metric healthy, seconds;
    struct metric requests[UPSTREAM_CLASSES], failures[UPSTREAM_FAILURES];
};

struct upstream {
    struct balance_load load; /* under_way: calls that have begun */
    struct http_pool *pool;
    struct gateway_shard *shard;
    struct list_node node;           /* of the loop's */
    unsigned named;                  /* by shares; 0: retired */
    bool counted;                    /* in the gauge of healthy ones */
    struct upstream_options options; /* texts lie in the arena */
    struct arena arena;
    struct upstream_metrics metrics;
    struct ejection ejection;
    struct health health;
    struct io_timer ejected, check; /* until it is over; the next question, or too late an answer */
    struct http_pool *check_pool;   /* NULL: none are asked */
    struct http_call *check_call;
    struct list mirrored, spare_mirrors; /* copies under way; ended ones, for the next (mirror.h) */
    unsigned spare_mirror_count;
};

/* Finds the upstream of OPTIONS, or makes it, and counts one more share that names it. 0, -ENOBUFS
   or -ENOMEM. */
must_use int upstream_take(struct gateway_shard *shard, const struct upstream_options *options,
                           struct upstream **ret_upstream);
/* One share less. */
void upstream_drop(struct upstream *upstream);
/* An object: its URL, state and figures as its loop sees them. MIRROR: it is one's of ROUTE. */
void upstream_write(const struct upstream *upstream, slice route, bool mirror,
                    struct json_writer *w);
/* Those that no share names any more. Returns how many; at most MAX. */
unsigned gateway_upstreams_write_leaving(const struct gateway_shard *shard, unsigned max,
                                         struct json_writer *w);
/* The end of the loop's part: all that is left, under way or not, is over. */
void gateway_upstreams_close(struct gateway_shard *shard);

/* A call has been begun, and is over; between the two the upstream stays. */
static inline void upstream_begin(struct upstream *upstream) {
    upstream->load.under_way++;
}
void upstream_end(struct upstream *upstream);
/* What has become of a request, for figures and for ejection: its answer has begun; that is whole,
   or such as has no end to wait for; there is none, or not all of it. */
void upstream_answered(struct upstream *upstream, unsigned status, uint64_t waited_ns);
void upstream_served(struct upstream *upstream, unsigned status);
void upstream_failed(struct upstream *upstream, enum upstream_failure failure, const char *why);
/* What has failed with CODE is ours and says nothing of the service: memory, descriptors, ports. */
bool upstream_is_our_own(int code);
static inline enum upstream_failure upstream_failure_of(enum http_failed failed) {
    return (enum upstream_failure)failed; /* in the same order */
}

/* --- upstream_check.c, for upstream.c --- */

/* Asks for its health from now on, if it is to be. 0 or -ENOMEM. */
must_use int upstream_check_open(struct upstream *upstream);
void upstream_check_close(struct upstream *upstream);

/* --- upstream.c, for upstream_check.c --- */

/* What is known of its health has changed. WHY: words for the log. */
void upstream_set_unwell(struct upstream *upstream, bool unwell, const char *why);

#endif
