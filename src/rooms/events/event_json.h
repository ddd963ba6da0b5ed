/*
 * event_json.h - an event as one line of JSON; read.h draws it.
 *
 * Pure: the record and what was read from it in, bytes out. The order of the members is fixed, so
 * that the same event is the same line always.
 */
#ifndef NONET_EVENTS_EVENT_JSON_H
#define NONET_EVENTS_EVENT_JSON_H

#include "rooms/events/record.h"

/* Whether data of CONTENT_TYPE stands in the line as it is; what is said to be JSON must be JSON
   when it is stored. */
bool event_data_is_json(slice content_type);
/* Appends the line with its '\n'. 0, -ENOMEM, -ENOBUFS. */
must_use int event_write_json(const struct event *event, const struct log_record *record,
                              struct buf *out);

#endif
