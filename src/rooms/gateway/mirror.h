/*
 * mirror.h - a copy of each request for a service on trial, whose answers are thrown away.
 *
 * A request without a body is copied as it is; one with a body is gathered while it streams to the
 * real service, and copied when it is whole. One that is larger than MIRROR_BODY_MAX is not copied,
 * and neither is one that the trial service has no place for: nothing of the real exchange ever
 * waits for, or fails by, its copy.
 */
#ifndef NONET_GATEWAY_MIRROR_H
#define NONET_GATEWAY_MIRROR_H

#include "rooms/gateway/upstream.h"

#define MIRROR_BODY_MAX (64u << 10)

struct mirror;

/* Begins a copy of a call with OPTIONS. NULL: it is on its way already, or there will be none; else
   what is to be given the body. */
struct mirror *mirror_begin(struct upstream *upstream, const struct http_call_options *options);
/* A part of the body. NULL where it is too large to be copied. */
must_use struct mirror *mirror_gather(struct mirror *mirror, slice bytes);
/* The body is whole: the copy is on its way. */
void mirror_send(struct mirror *mirror);
/* The body will not be whole. NULL allowed, returns NULL. */
struct mirror *mirror_forget(struct mirror *mirror);
/* All there are of UPSTREAM, which is being freed: their calls end without a word. */
void mirror_free_all(struct upstream *upstream);

#endif
