/*
 * loop.c - groups and loops: turns in the order of io/loop.h, on virtual time.
 *
 * A loop has one event, its next turn. Whatever has something for it pokes it: the turn comes at
 * that time or a few microseconds later, never while the turn before is still "running"
 * (TURN_NS), so things pile up and share a turn as they do in production.
 */
#include "net.h"

#include <errno.h>

#define NS_PER_MS UINT64_C(1000000)
#define TURN_NS 2000
#define WAKE_NS 5000
#define TIMER_LATE_NS 50000
#define CHANNEL_LOW_BYTES (IO_CHANNEL_HIGH_BYTES / 2)
#define MESSAGE_MAX ((size_t)128 << 20)
#define SIGNALS_MAX 64

struct message {
    struct list_node node;
    uint32_t kind;
    size_t len;
    char body[];
};

/* One direction of a pair: staged during the sender's turn, then the receiver's to take. */
struct channel {
    struct list staged, inbox;
    size_t bytes; /* staged and not yet taken */
    bool told_full, room;
};

struct io_loop {
    struct io_group *group;
    unsigned index;
    void *owner;
    struct sim_event turn;
    struct wheel wheel;
    uint64_t now_ns; /* the host's clock at the turn's start */
    uint64_t busy_until_ns;
    bool started, in_turn, stopping, stopped;
    struct io_task *tasks, **tasks_end;
    struct io_receiver receiver;
    struct channel *to; /* one for each loop */
    struct list workers;
    struct sim_net_loop net;
    uint64_t signals; /* arrived, by number */
    struct {
        void (*on_signal)(void *owner, int signum);
        void *owner;
    } watches[SIGNALS_MAX];
};

struct io_group {
    struct list_node node; /* in the host's groups */
    struct io_host *host;
    unsigned count;
    struct io_loop *loops;
    void (*start)(void *owner, struct io_loop *loop);
    void *start_owner;
};

static void take_turn(struct sim_event *event);
static void on_wheel(struct wheel_timer *wheel);

/* --- making and freeing ----------------------------------------------------------------------- */

static int init_loop(struct io_group *group, unsigned index) {
    struct io_loop *loop = &group->loops[index];
    loop->group = group;
    loop->index = index;
    loop->turn = sim_event_make(group->host->sim, SIM_TURN, take_turn);
    loop->now_ns = io_host_clock_ns(group->host);
    wheel_init(&loop->wheel, loop->now_ns / NS_PER_MS);
    loop->tasks_end = &loop->tasks;
    list_init(&loop->workers);
    sim_net_init(&loop->net);
    loop->to = mem_zalloc(group->count, sizeof(*loop->to));
    if (!loop->to)
        return -ENOMEM;
    for (unsigned i = 0; i < group->count; i++) {
        list_init(&loop->to[i].staged);
        list_init(&loop->to[i].inbox);
    }
    return 0;
}

int io_group_create(struct io_host *host, unsigned count, struct io_group **ret_group) {
    check(count >= 1 && count <= IO_LOOPS_MAX);
    int failed = sim_fault(host->sim, -EMFILE);
    if (failed)
        return failed;
    struct io_group *group = mem_zalloc(1, sizeof(*group));
    struct io_loop *loops = mem_zalloc(count, sizeof(*loops));
    if (!group || !loops) {
        mem_free(group);
        mem_free(loops);
        return -ENOMEM;
    }
    *group = (struct io_group){.host = host, .count = count, .loops = loops};
    list_push_back(&host->groups, &group->node);
    host->sim->handles++;
    for (unsigned i = 0; i < count && !failed; i++)
        failed = init_loop(group, i);
    if (failed) {
        io_group_free(group);
        return failed;
    }
    *ret_group = group;
    return 0;
}

static void free_messages(struct list *messages) {
    for (struct list_node *n; (n = list_pop_front(messages)) != NULL;)
        mem_free(container_of(n, struct message, node));
}

