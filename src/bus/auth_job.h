/*
 * auth_job.h - logins judged off the loop: a thread, and the short line in front of it.
 *
 *     auth_worker_submit --line--> thread: auth_check --> loop: decided(owner, ...)
 *                                      '-- auth_job_forget: decided never comes
 *
 * A bcrypt hash costs tens of milliseconds on purpose (auth_is_slow), and a stranger can ask for
 * one with each connection or request. So it is computed on a thread of its own, made by the first
 * login that needs it. The line is short: who would have to wait for long is better told at once. A
 * job holds copies of what it needs, so that whoever asked may go away, and the users may be
 * reloaded, while it runs. What is skipped or forgotten before its turn is not computed.
 *
 * BOUNDS: jobs in line, and how many of them are of one stranger.
 */
#ifndef NONET_BUS_AUTH_JOB_H
#define NONET_BUS_AUTH_JOB_H

#include "bus/auth.h"
#include "io/loop.h"

struct auth_worker; /* one loop's */
struct auth_job;

struct auth_worker_options {
    struct io_loop *loop;
    const char *thread; /* its name; static */
    unsigned waiting_max;
    unsigned waiting_of_one_max; /* with the same WHO; 0: all */
};
must_use int auth_worker_new(const struct auth_worker_options *options,
                             struct auth_worker **ret_worker); /* 0 or -ENOMEM */
/* All jobs are forgotten, or decided in this call. NULL allowed, returns NULL. */
struct auth_worker *auth_worker_free(struct auth_worker *worker);

struct auth_question {
    struct auth *auth;              /* counted by the job */
    const struct auth_login *login; /* copied: user, password, token, nkey */
    uint64_t who;                   /* asks; 0: nobody in particular */
    /* On the loop. FAILED as of auth_check; PRINCIPAL is the job's, NULL where it failed. Whether
       he is still in what is in force by now is for the callee to ask. */
    void (*decided)(void *owner, const struct auth_login *login, int failed,
                    struct principal *principal);
    void *owner;
};
/* 0; -EAGAIN: the line is full; -ENOMEM. Decided is not called from inside. */
must_use int auth_worker_submit(struct auth_worker *worker, const struct auth_question *question,
                                struct auth_job **ret_job);
/* It need not be judged: where it has not begun, decided comes with -ECANCELED. */
void auth_job_skip(struct auth_job *job);
/* The same, and decided never comes. Not after decided has begun. */
void auth_job_forget(struct auth_job *job);

#endif
