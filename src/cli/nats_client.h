/*
 * nats_client.h - one connection to a NATS server, for the command line.
 *
 *   CONNECTING --INFO--> (TLS) --CONNECT, PING--> LOGIN --PONG--> READY --nats_client_close-->
 * CLOSING |                            |                             |                        |
 *        '---- no answer in time, -ERR, protocol error, closed -----'                        |
 *                                     v                                                      v
 *                           on_end(error) and freed                      on_end(NULL) and freed
 *
 * It speaks plain NATS, so whatever is built on it works against an official nats-server, too. It
 * answers PING, counts nothing, reconnects never: a verb that loses its server says so and ends.
 * session.h makes requests and answers of it for verbs; `bench` opens many of them.
 *
 * Everything a client does happens on the loop it was opened on. on_end is the last call, made
 * exactly once, never from inside a function below; the pointer is gone after it.
 */
#ifndef NONET_CLI_NATS_CLIENT_H
#define NONET_CLI_NATS_CLIENT_H

#include "cli/login.h"
#include "wire/nats.h"

#define NATS_CLIENT_PAYLOAD_MAX (64u << 20) /* of one message received, headers included */
#define NATS_CLIENT_OUT_MAX                                                                        \
    (256u << 20) /* output waiting for the socket; past it the client fails */

struct nats_client;

struct nats_client_message {
    slice subject, reply, headers, payload; /* headers: a whole block or empty */
};

struct nats_client_events {
    void (*on_ready)(void *self);
    /* MESSAGE is valid during the call; SID is the subscription's number. */
    void (*on_message)(void *self, uint64_t sid, const struct nats_client_message *message);
    void (*on_pong)(void *self); /* one for each nats_client_ping, in order */
    /* ERROR is NULL after nats_client_close, else why the connection ended. */
    void (*on_end)(void *self, const struct error *error);
};

/* What the server says of itself in INFO; texts are cut to their room. */
struct nats_client_info {
    char name[128], version[32], nonce[128];
    uint64_t payload_max;
    bool headers, jetstream, tls_required;
    const char *tls_version; /* "TLSv1.3", "" where the connection is plain */
};

/* LOGIN must live as long as the client. TIMEOUT_NS is for connecting and logging in, together. 0,
   or negative with words (then there will be no on_end). */
must_use int nats_client_open(struct io_loop *loop, const struct login *login, uint64_t timeout_ns,
                              const struct nats_client_events *events, void *self,
                              struct nats_client **ret_client, struct error *ret_error);
/* What has been written leaves first, as long as it is taken (IO_LINGER_MS). */
void nats_client_close(struct nats_client *client);
/* Ends with these words, as if the server had failed. No-op where the client is ending already. */
void nats_client_fail(struct nats_client *client, int code, const char *format, ...)
    printf_like(3, 4);

const struct nats_client_info *nats_client_info(const struct nats_client *client);

/* These write; a failure (no memory, NATS_CLIENT_OUT_MAX) ends the client as nats_client_fail does.
   After the end has begun they do nothing. Subjects are the caller's to check: a blank in one
   breaks the connection. */
void nats_client_subscribe(struct nats_client *client, uint64_t sid, slice subject, slice queue);
void nats_client_unsubscribe(struct nats_client *client, uint64_t sid);
void nats_client_publish(struct nats_client *client, const struct nats_client_message *message);
void nats_client_write(struct nats_client *client,
                       slice bytes); /* commands made elsewhere, whole */
void nats_client_ping(struct nats_client *client);
/* Bytes that wait for the socket: publishers of much pause while there are many. */
size_t nats_client_pending(const struct nats_client *client);

#endif
