#include "io/uv_loop.h"

#include "base/mem.h"
#include "io/net.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

_Static_assert(IO_LOOPS_MAX <= IO_ATTENTION_WORKER, "each loop has its attention bit");

struct signal_watch {
    struct list_node node;
    uv_signal_t uv;
    void (*on_signal)(void *owner, int signum);
    void *owner;
};

/* --- clock ------------------------------------------------------------------------------------ */

void io_loop_read_clock(struct io_loop *loop) {
    loop->now_ns = io_host_clock_ns(loop->group->host);
    if (loop->now_ns - loop->wall_checked_ns >= IO_NS_PER_MS) {
        loop->wall_checked_ns = loop->now_ns;
        loop->wall_offset_ns = io_host_wall_ns(loop->group->host) - (int64_t)loop->now_ns;
    }
    loop->clock_fresh = true;
    /* From here to the next wait nobody needs to wake us. */
    atomic_store_explicit(&loop->asleep, false, memory_order_relaxed);
}

uint64_t io_loop_now_ns(const struct io_loop *loop) {
    return loop->now_ns;
}

int64_t io_loop_wall_ns(const struct io_loop *loop) {
    return (int64_t)loop->now_ns + loop->wall_offset_ns;
}

/* --- attention -------------------------------------------------------------------------------- */

void io_loop_attend(struct io_loop *loop, unsigned bit) {
    atomic_fetch_or(&loop->attention[bit / 64], UINT64_C(1) << (bit % 64));
    if (!atomic_load(&loop->asleep) || !atomic_exchange(&loop->asleep, false))
        return;
    uint64_t one = 1;
    ssize_t wrote;
    do {
        wrote = write(loop->wake_fd, &one, sizeof one);
    } while (wrote < 0 && errno == EINTR);
    check(wrote == (ssize_t)sizeof one);
}

static void on_wake(uv_poll_t *wake, int status, int events) {
    (void)status;
    (void)events;
    struct io_loop *loop = wake->data;
    uint64_t count;
    io_loop_enter(loop);
    ssize_t ignored = read(loop->wake_fd, &count, sizeof count);
    (void)ignored;
}

/* libuv runs timers before it waits, and the wait would not know that there is work: stop is how
   to tell it. */
static void on_alarm(uv_timer_t *alarm) {
    struct io_loop *loop = alarm->data;
    loop->alarm_ms = WHEEL_NEVER;
    io_loop_enter(loop);
    uv_stop(&loop->uv);
}

/* What others have left for us. Word 1 first: a stop comes behind the messages sent before it. */
static void attend(struct io_loop *loop) {
    uint64_t bits[IO_ATTENTION_WORDS];
    for (unsigned word = IO_ATTENTION_WORDS; word-- > 0;)
        bits[word] = atomic_load_explicit(&loop->attention[word], memory_order_relaxed)
                         ? atomic_exchange(&loop->attention[word], 0)
                         : 0;
    for (unsigned word = 0; word < IO_ATTENTION_WORDS; word++) {
        while (bits[word]) {
            unsigned bit = word * 64 + (unsigned)__builtin_ctzll(bits[word]);
            bits[word] &= bits[word] - 1;
            if (bit == IO_ATTENTION_STOP)
                loop->stopping = true;
            else if (bit == IO_ATTENTION_WORKER)
                io_workers_attend(loop);
            else
                io_channel_attend(loop, bit);
        }
    }
}

/* --- timers ----------------------------------------------------------------------------------- */

static void fire(struct wheel_timer *wheel) {
    struct io_timer *timer = container_of(wheel, struct io_timer, wheel);
    timer->on_fire(timer);
}

void io_timer_start(struct io_loop *loop, struct io_timer *timer, uint64_t delay_ns,
                    void (*on_fire)(struct io_timer *timer)) {
    if (!wheel_armed(&timer->wheel))
        wheel_timer_init(&timer->wheel, fire);
    timer->on_fire = on_fire;
    if (delay_ns == 0) {
        wheel_add_soon(&loop->wheel, &timer->wheel);
        return;
    }
    /* From the clock itself, not the turn's: a long turn must not make a timer early. */
    uint64_t now_ns = io_host_clock_ns(loop->group->host);
    uint64_t deadline_ns = delay_ns < UINT64_MAX - now_ns ? now_ns + delay_ns : UINT64_MAX;
    uint64_t deadline_ms = deadline_ns / IO_NS_PER_MS + (deadline_ns % IO_NS_PER_MS != 0);
    wheel_add(&loop->wheel, &timer->wheel, deadline_ms);
}

void io_timer_stop(struct io_loop *loop, struct io_timer *timer) {
    if (wheel_armed(&timer->wheel))
        wheel_cancel(&loop->wheel, &timer->wheel);
}

