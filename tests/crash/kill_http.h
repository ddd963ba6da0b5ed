/*
 * kill_http.h - a small HTTP/1.1 client for the kill loop, over POSIX sockets: one request under
 * way a connection.
 *
 * As kill_client.h: the server is killed at any moment, then `gone` is set and nothing comes any
 * more but what it had sent before.
 */
#ifndef NONET_TESTS_CRASH_KILL_HTTP_H
#define NONET_TESTS_CRASH_KILL_HTTP_H

#include "base/buf.h"

#define KILL_HTTP_MAX 64u /* connections that are waited for together */

struct kill_http {
    int socket;
    bool gone;
    struct buf in, out;
    size_t used; /* of in, by the answer before */
};

bool kill_http_open(struct kill_http *http, unsigned port);
void kill_http_close(struct kill_http *http);
/* METHOD and TARGET in REQUEST ("GET /v1/events"); a body where it has one. False: gone. */
bool kill_http_send(struct kill_http *http, const char *request, slice token, slice body);
/* The status of the answer and its *BODY, valid until the next call; 0: none came in TIMEOUT_MS, or
   gone. */
unsigned kill_http_next(struct kill_http *http, int timeout_ms, slice *ret_body);
/* Waits until one of COUNT connections has something to read. */
void kill_http_wait(struct kill_http *all, unsigned count, int timeout_ms);

#endif
