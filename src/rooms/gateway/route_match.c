/*
 * route_match.c - rows of http's table from `match` (route_match.h).
 *
 * http's table copies every text it is given, so what is made here for it lives in scratch memory:
 * NUL-terminated copies of the config's slices.
 */
#include "rooms/gateway/route_match.h"

#include "base/buf.h"

#include <errno.h>

#define NAME_BYTES_MAX ((size_t)2 << 20) /* the longest match that a config can hold */

static int text_of(struct arena *scratch, slice text, const char **ret_text) {
    slice copy;
    int failed = arena_copy(scratch, text, &copy);
    if (!failed)
        *ret_text = copy.ptr;
    return failed;
}

static int take_conditions(const struct conf_array *pairs, enum http_condition_on on,
                           struct arena *scratch, struct http_condition *conditions,
                           unsigned *count) {
    const struct conf_pair *items = pairs->items;
    for (size_t i = 0; i < pairs->count; i++) {
        if (*count == HTTP_CONDITIONS_MAX)
            return -ENOBUFS;
        struct http_condition *condition = &conditions[*count];
        *condition = (struct http_condition){.on = on};
        int failed = text_of(scratch, items[i].item.name, &condition->name);
        if (!failed && !slice_equal(items[i].text, slice_lit("*")))
            failed = text_of(scratch, items[i].text, &condition->value);
        if (failed)
            return failed;
        (*count)++;
    }
    return 0;
}

static int prepare(const struct gateway_match *match, struct arena *scratch,
                   struct http_condition *conditions, struct http_route *route) {
    int failed = text_of(scratch, match->path, &route->pattern);
    if (!failed && match->host.len)
        failed = text_of(scratch, match->host, &route->host);
    if (!failed)
        failed = take_conditions(&match->headers, HTTP_ON_FIELD, scratch, conditions,
                                 &route->condition_count);
    if (!failed)
        failed = take_conditions(&match->query, HTTP_ON_ARGUMENT, scratch, conditions,
                                 &route->condition_count);
    route->conditions = conditions;
    return failed;
}

int route_match_add(struct http_routes *routes, const struct gateway_match *match,
                    void (*handle)(void *owner, struct http_request *request), void *owner,
                    uint64_t body_max, struct arena *scratch) {
    struct http_condition conditions[HTTP_CONDITIONS_MAX];
    struct http_route route = {
        .handle = handle, .owner = owner, .body_bytes_max = body_max, .streams = true};
    const slice *methods = match->method.items;
    int failed = prepare(match, scratch, conditions, &route);
    if (!failed && match->method.count == 0)
        failed = http_routes_add(routes, &route);
    for (size_t i = 0; i < match->method.count && !failed; i++) {
        failed = text_of(scratch, methods[i], &route.method);
        if (!failed)
            failed = http_routes_add(routes, &route);
    }
    return failed;
}

/* A preflight comes for the same URL, without the fields that the request will bear. */
static int add_preflight(struct http_routes *routes, const struct gateway_match *match,
                         const char *method, const struct http_route *like, struct arena *scratch) {
    struct http_condition conditions[HTTP_CONDITIONS_MAX] = {
        {HTTP_ON_FIELD, "Origin", NULL},
        {HTTP_ON_FIELD, "Access-Control-Request-Method", method},
    };
    struct http_route route = *like;
    struct gateway_match fewer = *match;
    if (fewer.query.count > HTTP_CONDITIONS_MAX - 2)
        fewer.query.count = HTTP_CONDITIONS_MAX - 2;
    route.method = "OPTIONS";
    route.conditions = conditions;
    route.condition_count = 2;
    int failed = take_conditions(&fewer.query, HTTP_ON_ARGUMENT, scratch, conditions,
                                 &route.condition_count);
    if (!failed)
        failed = http_routes_add(routes, &route);
    return failed == -EEXIST ? 0 : failed; /* of two routes that differ in fields the first says */
}

int route_match_add_preflights(struct http_routes *routes, const struct gateway_match *match,
                               void (*handle)(void *owner, struct http_request *request),
                               void *owner, struct arena *scratch) {
    struct http_route route = {.handle = handle, .owner = owner, .streams = true};
    const slice *methods = match->method.items;
    int failed = text_of(scratch, match->path, &route.pattern);
    if (!failed && match->host.len)
        failed = text_of(scratch, match->host, &route.host);
    if (!failed && match->method.count == 0 && match->headers.count)
        failed = add_preflight(routes, match, NULL, &route, scratch);
    for (size_t i = 0; i < match->method.count && !failed; i++) {
        const char *method;
        failed = text_of(scratch, methods[i], &method);
        if (!failed)
            failed = add_preflight(routes, match, method, &route, scratch);
        if (!failed && slice_equal(methods[i], slice_lit("GET")))
            failed = add_preflight(routes, match, "HEAD", &route, scratch);
    }
    return failed;
}

/* "GET,POST " or "* " */
static int name_methods(struct buf *name, const struct conf_array *list) {
    const slice *methods = list->items;
    int failed = list->count ? 0 : buf_append_byte(name, '*');
    for (size_t i = 0; i < list->count && !failed; i++)
        failed = buf_printf(name, "%s%.*s", i ? "," : "", slice_fmt(methods[i]));
    return failed ? failed : buf_append_byte(name, ' ');
}

/* " X-Version=2" for each of PAIRS, with BEFORE in front of its name. */
static int name_conditions(struct buf *name, const struct conf_array *pairs, const char *before) {
    const struct conf_pair *items = pairs->items;
    int failed = 0;
    for (size_t i = 0; i < pairs->count && !failed; i++)
        failed = buf_printf(name, " %s%.*s=%.*s", before, slice_fmt(items[i].item.name),
                            slice_fmt(items[i].text));
    return failed;
}

int route_match_name(const struct gateway_match *match, struct arena *arena, slice *ret_name) {
    struct buf name _cleanup_buf_ = buf_make(NAME_BYTES_MAX);
    int failed = name_methods(&name, &match->method);
    if (!failed)
        failed = buf_printf(&name, "%.*s%.*s", slice_fmt(match->host), slice_fmt(match->path));
    if (!failed)
        failed = name_conditions(&name, &match->headers, "");
    if (!failed)
        failed = name_conditions(&name, &match->query, "?");
    return failed ? failed : arena_copy(arena, buf_slice(&name), ret_name);
}
