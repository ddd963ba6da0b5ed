/*
 * cloudevent.h - CloudEvents 1.0 over HTTP (CNCF http-protocol-binding 1.0.2): what a request says
 * in one of the three modes, as the JSON of an append; and an event as an answer in binary mode.
 * Pure.
 *
 *     binary      ce-id, ce-source, ce-type, ce-specversion and more; the body is the data
 *     structured  Content-Type: application/cloudevents+json; one event
 *     batched     Content-Type: application/cloudevents-batch+json; a list of events, one append
 *
 * Values of headers are percent-encoded. Attributes become what append.h calls an event's members:
 *
 *     id, type, source, time, datacontenttype, data, data_base64    themselves; the first three and
 *                                   specversion "1.0" must be there
 *     tags          a text: tags with commas, each percent-encoded where it has one itself
 *     metadata      a text: a JSON object
 *     stream, revision, position, chain    left behind: they tell where an event was read that
 *                                   comes from an event stream already
 *     others        attributes (attributes.h)
 */
#ifndef NONET_EVENTS_CLOUDEVENT_H
#define NONET_EVENTS_CLOUDEVENT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "wire/http1_fields.h"
#include "wire/json.h"

#define CLOUDEVENT_TYPE "application/cloudevents+json"
#define CLOUDEVENT_BATCH_TYPE "application/cloudevents-batch+json"
#define CLOUDEVENT_FIELDS_MAX 96u /* of an answer in binary mode */

enum cloudevent_mode {
    CLOUDEVENT_NONE, /* the request is no CloudEvent */
    CLOUDEVENT_BINARY,
    CLOUDEVENT_STRUCTURED,
    CLOUDEVENT_BATCHED,
    CLOUDEVENT_UNKNOWN, /* of a format that is not JSON */
};
enum cloudevent_mode cloudevent_mode_of(const struct http1_field *fields, size_t count);

/* Appends {"expect":EXPECT,"events":[...]} to OUT; EXPECT: "any", "none", "exists" or digits, as
   append.h, or empty: any. 0, -ENOMEM, -ENOBUFS, or -EINVAL with words that name the attribute. */
must_use int cloudevent_read(enum cloudevent_mode mode, const struct http1_field *fields,
                             size_t count, slice body, slice expect, struct buf *out,
                             struct error *e);

/* LINE, as event_write_cloudevent has written it, in binary mode: fields with their Content-Type,
   and the data. Texts are LINE's, DOC's or ARENA's. 0, -ENOMEM, -EINVAL. */
must_use int cloudevent_answer(slice line, struct json_doc *doc, struct arena *arena,
                               struct http1_field *fields, size_t *ret_count, slice *ret_data);

#endif
