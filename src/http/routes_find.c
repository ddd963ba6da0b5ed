/*
 * routes_find.c - the table of routes, sealed: its tree is built, and routes are looked up.
 *
 * A look-up costs a hash for each segment of the path, and for each label of the host where routes
 * name hosts at all. It goes back only where a word leads nowhere and a parameter or a star stands
 * beside it; each node is met at most once.
 */
#include "http/route_table.h"

#include "base/hash.h"
#include "base/mem.h"
#include "wire/url.h"

#include <errno.h>
#include <stdio.h>

/* --- the tree ----------------------------------------------------------------------------------
 */

/* The place of the edge, or the free one where it would lie. */
static struct http_edge *edge_place(const struct http_routes *routes, uint32_t from, slice word) {
    /* The words of the tree are the config's, so the key need not be secret. */
    struct hash_key key = {from, 0};
    uint64_t at = hash_slice(&key, word);
    for (;; at++) {
        struct http_edge *edge = &routes->edges[at & routes->edge_mask];
        if (edge->to == 0 || (edge->from == from && slice_equal(edge->word, word)))
            return edge;
    }
}

static uint32_t follow(struct http_routes *routes, uint32_t from, slice word) {
    struct http_edge *edge = edge_place(routes, from, word);
    if (edge->to == 0)
        *edge = (struct http_edge){from, routes->node_count++, word};
    routes->nodes[from].has_words = true;
    return edge->to;
}

static uint32_t follow_host(struct http_routes *routes, const struct http_entry *entry) {
    if (entry->host_kind == HTTP_HOST_ANY)
        return HTTP_NODE_ANY;
    return follow(routes,
                  entry->host_kind == HTTP_HOST_EXACT ? HTTP_NODE_EXACT : HTTP_NODE_WILDCARD,
                  entry->host);
}

/* Entries come in the order of the table, so those that end at one place come in one run. */
static void append(uint32_t *from, uint32_t *to, uint32_t index) {
    if (*from == *to)
        *from = *to = index;
    check(*to == index);
    *to = index + 1;
}

static void grow_tree(struct http_routes *routes, uint32_t index) {
    const struct http_entry *entry = routes->entries[index];
    uint32_t at = follow_host(routes, entry);
    for (unsigned i = 0; i < entry->segment_count; i++) {
        const struct http_segment *segment = &entry->segments[i];
        if (segment->kind == HTTP_STAR) {
            append(&routes->nodes[at].stars_from, &routes->nodes[at].stars_to, index);
            return;
        }
        if (segment->kind == HTTP_WORD) {
            at = follow(routes, at, segment->text);
            continue;
        }
        if (routes->nodes[at].parameter == 0)
            routes->nodes[at].parameter = routes->node_count++;
        at = routes->nodes[at].parameter;
    }
    append(&routes->nodes[at].ends_from, &routes->nodes[at].ends_to, index);
}

int http_routes_seal(struct http_routes *routes) {
    if (routes->sealed)
        return 0;
    uint32_t nodes = HTTP_NODES_FIRST, edges = 1;
    for (unsigned i = 0; i < routes->count; i++)
        nodes += 1 + routes->entries[i]->segment_count;
    while (edges < 2 * nodes) /* at most half full */
        edges *= 2;
    routes->nodes = mem_zalloc(nodes, sizeof routes->nodes[0]);
    routes->edges = mem_zalloc(edges, sizeof routes->edges[0]);
    if (!routes->nodes || !routes->edges) {
        routes->nodes = mem_free(routes->nodes);
        routes->edges = mem_free(routes->edges);
        return -ENOMEM;
    }
    routes->node_count = HTTP_NODES_FIRST;
    routes->edge_mask = edges - 1;
    for (uint32_t i = 0; i < routes->count; i++)
        grow_tree(routes, i);
    check(routes->node_count <= nodes);
    routes->sealed = true;
    return 0;
}

/* --- conditions and methods --------------------------------------------------------------------
 */

static bool holds(const struct http_test *test, const struct http_asked *asked) {
    if (test->on == HTTP_ON_FIELD) {
        for (size_t i = 0; i < asked->field_count; i++)
            if (slice_equal_nocase(asked->fields[i].name, test->name) &&
                (test->any || slice_equal(asked->fields[i].value, test->value)))
                return true;
        return false;
    }
    slice query = asked->query, name, value;
    while (url_query_next(&query, &name, &value))
        if (url_says(name, true, test->name) && (test->any || url_says(value, true, test->value)))
            return true;
    return false;
}

static bool all_hold(const struct http_entry *entry, const struct http_asked *asked) {
    for (unsigned i = 0; i < entry->route.condition_count; i++)
        if (!holds(&entry->tests[i], asked))
            return false;
    return true;
}

static bool takes(const struct http_route *route, slice method) {
    return !route->method || slice_equal(method, slice_str(route->method)) ||
           (slice_equal(method, slice_lit("HEAD")) && strcmp(route->method, "GET") == 0);
}

