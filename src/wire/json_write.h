/*
 * json_write.h - writes JSON into a struct buf, a piece at a time.
 *
 *      struct json_writer w = json_writer_make(&buf, false);
 *      json_write_object(&w);
 *      json_put_string(&w, "name", name);
 *      json_write_key(&w, "parts");
 *      json_write_raw(&w, parts);
 *      json_write_end(&w);
 *      return json_write_finish(&w);
 *
 * Commas, colons and (pretty) line breaks are the writer's business. The first failure sticks: all
 * later calls do nothing, so a caller checks once, at json_write_finish(). Failures are the
 * buffer's (-ENOBUFS, -ENOMEM), -E2BIG past JSON_WRITE_DEPTH_MAX, and -EDOM for a double that JSON
 * cannot say. Calls in an order that is not JSON (a value where a key belongs, an end too many) are
 * bugs and check()ed. What was written before a failure stays in the buffer; the caller clears it.
 *
 * Strings should be UTF-8. Bytes that are not become U+FFFD: names that strangers chose must not
 * make a status page fail. Who must not lose bytes writes base64.
 */
#ifndef NONET_WIRE_JSON_WRITE_H
#define NONET_WIRE_JSON_WRITE_H

#include "base/buf.h"
#include "base/check.h"
#include "base/slice.h"

#define JSON_WRITE_DEPTH_MAX 64u

/* The writer's own; made by json_writer_make. */
struct json_writer {
    struct buf *out;
    int error;
    uint32_t depth;
    uint64_t objects; /* bit n: the container at depth n is an object */
    bool pretty;      /* two spaces a level, one member a line */
    bool first;       /* nothing yet in the current container */
    bool after_key;   /* a value must follow */
    bool done;        /* the one top-level value is complete */
};

struct json_writer json_writer_make(struct buf *out, bool pretty);

void json_write_object(struct json_writer *w);
void json_write_array(struct json_writer *w);
void json_write_end(struct json_writer *w); /* closes the innermost object or array */

void json_write_key(struct json_writer *w, const char *name);
void json_write_key_slice(struct json_writer *w, slice name);

void json_write_string(struct json_writer *w, slice text);
void json_write_text(struct json_writer *w, const char *text); /* NULL writes null */
void json_write_u64(struct json_writer *w, uint64_t number);
void json_write_i64(struct json_writer *w, int64_t number);
void json_write_double(struct json_writer *w, double number); /* shortest that reads back equal */
void json_write_bool(struct json_writer *w, bool value);
void json_write_null(struct json_writer *w);
/* VALUE is one complete JSON value already (from json_source, a stored document): not checked. */
void json_write_raw(struct json_writer *w, slice value);

/* A member at once: its key, then its value as above. */
void json_put_string(struct json_writer *w, const char *name, slice text);
void json_put_text(struct json_writer *w, const char *name, const char *text);
void json_put_u64(struct json_writer *w, const char *name, uint64_t number);
void json_put_i64(struct json_writer *w, const char *name, int64_t number);
void json_put_bool(struct json_writer *w, const char *name, bool value);
void json_put_nonempty(struct json_writer *w, const char *name, slice text); /* "": no member */

/* 0 or the first failure. On 0 exactly one complete value was written. */
must_use int json_write_finish(struct json_writer *w);

#endif
