/*
 * client_login.c - who a client is: judging its CONNECT, on the loop or off it.
 *
 *     CONNECT --cheap--> judged at once ------------------------> OPEN, or closed
 *        '------bcrypt--> held, waits for the shard's worker ----'
 *
 * A bcrypt hash costs tens of milliseconds on purpose, and a stranger can ask for one with each
 * connection. So it is computed on a thread of its own, one a shard, made by the first login that
 * needs it; the client is held meanwhile, and its deadline runs on. The line in front of the worker
 * is short: who could not be judged before the deadline is better told at once. All other logins
 * cost less than the connection they come by, and are judged at once, however many there are: when
 * a node comes back, so do its ten thousand clients.
 *
 * A job holds copies of what it needs and the client's id: the client may go away, and the users
 * may be reloaded, while it runs.
 */
#include "base/mem.h"
#include "rooms/pubsub/client.h"

#include <errno.h>

#define LOGINS_WAITING_MAX 32u

struct login_job {
    struct io_job job;
    struct pubsub_shard *room;
    uint64_t client_id;
    struct auth *auth;
    struct auth_login login; /* slices into text */
    struct principal *principal;
    int failed;
    _Atomic(bool) unwanted; /* the client has gone */
    char text[];
};

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

static void run(struct io_job *job) {
    struct login_job *login = container_of(job, struct login_job, job);
    login->failed = atomic_load(&login->unwanted)
                        ? -ECANCELED
                        : auth_check(login->auth, &login->login, &login->principal);
}

static void job_free(struct login_job *login) {
    auth_unref(login->auth);
    explicit_bzero(login->text, login->login.password.len + login->login.token.len);
    mem_free(login);
}

static void done(struct io_job *job) {
    struct login_job *login = container_of(job, struct login_job, job);
    struct pubsub_shard *room = login->room;
    struct client *c = map64_find(&room->by_id, login->client_id);
    room->logins_waiting--;
    bool fine = !login->failed && principal_still_in(login->principal, room->auth);
    if (c)
        c->login = NULL;
    if (c && c->state != CLIENT_CLOSING)
        finish(c, &login->login, fine ? 0 : -EACCES, fine ? principal_ref(login->principal) : NULL);
    principal_unref(login->principal);
    job_free(login);
    if (c)
        client_go_on(c);
}

static slice put(char **at, slice text) {
    slice copy = slice_make(*at, text.len);
    if (text.len)
        memcpy(*at, text.ptr, text.len);
    *at += text.len;
    return copy;
}

/* Secrets first, so that they are easily wiped. */
static struct login_job *job_new(struct client *c, const struct auth_login *from) {
    size_t size = from->password.len + from->token.len + from->user.len + from->nkey.len;
    struct login_job *login = mem_zalloc(1, sizeof *login + size);
    if (!login)
        return NULL;
    char *at = login->text;
    login->job.run = run;
    login->job.done = done;
    login->room = c->room;
    login->client_id = c->id;
    login->auth = auth_ref(c->room->auth);
    login->login.password = put(&at, from->password);
    login->login.token = put(&at, from->token);
    login->login.user = put(&at, from->user);
    login->login.nkey = put(&at, from->nkey);
    return login;
}

static bool has_worker(struct pubsub_shard *room) {
    return room->login_worker ||
           io_worker_create(room->shard->loop, "nonet-login", &room->login_worker) == 0;
}

static void judge_slowly(struct client *c, const struct auth_login *from) {
    struct pubsub_shard *room = c->room;
    if (room->logins_waiting >= LOGINS_WAITING_MAX) {
        log_refusal(c, from->user);
        client_close(c, CLIENT_AUTH_TIMEOUT, "Authentication Timeout");
        return;
    }
    struct login_job *login = has_worker(room) ? job_new(c, from) : NULL;
    if (!login || io_worker_submit(room->login_worker, &login->job)) {
        if (login)
            job_free(login);
        client_close(c, CLIENT_NO_MEMORY, NULL);
        return;
    }
    room->logins_waiting++;
    c->login = login;
    client_hold(c);
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

void client_login_forget(struct client *c) {
    if (c->login)
        atomic_store(&c->login->unwanted, true);
}
