#include "stage.h"

#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- the order of a turn ---------------------------------------------------------------------- */

struct order {
    struct stage *stage;
    struct io_listener *listener;
    struct io_stream *stream;
    int raw;
    char seen[16];
    size_t count;
    struct io_timer timer;
    struct io_task task;
    _Atomic(bool) wanted, handed_over;
    struct io_timer sender;
};

static void see(struct order *order, char what) {
    order->seen[order->count++] = what;
}

static void spin_until(struct stage *stage, uint64_t until_ns) {
    while (io_host_clock_ns(stage->host) < until_ns)
        ;
}

static void order_task(struct io_task *task) {
    see(container_of(task, struct order, task), 't');
}

static void order_timer(struct io_timer *timer) {
    struct order *order = container_of(timer, struct order, timer);
    see(order, 'i');
    io_defer(order->stage->loop, &order->task);
}

static void order_message(void *owner, unsigned from, uint32_t kind, slice body) {
    struct order *order = owner;
    assert_int_equal(from, 1);
    assert_int_equal(kind, 7);
    assert_true(slice_equal(body, slice_lit("hello")));
    see(order, 'm');
    io_defer(order->stage->loop, &order->task);
}

static void order_closed(void *owner, int reason) {
    struct order *order = owner;
    assert_int_equal(reason, 0);
    close(order->raw);
    io_listener_close(order->listener);
    stage_end(order->stage);
}

static void order_end(struct io_timer *timer) {
    struct order *order = container_of(timer, struct order, timer);
    io_stream_abort(order->stream);
}

/* In the last part of one turn: bytes on the socket, a message handed over and a timer that is
   due. The next turn finds them all. */
static void order_prepare(struct io_task *task) {
    struct order *order = container_of(task, struct order, task);
    struct stage *stage = order->stage;
    order->task.run = order_task;
    atomic_store(&order->wanted, true);
    while (!atomic_load(&order->handed_over))
        ;
    uint64_t now_ns = io_host_clock_ns(stage->host);
    io_timer_start(stage->loop, &order->timer, 0, order_timer);
    stage_raw_send(order->raw, "second", 6);
    spin_until(stage, now_ns + 5 * STAGE_MS);
}

static void order_bytes(void *owner, slice bytes) {
    struct order *order = owner;
    if (slice_equal(bytes, slice_lit("first")))
        order->task.run = order_prepare;
    else
        see(order, 's');
    io_defer(order->stage->loop, &order->task);
}

static void order_accept(void *owner, struct io_loop *loop, struct io_stream *stream) {
    static const struct io_stream_events events = {.on_bytes = order_bytes,
                                                   .on_close = order_closed};
    (void)loop;
    struct stage *stage = owner;
    struct order *order = stage->state;
    order->stream = stream;
    io_stream_set_events(stream, &events, order);
}

static bool order_seen_all(struct stage *stage) {
    return ((struct order *)stage->state)->count >= 4;
}

static void order_check(struct stage *stage) {
    struct order *order = stage->state;
    assert_memory_equal(order->seen, "smit", 4);
    io_timer_start(stage->loop, &order->timer, 0, order_end);
}

static void order_send(struct io_timer *timer) {
    struct order *order = container_of(timer, struct order, sender);
    struct io_loop *loop = io_group_loop(order->stage->group, 1);
    static bool sent;
    if (sent) {
        atomic_store(&order->handed_over, true);
        return;
    }
    if (atomic_load(&order->wanted)) {
        slice parts[] = {slice_lit("he"), slice_lit(""), slice_lit("llo")};
        check(io_send(loop, 0, 7, parts, 3) == 0);
        sent = true;
    }
    io_timer_start(loop, timer, STAGE_MS, order_send);
}

static void order_each(struct stage *stage, struct io_loop *loop) {
    struct order *order = stage->state;
    if (io_loop_index(loop) == 1) {
        io_timer_start(loop, &order->sender, STAGE_MS, order_send);
        return;
    }
    struct io_receiver receiver = {.on_message = order_message, .owner = order};
    io_loop_set_receiver(loop, &receiver);
}

