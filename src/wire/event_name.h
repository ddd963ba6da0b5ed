/*
 * event_name.h - the names of event streams, and the subjects of their events.
 *
 *     order-42    CATEGORY-ID, cut at the first '-'      es.order.42
 *     shop        without '-': its own category          es.shop
 *     a.b-1       what a token cannot hold               es.a%2Eb.1
 */
#ifndef NONET_WIRE_EVENT_NAME_H
#define NONET_WIRE_EVENT_NAME_H

#include "base/buf.h"

#define EVENT_NAME_MAX 1024u                        /* bytes of an event stream's name */
#define EVENT_SUBJECT_MAX (EVENT_NAME_MAX * 3 + 16) /* bytes: its subject, all of it encoded */
#define EVENT_PREFIX "es."
#define EVENT_SUBJECTS EVENT_PREFIX ">"

/* Appends the subject of event stream NAME. 0; -EINVAL (empty, longer than EVENT_NAME_MAX, an empty
   category or id, not UTF-8), -ENOMEM. */
must_use int event_subject(slice name, struct buf *out);
/* The same of a category: "es.CATEGORY". */
must_use int event_category_subject(slice category, struct buf *out);
/* Whether SUBJECT is that of an event stream of the category with the subject CATEGORY. */
bool event_is_of(slice subject, slice category);
/* Appends the name of the event stream with SUBJECT. 0, -EINVAL (not the subject of one), -ENOMEM.
 */
must_use int event_name(slice subject, struct buf *out);

/* Appends TEXT as one token of a subject, or of a list of tags, percent-encoded. 0 or -ENOMEM. */
must_use int event_token(slice text, struct buf *out);
must_use int event_tag_token(slice text, struct buf *out);

#endif
