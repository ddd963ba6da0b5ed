/*
 * admin_login.c - users who log in to the admin listener, bcrypt off the loop.
 *
 * As with NATS clients (rooms/pubsub/client_login.c): what costs nothing is judged at once, a
 * bcrypt hash on a thread of its own, made by the first login that needs it. The line in front of
 * it is short; who comes when it is full is told to try again. A job holds copies of what it needs:
 * the request may go away, and the users may be reloaded, while it runs.
 */
#include "base/mem.h"
#include "io/file.h"
#include "node/parts.h"

#include <errno.h>

#define LOGINS_WAITING_MAX 16u

struct admin_logins {
    struct node *node;
    struct io_worker *worker; /* NULL until a login needs it */
    struct list jobs;
    unsigned waiting;
};

struct login_job {
    struct io_job job;
    struct list_node node;
    struct admin_logins *logins;
    struct http_login *login; /* NULL: the request has gone */
    struct auth *auth;
    struct auth_login asked; /* slices into text */
    struct principal *principal;
    int failed;
    _Atomic(bool) unwanted; /* the same for the thread */
    char text[];
};

static void run(struct io_job *job) {
    struct login_job *login = container_of(job, struct login_job, job);
    login->failed = atomic_load(&login->unwanted)
                        ? -ECANCELED
                        : auth_check(login->auth, &login->asked, &login->principal);
}

static void job_free(struct login_job *login) {
    auth_unref(login->auth);
    explicit_bzero(login->text, login->asked.password.len);
    mem_free(login);
}

static void done(struct io_job *job) {
    struct login_job *login = container_of(job, struct login_job, job);
    struct admin_logins *logins = login->logins;
    int result = login->failed;
    if (!result && !principal_still_in(login->principal, logins->node->room.auth))
        result = -EACCES;
    principal_unref(login->principal);
    list_remove(&login->node);
    logins->waiting--;
    if (login->login)
        http_login_decide(login->login, result);
    job_free(login);
}

/* The password first, so that it is easily wiped. */
static struct login_job *job_new(struct admin_logins *logins, const struct auth_login *asked) {
    struct login_job *login = mem_zalloc(1, sizeof *login + asked->password.len + asked->user.len);
    if (!login)
        return NULL;
    char *user = login->text + asked->password.len;
    memcpy(login->text, asked->password.ptr, asked->password.len);
    memcpy(user, asked->user.ptr, asked->user.len);
    login->asked.password = slice_make(login->text, asked->password.len);
    login->asked.user = slice_make(user, asked->user.len);
    login->job = (struct io_job){.run = run, .done = done};
    login->logins = logins;
    login->auth = auth_ref(logins->node->room.auth);
    return login;
}

static int judge_later(struct admin_logins *logins, const struct auth_login *asked,
                       struct http_login *login) {
    if (logins->waiting == LOGINS_WAITING_MAX)
        return -EAGAIN;
    int failed = logins->worker ? 0
                                : io_worker_create(logins->node->shards[0].room.loop, "nonet-admin",
                                                   &logins->worker);
    struct login_job *job = failed ? NULL : job_new(logins, asked);
    if (!job)
        return -ENOMEM;
    if (io_worker_submit(logins->worker, &job->job)) {
        job_free(job);
        return -EAGAIN;
    }
    job->login = login;
    list_push_back(&logins->jobs, &job->node);
    logins->waiting++;
    return -EINPROGRESS;
}

int admin_check_user(void *owner, slice user, slice password, struct http_login *login) {
    struct admin_logins *logins = owner;
    struct auth *auth = logins->node->room.auth;
    struct auth_login asked = {.user = user, .password = password};
    struct principal *principal = NULL;
    if (!auth_required(auth))
        return -EACCES;
    if (auth_is_slow(auth, &asked))
        return judge_later(logins, &asked, login);
    int failed = auth_check(auth, &asked, &principal);
    principal_unref(principal);
    return failed;
}

void admin_forget_user(void *owner, struct http_login *login) {
    struct admin_logins *logins = owner;
    struct list_node *at, *following;
    list_each(&logins->jobs, at, following) {
        struct login_job *job = container_of(at, struct login_job, node);
        if (job->login != login)
            continue;
        job->login = NULL;
        atomic_store(&job->unwanted, true);
    }
}

int admin_logins_open(struct node *node, struct admin_logins **ret_logins) {
    struct admin_logins *logins = mem_zalloc(1, sizeof *logins);
    if (!logins)
        return -ENOMEM;
    logins->node = node;
    list_init(&logins->jobs);
    *ret_logins = logins;
    return 0;
}

struct admin_logins *admin_logins_free(struct admin_logins *logins) {
    if (!logins)
        return NULL;
    io_worker_free(logins->worker);
    check(list_empty(&logins->jobs));
    return mem_free(logins);
}