bool io_timer_running(const struct io_timer *timer) {
    return wheel_armed(&timer->wheel);
}

/* libuv counts the same milliseconds of the same clock, rounded down. */
static void set_alarm(struct io_loop *loop) {
    uint64_t next_ms = wheel_next_ms(&loop->wheel);
    if (next_ms == loop->alarm_ms || wheel_has_soon(&loop->wheel)) /* then nothing is waited for */
        return;
    loop->alarm_ms = next_ms;
    if (next_ms == WHEEL_NEVER) {
        check(uv_timer_stop(&loop->alarm) == 0);
        return;
    }
    uint64_t uv_now_ms = uv_now(&loop->uv);
    uint64_t delay_ms = next_ms > uv_now_ms ? next_ms - uv_now_ms : 0;
    check(uv_timer_start(&loop->alarm, on_alarm, delay_ms, 0) == 0);
}

/* --- tasks ------------------------------------------------------------------------------------ */

void io_defer(struct io_loop *loop, struct io_task *task) {
    if (task->queued)
        return;
    task->queued = true;
    task->next = NULL;
    if (loop->task_last)
        loop->task_last->next = task;
    else
        loop->task_first = task;
    loop->task_last = task;
}

void io_defer_cancel(struct io_loop *loop, struct io_task *task) {
    if (!task->queued)
        return;
    struct io_task *before = NULL;
    struct io_task *at = loop->task_first;
    while (at != task) {
        check(at != NULL);
        before = at;
        at = at->next;
    }
    if (before)
        before->next = task->next;
    else
        loop->task_first = task->next;
    if (loop->task_last == task)
        loop->task_last = before;
    task->queued = false;
}

static void run_tasks(struct io_loop *loop) {
    for (unsigned run = 0; loop->task_first && run < IO_TASKS_PER_TURN_MAX; run++) {
        struct io_task *task = loop->task_first;
        loop->task_first = task->next;
        if (!loop->task_first)
            loop->task_last = NULL;
        task->queued = false;
        task->run(task);
    }
}

/* --- turns ------------------------------------------------------------------------------------ */

