/*
 * client.c - pools: which call gets which connection, and when.
 *
 *     a call begins     an idle link, the one used last  >  a new link  >  the queue  >  -EBUSY
 *     a link is free    the oldest call of the queue     >  idle        >  closed
 *     a link is gone    a new link for the oldest call of the queue
 *
 * The one used last is the one that the server is least likely to be closing just now, and it lets
 * the others grow old and go when there are more of them than are needed.
 *
 * A call that finds an idle link costs no allocation and no copy but one: its head is put straight
 * into the stream's output, and kept aside only where it might have to be sent again.
 */
#include "http/client_link.h"

#include "base/mem.h"
#include "wire/http1_write.h"

#include <errno.h>

#define CONNECTIONS_MAX 256u
#define WAITING_MAX 1024u
#define IDLE_MAX 64u
#define NS_PER_SECOND UINT64_C(1000000000)

/* --- making and ending --------------------------------------------------------------------------
 */

static struct http_pool_options with_defaults(struct http_pool_options o) {
    o.connections_max = o.connections_max ? o.connections_max : CONNECTIONS_MAX;
    o.waiting_max = o.waiting_max ? o.waiting_max : WAITING_MAX;
    o.idle_max = o.idle_max ? o.idle_max : IDLE_MAX;
    o.idle_ns = o.idle_ns ? o.idle_ns : 4 * NS_PER_SECOND;
    o.connect_ns = o.connect_ns ? o.connect_ns : 5 * NS_PER_SECOND;
    o.answer_ns = o.answer_ns ? o.answer_ns : 60 * NS_PER_SECOND;
    o.silence_ns = o.silence_ns ? o.silence_ns : 60 * NS_PER_SECOND;
    return o;
}

int http_pool_create(struct io_loop *loop, const struct http_pool_options *options,
                     struct http_pool **ret_pool) {
    struct http_pool *pool = mem_zalloc(1, sizeof *pool);
    char *address = pool ? mem_copy(options->address, strlen(options->address)) : NULL;
    if (!address) {
        mem_free(pool);
        return -ENOMEM;
    }
    pool->loop = loop;
    pool->address = address;
    pool->tls = options->tls ? io_tls_ref(options->tls) : NULL;
    pool->options = with_defaults(*options);
    list_init(&pool->links);
    list_init(&pool->idle);
    list_init(&pool->waiting);
    *ret_pool = pool;
    return 0;
}

static void call_free(struct http_call *call) {
    io_timer_stop(call->pool->loop, &call->patience);
    buf_free(&call->text);
    mem_free(call);
}

static void pool_destroy(struct http_pool *pool) {
    while (pool->spare) {
        struct http_call *call = pool->spare;
        pool->spare = (struct http_call *)(void *)call->node.next;
        call_free(call);
    }
    io_tls_unref(pool->tls);
    mem_free(pool->address);
    mem_free(pool);
}

void http_pool_settle(struct http_pool *pool) {
    if (pool->retired && pool->calls == 0 && list_empty(&pool->links))
        pool_destroy(pool);
}

void http_pool_drain(struct http_pool *pool) {
    struct list_node *node, *next;
    pool->draining = true;
    list_each(&pool->links, node, next) {
        struct http_link *link = container_of(node, struct http_link, in_pool);
        if (!link->call)
            http_link_drop(link, false);
    }
}

void http_pool_retire(struct http_pool *pool) {
    pool->retired = true;
    http_pool_drain(pool);
    http_pool_settle(pool);
}

struct http_pool *http_pool_free(struct http_pool *pool) {
    struct list_node *node, *next;
    if (!pool)
        return NULL;
    list_each(&pool->waiting, node, next) {
        call_free(container_of(node, struct http_call, node));
    }
    list_each(&pool->links, node, next) {
        struct http_link *link = container_of(node, struct http_link, in_pool);
        if (link->call)
            call_free(link->call);
        http_link_orphan(link);
    }
    pool_destroy(pool);
    return NULL;
}

struct http_pool_stats http_pool_stats(const struct http_pool *pool) {
    return (struct http_pool_stats){
        .connections = pool->open,
        .idle = pool->idle_count,
        .waiting = pool->waiting_count,
        .calls = pool->calls,
        .connections_total = pool->connections_total,
        .calls_total = pool->calls_total,
        .retries = pool->retries,
        .connect_failures = pool->connect_failures,
    };
}

