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
 *
 * THE KEY of a correlation is a tag that its events get beside those of their author, behind them:
 * by it they are found without looking at others (walk.h). It holds a digest, so whoever finds an
 * event by it compares the id. Nobody but the engine writes tags that begin so, or is shown them.
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
#define PROVENANCE_KEY "~c:"
#define PROVENANCE_KEY_BYTES (sizeof PROVENANCE_KEY - 1 + 16)
/* The key of CORRELATION, in OUT of PROVENANCE_KEY_BYTES. */
slice provenance_key(slice correlation, char *out);
static inline bool provenance_is_key(slice tag) {
    return slice_starts_with(tag, slice_lit(PROVENANCE_KEY));
}
/* TAGS as in the header without the key behind them. */
slice provenance_own_tags(slice tags);

/* The members "actor", "reason", "correlation" and "causation", those that there are. */
void provenance_write(struct json_writer *w, const struct provenance *provenance);

#endif
