/*
 * key_fetch.c - one URL, one pool of one connection, one timer (key_fetch.h).
 *
 *     IDLE --timer: due--> CALLING --on_end: 200, a set--> IDLE (fetched)
 *                             '------anything else-------> IDLE (failed)
 */
#include "rooms/gateway/key_fetch.h"

#include "base/mem.h"
#include "http/client.h"
#include "rooms/gateway/jwks_policy.h"

#include <errno.h>
#include <stdio.h>

#define CONNECT_NS (3 * UINT64_C(1000000000))
#define CACHE_CONTROL_MAX 256u

struct key_fetch {
    struct gateway_shard *shard;
    void (*on_end)(void *owner, struct jwks *set);
    void *owner;
    struct jwks_policy policy;
    struct io_timer due, deadline;
    struct http_pool *pool;
    struct http_call *call; /* NULL: idle */
    char *url, *target, *host;
    unsigned status;
    struct buf body;
    char cache_control[CACHE_CONTROL_MAX];
};

static const struct metrics_family fetches_family = {
    .name = "nonet_gateway_jwks_fetches_total",
    .kind = METRICS_COUNTER,
    .labels = {"result"},
    .help = "Fetches of issuers' key sets, by result.",
};

static struct io_loop *loop_of(const struct key_fetch *fetch) {
    return fetch->shard->shard->loop;
}

static uint64_t now_ns(const struct key_fetch *fetch) {
    return io_loop_now_ns(loop_of(fetch));
}

static void count(const struct key_fetch *fetch, const char *result) {
    const slice labels[] = {slice_str(result)};
    struct metric metric;
    metrics_add_series(fetch->shard->gateway->node->metrics, &fetches_family, labels, &metric);
    metrics_count(fetch->shard->shard->metrics, metric, 1);
}

/* --- ends --------------------------------------------------------------------------------------
 */

static void on_due(struct io_timer *timer);

static void set_timer(struct key_fetch *fetch) {
    uint64_t due_ns = jwks_policy_due(&fetch->policy), now = now_ns(fetch);
    if (due_ns == JWKS_POLICY_NEVER)
        io_timer_stop(loop_of(fetch), &fetch->due);
    else
        io_timer_start(loop_of(fetch), &fetch->due, due_ns > now ? due_ns - now : 0, on_due);
}

static void end(struct key_fetch *fetch, struct jwks *set, const char *why) {
    fetch->call = NULL;
    io_timer_stop(loop_of(fetch), &fetch->deadline);
    buf_free(&fetch->body);
    if (set)
        jwks_policy_fetched(&fetch->policy, now_ns(fetch), slice_str(fetch->cache_control));
    else
        jwks_policy_failed(&fetch->policy, now_ns(fetch));
    if (!set)
        logger_write(fetch->shard->gateway->node->logger, LOG_LEVEL_WARN, "gateway",
                     "the keys that check tokens could not be fetched", "url=%s why=%s", fetch->url,
                     why);
    count(fetch, set ? "fetched" : "failed");
    set_timer(fetch);
    fetch->on_end(fetch->owner, set);
}

static void give_up(struct key_fetch *fetch, const char *why) {
    http_call_cancel(fetch->call);
    end(fetch, NULL, why);
}

static void on_deadline(struct io_timer *timer) {
    struct key_fetch *fetch = container_of(timer, struct key_fetch, deadline);
    if (fetch->call)
        give_up(fetch, "it took too long");
    else
        end(fetch, NULL, "the request could not be made");
}

static void tell_skipped(const struct key_fetch *fetch, const struct jwks *set) {
    const char *reason;
    unsigned skipped = jwks_skipped(set, &reason);
    if (skipped)
        logger_write(fetch->shard->gateway->node->logger, LOG_LEVEL_INFO, "gateway",
                     "some keys of a set are of no use", "url=%s skipped=%u first=%s", fetch->url,
                     skipped, reason);
}

/* --- a call ------------------------------------------------------------------------------------
 */

static void on_head(void *self, const struct http1_head *head) {
    struct key_fetch *fetch = self;
    fetch->status = head->status;
    fetch->cache_control[0] = '\0';
    for (size_t i = 0; i < head->fields_count; i++)
        if (slice_equal_nocase(head->fields[i].name, slice_lit("Cache-Control")) &&
            slice_to_string(head->fields[i].value, fetch->cache_control, CACHE_CONTROL_MAX))
            fetch->cache_control[0] = '\0'; /* too long to be meant for us */
}

static void on_body(void *self, slice bytes) {
    struct key_fetch *fetch = self;
    if (buf_append(&fetch->body, bytes))
        give_up(fetch, "the answer is too long");
}

