/*
 * proxy_fields.h - what of a message is passed on, in both directions: fields, trailers, the
 * target.
 *
 * NOT PASSED ON, either way: fields for the next hop only (Connection and whatever it names,
 * Keep-Alive, Proxy-*, TE, Transfer-Encoding, Upgrade) and Content-Length; those that say how a
 * message is framed are written anew by http/. Of a request neither Host (its own or the asked one
 * is given to http/), Expect (http/ has met it), nor the bare "Proxy" that CGI takes for a setting.
 *
 * OURS. A service may believe these, for a client's own are taken out:
 *
 *     X-Nonet-Principal                  who asks, if anybody in particular; no other X-Nonet-*
 *     X-Request-Id, traceparent          as the gateway's own logs have them
 *     X-Forwarded-For, -Proto, -Host     of a peer that is a trusted proxy they are believed, the
 *                                        first one with the peer's address behind it
 *     X-Forwarded-* of other names,      believed of a trusted proxy, else taken out
 *     X-Real-IP
 *     Forwarded (RFC 7239)               where it comes: in a trusted proxy's our element is put
 *                                        behind, another's is replaced by ours
 *
 * "X_Forwarded_For" is taken out as well, wherever it comes from: to software that knows headers as
 * variables it is the same name, and so it is with all others named here.
 *
 * THE TARGET is passed on byte by byte where the path in its one form (wire/url.h), by which the
 * route was chosen, differs from what was sent by percent-encoding at most: a service that decodes
 * it once sees the path that we saw. Else (dots, empty segments) the one form is, encoded again.
 */
#ifndef NONET_GATEWAY_PROXY_FIELDS_H
#define NONET_GATEWAY_PROXY_FIELDS_H

#include "base/arena.h"
#include "rooms/gateway/table.h"
#include "wire/http1.h"

#define PROXY_FIELDS_MAX (HTTP1_FIELDS_MAX + 156)
#define PROXY_NAMED_MAX 32u /* fields that Connection may name */

/* A request, as far as its fields are made of it. */
struct proxy_asked {
    const struct http1_field *fields;
    size_t field_count;
    slice host; /* as asked for; may be empty */
    slice peer; /* address, without a port */
    bool trusted, tls;
    slice principal, request_id;
    slice traceparent;
    bool continued;                   /* the trace was begun by someone else */
    const struct http1_field *onward; /* set by steps; value.ptr NULL: taken out */
    unsigned onward_count;
    const struct gateway_fields *changes; /* the route's, to all of the above */
};

struct proxy_fields {
    size_t count;
    slice host;    /* where the route or a step sets Host; else empty */
    bool trailers; /* the client takes those of the answer (TE) */
    struct http1_field fields[PROXY_FIELDS_MAX];
};

/* Fields of the request to a service; they point into ASKED and ARENA. 0;
   -EINVAL: Connection names more than PROXY_NAMED_MAX; -ENOBUFS: more than PROXY_FIELDS_MAX;
   -ENOMEM. */
must_use int proxy_fields_onward(const struct proxy_asked *asked, struct arena *arena,
                                 struct proxy_fields *ret_fields);

/* What those say of the client, one value each: for who is told the same in fields of another
   request. 0 or -ENOMEM. */
struct proxy_forwarded {
    slice client, proto, host; /* X-Forwarded-For, -Proto, -Host */
};
must_use int proxy_forwarded(const struct proxy_asked *asked, struct arena *arena,
                             struct proxy_forwarded *ret_forwarded);

/* Fields of an answer, or of an interim one, to the client. OUT has HTTP1_FIELDS_MAX. 0 or -EINVAL
   (as above). */
must_use int proxy_fields_back(const struct http1_head *head, struct http1_field *out,
                               size_t *ret_count);

/* Fields of a trailer section that may stand in one, to either side: none that a program which puts
   them among those of the head would take for framing, routing, identity or conditions (RFC 9110
   6.5.1). OUT has HTTP1_FIELDS_MAX; what is more is left out. Returns how many. */
size_t proxy_trailers(slice section, struct http1_field *out);

/* TARGET as sent, PATH its path in one form. 0 or -ENOMEM. */
must_use int proxy_target(slice target, slice path, struct arena *arena, slice *ret_target);
/* PATH, which is fit to be sent, with the query of TARGET as sent. 0 or -ENOMEM. */
must_use int proxy_target_rewritten(slice target, slice path, struct arena *arena,
                                    slice *ret_target);

#endif
