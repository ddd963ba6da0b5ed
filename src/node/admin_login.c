/*
 * admin_login.c - users who log in to the admin listener, bcrypt off the loop.
 *
 * What costs nothing is judged at once, a bcrypt hash by bus/auth_job.h; who comes when its line is
 * full is told to try again. The request may go away, and the users may be reloaded, meanwhile.
 */
#include "base/mem.h"
#include "bus/auth_job.h"
#include "node/parts.h"

#include <errno.h>

#define LOGINS_WAITING_MAX 16u

struct admin_logins {
    struct node *node;
    struct auth_worker *worker;
    struct list waits;
};

/* A request that waits for its user to be judged. */
struct login_wait {
    struct list_node node;
    struct admin_logins *logins;
    struct http_login *login;
    struct auth_job *job;
};

static void wait_free(struct login_wait *wait) {
    list_remove(&wait->node);
    mem_free(wait);
}

static void decided(void *owner, const struct auth_login *asked, int failed,
                    struct principal *principal) {
    (void)asked;
    struct login_wait *wait = owner;
    struct http_login *login = wait->login;
    if (!failed && !principal_still_in(principal, wait->logins->node->room.auth))
        failed = -EACCES;
    wait_free(wait);
    http_login_decide(login, failed);
}

static int judge_later(struct admin_logins *logins, const struct auth_login *asked,
                       struct http_login *login) {
    struct login_wait *wait = mem_zalloc(1, sizeof *wait);
    if (!wait)
        return -ENOMEM;
    wait->logins = logins;
    wait->login = login;
    struct auth_question question = {
        .auth = logins->node->room.auth, .login = asked, .decided = decided, .owner = wait};
    int failed = auth_worker_submit(logins->worker, &question, &wait->job);
    if (failed) {
        mem_free(wait);
        return failed;
    }
    list_push_back(&logins->waits, &wait->node);
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
    list_each(&logins->waits, at, following) {
        struct login_wait *wait = container_of(at, struct login_wait, node);
        if (wait->login != login)
            continue;
        auth_job_forget(wait->job);
        wait_free(wait);
    }
}

int admin_logins_open(struct node *node, struct admin_logins **ret_logins) {
    struct auth_worker_options options = {.loop = io_group_loop(node->room.group, 0),
                                          .thread = "nonet-admin",
                                          .waiting_max = LOGINS_WAITING_MAX};
    struct admin_logins *logins = mem_zalloc(1, sizeof *logins);
    if (!logins)
        return -ENOMEM;
    logins->node = node;
    list_init(&logins->waits);
    int failed = auth_worker_new(&options, &logins->worker);
    if (failed)
        mem_free(logins);
    else
        *ret_logins = logins;
    return failed;
}

struct admin_logins *admin_logins_free(struct admin_logins *logins) {
    if (!logins)
        return NULL;
    auth_worker_free(logins->worker);
    check(list_empty(&logins->waits));
    return mem_free(logins);
}