static void free_loop(struct io_loop *loop) {
    if (!loop->to)
        return; /* its making failed */
    check(loop->wheel.count == 0 && list_empty(&loop->workers));
    sim_unschedule(loop->group->host->sim, &loop->turn);
    sim_net_done(loop);
    for (unsigned i = 0; i < loop->group->count; i++) {
        free_messages(&loop->to[i].staged);
        free_messages(&loop->to[i].inbox);
    }
    mem_free(loop->to);
}

struct io_group *io_group_free(struct io_group *group) {
    if (!group)
        return NULL;
    for (unsigned i = 0; i < group->count; i++)
        free_loop(&group->loops[i]);
    list_remove(&group->node);
    group->host->sim->handles--;
    mem_free(group->loops);
    mem_free(group);
    return NULL;
}

unsigned io_group_count(const struct io_group *group) {
    return group->count;
}

struct io_loop *io_group_loop(struct io_group *group, unsigned index) {
    check(index < group->count);
    return &group->loops[index];
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

struct list *sim_loop_workers(struct io_loop *loop) {
    return &loop->workers;
}

struct sim_net_loop *sim_loop_net(struct io_loop *loop) {
    return &loop->net;
}

/* --- running ---------------------------------------------------------------------------------- */

void sim_loop_poke(struct io_loop *loop, uint64_t at_ns) {
    struct sim *sim = loop->group->host->sim;
    if (loop->stopped || loop->in_turn || !loop->group->start)
        return; /* a turn looks at everything before it ends; before the start nothing turns */
    uint64_t at = at_ns > sim->now_ns ? at_ns : sim->now_ns;
    at = at > loop->busy_until_ns ? at : loop->busy_until_ns;
    if (loop->turn.queued && loop->turn.at_ns <= at + WAKE_NS)
        return;
    sim_schedule(sim, &loop->turn, at + sim_below(sim, WAKE_NS));
}

static void start_nothing(void *owner, struct io_loop *loop) {
    (void)owner;
    (void)loop;
}

void sim_group_start(struct io_group *group, void (*start)(void *owner, struct io_loop *loop),
                     void *owner) {
    check(!group->start);
    group->start = start ? start : start_nothing;
    group->start_owner = owner;
    for (unsigned i = 0; i < group->count; i++)
        sim_loop_poke(&group->loops[i], 0);
}

static bool all_stopped(const struct io_group *group) {
    for (unsigned i = 0; i < group->count; i++)
        if (!group->loops[i].stopped)
            return false;
    return true;
}

/* Drives the whole room until this group's loops have been stopped. -EDEADLK where nothing can
   happen any more and they have not. */
int io_group_run(struct io_group *group, void (*start)(void *owner, struct io_loop *loop),
                 void *owner) {
    struct sim *sim = group->host->sim;
    int failed = sim_fault(sim, -EAGAIN);
    if (failed)
        return failed;
    sim_group_start(group, start, owner);
    while (!all_stopped(group))
        if (!sim_step(sim))
            return -EDEADLK;
    return 0;
}

void io_loop_stop(struct io_loop *loop) {
    loop->stopping = true;
    sim_loop_poke(loop, 0);
}

uint64_t io_loop_now_ns(const struct io_loop *loop) {
    return loop->in_turn ? loop->now_ns : io_host_clock_ns(loop->group->host);
}

int64_t io_loop_wall_ns(const struct io_loop *loop) {
    return io_host_wall_ns(loop->group->host); /* time stands still during a turn */
}

/* --- timers ----------------------------------------------------------------------------------- */

static void on_wheel(struct wheel_timer *wheel) {
    struct io_timer *timer = container_of(wheel, struct io_timer, wheel);
    timer->on_fire(timer);
}

static void poke_for_timers(struct io_loop *loop) {
    uint64_t next_ms = wheel_next_ms(&loop->wheel);
    struct io_host *host = loop->group->host;
    if (next_ms >= WHEEL_NEVER / NS_PER_MS)
        return;
    if (wheel_has_soon(&loop->wheel)) {
        sim_loop_poke(loop, 0);
        return;
    }
    uint64_t at = sim_true_time(host->machine, next_ms * NS_PER_MS);
    sim_loop_poke(loop, at + sim_below(host->sim, TIMER_LATE_NS));
}

void io_timer_start(struct io_loop *loop, struct io_timer *timer, uint64_t delay_ns,
                    void (*on_fire)(struct io_timer *timer)) {
    uint64_t now = io_host_clock_ns(loop->group->host);
    uint64_t due = delay_ns > SIM_NEVER - now - NS_PER_MS ? SIM_NEVER - NS_PER_MS : now + delay_ns;
    if (!timer->wheel.fire)
        wheel_timer_init(&timer->wheel, on_wheel);
    timer->on_fire = on_fire;
    if (delay_ns)
        wheel_add(&loop->wheel, &timer->wheel, (due + NS_PER_MS - 1) / NS_PER_MS);
    else
        wheel_add_soon(&loop->wheel, &timer->wheel);
    poke_for_timers(loop);
}

void io_timer_stop(struct io_loop *loop, struct io_timer *timer) {
    if (timer->wheel.armed)
        wheel_cancel(&loop->wheel, &timer->wheel);
}

bool io_timer_running(const struct io_timer *timer) {
    return timer->wheel.armed;
}

/* --- tasks ------------------------------------------------------------------------------------ */

void io_defer(struct io_loop *loop, struct io_task *task) {
    if (task->queued)
        return;
    task->queued = true;
    task->next = NULL;
    *loop->tasks_end = task;
    loop->tasks_end = &task->next;
    sim_loop_poke(loop, 0);
}

void io_defer_cancel(struct io_loop *loop, struct io_task *task) {
    if (!task->queued)
        return;
    struct io_task **at = &loop->tasks;
    while (*at != task) {
        check(*at != NULL);
        at = &(*at)->next;
    }
    *at = task->next;
    if (loop->tasks_end == &task->next)
        loop->tasks_end = at;
    task->queued = false;
}

static void run_tasks(struct io_loop *loop) {
    while (loop->tasks) {
        struct io_task *task = loop->tasks;
        loop->tasks = task->next;
        if (!loop->tasks)
            loop->tasks_end = &loop->tasks;
        task->queued = false;
        task->run(task);
    }
}

/* --- messages --------------------------------------------------------------------------------- */

void io_loop_set_receiver(struct io_loop *loop, const struct io_receiver *receiver) {
    loop->receiver = *receiver;
}

int io_send(struct io_loop *loop, unsigned to, uint32_t kind, const slice *parts,
            unsigned part_count) {
    check(to < loop->group->count && to != loop->index);
    size_t len = 0, at = 0;
    for (unsigned i = 0; i < part_count; i++) {
        if (parts[i].len > MESSAGE_MAX - len)
            return -EMSGSIZE;
        len += parts[i].len;
    }
    struct message *message = mem_alloc(sizeof(*message) + len);
    if (!message)
        return -ENOMEM;
    message->kind = kind;
    message->len = len;
    for (unsigned i = 0; i < part_count; i++) {
        if (parts[i].len)
            memcpy(message->body + at, parts[i].ptr, parts[i].len);
        at += parts[i].len;
    }
    list_push_back(&loop->to[to].staged, &message->node);
    loop->to[to].bytes += sizeof(*message) + len;
    sim_loop_poke(loop, 0);
    return 0;
}

bool io_channel_full(const struct io_loop *loop, unsigned to) {
    check(to < loop->group->count && to != loop->index);
    if (loop->to[to].bytes <= IO_CHANNEL_HIGH_BYTES)
        return false;
    loop->to[to].told_full = true;
    return true;
}

static void hand_over(struct io_loop *loop) {
    for (unsigned i = 0; i < loop->group->count; i++)
        if (!list_empty(&loop->to[i].staged)) {
            list_splice(&loop->to[i].inbox, &loop->to[i].staged);
            sim_loop_poke(&loop->group->loops[i], 0);
        }
}

static bool has_messages(const struct io_loop *loop) {
    for (unsigned i = 0; i < loop->group->count; i++)
        if (!list_empty(&loop->group->loops[i].to[loop->index].inbox))
            return true;
    return false;
}

static void take_from(struct io_loop *loop, struct io_loop *sender) {
    struct channel *channel = &sender->to[loop->index];
    struct list taken;
    list_init(&taken);
    list_splice(&taken, &channel->inbox); /* what comes meanwhile is for the next turn */
    for (struct list_node *n; (n = list_pop_front(&taken)) != NULL;) {
        struct message *message = container_of(n, struct message, node);
        size_t size = sizeof(*message) + message->len;
        sim_trace(loop->group->host->sim, SIM_MESSAGE, (uint64_t)sender->index << 8 | loop->index,
                  (uint64_t)message->kind << 32 | message->len, NULL);
        loop->receiver.on_message(loop->receiver.owner, sender->index, message->kind,
                                  slice_make(message->body, message->len));
        mem_free(message);
        channel->bytes -= size;
    }
    if (channel->told_full && channel->bytes <= CHANNEL_LOW_BYTES) {
        channel->told_full = false;
        channel->room = true;
        sim_loop_poke(sender, 0);
    }
}

static void take_messages(struct io_loop *loop) {
    unsigned count = loop->group->count;
    unsigned first = count > 1 ? (unsigned)sim_below(loop->group->host->sim, count) : 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned other = (first + i) % count;
        if (other != loop->index)
            take_from(loop, &loop->group->loops[other]);
        if (loop->to[other].room) {
            loop->to[other].room = false;
            if (loop->receiver.on_room)
                loop->receiver.on_room(loop->receiver.owner, other);
        }
    }
}