static void order_begin(struct stage *stage) {
    struct order *order = stage->state;
    order->listener = stage_listen(stage, 1, order_accept);
    order->raw = stage_raw_connect(io_listener_address(order->listener));
    stage_raw_send(order->raw, "first", 5);
    stage_when(stage, order_seen_all, order_check);
}

static void a_turn_goes_sockets_messages_timers_tasks(void **state) {
    (void)state;
    struct stage stage;
    struct order order = {.stage = &stage};
    stage_play_each(&stage, 2, order_each, order_begin, &order);
}

/* --- timers ----------------------------------------------------------------------------------- */

#define TIMERS 500

struct alarm {
    struct io_timer timer;
    struct stage *stage;
    uint64_t due_ns;
};

struct alarms {
    struct alarm each[TIMERS];
    unsigned fired;
    uint64_t last_due_ms;
};

static void alarm_fires(struct io_timer *timer) {
    struct alarm *alarm = container_of(timer, struct alarm, timer);
    struct alarms *alarms = alarm->stage->state;
    assert_true(io_host_clock_ns(alarm->stage->host) >= alarm->due_ns);
    assert_true(io_loop_now_ns(alarm->stage->loop) >= alarm->due_ns);
    assert_false(io_timer_running(timer));
    if (++alarms->fired == TIMERS)
        stage_end(alarm->stage);
}

static void alarms_begin(struct stage *stage) {
    struct alarms *alarms = stage->state;
    for (unsigned i = 0; i < TIMERS; i++) {
        struct alarm *alarm = &alarms->each[i];
        uint64_t delay_ns = (uint64_t)((i * 7919) % 100) * STAGE_MS + i * 1009;
        alarm->stage = stage;
        alarm->due_ns = io_host_clock_ns(stage->host) + delay_ns;
        io_timer_start(stage->loop, &alarm->timer, delay_ns, alarm_fires);
        assert_true(io_timer_running(&alarm->timer));
    }
}

static void timers_are_never_early(void **state) {
    (void)state;
    struct stage stage;
    struct alarms *alarms = calloc(1, sizeof *alarms);
    stage_play(&stage, 1, alarms_begin, alarms);
    assert_int_equal(alarms->fired, TIMERS);
    free(alarms);
}

struct moved {
    struct stage *stage;
    struct io_timer moved, stopped, stopper;
    struct io_timer *freed;
    uint64_t due_ns;
};

static void never_fires(struct io_timer *timer) {
    (void)timer;
    fail_msg("a stopped timer fired");
}

static void freed_fires(struct io_timer *timer) {
    free(timer);
}

static void moved_fires(struct io_timer *timer) {
    struct moved *moved = container_of(timer, struct moved, moved);
    assert_true(io_host_clock_ns(moved->stage->host) >= moved->due_ns);
    assert_false(io_timer_running(&moved->stopped));
    stage_end(moved->stage);
}

static void stopper_fires(struct io_timer *timer) {
    struct moved *moved = container_of(timer, struct moved, stopper);
    io_timer_stop(moved->stage->loop, &moved->stopped);
    io_timer_stop(moved->stage->loop, timer); /* its own, which does not run: nothing happens */
    moved->due_ns = io_host_clock_ns(moved->stage->host) + 20 * STAGE_MS;
    io_timer_start(moved->stage->loop, &moved->moved, 20 * STAGE_MS, moved_fires);
}

static void moved_begin(struct stage *stage) {
    struct moved *moved = stage->state;
    moved->stage = stage;
    io_timer_stop(stage->loop, &moved->stopped); /* zeroed: a stopped one */
    assert_false(io_timer_running(&moved->stopped));
    moved->freed = calloc(1, sizeof *moved->freed);
    io_timer_start(stage->loop, moved->freed, STAGE_MS, freed_fires);
    io_timer_start(stage->loop, &moved->stopper, 2 * STAGE_MS, stopper_fires);
    io_timer_start(stage->loop, &moved->stopped, 3 * STAGE_MS, never_fires);
    io_timer_start(stage->loop, &moved->moved, 4 * STAGE_MS, never_fires);
    spin_until(stage, io_host_clock_ns(stage->host) + 10 * STAGE_MS); /* all due in one turn */
}

