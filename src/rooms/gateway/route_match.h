/*
 * route_match.h - `match` of a route as rows of http's table.
 *
 * One row for each method of the route. The check of a config and the table that serves both come
 * here, so that what passes the check is what can be served.
 */
#ifndef NONET_GATEWAY_ROUTE_MATCH_H
#define NONET_GATEWAY_ROUTE_MATCH_H

#include "base/arena.h"
#include "http/routes.h"
#include "rooms/gateway/gateway_config.h"

/* Adds MATCH to ROUTES, streamed, with bodies of at most BODY_MAX bytes (0: the default). Whatever
   SCRATCH holds afterwards is not needed any more. As http_routes_add; some rows may be in after a
   failure. */
must_use int route_match_add(struct http_routes *routes, const struct gateway_match *match,
                             void (*handle)(void *owner, struct http_request *request), void *owner,
                             uint64_t body_max, struct arena *scratch);

/* Rows for the preflights (cors.c) of MATCH's methods, which come as OPTIONS and without the fields
   that MATCH may ask for; none where MATCH fits them as it is. Routes of one path each get the
   preflights for their own methods. As http_routes_add. */
must_use int route_match_add_preflights(struct http_routes *routes,
                                        const struct gateway_match *match,
                                        void (*handle)(void *owner, struct http_request *request),
                                        void *owner, struct arena *scratch);

/* "GET,POST shop.example/bids X-Version=2 ?preview=*": how a route without a name is called, all of
   its match. In ARENA. 0 or -ENOMEM. */
must_use int route_match_name(const struct gateway_match *match, struct arena *arena,
                              slice *ret_name);

#endif
