/*
 * template.h - texts with {name} in them: subjects, paths and URLs made from a request's path.
 *
 *     path   rooms, {room}, star     subject "chat.{room}.{*}"    /rooms/9/a/b -> chat.9.a.b
 *                                    rewrite "/v2/{*}"            /rooms/9/a/b -> /v2/a/b
 *
 * What stands for {name} is a parameter of the route's path, decoded; {*} is what its star stands
 * for. In a subject it is one token, so it may not be empty and may hold no dot, wildcard, blank or
 * control byte ({*}: its slashes part tokens); in a path and a URL it is percent-encoded again, and
 * so strictly behind '?' that it is one value. In the host of a URL it may be a label or more, but
 * never the end: who sends a request does not say to which domain others are sent.
 */
#ifndef NONET_GATEWAY_TEMPLATE_H
#define NONET_GATEWAY_TEMPLATE_H

#include "base/arena.h"
#include "base/error.h"
#include "http/routes.h"

enum template_kind {
    TEMPLATE_SUBJECT, /* to publish to: literal once expanded */
    TEMPLATE_FILTER,  /* to subscribe to: wildcards may stand in the template, not in values */
    TEMPLATE_PATH,    /* begins with '/' */
    TEMPLATE_URL,     /* begins with '/', or is a URL */
};

#define TEMPLATE_EXPANDED_MAX 4096u /* bytes */

/* Whether TEXT makes sense for routes with the path PATTERN: 0, or -EINVAL with words that continue
   "'key' in ...". */
must_use int template_check(slice text, enum template_kind kind, slice pattern,
                            struct error *ret_error);

/* TEXT with the parameters of a request. Without '{' it is TEXT itself, else in ARENA. 0; -EINVAL:
   a value cannot stand where it should; -ENOBUFS: longer than TEMPLATE_EXPANDED_MAX; -ENOMEM. */
must_use int template_expand(slice text, enum template_kind kind,
                             const struct http_parameter *parameters, unsigned parameter_count,
                             struct arena *arena, slice *ret_text);

#endif
