/*
 * routes.h - which handler answers which request: a table of methods and path patterns.
 *
 *     "/varz"                 exactly this path
 *     "/v1/streams/{name}"    a parameter takes one whole, non-empty segment
 *     "/files/" and a star    everything below /files/, and "/files/" itself; the rest of the path
 *                             is the parameter named "*"
 *
 * Where several patterns fit, the more literal one wins, segment by segment from the left: a word
 * before a parameter before a star. Paths are compared in their one form (wire/url.h), so
 * "/a/%76arz/../varz" is "/a/varz". A route for GET answers HEAD, too (the connection leaves the
 * body out). A path that no pattern fits gets 404, one whose routes have other methods 405 with
 * Allow.
 *
 * One table may serve several loops: it is filled on one thread before a server opens with it and
 * only read from then on (checked). Handlers run on the loop of their connection.
 */
#ifndef NONET_HTTP_ROUTES_H
#define NONET_HTTP_ROUTES_H

#include "base/check.h"
#include "base/slice.h"

#define HTTP_ROUTES_MAX 4096u
#define HTTP_SEGMENTS_MAX 32u /* of a pattern */
#define HTTP_PARAMETERS_MAX 8u
#define HTTP_BODY_BYTES_DEFAULT (1u << 20)

struct http_request; /* request.h */
struct http_routes;

struct http_route {
    const char *method;  /* "GET"; NULL: any */
    const char *pattern; /* both are copied */
    /* Answers at once, or says that it will later (request.h). */
    void (*handle)(void *owner, struct http_request *request);
    void *owner;
    uint64_t body_bytes_max; /* 0 = HTTP_BODY_BYTES_DEFAULT; larger bodies get 413 unread */
    bool without_login;      /* the guard asks for no credentials here (health checks) */
};

must_use int http_routes_create(struct http_routes **ret_routes);
/* NULL allowed, returns NULL. No server may use them any more. */
struct http_routes *http_routes_free(struct http_routes *routes);

/* 0, -EINVAL (method or pattern malformed), -EEXIST (the same method and pattern), -ENOBUFS
   (HTTP_ROUTES_MAX), -ENOMEM. */
must_use int http_routes_add(struct http_routes *routes, const struct http_route *route);

/* A server opens with them: nothing may be added any more. */
void http_routes_seal(struct http_routes *routes);

struct http_parameter {
    slice name, value;
};
struct http_match {
    const struct http_route *route; /* NULL: none */
    bool path_known;                /* no route, but the path has other methods: see allow */
    struct http_parameter parameters[HTTP_PARAMETERS_MAX];
    unsigned parameter_count;
    char allow[128]; /* "GET, HEAD, POST" */
};
/* Finds the route of METHOD and PATH (in its one form). Slices point into PATH and the table. */
void http_routes_find(const struct http_routes *routes, slice method, slice path,
                      struct http_match *ret_match);

/* Calls EACH for every route, most literal first, until it returns != 0: lists of what there is. */
int http_routes_each(const struct http_routes *routes,
                     int (*each)(void *self, const struct http_route *route), void *self);

#endif
