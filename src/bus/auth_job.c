/*
 * auth_job.c - a job's way to the worker's thread and back (auth_job.h).
 *
 * The thread reads a job's question and writes its answer; all else is the loop's. The one word
 * that both of them share while it waits is `skipped`. Secrets stand first in a job's text, and
 * are wiped with it.
 */
#include "bus/auth_job.h"

#include "base/list.h"
#include "base/mem.h"
#include "io/file.h"

#include <errno.h>
#include <stdatomic.h>

struct auth_worker {
    struct auth_worker_options options;
    struct io_worker *thread; /* NULL until a login needs it */
    struct list jobs;
    unsigned waiting;
};

struct auth_job {
    struct io_job job;
    struct list_node node;
    struct auth_worker *worker;
    struct auth_question question; /* its login is the one below */
    struct auth_login login;       /* slices into text */
    struct principal *principal;
    int failed;
    bool forgotten;
    _Atomic(bool) skipped;
    char text[];
};

static void run(struct io_job *io_job) {
    struct auth_job *job = container_of(io_job, struct auth_job, job);
    job->failed = atomic_load(&job->skipped)
                      ? -ECANCELED
                      : auth_check(job->question.auth, &job->login, &job->principal);
}

static void job_free(struct auth_job *job) {
    principal_unref(job->principal);
    auth_unref(job->question.auth);
    explicit_bzero(job->text, job->login.password.len + job->login.token.len);
    mem_free(job);
}

static void done(struct io_job *io_job) {
    struct auth_job *job = container_of(io_job, struct auth_job, job);
    list_remove(&job->node);
    job->worker->waiting--;
    if (!job->forgotten)
        job->question.decided(job->question.owner, &job->login, job->failed, job->principal);
    job_free(job);
}

static struct auth_job *job_new(struct auth_worker *worker, const struct auth_question *question) {
    const struct auth_login *from = question->login;
    size_t size = from->password.len + from->token.len + from->user.len + from->nkey.len;
    struct auth_job *job = mem_zalloc(1, sizeof *job + size);
    if (!job)
        return NULL;
    char *at = job->text;
    job->job = (struct io_job){.run = run, .done = done};
    job->worker = worker;
    job->question = *question;
    job->question.login = &job->login;
    job->question.auth = auth_ref(question->auth);
    job->login.password = slice_store(&at, from->password);
    job->login.token = slice_store(&at, from->token);
    job->login.user = slice_store(&at, from->user);
    job->login.nkey = slice_store(&at, from->nkey);
    list_node_init(&job->node);
    return job;
}

static bool is_full(const struct auth_worker *worker, uint64_t who) {
    unsigned of_one = 0, max = worker->options.waiting_of_one_max;
    struct list_node *node, *following;
    if (worker->waiting == worker->options.waiting_max)
        return true;
    if (max == 0 || who == 0)
        return false;
    list_each(&worker->jobs, node, following) of_one +=
        container_of(node, struct auth_job, node)->question.who == who;
    return of_one >= max;
}

int auth_worker_submit(struct auth_worker *worker, const struct auth_question *question,
                       struct auth_job **ret_job) {
    if (is_full(worker, question->who))
        return -EAGAIN;
    if (!worker->thread &&
        io_worker_create(worker->options.loop, worker->options.thread, &worker->thread))
        return -ENOMEM;
    struct auth_job *job = job_new(worker, question);
    if (!job)
        return -ENOMEM;
    if (io_worker_submit(worker->thread, &job->job)) {
        job_free(job);
        return -EAGAIN;
    }
    list_push_back(&worker->jobs, &job->node);
    worker->waiting++;
    *ret_job = job;
    return 0;
}

void auth_job_skip(struct auth_job *job) {
    atomic_store(&job->skipped, true);
}

void auth_job_forget(struct auth_job *job) {
    auth_job_skip(job);
    job->forgotten = true;
}

int auth_worker_new(const struct auth_worker_options *options, struct auth_worker **ret_worker) {
    struct auth_worker *worker = mem_zalloc(1, sizeof *worker);
    if (!worker)
        return -ENOMEM;
    worker->options = *options;
    list_init(&worker->jobs);
    *ret_worker = worker;
    return 0;
}

struct auth_worker *auth_worker_free(struct auth_worker *worker) {
    if (!worker)
        return NULL;
    io_worker_free(worker->thread); /* done runs for each job */
    check(list_empty(&worker->jobs));
    return mem_free(worker);
}
