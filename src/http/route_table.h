/*
 * route_table.h - the inside of a table of routes (routes.h). For routes.c, which fills it, and
 * routes_find.c, which seals it and looks routes up.
 *
 * The entries are kept sorted by what makes one route more specific than another, so of those that
 * fit a request the first is the right one. Sealing lays a tree of segments over them, so that a
 * look-up follows the request's path instead of walking the table:
 *
 *     hosts   exact[0] --"shop.example"--> root     wildcard[1] --"shop.example"--> root
 *             any host: root[2]
 *
 *     node    --word--> node       by a hash of (node, word), one table of edges for all nodes
 *             --parameter--> node  at most one
 *             stars: a run of entries whose next and last segment is a star
 *             ends:  a run of entries whose pattern ends here; they differ by conditions and method
 *
 * Trying words before the parameter before the stars, and hosts in their order, meets the entries
 * in the order of the table.
 */
#ifndef NONET_HTTP_ROUTE_TABLE_H
#define NONET_HTTP_ROUTE_TABLE_H

#include "base/arena.h"
#include "http/routes.h"

#include <stdatomic.h>

#define HTTP_HOST_BYTES_MAX 255u /* of a host that routes may name */

enum http_host_kind { HTTP_HOST_EXACT, HTTP_HOST_WILDCARD, HTTP_HOST_ANY };

enum http_segment_kind { HTTP_WORD, HTTP_PARAMETER, HTTP_STAR };

struct http_segment {
    enum http_segment_kind kind;
    slice text; /* the word, or the parameter's name */
};

/* A condition with its lengths. */
struct http_test {
    enum http_condition_on on;
    bool any; /* whatever value */
    slice name, value;
};

struct http_entry {
    struct http_route route; /* its texts are the table's own */
    enum http_host_kind host_kind;
    slice host; /* in lower case; of a wildcard what stands behind "*." */
    struct http_segment *segments;
    unsigned segment_count;
    struct http_test tests[HTTP_CONDITIONS_MAX];
};

enum { HTTP_NODE_EXACT, HTTP_NODE_WILDCARD, HTTP_NODE_ANY, HTTP_NODES_FIRST };

struct http_node {
    uint32_t ends_from, ends_to, stars_from, stars_to; /* indexes of entries */
    uint32_t parameter;                                /* a node, or 0 */
    bool has_words;
};

struct http_edge {
    uint32_t from, to; /* to 0: the place is free */
    slice word;
};

struct http_routes {
    atomic_uint counts;
    bool sealed;
    struct arena texts; /* entries and what they point to */
    struct http_entry **entries;
    unsigned count, cap;
    struct http_node *nodes; /* sealed: the tree */
    struct http_edge *edges;
    uint32_t node_count, edge_mask;
    struct http_route fallback; /* handle NULL: there is none */
    void (*free)(void *owner);
    void *free_owner;
};

#endif
