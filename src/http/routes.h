/*
 * routes.h - which handler answers which request: a table of hosts, methods, path patterns and
 * conditions.
 *
 *     "/varz"                 exactly this path
 *     "/v1/streams/{name}"    a parameter takes one whole, non-empty segment
 *     "/files/" and a star    everything below /files/, and "/files/" itself; the rest of the path
 *                             is the parameter named "*"
 *
 *     host "shop.example"     this name, whatever the port; "*.shop.example": every name below it
 *     condition               a field or an argument of the query is there, or has this value
 *
 * Where several routes fit, the most specific one wins. In this order: an exact host, a wildcard
 * (the longer first), any host; then the path, segment by segment from the left, a word before a
 * parameter before a star; then more conditions before fewer; then a method before any method.
 * Paths are compared in their one form (wire/url.h), so "/a/%76arz/../varz" is "/a/varz". A route
 * for GET answers HEAD, too (the connection leaves the body out). A path that no pattern fits gets
 * 404, one whose routes have other methods 405 with Allow.
 *
 * One table may serve several loops: it is filled on one thread before a server takes it and only
 * read from then on (checked). It is counted: a server that is given another keeps the old one for
 * the requests that were chosen by it. Handlers run on the loop of their connection.
 */
#ifndef NONET_HTTP_ROUTES_H
#define NONET_HTTP_ROUTES_H

#include "base/check.h"
#include "base/slice.h"
#include "wire/http1_fields.h"

#define HTTP_ROUTES_MAX 4096u
#define HTTP_SEGMENTS_MAX 32u /* of a pattern */
#define HTTP_PARAMETERS_MAX 8u
#define HTTP_CONDITIONS_MAX 8u /* of a route */
#define HTTP_BODY_BYTES_DEFAULT (1u << 20)

struct http_request; /* request.h */
struct http_routes;

enum http_condition_on { HTTP_ON_FIELD, HTTP_ON_ARGUMENT };

struct http_condition {
    enum http_condition_on on;
    const char *name;  /* of the field (case does not matter) or of the argument */
    const char *value; /* NULL: it is there, with whatever value */
};

struct http_route {
    const char *method;                      /* "GET"; NULL: any */
    const char *pattern;                     /* texts are copied, these and all below */
    const char *host;                        /* NULL: any */
    const struct http_condition *conditions; /* all must hold */
    unsigned condition_count;                /* at most HTTP_CONDITIONS_MAX */
    /* Answers at once, or says that it will later (request.h). */
    void (*handle)(void *owner, struct http_request *request);
    void *owner;
    uint64_t body_bytes_max; /* 0 = HTTP_BODY_BYTES_DEFAULT; larger bodies get 413 unread, or where
                                the route streams when so much of it has come */
    bool without_login;      /* the guard asks for no credentials here (health checks) */
    bool for_gateway;        /* the node's own gateway may come here for its callers (guard.h) */
    bool streams;            /* called with the head; the body comes by events (request.h) */
};

must_use int http_routes_create(struct http_routes **ret_routes);
struct http_routes *http_routes_ref(struct http_routes *routes);   /* any thread */
struct http_routes *http_routes_unref(struct http_routes *routes); /* NULL allowed, returns NULL */
/* FREE(owner) is called, on any thread, when the last count is given back: it is what OWNERs of
   handlers live in. */
void http_routes_on_free(struct http_routes *routes, void (*free)(void *owner), void *owner);

/* 0, -EINVAL (something malformed), -EEXIST (a route that fits the same requests), -ENOBUFS
   (HTTP_ROUTES_MAX, HTTP_CONDITIONS_MAX), -ENOMEM. */
must_use int http_routes_add(struct http_routes *routes, const struct http_route *route);

/* What no route fits is called by HANDLE with the head, as on a route that streams, and not refused
   by the server with 404 or 405 (http_request_allow tells which). */
void http_routes_set_fallback(struct http_routes *routes,
                              void (*handle)(void *owner, struct http_request *request),
                              void *owner);

/* A server takes them: nothing may be added any more, and look-ups become fast. 0 or -ENOMEM. */
must_use int http_routes_seal(struct http_routes *routes);

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
/* What a route is chosen by. */
struct http_asked {
    slice method, path; /* path: in its one form */
    slice host;         /* host[:port] as sent, or empty */
    slice query;        /* as sent */
    const struct http1_field *fields;
    size_t field_count;
};
/* Finds the route of ASKED. Slices point into its path and the table. */
void http_routes_find(const struct http_routes *routes, const struct http_asked *asked,
                      struct http_match *ret_match);

/* Calls EACH for every route, in the order in which they are tried, until it returns != 0. */
int http_routes_each(const struct http_routes *routes,
                     int (*each)(void *self, const struct http_route *route), void *self);

#endif
