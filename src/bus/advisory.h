/*
 * advisory.h - what streams and consumers tell whoever listens on `$JS.EVENT.>`.
 *
 *     $JS.EVENT.ADVISORY.STREAM.CREATED|UPDATED|DELETED.<stream>
 *     $JS.EVENT.ADVISORY.CONSUMER.CREATED|DELETED|PAUSE.<stream>.<consumer>
 *     $JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES|MSG_TERMINATED|MSG_NAKED.<stream>.<consumer>
 *     $JS.EVENT.METRIC.CONSUMER.ACK.<stream>.<consumer>
 *
 * Best effort: where nobody listens nothing is written, and without memory nothing is sent. A
 * stream may capture these subjects, which makes a record of them. Forms: nats-server
 * server/jetstream_events.go.
 */
#ifndef NONET_BUS_ADVISORY_H
#define NONET_BUS_ADVISORY_H

#include "bus/streams.h"
#include "wire/json_write.h"

struct advisory {
    struct bus *bus;
    struct buf subject, body;
    struct json_writer w; /* for members of its own, between begin and send */
    char text[128 + 2 * STREAMS_NAME_MAX];
};

/* KIND as in "ADVISORY.CONSUMER.PAUSE"; TYPE behind "io.nats.jetstream."; CONSUMER empty: of the
   stream. False where nobody would hear it; then there is nothing to send. */
bool advisory_begin(struct advisory *advisory, struct bus *bus, const char *kind, const char *type,
                    slice stream, slice consumer);
/* Publishes it, which calls strangers. */
void advisory_send(struct advisory *advisory);

/* KIND: CREATED, UPDATED, DELETED. */
void advisory_stream(struct bus *bus, const char *kind, slice stream);

#endif
