/*
 * openapi_words.h - what operations speak of: parameters, objects of JSON, answers that are errors.
 * Tables, from which openapi.c makes the document's components.
 *
 * A TYPE is a word of JSON Schema (string, integer, number, boolean, object), several with '|'
 * between them, `any`, or the name of a schema here; with [] behind it a list of them. Some words
 * mean a string of a kind: time (RFC 3339), base64.
 */
#ifndef NONET_EVENTS_OPENAPI_WORDS_H
#define NONET_EVENTS_OPENAPI_WORDS_H

#include <stdbool.h>

struct openapi_parameter {
    const char *key;       /* by which operations name it */
    const char *name, *in; /* name: as it is sent; in: path, query, header */
    const char *type, *doc;
    const char *words; /* "forwards backwards": one of these; may be NULL */
};
extern const struct openapi_parameter openapi_parameters[]; /* ended by an empty one */

struct openapi_member {
    const char *name, *type, *doc;
    bool needed;
};
struct openapi_schema {
    const char *name, *doc;
    const struct openapi_member *members; /* ended by an empty one */
    bool open;                            /* it may have others */
};
extern const struct openapi_schema openapi_schemas[]; /* ended by an empty one */

struct openapi_error {
    const char *status, *doc;
    const char *schema;
    bool common; /* of every operation */
};
extern const struct openapi_error openapi_errors[]; /* ended by an empty one */

#endif
