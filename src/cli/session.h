/*
 * session.h - a verb's connection to a node: a small NATS client over io/, enough for the CLI.
 *
 *     return session_run(call, begin, self);
 *
 *     session_run: find the node, connect, log in --> BEGIN(session, self) once ready --> the verb
 *     subscribes, publishes, asks --> session_end(session, exit code) --> session_run returns it
 *
 * The node is found by --server, else NATS_URL, else "nats" in DATA/ports.json. A server that
 * cannot be reached, refuses the login, or goes away ends the session with an error in words and
 * exit 1. It speaks plain NATS, so every verb built on it works against an official nats-server,
 * too. SIGINT and SIGTERM end it with exit 0 (a `sub` is stopped that way).
 */
#ifndef NONET_CLI_SESSION_H
#define NONET_CLI_SESSION_H

#include "cli/cli.h"
#include "io/loop.h"
#include "wire/json.h"
#include "wire/nats.h"

#define SESSION_SUBSCRIPTIONS_MAX 256u
#define SESSION_REQUESTS_MAX 4096u

struct session;

int session_run(const struct cli_call *call, void (*begin)(struct session *session, void *self),
                void *self);
/* Output is flushed, the connection closed, session_run returns CODE. */
void session_end(struct session *session, int code);
/* The same with a complaint; exit 1. */
void session_fail(struct session *session, const char *format, ...) printf_like(2, 3);

struct io_loop *session_loop(struct session *session);
slice session_server_name(const struct session *session);
uint64_t session_payload_max(const struct session *session);
/* How long to wait for an answer: --timeout, default 5 s. */
uint64_t session_timeout_ns(const struct session *session);

struct session_message {
    slice subject, reply, headers, payload; /* valid during the call */
};
typedef void (*session_receiver)(void *self, const struct session_message *message);

/* Failures end the session. MAX 0 = without end. Returns an id for session_unsubscribe. */
unsigned session_subscribe(struct session *session, slice subject, slice queue,
                           session_receiver receiver, void *self);
void session_unsubscribe(struct session *session, unsigned id);
void session_publish(struct session *session, const struct session_message *message);
/* Bytes waiting for the socket, and a call when they have gone (for publishers of much). */
size_t session_pending(const struct session *session);
void session_on_drain(struct session *session, void (*drained)(void *self), void *self);
/* DONE once the server has taken everything sent so far (PONG). */
void session_flush(struct session *session, void (*done)(void *self), void *self);

/* One answer: ON_REPLY with the message, or NULL and why: -EHOSTUNREACH (no responders),
   -ETIMEDOUT. */
void session_request(struct session *session, slice subject, slice headers, slice payload,
                     void (*on_reply)(void *self, const struct session_message *reply, int failed),
                     void *self);

/* A request to `$JS.API.<name>`; ON_ANSWER gets the parsed answer. A refusal or silence ends the
   session with its words. */
void session_api(struct session *session, const char *name, slice json,
                 void (*on_answer)(void *self, json_value answer), void *self);

#endif
