/*
 * worker.c - a thread that runs jobs one after the other (file.h).
 *
 *     io_worker_submit -> waiting -> run, on the thread -> ended -> done, on the loop
 *
 * Two singly linked lists under one mutex. The thread is signalled only where it sleeps, the loop
 * is woken only by the first job of a list it has not taken yet, so that under load neither side
 * makes a system call for each job.
 */
#include "base/list.h"
#include "base/mem.h"
#include "io/file.h"
#include "io/uv_loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

struct jobs {
    struct io_job *first, *last;
};

struct io_worker {
    struct list_node node; /* in the loop's workers */
    struct io_loop *loop;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t work;
    struct jobs waiting; /* under the mutex */
    struct jobs ended;   /* under the mutex */
    unsigned waiting_count;
    bool sleeping;
    bool ending;
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

/* Waits for a job. NULL: the worker ends and nothing is left to do. Called with the mutex. */
static struct io_job *next_job(struct io_worker *worker) {
    while (!worker->waiting.first && !worker->ending) {
        worker->sleeping = true;
        pthread_cond_wait(&worker->work, &worker->mutex);
        worker->sleeping = false;
    }
    struct io_job *job = pop(&worker->waiting);
    if (job)
        worker->waiting_count--;
    return job;
}

static void *work(void *argument) {
    struct io_worker *worker = argument;
    pthread_setname_np(pthread_self(), worker->name);
    pthread_mutex_lock(&worker->mutex);
    struct io_job *job;
    while ((job = next_job(worker))) {
        pthread_mutex_unlock(&worker->mutex);
        job->run(job);
        pthread_mutex_lock(&worker->mutex);
        bool first = worker->ended.first == NULL;
        push(&worker->ended, job);
        if (first) {
            pthread_mutex_unlock(&worker->mutex);
            io_loop_attend(worker->loop, IO_ATTENTION_WORKER);
            pthread_mutex_lock(&worker->mutex);
        }
    }
    pthread_mutex_unlock(&worker->mutex);
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
    pthread_cond_init(&worker->work, NULL);
    int failed = -pthread_create(&worker->thread, NULL, work, worker);
    if (failed) {
        pthread_cond_destroy(&worker->work);
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
    bool sleeping = worker->sleeping;
    if (room) {
        push(&worker->waiting, job);
        worker->waiting_count++;
        worker->sleeping = false; /* one signal is enough */
    }
    pthread_mutex_unlock(&worker->mutex);
    if (room && sleeping)
        pthread_cond_signal(&worker->work);
    return room ? 0 : -EAGAIN;
}

struct io_worker *io_worker_free(struct io_worker *worker) {
    if (!worker)
        return NULL;
    check(!worker->delivering); /* not from a job's own done */
    pthread_mutex_lock(&worker->mutex);
    worker->ending = true;
    pthread_cond_signal(&worker->work);
    pthread_mutex_unlock(&worker->mutex);
    pthread_join(worker->thread, NULL);
    deliver(worker);
    list_remove(&worker->node);
    pthread_cond_destroy(&worker->work);
    pthread_mutex_destroy(&worker->mutex);
    return mem_free(worker);
}
