/*
 * why.h - the causation tree around an event, made of the events of its correlation. Pure.
 *
 *     click-7                          what the first one follows from: a command, say
 *       order-50@0 Placed              its cause
 *         order-50@1 Paid              the event that is asked about
 *           stock-7@3 Taken            what it has caused
 *
 * An event's cause is the newest event before it, of the same correlation, whose id is its
 * causation id; so a tree has no cycles. What lies beside the way up is only counted.
 *
 *     {"stream":"order-50","revision":1,"correlation":"visit-9","command":"click-7","events":[
 *      {"depth":0,"event":{..}},{"depth":1,"asked":true,"event":{..}},{"depth":2,"event":{..}}],
 *      "others":0,"complete":true}
 *
 * Events are as in the audit list, in the order of the tree. `complete` is false where the
 * correlation has more events than were looked at.
 */
#ifndef NONET_EVENTS_WHY_H
#define NONET_EVENTS_WHY_H

#include "base/buf.h"

#define WHY_EVENTS_MAX 1000u /* of a correlation: the newest */

/* ASKED: the entry of the event. RELATED: those of its correlation, the newest first, an array of
   JSON; ASKED among them or not. 0, -ENOMEM, -EINVAL (they are no entries), -E2BIG. */
must_use int why_write(slice asked, slice related, bool complete, struct buf *out);

#endif