/* Steps 1 and 2. */
static void wait_and_read(struct io_loop *loop) {
    loop->clock_fresh = false;
    bool idle =
        loop->task_first == NULL && loop->dirty_first == NULL && !wheel_has_soon(&loop->wheel);
    wheel_turn(&loop->wheel);
    if (idle) {
        atomic_store(&loop->asleep, true);
        for (unsigned word = 0; word < IO_ATTENTION_WORDS; word++)
            idle = idle && atomic_load(&loop->attention[word]) == 0;
    }
    uv_run(&loop->uv, idle ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    io_loop_enter(loop);
}

/* Steps 3 to 6. */
static void finish_turn(struct io_loop *loop) {
    attend(loop);
    wheel_advance(&loop->wheel, loop->now_ns / IO_NS_PER_MS);
    run_tasks(loop);
    io_streams_flush(loop);
    io_channels_hand_over(loop);
    set_alarm(loop);
}

static void run_loop(struct io_loop *loop) {
    io_loop_read_clock(loop);
    loop->group->start(loop->group->start_owner, loop);
    finish_turn(loop);
    while (!loop->stopping) {
        wait_and_read(loop);
        finish_turn(loop);
    }
    loop->stopping = false;
}

static void *loop_thread(void *argument) {
    struct io_loop *loop = argument;
    char name[16];
    snprintf(name, sizeof name, "nonet-%u", loop->index);
    pthread_setname_np(pthread_self(), name);
    run_loop(loop);
    return NULL;
}

int io_group_run(struct io_group *group, void (*start)(void *owner, struct io_loop *loop),
                 void *owner) {
    group->start = start;
    group->start_owner = owner;
    pthread_t threads[IO_LOOPS_MAX];
    unsigned started = 1;
    int failed = 0;
    while (started < group->count && failed == 0) {
        failed = -pthread_create(&threads[started], NULL, loop_thread, group->loops[started]);
        if (failed == 0)
            started++;
    }
    if (failed == 0)
        run_loop(group->loops[0]);
    for (unsigned i = 1; i < started; i++) {
        if (failed)
            io_loop_stop(group->loops[i]);
        pthread_join(threads[i], NULL);
    }
    return failed;
}

void io_loop_stop(struct io_loop *loop) {
    io_loop_attend(loop, IO_ATTENTION_STOP);
}

/* --- making and freeing ----------------------------------------------------------------------- */

static void stop_handle(uv_handle_t *handle, void *unused) {
    (void)unused;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void loop_free(struct io_loop *loop) {
    check(loop->open_count == 0 && list_empty(&loop->workers));
    struct list_node *node, *next;
    list_each(&loop->signals, node, next) {
        uv_close((uv_handle_t *)&container_of(node, struct signal_watch, node)->uv, NULL);
    }
    uv_walk(&loop->uv, stop_handle, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    list_each(&loop->signals, node, next) {
        mem_free(container_of(node, struct signal_watch, node));
    }
    check(uv_loop_close(&loop->uv) == 0);
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    io_pool_free(&loop->pool);
    mem_free(loop->read_buffer);
    mem_free(loop->plain_buffer);
    mem_free(loop);
}

static int loop_create(struct io_group *group, unsigned index, struct io_loop **ret_loop) {
    struct io_loop *loop = mem_zalloc(1, sizeof *loop);
    if (!loop)
        return -ENOMEM;
    loop->group = group;
    loop->index = index;
    loop->alarm_ms = WHEEL_NEVER;
    list_init(&loop->workers);
    list_init(&loop->signals);
    list_init(&loop->connects);
    loop->read_buffer = mem_alloc(IO_READ_BYTES);
    int failed = loop->read_buffer ? uv_loop_init(&loop->uv) : -ENOMEM;
    if (failed) {
        mem_free(loop->read_buffer);
        mem_free(loop);
        return failed;
    }
    check(uv_timer_init(&loop->uv, &loop->alarm) == 0);
    loop->alarm.data = loop;
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    failed = loop->wake_fd < 0 ? -errno : uv_poll_init(&loop->uv, &loop->wake, loop->wake_fd);
    if (failed == 0) {
        loop->wake.data = loop;
        check(uv_poll_start(&loop->wake, UV_READABLE, on_wake) == 0);
    }
    io_loop_read_clock(loop);
    wheel_init(&loop->wheel, loop->now_ns / IO_NS_PER_MS);
    if (failed)
        loop_free(loop);
    else
        *ret_loop = loop;
    return failed;
}

int io_group_create(struct io_host *host, unsigned count, struct io_group **ret_group) {
    check(count >= 1 && count <= IO_LOOPS_MAX);
    struct io_group *group = mem_zalloc(1, sizeof *group);
    if (!group)
        return -ENOMEM;
    group->host = host;
    int failed = 0;
    while (group->count < count && failed == 0) {
        failed = loop_create(group, group->count, &group->loops[group->count]);
        if (failed == 0)
            group->count++;
    }
    if (failed == 0)
        failed = io_channels_create(group);
    if (failed)
        io_group_free(group);
    else
        *ret_group = group;
    return failed;
}

struct io_group *io_group_free(struct io_group *group) {
    if (!group)
        return NULL;
    io_channels_free(group);
    for (unsigned i = 0; i < group->count; i++)
        loop_free(group->loops[i]);
    return mem_free(group);
}

unsigned io_group_count(const struct io_group *group) {
    return group->count;
}

struct io_loop *io_group_loop(struct io_group *group, unsigned index) {
    check(index < group->count);
    return group->loops[index];
}

unsigned io_loop_index(const struct io_loop *loop) {
    return loop->index;
}

struct io_host *io_loop_host(const struct io_loop *loop) {
    return loop->group->host;
}

struct io_group *io_loop_group(const struct io_loop *loop) {
    return loop->group;
}

void io_loop_set_owner(struct io_loop *loop, void *owner) {
    loop->owner = owner;
}

void *io_loop_owner(const struct io_loop *loop) {
    return loop->owner;
}

/* --- signals ---------------------------------------------------------------------------------- */

static void on_uv_signal(uv_signal_t *uv, int signum) {
    struct signal_watch *watch = container_of(uv, struct signal_watch, uv);
    io_loop_enter(uv->data);
    watch->on_signal(watch->owner, signum);
}

int io_signal_watch(struct io_loop *loop, int signum, void (*on_signal)(void *owner, int signum),
                    void *owner) {
    check(signum > 0 && signum < 64);
    uint64_t bit = UINT64_C(1) << signum;
    if (atomic_fetch_or(&loop->group->signals_watched, bit) & bit)
        return -EEXIST;
    struct signal_watch *watch = mem_zalloc(1, sizeof *watch);
    int failed = watch ? uv_signal_init(&loop->uv, &watch->uv) : -ENOMEM;
    if (failed) {
        mem_free(watch);
        atomic_fetch_and(&loop->group->signals_watched, ~bit);
        return failed;
    }
    watch->uv.data = loop;
    watch->on_signal = on_signal;
    watch->owner = owner;
    list_push_back(&loop->signals, &watch->node);
    failed = uv_signal_start(&watch->uv, on_uv_signal, signum);
    if (failed) /* the watch stays, closed with the loop, and never calls */
        atomic_fetch_and(&loop->group->signals_watched, ~bit);
    return failed;
}
