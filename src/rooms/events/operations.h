/*
 * operations.h - every path of event streams over HTTP: who answers it, and what it says of itself
 * in the OpenAPI document (openapi.h). One row is both, so nothing is served that is not described.
 *
 * To add one: a row in operations.c; its parameters, and the schemas of its body and answer, in
 * openapi_words.c where they are not there yet.
 */
#ifndef NONET_EVENTS_OPERATIONS_H
#define NONET_EVENTS_OPERATIONS_H

#include "http/routes.h"

struct operation {
    struct http_route route; /* method, pattern, handle, for_gateway */
    const char *id;          /* operationId: a verb and a noun */
    const char *summary;     /* a sentence without a full stop */
    const char *parameters;  /* names of openapi_words.c beside those of the pattern; may be NULL */
    /* "MEDIA-TYPE=SCHEMA ...", SCHEMA as a type of openapi_words.h. Body NULL: there is none. */
    const char *body, *answer;
    const char *statuses; /* "201 200 409": beside those that every one may have */
};

extern const struct operation event_operations[];
extern const unsigned event_operation_count;

#endif