/* --- signals ---------------------------------------------------------------------------------- */

int io_signal_watch(struct io_loop *loop, int signum, void (*on_signal)(void *owner, int signum),
                    void *owner) {
    check(signum > 0 && signum < SIGNALS_MAX);
    struct io_group *group = loop->group;
    int failed = sim_fault(group->host->sim, -ENOMEM);
    if (failed)
        return failed;
    for (unsigned i = 0; i < group->count; i++)
        if (group->loops[i].watches[signum].on_signal)
            return -EEXIST;
    loop->watches[signum].on_signal = on_signal;
    loop->watches[signum].owner = owner;
    return 0;
}

void sim_groups_signal(struct io_host *host, int signum) {
    check(signum > 0 && signum < SIGNALS_MAX);
    struct list_node *n, *next;
    list_each(&host->groups, n, next) {
        struct io_group *group = container_of(n, struct io_group, node);
        for (unsigned i = 0; i < group->count; i++) {
            if (!group->loops[i].watches[signum].on_signal)
                continue;
            group->loops[i].signals |= UINT64_C(1) << signum;
            sim_loop_poke(&group->loops[i], 0);
        }
    }
}

static void take_signals(struct io_loop *loop) {
    while (loop->signals) {
        int signum = __builtin_ctzll(loop->signals);
        loop->signals &= loop->signals - 1;
        loop->watches[signum].on_signal(loop->watches[signum].owner, signum);
    }
}

