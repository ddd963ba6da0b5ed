/*
 * routes.c - the table of routes, filled: patterns, hosts and conditions read, entries in order.
 *
 * A pattern is cut into segments when it is added. The order is that of routes.h: hosts, then the
 * kinds of segments from the left (word, parameter, star), then conditions. Where all of that
 * agrees, texts in alphabetical order serve to keep the order total. HEAD stands before GET, so
 * that a route of its own is found before the GET that would answer it as well.
 */
#include "http/route_table.h"

#include "base/mem.h"
#include "wire/url.h"

#include <errno.h>

#define TEXTS_BYTES_MAX (64u << 20)

int http_routes_create(struct http_routes **ret_routes) {
    struct http_routes *routes = mem_zalloc(1, sizeof *routes);
    if (!routes)
        return -ENOMEM;
    atomic_init(&routes->counts, 1);
    routes->texts = arena_make(0, TEXTS_BYTES_MAX);
    *ret_routes = routes;
    return 0;
}

struct http_routes *http_routes_ref(struct http_routes *routes) {
    atomic_fetch_add_explicit(&routes->counts, 1, memory_order_relaxed);
    return routes;
}

struct http_routes *http_routes_unref(struct http_routes *routes) {
    if (!routes || atomic_fetch_sub_explicit(&routes->counts, 1, memory_order_acq_rel) != 1)
        return NULL;
    if (routes->free)
        routes->free(routes->free_owner);
    mem_free(routes->nodes);
    mem_free(routes->edges);
    mem_free(routes->entries);
    arena_free(&routes->texts);
    return mem_free(routes);
}

void http_routes_set_fallback(struct http_routes *routes,
                              void (*handle)(void *owner, struct http_request *request),
                              void *owner) {
    check(!routes->sealed);
    routes->fallback = (struct http_route){
        .handle = handle, .owner = owner, .body_bytes_max = UINT64_MAX, .streams = true};
}

void http_routes_on_free(struct http_routes *routes, void (*free)(void *owner), void *owner) {
    check(!routes->free);
    routes->free = free;
    routes->free_owner = owner;
}

/* --- patterns ----------------------------------------------------------------------------------
 */

static bool is_name(slice text) {
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'))
            return false;
    }
    return text.len > 0;
}

static bool is_word(slice text) {
    return slice_find(text, '{') < 0 && slice_find(text, '}') < 0 && slice_find(text, '*') < 0 &&
           slice_find(text, '?') < 0 && !slice_equal(text, slice_lit(".")) &&
           !slice_equal(text, slice_lit(".."));
}

static int read_segment(slice text, bool last, struct http_segment *ret_segment) {
    if (slice_equal(text, slice_lit("*")) && last) {
        *ret_segment = (struct http_segment){HTTP_STAR, text};
        return 0;
    }
    if (text.len > 2 && text.ptr[0] == '{' && text.ptr[text.len - 1] == '}') {
        *ret_segment =
            (struct http_segment){HTTP_PARAMETER, slice_make(text.ptr + 1, text.len - 2)};
        return is_name(ret_segment->text) ? 0 : -EINVAL;
    }
    if (!is_word(text) || (text.len == 0 && !last))
        return -EINVAL;
    *ret_segment = (struct http_segment){HTTP_WORD, text};
    return 0;
}

static bool names_differ(const struct http_entry *entry) {
    unsigned parameters = 0;
    for (unsigned i = 0; i < entry->segment_count; i++) {
        if (entry->segments[i].kind == HTTP_WORD)
            continue;
        parameters++;
        for (unsigned j = 0; j < i; j++)
            if (entry->segments[j].kind != HTTP_WORD &&
                slice_equal(entry->segments[i].text, entry->segments[j].text))
                return false;
    }
    return parameters <= HTTP_PARAMETERS_MAX;
}

static int read_pattern(struct http_routes *routes, struct http_entry *entry) {
    struct http_segment segments[HTTP_SEGMENTS_MAX];
    slice rest = slice_str(entry->route.pattern);
    if (rest.len == 0 || rest.ptr[0] != '/')
        return -EINVAL;
    rest = slice_skip(rest, 1);
    while (rest.ptr) {
        if (entry->segment_count == HTTP_SEGMENTS_MAX)
            return -EINVAL;
        slice text = slice_cut(rest, '/', &rest);
        int failed = read_segment(text, rest.ptr == NULL, &segments[entry->segment_count]);
        if (failed)
            return failed;
        entry->segment_count++;
    }
    size_t size = entry->segment_count * sizeof segments[0];
    entry->segments = arena_alloc(&routes->texts, size);
    if (!entry->segments)
        return -ENOMEM;
    memcpy(entry->segments, segments, size);
    return names_differ(entry) ? 0 : -EINVAL;
}

