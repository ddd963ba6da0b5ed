/*
 * judge.h - is an event stream as an append expects it, and has that append been there before?
 *
 * Ids first, then expectations (anchors 2.1 and 2.2; docs/events.md has the tables). The judgement
 * of a part is a small state machine over `fetch`: it says -EINPROGRESS where a record has to be
 * waited for, and goes on where it was when it is asked again.
 */
#ifndef NONET_EVENTS_JUDGE_H
#define NONET_EVENTS_JUDGE_H

#include "rooms/events/append.h"

/* Gives PART, whose head is there, its verdict. 0, -EINPROGRESS (FETCH's done is called, later),
   -EBADMSG, -ENOMEM, -ENOBUFS (as lookup_step). */
must_use int judge_part(struct append_part *part, struct fetch *fetch);

#endif
