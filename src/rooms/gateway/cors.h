/*
 * cors.h - which pages may ask (Fetch standard, "CORS protocol"), decided from texts alone.
 *
 * An origin is scheme://host[:port] as a browser sends it. A pattern is an origin,
 * scheme://(star).name[:port] for every name below name, or a star alone for all of them.
 * The step itself, step_cors (steps.h), is in cors.c.
 */
#ifndef NONET_GATEWAY_CORS_H
#define NONET_GATEWAY_CORS_H

#include "rooms/gateway/table.h"

/* Whether a page of ORIGIN may ask. "null" (a sandboxed page, a file) is let in by the pattern
   "null" or by a star only. */
bool gateway_cors_allows(const struct gateway_cors *cors, slice origin);

#endif
