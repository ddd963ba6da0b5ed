/*
 * routes.c - the table of routes, kept sorted so that the first one that fits is the right one.
 *
 * A pattern is cut into segments when it is added. The order is that of their kinds from the left:
 * word, parameter, star; where all kinds agree, words and then methods in alphabetical order, any
 * method last, which only serves to keep the order total. HEAD stands before GET, so that a route
 * of its own is found before the GET that would answer it as well.
 *
 * A look-up walks the table: a few dozen routes of an admin listener need no index, and a gateway
 * chooses by more than the path.
 */
#include "http/routes.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>

enum kind { KIND_WORD, KIND_PARAMETER, KIND_STAR };

struct segment {
    enum kind kind;
    slice text; /* the word, or the parameter's name */
};

struct entry {
    struct http_route route;
    char *method, *pattern;
    unsigned count;
    struct segment segments[HTTP_SEGMENTS_MAX];
};

struct http_routes {
    struct entry **entries;
    unsigned count, cap;
    bool sealed;
};

int http_routes_create(struct http_routes **ret_routes) {
    struct http_routes *routes = mem_zalloc(1, sizeof *routes);
    if (!routes)
        return -ENOMEM;
    *ret_routes = routes;
    return 0;
}

static void entry_free(struct entry *entry) {
    mem_free(entry->method);
    mem_free(entry->pattern);
    mem_free(entry);
}

struct http_routes *http_routes_free(struct http_routes *routes) {
    if (!routes)
        return NULL;
    for (unsigned i = 0; i < routes->count; i++)
        entry_free(routes->entries[i]);
    mem_free(routes->entries);
    return mem_free(routes);
}