/* --- hosts, methods, conditions ----------------------------------------------------------------
 */

static bool is_method(const char *method) {
    for (const char *c = method; *c; c++)
        if (*c < 'A' || *c > 'Z')
            return false;
    return *method != '\0';
}

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static int read_host(struct http_routes *routes, struct http_entry *entry) {
    slice host = slice_str(entry->route.host);
    struct url_authority parsed;
    entry->host_kind = host.ptr ? HTTP_HOST_EXACT : HTTP_HOST_ANY;
    if (!host.ptr)
        return 0;
    if (slice_starts_with(host, slice_lit("*."))) {
        entry->host_kind = HTTP_HOST_WILDCARD;
        host = slice_skip(host, 2);
    }
    if (slice_ends_with(host, slice_lit(".")))
        host.len--;
    if (host.len > HTTP_HOST_BYTES_MAX || url_parse_authority(host, &parsed) || parsed.user.ptr ||
        parsed.has_port || (parsed.is_ipv6 && entry->host_kind == HTTP_HOST_WILDCARD))
        return -EINVAL;
    char *name = arena_alloc(&routes->texts, host.len);
    if (!name)
        return -ENOMEM;
    for (size_t i = 0; i < host.len; i++)
        name[i] = lower(host.ptr[i]);
    entry->host = slice_make(name, host.len);
    return 0;
}

static int compare_nocase(slice a, slice b) {
    size_t shorter = a.len < b.len ? a.len : b.len;
    for (size_t i = 0; i < shorter; i++)
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return lower(a.ptr[i]) < lower(b.ptr[i]) ? -1 : 1;
    return (a.len > b.len) - (a.len < b.len);
}

/* Alphabetical, names of fields without regard to case; 0: the same test. */
static int compare_tests(const struct http_test *a, const struct http_test *b) {
    if (a->on != b->on)
        return a->on < b->on ? -1 : 1;
    int order =
        a->on == HTTP_ON_FIELD ? compare_nocase(a->name, b->name) : slice_compare(a->name, b->name);
    if (order)
        return order;
    if (a->any != b->any)
        return a->any ? 1 : -1;
    return slice_compare(a->value, b->value);
}

/* In one order, so that two routes with the same conditions are seen to be the same. */
static int read_conditions(struct http_entry *entry) {
    for (unsigned i = 0; i < entry->route.condition_count; i++) {
        const struct http_condition *condition = &entry->route.conditions[i];
        struct http_test test = {
            .on = condition->on,
            .any = !condition->value,
            .name = slice_str(condition->name),
            .value = slice_str(condition->value),
        };
        if (test.on == HTTP_ON_FIELD ? !http1_is_token(test.name) : test.name.len == 0)
            return -EINVAL;
        unsigned at = i;
        while (at > 0 && compare_tests(&test, &entry->tests[at - 1]) < 0)
            at--;
        if (at > 0 && compare_tests(&test, &entry->tests[at - 1]) == 0)
            return -EINVAL;
        memmove(&entry->tests[at + 1], &entry->tests[at], (i - at) * sizeof test);
        entry->tests[at] = test;
    }
    return 0;
}

/* --- the order ---------------------------------------------------------------------------------
 */

static int compare_hosts(const struct http_entry *a, const struct http_entry *b) {
    if (a->host_kind != b->host_kind)
        return a->host_kind < b->host_kind ? -1 : 1;
    if (a->host_kind == HTTP_HOST_WILDCARD && a->host.len != b->host.len)
        return a->host.len > b->host.len ? -1 : 1;
    return slice_compare(a->host, b->host);
}

static int compare_paths(const struct http_entry *a, const struct http_entry *b) {
    unsigned shorter = a->segment_count < b->segment_count ? a->segment_count : b->segment_count;
    for (unsigned i = 0; i < shorter; i++) {
        const struct http_segment *left = &a->segments[i], *right = &b->segments[i];
        if (left->kind != right->kind)
            return left->kind < right->kind ? -1 : 1;
        int order = left->kind == HTTP_WORD ? slice_compare(left->text, right->text) : 0;
        if (order)
            return order;
    }
    return (a->segment_count > b->segment_count) - (a->segment_count < b->segment_count);
}

static int compare_methods(const char *a, const char *b) {
    if (!a || !b)
        return (a == NULL) - (b == NULL);
    return strcmp(b, a);
}

