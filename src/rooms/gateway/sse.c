/*
 * sse.c - the target sse: a request becomes a client of a feed (sse_feed.h) and stays one.
 *
 *     GET /live                           200 text/event-stream, from now on
 *     Last-Event-ID: 4711                 the same, behind the message 4711 of the stream; 0: all
 *     GET /live?last-event-id=4711        for the first request of an EventSource, which sends none
 *
 * An id is a sequence of the one stream that has all of the subjects. Without one stream there are
 * no ids, and what is said of one is passed over, as is what is not a number. The client is asked
 * to come back within a few seconds of an end; a comment each 15 seconds keeps the connection
 * alive. Answers outlive reloads, and end by themselves when the node stops, when rights change,
 * and when another stream takes the subjects over.
 */
#include "base/number.h"
#include "rooms/gateway/sse_feed.h"
#include "rooms/gateway/subjects.h"
#include "rooms/gateway/table.h"

#include <errno.h>

struct sse {
    const slice *subjects; /* templates */
    unsigned count;
};

static void on_gone(struct exchange *x) {
    sse_leave(x->state);
}

static void on_room(struct exchange *x) {
    sse_on_room(x->state);
}

static void on_client_end(struct exchange *x) {
    sse_client_ended(x->state);
}

static void on_drain(struct exchange *x) {
    sse_end(x->state, x->login_end.over ? "login over" : "node stops");
}

static void busy(struct exchange *x, const char *reason) {
    exchange_problem(x, 503, reason, "there is no room for another client");
}

/* False: it has been answered. */
static bool expand(struct exchange *x, const struct sse *sse, slice *subjects) {
    for (unsigned i = 0; i < sse->count; i++) {
        int failed = exchange_expand(x, sse->subjects[i], TEMPLATE_FILTER, &subjects[i]);
        if (failed == -ENOMEM) {
            busy(x, "no memory");
            return false;
        }
        if (failed || subjects[i].len > BUS_SUBJECT_MAX) {
            exchange_problem(x, 400, "subject", "a part of the path cannot be part of a subject");
            return false;
        }
        if (x->rights && !principal_may_subscribe(x->rights, subjects[i], (slice){0})) {
            exchange_problem(x, 403, "rights", "this is not allowed to who asks");
            return false;
        }
    }
    return true;
}

static bool read_id(struct exchange *x, uint64_t *ret_id) {
    slice text;
    if (!http_request_field(x->request, slice_lit("Last-Event-ID"), &text) &&
        http_request_argument(x->request, slice_lit("last-event-id"), &text))
        return false;
    return number_parse_u64(text, ret_id) == 0 && *ret_id < UINT64_MAX;
}

static bool is_filtered(const struct exchange *x, const slice *subjects, unsigned count) {
    bool filtered = false;
    for (unsigned i = 0; x->rights && i < count; i++)
        filtered |= principal_filters(x->rights, subjects[i]);
    return filtered;
}

/* False: it has been answered. */
static bool judge_method(struct exchange *x) {
    slice method = http_request_method(x->request);
    if (slice_equal(method, slice_lit("HEAD"))) {
        exchange_reply(x, &(struct http_answer){.status = 200, .type = "text/event-stream"},
                       (slice){0});
        return false;
    }
    if (slice_equal(method, slice_lit("GET")))
        return true;
    exchange_add_field(x, slice_lit("Allow"), slice_lit("GET, HEAD"));
    exchange_problem(x, 405, "method", "events are read with GET");
    return false;
}

static void start(struct exchange *x, void *self) {
    static const struct exchange_events events = {
        .on_gone = on_gone,
        .on_room = on_room,
        .on_client_end = on_client_end,
        .on_drain = on_drain,
    };
    const struct sse *sse = self;
    slice subjects[SSE_SUBJECTS_MAX];
    if (!judge_method(x) || !expand(x, sse, subjects))
        return;
    struct sse_client *client = arena_zalloc(exchange_arena(x), 1, sizeof *client);
    if (!client || x->shard->draining) {
        busy(x, client ? "node stops" : "no memory");
        return;
    }
    client->x = x;
    client->resumes = read_id(x, &client->after);
    client->filtered = is_filtered(x, subjects, sse->count);
    x->upstream = subjects[0];
    exchange_hold(x, &events, client);
    exchange_ends_with_login(x);
    if (sse_join(x->shard->subjects->sse, subjects, sse->count, client))
        busy(x, "no memory");
}

static bool chosen(const struct gateway_to *to) {
    return to->sse.count > 0;
}

static int open_target(struct gateway *gateway, const struct gateway_route_config *config,
                       struct arena *arena, void **ret_self, struct error *ret_error) {
    (void)gateway;
    struct sse *sse = arena_zalloc(arena, 1, sizeof *sse);
    if (!sse || gateway_copy_slices(arena, &config->to.sse, &sse->subjects, &sse->count))
        return error_set(ret_error, -ENOMEM, "no memory for a route");
    *ret_self = sse;
    return 0;
}

const struct gateway_target sse_target = {
    .name = "sse",
    .chosen = chosen,
    .open = open_target,
    .start = start,
};
