/*
 * json_pick.h - picks a few fields out of many JSON documents without building anything.
 *
 *      paths   /price  /bidder/id  /tags/0          compiled once
 *      text    {"bidder":{"id":7,"name":"x"},"price":12}
 *      fields  `12`  `7`  absent                     slices of the text, in the order of the paths
 *
 * This is how columns are filled: one pass over the bytes, no memory touched but the answer.
 * Paths are JSON Pointers (RFC 6901: "~1" is a slash, "~0" a tilde, "" the whole document), so
 * that a key may hold dots. They share a trie; where a document's keys come in the order of the
 * one before, each is found with a single comparison, and where all but its scalars is as in one of
 * the last, only these are looked at (json_shape.h).
 *
 * The whole document is validated just as json_parse() does, with the same answers, but for one
 * thing: a repeated key is noticed only on the way to a picked field, where it is refused too.
 *
 * Bounds: JSON_PICK_PATHS_MAX paths, JSON_PICK_STEPS_MAX keys over all of them, JSON_DEPTH_DEFAULT
 * nested containers. One picker, one thread (it remembers its last guesses
 * and shapes: some 15 KiB).
 */
#ifndef NONET_WIRE_JSON_PICK_H
#define NONET_WIRE_JSON_PICK_H

#include "base/check.h"
#include "base/error.h"
#include "base/slice.h"
#include "wire/json.h"

#define JSON_PICK_PATHS_MAX 256u
#define JSON_PICK_STEPS_MAX 1024u

/* One picked field: `raw` is the value as written (a string with its quotes), ptr NULL where the
   document does not have it. `escaped`: a string that json_pick_string must decode. */
struct json_field {
    slice raw;
    enum json_type type;
    bool escaped;
};

struct json_picker;

/* Compiles COUNT paths; copies them. 0, -EINVAL (not a JSON Pointer, or the same path twice),
   -E2BIG (a bound), -ENOMEM. */
must_use int json_picker_new(const slice *paths, size_t count, struct json_picker **ret_picker);

/* Frees; NULL is allowed. Returns NULL. */
struct json_picker *json_picker_free(struct json_picker *picker);

/* Fills FIELDS, one for each path. 0, -EINVAL or -E2BIG as json_parse(); then the fields are
   unspecified and json_pick_explain() says why. Allocates nothing. */
must_use int json_pick(struct json_picker *picker, slice text, struct json_field *fields);

/* As json_explain(), for the last refusal. */
int json_pick_explain(const struct json_picker *picker, int code, slice name, struct error *e);

/* Typed reads of a field, with the answers of json_i64() and its like. */
must_use int json_pick_i64(const struct json_field *field, int64_t *ret_number);
must_use int json_pick_u64(const struct json_field *field, uint64_t *ret_number);
must_use int json_pick_double(const struct json_field *field, double *ret_number);
must_use int json_pick_bool(const struct json_field *field, bool *ret_bool);
/* Content of a string: a slice of the text, or of OUT (SIZE bytes; field->raw.len is always
   enough) where it held escapes. Also -ENOSPC. */
must_use int json_pick_string(const struct json_field *field, char *out, size_t size,
                              slice *ret_text);

#endif
