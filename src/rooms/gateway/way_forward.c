/*
 * way_forward.c - another service decides, asked over HTTP for each request.
 *
 *     GET url                                    2xx    in; fields of the answer are set in what
 *     X-Forwarded-Method, -Proto, -Host,                goes on, one of them names who asks
 *                -Uri, -For (as to a target)     other  the client gets it as it is: status, body,
 *     and fields of the request ------------->          FORWARD_TOLD's fields
 *                                                none in time, or no answer at all: 503
 *
 * The service is asked for the head only: bodies go to the target. What it says beyond
 * FORWARD_BODY_MAX bytes is left out, since half a page is no page.
 *
 * Connections are kept by the loop and outlive a table, one pool for each remote (its key).
 */
#include "base/mem.h"
#include "http/client.h"
#include "rooms/gateway/auth_shard.h"
#include "rooms/gateway/proxy.h"

#include <errno.h>

#define FORWARD_BODY_MAX (64u << 10)
#define FORWARD_FIELDS_MAX 64u  /* sent */
#define FORWARD_TELLS_MAX 32u   /* of the answer, passed to the client */
#define FORWARD_CALLS_MAX 1024u /* waiting for a connection */

/* Of another answer than 2xx, what the client gets. */
static const char *const told[] = {"Content-Type",    "WWW-Authenticate", "Location",
                                   "Set-Cookie",      "Cache-Control",    "Retry-After",
                                   "Content-Language"};
/* What is asked with, where the config does not say. */
static const slice usually_sent[] = {{"Authorization", 13}, {"Cookie", 6}};

struct forward_pool {
    struct list_node node;
    struct http_pool *pool;
    bool in_table;
    size_t key_len;
    char key[]; /* of the remote */
};

struct forward_desk {
    struct gateway_shard *shard;
    struct list pools;
};

/* In the exchange's arena. */
struct forward_call {
    struct way_try *t;
    struct http_call *call;
    struct io_timer deadline;
    unsigned status;
    slice principal;
    struct http_answer answer;
    struct http1_field fields[FORWARD_TELLS_MAX];
    struct buf body; /* on the heap: gone with the call */
    bool body_left_out, no_memory;
};

/* --- the end -----------------------------------------------------------------------------------
 */

/* The call is over, and so is what it holds but the arena's. */
static struct way_try *finish(struct forward_call *f) {
    io_timer_stop(exchange_loop(f->t->x), &f->deadline);
    buf_free(&f->body);
    return f->t;
}

static void unavailable(struct forward_call *f, const char *why) {
    struct way_try *t = finish(f);
    t->x->reason = why;
    way_decide(
        t, way_refuse(t, WAY_UNAVAILABLE, "the service that decides who may pass does not answer"));
}

static void on_deadline(struct io_timer *timer) {
    struct forward_call *f = container_of(timer, struct forward_call, deadline);
    http_call_cancel(f->call);
    unavailable(f, "auth: no answer in time");
}

static void forget(struct way_try *t) {
    struct forward_call *f = t->state;
    http_call_cancel(f->call);
    finish(f);
}

static void decide(struct forward_call *f) {
    struct way_try *t = f->t;
    enum way_verdict verdict;
    if (f->no_memory) {
        verdict = way_refuse(t, WAY_UNAVAILABLE, "there is no memory to ask who may pass");
    } else if (f->status / 100 == 2) {
        verdict = way_let_in(t, f->principal, t->way->as);
    } else if (arena_copy(exchange_arena(t->x), buf_slice(&f->body), &t->body)) {
        verdict = way_refuse(t, WAY_UNAVAILABLE, "there is no memory to say why not");
    } else {
        f->answer.status = f->status;
        f->answer.fields = f->fields;
        t->answer = &f->answer;
        verdict = WAY_ANSWERED;
    }
    finish(f);
    way_decide(t, verdict);
}

/* --- the answer --------------------------------------------------------------------------------
 */

static bool is_told(slice name) {
    for (unsigned i = 0; i < array_count(told); i++)
        if (slice_equal_nocase(name, slice_str(told[i])))
            return true;
    return false;
}

static void keep_told(struct forward_call *f, const struct http1_head *head) {
    struct arena *arena = exchange_arena(f->t->x);
    for (size_t i = 0; i < head->fields_count; i++) {
        struct http1_field *to = &f->fields[f->answer.field_count];
        if (!is_told(head->fields[i].name) || f->answer.field_count == FORWARD_TELLS_MAX)
            continue;
        f->no_memory |= arena_copy(arena, head->fields[i].name, &to->name) != 0;
        f->no_memory |= arena_copy(arena, head->fields[i].value, &to->value) != 0;
        f->answer.field_count++;
    }
}

