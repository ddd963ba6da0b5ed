/*
 * attributes.h - context attributes of an event that are not the node's own business: `subject`,
 * `dataschema` and every extension of CloudEvents 1.0 (traceparent, partitionkey, ...). Pure.
 *
 *     in JSON        "attributes": {"subject": "milk", "sampledrate": 30, "urgent": true}
 *     in the record  ce-subject: milk
 *                    ce-sampledrate: 30
 *                    ce-urgent: true
 *                    Nonet-Types: sampledrate:integer,urgent:boolean
 *
 * A header is text, so what is no text is named in Nonet-Types: who gets the event gets the same
 * one. Whoever publishes to es.> with headers of his own has texts only.
 */
#ifndef NONET_EVENTS_ATTRIBUTES_H
#define NONET_EVENTS_ATTRIBUTES_H

#include "base/arena.h"
#include "rooms/events/record.h"
#include "wire/json.h"
#include "wire/json_write.h"

#define ATTRIBUTES_MAX 64u               /* of one event */
#define ATTRIBUTE_NAME_MAX 64u           /* bytes; CloudEvents asks for at most 20 */
#define ATTRIBUTE_VALUE_MAX 4096u        /* bytes */
#define ATTRIBUTES_BYTES_MAX (64u << 10) /* of all, as they stand in headers */

enum attribute_type { ATTRIBUTE_TEXT, ATTRIBUTE_INTEGER, ATTRIBUTE_BOOLEAN };

struct attribute {
    slice name, value; /* value: of an integer or boolean its canonical text */
    enum attribute_type type;
};

/* Lower-case ASCII letters and digits, as CloudEvents has it. */
bool attribute_is_name(slice text);
/* What an event has a member of its own for, or the node writes itself (stream, revision, ...). */
bool attribute_is_taken(slice name);
/* NULL, or what is wrong with TEXT, of at most MOST bytes, as the value of a header. */
const char *attribute_judge_text(slice text, size_t most);
/* Reads V: a text without control characters, a whole number of 32 bits, or a boolean. NULL, or
   what is wrong with it. The value is of V's document. */
const char *attribute_read(json_value v, struct attribute *attribute);

/* Reads the object V into EVENT: its `more` and `types`, in ARENA. 0, -ENOMEM, or -EINVAL with
   what is wrong in *E, and the name as its place. */
must_use int attributes_read(json_value v, struct arena *arena, struct event *event,
                             struct error *e);

/* Those of an event, one after the other; the first of those that have the same name. */
struct attributes {
    slice fields, rest, types;
};
struct attributes attributes_of(const struct event *event);
bool attributes_next(struct attributes *attributes, struct attribute *ret_attribute);
void attribute_write(struct json_writer *w, const struct attribute *attribute);

#endif
