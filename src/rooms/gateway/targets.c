/*
 * targets.c - the table of targets, and the two that need nothing: respond and redirect.
 *
 * The first target that finds itself chosen by a route's `to` is the route's; the config's table
 * has seen to it that there is exactly one.
 */
#include "rooms/gateway/table.h"
#include "rooms/gateway/target.h"
#include "rooms/gateway/template.h"

#include <errno.h>

const struct gateway_target *const gateway_targets[] = {
    &http_target,  &request_target,  &publish_target, &sse_target,  &websocket_target,
    &files_target, &redirect_target, &respond_target, &node_target, NULL,
};

/* --- respond -----------------------------------------------------------------------------------
 */

struct respond {
    unsigned status;
    slice type, body;
};

static bool respond_chosen(const struct gateway_to *to) {
    return to->respond.item.given;
}

static int respond_open(struct gateway *gateway, const struct gateway_route_config *config,
                        struct arena *arena, void **ret_self, struct error *ret_error) {
    (void)gateway;
    struct respond *respond = arena_zalloc(arena, 1, sizeof *respond);
    if (!respond || arena_copy(arena, config->to.respond.type, &respond->type) ||
        arena_copy(arena, config->to.respond.body, &respond->body))
        return error_set(ret_error, -ENOMEM, "no memory for an answer");
    respond->status = (unsigned)config->to.respond.status;
    *ret_self = respond;
    return 0;
}

static void respond_start(struct exchange *x, void *self) {
    const struct respond *respond = self;
    exchange_reply(x,
                   &(struct http_answer){.status = respond->status,
                                         .type = respond->body.len ? respond->type.ptr : NULL},
                   respond->body);
}

const struct gateway_target respond_target = {
    .name = "respond",
    .chosen = respond_chosen,
    .open = respond_open,
    .start = respond_start,
};

/* --- redirect ----------------------------------------------------------------------------------
 */

#define REDIRECT_STATUS_DEFAULT 308u

struct redirect {
    unsigned status;
    slice to;
};

static bool redirect_chosen(const struct gateway_to *to) {
    return to->redirect.len > 0;
}

static int redirect_open(struct gateway *gateway, const struct gateway_route_config *config,
                         struct arena *arena, void **ret_self, struct error *ret_error) {
    (void)gateway;
    struct redirect *redirect = arena_zalloc(arena, 1, sizeof *redirect);
    if (!redirect || arena_copy(arena, config->to.redirect, &redirect->to))
        return error_set(ret_error, -ENOMEM, "no memory for a redirect");
    redirect->status = config->to.status ? (unsigned)config->to.status : REDIRECT_STATUS_DEFAULT;
    *ret_self = redirect;
    return 0;
}

static void redirect_start(struct exchange *x, void *self) {
    const struct redirect *redirect = self;
    slice to, query = http_request_query(x->request);
    int failed = exchange_expand(x, redirect->to, TEMPLATE_URL, &to);
    if (failed == -ENOMEM) {
        exchange_problem(x, 503, "no memory", "there is no memory to answer this request");
        return;
    }
    if (failed) {
        exchange_problem(x, 400, "redirect", "the path makes no address to be sent to");
        return;
    }
    exchange_print_field(x, "Location", "%.*s%s%.*s", slice_fmt(to), query.len ? "?" : "",
                         slice_fmt(query));
    exchange_reply(x, &(struct http_answer){.status = redirect->status}, (slice){0});
}

const struct gateway_target redirect_target = {
    .name = "redirect",
    .chosen = redirect_chosen,
    .open = redirect_open,
    .start = redirect_start,
};
