/*
 * targets.c - the table of targets, and the two that need nothing: respond and redirect.
 *
 * The first target that finds itself chosen by a route's `to` is the route's; the config's table
 * has seen to it that there is exactly one.
 */
#include "rooms/gateway/exchange.h"
#include "rooms/gateway/table.h"
#include "rooms/gateway/target.h"
#include "rooms/gateway/template.h"

#include <errno.h>

const struct gateway_target *const gateway_targets[] = {
    &http_target,  &request_target,  &publish_target, &sse_target,  &websocket_target,
    &files_target, &redirect_target, &respond_target, &node_target, &events_target,
    NULL,
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

/* TO with the QUERY of the request behind its own, before what is behind '#'. 0 or -ENOMEM. */
static int print_location(struct arena *arena, slice to, slice query, slice *ret_location) {
    slice fragment, address = slice_cut(to, '#', &fragment);
    const char *sign = slice_find(address, '?') < 0               ? "?"
                       : slice_ends_with(address, slice_lit("?")) ? ""
                                                                  : "&";
    return arena_printf(arena, ret_location, "%.*s%s%.*s%s%.*s", slice_fmt(address),
                        query.len ? sign : "", slice_fmt(query), fragment.ptr ? "#" : "",
                        slice_fmt(fragment));
}

static void redirect_start(struct exchange *x, void *self) {
    const struct redirect *redirect = self;
    slice to, location = {0};
    int failed = exchange_expand(x, redirect->to, TEMPLATE_URL, &to);
    if (!failed)
        failed = print_location(exchange_arena(x), to, http_request_query(x->request), &location);
    if (failed == -ENOMEM) {
        exchange_problem(x, 503, "no memory", "there is no memory to answer this request");
        return;
    }
    if (failed) {
        exchange_problem(x, 400, "redirect", "the path makes no address to be sent to");
        return;
    }
    const struct http1_field field = {slice_lit("Location"), location};
    exchange_reply(
        x, &(struct http_answer){.status = redirect->status, .fields = &field, .field_count = 1},
        (slice){0});
}

const struct gateway_target redirect_target = {
    .name = "redirect",
    .chosen = redirect_chosen,
    .open = redirect_open,
    .start = redirect_start,
};

/* --- nowhere -----------------------------------------------------------------------------------
 */

static void nowhere_start(struct exchange *x, void *self) {
    slice allow = http_request_allow(x->request);
    (void)self;
    if (allow.len == 0) {
        exchange_problem(x, 404, "no route", "there is nothing at this path");
        return;
    }
    exchange_add_field(x, slice_lit("Allow"), allow);
    exchange_problem(x, 405, "no route", "this path has other methods, see Allow");
}

const struct gateway_target nowhere_target = {.name = "none", .start = nowhere_start};