static void a_timer_may_stop_move_and_free_others_and_itself(void **state) {
    (void)state;
    struct stage stage;
    struct moved moved = {0};
    stage_play(&stage, 1, moved_begin, &moved);
}

static void far_fires(struct io_timer *timer) {
    (void)timer;
    fail_msg("centuries early");
}

static void far_begin(struct stage *stage) {
    struct io_timer *far = stage->state;
    io_timer_start(stage->loop, far, UINT64_MAX, far_fires);
    assert_true(io_timer_running(far));
    io_timer_stop(stage->loop, far);
    stage_end(stage);
}

static void the_longest_delay_does_not_wrap(void **state) {
    (void)state;
    struct stage stage;
    struct io_timer far = {0};
    stage_play(&stage, 1, far_begin, &far);
}

/* --- tasks ------------------------------------------------------------------------------------ */

struct tasks {
    struct stage *stage;
    struct io_task first, second, third, cancelled;
    struct io_timer later;
    char ran[16];
    size_t count;
};

static void third_runs(struct io_task *task) {
    struct tasks *tasks = container_of(task, struct tasks, third);
    tasks->ran[tasks->count++] = '3';
}

static void second_runs(struct io_task *task) {
    struct tasks *tasks = container_of(task, struct tasks, second);
    tasks->ran[tasks->count++] = '2';
    assert_false(task->queued);
    if (tasks->count < 4) /* a task may put itself off again */
        io_defer(tasks->stage->loop, task);
}

static void first_runs(struct io_task *task) {
    struct tasks *tasks = container_of(task, struct tasks, first);
    tasks->ran[tasks->count++] = '1';
    io_defer(tasks->stage->loop, &tasks->third); /* same turn, behind those queued */
    io_defer_cancel(tasks->stage->loop, &tasks->cancelled);
    io_defer_cancel(tasks->stage->loop, &tasks->cancelled); /* not queued: nothing happens */
}

static void cancelled_runs(struct io_task *task) {
    (void)task;
    fail_msg("a cancelled task ran");
}

static void tasks_end(struct io_timer *timer) {
    struct tasks *tasks = container_of(timer, struct tasks, later);
    assert_int_equal(tasks->count, 4);
    assert_memory_equal(tasks->ran, "1232", 4);
    stage_end(tasks->stage);
}

static void tasks_begin(struct stage *stage) {
    struct tasks *tasks = stage->state;
    tasks->stage = stage;
    tasks->first.run = first_runs;
    tasks->second.run = second_runs;
    tasks->third.run = third_runs;
    tasks->cancelled.run = cancelled_runs;
    io_defer(stage->loop, &tasks->first);
    io_defer(stage->loop, &tasks->second);
    io_defer(stage->loop, &tasks->first); /* queued already: once */
    io_defer(stage->loop, &tasks->cancelled);
    assert_true(tasks->first.queued);
    assert_int_equal(tasks->count, 0); /* never at once */
    io_timer_start(stage->loop, &tasks->later, 0, tasks_end);
}

static void tasks_run_once_at_the_end_of_the_turn(void **state) {
    (void)state;
    struct stage stage;
    struct tasks tasks = {0};
    stage_play(&stage, 1, tasks_begin, &tasks);
}

/* --- clocks, threads, signals ----------------------------------------------------------------- */

static void clock_begin(struct stage *stage) {
    uint64_t turn_ns = io_loop_now_ns(stage->loop);
    int64_t wall_ns = io_loop_wall_ns(stage->loop);
    spin_until(stage, turn_ns + 3 * STAGE_MS);
    assert_true(io_loop_now_ns(stage->loop) == turn_ns);
    assert_true(io_loop_wall_ns(stage->loop) == wall_ns);
    int64_t apart_ns = io_host_wall_ns(stage->host) - wall_ns;
    assert_true(apart_ns > 0 && apart_ns < (int64_t)1000 * STAGE_MS);
    stage_end(stage);
}

static void a_turn_has_one_time(void **state) {
    (void)state;
    struct stage stage;
    stage_play(&stage, 1, clock_begin, NULL);
}

