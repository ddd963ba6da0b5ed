/*
 * upstream_check.c - questions about a service's health: GET `path`, over a new connection each
 * time so that one that accepts no more is found out, however well it serves the old ones.
 *
 *     WAITING --every, more or less--> ASKING --2xx or 3xx in time--> good, WAITING
 *                                        |--anything else-----------> bad,  WAITING
 *                                        '--it could not be asked---> WAITING (our own trouble)
 *
 * Waits differ by up to an eighth, so that many loops and nodes do not all ask at once. The
 * answer's head is enough; its body is not waited for.
 */
#include "rooms/gateway/upstream.h"

#include <errno.h>
#include <stdio.h>

#define JITTER_PART 8u

static void wait_for_next(struct upstream *u, uint64_t ns);

static void judge(struct upstream *u, bool good, const char *why) {
    const struct upstream_options *o = &u->options;
    u->check_call = NULL;
    if (!good)
        upstream_failed(u, UPSTREAM_HEALTH, why);
    if (health_note(&u->health, good, o->rise, o->fall))
        upstream_set_unwell(u, u->health.state == HEALTH_UNWELL, why);
    wait_for_next(u, o->health_every_ns);
}

/* It could not be asked, which says nothing of it. */
static void pass_over(struct upstream *u) {
    u->check_call = NULL;
    wait_for_next(u, u->options.health_every_ns);
}

static void on_head(void *self, const struct http1_head *head) {
    struct upstream *u = self;
    char why[48];
    http_call_cancel(u->check_call);
    (void)snprintf(why, sizeof why, "its health check is answered %u", (unsigned)head->status);
    judge(u, head->status >= 200 && head->status < 400, why);
}

static void on_fail(void *self, enum http_failed failed, bool answered, int code, const char *why) {
    struct upstream *u = self;
    (void)failed;
    (void)answered;
    if (upstream_is_our_own(code))
        pass_over(u);
    else
        judge(u, false, why);
}

static void on_body(void *self, slice bytes) {
    (void)self;
    (void)bytes;
    check(false); /* the call has ended with its head */
}

static void on_end(void *self, slice trailers) {
    on_body(self, trailers);
}

static void on_late(struct io_timer *timer) {
    struct upstream *u = container_of(timer, struct upstream, check);
    http_call_cancel(u->check_call);
    judge(u, false, "its health check is not answered in time");
}

static void ask(struct io_timer *timer) {
    static const struct http_call_events events = {
        .on_head = on_head, .on_body = on_body, .on_end = on_end, .on_fail = on_fail};
    static const struct http1_field fields[] = {
        {slice_lit("User-Agent"), slice_lit("nonet-health-check")},
        {slice_lit("Accept"), slice_lit("*/*")},
    };
    struct upstream *u = container_of(timer, struct upstream, check);
    const struct http_call_options options = {
        .method = slice_lit("GET"),
        .target = u->options.health_path,
        .host = u->options.host,
        .fields = fields,
        .field_count = array_count(fields),
    };
    int failed = http_call_begin(u->check_pool, &options, &events, u, &u->check_call);
    if (failed && upstream_is_our_own(failed))
        pass_over(u);
    else if (failed)
        judge(u, false, "its health check cannot be sent");
    else
        io_timer_start(u->shard->shard->loop, timer, u->options.health_timeout_ns, on_late);
}

static void wait_for_next(struct upstream *u, uint64_t ns) {
    uint64_t jitter = ns / JITTER_PART;
    uint64_t wait = ns - jitter + random_below(&u->shard->random, 2 * jitter + 1);
    io_timer_start(u->shard->shard->loop, &u->check, wait, ask);
}

int upstream_check_open(struct upstream *u) {
    if (!u->options.checked)
        return 0;
    const struct http_pool_options options = {
        .address = u->options.address,
        .tls = u->options.tls,
        .connections_max = 2, /* the one before may still be saying goodbye */
        .connect_ns = u->options.health_timeout_ns,
        .answer_ns = u->options.health_timeout_ns,
    };
    int failed = http_pool_create(u->shard->shard->loop, &options, &u->check_pool);
    if (!failed)
        wait_for_next(u, u->options.health_every_ns / JITTER_PART);
    return failed;
}

void upstream_check_close(struct upstream *u) {
    if (!u->check_pool)
        return;
    io_timer_stop(u->shard->shard->loop, &u->check);
    u->check_call = NULL;
    u->check_pool = http_pool_free(u->check_pool);
}
