/*
 * mirror.c - copies of requests (mirror.h).
 *
 *     GATHERING --whole--> SENT (the call takes the body) --answered, failed--> spare
 *         '--too large, given up-----------------------------------------------> spare
 *
 * What a call is begun with lives for one turn only, so while the body is gathered its texts lie in
 * the copy's arena. Ended copies are kept, a few for each service, with the first piece of their
 * arena: one without a body allocates nothing.
 */
#include "rooms/gateway/mirror.h"

#include "base/mem.h"

#include <errno.h>

#define TEXTS_MAX (128u << 10) /* bytes of a call's options */
#define SPARE_MAX 32u

struct mirror {
    struct list_node node; /* of its upstream's */
    struct upstream *upstream;
    struct http_call *call; /* NULL: gathering */
    struct http_call_options options;
    struct arena arena;
    struct buf body;
    uint64_t began_ns;
};

/* --- life --------------------------------------------------------------------------------------
 */

static void mirror_free(struct mirror *m) {
    list_remove(&m->node);
    arena_free(&m->arena);
    buf_free(&m->body);
    mem_free(m);
}

void mirror_free_all(struct upstream *u) {
    struct list *lists[] = {&u->mirrored, &u->spare_mirrors};
    for (size_t i = 0; i < array_count(lists); i++)
        while (!list_empty(lists[i])) {
            struct mirror *m = container_of(lists[i]->head.next, struct mirror, node);
            if (m->call)
                http_call_cancel(m->call);
            mirror_free(m);
        }
}

static struct mirror *take(struct upstream *u) {
    struct list_node *spare = list_pop_front(&u->spare_mirrors);
    struct mirror *m;
    if (spare) {
        m = container_of(spare, struct mirror, node);
        u->spare_mirror_count--;
    } else {
        m = mem_zalloc(1, sizeof *m);
        if (!m)
            return NULL;
        m->upstream = u;
        m->arena = arena_make(0, TEXTS_MAX);
        m->body = buf_make(MIRROR_BODY_MAX);
    }
    list_push_back(&u->mirrored, &m->node);
    upstream_begin(u);
    return m;
}

/* Its call, if there was one, is gone; the upstream may be, afterwards. */
static void give(struct mirror *m) {
    struct upstream *u = m->upstream;
    m->call = NULL;
    list_remove(&m->node);
    arena_reset(&m->arena);
    buf_free(&m->body);
    if (u->spare_mirror_count < SPARE_MAX) {
        list_push_front(&u->spare_mirrors, &m->node);
        u->spare_mirror_count++;
    } else {
        mirror_free(m);
    }
    upstream_end(u);
}

struct mirror *mirror_forget(struct mirror *m) {
    if (m)
        give(m);
    return NULL;
}

/* --- answers, thrown away ----------------------------------------------------------------------
 */

static void on_head(void *self, const struct http1_head *head) {
    struct mirror *m = self;
    uint64_t now = io_loop_now_ns(m->upstream->shard->shard->loop);
    upstream_answered(m->upstream, head->status, now - m->began_ns);
}

static void on_body(void *self, slice bytes) {
    (void)self;
    (void)bytes;
}

static void on_end(void *self, slice trailers) {
    (void)trailers;
    give(self);
}

static void on_fail(void *self, enum http_failed failed, bool answered, int code, const char *why) {
    struct mirror *m = self;
    (void)answered;
    if (!upstream_is_our_own(code))
        upstream_failed(m->upstream, upstream_failure_of(failed), why);
    give(m);
}

/* The call has a connection now, or room again. */
static void send_body(struct mirror *m) {
    int failed = http_call_write(m->call, buf_slice(&m->body));
    if (failed == -EAGAIN)
        return; /* on_room */
    if (failed) {
        http_call_cancel(m->call);
        give(m);
        return;
    }
    buf_free(&m->body);
    http_call_end(m->call, NULL, 0);
}

static void on_room(void *self) {
    send_body(self);
}

static const struct http_call_events events = {
    .on_head = on_head,
    .on_body = on_body,
    .on_end = on_end,
    .on_fail = on_fail,
    .on_room = on_room,
};

/* --- requests ----------------------------------------------------------------------------------
 */

/* False: there is no place for it. */
static bool begin(struct mirror *m, const struct http_call_options *options) {
    m->began_ns = io_loop_now_ns(m->upstream->shard->shard->loop);
    int failed = http_call_begin(m->upstream->pool, options, &events, m, &m->call);
    if (!failed)
        return true;
    if (failed == -EBUSY)
        upstream_failed(m->upstream, UPSTREAM_BUSY, "no place");
    m->call = NULL;
    give(m);
    return false;
}

static int keep(struct mirror *m, const struct http_call_options *options) {
    struct http_call_options *o = &m->options;
    struct http1_field *fields = arena_alloc(&m->arena, options->field_count * sizeof *fields);
    *o = *options;
    int failed = fields ? 0 : -ENOMEM;
    if (!failed)
        failed = arena_copy(&m->arena, options->method, &o->method);
    if (!failed)
        failed = arena_copy(&m->arena, options->target, &o->target);
    if (!failed)
        failed = arena_copy(&m->arena, options->host, &o->host);
    for (size_t i = 0; i < options->field_count && !failed; i++) {
        failed = arena_copy(&m->arena, options->fields[i].name, &fields[i].name);
        if (!failed)
            failed = arena_copy(&m->arena, options->fields[i].value, &fields[i].value);
    }
    o->fields = fields;
    return failed;
}

struct mirror *mirror_begin(struct upstream *u, const struct http_call_options *options) {
    bool too_large = options->has_body && options->body_length != HTTP_CALL_CHUNKED &&
                     options->body_length > MIRROR_BODY_MAX;
    struct mirror *m = too_large || options->upgrade.len ? NULL : take(u);
    if (!m)
        return NULL;
    if (!options->has_body) {
        (void)begin(m, options);
        return NULL;
    }
    return keep(m, options) ? mirror_forget(m) : m;
}

struct mirror *mirror_gather(struct mirror *m, slice bytes) {
    return buf_append(&m->body, bytes) ? mirror_forget(m) : m;
}

void mirror_send(struct mirror *m) {
    m->options.body_length = m->body.len;
    if (begin(m, &m->options))
        send_body(m);
}