static void on_end(void *self, slice trailers) {
    struct key_fetch *fetch = self;
    struct error error = {0};
    struct jwks *set = NULL;
    (void)trailers;
    if (fetch->status != 200) {
        snprintf(error.message, sizeof error.message, "the answer is status %u", fetch->status);
    } else if (jwks_parse(buf_slice(&fetch->body), &set, &error) == 0) {
        tell_skipped(fetch, set);
    }
    end(fetch, set, error.message);
}

static void on_fail(void *self, enum http_failed failed, bool answered, int code, const char *why) {
    struct key_fetch *fetch = self;
    (void)failed;
    (void)answered;
    (void)code;
    end(fetch, NULL, why);
}

static void start(struct key_fetch *fetch) {
    static const struct http_call_events events = {
        .on_head = on_head, .on_body = on_body, .on_end = on_end, .on_fail = on_fail};
    static const struct http1_field fields[] = {
        {{"Accept", 6}, {"application/jwk-set+json, application/json", 42}},
        {{"User-Agent", 10}, {"nonet", 5}},
    };
    struct http_call_options options = {
        .method = slice_lit("GET"),
        .target = slice_str(fetch->target),
        .host = slice_str(fetch->host),
        .fields = fields,
        .field_count = array_count(fields),
    };
    jwks_policy_started(&fetch->policy, now_ns(fetch));
    fetch->body = buf_make(JWKS_TEXT_MAX);
    fetch->call = NULL;
    int failed = http_call_begin(fetch->pool, &options, &events, fetch, &fetch->call);
    /* The end never comes from inside: where the call could not begin, the deadline is at once. */
    io_timer_start(loop_of(fetch), &fetch->deadline, failed ? 0 : KEY_FETCH_NS, on_deadline);
    set_timer(fetch);
}

static void on_due(struct io_timer *timer) {
    start(container_of(timer, struct key_fetch, due));
}

/* --- what is asked -----------------------------------------------------------------------------
 */

bool key_fetch_unknown(struct key_fetch *fetch) {
    bool may_wait = jwks_policy_unknown(&fetch->policy, now_ns(fetch));
    if (may_wait && !fetch->policy.fetching)
        start(fetch);
    else
        set_timer(fetch);
    return may_wait;
}

bool key_fetch_under_way(const struct key_fetch *fetch) {
    return fetch->policy.fetching || jwks_policy_due(&fetch->policy) <= now_ns(fetch);
}

bool key_fetch_failing(const struct key_fetch *fetch) {
    return fetch->policy.failures > 0;
}

uint64_t key_fetch_not_before_ns(const struct key_fetch *fetch) {
    return jwks_policy_unknown_from(&fetch->policy);
}

static int open_parts(struct key_fetch *fetch, const struct way_remote *remote) {
    struct http_pool_options options = {.address = remote->address,
                                        .tls = remote->tls,
                                        .connections_max = 1,
                                        .connect_ns = CONNECT_NS,
                                        .answer_ns = KEY_FETCH_NS,
                                        .silence_ns = KEY_FETCH_NS};
    fetch->url = mem_copy(remote->url.ptr, remote->url.len);
    fetch->target = mem_copy(remote->target.ptr, remote->target.len);
    fetch->host = mem_copy(remote->host.ptr, remote->host.len);
    if (!fetch->url || !fetch->target || !fetch->host)
        return -ENOMEM;
    return http_pool_create(loop_of(fetch), &options, &fetch->pool);
}

int key_fetch_open(const struct key_fetch_options *options, struct key_fetch **ret_fetch) {
    static const struct jwks_policy_options usual;
    struct key_fetch *fetch = mem_zalloc(1, sizeof *fetch);
    if (!fetch)
        return -ENOMEM;
    fetch->shard = options->shard;
    fetch->on_end = options->on_end;
    fetch->owner = options->owner;
    jwks_policy_init(&fetch->policy, &usual, now_ns(fetch));
    int failed = open_parts(fetch, options->remote);
    if (failed) {
        key_fetch_close(fetch);
        return failed;
    }
    set_timer(fetch);
    *ret_fetch = fetch;
    return 0;
}

struct key_fetch *key_fetch_close(struct key_fetch *fetch) {
    if (!fetch)
        return NULL;
    io_timer_stop(loop_of(fetch), &fetch->due);
    io_timer_stop(loop_of(fetch), &fetch->deadline);
    http_pool_free(fetch->pool);
    buf_free(&fetch->body);
    mem_free(fetch->url);
    mem_free(fetch->target);
    mem_free(fetch->host);
    return mem_free(fetch);
}