void http_routes_seal(struct http_routes *routes) {
    routes->sealed = true;
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

static int read_segment(slice text, bool last, struct segment *ret_segment) {
    if (slice_equal(text, slice_lit("*")) && last) {
        *ret_segment = (struct segment){KIND_STAR, text};
        return 0;
    }
    if (text.len > 2 && text.ptr[0] == '{' && text.ptr[text.len - 1] == '}') {
        *ret_segment = (struct segment){KIND_PARAMETER, slice_make(text.ptr + 1, text.len - 2)};
        return is_name(ret_segment->text) ? 0 : -EINVAL;
    }
    if (!is_word(text) || (text.len == 0 && !last))
        return -EINVAL;
    *ret_segment = (struct segment){KIND_WORD, text};
    return 0;
}

static bool names_differ(const struct entry *entry) {
    unsigned parameters = 0;
    for (unsigned i = 0; i < entry->count; i++) {
        if (entry->segments[i].kind == KIND_WORD)
            continue;
        parameters++;
        for (unsigned j = 0; j < i; j++)
            if (entry->segments[j].kind != KIND_WORD &&
                slice_equal(entry->segments[i].text, entry->segments[j].text))
                return false;
    }
    return parameters <= HTTP_PARAMETERS_MAX;
}

static int read_pattern(struct entry *entry) {
    slice rest = slice_str(entry->pattern);
    if (rest.len == 0 || rest.ptr[0] != '/')
        return -EINVAL;
    rest = slice_skip(rest, 1);
    while (rest.ptr) {
        if (entry->count == HTTP_SEGMENTS_MAX)
            return -EINVAL;
        slice text = slice_cut(rest, '/', &rest);
        int failed = read_segment(text, rest.ptr == NULL, &entry->segments[entry->count]);
        if (failed)
            return failed;
        entry->count++;
    }
    return names_differ(entry) ? 0 : -EINVAL;
}

static int compare_methods(const char *a, const char *b) {
    if (!a || !b)
        return (a == NULL) - (b == NULL);
    return strcmp(b, a);
}

/* The order of the table; 0: the same method and pattern but for the names of parameters. */
static int compare(const struct entry *a, const struct entry *b) {
    unsigned shorter = a->count < b->count ? a->count : b->count;
    for (unsigned i = 0; i < shorter; i++) {
        const struct segment *left = &a->segments[i], *right = &b->segments[i];
        if (left->kind != right->kind)
            return left->kind < right->kind ? -1 : 1;
        int order = left->kind == KIND_WORD ? slice_compare(left->text, right->text) : 0;
        if (order)
            return order;
    }
    if (a->count != b->count)
        return a->count < b->count ? -1 : 1;
    return compare_methods(a->route.method, b->route.method);
}

/* --- adding ------------------------------------------------------------------------------------
 */

static bool is_method(const char *method) {
    for (const char *c = method; *c; c++)
        if (*c < 'A' || *c > 'Z')
            return false;
    return *method != '\0';
}

static int entry_create(const struct http_route *route, struct entry **ret_entry) {
    if (route->method && !is_method(route->method))
        return -EINVAL;
    struct entry *entry = mem_zalloc(1, sizeof *entry);
    if (!entry)
        return -ENOMEM;
    entry->route = *route;
    entry->pattern = mem_copy(route->pattern, strlen(route->pattern));
    if (route->method)
        entry->method = mem_copy(route->method, strlen(route->method));
    entry->route.pattern = entry->pattern;
    entry->route.method = entry->method;
    if (route->body_bytes_max == 0)
        entry->route.body_bytes_max = HTTP_BODY_BYTES_DEFAULT;
    bool copied = entry->pattern && (entry->method || !route->method);
    int failed = copied ? read_pattern(entry) : -ENOMEM;
    if (failed)
        entry_free(entry);
    else
        *ret_entry = entry;
    return failed;
}

static int make_room(struct http_routes *routes) {
    if (routes->count == HTTP_ROUTES_MAX)
        return -ENOBUFS;
    if (routes->count < routes->cap)
        return 0;
    unsigned cap = routes->cap ? routes->cap * 2 : 16;
    struct entry **grown = mem_realloc(routes->entries, cap * sizeof(struct entry *));
    if (!grown)
        return -ENOMEM;
    routes->entries = grown;
    routes->cap = cap;
    return 0;
}

int http_routes_add(struct http_routes *routes, const struct http_route *route) {
    check(!routes->sealed && route->handle);
    int failed = make_room(routes);
    struct entry *entry = NULL;
    if (!failed)
        failed = entry_create(route, &entry);
    if (failed)
        return failed;
    unsigned at = 0;
    while (at < routes->count && compare(routes->entries[at], entry) < 0)
        at++;
    if (at < routes->count && compare(routes->entries[at], entry) == 0) {
        entry_free(entry);
        return -EEXIST;
    }
    memmove(&routes->entries[at + 1], &routes->entries[at],
            (routes->count - at) * sizeof routes->entries[0]);
    routes->entries[at] = entry;
    routes->count++;
    return 0;
}

/* --- finding -----------------------------------------------------------------------------------
 */

static bool fits(const struct entry *entry, slice path, struct http_match *match) {
    slice rest = slice_skip(path, 1);
    match->parameter_count = 0;
    for (unsigned i = 0; i < entry->count; i++) {
        const struct segment *segment = &entry->segments[i];
        if (!rest.ptr)
            return false;
        slice part = segment->kind == KIND_STAR ? rest : slice_cut(rest, '/', &rest);
        if (segment->kind == KIND_STAR)
            rest = (slice){0};
        else if (segment->kind == KIND_WORD ? !slice_equal(part, segment->text) : part.len == 0)
            return false;
        if (segment->kind != KIND_WORD)
            match->parameters[match->parameter_count++] =
                (struct http_parameter){segment->text, part};
    }
    return rest.ptr == NULL;
}

static bool takes(const struct http_route *route, slice method) {
    return !route->method || slice_equal(method, slice_str(route->method)) ||
           (slice_equal(method, slice_lit("HEAD")) && strcmp(route->method, "GET") == 0);
}

/* Adds METHOD unless it is there or does not fit, which an Allow of usual methods does. */
static void allow(struct http_match *match, const char *method) {
    size_t len = strlen(match->allow);
    if (len + strlen(method) + 3 > sizeof match->allow ||
        slice_find_slice(slice_str(match->allow), slice_str(method)) >= 0)
        return;
    snprintf(match->allow + len, sizeof match->allow - len, "%s%s", len ? ", " : "", method);
}

void http_routes_find(const struct http_routes *routes, slice method, slice path,
                      struct http_match *ret_match) {
    ret_match->route = NULL;
    ret_match->path_known = false;
    ret_match->allow[0] = '\0';
    for (unsigned i = 0; i < routes->count; i++) {
        const struct http_route *route = &routes->entries[i]->route;
        if (!fits(routes->entries[i], path, ret_match))
            continue;
        if (takes(route, method)) {
            ret_match->route = route;
            return;
        }
        ret_match->path_known = true;
        allow(ret_match, route->method);
        if (strcmp(route->method, "GET") == 0)
            allow(ret_match, "HEAD");
    }
    ret_match->parameter_count = 0;
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