/* --- calls come and go --------------------------------------------------------------------------
 */

static struct http_call *take_call(struct http_pool *pool) {
    struct http_call *call = pool->spare;
    struct buf text = buf_make(2 * HTTP1_WRITTEN_MAX);
    if (call) {
        pool->spare = (struct http_call *)(void *)call->node.next;
        pool->spare_count--;
        text = call->text;
    } else {
        call = mem_alloc(sizeof *call);
        if (!call)
            return NULL;
    }
    *call = (struct http_call){.pool = pool, .text = text};
    pool->calls++;
    return call;
}

void http_call_give(struct http_call *call) {
    struct http_pool *pool = call->pool;
    pool->calls--;
    if (pool->spare_count == HTTP_SPARE_CALLS_MAX) {
        call_free(call);
        return;
    }
    if (call->text.cap > HTTP_SPARE_TEXT_MAX)
        buf_free(&call->text);
    buf_clear(&call->text);
    call->node.next = (struct list_node *)(void *)pool->spare;
    pool->spare = call;
    pool->spare_count++;
}

void http_call_fail(struct http_call *call, enum http_failed failed, int code, const char *why) {
    struct http_pool *pool = call->pool;
    struct http_call_events events = call->events;
    void *self = call->self;
    bool answered = call->answered;
    http_call_give(call);
    http_pool_serve(pool);
    http_pool_settle(pool);
    events.on_fail(self, failed, answered, code, why);
}

static bool is_safe(slice method) {
    return slice_equal(method, slice_lit("GET")) || slice_equal(method, slice_lit("HEAD")) ||
           slice_equal(method, slice_lit("OPTIONS")) || slice_equal(method, slice_lit("TRACE"));
}

static void describe(struct http_call *call, const struct http_call_options *options,
                     const struct http_call_events *events, void *self) {
    call->events = *events;
    call->self = self;
    call->side =
        slice_equal(options->method, slice_lit("HEAD")) ? HTTP1_RESPONSE_TO_HEAD : HTTP1_RESPONSE;
    call->has_body = options->has_body;
    call->chunked = options->has_body && options->body_length == HTTP_CALL_CHUNKED;
    call->body_left = options->has_body && !call->chunked ? options->body_length : 0;
    call->whole = !options->has_body;
    call->upgrades = options->upgrade.len > 0;
    call->repeatable = options->idempotent || is_safe(options->method);
    call->answer_ns = options->answer_ns ? options->answer_ns : call->pool->options.answer_ns;
    call->take_ns = options->take_ns ? options->take_ns : call->pool->options.silence_ns;
}

/* --- places -------------------------------------------------------------------------------------
 */

/* The idle link used last that is still good, with ROOM bytes at *RET_OUT. 0 with NULL where there
   is none, or -ENOMEM. */
static int find_idle(struct http_pool *pool, size_t room, struct http_link **ret_link,
                     char **ret_out) {
    uint64_t now = io_loop_now_ns(pool->loop);
    while (!list_empty(&pool->idle)) {
        struct http_link *link = container_of(pool->idle.head.next, struct http_link, in_idle);
        int failed = now - link->since_ns < pool->options.idle_ns
                         ? io_stream_reserve(link->stream, room, ret_out)
                         : -EPIPE;
        if (failed == 0)
            *ret_link = link;
        if (failed != -EPIPE)
            return failed ? -ENOMEM : 0;
        http_link_drop(link, true); /* too old, or its end is about to be told */
    }
    *ret_link = NULL;
    return 0;
}

void http_call_leave_queue(struct http_call *call) {
    list_remove(&call->node);
    call->pool->waiting_count--;
    io_timer_stop(call->pool->loop, &call->patience);
}

static void on_patience(struct io_timer *timer) {
    struct http_call *call = container_of(timer, struct http_call, patience);
    http_call_leave_queue(call);
    http_call_fail(call, HTTP_FAILED_BUSY, -ETIMEDOUT, "no connection became free in time");
}

