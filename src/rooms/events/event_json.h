/*
 * event_json.h - an event as one line of JSON, the node's own (read.h draws it) or that of
 * CloudEvents 1.0 (JSON event format, structured mode).
 *
 * Pure: the record and what was read from it in, bytes out. The order of the members is fixed, so
 * that the same event is the same line always.
 */
#ifndef NONET_EVENTS_EVENT_JSON_H
#define NONET_EVENTS_EVENT_JSON_H

#include "rooms/events/provenance.h"

/* Whether CONTENT_TYPE says JSON: application/json, or anything with +json. What says so must be
   JSON when it is stored, and stands in the line as it is. */
bool event_data_is_json(slice content_type);
/* Appends the line with its '\n'. 0, -ENOMEM, -ENOBUFS. */
must_use int event_write_json(const struct event *event, const struct log_record *record,
                              struct buf *out);
/* The same as a row of SQL's table `events`: its category before all else. */
must_use int event_write_row(const struct event *event, const struct log_record *record,
                             struct buf *out);
/* The same as a CloudEvent. Tags are one attribute (as in the record), metadata is the JSON in a
   text; stream, revision, position and chain are attributes that tell the event's place here. */
must_use int event_write_cloudevent(const struct event *event, const struct log_record *record,
                                    struct buf *out);
/* Who did it, when, why: {"position":..,"time":..,"stream":..,"revision":..,"type":..,"id":..,
   "actor":..,"reason":..,"correlation":..,"causation":..}. The time is the one of the commit. */
must_use int event_write_audit(const struct event *event, const struct provenance *provenance,
                               const struct log_record *record, struct buf *out);

#endif
