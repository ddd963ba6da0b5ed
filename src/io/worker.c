/*
 * worker.c - a thread that runs jobs one after the other (file.h).
 *
 *     io_worker_submit -> waiting -> run, on the thread -> ended -> done, on the loop
 *
 * Two singly linked lists under one mutex, which is held for a few instructions only: the thread
 * sleeps on a semaphore that counts what waits, so it is not woken into a lock. A post costs a
 * system call only where the thread sleeps, the loop is woken only by the first job of a list it
 * has not taken yet, so that under load neither side makes one for each job.
 */
#include "base/list.h"
#include "base/mem.h"
#include "io/file.h"
#include "io/uv_loop.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>

struct jobs {
    struct io_job *first, *last;
};

struct io_worker {
    struct list_node node; /* in the loop's workers */
    struct io_loop *loop;
    pthread_t thread;
    pthread_mutex_t mutex;
    sem_t work;          /* one for each waiting job, and one for the end */
    struct jobs waiting; /* under the mutex */
    struct jobs ended;   /* under the mutex */
    unsigned waiting_count;
    bool ending;     /* the loop's: takes no more jobs */
    bool delivering; /* the loop's: done callbacks are running */
    char name[16];
};

static void push(struct jobs *jobs, struct io_job *job) {
    job->next = NULL;
    if (jobs->last)
        jobs->last->next = job;
    else
        jobs->first = job;
    jobs->last = job;
}

static struct io_job *pop(struct jobs *jobs) {
    struct io_job *job = jobs->first;
    if (job) {
        jobs->first = job->next;
        if (!jobs->first)
            jobs->last = NULL;
    }
    return job;
}

/* Waits for a job. NULL: the worker ends, and all jobs before that are done. */
static struct io_job *next_job(struct io_worker *worker) {
    while (sem_wait(&worker->work) != 0)
        check(errno == EINTR);
    pthread_mutex_lock(&worker->mutex);
    struct io_job *job = pop(&worker->waiting);
    if (job)
        worker->waiting_count--;
    pthread_mutex_unlock(&worker->mutex);
    return job;
}

static void *work(void *argument) {
    struct io_worker *worker = argument;
    pthread_setname_np(pthread_self(), worker->name);
    struct io_job *job;
    while ((job = next_job(worker))) {
        job->run(job);
        pthread_mutex_lock(&worker->mutex);
        bool first = worker->ended.first == NULL;
        push(&worker->ended, job);
        pthread_mutex_unlock(&worker->mutex);
        if (first)
            io_loop_attend(worker->loop, IO_ATTENTION_WORKER);
    }
    return NULL;
}

static void deliver(struct io_worker *worker) {
    pthread_mutex_lock(&worker->mutex);
    struct jobs ended = worker->ended;
    worker->ended = (struct jobs){0};
    pthread_mutex_unlock(&worker->mutex);
    worker->delivering = true;
    struct io_job *job;
    while ((job = pop(&ended)))
        job->done(job);
    worker->delivering = false;
}

/* The following worker is looked up after the callbacks, which may make and free others. */
void io_workers_attend(struct io_loop *loop) {
    struct list_node *node = list_first(&loop->workers);
    while (node) {
        deliver(container_of(node, struct io_worker, node));
        node = list_next(&loop->workers, node);
    }
}

int io_worker_create(struct io_loop *loop, const char *name, struct io_worker **ret) {
    struct io_worker *worker = mem_zalloc(1, sizeof *worker);
    if (!worker)
        return -ENOMEM;
    worker->loop = loop;
    snprintf(worker->name, sizeof worker->name, "%s", name);
    pthread_mutex_init(&worker->mutex, NULL);
    check(sem_init(&worker->work, 0, 0) == 0);
    int failed = -pthread_create(&worker->thread, NULL, work, worker);
    if (failed) {
        sem_destroy(&worker->work);
        pthread_mutex_destroy(&worker->mutex);
        mem_free(worker);
        return failed;
    }
    list_push_back(&loop->workers, &worker->node);
    *ret = worker;
    return 0;
}

int io_worker_submit(struct io_worker *worker, struct io_job *job) {
    pthread_mutex_lock(&worker->mutex);
    bool room = worker->waiting_count < IO_WORKER_JOBS_MAX && !worker->ending;
    if (room) {
        push(&worker->waiting, job);
        worker->waiting_count++;
    }
    pthread_mutex_unlock(&worker->mutex);
    if (!room)
        return -EAGAIN;
    check(sem_post(&worker->work) == 0);
    return 0;
}

struct io_worker *io_worker_free(struct io_worker *worker) {
    if (!worker)
        return NULL;
    check(!worker->delivering); /* not from a job's own done */
    worker->ending = true;
    check(sem_post(&worker->work) == 0);
    pthread_join(worker->thread, NULL);
    deliver(worker);
    list_remove(&worker->node);
    sem_destroy(&worker->work);
    pthread_mutex_destroy(&worker->mutex);
    return mem_free(worker);
}
