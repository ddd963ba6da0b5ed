/*
 * client_login.c - who a client is: judging its CONNECT, on the loop or off it.
 *
 *     CONNECT --cheap--> judged at once ------------------------> OPEN, or closed
 *        '------bcrypt--> held, waits for the shard's worker ----'
 *
 * Slow logins are judged by a worker of the shard's (bus/auth_job.h); the client is held
 * meanwhile, and its deadline runs on: who finds the line full could not be judged before it, and
 * is told at once. All other logins cost less than the connection they come by, and are judged at
 * once, however many there are: when a node comes back, so do its ten thousand clients. The users
 * may be reloaded while a login is judged.
 */
#include "bus/auth_job.h"
#include "rooms/pubsub/client.h"

#include <errno.h>

/* --- the result --------------------------------------------------------------------------- */

/* Strangers can be refused thousands of times a second: the log tells of some, the counter of all.
 */
static void log_refusal(struct client *c, slice user) {
    struct pubsub_shard *room = c->room;
    metrics_count(room->shard->metrics, room->pubsub->metrics.auth_failures, 1);
    enum log_level level = LOG_LEVEL_DEBUG;
    if (room->refusals_told < PUBSUB_REFUSALS_TOLD_MAX) {
        room->refusals_told++;
        level = LOG_LEVEL_WARN;
    }
    logger_write(room->pubsub->node->logger, level, "nats", "login refused",
                 "cid=%llu peer=%s user=%.*s", (unsigned long long)c->id, io_stream_peer(c->below),
                 slice_fmt(user));
}

static void finish(struct client *c, const struct auth_login *login, int failed,
                   struct principal *principal) {
    if (failed) {
        log_refusal(c, login->user.len ? login->user : login->nkey);
        client_close(c, CLIENT_AUTH_FAILED, "Authorization Violation");
        return;
    }
    principal_unref(c->principal);
    c->principal = principal;
    c->unlimited = principal_unlimited(principal);
    c->stranger = false;
    c->responds = principal_describe(principal).may_respond;
    client_open(c);
}

/* --- off the loop ------------------------------------------------------------------------- */

static void decided(void *owner, const struct auth_login *login, int failed,
                    struct principal *principal) {
    struct client *c = owner;
    bool fine = !failed && principal_still_in(principal, c->room->auth);
    c->login = NULL;
    if (c->state != CLIENT_CLOSING)
        finish(c, login, fine ? 0 : -EACCES, fine ? principal_ref(principal) : NULL);
    client_go_on(c);
}

static void judge_slowly(struct client *c, const struct auth_login *login) {
    struct pubsub_shard *room = c->room;
    struct auth_question question = {
        .auth = room->auth, .login = login, .decided = decided, .owner = c};
    int failed = auth_worker_submit(room->logins, &question, &c->login);
    if (failed == -EAGAIN) {
        log_refusal(c, login->user);
        client_close(c, CLIENT_AUTH_TIMEOUT, "Authentication Timeout");
    } else if (failed) {
        client_close(c, CLIENT_NO_MEMORY, NULL);
    } else {
        client_hold(c);
    }
}

/* --- on the loop -------------------------------------------------------------------------- */

void client_log_in(struct client *c, const struct auth_login *login) {
    struct pubsub_shard *room = c->room;
    struct principal *principal = NULL;
    if (auth_is_slow(room->auth, login)) {
        judge_slowly(c, login);
        return;
    }
    int failed = auth_check(room->auth, login, &principal);
    finish(c, login, failed, principal);
}

void client_login_skip(struct client *c) {
    if (c->login)
        auth_job_skip(c->login);
}

void client_login_forget(struct client *c) {
    if (c->login)
        auth_job_forget(c->login);
    c->login = NULL;
}
