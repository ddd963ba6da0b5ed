/*
 * service.h - a table of services that the node offers, answered and discovered as NATS micro
 * services are (ADR-32), so that the nats CLI and every client library see them beside the users'.
 *
 *     $SRV.PING            $SRV.INFO            $SRV.STATS            every service answers
 *     $SRV.PING.<name>     ...                                        those of that name
 *     $SRV.PING.<name>.<id>                                           this very one
 *     <endpoint subject>   queue group "q"      the endpoint's answer, counted
 *
 * A failed request is answered with an empty body and the headers Nats-Service-Error and
 * Nats-Service-Error-Code. Endpoints answer in the call; what takes longer is no endpoint of the
 * node. Only subjects of services that exist are subscribed to, so that asking for another gets "no
 * responders" at once. Everything runs on the shard of the bus.
 */
#ifndef NONET_REQUEST_SERVICE_H
#define NONET_REQUEST_SERVICE_H

#include "base/buf.h"
#include "base/error.h"
#include "bus/bus.h"

#define REQUEST_SERVICES_MAX 64u
#define REQUEST_ENDPOINTS_MAX 16u /* of one service */
#define REQUEST_ANSWER_BYTES_MAX (1u << 20)
#define REQUEST_QUEUE "q"

struct request_services;

struct request_endpoint {
    const char *name;    /* letters, digits, '-', '_' */
    const char *subject; /* literal */
    /* Appends the answer to ANSWER. 0, or an HTTP-like code with words in *RET_ERROR. */
    int (*answer)(void *owner, const struct bus_message *request, struct buf *answer,
                  struct error *ret_error);
    void *owner;
};

struct request_service {
    const char *name;    /* letters, digits, '-', '_' */
    const char *version; /* semantic: "1.2.3" */
    const char *description;
    const struct request_endpoint *endpoints;
    unsigned endpoint_count;
};

must_use int request_services_create(struct bus *bus, struct request_services **ret_services);
/* Ends all services. NULL allowed, returns NULL. */
struct request_services *request_services_free(struct request_services *services);

/* Offers SERVICE, whose memory must outlive the table. 0, -EINVAL (a name, version or subject that
   is none), -ENOBUFS (a bound), -ENOMEM. */
must_use int request_service_add(struct request_services *services,
                                 const struct request_service *service);

#endif
