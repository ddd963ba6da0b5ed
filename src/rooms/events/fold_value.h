/*
 * fold_value.h - what the right side of a fold's rule comes to for one event, as JSON. Pure.
 *
 * JSON is written in one form only: no blanks, strings with the fewest escapes, numbers as they
 * were. So a value that is read back and written again is the same bytes, and a state is as long as
 * the sum of its parts.
 *
 * What an event does not have is ABSENT: a member of a map that comes to it is left out, an element
 * of a list is null; alone it is -ENOENT, and whoever asked changes nothing.
 */
#ifndef NONET_EVENTS_FOLD_VALUE_H
#define NONET_EVENTS_FOLD_VALUE_H

#include "rooms/events/fold_rules.h"
#include "wire/json.h"

/* One event. Texts are valid during fold_apply. */
struct fold_event {
    slice type, id, time, stream;
    uint64_t revision, position;
    slice data, metadata; /* JSON; empty: there is none */
};

/* The event, and what of it has been parsed. */
struct fold_source_event {
    const struct fold_event *event;
    struct json_doc data, metadata;
    bool data_read, metadata_read;
    char revision[24], position[24]; /* as text, where that is asked for */
};
void fold_source_init(struct fold_source_event *source);
void fold_source_free(struct fold_source_event *source);
/* From here on it is about EVENT. */
void fold_source_take(struct fold_source_event *source, const struct fold_event *event);

/* Appends what VALUE comes to. SOURCE NULL: literals only. 0; -ENOENT (absent); -EINVAL (an
   expression without a source; data or metadata that cannot be read); -E2BIG (deeper than
   FOLD_DEPTH_MAX); -ENOMEM; -ENOBUFS. After a failure OUT may hold a part. */
must_use int fold_value_write(const struct fold_value *value, struct fold_source_event *source,
                              struct buf *out);
/* The text of EXPRESSION as a name: of a text, a number or a bool. 0; -ENOENT (absent, null);
   -EINVAL (another type, or as above); -ENOMEM. Valid until the next event. */
must_use int fold_expression_text(const struct fold_expression *expression,
                                  struct fold_source_event *source, slice *ret_text);
/* The object that VALUE comes to, where it is an expression, to be gone through; as above. */
must_use int fold_expression_find(const struct fold_expression *expression,
                                  struct fold_source_event *source, json_value *ret_value);

/* Appends V in the one form, at most DEPTH containers deep. 0, -E2BIG, -ENOMEM, -ENOBUFS. */
must_use int fold_json_write(json_value v, unsigned depth, struct buf *out);
/* Appends TEXT as a string of JSON. 0, -ENOMEM, -ENOBUFS. */
must_use int fold_json_write_string(slice text, struct buf *out);

#endif