/* --- a turn ----------------------------------------------------------------------------------- */

static bool has_staged(const struct io_loop *loop) {
    for (unsigned i = 0; i < loop->group->count; i++)
        if (!list_empty(&loop->to[i].staged))
            return true;
    return false;
}

static void take_turn(struct sim_event *event) {
    struct io_loop *loop = container_of(event, struct io_loop, turn);
    struct io_group *group = loop->group;
    struct sim *sim = group->host->sim;
    loop->in_turn = true;
    loop->now_ns = io_host_clock_ns(group->host);
    if (!loop->started) {
        loop->started = true;
        group->start(group->start_owner, loop);
    } else {
        wheel_turn(&loop->wheel);
        sim_net_events(loop);
        take_messages(loop);
        take_signals(loop);
        sim_workers_finish(loop);
        wheel_advance(&loop->wheel, loop->now_ns / NS_PER_MS);
    }
    run_tasks(loop);
    sim_net_flush(loop);
    hand_over(loop);
    loop->in_turn = false;
    loop->busy_until_ns = sim->now_ns + TURN_NS;
    if (loop->stopping && !has_messages(loop) && !has_staged(loop)) {
        loop->stopped = true;
        return;
    }
    poke_for_timers(loop);
    if (loop->signals || loop->stopping || has_messages(loop) || loop->tasks ||
        !list_empty(&loop->net.ready))
        sim_loop_poke(loop, 0);
}
