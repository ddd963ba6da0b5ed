/*
 * raw_read.h - what a message published to es.> says of itself: an append of one event. Pure.
 *
 *     ce-id, else Nats-Msg-Id        the event's id; where there is neither one is made
 *     ce-type ("message"), ce-source (the subject), ce-time (now), Content-Type
 *     Nonet-Tags, Nonet-Metadata     as record.h has them
 *
 * or, where Content-Type is application/cloudevents+json, the payload, a CloudEvent in structured
 * mode (cloudevent.h). Nonet-Principal (a gateway has published it for somebody) is the actor in
 * metadata that name none.
 *
 * Other headers are kept. It is held to what append.h asks of an event, so that whoever reads it
 * has not to ask where it has come from: what is called JSON is JSON, a time is one.
 */
#ifndef NONET_EVENTS_RAW_READ_H
#define NONET_EVENTS_RAW_READ_H

#include "bus/bus.h"
#include "rooms/events/append.h"

/* MESSAGE must be on the subject of an event stream. TIME: of one that brings none. DOC is
   overwritten. Texts are MESSAGE's, TIME's or ARENA's. 0, -ENOMEM, or -EINVAL with words in *E. */
must_use int raw_read(const struct bus_message *message, slice time, struct ids *ids,
                      struct json_doc *doc, struct arena *arena, struct append *ret_append,
                      struct error *e);

#endif
