#include "stage.h"

#include "io/file.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define JOBS 20000

struct job {
    struct io_job job;
    struct shift *shift;
    unsigned number;
};

struct shift {
    struct stage *stage;
    struct io_worker *worker;
    pthread_t loop_thread;
    struct job jobs[JOBS];
    unsigned submitted, ran, done;
    _Atomic(bool) hold;
    uint64_t began_ns;
    struct io_task end;
};

static void run(struct io_job *job) {
    struct job *own = container_of(job, struct job, job);
    check(!pthread_equal(pthread_self(), own->shift->loop_thread));
    while (atomic_load(&own->shift->hold))
        ;
    check(own->shift->ran++ == own->number); /* one after the other, so no lock is needed */
}

static void free_worker(struct io_task *task) {
    struct shift *shift = container_of(task, struct shift, end);
    shift->worker = io_worker_free(shift->worker);
    stage_end(shift->stage);
}

static void submit_more(struct shift *shift);

static void done(struct io_job *job) {
    struct job *own = container_of(job, struct job, job);
    struct shift *shift = own->shift;
    assert_true(pthread_equal(pthread_self(), shift->loop_thread));
    assert_int_equal(own->number, shift->done);
    if (++shift->done == JOBS) {
        shift->end.run = free_worker;
        io_defer(shift->stage->loop, &shift->end);
    } else {
        submit_more(shift);
    }
}

static void submit_more(struct shift *shift) {
    while (shift->submitted < JOBS) {
        struct job *job = &shift->jobs[shift->submitted];
        *job = (struct job){
            .job = {.run = run, .done = done}, .shift = shift, .number = shift->submitted};
        int failed = io_worker_submit(shift->worker, &job->job);
        if (failed == -EAGAIN)
            return;
        assert_int_equal(failed, 0);
        shift->submitted++;
    }
}

static void shift_begin(struct stage *stage) {
    struct shift *shift = stage->state;
    shift->stage = stage;
    shift->loop_thread = pthread_self();
    assert_int_equal(io_worker_create(stage->loop, "tests", &shift->worker), 0);
    atomic_store(&shift->hold, true);
    submit_more(shift);
    /* One may be running already; the others wait, and there is a bound to that. */
    assert_true(shift->submitted == IO_WORKER_JOBS_MAX ||
                shift->submitted == IO_WORKER_JOBS_MAX + 1);
    atomic_store(&shift->hold, false);
}

static void jobs_run_and_end_in_order(void **state) {
    (void)state;
    struct stage stage;
    struct shift *shift = calloc(1, sizeof *shift);
    stage_play(&stage, 1, shift_begin, shift);
    assert_int_equal(shift->ran, JOBS);
    assert_int_equal(shift->done, JOBS);
    free(shift);
}

static void count_done(struct io_job *job) {
    container_of(job, struct job, job)->shift->done++;
}

static void free_begin(struct stage *stage) {
    struct shift *shift = stage->state;
    shift->stage = stage;
    shift->loop_thread = pthread_self();
    assert_int_equal(io_worker_create(stage->loop, "tests", &shift->worker), 0);
    for (unsigned i = 0; i < 100; i++) {
        shift->jobs[i] =
            (struct job){.job = {.run = run, .done = count_done}, .shift = shift, .number = i};
        assert_int_equal(io_worker_submit(shift->worker, &shift->jobs[i].job), 0);
    }
    assert_null(io_worker_free(shift->worker));
    assert_int_equal(shift->done, 100);
    assert_null(io_worker_free(NULL));
    stage_end(stage);
}

static void free_waits_for_the_jobs_at_hand(void **state) {
    (void)state;
    struct stage stage;
    struct shift *shift = calloc(1, sizeof *shift);
    stage_play(&stage, 1, free_begin, shift);
    free(shift);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_run_and_end_in_order),
        cmocka_unit_test(free_waits_for_the_jobs_at_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