/* Adds METHOD unless it is there or does not fit, which an Allow of usual methods does. */
static void allow(struct http_match *match, const char *method) {
    size_t len = strlen(match->allow);
    slice there = slice_make(match->allow, len), name;
    if (len + strlen(method) + 3 > sizeof match->allow)
        return;
    while (http1_next_element(&there, &name))
        if (slice_equal(name, slice_str(method)))
            return;
    snprintf(match->allow + len, sizeof match->allow - len, "%s%s", len ? ", " : "", method);
}

/* --- finding -----------------------------------------------------------------------------------
 */

struct search {
    const struct http_routes *routes;
    const struct http_asked *asked;
    struct http_match *match;
};

static void name_parameters(const struct http_entry *entry, struct http_match *match) {
    unsigned count = 0;
    for (unsigned i = 0; i < entry->segment_count; i++)
        if (entry->segments[i].kind != HTTP_WORD)
            match->parameters[count++].name = entry->segments[i].text;
    check(count == match->parameter_count);
}

/* True: the first of the entries that fits is found. */
static bool try_entries(struct search *s, uint32_t from, uint32_t to) {
    for (uint32_t i = from; i < to; i++) {
        const struct http_entry *entry = s->routes->entries[i];
        if (!all_hold(entry, s->asked))
            continue;
        if (takes(&entry->route, s->asked->method)) {
            s->match->route = &entry->route;
            name_parameters(entry, s->match);
            return true;
        }
        s->match->path_known = true;
        allow(s->match, entry->route.method);
        if (strcmp(entry->route.method, "GET") == 0)
            allow(s->match, "HEAD");
    }
    return false;
}

static void push_parameter(struct search *s, slice value) {
    s->match->parameters[s->match->parameter_count++].value = value;
}

/* REST is the path from the next segment on, its ptr NULL at the end. Nests no deeper than the
   longest pattern, HTTP_SEGMENTS_MAX. */
static bool walk(struct search *s, uint32_t at, slice rest) {
    const struct http_node *node = &s->routes->nodes[at];
    if (!rest.ptr)
        return try_entries(s, node->ends_from, node->ends_to);
    slice next, part = slice_cut(rest, '/', &next);
    if (node->has_words) {
        const struct http_edge *edge = edge_place(s->routes, at, part);
        if (edge->to && walk(s, edge->to, next))
            return true;
    }
    if (node->parameter && part.len > 0) {
        push_parameter(s, part);
        if (walk(s, node->parameter, next))
            return true;
        s->match->parameter_count--;
    }
    if (node->stars_from == node->stars_to)
        return false;
    push_parameter(s, rest);
    if (try_entries(s, node->stars_from, node->stars_to))
        return true;
    s->match->parameter_count--;
    return false;
}

/* HOST[:port] without the port and a dot at its end, in lower case. Empty where it is longer than
   any host of a route. */
static slice plain_host(slice host, char *room) {
    size_t len = 0;
    bool bracketed = host.len > 0 && host.ptr[0] == '[';
    for (; len < host.len && (bracketed || host.ptr[len] != ':'); len++) {
        char c = host.ptr[len];
        if (len == HTTP_HOST_BYTES_MAX)
            return (slice){0};
        bracketed = bracketed && c != ']';
        room[len] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
    }
    if (len > 0 && room[len - 1] == '.')
        len--;
    return slice_make(room, len);
}

static bool walk_hosts(struct search *s, slice rest) {
    const struct http_node *nodes = s->routes->nodes;
    char room[HTTP_HOST_BYTES_MAX];
    if (!nodes[HTTP_NODE_EXACT].has_words && !nodes[HTTP_NODE_WILDCARD].has_words)
        return false;
    slice host = plain_host(s->asked->host, room);
    const struct http_edge *edge = edge_place(s->routes, HTTP_NODE_EXACT, host);
    if (edge->to && walk(s, edge->to, rest))
        return true;
    for (size_t i = 1; i < host.len && nodes[HTTP_NODE_WILDCARD].has_words; i++) {
        if (host.ptr[i] != '.')
            continue;
        edge = edge_place(s->routes, HTTP_NODE_WILDCARD, slice_skip(host, i + 1));
        if (edge->to && walk(s, edge->to, rest))
            return true;
    }
    return false;
}

void http_routes_find(const struct http_routes *routes, const struct http_asked *asked,
                      struct http_match *ret_match) {
    check(routes->sealed);
    struct search search = {routes, asked, ret_match};
    slice rest = slice_skip(asked->path, 1);
    ret_match->route = NULL;
    ret_match->path_known = false;
    ret_match->parameter_count = 0;
    ret_match->allow[0] = '\0';
    if (walk_hosts(&search, rest) || walk(&search, HTTP_NODE_ANY, rest) || !routes->fallback.handle)
        return;
    ret_match->route = &routes->fallback;
    ret_match->parameter_count = 0;
}