static void keep_taken(struct forward_call *f, const struct http1_head *head) {
    const struct gateway_way *way = f->t->way;
    struct exchange *x = f->t->x;
    struct arena *arena = exchange_arena(x);
    slice value;
    for (unsigned i = 0; i < way->forward.taken_count; i++)
        if (http1_get(head, way->forward.taken[i], &value))
            f->no_memory |=
                arena_copy(arena, value, &value) || way_set_onward(x, way->forward.taken[i], value);
    if (way->forward.principal.len && http1_get(head, way->forward.principal, &value))
        f->no_memory |= arena_copy(arena, value, &f->principal) != 0;
}

static void on_head(void *self, const struct http1_head *head) {
    struct forward_call *f = self;
    f->status = head->status;
    if (f->status / 100 == 2)
        keep_taken(f, head);
    else
        keep_told(f, head);
}

static void on_body(void *self, slice bytes) {
    struct forward_call *f = self;
    if (f->status / 100 == 2 || f->body_left_out)
        return;
    int failed = buf_append(&f->body, bytes);
    f->no_memory |= failed == -ENOMEM;
    if (failed) {
        f->body_left_out = true;
        buf_clear(&f->body);
    }
}

static void on_end(void *self, slice trailers) {
    (void)trailers;
    decide(self);
}

static void on_fail(void *self, enum http_failed failed, bool answered, int code, const char *why) {
    (void)answered;
    (void)code;
    (void)why;
    unavailable(self, failed == HTTP_FAILED_CONNECT ? "auth: no connection"
                      : failed == HTTP_FAILED_BUSY  ? "auth: no connection free"
                      : failed == HTTP_FAILED_TIME  ? "auth: no answer in time"
                                                    : "auth: the answer broke off");
}

/* --- the question ------------------------------------------------------------------------------
 */

struct fields {
    struct http1_field items[FORWARD_FIELDS_MAX];
    size_t count;
};

static void add(struct fields *fields, const char *name, slice value) {
    if (fields->count < FORWARD_FIELDS_MAX)
        fields->items[fields->count++] = (struct http1_field){slice_str(name), value};
}

/* Each line of the request's field NAME. */
static void add_sent(struct fields *fields, const struct exchange *x, slice name) {
    size_t count;
    const struct http1_field *sent = http_request_fields(x->request, &count);
    for (size_t i = 0; i < count && fields->count < FORWARD_FIELDS_MAX; i++)
        if (slice_equal_nocase(sent[i].name, name))
            fields->items[fields->count++] = sent[i];
}

static int write_fields(struct exchange *x, const struct gateway_way *way, struct fields *fields) {
    const struct proxy_asked asked = proxy_asked_of(x);
    struct proxy_forwarded forwarded;
    if (proxy_forwarded(&asked, exchange_arena(x), &forwarded))
        return -ENOMEM;
    fields->count = 0;
    add(fields, "X-Forwarded-Method", http_request_method(x->request));
    add(fields, "X-Forwarded-Proto", forwarded.proto);
    add(fields, "X-Forwarded-Host", forwarded.host);
    add(fields, "X-Forwarded-Uri", http_request_target(x->request));
    add(fields, "X-Forwarded-For", forwarded.client);
    add(fields, "X-Request-Id", x->request_id);
    add(fields, "traceparent", exchange_traceparent(x));
    for (unsigned i = 0; i < way->forward.sent_count; i++)
        add_sent(fields, x, way->forward.sent[i]);
    return 0;
}

static struct forward_pool *find_pool(struct forward_desk *desk, slice key) {
    struct list_node *node, *following;
    list_each(&desk->pools, node, following) {
        struct forward_pool *pool = container_of(node, struct forward_pool, node);
        if (slice_equal(slice_make(pool->key, pool->key_len), key))
            return pool;
    }
    return NULL;
}

static int begin(struct forward_call *f) {
    static const struct http_call_events events = {
        .on_head = on_head, .on_body = on_body, .on_end = on_end, .on_fail = on_fail};
    struct exchange *x = f->t->x;
    const struct gateway_way *way = f->t->way;
    struct forward_pool *pool = find_pool(x->shard->ways->forwards, way->forward.remote.key);
    struct fields fields;
    if (!pool)
        return -ENOENT;
    int failed = write_fields(x, way, &fields);
    if (failed)
        return failed;
    struct http_call_options options = {
        .method = slice_lit("GET"),
        .target = way->forward.remote.target,
        .host = way->forward.remote.host,
        .fields = fields.items,
        .field_count = fields.count,
        .answer_ns = way->forward.timeout_ns,
    };
    return http_call_begin(pool->pool, &options, &events, f, &f->call);
}

