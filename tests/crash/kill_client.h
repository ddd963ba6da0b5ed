/*
 * kill_client.h - a small blocking NATS client for the kill loop, over POSIX sockets.
 *
 * The server it talks to is killed at any moment, so every call may find the connection gone: then
 * `gone` is set and the call answers false. Nothing is retried here; what was not acknowledged is
 * the oracle's to think about.
 */
#ifndef NONET_TESTS_CRASH_KILL_CLIENT_H
#define NONET_TESTS_CRASH_KILL_CLIENT_H

#include "base/buf.h"
#include "wire/nats.h"

#define KILL_CLIENTS_MAX 16u

struct kill_client {
    int socket;
    bool gone;
    struct nats_parser parser;
    struct buf in, out;
    size_t used; /* of in, by the events so far */
};

/* Connects and logs in; false where nobody answers within TIMEOUT_MS. */
bool kill_client_open(struct kill_client *client, unsigned port, int timeout_ms);
void kill_client_close(struct kill_client *client);
void kill_client_subscribe(struct kill_client *client, const char *subject, unsigned sid);
/* Queues a publish; kill_client_flush sends. HEADERS may be empty. */
void kill_client_publish(struct kill_client *client, slice subject, slice reply, slice headers,
                         slice payload);
bool kill_client_flush(struct kill_client *client);
/* The next MSG or HMSG, waiting at most TIMEOUT_MS. False: none came, or gone. The event's slices
   are valid until the next call. */
bool kill_client_next(struct kill_client *client, int timeout_ms, struct nats_event *ret_event);
/* Waits until one of COUNT clients has something to read. */
void kill_client_wait(struct kill_client *clients, unsigned count, int timeout_ms);
/* Asks SUBJECT and waits for the answer on the client's own inbox subscription ("ask", sid 99). */
bool kill_client_ask(struct kill_client *client, const char *subject, slice payload, int timeout_ms,
                     struct nats_event *ret_event);

#endif