static void wait_for_place(struct http_pool *pool, struct http_call *call) {
    list_push_back(&pool->waiting, &call->node);
    pool->waiting_count++;
    io_timer_start(pool->loop, &call->patience, pool->options.connect_ns, on_patience);
}

static struct http_call *take_waiting(struct http_pool *pool) {
    struct list_node *node = list_first(&pool->waiting);
    struct http_call *call = node ? container_of(node, struct http_call, node) : NULL;
    if (call)
        http_call_leave_queue(call);
    return call;
}

static bool has_place(const struct http_pool *pool) {
    return pool->open < pool->options.connections_max;
}

/* Without memory for a link they go on waiting, for a link that becomes free or for their time. */
void http_pool_serve(struct http_pool *pool) {
    while (!list_empty(&pool->waiting) && has_place(pool)) {
        struct http_call *call = container_of(pool->waiting.head.next, struct http_call, node);
        if (http_link_open(pool, call))
            return;
        check(take_waiting(pool) == call);
    }
}

void http_link_release(struct http_link *link) {
    struct http_pool *pool = link->pool;
    struct http_call *call = take_waiting(pool);
    if (call) {
        http_link_start(link, call);
        return;
    }
    if (pool->draining) {
        http_link_drop(link, true);
        return;
    }
    if (pool->idle_count == pool->options.idle_max)
        http_link_drop(container_of(list_last(&pool->idle), struct http_link, in_idle), true);
    link->state = LINK_IDLE;
    list_push_front(&pool->idle, &link->in_idle);
    pool->idle_count++;
    link->since_ns = io_loop_now_ns(pool->loop);
    http_link_look(link, pool->options.idle_ns);
}

/* --- beginning ----------------------------------------------------------------------------------
 */

/* The head is to be kept for a second sending. Without memory there will be none. */
static void keep_text(struct http_call *call, slice head) {
    call->text_kept = call->repeatable && buf_append(&call->text, head) == 0;
}

static int begin_on(struct http_link *link, char *out, const struct http_call_options *options,
                    const struct http_call_events *events, void *self,
                    struct http_call **ret_call) {
    size_t len = http_head_put(out, options);
    if (len == 0)
        return -EINVAL;
    struct http_call *call = take_call(link->pool);
    if (!call)
        return -ENOMEM;
    describe(call, options, events, self);
    keep_text(call, slice_make(out, len));
    io_stream_advance(link->stream, len);
    http_link_begin(link, call);
    *ret_call = call;
    return 0;
}

/* The text of a call that has no link yet is kept in any case. */
static int write_text(struct http_call *call, size_t room,
                      const struct http_call_options *options) {
    int failed = buf_reserve(&call->text, room);
    if (failed)
        return -ENOMEM;
    call->text.len = http_head_put(call->text.ptr, options);
    call->text_kept = true;
    return call->text.len > 0 ? 0 : -EINVAL;
}

static int begin_without(struct http_pool *pool, size_t room,
                         const struct http_call_options *options,
                         const struct http_call_events *events, void *self,
                         struct http_call **ret_call) {
    bool opens = has_place(pool) && pool->waiting_count == 0;
    if (!opens && pool->waiting_count >= pool->options.waiting_max)
        return -EBUSY;
    struct http_call *call = take_call(pool);
    if (!call)
        return -ENOMEM;
    describe(call, options, events, self);
    int failed = write_text(call, room, options);
    if (!failed && opens)
        failed = http_link_open(pool, call);
    if (failed) {
        http_call_give(call);
        return failed;
    }
    if (!opens) {
        wait_for_place(pool, call);
        http_pool_serve(pool);
    }
    *ret_call = call;
    return 0;
}

int http_call_begin(struct http_pool *pool, const struct http_call_options *options,
                    const struct http_call_events *events, void *self,
                    struct http_call **ret_call) {
    struct http_link *link = NULL;
    char *out = NULL;
    if (pool->retired)
        return -EBUSY;
    size_t room = http_head_room(options);
    if (room == 0)
        return -EINVAL;
    int failed = find_idle(pool, room, &link, &out);
    if (!failed)
        failed = link ? begin_on(link, out, options, events, self, ret_call)
                      : begin_without(pool, room, options, events, self, ret_call);
    if (!failed)
        pool->calls_total++;
    return failed;
}
