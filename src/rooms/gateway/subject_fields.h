/*
 * subject_fields.h - an HTTP head as NATS headers, and the headers of a reply as an HTTP head.
 *
 * WHAT A SUBJECT IS TOLD of a request. R: to: {request}. P: to: {publish}, where the headers are
 * stored with the message, so only what belongs to it goes on. W: each message of a WebSocket.
 *
 *     R P    Content-Type, Content-Encoding          as the client sent them
 *     R      Accept, Accept-Language, Prefer,
 *            If-Match, If-None-Match,
 *            If-Modified-Since, If-Unmodified-Since,
 *            Idempotency-Key                         the same
 *       P    Nats-Expected-Stream,
 *            Nats-Expected-Last-Sequence,
 *            Nats-Expected-Last-Subject-Sequence,
 *            Nats-Expected-Last-Msg-Id               the same: what the stream must be like
 *       P    Nats-Msg-Id                             Idempotency-Key, behind "PRINCIPAL:" where
 *                                                    somebody in particular asks
 *     R P W  traceparent                             W3C trace context, of the gateway's span
 *     R P W  tracestate                              as sent, where the trace was begun before
 *     R P W  X-Request-Id                            as the answer has it
 *     R P W  Nonet-Principal                         who asks; left out: nobody in particular
 *     R P W  Nonet-Query                             the query as sent, where there is one
 *     R      Nonet-Method, Nonet-Path                GET, and the path as sent
 *     R      Nonet-Client                            the client's address without a port
 *
 * Nothing else goes on: no cookies, no credentials. A client cannot say any of Nonet-* itself.
 *
 * WHAT A REPLY MAY SAY.
 *     Nonet-Status             the status, 200 to 599; else it is 200
 *     Nats-Service-Error-Code  the reply is an error (ADR-32): 400 to 599 is the status, anything
 *                              else becomes 500; Nats-Service-Error is the problem's detail
 *     Content-Type             else it is told from the payload: application/json for an object or
 *                              an array, text/plain for UTF-8 without control bytes, else
 *                              application/octet-stream
 *     other headers            become the answer's, but for Nats-*, Nonet-*, those of a single
 *                              connection or of framing, and what HTTP has no form for
 */
#ifndef NONET_GATEWAY_SUBJECT_FIELDS_H
#define NONET_GATEWAY_SUBJECT_FIELDS_H

#include "rooms/gateway/exchange.h"

#define SUBJECT_FIELDS_MAX 32u       /* one way or the other; more are left out */
#define SUBJECT_KEY_BYTES_MAX 255u   /* of an Idempotency-Key */
#define SUBJECT_ERROR_BYTES_MAX 512u /* of a service's words that are passed on */

enum subject_verb { SUBJECT_REQUEST, SUBJECT_PUBLISH, SUBJECT_WEBSOCKET };

/* The headers for X, in its arena. 0; -EINVAL: the key or the name of who asks cannot be said;
   -ENOMEM. */
must_use int subject_fields_write(struct exchange *x, enum subject_verb verb, slice *ret_headers);

struct subject_reply {
    unsigned status;
    slice error;      /* a service's words, where the reply is an error: status is 400 to 599 */
    const char *type; /* NULL: it is among the fields, or there is no payload */
    struct http1_field fields[SUBJECT_FIELDS_MAX]; /* slices of the reply */
    unsigned field_count;
};
void subject_reply_read(slice headers, slice payload, struct subject_reply *ret_reply);

/* The type of a payload that does not say one; NULL: it is empty. */
const char *subject_type_of(slice payload);

#endif