static enum way_verdict judge(struct way_try *t) {
    struct forward_call *f = arena_zalloc(exchange_arena(t->x), 1, sizeof *f);
    if (!f)
        return way_refuse(t, WAY_UNAVAILABLE, "there is no memory to ask who may pass");
    f->t = t;
    f->body = buf_make(FORWARD_BODY_MAX);
    if (begin(f))
        return way_refuse(t, WAY_UNAVAILABLE,
                          "the service that decides who may pass cannot be asked now");
    io_timer_start(exchange_loop(t->x), &f->deadline, t->way->forward.timeout_ns, on_deadline);
    t->state = f;
    t->forget = forget;
    return WAY_LATER;
}

/* --- made from the config ----------------------------------------------------------------------
 */

static int open_way(struct gateway_way *way, const struct way_opening *opening,
                    struct error *ret_error) {
    const struct gateway_forward *config = &opening->config->forward;
    struct arena *arena = opening->arena;
    way->forward.timeout_ns = config->timeout_ns;
    int failed = gateway_copy_slices(arena, &config->request_headers, &way->forward.sent,
                                     &way->forward.sent_count);
    if (!failed)
        failed = gateway_copy_slices(arena, &config->response_headers, &way->forward.taken,
                                     &way->forward.taken_count);
    if (!failed)
        failed = arena_copy(arena, config->principal, &way->forward.principal);
    if (failed)
        return error_set(ret_error, failed, "no memory for headers");
    if (!way->forward.sent_count) {
        way->forward.sent = usually_sent;
        way->forward.sent_count = array_count(usually_sent);
    }
    return way_remote_open(&way->forward.remote, config->url, config->ca, opening, ret_error);
}

static void close_way(struct gateway_way *way) {
    io_tls_unref(way->forward.remote.tls);
}

const struct way_kind way_forward = {
    .open = open_way,
    .close = close_way,
    .judge = judge,
};

/* --- a loop ------------------------------------------------------------------------------------
 */

static int pool_open(struct forward_desk *desk, const struct way_remote *remote) {
    struct http_pool_options options = {
        .address = remote->address, .tls = remote->tls, .waiting_max = FORWARD_CALLS_MAX};
    struct forward_pool *pool = mem_zalloc(1, sizeof *pool + remote->key.len);
    if (!pool)
        return -ENOMEM;
    int failed = http_pool_create(desk->shard->shard->loop, &options, &pool->pool);
    if (failed) {
        mem_free(pool);
        return failed;
    }
    memcpy(pool->key, remote->key.ptr, remote->key.len);
    pool->key_len = remote->key.len;
    pool->in_table = true;
    list_push_back(&desk->pools, &pool->node);
    return 0;
}

static void keep_or_open(struct forward_desk *desk, const struct way_remote *remote) {
    struct forward_pool *pool = find_pool(desk, remote->key);
    if (pool) {
        pool->in_table = true;
        return;
    }
    if (pool_open(desk, remote))
        logger_write(desk->shard->gateway->node->logger, LOG_LEVEL_ERROR, "gateway",
                     "no memory for connections to the service that decides", "url=%s",
                     remote->url.ptr);
}

void forward_desk_renew(struct forward_desk *desk, const struct gateway_ways *ways) {
    struct list_node *node, *following;
    list_each(&desk->pools, node, following) container_of(node, struct forward_pool, node)
        ->in_table = false;
    for (unsigned i = 0; i < ways->count; i++)
        if (ways->items[i].kind == &way_forward)
            keep_or_open(desk, &ways->items[i].forward.remote);
    list_each(&desk->pools, node, following) {
        struct forward_pool *pool = container_of(node, struct forward_pool, node);
        if (pool->in_table)
            continue;
        http_pool_retire(pool->pool); /* calls under way go on to their ends */
        list_remove(&pool->node);
        mem_free(pool);
    }
}

int forward_desk_open(struct gateway_shard *shard, struct forward_desk **ret_desk) {
    struct forward_desk *desk = mem_zalloc(1, sizeof *desk);
    if (!desk)
        return -ENOMEM;
    desk->shard = shard;
    list_init(&desk->pools);
    *ret_desk = desk;
    return 0;
}

struct forward_desk *forward_desk_close(struct forward_desk *desk) {
    struct list_node *node;
    if (!desk)
        return NULL;
    while ((node = list_pop_front(&desk->pools))) {
        struct forward_pool *pool = container_of(node, struct forward_pool, node);
        http_pool_free(pool->pool);
        mem_free(pool);
    }
    return mem_free(desk);
}
