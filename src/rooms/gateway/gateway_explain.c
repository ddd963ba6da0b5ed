/*
 * gateway_explain.c - what a config's routes come to: their order, for `nonet check --routes`.
 *
 * The rows are put into http's table, as the check and the running gateway do, and walked in the
 * order in which that table tries them; so what is printed is what will happen. A route with cors
 * has rows for preflights, too: OPTIONS that ask what a page may send.
 */
#include "rooms/gateway/gateway_config.h"
#include "rooms/gateway/route_match.h"
#include "wire/json_write.h"

#include <errno.h>
#include <stdio.h>

#define TEXT_MAX_BYTES 8192u

static void never_called(void *owner, struct http_request *request) {
    (void)owner;
    (void)request;
    check(false);
}

/* The handler of a preflight's row, so that it is known again. */
static void preflight(void *owner, struct http_request *request) {
    never_called(owner, request);
}

/* "http://127.0.0.1:9001, http://127.0.0.1:9002" */
static int print_list(const struct conf_array *list, struct buf *out) {
    const slice *items = list->items;
    int failed = 0;
    for (size_t i = 0; i < list->count && !failed; i++)
        failed = buf_printf(out, "%s%.*s", i ? ", " : "", slice_fmt(items[i]));
    return failed;
}

/* "websocket chat.>, publish chat.in" */
static int print_websocket(const struct gateway_websocket_config *websocket, struct buf *out) {
    int failed = buf_append(out, slice_lit("websocket "));
    if (!failed)
        failed = print_list(&websocket->subscribe, out);
    if (!failed && websocket->publish.len)
        failed = buf_printf(out, "%spublish %.*s", websocket->subscribe.count ? ", " : "",
                            slice_fmt(websocket->publish));
    return failed;
}

/* "node events, categories order, stock, read only" */
static int print_node(const struct gateway_to *to, struct buf *out) {
    int failed = buf_printf(out, "node %.*s%s", slice_fmt(to->node),
                            to->categories.count ? ", categories " : "");
    if (!failed)
        failed = print_list(&to->categories, out);
    return failed || !to->read_only ? failed : buf_append(out, slice_lit(", read only"));
}

static int print_target(const struct gateway_to *to, struct buf *out) {
    int failed = 0;
    if (to->http.count)
        failed = print_list(&to->http, out);
    else if (to->request.len)
        failed = buf_printf(out, "request %.*s", slice_fmt(to->request));
    else if (to->publish.len)
        failed = buf_printf(out, "publish %.*s%s", slice_fmt(to->publish),
                            to->durable ? ", durable" : "");
    else if (to->sse.count)
        failed = buf_append(out, slice_lit("sse ")) || print_list(&to->sse, out);
    else if (to->websocket.item.given)
        failed = print_websocket(&to->websocket, out);
    else if (to->files.len)
        failed = buf_printf(out, "files %.*s", slice_fmt(to->files));
    else if (to->redirect.len)
        failed = buf_printf(out, "redirect %.*s", slice_fmt(to->redirect));
    else if (to->respond.item.given)
        failed = buf_printf(out, "respond %lld", (long long)to->respond.status);
    else if (to->node.len)
        failed = print_node(to, out);
    return failed;
}

static int print_conditions(const struct http_route *route, struct buf *out) {
    int failed = 0;
    for (unsigned i = 0; i < route->condition_count && !failed; i++) {
        const struct http_condition *c = &route->conditions[i];
        failed = buf_printf(out, "%s%s%s%s%s", i ? ", " : "", c->on == HTTP_ON_ARGUMENT ? "?" : "",
                            c->name,
                            !c->value                   ? ""
                            : c->on == HTTP_ON_ARGUMENT ? "="
                                                        : ": ",
                            c->value ? c->value : "");
    }
    return failed;
}

static void write_member(struct json_writer *w, const char *key, int failed, struct buf *text) {
    json_write_key(w, key);
    json_write_string(w, failed ? slice_lit("...") : buf_slice(text)); /* too long to be shown */
    buf_clear(text);
}

static int write_route(void *self, const struct http_route *row) {
    struct json_writer *w = self;
    const struct gateway_route_config *route = row->owner;
    struct arena scratch _cleanup_arena_ = arena_make(0, 1u << 20);
    struct buf text _cleanup_buf_ = buf_make(TEXT_MAX_BYTES);
    slice name = route->name;
    if (!name.len && route_match_name(&route->match, &scratch, &name))
        name = slice_lit("");
    json_write_object(w);
    json_write_key(w, "host");
    json_write_text(w, row->host ? row->host : "*");
    json_write_key(w, "path");
    json_write_text(w, row->pattern);
    json_write_key(w, "method");
    json_write_text(w, row->method ? row->method : "*");
    write_member(w, "when", print_conditions(row, &text), &text);
    write_member(w, "to",
                 row->handle == preflight ? buf_append(&text, slice_lit("preflight (cors)"))
                                          : print_target(&route->to, &text),
                 &text);
    json_write_key(w, "name");
    json_write_string(w, name);
    json_write_end(w);
    return 0;
}

void gateway_explain(const void *section, struct json_writer *w) {
    const struct gateway_config *config = section;
    const struct gateway_route_config *routes = config->routes.items;
    struct http_routes *table;
    json_write_array(w);
    if (http_routes_create(&table) == 0) {
        for (size_t i = 0; i < config->routes.count; i++) {
            struct arena scratch _cleanup_arena_ = arena_make(0, 1u << 20);
            int failed = route_match_add(table, &routes[i].match, never_called, (void *)&routes[i],
                                         0, &scratch);
            if (!failed && routes[i].cors.item.given)
                failed = route_match_add_preflights(table, &routes[i].match, preflight,
                                                    (void *)&routes[i], &scratch);
            if (failed) /* judged fine; without memory it is left out */
                break;
        }
        (void)http_routes_each(table, write_route, w);
        http_routes_unref(table);
    }
    json_write_end(w);
}
