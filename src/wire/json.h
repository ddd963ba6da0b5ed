/*
 * json.h - reads one JSON document (RFC 8259) into a flat tape that can be asked for fields.
 *
 *      text   { "price" : 12 , "tags" : [ "a" ] }
 *      tape   [{ 2]["price"][12]["tags"][[ 1]["a"]      one 16-byte node a value or key, in
 *              next ------------------------------->    text order; a container knows its end
 *
 * Nothing is copied: a node holds the offset of its bytes in the caller's text, which must live
 * as long as the document. Integers are exact, other numbers stay as the text they were written
 * in (a decimal is never rounded behind anyone's back), strings are unescaped only when asked for.
 *
 * Strict, because what two readers understand differently is how things get smuggled: no
 * comments, no trailing commas, UTF-8 only, control bytes refused, surrogates only in pairs,
 * nothing after the value, and I-JSON's rule (RFC 7493) that an object does not repeat a key -
 * the whole document is refused where one does ("\u0061" is the same key as "a").
 *
 * Bounds: depth, nodes and text size, each with a default below; reaching one is -E2BIG. A document
 * may be parsed into again and again; it keeps its memory. One document, one thread.
 */
#ifndef NONET_WIRE_JSON_H
#define NONET_WIRE_JSON_H

#include "base/check.h"
#include "base/error.h"
#include "base/slice.h"

#define JSON_DEPTH_DEFAULT 64u                   /* containers within containers */
#define JSON_DEPTH_MAX 1024u                     /* depth_max may be raised up to here */
#define JSON_NODES_DEFAULT ((uint32_t)1 << 20)   /* 16 MiB of tape */
#define JSON_NODES_MAX (((uint32_t)1 << 27) - 1) /* nodes_max may be raised up to here */
#define JSON_TEXT_MAX ((size_t)1 << 30)          /* bytes of one document */

enum json_type {
    JSON_ABSENT, /* no such field, no such element, or no document */
    JSON_NULL,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
};

/* Fields are the reader's own, but for the two limits, which may be set between init and parse. */
struct json_doc {
    uint32_t depth_max; /* at most JSON_DEPTH_MAX */
    uint32_t nodes_max; /* at most JSON_NODES_MAX */

    slice text;
    struct json_node *nodes;
    uint32_t count;
    uint32_t capacity;
    char *unescaped; /* strings without their escapes, each at its offset in the text */
    size_t unescaped_capacity;
    slice *keys; /* room to compare the keys of a large object */
    size_t keys_capacity;
    const char *reason; /* of the last refusal */
    size_t offset;      /* where in the text it was refused */
};

/* A value inside a document, passed by value. All zero = absent; every function takes that. */
typedef struct json_value {
    struct json_doc *doc;
    uint32_t at;
} json_value;

void json_init(struct json_doc *doc);
void json_free(struct json_doc *doc); /* leaves it as after json_init */

/* Reads TEXT, forgetting what DOC held before. 0, -EINVAL (not JSON), -E2BIG (a bound), -ENOMEM.
   After a refusal json_root() is absent and json_explain() says why. */
must_use int json_parse(struct json_doc *doc, slice text);

/* Fills *E with CODE, the reason and the place "NAME:line:column" (or "line:column" where NAME is
   empty) of the last refusal. Returns CODE. */
int json_explain(const struct json_doc *doc, int code, slice name, struct error *e);

/* Line and column (from 1, in characters) of byte OFFSET. */
void json_position(slice text, size_t offset, uint32_t *ret_line, uint32_t *ret_column);

json_value json_root(struct json_doc *doc);
enum json_type json_type_of(json_value v);
slice json_source(json_value v);   /* the bytes as written, a string with its quotes */
uint32_t json_count(json_value v); /* elements of an array, members of an object, else 0 */

/* Copies JSON without its line ends and tabs, which stand between tokens only, to OUT of json.len
   bytes. Returns how many it wrote. */
size_t json_on_one_line(slice json, char *out);

/* The member of object V named KEY, or absent. Walks the members: O(members). */
json_value json_member(json_value v, slice key);
/* The same by a path of keys, "config.name" = two steps. Keys that hold dots: json_member. */
json_value json_path(json_value v, const char *dotted_path);
/* Element INDEX of array V, or absent. O(index): to visit all, iterate. */
json_value json_element(json_value v, uint32_t index);

/* Visits members or elements in text order:
       struct json_iterator i = json_each(v);
       while (json_next(&i)) use i.key (absent in an array) and i.value;
   Gives nothing for a value that is no container. */
struct json_iterator {
    json_value key;
    json_value value;
    struct json_doc *doc;
    uint32_t next;
    uint32_t end;
    bool object;
};
struct json_iterator json_each(json_value v);
bool json_next(struct json_iterator *i);

/* Typed reads. 0; -ENOENT where V is absent; -EINVAL where it is of another type; -ERANGE where
   the number does not fit. *ret_x is written only on 0. */
must_use int json_bool(json_value v, bool *ret_bool);
must_use int json_i64(json_value v, int64_t *ret_number); /* 1.0 and 1e3 are no integers: -EINVAL */
must_use int json_u64(json_value v, uint64_t *ret_number);
must_use int json_double(json_value v, double *ret_number); /* the nearest to what is written */
must_use int json_number(json_value v, slice *ret_digits);  /* as written */
/* Content of a string. Points into the text, or into DOC where it held escapes; valid until the
   next parse or free. Also -ENOMEM. May hold NUL bytes (\u0000). */
must_use int json_string(json_value v, slice *ret_text);

/* Whether V is the string TEXT, without unescaping into memory. */
bool json_string_is(json_value v, slice text);
/* Whether V is a number written without fraction and exponent. */
bool json_is_integer(json_value v);

#endif
