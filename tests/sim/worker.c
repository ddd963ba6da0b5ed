/*
 * worker.c - worker "threads": jobs one after the other on a fiber, done() on the loop.
 *
 * A file call inside a job schedules its own end and steps aside; the loop goes on with others, and
 * the event resumes it. Threads would do the same twenty times slower and not repeatably.
 * A job starts a little after it was submitted; each file call inside it takes virtual time
 * (sim_worker_pause). Freeing a worker runs what is left at once, without letting time pass.
 */
#include "core.h"

#include <errno.h>

struct io_worker {
    struct list_node node; /* in its loop's workers */
    struct sim *sim;
    struct io_loop *loop;
    struct io_fiber *fiber;
    struct sim_event wake;
    struct io_job *waiting, **waiting_end, *done, **done_end;
    unsigned waiting_count;
    bool idle, hurried, quit, delivering;
};

static struct io_worker *worker_of_event(struct sim_event *event) {
    return container_of(event, struct io_worker, wake);
}

/* From the main stack. */
static void resume(struct io_worker *worker) {
    check(!worker->sim->working);
    worker->sim->working = worker;
    (void)io_fiber_resume(worker->fiber);
    worker->sim->working = NULL;
}

static void wake(struct sim_event *event) {
    resume(worker_of_event(event));
}

static void take_jobs(void *self) {
    struct io_worker *worker = self;
    worker->idle = false;
    for (;;) {
        struct io_job *job = worker->waiting;
        if (!job) {
            if (worker->quit)
                return;
            worker->idle = true;
            io_fiber_yield(worker->fiber);
            worker->idle = false;
            continue;
        }
        worker->waiting = job->next;
        if (!worker->waiting)
            worker->waiting_end = &worker->waiting;
        worker->waiting_count--;
        job->next = NULL;
        job->run(job);
        *worker->done_end = job;
        worker->done_end = &job->next;
        sim_loop_poke(worker->loop, worker->sim->now_ns);
    }
}

int io_worker_create(struct io_loop *loop, const char *name, struct io_worker **ret) {
    struct sim *sim = io_loop_host(loop)->sim;
    (void)name; /* threads have names for debuggers; here there is no thread */
    int failed = sim_fault(sim, -EAGAIN);
    if (failed)
        return failed;
    struct io_worker *worker = mem_zalloc(1, sizeof(*worker));
    if (!worker || io_fiber_create(&sim->stacks, take_jobs, worker, &worker->fiber) < 0) {
        mem_free(worker);
        return -ENOMEM;
    }
    worker->sim = sim;
    worker->loop = loop;
    worker->waiting_end = &worker->waiting;
    worker->done_end = &worker->done;
    worker->idle = true;
    worker->wake = sim_event_make(sim, SIM_JOB, wake);
    list_push_back(sim_loop_workers(loop), &worker->node);
    sim->handles++;
    *ret = worker;
    return 0;
}

int io_worker_submit(struct io_worker *worker, struct io_job *job) {
    int failed = sim_fault(worker->sim, -EAGAIN);
    if (failed)
        return failed;
    if (worker->waiting_count >= IO_WORKER_JOBS_MAX)
        return -EAGAIN;
    job->next = NULL;
    *worker->waiting_end = job;
    worker->waiting_end = &job->next;
    worker->waiting_count++;
    if (worker->idle && !worker->wake.queued)
        sim_schedule(worker->sim, &worker->wake,
                     worker->sim->now_ns + sim_below(worker->sim, 20000));
    return 0;
}

void sim_worker_pause(struct sim *sim, uint64_t span_ns) {
    struct io_worker *worker = sim->working;
    if (!worker || worker->hurried)
        return;
    sim_schedule(sim, &worker->wake, sim->now_ns + span_ns);
    io_fiber_yield(worker->fiber);
}

static void finish_one(struct io_worker *worker) {
    struct io_job *job = worker->done;
    worker->done = job->next;
    if (!worker->done)
        worker->done_end = &worker->done;
    job->next = NULL;
    worker->delivering = true;
    job->done(job);
    worker->delivering = false;
}

/* A done() may make and free other workers, so the walk starts anew after each. */
void sim_workers_finish(struct io_loop *loop) {
    struct list *workers = sim_loop_workers(loop);
    for (struct list_node *n = list_first(workers); n;) {
        struct io_worker *worker = container_of(n, struct io_worker, node);
        if (worker->done) {
            finish_one(worker);
            n = list_first(workers);
        } else {
            n = list_next(workers, n);
        }
    }
}

struct io_worker *io_worker_free(struct io_worker *worker) {
    if (!worker)
        return NULL;
    struct sim *sim = worker->sim;
    check(!sim->working && !worker->delivering); /* not from a job's own done */
    worker->hurried = true;
    do {
        sim_unschedule(sim, &worker->wake);
        if (worker->waiting || !worker->idle)
            resume(worker);
        while (worker->done)
            finish_one(worker);
    } while (worker->waiting || worker->done);
    worker->quit = true;
    sim_unschedule(sim, &worker->wake);
    resume(worker);
    io_fiber_free(worker->fiber);
    list_remove(&worker->node);
    sim->handles--;
    mem_free(worker);
    return NULL;
}