/* The order of the table; 0: both fit the same requests. */
static int compare(const struct http_entry *a, const struct http_entry *b) {
    int order = compare_hosts(a, b);
    if (!order)
        order = compare_paths(a, b);
    if (!order && a->route.condition_count != b->route.condition_count)
        order = a->route.condition_count > b->route.condition_count ? -1 : 1;
    if (!order)
        order = compare_methods(a->route.method, b->route.method);
    for (unsigned i = 0; i < a->route.condition_count && !order; i++)
        order = compare_tests(&a->tests[i], &b->tests[i]);
    return order;
}

/* --- adding ------------------------------------------------------------------------------------
 */

/* NULL stays NULL. */
static int copy_text(struct http_routes *routes, const char **text) {
    slice copy;
    if (!*text)
        return 0;
    int failed = arena_copy(&routes->texts, slice_str(*text), &copy);
    if (!failed)
        *text = copy.ptr;
    return failed;
}

static int copy_conditions(struct http_routes *routes, struct http_route *route) {
    size_t size = route->condition_count * sizeof route->conditions[0];
    struct http_condition *copies = arena_alloc(&routes->texts, size);
    int failed = copies ? 0 : -ENOMEM;
    for (unsigned i = 0; i < route->condition_count && !failed; i++) {
        copies[i] = route->conditions[i];
        failed = copy_text(routes, &copies[i].name);
        if (!failed)
            failed = copy_text(routes, &copies[i].value);
    }
    route->conditions = copies;
    return failed;
}

static int copy_route(struct http_routes *routes, struct http_route *route) {
    int failed = copy_text(routes, &route->pattern);
    if (!failed)
        failed = copy_text(routes, &route->method);
    if (!failed)
        failed = copy_text(routes, &route->host);
    if (!failed)
        failed = copy_conditions(routes, route);
    if (route->body_bytes_max == 0)
        route->body_bytes_max = HTTP_BODY_BYTES_DEFAULT;
    return failed;
}

/* What a refused route has taken of the arena goes with the table. */
static int entry_create(struct http_routes *routes, const struct http_route *route,
                        struct http_entry **ret_entry) {
    if (route->method && !is_method(route->method))
        return -EINVAL;
    if (route->condition_count > HTTP_CONDITIONS_MAX)
        return -ENOBUFS;
    struct http_entry *entry = arena_zalloc(&routes->texts, 1, sizeof *entry);
    if (!entry)
        return -ENOMEM;
    entry->route = *route;
    int failed = copy_route(routes, &entry->route);
    if (!failed)
        failed = read_pattern(routes, entry);
    if (!failed)
        failed = read_host(routes, entry);
    if (!failed)
        failed = read_conditions(entry);
    if (!failed)
        *ret_entry = entry;
    return failed;
}

static int make_room(struct http_routes *routes) {
    if (routes->count == HTTP_ROUTES_MAX)
        return -ENOBUFS;
    if (routes->count < routes->cap)
        return 0;
    unsigned cap = routes->cap ? routes->cap * 2 : 16;
    struct http_entry **grown = mem_realloc(routes->entries, cap * sizeof(struct http_entry *));
    if (!grown)
        return -ENOMEM;
    routes->entries = grown;
    routes->cap = cap;
    return 0;
}

/* Where ENTRY belongs. */
static unsigned place(const struct http_routes *routes, const struct http_entry *entry) {
    unsigned from = 0, to = routes->count;
    while (from < to) {
        unsigned middle = from + (to - from) / 2;
        if (compare(routes->entries[middle], entry) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

int http_routes_add(struct http_routes *routes, const struct http_route *route) {
    check(!routes->sealed && route->handle);
    int failed = make_room(routes);
    struct http_entry *entry = NULL;
    if (!failed)
        failed = entry_create(routes, route, &entry);
    if (failed)
        return failed;
    unsigned at = place(routes, entry);
    if (at < routes->count && compare(routes->entries[at], entry) == 0)
        return -EEXIST;
    memmove(&routes->entries[at + 1], &routes->entries[at],
            (routes->count - at) * sizeof routes->entries[0]);
    routes->entries[at] = entry;
    routes->count++;
    return 0;
}

int http_routes_each(const struct http_routes *routes,
                     int (*each)(void *self, const struct http_route *route), void *self) {
    for (unsigned i = 0; i < routes->count; i++) {
        int stop = each(self, &routes->entries[i]->route);
        if (stop)
            return stop;
    }
    return 0;
}
