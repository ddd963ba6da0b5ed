/*
 * provenance.h - who, why, and because of what: read from an event, wherever it stands in it. Pure.
 *
 *     member of metadata          else the attribute of CloudEvents' extensions
 *     actor                       actor
 *     reason                      reason
 *     correlation_id              correlationid
 *     causation_id                causationid
 *
 * A member that is no text is not taken; of members that are named twice nothing is.
 */
#ifndef NONET_EVENTS_PROVENANCE_H
#define NONET_EVENTS_PROVENANCE_H

#include "rooms/events/record.h"
#include "wire/json_pick.h"
#include "wire/json_write.h"

struct provenance {
    slice actor, reason, correlation, causation; /* empty: not told */
};

/* A zeroed one is closed. */
struct provenance_reader {
    struct json_picker *picker;
    struct buf text; /* what was decoded */
};
/* 0 or -ENOMEM. */
must_use int provenance_open(struct provenance_reader *reader);
void provenance_close(struct provenance_reader *reader);
/* Slices are EVENT's, or READER's until the next call. 0 or -ENOMEM. */
must_use int provenance_read(struct provenance_reader *reader, const struct event *event,
                             struct provenance *ret_provenance);
/* The members "actor", "reason", "correlation" and "causation", those that there are. */
void provenance_write(struct json_writer *w, const struct provenance *provenance);

#endif
