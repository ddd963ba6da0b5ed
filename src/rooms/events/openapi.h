/*
 * openapi.h - the OpenAPI 3.1 document of event streams over HTTP, GET /v1/openapi.json: made of
 * the table of operations (operations.h) and of the words that they use (openapi_words.h). It is
 * written anew for each request: some 30 KB, seldom asked for.
 */
#ifndef NONET_EVENTS_OPENAPI_H
#define NONET_EVENTS_OPENAPI_H

#include "base/buf.h"

struct http_request;

/* 0, -ENOMEM, -ENOBUFS. The same on every node of a version. */
must_use int openapi_write(struct buf *out);
/* A handler. */
void openapi_http(void *owner, struct http_request *request);

#endif