struct threads {
    pthread_t each[4];
    _Atomic(unsigned) started;
};

static void threads_each(struct stage *stage, struct io_loop *loop) {
    struct threads *threads = stage->state;
    unsigned index = io_loop_index(loop);
    check(io_group_loop(io_loop_group(loop), index) == loop);
    check(io_loop_host(loop) == stage->host);
    io_loop_set_owner(loop, &threads->each[index]);
    check(io_loop_owner(loop) == &threads->each[index]);
    threads->each[index] = pthread_self();
    if (atomic_fetch_add(&threads->started, 1) == 3)
        stage_end(stage);
}

static void every_loop_starts_on_its_own_thread(void **state) {
    (void)state;
    struct stage stage;
    struct threads threads = {0};
    stage_play_each(&stage, 4, threads_each, NULL, &threads);
    assert_true(pthread_equal(threads.each[0], pthread_self()));
    for (unsigned i = 0; i < 4; i++)
        for (unsigned j = 0; j < i; j++)
            assert_false(pthread_equal(threads.each[i], threads.each[j]));
}

struct signalled {
    struct stage *stage;
    int count;
};

static void on_usr1(void *owner, int signum) {
    struct signalled *signalled = owner;
    assert_int_equal(signum, SIGUSR1);
    if (++signalled->count == 2)
        stage_end(signalled->stage);
    else
        raise(SIGUSR1);
}

static void signal_begin(struct stage *stage) {
    struct signalled *signalled = stage->state;
    signalled->stage = stage;
    assert_int_equal(io_signal_watch(stage->loop, SIGUSR1, on_usr1, signalled), 0);
    struct io_loop *other = io_group_loop(stage->group, 1);
    assert_int_equal(io_signal_watch(other, SIGUSR1, on_usr1, signalled), -EEXIST);
    raise(SIGUSR1);
}

static void a_signal_is_a_call_on_the_loop(void **state) {
    (void)state;
    struct stage stage;
    struct signalled signalled = {0};
    stage_play(&stage, 2, signal_begin, &signalled);
    assert_int_equal(signalled.count, 2);
}

static void without_memory_a_group_is_refused(void **state) {
    (void)state;
    struct io_host *host;
    assert_int_equal(io_host_create(&host), 0);
    struct io_group *group = NULL;
    unsigned long failures = 0;
    for (int failed = -ENOMEM; failed; failures++) {
        mem_fail_at(failures + 1, false);
        failed = io_group_create(host, 3, &group);
        mem_fail_at(0, false);
        assert_true(failed == 0 || failed == -ENOMEM);
        assert_int_equal(group == NULL, failed != 0);
    }
    assert_true(failures > 20); /* each of its allocations once */
    assert_int_equal(io_group_count(group), 3);
    assert_null(io_group_free(group));
    assert_null(io_group_free(NULL));
    io_host_free(host);
}

static void random_bytes_differ(void **state) {
    (void)state;
    struct io_host *host;
    assert_int_equal(io_host_create(&host), 0);
    char first[32] = {0}, second[32] = {0};
    io_host_random(host, first, sizeof first);
    io_host_random(host, second, sizeof second);
    assert_memory_not_equal(first, second, sizeof first);
    uint64_t earlier_ns = io_host_clock_ns(host);
    assert_true(io_host_clock_ns(host) >= earlier_ns);
    assert_null(io_host_free(host));
    assert_null(io_host_free(NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_turn_goes_sockets_messages_timers_tasks),
        cmocka_unit_test(timers_are_never_early),
        cmocka_unit_test(a_timer_may_stop_move_and_free_others_and_itself),
        cmocka_unit_test(the_longest_delay_does_not_wrap),
        cmocka_unit_test(tasks_run_once_at_the_end_of_the_turn),
        cmocka_unit_test(a_turn_has_one_time),
        cmocka_unit_test(every_loop_starts_on_its_own_thread),
        cmocka_unit_test(a_signal_is_a_call_on_the_loop),
        cmocka_unit_test(without_memory_a_group_is_refused),
        cmocka_unit_test(random_bytes_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
