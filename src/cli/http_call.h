/*
 * http_call.h - one HTTP request to a node's admin listener, and its answer.
 *
 * HTTP/1.1 over a connection of its own that is closed afterwards. For small answers: one past
 * HTTP_CALL_BODY_MAX is refused. Blocks until the answer is whole, on a loop of its own.
 */
#ifndef NONET_CLI_HTTP_CALL_H
#define NONET_CLI_HTTP_CALL_H

#include "base/buf.h"
#include "cli/login.h"

#define HTTP_CALL_BODY_MAX (32u << 20)

struct http_call {
    const struct login *login; /* host, address, TLS; not its users */
    const char *method, *path;
    const char *token; /* sent as Bearer; NULL: none */
    slice body;        /* JSON; may be empty */
    uint64_t timeout_ns;
    void (*on_bytes)(void *self, slice all); /* the body so far, as it comes; NULL: nobody minds */
    void *self;
};

/* 0 with the status and the body appended to OUT, or negative with words. */
must_use int http_call_run(struct io_host *host, const struct http_call *call, unsigned *ret_status,
                           struct buf *out, struct error *ret_error);

#endif
