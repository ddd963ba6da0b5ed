/*
 * request.h - requests from inside the node: one answer by a deadline, or many.
 *
 * A request is a publish whose reply subject is the bus's own inbox, which only the node hears
 * (private.h). It ends exactly once, by
 * enough answers, by its deadline, by a stall between answers (scatter-gather), or at once where
 * nobody is interested in the subject. Requests under way are bounded per shard.
 */
#ifndef NONET_BUS_REQUEST_H
#define NONET_BUS_REQUEST_H

#include "bus/bus.h"

#define BUS_REQUESTS_MAX 65536u /* under way, per shard */

/* Sends a request and collects answers. ON_REPLY is called for each answer with the message, and
   last with NULL and why it ended: 0 (enough answers), -EHOSTUNREACH (no responders), -ETIMEDOUT
   (deadline; scatter-gather ends like this or by stall), -ECANCELED. After that the request is
   gone. Never called from inside bus_request. */
struct bus_request_options {
    struct bus_message message; /* its reply is ignored */
    uint64_t timeout_ns;        /* whole deadline; 0 = 2 s */
    unsigned replies_max;       /* 0 = 1; more = scatter-gather */
    uint64_t stall_ns;          /* scatter-gather: end when no answer came for so long; 0 = none */
    void (*on_reply)(void *owner, const struct bus_message *reply, int ended);
    void *owner;
};
struct bus_request;
/* 0, -ENOBUFS (BUS_REQUESTS_MAX), -ENOMEM. RET_REQUEST may be NULL. */
must_use int bus_request(struct bus *bus, const struct bus_request_options *options,
                         struct bus_request **ret_request);
/* Ends it without further calls. */
void bus_request_cancel(struct bus *bus, struct bus_request *request);

#endif
