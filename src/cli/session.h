/*
 * session.h - a verb's conversation with a node: one loop, one client, requests and answers.
 *
 *     return session_run(call, begin, self);
 *
 *     session_run: find the node, connect, log in --> BEGIN(session, self) once ready --> the verb
 *     subscribes, publishes, asks --> session_end(session, exit code) --> session_run returns it
 *
 * A server that cannot be reached, refuses the login, or goes away ends the session with an error
 * in words and exit 1. SIGINT and SIGTERM end the process as they end any other program, unless the
 * verb takes them with session_on_interrupt. Output (stdio) is flushed at the end of each turn of
 * the loop; when nobody reads it any more (`| head`) the session ends with exit 1, in silence.
 *
 * Bounds: SESSION_SUBSCRIPTIONS_MAX, SESSION_REQUESTS_MAX and SESSION_FLUSHES_MAX; what is past
 * them ends the session with words.
 */
#ifndef NONET_CLI_SESSION_H
#define NONET_CLI_SESSION_H

#include "cli/nats_client.h"
#include "wire/json.h"

#define SESSION_SUBSCRIPTIONS_MAX 256u
#define SESSION_REQUESTS_MAX 4096u
#define SESSION_FLUSHES_MAX 64u
#define SESSION_INBOX_MAX 64u

struct session;

int session_run(const struct cli_call *call, void (*begin)(struct session *session, void *self),
                void *self);
/* What has been published leaves, the connection closes, session_run returns CODE. */
void session_end(struct session *session, int code);
/* The same with a complaint; exit 1. */
void session_fail(struct session *session, const char *format, ...) printf_like(2, 3);
/* The first SIGINT or SIGTERM calls INTERRUPTED; a second one ends with exit 1. */
void session_on_interrupt(struct session *session, void (*interrupted)(void *self), void *self);

/* For verbs that do more than talk: GONE is called when the connection has ended, and session_run
   returns once every session_hold has its session_release. */
void session_on_gone(struct session *session, void (*gone)(void *self), void *self);
void session_hold(struct session *session);
void session_release(struct session *session);

struct io_loop *session_loop(struct session *session);
const struct nats_client_info *session_info(const struct session *session);
const char *session_address(const struct session *session);
/* How long to wait for an answer: --timeout, default 5 s. */
uint64_t session_timeout_ns(const struct session *session);

typedef void (*session_receiver)(void *self, const struct nats_client_message *message);

/* Returns an id for session_unsubscribe, 0 where the session has failed. */
unsigned session_subscribe(struct session *session, slice subject, slice queue,
                           session_receiver receiver, void *self);
void session_unsubscribe(struct session *session, unsigned id);
void session_publish(struct session *session, const struct nats_client_message *message);
/* Bytes waiting for the socket: publishers of much pause while there are many. */
size_t session_pending(const struct session *session);
/* DONE once the server has taken everything sent so far (PONG). */
void session_flush(struct session *session, void (*done)(void *self), void *self);

/* A subject nobody else knows, with its NUL, to subscribe to for answers. Returns its length. */
size_t session_new_inbox(struct session *session, char ret_inbox[SESSION_INBOX_MAX]);
/* True for the empty 503 by which a server says that nobody listens. */
bool session_no_responders(const struct nats_client_message *message);

/* One answer: ON_REPLY, exactly once, with the message, or NULL and why: -EHOSTUNREACH (no
   responders), -ETIMEDOUT, -ECANCELED (the session has ended: only free what is yours). */
void session_request(struct session *session, slice subject, slice headers, slice payload,
                     void (*on_reply)(void *self, const struct nats_client_message *reply,
                                      int failed),
                     void *self);

#define SESSION_API_NO_MESSAGE 10037u /* err_code: no (further) message */

/* A request to `$JS.API.<name>`; ON_ANSWER gets the parsed answer, valid during the call. A refusal
   or silence ends the session with its words; but a refusal with err_code EXPECTED (0: none) is
   given as an absent value. */
void session_api(struct session *session, const char *name, slice json, unsigned expected,
                 void (*on_answer)(void *self, json_value answer), void *self);

#endif
